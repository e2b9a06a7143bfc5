//! Carries a report to GitHub. First [`Observed`]: what is there. Then [`plan`]: what shall be, and so what is to be done,
//! pure and printable. Then [`execute`](session::Session::publish): do it, local effects first.
//!
//! [`session::Session`] is the way in for the pipeline: it holds the one client, and so the one budget of time, for reading
//! the trusted side, finding the pull request and publishing.

mod annotate;
pub mod base;
mod comment;
mod execute;
mod files;
mod issue;
mod local;
mod marker;
mod memory;
mod observe;
mod plan;
pub mod session;
mod status;
mod target;
mod webhook;

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use jiff::Timestamp;
use serde::Serialize;

pub use self::annotate::for_the_step as annotations;
pub use self::files::Tip;
pub use self::observe::{Closed, Observed, Seen, Trouble};
pub use self::plan::{Situation, plan};
pub use self::target::{ACCEPTED, Target};
use crate::config::IssueConfig;
use crate::github::commands::Annotation;
use crate::report::templates::Templates;
use crate::report::{IssueView, Report, render};
use crate::run::Notice;

/// The schema name of a printed plan.
pub const SCHEMA: &str = "loadgate.plan/1";

/// When to comment on a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CommentWhen {
    /// On every run.
    Always,
    /// From the first row on that is not a pass.
    OnChange,
    /// From the first failing row on.
    OnFailure,
    /// Not at all.
    Never,
}

/// What to set on the tested commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum StatusKind {
    /// Nothing: the step's exit code is the check.
    None,
    /// A commit status.
    CommitStatus,
    /// A check run with annotations.
    CheckRun,
}

/// Whether to keep a regression issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum IssueWhen {
    /// For schedule, push and dispatch on the default branch.
    Auto,
    /// Wherever it runs.
    On,
    /// Never.
    Off,
}

/// How a good run becomes part of the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum UpdateBaseline {
    /// Not by itself.
    Never,
    /// By a commit to the default branch.
    Commit,
    /// By one pull request that is kept up to date.
    PullRequest,
}

/// What the user wants carried to GitHub, options and config taken together.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// `false`: only what needs no network (summary, step outputs, annotations).
    pub remote: bool,
    /// When to comment.
    pub comment: CommentWhen,
    /// Tells apart the comments of several jobs; `None`: the suites' names.
    pub comment_key: Option<String>,
    /// Who we are: only comments and issues of this author are touched.
    pub bot_login: String,
    /// `None`: as the event asks (SPEC section 7).
    pub status: Option<StatusKind>,
    /// Name of the status or check run.
    pub status_name: String,
    /// Whether to keep an issue.
    pub issue: IssueWhen,
    /// How it lives.
    pub issue_config: IssueConfig,
    /// How a good run becomes part of the baseline.
    pub update_baseline: UpdateBaseline,
    /// The branch of the history; `None`: none is kept.
    pub history_branch: Option<String>,
    /// Gets a post on a change of state. A secret: it is shown nowhere.
    pub webhook_url: Option<String>,
    /// The working directory, from the root of the repository; empty for the root itself. For paths in annotations.
    pub folder: String,
    /// `report.json` as the step output `report-json` names it, from the workspace; likewise below.
    pub report_json: Option<String>,
    /// `report.html`.
    pub report_html: Option<String>,
    /// The present time.
    pub now: Timestamp,
}

/// The text of a file from the one at the tip of its branch (`None`: no such file). `Ok(None)`: nothing to change.
///
/// It may be called several times, whenever another job was faster. An error becomes a notice.
pub type Edit = Rc<dyn Fn(Option<&str>) -> Result<Option<String>, String>>;

/// A change of one file on a branch.
#[derive(Clone)]
pub struct FileEdit {
    /// The suite it belongs to.
    pub suite: String,
    /// Path from the root of the repository.
    pub path: String,
    /// How its text changes.
    pub edit: Edit,
}

impl fmt::Debug for FileEdit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FileEdit").field("suite", &self.suite).field("path", &self.path).finish_non_exhaustive()
    }
}

/// What changes in the repository's files, should it be wished and allowed.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    /// Baselines on the default branch, in suite order. Each is used only if its suite may become part of the baseline.
    pub baselines: Vec<FileEdit>,
    /// Histories on the data branch, in suite order: `history/<suite>.jsonl`.
    pub histories: Vec<FileEdit>,
}

/// The texts that people read. The notices that planning adds are in the report they are made from.
pub trait Texts {
    /// The whole job summary.
    fn summary(&self, report: &Report) -> Result<String, String>;
    /// The comment without its marker line.
    fn comment(&self, report: &Report) -> Result<String, String>;
    /// The part of a suite's issue that we keep up to date.
    fn issue(&self, report: &Report, suite: &str, view: &IssueView) -> Result<String, String>;
}

impl Texts for Templates {
    fn summary(&self, report: &Report) -> Result<String, String> {
        render::summary(report, self).map_err(|error| error.to_string())
    }

    fn comment(&self, report: &Report) -> Result<String, String> {
        render::comment(report, self).map_err(|error| error.to_string())
    }

    fn issue(&self, report: &Report, suite: &str, view: &IssueView) -> Result<String, String> {
        render::issue(report, suite, view, self).map_err(|error| error.to_string())
    }
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// `owner/name`.
    pub repository: Option<String>,
    /// Each with its importance.
    pub steps: Vec<Step>,
    /// What the reader should know about what is not in it.
    pub notices: Vec<Notice>,
}

/// One effect, and what it means if it fails.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Whether we failed if it fails.
    pub need: Need,
    /// What to do.
    #[serde(flatten)]
    pub effect: Effect,
}

/// What it means if an effect fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// The work could not be done: later steps of the job rely on it.
    Required,
    /// A notice; the verdict stands.
    BestEffort,
}

/// One thing to do. Every one can be done twice without harm.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Appends to the step's outputs.
    SetOutputs {
        /// By name.
        outputs: BTreeMap<&'static str, String>,
    },
    /// Appends to the job summary.
    AppendSummary {
        /// Markdown.
        text: String,
    },
    /// Says something to the runner that it shows beside the code.
    Annotate {
        /// At most ten of each level.
        annotations: Vec<Annotation>,
    },
    /// Writes our comment on a pull request.
    CreateComment {
        /// The pull request.
        pull_request: u64,
        /// With the marker.
        body: String,
    },
    /// Brings our comment up to date.
    UpdateComment {
        /// The pull request.
        pull_request: u64,
        /// The comment.
        id: u64,
        /// With the marker.
        body: String,
    },
    /// Removes a second comment of ours.
    DeleteComment {
        /// The comment.
        id: u64,
    },
    /// Sets a named status on a commit.
    SetStatus {
        /// The commit.
        sha: String,
        /// The name.
        context: String,
        /// `success`, `failure` or `error`.
        state: &'static str,
        /// One line.
        description: String,
        /// Where it links to.
        target_url: Option<String>,
    },
    /// Makes a check run on a commit.
    CreateCheckRun {
        /// The commit.
        sha: String,
        /// The name.
        name: String,
        /// Our mark, which holds a digest of the content.
        external_id: String,
        /// `success`, `neutral` or `failure`.
        conclusion: &'static str,
        /// One line.
        title: String,
        /// Markdown.
        summary: String,
        /// Where it links to.
        details_url: Option<String>,
        /// Sent in batches.
        annotations: Vec<Annotation>,
    },
    /// Makes labels that an issue wants and the repository lacks.
    CreateLabel {
        /// The label.
        name: String,
    },
    /// Opens a suite's issue.
    OpenIssue {
        /// The suite.
        suite: String,
        /// Plain text.
        title: String,
        /// Marker and block.
        body: String,
        /// Labels.
        labels: Vec<String>,
        /// Logins.
        assignees: Vec<String>,
    },
    /// Rewrites our part of an issue, and closes or reopens it.
    UpdateIssue {
        /// The suite.
        suite: String,
        /// The issue.
        number: u64,
        /// From the begin to the end marker, both included.
        block: String,
        /// `None` leaves the state alone.
        state: Option<IssueMove>,
    },
    /// Tells a change of state.
    CommentIssue {
        /// The issue.
        number: u64,
        /// With a marker.
        body: String,
    },
    /// Closes a second issue of ours about the same suite.
    RetireIssue {
        /// The suite.
        suite: String,
        /// The second issue.
        number: u64,
        /// The one that stays.
        of: u64,
    },
    /// Commits files to a branch, after its tip.
    Commit {
        /// `baseline` or `history`.
        what: FileKind,
        /// The branch; made as an orphan if missing and `what` is a history.
        branch: String,
        /// First line of the commit message.
        message: String,
        /// New texts, as computed from the tip that was observed.
        files: Vec<FileText>,
    },
    /// Keeps one pull request with the new baseline.
    ProposeBaseline {
        /// Our branch.
        branch: String,
        /// Where to.
        base: String,
        /// Plain text.
        title: String,
        /// Markdown with a marker.
        body: String,
        /// New texts, as computed from the tips that were observed.
        files: Vec<FileText>,
    },
    /// Posts to the webhook.
    Notify {
        /// Slack's `text`.
        text: String,
    },
}

/// Where an issue goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IssueMove {
    /// Closed as completed.
    Close,
    /// Open again.
    Reopen,
}

/// What a commit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// Baselines on the default branch.
    Baseline,
    /// The data branch.
    History,
}

/// A file with its new text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileText {
    /// From the root of the repository.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// What was done, beside the plan that said so.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was planned.
    pub plan: Plan,
    /// The report that was told of, where the history added to it.
    pub report: Option<Report>,
    /// The step outputs known only now: `comment-url`, `issue-number`, `issue-action`, `baseline-pr`.
    pub outputs: BTreeMap<&'static str, String>,
    /// What could not be done and why; those of the plan are not repeated.
    pub notices: Vec<Notice>,
    /// A required step that failed: the process exits with 2.
    pub failed: Option<String>,
    /// Requests sent to GitHub so far, reading the trusted side included.
    pub requests: u32,
}
