//! What we say: a status per row, an outcome per suite.
//!
//! [`judge`] holds a [`Comparison`] against a [`Policy`]. Pure: today's date is an argument. STATISTICS sections 3 to 12 and
//! SPEC section 5 are the contract.

mod decide;
mod evidence;
mod finding;
mod notices;
mod row;
pub mod sensitivity;
mod settle;
mod words;

use std::fmt::Write as _;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::compare::Comparison;
use crate::compare::stats::TQuantiles;
use crate::policy::{Acceptance, Blocking, FailOn, Policy, Presence, Rule};
use crate::run::Notice;
use crate::run::metric::{Metric, Unit};

pub(crate) use decide::DEPTH;

/// What is said of one row (endpoint x metric, or a whole endpoint).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A rule is broken.
    Fail,
    /// Worse, does not block.
    Warn,
    /// Over the limit, but it cannot be told from noise.
    Inconclusive,
    /// Better than the limit is wide, and shown to be.
    Improved,
    /// Within its rule.
    Pass,
    /// Worse, but people agreed to it.
    Accepted,
    /// The baseline does not have this endpoint.
    New,
    /// The current run does not have this endpoint.
    Missing,
    /// A rule covers it, but one side has no value.
    NotMeasured,
    /// Shown for information; not judged.
    Info,
}

/// What is said of a suite, and of all suites together. The order is that of severity, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A rule is broken.
    Fail,
    /// Something is worse than it should be, and does not block.
    Warn,
    /// Something is over its limit and cannot be told from noise.
    Inconclusive,
    /// Nothing is worse than allowed.
    Pass,
    /// There is nothing to compare with yet.
    NoBaseline,
}

impl Outcome {
    /// As in the report: `fail`, `no_baseline`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Inconclusive => "inconclusive",
            Self::Pass => "pass",
            Self::NoBaseline => "no_baseline",
        }
    }
}

/// How a suite was decided. With a thin baseline `auto` decides by limits, and says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// By evidence (rows with a thin history of their own still by limits).
    Evidence,
    /// By limits alone.
    Plain,
}

impl Decided {
    /// `evidence` or `plain`, as in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Plain => "plain",
        }
    }
}

/// What is said of one suite. Borrows the rules it was judged by.
#[derive(Debug, Clone)]
pub struct Verdict<'p> {
    /// The worst of its findings, with the policies for new and missing endpoints.
    pub outcome: Outcome,
    /// How rows were decided.
    pub decided: Decided,
    /// One per endpoint and metric that a rule speaks about, and one per new or missing endpoint; in order of the
    /// endpoint's label, whole endpoints first, then by metric.
    pub findings: Vec<Finding<'p>>,
    /// `load_mismatch`, `common_shift`, `mostly_fails`, `rule_unused`, …
    pub notices: Vec<Notice>,
}

/// One row with everything that can be said of it. Numbers are raw, in the metric's unit, and `None` where unknown.
#[derive(Debug, Clone)]
pub struct Finding<'p> {
    /// As shown and matched: `POST /checkout`.
    pub endpoint: String,
    /// The method, where known.
    pub method: Option<String>,
    /// The name without the method.
    pub name: String,
    /// `None` for a whole endpoint that is new or missing.
    pub metric: Option<Metric>,
    /// The unit of `baseline`, `current` and `change`.
    pub unit: Option<Unit>,
    /// What is usual: the geometric mean of the last level (of one run the value itself); rates: all failures over all
    /// requests.
    pub baseline: Option<f64>,
    /// What is now, likewise.
    pub current: Option<f64>,
    /// Current minus baseline.
    pub change: Option<f64>,
    /// Change over baseline; `None` where the baseline is zero.
    pub change_relative: Option<f64>,
    /// What is said of it.
    pub status: Status,
    /// The rule that decided: the budget if that is broken, else the one with a limit, else the budget. `None` for rows of
    /// information and whole endpoints.
    pub rule: Option<&'p Rule>,
    /// The entry that turned a `fail` into `accepted`, or would have, had its ceiling or its last day allowed.
    pub acceptance: Option<&'p Acceptance>,
    /// What the runs can prove; `None` where there is nothing to compare.
    pub evidence: Option<Evidence>,
    /// One sentence for people: size, likely range, limit, what would settle it. No p-values.
    pub why: String,
}

/// The raw figures of STATISTICS section 12, and those behind them.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Chance of a change at least this bad if nothing changed.
    pub p_value: Option<f64>,
    /// The same against the other endpoints of the run.
    pub p_residual: Option<f64>,
    /// Degrees of freedom of the t statistic; `None` for rates.
    pub df: Option<u32>,
    /// Baseline runs that hold the value.
    pub runs: usize,
    /// 95 % interval of the relative change, lower end first (rates: of the difference, .01 = 1 point).
    pub interval: Option<[f64; 2]>,
    /// Smallest bad change that would be seen in 4 of 5 runs, in the unit of `interval`.
    pub smallest_detectable: Option<f64>,
    /// The figures in one sentence, p-value included.
    pub text: String,
}

/// One branch of the evidence for a row (STATISTICS sections 4 and 5). Logarithms, up is worse.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shift {
    /// The change.
    d: f64,
    /// Variance of the pool of like rows (P2).
    pool: f64,
    /// Run-to-run variance of this row, shrunk to the pool (S2).
    run_to_run: f64,
    /// Variance of `d` (V).
    variance: f64,
    /// `d` in standard deviations.
    t: f64,
    /// Degrees of freedom of `t`.
    df: u32,
    /// Chance of a change at least this bad if nothing changed.
    p: f64,
    /// Chance of a change at least this good.
    p_low: f64,
    /// Of `df`.
    quantiles: TQuantiles,
}

/// Judges a suite. `today` ends acceptances.
pub fn judge<'p>(policy: &'p Policy, comparison: &Comparison<'_>, today: Date) -> Verdict<'p> {
    let mut rows = row::collect(policy, comparison);
    evidence::measure(&mut rows, comparison.used.len(), comparison.current_runs);
    let shift = evidence::common_shift(&rows, comparison);
    let decisions = decide::decide(policy, comparison, &rows, shift);
    let mut findings = finding::findings(policy, comparison, &rows, &decisions, today);
    if let Some(how) = &policy.agreed {
        for finding in findings.iter_mut().filter(|finding| finding.status == Status::Fail) {
            finding.status = Status::Accepted;
            let _ = write!(finding.why, "; accepted here by {how}");
        }
    }
    Verdict {
        outcome: outcome(policy, comparison, &findings),
        decided: decide::decided(policy.gate, comparison.used.len()),
        notices: notices::notices(policy, comparison, &findings, shift, today),
        findings,
    }
}

/// The worst of the findings. Where there was something to compare and nothing could be judged, nobody can tell.
fn outcome(policy: &Policy, comparison: &Comparison<'_>, findings: &[Finding<'_>]) -> Outcome {
    let of = |status: Status| match status {
        Status::Fail => Some(Outcome::Fail),
        Status::Warn => Some(Outcome::Warn),
        Status::Inconclusive => Some(Outcome::Inconclusive),
        Status::Improved | Status::Pass | Status::Accepted => Some(Outcome::Pass),
        Status::New => presence(policy.new),
        Status::Missing if policy.agreed.is_some() => presence(policy.missing.min(Presence::Warn)),
        Status::Missing => presence(policy.missing),
        Status::NotMeasured | Status::Info => None,
    };
    let worst = findings.iter().filter_map(|finding| of(finding.status)).min();
    match worst {
        Some(Outcome::Fail) => Outcome::Fail,
        _ if comparison.used.is_empty() => Outcome::NoBaseline,
        // What a broken-off run did not show, the rest of it might have.
        Some(Outcome::Pass) if comparison.doubt.is_some() => Outcome::Inconclusive,
        Some(worst) => worst,
        None => Outcome::Inconclusive,
    }
}

/// What the process exits with for these verdicts (SPEC section 3): 1 for a broken rule (or a warning that blocks), 3 where
/// nobody can tell and that blocks, 0 otherwise.
pub fn exit_code(verdicts: &[Verdict<'_>], fail_on: &FailOn, require_baseline: bool) -> u8 {
    let outcome = |wanted: Outcome| verdicts.iter().any(|verdict| verdict.outcome == wanted);
    let status =
        |wanted: Status| verdicts.iter().flat_map(|verdict| &verdict.findings).any(|finding| finding.status == wanted);
    let broken = fail_on.has(Blocking::Fail) && outcome(Outcome::Fail);
    if broken || (fail_on.has(Blocking::Warn) && (outcome(Outcome::Warn) || status(Status::Warn))) {
        return 1;
    }
    let unsure = (fail_on.has(Blocking::Inconclusive)
        && (outcome(Outcome::Inconclusive) || status(Status::Inconclusive)))
        || (fail_on.has(Blocking::Missing) && status(Status::Missing))
        || (fail_on.has(Blocking::NotMeasured) && status(Status::NotMeasured))
        || (require_baseline && outcome(Outcome::NoBaseline));
    if unsure { 3 } else { 0 }
}

fn presence(presence: Presence) -> Option<Outcome> {
    match presence {
        Presence::Ignore | Presence::Report => None,
        Presence::Warn => Some(Outcome::Warn),
        Presence::Fail => Some(Outcome::Fail),
    }
}

#[cfg(test)]
mod tests;
