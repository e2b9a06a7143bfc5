//! CSV artifacts with one row per request, streamed: a row that cannot be read is counted with its line, not the end.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::rc::Rc;

use multiversion::multiversion;

use super::blocks::{self, Block, Blocks, Ends, Feed, Ordered, Plain};
use super::columns::{Batch, TOGETHER};
use super::plain::{Cells, Layouts};
use super::{ParseError, Source};
use crate::run::Notice;
use crate::run::recorder::Recorder;
use crate::run::tally::Tally;

/// Rows by column name or place.
pub(super) struct Rows<'a> {
    input: Input<'a>,
    delimiter: u8,
    header: Vec<String>,
}

/// One row after the other, or blocks of rows for several threads.
enum Input<'a> {
    Rows(csv::Reader<Bounded<'a>>, Rc<Tail>),
    Blocks { feed: Feed<'a>, first: Block, threads: usize },
}

/// Ends a row that never ends: a quote that nobody closes makes all the rest one cell.
pub(super) struct Bounded<'a> {
    pub(super) input: &'a mut (dyn BufRead + Send),
    pub(super) tail: Rc<Tail>,
}

/// What was read last.
#[derive(Default)]
pub(super) struct Tail {
    /// Bytes since the last row began, or some more.
    length: Cell<u64>,
    /// Whether the last byte ended a line.
    ended: Cell<bool>,
}

impl Tail {
    /// A row begins.
    pub(super) fn restart(&self) {
        self.length.set(0);
    }
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.tail.length.set(self.tail.length.get() + read as u64);
        if let Some(last) = buffer.get(..read).and_then(<[u8]>::last) {
            self.tail.ended.set(matches!(last, b'\n' | b'\r'));
        }
        if self.tail.length.get() > MAX_LINE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a row longer than 64 MiB; a quote is never closed",
            ));
        }
        Ok(read)
    }
}

/// A last row that spans more lines than this is no row cut short but a quote that swallowed rows.
const MAX_CUT_LINES: usize = 50;

impl<'a> Rows<'a> {
    /// With a header in the first line that is not blank; its cells are compared trimmed and lower-cased.
    pub(super) fn with_header(source: &'a mut Source<'_>, delimiter: u8) -> Result<Self, ParseError> {
        let mut rows = Self::without_header(source, delimiter);
        rows.read_header()?;
        Ok(rows)
    }

    /// Without a header.
    pub(super) fn without_header(source: &'a mut Source<'_>, delimiter: u8) -> Self {
        let tail = Rc::new(Tail::default());
        let input = Bounded { input: &mut *source.reader, tail: Rc::clone(&tail) };
        let reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(input);
        Self { input: Input::Rows(reader, tail), delimiter, header: Vec::new() }
    }

    /// In blocks, if the source is to be read so: for [`Rows::each_or`].
    pub(super) fn in_blocks(source: &'a mut Source<'_>, delimiter: u8, header: bool) -> Result<Self, ParseError> {
        let mut rows = match source.blocks {
            None => Self::without_header(source, delimiter),
            Some(Blocks { size, threads }) => {
                let mut feed = Feed::new(&mut *source.reader, Ends::Row(delimiter), size);
                let mut first = Block::default();
                feed.fill(&mut first)?;
                Self { input: Input::Blocks { feed, first, threads }, delimiter, header: Vec::new() }
            }
        };
        if header {
            rows.read_header()?;
        }
        Ok(rows)
    }

    fn read_header(&mut self) -> Result<(), ParseError> {
        let mut header = csv::ByteRecord::new();
        match &mut self.input {
            Input::Rows(reader, _) => {
                reader.read_byte_record(&mut header)?;
            }
            Input::Blocks { first, .. } => {
                let (row, end, lines) = first_row(first, self.delimiter);
                header = row;
                (first.start, first.lines) = (end, first.lines + lines);
            }
        }
        self.header = header.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_lowercase()).collect();
        Ok(())
    }

    /// The header's cells, trimmed and lower-cased.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// The place of a column.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|cell| cell == name)
    }

    /// The place of a column that must be there.
    pub(super) fn need(&self, name: &str) -> Result<usize, ParseError> {
        self.find(name).ok_or_else(|| ParseError::new(format!("expected a column `{name}` in the header")).at_line(1))
    }

    /// Gives every row to `read`, which says what is wrong with it if it cannot be used. A last row that is shorter than
    /// the first one or has no end was cut off, which is said and costs only that row.
    pub(super) fn each(
        self,
        recorder: &mut Recorder,
        read: impl FnMut(&Row<'_>, &mut Recorder) -> Result<(), String>,
    ) -> Result<(), ParseError> {
        match self.input {
            Input::Rows(reader, tail) => {
                Sequence::new(&self.header, self.delimiter, read).all_of(reader, &tail, recorder)
            }
            Input::Blocks { .. } => Err(ParseError::new("expected single rows, found blocks")),
        }
    }

    /// As [`Rows::each`]; in blocks the plain rows are taken by `plain`, and only the others by `read`.
    pub(super) fn each_or<P: PlainRow>(
        self,
        plain: &mut P,
        recorder: &mut Recorder,
        read: impl FnMut(&Row<'_>, &mut Recorder) -> Result<(), String> + Send,
    ) -> Result<(), ParseError> {
        let Input::Blocks { feed, first, threads } = self.input else { return self.each(recorder, read) };
        let mut sequence = Sequence::new(&self.header, self.delimiter, read);
        if self.header.is_empty() {
            // It may be a plain one, which the sequence does not see.
            sequence.width = first_row(&first, self.delimiter).0.len();
        }
        let mut rows = PlainRows::new(plain.clone(), self.delimiter);
        blocks::read(feed, first, threads, &mut rows, &mut sequence, recorder)?;
        *plain = rows.plain;
        let ended = sequence.ended;
        sequence.end(ended, recorder);
        Ok(())
    }
}

/// What a format does with plain rows.
pub(super) trait PlainRow: Clone + Send {
    /// Whether it knows that a cell that begins with a quote is in quotes, and leaves alone what it cannot read of them. Its rows
    /// may end with CR LF too.
    const QUOTED: bool = false;

    /// The last column that is looked at.
    fn last(&self) -> usize;

    /// Takes rows by their cells up to the last column, as far as there is nothing unusual about them, and says how many. To be
    /// inlined always: it is compiled twice.
    fn take(&mut self, batch: &Batch<'_>, tally: &mut Tally) -> usize;

    /// Adds what another thread saw.
    fn join(&mut self, other: Self);
}

/// Plain rows, some at a time. A processor that has many like steps before it does several at once: to split, to read and to
/// add up takes it half as long for many rows together as for one row after the other.
#[derive(Clone)]
struct PlainRows<P> {
    plain: P,
    delimiter: u8,
    layouts: Layouts,
    cells: Vec<Cells>,
    /// Which of them are rows that were split and not yet taken.
    split: Range<usize>,
    /// Whether all of them are laid out as the first one.
    uniform: bool,
    /// How many are taken together now: fewer behind one that was left alone, as there may be more of its kind.
    together: usize,
    /// Where there are quotes and CR in the block; from the last place on there may be more.
    odd: Vec<u32>,
}

/// Rows taken together behind one that was left alone.
const FEW: usize = 4;

impl<P: PlainRow> PlainRows<P> {
    fn new(plain: P, delimiter: u8) -> Self {
        let cells = vec![Cells::default(); TOGETHER];
        Self {
            plain,
            delimiter,
            layouts: Layouts::default(),
            cells,
            split: 0..0,
            uniform: false,
            together: TOGETHER,
            odd: Vec::new(),
        }
    }
}

/// Splits the rows from `start` on, and says how many.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
fn split<P: PlainRow>(rows: &mut PlainRows<P>, block: &[u8], start: usize) -> usize {
    let last = rows.plain.last();
    let (mut at, mut count, mut shape) = (start, 0, (0, 0));
    let seen = rows.odd.partition_point(|odd| (*odd as usize) < start);
    let mut odd = rows.odd.iter().skip(seen).map(|odd| *odd as usize);
    // Up to here there is neither a quote nor a CR.
    let mut clear = odd.next().unwrap_or(0);
    for cells in &mut rows.cells {
        let mut end = cells.split(block, at, rows.delimiter, last, &mut rows.layouts, shape);
        if end.is_none_or(|end| end > clear) {
            end = if P::QUOTED { cells.split_quoted(block, at, rows.delimiter, last) } else { None };
            while end.is_some_and(|end| end > clear)
                && let Some(next) = odd.next()
            {
                clear = next;
            }
        }
        let Some(end) = end else { break };
        if count == 0 {
            shape = cells.shape();
        }
        at = end;
        count += 1;
    }
    if let Some((first, others)) = rows.cells.get_mut(..count).and_then(<[Cells]>::split_first_mut) {
        rows.uniform = others.iter().all(Cells::is_alike);
        if !rows.uniform {
            for cells in others {
                cells.adopt(first);
            }
        }
    }
    count
}

/// See [`PlainRow::take`]; compiled twice as all of [`super::columns`].
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
fn take<P: PlainRow>(plain: &mut P, batch: &Batch<'_>, tally: &mut Tally) -> usize {
    plain.take(batch, tally)
}

impl<P: PlainRow> Plain for PlainRows<P> {
    fn begin(&mut self, odd: &[u32]) {
        self.split = 0..0;
        self.odd.clear();
        self.odd.extend_from_slice(odd);
    }

    fn take(&mut self, block: &[u8], start: usize, tally: &mut Tally) -> Option<(usize, u64)> {
        // Of rows behind an unusual one the first ones are gone.
        while self.cells.get(self.split.start).is_some_and(|cells| cells.row() < start) && !self.split.is_empty() {
            self.split.start += 1;
        }
        if self.split.is_empty() || self.cells.get(self.split.start)?.row() != start {
            self.split = 0..split(self, block, start);
        }
        let like = self.cells.first().filter(|_| self.uniform);
        let rows = self.cells.get(self.split.start..self.split.end.min(self.split.start + self.together))?;
        let taken = take(&mut self.plain, &Batch::of(block, rows, like), tally);
        self.together = if taken == rows.len() { (2 * self.together).min(TOGETHER) } else { FEW };
        self.split.start += taken;
        Some((self.cells.get(self.split.start.checked_sub(1).filter(|_| taken > 0)?)?.next(), taken as u64))
    }

    fn join(&mut self, other: Self) {
        self.plain.join(other.plain);
    }
}

/// A row that could not be read.
struct Bad {
    line: u64,
    why: String,
    /// Whether it has fewer cells than the first row.
    short: bool,
    /// How many lines it spans.
    lines: usize,
}

/// Rows one after the other, the last of which may have been cut off.
struct Sequence<R> {
    read: R,
    splitter: Splitter,
    width: usize,
    row: csv::ByteRecord,
    /// The row before, if it could not be read.
    bad: Option<Bad>,
    /// Whether the last of single records had its line end.
    ended: bool,
}

impl<R: FnMut(&Row<'_>, &mut Recorder) -> Result<(), String>> Sequence<R> {
    fn new(header: &[String], delimiter: u8, read: R) -> Self {
        Self {
            read,
            splitter: Splitter::new(delimiter),
            width: header.len(),
            row: csv::ByteRecord::new(),
            bad: None,
            ended: true,
        }
    }

    fn all_of(
        mut self,
        mut reader: csv::Reader<Bounded<'_>>,
        tail: &Tail,
        recorder: &mut Recorder,
    ) -> Result<(), ParseError> {
        loop {
            tail.restart();
            let line = reader.position().line();
            let more = reader.read_byte_record(&mut self.row).map_err(|error| match ParseError::from(error) {
                error @ ParseError { line: Some(_), .. } => error,
                error => error.at_line(line),
            })?;
            if !more {
                self.end(tail.ended.get(), recorder);
                return Ok(());
            }
            self.one(self.row.position().map_or(0, csv::Position::line), recorder);
        }
    }

    fn one(&mut self, line: u64, recorder: &mut Recorder) {
        self.settle(recorder);
        if self.width == 0 {
            self.width = self.row.len();
        }
        match (self.read)(&Row { cells: &self.row }, recorder) {
            Ok(()) => recorder.good_row(),
            Err(why) => {
                let lines = memchr::memchr_iter(b'\n', self.row.as_slice()).count() + 1;
                self.bad = Some(Bad { line, why, short: self.row.len() < self.width, lines });
            }
        }
    }

    /// The row before was not the last.
    fn settle(&mut self, recorder: &mut Recorder) {
        if let Some(bad) = self.bad.take() {
            recorder.bad_row(bad.line, bad.why);
        }
    }

    /// There are no more rows; `ended` if a line end is the last that was read.
    fn end(&mut self, ended: bool, recorder: &mut Recorder) {
        match self.bad.take() {
            Some(Bad { line, short, lines: ..=MAX_CUT_LINES, .. }) if short || !ended => {
                recorder.complete(false);
                recorder.notice(cut_off(line));
            }
            Some(bad) => (0..bad.lines).for_each(|_| recorder.bad_row(bad.line, bad.why.as_str())),
            None => {}
        }
    }
}

impl<R: FnMut(&Row<'_>, &mut Recorder) -> Result<(), String> + Send> Ordered for Sequence<R> {
    fn record(&mut self, record: &[u8], line: u64, recorder: &mut Recorder) {
        self.splitter.split(record, &mut self.row);
        self.ended = matches!(record.last(), Some(b'\n' | b'\r'));
        // A blank line is no row.
        if !self.row.is_empty() {
            self.one(line, recorder);
        }
    }

    fn plain(&mut self, recorder: &mut Recorder) {
        self.settle(recorder);
    }
}

/// The first row of the block that is not blank; where it ends, and how many lines that took.
fn first_row(block: &Block, delimiter: u8) -> (csv::ByteRecord, usize, u64) {
    let mut splitter = Splitter::new(delimiter);
    let (mut row, mut start, mut lines) = (csv::ByteRecord::new(), block.start, 0);
    while start < block.bytes().len() && row.is_empty() {
        let (end, more) = Ends::Row(delimiter).next(block.bytes(), start);
        splitter.split(block.bytes().get(start..end).unwrap_or_default(), &mut row);
        (start, lines) = (end, lines + more);
    }
    (row, start, lines)
}

/// Splits single rows as the csv crate does. Costs more to make than a thousand rows to split.
struct Splitter {
    reader: csv_core::Reader,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Splitter {
    fn new(delimiter: u8) -> Self {
        let reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        Self { reader, bytes: Vec::new(), ends: Vec::new() }
    }

    /// One row; nothing for a blank line.
    fn split(&mut self, record: &[u8], row: &mut csv::ByteRecord) {
        let Self { reader, bytes, ends } = self;
        row.clear();
        reader.reset();
        if bytes.len() <= record.len() {
            bytes.resize(record.len() + 1, 0);
            ends.resize(record.len() + 1, 0);
        }
        let (mut read, mut written, mut cells) = (0, 0, 0);
        // The second time without input, which ends the last row.
        for input in [record, &[]] {
            let input = input.get(read.min(input.len())..).unwrap_or_default();
            let (Some(out), Some(out_ends)) = (bytes.get_mut(written..), ends.get_mut(cells..)) else { return };
            let (result, taken, put, found) = reader.read_record(input, out, out_ends);
            (read, written, cells) = (read + taken, written + put, cells + found);
            if matches!(result, csv_core::ReadRecordResult::Record) {
                break;
            }
        }
        let mut from = 0;
        for end in ends.iter().take(cells) {
            row.push_field(bytes.get(from..*end).unwrap_or_default());
            from = *end;
        }
    }
}

/// The artifact ends inside of its last row.
pub(super) fn cut_off(line: u64) -> Notice {
    Notice::new("cut_off", "ends in the middle of a row, which was left out; was the load test stopped?").at_line(line)
}

/// One row.
pub(super) struct Row<'a> {
    cells: &'a csv::ByteRecord,
}

impl Row<'_> {
    /// How many cells.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The cell as text, trimmed; empty if the row is shorter or it is no UTF-8.
    pub(super) fn text(&self, at: usize) -> &str {
        self.exact(at).trim()
    }

    /// The cell as it is.
    pub(super) fn exact(&self, at: usize) -> &str {
        self.cells.get(at).and_then(|cell| std::str::from_utf8(cell).ok()).unwrap_or_default()
    }

    /// The cell as it is, with U+FFFD for what is no UTF-8.
    pub(super) fn lossy(&self, at: usize) -> Cow<'_, str> {
        String::from_utf8_lossy(self.cells.get(at).unwrap_or_default())
    }

    /// A finite number of at least 0.
    pub(super) fn number(&self, at: usize, what: &str) -> Result<f64, String> {
        let text = self.text(at);
        let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
        number.ok_or_else(|| format!("expected {what}, found `{}`", shown(text)))
    }

    /// A whole number of at least 0.
    pub(super) fn whole(&self, at: usize, what: &str) -> Result<u64, String> {
        let text = self.text(at);
        text.parse().ok().ok_or_else(|| format!("expected {what}, found `{}`", shown(text)))
    }
}

/// Longest line of a streamed artifact: bodies of answers are in some.
const MAX_LINE: u64 = 64 << 20;

/// The next line with its end, into `line`; `false` at the end. A longer one than [`MAX_LINE`] comes in pieces, which no
/// format reads.
pub(super) fn next_line(source: &mut Source<'_>, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    Ok((&mut *source.reader).take(MAX_LINE).read_until(b'\n', line)? > 0)
}

/// A cell in a message: short and printable.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Latency in whole nanoseconds, as samples are kept; absurd ones saturate.
pub(super) fn nanos(value: f64, unit_nanos: f64) -> u64 {
    (value * unit_nanos).round() as u64
}
