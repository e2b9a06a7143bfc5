//! rlt (load tests in Rust): JSON (`-o json`).
//!
//! Quirks: seconds; `iters.total` leaves out iterations that ended in `errors`; `success_ratio` may print as -0.0.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::console::without_queries;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::metric::Metric;
use crate::run::recorder::Recorder;

pub(super) static JSON: Format = Format {
    id: "rlt",
    tool: "rlt",
    title: "JSON (`-o json`)",
    versions: "0.1 to 0.5",
    gives: Gives { percentiles: "p50 p75 p90 p95 p99 p99.9", failures: true, users: true, time: false },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(head.json().has(&["summary.success_ratio", "summary.iters", "latency"])),
    parse,
};

/// Largest file of this kind that makes sense.
const LIMIT: u64 = 64 << 20;

#[derive(Deserialize)]
struct Wire {
    summary: Summary,
    #[serde(default)]
    latency: Option<Latency>,
    #[serde(default)]
    status: BTreeMap<String, u64>,
    #[serde(default)]
    errors: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Summary {
    total_time: Option<f64>,
    #[serde(default)]
    concurrency: Option<f64>,
    iters: Iterations,
}

#[derive(Deserialize)]
struct Iterations {
    total: u64,
    #[serde(default)]
    rate: Option<f64>,
}

#[derive(Deserialize)]
struct Latency {
    #[serde(default)]
    stats: Option<BTreeMap<String, Option<f64>>>,
    #[serde(default)]
    percentiles: Option<BTreeMap<String, Option<f64>>>,
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let wire: Wire = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool("rlt");
    if let Some(seconds) = wire.summary.total_time {
        recorder.duration_s(seconds);
    }
    if let Some(users) = wire.summary.concurrency {
        recorder.users(users);
    }
    let draft = recorder.endpoint(None, source.stem());
    let mut failures = Some(0_u64);
    for (status, times) in wire.status.iter().filter(|(status, _)| !is_good(status)) {
        failures = failures.and_then(|sum| sum.checked_add(*times));
        draft.error(status, *times);
    }
    let mut requests = Some(wire.summary.iters.total);
    for (text, times) in &wire.errors {
        failures = failures.and_then(|sum| sum.checked_add(*times));
        requests = requests.and_then(|sum| sum.checked_add(*times));
        draft.error(&without_queries(text), *times);
    }
    if let (Some(requests), Some(failures)) = (requests, failures) {
        draft.requests(requests).failures(failures);
    }
    if let Some(rate) = wire.summary.iters.rate {
        draft.reported(Metric::Throughput, rate, Some(0.0));
    }
    let Some(latency) = wire.latency else { return Ok(()) };
    for (key, seconds) in latency.stats.iter().chain(&latency.percentiles).flatten() {
        let metric = match key.as_str() {
            "min" => Some(Metric::LatencyMin),
            "max" => Some(Metric::LatencyMax),
            "mean" => Some(Metric::LatencyMean),
            key => key.strip_prefix('p').and_then(|level| Metric::percentile(level.parse::<f64>().ok()? / 100.0)),
        };
        if let (Some(metric), Some(seconds)) = (metric, seconds) {
            draft.reported(metric, seconds * 1e3, Some(0.0));
        }
    }
    Ok(())
}

/// `Success(200)`, `Redirection(301)`; bad are `Client Error(404)`, `Server Error(503)`, `Error`, `Unknown(…)`.
fn is_good(status: &str) -> bool {
    ["Success", "Redirection", "Informational"].iter().any(|good| status.starts_with(good))
}
