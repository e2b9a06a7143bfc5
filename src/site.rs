//! The trend site: every suite's history as pages that need no server, for GitHub Pages or a folder.
//!
//! `index.html` is the overview; every endpoint has a card, which is a page of its own and which the overview shows in
//! place when it is scrolled to. Pure: histories in, files out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::compare::stats::change_points::change_points;
use crate::history::gaps::{Gap, gaps};
use crate::history::{self, Line};
use crate::report::chart::Chart;
use crate::report::chart::trend::{Change, Point, spark, trend};
use crate::report::page::{self, SCRIPT, STYLE, slug};
use crate::report::render::{self, RenderError};
use crate::report::templates::Templates;
use crate::run::TOTAL;
use crate::run::display::{percent, plural, value};
use crate::run::metric::{Metric, Unit};
use crate::verdict::{Outcome, Status};

/// Runs drawn one by one; of older ones every few, [`OLDER`] at most.
const NEWEST: usize = 200;
/// Runs drawn of those before the newest.
const OLDER: usize = 100;
/// Runs in the little line of the overview.
const SPARK: usize = 30;
/// With more endpoints the overview leaves its little lines to the cards, and stays small.
const SPARKLINES: usize = 100;

/// A suite's history as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// Lines as in [`history`].
    pub history: String,
}

/// A file of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// From the site's folder; letters, digits, `-`, `.` and `/` only.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// What the site is made of beside histories.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The present time.
    pub now: Timestamp,
    /// The repository's page, for links to commits and workflow runs.
    pub repository: Option<String>,
}

/// The whole site.
pub fn build(suites: &[Suite], frame: &Frame, templates: &Templates) -> Result<Vec<File>, RenderError> {
    let mut files = vec![
        File { path: "style.css".to_owned(), text: STYLE.to_owned() },
        File { path: "page.js".to_owned(), text: SCRIPT.to_owned() },
        // Pages would otherwise leave out what begins with an underscore, and run a generator for nothing.
        File { path: ".nojekyll".to_owned(), text: String::new() },
    ];
    let mut taken = BTreeSet::new();
    let mut views = Vec::new();
    let read: Vec<(&Suite, Vec<Line>, usize)> = suites
        .iter()
        .map(|suite| {
            let (lines, skipped) = history::read(&suite.history);
            (suite, lines, skipped)
        })
        .collect();
    let endpoints = read.iter().map(|(_, lines, _)| labels(lines).len()).sum::<usize>();
    for (suite, lines, skipped) in &read {
        let holes = gaps(&lines.iter().map(|line| line.time).collect::<Vec<_>>(), frame.now);
        let mut cards: Vec<Card<'_>> =
            labels(lines).into_iter().filter_map(|label| Card::new(&suite.name, label, lines, &holes, frame)).collect();
        cards.sort_by_cached_key(|card| (Reverse(card.since), card.rank, card.label.to_owned()));
        for card in &mut cards {
            // Two names of one slug would write one file: a number tells them apart.
            while !taken.insert(card.id.clone()) {
                card.id.push('x');
            }
            card.spark = if endpoints > SPARKLINES { String::new() } else { card.spark() };
            let view = CardPage { card, suite: &suite.name, root: "../", now: frame.now, csp: page::LINKED };
            let text = render::page(templates, "card.html.j2", &view)?;
            files.push(File { path: format!("cards/{}.html", card.id), text });
            card.chart = None;
        }
        let data = format!("data/{}.jsonl", slug(&suite.name, &suite.name));
        files.push(File { path: data.clone(), text: history::merge(&[&suite.history], usize::MAX) });
        views.push(SuiteView::new(&suite.name, lines, *skipped, &holes, cards, data));
    }
    let view = SitePage { suites: views, now: frame.now, csp: page::LINKED, loadgate: env!("CARGO_PKG_VERSION") };
    files.push(File { path: "index.html".to_owned(), text: render::page(templates, "site.html.j2", &view)? });
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Every endpoint of the history, the total last.
fn labels(lines: &[Line]) -> Vec<&str> {
    let all: BTreeSet<&str> = lines.iter().flat_map(|line| line.endpoints.keys()).map(String::as_str).collect();
    let (total, others): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|label| *label == TOTAL);
    others.into_iter().chain(total).collect()
}

#[derive(Debug, Serialize)]
struct SitePage<'a> {
    suites: Vec<SuiteView<'a>>,
    now: Timestamp,
    csp: &'static str,
    loadgate: &'static str,
}

#[derive(Debug, Serialize)]
struct SuiteView<'a> {
    name: &'a str,
    /// Of the newest run.
    verdict: Option<Outcome>,
    said: &'static str,
    runs: String,
    last: String,
    notices: Vec<String>,
    cards: Vec<Card<'a>>,
    data: String,
}

#[derive(Debug, Serialize)]
struct CardPage<'a, 'c> {
    card: &'c Card<'a>,
    suite: &'a str,
    root: &'static str,
    now: Timestamp,
    csp: &'static str,
}

/// An endpoint, for the overview and for its own page.
#[derive(Debug, Serialize)]
struct Card<'a> {
    label: &'a str,
    id: String,
    /// `fail`, `inconclusive`, …: what was said of it last.
    state: &'static str,
    said: &'static str,
    /// The latency that stands for it: `p95` or `p50`.
    metric: &'static str,
    latest: String,
    requests: String,
    errors: String,
    /// Size of the last change of level: `+31 %`; empty where there is none.
    change: String,
    worse: bool,
    changed_on: String,
    commit: String,
    spark: String,
    chart: Option<Chart>,
    changes: Vec<ChangeView>,
    #[serde(skip)]
    since: Option<Timestamp>,
    #[serde(skip)]
    rank: u8,
    #[serde(skip)]
    values: Vec<Option<f64>>,
}

#[derive(Debug, Serialize)]
struct ChangeView {
    day: String,
    size: String,
    worse: bool,
    commit: String,
    url: Option<String>,
    run_url: Option<String>,
}

impl<'a> SuiteView<'a> {
    fn new(name: &'a str, lines: &[Line], skipped: usize, holes: &[Gap], cards: Vec<Card<'a>>, data: String) -> Self {
        let mut notices: Vec<String> = holes.iter().rev().take(3).map(Gap::text).collect();
        if skipped > 0 {
            notices.push(format!("{} of the history could not be read and left out", plural(skipped, "line")));
        }
        let newest = lines.last();
        Self {
            name,
            verdict: newest.map(|line| line.verdict),
            said: newest.map_or("no run yet", |line| outcome(line.verdict)),
            runs: plural(lines.len(), "run"),
            last: newest.map(|line| minute(line.time)).unwrap_or_default(),
            notices,
            cards,
            data,
        }
    }
}

impl<'a> Card<'a> {
    /// `None` if the history has nothing to draw of it.
    fn new(suite: &str, label: &'a str, lines: &[Line], holes: &[Gap], frame: &Frame) -> Option<Self> {
        let points = points(label, lines, holes);
        let p95 = points.iter().any(|point| percentile(point, 1).is_some());
        let at = usize::from(p95);
        let level = |point: &Point| percentile(point, at).filter(|ms| *ms > 0.0);
        // Change points know no gaps: they are looked for in the runs that have the value.
        let (places, logs): (Vec<usize>, Vec<f64>) =
            points.iter().enumerate().filter_map(|(place, point)| Some((place, level(point)?.ln()))).unzip();
        let changes: Vec<Change> = change_points(&logs)
            .into_iter()
            .filter_map(|found| Some(Change { at: *places.get(found.index)?, change: found.change }))
            .collect();
        let (shown, moved) = thinned(&points, &changes);
        let chart = trend(label, &shown, &moved)?;
        let (state, said, rank) = state(label, lines.last());
        let newest = points.last();
        let last = changes.last().and_then(|change| Some((change, lines.get(change.at)?)));
        let figure = |metric: &Metric| lines.last().and_then(|line| line.endpoints.get(label)?.get(metric).copied());
        Some(Self {
            label,
            id: slug(suite, label),
            state,
            said,
            metric: if p95 { "p95" } else { "p50" },
            latest: newest.and_then(level).map_or_else(|| "–".to_owned(), |ms| value(ms, Unit::Milliseconds)),
            requests: figure(&Metric::Throughput).map_or_else(|| "–".to_owned(), |rate| value(rate, Unit::PerSecond)),
            errors: figure(&Metric::ErrorRate).map_or_else(|| "–".to_owned(), |rate| value(rate, Unit::Ratio)),
            change: last.map(|(change, _)| percent(change.change)).unwrap_or_default(),
            worse: last.is_some_and(|(change, _)| change.change > 0.0),
            changed_on: last.map(|(_, line)| day(line.time)).unwrap_or_default(),
            commit: last.map(|(_, line)| short(line.commit.as_deref())).unwrap_or_default(),
            spark: String::new(),
            chart: Some(chart),
            changes: changes
                .iter()
                .rev()
                .filter_map(|change| Some(ChangeView::new(change, lines.get(change.at)?, frame)))
                .collect(),
            since: last.map(|(_, line)| line.time),
            rank,
            values: points.iter().skip(points.len().saturating_sub(SPARK)).map(level).collect(),
        })
    }

    fn spark(&self) -> String {
        spark(&self.values)
    }
}

impl ChangeView {
    fn new(change: &Change, line: &Line, frame: &Frame) -> Self {
        let below = |path: String| frame.repository.as_ref().map(|repository| format!("{repository}/{path}"));
        Self {
            day: day(line.time),
            size: percent(change.change),
            worse: change.change > 0.0,
            commit: short(line.commit.as_deref()),
            url: line.commit.as_ref().and_then(|commit| below(format!("commit/{commit}"))),
            run_url: line.workflow_run_id.and_then(|id| below(format!("actions/runs/{id}"))),
        }
    }
}

fn percentile(point: &Point, at: usize) -> Option<f64> {
    point.latency.get(at).copied().flatten()
}

fn points(label: &str, lines: &[Line], holes: &[Gap]) -> Vec<Point> {
    let missed: BTreeMap<Timestamp, usize> = holes.iter().map(|gap| (gap.before, gap.missed)).collect();
    let mut baseline = lines.first().and_then(|line| line.baseline);
    let mut points = Vec::with_capacity(lines.len());
    for line in lines {
        let figures = line.endpoints.get(label);
        let figure = |metric: &Metric| figures.and_then(|figures| figures.get(metric).copied());
        let new_baseline = line.baseline.is_some() && line.baseline != baseline;
        baseline = line.baseline.or(baseline);
        let worst = worst(label, line);
        points.push(Point {
            time: line.time,
            commit: short(line.commit.as_deref()),
            latency: [Metric::LatencyP50, Metric::LatencyP95, Metric::LatencyP99].map(|metric| figure(&metric)),
            error_rate: figure(&Metric::ErrorRate),
            throughput: figure(&Metric::Throughput),
            limit: line.limits.get(label).and_then(|limits| limits.get(&Metric::LatencyP95).copied()),
            state: worst,
            said: said(label, line, worst),
            new_baseline,
            missed_before: missed.get(&line.time).copied().unwrap_or_default(),
        });
    }
    points
}

/// The worst that was said of any metric of the endpoint.
fn worst(label: &str, line: &Line) -> Option<Status> {
    line.states.get(label).and_then(|states| states.values().min().copied())
}

/// `can't tell: p95, p99`
fn said(label: &str, line: &Line, worst: Option<Status>) -> String {
    let Some(worst) = worst else {
        let measured = line.endpoints.contains_key(label);
        return if measured { words(None, line.limits.contains_key(label)) } else { "not in this run" }.to_owned();
    };
    let states = line.states.get(label).into_iter().flatten();
    let metrics: Vec<String> =
        states.filter(|(_, state)| **state == worst).map(|(metric, _)| metric.title().into_owned()).collect();
    format!("{}: {}", words(Some(worst), true), metrics.join(", "))
}

fn words(state: Option<Status>, judged: bool) -> &'static str {
    match state {
        Some(Status::Fail) => "worse than allowed",
        Some(Status::Warn) => "worse",
        Some(Status::Inconclusive) => "can't tell",
        Some(Status::Improved) => "better",
        Some(Status::Accepted) => "accepted",
        Some(Status::New) => "new",
        Some(Status::Missing) => "gone",
        _ if judged => "within its limits",
        _ => "not judged",
    }
}

/// What was said of the endpoint in the newest run: class, words, and how urgent it is.
fn state(label: &str, line: Option<&Line>) -> (&'static str, &'static str, u8) {
    let Some(line) = line.filter(|line| line.endpoints.contains_key(label)) else {
        return ("missing", "not in the newest run", 5);
    };
    let worst = worst(label, line);
    let (class, rank) = match worst {
        Some(Status::Fail) => ("fail", 0),
        Some(Status::Warn) => ("warn", 1),
        Some(Status::Inconclusive) => ("inconclusive", 2),
        Some(Status::Improved) => ("improved", 3),
        Some(Status::Accepted) => ("accepted", 3),
        _ => ("pass", 4),
    };
    (class, words(worst, line.limits.contains_key(label)), rank)
}

/// The runs that are drawn: the newest, and of the older ones every few, with all at which the level changed.
fn thinned(points: &[Point], changes: &[Change]) -> (Vec<Point>, Vec<Change>) {
    let older = points.len().saturating_sub(NEWEST);
    let step = older.div_ceil(OLDER).max(1);
    let is_change = |at: usize| changes.iter().any(|change| change.at == at);
    let mut shown = Vec::new();
    let mut moved = Vec::new();
    let (mut missed, mut new_baseline) = (0, false);
    for (at, point) in points.iter().enumerate() {
        missed += point.missed_before;
        new_baseline |= point.new_baseline;
        if at < older && at % step != 0 && !is_change(at) {
            continue;
        }
        moved.extend(
            changes.iter().filter(|change| change.at == at).map(|change| Change { at: shown.len(), ..*change }),
        );
        shown.push(Point {
            missed_before: std::mem::take(&mut missed),
            new_baseline: std::mem::take(&mut new_baseline),
            ..point.clone()
        });
    }
    (shown, moved)
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Fail => "worse than allowed",
        Outcome::Warn => "worse, does not block",
        Outcome::Inconclusive => "can't tell",
        Outcome::Pass => "nothing worse than allowed",
        Outcome::NoBaseline => "no baseline yet",
    }
}

fn short(commit: Option<&str>) -> String {
    commit.unwrap_or_default().chars().take(7).collect()
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_runs_are_thinned_but_not_the_changes() {
        let points = vec![Point { missed_before: 1, ..Point::default() }; 400];
        let (shown, moved) = thinned(&points, &[Change { at: 1, change: 0.3 }, Change { at: 399, change: 0.1 }]);
        assert_eq!(shown.len(), 301);
        assert_eq!((moved[0].at, moved[1].at), (1, 300));
        assert_eq!(shown.iter().map(|point| point.missed_before).sum::<usize>(), 400);
    }

    #[test]
    fn a_site_of_nothing_is_a_page_that_says_so() {
        let frame = Frame { now: Timestamp::UNIX_EPOCH, repository: None };
        let files = build(&[], &frame, &Templates::shipped()).unwrap();
        let index = files.iter().find(|file| file.path == "index.html").unwrap();
        assert!(index.text.contains("No history yet"));
    }
}
