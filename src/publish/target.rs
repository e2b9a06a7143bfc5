//! Which pull request and commit the report is about. [I/O]

use crate::github::api::{Api, Pull};
use crate::github::client::{CallError, Transport};
use crate::github::context::{Context, Event};
use crate::run::Notice;

/// The label by which people with triage rights agree to what fails.
pub const ACCEPTED: &str = "loadgate: accepted";

/// What the report is about on GitHub.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The pull request to comment on.
    pub pull_request: Option<u64>,
    /// The commit that was tested.
    pub head_sha: Option<String>,
    /// The commit whose config, baselines and templates are trusted, where that is another than the tested one.
    pub base_sha: Option<String>,
    /// The pull request carries the label `loadgate: accepted`, which only people with triage rights can set.
    pub accepted: bool,
    /// The pull request holds other commits by now: nothing is posted to it.
    pub moved_on: bool,
    /// What could not be found out.
    pub notices: Vec<Notice>,
}

impl Target {
    /// What the event alone tells.
    pub(super) fn of_event(context: &Context) -> Self {
        let request = context.pull_request.as_ref();
        Self {
            pull_request: request.map(|it| it.number),
            head_sha: context.head_sha.clone(),
            base_sha: context.base_sha.clone(),
            accepted: request.is_some_and(|it| it.labels.iter().any(|label| label == ACCEPTED)),
            ..Self::default()
        }
    }
}

/// What GitHub knows by now. Never fails: what cannot be read stays as the event told it.
pub(super) async fn find<T: Transport>(api: &Api<T>, context: &Context) -> Target {
    let mut target = Target::of_event(context);
    match context.event {
        Event::PullRequest | Event::PullRequestTarget => {
            let Some(number) = target.pull_request else { return target };
            // The payload of a repeated workflow run is as old as its first attempt.
            if let Ok(pull) = api.pull(number).await {
                target.accepted = accepted(&pull);
                let tested = target.head_sha.as_deref().unwrap_or_default();
                target.moved_on = !pull.head.sha.is_empty() && !tested.is_empty() && pull.head.sha != tested;
            }
        }
        Event::IssueComment => {
            let Some(number) = target.pull_request else { return target };
            match api.pull(number).await {
                Ok(pull) => {
                    target.accepted = accepted(&pull);
                    target.head_sha = Some(pull.head.sha).filter(|sha| !sha.is_empty());
                    target.base_sha = Some(pull.base.sha).filter(|sha| !sha.is_empty());
                }
                Err(error) => target.notices.push(Notice::new(
                    "pull_request_not_found",
                    format!("pull request {number} cannot be read: {error}"),
                )),
            }
        }
        Event::WorkflowRun => follow(api, context, &mut target).await,
        _ => {}
    }
    target
}

/// The pull request that the finished workflow run tested, by its commit: the payload names none for forks.
async fn follow<T: Transport>(api: &Api<T>, context: &Context, target: &mut Target) {
    let Some(run) = &context.triggering else { return };
    let of_a_pull_request = run.event.as_deref().is_some_and(|event| event.starts_with("pull_request"));
    let (true, Some(sha)) = (of_a_pull_request, run.head_sha.as_deref()) else { return };
    let found = match candidates(api, context, sha).await {
        Ok(found) => found,
        Err(error) => {
            target.head_sha = None;
            target.notices.push(Notice::new(
                "pull_request_not_found",
                format!("the pull request of the tested commit cannot be looked for: {error}"),
            ));
            return;
        }
    };
    // One commit can be the head of several pull requests: the oldest is the one people look at.
    match found.iter().filter(|pull| pull.head.sha == sha).min_by_key(|pull| pull.number) {
        Some(pull) => {
            target.pull_request = Some(pull.number);
            target.accepted = accepted(pull);
        }
        None if found.is_empty() => {
            target.head_sha = None;
            target.notices.push(Notice::new(
                "pull_request_not_found",
                "no open pull request holds the tested commit: nothing is posted",
            ));
        }
        None => {
            target.head_sha = None;
            target.moved_on = true;
        }
    }
}

async fn candidates<T: Transport>(api: &Api<T>, context: &Context, sha: &str) -> Result<Vec<Pull>, CallError> {
    let Some(run) = &context.triggering else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for number in &run.pull_requests {
        match api.pull(*number).await {
            Ok(pull) if pull.state == "open" => found.push(pull),
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    if found.is_empty()
        && let (Some(owner), Some(branch)) = (&run.head_owner, &run.head_branch)
    {
        found = api.pulls_from(Some(owner), branch).await?;
    }
    if found.is_empty() {
        // The fork or its branch may be gone, or the host may not know the owner.
        found = match api.pulls_with(sha).await {
            Ok(found) => found.into_iter().filter(|pull| pull.state == "open").collect(),
            Err(error) if error.is_not_found() || error.status() == Some(422) => Vec::new(),
            Err(error) => return Err(error),
        };
    }
    Ok(found)
}

fn accepted(pull: &Pull) -> bool {
    pull.labels.iter().any(|label| label.name == ACCEPTED)
}
