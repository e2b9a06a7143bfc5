//! What is to be done, from what is wanted and what is there. Pure.

use serde::Serialize;

use super::files::{self, Tip};
use super::marker::{self, Mark};
use super::observe::{Closed, Observed, Seen, Trouble};
use super::{CommentWhen, IssueWhen};
use super::{
    Edits, Effect, FileEdit, FileKind, Need, Plan, SCHEMA, StatusKind, Step, Target, Texts, UpdateBaseline, Wishes,
    annotate, comment, issue, local, status, webhook,
};
use crate::github::api::Issue;
use crate::github::commands::{Annotation, Level};
use crate::github::context::{Context, Event, WorkflowRun};
use crate::history;
use crate::report::escape::clean;
use crate::report::{Report, SuiteReport};
use crate::run::Notice;
use crate::verdict::Outcome;

/// Our branch for the pull request with a new baseline.
const PROPOSAL: &str = "loadgate/baseline";
/// Notices shown beside the code; the runner shows ten.
const NOTICES: usize = 10;

/// All that a plan is made from, beside what is on GitHub.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    /// What is to be told.
    pub report: &'a Report,
    /// What is wanted.
    pub wishes: &'a Wishes,
    /// Where we run.
    pub context: &'a Context,
    /// What it is about.
    pub target: &'a Target,
    /// How it is told.
    pub texts: &'a dyn Texts,
    /// What changes in files.
    pub edits: &'a Edits,
    /// Why GitHub cannot be asked; `None`: it can.
    pub unreachable: Option<&'a Notice>,
}

/// Which parts of GitHub this report concerns at all.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) comment: Option<u64>,
    pub(super) commit_status: Option<String>,
    pub(super) check_run: Option<String>,
    pub(super) issue: bool,
    /// The data branch, if it tells of earlier runs.
    pub(super) history: Option<String>,
    /// Whether this run becomes a line of it.
    pub(super) appends: bool,
    pub(super) baseline: Option<BaselineScope>,
    pub(super) notices: Vec<Notice>,
}

/// A baseline that is to be updated.
#[derive(Debug)]
pub(super) struct BaselineScope {
    /// The default branch.
    pub(super) into: String,
    /// Our branch, if by pull request.
    pub(super) beside: Option<String>,
    pub(super) edits: Vec<FileEdit>,
}

/// A plan with what carrying it out needs to know.
#[derive(Debug)]
pub(super) struct Drawn {
    pub(super) plan: Plan,
    /// By suite, in their order.
    pub(super) issues: Vec<(String, Option<u64>, issue::Action)>,
    pub(super) comment_url: Option<String>,
    pub(super) proposal: Option<u64>,
}

/// The plan.
pub fn plan(situation: &Situation<'_>, observed: &Observed) -> Plan {
    draw(situation, &scope(situation), observed).plan
}

impl Situation<'_> {
    /// Ours; outside of Actions there is none, and everything else is newer.
    pub(super) fn run(&self) -> WorkflowRun {
        self.context.workflow_run.unwrap_or(WorkflowRun { id: 0, attempt: 1 })
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { key: comment::key(self.report, self.wishes), run: self.run(), verdict: word(&self.report.verdict) }
    }
}

/// What this event and these wishes concern.
pub(super) fn scope(situation: &Situation<'_>) -> Scope {
    let Situation { wishes, context, target, .. } = *situation;
    let mut scope = Scope::default();
    if !wishes.remote {
        return scope;
    }
    if let Some(why) = situation.unreachable {
        scope.notices.push(why.clone());
        return scope;
    }
    if !situation.edits.histories.is_empty() {
        scope.history.clone_from(&wishes.history_branch);
    }
    if context.token_is_read_only() {
        scope.notices.push(Notice::new(
            "read_only_token",
            "the token of this workflow run can only read, as for every pull request from a fork: no comment, and nothing else is written. The job summary holds everything",
        ));
        return scope;
    }
    if target.moved_on {
        scope.notices.push(Notice::new(
            "pull_request_moved_on",
            "the pull request holds newer commits than the tested one: its comment is left to their workflow run",
        ));
        // What another workflow tested may be anything by now; our own status belongs to the commit we ran on.
        if context.event == Event::WorkflowRun {
            return scope;
        }
    }
    let on_a_pull_request = matches!(
        context.event,
        Event::PullRequest | Event::PullRequestTarget | Event::WorkflowRun | Event::IssueComment
    );
    if on_a_pull_request && wishes.comment != CommentWhen::Never && !target.moved_on {
        scope.comment = target.pull_request;
    }
    match status::kind(wishes.status, context.event == Event::WorkflowRun) {
        StatusKind::None => {}
        StatusKind::CommitStatus => scope.commit_status.clone_from(&target.head_sha),
        StatusKind::CheckRun => scope.check_run.clone_from(&target.head_sha),
    }
    let settled = context.on_default_branch();
    scope.issue = match wishes.issue {
        IssueWhen::Off => false,
        IssueWhen::On => context.event != Event::MergeGroup,
        IssueWhen::Auto => settled && matches!(context.event, Event::Push | Event::Schedule | Event::WorkflowDispatch),
    };
    // What a fork measured is no history of ours.
    let foreign = context.from_fork || (context.event == Event::WorkflowRun && target.pull_request.is_some());
    scope.appends = scope.history.is_some() && !foreign;
    if settled && wishes.update_baseline != UpdateBaseline::Never {
        scope.baseline = baseline_scope(situation, &mut scope.notices);
    }
    scope
}

fn baseline_scope(situation: &Situation<'_>, notices: &mut Vec<Notice>) -> Option<BaselineScope> {
    let mut edits = Vec::new();
    for edit in &situation.edits.baselines {
        let suite = situation.report.suites.iter().find(|suite| suite.name == edit.suite);
        match suite.map(unfit) {
            Some(None) => edits.push(edit.clone()),
            Some(Some(why)) => notices.push(
                Notice::new("baseline_not_updated", format!("the baseline is left as it is: {why}"))
                    .in_file(&edit.path),
            ),
            None => {}
        }
    }
    let into = situation.context.default_branch.clone()?;
    let beside = (situation.wishes.update_baseline == UpdateBaseline::PullRequest).then(|| PROPOSAL.to_owned());
    (!edits.is_empty()).then_some(BaselineScope { into, beside, edits })
}

/// Why a run cannot become part of the baseline (SPEC section 7); `None`: it can.
fn unfit(suite: &SuiteReport) -> Option<&'static str> {
    let mismatch = suite.notices.iter().any(|notice| notice.code == "load_mismatch");
    match &suite.run {
        None => Some("nothing was measured"),
        Some(_) if suite.verdict == Outcome::Fail => Some("a rule is broken"),
        Some(run) if run.complete == Some(false) => Some("the run is not complete"),
        Some(_) if mismatch => Some("the load is not that of the baseline"),
        Some(_) => None,
    }
}

/// Whether the issues seen leave room for a new one, so that its labels matter.
pub(super) fn may_open(situation: &Situation<'_>, issues: &[Issue]) -> bool {
    situation.report.suites.iter().any(|suite| {
        suite.verdict == Outcome::Fail
            && !issue::ours(issues, &situation.wishes.bot_login, &suite.name).iter().any(|issue| issue.state == "open")
    })
}

/// The report with the trends that the histories know; `None` where they add nothing.
pub(super) fn with_history(situation: &Situation<'_>, observed: &Observed) -> Option<Report> {
    let tip = observed.history.as_ref()?.as_ref().ok()?;
    let mut report = situation.report.clone();
    for suite in &mut report.suites {
        let edit = situation.edits.histories.iter().find(|edit| edit.suite == suite.name);
        if let Some(text) = edit.and_then(|edit| tip.texts.get(&edit.path)?.as_deref()) {
            history::trend::tell(suite, text, Some(situation.run().id));
        }
    }
    (report != *situation.report).then_some(report)
}

/// The plan, with what is known beside it.
pub(super) fn draw(situation: &Situation<'_>, scope: &Scope, observed: &Observed) -> Drawn {
    let Situation { report, wishes, context, .. } = *situation;
    let mut drawing = Drawing { notices: scope.notices.clone(), refused: Vec::new(), steps: Vec::new() };
    drawing.notices.splice(0..0, situation.target.notices.iter().cloned());

    let comment = draw_comment(situation, scope, observed, &mut drawing);
    draw_status(situation, scope, observed, &mut drawing);
    let (issues, changes) = draw_issues(situation, scope, observed, &mut drawing);
    draw_history(situation, scope, observed, &mut drawing);
    let proposal = draw_baseline(situation, scope, observed, &mut drawing);
    if wishes.remote && wishes.webhook_url.is_some() {
        let before = comment.verdict_before.as_deref();
        let text = webhook::text(situation, scope.issue.then_some(changes), before, observed.history.as_ref());
        drawing.steps.extend(text.map(|text| Effect::Notify { text }));
    }
    drawing.tell_of_refusals();

    let Drawing { mut notices, steps: remote, .. } = drawing;
    let mut steps = Vec::new();
    if context.output_file.is_some() {
        let outputs = local::outputs(report, wishes);
        steps.push(Step { need: Need::Required, effect: Effect::SetOutputs { outputs } });
    }
    if context.summary_file.is_some() {
        // Made last, so that it holds every notice, and written first.
        let mut told = report.clone();
        told.notices.extend(notices.iter().cloned());
        match situation.texts.summary(&told) {
            Ok(text) => steps.push(Step { need: Need::BestEffort, effect: Effect::AppendSummary { text } }),
            Err(error) => {
                notices.push(Notice::new("summary_not_written", format!("the summary cannot be made: {error}")));
            }
        }
    }
    if context.in_actions {
        let mut annotations = annotate::for_the_step(report, wishes);
        annotations.extend(notices.iter().take(NOTICES).map(annotation));
        if !annotations.is_empty() {
            steps.push(Step { need: Need::BestEffort, effect: Effect::Annotate { annotations } });
        }
    }
    steps.extend(remote.into_iter().map(|effect| Step { need: Need::BestEffort, effect }));
    Drawn {
        plan: Plan { schema: SCHEMA, repository: context.repository.as_ref().map(ToString::to_string), steps, notices },
        issues,
        comment_url: comment.url,
        proposal,
    }
}

/// A notice for the runner.
pub(super) fn annotation(notice: &Notice) -> Annotation {
    Annotation::new(Level::Notice, format!("loadgate: {}", notice.code), clean(&notice.to_string()))
}

/// The plan while it is made.
struct Drawing {
    notices: Vec<Notice>,
    /// What the token may not do, and the permission that is needed for it.
    refused: Vec<(&'static str, &'static str)>,
    steps: Vec<Effect>,
}

impl Drawing {
    /// What was seen; or a notice why not.
    fn look<'o, R>(
        &mut self,
        seen: Option<&'o Seen<R>>,
        what: &'static str,
        code: &'static str,
        permission: &'static str,
    ) -> Option<&'o R> {
        match seen? {
            Ok(seen) => Some(seen),
            Err(Trouble { closed: Closed::Permission, .. }) => {
                self.refused.push((what, permission));
                None
            }
            Err(trouble) => {
                self.notices.push(trouble.notice(code, what, permission));
                None
            }
        }
    }

    /// One notice for all that the token may not do.
    fn tell_of_refusals(&mut self) {
        let refused = std::mem::take(&mut self.refused);
        self.notices.extend(refusal(&refused));
    }
}

/// The notice that the token may not do some things, with the permission that each needs.
pub(super) fn refusal(refused: &[(&str, &str)]) -> Option<Notice> {
    let list: Vec<String> =
        refused.iter().map(|(what, permission)| format!("no {what}: needs `{permission}`")).collect();
    (!list.is_empty()).then(|| {
        Notice::new(
            "read_only_token",
            format!("the token may not write this ({}); set it under `permissions:` of the job", list.join("; ")),
        )
    })
}

fn draw_comment(
    situation: &Situation<'_>,
    scope: &Scope,
    observed: &Observed,
    drawing: &mut Drawing,
) -> comment::Planned {
    let nothing = comment::Planned::default();
    let Some(pull_request) = scope.comment else { return nothing };
    let seen = drawing.look(observed.comments.as_ref(), "comment", "comment_not_posted", "pull-requests: write");
    let Some(comments) = seen else { return nothing };
    match wanted_comment(situation, pull_request) {
        Ok(wanted) => {
            let mut planned = comment::plan(&wanted, comments, &situation.wishes.bot_login);
            drawing.steps.append(&mut planned.effects);
            drawing.notices.append(&mut planned.notices);
            planned
        }
        Err(error) => {
            drawing.notices.push(Notice::new("comment_not_posted", format!("the comment cannot be made: {error}")));
            nothing
        }
    }
}

pub(super) fn wanted_comment(situation: &Situation<'_>, pull_request: u64) -> Result<comment::Wanted, String> {
    Ok(comment::Wanted {
        pull_request,
        mark: situation.mark(),
        text: situation.texts.comment(situation.report)?,
        start: comment::starts(situation.wishes.comment, situation.report),
    })
}

fn draw_status(situation: &Situation<'_>, scope: &Scope, observed: &Observed, drawing: &mut Drawing) {
    let Situation { report, wishes, context, .. } = *situation;
    let link = context.workflow_run_url();
    if let Some(sha) = &scope.commit_status
        && let Some(seen) = drawing.look(observed.statuses.as_ref(), "status", "status_not_set", "statuses: write")
    {
        drawing.steps.extend(status::commit_status(report, wishes, sha, link.clone(), seen));
    }
    if let Some(sha) = &scope.check_run
        && let Some(seen) = drawing.look(observed.checks.as_ref(), "check run", "status_not_set", "checks: write")
    {
        let text = situation.texts.comment(report).unwrap_or_default();
        drawing.steps.extend(status::check_run(report, wishes, sha, link, &text, seen));
    }
}

/// The ground on which a suite's issue is planned.
pub(super) fn ground<'a>(
    situation: &Situation<'a>,
    suite: &'a SuiteReport,
    history: Option<&Seen<Tip>>,
) -> issue::Ground<'a> {
    let edit = situation.edits.histories.iter().find(|edit| edit.suite == suite.name);
    let before = match (history, edit) {
        (Some(Ok(tip)), Some(edit)) => {
            let text = tip.texts.get(&edit.path).and_then(Option::as_deref).unwrap_or_default();
            Some(issue::Before::of(text, situation.context.ref_name.as_deref(), situation.run()))
        }
        _ => None,
    };
    issue::Ground {
        report: situation.report,
        suite,
        wishes: situation.wishes,
        context: situation.context,
        texts: situation.texts,
        run: situation.run(),
        before,
    }
}

type Issues = Vec<(String, Option<u64>, issue::Action)>;

fn draw_issues(
    situation: &Situation<'_>,
    scope: &Scope,
    observed: &Observed,
    drawing: &mut Drawing,
) -> (Issues, Vec<String>) {
    let none = |suite: &SuiteReport| (suite.name.clone(), None, issue::Action::None);
    let nothing = || situation.report.suites.iter().map(none).collect();
    if !scope.issue {
        return (nothing(), Vec::new());
    }
    let seen = drawing.look(observed.issues.as_ref(), "issue", "issue_not_updated", "issues: write");
    let Some(issues) = seen else { return (nothing(), Vec::new()) };
    // Labels that cannot be read are made by GitHub itself, in grey.
    let labels = observed.labels.as_ref().and_then(|labels| labels.as_deref().ok());
    let mut all = Issues::new();
    let mut changes = Vec::new();
    for suite in &situation.report.suites {
        let ground = ground(situation, suite, observed.history.as_ref());
        let mut planned = issue::plan(&ground, issues, labels);
        drawing.steps.append(&mut planned.effects);
        drawing.notices.append(&mut planned.notices);
        all.push((suite.name.clone(), planned.number, planned.action));
        changes.extend(planned.change);
    }
    // Several suites may want the same new label.
    let mut made = Vec::new();
    drawing.steps.retain(|effect| match effect {
        Effect::CreateLabel { name } if made.contains(name) => false,
        Effect::CreateLabel { name } => {
            made.push(name.clone());
            true
        }
        _ => true,
    });
    (all, changes)
}

fn draw_history(situation: &Situation<'_>, scope: &Scope, observed: &Observed, drawing: &mut Drawing) {
    let Some(branch) = scope.history.as_ref().filter(|_| scope.appends) else {
        if let Some(Err(trouble)) = &observed.history {
            let what = "trends from the history, only from the baseline";
            drawing.notices.push(trouble.notice("history_not_read", what, "contents: read"));
        }
        return;
    };
    let seen = drawing.look(observed.history.as_ref(), "history", "history_not_appended", "contents: write");
    let Some(tip) = seen else { return };
    match files::changed(tip, &situation.edits.histories) {
        Ok(files) if files.is_empty() => {}
        Ok(files) => drawing.steps.push(Effect::Commit {
            what: FileKind::History,
            branch: branch.clone(),
            message: message(FileKind::History, &situation.edits.histories),
            files,
        }),
        Err(error) => drawing.notices.push(Notice::new("history_not_appended", error)),
    }
}

fn draw_baseline(situation: &Situation<'_>, scope: &Scope, observed: &Observed, drawing: &mut Drawing) -> Option<u64> {
    let update = scope.baseline.as_ref()?;
    let code = "baseline_not_updated";
    let tip = drawing.look(observed.baseline.as_ref(), "new baseline", code, "contents: write")?;
    let message = message(FileKind::Baseline, &update.edits);
    let Some(branch) = &update.beside else {
        match files::changed(tip, &update.edits) {
            Ok(files) if files.is_empty() => {}
            Ok(files) => drawing.steps.push(Effect::Commit {
                what: FileKind::Baseline,
                branch: update.into.clone(),
                message,
                files,
            }),
            Err(error) => drawing.notices.push(Notice::new(code, error)),
        }
        return None;
    };
    let seen =
        drawing.look(observed.proposal.as_ref(), "pull request with the new baseline", code, "pull-requests: write");
    let (ours, pulls) = seen?;
    let pull = pulls.iter().filter(|pull| pull.base.branch == update.into).min_by_key(|pull| pull.number);
    let start = start(pull.and_then(|pull| pull.body.as_deref()), tip, ours);
    match files::changed(&start, &update.edits) {
        Ok(files) if files.is_empty() => {}
        Ok(files) => drawing.steps.push(Effect::ProposeBaseline {
            branch: branch.clone(),
            base: update.into.clone(),
            title: message,
            body: proposal_body(situation, tip),
            files,
        }),
        Err(error) => drawing.notices.push(Notice::new(code, error)),
    }
    pull.map(|pull| pull.number)
}

/// The texts that a proposed baseline grows from: those of our branch as long as the pull request is open and nobody has
/// changed the baseline on the default branch since; else those of the default branch.
pub(super) fn start(pull: Option<&str>, into: &Tip, ours: &Tip) -> Tip {
    let goes_on =
        pull.and_then(marker::proposed_from).is_some_and(|from| from == origin(into)) && ours.commit.is_some();
    if goes_on { ours.clone() } else { into.clone() }
}

/// A digest of the texts that a proposal starts from.
fn origin(into: &Tip) -> String {
    let parts: Vec<&str> =
        into.texts.iter().flat_map(|(path, text)| [path.as_str(), text.as_deref().unwrap_or("\0")]).collect();
    marker::digest(&parts)
}

/// The text of the pull request that proposes a baseline.
pub(super) fn proposal_body(situation: &Situation<'_>, into: &Tip) -> String {
    let link = situation.context.workflow_run_url();
    let newest = link.map(|url| format!(" The newest one is of [this workflow run]({url}).")).unwrap_or_default();
    format!(
        "{}\nAdds good load-test runs on the default branch to the baseline.{newest}\n\nWhile this is open, further runs are added to it. Merge it to compare with them from then on; close it to leave the baseline as it is.\n",
        marker::proposal(&origin(into))
    )
}

/// The commit message; suites are named only where their names are plain words.
fn message(what: FileKind, edits: &[FileEdit]) -> String {
    let plain = |name: &str| {
        (1..=40).contains(&name.len()) && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
    };
    let names: Vec<&str> = edits.iter().map(|edit| edit.suite.as_str()).filter(|name| plain(name)).take(5).collect();
    let of = if names.len() == edits.len() { format!(" of {}", names.join(", ")) } else { String::new() };
    match what {
        FileKind::Baseline => format!("Add a load-test run to the baseline{of}"),
        // Nothing that a data branch holds is worth a workflow run.
        FileKind::History => format!("Record a load-test run{of} [skip ci]"),
    }
}

/// How an enum is written in JSON: the one spelling of its words.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
