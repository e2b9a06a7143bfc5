//! From artifacts to runs: opens, recognises, puts the files of one run together, and parses. [I/O]

use std::collections::BTreeMap;

use crate::artifact::open::{Opened, open};
use crate::artifact::{Artifact, Head, stem};
use crate::run::recorder::Recorder;
use crate::run::{Notice, Run, combine};

use super::blocks::Blocks;
use super::{Detected, FORMATS, Format, ParseError, Part, Source, by_id, detect};

/// Why the artifacts did not become runs. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system said no.
    #[error("{file}: cannot be read: {source}")]
    Io {
        /// The artifact.
        file: String,
        /// What it said.
        source: std::io::Error,
    },
    /// Nothing in it.
    #[error("{file}: is empty\nhint: did the load test write its results, and did it end before loadgate began?")]
    Empty {
        /// The artifact.
        file: String,
    },
    /// None of the formats.
    #[error(
        "{file}: not recognised as the results of a load tool; it begins with {begins}\nhint: `loadgate formats` lists what is read; `--format-of {file}=ID` settles it"
    )]
    Unknown {
        /// The artifact.
        file: String,
        /// Its first line, shortened and made printable.
        begins: String,
    },
    /// Several formats claim it alike.
    #[error("{file}: could be {}\nhint: `--format-of {file}={}` settles it", candidates.join(" or "), candidates.first().map_or("ID", |id| id))]
    Tie {
        /// The artifact.
        file: String,
        /// Format ids.
        candidates: Vec<&'static str>,
    },
    /// No such format.
    #[error("no format `{id}`{}\nhint: `loadgate formats` lists them", near.as_ref().map(|near| format!(", did you mean `{near}`?")).unwrap_or_default())]
    NoSuchFormat {
        /// As given.
        id: String,
        /// The nearest one.
        near: Option<String>,
    },
    /// Recognised, but broken.
    #[error("{file}{}: {} (read as {format}){}", place(error), error.message, hint(error))]
    Parse {
        /// The artifact.
        file: String,
        /// Format id.
        format: &'static str,
        /// What and where.
        error: ParseError,
    },
    /// Read, but nothing was measured.
    #[error(
        "{file}: no requests in it (read as {format})\nhint: the load test made none: check its host and users, and its own log"
    )]
    NothingMeasured {
        /// The artifact.
        file: String,
        /// Format ids.
        format: String,
    },
    /// Files that only add to others.
    #[error(
        "{file}: holds no figures by itself (read as {format})\nhint: give the main results of the same run too, such as the stats CSV or JSON"
    )]
    OnlyCompanions {
        /// The artifact.
        file: String,
        /// Format ids.
        format: String,
    },
}

fn place(error: &ParseError) -> String {
    let column = error.column.map(|column| format!(":{column}")).unwrap_or_default();
    error.line.map(|line| format!(":{line}{column}")).unwrap_or_default()
}

fn hint(error: &ParseError) -> String {
    error.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default()
}

/// A file that the user says is of a certain format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatOf {
    /// The artifact's name.
    pub file: String,
    /// Format id.
    pub id: String,
}

/// What reading gave.
#[derive(Debug, Default)]
pub struct Reading {
    /// One per group of files, in order of their names.
    pub runs: Vec<Run>,
    /// Files that were found, not named, and are no results.
    pub skipped: Vec<String>,
}

/// Reads the artifacts. A file that was named must be readable; of those only found, unknown ones are skipped, unless
/// nothing remains.
pub fn read(artifacts: &[Artifact], format_of: &[FormatOf]) -> Result<Reading, ReadError> {
    let mut reading = Reading::default();
    let mut groups: BTreeMap<(String, &str), Shards<'_>> = BTreeMap::new();
    let mut refused = None;
    for artifact in artifacts {
        match recognise(artifact, format_of) {
            Ok(format) => {
                let member = Member { artifact, format };
                let (run, shard) = shard(&member.run());
                groups.entry((run, format.tool)).or_default().entry(shard).or_default().push(member);
            }
            Err(error) if artifact.named || matches!(error, ReadError::NoSuchFormat { .. }) => return Err(error),
            Err(error) => {
                reading.skipped.push(artifact.name.clone());
                refused.get_or_insert(error);
            }
        }
    }
    for shards in groups.values() {
        reading.runs.push(read_shards(shards)?);
    }
    match refused {
        Some(error) if reading.runs.is_empty() => Err(error),
        _ => Ok(reading),
    }
}

/// An artifact that was recognised.
struct Member<'a> {
    artifact: &'a Artifact,
    format: &'static Format,
}

impl Member<'_> {
    /// The run this file belongs to: its path without what the tool adds to the names of a run's files.
    fn run(&self) -> String {
        let name = self.artifact.name.replace('\\', "/");
        match self.format.part {
            // By its whole name: `a.csv` and `a.json` of other tools are runs of their own.
            Part::Whole => name,
            part => {
                let folder = name.rfind(['/', '!']).and_then(|at| name.get(..=at)).unwrap_or_default();
                part.run_name(&format!("{folder}{}", stem(&name))).to_owned()
            }
        }
    }
}

/// The files of one run by the load engine that wrote them.
type Shards<'a> = BTreeMap<String, Vec<Member<'a>>>;

/// `engine1_` and `engine2_`, as Azure Load Testing names the files of its load engines, are shards of one run.
fn shard(run: &str) -> (String, String) {
    let (folder, file) = run.split_at_checked(run.rfind(['/', '!']).map_or(0, |at| at + 1)).unwrap_or(("", run));
    match file.strip_prefix("engine").and_then(|rest| rest.split_once('_')) {
        Some((engine, rest)) if !engine.is_empty() && engine.bytes().all(|byte| byte.is_ascii_digit()) => {
            (format!("{folder}engine_{rest}"), engine.to_owned())
        }
        _ => (run.to_owned(), String::new()),
    }
}

/// Adds the shards of one run.
fn read_shards(shards: &Shards<'_>) -> Result<Run, ReadError> {
    let mut runs = shards.values().map(|members| read_group(members)).collect::<Result<Vec<Run>, ReadError>>()?;
    if runs.len() < 2 {
        return Ok(runs.pop().unwrap_or_default());
    }
    let mut run = combine::add(&runs);
    let message = format!("the results of {} load engines were added up as shards of one run", runs.len());
    run.notices.push(Notice::new("shards", message));
    Ok(run)
}

fn recognise(artifact: &Artifact, format_of: &[FormatOf]) -> Result<&'static Format, ReadError> {
    let file = || artifact.name.clone();
    let Opened { head, .. } = open(artifact).map_err(|source| ReadError::Io { file: file(), source })?;
    if let Some(told) = format_of.iter().find(|told| told.file == artifact.name) {
        return by_id(&told.id).ok_or_else(|| ReadError::NoSuchFormat { id: told.id.clone(), near: near(&told.id) });
    }
    if head.text.trim().is_empty() {
        return Err(ReadError::Empty { file: file() });
    }
    match detect(&head) {
        Detected::One(format) => Ok(format),
        Detected::Unknown => Err(ReadError::Unknown { file: file(), begins: beginning(&head) }),
        Detected::Tie(formats) => {
            let mut candidates: Vec<&'static str> = formats.iter().map(|format| format.id).collect();
            candidates.sort_unstable();
            Err(ReadError::Tie { file: file(), candidates })
        }
    }
}

fn near(id: &str) -> Option<String> {
    let score = |format: &&&Format| strsim::jaro_winkler(format.id, id);
    FORMATS
        .iter()
        .filter(|format| score(format) > 0.75)
        .max_by(|a, b| score(a).total_cmp(&score(b)))
        .map(|format| format.id.to_owned())
}

/// The first line for an error message: short, printable, quoted.
fn beginning(head: &Head) -> String {
    if head.bytes.contains(&0) {
        return "binary data".to_owned();
    }
    let line = head.first_line();
    let short: String = line.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let dots = if line.chars().nth(60).is_some() { "…" } else { "" };
    format!("`{short}{dots}`")
}

/// Parses the files of one run, the best main file first.
fn read_group(members: &[Member<'_>]) -> Result<Run, ReadError> {
    let account = |member: &&Member<'_>| matches!(member.format.part, Part::Account { .. });
    let told = members.iter().any(|member| account(&member));
    let mut order: Vec<&Member<'_>> = members.iter().filter(|member| !told || account(member)).collect();
    order.sort_by_key(|member| match member.format.part {
        Part::Whole | Part::Account { .. } => (0, 0),
        Part::Main { rank, .. } => (1, rank),
        Part::Companion { rank, .. } => (2, rank),
    });
    let mut recorder = Recorder::new();
    let mut ids: Vec<&str> = Vec::new();
    let mut main: Option<&Member<'_>> = None;
    for member in order {
        if let (Part::Main { .. }, Some(read)) = (member.format.part, main) {
            let message = format!("says the same as {} and was not read", read.artifact.name);
            recorder.notice(Notice::new("same_run", message).in_file(&member.artifact.name));
            continue;
        }
        if matches!(member.format.part, Part::Main { .. }) {
            main = Some(member);
        }
        parse(member, &mut recorder)?;
        if !ids.contains(&member.format.id) {
            ids.push(member.format.id);
        }
    }
    let first = members.first().map(|member| member.artifact.name.clone()).unwrap_or_default();
    let format = ids.join("+");
    if recorder.is_empty() && members.iter().all(|member| matches!(member.format.part, Part::Companion { .. })) {
        return Err(ReadError::OnlyCompanions { file: first, format });
    }
    let id = ids.first().copied().unwrap_or_default();
    let mut run = recorder.finish().map_err(|bad| {
        let error =
            ParseError::new(bad.to_string()).hint("is this a file of another kind, or were two processes writing it?");
        ReadError::Parse { file: first.clone(), format: by_id(id).map_or("", |format| format.id), error }
    })?;
    if !measured(&run) {
        return Err(ReadError::NothingMeasured { file: first, format });
    }
    run.format = format;
    run.files = members.iter().map(|member| member.artifact.name.clone()).collect();
    run.files.sort_unstable();
    Ok(run)
}

/// Whether any endpoint or the total has a request, or a figure although nobody counted.
fn measured(run: &Run) -> bool {
    run.endpoints.iter().chain(&run.total).any(|endpoint| match endpoint.requests {
        Some(requests) => requests > 0,
        None => !endpoint.metrics.is_empty() || endpoint.failures.is_some(),
    })
}

fn parse(member: &Member<'_>, recorder: &mut Recorder) -> Result<(), ReadError> {
    let file = member.artifact.name.clone();
    let mut opened = open(member.artifact).map_err(|source| ReadError::Io { file: file.clone(), source })?;
    let mut source = Source { name: &file, reader: &mut *opened.reader, blocks: Some(Blocks::default()) };
    (member.format.parse)(&mut source, recorder).map_err(|error| ReadError::Parse {
        file: file.clone(),
        format: member.format.id,
        error,
    })
}
