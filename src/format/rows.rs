//! CSV artifacts with one row per request, streamed: a row that cannot be read is counted with its line, not the end.

use super::{ParseError, Source};
use crate::run::recorder::Recorder;

/// Rows by column name or place.
pub(super) struct Rows<'a> {
    reader: csv::Reader<Box<dyn std::io::Read + 'a>>,
    header: Vec<String>,
    row: csv::ByteRecord,
}

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
        let input = Box::new(&mut *source.reader) as Box<dyn std::io::Read + 'a>;
        let reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(input);
        Self { reader, header: Vec::new(), row: csv::ByteRecord::new() }
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

    /// Gives every row to `read`, which says what is wrong with it if it cannot be used.
    pub(super) fn each(
        mut self,
        recorder: &mut Recorder,
        mut read: impl FnMut(&Row<'_>, &mut Recorder) -> Result<(), String>,
    ) -> Result<(), ParseError> {
        while self.reader.read_byte_record(&mut self.row)? {
            let line = self.row.position().map_or(0, csv::Position::line);
            match read(&Row { cells: &self.row }, recorder) {
                Ok(()) => recorder.good_row(),
                Err(why) => recorder.bad_row(line, why),
            }
        }
        Ok(())
    }
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
pub(super) fn next_line(source: &mut Source<'_>, line: &mut Vec<u8>) -> std::io::Result<bool> {
    use std::io::{BufRead as _, Read as _};
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
