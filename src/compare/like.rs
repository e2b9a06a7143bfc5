//! Like with like: which baseline runs had the load and the machines of the current ones (STATISTICS section 3).

use std::collections::BTreeMap;

use super::LoadMismatch;
use super::pair::{EndpointPair, Side};
use super::stats::EPSILON;
use crate::baseline::BaselineRun;
use crate::run::{LoadFacts, Run, TOTAL};

/// Loads that differ by at most this share of the baseline's are the same load.
const LOAD_TOLERANCE: f64 = 0.10;
/// Where the load is unknown, this many times the requests (or fewer by as much) on every endpoint is another load.
const REQUEST_RATIO: f64 = 2.0;
/// So many runs of the current environment are enough to leave the others out.
const ENVIRONMENT_RUNS: usize = 3;

/// Environment facts that name the processor, in the words of the artifacts we read.
const CPU_MODEL: [&str; 2] = ["cpu", "cpu_model"];

/// Which baseline runs are used.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Selection {
    pub(super) used: Vec<usize>,
    pub(super) environment_equal: bool,
    pub(super) mismatch: Option<LoadMismatch>,
}

/// Of the runs whose load is that of every current run, those of the current environment if there are at least three,
/// else all of them; if no load agrees, all runs, and a mismatch.
pub(super) fn select(file: &[BaselineRun], current: &[Run]) -> Selection {
    let loads: Vec<LoadFacts> = current.iter().map(Run::load_facts).collect();
    let comparable: Vec<usize> = places(file, |run| loads.iter().all(|load| same_load(&run.load, load)));
    let none_comparable = comparable.is_empty() && !file.is_empty();
    let candidates = if none_comparable { (0..file.len()).collect() } else { comparable };
    let mismatch = if none_comparable {
        let newest = file.last().map(|run| &run.load);
        let differing = newest.and_then(|newest| loads.iter().find(|load| !same_load(newest, load)));
        newest.zip(differing.or(loads.first())).map(|(newest, load)| mismatch(newest, load))
    } else {
        repeats_differ(&loads)
    };
    let here = |place: &usize| {
        file.get(*place)
            .is_some_and(|run| current.iter().all(|now| same_environment(&run.environment, &now.environment)))
    };
    let local: Vec<usize> = candidates.iter().copied().filter(here).collect();
    let environment_equal = local.len() >= ENVIRONMENT_RUNS || (!local.is_empty() && local.len() == candidates.len());
    let used = if environment_equal { local } else { candidates };
    Selection { used, environment_equal, mismatch }
}

/// Whether users, target rate and duration differ by at most 10 % of the baseline's wherever both sides know them.
pub fn same_load(baseline: &LoadFacts, current: &LoadFacts) -> bool {
    let same = |before: Option<f64>, now: Option<f64>| match known(before).zip(known(now)) {
        Some((before, now)) => (now - before).abs() / before <= LOAD_TOLERANCE + EPSILON,
        None => true,
    };
    same(baseline.users, current.users)
        && same(baseline.target_rps, current.target_rps)
        && same(baseline.duration_s, current.duration_s)
}

/// Whether both know the processor and no fact known to both differs. Unknown is not equal.
pub fn same_environment(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> bool {
    let knows_cpu = |facts: &BTreeMap<String, String>| CPU_MODEL.iter().any(|key| facts.contains_key(*key));
    knows_cpu(a) && knows_cpu(b) && a.iter().all(|(key, value)| b.get(key).is_none_or(|other| other == value))
}

/// Another load told by the requests, where users and target rate cannot tell: every common endpoint has more than twice
/// the requests per run, or every one less than half while a duration is unknown. (Same duration and half the requests is
/// a slow service, not a smaller test.)
pub(super) fn request_mismatch(
    file: &[BaselineRun],
    used: &[usize],
    current: &[Run],
    endpoints: &[EndpointPair<'_>],
) -> Option<LoadMismatch> {
    let before: Vec<&LoadFacts> = used.iter().filter_map(|place| file.get(*place)).map(|run| &run.load).collect();
    let now: Vec<LoadFacts> = current.iter().map(Run::load_facts).collect();
    let told = |fact: fn(&LoadFacts) -> Option<f64>| {
        before.iter().all(|load| known(fact(load)).is_some()) && now.iter().all(|load| known(fact(load)).is_some())
    };
    if told(|load| load.users) || told(|load| load.target_rps) {
        return None;
    }
    let ratios: Vec<f64> = endpoints
        .iter()
        .filter(|pair| pair.side == Side::Both && pair.label != TOTAL)
        .filter_map(EndpointPair::mean_requests)
        .filter(|(before, _)| *before > 0.0)
        .map(|(before, now)| now / before)
        .collect();
    let more = ratios.iter().all(|ratio| *ratio > REQUEST_RATIO + EPSILON);
    let fewer = ratios.iter().all(|ratio| *ratio < 1.0 / REQUEST_RATIO - EPSILON) && !told(|load| load.duration_s);
    if ratios.is_empty() || !(more || fewer) {
        return None;
    }
    let text = format!(
        "every endpoint has {} requests it had per baseline run",
        if more { "more than twice the" } else { "less than half of the" }
    );
    let baseline = before.last().map(|load| (*load).clone()).unwrap_or_default();
    Some(LoadMismatch { baseline, current: now.first().cloned().unwrap_or_default(), text })
}

fn places(file: &[BaselineRun], wanted: impl Fn(&BaselineRun) -> bool) -> Vec<usize> {
    file.iter().enumerate().filter(|(_, run)| wanted(run)).map(|(place, _)| place).collect()
}

/// Nobody tests with no users for no time: a zero there is an artifact's way of not knowing.
fn known(fact: Option<f64>) -> Option<f64> {
    fact.filter(|value| *value > 0.0)
}

fn repeats_differ(loads: &[LoadFacts]) -> Option<LoadMismatch> {
    let (first, rest) = loads.split_first()?;
    let other = rest.iter().find(|load| !same_load(first, load) || !same_load(load, first))?;
    let facts = differences(first, other, "in one current run", "in another");
    Some(LoadMismatch { baseline: first.clone(), current: other.clone(), text: facts })
}

fn mismatch(baseline: &LoadFacts, current: &LoadFacts) -> LoadMismatch {
    let text = differences(baseline, current, "in the baseline", "now");
    LoadMismatch { baseline: baseline.clone(), current: current.clone(), text }
}

/// `50 users in the baseline, 200 now; 240 s in the baseline, 60 s now`
fn differences(a: &LoadFacts, b: &LoadFacts, there: &str, here: &str) -> String {
    let facts: [(&str, Option<f64>, Option<f64>); 3] = [
        ("users", a.users, b.users),
        ("requests/s aimed at", a.target_rps, b.target_rps),
        ("s long", a.duration_s, b.duration_s),
    ];
    let differing: Vec<String> = facts
        .into_iter()
        .filter_map(|(what, before, now)| Some((what, known(before)?, known(now)?)))
        .filter(|(_, before, now)| (now - before).abs() / before > LOAD_TOLERANCE + EPSILON)
        .map(|(what, before, now)| format!("{} {what} {there}, {} {here}", round(before), round(now)))
        .collect();
    if differing.is_empty() { "the loads differ".to_owned() } else { differing.join("; ") }
}

/// At most one decimal: loads are read, not calculated with.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
