//! The formats of the load tools: recognising one by its content, and reading it into a run.
//!
//! One file per tool or format below this one, one line in the registry. A format *translates*; arithmetic is in
//! [`crate::run::recorder`]. Adding one is described in docs/ARCHITECTURE.md.

pub mod blocks;
pub mod read;

mod columns;
mod console;
mod k6;
mod members;
mod plain;
mod rows;
mod xml;

use std::io::BufRead;

use self::blocks::Blocks;

use crate::artifact::Head;
use crate::run::recorder::Recorder;

/// How sure a format is that an artifact is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Not ours.
    No,
    /// Could be ours: the parts we need are there, but others might write them too.
    Plausible,
    /// Ours: a mark that no other tool writes.
    Certain,
}

impl Confidence {
    /// `Certain` if the mark is there, else `No`.
    pub fn certain_if(mark: bool) -> Self {
        if mark { Self::Certain } else { Self::No }
    }

    /// `Plausible` if the mark is there, else `No`.
    pub fn plausible_if(mark: bool) -> Self {
        if mark { Self::Plausible } else { Self::No }
    }
}

/// One kind of artifact.
#[derive(Debug)]
pub struct Format {
    /// Stable id for `--format-of` and JSON: `locust-stats`.
    pub id: &'static str,
    /// The load tool's name as people write it. Formats of one tool may describe one run together.
    pub tool: &'static str,
    /// What the artifact is and how to get it, for `loadgate formats`.
    pub title: &'static str,
    /// Versions of the tool whose output was tried or whose source was read.
    pub versions: &'static str,
    /// What can be had from it.
    pub gives: Gives,
    /// What the file is to the run it belongs to.
    pub part: Part,
    /// Looks at the beginning; cheap, and cannot fail.
    pub sniff: fn(&Head) -> Confidence,
    /// Translates the whole artifact. What was read before an error stays in the recorder.
    pub parse: fn(&mut Source<'_>, &mut Recorder) -> Result<(), ParseError>,
}

/// What a format can give, for `loadgate formats` and docs/FORMATS.md.
#[derive(Debug, Clone, Copy)]
pub struct Gives {
    /// Which percentiles: `any (from samples)`, `p50 p90 p95`, `none`.
    pub percentiles: &'static str,
    /// Failures per endpoint.
    pub failures: bool,
    /// Concurrent users.
    pub users: bool,
    /// When the run began and how long it took.
    pub time: bool,
}

/// What a file is to the run it belongs to. Files of one tool whose paths are equal but for one of the `suffixes`, which
/// may begin with folders of the tool's own (`js/stats`), belong to one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A run of its own.
    Whole,
    /// The figures of the run. Of several in one group only the one with the lowest rank is read: they say the same.
    Main {
        /// Lower is better.
        rank: u8,
        /// Endings of the path (without extension) that are not part of the run's name, longest first.
        suffixes: &'static [&'static str],
    },
    /// The whole account of the run by one of its processes: `NAME<suffix>_<number>`. All of a group are read, and nothing
    /// else in the group.
    Account {
        /// What stands between the run's name and the process's number.
        suffix: &'static str,
    },
    /// Adds to the figures of a main file in the group; read after it, in order of rank.
    Companion {
        /// Lower is read first.
        rank: u8,
        /// As in `Main`.
        suffixes: &'static [&'static str],
    },
}

/// The plug-in's lines and the plan it is given, for who runs it.
pub use self::locust_plugin::{Course, Leg, Line, Row, clock, line};

impl Part {
    /// The name of the run that a file with this stem (or path without extension) belongs to.
    pub fn run_name<'a>(&self, stem: &'a str) -> &'a str {
        match self {
            Self::Whole => stem,
            Self::Account { suffix } => {
                let named = stem.trim_end_matches(|char: char| char.is_ascii_digit()).strip_suffix('_');
                named.and_then(|named| named.strip_suffix(suffix)).unwrap_or(stem)
            }
            Self::Main { suffixes, .. } | Self::Companion { suffixes, .. } => {
                suffixes.iter().find_map(|suffix| stem.strip_suffix(suffix)).unwrap_or(stem)
            }
        }
    }
}

/// An artifact opened for reading: text in UTF-8 whatever the file was.
pub struct Source<'a> {
    /// The artifact's name as the user knows it.
    pub name: &'a str,
    /// Its content from the beginning.
    pub reader: &'a mut (dyn BufRead + Send),
    /// How to read it if it is of a kind that grows large; `None`: record by record, which gives the same run.
    pub blocks: Option<Blocks>,
}

impl Source<'_> {
    /// The file name without folders and extension, which names the endpoint for tools that test one URL.
    pub fn stem(&self) -> &str {
        crate::artifact::stem(self.name)
    }

    /// Everything as one text, for artifacts that are small by nature; refuses more than `limit` bytes.
    pub fn text(&mut self, limit: u64) -> Result<String, ParseError> {
        use std::io::Read as _;
        let mut bytes = Vec::new();
        (&mut *self.reader).take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(ParseError::new(format!("larger than {} MiB, too large for this format", limit >> 20)));
        }
        String::from_utf8(bytes).or_else(|error| Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }
}

/// Why an artifact could not be read, with the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Lowercase fragment: what was expected and what was found.
    pub message: String,
    /// Line, from 1.
    pub line: Option<u64>,
    /// Column, from 1.
    pub column: Option<u64>,
    /// A way out, if there is one.
    pub hint: Option<String>,
}

impl ParseError {
    /// An error about the artifact as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), line: None, column: None, hint: None }
    }

    /// An error in `line` (from 1).
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// An error in `column` (from 1).
    #[must_use]
    pub fn at_column(mut self, column: u64) -> Self {
        self.column = Some(column);
        self
    }

    /// With a way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(out, "line {line}, column {column}: ")?,
            (Some(line), None) => write!(out, "line {line}: ")?,
            _ => {}
        }
        out.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}

impl From<std::io::Error> for ParseError {
    fn from(error: std::io::Error) -> Self {
        Self::new(format!("cannot be read: {error}"))
    }
}

impl From<csv::Error> for ParseError {
    fn from(error: csv::Error) -> Self {
        let line = error.position().map(csv::Position::line);
        Self { line, ..Self::new(format!("not the CSV it began as: {error}")) }
    }
}

impl From<serde_json::Error> for ParseError {
    fn from(error: serde_json::Error) -> Self {
        let text = error.to_string();
        // serde_json ends its message with the place, which we print in front.
        let message = text.split(" at line ").next().unwrap_or(&text);
        Self::new(format!("not the JSON it began as: {message}"))
            .at_line(error.line() as u64)
            .at_column(error.column() as u64)
    }
}

/// What recognition found.
#[derive(Debug)]
pub enum Detected {
    /// This one.
    One(&'static Format),
    /// None of ours.
    Unknown,
    /// Several, none better than the others.
    Tie(Vec<&'static Format>),
}

/// Asks every format and takes the single best answer; the order of the registry never matters.
pub fn detect(head: &Head) -> Detected {
    let answers: Vec<(Confidence, &'static Format)> = FORMATS
        .iter()
        .map(|format| ((format.sniff)(head), *format))
        .filter(|(sure, _)| *sure > Confidence::No)
        .collect();
    let best = answers.iter().map(|(sure, _)| *sure).max();
    let winners: Vec<&'static Format> =
        answers.into_iter().filter(|(sure, _)| Some(*sure) == best).map(|(_, format)| format).collect();
    match winners.as_slice() {
        [] => Detected::Unknown,
        [one] => Detected::One(one),
        _ => Detected::Tie(winners),
    }
}

/// The format with this id.
pub fn by_id(id: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.id == id).copied()
}

/// One line per file below `format/`: the module and the formats it holds.
macro_rules! registry {
    ($($module:ident: $($format:ident),+;)+) => {
        $(mod $module;)+
        /// Every format we read.
        pub static FORMATS: &[&Format] = &[$($(&$module::$format),+),+];
    };
}

registry! {
    locust_stats: STATS;
    locust_history: HISTORY;
    locust_distribution: DISTRIBUTION;
    locust_failures: FAILURES, EXCEPTIONS;
    locust_json: JSON, WEB;
    locust_plugin: EVENTS;
    service_json: SERVICE_JSON;
    ab: TEXT, GNUPLOT, PERCENTILES;
    artillery: JSON;
    autocannon: JSON;
    benchmarks: GITHUB, BENCHER;
    drill: STATS, REPORT;
    fortio: JSON;
    gatling_log: TEXT, BINARY;
    gatling_stats: STATS, SCRIPT, GLOBAL, ASSERTIONS;
    ghz: JSON, TEXT, CSV;
    goose: REPORT, CSV, JSON_LOG;
    h2load: TEXT, LOG;
    hey: TEXT, CSV;
    jmeter_csv: CSV;
    jmeter_report: STATISTICS, TABLE, SUMMARISER;
    jmeter_xml: XML;
    junit: JUNIT;
    k6_console: CONSOLE;
    k6_csv: CSV;
    k6_ndjson: NDJSON;
    k6_summary: SUMMARY, MACHINE;
    loadtest: TEXT;
    molotov: CONSOLE;
    nbomber: CSV, JSON;
    oha: JSON, TEXT, CSV;
    own: RUN;
    rlt: JSON, TEXT;
    simple: JSON, CSV, SAMPLES;
    siege: TEXT, JSON, LOG, VERBOSE;
    taurus: CSV, XML;
    tsung: LOG, JSON, DUMP;
    vegeta: JSON, TEXT, HDR, HIST;
    vegeta_results: NDJSON, CSV, GOB;
    wrk: WRK, WRK2;
}
