//! The seed case, from its files to the verdict: `tests/fixtures/seed/README.md` says what has to come out.

use std::path::Path;

use jiff::civil::date;
use loadgate::artifact::discover::discover;
use loadgate::baseline::store::{self, Stored};
use loadgate::baseline::{Baseline, Origin};
use loadgate::compare::{Comparison, compare};
use loadgate::format::read::read;
use loadgate::policy::{Gate, Policy};
use loadgate::run::Run;
use loadgate::run::combine::combine;
use loadgate::verdict::{Finding, Outcome, Status, Verdict, judge};

const CURRENT: &str = "load_results_api_20251017_143004.csv";
const BASELINE: &str = "load_results_baseline_20251017_143004.csv";

fn runs(file: &str) -> Vec<Run> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/seed");
    let artifacts = discover(&folder, &[file.to_owned()]).unwrap();
    let reading = read(&artifacts, &[]).unwrap();
    combine(reading.runs, None).runs
}

/// A baseline of the file's runs, through the text of a baseline file and back.
fn baseline(file: &str) -> Baseline {
    let mut baseline = Baseline::new("default");
    for run in runs(file) {
        baseline.add(&run, Origin { id: "seed".to_owned(), ..Origin::default() });
    }
    match store::parse(&store::to_text(&baseline), "baseline.json").unwrap() {
        Stored::Baseline(read) => read,
        other => panic!("{other:?}"),
    }
}

fn with<T>(
    gate: Gate,
    baseline: &Baseline,
    current: &[Run],
    check: impl FnOnce(&Comparison<'_>, &Verdict<'_>) -> T,
) -> T {
    let policy = Policy { gate, ..Policy::shipped() };
    let comparison = compare(baseline, current);
    check(&comparison, &judge(&policy, &comparison, date(2026, 11, 24)))
}

/// `endpoint metric status` of every finding.
fn statuses(verdict: &Verdict<'_>) -> Vec<String> {
    let text = |finding: &Finding<'_>| {
        let metric = finding.metric.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        format!("{} {metric} {}", finding.endpoint, serde_json::to_value(finding.status).unwrap().as_str().unwrap())
    };
    verdict.findings.iter().map(text).collect()
}

fn finding<'v, 'p>(verdict: &'v Verdict<'p>, endpoint: &str, metric: &str) -> &'v Finding<'p> {
    let wanted = |finding: &&Finding<'_>| {
        finding.endpoint == endpoint && finding.metric.as_ref().is_some_and(|own| own.name() == metric)
    };
    verdict.findings.iter().find(wanted).unwrap()
}

const AUTO: [&str; 14] = [
    "api_gateway error_rate fail",
    "api_gateway latency_mean info",
    "api_gateway latency_p50 info",
    "api_gateway latency_p95 not_measured",
    "api_gateway latency_p99 not_measured",
    "api_gateway throughput pass",
    "mcp_server - missing",
    "rag_service error_rate fail",
    "rag_service latency_mean info",
    "rag_service latency_p50 info",
    "rag_service latency_p95 not_measured",
    "rag_service latency_p99 not_measured",
    "rag_service throughput pass",
    "(total) throughput info",
];

#[test]
fn one_baseline_run_and_limits() {
    with(Gate::Auto, &baseline(BASELINE), &runs(CURRENT), |comparison, verdict| {
        assert_eq!(statuses(verdict), AUTO);
        assert_eq!(verdict.outcome, Outcome::Fail);
        assert_eq!(verdict.decided.as_str(), "plain");
        assert_eq!(comparison.load_mismatch, None);
        let total = finding(verdict, "(total)", "throughput");
        assert_eq!((total.baseline, total.current), (Some(90.0), Some(59.0)));
        let rate = finding(verdict, "rag_service", "error_rate");
        assert_eq!((rate.baseline, rate.change_relative), (Some(0.0), None));
        let throughput = finding(verdict, "api_gateway", "throughput");
        assert!((throughput.change_relative.unwrap() + 0.3).abs() < 1e-12);
    });
}

#[test]
fn the_old_figures_give_the_same_verdicts() {
    with(Gate::Auto, &baseline("performance-baselines-v2.json"), &runs(CURRENT), |_, verdict| {
        let judged: Vec<String> = statuses(verdict).into_iter().filter(|text| !text.starts_with("(total)")).collect();
        assert_eq!(judged, AUTO[..AUTO.len() - 1]);
        assert_eq!(verdict.outcome, Outcome::Fail);
    });
}

#[test]
fn so_little_proves_nothing() {
    with(Gate::Evidence, &baseline(BASELINE), &runs(CURRENT), |_, verdict| {
        assert!(verdict.findings.iter().all(|finding| finding.status != Status::Fail), "{:?}", statuses(verdict));
        assert_eq!(finding(verdict, "api_gateway", "error_rate").status, Status::Inconclusive);
        assert_eq!(finding(verdict, "rag_service", "error_rate").status, Status::Pass);
        let p50 = finding(verdict, "api_gateway", "latency_p50");
        assert_eq!(p50.status, Status::Inconclusive);
        assert!((p50.evidence.as_ref().unwrap().p_value.unwrap() - 0.01005).abs() < 5e-6);
    });
}

#[test]
fn every_row_explains_itself() {
    with(Gate::Auto, &baseline(BASELINE), &runs(CURRENT), |_, verdict| {
        let told: Vec<String> = verdict
            .findings
            .iter()
            .map(|finding| {
                let evidence = finding.evidence.as_ref().map_or("-", |evidence| &evidence.text);
                let metric = finding.metric.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
                format!("{} {metric}\n  why      {}\n  evidence {evidence}", finding.endpoint, finding.why)
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    });
}

#[test]
fn limits_alone_say_the_same() {
    with(Gate::Plain, &baseline(BASELINE), &runs(CURRENT), |_, verdict| {
        assert_eq!(finding(verdict, "api_gateway", "error_rate").status, Status::Fail);
        assert_eq!(finding(verdict, "rag_service", "error_rate").status, Status::Fail);
        assert_eq!(finding(verdict, "api_gateway", "throughput").status, Status::Pass);
    });
}

#[test]
fn a_run_against_itself_passes() {
    let current = runs(CURRENT);
    with(Gate::Auto, &baseline(CURRENT), &current, |_, verdict| {
        assert_eq!(verdict.outcome, Outcome::Pass);
        assert_eq!(verdict.notices, []);
    });
}

#[test]
fn without_a_baseline_nothing_is_judged() {
    with(Gate::Auto, &Baseline::new("default"), &runs(CURRENT), |_, verdict| {
        assert_eq!(verdict.outcome, Outcome::NoBaseline);
        assert!(verdict.findings.is_empty(), "{:?}", statuses(verdict));
    });
}

#[test]
fn the_real_pair_praises_nothing_that_only_fails() {
    let baseline = baseline("load_results_baseline_actual_stats.csv");
    with(Gate::Auto, &baseline, &runs("load_results_api_progressive_stats.csv"), |_, verdict| {
        let notice = verdict.notices.iter().find(|notice| notice.code == "mostly_fails").unwrap();
        assert_eq!(
            notice.message,
            "POST /v1/chat/completions fails every request in the baseline and now: its latency and throughput mean nothing and are not judged"
        );
        let of = |finding: &&Finding<'_>| finding.endpoint == "POST /v1/chat/completions";
        for finding in verdict.findings.iter().filter(of) {
            let rate = finding.metric.as_ref().is_some_and(|metric| metric.name() == "error_rate");
            assert_eq!(finding.status, if rate { Status::Pass } else { Status::Info }, "{finding:?}");
        }
        assert!(verdict.findings.iter().all(|finding| finding.status != Status::Improved));
        let few = finding(verdict, "GET /v1/models", "latency_p95");
        assert_eq!(few.status, Status::NotMeasured);
        assert!(few.why.ends_with("requests in the baseline, p95 needs 200"), "{}", few.why);
    });
}
