//! Current runs beside baseline runs: which of them can be compared, and the values of each endpoint on both sides.
//!
//! Facts only, no opinion: limits, evidence and statuses are in [`crate::verdict`], the mathematics in [`stats`].

pub mod like;
pub mod pair;
pub mod stats;

use std::collections::{BTreeSet, HashMap};

use crate::baseline::{Baseline, BaselineRun};
use crate::run::metric::Metric;
use crate::run::{CUT_SHORT, LoadFacts, Notice, Run, SATURATED, SHARDS_MISSING, TOTAL};

use self::pair::{Count, EndpointPair, Sample, Side, Values};

/// A suite's current runs beside the baseline runs that count.
#[derive(Debug, Clone)]
pub struct Comparison<'a> {
    /// Every run of the baseline file, oldest first.
    pub file: &'a [BaselineRun],
    /// Which of them are used, as places in `file`, in order (STATISTICS section 3).
    pub used: Vec<usize>,
    /// Whether the used runs and the current ones are known to have run on the same kind of machine.
    pub environment_equal: bool,
    /// Set where the load of the two sides differs, so that latency and throughput cannot be judged.
    pub load_mismatch: Option<LoadMismatch>,
    /// Why the current runs measured something else than the service under its load, if they did: cut short, or a load
    /// generator that could not keep up. Latency and throughput cannot be judged then.
    pub doubt: Option<Notice>,
    /// How many current runs there are: repeats of the same thing, shards having been added before.
    pub current_runs: usize,
    /// Every endpoint of either side, by label; `(total)` last, where either side has one.
    pub endpoints: Vec<EndpointPair<'a>>,
}

/// The two loads that differ.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadMismatch {
    /// Of the newest used baseline run (or of the first current run, where repeats differ among themselves).
    pub baseline: LoadFacts,
    /// Of the current run that differs.
    pub current: LoadFacts,
    /// In words: `50 users in the baseline, 200 now`.
    pub text: String,
}

/// Puts the current runs (one, or repeats) beside the baseline runs that count.
pub fn compare<'a>(baseline: &'a Baseline, current: &'a [Run]) -> Comparison<'a> {
    let selection = like::select(&baseline.runs, current);
    let endpoints = endpoints(&baseline.runs, &selection.used, current);
    let load_mismatch =
        selection.mismatch.or_else(|| like::request_mismatch(&baseline.runs, &selection.used, current, &endpoints));
    Comparison {
        file: &baseline.runs,
        used: selection.used,
        environment_equal: selection.environment_equal,
        load_mismatch,
        doubt: current.iter().find_map(doubt),
        current_runs: current.len(),
        endpoints,
    }
}

/// Notice codes of a run that make its latency and throughput worthless.
const DOUBTFUL: [&str; 3] = [CUT_SHORT, SHARDS_MISSING, SATURATED];

/// Why the run's latency and throughput mean nothing, if they do not.
fn doubt(run: &Run) -> Option<Notice> {
    let told = run.notices.iter().find(|notice| DOUBTFUL.contains(&notice.code.as_str()));
    let cut = || Notice::new(CUT_SHORT, "the run was cut short before its planned end");
    told.cloned().or_else(|| (run.complete == Some(false)).then(cut))
}

impl<'a> Comparison<'a> {
    /// The baseline runs that are used, oldest first.
    pub fn used_runs(&self) -> impl Iterator<Item = &'a BaselineRun> + '_ {
        self.used.iter().filter_map(|place| self.file.get(*place))
    }

    /// The endpoint shown as `label`, [`TOTAL`] included.
    pub fn pair(&self, label: &str) -> Option<&EndpointPair<'a>> {
        if label == TOTAL {
            return self.endpoints.last().filter(|pair| pair.label == TOTAL);
        }
        let place = self.endpoints.partition_point(|pair| pair.label != TOTAL && *pair.label < *label);
        self.endpoints.get(place).filter(|pair| pair.label == label)
    }

    /// Whether there is a baseline and not one endpoint of it is in the current runs: nothing can be said. The total of
    /// other endpoints says nothing either; where a side has nothing else, it is what there is.
    pub fn nothing_in_common(&self) -> bool {
        let stands = |side: Side| self.endpoints.iter().any(|pair| pair.label != TOTAL && pair.side == side);
        let named_on_both_sides = stands(Side::Missing) && stands(Side::New);
        let any = self.endpoints.iter().any(|pair| pair.side == Side::Both);
        !self.used.is_empty() && !stands(Side::Both) && (named_on_both_sides || !any)
    }

    /// The usable baseline values of a latency, throughput or custom metric.
    pub fn before(&self, pair: &EndpointPair<'_>, metric: &Metric) -> Values {
        let levels = self.levels(&pair.label, metric);
        let mut values = pair.usable_before(metric);
        for value in &mut values.known {
            value.level = levels.get(value.run).copied().unwrap_or_default();
        }
        values
    }

    /// The usable current values.
    pub fn now(&self, pair: &EndpointPair<'_>, metric: &Metric) -> Values {
        pair.usable_now(metric)
    }

    /// Failures and requests per baseline run of the endpoint's last level, where the run knows both.
    pub fn failures_before(&self, pair: &EndpointPair<'_>) -> Vec<Count> {
        let levels = self.levels(&pair.label, &Metric::ErrorRate);
        let known: Vec<(u32, Count)> =
            pair.counts_before().map(|(run, count)| (levels.get(run).copied().unwrap_or_default(), count)).collect();
        let last = known.last().map(|(level, _)| *level);
        known.into_iter().filter(|(level, _)| Some(*level) == last).map(|(_, count)| count).collect()
    }

    /// The level each used run belongs to: an accepted shift starts a new one, whether its run is used or not.
    fn levels(&self, label: &str, metric: &Metric) -> Vec<u32> {
        let mut level = 0;
        let mut levels = Vec::with_capacity(self.used.len());
        let mut used = self.used.iter().peekable();
        for (place, run) in self.file.iter().enumerate() {
            level += u32::from(run.starts_level(label, metric));
            if used.next_if(|next| **next == place).is_some() {
                levels.push(level);
            }
        }
        levels
    }
}

/// Pairs up the endpoints of both sides, sorted by label.
fn endpoints<'a>(file: &'a [BaselineRun], used: &[usize], current: &'a [Run]) -> Vec<EndpointPair<'a>> {
    let used: Vec<&BaselineRun> = used.iter().filter_map(|place| file.get(*place)).collect();
    let now: Vec<HashMap<String, &crate::run::Endpoint>> =
        current.iter().map(|run| run.endpoints.iter().map(|endpoint| (endpoint.label(), endpoint)).collect()).collect();
    let labels: BTreeSet<&str> = used
        .iter()
        .flat_map(|run| run.endpoints.keys())
        .chain(now.iter().flat_map(HashMap::keys))
        .map(String::as_str)
        .collect();
    let mut pairs: Vec<EndpointPair<'a>> = labels
        .into_iter()
        .map(|label| {
            EndpointPair::new(
                label,
                used.iter().map(|run| run.endpoints.get(label).map(Sample::from)).collect(),
                now.iter().map(|run| run.get(label).copied().map(Sample::from)).collect(),
                now.iter().find_map(|run| run.get(label).copied()),
            )
        })
        .collect();
    let total = EndpointPair::new(
        TOTAL,
        used.iter().map(|run| run.total.as_ref().map(Sample::from)).collect(),
        current.iter().map(|run| run.total.as_ref().map(Sample::from)).collect(),
        None,
    );
    pairs.extend(total.stands_anywhere().then_some(total));
    pairs
}
