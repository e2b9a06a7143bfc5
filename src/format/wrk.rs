//! wrk and wrk2: text only, one URL per run.
//!
//! Quirks: every cell has its own unit; `Req/Sec` is per thread; the method is not shown; percentiles only with `--latency`
//! (wrk: 50, 75, 90, 99; wrk2 also a spectrum that holds p95); 0.00us and `-nan%` mean that nothing was timed. Socket errors
//! are not among the `requests in`: they are shown as errors and as a figure of their own.

use super::console::{self, Block, Reports, after, count, duration, level, number, report};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::Notice;
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

pub(super) static WRK: Format = Format {
    id: "wrk",
    tool: "wrk",
    title: "what wrk prints (`--latency` for percentiles)",
    versions: "4.1",
    gives: Gives { percentiles: "p50 p75 p90 p99 with --latency", failures: true, users: true, time: false },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(is_wrk(head) && !is_wrk2(head)),
    parse,
};

pub(super) static WRK2: Format = Format {
    id: "wrk2",
    tool: "wrk2",
    title: "what wrk2 prints (`--latency` for percentiles)",
    versions: "-",
    gives: Gives { percentiles: "p50 p75 p90 p95 p99 p99.9 with --latency", failures: true, users: true, time: false },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(is_wrk(head) && is_wrk2(head)),
    parse,
};

fn is_wrk(head: &Head) -> bool {
    head.lines().any(begins)
}

fn is_wrk2(head: &Head) -> bool {
    head.text.contains("Thread calibration: mean lat.") || head.text.contains("(HdrHistogram - ")
}

/// `Running 30s test @ http://…`, the first line of a report.
fn begins(line: &str) -> bool {
    after(line, "Running ").is_some_and(|rest| rest.contains(" test @ "))
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    let wrk2 = text.contains("Thread calibration") || text.contains("(HdrHistogram - ");
    recorder.tool(if wrk2 { "wrk2" } else { "wrk" });
    let mut reports = Reports::default();
    let mut broken = None;
    for block in console::blocks(&text, begins) {
        if let Err(error) = record(&block, &mut reports, recorder) {
            broken.get_or_insert(error);
        }
    }
    reports.finish(recorder);
    match broken {
        // Of several runs in one file some may have been interrupted.
        Some(error) if !recorder.is_empty() => {
            let line = error.line.unwrap_or(1);
            recorder.notice(Notice::new("report_cut_off", error.message).in_file(source.name).at_line(line));
            Ok(())
        }
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn record(block: &Block<'_>, reports: &mut Reports, recorder: &mut Recorder) -> Result<(), ParseError> {
    let url = block.lines.first().and_then(|line| line.split_once(" test @ ")).map_or("", |(_, url)| url.trim());
    let done = block.lines.iter().find_map(|line| {
        let (requests, rest) = line.trim().split_once(" requests in ")?;
        Some((count(requests)?, duration(rest)?.value / 1e3))
    });
    let Some((requests, seconds)) = done else {
        let error = ParseError::new(format!("no line `N requests in …` in the report about {url}")).at_line(block.line);
        return Err(error.hint("was wrk interrupted, or could it not connect?"));
    };
    if let Some((_, users)) = block.lines.iter().find_map(|line| line.split_once(" threads and ")) {
        recorder.users(count(users).unwrap_or(0) as f64);
    }
    let failures = block.after("Non-2xx or 3xx responses:").map_or(Some(0), count);
    reports.add(Some(requests), failures, Some(seconds));
    let name = reports.name(url);
    let socket = socket_errors(block);
    let all: u64 = socket.iter().fold(0, |sum, (_, times)| sum.saturating_add(*times));
    if all > 0 {
        let message = format!("{all} socket errors at `{name}`: wrk does not count these as requests");
        recorder.notice(Notice::new("socket_errors", message));
    }

    let draft = recorder.endpoint(None, &name);
    draft.requests(requests);
    if let Some(failures) = failures {
        draft.failures(failures).error("not 2xx or 3xx", failures);
    }
    draft.reported(Metric::Custom("socket_errors".to_owned()), all as f64, Some(0.0));
    for (kind, times) in socket {
        draft.error(&format!("socket {kind} error"), times);
    }
    report(draft, Metric::Throughput, block.after("Requests/sec:").and_then(number));
    latency(block, draft);
    Ok(())
}

/// `Socket errors: connect 0, read 25, write 0, timeout 3`.
fn socket_errors<'a>(block: &Block<'a>) -> Vec<(&'a str, u64)> {
    let cells = block.after("Socket errors:").unwrap_or_default().split(',');
    cells.filter_map(|cell| cell.trim().split_once(' ')).filter_map(|(kind, times)| Some((kind, count(times)?))).collect()
}

fn latency(block: &Block<'_>, draft: &mut Draft) {
    let row = block.lines.iter().filter(|line| !line.contains("Distribution")).find_map(|line| after(line, "Latency"));
    let cells: Vec<&str> = row.unwrap_or_default().split_whitespace().collect();
    if let [mean, _, max, ..] = cells.as_slice() {
        let (mean, max) = (duration(mean), duration(max));
        // Nothing was timed: all zero.
        if max.is_none_or(|max| max.value == 0.0) {
            return;
        }
        report(draft, Metric::LatencyMean, mean);
        report(draft, Metric::LatencyMax, max);
    }
    // A second distribution is wrk2's "uncorrected" one.
    let mut rest = block.lines.iter().skip_while(|line| !line.contains("Latency Distribution")).skip(1);
    let mut p95 = None;
    for line in rest.by_ref().take_while(|line| !line.contains("Latency Distribution")) {
        if let Some((share, value)) = level(line, "%")
            && let Some(metric) = Metric::percentile(share)
        {
            report(draft, metric, duration(value));
        } else if p95.is_none() {
            p95 = spectrum(line).filter(|(share, _)| *share >= 0.95).map(|(_, value)| value);
        }
    }
    report(draft, Metric::LatencyP95, p95);
}

/// A row `value percentile count 1/(1-percentile)` of the detailed spectrum, in ms.
fn spectrum(line: &str) -> Option<(f64, console::Printed)> {
    let cells: Vec<&str> = line.split_whitespace().collect();
    let [value, share, _, _] = cells.as_slice() else { return None };
    Some((share.parse().ok()?, number(value)?))
}
