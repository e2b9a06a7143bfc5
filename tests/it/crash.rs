//! Killed at any moment, the program leaves each file as it was or as it should be, never half, and goes on at the next start.
//! Only `simulate` is not among them: its files grow as those of a load tool do. [I/O]
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::{SEED_BASELINE, SEED_CURRENT, Workspace, seed};
use crate::files::below;

/// Moments, spread evenly over the time that the whole command takes.
const KILLS: u32 = 40;

/// The files a command may write, by name, without what an interrupted write leaves beside them (hidden, never read).
fn seen(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let kept = |path: &PathBuf| !path.file_name().unwrap().to_str().unwrap().starts_with(".loadgate-");
    let name = |path: &PathBuf| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
    below(folder).iter().filter(|path| kept(path)).map(|path| (name(path), fs::read(path).unwrap())).collect()
}

/// A workspace with an older state of everything: baseline, report, history.
fn older() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("now.csv", fs::read(seed(SEED_CURRENT)).unwrap());
    workspace.write("old.csv", fs::read(seed(SEED_BASELINE)).unwrap());
    for command in ["baseline add old.csv", "check old.csv", "history add --time 2026-11-01T02:00:00Z"] {
        let ran = workspace.run(command);
        assert_eq!(ran.code, 0, "{command}: {}", ran.stderr);
    }
    workspace
}

/// Kills the command again and again, later each time.
fn kill_again_and_again(command: &str) {
    let (whole, broken) = (older(), older());
    let before = seen(&whole.path(""));
    let start = Instant::now();
    let code = whole.run(command).code;
    let takes = start.elapsed();
    let after = seen(&whole.path(""));
    assert_ne!(before, after, "{command} writes");

    let mut found = (0, 0);
    for kill in 0..KILLS {
        for (name, bytes) in &before {
            broken.write(name, bytes);
        }
        for name in after.keys().filter(|name| !before.contains_key(*name)) {
            let _ = fs::remove_file(broken.path(name));
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_loadgate"))
            .args(command.split_whitespace())
            .current_dir(broken.path(""))
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("LOADGATE_NOW", "2026-11-24T12:00:00Z")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(takes.mul_f64(f64::from(kill) / f64::from(KILLS - 1)).max(Duration::from_millis(1)));
        child.kill().unwrap();
        child.wait().unwrap();
        for (name, bytes) in seen(&broken.path("")) {
            let (old, new) = (before.get(&name) == Some(&bytes), after.get(&name) == Some(&bytes));
            assert!(old || new, "{command}, kill {kill}: {name} is neither old nor new");
            found = (found.0 + u32::from(old), found.1 + u32::from(new && !old));
        }
    }
    assert!(found.0 > 0, "{command}: no kill came before the end: {found:?}");
    // What was killed is simply started again.
    for (name, bytes) in &before {
        broken.write(name, bytes);
    }
    assert_eq!(broken.run(command).code, code);
    assert_eq!(seen(&broken.path("")), after, "{command}, after the kills");
}

#[test]
fn a_killed_check_leaves_whole_files() {
    kill_again_and_again("check now.csv");
}

#[test]
fn a_killed_baseline_add_leaves_a_whole_baseline() {
    kill_again_and_again("baseline add now.csv");
}

#[test]
fn a_killed_history_leaves_whole_files() {
    kill_again_and_again("history add --time 2026-11-08T02:00:00Z");
}

#[test]
fn a_killed_init_or_site_leaves_whole_files() {
    for command in ["init --tool locust", "site pages"] {
        kill_again_and_again(command);
    }
}
