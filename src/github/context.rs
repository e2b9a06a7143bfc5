//! The event and the runner's environment, read once and typed. [I/O]
//!
//! Payloads differ between hosts, versions and triggers, so each field is looked up on its own and may be missing; nothing
//! here fails. [`Context::new`] is pure; [`Context::read`] gathers what it needs.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;

use serde_json::Value;

/// No event of GitHub's comes near this; more is not read.
const EVENT_BYTES: u64 = 32 * 1024 * 1024;

/// What started the workflow run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `pull_request`.
    PullRequest,
    /// `pull_request_target`: code and token of the base repository.
    PullRequestTarget,
    /// `push`.
    Push,
    /// `schedule`: always on the default branch.
    Schedule,
    /// `workflow_dispatch`.
    WorkflowDispatch,
    /// `merge_group`: a merge queue asks.
    MergeGroup,
    /// `workflow_run`: after another workflow, with the default branch's code and token.
    WorkflowRun,
    /// `issue_comment`.
    IssueComment,
    /// Any other, or none at all.
    Other,
}

impl Event {
    fn named(name: &str) -> Self {
        match name {
            "pull_request" => Self::PullRequest,
            "pull_request_target" => Self::PullRequestTarget,
            "push" => Self::Push,
            "schedule" => Self::Schedule,
            "workflow_dispatch" => Self::WorkflowDispatch,
            "merge_group" => Self::MergeGroup,
            "workflow_run" => Self::WorkflowRun,
            "issue_comment" => Self::IssueComment,
            _ => Self::Other,
        }
    }
}

/// `owner/name` of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The user or organisation.
    pub owner: String,
    /// The name below it.
    pub name: String,
}

impl Repository {
    /// From `owner/name`; `None` if it is not two non-empty parts.
    pub fn parse(full_name: &str) -> Option<Self> {
        match full_name.split_once('/') {
            Some((owner, name)) if !owner.is_empty() && !name.is_empty() && !name.contains('/') => {
                Some(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => None,
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.owner, self.name)
    }
}

/// The workflow run we are part of. Ids grow with time over the whole host, so they tell older from newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkflowRun {
    /// `GITHUB_RUN_ID`; the same for every attempt.
    pub id: u64,
    /// `GITHUB_RUN_ATTEMPT`, from 1.
    pub attempt: u64,
}

/// The pull request that the event is about, as far as the event tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// Tip of the pull request: where checks and statuses belong.
    pub head_sha: Option<String>,
    /// Tip of the base branch when the event happened: the trusted side.
    pub base_sha: Option<String>,
    /// Name of the base branch.
    pub base_ref: Option<String>,
    /// Labels at the time of the event.
    pub labels: Vec<String>,
}

/// The finished workflow run that a `workflow_run` event is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TriggeringRun {
    /// Its id.
    pub id: Option<u64>,
    /// What it ran on.
    pub head_sha: Option<String>,
    /// The branch, in the head repository.
    pub head_branch: Option<String>,
    /// Owner of the head repository; a fork's owner for forks, `None` if the fork is gone.
    pub head_owner: Option<String>,
    /// The event that had started it, such as `pull_request`.
    pub event: Option<String>,
    /// Pull requests as the payload lists them: always empty for forks.
    pub pull_requests: Vec<u64>,
}

/// Everything we know about where we run. Outside GitHub Actions nearly all of it is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Whether a runner started us.
    pub in_actions: bool,
    /// What started the workflow run.
    pub event: Event,
    /// The event as GitHub names it, also where we do not know it.
    pub event_name: Option<String>,
    /// The repository whose workflow runs.
    pub repository: Option<Repository>,
    /// Base of the REST API, without a final slash.
    pub api_url: String,
    /// Base of the web pages, without a final slash.
    pub server_url: String,
    /// Our workflow run.
    pub workflow_run: Option<WorkflowRun>,
    /// Who started it, such as `dependabot[bot]`.
    pub actor: Option<String>,
    /// `GITHUB_SHA`: for pull requests a merge commit that nobody pushed.
    pub sha: Option<String>,
    /// Short name of the branch or tag.
    pub ref_name: Option<String>,
    /// `GITHUB_REF`, such as `refs/heads/main`.
    pub full_ref: Option<String>,
    /// The repository's default branch.
    pub default_branch: Option<String>,
    /// The commit that was tested, where checks and statuses belong: never the merge commit.
    pub head_sha: Option<String>,
    /// The commit whose config, baselines and templates are trusted, where that is another than the tested one.
    pub base_sha: Option<String>,
    /// The pull request, if the event names one.
    pub pull_request: Option<PullRequest>,
    /// The workflow run that ours follows.
    pub triggering: Option<TriggeringRun>,
    /// Whether the tested code comes from another repository (or one that is gone).
    pub from_fork: bool,
    /// The checked-out repository.
    pub workspace: Option<PathBuf>,
    /// Where the job summary is appended.
    pub summary_file: Option<PathBuf>,
    /// Where step outputs are appended.
    pub output_file: Option<PathBuf>,
    /// Why the event file could not be used, if it could not.
    pub event_problem: Option<String>,
}

impl Context {
    /// From environment variables and the event payload. Pure.
    pub fn new(vars: &BTreeMap<String, String>, event: Option<&Value>) -> Self {
        let var = |name: &str| vars.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let owned = |name: &str| var(name).map(str::to_owned);
        let null = Value::Null;
        let payload = event.unwrap_or(&null);

        let event = var("GITHUB_EVENT_NAME").map_or(Event::Other, Event::named);
        let repository =
            var("GITHUB_REPOSITORY").or_else(|| text(payload, "/repository/full_name")).and_then(Repository::parse);
        let sha = owned("GITHUB_SHA");
        let ref_name = owned("GITHUB_REF_NAME");
        let default_branch = match event {
            Event::Schedule => ref_name.clone(),
            _ => text(payload, "/repository/default_branch").map(str::to_owned),
        };
        let pull_request = pull_request(&event, payload);
        let triggering = (event == Event::WorkflowRun).then(|| triggering(payload));
        let (head_sha, base_sha) = match event {
            Event::PullRequest | Event::PullRequestTarget => {
                let request = pull_request.as_ref();
                (request.and_then(|it| it.head_sha.clone()), request.and_then(|it| it.base_sha.clone()))
            }
            Event::MergeGroup => {
                (owned_text(payload, "/merge_group/head_sha"), owned_text(payload, "/merge_group/base_sha"))
            }
            // Our own commit is the default branch's tip here, and that is the trusted side.
            Event::WorkflowRun => (triggering.as_ref().and_then(|it| it.head_sha.clone()), sha.clone()),
            _ => (sha.clone(), None),
        };

        Self {
            in_actions: var("GITHUB_ACTIONS") == Some("true"),
            from_fork: from_fork(&event, payload, repository.as_ref()),
            event,
            event_name: owned("GITHUB_EVENT_NAME"),
            api_url: url(var("GITHUB_API_URL"), "https://api.github.com"),
            server_url: url(var("GITHUB_SERVER_URL"), "https://github.com"),
            workflow_run: var("GITHUB_RUN_ID").and_then(|id| id.parse().ok()).map(|id| WorkflowRun {
                id,
                attempt: var("GITHUB_RUN_ATTEMPT").and_then(|attempt| attempt.parse().ok()).unwrap_or(1),
            }),
            actor: owned("GITHUB_ACTOR"),
            full_ref: owned("GITHUB_REF"),
            workspace: var("GITHUB_WORKSPACE").map(PathBuf::from),
            summary_file: var("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            output_file: var("GITHUB_OUTPUT").map(PathBuf::from),
            repository,
            sha,
            ref_name,
            default_branch,
            head_sha,
            base_sha,
            pull_request,
            triggering,
            event_problem: None,
        }
    }

    /// From this process's environment variables (given, so that they are gathered in one place) and the event file.
    pub fn read(vars: &BTreeMap<String, String>) -> Self {
        let path = vars.get("GITHUB_EVENT_PATH").filter(|path| !path.is_empty());
        let event = path.map(|path| read_event(path));
        match event {
            Some(Ok(event)) => Self::new(vars, Some(&event)),
            Some(Err(problem)) => Self { event_problem: Some(problem), ..Self::new(vars, None) },
            None => Self::new(vars, None),
        }
    }

    /// Whether the tested commit is on the default branch (as opposed to a pull request, another branch, or unknown).
    pub fn on_default_branch(&self) -> bool {
        match self.event {
            Event::Schedule => true,
            Event::Push | Event::WorkflowDispatch | Event::Other => {
                let branch = self.full_ref.as_deref().and_then(|it| it.strip_prefix("refs/heads/"));
                branch.is_some() && branch == self.default_branch.as_deref()
            }
            _ => false,
        }
    }

    /// Whether the runner gives such a workflow run a token that cannot write, whatever its `permissions` say: pull requests
    /// from forks, and what Dependabot starts.
    pub fn token_is_read_only(&self) -> bool {
        self.event == Event::PullRequest && (self.from_fork || self.actor.as_deref() == Some("dependabot[bot]"))
    }

    /// Page of the repository.
    pub fn repository_url(&self) -> Option<String> {
        self.repository.as_ref().map(|repository| format!("{}/{repository}", self.server_url))
    }

    /// Page of our workflow run.
    pub fn workflow_run_url(&self) -> Option<String> {
        Some(format!("{}/actions/runs/{}", self.repository_url()?, self.workflow_run?.id))
    }
}

fn read_event(path: &str) -> Result<Value, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("{path}: {error}"))?;
    let mut bytes = Vec::new();
    file.take(EVENT_BYTES).read_to_end(&mut bytes).map_err(|error| format!("{path}: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{path}: {error}"))
}

fn text<'a>(payload: &'a Value, pointer: &str) -> Option<&'a str> {
    payload.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn owned_text(payload: &Value, pointer: &str) -> Option<String> {
    text(payload, pointer).map(str::to_owned)
}

fn url(given: Option<&str>, default: &str) -> String {
    given.unwrap_or(default).trim_end_matches('/').to_owned()
}

fn pull_request(event: &Event, payload: &Value) -> Option<PullRequest> {
    match event {
        Event::PullRequest | Event::PullRequestTarget => Some(PullRequest {
            number: payload.pointer("/pull_request/number").or_else(|| payload.get("number"))?.as_u64()?,
            head_sha: owned_text(payload, "/pull_request/head/sha"),
            base_sha: owned_text(payload, "/pull_request/base/sha"),
            base_ref: owned_text(payload, "/pull_request/base/ref"),
            labels: labels(payload.pointer("/pull_request/labels")),
        }),
        Event::IssueComment => {
            // The payload says that it is a pull request, and nothing about its commits.
            payload.pointer("/issue/pull_request").filter(|it| it.is_object())?;
            let number = payload.pointer("/issue/number")?.as_u64()?;
            Some(PullRequest { number, labels: labels(payload.pointer("/issue/labels")), ..PullRequest::default() })
        }
        _ => None,
    }
}

fn labels(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|label| text(label, "/name")).map(str::to_owned).collect()
}

fn triggering(payload: &Value) -> TriggeringRun {
    let null = Value::Null;
    let run = payload.get("workflow_run").unwrap_or(&null);
    let requests = run.get("pull_requests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    TriggeringRun {
        id: run.get("id").and_then(Value::as_u64),
        head_sha: owned_text(run, "/head_sha"),
        head_branch: owned_text(run, "/head_branch"),
        head_owner: owned_text(run, "/head_repository/owner/login").or_else(|| {
            text(run, "/head_repository/full_name").and_then(Repository::parse).map(|repository| repository.owner)
        }),
        event: owned_text(run, "/event"),
        pull_requests: requests.iter().filter_map(|it| it.get("number").and_then(Value::as_u64)).collect(),
    }
}

fn from_fork(event: &Event, payload: &Value, repository: Option<&Repository>) -> bool {
    let head = match event {
        Event::PullRequest | Event::PullRequestTarget => "/pull_request/head/repo/full_name",
        Event::WorkflowRun => "/workflow_run/head_repository/full_name",
        _ => return false,
    };
    // A deleted fork has no repository at all. GitHub's names do not care about case.
    let ours = repository.map(ToString::to_string).unwrap_or_default();
    !text(payload, head).is_some_and(|theirs| theirs.eq_ignore_ascii_case(&ours))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(event: &str, more: &[(&str, &str)], payload: &Value) -> Context {
        let mut vars: BTreeMap<String, String> = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", event),
            ("GITHUB_REPOSITORY", "octo/shop"),
            ("GITHUB_SHA", "5555"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_RUN_ID", "42"),
            ("GITHUB_RUN_ATTEMPT", "2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        vars.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Context::new(&vars, Some(payload))
    }

    fn pull_request(head_repo: &Value) -> Value {
        json!({"number": 7, "repository": {"default_branch": "main"}, "pull_request": {
            "number": 7, "labels": [{"name": "perf"}, {"name": null}],
            "head": {"sha": "aaaa", "repo": head_repo}, "base": {"sha": "bbbb", "ref": "main"}}})
    }

    #[test]
    fn a_pull_request_is_judged_at_its_head_with_the_rules_of_its_base() {
        let context = at("pull_request", &[], &pull_request(&json!({"full_name": "Octo/Shop"})));
        assert_eq!(context.head_sha.as_deref(), Some("aaaa"));
        assert_eq!(context.base_sha.as_deref(), Some("bbbb"));
        let request = context.pull_request.as_ref().unwrap();
        assert_eq!((request.number, request.base_ref.as_deref()), (7, Some("main")));
        assert_eq!(request.labels, ["perf"]);
        assert!(!context.from_fork && !context.token_is_read_only() && !context.on_default_branch());
        assert_eq!(context.workflow_run, Some(WorkflowRun { id: 42, attempt: 2 }));
        assert_eq!(context.workflow_run_url().as_deref(), Some("https://github.com/octo/shop/actions/runs/42"));
    }

    #[test]
    fn a_fork_is_a_fork_also_when_it_is_gone() {
        for repo in [json!({"full_name": "mallory/shop"}), Value::Null, json!({})] {
            let context = at("pull_request", &[], &pull_request(&repo));
            assert!(context.from_fork && context.token_is_read_only(), "{repo}");
            // The base repository's token can write.
            let context = at("pull_request_target", &[], &pull_request(&repo));
            assert!(context.from_fork && !context.token_is_read_only(), "{repo}");
        }
        let own = pull_request(&json!({"full_name": "octo/shop"}));
        assert!(at("pull_request", &[("GITHUB_ACTOR", "dependabot[bot]")], &own).token_is_read_only());
    }

    #[test]
    fn default_branch_is_known_where_it_can_be() {
        let payload = json!({"repository": {"default_branch": "main"}});
        assert!(at("push", &[], &payload).on_default_branch());
        assert!(at("workflow_dispatch", &[], &payload).on_default_branch());
        assert!(at("schedule", &[], &json!({"schedule": "0 2 * * 0"})).on_default_branch());
        assert!(!at("push", &[("GITHUB_REF", "refs/tags/main")], &payload).on_default_branch());
        assert!(!at("push", &[("GITHUB_REF", "refs/heads/topic")], &payload).on_default_branch());
        assert!(!at("push", &[], &json!({})).on_default_branch());
    }

    #[test]
    fn a_merge_group_has_its_own_two_commits() {
        let context = at("merge_group", &[], &json!({"merge_group": {"head_sha": "cccc", "base_sha": "dddd"}}));
        assert_eq!((context.head_sha.as_deref(), context.base_sha.as_deref()), (Some("cccc"), Some("dddd")));
        assert_eq!(context.pull_request, None);
        assert!(!context.on_default_branch());
    }

    #[test]
    fn a_workflow_run_knows_what_it_follows() {
        let payload = json!({"workflow_run": {"id": 9, "head_sha": "eeee", "head_branch": "topic", "event": "pull_request",
            "pull_requests": [], "head_repository": {"full_name": "mallory/shop", "owner": {"login": "mallory"}}}});
        let context = at("workflow_run", &[], &payload);
        assert!(context.from_fork && !context.token_is_read_only());
        assert_eq!((context.head_sha.as_deref(), context.base_sha.as_deref()), (Some("eeee"), Some("5555")));
        let run = context.triggering.unwrap();
        assert_eq!((run.head_owner.as_deref(), run.head_branch.as_deref()), (Some("mallory"), Some("topic")));
        assert_eq!(run.pull_requests, Vec::<u64>::new());
    }

    #[test]
    fn a_comment_on_a_pull_request_names_it() {
        let on = |issue: Value| at("issue_comment", &[], &json!({ "issue": issue })).pull_request.map(|it| it.number);
        assert_eq!(on(json!({"number": 3, "pull_request": {"url": "x"}})), Some(3));
        assert_eq!(on(json!({"number": 3})), None);
    }

    #[test]
    fn a_strange_payload_is_no_reason_to_fail() {
        for payload in
            [Value::Null, json!([]), json!({"pull_request": 3, "number": "x", "workflow_run": []}), json!("x")]
        {
            for event in
                ["pull_request", "push", "workflow_run", "merge_group", "issue_comment", "schedule", "surprise", ""]
            {
                let context = at(event, &[("GITHUB_RUN_ID", "x"), ("GITHUB_REPOSITORY", "x")], &payload);
                assert_eq!((context.workflow_run, context.repository), (None, None));
            }
        }
        let nowhere = Context::new(&BTreeMap::new(), None);
        assert!(!nowhere.in_actions && nowhere.api_url == "https://api.github.com");
    }

    #[test]
    fn hosts_other_than_github_com_are_taken_from_the_runner() {
        let context = at(
            "push",
            &[("GITHUB_API_URL", "https://ghe.example/api/v3/"), ("GITHUB_SERVER_URL", "https://ghe.example")],
            &json!({}),
        );
        assert_eq!(context.api_url, "https://ghe.example/api/v3");
        assert_eq!(context.workflow_run_url().as_deref(), Some("https://ghe.example/octo/shop/actions/runs/42"));
    }

    #[test]
    fn an_unreadable_event_is_said_and_survived() {
        let mut vars = BTreeMap::from([("GITHUB_EVENT_PATH".to_owned(), "/nonexistent/event.json".to_owned())]);
        assert!(Context::read(&vars).event_problem.is_some_and(|problem| problem.contains("/nonexistent/event.json")));
        vars.clear();
        assert_eq!(Context::read(&vars).event_problem, None);
    }
}
