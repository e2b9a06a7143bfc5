//! The common model: one execution of a load test, in our words.
//!
//! Every format is translated into a [`Run`]; everything later reads only this. Latency is in milliseconds, a rate is a
//! ratio 0..1, throughput is per second. Unknown is `None` or an absent metric, never zero.

pub mod combine;
pub mod display;
pub mod histogram;
pub mod metric;
pub mod recorder;
pub mod tally;
pub mod timeline;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::histogram::Histogram;
use self::metric::{Measurement, Metric};
use self::timeline::Timeline;

/// The endpoint name under which all requests of a run together are shown and addressed by rules.
pub const TOTAL: &str = "(total)";

/// Code of the notice that a run did not reach its planned end.
pub const CUT_SHORT: &str = "cut_short";
/// Code of the notice that the load generator was too busy to measure.
pub const SATURATED: &str = "generator_saturated";
/// Code of the notice that parts of the run are not there.
pub const SHARDS_MISSING: &str = "shards_missing";

/// One execution of a suite.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// The named load test this run belongs to.
    #[serde(default)]
    pub suite: String,
    /// The load tool, as people call it: `Locust`, `k6`.
    pub tool: String,
    /// The tool's version where the artifact tells it.
    #[serde(default)]
    pub tool_version: Option<String>,
    /// The format ids the run was read from, joined by `+`.
    #[serde(default)]
    pub format: String,
    /// The files the run was read from, as the user named them, sorted.
    #[serde(default)]
    pub files: Vec<String>,
    /// First request, or the nearest thing the artifact knows.
    #[serde(default)]
    #[schemars(with = "Option<Moment>")]
    pub started_at: Option<Timestamp>,
    /// Seconds from the first request's start to the last one's end.
    #[serde(default)]
    pub duration_s: Option<f64>,
    /// Whether the run reached its planned end; `None` where nothing tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<bool>,
    /// Which parts of the run are in it, if it was made in parts and not all of them are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<Shards>,
    /// What was asked of the system under test.
    #[serde(default)]
    pub load: Load,
    /// Facts about the machines under load (never about the one that runs `check`).
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Sorted by label; labels are unique.
    pub endpoints: Vec<Endpoint>,
    /// All requests together, as the artifact says or as can honestly be added up.
    #[serde(default)]
    pub total: Option<Endpoint>,
    /// What happened when, for drawing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    /// What the reader of the report should know about how the run was read.
    #[serde(default)]
    pub notices: Vec<Notice>,
}

impl Run {
    /// The endpoint shown as `label`, [`TOTAL`] included.
    pub fn endpoint(&self, label: &str) -> Option<&Endpoint> {
        if label == TOTAL {
            return self.total.as_ref();
        }
        let place = self.endpoints.binary_search_by(|endpoint| endpoint.label_bytes().cmp(label.bytes()));
        self.endpoints.get(place.ok()?)
    }

    /// Load and duration together: what has to agree before two runs may be compared.
    pub fn load_facts(&self) -> LoadFacts {
        LoadFacts {
            users: self.load.users,
            target_rps: self.load.target_rps,
            duration_s: self.duration_s,
            profile: self.load.profile.clone(),
        }
    }
}

/// The schema name of run JSON.
pub const SCHEMA: &str = "loadgate.run/1";

/// A run as it stands in a file of its own: the schema first.
#[derive(Debug, Serialize)]
pub struct RunFile<'a> {
    /// [`SCHEMA`].
    schema: &'static str,
    #[serde(flatten)]
    run: &'a Run,
}

impl<'a> From<&'a Run> for RunFile<'a> {
    fn from(run: &'a Run) -> Self {
        Self { schema: SCHEMA, run }
    }
}

/// Parts of a run that was made in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shards {
    /// How many parts the run has.
    pub of: u32,
    /// Which of them are here, from 1.
    pub have: std::collections::BTreeSet<u32>,
}

impl Shards {
    /// Part `index` (from 1) of `of`; `None` if there can be no such part.
    pub fn one(index: u32, of: u32) -> Option<Self> {
        (1..=of).contains(&index).then(|| Self { of, have: [index].into() })
    }

    /// Reads `2/4`.
    pub fn parse(text: &str) -> Option<Self> {
        let (index, of) = text.split_once('/')?;
        Self::one(index.trim().parse().ok()?, of.trim().parse().ok()?)
    }

    /// The parts that are not here.
    pub fn missing(&self) -> Vec<u32> {
        // A file may claim any number of parts; nobody reads more than a few.
        (1..=self.of).filter(|index| !self.have.contains(index)).take(1_000).collect()
    }
}

/// How a time stamp is described in a JSON Schema: RFC 3339.
pub(crate) enum Moment {}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// What was asked of the system under test; unknown parts are `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// Most concurrent users.
    #[serde(default)]
    pub users: Option<f64>,
    /// Requests per second that an open-model test aimed at.
    #[serde(default)]
    pub target_rps: Option<f64>,
    /// Name of the load profile.
    #[serde(default)]
    pub profile: Option<String>,
}

/// [`Load`] with the duration beside it, as a baseline stores it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadFacts {
    /// Most concurrent users.
    #[serde(default)]
    pub users: Option<f64>,
    /// Requests per second aimed at.
    #[serde(default)]
    pub target_rps: Option<f64>,
    /// Length of the run in seconds.
    #[serde(default)]
    pub duration_s: Option<f64>,
    /// Name of the load profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// One named request with what was measured of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// HTTP method or the tool's request type, where known.
    #[serde(default)]
    pub method: Option<String>,
    /// The name as the tool wrote it. Untrusted text.
    pub name: String,
    /// Requests, failed ones included.
    #[serde(default)]
    pub requests: Option<u64>,
    /// Failed requests, as the tool defines failure.
    #[serde(default)]
    pub failures: Option<u64>,
    /// What is known, and only that.
    #[serde(default)]
    pub metrics: BTreeMap<Metric, Measurement>,
    /// Seconds over which it was measured, where that is not the whole run: one stage of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_s: Option<f64>,
    /// Failures by kind, most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorCount>,
    /// Latency distribution, where the artifact allows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
}

impl Endpoint {
    /// `POST /checkout`, or the name alone where no method is known: how an endpoint is shown, sorted and matched.
    pub fn label(&self) -> String {
        label(self.method.as_deref(), &self.name)
    }

    /// The bytes of [`Endpoint::label`].
    fn label_bytes(&self) -> impl Iterator<Item = u8> {
        let method = self.method.as_deref().filter(|method| !method.is_empty());
        method.into_iter().flat_map(|method| method.bytes().chain([b' '])).chain(self.name.bytes())
    }

    /// The value of `metric`, if it is known.
    pub fn value(&self, metric: &Metric) -> Option<f64> {
        self.metrics.get(metric).map(Measurement::value)
    }

    /// Failures over requests, from the counts if both are known, else as the tool reported it.
    pub fn error_rate(&self) -> Option<f64> {
        match (self.requests, self.failures) {
            (Some(requests), Some(failures)) if requests > 0 => Some(failures as f64 / requests as f64),
            _ => self.value(&Metric::ErrorRate),
        }
    }
}

/// See [`Endpoint::label`].
pub fn label(method: Option<&str>, name: &str) -> String {
    match method {
        Some(method) if !method.is_empty() => format!("{method} {name}"),
        _ => name.to_owned(),
    }
}

/// How often one kind of failure happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorCount {
    /// The tool's text. Untrusted, cut to a sensible length by the recorder.
    pub message: String,
    /// How often.
    pub count: u64,
}

/// The work was done, and the reader should know this about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// Stable word for programs, such as `load_mismatch`.
    pub code: String,
    /// One sentence for people; lowercase fragment, no final stop.
    pub message: String,
    /// The file it is about.
    #[serde(default)]
    pub file: Option<String>,
    /// The line in it, from 1.
    #[serde(default)]
    pub line: Option<u64>,
}

impl Notice {
    /// A notice about no file in particular.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), file: None, line: None }
    }

    /// The same notice, about `file`.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    /// The same notice, at `line` (from 1).
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(out, "{file}:{line}: {}", self.message),
            (Some(file), None) => write!(out, "{file}: {}", self.message),
            _ => out.write_str(&self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_found_by_what_it_is_shown_as() {
        let shown = [
            (None, "(other endpoints)"),
            (None, "GET"),
            (Some("GET"), ""),
            (None, "GET  "),
            (Some("GET"), "/a"),
            (Some(""), "GET-x"),
            (Some("GETS"), "é"),
        ];
        let endpoints: Vec<Endpoint> = shown
            .into_iter()
            .map(|(method, name)| Endpoint {
                method: method.map(str::to_owned),
                name: name.to_owned(),
                ..Endpoint::default()
            })
            .collect();
        assert!(endpoints.is_sorted_by_key(Endpoint::label));
        let run = Run { endpoints, ..Run::default() };
        for endpoint in &run.endpoints {
            assert_eq!(run.endpoint(&endpoint.label()), Some(endpoint));
        }
        assert_eq!(run.endpoint("GET /b"), None);
        assert_eq!(run.endpoint(TOTAL), None);
    }
}
