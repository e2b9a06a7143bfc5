//! A plan for each event and each state, whole, so that a change of what we would do is seen in review.

use loadgate::publish::{StatusKind, UpdateBaseline};

use super::events::{after_a_fork, of};
use super::*;

/// The plan, and that making it wrote nothing.
fn check(name: &str, world: &World) {
    let before = world.fake.state().writes().len();
    let plan = serde_json::to_value(world.plan()).unwrap();
    assert_eq!(world.fake.state().writes().len(), before, "{name}: a plan writes nothing");
    assert_eq!(world.fake.state().violations, Vec::<String>::new(), "{name}");
    insta::with_settings!({ omit_expression => true }, { insta::assert_json_snapshot!(name, plan) });
}

/// All that can be wished at once.
fn wishing(mut world: World) -> World {
    world.wishes.status = Some(StatusKind::CommitStatus);
    world.wishes.update_baseline = UpdateBaseline::PullRequest;
    world.wishes.history_branch = Some("loadgate-data".to_owned());
    world.edits.histories = vec![appends("api", "history/api.jsonl", "a line")];
    world.edits.baselines = vec![appends("api", ".loadgate/baselines/api.json", "a run")];
    world
}

#[test]
fn of_each_event() {
    for (event, payload) in [
        ("pull_request", "pull_request_opened"),
        ("pull_request", "pull_request_synchronize"),
        ("pull_request", "pull_request_opened_fork"),
        ("pull_request", "pull_request_fork_deleted"),
        ("pull_request_target", "pull_request_opened_fork"),
        ("push", "push_branch"),
        ("push", "push_tag"),
        ("schedule", "schedule"),
        ("workflow_dispatch", "workflow_dispatch"),
        ("merge_group", "merge_group_checks_requested"),
        ("workflow_run", "workflow_run_completed"),
    ] {
        let mut world = wishing(of(event, payload));
        if let Some(sha) = world.payload["pull_request"]["head"]["sha"].as_str() {
            let number = world.payload["pull_request"]["number"].as_u64().unwrap();
            world.fake.state().add_pull(number, "octo", "topic", sha);
        }
        let after = &world.payload["workflow_run"];
        if let (Some(sha), Some(owner), Some(branch)) = (
            after["head_sha"].as_str(),
            after["head_repository"]["owner"]["login"].as_str(),
            after["head_branch"].as_str(),
        ) {
            world.fake.state().add_pull(2, owner, branch, sha);
        }
        let name = if payload.starts_with(event) { payload.to_owned() } else { format!("{event} {payload}") };
        check(&format!("event {name} bad"), &world);
        world.report = good(&["GET /"]);
        check(&format!("event {name} good"), &world);
    }
}

#[test]
fn of_a_workflow_run_after_a_fork() {
    let (world, _) = after_a_fork();
    let world = wishing(world);
    check("event workflow_run_completed_fork bad", &world);
    world.fake.state().pulls.truncate(1);
    check("event workflow_run_completed_fork moved on", &world);
    world.fake.state().pulls.clear();
    check("event workflow_run_completed_fork gone", &world);
}

#[test]
fn of_a_comment() {
    let mut payload = json!({"issue": {"number": 7}, "repository": {"default_branch": "main"}});
    check("event issue_comment on an issue", &wishing(World::new("issue_comment", payload.clone())));
    payload["issue"]["pull_request"] = json!({"url": "x"});
    let world = wishing(World::new("issue_comment", payload));
    world.fake.state().add_pull(7, "octo", "topic", HEAD);
    check("event issue_comment on a pull request", &world);
}

/// The plan of a further workflow run.
fn next(name: &str, world: &mut World, id: u64, report: Report) {
    world.report = report;
    check(name, world.at_run(id));
}

#[test]
fn of_each_turn_of_an_issue() {
    let mut world = World::schedule();
    check("issue opens", &world);
    world.publish();
    let worse = bad(&["POST /checkout", "GET /cart"]);
    next("issue same workflow run again", &mut world, 100, bad(&["POST /checkout"]));
    next("issue goes on", &mut world, 101, bad(&["POST /checkout"]));
    next("issue gets worse", &mut world, 101, worse.clone());
    let better = report("fail", &[("POST /checkout", "latency_p95", "pass"), ("GET /x", "latency_p95", "fail")]);
    next("issue partly recovers", &mut world, 101, better);
    let unclear = report("inconclusive", &[("POST /checkout", "latency_p95", "inconclusive")]);
    next("issue cannot tell", &mut world, 101, unclear);
    next("issue measured nothing", &mut world, 101, nothing_measured());
    let accepted = report("pass", &[("POST /checkout", "latency_p95", "accepted")]);
    next("issue accepted", &mut world, 101, accepted);
    next("issue first good run", &mut world, 101, good(&["POST /checkout"]));
    world.publish();
    next("issue closes", &mut world, 102, good(&["POST /checkout"]));
    world.publish();
    next("issue is closed", &mut world, 103, good(&["POST /checkout"]));
    next("issue reopens", &mut world, 103, bad(&["POST /checkout"]));
    next("issue closed and an older workflow run", &mut world, 99, bad(&["POST /checkout"]));
    world.wishes.now = "2026-12-24T02:10:00Z".parse().unwrap();
    next("issue follows an old one", &mut world, 103, bad(&["POST /checkout"]));
    let number = world.fake.state().issues[0]["number"].as_u64().unwrap();
    world.fake.state().issue(number)["state_reason"] = json!("not_planned");
    next("issue not planned", &mut world, 103, bad(&["POST /checkout"]));
    next("issue not planned and more fails", &mut world, 103, worse);
}

fn nothing_measured() -> Report {
    let mut report = report("fail", &[("POST /checkout", "latency_p95", "not_measured")]);
    report.suites[0].run = None;
    report
}

#[test]
fn of_a_suite_without_an_issue() {
    let mut world = World::schedule();
    next("no issue measured nothing", &mut world, 100, nothing_measured());
    let unclear = report("inconclusive", &[("POST /checkout", "latency_p95", "inconclusive")]);
    next("no issue cannot tell", &mut world, 100, unclear);
    let accepted = report("pass", &[("POST /checkout", "latency_p95", "accepted")]);
    next("no issue accepted", &mut world, 100, accepted);
    let first = report("no_baseline", &[("POST /checkout", "latency_p95", "new")]);
    next("no issue no baseline", &mut world, 100, first);
}

#[test]
fn of_each_state_of_a_comment() {
    let mut world = World::pull_request();
    check("comment new", &world);
    world.publish();
    check("comment unchanged", &world);
    next("comment changed", &mut world, 101, bad(&["GET /"]));
    next("comment cannot tell", &mut world, 101, report("inconclusive", &[("GET /", "latency_p95", "inconclusive")]));
    next("comment measured nothing", &mut world, 101, nothing_measured());
    next("comment accepted", &mut world, 101, report("pass", &[("GET /", "latency_p95", "accepted")]));
    next("comment older workflow run", &mut world, 99, bad(&["GET /"]));
    let body = world.fake.state().comments[0]["body"].as_str().unwrap().to_owned();
    world.fake.state().add_comment(7, fake::BOT, &body);
    next("comment there twice", &mut world, 101, bad(&["GET /"]));
}

#[test]
fn of_each_kind_of_status() {
    let mut world = World::pull_request();
    world.report = bad(&["GET /"]);
    world.wishes.status = Some(StatusKind::CommitStatus);
    check("commit status", &world);
    world.wishes.status = Some(StatusKind::CheckRun);
    check("check run", &world);
    next("check run cannot tell", &mut world, 100, report("inconclusive", &[("GET /", "latency_p95", "inconclusive")]));
}

#[test]
fn of_each_way_to_update_a_baseline() {
    let mut world = wishing(of("push", "push_branch"));
    world.vars.insert("GITHUB_REF".to_owned(), "refs/heads/main".to_owned());
    world.report = good(&["GET /"]);
    check("baseline by pull request", &world);
    world.wishes.update_baseline = UpdateBaseline::Commit;
    check("baseline by commit", &world);
    world.publish();
    check("baseline and history have it already", &world);
    next("baseline not after a bad run", &mut world, 101, bad(&["GET /"]));
}

#[test]
fn of_each_missing_permission() {
    for level in ["read", "none"] {
        let pull_request = wishing(World::pull_request());
        let schedule = wishing(World::schedule());
        for world in [&pull_request, &schedule] {
            for level_of in world.fake.state().permissions.values_mut() {
                level.clone_into(level_of);
            }
        }
        check(&format!("permission {level} on a pull request"), &pull_request);
        check(&format!("permission {level} on a schedule"), &schedule);
    }
    let mut world = wishing(World::pull_request());
    world.token = None;
    check("permission no token", &world);
    world.wishes.remote = false;
    check("permission not asked to publish", &world);
}
