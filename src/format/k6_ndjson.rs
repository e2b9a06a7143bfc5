//! k6's `--out json`: one JSON object per line, either a metric's declaration or one measured point.
//!
//! Quirks: a request is one point of each of nine metrics, of which two are read; the order of keys differs between
//! versions; `time` is the end of the request; a request without answer has status "0" and often duration 0; names that
//! the script does not set are full URLs.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;

use super::k6::{Kind, Points, SUFFIXES, TOOL, Tags};
use super::rows::next_line;
use super::vegeta::millis;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::Notice;
use crate::run::recorder::Recorder;

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
    let stem = source.stem().to_owned();
    let mut points = Points::default();
    let mut line = Vec::new();
    let mut at = 0;
    while next_line(source, &mut line)? {
        at += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match read(&line, &stem, &mut points, recorder) {
            Ok(()) => recorder.good_row(),
            // k6 was killed, or still writes.
            Err(_) if !line.ends_with(b"\n") => {
                recorder.complete(false);
                recorder.notice(Notice::new("cut_off", "the last line is not whole: k6 did not end by itself").at_line(at));
            }
            Err(why) => recorder.bad_row(at, why),
        }
    }
    points.finish(recorder);
    Ok(())
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
