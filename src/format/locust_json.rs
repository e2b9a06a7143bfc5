//! Locust `--json` / `--json-file`: an array of endpoints with their rounded histograms; and what the web UI answers at
//! `/stats/requests`.
//!
//! The complete figures of a run (the CSV of the same run stops a little earlier), without a total. The histogram's keys
//! are rounded as in the CSV, so percentiles are exact on that grid; mean, minimum and maximum are exact.
//! Lines of Locust's log may stand before and behind the array. The web UI has a total, but its rates are of the last seconds.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::locust_stats::{SUFFIXES, step};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::shape::Shape;
use crate::run::metric::{Metric, PERCENTILES};
use crate::run::recorder::Recorder;

pub(super) static JSON: Format = Format {
    id: "locust-json",
    tool: "Locust",
    title: "`--json` on stdout or `--json-file NAME`",
    versions: "2.13 to 2.47",
    gives: Gives { percentiles: "any, on Locust's two-digit grid", failures: true, users: false, time: true },
    part: Part::Main { rank: 0, suffixes: SUFFIXES },
    sniff: |head| {
        let marks = ["[].num_requests", "[].response_times"];
        Confidence::certain_if(head.json().has(&marks) || logged(&head.text).is_some_and(|json| Shape::of(json).has(&marks)))
    },
    parse,
};

pub(super) static WEB: Format = Format {
    id: "locust-web-json",
    tool: "Locust",
    title: "what the web UI answers at `/stats/requests`",
    versions: "1.0 to 2.47",
    gives: Gives { percentiles: "p50, and those the UI shows", failures: true, users: true, time: false },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(head.json().has(&["stats", "stats.[].num_requests", "stats.[].num_failures"])),
    parse: parse_web,
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
    /// Seconds since the epoch as text.
    #[serde(default)]
    num_reqs_per_sec: BTreeMap<String, u64>,
    #[serde(default)]
    num_fail_per_sec: BTreeMap<String, u64>,
}

/// The array, where lines of a log stand before it.
fn logged(text: &str) -> Option<&str> {
    let array = |at: usize| text.get(at..).filter(|rest| rest.get(1..).is_some_and(|rest| rest.trim_start().starts_with('{')));
    text.match_indices("\n[").find_map(|(at, _)| array(at + 1))
}

/// The array that `json` begins with, `at` bytes into the text; more lines of the log may follow.
fn first_array(json: &str, at: usize, text: &str) -> Result<Vec<Entry>, ParseError> {
    let array = serde_json::Deserializer::from_str(json).into_iter().next().unwrap_or(Ok(Vec::new()));
    array.map_err(|error| {
        let error = ParseError::from(error);
        let lines_before = text.get(..at).map_or(0, |log| log.matches('\n').count() as u64);
        let line = error.line.unwrap_or(1) + lines_before;
        error.at_line(line)
    })
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = source.text(LIMIT)?;
    let begun = text.trim_start().strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with(['{', ']']));
    let entries = match logged(&text).filter(|_| !begun) {
        Some(json) => first_array(json, text.len() - json.len(), &text)?,
        None => serde_json::from_str(&text)?,
    };
    recorder.tool("Locust");
    for entry in &entries {
        record(entry, recorder)?;
    }
    Ok(())
}

/// What the web UI shows; of its figures those of the whole run.
#[derive(Deserialize)]
struct Page {
    stats: Vec<Shown>,
    #[serde(default)]
    user_count: Option<f64>,
}

#[derive(Deserialize)]
struct Shown {
    name: String,
    #[serde(default)]
    method: Option<String>,
    num_requests: u64,
    num_failures: u64,
    /// Milliseconds by name, and other things.
    #[serde(flatten)]
    figures: BTreeMap<String, Value>,
}

fn parse_web(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let page: Page = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool("Locust");
    recorder.users(page.user_count.unwrap_or(0.0));
    for (at, shown) in page.stats.iter().enumerate() {
        let method = shown.method.as_deref().unwrap_or_default();
        let is_total = at + 1 == page.stats.len() && method.is_empty() && matches!(shown.name.as_str(), "Aggregated" | "Total");
        let draft = if is_total { recorder.total() } else { recorder.endpoint(Some(method), &shown.name) };
        draft.requests(shown.num_requests).failures(shown.num_failures);
        for (key, value) in shown.figures.iter().filter(|_| shown.num_requests > 0) {
            if let (Some(metric), Some(ms)) = (figure(key), value.as_f64()) {
                let exact = matches!(metric, Metric::LatencyMean | Metric::LatencyMin | Metric::LatencyMax);
                draft.reported(metric, ms, Some(if exact { 0.0 } else { step(ms) }));
            }
        }
    }
    Ok(())
}

/// The metric of a key of the web UI.
fn figure(key: &str) -> Option<Metric> {
    Some(match key {
        "avg_response_time" => Metric::LatencyMean,
        "min_response_time" => Metric::LatencyMin,
        "max_response_time" => Metric::LatencyMax,
        "median_response_time" => Metric::LatencyP50,
        "ninetieth_response_time" => Metric::LatencyP90,
        "ninety_ninth_response_time" => Metric::LatencyP99,
        key => Metric::percentile(key.strip_prefix("response_time_percentile_")?.parse().ok()?)?,
    })
}

fn record(entry: &Entry, recorder: &mut Recorder) -> Result<(), ParseError> {
    if let (Some(start), Some(last)) = (entry.start_time, entry.last_request_timestamp) {
        recorder.spans(start * 1e3, last * 1e3);
    }
    for (second, requests) in &entry.num_reqs_per_sec {
        let failures = entry.num_fail_per_sec.get(second).copied().unwrap_or(0);
        if let Some(at_ms) = second.parse::<i64>().ok().and_then(|second| second.checked_mul(1_000)) {
            recorder.timeline().count(at_ms, *requests, Some(failures.min(*requests)));
        }
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
