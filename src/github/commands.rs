//! What a step writes for its runner: workflow commands on stdout, entries of the output files. Pure text.
//!
//! The runner scans both stdout and stderr: `::name key=value::data` at the start of a line, and the older `##[name]data`
//! anywhere in it. Text from artifacts is therefore either escaped inside a command or passed through [`plain`].

use std::fmt;

/// Longest message the runner keeps of an annotation (it cuts the rest).
const ANNOTATION_MESSAGE_CHARS: usize = 4096;
/// Longest title that the Checks API keeps for an annotation.
const ANNOTATION_TITLE_CHARS: usize = 255;

/// How loud an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Shown with the failures.
    Error,
    /// Shown with the warnings.
    Warning,
    /// Shown, without alarm.
    Notice,
}

impl Level {
    fn command(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// A workflow-command annotation. The runner keeps ten of each level per step and drops the rest without a word.
///
/// Its `Display` is the whole line, without the line feed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Annotation {
    /// How loud.
    pub level: Level,
    /// The bold line above the message.
    pub title: String,
    /// The message. May hold any text.
    pub message: String,
    /// The file it is pinned to, from the root of the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

impl Annotation {
    /// An annotation on no file in particular.
    pub fn new(level: Level, title: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level, title: title.into(), message: message.into(), file: None, line: None }
    }

    /// The same annotation, at a line (from 1) of a file.
    #[must_use]
    pub fn at(mut self, file: &str, line: Option<u64>) -> Self {
        self.file = Some(file.to_owned());
        self.line = line;
        self
    }
}

impl fmt::Display for Annotation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut properties = Vec::new();
        if let Some(file) = &self.file {
            properties.push(format!("file={}", escape_property(file)));
            if let Some(line) = self.line {
                properties.push(format!("line={line}"));
            }
        }
        if !self.title.is_empty() {
            properties.push(format!("title={}", escape_property(&first_chars(&self.title, ANNOTATION_TITLE_CHARS))));
        }
        let space = if properties.is_empty() { "" } else { " " };
        let message = escape_data(&first_chars(&self.message, ANNOTATION_MESSAGE_CHARS));
        write!(out, "::{}{space}{}::{message}", self.level.command(), properties.join(","))
    }
}

/// Makes the runner print `***` wherever the secret would appear in the log from here on.
pub fn add_mask(secret: &str) -> String {
    format!("::add-mask::{}", escape_data(secret))
}

/// Opens a fold in the log.
pub fn group(title: &str) -> String {
    format!("::group::{}", escape_data(title))
}

/// Closes the fold that [`group`] opened.
pub const END_GROUP: &str = "::endgroup::";

/// Text as the data of a workflow command.
pub fn escape_data(text: &str) -> String {
    // The percent sign first, or it would escape the escapes. `##[` cannot start a second command inside a `::` one.
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text as a property value of a workflow command.
pub fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text for the log that the runner cannot take for a command, line by line. Other characters are untouched.
///
/// `::` is a command only where nothing but blanks stands before it, so names such as `Cart::add` stay readable.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // The runner's line reader takes a lone carriage return for a line end too.
    for line in text.split_inclusive(['\n', '\r']) {
        let blanks = line.find(|c: char| !is_blank(c)).unwrap_or(line.len());
        let (indent, rest) = line.split_at(blanks);
        out.push_str(indent);
        match rest.strip_prefix("::") {
            Some(after) => {
                out.push_str(": :");
                out.push_str(&after.replace("##[", "## ["));
            }
            None => out.push_str(&rest.replace("##[", "## [")),
        }
    }
    out
}

/// Characters that may stand before a command: white space, and what a terminal or a reader may drop.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// One entry of `GITHUB_OUTPUT` (or `GITHUB_ENV`): always in the heredoc form, which takes any value.
///
/// The end mark is searched for in the value and lengthened until it does not occur, so no value, however hostile, can close
/// its own entry and open another; chance is not needed. `name` is ours: letters, digits and hyphens.
pub fn output(name: &str, value: &str) -> String {
    let mut end = "loadgate_end_of_value".to_owned();
    while value.contains(&end) {
        end.push('_');
    }
    format!("{name}<<{end}\n{value}\n{end}\n")
}

fn first_chars(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the runner does with `GITHUB_OUTPUT`, from its source (`FileCommandManager`).
    fn runner_reads_outputs(text: &str) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut lines = text.split('\n');
        while let Some(line) = lines.next() {
            if line.is_empty() {
                continue;
            }
            let equals = line.find('=').unwrap_or(usize::MAX);
            let heredoc = line.find("<<").unwrap_or(usize::MAX);
            if heredoc < equals {
                let (name, end) = line.split_once("<<").unwrap();
                assert!(!name.is_empty() && !end.is_empty());
                let mut value = Vec::new();
                loop {
                    let line = lines.next().expect("the end mark is missing");
                    if line == end {
                        break;
                    }
                    value.push(line);
                }
                out.push((name.to_owned(), value.join("\n")));
            } else {
                let (name, value) = line.split_once('=').unwrap();
                out.push((name.to_owned(), value.to_owned()));
            }
        }
        out
    }

    /// Whether the runner would take the line for a command, from its source (`ActionCommand`).
    fn runner_sees_command(text: &str) -> bool {
        text.split(['\n', '\r']).any(|line| line.trim_start().starts_with("::") || line.contains("##["))
    }

    #[test]
    fn an_output_comes_back_as_it_was_written() {
        for value in [
            "",
            "fail",
            "a=b",
            "x\ny",
            "x\n",
            "\n",
            "name<<EOF",
            "loadgate_end_of_value",
            "a\nloadgate_end_of_value_\nverdict=pass",
            "é\r\n",
        ] {
            let text = output("worst-endpoint", value) + &output("verdict", "fail");
            let read = runner_reads_outputs(&text);
            assert_eq!(
                read,
                [("worst-endpoint".to_owned(), value.to_owned()), ("verdict".to_owned(), "fail".to_owned())]
            );
        }
    }

    #[test]
    fn an_annotation_is_one_line_whatever_it_holds() {
        let text =
            Annotation::new(Level::Error, "slower: a, b", "100%\n::error::x").at("a,b:c.yml", Some(3)).to_string();
        assert_eq!(text, "::error file=a%2Cb%3Ac.yml,line=3,title=slower%3A a%2C b::100%25%0A::error::x");
        assert_eq!(Annotation::new(Level::Notice, "", "hello").to_string(), "::notice::hello");
    }

    #[test]
    fn a_long_annotation_is_cut_by_us_and_says_so() {
        let text = Annotation::new(Level::Warning, "t".repeat(300), "ä".repeat(5000)).to_string();
        assert!(text.ends_with('…'));
        assert_eq!(text.matches('ä').count(), 4095);
        assert_eq!(text.matches('t').count(), 254 + "title".matches('t').count());
    }

    #[test]
    fn plain_text_cannot_speak_to_the_runner() {
        for hostile in [
            "::error::x",
            "  ::set-output name=verdict::pass",
            "ok\n::stop-commands::t",
            "ok\r::error::x",
            "GET /a ##[error]x",
            "##[group]x",
            "\u{feff}::error::x",
            "\u{a0}::add-mask::a",
            "\u{85}::error::",
            "::::error::x",
            ":: ::error::",
        ] {
            let safe = plain(hostile);
            assert!(!runner_sees_command(&safe), "{hostile:?} became {safe:?}");
        }
    }

    #[test]
    fn harmless_text_is_left_alone() {
        for text in ["Cart::add  p95 12 ms\n", "GET /a?b=c", "# heading", "a\r\nb", ""] {
            assert_eq!(plain(text), text);
        }
    }

    #[test]
    fn a_secret_is_masked_in_one_line() {
        assert_eq!(add_mask("a%b\nc"), "::add-mask::a%25b%0Ac");
    }
}
