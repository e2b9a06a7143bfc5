//! The workflows of the repository that use loadgate: what starts them, and what they may do. [I/O]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::Finding;

const CHECK: &str = "workflow";
const PAGES: &str = "pages";
const FOLDER: &str = ".github/workflows";
/// GitHub's own limit is half of this.
const LARGEST: u64 = 1 << 20;

/// Each workflow that uses loadgate; a note if there is none.
pub(super) fn check(root: &Path, keeps_history: bool) -> Vec<Finding> {
    let files = files(&root.join(FOLDER));
    let mut findings: Vec<Finding> = Vec::new();
    for (name, text) in &files {
        if text.contains("loadgate") {
            findings.extend(one(&format!("{FOLDER}/{name}"), text, keeps_history));
        }
    }
    if findings.is_empty() {
        let message = format!("none in {FOLDER} uses loadgate");
        findings.push(Finding::note(CHECK, message, "`loadgate init` writes one"));
    }
    if keeps_history {
        findings.push(pages(&files));
    }
    findings
}

/// Whether a workflow publishes the trend page of the history.
fn pages(files: &BTreeMap<String, String>) -> Finding {
    match files.iter().find(|(_, text)| text.contains("actions/deploy-pages")) {
        Some((name, _)) => Finding::ok(PAGES, format!("{FOLDER}/{name} publishes to GitHub Pages")),
        None => Finding::note(
            PAGES,
            "no workflow publishes the trend page of the history",
            "deploy what `loadgate site` writes with actions/deploy-pages, and choose GitHub Actions under Settings, Pages",
        ),
    }
}

/// Workflow files by name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "yml" || extension == "yaml"))
        .filter_map(|entry| {
            let mut text = String::new();
            fs::File::open(entry.path()).ok()?.take(LARGEST).read_to_string(&mut text).ok()?;
            Some((entry.file_name().to_string_lossy().into_owned(), text))
        })
        .collect()
}

fn one(path: &str, text: &str, keeps_history: bool) -> Vec<Finding> {
    let options = serde_saphyr::options! { with_snippet: false };
    let workflow: Value = match serde_saphyr::from_str_with_options(text, options) {
        Ok(workflow) => workflow,
        Err(error) => {
            let remedy = "GitHub will not start it either; mend the YAML";
            return vec![Finding::problem(CHECK, format!("{path}: {error}"), remedy)];
        }
    };
    let events = events(&workflow);
    let mut findings = vec![Finding::ok(CHECK, format!("{path}: on {}", events.join(", ")))];
    let starts = |event: &str| events.iter().any(|known| known == event);
    if starts("pull_request") {
        findings.extend(needs(&workflow, path, "pull-requests", "the comment on pull requests"));
    }
    if starts("schedule") {
        findings.extend(needs(&workflow, path, "issues", "the regression issue"));
    } else {
        let remedy = "add `schedule: [{ cron: \"0 2 * * 0\" }]`: slow drifts show only over time";
        findings.push(Finding::note(CHECK, format!("{path}: has no schedule"), remedy));
    }
    if keeps_history {
        findings.extend(needs(&workflow, path, "contents", "the history branch"));
    }
    findings
}

/// The names under `on`, in whichever of its three forms.
fn events(workflow: &Value) -> Vec<String> {
    // YAML 1.1 readers take the bare word for a boolean.
    match workflow.get("on").or_else(|| workflow.get("true")) {
        Some(Value::String(event)) => vec![event.clone()],
        Some(Value::Array(events)) => events.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::Object(events)) => events.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// A problem unless the workflow or one of its jobs may write `scope`.
fn needs(workflow: &Value, path: &str, scope: &str, purpose: &str) -> Option<Finding> {
    let jobs = workflow.get("jobs").and_then(Value::as_object).into_iter().flatten().map(|(_, job)| job);
    let blocks: Vec<&Value> =
        std::iter::once(workflow).chain(jobs).filter_map(|block| block.get("permissions")).collect();
    if blocks.is_empty() {
        let message = format!("{path}: no `permissions`: what the token may do depends on the repository's settings");
        return Some(Finding::note(
            CHECK,
            message,
            format!("add `permissions: {{ contents: read, {scope}: write }}` to the job"),
        ));
    }
    let may = |block: &&Value| *block == "write-all" || block.get(scope).is_some_and(|right| right == "write");
    if blocks.iter().any(may) {
        return None;
    }
    let message = format!("{path}: the token may not write {scope}, which {purpose} needs");
    Some(Finding::problem(CHECK, message, format!("add `{scope}: write` to the job's `permissions`")))
}
