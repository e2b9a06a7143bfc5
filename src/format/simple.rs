//! Figures of people's own tools, in our words: a small JSON, a CSV of the same, and a CSV of single requests.
//!
//! Described in docs/FORMATS.md. Metrics have the names they have in the config, latencies are in ms; what is left out,
//! null or an empty cell is unknown. A field that we do not know is told, not guessed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::rows::{Row, Rows, nanos, shown};
use super::vegeta::millis;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::metric::{FIXED, Metric};
use crate::run::recorder::{Draft, Recorder};
use crate::run::{Notice, TOTAL};

pub(super) static JSON: Format = Format {
    id: "simple-json",
    tool: "any tool",
    title: "simple JSON: `endpoints` with figures under our names (docs/FORMATS.md)",
    versions: "1",
    gives: Gives { percentiles: "as given", failures: true, users: true, time: true },
    part: Part::Whole,
    sniff: sniff_json,
    parse: parse_json,
};

pub(super) static CSV: Format = Format {
    id: "simple-csv",
    tool: "any tool",
    title: "simple CSV: one row per endpoint, figures under our names (docs/FORMATS.md)",
    versions: "1",
    gives: Gives { percentiles: "as given", failures: true, users: false, time: false },
    part: Part::Whole,
    sniff: |head| Confidence::plausible_if(figures_header(&header(head))),
    parse: parse_csv,
};

pub(super) static SAMPLES: Format = Format {
    id: "simple-samples",
    tool: "any tool",
    title: "simple CSV of single requests: `name,latency_ms`, and if known `method,ok,time,error` (docs/FORMATS.md)",
    versions: "1",
    gives: Gives { percentiles: "any (from samples)", failures: true, users: false, time: true },
    part: Part::Whole,
    sniff: |head| Confidence::plausible_if(samples_header(&header(head))),
    parse: parse_samples,
};

/// Largest file of this kind that makes sense.
const LIMIT: u64 = 64 << 20;

fn header(head: &Head) -> Vec<String> {
    head.first_line().split(',').map(|cell| cell.trim().trim_matches('"').to_lowercase()).collect()
}

fn figures_header(cells: &[String]) -> bool {
    let metric = |cell: &String| cell.starts_with("latency_") && cell.parse::<Metric>().is_ok();
    let other = |cell: &String| ["error_rate", "throughput"].contains(&cell.as_str()) || cell.starts_with("custom:");
    cells.iter().any(|cell| cell == "name") && cells.iter().any(|cell| metric(cell) || other(cell))
}

fn samples_header(cells: &[String]) -> bool {
    ["name", "latency_ms"].iter().all(|word| cells.iter().any(|cell| cell == word))
}

fn sniff_json(head: &Head) -> Confidence {
    let shape = head.json();
    // Files of ours that are no results have a schema.
    let ours = shape.has(&["schema"]) && !head.text.contains("\"loadgate.simple/1\"");
    let figure = |at: &str| FIXED.iter().any(|metric| shape.has_any(&[&format!("{at}{metric}")]));
    let custom = head.text.contains("\"custom:");
    let listed = shape.has(&["endpoints.[].name"]) && (custom || figure("endpoints.[]."));
    let summed = shape.has(&["endpoints", "total"]) && (custom || figure("total."));
    Confidence::plausible_if(!ours && (listed || summed))
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    tool: Option<String>,
    #[serde(default)]
    tool_version: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    started_at: Option<String>,
    #[serde(default)]
    duration_s: Option<f64>,
    #[serde(default)]
    users: Option<f64>,
    #[serde(default)]
    target_rps: Option<f64>,
    #[serde(default)]
    profile: Option<String>,
    #[serde(default)]
    complete: Option<bool>,
    endpoints: Vec<BTreeMap<String, Value>>,
    #[serde(default)]
    total: Option<BTreeMap<String, Value>>,
}

fn parse_json(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let wire: Wire = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool(wire.tool.as_deref().map(str::trim).filter(|tool| !tool.is_empty()).unwrap_or("own tool"));
    if let Some(version) = &wire.tool_version {
        recorder.tool_version(version);
    }
    if let Some(seconds) = wire.duration_s {
        recorder.duration_s(seconds);
    }
    if let Some(text) = &wire.started_at {
        let Ok(time) = text.parse::<Timestamp>() else {
            return Err(ParseError::new(format!("expected an RFC 3339 time as `started_at`, found `{}`", shown(text))));
        };
        let start = millis(time);
        recorder.spans(start, start + wire.duration_s.filter(|seconds| *seconds > 0.0).unwrap_or(0.0) * 1e3);
    }
    if let Some(users) = wire.users {
        recorder.users(users);
    }
    if let Some(rate) = wire.target_rps {
        recorder.target_rps(rate);
    }
    if let Some(profile) = &wire.profile {
        recorder.profile(profile);
    }
    if let Some(complete) = wire.complete {
        recorder.complete(complete);
    }
    let mut unknown = Unknown::default();
    for endpoint in &wire.endpoints {
        let text = |key: &str| endpoint.get(key).and_then(Value::as_str);
        let Some(name) = text("name") else { return Err(ParseError::new("expected a text `name` in each of `endpoints`")) };
        let draft = if name == TOTAL { recorder.total() } else { recorder.endpoint(text("method"), name) };
        figures(name, endpoint, draft, &mut unknown)?;
    }
    if let Some(total) = &wire.total {
        figures(TOTAL, total, recorder.total(), &mut unknown)?;
    }
    unknown.tell(recorder);
    Ok(())
}

fn figures(
    name: &str,
    fields: &BTreeMap<String, Value>,
    draft: &mut Draft,
    unknown: &mut Unknown,
) -> Result<(), ParseError> {
    for (key, value) in fields.iter().filter(|(key, value)| !matches!(key.as_str(), "name" | "method") && !value.is_null()) {
        if key == "errors" {
            for (message, count) in value.as_object().into_iter().flatten() {
                draft.error(message, count.as_u64().unwrap_or(0));
            }
        } else if let Ok(metric) = key.parse::<Metric>() {
            let Some(number) = value.as_f64() else {
                let found = shown(&value.to_string());
                return Err(ParseError::new(format!("expected a number as `{key}` of `{name}`, found `{found}`")));
            };
            put(metric, number, draft).map_err(|why| ParseError::new(format!("`{key}` of `{name}`: {why}")))?;
        } else {
            unknown.add(key);
        }
    }
    Ok(())
}

/// A count or a figure. `Err` says why it cannot be one.
fn put(metric: Metric, number: f64, draft: &mut Draft) -> Result<(), String> {
    let whole = number.fract() == 0.0 && (0.0..9e15).contains(&number);
    match metric {
        Metric::Requests | Metric::Failures if !whole => {
            return Err(format!("expected a whole number of at least 0, found {number}"));
        }
        Metric::Requests => draft.requests(number as u64),
        Metric::Failures => draft.failures(number as u64),
        Metric::ErrorRate if !(0.0..=1.0).contains(&number) => {
            return Err(format!("expected a ratio from 0 to 1, found {number}"));
        }
        Metric::Custom(_) => draft.reported(metric, number, None),
        _ if number < 0.0 => return Err(format!("expected a number of at least 0, found {number}")),
        _ => draft.reported(metric, number, None),
    };
    Ok(())
}

/// Fields that are none of ours: most likely a slip of the pen.
#[derive(Default)]
struct Unknown {
    first: Option<String>,
}

impl Unknown {
    fn add(&mut self, field: &str) {
        self.first.get_or_insert_with(|| shown(field));
    }

    fn tell(self, recorder: &mut Recorder) {
        if let Some(field) = self.first {
            let message = format!("`{field}` is no metric and was not read; those of your own are called `custom:{field}`");
            recorder.notice(Notice::new("unknown_fields", message));
        }
    }
}

fn parse_csv(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    recorder.tool("own tool");
    let rows = Rows::with_header(source, b',')?;
    let (name, method) = (rows.need("name")?, rows.find("method"));
    let mut unknown = Unknown::default();
    let mut columns: Vec<(usize, Metric)> = Vec::new();
    for (at, cell) in rows.header().iter().enumerate() {
        match cell.parse::<Metric>() {
            Ok(metric) => columns.push((at, metric)),
            Err(_) if at == name || Some(at) == method || cell.is_empty() => {}
            Err(_) => unknown.add(cell),
        }
    }
    unknown.tell(recorder);
    rows.each(recorder, |row, recorder| {
        let own = row.exact(name);
        let draft = match own {
            TOTAL => recorder.total(),
            own => recorder.endpoint(method.map(|at| row.text(at)), own),
        };
        for (at, metric) in columns.iter().filter(|(at, _)| !row.text(*at).is_empty()) {
            let text = row.text(*at);
            let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| {
                format!("expected a number as {metric}, found `{}`", shown(text))
            })?;
            put(metric.clone(), number, draft).map_err(|why| format!("{metric}: {why}"))?;
        }
        Ok(())
    })
}

fn parse_samples(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    recorder.tool("own tool");
    recorder.sample_step(0.0);
    let rows = Rows::with_header(source, b',')?;
    let (name, latency) = (rows.need("name")?, rows.need("latency_ms")?);
    let [method, ok, time, error] = ["method", "ok", "time", "error"].map(|column| rows.find(column));
    rows.each(recorder, |row, recorder| {
        // A request without an answer has none.
        let ms = if row.text(latency).is_empty() { None } else { Some(row.number(latency, "milliseconds")?) };
        let fine = ok.map(|at| judged(row, at)).transpose()?.flatten();
        if let Some(start) = time.map(|at| row.text(at)).filter(|text| !text.is_empty()) {
            let start = moment(start).ok_or_else(|| format!("expected a time, found `{}`", shown(start)))?;
            recorder.happened(start, ms, fine);
        }
        let draft = recorder.endpoint(method.map(|at| row.text(at)), row.exact(name));
        draft.samples().add(ms.map(|ms| nanos(ms, 1e6)), fine);
        if fine == Some(false) {
            let text = error.map(|at| row.text(at)).filter(|text| !text.is_empty());
            draft.error(text.unwrap_or("failed"), 1);
        }
        Ok(())
    })
}

/// `true` or `1`, `false` or `0`, or nothing where it is not known.
fn judged(row: &Row<'_>, at: usize) -> Result<Option<bool>, String> {
    match row.text(at).to_lowercase().as_str() {
        "" => Ok(None),
        "true" | "1" => Ok(Some(true)),
        "false" | "0" => Ok(Some(false)),
        other => Err(format!("expected true or false as `ok`, found `{}`", shown(other))),
    }
}

/// Seconds since the epoch with or without a fraction, or RFC 3339; in ms since the epoch.
fn moment(text: &str) -> Option<f64> {
    let seconds = text.parse::<f64>().ok().map(|seconds| seconds * 1e3);
    seconds.or_else(|| text.parse::<Timestamp>().ok().map(millis))
}
