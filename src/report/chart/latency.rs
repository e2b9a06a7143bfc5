//! How the latency of an endpoint is spread, in the baseline and now: by percentile, and by latency.

use std::collections::BTreeMap;

use crate::run::display::value;
use crate::run::histogram::Histogram;
use crate::run::metric::{Metric, PERCENTILES, Unit};

use super::{Axis, Chart, Path, Plot, Svg, range, stops, table};

const WIDTH: f64 = 350.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;
/// Bins of latency that are drawn.
const BINS: usize = 20;
/// A percentile of samples is drawn if so many lie above it.
const BEYOND: f64 = 5.0;

/// What is known of latency on one side.
#[derive(Debug, Clone, Copy, Default)]
pub struct Side<'a> {
    /// Percentiles in ms by metric.
    pub percentiles: Option<&'a BTreeMap<Metric, f64>>,
    /// All latencies.
    pub histogram: Option<&'a Histogram>,
}

impl Side<'_> {
    /// `(level, ms)`, ascending: what the tool says, else what the samples show.
    fn spectrum(&self) -> Vec<(Metric, f64, f64)> {
        PERCENTILES
            .into_iter()
            .filter_map(|metric| {
                let level = metric.quantile()?;
                let sampled = || {
                    let histogram = self.histogram?;
                    (histogram.count() as f64 * (1.0 - level) >= BEYOND).then(|| histogram.quantile_ms(level))?
                };
                let known = self.percentiles.and_then(|known| known.get(&metric).copied()).or_else(sampled)?;
                (known > 0.0).then_some((metric, level, known))
            })
            .collect()
    }
}

/// Latency by percentile, the rare slow requests stretched out; `None` if less than two percentiles are known now.
pub fn spectrum(before: Side<'_>, now: Side<'_>) -> Option<Chart> {
    let (before, now) = (before.spectrum(), now.spectrum());
    if now.len() < 2 {
        return None;
    }
    let (low, high) = range(before.iter().chain(&now).map(|(_, _, ms)| *ms))?;
    let rare = |level: f64| -(1.0 - level).log10();
    let last = before.iter().chain(&now).map(|(_, level, _)| rare(*level)).fold(0.0, f64::max);
    let plot = Plot {
        x: Axis::linear(rare(0.5), last, LEFT, WIDTH - RIGHT - 10.0),
        y: Axis::log(low * 0.9, high * 1.1, HEIGHT - BOTTOM, TOP),
    };
    let title = "latency by percentile".to_owned();
    let summary = match (before.last(), now.last()) {
        (Some((_, _, was)), Some((metric, _, is))) => {
            format!("{} was {}, is {}.", metric.title(), ms(*was), ms(*is))
        }
        (_, Some((metric, _, is))) => format!("{} is {}.", metric.title(), ms(*is)),
        _ => String::new(),
    };
    let mut svg = Svg::new(WIDTH, HEIGHT, &title, &summary);
    plot.grid(&mut svg, &plot.y.ticks(4), ms);
    let levels: BTreeMap<Metric, f64> =
        before.iter().chain(&now).map(|(metric, level, _)| (metric.clone(), *level)).collect();
    let labelled = [Metric::LatencyP50, Metric::LatencyP90, Metric::LatencyP99, Metric::LatencyP999];
    let places = levels.iter().filter(|(metric, _)| labelled.contains(metric));
    let labels: Vec<(f64, String)> =
        places.map(|(metric, level)| (plot.x.at(rare(*level)), metric.title().into_owned())).collect();
    plot.below(&mut svg, &labels);
    for (class, side) in [("s base", &before), ("s now", &now)] {
        plot.line(&mut svg, class, side.iter().map(|(_, level, ms)| Some((rare(*level), *ms))));
    }
    let mut dots = Path::default();
    for (_, level, ms) in &now {
        let (x, y) = plot.at((rare(*level), *ms));
        dots.dot(x, y);
    }
    svg.path("d now", &dots);
    let of = |side: &[(Metric, f64, f64)], metric: &Metric| {
        side.iter().find(|(own, _, _)| own == metric).map_or_else(|| "–".to_owned(), |(_, _, found)| ms(*found))
    };
    let rows = levels.keys().map(|metric| [metric.title().into_owned(), of(&before, metric), of(&now, metric)]);
    let table = table(["percentile", "baseline", "now"], rows);
    let stops = stops(levels.values().map(|level| plot.x.at(rare(*level))));
    Some(Chart { title, summary, svg: svg.finish(), table, rows: levels.len(), stops })
}

/// Which latencies how many requests had; `None` without samples now.
pub fn distribution(before: Option<&Histogram>, now: Option<&Histogram>) -> Option<Chart> {
    let now = now.filter(|now| now.count() > 1)?;
    let before = before.filter(|before| before.count() > 1);
    let (before, now) = (before.map(Histogram::distribution_ms), now.distribution_ms());
    // The slowest and the fastest request say little about the shape, and much about the width of the picture.
    let end = |side: &[(f64, f64)], level: f64| {
        let (ms, _) = side.get(side.partition_point(|(_, share)| *share < level))?;
        Some(*ms).filter(|ms| *ms > 0.0)
    };
    let ends = |level| before.iter().chain([&now]).filter_map(move |side| end(side, level));
    let (low, high) = (range(ends(0.001))?.0, range(ends(0.999))?.1);
    let bins = Bins::new(low * 0.95, high * 1.05);
    let (now, before) = (bins.shares(&now), before.map(|before| bins.shares(&before)));
    let most = now.iter().chain(before.iter().flatten()).copied().fold(0.0, f64::max);
    let plot = Plot {
        x: Axis::log(bins.edge(0), bins.edge(BINS), LEFT, WIDTH - RIGHT - 10.0),
        y: Axis::linear(0.0, most, HEIGHT - BOTTOM, TOP),
    };
    let title = "distribution of latency".to_owned();
    let common = |shares: &[f64]| {
        let top = shares.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(at, _)| at);
        ms(bins.edge(top))
    };
    let summary = match &before {
        Some(before) => format!("Most common was about {}, is about {}.", common(before), common(&now)),
        None => format!("Most common is about {}.", common(&now)),
    };
    let mut svg = Svg::new(WIDTH, HEIGHT, &title, &summary);
    plot.grid(&mut svg, &plot.y.ticks(3), percent);
    let labels: Vec<(f64, String)> = plot.x.ticks(5).into_iter().map(|tick| (plot.x.at(tick), ms(tick))).collect();
    plot.below(&mut svg, &labels);
    let outline = |shares: &[f64]| {
        let steps = shares.iter().enumerate().map(|(at, share)| plot.at((bins.edge(at + 1), *share)));
        Path::steps(plot.x.at(bins.edge(0)), plot.y.from, steps)
    };
    svg.path("a now", &outline(&now));
    if let Some(before) = &before {
        svg.path("s base", &outline(before));
    }
    let share = |shares: &[f64], at: usize| shares.get(at).map_or_else(|| "–".to_owned(), |share| percent(*share));
    let rows = (0..BINS).map(|at| {
        let mut cells = vec![ms(bins.edge(at))];
        cells.extend(before.as_deref().map(|before| share(before, at)));
        cells.push(share(&now, at));
        cells
    });
    let head = ["from"].into_iter().chain(before.as_ref().map(|_| "baseline")).chain(["now"]);
    let table = table(head, rows);
    let stops = stops((0..BINS).map(|at| plot.x.at((bins.edge(at) * bins.edge(at + 1)).sqrt())));
    Some(Chart { title, summary, svg: svg.finish(), table, rows: BINS, stops })
}

/// Bins of equal ratio.
struct Bins {
    low: f64,
    ratio: f64,
}

impl Bins {
    fn new(low: f64, high: f64) -> Self {
        Self { low, ratio: (high.max(low * 1.5) / low).ln() / BINS as f64 }
    }

    fn edge(&self, at: usize) -> f64 {
        self.low * (self.ratio * at as f64).exp()
    }

    /// The share of requests in each bin, from the shares at or below each latency; what is slower or faster than all bins
    /// is in none.
    fn shares(&self, distribution: &[(f64, f64)]) -> Vec<f64> {
        let below = |edge| {
            let faster = distribution.partition_point(|(ms, _)| *ms < edge);
            distribution.get(..faster).and_then(<[_]>::last).map_or(0.0, |(_, share)| *share)
        };
        let mut before = below(self.edge(0));
        let share = |at| {
            let upto = below(self.edge(at + 1));
            upto - std::mem::replace(&mut before, upto)
        };
        (0..BINS).map(share).collect()
    }
}

fn ms(latency: f64) -> String {
    value(latency, Unit::Milliseconds)
}

fn percent(share: f64) -> String {
    value(share, Unit::Ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_has_its_lower_edge_and_not_its_upper_one() {
        let bins = Bins::new(100.0, 100.0 * (BINS as f64).exp2());
        let latencies = [99.0, bins.edge(0), bins.edge(1), bins.edge(1) * 1.5, bins.edge(BINS)];
        let distribution: Vec<(f64, f64)> = latencies.into_iter().zip([0.2, 0.4, 0.6, 0.8, 1.0]).collect();
        let shares = bins.shares(&distribution);
        let expected: Vec<f64> = (0..BINS).map(|at| [0.2, 0.4].get(at).copied().unwrap_or(0.0)).collect();
        assert!(shares.iter().zip(&expected).all(|(own, wanted)| (own - wanted).abs() < 1e-9), "{shares:?}");
        assert_eq!(shares.len(), BINS);
    }
}
