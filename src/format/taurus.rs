//! Taurus (bzt): the final-stats module's `dump-csv` and `dump-xml`.
//!
//! Quirks: seconds with five decimals; `throughput` is the number of samples, not a rate; the total has an empty label and
//! can stand anywhere; `perc_0.0` and `perc_100.0` are the extremes; an empty cell of a response code is 0.

use super::rows::Rows;
use super::{Confidence, Format, Gives, ParseError, Part, Source, xml};
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

pub(super) static CSV: Format = Format {
    id: "taurus-csv",
    tool: "Taurus",
    title: "final stats as CSV (`dump-csv`)",
    versions: "1.17",
    gives: Gives { percentiles: "p50 p90 p95 p99 p99.9", failures: true, users: true, time: false },
    part: Part::Main { rank: 1, suffixes: &[] },
    sniff: |head| {
        let header = head.first_line().trim();
        let has = |word: &str| header.split(',').any(|cell| cell.trim().trim_matches('"') == word);
        Confidence::certain_if(["label", "avg_rt", "avg_lt", "avg_ct", "succ", "fail"].into_iter().all(has))
    },
    parse: parse_csv,
};

pub(super) static XML: Format = Format {
    id: "taurus-xml",
    tool: "Taurus",
    title: "final stats as XML (`dump-xml`)",
    versions: "1.17",
    gives: Gives { percentiles: "p50 p90 p95 p99 p99.9", failures: true, users: true, time: true },
    part: Part::Main { rank: 0, suffixes: &[] },
    sniff: |head| Confidence::certain_if(xml::root(head).as_deref() == Some("FinalStatus")),
    parse: parse_xml,
};

/// Five decimals of a second, in ms.
const STEP: f64 = 0.01;

/// One figure of a label: `avg_rt`, `perc_95.0`, `rc_503`.
struct Group {
    label: String,
    figures: Vec<(String, f64)>,
}

impl Group {
    fn count(&self, key: &str) -> Option<u64> {
        let value = self.figures.iter().find(|(own, _)| own == key)?.1;
        (value.fract() == 0.0 && (0.0..1e15).contains(&value)).then_some(value as u64)
    }

    fn record(&self, recorder: &mut Recorder) {
        if let Some((_, users)) = self.figures.iter().find(|(key, _)| key == "concurrency") {
            recorder.users(*users);
        }
        // The recorder makes a total's name itself.
        let draft = if self.label.is_empty() { recorder.total() } else { recorder.endpoint(None, &self.label) };
        let (succ, fail) = (self.count("succ"), self.count("fail"));
        let requests = succ.zip(fail).map(|(succ, fail)| succ + fail).or_else(|| self.count("throughput"));
        if let Some(requests) = requests {
            draft.requests(requests);
        }
        if let Some(fail) = fail {
            draft.failures(fail);
        }
        if requests != Some(0) {
            for (key, value) in &self.figures {
                figure(draft, key, *value);
            }
        }
    }
}

fn figure(draft: &mut Draft, key: &str, value: f64) {
    if let Some(code) = key.strip_prefix("rc_") {
        let good = code.parse().is_ok_and(|code: u64| code < 400);
        if !good && value >= 1.0 {
            draft.error(&format!("response code {code}"), value as u64);
        }
        return;
    }
    let level = key.strip_prefix("perc_").and_then(|level| level.parse::<f64>().ok());
    let metric = match level {
        Some(0.0) => Some(Metric::LatencyMin),
        Some(100.0) => Some(Metric::LatencyMax),
        Some(level) => Metric::percentile(level / 100.0),
        None if key == "avg_rt" => Some(Metric::LatencyMean),
        None => None,
    };
    if let Some(metric) = metric {
        draft.reported(metric, value * 1e3, Some(STEP));
    }
}

fn parse_csv(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let rows = Rows::with_header(source, b',')?;
    let label = rows.need("label")?;
    let header = rows.header().to_vec();
    recorder.tool("Taurus");
    rows.each(recorder, |row, recorder| {
        if row.len() < header.len() {
            return Err(format!("expected {} cells as in the header, found {}", header.len(), row.len()));
        }
        let mut group = Group { label: row.text(label).to_owned(), figures: Vec::new() };
        for (at, key) in header.iter().enumerate().filter(|(at, _)| *at != label && !row.text(*at).is_empty()) {
            group.figures.push((key.clone(), row.number(at, "a number")?));
        }
        group.record(recorder);
        Ok(())
    })
}

fn parse_xml(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = xml::text(source)?;
    recorder.tool("Taurus");
    if let Some(seconds) = between(&text, "<TestDuration>", "</TestDuration>").and_then(|text| text.parse().ok()) {
        recorder.duration_s(seconds);
    }
    let mut group: Option<Group> = None;
    let mut whole = false;
    xml::elements(&text, |name, element| {
        match (name, element) {
            ("Group", Some(element)) => {
                let label = xml::attribute(element, "label").unwrap_or_default();
                group = Some(Group { label, figures: Vec::new() });
            }
            ("Group", None) => {
                if let Some(group) = group.take() {
                    group.record(recorder);
                }
            }
            ("FinalStatus", None) => whole = true,
            (key, Some(element)) => {
                let value = xml::attribute(element, "value").and_then(|value| value.parse::<f64>().ok());
                if let (Some(group), Some(value)) = (&mut group, value.filter(|value| value.is_finite())) {
                    let key = match xml::attribute(element, "param") {
                        Some(param) => format!("{key}_{param}"),
                        None => key.to_owned(),
                    };
                    group.figures.push((key, value));
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    if whole { Ok(()) } else { Err(ParseError::new("cut off before `</FinalStatus>`")) }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0.trim())
}
