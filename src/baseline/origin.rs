//! Where a run that is added comes from: options, then the GitHub environment, then git. [I/O]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Commit and branch of the tested code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revision {
    /// The commit's full id.
    pub commit: Option<String>,
    /// Branch or tag.
    pub git_ref: Option<String>,
}

/// The revision in `root`, as the workflow's environment says, else as git says; unknown parts stay `None`.
pub fn revision(root: &Path, vars: &BTreeMap<String, String>) -> Revision {
    let var = |name: &str| vars.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    if vars.get("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        // A pull request's GITHUB_SHA is a merge commit that will not exist in history.
        return Revision {
            commit: var("GITHUB_SHA"),
            git_ref: var("GITHUB_HEAD_REF").or_else(|| var("GITHUB_REF_NAME")),
        };
    }
    Revision {
        commit: git(root, &["rev-parse", "--verify", "HEAD"]),
        git_ref: git(root, &["symbolic-ref", "--short", "HEAD"]),
    }
}

/// One line from git; `None` if there is no git, no repository or no answer.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(root).args(arguments).output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !line.is_empty()).then_some(line)
}
