//! The calls we use, one function each, with our own request and response structs.
//!
//! Responses name only what we read, and leniently: Enterprise Server and other hosts leave fields out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{CallError, Client, Transport};
use super::context::Repository;

/// What need not be encoded in one segment of a path or one value of a query.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for whole paths and branch names: GitHub's templates for them are greedy.
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// Annotations that one request may carry.
pub const ANNOTATIONS_A_REQUEST: usize = 50;

/// One repository's API.
#[derive(Debug)]
pub struct Api<T> {
    client: Client<T>,
    root: String,
    owner: String,
}

/// Who wrote something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct User {
    /// The login; bots end in `[bot]`.
    #[serde(default)]
    pub login: String,
}

/// A comment on an issue or pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Comment {
    /// Its id; lower is older.
    pub id: u64,
    /// Its text. Untrusted.
    #[serde(default)]
    pub body: Option<String>,
    /// Its page.
    #[serde(default)]
    pub html_url: Option<String>,
    /// Its author; `None` if the account is gone.
    #[serde(default)]
    pub user: Option<User>,
}

/// An issue (or a pull request, which the same list holds).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Issue {
    /// Its number; lower is older.
    pub number: u64,
    /// Its title. Untrusted.
    #[serde(default)]
    pub title: String,
    /// Its text. Untrusted.
    #[serde(default)]
    pub body: Option<String>,
    /// `open` or `closed`.
    #[serde(default)]
    pub state: String,
    /// `completed`, `not_planned`, `reopened`, …
    #[serde(default)]
    pub state_reason: Option<String>,
    /// When it was closed.
    #[serde(default)]
    pub closed_at: Option<jiff::Timestamp>,
    /// Its page.
    #[serde(default)]
    pub html_url: Option<String>,
    /// Its author.
    #[serde(default)]
    pub user: Option<User>,
    /// There for pull requests only.
    #[serde(default)]
    pub pull_request: Option<Value>,
}

/// One side of a pull request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct PullSide {
    /// Its tip.
    #[serde(default)]
    pub sha: String,
    /// Its branch.
    #[serde(default, rename = "ref")]
    pub branch: String,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// `open` or `closed`.
    #[serde(default)]
    pub state: String,
    /// Its text. Untrusted.
    #[serde(default)]
    pub body: Option<String>,
    /// Its page.
    #[serde(default)]
    pub html_url: Option<String>,
    /// What it brings.
    #[serde(default)]
    pub head: PullSide,
    /// Where to.
    #[serde(default)]
    pub base: PullSide,
    /// Its labels.
    #[serde(default)]
    pub labels: Vec<Label>,
}

/// A label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// A commit status.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CommitStatus {
    /// Its name.
    pub context: String,
    /// `success`, `failure`, `error` or `pending`.
    #[serde(default)]
    pub state: String,
    /// One line.
    #[serde(default)]
    pub description: Option<String>,
}

/// A check run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckRun {
    /// Its id.
    pub id: u64,
    /// Our own mark.
    #[serde(default)]
    pub external_id: Option<String>,
}

/// A file or folder in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// `file`, `dir`, `symlink` or `submodule`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// Its path from the root.
    #[serde(default)]
    pub path: String,
}

/// Something with an object id.
#[derive(Debug, Clone, Deserialize)]
pub struct Object {
    /// The id.
    pub sha: String,
}

/// A commit of the Git Data API.
#[derive(Debug, Clone, Deserialize)]
pub struct Commit {
    /// Its id.
    pub sha: String,
    /// Its tree.
    pub tree: Object,
    /// What it follows.
    #[serde(default)]
    pub parents: Vec<Object>,
    /// Its message. Untrusted.
    #[serde(default)]
    pub message: String,
}

/// One file to be put into a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Path from the root of the repository.
    pub path: String,
    /// The whole text.
    pub content: String,
}

impl<T: Transport> Api<T> {
    /// The API of `repository`.
    pub fn new(client: Client<T>, repository: &Repository) -> Self {
        let root = format!("/repos/{}/{}", segment(&repository.owner), segment(&repository.name));
        Self { client, root, owner: repository.owner.clone() }
    }

    /// The client below, for its clock and counters.
    pub fn client(&self) -> &Client<T> {
        &self.client
    }

    fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.root)
    }

    // Comments

    /// All comments of an issue or pull request, oldest first.
    pub async fn comments(&self, number: u64) -> Result<Vec<Comment>, CallError> {
        self.client.list(&self.path(&format!("/issues/{number}/comments?per_page=100")), |it| it).await
    }

    /// One comment as it is now.
    pub async fn comment(&self, id: u64) -> Result<Comment, CallError> {
        self.client.get(&self.path(&format!("/issues/comments/{id}"))).await
    }

    /// Writes a comment.
    pub async fn create_comment(&self, number: u64, body: &str) -> Result<Comment, CallError> {
        self.client.create(&self.path(&format!("/issues/{number}/comments")), json!({ "body": body })).await
    }

    /// Replaces a comment's text.
    pub async fn update_comment(&self, id: u64, body: &str) -> Result<Comment, CallError> {
        self.client.change(&self.path(&format!("/issues/comments/{id}")), json!({ "body": body })).await
    }

    /// Removes a comment.
    pub async fn delete_comment(&self, id: u64) -> Result<(), CallError> {
        self.client.delete(&self.path(&format!("/issues/comments/{id}"))).await
    }

    // Issues

    /// All issues that `creator` opened, open and closed, newest first, pull requests left out.
    pub async fn issues_by(&self, creator: &str) -> Result<Vec<Issue>, CallError> {
        let all = self.path("/issues?state=all&sort=created&direction=desc&per_page=100");
        let by = format!("{all}&creator={}", segment(creator));
        let list = match self.client.list::<Issue>(&by, |it| it).await {
            // Hosts that do not know the account.
            Err(CallError::Refused { status: 422, .. }) => self.client.list(&all, |it| it).await,
            other => other,
        };
        Ok(list?.into_iter().filter(|issue| issue.pull_request.is_none()).collect())
    }

    /// One issue as it is now.
    pub async fn issue(&self, number: u64) -> Result<Issue, CallError> {
        self.client.get(&self.path(&format!("/issues/{number}"))).await
    }

    /// Opens an issue.
    pub async fn create_issue(
        &self,
        title: &str,
        body: &str,
        labels: &[String],
        assignees: &[String],
    ) -> Result<Issue, CallError> {
        let mut request = json!({ "title": title, "body": body, "labels": labels });
        // Sent only where wanted: an account that cannot be assigned makes some hosts refuse the whole.
        if let (Some(request), false) = (request.as_object_mut(), assignees.is_empty()) {
            request.insert("assignees".to_owned(), json!(assignees));
        }
        self.client.create(&self.path("/issues"), request).await
    }

    /// Changes an issue; `change` holds what is to change and nothing else.
    pub async fn update_issue(&self, number: u64, change: Value) -> Result<Issue, CallError> {
        self.client.change(&self.path(&format!("/issues/{number}")), change).await
    }

    /// The repository's labels.
    pub async fn labels(&self) -> Result<Vec<Label>, CallError> {
        self.client.list(&self.path("/labels?per_page=100"), |it| it).await
    }

    /// Makes a label. `color` is six hexadecimal digits.
    pub async fn create_label(&self, name: &str, color: &str, description: &str) -> Result<Label, CallError> {
        let body = json!({ "name": name, "color": color, "description": description });
        self.client.create(&self.path("/labels"), body).await
    }

    // Pull requests

    /// One pull request as it is now.
    pub async fn pull(&self, number: u64) -> Result<Pull, CallError> {
        self.client.get(&self.path(&format!("/pulls/{number}"))).await
    }

    /// Open pull requests from `branch` of `owner` (ours if `None`).
    pub async fn pulls_from(&self, owner: Option<&str>, branch: &str) -> Result<Vec<Pull>, CallError> {
        let head = format!("{}:{branch}", owner.unwrap_or(&self.owner));
        self.client.list(&self.path(&format!("/pulls?state=open&head={}&per_page=100", segment(&head))), |it| it).await
    }

    /// Pull requests that hold a commit.
    pub async fn pulls_with(&self, commit: &str) -> Result<Vec<Pull>, CallError> {
        self.client.list(&self.path(&format!("/commits/{}/pulls?per_page=100", segment(commit))), |it| it).await
    }

    /// Opens a pull request.
    pub async fn create_pull(&self, title: &str, head: &str, base: &str, body: &str) -> Result<Pull, CallError> {
        let request = json!({ "title": title, "head": head, "base": base, "body": body });
        self.client.create(&self.path("/pulls"), request).await
    }

    /// Replaces a pull request's text.
    pub async fn update_pull(&self, number: u64, body: &str) -> Result<Pull, CallError> {
        self.client.change(&self.path(&format!("/pulls/{number}")), json!({ "body": body })).await
    }

    // Statuses and checks

    /// The latest status of every name on a commit.
    pub async fn statuses(&self, sha: &str) -> Result<Vec<CommitStatus>, CallError> {
        let path = self.path(&format!("/commits/{}/status?per_page=100", segment(sha)));
        self.client.list(&path, |mut page| page.get_mut("statuses").map(Value::take).unwrap_or_default()).await
    }

    /// Sets a status; the latest of a name counts.
    pub async fn create_status(&self, sha: &str, status: Value) -> Result<CommitStatus, CallError> {
        self.client.create_freely(&self.path(&format!("/statuses/{}", segment(sha))), status).await
    }

    /// The latest check runs of a name on a commit.
    pub async fn check_runs(&self, sha: &str, name: &str) -> Result<Vec<CheckRun>, CallError> {
        let path = format!("/commits/{}/check-runs?check_name={}&per_page=100", segment(sha), segment(name));
        let list = |mut page: Value| page.get_mut("check_runs").map(Value::take).unwrap_or_default();
        self.client.list(&self.path(&path), list).await
    }

    /// Makes a check run.
    pub async fn create_check_run(&self, request: Value) -> Result<CheckRun, CallError> {
        self.client.create(&self.path("/check-runs"), request).await
    }

    /// Changes a check run; annotations are added to those it has.
    pub async fn update_check_run(&self, id: u64, change: Value) -> Result<CheckRun, CallError> {
        self.client.change(&self.path(&format!("/check-runs/{id}")), change).await
    }

    // Files and commits

    /// A file's bytes at a commit or branch; `None` if there is no such file.
    pub async fn file(&self, path: &str, reference: &str) -> Result<Option<Vec<u8>>, CallError> {
        let file: Value = match self.contents(path, reference).await? {
            Some(file) => file,
            None => return Ok(None),
        };
        let text = |key: &str| file.get(key).and_then(Value::as_str);
        match (text("encoding"), text("content"), text("sha")) {
            (Some("base64"), Some(content), _) => decode(content).map(Some),
            // Above a megabyte the content is left out; the blob has it.
            (_, _, Some(sha)) if text("type") == Some("file") => {
                #[derive(Deserialize)]
                struct Blob {
                    content: String,
                }
                let blob: Blob = self.client.get(&self.path(&format!("/git/blobs/{}", segment(sha)))).await?;
                decode(&blob.content).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// What a folder holds at a commit or branch; `None` if there is no such folder.
    pub async fn folder(&self, path: &str, reference: &str) -> Result<Option<Vec<Entry>>, CallError> {
        Ok(match self.contents(path, reference).await? {
            Some(Value::Array(entries)) => {
                Some(entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect())
            }
            _ => None,
        })
    }

    async fn contents(&self, path: &str, reference: &str) -> Result<Option<Value>, CallError> {
        let path = utf8_percent_encode(path.trim_matches('/'), PATH);
        match self.client.get(&self.path(&format!("/contents/{path}?ref={}", segment(reference)))).await {
            // A commit that is not there says nothing about its files.
            Err(error) if error.is_not_found() && !error.says(&["no commit found"]) => Ok(None),
            other => other.map(Some),
        }
    }

    /// The tip of a branch; `None` if there is no such branch.
    pub async fn branch_tip(&self, branch: &str) -> Result<Option<String>, CallError> {
        #[derive(Deserialize)]
        struct Reference {
            object: Object,
        }
        let path = format!("/git/ref/heads/{}", utf8_percent_encode(branch, PATH));
        match self.client.get::<Reference>(&self.path(&path)).await {
            Err(error) if error.is_not_found() => Ok(None),
            other => other.map(|reference| Some(reference.object.sha)),
        }
    }

    /// A commit.
    pub async fn commit(&self, sha: &str) -> Result<Commit, CallError> {
        self.client.get(&self.path(&format!("/git/commits/{}", segment(sha)))).await
    }

    /// A tree: `base` with the files put in, or only them.
    pub async fn create_tree(&self, base: Option<&str>, files: &[NewFile]) -> Result<Object, CallError> {
        let entries: Vec<Value> = files
            .iter()
            .map(|file| json!({ "path": file.path, "mode": "100644", "type": "blob", "content": file.content }))
            .collect();
        let mut request = json!({ "tree": entries });
        if let (Some(request), Some(base)) = (request.as_object_mut(), base) {
            request.insert("base_tree".to_owned(), json!(base));
        }
        self.client.create_freely(&self.path("/git/trees"), request).await
    }

    /// A commit. Without author and committer GitHub signs it for the bot.
    pub async fn create_commit(&self, message: &str, tree: &str, parents: &[String]) -> Result<Object, CallError> {
        let request = json!({ "message": message, "tree": tree, "parents": parents });
        self.client.create_freely(&self.path("/git/commits"), request).await
    }

    /// Makes a branch.
    pub async fn create_branch(&self, branch: &str, sha: &str) -> Result<(), CallError> {
        let request = json!({ "ref": format!("refs/heads/{branch}"), "sha": sha });
        self.client.create::<Value>(&self.path("/git/refs"), request).await.map(drop)
    }

    /// Moves a branch; without `force` only to a commit that follows its tip.
    pub async fn move_branch(&self, branch: &str, sha: &str, force: bool) -> Result<(), CallError> {
        let path = format!("/git/refs/heads/{}", utf8_percent_encode(branch, PATH));
        self.client.change::<Value>(&self.path(&path), json!({ "sha": sha, "force": force })).await.map(drop)
    }
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn decode(content: &str) -> Result<Vec<u8>, CallError> {
    // GitHub wraps its base64 like mail.
    let packed: String = content.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64.decode(packed).map_err(|error| CallError::Unavailable(format!("not base64: {error}")))
}
