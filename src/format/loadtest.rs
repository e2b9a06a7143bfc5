//! loadtest (npm): the text it prints.
//!
//! Quirks: percentiles in whole ms; answers that are not 2xx count as errors and stay in the latencies; trailing lines like
//! `-1:   60 errors` say which; before version 6 every line began with a time and `INFO`.

use super::console::{self, Block, Reports, after, count, duration, level, number, report};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::metric::Metric;
use crate::run::recorder::Recorder;

pub(super) static TEXT: Format = Format {
    id: "loadtest",
    tool: "loadtest",
    title: "what loadtest prints",
    versions: "8.2",
    gives: Gives { percentiles: "p50 p90 p95 p99, whole ms", failures: true, users: true, time: false },
    part: Part::Whole,
    sniff: |head| {
        let has = |word| head.lines().any(|line| after(message(line), word).is_some());
        let rate = has("Effective rps:") || has("Requests per second:");
        Confidence::certain_if(has("Target URL:") && has("Completed requests:") && rate)
    },
    parse,
};

/// The line without the log prefix of old versions.
fn message(line: &str) -> &str {
    line.split_once(" INFO ").map_or(line, |(_, rest)| rest)
}

fn begins(line: &str) -> bool {
    after(line, "Target URL:").is_some()
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    let text: String = text.lines().flat_map(|line| [message(line), "\n"]).collect();
    recorder.tool("loadtest");
    let mut reports = Reports::default();
    for block in console::blocks(&text, begins) {
        record(&block, &mut reports, recorder)?;
    }
    reports.finish(recorder);
    Ok(())
}

fn record(block: &Block<'_>, reports: &mut Reports, recorder: &mut Recorder) -> Result<(), ParseError> {
    let url = block.after("Target URL:").unwrap_or_default();
    let requests = block.after("Completed requests:").and_then(count);
    let Some(requests) = requests else {
        let error = ParseError::new(format!("no `Completed requests` in the report about {url}")).at_line(block.line);
        return Err(error.hint("was loadtest interrupted?"));
    };
    let clients = block.after("Concurrent clients:").or_else(|| block.after("Concurrency level:"));
    if let Some(users) = clients.and_then(count) {
        recorder.users(users as f64);
    }
    if let Some(rate) = block.after("Target rps:").and_then(number) {
        recorder.target_rps(rate.value);
    }
    let failures = block.after("Total errors:").and_then(count);
    let seconds = block.after("Total time:").and_then(duration).map(|total| total.value / 1e3);
    reports.add(Some(requests), failures, seconds);
    let name = reports.name(url);
    let draft = recorder.endpoint(None, &name);
    draft.requests(requests);
    if let Some(failures) = failures {
        draft.failures(failures);
    }
    let rate = block.after("Effective rps:").or_else(|| block.after("Requests per second:"));
    report(draft, Metric::Throughput, rate.and_then(number));
    for line in &block.lines {
        // `-1:   60 errors`: no answer; else a status code.
        let Some((code, rest)) = line.trim().split_once(':').filter(|(_, rest)| rest.ends_with(" errors")) else { continue };
        let text = if code == "-1" { "no response".to_owned() } else { format!("HTTP {code}") };
        draft.error(&text, count(rest).unwrap_or(0));
    }
    if requests == 0 {
        return Ok(());
    }
    report(draft, Metric::LatencyMean, block.after("Mean latency:").and_then(duration));
    for line in &block.lines {
        let Some((share, value)) = level(line, "%") else { continue };
        let metric = if share == 1.0 { Some(Metric::LatencyMax) } else { Metric::percentile(share) };
        if let Some(metric) = metric {
            report(draft, metric, duration(value));
        }
    }
    Ok(())
}
