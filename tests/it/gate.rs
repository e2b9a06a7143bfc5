//! The gate against the reference: every figure and every status of the vectors.
//!
//! `LOADGATE_STATS_VECTORS` may name another file of the same kind.

use std::collections::BTreeMap;

use jiff::civil::Date;
use loadgate::baseline::{Baseline, BaselineEndpoint, BaselineRun};
use loadgate::compare::compare;
use loadgate::compare::like::same_load;
use loadgate::compare::stats::change_points::{SplitMix64, change_points, permutation_p, strongest_split};
use loadgate::compare::stats::proportion::{
    Proportion, chance_not_risen, chance_risen_by, failures_needed, fisher_mid_p, newcombe, overdispersion, wilson,
};
use loadgate::compare::stats::{
    self, Noise, Scatter, benjamini_hochberg, detectable_shift, percentile_sampling_variance, pooled_variance,
    rounding_variance, scatter, shrunken_variance, t_quantiles, t_upper_tail,
};
use loadgate::policy::{Gate, Policy};
use loadgate::run::metric::{Measurement, Metric, Source};
use loadgate::run::{Endpoint, Load, LoadFacts, Run};
use loadgate::verdict::{Finding, judge};
use serde_json::Value;

/// The vectors of one kind.
fn vectors(kind: &str) -> Vec<Value> {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/stats/vectors.json");
    let path = std::env::var("LOADGATE_STATS_VECTORS").unwrap_or_else(|_| committed.to_owned());
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(file["schema"], "loadgate.stats-vectors/1");
    let found: Vec<Value> =
        file["vectors"].as_array().unwrap().iter().filter(|vector| vector["kind"] == kind).cloned().collect();
    assert!(!found.is_empty(), "no vectors of kind {kind} in {path}");
    found
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn optional(value: &Value) -> Option<f64> {
    if value.is_null() { None } else { Some(number(value)) }
}

/// Within 1e-9 of the expected value (of 1 where that is nearly zero).
fn close(what: &str, got: f64, expected: &Value) {
    let expected = number(expected);
    let tolerance = 1e-9 * expected.abs().max(1e-6);
    assert!((got - expected).abs() <= tolerance, "{what}: {got:e}, expected {expected:e}");
}

fn within(what: &str, got: f64, expected: &Value, tolerance: f64) {
    let expected = number(expected);
    assert!((got - expected).abs() <= tolerance, "{what}: {got:e}, expected {expected:e}");
}

#[test]
fn t_tails_and_quantiles() {
    for vector in vectors("t") {
        let (t, df) = (number(&vector["input"]["t"]), number(&vector["input"]["df"]) as u32);
        let (expect, id) = (&vector["expect"], vector["id"].as_str().unwrap());
        within(id, t_upper_tail(t, df), &expect["upper_tail"], 1e-8);
        within(id, t_upper_tail(-t, df), &expect["lower_tail"], 1e-8);
        let quantiles = t_quantiles(df).unwrap();
        within(id, quantiles.q975, &expect["quantile_975"], 1e-8);
        within(id, quantiles.q99, &expect["quantile_99"], 1e-8);
    }
}

fn scatters(endpoints: &Value) -> Vec<Scatter> {
    let scatter = |row: &Value| Scatter { df: number(&row["nu"]) as u32, variance: number(&row["s2"]) };
    endpoints.as_array().unwrap().iter().map(scatter).collect()
}

#[test]
fn the_pool_of_the_other_endpoints() {
    for vector in vectors("pool") {
        let input = &vector["input"];
        let pool = pooled_variance(number(&input["s0"]), scatters(&input["endpoints"]));
        close(vector["id"].as_str().unwrap(), pool, &vector["expect"]["P2"]);
    }
}

#[test]
fn sampling_variance_within_a_run() {
    for vector in vectors("w2") {
        let input = &vector["input"];
        let requests = number(&input["requests"]);
        let metric: Metric = input["metric"].as_str().unwrap().parse().unwrap();
        let known = |name: &str, value: &Value| {
            let metric: Metric = format!("latency_{name}").parse().unwrap();
            (metric.quantile().unwrap(), number(value))
        };
        let known: Vec<(f64, f64)> =
            input["percentiles"].as_object().unwrap().iter().map(|(name, value)| known(name, value)).collect();
        let got = match metric.quantile() {
            None if metric == Metric::Throughput => 1.0 / requests,
            None => stats::DESIGN_EFFECT / requests,
            Some(level) => {
                let own = known.iter().copied().find(|(other, _)| *other == level).unwrap();
                let below =
                    known.iter().copied().filter(|(other, _)| *other < level).max_by(|a, b| a.0.total_cmp(&b.0));
                let above =
                    known.iter().copied().filter(|(other, _)| *other > level).min_by(|a, b| a.0.total_cmp(&b.0));
                percentile_sampling_variance(own, below, above, requests)
            }
        };
        close(vector["id"].as_str().unwrap(), got, &vector["expect"]["w2"]);
    }
}

#[test]
fn benjamini_and_hochberg() {
    for vector in vectors("bh") {
        let reject = benjamini_hochberg(&numbers(&vector["input"]["p"]), number(&vector["input"]["level"]));
        assert_eq!(serde_json::json!(reject), vector["expect"]["reject"], "{}", vector["id"]);
    }
}

fn proportion(input: &Value, x: &str, n: &str) -> Proportion {
    Proportion { x: number(&input[x]), n: number(&input[n]) }
}

#[test]
fn two_rates() {
    for vector in vectors("error") {
        let (input, expect, id) = (&vector["input"], &vector["expect"], vector["id"].as_str().unwrap());
        let (before, now) = (proportion(input, "failures0", "requests0"), proportion(input, "failures1", "requests1"));
        let p = chance_not_risen(before, now);
        within(id, p, &expect["p"], 1e-7);
        within(id, 1.0 - p, &expect["probability_rose"], 1e-4);
        within(id, chance_risen_by(before, now, 0.005), &expect["probability_rose_by_half_point"], 1e-4);
        within(id, chance_risen_by(before, now, 0.01), &expect["probability_rose_by_one_point"], 1e-4);
        close(id, fisher_mid_p(before, now), &expect["fisher_midp"]);
        for (ours, theirs) in
            [(newcombe(before, now), "newcombe95"), (wilson(before), "wilson95_before"), (wilson(now), "wilson95_now")]
        {
            close(id, ours[0], &expect[theirs][0]);
            close(id, ours[1], &expect[theirs][1]);
        }
        let needed = failures_needed(before, now.n, 1.0, 0.005, 0.01);
        assert_eq!(needed, optional(&expect["failures_needed"]), "{id}");
        if let Some(needed) = needed {
            close(id, needed / now.n - before.rate(), &expect["smallest_detectable"]);
        }
    }
}

#[test]
fn failures_that_come_in_bursts() {
    for vector in vectors("overdispersion") {
        let (input, expect, id) = (&vector["input"], &vector["expect"], vector["id"].as_str().unwrap());
        let runs: Vec<Proportion> =
            input["baseline"].as_array().unwrap().iter().map(|run| proportion(run, "failures", "requests")).collect();
        let phi = overdispersion(&runs);
        close(id, phi, &expect["phi"]);
        let sum = Proportion { x: runs.iter().map(|run| run.x).sum(), n: runs.iter().map(|run| run.n).sum() };
        let (before, now) = (sum.deflated(phi), proportion(input, "failures1", "requests1").deflated(phi));
        within(id, chance_not_risen(before, now), &expect["p"], 1e-7);
        let interval = newcombe(before, now);
        close(id, interval[0], &expect["newcombe95"][0]);
        close(id, interval[1], &expect["newcombe95"][1]);
    }
}

#[test]
fn the_generator_of_the_shuffles() {
    for vector in vectors("prng") {
        let seed = vector["input"]["seed"].as_str().unwrap().trim_start_matches("0x");
        let mut random = SplitMix64(u64::from_str_radix(seed, 16).unwrap());
        for expected in vector["expect"]["first"].as_array().unwrap() {
            assert_eq!(random.next().to_string(), expected.as_str().unwrap());
        }
    }
}

#[test]
fn changes_of_level() {
    for vector in vectors("edivisive") {
        let logs: Vec<f64> = numbers(&vector["input"]["values"]).into_iter().map(f64::ln).collect();
        let (expect, id) = (&vector["expect"], vector["id"].as_str().unwrap());
        let split = strongest_split(&logs);
        assert_eq!(serde_json::json!(split.map(|split| split.at)), expect["split"], "{id}");
        if let Some(split) = split {
            close(id, split.q, &expect["q"]);
            assert_eq!(permutation_p(&logs, split.q), number(&expect["p"]), "{id}");
        }
        let found = change_points(&logs);
        let expected = expect["change_points"].as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "{id}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(serde_json::json!(found.index), expected["index"], "{id}");
            close(id, found.change, &expected["change"]);
        }
    }
}

#[test]
fn loads_that_are_the_same() {
    for vector in vectors("load") {
        let load = |side: &str| -> LoadFacts { serde_json::from_value(vector["input"][side].clone()).unwrap() };
        let same = same_load(&load("baseline"), &load("current"));
        assert_eq!(serde_json::json!(same), vector["expect"]["equal"], "{}", vector["id"]);
    }
}

/// Section 4 from top to bottom on one row.
#[test]
fn one_row() {
    for vector in vectors("row") {
        let (input, expect, id) = (&vector["input"], &vector["expect"], vector["id"].as_str().unwrap());
        let metric: Metric = input["metric"].as_str().unwrap().parse().unwrap();
        let higher = metric == Metric::Throughput;
        let sigma = if higher { -1.0 } else { 1.0 };
        let prior: f64 = match input["metric"].as_str().unwrap() {
            "latency_p50" => 0.05,
            "latency_mean" | "latency_p95" => 0.07,
            "latency_p99" => 0.10,
            "throughput" => 0.04,
            other => panic!("{other}"),
        };
        let baseline: Vec<(u32, f64)> = numbers(&input["segments"])
            .into_iter()
            .map(|segment| segment as u32)
            .zip(numbers(&input["baseline"]).into_iter().map(|value| sigma * value.ln()))
            .collect();
        let y: Vec<f64> = numbers(&input["current"]).into_iter().map(|value| sigma * value.ln()).collect();
        let last = baseline.last().unwrap().0;
        let level: Vec<f64> = baseline.iter().filter(|(segment, _)| *segment == last).map(|(_, x)| *x).collect();
        let (before, now) = (stats::mean(&level).unwrap(), stats::mean(&y).unwrap());
        let d = now - before;
        let own = scatter(&baseline);
        let mut pool = scatters(&input["other_endpoints"]);
        pool.push(own);
        let p2 = pooled_variance(prior, pool);
        let run_to_run = shrunken_variance(p2, own);
        let step = number(&input["step"]);
        let (old, new) = ((sigma * before).exp(), (sigma * now).exp());
        let noise = Noise {
            run_to_run,
            own_df: own.df,
            k: y.len(),
            m: level.len(),
            rounding: rounding_variance(step / new, y.len(), step / old, level.len()),
            sampling_now: number(&input["w2_current"]),
            sampling_before: number(&input["w2_baseline"]),
        };
        let variance = noise.variance();
        let df = 8 + own.df;
        let t = d / variance.sqrt();
        close(id, before, &expect["mean_x"]);
        close(id, f64::from(own.df), &expect["nu"]);
        close(id, own.variance, &expect["s2"]);
        close(id, level.len() as f64, &expect["M"]);
        close(id, d, &expect["d"]);
        close(id, p2, &expect["P2"]);
        close(id, run_to_run, &expect["S2"]);
        close(id, variance, &expect["V"]);
        close(id, t, &expect["t"]);
        close(id, f64::from(df), &expect["df"]);
        within(id, t_upper_tail(t, df), &expect["p"], 1e-8);
        within(id, t_upper_tail(-t, df), &expect["p_low"], 1e-8);
        close(id, old, &expect["baseline"]);
        close(id, new, &expect["current"]);
        let limit = number(&input["limit"]["relative"]);
        let lambda = if higher { -(1.0 - limit).ln() } else { limit.ln_1p() };
        close(id, lambda, &expect["limit_log"]);
        let quantiles = t_quantiles(df).unwrap();
        let half = quantiles.q975 * variance.sqrt();
        let ends = [(sigma * (d - half)).exp_m1(), (sigma * (d + half)).exp_m1()];
        close(id, ends[0].min(ends[1]), &expect["interval"][0]);
        close(id, ends[0].max(ends[1]), &expect["interval"][1]);
        let shift = detectable_shift(lambda, variance, quantiles);
        let detectable = if higher { -(-shift).exp_m1() } else { shift.exp_m1() };
        // The reference's t quantiles are good to 1e-8 (at 8 degrees of freedom its .99 quantile is 5e-9 low).
        within(id, detectable, &expect["smallest_detectable"], 1e-8);
    }
}

/// A run of a `gate` vector in the form of a baseline file and of an artifact.
fn vector_load(run: &Value) -> LoadFacts {
    serde_json::from_value(run["load"].clone()).unwrap()
}

fn vector_environment(run: &Value) -> BTreeMap<String, String> {
    let text = |fact: &Value| fact.as_str().map_or_else(|| fact.to_string(), str::to_owned);
    run["environment"].as_object().unwrap().iter().map(|(key, fact)| (key.clone(), text(fact))).collect()
}

fn vector_metrics(endpoint: &Value) -> BTreeMap<Metric, Measurement> {
    let measurement = |figures: &Value| {
        Measurement::new(number(&figures["value"]), Source::Reported, optional(&figures["step"])).unwrap()
    };
    let metrics = endpoint["metrics"].as_object().unwrap();
    metrics.iter().map(|(name, figures)| (name.parse().unwrap(), measurement(figures))).collect()
}

fn baseline_run(run: &Value) -> BaselineRun {
    let endpoint = |endpoint: &Value| BaselineEndpoint {
        requests: endpoint["requests"].as_u64(),
        failures: endpoint["failures"].as_u64(),
        metrics: vector_metrics(endpoint),
    };
    BaselineRun {
        accepted: serde_json::from_value(run["accepted"].clone()).unwrap(),
        load: vector_load(run),
        environment: vector_environment(run),
        endpoints: run["endpoints"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, it)| (name.clone(), endpoint(it)))
            .collect(),
        ..BaselineRun::default()
    }
}

fn current_run(run: &Value) -> Run {
    let load = vector_load(run);
    let endpoint = |(label, endpoint): (&String, &Value)| {
        let (method, name) =
            label.split_once(' ').map_or((None, label.as_str()), |(method, name)| (Some(method), name));
        Endpoint {
            method: method.map(str::to_owned),
            name: name.to_owned(),
            requests: endpoint["requests"].as_u64(),
            failures: endpoint["failures"].as_u64(),
            metrics: vector_metrics(endpoint),
            ..Endpoint::default()
        }
    };
    Run {
        duration_s: load.duration_s,
        load: Load { users: load.users, target_rps: load.target_rps, profile: load.profile },
        environment: vector_environment(run),
        endpoints: run["endpoints"].as_object().unwrap().iter().map(endpoint).collect(),
        ..Run::default()
    }
}

/// Whole suites: every row with its status, and every figure that a report shows.
#[test]
fn whole_suites() {
    for vector in vectors("gate") {
        let (input, expect, id) = (&vector["input"], &vector["expect"], vector["id"].as_str().unwrap());
        let baseline = Baseline {
            runs: input["baseline"].as_array().unwrap().iter().map(baseline_run).collect(),
            ..Baseline::new("default")
        };
        let current: Vec<Run> = input["current"].as_array().unwrap().iter().map(current_run).collect();
        let gate = match input["mode"].as_str().unwrap() {
            "auto" => Gate::Auto,
            "evidence" => Gate::Evidence,
            "plain" => Gate::Plain,
            other => panic!("{other}"),
        };
        let policy = Policy { gate, ..Policy::shipped() };
        let comparison = compare(&baseline, &current);
        let verdict = judge(&policy, &comparison, today());
        assert_eq!(comparison.load_mismatch.is_some(), expect["load_mismatch"], "{id}");
        let codes: Vec<&str> = verdict.notices.iter().map(|notice| notice.code.as_str()).collect();
        assert_eq!(codes.contains(&"load_mismatch"), expect["load_mismatch"], "{id}");
        assert_eq!(codes.contains(&"common_shift"), expect["common_shift"], "{id}");
        let rows = expect["rows"].as_array().unwrap();
        assert_eq!(verdict.findings.len(), rows.len(), "{id}");
        for row in rows {
            let finding = verdict
                .findings
                .iter()
                .find(|finding| {
                    let metric = finding.metric.as_ref().map(ToString::to_string);
                    finding.endpoint == row["endpoint"] && metric.as_deref() == row["metric"].as_str()
                })
                .unwrap_or_else(|| panic!("{id}: no row {row}"));
            let what = format!("{id} {} {}", row["endpoint"], row["metric"]);
            assert_eq!(serde_json::json!(finding.status), row["status"], "{what}: {}", finding.why);
            assert_row(&what, finding, row);
        }
    }
}

fn assert_row(what: &str, finding: &Finding<'_>, row: &Value) {
    let Some(evidence) = &finding.evidence else {
        assert!(row.get("p_value").is_none(), "{what} has no evidence");
        return;
    };
    // The reference always takes the logarithm and back, which costs a digit.
    close(what, finding.baseline.unwrap(), &row["baseline"]);
    close(what, finding.current.unwrap(), &row["current"]);
    let rate = finding.metric == Some(Metric::ErrorRate);
    let tolerance = if rate { 1e-4 } else { 1e-8 };
    within(what, evidence.p_value.unwrap(), &row["p_value"], tolerance);
    assert_eq!(evidence.p_residual.is_some(), row["p_residual"].is_number(), "{what}");
    if let Some(p) = evidence.p_residual {
        within(what, p, &row["p_residual"], tolerance);
    }
    assert_eq!(serde_json::json!(evidence.runs), row["N"], "{what}");
    assert_eq!(evidence.df.map(Value::from).as_ref(), row.get("df"), "{what}");
    let interval = evidence.interval.unwrap();
    within(what, interval[0], &row["interval"][0], 1e-8);
    within(what, interval[1], &row["interval"][1], 1e-8);
    assert_eq!(evidence.smallest_detectable.is_some(), row["smallest_detectable"].is_number(), "{what}");
    if let Some(size) = evidence.smallest_detectable {
        within(what, size, &row["smallest_detectable"], 1e-8);
    }
}

fn today() -> Date {
    jiff::civil::date(2026, 11, 24)
}
