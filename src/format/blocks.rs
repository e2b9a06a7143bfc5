//! Large artifacts with one record per request, read in blocks by several threads.
//!
//! A thread takes the next block, which ends where a record ends, and adds up the plain records in it by itself. Records
//! that are in any way unusual it hands over as they are; they are read one after the other, in the order of the file, by
//! the same code that reads the whole file when there are no blocks. So the result does not depend on threads or blocks.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use memchr::{memchr, memchr_iter, memchr2_iter, memchr3, memrchr};
use multiversion::multiversion;

use super::{ParseError, Source};
use crate::run::recorder::{Names, Recorder};
use crate::run::tally::{News, Tally};

/// How a large artifact is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    /// Bytes read at once.
    pub size: usize,
    /// Threads.
    pub threads: usize,
}

/// Reading is most of the work: more threads than this wait for one another.
const MAX_THREADS: usize = 4;
/// Longest record; a quote that nobody closes would make all the rest one.
const MAX_RECORD: usize = 16 << 20;
/// Blocks that may wait for an earlier one to be done.
const MAX_LEAD: u64 = 16;

impl Default for Blocks {
    /// As this machine reads them best.
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_THREADS));
        Self { size: 256 << 10, threads }
    }
}

/// Most places of quotes and CR that are noted of a block.
const MAX_ODD: usize = 16 << 10;

/// Where a record ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// With its line.
    Line,
    /// With its line, outside of quotes: CSV with this delimiter.
    Row(u8),
}

impl Ends {
    /// The end of the last whole record in `bytes`, which begin with one. Of a CSV `odd` becomes where there are quotes and CR;
    /// from the last one of these places on there may be more. Of a doubled quote it has the first.
    fn last(self, bytes: &[u8], odd: &mut Vec<u32>) -> Option<usize> {
        let Self::Row(delimiter) = self else { return after(memrchr(b'\n', bytes), 0) };
        odd.clear();
        let (mut last, mut plain, mut quoted) = (None, 0, false);
        let mut found = memchr2_iter(b'"', b'\r', bytes);
        while let Some(at) = found.next() {
            if odd.len() < MAX_ODD {
                odd.push(at as u32);
            }
            let (before, next) = (at.checked_sub(1).and_then(|before| bytes.get(before)), bytes.get(at + 1));
            match (bytes.get(at), quoted) {
                (Some(b'"'), false) if before.is_none_or(|byte| [delimiter, b'\n', b'\r'].contains(byte)) => {
                    last = after(memrchr(b'\n', bytes.get(plain..at)?), plain).or(last);
                    quoted = true;
                }
                // A doubled one closes nothing.
                (Some(b'"'), true) if next == Some(&b'"') => _ = found.next(),
                // What follows the last byte is not known.
                (Some(b'"'), true) if next.is_some() => (plain, quoted) = (at + 1, false),
                _ => {}
            }
        }
        if odd.len() < MAX_ODD {
            odd.push(bytes.len() as u32);
        }
        if quoted { last } else { after(memrchr(b'\n', bytes.get(plain..)?), plain).or(last) }
    }

    /// The end of the record at `start`, and how many lines it spans.
    pub(super) fn next(self, bytes: &[u8], start: usize) -> (usize, u64) {
        let rest = bytes.get(start..).unwrap_or_default();
        let Self::Row(delimiter) = self else {
            return (start + after(memchr(b'\n', rest), 0).unwrap_or(rest.len()), 1);
        };
        let (mut at, mut lines) = (0, 0);
        while let Some(found) = rest.get(at..).and_then(|rest| memchr3(b'\n', b'\r', b'"', rest)) {
            let here = at + found;
            at = here + 1;
            let before = here.checked_sub(1).and_then(|before| rest.get(before));
            match rest.get(here) {
                Some(b'"') if before.is_none_or(|before| *before == delimiter) => {
                    let close = closing(rest, at).unwrap_or(rest.len());
                    lines += newlines(rest.get(at..close).unwrap_or_default());
                    at = close;
                }
                Some(b'"') => {}
                Some(b'\r') if rest.get(at) == Some(&b'\n') => return (start + at + 1, lines + 1),
                Some(b'\r') => return (start + at, lines),
                _ => return (start + at, lines + 1),
            }
        }
        (start + rest.len(), lines)
    }
}

/// How many lines end in it.
fn newlines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// The place behind what was found in a part that begins at `from`.
fn after(found: Option<usize>, from: usize) -> Option<usize> {
    found.map(|at| from + at + 1)
}

/// The place behind the quote that closes the one before `from`; a doubled one does not.
fn closing(bytes: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let quote = after(memchr(b'"', bytes.get(from..)?), from)?;
        // What follows the last byte is not known.
        if *bytes.get(quote)? != b'"' {
            return Some(quote);
        }
        from = quote + 1;
    }
}

/// One thread's part of a format: what can be done with a plain record.
pub(super) trait Plain: Clone + Send {
    /// Another block comes. If it is of CSV, it has quotes and CR in these places, and maybe others from the last one on.
    fn begin(&mut self, _odd: &[u32]) {}

    /// Takes the record at `start` of a block, and maybe those behind it, as long as there is nothing unusual about them. Says
    /// where the last one ends and how many there are.
    fn take(&mut self, block: &[u8], start: usize, tally: &mut Tally) -> Option<(usize, u64)>;

    /// Adds what another thread saw.
    fn join(&mut self, other: Self);
}

/// What the unusual records of a file are given to, in order.
pub(super) trait Ordered: Send {
    /// A record that is not plain, and its line.
    fn record(&mut self, record: &[u8], line: u64, recorder: &mut Recorder);

    /// Behind the record before, if any, stand plain ones.
    fn plain(&mut self, _: &mut Recorder) {}
}

/// The artifact as blocks.
pub(super) struct Feed<'a> {
    reader: &'a mut (dyn BufRead + Send),
    ends: Ends,
    size: usize,
    carry: Vec<u8>,
    next: u64,
    ended: bool,
    too_long: bool,
}

/// Bytes of the artifact that begin and end with a record.
#[derive(Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    len: usize,
    number: u64,
    /// Already read, such as a header, and the lines it has.
    pub(super) start: usize,
    pub(super) lines: u64,
    /// Where there are quotes and CR, if these are rows of CSV; from the last place on there may be more.
    odd: Vec<u32>,
}

impl Block {
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<'a> Feed<'a> {
    pub(super) fn new(reader: &'a mut (dyn BufRead + Send), ends: Ends, size: usize) -> Self {
        Self { reader, ends, size: size.max(1), carry: Vec::new(), next: 0, ended: false, too_long: false }
    }

    /// The next block; `false` at the end of the artifact.
    pub(super) fn fill(&mut self, block: &mut Block) -> io::Result<bool> {
        let mut goal = self.carry.len() + self.size;
        (block.len, block.start, block.lines) = (self.carry.len(), 0, 0);
        block.bytes.resize(goal.max(self.size + self.size / 8), 0);
        if let Some(start) = block.bytes.get_mut(..block.len) {
            start.copy_from_slice(&self.carry);
        }
        loop {
            while !self.ended && block.len < goal {
                match self.reader.read(block.bytes.get_mut(block.len..goal).unwrap_or_default()) {
                    Ok(0) => self.ended = true,
                    Ok(read) => block.len += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.ended = true;
                        self.carry.clear();
                        return Err(error);
                    }
                }
            }
            let bytes = block.bytes.get(..block.len).unwrap_or_default();
            let last = self.ends.last(bytes, &mut block.odd);
            let end = if self.ended { Some(block.len) } else { last };
            if let Some(end) = end {
                self.carry.clear();
                self.carry.extend_from_slice(block.bytes().get(end..).unwrap_or_default());
                block.len = end;
                block.number = self.next;
                self.next += u64::from(end > 0);
                return Ok(end > 0);
            }
            if goal > MAX_RECORD {
                (self.ended, self.too_long) = (true, true);
                self.carry.clear();
                return Ok(false);
            }
            goal *= 2;
            block.bytes.resize(goal, 0);
        }
    }

    /// Whether the block taken last was the last.
    fn is_last(&self) -> bool {
        self.ended && self.carry.is_empty()
    }
}

/// What depends on order in a block.
#[derive(Default)]
struct Events {
    all: Vec<Event>,
    /// The unusual records, one behind the other.
    bytes: Vec<u8>,
    plain: u64,
    lines: u64,
}

enum Event {
    /// The first request, or the first failure of a kind, of an endpoint that the thread did not know.
    News(News),
    /// An unusual record: its end in `bytes`, and its line in the block, from 0.
    Record(usize, u64),
    /// One or more plain records.
    Plain,
}

impl Events {
    fn announce(&mut self, tally: &mut Tally) {
        self.all.extend(tally.news().map(Event::News));
    }
}

/// Takes the plain records of a block and notes the others; compiled twice as all of [`super::columns`].
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
fn events_of<P: Plain>(block: &Block, ends: Ends, plain: &mut P, tally: &mut Tally) -> Events {
    let mut events = Events { lines: block.lines, ..Events::default() };
    let bytes = block.bytes();
    let (mut at, mut said) = (block.start, false);
    plain.begin(&block.odd);
    while at < bytes.len() {
        if let Some((end, records)) = plain.take(bytes, at, tally) {
            if !said {
                events.all.push(Event::Plain);
                said = true;
            }
            events.plain += records;
            events.lines += records;
            at = end;
            continue;
        }
        let (end, lines) = ends.next(bytes, at);
        events.announce(tally);
        events.bytes.extend_from_slice(bytes.get(at..end).unwrap_or_default());
        events.all.push(Event::Record(events.bytes.len(), events.lines));
        said = false;
        events.lines += lines;
        at = end;
    }
    events.announce(tally);
    events
}

/// What all threads share, in the order of the file.
struct Ledger<'a, O> {
    recorder: &'a mut Recorder,
    ordered: &'a mut O,
    next: u64,
    lines: u64,
    waiting: BTreeMap<u64, Events>,
}

impl<O: Ordered> Ledger<'_, O> {
    fn submit(&mut self, number: u64, events: Events) {
        self.waiting.insert(number, events);
        while let Some(events) = self.waiting.remove(&self.next) {
            self.apply(&events);
            self.next += 1;
        }
    }

    fn apply(&mut self, events: &Events) {
        let mut from = 0;
        for event in &events.all {
            match event {
                Event::News(News { method, name, failure }) => {
                    let draft = self.recorder.endpoint(method.as_deref(), name);
                    if let Some(kind) = failure {
                        draft.error(kind, 1);
                    }
                }
                Event::Record(end, line) => {
                    let record = events.bytes.get(from..*end).unwrap_or_default();
                    self.ordered.record(record, self.lines + line + 1, self.recorder);
                    from = *end;
                }
                Event::Plain => self.ordered.plain(self.recorder),
            }
        }
        self.recorder.good_rows(events.plain);
        self.lines += events.lines;
    }
}

/// Reads everything from the block `first` on.
pub(super) fn read<P: Plain, O: Ordered>(
    feed: Feed<'_>,
    first: Block,
    threads: usize,
    plain: &mut P,
    ordered: &mut O,
    recorder: &mut Recorder,
) -> Result<(), ParseError> {
    let others = if feed.is_last() { 0 } else { threads.saturating_sub(1) };
    let ledger = Ledger { recorder: &mut *recorder, ordered, next: 0, lines: 0, waiting: BTreeMap::new() };
    let shared = Shared {
        ends: feed.ends,
        feed: Mutex::new(feed),
        ledger: Mutex::new(ledger),
        done: Condvar::new(),
        names: OnceLock::new(),
    };
    let mut own = (plain.clone(), Tally::default());
    let mut shares: Vec<(P, Tally)> = (0..others).map(|_| (plain.clone(), Tally::default())).collect();
    let outcome = thread::scope(|scope| {
        let threads: Vec<_> =
            shares.iter_mut().map(|share| scope.spawn(|| shared.work(Block::default(), share))).collect();
        let own = shared.work(first, &mut own);
        threads.into_iter().filter_map(|thread| thread.join().ok()).fold(own, Result::and)
    });
    let too_long = locked(&shared.feed).too_long;
    let lines = locked(&shared.ledger).lines;
    drop(shared);
    *plain = own.0;
    own.1.finish(recorder);
    for (share, tally) in shares {
        plain.join(share);
        tally.finish(recorder);
    }
    outcome?;
    if too_long {
        let message = format!("a record longer than {} MiB; is a quote never closed?", MAX_RECORD >> 20);
        return Err(ParseError::new(message).at_line(lines + 1));
    }
    Ok(())
}

/// Reads an artifact of lines.
pub(super) fn read_lines<P: Plain, O: Ordered>(
    source: &mut Source<'_>,
    Blocks { size, threads }: Blocks,
    plain: &mut P,
    ordered: &mut O,
    recorder: &mut Recorder,
) -> Result<(), ParseError> {
    let mut feed = Feed::new(&mut *source.reader, Ends::Line, size);
    let mut first = Block::default();
    feed.fill(&mut first)?;
    read(feed, first, threads, plain, ordered, recorder)
}

/// What the threads have in common.
struct Shared<'f, 'l, O> {
    ends: Ends,
    feed: Mutex<Feed<'f>>,
    ledger: Mutex<Ledger<'l, O>>,
    /// A block was entered into the ledger.
    done: Condvar,
    /// The names of all endpoints, once there will be no more.
    names: OnceLock<Arc<Names>>,
}

impl<O: Ordered> Shared<'_, '_, O> {
    /// One thread's work: `block` if there is something in it, and all that it can get.
    fn work<P: Plain>(&self, mut block: Block, (plain, tally): &mut (P, Tally)) -> io::Result<()> {
        while !block.bytes().is_empty() || locked(&self.feed).fill(&mut block)? {
            if let Some(names) = self.names.get() {
                tally.close(names);
            }
            let events = events_of(&block, self.ends, plain, tally);
            let ledger = locked(&self.ledger);
            // An unusual block keeps its records until its turn.
            let far = |ledger: &mut Ledger<'_, O>| block.number > ledger.next + MAX_LEAD;
            let mut ledger = self.done.wait_while(ledger, far).unwrap_or_else(PoisonError::into_inner);
            ledger.submit(block.number, events);
            if self.names.get().is_none()
                && let Some(names) = ledger.recorder.names_if_full()
            {
                self.names.get_or_init(|| Arc::new(names));
            }
            self.done.notify_all();
            block.len = 0;
        }
        Ok(())
    }
}

/// A thread that panicked has ended the program already.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// As record by record; what a quote opens and nothing closes before the end is not known yet.
        #[test]
        fn the_last_record_ends_where_it_does_one_by_one(text in "([ab,]|\"|\"\"|\"[a,]{0,2}\"|\n|\r\n?){0,40}") {
            let (bytes, mut odd) = (text.as_bytes(), Vec::new());
            let last = Ends::Row(b',').last(bytes, &mut odd);
            let (mut at, mut ends) = (0, vec![0]);
            while at < bytes.len() {
                at = Ends::Row(b',').next(bytes, at).0;
                ends.push(at);
            }
            if let Some(last) = last {
                prop_assert!(ends.contains(&last) && bytes[..last].ends_with(b"\n"));
            }
            let known: Vec<usize> = odd.iter().map(|at| *at as usize).collect();
            prop_assert_eq!(known.last(), Some(&bytes.len()));
            for pair in ends.windows(2) {
                let record = pair[0]..pair[1];
                let has = bytes[record.clone()].iter().any(|byte| matches!(byte, b'"' | b'\r'));
                prop_assert_eq!(known.iter().any(|at| record.contains(at)), has);
            }
        }
    }
}
