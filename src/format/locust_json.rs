//! Locust `--json` / `--json-file`: an array of endpoints with their rounded histograms.
//!
//! The complete figures of a run (the CSV of the same run stops a little earlier), without a total. The histogram's keys
//! are rounded as in the CSV, so percentiles are exact on that grid; mean, minimum and maximum are exact.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::locust_stats::{SUFFIXES, step};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::metric::{Metric, PERCENTILES};
use crate::run::recorder::Recorder;

pub(super) static JSON: Format = Format {
    id: "locust-json",
    tool: "Locust",
    title: "`--json` on stdout or `--json-file NAME`",
    versions: "2.13 to 2.47",
    gives: Gives { percentiles: "any, on Locust's two-digit grid", failures: true, users: false, time: true },
    part: Part::Main { rank: 0, suffixes: SUFFIXES },
    sniff: |head| Confidence::certain_if(head.json().has(&["[].num_requests", "[].response_times"])),
    parse,
};

/// Largest file of this kind that makes sense.
const LIMIT: u64 = 256 << 20;

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    method: Option<String>,
    num_requests: u64,
    #[serde(default)]
    num_none_requests: u64,
    num_failures: u64,
    #[serde(default)]
    total_response_time: Option<f64>,
    #[serde(default)]
    max_response_time: Option<f64>,
    #[serde(default)]
    min_response_time: Option<f64>,
    #[serde(default)]
    start_time: Option<f64>,
    /// 0 or null if there was no request.
    #[serde(default)]
    last_request_timestamp: Option<f64>,
    /// Rounded ms as text (whole or with `.0`) and how often.
    response_times: BTreeMap<String, u64>,
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let entries: Vec<Entry> = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool("Locust");
    for entry in &entries {
        record(entry, recorder)?;
    }
    Ok(())
}

fn record(entry: &Entry, recorder: &mut Recorder) -> Result<(), ParseError> {
    if let (Some(start), Some(last)) = (entry.start_time, entry.last_request_timestamp) {
        recorder.spans(start * 1e3, last * 1e3);
    }
    let mut times = Vec::with_capacity(entry.response_times.len());
    for (ms, count) in &entry.response_times {
        let value: f64 = ms.parse().ok().filter(|ms: &f64| ms.is_finite() && *ms >= 0.0).ok_or_else(|| {
            ParseError::new(format!("expected milliseconds as keys of `response_times`, found `{ms}` in `{}`", entry.name))
        })?;
        times.push((value, *count));
    }
    times.sort_by(|a, b| a.0.total_cmp(&b.0));

    let draft = recorder.endpoint(entry.method.as_deref(), &entry.name);
    draft.requests(entry.num_requests).failures(entry.num_failures);
    let timed = entry.num_requests.saturating_sub(entry.num_none_requests);
    if timed == 0 {
        return Ok(());
    }
    if let Some(total) = entry.total_response_time {
        draft.computed(Metric::LatencyMean, total / timed as f64, Some(0.0));
    }
    for (metric, value) in [(Metric::LatencyMin, entry.min_response_time), (Metric::LatencyMax, entry.max_response_time)] {
        if let Some(value) = value {
            draft.reported(metric, value, Some(0.0));
        }
    }
    for metric in PERCENTILES {
        if let Some(value) = metric.quantile().and_then(|level| nearest_rank(&times, level)) {
            draft.computed(metric, value, Some(step(value)));
        }
    }
    let samples = draft.samples();
    for (ms, count) in times {
        samples.latency.record_many((ms * 1e6).round() as u64, count);
    }
    Ok(())
}

/// The value at rank `ceil(level * n)` of sorted (value, count) pairs.
pub(super) fn nearest_rank(times: &[(f64, u64)], level: f64) -> Option<f64> {
    let count: u64 = times.iter().map(|(_, count)| count).sum();
    let rank = ((level * count as f64 - 1e-9).ceil().max(1.0)) as u64;
    let mut seen = 0;
    times.iter().find_map(|(value, times)| {
        seen += times;
        (seen >= rank).then_some(*value)
    })
}
