//! Figures of benchmark services, for load tests that feed one: github-action-benchmark's custom JSON and Bencher's metric
//! format.
//!
//! Quirks: a name and one value each, without counts. What the value is must be told by its unit and the last word of its
//! name: a time is the mean unless the name ends with another word; anything else is a figure of the user's own
//! (`custom:value`, or `custom:<measure>`). Bencher's `latency` is in ns and its `throughput` per second by convention.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::metric::Metric;
use crate::run::recorder::Recorder;

const GIVES: Gives = Gives { percentiles: "as named", failures: false, users: false, time: false };

pub(super) static GITHUB: Format = Format {
    id: "github-action-benchmark",
    tool: "github-action-benchmark",
    title: "`customSmallerIsBetter` or `customBiggerIsBetter` JSON",
    versions: "1",
    gives: GIVES,
    part: Part::Whole,
    sniff: |head| Confidence::plausible_if(head.json().has(&["[].name", "[].unit", "[].value"])),
    parse: parse_github,
};

pub(super) static BENCHER: Format = Format {
    id: "bencher",
    tool: "Bencher",
    title: "Bencher Metric Format: benchmark -> measure -> value",
    versions: "0.4",
    gives: GIVES,
    part: Part::Whole,
    sniff: sniff_bencher,
    parse: parse_bencher,
};

/// Largest file of this kind that makes sense.
const LIMIT: u64 = 64 << 20;

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    unit: String,
    /// A number, or one as text.
    value: Value,
}

fn parse_github(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let entries: Vec<Entry> = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool("github-action-benchmark");
    for entry in &entries {
        let Some(value) = entry.value.as_f64().or_else(|| entry.value.as_str()?.trim().parse().ok()) else {
            let found = super::rows::shown(&entry.value.to_string());
            return Err(ParseError::new(format!("expected a number as `value` of `{}`, found `{found}`", entry.name)));
        };
        let (name, word) = last_word(&entry.name);
        let (name, metric, factor) = match meaning(&entry.unit, &word) {
            Some((metric, factor, true)) => (name, metric, factor),
            Some((metric, factor, false)) => (entry.name.as_str(), metric, factor),
            None => (entry.name.as_str(), Metric::Custom("value".to_owned()), 1.0),
        };
        recorder.endpoint(None, name).reported(metric, value * factor, None);
    }
    Ok(())
}

/// The name without its last word, and that word in lower case: `GET /tools - p95` is `GET /tools` and `p95`.
fn last_word(name: &str) -> (&str, String) {
    let trimmed = name.trim().trim_end_matches([')', ']']);
    let at = trimmed.rfind(|c: char| c.is_whitespace() || matches!(c, '/' | ':' | '(' | '[' | '|')).map_or(0, |at| at + 1);
    let (before, word) = trimmed.split_at_checked(at).unwrap_or(("", trimmed));
    let before = before.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '/' | ':' | '(' | '[' | '|' | ','));
    (if before.is_empty() { name } else { before }, word.to_lowercase())
}

/// What a figure is by its unit and the last word of its name, times what it is in our unit, and whether the word is
/// used up.
fn meaning(unit: &str, word: &str) -> Option<(Metric, f64, bool)> {
    let unit = unit.trim().to_lowercase();
    let factor = match unit.split('/').next().unwrap_or_default() {
        "ns" | "nanoseconds" => Some(1e-6),
        "us" | "\u{b5}s" | "\u{3bc}s" | "microseconds" => Some(1e-3),
        "ms" | "milliseconds" | "millis" => Some(1.0),
        "s" | "sec" | "secs" | "seconds" => Some(1e3),
        _ => None,
    };
    if let Some(factor) = factor {
        let level = word.strip_prefix('p').or_else(|| word.strip_suffix('%')).and_then(|level| level.parse::<f64>().ok());
        let metric = match word {
            "mean" | "avg" | "average" => Metric::LatencyMean,
            "median" | "med" => Metric::LatencyP50,
            "min" | "fastest" => Metric::LatencyMin,
            "max" | "slowest" => Metric::LatencyMax,
            // As the benchmark tools that these services read print it.
            _ if level.is_none() => return Some((Metric::LatencyMean, factor, false)),
            _ => Metric::percentile(level? / 100.0)?,
        };
        return Some((metric, factor, true));
    }
    let requests = unit.split_once('/').is_some_and(|(what, per)| {
        ["r", "req", "reqs", "request", "requests", "hits"].contains(&what.trim())
            && ["s", "sec", "second"].contains(&per.trim())
    });
    if requests || ["rps", "tps", "qps"].contains(&unit.as_str()) {
        return Some((Metric::Throughput, 1.0, ["throughput", "rps", "rate"].contains(&word)));
    }
    None
}

/// An object of objects of objects that hold nothing but a value and its bounds.
fn sniff_bencher(head: &Head) -> Confidence {
    let shape = head.json();
    let own = |leaf: &&str| ["value", "lower_value", "upper_value"].iter().any(|word| leaf.ends_with(&format!(".{word}")));
    let (known, others): (Vec<&str>, Vec<&str>) = shape.leaves().partition(own);
    // Where the head ends, a name may stand without its value.
    let tolerated = usize::from(!head.whole);
    Confidence::plausible_if(shape.opens == Some('{') && !known.is_empty() && others.len() <= tolerated)
}

#[derive(Deserialize)]
struct Figure {
    value: f64,
}

fn parse_bencher(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let benchmarks: BTreeMap<String, BTreeMap<String, Figure>> = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool("Bencher");
    for (name, measures) in &benchmarks {
        let draft = recorder.endpoint(None, name);
        for (measure, figure) in measures {
            match measure.as_str() {
                "latency" => draft.reported(Metric::LatencyMean, figure.value / 1e6, None),
                "throughput" => draft.reported(Metric::Throughput, figure.value, None),
                other => draft.reported(Metric::Custom(other.to_owned()), figure.value, None),
            };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_and_last_word_tell_what_a_figure_is() {
        let check = |name: &str, unit: &str, wanted: Option<(&str, Metric)>| {
            let (rest, word) = last_word(name);
            let found = meaning(unit, &word).map(|(metric, _, used)| (if used { rest } else { name }, metric));
            assert_eq!(found, wanted, "{name} {unit}");
        };
        check("GET /tools - p95", "ms", Some(("GET /tools", Metric::LatencyP95)));
        check("checkout (median)", "s", Some(("checkout", Metric::LatencyP50)));
        check("GET /tools", "ms", Some(("GET /tools", Metric::LatencyMean)));
        check("GET /tools p97", "ms", None);
        check("My Custom Benchmark - Throughput", "req/s", Some(("My Custom Benchmark", Metric::Throughput)));
        check("search", "requests/sec", Some(("search", Metric::Throughput)));
        check("Free Memory", "Megabytes", None);
        check("Download max", "MB/s", None);
        check("records", "records/s", None);
    }
}
