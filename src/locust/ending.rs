//! How a run ended, and in plain words why nothing came of it. [I/O]

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::ExitStatus;

use super::command::{Engine, TESTED};
use super::progress::Progress;
use super::{Order, Stopped};
use crate::format::clock;

/// Bytes of Locust's logs that are looked at.
const LOG: u64 = 1 << 20;
/// So many of the requests have to fail to connect before we say that nothing answers.
const ALL: f64 = 0.99;
/// What a request says that found nobody, in the words of requests, urllib3 and gevent.
const NOBODY: [&str; 7] = [
    "ConnectionRefusedError",
    "Connection refused",
    "NewConnectionError",
    "NameResolutionError",
    "Name or service not known",
    "gaierror",
    "No route to host",
];
/// Exits later than this before the planned end are early; Locust looks at the clock once a second.
const EARLY_S: f64 = 1.0;

/// How it ended.
#[derive(Debug)]
pub enum Ending {
    /// As planned.
    Complete,
    /// Before its time; what was measured is kept.
    Cut {
        /// In words.
        why: String,
        /// Somebody asked for it.
        interrupted: bool,
    },
    /// There is nothing to judge.
    Failed(Failure),
}

/// Why there is nothing to judge.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The file system said no.
    #[error("{what}: {source}")]
    Io {
        /// `cannot write …`
        what: String,
        /// What it said.
        source: io::Error,
    },
    /// No program of that name.
    #[error("cannot start `{program}`: {source}\nhint: {hint}")]
    NotFound {
        /// As called.
        program: String,
        /// What the system said.
        source: io::Error,
        /// A way out.
        hint: String,
    },
    /// It ended before our plug-in was asked.
    #[error("Locust did not start: {last}\nhint: all it said is in {log}")]
    NotStarted {
        /// The line that says most.
        last: String,
        /// Where the rest is.
        log: String,
    },
    /// The workers did not come.
    #[error(
        "Locust waited for {expected} workers in vain\nhint: start them with `locust -f - --worker --master-host HOST`, before or while this runs"
    )]
    NoWorkers {
        /// How many should have come.
        expected: u32,
    },
    /// Nobody said what to test.
    #[error("no host to test\nhint: `--host https://…`, or `host = …` in the locustfile's user class")]
    NoHost,
    /// The load test made no request.
    #[error("Locust made no request{}\nhint: all it said is in {log}", exception.as_ref().map(|text| format!(": its users failed with {text}")).unwrap_or_default())]
    NoRequests {
        /// Of the user's code.
        exception: Option<String>,
        /// Where the rest is.
        log: String,
    },
    /// Nothing answers.
    #[error(
        "nothing answers at {host}: {requests} of {requests_all} requests could not connect, with {error}\nhint: is the system under test up, and is this its address?"
    )]
    TargetDown {
        /// The host as given.
        host: String,
        /// That could not connect.
        requests: u64,
        /// All.
        requests_all: u64,
        /// What most of them said.
        error: String,
    },
}

impl Failure {
    /// The program could not be started.
    pub(super) fn not_started(order: &Order, source: io::Error) -> Self {
        let (program, hint) = match &order.engine {
            Engine::Host { locust } => (
                locust.first().cloned().unwrap_or_default(),
                format!("`pip install locust=={TESTED}`, or `--engine docker`"),
            ),
            Engine::Docker { docker, .. } => (docker.clone(), "install Docker, or use `--engine host`".to_owned()),
        };
        Self::NotFound { program, source, hint }
    }
}

/// Puts together what we saw, what we did and what Locust wrote.
pub(super) fn tell(
    order: &Order,
    progress: &Progress,
    why: Option<Stopped>,
    exit: Option<ExitStatus>,
    console: &Path,
) -> Ending {
    let planned = f64::from(order.course.seconds());
    let ended = progress.ended.is_some_and(|at| at + EARLY_S >= planned);
    if why == Some(Stopped::Interrupted) {
        return cut(progress, planned, "interrupted", true);
    }
    if let Some(failure) = failure(order, progress, console) {
        return Ending::Failed(failure);
    }
    match why {
        Some(why) => cut(progress, planned, &why.to_string(), false),
        None if ended => Ending::Complete,
        None => cut(progress, planned, &early(exit), false),
    }
}

fn cut(progress: &Progress, planned: f64, why: &str, interrupted: bool) -> Ending {
    let at = progress.ended.unwrap_or(progress.at);
    Ending::Cut { why: format!("cut short after {} of {}: {why}", clock(at), clock(planned)), interrupted }
}

/// Locust ended by itself, or by a hand that was not ours.
fn early(exit: Option<ExitStatus>) -> String {
    let mut text = "Locust ended early".to_owned();
    #[cfg(unix)]
    if let Some(signal) = exit.and_then(|exit| std::os::unix::process::ExitStatusExt::signal(&exit)) {
        let _ = write!(text, ", by signal {signal}");
        return text;
    }
    if let Some(code) = exit.and_then(|exit| exit.code()) {
        let _ = write!(text, ", with exit code {code}");
    }
    text
}

fn failure(order: &Order, progress: &Progress, console: &Path) -> Option<Failure> {
    let log = order.out.join(format!("{}.log", order.course.prefix));
    let said = text(console) + &text(&log);
    let where_it_is =
        |path: &Path| path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    if progress.locust.is_none() {
        return Some(Failure::NotStarted { last: telling(&said), log: where_it_is(console) });
    }
    if progress.requests == 0 {
        if said.contains("Gave up waiting for workers") {
            return Some(Failure::NoWorkers { expected: order.workers.unwrap_or_default() });
        }
        if said.contains("You must specify the base host") {
            return Some(Failure::NoHost);
        }
        return Some(Failure::NoRequests { exception: progress.exceptions.first().cloned(), log: where_it_is(&log) });
    }
    let nobody = |kind: &str| NOBODY.iter().any(|word| kind.contains(word));
    let lost = progress.errors.iter().filter(|(kind, _)| nobody(kind));
    let (error, _) = lost.clone().max_by_key(|(_, count)| **count)?;
    let requests = lost.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    (requests as f64 >= ALL * progress.requests as f64).then(|| Failure::TargetDown {
        host: order.host.clone().map_or_else(|| "the locustfile's host".to_owned(), |host| without_secrets(&host)),
        requests,
        requests_all: progress.requests,
        error: error.clone(),
    })
}

/// The line of a log that says most: the last one of a traceback, or the last that speaks of an error.
fn telling(said: &str) -> String {
    let speaks = |line: &&str| {
        let line = line.trim_start();
        ["Error", "error", "Exception", "Could not", "No module", "loadgate:", "denied", "not found"]
            .iter()
            .any(|word| line.contains(word))
    };
    let lines = || said.lines().filter(|line| !line.trim().is_empty());
    let line = lines().rev().find(speaks).or_else(|| lines().next_back()).unwrap_or("it said nothing");
    line.trim().chars().take(300).map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// The end of a file, or nothing: it may not have been written.
fn text(path: &Path) -> String {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let read = || -> io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG)))?;
        let mut bytes = Vec::new();
        file.take(LOG).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// A URL without the user and password that may stand in it.
pub(super) fn without_secrets(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?))) {
        Some((scheme, (user, rest))) if !user.contains('/') => format!("{scheme}://***@{rest}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_telling_line_of_a_traceback_is_its_last() {
        let said = "Traceback (most recent call last):\n  File \"x.py\", line 1\nModuleNotFoundError: No module named 'yaml'\n";
        assert_eq!(telling(said), "ModuleNotFoundError: No module named 'yaml'");
        assert_eq!(telling(""), "it said nothing");
    }

    #[test]
    fn secrets_do_not_stay_in_addresses() {
        assert_eq!(without_secrets("https://me:secret@host/a"), "https://***@host/a");
        assert_eq!(without_secrets("https://host/@me"), "https://host/@me");
    }
}
