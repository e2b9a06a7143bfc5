//! What would settle a doubt: the smallest change that can be seen, and how many requests, repeats or failures it takes.

use std::fmt::Write as _;

use crate::compare::stats::proportion::{failures_needed, newcombe};
use crate::compare::stats::{Noise, detectable_shift, rounding_variance};
use crate::run::display::{count, plural};

use super::decide::{RAW, evidence_limit};
use super::row::{Counts, Facts, Level, Rate, Row};
use super::words::signed_size;

/// More repeats than this nobody makes to settle one row.
const MOST_REPEATS: usize = 10;
/// Nor so many times the requests.
const MOST_REQUESTS: f64 = 20.0;

impl Row<'_, '_> {
    /// The smallest bad change that would be seen in 4 of 5 runs: relative, of rates in points as a ratio.
    pub(super) fn smallest_detectable(&self) -> Option<f64> {
        match &self.facts {
            Facts::Level(level) => {
                let (limit, history) = evidence_limit(self.rule).zip(level.history)?;
                let shift = detectable_shift(level.shift_of(limit), history.variance, history.quantiles);
                Some(level.size_of(shift))
            }
            Facts::Rate(rate) => {
                rate.needed.zip(rate.counts).map(|(needed, counts)| needed / counts.now.n - rate.baseline)
            }
            Facts::NotMeasured { .. } | Facts::Meaningless => None,
        }
    }
}

impl Counts {
    /// Failures among the current requests that are over `limit` (points as a ratio) and no accident.
    pub(super) fn needed(&self, limit: f64) -> Option<f64> {
        failures_needed(self.before, self.now.n, self.phi, limit, RAW)
    }

    /// Newcombe's 95 % interval of the difference, on the counts that are left after bursts.
    pub(super) fn interval(&self) -> [f64; 2] {
        newcombe(self.before.deflated(self.phi), self.now.deflated(self.phi))
    }
}

impl Rate {
    /// See [`Counts::interval`].
    pub(super) fn interval(&self) -> Option<[f64; 2]> {
        self.counts.map(|counts| counts.interval())
    }
}

/// `it would take 31 failures in 1 500 to be sure`
pub(super) fn failures(rate: &Rate) -> Option<String> {
    let (needed, counts) = rate.needed.zip(rate.counts)?;
    let (needed, requests) = (count(needed as u64), count(counts.now.n as u64));
    Some(format!("it would take {needed} failures in {requests} to be sure"))
}

/// `from +27 % on this gate would tell; 3 repeats would settle it, or about 1 800 requests instead of 212`
pub(super) fn words(row: &Row<'_, '_>, level: &Level) -> Option<String> {
    let size = row.smallest_detectable().filter(|size| size.is_finite())?;
    let mut out = format!("from {} on this gate would tell", signed_size(row, size));
    let ways: Vec<String> = [repeats(level), requests(row, level)].into_iter().flatten().collect();
    if !ways.is_empty() {
        let _ = write!(out, "; {} would settle a change of this size", ways.join(", or "));
    }
    Some(out)
}

/// Whether the change would be shown if the runs scattered with this variance.
fn shown(level: &Level, variance: f64) -> bool {
    let quantiles = level.history.map(|history| history.quantiles);
    quantiles.is_some_and(|quantiles| level.d >= quantiles.q99 * variance.sqrt())
}

fn repeats(level: &Level) -> Option<String> {
    let history = level.history?;
    let noise = level.noise(history.run_to_run);
    let k = level.now.len();
    let enough = (k + 1..=MOST_REPEATS).find(|repeats| {
        let rounding = rounding_variance(level.rounding_now, *repeats, level.rounding_before, level.m);
        shown(level, Noise { k: *repeats, rounding, ..noise }.variance())
    })?;
    Some(plural(enough - k, "more repeat"))
}

fn requests(row: &Row<'_, '_>, level: &Level) -> Option<String> {
    let history = level.history?;
    let noise = level.noise(history.run_to_run);
    let (_, now) = row.pair.mean_requests()?;
    let with = |factor: f64| Noise { sampling_now: noise.sampling_now / factor, ..noise }.variance();
    if noise.sampling_now <= 0.0 || !shown(level, with(MOST_REQUESTS)) {
        return None;
    }
    let (mut low, mut high) = (1.0, MOST_REQUESTS);
    while high - low > 0.05 * low {
        let middle = f64::midpoint(low, high);
        if shown(level, with(middle)) { high = middle } else { low = middle }
    }
    // Two digits: this is advice, not a measurement.
    let needed = high * now;
    let scale = 10f64.powf(needed.log10().floor() - 1.0).max(1.0);
    let (needed, now) = (count(((needed / scale).ceil() * scale) as u64), count(now.round() as u64));
    Some(format!("about {needed} requests instead of {now}"))
}
