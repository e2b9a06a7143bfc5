//! What is known while Locust runs, and how people see it. [I/O]

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use super::tail::Seen;
use crate::config::Abort;
use crate::format::{Course, Row, clock};
use crate::run::histogram::Histogram;
use crate::run::metric::Metric;

/// How progress is shown on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// One line that changes, for a terminal.
    Bar,
    /// A line now and then, for a log.
    Lines,
    /// Not at all.
    Nothing,
}

/// Between two lines in a log.
const LINE_EVERY: Duration = Duration::from_secs(30);
/// Seconds that the figures speak about.
const RECENT_S: u32 = 10;
const BAR: usize = 24;
/// Error kinds and exceptions kept for messages.
const MOST_KINDS: usize = 100;

/// The run so far.
#[derive(Debug)]
pub struct Progress {
    course: Course,
    show: Show,
    shown: Duration,
    started: Option<Instant>,
    /// Facts of the leading process's header.
    pub host: BTreeMap<String, String>,
    /// Locust's version, once its plug-in has spoken.
    pub locust: Option<String>,
    /// Seconds since the test began.
    pub at: f64,
    users: f64,
    /// Requests so far, judged or not.
    pub requests: u64,
    /// Failed ones, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Exceptions of the user's code.
    pub exceptions: Vec<String>,
    /// Whether the leading process wrote its last line, and when the test stopped.
    pub ended: Option<f64>,
    /// By the second in which they were reported.
    recent: BTreeMap<u32, Figures>,
    keep_s: u32,
}

/// Requests of a few seconds.
#[derive(Debug, Clone, Default)]
struct Figures {
    requests: u64,
    failures: u64,
    latency: Histogram,
}

impl Progress {
    /// Nothing yet.
    pub fn new(course: Course, show: Show) -> Self {
        Self {
            course,
            show,
            shown: Duration::ZERO,
            started: None,
            host: BTreeMap::new(),
            locust: None,
            at: 0.0,
            users: 0.0,
            requests: 0,
            errors: BTreeMap::new(),
            exceptions: Vec::new(),
            ended: None,
            recent: BTreeMap::new(),
            keep_s: RECENT_S,
        }
    }

    /// When the first second was reported.
    pub fn started(&self) -> Option<Instant> {
        self.started
    }

    /// Takes a line.
    pub fn take(&mut self, seen: Seen) {
        let Seen { role, line } = seen;
        let leading = role != "worker";
        if line.schema.is_some() && (leading || self.locust.is_none()) {
            self.locust.clone_from(&line.locust);
            self.host.clone_from(&line.host);
        }
        match line.event.as_str() {
            "second" => {
                self.started.get_or_insert_with(Instant::now);
                self.at = self.at.max(line.at);
                if leading {
                    self.users = line.users;
                }
            }
            "exception" if self.exceptions.len() < MOST_KINDS => self.exceptions.push(line.message),
            "end" if leading => self.ended = Some(line.at),
            _ => {}
        }
        for row in &line.rows {
            self.count(row);
        }
    }

    fn count(&mut self, row: &Row) {
        let failures = row.failures();
        self.requests = self.requests.saturating_add(row.requests);
        for (kind, count) in &row.errors {
            if self.errors.len() < MOST_KINDS || self.errors.contains_key(kind) {
                let sum = self.errors.entry(kind.clone()).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        let now = self.at as u32;
        let figures = self.recent.entry(now).or_default();
        figures.requests = figures.requests.saturating_add(row.requests);
        figures.failures = figures.failures.saturating_add(failures);
        for (micros, times) in &row.micros {
            figures.latency.record_many(micros.saturating_mul(1_000), *times);
        }
        let oldest = now.saturating_sub(self.keep_s);
        while self.recent.first_key_value().is_some_and(|(second, _)| *second < oldest) {
            self.recent.pop_first();
        }
    }

    /// All failed requests.
    pub fn failures(&self) -> u64 {
        self.errors.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn last(&self, seconds: u32) -> Figures {
        let from = (self.at as u32).saturating_sub(seconds);
        let mut sum = Figures::default();
        for figures in self.recent.range(from + 1..).map(|(_, figures)| figures) {
            sum.requests = sum.requests.saturating_add(figures.requests);
            sum.failures = sum.failures.saturating_add(figures.failures);
            sum.latency.merge(&figures.latency);
        }
        sum
    }

    /// In words, if what ends the run early has happened.
    pub fn broken(&mut self, abort: &Abort) -> Option<String> {
        let seconds = u32::try_from(abort.length.as_secs()).unwrap_or(u32::MAX).max(1);
        self.keep_s = self.keep_s.max(seconds);
        if self.at < f64::from(seconds) {
            return None;
        }
        let figures = self.last(seconds);
        let value = match &abort.metric {
            Metric::ErrorRate if figures.requests > 0 => figures.failures as f64 / figures.requests as f64,
            Metric::LatencyMean => figures.latency.mean_ms()?,
            metric => figures.latency.quantile_ms(metric.quantile()?)?,
        };
        let shown = |value: f64| match abort.metric {
            Metric::ErrorRate => format!("{:.1} %", value * 100.0),
            _ => format!("{value:.0} ms"),
        };
        (value > abort.over).then(|| {
            let (title, over) = (abort.metric.title(), shown(abort.over));
            format!("{title} {} over {seconds} s, more than {over}", shown(value))
        })
    }

    /// Shows it where it is due; `elapsed` since we began.
    pub fn show(&mut self, elapsed: Duration) {
        let text = match self.show {
            Show::Bar => {
                let share = (self.at / f64::from(self.course.seconds().max(1))).clamp(0.0, 1.0);
                let full = (share * BAR as f64) as usize;
                format!("\r[{}{}] {}\x1b[K", "#".repeat(full), ".".repeat(BAR - full), self.sentence())
            }
            Show::Lines if elapsed >= self.shown + LINE_EVERY => {
                self.shown = elapsed;
                format!("{}\n", self.sentence())
            }
            _ => return,
        };
        // Nobody to see it: no reason to stop a load test.
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// Leaves the terminal with a clean line.
    pub fn close(&self) {
        if self.show == Show::Bar {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }

    /// `3:30 of 15:00 · 50 users · 212 req/s · p95 340 ms · errors 0.2 %`
    pub fn sentence(&self) -> String {
        if self.started.is_none() {
            return "starting Locust".to_owned();
        }
        let seconds = RECENT_S.min((self.at as u32).max(1));
        let figures = self.last(seconds);
        let users = if self.users == 1.0 { "user" } else { "users" };
        let whole = f64::from(self.course.seconds());
        let text = format!("{} of {} · {} {users}", clock(self.at.min(whole)), clock(whole), self.users);
        if figures.requests > 0 {
            let rate = figures.requests as f64 / f64::from(seconds);
            let p95 = figures.latency.quantile_ms(0.95).map_or(String::new(), |ms| format!(" · p95 {ms:.0} ms"));
            let errors = figures.failures as f64 / figures.requests as f64 * 100.0;
            return format!("{text} · {rate:.0} req/s{p95} · errors {errors:.1} %");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Leg, Line};

    fn second(at: u32, failures: u64) -> Seen {
        let errors = if failures > 0 { BTreeMap::from([("boom".to_owned(), failures)]) } else { BTreeMap::new() };
        let row = Row { second: at, requests: 10, errors, micros: vec![(50_000, 10)], ..Row::default() };
        let line =
            Line { event: "second".to_owned(), at: f64::from(at), users: 5.0, rows: vec![row], ..Line::default() };
        Seen { role: "local".to_owned(), line }
    }

    fn progress() -> Progress {
        let leg = Leg { users: 5, own_users: 5, end: 60, ..Leg::default() };
        Progress::new(Course { stages: vec![leg], ..Course::default() }, Show::Nothing)
    }

    #[test]
    fn the_sentence_speaks_about_the_last_seconds() {
        let mut progress = progress();
        for at in 1..=30 {
            progress.take(second(at, u64::from(at > 25)));
        }
        assert_eq!(progress.sentence(), "0:30 of 1:00 · 5 users · 10 req/s · p95 50 ms · errors 5.0 %");
    }

    #[test]
    fn a_condition_must_hold_for_its_whole_time() {
        let abort = Abort { metric: Metric::ErrorRate, over: 0.5, length: Duration::from_secs(10) };
        let mut progress = progress();
        for at in 1..=20 {
            progress.take(second(at, if at > 9 { 6 } else { 0 }));
            assert_eq!(progress.broken(&abort).is_some(), at > 17, "{at}");
        }
        assert_eq!(progress.broken(&abort).unwrap(), "error rate 60.0 % over 10 s, more than 50.0 %");
    }
}
