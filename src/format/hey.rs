//! hey: the text it prints and its CSV; also ghz's summary text, which has the same layout (see `ghz.rs`).
//!
//! Quirks: seconds with four decimals; a percentile without data is printed as `0% in 0.0000 secs`; newer builds print
//! `50%%`; requests per second counts errors too; the CSV leaves out requests that got no answer.

use super::columns::{self, Batch, Decimals, TOGETHER};
use super::console::{self, Block, Reports, count, duration, level, number, report};
use super::plain::Span;
use super::rows::{PlainRow, Rows, nanos};
use super::vegeta_results::millisecond;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::Notice;
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder, Samples};
use crate::run::tally::Tally;
use crate::run::timeline::Timeline;

pub(super) static TEXT: Format = Format {
    id: "hey",
    tool: "hey",
    title: "what hey prints",
    versions: "0.1.4",
    gives: Gives { percentiles: "p50 p75 p90 p95 p99", failures: true, users: false, time: false },
    part: Part::Whole,
    sniff,
    parse,
};

pub(super) static CSV: Format = Format {
    id: "hey-csv",
    tool: "hey",
    title: "CSV (`-o csv`)",
    versions: "0.1.4",
    gives: Gives { percentiles: "any (from samples)", failures: true, users: false, time: false },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(head.first_line().trim().starts_with("response-time,DNS+dialup,DNS,")),
    parse: parse_csv,
};

fn sniff(head: &Head) -> Confidence {
    let has = |words: &[&str]| words.iter().all(|word| head.lines().any(|line| line.trim().starts_with(word)));
    let seconds = head.lines().any(|line| console::after(line, "Average:").is_some_and(|rest| rest.trim_end_matches('.').ends_with("secs")));
    let other = ["Success rate:", "Count:"].iter().any(|word| has(&[word]));
    Confidence::certain_if(has(&["Summary:", "Slowest:", "Fastest:", "Requests/sec:"]) && seconds && !other)
}

fn begins(line: &str) -> bool {
    line.trim() == "Summary:"
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let stem = source.stem().to_owned();
    let text = console::text(source)?;
    recorder.tool("hey");
    let mut reports = Reports::default();
    for block in console::blocks(&text, begins) {
        let name = reports.name(&stem);
        let outcome = Outcome::of(&block, |status| status.parse().is_ok_and(|code: u64| code < 400), |_| true);
        let seconds = block.after("Total:").and_then(duration).map(|total| total.value / 1e3);
        reports.add(outcome.requests, outcome.failures, seconds);
        let draft = recorder.endpoint(None, &name);
        outcome.record(draft);
        record(&block, draft);
    }
    reports.finish(recorder);
    Ok(())
}

/// The figures that hey, oha and ghz print alike.
pub(super) fn record(block: &Block<'_>, draft: &mut Draft) {
    report(draft, Metric::Throughput, block.after("Requests/sec:").and_then(number));
    // All failed: `Average: NaN secs`, and zeros that mean nothing.
    let Some(mean) = block.after("Average:").and_then(duration) else { return };
    let slowest = block.after("Slowest:").and_then(duration);
    if slowest.is_none_or(|slowest| slowest.value == 0.0) {
        return;
    }
    report(draft, Metric::LatencyMean, Some(mean));
    report(draft, Metric::LatencyMin, block.after("Fastest:").and_then(duration));
    report(draft, Metric::LatencyMax, slowest);
    for line in &block.lines {
        let Some((share, rest)) = level(line, "%") else { continue };
        let Some(value) = console::after(rest.trim_start_matches('%'), "in ") else { continue };
        if let Some(metric) = Metric::percentile(share) {
            report(draft, metric, duration(value));
        }
    }
}

/// Requests by status and errors by text.
pub(super) struct Outcome {
    /// Unknown if neither list is there.
    pub(super) requests: Option<u64>,
    pub(super) failures: Option<u64>,
    errors: Vec<(String, u64)>,
}

impl Outcome {
    /// Nothing known yet.
    pub(super) fn none() -> Self {
        Self { requests: None, failures: None, errors: Vec::new() }
    }

    /// From the lines `[200] 397 responses` and `[3] Get "…": EOF`. `good` says which statuses are fine, `counts` which
    /// errors are failures.
    pub(super) fn of(block: &Block<'_>, good: fn(&str) -> bool, counts: fn(&str) -> bool) -> Self {
        let mut found = Self::none();
        for line in block.section("Status code distribution:") {
            let Some((status, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else { continue };
            let Some(times) = count(rest) else { continue };
            found.add(times, !good(status.trim()), status.trim());
        }
        // Where nothing was answered, no error is harmless.
        let answered = found.requests.is_some();
        found.add_errors(block, |text| !answered || counts(text));
        found
    }

    /// Only the list of errors.
    pub(super) fn errors_of(block: &Block<'_>) -> Self {
        let mut found = Self::none();
        found.add_errors(block, |_| true);
        Self { requests: None, failures: None, ..found }
    }

    fn add_errors(&mut self, block: &Block<'_>, counts: impl Fn(&str) -> bool) {
        for line in block.section("Error distribution:") {
            let Some((times, text)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else { continue };
            let Some(times) = count(times) else { continue };
            self.add(times, counts(text.trim()), text.trim());
        }
    }

    pub(super) fn add(&mut self, times: u64, failed: bool, text: &str) {
        self.requests = Some(self.requests.unwrap_or(0).saturating_add(times));
        self.failures = Some(self.failures.unwrap_or(0).saturating_add(if failed { times } else { 0 }));
        if failed {
            let text = if text.parse::<u16>().is_ok() { format!("HTTP {text}") } else { text.to_owned() };
            self.errors.push((text, times));
        }
    }

    pub(super) fn record(&self, draft: &mut Draft) {
        if let Some(requests) = self.requests {
            draft.requests(requests);
        }
        if let Some(failures) = self.failures {
            draft.failures(failures);
        }
        for (text, times) in &self.errors {
            draft.error(text, *times);
        }
    }
}

fn parse_csv(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let stem = source.stem().to_owned();
    let rows = Rows::in_blocks(source, b',', true)?;
    let columns = Columns { time: rows.need("response-time")?, status: rows.find("status-code"), start: rows.find("offset") };
    recorder.tool("hey");
    recorder.sample_step(0.1);
    requests(rows, columns, &stem, recorder)?;
    let message = "hey's CSV has no rows for requests that got no answer: failures may be missing";
    recorder.notice(Notice::new("unanswered_left_out", message));
    Ok(())
}

/// Where hey and oha have what in their CSV. Times are in seconds, starts since the run began.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) time: usize,
    pub(super) status: Option<usize>,
    pub(super) start: Option<usize>,
}

/// The rows of hey and oha.
pub(super) fn requests(
    rows: Rows<'_>,
    columns: Columns,
    stem: &str,
    recorder: &mut Recorder,
) -> Result<(), ParseError> {
    let mut course = Timeline::default();
    course.since_start();
    recorder.timeline().since_start();
    let seconds = |cell| Decimals::of(cell, 9);
    let (time, start) = (seconds(columns.time), columns.start.map(seconds));
    let (span, samples) = (Span::default(), Samples::new());
    let mut plain = PlainRequests { time, status: columns.status, start, span, samples, course };
    let mut span = Span::default();
    rows.each_or(&mut plain, recorder, |row, recorder| {
        let seconds = row.number(columns.time, "seconds")?;
        let good = columns.status.map(|at| row.whole(at, "a status code").map(|code| code < 400)).transpose()?;
        let latency = nanos(seconds, 1e9);
        if let Some(at) = columns.start {
            let start = nanos(row.number(at, "seconds")?, 1e9);
            let end = start.saturating_add(latency);
            span.add(start, end);
            recorder.timeline().add(millisecond(end), Some(latency), good);
        }
        recorder.endpoint(None, stem).samples().add(Some(latency), good);
        Ok(())
    })?;
    recorder.timeline().merge(&plain.course);
    if plain.samples.requests > 0 {
        recorder.endpoint(None, stem).add_samples(plain.samples);
    }
    span.join(plain.span);
    if let Some((start, end)) = span.get() {
        recorder.duration_s((end - start) as f64 / 1e9);
    }
    Ok(())
}

#[derive(Clone)]
struct PlainRequests {
    time: Decimals,
    status: Option<usize>,
    start: Option<Decimals>,
    span: Span<u64>,
    samples: Samples,
    course: Timeline,
}

impl PlainRow for PlainRequests {
    fn last(&self) -> usize {
        let start = self.start.map_or(0, |start| start.cell());
        self.time.cell().max(self.status.unwrap_or(0)).max(start)
    }

    #[expect(clippy::inline_always, reason = "as it says there")]
    #[inline(always)]
    fn take(&mut self, batch: &Batch<'_>, _: &mut Tally) -> usize {
        let [mut nanos, mut codes, mut starts] = [[0; TOGETHER]; 3];
        let mut rows = columns::decimals(&mut self.time, batch, &mut nanos);
        if let Some(at) = self.status {
            rows = rows.min(columns::wholes(batch, at, &mut codes));
        }
        if let Some(start) = &mut self.start {
            rows = rows.min(columns::decimals(start, batch, &mut starts));
        }
        let failures = codes.iter().take(rows).filter(|code| **code >= 400).count() as u64;
        self.samples.add_all(nanos.iter().take(rows).copied(), self.status.map(|_| failures));
        if self.start.is_some() {
            let ends = columns::sums(&starts, &nanos);
            for ((nanos, code), end) in nanos.iter().zip(&codes).zip(&ends).take(rows) {
                self.course.add(millisecond(*end), Some(*nanos), self.status.map(|_| *code < 400));
            }
            self.span.add_first(rows, &starts, &ends);
        }
        rows
    }

    fn join(&mut self, other: Self) {
        self.span.join(other.span);
        self.samples.merge(&other.samples);
        self.course.merge(&other.course);
    }
}
