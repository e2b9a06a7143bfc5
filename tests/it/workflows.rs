//! Workflows together: the quick start as a newcomer copies it, what one of ours takes from another, and their pins.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::cli::{SEED_BASELINE, SEED_CURRENT, Workspace};

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap()
}

/// Our own workflows, by file name.
fn own() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| (name.clone(), yaml(&format!(".github/workflows/{name}")))).collect()
}

fn steps(workflow: &Value) -> impl Iterator<Item = &Value> {
    workflow["jobs"].as_object().unwrap().values().flat_map(|job| job["steps"].as_array().unwrap())
}

/// The inputs of a step as a runner hands them over.
fn inputs(step: &Value) -> Vec<(String, String)> {
    let given = step["with"].as_object().unwrap().iter();
    given.map(|(name, value)| (format!("INPUT_{}", name.to_uppercase()), value.as_str().unwrap().to_owned())).collect()
}

/// Runs a step that is ours; its exit code and what it says.
fn action(workspace: &Workspace, step: &Value) -> (i32, String) {
    let output = workspace.path("output");
    fs::write(&output, "").unwrap();
    let mut variables = inputs(step);
    variables.push(("GITHUB_ACTIONS".to_owned(), "true".to_owned()));
    variables.push(("GITHUB_OUTPUT".to_owned(), output.to_str().unwrap().to_owned()));
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let ran = workspace.with_vars("", &variables);
    (ran.code, ran.stdout + &ran.stderr)
}

/// The value of an output of the last step.
fn output(workspace: &Workspace, name: &str) -> String {
    let text = workspace.read("output");
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&format!("{name}<<"))).skip(1);
    lines.next().unwrap_or_default().to_owned()
}

#[test]
fn the_quick_start_gives_a_verdict_without_a_config() {
    let readme = text("README.md");
    let (_, start) = readme.split_once("## Quick start\n\n```yaml\n").unwrap();
    let workflow: Value = serde_saphyr::from_str(start.split_once("```").unwrap().0).unwrap();
    let steps = workflow["steps"].as_array().unwrap();
    let tool = steps.iter().find_map(|step| step["run"].as_str()).unwrap();
    assert!(tool.ends_with("--csv load-results/api"), "{tool}");
    let ours = steps.iter().find(|step| step["uses"].as_str().is_some_and(|uses| uses.contains("/loadgate@"))).unwrap();
    assert!(ours["with"].as_object().unwrap().len() == 1, "one line is all it needs");

    // A repository with nothing in it, and what the command above leaves: real files of Locust under the names it gives.
    let workspace = Workspace::new();
    for part in ["stats", "stats_history", "failures", "exceptions"] {
        let file = text(&format!("examples/locust/load-results/shop_{part}.csv"));
        workspace.write(&format!("load-results/api_{part}.csv"), file);
    }
    let (code, said) = action(&workspace, ours);
    assert_eq!((code, output(&workspace, "verdict").as_str()), (0, "no_baseline"), "{said}");
    assert!(workspace.read("loadgate-report/summary.md").contains("`loadgate baseline add "), "{said}");

    // What it says next, and then the same step judges.
    let recorded = workspace.run("baseline add load-results/");
    assert_eq!(recorded.code, 0, "{}", recorded.stderr);
    let (code, said) = action(&workspace, ours);
    assert_eq!((code, output(&workspace, "verdict").as_str()), (0, "pass"), "{said}");
    let stats = workspace.read("load-results/api_stats.csv");
    let worse: Vec<String> =
        stats.lines().map(|line| line.replacen("POST,/query,2313,0,", "POST,/query,2313,300,", 1)).collect();
    assert_ne!(worse.join("\n"), stats.trim_end());
    workspace.write("load-results/api_stats.csv", worse.join("\n"));
    let (code, said) = action(&workspace, ours);
    assert_eq!((code, output(&workspace, "verdict").as_str()), (1, "fail"), "{said}");
    assert_eq!(output(&workspace, "worst-endpoint"), "POST /query", "{said}");
}

#[test]
fn the_trend_page_is_made_of_the_history() {
    let pages = yaml(".github/workflows/pages.yml");
    let step = steps(&pages).find(|step| step["uses"] == "./").unwrap();
    let upload =
        steps(&pages).find(|step| step["uses"].as_str().unwrap().starts_with("actions/upload-pages-artifact@"));
    let workspace = Workspace::seed(&[SEED_BASELINE, SEED_CURRENT]);
    workspace.run(&format!("check --baseline {SEED_BASELINE} {SEED_CURRENT}"));
    let added = workspace.run("history add --history loadgate-data/history --commit 0123abc --ref main");
    assert_eq!(added.code, 0, "{}", added.stderr);
    let (code, said) = action(&workspace, step);
    assert_eq!(code, 0, "{said}");
    let folder = upload.unwrap()["with"]["path"].as_str().unwrap();
    assert!(workspace.read(&format!("{folder}/index.html")).contains("api_gateway"));
}

#[test]
fn what_a_workflow_waits_for_exists() {
    let all = own();
    let names: BTreeSet<&str> = all.values().map(|workflow| workflow["name"].as_str().unwrap()).collect();
    let mut waiting = 0;
    for (file, workflow) in &all {
        for name in workflow["on"]["workflow_run"]["workflows"].as_array().into_iter().flatten() {
            assert!(names.contains(name.as_str().unwrap()), "{file}: there is no workflow {name}");
            waiting += 1;
        }
    }
    assert_eq!(waiting, 2, "the page and the half for forks");
    let artifact = |file: &str, action: &str| {
        let step =
            steps(&all[file]).find(|step| step["uses"].as_str().unwrap_or_default().starts_with(action)).unwrap();
        step["with"]["name"].clone()
    };
    assert_eq!(
        artifact("publish-fork.yml", "actions/download-artifact@"),
        artifact("pr-load-test.yml", "actions/upload-artifact@")
    );
}

#[test]
fn an_action_of_others_is_pinned_once_with_its_version() {
    let mut pins: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let examples = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap();
    let examples = examples.map(|entry| format!("examples/{}/workflow.yml", entry.unwrap().file_name().display()));
    let files = own().into_keys().map(|name| format!(".github/workflows/{name}"));
    let there = |file: &String| Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists();
    for file in files.chain(examples.filter(there)) {
        for line in text(&file).lines() {
            let Some((action, pin)) = line.split_once("uses: actions/").and_then(|(_, uses)| uses.split_once('@'))
            else {
                continue;
            };
            let (commit, version) = pin.split_once(" # v").unwrap_or_else(|| panic!("{file}: {line}"));
            assert!(commit.len() == 40 && version.split('.').count() == 3, "{file}: {line}");
            pins.entry(action.to_owned()).or_default().insert(pin.to_owned());
        }
    }
    assert!(pins.len() >= 6, "{pins:?}");
    assert!(pins.values().all(|pins| pins.len() == 1), "{pins:#?}");
}
