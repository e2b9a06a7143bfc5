//! `loadgate doctor`: looks at everything that a load-test gate needs, and says what is missing with one remedy each. [I/O]

mod checks;
mod origins;
mod workflows;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::{Done, json};
use crate::cli::{Doctor, TextOrJson};
use crate::report::escape::clean;

/// What `doctor` exits with if something has to be mended first: the work could not be done.
const SICK: u8 = 2;

/// Where and for whom the doctor looks.
#[derive(Debug)]
pub struct Patient<'a> {
    /// The workspace root.
    pub root: &'a Path,
    /// The config file that `--config` names.
    pub config: Option<&'a Path>,
    /// The environment.
    pub vars: &'a BTreeMap<String, String>,
    /// The present time.
    pub now: Timestamp,
}

/// How one thing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// Works, and could be better, or is not there yet.
    Note,
    /// Has to be mended.
    Problem,
    /// Not looked at, and why.
    Skipped,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn new(check: &'static str, state: State, message: impl Into<String>) -> Self {
        Self { check, state, message: message.into(), remedy: None }
    }

    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, State::Ok, message)
    }

    fn note(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..Self::new(check, State::Note, message) }
    }

    fn problem(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..Self::new(check, State::Problem, message) }
    }

    fn skipped(check: &'static str, why: impl Into<String>) -> Self {
        Self::new(check, State::Skipped, why)
    }

    /// The error of another part, whose last line is the remedy already.
    fn error(check: &'static str, error: &anyhow::Error) -> Self {
        let text = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
        match text.rsplit_once("\nhint: ") {
            Some((message, hint)) => Self::problem(check, message, hint),
            None => Self::new(check, State::Problem, text),
        }
    }
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Diagnosis<'a> {
    schema: &'static str,
    loadgate: &'static str,
    findings: &'a [Finding],
}

/// Looks at everything, or lists the settings.
pub fn run(arguments: &Doctor, patient: &Patient<'_>) -> anyhow::Result<Done> {
    if arguments.show_config {
        return origins::show(arguments.format, patient);
    }
    let findings = checks::all(patient);
    let sick = findings.iter().any(|finding| finding.state == State::Problem);
    let stdout = match arguments.format {
        TextOrJson::Json => {
            json(&Diagnosis { schema: "loadgate.doctor/1", loadgate: env!("CARGO_PKG_VERSION"), findings: &findings })?
        }
        TextOrJson::Text => text(&findings),
    };
    Ok(Done { stdout, exit_code: if sick { SICK } else { 0 }, ..Done::default() })
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.state {
            State::Ok => "ok",
            State::Note => "note",
            State::Problem => "PROBLEM",
            State::Skipped => "-",
        };
        let mut lines = finding.message.lines();
        let _ = writeln!(text, "{mark:<8}{:<10}{}", finding.check, clean(lines.next().unwrap_or_default()));
        for line in lines {
            let _ = writeln!(text, "{:<18}{}", "", clean(line));
        }
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(text, "{:<18}-> {}", "", clean(remedy));
        }
    }
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    let _ = writeln!(
        text,
        "\n{} to mend, {} to note, {} fine",
        count(State::Problem),
        count(State::Note),
        count(State::Ok)
    );
    text
}

#[cfg(test)]
mod tests;
