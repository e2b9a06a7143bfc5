//! Single values of the config: words, numbers with units, dates, patterns. Each function says what it expected.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Date;
use regex::{Regex, RegexBuilder};

use super::error::{Complaint, choice, shown};
use crate::policy::{Limit, Pattern};
use crate::run::metric::{FIXED, Metric, Unit};

/// A value, or what is wrong with it.
pub(super) type Read<T> = Result<T, Complaint>;

/// One of a few words.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Read<T> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Complaint::new(format!("unknown word {}", shown(text)), choice(text, &known))
    })
}

/// The name of a metric.
pub(super) fn metric(text: &str) -> Read<Metric> {
    text.parse().map_err(|_unknown| {
        let names: Vec<_> = FIXED.iter().map(Metric::name).collect();
        let mut known: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        known.push("custom:<name>");
        Complaint::new(format!("unknown metric {}", shown(text)), choice(text, &known))
    })
}

/// A change in the metric's bad direction: `10%`, `0.5pp`, `5ms`.
pub(super) fn change(text: &str, metric: &Metric) -> Read<Limit> {
    let wrong = || wrong_unit("a change", text, metric, true);
    let (number, unit) = split(text).ok_or_else(wrong)?;
    if unit == "%" {
        return Ok(Limit::Relative(scaled(number, -2).ok_or_else(wrong)?));
    }
    difference(number, unit, metric).map(Limit::Absolute).ok_or_else(wrong)
}

/// A difference of two values of the metric: `5ms`, `0.1pp`.
pub(super) fn distance(text: &str, metric: &Metric) -> Read<f64> {
    let wrong = || wrong_unit("a difference", text, metric, false);
    let (number, unit) = split(text).ok_or_else(wrong)?;
    difference(number, unit, metric).ok_or_else(wrong)
}

/// A value of the metric: `800ms`, `1%` of the requests, `200/s`.
pub(super) fn budget(text: &str, metric: &Metric) -> Read<f64> {
    let wrong = || {
        let example = match metric.unit() {
            Unit::Ratio => "`1%`",
            unit => units(unit),
        };
        let message = format!("expected a value such as {example}, found {}", shown(text));
        Complaint::new(message, format!("{} is {}; a budget is a value, not a change", metric.name(), counted(metric)))
    };
    let (number, unit) = split(text).ok_or_else(wrong)?;
    match (metric.unit(), unit) {
        (Unit::Ratio, "%") => scaled(number, -2),
        (Unit::Ratio, "pp") => None,
        _ => difference(number, unit, metric),
    }
    .ok_or_else(wrong)
}

/// A length of time above zero: `30s`, `15m`, `1h30m`.
pub(super) fn duration(text: &str) -> Read<Duration> {
    const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
    let wrong = || {
        let message = format!("expected a length of time, found {}", shown(text));
        Complaint::new(message, "write it with its unit, up to a week: `30s`, `15m`, `1h30m`")
    };
    let length: SignedDuration = text.parse().map_err(|_unreadable| wrong())?;
    let length = Duration::try_from(length).map_err(|_negative| wrong())?;
    if length.is_zero() || length > LONGEST { Err(wrong()) } else { Ok(length) }
}

/// A whole number of at least `least`.
pub(super) fn count(text: &str, least: u32) -> Read<u32> {
    // Digits only: the parser would also take `+5`.
    let digits = text.chars().all(|char| char.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number >= least).ok_or_else(|| {
        let message = format!("expected a whole number of at least {least}, found {}", shown(text));
        Complaint::new(message, "write digits only, without a unit, sign or separator")
    })
}

/// A number above zero, without a unit.
pub(super) fn rate(text: &str) -> Read<f64> {
    let number = split(text).filter(|(_, unit)| unit.is_empty()).and_then(|(number, _)| scaled(number, 0));
    number.filter(|number| *number > 0.0).ok_or_else(|| {
        let message = format!("expected a number above 0, found {}", shown(text));
        Complaint::new(message, "it is per second, without a unit: `5`, `0.5`")
    })
}

/// A day.
pub(super) fn date(text: &str) -> Read<Date> {
    // The parser of dates would also take a date with a time, whose time would be lost silently.
    text.parse().ok().filter(|_| text.len() == "2027-03-01".len()).ok_or_else(|| {
        let message = format!("expected a date, found {}", shown(text));
        Complaint::new(message, "write year, month and day: `2027-03-01`")
    })
}

/// Longest pattern, in bytes: far above any name, and compiling one takes time and memory.
const LONGEST_PATTERN: usize = 1_000;

/// Refuses what no person writes.
fn short(text: &str) -> Read<()> {
    if text.len() <= LONGEST_PATTERN {
        return Ok(());
    }
    let message = format!("longer than {LONGEST_PATTERN} characters: {}", shown(text));
    Err(Complaint::new(message, "say it in several patterns, or with `*`"))
}

/// A text that says something.
pub(super) fn filled(text: &str) -> Read<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Complaint::new("expected a text, found nothing", "write one, or remove the key"));
    }
    Ok(text.to_owned())
}

/// What takes the place of a match; nothing at all, where it is to be cut out.
pub(super) fn replacement(text: &str) -> Read<String> {
    short(text)?;
    Ok(text.to_owned())
}

/// A glob over `METHOD name`.
pub(super) fn pattern(text: &str) -> Read<Pattern> {
    filled(text)?;
    short(text)?;
    Pattern::new(text).map_err(|why| {
        let message = format!("{} is not a pattern: {why}", shown(text));
        Complaint::new(message, "`*` and `?` stand for anything; a backslash makes `[`, `{` or `*` plain")
    })
}

/// Bytes of a compiled regular expression: enough for `\\w{36}`, and a hundred of them still fit into memory.
const LARGEST_PROGRAM: usize = 2 << 20;

/// A regular expression; matching takes time linear in the name, and its program is small.
pub(super) fn regex(text: &str) -> Read<Regex> {
    filled(text)?;
    short(text)?;
    RegexBuilder::new(text).size_limit(LARGEST_PROGRAM).build().map_err(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let message = format!("{} is not a regular expression: {why}", shown(text));
        Complaint::new(message, "a backslash makes `.`, `(`, `[`, `{` or `+` plain: `/orders\\.json`")
    })
}

/// The number in front and the unit behind it; `None` unless it begins with a plain decimal number.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    (!number.is_empty()).then(|| (number, unit.trim()))
}

/// The number times a power of ten, exact to the last bit: shifting decimals before they become binary keeps "exactly on
/// the limit" exact.
fn scaled(number: &str, power: i8) -> Option<f64> {
    format!("{number}e{power}").parse().ok().filter(|number: &f64| number.is_finite())
}

/// A difference in the metric's unit. Zero needs no unit.
fn difference(number: &str, unit: &str, metric: &Metric) -> Option<f64> {
    let power = match (metric.unit(), unit) {
        (Unit::Milliseconds, "ms") | (Unit::PerSecond, "/s") | (Unit::Number, "") => 0,
        (Unit::Milliseconds, "s") => 3,
        (Unit::Ratio, "pp") => -2,
        (_, "") => return scaled(number, 0).filter(|number| *number == 0.0),
        _ => return None,
    };
    scaled(number, power)
}

/// How a value of the unit is written.
fn units(unit: Unit) -> &'static str {
    match unit {
        Unit::Milliseconds => "`5ms` or `0.8s`",
        Unit::Ratio => "`0.5pp`",
        Unit::PerSecond => "`20/s`",
        Unit::Number => "`3`",
    }
}

/// What the metric's values are.
fn counted(metric: &Metric) -> &'static str {
    match metric.unit() {
        Unit::Milliseconds => "a time (ms, s)",
        Unit::Ratio => "a share of the requests (%; a change in pp, percentage points)",
        Unit::PerSecond => "a number per second (/s)",
        Unit::Number => "a plain number without a unit",
    }
}

fn wrong_unit(what: &str, text: &str, metric: &Metric, relative: bool) -> Complaint {
    let relative = if relative { "`10%` or " } else { "" };
    let message = format!("expected {what} such as {relative}{}, found {}", units(metric.unit()), shown(text));
    Complaint::new(message, format!("{} is {}", metric.name(), counted(metric)))
}
