//! What the template of the run report sees: the report, every row of it, and the pictures.
//!
//! One page that needs nothing else. A report of many endpoints is drawn with fewer cards, never beyond [`BYTES`].

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::chart::latency::{Side, distribution, spectrum};
use super::chart::{Chart, course, forest};
use super::page::{self, Frame};
use super::render::{Overall, RunPage, matters};
use super::{BaselineFacts, Counts, EndpointSummary, Report, Row, RuleFacts, SuiteReport, SuiteText};
use crate::run::display::{count, plural};
use crate::run::metric::Metric;
use crate::run::timeline::Timeline;
use crate::run::{Notice, Run, TOTAL};
use crate::verdict::{Outcome, Status};

/// Largest page, in bytes: a browser opens it at once, and an artifact of it is small.
pub(super) const BYTES: usize = 300_000;
/// Kinds of error shown.
const ERRORS: usize = 60;

/// How much a page may show, per suite.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    suites: usize,
    cards: usize,
    rows: usize,
}

/// First go rows within their limit, then pictures. No page has room for more suites and pictures than the first of these.
pub(super) const ROOMS: [Room; 10] = [
    Room { suites: MANY, cards: 150, rows: 1_000 },
    Room { suites: MANY, cards: 150, rows: 150 },
    Room { suites: MANY, cards: 150, rows: 60 },
    Room { suites: MANY, cards: 60, rows: 600 },
    Room { suites: MANY, cards: 40, rows: 300 },
    Room { suites: MANY, cards: 20, rows: 200 },
    Room { suites: MANY, cards: 8, rows: 100 },
    Room { suites: 60, cards: 2, rows: 40 },
    Room { suites: 20, cards: 0, rows: 10 },
    Room { suites: 5, cards: 0, rows: 10 },
];
/// Suites that nobody has.
const MANY: usize = 1_000;

/// The run report for its template.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HtmlPage<'a> {
    #[serde(flatten)]
    overall: Overall<'a>,
    /// The suites.
    suites: Vec<HtmlSuite<'a>>,
    /// Style, script and the policy that allows these two and nothing else.
    frame: Frame,
}

/// What the template of the run report sees of a suite.
#[derive(Debug, Serialize, JsonSchema)]
struct HtmlSuite<'a> {
    /// The suite.
    name: &'a str,
    /// What is said of it.
    verdict: Outcome,
    /// How rows were decided: `evidence` or `plain`.
    gate: &'a str,
    /// What it was compared with.
    baseline: &'a BaselineFacts,
    /// The run, without its endpoints.
    run: Option<RunPage<'a>>,
    /// How many current runs there were.
    repeats: usize,
    /// How many rows there are of each kind.
    counts: Counts,
    /// Sentences about this suite.
    text: &'a SuiteText,
    /// About this suite.
    notices: &'a [Notice],
    /// Rows that matter, worst first.
    rows: Vec<HtmlRow<'a>>,
    /// Rows within their limit.
    same: Vec<HtmlRow<'a>>,
    /// Rows that were not judged.
    unjudged: Vec<HtmlRow<'a>>,
    /// `37 rows left out here`; empty where all are shown.
    left_out: String,
    /// The labels above the pictures of rows, as SVG.
    axis: String,
    /// The run over time.
    course: Option<&'a Chart>,
    /// `shaded: ramp and warm-up, not judged`; empty where nothing is.
    shading: &'static str,
    /// Worst first.
    endpoints: &'a [HtmlEndpoint<'a>],
    /// `12 endpoints are not drawn`; empty where all are.
    undrawn: String,
    /// Most frequent first.
    errors: Vec<HtmlError<'a>>,
    /// `12 further kinds of error are in report.json`; empty where all are shown.
    more_errors: String,
    /// What was allowed, in the order of the metrics.
    rules: Vec<HtmlRule<'a>>,
}

/// A row with its picture.
#[derive(Debug, Serialize, JsonSchema)]
struct HtmlRow<'a> {
    /// The row.
    row: &'a Row,
    /// How far it is past its limit, as SVG; none where there is nothing to draw.
    picture: Option<String>,
}

/// An endpoint with its pictures.
#[derive(Debug, Serialize, JsonSchema)]
struct HtmlEndpoint<'a> {
    /// The endpoint in a few words.
    summary: &'a EndpointSummary,
    /// For links: stable as long as the name is.
    id: String,
    /// Whether it is worth looking at.
    open: bool,
    /// Latency by percentile, and its distribution.
    charts: Vec<Chart>,
}

/// A kind of error.
#[derive(Debug, Serialize, JsonSchema)]
struct HtmlError<'a> {
    /// Where it happened.
    endpoint: String,
    /// The tool's text.
    message: &'a str,
    /// How often.
    count: String,
}

/// A rule that decided rows.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct HtmlRule<'a> {
    /// The metric it is about: `p95`.
    metric: String,
    /// The rule.
    rule: &'a RuleFacts,
}

/// What is drawn of a suite: as many endpoints as any page has room for. It takes as long as all else of a page, so it is not
/// done anew for every room.
#[derive(Debug)]
pub(super) struct Pictures<'a> {
    course: Option<Chart>,
    /// Worst first.
    endpoints: Vec<HtmlEndpoint<'a>>,
    /// How many endpoints could be drawn.
    drawable: usize,
}

impl<'a> Pictures<'a> {
    /// Of every suite.
    pub(super) fn of(report: &'a Report) -> Vec<Self> {
        let [most, ..] = ROOMS;
        report.suites.iter().take(most.suites).map(|suite| Self::new(suite, most.cards)).collect()
    }

    fn new(suite: &'a SuiteReport, cards: usize) -> Self {
        let drawn = worst_first(suite).into_iter().filter_map(|summary| HtmlEndpoint::new(suite, summary));
        Self {
            course: timeline(suite).and_then(course::course),
            endpoints: drawn.take(cards).collect(),
            drawable: suite.endpoints.iter().filter(|summary| is_drawable(suite, summary)).count(),
        }
    }
}

fn timeline(suite: &SuiteReport) -> Option<&Timeline> {
    suite.run.as_ref()?.timeline.as_ref()
}

impl<'a> HtmlPage<'a> {
    /// `pictures` are those of the report.
    pub(super) fn new(report: &'a Report, pictures: &'a [Pictures<'a>], room: Room) -> Self {
        let suites = report.suites.iter().zip(pictures).take(room.suites);
        Self {
            overall: Overall::new(report, report.suites.len().saturating_sub(room.suites), usize::MAX),
            suites: suites.map(|(suite, pictures)| HtmlSuite::new(suite, pictures, room)).collect(),
            frame: Frame::inline(),
        }
    }
}

impl<'a> HtmlSuite<'a> {
    fn new(suite: &'a SuiteReport, pictures: &'a Pictures<'a>, room: Room) -> Self {
        let of = |wanted: &dyn Fn(Status) -> bool, most: usize| {
            let rows: Vec<&Row> = suite.rows.iter().filter(|row| wanted(row.status)).collect();
            let left = rows.len().saturating_sub(most);
            (rows.into_iter().take(most).map(HtmlRow::from).collect::<Vec<_>>(), left)
        };
        let (rows, left_rows) = of(&matters, room.rows.max(100));
        let (same, left_same) = of(&|status| status == Status::Pass, room.rows);
        let (unjudged, left_unjudged) = of(&|status| matches!(status, Status::Info | Status::NotMeasured), room.rows);
        let left = left_rows + left_same + left_unjudged;
        let (errors, left_errors) = errors(suite.run.as_ref());
        let drawn = pictures.endpoints.get(..room.cards).unwrap_or(&pictures.endpoints);
        let undrawn = pictures.drawable.saturating_sub(drawn.len());
        Self {
            name: &suite.name,
            verdict: suite.verdict,
            gate: &suite.gate,
            baseline: &suite.baseline,
            run: suite.run.as_ref().map(RunPage::from),
            repeats: suite.repeats,
            counts: suite.counts,
            text: &suite.text,
            notices: &suite.notices,
            rows,
            same,
            unjudged,
            left_out: if left > 0 { format!("{} left out here", plural(left, "row")) } else { String::new() },
            axis: forest::head(),
            course: pictures.course.as_ref(),
            shading: timeline(suite).map(course::shading).unwrap_or_default(),
            endpoints: drawn,
            undrawn: if undrawn > 0 {
                format!("{} not drawn here", plural(undrawn, "endpoint"))
            } else {
                String::new()
            },
            errors,
            more_errors: if left_errors > 0 {
                format!("{} left out here", plural(left_errors, "kind of error"))
            } else {
                String::new()
            },
            rules: rules(suite),
        }
    }
}

impl<'a> From<&'a Row> for HtmlRow<'a> {
    fn from(row: &'a Row) -> Self {
        Self { row, picture: forest::cell(row) }
    }
}

impl<'a> HtmlEndpoint<'a> {
    /// `None` if there is nothing to draw.
    fn new(suite: &'a SuiteReport, summary: &'a EndpointSummary) -> Option<Self> {
        let label = &summary.endpoint;
        let endpoint = suite.run.as_ref()?.endpoint(label)?;
        let known: BTreeMap<Metric, f64> =
            endpoint.metrics.iter().map(|(metric, value)| (metric.clone(), value.value())).collect();
        let now = Side { percentiles: Some(&known), histogram: endpoint.histogram.as_ref() };
        let before = suite.before.get(label);
        let before = Side {
            percentiles: before.map(|before| &before.percentiles),
            histogram: before.and_then(|before| before.histogram.as_ref()),
        };
        let charts: Vec<Chart> =
            spectrum(before, now).into_iter().chain(distribution(before.histogram, now.histogram)).collect();
        (!charts.is_empty()).then(|| Self {
            summary,
            id: page::slug(&suite.name, label),
            open: matches!(summary.status, Status::Fail | Status::Warn | Status::Inconclusive),
            charts,
        })
    }
}

fn is_drawable(suite: &SuiteReport, summary: &EndpointSummary) -> bool {
    let endpoint = suite.run.as_ref().and_then(|run| run.endpoint(&summary.endpoint));
    endpoint.is_some_and(|endpoint| {
        endpoint.histogram.is_some() || endpoint.metrics.keys().filter(|metric| metric.quantile().is_some()).count() > 1
    })
}

/// As the rows stand: worst first; then those without a row.
fn worst_first(suite: &SuiteReport) -> Vec<&EndpointSummary> {
    let mut place: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, row) in suite.rows.iter().enumerate() {
        place.entry(&row.endpoint).or_insert(at);
    }
    let mut all: Vec<&EndpointSummary> = suite.endpoints.iter().collect();
    all.sort_by_key(|summary| place.get(summary.endpoint.as_str()).copied().unwrap_or(usize::MAX));
    all
}

fn errors(run: Option<&Run>) -> (Vec<HtmlError<'_>>, usize) {
    let Some(run) = run else { return (Vec::new(), 0) };
    // The total repeats what its endpoints say, unless it alone says it.
    let total = run.total.iter().filter(|_| run.endpoints.iter().all(|endpoint| endpoint.errors.is_empty()));
    let labelled = run.endpoints.iter().map(|endpoint| (endpoint.label(), endpoint));
    let labelled = labelled.chain(total.map(|total| (TOTAL.to_owned(), total)));
    let mut all: Vec<(String, &crate::run::ErrorCount)> = labelled
        .flat_map(|(label, endpoint)| endpoint.errors.iter().map(move |error| (label.clone(), error)))
        .collect();
    all.sort_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| (&a.0, &a.1.message).cmp(&(&b.0, &b.1.message))));
    let left = all.len().saturating_sub(ERRORS);
    let shown = all.into_iter().take(ERRORS);
    (
        shown
            .map(|(endpoint, error)| HtmlError { endpoint, message: &error.message, count: count(error.count) })
            .collect(),
        left,
    )
}

/// Every rule that decided a row, once.
fn rules(suite: &SuiteReport) -> Vec<HtmlRule<'_>> {
    let mut seen = BTreeSet::new();
    let mut rules: Vec<(&Metric, HtmlRule<'_>)> = Vec::new();
    for (metric, rule) in suite.rows.iter().filter_map(|row| row.metric.as_ref().zip(row.rule.as_ref())) {
        if seen.insert((metric, &rule.place, &rule.endpoint, &rule.limit)) {
            rules.push((metric, HtmlRule { metric: metric.title().into_owned(), rule }));
        }
    }
    rules.sort_by(|a, b| (a.0, &a.1.rule.place).cmp(&(b.0, &b.1.rule.place)));
    rules.into_iter().map(|(_, rule)| rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_room_has_more_pictures_than_are_drawn() {
        assert!(ROOMS.iter().all(|room| room.suites <= ROOMS[0].suites && room.cards <= ROOMS[0].cards));
    }
}
