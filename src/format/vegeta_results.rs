//! vegeta's single results: `vegeta encode --to json` or `--to csv`, and the binary that `vegeta attack` writes.
//!
//! Quirks: the CSV has no header; order is by completion; a non-empty `error` is a failure, and every code outside 200 to
//! 399 sets it; the binary (Go's gob) is recognised only to say how to convert it. Bodies and headers are never kept.

use jiff::Timestamp;
use serde::Deserialize;

use super::columns::{self, Batch, TOGETHER};
use super::plain::{Span, Split};
use super::rows::{PlainRow, Rows, next_line};
use super::vegeta::{SUFFIXES, millis};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::recorder::{Recorder, Samples};
use crate::run::tally::Tally;
use crate::run::timeline::Timeline;

const GIVES: Gives = Gives { percentiles: "any (from samples)", failures: true, users: false, time: true };

pub(super) static NDJSON: Format = Format {
    id: "vegeta-json",
    tool: "vegeta",
    title: "`vegeta encode --to json`: one JSON object per request",
    versions: "12.13",
    gives: GIVES,
    part: Part::Main { rank: 0, suffixes: SUFFIXES },
    sniff: |head| {
        Confidence::certain_if(head.json().has(&["attack", "seq", "code", "latency", "timestamp"]))
    },
    parse: parse_json,
};

pub(super) static CSV: Format = Format {
    id: "vegeta-csv",
    tool: "vegeta",
    title: "`vegeta encode --to csv`",
    versions: "12.13",
    gives: GIVES,
    part: Part::Main { rank: 0, suffixes: SUFFIXES },
    sniff: sniff_csv,
    parse: parse_csv,
};

pub(super) static GOB: Format = Format {
    id: "vegeta-gob",
    tool: "vegeta",
    title: "the binary of `vegeta attack`: recognised, to be converted with `vegeta encode`",
    versions: "12.13",
    gives: Gives { percentiles: "none", failures: false, users: false, time: false },
    part: Part::Main { rank: 9, suffixes: SUFFIXES },
    sniff: sniff_gob,
    parse: parse_gob,
};

/// The 19 digits of nanoseconds since the epoch, a code, and a latency.
fn sniff_csv(head: &Head) -> Confidence {
    let cells: Vec<&str> = head.first_line().split(',').collect();
    let digits = |at: usize| cells.get(at).is_some_and(|cell| !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit()));
    let nanos = cells.first().is_some_and(|cell| cell.len() == 19);
    Confidence::certain_if((8..=12).contains(&cells.len()) && nanos && (0..5).all(digits))
}

/// The type description that begins every gob of this kind.
fn sniff_gob(head: &Head) -> Confidence {
    let start: String = head.text.chars().take(400).collect();
    let mut rest = start.as_str();
    let found = ["Result", "Attack", "Seq", "Code", "Timestamp", "Latency"].into_iter().all(|word| {
        let after = rest.split_once(word).map(|(_, after)| after);
        rest = after.unwrap_or_default();
        after.is_some()
    });
    Confidence::certain_if(found && !head.first_line().trim_start().starts_with(['{', '[']))
}

fn parse_gob(source: &mut Source<'_>, _: &mut Recorder) -> Result<(), ParseError> {
    let start = source.reader.fill_buf()?;
    // Redirected by PowerShell the bytes went through a text encoding and cannot be restored.
    if start.contains(&0xef) && start.windows(3).any(|three| three == [0xef, 0xbf, 0xbd]) {
        let error = ParseError::new("vegeta's binary results, broken by a text redirection");
        return Err(error.hint("attack again with `vegeta attack -output=results.bin` (not `>` in PowerShell)"));
    }
    let hint = format!("convert it: vegeta encode --to json --output {}.json {}", source.stem(), source.name);
    Err(ParseError::new("vegeta's binary results, which only vegeta reads").hint(hint))
}

#[derive(Deserialize)]
struct Wire {
    code: u64,
    timestamp: String,
    latency: u64,
    #[serde(default)]
    error: String,
    #[serde(default)]
    method: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    attack: String,
}

fn parse_json(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    recorder.tool("vegeta");
    recorder.sample_step(0.0);
    let mut line = Vec::new();
    let mut at = 0;
    while next_line(source, &mut line)? {
        at += 1;
        if !line.trim_ascii().is_empty() {
            match serde_json::from_slice::<Wire>(&line) {
                Ok(wire) => {
                    let name = if wire.url.is_empty() { &wire.attack } else { &wire.url };
                    let good = add(recorder, Some(&wire.method), name, wire.latency, wire.code, &wire.error);
                    if let Ok(time) = wire.timestamp.parse::<Timestamp>() {
                        recorder.happened(millis(time), Some(wire.latency as f64 / 1e6), Some(good));
                    }
                    recorder.good_row();
                }
                Err(error) => recorder.bad_row(at, format!("not a result of vegeta: {error}")),
            }
        }
    }
    Ok(())
}

/// Whether it was fine.
fn add(recorder: &mut Recorder, method: Option<&str>, name: &str, latency: u64, code: u64, error: &str) -> bool {
    let good = error.is_empty() && (200..400).contains(&code);
    let draft = recorder.endpoint(method, name);
    draft.samples().add(Some(latency), Some(good));
    if !good {
        let text = if code == 0 { error.to_owned() } else { format!("HTTP {code}") };
        draft.error(&text, 1);
    }
    good
}

fn parse_csv(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let stem = source.stem().to_owned();
    recorder.tool("vegeta");
    recorder.sample_step(0.0);
    let mut plain = PlainResults::default();
    Rows::in_blocks(source, b',', false)?.each_or(&mut plain, recorder, |row, recorder| {
        let start = row.whole(0, "nanoseconds since the epoch")?;
        let (code, latency) = (row.whole(1, "a status code")?, row.whole(2, "nanoseconds")?);
        if row.len() < 8 {
            return Err(format!("expected 8 to 12 cells, found {}", row.len()));
        }
        recorder.spans(start as f64 / 1e6, start.saturating_add(latency) as f64 / 1e6);
        // Method and URL came with version 12.
        let (method, name) = match row.text(10) {
            "" => (None, if row.text(7).is_empty() { stem.as_str() } else { row.text(7) }),
            url => (Some(row.text(9)), url),
        };
        let good = add(recorder, method, name, latency, code, row.lossy(5).trim());
        recorder.timeline().add(millisecond(start.saturating_add(latency)), Some(latency), Some(good));
        Ok(())
    })?;
    if let Some((start, end)) = plain.span.get() {
        recorder.spans(start as f64 / 1e6, end as f64 / 1e6);
    }
    recorder.timeline().merge(&plain.timeline);
    Ok(())
}

/// In which millisecond that nanosecond is.
pub(super) fn millisecond(nanos: u64) -> i64 {
    (nanos / 1_000_000).cast_signed()
}

/// Rows of version 12.
#[derive(Clone, Default)]
struct PlainResults {
    span: Span<u64>,
    timeline: Timeline,
}

/// Where a request is counted, and whether it went well; `None` if anything about its row is unusual.
#[expect(clippy::inline_always, reason = "a part of `take`")]
#[inline(always)]
fn outcome_of<'a>(row: &Split<'_>, code: u64, tally: &'a mut Tally) -> Option<(&'a mut Samples, bool)> {
    let (key, error) = (row.between(9, 10)?, row.get(5)?);
    let name = || {
        let (method, url) = str::from_utf8(key).ok()?.split_once(',')?;
        Some((Some(method), Some(url.trim()).filter(|url| !url.is_empty())?.into()))
    };
    if (200..400).contains(&code) && error.is_empty() {
        return Some((tally.samples(key, name)?, true));
    }
    str::from_utf8(error).ok()?;
    // White space is no error, and an error that is a number would be taken for a code.
    if error.first().is_some_and(|byte| !byte.is_ascii_graphic()) || (code == 0 && error.iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let kind = if code == 0 { error } else { row.get(1)? };
    let text = str::from_utf8(kind).ok()?.trim();
    let kind_of = || if code == 0 { text.to_owned() } else { format!("HTTP {code}") };
    let place = tally.failed(key, name, kind, kind_of)?;
    Some((tally.at(place)?, false))
}

impl PlainRow for PlainResults {
    fn last(&self) -> usize {
        10
    }

    #[expect(clippy::inline_always, reason = "as it says there")]
    #[inline(always)]
    fn take(&mut self, batch: &Batch<'_>, tally: &mut Tally) -> usize {
        let [mut starts, mut codes, mut latencies] = [[0; TOGETHER]; 3];
        let read = [
            columns::nineteen_digits(batch, 0, &mut starts),
            columns::wholes(batch, 1, &mut codes),
            columns::long_wholes(batch, 2, &mut latencies),
        ];
        let rows = read.into_iter().min().unwrap_or(0);
        let ends = columns::sums(&starts, &latencies);
        let mut taken = 0;
        for (((row, code), latency), end) in batch.first(rows).rows().zip(&codes).zip(&latencies).zip(&ends) {
            let Some((samples, good)) = outcome_of(&row, *code, tally) else { break };
            samples.add(Some(*latency), Some(good));
            self.timeline.add(millisecond(*end), Some(*latency), Some(good));
            taken += 1;
        }
        self.span.add_first(taken, &starts, &ends);
        taken
    }

    fn join(&mut self, other: Self) {
        self.span.join(other.span);
        self.timeline.merge(&other.timeline);
    }
}
