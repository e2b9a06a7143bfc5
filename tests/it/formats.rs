//! Real files of every tool against figures that an independent script computed from them. [I/O]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use loadgate::artifact::Artifact;
use loadgate::artifact::open::open;
use loadgate::format::read::{ReadError, read};
use loadgate::format::{Confidence, FORMATS};
use loadgate::run::metric::Metric;
use loadgate::run::{Endpoint, Run};
use serde_json::Value;

use crate::files::fixtures;

/// The collection that only developers have; its `base` and `regressed` are in the repository. Where it is missing that is
/// said past the capture of test output: nothing was tested.
fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("LOADGATE_SHARED").map_or(beside, PathBuf::from).join("samples");
    if !folder.is_dir() {
        let message = "skipped: no samples in ../shared or where LOADGATE_SHARED says; only the fixtures are tested\n";
        std::io::stderr().write_all(message.as_bytes()).unwrap();
        return None;
    }
    Some(folder)
}

fn read_one(path: &Path) -> Result<Run, ReadError> {
    let artifact =
        Artifact { name: path.to_str().unwrap().to_owned(), path: path.to_owned(), member: None, named: true };
    read(&[artifact], &[]).map(|mut reading| reading.runs.remove(0))
}

/// The folders below `root` with an `expected.json`, and what it says.
fn cases(root: &Path) -> Vec<(PathBuf, Value)> {
    let mut found = Vec::new();
    for tool in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for case in ["base", "same", "regressed"].map(|case| tool.join(case)) {
            if let Ok(text) = fs::read_to_string(case.join("expected.json")) {
                found.push((case, serde_json::from_str(&text).unwrap()));
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// A file of a case, gzipped or not.
fn file_of(case: &Path, name: &str) -> Option<PathBuf> {
    [name.to_owned(), format!("{name}.gz")].iter().map(|name| case.join(name)).find(|path| path.is_file())
}

fn metric(word: &str) -> Option<Metric> {
    Metric::percentile(word.strip_prefix('p')?.parse::<f64>().ok()? / 100.0)
}

/// What differs between an endpoint and what is expected of it.
fn differences(endpoint: &Endpoint, expected: &Value, wrong: &mut Vec<String>) {
    let mut check = |what: &str, found: Option<f64>, wanted: Option<f64>, tolerance: f64| {
        let Some(wanted) = wanted else { return };
        if found.is_none_or(|found| (found - wanted).abs() > tolerance * wanted.abs() + 1e-9) {
            wrong.push(format!("{} {what}: {found:?}, not {wanted}", endpoint.label()));
        }
    };
    let number = |key: &str| expected[key].as_f64();
    // Requests that oha cut off at its deadline are no failures; the script counted every error.
    let cut_off = expected["errors"]["aborted due to deadline"].as_f64().unwrap_or(0.0);
    let failures = number("failures").or(number("non2xx")).map(|failures| failures - cut_off);
    check("requests", endpoint.requests.map(|count| count as f64), number("count"), 0.0);
    check("failures", endpoint.failures.map(|count| count as f64), failures, 0.0);
    check("mean", endpoint.value(&Metric::LatencyMean), number("mean"), 1e-9);
    check("min", endpoint.value(&Metric::LatencyMin), number("min"), 1e-9);
    check("max", endpoint.value(&Metric::LatencyMax), number("max"), 1e-9);
    let percentiles = [
        (expected, 1e-9),
        (&expected["reported"], 1e-9),
        (&expected["percentiles"]["nearest_rank"], 0.01),
        (&expected["histogram_nearest_rank"], 0.01),
    ];
    // The script's rank for p99.9 of exactly 1,000 samples is one too high by a rounding error.
    let thousand = number("count") == Some(1_000.0);
    for (value, tolerance) in percentiles {
        for (word, wanted) in value.as_object().into_iter().flatten() {
            if let Some(metric) = metric(word).filter(|metric| !thousand || *metric != Metric::LatencyP999) {
                check(word, endpoint.value(&metric), wanted.as_f64(), tolerance);
            }
        }
    }
}

/// Everything that differs in one artifact.
fn artifact_differences(path: &Path, expected: &Value) -> Vec<String> {
    let run = match read_one(path) {
        Ok(run) => run,
        Err(error) => return vec![error.to_string()],
    };
    let mut wrong = Vec::new();
    for wanted in expected["endpoints"].as_array().into_iter().flatten() {
        let method = wanted["method"].as_str().map(str::to_uppercase);
        // Tools that test one URL do not name it: the file does.
        let found = match wanted["name"].as_str() {
            Some(name) => run
                .endpoints
                .iter()
                .find(|endpoint| endpoint.name == name && (method.is_none() || endpoint.method == method)),
            None => run.endpoints.first().filter(|endpoint| path.to_str().unwrap().contains(&endpoint.name)),
        };
        match found {
            Some(endpoint) => differences(endpoint, wanted, &mut wrong),
            None => wrong.push(format!("no endpoint {wanted}")),
        }
    }
    selector_differences(&run, expected, &mut wrong);
    run_differences(&run, expected, &mut wrong);
    if let (Some(total), wanted @ Value::Object(_)) = (&run.total, &expected["total"]) {
        differences(total, wanted, &mut wrong);
        if let (Some(good), Some(bad)) = (wanted["successes"].as_f64(), wanted["failures"].as_f64()) {
            assert_eq!(total.requests, Some((good + bad) as u64), "{}", path.display());
        }
    }
    wrong
}

/// Users, start and duration.
fn run_differences(run: &Run, expected: &Value, wrong: &mut Vec<String>) {
    let endpoints = expected["endpoints"].as_array().map(Vec::as_slice).unwrap_or_default();
    let only = if endpoints.len() == 1 { endpoints.first() } else { None };
    let first = |keys: &[&str]| {
        let places = [Some(expected), expected.get("total"), only];
        places.into_iter().flatten().find_map(|place| keys.iter().find_map(|key| place[*key].as_f64()))
    };
    let mut check = |what: &str, found: Option<f64>, wanted: Option<f64>, tolerance: f64| {
        let differs = |wanted: &f64| found.is_none_or(|found| (found - wanted).abs() > tolerance);
        if let Some(wanted) = wanted.filter(differs) {
            wrong.push(format!("{what}: {found:?}, not {wanted}"));
        }
    };
    // Between the dumps of Tsung's log lies less than the run, and the most users are not those at the moment of a dump.
    if expected["parser"] == "tsung_log" {
        return;
    }
    check("users", run.load.users, first(&["users", "max_users", "max_threads"]), 0.0);
    check("duration", run.duration_s, first(&["duration", "span"]), 1e-6);
    let earliest = endpoints.iter().filter_map(|endpoint| endpoint["start"].as_f64()).reduce(f64::min);
    let started = run.started_at.map(|start| start.as_millisecond() as f64 / 1e3);
    check("start", started, first(&["start"]).or(earliest), 1.1e-3);
}

/// k6's summaries tell of endpoints by selector: `http_req_duration{name:/tools}`.
fn selector_differences(run: &Run, expected: &Value, wrong: &mut Vec<String>) {
    let mut check = |selector: &str, metric: &str, key: &str, wanted: &Value| {
        let (found, known) = match (metric, key) {
            ("http_req_duration", "avg") => (Some(Metric::LatencyMean), None),
            ("http_req_duration", "med") => (Some(Metric::LatencyP50), None),
            ("http_req_duration", "min") => (Some(Metric::LatencyMin), None),
            ("http_req_duration", "max") => (Some(Metric::LatencyMax), None),
            ("http_reqs", "rate") => (Some(Metric::Throughput), None),
            ("http_req_duration" | "http_reqs", "count") => (None, Some(true)),
            ("http_req_failed", "passes" | "matches") => (None, Some(false)),
            ("http_req_duration", key) => (self::metric(&key.replace(['(', ')'], "")), None),
            _ => (None, None),
        };
        let endpoint = match selector.strip_prefix("name:") {
            Some(name) => run.endpoint(name),
            None if selector.is_empty() => run.total.as_ref(),
            None => return,
        };
        let Some(endpoint) = endpoint else { return wrong.push(format!("no endpoint {selector}")) };
        let value = match (found, known) {
            (Some(metric), _) => endpoint.value(&metric),
            (None, Some(true)) => endpoint.requests.map(|count| count as f64),
            (None, Some(false)) => endpoint.failures.map(|count| count as f64),
            (None, None) => return,
        };
        if value.is_none_or(|value| (value - wanted.as_f64().unwrap()).abs() > 1e-9) {
            wrong.push(format!("{selector} {metric} {key}: {value:?}, not {wanted}"));
        }
    };
    for (selector, metrics) in expected["by_selector"].as_object().into_iter().flatten() {
        for (metric, values) in metrics.as_object().unwrap() {
            values.as_object().unwrap().iter().for_each(|(key, wanted)| check(selector, metric, key, wanted));
        }
    }
    for (name, metric) in expected["metrics_key"].as_object().into_iter().flatten() {
        let (metric_name, selector) =
            name.strip_suffix('}').and_then(|name| name.split_once('{')).unwrap_or((name, ""));
        let values = metric["values"].as_object().unwrap();
        values.iter().for_each(|(key, wanted)| check(selector, metric_name, key, wanted));
    }
}

fn check_all(root: &Path) -> usize {
    let mut wrong = BTreeMap::new();
    let mut checked = 0;
    for (case, expected) in cases(root) {
        for (name, artifact) in expected["artifacts"].as_object().unwrap() {
            let Some(path) = file_of(&case, name) else { continue };
            // Taurus keeps its executor's own file, which is JMeter's format.
            let foreign = Path::new(name).extension().is_some_and(|extension| extension == "jtl")
                && !FORMATS.iter().any(|format| format.tool == "JMeter");
            if foreign || !covered(&case) {
                continue;
            }
            checked += 1;
            let found = artifact_differences(&path, artifact);
            if !found.is_empty() {
                wrong.insert(path, found);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    checked
}

/// Whether the tool's files are among the fixtures.
fn covered(case: &Path) -> bool {
    let tool = case.parent().and_then(Path::file_name).unwrap();
    fixtures().join(tool).join("base").is_dir()
}

#[test]
fn figures_are_those_of_an_independent_script() {
    assert!(check_all(&fixtures()) > 50);
}

#[test]
fn the_whole_collection_agrees_where_it_is_present() {
    if let Some(folder) = shared() {
        assert!(check_all(&folder) > 100);
    }
}

/// Every artifact among the fixtures.
fn artifacts(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !["config", "github", "stats", "seed"].contains(&name) {
                artifacts(&path, found);
            }
        } else if path.extension().is_none_or(|extension| extension != "md")
            && name != "expected.json"
            && path.parent() != Some(&fixtures())
        {
            found.push(path);
        }
    }
    found.sort();
}

#[test]
fn every_fixture_is_claimed_by_one_format_alone() {
    let mut files = Vec::new();
    artifacts(&fixtures(), &mut files);
    assert!(files.len() > 100, "{}", files.len());
    for file in files {
        let artifact = Artifact { name: "x".to_owned(), path: file.clone(), member: None, named: true };
        let head = open(&artifact).unwrap().head;
        let sure: Vec<&str> =
            FORMATS.iter().filter(|format| (format.sniff)(&head) > Confidence::No).map(|format| format.id).collect();
        assert_eq!(sure.len(), 1, "{}: {sure:?}", file.display());
    }
}

/// Requests that the plug-in's files of a run tell of in seconds that are judged, counted without our parser.
fn judged_requests(folder: &Path) -> (Vec<PathBuf>, u64) {
    let mut files = Vec::new();
    artifacts(folder, &mut files);
    let mut sum = 0;
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let stages = lines[0]["plan"]["stages"].as_array().unwrap();
        let is_judged = |second: &Value| {
            stages.iter().any(|it| (it["from"].as_u64()..it["end"].as_u64()).contains(&second.as_u64()))
        };
        let rows = lines.iter().flat_map(|line| line["rows"].as_array().into_iter().flatten());
        sum += rows.filter(|row| is_judged(&row["second"])).map(|row| row["requests"].as_u64().unwrap()).sum::<u64>();
    }
    (files, sum)
}

#[test]
fn a_run_of_ours_is_read_whatever_ended_it() {
    for (folder, of, complete) in [("processes", 3, true), ("killed", 1, false), ("master", 1, true)] {
        let (files, requests) = judged_requests(&fixtures().join("locust-loadgate").join(folder));
        assert_eq!(files.len(), of);
        let named = |path: &PathBuf| Artifact {
            name: path.to_str().unwrap().to_owned(),
            path: path.clone(),
            member: None,
            named: true,
        };
        let artifacts: Vec<Artifact> = files.iter().map(named).collect();
        let runs = read(&artifacts, &[]).unwrap().runs;
        assert_eq!(runs.len(), 1, "{folder}: files of one run are one run");
        let run = &runs[0];
        assert_eq!(run.total.as_ref().unwrap().requests, Some(requests), "{folder}");
        assert_eq!(run.endpoints.iter().filter_map(|endpoint| endpoint.requests).sum::<u64>(), requests, "{folder}");
        assert_eq!((run.complete, run.notices.len()), (Some(complete), usize::from(!complete)), "{folder}");
        assert!(run.notices.iter().all(|notice| notice.code == loadgate::run::CUT_SHORT), "{:?}", run.notices);
        let stages = if folder == "processes" {
            vec!["at 2 users", "at 4 users"]
        } else {
            vec!["/execute", "/query", "/v1/models"]
        };
        assert!(stages.iter().all(|stage| run.endpoints.iter().any(|endpoint| endpoint.name.ends_with(stage))));
    }
}

/// Requests, failures and one figure of the first endpoint (or the total) of files that others wrote.
#[test]
fn public_files_give_their_figures() {
    let table: [(&str, u64, Option<u64>, Metric, f64); 25] = [
        ("rlt/regressed/tools.txt", 400, Some(18), Metric::LatencyP95, 19.32),
        ("fortio/public/nighthawk-small.json", 60, Some(0), Metric::LatencyP90, 68.657_151),
        ("fortio/public/readme-1-http.json", 4, Some(0), Metric::LatencyP99, 0.921_640_506_666_666_8),
        ("ghz/public/output.csv", 10, Some(0), Metric::LatencyMax, 1.43),
        ("ghz/public/report1.json", 200, Some(0), Metric::LatencyP95, 57.216_542),
        ("ghz/public/report2-errors.json", 200, Some(19), Metric::LatencyP95, 42.991_706),
        ("ghz/public/summary-text.txt", 200, Some(14), Metric::LatencyP95, 55.45),
        ("hey/public/hey-home.txt", 167_423, Some(0), Metric::LatencyP95, 42.8),
        ("k6/public/handlesummary-k6reporter-simple.json", 878, Some(349), Metric::LatencyP99, 39.577_136_380_000_084),
        ("k6/public/out-csv-finance.csv.gz", 40, Some(0), Metric::LatencyMax, 218.508),
        ("k6/public/stdout-summary.txt", 4_694, Some(4_694), Metric::LatencyP95, 52.48),
        ("k6/public/summary-export-skip.json", 4_833, Some(0), Metric::LatencyP95, 8.087_999_999_999_99),
        ("junit/public/TEST-success-failure-error.xml", 1, Some(1), Metric::LatencyMean, 6.0),
        ("nbomber/public/csv_report-a.csv", 18_030, Some(0), Metric::LatencyP95, 380.67),
        ("oha/public/oha-home.txt", 205_228, Some(0), Metric::LatencyP95, 17.4422),
        ("oha/public/oha-ping.txt", 15_185, Some(0), Metric::LatencyP95, 278.6),
        ("siege/public/siege.log", 10_893, Some(0), Metric::LatencyMean, 500.0),
        ("siege/public/verbose-ansi-csv.out", 10, Some(0), Metric::LatencyMean, 388.0),
        ("taurus/public/final-stats.csv", 340, Some(0), Metric::LatencyP95, 204.0),
        ("taurus/public/final-stats.xml", 337, Some(11), Metric::LatencyP95, 1420.0),
        ("tsung/public/tsung-json-backend.log", 45, Some(0), Metric::LatencyMean, 549.221_457_248_263_8),
        ("wrk/public/latency-flag.wrk", 18, Some(0), Metric::LatencyP99, 46.51),
        ("wrk/public/long.wrk", 1_045, Some(0), Metric::LatencyMax, 235_540.0),
        ("wrk2/public/readme-1.txt", 60_017, Some(0), Metric::LatencyMax, 12.34),
        ("wrk2/public/readme-3.txt", 60_031, Some(0), Metric::LatencyP95, 9.415),
    ];
    for (file, requests, failures, metric, value) in table {
        let run = read_one(&fixtures().join(file)).unwrap();
        let endpoint = run.endpoints.first().or(run.total.as_ref()).unwrap();
        assert_eq!((endpoint.requests, endpoint.failures), (Some(requests), failures), "{file}");
        let found = endpoint.value(&metric).unwrap();
        assert!((found - value).abs() < 1e-9, "{file}: {metric} {found}");
    }
}

/// Versions and options that no real file at hand has: requests, failures and some figures of an endpoint (or the total).
#[test]
fn files_made_by_hand_give_their_figures() {
    use Metric::{LatencyMax, LatencyMean, LatencyMin, LatencyP50, LatencyP90, LatencyP95, LatencyP99, Throughput};
    type Row<'a> = (&'a str, &'a str, u64, Option<u64>, &'a [(Metric, f64)]);
    let table: [Row<'_>; 11] = [
        (
            "ab/made/no-median.txt",
            "/tools",
            400,
            Some(0),
            &[(LatencyMean, 13.86), (LatencyMin, 3.0), (LatencyMax, 58.0)],
        ),
        (
            "gatling/made/stats.js",
            "GET /tools",
            200,
            Some(6),
            &[(LatencyMin, 3.0), (LatencyP95, 20.0), (Throughput, 20.0)],
        ),
        ("gatling/made/stats.js", "checkout / pay: now", 100, Some(0), &[(LatencyP50, 50.0), (LatencyP99, 150.0)]),
        ("h2load/made/percentiles.txt", "percentiles", 6_166, Some(6), &[(LatencyP95, 1.4), (LatencyMean, 0.775)]),
        (
            "jmeter/made/cmd-aggregate.csv",
            "/tools",
            200,
            Some(6),
            &[(LatencyP90, 17.0), (LatencyP99, 60.0), (Throughput, 19.6)],
        ),
        ("jmeter/made/statistical.jtl", "/tools", 190, Some(3), &[(LatencyMean, 2550.0 / 190.0)]),
        ("jmeter/made/statistical.xml", "/tools", 190, Some(3), &[(LatencyMean, 2550.0 / 190.0)]),
        ("jmeter/made/summariser-comma.log", "", 900, Some(6), &[(LatencyMax, 201.0), (Throughput, 29.5)]),
        ("locust/made/json-after-log.txt", "GET /tools", 4, Some(1), &[(LatencyMean, 11.625), (LatencyP95, 20.0)]),
        ("locust/made/old_stats_history.csv", "", 30, Some(2), &[(LatencyP50, 11.0), (LatencyMean, 12.0)]),
        ("locust/made/stats-requests.json", "GET /tools", 300, Some(3), &[(LatencyMean, 12.5), (LatencyP95, 20.0)]),
    ];
    for (file, name, requests, failures, figures) in table {
        let run = read_one(&fixtures().join(file)).unwrap();
        let endpoint = if name.is_empty() { run.total.as_ref() } else { run.endpoint(name) };
        let endpoint = endpoint.unwrap_or_else(|| panic!("{file}: no {name} in {run:?}"));
        assert_eq!((endpoint.requests, endpoint.failures), (Some(requests), failures), "{file}");
        for (metric, value) in figures {
            let found = endpoint.value(metric);
            assert!(found.is_some_and(|found| (found - value).abs() < 1e-9), "{file}: {metric} {found:?}");
        }
    }
}

#[test]
fn rows_that_stand_for_several_samples_give_no_percentiles() {
    for name in ["statistical.jtl", "statistical.xml"] {
        let run = read_one(&fixtures().join("jmeter/made").join(name)).unwrap();
        assert!(run.notices.iter().any(|notice| notice.code == "grouped_samples"), "{name}: {run:?}");
        let known: Vec<String> = run.endpoint("/tools").unwrap().metrics.keys().map(ToString::to_string).collect();
        assert_eq!(known, ["error_rate", "latency_mean", "throughput"], "{name}");
        assert_eq!(run.total.unwrap().requests, Some(191), "{name}");
    }
}

/// File, requests, failures, one more figure.
type Figures<'a> = (&'a str, u64, Option<u64>, Option<(Metric, f64)>);

/// Files of others that may not be copied: the figures of all requests together.
#[test]
fn public_files_of_the_collection_give_their_figures() {
    let Some(folder) = shared() else { return };
    let table: [Figures<'_>; 14] = [
        ("artillery/public/report-v1-no-responses.json", 1, Some(1), None),
        ("artillery/public/report-v2.json", 4_770, Some(0), Some((Metric::LatencyP95, 141.2))),
        (
            "k6/public/handlesummary-k6reporter-grpc.json",
            9_615,
            None,
            Some((Metric::LatencyP95, 2.522_843_199_999_999_6)),
        ),
        ("k6/public/handlesummary-partly-failed.json", 57_147, Some(647), Some((Metric::LatencyP90, 101.9042))),
        ("k6/public/handlesummary-spring.json", 108, Some(0), Some((Metric::LatencyP95, 114.5203))),
        ("k6/public/handlesummary-thresholds-submetrics.json", 127, Some(0), Some((Metric::LatencyP50, 175.5127))),
        ("k6/public/out-json-finance.ndjson", 58, Some(0), None),
        ("k6/public/out-json.json.gz", 322, None, None),
        ("k6/public/out-json.ndjson", 3, None, None),
        ("k6/public/summary-export-1-failed.json", 100, Some(1), Some((Metric::LatencyP95, 4_101.811_365))),
        ("k6/public/summary-export-20vus.json", 20, Some(5), Some((Metric::LatencyP50, 1_023.775_15))),
        ("k6/public/summary-export-44pct-failed.json", 3_000, Some(1_318), Some((Metric::LatencyMin, 0.0))),
        ("k6/public/summary-export-gateways.json", 613_790, Some(0), Some((Metric::LatencyMax, 14_239.697_849))),
        ("k6/public/summary-export-skip.json", 4_833, Some(0), None),
    ];
    for (file, requests, failures, figure) in table {
        let total = read_one(&folder.join(file)).unwrap_or_else(|error| panic!("{error}")).total.unwrap();
        assert_eq!(total.requests, Some(requests), "{file}");
        assert!(failures.is_none() || total.failures == failures, "{file}: {:?}", total.failures);
        if let Some((metric, value)) = figure {
            assert!(total.value(&metric).is_some_and(|found| (found - value).abs() < 1e-9), "{file}: {metric}");
        }
    }
    let error = read_one(&folder.join("k6/public/out-json-small.ndjson")).unwrap_err().to_string();
    assert!(error.contains("no requests in it"), "{error}");
}

#[test]
fn metrics_of_ones_own_are_custom() {
    let point = |metric: &str, value: f64, tags: &str| {
        format!(
            "{{\"metric\":\"{metric}\",\"type\":\"Point\",\"data\":{{\"time\":\"2026-11-23T09:00:01Z\",\"value\":{value},\"tags\":{{{tags}}}}}}}\n"
        )
    };
    let declare = |metric: &str, kind: &str| {
        format!(
            "{{\"type\":\"Metric\",\"data\":{{\"name\":\"{metric}\",\"type\":\"{kind}\",\"contains\":\"default\"}},\"metric\":\"{metric}\"}}\n"
        )
    };
    let tags = "\"name\":\"/a\",\"method\":\"GET\",\"status\":\"200\"";
    let text = [
        declare("orders", "counter"),
        declare("queue", "gauge"),
        declare("cached", "rate"),
        declare("wait", "trend"),
        point("orders", 2.0, ""),
        point("orders", 3.0, ""),
        point("queue", 7.0, ""),
        point("queue", 4.0, ""),
        point("cached", 1.0, ""),
        point("cached", 0.0, ""),
        point("wait", 10.0, ""),
        point("wait", 30.0, ""),
        point("undeclared", 30.0, ""),
        point("http_req_duration", 5.0, tags),
        point("http_req_failed", 0.0, tags),
        point(
            "http_req_duration",
            0.0,
            "\"name\":\"/a\",\"method\":\"GET\",\"status\":\"0\",\"error\":\"dial: refused\"",
        ),
        point(
            "http_req_failed",
            1.0,
            "\"name\":\"/a\",\"method\":\"GET\",\"status\":\"0\",\"error\":\"dial: refused\"",
        ),
    ];
    let run = read_text("k6.json", &text.concat()).unwrap();
    let total = run.total.unwrap();
    let custom = |name: &str| total.value(&Metric::Custom(name.to_owned()));
    assert_eq!((custom("orders"), custom("queue"), custom("cached")), (Some(5.0), Some(4.0), Some(0.5)));
    assert_eq!((custom("wait"), custom("wait:p50"), custom("wait:max")), (Some(20.0), Some(10.0), Some(30.0)));
    assert_eq!(custom("undeclared"), None, "nobody said how it adds up");
    assert_eq!((total.requests, total.failures, run.duration_s), (Some(2), Some(1), Some(0.005)));
    assert_eq!(
        (run.endpoints[0].label().as_str(), run.endpoints[0].errors[0].message.as_str()),
        ("GET /a", "dial: refused")
    );
}

#[test]
fn a_selector_without_samples_is_no_data() {
    let text = r#"{"metrics":{"http_reqs":{"count":10,"rate":5},"http_req_duration":{"avg":3,"p(95)":9,"thresholds":{"p(95)<5":true}},
        "http_req_failed":{"passes":2,"fails":8,"value":0.2},
        "http_req_duration{name:/gone}":{"avg":0,"min":0,"med":0,"max":0,"p(90)":0,"p(95)":0,"thresholds":{"p(95)<40":false}}},
        "setup_data":{"token":"s3cret"}}"#;
    let run = read_text("summary.json", text).unwrap();
    assert!(run.endpoints.is_empty(), "{run:?}");
    assert_eq!((run.duration_s, run.total.as_ref().unwrap().failures), (Some(2.0), Some(2)));
    assert!(run.notices.iter().any(|notice| notice.message.ends_with("broken: http_req_duration p(95)<5")), "{run:?}");
    assert!(!format!("{run:?}").contains("s3cret"));
}

#[test]
fn nothing_answered_is_a_failed_run() {
    let text = r#"{"url":"http://h/a","connections":8,"duration":4,"errors":0,"timeouts":0,"non2xx":0,
        "latency":{"average":0,"p50":0,"p99":0,"max":0,"totalCount":0},"requests":{"average":0,"total":0,"sent":4525},"throughput":{}}"#;
    let run = read_text("a.json", &format!("{text}\n{text}")).unwrap();
    let names: Vec<String> = run.endpoints.iter().map(Endpoint::label).collect();
    assert_eq!(names, ["http://h/a", "http://h/a (2)"], "runs that were appended");
    assert_eq!((run.endpoints[0].failures, run.endpoints[0].value(&Metric::LatencyP50)), (Some(4525), None));
}

#[test]
fn our_own_run_is_read_back_as_it_was() {
    let mut run = read_one(&fixtures().join("hey/base/query.csv")).unwrap();
    run.suite = "api".to_owned();
    run.environment.insert("cpu".to_owned(), "x".to_owned());
    let mut json = serde_json::to_value(&run).unwrap();
    json["schema"] = "loadgate.run/1".into();
    let text = serde_json::to_string_pretty(&json).unwrap();
    let mut again = read_text("api.run.json", &text).unwrap();
    assert_eq!(again.format, "loadgate-run");
    (again.format, again.files) = (run.format.clone(), run.files.clone());
    assert_eq!(again, run);
    let inspect = |runs: &str| read_text("i.json", &format!("{{\"schema\":\"loadgate.inspect/1\",\"runs\":[{runs}]}}"));
    assert_eq!(inspect(&text).unwrap().endpoints, run.endpoints);
    assert!(inspect(&format!("{text},{text}")).unwrap_err().to_string().contains("expected one run, found 2"));
}

#[test]
fn simple_files_speak_our_words() {
    let json = r#"{"tool":"mine","duration_s":10,"users":5,"started_at":"2026-11-23T09:14:36Z","endpoints":[
        {"method":"POST","name":"/checkout","requests":1200,"failures":3,"latency_p95":41.5,"errors":{"HTTP 500":3}},
        {"name":"mcp_server","requests":80,"failures":0,"latency_p95":null,"custom:sandbox_violations":0,"latency_p59":1}]}"#;
    let run = read_text("r.json", json).unwrap();
    assert_eq!((run.tool.as_str(), run.load.users, run.duration_s), ("mine", Some(5.0), Some(10.0)));
    let checkout = run.endpoint("POST /checkout").unwrap();
    assert_eq!(
        (checkout.failures, checkout.value(&Metric::LatencyP95), checkout.value(&Metric::LatencyP99)),
        (Some(3), Some(41.5), None)
    );
    assert_eq!(run.endpoint("mcp_server").unwrap().value(&Metric::Custom("sandbox_violations".to_owned())), Some(0.0));
    assert!(run.notices.iter().any(|notice| notice.message.contains("`latency_p59` is no metric")), "{run:?}");
    let error = read_text("r.json", &json.replace("41.5", "\"fast\"")).unwrap_err().to_string();
    assert!(error.contains("expected a number as `latency_p95` of `/checkout`"), "{error}");

    let csv =
        "method,name,requests,failures,latency_p95,custom:hits\nPOST,/checkout,1200,3,41.5,\n,(total),1300,3,40,7\n";
    let run = read_text("r.csv", csv).unwrap();
    assert_eq!(run.endpoint("POST /checkout").unwrap().failures, Some(3));
    let total = run.total.unwrap();
    assert_eq!((total.requests, total.value(&Metric::Custom("hits".to_owned()))), (Some(1300), Some(7.0)));

    let samples = "time,method,name,latency_ms,ok,error\n1795423655.5,GET,/a,10,true,\n1795423656,GET,/a,,0,refused\n";
    let run = read_text("s.csv", samples).unwrap();
    let endpoint = run.endpoint("GET /a").unwrap();
    assert_eq!(
        (endpoint.requests, endpoint.failures, endpoint.value(&Metric::LatencyMax)),
        (Some(2), Some(1), Some(10.0))
    );
    assert_eq!(run.duration_s, Some(0.5));
}

#[test]
fn benchmark_services_hold_one_figure_per_name() {
    let run = read_one(&fixtures().join("bencher/public/bmf-latency.json")).unwrap();
    assert_eq!(run.endpoint("tests::benchmark_a").unwrap().value(&Metric::LatencyMean), Some(0.003_247));
    let run = read_one(&fixtures().join("github-action-benchmark/public/customBiggerIsBetter.json")).unwrap();
    assert_eq!(run.endpoint("My Custom Bigger Is Better Benchmark").unwrap().value(&Metric::Throughput), Some(70.0));
    let memory = run.endpoint("My Custom Bigger Is Better Benchmark - Free Memory").unwrap();
    assert_eq!((memory.value(&Metric::Custom("value".to_owned())), memory.requests), (Some(150.0), None));
}

/// The same of files that may not be in the repository, or not twice: requests, failures and p95 of the total.
#[test]
fn other_public_files_give_their_figures_where_they_are_present() {
    let table: [(&str, u64, u64, Option<f64>); 33] = [
        ("gatling/public/v2.0-simulation-small.log", 2, 0, Some(176_331.0)),
        ("gatling/public/v2.3-simulation.log", 1_000, 0, Some(102.0)),
        ("gatling/public/v3-simulation-result.log", 2_260, 0, Some(1_063.0)),
        ("gatling/public/v3-simulation-small.log", 2, 0, Some(176_330.0)),
        ("gatling/public/v3.2-simulation-small.log", 2, 0, Some(37_361.0)),
        ("gatling/public/v3.3-simulation-small.log", 2, 0, Some(37_361.0)),
        ("gatling/public/v3.3.1-simulation.log", 100, 0, Some(235.0)),
        ("gatling/public/v3.4-simulation-small.log", 31, 0, Some(492.0)),
        ("gatling/public/v3.5.1-simulation.log", 220, 0, Some(15.0)),
        ("gatling/public/v3.9.5-karate-simulation.log", 41, 10, Some(866.0)),
        ("gatling/public/v3.10-simulation.log.gz", 16_029, 0, Some(28.0)),
        ("gatling/public/v2-stats.json", 1_000, 0, Some(3.0)),
        ("gatling/public/v3-stats.json", 2_260, 0, Some(1_061.0)),
        ("gatling/public/v3.9.5-karate-stats.json", 41, 10, Some(866.0)),
        ("gatling/public/v3.9.5-karate-global_stats.json", 41, 10, Some(866.0)),
        ("jmeter/public/xml-plugin.jtl", 8, 0, Some(15_902.0)),
        ("jmeter/public/xml-ten-samples.jtl", 10, 0, Some(10.0)),
        ("jmeter/public/xml-tc-generate-parent.jtl", 3, 3, Some(1_300.0)),
        ("jmeter/public/xml-child-assert.jtl", 2, 2, Some(419.0)),
        ("jmeter/public/xml-http-tests.xml", 22, 0, None),
        ("jmeter/public/xml-batchtest.xml", 131, 16, None),
        ("jmeter/public/xml-sample-log1c.jtl", 1_562, 0, Some(271.0)),
        ("jmeter/public/xml-nginx-lb.jtl", 1_421, 0, Some(633.0)),
        ("jmeter/public/csv-calculator.jtl", 200, 0, None),
        ("jmeter/public/csv-healthcheck.jtl", 1_547, 0, None),
        ("jmeter/public/csv-parabank.jtl", 200, 0, None),
        ("jmeter/public/csv-taurus-kpi-pair1.jtl", 6, 5, None),
        ("jmeter/public/statistics-parabank.json", 1_886, 1_482, Some(16_636.3)),
        ("jmeter/public/aggregate-parabank.csv", 10_891, 4_140, Some(4_267.0)),
        ("jmeter/public/summary-characters.csv", 500, 0, None),
        ("jmeter/public/summariser-console.log", 1_257, 123, None),
        ("azure-load-testing/public/engine1_results.csv", 100, 0, None),
        ("locust/public/old-requests.csv", 1_648, 388, None),
    ];
    let shared = shared();
    for (file, requests, failures, p95) in table {
        let places = [Some(fixtures()), shared.clone()].into_iter().flatten().map(|folder| folder.join(file));
        let Some(path) = places.into_iter().find(|path| path.is_file()) else { continue };
        let total = read_one(&path).unwrap_or_else(|error| panic!("{error}")).total.unwrap();
        assert_eq!((total.requests, total.failures), (Some(requests), Some(failures)), "{file}");
        if let Some(p95) = p95 {
            let found = total.value(&Metric::LatencyP95).unwrap();
            assert!((found - p95).abs() <= p95 * 0.01, "{file}: {found}, not {p95}");
        }
    }
}

/// Every public file that we know of is read, or refused with a reason, and claimed by one format alone.
#[test]
fn the_matrix_holds_for_the_whole_collection_where_it_is_present() {
    let Some(folder) = shared() else { return };
    for tool in ["jmeter", "gatling", "locust", "azure-load-testing", "taurus"] {
        let mut files = Vec::new();
        artifacts(&folder.join(tool), &mut files);
        for file in files.iter().filter(|file| file.file_name().is_none_or(|name| name != "console.txt")) {
            let artifact = Artifact { name: "x".to_owned(), path: file.clone(), member: None, named: true };
            let head = open(&artifact).unwrap().head;
            let sure: Vec<&str> = FORMATS
                .iter()
                .filter(|format| (format.sniff)(&head) > Confidence::No)
                .map(|format| format.id)
                .collect();
            assert_eq!(sure.len(), 1, "{}: {sure:?}", file.display());
        }
    }
}

#[test]
fn the_binary_of_vegeta_says_how_to_convert_it() {
    let error = read_one(&fixtures().join("vegeta/base/query.bin")).unwrap_err().to_string();
    assert!(error.contains("vegeta encode --to json"), "{error}");
}

/// One made-up artifact under a file name.
fn read_text(name: &str, text: &str) -> Result<Run, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    read_one(&path)
}

#[test]
fn a_hundred_thousand_names_are_ten_thousand_and_a_notice() {
    let line = |n: u32| {
        format!(
            "{{\"attack\":\"a\",\"seq\":{n},\"code\":200,\"timestamp\":\"2026-11-23T09:14:36Z\",\"latency\":1000000,\
             \"bytes_out\":0,\"bytes_in\":0,\"error\":\"\",\"body\":null,\"method\":\"GET\",\"url\":\"http://h/order/{n}\",\
             \"headers\":null}}\n"
        )
    };
    let run = read_text("r.ndjson", &(0..100_000).map(line).collect::<String>()).unwrap();
    assert_eq!(run.endpoints.len(), 10_001, "and the others");
    assert_eq!(run.total.unwrap().requests, Some(100_000));
    let notice = run.notices.iter().find(|notice| notice.code == "too_many_endpoints").unwrap();
    assert!(notice.message.contains("endpoints.rename"), "{notice}");
}

#[test]
fn hostile_names_stay_what_they_are() {
    let names = ["a,b\"c", "<script>", "x\u{202e}y", "{{ secrets }}", "::error::", "@octocat", "| a |", "", "\u{0}"];
    for name in names {
        let quoted = serde_json::to_string(name).unwrap();
        let text = format!(
            "{{\"attack\":\"a\",\"seq\":0,\"code\":200,\"timestamp\":\"2026-11-23T09:14:36Z\",\"latency\":5,\"error\":\"\",\
             \"method\":\"GET\",\"url\":{quoted}}}\n"
        );
        let run = read_text("r.ndjson", &text).unwrap();
        let wanted = if name.is_empty() { "a" } else { name };
        assert_eq!(run.endpoints[0].name, wanted);
    }
    let long = "n".repeat(100_000);
    let run = read_text("r.csv", &format!("label,avg_ct,avg_lt,avg_rt,succ,fail,throughput\n{long},0,0,0.1,3,0,3\n"));
    assert_eq!(run.unwrap().endpoints[0].name.chars().count(), 1_001, "cut, with an ellipsis");
}

#[test]
fn secrets_in_artifacts_are_not_kept() {
    let ghz = r#"{"date":"2026-11-23T09:14:36Z","options":{"call":"a.B.C","metadata":{"authorization":"s3cret"},"data":{"password":"s3cret"},"c":1},"count":1,"total":5,"average":5,"fastest":5,"slowest":5,"rps":1.0,"errorDistribution":{"Get \"http://h/p?key=s3cret\": EOF":1},"statusCodeDistribution":{"Unavailable":1}}"#;
    let goose = "elapsed,scenario_index,scenario_name,transaction_index,transaction_name,raw,name,final_url,redirected,response_time,status_code,success,update,user,error,coordinated_omission_elapsed,user_cadence\n0,0,a,0,,\"GooseRawRequest { method: Get, url: \"\"http://h/\"\", headers: [\"\"authorization: s3cret\"\"] }\",/x,http://h/x?token=s3cret,false,3,200,true,false,0,,0,0\n";
    let vegeta = "{\"attack\":\"a\",\"seq\":0,\"code\":0,\"timestamp\":\"2026-11-23T09:14:36Z\",\"latency\":5,\"error\":\"Get \\\"http://h/?key=s3cret\\\": EOF\",\"body\":\"czNjcmV0\",\"method\":\"GET\",\"url\":\"http://h/\",\"headers\":{\"Authorization\":[\"s3cret\"]}}\n";
    for (name, text) in [("a.json", ghz), ("a.csv", goose), ("a.ndjson", vegeta)] {
        let run = serde_json::to_string(&read_text(name, text).unwrap()).unwrap();
        assert!(!run.contains("s3cret") && !run.contains("czNjcmV0"), "{name}: {run}");
    }
}

#[test]
fn nothing_measured_is_never_a_pass() {
    let wrk = "Running 4s test @ http://h/\n  2 threads and 8 connections\n  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     0.00us    0.00us   0.00us    -nan%\n    Req/Sec     0.00      0.00     0.00      -nan%\n  0 requests in 4.00s, 0.00B read\n  Socket errors: connect 0, read 900, write 0, timeout 0\nRequests/sec:      0.00\n";
    assert!(matches!(read_text("a.txt", wrk), Err(ReadError::NothingMeasured { .. })));
    let hey = "Summary:\n  Total:\t0.0100 secs\n  Slowest:\t0.0000 secs\n  Fastest:\t0.0000 secs\n  Average:\tNaN secs\n  Requests/sec:\t500.0\n\nError distribution:\n  [5]\tGet \"http://h/\": EOF\n";
    let run = read_text("a.txt", hey).unwrap();
    assert_eq!((run.endpoints[0].requests, run.endpoints[0].failures), (Some(5), Some(5)));
    assert_eq!(run.endpoints[0].value(&Metric::LatencyMean), None);
    let few = "Summary:\n  Total:\t0.0100 secs\n  Slowest:\t0.0030 secs\n  Fastest:\t0.0010 secs\n  Average:\t0.0020 secs\n  Requests/sec:\t500.0\n\nLatency distribution:\n  50%% in 0.0020 secs\n  0% in 0.0000 secs\n\nStatus code distribution:\n  [200]\t60 responses\n";
    let run = read_text("a.txt", few).unwrap();
    assert_eq!(run.endpoints[0].value(&Metric::LatencyP50), Some(2.0));
    assert_eq!(run.endpoints[0].value(&Metric::LatencyP99), None);
}

#[test]
fn a_bad_row_is_a_notice_and_many_are_an_error() {
    let good = "0.0091,0.0001,0.0000,0.0000,0.0087,0.0002,200,0.0042\n".repeat(500);
    let header = "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n";
    let run = read_text("a.csv", &format!("{header}{good}oops,,,,,,200,0\n")).unwrap();
    assert!(run.notices.iter().any(|notice| notice.code == "rows_skipped" && notice.line == Some(502)), "{run:?}");
    let error = read_text("a.csv", &format!("{header}{}", "oops,,,,,,200,0\n".repeat(3))).unwrap_err();
    assert!(error.to_string().contains("3 of 3 rows are unreadable, the first in line 2"), "{error}");
}

#[test]
fn the_deadline_is_harmless_only_where_something_was_answered() {
    let report = |status: &str| {
        format!(
            "{{\"summary\":{{\"successRate\":1.0,\"total\":4.0,\"slowest\":null,\"fastest\":null,\"average\":null,\
             \"requestsPerSec\":2.0}},\"responseTimeHistogram\":{{\"NaN\":0}},\"latencyPercentiles\":{{\"p50\":null}},\
             \"statusCodeDistribution\":{{{status}}},\"errorDistribution\":{{\"aborted due to deadline\":8}}}}"
        )
    };
    let failures = |status: &str| read_text("a.json", &report(status)).unwrap().endpoints[0].failures;
    assert_eq!(failures("\"200\":50"), Some(0));
    assert_eq!(failures("\"200\":50,\"503\":2"), Some(2));
    assert_eq!(failures(""), Some(8));
}

#[test]
fn a_step_name_may_hold_commas() {
    let csv = "test_suite,test_name,scenario,duration,step_name,request_count,ok,failed,rps,min,mean,max,50_percent,75_percent,95_percent,99_percent,std_dev\n\
               s,t,shop,00:01:00,get a, b,100,90,10,1.5,1,2,9,2,3,4,5,0.1\n\
               s,t,shop,00:01:00,global information,100,90,10,1.5,1,2,9,2,3,4,5,0.1\n";
    let run = read_text("a.csv", csv).unwrap();
    assert_eq!(run.endpoints.len(), 1, "the scenario's own row is no step");
    let step = &run.endpoints[0];
    assert_eq!((step.name.as_str(), step.requests, step.failures), ("get a, b", Some(100), Some(10)));
    assert_eq!((step.value(&Metric::LatencyP95), run.duration_s), (Some(4.0), Some(60.0)));
    let newer = "test_suite,test_name,scenario,duration,step_name,ok_count,failed_count,ok_rps,ok_mean,ok_95_percent\n\
                 s,t,shop,00:01:00,get,90,10,1.5,2,4\n";
    let run = read_text("a.csv", newer).unwrap();
    assert_eq!((run.endpoints[0].requests, run.endpoints[0].value(&Metric::LatencyP95)), (Some(100), Some(4.0)));
}

#[test]
fn a_url_of_tsung_may_hold_the_delimiter() {
    let dump = "noise\n#date;pid;id;http method;host;URL;HTTP status;size;duration;transaction;match;error;tag\n\
                1795423655.5;<0.1.0>;2;get;h;/a;b=1;200;5;42.8;tr_x;;;\n\
                1795423656.5;<0.1.0>;2;get;h;/a;b=1;error_no_http_status;5;10.0;tr_x;;;\n";
    let run = read_text("tsung.dump", dump).unwrap();
    let endpoint = &run.endpoints[0];
    assert_eq!((endpoint.label().as_str(), endpoint.requests, endpoint.failures), ("GET /a;b=1", Some(2), Some(1)));
}

#[test]
fn several_reports_in_one_file_are_told_apart() {
    let report = |requests: u32| {
        format!(
            "Running 10s test @ http://h/\n  2 threads and 8 connections\n  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    \
             Latency    11.33ms    3.20ms  27.84ms   71.11%\n  {requests} requests in 10.00s, 1.2MB read\nRequests/sec:    10.00\n"
        )
    };
    let run = read_text("a.txt", &format!("$ wrk\n{}$ wrk\n{}", report(100), report(50))).unwrap();
    let names: Vec<String> = run.endpoints.iter().map(Endpoint::label).collect();
    assert_eq!(names, ["http://h/", "http://h/ (2)"]);
    assert_eq!((run.total.unwrap().requests, run.duration_s), (Some(150), Some(20.0)));
    assert!(run.notices.iter().any(|notice| notice.code == "several_reports"));
}

#[test]
fn length_failures_of_ab_are_no_errors() {
    let ab = "This is ApacheBench, Version 2.3 <$Revision$>\n\nDocument Path:          /x\nDocument Length:        30 bytes\n\n\
              Concurrency Level:      8\nTime taken for tests:   0.693 seconds\nComplete requests:      400\nFailed requests:        22\n   \
              (Connect: 1, Receive: 2, Length: 17, Exceptions: 2)\nNon-2xx responses:      3\n";
    let run = read_text("a.txt", ab).unwrap();
    assert_eq!((run.endpoints[0].requests, run.endpoints[0].failures), (Some(400), Some(8)));
}

/// What files tell of the course of a run equals what they tell of the whole, and all formats with times tell it.
#[test]
fn a_course_has_the_requests_of_its_run() {
    let (mut tells, mut wrong) = (std::collections::BTreeSet::new(), Vec::new());
    let mut files = Vec::new();
    artifacts(&fixtures(), &mut files);
    for path in files {
        let Ok(run) = read_one(&path) else { continue };
        let (Some(timeline), Some(total)) = (&run.timeline, &run.total) else { continue };
        let requests: u64 = timeline.slices().map(|slice| slice.requests).sum();
        let busy = timeline.slices().filter(|slice| slice.requests > 0);
        let failures = busy.map(|slice| slice.failures).sum::<Option<u64>>();
        // A plan's ramps are drawn, not judged.
        let planned = timeline.stages().next().is_some();
        let same = Some(requests) == total.requests && failures == total.failures;
        if !(same || planned && Some(requests) > total.requests) {
            wrong.push(format!(
                "{}: {requests} {failures:?}, {:?} {:?}",
                path.display(),
                total.requests,
                total.failures
            ));
        }
        tells.insert(run.format.clone());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for format in
        "ab-gnuplot artillery gatling-binary gatling-log goose-csv h2load-log jmeter-summary jmeter-xml k6-csv k6-json locust-history \
                   locust-json locust-loadgate simple-samples tsung-dump tsung-json tsung-log vegeta-csv vegeta-json"
            .split_whitespace()
    {
        assert!(tells.contains(format), "{format}");
    }
}

#[test]
fn artillery_1_tells_a_period_when_it_ends() {
    let period = |second: u32, p95: u32| {
        format!(
            r#"{{"timestamp":"2019-05-01T10:00:{second}.000Z","requestsCompleted":90,"concurrency":{second},
                "latency":{{"min":1,"max":99,"median":20,"p95":{p95},"p99":99}},"codes":{{"200":80,"500":10}},"errors":{{"ECONNRESET":10}}}}"#
        )
    };
    let text = format!(
        r#"{{"aggregate":{{"requestsCompleted":270,"scenariosCreated":1,"latency":{{"median":20,"p95":60}},
            "codes":{{"200":240,"500":30}},"errors":{{"ECONNRESET":30}}}},"intermediate":[{},{},{}]}}"#,
        period(30, 62),
        period(10, 60),
        period(20, 61)
    );
    let run = read_text("report.json", &text).unwrap();
    let timeline = run.timeline.unwrap();
    assert_eq!((timeline.width_s(), timeline.start().unwrap().to_string().as_str()), (8.0, "2019-05-01T10:00:00Z"));
    let slices: Vec<_> = timeline.slices().map(|slice| (slice.requests, slice.failures.unwrap_or(0))).collect();
    assert_eq!(slices, [(80, 16), (80, 16), (80, 16), (60, 12)]);
    let p95: Vec<_> = timeline.slices().map(|slice| slice.percentiles().map(|[_, p95]| p95)).collect();
    assert_eq!(p95, [Some(60.0), Some(61.0), Some(62.0), Some(62.0)]);
    assert_eq!(timeline.slices().filter_map(|slice| slice.users).collect::<Vec<_>>(), [10.0, 20.0, 30.0]);
}

#[test]
fn calls_of_ghz_make_a_course_where_all_are_there() {
    let call = |second: u32, status: &str| {
        format!(
            r#"{{"timestamp":"2018-12-30T16:50:0{second}-04:00","latency":2000000,"error":"","status":"{status}"}}"#
        )
    };
    let text = |count: u32| {
        format!(
            r#"{{"count":{count},"total":3000000000,"average":2000000,"fastest":1,"slowest":3,"rps":1,
                "options":{{"call":"a.B.C"}},"latencyDistribution":null,"statusCodeDistribution":{{"OK":2,"Unavailable":1}},"details":[{},{},{}]}}"#,
            call(1, "OK"),
            call(2, "Unavailable"),
            call(3, "OK")
        )
    };
    let run = read_text("ghz.json", &text(3)).unwrap();
    let failures: Vec<_> = run.timeline.unwrap().slices().map(|slice| (slice.requests, slice.failures)).collect();
    assert_eq!(failures, [(1, Some(0)), (1, Some(1)), (1, Some(0))]);
    assert!(read_text("ghz.json", &text(4)).unwrap().timeline.is_none());
}

/// Beside a better account of the whole, files that tell of its course add only that.
#[test]
fn a_course_is_told_once_by_all_files_of_a_run() {
    for (folder, files, format, relative) in [
        ("goose", ["report.json", "requests.csv.gz"].as_slice(), "goose-report+goose-csv", true),
        ("locust", &["run.json", "run_stats_history.csv"], "locust-json+locust-history", false),
    ] {
        let folder = fixtures().join(folder).join("base");
        let artifacts: Vec<Artifact> = files
            .iter()
            .map(|name| Artifact { name: (*name).to_owned(), path: folder.join(name), member: None, named: true })
            .collect();
        let runs = read(&artifacts, &[]).unwrap().runs;
        let [run] = runs.as_slice() else { panic!("{}", folder.display()) };
        let timeline = run.timeline.as_ref().unwrap();
        assert_eq!((run.format.as_str(), timeline.is_relative()), (format, relative));
        let requests = timeline.slices().map(|slice| slice.requests).sum::<u64>();
        let all = run.endpoints.iter().map(|endpoint| endpoint.requests.unwrap()).sum::<u64>();
        assert_eq!(requests, all, "{format}");
        assert!(timeline.slices().any(|slice| slice.percentiles().is_some()), "{format}");
        assert_eq!(run.notices, [], "{format}");
    }
}

/// The table of docs/FORMATS.md, from the registry.
fn table_of_formats() -> String {
    let mut formats: Vec<_> = FORMATS.iter().collect();
    formats.sort_by_key(|format| (format.tool.to_lowercase(), format.id));
    let mut table = String::from(
        "| tool | id | what it is | versions | percentiles | failures | users | time |\n|---|---|---|---|---|---|---|---|\n",
    );
    for format in formats {
        let yes = |has| if has { "yes" } else { "-" };
        let gives = format.gives;
        let row = [
            format.tool,
            &format!("`{}`", format.id),
            format.title,
            format.versions,
            gives.percentiles,
            yes(gives.failures),
            yes(gives.users),
            yes(gives.time),
        ];
        table += &["| ", &row.map(|cell| cell.replace('|', "\\|")).join(" | "), " |\n"].concat();
    }
    table
}

#[test]
fn the_page_of_formats_is_the_registry() {
    const BEGIN: &str = "<!-- formats: begin -->\n";
    const END: &str = "<!-- formats: end -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FORMATS.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{}{END}{after}", table_of_formats());
    if std::env::var_os("LOADGATE_BLESS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    assert!(
        page == wanted,
        "docs/FORMATS.md is not the registry: run this test with LOADGATE_BLESS=1 and look at the change"
    );
}
