//! Carries a plan out. [I/O]
//!
//! Local effects come first in every plan. Whatever GitHub refuses becomes a notice; nothing here changes the verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use serde_json::{Value, json};

use super::files::{self, Failure, Target as Branch};
use super::memory::Memory;
use super::observe::{Closed, Observed, Trouble};
use super::plan::{Drawn, Scope, Situation, annotation, ground, proposal_body, refusal, start, wanted_comment};
use super::{Effect, FileKind, IssueMove, Need, comment, issue, local, marker, webhook};
use crate::github::api::{ANNOTATIONS_A_REQUEST, Api, Comment, Issue, Pull, User};
use crate::github::client::{CallError, Transport};
use crate::github::commands::{Annotation, Level};
use crate::report::escape::{cut, markdown};
use crate::run::Notice;

/// Creates of one thing at most, each after a look whether the one before arrived after all.
const CREATES: u32 = 3;
/// Colour and description of labels that we make.
const LABEL: (&str, &str) = ("d93f0b", "Kept by loadgate");

/// Everything that came of it.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) outputs: BTreeMap<&'static str, String>,
    pub(super) notices: Vec<Notice>,
    pub(super) failed: Option<String>,
}

/// One execution.
struct Execution<'a, T> {
    api: Option<&'a Api<T>>,
    situation: &'a Situation<'a>,
    scope: &'a Scope,
    observed: &'a Observed,
    notices: Vec<Notice>,
    /// What the token may not do.
    refused: Vec<(&'static str, &'static str)>,
    comment_url: Option<String>,
    issues: Vec<(String, Option<u64>, issue::Action)>,
    /// Issues whose update did not happen: their state comment would be untrue.
    stale: BTreeSet<u64>,
    proposal: Option<u64>,
}

/// Carries it out, step by step.
pub(super) async fn execute<T: Transport>(
    api: Option<&Api<T>>,
    situation: &Situation<'_>,
    scope: &Scope,
    observed: &Observed,
    drawn: &Drawn,
    log: &mut dyn Write,
) -> Done {
    let mut failed = None;
    let mut execution = Execution {
        api,
        situation,
        scope,
        observed,
        notices: Vec::new(),
        refused: Vec::new(),
        comment_url: drawn.comment_url.clone(),
        issues: drawn.issues.clone(),
        stale: BTreeSet::new(),
        proposal: drawn.proposal,
    };
    for step in &drawn.plan.steps {
        if let Err(problem) = execution.local(&step.effect, log) {
            match step.need {
                Need::Required => failed = Some(problem),
                Need::BestEffort => execution.notices.push(Notice::new("not_written", problem)),
            }
        }
        execution.remote(&step.effect).await;
    }
    execution.finish(failed, log)
}

impl<T: Transport> Execution<'_, T> {
    fn local(&self, effect: &Effect, log: &mut dyn Write) -> Result<(), String> {
        let context = self.situation.context;
        match effect {
            Effect::SetOutputs { outputs } => local::append_outputs(context.output_file.as_deref(), outputs)
                .map_err(|error| format!("step outputs cannot be written: {error}")),
            Effect::AppendSummary { text } => local::append(context.summary_file.as_deref(), text)
                .map_err(|error| format!("the job summary cannot be written: {error}")),
            Effect::Annotate { annotations } => say(log, annotations).map_err(|error| error.to_string()),
            _ => Ok(()),
        }
    }

    async fn remote(&mut self, effect: &Effect) {
        if let Effect::Notify { text } = effect {
            if let Some(url) = &self.situation.wishes.webhook_url
                && let Err(said) = webhook::post(url, text).await
            {
                self.notices.push(Notice::new("webhook_failed", format!("the webhook got no post: {said}")));
            }
            return;
        }
        let Some(api) = self.api else { return };
        match effect {
            Effect::CreateComment { pull_request, body } => {
                let made = self.create_comment(api, *pull_request, body).await;
                self.told(made, "comment", "comment_not_posted", "pull-requests: write");
            }
            Effect::UpdateComment { pull_request, id, body } => {
                let made = self.update_comment(api, *pull_request, *id, body).await;
                self.told(made, "comment", "comment_not_posted", "pull-requests: write");
            }
            Effect::DeleteComment { id } => {
                let made = api.delete_comment(*id).await;
                self.told(made, "removal of a second comment", "comment_not_posted", "pull-requests: write");
            }
            Effect::SetStatus { sha, context, state, description, target_url } => {
                let mut status = json!({ "state": state, "context": context, "description": description });
                put(&mut status, "target_url", target_url.as_deref());
                let made = api.create_status(sha, status).await.map(drop);
                self.told(made, "status", "status_not_set", "statuses: write");
            }
            Effect::CreateCheckRun { .. } => {
                let made = create_check_run(api, effect).await;
                self.told(made, "check run", "status_not_set", "checks: write");
            }
            Effect::CreateLabel { name } => {
                // If it is there by now, or may not be made: GitHub makes what an issue names, in grey.
                let _ = api.create_label(name, LABEL.0, LABEL.1).await;
            }
            Effect::OpenIssue { suite, title, body, labels, assignees } => {
                let made = self.open_issue(api, suite, title, body, labels, assignees).await;
                if made.is_err() {
                    self.set_issue(suite, None, issue::Action::None);
                }
                self.told(made, "issue", "issue_not_updated", "issues: write");
            }
            Effect::UpdateIssue { suite, number, .. } => {
                let made = self.update_issue(api, suite, *number, effect).await;
                if made.is_err() {
                    self.stale.insert(*number);
                    self.set_issue(suite, Some(*number), issue::Action::None);
                }
                self.told(made, "update of the issue", "issue_not_updated", "issues: write");
            }
            Effect::CommentIssue { number, body } => {
                if !self.stale.contains(number) {
                    let made = comment_on_issue(api, *number, body).await;
                    self.told(made, "comment on the issue", "issue_not_updated", "issues: write");
                }
            }
            Effect::RetireIssue { suite, number, of } => {
                let made = retire_issue(api, suite, *number, *of).await;
                self.told(made, "closing of a second issue", "issue_not_updated", "issues: write");
            }
            Effect::Commit { what, branch, message, .. } => self.commit(api, *what, branch, message).await,
            Effect::ProposeBaseline { branch, base, title, .. } => self.propose(api, branch, base, title).await,
            Effect::SetOutputs { .. }
            | Effect::AppendSummary { .. }
            | Effect::Annotate { .. }
            | Effect::Notify { .. } => {}
        }
    }

    /// A refusal becomes a notice, with the permission that is needed if that is why.
    fn told(&mut self, made: Result<(), CallError>, what: &'static str, code: &'static str, permission: &'static str) {
        let Err(error) = made else { return };
        let trouble = Trouble::from(error);
        match trouble.closed {
            Closed::Permission => self.refused.push((what, permission)),
            Closed::Hidden | Closed::Other => self.notices.push(trouble.notice(code, what, permission)),
        }
    }

    fn finish(mut self, failed: Option<String>, log: &mut dyn Write) -> Done {
        self.notices.extend(refusal(&self.refused));
        let context = self.situation.context;
        let join =
            |words: Vec<String>| if words.iter().all(String::is_empty) { String::new() } else { words.join(",") };
        let number = |number: Option<u64>| number.map(|it| it.to_string()).unwrap_or_default();
        let outputs = BTreeMap::from([
            ("comment-url", self.comment_url.clone().unwrap_or_default()),
            ("issue-number", join(self.issues.iter().map(|it| number(it.1)).collect())),
            ("issue-action", join(self.issues.iter().map(|it| it.2.word().to_owned()).collect())),
            ("baseline-pr", number(self.proposal)),
        ]);
        let mut done = Done { outputs, notices: self.notices, failed };
        if let Err(error) = local::append_outputs(context.output_file.as_deref(), &done.outputs) {
            done.failed.get_or_insert_with(|| format!("step outputs cannot be written: {error}"));
        }
        if !done.notices.is_empty() {
            let list: Vec<String> =
                done.notices.iter().map(|notice| format!("> {}", markdown(&notice.to_string()))).collect();
            // Written late, into a file that the first part of it has reached already: nothing is lost if it fails.
            let _ = local::append(context.summary_file.as_deref(), &format!("\n{}\n", list.join("\n")));
            if context.in_actions {
                let annotations: Vec<Annotation> = done.notices.iter().map(annotation).collect();
                let _ = say(log, &annotations);
            }
        }
        done
    }

    // Comments

    async fn create_comment(&mut self, api: &Api<T>, pull_request: u64, body: &str) -> Result<(), CallError> {
        let mark = self.situation.mark();
        let mine = |comments: &[Comment], bot: &str| {
            comment::ours(comments, bot, &mark.key)
                .into_iter()
                .find(|(_, it)| it.run == mark.run)
                .map(|it| it.0.clone())
        };
        let bot = &self.situation.wishes.bot_login;
        let mut made = None;
        for _ in 0..CREATES {
            match api.create_comment(pull_request, body).await {
                Ok(comment) => made = Some(comment),
                Err(CallError::Lost(_)) => made = look(api, || api.comments(pull_request), |it| mine(it, bot)).await?,
                Err(error) => return Err(error),
            }
            if made.is_some() {
                break;
            }
        }
        let made =
            made.ok_or_else(|| CallError::Unavailable("the comment got no answer, and did not appear".to_owned()))?;
        self.comment_url.clone_from(&made.html_url);
        if self.is_stranger(made.user.as_ref()) {
            return Ok(());
        }
        // Another job may have written one at the same time: the list tells, once it shows our own.
        let seen = until(api, || api.comments(pull_request), |list| list.iter().any(|it| it.id == made.id)).await?;
        self.settle_comments(api, pull_request, &seen).await
    }

    /// What a plan from the present list asks for, creating aside.
    async fn settle_comments(&mut self, api: &Api<T>, pull_request: u64, seen: &[Comment]) -> Result<(), CallError> {
        let Ok(wanted) = wanted_comment(self.situation, pull_request) else { return Ok(()) };
        let planned = comment::plan(&wanted, seen, &self.situation.wishes.bot_login);
        if planned.url.is_some() {
            self.comment_url = planned.url;
        }
        for effect in planned.effects {
            match effect {
                Effect::UpdateComment { id, body, .. } => api.update_comment(id, &body).await.map(drop)?,
                Effect::DeleteComment { id } => api.delete_comment(id).await?,
                _ => {}
            }
        }
        Ok(())
    }

    async fn update_comment(&mut self, api: &Api<T>, pull_request: u64, id: u64, body: &str) -> Result<(), CallError> {
        let mark = self.situation.mark();
        // Between looking and writing a newer workflow run may have been here.
        match api.comment(id).await {
            Ok(now) if comment::may_overwrite(now.body.as_deref().unwrap_or_default(), &mark.key, mark.run) => {
                match api.update_comment(id, body).await {
                    Err(error) if error.is_not_found() => {}
                    other => return other.map(drop),
                }
            }
            Ok(_) => {
                self.notices.push(Notice::new("superseded", "a newer workflow run has written the comment meanwhile"));
                return Ok(());
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        // Someone has deleted it.
        self.create_comment(api, pull_request, body).await
    }

    // Issues

    fn set_issue(&mut self, suite: &str, number: Option<u64>, action: issue::Action) {
        for entry in self.issues.iter_mut().filter(|it| it.0 == suite) {
            (entry.1, entry.2) = (number, action);
        }
    }

    fn bot(&self) -> &str {
        &self.situation.wishes.bot_login
    }

    /// Whether the token writes under another name than we look for: then the next run would not find what this one made.
    fn is_stranger(&mut self, author: Option<&User>) -> bool {
        let Some(author) = author.filter(|it| !it.login.is_empty() && !it.login.eq_ignore_ascii_case(self.bot()))
        else {
            return false;
        };
        let said = format!(
            "the token writes as `{}`, and `bot-login` is `{}`: set it to the former, or every run writes anew",
            author.login,
            self.bot()
        );
        let notice = Notice::new("bot_login", said);
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
        true
    }

    async fn open_issue(
        &mut self,
        api: &Api<T>,
        suite: &str,
        title: &str,
        body: &str,
        labels: &[String],
        assignees: &[String],
    ) -> Result<(), CallError> {
        let bot = self.bot().to_owned();
        let mine = |issues: &[Issue]| {
            let ours = issue::ours(issues, &bot, suite);
            ours.into_iter().find(|it| it.body.as_deref().is_some_and(|there| issue::same(there, body))).cloned()
        };
        let mut made = None;
        let mut assignees = assignees;
        for _ in 0..CREATES {
            match api.create_issue(title, body, labels, assignees).await {
                Ok(issue) => made = Some(issue),
                Err(CallError::Lost(_)) => made = look(api, || api.issues_by(&bot), mine).await?,
                Err(CallError::Refused { status: 422, message }) if !assignees.is_empty() => {
                    assignees = &[];
                    self.notices
                        .push(Notice::new("issue_not_assigned", format!("the issue has no assignee: {message}")));
                }
                Err(error) => return Err(error),
            }
            if made.is_some() {
                break;
            }
        }
        let made =
            made.ok_or_else(|| CallError::Unavailable("the issue got no answer, and did not appear".to_owned()))?;
        let number = made.number;
        self.set_issue(suite, Some(number), issue::Action::Opened);
        if self.is_stranger(made.user.as_ref()) {
            return Ok(());
        }
        let seen = until(api, || api.issues_by(&bot), |list| list.iter().any(|it| it.number == number)).await?;
        self.settle_issues(api, suite, number, &seen).await
    }

    /// Two jobs may have opened one each: the lowest number stays, with the newest workflow run's text.
    async fn settle_issues(&mut self, api: &Api<T>, suite: &str, own: u64, seen: &[Issue]) -> Result<(), CallError> {
        let Some(report) = self.situation.report.suites.iter().find(|it| it.name == suite) else { return Ok(()) };
        let ground = ground(self.situation, report, self.observed.history.as_ref());
        let planned = issue::plan(&ground, seen, None);
        let number = planned.number.unwrap_or(own);
        if number != own {
            self.set_issue(suite, Some(number), planned.action);
        }
        for effect in planned.effects {
            match effect {
                Effect::UpdateIssue { number, block, state, .. } => {
                    let Some(there) = seen.iter().find(|it| it.number == number) else { continue };
                    write_block(api, there, &block, state).await?;
                }
                Effect::RetireIssue { number, of, .. } => retire_issue(api, suite, number, of).await?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Plans anew from the issue as it is at this moment, so that neither a person's words nor another job's are lost.
    async fn update_issue(
        &mut self,
        api: &Api<T>,
        suite: &str,
        number: u64,
        planned: &Effect,
    ) -> Result<(), CallError> {
        let now = api.issue(number).await?;
        let same_as_seen = match &self.observed.issues {
            Some(Ok(issues)) => {
                issues.iter().any(|it| it.number == number && it.state == now.state && block(it) == block(&now))
            }
            _ => false,
        };
        let effect = if same_as_seen { Some(planned.clone()) } else { self.plan_again(suite, &now) };
        if let Some(Effect::UpdateIssue { block, state, .. }) = effect {
            return write_block(api, &now, &block, state).await;
        }
        self.stale.insert(number);
        self.set_issue(suite, Some(number), issue::Action::None);
        let newer = Memory::of(now.body.as_deref().unwrap_or_default()).filter(|it| it.run > self.situation.run().id);
        if let Some(newer) = newer {
            let said = format!("workflow run {}, which is newer, has written issue {number} meanwhile", newer.run);
            self.notices.push(Notice::new("superseded", said));
        }
        Ok(())
    }

    fn plan_again(&mut self, suite: &str, now: &Issue) -> Option<Effect> {
        let report = self.situation.report.suites.iter().find(|it| it.name == suite)?;
        let ground = ground(self.situation, report, self.observed.history.as_ref());
        let planned = issue::plan(&ground, std::slice::from_ref(now), None);
        self.set_issue(suite, Some(now.number), planned.action);
        planned.effects.into_iter().find(|effect| matches!(effect, Effect::UpdateIssue { .. }))
    }

    // Files

    async fn commit(&mut self, api: &Api<T>, what: FileKind, branch: &str, message: &str) {
        let (edits, noun, code) = match what {
            FileKind::History => (&self.situation.edits.histories, "history", "history_not_appended"),
            FileKind::Baseline => match &self.scope.baseline {
                Some(scope) => (&scope.edits, "new baseline", "baseline_not_updated"),
                None => return,
            },
        };
        let target = Branch { branch, message, orphan: what == FileKind::History };
        let made = files::commit(api, &target, edits).await;
        self.told_of_files(made.map(drop), noun, code);
    }

    async fn propose(&mut self, api: &Api<T>, branch: &str, base: &str, title: &str) {
        let Some(scope) = &self.scope.baseline else { return };
        let made = propose(api, self.situation, &scope.edits, branch, base, title).await;
        let made = made.map(|number| self.proposal = Some(number));
        self.told_of_files(made, "new baseline", "baseline_not_updated");
    }

    fn told_of_files(&mut self, made: Result<(), Failure>, what: &'static str, code: &'static str) {
        let said = match made {
            Ok(()) => return,
            Err(Failure::Busy) => format!("no {what}: other jobs kept writing to the branch"),
            Err(Failure::Edit(said)) => format!("no {what}: {said}"),
            Err(Failure::Call(error)) if error.says(&["not permitted to create"]) => format!(
                "no pull request with the {what}: allow it under Settings > Actions > General > \"Allow GitHub Actions to create and approve pull requests\", or pass a token of an app ({error})"
            ),
            Err(Failure::Call(error)) if files::is_protected(&error) => format!(
                "no {what}: the branch is protected; use `update-baseline: pull-request`, or let the token bypass the rule ({error})"
            ),
            Err(Failure::Call(error)) if Trouble::from(error.clone()).closed == Closed::Permission => {
                format!("no {what}: needs `contents: write`, and `pull-requests: write` for a pull request ({error})")
            }
            Err(Failure::Call(error)) => format!("no {what}: {error}"),
        };
        self.notices.push(Notice::new(code, said));
    }
}

fn say(log: &mut dyn Write, annotations: &[Annotation]) -> std::io::Result<()> {
    for annotation in annotations {
        writeln!(log, "{annotation}")?;
    }
    log.flush()
}

fn block(issue: &Issue) -> Option<&str> {
    issue::block_of(issue.body.as_deref().unwrap_or_default())
}

fn put(object: &mut Value, key: &str, value: Option<&str>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(key.to_owned(), json!(value));
    }
}

/// After a create without an answer: looks for what it may have made, for long enough that lists have caught up.
async fn look<T: Transport, I, R>(
    api: &Api<T>,
    list: impl AsyncFn() -> Result<Vec<I>, CallError>,
    find: impl Fn(&[I]) -> Option<R>,
) -> Result<Option<R>, CallError> {
    for wait in api.client().looks() {
        let there = api.client().pause(wait).await;
        if let Some(found) = find(&list().await?) {
            return Ok(Some(found));
        }
        if !there {
            return Err(CallError::Unavailable("out of time".to_owned()));
        }
    }
    Ok(None)
}

/// After a create: lists again until what we made is in the list; the last list if it never is.
async fn until<T: Transport, I>(
    api: &Api<T>,
    list: impl AsyncFn() -> Result<Vec<I>, CallError>,
    there: impl Fn(&[I]) -> bool,
) -> Result<Vec<I>, CallError> {
    let mut seen = list().await?;
    for wait in api.client().lags() {
        if there(&seen) || !api.client().pause(wait).await {
            break;
        }
        seen = list().await?;
    }
    Ok(seen)
}

async fn comment_on_issue<T: Transport>(api: &Api<T>, number: u64, body: &str) -> Result<(), CallError> {
    let mark = body.lines().next().unwrap_or_default();
    for _ in 0..CREATES {
        match api.create_comment(number, body).await {
            Err(CallError::Lost(_)) => {
                let starts = |it: &Comment| it.body.as_deref().is_some_and(|body| body.starts_with(mark));
                if look(api, || api.comments(number), |list| list.iter().any(starts).then_some(())).await?.is_some() {
                    return Ok(());
                }
            }
            other => return other.map(drop),
        }
    }
    Err(CallError::Unavailable("the comment got no answer, and did not appear".to_owned()))
}

async fn write_block<T: Transport>(
    api: &Api<T>,
    issue: &Issue,
    block: &str,
    state: Option<IssueMove>,
) -> Result<(), CallError> {
    let there = issue.body.as_deref().unwrap_or_default();
    let body = issue::splice(there, block).or_else(|| issue::splice(there, &issue::short_block(block)));
    let Some(body) = body else {
        return Err(CallError::Unavailable(format!("there is no room left in the text of issue {}", issue.number)));
    };
    let mut change = json!({ "body": body });
    let moved = match state {
        None => None,
        Some(IssueMove::Close) => Some(("closed", "completed")),
        Some(IssueMove::Reopen) => Some(("open", "reopened")),
    };
    put(&mut change, "state", moved.map(|it| it.0));
    put(&mut change, "state_reason", moved.map(|it| it.1));
    api.update_issue(issue.number, change).await.map(drop)
}

/// Closes an issue of ours that has a twin. It loses its marker, so nobody takes it for the one that counts.
async fn retire_issue<T: Transport>(api: &Api<T>, suite: &str, number: u64, of: u64) -> Result<(), CallError> {
    let now = api.issue(number).await?;
    let body = now.body.as_deref().unwrap_or_default();
    let mark = marker::issue(suite);
    if !body.contains(&mark) {
        return Ok(());
    }
    let body = format!("Duplicate of #{of}.\n\n{}", body.replace(&mark, &marker::retired(suite, of)));
    api.update_issue(number, json!({ "body": body, "state": "closed", "state_reason": "not_planned" })).await.map(drop)
}

/// Makes the check run with its first annotations, then sends the rest.
async fn create_check_run<T: Transport>(api: &Api<T>, effect: &Effect) -> Result<(), CallError> {
    let Effect::CreateCheckRun { sha, name, external_id, conclusion, title, summary, details_url, annotations } =
        effect
    else {
        return Ok(());
    };
    let output = |annotations: &[Annotation]| {
        let list: Vec<Value> = annotations.iter().map(wire_annotation).collect();
        json!({ "title": title, "summary": summary, "annotations": list })
    };
    let mut batches = annotations.chunks(ANNOTATIONS_A_REQUEST);
    let mut request = json!({
        "name": name,
        "head_sha": sha,
        "external_id": external_id,
        "status": "completed",
        "conclusion": conclusion,
        "output": output(batches.next().unwrap_or_default()),
    });
    put(&mut request, "details_url", details_url.as_deref());
    let mut made = None;
    for _ in 0..CREATES {
        match api.create_check_run(request.clone()).await {
            Ok(check) => made = Some(check.id),
            Err(CallError::Lost(_)) => {
                let ours = |it: &crate::github::api::CheckRun| it.external_id.as_deref() == Some(external_id);
                let list = || api.check_runs(sha, name);
                made = look(api, list, |list| list.iter().find(|it| ours(it)).map(|it| it.id)).await?;
            }
            Err(error) => return Err(error),
        }
        if made.is_some() {
            break;
        }
    }
    let id =
        made.ok_or_else(|| CallError::Unavailable("the check run got no answer, and did not appear".to_owned()))?;
    for batch in batches {
        // Each batch is added to those before.
        api.update_check_run(id, json!({ "output": output(batch) })).await?;
    }
    Ok(())
}

fn wire_annotation(annotation: &Annotation) -> Value {
    let level = match annotation.level {
        Level::Error => "failure",
        Level::Warning => "warning",
        Level::Notice => "notice",
    };
    let line = annotation.line.unwrap_or(1);
    json!({
        "path": annotation.file,
        "start_line": line,
        "end_line": line,
        "annotation_level": level,
        "title": cut(&annotation.title, 250),
        "message": cut(&annotation.message, 4_000),
    })
}

/// Commits to our branch, and keeps one pull request from it. Its number.
async fn propose<T: Transport>(
    api: &Api<T>,
    situation: &Situation<'_>,
    edits: &[super::FileEdit],
    branch: &str,
    base: &str,
    title: &str,
) -> Result<u64, Failure> {
    let find =
        |pulls: Vec<Pull>| pulls.into_iter().filter(|pull| pull.base.branch == base).min_by_key(|pull| pull.number);
    let mut pull = find(api.pulls_from(None, branch).await?);
    let known = pull.as_ref().and_then(|pull| pull.body.clone());
    files::commit_beside(api, branch, base, title, edits, |into, ours| start(known.as_deref(), into, ours)).await?;
    let body = proposal_body(situation, &files::read(api, base, edits).await?);
    for _ in 0..CREATES {
        match &pull {
            Some(pull) => {
                if pull.body.as_deref().is_none_or(|there| !issue::same(there, &body)) {
                    api.update_pull(pull.number, &body).await?;
                }
                return Ok(pull.number);
            }
            None => match api.create_pull(title, branch, base, &body).await {
                Ok(pull) => return Ok(pull.number),
                Err(CallError::Lost(_)) => {
                    let list = || api.pulls_from(None, branch);
                    pull = look(api, list, |list| find(list.to_vec())).await?;
                }
                // Another job was faster; GitHub allows one for two branches.
                Err(error) if error.status() == Some(422) && error.says(&["already exists"]) => {
                    pull = find(api.pulls_from(None, branch).await?);
                }
                Err(error) => return Err(Failure::Call(error)),
            },
        }
    }
    Err(Failure::Call(CallError::Unavailable("the pull request got no answer, and did not appear".to_owned())))
}
