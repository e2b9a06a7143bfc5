//! The named check on the tested commit: a commit status, or a check run with annotations. Pure.

use super::issue::plain;
use super::marker::digest;
use super::{Effect, StatusKind, Wishes, annotate};
use crate::github::api::{CheckRun, CommitStatus};
use crate::report::Report;
use crate::report::escape::cut;
use crate::verdict::Outcome;

/// GitHub's limit for the description of a status, in characters.
const DESCRIPTION: usize = 140;
/// Ours for the title of a check run.
const TITLE: usize = 200;
/// GitHub's limit for the text of a check run, in bytes (it says characters, and counts bytes), with some room.
const SUMMARY_BYTES: usize = 65_000;

/// The commit status, unless it says so already.
pub(super) fn commit_status(
    report: &Report,
    wishes: &Wishes,
    sha: &str,
    link: Option<String>,
    seen: &[CommitStatus],
) -> Option<Effect> {
    let state = match report.exit_code {
        0 => "success",
        2 => "error",
        _ => "failure",
    };
    let description = one_line(report, DESCRIPTION);
    let context = wishes.status_name.clone();
    let there = seen.iter().any(|status| {
        status.context == context && status.state == state && status.description.as_deref() == Some(&description)
    });
    (!there).then(|| Effect::SetStatus { sha: sha.to_owned(), context, state, description, target_url: link })
}

/// The check run, unless one with this very content is there. `text` is the comment's text.
pub(super) fn check_run(
    report: &Report,
    wishes: &Wishes,
    sha: &str,
    link: Option<String>,
    text: &str,
    seen: &[CheckRun],
) -> Option<Effect> {
    let conclusion = match (report.exit_code, report.verdict) {
        (0, Outcome::Pass | Outcome::NoBaseline) => "success",
        (0, _) => "neutral",
        _ => "failure",
    };
    let title = one_line(report, TITLE);
    let summary = if text.len() <= SUMMARY_BYTES { text.to_owned() } else { title.clone() };
    let annotations = annotate::for_a_check(report, wishes);
    let all: String = annotations.iter().map(ToString::to_string).collect();
    let external_id = format!("loadgate:{}", digest(&[conclusion, &title, &super::comment::stable(&summary), &all]));
    let there = seen.iter().any(|check| check.external_id.as_deref() == Some(&external_id));
    (!there).then(|| Effect::CreateCheckRun {
        sha: sha.to_owned(),
        name: wishes.status_name.clone(),
        external_id,
        conclusion,
        title,
        summary,
        details_url: link,
        annotations,
    })
}

/// What is set where the user did not say.
pub(super) fn kind(wished: Option<StatusKind>, after_another_workflow: bool) -> StatusKind {
    wished.unwrap_or(if after_another_workflow { StatusKind::CommitStatus } else { StatusKind::None })
}

fn one_line(report: &Report, most: usize) -> String {
    let heading = plain(&report.text.heading, most);
    // Once more: what breaks a mention is a character too.
    if heading.is_empty() { super::plan::word(&report.verdict) } else { cut(&heading, most).into_owned() }
}
