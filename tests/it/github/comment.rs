//! The one comment on a pull request.

use super::fake::{BOT, Kind, State};
use super::*;

#[test]
fn a_plain_pull_request_gets_one_comment_with_few_calls_and_a_repeated_one_nothing() {
    let mut world = World::pull_request();
    let outcome = world.publish();
    assert!(outcome.requests <= 6, "{}", outcome.requests);
    assert_eq!(world.fake.state().comments_on(7).len(), 1);
    let first = world.fake.state().comments_on(7)[0].clone();
    assert!(
        first.starts_with("<!-- loadgate:v1 comment key=api run=100 attempt=1 verdict=pass -->\ncomment Pass"),
        "{first}"
    );
    assert!(world.output("comment-url").contains("/pull/7#issuecomment-"));
    assert_eq!(world.output("verdict"), "pass");
    assert_eq!(world.output("issue-action"), "none");

    let before = world.fake.state().writes().len();
    let url = world.output("comment-url");
    world.publish();
    // Also as another attempt, or as a later workflow run with the same words.
    world.vars.insert("GITHUB_RUN_ATTEMPT".to_owned(), "2".to_owned());
    world.publish();
    world.at_run(101).publish();
    assert_eq!(world.fake.state().writes().len(), before);
    assert_eq!(world.output("comment-url"), url);
}

#[test]
fn the_comment_is_found_on_any_page_and_only_if_it_is_ours() {
    let mut world = World::pull_request();
    world.fake.state().page = 10;
    for number in 0..25 {
        world.fake.state().add_comment(7, "ann", &format!("comment {number}"));
    }
    let marker = "<!-- loadgate:v1 comment key=api run=1 attempt=1 verdict=fail -->\n";
    world.fake.state().add_comment(7, "mallory", &format!("{marker}quoted"));
    world.fake.state().add_comment(
        7,
        BOT,
        "<!-- loadgate:v1 comment key=other run=1 attempt=1 verdict=fail -->\nother",
    );
    let ours = world.fake.state().add_comment(7, BOT, &format!("{marker}old"));
    world.report = bad(&["GET /"]);
    world.publish();
    assert_eq!(world.fake.state().writes(), [format!("PATCH /repos/octo/shop/issues/comments/{ours}")]);
    let comments = world.fake.state().comments_on(7);
    assert!(comments.iter().any(|it| it.ends_with("quoted")) && comments.iter().any(|it| it.ends_with("other")));
}

#[test]
fn an_older_workflow_run_never_overwrites_a_newer_one() {
    let mut world = World::pull_request();
    world.at_run(200).publish();
    world.report = bad(&["GET /"]);
    let outcome = world.at_run(100).publish();
    assert_eq!(codes(&outcome), ["superseded"]);
    assert!(world.fake.state().comments_on(7)[0].contains("comment Pass"));
    // Nor if the newer one writes between looking and writing.
    world.at_run(300);
    let newer = "<!-- loadgate:v1 comment key=api run=400 attempt=1 verdict=pass -->\nnewest";
    let id = world.fake.state().comments[0]["id"].as_u64().unwrap();
    world.fake.state().after("GET", "/issues/7/comments", move |state| {
        state.comments.iter_mut().find(|it| it["id"] == id).unwrap()["body"] = json!(newer);
    });
    assert_eq!(codes(&world.publish()), ["superseded"]);
    assert_eq!(world.fake.state().comments_on(7), [newer]);
}

#[test]
fn two_jobs_at_once_leave_one_comment_with_the_newer_text_whoever_is_first() {
    let twin =
        |run: u64, text: &str| format!("<!-- loadgate:v1 comment key=api run={run} attempt=1 verdict=fail -->\n{text}");
    for (other_first, other_run) in [(true, 99), (true, 101), (false, 99), (false, 101)] {
        let world = World::pull_request();
        let body = twin(other_run, "theirs");
        let add = move |state: &mut State| _ = state.add_comment(7, BOT, &body);
        if other_first {
            world.fake.state().before("POST", "/issues/7/comments", add);
        } else {
            world.fake.state().after("POST", "/issues/7/comments", add);
        }
        world.publish();
        let comments = world.fake.state().comments_on(7);
        assert_eq!(comments.len(), 1, "{other_first} {other_run}");
        assert_eq!(comments[0].contains("theirs"), other_run == 101, "{other_first} {other_run}: {comments:?}");
        let id = world.fake.state().comments[0]["id"].as_u64().unwrap();
        assert!(world.output("comment-url").ends_with(&format!("issuecomment-{id}")));
    }
}

#[test]
fn a_list_that_lags_behind_makes_no_second_comment() {
    let world = World::pull_request();
    world.fake.state().lag = 3;
    let older = "<!-- loadgate:v1 comment key=api run=99 attempt=1 verdict=fail -->\ntheirs";
    world.fake.state().before("POST", "/issues/7/comments", move |state| _ = state.add_comment(7, BOT, older));
    world.publish();
    assert_eq!(world.fake.state().comments_on(7).len(), 1);
    assert!(world.fake.state().comments_on(7)[0].contains("comment Pass"));
}

#[test]
fn a_lost_answer_is_looked_for_before_the_comment_is_written_again() {
    for kind in
        [Kind::DropAfter, Kind::AnswerAfter(502, "<html>".to_owned()), Kind::AnswerAfter(201, "<html>".to_owned())]
    {
        let world = World::pull_request();
        world.fake.state().fault("POST", "/issues/7/comments", 1, kind);
        world.publish();
        assert_eq!(world.fake.state().comments_on(7).len(), 1);
        assert_eq!(world.fake.state().writes().len(), 1);
        assert!(world.output("comment-url").contains("issuecomment"));
    }
    let world = World::pull_request();
    world.fake.state().fault("POST", "/issues/7/comments", 1, Kind::DropBefore);
    world.publish();
    assert_eq!(world.fake.state().comments_on(7).len(), 1);
    assert_eq!(world.fake.state().writes().len(), 2);
}

#[test]
fn a_lost_answer_is_looked_for_at_least_two_seconds() {
    let look: Duration = Patience::default().look;
    assert!(look >= Duration::from_secs(2));
    let client = loadgate::github::client::Client::new(Nobody, Patience::default());
    assert!(client.looks().sum::<Duration>() >= Duration::from_secs(2));
}

struct Nobody;

impl loadgate::github::client::Transport for Nobody {
    async fn send(
        &self,
        _: &loadgate::github::client::Call,
    ) -> Result<loadgate::github::client::Answer, loadgate::github::client::NoAnswer> {
        Err(loadgate::github::client::NoAnswer("nobody".to_owned()))
    }
}

#[test]
fn when_to_comment_is_the_users_choice_and_an_existing_comment_is_kept_true() {
    let starts = |when: CommentWhen, report: Report| {
        let mut world = World::pull_request();
        (world.wishes.comment, world.report) = (when, report);
        world.publish();
        let count = world.fake.state().comments_on(7).len();
        count == 1
    };
    let warned = || report("warn", &[("GET /", "latency_p95", "warn")]);
    assert!(starts(CommentWhen::Always, good(&["GET /"])));
    assert!(!starts(CommentWhen::OnChange, good(&["GET /"])));
    assert!(starts(CommentWhen::OnChange, warned()));
    assert!(!starts(CommentWhen::OnFailure, warned()));
    assert!(starts(CommentWhen::OnFailure, bad(&["GET /"])));
    assert!(!starts(CommentWhen::Never, bad(&["GET /"])));

    let mut world = World::pull_request();
    (world.wishes.comment, world.report) = (CommentWhen::OnFailure, bad(&["GET /"]));
    world.publish();
    world.report = good(&["GET /"]);
    world.at_run(101).publish();
    assert!(world.fake.state().comments_on(7)[0].contains("comment Pass"));
    (world.wishes.comment, world.report) = (CommentWhen::Never, bad(&["GET /"]));
    world.at_run(102).publish();
    assert!(world.fake.state().comments_on(7)[0].contains("comment Pass"));
}

#[test]
fn jobs_with_their_own_keys_have_their_own_comments() {
    let mut world = World::pull_request();
    world.publish();
    world.wishes.comment_key = Some("nightly --> x".to_owned());
    world.publish();
    world.publish();
    assert_eq!(world.fake.state().comments_on(7).len(), 2);
}

#[test]
fn a_comment_that_someone_deleted_meanwhile_is_written_anew() {
    let mut world = World::pull_request();
    world.publish();
    world.report = bad(&["GET /"]);
    world.fake.state().after("GET", "/issues/7/comments", |state| state.comments.clear());
    world.at_run(101).publish();
    assert!(world.fake.state().comments_on(7)[0].contains("comment Fail"));
}

#[test]
fn a_pull_request_that_has_moved_on_is_left_to_its_newer_workflow_run() {
    let world = World::pull_request();
    world.fake.state().pulls[0]["head"]["sha"] = json!("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    assert_eq!(codes(&world.publish()), ["pull_request_moved_on"]);
    assert_eq!(world.fake.state().writes(), Vec::<String>::new());
}

#[test]
fn a_token_that_writes_under_another_name_is_told_how_to_be_found_again() {
    let mut world = World::pull_request();
    world.wishes.bot_login = "shop-app[bot]".to_owned();
    let outcome = world.publish();
    assert_eq!(codes(&outcome), ["bot_login"]);
    assert!(outcome.notices[0].message.contains("`github-actions[bot]`"));
    let mut world = World::schedule();
    world.wishes.bot_login = "shop-app[bot]".to_owned();
    assert_eq!(codes(&world.publish()), ["bot_login"]);
}
