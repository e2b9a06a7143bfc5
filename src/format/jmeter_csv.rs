//! JMeter's results as CSV (JTL), also as Taurus (`kpi.jtl`), Locust add-ons and Azure Load Testing write it.
//!
//! Quirks: any columns in any order, any delimiter, with or without header; `success` alone decides what failed; labels and
//! messages hold delimiters and line breaks; time stamps are ms since the epoch or a local date in any pattern, and an
//! unreadable one costs the duration, not the file; a transaction controller's row sums up rows that are there too, and so
//! does a request's row its redirects and embedded resources (`X-0`, `X-1` beside `X`): both stay out of the total; a row
//! with a `SampleCount` above 1 stands for a group of samples, and its `elapsed` is the sum of theirs.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use jiff::civil::{Date, Time};

use super::columns::{self, Batch, TOGETHER};
use super::plain::{Span, Split, whole};
use super::rows::{PlainRow, Row, Rows, nanos, shown};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::Notice;
use crate::run::recorder::{Draft, Recorder, Samples};
use crate::run::tally::{Place, Tally};
use crate::run::timeline::Timeline;

pub(super) static CSV: Format = Format {
    id: "jmeter-csv",
    tool: "JMeter",
    title: "JTL as CSV (`-l FILE`): any columns, delimiter and date pattern; Taurus's `kpi.jtl`, Azure Load Testing's `engine1_results.csv`",
    versions: "2.3 to 5.6",
    gives: Gives { percentiles: "any (from samples), whole ms", failures: true, users: true, time: true },
    part: Part::Main { rank: 0, suffixes: PARTS },
    sniff: |head| Confidence::certain_if(Layout::of(&head.text).is_some()),
    parse,
};

/// Names of files that one run of JMeter or Taurus leaves: results, dashboard, log; `error.jtl` holds the failures again.
pub(super) const PARTS: &[&str] = &[
    "report/statistics",
    "dashboard/statistics",
    "statistics",
    "results",
    "result",
    "jmeter",
    "error",
    "kpi",
];

/// Columns that JMeter and those who write like it have beside `elapsed` and `label`, lower-cased.
const KNOWN: [&str; 12] = [
    "timestamp",
    "success",
    "responsecode",
    "responsemessage",
    "threadname",
    "allthreads",
    "grpthreads",
    "latency",
    "connect",
    "bytes",
    "datatype",
    "errorcount",
];
/// Delimiters tried where the header does not show its own.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];
/// Rows looked at to find out what the columns of a file without header are.
const TRIED: usize = 100;

/// Which column holds what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) delimiter: u8,
    pub(super) header: bool,
    pub(super) elapsed: usize,
    pub(super) label: usize,
    pub(super) time: Option<usize>,
    pub(super) success: Option<usize>,
    pub(super) errors: Option<usize>,
    pub(super) samples: Option<usize>,
    pub(super) code: Option<usize>,
    pub(super) message: Option<usize>,
    pub(super) threads: Option<usize>,
    pub(super) method: Option<usize>,
}

impl Layout {
    /// From the beginning of a file; `None` if it is no JTL.
    pub(super) fn of(head: &str) -> Option<Self> {
        let line = head.lines().find(|line| !line.trim().is_empty())?;
        // The header shows its delimiter behind the first word, which is a column's name.
        let own = line.trim_start_matches('"').trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let own = own.trim_start_matches('"').bytes().next().filter(|byte| byte.is_ascii() && *byte != b'\r');
        // A look at the line spares most files a reader of CSV for each delimiter.
        let named = line.to_ascii_lowercase().contains("elapsed");
        let dated = line.trim_start_matches(['"', ' ']).starts_with(|first: char| first.is_ascii_digit());
        own.into_iter()
            .chain(DELIMITERS)
            .filter(|_| named)
            .find_map(|delimiter| Self::of_header(line, delimiter))
            .or_else(|| DELIMITERS.into_iter().filter(|_| dated).find_map(|delimiter| Self::of_rows(head, delimiter)))
    }

    fn of_header(line: &str, delimiter: u8) -> Option<Self> {
        let row = rows_of(line, delimiter, 1).pop()?;
        let words: Vec<String> = row.iter().map(|cell| cell.trim().to_lowercase()).collect();
        let find = |name: &str| words.iter().position(|word| word == name);
        let known = KNOWN.iter().any(|name| find(name).is_some());
        Some(Self {
            delimiter,
            header: true,
            elapsed: find("elapsed")?,
            label: find("label").filter(|_| known)?,
            time: find("timestamp"),
            success: find("success"),
            errors: find("errorcount"),
            samples: find("samplecount"),
            code: find("responsecode"),
            message: find("responsemessage"),
            threads: find("allthreads"),
            method: find("method"),
        })
    }

    /// Without a header: the order that JMeter writes by default, found by the cells that can only be what they are.
    fn of_rows(head: &str, delimiter: u8) -> Option<Self> {
        let mut rows = rows_of(head, delimiter, TRIED);
        // The last row may be cut.
        if rows.len() > 1 {
            rows.pop();
        }
        let first = rows.first()?;
        let cell = |at: usize| first.get(at).unwrap_or_default();
        let width = first.len();
        let timed = (cell(0).len() == 13 && is_whole(cell(0))) || civil(cell(0)).is_some();
        if !(8..=40).contains(&width) || !timed || !rows.iter().all(|row| row.get(1).is_some_and(is_whole)) {
            return None;
        }
        let outcome = |at: &usize| rows.iter().all(|row| row.get(*at).is_some_and(|cell| flag(cell).is_some()));
        let success = Some(7).filter(outcome).or_else(|| (3..width).find(outcome))?;
        // Users come last of the two thread counts: before `Latency`, or before `URL`, `Latency`, `IdleTime`, `Connect`.
        let threads = match width {
            11 | 12 => Some(10),
            16 if !is_whole(cell(12)) => Some(11),
            16 | 17 => Some(12),
            _ => None,
        };
        let usual = success == 7;
        Some(Self {
            delimiter,
            header: false,
            elapsed: 1,
            label: 2,
            time: Some(0),
            success: Some(success),
            errors: None,
            samples: None,
            code: Some(3).filter(|_| usual),
            message: Some(4).filter(|_| usual),
            threads: threads.filter(|at| usual && is_whole(cell(*at))),
            method: None,
        })
    }

    /// Hands one row to the recorder; whether it stood for several samples.
    fn record(&self, row: &Row<'_>, clock: &mut Clock, recorder: &mut Recorder) -> Result<bool, String> {
        if self.header && row.text(self.elapsed).eq_ignore_ascii_case("elapsed") {
            // The header again: files were put one after the other.
            return Ok(false);
        }
        let elapsed = row.number(self.elapsed, "milliseconds under `elapsed`")?;
        if row.len() <= self.label {
            return Err("expected a label, found the end of the row".to_owned());
        }
        let samples = match self.samples {
            Some(at) => group(row.whole(at, "a number under `SampleCount`")?)?,
            None => 1,
        };
        let ok = match (self.success, self.errors) {
            (_, Some(_)) if samples > 1 => None,
            (Some(at), _) => {
                let found = flag(row.text(at));
                Some(found.ok_or_else(|| format!("expected true or false under `success`, found `{}`", shown(row.text(at))))?)
            }
            (None, Some(at)) => Some(row.number(at, "a number under `ErrorCount`")? == 0.0),
            (None, None) => None,
        };
        let start = self.time.and_then(|at| clock.see(row.text(at), elapsed / samples as f64));
        let users = self.threads.and_then(|at| row.text(at).parse().ok());
        recorder.users(users.unwrap_or(0.0));
        if elapsed.fract() != 0.0 {
            recorder.sample_step(0.0);
        }
        let transaction = self.message.is_some_and(|at| is_transaction(row.text(at)));
        // What sums up others is in the course with them.
        let start = start.filter(|_| !transaction);
        let label = row.lossy(self.label);
        let draft = recorder.endpoint(self.method.map(|at| row.text(at)), &label);
        let own = if transaction { draft.apart() } else { draft.samples() };
        let code = || self.code.map(|at| row.text(at)).unwrap_or_default();
        if samples > 1 {
            let failures = match self.errors {
                Some(at) => Some(row.whole(at, "a number under `ErrorCount`")?.min(samples)),
                // One that failed makes the group so.
                None => ok.filter(|ok| *ok).map(|_| 0),
            };
            own.add_group(samples, failures, nanos(elapsed / samples as f64, 1e6));
            draft.error("of a group of samples", failures.unwrap_or(0));
            if let Some(start) = start {
                clock.course.of(label.as_bytes()).count((start + elapsed / samples as f64) as i64, samples, failures);
            }
            return Ok(true);
        }
        own.add(Some(nanos(elapsed, 1e6)), ok);
        if ok == Some(false) {
            draft.error(&failure(code(), transaction), 1);
        }
        if let Some(start) = start {
            let course = clock.course.of(label.as_bytes());
            course.add_with_users((start + elapsed) as i64, Some(nanos(elapsed, 1e6)), ok, users);
        }
        Ok(false)
    }
}

/// Most samples in a row: a distributed test sends a minute's.
const MAX_GROUP: u64 = 1 << 40;

/// How many samples a row stands for: `SampleCount`, which a distributed test in statistical mode writes.
pub(super) fn group(samples: u64) -> Result<u64, String> {
    Some(samples.max(1)).filter(|samples| *samples <= MAX_GROUP).ok_or_else(|| format!("{samples} samples in a row"))
}

/// Some rows stand for several samples: `elapsed` is the sum of theirs.
pub(super) fn say_grouped(recorder: &mut Recorder) {
    recorder.only_means();
    let message = "rows stand for several samples each (statistical mode of a distributed test): only means are known";
    recorder.notice(Notice::new("grouped_samples", message));
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let head = String::from_utf8_lossy(source.reader.fill_buf()?).into_owned();
    let layout = Layout::of(&head).ok_or_else(|| {
        ParseError::new("expected columns `elapsed` and `label`, or rows in the order that JMeter writes").at_line(1)
    })?;
    recorder.tool("JMeter");
    recorder.sample_step(1.0);
    let mut clock = Clock::default();
    let mut plain = PlainSamples::of(&layout, &head);
    if plain.is_none() {
        source.blocks = None;
    }
    let rows = Rows::in_blocks(source, layout.delimiter, layout.header)?;
    let mut grouped = false;
    match &mut plain {
        Some(plain) => {
            clock.kind = plain.time.map(|_| Kind::Instant);
            rows.each_or(plain, recorder, |row, recorder| {
                grouped |= layout.record(row, &mut clock, recorder)?;
                Ok(())
            })?;
            plain.finish(&mut clock, recorder);
        }
        None => rows.each(recorder, |row, recorder| {
            grouped |= layout.record(row, &mut clock, recorder)?;
            Ok(())
        })?,
    }
    finish(clock, recorder);
    if grouped {
        say_grouped(recorder);
    }
    Ok(())
}

/// Rows of requests, with a time stamp in ms since the epoch if there is one.
#[derive(Clone)]
struct PlainSamples {
    elapsed: usize,
    label: usize,
    success: usize,
    time: Option<usize>,
    code: Option<usize>,
    message: Option<usize>,
    threads: Option<usize>,
    samples: Option<usize>,
    last: usize,
    span: Span<u64>,
    users: u64,
    course: Course,
}

/// What the texts of a row say.
struct Text<'a> {
    /// What was counted under its label.
    samples: &'a mut Samples,
    ok: bool,
    /// Whether the label is one such as `X-1`.
    numbered: bool,
}

impl PlainSamples {
    /// For a file that has no more than they look at, and whose first row shows what its time stamps are.
    fn of(layout: &Layout, head: &str) -> Option<Self> {
        let first = rows_of(head, layout.delimiter, 1 + usize::from(layout.header)).pop()?;
        let cell = |at: usize| first.get(at).unwrap_or_default().as_bytes();
        let success = layout.success.filter(|at| matches!(cell(*at), b"true" | b"false"))?;
        let timed = layout.time.is_none_or(|at| cell(at).len() == 13 && whole(cell(at)).is_some());
        if layout.method.is_some() || !timed || whole(cell(layout.elapsed)).is_none() || first.len() <= layout.label {
            return None;
        }
        let Layout { elapsed, label, time, code, message, threads, samples, .. } = *layout;
        let last = [time, code, message, threads, samples].into_iter().flatten().chain([elapsed, label, success]).max()?;
        let (span, users, course) = Default::default();
        Some(Self {
            elapsed, label, success, time, code, message, threads, samples, last, span, users, course,
        })
    }

    /// Whether the row is of a single sample.
    #[expect(clippy::inline_always, reason = "a part of `take`")]
    #[inline(always)]
    fn is_single(&self, row: &Split<'_>) -> Option<bool> {
        if let Some(at) = self.samples
            && row.get(at)? != b"1"
        {
            return Some(false);
        }
        let Some(at) = self.message else { return Some(true) };
        // A transaction says how many samples it sums up; with white space before it would still be one.
        let message = row.get(at)?;
        Some(match message.first() {
            None => true,
            Some(b'N') => !message.starts_with(b"Number"),
            Some(first) => first.is_ascii_graphic() && *first != b'"',
        })
    }

    /// What the texts of a row say; `None` if anything about them is unusual.
    #[expect(clippy::inline_always, reason = "a part of `take`")]
    #[inline(always)]
    fn text<'a>(&self, row: &Split<'_>, tally: &'a mut Tally) -> Option<Text<'a>> {
        if !self.is_single(row)? {
            return None;
        }
        let success = row.get(self.success)?;
        let ok = success == b"true";
        if !ok && success != b"false" {
            return None;
        }
        let label = row.get(self.label)?;
        let samples = if ok {
            tally.samples(label, || name(label))?
        } else {
            let place = self.failed(label, row, tally)?;
            tally.at(place)?
        };
        Some(Text { samples, ok, numbered: is_numbered(label) })
    }

    /// Where a request that failed is counted.
    #[cold]
    fn failed(&self, label: &[u8], row: &Split<'_>, tally: &mut Tally) -> Option<Place> {
        let code = match self.code {
            Some(at) => row.get(at).filter(|code| code.first() != Some(&b'"'))?,
            None => b"",
        };
        let text = str::from_utf8(code).ok()?.trim();
        tally.failed(label, || name(label), code, || failure(text, false))
    }

    fn finish(&self, clock: &mut Clock, recorder: &mut Recorder) {
        clock.course.join(&self.course);
        recorder.users(self.users as f64);
        if let Some((start, end)) = self.span.get() {
            let (start, end) = (start as f64, end as f64);
            let (first, last) = clock.span.unwrap_or((start, end));
            clock.span = Some((first.min(start), last.max(end)));
        }
    }
}

impl PlainRow for PlainSamples {
    /// The message of a failed assertion is mostly in quotes, and not looked at.
    const QUOTED: bool = true;

    fn last(&self) -> usize {
        self.last
    }

    #[expect(clippy::inline_always, reason = "as it says there")]
    #[inline(always)]
    fn take(&mut self, batch: &Batch<'_>, tally: &mut Tally) -> usize {
        let [mut elapsed, mut starts, mut users] = [[0; TOGETHER]; 3];
        let mut rows = columns::wholes(batch, self.elapsed, &mut elapsed);
        if let Some(at) = self.time {
            // Fewer digits may be seconds.
            rows = rows.min(columns::thirteen_digits(batch, at, &mut starts));
        }
        if let Some(at) = self.threads {
            rows = rows.min(columns::wholes(batch, at, &mut users));
        }
        let ends = columns::sums(&starts, &elapsed);
        let mut taken = 0;
        let numbers = elapsed.iter().zip(&users).zip(starts.iter().zip(&ends));
        for (row, ((elapsed, users), (start, end))) in batch.first(rows).rows().zip(numbers) {
            // A transaction of days or a time before 2001 is left alone.
            if *elapsed >= 1_000_000_000 || (self.time.is_some() && *start < 1_000_000_000_000) {
                break;
            }
            let Some(Text { samples, ok, numbered }) = self.text(&row, tally) else { break };
            let latency = Some(elapsed * 1_000_000);
            samples.add(latency, Some(ok));
            if self.time.is_some() {
                let users = self.threads.map(|_| users.cast_signed() as f64);
                self.course.part(numbered).add_with_users(end.cast_signed(), latency, Some(ok), users);
            }
            taken += 1;
        }
        let most = users.iter().take(taken).fold(0, |most, users| most.max(*users));
        self.users = self.users.max(most);
        if self.time.is_some() {
            self.span.add_first(taken, &starts, &ends);
        }
        taken
    }

    fn join(&mut self, other: Self) {
        self.course.join(&other.course);
        self.span.join(other.span);
        self.users = self.users.max(other.users);
    }
}

/// What a label says; not of one in quotes.
fn name(label: &[u8]) -> Option<(Option<&str>, Cow<'_, str>)> {
    Some((None, str::from_utf8(label).ok().filter(|label| !label.starts_with('"'))?.into()))
}

/// The text of the row that a transaction controller writes.
pub(super) fn is_transaction(message: &str) -> bool {
    message.starts_with("Number of samples in transaction")
}

/// What JMeter means by the cell: `true` or `false`.
pub(super) fn flag(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// The kind of a failure. Messages are not kept: assertions quote answers.
pub(super) fn failure(code: &str, transaction: bool) -> String {
    match code.parse::<u16>() {
        _ if transaction => "a sample of the transaction failed".to_owned(),
        Ok(code) if code < 400 => format!("HTTP {code}, but an assertion or an embedded resource failed"),
        Ok(code) => format!("HTTP {code}"),
        Err(_) if code.is_empty() => "no response code".to_owned(),
        Err(_) => code.to_owned(),
    }
}

/// What can be said only when all rows are there: when the run was, which endpoints are parts of others, and whether
/// nothing worked.
pub(super) fn finish(clock: Clock, recorder: &mut Recorder) {
    let parts = parts_of_others(recorder.drafts());
    let mut alone = false;
    for draft in recorder.drafts() {
        if parts.contains(draft.name()) {
            draft.set_apart();
        } else {
            alone |= is_numbered(draft.name().as_bytes()) && draft.counted().is_some();
        }
    }
    clock.finish(!parts.is_empty(), alone, recorder);
    let samples: Vec<_> = recorder.drafts().iter().filter_map(Draft::counted).collect();
    let requests: u64 = samples.iter().map(|samples| samples.requests).sum();
    if requests > 0 && samples.iter().map(|samples| samples.failures).sum::<Option<u64>>() == Some(requests) {
        recorder.notice(Notice::new(
            "all_failed",
            format!("every one of {requests} requests failed; a listener that writes errors only makes such a file"),
        ));
    }
}

/// Redirects and embedded resources: `X-0`, `X-1` … of a request `X` whose row is there as often, and in no figure less.
fn parts_of_others(drafts: &[Draft]) -> HashSet<String> {
    let known: HashMap<&str, (u64, f64, f64)> = drafts
        .iter()
        .filter_map(|draft| {
            let samples = draft.counted()?;
            let (mean, max) = samples.latency.mean_ms().zip(samples.latency.max_ms())?;
            Some((draft.name(), (samples.requests, mean * samples.requests as f64, max)))
        })
        .collect();
    let mut parts = HashSet::new();
    for (name, own) in &known {
        let Some((parent, number)) = name.rsplit_once('-') else { continue };
        let Some(whole) = known.get(parent).filter(|_| is_whole(number)) else { continue };
        let counted_from_zero = known.contains_key(format!("{parent}-0").as_str());
        if counted_from_zero && own.0 <= whole.0 && own.1 <= whole.1 && own.2 <= whole.2 {
            parts.insert((*name).to_owned());
        }
    }
    parts
}

/// What happened when. Rows `X-1` stay apart: whether they are parts of rows `X` is known only when all rows are.
#[derive(Debug, Clone, Default)]
pub(super) struct Course {
    requests: Timeline,
    numbered: Timeline,
}

impl Course {
    /// Where a row belongs.
    pub(super) fn of(&mut self, label: &[u8]) -> &mut Timeline {
        self.part(is_numbered(label))
    }

    /// Where rows belong whose labels are such as `X-1`, or the others.
    fn part(&mut self, numbered: bool) -> &mut Timeline {
        if numbered { &mut self.numbered } else { &mut self.requests }
    }

    fn join(&mut self, other: &Self) {
        self.requests.merge(&other.requests);
        self.numbered.merge(&other.numbered);
    }
}

/// Whether it is a label such as `X-1`.
#[inline]
fn is_numbered(label: &[u8]) -> bool {
    if !label.last().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    label.iter().rfind(|byte| !byte.is_ascii_digit()) == Some(&b'-')
}

/// When the run was, from time stamps in whatever form.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Earliest start and latest end, in ms since the epoch or of local time.
    span: Option<(f64, f64)>,
    kind: Option<Kind>,
    /// A time stamp that is none: what it says, and how many.
    unreadable: Option<(String, u64)>,
    /// The day in a pattern whose parts could be read in several ways.
    day: Option<String>,
    pub(super) course: Course,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Since the epoch.
    Instant,
    /// Year first, zone unknown.
    Local,
    /// Only the time of the day is sure.
    Daytime,
}

impl Clock {
    /// A sample began at `stamp` and took `elapsed` ms. Gives its start in ms since the epoch, if it tells that.
    pub(super) fn see(&mut self, stamp: &str, elapsed: f64) -> Option<f64> {
        let read = instant(stamp).map(|ms| (Kind::Instant, ms)).or_else(|| {
            civil(stamp).map(|(day, ms)| {
                if let Day::Unsure(day) = day {
                    let same = self.day.get_or_insert_with(|| day.to_owned()) == day;
                    return (Kind::Daytime, if same { ms } else { f64::NAN });
                }
                (Kind::Local, ms)
            })
        });
        let Some((kind, start)) = read.filter(|(kind, ms)| ms.is_finite() && self.kind.is_none_or(|own| own == *kind))
        else {
            self.unreadable.get_or_insert_with(|| (shown(stamp), 0)).1 += 1;
            return None;
        };
        let (first, last) = self.span.unwrap_or((start, start));
        self.kind = Some(kind);
        self.span = Some((first.min(start), last.max(start + elapsed)));
        (kind == Kind::Instant).then_some(start)
    }

    /// Rows `X-1` may be `parts` of others or endpoints that stand `alone`.
    fn finish(self, parts: bool, alone: bool, recorder: &mut Recorder) {
        if let Some((text, count)) = self.unreadable {
            let message = format!("{count} time stamps are no dates, the first `{text}`; duration and throughput are unknown");
            recorder.notice(Notice::new("unreadable_time", message));
            return;
        }
        // Of some of each, nobody can tell any more which time is whose.
        if !(parts && alone) {
            recorder.timeline().merge(&self.course.requests);
        }
        if !parts {
            recorder.timeline().merge(&self.course.numbered);
        }
        let Some((start, end)) = self.span else { return };
        match self.kind {
            Some(Kind::Instant) => recorder.spans(start, end),
            // In no known zone the length is known, the instant is not.
            Some(Kind::Local) => recorder.duration_s((end - start) / 1e3),
            // Past midnight the first would be the last.
            Some(Kind::Daytime) if end - start < 12.0 * 3.6e6 => recorder.duration_s((end - start) / 1e3),
            _ => {}
        }
    }
}

/// Ms since the epoch: a number (of seconds if it is small), or a date with its zone.
fn instant(text: &str) -> Option<f64> {
    if is_whole(text) && text.len() <= 13 {
        let number: f64 = text.parse().ok().filter(|number| *number > 0.0)?;
        return Some(if number < 1e11 { number * 1e3 } else { number });
    }
    text.parse::<Timestamp>().ok().map(super::vegeta::millis)
}

/// The day of a local date.
enum Day<'a> {
    /// Within the ms.
    Sure,
    /// As written: nobody can tell day from month.
    Unsure(&'a str),
}

/// A local date in some pattern, with ms since the epoch as if it were UTC, or since midnight.
fn civil(text: &str) -> Option<(Day<'_>, f64)> {
    let (date, time) = text.trim().split_once([' ', 'T']).unwrap_or(("", text.trim()));
    let daytime = daytime(time)?;
    let parts: Vec<&str> = date.split(|c: char| !c.is_ascii_digit()).collect();
    if let [year, month, day] = parts.as_slice()
        && year.len() == 4
    {
        let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
        let midnight = jiff::tz::TimeZone::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok()?;
        return Some((Day::Sure, midnight.as_millisecond() as f64 + daytime));
    }
    Some((Day::Unsure(date), daytime))
}

/// `7:42:21.256`, `07:42:21,256 PM`: ms since midnight.
fn daytime(text: &str) -> Option<f64> {
    let (clock, half) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let mut parts = clock.split([':', '.', ',']);
    let mut next = || parts.next().filter(|part| is_whole(part));
    let (hour, minute, second) = (next()?.parse().ok()?, next()?.parse().ok()?, next()?.parse().ok()?);
    let fraction = next().unwrap_or("0");
    let hour: i8 = match half.to_ascii_uppercase().as_str() {
        "PM" if hour < 12 => hour + 12,
        "AM" if hour == 12 => 0,
        _ => hour,
    };
    let time = Time::new(hour, minute, second, 0).ok()?;
    let seconds = f64::from(time.hour()) * 3600.0 + f64::from(time.minute()) * 60.0 + f64::from(time.second());
    Some(seconds * 1e3 + format!("0.{fraction}").parse::<f64>().ok()? * 1e3)
}

fn is_whole(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first rows of a text.
fn rows_of(text: &str, delimiter: u8, count: usize) -> Vec<csv::StringRecord> {
    let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
    reader.into_records().map_while(Result::ok).take(count).collect()
}
