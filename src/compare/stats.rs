//! The mathematics of the gate as plain functions on numbers and slices; no domain words.
//!
//! Every formula is that of the project's statistics page, sections in brackets. Unless said otherwise values are natural
//! logarithms, so that differences are relative changes and variances have no unit.

pub mod change_points;
pub mod proportion;

use statrs::distribution::{Continuous, ContinuousCDF, StudentsT};
use statrs::function::beta::checked_beta_reg;

/// Requests of one run are not independent: their variance counts double (section 2).
pub const DESIGN_EFFECT: f64 = 2.0;
/// Degrees of freedom that the prior is worth against a row's own history (section 2).
pub const PRIOR_DF: u32 = 8;
/// Weight of the prior against the pool of the other rows (section 2).
pub const PRIOR_WEIGHT: f64 = 4.0;
/// The 80 % quantile of the normal distribution: the power that "can be detected" asks for (section 2).
pub const Z80: f64 = 0.841_621_233_572_914_3;

/// Comparisons with a limit: exactly on it is within, so the last bits must not decide (section 2).
pub const EPSILON: f64 = 1e-9;

/// Arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The middle value, or the mean of the two middle ones; `None` of nothing. Sorts in place.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    values.get(values.len() / 2 - 1).map(|lower| f64::midpoint(*lower, upper))
}

/// How much values scatter: degrees of freedom and variance (0 without any).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scatter {
    /// Sum over the segments of (size - 1).
    pub df: u32,
    /// Squared deviations from the segments' own means, over `df`.
    pub variance: f64,
}

/// Scatter of `(segment, value)` around the means of their segments (section 4); a segment's values stand together.
pub fn scatter(values: &[(u32, f64)]) -> Scatter {
    let mut df = 0;
    let mut squares = 0.0;
    for segment in values.chunk_by(|a, b| a.0 == b.0) {
        let mean = segment.iter().map(|(_, value)| value).sum::<f64>() / segment.len() as f64;
        squares += segment.iter().map(|(_, value)| (value - mean).powi(2)).sum::<f64>();
        df += segment.len().saturating_sub(1) as u32;
    }
    Scatter { df, variance: if df == 0 { 0.0 } else { squares / f64::from(df) } }
}

/// Variance of the pool of like rows, shrunk to the prior (section 4): `(4 s0^2 + nubar sbar2)/(4 + nubar)`, where `sbar2` is
/// `sum(nu s2)/sum(nu)` and `nubar` the mean of `nu`, over the rows with `nu > 0`; without any `s0^2`.
pub fn pooled_variance(prior_sd: f64, rows: impl IntoIterator<Item = Scatter>) -> f64 {
    let (mut count, mut df, mut squares) = (0.0, 0.0, 0.0);
    for row in rows.into_iter().filter(|row| row.df > 0) {
        count += 1.0;
        df += f64::from(row.df);
        squares += f64::from(row.df) * row.variance;
    }
    let prior = prior_sd * prior_sd;
    if count == 0.0 {
        return prior;
    }
    let mean_df = df / count;
    (PRIOR_WEIGHT * prior + mean_df * (squares / df)) / (PRIOR_WEIGHT + mean_df)
}

/// A row's own variance, shrunk to the pool's (section 4): `(8 P2 + nu s2)/(8 + nu)` (moderated t, Smyth 2004).
pub fn shrunken_variance(pool: f64, own: Scatter) -> f64 {
    let df = f64::from(own.df);
    (f64::from(PRIOR_DF) * pool + df * own.variance) / (f64::from(PRIOR_DF) + df)
}

/// Variance of a difference of logs that comes from rounded artifacts (section 4): `(q1^2/k + q0^2/M)/12`, where `q` is the
/// rounding step over the value (1 has no unit), `now` over `k` values and `before` over `M`.
pub fn rounding_variance(now: f64, k: usize, before: f64, m: usize) -> f64 {
    (now * now / k as f64 + before * before / m as f64) / 12.0
}

/// Sampling variance of ln(percentile) in one run of `requests` requests (section 4):
/// `2 p(1-p)/n * slope^2`, `slope = max(ln(Q_b/Q_a), 0.02)/(b - a)`, from the known percentiles `(level, value)` next
/// below and above; a side that has none is replaced by the percentile itself, and without either the variance is 0.
pub fn percentile_sampling_variance(
    own: (f64, f64),
    below: Option<(f64, f64)>,
    above: Option<(f64, f64)>,
    requests: f64,
) -> f64 {
    let (a, b) = (below.unwrap_or(own), above.unwrap_or(own));
    if b.0 <= a.0 {
        return 0.0;
    }
    let slope = (b.1 / a.1).ln().max(0.02) / (b.0 - a.0);
    DESIGN_EFFECT * own.0 * (1.0 - own.0) / requests * slope * slope
}

/// What the variance of a difference of two means of logs is made of (section 4).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Run-to-run variance of one value.
    pub run_to_run: f64,
    /// Degrees of freedom of the row's own history.
    pub own_df: u32,
    /// Values now.
    pub k: usize,
    /// Values before, of the last segment.
    pub m: usize,
    /// See [`rounding_variance`].
    pub rounding: f64,
    /// Mean within-run variance of the values now.
    pub sampling_now: f64,
    /// Mean within-run variance of the values before.
    pub sampling_before: f64,
}

impl Noise {
    /// `max(S2 (1/k + 1/M) + Q + A, Q + w1/k + w0/M)`, where A pays for fewer requests than the history had:
    /// `max(0, w1 - w0)/k` with a history, else `w1/k + w0/M`. The second term is a floor: no run is quieter than its own
    /// sampling error.
    pub fn variance(&self) -> f64 {
        let (k, m) = (self.k as f64, self.m as f64);
        let floor = self.sampling_now / k + self.sampling_before / m;
        let added = if self.own_df > 0 { (self.sampling_now - self.sampling_before).max(0.0) / k } else { floor };
        self.rounding + (self.run_to_run * (1.0 / k + 1.0 / m) + added).max(floor)
    }
}

/// Upper tail of Student's t: the chance of a value above `t`. NaN only if `t` is.
pub fn t_upper_tail(t: f64, df: u32) -> f64 {
    t_tails(t, df).0
}

/// Both tails of Student's t: the chances of a value above and below `t`.
pub fn t_tails(t: f64, df: u32) -> (f64, f64) {
    let df = f64::from(df);
    if t.is_infinite() {
        return if t > 0.0 { (0.0, 1.0) } else { (1.0, 0.0) };
    }
    let square = t * t;
    // Two forms of the same integral: each is used where its argument keeps its digits (near 0 the other loses half).
    let outside = if square < df {
        0.5 - 0.5 * incomplete_beta(0.5, df / 2.0, square / (df + square))
    } else {
        0.5 * incomplete_beta(df / 2.0, 0.5, df / (df + square))
    };
    if t >= 0.0 { (outside, 1.0 - outside) } else { (1.0 - outside, outside) }
}

fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    checked_beta_reg(a, b, x).unwrap_or(f64::NAN)
}

/// The quantiles of Student's t that the gate needs, for one number of degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TQuantiles {
    /// For 95 % intervals.
    pub q975: f64,
    /// For p <= .01.
    pub q99: f64,
}

/// [`TQuantiles`] of `df` > 0 degrees of freedom; `None` for 0.
pub fn t_quantiles(df: u32) -> Option<TQuantiles> {
    let t = StudentsT::new(0.0, 1.0, f64::from(df)).ok()?;
    let quantile = |level: f64| {
        let rough = t.inverse_cdf(level);
        // One Newton step: the library's inverse stops short of full precision.
        rough + (t_upper_tail(rough, df) - (1.0 - level)) / t.pdf(rough)
    };
    Some(TQuantiles { q975: quantile(0.975), q99: quantile(0.99) })
}

/// Smallest shift of logs that reaches both p <= .01 and the limit `lambda` in 4 of 5 runs (section 4):
/// `max(lambda + z80 sqrt V, (t.99 + z80) sqrt V)`.
pub fn detectable_shift(lambda: f64, variance: f64, quantiles: TQuantiles) -> f64 {
    let sd = variance.sqrt();
    (lambda + Z80 * sd).max((quantiles.q99 + Z80) * sd)
}

/// Benjamini & Hochberg 1995: which of the p-values are significant at `level`, ties together, in input order (section 8).
pub fn benjamini_hochberg(p: &[f64], level: f64) -> Vec<bool> {
    let mut sorted = p.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let cut = sorted.iter().enumerate().rfind(|(place, p)| **p <= level * (place + 1) as f64 / count);
    p.iter().map(|p| cut.is_some_and(|(_, cut)| p <= cut)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_is_the_mean_of_the_middle_two() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&mut [4.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(&mut []), None);
    }

    #[test]
    fn scatter_is_around_each_segments_own_mean() {
        let scatter = scatter(&[(0, 1.0), (0, 3.0), (2, 10.0), (2, 10.0), (2, 10.0), (3, 7.0)]);
        assert_eq!(scatter, Scatter { df: 3, variance: 2.0 / 3.0 });
    }

    #[test]
    fn a_small_t_keeps_its_digits() {
        // Near 0 the density of t with 8 degrees of freedom is 0.386699020961393.
        let tail = t_upper_tail(1e-6, 8);
        assert!(((0.5 - tail) / 1e-6 - 0.386_699_020_961_393).abs() < 1e-9, "{tail}");
        assert!((t_upper_tail(-1e-6, 8) + tail - 1.0).abs() < 1e-15);
    }

    #[test]
    fn no_p_value_is_significant_in_an_empty_family() {
        assert!(benjamini_hochberg(&[], 0.025).is_empty());
        assert_eq!(benjamini_hochberg(&[0.02, 0.02, 0.9], 0.025), [false, false, false]);
        assert_eq!(benjamini_hochberg(&[0.9, 0.01, 0.01], 0.025), [false, true, true]);
    }
}
