//! The pages for a browser, without one: sizes, figures, foreign names, and the commands around the history.

use std::fmt::Write as _;
use std::path::Path;

use jiff::{Timestamp, ToSpan as _};
use loadgate::baseline::{Baseline, Origin};
use loadgate::compare::compare;
use loadgate::policy::Policy;
use loadgate::report::compose::{Frame, SuiteInput, compose};
use loadgate::report::templates::Templates;
use loadgate::report::{Report, escape, render};
use loadgate::run::Run;
use loadgate::run::recorder::Recorder;
use loadgate::site;
use loadgate::verdict::{Status, judge};

use crate::cli::{SEED_BASELINE, SEED_CURRENT, Workspace};

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// A run with samples and a course: every name three hundred times in ten minutes; every fifth is `slower` times as slow.
fn run(names: &[String], seed: u64, slower: f64) -> Run {
    let mut recorder = Recorder::new();
    recorder.tool("k6");
    let start_ms = 1_795_000_000_000_i64;
    recorder.spans(start_ms as f64, (start_ms + 600_000) as f64);
    let mut state = seed;
    for at in 0..300_i64 {
        for (place, name) in names.iter().enumerate() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let spread = (state >> 33) as f64 / f64::from(u32::MAX >> 1);
            let factor = if place.is_multiple_of(5) { slower } else { 1.0 };
            let nanos = ((20.0 + place as f64) * (1.2 * spread).exp() * factor * 1e6) as u64;
            let ok = !(at.unsigned_abs() * 7 + place as u64).is_multiple_of(150);
            recorder.timeline().add(start_ms + at * 2_000, Some(nanos), Some(ok));
            recorder.timeline().users(start_ms + at * 2_000, (1 + at / 30) as f64);
            let draft = recorder.endpoint(Some("GET"), name);
            draft.samples().add(Some(nanos), Some(ok));
            if !ok {
                draft.error(&format!("status 50{}: {name}", at % 4), 1);
            }
        }
    }
    recorder.finish().unwrap()
}

fn report(names: &[String]) -> Report {
    let mut baseline = Baseline::new("default");
    for week in 0..4_u64 {
        let time = now() - (7 * 24 * (4 - i64::try_from(week).unwrap())).hours();
        baseline.add(&run(names, week, 1.0), Origin { id: format!("w{week}"), time: Some(time), ..Origin::default() });
    }
    let (policy, runs) = (Policy::shipped(), [run(names, 9, 1.5)]);
    let comparison = compare(&baseline, &runs);
    let verdict = judge(&policy, &comparison, jiff::civil::date(2026, 11, 24));
    let input = SuiteInput {
        name: "default",
        policy: &policy,
        verdict: &verdict,
        comparison: &comparison,
        baseline: &baseline,
        baseline_path: ".loadgate/baselines/default.json",
        reason: None,
        runs: &runs,
        notices: Vec::new(),
    };
    compose(&[input], &Frame { now: now(), exit_code: 1, origin: None, notices: Vec::new() })
}

fn names(number: usize) -> Vec<String> {
    (0..number).map(|at| format!("/api/v1/organisations/projects/{at}")).collect()
}

fn html(report: &Report) -> String {
    render::html(report, &Templates::shipped()).unwrap()
}

#[test]
fn a_report_of_fifty_endpoints_is_drawn_whole_and_stays_small() {
    let report = report(&names(50));
    let page = html(&report);
    assert!(page.len() <= 300_000, "{} bytes", page.len());
    assert_eq!(page.matches("latency by percentile</figcaption>").count(), 50, "{} bytes", page.len());
    assert_eq!(page.matches("distribution of latency</figcaption>").count(), 50);
    assert!(page.contains("The run over time") && !page.contains("not drawn here"));
    // Every figure of a row that matters is on the page as report.json has it; of the others so many as fit.
    let matters = |status| !matches!(status, Status::Pass | Status::Info | Status::NotMeasured);
    for row in report.suites[0].rows.iter().filter(|row| matters(row.status)) {
        for figure in [&row.text.both, &row.text.change, &row.text.limit] {
            assert!(page.contains(&*escape::html(figure)), "{figure} of {} is not on the page", row.endpoint);
        }
    }
    // The report is read back from its JSON with all that the page needs.
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(html(&serde_json::from_str::<Report>(&json).unwrap()), page);
    // In whatever order somebody left the endpoints.
    let mut turned: serde_json::Value = serde_json::from_str(&json).unwrap();
    turned["suites"][0]["run"]["endpoints"].as_array_mut().unwrap().reverse();
    assert_eq!(html(&loadgate::report::read::parse(&turned.to_string()).unwrap()), page);
}

#[test]
fn a_report_of_a_thousand_endpoints_says_what_it_leaves_out() {
    let page = html(&report(&names(400)));
    assert!(page.len() <= 300_000, "{} bytes", page.len());
    assert!(page.contains("not drawn here") && page.contains("left out here"));
    assert!(page.trim_end().ends_with("</html>"), "a page is shortened by showing less, not by cutting");
}

#[test]
fn foreign_names_stay_text() {
    let hostile: Vec<String> = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "</title></svg></style><script>alert(1)</script>",
        "{{ 7*7 }}",
        "\u{202e}\u{0}gpj",
    ]
    .map(str::to_owned)
    .into();
    let report = report(&hostile);
    let mut history = String::new();
    let stamp = loadgate::history::Stamp { commit: Some("<i>c".to_owned()), ..loadgate::history::Stamp::default() };
    let line = loadgate::history::Line::of(&report.suites[0], stamp).unwrap();
    for day in 0..8 {
        let time = now() - (24 * (8 - day)).hours();
        history = loadgate::history::append(&history, &loadgate::history::Line { time, ..line.clone() }, 400);
    }
    let suite = site::Suite { name: "<i>\"'".to_owned(), history };
    let frame = site::Frame { now: now(), repository: Some("https://github.com/a/b\"><script>".to_owned()) };
    let files = site::build(&[suite], &frame, &Templates::shipped()).unwrap();
    let pages = files
        .iter()
        .filter(|file| Path::new(&file.path).extension().is_some_and(|ending| ending == "html"))
        .map(|file| file.text.clone());
    let mut seen = 0;
    for page in pages.chain([html(&report)]) {
        seen += 1;
        let scripts = page.matches("<script").count();
        assert_eq!(scripts, 1, "only our own script");
        for mark in ["<img", "<i>", "onerror=alert(1)>", "\u{202e}", "\u{0}", "49"] {
            let found = page.contains(mark)
                && !(mark == "49" || mark == "onerror=alert(1)>" && page.contains("onerror=alert(1)&gt;"));
            assert!(!found, "{mark}");
        }
    }
    assert_eq!(seen, 5 + 1 + 1 + 1);
    assert!(files.iter().all(|file| file.path.chars().all(|c| c.is_ascii_alphanumeric() || "-./".contains(c))));
}

/// What SPEC asks of the site: a shell of at most 80 KB over 400 runs of 50 endpoints.
#[test]
fn the_shell_of_a_long_history_stays_small() {
    let mut history = String::new();
    for day in 0..400_i64 {
        let mut endpoints = Vec::new();
        for at in 0..50_i64 {
            let p50 = 50 + at + (day * 31 + at * 17) % 7 + if day > 370 && at % 5 == 0 { 30 } else { 0 };
            endpoints.push(format!(
                r#""GET /things/{at}":{{"error_rate":0,"latency_p50":{p50},"latency_p95":{},"latency_p99":{},"throughput":20}}"#,
                p50 * 2,
                p50 * 3
            ));
        }
        let time = now() - (24 * (400 - day)).hours();
        let _ = writeln!(
            history,
            r#"{{"schema":"loadgate.history/1","time":"{time}","workflow_run_id":{day},"verdict":"pass","endpoints":{{{}}}}}"#,
            endpoints.join(",")
        );
    }
    let suite = site::Suite { name: "default".to_owned(), history };
    let frame = site::Frame { now: now(), repository: None };
    let files = site::build(&[suite], &frame, &Templates::shipped()).unwrap();
    let size = |name: &str| files.iter().find(|file| file.path == name).unwrap().text.len();
    let shell = size("index.html") + size("style.css") + size("page.js");
    assert!(shell <= 80_000, "{shell} bytes");
    assert_eq!(files.iter().filter(|file| file.path.starts_with("cards/")).count(), 50);
    let index = &files.iter().find(|file| file.path == "index.html").unwrap().text;
    // The ten whose level changed stand first.
    let first: Vec<&str> = index.split("<tbody").skip(1).take(10).collect();
    assert!(first.iter().all(|row| row.contains("2026-10-2")), "{first:?}");
}

#[test]
fn a_history_is_added_to_listed_pruned_and_exported() {
    let workspace = Workspace::seed(&[SEED_BASELINE, SEED_CURRENT]);
    assert_eq!(workspace.run(&format!("check --baseline {SEED_BASELINE} {SEED_CURRENT}")).code, 1);
    for day in 1..=5 {
        let added = workspace.run(&format!("history add --time 2026-11-0{day}T02:00:00Z --workflow-run-id {day}"));
        assert_eq!(added.code, 0, "{}", added.stderr);
    }
    // A repeated attempt counts once.
    workspace.run("history add --time 2026-11-05T03:00:00Z --workflow-run-id 5 --commit abc");
    let listed = workspace.run("history list");
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    assert!(listed.stdout.starts_with("default: 5 runs\n"), "{}", listed.stdout);
    assert!(listed.stdout.contains("2026-11-05 03:00  abc"), "{}", listed.stdout);
    assert!(listed.stdout.contains("19 runs are missing between 2026-11-05 and 2026-11-24"), "{}", listed.stdout);
    // The page that is made again tells it, and so does the next check; without a history there is nothing to tell.
    let rendered = workspace.run("report");
    assert!(rendered.stdout.contains("last 6 runs: "), "{}", rendered.stdout);
    workspace.run(&format!("check --baseline {SEED_BASELINE} {SEED_CURRENT} --report-dir again"));
    assert!(workspace.read("again/summary.md").contains("last 6 runs: "));
    assert!(!workspace.read("loadgate-report/summary.md").contains("From run to run"));
    let exported = workspace.run("history export").stdout;
    assert!(exported.contains(",api_gateway,error_rate,"), "{exported}");
    assert!(exported.lines().any(|line| line.contains(",error_rate,") && line.ends_with(",fail")), "{exported}");
    // A total that no rule names was not judged, nor was p50 with one run to compare with: nobody called them fine.
    for quiet in [",(total),throughput,", ",api_gateway,latency_p50,"] {
        let line = exported.lines().find(|line| line.contains(quiet)).unwrap();
        assert!(line.ends_with(",,"), "{line}");
    }
    assert_eq!(workspace.run("history prune --keep 2").code, 0);
    assert_eq!(workspace.run("history list --format json").stdout.lines().count(), 2);
    assert_eq!(workspace.run("site out").code, 0);
    assert!(workspace.read("out/index.html").contains("api_gateway"));
    let none = workspace.run("site out --history nowhere");
    assert_eq!(none.code, 2);
    assert!(none.stderr.contains("there is no history"), "{}", none.stderr);
    let none = workspace.run("report nowhere.json");
    assert_eq!((none.code, none.stderr.contains("hint: `loadgate check` writes one")), (2, true), "{}", none.stderr);
}
