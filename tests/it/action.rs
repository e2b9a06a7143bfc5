//! `action.yml`, the code behind it, the Dockerfile, the workflows and docs/ACTION.md say the same.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use clap::CommandFactory as _;
use loadgate::cli::Cli;
use loadgate::github::inputs;
use serde_json::Value;

/// What later steps may read (SPEC section 7). Names are a promise: one added here is kept.
const OUTPUTS: [&str; 15] = [
    "baseline-pr",
    "comment-url",
    "failed",
    "improved",
    "inconclusive",
    "issue-action",
    "issue-number",
    "missing",
    "report-html",
    "report-json",
    "verdict",
    "warned",
    "worst-change",
    "worst-endpoint",
    "worst-metric",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn inputs_and_outputs_are_those_of_the_code() {
    let action = yaml("action.yml");
    assert_eq!(keys(&action["inputs"]), inputs::names().into_iter().collect());
    assert_eq!(keys(&action["outputs"]), OUTPUTS.into_iter().collect());
    for (name, input) in action["inputs"].as_object().unwrap() {
        assert!(input["description"].as_str().is_some_and(|text| text.len() > 20), "{name} says what it does");
        assert_ne!(input["required"], true, "{name}: every input is optional");
    }
}

#[test]
fn only_what_the_command_line_cannot_say_has_a_default_here() {
    let action = yaml("action.yml");
    for (name, input) in action["inputs"].as_object().unwrap() {
        let expected = match name.as_str() {
            "command" => "check",
            "publish" => "auto",
            "token" => "${{ github.token }}",
            "strict" | "require-baseline" | "dry-run" => "false",
            _ => "",
        };
        assert_eq!(input["default"].as_str(), Some(expected), "{name}: defaults live in the command line");
    }
}

#[test]
fn an_input_that_is_an_option_is_called_like_it() {
    let command = Cli::command();
    let check = command.get_subcommands().find(|command| command.get_name() == "check").unwrap();
    let options: BTreeSet<&str> =
        command.get_arguments().chain(check.get_arguments()).filter_map(clap::Arg::get_long).collect();
    for name in inputs::names() {
        // These become a command, files, a flag under conditions, more arguments, and a variable.
        if !["command", "results", "publish", "args", "token"].contains(&name) {
            assert!(options.contains(name), "`check` has no --{name}");
        }
    }
}

#[test]
fn the_action_starts_what_the_image_starts() {
    let action = yaml("action.yml");
    assert_eq!(action["runs"]["using"], "docker");
    assert_eq!(action["runs"]["image"], "Dockerfile", "in the tree `uses: ./` builds; a release names an image");
    let entrypoint = action["runs"]["entrypoint"].as_str().unwrap();
    let dockerfile = text("Dockerfile");
    assert!(dockerfile.contains(&format!("ENTRYPOINT [\"{entrypoint}\"]")));
    assert!(dockerfile.contains(&format!("/src/target/*/dist/loadgate {entrypoint}")));
    assert!(!dockerfile.contains("USER loadgate") && dockerfile.contains("USER 0"), "the runner's files need root");
}

/// Every step of ours in our own workflows and the examples.
#[test]
fn workflows_use_only_inputs_and_outputs_that_exist() {
    let action = yaml("action.yml");
    let (known_inputs, known_outputs) = (keys(&action["inputs"]), keys(&action["outputs"]));
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join(".github/workflows")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.extend(
        fs::read_dir(root().join("examples"))
            .unwrap()
            .map(|entry| entry.unwrap().path().join("workflow.yml"))
            .filter(|path| path.exists()),
    );
    let mut seen = 0;
    for path in files {
        let text = text(path.to_str().unwrap());
        let workflow = yaml(path.to_str().unwrap());
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{}: no default permissions", path.display());
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            assert!(job["permissions"].is_object(), "{}: job {name} says what it needs", path.display());
            assert!(job["timeout-minutes"].is_u64(), "{}: job {name} ends", path.display());
            for step in job["steps"].as_array().unwrap() {
                let uses = step["uses"].as_str().unwrap_or_default();
                if uses.starts_with("actions/checkout@") {
                    assert_eq!(step["with"]["persist-credentials"], false, "{}: {name}", path.display());
                }
                if uses != "./" && !uses.starts_with("loadgate/loadgate@") {
                    continue;
                }
                seen += 1;
                for input in step["with"].as_object().into_iter().flatten().map(|(input, _)| input.as_str()) {
                    assert!(known_inputs.contains(input), "{}: there is no input `{input}`", path.display());
                }
                let Some(id) = step["id"].as_str() else { continue };
                for used in text.split(&format!("steps.{id}.outputs.")).skip(1) {
                    let output: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '-').collect();
                    assert!(known_outputs.contains(output.as_str()), "{}: no output `{output}`", path.display());
                }
            }
        }
    }
    assert!(seen >= 5, "the steps are where this test looks");
}

/// A table of `docs/ACTION.md`, as `action.yml` has it.
fn table(head: &str, entries: &Value) -> String {
    let mut table = format!("| {head} | |\n|---|---|\n");
    for (name, entry) in entries.as_object().unwrap() {
        let description = entry["description"].as_str().unwrap().replace('|', "\\|");
        writeln!(table, "| `{name}` | {description} |").unwrap();
    }
    table
}

#[test]
fn the_page_about_the_action_has_its_inputs_and_outputs() {
    let action = yaml("action.yml");
    let page = text("docs/ACTION.md");
    let mut expected = page.clone();
    for kind in ["inputs", "outputs"] {
        let (begin, end) = (format!("<!-- {kind} -->\n"), format!("<!-- end of {kind} -->"));
        let from = expected.find(&begin).expect("the begin mark") + begin.len();
        let to = expected.find(&end).expect("the end mark");
        expected.replace_range(from..to, &table(kind.trim_end_matches('s'), &action[kind]));
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(root().join("docs/ACTION.md"), &expected).unwrap();
        return;
    }
    assert!(page == expected, "docs/ACTION.md is not what action.yml says; UPDATE=1 cargo test action rewrites it");
}
