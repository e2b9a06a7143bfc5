//! Fortio's JSON (`fortio load -json`), and Nighthawk's output in the same form.
//!
//! Quirks: latencies in seconds, `ActualDuration` in ns; the histogram holds all requests, also the failed ones; -1 is a
//! connection that failed; percentiles are the user's list, by default without p95, which is then worked out inside its bucket
//! as Fortio does; Nighthawk writes counts as text, no percentiles, and fewer samples than requests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::vegeta::millis;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::metric::{Metric, PERCENTILES};
use crate::run::recorder::{Draft, Recorder};

pub(super) static JSON: Format = Format {
    id: "fortio",
    tool: "Fortio",
    title: "JSON (`fortio load -json FILE`), also Nighthawk's Fortio output",
    versions: "1.75",
    gives: Gives { percentiles: "as asked with -p, others inside a bucket", failures: true, users: true, time: true },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(head.json().has(&["DurationHistogram", "RetCodes"])),
    parse,
};

/// Largest file of this kind that makes sense.
const LIMIT: u64 = 64 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    #[serde(default)]
    labels: String,
    #[serde(default)]
    start_time: Option<String>,
    /// Text: a number or `max`. Nighthawk: a number.
    #[serde(default, rename = "RequestedQPS")]
    requested_qps: Option<Value>,
    #[serde(default, rename = "ActualQPS")]
    actual_qps: Option<f64>,
    #[serde(default)]
    actual_duration: Option<f64>,
    #[serde(default)]
    num_threads: Option<f64>,
    #[serde(default)]
    version: Option<String>,
    duration_histogram: Histogram,
    /// Only the failed ones, as Fortio judged them (everything but 2xx).
    #[serde(default)]
    errors_duration_histogram: Option<Histogram>,
    #[serde(default)]
    ret_codes: BTreeMap<String, Value>,
    #[serde(default, rename = "URL")]
    url: String,
    /// gRPC runs name their target here.
    #[serde(default)]
    destination: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Histogram {
    /// Nighthawk: text.
    #[serde(default)]
    count: Option<Value>,
    #[serde(default)]
    min: Option<f64>,
    #[serde(default)]
    max: Option<f64>,
    #[serde(default)]
    avg: Option<f64>,
    #[serde(default)]
    data: Option<Vec<Bucket>>,
    #[serde(default)]
    percentiles: Option<Vec<Percentile>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Bucket {
    start: f64,
    end: f64,
    /// Of all up to the end of this bucket, 0 to 100.
    percent: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Percentile {
    percentile: f64,
    value: f64,
}

/// A number, or one as text.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let wire: Wire = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool("Fortio");
    if let Some(version) = &wire.version {
        recorder.tool_version(version);
    }
    if let Some(threads) = wire.num_threads {
        recorder.users(threads);
    }
    let target = wire.requested_qps.as_ref().and_then(|qps| qps.as_f64().or_else(|| qps.as_str()?.parse().ok()));
    if let Some(rate) = target {
        recorder.target_rps(rate);
    }
    let fortio = wire.version.is_some();
    // Nighthawk writes whole seconds or nanoseconds here, depending on its version.
    let seconds = wire.actual_duration.map(|duration| if fortio || duration > 1e6 { duration / 1e9 } else { duration });
    if let Some(seconds) = seconds {
        recorder.duration_s(seconds);
    }
    if let Some(start) = wire.start_time.as_ref().and_then(|time| time.parse::<Timestamp>().ok()) {
        recorder.spans(millis(start), millis(start) + seconds.unwrap_or(0.0) * 1e3);
    }
    let name = [&wire.labels, &wire.url, &wire.destination].into_iter().find(|name| !name.trim().is_empty());
    let stem = source.stem().to_owned();
    let draft = recorder.endpoint(None, name.unwrap_or(&stem));
    counts(&wire, draft);
    if let Some(rate) = wire.actual_qps {
        draft.reported(Metric::Throughput, rate, Some(0.0));
    }
    latency(&wire.duration_histogram, draft);
    Ok(())
}

fn counts(wire: &Wire, draft: &mut Draft) {
    let good = |code: &str| match code.parse::<i64>() {
        Ok(code) => (200..400).contains(&code),
        // gRPC health checks.
        Err(_) => code == "SERVING" || code == "OK",
    };
    let (mut requests, mut failures) = (0_u64, 0_u64);
    for (code, times) in &wire.ret_codes {
        let times = whole(times).unwrap_or(0);
        requests = requests.saturating_add(times);
        if !good(code) {
            failures = failures.saturating_add(times);
            let text = if code == "-1" { "no response".to_owned() } else { format!("HTTP {code}") };
            draft.error(&text, times);
        }
    }
    if wire.ret_codes.is_empty() {
        // Failures are not known then.
        if let Some(count) = wire.duration_histogram.count.as_ref().and_then(whole) {
            draft.requests(count);
        }
        return;
    }
    let judged = wire.errors_duration_histogram.as_ref().and_then(|errors| whole(errors.count.as_ref()?));
    draft.requests(requests).failures(judged.unwrap_or(failures));
}

fn latency(histogram: &Histogram, draft: &mut Draft) {
    if histogram.count.as_ref().and_then(whole).is_none_or(|count| count == 0) {
        return;
    }
    let extremes = [
        (Metric::LatencyMean, histogram.avg),
        (Metric::LatencyMin, histogram.min),
        (Metric::LatencyMax, histogram.max),
    ];
    for (metric, seconds) in extremes {
        if let Some(seconds) = seconds {
            draft.reported(metric, seconds * 1e3, Some(0.0));
        }
    }
    let listed: Vec<(Metric, f64)> = histogram
        .percentiles
        .iter()
        .flatten()
        .filter_map(|row| Some((Metric::percentile(row.percentile / 100.0)?, row.value)))
        .collect();
    let buckets = histogram.data.as_deref().unwrap_or_default();
    for metric in PERCENTILES {
        if let Some((_, seconds)) = listed.iter().find(|(own, _)| *own == metric) {
            draft.reported(metric, seconds * 1e3, Some(0.0));
        } else if let Some((seconds, width)) = metric.quantile().and_then(|level| inside(buckets, level * 100.0)) {
            draft.computed(metric, seconds * 1e3, Some(width * 1e3));
        }
    }
}

/// The value at `percent` by linear interpolation inside its bucket, as Fortio itself does, and the bucket's width.
fn inside(buckets: &[Bucket], percent: f64) -> Option<(f64, f64)> {
    let mut below = 0.0;
    for bucket in buckets {
        if bucket.percent >= percent - 1e-9 {
            let share = if bucket.percent > below { (percent - below) / (bucket.percent - below) } else { 1.0 };
            let width = bucket.end - bucket.start;
            return Some((bucket.start + share.clamp(0.0, 1.0) * width, width.max(0.0)));
        }
        below = bucket.percent;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_lies_inside_its_bucket() {
        let bucket = |start, end, percent| Bucket { start, end, percent };
        let buckets = [bucket(0.0, 1.0, 50.0), bucket(1.0, 3.0, 100.0)];
        assert_eq!(inside(&buckets, 75.0), Some((2.0, 2.0)));
        assert_eq!(inside(&buckets, 50.0), Some((1.0, 1.0)));
        assert_eq!(inside(&[], 50.0), None);
    }
}
