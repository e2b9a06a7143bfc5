//! Artillery's JSON report (`artillery run -o FILE`), of version 2 and version 1.
//!
//! Quirks: names are flat and dotted, and endpoint names hold dots too: only known beginnings and ends are cut off;
//! `summaries` and `histograms` are the same; percentiles lie on a grid of 2 %; a 500 is no error to Artillery, to us it
//! is; a connection that failed is a request without a response; endpoints are there only with the plugin
//! `metrics-by-endpoint`, which newer versions switch on; GET and POST of a URL are one name.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

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
    if aggregate.contains_key("counters") {
        version_2(aggregate, recorder);
    } else {
        version_1(aggregate, recorder);
    }
    Ok(())
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

    fn hand_over(&self, requests: u64, draft: &mut Draft) {
        let failures = Self::sum(self.failed_codes().map(|(_, count)| count).chain(self.errors.values()));
        // An answer that is no 200 can also fail an expectation, and is then counted twice.
        draft.requests(requests).failures(failures.min(requests));
        for (code, count) in self.failed_codes() {
            draft.error(&format!("HTTP {code}"), *count);
        }
        for (name, count) in &self.errors {
            draft.error(name, *count);
        }
    }
}

fn version_2(aggregate: &Map<String, Value>, recorder: &mut Recorder) {
    if let (Some(first), Some(last)) = (number(aggregate.get("firstMetricAt")), number(aggregate.get("lastMetricAt"))) {
        recorder.spans(first, last);
    }
    let mut all = Outcomes::default();
    let mut endpoints: BTreeMap<&str, Outcomes<'_>> = BTreeMap::new();
    let (mut requests, mut responses) = (None, None);
    for (key, value) in object(aggregate, "counters") {
        let Some(count) = value.as_u64() else { continue };
        if let Some(rest) = key.strip_prefix(PLUGIN) {
            if let Some((name, code)) = rest.rsplit_once(".codes.") {
                endpoints.entry(name).or_default().codes.insert(code, count);
            } else if let Some((name, error)) = rest.rsplit_once(".errors.") {
                endpoints.entry(name).or_default().errors.insert(error, count);
            }
        } else if let Some(code) = key.strip_prefix("http.codes.") {
            all.codes.insert(code, count);
        } else if let Some(error) = key.strip_prefix("errors.") {
            all.errors.insert(error, count);
        } else if key == "http.requests" {
            requests = Some(count);
        } else if key == "http.responses" {
            responses = Some(count);
        } else if !OWN.iter().any(|own| key.starts_with(own)) {
            recorder.total().reported(Metric::Custom(key.to_owned()), count as f64, Some(0.0));
        }
    }
    if let Some(requests) = requests.or(responses) {
        all.hand_over(requests, recorder.total());
    }
    for (name, outcomes) in &endpoints {
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

fn version_1(aggregate: &Map<String, Value>, recorder: &mut Recorder) {
    let mut all = Outcomes::default();
    for (key, into) in [("codes", &mut all.codes), ("errors", &mut all.errors)] {
        into.extend(object(aggregate, key).filter_map(|(name, count)| Some((name, count.as_u64()?))));
    }
    let completed = whole(aggregate.get("requestsCompleted")).unwrap_or_else(|| all.responses());
    let draft = recorder.total();
    all.hand_over(completed.saturating_add(Outcomes::sum(all.errors.values())), draft);
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
