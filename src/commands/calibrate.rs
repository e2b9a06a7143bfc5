//! `loadgate calibrate`: several runs of one build in, limits that its own noise stays within out, as a config snippet. [I/O]
//!
//! A limit is the half-width of the prediction interval for one more run of the same build (STATISTICS section 2 uses the
//! same spread): `t(0.975, n-1) * s * sqrt(1 + 1/n)`, on logarithms for latency and throughput. One of 40 further runs of an
//! unchanged build would exceed it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::bail;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::Done;
use crate::artifact::discover;
use crate::compare::like::same_load;
use crate::config::Names;
use crate::format::read;
use crate::policy::{Limit, Policy, Rule, minimum_requests};
use crate::run::Run;
use crate::run::metric::{Direction, Metric};

/// Fewer runs say nothing about how much runs differ.
const FEWEST: usize = 3;
/// The part of further runs that stay within, on the bad side.
const QUANTILE: f64 = 0.975;
/// Requests of one run are not independent: their variance counts double (STATISTICS section 2).
const DESIGN_EFFECT: f64 = 2.0;

/// Reads the runs and prints what their spread asks for.
pub fn run(files: &[String], names: &Names, root: &Path) -> anyhow::Result<Done> {
    let artifacts = discover::discover(root, files)?;
    let mut runs = read::read(&artifacts, &[])?.runs;
    for run in &mut runs {
        names.apply(run);
    }
    if runs.len() < FEWEST {
        bail!(
            "expected at least {FEWEST} runs of one build, found {}\nhint: run the same load test again without changing anything, each into a folder of its own",
            runs.len()
        );
    }
    if let Some(other) = runs.iter().find(|run| runs.iter().any(|one| !same_load(&one.load_facts(), &run.load_facts())))
    {
        bail!(
            "{}: another load than the other runs (users, target rate or duration differ by more than 10 %)\nhint: only runs of the same load tell noise from load",
            other.files.join(", ")
        );
    }
    Ok(Done::printed(snippet(&runs, &Policy::shipped())))
}

/// The config snippet for these runs.
fn snippet(runs: &[Run], shipped: &Policy) -> String {
    let mut labels: Vec<String> = runs.iter().flat_map(|run| &run.endpoints).map(crate::run::Endpoint::label).collect();
    labels.sort_unstable();
    labels.dedup();
    let proposals: Vec<Proposal> =
        labels.iter().flat_map(|label| shipped.rules.iter().filter_map(|rule| proposal(runs, label, rule))).collect();
    let wider: Vec<&Proposal> = proposals.iter().filter(|proposal| proposal.wider).collect();
    let mut text = format!(
        "# From {} runs of one build: one of 40 further runs of an unchanged build would exceed these limits.\n",
        runs.len()
    );
    if proposals.is_empty() {
        text.push_str("# No figure was measured in three runs with enough requests: make the runs longer.\n");
    } else {
        let _ = writeln!(
            text,
            "# {} of {} figures stay within the shipped limits and need no rule of their own.",
            proposals.len() - wider.len(),
            proposals.len()
        );
    }
    if !wider.is_empty() {
        text.push_str("rules:\n");
    }
    for proposal in wider {
        let _ = write!(text, "{}", proposal.lines);
    }
    text
}

/// What one figure of one endpoint asks for.
struct Proposal {
    /// Whether the shipped limit is too tight for it.
    wider: bool,
    /// The rule with its reason.
    lines: String,
}

/// `None` where fewer than three runs hold the figure with enough requests.
fn proposal(runs: &[Run], label: &str, rule: &Rule) -> Option<Proposal> {
    let metric = &rule.metric;
    let endpoints = runs.iter().filter_map(|run| run.endpoint(label));
    let enough =
        endpoints.filter(|endpoint| endpoint.requests.is_none_or(|requests| requests >= minimum_requests(metric)));
    let values: Vec<(f64, Option<u64>)> = enough
        .filter_map(|endpoint| {
            let value = if *metric == Metric::ErrorRate { endpoint.error_rate() } else { endpoint.value(metric) };
            Some((value?, endpoint.requests))
        })
        .collect();
    if values.len() < FEWEST {
        return None;
    }
    let plain: Vec<f64> = values.iter().map(|(value, _)| *value).collect();
    let (lowest, highest) =
        (plain.iter().copied().fold(f64::INFINITY, f64::min), plain.iter().copied().fold(0.0, f64::max));
    let seen = format!("{} to {}", shown(lowest, metric), shown(highest, metric));
    let (limit, tight) = if *metric == Metric::ErrorRate {
        let points = step_up(rate_limit(&values)? * 100.0, 0.1);
        (Written::Points(points), matches!(rule.limit, Some(Limit::Absolute(own)) if points > own * 100.0))
    } else {
        let share = relative_limit(&plain, rule.direction())? * 100.0;
        let percent = step_up(share, if share <= 20.0 { 1.0 } else { 5.0 });
        let own = rule.limit.or(rule.critical);
        (Written::Percent(percent), matches!(own, Some(Limit::Relative(own)) if percent > own * 100.0))
    };
    let endpoint = serde_json::to_string(label).unwrap_or_default();
    let lines = format!(
        "  # {} of {}: {seen} in {} runs\n  - {{ endpoint: {endpoint}, metric: {metric}, {} }}\n",
        metric.title(),
        // A label with a line end would leave the comment.
        endpoint.trim_matches('"'),
        plain.len(),
        limit.keys(rule)
    );
    Some(Proposal { wider: tight, lines })
}

/// A limit as the config has it.
#[derive(Clone, Copy)]
enum Written {
    Percent(f64),
    Points(f64),
}

impl Written {
    /// The keys of the rule: a rule replaces the shipped one whole, so what that says else is said again.
    fn keys(self, shipped: &Rule) -> String {
        match self {
            Self::Points(points) => format!("limit: {points:.1}pp, critical: {points:.1}pp, from_zero: fail"),
            // More than all of it cannot be lost.
            Self::Percent(percent) if shipped.direction() == Direction::Higher => {
                format!("critical: {:.0}%", percent.min(95.0))
            }
            Self::Percent(percent) => match shipped.critical {
                Some(Limit::Relative(critical)) => {
                    format!("limit: {percent:.0}%, critical: {:.0}%", percent.max(critical * 100.0))
                }
                _ => format!("limit: {percent:.0}%"),
            },
        }
    }
}

/// Share of the value that one more run may be worse by; `None` unless all values are above zero.
fn relative_limit(values: &[f64], direction: Direction) -> Option<f64> {
    if values.iter().any(|value| *value <= 0.0) {
        return None;
    }
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let half_width = reach(logs.len())? * variance(&logs).sqrt();
    Some(if direction == Direction::Higher { 1.0 - (-half_width).exp() } else { half_width.exp() - 1.0 })
}

/// Difference of rates that one more run may be worse by. Its noise is at least that of counting.
fn rate_limit(values: &[(f64, Option<u64>)]) -> Option<f64> {
    let rates: Vec<f64> = values.iter().map(|(rate, _)| *rate).collect();
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    let requests: Vec<f64> =
        values.iter().filter_map(|(_, requests)| requests.map(|requests| requests as f64)).collect();
    let counting = match requests.iter().sum::<f64>() / requests.len() as f64 {
        per_run if per_run > 0.0 => DESIGN_EFFECT * mean * (1.0 - mean) / per_run,
        _ => 0.0,
    };
    Some(reach(rates.len())? * variance(&rates).max(counting).sqrt())
}

/// Standard deviations between the mean of `count` runs and one more run, at [`QUANTILE`].
fn reach(count: usize) -> Option<f64> {
    let students = StudentsT::new(0.0, 1.0, count as f64 - 1.0).ok()?;
    Some(students.inverse_cdf(QUANTILE) * (1.0 + 1.0 / count as f64).sqrt())
}

fn variance(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}

/// The next multiple of `step`; a limit is a round number.
fn step_up(value: f64, step: f64) -> f64 {
    // The last bits of a multiple must not carry it to the next one.
    ((value / step) - 1e-9).ceil().max(1.0) * step
}

fn shown(value: f64, metric: &Metric) -> String {
    match metric {
        Metric::ErrorRate => format!("{:.2} %", value * 100.0),
        Metric::Throughput => format!("{value:.1}/s"),
        _ => format!("{value:.0} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::run::Endpoint;
    use crate::run::metric::{Measurement, Source};

    fn run_of(p95: f64, rate: f64, requests: u64, failures: u64) -> Run {
        let metrics = [(Metric::LatencyP95, p95), (Metric::Throughput, rate)];
        let endpoint = Endpoint {
            method: Some("POST".to_owned()),
            name: "/checkout".to_owned(),
            requests: Some(requests),
            failures: Some(failures),
            metrics: metrics
                .map(|(metric, value)| (metric, Measurement::new(value, Source::Reported, Some(1.0)).unwrap()))
                .into(),
            ..Endpoint::default()
        };
        Run { endpoints: vec![endpoint], ..Run::default() }
    }

    #[test]
    fn quiet_figures_need_no_rule() {
        let runs = [run_of(400.0, 50.0, 10_000, 10), run_of(402.0, 50.1, 10_000, 11), run_of(399.0, 49.9, 10_000, 9)];
        let text = snippet(&runs, &Policy::shipped());
        assert!(text.contains("# 3 of 3 figures stay within") && !text.contains("rules:"), "{text}");
    }

    #[test]
    fn noisy_figures_get_a_limit_of_their_own() {
        let runs = [run_of(400.0, 50.0, 1_000, 10), run_of(480.0, 48.0, 1_000, 40), run_of(360.0, 60.0, 1_000, 20)];
        let text = snippet(&runs, &Policy::shipped());
        let config = Config::parse(&text, "snippet").unwrap();
        let own = config.policy().rules.split_off(Policy::shipped().rules.len());
        assert_eq!(own.len(), 3, "{text}");
        // By hand: logs 5.9915, 6.1738, 5.8861; s = 0.1454; t(0.975, 2) = 4.3027; sqrt(4/3) = 1.1547.
        assert_eq!(own[0].limit, Some(Limit::Relative(1.10)), "{text}");
        assert_eq!(own[0].critical, Some(Limit::Relative(1.10)));
        assert!(text.contains("# p95 of POST /checkout: 360 ms to 480 ms in 3 runs"), "{text}");
    }

    #[test]
    fn thin_runs_are_not_calibrated() {
        let runs = [run_of(400.0, 50.0, 100, 0), run_of(480.0, 48.0, 100, 0), run_of(360.0, 60.0, 100, 0)];
        let text = snippet(&runs, &Policy::shipped());
        assert!(!text.contains("latency_p95"), "100 requests say nothing about p95: {text}");
    }

    #[test]
    fn the_reach_is_that_of_the_tables() {
        // t(0.975, 4) = 2.7764, times sqrt(1.2).
        assert!((reach(5).unwrap() - 2.776_445 * 1.2_f64.sqrt()).abs() < 1e-5);
        assert_eq!(step_up(12.0, 1.0), 12.0);
        assert_eq!(step_up(12.1, 1.0), 13.0);
    }
}
