//! Every event: what is planned, and that it is what is carried out.

use loadgate::publish::{StatusKind, Step};

use super::*;

/// A world for one of GitHub's payloads.
pub(super) fn of(name: &str, file: &str) -> World {
    let mut payload = event(file);
    payload["repository"]["full_name"] = json!("octo/shop");
    payload["repository"]["default_branch"] = json!("main");
    if payload["pull_request"]["head"]["repo"].is_object() && !file.contains("fork") {
        payload["pull_request"]["head"]["repo"]["full_name"] = json!("octo/shop");
    }
    let full_ref = match (payload["ref"].as_str(), payload["number"].as_u64()) {
        (Some(full_ref), _) if name == "push" => Some(full_ref.replace("/master", "/main")),
        (_, Some(number)) if name == "pull_request" => Some(format!("refs/pull/{number}/merge")),
        _ => None,
    };
    let mut world = World::new(name, payload);
    if let Some(full_ref) = full_ref {
        let short = full_ref.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/");
        world.vars.insert("GITHUB_REF_NAME".to_owned(), short.trim_start_matches("refs/pull/").to_owned());
        world.vars.insert("GITHUB_REF".to_owned(), full_ref);
    }
    world.report = bad(&["GET /"]);
    world
}

fn show(steps: &[Step]) -> Vec<String> {
    steps
        .iter()
        .map(|step| serde_json::to_value(&step.effect).unwrap()["effect"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn each_event_has_its_effects() {
    let effects = |name: &str, file: &str| {
        let mut world = of(name, file);
        world.wishes.status = Some(StatusKind::CommitStatus);
        let plan = world.plan();
        let notices: Vec<&str> = plan.notices.iter().map(|it| it.code.as_str()).collect();
        format!("{name} {file}: {} [{}]", show(&plan.steps).join(" "), notices.join(" "))
    };
    let lines = [
        effects("pull_request", "pull_request_opened"),
        effects("pull_request", "pull_request_synchronize"),
        effects("pull_request", "pull_request_opened_fork"),
        effects("pull_request", "pull_request_fork_deleted"),
        effects("pull_request_target", "pull_request_opened_fork"),
        effects("push", "push_branch"),
        effects("push", "push_tag"),
        effects("schedule", "schedule"),
        effects("workflow_dispatch", "workflow_dispatch"),
        effects("merge_group", "merge_group_checks_requested"),
        effects("workflow_run", "workflow_run_completed"),
        effects("workflow_run", "workflow_run_completed_fork"),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_plan_is_one_json_document_and_what_is_carried_out() {
    let mut world = World::schedule();
    world.wishes.history_branch = Some("loadgate-data".to_owned());
    world.edits.histories = vec![appends("api", "history/api.jsonl", "100")];
    let plan = world.plan();
    assert_eq!(world.fake.state().writes(), Vec::<String>::new(), "a plan writes nothing");
    assert_eq!(world.written("summary"), "");
    let outcome = world.publish();
    assert_eq!(outcome.plan, plan);
    let mut json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["schema"], "loadgate.plan/1");
    json["steps"].as_array_mut().unwrap().iter_mut().for_each(|step| {
        if let Some(body) = step.get_mut("body") {
            *body = json!(body.as_str().unwrap().lines().next());
        }
    });
    insta::assert_json_snapshot!(json);
}

#[test]
fn a_fork_reads_and_says_so_once() {
    for file in ["pull_request_opened_fork", "pull_request_fork_deleted"] {
        let mut world = of("pull_request", file);
        world.wishes.status = Some(StatusKind::CommitStatus);
        world.wishes.history_branch = Some("loadgate-data".to_owned());
        world.edits.histories = vec![appends("api", "history/api.jsonl", "100")];
        let outcome = world.publish();
        assert_eq!(codes(&outcome), ["read_only_token"]);
        assert_eq!(world.fake.state().writes(), Vec::<String>::new());
        assert!(world.written("summary").starts_with("summary Fail"));
    }
}

/// After the workflow of a fork's pull request, with rights.
pub(super) fn after_a_fork() -> (World, String) {
    let world = of("workflow_run", "workflow_run_completed_fork");
    let run = &world.payload["workflow_run"];
    let sha = run["head_sha"].as_str().unwrap().to_owned();
    let owner = run["head_repository"]["owner"]["login"].as_str().unwrap().to_owned();
    let branch = run["head_branch"].as_str().unwrap().to_owned();
    world.fake.state().add_pull(3, &owner, &branch, "0123456789012345678901234567890123456789");
    world.fake.state().add_pull(8, &owner, &branch, &sha);
    (world, sha)
}

#[test]
fn a_forks_pull_request_is_found_by_its_commit() {
    let (world, sha) = after_a_fork();
    let outcome = world.publish();
    assert_eq!(codes(&outcome), Vec::<&str>::new());
    let state = world.fake.state();
    assert_eq!(state.comments_on(8).len(), 1);
    assert_eq!(state.comments_on(3).len(), 0);
    assert_eq!(state.statuses[0]["sha"], sha);
    assert_eq!(state.issues.len(), 0);
}

#[test]
fn a_forks_pull_request_is_found_by_commit_where_its_branch_tells_nothing() {
    let (world, _) = after_a_fork();
    for pull in &mut world.fake.state().pulls {
        pull["head"]["label"] = json!("gone:gone");
    }
    world.publish();
    assert_eq!(world.fake.state().comments_on(8).len(), 1);
}

#[test]
fn a_pull_request_that_moved_on_or_is_gone_gets_nothing() {
    let (world, _) = after_a_fork();
    world.fake.state().pulls.truncate(1);
    assert_eq!(codes(&world.publish()), ["pull_request_moved_on"]);
    assert_eq!(world.fake.state().writes(), Vec::<String>::new());
    world.fake.state().pulls.clear();
    assert_eq!(codes(&world.publish()), ["pull_request_not_found"]);
    assert_eq!(world.fake.state().writes(), Vec::<String>::new());
}

#[test]
fn the_label_of_people_with_triage_rights_is_seen_also_when_set_after_the_event() {
    let world = World::pull_request();
    assert!(!world.session().target().accepted);
    world.fake.state().pulls[0]["labels"] = json!([{"name": "loadgate: accepted"}]);
    assert!(world.session().target().accepted);
    let (world, _) = after_a_fork();
    world.fake.state().pulls[1]["labels"] = json!([{"name": "loadgate: accepted"}]);
    assert!(world.session().target().accepted);
    // Without GitHub the event has to do.
    let mut world = World::pull_request();
    world.token = None;
    world.payload["pull_request"]["labels"] = json!([{"name": "loadgate: accepted"}]);
    assert!(world.session().target().accepted);
}

#[test]
fn a_comment_on_a_pull_request_leads_to_it() {
    let payload =
        json!({"issue": {"number": 7, "pull_request": {"url": "x"}}, "repository": {"default_branch": "main"}});
    let world = World::new("issue_comment", payload);
    world.fake.state().add_pull(7, "octo", "topic", HEAD);
    let target = world.session().target();
    assert_eq!((target.pull_request, target.head_sha.as_deref()), (Some(7), Some(HEAD)));
    assert_eq!(target.base_sha, Some(world.fake.state().refs["main"].clone()));
    world.publish();
    assert_eq!(world.fake.state().comments_on(7).len(), 1);
}

#[test]
fn a_merge_group_gets_a_status_on_its_head_and_nothing_else() {
    let mut world = of("merge_group", "merge_group_checks_requested");
    (world.wishes.status, world.wishes.issue) = (Some(StatusKind::CommitStatus), IssueWhen::On);
    world.publish();
    let head = world.payload["merge_group"]["head_sha"].as_str().unwrap().to_owned();
    let state = world.fake.state();
    assert_eq!(state.writes(), [format!("POST /repos/octo/shop/statuses/{head}")]);
    let target = world.session().target();
    drop(state);
    assert_eq!(target.base_sha.as_deref(), world.payload["merge_group"]["base_sha"].as_str());
}
