//! What JMeter sums up itself: the dashboard's `statistics.json`, the CSV that the Aggregate and the Summary Report save, and
//! the summariser's lines on the console and in `jmeter.log`.
//!
//! Quirks: the dashboard's percentiles are numbered, not named (90, 95 and 99 unless configured), and its total leaves
//! transaction controllers out; the tables are in the language and with the decimal comma of the machine, so columns go by
//! place, failures are a percentage, and throughput may be `16.4/min`; `summary +` lines are intervals, the last `summary =`
//! is the run.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::console::{self, number};
use super::jmeter_csv::PARTS;
use super::rows::shown;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

pub(super) static STATISTICS: Format = Format {
    id: "jmeter-statistics",
    tool: "JMeter",
    title: "the dashboard's `statistics.json` (`-e -o FOLDER`)",
    versions: "3.0 to 5.6",
    gives: Gives { percentiles: "p50, and p90 p95 p99 as by default", failures: true, users: false, time: false },
    part: Part::Main { rank: 2, suffixes: PARTS },
    sniff: |head| {
        let has = |word| head.json().below_top().any(|key| key == word);
        Confidence::certain_if(has("sampleCount") && has("errorCount") && has("meanResTime"))
    },
    parse: parse_statistics,
};

pub(super) static TABLE: Format = Format {
    id: "jmeter-table",
    tool: "JMeter",
    title: "CSV saved from the Aggregate or Summary Report, in any language",
    versions: "2.8 to 5.6",
    gives: Gives { percentiles: "as in the header (Aggregate Report), whole ms", failures: true, users: false, time: false },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(Table::of(&head.text).is_some()),
    parse: parse_table,
};

pub(super) static SUMMARISER: Format = Format {
    id: "jmeter-summary",
    tool: "JMeter",
    title: "the summariser's lines: console output or `jmeter.log`",
    versions: "2.8 to 5.6",
    gives: Gives { percentiles: "none", failures: true, users: false, time: true },
    part: Part::Main { rank: 4, suffixes: PARTS },
    sniff: sniff_summary,
    parse: parse_summary,
};

/// Largest file of this kind that makes sense.
const LIMIT: u64 = 64 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statistic {
    sample_count: u64,
    error_count: u64,
    /// Times and rates may be text (`NaN`).
    #[serde(default)]
    mean_res_time: Value,
    #[serde(default)]
    median_res_time: Value,
    #[serde(default)]
    min_res_time: Value,
    #[serde(default)]
    max_res_time: Value,
    #[serde(default, rename = "pct1ResTime")]
    pct1: Value,
    #[serde(default, rename = "pct2ResTime")]
    pct2: Value,
    #[serde(default, rename = "pct3ResTime")]
    pct3: Value,
    #[serde(default)]
    throughput: Value,
}

fn parse_statistics(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let statistics: BTreeMap<String, Statistic> = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool("JMeter");
    for (label, statistic) in &statistics {
        let draft = if label == "Total" { recorder.total() } else { recorder.endpoint(None, label) };
        draft.requests(statistic.sample_count).failures(statistic.error_count);
        let figures = [
            (Metric::LatencyMean, &statistic.mean_res_time, 0.0),
            (Metric::LatencyP50, &statistic.median_res_time, 1.0),
            (Metric::LatencyMin, &statistic.min_res_time, 1.0),
            (Metric::LatencyMax, &statistic.max_res_time, 1.0),
            (Metric::LatencyP90, &statistic.pct1, 1.0),
            (Metric::LatencyP95, &statistic.pct2, 1.0),
            (Metric::LatencyP99, &statistic.pct3, 1.0),
            (Metric::Throughput, &statistic.throughput, 0.0),
        ];
        for (metric, value, step) in figures.into_iter().filter(|_| statistic.sample_count > 0) {
            if let Some(value) = value.as_f64() {
                draft.reported(metric, value, Some(step));
            }
        }
    }
    Ok(())
}

/// Which columns of a saved report hold what; the first three are label, samples and average.
struct Table {
    delimiter: u8,
    /// Whether the header is in English.
    english: bool,
    figures: Vec<(usize, Metric)>,
    percent: usize,
}

impl Table {
    fn of(text: &str) -> Option<Self> {
        [b',', b';', b'\t'].into_iter().find_map(|delimiter| Self::with(text, delimiter))
    }

    fn with(text: &str, delimiter: u8) -> Option<Self> {
        let mut rows = reader(text, delimiter).into_records().map_while(Result::ok);
        let (header, first) = (rows.next()?, rows.next()?);
        let cell = |at: usize| header.get(at).unwrap_or_default().trim();
        let english = cell(0) == "Label" && cell(1) == "# Samples";
        // Of the other languages many begin with the sign, all have the same columns.
        let percent = first.iter().position(|cell| cell.trim().ends_with('%')).filter(|at| *at >= 6)?;
        let numbers = first.iter().skip(1).all(|cell| locale_number(cell).is_some() || cell.trim().is_empty());
        let counted = first.get(1)?.trim().parse::<u64>().is_ok();
        let shape = numbers && counted && first.len() == header.len() && (9..=16).contains(&header.len());
        if !(english || (shape && locale_number(cell(0)).is_none() && locale_number(cell(2)).is_none())) {
            return None;
        }
        let mut figures = vec![(2, Metric::LatencyMean)];
        // Six columns before the percentage are the Summary Report, more of them percentiles of the Aggregate Report.
        if percent == 6 {
            figures.extend([(3, Metric::LatencyMin), (4, Metric::LatencyMax)]);
        } else {
            figures.extend([(3, Metric::LatencyP50), (percent - 2, Metric::LatencyMin), (percent - 1, Metric::LatencyMax)]);
            figures.extend((4..percent - 2).filter_map(|at| {
                let text = cell(at);
                let level = number(text.get(text.find(|c: char| c.is_ascii_digit())?..)?)?;
                Some((at, Metric::percentile(level.value / 100.0)?))
            }));
        }
        Some(Self { delimiter, english, figures, percent })
    }
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes())
}

/// One row of a saved report.
struct Line {
    at: u64,
    label: String,
    samples: u64,
    cells: csv::StringRecord,
}

fn parse_table(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = source.text(LIMIT)?;
    let table = Table::of(&text).ok_or_else(|| {
        ParseError::new("expected label, samples, average and a percentage of errors in every row").at_line(1)
    })?;
    recorder.tool("JMeter");
    let mut lines = Vec::new();
    for cells in reader(&text, table.delimiter).into_records().skip(1) {
        let cells = cells?;
        let at = cells.position().map_or(0, csv::Position::line);
        let samples = cells.get(1).unwrap_or_default().trim();
        let samples = samples.parse().ok().ok_or_else(|| {
            ParseError::new(format!("expected a number of samples, found `{}`", shown(samples))).at_line(at)
        })?;
        lines.push(Line { at, label: cells.get(0).unwrap_or_default().to_owned(), samples, cells });
    }
    let last = lines.pop();
    let others = lines.iter().try_fold(0_u64, |sum, line| sum.checked_add(line.samples));
    let is_total = |line: &Line| {
        line.label.eq_ignore_ascii_case("total") || (!table.english && !lines.is_empty() && others == Some(line.samples))
    };
    if let Some(line) = &last {
        let draft = if is_total(line) { recorder.total() } else { recorder.endpoint(None, &line.label) };
        record(&table, line, draft)?;
    }
    for line in &lines {
        record(&table, line, recorder.endpoint(None, &line.label))?;
    }
    Ok(())
}

fn record(table: &Table, line: &Line, draft: &mut Draft) -> Result<(), ParseError> {
    let cell = |at: usize| line.cells.get(at).unwrap_or_default();
    let percent = locale_number(cell(table.percent)).filter(|percent| (0.0..=100.0).contains(percent)).ok_or_else(|| {
        ParseError::new(format!("expected a percentage of errors, found `{}`", shown(cell(table.percent)))).at_line(line.at)
    })?;
    draft.requests(line.samples).failures((line.samples as f64 * percent / 100.0).round() as u64);
    if line.samples == 0 {
        return Ok(());
    }
    for (at, metric) in &table.figures {
        if let Some(ms) = locale_number(cell(*at)) {
            draft.reported(metric.clone(), ms, Some(1.0));
        }
    }
    if let Some(rate) = locale_number(cell(table.percent + 1)) {
        draft.reported(Metric::Throughput, rate, None);
    }
    Ok(())
}

/// `3.58`, `"3,58"`, `,16005`, `0,000%`, `1.234,5`, `16.4/min` (then per second).
fn locale_number(text: &str) -> Option<f64> {
    let text = text.trim().trim_end_matches('%').trim_end();
    let (text, per) = match text.split_once('/') {
        Some((text, unit)) => (text, [("s", 1.0), ("min", 60.0), ("h", 3600.0)].into_iter().find(|(of, _)| unit.starts_with(of))?.1),
        None => (text, 1.0),
    };
    let plain = match (text.rfind(','), text.rfind('.')) {
        (Some(comma), Some(point)) if comma > point => text.replace('.', "").replace(',', "."),
        (Some(_), Some(_)) => text.replace(',', ""),
        (Some(_), None) => text.replace(',', "."),
        _ => text.to_owned(),
    };
    let plain: String = plain.chars().filter(|c| !matches!(c, '\u{a0}' | '\u{202f}')).collect();
    let number = plain.parse::<f64>().ok().filter(|number| number.is_finite())?;
    plain.ends_with(|c: char| c.is_ascii_digit()).then_some(number / per)
}

fn sniff_summary(head: &Head) -> Confidence {
    // The lines may be far below the log of the start.
    let log = head.lines().take(40).any(|line| line.contains("jmeter.JMeter: ") || line.contains("o.a.j.JMeter: "));
    Confidence::certain_if(log || head.lines().any(|line| Summary::of(line).is_some()))
}

/// `summary =   1256 in   217s =    6.8/s Avg:   331 Min:     4 Max:  5629 Err:     0 (0.00%)`
struct Summary<'a> {
    /// Of the run so far, not of an interval.
    whole: bool,
    samples: u64,
    seconds: Option<f64>,
    rate: Option<f64>,
    figures: &'a str,
}

impl<'a> Summary<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let at = line.find("Avg:")?;
        let (left, figures) = line.split_at_checked(at)?;
        let (before, after) = left.rsplit_once(" in ")?;
        let mut words = before.split_whitespace().rev();
        let samples = words.next()?;
        // `=1256` where the number fills its place.
        let (sign, samples) = match samples.strip_prefix(['=', '+']) {
            Some(digits) => (samples, digits),
            None => (words.next()?, samples),
        };
        let (seconds, rate) = after.split_once('=')?;
        Some(Self {
            whole: sign.starts_with('='),
            samples: samples.parse().ok().filter(|_| sign.starts_with(['=', '+']) && figures.contains("Err:"))?,
            seconds: seconds_of(seconds),
            rate: locale_number(rate),
            figures,
        })
    }

    fn failures(&self) -> Option<u64> {
        self.figure("Err:").filter(|failures| *failures >= 0.0).map(|failures| failures as u64)
    }

    fn figure(&self, key: &str) -> Option<f64> {
        self.figures.split_once(key)?.1.split_whitespace().next()?.parse().ok()
    }
}

/// `217s`, `00:03:37`, or a number alone.
fn seconds_of(text: &str) -> Option<f64> {
    let parts = text.trim().trim_end_matches('s').split(':');
    parts.map(|part| locale_number(part).filter(|part| *part >= 0.0)).try_fold(0.0, |sum, part| Some(sum * 60.0 + part?))
}

fn parse_summary(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("JMeter");
    let version = text.lines().find_map(|line| line.split_once("JMeter: Version ")?.1.split_whitespace().next());
    if let Some(version) = version {
        recorder.tool_version(version);
    }
    let all: Vec<Summary<'_>> = text.lines().filter_map(Summary::of).collect();
    // A run that ends within its first interval has no other line.
    let last = all.iter().rev().find(|summary| summary.whole).or(if all.len() == 1 { all.first() } else { None });
    let Some(summary) = last else {
        return Err(ParseError::new("no line `summary = N in …`")
            .hint("give the results file (`jmeter -n -t plan.jmx -l results.jtl`); it holds much more"));
    };
    if let Some(seconds) = summary.seconds {
        recorder.duration_s(seconds);
    }
    let draft = recorder.total().requests(summary.samples);
    if let Some(failures) = summary.failures() {
        draft.failures(failures);
    }
    for (metric, key) in [(Metric::LatencyMean, "Avg:"), (Metric::LatencyMin, "Min:"), (Metric::LatencyMax, "Max:")] {
        if let Some(ms) = summary.figure(key).filter(|_| summary.samples > 0) {
            draft.reported(metric, ms, Some(1.0));
        }
    }
    if let Some(rate) = summary.rate {
        draft.reported(Metric::Throughput, rate, Some(0.1));
    }
    course(&text, &all, summary, recorder);
    Ok(())
}

/// The intervals, if together they are the whole run. `Starting the test @ Mon Nov 23 09:04:32 UTC 2026 (1795424672980)` tells
/// when it began; some versions leave the number out.
fn course(text: &str, all: &[Summary<'_>], whole: &Summary<'_>, recorder: &mut Recorder) {
    let mut parts = all.iter().filter(|summary| !summary.whole);
    let sum = parts.try_fold((0_u64, 0_u64), |(samples, failures), part| {
        Some((samples.checked_add(part.samples)?, failures.checked_add(part.failures()?)?))
    });
    if sum.is_none() || sum != whole.failures().map(|failures| (whole.samples, failures)) {
        return;
    }
    let starts = text.lines().filter(|line| line.starts_with("Starting ") && line.contains(" @ "));
    let began = starts.filter_map(|line| line.trim_end().strip_suffix(')')?.rsplit_once('(')).map(|(_, ms)| ms).next();
    let began: Option<f64> = began.and_then(|ms| ms.parse().ok());
    let course = recorder.timeline();
    if began.is_none() {
        course.since_start();
    }
    let instant = |seconds: f64| (began.unwrap_or(0.0) + seconds * 1e3) as i64;
    let mut at = 0.0;
    for summary in all {
        let Some(seconds) = summary.seconds else { continue };
        if summary.whole {
            at = seconds;
            continue;
        }
        course.interval(instant(at), instant(at + seconds), (summary.samples, summary.failures()), None);
        at += seconds;
        course.users(instant(at), summary.figure("Active:").unwrap_or(f64::NAN));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_machine() {
        let table = [
            ("3,58", 3.58),
            (",16005", 0.16005),
            (".85877", 0.85877),
            ("0,000%", 0.0),
            ("12 %", 12.0),
            ("1.234,5", 1234.5),
            ("1,234.5", 1234.5),
            ("30.0/min", 0.5),
            ("2/sec", 2.0),
        ];
        for (text, value) in table {
            assert_eq!(locale_number(text), Some(value), "{text}");
        }
        for text in ["", "-", "N/A", "NaN", "inf", "# Samples", "1e"] {
            assert_eq!(locale_number(text), None, "{text}");
        }
    }

    #[test]
    fn a_summary_line_is_read_in_every_version() {
        let check = |line: &str, whole, samples, seconds| {
            let summary = Summary::of(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((summary.whole, summary.samples, summary.seconds), (whole, samples, Some(seconds)), "{line}");
        };
        let tail = "Avg:   331 Min:     4 Max:  5629 Err:     0 (0.00%)";
        check(&format!("summary =   1256 in   217s =    6.8/s {tail}"), true, 1256, 217.0);
        check(&format!("2014/05/22 INFO - jmeter.reporters.Summariser: summary +  5 in 00:03:37 = 6.8/s {tail}"), false, 5, 217.0);
        check(&format!("Generate Summary Results =  1256 in  217.5 = 6.8/s {tail}"), true, 1256, 217.5);
        assert!(Summary::of("summary = 5 in 3s").is_none());
    }
}
