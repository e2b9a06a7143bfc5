//! Plain rows of CSV, split and read without copies: the fast half of [`super::blocks`]. Whatever is not plain (quotes, line
//! breaks other than LF, missing cells, numbers in any but the simplest form) is not read here at all.

use memchr::memchr3;
use wide::u8x16;

use crate::run::recorder::Recorder;

/// Cells that a plain row is split into at most; the rest of the row is looked over.
pub(super) const MAX_CELLS: usize = 24;
/// Bytes compared at once.
const WIDTH: usize = 64;

/// Where the cells of a row lie in its block.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cells {
    /// Start of each cell; the start of the one behind it less one is its end.
    starts: [u32; MAX_CELLS + 1],
}

impl Cells {
    /// Splits the row at `start` up to and including its cell number `last`, which another one must follow unless the row
    /// ends there. Gives the start of the next row; `None` if the row is not plain.
    #[inline]
    pub(super) fn split(&mut self, block: &[u8], start: usize, delimiter: u8, last: usize) -> Option<usize> {
        let mut at = start;
        let mut cell = 0;
        *self.starts.first_mut()? = start as u32;
        loop {
            let chunk: &[u8; WIDTH] = block.get(at..)?.first_chunk()?;
            let (mut delimiters, special) = masks(chunk, delimiter);
            // Beyond the end of the row nothing counts.
            let row = if special == 0 { u64::MAX } else { (special & special.wrapping_neg()) - 1 };
            delimiters &= row;
            while delimiters != 0 {
                cell += 1;
                *self.starts.get_mut(cell)? = (at as u32) + delimiters.trailing_zeros() + 1;
                if cell > last {
                    return row_end(block, at, special);
                }
                delimiters &= delimiters - 1;
            }
            if special != 0 {
                let end = row_end(block, at, special)?;
                if cell < last {
                    return None;
                }
                *self.starts.get_mut(cell + 1)? = end as u32;
                return Some(end);
            }
            at += WIDTH;
        }
    }

    /// The row that was split last.
    #[inline]
    pub(super) fn of<'a>(&'a self, block: &'a [u8]) -> Split<'a> {
        Split { block, starts: &self.starts }
    }
}

/// A row in its cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split<'a> {
    block: &'a [u8],
    starts: &'a [u32; MAX_CELLS + 1],
}

impl<'a> Split<'a> {
    /// A cell.
    #[inline]
    pub(super) fn get(&self, cell: usize) -> Option<&'a [u8]> {
        self.between(cell, cell)
    }

    /// Neighbouring cells with the delimiters between them.
    #[inline]
    pub(super) fn between(&self, first: usize, last: usize) -> Option<&'a [u8]> {
        self.block.get(*self.starts.get(first)? as usize..(*self.starts.get(last + 1)? as usize).checked_sub(1)?)
    }
}

/// The earliest start and the latest end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span(Option<(f64, f64)>);

impl Span {
    /// Something happened between these.
    #[inline]
    pub(super) fn add(&mut self, start: f64, end: f64) {
        let (first, last) = self.0.unwrap_or((start, end));
        self.0 = Some((first.min(start), last.max(end)));
    }

    /// Adds what another saw.
    pub(super) fn join(&mut self, other: Self) {
        if let Some((start, end)) = other.0 {
            self.add(start, end);
        }
    }

    /// So long the run took, if these are seconds.
    pub(super) fn finish(self, recorder: &mut Recorder) {
        if let Some((start, end)) = self.0 {
            recorder.duration_s(end - start);
        }
    }

    /// Both, if anything happened.
    pub(super) fn get(self) -> Option<(f64, f64)> {
        self.0
    }
}

/// The start of the next row, where the first of `special` bytes from `at` on, or else behind that chunk, is its LF.
#[inline]
fn row_end(block: &[u8], at: usize, special: u64) -> Option<usize> {
    let end = match special {
        0 => at + WIDTH + memchr3(b'\n', b'"', b'\r', block.get(at + WIDTH..)?)?,
        _ => at + special.trailing_zeros() as usize,
    };
    (*block.get(end)? == b'\n').then_some(end + 1)
}

/// Which bytes are delimiters, and which are LF, CR or quotes.
#[inline]
fn masks(chunk: &[u8; WIDTH], delimiter: u8) -> (u64, u64) {
    let (delimiter, lf, cr, quote) =
        (u8x16::splat(delimiter), u8x16::splat(b'\n'), u8x16::splat(b'\r'), u8x16::splat(b'"'));
    let (mut delimiters, mut special) = (0, 0);
    for (part, bytes) in chunk.as_chunks::<16>().0.iter().enumerate() {
        let bytes = u8x16::new(*bytes);
        let other = bytes.simd_eq(lf) | bytes.simd_eq(cr) | bytes.simd_eq(quote);
        delimiters |= u64::from(bytes.simd_eq(delimiter).to_bitmask()) << (part * 16);
        special |= u64::from(other.to_bitmask()) << (part * 16);
    }
    (delimiters, special)
}

/// A whole number of at most 15 digits, which a `f64` holds exactly.
#[inline]
pub(super) fn whole(cell: &[u8]) -> Option<u64> {
    if cell.is_empty() || cell.len() > 15 {
        return None;
    }
    let mut number = 0;
    for byte in cell {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    Some(number)
}

/// A decimal in units of 10^-`places`, with at most that many places and 15 digits: the same number as the nearest `f64`
/// times 10^`places`, rounded.
#[inline]
pub(super) fn decimal(cell: &[u8], places: u32) -> Option<u64> {
    let Some(point) = cell.iter().position(|byte| *byte == b'.') else {
        return whole(cell)?.checked_mul(10_u64.pow(places)).filter(|number| *number < LIMIT);
    };
    let fraction = cell.get(point + 1..)?;
    let missing = places.checked_sub(fraction.len() as u32)?;
    let whole = whole(cell.get(..point)?)?.checked_mul(10_u64.pow(places))?;
    let number = whole.checked_add(self::whole(fraction)?.checked_mul(10_u64.pow(missing))?)?;
    Some(number).filter(|number| *number < LIMIT)
}

/// Below this the nearest `f64` of a decimal and its multiple are less than half a unit off.
const LIMIT: u64 = 1 << 50;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn plain_rows_are_split_as_the_csv_crate_does(
            rows in prop::collection::vec(prop::collection::vec("[a-z\" \r]{0,30}|[a-z]{70,80}", 1..9), 1..9),
            last in 0_usize..8,
        ) {
            let text = rows.iter().map(|row| row.join(",") + "\n").collect::<String>();
            let block = format!("{text}{}", " ".repeat(64));
            let (mut start, mut cells) = (0, Cells::default());
            for row in text.split_inclusive('\n') {
                let plain = !row.contains(['"', '\r']) && row.split(',').count() > last;
                let end = cells.split(block.as_bytes(), start, b',', last);
                prop_assert!(end.is_none() || plain || row.split(',').count() > last);
                if plain {
                    prop_assert_eq!(end, Some(start + row.len()));
                    for (at, cell) in row.trim_end_matches('\n').split(',').enumerate().take(last + 1) {
                        prop_assert_eq!(cells.of(block.as_bytes()).get(at), Some(cell.as_bytes()));
                    }
                }
                start += row.len();
            }
        }

        #[test]
        fn decimals_are_those_of_floating_point(whole in 0_u64..1 << 40, fraction in "[0-9]{0,9}") {
            for text in [format!("{whole}.{fraction}"), whole.to_string(), format!("{}.{fraction}", whole % 1_000)] {
                if let Some(nanos) = decimal(text.as_bytes(), 9) {
                    let seconds: f64 = text.parse().unwrap();
                    prop_assert_eq!(nanos, (seconds * 1e9).round() as u64);
                    prop_assert_eq!(nanos as f64 / 1e9, seconds);
                }
            }
        }
    }

    #[test]
    fn only_the_simplest_numbers_are_read() {
        for odd in ["", "-1", "+1", "1e3", " 1", "1.", ".5", "1.2.3", "0x1", "1234567890123456", "1.0000000001"] {
            assert_eq!(decimal(odd.as_bytes(), 9), None, "{odd}");
        }
        assert_eq!(
            (decimal(b"0.0091", 9), decimal(b"12", 6), whole(b"007")),
            (Some(9_100_000), Some(12_000_000), Some(7))
        );
    }
}
