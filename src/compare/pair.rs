//! One endpoint on both sides: the values that can be used, and why the others cannot.

use std::collections::BTreeMap;

use super::stats;
use crate::baseline::BaselineEndpoint;
use crate::policy::minimum_requests;
use crate::run::Endpoint;
use crate::run::metric::{Measurement, Metric};

/// One endpoint, on both sides.
#[derive(Debug, Clone)]
pub struct EndpointPair<'a> {
    /// As shown and matched: `POST /checkout`, `(total)`.
    pub label: String,
    /// The method, where known (a baseline stores labels only, so unknown for a missing endpoint).
    pub method: Option<String>,
    /// The name without the method.
    pub name: String,
    /// Where it stands.
    pub side: Side,
    /// More than half of its requests failed in the baseline *and* now: its latency and throughput mean nothing.
    pub mostly_fails: bool,
    /// Its figures in each used baseline run.
    before: Vec<Option<Sample<'a>>>,
    /// Its figures in each current run.
    now: Vec<Option<Sample<'a>>>,
}

/// Where an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// In used baseline runs and in current runs.
    Both,
    /// Only in the current runs.
    New,
    /// Only in the baseline runs.
    Missing,
}

/// What one run knows of one endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample<'a> {
    requests: Option<u64>,
    failures: Option<u64>,
    metrics: &'a BTreeMap<Metric, Measurement>,
}

/// The usable values of a row on one side.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values {
    /// In order of the runs.
    pub known: Vec<Value>,
    /// Why others are absent: the reason that tells most. `None` if no run lacks the value.
    pub absent: Option<Absent>,
}

/// One usable value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// The place of its run among the used baseline runs, or among the current ones.
    pub run: usize,
    /// In the metric's unit; positive.
    pub value: f64,
    /// The artifact's rounding step there; 0 where exact or unknown.
    pub step: f64,
    /// Variance of ln(value) within one run, from its finite number of requests; 0 where unknown.
    pub sampling: f64,
    /// Level of the history the run belongs to (an accepted shift starts a new one); 0 for current runs.
    pub level: u32,
}

/// Why a run has no usable value of a row. The order is that of how much it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Absent {
    /// The run does not have the endpoint.
    NoEndpoint,
    /// The artifact does not hold the metric.
    NotHeld,
    /// A value of zero or less has no logarithm.
    NotPositive,
    /// Fewer requests than the metric needs.
    TooFew {
        /// How many there were.
        requests: u64,
        /// How many it takes.
        needed: u64,
    },
}

/// Failures among the requests of one endpoint in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Failed requests.
    pub failures: u64,
    /// Requests, failed ones included; more than zero.
    pub requests: u64,
}

impl<'a> EndpointPair<'a> {
    pub(super) fn new(
        label: &str,
        before: Vec<Option<Sample<'a>>>,
        now: Vec<Option<Sample<'a>>>,
        endpoint: Option<&Endpoint>,
    ) -> Self {
        let side = match (before.iter().any(Option::is_some), now.iter().any(Option::is_some)) {
            (true, true) => Side::Both,
            (true, false) => Side::Missing,
            _ => Side::New,
        };
        let mostly_fails = side == Side::Both && mostly_fails(&before) && mostly_fails(&now);
        Self {
            label: label.to_owned(),
            method: endpoint.and_then(|endpoint| endpoint.method.clone()),
            name: endpoint.map_or_else(|| label.to_owned(), |endpoint| endpoint.name.clone()),
            side,
            mostly_fails,
            before,
            now,
        }
    }

    /// The raw current values of any metric, whatever the number of requests: what a budget is held against.
    pub fn measured_now(&self, metric: &Metric) -> Vec<f64> {
        self.now.iter().flatten().filter_map(|sample| sample.measured(metric)).collect()
    }

    /// The raw baseline values of any metric.
    pub fn measured_before(&self, metric: &Metric) -> Vec<f64> {
        self.before.iter().flatten().filter_map(|sample| sample.measured(metric)).collect()
    }

    /// Failures and requests per current run that knows both.
    pub fn failures_now(&self) -> Vec<Count> {
        counts(&self.now).map(|(_, count)| count).collect()
    }

    /// Mean requests per run over the runs that know them, before and now.
    pub fn mean_requests(&self) -> Option<(f64, f64)> {
        let mean = |side: &[Option<Sample<'_>>]| {
            let known: Vec<f64> =
                side.iter().flatten().filter_map(|sample| sample.requests).map(|n| n as f64).collect();
            stats::mean(&known)
        };
        mean(&self.before).zip(mean(&self.now))
    }

    pub(super) fn usable_before(&self, metric: &Metric) -> Values {
        usable(&self.before, metric)
    }

    pub(super) fn usable_now(&self, metric: &Metric) -> Values {
        usable(&self.now, metric)
    }

    pub(super) fn counts_before(&self) -> impl Iterator<Item = (usize, Count)> {
        counts(&self.before)
    }

    pub(super) fn stands_anywhere(&self) -> bool {
        self.before.iter().chain(&self.now).any(Option::is_some)
    }
}

impl<'a> From<&'a BaselineEndpoint> for Sample<'a> {
    fn from(endpoint: &'a BaselineEndpoint) -> Self {
        Self { requests: endpoint.requests, failures: endpoint.failures, metrics: &endpoint.metrics }
    }
}

impl<'a> From<&'a Endpoint> for Sample<'a> {
    fn from(endpoint: &'a Endpoint) -> Self {
        Self { requests: endpoint.requests, failures: endpoint.failures, metrics: &endpoint.metrics }
    }
}

impl Sample<'_> {
    /// Failures and requests, where both are known and there was at least one request.
    fn count(&self) -> Option<Count> {
        let (failures, requests) = self.failures.zip(self.requests)?;
        // A tool that counts more failures than requests counts something else; such a rate is not one.
        (requests > 0 && failures <= requests).then_some(Count { failures, requests })
    }

    fn measured(&self, metric: &Metric) -> Option<f64> {
        let held = || self.metrics.get(metric).map(Measurement::value);
        match metric {
            Metric::ErrorRate => self.count().map(Count::rate).or_else(held),
            Metric::Requests => self.requests.map(|n| n as f64).or_else(held),
            Metric::Failures => self.failures.map(|n| n as f64).or_else(held),
            _ => held(),
        }
    }

    /// STATISTICS section 3: missing if not held, of too few requests, or not positive.
    fn usable(&self, metric: &Metric, run: usize) -> Result<Value, Absent> {
        let held = self.measured(metric).ok_or(Absent::NotHeld)?;
        let needed = minimum_requests(metric);
        if let Some(requests) = self.requests.filter(|requests| *requests < needed) {
            return Err(Absent::TooFew { requests, needed });
        }
        let step = self.metrics.get(metric).and_then(Measurement::step).unwrap_or_default();
        // A latency that was rounded down to 0 ms counts as one rounding step.
        let value = if held == 0.0 && metric.is_latency() { step } else { held };
        if value <= 0.0 {
            return Err(Absent::NotPositive);
        }
        Ok(Value { run, value, step, sampling: self.sampling(metric, value), level: 0 })
    }

    /// The w2 of STATISTICS section 4.
    fn sampling(&self, metric: &Metric, value: f64) -> f64 {
        let Some(requests) = self.requests.filter(|requests| *requests > 0).map(|n| n as f64) else { return 0.0 };
        match metric {
            Metric::LatencyMean => stats::DESIGN_EFFECT / requests,
            Metric::Throughput => 1.0 / requests,
            _ => metric.quantile().map_or(0.0, |level| {
                // In ascending order of level, as the metrics themselves.
                let known = self.metrics.iter().filter_map(|(metric, value)| Some((metric.quantile()?, value.value())));
                let mut known = known.filter(|(_, value)| *value > 0.0);
                let below = known.clone().take_while(|(other, _)| *other < level).last();
                let above = known.find(|(other, _)| *other > level);
                stats::percentile_sampling_variance((level, value), below, above, requests)
            }),
        }
    }
}

impl Count {
    /// Failures over requests.
    pub fn rate(self) -> f64 {
        self.failures as f64 / self.requests as f64
    }

    /// All of several runs together; `None` if there is none.
    pub fn sum(counts: &[Self]) -> Option<Self> {
        counts.iter().copied().reduce(|a, b| Self {
            failures: a.failures.saturating_add(b.failures),
            requests: a.requests.saturating_add(b.requests),
        })
    }
}

fn usable(side: &[Option<Sample<'_>>], metric: &Metric) -> Values {
    let mut values = Values::default();
    for (run, sample) in side.iter().enumerate() {
        match sample.as_ref().ok_or(Absent::NoEndpoint).and_then(|sample| sample.usable(metric, run)) {
            Ok(value) => values.known.push(value),
            Err(absent) => values.absent = values.absent.max(Some(absent)),
        }
    }
    values
}

fn counts<'a>(side: &'a [Option<Sample<'a>>]) -> impl Iterator<Item = (usize, Count)> + 'a {
    side.iter().enumerate().filter_map(|(run, sample)| Some((run, sample.as_ref()?.count()?)))
}

fn mostly_fails(side: &[Option<Sample<'_>>]) -> bool {
    let all: Vec<Count> = counts(side).map(|(_, count)| count).collect();
    Count::sum(&all).is_some_and(|sum| sum.rate() > 0.5)
}
