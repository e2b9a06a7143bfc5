//! The regression issue of one suite: opened, kept true, closed, opened again. Pure.
//!
//! Only our own part of it is ever written: what stands between the begin and the end marker. People's text, labels,
//! assignees and title stay as they are.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::memory::{Kind, Memory, Seen, Shift, Turn, failing, kind};
use super::{Effect, IssueMove, Texts, Wishes, marker};
use crate::github::api::{Issue, Label};
use crate::github::context::{Context, WorkflowRun};
use crate::history;
use crate::report::escape::{clean, code, cut};
use crate::report::{IssueStep, Report, SuiteReport};
use crate::run::Notice;
use crate::verdict::Outcome;

const BEGIN: &str = "<!-- loadgate:begin -->";
const END: &str = "<!-- loadgate:end -->";
/// GitHub's limit is 65,536 characters.
const BODY_CHARS: usize = 65_000;
/// Names listed in a comment.
const LISTED: usize = 10;

/// What is known beside the issues themselves.
pub(super) struct Ground<'a> {
    pub(super) report: &'a Report,
    pub(super) suite: &'a SuiteReport,
    pub(super) wishes: &'a Wishes,
    pub(super) context: &'a Context,
    pub(super) texts: &'a dyn Texts,
    pub(super) run: WorkflowRun,
    /// What the history tells of earlier workflow runs; `None` if there is none or it cannot be read.
    pub(super) before: Option<Before>,
}

/// Earlier workflow runs on the same branch.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Before {
    /// Bad ones in a row up to now, oldest first: day, workflow run, commit.
    bad: Vec<(Date, u64, Option<String>)>,
    /// The newest good one before them.
    good: Option<Seen>,
}

/// What became of an issue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Action {
    #[default]
    None,
    Opened,
    Updated,
    Closed,
    Reopened,
}

impl Action {
    /// As the step output `issue-action` says it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Closed => "closed",
            Self::Reopened => "reopened",
        }
    }
}

/// What is to be done about a suite's issue.
#[derive(Debug, Default)]
pub(super) struct Planned {
    pub(super) effects: Vec<Effect>,
    /// The issue, if there is one already.
    pub(super) number: Option<u64>,
    pub(super) action: Action,
    /// The change of state in one sentence of plain text, if there is one.
    pub(super) change: Option<String>,
    pub(super) notices: Vec<Notice>,
}

/// Ours about the suite, by number. Retired ones have lost their marker.
pub(super) fn ours<'a>(issues: &'a [Issue], bot: &str, suite: &str) -> Vec<&'a Issue> {
    let mark = marker::issue(suite);
    let mut ours: Vec<&Issue> = issues
        .iter()
        .filter(|issue| issue.pull_request.is_none())
        .filter(|issue| issue.user.as_ref().is_some_and(|user| user.login.eq_ignore_ascii_case(bot)))
        .filter(|issue| issue.body.as_deref().is_some_and(|body| body.contains(&mark)))
        .collect();
    ours.sort_by_key(|issue| issue.number);
    ours
}

/// One issue at the end, and what it says. `labels` are the repository's, where they were looked at.
pub(super) fn plan(ground: &Ground<'_>, issues: &[Issue], labels: Option<&[Label]>) -> Planned {
    let ours = ours(issues, &ground.wishes.bot_login, &ground.suite.name);
    let (open, closed): (Vec<&Issue>, Vec<&Issue>) = ours.into_iter().partition(|issue| issue.state != "closed");
    let mut planned = match (open.first(), closed.last()) {
        (Some(kept), _) => keep(ground, kept, &open),
        (None, Some(last)) => after_closing(ground, last, labels),
        (None, None) => open_new(ground, None, labels),
    };
    planned.effects.extend(open.iter().skip(1).map(|second| Effect::RetireIssue {
        suite: ground.suite.name.clone(),
        number: second.number,
        of: open.first().map_or(second.number, |kept| kept.number),
    }));
    planned
}

fn body(issue: &Issue) -> &str {
    issue.body.as_deref().unwrap_or_default()
}

/// An open issue goes on.
fn keep(ground: &Ground<'_>, kept: &Issue, open: &[&Issue]) -> Planned {
    let mut planned = Planned { number: Some(kept.number), ..Planned::default() };
    // If a newer workflow run has written, its words stay; if into a second issue, they move into the first.
    let newest = open
        .iter()
        .filter_map(|issue| Some((issue, Memory::of(body(issue))?)))
        .max_by_key(|(_, memory)| memory.run)
        .filter(|(_, memory)| memory.run > ground.run.id);
    if let Some((newer, memory)) = newest {
        planned.notices.push(superseded(kept.number, memory.run));
        if let (true, Some(block)) = (newer.number != kept.number, block_of(body(newer))) {
            planned.effects.push(update(ground, kept, block.to_owned(), None));
        }
        return planned;
    }
    let before = Memory::of(body(kept));
    let kind = kind(ground.suite, before.as_ref());
    if kind == Kind::Nothing {
        return planned;
    }
    let known = before.is_some();
    let mut memory = before.unwrap_or_default();
    let turn = ground.turn();
    let shift = memory.advance(ground.suite, kind, turn);
    let closes = kind == Kind::Good && memory.good() >= ground.wishes.issue_config.close_after.max(1);
    let step = match kind {
        Kind::Good if closes => IssueStep::Recovered,
        Kind::Good => IssueStep::Good,
        _ if !shift.joined.is_empty() => IssueStep::Worse,
        _ if !shift.recovered.is_empty() => IssueStep::Better,
        Kind::Bad => IssueStep::Unchanged,
        Kind::Unclear | Kind::Nothing => IssueStep::Unclear,
    };
    memory.note(step, &shift, turn);
    let block = match ground.block(&memory, closes) {
        Ok(block) => block,
        Err(notice) => return Planned { notices: vec![notice], ..planned },
    };
    let written = block_of(body(kept)).is_some_and(|there| same(there, &block));
    if written && !closes {
        return planned;
    }
    planned.effects.push(update(ground, kept, block, closes.then_some(IssueMove::Close)));
    planned.action = if closes { Action::Closed } else { Action::Updated };
    // Of an issue whose memory is gone nobody can tell what changed.
    if known && matches!(step, IssueStep::Worse | IssueStep::Better | IssueStep::Recovered) {
        planned.tell(ground, kept.number, step, &shift, &memory);
    }
    planned
}

/// There is a closed issue: it is opened again, followed by a new one, or left alone.
fn after_closing(ground: &Ground<'_>, last: &Issue, labels: Option<&[Label]>) -> Planned {
    let mut planned = Planned { number: Some(last.number), ..Planned::default() };
    let before = Memory::of(body(last));
    if let Some(newer) = before.as_ref().filter(|memory| memory.run > ground.run.id) {
        planned.notices.push(superseded(last.number, newer.run));
        return planned;
    }
    if kind(ground.suite, before.as_ref()) != Kind::Bad {
        return planned;
    }
    let unwanted = last.state_reason.as_deref() == Some("not_planned");
    if unwanted && !before.as_ref().is_some_and(|memory| memory.grows(ground.suite)) {
        return planned;
    }
    let since = last.closed_at.map(|time| ground.wishes.now.duration_since(time).as_hours() / 24);
    let recent = since.is_none_or(|days| days < i64::from(ground.wishes.issue_config.reopen_days));
    if !unwanted && !recent {
        return open_new(ground, Some(last.number), labels);
    }
    let Some(bad_before) = ground.bad_enough(&mut planned.notices) else { return planned };
    let mut memory = before.unwrap_or_default();
    let turn = ground.turn();
    memory.begin(turn.day, bad_before, ground.last_good(), ground.this_commit());
    let shift = memory.advance(ground.suite, Kind::Bad, turn);
    memory.note(IssueStep::Reopened, &shift, turn);
    match ground.block(&memory, false) {
        Ok(block) => {
            planned.effects.push(update(ground, last, block, Some(IssueMove::Reopen)));
            planned.action = Action::Reopened;
            planned.tell(ground, last.number, IssueStep::Reopened, &shift, &memory);
        }
        Err(notice) => planned.notices.push(notice),
    }
    planned
}

/// There is no issue that could go on.
fn open_new(ground: &Ground<'_>, previous: Option<u64>, labels: Option<&[Label]>) -> Planned {
    let mut planned = Planned::default();
    if kind(ground.suite, None) != Kind::Bad {
        planned.number = previous;
        return planned;
    }
    let Some(bad_before) = ground.bad_enough(&mut planned.notices) else { return planned };
    let turn = ground.turn();
    let mut memory = Memory::following(previous);
    let first = ground.before.as_ref().and_then(|before| before.bad.first());
    let first_bad = first.and_then(|(day, _, sha)| Some(Seen { sha: sha.clone()?, day: Some(*day) }));
    let since = first.map_or(turn.day, |(day, ..)| *day);
    memory.begin(since, bad_before, ground.last_good(), first_bad.or_else(|| ground.this_commit()));
    for (day, run, _) in ground.before.iter().flat_map(|before| &before.bad) {
        memory.seen(Some(*day), *run);
    }
    let shift = memory.advance(ground.suite, Kind::Bad, turn);
    memory.note(IssueStep::Opened, &shift, turn);
    let block = match ground.block(&memory, false) {
        Ok(block) => block,
        Err(notice) => return Planned { notices: vec![notice], ..planned },
    };
    let config = &ground.wishes.issue_config;
    let lacks =
        |name: &&String| labels.is_some_and(|labels| !labels.iter().any(|it| it.name.eq_ignore_ascii_case(name)));
    planned.effects.extend(config.labels.iter().filter(lacks).map(|name| Effect::CreateLabel { name: name.clone() }));
    planned.effects.push(Effect::OpenIssue {
        suite: ground.suite.name.clone(),
        title: title(ground.suite),
        body: format!("{}\n{block}", marker::issue(&ground.suite.name)),
        labels: config.labels.clone(),
        assignees: config.assignees.clone(),
    });
    planned.action = Action::Opened;
    planned.change = Some(sentence(ground, IssueStep::Opened));
    planned
}

fn update(ground: &Ground<'_>, issue: &Issue, block: String, state: Option<IssueMove>) -> Effect {
    Effect::UpdateIssue { suite: ground.suite.name.clone(), number: issue.number, block, state }
}

fn superseded(number: u64, run: u64) -> Notice {
    Notice::new("superseded", format!("issue {number} is left as workflow run {run}, which is newer, wrote it"))
}

impl Planned {
    fn tell(&mut self, ground: &Ground<'_>, number: u64, step: IssueStep, shift: &Shift, memory: &Memory) {
        self.effects.push(Effect::CommentIssue { number, body: told(ground, step, shift, memory) });
        self.change = Some(sentence(ground, step));
    }
}

impl Ground<'_> {
    fn turn(&self) -> Turn {
        Turn { run: self.run.id, day: day(self.wishes.now) }
    }

    fn this_commit(&self) -> Option<Seen> {
        Some(Seen { sha: self.context.head_sha.clone()?, day: Some(day(self.wishes.now)) })
    }

    fn last_good(&self) -> Option<Seen> {
        let baseline = &self.suite.baseline;
        let of_the_baseline = || Some(Seen { sha: baseline.commit.clone()?, day: baseline.newest.map(day) });
        self.before.as_ref().and_then(|before| before.good.clone()).or_else(of_the_baseline)
    }

    /// Bad runs before this one, if with it there are enough to open an issue.
    fn bad_enough(&self, notices: &mut Vec<Notice>) -> Option<u32> {
        let needed = self.wishes.issue_config.open_after.max(1);
        let before = self.before.as_ref().map_or(0, |before| u32::try_from(before.bad.len()).unwrap_or(u32::MAX));
        if before.saturating_add(1) >= needed {
            return Some(before);
        }
        if self.before.is_none() {
            notices.push(Notice::new(
                "issue_not_updated",
                format!("no issue is opened: {needed} bad runs in a row are needed, and the history that counts them cannot be read"),
            ));
        }
        None
    }

    /// From the begin to the end marker, the memory inside.
    fn block(&self, memory: &Memory, closed: bool) -> Result<String, Notice> {
        let server = &self.context.server_url;
        let repository = self.context.repository.as_ref();
        let run_url = |run: u64| Some(format!("{server}/{}/actions/runs/{run}", repository?));
        let compare_url = |good: &str, bad: &str| Some(format!("{server}/{}/compare/{good}...{bad}", repository?));
        let view = memory.view(self.wishes.issue_config.close_after, closed, run_url, compare_url);
        let text = self.texts.issue(self.report, &self.suite.name, &view).map_err(|error| {
            Notice::new("issue_not_updated", format!("the text of the issue cannot be made: {error}"))
        })?;
        // Whatever a template puts there, our markers stand where we put them.
        let text = text.replace("<!-- loadgate:", "<!-- ");
        Ok(format!("{BEGIN}\n{}\n\n{}\n{END}", text.trim(), memory.line()))
    }
}

fn day(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}

/// Our part of an issue's body, both markers included.
pub(super) fn block_of(body: &str) -> Option<&str> {
    let start = body.find(BEGIN)?;
    let end = start + body.get(start..)?.find(END)? + END.len();
    body.get(start..end)
}

/// The body with our part replaced, or added where it is gone. `None` if it would be too long for GitHub.
pub(super) fn splice(body: &str, block: &str) -> Option<String> {
    let whole = match block_of(body).and_then(|there| body.split_once(there)) {
        Some((above, below)) => format!("{above}{block}{below}"),
        None => format!("{}\n\n{block}", body.trim_end()),
    };
    (whole.chars().count() <= BODY_CHARS).then_some(whole)
}

/// Whether two blocks say the same; GitHub's editor turns line ends into CRLF.
pub(super) fn same(left: &str, right: &str) -> bool {
    left.replace("\r\n", "\n").trim() == right.replace("\r\n", "\n").trim()
}

/// A short block for bodies that people have filled up.
pub(super) fn short_block(block: &str) -> String {
    let memory = block.lines().find(|line| line.starts_with("<!-- loadgate:memory ")).unwrap_or_default();
    format!("{BEGIN}\n(No room for more: see the job summary of the latest workflow run.)\n\n{memory}\n{END}")
}

/// `Load test: POST /checkout p95 +31 % (api), and 2 more`
fn title(suite: &SuiteReport) -> String {
    let rows = failing(suite);
    let suite = plain(&suite.name, 60);
    let Some(row) = rows.first() else { return format!("Load test: worse than allowed ({suite})") };
    let text = &row.text;
    let words = format!("{} {} {}", plain(&row.endpoint, 80), plain(&text.metric, 40), plain(&text.size, 30));
    let more = rows.len() - 1;
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    format!("Load test: {} ({suite}){more}", words.trim())
}

/// For a title, which has no markup: a mention in it must not be one.
pub(super) fn plain(text: &str, most: usize) -> String {
    cut(clean(text).trim(), most).replace('@', "@\u{200b}").replace('#', "#\u{200b}")
}

/// One sentence of plain text for the webhook.
fn sentence(ground: &Ground<'_>, step: IssueStep) -> String {
    let suite = plain(&ground.suite.name, 60);
    let rows = failing(ground.suite).len();
    let rows = format!("{rows} row{} worse than allowed", if rows == 1 { "" } else { "s" });
    match step {
        IssueStep::Opened => format!("Load test {suite}: {rows}"),
        IssueStep::Reopened => format!("Load test {suite}: worse again, {rows}"),
        IssueStep::Worse => format!("Load test {suite}: got worse, {rows}"),
        IssueStep::Better => format!("Load test {suite}: partly recovered, {rows}"),
        _ => format!("Load test {suite}: recovered"),
    }
}

/// The comment that tells a change of state, marker first.
fn told(ground: &Ground<'_>, step: IssueStep, shift: &Shift, memory: &Memory) -> String {
    let list = |names: &[String]| {
        let more = names.len().saturating_sub(LISTED);
        let mut names: Vec<String> = names.iter().take(LISTED).map(|name| code(name, 120, false)).collect();
        if more > 0 {
            names.push(format!("{more} more"));
        }
        names.join(", ")
    };
    let mut sentences = Vec::new();
    match step {
        IssueStep::Recovered => sentences.push(format!(
            "**Recovered.** Nothing was worse than allowed in the last {} that measured the same endpoints; before, {} were bad.",
            count(memory.good(), "workflow run"),
            count(memory.bad(), "workflow run"),
        )),
        IssueStep::Reopened => sentences.push(format!("**Worse again:** {}.", list(&shift.joined))),
        _ => {
            if !shift.joined.is_empty() {
                sentences.push(format!("**Worse:** {} now too.", list(&shift.joined)));
            }
            if !shift.recovered.is_empty() {
                sentences.push(format!("**Recovered:** {}; the rest is still worse than allowed.", list(&shift.recovered)));
            }
        }
    }
    if let Some(url) = ground.context.workflow_run_url() {
        sentences.push(format!("([workflow run]({url}))"));
    }
    format!("{}\n{}", marker::state(ground.run, &super::plan::word(&step)), sentences.join(" "))
}

fn count(number: u32, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

impl Before {
    /// From the text of a history: workflow runs on `git_ref` before ours, the newest first until one was good.
    pub(super) fn of(text: &str, git_ref: Option<&str>, run: WorkflowRun) -> Self {
        let (mut lines, _) = history::heads(text);
        let short = |name: Option<&str>| name.map(|it| it.strip_prefix("refs/heads/").unwrap_or(it).to_owned());
        lines.retain(|line| {
            short(line.git_ref.as_deref()) == short(git_ref) && line.workflow_run_id.is_some_and(|id| id < run.id)
        });
        lines.sort_by_key(|line| line.workflow_run_id);
        let mut before = Self::default();
        for line in lines.into_iter().rev() {
            match line.verdict {
                Outcome::Fail => {
                    before.bad.push((day(line.time), line.workflow_run_id.unwrap_or_default(), line.commit));
                }
                Outcome::Inconclusive | Outcome::NoBaseline => {}
                Outcome::Pass | Outcome::Warn => {
                    before.good = line.commit.map(|sha| Seen { sha, day: Some(day(line.time)) });
                    break;
                }
            }
        }
        before.bad.reverse();
        before
    }
}
