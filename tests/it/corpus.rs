//! The whole program on a workspace in which one thing is broken or malicious: it ends with a verdict or with exit 2 and a reason;
//! no panic, no write outside the report folder, at most 512 MiB, at most 10 seconds of computing. [I/O]
//!
//! More than 500 of them are made by a seeded mutator from healthy files, the others by hand (`in_…`).
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cli::{SEED_BASELINE, SEED_CURRENT, Workspace, seed};
use crate::files::{below, fixtures};
use crate::hostile::{Random, broken, small};

/// A config that uses much of the language.
const CONFIG: &str = "version: 1\nsuites:\n  api: { results: [\"load-results/*.csv\"], baseline: base.json }\n\
        endpoints: { ignore: [\"GET /healthz\"], rename: [{ match: \"/[0-9]+\", to: \"/{id}\" }], missing: fail }\n\
        rules:\n  - { metric: latency_p95, limit: 10%, critical: 50%, floor: 5ms }\n  - { endpoint: \"api*\", metric: error_rate, max: 5% }\n\
        accepted:\n  - { endpoint: api_gateway, metric: error_rate, up_to: 1pp, reason: x, until: 2027-01-01 }\ntemplates: templates\n";
const EVENT: &[u8] = br#"{"number":7,"pull_request":{"number":7,"head":{"sha":"aaaa"},"base":{"sha":"bbbb"}}}"#;
const COMMENT: &[u8] = b"{% for suite in suites %}{{ suite.name }} {{ suite.text.heading }}\n{% endfor %}";
const HISTORY: &str = ".loadgate/history/api.jsonl";
const REPORT: &str = "loadgate-report/report.json";

/// Address space of the program, in KiB.
const MEMORY: u32 = 512 << 10;
/// Seconds of computing; a busy machine adds none.
const SECONDS: u32 = 10;
/// Seconds after which it waits for something that does not come.
const HANGS: u32 = 120;

/// Files of a workspace, by name.
type Files = BTreeMap<String, Vec<u8>>;

/// What a healthy workspace holds, the report and the history of some runs included.
fn healthy() -> Files {
    let workspace = Workspace::new();
    workspace.write("loadgate.yml", CONFIG);
    workspace.write("event.json", EVENT);
    workspace.write("templates/comment.md.j2", COMMENT);
    workspace.write("load-results/api.csv", fs::read(seed(SEED_CURRENT)).unwrap());
    workspace.write("old.csv", fs::read(seed(SEED_BASELINE)).unwrap());
    let ran = workspace.run("baseline add --suite api --baseline base.json old.csv");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(workspace.run("check").code, 1);
    for day in 10..24 {
        let ran = workspace.run(&format!("history add --time 2026-11-{day}T02:00:00Z --workflow-run-id {day}"));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let name = |path: &Path| path.strip_prefix(workspace.path("")).unwrap().to_str().unwrap().to_owned();
    let kept = |name: &str| name == REPORT || !name.starts_with("loadgate-report/");
    below(&workspace.path(""))
        .iter()
        .map(|path| (name(path), fs::read(path).unwrap()))
        .filter(|(name, _)| kept(name))
        .collect()
}

/// Every file below `folder` but those of the report, with its bytes.
fn everything(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut paths = vec![folder.to_owned()];
    let mut found = BTreeMap::new();
    while let Some(path) = paths.pop() {
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() && path != folder.join("loadgate-report") {
            paths.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if kind.is_file() {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// What the program said.
struct Said {
    code: i32,
    stderr: String,
}

/// Runs the program in the folder as a step of a pull request, and holds what has to hold whatever is in there.
fn started(what: &str, copy: u64, folder: &Path, arguments: &str) -> Said {
    let before = everything(folder);
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -v {MEMORY}; ulimit -t {SECONDS}; exec timeout {HANGS} \"$0\" {arguments}"))
        .arg(env!("CARGO_BIN_EXE_loadgate"))
        .current_dir(folder)
        .env_clear()
        .envs([
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("GITHUB_REPOSITORY", "octo/shop"),
            ("GITHUB_EVENT_PATH", "event.json"),
            ("LOADGATE_NOW", "2026-11-24T12:00:00Z"),
            ("PATH", "/usr/bin:/bin"),
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code();
    let what =
        format!("{what}, copy {copy}, `{arguments}`: {code:?}: {}", stderr.chars().take(2_000).collect::<String>());
    assert!(matches!(code, Some(0..=3)), "{what}");
    assert!(!stderr.contains("panicked"), "{what}");
    assert!(code != Some(2) || stderr.contains("error: "), "{what}");
    assert!(before == everything(folder), "{what}: wrote outside the report folder");
    Said { code: code.unwrap(), stderr }
}

fn written(folder: &Path, files: &Files) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Breaks `victim` of a healthy workspace in `count` ways and runs one of the commands on each: how often each exit code was seen.
fn break_one(victim: &str, count: u64, commands: &[&str]) -> BTreeMap<i32, u32> {
    let mut files = healthy();
    let original = files[victim].clone();
    let random = &mut Random(17 + original.len() as u64);
    let mut codes = BTreeMap::new();
    for (copy, command) in (0..count).zip(commands.iter().cycle()) {
        let folder = tempfile::tempdir().unwrap();
        files.insert(victim.to_owned(), broken(&original, random));
        written(folder.path(), &files);
        *codes.entry(started(victim, copy, folder.path(), command).code).or_insert(0) += 1;
    }
    codes
}

#[test]
fn a_broken_config_ends_in_a_reason_or_a_verdict() {
    let codes = break_one("loadgate.yml", 80, &["check --gate evidence"]);
    assert!(codes.contains_key(&2), "{codes:?}");
}

#[test]
fn a_broken_baseline_ends_in_a_reason_or_a_verdict() {
    let codes = break_one("base.json", 80, &["check --gate evidence", "check", "baseline show base.json"]);
    assert!(codes.contains_key(&2) && codes.len() >= 2, "{codes:?}");
}

#[test]
fn broken_results_end_in_a_reason_or_a_verdict() {
    let codes = break_one("load-results/api.csv", 60, &["check --gate evidence"]);
    assert!(codes.contains_key(&2) && codes.len() >= 2, "{codes:?}");
}

#[test]
fn a_broken_template_ends_in_a_reason_or_a_verdict() {
    let codes = break_one("templates/comment.md.j2", 60, &["publish --dry-run --gate plain load-results/api.csv"]);
    assert!(codes.contains_key(&2) && codes.len() >= 2, "{codes:?}");
}

#[test]
fn a_broken_history_is_read_as_far_as_it_goes() {
    let codes = break_one(HISTORY, 60, &["site loadgate-report/site", "history list", "history export"]);
    assert_eq!(codes.keys().collect::<Vec<_>>(), [&0]);
}

#[test]
fn a_broken_report_ends_in_a_reason_or_a_page() {
    let page = "report --out loadgate-report/page --format";
    let commands = ["html", "markdown", "junit", "csv"].map(|format| format!("{page} {format} {REPORT}"));
    let mut commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let publish = format!("publish --dry-run {REPORT}");
    commands.push(&publish);
    let codes = break_one(REPORT, 60, &commands);
    assert!(codes.contains_key(&2) && codes.len() >= 2, "{codes:?}");
}

/// An event that cannot be read is no reason to withhold a verdict.
#[test]
fn a_broken_event_changes_no_verdict() {
    let mut files = healthy();
    let random = &mut Random(19);
    for copy in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        files.insert("event.json".to_owned(), broken(EVENT, random));
        written(folder.path(), &files);
        let said = started("event.json", copy, folder.path(), "check --gate plain");
        assert_eq!(said.code, 1, "copy {copy}: {}", said.stderr);
    }
}

/// One small file of each folder of fixtures, compared with the whole one.
#[test]
fn broken_artifacts_of_every_tool_end_in_a_reason_or_a_verdict() {
    let mut smallest: BTreeMap<PathBuf, (u64, PathBuf)> = BTreeMap::new();
    for path in small(&fixtures()) {
        let (folder, size) = (path.parent().unwrap().to_owned(), fs::metadata(&path).unwrap().len());
        let kind = folder.strip_prefix(fixtures()).unwrap().iter().next().and_then(|kind| kind.to_str()).unwrap_or("");
        if ["", "config", "github", "stats"].contains(&kind) || path.extension().is_some_and(|end| end == "md") {
            continue;
        }
        let extension = path.extension().unwrap_or_default().to_owned();
        let best = smallest.entry(folder.join(extension)).or_insert((u64::MAX, PathBuf::new()));
        *best = (best.0, best.1.clone()).min((size, path));
    }
    assert!(smallest.len() > 40, "{}", smallest.len());
    let random = &mut Random(23);
    let mut codes = BTreeMap::new();
    for (_, path) in smallest.values() {
        let bytes = fs::read(path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        for copy in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let files = [(format!("old/{name}"), bytes.clone()), (format!("new/{name}"), broken(&bytes, random))];
            written(folder.path(), &files.into());
            let command = format!("check --baseline 'old/{name}' 'new/{name}'");
            *codes.entry(started(name, copy, folder.path(), &command).code).or_insert(0) += 1;
        }
    }
    assert!(codes.len() >= 2 && codes.contains_key(&2), "some copies are refused and some are not: {codes:?}");
}

/// What an attack has to end in.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ends {
    /// Exit 2, and these words in the reason.
    Refused(&'static str),
    /// Whatever is true: a run, a verdict, a reason.
    Somehow,
}

/// One broken workspace, made by hand.
struct Attack {
    what: &'static str,
    /// What is added to the healthy workspace, or replaced in it.
    make: Box<dyn Fn(&Path)>,
    command: &'static str,
    ends: Ends,
}

fn file(what: &'static str, name: &'static str, bytes: impl AsRef<[u8]> + 'static, ends: Ends) -> Attack {
    let command = match name {
        "loadgate.yml" | "base.json" | "event.json" => "check --gate evidence",
        "templates/comment.md.j2" => "publish --dry-run load-results/api.csv",
        HISTORY => "site loadgate-report/site",
        REPORT => "report --format html --out loadgate-report/page loadgate-report/report.json",
        _ => "check --baseline base.json --suite api 'attack.*'",
    };
    let make = move |folder: &Path| fs::write(folder.join(name), bytes.as_ref()).unwrap();
    Attack { what, make: Box::new(make), command, ends }
}

/// The texts of all numbers, one after another.
fn each<N>(numbers: impl IntoIterator<Item = N>, text: impl FnMut(N) -> String) -> String {
    numbers.into_iter().map(text).collect::<Vec<_>>().concat()
}

const LOCUST: &str = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s\n";
const JTL: &str = "timeStamp,elapsed,label,responseCode,success\n";

/// A zip archive of the entries, each `(name, bytes, is a symbolic link)`.
fn zip(entries: &[(&str, &[u8], bool)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, bytes, link) in entries {
        if *link {
            zip.add_symlink(*name, String::from_utf8_lossy(bytes), options).unwrap();
        } else {
            zip.start_file(*name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
    }
    zip.finish().unwrap().into_inner()
}

/// 4 GiB of spaces in 4 MiB: one member of a gzip file after another.
fn gzip_bomb() -> Vec<u8> {
    let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    member.write_all(&vec![b' '; 1 << 20]).unwrap();
    member.finish().unwrap().repeat(4 << 10)
}

fn cut(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes.truncate(at);
    bytes
}

/// Files that are no results.
fn in_artifacts() -> Vec<Attack> {
    use Ends::{Refused, Somehow};
    let seed = fs::read(seed(SEED_CURRENT)).unwrap();
    let big = "n".repeat(10 << 20);
    vec![
        file("deep JSON", "attack.json", "[".repeat(1 << 20), Refused("attack.json")),
        file("deep JSON objects", "attack.json", "{\"metrics\":".repeat(100_000), Refused("attack.json")),
        file(
            "deep XML",
            "attack.xml",
            format!("<testResults>{}", "<sample t=\"1\">".repeat(300_000)),
            Refused("attack.xml"),
        ),
        file(
            "billion laughs",
            "attack.xml",
            format!(
                "<?xml version=\"1.0\"?><!DOCTYPE testResults [<!ENTITY a0 \"ha\">{}]><testResults version=\"1.2\"><sample t=\"1\" ts=\"1\" s=\"true\" lb=\"&a30;\" rc=\"200\"/></testResults>",
                each(1..=30, |n| format!("<!ENTITY a{n} \"&a{0};&a{0};&a{0};&a{0};\">", n - 1))
            ),
            Somehow,
        ),
        file(
            "external entity",
            "attack.xml",
            "<?xml version=\"1.0\"?><!DOCTYPE testResults [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><testResults version=\"1.2\"><sample t=\"1\" ts=\"1700000000000\" s=\"true\" lb=\"&x;\" rc=\"200\"/></testResults>",
            Somehow,
        ),
        file(
            "1e308",
            "attack.csv",
            format!("{LOCUST}GET,/,1e308,1e308,1e308,1e308,1e308,1e308,1e308,1e308,1e308\n"),
            Somehow,
        ),
        file(
            "negative counts",
            "attack.csv",
            format!("{LOCUST}GET,/,-5,-6,-1,-1,-1,-1,-1,-1,-1\n"),
            Refused("attack.csv"),
        ),
        file("negative times", "attack.csv", format!("{JTL}1700000000000,-5,a,200,true\n-1,5,a,200,true\n"), Somehow),
        file(
            "clock jumps",
            "attack.csv",
            format!(
                "{JTL}1700000000000,5,a,200,true\n1,5,a,200,true\n253402300799999,5,a,200,true\n9223372036854775807,5,a,200,true\n"
            ),
            Somehow,
        ),
        file(
            "duplicate keys",
            "attack.json",
            r#"{"metrics":{"http_reqs":{"count":1,"count":2,"rate":1},"http_reqs":{"count":3,"rate":1},"http_req_duration":{"avg":1,"avg":2,"p(95)":1}}}"#,
            Somehow,
        ),
        file("a name of 10 MB", "attack.csv", format!("{LOCUST}GET,{big},1,0,1,1,1,1,1,1,0\n"), Somehow),
        file(
            "a quoted name of 10 MB without an end",
            "attack.csv",
            format!("{JTL}1700000000000,5,\"{big}"),
            Refused("attack.csv"),
        ),
        file("a line of 10 MB", "attack.log", big.clone(), Refused("attack.log")),
        file("10 MB of NUL", "attack.csv", vec![0_u8; 10 << 20], Refused("attack.csv")),
        file(
            "200,000 names",
            "attack.csv",
            JTL.to_owned() + &each(0..200_000, |n| format!("{},5,/item/{n},200,true\n", 1_700_000_000_000_u64 + n)),
            Somehow,
        ),
        file("a gzip bomb", "attack.csv.gz", gzip_bomb(), Refused("attack.csv.gz")),
        file("half a gzip", "attack.csv.gz", cut(gzip_bomb(), 500), Refused("attack.csv.gz")),
        file(
            "names of a zip that lead out",
            "attack.zip",
            zip(&[
                ("../../../../tmp/x.csv", &seed, false),
                ("/etc/x.csv", &seed, false),
                ("C:\\x.csv", &seed, false),
                ("a/../../x.csv", &seed, false),
            ]),
            Somehow,
        ),
        file("a link in a zip", "attack.zip", zip(&[("results.csv", b"/etc/passwd", true)]), Refused("attack.zip")),
        file(
            "a zip in a zip",
            "attack.zip",
            zip(&[("inner.zip", &zip(&[("results.csv", &seed, false)]), false)]),
            Refused("attack.zip"),
        ),
        file(
            "a zip without an end",
            "attack.zip",
            cut(zip(&[("results.csv", &seed, false)]), 200),
            Refused("attack.zip"),
        ),
        file("an empty zip", "attack.zip", zip(&[]), Refused("attack.zip")),
    ]
}

/// Entries of the workspace that are no files.
fn in_the_workspace() -> Vec<Attack> {
    use Ends::{Refused, Somehow};
    let shared = |make: fn(&Path)| Box::new(make) as Box<dyn Fn(&Path)>;
    let check = "check --baseline base.json --suite api 'attack.*'";
    vec![
        Attack {
            what: "links out of the workspace",
            make: shared(|folder| {
                symlink("/etc/passwd", folder.join("attack.csv")).unwrap();
                symlink("/dev/zero", folder.join("attack.json")).unwrap();
                symlink("attack.loop", folder.join("attack.loop")).unwrap();
                symlink("/", folder.join("attack.d")).unwrap();
            }),
            command: check,
            ends: Refused("attack"),
        },
        Attack {
            what: "a link to itself above, searched without end",
            make: shared(|folder| symlink(".", folder.join("load-results/again")).unwrap()),
            command: "check --baseline base.json --suite api '**/*.csv'",
            ends: Somehow,
        },
        Attack {
            what: "a pipe among the results",
            make: shared(|folder| {
                assert!(Command::new("mkfifo").arg(folder.join("attack.csv")).status().unwrap().success());
            }),
            command: check,
            ends: Refused("attack"),
        },
        Attack {
            what: "a folder called like a result",
            make: shared(|folder| fs::create_dir(folder.join("attack.csv")).unwrap()),
            command: check,
            ends: Refused("attack"),
        },
    ]
}

/// Configs and baselines.
fn in_configs() -> Vec<Attack> {
    use Ends::{Refused, Somehow};
    let big = "n".repeat(10 << 20);
    vec![
        file(
            "an alias bomb",
            "loadgate.yml",
            format!(
                "a0: &a0 [x, x]\n{}",
                each(1..=40, |n| format!("a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9)))
            ),
            Refused("loadgate.yml"),
        ),
        file("deep YAML", "loadgate.yml", "[".repeat(100_000), Refused("loadgate.yml")),
        file(
            "deep YAML by indentation",
            "loadgate.yml",
            each(0..2_000, |n| format!("{}- a:\n", "  ".repeat(n))),
            Refused("loadgate.yml"),
        ),
        file(
            "duplicate keys of a config",
            "loadgate.yml",
            "version: 1\nrules: []\nrules: []\n",
            Refused("loadgate.yml"),
        ),
        file("a key of 10 MB", "loadgate.yml", format!("version: 1\n{big}: 1\n"), Refused("loadgate.yml")),
        file(
            "a pattern that explodes",
            "loadgate.yml",
            "version: 1\nendpoints: { rename: [{ match: \"((a{1,1000}){1,1000}){1,1000}\", to: x }] }\n",
            Refused("loadgate.yml"),
        ),
        file(
            "a pattern that backtracks",
            "loadgate.yml",
            CONFIG.replace("/[0-9]+", "(a|a|_|_)*(a*)*[a-z]*x?y?(.*)*"),
            Somehow,
        ),
        file(
            "numbers without bounds",
            "loadgate.yml",
            "version: 1\nrules: [{ metric: latency_p95, limit: 1e999% }]\n",
            Refused("loadgate.yml"),
        ),
        file(
            "100,000 rules",
            "loadgate.yml",
            format!("version: 1\nrules:\n{}", "  - { metric: latency_p95, limit: 10% }\n".repeat(100_000)),
            Somehow,
        ),
        file("a deep baseline", "base.json", "[".repeat(1 << 20), Refused("base.json")),
        file(
            "a baseline of another kind",
            "base.json",
            "{\"schema\":\"loadgate.baseline/1\",\"runs\":{}}",
            Refused("base.json"),
        ),
        file("a baseline from the future", "base.json", "{\"schema\":\"loadgate.baseline/999\"}", Refused("base.json")),
    ]
}

/// Templates.
fn in_templates() -> Vec<Attack> {
    use Ends::Refused;
    let big = "n".repeat(10 << 20);
    vec![
        file(
            "an endless loop",
            "templates/comment.md.j2",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}x{% endfor %}{% endfor %}{% endfor %}",
            Refused("comment.md.j2"),
        ),
        file(
            "a macro that calls itself",
            "templates/comment.md.j2",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            Refused("comment.md.j2"),
        ),
        file(
            "a template that includes itself",
            "templates/comment.md.j2",
            "{% include 'comment.md.j2' %}",
            Refused("comment.md.j2"),
        ),
        file(
            "a template that extends itself",
            "templates/comment.md.j2",
            "{% extends 'comment.md.j2' %}",
            Refused("comment.md.j2"),
        ),
        file(
            "a template that reads files",
            "templates/comment.md.j2",
            "{% include '../../../../../../etc/passwd' %}",
            Refused("comment.md.j2"),
        ),
        file("a text repeated", "templates/comment.md.j2", "{{ 'x' * 9999999999 }}", Refused("comment.md.j2")),
        file(
            "a list without end",
            "templates/comment.md.j2",
            "{{ range(999999999999) | list | join('x') }}",
            Refused("comment.md.j2"),
        ),
        file(
            "deep brackets",
            "templates/comment.md.j2",
            format!("{{{{ {}1 }}}}", "(".repeat(100_000)),
            Refused("comment.md.j2"),
        ),
        file("a template of 10 MB", "templates/comment.md.j2", big.clone(), Refused("comment.md.j2")),
    ]
}

/// What is read besides: events, histories, reports.
fn in_other_files() -> Vec<Attack> {
    use Ends::{Refused, Somehow};
    let history = healthy().remove(HISTORY).unwrap();
    let history_line = String::from_utf8(history).unwrap().lines().next().unwrap().to_owned();
    let big = "n".repeat(10 << 20);
    vec![
        file("a deep event", "event.json", "[".repeat(1 << 20), Somehow),
        file("an event of 10 MB", "event.json", format!("{{\"pull_request\":{{\"title\":\"{big}\"}}}}"), Somehow),
        file(
            "a history of far times",
            HISTORY,
            ["-009999-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-30T00:00:00Z", "99999-01-01T00:00:00Z"]
                .map(|time| history_line.replacen("2026-11-10T02:00:00Z", time, 1))
                .join("\n"),
            Somehow,
        ),
        file("a history of huge numbers", HISTORY, history_line.replace("0.", "1e308"), Somehow),
        file("the same run 10,000 times", HISTORY, format!("{history_line}\n").repeat(10_000), Somehow),
        file("a history without lines", HISTORY, big.clone(), Somehow),
        file("a deep history", HISTORY, format!("{history_line}\n{}", "{\"endpoints\":".repeat(100_000)), Somehow),
        file("a deep report", REPORT, "{\"suites\":".repeat(100_000), Refused("report.json")),
        file(
            "a report of another kind",
            REPORT,
            "{\"schema\":\"loadgate.report/1\",\"suites\":7}",
            Refused("report.json"),
        ),
    ]
}

#[test]
fn attacks_end_in_a_reason_or_a_verdict() {
    let healthy = healthy();
    let mut wrong = Vec::new();
    for attack in
        [in_artifacts(), in_the_workspace(), in_configs(), in_templates(), in_other_files()].into_iter().flatten()
    {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path(), &healthy);
        (attack.make)(folder.path());
        let said = started(attack.what, 0, folder.path(), attack.command);
        let start = said.stderr.chars().take(600).collect::<String>();
        assert!(said.stderr.len() < 20_000, "{}: {} bytes on stderr: {start}", attack.what, said.stderr.len());
        if let Ends::Refused(words) = attack.ends
            && (said.code != 2 || !said.stderr.contains(words))
        {
            wrong.push(format!("{}: exit {}: {start}", attack.what, said.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
