//! Artillery's JSON report (`artillery run -o FILE`), of version 2 and version 1.
//!
//! Quirks: names are flat and dotted, and endpoint names hold dots too: only known beginnings and ends are cut off;
//! `summaries` and `histograms` are the same; percentiles lie on a grid of 2 %; a 500 is no error to Artillery, to us it
//! is; a connection that failed is a request without a response; endpoints are there only with the plugin
//! `metrics-by-endpoint`, which newer versions switch on; GET and POST of a URL are one name.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::vegeta::millis;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

pub(super) static JSON: Format = Format {
    id: "artillery",
    tool: "Artillery",
    title: "JSON report (`artillery run -o FILE`)",
    versions: "1.5 to 2.0.21",
    gives: Gives { percentiles: "p50 p75 p90 p95 p99 p99.9; version 1: p50 p95 p99", failures: true, users: false, time: true },
    part: Part::Whole,
    sniff: |head| {
        let shape = head.json();
        let own = ["counters", "requestsCompleted", "scenariosCreated"];
        // In either order, and the intermediate reports may be long.
        let mark = own.iter().any(|key| {
            shape.has_any(&[&format!("aggregate.{key}"), &format!("intermediate.[].{key}")])
        });
        Confidence::certain_if(mark)
    },
    parse,
};

/// Largest file of this kind that makes sense: an intermediate report is written every 10 s.
const LIMIT: u64 = 256 << 20;
/// What the plugin puts in front of an endpoint's name.
const PLUGIN: &str = "plugins.metrics-by-endpoint.";
/// Distance of neighbouring percentile values: `DDSketch` with a relative accuracy of 1 %.
const GRID: f64 = 0.0202;
/// Beginnings of the counters that are Artillery's own.
const OWN: [&str; 8] = ["http.", "vusers.", "errors.", "plugins.", "core.", "websocket.", "socketio.", "browser."];

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let document: Value = serde_json::from_str(&source.text(LIMIT)?)?;
    let Some(aggregate) = document.get("aggregate").and_then(Value::as_object) else {
        return Err(ParseError::new("expected an object `aggregate`").hint("was Artillery interrupted?"));
    };
    recorder.tool("Artillery");
    let periods = document.get("intermediate").and_then(Value::as_array).into_iter().flatten();
    let periods: Vec<&Map<String, Value>> = periods.filter_map(Value::as_object).collect();
    if aggregate.contains_key("counters") {
        version_2(aggregate, recorder);
        course_2(&periods, recorder);
    } else {
        version_1(aggregate, recorder);
        course_1(&periods, recorder);
    }
    Ok(())
}

/// What happened in each of the periods; they need not be in order.
fn course_2(periods: &[&Map<String, Value>], recorder: &mut Recorder) {
    let at = |period: &Map<String, Value>, key| number(period.get(key));
    let mut periods: Vec<_> = periods
        .iter()
        .filter_map(|period| Some((at(period, "firstMetricAt")?, at(period, "lastMetricAt")?, *period)))
        .collect();
    periods.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut users = 0_u64;
    for (first, last, period) in periods {
        let counters = Counters::of(period);
        let requests = counters.requests.unwrap_or(0);
        let summary = ["summaries", "histograms"].iter().find_map(|key| period.get(*key)?.get("http.response_time"));
        let course = recorder.timeline();
        course.interval(first as i64, last as i64, (requests, Some(counters.all.failures(requests))), window(summary));
        users = users.saturating_add(counters.came).saturating_sub(counters.left);
        course.users(last as i64, users as f64);
    }
}

/// A period is told when it ends, about ten seconds after the one before.
fn course_1(periods: &[&Map<String, Value>], recorder: &mut Recorder) {
    const PERIOD_MS: f64 = 10_000.0;
    let stamp = |period: &Map<String, Value>| period.get("timestamp")?.as_str()?.parse::<Timestamp>().ok().map(millis);
    let mut periods: Vec<_> = periods.iter().filter_map(|period| Some((stamp(period)?, *period))).collect();
    periods.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut before: Option<f64> = None;
    for (end, period) in periods {
        let (all, requests) = outcomes(period);
        let start = before.filter(|start| end - start < 2.0 * PERIOD_MS).unwrap_or(end - PERIOD_MS);
        let course = recorder.timeline();
        course.interval(start as i64, end as i64, (requests, Some(all.failures(requests))), window(period.get("latency")));
        course.users(end as i64, number(period.get("concurrency")).unwrap_or(f64::NAN));
        before = Some(end);
    }
}

/// p50 and p95 of a period.
fn window(summary: Option<&Value>) -> Option<[f64; 2]> {
    Some([number(summary?.get("median"))?, number(summary?.get("p95"))?])
}

fn number(value: Option<&Value>) -> Option<f64> {
    value?.as_f64()
}

fn whole(value: Option<&Value>) -> Option<u64> {
    value?.as_u64()
}

fn object<'a>(of: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    // Development versions of 2 put the engine's name in front.
    let pairs = of.get(key).and_then(Value::as_object).into_iter().flatten();
    pairs.map(|(key, value)| (key.strip_prefix("engine.").unwrap_or(key), value))
}

/// Requests and failures by code and by error.
#[derive(Default)]
struct Outcomes<'a> {
    codes: BTreeMap<&'a str, u64>,
    errors: BTreeMap<&'a str, u64>,
}

impl Outcomes<'_> {
    fn sum<'b>(counts: impl Iterator<Item = &'b u64>) -> u64 {
        counts.fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn responses(&self) -> u64 {
        Self::sum(self.codes.values())
    }

    fn failed_codes(&self) -> impl Iterator<Item = (&str, &u64)> {
        self.codes.iter().filter(|(code, _)| code.parse().is_ok_and(|code: u32| code >= 400)).map(|(code, n)| (*code, n))
    }

    fn failures(&self, requests: u64) -> u64 {
        // An answer that is no 200 can also fail an expectation, and is then counted twice.
        Self::sum(self.failed_codes().map(|(_, count)| count).chain(self.errors.values())).min(requests)
    }

    fn hand_over(&self, requests: u64, draft: &mut Draft) {
        draft.requests(requests).failures(self.failures(requests));
        for (code, count) in self.failed_codes() {
            draft.error(&format!("HTTP {code}"), *count);
        }
        for (name, count) in &self.errors {
            draft.error(name, *count);
        }
    }
}

/// The counters of version 2, of the run or of a period.
#[derive(Default)]
struct Counters<'a> {
    all: Outcomes<'a>,
    endpoints: BTreeMap<&'a str, Outcomes<'a>>,
    requests: Option<u64>,
    /// Virtual users that began, and that are done.
    came: u64,
    left: u64,
    /// Of the user's own scripts.
    custom: Vec<(&'a str, u64)>,
}

impl<'a> Counters<'a> {
    fn of(report: &'a Map<String, Value>) -> Self {
        let mut found = Self::default();
        let mut responses = None;
        for (key, value) in object(report, "counters") {
            let Some(count) = value.as_u64() else { continue };
            if let Some(rest) = key.strip_prefix(PLUGIN) {
                if let Some((name, code)) = rest.rsplit_once(".codes.") {
                    found.endpoints.entry(name).or_default().codes.insert(code, count);
                } else if let Some((name, error)) = rest.rsplit_once(".errors.") {
                    found.endpoints.entry(name).or_default().errors.insert(error, count);
                }
            } else if let Some(code) = key.strip_prefix("http.codes.") {
                found.all.codes.insert(code, count);
            } else if let Some(error) = key.strip_prefix("errors.") {
                found.all.errors.insert(error, count);
            } else {
                match key {
                    "http.requests" => found.requests = Some(count),
                    "http.responses" => responses = Some(count),
                    "vusers.created" => found.came = count,
                    "vusers.completed" | "vusers.failed" => found.left = found.left.saturating_add(count),
                    _ if OWN.iter().any(|own| key.starts_with(own)) => {}
                    _ => found.custom.push((key, count)),
                }
            }
        }
        found.requests = found.requests.or(responses);
        found
    }
}

fn version_2(aggregate: &Map<String, Value>, recorder: &mut Recorder) {
    if let (Some(first), Some(last)) = (number(aggregate.get("firstMetricAt")), number(aggregate.get("lastMetricAt"))) {
        recorder.spans(first, last);
    }
    let counters = Counters::of(aggregate);
    for (key, count) in counters.custom {
        recorder.total().reported(Metric::Custom(key.to_owned()), count as f64, Some(0.0));
    }
    if let Some(requests) = counters.requests {
        counters.all.hand_over(requests, recorder.total());
    }
    for (name, outcomes) in &counters.endpoints {
        let requests = outcomes.responses().saturating_add(Outcomes::sum(outcomes.errors.values()));
        outcomes.hand_over(requests, recorder.endpoint(None, name));
    }
    // Both hold the same; which of them is there depends on the version.
    let key = if object(aggregate, "summaries").next().is_some() { "summaries" } else { "histograms" };
    for (key, summary) in object(aggregate, key) {
        if key == "http.response_time" {
            latency(summary, recorder.total());
        } else if let Some(name) = key.strip_prefix(PLUGIN).and_then(|rest| rest.strip_prefix("response_time.")) {
            latency(summary, recorder.endpoint(None, name));
        } else if !OWN.iter().any(|own| key.starts_with(own))
            && let Some(mean) = number(summary.get("mean"))
        {
            recorder.total().reported(Metric::Custom(key.to_owned()), mean, Some(0.1));
        }
    }
}

fn latency(summary: &Value, draft: &mut Draft) {
    let figures = [
        (Metric::LatencyMin, "min"),
        (Metric::LatencyMax, "max"),
        (Metric::LatencyMean, "mean"),
        (Metric::LatencyP50, "median"),
        (Metric::LatencyP50, "p50"),
        (Metric::LatencyP75, "p75"),
        (Metric::LatencyP90, "p90"),
        (Metric::LatencyP95, "p95"),
        (Metric::LatencyP99, "p99"),
        (Metric::LatencyP999, "p999"),
    ];
    for (metric, key) in figures {
        if let Some(ms) = number(summary.get(key)) {
            let step = match key {
                "min" | "max" => 1.0,
                "mean" => 0.1,
                _ => (ms * GRID).max(0.1),
            };
            draft.reported(metric, ms, Some(step));
        }
    }
}

/// What version 1 says of the run or of a period, and the number of requests.
fn outcomes(report: &Map<String, Value>) -> (Outcomes<'_>, u64) {
    let mut all = Outcomes::default();
    for (key, into) in [("codes", &mut all.codes), ("errors", &mut all.errors)] {
        into.extend(object(report, key).filter_map(|(name, count)| Some((name, count.as_u64()?))));
    }
    let completed = whole(report.get("requestsCompleted")).unwrap_or_else(|| all.responses());
    let requests = completed.saturating_add(Outcomes::sum(all.errors.values()));
    (all, requests)
}

fn version_1(aggregate: &Map<String, Value>, recorder: &mut Recorder) {
    let (all, requests) = outcomes(aggregate);
    let draft = recorder.total();
    all.hand_over(requests, draft);
    if let Some(summary) = aggregate.get("latency") {
        // Version 1 kept whole distributions.
        for (metric, key) in [
            (Metric::LatencyMin, "min"),
            (Metric::LatencyMax, "max"),
            (Metric::LatencyP50, "median"),
            (Metric::LatencyP95, "p95"),
            (Metric::LatencyP99, "p99"),
        ] {
            if let Some(ms) = number(summary.get(key)) {
                draft.reported(metric, ms, Some(0.1));
            }
        }
    }
    let rate = aggregate.get("rps").and_then(|rps| Some((number(rps.get("count"))?, number(rps.get("mean"))?)));
    if let Some((count, mean)) = rate.filter(|(_, mean)| *mean > 0.0) {
        draft.reported(Metric::Throughput, mean, Some(0.01));
        recorder.duration_s(count / mean);
    }
}
