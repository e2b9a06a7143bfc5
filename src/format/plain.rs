//! Plain rows of CSV, split and read without copies: the fast half of [`super::blocks`]. Whatever is not plain (line ends in
//! quotes or other than LF, missing cells, numbers in any but the simplest form) is not read here at all.

use memchr::{memchr, memchr3};
use wide::u8x16;

use crate::run::recorder::Recorder;

/// Cells that a plain row is split into at most; the rest of the row is looked over.
pub(super) const MAX_CELLS: usize = 24;
/// Bytes compared at once.
const WIDTH: usize = 64;

/// Where the cells of a row lie in its block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cells {
    /// Start of each cell; the start of the one behind it less one is its end.
    starts: [u32; PLACES],
}

/// Delimiters noted at once.
const AT_ONCE: usize = 8;
/// Some more than there are cells, for what is noted at once.
const PLACES: usize = MAX_CELLS + 1 + 2 * AT_ONCE;

impl Default for Cells {
    fn default() -> Self {
        Self { starts: [0; PLACES] }
    }
}

impl Cells {
    /// Splits the row at `start` up to and including its cell number `last`, which another one must follow unless the row
    /// ends there. Gives the start of the next row; `None` if the row is not plain.
    #[inline]
    pub(super) fn split(&mut self, block: &[u8], start: usize, delimiter: u8, last: usize) -> Option<usize> {
        let mut at = start;
        let mut count = 0;
        *self.starts.first_mut()? = start as u32;
        loop {
            let chunk: &[u8; WIDTH] = block.get(at..)?.first_chunk()?;
            let (delimiters, special) = masks(chunk, delimiter);
            // Beyond the end of the row nothing counts.
            let row = if special == 0 { u64::MAX } else { (special & special.wrapping_neg()) - 1 };
            let mut rest = delimiters & row;
            let found = rest.count_ones() as usize;
            let mut noted = count;
            // Several at once, whether they are there or not: how many there are differs from row to row, and a processor
            // that guesses it wrongly loses more time than this takes.
            for places in self.starts.get_mut(count + 1..)?.as_chunks_mut::<AT_ONCE>().0 {
                for place in places {
                    *place = (at as u32) + (rest | 1 << 63).trailing_zeros() + 1;
                    rest &= rest.wrapping_sub(1);
                }
                noted += AT_ONCE;
                // Cells behind the last one that is looked at are none of our business.
                if rest == 0 || noted > last {
                    break;
                }
            }
            count += found;
            if rest != 0 && noted <= last {
                return None;
            }
            if count > last {
                return row_end(block, at, special);
            }
            if special != 0 {
                let end = row_end(block, at, special)?;
                if count < last {
                    return None;
                }
                *self.starts.get_mut(count + 1)? = end as u32;
                return Some(end);
            }
            at += WIDTH;
        }
    }

    /// As [`Cells::split`] for a row with quotes that no line ends in; cells in quotes keep them.
    #[cold]
    pub(super) fn split_quoted(&mut self, block: &[u8], start: usize, delimiter: u8, last: usize) -> Option<usize> {
        let (mut at, mut count) = (start, 0);
        *self.starts.first_mut()? = start as u32;
        loop {
            let rest = block.get(at..)?;
            let end = at
                + match rest.first()? {
                    b'"' => quoted(rest)?,
                    _ => rest.iter().position(|byte| *byte == delimiter || matches!(byte, b'\n' | b'\r' | b'"'))?,
                };
            let next = *block.get(end)?;
            at = end + 1;
            count += 1;
            if count <= last + 1 {
                *self.starts.get_mut(count)? = at as u32;
            }
            match next {
                b'\n' => return (count > last).then_some(at),
                _ if next == delimiter => {}
                _ => return None,
            }
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
    starts: &'a [u32; PLACES],
}

impl<'a> Split<'a> {
    /// A cell.
    #[inline]
    pub(super) fn get(&self, cell: usize) -> Option<&'a [u8]> {
        self.between(cell, cell)
    }

    /// A cell as a whole number, see [`whole`].
    #[inline]
    pub(super) fn whole(&self, cell: usize) -> Option<u64> {
        let (start, end) = self.ends(cell)?;
        match self.short(start, end) {
            Some(text) => eight_digits(text),
            None => self.long(start, end),
        }
    }

    #[inline(never)]
    fn long(&self, start: usize, end: usize) -> Option<u64> {
        whole(self.block.get(start..end)?)
    }

    /// A cell as a decimal, see [`decimal`].
    #[inline]
    pub(super) fn decimal(&self, cell: usize, places: usize) -> Option<u64> {
        let (start, end) = self.ends(cell)?;
        let Some(text) = self.short(start, end) else { return decimal(self.block.get(start..end)?, places) };
        // Exact in each byte: which of them is a point.
        let other = text ^ POINTS;
        let points = !(((other & LOW) + LOW) | other | LOW);
        if points == 0 {
            return in_units(eight_digits(text)?, places);
        }
        let point = points.trailing_zeros() as usize / 8;
        // A digit before it and one behind it.
        if point == 7 || point + (end - start) <= 8 {
            return None;
        }
        // What is before it moves into its place.
        let before = (1 << (8 * point)) - 1;
        let digits = (text & before) << 8 | u64::from(b'0') | text & !(before << 8 | 0xff);
        in_units(eight_digits(digits)?, places.checked_sub(7 - point)?)
    }

    /// Where a cell begins and ends.
    #[inline]
    fn ends(&self, cell: usize) -> Option<(usize, usize)> {
        Some((*self.starts.get(cell)? as usize, (*self.starts.get(cell + 1)? as usize).checked_sub(1)?))
    }

    /// A cell of 1 to 8 bytes with zeros in front, the first byte in the lowest place: read with what is in front of it in the
    /// block, which is then made zeros.
    #[inline]
    fn short(&self, start: usize, end: usize) -> Option<u64> {
        let length = end.wrapping_sub(start);
        if !(1..=8).contains(&length) {
            return None;
        }
        let eight = self.block.get(end.checked_sub(8)?..end)?.first_chunk()?;
        let front = (u64::MAX >> (8 * length - 1)) >> 1;
        Some(u64::from_le_bytes(*eight) & !front | ZEROS & front)
    }

    /// Neighbouring cells with the delimiters between them.
    #[inline]
    pub(super) fn between(&self, first: usize, last: usize) -> Option<&'a [u8]> {
        self.block.get(*self.starts.get(first)? as usize..(*self.starts.get(last + 1)? as usize).checked_sub(1)?)
    }
}

/// The earliest start and the latest end, in any unit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span<T>(Option<(T, T)>);

impl<T: Copy + PartialOrd> Span<T> {
    /// Something happened between these.
    #[inline]
    pub(super) fn add(&mut self, start: T, end: T) {
        let (first, last) = self.0.unwrap_or((start, end));
        self.0 = Some((if start < first { start } else { first }, if end > last { end } else { last }));
    }

    /// Adds what another saw.
    pub(super) fn join(&mut self, other: Self) {
        if let Some((start, end)) = other.0 {
            self.add(start, end);
        }
    }

    /// Both, if anything happened.
    pub(super) fn get(self) -> Option<(T, T)> {
        self.0
    }
}

impl Span<f64> {
    /// So long the run took, if these are seconds.
    pub(super) fn finish(self, recorder: &mut Recorder) {
        if let Some((start, end)) = self.get() {
            recorder.duration_s(end - start);
        }
    }
}

/// The start of the next row, where the first of `special` bytes from `at` on, or else behind that chunk, is its LF.
#[inline]
fn row_end(block: &[u8], at: usize, special: u64) -> Option<usize> {
    let mut end = at + special.trailing_zeros() as usize;
    if special == 0 {
        // Mostly near.
        let special = mask(block.get(end..)?.first_chunk()?, is_special);
        end += special.trailing_zeros() as usize;
        if special == 0 {
            end += memchr3(b'\n', b'"', b'\r', block.get(end..)?)?;
        }
    }
    (*block.get(end)? == b'\n').then_some(end + 1)
}

/// The length of the cell in quotes at the beginning; `None` if a line ends in it.
fn quoted(text: &[u8]) -> Option<usize> {
    let mut end = 1;
    loop {
        end += memchr(b'"', text.get(end..)?)? + 1;
        if *text.get(end)? != b'"' {
            return memchr(b'\n', text.get(..end)?).is_none().then_some(end);
        }
        end += 1;
    }
}

/// Which bytes are delimiters, and which are LF, CR or quotes.
#[inline]
fn masks(chunk: &[u8; WIDTH], delimiter: u8) -> (u64, u64) {
    let delimiter = u8x16::splat(delimiter);
    (mask(chunk, |bytes| bytes.simd_eq(delimiter)), mask(chunk, is_special))
}

/// LF, CR and quotes.
#[inline]
fn is_special(bytes: u8x16) -> u8x16 {
    let [lf, cr, quote] = [b'\n', b'\r', b'"'].map(u8x16::splat);
    bytes.simd_eq(lf) | bytes.simd_eq(cr) | bytes.simd_eq(quote)
}

/// The bytes that are what is looked for, as bits.
#[inline]
fn mask(chunk: &[u8; WIDTH], find: impl Fn(u8x16) -> u8x16) -> u64 {
    let parts = chunk.as_chunks::<16>().0.iter().enumerate();
    parts.fold(0, |mask, (part, bytes)| mask | u64::from(find(u8x16::new(*bytes)).to_bitmask()) << (part * 16))
}

/// A whole number of at most 15 digits, which a `f64` holds exactly.
#[inline]
pub(super) fn whole(cell: &[u8]) -> Option<u64> {
    match cell.len() {
        1..8 => {
            let mut number = 0_u64;
            for byte in cell {
                let digit = byte.wrapping_sub(b'0');
                if digit > 9 {
                    return None;
                }
                number = number * 10 + u64::from(digit);
            }
            Some(number)
        }
        8..=15 => {
            let more = cell.len() - 8;
            let number = eight_digits(u64::from_le_bytes(*cell.first_chunk()?))?;
            if more == 0 {
                return Some(number);
            }
            // The last eight digits with zeros in place of those already read.
            let read = u64::MAX >> (8 * more);
            let rest = u64::from_le_bytes(*cell.last_chunk()?) & !read | ZEROS & read;
            Some(number * POWERS.get(more)? + eight_digits(rest)?)
        }
        _ => None,
    }
}

/// `00000000`.
const ZEROS: u64 = 0x3030_3030_3030_3030;
/// `........`.
const POINTS: u64 = 0x2e2e_2e2e_2e2e_2e2e;
/// All but the highest bit of each byte.
const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
/// Of ten.
const POWERS: [u64; 16] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
    100_000_000_000,
    1_000_000_000_000,
    10_000_000_000_000,
    100_000_000_000_000,
    1_000_000_000_000_000,
];

/// Eight digits, the first one in the lowest byte: neighbours are joined to pairs, pairs to fours, fours to the number.
#[inline]
fn eight_digits(text: u64) -> Option<u64> {
    let digits = text ^ ZEROS;
    // Neither above 9, nor above 127 where the sum would not show it.
    if (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = (digits.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000 << 32 | 1) >> 32)
}

/// A decimal in units of 10^-`places`, with at most that many places and 15 digits: the same number as the nearest `f64`
/// times 10^`places`, rounded.
#[inline]
pub(super) fn decimal(cell: &[u8], places: usize) -> Option<u64> {
    if cell.len() > 16 {
        return None;
    }
    let (mut number, mut point) = (0_u64, None);
    for (at, byte) in cell.iter().enumerate() {
        match byte.wrapping_sub(b'0') {
            digit @ 0..=9 => number = number * 10 + u64::from(digit),
            _ if *byte == b'.' && point.is_none() && at > 0 => point = Some(at + 1),
            _ => return None,
        }
    }
    let fraction = cell.len() - point.unwrap_or(cell.len());
    if cell.is_empty() || (fraction == 0 && point.is_some()) {
        return None;
    }
    in_units(number, places.checked_sub(fraction)?)
}

/// The number times 10^`places`.
#[inline]
fn in_units(number: u64, places: usize) -> Option<u64> {
    number.checked_mul(*POWERS.get(places)?).filter(|number| *number < LIMIT)
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
        fn rows_with_quotes_are_split_as_the_csv_crate_does(
            cells in prop::collection::vec("[a-z]{0,9}|\"([a-z,\r]|\"\"){0,9}\"|[a-z\"\r\n]{0,9}", 1..9),
            last in 1_usize..8,
        ) {
            let block = cells.join(",") + "\n";
            let mut places = Cells::default();
            if let Some(end) = places.split_quoted(block.as_bytes(), 0, b',', last) {
                let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(block.as_bytes());
                let mut row = csv::ByteRecord::new();
                reader.read_byte_record(&mut row).unwrap();
                prop_assert_eq!(block.get(..end).map(|row| row.matches('\n').count()), Some(1));
                for (at, expected) in row.iter().enumerate().take(last + 1) {
                    let found = str::from_utf8(places.of(block.as_bytes()).get(at).unwrap()).unwrap();
                    let inner = found.strip_prefix('"').map_or(found, |found| found.strip_suffix('"').unwrap());
                    prop_assert_eq!(inner.replace("\"\"", "\"").into_bytes(), expected.to_vec());
                }
                prop_assert!(row.len() > last);
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

    proptest! {
        #[test]
        fn whole_numbers_are_read_in_their_row(cells in prop::collection::vec("[0-9]{1,16}|[0-9]{0,8}[^0-9,\"\r\n][0-9]{0,3}", 1..12)) {
            let block = format!("{}\n{}", cells.join(","), " ".repeat(64));
            let mut places = Cells::default();
            prop_assert_eq!(places.split(block.as_bytes(), 0, b',', cells.len() - 1), Some(block.len() - 64));
            for (at, cell) in cells.iter().enumerate() {
                prop_assert_eq!(places.of(block.as_bytes()).whole(at), whole(cell.as_bytes()), "{}", cell);
            }
        }

        #[test]
        fn decimals_are_read_in_their_row(
            cells in prop::collection::vec("[0-9]{0,6}[.]?[0-9]{0,6}|[0-9.]{1,9}|[0-9]{0,4}[^,\"\r\n][0-9.]{0,4}", 1..12),
            digits in 0_usize..10,
        ) {
            let block = format!("{}\n{}", cells.join(","), " ".repeat(64));
            let mut places = Cells::default();
            prop_assert_eq!(places.split(block.as_bytes(), 0, b',', cells.len() - 1), Some(block.len() - 64));
            for (at, cell) in cells.iter().enumerate() {
                let found = places.of(block.as_bytes()).decimal(at, digits);
                prop_assert_eq!(found, decimal(cell.as_bytes(), digits), "{}", cell);
            }
        }

        #[test]
        fn whole_numbers_are_those_of_the_library(text in "[0-9]{1,17}|[0-9/:]{8,15}|[0-9]{0,7}[^0-9][0-9]{0,7}") {
            let expected = text.parse().ok().filter(|_| text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit()));
            prop_assert_eq!(whole(text.as_bytes()), expected);
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
