//! Why a row has its status, in one sentence (STATISTICS section 12). Plain text without markup.
//!
//! [`why`] is for everybody and has no p-value; [`evidence`] is for those who ask how sure we are.

use std::fmt::Write as _;

use jiff::civil::Date;

use crate::compare::pair::Count;
use crate::policy::{Acceptance, FromZero, Limit, Rule};
use crate::run::display::{NARROW, bare_percent, bare_points, count, percent, plain, plural, points, value};
use crate::run::metric::{Direction, Metric, Unit};

use super::decide::{By, DEPTH, Decision, Unlike, evidence_limit, from_zero, over_limit};
use super::row::{Counts, Facts, Level, Rate, Row};
use super::settle;
use super::{Shift, Status};

/// Size, likely range, limit, and what would settle it. `figures` are those of [`figures`].
pub(super) fn why(
    row: &Row<'_, '_>,
    figures: &str,
    decision: &Decision<'_>,
    acceptance: Option<&Acceptance>,
    accepted: bool,
    today: Date,
) -> String {
    let mut sentence = match &row.facts {
        Facts::NotMeasured { why, .. } => why.clone(),
        Facts::Meaningless => {
            "more than half of its requests fail in the baseline and now: this means nothing".to_owned()
        }
        Facts::Level(level) => match decision.unlike.filter(|_| decision.status == Status::Inconclusive) {
            Some(Unlike::Load(text)) => format!("load mismatch: {text}; {} cannot be compared", row.metric.title()),
            Some(Unlike::Run(text)) => format!("{text}; {} cannot be compared", row.metric.title()),
            None => level_sentence(row, level, figures, decision),
        },
        Facts::Rate(rate) => rate_sentence(row, rate, figures, decision),
    };
    if let Some(entry) = acceptance {
        sentence.push_str(&acceptance_words(entry, accepted, today));
    }
    sentence
}

/// The figures of the evidence, p-value included.
pub(super) fn evidence(row: &Row<'_, '_>, figures: &str, decision: &Decision<'_>) -> String {
    let runs = row.runs();
    let mut out = String::with_capacity(2 * figures.len() + 40);
    // One pair of brackets: the range, then how sure.
    let open = figures.strip_suffix(')');
    out.push_str(open.unwrap_or(figures));
    let assumed = if runs < DEPTH && matches!(row.facts, Facts::Level(_)) { ", assumed noise" } else { "" };
    if let Some(p) = row.p() {
        let between = if open.is_some() { "; " } else { " (" };
        let _ = write!(out, "{between}{}, {}{assumed})", p_value(p), plural(runs, "baseline run"));
    } else if open.is_some() {
        out.push(')');
    }
    if let Some(residual) = row.residual() {
        let _ = write!(out, "; against the other endpoints of the run {}", p_value(residual.p));
    }
    if decision.by == By::Plain {
        out.push_str("; limits alone decide");
    }
    out.push('.');
    out
}

/// A budget, kept or not.
pub(super) fn budget(metric: &Metric, rule: &Rule, current: f64, over: bool, under: bool) -> String {
    let (title, now) = (metric.title(), value(current, metric.unit()));
    let show = |bound: f64| value(bound, metric.unit());
    match (rule.max, rule.min) {
        (Some(max), _) if over => format!("{title} is {now}, the budget is at most {}", show(max)),
        (_, Some(min)) if under => format!("{title} is {now}, the budget is at least {}", show(min)),
        (Some(max), Some(min)) => format!("{title} is {now}, within its budget of {} to {}", show(min), show(max)),
        (Some(max), None) => format!("{title} is {now}, within its budget of at most {}", show(max)),
        (None, Some(min)) => format!("{title} is {now}, within its budget of at least {}", show(min)),
        (None, None) => format!("{title} is {now}"),
    }
}

/// An endpoint whose latency means nothing.
pub(super) fn mostly_fails(label: &str, before: &[Count], now: &[Count]) -> String {
    let share = |counts: &[Count]| match Count::sum(counts) {
        Some(sum) if sum.failures == sum.requests => "every request".to_owned(),
        Some(sum) => format!("{} of {} requests", count(sum.failures), count(sum.requests)),
        None => "requests".to_owned(),
    };
    let (before, now) = (share(before), share(now));
    let failed = if before == now {
        format!("{now} in the baseline and now")
    } else {
        format!("{before} in the baseline, {now} now")
    };
    format!("{label} fails {failed}: its latency and throughput mean nothing and are not judged")
}

fn acceptance_words(entry: &Acceptance, accepted: bool, today: Date) -> String {
    let until = entry.until.map(|until| format!(" until {until}")).unwrap_or_default();
    let ceiling = limit(entry.up_to, &entry.metric);
    if accepted {
        format!("; accepted up to {ceiling}{until}: {}", entry.reason)
    } else if entry.until.is_some_and(|until| today > until) {
        format!("; was accepted{until}")
    } else {
        format!("; more than the {ceiling} that were accepted")
    }
}

/// `p95 +32 % (plausible +21 to +44 %)`, or the counts of an error rate.
pub(super) fn figures(row: &Row<'_, '_>) -> String {
    match &row.facts {
        Facts::Level(level) => {
            let change = percent(level.current / level.baseline - 1.0);
            let range = level
                .history
                .map(|history| level.interval(&history))
                .filter(|range| range.iter().all(|end| end.is_finite()));
            let range = range.map(|[low, high]| format!(" (plausible {} to {})", bare_percent(low), percent(high)));
            format!("{} {change}{}", row.metric.title(), range.unwrap_or_default())
        }
        Facts::Rate(Rate { counts: Some(counts), .. }) => counted(counts),
        Facts::Rate(rate) => format!("error rate {}", points(rate.change())),
        Facts::NotMeasured { .. } | Facts::Meaningless => row.metric.title().into_owned(),
    }
}

/// `1 of 300 failed before, 15 of 1 500 now (+0.67 points; plausible −0.91 to +1.37)`
fn counted(counts: &Counts) -> String {
    let whole = |value: f64| count(value as u64);
    let (x0, n0, x1, n1) = (counts.before.x, counts.before.n, counts.now.x, counts.now.n);
    let [low, high] = counts.interval();
    let (low, high) = (bare_points(low), bare_points(high));
    let change = points(counts.now.rate() - counts.before.rate());
    format!(
        "{} of {} failed before, {} of {} now ({change}; plausible {low} to {high})",
        whole(x0),
        whole(n0),
        whole(x1),
        whole(n1)
    )
}

fn level_sentence(row: &Row<'_, '_>, level: &Level, figures: &str, decision: &Decision<'_>) -> String {
    let runs = plural(row.runs(), "baseline run");
    let few = format!("needs {DEPTH} baseline runs, has {}", row.runs());
    let limit_of = |own: Option<Limit>| own.map(|own| limit(own, row.metric)).unwrap_or_default();
    let (limit, critical) = (limit_of(evidence_limit(row.rule)), limit_of(row.rule.critical));
    match (decision.by, decision.status) {
        (By::Thin, Status::Info) => format!("{figures}: {few}; noise is assumed, not measured"),
        (By::Thin, Status::Inconclusive) => {
            format!("{figures}: over the {limit} limit; {runs} cannot tell; needs {DEPTH}, has {}", row.runs())
        }
        (By::Thin, Status::Fail) => {
            format!("{figures}: more than {critical}, which is too much even with {runs} to compare with")
        }
        (By::Thin, _) => format!("{figures}: within {critical}; with {runs} nothing finer can be said"),
        (By::Plain, Status::Fail) => {
            let broken = if row.rule.critical.is_some() { critical } else { limit };
            format!("{figures}: over the {broken} limit")
        }
        (By::Plain, Status::Warn) => format!("{figures}: over the {limit} limit, within the critical {critical}"),
        (By::Plain, _) => format!("{figures}: within the {limit} limit"),
        (_, Status::Fail | Status::Accepted) => format!("{figures}, {}", proof(level, &limit, &runs, decision)),
        (_, Status::Warn | Status::Inconclusive) => doubt(row, level, decision, figures, &limit),
        (_, Status::Improved) => {
            let title = if row.rule.direction() == Direction::Higher { "more" } else { "less" };
            format!(
                "{figures}: {title} by more than the {limit} limit is wide, and than the usual run-to-run noise ({runs})"
            )
        }
        (_, _) => kept(row, level, figures, &limit),
    }
}

fn proof(level: &Level, limit: &str, runs: &str, decision: &Decision<'_>) -> String {
    match (decision.by_history, decision.by_others) {
        (true, true) => format!(
            "more than the {limit} limit and more than this endpoint's usual run-to-run noise ({runs}); other endpoints of the same run did not move like this"
        ),
        (false, _) => {
            let apart = level.residual.map(|residual| (percent(level.change(&residual)), level.interval(&residual)));
            let apart = apart.filter(|(_, range)| range.iter().all(|end| end.is_finite()));
            let apart = apart.map(|(size, [low, high])| {
                format!(": set against them it is {size} (plausible {} to {})", bare_percent(low), percent(high))
            });
            format!(
                "more than the {limit} limit; its own history would leave room for chance, but other endpoints of the same run did not move like this{}",
                apart.unwrap_or_default()
            )
        }
        (true, false) => {
            format!("more than the {limit} limit and more than this endpoint's usual run-to-run noise ({runs})")
        }
    }
}

fn doubt(row: &Row<'_, '_>, level: &Level, decision: &Decision<'_>, figures: &str, limit: &str) -> String {
    if let Some(size) = decision.untrusted_shift {
        return format!(
            "{figures}: all endpoints moved together ({}): environment or global change; repeat the run or add runs of this host",
            percent(size.exp_m1())
        );
    }
    if decision.by == By::AssumedEvidence {
        let more = DEPTH.saturating_sub(row.runs());
        return format!(
            "{figures}: over the {limit} limit; {}: noise assumed, not measured; record {more} more",
            plural(row.runs(), "baseline run")
        );
    }
    let settle = settle::words(row, level).map(|words| format!("; {words}")).unwrap_or_default();
    if decision.status == Status::Warn {
        format!(
            "{figures}: over the {limit} limit and probably real, but not beyond doubt among all rows of this run{settle}"
        )
    } else {
        // A range that leaves zero out is no proof where many rows are looked at.
        let apart =
            level.history.is_some_and(|history| level.interval(&history).iter().all(|end| level.sigma * end > 0.0));
        let almost = if apart { "almost " } else { "" };
        format!("{figures}: over the {limit} limit, but runs differ {almost}that much by themselves{settle}")
    }
}

/// A pass says what it could have seen.
fn kept(row: &Row<'_, '_>, level: &Level, figures: &str, limit: &str) -> String {
    let past = evidence_limit(row.rule).is_some_and(|own| level.past(own));
    let within = if past {
        let floor = value(level.floor(row.metric, row.rule.floor), row.metric.unit());
        format!("over the {limit} limit, but by less than {floor}, which does not count")
    } else {
        format!("within the {limit} limit")
    };
    match row.smallest_detectable().filter(|size| size.is_finite()) {
        Some(size) => {
            format!("{figures}: {within}; {} from {} on would have been seen", worsening(row), signed_size(row, size))
        }
        None => format!("{figures}: {within}"),
    }
}

fn worsening(row: &Row<'_, '_>) -> &'static str {
    match (row.metric, row.rule.direction()) {
        (metric, _) if metric.is_latency() => "a slowdown",
        (Metric::Throughput, _) => "a loss",
        (_, Direction::Lower) => "a rise",
        (_, Direction::Higher) => "a fall",
    }
}

/// A size of a bad change with its sign.
pub(super) fn signed_size(row: &Row<'_, '_>, size: f64) -> String {
    percent(if row.rule.direction() == Direction::Lower { size } else { -size })
}

fn rate_sentence(row: &Row<'_, '_>, rate: &Rate, figures: &str, decision: &Decision<'_>) -> String {
    let first = from_zero(row);
    let limit_of = |own: Option<Limit>| own.map(|own| limit(own, row.metric)).unwrap_or_default();
    let limit = limit_of(evidence_limit(row.rule));
    let runs = plural(row.runs(), "baseline run");
    let chance = rate.counts.map(|counts| format!("{} chance it rose", share(1.0 - counts.p)));
    let chance = chance.map(|chance| format!(" ({chance})")).unwrap_or_default();
    let needed = settle::failures(rate);
    let needed = needed.map(|words| format!("; {words}")).unwrap_or_default();
    let from_zero_speaks =
        first.is_some_and(|first| first != FromZero::Ignore) && !over_limit(row, row.rule.critical.or(row.rule.limit));
    match (decision.by, decision.status) {
        (By::Thin | By::Plain, Status::Fail | Status::Warn) if from_zero_speaks => {
            format!("{figures}: failures where there were none{chance}{needed}")
        }
        (By::Thin | By::Plain, Status::Fail) => {
            let broken = if row.rule.critical.is_some() { limit_of(row.rule.critical) } else { limit };
            format!("{figures}: over the {broken} limit{chance}{needed}")
        }
        (By::Plain, Status::Warn) => format!("{figures}: over the {limit} limit{chance}"),
        (By::Thin, Status::Inconclusive) => {
            format!("{figures}: over the {limit} limit; {runs} cannot tell; needs {DEPTH}, has {}", row.runs())
        }
        (By::Thin, Status::Info) => format!("{figures}: needs {DEPTH} baseline runs, has {}", row.runs()),
        (_, Status::Fail | Status::Accepted) if !over_limit(row, evidence_limit(row.rule)) => {
            format!("{figures}: failures where there were none, and too many for an accident")
        }
        (_, Status::Fail | Status::Accepted) => {
            format!("{figures}: over the {limit} limit, and too many more for an accident")
        }
        (_, Status::Warn) => format!("{figures}: probably worse, but not beyond doubt{chance}{needed}"),
        (_, Status::Inconclusive) => format!("{figures}: likely but not shown to be worse{chance}{needed}"),
        (_, Status::Improved) => format!("{figures}: fewer by more than the {limit} limit is wide"),
        _ if rate.first_failures() => format!("{figures}: {}", first_failures(rate)),
        _ => format!("{figures}: within the {limit} limit{needed}"),
    }
}

fn first_failures(rate: &Rate) -> String {
    let seen = rate.counts.map_or(0, |counts| counts.now.x as u64);
    let says = if seen == 1 { "one failure says nothing" } else { "so few failures say nothing" };
    format!("none before; {says}")
}

/// `10 %`, `0.5 points`, `20 ms`: a limit as a size.
fn limit(limit: Limit, metric: &Metric) -> String {
    match limit {
        Limit::Relative(share) => format!("{}{NARROW}%", plain(share * 100.0)),
        Limit::Absolute(size) if metric.unit() == Unit::Ratio => format!("{} points", plain(size * 100.0)),
        Limit::Absolute(size) => value(size, metric.unit()),
    }
}

/// `88 %`, never 0 or 100: nothing is that sure.
fn share(chance: f64) -> String {
    let percent = (chance * 100.0).round().clamp(1.0, 99.0);
    format!("{percent:.0}{NARROW}%")
}

/// Two digits: `p = 0.004`, `p < 0.0001`.
fn p_value(p: f64) -> String {
    if p < 1e-4 {
        return "p < 0.0001".to_owned();
    }
    let decimals = (1 - p.log10().floor() as i32).clamp(2, 5) as usize;
    format!("p = {}", format!("{p:.decimals$}").trim_end_matches('0').trim_end_matches('.'))
}

impl Level {
    /// The 95 % interval of the relative change, lower end first (STATISTICS section 4).
    pub(super) fn interval(&self, shift: &Shift) -> [f64; 2] {
        let half = shift.quantiles.q975 * shift.variance.sqrt();
        let [one, other] = [shift.d - half, shift.d + half].map(|shift| (self.sigma * shift).exp_m1());
        [one.min(other), one.max(other)]
    }

    /// The shift as a relative change.
    fn change(&self, shift: &Shift) -> f64 {
        (self.sigma * shift.d).exp_m1()
    }
}
