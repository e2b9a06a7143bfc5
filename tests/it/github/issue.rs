//! The life of a regression issue.

use super::fake::{BOT, Kind, State};
use super::*;

fn bodies(world: &World) -> Vec<String> {
    world.fake.state().issues.iter().map(|it| it["body"].as_str().unwrap().to_owned()).collect()
}

fn number(world: &World) -> u64 {
    world.fake.state().issues[0]["number"].as_u64().unwrap()
}

/// Comments on the first issue.
fn comments(world: &World) -> Vec<String> {
    let number = number(world);
    world.fake.state().comments_on(number)
}

fn state_of(world: &World, number: u64) -> (String, Option<String>) {
    let issue = world.fake.state().issue(number).clone();
    (issue["state"].as_str().unwrap().to_owned(), issue["state_reason"].as_str().map(str::to_owned))
}

/// One workflow run with its id; the action it reports.
fn run(world: &mut World, id: u64, report: Report) -> String {
    world.report = report;
    world.at_run(id).publish();
    world.output("issue-action")
}

#[test]
fn an_issue_opens_lives_and_closes() {
    let mut world = World::schedule();
    world.fake.state().labels.push(json!({"name": "Performance"}));
    assert_eq!(run(&mut world, 100, bad(&["POST /checkout", "GET /cart"])), "opened");
    let number = number(&world);
    assert_eq!(world.output("issue-number"), number.to_string());
    {
        let mut state = world.fake.state();
        assert_eq!(state.issue(number)["title"], "Load test: POST /checkout p95 +31 % (api), and 1 more");
        let made: Vec<String> = state.labels.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(made, ["Performance", "regression", "automated"]);
        assert_eq!(state.issue(number)["labels"].as_array().unwrap().len(), 3);
    }
    let body = bodies(&world)[0].clone();
    assert!(body.starts_with(
        "<!-- loadgate:v1 issue suite=api -->\n<!-- loadgate:begin -->\nissue api Failing bad 1 good 0/2"
    ));
    assert!(body.trim_end().ends_with("<!-- loadgate:end -->"));

    // The same workflow run again: nothing new.
    let writes = world.fake.state().writes().len();
    assert_eq!(run(&mut world, 100, bad(&["POST /checkout", "GET /cart"])), "none");
    assert_eq!(world.fake.state().writes().len(), writes);

    // People write around our part.
    let with_words = format!("Team: see the wiki.\n\n{}\n\nMore words.", bodies(&world)[0]);
    world.fake.state().issue(number)["body"] = json!(with_words);
    assert_eq!(run(&mut world, 101, bad(&["POST /checkout", "GET /cart"])), "updated");
    assert!(bodies(&world)[0].starts_with("Team: see the wiki.\n\n<!-- loadgate:v1 issue"));
    assert!(bodies(&world)[0].ends_with("<!-- loadgate:end -->\n\nMore words."));
    assert!(bodies(&world)[0].contains("Failing bad 2 good 0/2\nbad POST /checkout 2 runs\nbad GET /cart 2 runs"));
    assert_eq!(world.fake.state().comments_on(number), Vec::<String>::new(), "the state is the same");

    // Partly recovered: a comment.
    let mixed = report("fail", &[("POST /checkout", "latency_p95", "fail"), ("GET /cart", "latency_p95", "pass")]);
    assert_eq!(run(&mut world, 102, mixed.clone()), "updated");
    assert!(bodies(&world)[0].contains("bad POST /checkout 3 runs\nok GET /cart 2 runs"));
    assert_eq!(world.fake.state().comments_on(number).len(), 1);
    assert!(world.fake.state().comments_on(number)[0].contains("**Recovered:** `GET /cart p95`"));
    run(&mut world, 103, mixed);
    assert_eq!(world.fake.state().comments_on(number).len(), 1);

    // Worse: a comment.
    run(&mut world, 104, bad(&["POST /checkout", "GET /search"]));
    assert!(world.fake.state().comments_on(number)[1].contains("**Worse:** `GET /search p95`"));

    // A good run that did not measure the same, one that cannot tell, one that measured nothing: none closes it.
    run(&mut world, 105, good(&["POST /checkout"]));
    run(&mut world, 106, report("inconclusive", &[("POST /checkout", "latency_p95", "inconclusive")]));
    run(&mut world, 107, report("warn", &[("POST /checkout", "latency_p95", "missing")]));
    assert_eq!(state_of(&world, number).0, "open");
    assert_eq!(world.fake.state().comments_on(number).len(), 3, "GET /search is still there, POST /checkout is not");

    // Two good runs close it; one, however often repeated, does not.
    let all = || good(&["POST /checkout", "GET /search", "GET /cart"]);
    assert_eq!(run(&mut world, 108, all()), "updated");
    assert_eq!(run(&mut world, 108, all()), "none");
    assert_eq!(state_of(&world, number).0, "open");
    assert!(bodies(&world)[0].contains("Recovering bad 5 good 1/2"));
    assert_eq!(run(&mut world, 109, all()), "closed");
    assert_eq!(state_of(&world, number), ("closed".to_owned(), Some("completed".to_owned())));
    assert!(world.fake.state().comments_on(number).last().unwrap().contains("**Recovered.**"));
    assert!(bodies(&world)[0].contains("issue api Recovered"));
    let writes = world.fake.state().writes().len();
    assert_eq!(run(&mut world, 110, all()), "none");
    assert_eq!(world.fake.state().writes().len(), writes);
}

/// An issue that two good runs have closed.
fn closed() -> (World, u64) {
    let mut world = World::schedule();
    world.publish();
    run(&mut world, 101, good(&["POST /checkout"]));
    assert_eq!(run(&mut world, 102, good(&["POST /checkout"])), "closed");
    let number = number(&world);
    (world, number)
}

#[test]
fn what_comes_back_soon_reopens_the_issue_and_later_opens_a_new_one() {
    let (mut world, number) = closed();
    world.wishes.now = "2026-12-05T02:10:00Z".parse().unwrap();
    assert_eq!(run(&mut world, 103, bad(&["POST /checkout"])), "reopened");
    assert_eq!(state_of(&world, number), ("open".to_owned(), Some("reopened".to_owned())));
    assert!(world.fake.state().comments_on(number).last().unwrap().contains("**Worse again:** `POST /checkout p95`"));
    assert!(bodies(&world)[0].contains("Failing bad 1 good 0/2"));

    let (mut world, number) = closed();
    world.wishes.now = "2026-12-07T02:10:00Z".parse().unwrap();
    assert_eq!(run(&mut world, 103, bad(&["POST /checkout"])), "opened");
    assert_eq!(world.fake.state().issues.len(), 2);
    assert_eq!(state_of(&world, number).0, "closed");
    assert!(bodies(&world)[1].contains(&format!("\"previous\":{number}")));
}

#[test]
fn an_issue_that_a_person_closed_as_not_planned_stays_closed_until_more_fails() {
    let mut world = World::schedule();
    world.publish();
    let number = number(&world);
    {
        let mut state = world.fake.state();
        let issue = state.issue(number);
        (issue["state"], issue["state_reason"]) = (json!("closed"), json!("not_planned"));
        issue["closed_at"] = json!("2026-11-22T03:00:00Z");
    }
    let writes = world.fake.state().writes().len();
    assert_eq!(run(&mut world, 101, bad(&["POST /checkout"])), "none");
    assert_eq!(run(&mut world, 102, good(&["POST /checkout"])), "none");
    assert_eq!(world.fake.state().writes().len(), writes);
    assert_eq!(run(&mut world, 103, bad(&["POST /checkout", "GET /cart"])), "reopened");
    assert_eq!(world.fake.state().issues.len(), 1);
}

#[test]
fn only_our_own_issues_are_touched_and_never_a_pull_request() {
    let mut world = World::schedule();
    let marker = "<!-- loadgate:v1 issue suite=api -->";
    world.fake.state().add_issue("mallory", "x", marker);
    world.fake.state().add_issue(BOT, "y", "<!-- loadgate:v1 issue suite=other -->");
    {
        let mut state = world.fake.state();
        state.add_pull(9, "octo", "z", HEAD);
        state.pulls[0]["body"] = json!(marker);
        state.pulls[0]["user"]["login"] = json!(BOT);
    }
    assert_eq!(run(&mut world, 100, bad(&["POST /checkout"])), "opened");
    // A marker anywhere in the body is enough, whatever people put above it.
    let number = world.fake.state().issues[2]["number"].as_u64().unwrap();
    world.fake.state().issue(number)["body"] = json!(format!("> quote\n\nwords {marker}"));
    assert_eq!(run(&mut world, 101, bad(&["POST /checkout"])), "updated");
    let body = bodies(&world)[2].clone();
    assert!(body.starts_with("> quote\n\nwords") && body.contains("loadgate:begin"));
    assert!(!world.fake.state().writes().iter().any(|it| it.contains("/issues/9") || it.contains("/pulls")));
}

#[test]
fn a_suite_that_measured_nothing_neither_opens_nor_closes() {
    let mut world = World::schedule();
    assert_eq!(run(&mut world, 100, report("fail", &[("GET /", "latency_p95", "missing")])), "none");
    let mut empty = bad(&["GET /"]);
    empty.suites[0].run = None;
    assert_eq!(run(&mut world, 101, empty), "none");
    assert_eq!(world.fake.state().writes(), Vec::<String>::new());
}

#[test]
fn open_after_counts_bad_workflow_runs_in_the_history() {
    let line = |run: u64, verdict: &str, git_ref: &str| {
        format!(
            "{{\"schema\":\"loadgate.history/1\",\"time\":\"2026-11-{:02}T02:00:00Z\",\"commit\":\"{run:040x}\",\"ref\":\"{git_ref}\",\"workflow_run_id\":{run},\"verdict\":\"{verdict}\",\"load\":{{}},\"endpoints\":{{}}}}\n",
            run - 80
        )
    };
    let opens = |history: String| {
        let mut world = World::schedule();
        world.wishes.issue_config.open_after = 3;
        world.wishes.history_branch = Some("loadgate-data".to_owned());
        world.edits.histories = vec![appends("api", "history/api.jsonl", "x")];
        world.fake.state().commit_files("loadgate-data", &[("history/api.jsonl", &history)]);
        world.publish();
        (world.output("issue-action"), bodies(&world).first().cloned().unwrap_or_default())
    };
    assert_eq!(opens(String::new()).0, "none");
    assert_eq!(opens(line(98, "fail", "main")).0, "none");
    assert_eq!(opens(line(97, "fail", "main") + &line(98, "pass", "main") + &line(99, "fail", "main")).0, "none");
    assert_eq!(opens(line(98, "fail", "main") + &line(99, "fail", "topic")).0, "none");
    // Our own workflow run, repeated, and later ones do not count.
    assert_eq!(opens(line(99, "fail", "main") + &line(100, "fail", "main") + &line(101, "fail", "main")).0, "none");
    let (action, body) = opens(
        line(96, "pass", "main")
            + &line(97, "fail", "main")
            + &line(98, "inconclusive", "main")
            + &line(99, "fail", "main"),
    );
    assert_eq!(action, "opened");
    assert!(body.contains("bad 3 good 0/2"), "{body}");
    assert!(body.contains("\"since\":\"2026\\u002d11\\u002d17\""), "{body}");
}

#[test]
fn two_jobs_at_once_leave_one_issue_whoever_is_first() {
    for (other_first, other_run) in [(true, 99), (true, 101), (false, 99), (false, 101)] {
        // What another job would have written, from a world of its own.
        let mut other = World::schedule();
        run(&mut other, other_run, bad(&["POST /checkout", "GET /theirs"]));
        let theirs = bodies(&other)[0].clone();

        let mut world = World::schedule();
        let add = move |state: &mut State| _ = state.add_issue(BOT, "theirs", &theirs);
        if other_first {
            world.fake.state().before("POST", "/shop/issues", add);
        } else {
            world.fake.state().after("POST", "/shop/issues", add);
        }
        world.fake.state().lag = 2;
        run(&mut world, 100, bad(&["POST /checkout"]));
        let state = world.fake.state();
        let open: Vec<u64> =
            state.issues.iter().filter(|it| it["state"] == "open").map(|it| it["number"].as_u64().unwrap()).collect();
        let lowest = state.issues.iter().map(|it| it["number"].as_u64().unwrap()).min().unwrap();
        assert_eq!(open, [lowest], "{other_first} {other_run}");
        let kept = state.issues.iter().find(|it| it["number"] == lowest).unwrap()["body"].as_str().unwrap().to_owned();
        let newest = other_run.max(100);
        assert!(kept.contains(&format!("\"run\":{newest},")), "{other_first} {other_run}: {kept}");
        drop(state);
        assert_eq!(world.output("issue-number"), lowest.to_string());
        // The next run leaves the second one alone.
        let (count, second) = (world.fake.state().issues.len(), lowest + 1);
        run(&mut world, 110, bad(&["POST /checkout"]));
        assert_eq!(world.fake.state().issues.len(), count);
        assert_eq!(state_of(&world, second).0, "closed");
    }
}

#[test]
fn a_list_that_lags_behind_leaves_one_issue() {
    // The issue of the workflow run before does not show itself yet when we look.
    for lag in [1, 2, 5] {
        let mut world = World::schedule();
        let mut other = World::schedule();
        run(&mut other, 99, bad(&["POST /checkout"]));
        let theirs = bodies(&other)[0].clone();
        world.fake.state().lag = lag;
        let first = world.fake.state().add_issue(BOT, "theirs", &theirs);
        world.fake.state().hide(first);
        run(&mut world, 100, bad(&["POST /checkout"]));
        run(&mut world, 101, bad(&["POST /checkout"]));
        let state = world.fake.state();
        let open = state.issues.iter().filter(|it| it["state"] == "open").map(|it| it["number"].as_u64().unwrap());
        assert_eq!(open.collect::<Vec<_>>(), [first], "lag {lag}");
        drop(state);
        assert_eq!(world.output("issue-number"), first.to_string());
    }
}

#[test]
fn a_lost_answer_makes_no_second_issue() {
    for kind in [Kind::DropAfter, Kind::DropBefore, Kind::AnswerAfter(500, String::new())] {
        let world = World::schedule();
        world.fake.state().fault("POST", "/shop/issues", 1, kind);
        world.publish();
        assert_eq!(world.fake.state().issues.len(), 1);
        assert_eq!(world.output("issue-action"), "opened");
        assert_eq!(world.output("issue-number"), number(&world).to_string());
    }
}

#[test]
fn a_lost_answer_makes_no_second_comment_about_a_change() {
    let mut world = World::schedule();
    world.publish();
    world.fake.state().fault("POST", "/comments", 1, Kind::DropAfter);
    run(&mut world, 101, bad(&["POST /checkout", "GET /cart"]));
    assert_eq!(comments(&world).len(), 1);
}

#[test]
fn an_older_workflow_run_leaves_the_issue_of_a_newer_one_alone() {
    let mut world = World::schedule();
    run(&mut world, 200, bad(&["POST /checkout"]));
    let writes = world.fake.state().writes().len();
    world.report = bad(&["POST /checkout", "GET /cart"]);
    assert_eq!(codes(&world.at_run(150).publish()), ["superseded"]);
    assert_eq!(world.fake.state().writes().len(), writes);

    // Also if the newer one writes between looking and writing: then there is no untrue comment either.
    let mut other = World::schedule();
    run(&mut other, 400, bad(&["POST /checkout"]));
    let theirs = bodies(&other)[0].clone();
    let number = number(&world);
    world.fake.state().after("GET", "/shop/issues?", move |state| state.issue(number)["body"] = json!(theirs));
    assert_eq!(codes(&world.at_run(300).publish()), ["superseded"]);
    assert_eq!(world.fake.state().writes().len(), writes);
}

#[test]
fn words_that_a_person_adds_at_the_same_moment_are_kept() {
    let mut world = World::schedule();
    world.publish();
    let number = number(&world);
    world.fake.state().after("GET", "/shop/issues?", move |state| {
        let body = format!("just now\n{}", state.issue(number)["body"].as_str().unwrap());
        state.issue(number)["body"] = json!(body);
    });
    run(&mut world, 101, bad(&["POST /checkout"]));
    assert!(bodies(&world)[0].starts_with("just now\n<!-- loadgate:v1"));
    assert!(bodies(&world)[0].contains("bad 2"));
}

#[test]
fn an_issue_that_people_filled_up_is_still_kept_in_order() {
    let mut world = World::schedule();
    world.publish();
    let number = number(&world);
    let body = bodies(&world)[0].clone();
    let long = "x".repeat(65_000 - body.len());
    world.fake.state().issue(number)["body"] = json!(format!("{long}{body}"));
    world.report = bad(&["POST /checkout", "GET /with-a-long-name"]);
    world.at_run(101).publish();
    let written = bodies(&world)[0].clone();
    assert!(written.starts_with("xxx") && written.len() <= 65_536);
}

#[test]
fn hostile_text_in_the_memory_is_survived() {
    for memory in [
        "{",
        "[]",
        "{\"run\":-1}",
        "{\"run\":99999999999999999999}",
        "{\"rows\":[{}],\"good\":4294967295,\"bad\":4294967295}",
        "",
    ] {
        let mut world = World::schedule();
        let body = format!(
            "<!-- loadgate:v1 issue suite=api -->\n<!-- loadgate:begin -->\nold\n<!-- loadgate:memory {memory} -->\n<!-- loadgate:end -->"
        );
        let number = world.fake.state().add_issue(BOT, "x", &body);
        assert_eq!(run(&mut world, 100, bad(&["POST /checkout"])), "updated", "{memory}");
        assert_eq!(world.fake.state().issues.len(), 1);
        assert_eq!(state_of(&world, number).0, "open");
    }
}

#[test]
fn nothing_in_a_name_breaks_out_of_the_issue() {
    let hostile = [
        "--> <b>x</b>",
        "<!-- loadgate:end -->",
        "@ann fixes #1",
        "a`|\n::error::x\u{202e}",
        "##[error]x",
        &"y".repeat(10_000),
    ];
    let mut world = World::schedule();
    world.report = bad(&hostile);
    world.publish();
    let body = bodies(&world)[0].clone();
    let memory = body.lines().find(|line| line.starts_with("<!-- loadgate:memory ")).unwrap();
    assert!(memory.ends_with(" -->") && memory.matches("-->").count() == 1 && memory.is_ascii());
    assert!(!memory.contains('@') && !memory.contains('#') && memory.len() < 20_000);
    let title = world.fake.state().issues[0]["title"].as_str().unwrap().to_owned();
    assert!(title.chars().count() <= 256 && !title.contains("@ann"));
    // Another run finds all of it again.
    run(&mut world, 101, bad(&hostile));
    assert_eq!(comments(&world), Vec::<String>::new());
    // A change is told without markup, mentions and references.
    run(&mut world, 102, bad(&["POST /x"]));
    run(&mut world, 103, bad(&hostile));
    for comment in comments(&world) {
        let outside: String = comment.lines().skip(1).collect::<Vec<_>>().join("\n").split('`').step_by(2).collect();
        assert!(!outside.contains("@ann") && !outside.contains("#1"), "{comment}");
    }
}

#[test]
fn a_thousand_failing_rows_fit_and_are_remembered() {
    let names: Vec<String> = (0..1_000).map(|it| format!("GET /endpoint/with/a/rather/long/name/{it}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = World::schedule();
    world.report = bad(&names);
    assert_eq!(world.publish().notices, []);
    let body = bodies(&world)[0].clone();
    assert!(body.len() < 65_000);
    run(&mut world, 101, bad(&names));
    assert_eq!(comments(&world), Vec::<String>::new(), "the same rows fail");
}

#[test]
fn an_assignee_that_cannot_be_is_left_out() {
    let mut world = World::schedule();
    world.wishes.issue_config.assignees = vec!["ghost".to_owned()];
    let refusal =
        json!({"message": "Validation Failed", "errors": [{"field": "assignees", "code": "invalid"}]}).to_string();
    world.fake.state().fault("POST", "/shop/issues", 1, Kind::Answer(422, Vec::new(), refusal));
    assert_eq!(codes(&world.publish()), ["issue_not_assigned"]);
    assert_eq!(world.fake.state().issues.len(), 1);
}

#[test]
fn suites_have_issues_of_their_own() {
    let mut world = World::schedule();
    let fail: &[(&str, &str, &str)] = &[("GET /", "latency_p95", "fail")];
    let pass: &[(&str, &str, &str)] = &[("GET /", "latency_p95", "pass")];
    world.report = suites(&[("api", "fail", fail), ("web", "pass", pass), ("jobs", "fail", fail)]);
    world.publish();
    let numbers: Vec<String> = world.fake.state().issues.iter().map(|it| it["number"].to_string()).collect();
    assert_eq!(world.output("issue-number"), format!("{},,{}", numbers[0], numbers[1]));
    assert_eq!(world.output("issue-action"), "opened,none,opened");
}

#[test]
fn auto_keeps_an_issue_on_the_default_branch_only() {
    let opens = |event: &str, git_ref: &str, when: IssueWhen| {
        let mut world = World::new(event, json!({"repository": {"default_branch": "main"}}));
        world.vars.insert("GITHUB_REF".to_owned(), git_ref.to_owned());
        (world.report, world.wishes.issue) = (bad(&["GET /"]), when);
        world.publish();
        let count = world.fake.state().issues.len();
        count == 1
    };
    for event in ["push", "schedule", "workflow_dispatch"] {
        assert!(opens(event, "refs/heads/main", IssueWhen::Auto), "{event}");
        assert!(!opens(event, "refs/heads/main", IssueWhen::Off), "{event}");
    }
    assert!(!opens("push", "refs/heads/topic", IssueWhen::Auto));
    assert!(opens("push", "refs/heads/topic", IssueWhen::On));
    assert!(!opens("push", "refs/tags/v1", IssueWhen::Auto));
    assert!(!opens("merge_group", "refs/heads/main", IssueWhen::On));
    assert!(!opens("pull_request", "refs/pull/7/merge", IssueWhen::Auto));
}
