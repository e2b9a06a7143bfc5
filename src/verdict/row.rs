//! The rows to judge: the values of one endpoint and metric on both sides, with the rule that covers them.

use std::collections::BTreeSet;

use crate::compare::Comparison;
use crate::compare::pair::{Absent, Count, EndpointPair, Side, Value};
use crate::compare::stats::proportion::{Proportion, overdispersion};
use crate::compare::stats::{self, EPSILON, Scatter, rounding_variance, scatter};
use crate::policy::{FromZero, Limit, Policy, Rule};
use crate::run::TOTAL;
use crate::run::metric::{Direction, Metric};

use super::Shift;

/// Least change in ms that counts where a rule gives no floor.
const LATENCY_FLOOR: f64 = 1.0;
/// So many rounding steps a latency has to move, whatever the floor.
const FLOOR_STEPS: f64 = 1.5;

/// One endpoint and metric that a rule with `limit` or `critical` covers.
#[derive(Debug)]
pub(super) struct Row<'p, 'c> {
    pub(super) pair: &'c EndpointPair<'c>,
    pub(super) metric: &'p Metric,
    pub(super) rule: &'p Rule,
    pub(super) facts: Facts,
}

#[derive(Debug)]
pub(super) enum Facts {
    /// A latency, throughput or custom row with values on both sides.
    Level(Box<Level>),
    /// An error rate on both sides.
    Rate(Rate),
    /// One side has no value; why.
    NotMeasured { why: String, runs: usize },
    /// Most requests fail on both sides: the figures mean nothing.
    Meaningless,
}

/// A row as logarithms, up is worse (STATISTICS section 4).
#[derive(Debug)]
pub(super) struct Level {
    /// +1 where lower is better, -1 where higher is.
    pub(super) sigma: f64,
    /// Per used baseline run that holds the value: its place, level of the history, and x.
    pub(super) before: Vec<(usize, u32, f64)>,
    /// Per current run that holds the value: its place and y.
    pub(super) now: Vec<(usize, f64)>,
    /// Values in the last level of the history.
    pub(super) m: usize,
    /// Mean of x over the last level.
    pub(super) usual: f64,
    /// Mean of y minus mean of x.
    pub(super) d: f64,
    /// How the values before scatter.
    pub(super) own: Scatter,
    /// In the metric's unit.
    pub(super) baseline: f64,
    /// In the metric's unit.
    pub(super) current: f64,
    /// Largest rounding step of either side.
    pub(super) step: f64,
    /// Variance that comes from rounding.
    pub(super) rounding: f64,
    /// Largest rounding step before over the value before.
    pub(super) rounding_before: f64,
    /// The same now.
    pub(super) rounding_now: f64,
    /// Mean within-run variance before.
    pub(super) sampling_before: f64,
    /// Mean within-run variance now.
    pub(super) sampling_now: f64,
    /// Branch 1: against the row's own history.
    pub(super) history: Option<Shift>,
    /// Branch 2: against the other endpoints of the same runs.
    pub(super) residual: Option<Shift>,
}

/// An error rate on both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    pub(super) baseline: f64,
    pub(super) current: f64,
    /// `None` where an artifact gives a rate without counts: then nothing can be proven.
    pub(super) counts: Option<Counts>,
    /// Failures among the current requests that would be over the limit and no accident; `None` if not even all would do.
    pub(super) needed: Option<f64>,
    /// Baseline runs behind it.
    pub(super) runs: usize,
}

/// Failures among requests, and what they can prove (STATISTICS section 7).
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) before: Proportion,
    pub(super) now: Proportion,
    pub(super) phi: f64,
    /// Chance that the rate did not rise.
    pub(super) p: f64,
}

/// Every row that a rule with a limit covers, in order of label and metric.
pub(super) fn collect<'p, 'c>(policy: &'p Policy, comparison: &'c Comparison<'c>) -> Vec<Row<'p, 'c>> {
    let metrics = metrics(policy);
    let only_total = only_total(comparison);
    let mut rows = Vec::new();
    for pair in comparison.endpoints.iter().filter(|pair| pair.side == Side::Both) {
        for metric in &metrics {
            if let Some(rule) = comparing(policy, pair, metric, only_total) {
                rows.push(Row { pair, metric, rule, facts: facts(comparison, pair, metric, rule) });
            }
        }
    }
    rows
}

/// Every metric that some rule speaks about.
pub(super) fn metrics(policy: &Policy) -> BTreeSet<&Metric> {
    policy.rules.iter().map(|rule| &rule.metric).collect()
}

/// Whether the current artifact has nothing but a total: then rules about every endpoint speak about that.
pub(super) fn only_total(comparison: &Comparison<'_>) -> bool {
    comparison.endpoints.iter().all(|pair| pair.label == TOTAL || pair.side == Side::Missing)
}

/// The last rule that covers the row and has a limit.
pub(super) fn comparing<'p>(
    policy: &'p Policy,
    pair: &EndpointPair<'_>,
    metric: &Metric,
    only_total: bool,
) -> Option<&'p Rule> {
    last_rule(policy, pair, metric, only_total, Rule::compares)
}

/// The last rule that covers the row and has a budget.
pub(super) fn budget<'p>(
    policy: &'p Policy,
    pair: &EndpointPair<'_>,
    metric: &Metric,
    only_total: bool,
) -> Option<&'p Rule> {
    last_rule(policy, pair, metric, only_total, |rule| rule.max.is_some() || rule.min.is_some())
}

fn last_rule<'p>(
    policy: &'p Policy,
    pair: &EndpointPair<'_>,
    metric: &Metric,
    only_total: bool,
    wanted: impl Fn(&Rule) -> bool,
) -> Option<&'p Rule> {
    let covers =
        |rule: &Rule| rule.covers(&pair.label) || (only_total && pair.label == TOTAL && rule.endpoint.is_none());
    policy.rules.iter().rev().find(|rule| rule.metric == *metric && wanted(rule) && covers(rule))
}

fn facts(comparison: &Comparison<'_>, pair: &EndpointPair<'_>, metric: &Metric, rule: &Rule) -> Facts {
    if *metric == Metric::ErrorRate {
        return rate(comparison, pair, rule);
    }
    if pair.mostly_fails && (metric.is_latency() || *metric == Metric::Throughput) {
        return Facts::Meaningless;
    }
    let (before, now) = (comparison.before(pair, metric), comparison.now(pair, metric));
    let runs = before.known.len();
    match Level::new(rule.direction(), &before.known, &now.known) {
        Some(level) => Facts::Level(Box::new(level)),
        None if now.known.is_empty() => Facts::NotMeasured { why: absent(metric, now.absent, "in this run"), runs },
        None => Facts::NotMeasured { why: absent(metric, before.absent, "in the baseline"), runs },
    }
}

fn absent(metric: &Metric, absent: Option<Absent>, place: &str) -> String {
    let title = metric.title();
    match absent {
        Some(Absent::TooFew { requests, needed }) => {
            let noun = if requests == 1 { "request" } else { "requests" };
            let place = if place == "in this run" { "" } else { " in the baseline" };
            format!("{requests} {noun}{place}, {title} needs {needed}")
        }
        Some(Absent::NotPositive) => format!("{title} is zero {place}: no change can be computed from it"),
        Some(Absent::NotHeld | Absent::NoEndpoint) | None => format!("{title} is not measured {place}"),
    }
}

fn rate(comparison: &Comparison<'_>, pair: &EndpointPair<'_>, rule: &Rule) -> Facts {
    let (before, now) = (pair.measured_before(&Metric::ErrorRate), pair.measured_now(&Metric::ErrorRate));
    // The depth of the history is that of all its levels; the counts are those of the last one.
    let runs = before.len();
    let counts = Counts::new(&comparison.failures_before(pair), &pair.failures_now());
    let counted = counts.map(|counts| (counts.before.rate(), counts.now.rate()));
    let Some((baseline, current)) = counted.or_else(|| stats::mean(&before).zip(stats::mean(&now))) else {
        let side = if now.is_empty() { "this run" } else { "the baseline" };
        return Facts::NotMeasured { why: format!("no failure counts in {side}"), runs };
    };
    let mut rate = Rate { baseline, current, counts, needed: None, runs };
    let limit = rule.limit.or(rule.critical).and_then(|limit| rate.points(limit));
    rate.needed = counts.and_then(|counts| counts.needed(limit.unwrap_or(0.0)));
    let relative = matches!(rule.limit.or(rule.critical), Some(Limit::Relative(_)));
    let silent = matches!(rule.from_zero, None | Some(FromZero::Ignore));
    if relative && rate.baseline == 0.0 && silent {
        return Facts::NotMeasured { why: "no percent of zero: no failures in the baseline".to_owned(), runs };
    }
    Facts::Rate(rate)
}

impl Counts {
    pub(super) fn new(before: &[Count], now: &[Count]) -> Option<Self> {
        let proportion = |count: &Count| Proportion { x: count.failures as f64, n: count.requests as f64 };
        let runs: Vec<Proportion> = before.iter().map(proportion).collect();
        let phi = overdispersion(&runs);
        let (before, now) = Count::sum(before).zip(Count::sum(now))?;
        let (before, now) = (proportion(&before), proportion(&now));
        let p = stats::proportion::chance_not_risen(before.deflated(phi), now.deflated(phi));
        Some(Self { before, now, phi, p })
    }
}

impl Level {
    /// `None` unless both sides have a value.
    fn new(direction: Direction, before: &[Value], now: &[Value]) -> Option<Self> {
        let sigma = if direction == Direction::Lower { 1.0 } else { -1.0 };
        let last = before.last()?.level;
        let level: Vec<&Value> = before.iter().filter(|value| value.level == last).collect();
        let x: Vec<f64> = level.iter().map(|value| sigma * value.value.ln()).collect();
        let y: Vec<f64> = now.iter().map(|value| sigma * value.value.ln()).collect();
        let (usual, mean_y) = stats::mean(&x).zip(stats::mean(&y))?;
        // The value itself where there is one: its logarithm and back would change the last digits.
        let shown = |values: &mut dyn Iterator<Item = f64>, mean: f64| match (values.next(), values.next()) {
            (Some(only), None) => only,
            _ => (sigma * mean).exp(),
        };
        let baseline = shown(&mut level.iter().map(|value| value.value), usual);
        let current = shown(&mut now.iter().map(|value| value.value), mean_y);
        let largest = |values: &[Value]| values.iter().map(|value| value.step).fold(0.0, f64::max);
        let sampling = |values: &[Value]| values.iter().map(|value| value.sampling).sum::<f64>() / values.len() as f64;
        let (step_before, step_now) = (largest(before), largest(now));
        let before_x: Vec<(usize, u32, f64)> =
            before.iter().map(|value| (value.run, value.level, sigma * value.value.ln())).collect();
        Some(Self {
            sigma,
            own: scatter(&before_x.iter().map(|(_, level, x)| (*level, *x)).collect::<Vec<_>>()),
            before: before_x,
            now: now.iter().map(|value| value.run).zip(y).collect(),
            m: level.len(),
            usual,
            d: mean_y - usual,
            baseline,
            current,
            step: step_before.max(step_now),
            rounding: rounding_variance(step_now / current, now.len(), step_before / baseline, level.len()),
            rounding_before: step_before / baseline,
            rounding_now: step_now / current,
            sampling_before: sampling(before),
            sampling_now: sampling(now),
            history: None,
            residual: None,
        })
    }

    /// Relative change in the bad direction: `limit: 10%` of throughput means 10 % less.
    pub(super) fn worse_by(&self) -> f64 {
        self.sigma * (self.current / self.baseline - 1.0)
    }

    /// Whether the change is over `limit`: strictly, and beyond the floor where the limit is relative.
    pub(super) fn over(&self, limit: Limit, metric: &Metric, floor: Option<f64>) -> bool {
        let beyond = (self.current - self.baseline).abs() - self.floor(metric, floor) > EPSILON;
        self.past(limit) && (beyond || matches!(limit, Limit::Absolute(_)))
    }

    /// Whether the change is past `limit`, however small it is.
    pub(super) fn past(&self, limit: Limit) -> bool {
        match limit {
            Limit::Absolute(most) => self.sigma * (self.current - self.baseline) - most > EPSILON,
            Limit::Relative(most) => self.worse_by() - most > EPSILON,
        }
    }

    /// The least absolute change that counts, in the metric's unit.
    pub(super) fn floor(&self, metric: &Metric, floor: Option<f64>) -> f64 {
        if metric.is_latency() {
            floor.unwrap_or(LATENCY_FLOOR).max(FLOOR_STEPS * self.step)
        } else {
            floor.unwrap_or(0.0)
        }
    }

    /// The limit as a shift of logs (STATISTICS section 4, lambda).
    pub(super) fn shift_of(&self, limit: Limit) -> f64 {
        let share = match limit {
            Limit::Relative(share) => share,
            Limit::Absolute(most) => most / self.baseline,
        };
        if self.sigma > 0.0 {
            share.ln_1p()
        } else if share < 1.0 {
            -(-share).ln_1p()
        } else {
            // All of it gone or more: no shift reaches that.
            f64::INFINITY
        }
    }

    /// A shift of logs as the size of a bad relative change: .1 is 10 % more, or less where higher is better.
    pub(super) fn size_of(&self, shift: f64) -> f64 {
        self.sigma * (self.sigma * shift).exp_m1()
    }
}

impl Rate {
    /// Difference of rates; .01 is one point.
    pub(super) fn change(&self) -> f64 {
        self.current - self.baseline
    }

    /// The limit as a difference of rates; a relative one is a share of the baseline's rate, undefined if that is zero.
    pub(super) fn points(&self, limit: Limit) -> Option<f64> {
        match limit {
            Limit::Absolute(points) => Some(points),
            Limit::Relative(share) => (self.baseline > 0.0).then_some(share * self.baseline),
        }
    }

    /// Whether the rise is over `limit`; a relative limit also needs more than the floor.
    pub(super) fn over(&self, limit: Limit, floor: Option<f64>) -> bool {
        let floor = if matches!(limit, Limit::Relative(_)) { floor.unwrap_or(0.0) } else { 0.0 };
        self.points(limit).is_some_and(|points| self.change() - points > EPSILON && self.change() - floor > EPSILON)
    }

    /// No failure before, some now.
    pub(super) fn first_failures(&self) -> bool {
        self.baseline == 0.0 && self.current > 0.0
    }
}
