//! One finding per row, budget, and new or missing endpoint.

use jiff::civil::Date;

use crate::compare::Comparison;
use crate::compare::pair::{EndpointPair, Side};
use crate::compare::stats;
use crate::policy::{Acceptance, Policy, Presence, Rule};
use crate::run::TOTAL;
use crate::run::metric::{Direction, Metric};

use super::decide::{Decision, within_ceiling};
use super::row::{Facts, Row, budget, comparing, metrics, only_total};
use super::{Evidence, Finding, Status, words};

/// Shown of the total without any rule: how much was done in all.
const TOTAL_INFORMATION: Metric = Metric::Throughput;

/// In order of the endpoint's label, whole endpoints first, then by metric.
pub(super) fn findings<'p>(
    policy: &'p Policy,
    comparison: &Comparison<'_>,
    rows: &[Row<'p, '_>],
    decisions: &[Decision<'_>],
    today: Date,
) -> Vec<Finding<'p>> {
    let metrics = metrics(policy);
    let only_total = only_total(comparison);
    let mut decided = rows.iter().zip(decisions).peekable();
    let mut findings = Vec::with_capacity(rows.len());
    for pair in &comparison.endpoints {
        findings.extend(whole_endpoint(policy, comparison, pair));
        for metric in &metrics {
            // Rows stand in the same order: endpoint by endpoint, metric by metric.
            let row = decided.next_if(|(row, _)| std::ptr::eq(row.pair, pair) && row.metric == *metric);
            let compared = row.map(|(row, decision)| compared(policy, row, decision, today));
            let budgeted = budget(policy, pair, metric, only_total)
                .filter(|_| pair.side != Side::Missing)
                .and_then(|rule| budgeted(comparison, pair, metric, rule));
            findings.extend(both(compared, budgeted));
        }
        if pair.label == TOTAL && comparing(policy, pair, &TOTAL_INFORMATION, only_total).is_none() {
            findings.extend(total_information(pair));
        }
    }
    findings
}

/// A broken budget is worse than anything else; a kept one only speaks where no comparison does.
fn both<'p>(compared: Option<Finding<'p>>, budgeted: Option<Finding<'p>>) -> Option<Finding<'p>> {
    match (compared, budgeted) {
        (Some(compared), Some(budgeted)) => {
            let budget_decides = budgeted.status == Status::Fail || compared.status == Status::Info;
            let (first, second) = if budget_decides { (budgeted, compared) } else { (compared, budgeted) };
            let compared_figures = if budget_decides { &second } else { &first };
            let (baseline, change, change_relative) =
                (compared_figures.baseline, compared_figures.change, compared_figures.change_relative);
            let evidence = first.evidence.clone().or_else(|| second.evidence.clone());
            Some(Finding { baseline, change, change_relative, evidence, ..first })
        }
        (compared, budgeted) => compared.or(budgeted),
    }
}

fn empty<'p>(pair: &EndpointPair<'_>, metric: Option<&Metric>, status: Status, why: String) -> Finding<'p> {
    Finding {
        endpoint: pair.label.clone(),
        method: pair.method.clone(),
        name: pair.name.clone(),
        metric: metric.cloned(),
        unit: metric.map(Metric::unit),
        baseline: None,
        current: None,
        change: None,
        change_relative: None,
        status,
        rule: None,
        acceptance: None,
        evidence: None,
        why,
    }
}

fn whole_endpoint<'p>(policy: &Policy, comparison: &Comparison<'_>, pair: &EndpointPair<'_>) -> Option<Finding<'p>> {
    // Without a baseline everything would be new.
    if comparison.used.is_empty() || pair.label == TOTAL {
        return None;
    }
    let (status, presence, why) = match pair.side {
        Side::Both => return None,
        Side::New => (Status::New, policy.new, "not in the baseline: nothing to compare with"),
        Side::Missing => (Status::Missing, policy.missing, "in the baseline, but not in this run"),
    };
    (presence != Presence::Ignore).then(|| empty(pair, None, status, why.to_owned()))
}

fn compared<'p>(policy: &'p Policy, row: &Row<'p, '_>, decision: &Decision<'_>, today: Date) -> Finding<'p> {
    let (baseline, current) = match &row.facts {
        Facts::Level(level) => (Some(level.baseline), Some(level.current)),
        Facts::Rate(rate) => (Some(rate.baseline), Some(rate.current)),
        Facts::NotMeasured { .. } | Facts::Meaningless => {
            let known = |values: &[f64]| middle(row.metric, values);
            (known(&row.pair.measured_before(row.metric)), known(&row.pair.measured_now(row.metric)))
        }
    };
    let acceptance = (decision.status == Status::Fail).then(|| acceptance(policy, row, today)).flatten();
    let accepted = acceptance.is_some_and(|acceptance| holds(acceptance, row, today));
    let status = if accepted { Status::Accepted } else { decision.status };
    let figures = words::figures(row);
    // What was not measured is shown where it is known, and never subtracted.
    let comparable = matches!(row.facts, Facts::Level(_) | Facts::Rate(_));
    let sides = baseline.zip(current).filter(|_| comparable);
    Finding {
        baseline,
        current,
        change: sides.map(|(before, now)| now - before),
        change_relative: sides.filter(|(before, _)| *before != 0.0).map(|(before, now)| now / before - 1.0),
        rule: Some(row.rule),
        acceptance,
        evidence: evidence(row, &figures, decision),
        why: words::why(row, &figures, decision, acceptance, accepted, today),
        ..empty(row.pair, Some(row.metric), status, String::new())
    }
}

/// The entry that covers the row: one that holds, else the last.
fn acceptance<'p>(policy: &'p Policy, row: &Row<'_, '_>, today: Date) -> Option<&'p Acceptance> {
    let covers = |entry: &&Acceptance| entry.metric == *row.metric && entry.endpoint.matches(&row.pair.label);
    let mut covering = policy.accepted.iter().rev().filter(covers);
    covering.clone().find(|entry| holds(entry, row, today)).or_else(|| covering.next())
}

fn holds(entry: &Acceptance, row: &Row<'_, '_>, today: Date) -> bool {
    entry.until.is_none_or(|until| today <= until) && within_ceiling(row, entry.up_to)
}

fn evidence(row: &Row<'_, '_>, figures: &str, decision: &Decision<'_>) -> Option<Evidence> {
    let (df, interval, smallest_detectable) = match &row.facts {
        Facts::Level(level) => {
            let history = level.history?;
            (Some(history.df), Some(level.interval(&history)), row.smallest_detectable())
        }
        Facts::Rate(rate) => (None, rate.interval(), row.smallest_detectable()),
        Facts::NotMeasured { .. } | Facts::Meaningless => return None,
    };
    Some(Evidence {
        p_value: row.p(),
        p_residual: row.residual().map(|residual| residual.p),
        df,
        runs: row.runs(),
        interval,
        smallest_detectable: smallest_detectable.filter(|size| size.is_finite()),
        text: words::evidence(row, figures, decision),
    })
}

fn budgeted<'p>(
    comparison: &Comparison<'_>,
    pair: &EndpointPair<'_>,
    metric: &Metric,
    rule: &'p Rule,
) -> Option<Finding<'p>> {
    let Some(current) = current(comparison, pair, metric) else {
        // Not every endpoint holds a metric of the user's own.
        let expected = rule.endpoint.is_some() || !matches!(metric, Metric::Custom(_));
        let why = format!("{} is not measured in this run", metric.title());
        return expected.then(|| Finding { rule: Some(rule), ..empty(pair, Some(metric), Status::NotMeasured, why) });
    };
    let over = rule.max.is_some_and(|max| current - max > stats::EPSILON);
    let under = rule.min.is_some_and(|min| min - current > stats::EPSILON);
    let status = if over || under { Status::Fail } else { Status::Pass };
    let why = words::budget(metric, rule, current, over, under);
    Some(Finding { current: Some(current), rule: Some(rule), ..empty(pair, Some(metric), status, why) })
}

/// What a budget is held against, whatever the number of requests: the value, of repeats their middle.
fn current(comparison: &Comparison<'_>, pair: &EndpointPair<'_>, metric: &Metric) -> Option<f64> {
    if *metric == Metric::ErrorRate
        && let Some(sum) = crate::compare::pair::Count::sum(&pair.failures_now())
    {
        return Some(sum.rate());
    }
    // The value that is compared, where there is one: a row has one current value.
    let usable: Vec<f64> = comparison.now(pair, metric).known.iter().map(|value| value.value).collect();
    let raw = pair.measured_now(metric);
    middle(metric, if usable.len() == raw.len() { &usable } else { &raw })
}

/// The geometric mean; of counts, rates and what may be zero the plain one; of one value the value.
fn middle(metric: &Metric, values: &[f64]) -> Option<f64> {
    if let [only] = values {
        return Some(*only);
    }
    let logs: Option<Vec<f64>> = values.iter().map(|value| (*value > 0.0).then(|| value.ln())).collect();
    match logs {
        Some(logs) if *metric != Metric::ErrorRate => stats::mean(&logs).map(f64::exp),
        _ => stats::mean(values),
    }
}

fn total_information<'p>(pair: &EndpointPair<'_>) -> Option<Finding<'p>> {
    let metric = &TOTAL_INFORMATION;
    let known = |values: &[f64]| middle(metric, values).filter(|value| *value > 0.0);
    let (before, now) = known(&pair.measured_before(metric)).zip(known(&pair.measured_now(metric)))?;
    debug_assert_eq!(metric.direction(), Direction::Higher, "the sentence below says fewer and more");
    Some(Finding {
        baseline: Some(before),
        current: Some(now),
        change: Some(now - before),
        change_relative: Some(now / before - 1.0),
        ..empty(pair, Some(metric), Status::Info, "for information: no rule names the total".to_owned())
    })
}
