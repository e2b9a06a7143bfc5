//! The mathematics of the gate as plain functions on numbers and slices; no domain words.
//!
//! Every formula is that of `STATISTICS.md` (sections in brackets). Unless said otherwise values are natural logarithms,
//! so differences are relative changes and variances have no unit.

/// Requests of one run are not independent: their variance counts double (section 2).
pub const DESIGN_EFFECT: f64 = 2.0;

/// Arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
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
