//! How a figure went from run to run: a line of blocks and a small chart, as a supplement to the numbers.
//!
//! Without a history the baseline's own runs tell it, and the present one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Row;
use crate::baseline::{Baseline, BaselineRun};
use crate::run::display::Scale;
use crate::run::metric::{Measurement, Metric, Unit};
use crate::run::{Moment, Run};
use crate::verdict::Status;

/// Runs in the line of blocks.
const BLOCKS: usize = 12;
/// Runs in the chart.
const POINTS: usize = 30;
/// Fewer runs are no trend.
const FEWEST: usize = 3;
/// Endpoints of a suite that get one.
const ROWS: usize = 3;
/// Lowest to highest.
const BLOCK: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One figure of one endpoint, run by run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trend {
    /// The endpoint, as shown and matched.
    pub endpoint: String,
    /// What was measured.
    pub metric: Metric,
    /// The unit of the values.
    pub unit: Unit,
    /// Oldest first, the present run last.
    pub points: Vec<TrendPoint>,
    /// The words.
    pub text: TrendText,
}

/// The figure in one run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrendPoint {
    /// When the run was, where known.
    #[schemars(with = "Option<Moment>")]
    pub time: Option<Timestamp>,
    /// In the metric's unit.
    pub value: f64,
}

/// The words of a trend.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TrendText {
    /// `p95`
    pub metric: String,
    /// `▁▁▂▁▇█`: the last 12 runs between their lowest and their highest.
    pub blocks: String,
    /// `405 ms`: the first of them.
    pub first: String,
    /// `541 ms`: the present run.
    pub last: String,
    /// `last 12 runs`
    pub runs: String,
    /// A Mermaid chart of the last 30 runs, the limit as a second line.
    pub mermaid: String,
}

impl Trend {
    /// The trend of a row; `None` of too few runs. Values that are not finite are left out.
    pub fn new(row: &Row, points: Vec<TrendPoint>) -> Option<Self> {
        let (metric, unit) = (row.metric.clone()?, row.unit?);
        let points: Vec<TrendPoint> = points.into_iter().filter(|point| point.value.is_finite()).collect();
        let ([.., last], true) = (points.as_slice(), points.len() >= FEWEST) else { return None };
        let shown = tail(&points, BLOCKS);
        let largest = shown.iter().fold(0.0, |largest: f64, point| largest.max(point.value.abs()));
        let scale = Scale::of(unit, largest);
        let text = TrendText {
            metric: metric.title().into_owned(),
            blocks: blocks(shown),
            first: shown.first().map(|first| scale.text(first.value)).unwrap_or_default(),
            last: scale.text(last.value),
            runs: format!("last {} runs", shown.len()),
            mermaid: mermaid(tail(&points, POINTS), row.boundary, unit),
        };
        Some(Self { endpoint: row.endpoint.clone(), metric, unit, points, text })
    }
}

/// Of the worst row of each endpoint: what `before` knows of an endpoint's metric, oldest first, and the present run.
pub(crate) fn of_worst(
    rows: &[Row],
    now: Option<&Run>,
    before: impl Fn(&str, &Metric) -> Vec<TrendPoint>,
) -> Vec<Trend> {
    let worse = rows
        .iter()
        .filter(|row| matches!(row.status, Status::Fail | Status::Warn | Status::Inconclusive | Status::Accepted));
    let trend = |row: &Row| {
        let mut points = before(&row.endpoint, row.metric.as_ref()?);
        points.push(TrendPoint { time: now.and_then(|run| run.started_at), value: row.current? });
        Trend::new(row, points)
    };
    let mut seen = BTreeSet::new();
    worse.filter(|row| seen.insert(&row.endpoint)).filter_map(trend).take(ROWS).collect()
}

/// From the runs of the baseline and the present one.
pub(super) fn of_baseline(rows: &[Row], baseline: &Baseline, now: Option<&Run>) -> Vec<Trend> {
    of_worst(rows, now, |endpoint, metric| {
        baseline.runs.iter().filter_map(|run| before(run, endpoint, metric)).collect()
    })
}

fn before(run: &BaselineRun, endpoint: &str, metric: &Metric) -> Option<TrendPoint> {
    let endpoint = run.endpoint(endpoint)?;
    let counted = match (metric, endpoint.failures, endpoint.requests) {
        (Metric::ErrorRate, Some(failures), Some(requests)) if requests > 0 => Some(failures as f64 / requests as f64),
        _ => None,
    };
    let value = counted.or_else(|| endpoint.metrics.get(metric).map(Measurement::value))?;
    Some(TrendPoint { time: run.time, value })
}

fn tail(points: &[TrendPoint], most: usize) -> &[TrendPoint] {
    points.get(points.len().saturating_sub(most)..).unwrap_or(points)
}

fn blocks(points: &[TrendPoint]) -> String {
    let values = || points.iter().map(|point| point.value);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let height = |value: f64| if high > low { (value - low) / (high - low) } else { 0.0 };
    values().filter_map(|value| BLOCK.get((height(value) * (BLOCK.len() - 1) as f64).round() as usize)).collect()
}

/// No word of it comes from outside: a name could speak to the chart's own language. The keyword is that of older hosts,
/// which newer ones still take.
fn mermaid(points: &[TrendPoint], limit: Option<f64>, unit: Unit) -> String {
    let (factor, name) = match unit {
        Unit::Milliseconds => (1.0, "ms"),
        Unit::Ratio => (100.0, "%"),
        Unit::PerSecond => (1.0, "per second"),
        Unit::Number => (1.0, "value"),
    };
    let mut number = 0;
    let days: Vec<String> = points
        .iter()
        .map(|point| {
            number += 1;
            // Several runs of a day are told apart by their number.
            point
                .time
                .map_or_else(|| format!("\"{number}\""), |time| format!("\"{number}: {}\"", time.strftime("%m-%d")))
        })
        .collect();
    let values: Vec<f64> = points.iter().map(|point| round(point.value * factor)).collect();
    let limit = limit.filter(|limit| limit.is_finite()).map(|limit| round(limit * factor));
    let all = || values.iter().copied().chain(limit);
    let (lowest, highest) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
    let mut out = String::from("xychart-beta\n");
    let _ = writeln!(out, "  x-axis [{}]", days.join(", "));
    let _ = writeln!(out, "  y-axis \"{name}\" {} --> {}", round(lowest * 1.1), round((highest * 1.1).max(1e-3)));
    let line = |values: &[f64]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let _ = write!(out, "  line [{}]", line(&values));
    if let Some(limit) = limit {
        let _ = write!(out, "\n  line [{}]", line(&vec![limit; values.len()]));
    }
    out
}

/// Four digits are finer than any chart.
fn round(value: f64) -> f64 {
    let decimals = if value == 0.0 { 0 } else { (3 - value.abs().log10().floor() as i32).clamp(0, 9) as usize };
    // Through text: the nearest number to print, without the digits that arithmetic leaves behind.
    format!("{value:.decimals$}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<TrendPoint> {
        values.iter().map(|value| TrendPoint { time: None, value: *value }).collect()
    }

    #[test]
    fn blocks_stand_between_the_lowest_and_the_highest() {
        assert_eq!(blocks(&points(&[400.0, 410.0, 405.0, 538.0, 541.0])), "▁▁▁██");
        assert_eq!(blocks(&points(&[1.0, 1.0])), "▁▁");
        assert_eq!(blocks(&points(&[0.0, 3.5, 7.0])), "▁▅█");
    }

    #[test]
    fn a_chart_speaks_numbers_only() {
        let chart = mermaid(&points(&[0.001, 0.0014]), None, Unit::Ratio);
        assert_eq!(chart, "xychart-beta\n  x-axis [\"1\", \"2\"]\n  y-axis \"%\" 0 --> 0.154\n  line [0.1, 0.14]");
        let chart = mermaid(&points(&[160.0, 210.0]), Some(220.04), Unit::Milliseconds);
        assert!(chart.ends_with("\"ms\" 0 --> 242\n  line [160, 210]\n  line [220, 220]"), "{chart}");
        assert_eq!((round(412.345), round(254.100_000_000_000_02)), (412.3, 254.1));
        assert_eq!(round(0.0), 0.0);
    }
}
