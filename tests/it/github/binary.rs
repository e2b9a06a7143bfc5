//! The program itself against the fake: an http address, no certificates, nothing else.

use crate::cli::{Ran, SEED_BASELINE, SEED_CURRENT, Workspace, seed};

use super::*;

const CONFIG: &str = "version: 1\nsuites:\n  api:\n    results: [\"results/*.csv\"]\n";
const BASELINE: &str = ".loadgate/baselines/api.json";

pub(super) struct Job {
    pub(super) workspace: Workspace,
    pub(super) fake: Fake,
    vars: Vec<(&'static str, String)>,
}

impl Job {
    /// A checkout with a config, a baseline of one run, and the results of another; the base branch has the same.
    fn new(event_name: &str, payload: &dyn Fn(&Fake) -> Value) -> Self {
        let workspace = Workspace::new();
        workspace.write("loadgate.yml", CONFIG);
        workspace.write("results/now.csv", std::fs::read(seed(SEED_CURRENT)).unwrap());
        let before = workspace.path("before.csv");
        std::fs::copy(seed(SEED_BASELINE), &before).unwrap();
        let recorded =
            workspace.run("baseline add before.csv --suite api --commit 4f1c2ab4f1c2ab4f1c2ab4f1c2ab4f1c2ab4f1c2");
        assert_eq!(recorded.code, 0, "{}", recorded.stderr);
        let fake = Fake::start(0);
        fake.state().commit_files("main", &[("loadgate.yml", CONFIG), (BASELINE, &workspace.read(BASELINE))]);
        fake.state().token = Some("ghs_secret".to_owned());
        workspace.write("event.json", payload(&fake).to_string());
        let path = |name: &str| workspace.path(name).display().to_string();
        let vars = vec![
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_REPOSITORY", "octo/shop".to_owned()),
            ("GITHUB_SERVER_URL", "https://github.example".to_owned()),
            ("GITHUB_API_URL", fake.url()),
            ("GITHUB_EVENT_NAME", event_name.to_owned()),
            ("GITHUB_EVENT_PATH", path("event.json")),
            ("GITHUB_SHA", fake.state().refs["main"].clone()),
            ("GITHUB_REF", "refs/heads/main".to_owned()),
            ("GITHUB_REF_NAME", "main".to_owned()),
            ("GITHUB_RUN_ID", "100".to_owned()),
            ("GITHUB_WORKSPACE", path("")),
            ("GITHUB_OUTPUT", path("output")),
            ("GITHUB_STEP_SUMMARY", path("summary")),
            ("INPUT_TOKEN", "ghs_secret".to_owned()),
            ("SSL_CERT_FILE", "/nonexistent".to_owned()),
            ("SSL_CERT_DIR", "/nonexistent".to_owned()),
        ];
        Self { workspace, fake, vars }
    }

    pub(super) fn pull_request() -> Self {
        let job = Self::new("pull_request", &|fake| {
            let mut payload = pull_request("octo/shop");
            payload["pull_request"]["base"]["sha"] = json!(fake.state().refs["main"]);
            payload
        });
        job.fake.state().add_pull(7, "octo", "topic", HEAD);
        job
    }

    pub(super) fn set(&mut self, name: &'static str, value: String) {
        self.vars.retain(|it| it.0 != name);
        self.vars.push((name, value));
    }

    pub(super) fn run(&self, arguments: &str) -> Ran {
        let vars: Vec<(&str, &str)> = self.vars.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let ran = self.workspace.with_vars(arguments, &vars);
        assert!(!ran.stdout.contains("ghs_secret") && !ran.stderr.contains("ghs_secret"));
        assert_eq!(self.fake.state().violations, Vec::<String>::new());
        ran
    }

    fn requests(&self) -> Vec<String> {
        self.fake.state().requests.iter().map(|it| format!("{} {}", it.method, it.path)).collect()
    }
}

#[test]
fn a_pull_request_is_judged_by_its_base_and_told_in_at_most_twelve_calls() {
    let job = Job::pull_request();
    let ran = job.run("check --publish --status commit-status");
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(job.requests().len() <= 12, "{:#?}", job.requests());
    let comments = job.fake.state().comments_on(7);
    assert_eq!(comments.len(), 1);
    assert!(comments[0].starts_with("<!-- loadgate:v1 comment key=api run=100 "), "{}", comments[0]);
    assert!(comments[0].contains("rag_service"));
    assert_eq!(job.fake.state().statuses[0]["state"], "failure");
    assert_eq!(job.fake.state().statuses[0]["sha"], HEAD);

    let writes = job.fake.state().writes().len();
    assert_eq!(job.run("check --publish --status commit-status").code, 1);
    assert_eq!(job.fake.state().writes().len(), writes, "{:#?}", job.requests());
}

#[test]
fn the_plan_that_is_printed_is_the_one_that_is_carried_out() {
    for arguments in ["publish --status check-run", "publish --issue on --status commit-status"] {
        let job = Job::pull_request();
        let dry = job.run(&format!("{arguments} --dry-run"));
        assert_eq!(dry.code, 1, "{}", dry.stderr);
        assert_eq!(job.fake.state().writes(), Vec::<String>::new());
        let plan: Value = serde_json::from_str(&dry.stdout).unwrap();
        assert_eq!(job.run(arguments).code, 1);
        assert_eq!(job.workspace.json("loadgate-report/plan.json"), plan);
        assert!(!job.fake.state().writes().is_empty());
    }
}

#[test]
fn a_pull_request_cannot_loosen_its_own_gate() {
    let job = Job::pull_request();
    job.workspace.write(
        "loadgate.yml",
        format!("{CONFIG}rules:\n  - {{ metric: error_rate, limit: 100pp, critical: 100pp }}\n"),
    );
    std::fs::remove_file(job.workspace.path(BASELINE)).unwrap();
    let ran = job.run("check --publish");
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let report = job.workspace.json("loadgate-report/report.json");
    let text = report.to_string();
    assert!(text.contains("pr_changes_config") && text.contains("pr_changes_baseline"), "{}", report["notices"]);
}

#[test]
fn an_unreadable_base_is_said_and_the_checkout_counts() {
    let job = Job::pull_request();
    let no = json!({"message": "Resource not accessible by integration"}).to_string();
    job.fake.state().fault("GET", "/contents/", 100, fake::Kind::Answer(403, Vec::new(), no));
    assert_eq!(job.run("check --publish").code, 1);
    assert!(job.workspace.read("loadgate-report/report.json").contains("base_unreadable"));
    assert_eq!(job.fake.state().comments_on(7).len(), 1);
}

#[test]
fn the_label_accepts_what_fails_on_this_pull_request() {
    let job = Job::pull_request();
    job.fake.state().pulls[0]["labels"] = json!([{"name": "loadgate: accepted"}]);
    let ran = job.run("check --publish");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_github_that_turns_us_away_changes_no_verdict() {
    let job = Job::pull_request();
    let later = vec![("retry-after", "3600".to_owned())];
    job.fake.state().fault("GET", "", 100, fake::Kind::Answer(429, later, "{}".to_owned()));
    let ran = job.run("check --publish");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(job.fake.state().writes(), Vec::<String>::new());
    let summary = job.workspace.read("summary");
    assert!(summary.contains("rag_service") && summary.contains("comment"), "{summary}");
    assert!(job.workspace.read("output").contains("verdict<<"));
}

#[test]
fn after_a_forks_workflow_raw_results_are_judged_and_a_ready_report_is_refused() {
    let mut payload = event("workflow_run_completed_fork");
    payload["repository"]["full_name"] = json!("octo/shop");
    let run = payload["workflow_run"].clone();
    let job = Job::new("workflow_run", &|_| payload.clone());
    let (owner, branch) = (run["head_repository"]["owner"]["login"].as_str(), run["head_branch"].as_str());
    job.fake.state().add_pull(8, owner.unwrap(), branch.unwrap(), run["head_sha"].as_str().unwrap());
    let ran = job.run("publish results/now.csv");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(job.fake.state().comments_on(8).len(), 1);
    assert_eq!(job.fake.state().statuses[0]["sha"], run["head_sha"]);
    let ran = job.run("publish loadgate-report/report.json");
    assert_eq!(ran.code, 2);
    assert_eq!(job.fake.state().comments_on(8).len(), 1);
}

#[test]
fn the_weekly_run_keeps_issue_and_history_in_our_own_words() {
    let mut job = Job::new("schedule", &|_| json!({"schedule": "0 2 * * 0"}));
    let arguments = "check --publish --history-branch loadgate-data";
    assert_eq!(job.run(arguments).code, 1);
    let body = job.fake.state().issues[0]["body"].as_str().unwrap().to_owned();
    assert!(body.contains("<!-- loadgate:begin -->") && body.contains("rag_service"), "{body}");
    let history = job.fake.state().file("loadgate-data", "history/api.jsonl").unwrap();
    assert!(history.contains("\"workflow_run_id\":100"), "{history}");
    let writes = job.fake.state().writes().len();
    assert_eq!(job.run(arguments).code, 1);
    assert_eq!(job.fake.state().writes().len(), writes, "{:#?}", job.fake.state().writes());
    job.set("GITHUB_RUN_ID", "101".to_owned());
    assert_eq!(job.run(arguments).code, 1);
    assert_eq!(job.fake.state().issues.len(), 1);
    assert_eq!(job.fake.state().file("loadgate-data", "history/api.jsonl").unwrap().lines().count(), 2);
}
