//! Service -> figures JSON, as small scripts around Locust write it: results, normalised metrics and old baselines.
//!
//! Two vocabularies (`requests`, `median`, `rps` and `total_requests`, `median_latency_ms`, …). Keys that begin with `_` are
//! comments. These scripts wrote 0.0 for a percentile they did not know: zero is "not measured" here, never a value.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::locust_stats::{SUFFIXES, step};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

pub(super) static SERVICE_JSON: Format = Format {
    id: "service-json",
    tool: "Locust",
    title: "service -> figures JSON of scripts around Locust (`average`, `rps` or `avg_latency_ms`, `error_rate_pct`, …)",
    versions: "-",
    gives: Gives { percentiles: "p50, and p95 p99 where they are not 0", failures: true, users: true, time: false },
    part: Part::Main { rank: 2, suffixes: SUFFIXES },
    sniff,
    parse,
};

/// Largest file of this kind that makes sense.
const LIMIT: u64 = 64 << 20;

fn sniff(head: &Head) -> Confidence {
    let shape = head.json();
    let has = |words: &[&str]| words.iter().all(|word| shape.below_top().any(|key| key == *word));
    let mark = has(&["avg_latency_ms", "error_rate_pct"]) || has(&["requests", "failures", "median", "average", "rps"]);
    Confidence::certain_if(shape.opens == Some('{') && mark)
}

#[derive(Deserialize)]
struct Figures {
    #[serde(alias = "total_requests")]
    requests: Option<u64>,
    #[serde(alias = "total_failures")]
    failures: Option<u64>,
    #[serde(alias = "avg_latency_ms")]
    average: Option<f64>,
    #[serde(alias = "median_latency_ms")]
    median: Option<f64>,
    #[serde(alias = "min_latency_ms")]
    min: Option<f64>,
    #[serde(alias = "max_latency_ms")]
    max: Option<f64>,
    p95_latency_ms: Option<f64>,
    p99_latency_ms: Option<f64>,
    error_rate_pct: Option<f64>,
    rps: Option<f64>,
    baseline_users: Option<f64>,
    timestamp: Option<String>,
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let services: BTreeMap<String, Value> = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool("Locust");
    for (service, value) in services.into_iter().filter(|(service, _)| !service.starts_with('_')) {
        let figures: Figures = serde_json::from_value(value)
            .map_err(|error| ParseError::new(format!("the figures of `{service}` are not what they should be: {error}")))?;
        if let Some(users) = figures.baseline_users {
            recorder.users(users);
        }
        if let Some(at) = figures.timestamp.as_ref().and_then(|text| text.parse::<Timestamp>().ok()) {
            recorder.spans(at.as_millisecond() as f64, at.as_millisecond() as f64);
        }
        let is_total = service == "total" || service == "Total";
        record(&figures, if is_total { recorder.total() } else { recorder.endpoint(None, &service) });
    }
    Ok(())
}

fn record(figures: &Figures, draft: &mut Draft) {
    if let Some(requests) = figures.requests {
        draft.requests(requests);
    }
    if let Some(failures) = figures.failures {
        draft.failures(failures);
    }
    // Only where the counts do not give it exactly.
    if let (Some(percent), None) = (figures.error_rate_pct, figures.requests.zip(figures.failures)) {
        draft.reported(Metric::ErrorRate, percent / 100.0, None);
    }
    let known = |value: Option<f64>| value.filter(|value| *value > 0.0);
    let percentiles = [
        (Metric::LatencyP50, figures.median),
        (Metric::LatencyP95, figures.p95_latency_ms),
        (Metric::LatencyP99, figures.p99_latency_ms),
    ];
    for (metric, value) in percentiles {
        if let Some(value) = known(value) {
            draft.reported(metric, value, Some(step(value)));
        }
    }
    let exact = [
        (Metric::LatencyMean, figures.average),
        (Metric::LatencyMin, figures.min),
        (Metric::LatencyMax, figures.max),
        (Metric::Throughput, figures.rps),
    ];
    for (metric, value) in exact {
        if let Some(value) = known(value) {
            draft.reported(metric, value, Some(0.0));
        }
    }
}
