//! drill: `--stats` text and `--report` YAML.
//!
//! Quirks: names are cut or padded to 25 columns; whole ms (`-n`: ns); p99, p99.5 and p99.9 only; the report holds one
//! iteration, whatever was asked for.

use super::console::{self, Reports, count, duration, number, report};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::Notice;
use crate::run::metric::Metric;
use crate::run::recorder::Recorder;

pub(super) static STATS: Format = Format {
    id: "drill",
    tool: "drill",
    title: "what drill prints with `--stats`",
    versions: "0.9",
    gives: Gives { percentiles: "p50 p99 p99.9, whole ms", failures: true, users: true, time: false },
    part: Part::Whole,
    sniff: sniff_stats,
    parse: parse_stats,
};

pub(super) static REPORT: Format = Format {
    id: "drill-report",
    tool: "drill",
    title: "`--report FILE`: one iteration only",
    versions: "0.9",
    gives: Gives { percentiles: "of one iteration", failures: true, users: false, time: false },
    part: Part::Whole,
    sniff: |head| {
        let mut lines = head.lines().filter(|line| *line != "---");
        let mut next = |key: &str| lines.next().is_some_and(|line| line.starts_with(key));
        Confidence::certain_if(next("- name: ") && next("  duration: ") && next("  status: "))
    },
    parse: parse_report,
};

fn sniff_stats(head: &Head) -> Confidence {
    let has = |word: &str| head.lines().any(|line| line.starts_with(word));
    // The figures may be far below the lines of single requests.
    let begins = has("Concurrency ") && has("Iterations ") && has("Base URL ");
    let ends = has("Time taken for tests  ") && has("Total requests  ") && head.text.contains("'th percentile  ");
    Confidence::certain_if(begins || ends)
}

fn parse_stats(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("drill");
    let mut names = Reports::default();
    let mut name: Option<String> = None;
    for line in text.lines() {
        if let Some(users) = line.strip_prefix("Concurrency ").and_then(count) {
            recorder.users(users as f64);
        }
        if let Some(taken) = line.strip_prefix("Time taken for tests").and_then(duration) {
            recorder.duration_s(taken.value / 1e3);
        }
        let Some((before, key, cell)) = figure(line) else { continue };
        if key == "Total requests" {
            name = (!before.is_empty()).then(|| names.name(before));
        }
        let draft = match &name {
            Some(name) => recorder.endpoint(None, name),
            None => recorder.total(),
        };
        match key {
            "Total requests" => drop(count(cell).map(|requests| draft.requests(requests))),
            "Failed requests" => drop(count(cell).map(|failures| draft.failures(failures))),
            "Requests per second" => report(draft, Metric::Throughput, number(cell)),
            "Median time per request" => report(draft, Metric::LatencyP50, duration(cell)),
            "Average time per request" => report(draft, Metric::LatencyMean, duration(cell)),
            "Max time per request" => report(draft, Metric::LatencyMax, duration(cell)),
            "99.0'th percentile" => report(draft, Metric::LatencyP99, duration(cell)),
            _ => report(draft, Metric::LatencyP999, duration(cell)),
        }
    }
    if recorder.is_empty() {
        let error = ParseError::new("no figures after the requests");
        return Err(error.hint("run drill with `--stats`; was it interrupted?"));
    }
    Ok(())
}

/// What stands before a key, the key, and what follows.
fn figure(line: &str) -> Option<(&str, &'static str, &str)> {
    const KEYS: [&str; 8] = [
        "Total requests",
        "Failed requests",
        "Requests per second",
        "Median time per request",
        "Average time per request",
        "Max time per request",
        "99.0'th percentile",
        "99.9'th percentile",
    ];
    KEYS.into_iter().find_map(|key| {
        let (before, cell) = line.rsplit_once(key)?;
        let padded = before.is_empty() || before.ends_with(' ');
        (padded && cell.starts_with(' ')).then(|| (before.trim_end(), key, cell.trim()))
    })
}

fn parse_report(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("drill");
    recorder.sample_step(0.0);
    let mut name = None;
    let mut ms: Option<f64> = None;
    for (line, at) in text.lines().zip(1_u64..) {
        if let Some(rest) = line.strip_prefix("- name: ") {
            name = Some(unquoted(rest));
            ms = None;
        } else if let Some(rest) = line.strip_prefix("  duration: ") {
            ms = rest.trim().parse().ok().filter(|ms: &f64| ms.is_finite() && *ms >= 0.0);
        } else if let (Some(status), Some(name)) = (line.strip_prefix("  status: "), name) {
            let (Some(ms), Ok(status)) = (ms, status.trim().parse::<u64>()) else {
                recorder.bad_row(at, "expected a duration and a status");
                continue;
            };
            let good = (200..400).contains(&status);
            recorder.endpoint(None, name).samples().add(Some(super::rows::nanos(ms, 1e6)), Some(good));
            recorder.good_row();
        }
    }
    let message = "drill's report holds one iteration: too few requests to judge; give what `--stats` prints";
    recorder.notice(Notice::new("one_iteration", message).in_file(source.name));
    Ok(())
}

/// A YAML scalar without the quotes around it.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}
