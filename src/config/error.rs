//! What is wrong with a config file, where, and what to do about it.

use std::fmt;

use serde_saphyr::{Error as Yaml, Location};

use super::path;
use crate::excerpt::excerpt;
use crate::policy::Place;

/// The first mistake of a config file.
///
/// Shown as `file:line:column: place: what was expected, what was found`, the line it is about, and a way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it stands.
    pub place: Place,
    /// The same place in words of the config: `rules[2].limit`; empty for the file as a whole.
    pub at: Box<str>,
    /// What was expected and what was found.
    pub message: String,
    /// The way out.
    pub hint: String,
    /// The line it is about with the mistake marked; empty where there is none to show.
    pub excerpt: Box<str>,
}

impl ConfigError {
    /// The same mistake with the line of `text`, the file, that it is about.
    #[must_use]
    pub(super) fn shown_in(mut self, text: &str) -> Self {
        self.excerpt = excerpt(text, self.place.line, self.place.column).unwrap_or_default().into_boxed_str();
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, column } = &self.place;
        write!(out, "{file}:{line}:{column}: ")?;
        if !self.at.is_empty() {
            write!(out, "{}: ", self.at)?;
        }
        writeln!(out, "{}", self.message)?;
        if !self.excerpt.is_empty() {
            writeln!(out, "{}", self.excerpt)?;
        }
        write!(out, "hint: {}", self.hint)
    }
}

impl std::error::Error for ConfigError {}

/// What is wrong with one value, before its place is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) message: String,
    pub(super) hint: String,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    /// The complaint about the value at `at`, which stands at `place` of `file`.
    pub(super) fn about(self, at: impl Into<Box<str>>, place: Location, file: &str) -> ConfigError {
        ConfigError {
            place: in_file(place, file),
            at: at.into(),
            message: self.message,
            hint: self.hint,
            excerpt: Box::default(),
        }
    }
}

/// Line and column of a place that the YAML reader names; the file's start where it knows none.
pub(super) fn in_file(place: Location, file: &str) -> Place {
    Place { file: file.to_owned(), line: place.line().max(1), column: place.column().max(1) }
}

/// The known word that `word` was probably meant to be.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The comparison is quadratic, and no word of ours is longer.
    if word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&word, known), known))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// "did you mean" with the nearest of the known words, and all of them.
pub(super) fn choice(word: &str, known: &[&str]) -> String {
    let all = known.join(", ");
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? it can be {all}"),
        None => format!("it can be {all}"),
    }
}

/// A text as it is quoted in a message: one line, not too long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut plain: String = text.chars().take(LONGEST).map(|char| if char.is_control() { ' ' } else { char }).collect();
    if text.chars().count() > LONGEST {
        plain.push('…');
    }
    format!("`{plain}`")
}

/// The YAML reader's complaint about `text`, the file, in our words.
pub(super) fn from_yaml(error: &Yaml, text: &str, file: &str) -> ConfigError {
    let place = error.location().unwrap_or(Location::UNKNOWN);
    let owner = || path::of_owner(text, place);
    let (at, complaint) = match error.without_snippet() {
        Yaml::SerdeUnknownField { field, expected, .. } => {
            (owner(), Complaint::new(format!("unknown key {}", shown(field)), choice(field, expected)))
        }
        Yaml::SerdeMissingField { field, .. } => {
            let hint = format!("add `{field}: …`; docs/CONFIG.md shows every key with an example");
            (owner(), Complaint::new(format!("`{field}` is missing"), hint))
        }
        Yaml::DuplicateMappingKey { key, .. } => {
            let key = shown(key.as_deref().unwrap_or("?"));
            let hint = "a key may stand only once; merge the two, or remove one";
            (owner(), Complaint::new(format!("{key} stands here twice"), hint))
        }
        Yaml::Unexpected { expected, .. } => {
            let (wanted, hint) = shape(expected);
            let message = format!("expected {wanted}, found {}", found(text, place));
            (path::of_value(text, place), Complaint::new(message, hint))
        }
        Yaml::MultipleDocuments { .. } => {
            let message = "expected one document, found a second one";
            (String::new(), Complaint::new(message, "remove the `---` and what follows it"))
        }
        Yaml::Budget { .. } | Yaml::AliasReplayLimitExceeded { .. } | Yaml::AliasExpansionLimitExceeded { .. } => {
            let message = "the file unfolds into far more than a config can hold";
            let hint = "write the values out instead of repeating them by `&anchor` and `*alias`";
            (String::new(), Complaint::new(message, hint))
        }
        other => (path::of_value(text, place), Complaint::new(plain(other), SYNTAX_HINT)),
    };
    complaint.about(at, place, file)
}

const SYNTAX_HINT: &str =
    "YAML is indented by spaces, never tabs; a text that holds `: `, ` #` or begins with one of `*&!{[%@` wants quotes";

/// The reader's own words, without the place, which stands in front already.
fn plain(error: &Yaml) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    shown(text).trim_matches('`').to_owned()
}

/// A shape in words, and how to write it.
fn shape(expected: &'static str) -> (&'static str, &'static str) {
    match expected {
        "sequence start" => ("a list", "write `[one, two]`, or one `- …` line for each"),
        "mapping start" => ("settings", "write `{ key: value }`, or one `key: value` line for each, indented"),
        "string scalar" => ("a single value", "write one value; a text with special characters wants quotes"),
        other => (other, SYNTAX_HINT),
    }
}

/// What stands at the place: the rest of its line.
fn found(text: &str, place: Location) -> String {
    let line = usize::try_from(place.line().saturating_sub(1)).ok().and_then(|line| text.lines().nth(line));
    let column = usize::try_from(place.column().saturating_sub(1)).unwrap_or(0);
    let rest: String = line.unwrap_or("").chars().skip(column).take(200).collect();
    match rest.trim() {
        "" => "nothing".to_owned(),
        rest => shown(rest),
    }
}
