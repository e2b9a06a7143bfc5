//! Reads and writes baseline files: versioned JSON, one line per endpoint so that a review diff can be read. [I/O]
//!
//! A metric is `12.5` if the artifact gave it exactly, `[12, 1]` with its rounding step, `[12, null]` where the step is
//! unknown. Figures keep nine significant digits.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::LazyLock;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AcceptedMetrics, Baseline, BaselineEndpoint, BaselineRun, KEEP};
use crate::excerpt::excerpt;
use crate::files;
use crate::run::histogram::Histogram;
use crate::run::metric::{FIXED, Measurement, Metric, Source, UnknownMetric};
use crate::run::{LoadFacts, Moment};

/// The schema name of baseline files.
pub const SCHEMA: &str = "loadgate.baseline/1";
/// Digits kept of a figure: far below any noise, and half the length of a full double.
const DIGITS: usize = 9;
/// Largest baseline file read.
const LIMIT: u64 = 64 << 20;

/// Why a baseline file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system said no.
    #[error("{file}: cannot be {what}: {source}")]
    Io {
        /// The file.
        file: String,
        /// `read` or `written`.
        what: &'static str,
        /// What it said.
        source: std::io::Error,
    },
    /// Not JSON, or not the shape of a baseline.
    #[error(
        "{file}:{line}:{column}: not a loadgate baseline: {message}{excerpt}\nhint: `loadgate baseline add` writes one; `loadgate baseline import` takes older kinds"
    )]
    Malformed {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What was expected.
        message: String,
        /// The line, where it can be shown; begins with a line end.
        excerpt: String,
    },
    /// Of another version.
    #[error(
        "{file}: expected schema `{SCHEMA}`, found `{found}`\nhint: a newer loadgate wrote this file; update loadgate"
    )]
    Version {
        /// The file.
        file: String,
        /// Its schema.
        found: String,
    },
    /// Far too large.
    #[error("{file}: larger than {} MiB, which no baseline is", LIMIT >> 20)]
    TooLarge {
        /// The file.
        file: String,
    },
}

/// What a baseline path holds.
#[derive(Debug)]
pub enum Stored {
    /// Nothing: there is no such file.
    Absent,
    /// A baseline that we wrote.
    Baseline(Baseline),
    /// Something else that may be an artifact of its own, such as an old service -> figures JSON.
    Foreign,
}

/// Reads the file at `path`, shown to people as `name`.
pub fn read(path: &Path, name: &str) -> Result<Stored, StoreError> {
    let io = |source| StoreError::Io { file: name.to_owned(), what: "read", source };
    let size = match std::fs::metadata(path) {
        Ok(facts) => facts.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Stored::Absent),
        Err(error) => return Err(io(error)),
    };
    if size > LIMIT {
        return Err(StoreError::TooLarge { file: name.to_owned() });
    }
    let bytes = std::fs::read(path).map_err(io)?;
    parse(&String::from_utf8_lossy(&bytes), name)
}

/// Reads the text of a baseline file shown to people as `name`.
pub fn parse(text: &str, name: &str) -> Result<Stored, StoreError> {
    let malformed = |error: &serde_json::Error| {
        let said = error.to_string();
        StoreError::Malformed {
            file: name.to_owned(),
            line: error.line(),
            column: error.column(),
            message: said.split(" at line ").next().unwrap_or(&said).to_owned(),
            excerpt: excerpt(text, error.line() as u64, error.column() as u64)
                .map(|excerpt| format!("\n{excerpt}"))
                .unwrap_or_default(),
        }
    };
    if !text.trim_start().starts_with('{') {
        return Ok(Stored::Foreign);
    }
    let wire: Result<WireBaseline, _> = serde_json::from_str(text);
    let schema = match &wire {
        Ok(wire) => wire.schema.clone(),
        // Of another kind, of another version, or broken.
        Err(_) => serde_json::from_str::<Mark>(text).map_err(|error| malformed(&error))?.schema,
    };
    match schema.as_ref().and_then(Value::as_str) {
        Some(SCHEMA) => wire.map(|wire| Stored::Baseline(wire.into())).map_err(|error| malformed(&error)),
        Some(other) if other.starts_with("loadgate.baseline/") => {
            Err(StoreError::Version { file: name.to_owned(), found: other.to_owned() })
        }
        _ => Ok(Stored::Foreign),
    }
}

/// Writes the file, whole or not at all.
pub fn write(path: &Path, name: &str, baseline: &Baseline) -> Result<(), StoreError> {
    files::write(path, to_text(baseline).as_bytes()).map_err(|source| StoreError::Io {
        file: name.to_owned(),
        what: "written",
        source,
    })
}

/// The text of a baseline file.
pub fn to_text(baseline: &Baseline) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{{\"schema\":{},\"suite\":{},\"keep\":{},\"runs\":[",
        json(&SCHEMA),
        json(&baseline.suite),
        baseline.keep
    );
    for (at, run) in baseline.runs.iter().enumerate() {
        let head = json(&WireRunHead::from(run));
        // The head ends in `}`: the endpoints go inside, each on a line of its own.
        let _ = writeln!(text, "{},\"endpoints\":{{", head.strip_suffix('}').unwrap_or(&head));
        write_lines(
            &mut text,
            run.endpoints.iter().map(|(label, endpoint)| (label, json(&WireEndpoint::from(endpoint)))),
        );
        text.push('}');
        if let Some(total) = &run.total {
            let _ = write!(text, ",\"total\":{}", json(&WireEndpoint::from(total)));
        }
        text.push_str(if at + 1 < baseline.runs.len() { "},\n" } else { "}\n" });
    }
    text.push_str("],\"histograms\":{\n");
    write_lines(&mut text, baseline.histograms.iter().map(|(label, histogram)| (label, json(histogram))));
    text.push_str("}}\n");
    text
}

fn write_lines<'a>(text: &mut String, entries: impl Iterator<Item = (&'a String, String)>) {
    let lines: Vec<String> = entries.map(|(label, value)| format!("{}:{value}", json(label))).collect();
    text.push_str(&lines.join(",\n"));
    if !lines.is_empty() {
        text.push('\n');
    }
}

/// The JSON Schema of a baseline file, but for the `schema` key.
pub fn schema() -> Schema {
    schemars::schema_for!(WireBaseline)
}

/// Our own types hold only text, finite numbers and maps with text keys: they always serialise.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[derive(Deserialize)]
struct Mark {
    #[serde(default)]
    schema: Option<Value>,
}

#[derive(Deserialize, JsonSchema)]
struct WireBaseline {
    #[serde(default)]
    #[schemars(skip)]
    schema: Option<Value>,
    /// The suite that the runs belong to.
    #[serde(default)]
    suite: String,
    /// How many runs are kept; one more drops the oldest.
    #[serde(default)]
    keep: Option<usize>,
    /// Oldest first.
    runs: Vec<WireRun>,
    /// Latency distribution per endpoint of the last accepted run.
    #[serde(default)]
    histograms: BTreeMap<String, Histogram>,
}

#[derive(Deserialize, JsonSchema)]
struct WireRun {
    id: String,
    #[serde(default)]
    #[schemars(with = "Option<Moment>")]
    time: Option<Timestamp>,
    #[serde(default)]
    commit: Option<String>,
    #[serde(default, rename = "ref")]
    git_ref: Option<String>,
    #[serde(default)]
    verdict: Option<String>,
    #[serde(default)]
    accepted: BTreeMap<String, AcceptedMetrics>,
    #[serde(default)]
    load: LoadFacts,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[schemars(with = "BTreeMap<String, WireEndpoint>")]
    endpoints: BTreeMap<String, BaselineEndpoint>,
    #[serde(default)]
    #[schemars(with = "Option<WireEndpoint>", extend("default" = null))]
    total: Option<BaselineEndpoint>,
}

#[derive(Serialize)]
struct WireRunHead<'a> {
    id: &'a str,
    time: Option<Timestamp>,
    commit: Option<&'a str>,
    #[serde(rename = "ref")]
    git_ref: Option<&'a str>,
    verdict: Option<&'a str>,
    accepted: &'a BTreeMap<String, AcceptedMetrics>,
    load: &'a LoadFacts,
    environment: &'a BTreeMap<String, String>,
}

impl<'a> From<&'a BaselineRun> for WireRunHead<'a> {
    fn from(run: &'a BaselineRun) -> Self {
        Self {
            id: &run.id,
            time: run.time,
            commit: run.commit.as_deref(),
            git_ref: run.git_ref.as_deref(),
            verdict: run.verdict.as_deref(),
            accepted: &run.accepted,
            load: &run.load,
            environment: &run.environment,
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct WireEndpoint {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requests: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failures: Option<u64>,
    #[serde(flatten)]
    metrics: BTreeMap<ShortName, WireValue>,
}

/// By hand: the derived code for flattened and untagged types buffers every value, which takes most of the reading time
/// and loses the place of a mistake.
impl<'de> Deserialize<'de> for BaselineEndpoint {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = BaselineEndpoint;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("the figures of an endpoint")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BaselineEndpoint, A::Error> {
                let mut endpoint = BaselineEndpoint::default();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    match &*key {
                        "requests" => endpoint.requests = map.next_value()?,
                        "failures" => endpoint.failures = map.next_value()?,
                        name => {
                            let ShortName(metric) = ShortName::of(name).map_err(serde::de::Error::custom)?;
                            let (value, step) = match map.next_value()? {
                                WireValue::Exact(value) => (value, Some(0.0)),
                                WireValue::Rounded(value, step) => (value, step),
                            };
                            let value = Measurement::new(value, Source::Reported, step);
                            endpoint.metrics.extend(value.map(|value| (metric, value)));
                        }
                    }
                }
                let requests = endpoint.requests;
                endpoint.failures =
                    endpoint.failures.filter(|failures| requests.is_none_or(|requests| *failures <= requests));
                if let (Some(requests @ 1..), Some(failures)) = (requests, endpoint.failures) {
                    let rate = Measurement::new(failures as f64 / requests as f64, Source::Computed, Some(0.0));
                    endpoint.metrics.extend(rate.map(|rate| (Metric::ErrorRate, rate)));
                }
                Ok(endpoint)
            }
        }
        input.deserialize_map(Fields)
    }
}

/// A metric's name without `latency_`: `p95`, `mean`, `throughput`, `custom:x`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct ShortName(Metric);

impl Serialize for ShortName {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(short(&self.0.name()))
    }
}

fn short(name: &str) -> &str {
    name.strip_prefix("latency_").unwrap_or(name)
}

impl ShortName {
    fn of(name: &str) -> Result<Self, UnknownMetric> {
        static SHORT: LazyLock<[(String, Metric); FIXED.len()]> =
            LazyLock::new(|| FIXED.map(|metric| (short(&metric.name()).to_owned(), metric)));
        let fixed = SHORT.iter().find(|(short, _)| short == name);
        fixed.map_or_else(|| name.parse(), |(_, metric)| Ok(metric.clone())).map(Self)
    }
}

impl JsonSchema for ShortName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ShortName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[derive(Clone, Copy, JsonSchema)]
#[serde(untagged)]
enum WireValue {
    Exact(f64),
    Rounded(f64, Option<f64>),
}

impl Serialize for WireValue {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Exact(value) => Short(value).serialize(out),
            Self::Rounded(value, step) => (Short(value), step.map(Short)).serialize(out),
        }
    }
}

/// Whole numbers without `.0`: most percentiles are.
pub(crate) struct Short(pub(crate) f64);

impl Serialize for Short {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        // Every whole number up to here is exact as a double.
        if self.0.fract() == 0.0 && self.0.abs() < 1e15 {
            out.serialize_i64(self.0 as i64)
        } else {
            out.serialize_f64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for WireValue {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = WireValue;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a number, or a number and its rounding step: [12, 1]")
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<WireValue, E> {
                Ok(WireValue::Exact(value))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<WireValue, E> {
                Ok(WireValue::Exact(value as f64))
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<WireValue, E> {
                Ok(WireValue::Exact(value as f64))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<WireValue, A::Error> {
                let missing = |place| serde::de::Error::invalid_length(place, &self);
                let value = items.next_element()?.ok_or_else(|| missing(0))?;
                let step = items.next_element()?.ok_or_else(|| missing(1))?;
                Ok(WireValue::Rounded(value, step))
            }
        }
        input.deserialize_any(Value)
    }
}

impl From<&BaselineEndpoint> for WireEndpoint {
    fn from(endpoint: &BaselineEndpoint) -> Self {
        let counted = endpoint.requests.is_some() && endpoint.failures.is_some();
        let metrics = endpoint
            .metrics
            .iter()
            // The counts say it exactly.
            .filter(|(metric, _)| !(counted && **metric == Metric::ErrorRate))
            .map(|(metric, value)| {
                let number = significant(value.value(), DIGITS);
                let stored = match value.step() {
                    Some(0.0) => WireValue::Exact(number),
                    step => WireValue::Rounded(number, step),
                };
                (ShortName(metric.clone()), stored)
            })
            .collect();
        Self { requests: endpoint.requests, failures: endpoint.failures, metrics }
    }
}

impl From<WireBaseline> for Baseline {
    fn from(wire: WireBaseline) -> Self {
        let runs = wire.runs.into_iter().map(|run| BaselineRun {
            id: run.id,
            time: run.time,
            commit: run.commit,
            git_ref: run.git_ref,
            verdict: run.verdict,
            accepted: run.accepted,
            load: run.load,
            environment: run.environment,
            endpoints: run.endpoints,
            total: run.total,
        });
        Self {
            suite: wire.suite,
            keep: wire.keep.unwrap_or(KEEP).max(1),
            runs: runs.collect(),
            histograms: wire.histograms,
        }
    }
}

/// The value with so many significant digits, at least one.
pub(crate) fn significant(value: f64, digits: usize) -> f64 {
    format!("{value:.*e}", digits.saturating_sub(1)).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Origin;
    use crate::run::recorder::Recorder;

    fn baseline() -> Baseline {
        let mut recorder = Recorder::new();
        let draft = recorder.endpoint(Some("POST"), "/checkout \"x\"");
        draft.requests(300).failures(1);
        draft.reported(Metric::LatencyMean, 10.328_301_886_792_453, Some(0.0));
        draft.reported(Metric::LatencyP50, 120.0, Some(10.0));
        draft.reported(Metric::LatencyP95, 210.5, None);
        draft.samples().latency.record(5_000_000);
        let run = recorder.finish().unwrap();
        let mut baseline = Baseline::new("api");
        baseline.add(&run, Origin { id: "r1".into(), commit: Some("4f1c2ab".into()), ..Origin::default() });
        baseline.add(&run, Origin { id: "r2".into(), ..Origin::default() });
        baseline
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = to_text(&baseline());
        let Stored::Baseline(read) = parse(&text, "b.json").unwrap() else { panic!("a baseline") };
        assert_eq!(to_text(&read), text);
        assert_eq!(read.runs.len(), 2);
        let endpoint = read.runs[0].endpoint("POST /checkout \"x\"").unwrap();
        assert_eq!(endpoint.metrics[&Metric::LatencyP50].step(), Some(10.0));
        assert_eq!(endpoint.metrics[&Metric::LatencyP95].step(), None);
        assert_eq!(endpoint.metrics[&Metric::ErrorRate].value(), 1.0 / 300.0);
        assert_eq!(endpoint.metrics[&Metric::LatencyMean].value(), 10.328_301_9);
    }

    #[test]
    fn an_endpoint_is_one_line() {
        let text = to_text(&baseline());
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("\"requests\":300")).collect();
        assert!(
            lines[0]
                .starts_with(r#""POST /checkout \"x\"":{"requests":300,"failures":1,"mean":10.3283019,"p50":[120,10]"#),
            "{text}"
        );
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["schema"], SCHEMA);
    }

    #[test]
    fn more_failures_than_requests_are_none() {
        let text = to_text(&baseline()).replace("\"failures\":1,", "\"failures\":301,");
        let Stored::Baseline(read) = parse(&text, "b.json").unwrap() else { panic!("a baseline") };
        let endpoint = read.runs[0].endpoint("POST /checkout \"x\"").unwrap();
        assert_eq!((endpoint.requests, endpoint.failures), (Some(300), None));
        assert!(!endpoint.metrics.contains_key(&Metric::ErrorRate));
    }

    #[test]
    fn adding_drops_the_oldest_beyond_keep() {
        let mut baseline = baseline();
        baseline.keep = 2;
        baseline.add(&crate::run::Run::default(), Origin { id: "r3".into(), ..Origin::default() });
        assert_eq!(baseline.runs.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), ["r2", "r3"]);
    }

    #[test]
    fn bad_files_say_where() {
        let error = parse("{\"schema\":\"loadgate.baseline/1\",\n\"runs\":[{\"id\":3}]}", "b.json").unwrap_err();
        assert!(error.to_string().starts_with("b.json:2:"), "{error}");
        assert!(matches!(parse("{\"schema\":\"loadgate.baseline/2\"}", "b.json"), Err(StoreError::Version { .. })));
        let whole = to_text(&baseline()).replace("baseline/1", "baseline/2");
        assert!(matches!(parse(&whole, "b.json"), Err(StoreError::Version { .. })));
        for foreign in ["{\"a\":{}}", "{\"runs\":[]}", "[\"loadgate.baseline/1\",\"s\",10,[],{}]", "a,b", ""] {
            assert!(matches!(parse(foreign, "b.json"), Ok(Stored::Foreign)), "{foreign}");
        }
        assert!(parse("{\"schema\":", "b.json").is_err());
    }
}
