//! GitHub on a bad day: it never changes the verdict, and never takes long.

use std::time::Instant;

use super::fake::Kind;
use super::*;

fn limited(headers: Vec<(&'static str, String)>) -> Kind {
    Kind::Answer(403, headers, json!({"message": "API rate limit exceeded"}).to_string())
}

#[test]
fn passing_faults_are_outlasted() {
    let faults = [
        Kind::DropBefore,
        Kind::Answer(502, Vec::new(), "<html>bad gateway</html>".to_owned()),
        Kind::Answer(500, Vec::new(), String::new()),
        Kind::Answer(200, Vec::new(), "<html>log in</html>".to_owned()),
        Kind::Answer(429, vec![("retry-after", "0".to_owned())], "{}".to_owned()),
        limited(vec![("retry-after", "0".to_owned())]),
    ];
    for (method, path) in [("GET", "/pulls/7"), ("GET", "/issues/7/comments"), ("PATCH", "/issues/comments/")] {
        for kind in &faults {
            let mut world = World::pull_request();
            world.publish();
            world.report = bad(&["GET /"]);
            world.fake.state().fault(method, path, 2, kind.clone());
            let outcome = world.at_run(101).publish();
            assert_eq!(codes(&outcome), Vec::<&str>::new(), "{method} {path} {kind:?}");
            assert!(world.fake.state().comments_on(7)[0].contains("comment Fail"), "{method} {path} {kind:?}");
        }
    }
}

#[test]
fn lasting_faults_leave_the_summary_and_a_notice() {
    let in_an_hour =
        (std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 3_600).to_string();
    let faults = [
        Kind::DropBefore,
        Kind::Answer(503, Vec::new(), "<html>unicorn</html>".to_owned()),
        limited(vec![("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", in_an_hour)]),
        limited(vec![("retry-after", "3600".to_owned())]),
        Kind::Answer(403, Vec::new(), json!({"message": "You have exceeded a secondary rate limit."}).to_string()),
    ];
    for kind in faults {
        let world = World::pull_request();
        world.fake.state().fault("GET", "", 1_000, kind.clone());
        let start = Instant::now();
        let outcome = world.publish();
        assert!(start.elapsed() < Duration::from_secs(5), "{kind:?}");
        assert_eq!(codes(&outcome), ["comment_not_posted"], "{kind:?}");
        assert_eq!(world.written("summary"), "summary Pass comment_not_posted\n");
        assert_eq!(world.output("verdict"), "pass");
    }
}

#[test]
fn what_fails_on_writing_is_told_in_the_summary_as_well() {
    let world = World::pull_request();
    let locked = json!({"message": "Unable to create comment because issue is locked."}).to_string();
    world.fake.state().fault("POST", "/issues/7/comments", 1, Kind::Answer(403, Vec::new(), locked));
    let outcome = world.publish();
    assert_eq!(codes(&outcome), ["comment_not_posted"]);
    assert!(world.written("summary").contains("issue is locked"));
    assert_eq!(world.output("comment-url"), "");
}

#[test]
fn a_server_that_never_answers_is_given_up_within_our_time() {
    let mut world = World::pull_request();
    let short = Duration::from_millis(200);
    world.patience = Patience { per_try: short / 4, per_call: short, in_all: short * 2, ..hasty() };
    world.fake.state().fault("GET", "", 1_000, Kind::Late(Duration::from_secs(1)));
    let start = Instant::now();
    let outcome = world.publish();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(codes(&outcome), ["comment_not_posted"]);
}

#[test]
fn the_default_patience_is_that_of_the_contract() {
    let patience = Patience::default();
    assert_eq!((patience.tries, patience.per_call.as_secs()), (5, 60));
    assert!((110..=120).contains(&patience.in_all.as_secs()));
}

#[test]
fn nobody_listening_is_a_notice() {
    let mut world = World::pull_request();
    world.vars.insert("GITHUB_API_URL".to_owned(), "http://127.0.0.1:9".to_owned());
    assert_eq!(codes(&world.publish()), ["comment_not_posted"]);
    world.vars.insert("GITHUB_API_URL".to_owned(), "ftp://x".to_owned());
    assert_eq!(codes(&world.publish()), ["not_published"]);
}

#[test]
fn a_token_without_rights_is_told_with_each_permission_in_one_notice() {
    for level in ["read", "none"] {
        let mut world = World::pull_request();
        world.wishes.status = Some(loadgate::publish::StatusKind::CommitStatus);
        for scope in ["issues", "pull-requests", "statuses"] {
            world.fake.state().permissions.insert(scope.to_owned(), level.to_owned());
        }
        let outcome = world.publish();
        assert_eq!(codes(&outcome), ["read_only_token"], "{level}");
        let notice = outcome.plan.notices.iter().chain(&outcome.notices).next().unwrap();
        assert!(notice.message.contains("`pull-requests: write`") && notice.message.contains("`statuses: write`"));
        assert!(
            world.written("summary").contains("read_only_token") || world.written("summary").contains("pull-requests")
        );
    }
    let mut world = World::schedule();
    world.fake.state().permissions.insert("issues".to_owned(), "read".to_owned());
    let outcome = world.publish();
    assert!(outcome.notices[0].message.contains("`issues: write`"));
    assert_eq!(world.output("issue-action"), "none");
    world.token = Token::new("wrong");
    world.fake.state().token = Some("right".to_owned());
    assert_eq!(codes(&world.publish()), ["read_only_token"]);
}

#[test]
fn the_base_is_read_or_said_to_be_unreadable() {
    let world = World::pull_request();
    let base = world.fake.state().commit_files(
        "main",
        &[
            ("services/api/loadgate.yml", "version: 1\n"),
            ("services/api/.github/loadgate/comment.md.j2", "x"),
            ("services/api/.github/loadgate/issue.md.j2", "y"),
        ],
    );
    let session = world.session();
    let target = loadgate::publish::Target { base_sha: Some(base), ..session.target() };
    let side = session.base(&target, "./services/api/").unwrap();
    assert_eq!(side.text("loadgate.yml").unwrap().as_deref(), Some("version: 1\n"));
    assert_eq!(side.text("nothing.yml").unwrap(), None);
    assert_eq!(side.text("../../../etc/passwd").unwrap(), None);
    assert_eq!(side.text("../../README.md").unwrap().as_deref(), Some("hello\n"));
    let names = side.folder(".github/loadgate").unwrap().unwrap();
    assert_eq!(names, ["comment.md.j2", "issue.md.j2"]);
    assert_eq!(side.folder("none").unwrap(), None);
    // Once unreadable, always unreadable: the two sides are never mixed.
    world.fake.state().fault(
        "GET",
        "/contents/",
        1,
        Kind::Answer(403, Vec::new(), json!({"message": "no"}).to_string()),
    );
    let error = side.text("loadgate.yml").unwrap_err();
    assert_eq!(error.notice().code, "base_unreadable");
    assert!(side.text("loadgate.yml").is_err());
}

#[test]
fn what_the_repository_does_not_allow_is_a_notice_in_its_words() {
    let answer =
        |status: u16, message: &str| Kind::Answer(status, Vec::new(), json!({ "message": message }).to_string());
    for (kind, words) in [
        (answer(410, "Issues are disabled for this repo"), "Issues are disabled"),
        (answer(403, "Repository was archived so is read-only."), "archived"),
        (answer(404, "Not Found"), "has the token `issues: write`?"),
    ] {
        for (method, path) in [("GET", "/shop/issues?"), ("POST", "/shop/issues")] {
            let world = World::schedule();
            world.fake.state().fault(method, path, 100, kind.clone());
            let outcome = world.publish();
            assert_eq!(codes(&outcome), ["issue_not_updated"], "{method} {kind:?}");
            let notice = outcome.plan.notices.iter().chain(&outcome.notices).next().unwrap();
            assert!(notice.message.contains(words), "{method}: {notice}");
            assert_eq!(world.output("issue-action"), "none");
        }
    }
}

#[test]
fn a_renamed_repository_is_followed_without_changing_the_method() {
    for (method, path) in [("GET", "/issues/7/comments"), ("POST", "/issues/7/comments")] {
        let world = World::pull_request();
        let to = format!("{}/repos/octo/shop/issues/7/comments", world.fake.url());
        for status in [301, 307] {
            let moved = json!({"message": "Moved Permanently"}).to_string();
            world.fake.state().fault(method, path, 1, Kind::Answer(status, vec![("location", to.clone())], moved));
        }
        assert_eq!(codes(&world.publish()), Vec::<&str>::new(), "{method}");
        assert_eq!(world.fake.state().comments_on(7).len(), 1, "{method}");
    }
}
