//! The trusted side of a pull request: config, baselines and templates as the base commit has them. [I/O]
//!
//! Whatever the pull request changes in them is shown side by side and does not count.

use std::cell::RefCell;

use super::session::Session;
use crate::report::escape::{clean, cut};
use crate::run::Notice;

/// Characters of a line that are shown.
const LINE: usize = 120;

/// Files as they are at the base commit, below the working directory.
#[derive(Debug)]
pub struct Base<'a> {
    session: &'a Session,
    commit: String,
    folder: String,
    broken: RefCell<Option<Unreadable>>,
}

/// The base cannot be read: the files of the workspace count, and the reader is told. Once it happened, every further
/// question gets the same answer, so that the two sides are never mixed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    /// The notice `base_unreadable`.
    pub fn notice(&self) -> Notice {
        Notice::new(
            "base_unreadable",
            format!(
                "config, baselines and templates are those of this checkout, because the base commit cannot be read: {self}"
            ),
        )
    }
}

impl<'a> Base<'a> {
    pub(super) fn new(session: &'a Session, commit: String, folder: &str) -> Self {
        let folder = folder.trim_matches('/');
        let folder = folder.strip_prefix("./").unwrap_or(folder);
        let folder = if folder == "." { "" } else { folder };
        Self { session, commit, folder: folder.to_owned(), broken: RefCell::new(None) }
    }

    /// The base commit.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// The text of a file; `None` if the base has no such file. `path` is from the working directory.
    pub fn text(&self, path: &str) -> Result<Option<String>, Unreadable> {
        let Some(path) = self.below(path) else { return Ok(None) };
        let bytes = self.ask(|session| session.file(&path, &self.commit))?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The names of the files right in a folder, sorted; `None` if the base has no such folder.
    pub fn folder(&self, path: &str) -> Result<Option<Vec<String>>, Unreadable> {
        let Some(path) = self.below(path) else { return Ok(None) };
        self.ask(|session| session.folder(&path, &self.commit))
    }

    fn ask<R>(&self, question: impl FnOnce(&Session) -> Result<R, String>) -> Result<R, Unreadable> {
        if let Some(broken) = self.broken.borrow().as_ref() {
            return Err(broken.clone());
        }
        question(self.session).map_err(|said| {
            let broken = Unreadable(said);
            *self.broken.borrow_mut() = Some(broken.clone());
            broken
        })
    }

    /// From the root of the repository; `None` for what is outside of it.
    fn below(&self, path: &str) -> Option<String> {
        let mut parts: Vec<&str> = Vec::new();
        for part in self.folder.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." => _ = parts.pop()?,
                other => parts.push(other),
            }
        }
        (!path.starts_with('/') && !parts.is_empty()).then(|| parts.join("/"))
    }
}

/// What a pull request may change without effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trusted {
    /// The config.
    Config,
    /// A baseline.
    Baseline,
    /// A template.
    Templates,
}

/// The notice that the pull request changes `path`, with the first difference side by side. `None` if the texts agree.
pub fn difference(kind: Trusted, path: &str, base: Option<&str>, here: Option<&str>) -> Option<Notice> {
    let (code, what) = match kind {
        Trusted::Config => ("pr_changes_config", "the config"),
        Trusted::Baseline => ("pr_changes_baseline", "the baseline"),
        Trusted::Templates => ("pr_changes_templates", "a template"),
    };
    let (message, line) = match (base, here) {
        (None, None) => return None,
        (Some(_), None) => (format!("this pull request removes {what}; that of the base still counts"), None),
        (None, Some(_)) => (format!("this pull request adds {what}; it counts once it is on the base branch"), None),
        (Some(base), Some(here)) => {
            let (old, new): (Vec<&str>, Vec<&str>) = (base.lines().collect(), here.lines().collect());
            let same = old.iter().zip(&new).take_while(|(left, right)| left == right).count();
            if same == old.len().max(new.len()) {
                return None;
            }
            let show = |lines: &[&str]| match lines.get(same) {
                Some(line) => format!("`{}`", cut(&clean(line.trim()), LINE)),
                None => "no such line".to_owned(),
            };
            let differing = changed(&old, &new);
            let more = if differing > 1 { format!(" ({differing} lines differ)") } else { String::new() };
            (
                format!(
                    "this pull request changes {what}; that of the base counts. Line {}: base {}, here {}{more}",
                    same + 1,
                    show(&old),
                    show(&new)
                ),
                Some(same as u64 + 1),
            )
        }
    };
    let notice = Notice::new(code, message).in_file(path);
    Some(match line {
        Some(line) => notice.at_line(line),
        None => notice,
    })
}

/// Lines between the common start and the common end, on the longer side.
fn changed(old: &[&str], new: &[&str]) -> usize {
    let start = old.iter().zip(new).take_while(|(left, right)| left == right).count();
    let shorter = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(shorter).take_while(|(left, right)| left == right).count();
    old.len().max(new.len()) - start - end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(base: Option<&str>, here: Option<&str>) -> Option<String> {
        difference(Trusted::Config, "loadgate.yml", base, here).map(|notice| notice.message)
    }

    #[test]
    fn a_change_is_shown_side_by_side() {
        assert_eq!(said(Some("a\nlimit: 10%\nb\n"), Some("a\r\nlimit: 10%\nb")), None);
        assert_eq!(said(None, None), None);
        let text = said(Some("a\n  limit: 10%\nb\n"), Some("a\n  limit: 50%\nb\n")).unwrap();
        assert_eq!(
            text,
            "this pull request changes the config; that of the base counts. Line 2: base `limit: 10%`, here `limit: 50%`"
        );
        assert!(said(Some("a\n"), Some("a\nb\nc")).unwrap().ends_with("base no such line, here `b` (2 lines differ)"));
        assert!(said(Some("a"), None).unwrap().contains("removes"));
        assert!(said(None, Some("a")).unwrap().contains("adds"));
    }
}
