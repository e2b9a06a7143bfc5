//! k6's `--out json`: one JSON object per line, either a metric's declaration or one measured point.
//!
//! Quirks: a request is one point of each of nine metrics, of which two are read; the order of keys differs between
//! versions; `time` is the end of the request; a request without answer has status "0" and often duration 0; names that
//! the script does not set are full URLs.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;

use super::blocks::{self, Ordered, Plain};
use super::k6::{Kind, PlainPoints, Points, SUFFIXES, TOOL, Tags, is_skipped};
use super::members::{Members, Texts};
use super::plain::{decimal, find};
use super::rows::next_line;
use super::vegeta::millis;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::Notice;
use crate::run::recorder::Recorder;
use crate::run::tally::Tally;

pub(super) static NDJSON: Format = Format {
    id: "k6-json",
    tool: TOOL,
    title: "`k6 run --out json=FILE`: one JSON object per point",
    versions: "0.26 to 2.2",
    gives: Gives { percentiles: "any (from samples)", failures: true, users: true, time: true },
    part: Part::Main { rank: 0, suffixes: SUFFIXES },
    sniff: |head| {
        let shape = head.json();
        let declares = shape.has(&["data.type", "data.contains"]);
        let measures = shape.has(&["data.time", "data.value"]);
        Confidence::certain_if(shape.has(&["type", "metric", "data"]) && (declares || measures))
    },
    parse,
};

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    metric: Cow<'a, str>,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    /// Of a declaration.
    #[serde(borrow, default)]
    r#type: Cow<'a, str>,
    /// Of a point, like all below.
    #[serde(borrow, default)]
    time: Cow<'a, str>,
    #[serde(default)]
    value: Option<f64>,
    #[serde(borrow, default)]
    tags: Option<WireTags<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireTags<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    error: Cow<'a, str>,
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    recorder.tool(TOOL);
    recorder.sample_step(0.0);
    let mut lines = Lines { stem: source.stem().to_owned(), points: Points::default() };
    if let Some(how) = source.blocks {
        let mut plain = PlainLines::default();
        blocks::read_lines(source, how, &mut plain, &mut lines, recorder)?;
        lines.points.add_plain(&plain.points, recorder);
    } else {
        let (mut line, mut at) = (Vec::new(), 0);
        while next_line(source, &mut line)? {
            at += 1;
            lines.record(&line, at, recorder);
        }
    }
    lines.points.finish(recorder);
    Ok(())
}

/// Lines one after the other.
struct Lines {
    stem: String,
    points: Points,
}

impl Ordered for Lines {
    fn record(&mut self, line: &[u8], at: u64, recorder: &mut Recorder) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let bare = metric(line).and_then(|(metric, time)| {
            Bare::of(metric, line.strip_suffix(b"\n").unwrap_or(line).get(time..)?)
        });
        let mut add = |metric, value| self.points.add(metric, value, &Tags::default(), recorder);
        let outcome = match bare {
            Some(Bare::Skipped) => Ok(()),
            Some(Bare::Fine) => add("http_req_failed", 0.0),
            Some(Bare::Check(passed)) => add("checks", f64::from(passed)),
            None => read(line, &self.stem, &mut self.points, recorder),
        };
        match outcome {
            Ok(()) => recorder.good_row(),
            // k6 was killed, or still writes.
            Err(_) if !line.ends_with(b"\n") => {
                recorder.complete(false);
                recorder.notice(Notice::new("cut_off", "the last line is not whole: k6 did not end by itself").at_line(at));
            }
            Err(why) => recorder.bad_row(at, why),
        }
    }
}

/// How k6 begins a point since version 0.28, up to the metric's name and from there on.
const METRIC: &[u8] = b"{\"metric\":\"";
const POINT: &[u8] = b"\",\"type\":\"Point\",\"data\":{\"time\":\"";
/// Between the time of a point and its value, and between that and its tags.
const VALUE: &[u8] = b"\",\"value\":";
const TAGS: &[u8] = b",\"tags\":{";

/// The metric of a point, and where its time begins, if the line begins as k6 writes it.
#[expect(clippy::inline_always, reason = "a part of the loop over a block, which is compiled twice")]
#[inline(always)]
fn metric(line: &[u8]) -> Option<(&[u8], usize)> {
    let rest = line.strip_prefix(METRIC)?;
    let (metric, rest) = rest.split_at_checked(find(b'"', rest)?)?;
    rest.starts_with(POINT).then_some((metric, METRIC.len() + metric.len() + POINT.len()))
}

/// What a point says by its metric and value alone. Neither such a point nor a skipped one is looked into.
#[derive(Clone, Copy)]
enum Bare {
    Skipped,
    /// A request did not fail.
    Fine,
    /// A check failed (0) or passed (1).
    Check(u8),
}

impl Bare {
    /// Of a line from its time on, without the end of the line.
    #[expect(clippy::inline_always, reason = "a part of the loop over a block, which is compiled twice")]
    #[inline(always)]
    fn of(metric: &[u8], rest: &[u8]) -> Option<Self> {
        if !rest.ends_with(b"}}") {
            return None;
        }
        if is_skipped(metric) {
            return Some(Self::Skipped);
        }
        let kind: fn(u8) -> Option<Self> = match metric {
            b"http_req_failed" => |value| (value == b'0').then_some(Self::Fine),
            b"checks" => |value| matches!(value, b'0' | b'1').then(|| Self::Check(value - b'0')),
            _ => return None,
        };
        match rest.get(find(b'"', rest)?..)?.strip_prefix(VALUE)? {
            [value, rest @ ..] if rest.starts_with(TAGS) => kind(*value),
            _ => None,
        }
    }
}

/// Points that went well, as k6 writes them.
#[derive(Clone, Default)]
struct PlainLines {
    points: PlainPoints,
    clock: Clock,
    members: Members,
    key: Vec<u8>,
}

impl Plain for PlainLines {
    #[expect(clippy::inline_always, reason = "a part of the loop over a block, which is compiled twice")]
    #[inline(always)]
    fn take(&mut self, block: &[u8], start: usize, tally: &mut Tally) -> Option<(usize, u64)> {
        let (metric, time) = metric(block.get(start..)?)?;
        let time = start + time;
        let end = time + find(b'\n', block.get(time..)?)?;
        match Bare::of(metric, block.get(time..end)?) {
            Some(Bare::Skipped) => {}
            Some(Bare::Fine) => self.points.judged += 1,
            Some(Bare::Check(passed)) => *self.points.checks.get_mut(usize::from(passed))? += 1,
            None if metric == b"http_req_duration" => self.request(block, time, end, tally)?,
            None => return None,
        }
        Some((end + 1, 1))
    }

    fn join(&mut self, other: Self) {
        self.points.join(&other.points);
    }
}

impl PlainLines {
    /// Takes a request whose time begins at `start` of a line that ends at `end`.
    fn request(&mut self, block: &[u8], start: usize, end: usize, tally: &mut Tally) -> Option<()> {
        let rest = block.get(start..end)?.strip_suffix(b"}}}")?;
        let (time, rest) = rest.split_at_checked(find(b'"', rest)?)?;
        let rest = rest.strip_prefix(VALUE)?;
        let (value, rest) = rest.split_at_checked(find(b',', rest)?)?;
        let tags = rest.strip_prefix(TAGS)?;
        if value.len() > 1 && value.starts_with(b"0") && !value.starts_with(b"0.") {
            return None;
        }
        let moment = self.clock.millis(time)?;
        let nanos = decimal(value, 6)?;
        let end = end - b"}}}".len();
        let tags = PlainTags::of(self.members.read(block, end - tags.len(), end)?)?;
        let (method, name) = (tags.method?, tags.name.filter(|name| !name.is_empty())?);
        let samples = tally.samples(tags.key(block, &mut self.key)?, || {
            Some((Some(str::from_utf8(method).ok()?), str::from_utf8(name).ok()?.into()))
        })?;
        samples.add(Some(nanos), Some(true));
        self.points.request(moment, nanos);
        Some(())
    }
}

/// The tags that name an endpoint, and where they begin.
#[derive(Default)]
struct PlainTags<'a> {
    method: Option<&'a [u8]>,
    name: Option<&'a [u8]>,
    starts: [usize; 2],
}

impl<'a> PlainTags<'a> {
    /// `None` if a tag that is read is there twice.
    #[inline]
    fn of(texts: Texts<'a>) -> Option<Self> {
        let mut tags = Self::default();
        let mut seen = [false; 3];
        for (key, value, start) in texts.iter() {
            let twice = match key {
                b"method" => {
                    tags.starts[0] = start;
                    tags.method.replace(value).is_some()
                }
                b"name" => {
                    tags.starts[1] = start;
                    tags.name.replace(value).is_some()
                }
                b"url" => std::mem::replace(&mut seen[0], true),
                b"status" => std::mem::replace(&mut seen[1], true),
                b"error" => std::mem::replace(&mut seen[2], true),
                _ => false,
            };
            if twice {
                return None;
            }
        }
        Some(tags)
    }

    /// What tells endpoints apart: the name follows the method, unless there are tags of the user's between them.
    #[inline]
    fn key<'k>(&self, block: &'k [u8], copy: &'k mut Vec<u8>) -> Option<&'k [u8]> {
        const BETWEEN: &[u8] = b"\",\"name\":\"";
        let (method, name) = (self.method?, self.name?);
        let [start, name_start] = self.starts;
        if name_start == start + method.len() + BETWEEN.len() {
            return block.get(start..name_start + name.len());
        }
        copy.clear();
        for part in [method, BETWEEN, name] {
            copy.extend_from_slice(part);
        }
        Some(copy)
    }
}

/// Reads time stamps that mostly lie in the same minute as the one before.
#[derive(Clone, Default)]
struct Clock {
    /// `2026-11-23T09:04` and the offset from UTC, as written.
    minute: Vec<u8>,
    offset: Vec<u8>,
    /// Where it began, in ns since the epoch.
    began: i64,
}

impl Clock {
    /// Ms since the epoch.
    #[inline]
    fn millis(&mut self, time: &[u8]) -> Option<f64> {
        let (minute, rest) = time.split_at_checked(16)?;
        let digits = rest.strip_prefix(b":")?;
        let length = digits.iter().position(|byte| *byte != b'.' && !byte.is_ascii_digit())?;
        let (seconds, offset) = digits.split_at_checked(length)?;
        let point = matches!(seconds, [_, _] | [_, _, b'.', ..]);
        let nanos = decimal(seconds, 9).filter(|nanos| point && *nanos < 60_000_000_000)?;
        if self.minute != minute || self.offset != offset {
            let text = [minute, b":00", offset].concat();
            let began: Timestamp = str::from_utf8(&text).ok()?.parse().ok()?;
            self.began = i64::try_from(began.as_nanosecond()).ok()?;
            minute.clone_into(&mut self.minute);
            offset.clone_into(&mut self.offset);
        }
        Some(self.began.checked_add_unsigned(nanos)? as f64 / 1e6)
    }
}

/// One line. `Err` says what is wrong with it.
fn read(line: &[u8], stem: &str, points: &mut Points, recorder: &mut Recorder) -> Result<(), String> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| format!("not a line of k6: {error}"))?;
    let data = line.data;
    match line.r#type.as_ref() {
        "Point" => {
            let value = data.value.ok_or("a point without a value")?;
            let wire = data.tags.unwrap_or_default();
            // Tags are chosen with `--system-tags`.
            let name = [wire.name, wire.url].into_iter().find(|name| !name.is_empty()).unwrap_or(stem.into());
            let time = data.time.parse::<Timestamp>().ok().map(millis);
            let tags = Tags { name, method: wire.method, status: wire.status, error: wire.error, time };
            points.add(&line.metric, value, &tags, recorder)
        }
        "Metric" => {
            if let Some(kind) = Kind::of(&data.r#type) {
                points.declare(&line.metric, kind);
            }
            Ok(())
        }
        other => Err(format!("expected a `Metric` or a `Point`, found `{}`", super::rows::shown(other))),
    }
}
