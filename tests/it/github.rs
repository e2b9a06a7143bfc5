//! Publishing, scenario by scenario, against a GitHub of our own.

mod binary;
mod comment;
mod events;
pub(crate) mod fake;
mod faults;
mod files;
mod harmless;
mod issue;
mod plans;
mod proxy;
mod status;

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use loadgate::config::IssueConfig;
use loadgate::github::client::{Patience, Token};
use loadgate::github::context::Context;
use loadgate::publish::session::{Publication, Session};
use loadgate::publish::{CommentWhen, Edits, FileEdit, IssueWhen, Outcome, Plan, Texts, UpdateBaseline, Wishes};
use loadgate::report::{IssueView, Report, RowText};
use serde_json::{Value, json};
use tempfile::TempDir;

use fake::Fake;

const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Waits in thousandths of what they are.
fn hasty() -> Patience {
    Patience {
        first_wait: Duration::from_millis(1),
        between_writes: Duration::ZERO,
        look: Duration::from_millis(10),
        lag: Duration::from_millis(64),
        ..Patience::default()
    }
}

/// One repository, one event, one report.
struct World {
    fake: Fake,
    vars: BTreeMap<String, String>,
    payload: Value,
    wishes: Wishes,
    report: Report,
    edits: Edits,
    patience: Patience,
    token: Option<Token>,
    folder: TempDir,
}

impl World {
    fn new(event: &str, payload: Value) -> Self {
        let fake = Fake::start(0);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).display().to_string();
        let mut vars: BTreeMap<String, String> = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", "octo/shop"),
            ("GITHUB_SERVER_URL", "https://github.example"),
            ("GITHUB_EVENT_NAME", event),
            ("GITHUB_SHA", "5555555555555555555555555555555555555555"),
            ("GITHUB_RUN_ID", "100"),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_REF_NAME", "main"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        vars.insert("GITHUB_API_URL".to_owned(), fake.url());
        vars.insert("GITHUB_OUTPUT".to_owned(), file("output"));
        vars.insert("GITHUB_STEP_SUMMARY".to_owned(), file("summary"));
        Self {
            fake,
            vars,
            payload,
            wishes: Wishes {
                remote: true,
                comment: CommentWhen::Always,
                comment_key: None,
                bot_login: fake::BOT.to_owned(),
                status: None,
                status_name: "loadgate".to_owned(),
                issue: IssueWhen::Auto,
                issue_config: IssueConfig::default(),
                update_baseline: UpdateBaseline::Never,
                history_branch: None,
                webhook_url: None,
                folder: String::new(),
                report_json: Some("loadgate-report/report.json".to_owned()),
                report_html: None,
                now: "2026-11-22T02:10:00Z".parse().unwrap(),
            },
            report: report("pass", &[("GET /", "latency_p95", "pass")]),
            edits: Edits::default(),
            patience: hasty(),
            token: Token::new("ghs_secret"),
            folder,
        }
    }

    /// A pull request of the same repository, at [`HEAD`].
    fn pull_request() -> Self {
        let world = Self::new("pull_request", pull_request("octo/shop"));
        world.fake.state().add_pull(7, "octo", "topic", HEAD);
        world
    }

    /// The weekly workflow on the default branch.
    fn schedule() -> Self {
        let mut world = Self::new("schedule", json!({"schedule": "0 2 * * 0"}));
        world.report = bad(&["POST /checkout"]);
        world
    }

    fn at_run(&mut self, id: u64) -> &mut Self {
        self.vars.insert("GITHUB_RUN_ID".to_owned(), id.to_string());
        self
    }

    fn session(&self) -> Session {
        let context = Context::new(&self.vars, Some(&self.payload));
        Session::open(context, self.token.as_ref(), self.patience)
    }

    fn publish(&self) -> Outcome {
        let session = self.session();
        let target = session.target();
        let mut log = Vec::new();
        let outcome = session.publish(&self.publication(&target), &mut log);
        let log = String::from_utf8(log).unwrap();
        assert!(!log.contains("ghs_secret"));
        assert_eq!(self.fake.state().violations, Vec::<String>::new());
        assert_eq!(outcome.failed, None);
        outcome
    }

    fn plan(&self) -> Plan {
        let session = self.session();
        let target = session.target();
        session.plan(&self.publication(&target)).0
    }

    fn publication<'a>(&'a self, target: &'a loadgate::publish::Target) -> Publication<'a> {
        Publication { report: &self.report, wishes: &self.wishes, target, texts: &Plain, edits: &self.edits }
    }

    fn written(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// The value of a step output, the last one given.
    fn output(&self, name: &str) -> String {
        let text = self.written("output");
        let start = format!("{name}<<");
        let mut lines = text.lines();
        let mut value = String::new();
        while let Some(line) = lines.next() {
            if let Some(end) = line.strip_prefix(&start) {
                value = lines.by_ref().take_while(|it| *it != end).collect::<Vec<_>>().join("\n");
            }
        }
        value
    }
}

fn pull_request(head_repository: &str) -> Value {
    json!({"number": 7, "repository": {"full_name": "octo/shop", "default_branch": "main"}, "pull_request": {
        "number": 7, "labels": [], "head": {"sha": HEAD, "repo": {"full_name": head_repository}},
        "base": {"sha": "5555555555555555555555555555555555555555", "ref": "main"}}})
}

/// A report of the suite `api` with rows of endpoint, metric and status.
fn report(verdict: &str, rows: &[(&str, &str, &str)]) -> Report {
    suites(&[("api", verdict, rows)])
}

/// Endpoint, metric, status.
type Words<'a> = (&'a str, &'a str, &'a str);

fn suites(suites: &[(&str, &str, &[Words<'_>])]) -> Report {
    let zeros = json!({"judged": 0, "passed": 0, "failed": 0, "warned": 0, "inconclusive": 0, "improved": 0, "accepted": 0,
        "not_measured": 0, "missing": 0, "new": 0});
    let mut counts = zeros.clone();
    let all = suites.iter().flat_map(|it| it.2);
    counts["failed"] = json!(all.filter(|row| row.2 == "fail").count());
    let worst = ["fail", "warn", "inconclusive", "pass", "no_baseline"];
    let verdict = worst.into_iter().find(|word| suites.iter().any(|it| it.1 == *word)).unwrap();
    let list: Vec<Value> = suites
        .iter()
        .map(|(name, verdict, rows)| {
            let rows: Vec<Value> = rows.iter().map(|row| row_of(row.0, row.1, row.2)).collect();
            json!({
                "name": name, "verdict": verdict, "gate": "evidence", "rows": rows, "notices": [], "repeats": 1, "counts": zeros,
                "baseline": {"path": format!(".loadgate/baselines/{name}.json"), "runs": 3, "newest": "2026-11-15T02:10:00Z",
                    "age_days": 7, "commit": "4f1c2ab4f1c2ab4f1c2ab4f1c2ab4f1c2ab4f1c2", "reason": null},
                "run": {"suite": name, "tool": "Locust", "endpoints": [{"name": "/"}], "notices": []},
            })
        })
        .collect();
    let mut report: Report = serde_json::from_value(json!({
        "schema": "loadgate.report/1", "verdict": verdict, "exit_code": u8::from(verdict == "fail"), "counts": counts,
        "suites": list, "notices": [],
    }))
    .unwrap();
    report.text.heading = format!("verdict {verdict}");
    for row in report.suites.iter_mut().flat_map(|suite| &mut suite.rows) {
        let words = |text: &str| text.to_owned();
        row.text = RowText {
            mark: words("slower"),
            metric: words("p95"),
            baseline: words("412 ms"),
            current: words("538 ms"),
            both: words("412 → 538 ms"),
            change: words("+31 % (+126 ms)"),
            size: words("+31 %"),
            limit: words("+10 %"),
            ..RowText::default()
        };
    }
    report
}

fn row_of(endpoint: &str, metric: &str, status: &str) -> Value {
    let measured = !["missing", "not_measured"].contains(&status);
    json!({
        "endpoint": endpoint, "method": null, "name": endpoint, "metric": metric, "unit": "ms",
        "baseline": 412.0, "current": measured.then_some(538.0), "change": 126.0, "change_relative": 0.31, "status": status,
        "rule": {"endpoint": null, "limit": "10%", "critical": null, "floor": null, "from_zero": null, "max": null, "min": null,
            "place": ".github/loadgate.yml:12:5"},
        "evidence": null, "why": format!("{endpoint} is {status}"),
    })
}

fn bad(endpoints: &[&str]) -> Report {
    let rows: Vec<(&str, &str, &str)> = endpoints.iter().map(|it| (*it, "latency_p95", "fail")).collect();
    report("fail", &rows)
}

fn good(endpoints: &[&str]) -> Report {
    let rows: Vec<(&str, &str, &str)> = endpoints.iter().map(|it| (*it, "latency_p95", "pass")).collect();
    report("pass", &rows)
}

/// Texts with all that a scenario looks at.
struct Plain;

impl Texts for Plain {
    fn summary(&self, report: &Report) -> Result<String, String> {
        let notices: Vec<&str> = report.notices.iter().map(|it| it.code.as_str()).collect();
        Ok(format!("summary {:?} {}\n", report.verdict, notices.join(" ")))
    }

    fn comment(&self, report: &Report) -> Result<String, String> {
        let rows: Vec<String> = report
            .suites
            .iter()
            .flat_map(|it| &it.rows)
            .map(|row| format!("{} {:?}", row.endpoint, row.status))
            .collect();
        Ok(format!("comment {:?}\n{}\n", report.verdict, rows.join("\n")))
    }

    fn issue(&self, _: &Report, suite: &str, view: &IssueView) -> Result<String, String> {
        let rows: Vec<String> = view
            .rows
            .iter()
            .map(|row| format!("{} {} {} runs", if row.failing { "bad" } else { "ok" }, row.endpoint, row.runs))
            .collect();
        Ok(format!(
            "issue {suite} {:?} bad {} good {}/{}\n{}",
            view.state,
            view.bad_runs,
            view.good_runs,
            view.close_after,
            rows.join("\n")
        ))
    }
}

/// A file whose edit appends a line, once.
fn appends(suite: &str, path: &str, line: &str) -> FileEdit {
    let line = line.to_owned();
    FileEdit {
        suite: suite.to_owned(),
        path: path.to_owned(),
        edit: Rc::new(move |text| {
            let text = text.unwrap_or_default();
            Ok((!text.lines().any(|it| it == line)).then(|| format!("{text}{line}\n")))
        }),
    }
}

fn codes(outcome: &Outcome) -> Vec<&str> {
    outcome.plan.notices.iter().chain(&outcome.notices).map(|it| it.code.as_str()).collect()
}

fn event(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/github").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
