//! How people read numbers: three significant digits, one unit a row, a true minus, nothing that breaks before its unit.

use super::metric::Unit;

/// Stands before `%` and between groups of three digits, so that a line never breaks there (U+202F).
pub const NARROW: char = '\u{202f}';
/// As wide as the plus sign.
pub const MINUS: char = '\u{2212}';

/// Latencies from here on are shown in seconds; in ms.
const SECONDS_FROM: f64 = 10_000.0;

/// `412 ms`, `12.3 s`, `0.33 %`, `35/s`
pub fn value(value: f64, unit: Unit) -> String {
    Scale::of(unit, value).text(value)
}

/// The unit in which a row's numbers are shown.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    factor: f64,
    suffix: &'static str,
    counts: bool,
}

impl Scale {
    /// The scale for numbers of which `largest` is the largest.
    pub fn of(unit: Unit, largest: f64) -> Self {
        let (factor, suffix) = match unit {
            Unit::Milliseconds if largest.abs() >= SECONDS_FROM => (1e-3, " s"),
            Unit::Milliseconds => (1.0, " ms"),
            Unit::Ratio => (100.0, "\u{202f}%"),
            Unit::PerSecond => (1.0, "/s"),
            Unit::Number => (1.0, ""),
        };
        Self { factor, suffix, counts: unit == Unit::Number }
    }

    /// The value with its unit.
    pub fn text(self, value: f64) -> String {
        self.bare(value) + self.suffix
    }

    /// The value without its unit.
    pub fn bare(self, value: f64) -> String {
        plain(self.rounded(value * self.factor))
    }

    /// The value with its unit and all its whole digits: what somebody wrote is shown as written.
    pub fn exact(self, value: f64) -> String {
        plain(value * self.factor) + self.suffix
    }

    /// Of what is measured a fourth digit is noise; what is counted is shown in full.
    fn rounded(self, value: f64) -> f64 {
        if self.counts { value } else { three_digits(value) }
    }

    /// A difference with sign and unit, as fine as `largest` of the two values is shown; of rates in points.
    pub fn difference(self, unit: Unit, value: f64, largest: f64) -> String {
        if unit == Unit::Ratio {
            return points(value);
        }
        let digits = decimals(largest * self.factor);
        let step = 0.1_f64.powi(if self.counts { digits.max(0) } else { digits });
        let rounded = (value.abs() * self.factor / step).round() * step;
        signed(value, &plain(rounded)) + self.suffix
    }
}

/// Three significant digits without idle zeros.
pub fn plain(value: f64) -> String {
    let size = value.abs();
    let digits = if size >= 999.5 {
        count(size.round() as u64)
    } else {
        let mut text = decimal(size, decimals(value).max(0) as usize);
        if text.contains('.') {
            text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        }
        text
    };
    if value < 0.0 && digits != "0" { format!("{MINUS}{digits}") } else { digits }
}

/// The size with so many decimals: as the standard library writes it, several times as fast where it is no close call.
fn decimal(size: f64, decimals: usize) -> String {
    let scaled = (0..decimals).fold(size, |scaled, _| scaled * 10.0);
    // Near a half every digit of the number counts: up to here the multiple is off by far less than that. What is infinite or
    // no number is never clear.
    let clear = (scaled.fract() - 0.5).abs() > 1e-6 && scaled < 1e9;
    if !clear {
        return format!("{size:.decimals$}");
    }
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(scaled.round() as u64);
    let (whole, rest) = digits.split_at(digits.len().saturating_sub(decimals));
    let mut text = String::with_capacity(decimals + 8);
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if decimals > 0 {
        text.push('.');
        text.extend((rest.len()..decimals).map(|_| '0'));
        text.push_str(rest);
    }
    text
}

/// So many make three significant digits; below zero, so many digits before the point are none of them.
fn decimals(value: f64) -> i32 {
    let size = value.abs();
    if size == 0.0 { 0 } else { (2 - size.log10().floor() as i32).min(6) }
}

/// The value as near as three significant digits come, where it has more than three before the point.
fn three_digits(value: f64) -> f64 {
    let step = 10_f64.powi(-decimals(value));
    if step > 1.0 { (value / step).round() * step } else { value }
}

/// A signed share in percent: `+31 %`, `−4.2 %`.
pub fn percent(ratio: f64) -> String {
    format!("{}{NARROW}%", bare_percent(ratio))
}

/// [`percent`] without its sign for percent: `+31`.
pub fn bare_percent(ratio: f64) -> String {
    signed(ratio, &two_digits(ratio.abs() * 100.0))
}

/// A signed difference of rates: `+0.67 points`.
pub fn points(difference: f64) -> String {
    format!("{} points", bare_points(difference))
}

/// [`points`] without the word.
pub fn bare_points(difference: f64) -> String {
    let size = difference.abs() * 100.0;
    signed(difference, &decimal(size, if size < 9.995 { 2 } else { 1 }))
}

fn two_digits(value: f64) -> String {
    if value < 9.95 { decimal(value, 1).trim_end_matches(".0").to_owned() } else { count(value.round() as u64) }
}

fn signed(value: f64, digits: &str) -> String {
    // What rounds to nothing has no sign.
    if digits.chars().all(|digit| matches!(digit, '0' | '.')) {
        return "0".to_owned();
    }
    format!("{}{digits}", if value < 0.0 { MINUS } else { '+' })
}

/// `1 500`
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 * NARROW.len_utf8());
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(NARROW);
        }
        out.push(digit);
    }
    out
}

/// `1 baseline run`, `3 baseline runs`
pub fn plural(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

/// `45 s`, `2:00`, `1:02:03`: how long something took.
pub fn duration(seconds: f64) -> String {
    if seconds < 59.5 {
        return format!("{} s", plain(seconds));
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (412.0, "412"),
            (0.123_45, "0.123"),
            (9.996, "10"),
            (999.6, "1\u{202f}000"),
            (1_040.2, "1\u{202f}040"),
            (-1_040.2, "\u{2212}1\u{202f}040"),
            (-0.5, "\u{2212}0.5"),
            (-1e-9, "0"),
            // The nearest numbers are below and above the half.
            (1.055, "1.05"),
            (1.985, "1.99"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(plain(value), text);
        }
    }

    proptest! {
        #[test]
        fn digits_are_those_of_the_library(digits in 0_u32..2_000_000, decimals in 0_i32..9, minus: bool) {
            let size = f64::from(digits) / 10_f64.powi(decimals);
            let library = format!("{size:.*}", super::decimals(size).max(0) as usize);
            let library = if library.contains('.') { library.trim_end_matches('0').trim_end_matches('.') } else { &library };
            let sign = if minus && library != "0" { "\u{2212}" } else { "" };
            for decimals in 0..7 {
                prop_assert_eq!(decimal(size, decimals), format!("{size:.decimals$}"));
            }
            if size < 999.5 {
                prop_assert_eq!(plain(if minus { -size } else { size }), format!("{sign}{library}"));
            }
        }
    }

    #[test]
    fn one_unit_a_row() {
        let scale = Scale::of(Unit::Milliseconds, 12_345.0);
        assert_eq!((scale.bare(9_000.0), scale.text(12_345.0)), ("9".to_owned(), "12.3 s".to_owned()));
        assert_eq!(scale.difference(Unit::Milliseconds, -3_340.0, 12_345.0), "\u{2212}3.3 s");
        assert_eq!(scale.difference(Unit::Milliseconds, 3.0, 12_345.0), "0 s");
        assert_eq!(Scale::of(Unit::Ratio, 0.1).difference(Unit::Ratio, 0.0134, 0.1), "+1.34 points");
        assert_eq!(value(538.0, Unit::Milliseconds), "538 ms");
        assert_eq!(value(1_041.2, Unit::Milliseconds), "1\u{202f}040 ms");
        assert_eq!(scale.difference(Unit::Milliseconds, 8.0, 12_345.0), "0 s");
        let scale = Scale::of(Unit::Milliseconds, 1_041.2);
        assert_eq!(scale.difference(Unit::Milliseconds, 163.0, 1_041.2), "+160 ms");
        assert_eq!(scale.exact(1_234.0), "1\u{202f}234 ms");
        assert_eq!(value(18_204.0, Unit::Number), "18\u{202f}204");
        assert_eq!(value(1_234.5, Unit::PerSecond), "1\u{202f}230/s");
    }

    #[test]
    fn durations() {
        let shown = [0.5, 45.0, 59.7, 120.0, 3_723.4].map(duration);
        assert_eq!(shown, ["0.5 s", "45 s", "1:00", "2:00", "1:02:03"]);
    }
}
