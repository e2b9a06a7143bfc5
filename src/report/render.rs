//! Template and report to text. With [`super::templates`] the only module that knows the template engine.
//!
//! A template gets the report as far as it fits its place: the host cuts or drops what is too long, so a page that is too
//! long is composed anew with fewer rows, and says how many it left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jiff::Timestamp;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior};
use schemars::JsonSchema;
use serde::Serialize;

use super::templates::{EXTENSION, Templates};
use super::trend::Trend;
use super::{
    BaselineFacts, Counts, EndpointSummary, ISSUE_CHARS, IssueStep, IssueView, Origin, Part, Phrase, Report,
    ReportText, Row, Style, SuiteReport, SuiteText, escape, html,
};
use crate::run::display::{count, plural};
use crate::run::{Load, Moment, Notice, Run};
use crate::verdict::{Outcome, Status};

/// GitHub takes 65 536 characters in a comment or an issue; the rest is for markers and what people add.
const COMMENT_CHARACTERS: usize = 60_000;
/// GitHub drops a step's summary above 1 MiB whole.
const SUMMARY_BYTES: usize = 900 << 10;
/// Steps of the engine, so that a template ends. The largest page of ours takes about a tenth.
const FUEL: u64 = 10_000_000;
/// Longest line of a template, in bytes: the engine counts columns in 16 bits.
const LONGEST_LINE: usize = 60_000;
/// Our escaping, to the engine.
const MARKDOWN: &str = "markdown";

/// A page could not be made.
#[derive(Debug, Clone, thiserror::Error)]
#[error("template {template}{}: {message}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct RenderError {
    /// The template's name.
    pub template: String,
    /// The line in it, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// The job summary, as Markdown.
pub fn summary(report: &Report, templates: &Templates) -> Result<String, RenderError> {
    let page = |room: &Room| Page::new(report, room);
    fitting(templates, "summary.md.j2", &SUMMARY_ROOMS, page, |text| text.len() <= SUMMARY_BYTES)
}

/// The comment on a pull request, as Markdown, without its marker.
pub fn comment(report: &Report, templates: &Templates) -> Result<String, RenderError> {
    let page = |room: &Room| Page::new(report, room);
    fitting(templates, "comment.md.j2", &COMMENT_ROOMS, page, |text| text.chars().count() <= COMMENT_CHARACTERS)
}

/// What the issue of one suite says, as Markdown, without its markers; empty if the report has no such suite.
pub fn issue(report: &Report, suite: &str, view: &IssueView, templates: &Templates) -> Result<String, RenderError> {
    let Some(suite) = report.suites.iter().find(|one| one.name == suite) else { return Ok(String::new()) };
    let page = |room: &Room| IssuePage {
        suite: SuitePage::new(suite, room),
        issue: view,
        steps: &STEPS,
        loadgate: &report.loadgate,
        origin: report.origin.as_ref(),
        charts: room.charts,
    };
    fitting(templates, "issue.md.j2", &COMMENT_ROOMS, page, |text| text.chars().count() <= ISSUE_CHARS)
}

/// The run report: one page that needs nothing else.
pub fn html(report: &Report, templates: &Templates) -> Result<String, RenderError> {
    let pictures = html::Pictures::of(report);
    let page = |room: &html::Room| html::HtmlPage::new(report, &pictures, *room);
    fitting(templates, "report.html.j2", &html::ROOMS, page, |text| text.len() <= html::BYTES)
}

/// Any other page of ours.
pub(crate) fn page(templates: &Templates, name: &str, view: &impl Serialize) -> Result<String, RenderError> {
    render(templates, name, view)
}

/// What templates see, as schemas: of `summary.md.j2` and `comment.md.j2`, of `issue.md.j2`, and of `report.html.j2`.
pub fn schemas() -> [schemars::Schema; 3] {
    [
        schemars::schema_for!(Page<'static>),
        schemars::schema_for!(IssuePage<'static>),
        schemars::schema_for!(html::HtmlPage<'static>),
    ]
}

/// What every page of a report says of it as a whole.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Overall<'a> {
    /// The schema of the report.
    schema: &'a str,
    /// The worst of the suites: `fail`, `warn`, `inconclusive`, `pass` or `no_baseline`.
    verdict: Outcome,
    /// What the process exits with.
    exit_code: u8,
    /// Sums over the suites.
    counts: Counts,
    /// `12 suites left out here; report.json has them all`; empty where there was room for all.
    left_out: String,
    /// About the report as a whole.
    notices: &'a [Notice],
    /// The version of loadgate.
    loadgate: &'a str,
    /// Where the run came from; none outside GitHub.
    origin: Option<&'a Origin>,
    /// Sentences about all suites.
    text: &'a ReportText,
}

/// What a template sees: the report, its suites with the rows that have room.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Page<'a> {
    #[serde(flatten)]
    overall: Overall<'a>,
    /// The suites, in full as far as there is room, then the worst of them.
    suites: Vec<SuitePage<'a>>,
    /// The others, of which there is room for the heading only.
    brief: Vec<SuiteBrief<'a>>,
    /// Whether there is room for charts.
    charts: bool,
}

/// A suite in one line.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SuiteBrief<'a> {
    /// The suite.
    name: &'a str,
    /// What is said of it.
    verdict: Outcome,
    /// `❌`, `✅`, …
    mark: &'a str,
    /// `2 of 14 endpoints are worse than allowed`
    heading: &'a str,
}

/// What the template of an issue sees.
#[derive(Debug, Serialize, JsonSchema)]
pub struct IssuePage<'a> {
    /// The suite the issue is about, as in the other pages.
    suite: SuitePage<'a>,
    /// The rows over time, and since when.
    issue: &'a IssueView,
    /// The words for each `what` of the timeline.
    steps: &'a BTreeMap<IssueStep, &'static str>,
    /// The version of loadgate.
    loadgate: &'a str,
    /// Where the run came from; none outside GitHub.
    origin: Option<&'a Origin>,
    /// Whether there is room for charts.
    charts: bool,
}

/// What a template sees of a suite.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SuitePage<'a> {
    /// The suite.
    name: &'a str,
    /// What is said of it.
    verdict: Outcome,
    /// How rows were decided: `evidence` or `plain`.
    gate: &'a str,
    /// What it was compared with.
    baseline: &'a BaselineFacts,
    /// The run, without its endpoints.
    run: Option<RunPage<'a>>,
    /// How many current runs there were.
    repeats: usize,
    /// How many rows there are of each kind.
    counts: Counts,
    /// The rows that matter and are shown at once: worse, can't tell, better, new, gone; worst first, and of the figures of an
    /// endpoint that say the same the first.
    open: Vec<&'a Row>,
    /// Further rows that matter, for a fold.
    more: Vec<&'a Row>,
    /// `3 more rows to look at`; empty without such rows.
    more_title: String,
    /// Rows within their rule.
    same: Vec<&'a Row>,
    /// Rows that were not judged, with why.
    unjudged: Vec<&'a Row>,
    /// Endpoints none of whose rows matter, in a few words each.
    endpoints: Vec<&'a EndpointSummary>,
    /// The limit that all open rows share, so that no column is needed for it; else empty.
    shared_limit: String,
    /// Rows whose explanation is due at once: what cannot be told and what would settle it, what was accepted and why; of
    /// each endpoint the worst.
    explained: Vec<&'a Row>,
    /// `37 rows left out here`; empty where there was room for all.
    left_out: String,
    /// How the worst rows went from run to run; empty where there is no room for charts.
    trends: &'a [Trend],
    /// About this suite.
    notices: Vec<&'a Notice>,
    /// Sentences about this suite.
    text: &'a SuiteText,
}

/// What a template sees of a run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunPage<'a> {
    /// The load tool.
    tool: &'a str,
    /// Its version, where known.
    tool_version: Option<&'a str>,
    /// The format ids it was read from.
    format: &'a str,
    /// The files it was read from.
    files: &'a [String],
    /// When it started.
    #[schemars(with = "Option<Moment>")]
    started_at: Option<Timestamp>,
    /// How long it took, in seconds.
    duration_s: Option<f64>,
    /// What was asked of the system under test.
    load: &'a Load,
    /// Facts about the machines under load.
    environment: &'a BTreeMap<String, String>,
}

/// How much of each kind a page may show, per suite.
#[derive(Debug, Clone, Copy)]
struct Room {
    charts: bool,
    suites: usize,
    open: usize,
    more: usize,
    same: usize,
    unjudged: usize,
    endpoints: usize,
    notices: usize,
}

const OPEN: usize = 10;
/// Suites that nobody has.
const MANY: usize = 1_000;
/// Suites of which at least the heading is shown.
const BRIEF: usize = 200;

/// Charts go first, then what stayed the same, details, what is better or milder; rows that block last.
const COMMENT_ROOMS: [Room; 8] = [
    Room { charts: true, suites: MANY, open: OPEN, more: 100, same: 100, unjudged: 50, endpoints: 100, notices: 20 },
    Room { charts: false, suites: MANY, open: OPEN, more: 100, same: 50, unjudged: 25, endpoints: 50, notices: 20 },
    Room { charts: false, suites: MANY, open: OPEN, more: 60, same: 0, unjudged: 10, endpoints: 25, notices: 10 },
    Room { charts: false, suites: MANY, open: OPEN, more: 40, same: 0, unjudged: 0, endpoints: 0, notices: 5 },
    Room { charts: false, suites: MANY, open: OPEN, more: 10, same: 0, unjudged: 0, endpoints: 0, notices: 3 },
    Room { charts: false, suites: 30, open: OPEN, more: 0, same: 0, unjudged: 0, endpoints: 0, notices: 1 },
    Room { charts: false, suites: 10, open: 3, more: 0, same: 0, unjudged: 0, endpoints: 0, notices: 0 },
    Room { charts: false, suites: 3, open: 1, more: 0, same: 0, unjudged: 0, endpoints: 0, notices: 0 },
];

const SUMMARY_ROOMS: [Room; 8] = [
    Room {
        charts: true,
        suites: MANY,
        open: OPEN,
        more: 1_000,
        same: 1_000,
        unjudged: 1_000,
        endpoints: 1_000,
        notices: 100,
    },
    Room {
        charts: false,
        suites: MANY,
        open: OPEN,
        more: 1_000,
        same: 500,
        unjudged: 500,
        endpoints: 500,
        notices: 50,
    },
    Room { charts: false, suites: MANY, open: OPEN, more: 500, same: 0, unjudged: 100, endpoints: 250, notices: 20 },
    Room { charts: false, suites: MANY, open: OPEN, more: 200, same: 0, unjudged: 0, endpoints: 0, notices: 10 },
    Room { charts: false, suites: MANY, open: OPEN, more: 50, same: 0, unjudged: 0, endpoints: 0, notices: 5 },
    Room { charts: false, suites: 30, open: OPEN, more: 0, same: 0, unjudged: 0, endpoints: 0, notices: 3 },
    Room { charts: false, suites: 10, open: 3, more: 0, same: 0, unjudged: 0, endpoints: 0, notices: 0 },
    Room { charts: false, suites: 3, open: 1, more: 0, same: 0, unjudged: 0, endpoints: 0, notices: 0 },
];

static STEPS: LazyLock<BTreeMap<IssueStep, &'static str>> = LazyLock::new(|| {
    BTreeMap::from([
        (IssueStep::Seen, "first seen"),
        (IssueStep::Opened, "issue opened"),
        (IssueStep::Reopened, "issue opened again"),
        (IssueStep::Worse, "more rows fail"),
        (IssueStep::Better, "some rows recovered"),
        (IssueStep::Unchanged, "unchanged"),
        (IssueStep::Good, "nothing failed"),
        (IssueStep::Recovered, "recovered, issue closed"),
        (IssueStep::Unclear, "can't tell"),
    ])
});

/// Whether the row is something to look at.
pub(super) fn matters(status: Status) -> bool {
    !matches!(status, Status::Pass | Status::Info | Status::NotMeasured)
}

impl<'a> Page<'a> {
    fn new(report: &'a Report, room: &Room) -> Self {
        let mut worst: Vec<(usize, &SuiteReport)> = report.suites.iter().enumerate().collect();
        worst.sort_by_key(|(_, suite)| suite.verdict);
        let brief = worst.split_off(room.suites.min(worst.len()));
        worst.sort_by_key(|(place, _)| *place);
        let left = brief.len().saturating_sub(BRIEF);
        Self {
            overall: Overall::new(report, left, room.notices.max(3)),
            suites: worst.into_iter().map(|(_, suite)| SuitePage::new(suite, room)).collect(),
            brief: brief.into_iter().take(BRIEF).map(|(_, suite)| SuiteBrief::from(suite)).collect(),
            charts: room.charts,
        }
    }
}

impl<'a> Overall<'a> {
    /// `left` suites and the notices after the first `notices` have no room.
    pub(super) fn new(report: &'a Report, left: usize, notices: usize) -> Self {
        Self {
            schema: &report.schema,
            verdict: report.verdict,
            exit_code: report.exit_code,
            counts: report.counts,
            left_out: if left > 0 {
                format!("{} left out here; report.json has them all", plural(left, "suite"))
            } else {
                String::new()
            },
            notices: report.notices.get(..notices).unwrap_or(&report.notices),
            loadgate: &report.loadgate,
            origin: report.origin.as_ref(),
            text: &report.text,
        }
    }
}

impl<'a> From<&'a SuiteReport> for SuiteBrief<'a> {
    fn from(suite: &'a SuiteReport) -> Self {
        let SuiteReport { name, verdict, text, .. } = suite;
        Self { name, verdict: *verdict, mark: &text.mark, heading: &text.heading }
    }
}

impl<'a> SuitePage<'a> {
    fn new(suite: &'a SuiteReport, room: &Room) -> Self {
        let of = |wanted: &dyn Fn(&Row) -> bool, most: usize| {
            let all: Vec<&Row> = suite.rows.iter().filter(|row| wanted(row)).collect();
            let left = all.len().saturating_sub(most);
            (all.into_iter().take(most).collect::<Vec<_>>(), left)
        };
        // Where the comparison itself is doubtful, that is said once and not in every row.
        let doubtful = !suite.text.doubt.is_empty();
        // Where all is well nobody has to look at rows: the largest change is in the sentence above them.
        let quiet = |status| match suite.verdict {
            Outcome::Pass => status == Status::Improved,
            _ => doubtful && status == Status::Inconclusive,
        };
        let at_once = |row: &Row| matters(row.status) && !quiet(row.status);
        // One figure of an endpoint says what the others repeat.
        let mut said = BTreeSet::new();
        let open: Vec<&Row> = suite
            .rows
            .iter()
            .filter(|row| at_once(row) && said.insert((&row.endpoint, &row.text.mark)))
            .take(room.open)
            .collect();
        let others: Vec<&Row> = suite
            .rows
            .iter()
            .filter(|row| matters(row.status) && !open.iter().any(|shown| std::ptr::eq(*shown, *row)))
            .collect();
        let left_open = others.len().saturating_sub(room.more);
        let more: Vec<&Row> = others.into_iter().take(room.more).collect();
        let (same, left_same) = of(&|row| row.status == Status::Pass, room.same);
        let (unjudged, left_unjudged) =
            of(&|row| matches!(row.status, Status::Info | Status::NotMeasured), room.unjudged);
        let quiet = suite.endpoints.iter().filter(|endpoint| !matters(endpoint.status));
        let endpoints: Vec<&EndpointSummary> = quiet.clone().take(room.endpoints).collect();
        let left_endpoints = quiet.count() - endpoints.len();
        // The doubt stands at the top of the page already.
        let notices = suite.notices.iter().filter(|notice| notice.message != suite.text.doubt);
        let due = |row: &&Row| matches!(row.status, Status::Inconclusive | Status::Accepted);
        let mut told = BTreeSet::new();
        let explained = open.iter().copied().filter(due).filter(|row| told.insert(&row.endpoint)).take(3).collect();
        Self {
            name: &suite.name,
            verdict: suite.verdict,
            gate: &suite.gate,
            baseline: &suite.baseline,
            run: suite.run.as_ref().map(RunPage::from),
            repeats: suite.repeats,
            counts: suite.counts,
            shared_limit: shared_limit(&open),
            open,
            more_title: more_title(&more),
            more,
            same,
            unjudged,
            endpoints,
            explained,
            left_out: left_out(left_open + left_same + left_unjudged, left_endpoints),
            notices: notices.take(room.notices).collect(),
            trends: if room.charts { &suite.trends } else { &[] },
            text: &suite.text,
        }
    }
}

/// Only where there is more than one row: one row says its limit itself.
fn shared_limit(rows: &[&Row]) -> String {
    let limits: Vec<&str> = rows.iter().map(|row| row.text.limit.as_str()).filter(|limit| !limit.is_empty()).collect();
    match limits.as_slice() {
        [first, rest @ ..] if !rest.is_empty() && rest.iter().all(|limit| limit == first) => (*first).to_owned(),
        _ => String::new(),
    }
}

fn more_title(rows: &[&Row]) -> String {
    let all = |status| rows.iter().all(|row| row.status == status);
    let be = if rows.len() == 1 { "is" } else { "are" };
    match plural(rows.len(), "row") {
        _ if rows.is_empty() => String::new(),
        number if all(Status::Improved) => format!("{number} {be} better"),
        number if all(Status::Inconclusive) => format!("{number} that cannot be told"),
        _ => format!("{} to look at", plural(rows.len(), "more row")),
    }
}

fn left_out(rows: usize, endpoints: usize) -> String {
    let rows = (rows > 0).then(|| plural(rows, "row"));
    let endpoints = (endpoints > 0).then(|| plural(endpoints, "endpoint"));
    let said: Vec<String> = rows.into_iter().chain(endpoints).collect();
    if said.is_empty() { String::new() } else { said.join(" and ") + " left out here; report.json has them all" }
}

impl<'a> From<&'a Run> for RunPage<'a> {
    fn from(run: &'a Run) -> Self {
        Self {
            tool: &run.tool,
            tool_version: run.tool_version.as_deref(),
            format: &run.format,
            files: &run.files,
            started_at: run.started_at,
            duration_s: run.duration_s,
            load: &run.load,
            environment: &run.environment,
        }
    }
}

/// The page in the first room in which it fits.
fn fitting<R, P: Serialize>(
    templates: &Templates,
    name: &str,
    rooms: &[R],
    page: impl Fn(&R) -> P,
    fits: impl Fn(&str) -> bool,
) -> Result<String, RenderError> {
    let mut text = String::new();
    for room in rooms {
        text = render(templates, name, &page(room))?;
        if fits(&text) {
            return Ok(text);
        }
    }
    Ok(beginning(&text, fits))
}

/// The last resort, for thousands of suites or a template that shows what it likes: whole lines from the beginning.
fn beginning(text: &str, fits: impl Fn(&str) -> bool) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let with = |number: usize| {
        let kept = lines.get(..number).unwrap_or_default().join("\n");
        let folds = kept.matches("<details>").count().saturating_sub(kept.matches("</details>").count());
        let fence = if kept.lines().filter(|line| line.starts_with("```")).count() % 2 == 1 { "\n```" } else { "" };
        let left = count((lines.len() - number) as u64);
        format!(
            "{kept}{fence}\n{}\n{left} lines left out here; report.json has everything.\n",
            "</details>\n".repeat(folds)
        )
    };
    let (mut low, mut high) = (0, lines.len());
    while low < high {
        let middle = (low + high).div_ceil(2);
        if fits(&with(middle)) { low = middle } else { high = middle - 1 }
    }
    with(low)
}

fn render(templates: &Templates, name: &str, page: &impl Serialize) -> Result<String, RenderError> {
    let template = templates.engine(name)?.get_template(name).map_err(|error| failed(name, &error))?;
    template.render(Value::from(Serde(page))).map_err(|error| failed(name, &error))
}

fn failed(name: &str, error: &minijinja::Error) -> RenderError {
    // The engine wraps an error inside an included template; the innermost one tells the place.
    let mut inner = error;
    while let Some(source) = std::error::Error::source(inner).and_then(|source| source.downcast_ref()) {
        inner = source;
    }
    let message = match inner.detail() {
        Some(detail) => format!("{}: {detail}", inner.kind()),
        None => inner.kind().to_string(),
    };
    RenderError { template: inner.name().unwrap_or(name).to_owned(), line: inner.line(), message }
}

/// With all templates but those of the other kind, whose names end with `other`: their macros would escape for their own pages.
pub(super) fn environment(templates: &Templates, other: &str) -> Result<Environment<'static>, RenderError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|name| match name.trim_end_matches(EXTENSION).rsplit('.').next() {
        Some("md") => AutoEscape::Custom(MARKDOWN.into()),
        _ => AutoEscape::Html,
    });
    environment.set_formatter(write_escaped);
    environment.add_filter("code", |state: &State, text: &str, options: Kwargs| code(state, text, &options));
    environment.add_filter("phrase", |state: &State, phrase: Serde<Phrase>| marked_up(state, &phrase.0));
    environment.add_filter("fence", |text: &str, language: Option<&str>| {
        Value::from_safe_string(escape::fence(text, language.unwrap_or_default()))
    });
    environment.add_filter("link", link);
    let syntax = minijinja::syntax::SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .map_err(|error| failed("", &error))?;
    environment.set_syntax(syntax);
    for (name, text) in templates.iter().filter(|(name, _)| !name.ends_with(other)) {
        if let Some(line) = text.lines().position(|line| line.len() > LONGEST_LINE) {
            let message = format!("a line of a template has at most {LONGEST_LINE} bytes");
            return Err(RenderError { template: name.to_owned(), line: Some(line + 1), message });
        }
        let added = environment.add_template_owned(name.to_owned(), text.to_owned());
        added.map_err(|error| failed(name, &error))?;
    }
    Ok(environment)
}

fn is_markdown(state: &State<'_, '_>) -> bool {
    matches!(state.auto_escape(), AutoEscape::Custom(name) if name == MARKDOWN)
}

/// Every `{{ … }}` that is not marked as safe.
fn write_escaped(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), minijinja::Error> {
    let text = value.as_str().map_or_else(|| value.to_string().into(), std::borrow::Cow::Borrowed);
    let written = match state.auto_escape() {
        _ if value.is_safe() => out.write_str(&text),
        _ if is_markdown(state) => out.write_str(&escape::markdown(&text)),
        _ => out.write_str(&escape::html(&text)),
    };
    written.map_err(minijinja::Error::from)
}

/// `{{ row.endpoint | code }}`, in a table `code(table=true)`: a name as code, its middle cut if it is long.
fn code(state: &State<'_, '_>, text: &str, options: &Kwargs) -> Result<Value, minijinja::Error> {
    let table = options.get::<Option<bool>>("table")?.unwrap_or_default();
    options.assert_all_used()?;
    let most = if table { escape::TABLE_NAME } else { escape::NAME };
    Ok(Value::from_safe_string(if is_markdown(state) {
        escape::code(text, most, table)
    } else {
        format!("<code>{}</code>", escape::html(&escape::cut(text, most)))
    }))
}

/// `{{ suite.text.lead | phrase }}`: words with names as code and figures in bold.
fn marked_up(state: &State<'_, '_>, phrase: &Phrase) -> Value {
    let markdown = is_markdown(state);
    let words = |style: Style, text: &str| match (style, markdown) {
        (Style::Plain, true) => inner(text, escape::markdown),
        (Style::Plain, false) => escape::html(text).into_owned(),
        (Style::Code, true) => escape::code(text, escape::TEXT, false),
        (Style::Code, false) => format!("<code>{}</code>", escape::html(text)),
        (Style::Strong, true) => format!("**{}**", escape::markdown(text.trim())),
        (Style::Strong, false) => format!("<strong>{}</strong>", escape::html(text)),
    };
    let part = |part: &Part| linked(words(part.style, &part.text), part.url.as_deref(), markdown);
    Value::from_safe_string(phrase.0.iter().map(part).collect())
}

/// Spaces at the ends of a part stand between it and its neighbours.
fn inner(text: &str, escape: fn(&str) -> String) -> String {
    let trimmed = text.trim_matches(' ');
    let lead = if text.starts_with(' ') { " " } else { "" };
    let tail = if text.ends_with(' ') && !trimmed.is_empty() { " " } else { "" };
    format!("{lead}{}{tail}", escape(trimmed))
}

/// `{{ "run" | link(origin.run_url) }}`: a link where the address is one of the web, else the words.
fn link(state: &State<'_, '_>, text: &str, address: Option<&str>) -> Result<Value, minijinja::Error> {
    let text = if is_markdown(state) { escape::markdown(text) } else { escape::html(text).into_owned() };
    if text.is_empty() {
        return Err(minijinja::Error::new(ErrorKind::InvalidOperation, "a link needs words"));
    }
    Ok(Value::from_safe_string(linked(text, address, is_markdown(state))))
}

/// The markup, as a link where the address is one of the web.
fn linked(markup: String, address: Option<&str>, markdown: bool) -> String {
    match address.and_then(escape::url) {
        Some(address) if markdown => format!("[{markup}](<{address}>)"),
        Some(address) => format!("<a href=\"{}\">{markup}</a>", escape::html(&address)),
        None => markup,
    }
}
