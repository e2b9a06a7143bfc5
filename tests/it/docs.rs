//! The pages for users: every YAML block is sound, every input and command in them exists, every link leads somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use loadgate::config::Config;
use loadgate::github::inputs;
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// README and docs with their text, by path.
fn pages() -> Vec<(PathBuf, String)> {
    let folder = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> =
        folder.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect();
    pages.push(root().join("README.md"));
    pages.sort();
    pages.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// The contents of fenced blocks in `language`, indentation of lists undone.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        if line.trim() == format!("```{language}") {
            let inside = lines.by_ref().take_while(|line| line.trim() != "```");
            let plain: Vec<&str> = inside.map(|line| line.get(indent..).unwrap_or_default()).collect();
            found.push(plain.join("\n") + "\n");
        }
    }
    found
}

/// Every object that has the key, however deep.
fn with_key<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            if map.contains_key(key) {
                found.push(value);
            }
            map.values().for_each(|value| with_key(value, key, found));
        }
        Value::Array(list) => list.iter().for_each(|value| with_key(value, key, found)),
        _ => {}
    }
}

#[test]
fn every_yaml_block_is_sound() {
    const CONFIG_KEYS: [&str; 6] = ["rules", "suites", "endpoints", "accepted", "history", "profiles"];
    let known = inputs::names();
    let mut seen = 0;
    for (path, text) in pages() {
        for block in blocks(&text, "yaml") {
            let page = path.display();
            let value: Value =
                serde_saphyr::from_str(&block).unwrap_or_else(|error| panic!("{page}: {error}\n{block}"));
            if CONFIG_KEYS.iter().any(|key| value.get(key).is_some()) {
                Config::parse(&block, "block").unwrap_or_else(|error| panic!("{page}: {error}"));
            }
            let mut steps = Vec::new();
            with_key(&value, "uses", &mut steps);
            for step in steps {
                let ours = step["uses"].as_str().is_some_and(|uses| uses.contains("/loadgate@"));
                for input in step["with"].as_object().into_iter().flatten().map(|(name, _)| name).filter(|_| ours) {
                    assert!(known.contains(&input.as_str()), "{page}: there is no input `{input}`");
                }
            }
            seen += 1;
        }
    }
    assert!(seen >= 5, "the blocks are where this test looks");
}

#[test]
fn every_link_to_a_page_leads_somewhere() {
    for (path, text) in pages() {
        let links = text.split("](").collect::<Vec<_>>();
        for pair in links.windows(2) {
            let (before, rest) = (pair[0], pair[1]);
            // Pictures are made by a script of their own.
            if before.rsplit_once('[').is_some_and(|(before, _)| before.ends_with('!')) {
                continue;
            }
            let target = rest.split([')', '#', ' ']).next().unwrap();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let file = path.parent().unwrap_or(Path::new(".")).join(target);
            assert!(file.exists(), "{}: {target} is not there", path.display());
        }
    }
}

/// The `loadgate` calls in the shell blocks of a page, each as its arguments; pipes, redirections and comments undone.
fn calls(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for block in blocks(text, "sh") {
        for line in block.replace("\\\n", " ").lines() {
            let words = shlex::split(line).unwrap_or_else(|| panic!("an open quotation mark in `{line}`"));
            let mut call: Option<Vec<String>> = None;
            for word in words.into_iter().chain([";".to_owned()]) {
                let ends = [";", "&&", "||", "|", ">", ">>", "2>", "<"].contains(&word.as_str());
                match &mut call {
                    Some(arguments) if !ends => arguments.push(word),
                    Some(_) => found.extend(call.take()),
                    None if word == "loadgate" => call = Some(vec![word]),
                    None => {}
                }
            }
        }
    }
    found
}

#[test]
fn every_command_in_a_shell_block_is_understood() {
    use clap::Parser as _;
    let mut seen = 0;
    for (path, text) in pages() {
        for call in calls(&text) {
            let shown = call.join(" ");
            if let Err(error) = loadgate::cli::Cli::try_parse_from(&call) {
                let fine = !error.use_stderr();
                assert!(fine, "{}: `{shown}`: {error}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen >= 3, "the blocks are where this test looks");
}

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let shell = blocks(&readme, "sh").join("\n");
    let (_, arguments) = shell.split_once("cargo run --release -- ").unwrap();
    let arguments: Vec<&str> = arguments.lines().next().unwrap().split_whitespace().collect();
    let folder = tempfile::tempdir().unwrap();
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_loadgate"))
        .args(arguments)
        .current_dir(root())
        .env("LOADGATE_REPORT_DIR", folder.path())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(1), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("2 of 3 endpoints are worse than allowed"));
    assert!(shell.contains("cargo test --workspace"));
}

/// Most lines that the example of a format may have.
const LONGEST_EXAMPLE: usize = 80;

#[test]
fn the_example_of_a_format_is_the_code() {
    const BEGIN: &str = "<!-- example: begin -->\n";
    const END: &str = "<!-- example: end -->";
    let code = fs::read_to_string(root().join("src/format/molotov.rs")).unwrap();
    assert!(code.lines().count() <= LONGEST_EXAMPLE, "an example is short");
    let path = root().join("docs/ARCHITECTURE.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}```rust\n{code}```\n{END}{after}");
    if std::env::var_os("LOADGATE_BLESS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    assert!(page == wanted, "the page shows other code: run this test with LOADGATE_BLESS=1 and look at the change");
}
