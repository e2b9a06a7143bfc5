//! An endpoint over many runs: p50, p95 and p99 with limit, levels and what was said; errors and requests per second below.

use jiff::Timestamp;

use crate::run::display::{Scale, percent, value};
use crate::run::metric::Unit;
use crate::verdict::Status;

use super::{Axis, Chart, LETTER, Path, Plot, Svg, label_lines, range, stops, table};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 38.0;
/// Room for the sizes of changes above the plot.
const TOP: f64 = 26.0;
const TALL: f64 = 180.0;
const LOW: f64 = 46.0;
const GAP: f64 = 26.0;
const BOTTOM: f64 = 26.0;

/// One run, as far as this endpoint goes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Point {
    /// When the load test ran.
    pub time: Timestamp,
    /// The tested commit, shortened.
    pub commit: String,
    /// p50, p95 and p99 in ms.
    pub latency: [Option<f64>; 3],
    /// Failures over requests.
    pub error_rate: Option<f64>,
    /// Requests per second.
    pub throughput: Option<f64>,
    /// What p95 must not pass, in ms.
    pub limit: Option<f64>,
    /// The worst that was said of the endpoint; `None` if all was well or nothing was said.
    pub state: Option<Status>,
    /// What was said, for people.
    pub said: String,
    /// Whether it was compared with a newer baseline than the run before.
    pub new_baseline: bool,
    /// How many runs are missing before this one.
    pub missed_before: usize,
}

/// A change of level of p95 (of p50 where there is no p95).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The first point of the new level.
    pub at: usize,
    /// 0.1 is 10 % more.
    pub change: f64,
}

/// Most empty places that missing runs take.
const HOLE: usize = 4;
/// With more runs than that, dots would be a fat line.
const DOTS: usize = 100;

/// The endpoint over the points, oldest first; `None` if none of them has a figure.
pub fn trend(label: &str, points: &[Point], changes: &[Change]) -> Option<Chart> {
    let places = places(points);
    let last = places.last().copied().unwrap_or(0.0).max(1.0);
    let x = Axis::linear(0.0, last, LEFT, WIDTH - RIGHT);
    let latencies = points.iter().flat_map(|point| point.latency.into_iter().flatten());
    let limits = points.iter().filter_map(|point| point.limit);
    let extent = range(latencies.chain(limits).filter(|ms| *ms > 0.0));
    let known = |of: fn(&Point) -> Option<f64>| {
        points
            .iter()
            .filter_map(of)
            .fold(None, |most: Option<f64>, value| Some(most.map_or(value, |most| most.max(value))))
    };
    let (errors, rates) = (known(|point| point.error_rate), known(|point| point.throughput));
    if extent.is_none() && errors.is_none() && rates.is_none() {
        return None;
    }
    let strips = [errors.is_some(), rates.is_some()].iter().filter(|there| **there).count() as f64;
    let tall = if extent.is_some() { TOP + TALL } else { 0.0 };
    let title = format!("{label} over {} runs", points.len());
    let summary = summary(points, changes);
    let mut svg = Svg::new(WIDTH, tall + strips * (GAP + LOW) + BOTTOM, &title, &summary);
    let mut plot = None;
    if let Some((low, high)) = extent {
        let y = if high / low > 4.0 {
            Axis::log(low * 0.9, high * 1.1, TOP + TALL, TOP)
        } else {
            Axis::linear(0.0, high * 1.1, TOP + TALL, TOP)
        };
        let latency = Plot { x, y };
        draw_latency(&mut svg, &latency, &places, points, changes, high);
        plot = Some(latency);
    }
    let mut top = tall;
    let strips = [
        (
            "error rate",
            "s err",
            "d err",
            Unit::Ratio,
            errors,
            (|point: &Point| point.error_rate) as fn(&Point) -> Option<f64>,
        ),
        ("requests per second", "s rate", "d rate", Unit::PerSecond, rates, |point| point.throughput),
    ];
    for (title, line, dots, unit, most, of) in strips {
        let Some(most) = most else { continue };
        let high = if most > 0.0 { most * 1.1 } else { 0.01 };
        let strip = Plot { x, y: Axis::linear(0.0, high, top + GAP + LOW, top + GAP) };
        let scale = Scale::of(unit, high);
        strip.grid(&mut svg, &strip.y.ticks(2), |tick| scale.text(tick));
        svg.text("cap", (LEFT, top + GAP - 6.0), title);
        series(&mut svg, &strip, (line, dots), &places, points, of);
        top += GAP + LOW;
        plot = Some(strip);
    }
    if let Some(plot) = plot {
        plot.below(&mut svg, &dates(points, &places, &x));
    }
    Some(Chart {
        title,
        summary,
        svg: svg.finish(),
        table: figures(points),
        rows: points.len(),
        stops: stops(places.iter().map(|place| x.at(*place))),
    })
}

/// Runs stand evenly; where some are missing there is a hole.
fn places(points: &[Point]) -> Vec<f64> {
    let mut place = 0;
    let steps = points.iter().enumerate().map(|(at, point)| {
        place += if at == 0 { 0 } else { 1 + point.missed_before.min(HOLE) };
        place as f64
    });
    steps.collect()
}

fn draw_latency(svg: &mut Svg, plot: &Plot, places: &[f64], points: &[Point], changes: &[Change], high: f64) {
    let scale = Scale::of(Unit::Milliseconds, high);
    let ticks = plot.y.ticks(5);
    plot.grid(svg, &ticks, |tick| scale.text(tick));
    levels(svg, plot, places, points, changes);
    let limit = points.iter().zip(places).map(|(point, place)| point.limit.map(|limit| (*place, limit)));
    plot.line(svg, "s limit", limit);
    let mut replaced = Path::default();
    for (_, place) in points.iter().zip(places).filter(|(point, _)| point.new_baseline) {
        let x = plot.x.at(*place);
        replaced.segment((x, plot.y.from - 7.0), (x, plot.y.from));
    }
    svg.path("flag", &replaced);
    let mut names = Vec::new();
    for (at, name) in ["p50", "p95", "p99"].into_iter().enumerate() {
        let of = move |point: &Point| point.latency.get(at).copied().flatten();
        let (line, dots) = (format!("s {name}"), format!("d {name}"));
        series(svg, plot, (&line, &dots), places, points, of);
        let last = points.iter().zip(places).rev().find_map(|(point, place)| of(point).zip(Some(*place)));
        names.extend(last.map(|(ms, place)| (plot.at((place, ms)), name)));
    }
    label_lines(svg, names);
    // What was said stands on p95, or on the slowest that is known.
    for (point, place) in points.iter().zip(places) {
        let mark = match point.state {
            Some(Status::Fail) => "fail",
            Some(Status::Warn) => "warn",
            Some(Status::Inconclusive) => "unsure",
            Some(Status::Accepted) => "accepted",
            Some(Status::Improved) => "better",
            _ => continue,
        };
        if let Some(ms) = judged(point) {
            svg.mark(mark, plot.at((*place, ms)));
        }
    }
}

/// The latency that stands for the endpoint.
fn judged(point: &Point) -> Option<f64> {
    let [p50, p95, p99] = point.latency;
    p95.or(p50).or(p99)
}

/// Between two changes the level is a step with a band of the usual scatter around it.
fn levels(svg: &mut Svg, plot: &Plot, places: &[f64], points: &[Point], changes: &[Change]) {
    let mut cuts: Vec<usize> = changes.iter().map(|change| change.at).collect();
    cuts.extend([0, points.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    for pair in cuts.windows(2) {
        let &[from, to] = pair else { continue };
        let logs: Vec<f64> = points
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .filter_map(judged)
            .filter(|ms| *ms > 0.0)
            .map(f64::ln)
            .collect();
        let Some(mean) = crate::compare::stats::mean(&logs).filter(|_| logs.len() > 2) else { continue };
        let scatter = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (logs.len() - 1) as f64;
        let deviation = scatter.sqrt();
        let end = to.saturating_sub(1);
        let (Some(left), Some(right)) = (places.get(from), places.get(end)) else { continue };
        let (left, right) = (plot.x.at(*left), plot.x.at(*right));
        let (top, bottom) = (plot.y.at((mean + 2.0 * deviation).exp()), plot.y.at((mean - 2.0 * deviation).exp()));
        svg.area("band", (left, top), right - left, bottom - top);
        let mut step = Path::default();
        step.segment((left, plot.y.at(mean.exp())), (right, plot.y.at(mean.exp())));
        svg.path("level", &step);
    }
    let mut free = 0.0;
    for change in changes {
        let Some(place) = places.get(change.at) else { continue };
        let x = plot.x.at(*place);
        let mut line = Path::default();
        line.segment((x, plot.y.to - 4.0), (x, plot.y.from));
        svg.path("cut", &line);
        let commit = points.get(change.at).map_or("", |point| point.commit.as_str());
        let size = percent(change.change);
        // Where changes stand close together the sizes matter more, and the list below has all of them.
        for text in [format!("{size} {commit}").trim_end(), &size] {
            let half = text.chars().count() as f64 * LETTER / 2.0;
            let middle = x.min(WIDTH - half);
            if middle - half >= free {
                svg.text("lab mid", (middle, plot.y.to - 8.0), text);
                free = middle + half + LETTER;
                break;
            }
        }
    }
}

/// A line with a dot per run; missing runs and unknown figures are gaps.
fn series(
    svg: &mut Svg,
    plot: &Plot,
    (line, dots): (&str, &str),
    places: &[f64],
    points: &[Point],
    of: impl Fn(&Point) -> Option<f64>,
) {
    let steps = points.iter().zip(places).enumerate().flat_map(|(at, (point, place))| {
        let gap = (at > 0 && point.missed_before > 0).then_some(None);
        gap.into_iter().chain([of(point).map(|value| (*place, value))])
    });
    plot.line(svg, line, steps);
    let mut path = Path::default();
    for (point, place) in points.iter().zip(places).filter(|_| points.len() <= DOTS) {
        if let Some(value) = of(point) {
            let (x, y) = plot.at((*place, value));
            path.dot(x, y);
        }
    }
    svg.path(dots, &path);
}

/// A few dates, evenly over the axis.
fn dates(points: &[Point], places: &[f64], x: &Axis) -> Vec<(f64, String)> {
    let step = points.len().div_ceil(7).max(1);
    let labelled = points.iter().zip(places).step_by(step);
    labelled.map(|(point, place)| (x.at(*place), day(point.time))).collect()
}

fn summary(points: &[Point], changes: &[Change]) -> String {
    let mut said = Vec::new();
    let of = |point: Option<&Point>| point.and_then(judged).map(|ms| value(ms, Unit::Milliseconds));
    let known = |point: &&Point| judged(point).is_some();
    let name =
        if points.iter().any(|point| point.latency.get(1).copied().flatten().is_some()) { "p95" } else { "Latency" };
    if let (Some(first), Some(last)) = (of(points.iter().find(known)), of(points.iter().rev().find(known))) {
        said.push(format!("{name} was {first} at first and is {last} now."));
    }
    if let Some(change) = changes.last()
        && let Some(point) = points.get(change.at)
    {
        said.push(format!("It changed last by {} on {}.", percent(change.change), day(point.time)));
    }
    said.join(" ")
}

fn figures(points: &[Point]) -> String {
    let text = |found: Option<f64>, unit| found.map_or_else(|| "–".to_owned(), |found| value(found, unit));
    let row = |point: &Point| {
        let mut cells = vec![point.time.strftime("%Y-%m-%d %H:%M").to_string(), point.commit.clone()];
        cells.extend(point.latency.map(|ms| text(ms, Unit::Milliseconds)));
        cells.extend([
            text(point.error_rate, Unit::Ratio),
            text(point.throughput, Unit::PerSecond),
            point.said.clone(),
        ]);
        cells
    };
    let head = ["run", "commit", "p50", "p95", "p99", "errors", "requests", "said"];
    table(head, points.iter().map(row))
}

/// The last values as a small line without axes; says nothing on its own.
pub fn spark(values: &[Option<f64>]) -> String {
    let (width, height) = (120.0, 24.0);
    let mut svg = Svg::bare();
    let known: Vec<f64> = values.iter().flatten().copied().collect();
    if let Some((low, high)) = range(known.iter().copied()) {
        // Noise must not look like a mountain: the picture spans at least a fifth of the value.
        let middle = f64::midpoint(low, high);
        let half = ((high - low) / 2.0).max(middle.abs() * 0.1).max(1e-9);
        let x = Axis::linear(0.0, values.len().saturating_sub(1).max(1) as f64, 4.0, width - 4.0);
        let plot = Plot { x, y: Axis::linear(middle - half, middle + half, height - 4.0, 4.0) };
        let points = values.iter().enumerate().map(|(at, value)| value.map(|value| (at as f64, value)));
        plot.line(&mut svg, "s p95", points);
        if let Some((at, Some(value))) = values.iter().enumerate().rev().find(|(_, value)| value.is_some()) {
            let (x, y) = plot.at((at as f64, *value));
            let mut dot = Path::default();
            dot.dot(x, y);
            svg.path("d p95", &dot);
        }
    }
    svg.finish()
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}
