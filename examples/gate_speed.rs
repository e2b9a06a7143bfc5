//! How long the gate takes: `cargo run --release --example gate_speed`.
//!
//! Judges 1,000 endpoints x 6 metrics against 10 baseline runs (to stay below 50 ms), and reads a baseline of
//! 100 endpoints x 10 runs (to stay below 5 ms). Everything runs on one thread, so time is CPU time on a quiet machine;
//! the best of several tries is what the code takes, the rest is the machine.

#![expect(clippy::print_stdout, clippy::panic, reason = "a program for a developer's terminal")]

use std::time::{Duration, Instant};

use jiff::civil::date;
use loadgate::baseline::store::{self, Stored};
use loadgate::baseline::{Baseline, Origin};
use loadgate::compare::compare;
use loadgate::compare::stats::change_points::SplitMix64;
use loadgate::policy::Policy;
use loadgate::run::metric::{Measurement, Metric, PERCENTILES, Source};
use loadgate::run::{Endpoint, Load, Run};
use loadgate::verdict::{Status, judge};

const TRIES: usize = 20;

fn main() {
    let mut random = SplitMix64(7);
    let policy = Policy::shipped();

    let wide = baseline(1_000, &mut random);
    let current = [run(1_000, &mut random)];
    let mut judged = 0;
    let took = best(|| {
        let comparison = compare(&wide, &current);
        let verdict = judge(&policy, &comparison, date(2026, 11, 24));
        judged = verdict.findings.iter().filter(|finding| finding.status != Status::NotMeasured).count();
    });
    println!("judging {judged} rows of 1000 endpoints against 10 runs: {:.1} ms (at most 50)", millis(took));

    let text = store::to_text(&baseline(100, &mut random));
    let took = best(|| match store::parse(&text, "baseline.json") {
        Ok(Stored::Baseline(read)) => assert_eq!(read.runs.len(), 10),
        other => panic!("{other:?}"),
    });
    println!(
        "reading a baseline of 100 endpoints x 10 runs ({} kB, {} bytes a run and endpoint): {:.2} ms (at most 5)",
        text.len() / 1000,
        text.len() / 1000,
        millis(took)
    );
}

fn best(mut work: impl FnMut()) -> Duration {
    (0..TRIES)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn baseline(endpoints: usize, random: &mut SplitMix64) -> Baseline {
    let mut baseline = Baseline::new("speed");
    for number in 0..10 {
        baseline.add(&run(endpoints, random), Origin { id: format!("r{number}"), ..Origin::default() });
    }
    baseline
}

fn run(endpoints: usize, random: &mut SplitMix64) -> Run {
    let mut uniform = || (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
    let endpoint = |number: usize| {
        let level = (20.0 + number as f64) * (0.95 + 0.1 * uniform());
        let requests = 4_000 + (400.0 * uniform()) as u64;
        let mut metrics: Vec<(Metric, f64)> = PERCENTILES
            .into_iter()
            .zip([1.0, 1.4, 2.0, 2.5, 3.4, 4.2, 8.0])
            .map(|(metric, factor)| (metric, (level * factor * (0.97 + 0.06 * uniform())).round()))
            .collect();
        metrics.push((Metric::LatencyMean, level * 1.3));
        metrics.push((Metric::Throughput, requests as f64 / 240.0));
        let step = |metric: &Metric| if metric.quantile().is_some() { 1.0 } else { 0.0 };
        Endpoint {
            method: Some("GET".to_owned()),
            name: format!("/items/{number:04}/details"),
            requests: Some(requests),
            failures: Some((8.0 * uniform()) as u64),
            metrics: metrics
                .into_iter()
                .filter_map(|(metric, value)| {
                    Some((metric.clone(), Measurement::new(value, Source::Reported, Some(step(&metric)))?))
                })
                .collect(),
            ..Endpoint::default()
        }
    };
    Run {
        duration_s: Some(240.0),
        load: Load { users: Some(50.0), ..Load::default() },
        endpoints: (0..endpoints).map(endpoint).collect(),
        ..Run::default()
    }
}
