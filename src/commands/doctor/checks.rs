//! What the doctor looks at, one function each. [I/O]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Finding, Patient, workflows};
use crate::artifact::discover;
use crate::baseline::Baseline;
use crate::baseline::store::{self, Stored};
use crate::compare::like;
use crate::config::{self, Config, SuiteConfig};
use crate::format::read;
use crate::github::context::{Context, Event};
use crate::policy::Policy;
use crate::run::Run;

/// A baseline older than this says little about today's code.
const OLD_DAYS: i64 = 90;
/// From here on evidence decides (SPEC section 5).
const ENOUGH_RUNS: usize = 3;
/// The newest Locust that was tried.
const LOCUST: (u32, u32) = (2, 47);
/// How long a tool may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything, in the order in which a new user meets it.
pub(super) fn all(patient: &Patient<'_>) -> Vec<Finding> {
    let (config, mut findings) = config(patient);
    let config = config.unwrap_or_default();
    for suite in suites(&config) {
        let (runs, finding) = results(patient, &suite, &config);
        findings.push(finding);
        findings.extend(baseline(patient, &suite, &runs));
    }
    findings.push(history(patient, &config));
    findings.push(git(patient.root));
    findings.extend(workflows::check(patient.root, history_branch(patient, &config).is_some()));
    findings.extend(github(patient));
    findings.push(locust(patient.root));
    findings.push(docker(patient.root));
    findings.push(machine());
    findings
}

fn config(patient: &Patient<'_>) -> (Option<Config>, Vec<Finding>) {
    match config::find(patient.root, patient.config) {
        Ok(None) => {
            let remedy = format!("`loadgate init` writes {}", config::PLACES[0]);
            (None, vec![Finding::note("config", "there is none: the shipped rules hold", remedy)])
        }
        Ok(Some(config)) => {
            let own = config.policy().rules.len() - Policy::shipped().rules.len();
            let path = config.path.as_deref().unwrap_or_default();
            let fine =
                format!("{path}: {}, {}", counted(config.suites.len(), "suite"), counted(own, "rule of its own"));
            let branch = history_branch(patient, &config);
            let findings = match config.check_history(branch.as_deref()) {
                Ok(()) => vec![Finding::ok("config", fine)],
                Err(error) => vec![Finding::error("config", &error.into())],
            };
            (Some(config), findings)
        }
        Err(error) => (None, vec![Finding::error("config", &error)]),
    }
}

/// `1 suite`, `3 suites`; the words take the plural at their first one.
fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        return format!("1 {what}");
    }
    match what.split_once(' ') {
        Some((noun, rest)) => format!("{count} {noun}s {rest}"),
        None => format!("{count} {what}s"),
    }
}

/// The suites of the config, or the one that is there without any.
fn suites(config: &Config) -> Vec<SuiteConfig> {
    if !config.suites.is_empty() {
        return config.suites.clone();
    }
    let name = "default".to_owned();
    let baseline = config::default_baseline(&name);
    vec![SuiteConfig { name, results: Vec::new(), baseline, combine: None, profile: None }]
}

fn results(patient: &Patient<'_>, suite: &SuiteConfig, config: &Config) -> (Vec<Run>, Finding) {
    const CHECK: &str = "results";
    let found = if suite.results.is_empty() {
        discover::usual(patient.root)
    } else {
        discover::discover(patient.root, &suite.results)
    };
    let remedy = "run the load test; `loadgate formats` lists what is recognised, `suites: { NAME: { results: [GLOB] } }` says where it is";
    let artifacts = match found {
        Ok(artifacts) if !artifacts.is_empty() => artifacts,
        Ok(_) | Err(discover::DiscoverError::NoMatch(_) | discover::DiscoverError::Missing { .. }) => {
            let message = format!("suite `{}`: there are none here", suite.name);
            return (Vec::new(), Finding::note(CHECK, message, remedy));
        }
        Err(error) => return (Vec::new(), Finding::error(CHECK, &error.into())),
    };
    match read::read(&artifacts, &[]) {
        Ok(reading) => {
            let mut runs = reading.runs;
            for run in &mut runs {
                config.names.apply(run);
            }
            let told: Vec<String> = runs.iter().map(describe).collect();
            let finding = Finding::ok(CHECK, format!("suite `{}`: {}", suite.name, told.join("; ")));
            (runs, finding)
        }
        Err(error) => (Vec::new(), Finding::error(CHECK, &error.into())),
    }
}

fn describe(run: &Run) -> String {
    let requests = run.total.as_ref().and_then(|total| total.requests);
    let requests = requests.map(|requests| format!(", {requests} requests")).unwrap_or_default();
    format!(
        "{} from {}, {}{requests}",
        run.tool,
        counted(run.files.len(), "file"),
        counted(run.endpoints.len(), "endpoint")
    )
}

fn baseline(patient: &Patient<'_>, suite: &SuiteConfig, runs: &[Run]) -> Vec<Finding> {
    const CHECK: &str = "baseline";
    let path = &suite.baseline;
    let baseline = match store::read(&patient.root.join(path), path) {
        Ok(Stored::Baseline(baseline)) => baseline,
        Ok(Stored::Absent) => {
            let remedy = "after a good run on the default branch: `loadgate baseline add RESULTS`, then commit it";
            return vec![Finding::note(CHECK, format!("suite `{}`: there is no {path} yet", suite.name), remedy)];
        }
        Ok(Stored::Foreign) => {
            let remedy = format!("`loadgate baseline import {path} --suite {}` takes it over", suite.name);
            return vec![Finding::note(CHECK, format!("{path}: not of loadgate's own kind, read as results"), remedy)];
        }
        Err(error) => return vec![Finding::error(CHECK, &error.into())],
    };
    let mut findings = vec![depth(patient, path, &baseline)];
    findings.extend(likeness(path, &baseline, runs));
    findings
}

/// How many runs there are, and how old the newest is.
fn depth(patient: &Patient<'_>, path: &str, baseline: &Baseline) -> Finding {
    const CHECK: &str = "baseline";
    let count = baseline.runs.len();
    let newest = baseline.runs.iter().filter_map(|run| run.time).max();
    let age = newest.map(|newest| patient.now.duration_since(newest).as_hours() / 24);
    let told = match age {
        Some(days) => format!(
            "{path}: {}, the newest {} old",
            counted(count, "run"),
            counted(usize::try_from(days).unwrap_or(0), "day")
        ),
        None => format!("{path}: {}, of unknown age", counted(count, "run")),
    };
    if count < ENOUGH_RUNS {
        let remedy = format!("add good runs until there are {ENOUGH_RUNS}: below that only `critical` limits can fail");
        return Finding::note(CHECK, told, remedy);
    }
    if age.is_some_and(|days| days > OLD_DAYS) {
        return Finding::note(CHECK, told, "add a recent run: `loadgate baseline add RESULTS`");
    }
    Finding::ok(CHECK, told)
}

/// Whether today's results could be judged against it at all.
fn likeness(path: &str, baseline: &Baseline, runs: &[Run]) -> Option<Finding> {
    const CHECK: &str = "baseline";
    let run = runs.first()?;
    let common = baseline.runs.iter().any(|old| run.endpoints.iter().any(|new| old.endpoint(&new.label()).is_some()));
    if !baseline.runs.is_empty() && !common {
        let remedy =
            "is this the baseline of another suite? `endpoints.rename` maps names, `loadgate baseline add` starts anew";
        return Some(Finding::problem(CHECK, format!("{path}: no endpoint in common with the results"), remedy));
    }
    let load = run.load_facts();
    let alike = baseline.runs.iter().filter(|old| like::same_load(&old.load, &load)).count();
    if alike == 0 && !baseline.runs.is_empty() {
        let message = format!(
            "{path}: no run with the load of the results (users, target rate or duration differ by more than 10 %)"
        );
        return Some(Finding::problem(
            CHECK,
            message,
            "run the load test as the baseline was, or record a new baseline",
        ));
    }
    None
}

fn history_branch(patient: &Patient<'_>, config: &Config) -> Option<String> {
    let named = ["LOADGATE_HISTORY_BRANCH", "INPUT_HISTORY-BRANCH"].iter().find_map(|name| patient.vars.get(*name));
    named.filter(|branch| !branch.trim().is_empty()).cloned().or_else(|| config.history.branch.clone())
}

fn history(patient: &Patient<'_>, config: &Config) -> Finding {
    match history_branch(patient, config) {
        Some(branch) => Finding::ok(
            "history",
            format!("kept on branch `{branch}`, {} per suite", counted(config.history.keep as usize, "run")),
        ),
        None => {
            Finding::skipped("history", "off; `history: { branch: loadgate-data }` keeps every run for the trend page")
        }
    }
}

fn git(root: &Path) -> Finding {
    const CHECK: &str = "git";
    match output(root, "git", &["rev-parse", "--is-shallow-repository"]) {
        None => Finding::note(
            CHECK,
            "this folder is no git repository, or git is not installed",
            "start loadgate inside the clone; without it a baseline run does not say which commit it tested",
        ),
        // Enough for everything: history and commits between runs are asked of GitHub.
        Some(shallow) if shallow == "true" => Finding::ok(CHECK, "a shallow clone, which is enough"),
        Some(_) => Finding::ok(CHECK, "a full clone"),
    }
}

fn github(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "github";
    let context = Context::read(patient.vars);
    if !context.in_actions {
        return vec![Finding::skipped(CHECK, "not started by GitHub Actions: event and token were not looked at")];
    }
    let event = context.event_name.as_deref().unwrap_or("unknown");
    let mut findings = Vec::new();
    findings.push(match (&context.event_problem, &context.repository) {
        (Some(problem), _) => Finding::problem(
            CHECK,
            format!("the event file cannot be used: {problem}"),
            "pass GITHUB_EVENT_PATH into the container",
        ),
        (None, None) => Finding::problem(
            CHECK,
            "GITHUB_REPOSITORY is not set",
            "pass the runner's GITHUB_ variables into the container",
        ),
        (None, Some(repository)) => Finding::ok(CHECK, format!("event {event} of {repository}")),
    });
    if context.token_is_read_only() {
        let remedy = "nothing to mend: the summary holds everything; docs/FORKS.md shows how a `workflow_run` workflow can comment";
        findings.push(Finding::note(
            "token",
            "read-only here, as for every fork and for Dependabot: no comment, no issue",
            remedy,
        ));
    } else if ["INPUT_TOKEN", "GITHUB_TOKEN"]
        .iter()
        .any(|name| patient.vars.get(*name).is_some_and(|token| !token.is_empty()))
    {
        findings.push(Finding::ok("token", "there is one; what it may do is written in the workflow's `permissions`"));
    } else {
        let remedy = "give the action `token: ${{ github.token }}` (its default), or the CLI GITHUB_TOKEN";
        findings.push(Finding::problem("token", "there is none: comment, issue and status cannot be written", remedy));
    }
    if context.event == Event::WorkflowRun && context.triggering.is_none() {
        findings.push(Finding::note(CHECK, "the event names no triggering workflow run", "use `on: workflow_run`"));
    }
    findings
}

fn locust(root: &Path) -> Finding {
    const CHECK: &str = "locust";
    let Some(said) = output(root, "locust", &["--version"]) else {
        return Finding::skipped(CHECK, "not installed; only `loadgate run` needs it (`pip install locust`)");
    };
    // `locust 2.47.0 from /usr/lib/… (Python 3.12.3)`
    let version = said.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    match numbers.next().zip(numbers.next()) {
        Some(known) if known.0 == LOCUST.0 && known <= LOCUST => Finding::ok(CHECK, version),
        _ => {
            let remedy = format!("it will probably work; versions 2.0 to {}.{} were tried", LOCUST.0, LOCUST.1);
            Finding::note(CHECK, format!("{version}: not a version that was tried"), remedy)
        }
    }
}

fn docker(root: &Path) -> Finding {
    const CHECK: &str = "docker";
    match output(root, "docker", &["version", "--format", "{{.Server.Version}}"]) {
        Some(version) => Finding::ok(CHECK, version),
        None => Finding::skipped(CHECK, "not installed or not running; only `loadgate run --engine docker` needs it"),
    }
}

fn machine() -> Finding {
    match std::thread::available_parallelism() {
        Ok(cores) if cores.get() == 1 => Finding::note(
            "machine",
            "1 core: the load generator and the system under test share it",
            "use a runner with more cores, or another machine for the system under test",
        ),
        Ok(cores) => Finding::ok("machine", counted(cores.get(), "core")),
        Err(_) => Finding::skipped("machine", "the number of cores is unknown"),
    }
}

/// The first line that a program prints; `None` if it is not there, fails, or takes too long.
fn output(root: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let child = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let output = finished(child)?.wait_with_output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default().trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}

/// The program once it has ended. What it prints fits into a pipe, so waiting first cannot block it.
fn finished(mut child: Child) -> Option<Child> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(_)) => return Some(child),
            Ok(None) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(10)),
            Ok(None) | Err(_) => {
                // Already gone is as good as killed.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}
