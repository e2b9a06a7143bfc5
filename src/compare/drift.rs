//! One baseline file beside another: which runs came and went, and how the usual values moved.

use std::collections::BTreeSet;

use super::{Comparison, compare, stats};
use crate::baseline::Baseline;
use crate::run::metric::Metric;

/// What differs between two baselines of a suite.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drift {
    /// Ids of runs that only the newer one has, oldest first.
    pub added: Vec<String>,
    /// Ids of runs that only the older one has.
    pub removed: Vec<String>,
    /// Ids of runs in both that start another level in the newer one.
    pub accepted: Vec<String>,
    /// The usual value of every row that either side has, by label and metric.
    pub rows: Vec<Moved>,
}

/// The usual value of one row in both baselines, in the metric's unit: what the next run would be compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// The endpoint's label.
    pub endpoint: String,
    /// The metric.
    pub metric: Metric,
    /// In the older baseline.
    pub before: Option<f64>,
    /// In the newer one.
    pub after: Option<f64>,
}

/// Compares the newer baseline with the older one, for the metrics given.
pub fn drift(older: &Baseline, newer: &Baseline, metrics: &[Metric]) -> Drift {
    let ids = |one: &Baseline, other: &Baseline| {
        let known: BTreeSet<&str> = other.runs.iter().map(|run| run.id.as_str()).collect();
        one.runs.iter().map(|run| run.id.clone()).filter(|id| !known.contains(id.as_str())).collect()
    };
    let relevelled = |run: &&crate::baseline::BaselineRun| {
        older.runs.iter().any(|old| old.id == run.id && old.accepted != run.accepted)
    };
    let labels: BTreeSet<&String> = older.runs.iter().chain(&newer.runs).flat_map(|run| run.endpoints.keys()).collect();
    let (before, after) = (compare(older, &[]), compare(newer, &[]));
    let mut rows = Vec::new();
    for label in labels {
        for metric in metrics {
            let (before, after) = (usual(&before, label, metric), usual(&after, label, metric));
            if before.is_some() || after.is_some() {
                rows.push(Moved { endpoint: label.clone(), metric: metric.clone(), before, after });
            }
        }
    }
    Drift {
        added: ids(newer, older),
        removed: ids(older, newer),
        accepted: newer.runs.iter().filter(relevelled).map(|run| run.id.clone()).collect(),
        rows,
    }
}

/// The geometric mean of the last level; of rates all failures over all requests.
fn usual(comparison: &Comparison<'_>, label: &str, metric: &Metric) -> Option<f64> {
    let pair = comparison.endpoints.iter().find(|pair| pair.label == label)?;
    if *metric == Metric::ErrorRate {
        return super::pair::Count::sum(&comparison.failures_before(pair)).map(super::pair::Count::rate);
    }
    let known = comparison.before(pair, metric).known;
    let level = known.last()?.level;
    let last: Vec<f64> = known.iter().filter(|value| value.level == level).map(|value| value.value).collect();
    if let [only] = last.as_slice() {
        return Some(*only);
    }
    let logs: Vec<f64> = last.iter().map(|value| value.ln()).collect();
    stats::mean(&logs).map(f64::exp)
}
