//! The shape of the code: what the compiler does not check.

use std::fs;
use std::path::{Path, PathBuf};

use crate::files::below;

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file with its text up to the unit tests.
fn sources() -> Vec<(PathBuf, String)> {
    let mut paths = below(&src());
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let code = |path: &Path| fs::read_to_string(path).unwrap().split("#[cfg(test)]").next().unwrap().to_owned();
    let found: Vec<_> = paths.into_iter().map(|path| (path.clone(), code(&path))).collect();
    assert!(found.len() > 20, "the sources are where this test looks");
    found
}

/// The top modules in the order in which lib.rs declares them: the order of the flow.
fn order() -> Vec<String> {
    let lib = fs::read_to_string(src().join("lib.rs")).unwrap();
    lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_owned).collect()
}

/// The top module a file belongs to.
fn module_of(path: &Path) -> String {
    let first = path.strip_prefix(src()).unwrap().iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Lines of code without comments.
fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn a_stage_knows_only_stages_above_it() {
    let order = order();
    let place = |module: &str| order.iter().position(|known| known == module);
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        let Some(own) = place(&module) else {
            assert!(["lib", "main"].contains(&module.as_str()), "{module} is not declared in lib.rs");
            continue;
        };
        for line in code_lines(&text) {
            for rest in line.split("crate::").skip(1) {
                let used: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if place(&used).is_some_and(|used| used > own) {
                    wrong.push(format!("{}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "these know a later stage:\n{}", wrong.join("\n"));
}

#[test]
fn only_modules_marked_so_touch_the_outside_world() {
    const OUTSIDE: [&str; 9] = [
        "std::fs",
        "std::env",
        "std::process",
        "std::net",
        "fs::read",
        "File::open",
        "SystemTime::now",
        "Timestamp::now",
        "Instant::now",
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        if head.contains("[I/O]") || path.ends_with("main.rs") {
            continue;
        }
        let touching = code_lines(&text).filter(|line| OUTSIDE.iter().any(|word| line.contains(word)));
        wrong.extend(touching.map(|line| format!("{}: {}", path.display(), line.trim())));
    }
    assert!(
        wrong.is_empty(),
        "pure modules that touch the outside world (or lack [I/O] in their head):\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} begins without a module comment", path.display());
    }
}

#[test]
fn formats_have_distinct_ids() {
    let mut ids: Vec<&str> = loadgate::format::FORMATS.iter().map(|format| format.id).collect();
    ids.sort_unstable();
    let before = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), before, "two formats share an id");
    assert!(ids.iter().all(|id| id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')));
}
