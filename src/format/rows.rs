//! CSV artifacts with one row per request, streamed: a row that cannot be read is counted with its line, not the end.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use super::{ParseError, Source};
use crate::run::Notice;
use crate::run::recorder::Recorder;

/// Rows by column name or place.
pub(super) struct Rows<'a> {
    reader: csv::Reader<Bounded<'a>>,
    header: Vec<String>,
    row: csv::ByteRecord,
    tail: Rc<Tail>,
}

/// Ends a row that never ends: a quote that nobody closes makes all the rest one cell.
pub(super) struct Bounded<'a> {
    pub(super) input: &'a mut dyn BufRead,
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
const MAX_CUT_LINES: u64 = 50;

impl<'a> Rows<'a> {
    /// With a header in the first line that is not blank; its cells are compared trimmed and lower-cased.
    pub(super) fn with_header(source: &'a mut Source<'_>, delimiter: u8) -> Result<Self, ParseError> {
        let mut rows = Self::without_header(source, delimiter);
        let mut header = csv::ByteRecord::new();
        rows.reader.read_byte_record(&mut header)?;
        rows.header = header.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_lowercase()).collect();
        Ok(rows)
    }

    /// Without a header.
    pub(super) fn without_header(source: &'a mut Source<'_>, delimiter: u8) -> Self {
        let tail = Rc::new(Tail::default());
        let input = Bounded { input: &mut *source.reader, tail: Rc::clone(&tail) };
        let reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(input);
        Self { reader, header: Vec::new(), row: csv::ByteRecord::new(), tail }
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
        mut self,
        recorder: &mut Recorder,
        mut read: impl FnMut(&Row<'_>, &mut Recorder) -> Result<(), String>,
    ) -> Result<(), ParseError> {
        let mut width = self.header.len();
        let mut bad: Option<(u64, String, bool)> = None;
        loop {
            self.tail.restart();
            let line = self.reader.position().line();
            let more = self.reader.read_byte_record(&mut self.row).map_err(|error| match ParseError::from(error) {
                error @ ParseError { line: Some(_), .. } => error,
                error => error.at_line(line),
            })?;
            if let Some((line, why, short)) = bad.take() {
                let lines = self.reader.position().line().saturating_sub(line);
                if more || lines > MAX_CUT_LINES || (!short && self.tail.ended.get()) {
                    (0..if more { 1 } else { lines.max(1) }).for_each(|_| recorder.bad_row(line, why.as_str()));
                } else {
                    recorder.complete(false);
                    recorder.notice(cut_off(line));
                }
            }
            if !more {
                return Ok(());
            }
            let line = self.row.position().map_or(0, csv::Position::line);
            if width == 0 {
                width = self.row.len();
            }
            match read(&Row { cells: &self.row }, recorder) {
                Ok(()) => recorder.good_row(),
                Err(why) => bad = Some((line, why, self.row.len() < width)),
            }
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
