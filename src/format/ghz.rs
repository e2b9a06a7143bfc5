//! ghz (gRPC): JSON, CSV and the summary it prints, which looks like hey's.
//!
//! Quirks: nanoseconds in JSON; `average` and `count` are of all calls, extremes and percentiles of the good ones (unless run
//! with `--count-errors`); a call without `OK` is a failure; the text's status list is the only place for its counts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::console::{self, Reports, count, duration};
use super::hey::{Outcome, record};
use super::rows::{Rows, nanos};
use super::vegeta::millis;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

pub(super) static JSON: Format = Format {
    id: "ghz-json",
    tool: "ghz",
    title: "JSON (`-O json` or `-O pretty`)",
    versions: "2018",
    gives: Gives { percentiles: "p50 p75 p90 p95 p99", failures: true, users: true, time: true },
    part: Part::Whole,
    sniff: |head| {
        let shape = head.json();
        let mark = shape.has(&["options.call"]) || shape.has(&["latencyDistribution"]);
        Confidence::certain_if(mark && shape.has(&["count", "total", "fastest", "slowest", "rps"]))
    },
    parse: parse_json,
};

pub(super) static TEXT: Format = Format {
    id: "ghz",
    tool: "ghz",
    title: "what ghz prints",
    versions: "2018",
    gives: Gives { percentiles: "p50 p75 p90 p95 p99", failures: true, users: false, time: false },
    part: Part::Whole,
    sniff: |head| {
        let has = |word: &str| head.lines().any(|line| line.trim().starts_with(word));
        Confidence::certain_if(["Summary:", "Count:", "Slowest:", "Requests/sec:"].into_iter().all(has))
    },
    parse: parse_text,
};

pub(super) static CSV: Format = Format {
    id: "ghz-csv",
    tool: "ghz",
    title: "CSV (`-O csv`)",
    versions: "2018",
    gives: Gives { percentiles: "any (from samples)", failures: true, users: false, time: false },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(head.first_line().trim().starts_with("duration (ms),status,error")),
    parse: parse_csv,
};

/// Largest JSON that makes sense: `details` holds every call.
const LIMIT: u64 = 1 << 30;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    date: Option<String>,
    #[serde(default)]
    options: Option<Options>,
    count: u64,
    total: f64,
    average: Option<f64>,
    fastest: Option<f64>,
    slowest: Option<f64>,
    rps: Option<f64>,
    #[serde(default)]
    error_distribution: Option<BTreeMap<String, u64>>,
    #[serde(default)]
    status_code_distribution: Option<BTreeMap<String, u64>>,
    #[serde(default)]
    latency_distribution: Option<Vec<Level>>,
    /// Some versions lose a few calls here, and all of them stop at a million.
    #[serde(default)]
    details: Option<Vec<Call>>,
}

/// One call; whether its time stamp is of its beginning or its end depends on the version.
#[derive(Deserialize)]
struct Call {
    #[serde(default)]
    timestamp: String,
    #[serde(default)]
    latency: Option<f64>,
    #[serde(default)]
    status: String,
}

/// Of the options only what names and sizes the run; the rest may hold secrets (metadata, data).
#[derive(Deserialize)]
struct Options {
    #[serde(default)]
    call: String,
    #[serde(default)]
    c: Option<f64>,
    #[serde(default)]
    concurrency: Option<f64>,
}

#[derive(Deserialize)]
struct Level {
    percentage: f64,
    latency: f64,
}

fn parse_json(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let wire: Wire = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool("ghz");
    let seconds = wire.total / 1e9;
    recorder.duration_s(seconds);
    if let Some(date) = wire.date.as_ref().and_then(|date| date.parse::<Timestamp>().ok()) {
        // Written at the end of the run.
        recorder.spans(millis(date) - seconds * 1e3, millis(date));
    }
    let whole = wire.details.as_ref().filter(|calls| calls.len() as u64 == wire.count);
    for call in whole.into_iter().flatten() {
        if let Ok(at) = call.timestamp.parse::<Timestamp>() {
            recorder.timeline().add(at.as_millisecond(), call.latency.map(|ns| nanos(ns, 1.0)), Some(call.status == "OK"));
        }
    }
    let options = wire.options.as_ref();
    if let Some(users) = options.and_then(|options| options.c.or(options.concurrency)) {
        recorder.users(users);
    }
    let call = options.map(|options| options.call.as_str()).filter(|call| !call.is_empty());
    let stem = source.stem().to_owned();
    figures(&wire, recorder.endpoint(None, call.unwrap_or(&stem)));
    Ok(())
}

fn figures(wire: &Wire, draft: &mut Draft) {
    draft.requests(wire.count);
    if let Some(statuses) = &wire.status_code_distribution {
        draft.failures(wire.count.saturating_sub(statuses.get("OK").copied().unwrap_or(0)));
    }
    for (text, times) in wire.error_distribution.iter().flatten() {
        draft.error(text, *times);
    }
    if let Some(rate) = wire.rps {
        draft.reported(Metric::Throughput, rate, Some(0.0));
    }
    if wire.count == 0 {
        return;
    }
    if let Some(nanos) = wire.average {
        draft.reported(Metric::LatencyMean, nanos / 1e6, Some(0.0));
    }
    // Without any good call the extremes are zero and mean nothing.
    for (metric, nanos) in [(Metric::LatencyMin, wire.fastest), (Metric::LatencyMax, wire.slowest)] {
        if let Some(nanos) = nanos.filter(|nanos| *nanos > 0.0) {
            draft.reported(metric, nanos / 1e6, Some(0.0));
        }
    }
    for level in wire.latency_distribution.iter().flatten().filter(|level| level.latency > 0.0) {
        if let Some(metric) = Metric::percentile(level.percentage / 100.0) {
            draft.reported(metric, level.latency / 1e6, Some(0.0));
        }
    }
}

fn parse_text(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let stem = source.stem().to_owned();
    let text = console::text(source)?;
    recorder.tool("ghz");
    let mut reports = Reports::default();
    for block in console::blocks(&text, |line| line.trim() == "Summary:") {
        let name = reports.name(block.after("Name:").filter(|name| !name.is_empty()).unwrap_or(&stem));
        let requests = block.after("Count:").and_then(count);
        let mut good = None;
        for line in block.section("Status code distribution:") {
            let row = line.strip_prefix('[').and_then(|line| line.split_once(']'));
            let times = row.and_then(|(status, rest)| Some((status.trim() == "OK", count(rest)?)));
            good = times.map(|(ok, times)| good.unwrap_or(0_u64).saturating_add(if ok { times } else { 0 })).or(good);
        }
        let failures = requests.zip(good).map(|(all, good): (u64, u64)| all.saturating_sub(good));
        let seconds = block.after("Total:").and_then(duration).map(|total| total.value / 1e3);
        reports.add(requests, failures, seconds);
        let draft = recorder.endpoint(None, &name);
        // The error list says the same as the statuses, in more words.
        Outcome::errors_of(&block).record(draft);
        if let Some(requests) = requests {
            draft.requests(requests);
        }
        if let Some(failures) = failures {
            draft.failures(failures);
        }
        record(&block, draft);
    }
    reports.finish(recorder);
    Ok(())
}

fn parse_csv(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let stem = source.stem().to_owned();
    let rows = Rows::with_header(source, b',')?;
    let (time, status, error) = (rows.need("duration (ms)")?, rows.need("status")?, rows.need("error")?);
    recorder.tool("ghz");
    recorder.sample_step(0.01);
    rows.each(recorder, |row, recorder| {
        let ms = row.number(time, "milliseconds")?;
        let status = row.text(status);
        if status.is_empty() {
            return Err("expected a status".to_owned());
        }
        let draft = recorder.endpoint(None, &stem);
        draft.samples().add(Some(nanos(ms, 1e6)), Some(status == "OK"));
        if status != "OK" {
            let text = row.text(error);
            draft.error(if text.is_empty() { status } else { text }, 1);
        }
        Ok(())
    })
}
