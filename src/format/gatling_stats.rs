//! Gatling's report data: `js/stats.json`, `js/stats.js` (all that there is since 3.13.5), `js/global_stats.json`, and the
//! assertions.
//!
//! Quirks: only requests are endpoints, a group's figures count the group; old versions write numbers as text and `-` for
//! none; the percentiles are numbered, not named (50, 75, 95 and 99 unless configured); no data is -1 or 0; `stats.js` is the same
//! as a script, with bare keys.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::gatling_log::PARTS;
use super::rows::shown;
use super::{Confidence, Format, Gives, ParseError, Part, Source, xml};
use crate::artifact::Head;
use crate::run::Notice;
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

const GIVES: Gives = Gives { percentiles: "p50 p75 p95 p99 as by default, whole ms", failures: true, users: false, time: false };

pub(super) static STATS: Format = Format {
    id: "gatling-stats",
    tool: "Gatling",
    title: "the report's `js/stats.json`",
    versions: "2.0 to 3.13.4",
    gives: GIVES,
    part: Part::Main { rank: 1, suffixes: PARTS },
    sniff: |head| Confidence::certain_if(head.json().has(&["stats.numberOfRequests", "contents"])),
    parse: parse_stats,
};

pub(super) static SCRIPT: Format = Format {
    id: "gatling-stats-js",
    tool: "Gatling",
    title: "the report's `js/stats.js`",
    versions: "2.0 to 3.15",
    gives: GIVES,
    part: Part::Main { rank: 2, suffixes: PARTS },
    sniff: |head| Confidence::certain_if(head.first_line().starts_with(SCRIPT_START) && head.text.contains("\"numberOfRequests\"")),
    parse: parse_script,
};

/// How the script begins.
const SCRIPT_START: &str = "var stats = {";

pub(super) static GLOBAL: Format = Format {
    id: "gatling-global",
    tool: "Gatling",
    title: "the report's `js/global_stats.json`: the total only",
    versions: "2.0 to 3.13.4",
    gives: GIVES,
    part: Part::Main { rank: 3, suffixes: PARTS },
    sniff: |head| Confidence::certain_if(head.json().has(&["numberOfRequests", "percentiles1"])),
    parse: parse_global,
};

pub(super) static ASSERTIONS: Format = Format {
    id: "gatling-assertions",
    tool: "Gatling",
    title: "`js/assertions.json` or `js/assertions.xml`, with the log or the stats: what the simulation itself asserts",
    versions: "2.0 to 3.15",
    gives: Gives { percentiles: "none", failures: false, users: false, time: false },
    part: Part::Companion { rank: 4, suffixes: PARTS },
    sniff: |head| {
        Confidence::certain_if(head.json().has(&["simulation", "simulationId", "assertions"]) || is_assertions(head))
    },
    parse: parse_assertions,
};

/// Largest file of this kind that makes sense.
const LIMIT: u64 = 256 << 20;

#[derive(Deserialize)]
struct Node {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    path: String,
    stats: Stats,
    #[serde(default)]
    contents: BTreeMap<String, Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    number_of_requests: Figure,
    #[serde(default)]
    min_response_time: Figure,
    #[serde(default)]
    max_response_time: Figure,
    #[serde(default)]
    mean_response_time: Figure,
    #[serde(default)]
    percentiles1: Figure,
    #[serde(default)]
    percentiles2: Figure,
    #[serde(default)]
    percentiles3: Figure,
    #[serde(default)]
    percentiles4: Figure,
    #[serde(default)]
    mean_number_of_requests_per_second: Figure,
}

/// Of all requests, the good and the failed ones: numbers, or text, `-` for none.
#[derive(Deserialize, Default)]
struct Figure {
    #[serde(default)]
    total: Value,
    #[serde(default)]
    ko: Value,
}

fn figure(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| number.is_finite() && *number >= 0.0)
}

fn count(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

impl Stats {
    fn record(&self, draft: &mut Draft) -> Result<(), ParseError> {
        let requests = count(&self.number_of_requests.total)
            .ok_or_else(|| ParseError::new("expected a whole number under `numberOfRequests.total`"))?;
        draft.requests(requests);
        if let Some(failures) = count(&self.number_of_requests.ko) {
            draft.failures(failures);
        } else if self.number_of_requests.ko.as_str() == Some("-") {
            draft.failures(0);
        }
        if requests == 0 {
            return Ok(());
        }
        let figures = [
            (Metric::LatencyMin, &self.min_response_time, 1.0),
            (Metric::LatencyMax, &self.max_response_time, 1.0),
            (Metric::LatencyMean, &self.mean_response_time, 1.0),
            (Metric::LatencyP50, &self.percentiles1, 1.0),
            (Metric::LatencyP75, &self.percentiles2, 1.0),
            (Metric::LatencyP95, &self.percentiles3, 1.0),
            (Metric::LatencyP99, &self.percentiles4, 1.0),
            (Metric::Throughput, &self.mean_number_of_requests_per_second, 0.0),
        ];
        for (metric, of, step) in figures {
            if let Some(value) = figure(&of.total) {
                draft.reported(metric, value, Some(step));
            }
        }
        Ok(())
    }
}

fn parse_stats(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    record(&serde_json::from_str(&source.text(LIMIT)?)?, recorder)
}

/// The script's object, with its bare keys in quotes; functions follow it.
fn parse_script(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    const KEYS: [&str; 6] = ["type", "name", "path", "pathFormatted", "stats", "contents"];
    let text = source.text(LIMIT)?;
    let start = text.find('{').unwrap_or_default();
    let object: String = text
        .get(start..)
        .unwrap_or_default()
        .split_inclusive('\n')
        .map(|line| match line.trim_start().split_once(':') {
            Some((key, rest)) if KEYS.contains(&key) => format!("\"{key}\":{rest}"),
            _ => line.to_owned(),
        })
        .collect();
    match serde_json::Deserializer::from_str(&object).into_iter().next() {
        Some(root) => record(&root?, recorder),
        None => Err(ParseError::new("expected an object behind `var stats =`").at_line(1)),
    }
}

fn record(root: &Node, recorder: &mut Recorder) -> Result<(), ParseError> {
    recorder.tool("Gatling");
    root.stats.record(recorder.total())?;
    let mut nodes: Vec<&Node> = root.contents.values().collect();
    while let Some(node) = nodes.pop() {
        if node.kind == "REQUEST" {
            let name = if node.path.is_empty() { &node.name } else { &node.path };
            node.stats.record(recorder.endpoint(None, name))?;
        }
        nodes.extend(node.contents.values());
    }
    Ok(())
}

fn parse_global(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let stats: Stats = serde_json::from_str(&source.text(LIMIT)?)?;
    recorder.tool("Gatling");
    stats.record(recorder.total())
}

/// The XML in JUnit's form: test cases with a `status`, and a suite without any has zeros only.
pub(super) fn is_assertions(head: &Head) -> bool {
    let text = head.text.trim_start();
    let suite = text.starts_with("<testsuite name=") && xml::root(head).as_deref() == Some("testsuite");
    let case = text.split_once("<testcase").map(|(_, case)| case.split('>').next().unwrap_or_default());
    suite && case.map_or_else(|| text.contains(r#"tests="0" errors="0" failures="0" time="0""#), |case| case.contains(r#" status="true""#) || case.contains(r#" status="false""#))
}

#[derive(Deserialize)]
struct Assertions {
    #[serde(default)]
    assertions: Vec<Assertion>,
}

#[derive(Deserialize)]
struct Assertion {
    result: bool,
    #[serde(default)]
    message: String,
}

fn parse_assertions(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let name = source.name.to_owned();
    let text = xml::text(source)?;
    let mut failed: Vec<String> = Vec::new();
    if text.starts_with('<') {
        xml::elements(&text, |tag, element| {
            if let ("testcase", Some(element)) = (tag, element)
                && xml::attribute(element, "status").as_deref() == Some("false")
            {
                failed.push(xml::attribute(element, "name").unwrap_or_default());
            }
            Ok(())
        })?;
    } else {
        let all: Assertions = serde_json::from_str(&text)?;
        failed.extend(all.assertions.into_iter().filter(|one| !one.result).map(|one| one.message));
    }
    if let Some(first) = failed.first() {
        let message = format!("{} of the simulation's own assertions failed, the first: {}", failed.len(), shown(first));
        recorder.notice(Notice::new("tool_assertions", message).in_file(&name));
    }
    Ok(())
}
