//! `loadgate history …`: files with one line per run, and `loadgate site`: the trend pages made of them. [I/O]

use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::check::file_name;
use super::{Done, World, report};
use crate::baseline::origin::revision;
use crate::cli::{
    HistoryAdd, HistoryCommand, HistoryExport, HistoryFolder, HistoryList, HistoryPrune, Site, TextOrJson,
};
use crate::files;
use crate::github::context::Context;
use crate::history::{self, Line, Stamp, gaps, trend};
use crate::report::csv::cell;
use crate::report::{Report, escape};
use crate::run::display::plural;
use crate::{settings, site};

/// What a history file is called after its suite's name.
const EXTENSION: &str = "jsonl";
/// Largest history that is read.
const LARGEST: u64 = 256 << 20;

/// One of the commands.
pub fn run(command: &HistoryCommand, world: &World<'_>) -> anyhow::Result<Done> {
    match command {
        HistoryCommand::Add(arguments) => add(arguments, world),
        HistoryCommand::List(arguments) => list(arguments, world),
        HistoryCommand::Prune(arguments) => prune(arguments, world),
        HistoryCommand::Export(arguments) => export(arguments, world),
    }
}

/// Adds the suites of a report, each to its own file.
fn add(arguments: &HistoryAdd, world: &World<'_>) -> anyhow::Result<Done> {
    let root = settings::root(world.common);
    let keep = keep(arguments.keep, world)?;
    let report = report::load(&root, &arguments.report)?;
    let known = revision(&root, world.vars);
    let number = || world.vars.get("GITHUB_RUN_ID").and_then(|id| id.parse().ok());
    let origin = report.origin.as_ref();
    let stamp = Stamp {
        now: world.now,
        commit: arguments.commit.clone().or_else(|| origin?.commit.clone()).or(known.commit),
        git_ref: arguments.git_ref.clone().or_else(|| origin?.git_ref.clone()).or(known.git_ref),
        workflow_run_id: arguments.workflow_run_id.or_else(number),
    };
    let mut said = String::new();
    for suite in &report.suites {
        let name = escape::terminal(&suite.name);
        let Some(mut line) = Line::of(suite, stamp.clone()) else {
            let _ = writeln!(said, "{name}: nothing was measured, so there is nothing to remember");
            continue;
        };
        line.time = arguments.time.unwrap_or(line.time);
        let path = arguments.folder.history.join(history_file(&suite.name));
        let text = history::append(&read(&root, &path)?, &line, keep);
        write(&root, &path, &text)?;
        let _ = writeln!(said, "{name}: {} in {}", plural(text.lines().count(), "run"), path.display());
    }
    Ok(Done { stderr: said, ..Done::default() })
}

/// What stands in the files, and what is missing in them.
fn list(arguments: &HistoryList, world: &World<'_>) -> anyhow::Result<Done> {
    let root = settings::root(world.common);
    let mut out = String::new();
    for (name, path) in found(&arguments.folder, world)? {
        let text = read(&root, &path)?;
        if arguments.format == TextOrJson::Json {
            out.extend(history::read(&text).0.iter().flat_map(|line| [line.to_text(), "\n".to_owned()]));
            continue;
        }
        let (lines, skipped) = history::heads(&text);
        let _ = writeln!(out, "{}: {}", escape::terminal(&name), plural(lines.len(), "run"));
        for line in &lines {
            let word = serde_json::to_value(line.verdict)?;
            let commit: String = line.commit.as_deref().unwrap_or("-").chars().take(7).collect();
            let _ = writeln!(
                out,
                "  {}  {commit:7}  {:12}  {:>3} endpoints  {}",
                line.time.strftime("%Y-%m-%d %H:%M"),
                word.as_str().unwrap_or_default(),
                line.endpoints,
                escape::terminal(line.git_ref.as_deref().unwrap_or("-")),
            );
        }
        if skipped > 0 {
            let _ = writeln!(out, "  {} could not be read and left out", plural(skipped, "line"));
        }
        let times: Vec<_> = lines.iter().map(|line| line.time).collect();
        for gap in gaps::gaps(&times, world.now) {
            let _ = writeln!(out, "  {}", gap.text());
        }
    }
    Ok(Done::printed(out))
}

/// Drops the oldest lines, and those that are none.
fn prune(arguments: &HistoryPrune, world: &World<'_>) -> anyhow::Result<Done> {
    let root = settings::root(world.common);
    let keep = keep(arguments.keep, world)?;
    let mut said = String::new();
    for (name, path) in found(&arguments.folder, world)? {
        let text = read(&root, &path)?;
        let kept = history::merge(&[&text], keep);
        if kept != text {
            write(&root, &path, &kept)?;
        }
        let (before, after) = (text.lines().count(), kept.lines().count());
        let _ = writeln!(said, "{}: {after} of {} kept", escape::terminal(&name), plural(before, "line"));
    }
    Ok(Done { stderr: said, ..Done::default() })
}

/// Every figure on a line of its own.
fn export(arguments: &HistoryExport, world: &World<'_>) -> anyhow::Result<Done> {
    let root = settings::root(world.common);
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record([
        "suite",
        "time",
        "commit",
        "ref",
        "workflow_run_id",
        "verdict",
        "endpoint",
        "metric",
        "value",
        "limit",
        "state",
    ])?;
    for (name, path) in found(&arguments.folder, world)? {
        for line in history::read(&read(&root, &path)?).0 {
            let (verdict, id) = (serde_json::to_value(line.verdict)?, line.workflow_run_id.map(|id| id.to_string()));
            for (label, figures) in &line.endpoints {
                for (metric, figure) in figures {
                    let limit = line.limits.get(label).and_then(|limits| limits.get(metric)).map(f64::to_string);
                    let state = line.states.get(label).and_then(|states| states.get(metric));
                    let state = state.map(serde_json::to_value).transpose()?;
                    // Nothing is said of a figure that nobody judged.
                    let quiet = if limit.is_some() { "pass" } else { "" };
                    out.write_record([
                        &*cell(&name),
                        &line.time.to_string(),
                        &*cell(line.commit.as_deref().unwrap_or_default()),
                        &*cell(line.git_ref.as_deref().unwrap_or_default()),
                        id.as_deref().unwrap_or_default(),
                        verdict.as_str().unwrap_or_default(),
                        &*cell(label),
                        &*cell(&metric.name()),
                        &figure.to_string(),
                        limit.as_deref().unwrap_or_default(),
                        state.as_ref().and_then(serde_json::Value::as_str).unwrap_or(quiet),
                    ])?;
                }
            }
        }
    }
    let bytes = out.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(Done::printed(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Writes the trend site.
pub fn site(arguments: &Site, world: &World<'_>) -> anyhow::Result<Done> {
    let root = settings::root(world.common);
    let config = settings::config(world.common)?;
    let templates = settings::templates(&root, arguments.template_dir.as_deref(), &config)?;
    let suites = found(&arguments.folder, world)?
        .into_iter()
        .map(|(name, path)| Ok(site::Suite { name, history: read(&root, &path)? }))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let var = |name: &str| world.vars.get(name).filter(|value| !value.is_empty());
    let here = || Some(format!("{}/{}", var("GITHUB_SERVER_URL")?, var("GITHUB_REPOSITORY")?));
    let frame = site::Frame { now: world.now, repository: arguments.repository.clone().or_else(here) };
    let files = site::build(&suites, &frame, &templates)?;
    for file in &files {
        write(&root, &arguments.out.join(&file.path), &file.text)?;
    }
    let said = format!(
        "{} of {} in {}\n",
        plural(files.len(), "file"),
        plural(suites.len(), "suite"),
        arguments.out.display()
    );
    Ok(Done { stderr: said, ..Done::default() })
}

fn keep(told: Option<usize>, world: &World<'_>) -> anyhow::Result<usize> {
    Ok(match told {
        Some(keep) => keep,
        None => settings::config(world.common)?.history.keep as usize,
    })
}

/// Gives a report the trends that the history files know. Where there are none, nothing is missing.
pub(super) fn tell(report: &mut Report, folder: &HistoryFolder, world: &World<'_>) -> anyhow::Result<()> {
    let root = settings::root(world.common);
    let place = &folder.history;
    let run = Context::read(world.vars).workflow_run.map(|run| run.id);
    for suite in &mut report.suites {
        let path = if root.join(place).is_file() { place.clone() } else { place.join(history_file(&suite.name)) };
        trend::tell(suite, &read(&root, &path)?, run);
    }
    Ok(())
}

/// The name of a suite's history file.
fn history_file(suite: &str) -> String {
    format!("{}.{EXTENSION}", file_name(suite))
}

/// The history files that are meant, by suite; `--suite` picks one.
fn found(folder: &HistoryFolder, world: &World<'_>) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let root = settings::root(world.common);
    let place = &folder.history;
    let shown = place.display();
    let mut paths = Vec::new();
    if root.join(place).is_file() {
        paths.push(place.clone());
    } else {
        let entries = match fs::read_dir(root.join(place)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(
                "{shown}: there is no history\nhint: `loadgate history add` writes one; that of a branch is in its folder `history`"
            ),
            Err(error) => return Err(error).with_context(|| format!("{shown} cannot be read")),
        };
        for entry in entries {
            let path = place.join(entry.with_context(|| format!("{shown} cannot be read"))?.file_name());
            if path.extension().is_some_and(|extension| extension == EXTENSION) && root.join(&path).is_file() {
                paths.push(path);
            }
        }
    }
    let name = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut found: Vec<(String, PathBuf)> = paths.into_iter().map(|path| (name(&path), path)).collect();
    found.retain(|(name, _)| world.common.suite.as_ref().is_none_or(|wanted| file_name(wanted) == *name));
    found.sort();
    if found.is_empty() {
        bail!("{shown}: no history is in it\nhint: histories are files called <suite>.{EXTENSION}");
    }
    Ok(found)
}

/// The text of a history file; nothing where there is none yet.
fn read(root: &Path, path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let file = match fs::File::open(root.join(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error).with_context(|| format!("{shown} cannot be read")),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).with_context(|| format!("{shown} cannot be read"))?;
    if bytes.len() as u64 > LARGEST {
        bail!("{shown} is too large for a history: at most {} MiB", LARGEST >> 20);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write(root: &Path, path: &Path, text: &str) -> anyhow::Result<()> {
    files::write(&root.join(path), text.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))
}
