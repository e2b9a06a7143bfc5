//! k6's `--out json`: one JSON object per line, either a metric's declaration or one measured point.
//!
//! Quirks: a request is one point of each of nine metrics, of which two are read; the order of keys differs between
//! versions; `time` is the end of the request; a request without answer has status "0" and often duration 0; names that
//! the script does not set are full URLs.

use std::borrow::Cow;

use jiff::Timestamp;
use memchr::memchr;
use serde::Deserialize;

use super::blocks::{self, Ordered, Plain};
use super::k6::{Kind, PlainPoints, Points, SUFFIXES, TOOL, Tags, is_skipped};
use super::plain::decimal;
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
        let outcome = match skipped(line) {
            Some(_) => Ok(()),
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

/// The metric's name and what follows [`POINT`], if the line begins as k6 writes it and ends with two braces.
#[inline]
fn point(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.strip_suffix(b"\n").unwrap_or(line).strip_suffix(b"}}")?;
    let rest = line.strip_prefix(METRIC)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let (metric, rest) = rest.split_at_checked(end)?;
    Some((metric, rest.strip_prefix(POINT)?))
}

/// The line, if it is a whole point of a metric of which nothing is read: such a line is not looked into.
#[inline]
fn skipped(line: &[u8]) -> Option<&[u8]> {
    point(line).filter(|(metric, _)| is_skipped(metric)).map(|_| line)
}

/// Points that went well, as k6 writes them.
#[derive(Clone, Default)]
struct PlainLines {
    points: PlainPoints,
    clock: Clock,
    key: Vec<u8>,
}

impl Plain for PlainLines {
    #[inline]
    fn take(&mut self, block: &[u8], start: usize, tally: &mut Tally) -> Option<usize> {
        let rest = block.get(start..)?;
        let end = memchr(b'\n', rest)? + 1;
        let (metric, rest) = point(rest.get(..end)?)?;
        if !is_skipped(metric) {
            self.add(metric, rest, tally)?;
        }
        Some(start + end)
    }

    fn join(&mut self, other: Self) {
        self.points.join(&other.points);
    }
}

impl PlainLines {
    /// Takes a point from its time on.
    fn add(&mut self, metric: &[u8], rest: &[u8], tally: &mut Tally) -> Option<()> {
        let (time, rest) = str::from_utf8(rest).ok()?.split_once("\",\"value\":")?;
        let (value, rest) = rest.split_once(",\"tags\":{")?;
        if value.len() > 1 && value.starts_with('0') && !value.starts_with("0.") {
            return None;
        }
        let tags = PlainTags::of(rest)?;
        match (metric, value) {
            (b"http_req_duration", _) => {
                let end = self.clock.millis(time)?;
                let nanos = decimal(value.as_bytes(), 6)?;
                self.key.clear();
                for part in [tags.method, "\"", tags.name] {
                    self.key.extend_from_slice(part.as_bytes());
                }
                let samples = tally.samples(&self.key, |key| {
                    let (method, name) = str::from_utf8(key).ok()?.split_once('"')?;
                    Some((Some(method), Some(name).filter(|name| !name.is_empty())?))
                })?;
                samples.add(Some(nanos), Some(true));
                self.points.request(end, nanos);
            }
            (b"http_req_failed", "0") => self.points.judged += 1,
            (b"checks", "0") => self.points.checks[0] += 1,
            (b"checks", "1") => self.points.checks[1] += 1,
            _ => return None,
        }
        Some(())
    }
}

/// The tags that are read, of an object that holds nothing but texts without escapes.
#[derive(Default)]
struct PlainTags<'a> {
    method: &'a str,
    name: &'a str,
}

impl<'a> PlainTags<'a> {
    /// From `"name":"/a","status":"200"}`.
    fn of(text: &'a str) -> Option<Self> {
        let mut tags = Self::default();
        let mut seen = [false; 5];
        let mut rest = text.strip_suffix('}')?;
        if text.bytes().filter(|byte| *byte < b' ' || *byte == b'\\').count() > 0 {
            return None;
        }
        while !rest.is_empty() {
            let (key, more) = rest.strip_prefix('"')?.split_once("\":\"")?;
            let (value, more) = more.split_once('"')?;
            let known = ["name", "url", "method", "status", "error"].iter().position(|known| *known == key);
            if let Some(seen) = known.and_then(|at| seen.get_mut(at)) && std::mem::replace(seen, true) {
                return None;
            }
            match key {
                "method" => tags.method = value,
                "name" => tags.name = value,
                _ if key.contains('"') => return None,
                _ => {}
            }
            rest = if more.is_empty() { more } else { more.strip_prefix(',').filter(|more| !more.is_empty())? };
        }
        Some(tags)
    }
}

/// Reads time stamps that mostly lie in the same minute as the one before.
#[derive(Clone, Default)]
struct Clock {
    /// `2026-11-23T09:04` and the offset from UTC, as written.
    minute: String,
    offset: String,
    /// Where it began, in ns since the epoch.
    began: i64,
}

impl Clock {
    /// Ms since the epoch.
    fn millis(&mut self, time: &str) -> Option<f64> {
        let (minute, rest) = time.split_at_checked(16)?;
        let digits = rest.strip_prefix(':')?;
        let length = digits.bytes().position(|byte| byte != b'.' && !byte.is_ascii_digit())?;
        let (seconds, offset) = digits.split_at_checked(length)?;
        let point = matches!(seconds.as_bytes(), [_, _] | [_, _, b'.', ..]);
        let nanos = decimal(seconds.as_bytes(), 9).filter(|nanos| point && *nanos < 60_000_000_000)?;
        if self.minute != minute || self.offset != offset {
            let began: Timestamp = format!("{minute}:00{offset}").parse().ok()?;
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
