//! What people change in a baseline by hand: take a run out, or say that one starts a new level.

use std::collections::BTreeMap;

use super::{AcceptedMetrics, Baseline, BaselineRun, Star};
use crate::run::TOTAL;
use crate::run::metric::Metric;

/// Names every endpoint.
pub const EVERY: &str = "*";

/// Why a baseline was left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The baseline has no runs.
    #[error("the baseline has no runs")]
    Empty,
    /// No run has this id, nor begins like it.
    #[error("no run `{id}`: the baseline has {known}")]
    UnknownRun {
        /// As given.
        id: String,
        /// The ids there are.
        known: String,
    },
    /// Several runs begin like this.
    #[error("`{id}` is the beginning of several runs: {matching}")]
    Ambiguous {
        /// As given.
        id: String,
        /// Those runs.
        matching: String,
    },
    /// The run does not have the endpoint.
    #[error("run {run} has no endpoint `{endpoint}`; it has {known}")]
    UnknownEndpoint {
        /// The run.
        run: String,
        /// As given.
        endpoint: String,
        /// The endpoints there are.
        known: String,
    },
}

impl Baseline {
    /// The place of the run whose id is `id` or begins with it; without an id the newest.
    pub fn find(&self, id: Option<&str>) -> Result<usize, EditError> {
        let Some(id) = id else { return self.runs.len().checked_sub(1).ok_or(EditError::Empty) };
        let ids = |runs: &mut dyn Iterator<Item = &BaselineRun>| {
            runs.map(|run| run.id.as_str()).collect::<Vec<_>>().join(", ")
        };
        if let Some(exact) = self.runs.iter().position(|run| run.id == id) {
            return Ok(exact);
        }
        let mut matching = self.runs.iter().enumerate().filter(|(_, run)| run.id.starts_with(id));
        match (matching.next(), matching.next()) {
            (Some((place, _)), None) => Ok(place),
            (Some(_), Some(_)) => {
                let matching = ids(&mut self.runs.iter().filter(|run| run.id.starts_with(id)));
                Err(EditError::Ambiguous { id: id.to_owned(), matching })
            }
            (None, _) => Err(EditError::UnknownRun { id: id.to_owned(), known: ids(&mut self.runs.iter()) }),
        }
    }

    /// Takes the run at `place` out. If it started a new level, the next run starts it instead: the runs before must not
    /// become usual again.
    pub fn remove(&mut self, place: usize) -> Option<BaselineRun> {
        if place >= self.runs.len() {
            return None;
        }
        let removed = self.runs.remove(place);
        if let Some(next) = self.runs.get_mut(place) {
            for (endpoint, metrics) in &removed.accepted {
                next.start_level(endpoint, metrics);
            }
        }
        if self.runs.is_empty() {
            self.histograms = BTreeMap::new();
        }
        Some(removed)
    }

    /// Says that the run at `place` starts a new level for the endpoint (a label, or [`EVERY`]) and the metrics (none: all).
    pub fn accept(&mut self, place: usize, endpoint: &str, metrics: &[Metric]) -> Result<(), EditError> {
        let run = self.runs.get_mut(place).ok_or(EditError::Empty)?;
        if endpoint != EVERY && endpoint != TOTAL && !run.endpoints.contains_key(endpoint) {
            let known = run.endpoints.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(EditError::UnknownEndpoint { run: run.id.clone(), endpoint: endpoint.to_owned(), known });
        }
        let metrics = match metrics {
            [] => AcceptedMetrics::All(Star::Star),
            metrics => AcceptedMetrics::Some(metrics.to_vec()),
        };
        run.start_level(endpoint, &metrics);
        Ok(())
    }
}

impl BaselineRun {
    fn start_level(&mut self, endpoint: &str, metrics: &AcceptedMetrics) {
        let known = self.accepted.entry(endpoint.to_owned()).or_insert_with(|| AcceptedMetrics::Some(Vec::new()));
        match (&mut *known, metrics) {
            (AcceptedMetrics::Some(known), AcceptedMetrics::Some(more)) => {
                known.extend(more.iter().cloned());
                known.sort_unstable();
                known.dedup();
            }
            (known, AcceptedMetrics::All(star)) => *known = AcceptedMetrics::All(*star),
            (AcceptedMetrics::All(_), AcceptedMetrics::Some(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::BaselineEndpoint;

    fn baseline() -> Baseline {
        let run = |id: &str| BaselineRun {
            id: id.to_owned(),
            endpoints: [("GET /a".to_owned(), BaselineEndpoint::default())].into(),
            ..BaselineRun::default()
        };
        Baseline { runs: ["11-aa", "11-ab", "12-c"].map(run).into(), ..Baseline::new("api") }
    }

    #[test]
    fn a_run_is_named_by_the_beginning_of_its_id() {
        let baseline = baseline();
        assert_eq!(baseline.find(Some("12")), Ok(2));
        assert_eq!(baseline.find(Some("11-ab")), Ok(1));
        assert_eq!(baseline.find(None), Ok(2));
        assert!(matches!(baseline.find(Some("11")), Err(EditError::Ambiguous { .. })));
        assert!(matches!(baseline.find(Some("13")), Err(EditError::UnknownRun { .. })));
        assert_eq!(Baseline::new("api").find(None), Err(EditError::Empty));
    }

    #[test]
    fn an_accepted_level_outlives_the_run_that_started_it() {
        let mut baseline = baseline();
        baseline.accept(1, "GET /a", &[Metric::LatencyP95]).unwrap();
        baseline.accept(2, "GET /a", &[Metric::LatencyP50]).unwrap();
        assert_eq!(baseline.remove(1).unwrap().id, "11-ab");
        assert!(baseline.runs[1].starts_level("GET /a", &Metric::LatencyP95));
        assert!(baseline.runs[1].starts_level("GET /a", &Metric::LatencyP50));
        assert!(!baseline.runs[1].starts_level("GET /a", &Metric::Throughput));
        assert_eq!(baseline.remove(7), None);
    }

    #[test]
    fn every_metric_stays_every_metric() {
        let mut baseline = baseline();
        baseline.accept(0, EVERY, &[]).unwrap();
        baseline.accept(0, EVERY, &[Metric::LatencyP50]).unwrap();
        assert!(baseline.runs[0].starts_level("GET /a", &Metric::Throughput));
        assert!(matches!(baseline.accept(0, "GET /b", &[]), Err(EditError::UnknownEndpoint { .. })));
    }
}
