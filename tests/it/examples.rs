//! Every folder in `examples/` that has a `workflow.yml`: what its judging step says is the `comment.md` beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("workflow.yml").exists())
        .collect();
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// The inputs of the step in the workflow that is ours.
fn inputs(example: &Path) -> Vec<(String, String)> {
    let workflow: Value = serde_saphyr::from_str(&fs::read_to_string(example.join("workflow.yml")).unwrap()).unwrap();
    let jobs = workflow["jobs"].as_object().unwrap();
    let mut steps = jobs.values().flat_map(|job| job["steps"].as_array().unwrap());
    let step = steps.find(|step| step["uses"].as_str().is_some_and(|uses| uses.starts_with("loadgate/loadgate@")));
    let given = step.unwrap_or_else(|| panic!("{}: no step of ours", example.display()))["with"].as_object();
    given
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect()
}

#[test]
fn every_example_yields_the_comment_beside_it() {
    let examples = examples();
    assert!(examples.len() >= 6, "the examples are where this test looks");
    let mut wrong = Vec::new();
    for example in examples {
        let name = example.file_name().unwrap().to_str().unwrap();
        let workspace = tempfile::tempdir().unwrap();
        copy(&example, workspace.path());
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgate"));
        command.current_dir(workspace.path()).env_clear().env("GITHUB_ACTIONS", "true");
        // The action as a runner starts it, but without GitHub and on a fixed day.
        command.env("INPUT_PUBLISH", "never").env("LOADGATE_NOW", "2026-11-24T12:00:00Z");
        command.envs(inputs(&example).iter().map(|(name, value)| (format!("INPUT_{}", name.to_uppercase()), value)));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: each example shows a regression\n{said}");
        let comment = fs::read_to_string(workspace.path().join("loadgate-report/comment.md")).unwrap();
        let kept = example.join("comment.md");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(kept, comment).unwrap();
        } else if fs::read_to_string(kept).unwrap_or_default() != comment {
            wrong.push(format!("{name}:\n{comment}"));
        }
    }
    assert!(wrong.is_empty(), "other comments than kept; UPDATE=1 rewrites them:\n{}", wrong.join("\n"));
}
