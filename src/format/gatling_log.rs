//! Gatling's `simulation.log`: tab-separated text up to 3.12, binary since 3.13, streamed.
//!
//! Quirks of the text: fields moved from version to version (and files whose version is not theirs exist), so a request is read
//! around its `OK` or `KO`; a file may begin with assertions; groups are no requests; an end of -2^63 is an event without a
//! beginning. Of the binary: strings are remembered by number, times count from the run's start, and a killed run ends in the
//! middle of a record. Messages quote answers, so only the check that failed is kept.

use std::collections::HashMap;
use std::io::{self, Read};

use memchr::memchr;

use super::blocks::{self, Ordered, Plain};
use super::plain::{Span, find, find_last, whole};
use super::rows::{cut_off, next_line, shown};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::recorder::Recorder;
use crate::run::tally::Tally;
use crate::run::timeline::Timeline;

const GIVES: Gives = Gives { percentiles: "any (from samples), whole ms", failures: true, users: true, time: true };

pub(super) static TEXT: Format = Format {
    id: "gatling-log",
    tool: "Gatling",
    title: "`simulation.log` as text",
    versions: "2.0 to 3.12",
    gives: GIVES,
    part: Part::Main { rank: 0, suffixes: PARTS },
    sniff: sniff_text,
    parse: parse_text,
};

pub(super) static BINARY: Format = Format {
    id: "gatling-binary",
    tool: "Gatling",
    title: "`simulation.log` as binary",
    versions: "3.13 to 3.15",
    gives: GIVES,
    part: Part::Main { rank: 0, suffixes: PARTS },
    sniff: |head| Confidence::certain_if(version(&head.bytes).is_some()),
    parse: parse_binary,
};

/// What a run leaves in its folder, and in `js` of the report.
pub(super) const PARTS: &[&str] = &[
    "js/global_stats",
    "js/assertions",
    "js/stats",
    "global_stats",
    "assertions",
    "simulation",
    "stats",
];

/// First words of a line since 2.2.
const WORDS: [&str; 6] = ["RUN", "REQUEST", "USER", "GROUP", "ASSERTION", "ERROR"];
/// Third words of a line before 2.2.
const OLD_WORDS: [&str; 4] = ["RUN", "REQUEST", "USER", "GROUP"];

fn sniff_text(head: &Head) -> Confidence {
    let fields: Vec<&str> = head.first_line().split('\t').collect();
    let new = fields.first().is_some_and(|word| WORDS.contains(word));
    let old = fields.len() >= 5 && fields.get(2).is_some_and(|word| OLD_WORDS.contains(word));
    Confidence::certain_if(fields.len() >= 2 && (new || old))
}

/// What a line of the text says.
enum Entry<'a> {
    Request { name: String, start: f64, end: f64, ok: bool, message: &'a str },
    /// One more or less, at ms since the epoch.
    Users(i64, f64),
    Version(&'a str),
    Other,
}

impl<'a> Entry<'a> {
    fn of(line: &'a str) -> Result<Self, String> {
        let mut fields = line.split('\t');
        let word = fields.next().unwrap_or_default();
        let third = fields.nth(1).unwrap_or_default();
        let old = OLD_WORDS.contains(&third) && !WORDS.contains(&word);
        match if old { third } else { word } {
            "REQUEST" => Self::request(&line.split('\t').collect::<Vec<_>>(), old),
            "USER" => {
                // From the right: a scenario may have such a name.
                let step = line.rsplit('\t').find_map(|field| match field {
                    "START" => Some(1),
                    "END" => Some(-1),
                    _ => None,
                });
                // Old versions give the start as well as the end.
                let at = line.split('\t').filter_map(millis).fold(0.0, f64::max);
                step.map(|step| Self::Users(step, at)).ok_or_else(|| "expected START or END of a user".to_owned())
            }
            // 2.0 is the number of the log's layout, not a version.
            "RUN" => Ok(line.split('\t').next_back().filter(|last| *last != "2.0").map_or(Self::Other, Self::Version)),
            "GROUP" | "ASSERTION" | "ERROR" => Ok(Self::Other),
            word => Err(format!("expected a line of Gatling, found `{}`", shown(word))),
        }
    }

    fn request(fields: &[&'a str], old: bool) -> Result<Self, String> {
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        let status = (5..fields.len()).find(|at| {
            matches!(field(*at), "OK" | "KO") && millis(field(*at - 1)).is_some() && millis(field(*at - 2)).is_some()
        });
        let at = status.ok_or("expected start, end, and OK or KO in a request")?;
        // Before 2.2: begin and end of sending, then of receiving.
        let back = if old { 4 } else { 2 };
        let (start, end) = (at.checked_sub(back).and_then(|at| millis(field(at))), millis(field(at - 1)));
        let (start, end) = start.zip(end).ok_or("expected start and end of a request")?;
        let (name, groups) = (at.checked_sub(back + 1), at.checked_sub(back + 2));
        let (name, groups) = name.zip(groups).filter(|(_, groups)| *groups >= 1).ok_or("expected the name of a request")?;
        if end < start {
            return if end < 0.0 { Ok(Self::Other) } else { Err("ends before it starts".to_owned()) };
        }
        let groups = split_groups(field(groups));
        Ok(Self::Request { name: path(&groups, field(name)), start, end, ok: field(at) == "OK", message: field(at + 1) })
    }
}

/// Groups and name as Gatling's report joins them.
fn path(groups: &[&str], name: &str) -> String {
    let mut path = groups.join(" / ");
    if !path.is_empty() {
        path += " / ";
    }
    path + name
}

fn split_groups(groups: &str) -> Vec<&str> {
    groups.split(',').filter(|group| !group.is_empty()).collect()
}

fn millis(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text.parse().ok().filter(|_| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Users that are active, and the most there were.
#[derive(Default)]
struct Users {
    now: i64,
    most: i64,
}

impl Users {
    fn step(&mut self, by: i64, at_ms: f64, recorder: &mut Recorder) {
        self.now += by;
        self.most = self.most.max(self.now);
        recorder.timeline().users(at_ms as i64, self.now as f64);
    }
}

fn parse_text(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    recorder.tool("Gatling");
    recorder.sample_step(1.0);
    let mut lines = Lines::default();
    if let Some(how) = source.blocks {
        let mut plain = PlainRequests::default();
        blocks::read_lines(source, how, &mut plain, &mut lines, recorder)?;
        recorder.timeline().merge(&plain.timeline);
        if let Some((start, end)) = plain.span.get() {
            recorder.spans(start as f64, end as f64);
        }
    } else {
        let (mut line, mut at) = (Vec::new(), 0);
        while next_line(source, &mut line)? {
            at += 1;
            lines.record(&line, at, recorder);
        }
    }
    recorder.users(lines.users.most as f64);
    Ok(())
}

/// Lines of the text one after the other.
#[derive(Default)]
struct Lines {
    users: Users,
    /// Messages of old versions may go on in further lines.
    failed: bool,
}

impl Ordered for Lines {
    fn record(&mut self, line: &[u8], at: u64, recorder: &mut Recorder) {
        if let Some((step, at)) = plain_user(line) {
            return self.users.step(step, at, recorder);
        }
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches(['\n', '\r']);
        if text.trim().is_empty() {
            return;
        }
        match Entry::of(text) {
            Ok(Entry::Request { name, start, end, ok, message }) => {
                add(recorder, &name, (start, end), ok, message);
                self.failed = !ok;
            }
            Ok(Entry::Users(step, at)) => self.users.step(step, at, recorder),
            Ok(Entry::Version(version)) => recorder.tool_version(version.trim()),
            Ok(Entry::Other) => {}
            Err(_) if !line.ends_with(b"\n") => {
                recorder.complete(false);
                recorder.notice(cut_off(at));
            }
            Err(_) if self.failed && !text.contains('\t') => {}
            Err(why) => recorder.bad_row(at, why),
        }
    }

    fn plain(&mut self, _: &mut Recorder) {
        self.failed = false;
    }
}

/// Requests that went well, as Gatling writes them since 2.2.
#[derive(Clone, Default)]
struct PlainRequests {
    span: Span<u64>,
    timeline: Timeline,
}

impl Plain for PlainRequests {
    #[inline(always)]
    fn take(&mut self, block: &[u8], start: usize, tally: &mut Tally) -> Option<(usize, u64)> {
        const WORD: &[u8; 8] = b"REQUEST\t";
        let (word, rest) = block.get(start..)?.split_first_chunk()?;
        if word != WORD {
            return None;
        }
        let length = find(b'\n', rest)?;
        let line = rest.get(..length)?;
        let line = line.strip_suffix(b"\tOK\t ").or_else(|| line.strip_suffix(b"\tOK\t"))?;
        let (line, ended) = last_time(line)?;
        let (line, began) = last_time(line)?;
        let name = find_last(b'\t', rest, line.len())? + 1;
        // In front of the groups a user's number at most, which some versions write.
        let groups = find_last(b'\t', rest, name - 1).map_or(0, |tab| tab + 1);
        if ended < began || (groups > 0 && memchr(b'\t', line.get(..groups - 1)?).is_some()) {
            return None;
        }
        let samples = tally.samples(line.get(groups..)?, || {
            let (groups, name) = str::from_utf8(line.get(groups..)?).ok()?.split_once('\t')?;
            Some((None, path(&split_groups(groups), name).into()))
        })?;
        samples.add(Some((ended - began) * 1_000_000), Some(true));
        self.span.add(began, ended);
        self.timeline.add(ended.cast_signed(), Some((ended - began) * 1_000_000), Some(true));
        Some((start + WORD.len() + length + 1, 1))
    }

    fn join(&mut self, other: Self) {
        self.span.join(other.span);
        self.timeline.merge(&other.timeline);
    }
}

/// What a line says of a user as Gatling writes it since 2.2: every user has two of them.
fn plain_user(line: &[u8]) -> Option<(i64, f64)> {
    let (line, at) = last_time(line.strip_prefix(b"USER\t")?.strip_suffix(b"\n")?)?;
    let start = line.strip_suffix(b"\tSTART").map(|scenario| (scenario, 1));
    let (scenario, step) = start.or_else(|| Some((line.strip_suffix(b"\tEND")?, -1)))?;
    // One that might be taken for a further field is not plain.
    let number = scenario.first().is_some_and(|byte| *byte == b'-' || byte.is_ascii_digit());
    (!number && memchr(b'\t', scenario).is_none()).then_some((step, at as f64))
}

/// The last field, if it is a time in ms since the epoch, and what is in front of it.
#[expect(clippy::inline_always, reason = "a part of `take`, which is compiled twice")]
#[inline(always)]
fn last_time(line: &[u8]) -> Option<(&[u8], u64)> {
    let (line, [b'\t', time @ ..]) = line.split_last_chunk::<14>()? else { return None };
    Some((line, whole(time)?))
}

fn add(recorder: &mut Recorder, name: &str, (start, end): (f64, f64), ok: bool, message: &str) {
    recorder.good_row();
    recorder.happened(start, Some(end - start), Some(ok));
    let draft = recorder.endpoint(None, name);
    draft.samples().add(Some(((end - start) * 1e6) as u64), Some(ok));
    if !ok {
        draft.error(&failure(message), 1);
    }
}

/// `status.find.is(200), but actually found 500`; what was found in place of a code is an answer.
fn failure(message: &str) -> String {
    const FOUND: &str = " but actually found ";
    let message = message.trim();
    let text = match message.split_once(FOUND) {
        Some((check, found)) if !found.trim().bytes().all(|byte| byte.is_ascii_digit()) => check.trim_end_matches(',').to_owned() + ", but it is not",
        _ => message.to_owned(),
    };
    if text.is_empty() { "no message".to_owned() } else { text }
}

/// The version that a binary log begins with.
fn version(bytes: &[u8]) -> Option<&str> {
    let length = match bytes {
        [0, 0, 0, 0, length, ..] if (3..40).contains(length) => usize::from(*length),
        _ => return None,
    };
    let text = std::str::from_utf8(bytes.get(5..5 + length)?).ok()?;
    (text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('.')).then_some(text)
}

/// Longest string, and most of anything that is counted in front.
const MOST: i32 = 1 << 20;

/// Reads the binary's numbers and strings.
struct Records<'a, 'b> {
    source: &'a mut Source<'b>,
    offset: u64,
    cache: HashMap<i32, String>,
}

/// Why a record could not be read.
enum Broken {
    /// The file ends in it.
    Cut,
    Error(ParseError),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Cut } else { Self::Error(error.into()) }
    }
}

impl Records<'_, '_> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let mut bytes = [0; N];
        self.source.reader.read_exact(&mut bytes)?;
        self.offset += N as u64;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<i32, Broken> {
        self.bytes().map(i32::from_be_bytes)
    }

    /// A number of things that follow.
    fn count(&mut self) -> Result<i32, Broken> {
        let count = self.number()?;
        if (0..=MOST).contains(&count) { Ok(count) } else { Err(self.broken(&format!("a length of {count}"))) }
    }

    fn broken(&self, what: &str) -> Broken {
        let error = ParseError::new(format!("{what} at byte {}: unsupported layout of Gatling's binary log", self.offset));
        Broken::Error(error.hint("give the report's js/stats.js, or a log of Gatling 3.12 or older"))
    }

    fn raw(&mut self, length: i32) -> Result<Vec<u8>, Broken> {
        let mut bytes = Vec::new();
        let read = (&mut *self.source.reader).take(u64::from(length.unsigned_abs())).read_to_end(&mut bytes)?;
        self.offset += read as u64;
        if read as u64 == u64::from(length.unsigned_abs()) { Ok(bytes) } else { Err(Broken::Cut) }
    }

    /// A string, its length in front and its encoding behind: 0 is Latin-1, 1 is UTF-16 as the writer's machine has it.
    fn string(&mut self) -> Result<String, Broken> {
        let length = self.count()?;
        if length == 0 {
            return Ok(String::new());
        }
        let bytes = self.raw(length)?;
        match self.byte()? {
            0 => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
            1 => {
                let units = bytes.chunks_exact(2).map(|pair| pair.iter().rev().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
                Ok(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
            }
            coder => Err(self.broken(&format!("a string in encoding {coder}"))),
        }
    }

    /// A string that is remembered, or one that was.
    fn cached(&mut self) -> Result<String, Broken> {
        let index = self.number()?;
        if index > 0 {
            let text = self.string()?;
            if self.cache.len() >= MOST as usize {
                return Err(self.broken("more than a million strings"));
            }
            self.cache.insert(index, text.clone());
            return Ok(text);
        }
        let known = index.checked_neg().and_then(|index| self.cache.get(&index)).cloned();
        known.ok_or_else(|| self.broken(&format!("string {index}, which is not known")))
    }

    fn path(&mut self) -> Result<Vec<String>, Broken> {
        let count = self.count()?;
        (0..count).map(|_| self.cached()).collect()
    }

    /// The first record: version, class, start, description, scenarios, assertions. Gives the start in ms since the epoch.
    fn run(&mut self, recorder: &mut Recorder) -> Result<f64, Broken> {
        let version = self.string()?;
        recorder.tool_version(&version);
        self.string()?;
        let start = i64::from_be_bytes(self.bytes()?) as f64;
        self.string()?;
        for _ in 0..self.count()? {
            self.string()?;
        }
        for _ in 0..self.count()? {
            let length = self.count()?;
            self.raw(length)?;
        }
        Ok(start)
    }

    /// Any other record.
    fn record(&mut self, kind: u8, start: f64, users: &mut Users, recorder: &mut Recorder) -> Result<(), Broken> {
        match kind {
            1 => {
                let groups = self.path()?;
                let name = self.cached()?;
                let (begin, end) = (self.number()?, self.number()?);
                let ok = self.byte()? == 1;
                let message = self.cached()?;
                if end < begin {
                    // An event without a beginning.
                    return Ok(());
                }
                let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
                let (begin, end) = (start + f64::from(begin), start + f64::from(end));
                add(recorder, &path(&groups, &name), (begin, end), ok, &message);
            }
            2 => {
                self.number()?;
                let step = if self.byte()? == 1 { 1 } else { -1 };
                users.step(step, start + f64::from(self.number()?), recorder);
            }
            3 => {
                self.path()?;
                self.bytes::<13>()?;
            }
            4 => {
                self.cached()?;
                self.number()?;
            }
            kind => return Err(self.broken(&format!("a record of kind {kind}"))),
        }
        Ok(())
    }
}

fn parse_binary(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    recorder.tool("Gatling");
    recorder.sample_step(1.0);
    let mut records = Records { source, offset: 0, cache: HashMap::new() };
    let mut users = Users::default();
    let mut start = None;
    let broken = loop {
        if records.source.reader.fill_buf()?.is_empty() {
            break None;
        }
        let read = records.byte().and_then(|kind| match (kind, start) {
            (0, None) => records.run(recorder).map(|ms| start = Some(ms)),
            (kind, Some(start)) => records.record(kind, start, &mut users, recorder),
            (kind, None) => Err(records.broken(&format!("a record of kind {kind} before the run's own"))),
        });
        if let Err(broken) = read {
            break Some(broken);
        }
    };
    recorder.users(users.most as f64);
    match broken {
        None => Ok(()),
        Some(Broken::Error(error)) => Err(error),
        Some(Broken::Cut) => {
            recorder.complete(false);
            let mut notice = cut_off(0);
            notice.line = None;
            recorder.notice(notice);
            Ok(())
        }
    }
}
