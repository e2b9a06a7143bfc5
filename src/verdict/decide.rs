//! From figures to a status: by evidence, by limits, or not at all (STATISTICS sections 9 and 10).

use std::collections::BTreeMap;

use crate::compare::Comparison;
use crate::policy::{FromZero, Gate, Limit, Policy, Rule};
use crate::run::metric::Metric;

use super::evidence::{CommonShift, StandsOut, stands_out};
use super::row::{Counts, Facts, Level, Rate, Row};
use super::{Decided, Status};

/// So many baseline runs, and evidence decides (SPEC section 5).
pub(crate) const DEPTH: usize = 3;
/// A raw p-value that is worth a warning.
pub(super) const RAW: f64 = 0.01;
/// What the history has to say before the other endpoints of the run are listened to.
const RESIDUAL_RAW: f64 = 0.10;

/// Who decided a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Evidence, from at least [`DEPTH`] baseline runs.
    Evidence,
    /// Evidence on assumed noise: `gate: evidence` on a thin history.
    AssumedEvidence,
    /// Limits: `critical` only, for want of history.
    Thin,
    /// Limits, because the user wants so.
    Plain,
}

/// What is said of a row, with what the words need to explain it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decision<'c> {
    pub(super) status: Status,
    pub(super) by: By,
    /// Proven against the row's own history.
    pub(super) by_history: bool,
    /// Proven against the other endpoints of the run.
    pub(super) by_others: bool,
    /// Over the limit that decides by evidence.
    pub(super) over: bool,
    /// The history is no evidence, because every endpoint moved and the machines may be the reason.
    pub(super) untrusted_shift: Option<f64>,
    /// Why the row cannot be judged: loads that differ, a run cut short, a generator that could not keep up.
    pub(super) unlike: Option<Unlike<'c>>,
}

/// Why latency and throughput of the two sides cannot be compared.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unlike<'c> {
    /// The two loads, in words.
    Load(&'c str),
    /// What is wrong with the current run, in words.
    Run(&'c str),
}

impl<'c> Unlike<'c> {
    fn of(comparison: &'c Comparison<'c>) -> Option<Self> {
        let run = comparison.doubt.as_ref().map(|notice| Self::Run(&notice.message));
        run.or_else(|| comparison.load_mismatch.as_ref().map(|mismatch| Self::Load(&mismatch.text)))
    }
}

/// How a suite with that many used baseline runs is decided.
pub(super) fn decided(gate: Gate, runs: usize) -> Decided {
    match gate {
        Gate::Plain => Decided::Plain,
        Gate::Auto if runs < DEPTH => Decided::Plain,
        Gate::Auto | Gate::Evidence => Decided::Evidence,
    }
}

/// One decision per row, in order.
pub(super) fn decide<'c>(
    policy: &Policy,
    comparison: &'c Comparison<'c>,
    rows: &[Row<'_, 'c>],
    shift: Option<CommonShift>,
) -> Vec<Decision<'c>> {
    let unlike = Unlike::of(comparison);
    let unlike = |row: &Row<'_, '_>| unlike.filter(|_| *row.metric != Metric::ErrorRate);
    let by_evidence = |row: &Row<'_, '_>| matches!(by(policy.gate, row), By::Evidence | By::AssumedEvidence);
    let flags = stands_out(rows, |row| by_evidence(row) && unlike(row).is_none());
    let errors = Errors::of(rows, comparison);
    rows.iter()
        .zip(flags)
        .map(|(row, flags)| {
            let untrusted = shift.filter(|shift| !shift.trusted && *row.metric != Metric::ErrorRate);
            let decision = Decision {
                status: Status::Info,
                by: by(policy.gate, row),
                by_history: flags.worse && untrusted.is_none(),
                by_others: by_others(row, flags),
                over: over(row),
                untrusted_shift: untrusted.map(|shift| shift.size),
                unlike: unlike(row),
            };
            Decision { status: status(row, decision, flags, &errors), ..decision }
        })
        .collect()
}

/// The limit that evidence holds a row against: `limit`, or `critical` where there is none.
pub(super) fn evidence_limit(rule: &Rule) -> Option<Limit> {
    rule.limit.or(rule.critical)
}

fn by(gate: Gate, row: &Row<'_, '_>) -> By {
    match (gate, row.runs() >= DEPTH) {
        (Gate::Plain, _) => By::Plain,
        (Gate::Auto | Gate::Evidence, true) => By::Evidence,
        (Gate::Evidence, false) => By::AssumedEvidence,
        (Gate::Auto, false) => By::Thin,
    }
}

fn status(row: &Row<'_, '_>, decision: Decision<'_>, flags: StandsOut, errors: &Errors<'_>) -> Status {
    match &row.facts {
        Facts::NotMeasured { .. } => Status::NotMeasured,
        Facts::Meaningless => Status::Info,
        Facts::Level(_) | Facts::Rate(_) => {
            let status = match decision.by {
                By::Evidence | By::AssumedEvidence => by_proof(row, decision, flags, errors),
                By::Thin => by_critical(row),
                By::Plain => by_limits(row),
            };
            // A row that nobody would judge is not made doubtful by that.
            if decision.unlike.is_some() && status != Status::Info { Status::Inconclusive } else { status }
        }
    }
}

/// Section 9; the first that holds.
fn by_proof(row: &Row<'_, '_>, decision: Decision<'_>, flags: StandsOut, errors: &Errors<'_>) -> Status {
    let likely = row.p().is_some_and(|p| p <= RAW);
    if decision.over && (decision.by_history || decision.by_others) {
        let assumed = decision.by == By::AssumedEvidence && matches!(row.facts, Facts::Level(_));
        return if !assumed || over_limit(row, row.rule.critical) { Status::Fail } else { Status::Warn };
    }
    if decision.over {
        return if likely { Status::Warn } else { Status::Inconclusive };
    }
    if improved(row, flags, errors) {
        return Status::Improved;
    }
    let first_failures = from_zero(row) == Some(FromZero::Warn);
    if first_failures && likely { Status::Warn } else { Status::Pass }
}

/// Section 10, `auto` with one or two baseline runs.
fn by_critical(row: &Row<'_, '_>) -> Status {
    match from_zero(row) {
        Some(FromZero::Fail) => return Status::Fail,
        _ if over_limit(row, row.rule.critical) => return Status::Fail,
        Some(FromZero::Warn) => return Status::Warn,
        _ => {}
    }
    match row.rule.critical {
        None => Status::Info,
        Some(_) if over_limit(row, row.rule.limit) => Status::Inconclusive,
        Some(_) => Status::Pass,
    }
}

/// Section 10, `plain`.
fn by_limits(row: &Row<'_, '_>) -> Status {
    let first_failures = from_zero(row);
    if over_limit(row, row.rule.critical.or(row.rule.limit)) || first_failures == Some(FromZero::Fail) {
        return Status::Fail;
    }
    let warn = over_limit(row, row.rule.limit) || first_failures == Some(FromZero::Warn);
    if warn { Status::Warn } else { Status::Pass }
}

/// Over the limit that decides by evidence; first failures that are no accident count as that if the rule says `fail`.
fn over(row: &Row<'_, '_>) -> bool {
    let first_failures = from_zero(row) == Some(FromZero::Fail) && row.p().is_some_and(|p| p <= RAW);
    over_limit(row, evidence_limit(row.rule)) || first_failures
}

pub(super) fn over_limit(row: &Row<'_, '_>, limit: Option<Limit>) -> bool {
    let Some(limit) = limit else { return false };
    match &row.facts {
        Facts::Level(level) => level.over(limit, row.metric, row.rule.floor),
        Facts::Rate(rate) => rate.over(limit, row.rule.floor),
        Facts::NotMeasured { .. } | Facts::Meaningless => false,
    }
}

/// What the rule says of first failures, if these are some.
pub(super) fn from_zero(row: &Row<'_, '_>) -> Option<FromZero> {
    match &row.facts {
        Facts::Rate(rate) if rate.first_failures() => row.rule.from_zero,
        _ => None,
    }
}

fn by_others(row: &Row<'_, '_>, flags: StandsOut) -> bool {
    let Facts::Level(level) = &row.facts else { return false };
    let further = level.residual.zip(shift_of_limit(row, level)).is_some_and(|(residual, lambda)| residual.d > lambda);
    flags.worse_residual && further && row.p().is_some_and(|p| p <= RESIDUAL_RAW)
}

fn shift_of_limit(row: &Row<'_, '_>, level: &Level) -> Option<f64> {
    evidence_limit(row.rule).map(|limit| level.shift_of(limit))
}

fn improved(row: &Row<'_, '_>, flags: StandsOut, errors: &Errors<'_>) -> bool {
    match &row.facts {
        Facts::Rate(rate) => {
            let limit = evidence_limit(row.rule).and_then(|limit| rate.points(limit));
            flags.better && limit.is_some_and(|limit| rate.change() < -limit)
        }
        Facts::Level(level) => {
            let Some(lambda) = shift_of_limit(row, level) else { return false };
            let others = flags.better_residual
                && level.residual.is_some_and(|residual| residual.d < -lambda)
                && row.p_low().is_some_and(|p| p <= RESIDUAL_RAW);
            level.d < -lambda && (flags.better || others) && !errors.rose(&row.pair.label)
        }
        Facts::NotMeasured { .. } | Facts::Meaningless => false,
    }
}

/// Whose error rate rose: nobody's latency is praised for that.
struct Errors<'c>(BTreeMap<&'c str, bool>);

impl<'c> Errors<'c> {
    fn of(rows: &[Row<'_, 'c>], comparison: &'c Comparison<'c>) -> Self {
        let likely = |p: Option<f64>| p.is_some_and(|p| p <= RAW);
        let of_endpoint = |own: &[Row<'_, 'c>]| {
            let judged = own.iter().find(|row| matches!(row.facts, Facts::Rate(_)));
            let pair = own.first()?.pair;
            let rose = judged.map_or_else(
                // No rule speaks about these errors; they are there all the same.
                || likely(Counts::new(&comparison.failures_before(pair), &pair.failures_now()).map(|counts| counts.p)),
                |row| over(row) || likely(row.p()),
            );
            Some((pair.label.as_str(), rose))
        };
        Self(rows.chunk_by(|one, next| std::ptr::eq(one.pair, next.pair)).filter_map(of_endpoint).collect())
    }

    fn rose(&self, label: &str) -> bool {
        self.0.get(label).copied().unwrap_or_default()
    }
}

/// Whether the change is within an acceptance's ceiling.
pub(super) fn within_ceiling(row: &Row<'_, '_>, up_to: Limit) -> bool {
    match &row.facts {
        // The ceiling has no floor: a change below 1 ms is below any ceiling that matters.
        Facts::Level(level) => !level.past(up_to),
        Facts::Rate(rate) => within_points(rate, up_to),
        Facts::NotMeasured { .. } | Facts::Meaningless => false,
    }
}

fn within_points(rate: &Rate, up_to: Limit) -> bool {
    rate.points(up_to).is_some() && !rate.over(up_to, None)
}
