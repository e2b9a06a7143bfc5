//! Follows the plug-in's files while they grow. [I/O]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::format::{Line, line};

/// A line with the part its process plays.
#[derive(Debug)]
pub struct Seen {
    /// `local`, `master` or `worker`.
    pub role: String,
    /// The line.
    pub line: Line,
}

/// The files of one run.
#[derive(Debug)]
pub struct Tail {
    folder: PathBuf,
    start: String,
    files: BTreeMap<PathBuf, Position>,
}

#[derive(Debug, Default)]
struct Position {
    read: u64,
    role: String,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
}

impl Tail {
    /// Nothing read yet.
    pub fn new(folder: &Path, prefix: &str) -> Self {
        Self { folder: folder.to_owned(), start: format!("{prefix}_events_"), files: BTreeMap::new() }
    }

    /// Lines that are complete since the last call. A file that cannot be read now is read later, or by `check`.
    pub fn read(&mut self) -> Vec<Seen> {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&self.start) {
                self.files.entry(entry.path()).or_default();
            }
        }
        self.files.iter_mut().flat_map(|(path, position)| position.read_on(path)).collect()
    }

    /// Leaves our word on why the run was stopped in the file of the process that leads it.
    pub fn say_why(&self, why: &str) {
        let leading = self.files.iter().filter(|(_, position)| matches!(position.role.as_str(), "local" | "master"));
        for (path, position) in leading {
            // The process may have been killed in the middle of a line.
            let start = if position.rest.is_empty() { "" } else { "\n" };
            let line = serde_json::json!({ "event": "stopped", "message": why });
            let file = fs::OpenOptions::new().append(true).open(path);
            // The run is cut short with or without our word.
            let _ = file.and_then(|mut file| file.write_all(format!("{start}{line}\n").as_bytes()));
        }
    }
}

impl Position {
    fn read_on(&mut self, path: &Path) -> Vec<Seen> {
        let mut fresh = Vec::new();
        let Ok(mut file) = File::open(path) else { return Vec::new() };
        if file.seek(SeekFrom::Start(self.read)).and_then(|_| file.read_to_end(&mut fresh)).is_err() {
            return Vec::new();
        }
        self.read += fresh.len() as u64;
        self.rest.append(&mut fresh);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let rest = self.rest.split_off(end + 1);
        let text = std::mem::replace(&mut self.rest, rest);
        let mut seen = Vec::new();
        for line in String::from_utf8_lossy(&text).lines().filter_map(line) {
            if line.schema.is_some() {
                self.role.clone_from(&line.role);
            }
            seen.push(Seen { role: self.role.clone(), line });
        }
        seen
    }
}
