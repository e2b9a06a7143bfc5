//! What people see, kept as files: `tests/golden/<state>/` holds the comment, the summary and the text on the terminal of each
//! state, so that a reviewer sees what users see. `UPDATE=1 cargo test --test it reports` writes them anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan as _};
use loadgate::artifact::discover::discover;
use loadgate::baseline::{Baseline, Origin};
use loadgate::compare::compare;
use loadgate::format::read::read;
use loadgate::policy::{Acceptance, Limit, Pattern, Place, Policy, Rule};
use loadgate::report::compose::{Frame, SuiteInput, compose};
use loadgate::report::templates::Templates;
use loadgate::report::{CommitLink, IssueEvent, IssueRow, IssueState, IssueStep, IssueView, Report, render, text};
use loadgate::run::combine::combine;
use loadgate::run::metric::{Measurement, Metric, Source};
use loadgate::run::{Endpoint, Load, Notice, Run};
use loadgate::verdict::{Outcome, judge};
use serde_json::Value;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// One suite of a report to be.
struct Case {
    name: String,
    policy: Policy,
    baseline: Baseline,
    reason: Option<String>,
    runs: Vec<Run>,
}

impl Case {
    fn new(runs: Vec<Run>, baseline: Baseline) -> Self {
        Self { name: "default".to_owned(), policy: Policy::shipped(), baseline, reason: None, runs }
    }
}

fn report(cases: &[Case], frame: &Frame) -> Report {
    let today = jiff::civil::date(2026, 11, 24);
    let comparisons: Vec<_> = cases.iter().map(|case| compare(&case.baseline, &case.runs)).collect();
    let verdicts: Vec<_> =
        cases.iter().zip(&comparisons).map(|(case, comparison)| judge(&case.policy, comparison, today)).collect();
    let inputs: Vec<SuiteInput<'_>> = cases
        .iter()
        .zip(&comparisons)
        .zip(&verdicts)
        .map(|((case, comparison), verdict)| SuiteInput {
            name: &case.name,
            policy: &case.policy,
            verdict,
            comparison,
            baseline: &case.baseline,
            baseline_path: ".loadgate/baselines/default.json",
            reason: case.reason.clone(),
            runs: &case.runs,
            notices: Vec::new(),
        })
        .collect();
    compose(&inputs, frame)
}

fn frame() -> Frame {
    Frame { now: now(), exit_code: 0, origin: None, notices: Vec::new() }
}

/// Holds the file to `text`, or writes it where UPDATE is set.
fn in_step(path: &str, text: &str) {
    let file = root(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == text, "{path} is not what is made now; `UPDATE=1 cargo test --test it reports` writes it anew");
}

/// Every page of the report against its file.
fn golden(state: &str, report: &Report) {
    let templates = Templates::shipped();
    let plain = anstream::adapter::strip_str(&text::table(report, 110, false)).to_string();
    in_step(&format!("tests/golden/{state}/comment.md"), &render::comment(report, &templates).unwrap());
    in_step(&format!("tests/golden/{state}/summary.md"), &render::summary(report, &templates).unwrap());
    in_step(&format!("tests/golden/{state}/terminal.txt"), &plain);
}

fn seed_runs(file: &str) -> Vec<Run> {
    let artifacts = discover(&root("tests/fixtures/seed"), &[file.to_owned()]).unwrap();
    combine(read(&artifacts, &[]).unwrap().runs, None).runs
}

fn seed_case() -> Case {
    let mut baseline = Baseline::new("default");
    for run in seed_runs("load_results_baseline_20251017_143004.csv") {
        baseline.add(&run, Origin { id: "seed".to_owned(), ..Origin::default() });
    }
    Case::new(seed_runs("load_results_api_20251017_143004.csv"), baseline)
}

fn seed_report() -> Report {
    report(&[seed_case()], &Frame { exit_code: 1, ..frame() })
}

#[test]
fn seed() {
    let report = seed_report();
    assert_eq!(report.verdict, Outcome::Fail);
    assert_eq!((report.counts.judged, report.counts.passed, report.counts.failed), (4, 2, 2));
    assert_eq!((report.counts.missing, report.counts.not_measured), (1, 4));
    golden("seed", &report);
    in_step("tests/golden/seed/junit.xml", &loadgate::report::junit::junit(&report).unwrap());
    in_step("tests/golden/seed/report.csv", &loadgate::report::csv::csv(&report).unwrap());
    in_step("tests/golden/seed/report.json", &(serde_json::to_string_pretty(&report).unwrap() + "\n"));
}

/// Figures of one endpoint: requests, failures, p50, p95, p99 in ms.
type Figures = (u64, u64, f64, f64, f64);

fn endpoint(label: &str, (requests, failures, p50, p95, p99): Figures) -> Endpoint {
    let (method, name) = label.split_once(' ').filter(|(method, _)| method.chars().all(char::is_uppercase)).unzip();
    let known = |value: f64| Measurement::new(value, Source::Reported, Some(1.0)).unwrap();
    let metrics = [
        (Metric::LatencyMean, p50 * 1.1),
        (Metric::LatencyP50, p50),
        (Metric::LatencyP95, p95),
        (Metric::LatencyP99, p99),
        (Metric::Throughput, requests as f64 / 120.0),
    ];
    Endpoint {
        method: method.map(str::to_owned),
        name: name.unwrap_or(label).to_owned(),
        requests: Some(requests),
        failures: Some(failures),
        metrics: metrics.into_iter().map(|(metric, value)| (metric, known(value))).collect(),
        ..Endpoint::default()
    }
}

fn run(endpoints: &[(&str, Figures)]) -> Run {
    let mut endpoints: Vec<Endpoint> = endpoints.iter().map(|(label, figures)| endpoint(label, *figures)).collect();
    endpoints.sort_by_key(Endpoint::label);
    Run {
        tool: "Locust".to_owned(),
        tool_version: Some("2.47.0".to_owned()),
        format: "locust-stats".to_owned(),
        files: vec!["load-results/api_stats.csv".to_owned()],
        duration_s: Some(120.0),
        load: Load { users: Some(50.0), ..Load::default() },
        environment: [("cpu".to_owned(), "EPYC 7763".to_owned())].into(),
        endpoints,
        ..Run::default()
    }
}

const USUAL: [(&str, Figures); 6] = [
    ("GET /", (18_204, 0, 21.0, 48.0, 90.0)),
    ("GET /cart", (5_120, 4, 45.0, 120.0, 260.0)),
    ("GET /items", (9_800, 0, 80.0, 180.0, 310.0)),
    ("GET /search", (2_120, 0, 210.0, 480.0, 890.0)),
    ("POST /checkout", (3_010, 3, 160.0, 412.0, 700.0)),
    ("POST /login", (4_400, 0, 95.0, 205.0, 330.0)),
];

/// The usual figures, changed for some endpoints.
fn usual(change: impl Fn(&str, Figures) -> Figures) -> Run {
    run(&USUAL.map(|(label, figures)| (label, change(label, figures))))
}

fn slower((requests, failures, p50, p95, p99): Figures, by: f64) -> Figures {
    (requests, failures, (p50 * by).round(), (p95 * by).round(), (p99 * by).round())
}

/// A baseline of that many weekly runs, which scatter by a few percent as runs do.
fn weekly(number: usize) -> Baseline {
    const SCATTER: [f64; 6] = [1.0, 1.03, 0.98, 1.01, 0.97, 1.02];
    let mut baseline = Baseline::new("default");
    for (week, by) in SCATTER.iter().cycle().take(number).enumerate() {
        let noise = |label: &str, figures| slower(figures, if label == "GET /search" { by.powi(6) } else { *by });
        let time = "2026-11-22T02:00:00Z".parse::<Timestamp>().unwrap()
            - (7 * 24 * i64::try_from(number - week).unwrap()).hours();
        let origin = Origin {
            id: format!("w{week}"),
            time: Some(time),
            commit: Some(format!("4f1c2ab{week:033}")),
            git_ref: Some("refs/heads/main".to_owned()),
            ..Origin::default()
        };
        baseline.add(&usual(noise), origin);
    }
    baseline
}

/// Slower checkout, failing cart, an unsure search, faster items.
fn worse(label: &str, figures: Figures) -> Figures {
    match label {
        "POST /checkout" => slower(figures, 1.31),
        "GET /cart" => (figures.0, 72, figures.2, figures.3, figures.4),
        "GET /search" => slower(figures, 1.17),
        "GET /items" => slower(figures, 0.75),
        _ => figures,
    }
}

fn on_github(mut frame: Frame) -> Frame {
    frame.origin = Some(loadgate::report::Origin {
        repository: "acme/shop".to_owned(),
        url: Some("https://github.com/acme/shop".to_owned()),
        commit: Some("9be01d7000000000000000000000000000000000".to_owned()),
        git_ref: Some("refs/pull/7/merge".to_owned()),
        run_url: Some("https://github.com/acme/shop/actions/runs/71234567".to_owned()),
        links: [
            ("commit", "https://github.com/acme/shop/commit/9be01d7000000000000000000000000000000000"),
            ("docs", "https://github.com/loadgate/loadgate#readme"),
            ("trend", "https://acme.github.io/shop/"),
        ]
        .map(|(name, address)| (name.to_owned(), address.to_owned()))
        .into(),
    });
    frame
}

fn failing() -> Report {
    report(&[Case::new(vec![usual(worse)], weekly(5))], &on_github(Frame { exit_code: 1, ..frame() }))
}

fn passing() -> Report {
    let change = |label: &str, figures| if label == "GET /items" { slower(figures, 0.75) } else { figures };
    report(&[Case::new(vec![usual(change)], weekly(5))], &on_github(frame()))
}

fn unsure() -> Report {
    let change = |label: &str, figures| if label == "GET /search" { slower(figures, 1.17) } else { figures };
    report(&[Case::new(vec![usual(change)], weekly(5))], &on_github(frame()))
}

/// The first run after the first baseline: one run to compare with.
fn first() -> Report {
    report(&[Case::new(vec![usual(worse)], weekly(1))], &on_github(frame()))
}

/// A report of each kind, by the name of its state.
pub(crate) fn states() -> Vec<(&'static str, Report)> {
    vec![
        ("seed", seed_report()),
        ("fail", failing()),
        ("pass", passing()),
        ("cant-tell", unsure()),
        ("no-baseline", without_baseline()),
        ("first-run", first()),
        ("load-mismatch", mismatched()),
        ("come-and-gone", changed()),
        ("two-suites", of_two_suites()),
    ]
}

#[test]
fn fail() {
    let report = failing();
    assert_eq!(report.verdict, Outcome::Fail);
    golden("fail", &report);
}

#[test]
fn pass() {
    let report = passing();
    assert_eq!(report.verdict, Outcome::Pass);
    golden("pass", &report);
}

#[test]
fn cannot_tell() {
    let report = unsure();
    assert_eq!(report.verdict, Outcome::Inconclusive);
    golden("cant-tell", &report);
}

fn without_baseline() -> Report {
    let mut case = Case::new(vec![usual(|_, figures| figures)], Baseline::new("default"));
    case.reason = Some("there is no .loadgate/baselines/default.json".to_owned());
    report(&[case], &on_github(frame()))
}

#[test]
fn no_baseline() {
    let report = without_baseline();
    assert_eq!(report.verdict, Outcome::NoBaseline);
    golden("no-baseline", &report);
}

#[test]
fn first_run() {
    golden("first-run", &first());
}

#[test]
fn environment_shift() {
    let mut now = usual(|_, figures| slower(figures, 1.25));
    now.environment.insert("cpu".to_owned(), "Xeon 8370C".to_owned());
    let report = report(&[Case::new(vec![now], weekly(5))], &on_github(frame()));
    assert!(report.suites[0].notices.iter().any(|notice| notice.code == "common_shift"));
    golden("environment-shift", &report);
}

fn mismatched() -> Report {
    let mut now = usual(worse);
    now.load.users = Some(200.0);
    report(&[Case::new(vec![now], weekly(5))], &on_github(frame()))
}

#[test]
fn load_mismatch() {
    let report = mismatched();
    assert!(report.suites[0].notices.iter().any(|notice| notice.code == "load_mismatch"));
    golden("load-mismatch", &report);
}

#[test]
fn accepted() {
    let change = |label: &str, figures| if label == "POST /checkout" { slower(figures, 1.31) } else { figures };
    let mut case = Case::new(vec![usual(change)], weekly(5));
    case.policy.accepted = [Metric::LatencyP50, Metric::LatencyMean, Metric::LatencyP95, Metric::LatencyP99]
        .map(|metric| Acceptance {
            endpoint: Pattern::new("POST /checkout").unwrap(),
            metric,
            up_to: Limit::Relative(0.4),
            reason: "bcrypt cost 12".to_owned(),
            until: Some(jiff::civil::date(2027, 3, 1)),
            place: None,
        })
        .into();
    let report = report(&[case], &on_github(frame()));
    assert_eq!(report.verdict, Outcome::Pass);
    golden("accepted", &report);
}

/// Endpoints that came and went, and a budget that is broken.
fn changed() -> Report {
    let mut now = usual(|_, figures| figures);
    now.endpoints.retain(|endpoint| endpoint.name != "/search");
    now.endpoints.push(endpoint("PUT /profile", (900, 0, 30.0, 61.0, 80.0)));
    let mut case = Case::new(vec![now], weekly(3));
    case.policy.rules.push(Rule {
        endpoint: Some(Pattern::new("GET /cart").unwrap()),
        max: Some(100.0),
        place: Some(Place { file: ".github/loadgate.yml".to_owned(), line: 12, column: 5 }),
        ..Rule::about(Metric::LatencyP95)
    });
    report(&[case], &on_github(Frame { exit_code: 1, ..frame() }))
}

#[test]
fn come_and_gone() {
    golden("come-and-gone", &changed());
}

fn many(number: usize, by: f64) -> Run {
    let names: Vec<String> =
        (0..number).map(|id| format!("GET /api/v1/organisations/{{org}}/projects/{id:04}")).collect();
    let figures = |id: usize| {
        let figures = (2_000, 0, 20.0 + id as f64, 60.0 + 2.0 * id as f64, 90.0 + 3.0 * id as f64);
        if id.is_multiple_of(3) { slower(figures, by) } else { figures }
    };
    run(&names.iter().enumerate().map(|(id, name)| (name.as_str(), figures(id))).collect::<Vec<_>>())
}

fn many_report(number: usize) -> Report {
    let mut baseline = Baseline::new("default");
    for week in 0..3 {
        baseline.add(&many(number, 1.0), Origin { id: format!("w{week}"), ..Origin::default() });
    }
    report(&[Case::new(vec![many(number, 1.8)], baseline)], &on_github(Frame { exit_code: 1, ..frame() }))
}

/// A third of a thousand endpoints fails: the comment keeps its size and says what it leaves out.
#[test]
fn many_endpoints() {
    let report = many_report(1_000);
    let templates = Templates::shipped();
    let comment = render::comment(&report, &templates).unwrap();
    assert!(comment.chars().count() <= 60_000, "{}", comment.chars().count());
    assert!(comment.contains("left out here"), "{comment}");
    in_step("tests/golden/many-endpoints/comment.md", &comment);
    let summary = render::summary(&report, &templates).unwrap();
    assert!(summary.len() <= 900 << 10, "{}", summary.len());
    assert_eq!(comment, render::comment(&report, &templates).unwrap(), "the same inputs give the same bytes");
}

/// Suites without end: the worst are shown in full, others by their heading.
#[test]
fn many_suites() {
    let suite = |number: usize| Case {
        name: format!("suite {number:03}"),
        ..Case::new(
            vec![usual(|label, figures| if number == 250 { worse(label, figures) } else { figures })],
            weekly(1),
        )
    };
    let cases: Vec<Case> = (0..300).map(suite).collect();
    let report = report(&cases, &frame());
    let comment = render::comment(&report, &Templates::shipped()).unwrap();
    assert!(comment.chars().count() <= 60_000, "{}", comment.chars().count());
    assert!(
        comment.contains("#### ❌ `suite 250`") && comment.contains("\n- ✅ `suite 107`: no endpoint"),
        "{comment}"
    );
    assert!(comment.contains("suites left out here") && comment.ends_with("</sub>\n"), "{comment}");
}

pub(crate) const HOSTILE: [&str; 12] = [
    "GET /a|b",
    "GET /`whoami`",
    "GET /<script>alert(1)</script>",
    "POST @octocat",
    "GET #123",
    "::error file=x::boom",
    "GET ##[error]boom",
    "GET /two\nlines\r\n\n# heading",
    "GET /\u{202e}txt.exe",
    "GET /\u{1b}[31mred\u{1b}[0m",
    "GET /![x](https://evil.example/x.png) https://evil.example www.evil.example",
    "",
];

pub(crate) fn hostile_report() -> Report {
    let long = format!("GET /{}", "x".repeat(10_000));
    report_about("default", &HOSTILE.iter().copied().chain([long.as_str()]).collect::<Vec<_>>(), 3.0)
}

/// A report about endpoints of these names, of which each takes `by` times as long as in three baseline runs.
pub(crate) fn report_about(suite: &str, names: &[&str], by: f64) -> Report {
    let with = |by: f64| {
        let figures = (2_000, 0, 20.0, 60.0, 90.0);
        run(&names.iter().map(|name| (*name, slower(figures, by))).collect::<Vec<_>>())
    };
    let mut baseline = Baseline::new("default");
    for week in 0..3 {
        baseline.add(&with(1.0), Origin { id: format!("w{week}"), ..Origin::default() });
    }
    let mut now = with(by);
    "Locust | <b>@octocat</b>".clone_into(&mut now.tool);
    now.files = vec!["$(touch pwned)_stats.csv".to_owned()];
    let case = Case { name: suite.to_owned(), ..Case::new(vec![now], baseline) };
    report(&[case], &on_github(Frame { exit_code: 1, ..frame() }))
}

#[test]
fn hostile_names() {
    let report = hostile_report();
    golden("hostile-names", &report);
    let terminal = text::table(&report, 80, true);
    let plain = anstream::adapter::strip_str(&terminal).to_string();
    assert!(!plain.contains("##[") && !plain.contains('\u{1b}') && !plain.contains('\u{202e}'));
    assert!(plain.lines().all(|line| !line.trim_start().starts_with("::")), "{plain}");
    let xml = loadgate::report::junit::junit(&report).unwrap();
    let mut reader = quick_xml::Reader::from_str(&xml);
    while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
    let table = loadgate::report::csv::csv(&report).unwrap();
    assert!(csv::Reader::from_reader(table.as_bytes()).records().all(|record| record.is_ok()));
}

#[test]
fn fork() {
    let notice = Notice::new(
        "read_only_token",
        "the token of a pull request from a fork may not comment: this summary is the whole report",
    );
    let frame = Frame { exit_code: 1, notices: vec![notice], ..frame() };
    golden("fork", &report(&[Case::new(vec![usual(worse)], weekly(5))], &on_github(frame)));
}

fn of_two_suites() -> Report {
    let mut api = Case::new(vec![usual(worse)], weekly(5));
    "api".clone_into(&mut api.name);
    let mut web = Case::new(vec![usual(|_, figures| figures)], weekly(3));
    "web shop".clone_into(&mut web.name);
    report(&[api, web], &on_github(Frame { exit_code: 1, ..frame() }))
}

#[test]
fn two_suites() {
    golden("two-suites", &of_two_suites());
}

/// What is written is read back, and says the same.
#[test]
fn a_report_is_read_back() {
    let report = report(&[Case::new(vec![usual(worse)], weekly(5))], &on_github(frame()));
    let text = serde_json::to_string_pretty(&report).unwrap();
    assert!(text.starts_with("{\n  \"schema\": \"loadgate.report/1\","), "{text}");
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn a_wrong_template_says_where() {
    let with = |text: &str| Templates::from_texts([("summary.md.j2".to_owned(), text.to_owned())].into());
    let report = report(&[Case::new(vec![usual(worse)], weekly(1))], &frame());
    let message = |text: &str| render::summary(&report, &with(text)).unwrap_err().to_string();
    assert_eq!(message("a\n{{ verdikt }}"), "template summary.md.j2, line 2: undefined value");
    assert!(
        message("{% for x in %}").starts_with("template summary.md.j2, line 1: syntax error"),
        "{}",
        message("{% for x in %}")
    );
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    assert!(message(endless).contains("fuel"), "{}", message(endless));
    let long = format!("a\n{}", " ".repeat(60_001));
    assert_eq!(message(&long), "template summary.md.j2, line 2: a line of a template has at most 60000 bytes");
    let other = message("{% import \"_page.html.j2\" as page %}");
    assert!(other.contains("template not found") && other.contains("_page.html.j2"), "{other}");
}

#[test]
fn a_template_of_the_user_fits_too() {
    let templates = Templates::from_texts(
        [(
            "comment.md.j2".to_owned(),
            "<details>\n{% for i in range(9000) %}{{ text.heading }}\n{% endfor %}".to_owned(),
        )]
        .into(),
    );
    let report = report(&[Case::new(vec![usual(worse)], weekly(1))], &frame());
    let comment = render::comment(&report, &templates).unwrap();
    assert!(comment.chars().count() <= 60_000);
    assert!(
        comment.contains("</details>\n") && comment.ends_with("lines left out here; report.json has everything.\n")
    );
}

#[test]
fn a_table_fits_the_terminal() {
    let report = report(&[Case::new(vec![usual(worse)], weekly(5))], &frame());
    for width in [60, 80, 120] {
        let text = anstream::adapter::strip_str(&text::table(&report, width, true)).to_string();
        let table = text.lines().filter(|line| line.starts_with(' ') && !line.starts_with("  -"));
        assert!(table.clone().count() > 20);
        for line in table {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
    assert!(text::table(&report, 80, false).contains("\u{1b}[31m❌ slower\u{1b}[0m"));
}

#[test]
fn an_issue_over_time() {
    let report = report(&[Case::new(vec![usual(worse)], weekly(5))], &on_github(Frame { exit_code: 1, ..frame() }));
    let day = |day| Some(jiff::civil::date(2026, 11, day));
    let commit = |letter: &str, on| Some(CommitLink { sha: letter.repeat(40), short: letter.repeat(7), day: day(on) });
    let row = |failing, endpoint: &str, metric: &str| IssueRow {
        failing,
        endpoint: endpoint.to_owned(),
        metric: metric.to_owned(),
        mark: "slower".to_owned(),
        both: "412 → 538 ms".to_owned(),
        change: "+31 % (+126 ms)".to_owned(),
        since: day(8),
        runs: 3,
    };
    let url = Some("https://github.com/acme/shop/actions/runs/71234567".to_owned());
    let event = |on, what, joined: &[&str], recovered: &[&str]| IssueEvent {
        day: day(on),
        what,
        joined: joined.iter().map(|row| (*row).to_owned()).collect(),
        recovered: recovered.iter().map(|row| (*row).to_owned()).collect(),
        run_url: url.clone(),
    };
    let failing = IssueView {
        state: IssueState::Failing,
        since: day(8),
        bad_runs: 3,
        good_runs: 0,
        close_after: 2,
        rows: vec![row(true, "POST /checkout", "p95"), row(false, "GET /cart", "error rate")],
        more_rows: 4,
        last_good: commit("4", 1),
        first_bad: commit("9", 8),
        compare_url: Some("https://github.com/acme/shop/compare/4444444...9999999".to_owned()),
        previous: Some(12),
        timeline: vec![
            event(8, IssueStep::Seen, &[], &[]),
            event(15, IssueStep::Opened, &["GET /cart error rate"], &[]),
            event(22, IssueStep::Better, &[], &["GET /cart error rate", "GET /a|b p95"]),
        ],
        earlier_runs: 14,
    };
    let templates = Templates::shipped();
    in_step("tests/golden/issue/failing.md", &render::issue(&report, "default", &failing, &templates).unwrap());
    let recovering = IssueView { state: IssueState::Recovering, good_runs: 1, rows: Vec::new(), ..failing };
    in_step("tests/golden/issue/recovering.md", &render::issue(&report, "default", &recovering, &templates).unwrap());
    assert_eq!(render::issue(&report, "nowhere", &recovering, &templates).unwrap(), "");
}

#[test]
fn a_report_is_what_its_schema_says() {
    let schema = loadgate::schema::Kind::Report.schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for report in [
        report(&[seed_case()], &frame()),
        report(&[Case::new(vec![usual(worse)], weekly(5))], &on_github(frame())),
        report(&[Case::new(vec![usual(worse)], Baseline::new("default"))], &frame()),
    ] {
        let document = serde_json::to_value(&report).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn the_page_about_templates_is_in_step() {
    const BEGIN: &str = "<!-- generated from the types: begin -->\n";
    const END: &str = "<!-- generated from the types: end -->\n";
    let page = fs::read_to_string(root("docs/TEMPLATES.md")).unwrap();
    let (head, rest) = page.split_once(BEGIN).expect("the begin marker");
    let (_, tail) = rest.split_once(END).expect("the end marker");
    let [page, issue, html] = render::schemas().map(loadgate::schema::plainly);
    let mut tables = String::new();
    object(&mut tables, "The page", &page);
    object(&mut tables, "The page of an issue", &issue);
    object(&mut tables, "The page of the run report", &html);
    let mut known: BTreeMap<String, &Value> = BTreeMap::new();
    for schema in [&page, &issue, &html] {
        known.extend(schema["$defs"].as_object().unwrap().iter().map(|(name, schema)| (name.clone(), schema)));
    }
    for (name, schema) in known {
        match schema.get("properties") {
            Some(_) => object(&mut tables, &name, schema),
            None => writeln!(tables, "\n### {name}\n\n{}", words(schema)).unwrap(),
        }
    }
    in_step("docs/TEMPLATES.md", &format!("{head}{BEGIN}{tables}\n{END}{tail}"));
}

fn object(out: &mut String, title: &str, schema: &Value) {
    write!(out, "\n### {title}\n\n| key | holds | |\n|---|---|---|\n").unwrap();
    for (key, value) in schema["properties"].as_object().unwrap() {
        writeln!(out, "| `{key}` | {} | {} |", holds(value), value["description"].as_str().unwrap_or_default())
            .unwrap();
    }
}

/// The words that an enumeration knows.
fn words(schema: &Value) -> String {
    let description = schema["description"].as_str().unwrap_or_default();
    let choices = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let choice = |choice: &Value| {
        let word = choice.get("const").or_else(|| choice.pointer("/enum/0")).and_then(Value::as_str)?;
        Some(format!("\n* `{word}`: {}", choice["description"].as_str().unwrap_or_default()))
    };
    format!("{description}\n{}", choices.iter().filter_map(choice).collect::<String>())
}

/// What stands behind a key, in a few words.
fn holds(value: &Value) -> String {
    if let Some(name) = value["$ref"].as_str() {
        let name = name.trim_start_matches("#/$defs/");
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(choices) = value.get("anyOf").or_else(|| value.get("oneOf")).and_then(Value::as_array) {
        let some: Vec<String> = choices.iter().filter(|one| one["type"] != "null").map(holds).collect();
        return format!("{} or none", some.join(", "));
    }
    let (name, or_none) = match &value["type"] {
        Value::Array(types) => (types[0].as_str().unwrap_or_default(), " or none"),
        one => (one.as_str().unwrap_or_default(), ""),
    };
    let name = match name {
        "array" => format!("list of {}", holds(&value["items"])),
        "string" => "text".to_owned(),
        "integer" | "number" => "number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "object" => format!("{} by name", holds(&value["additionalProperties"])),
        other => other.to_owned(),
    };
    name + or_none
}

/// The example of the page works, and says what it is meant to.
#[test]
fn the_example_of_the_page_about_templates_works() {
    let page = fs::read_to_string(root("docs/TEMPLATES.md")).unwrap();
    let (_, rest) = page.split_once("<!-- example: begin -->\n```jinja\n").unwrap();
    let (example, _) = rest.split_once("```\n").unwrap();
    let templates = Templates::from_texts([("comment.md.j2".to_owned(), example.to_owned())].into());
    let report = report(&[Case::new(vec![usual(worse)], weekly(5))], &frame());
    let comment = render::comment(&report, &templates).unwrap();
    assert!(comment.starts_with("### ❌ Load test: 3 of 6 endpoints are worse than allowed\n"), "{comment}");
    assert!(
        comment.contains("\n- ❌ slower: `POST /checkout` p95 411 → 540 ms, +31\u{202f}% (+129 ms)\n"),
        "{comment}"
    );
}
