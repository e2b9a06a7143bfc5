//! ab (Apache Bench): the text it prints, `-e` (percentiles) and `-g` (requests sorted by time).
//!
//! Quirks: `Failed requests` counts answers of another length than the first, which is no failure; the HTTP failures are in
//! `Non-2xx responses`, printed only if there are any and no part of the failed ones; the second `Time per request` is no
//! latency; the table of percentiles is missing for one request; `-g` has whole ms and no status.

use super::console::{self, Block, Printed, Reports, after, count, level, number, report};
use super::rows::{Rows, nanos};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::Notice;
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

/// What people append to one name when they save all three of one run.
const SUFFIXES: &[&str] = &[".gnuplot", "-gnuplot", "_gnuplot", ".percentiles", "-percentiles", "_percentiles"];

pub(super) static TEXT: Format = Format {
    id: "ab",
    tool: "ApacheBench",
    title: "what ab prints",
    versions: "2.3",
    gives: Gives { percentiles: "p50 p75 p90 p95 p98 p99, whole ms", failures: true, users: true, time: false },
    part: Part::Main { rank: 0, suffixes: SUFFIXES },
    sniff: |head| Confidence::certain_if(head.lines().any(begins)),
    parse,
};

pub(super) static GNUPLOT: Format = Format {
    id: "ab-gnuplot",
    tool: "ApacheBench",
    title: "`-g`: tab-separated requests",
    versions: "2.3",
    gives: Gives { percentiles: "any (from samples), whole ms", failures: false, users: false, time: true },
    part: Part::Main { rank: 1, suffixes: SUFFIXES },
    sniff: |head| Confidence::certain_if(head.first_line().trim() == "starttime\tseconds\tctime\tdtime\tttime\twait"),
    parse: parse_gnuplot,
};

pub(super) static PERCENTILES: Format = Format {
    id: "ab-percentiles",
    tool: "ApacheBench",
    title: "`-e`: percentiles as CSV",
    versions: "2.3",
    gives: Gives { percentiles: "p50 p75 p90 p95 p98 p99", failures: false, users: false, time: false },
    part: Part::Main { rank: 2, suffixes: SUFFIXES },
    sniff: |head| Confidence::certain_if(head.first_line().trim() == "Percentage served,Time in ms"),
    parse: parse_percentiles,
};

fn begins(line: &str) -> bool {
    line.trim_start().starts_with("This is ApacheBench, Version")
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("ApacheBench");
    let mut reports = Reports::default();
    let blocks = console::blocks(&text, begins);
    let cut = blocks.iter().find(|block| block.after("Complete requests:").is_none()).map(|block| block.line);
    for block in blocks {
        if let Some(requests) = block.after("Complete requests:").and_then(count) {
            record(&block, requests, source.stem(), &mut reports, recorder);
        }
    }
    reports.finish(recorder);
    match cut {
        Some(line) if recorder.is_empty() => {
            let error = ParseError::new("no `Complete requests` in the report").at_line(line);
            Err(error.hint("was ab interrupted, or could it not connect? Its reason is on stderr"))
        }
        Some(line) => {
            let notice = Notice::new("report_cut_off", "no `Complete requests` in the report that begins here");
            recorder.notice(notice.in_file(source.name).at_line(line));
            Ok(())
        }
        None => Ok(()),
    }
}

fn record(block: &Block<'_>, requests: u64, stem: &str, reports: &mut Reports, recorder: &mut Recorder) {
    if let Some(users) = block.after("Concurrency Level:").and_then(count) {
        recorder.users(users as f64);
    }
    if let Some(version) = block.lines.first().and_then(|line| line.split_once("Version ")) {
        recorder.tool_version(version.1.split_whitespace().next().unwrap_or_default());
    }
    let seconds = block.after("Time taken for tests:").and_then(number).map(|taken| taken.value);
    let kinds = failures(block);
    let failed = kinds.iter().fold(0_u64, |sum, (_, times)| sum.saturating_add(*times));
    reports.add(Some(requests), Some(failed), seconds);
    let path = block.after("Document Path:").filter(|path| !path.is_empty()).unwrap_or(stem);
    let name = reports.name(path);
    let draft = recorder.endpoint(None, &name);
    draft.requests(requests).failures(failed);
    for (kind, times) in kinds {
        draft.error(kind, times);
    }
    report(draft, Metric::Throughput, block.after("Requests per second:").and_then(number));
    latency(block, draft);
    if block.after("Document Length:").and_then(count) == Some(0) && failed == 0 {
        let message = format!("every answer of `{name}` was empty: with `-r` ab counts closed connections as complete");
        recorder.notice(Notice::new("empty_answers", message));
    }
}

/// Kinds of true failures: `Length` is none.
fn failures<'a>(block: &Block<'_>) -> Vec<(&'a str, u64)> {
    let mut found = vec![("not 2xx", block.after("Non-2xx responses:").and_then(count).unwrap_or(0))];
    let detail = block.lines.iter().find_map(|line| after(line, "(Connect:"));
    let Some(detail) = detail else { return found };
    found.push(("connect", count(detail).unwrap_or(0)));
    for (key, kind) in [("Receive:", "receive"), ("Exceptions:", "exception")] {
        let times = detail.split_once(key).and_then(|(_, rest)| count(rest));
        found.push((kind, times.unwrap_or(0)));
    }
    found
}

fn latency(block: &Block<'_>, draft: &mut Draft) {
    // The first of two lines is the mean per request, with three decimals where the table has none.
    report(draft, Metric::LatencyMean, block.after("Time per request:").and_then(number));
    let cells: Vec<Printed> =
        block.after("Total:").unwrap_or_default().split_whitespace().filter_map(number).collect();
    // With `-S` ab leaves out deviation and median.
    if let [min, _, _, _, max] | [min, _, max] = cells.as_slice() {
        report(draft, Metric::LatencyMin, Some(*min));
        report(draft, Metric::LatencyMax, Some(*max));
    }
    for line in block.lines.iter().skip_while(|line| !line.starts_with("Percentage of the requests")) {
        if let Some((share, rest)) = level(line, "%")
            && let Some(metric) = Metric::percentile(share)
        {
            report(draft, metric, number(rest));
        }
    }
}

fn parse_gnuplot(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let stem = Part::run_name(&GNUPLOT.part, source.stem()).to_owned();
    let rows = Rows::with_header(source, b'\t')?;
    let (seconds, time) = (rows.need("seconds")?, rows.need("ttime")?);
    recorder.tool("ApacheBench");
    recorder.sample_step(1.0);
    rows.each(recorder, |row, recorder| {
        let ms = row.number(time, "milliseconds")?;
        let start = row.number(seconds, "seconds since the epoch")? * 1e3;
        recorder.happened(start, Some(ms), None);
        recorder.endpoint(None, &stem).samples().add(Some(nanos(ms, 1e6)), None);
        Ok(())
    })
}

fn parse_percentiles(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let stem = Part::run_name(&PERCENTILES.part, source.stem()).to_owned();
    let rows = Rows::with_header(source, b',')?;
    recorder.tool("ApacheBench");
    let mut figures: Vec<(f64, f64)> = Vec::new();
    rows.each(recorder, |row, _| {
        figures.push((row.number(0, "a percentage")?, row.number(1, "milliseconds")?));
        Ok(())
    })?;
    // Of a single request ab prints one meaningless value up to 99 %.
    let few = figures.iter().filter(|(share, _)| *share < 100.0).all(|(_, ms)| Some(*ms) == figures.first().map(|f| f.1));
    let draft = recorder.endpoint(None, &stem);
    for (share, ms) in figures {
        let metric = match share {
            0.0 => Some(Metric::LatencyMin),
            100.0 => Some(Metric::LatencyMax),
            share => Metric::percentile(share / 100.0),
        };
        if let Some(metric) = metric.filter(|metric| !few || *metric == Metric::LatencyMax) {
            draft.reported(metric, ms, Some(0.001));
        }
    }
    Ok(())
}
