//! The one comment on a pull request: which of what is there is ours, and what becomes of it. Pure.

use super::marker::Mark;
use super::{CommentWhen, Effect, Wishes};
use crate::github::api::Comment;
use crate::github::context::WorkflowRun;
use crate::report::Report;
use crate::run::Notice;
use crate::verdict::Status;

/// What is wanted of the comment.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) pull_request: u64,
    pub(super) mark: Mark,
    /// Without the marker.
    pub(super) text: String,
    /// Whether one is made where there is none.
    pub(super) start: bool,
}

/// What is to be done about it.
#[derive(Debug, Default)]
pub(super) struct Planned {
    pub(super) effects: Vec<Effect>,
    /// The page of the comment that stays, if there is one.
    pub(super) url: Option<String>,
    /// What that comment said before.
    pub(super) verdict_before: Option<String>,
    pub(super) notices: Vec<Notice>,
}

/// The key of the comment: the user's, or the suites.
pub(super) fn key(report: &Report, wishes: &Wishes) -> String {
    wishes.comment_key.clone().unwrap_or_else(|| {
        let names: Vec<&str> = report.suites.iter().map(|suite| suite.name.as_str()).collect();
        names.join(",")
    })
}

/// Whether such a report starts a comment.
pub(super) fn starts(when: CommentWhen, report: &Report) -> bool {
    let mut rows = report.suites.iter().flat_map(|suite| &suite.rows);
    match when {
        CommentWhen::Always => true,
        CommentWhen::OnChange => {
            rows.any(|row| !matches!(row.status, Status::Pass | Status::Info | Status::NotMeasured))
        }
        CommentWhen::OnFailure => rows.any(|row| row.status == Status::Fail),
        CommentWhen::Never => false,
    }
}

/// Our comments with their marks, oldest first.
pub(super) fn ours<'a>(comments: &'a [Comment], bot: &str, key: &str) -> Vec<(&'a Comment, Mark)> {
    let mut ours: Vec<_> = comments
        .iter()
        .filter(|comment| comment.user.as_ref().is_some_and(|user| user.login.eq_ignore_ascii_case(bot)))
        .filter_map(|comment| Some((comment, Mark::of(comment.body.as_deref()?)?)))
        .filter(|(_, mark)| mark.key == key)
        .collect();
    ours.sort_by_key(|(comment, _)| comment.id);
    ours
}

/// One comment at the end: the oldest, with the newest workflow run's text.
pub(super) fn plan(wanted: &Wanted, comments: &[Comment], bot: &str) -> Planned {
    let ours = ours(comments, bot, &wanted.mark.key);
    let pull_request = wanted.pull_request;
    let mut body = format!("{}\n{}", wanted.mark.line(), wanted.text);
    let mut planned = Planned::default();
    let Some((kept, kept_mark)) = ours.first() else {
        if wanted.start {
            planned.effects.push(Effect::CreateComment { pull_request, body });
        }
        return planned;
    };
    planned.url.clone_from(&kept.html_url);
    planned.verdict_before = Some(kept_mark.verdict.clone());
    let newest = ours.iter().max_by_key(|(_, mark)| mark.run).filter(|(_, mark)| mark.run.id > wanted.mark.run.id);
    if let Some((newer, mark)) = newest {
        planned.notices.push(Notice::new(
            "superseded",
            format!("the comment is left as workflow run {}, which is newer, wrote it", mark.run.id),
        ));
        // If it stands in a second comment, it moves into the first.
        body = newer.body.clone().unwrap_or_default();
    }
    if !same(kept.body.as_deref().unwrap_or_default(), &body) {
        planned.effects.push(Effect::UpdateComment { pull_request, id: kept.id, body });
    }
    planned.effects.extend(ours.iter().skip(1).map(|(comment, _)| Effect::DeleteComment { id: comment.id }));
    planned
}

/// Whether the comment as it is now may be overwritten by our workflow run.
pub(super) fn may_overwrite(body: &str, key: &str, run: WorkflowRun) -> bool {
    Mark::of(body).is_none_or(|mark| mark.key != key || mark.run.id <= run.id)
}

/// Whether two comments say the same, whoever wrote them.
fn same(left: &str, right: &str) -> bool {
    stable(left) == stable(right)
}

/// What a text says, the marker and links to workflow runs aside: those change with every run.
pub(super) fn stable(body: &str) -> String {
    let text = body.replace("\r\n", "\n");
    let text = if Mark::of(&text).is_some() { text.split_once('\n').map_or("", |it| it.1) } else { &text };
    let mut parts = text.split("/actions/runs/");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("/actions/runs/");
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    out.trim_end().to_owned()
}
