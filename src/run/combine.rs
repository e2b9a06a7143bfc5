//! What several runs of one suite are to each other: parts of one run, or repeats of the same thing.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::metric::{Measurement, Metric, Source};
use super::recorder::add_endpoints;
use super::timeline::Timeline;
use super::{Endpoint, Load, Notice, Run, SHARDS_MISSING, Shards};

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
        runs.iter_mut().for_each(settle_shards);
        return Combined { runs, notice: None };
    }
    runs.sort_by(|a, b| (a.started_at, &a.files).cmp(&(b.started_at, &b.files)));
    let count = runs.len();
    let disjoint = disjoint(&runs);
    let numbered = numbered(&runs);
    if wish == Some(Combine::Shards) || (wish.is_none() && (disjoint || numbered || overlapping(&runs))) {
        let message = if numbered {
            format!("{count} shards were added up to one run")
        } else if disjoint {
            format!("{count} result files name different endpoints and were read as parts of one run")
        } else {
            format!("{count} runs overlap in time and were added up as shards of one run")
        };
        if disjoint && !numbered {
            keep_windows(&mut runs);
        }
        let mut added = add(&runs);
        settle_shards(&mut added);
        return Combined { runs: vec![added], notice: Some(Notice::new("shards", message)) };
    }
    let message = format!("{count} runs one after the other were read as repeats; `combine: shards` would add them up");
    Combined { runs, notice: Some(Notice::new("repeats", message)) }
}

/// Whether every run says which part of one run it is, and no part is there twice.
fn numbered(runs: &[Run]) -> bool {
    let parts = runs.iter().map(|run| run.shards.as_ref().map_or(0, |shards| shards.have.len())).sum::<usize>();
    runs.iter().all(|run| run.shards.is_some()) && shards(runs).is_some_and(|all| all.have.len() == parts)
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
/// runs come from histograms or are unknown; they are never averaged. To the bit the same in any order and grouping.
pub fn add(runs: &[Run]) -> Run {
    let start_ns = |run: &Run| run.started_at.map(Timestamp::as_nanosecond);
    let end_ns = |run: &Run| Some(start_ns(run)? + i128::from(fixed(run.duration_s?)) * 1_000);
    let first = runs.iter().map(start_ns).reduce(|a, b| Some(a?.min(b?))).flatten();
    let last = runs.iter().map(end_ns).reduce(|a, b| Some(a?.max(b?))).flatten();
    let duration_s = first.zip(last).map(|(first, last)| unfixed(((last - first) / 1_000) as i64));
    let labels: BTreeSet<String> = runs.iter().flat_map(|run| &run.endpoints).map(Endpoint::label).collect();
    let parts = |label: &str| runs.iter().filter_map(|run| run.endpoint(label)).collect::<Vec<_>>();
    // A shard without any request has nothing to add, and nothing to hide.
    let totals = runs.iter().filter(|run| run.total.is_some() || !run.endpoints.is_empty());
    let totals: Option<Vec<&Endpoint>> = totals.map(|run| run.total.as_ref()).collect();
    let formats: BTreeSet<&str> = runs.iter().flat_map(|run| run.format.split('+')).collect();
    let mut files: Vec<String> = runs.iter().flat_map(|run| run.files.iter().cloned()).collect();
    files.sort_unstable();
    let notices: BTreeSet<Notice> = runs.iter().flat_map(|run| run.notices.iter().cloned()).collect();
    Run {
        suite: runs.iter().map(|run| &run.suite).min().cloned().unwrap_or_default(),
        tool: runs.iter().map(|run| &run.tool).min().cloned().unwrap_or_default(),
        tool_version: agreed(runs, |run| &run.tool_version),
        format: formats.into_iter().collect::<Vec<_>>().join("+"),
        files,
        started_at: runs.iter().filter_map(|run| run.started_at).min(),
        duration_s,
        complete: runs.iter().map(|run| run.complete).try_fold(true, |all, complete| Some(all && complete?)),
        shards: shards(runs),
        load: Load {
            users: sum(runs.iter().map(|run| run.load.users)),
            target_rps: sum(runs.iter().map(|run| run.load.target_rps)),
            profile: agreed(runs, |run| &run.load.profile),
        },
        environment: runs
            .first()
            .iter()
            .flat_map(|first| &first.environment)
            .filter(|(key, value)| runs.iter().all(|run| run.environment.get(*key) == Some(*value)))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        endpoints: labels.iter().map(|label| over(add_endpoints(&parts(label), duration_s), duration_s)).collect(),
        total: totals
            .filter(|totals| !totals.is_empty())
            .map(|totals| over(add_endpoints(&totals, duration_s), duration_s)),
        timeline: runs.iter().map(|run| run.timeline.clone()).reduce(add_timelines).flatten(),
        notices: notices.into_iter().collect(),
    }
}

/// Throughput that we worked out is over the time of all shards, also where one shard alone has the endpoint.
fn over(mut endpoint: Endpoint, duration_s: Option<f64>) -> Endpoint {
    let reported = endpoint.metrics.get(&Metric::Throughput).is_some_and(|rate| rate.source() == Source::Reported);
    let rate = endpoint.requests.zip(endpoint.window_s.or(duration_s)).map(|(all, seconds)| all as f64 / seconds);
    if let Some(rate) = rate.and_then(|rate| Measurement::new(rate, Source::Computed, Some(0.0))).filter(|_| !reported)
    {
        endpoint.metrics.insert(Metric::Throughput, rate);
    }
    endpoint
}

/// Parts that were measured one after the other keep the time of their own.
fn keep_windows(runs: &mut [Run]) {
    for run in runs {
        for endpoint in run.endpoints.iter_mut().filter(|endpoint| endpoint.window_s.is_none()) {
            endpoint.window_s = run.duration_s;
        }
    }
}

/// Millionths, so that sums do not depend on their order.
fn fixed(value: f64) -> i64 {
    (value * 1e6).round() as i64
}

fn unfixed(millionths: i64) -> f64 {
    millionths as f64 / 1e6
}

fn sum(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.map(|value| value.map(fixed)).try_fold(0_i64, |sum, value| sum.checked_add(value?)).map(unfixed)
}

/// What all runs say, if they say the same.
fn agreed(runs: &[Run], of: impl Fn(&Run) -> &Option<String>) -> Option<String> {
    let first = of(runs.first()?);
    first.clone().filter(|_| runs.iter().all(|run| of(run) == first))
}

fn shards(runs: &[Run]) -> Option<Shards> {
    let of = runs.first()?.shards.as_ref()?.of;
    let all = runs.iter().map(|run| run.shards.as_ref().filter(|shards| shards.of == of));
    let have = all.collect::<Option<Vec<_>>>()?.into_iter().flat_map(|shards| &shards.have).copied().collect();
    Some(Shards { of, have })
}

/// Ends the adding of shards: a run with all its parts is a run like any other; one that lacks some says so.
pub fn settle_shards(run: &mut Run) {
    let Some(shards) = &run.shards else { return };
    let missing: Vec<String> = shards.missing().iter().map(ToString::to_string).collect();
    if missing.is_empty() {
        run.shards = None;
        return;
    }
    let (which, are) = if missing.len() == 1 { ("shard", "is") } else { ("shards", "are") };
    let message = format!("{which} {} of {} {are} missing", missing.join(", "), shards.of);
    run.complete = Some(false);
    run.notices.push(Notice::new(SHARDS_MISSING, message));
}

/// A shard that tells no times, or none that a clock shows, leaves a hole that nobody could see: then there is no timeline.
fn add_timelines(sum: Option<Timeline>, shard: Option<Timeline>) -> Option<Timeline> {
    sum.zip(shard).filter(|(sum, shard)| !sum.is_relative() && !shard.is_relative()).map(|(mut sum, shard)| {
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
