//! Files on branches: read at the tip, changed, committed with compare-and-swap. [I/O]
//!
//! Any number of jobs may do this at once. Who loses the race reads the new tip and applies its change again.

use std::collections::BTreeMap;

use super::{Edit, FileEdit, FileText};
use crate::github::api::{Api, NewFile};
use crate::github::client::{CallError, Transport};

/// Rounds against other jobs. The client's time ends most races earlier.
const ROUNDS: u32 = 60;

/// A branch as it was when we looked: its tip, and the files we care about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tip {
    /// `None`: there is no such branch.
    pub commit: Option<String>,
    /// By path; `None`: no such file.
    pub texts: BTreeMap<String, Option<String>>,
}

/// Why nothing was committed.
#[derive(Debug)]
pub(super) enum Failure {
    /// GitHub did not let us.
    Call(CallError),
    /// The new text cannot be made.
    Edit(String),
    /// Other jobs were always faster.
    Busy,
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// Reads the tip of a branch and the files there.
pub(super) async fn read<T: Transport>(api: &Api<T>, branch: &str, edits: &[FileEdit]) -> Result<Tip, CallError> {
    let commit = api.branch_tip(branch).await?;
    let mut texts = BTreeMap::new();
    for edit in edits {
        let text = match &commit {
            Some(commit) => api.file(&edit.path, commit).await?.map(|it| String::from_utf8_lossy(&it).into_owned()),
            None => None,
        };
        texts.insert(edit.path.clone(), text);
    }
    Ok(Tip { commit, texts })
}

/// The files that change, with their new texts.
pub(super) fn changed(tip: &Tip, edits: &[FileEdit]) -> Result<Vec<FileText>, String> {
    let mut files: Vec<FileText> = Vec::new();
    for FileEdit { path, edit, .. } in edits {
        // Two suites may share a file: the second change is made to what the first one left.
        let already = files.iter().position(|file| file.path == *path);
        let before = already
            .and_then(|at| files.get(at))
            .map(|file| file.text.as_str())
            .or_else(|| tip.texts.get(path).and_then(Option::as_deref));
        let Some(text) = apply(edit, before)? else { continue };
        match already.and_then(|at| files.get_mut(at)) {
            Some(file) => file.text = text,
            None => files.push(FileText { path: path.clone(), text }),
        }
    }
    Ok(files)
}

fn apply(edit: &Edit, before: Option<&str>) -> Result<Option<String>, String> {
    Ok(edit(before)?.filter(|text| before != Some(text.as_str())))
}

/// A branch that is made, or moved by one commit.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) branch: &'a str,
    pub(super) message: &'a str,
    /// Whether the branch is made, without history, if there is none.
    pub(super) orphan: bool,
}

/// Commits what the edits make of the tip. `false`: there was nothing to change.
pub(super) async fn commit<T: Transport>(
    api: &Api<T>,
    target: &Target<'_>,
    edits: &[FileEdit],
) -> Result<bool, Failure> {
    for round in 0..ROUNDS {
        if round > 0 && !api.client().step_back(round).await {
            return Err(Failure::Busy);
        }
        let tip = read(api, target.branch, edits).await?;
        let files = changed(&tip, edits).map_err(Failure::Edit)?;
        if files.is_empty() {
            return Ok(false);
        }
        let files = new_files(&files);
        let moved = match &tip.commit {
            Some(commit) => {
                let base = api.commit(commit).await?.tree.sha;
                let tree = api.create_tree(Some(&base), &files).await?;
                let new = api.create_commit(target.message, &tree.sha, std::slice::from_ref(commit)).await?;
                api.move_branch(target.branch, &new.sha, false).await
            }
            None if target.orphan => {
                let tree = api.create_tree(None, &files).await?;
                let new = api.create_commit(target.message, &tree.sha, &[]).await?;
                api.create_branch(target.branch, &new.sha).await
            }
            None => {
                let message = format!("there is no branch `{}`", target.branch);
                return Err(Failure::Call(CallError::Refused { status: 404, message }));
            }
        };
        match moved {
            Ok(()) => return Ok(true),
            Err(error) if lost_the_race(&error) => {}
            Err(error) => return Err(Failure::Call(error)),
        }
    }
    Err(Failure::Busy)
}

/// Our branch with a proposed change: its tip, and whether it follows the newest tip of the branch it is to be merged into.
///
/// It always moves forward from its own tip, so two jobs cannot take each other's commit away, and it always holds the
/// other branch's newest tree, so that it can be merged.
pub(super) async fn commit_beside<T: Transport>(
    api: &Api<T>,
    branch: &str,
    base: &str,
    message: &str,
    edits: &[FileEdit],
    start: impl Fn(&Tip, &Tip) -> Tip,
) -> Result<bool, Failure> {
    for round in 0..ROUNDS {
        if round > 0 && !api.client().step_back(round).await {
            return Err(Failure::Busy);
        }
        let (into, ours) = (read(api, base, edits).await?, read(api, branch, edits).await?);
        let Some(into_commit) = into.commit.clone() else {
            let message = format!("there is no branch `{base}`");
            return Err(Failure::Call(CallError::Refused { status: 404, message }));
        };
        let files = changed(&start(&into, &ours), edits).map_err(Failure::Edit)?;
        if files.is_empty() {
            return Ok(false);
        }
        let tree = api.commit(&into_commit).await?.tree.sha;
        let tree = api.create_tree(Some(&tree), &new_files(&files)).await?;
        let mut parents = vec![into_commit.clone()];
        if let Some(tip) = ours.commit.clone().filter(|tip| *tip != into_commit) {
            let known = api.commit(&tip).await?.parents.iter().any(|parent| parent.sha == into_commit);
            if known {
                parents.clear();
            }
            parents.insert(0, tip);
        }
        let new = api.create_commit(message, &tree.sha, &parents).await?;
        let moved = match &ours.commit {
            Some(_) => api.move_branch(branch, &new.sha, false).await,
            None => api.create_branch(branch, &new.sha).await,
        };
        match moved {
            Ok(()) => return Ok(true),
            Err(error) if lost_the_race(&error) => {}
            Err(error) => return Err(Failure::Call(error)),
        }
    }
    Err(Failure::Busy)
}

fn new_files(files: &[FileText]) -> Vec<NewFile> {
    files.iter().map(|file| NewFile { path: file.path.clone(), content: file.text.clone() }).collect()
}

/// Another job moved, made or removed the branch meanwhile; or we do not know whether our own request did.
fn lost_the_race(error: &CallError) -> bool {
    match error {
        CallError::Lost(_) => true,
        CallError::Refused { status: 409 | 422, .. } => {
            error.says(&["fast forward", "fast-forward", "already exists", "does not exist", "but expected", "is at "])
                && !is_protected(error)
        }
        _ => false,
    }
}

/// A rule of the repository keeps us from pushing to the branch.
pub(super) fn is_protected(error: &CallError) -> bool {
    matches!(error.status(), Some(403 | 409 | 422))
        && error.says(&[
            "protected",
            "rule violation",
            "ruleset",
            "repository rule",
            "through a pull request",
            "required status",
        ])
}
