//! From nothing to a judged load test with three commands, for every tool, doing only what the program itself says next. [I/O]

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::Workspace;

/// Files that are there for the good and for the bad build, by tool.
fn pairs() -> Vec<(String, PathBuf, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found = Vec::new();
    for tool in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(files) = fs::read_dir(tool.join("regressed")) else { continue };
        for bad in files.map(|entry| entry.unwrap().path()) {
            let name = bad.file_name().unwrap();
            let good = tool.join("base").join(name);
            if good.is_file() && name != "expected.json" {
                found.push((tool.file_name().unwrap().to_str().unwrap().to_owned(), good, bad));
            }
        }
    }
    found.sort();
    found
}

/// The command in the line that begins with `start`.
fn advice(said: &str, start: &str) -> String {
    let line = said.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no `{start}` in\n{said}"));
    let command = line.split_once("loadgate ").unwrap().1;
    command.split_once(". ").map_or(command, |(command, _)| command).trim_end_matches('.').to_owned()
}

#[test]
fn three_commands_judge_a_load_test_of_every_tool() {
    let mut judged = std::collections::BTreeMap::new();
    let mut told = 0;
    for (tool, good, bad) in pairs() {
        let workspace = Workspace::new();
        let name = good.file_name().unwrap().to_str().unwrap();
        workspace.write(name, fs::read(&good).unwrap());
        let first = workspace.run(&format!("check {name}"));
        if first.code == 2 {
            // A part of a result alone (a list of failures, say): what to do is said.
            assert!(first.stderr.contains("hint: "), "{tool}/{name}: {}", first.stderr);
            told += 1;
            continue;
        }
        assert_eq!(first.code, 0, "{tool}/{name}: {}", first.stdout);
        assert!(first.stdout.contains("no baseline"), "{tool}/{name}: {}", first.stdout);
        let second = workspace.run(&advice(&first.stdout, "Next: "));
        assert_eq!(second.code, 0, "{tool}/{name}: {}", second.stderr);
        workspace.write(name, fs::read(&bad).unwrap());
        let third = workspace.run(&format!("check {name}"));
        let report = workspace.json("loadgate-report/report.json");
        let rows = report["suites"][0]["rows"].as_array().unwrap();
        let compared = rows.iter().filter(|row| row["baseline"].is_number()).count();
        assert!(matches!(third.code, 0 | 1), "{tool}/{name}: {}{}", third.stdout, third.stderr);
        if compared > 0 {
            let worst = judged.entry(tool).or_insert(0);
            *worst = third.code.max(*worst);
        }
    }
    assert!(judged.len() >= 15, "{judged:?}");
    assert!(told < 10, "{told} files were refused");
    // The bad builds are bad: for every tool some artifact shows it, or the load was too small to be sure with one run.
    let caught = judged.values().filter(|code| **code == 1).count();
    assert!(caught * 2 > judged.len(), "{judged:?}");
}
