//! k6's end-of-test summaries: `--summary-export`, the data of `handleSummary`, and the newer machine-readable summary.
//!
//! Quirks: `passes` of `http_req_failed` are the failed requests; a threshold's `true` means broken in the first layout and
//! fine in the second; percentiles are the user's `summaryTrendStats` (by default no p99); endpoints are there only as
//! selectors that thresholds name, and one that matched nothing is all zeros. `setup_data`, options and the script are in
//! these files too and never kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::k6::{Kind, SUFFIXES, TOOL, custom, dropped, is_custom};
use super::vegeta::millis;
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::artifact::shape::Shape;
use crate::run::Notice;
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

const GIVES: Gives = Gives {
    percentiles: "as in `summaryTrendStats`: p50 p90 p95 by default",
    failures: true,
    users: true,
    time: false,
};

pub(super) static SUMMARY: Format = Format {
    id: "k6-summary",
    tool: TOOL,
    title: "`--summary-export FILE`, or the data of `handleSummary` as JSON",
    versions: "0.26 to 2.2",
    gives: GIVES,
    part: Part::Main { rank: 2, suffixes: SUFFIXES },
    sniff: |head| Confidence::certain_if(metrics_named(head.json()) || root_group(head)),
    parse: parse_summary,
};

pub(super) static MACHINE: Format = Format {
    id: "k6-machine-summary",
    tool: TOOL,
    title: "`--new-machine-readable-summary --summary-export FILE`",
    versions: "1.5 to 2.2",
    gives: Gives { percentiles: "p50 p90 p95", time: true, ..GIVES },
    part: Part::Main { rank: 3, suffixes: SUFFIXES },
    sniff: |head| {
        let shape = head.json();
        Confidence::certain_if(shape.has(&["metadata.k6_version"]) || shape.has(&["config.script", "results.metrics"]))
    },
    parse: parse_machine,
};

/// Largest file of this kind that makes sense: checks and groups of big scripts are in it.
const LIMIT: u64 = 64 << 20;
/// Metrics one of which every summary has.
const USUAL: [&str; 8] = [
    "http_reqs",
    "http_req_duration",
    "iterations",
    "iteration_duration",
    "data_sent",
    "data_received",
    "vus",
    "grpc_req_duration",
];
/// What measures requests, by protocol: latency, count, failures. The first one present is the run's.
const FAMILIES: [[&str; 3]; 3] = [
    ["http_req_duration", "http_reqs", "http_req_failed"],
    ["browser_http_req_duration", "browser_http_reqs", "browser_http_req_failed"],
    ["grpc_req_duration", "grpc_reqs", "grpc_req_failed"],
];
/// Broken thresholds that are named in a notice.
const NAMED: usize = 5;

fn metrics_named(shape: &Shape) -> bool {
    USUAL.iter().any(|name| shape.has_any(&[&format!("metrics.{name}")]) || wrapped(shape, name))
}

/// Users put k6's data beside their own: `{"k6": {"metrics": …}}`.
fn wrapped(shape: &Shape, name: &str) -> bool {
    shape.top().any(|top| shape.has_any(&[&format!("{top}.metrics.{name}")]))
}

/// A tree of groups so large that the metrics lie beyond what recognition looks at.
fn root_group(head: &Head) -> bool {
    !head.whole && head.json().has(&["root_group.groups", "root_group.path"])
}

/// Metric name, how it adds up if the file says so, its figures and its thresholds.
struct Entry<'a> {
    name: &'a str,
    kind: Kind,
    figures: &'a Map<String, Value>,
    thresholds: Option<&'a Map<String, Value>>,
}

impl<'a> Entry<'a> {
    fn of(name: &'a str, value: &'a Value) -> Option<Self> {
        let metric = value.as_object()?;
        // `sample` is k6 cloud's older word; without either the figures lie in the metric itself.
        let figures = ["values", "sample"].iter().find_map(|key| metric.get(*key)?.as_object()).unwrap_or(metric);
        let kind = metric.get("type").and_then(Value::as_str).and_then(Kind::of).or_else(|| guess(figures))?;
        let thresholds = metric.get("thresholds").and_then(Value::as_object);
        Some(Self { name, kind, figures, thresholds })
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.figures.get(key)?.as_f64()
    }

    fn count(&self, key: &str) -> Option<u64> {
        let value = self.figures.get(key)?;
        value.as_u64().or_else(|| Some(value.as_f64()?).filter(|n| n.fract() == 0.0 && *n >= 0.0).map(|n| n as u64))
    }

    /// `(trues, all)` of a rate.
    fn shares(&self) -> Option<(u64, u64)> {
        let old = self.count("passes").zip(self.count("fails"));
        let old = old.and_then(|(passes, fails)| Some((passes, passes.checked_add(fails)?)));
        old.or_else(|| self.count("matches").zip(self.count("total")))
    }

    /// The one figure that stands for the metric.
    fn value(&self) -> Option<f64> {
        match self.kind {
            Kind::Counter => self.number("count"),
            Kind::Gauge => self.number("value"),
            Kind::Rate => self.number("rate").or_else(|| self.number("value")),
            Kind::Trend => self.number("avg"),
        }
    }

    /// A trend that never got a sample: all zeros, and no count to say otherwise.
    fn without_samples(&self) -> bool {
        self.kind == Kind::Trend && self.figures.iter().all(|(_, value)| value.as_f64().is_none_or(|n| n == 0.0))
    }

    /// Percentiles by level, extremes and mean.
    fn latencies(&self) -> impl Iterator<Item = (Metric, f64)> {
        self.figures.iter().filter_map(|(key, value)| Some((latency(key)?, value.as_f64()?)))
    }
}

/// How a metric adds up, from its figures' names.
fn guess(figures: &Map<String, Value>) -> Option<Kind> {
    let has = |key: &str| figures.contains_key(key);
    Some(if has("avg") || has("med") || figures.keys().any(|key| level(key).is_some()) {
        Kind::Trend
    } else if has("passes") || has("matches") {
        Kind::Rate
    } else if has("count") {
        Kind::Counter
    } else if has("value") {
        Kind::Gauge
    } else if has("min") || has("max") {
        Kind::Trend
    } else {
        return None;
    })
}

/// `p(95)`, or `p95` of the newer layout.
fn level(key: &str) -> Option<f64> {
    let digits = key.strip_prefix('p')?;
    let digits = digits.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(digits);
    digits.trim().parse::<f64>().ok().map(|percent| percent / 100.0)
}

pub(super) fn latency(key: &str) -> Option<Metric> {
    match key {
        "avg" => Some(Metric::LatencyMean),
        "med" => Some(Metric::LatencyP50),
        "min" => Some(Metric::LatencyMin),
        "max" => Some(Metric::LatencyMax),
        _ => Metric::percentile(level(key)?),
    }
}

fn parse_summary(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let document: Value = serde_json::from_str(&source.text(LIMIT)?)?;
    let mut data = [&document].into_iter().chain(document.as_object().into_iter().flat_map(Map::values));
    let found = data.find_map(|data| Some((data, data.get("metrics")?.as_object()?)));
    let Some((data, metrics)) = found else {
        return Err(ParseError::new("expected an object `metrics`").hint("write `JSON.stringify(data)` in handleSummary"));
    };
    let entries: Vec<Entry<'_>> = metrics.iter().filter_map(|(name, value)| Entry::of(name, value)).collect();
    let length = data.pointer("/state/testRunDurationMs").and_then(Value::as_f64).map(|ms| ms / 1e3);
    record(&entries, length, recorder);
    Ok(())
}

fn parse_machine(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let document: Value = serde_json::from_str(&source.text(LIMIT)?)?;
    let list = |path: &str| document.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let named = |value: &'_ Value| value.get("name").and_then(Value::as_str).map(str::to_owned);
    let listed: Vec<(String, &Value)> = list("/results/metrics").iter().filter_map(|one| Some((named(one)?, one))).collect();
    if listed.is_empty() {
        return Err(ParseError::new("expected a list `results.metrics`"));
    }
    // Checks have a place of their own here; elsewhere they are one metric among the others.
    let checks = list("/results/checks/metrics").iter().filter(|one| named(one).as_deref() == Some("checks_succeeded"));
    let checks = checks.map(|one| ("checks".to_owned(), one));
    let listed: Vec<(String, &Value)> = listed.into_iter().chain(checks).collect();
    let entries: Vec<Entry<'_>> = listed.iter().filter_map(|(name, value)| Entry::of(name, value)).collect();
    let length = document.pointer("/config/duration").and_then(Value::as_f64);
    let text = |path: &str| document.pointer(path).and_then(Value::as_str);
    if let Some(version) = text("/metadata/k6_version") {
        recorder.tool_version(version);
    }
    // Written right after the last request.
    if let (Some(end), Some(seconds)) = (text("/metadata/generated_at").and_then(|time| time.parse::<Timestamp>().ok()), length) {
        recorder.spans(millis(end) - seconds * 1e3, millis(end));
    }
    record(&entries, length, recorder);
    Ok(())
}

fn record(entries: &[Entry<'_>], length: Option<f64>, recorder: &mut Recorder) {
    recorder.tool(TOOL);
    let find = |name: &str| entries.iter().find(|entry| entry.name == name);
    // Counters are printed with their rate over the whole test.
    let length = length.or_else(|| {
        let mut counters = ["http_reqs", "iterations", "data_received"].into_iter().filter_map(find);
        counters.find_map(|entry| Some(entry.number("count")? / entry.number("rate").filter(|rate| *rate > 0.0)?))
    });
    if let Some(seconds) = length {
        recorder.duration_s(seconds);
    }
    if let Some(users) = find("vus").and_then(|vus| vus.number("max").or_else(|| vus.number("value"))) {
        recorder.users(users);
    }
    dropped(find("dropped_iterations").and_then(|entry| entry.number("count")).unwrap_or(0.0), recorder);
    let family = FAMILIES.iter().find(|names| find(names[0]).is_some()).unwrap_or(&FAMILIES[0]);
    requests(family.map(find), recorder.total());
    for (selector, parts) in selectors(entries, family) {
        if let Some((method, name)) = endpoint(selector) {
            let measured = parts.iter().flatten().any(|part| part.count("count").or(part.shares().map(|(_, all)| all)).is_some());
            // Zeros without a count are no data.
            if measured || parts.iter().flatten().any(|part| !part.without_samples()) {
                requests(parts, recorder.endpoint(method.as_deref(), &name));
            }
        }
    }
    for entry in entries.iter().filter(|entry| is_custom(entry.name) && !entry.without_samples()) {
        customs(entry, recorder.total());
    }
    thresholds(entries, recorder);
}

/// The metrics of each selector of the family, by the text in its braces.
fn selectors<'a>(entries: &'a [Entry<'a>], family: &[&str; 3]) -> BTreeMap<&'a str, [Option<&'a Entry<'a>>; 3]> {
    let mut found: BTreeMap<&str, [Option<&Entry<'_>>; 3]> = BTreeMap::new();
    for entry in entries {
        let Some((base, selector)) = entry.name.strip_suffix('}').and_then(|name| name.split_once('{')) else { continue };
        for (own, slot) in family.iter().zip(found.entry(selector).or_default()) {
            if *own == base {
                *slot = Some(entry);
            }
        }
    }
    found.retain(|_, parts| parts.iter().any(Option::is_some));
    found
}

/// Method and name of a selector: `name:/items,method:POST` is `POST /items`; other tags stay what they are. `None` for
/// the built-in selection of good answers.
pub(super) fn endpoint(selector: &str) -> Option<(Option<String>, String)> {
    let (mut method, mut name, mut others) = (None, None, Vec::new());
    for tag in selector.split(',') {
        let (key, value) = tag.split_once(':').unwrap_or((tag, ""));
        let (key, value) = (key.trim(), value.trim().trim_matches(['"', '\'']));
        match key {
            "expected_response" => return None,
            "method" => method = Some(value.to_owned()),
            "name" => name = Some(value.to_owned()),
            "url" if name.is_none() => name = Some(value.to_owned()),
            _ => others.push(tag.trim()),
        }
    }
    match (name, others.join(",")) {
        (Some(name), others) if others.is_empty() => Some((method, name)),
        (Some(name), others) => Some((method, format!("{name} {{{others}}}"))),
        (None, others) if others.is_empty() => Some((None, selector.trim().to_owned())),
        (None, others) => Some((method, others)),
    }
}

fn requests([duration, count, failed]: [Option<&Entry<'_>>; 3], draft: &mut Draft) {
    let shares = failed.and_then(Entry::shares);
    let known = [count, duration].into_iter().flatten().find_map(|entry| entry.count("count"));
    let known = known.or(shares.map(|(_, all)| all));
    if let Some(known) = known {
        draft.requests(known);
    }
    if let Some((failures, _)) = shares {
        draft.failures(failures);
    } else if let Some(rate) = failed.and_then(Entry::value) {
        draft.reported(Metric::ErrorRate, rate, Some(0.0));
    }
    if let Some(rate) = count.and_then(|count| count.number("rate")) {
        draft.reported(Metric::Throughput, rate, Some(0.0));
    }
    let empty = known == Some(0) || known.is_none() && duration.is_some_and(Entry::without_samples);
    for (metric, ms) in duration.filter(|_| !empty).into_iter().flat_map(Entry::latencies) {
        draft.reported(metric, ms, Some(0.0));
    }
}

fn customs(entry: &Entry<'_>, draft: &mut Draft) {
    if let Some(value) = entry.value() {
        draft.reported(custom(entry.name, None), value, Some(0.0));
    }
    if entry.kind == Kind::Trend {
        for (metric, value) in entry.latencies().filter(|(metric, _)| *metric != Metric::LatencyMean) {
            draft.reported(custom(entry.name, Some(&metric.title())), value, Some(0.0));
        }
    }
}

/// k6's own judgement, which ours does not replace.
fn thresholds(entries: &[Entry<'_>], recorder: &mut Recorder) {
    // A bare boolean says "broken", an object says "ok".
    let broken = |value: &Value| value.as_bool() == Some(true) || value.get("ok").and_then(Value::as_bool) == Some(false);
    let mut names: Vec<String> = Vec::new();
    for entry in entries {
        for (rule, value) in entry.thresholds.into_iter().flatten() {
            if broken(value) {
                names.push(format!("{} {rule}", entry.name));
            }
        }
    }
    names.sort_unstable();
    if !names.is_empty() {
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let short: Vec<String> = names.iter().map(|name| super::rows::shown(name)).collect();
        recorder.notice(Notice::new("k6_thresholds", format!("k6 found its own thresholds broken: {}{more}", short.join("; "))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_names_an_endpoint() {
        let check = |selector, method: Option<&str>, name: &str| {
            assert_eq!(endpoint(selector), Some((method.map(str::to_owned), name.to_owned())), "{selector}");
        };
        check("name:/tools", None, "/tools");
        check("name:/items,method:POST", Some("POST"), "/items");
        check("method:POST, name:\"http://h/a:1\"", Some("POST"), "http://h/a:1");
        check("name:/items,scenario:peak", None, "/items {scenario:peak}");
        check("group:::checkout", None, "group:::checkout");
        check("endpoint:projects", None, "endpoint:projects");
        check("method:GET", None, "method:GET");
        assert_eq!(endpoint("expected_response:true"), None);
    }

    #[test]
    fn percentiles_are_read_in_either_spelling() {
        assert_eq!(latency("p(95)"), Some(Metric::LatencyP95));
        assert_eq!(latency("p(99.9)"), Some(Metric::LatencyP999));
        assert_eq!(latency("p90"), Some(Metric::LatencyP90));
        assert_eq!(latency("p(66)"), None);
        assert_eq!(latency("passes"), None);
    }
}
