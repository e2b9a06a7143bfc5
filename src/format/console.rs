//! Reading what load tools print for people: durations whose unit changes from value to value, counts with suffixes,
//! `key: value` lines, and several reports pasted one after another. No tool's own words are known here.

use std::collections::BTreeMap;

use super::{ParseError, Source};
use crate::run::Notice;
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

/// Largest text report that makes sense.
const LIMIT: u64 = 64 << 20;

/// A printed number in base units (ms for durations) and the size of its last digit there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Printed {
    pub(super) value: f64,
    pub(super) step: f64,
}

impl Printed {
    /// The same in another unit.
    pub(super) fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, step: self.step * factor }
    }
}

/// The whole artifact without terminal colours, with a carriage return counting as a line end.
pub(super) fn text(source: &mut Source<'_>) -> Result<String, ParseError> {
    Ok(plain(&source.text(LIMIT)?))
}

/// Without ANSI escapes (`ESC [ … letter`); a lone carriage return, as progress lines have it, ends a line.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                // Parameters and intermediates end with one byte in `@` to `~`.
                for escaped in chars.by_ref() {
                    if ('@'..='~').contains(&escaped) {
                        break;
                    }
                }
            }
            '\r' if chars.peek() != Some(&'\n') => out.push('\n'),
            '\r' => {}
            _ => out.push(c),
        }
    }
    out
}

/// One of the reports in a text.
pub(super) struct Block<'a> {
    /// The report's first line, from 1.
    pub(super) line: u64,
    pub(super) lines: Vec<&'a str>,
}

impl<'a> Block<'a> {
    /// What follows `key` on the first line that begins with it.
    pub(super) fn after(&self, key: &str) -> Option<&'a str> {
        self.lines.iter().find_map(|line| after(line, key))
    }

    /// The lines that follow the first one beginning with `title`, up to a blank line or another title (a line that
    /// ends with a colon).
    pub(super) fn section(&self, title: &str) -> Vec<&'a str> {
        let rest = self.lines.iter().skip_while(|line| !line.trim_start().starts_with(title)).skip(1);
        let title = |line: &str| line.ends_with(':') && !line.starts_with('[');
        rest.map(|line| line.trim()).take_while(|line| !line.is_empty() && !title(line)).collect()
    }
}

/// The text cut before every line that `begins` a report; what stands before the first is dropped.
pub(super) fn blocks(text: &str, begins: fn(&str) -> bool) -> Vec<Block<'_>> {
    let mut found: Vec<Block<'_>> = Vec::new();
    for (line, at) in text.lines().zip(1..) {
        if begins(line) {
            found.push(Block { line: at, lines: Vec::new() });
        }
        if let Some(block) = found.last_mut() {
            block.lines.push(line);
        }
    }
    found
}

/// What follows `key` at the beginning of the line, trimmed.
pub(super) fn after<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.trim_start().strip_prefix(key).map(str::trim)
}

/// The first number at the beginning of `text`, whatever follows.
pub(super) fn number(text: &str) -> Option<Printed> {
    split_number(text.trim_start()).map(|(number, _)| number)
}

/// The whole number at the beginning of `text`, with thousands separators.
pub(super) fn count(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(text.len());
    text.get(..end)?.replace(',', "").parse().ok()
}

/// A duration in ms: `812.00us`, `1m2.5s`, `0.0219 secs`, `9747 usec`. Without a unit it is none.
pub(super) fn duration(text: &str) -> Option<Printed> {
    duration_or(text, None)
}

/// As [`duration`]; a number without a unit is taken times `default` ms.
pub(super) fn duration_or(text: &str, default: Option<f64>) -> Option<Printed> {
    let mut rest = text.trim();
    let mut sum: Option<Printed> = None;
    while let Some((number, tail)) = split_number(rest) {
        let tail = tail.trim_start();
        let end = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(end)?;
        let factor = match unit_ms(unit) {
            Some(factor) => factor,
            // `2.5 (mean)`: a number alone, and something else after it.
            None if sum.is_none() => return Some(number.times(default?)),
            None => break,
        };
        let part = number.times(factor);
        sum = Some(Printed { value: sum.map_or(0.0, |sum| sum.value) + part.value, step: part.step });
        // Only a digit right after the unit goes on: `1m2s`, but not `1.2ms 3.4ms`.
        rest = tail;
        if !rest.starts_with(|c: char| c.is_ascii_digit()) {
            break;
        }
    }
    sum
}

fn unit_ms(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" | "nsec" => 1e-6,
        // The micro sign and the Greek letter look alike and are both in use.
        "us" | "\u{b5}s" | "\u{3bc}s" | "usec" => 1e-3,
        "ms" | "msec" => 1.0,
        "s" | "sec" | "secs" | "second" | "seconds" => 1e3,
        "m" | "min" | "mins" => 6e4,
        "h" | "hour" | "hours" => 3.6e6,
        _ => return None,
    })
}

fn split_number(text: &str) -> Option<(Printed, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    let value: f64 = digits.parse().ok()?;
    let decimals = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    Some((Printed { value, step: 10_f64.powi(-i32::try_from(decimals).unwrap_or(30)) }, rest))
}

/// `50%`, `50.000%%` (old hey), `99.0'th percentile` at the beginning: the level 0..1 and the rest.
pub(super) fn level<'a>(text: &'a str, mark: &str) -> Option<(f64, &'a str)> {
    let (number, rest) = split_number(text.trim_start())?;
    let rest = rest.strip_prefix(mark)?;
    Some((number.value / 100.0, rest))
}

/// Hands a printed figure over as reported, if it is there.
pub(super) fn report(draft: &mut Draft, metric: Metric, printed: Option<Printed>) {
    if let Some(printed) = printed {
        draft.reported(metric, printed.value, Some(printed.step));
    }
}

/// Several reports in one artifact: names that repeat are told apart, and the total says what was added up.
#[derive(Default)]
pub(super) struct Reports {
    seen: BTreeMap<String, u32>,
    sums: Option<(u64, u64)>,
    duration_s: Option<f64>,
    added: u32,
}

impl Reports {
    /// The endpoint name for the next report about `name`.
    pub(super) fn name(&mut self, name: &str) -> String {
        let times = self.seen.entry(name.to_owned()).or_default();
        *times += 1;
        if *times == 1 { name.to_owned() } else { format!("{name} ({times})") }
    }

    /// Counts of one report, one after the other.
    pub(super) fn add(&mut self, requests: Option<u64>, failures: Option<u64>, duration_s: Option<f64>) {
        let first = self.added == 0;
        self.added = self.added.saturating_add(1);
        let before = if first { Some((0, 0)) } else { self.sums };
        self.sums = before.zip(requests.zip(failures)).and_then(|((requests, failures), (more, failed))| {
            Some((requests.checked_add(more)?, failures.checked_add(failed)?))
        });
        let before = if first { Some(0.0) } else { self.duration_s };
        self.duration_s = before.zip(duration_s).map(|(sum, more)| sum + more);
    }

    /// Duration of all; and of several reports the total, which follows from counts only.
    pub(super) fn finish(self, recorder: &mut Recorder) {
        if let Some(seconds) = self.duration_s {
            recorder.duration_s(seconds);
        }
        if self.added < 2 {
            return;
        }
        if let Some((requests, failures)) = self.sums {
            recorder.total().requests(requests).failures(failures);
        }
        let message = format!("holds {} reports, taken as parts of one run that followed each other", self.added);
        recorder.notice(Notice::new("several_reports", message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_belong_to_the_value() {
        let check = |text, value: f64, step: f64| {
            let printed = duration(text).unwrap_or_else(|| panic!("{text}"));
            assert!((printed.value - value).abs() < 1e-9, "{text}: {printed:?}");
            assert!((printed.step - step).abs() < 1e-12, "{text}: {printed:?}");
        };
        check("812.00us", 0.812, 1e-5);
        check("1.30s ", 1300.0, 10.0);
        check("1.02m", 61_200.0, 600.0);
        check("10m0s", 600_000.0, 1e3);
        check("1m2.5s, 18.1ms", 62_500.0, 100.0);
        check("850.5\u{b5}s", 0.8505, 1e-4);
        check("9747 usec, rate", 9.747, 1e-3);
        check("0.0219 secs", 21.9, 0.1);
        check("0s", 0.0, 1e3);
    }

    #[test]
    fn what_is_no_duration_is_none() {
        for text in ["", "-nan%", "NaN secs", "12", "12.3%", "ms", ".", "1.2.3ms", "12 parsecs"] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_eq!(duration_or("7.49", Some(1e3)).map(|printed| printed.value), Some(7490.0));
    }

    #[test]
    fn colours_and_progress_are_no_content() {
        assert_eq!(plain("\u{1b}[38;5;11m\u{1b}[1mSum\u{1b}[0m\r\nx\ry\u{1b}["), "Sum\nx\ny");
    }
}
