//! k6's `--out csv`: one row per point.
//!
//! Quirks: columns depend on `--system-tags` and the version; `timestamp` is whole seconds unless `K6_CSV_TIME_FORMAT` says
//! otherwise; a row does not say how its metric adds up, so of the user's metrics only `checks` can be read.

use std::borrow::Cow;

use jiff::Timestamp;

use super::columns::{self, Batch, Decimals, TOGETHER};
use super::k6::{PlainPoints, Points, SUFFIXES, TOOL, Tags, is_skipped};
use super::plain::{Split, whole};
use super::rows::{PlainRow, Rows};
use super::vegeta::millis;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::recorder::Recorder;
use crate::run::tally::Tally;

pub(super) static CSV: Format = Format {
    id: "k6-csv",
    tool: TOOL,
    title: "`k6 run --out csv=FILE`: one row per point",
    versions: "0.26 to 2.2",
    gives: Gives { percentiles: "any (from samples)", failures: true, users: true, time: true },
    part: Part::Main { rank: 1, suffixes: SUFFIXES },
    sniff: |head| Confidence::certain_if(head.first_line().trim_start().starts_with("metric_name,timestamp,metric_value")),
    parse,
};

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    recorder.tool(TOOL);
    recorder.sample_step(0.0);
    let stem = source.stem().to_owned();
    let rows = Rows::in_blocks(source, b',', true)?;
    let (metric, time, value) = (rows.need("metric_name")?, rows.need("timestamp")?, rows.need("metric_value")?);
    let columns = ["name", "url", "method", "status", "error"].map(|column| rows.find(column));
    let width = rows.header().len();
    let mut points = Points::default();
    let [name, _, method, ..] = columns;
    // In any other order there is no name that is one piece.
    let at = method.zip(name).filter(|(method, name)| method + 1 == *name).map(|(method, _)| method);
    let mut plain = PlainRows { metric, time, value: Decimals::of(value, 6), method: at, width, points: PlainPoints::default() };
    rows.each_or(&mut plain, recorder, |row, recorder| {
        if row.len() < width {
            return Err(format!("expected {width} cells, found {}", row.len()));
        }
        let [name, url, method, status, error] = columns.map(|column| column.map_or("", |at| row.text(at)));
        let name = [name, url, &stem].into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        let number = row.text(value);
        let number: f64 =
            number.parse().ok().ok_or_else(|| format!("expected a number, found `{}`", super::rows::shown(number)))?;
        let [name, method, status, error] = [name, method, status, error].map(Cow::Borrowed);
        let tags = Tags { name, method, status, error, time: moment(row.text(time)) };
        points.add(row.text(metric), number, &tags, recorder)
    })?;
    points.add_plain(&plain.points, recorder);
    points.finish(recorder);
    Ok(())
}

/// Rows of points that went well, and of those of which nothing is read.
#[derive(Clone)]
struct PlainRows {
    metric: usize,
    time: usize,
    value: Decimals,
    /// The name follows the method.
    method: Option<usize>,
    width: usize,
    points: PlainPoints,
}

impl PlainRows {
    /// Takes a point.
    #[expect(clippy::inline_always, reason = "a part of `take`")]
    #[inline(always)]
    fn point(&mut self, row: &Split<'_>, value: u64, tally: &mut Tally) -> Option<()> {
        let metric = row.get(self.metric)?;
        match (metric, value) {
            _ if is_skipped(metric) => {}
            (b"http_req_duration", _) => {
                let end = moment_of(whole(row.get(self.time)?)? as f64);
                let method = self.method?;
                let key = row.between(method, method + 1)?;
                let samples = tally.samples(key, || {
                    let (method, name) = str::from_utf8(key).ok()?.split_once(',')?;
                    Some((Some(method), Some(name.trim()).filter(|name| !name.is_empty())?.into()))
                })?;
                samples.add(Some(value), Some(true));
                self.points.request(end, value);
            }
            (b"http_req_failed", 0) => self.points.judged += 1,
            (b"checks", 0) => self.points.checks[0] += 1,
            (b"checks", 1_000_000) => self.points.checks[1] += 1,
            _ => return None,
        }
        Some(())
    }
}

impl PlainRow for PlainRows {
    fn last(&self) -> usize {
        self.width.saturating_sub(1)
    }

    #[expect(clippy::inline_always, reason = "as it says there")]
    #[inline(always)]
    fn take(&mut self, batch: &Batch<'_>, tally: &mut Tally) -> usize {
        let mut values = [0; TOGETHER];
        let rows = columns::decimals(&mut self.value, batch, &mut values);
        let mut taken = 0;
        for (row, value) in batch.first(rows).rows().zip(values) {
            if self.point(&row, value, tally).is_none() {
                break;
            }
            taken += 1;
        }
        taken
    }

    fn join(&mut self, other: Self) {
        self.points.join(&other.points);
    }
}

/// Milliseconds since the epoch: the unit of a number is told by its size.
fn moment(text: &str) -> Option<f64> {
    let Ok(number) = text.parse::<f64>() else { return text.parse::<Timestamp>().ok().map(millis) };
    Some(moment_of(number))
}

fn moment_of(number: f64) -> f64 {
    match number {
        ..1e11 => number * 1e3,
        ..1e14 => number,
        ..1e17 => number / 1e3,
        _ => number / 1e6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_format_is_the_same_moment() {
        let times = ["1730305221", "1730305221000", "1730305221000000", "1730305221000000000", "2024-10-30T16:20:21Z"];
        for text in times {
            assert_eq!(moment(text), Some(1_730_305_221_000.0), "{text}");
        }
        assert_eq!(moment("yesterday"), None);
    }
}
