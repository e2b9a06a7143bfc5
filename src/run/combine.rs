//! What several runs of one suite are to each other: parts of one run, or repeats of the same thing.

use std::collections::BTreeSet;

use super::metric::{Measurement, Metric, Source};
use super::recorder::add_endpoints;
use super::timeline::Timeline;
use super::{Endpoint, Notice, Run};

/// How several runs belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Combine {
    /// Parts of one run, at the same time: counts and distributions are added.
    Shards,
    /// The same thing done again: each stays a run of its own, and the gate uses all.
    Repeats,
}

/// The current runs of a suite, and what was done to get them.
#[derive(Debug)]
pub struct Combined {
    /// One run, or the repeats in order of time.
    pub runs: Vec<Run>,
    /// Says what was done when there was more than one.
    pub notice: Option<Notice>,
}

/// Adds shards up or keeps repeats apart: as `wish` says, else shards where time windows overlap, parts of one run where
/// no two of them share an endpoint (tools that test one URL at a time), and repeats otherwise.
pub fn combine(mut runs: Vec<Run>, wish: Option<Combine>) -> Combined {
    if runs.len() < 2 {
        return Combined { runs, notice: None };
    }
    runs.sort_by(|a, b| (a.started_at, &a.files).cmp(&(b.started_at, &b.files)));
    let count = runs.len();
    let disjoint = disjoint(&runs);
    if wish == Some(Combine::Shards) || (wish.is_none() && (disjoint || overlapping(&runs))) {
        let message = if disjoint {
            format!("{count} result files name different endpoints and were read as parts of one run")
        } else {
            format!("{count} runs overlap in time and were added up as shards of one run")
        };
        return Combined { runs: vec![add(&runs)], notice: Some(Notice::new("shards", message)) };
    }
    let message = format!("{count} runs one after the other were read as repeats; `combine: shards` would add them up");
    Combined { runs, notice: Some(Notice::new("repeats", message)) }
}

fn disjoint(runs: &[Run]) -> bool {
    let mut seen = std::collections::HashSet::new();
    runs.iter().all(|run| run.tool == runs.first().map_or("", |first| &first.tool))
        && runs.iter().flat_map(|run| &run.endpoints).all(|endpoint| seen.insert(endpoint.label()))
}

/// Whether every run shares some time with another one.
fn overlapping(runs: &[Run]) -> bool {
    let windows: Option<Vec<(f64, f64)>> = runs
        .iter()
        .map(|run| {
            let start = run.started_at?.as_millisecond() as f64 / 1e3;
            Some((start, start + run.duration_s?))
        })
        .collect();
    windows.is_some_and(|windows| windows.is_sorted_by(|a, b| b.0 < a.1))
}

/// Adds runs exactly: counts, error kinds, histograms and time windows. Percentiles of endpoints that stand in several
/// runs come from histograms or are unknown; they are never averaged.
pub fn add(runs: &[Run]) -> Run {
    let mut sum = runs.first().cloned().unwrap_or_default();
    let start = |run: &Run| run.started_at.map(|start| start.as_millisecond() as f64 / 1e3);
    let end = |run: &Run| start(run).zip(run.duration_s).map(|(start, seconds)| start + seconds);
    let first = runs.iter().map(start).reduce(|a, b| Some(a?.min(b?))).flatten();
    let last = runs.iter().map(end).reduce(|a, b| Some(a?.max(b?))).flatten();
    sum.started_at = runs.iter().filter_map(|run| run.started_at).min();
    sum.duration_s = first.zip(last).map(|(first, last)| last - first);
    sum.load.users = runs.iter().map(|run| run.load.users).sum();
    sum.load.target_rps = runs.iter().map(|run| run.load.target_rps).sum();
    sum.complete = runs.iter().map(|run| run.complete).try_fold(true, |all, complete| Some(all && complete?));
    sum.files = runs.iter().flat_map(|run| run.files.iter().cloned()).collect();
    sum.files.sort_unstable();
    sum.timeline = runs.iter().map(|run| run.timeline.clone()).reduce(add_timelines).flatten();
    sum.notices = runs.iter().flat_map(|run| run.notices.iter().cloned()).collect();
    let labels: BTreeSet<String> = runs.iter().flat_map(|run| &run.endpoints).map(Endpoint::label).collect();
    let parts = |label: &str| runs.iter().filter_map(|run| run.endpoint(label)).collect::<Vec<_>>();
    sum.endpoints = labels.iter().map(|label| add_endpoints(&parts(label), sum.duration_s)).collect();
    sum.total = Some(add_endpoints(&parts(super::TOTAL), sum.duration_s)).filter(|_| !labels.is_empty());
    sum
}

/// A shard that tells no times leaves a hole that nobody could see: then there is no timeline.
fn add_timelines(sum: Option<Timeline>, shard: Option<Timeline>) -> Option<Timeline> {
    sum.zip(shard).map(|(mut sum, shard)| {
        sum.add_shard(&shard);
        sum
    })
}

/// One endpoint out of several of one run, measured over the same time. Like [`add`], and beside it all that is exact
/// without samples: the sum of throughputs, the extremes, the mean weighted by requests.
pub fn merge_endpoints(parts: &[Endpoint], duration_s: Option<f64>) -> Endpoint {
    let parts: Vec<&Endpoint> = parts.iter().collect();
    let mut merged = add_endpoints(&parts, duration_s);
    if parts.len() < 2 {
        return merged;
    }
    let all =
        |metric: &Metric| parts.iter().map(|part| part.metrics.get(metric)).collect::<Option<Vec<&Measurement>>>();
    for metric in [Metric::Throughput, Metric::LatencyMin, Metric::LatencyMax] {
        let join = match metric {
            Metric::Throughput => |a: f64, b: f64| a + b,
            Metric::LatencyMin => f64::min,
            _ => f64::max,
        };
        let value = all(&metric).and_then(|all| all.iter().map(|one| one.value()).reduce(join));
        fill(&mut merged, metric, value, &parts);
    }
    let weighted = all(&Metric::LatencyMean).and_then(|means| {
        let requests = parts.iter().map(|part| part.requests).collect::<Option<Vec<u64>>>()?;
        let sum: f64 = means.iter().zip(&requests).map(|(mean, requests)| mean.value() * *requests as f64).sum();
        Some(sum / requests.iter().map(|requests| *requests as f64).sum::<f64>())
    });
    fill(&mut merged, Metric::LatencyMean, weighted, &parts);
    merged
}

/// Sets the metric unless samples have given it already. Rounding steps add up in a sum; the largest one bounds the rest.
fn fill(merged: &mut Endpoint, metric: Metric, value: Option<f64>, parts: &[&Endpoint]) {
    let steps = parts.iter().map(|part| part.metrics.get(&metric).and_then(Measurement::step));
    let join = if metric == Metric::Throughput { |a: f64, b: f64| a + b } else { f64::max };
    let step = steps.reduce(|a, b| Some(join(a?, b?))).flatten();
    if let Some(measurement) = value.and_then(|value| Measurement::new(value, Source::Computed, step)) {
        merged.metrics.entry(metric).or_insert(measurement);
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorder::Recorder;
    use super::*;

    fn run(start_ms: f64, end_ms: f64, names: &[&str]) -> Run {
        let mut recorder = Recorder::new();
        recorder.tool("k6");
        recorder.spans(start_ms, end_ms);
        for name in names {
            for ms in 1..=300_u64 {
                recorder.endpoint(None, name).samples().add(Some(ms * 1_000_000), Some(ms > 3));
            }
        }
        recorder.finish().unwrap()
    }

    #[test]
    fn overlapping_runs_are_added() {
        let combined = combine(vec![run(0.0, 10_000.0, &["a", "b"]), run(5_000.0, 20_000.0, &["a"])], None);
        let [sum] = combined.runs.as_slice() else { panic!("one run") };
        let a = sum.endpoint("a").unwrap();
        assert_eq!((a.requests, a.failures, sum.duration_s), (Some(600), Some(6), Some(20.0)));
        assert_eq!(a.value(&Metric::Throughput), Some(30.0));
        assert!((a.value(&Metric::LatencyP50).unwrap() - 150.0).abs() < 1.0);
        assert_eq!(sum.total.as_ref().unwrap().requests, Some(900));
    }

    #[test]
    fn runs_one_after_the_other_are_repeats_unless_told_otherwise() {
        let runs = || vec![run(20_000.0, 30_000.0, &["a"]), run(0.0, 10_000.0, &["a"])];
        let combined = combine(runs(), None);
        assert_eq!(combined.notice.unwrap().code, "repeats");
        assert!(combined.runs[0].started_at < combined.runs[1].started_at);
        assert_eq!(combine(runs(), Some(Combine::Shards)).runs.len(), 1);
    }

    #[test]
    fn single_url_results_are_parts_of_one_run() {
        let combined = combine(vec![run(0.0, 10_000.0, &["a"]), run(20_000.0, 30_000.0, &["b"])], None);
        assert_eq!(combined.runs[0].endpoints.len(), 2);
        assert_eq!(combined.runs[0].endpoint("b").unwrap().value(&Metric::Throughput), Some(30.0));
    }
}
