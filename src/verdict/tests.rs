//! The gate on small cases that can be worked out by hand; the figures themselves are held by the vectors.

use jiff::civil::date;

use super::sensitivity::sensitivity;
use super::{Decided, Finding, Outcome, Status, Verdict, judge};
use crate::baseline::{Baseline, Origin};
use crate::compare::compare;
use crate::policy::{Acceptance, FromZero, Gate, Limit, Pattern, Policy, Presence, Rule};
use crate::run::metric::{Measurement, Metric, Source};
use crate::run::{Endpoint, Load, Run};

fn endpoint(name: &str, requests: u64, failures: u64, metrics: &[(Metric, f64)]) -> Endpoint {
    let measured = |(metric, value): &(Metric, f64)| {
        (metric.clone(), Measurement::new(*value, Source::Reported, Some(0.0)).unwrap())
    };
    Endpoint {
        name: name.to_owned(),
        requests: Some(requests),
        failures: Some(failures),
        metrics: metrics.iter().map(measured).collect(),
        ..Endpoint::default()
    }
}

fn run(endpoints: Vec<Endpoint>) -> Run {
    Run { endpoints, ..Run::default() }
}

/// One endpoint `a` with so many failures in 1,000 requests and this p50.
fn simple(failures: u64, p50: f64) -> Run {
    run(vec![endpoint("a", 1_000, failures, &[(Metric::LatencyP50, p50)])])
}

fn baseline(runs: &[Run]) -> Baseline {
    let mut baseline = Baseline::new("test");
    for (number, run) in runs.iter().enumerate() {
        baseline.add(run, Origin { id: format!("r{number}"), ..Origin::default() });
    }
    baseline
}

fn policy(rules: Vec<Rule>) -> Policy {
    Policy { rules, ..Policy::shipped() }
}

fn limit(metric: Metric, limit: Limit) -> Rule {
    Rule { limit: Some(limit), ..Rule::about(metric) }
}

fn judged<T>(policy: &Policy, baseline: &Baseline, current: &[Run], check: impl FnOnce(&Verdict<'_>) -> T) -> T {
    check(&judge(policy, &compare(baseline, current), date(2026, 11, 24)))
}

fn only<'v, 'p>(verdict: &'v Verdict<'p>) -> &'v Finding<'p> {
    let [finding] = verdict.findings.as_slice() else { panic!("{:?}", verdict.findings) };
    finding
}

#[test]
fn a_budget_needs_no_baseline() {
    let budget = |max| policy(vec![Rule { max: Some(max), ..Rule::about(Metric::LatencyP50) }]);
    judged(&budget(100.0), &baseline(&[]), &[simple(0, 120.0)], |verdict| {
        assert_eq!(verdict.outcome, Outcome::Fail);
        assert_eq!(only(verdict).status, Status::Fail);
        assert_eq!(only(verdict).why, "p50 is 120 ms, the budget is at most 100 ms");
    });
    judged(&budget(120.0), &baseline(&[]), &[simple(0, 120.0)], |verdict| {
        assert_eq!(verdict.outcome, Outcome::NoBaseline);
        assert_eq!(only(verdict).status, Status::Pass);
    });
}

#[test]
fn a_budget_on_a_metric_of_the_users_own() {
    let violations = Metric::Custom("violations".to_owned());
    let rule = Rule { max: Some(0.0), endpoint: Some(Pattern::literal("a")), ..Rule::about(violations.clone()) };
    let policy = policy(vec![rule]);
    let with = |count| run(vec![endpoint("a", 10, 0, &[(violations.clone(), count)])]);
    judged(&policy, &baseline(&[]), &[with(1.0)], |verdict| assert_eq!(only(verdict).status, Status::Fail));
    judged(&policy, &baseline(&[]), &[with(0.0)], |verdict| assert_eq!(only(verdict).status, Status::Pass));
    judged(&policy, &baseline(&[]), &[simple(0, 1.0)], |verdict| {
        assert_eq!(only(verdict).status, Status::NotMeasured);
    });
}

#[test]
fn a_broken_budget_is_not_hidden_by_a_kept_limit() {
    let rule = Rule { max: Some(100.0), ..limit(Metric::LatencyP50, Limit::Relative(0.1)) };
    let gate = Policy { gate: Gate::Plain, ..policy(vec![rule]) };
    judged(&gate, &baseline(&[simple(0, 119.0)]), &[simple(0, 120.0)], |verdict| {
        let finding = only(verdict);
        assert_eq!((finding.status, finding.baseline, finding.current), (Status::Fail, Some(119.0), Some(120.0)));
        assert!(finding.why.contains("budget"), "{}", finding.why);
    });
}

#[test]
fn exactly_on_the_limit_is_within() {
    let gate = Policy { gate: Gate::Plain, ..policy(vec![limit(Metric::LatencyP50, Limit::Relative(0.1))]) };
    let before = baseline(&[simple(0, 100.0)]);
    judged(&gate, &before, &[simple(0, 110.0)], |verdict| assert_eq!(only(verdict).status, Status::Pass));
    judged(&gate, &before, &[simple(0, 110.1)], |verdict| assert_eq!(only(verdict).status, Status::Fail));
    // Twice as slow, and less than the millisecond that counts.
    judged(&gate, &baseline(&[simple(0, 0.5)]), &[simple(0, 1.0)], |verdict| {
        assert_eq!(only(verdict).status, Status::Pass);
    });
}

#[test]
fn plain_limits_know_two_levels() {
    let rule = Rule { critical: Some(Limit::Relative(0.5)), ..limit(Metric::LatencyP50, Limit::Relative(0.1)) };
    let gate = Policy { gate: Gate::Plain, ..policy(vec![rule]) };
    let before = baseline(&[simple(0, 100.0)]);
    for (now, status) in [(105.0, Status::Pass), (120.0, Status::Warn), (160.0, Status::Fail)] {
        judged(&gate, &before, &[simple(0, now)], |verdict| assert_eq!(only(verdict).status, status));
    }
}

#[test]
fn a_thin_history_fails_only_beyond_critical() {
    let rule = Rule { critical: Some(Limit::Relative(0.5)), ..limit(Metric::LatencyP50, Limit::Relative(0.1)) };
    let gate = policy(vec![rule]);
    let before = baseline(&[simple(0, 100.0)]);
    for (now, status) in [(105.0, Status::Pass), (120.0, Status::Inconclusive), (160.0, Status::Fail)] {
        judged(&gate, &before, &[simple(0, now)], |verdict| {
            assert_eq!((only(verdict).status, verdict.decided), (status, Decided::Plain));
        });
    }
}

#[test]
fn three_runs_prove_what_one_cannot() {
    let gate = policy(vec![limit(Metric::LatencyP50, Limit::Relative(0.1))]);
    let before = baseline(&[simple(0, 100.0), simple(0, 101.0), simple(0, 99.0)]);
    judged(&gate, &before, &[simple(0, 150.0)], |verdict| {
        assert_eq!((only(verdict).status, verdict.decided), (Status::Fail, Decided::Evidence));
    });
    let restless = baseline(&[simple(0, 100.0), simple(0, 110.0), simple(0, 92.0)]);
    judged(&gate, &restless, &[simple(0, 112.0)], |verdict| {
        let finding = only(verdict);
        assert_eq!((finding.status, verdict.outcome), (Status::Inconclusive, Outcome::Inconclusive));
        assert!(finding.why.contains("on this gate would tell"), "{}", finding.why);
    });
    judged(&gate, &before, &[simple(0, 101.0)], |verdict| {
        assert!(only(verdict).why.ends_with("on would have been seen"), "{}", only(verdict).why);
    });
    judged(&gate, &before, &[simple(0, 60.0)], |verdict| assert_eq!(only(verdict).status, Status::Improved));
    // Fast because it fails: no praise.
    judged(&gate, &before, &[simple(400, 60.0)], |verdict| assert_eq!(only(verdict).status, Status::Pass));
}

#[test]
fn an_acceptance_has_a_ceiling_and_an_end() {
    let accepting = |up_to, until| Policy {
        accepted: vec![Acceptance {
            endpoint: Pattern::new("a*").unwrap(),
            metric: Metric::LatencyP50,
            up_to: Limit::Relative(up_to),
            reason: "a stronger hash".to_owned(),
            until,
            place: None,
        }],
        ..policy(vec![limit(Metric::LatencyP50, Limit::Relative(0.1))])
    };
    let before = baseline(&[simple(0, 100.0), simple(0, 101.0), simple(0, 99.0)]);
    let status = |policy: &Policy| judged(policy, &before, &[simple(0, 150.0)], |verdict| only(verdict).status);
    assert_eq!(status(&accepting(0.6, None)), Status::Accepted);
    assert_eq!(status(&accepting(0.6, Some(date(2026, 11, 24)))), Status::Accepted);
    assert_eq!(status(&accepting(0.6, Some(date(2026, 11, 23)))), Status::Fail);
    assert_eq!(status(&accepting(0.4, None)), Status::Fail);
    judged(&accepting(0.6, Some(date(2026, 11, 23))), &before, &[simple(0, 150.0)], |verdict| {
        assert_eq!(verdict.notices[0].code, "accepted_ended");
    });
    judged(&accepting(0.6, None), &before, &[simple(0, 150.0)], |verdict| {
        assert_eq!(verdict.outcome, Outcome::Pass);
        assert!(only(verdict).why.ends_with("accepted up to 60\u{202f}%: a stronger hash"), "{}", only(verdict).why);
    });
}

#[test]
fn first_failures_say_what_the_rule_wants() {
    let rule = |from_zero| Rule { from_zero, ..limit(Metric::ErrorRate, Limit::Relative(0.5)) };
    let before = baseline(&[simple(0, 1.0)]);
    let status = |from_zero| {
        let gate = Policy { gate: Gate::Plain, ..policy(vec![rule(from_zero)]) };
        judged(&gate, &before, &[simple(1, 1.0)], |verdict| only(verdict).status)
    };
    assert_eq!(status(Some(FromZero::Fail)), Status::Fail);
    assert_eq!(status(Some(FromZero::Warn)), Status::Warn);
    // No percent of zero.
    assert_eq!(status(None), Status::NotMeasured);
    assert_eq!(status(Some(FromZero::Ignore)), Status::NotMeasured);
}

#[test]
fn one_failure_proves_nothing_and_five_do() {
    let rule = Rule { from_zero: Some(FromZero::Fail), ..limit(Metric::ErrorRate, Limit::Absolute(0.05)) };
    let gate = policy(vec![rule]);
    let before = baseline(&[simple(0, 1.0), simple(0, 1.0), simple(0, 1.0)]);
    for (failures, status) in [(1, Status::Pass), (5, Status::Fail)] {
        judged(&gate, &before, &[simple(failures, 1.0)], |verdict| assert_eq!(only(verdict).status, status));
    }
}

#[test]
fn endpoints_that_come_and_go() {
    let before = baseline(&[run(vec![endpoint("old", 10, 0, &[]), endpoint("stays", 10, 0, &[])])]);
    let now = [run(vec![endpoint("new", 10, 0, &[]), endpoint("stays", 10, 0, &[])])];
    let rules =
        || vec![limit(Metric::ErrorRate, Limit::Absolute(0.1)), limit(Metric::Throughput, Limit::Relative(0.1))];
    let outcome = |missing, new| {
        let policy = Policy { missing, new, gate: Gate::Plain, ..policy(rules()) };
        judged(&policy, &before, &now, |verdict| {
            let statuses: Vec<Status> = verdict.findings.iter().map(|finding| finding.status).collect();
            (verdict.outcome, statuses)
        })
    };
    let stays = [Status::Pass, Status::NotMeasured];
    let with = |own: &[Status]| [own, &stays].concat();
    assert_eq!(outcome(Presence::Report, Presence::Report), (Outcome::Pass, with(&[Status::New, Status::Missing])));
    assert_eq!(outcome(Presence::Warn, Presence::Ignore), (Outcome::Warn, with(&[Status::Missing])));
    assert_eq!(outcome(Presence::Fail, Presence::Warn).0, Outcome::Fail);
    assert_eq!(outcome(Presence::Ignore, Presence::Ignore), (Outcome::Pass, stays.to_vec()));
}

#[test]
fn another_load_leaves_errors_and_budgets_judged() {
    let users = |run: Run, users| Run { load: Load { users: Some(users), ..Load::default() }, ..run };
    let rules = vec![
        Rule { max: Some(100.0), ..Rule::about(Metric::LatencyMax) },
        limit(Metric::LatencyP50, Limit::Relative(0.1)),
        limit(Metric::ErrorRate, Limit::Absolute(0.005)),
    ];
    let gate = Policy { gate: Gate::Plain, ..policy(rules) };
    let figures = [(Metric::LatencyP50, 50.0), (Metric::LatencyMax, 300.0)];
    let before = baseline(&[users(run(vec![endpoint("a", 1_000, 0, &figures)]), 10.0)]);
    judged(&gate, &before, &[users(run(vec![endpoint("a", 1_000, 9, &figures)]), 100.0)], |verdict| {
        let statuses: Vec<Status> = verdict.findings.iter().map(|finding| finding.status).collect();
        assert_eq!(statuses, [Status::Fail, Status::Inconclusive, Status::Fail]);
        assert!(verdict.findings[1].why.contains("load mismatch: 10 users in the baseline, 100 now"));
        assert_eq!(verdict.notices[0].code, "load_mismatch");
    });
}

#[test]
fn a_run_that_was_cut_short_is_no_pass() {
    let rules = vec![limit(Metric::LatencyP50, Limit::Relative(0.1)), limit(Metric::ErrorRate, Limit::Absolute(0.005))];
    let gate = Policy { gate: Gate::Plain, ..policy(rules) };
    let figures = [(Metric::LatencyP50, 50.0)];
    let whole = run(vec![endpoint("a", 1_000, 0, &figures)]);
    let cut = |failures| Run { complete: Some(false), ..run(vec![endpoint("a", 1_000, failures, &figures)]) };
    let before = baseline(&[whole]);
    judged(&gate, &before, &[cut(0)], |verdict| {
        assert_eq!(verdict.outcome, Outcome::Inconclusive);
        assert_eq!(verdict.notices[0].code, "cut_short");
        assert!(verdict.findings.iter().any(|finding| finding.why.contains("cut short before its planned end; p50")));
    });
    let errors = policy(vec![limit(Metric::ErrorRate, Limit::Absolute(0.005))]);
    judged(&errors, &before, &[cut(0)], |verdict| assert_eq!(verdict.outcome, Outcome::Inconclusive));
    judged(&errors, &before, &[cut(500)], |verdict| assert_ne!(verdict.outcome, Outcome::Pass));
}

#[test]
fn what_fails_can_be_agreed_to() {
    let budget = policy(vec![Rule { max: Some(100.0), ..Rule::about(Metric::LatencyP50) }]);
    let agreed = Policy { agreed: Some("the label `fine`".to_owned()), missing: Presence::Fail, ..budget };
    judged(&agreed, &baseline(&[]), &[simple(0, 120.0)], |verdict| {
        assert_eq!((only(verdict).status, verdict.outcome), (Status::Accepted, Outcome::NoBaseline));
        assert!(only(verdict).why.ends_with("; accepted here by the label `fine`"), "{}", only(verdict).why);
    });
}

#[test]
fn nothing_judged_is_no_pass() {
    let gate = policy(vec![limit(Metric::LatencyP99, Limit::Relative(0.1))]);
    judged(&gate, &baseline(&[simple(0, 1.0)]), &[simple(0, 1.0)], |verdict| {
        assert_eq!((only(verdict).status, verdict.outcome), (Status::NotMeasured, Outcome::Inconclusive));
        assert_eq!(verdict.notices[0].code, "nothing_judged");
    });
}

#[test]
fn a_pair_is_found_by_its_label() {
    let named = ["#1", "GET /a", "z"].map(|name| endpoint(name, 10, 0, &[])).to_vec();
    let runs = [Run { total: named.first().cloned(), ..run(named) }];
    let none = baseline(&[]);
    let comparison = compare(&none, &runs);
    assert_eq!(comparison.endpoints.len(), 4);
    for pair in &comparison.endpoints {
        assert_eq!(comparison.pair(&pair.label).map(|found| &found.label), Some(&pair.label));
    }
    assert!(comparison.pair("GET /b").is_none());
}

#[test]
fn the_baseline_alone_says_what_can_be_seen() {
    let policy = policy(vec![limit(Metric::LatencyP50, Limit::Relative(0.1))]);
    let runs = [simple(0, 100.0), simple(0, 104.0), simple(0, 98.0)];
    let row = sensitivity(&policy, &baseline(&runs)).remove(0);
    assert_eq!((row.runs, row.lowest, row.highest), (3, 98.0, 104.0));
    assert!(row.smallest_detectable.is_some_and(|size| (0.1..0.4).contains(&size)), "{row:?}");
    assert_eq!(sensitivity(&policy, &baseline(&runs[..2]))[0].smallest_detectable, None);
    assert!(sensitivity(&policy, &baseline(&[])).is_empty());
}
