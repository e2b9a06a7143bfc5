//! The named check, step outputs, annotations and the webhook.

use loadgate::publish::StatusKind;

use super::*;

#[test]
fn a_commit_status_is_set_on_the_head_and_only_when_it_changes() {
    let mut world = World::pull_request();
    (world.wishes.status, world.wishes.comment) = (Some(StatusKind::CommitStatus), CommentWhen::Never);
    world.publish();
    world.publish();
    world.report = bad(&["GET /"]);
    world.at_run(101).publish();
    let state = world.fake.state();
    let set: Vec<(String, String)> =
        state.statuses.iter().map(|it| (it["sha"].to_string(), it["state"].as_str().unwrap().to_owned())).collect();
    assert_eq!(set, [(format!("\"{HEAD}\""), "success".to_owned()), (format!("\"{HEAD}\""), "failure".to_owned())]);
    assert_eq!(state.statuses[0]["target_url"], "https://github.example/octo/shop/actions/runs/100");
    assert_eq!(state.statuses[0]["context"], "loadgate");
}

#[test]
fn the_status_follows_the_exit_code() {
    for (exit_code, state) in [(0, "success"), (1, "failure"), (2, "error"), (3, "failure")] {
        let mut world = World::pull_request();
        world.wishes.status = Some(StatusKind::CommitStatus);
        world.report.exit_code = exit_code;
        world.publish();
        assert_eq!(world.fake.state().statuses[0]["state"], state);
    }
}

#[test]
fn a_check_run_carries_its_annotations_in_batches_of_fifty() {
    let mut world = World::pull_request();
    (world.wishes.status, world.wishes.comment) = (Some(StatusKind::CheckRun), CommentWhen::Never);
    world.wishes.folder = "services/api".to_owned();
    let names: Vec<String> = (0..120).map(|it| format!("GET /{it}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.report = bad(&names);
    world.publish();
    world.publish();
    let state = world.fake.state();
    assert_eq!(state.checks.len(), 1);
    assert_eq!(state.writes().len(), 3);
    let annotations = state.checks[0]["output"]["annotations"].as_array().unwrap();
    assert_eq!(annotations.len(), 120);
    assert_eq!(annotations[0]["path"], "services/api/.github/loadgate.yml");
    assert_eq!(annotations[0]["start_line"], 12);
    assert_eq!(state.checks[0]["conclusion"], "failure");
    assert_eq!(state.checks[0]["head_sha"], HEAD);
}

#[test]
fn a_check_run_without_an_answer_is_not_made_twice() {
    let mut world = World::pull_request();
    world.wishes.status = Some(StatusKind::CheckRun);
    world.fake.state().fault("POST", "/check-runs", 1, fake::Kind::DropAfter);
    world.publish();
    assert_eq!(world.fake.state().checks.len(), 1);
}

#[test]
fn a_check_run_is_neutral_where_nobody_can_tell() {
    let mut world = World::pull_request();
    world.wishes.status = Some(StatusKind::CheckRun);
    world.report = report("inconclusive", &[("GET /", "latency_p95", "inconclusive")]);
    world.publish();
    assert_eq!(world.fake.state().checks[0]["conclusion"], "neutral");
}

#[test]
fn outputs_summary_and_annotations_come_first_and_need_no_network() {
    let mut world = World::pull_request();
    world.token = None;
    world.report = bad(&["POST /checkout", "GET /::x"]);
    let outcome = world.publish();
    assert_eq!(codes(&outcome), ["no_token"]);
    assert_eq!(outcome.requests, 0);
    assert_eq!(world.written("summary"), "summary Fail no_token\n");
    let get = |name: &str| world.output(name);
    assert_eq!(
        (get("verdict"), get("failed"), get("worst-endpoint")),
        ("fail".into(), "2".into(), "POST /checkout".into())
    );
    assert_eq!((get("worst-metric"), get("worst-change")), ("latency_p95".into(), "+31 % (+126 ms)".into()));
    assert_eq!(get("report-json"), "loadgate-report/report.json");
    assert_eq!(
        (get("comment-url"), get("issue-number"), get("issue-action")),
        (String::new(), String::new(), "none".into())
    );
}

#[test]
fn a_required_output_that_cannot_be_written_is_a_failure() {
    let mut world = World::pull_request();
    world.vars.insert("GITHUB_OUTPUT".to_owned(), "/dev/null/output".to_owned());
    let session = world.session();
    let target = session.target();
    let outcome = session.publish(&world.publication(&target), &mut Vec::new());
    assert!(outcome.failed.unwrap().contains("step outputs"));
}

#[test]
fn the_webhook_hears_of_changes_only() {
    let mut world = World::schedule();
    world.wishes.webhook_url = Some(format!("{}/hook/secret", world.fake.url()));
    world.publish();
    world.at_run(101).publish();
    world.report = good(&["POST /checkout"]);
    world.at_run(102).publish();
    world.at_run(103).publish();
    world.at_run(104).publish();
    let posts: Vec<String> =
        world.fake.state().posts.iter().map(|it| it["text"].as_str().unwrap().to_owned()).collect();
    let link = |run: u64| format!("\nhttps://github.example/octo/shop/actions/runs/{run}");
    assert_eq!(
        posts,
        [
            format!("Load test api: 1 row worse than allowed{}", link(100)),
            format!("Load test api: recovered{}", link(103))
        ]
    );
}

#[test]
fn on_a_pull_request_the_comment_remembers_for_the_webhook() {
    let mut world = World::pull_request();
    world.wishes.webhook_url = Some(format!("{}/hook", world.fake.url()));
    world.report.text.heading = "<!channel> & more".to_owned();
    world.publish();
    world.report.verdict = loadgate::verdict::Outcome::Fail;
    world.at_run(101).publish();
    world.at_run(102).publish();
    let posts = world.fake.state().posts.clone();
    assert_eq!(posts.len(), 1);
    assert!(posts[0]["text"].as_str().unwrap().starts_with("Load test: &lt;!channel&gt; &amp; more\n"));
}

#[test]
fn a_webhook_that_does_not_answer_is_a_notice_without_its_address() {
    let mut world = World::schedule();
    world.wishes.webhook_url = Some("http://127.0.0.1:9/hook/very-secret".to_owned());
    let outcome = world.publish();
    assert_eq!(codes(&outcome), ["webhook_failed"]);
    assert!(!format!("{:?} {}", outcome.notices, world.written("summary")).contains("very-secret"));
}
