//! siege: the text it prints, `-j` JSON, `siege.log`, and verbose lines (one per request).
//!
//! Quirks: seconds with two decimals (some 4.2 builds print `ms`, so the unit is read); `transactions` leaves out the failed
//! ones; no percentiles; the log has one line per run, of which the last is read; output may be mixed with verbose lines.

use serde::Deserialize;

use super::console::{self, Printed, count, duration_or, number, report};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::Notice;
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

const GIVES: Gives = Gives { percentiles: "none", failures: true, users: false, time: false };

pub(super) static TEXT: Format = Format {
    id: "siege",
    tool: "siege",
    title: "what siege prints (on stderr), verbose lines and all",
    versions: "4.0.7",
    gives: GIVES,
    part: Part::Whole,
    sniff: |head| {
        let has = |word| head.lines().any(|line| at(line, word).is_some());
        Confidence::certain_if(["Transactions:", "Availability:", "Elapsed time:"].into_iter().all(has))
    },
    parse: parse_text,
};

pub(super) static JSON: Format = Format {
    id: "siege-json",
    tool: "siege",
    title: "JSON (`-j`)",
    versions: "4.0.7",
    gives: GIVES,
    part: Part::Whole,
    sniff: |head| {
        let marks = ["\"transactions\":", "\"availability\":", "\"longest_transaction\":"];
        Confidence::certain_if(marks.iter().all(|mark| head.text.contains(mark)))
    },
    parse: parse_json,
};

pub(super) static LOG: Format = Format {
    id: "siege-log",
    tool: "siege",
    title: "`siege.log`: the last run in it",
    versions: "4.0.7",
    gives: Gives { time: true, ..GIVES },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(head.lines().take(50).any(is_log_header)),
    parse: parse_log,
};

pub(super) static VERBOSE: Format = Format {
    id: "siege-verbose",
    tool: "siege",
    title: "verbose lines without a summary (`-v`)",
    versions: "4.0.7",
    gives: Gives { percentiles: "any (from samples), 10 ms steps", ..GIVES },
    part: Part::Whole,
    sniff: sniff_verbose,
    parse: parse_verbose,
};

/// Figures of one run; latencies in ms.
#[derive(Default)]
struct Figures {
    /// Completed, without the failed ones.
    transactions: Option<u64>,
    failed: Option<u64>,
    seconds: Option<f64>,
    rate: Option<Printed>,
    mean: Option<Printed>,
    longest: Option<Printed>,
    shortest: Option<Printed>,
}

impl Figures {
    fn record(&self, recorder: &mut Recorder, name: &str) {
        if let Some(seconds) = self.seconds {
            recorder.duration_s(seconds);
        }
        let draft: &mut Draft = recorder.endpoint(None, name);
        if let Some(requests) = self.transactions.zip(self.failed).and_then(|(done, failed)| done.checked_add(failed)) {
            draft.requests(requests);
        }
        if let Some(failed) = self.failed {
            draft.failures(failed);
        }
        report(draft, Metric::Throughput, self.rate);
        // Of nothing completed siege prints zeros.
        if self.transactions.is_some_and(|done| done > 0) {
            report(draft, Metric::LatencyMean, self.mean);
            report(draft, Metric::LatencyMin, self.shortest);
            report(draft, Metric::LatencyMax, self.longest);
        }
    }
}

/// What follows `key` anywhere in a line: stdout and stderr share a file at times.
fn at<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split_once(key).map(|(_, rest)| rest.trim())
}

fn parse_text(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("siege");
    // The last summary counts; earlier ones in the same transcript are said to be there.
    let starts: Vec<(usize, &str)> = text.lines().enumerate().filter(|(_, line)| at(line, "Transactions:").is_some()).collect();
    let first = starts.last().map_or(0, |(line, _)| *line);
    if starts.len() > 1 {
        let message = format!("holds {} summaries; the last one was read", starts.len());
        recorder.notice(Notice::new("several_reports", message).in_file(source.name).at_line(first as u64 + 1));
    }
    let find = |key| text.lines().skip(first).find_map(|line| at(line, key));
    let seconds = |key| find(key).and_then(|cell| duration_or(cell, Some(1e3)));
    let figures = Figures {
        transactions: find("Transactions:").and_then(count),
        failed: find("Failed transactions:").and_then(count),
        seconds: seconds("Elapsed time:").map(|elapsed| elapsed.value / 1e3),
        rate: find("Transaction rate:").and_then(number),
        mean: seconds("Response time:"),
        longest: seconds("Longest transaction:"),
        shortest: seconds("Shortest transaction:"),
    };
    figures.record(recorder, source.stem());
    Ok(())
}

/// The keys of `-j`, in seconds; numbers only.
#[derive(Deserialize)]
struct Wire {
    transactions: u64,
    elapsed_time: f64,
    response_time: f64,
    transaction_rate: f64,
    failed_transactions: u64,
    longest_transaction: f64,
    shortest_transaction: f64,
}

fn parse_json(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("siege");
    // Log lines may stand before it, and braces in them; of several summaries the last one counts.
    let mark = text.rfind("\"transactions\"").unwrap_or(0);
    let start = text.get(..mark).and_then(|before| before.rfind('{')).unwrap_or(0);
    let lines_before = text.get(..start).map_or(0, |before| before.matches('\n').count()) as u64;
    let summaries = text.matches("\"transactions\"").count();
    if summaries > 1 {
        let message = format!("holds {summaries} summaries; the last one was read");
        recorder.notice(Notice::new("several_reports", message).in_file(source.name).at_line(lines_before + 1));
    }
    let document = text.get(start..).unwrap_or_default();
    let wire = serde_json::Deserializer::from_str(document).into_iter::<Wire>().next();
    let wire = wire.ok_or_else(|| ParseError::new("no JSON in it"))?.map_err(|error| {
        let error = ParseError::from(error);
        let line = error.line.map_or(1, |line| line + lines_before);
        error.at_line(line)
    })?;
    // Two decimals, whatever the number looks like after parsing.
    let seconds = |value: f64| Some(Printed { value: value * 1e3, step: 10.0 });
    let figures = Figures {
        transactions: Some(wire.transactions),
        failed: Some(wire.failed_transactions),
        seconds: Some(wire.elapsed_time),
        rate: Some(Printed { value: wire.transaction_rate, step: 0.01 }),
        mean: seconds(wire.response_time),
        longest: seconds(wire.longest_transaction),
        shortest: seconds(wire.shortest_transaction),
    };
    figures.record(recorder, source.stem());
    Ok(())
}

fn is_log_header(line: &str) -> bool {
    let mut cells = line.split(',').map(str::trim);
    cells.next() == Some("Date & Time") && cells.next() == Some("Trans")
}

fn parse_log(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("siege");
    let mut runs = 0;
    let mut last: Option<(u64, Vec<&str>)> = None;
    for (line, at) in text.lines().zip(1_u64..) {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        if cells.len() == 10 && !is_log_header(line) {
            runs += 1;
            last = Some((at, cells));
        }
    }
    let Some((line, cells)) = last else { return Ok(()) };
    if runs > 1 {
        let notice = Notice::new("several_reports", format!("holds {runs} runs; the last one was read"));
        recorder.notice(notice.in_file(source.name).at_line(line));
    }
    let [_, transactions, elapsed, _, response, rate, _, _, _, failed] = cells[..] else { return Ok(()) };
    let seconds = |cell: &str| number(cell).map(|value| value.times(1e3));
    let figures = Figures {
        transactions: count(transactions),
        failed: count(failed),
        seconds: seconds(elapsed).map(|elapsed| elapsed.value / 1e3),
        rate: number(rate),
        mean: seconds(response),
        ..Figures::default()
    };
    if figures.transactions.is_none() {
        return Err(ParseError::new("expected a number of transactions").at_line(line));
    }
    figures.record(recorder, source.stem());
    Ok(())
}

/// One request of the verbose output.
struct Hit<'a> {
    code: u64,
    seconds: f64,
    method: Option<&'a str>,
    path: &'a str,
}

/// `HTTP/1.1 200   0.36 secs:   18111 bytes ==> GET  /path`, or `4,HTTP/1.1,200, 0.36, 3372,/,0,2015-12-20 21:30:13`.
fn hit(line: &str) -> Option<Hit<'_>> {
    let rest = line.split_once("HTTP/")?.1;
    if let Some((head, target)) = rest.split_once("==>") {
        let mut cells = head.split_whitespace().skip(1);
        let (code, seconds) = (cells.next()?.parse().ok()?, cells.next()?.parse().ok()?);
        let (method, path) = target.trim().split_once(char::is_whitespace)?;
        return Some(Hit { code, seconds, method: Some(method), path: path.trim() });
    }
    let cells: Vec<&str> = rest.split(',').map(str::trim).collect();
    let [_, code, seconds, _, path, ..] = cells[..] else { return None };
    Some(Hit { code: code.parse().ok()?, seconds: seconds.parse().ok()?, method: None, path })
}

fn sniff_verbose(head: &Head) -> Confidence {
    let text = console::plain(&head.text);
    let summary = text.contains("Transactions:") || text.contains("\"transactions\":");
    let lines = text.lines().filter(|line| !line.trim().is_empty()).take(20);
    let (hits, all) = lines.fold((0, 0), |(hits, all), line| (hits + u32::from(hit(line).is_some()), all + 1));
    Confidence::plausible_if(!summary && hits > 0 && hits * 2 > all)
}

fn parse_verbose(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("siege");
    recorder.sample_step(10.0);
    for line in text.lines() {
        let Some(hit) = hit(line).filter(|hit| hit.seconds.is_finite() && hit.seconds >= 0.0) else { continue };
        let draft = recorder.endpoint(hit.method, hit.path);
        draft.samples().add(Some(super::rows::nanos(hit.seconds, 1e9)), Some(hit.code < 400));
    }
    Ok(())
}
