//! The binary from outside: stdout, stderr, exit code and files, with a scrubbed environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

pub(crate) const SEED_BASELINE: &str = "load_results_baseline_20251017_143004.csv";
pub(crate) const SEED_CURRENT: &str = "load_results_api_20251017_143004.csv";

/// A workspace of its own, and the program started in it.
pub(crate) struct Workspace {
    folder: tempfile::TempDir,
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With files of the seed case under their own names.
    pub(crate) fn seed(names: &[&str]) -> Self {
        let workspace = Self::new();
        for name in names {
            fs::copy(seed(name), workspace.path(name)).unwrap();
        }
        workspace
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// Runs `loadgate` with the arguments, which are separated by blanks.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.with_vars(arguments, &[])
    }

    pub(crate) fn with_vars(&self, arguments: &str, vars: &[(&str, &str)]) -> Ran {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        self.start(&arguments, vars)
    }

    pub(crate) fn start(&self, arguments: &[&str], vars: &[(&str, &str)]) -> Ran {
        let output: Output = Command::new(env!("CARGO_BIN_EXE_loadgate"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("LOADGATE_NOW", "2026-11-24T12:00:00Z")
            .envs(vars.iter().copied())
            .output()
            .unwrap();
        Ran {
            code: output.status.code().expect("ended by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub(crate) fn seed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/seed").join(name)
}

/// `endpoint metric status` of every row of the only suite.
fn rows(report: &Value) -> Vec<String> {
    let rows = report["suites"][0]["rows"].as_array().unwrap();
    let row = |row: &Value| {
        format!(
            "{} {} {}",
            row["endpoint"].as_str().unwrap(),
            row["metric"].as_str().unwrap_or("-"),
            row["status"].as_str().unwrap()
        )
    };
    rows.iter().map(row).collect()
}

fn row<'a>(report: &'a Value, endpoint: &str, metric: &str) -> &'a Value {
    let rows = report["suites"][0]["rows"].as_array().unwrap();
    rows.iter().find(|row| row["endpoint"] == endpoint && row["metric"] == metric).unwrap()
}

#[test]
fn the_seed_case_is_judged_as_its_readme_says() {
    let workspace = Workspace::seed(&[SEED_BASELINE, SEED_CURRENT, "performance-baselines-v2.json"]);
    let from_csv = workspace.run(&format!("check --baseline {SEED_BASELINE} {SEED_CURRENT}"));
    assert_eq!(from_csv.code, 1, "{}{}", from_csv.stdout, from_csv.stderr);
    let report = workspace.json("loadgate-report/report.json");
    let counts = &report["counts"];
    let expected = [("judged", 4), ("passed", 2), ("failed", 2), ("missing", 1), ("inconclusive", 0)];
    for (name, count) in expected {
        assert_eq!(counts[name], count, "{name} of {counts}");
    }
    for wanted in [
        "api_gateway error_rate fail",
        "rag_service error_rate fail",
        "api_gateway throughput pass",
        "rag_service throughput pass",
        "mcp_server - missing",
        "api_gateway latency_p95 not_measured",
    ] {
        assert!(rows(&report).iter().any(|row| row == wanted), "{wanted} in {:#?}", rows(&report));
    }
    let total = row(&report, "(total)", "throughput");
    assert_eq!((total["baseline"].as_f64(), total["current"].as_f64()), (Some(90.0), Some(59.0)));
    assert_eq!(
        row(&report, "rag_service", "error_rate")["change_relative"],
        Value::Null,
        "no percent change from zero"
    );

    let recorded = workspace.run(&format!("baseline add {SEED_BASELINE} --commit 4f1c2ab4f1c2ab --ref main"));
    assert_eq!(recorded.code, 0, "{}", recorded.stderr);
    let again = workspace.run(&format!("check {SEED_CURRENT}"));
    assert_eq!(again.code, 1, "{}", again.stderr);
    assert_eq!(rows(&workspace.json("loadgate-report/report.json")), rows(&report));

    let old = workspace.run(&format!("check --baseline performance-baselines-v2.json {SEED_CURRENT}"));
    assert_eq!(old.code, 1, "{}", old.stderr);
    let named = |report: &Value| -> Vec<String> {
        rows(report).into_iter().filter(|row| !row.starts_with("(total)")).collect()
    };
    assert_eq!(named(&workspace.json("loadgate-report/report.json")), named(&report));
}

#[test]
fn the_old_baseline_can_be_imported() {
    let workspace = Workspace::seed(&["performance-baselines-v2.json", SEED_CURRENT]);
    let imported = workspace.run("baseline import performance-baselines-v2.json");
    assert_eq!(imported.code, 0, "{}", imported.stderr);
    assert_eq!(workspace.run(&format!("check {SEED_CURRENT}")).code, 1);
    let again = workspace.run("baseline import performance-baselines-v2.json");
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("is there already\nhint:"), "{}", again.stderr);
}

#[test]
fn the_first_run_passes_and_says_how_to_record_a_baseline() {
    let workspace = Workspace::seed(&[SEED_CURRENT]);
    let first = workspace.run(&format!("check {SEED_CURRENT}"));
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(first.stdout.contains("loadgate baseline add"), "{}", first.stdout);
    assert_eq!(workspace.json("loadgate-report/report.json")["verdict"], "no_baseline");
    assert_eq!(workspace.run(&format!("check --require-baseline {SEED_CURRENT}")).code, 3);
}

#[test]
fn a_run_against_itself_passes() {
    let workspace = Workspace::seed(&[SEED_CURRENT]);
    assert_eq!(workspace.run(&format!("check --baseline {SEED_CURRENT} {SEED_CURRENT}")).code, 0);
    let strict = workspace.run(&format!("check --strict --baseline {SEED_CURRENT} {SEED_CURRENT}"));
    assert_eq!(strict.code, 3, "percentiles that were not measured are no clear pass");
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let make = || {
        let workspace = Workspace::seed(&[SEED_BASELINE, SEED_CURRENT]);
        workspace.run(&format!("check --baseline {SEED_BASELINE} {SEED_CURRENT}"));
        ["report.json", "summary.md", "comment.md", "report.html", "junit.xml", "runs/default.run.json"]
            .map(|name| workspace.read(&format!("loadgate-report/{name}")))
    };
    assert_eq!(make(), make());
}

#[test]
fn the_real_pair_is_not_praised_for_failing() {
    let files = ["load_results_baseline_actual_stats.csv", "load_results_api_progressive_stats.csv"];
    let workspace = Workspace::seed(&files);
    let ran = workspace.run(&format!("check --baseline {} {}", files[0], files[1]));
    let report = workspace.json("loadgate-report/report.json");
    let notices = report["suites"][0]["notices"].to_string();
    assert!(notices.contains("POST /v1/chat/completions fails every request in the baseline and now"), "{notices}");
    assert!(!rows(&report).iter().any(|row| row.starts_with("POST /v1/chat/completions") && row.ends_with("improved")));
    let few = row(&report, "GET /v1/models", "latency_p95");
    assert_eq!(few["status"], "not_measured");
    assert!(few["why"].as_str().unwrap().contains("p95 needs 200"), "{few}");
    assert!(ran.stdout.contains("POST /v1/chat/completions fails every request"), "{}", ran.stdout);
}

/// Files, arguments, what stderr has to say.
type Trouble<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a [&'a str]);

#[test]
fn bad_input_is_told_with_its_place_and_a_way_out() {
    const HEADER: &str = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%\n";
    let nan = format!("{HEADER}GET,/a,NaN,0,1,1,1,1,1,1,0,1,1,1,1,1,1,1,1,1,1,1\n");
    let good = format!("{HEADER}GET,/a,500,0,10,11,5,40,1,10,0,10,11,12,13,14,15,16,17,18,19,40\n");
    let other = good.replace("/a", "/b");
    let cases: [Trouble<'_>; 13] = [
        (&[], "check missing.csv", &["no such file or folder: missing.csv"]),
        (&[("results.csv", &good)], "check result.csv", &["did you mean `results.csv`?"]),
        (&[("a.csv", "")], "check a.csv", &["a.csv: is empty\nhint:"]),
        (&[("a.csv", HEADER)], "check a.csv", &["a.csv: no requests in it (read as locust-stats)\nhint:"]),
        (&[("a.json", "{\"x\": [1, 2}")], "check a.json", &["a.json: not recognised", "hint: `loadgate formats`"]),
        (&[("a.csv", "name,price\nx,3\n")], "check a.csv", &["a.csv: not recognised", "`name,price`"]),
        (&[("a.csv", &nan)], "check a.csv", &["a.csv", "2", "NaN"]),
        (
            &[("a.csv", &good), ("loadgate.yml", "gate: auto\nrulez: []\n")],
            "check a.csv",
            &["loadgate.yml:2:1", "did you mean `rules`"],
        ),
        (&[], "check", &["no results found: looked for load-results/**"]),
        (&[], "check results/*.csv", &["no file matches `results/*.csv`"]),
        (
            &[("a.csv", &good), ("b.csv", &other)],
            "check --baseline b.csv a.csv",
            &["nothing to compare", "`GET /b`", "`GET /a`", "hint:"],
        ),
        (&[("a.csv", &good)], "check --baseline gone.json a.csv", &["no such file or folder: gone.json"]),
        (
            &[("a.csv", &good)],
            "check --fail-on regression a.csv",
            &["unknown word `regression`", "hint: a list of fail"],
        ),
    ];
    for (files, arguments, wanted) in cases {
        let workspace = Workspace::new();
        for (name, text) in files {
            workspace.write(name, text);
        }
        let ran = workspace.run(arguments);
        assert_eq!(ran.code, 2, "{arguments}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
        for words in wanted {
            assert!(ran.stderr.contains(words), "{arguments}: {words:?} is not in {}", ran.stderr);
        }
        assert_eq!(ran.stdout, "", "{arguments}");
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
}

#[test]
fn a_baseline_is_added_to_shown_compared_and_edited() {
    let workspace = Workspace::seed(&[SEED_BASELINE, SEED_CURRENT]);
    for (day, file) in [(1, SEED_BASELINE), (2, SEED_BASELINE), (3, SEED_CURRENT)] {
        let ran =
            workspace.run(&format!("baseline add {file} --commit abcdef{day}abcdef --time 2026-11-0{day}T02:00:00Z"));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let shown = workspace.run("baseline show");
    assert!(shown.stdout.contains("20261103T020000Z-abcdef3"), "{}", shown.stdout);
    assert!(shown.stdout.contains("api_gateway"), "{}", shown.stdout);
    let json: Value = serde_json::from_str(&workspace.run("baseline show --format json").stdout).unwrap();
    assert_eq!(json["runs"].as_array().unwrap().len(), 3);
    assert_eq!(json["runs"][0]["ref"], Value::Null);

    let diff = workspace.run("baseline diff 20261101 20261103");
    assert!(diff.stdout.contains("api_gateway") && diff.stdout.contains("gone"), "{}", diff.stdout);

    let accepted = workspace.start(
        &["baseline", "accept", "--run", "20261103", "--endpoint", "api_gateway", "--metric", "error_rate"],
        &[],
    );
    assert_eq!(accepted.code, 0, "{}", accepted.stderr);
    assert!(
        workspace.read(".loadgate/baselines/default.json").contains("\"accepted\":{\"api_gateway\":[\"error_rate\"]}")
    );
    let unknown = workspace.run("baseline accept --endpoint nothing");
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("has no endpoint `nothing`"), "{}", unknown.stderr);

    let removed = workspace.run("baseline remove 20261101");
    assert!(removed.stdout.contains("2 runs left"), "{}", removed.stdout);
    assert_eq!(workspace.run("baseline remove 20261101").code, 2);
}

#[test]
fn inspect_shows_what_was_read_and_renamed() {
    let workspace = Workspace::seed(&[SEED_CURRENT]);
    workspace.write("loadgate.yml", "endpoints: { rename: [{ match: \"_.*\", to: \"\" }], ignore: [rag] }\n");
    let ran = workspace.run(&format!("inspect {SEED_CURRENT}"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("Locust") && ran.stdout.contains("api <- api_gateway"), "{}", ran.stdout);
    assert!(ran.stdout.contains("left out by the config\n    rag_service"), "{}", ran.stdout);
    let json: Value =
        serde_json::from_str(&workspace.run(&format!("inspect --format json {SEED_CURRENT}")).stdout).unwrap();
    assert_eq!(json["schema"], "loadgate.inspect/1");
    assert_eq!(json["runs"][0]["schema"], "loadgate.run/1");
}

#[test]
fn annotations_for_the_runner_can_be_asked_for() {
    let workspace = Workspace::seed(&[SEED_BASELINE, SEED_CURRENT]);
    let ran = workspace.run(&format!("check --output github --baseline {SEED_BASELINE} {SEED_CURRENT}"));
    let errors: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("::error ")).collect();
    assert_eq!(errors.len(), 2, "{}", ran.stdout);
    assert!(errors[0].contains("api_gateway error rate"), "{}", errors[0]);
}

#[test]
fn formats_and_completions_are_listed() {
    let workspace = Workspace::new();
    let formats = workspace.run("formats");
    for id in ["locust-stats", "wrk", "vegeta"] {
        assert!(formats.stdout.contains(id), "{}", formats.stdout);
    }
    let json: Value = serde_json::from_str(&workspace.run("formats --format json").stdout).unwrap();
    assert_eq!(json["formats"].as_array().unwrap().len(), loadgate::format::FORMATS.len());
    assert!(workspace.run("completions bash").stdout.contains("_loadgate"));
    assert_eq!(workspace.run("").code, 2);
    assert_eq!(workspace.run("--version").code, 0);
    assert_eq!(workspace.run("chek").code, 2);
}

#[test]
fn every_report_file_is_there() {
    let workspace = Workspace::seed(&[SEED_BASELINE, SEED_CURRENT]);
    workspace.run(&format!("check --baseline {SEED_BASELINE} {SEED_CURRENT} --report-dir out/here"));
    for name in ["report.json", "summary.md", "comment.md", "report.html", "junit.xml", "runs/default.run.json"] {
        assert!(workspace.path("out/here").join(name).is_file(), "{name} is missing");
    }
}

#[test]
fn the_artifact_zip_of_a_workflow_run_is_read_as_it_is() {
    use std::io::Write as _;
    let workspace = Workspace::seed(&[SEED_BASELINE, SEED_CURRENT]);
    let mut zip = zip::ZipWriter::new(fs::File::create(workspace.path("results.zip")).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in
        [("../../api/results.csv", fs::read(seed(SEED_CURRENT)).unwrap()), ("api/notes.txt", b"nothing".to_vec())]
    {
        zip.start_file(name, options).unwrap();
        zip.write_all(&content).unwrap();
    }
    zip.finish().unwrap();
    let ran = workspace.run(&format!("check --baseline {SEED_BASELINE} results.zip"));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let report = workspace.json("loadgate-report/report.json");
    assert_eq!(report["counts"]["failed"], 2);
    assert_eq!(report["suites"][0]["run"]["files"][0], "results.zip!../../api/results.csv");
    let seen = fs::read_dir(workspace.path("")).unwrap().count();
    assert_eq!(seen, 4, "nothing is unpacked");
}

#[test]
fn an_ignored_endpoint_of_the_baseline_is_not_missing() {
    let workspace = Workspace::seed(&[SEED_BASELINE, SEED_CURRENT]);
    assert_eq!(workspace.run(&format!("baseline add {SEED_BASELINE}")).code, 0);
    let missing = || {
        workspace.run(&format!("check {SEED_CURRENT}"));
        workspace.json("loadgate-report/report.json")["counts"]["missing"].clone()
    };
    assert_eq!(missing(), 1);
    workspace.write("loadgate.yml", "version: 1\nendpoints: { ignore: [mcp_server] }\n");
    assert_eq!(missing(), 0);
}

#[test]
fn bombs_are_refused() {
    const HEADER: &str = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s\n";
    let workspace = Workspace::new();
    // Few rows, each of a megabyte: what costs time here is inflating.
    let row = format!("GET,{},1,0,1,1,1,1,1,1,0\n", "x".repeat(1 << 20));
    let fill = |out: &mut dyn std::io::Write| {
        out.write_all(HEADER.as_bytes()).unwrap();
        (0..80).for_each(|_| out.write_all(row.as_bytes()).unwrap());
    };
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    fill(&mut bomb);
    workspace.write("results.csv.gz", bomb.finish().unwrap());
    let mut zip = zip::ZipWriter::new(fs::File::create(workspace.path("results.zip")).unwrap());
    zip.start_file("results.csv", zip::write::SimpleFileOptions::default()).unwrap();
    fill(&mut zip);
    zip.finish().unwrap();
    for name in ["results.csv.gz", "results.zip"] {
        let ran = workspace.run(&format!("check {name}"));
        assert_eq!(ran.code, 2, "{name}: {}", ran.stdout);
        assert!(ran.stderr.contains("refused as a zip bomb"), "{name}: {}", ran.stderr);
    }
}
