//! autocannon's JSON (`-j`): one object per run, several of them one after the other if runs were appended.
//!
//! Quirks: whole milliseconds; no p95 (p90 and p97.5 are its neighbours); `requests` is a rate per second but for `total`
//! and `sent`; a server that hangs up without an answer leaves no trace but `sent`; with a rate limit the latencies are
//! corrected for coordinated omission; the method is not in the file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::console::Reports;
use super::vegeta::millis;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::Notice;
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

pub(super) static JSON: Format = Format {
    id: "autocannon",
    tool: "autocannon",
    title: "JSON (`-j`)",
    versions: "7 to 9",
    gives: Gives { percentiles: "p50 p75 p90 p99 p99.9, whole ms", failures: true, users: true, time: true },
    part: Part::Whole,
    sniff: |head| {
        let shape = head.json();
        let all = |at: &str| ["latency", "requests", "throughput", "non2xx"].iter().all(|key| shape.has(&[&format!("{at}{key}")]));
        Confidence::certain_if(all("") || all("[]."))
    },
    parse,
};

/// Largest file of this kind that makes sense.
const LIMIT: u64 = 64 << 20;

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    connections: Option<f64>,
    /// Seconds.
    #[serde(default)]
    duration: Option<f64>,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    finish: Option<String>,
    /// Connections that failed, time-outs among them.
    #[serde(default)]
    errors: u64,
    #[serde(default)]
    timeouts: u64,
    /// Answers.
    #[serde(default)]
    non2xx: u64,
    #[serde(default, rename = "statusCodeStats")]
    statuses: Option<BTreeMap<String, Status>>,
    latency: Latency,
    requests: Requests,
}

#[derive(Deserialize)]
struct Status {
    count: u64,
}

/// Milliseconds.
#[derive(Deserialize)]
struct Latency {
    #[serde(default)]
    average: Option<f64>,
    #[serde(default)]
    mean: Option<f64>,
    #[serde(default)]
    min: Option<f64>,
    #[serde(default)]
    max: Option<f64>,
    #[serde(default)]
    p50: Option<f64>,
    #[serde(default)]
    p75: Option<f64>,
    #[serde(default)]
    p90: Option<f64>,
    #[serde(default)]
    p99: Option<f64>,
    #[serde(default)]
    p99_9: Option<f64>,
    /// Versions before 3.
    #[serde(default)]
    p999: Option<f64>,
    #[serde(default, rename = "totalCount")]
    count: Option<u64>,
}

#[derive(Deserialize)]
struct Requests {
    /// Per second.
    #[serde(default)]
    average: Option<f64>,
    /// Answers.
    total: u64,
    #[serde(default)]
    sent: Option<u64>,
}

/// One run, or several as an array.
fn runs(text: &str) -> Result<Vec<Wire>, ParseError> {
    if text.trim_start().starts_with('[') {
        return Ok(serde_json::from_str(text)?);
    }
    Ok(serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>()?)
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let stem = source.stem().to_owned();
    let mut reports = Reports::default();
    recorder.tool("autocannon");
    for wire in runs(&source.text(LIMIT)?)? {
        record(&wire, &stem, &mut reports, recorder);
    }
    reports.finish(recorder);
    Ok(())
}

fn record(wire: &Wire, stem: &str, reports: &mut Reports, recorder: &mut Recorder) {
    let name = [&wire.title, &wire.url].into_iter().flatten().find(|name| !name.trim().is_empty());
    let name = reports.name(name.map_or(stem, |name| name));
    if let Some(users) = wire.connections {
        recorder.users(users);
    }
    let time = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<Timestamp>().ok()).map(millis);
    if let (Some(start), Some(finish)) = (time(&wire.start), time(&wire.finish)) {
        recorder.spans(start, finish);
    }
    let answered = wire.requests.total;
    let corrected = wire.latency.count.is_some_and(|count| count > answered) && answered > 0;
    let draft = recorder.endpoint(None, &name);
    let (requests, failures) = counts(wire, draft);
    reports.add(Some(requests), Some(failures), wire.duration);
    draft.requests(requests).failures(failures);
    if answered > 0 {
        if let Some(rate) = wire.requests.average {
            draft.reported(Metric::Throughput, rate, Some(0.01));
        }
        latency(&wire.latency, draft);
    }
    if corrected {
        let message = format!("latencies of `{name}` are corrected for coordinated omission, as autocannon does with a rate limit");
        recorder.notice(Notice::new("corrected_latency", message));
    }
}

/// Requests and failures.
fn counts(wire: &Wire, draft: &mut Draft) -> (u64, u64) {
    let answered = wire.requests.total;
    let (requests, failures) = (answered.saturating_add(wire.errors), wire.errors.saturating_add(wire.non2xx));
    // The server hung up on every one.
    if let Some(sent) = wire.requests.sent.filter(|sent| requests == 0 && *sent > 0) {
        draft.error("no response", sent);
        return (sent, sent);
    }
    draft.error("timeout", wire.timeouts).error("connection error", wire.errors.saturating_sub(wire.timeouts));
    match &wire.statuses {
        Some(statuses) => {
            for (code, status) in statuses.iter().filter(|(code, _)| !code.starts_with('2')) {
                draft.error(&format!("HTTP {code}"), status.count);
            }
        }
        None => drop(draft.error("not 2xx", wire.non2xx)),
    }
    (requests, failures)
}

fn latency(latency: &Latency, draft: &mut Draft) {
    for (metric, ms, step) in [
        (Metric::LatencyMean, latency.mean.or(latency.average), 0.01),
        (Metric::LatencyMin, latency.min, 1.0),
        (Metric::LatencyMax, latency.max, 1.0),
        (Metric::LatencyP50, latency.p50, 1.0),
        (Metric::LatencyP75, latency.p75, 1.0),
        (Metric::LatencyP90, latency.p90, 1.0),
        (Metric::LatencyP99, latency.p99, 1.0),
        (Metric::LatencyP999, latency.p99_9.or(latency.p999), 1.0),
    ] {
        if let Some(ms) = ms {
            draft.reported(metric, ms, Some(step));
        }
    }
}
