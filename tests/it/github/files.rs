//! Baselines and histories on branches.

use std::thread;

use super::events::{after_a_fork, of};
use super::fake::Kind;
use super::*;

const PATH: &str = ".loadgate/baselines/api.json";

fn updating(how: UpdateBaseline) -> World {
    let mut world = World::new("push", json!({"repository": {"default_branch": "main"}}));
    world.wishes.update_baseline = how;
    world.edits.baselines = vec![appends("api", PATH, "run 100")];
    world.fake.state().commit_files("main", &[(PATH, "run 1\n")]);
    world
}

#[test]
fn a_good_run_is_committed_to_the_default_branch_once() {
    let world = updating(UpdateBaseline::Commit);
    let before = world.fake.state().refs["main"].clone();
    let outcome = world.publish();
    assert_eq!(codes(&outcome), Vec::<&str>::new());
    let state = world.fake.state();
    assert_eq!(state.file("main", PATH).unwrap(), "run 1\nrun 100\n");
    assert_eq!(state.file("main", "README.md").unwrap(), "hello\n");
    let (parents, message) = state.commit(&state.refs["main"]);
    assert_eq!((parents, message.as_str()), (vec![before], "Add a load-test run to the baseline of api"));
    let writes = state.writes().len();
    drop(state);
    world.publish();
    assert_eq!(world.fake.state().writes().len(), writes);
}

#[test]
fn only_good_complete_runs_under_the_same_load_on_the_default_branch_count() {
    let changes = |change: &dyn Fn(&mut World)| {
        let mut world = updating(UpdateBaseline::Commit);
        change(&mut world);
        let outcome = world.publish();
        let changed = world.fake.state().file("main", PATH).unwrap() != "run 1\n";
        assert_eq!(codes(&outcome).contains(&"baseline_not_updated"), !changed);
        changed
    };
    assert!(changes(&|_| {}));
    assert!(changes(&|world| world.report = report("warn", &[("GET /", "latency_p95", "warn")])));
    assert!(changes(&|world| world.report = report("no_baseline", &[("GET /", "latency_p95", "new")])));
    assert!(!changes(&|world| world.report = bad(&["GET /"])));
    assert!(!changes(&|world| world.report.suites[0].run.as_mut().unwrap().complete = Some(false)));
    assert!(!changes(&|world| world.report.suites[0].run = None));
    assert!(!changes(&|world| {
        world.report.suites[0].notices.push(loadgate::run::Notice::new("load_mismatch", "10 users, not 50"));
    }));
    for (event, git_ref) in
        [("push", "refs/heads/topic"), ("push", "refs/tags/main"), ("pull_request", "refs/pull/7/merge")]
    {
        let mut world = updating(UpdateBaseline::Commit);
        world.vars.insert("GITHUB_EVENT_NAME".to_owned(), event.to_owned());
        world.vars.insert("GITHUB_REF".to_owned(), git_ref.to_owned());
        world.publish();
        assert_eq!(world.fake.state().file("main", PATH).unwrap(), "run 1\n");
    }
}

#[test]
fn whoever_commits_meanwhile_keeps_what_he_wrote() {
    let world = updating(UpdateBaseline::Commit);
    for _ in 0..3 {
        world.fake.state().before("PATCH", "/git/refs/heads/main", |state| {
            let text = state.file("main", PATH).unwrap();
            state.commit_files("main", &[(PATH, &format!("{text}another\n"))]);
        });
    }
    world.publish();
    assert_eq!(world.fake.state().file("main", PATH).unwrap(), "run 1\nanother\nanother\nanother\nrun 100\n");
}

#[test]
fn a_protected_branch_is_told_with_the_way_out() {
    let world = updating(UpdateBaseline::Commit);
    world.fake.state().protected.insert("main".to_owned());
    let outcome = world.publish();
    assert_eq!(codes(&outcome), ["baseline_not_updated"]);
    assert!(outcome.notices[0].message.contains("`update-baseline: pull-request`"), "{:?}", outcome.notices);
    assert!(world.written("summary").contains("protected"));
}

#[test]
fn a_missing_permission_is_told_by_its_name() {
    let world = updating(UpdateBaseline::Commit);
    world.fake.state().permissions.insert("contents".to_owned(), "read".to_owned());
    let outcome = world.publish();
    assert_eq!(codes(&outcome), ["baseline_not_updated"]);
    assert!(outcome.notices[0].message.contains("`contents: write`"));
}

#[test]
fn one_pull_request_proposes_the_baseline_and_gathers_runs() {
    let mut world = updating(UpdateBaseline::PullRequest);
    let outcome = world.publish();
    assert_eq!(codes(&outcome), Vec::<&str>::new());
    let number = world.fake.state().pulls[0]["number"].as_u64().unwrap();
    assert_eq!(world.output("baseline-pr"), number.to_string());
    {
        let state = world.fake.state();
        assert_eq!(state.file("loadgate/baseline", PATH).unwrap(), "run 1\nrun 100\n");
        assert_eq!(state.file("main", PATH).unwrap(), "run 1\n");
        assert_eq!(state.pulls[0]["title"], "Add a load-test run to the baseline of api");
        assert_eq!(state.pulls[0]["base"]["ref"], "main");
    }
    let writes = world.fake.state().writes().len();
    world.publish();
    assert_eq!(world.fake.state().writes().len(), writes, "repeated");
    assert_eq!(world.output("baseline-pr"), number.to_string());

    // The next run is added to it, also after others have changed the default branch.
    let tip = world.fake.state().commit_files("main", &[("other.txt", "x")]);
    world.edits.baselines = vec![appends("api", PATH, "run 101")];
    world.at_run(101).publish();
    {
        let state = world.fake.state();
        assert_eq!(state.pulls.len(), 1);
        assert_eq!(state.file("loadgate/baseline", PATH).unwrap(), "run 1\nrun 100\nrun 101\n");
        assert_eq!(state.file("loadgate/baseline", "other.txt").unwrap(), "x");
        assert!(state.commit(&state.refs["loadgate/baseline"]).0.contains(&tip), "it can be merged");
    }
    // Someone accepts another level on the default branch: the proposal starts again from there.
    world.fake.state().commit_files("main", &[(PATH, "accepted\n")]);
    world.edits.baselines = vec![appends("api", PATH, "run 102")];
    world.at_run(102).publish();
    assert_eq!(world.fake.state().file("loadgate/baseline", PATH).unwrap(), "accepted\nrun 102\n");
    // It is merged; the branch stays behind. The next proposal is a new pull request.
    world.fake.state().pulls[0]["state"] = json!("closed");
    world.fake.state().commit_files("main", &[(PATH, "accepted\nrun 102\n")]);
    world.edits.baselines = vec![appends("api", PATH, "run 103")];
    world.at_run(103).publish();
    assert_eq!(world.fake.state().pulls.len(), 2);
    assert_eq!(world.fake.state().file("loadgate/baseline", PATH).unwrap(), "accepted\nrun 102\nrun 103\n");
}

#[test]
fn where_actions_may_not_create_pull_requests_the_setting_is_named() {
    let world = updating(UpdateBaseline::PullRequest);
    world.fake.state().may_create_pulls = false;
    let outcome = world.publish();
    assert_eq!(codes(&outcome), ["baseline_not_updated"]);
    assert!(outcome.notices[0].message.contains("Allow GitHub Actions to create and approve pull requests"));
}

#[test]
fn two_jobs_at_once_propose_in_one_pull_request() {
    let world = updating(UpdateBaseline::PullRequest);
    world.fake.state().before("POST", "/shop/pulls", |state| {
        let tip = state.refs["loadgate/baseline"].clone();
        state.add_pull(77, "octo", "loadgate/baseline", &tip);
    });
    let outcome = world.publish();
    assert_eq!(codes(&outcome), Vec::<&str>::new());
    assert_eq!(world.fake.state().pulls.len(), 1);
    assert_eq!(world.output("baseline-pr"), "77");
    let world = updating(UpdateBaseline::PullRequest);
    world.fake.state().fault("POST", "/shop/pulls", 1, Kind::DropAfter);
    world.publish();
    assert_eq!(world.fake.state().pulls.len(), 1);
    assert_ne!(world.output("baseline-pr"), "");
}

fn remembering(run: u64, suite: &str) -> World {
    let mut world = World::new("push", json!({"repository": {"default_branch": "main"}}));
    world.wishes.history_branch = Some("loadgate-data".to_owned());
    world.edits.histories = vec![appends(suite, &format!("history/{suite}.jsonl"), &format!("{run}"))];
    world.at_run(run);
    world
}

#[test]
fn the_history_branch_is_made_without_the_code_and_appended_to_after() {
    let mut world = remembering(100, "api");
    world.publish();
    {
        let state = world.fake.state();
        assert_eq!(state.file("loadgate-data", "history/api.jsonl").unwrap(), "100\n");
        assert_eq!(state.file("loadgate-data", "README.md"), None);
        assert_eq!(state.commit(&state.refs["loadgate-data"]).0, Vec::<String>::new());
    }
    let writes = world.fake.state().writes().len();
    world.publish();
    assert_eq!(world.fake.state().writes().len(), writes);
    world.edits.histories.push(appends("web", "history/web.jsonl", "w"));
    world.publish();
    let state = world.fake.state();
    assert_eq!(state.file("loadgate-data", "history/api.jsonl").unwrap(), "100\n");
    assert_eq!(state.file("loadgate-data", "history/web.jsonl").unwrap(), "w\n");
}

#[test]
fn many_jobs_at_once_lose_no_line() {
    let first = remembering(100, "api");
    let (fake, vars) = (first.fake.clone(), first.vars.clone());
    let jobs: Vec<_> = (0..16)
        .map(|job: u64| {
            let (fake, vars) = (fake.clone(), vars.clone());
            thread::spawn(move || {
                let mut world = remembering(200 + job, if job.is_multiple_of(2) { "api" } else { "web" });
                (world.fake, world.vars) = (fake, vars);
                world.at_run(200 + job);
                let outcome = world.publish();
                assert_eq!(codes(&outcome), Vec::<&str>::new());
            })
        })
        .collect();
    for job in jobs {
        job.join().unwrap();
    }
    let state = fake.state();
    let lines = |suite: &str| {
        let text = state.file("loadgate-data", &format!("history/{suite}.jsonl")).unwrap();
        let mut lines: Vec<u64> = text.lines().map(|it| it.parse().unwrap()).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(lines("api"), (200..216).step_by(2).collect::<Vec<_>>());
    assert_eq!(lines("web"), (201..216).step_by(2).collect::<Vec<_>>());
}

#[test]
fn a_history_that_got_no_answer_has_its_line_once() {
    for (path, kind) in
        [("/git/refs", Kind::DropAfter), ("/git/refs", Kind::DropBefore), ("/git/trees", Kind::DropAfter)]
    {
        let world = remembering(100, "api");
        world.fake.state().fault("POST", path, 1, kind);
        let outcome = world.publish();
        assert_eq!(codes(&outcome), Vec::<&str>::new());
        assert_eq!(world.fake.state().file("loadgate-data", "history/api.jsonl").unwrap(), "100\n");
    }
}

#[test]
fn an_edit_that_cannot_be_made_is_a_notice() {
    let mut world = remembering(100, "api");
    world.edits.histories[0].edit = Rc::new(|_| Err("the file is not a history".to_owned()));
    assert_eq!(codes(&world.publish()), ["history_not_appended"]);
}

#[test]
fn a_file_above_a_megabyte_is_read_as_a_blob() {
    let world = remembering(100, "api");
    let long = format!("{}\n", "x".repeat(1_500_000));
    world.fake.state().commit_files("loadgate-data", &[("history/api.jsonl", &long)]);
    world.publish();
    assert_eq!(world.fake.state().file("loadgate-data", "history/api.jsonl").unwrap(), format!("{long}100\n"));
}

/// A data branch that knows of ten runs before this one, and of an earlier attempt of this one.
fn remembered(world: &World) {
    let line = |run: u32, branch: &str, p95: f64| {
        let time = format!("2026-11-{:02}T02:00:00Z", run % 30 + 1);
        json!({"schema": "loadgate.history/1", "time": time, "ref": branch, "workflow_run_id": run, "verdict": "pass",
            "endpoints": {"POST /checkout": {"latency_p95": p95}}})
    };
    let runs: Vec<String> = (90..=99).map(|run| line(run, "main", 400.0 + f64::from(run)).to_string()).collect();
    let again = line(100, "main", 1.0).to_string();
    let text = format!("{}\n{again}\n", runs.join("\n"));
    world.fake.state().commit_files("loadgate-data", &[("history/api.jsonl", &text)]);
}

/// What fails is told with every run that the history knows, not only with those of the baseline.
#[test]
fn trends_come_from_the_history() {
    let mut world = remembering(100, "api");
    world.report = bad(&["POST /checkout"]);
    remembered(&world);
    let told = world.publish().report.unwrap();
    let [trend] = told.suites[0].trends.as_slice() else { panic!("{:?}", told.suites[0].trends) };
    let values: Vec<f64> = trend.points.iter().map(|point| point.value).collect();
    let before = (90..=99).map(|run| 400.0 + f64::from(run));
    assert_eq!(values, before.chain(told.suites[0].rows[0].current).collect::<Vec<_>>());
    // The earlier attempt of the same workflow run is not its own past, and other reports are left as they are.
    assert_eq!(trend.text.runs, "last 11 runs");
    assert_eq!(remembering(100, "api").publish().report, None);
}

/// The pull request of a fork, whose token can only read, or a workflow that ran after it: the history is read, never written.
#[test]
fn trends_come_from_the_history_for_a_fork_too() {
    let fork = |mut world: World| {
        world.report = bad(&["POST /checkout"]);
        world.wishes.history_branch = Some("loadgate-data".to_owned());
        world.edits.histories = vec![appends("api", "history/api.jsonl", "100")];
        world.at_run(100);
        remembered(&world);
        world
    };
    let read_only = || fork(of("pull_request", "pull_request_opened_fork"));
    for world in [read_only(), fork(of("pull_request_target", "pull_request_opened_fork")), fork(after_a_fork().0)] {
        let told = world.publish().report.unwrap();
        assert_eq!(told.suites[0].trends[0].text.runs, "last 11 runs");
        assert_eq!(world.fake.state().file("loadgate-data", "history/api.jsonl").unwrap().lines().count(), 11);
    }
    let world = read_only();
    let no = json!({"message": "Resource not accessible by integration"}).to_string();
    world.fake.state().fault("GET", "/contents/history", 1, Kind::Answer(403, Vec::new(), no));
    let outcome = world.publish();
    assert_eq!(codes(&outcome), ["read_only_token", "history_not_read"]);
    assert_eq!(outcome.report, None);
    assert_eq!(world.fake.state().writes(), Vec::<String>::new());
}
