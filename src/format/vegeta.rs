//! vegeta `report`: JSON, text, histogram and HDR plot. One report mixes all targets, so it is a total without endpoints.
//!
//! Quirks: JSON is in nanoseconds; percentiles are t-digest estimates; `rate` is requests sent per second, `throughput`
//! only the successful ones; code 0 is a request without an answer; `errors` are texts without counts; the list in brackets
//! says which latencies follow, and old versions list fewer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::console::{self, Block, Reports, count, duration, number, report};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

/// What people append to one name when they save several reports of one attack.
pub(super) const SUFFIXES: &[&str] =
    &[".report", "-report", "_report", ".results", ".buckets", ".hist", ".hdrplot", ".encoded"];

const GIVES: Gives = Gives { percentiles: "p50 p90 p95 p99", failures: true, users: false, time: true };

pub(super) static JSON: Format = Format {
    id: "vegeta-report-json",
    tool: "vegeta",
    title: "`vegeta report -type=json`",
    versions: "12.13",
    gives: GIVES,
    part: Part::Main { rank: 1, suffixes: SUFFIXES },
    sniff: |head| Confidence::certain_if(head.json().has(&["latencies", "latencies.mean", "status_codes"])),
    parse: parse_json,
};

pub(super) static TEXT: Format = Format {
    id: "vegeta-report",
    tool: "vegeta",
    title: "`vegeta report`",
    versions: "12.13",
    gives: Gives { time: false, ..GIVES },
    part: Part::Main { rank: 2, suffixes: SUFFIXES },
    sniff: |head| Confidence::certain_if(head.lines().any(begins)),
    parse: parse_text,
};

pub(super) static HDR: Format = Format {
    id: "vegeta-hdrplot",
    tool: "vegeta",
    title: "`vegeta report -type=hdrplot`",
    versions: "12.13",
    gives: Gives { percentiles: "p50 p75 p90 p95 p99 p99.9", failures: false, users: false, time: false },
    part: Part::Main { rank: 3, suffixes: SUFFIXES },
    sniff: |head| Confidence::certain_if(words(head.first_line()) == HDR_HEADER),
    parse: parse_hdr,
};

pub(super) static HIST: Format = Format {
    id: "vegeta-hist",
    tool: "vegeta",
    title: "`vegeta report -type=hist[…]`: counts only",
    versions: "12.13",
    gives: Gives { percentiles: "none", failures: false, users: false, time: false },
    part: Part::Main { rank: 4, suffixes: SUFFIXES },
    sniff: |head| {
        Confidence::certain_if(head.lines().any(is_hist_header) && !head.lines().any(begins))
    },
    parse: parse_hist,
};

const HDR_HEADER: [&str; 4] = ["Value(ms)", "Percentile", "TotalCount", "1/(1-Percentile)"];

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn is_hist_header(line: &str) -> bool {
    words(line) == ["Bucket", "#", "%", "Histogram"]
}

/// Largest report that makes sense.
const LIMIT: u64 = 64 << 20;

#[derive(Deserialize)]
struct Wire {
    latencies: BTreeMap<String, Option<f64>>,
    #[serde(default)]
    earliest: Option<String>,
    #[serde(default)]
    end: Option<String>,
    /// Of the attack, without the wait for the last answer.
    #[serde(default)]
    duration: Option<f64>,
    #[serde(default)]
    wait: Option<f64>,
    requests: u64,
    #[serde(default)]
    rate: Option<f64>,
    #[serde(default)]
    status_codes: Option<BTreeMap<String, u64>>,
}

fn parse_json(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = source.text(LIMIT)?;
    let reports = serde_json::Deserializer::from_str(&text).into_iter().collect::<Result<Vec<Wire>, _>>()?;
    recorder.tool("vegeta");
    let alone = reports.len() == 1;
    let mut several = Reports::default();
    for wire in reports {
        let time = |text: &Option<String>| text.as_ref()?.parse::<Timestamp>().ok();
        if let Some((earliest, end)) = time(&wire.earliest).zip(time(&wire.end)) {
            recorder.spans(millis(earliest), millis(end));
        }
        let seconds = wire.duration.map(|duration| (duration + wire.wait.unwrap_or(0.0)) / 1e9);
        let codes = wire.status_codes.unwrap_or_default();
        let failures = (!codes.is_empty() || wire.requests == 0).then(|| failures(wire.requests, &codes));
        several.add(Some(wire.requests), failures, seconds);
        let draft = if alone { recorder.total() } else { recorder.endpoint(None, &several.name(source.stem())) };
        record_counts(draft, wire.requests, failures, &codes);
        if let Some(rate) = wire.rate {
            draft.reported(Metric::Throughput, rate, Some(0.0));
        }
        if wire.requests == 0 {
            continue;
        }
        for (key, nanos) in &wire.latencies {
            if let (Some(metric), Some(nanos)) = (latency_metric(key.strip_suffix("th").unwrap_or(key)), nanos) {
                draft.reported(metric, nanos / 1e6, Some(0.0));
            }
        }
    }
    several.finish(recorder);
    Ok(())
}

/// `mean`, `50`, `max` as reports name them.
fn latency_metric(word: &str) -> Option<Metric> {
    Some(match word {
        "mean" => Metric::LatencyMean,
        "min" => Metric::LatencyMin,
        "max" => Metric::LatencyMax,
        level => Metric::percentile(level.parse::<f64>().ok()? / 100.0)?,
    })
}

/// Milliseconds since the epoch with their fraction.
pub(super) fn millis(time: Timestamp) -> f64 {
    time.as_nanosecond() as f64 / 1e6
}

/// All but codes 200 to 399.
fn failures(requests: u64, codes: &BTreeMap<String, u64>) -> u64 {
    let good = |code: &str| code.parse().is_ok_and(|code: u64| (200..400).contains(&code));
    let fine = codes.iter().filter(|(code, _)| good(code)).fold(0_u64, |sum, (_, times)| sum.saturating_add(*times));
    requests.saturating_sub(fine)
}

fn record_counts(draft: &mut Draft, requests: u64, failures: Option<u64>, codes: &BTreeMap<String, u64>) {
    draft.requests(requests);
    if let Some(failures) = failures {
        draft.failures(failures);
    }
    for (code, times) in codes {
        match code.parse::<u64>() {
            Ok(0) => draft.error("no response", *times),
            Ok(200..400) => draft,
            _ => draft.error(&format!("HTTP {code}"), *times),
        };
    }
}

/// `Requests      [total, rate, throughput]  …`, the first line of a report.
fn begins(line: &str) -> bool {
    console::after(line, "Requests").is_some_and(|rest| rest.starts_with("[total, rate"))
}

fn parse_text(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("vegeta");
    let blocks = console::blocks(&text, begins);
    let alone = blocks.len() == 1;
    let mut several = Reports::default();
    for block in blocks {
        let figures = |key| figures(&block, key);
        let requests = figures("Requests").get("total").and_then(|cell| count(cell));
        let Some(requests) = requests else {
            return Err(ParseError::new("expected a number of requests").at_line(block.line));
        };
        let codes: BTreeMap<String, u64> = block
            .after("Status Codes")
            .and_then(|rest| rest.split_once(']'))
            .map(|(_, cells)| cells.split_whitespace().filter_map(|cell| cell.split_once(':')))
            .into_iter()
            .flatten()
            .filter_map(|(code, times)| Some((code.to_owned(), count(times)?)))
            .collect();
        let failed = (!codes.is_empty()).then(|| failures(requests, &codes));
        let seconds = figures("Duration").get("total").and_then(|cell| duration(cell)).map(|total| total.value / 1e3);
        several.add(Some(requests), failed, seconds);
        let draft = if alone { recorder.total() } else { recorder.endpoint(None, &several.name(source.stem())) };
        record_counts(draft, requests, failed, &codes);
        report(draft, Metric::Throughput, figures("Requests").get("rate").and_then(|cell| number(cell)));
        if requests > 0 {
            for (word, cell) in figures("Latencies") {
                if let Some(metric) = latency_metric(word) {
                    report(draft, metric, duration(cell));
                }
            }
        }
    }
    several.finish(recorder);
    Ok(())
}

/// `Key  [a, b]  1, 2`: the words in brackets and what stands at their places.
fn figures<'a>(block: &Block<'a>, key: &str) -> BTreeMap<&'a str, &'a str> {
    let row = block.after(key).and_then(|rest| rest.strip_prefix('[')).and_then(|rest| rest.split_once(']'));
    let (words, cells) = row.unwrap_or_default();
    words.split(',').map(str::trim).zip(cells.split(',').map(str::trim)).collect()
}

fn parse_hdr(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("vegeta");
    let draft = recorder.total();
    for (line, at) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()).skip(1) {
        let [value, share, total, _] = words(line)[..] else {
            return Err(ParseError::new("expected value, percentile, count and a fourth cell").at_line(at));
        };
        let (Some(value), Ok(share), Some(total)) = (number(value), share.parse::<f64>(), count(total)) else {
            return Err(ParseError::new("expected numbers").at_line(at));
        };
        draft.requests(total);
        if let Some(metric) = Metric::percentile(share) {
            report(draft, metric, Some(value));
        }
        if share == 0.0 {
            report(draft, Metric::LatencyMin, Some(value));
        } else if share == 1.0 {
            report(draft, Metric::LatencyMax, Some(value));
        }
    }
    Ok(())
}

/// Rows `[0s,  5ms]  118  19.67%  ###`: the counts; latency is not known beyond the bounds.
fn parse_hist(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("vegeta");
    let mut requests = 0_u64;
    for line in text.lines().skip_while(|line| !is_hist_header(line)).skip(1) {
        let cells = line.trim_start().strip_prefix('[').and_then(|line| line.split_once(']'));
        let Some((_, cells)) = cells else { break };
        requests = requests.saturating_add(count(cells).unwrap_or(0));
    }
    recorder.total().requests(requests);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_in_brackets_says_what_follows() {
        let text = "Requests [total, rate]  4500, 300.07\nLatencies [mean, 50, max]  6.022239ms, 6ms, 1m2s";
        let block = &console::blocks(text, begins)[0];
        assert_eq!(figures(block, "Latencies").get("max"), Some(&"1m2s"));
        assert_eq!(figures(block, "Nothing").len(), 1, "an empty word without a figure");
    }
}
