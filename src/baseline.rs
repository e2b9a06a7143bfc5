//! The accepted runs of a suite, as committed in the repository.
//!
//! Types and pure questions only; reading and writing is in [`store`].

pub mod edit;
pub mod origin;
pub mod store;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::run::histogram::Histogram;
use crate::run::metric::{Measurement, Metric};
use crate::run::{LoadFacts, Run};

/// How many runs a baseline keeps unless its file says otherwise.
pub const KEEP: usize = 10;

/// Accepted runs, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    /// The suite they belong to.
    pub suite: String,
    /// How many runs are kept; adding one more drops the oldest.
    pub keep: usize,
    /// Oldest first.
    pub runs: Vec<BaselineRun>,
    /// Latency distribution per endpoint label of the last accepted run, for drawing only.
    pub histograms: BTreeMap<String, Histogram>,
}

/// The figures of one accepted run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BaselineRun {
    /// Short and stable: names the run in messages and in `baseline remove`.
    pub id: String,
    /// When the load test ran.
    pub time: Option<Timestamp>,
    /// The commit that was tested.
    pub commit: Option<String>,
    /// The branch or tag that was tested.
    pub git_ref: Option<String>,
    /// What the gate said of it when it was added.
    pub verdict: Option<String>,
    /// Which metrics of which endpoints (label or `*`) start a new level with this run.
    pub accepted: BTreeMap<String, AcceptedMetrics>,
    /// Load and duration.
    pub load: LoadFacts,
    /// Facts about the machines under load.
    pub environment: BTreeMap<String, String>,
    /// By endpoint label.
    pub endpoints: BTreeMap<String, BaselineEndpoint>,
    /// All requests together.
    pub total: Option<BaselineEndpoint>,
}

/// What a baseline keeps of an endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BaselineEndpoint {
    /// Requests, failed ones included.
    pub requests: Option<u64>,
    /// Failed requests.
    pub failures: Option<u64>,
    /// What was known.
    pub metrics: BTreeMap<Metric, Measurement>,
}

/// The metrics whose new level a run was accepted to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AcceptedMetrics {
    /// `"*"`: every metric.
    All(Star),
    /// These.
    Some(Vec<Metric>),
}

/// The text `"*"` and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Star {
    /// `*`
    #[serde(rename = "*")]
    Star,
}

impl BaselineRun {
    /// The endpoint shown as `label`, `(total)` included.
    pub fn endpoint(&self, label: &str) -> Option<&BaselineEndpoint> {
        if label == crate::run::TOTAL { self.total.as_ref() } else { self.endpoints.get(label) }
    }

    /// Whether this run starts a new level for `metric` of the endpoint.
    pub fn starts_level(&self, label: &str, metric: &Metric) -> bool {
        [label, "*"].iter().filter_map(|key| self.accepted.get(*key)).any(|accepted| match accepted {
            AcceptedMetrics::All(Star::Star) => true,
            AcceptedMetrics::Some(metrics) => metrics.contains(metric),
        })
    }
}

impl Baseline {
    /// An empty baseline for `suite`.
    pub fn new(suite: &str) -> Self {
        Self { suite: suite.to_owned(), keep: KEEP, runs: Vec::new(), histograms: BTreeMap::new() }
    }

    /// Appends a run, drops the oldest beyond `keep`, and replaces the histograms by those of `run`.
    pub fn add(&mut self, run: &Run, origin: Origin) {
        let endpoints =
            run.endpoints.iter().map(|endpoint| (endpoint.label(), BaselineEndpoint::from(endpoint))).collect();
        self.runs.push(BaselineRun {
            id: origin.id,
            time: origin.time.or(run.started_at),
            commit: origin.commit,
            git_ref: origin.git_ref,
            verdict: origin.verdict,
            accepted: origin.accepted,
            load: run.load_facts(),
            environment: run.environment.clone(),
            endpoints,
            total: run.total.as_ref().map(BaselineEndpoint::from),
        });
        let surplus = self.runs.len().saturating_sub(self.keep.max(1));
        self.runs.drain(..surplus);
        self.histograms = run
            .endpoints
            .iter()
            .filter_map(|endpoint| endpoint.histogram.clone().map(|histogram| (endpoint.label(), histogram)))
            .collect();
    }
}

/// What is known of a run beyond its artifacts, when it is added.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origin {
    /// See [`BaselineRun::id`].
    pub id: String,
    /// Overrides the artifact's own time.
    pub time: Option<Timestamp>,
    /// The commit that was tested.
    pub commit: Option<String>,
    /// The branch or tag that was tested.
    pub git_ref: Option<String>,
    /// What the gate said.
    pub verdict: Option<String>,
    /// See [`BaselineRun::accepted`].
    pub accepted: BTreeMap<String, AcceptedMetrics>,
}

impl From<&crate::run::Endpoint> for BaselineEndpoint {
    fn from(endpoint: &crate::run::Endpoint) -> Self {
        Self { requests: endpoint.requests, failures: endpoint.failures, metrics: endpoint.metrics.clone() }
    }
}
