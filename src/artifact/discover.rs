//! From what the user wrote (files, folders, globs, or nothing) to artifacts, sorted by name. [I/O]

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::{Artifact, archive};

/// Where results usually are, for `check` without files and without a config.
pub const USUAL: [&str; 9] = [
    "load-results/**",
    "**/*_stats.csv",
    "**/*.jtl",
    "**/simulation.log",
    "**/*.k6.json",
    "**/*.k6.json.gz",
    "**/k6-results.json",
    "**/k6-summary.json",
    "**/artillery-report.json",
];
/// Folders below the start that are looked into.
const DEPTH: usize = 6;
/// The same where nobody named a folder.
const USUAL_DEPTH: usize = 3;
/// Files looked at before we give up: a pattern that wide is a mistake.
const MAX_FILES: usize = 10_000;
/// Folders that never hold results.
const SKIPPED: [&str; 4] = [".git", "node_modules", "target", "loadgate-report"];

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// No such file.
    #[error("no such file or folder: {name}{}", hint(near.as_deref()))]
    Missing {
        /// As the user wrote it.
        name: String,
        /// A file of nearly that name.
        near: Option<String>,
    },
    /// The pattern matches nothing.
    #[error(
        "no file matches `{0}`\nhint: patterns start at the workspace root; quote them so that the shell leaves them alone"
    )]
    NoMatch(String),
    /// Not a glob.
    #[error("`{pattern}` is not a file pattern: {why}")]
    BadPattern {
        /// As the user wrote it.
        pattern: String,
        /// What is wrong.
        why: String,
    },
    /// Far too many.
    #[error("more than {MAX_FILES} files below `{0}`\nhint: name the folder or the files that hold the results")]
    TooMany(String),
    /// The file system said no.
    #[error("{name} cannot be read: {source}")]
    Unreadable {
        /// The folder or file.
        name: String,
        /// What it said.
        source: io::Error,
    },
}

fn hint(near: Option<&str>) -> String {
    near.map(|near| format!("\nhint: did you mean `{near}`?")).unwrap_or_default()
}

/// The artifacts that `patterns` (files, folders or globs, relative to `root`) mean.
pub fn discover(root: &Path, patterns: &[String]) -> Result<Vec<Artifact>, DiscoverError> {
    let mut found = BTreeSet::new();
    for pattern in patterns {
        let path = root.join(pattern);
        if path.is_file() {
            found.insert(Artifact { name: tidy(pattern), path, member: None, named: true });
        } else if path.is_dir() {
            found.extend(walk(root, &path, DEPTH, &|_| true)?);
        } else if is_glob(pattern) {
            let matched = matching(root, pattern, DEPTH)?;
            if matched.is_empty() {
                return Err(DiscoverError::NoMatch(pattern.clone()));
            }
            found.extend(matched);
        } else {
            return Err(DiscoverError::Missing { name: pattern.clone(), near: neighbour(root, pattern) });
        }
    }
    unpacked(named_once(found))
}

/// Zip archives replaced by their members, which nobody named one by one.
fn unpacked(artifacts: Vec<Artifact>) -> Result<Vec<Artifact>, DiscoverError> {
    let mut all = Vec::with_capacity(artifacts.len());
    for artifact in artifacts {
        if !archive::is_zip(&artifact.path) {
            all.push(artifact);
            continue;
        }
        let members = archive::members(&artifact.path)
            .map_err(|source| DiscoverError::Unreadable { name: artifact.name.clone(), source })?;
        all.extend(members.into_iter().map(|member| Artifact {
            name: format!("{}!{member}", artifact.name),
            path: artifact.path.clone(),
            member: Some(member),
            named: false,
        }));
    }
    all.sort();
    Ok(all)
}

/// The artifacts at the usual places below `root`; none is not an error here.
pub fn usual(root: &Path) -> Result<Vec<Artifact>, DiscoverError> {
    let mut found = BTreeSet::new();
    for pattern in USUAL {
        found.extend(matching(root, pattern, USUAL_DEPTH)?);
    }
    unpacked(named_once(found))
}

/// Of a file that was named and also found, the named one.
fn named_once(found: BTreeSet<Artifact>) -> Vec<Artifact> {
    let mut all: Vec<Artifact> = found.into_iter().collect();
    all.sort_by(|a, b| (&a.path, &a.member, b.named).cmp(&(&b.path, &b.member, a.named)));
    all.dedup_by(|later, first| later.path == first.path && later.member == first.member);
    all.sort();
    all
}

fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{'])
}

/// Files below the literal beginning of a glob that match it.
fn matching(root: &Path, pattern: &str, depth: usize) -> Result<Vec<Artifact>, DiscoverError> {
    let pattern = tidy(pattern);
    let matcher = glob(&pattern)?;
    let literal: PathBuf = Path::new(&pattern).iter().take_while(|part| !is_glob(&part.to_string_lossy())).collect();
    let start = root.join(&literal);
    if !start.is_dir() {
        return Ok(Vec::new());
    }
    walk(root, &start, depth, &|name| matcher.is_match(name))
}

fn glob(pattern: &str) -> Result<GlobMatcher, DiscoverError> {
    let bad = |error: globset::Error| DiscoverError::BadPattern {
        pattern: pattern.to_owned(),
        why: error.kind().to_string(),
    };
    Ok(GlobBuilder::new(pattern).literal_separator(true).build().map_err(bad)?.compile_matcher())
}

/// Regular files below `start` whose name relative to `root` is `wanted`. Links to folders are not followed.
fn walk(
    root: &Path,
    start: &Path,
    depth: usize,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Artifact>, DiscoverError> {
    let mut found = Vec::new();
    let mut seen = 0_usize;
    let mut folders = vec![(start.to_path_buf(), 0)];
    while let Some((folder, level)) = folders.pop() {
        let unreadable = |source| DiscoverError::Unreadable { name: shown(root, &folder), source };
        let entries = fs::read_dir(&folder).map_err(unreadable)?;
        for entry in entries {
            let entry = entry.map_err(unreadable)?;
            let kind = entry.file_type().map_err(unreadable)?;
            let path = entry.path();
            if kind.is_dir() {
                let name = entry.file_name();
                if level < depth && !SKIPPED.iter().any(|skipped| name == *skipped) {
                    folders.push((path, level + 1));
                }
                continue;
            }
            seen += 1;
            if seen > MAX_FILES * 10 {
                return Err(DiscoverError::TooMany(shown(root, start)));
            }
            let name = shown(root, &path);
            if kind.is_file() && wanted(&name) {
                found.push(Artifact { name, path, member: None, named: false });
            }
        }
        if found.len() > MAX_FILES {
            return Err(DiscoverError::TooMany(shown(root, start)));
        }
    }
    found.sort();
    Ok(found)
}

/// Relative to the root where it is below it, with forward slashes.
fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn tidy(pattern: &str) -> String {
    pattern.strip_prefix("./").unwrap_or(pattern).to_owned()
}

/// A file in the same folder whose name is nearly the one that is missing.
fn neighbour(root: &Path, missing: &str) -> Option<String> {
    let path = root.join(missing);
    let wanted = path.file_name()?.to_string_lossy().into_owned();
    fs::read_dir(path.parent()?)
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| (strsim::jaro_winkler(&entry.file_name().to_string_lossy(), &wanted), entry.path()))
        .filter(|(alike, _)| *alike > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1)))
        .map(|(_, near)| shown(root, &near))
}
