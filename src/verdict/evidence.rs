//! What the runs can prove: the history branch, the residual branch, a common shift, and which p-values stand out among all
//! (STATISTICS sections 4 to 8).

use std::collections::BTreeMap;

use crate::compare::Comparison;
use crate::compare::stats::{
    self, Noise, Scatter, TQuantiles, benjamini_hochberg, pooled_variance, scatter, shrunken_variance, t_quantiles,
    t_tails,
};
use crate::run::metric::Metric;

use super::Shift;
use super::row::{Facts, Level, Row};

/// Fewest rows of a metric that can stand for "the other endpoints".
const COMPANY: usize = 4;
/// Prior of the residuals, as a share of the metric's own.
const RESIDUAL_PRIOR: f64 = 0.6;
/// Share of rows that have to be slower for a common shift.
const COMMON_SHARE: f64 = 0.8;
/// Size of a common shift.
const COMMON_SHIFT: f64 = 1.10;
/// Level of each branch in the Benjamini-Hochberg step.
const LEVEL: f64 = 0.025;

/// All endpoints moved together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CommonShift {
    /// Median shift of the logs.
    pub(super) size: f64,
    /// Whether it is known not to be the machines' doing.
    pub(super) trusted: bool,
}

/// Which rows stand out, in the order of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "one flag per family")]
pub(super) struct StandsOut {
    pub(super) worse: bool,
    pub(super) worse_residual: bool,
    pub(super) better: bool,
    pub(super) better_residual: bool,
}

/// Typical standard deviation of ln(metric) from run to run, before anything is known (STATISTICS section 2).
fn prior_sd(metric: &Metric) -> f64 {
    match metric {
        Metric::Throughput => 0.04,
        Metric::LatencyP50 => 0.05,
        Metric::LatencyP75 => 0.055,
        Metric::LatencyP90 => 0.06,
        Metric::LatencyMean | Metric::LatencyP95 => 0.07,
        Metric::LatencyP98 => 0.085,
        Metric::LatencyP999 => 0.15,
        Metric::LatencyMax => 0.30,
        // p99, min, custom; error rates never come here.
        _ => 0.10,
    }
}

/// Fills in both branches of every row that has a level.
pub(super) fn measure(rows: &mut [Row<'_, '_>], baseline_runs: usize, current_runs: usize) {
    let mut by_metric: BTreeMap<&Metric, Vec<&mut Level>> = BTreeMap::new();
    for row in rows {
        if let Facts::Level(level) = &mut row.facts {
            by_metric.entry(row.metric).or_default().push(level);
        }
    }
    let mut quantiles = Quantiles::default();
    for (metric, mut levels) in by_metric {
        let pool = pooled_variance(prior_sd(metric), levels.iter().map(|level| level.own));
        for level in &mut levels {
            level.history = Shift::of(level, level.d, level.own, pool, &mut quantiles);
        }
        let complete: Vec<&mut Level> = levels
            .into_iter()
            .filter(|level| level.before.len() == baseline_runs && level.now.len() == current_runs)
            .collect();
        if complete.len() >= COMPANY {
            measure_residuals(complete, prior_sd(metric), &mut quantiles);
        }
    }
}

/// Section 5: the same, after the median of the rows of each run was taken off.
fn measure_residuals(mut levels: Vec<&mut Level>, prior_sd: f64, quantiles: &mut Quantiles) {
    let Some(first) = levels.first() else { return };
    let (runs, repeats) = (first.before.len(), first.now.len());
    let middle =
        |values: &mut dyn Iterator<Item = f64>| stats::median(&mut values.collect::<Vec<f64>>()).unwrap_or(0.0);
    let before: Vec<f64> = (0..runs)
        .map(|run| middle(&mut levels.iter().filter_map(|level| level.before.get(run)).map(|(_, _, x)| *x)))
        .collect();
    let now: Vec<f64> = (0..repeats)
        .map(|run| middle(&mut levels.iter().filter_map(|level| level.now.get(run)).map(|(_, y)| *y)))
        .collect();
    let residuals: Vec<(f64, Scatter)> = levels
        .iter()
        .map(|level| {
            let x: Vec<(u32, f64)> =
                level.before.iter().zip(&before).map(|((_, segment, x), median)| (*segment, x - median)).collect();
            let y: f64 = level.now.iter().zip(&now).map(|((_, y), median)| y - median).sum();
            let usual: f64 = x.iter().rev().take(level.m).map(|(_, x)| x).sum();
            (y / repeats as f64 - usual / level.m as f64, scatter(&x))
        })
        .collect();
    let pool = pooled_variance(RESIDUAL_PRIOR * prior_sd, residuals.iter().map(|(_, own)| *own));
    for (level, (d, own)) in levels.iter_mut().zip(residuals) {
        level.residual = Shift::of(level, d, own, pool, quantiles);
    }
}

impl Shift {
    fn of(level: &Level, d: f64, own: Scatter, pool: f64, quantiles: &mut Quantiles) -> Option<Self> {
        let run_to_run = shrunken_variance(pool, own);
        let variance = level.noise(run_to_run).variance();
        let df = stats::PRIOR_DF + own.df;
        let t = d / variance.sqrt();
        let (p, p_low) = t_tails(t, df);
        Some(Self { d, pool, run_to_run, variance, t, df, p, p_low, quantiles: quantiles.of(df)? })
    }
}

impl Level {
    /// What makes a difference of this row uncertain, given its run-to-run variance.
    pub(super) fn noise(&self, run_to_run: f64) -> Noise {
        Noise {
            run_to_run,
            own_df: self.own.df,
            k: self.now.len(),
            m: self.m,
            rounding: self.rounding,
            sampling_now: self.sampling_now,
            sampling_before: self.sampling_before,
        }
    }
}

/// Quantiles by degrees of freedom: a suite has few different ones, and they are dear.
#[derive(Default)]
struct Quantiles(BTreeMap<u32, Option<TQuantiles>>);

impl Quantiles {
    fn of(&mut self, df: u32) -> Option<TQuantiles> {
        *self.0.entry(df).or_insert_with(|| t_quantiles(df))
    }
}

/// Section 6: the median shift of the rows of p50 (or mean, or p95, where there are at least four), if it is more than
/// 10 % and four of five rows agree.
pub(super) fn common_shift(rows: &[Row<'_, '_>], comparison: &Comparison<'_>) -> Option<CommonShift> {
    let repeats = comparison.current_runs;
    let levels_of = |metric: &Metric| -> Vec<&Level> {
        let of_metric = rows.iter().filter(|row| row.metric == metric);
        let levels = of_metric.filter_map(|row| match &row.facts {
            Facts::Level(level) if level.now.len() == repeats => Some(&**level),
            _ => None,
        });
        levels.collect()
    };
    let levels = [Metric::LatencyP50, Metric::LatencyMean, Metric::LatencyP95]
        .iter()
        .map(levels_of)
        .find(|levels| levels.len() >= COMPANY)?;
    let size = stats::median(&mut levels.iter().map(|level| level.d).collect::<Vec<_>>())?;
    let slower = levels.iter().filter(|level| level.d > 0.0).count() as f64;
    let threshold = COMMON_SHIFT.ln();
    if size <= threshold || slower < COMMON_SHARE * levels.len() as f64 {
        return None;
    }
    let slow_by_itself = |run: usize| {
        let mut shifts: Vec<f64> =
            levels.iter().filter_map(|level| Some(level.now.get(run)?.1 - level.usual)).collect();
        stats::median(&mut shifts).is_some_and(|median| median > threshold)
    };
    let trusted = comparison.environment_equal || (repeats >= 2 && (0..repeats).all(slow_by_itself));
    Some(CommonShift { size, trusted })
}

/// Section 8: one Benjamini-Hochberg family per branch and direction, over the rows for which `takes_part` holds.
pub(super) fn stands_out<'p, 'c>(rows: &[Row<'p, 'c>], takes_part: impl Fn(&Row<'p, 'c>) -> bool) -> Vec<StandsOut> {
    let mut flags = vec![StandsOut::default(); rows.len()];
    let mut family = |p_of: fn(&Row<'p, 'c>) -> Option<f64>, mark: fn(&mut StandsOut)| {
        let members: Vec<(usize, f64)> = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| takes_part(row))
            .filter_map(|(place, row)| Some((place, p_of(row)?)))
            .collect();
        let p: Vec<f64> = members.iter().map(|(_, p)| *p).collect();
        for ((place, _), stands_out) in members.iter().zip(benjamini_hochberg(&p, LEVEL)) {
            if let Some(flags) = flags.get_mut(*place).filter(|_| stands_out) {
                mark(flags);
            }
        }
    };
    family(Row::p, |flags| flags.worse = true);
    family(|row| row.residual().map(|shift| shift.p), |flags| flags.worse_residual = true);
    family(Row::p_low, |flags| flags.better = true);
    family(|row| row.residual().map(|shift| 1.0 - shift.p), |flags| flags.better_residual = true);
    flags
}

impl Row<'_, '_> {
    /// Chance of a change at least this bad if nothing changed (for rates: that the rate did not rise).
    pub(super) fn p(&self) -> Option<f64> {
        match &self.facts {
            Facts::Level(level) => level.history.map(|shift| shift.p),
            Facts::Rate(rate) => rate.counts.map(|counts| counts.p),
            _ => None,
        }
    }

    /// The same for a change for the better.
    pub(super) fn p_low(&self) -> Option<f64> {
        match &self.facts {
            Facts::Level(level) => level.history.map(|shift| shift.p_low),
            Facts::Rate(rate) => rate.counts.map(|counts| 1.0 - counts.p),
            _ => None,
        }
    }

    pub(super) fn residual(&self) -> Option<Shift> {
        match &self.facts {
            Facts::Level(level) => level.residual,
            _ => None,
        }
    }

    /// Baseline runs that hold the value.
    pub(super) fn runs(&self) -> usize {
        match &self.facts {
            Facts::Level(level) => level.before.len(),
            Facts::Rate(rate) => rate.runs,
            Facts::NotMeasured { runs, .. } => *runs,
            Facts::Meaningless => 0,
        }
    }
}
