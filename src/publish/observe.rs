//! What is on GitHub already: read once, before anything is planned. [I/O]

use std::collections::BTreeMap;

use super::files::{self, Tip};
use super::plan::{Scope, Situation};
use crate::github::api::{Api, CheckRun, Comment, CommitStatus, Issue, Label, Pull};
use crate::github::client::{CallError, Transport};
use crate::run::Notice;

/// What was seen, or why it could not be.
pub type Seen<T> = Result<T, Trouble>;

/// Why something could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// In short.
    pub closed: Closed,
    /// In words.
    pub said: String,
}

/// Why GitHub did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The token may not.
    Permission,
    /// Not there, or not for the eyes of this token: GitHub says the same of both.
    Hidden,
    /// Anything else.
    Other,
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        let permission = error.is_permission() && !error.says(&["locked", "archived", "not permitted to create"]);
        let closed = match error.status() {
            _ if permission => Closed::Permission,
            Some(404) => Closed::Hidden,
            _ => Closed::Other,
        };
        Self { closed, said: error.to_string() }
    }
}

impl Trouble {
    /// That there is no `what`, which needs the permission.
    pub(super) fn notice(&self, code: &'static str, what: &str, permission: &str) -> Notice {
        let hint = match self.closed {
            Closed::Hidden => format!(" (has the token `{permission}`?)"),
            _ => String::new(),
        };
        Notice::new(code, format!("no {what}: {}{hint}", self.said))
    }
}

/// Everything that planning looks at; `None` for what nobody asked about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// All comments of the pull request.
    pub comments: Option<Seen<Vec<Comment>>>,
    /// Statuses of the tested commit.
    pub statuses: Option<Seen<Vec<CommitStatus>>>,
    /// Check runs of our name on the tested commit.
    pub checks: Option<Seen<Vec<CheckRun>>>,
    /// All issues of our author.
    pub issues: Option<Seen<Vec<Issue>>>,
    /// The repository's labels, if an issue may have to be opened.
    pub labels: Option<Seen<Vec<Label>>>,
    /// The data branch.
    pub history: Option<Seen<Tip>>,
    /// The default branch.
    pub baseline: Option<Seen<Tip>>,
    /// Our branch with the proposed baseline, and the open pull requests from it.
    pub proposal: Option<Seen<(Tip, Vec<Pull>)>>,
}

/// Looks at what the scope asks for.
pub(super) async fn observe<T: Transport>(api: &Api<T>, situation: &Situation<'_>, scope: &Scope) -> Observed {
    let wishes = situation.wishes;
    let mut observed = Observed::default();
    if let Some(number) = scope.comment {
        observed.comments = Some(api.comments(number).await.map_err(Trouble::from));
    }
    if let Some(sha) = &scope.commit_status {
        observed.statuses = Some(api.statuses(sha).await.map_err(Trouble::from));
    }
    if let Some(sha) = &scope.check_run {
        observed.checks = Some(api.check_runs(sha, &wishes.status_name).await.map_err(Trouble::from));
    }
    if let Some(branch) = &scope.history {
        let edits = &situation.edits.histories;
        observed.history = Some(files::read(api, branch, edits).await.map_err(Trouble::from));
    }
    if scope.issue {
        let issues = api.issues_by(&wishes.bot_login).await.map_err(Trouble::from);
        if issues.as_ref().is_ok_and(|issues| super::plan::may_open(situation, issues)) {
            observed.labels = Some(api.labels().await.map_err(Trouble::from));
        }
        observed.issues = Some(issues);
    }
    if let Some(update) = &scope.baseline {
        observed.baseline = Some(files::read(api, &update.into, &update.edits).await.map_err(Trouble::from));
        if let Some(branch) = &update.beside {
            observed.proposal = Some(proposal(api, branch, update).await.map_err(Trouble::from));
        }
    }
    observed
}

async fn proposal<T: Transport>(
    api: &Api<T>,
    branch: &str,
    update: &super::plan::BaselineScope,
) -> Result<(Tip, Vec<Pull>), CallError> {
    let pulls = api.pulls_from(None, branch).await?;
    // Without an open pull request the branch is what an earlier one left behind; its files do not matter.
    let tip = if pulls.is_empty() {
        Tip { commit: None, texts: BTreeMap::new() }
    } else {
        files::read(api, branch, &update.edits).await?
    };
    Ok((tip, pulls))
}
