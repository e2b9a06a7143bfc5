//! NBomber: the CSV report and the statistics as JSON.
//!
//! Quirks: latencies are of good requests only; the step `global information` is the scenario's total row; step names are not
//! quoted in the CSV even with commas in them, so columns after the name are counted from the right; later versions write
//! `ok_…` columns.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::rows::{Row, Rows};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

pub(super) static CSV: Format = Format {
    id: "nbomber-csv",
    tool: "NBomber",
    title: "CSV report",
    versions: "-",
    gives: Gives { percentiles: "p50 p75 p95 p99, of good requests", failures: true, users: false, time: false },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(head.first_line().trim().starts_with("test_suite,test_name,scenario,")),
    parse: parse_csv,
};

pub(super) static JSON: Format = Format {
    id: "nbomber-json",
    tool: "NBomber",
    title: "final statistics as JSON",
    versions: "-",
    gives: Gives { percentiles: "p50 p75 p95 p99, of good requests", failures: true, users: false, time: false },
    part: Part::Whole,
    sniff: |head| {
        let marks = ["FinalStats.ScenarioStats", "ScenarioStats", "finalStats.scenarioStats", "scenarioStats"];
        Confidence::certain_if(head.json().has_any(&marks))
    },
    parse: parse_json,
};

/// The scenario's own row.
const GLOBAL: &str = "global information";

/// One step of one scenario; latencies in ms.
struct Step {
    scenario: String,
    name: String,
    requests: Option<u64>,
    failures: Option<u64>,
    rate: Option<f64>,
    /// Of the good requests.
    latency: Vec<(Metric, f64)>,
}

fn record(steps: Vec<Step>, recorder: &mut Recorder) {
    let mut scenarios: BTreeMap<String, usize> = BTreeMap::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.name != GLOBAL) {
        *scenarios.entry(step.scenario.clone()).or_default() += 1;
        *names.entry(step.name.clone()).or_default() += 1;
    }
    for step in steps {
        let name = match step.name.as_str() {
            GLOBAL if scenarios.contains_key(&step.scenario) => continue,
            GLOBAL => step.scenario,
            name if names.get(name).is_some_and(|times| *times > 1) => format!("{} / {name}", step.scenario),
            _ => step.name,
        };
        let draft: &mut Draft = recorder.endpoint(None, &name);
        if let Some(requests) = step.requests {
            draft.requests(requests);
        }
        if let Some(failures) = step.failures {
            draft.failures(failures);
        }
        if let Some(rate) = step.rate {
            draft.reported(Metric::Throughput, rate, None);
        }
        let good = step.requests.zip(step.failures).is_none_or(|(all, failed)| all > failed);
        for (metric, ms) in step.latency.into_iter().filter(|_| good) {
            draft.reported(metric, ms, Some(0.01));
        }
    }
}

/// `00:03:00` or `1.00:03:00.5` in seconds.
fn clock(text: &str) -> Option<f64> {
    let cells: Vec<&str> = text.trim().split(':').collect();
    let [hours, minutes, seconds] = cells[..] else { return None };
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| *number >= 0.0);
    Some(number(days)? * 86_400.0 + number(hours)? * 3_600.0 + number(minutes)? * 60.0 + number(seconds)?)
}

fn parse_csv(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let rows = Rows::with_header(source, b',')?;
    let columns = rows.header().len();
    let (scenario, duration, name) = (rows.need("scenario")?, rows.need("duration")?, rows.need("step_name")?);
    let first = |words: &[&str]| words.iter().find_map(|word| rows.find(word));
    let requests = first(&["request_count"]);
    let good = first(&["ok", "ok_count", "ok_request_count"]);
    let failed = first(&["failed", "failed_count", "failed_request_count"]);
    let (Some(failed), true) = (failed, requests.or(good).is_some()) else {
        return Err(ParseError::new("expected columns `request_count` and `failed` in the header").at_line(1));
    };
    let find = |word: &str| rows.find(word).or_else(|| rows.find(&format!("ok_{word}")));
    let rate = find("rps");
    let figures: Vec<(Metric, usize)> = [
        ("mean", Metric::LatencyMean),
        ("min", Metric::LatencyMin),
        ("max", Metric::LatencyMax),
        ("50_percent", Metric::LatencyP50),
        ("75_percent", Metric::LatencyP75),
        ("95_percent", Metric::LatencyP95),
        ("99_percent", Metric::LatencyP99),
    ]
    .into_iter()
    .filter_map(|(word, metric)| Some((metric, find(word)?)))
    .collect();
    recorder.tool("NBomber");
    let mut steps = Vec::new();
    rows.each(recorder, |row: &Row<'_>, recorder| {
        let Some(more) = row.len().checked_sub(columns) else {
            return Err(format!("expected {columns} cells as in the header, found {}", row.len()));
        };
        // What is right of the name has moved by the commas in it.
        let place = |at: usize| if at > name { at + more } else { at };
        let words: Vec<&str> = (name..=name + more).map(|at| row.exact(at)).collect();
        if let Some(seconds) = clock(row.text(place(duration))) {
            recorder.duration_s(seconds);
        }
        let mut latency = Vec::new();
        for (metric, at) in &figures {
            latency.push((metric.clone(), row.number(place(*at), "milliseconds")?));
        }
        let count = |at: usize| row.whole(place(at), "a number of requests");
        let failures = count(failed)?;
        let all = match (requests, good) {
            (Some(at), _) => Some(count(at)?),
            (None, Some(at)) => count(at)?.checked_add(failures),
            (None, None) => None,
        };
        steps.push(Step {
            scenario: row.text(scenario).to_owned(),
            name: words.join(",").trim().to_owned(),
            requests: all,
            failures: Some(failures),
            rate: rate.map(|at| row.number(place(at), "a rate")).transpose()?,
            latency,
        });
        Ok(())
    })?;
    record(steps, recorder);
    Ok(())
}

/// Largest JSON of this kind that makes sense.
const LIMIT: u64 = 64 << 20;

#[derive(Deserialize)]
struct Document {
    #[serde(alias = "FinalStats", alias = "finalStats", default)]
    final_stats: Option<Stats>,
    #[serde(alias = "ScenarioStats", alias = "scenarioStats", default)]
    scenario_stats: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Stats {
    #[serde(alias = "ScenarioStats", alias = "scenarioStats", default)]
    scenario_stats: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    #[serde(rename = "ScenarioName", alias = "scenarioName", default)]
    name: String,
    #[serde(alias = "Duration", default)]
    duration: Option<String>,
    #[serde(alias = "StepStats", alias = "stepStats", default)]
    step_stats: Vec<StepStats>,
    #[serde(alias = "Ok", default)]
    ok: Option<Side>,
    #[serde(alias = "Fail", default)]
    fail: Option<Side>,
}

#[derive(Deserialize)]
struct StepStats {
    #[serde(rename = "StepName", alias = "stepName", default)]
    name: String,
    #[serde(alias = "Ok")]
    ok: Side,
    #[serde(alias = "Fail")]
    fail: Side,
}

#[derive(Deserialize)]
struct Side {
    #[serde(alias = "Request")]
    request: Request,
    #[serde(alias = "Latency", default)]
    latency: Option<Latency>,
}

#[derive(Deserialize)]
struct Request {
    #[serde(alias = "Count")]
    count: u64,
    #[serde(alias = "RPS", alias = "Rps", default)]
    rps: Option<f64>,
}

#[derive(Deserialize)]
struct Latency {
    #[serde(alias = "MinMs", alias = "minMs", default)]
    min_ms: Option<f64>,
    #[serde(alias = "MeanMs", alias = "meanMs", default)]
    mean_ms: Option<f64>,
    #[serde(alias = "MaxMs", alias = "maxMs", default)]
    max_ms: Option<f64>,
    #[serde(alias = "Percent50", default)]
    percent50: Option<f64>,
    #[serde(alias = "Percent75", default)]
    percent75: Option<f64>,
    #[serde(alias = "Percent95", default)]
    percent95: Option<f64>,
    #[serde(alias = "Percent99", default)]
    percent99: Option<f64>,
}

fn step(scenario: &str, name: &str, ok: &Side, fail: &Side) -> Step {
    let latency = ok.latency.as_ref().map(|latency| {
        [
            (Metric::LatencyMin, latency.min_ms),
            (Metric::LatencyMean, latency.mean_ms),
            (Metric::LatencyMax, latency.max_ms),
            (Metric::LatencyP50, latency.percent50),
            (Metric::LatencyP75, latency.percent75),
            (Metric::LatencyP95, latency.percent95),
            (Metric::LatencyP99, latency.percent99),
        ]
    });
    let latency = latency.into_iter().flatten().filter_map(|(metric, ms)| Some((metric, ms?))).collect();
    Step {
        scenario: scenario.to_owned(),
        name: name.to_owned(),
        requests: ok.request.count.checked_add(fail.request.count),
        failures: Some(fail.request.count),
        rate: ok.request.rps.zip(fail.request.rps).map(|(good, bad)| good + bad),
        latency,
    }
}

fn parse_json(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let document: Document = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool("NBomber");
    let scenarios = document.final_stats.map_or(document.scenario_stats, |stats| stats.scenario_stats);
    let mut steps = Vec::new();
    for scenario in &scenarios {
        if let Some(seconds) = scenario.duration.as_deref().and_then(clock) {
            recorder.duration_s(seconds);
        }
        if let (Some(ok), Some(fail)) = (&scenario.ok, &scenario.fail) {
            steps.push(step(&scenario.name, GLOBAL, ok, fail));
        }
        for own in &scenario.step_stats {
            steps.push(step(&scenario.name, &own.name, &own.ok, &own.fail));
        }
    }
    record(steps, recorder);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_seconds() {
        assert_eq!(clock("00:03:00"), Some(180.0));
        assert_eq!(clock("1.00:00:01.5"), Some(86_401.5));
        assert_eq!(clock("3 min"), None);
    }
}
