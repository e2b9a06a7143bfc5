//! Goose: `--report-file report.json` and `--request-log` as CSV or JSON lines.
//!
//! Quirks: the report's printed minima, maxima and percentiles are cut to whole ms, its histogram in microseconds is not (and
//! is missing before 0.19, where times are rounded in whole ms); transactions and scenarios are other things than requests;
//! a log row with `update` re-marks an earlier request; rows made up against coordinated omission are left out; its times
//! are since the start. The log's `raw` holds headers and bodies: only the method is taken from it. Beside a report, the log
//! tells what happened when and nothing else.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::plain::Span;
use super::locust_json::nearest_rank;
use super::rows::{Rows, nanos, next_line};
use super::vegeta::millis;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::metric::{Metric, PERCENTILES};
use crate::run::recorder::{Draft, Recorder};

/// What people call the two files.
const SUFFIXES: &[&str] =
    &["-requests", "_requests", ".requests", "requests", "-report", "_report", ".report", "report"];

pub(super) static REPORT: Format = Format {
    id: "goose-report",
    tool: "Goose",
    title: "JSON report (`--report-file NAME.json`)",
    versions: "0.19",
    gives: Gives { percentiles: "any, within 1.6 % (from a histogram)", failures: true, users: true, time: true },
    part: Part::Main { rank: 0, suffixes: SUFFIXES },
    sniff: |head| {
        let shape = head.json();
        let marks = ["goose_version", "raw_request_metrics", "raw_response_metrics"];
        Confidence::certain_if(shape.has(&["raw_metrics"]) && marks.iter().any(|mark| shape.has(&[mark])))
    },
    parse: parse_report,
};

pub(super) static CSV: Format = Format {
    id: "goose-csv",
    tool: "Goose",
    title: "request log (`--request-log FILE --request-format csv`)",
    versions: "0.19",
    gives: Gives { percentiles: "any (from samples)", failures: true, users: false, time: false },
    part: Part::Companion { rank: 1, suffixes: SUFFIXES },
    sniff: |head| {
        let line = head.first_line();
        Confidence::certain_if(line.starts_with("elapsed,") && line.contains("raw,name,final_url,redirected,response_time"))
    },
    parse: parse_csv,
};

pub(super) static JSON_LOG: Format = Format {
    id: "goose-json",
    tool: "Goose",
    title: "request log (`--request-log FILE`, its default format json)",
    versions: "0.19",
    gives: Gives { percentiles: "any (from samples)", failures: true, users: false, time: false },
    part: Part::Companion { rank: 1, suffixes: SUFFIXES },
    sniff: |head| Confidence::certain_if(head.json().has(&["raw", "final_url", "response_time", "update"])),
    parse: parse_json_log,
};

/// Largest report that makes sense.
const LIMIT: u64 = 256 << 20;

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    goose_version: Option<String>,
    #[serde(default)]
    started: Option<String>,
    raw_metrics: Metrics,
}

#[derive(Deserialize)]
struct Metrics {
    /// Whole seconds.
    #[serde(default)]
    duration: Option<f64>,
    #[serde(default)]
    maximum_users: Option<f64>,
    requests: BTreeMap<String, Request>,
}

#[derive(Deserialize)]
struct Request {
    path: String,
    /// `Get`
    #[serde(default)]
    method: String,
    #[serde(default)]
    custom_method: String,
    raw_data: Data,
    success_count: u64,
    fail_count: u64,
    #[serde(default)]
    status_code_counts: BTreeMap<String, u64>,
}

/// Whole ms, and since 0.19 microseconds.
#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    counter: u64,
    #[serde(default)]
    minimum_time: Option<f64>,
    #[serde(default)]
    maximum_time: Option<f64>,
    #[serde(default)]
    total_time: Option<f64>,
    #[serde(default)]
    minimum_time_us: Option<f64>,
    #[serde(default)]
    maximum_time_us: Option<f64>,
    #[serde(default)]
    total_time_us: Option<f64>,
    #[serde(default)]
    times: BTreeMap<String, u64>,
    #[serde(default)]
    times_us: BTreeMap<String, u64>,
}

fn parse_report(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let report: Report = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool("Goose");
    if let Some(version) = &report.goose_version {
        recorder.tool_version(version);
    }
    let metrics = &report.raw_metrics;
    if let Some(users) = metrics.maximum_users {
        recorder.users(users);
    }
    if let Some(seconds) = metrics.duration {
        recorder.duration_s(seconds);
        if let Some(start) = report.started.as_ref().and_then(|time| time.parse::<Timestamp>().ok()) {
            recorder.spans(millis(start), millis(start) + seconds * 1e3);
        }
    }
    for request in metrics.requests.values() {
        let method = if request.custom_method.is_empty() { &request.method } else { &request.custom_method };
        let draft = recorder.endpoint(Some(&method.to_uppercase()), &request.path);
        if let Some(requests) = request.success_count.checked_add(request.fail_count) {
            draft.requests(requests);
        }
        draft.failures(request.fail_count);
        for (code, times) in &request.status_code_counts {
            if !code.parse().is_ok_and(|code: u64| (100..400).contains(&code)) {
                draft.error(&format!("HTTP {code}"), *times);
            }
        }
        latency(&request.raw_data, draft)?;
    }
    Ok(())
}

fn latency(data: &Data, draft: &mut Draft) -> Result<(), ParseError> {
    if data.counter == 0 {
        return Ok(());
    }
    let exact = data.total_time_us.is_some();
    let (unit, step) = if exact { (1e-3, 0.0) } else { (1.0, 1.0) };
    let either = |us: Option<f64>, ms: Option<f64>| if exact { us } else { ms }.map(|time| time * unit);
    if let Some(total) = either(data.total_time_us, data.total_time) {
        draft.computed(Metric::LatencyMean, total / data.counter as f64, Some(step));
    }
    if let Some(min) = either(data.minimum_time_us, data.minimum_time) {
        draft.reported(Metric::LatencyMin, min, Some(step));
    }
    if let Some(max) = either(data.maximum_time_us, data.maximum_time) {
        draft.reported(Metric::LatencyMax, max, Some(step));
    }
    let fine = !data.times_us.is_empty();
    let mut times = Vec::new();
    for (time, count) in if fine { &data.times_us } else { &data.times } {
        let time: f64 = time.parse().ok().filter(|time: &f64| time.is_finite() && *time >= 0.0).ok_or_else(|| {
            ParseError::new(format!("expected times as keys of the histogram, found `{}`", super::rows::shown(time)))
        })?;
        times.push((if fine { time / 1e3 } else { time }, *count));
    }
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    for metric in PERCENTILES {
        if let Some(value) = metric.quantile().and_then(|level| nearest_rank(&times, level)) {
            draft.computed(metric, value, Some(if fine { fine_step(value) } else { coarse_step(value) }));
        }
    }
    let samples = draft.samples();
    for (ms, count) in times {
        samples.latency.record_many(nanos(ms, 1e6), count);
    }
    Ok(())
}

/// The width of a microsecond bucket: 64 to an octave.
fn fine_step(ms: f64) -> f64 {
    let us = (ms * 1e3).max(64.0);
    2_f64.powi(us.log2().floor() as i32 - 6) / 1e3
}

/// How whole milliseconds were rounded before 0.19.
fn coarse_step(ms: f64) -> f64 {
    match ms {
        _ if ms < 100.0 => 1.0,
        _ if ms < 500.0 => 10.0,
        _ if ms < 1_000.0 => 100.0,
        _ => 1_000.0,
    }
}

/// Reads the rows of a request log.
#[derive(Default)]
struct Log {
    /// Whether no report tells the figures.
    alone: bool,
    span: Span<f64>,
}

/// One row of the request log.
struct Hit<'a> {
    method: Option<&'a str>,
    name: &'a str,
    elapsed_ms: f64,
    ms: f64,
    code: u64,
    success: bool,
    update: bool,
}

impl Log {
    fn begin(recorder: &mut Recorder) -> Self {
        recorder.tool("Goose");
        recorder.timeline().since_start();
        Self { alone: recorder.is_empty(), span: Span::default() }
    }

    fn add(&mut self, hit: &Hit<'_>, recorder: &mut Recorder) {
        let end_ms = (hit.elapsed_ms + hit.ms) as i64;
        let course = recorder.timeline();
        match (hit.update, hit.success) {
            (false, ok) => course.add(end_ms, Some(nanos(hit.ms, 1e6)), Some(ok)),
            // The same request again, with another opinion on whether it was fine.
            (true, false) => course.failed(end_ms),
            (true, true) => course.mended(end_ms),
        }
        if !self.alone {
            return;
        }
        let draft = recorder.endpoint(hit.method, hit.name);
        let samples = draft.samples();
        if hit.update {
            samples.failures =
                samples.failures.map(|failures| if hit.success { failures.saturating_sub(1) } else { failures + 1 });
            return;
        }
        let start = hit.elapsed_ms / 1e3;
        self.span.add(start, start + hit.ms / 1e3);
        samples.add(Some(nanos(hit.ms, 1e6)), Some(hit.success));
        if !hit.success {
            let text = if hit.code == 0 { "no response".to_owned() } else { format!("HTTP {}", hit.code) };
            draft.error(&text, 1);
        }
    }

    /// The latencies of the log were rounded so, in ms.
    fn finish(self, step: f64, recorder: &mut Recorder) {
        if self.alone {
            recorder.sample_step(step);
            self.span.finish(recorder);
        }
    }
}

fn parse_csv(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let rows = Rows::with_header(source, b',')?;
    let [elapsed, raw, name, time, code, success, update] =
        ["elapsed", "raw", "name", "response_time", "status_code", "success", "update"].map(|word| rows.need(word));
    let (elapsed, raw, name, time, code, success, update) = (elapsed?, raw?, name?, time?, code?, success?, update?);
    let (fine, omission) = (rows.find("response_time_us"), rows.find("coordinated_omission_elapsed"));
    let step = if fine.is_some() { 0.001 } else { 1.0 };
    let mut log = Log::begin(recorder);
    rows.each(recorder, |row, recorder| {
        if let Some(at) = omission
            && row.number(at, "milliseconds")? > 0.0
        {
            return Ok(());
        }
        let ms = match fine {
            Some(at) => row.number(at, "microseconds")? / 1e3,
            None => row.number(time, "milliseconds")?,
        };
        let flag = |at| row.text(at).parse::<bool>().ok().ok_or_else(|| "expected true or false".to_owned());
        let method = row.text(raw).split_once("method: ").and_then(|(_, rest)| rest.split([',', ' ', '}']).next()).map(str::to_uppercase);
        let hit = Hit {
            method: method.as_deref().filter(|method| !method.is_empty()),
            name: row.text(name),
            elapsed_ms: row.number(elapsed, "milliseconds")?,
            ms,
            code: row.whole(code, "a status code")?,
            success: flag(success)?,
            update: flag(update)?,
        };
        log.add(&hit, recorder);
        Ok(())
    })?;
    log.finish(step, recorder);
    Ok(())
}

#[derive(Deserialize)]
struct LogLine {
    elapsed: f64,
    raw: Raw,
    name: String,
    response_time: f64,
    #[serde(default)]
    response_time_us: Option<f64>,
    status_code: u64,
    success: bool,
    #[serde(default)]
    update: bool,
    #[serde(default)]
    coordinated_omission_elapsed: f64,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    method: String,
}

fn parse_json_log(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let mut log = Log::begin(recorder);
    let mut line = Vec::new();
    let mut at = 0;
    let mut step = 0.001;
    while next_line(source, &mut line)? {
        at += 1;
        match serde_json::from_slice::<LogLine>(&line) {
            _ if line.trim_ascii().is_empty() => {}
            Ok(row) if row.coordinated_omission_elapsed > 0.0 => {}
            Ok(row) => {
                let ms = row.response_time_us.map_or(row.response_time, |us| us / 1e3).max(0.0);
                step = if row.response_time_us.is_some() { step } else { 1.0 };
                let method = row.raw.method.to_uppercase();
                let hit = Hit {
                    method: Some(method.as_str()),
                    name: &row.name,
                    elapsed_ms: row.elapsed,
                    ms,
                    code: row.status_code,
                    success: row.success,
                    update: row.update,
                };
                log.add(&hit, recorder);
                recorder.good_row();
            }
            Err(error) => recorder.bad_row(at, format!("not a request of Goose: {error}")),
        }
    }
    log.finish(step, recorder);
    Ok(())
}
