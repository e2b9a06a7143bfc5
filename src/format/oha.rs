//! oha: JSON, text and CSV.
//!
//! Quirks: `successRate` counts any answer as a success, also a 500, so failures come from the status codes and errors;
//! `aborted due to deadline` is the normal end of a timed run (one per connection) and no failure; nothing answered gives
//! `null` figures; `rps` is per connection; the CSV leaves out requests that got no answer.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::console::{self, Reports, duration};
use super::hey::{Columns, Outcome, record, requests};
use super::rows::Rows;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::Notice;
use crate::run::metric::Metric;
use crate::run::recorder::Recorder;

pub(super) static JSON: Format = Format {
    id: "oha-json",
    tool: "oha",
    title: "JSON (`--output-format json`)",
    versions: "1.16",
    gives: Gives { percentiles: "p50 p75 p90 p95 p99 p99.9", failures: true, users: false, time: false },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(head.json().has(&["summary.successRate", "responseTimeHistogram"])),
    parse: parse_json,
};

pub(super) static TEXT: Format = Format {
    id: "oha",
    tool: "oha",
    title: "what oha prints",
    versions: "1.16",
    gives: Gives { percentiles: "p50 p75 p90 p95 p99 p99.9", failures: true, users: false, time: false },
    part: Part::Whole,
    sniff: |head| {
        let has = |word: &str| head.lines().any(|line| line.trim().starts_with(word));
        Confidence::certain_if(["Summary:", "Success rate:", "Slowest:", "Requests/sec:"].into_iter().all(has))
    },
    parse: parse_text,
};

pub(super) static CSV: Format = Format {
    id: "oha-csv",
    tool: "oha",
    title: "CSV (`--output-format csv`)",
    versions: "1.16",
    gives: Gives { percentiles: "any (from samples)", failures: true, users: false, time: false },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(head.first_line().starts_with("request-start,DNS,DNS+dialup,")),
    parse: parse_csv,
};

/// Largest JSON of this kind that makes sense.
const LIMIT: u64 = 64 << 20;

#[derive(Deserialize)]
struct Wire {
    summary: Summary,
    #[serde(rename = "latencyPercentiles", default)]
    latency_percentiles: BTreeMap<String, Option<f64>>,
    #[serde(rename = "statusCodeDistribution", default)]
    status_codes: BTreeMap<String, u64>,
    #[serde(rename = "errorDistribution", default)]
    errors: BTreeMap<String, u64>,
}

/// Seconds; null where nothing was answered.
#[derive(Deserialize)]
struct Summary {
    total: Option<f64>,
    slowest: Option<f64>,
    fastest: Option<f64>,
    average: Option<f64>,
    #[serde(rename = "requestsPerSec")]
    requests_per_sec: Option<f64>,
}

/// Whether an error is a failed request: the deadline of `-z` cuts requests off that were under way.
fn is_failure(error: &str) -> bool {
    error != "aborted due to deadline"
}

fn is_good(status: &str) -> bool {
    status.parse().is_ok_and(|code: u64| code < 400)
}

fn parse_json(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let stem = source.stem().to_owned();
    let wire: Wire = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool("oha");
    if let Some(seconds) = wire.summary.total {
        recorder.duration_s(seconds);
    }
    let mut outcome = Outcome::none();
    for (status, times) in &wire.status_codes {
        outcome.add(*times, !is_good(status), status);
    }
    // Where nothing was answered, the deadline is no normal end either.
    let answered = wire.status_codes.values().any(|times| *times > 0);
    for (error, times) in &wire.errors {
        outcome.add(*times, !answered || is_failure(error), error);
    }
    let draft = recorder.endpoint(None, &stem);
    outcome.record(draft);
    if let Some(rate) = wire.summary.requests_per_sec {
        draft.reported(Metric::Throughput, rate, Some(0.0));
    }
    let extremes = [
        (Metric::LatencyMean, wire.summary.average),
        (Metric::LatencyMin, wire.summary.fastest),
        (Metric::LatencyMax, wire.summary.slowest),
    ];
    let percentiles = wire.latency_percentiles.iter().filter_map(|(key, value)| {
        let share: f64 = key.strip_prefix('p')?.parse().ok()?;
        Some((Metric::percentile(share / 100.0)?, *value))
    });
    for (metric, seconds) in extremes.into_iter().chain(percentiles) {
        if let Some(seconds) = seconds {
            draft.reported(metric, seconds * 1e3, Some(0.0));
        }
    }
    Ok(())
}

fn parse_text(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let stem = source.stem().to_owned();
    let text = console::text(source)?;
    recorder.tool("oha");
    let mut reports = Reports::default();
    for block in console::blocks(&text, |line| line.trim() == "Summary:") {
        let name = reports.name(&stem);
        let outcome = Outcome::of(&block, is_good, is_failure);
        let seconds = block.after("Total:").and_then(duration).map(|total| total.value / 1e3);
        reports.add(outcome.requests, outcome.failures, seconds);
        let draft = recorder.endpoint(None, &name);
        outcome.record(draft);
        record(&block, draft);
    }
    reports.finish(recorder);
    Ok(())
}

fn parse_csv(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let stem = source.stem().to_owned();
    let rows = Rows::in_blocks(source, b',', true)?;
    let (start, time, status) = (rows.need("request-start")?, rows.need("request-duration")?, rows.need("status")?);
    recorder.tool("oha");
    recorder.sample_step(0.0);
    requests(rows, Columns { time, status: Some(status), start: Some(start) }, &stem, recorder)?;
    let message = "oha's CSV has no rows for requests that got no answer: failures may be missing";
    recorder.notice(Notice::new("unanswered_left_out", message));
    Ok(())
}
