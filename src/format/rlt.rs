//! rlt (load tests in Rust): JSON (`-o json`) and the text it prints.
//!
//! Quirks: the text is coloured even in a file; JSON in seconds; `iters.total` leaves out iterations that ended in `errors`; `success_ratio` may print as -0.0.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::console::{self, count, duration, level, number, report};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::metric::Metric;
use crate::run::recorder::Recorder;

pub(super) static JSON: Format = Format {
    id: "rlt",
    tool: "rlt",
    title: "JSON (`-o json`)",
    versions: "0.5",
    gives: Gives { percentiles: "p50 p75 p90 p95 p99 p99.9", failures: true, users: true, time: false },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(head.json().has(&["summary.success_ratio", "summary.iters", "latency"])),
    parse,
};

pub(super) static TEXT: Format = Format {
    id: "rlt-text",
    tool: "rlt",
    title: "what rlt prints",
    versions: "0.5",
    gives: Gives { percentiles: "p50 p75 p90 p95 p99 p99.9", failures: true, users: true, time: false },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(head.text.contains("Benchmark took ") && head.text.contains("with concurrency ")),
    parse: parse_text,
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
        draft.error(text, *times);
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

fn parse_text(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("rlt");
    let blocks = console::blocks(&text, |line| line.trim() == "Summary");
    let Some(block) = blocks.last() else { return Err(ParseError::new("expected a line `Summary`")) };
    let took = block.after("Benchmark took").unwrap_or_default();
    if let Some(taken) = duration(took) {
        recorder.duration_s(taken.value / 1e3);
    }
    if let Some(users) = took.split_once("with concurrency").and_then(|(_, rest)| count(rest)) {
        recorder.users(users as f64);
    }
    let draft = recorder.endpoint(None, source.stem());
    let iterations: Vec<&str> = block.after("Iters").unwrap_or_default().split_whitespace().collect();
    if let [_, rate] = iterations[..] {
        report(draft, Metric::Throughput, number(rate));
    }
    let rows = |title| block.section(title).into_iter().filter_map(|line| line.strip_prefix('[')?.split_once(']'));
    let (mut requests, mut failures) = (0_u64, 0_u64);
    for (times, text) in rows("Status Distribution") {
        let times = count(times).unwrap_or(0);
        requests = requests.saturating_add(times);
        if !is_good(text.trim()) {
            failures = failures.saturating_add(times);
            draft.error(text.trim(), times);
        }
    }
    for (times, text) in rows("Error Distribution") {
        let times = count(times).unwrap_or(0);
        (requests, failures) = (requests.saturating_add(times), failures.saturating_add(times));
        draft.error(text.trim(), times);
    }
    // Cut off before its statuses, the report does not say what failed.
    if requests > 0 {
        draft.requests(requests).failures(failures);
    } else if let Some(all) = iterations.first().and_then(|all| count(all)) {
        draft.requests(all);
    }
    let stats = block.section("Stats");
    if let [header, row, ..] = stats.as_slice() {
        for (word, cell) in header.split_whitespace().zip(row.split_whitespace()) {
            match word {
                "Avg" => report(draft, Metric::LatencyMean, duration(cell)),
                "Min" => report(draft, Metric::LatencyMin, duration(cell)),
                "Max" => report(draft, Metric::LatencyMax, duration(cell)),
                _ => {}
            }
        }
    }
    for line in &block.lines {
        let value = level(line, "%").and_then(|(share, rest)| Some((Metric::percentile(share)?, console::after(rest, "in ")?)));
        if let Some((metric, cell)) = value {
            report(draft, metric, duration(cell));
        }
    }
    Ok(())
}

/// `Success(200)`, `Redirection(301)`; bad are `Client Error(404)`, `Server Error(503)`, `Error`, `Unknown(…)`.
fn is_good(status: &str) -> bool {
    ["Success", "Redirection", "Informational"].iter().any(|good| status.starts_with(good))
}
