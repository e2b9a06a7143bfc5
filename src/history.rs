//! Every run of a suite over time: one line of JSON per workflow run, numbers only (SPEC section 7).
//!
//! A history is text. [`append`] and [`merge`] take any text, keep the lines that are a history's, each workflow run once,
//! in order of time: the same set of lines gives the same bytes, so parallel jobs and merged branches never disagree.

pub mod gaps;
pub mod trend;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::baseline::store::{Short, significant};
use crate::report::SuiteReport;
use crate::run::metric::Metric;
use crate::run::{Endpoint, LoadFacts};
use crate::verdict::{Outcome, Status};

/// The schema name of history lines.
pub const SCHEMA: &str = "loadgate.history/1";
/// What every version of it begins with: a newer line is kept as it stands, and read as far as we know its words.
const FAMILY: &str = "loadgate.history/";
/// Longest line that is read, in bytes: ten thousand endpoints fit.
const LONGEST: usize = 8 << 20;
/// Digits kept of a figure; fewer than a report shows would be too few, more are noise.
const DIGITS: usize = 6;

/// What is remembered of an endpoint of every run, where it is known; metrics of the user's own beside it.
const KEPT: [Metric; 8] = [
    Metric::ErrorRate,
    Metric::LatencyMean,
    Metric::LatencyP50,
    Metric::LatencyP95,
    Metric::LatencyP99,
    Metric::Throughput,
    Metric::Requests,
    Metric::Failures,
];

/// Values by metric, in the metric's unit.
pub type Figures = BTreeMap<Metric, f64>;

/// One workflow run of one suite.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// [`SCHEMA`].
    pub schema: Cow<'static, str>,
    /// When the load test ran, or else when it was judged.
    pub time: Timestamp,
    /// The commit that was tested.
    pub commit: Option<String>,
    /// Its branch or tag.
    #[serde(rename = "ref")]
    pub git_ref: Option<String>,
    /// GitHub's number of the workflow run; repeated attempts share it.
    pub workflow_run_id: Option<u64>,
    /// What was said of the suite.
    pub verdict: Outcome,
    /// Load and duration.
    pub load: LoadFacts,
    /// When the newest baseline run ran that this one was compared with.
    pub baseline: Option<Timestamp>,
    /// By label, `(total)` included.
    #[serde(serialize_with = "short_figures")]
    pub endpoints: BTreeMap<String, Figures>,
    /// The value each judged row must not pass, by label.
    #[serde(serialize_with = "short_figures", skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Figures>,
    /// What was said of rows, by label, where it was not simply `pass`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub states: BTreeMap<String, BTreeMap<Metric, Status>>,
}

/// What tells one line from the others, read without its figures: those are nearly all of a line, and most uses need none.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Head {
    schema: String,
    /// As in [`Line`].
    pub time: Timestamp,
    /// As in [`Line`].
    #[serde(default)]
    pub commit: Option<String>,
    /// As in [`Line`].
    #[serde(default, rename = "ref")]
    pub git_ref: Option<String>,
    /// As in [`Line`].
    #[serde(default)]
    pub workflow_run_id: Option<u64>,
    /// As in [`Line`].
    pub verdict: Outcome,
    /// How many endpoints the line has figures of, `(total)` included.
    #[serde(default, deserialize_with = "number_of_entries")]
    pub endpoints: usize,
}

impl Head {
    fn from_text(text: &str) -> Option<Self> {
        let head: Self = serde_json::from_str(text).ok().filter(|_| text.len() <= LONGEST)?;
        head.schema.starts_with(FAMILY).then_some(head)
    }
}

/// What is known of a run beyond its report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When it was judged; counts where the artifact does not say when the load test ran.
    pub now: Timestamp,
    /// The commit that was tested.
    pub commit: Option<String>,
    /// Its branch or tag.
    pub git_ref: Option<String>,
    /// GitHub's number of the workflow run.
    pub workflow_run_id: Option<u64>,
}

impl Line {
    /// What is remembered of a suite's report; `None` if nothing was measured.
    pub fn of(suite: &SuiteReport, stamp: Stamp) -> Option<Self> {
        let run = suite.run.as_ref()?;
        let endpoints = run.endpoints.iter().chain(&run.total).map(|endpoint| (endpoint.label(), figures(endpoint)));
        let mut states: BTreeMap<String, BTreeMap<Metric, Status>> = BTreeMap::new();
        let mut limits: BTreeMap<String, Figures> = BTreeMap::new();
        for (metric, row) in suite.rows.iter().filter_map(|row| row.metric.clone().zip(Some(row))) {
            let judged = !matches!(row.status, Status::Info | Status::NotMeasured);
            if let Some(boundary) = row.boundary.filter(|_| judged) {
                limits.entry(row.endpoint.clone()).or_default().insert(metric.clone(), boundary);
            }
            if judged && row.status != Status::Pass {
                states.entry(row.endpoint.clone()).or_default().insert(metric, row.status);
            }
        }
        Some(Self {
            schema: Cow::Borrowed(SCHEMA),
            time: run.started_at.unwrap_or(stamp.now),
            commit: stamp.commit,
            git_ref: stamp.git_ref,
            workflow_run_id: stamp.workflow_run_id,
            verdict: suite.verdict,
            load: run.load_facts(),
            baseline: suite.baseline.newest,
            endpoints: endpoints.collect(),
            limits,
            states,
        })
    }

    /// The line as it is stored, without a line end.
    pub fn to_text(&self) -> String {
        // Text, finite numbers and maps with text keys always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads one line; `None` for anything that is not a history's. Of a newer version the words we know are read.
    pub fn from_text(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        serde_json::from_str::<WireLine>(text).ok()?.into()
    }
}

fn figures(endpoint: &Endpoint) -> Figures {
    let mut figures: Figures = KEPT
        .into_iter()
        .chain(endpoint.metrics.keys().filter(|metric| matches!(metric, Metric::Custom(_))).cloned())
        .filter_map(|metric| endpoint.value(&metric).map(|value| (metric, value)))
        .collect();
    let rate = endpoint.error_rate().map(|rate| (Metric::ErrorRate, rate));
    let counts = [(Metric::Requests, endpoint.requests), (Metric::Failures, endpoint.failures)];
    figures.extend(counts.into_iter().filter_map(|(metric, count)| Some((metric, count? as f64))).chain(rate));
    figures
}

/// A history as text with `line` in it: the runs of `existing` and this one, each workflow run once, the newest `keep`.
pub fn append(existing: &str, line: &Line, keep: usize) -> String {
    merge(&[existing, &line.to_text()], keep)
}

/// Several histories of one suite as one: the union of their lines, in order of time, the newest `keep` of them.
///
/// What is no line of a history (conflict marks, half a line) is left out. Of a workflow run that stands there more than
/// once, the latest attempt counts.
pub fn merge(parts: &[&str], keep: usize) -> String {
    let (heads, _) = sorted(parts);
    let surplus = heads.len().saturating_sub(keep.max(1));
    heads.into_keys().skip(surplus).flat_map(|(_, text)| [text, "\n"]).collect()
}

/// The lines of a history, oldest first, each workflow run once; and how many lines of the text are none.
pub fn read(text: &str) -> (Vec<Line>, usize) {
    let (heads, skipped) = sorted(&[text]);
    let all = heads.len();
    let lines: Vec<Line> = heads.into_keys().filter_map(|(_, text)| Line::from_text(text)).collect();
    let odd = all - lines.len();
    (lines, skipped + odd)
}

/// As [`read`], without the figures.
pub fn heads(text: &str) -> (Vec<Head>, usize) {
    let (heads, skipped) = sorted(&[text]);
    (heads.into_values().collect(), skipped)
}

/// Each workflow run once, in order of time, with the text it was read from; and how many lines are none.
fn sorted<'a>(parts: &[&'a str]) -> (BTreeMap<(Timestamp, &'a str), Head>, usize) {
    let mut heads = BTreeMap::new();
    let mut runs: BTreeMap<u64, (Timestamp, &str)> = BTreeMap::new();
    let mut skipped = 0;
    for text in parts.iter().flat_map(|part| part.lines()).map(str::trim).filter(|text| !text.is_empty()) {
        let Some(head) = Head::from_text(text) else {
            skipped += 1;
            continue;
        };
        let entry = (head.time, text);
        if let Some(id) = head.workflow_run_id {
            let known = runs.entry(id).or_insert(entry);
            let earlier = entry.min(*known);
            *known = entry.max(*known);
            if *known != earlier {
                heads.remove(&earlier);
            }
            if *known != entry {
                continue;
            }
        }
        heads.insert(entry, head);
    }
    (heads, skipped)
}

fn number_of_entries<'de, D: Deserializer<'de>>(input: D) -> Result<usize, D::Error> {
    struct Entries;
    impl<'de> Visitor<'de> for Entries {
        type Value = usize;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("figures by endpoint")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<usize, A::Error> {
            let mut number = 0;
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                number += 1;
            }
            Ok(number)
        }
    }
    input.deserialize_map(Entries)
}

fn short_figures<S: Serializer>(endpoints: &BTreeMap<String, Figures>, out: S) -> Result<S::Ok, S::Error> {
    let short = |figures: &Figures| -> BTreeMap<Metric, Short> {
        figures.iter().map(|(metric, value)| (metric.clone(), Short(significant(*value, DIGITS)))).collect()
    };
    out.collect_map(endpoints.iter().map(|(label, figures)| (label, short(figures))))
}

/// [`Line`] as it may come back from a branch that anybody may have edited.
#[derive(Deserialize)]
struct WireLine {
    schema: String,
    time: Timestamp,
    #[serde(default)]
    commit: Option<String>,
    #[serde(default, rename = "ref")]
    git_ref: Option<String>,
    #[serde(default)]
    workflow_run_id: Option<u64>,
    verdict: Outcome,
    #[serde(default)]
    load: LoadFacts,
    #[serde(default)]
    baseline: Option<Timestamp>,
    #[serde(default)]
    endpoints: BTreeMap<String, Known<Metric, f64>>,
    #[serde(default)]
    limits: BTreeMap<String, Known<Metric, f64>>,
    #[serde(default)]
    states: BTreeMap<String, Known<Metric, Status>>,
}

impl From<WireLine> for Option<Line> {
    fn from(wire: WireLine) -> Self {
        fn known<V>(by_label: BTreeMap<String, Known<Metric, V>>) -> BTreeMap<String, BTreeMap<Metric, V>> {
            by_label.into_iter().map(|(label, known)| (label, known.0)).collect()
        }
        wire.schema.starts_with(FAMILY).then(|| Line {
            schema: Cow::Owned(wire.schema),
            time: wire.time,
            commit: wire.commit,
            git_ref: wire.git_ref,
            workflow_run_id: wire.workflow_run_id,
            verdict: wire.verdict,
            load: wire.load,
            baseline: wire.baseline,
            endpoints: known(wire.endpoints),
            limits: known(wire.limits),
            states: known(wire.states),
        })
    }
}

/// A map of which only the entries that we understand are read.
struct Known<K, V>(BTreeMap<K, V>);

impl<'de, K: FromStr + Ord, V: DeserializeOwned> Deserialize<'de> for Known<K, V> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);
        impl<'de, K: FromStr + Ord, V: DeserializeOwned> Visitor<'de> for Entries<K, V> {
            type Value = Known<K, V>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("figures by metric")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut known = BTreeMap::new();
                while let Some((key, value)) = entries.next_entry::<Cow<'de, str>, Value>()? {
                    if let (Ok(key), Ok(value)) = (key.parse(), V::deserialize(value)) {
                        known.insert(key, value);
                    }
                }
                Ok(Known(known))
            }
        }
        input.deserialize_map(Entries(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) fn line(second: i64, id: Option<u64>, p95: f64) -> Line {
        Line {
            schema: SCHEMA.into(),
            time: Timestamp::from_second(second).unwrap(),
            commit: Some("4f1c2ab".to_owned()),
            git_ref: Some("main".to_owned()),
            workflow_run_id: id,
            verdict: Outcome::Pass,
            load: LoadFacts::default(),
            baseline: None,
            endpoints: [("GET /".to_owned(), [(Metric::LatencyP95, p95)].into())].into(),
            limits: BTreeMap::new(),
            states: [("GET /".to_owned(), [(Metric::LatencyP95, Status::Inconclusive)].into())].into(),
        }
    }

    #[test]
    fn a_line_is_written_and_read_back() {
        let line = line(1_767_492_000, Some(7), 123.456_789);
        let text = line.to_text();
        assert_eq!(
            text,
            r#"{"schema":"loadgate.history/1","time":"2026-01-04T02:00:00Z","commit":"4f1c2ab","ref":"main","workflow_run_id":7,"verdict":"pass","load":{"users":null,"target_rps":null,"duration_s":null},"baseline":null,"endpoints":{"GET /":{"latency_p95":123.457}},"states":{"GET /":{"latency_p95":"inconclusive"}}}"#
        );
        assert_eq!(Line::from_text(&text).unwrap().to_text(), text);
    }

    #[test]
    fn a_workflow_run_counts_once_and_its_latest_attempt_wins() {
        let once = append("", &line(100, Some(7), 1.0), 400);
        assert_eq!(append(&once, &line(100, Some(7), 1.0), 400), once);
        let again = append(&once, &line(200, Some(7), 2.0), 400);
        assert_eq!(again.lines().count(), 1);
        assert_eq!(append(&again, &line(100, Some(7), 1.0), 400), again);
    }

    #[test]
    fn only_the_newest_are_kept() {
        let text = (0..5).fold(String::new(), |text, at| append(&text, &line(at, Some(at as u64), 1.0), 3));
        let ids: Vec<_> = read(&text).0.iter().map(|line| line.workflow_run_id.unwrap()).collect();
        assert_eq!(ids, [2, 3, 4]);
    }

    #[test]
    fn strange_lines_are_left_out_and_newer_ones_read_as_far_as_we_can() {
        let newer = r#"{"schema":"loadgate.history/2","time":"2026-01-04T02:00:00Z","verdict":"fail","moods":[1],"endpoints":{"a":{"latency_p95":3,"joy":4,"latency_p50":"x"}}}"#;
        let text =
            format!("<<<<<<< ours\n{newer}\n{{\"schema\":\"x\"}}\n{}\nnull\n{{\"a\":", line(1, None, 2.0).to_text());
        let (lines, skipped) = read(&text);
        assert_eq!((lines.len(), skipped), (2, 4));
        let (heads, skipped) = heads(&text);
        assert_eq!((heads.iter().map(|head| head.endpoints).collect::<Vec<_>>(), skipped), (vec![1, 1], 4));
        let odd =
            r#"{"schema":"loadgate.history/1","time":"2026-01-04T02:00:00Z","verdict":"fail","endpoints":{"a":7}}"#;
        assert_eq!(read(odd), (Vec::new(), 1), "figures that are none");
        assert_eq!(lines[1].endpoints["a"], [(Metric::LatencyP95, 3.0)].into());
        assert!(merge(&[&text], 400).contains(newer), "what we do not know is kept");
        for hostile in ["[[[[", "{\"time\":1e999}", &"[".repeat(100_000), "{\"schema\":\"loadgate.history/1\"}"] {
            assert!(Line::from_text(hostile).is_none());
        }
    }

    proptest! {
        #[test]
        fn merging_knows_no_order(runs in prop::collection::vec((0_i64..20, prop::option::of(0_u64..6), 0_u32..3), 0..20), cut in 0_usize..20, keep in 1_usize..8) {
            let lines: Vec<String> = runs.iter().map(|(at, id, p95)| line(*at, *id, f64::from(*p95)).to_text()).collect();
            let (left, right) = lines.split_at(cut.min(lines.len()));
            let (left, right) = (left.join("\n"), right.join("\n"));
            let whole = merge(&[&left, &right], usize::MAX);
            prop_assert_eq!(&merge(&[&right, &left], usize::MAX), &whole);
            prop_assert_eq!(&merge(&[&whole, &left], usize::MAX), &whole);
            prop_assert_eq!(merge(&[&whole], keep).lines().count(), whole.lines().count().min(keep));
        }
    }
}
