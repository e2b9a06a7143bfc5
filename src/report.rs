//! The one view model: all that a template, a JSON reader, a comment or an issue may show (SPEC section 6).
//!
//! Flat, ordered, serialisable. Every number is there twice: raw for programs, and as text for people in `text`. [`compose`]
//! makes it, [`render`] and the others show it. All text in it may come from outside: [`escape`] makes it harmless.

pub mod chart;
pub mod compose;
pub mod csv;
pub mod escape;
mod html;
pub mod junit;
pub(crate) mod page;
pub mod read;
pub mod render;
pub mod templates;
pub mod text;
pub mod trend;
mod words;

pub(crate) use words::short_ref;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::run::histogram::Histogram;
use crate::run::metric::{Metric, Unit};
use crate::run::{Moment, Notice, Run};
use crate::verdict::{Outcome, Status};

/// The schema name of report JSON.
pub const SCHEMA: &str = "loadgate.report/1";

/// The result of one `check`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The worst of the suites.
    pub verdict: Outcome,
    /// What the process exits with.
    pub exit_code: u8,
    /// Sums over the suites.
    pub counts: Counts,
    /// In the order of the config, else by name.
    pub suites: Vec<SuiteReport>,
    /// About the report as a whole.
    #[serde(default)]
    pub notices: Vec<Notice>,
    /// The version of loadgate that wrote it.
    #[serde(default)]
    pub loadgate: String,
    /// Where the run came from, for links. Absent outside GitHub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Sentences made from the figures, for templates.
    #[serde(default)]
    pub text: ReportText,
}

/// How many rows there are of each kind. `judged` = passed + failed + warned + inconclusive + improved + accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Rows that a rule covers and both sides measured.
    pub judged: usize,
    /// Within their rule.
    pub passed: usize,
    /// Rules broken.
    pub failed: usize,
    /// Worse without blocking.
    pub warned: usize,
    /// Over the limit, not told from noise.
    pub inconclusive: usize,
    /// Better.
    pub improved: usize,
    /// Worse, agreed to.
    pub accepted: usize,
    /// Covered by a rule, not measured on one side.
    pub not_measured: usize,
    /// Endpoints that are gone.
    pub missing: usize,
    /// Endpoints that are new.
    pub new: usize,
}

/// One suite's part of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SuiteReport {
    /// The suite.
    pub name: String,
    /// What is said of it.
    pub verdict: Outcome,
    /// How rows were decided: `evidence` or `plain`.
    pub gate: String,
    /// What it was compared with.
    pub baseline: BaselineFacts,
    /// What was measured: the run, or the first of several repeats.
    pub run: Option<Run>,
    /// How many current runs there were.
    #[serde(default)]
    pub repeats: usize,
    /// How many rows there are of each kind in this suite.
    #[serde(default)]
    pub counts: Counts,
    /// Worst first: blocking, worse, can't tell, better, new, gone, the rest; within that, furthest past its limit first.
    pub rows: Vec<Row>,
    /// Every endpoint of the run in a few words, by name.
    #[serde(default)]
    pub endpoints: Vec<EndpointSummary>,
    /// How the worst rows went from run to run.
    #[serde(default)]
    pub trends: Vec<trend::Trend>,
    /// Latency in the newest baseline run that was compared with, by label; for drawing.
    #[serde(default)]
    pub before: BTreeMap<String, BaselineShape>,
    /// About this suite.
    pub notices: Vec<Notice>,
    /// Sentences made from the figures, for templates.
    #[serde(default)]
    pub text: SuiteText,
}

/// What a suite was compared with, or why with nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineFacts {
    /// The baseline file, as the user would write it.
    pub path: String,
    /// How many runs were compared with.
    pub runs: usize,
    /// When the newest of them ran.
    #[schemars(with = "Option<Moment>")]
    pub newest: Option<Timestamp>,
    /// How old that is, in days.
    pub age_days: Option<i64>,
    /// The commit of the newest run.
    #[serde(default)]
    pub commit: Option<String>,
    /// Its branch or tag.
    #[serde(rename = "ref", default)]
    pub git_ref: Option<String>,
    /// Why there is none, or why fewer were used than there are.
    pub reason: Option<String>,
}

/// How the latency of an endpoint was spread in a baseline run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineShape {
    /// Percentiles in ms, as far as they were known.
    pub percentiles: BTreeMap<Metric, f64>,
    /// All latencies, where the baseline keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
}

/// One endpoint x metric, or a whole endpoint that is new or missing (then `metric` is absent).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// As shown and matched: `POST /checkout`.
    pub endpoint: String,
    /// The method, where known.
    pub method: Option<String>,
    /// The name without the method.
    pub name: String,
    /// What is compared; `None` for a new or missing endpoint.
    pub metric: Option<Metric>,
    /// The unit of `baseline`, `current` and `change`.
    pub unit: Option<Unit>,
    /// The baseline's value.
    pub baseline: Option<f64>,
    /// The current value.
    pub current: Option<f64>,
    /// Current minus baseline.
    pub change: Option<f64>,
    /// Change over baseline; `None` where the baseline is zero.
    pub change_relative: Option<f64>,
    /// The value that must not be passed: the limit that decides, from the baseline, or the budget; in `unit`.
    #[serde(default)]
    pub boundary: Option<f64>,
    /// What is said of it.
    pub status: Status,
    /// The rule that covers it.
    pub rule: Option<RuleFacts>,
    /// What the runs can prove.
    pub evidence: Option<Evidence>,
    /// One sentence that explains the status.
    pub why: String,
    /// The same for people.
    #[serde(default)]
    pub text: RowText,
}

/// The rule behind a row, raw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleFacts {
    /// The glob it speaks about; `None` is every endpoint.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// `10%`, `0.5pp`, `20ms`.
    pub limit: Option<String>,
    /// Likewise.
    pub critical: Option<String>,
    /// Least absolute change that counts, in the metric's unit.
    #[serde(default)]
    pub floor: Option<f64>,
    /// `fail`, `warn` or `ignore`.
    #[serde(default)]
    pub from_zero: Option<String>,
    /// Budget, in the metric's unit.
    #[serde(default)]
    pub max: Option<f64>,
    /// Budget, in the metric's unit.
    #[serde(default)]
    pub min: Option<f64>,
    /// `file:line:column`, or `default`.
    pub place: String,
}

/// Raw evidence figures, `None` where undefined (STATISTICS section 12).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Chance of a change at least this bad if nothing changed.
    pub p_value: Option<f64>,
    /// The same against the other endpoints of the run.
    pub p_residual: Option<f64>,
    /// Degrees of freedom.
    pub df: Option<f64>,
    /// Baseline runs that hold the value.
    pub runs: usize,
    /// 95 % interval of the relative change (rates: of the difference).
    pub interval: Option<[f64; 2]>,
    /// Smallest bad change that would be seen in 4 of 5 runs, in the unit of `interval`.
    pub smallest_detectable: Option<f64>,
    /// In words.
    pub text: String,
}

/// The words of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RowText {
    /// `❌`, `⚠️`, `❔`, `⚡`, …; empty where nothing changed. A word always stands beside it: `mark`.
    pub symbol: String,
    /// `slower`, `more errors`, `can't tell`, …
    pub mark: String,
    /// `p95`
    pub metric: String,
    /// `412 ms`
    pub baseline: String,
    /// `538 ms`
    pub current: String,
    /// `412 → 538 ms`
    pub both: String,
    /// `+31 % (+126 ms)`, where it cannot be told `+17 % (−3 to +38)`
    pub change: String,
    /// `+31 %`, of rates `+1.3 points`
    pub size: String,
    /// `+22 to +40 %`: what is plausible; empty where unknown.
    pub range: String,
    /// `+10 %`, `at most 800 ms`
    pub limit: String,
}

/// One endpoint of the run, for a table of all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointSummary {
    /// As shown and matched.
    pub endpoint: String,
    /// The worst of its rows; `info` where no rule judged it.
    pub status: Status,
    /// The words.
    pub text: EndpointText,
}

/// The words of an endpoint; `–` where unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EndpointText {
    /// `18 204`
    pub requests: String,
    /// `21 ms`
    pub p50: String,
    /// `48 ms`
    pub p95: String,
    /// `90 ms`
    pub p99: String,
    /// `0.1 %`
    pub errors: String,
}

/// The words of a suite.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SuiteText {
    /// `❌`, `✅`, …
    pub mark: String,
    /// `2 of 14 endpoints are worse than allowed`
    pub heading: String,
    /// A sentence or two about the worst row, or about there being none.
    pub lead: Phrase,
    /// `2 worse · 1 can't tell · 10 the same`
    pub counts: String,
    /// `compared with main at 4f1c2ab, 3 runs`
    pub compared: Phrase,
    /// Why the comparison itself is doubtful: another load, other machines. Empty where it is not.
    pub doubt: String,
    /// What to do; empty where nothing has to be done.
    pub next: Phrase,
    /// Entries for `accepted:` of the config that would let the failing rows pass, as YAML; empty without such rows.
    pub accept: String,
    /// Title of the table of endpoints that did not change: `10 endpoints stayed the same`.
    pub same: String,
    /// `Locust 2.47.0 · 1 user · 2:00 · 31 480 requests`
    pub measured: String,
    /// `3 baseline runs from 2026-11-08 to 2026-11-22`
    pub baseline: String,
}

/// The words of the report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ReportText {
    /// `❌`, `✅`, …
    pub mark: String,
    /// The suites' headings as one.
    pub heading: String,
    /// The suites' doubts as one.
    pub doubt: String,
}

/// Words with the little structure that each kind of page marks up in its own way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Phrase(pub Vec<Part>);

/// A part of a [`Phrase`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// The words.
    pub text: String,
    /// How they stand out.
    #[serde(default)]
    pub style: Style,
    /// The page they lead to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// How a part of a phrase stands out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// Not at all.
    #[default]
    Plain,
    /// A name or a command.
    Code,
    /// The figure to see first.
    Strong,
}

impl Phrase {
    /// The phrase with plain words at its end.
    #[must_use]
    pub fn plain(self, text: impl Into<String>) -> Self {
        self.with(text.into(), Style::Plain)
    }

    /// The phrase with a name or a command at its end.
    #[must_use]
    pub fn code(self, text: impl Into<String>) -> Self {
        self.with(text.into(), Style::Code)
    }

    /// The phrase with words that stand out at its end.
    #[must_use]
    pub fn strong(self, text: impl Into<String>) -> Self {
        self.with(text.into(), Style::Strong)
    }

    /// The phrase with words that lead to a page at its end; without a page they are plain.
    #[must_use]
    pub fn link(mut self, text: impl Into<String>, url: Option<String>) -> Self {
        self.0.push(Part { text: text.into(), style: Style::Plain, url });
        self
    }

    fn with(mut self, text: String, style: Style) -> Self {
        if !text.is_empty() {
            self.0.push(Part { text, style, url: None });
        }
        self
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Origin {
    /// The page of a commit.
    pub(crate) fn commit_url(&self, commit: &str) -> Option<String> {
        let hash = commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.url.as_ref().filter(|_| hash).map(|url| format!("{url}/commit/{commit}"))
    }
}

impl fmt::Display for Phrase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| out.write_str(&part.text))
    }
}

/// Where the report was made, for links and footers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// `owner/name`.
    pub repository: String,
    /// Its page, without a final slash.
    #[serde(default)]
    pub url: Option<String>,
    /// The commit that was tested.
    pub commit: Option<String>,
    /// Its branch or tag.
    #[serde(rename = "ref")]
    pub git_ref: Option<String>,
    /// The workflow run's page.
    pub run_url: Option<String>,
    /// Further links by name.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
}

/// Most characters of a suite's issue text: the issue also holds what people wrote, and our own memory.
pub const ISSUE_CHARS: usize = 40_000;

/// What the issue of one suite tells, beside the report: the rows over time, and since when.
///
/// All text in it comes from artifacts or from GitHub and is escaped where it is rendered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IssueView {
    /// How things stand.
    pub state: IssueState,
    /// Day of the first bad workflow run of this episode.
    #[schemars(with = "Option<Day>")]
    pub since: Option<Date>,
    /// Bad workflow runs so far.
    pub bad_runs: u32,
    /// Good workflow runs in a row, the present one included.
    pub good_runs: u32,
    /// Good workflow runs in a row that close the issue.
    pub close_after: u32,
    /// Failing rows first, in the order of the report; then those that recovered.
    pub rows: Vec<IssueRow>,
    /// Failing rows that are not in `rows`, because there are too many.
    pub more_rows: usize,
    /// The newest commit that was seen good before this episode.
    pub last_good: Option<CommitLink>,
    /// The first commit that was seen bad.
    pub first_bad: Option<CommitLink>,
    /// Page that compares the two.
    pub compare_url: Option<String>,
    /// Number of the closed issue that this one follows.
    pub previous: Option<u64>,
    /// Oldest first, 20 at most.
    pub timeline: Vec<IssueEvent>,
    /// Workflow runs before those of `timeline`.
    pub earlier_runs: u32,
}

/// How an issue stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IssueState {
    /// Rows fail.
    #[default]
    Failing,
    /// Nothing fails, but fewer good runs than close the issue.
    Recovering,
    /// Closed by good runs.
    Recovered,
}

/// One endpoint x metric in an issue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IssueRow {
    /// Whether it fails now, as far as is known.
    pub failing: bool,
    /// As shown: `POST /checkout`.
    pub endpoint: String,
    /// `p95`; empty for a missing endpoint.
    pub metric: String,
    /// `slower`, `more errors`, …
    pub mark: String,
    /// `412 → 538 ms`, of the last run that measured it.
    pub both: String,
    /// `+31 % (+126 ms)`, likewise.
    pub change: String,
    /// Day on which it began to fail.
    #[schemars(with = "Option<Day>")]
    pub since: Option<Date>,
    /// Workflow runs that saw it fail.
    pub runs: u32,
}

impl IssueRow {
    /// A row of the report that fails, seen for the first time.
    pub fn new(row: &Row, since: Option<Date>) -> Self {
        Self {
            failing: true,
            endpoint: row.endpoint.clone(),
            metric: row.text.metric.clone(),
            mark: row.text.mark.clone(),
            both: row.text.both.clone(),
            change: row.text.change.clone(),
            since,
            runs: 1,
        }
    }
}

/// A commit to link to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommitLink {
    /// The whole id.
    pub sha: String,
    /// Its first seven characters.
    pub short: String,
    /// Day of the workflow run that saw it.
    #[schemars(with = "Option<Day>")]
    pub day: Option<Date>,
}

/// One line of an issue's timeline: what one workflow run saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssueEvent {
    /// When.
    #[schemars(with = "Option<Day>")]
    pub day: Option<Date>,
    /// What.
    pub what: IssueStep,
    /// Rows that began to fail, as `POST /checkout p95`; a few of them.
    pub joined: Vec<String>,
    /// Rows that recovered, likewise.
    pub recovered: Vec<String>,
    /// The workflow run's page.
    pub run_url: Option<String>,
}

/// What a workflow run did to an issue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IssueStep {
    /// Bad, but the issue was not open yet.
    Seen,
    /// The issue was opened.
    Opened,
    /// The issue was opened again.
    Reopened,
    /// More rows fail.
    Worse,
    /// Some rows recovered, others still fail.
    Better,
    /// The same rows fail.
    #[default]
    Unchanged,
    /// Nothing failed.
    Good,
    /// Nothing failed often enough: the issue was closed.
    Recovered,
    /// The run could not tell, or did not measure the same.
    Unclear,
}

/// How a day is described in a JSON Schema.
enum Day {}

impl JsonSchema for Day {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date" })
    }
}
