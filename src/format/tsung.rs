//! Tsung: `tsung.log` (dumps every ten seconds, text or JSON) and `tsung.dump` (requests).
//!
//! Quirks: of a log line count and mean are of the interval, maximum and minimum since the start, and the global mean and
//! count are of all intervals *before* this one; the last dump often has count 0. Endpoints of the log are the user's
//! transactions `tr_NAME`; `request` is the total; a request without an answer has no status counter. No percentiles in the
//! log. The dump's `date` is the end of a request, and a URL in it may contain the delimiter.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::console;
use super::rows::{nanos, next_line};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

const LOG_GIVES: Gives = Gives { percentiles: "none", failures: true, users: true, time: false };

pub(super) static LOG: Format = Format {
    id: "tsung-log",
    tool: "Tsung",
    title: "`tsung.log`",
    versions: "1.7",
    gives: LOG_GIVES,
    part: Part::Main { rank: 1, suffixes: &[] },
    sniff: |head| Confidence::certain_if(head.lines().any(|line| line.starts_with("# stats: dump at "))),
    parse: parse_log,
};

pub(super) static JSON: Format = Format {
    id: "tsung-json",
    tool: "Tsung",
    title: "`tsung.log` of the JSON backend",
    versions: "1.7",
    gives: LOG_GIVES,
    part: Part::Main { rank: 1, suffixes: &[] },
    sniff: |head| {
        let shape = head.json();
        let samples = head.text.contains("\"samples\":") && head.text.contains("\"timestamp\":");
        Confidence::certain_if(shape.opens == Some('{') && shape.has(&["stats"]) && samples)
    },
    parse: parse_json,
};

pub(super) static DUMP: Format = Format {
    id: "tsung-dump",
    tool: "Tsung",
    title: "`tsung.dump` (`dumptraffic=\"protocol\"`)",
    versions: "1.7",
    gives: Gives { percentiles: "any (from samples)", failures: true, users: false, time: true },
    part: Part::Main { rank: 0, suffixes: &[] },
    sniff: |head| Confidence::certain_if(head.lines().any(|line| line.starts_with("#date;pid;id;http method;"))),
    parse: parse_dump,
};

/// A statistic since the start, in ms.
struct Stat {
    count: u64,
    mean: f64,
    max: f64,
    min: f64,
}

/// What the last mention of every name says.
#[derive(Default)]
struct State {
    stats: BTreeMap<String, Stat>,
    /// Totals of counters, status codes among them.
    counters: BTreeMap<String, u64>,
    dumps: Vec<Interval>,
}

/// What a dump says of the time since the one before.
#[derive(Default)]
struct Interval {
    at_ms: i64,
    requests: u64,
    /// Answers below 400.
    fine: u64,
    users: Option<f64>,
}

impl State {
    /// The state after an interval: what was before it, and what it brought.
    fn stat(&mut self, name: &str, interval: (u64, f64), extremes: (f64, f64), before: (f64, u64)) {
        let count = interval.0.saturating_add(before.1);
        let sum = interval.0 as f64 * interval.1 + before.1 as f64 * before.0;
        let mean = if count > 0 { sum / count as f64 } else { 0.0 };
        self.stats.insert(name.to_owned(), Stat { count, mean, max: extremes.0, min: extremes.1 });
    }

    /// A dump begins that was written at this time, in seconds since the epoch.
    fn dump(&mut self, second: i64) {
        self.dumps.push(Interval { at_ms: second.saturating_mul(1_000), ..Interval::default() });
    }

    fn note(&mut self, name: &str, interval: f64) {
        let Some(dump) = self.dumps.last_mut() else { return };
        match name {
            "request" => dump.requests = interval as u64,
            "users" => dump.users = Some(interval),
            _ if code(name).is_some_and(|code| (200..400).contains(&code)) => {
                dump.fine = dump.fine.saturating_add(interval as u64);
            }
            _ => {}
        }
    }

    /// Whether anything tells good requests from bad ones; else this is no HTTP test.
    fn knows_failures(&self) -> bool {
        self.counters.keys().any(|name| code(name).is_some() || name.starts_with("error_"))
    }

    /// Dumps are written at a fixed distance, the first one after that too.
    fn course(&self, recorder: &mut Recorder) {
        let knows = self.knows_failures();
        let ends = || self.dumps.iter().map(|dump| dump.at_ms);
        let first = ends().next().zip(ends().nth(1)).map(|(first, second)| first.saturating_mul(2).saturating_sub(second));
        for (before, dump) in first.into_iter().chain(ends()).zip(&self.dumps) {
            let failures = knows.then(|| dump.requests.saturating_sub(dump.fine));
            recorder.timeline().interval(before, dump.at_ms, (dump.requests, failures), None);
            recorder.timeline().users(dump.at_ms, dump.users.unwrap_or(f64::NAN));
        }
    }

    fn record(&self, recorder: &mut Recorder) {
        recorder.tool("Tsung");
        self.course(recorder);
        for (name, stat) in &self.stats {
            if name.starts_with("tr_") {
                figures(recorder.endpoint(None, name), stat);
            }
        }
        let Some(stat) = self.stats.get("request") else { return };
        let codes = || self.counters.iter().filter_map(|(name, times)| Some((code(name)?, times)));
        let fine = codes().filter(|(code, _)| (200..400).contains(code)).fold(0_u64, |sum, (_, n)| sum.saturating_add(*n));
        let total = recorder.total();
        figures(total, stat);
        // Without any status and any error this is no HTTP test, and failures are not known.
        if self.knows_failures() {
            total.failures(stat.count.saturating_sub(fine));
        }
        for (code, times) in codes().filter(|(code, _)| !(200..400).contains(code)) {
            total.error(&format!("HTTP {code}"), *times);
        }
        for (name, times) in self.counters.iter().filter(|(name, _)| name.starts_with("error_")) {
            total.error(name, *times);
        }
    }
}

/// `200`, or `http_200` of the JSON backend.
fn code(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("http_").unwrap_or(name);
    (digits.len() == 3).then(|| digits.parse().ok())?
}

fn figures(draft: &mut Draft, stat: &Stat) {
    draft.requests(stat.count);
    if stat.count > 0 {
        draft.computed(Metric::LatencyMean, stat.mean, Some(0.0));
        draft.reported(Metric::LatencyMin, stat.min, Some(0.0));
        draft.reported(Metric::LatencyMax, stat.max, Some(0.0));
    }
}

fn parse_log(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    let mut state = State::default();
    for (line, at) in text.lines().zip(1_u64..) {
        if let Some(second) = line.strip_prefix("# stats: dump at ").and_then(|second| second.trim().parse().ok()) {
            state.dump(second);
        }
        let Some(rest) = line.strip_prefix("stats: ") else { continue };
        // `{cpu,"name@host"}` and the like: the load machine itself.
        if rest.starts_with('{') {
            continue;
        }
        let mut cells = rest.split_whitespace();
        let Some(name) = cells.next() else { continue };
        let numbers: Option<Vec<f64>> =
            cells.map(|cell| cell.parse().ok().filter(|number: &f64| number.is_finite())).collect();
        let Some(numbers) = numbers else {
            recorder.bad_row(at, "expected numbers");
            continue;
        };
        state.note(name, numbers.first().copied().unwrap_or_default());
        match numbers.as_slice() {
            // Some old versions have one more in the middle.
            [count, mean, _, max, min, global_mean, .., global_count] => {
                let before = (*global_mean, *global_count as u64);
                state.stat(name, (*count as u64, *mean), (*max, *min), before);
            }
            [now, most] if name == "users" => recorder.users(most.max(*now)),
            [_, total] => drop(state.counters.insert(name.to_owned(), *total as u64)),
            _ => {
                recorder.bad_row(at, "expected 2 or 7 numbers");
                continue;
            }
        }
        recorder.good_row();
    }
    state.record(recorder);
    Ok(())
}

#[derive(Deserialize)]
struct Dump {
    /// Seconds since the epoch.
    timestamp: i64,
    samples: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    name: String,
    value: f64,
    #[serde(default)]
    mean: Option<f64>,
    #[serde(default)]
    max: Option<f64>,
    #[serde(default)]
    min: Option<f64>,
    #[serde(default)]
    global_mean: Option<f64>,
    #[serde(default)]
    global_count: Option<f64>,
    #[serde(default)]
    total: Option<f64>,
}

fn parse_json(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    let mut state = State::default();
    // Tsung writes one dump per line, and does not close the document if it is killed.
    for (line, at) in text.lines().zip(1_u64..).filter(|(line, _)| line.trim_start().starts_with("{\"timestamp\"")) {
        let Some(Ok(dump)) = serde_json::Deserializer::from_str(line).into_iter::<Dump>().next() else {
            recorder.bad_row(at, "not a dump of Tsung");
            continue;
        };
        recorder.good_row();
        state.dump(dump.timestamp);
        for sample in dump.samples {
            state.note(&sample.name, sample.value);
            let extremes = sample.max.zip(sample.min);
            let before = sample.global_mean.zip(sample.global_count);
            if let (Some(mean), Some(extremes), Some((global, count))) = (sample.mean, extremes, before) {
                state.stat(&sample.name, (sample.value as u64, mean), extremes, (global, count as u64));
            } else if sample.name == "users" {
                recorder.users(sample.max.unwrap_or(sample.value));
            } else if let Some(total) = sample.total {
                state.counters.insert(sample.name, total as u64);
            }
        }
    }
    state.record(recorder);
    Ok(())
}

fn parse_dump(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    recorder.tool("Tsung");
    recorder.sample_step(0.001);
    let mut line = Vec::new();
    let mut at = 0;
    let mut begun = false;
    while next_line(source, &mut line)? {
        at += 1;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if text.starts_with("#date;") {
            begun = true;
        } else if begun && !text.is_empty() {
            match request(text, recorder) {
                Some(()) => recorder.good_row(),
                None => recorder.bad_row(at, "expected 13 cells with a date and a duration"),
            }
        }
    }
    Ok(())
}

/// `date;pid;id;method;host;URL;status;size;duration;transaction;match;error;tag`
fn request(text: &str, recorder: &mut Recorder) -> Option<()> {
    let cells: Vec<&str> = text.split(';').collect();
    let (left, rest) = cells.split_at_checked(5)?;
    let (url, right) = rest.split_at_checked(rest.len().checked_sub(7)?)?;
    let ([date, _, _, method, _], [status, _, duration, _, _, error, _]) = (left, right) else { return None };
    if url.is_empty() {
        return None;
    }
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    let end = number(date)? * 1e3;
    // `-` or nothing: no duration was taken.
    let ms = if matches!(*duration, "" | "-") { None } else { Some(number(duration)?) };
    let good = error.is_empty() && status.parse().is_ok_and(|code: u64| code < 400);
    recorder.happened(end - ms.unwrap_or(0.0), ms, Some(good));
    let draft = recorder.endpoint(Some(&method.to_uppercase()), &url.join(";"));
    draft.samples().add(ms.map(|ms| nanos(ms, 1e6)), Some(good));
    if !good {
        let kind = if error.is_empty() { status } else { error };
        let text = if kind.parse::<u64>().is_ok() { format!("HTTP {kind}") } else { (*kind).to_owned() };
        draft.error(&text, 1);
    }
    Some(())
}
