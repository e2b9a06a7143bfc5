//! `loadgate init`: recognises the load tests of a repository and writes a config and a workflow for them. [I/O]
//!
//! Files that are there already are left alone, whatever is in them.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::Done;
use crate::cli::{Init, InitTool};
use crate::config::PLACES;
use crate::files;

/// Where the workflow goes.
const WORKFLOW: &str = ".github/workflows/load-test.yml";
const CONFIG_TEMPLATE: &str = include_str!("../../templates/init/loadgate.yml");
const WORKFLOW_TEMPLATE: &str = include_str!("../../templates/init/load-test.yml");
/// Folders below the root that are looked into.
const DEPTH: usize = 5;
/// Files looked at: enough to find a load test, too few to be slow in a monorepo.
const MOST_FILES: usize = 20_000;
/// Bytes of a file that are looked at; imports stand at its top.
const HEAD: u64 = 16 << 10;
/// Folders that hold other people's files.
const SKIPPED: [&str; 8] =
    ["node_modules", "target", "build", "dist", "vendor", "venv", "site-packages", "__pycache__"];

/// A load test in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Script {
    tool: InitTool,
    /// From the root, with `/`.
    path: String,
}

/// Writes the files, or says what it would write.
pub fn run(arguments: &Init, root: &Path) -> anyhow::Result<Done> {
    let scripts = chosen(scripts(root)?, arguments.tool)?;
    let config_at = PLACES.into_iter().find(|place| root.join(place).exists());
    let plan = [
        (PLACES[0], config(&scripts), config_at),
        (WORKFLOW, workflow(&scripts), root.join(WORKFLOW).exists().then_some(WORKFLOW)),
    ];
    let mut text = String::new();
    for script in &scripts {
        let (path, tool) = (&script.path, script.tool.title());
        let _ = if root.join(path).exists() {
            writeln!(text, "found    {path} ({tool})")
        } else {
            writeln!(text, "assumed  {path} ({tool}): it is not here yet; the workflow names it")
        };
    }
    for (path, content, there) in plan {
        match there {
            Some(there) => {
                let _ = writeln!(text, "kept     {there}, which is there already");
            }
            None if arguments.dry_run => {
                let _ = writeln!(text, "\nwould write {path}:\n\n{content}");
            }
            None => {
                files::write(&root.join(path), content.as_bytes())
                    .with_context(|| format!("{path}: cannot be written"))?;
                let _ = writeln!(text, "wrote    {path}");
            }
        }
    }
    text.push_str(&next_steps(&scripts));
    Ok(Done::printed(text))
}

fn next_steps(scripts: &[Script]) -> String {
    let record: Vec<String> =
        scripts.iter().map(|script| format!("loadgate baseline add --suite {}", script.tool.suite())).collect();
    format!(
        "
Next:
  1. In {WORKFLOW}, set TARGET and start the system under test.
  2. Commit, open a pull request: the first run is judged without a baseline.
  3. After a good run, unpack its artifact here and record it:
     {} && git add .loadgate && git commit -m 'Record a load-test baseline'
`loadgate doctor` says what is still missing.
",
        record.join(" && ")
    )
}

/// One script per tool, the one the user named if any: a repository with five k6 scripts wants to choose for itself later.
fn chosen(mut scripts: Vec<Script>, wanted: Option<InitTool>) -> anyhow::Result<Vec<Script>> {
    if let Some(wanted) = wanted {
        scripts.retain(|script| script.tool == wanted);
        if scripts.is_empty() {
            scripts.push(Script { tool: wanted, path: wanted.usual_script().to_owned() });
        }
    }
    // Shortest path first: the main script rarely stands deepest.
    scripts.sort_by_key(|script| (script.tool, script.path.matches('/').count(), script.path.clone()));
    scripts.dedup_by_key(|script| script.tool);
    if scripts.is_empty() {
        bail!(
            "no load test found: no locustfile.py, no script that imports k6, no .jmx, no Artillery YAML, no Gatling simulation\n\
             hint: say which tool you will use: `loadgate init --tool locust` (or k6, jmeter, artillery, gatling)"
        );
    }
    Ok(scripts)
}

/// Every load test below the root.
fn scripts(root: &Path) -> anyhow::Result<Vec<Script>> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_path_buf(), 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => {
                return Err(error).with_context(|| format!("{}: cannot be read", folder.display()));
            }
            // Somebody else's folder is not where the load test is.
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            // The type of the entry itself: links are not followed, they may lead out of the repository.
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && depth < DEPTH && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                folders.push((path, depth + 1));
            } else if kind.is_file() {
                seen += 1;
                found.extend(script(root, &path, &name));
            }
        }
        if seen > MOST_FILES {
            break;
        }
    }
    Ok(found)
}

/// The file as a load test, if it is one.
fn script(root: &Path, path: &Path, name: &str) -> Option<Script> {
    let from_root = path.strip_prefix(root).ok()?.to_str()?.to_owned();
    // The path goes into a shell command and into YAML; nobody names a script like that by accident.
    if from_root.chars().any(char::is_control) || from_root.contains("${{") {
        return None;
    }
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let tool = match extension.as_str() {
        "jmx" => InitTool::Jmeter,
        "py" | "js" | "ts" | "mjs" | "yml" | "yaml" | "scala" | "java" | "kt" => {
            by_content(&extension, name, &head(path)?)?
        }
        _ => return None,
    };
    Some(Script { tool, path: from_root })
}

/// The tool whose mark stands at the top of the file.
fn by_content(extension: &str, name: &str, head: &str) -> Option<InitTool> {
    let line_begins = |mark: &str| head.lines().any(|line| line.trim_end().starts_with(mark));
    let imports = |module: &str| {
        [
            format!("from '{module}"),
            format!("from \"{module}"),
            format!("require('{module}"),
            format!("require(\"{module}"),
        ]
        .iter()
        .any(|mark| head.contains(mark))
    };
    match extension {
        "py" if name == "locustfile.py" || line_begins("from locust import") || line_begins("import locust") => {
            Some(InitTool::Locust)
        }
        "js" | "ts" | "mjs" if imports("@gatling.io/") => Some(InitTool::Gatling),
        "js" | "ts" | "mjs" if imports("k6/") || imports("k6'") || imports("k6\"") => Some(InitTool::K6),
        "scala" | "java" | "kt" if head.contains("io.gatling.") => Some(InitTool::Gatling),
        "yml" | "yaml" if line_begins("config:") && line_begins("scenarios:") && head.contains("target:") => {
            Some(InitTool::Artillery)
        }
        _ => None,
    }
}

fn head(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(HEAD).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn config(scripts: &[Script]) -> String {
    let mut suites = String::new();
    for script in scripts {
        let _ = writeln!(suites, "  {}:\n    results: [\"{}\"]", script.tool.suite(), script.results());
    }
    CONFIG_TEMPLATE.replace("@SUITES@\n", &format!("{suites}\n"))
}

fn workflow(scripts: &[Script]) -> String {
    let steps: Vec<String> = scripts.iter().map(Script::step).collect();
    WORKFLOW_TEMPLATE.replace("@STEPS@", &steps.join("\n"))
}

impl InitTool {
    /// Its name.
    fn title(self) -> &'static str {
        match self {
            Self::Locust => "Locust",
            Self::K6 => "k6",
            Self::Jmeter => "JMeter",
            Self::Artillery => "Artillery",
            Self::Gatling => "Gatling",
        }
    }

    /// The name of the suite that it gets.
    fn suite(self) -> String {
        self.title().to_lowercase()
    }

    /// The script that is written into the workflow where none is found.
    fn usual_script(self) -> &'static str {
        match self {
            Self::Locust => "locustfile.py",
            Self::K6 => "load-test.js",
            Self::Jmeter => "load-test.jmx",
            Self::Artillery => "artillery.yml",
            Self::Gatling => "src/gatling/java/Simulation.java",
        }
    }
}

impl Script {
    /// Where the results end up.
    fn results(&self) -> &'static str {
        match self.tool {
            InitTool::Locust => "load-results/locust_*.csv",
            InitTool::K6 => "load-results/k6.json.gz",
            InitTool::Jmeter => "load-results/jmeter.jtl",
            InitTool::Artillery => "load-results/artillery-report.json",
            InitTool::Gatling => "load-results/gatling/**/simulation.log",
        }
    }

    /// The workflow step that runs it. Exit codes that speak of the system under test are not this step's business.
    fn step(&self) -> String {
        // Paths with a null character cannot be quoted, and cannot be.
        let path = shlex::try_quote(&self.path).map_or_else(|_| String::new(), std::borrow::Cow::into_owned);
        let folder = Path::new(&self.path).parent().and_then(Path::to_str).unwrap_or("");
        let commands: Vec<String> = match self.tool {
            InitTool::Locust => vec![
                "python3 -m venv /tmp/locust && /tmp/locust/bin/pip install --quiet locust==2.47.0".to_owned(),
                "mkdir -p load-results".to_owned(),
                format!(
                    "/tmp/locust/bin/locust -f {path} --headless --host \"$TARGET\" -u 20 -r 5 -t 2m \\\n  --csv load-results/locust --csv-full-history --exit-code-on-error 0"
                ),
            ],
            InitTool::K6 => vec![
                "mkdir -p load-results".to_owned(),
                "# 99 says that a threshold of the script is broken; judging is the next step".to_owned(),
                format!(
                    "docker run --rm --network host --user \"$(id -u)\" -v \"$PWD:/work\" -w /work -e TARGET \\\n  grafana/k6:1.4.0 run --out json=load-results/k6.json.gz {path} || [ $? -eq 99 ]"
                ),
            ],
            InitTool::Jmeter => vec![
                "mkdir -p load-results".to_owned(),
                "curl -fsSL https://archive.apache.org/dist/jmeter/binaries/apache-jmeter-5.6.3.tgz | tar xz -C /tmp"
                    .to_owned(),
                format!(
                    "/tmp/apache-jmeter-5.6.3/bin/jmeter -n -t {path} -l load-results/jmeter.jtl -Jtarget=\"$TARGET\""
                ),
            ],
            InitTool::Artillery => vec![
                "mkdir -p load-results".to_owned(),
                format!(
                    "npx --yes artillery@2 run --target \"$TARGET\" --output load-results/artillery-report.json {path}"
                ),
            ],
            InitTool::Gatling => {
                let (start, made) = gatling(folder, &self.path);
                vec![start, "mkdir -p load-results/gatling".to_owned(), format!("cp -r {made}/. load-results/gatling/")]
            }
        };
        let mut step = format!("      - name: {}\n        run: |\n", self.tool.title());
        for line in commands.iter().flat_map(|command| command.lines()) {
            let _ = writeln!(step, "          {line}");
        }
        step
    }
}

/// How Gatling is started in the project that the simulation belongs to, and where it writes.
fn gatling(folder: &str, path: &str) -> (String, String) {
    // Build tools put simulations below `src`; what stands in front of it is the project.
    let project = folder.split_once("src").map_or("", |(project, _)| project).trim_end_matches('/');
    let project = if project.is_empty() { "." } else { project };
    let quoted = shlex::try_quote(project).map_or_else(|_| ".".to_owned(), std::borrow::Cow::into_owned);
    if Path::new(path).extension().is_some_and(|extension| ["js", "ts", "mjs"].iter().any(|known| extension == *known))
    {
        return (format!("(cd {quoted} && npm ci && npx gatling run)"), format!("{quoted}/target/gatling"));
    }
    (
        format!(
            "(cd {quoted} && if [ -f mvnw ]; then ./mvnw -q gatling:test; elif [ -f gradlew ]; then ./gradlew -q gatlingRun; else mvn -q gatling:test; fi)"
        ),
        format!("\"$(ls -d {quoted}/target/gatling {quoted}/build/reports/gatling 2>/dev/null | head -1)\""),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// One file of each kind, and some that look a little like them.
    const REPOSITORY: [(&str, &str); 11] = [
        ("locustfile.py", "import time\n"),
        ("perf/deep/other.py", "from locust import HttpUser\n"),
        ("perf/checkout flow.js", "import http from 'k6/http';\n"),
        ("perf/plan.jmx", "<jmeterTestPlan/>"),
        ("perf/artillery.yml", "config:\n  target: http://x\nscenarios:\n  - flow: []\n"),
        ("sim/src/gatling/java/Basic.java", "import io.gatling.javaapi.core.*;\n"),
        ("node_modules/k6/x.js", "import http from 'k6/http';\n"),
        ("src/app.js", "import express from 'express';\n"),
        (".github/workflows/ci.yml", "on: push\n"),
        ("docker-compose.yml", "config:\n  a: 1\n"),
        ("setup.py", "# not locust\n"),
    ];

    fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn init(tool: Option<InitTool>, dry_run: bool) -> Init {
        Init { tool, dry_run }
    }

    #[test]
    fn each_tool_is_recognised_once() {
        let root = repository(&REPOSITORY);
        let found = chosen(scripts(root.path()).unwrap(), None).unwrap();
        let found: Vec<(InitTool, &str)> = found.iter().map(|script| (script.tool, script.path.as_str())).collect();
        assert_eq!(
            found,
            [
                (InitTool::Locust, "locustfile.py"),
                (InitTool::K6, "perf/checkout flow.js"),
                (InitTool::Jmeter, "perf/plan.jmx"),
                (InitTool::Artillery, "perf/artillery.yml"),
                (InitTool::Gatling, "sim/src/gatling/java/Basic.java"),
            ]
        );
    }

    #[test]
    fn what_is_written_can_be_read() {
        let root = repository(&REPOSITORY);
        let done = run(&init(None, false), root.path()).unwrap();
        assert!(done.stdout.contains("wrote    .github/loadgate.yml"), "{}", done.stdout);
        let text = fs::read_to_string(root.path().join(".github/loadgate.yml")).unwrap();
        assert!(text.starts_with("# yaml-language-server: $schema="));
        let config = Config::parse(&text, ".github/loadgate.yml").unwrap();
        let suites: Vec<&str> = config.suites.iter().map(|suite| suite.name.as_str()).collect();
        assert_eq!(suites, ["locust", "k6", "jmeter", "artillery", "gatling"]);
        let workflow = fs::read_to_string(root.path().join(WORKFLOW)).unwrap();
        let workflow: serde_json::Value = serde_saphyr::from_str(&workflow).unwrap();
        let steps = workflow["jobs"]["load-test"]["steps"].as_array().unwrap();
        let runs: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
        assert_eq!(runs.len(), 6);
        assert!(runs.iter().any(|run| run.contains("k6.json.gz 'perf/checkout flow.js' ||")), "{runs:#?}");
        assert!(runs.iter().any(|run| run.starts_with("(cd sim && ")), "{runs:#?}");
        assert_eq!(workflow["permissions"], serde_json::json!({}), "nothing that is not asked for");
        assert_eq!(workflow["on"]["schedule"][0]["cron"], "0 2 * * 0");
    }

    #[test]
    fn nothing_is_overwritten() {
        let root = repository(&[("locustfile.py", ""), ("loadgate.yml", "version: 1\n"), (WORKFLOW, "on: push\n")]);
        let done = run(&init(None, false), root.path()).unwrap();
        assert_eq!(done.stdout.matches("kept ").count(), 2, "{}", done.stdout);
        assert!(!root.path().join(PLACES[0]).exists(), "two configs would be an error");
        assert_eq!(fs::read_to_string(root.path().join(WORKFLOW)).unwrap(), "on: push\n");
        let again = repository(&[("locustfile.py", "")]);
        run(&init(None, false), again.path()).unwrap();
        let second = run(&init(None, false), again.path()).unwrap();
        assert_eq!(second.stdout.matches("kept ").count(), 2, "{}", second.stdout);
    }

    #[test]
    fn a_dry_run_writes_nothing() {
        let root = repository(&[("locustfile.py", "")]);
        let done = run(&init(None, true), root.path()).unwrap();
        assert!(done.stdout.contains("would write .github/loadgate.yml:\n\n# yaml-language-server"), "{}", done.stdout);
        assert!(!root.path().join(".github").exists());
    }

    #[test]
    fn without_a_load_test_the_tool_has_to_be_named() {
        let root = repository(&[("README.md", "")]);
        let error = run(&init(None, false), root.path()).unwrap_err().to_string();
        assert!(error.contains("no load test found") && error.contains("hint: "), "{error}");
        let done = run(&init(Some(InitTool::K6), true), root.path()).unwrap();
        assert!(done.stdout.contains("load-test.js"), "{}", done.stdout);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let outside = repository(&[("locustfile.py", "")]);
        let root = repository(&[("README.md", "")]);
        std::os::unix::fs::symlink(outside.path(), root.path().join("tests")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("locustfile.py"), root.path().join("locustfile.py")).unwrap();
        assert_eq!(scripts(root.path()).unwrap(), []);
    }
}
