//! What an issue remembers between workflow runs: a line of JSON inside an HTML comment in its body.
//!
//! Whoever may edit the issue can write anything there, so it is read as hostile text: every number saturates, every list is
//! cut, every word is escaped where it is shown, and links are built, never taken.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::marker::digest;
use crate::report::escape::{clean, cut};
use crate::report::{CommitLink, IssueEvent, IssueRow, IssueState, IssueStep, IssueView, Row, RowText, SuiteReport};
use crate::verdict::{Outcome, Status};

const OPEN: &str = "<!-- loadgate:memory ";
const END: &str = " -->";
/// Most bytes of the memory: the text beside it has `ISSUE_CHARS`, people have the rest of 65,536 characters.
const BYTES: usize = 16_000;
/// Failing rows remembered with their words; of further ones only digests.
const ROWS: usize = 40;
/// Recovered rows still shown.
const RECOVERED: usize = 10;
/// Digests kept.
const DIGESTS: usize = 1_000;
/// Lines of the timeline (UX 1.5).
const TIMELINE: usize = 20;
/// Names in one line of the timeline.
const NAMES: usize = 3;

/// What a workflow run means for an issue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A rule is broken.
    Bad,
    /// Nothing is broken, and all that failed was measured again.
    Good,
    /// Neither: it could not tell, or did not measure the same.
    #[default]
    Unclear,
    /// Nothing was measured at all.
    Nothing,
}

/// Everything that is remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// The workflow run that wrote last.
    pub(super) run: u64,
    /// What that run was.
    pub(super) kind: Kind,
    /// Day of the first bad run of this episode.
    since: Option<Date>,
    /// Bad runs of this episode.
    bad: u32,
    /// Good runs in a row.
    good: u32,
    /// Failing rows, then recovered ones.
    rows: Vec<Remembered>,
    /// Digests of the failing rows beyond those in `rows`.
    others: Vec<String>,
    last_good: Option<Seen>,
    first_bad: Option<Seen>,
    /// The closed issue that this one follows.
    previous: Option<u64>,
    timeline: Vec<Event>,
    /// Events before those of `timeline`.
    earlier: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Remembered {
    id: String,
    failing: bool,
    endpoint: String,
    metric: String,
    mark: String,
    both: String,
    change: String,
    since: Option<Date>,
    runs: u32,
    last: u64,
}

/// A commit and the day on which it was seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    pub(super) sha: String,
    pub(super) day: Option<Date>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Event {
    day: Option<Date>,
    run: u64,
    what: IssueStep,
    joined: Vec<String>,
    recovered: Vec<String>,
}

/// One workflow run, as an issue counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) run: u64,
    pub(super) day: Date,
}

/// How the failing rows changed, as `POST /checkout p95`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shift {
    /// Began to fail.
    pub(super) joined: Vec<String>,
    /// Fail no more.
    pub(super) recovered: Vec<String>,
}

/// The rows of a suite that break a rule. Where a whole endpoint's absence does, those.
pub(super) fn failing(suite: &SuiteReport) -> Vec<&Row> {
    let of = |status: Status| suite.rows.iter().filter(move |row| row.status == status);
    let rows: Vec<&Row> = of(Status::Fail).collect();
    match suite.verdict {
        Outcome::Fail if rows.is_empty() => of(Status::Missing).chain(of(Status::New)).collect(),
        Outcome::Fail => rows,
        _ => Vec::new(),
    }
}

/// What this run of the suite means, given what is known to fail.
pub(super) fn kind(suite: &SuiteReport, memory: Option<&Memory>) -> Kind {
    if suite.run.is_none() || suite.rows.iter().all(|row| row.current.is_none()) {
        return Kind::Nothing;
    }
    let again = || memory.is_none_or(|memory| memory.failing_ids().is_subset(&settled(suite)));
    let gone = || suite.rows.iter().any(|row| row.status == Status::Missing);
    match suite.verdict {
        Outcome::Fail => Kind::Bad,
        Outcome::Pass if again() => Kind::Good,
        // Without a baseline a budget can still be kept; without some endpoints the run measured something else.
        Outcome::Warn | Outcome::NoBaseline if again() && !gone() => Kind::Good,
        _ => Kind::Unclear,
    }
}

/// Rows that were measured and are within their rule, or agreed to.
fn settled(suite: &SuiteReport) -> BTreeSet<String> {
    let fine = |row: &&Row| matches!(row.status, Status::Pass | Status::Improved | Status::Accepted);
    suite.rows.iter().filter(fine).map(id).collect()
}

fn id(row: &Row) -> String {
    let metric = row.metric.as_ref().map(ToString::to_string).unwrap_or_default();
    digest(&[&row.endpoint, &metric]).chars().take(12).collect()
}

fn name(row: &Row) -> String {
    short(format!("{} {}", row.endpoint, row.text.metric).trim(), 80)
}

fn short(text: &str, most: usize) -> String {
    cut(&clean(text), most).into_owned()
}

impl Memory {
    /// Of a new issue; `previous` is the closed one before it.
    pub(super) fn following(previous: Option<u64>) -> Self {
        Self { previous, ..Self::default() }
    }

    /// From an issue's body; `None` if there is none that can be read.
    pub(super) fn of(body: &str) -> Option<Self> {
        let rest = body.split_once(OPEN)?.1;
        let json = rest.split_once(END)?.0;
        let mut memory: Self = serde_json::from_str(json).ok()?;
        memory.trim();
        Some(memory)
    }

    /// One line that nothing in it can leave: all but the plainest characters are written as `\u` escapes.
    pub(super) fn line(&self) -> String {
        let mut memory = self.clone();
        memory.trim();
        let mut text = memory.encoded();
        while text.len() > BYTES && memory.rows.len() + memory.timeline.len() + memory.others.len() > 0 {
            // A row takes some 200 bytes and more, so this never gives up much too much.
            (0..=(text.len() - BYTES) / 1_000).for_each(|_| memory.shed());
            text = memory.encoded();
        }
        format!("{OPEN}{text}{END}")
    }

    fn encoded(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        let mut out = String::with_capacity(json.len());
        let mut units = [0; 2];
        for character in json.chars() {
            match character {
                'a'..='z'
                | 'A'..='Z'
                | '0'..='9'
                | '{'
                | '}'
                | '['
                | ']'
                | '"'
                | ':'
                | ','
                | '\\'
                | '/'
                | '.'
                | '_'
                | ' ' => {
                    out.push(character);
                }
                // Only inside strings: the structure has none of them, and no number is negative or has an exponent.
                other => {
                    for unit in other.encode_utf16(&mut units) {
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
            }
        }
        out
    }

    /// Gives up what is missed least.
    fn shed(&mut self) {
        if let Some(at) = self.rows.iter().rposition(|row| !row.failing) {
            self.rows.remove(at);
        } else if self.timeline.len() > 5 {
            self.timeline.remove(0);
            self.earlier = self.earlier.saturating_add(1);
        } else if let Some(row) = self.rows.pop() {
            self.others.push(row.id);
        } else if self.others.pop().is_none() {
            self.timeline.clear();
        }
    }

    fn trim(&mut self) {
        let (failing, recovered): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.rows).into_iter().partition(|it| it.failing);
        let more = failing.iter().skip(ROWS).map(|row| row.id.clone());
        self.others.extend(more);
        self.rows = failing.into_iter().take(ROWS).chain(recovered.into_iter().take(RECOVERED)).collect();
        for row in &mut self.rows {
            row.id = row.id.chars().take(12).collect();
            row.endpoint = short(&row.endpoint, 120);
            for text in [&mut row.metric, &mut row.mark, &mut row.both, &mut row.change] {
                *text = short(text, 60);
            }
        }
        let known: BTreeSet<String> = self.rows.iter().map(|row| row.id.clone()).collect();
        let mut seen = BTreeSet::new();
        self.others.retain(|id| !known.contains(id) && seen.insert(id.clone()));
        self.others.truncate(DIGESTS);
        for digest in &mut self.others {
            *digest = digest.chars().take(12).collect();
        }
        let surplus = self.timeline.len().saturating_sub(TIMELINE);
        self.timeline.drain(..surplus);
        self.earlier = self.earlier.saturating_add(u32::try_from(surplus).unwrap_or(u32::MAX));
        for event in &mut self.timeline {
            for names in [&mut event.joined, &mut event.recovered] {
                names.truncate(NAMES);
                for name in names {
                    *name = short(name, 80);
                }
            }
        }
    }

    /// Digests of the rows that fail as far as is known.
    fn failing_ids(&self) -> BTreeSet<String> {
        self.rows
            .iter()
            .filter(|row| row.failing)
            .map(|row| row.id.clone())
            .chain(self.others.iter().cloned())
            .collect()
    }

    /// Whether rows fail that were not known to fail.
    pub(super) fn grows(&self, suite: &SuiteReport) -> bool {
        let known = self.failing_ids();
        failing(suite).into_iter().any(|row| !known.contains(&id(row)))
    }

    /// Good runs in a row.
    pub(super) fn good(&self) -> u32 {
        self.good
    }

    /// Bad runs of this episode.
    pub(super) fn bad(&self) -> u32 {
        self.bad
    }

    /// A new episode: what failed before is history.
    pub(super) fn begin(&mut self, since: Date, bad_before: u32, last_good: Option<Seen>, first_bad: Option<Seen>) {
        self.rows.iter_mut().for_each(|row| row.failing = false);
        self.others.clear();
        (self.since, self.bad, self.good) = (Some(since), bad_before, 0);
        (self.last_good, self.first_bad) = (last_good, first_bad);
        // Whatever the last run was, this one counts anew.
        self.kind = Kind::Nothing;
    }

    /// An event of an earlier workflow run.
    pub(super) fn seen(&mut self, day: Option<Date>, run: u64) {
        self.timeline.push(Event { day, run, what: IssueStep::Seen, ..Event::default() });
    }

    /// Takes one workflow run in. However often it is repeated, it counts once.
    pub(super) fn advance(&mut self, suite: &SuiteReport, kind: Kind, turn: Turn) -> Shift {
        let repeated = self.run == turn.run && self.kind == kind;
        match kind {
            Kind::Bad => {
                self.good = 0;
                self.bad = self.bad.saturating_add(u32::from(!repeated));
            }
            Kind::Good => self.good = self.good.saturating_add(u32::from(!repeated)),
            Kind::Unclear | Kind::Nothing => {}
        }
        let shift = if kind == Kind::Good { Shift::default() } else { self.update_rows(suite, turn) };
        self.refresh(suite);
        (self.run, self.kind) = (turn.run, kind);
        self.trim();
        shift
    }

    fn update_rows(&mut self, suite: &SuiteReport, turn: Turn) -> Shift {
        let known = self.failing_ids();
        let fine = settled(suite);
        let left: BTreeSet<String> = known.difference(&fine).cloned().collect();
        let now = failing(suite);
        // Rows that all look fine in a run that could not tell are no recovery.
        let recovering = !now.is_empty() || !left.is_empty();
        let mut shift = Shift::default();
        let mut rows = Vec::new();
        let mut old = std::mem::take(&mut self.rows);
        for row in now {
            let id = id(row);
            let before = old.iter().position(|it| it.id == id).map(|at| old.remove(at));
            if !known.contains(&id) {
                shift.joined.push(name(row));
            }
            rows.push(remember(row, id, before, turn));
        }
        let listed: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        self.others.retain(|id| left.contains(id) && !listed.contains(id.as_str()));
        for row in &mut old {
            if row.failing && recovering && fine.contains(&row.id) {
                row.failing = false;
                shift.recovered.push(short(format!("{} {}", row.endpoint, row.metric).trim(), 80));
            }
        }
        rows.extend(old);
        // Failing ones first, else in this order.
        rows.sort_by_key(|row| !row.failing);
        self.rows = rows;
        shift
    }

    /// The latest figures of rows that were measured, whatever became of them.
    fn refresh(&mut self, suite: &SuiteReport) {
        let measured = suite.rows.iter().filter(|row| row.current.is_some());
        let texts: BTreeMap<String, &RowText> = measured.map(|row| (id(row), &row.text)).collect();
        for known in &mut self.rows {
            if let Some(text) = texts.get(&known.id) {
                (known.both, known.change) = (text.both.clone(), text.change.clone());
            }
        }
    }

    /// Writes the run into the timeline: once, with all that its attempts saw.
    pub(super) fn note(&mut self, what: IssueStep, shift: &Shift, turn: Turn) {
        let few = |names: &[String]| names.iter().take(NAMES).cloned().collect::<Vec<_>>();
        match self.timeline.last_mut().filter(|event| event.run == turn.run) {
            Some(event) => {
                // Opening is told even if a later attempt finds nothing new.
                if what != IssueStep::Unchanged {
                    event.what = what;
                }
                event.joined.extend(few(&shift.joined));
                event.recovered.extend(few(&shift.recovered));
            }
            None => self.timeline.push(Event {
                day: Some(turn.day),
                run: turn.run,
                what,
                joined: few(&shift.joined),
                recovered: few(&shift.recovered),
            }),
        }
    }

    /// The view for the template. `run_url` and `compare_url` build links from what is remembered.
    pub(super) fn view(
        &self,
        close_after: u32,
        closed: bool,
        run_url: impl Fn(u64) -> Option<String>,
        compare_url: impl Fn(&str, &str) -> Option<String>,
    ) -> IssueView {
        let link = |seen: &Option<Seen>| seen.as_ref().and_then(Seen::link);
        let (last_good, first_bad) = (link(&self.last_good), link(&self.first_bad));
        IssueView {
            state: match (closed, self.kind) {
                (true, _) => IssueState::Recovered,
                (false, Kind::Good) => IssueState::Recovering,
                (false, _) => IssueState::Failing,
            },
            since: self.since,
            bad_runs: self.bad,
            good_runs: self.good,
            close_after,
            rows: self.rows.iter().map(|row| row.view(self.kind == Kind::Good)).collect(),
            more_rows: self.others.len(),
            compare_url: match (&last_good, &first_bad) {
                (Some(good), Some(bad)) => compare_url(&good.sha, &bad.sha),
                _ => None,
            },
            last_good,
            first_bad,
            previous: self.previous,
            timeline: self.timeline.iter().map(|event| event.view(&run_url)).collect(),
            earlier_runs: self.earlier,
        }
    }
}

fn remember(row: &Row, id: String, before: Option<Remembered>, turn: Turn) -> Remembered {
    let before = before.unwrap_or_default();
    let went_on = before.failing;
    Remembered {
        id,
        failing: true,
        endpoint: short(&row.endpoint, 120),
        metric: row.text.metric.clone(),
        mark: row.text.mark.clone(),
        both: row.text.both.clone(),
        change: row.text.change.clone(),
        since: before.since.filter(|_| went_on).or(Some(turn.day)),
        runs: if went_on || before.last == turn.run {
            before.runs.saturating_add(u32::from(before.last != turn.run))
        } else {
            1
        },
        last: turn.run,
    }
}

impl Remembered {
    fn view(&self, all_good: bool) -> IssueRow {
        IssueRow {
            failing: self.failing && !all_good,
            endpoint: self.endpoint.clone(),
            metric: self.metric.clone(),
            mark: self.mark.clone(),
            both: self.both.clone(),
            change: self.change.clone(),
            since: self.since,
            runs: self.runs,
        }
    }
}

impl Event {
    fn view(&self, run_url: impl Fn(u64) -> Option<String>) -> IssueEvent {
        IssueEvent {
            day: self.day,
            what: self.what,
            joined: self.joined.clone(),
            recovered: self.recovered.clone(),
            run_url: run_url(self.run),
        }
    }
}

impl Seen {
    /// `None` for what cannot be a commit.
    pub(super) fn link(&self) -> Option<CommitLink> {
        let sound = (7..=64).contains(&self.sha.len()) && self.sha.bytes().all(|byte| byte.is_ascii_hexdigit());
        sound.then(|| CommitLink { short: self.sha.chars().take(7).collect(), sha: self.sha.clone(), day: self.day })
    }
}
