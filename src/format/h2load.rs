//! h2load (nghttp2): the text it prints and `--log-file`.
//!
//! Quirks: every cell has its own unit; `failed` includes the errored ones; the table's header says which columns there are
//! (since 1.66 with percentiles); nothing answered gives `0us` everywhere; status -1 is a failed request.

use super::console::{self, count, duration, number, report};
use super::rows::{Rows, nanos};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::metric::Metric;
use crate::run::recorder::Recorder;

/// What people append to one name when they save both.
const SUFFIXES: &[&str] = &[".log", "-log", "_log"];

pub(super) static TEXT: Format = Format {
    id: "h2load",
    tool: "h2load",
    title: "what h2load prints",
    versions: "1.52, and 1.66 with percentiles",
    gives: Gives { percentiles: "none; p50 p95 p99 since 1.66", failures: true, users: true, time: false },
    part: Part::Main { rank: 1, suffixes: SUFFIXES },
    sniff: |head| {
        let has = |word: &str| head.lines().any(|line| line.trim_start().starts_with(word));
        Confidence::certain_if(has("finished in ") && has("requests: ") && head.lines().any(|line| times(line).is_some()))
    },
    parse: parse_text,
};

pub(super) static LOG: Format = Format {
    id: "h2load-log",
    tool: "h2load",
    title: "`--log-file FILE`: start, status and duration of every request",
    versions: "1.52",
    gives: Gives { percentiles: "any (from samples)", failures: true, users: false, time: true },
    part: Part::Main { rank: 0, suffixes: SUFFIXES },
    sniff: sniff_log,
    parse: parse_log,
};

/// The row of latencies: `time for request:`, or `request     :` since percentiles are printed.
fn times(line: &str) -> Option<&str> {
    console::after(line, "time for request:").or_else(|| console::after(line, "request")?.strip_prefix(':'))
}

fn parse_text(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("h2load");
    let after = |key: &str| text.lines().find_map(|line| console::after(line, key));
    let clients = text.lines().filter_map(|line| console::after(line, "spawning thread #"));
    let users = clients.filter_map(|rest| count(rest.split_once(':')?.1)).fold(0_u64, u64::saturating_add);
    recorder.users(users as f64);
    let finished = after("finished in ").unwrap_or_default();
    if let Some(taken) = duration(finished) {
        recorder.duration_s(taken.value / 1e3);
    }
    let cells = |row: &str| -> Vec<(String, u64)> {
        row.split(',')
            .filter_map(|cell| cell.trim().split_once(' '))
            .filter_map(|(times, word)| Some((word.trim().to_owned(), count(times)?)))
            .collect()
    };
    let requests = cells(after("requests:").unwrap_or_default());
    let cell = |word: &str| requests.iter().find(|(own, _)| own == word).map(|(_, times)| *times);
    let Some(total) = cell("total") else {
        return Err(ParseError::new("expected `requests: N total, …`").hint("was h2load interrupted?"));
    };
    let draft = recorder.endpoint(None, source.stem());
    draft.requests(total);
    if let Some(failed) = cell("failed") {
        draft.failures(failed);
    }
    for (word, times) in cells(after("status codes:").unwrap_or_default()) {
        if word.starts_with(['4', '5']) {
            draft.error(&format!("HTTP {word}"), times);
        }
    }
    for word in ["errored", "timeout"] {
        draft.error(word, cell(word).unwrap_or(0));
    }
    report(draft, Metric::Throughput, finished.split(',').nth(1).and_then(number));
    let header = text.lines().find(|line| line.split_whitespace().take(2).eq(["min", "max"])).unwrap_or_default();
    let row: Vec<&str> = text.lines().find_map(times).unwrap_or_default().split_whitespace().collect();
    // Nothing answered: all zero.
    if row.get(1).and_then(|max| duration(max)).is_none_or(|max| max.value == 0.0) {
        return Ok(());
    }
    for (word, cell) in header.split_whitespace().zip(row) {
        let metric = match word {
            "min" => Metric::LatencyMin,
            "max" => Metric::LatencyMax,
            "mean" => Metric::LatencyMean,
            "median" => Metric::LatencyP50,
            word => {
                let level = word.strip_prefix('p').and_then(|level| level.parse::<f64>().ok());
                let Some(metric) = level.and_then(|level| Metric::percentile(level / 100.0)) else { continue };
                metric
            }
        };
        report(draft, metric, duration(cell));
    }
    Ok(())
}

fn sniff_log(head: &Head) -> Confidence {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [start, status, time] = cells[..] else { return false };
        start.len() == 16
            && start.parse::<u64>().is_ok()
            && status.parse::<i64>().is_ok()
            && time.trim_end().parse::<i64>().is_ok()
    };
    // The third line may be cut.
    let mut lines = head.lines().take(3).peekable();
    Confidence::certain_if(lines.peek().is_some_and(|line| row(line)) && lines.take(2).all(row))
}

fn parse_log(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let name = LOG.part.run_name(source.stem()).to_owned();
    recorder.tool("h2load");
    recorder.sample_step(0.001);
    Rows::without_header(source, b'\t').each(recorder, |row, recorder| {
        let start = row.whole(0, "microseconds since the epoch")? as f64 / 1e3;
        let status: i64 = row.text(1).parse().ok().ok_or("expected a status code")?;
        let us = row.number(2, "microseconds")?;
        let good = (200..400).contains(&status);
        recorder.happened(start, Some(us / 1e3), Some(good));
        let draft = recorder.endpoint(None, &name);
        draft.samples().add(Some(nanos(us, 1e3)), Some(good));
        if !good {
            let text = if status < 0 { "no response".to_owned() } else { format!("HTTP {status}") };
            draft.error(&text, 1);
        }
        Ok(())
    })
}
