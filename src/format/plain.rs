//! Plain rows of CSV, split and read without copies: the fast half of [`super::blocks`]. Whatever is not plain (line ends in
//! quotes, CR alone, missing cells, numbers in any but the simplest form) is not read here at all.

#![expect(clippy::inline_always, reason = "a part of functions that are compiled twice, see `columns`")]

use memchr::{memchr, memrchr};
use wide::{u8x16, u16x8};

use crate::run::recorder::Recorder;

/// Cells that a row without quotes is split into at most; the rest of the row is looked over.
pub(super) const MAX_CELLS: usize = 24;
/// Bytes compared at once.
const WIDTH: usize = 64;
/// What lies in the next chunk is so much farther in the row. A constant: a compiler that saves space spreads a number by a loop.
const FURTHER: u16x8 = u16x8::new([WIDTH as u16; 8]);

/// Where the cells of a row lie.
#[derive(Debug, Clone)]
pub(super) struct Cells {
    /// Where the row begins in its block.
    row: usize,
    /// Where the next one does.
    next: usize,
    /// Start of each cell in the row; the start of the one behind it less one is its end.
    starts: [u16; PLACES],
    /// Of a row that is a single chunk, where it has delimiters.
    bits: u64,
    /// Whether the cells are where those of the row are that it was compared with, and `starts` does not say so.
    alike: bool,
}

/// Layouts of chunks seen before, by [`Layout::place`]: rows of one file resemble one another.
#[derive(Debug, Clone)]
pub(super) struct Layouts(Box<[Layout; LAYOUTS]>);

impl Default for Layouts {
    fn default() -> Self {
        Self(Box::new([Layout::default(); LAYOUTS]))
    }
}

/// Layouts kept: more than the usual lengths of cells make, and little enough for the nearest cache.
const LAYOUTS: usize = 1 << LAYOUTS_BITS;
const LAYOUTS_BITS: u32 = 8;
/// Delimiters noted at once.
const AT_ONCE: usize = 24;
/// Farthest place that is noted.
const MAX_PLACE: usize = 60_000;
/// Some more than there are cells, for what is noted at once.
const PLACES: usize = MAX_CELLS + 1 + AT_ONCE;

/// Where a chunk has delimiters.
#[derive(Debug, Clone, Copy, Default)]
struct Layout {
    /// A bit for each.
    bits: u64,
    /// Their places from 1 on; behind the last one stands nothing of interest.
    places: [u16; AT_ONCE],
    /// How many there are.
    count: u16,
}

impl Layout {
    /// Where the layout with these bits is kept.
    #[inline(always)]
    fn place(bits: u64) -> usize {
        (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - LAYOUTS_BITS)) as usize
    }

    /// `None` if there are too many.
    #[cold]
    #[inline(never)]
    fn of(bits: u64) -> Option<Self> {
        let mut layout = Self { bits, ..Self::default() };
        let mut rest = bits;
        let mut places = layout.places.iter_mut();
        while rest != 0 {
            *places.next()? = rest.trailing_zeros() as u16 + 1;
            rest &= rest - 1;
        }
        layout.count = bits.count_ones() as u16;
        Some(layout)
    }
}

impl Default for Cells {
    fn default() -> Self {
        Self { row: 0, next: 0, starts: [0; PLACES], bits: 0, alike: false }
    }
}

impl Cells {
    /// Splits the row at `start` up to and including its cell number `last`, which another one must follow unless the row
    /// ends there. Gives the start of the next row; `None` if there are too few cells. Knows nothing of quotes and CR.
    /// Of a row that has the [`Cells::shape`] `like` it says so, and no more.
    #[inline(always)]
    pub(super) fn split(
        &mut self,
        block: &[u8],
        start: usize,
        delimiter: u8,
        last: usize,
        layouts: &mut Layouts,
        like: (u64, usize),
    ) -> Option<usize> {
        let (mut at, mut base) = (start, u16x8::ZERO);
        let mut count = 0;
        (self.row, self.alike) = (start, false);
        loop {
            let chunk: &[u8; WIDTH] = block.get(at..)?.first_chunk()?;
            let (delimiters, line_ends) = masks(chunk, delimiter);
            // Beyond the end of the row nothing counts.
            let bits = delimiters & line_ends.wrapping_sub(1) & !line_ends;
            if at == start && (bits, line_ends.trailing_zeros() as usize + 1) == like {
                (self.next, self.bits, self.alike) = (start + like.1, bits, true);
                return Some(self.next);
            }
            let layout = layouts.0.get_mut(Layout::place(bits))?;
            if layout.bits != bits {
                *layout = Layout::of(bits)?;
            }
            let room: &mut [u16; AT_ONCE] = self.starts.get_mut(count + 1..)?.first_chunk_mut()?;
            let [first, second, third] = layout.places.as_chunks().0 else { return None };
            let [to_first, to_second, to_third] = room.as_chunks_mut().0 else { return None };
            *to_first = (u16x8::new(*first) + base).to_array();
            *to_second = (u16x8::new(*second) + base).to_array();
            *to_third = (u16x8::new(*third) + base).to_array();
            count += usize::from(layout.count);
            if line_ends != 0 {
                let end = at + line_ends.trailing_zeros() as usize + 1;
                (self.next, self.bits) = (end, if at == start { bits } else { 0 });
                if count <= last {
                    if count < last {
                        return None;
                    }
                    *self.starts.get_mut(count + 1)? = (end - start) as u16;
                }
                return Some(end);
            }
            at += WIDTH;
            base += FURTHER;
            if count > last {
                (self.next, self.bits) = (at + find(b'\n', block.get(at..)?)? + 1, 0);
                return Some(self.next);
            }
            if at - start > MAX_PLACE {
                return None;
            }
        }
    }

    /// As [`Cells::split`] for a row with quotes that no line ends in, or with a CR before its end; cells in quotes keep them.
    #[inline(never)]
    pub(super) fn split_quoted(&mut self, block: &[u8], start: usize, delimiter: u8, last: usize) -> Option<usize> {
        let special = [delimiter, b'\n', b'\r', b'"'].map(u8x16::splat);
        let (mut at, mut cell, mut count) = (start, start, 0);
        let (mut quoted, mut doubled) = (false, usize::MAX);
        (self.row, self.bits, self.alike) = (start, 0, false);
        loop {
            let chunk: &[u8; WIDTH] = block.get(at..)?.first_chunk()?;
            let mut found =
                mask(chunk, |bytes| special.iter().fold(u8x16::ZERO, |found, byte| found | bytes.simd_eq(*byte)));
            while found != 0 {
                let place = at + found.trailing_zeros() as usize;
                found &= found - 1;
                let (byte, next) = (*block.get(place)?, *block.get(place + 1)?);
                match byte {
                    b'"' if place == doubled => {}
                    b'"' if quoted && next == b'"' => doubled = place + 1,
                    b'"' if quoted && next != delimiter && !matches!(next, b'\n' | b'\r') => return None,
                    b'"' if quoted => quoted = false,
                    b'"' if place == cell => quoted = true,
                    b'\n' if quoted => return None,
                    _ if quoted => {}
                    b'"' => return None,
                    b'\r' if next != b'\n' => return None,
                    _ => {
                        cell = place + 1;
                        count += 1;
                        if count <= last + 1 {
                            *self.starts.get_mut(count)? = u16::try_from(cell - start).ok()?;
                        }
                        if matches!(byte, b'\n' | b'\r') {
                            self.next = cell + usize::from(byte == b'\r');
                            return (count > last).then_some(self.next);
                        }
                    }
                }
            }
            at += WIDTH;
        }
    }

    /// Where the row begins in its block.
    pub(super) fn row(&self) -> usize {
        self.row
    }

    /// Where the next one does.
    pub(super) fn next(&self) -> usize {
        self.next
    }

    /// What a row is compared with by [`Cells::split`]: where this one has delimiters, and its length.
    pub(super) fn shape(&self) -> (u64, usize) {
        (self.bits, if self.bits == 0 { 0 } else { self.next - self.row })
    }

    /// Whether the cells are where those of the row are that it was compared with.
    pub(super) fn is_alike(&self) -> bool {
        self.alike
    }

    /// Takes the places of the row that it was compared with.
    pub(super) fn adopt(&mut self, other: &Self) {
        if self.alike {
            (self.starts, self.alike) = (other.starts, false);
        }
    }

    /// The row, with its cells where those of `like` are.
    #[inline(always)]
    pub(super) fn of<'a>(&self, block: &'a [u8], like: &'a Self) -> Split<'a> {
        Split { block, row: self.row, starts: &like.starts }
    }
}

/// A row in its cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split<'a> {
    block: &'a [u8],
    row: usize,
    starts: &'a [u16; PLACES],
}

impl<'a> Split<'a> {
    /// A cell.
    #[inline(always)]
    pub(super) fn get(&self, cell: usize) -> Option<&'a [u8]> {
        self.between(cell, cell)
    }

    /// Neighbouring cells with the delimiters between them.
    #[inline(always)]
    pub(super) fn between(&self, first: usize, last: usize) -> Option<&'a [u8]> {
        let (start, behind) = (usize::from(*self.starts.get(first)?), usize::from(*self.starts.get(last + 1)?));
        self.block.get(self.row + start..(self.row + behind).wrapping_sub(1))
    }

    /// Where a cell begins in the block, and how long it is.
    #[inline(always)]
    pub(super) fn place(&self, cell: usize) -> Option<(usize, usize)> {
        let (start, behind) = (usize::from(*self.starts.get(cell)?), usize::from(*self.starts.get(cell + 1)?));
        Some((self.row + start, behind.wrapping_sub(start + 1)))
    }
}

/// The earliest start and the latest end, in any unit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span<T>(Option<(T, T)>);

impl<T: Copy + PartialOrd> Span<T> {
    /// Something happened between these.
    #[inline(always)]
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

impl Span<u64> {
    /// As [`Span::add`] for each of the first rows.
    #[inline(always)]
    pub(super) fn add_first(&mut self, rows: usize, starts: &[u64], ends: &[u64]) {
        if rows > 0 {
            let start = starts.iter().take(rows).fold(u64::MAX, |first, start| first.min(*start));
            self.add(start, ends.iter().take(rows).fold(0, |last, end| last.max(*end)));
        }
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

/// The first place of a byte: as `memchr`, without a call where the text goes on for a while.
#[inline(always)]
pub(super) fn find(byte: u8, text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(chunk) = text.get(at..)?.first_chunk() {
        let found = places(chunk, byte);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += WIDTH;
    }
    Some(at + memchr(byte, text.get(at..)?)?)
}

/// The last place of a byte in the first `length` ones, behind which there mostly are more: as `memrchr`, without a call.
#[inline(always)]
pub(super) fn find_last(byte: u8, text: &[u8], length: usize) -> Option<usize> {
    match text.first_chunk() {
        Some(chunk) if (1..=WIDTH).contains(&length) => {
            let found = places(chunk, byte) << (WIDTH - length);
            (found != 0).then(|| length - 1 - found.leading_zeros() as usize)
        }
        _ => memrchr(byte, text.get(..length)?),
    }
}

/// Which bytes are this one.
#[inline(always)]
fn places(chunk: &[u8; WIDTH], byte: u8) -> u64 {
    let byte = u8x16::splat(byte);
    mask(chunk, |bytes| bytes.simd_eq(byte))
}

/// Which bytes are delimiters, and which are LF.
#[inline(always)]
fn masks(chunk: &[u8; WIDTH], delimiter: u8) -> (u64, u64) {
    (places(chunk, delimiter), places(chunk, b'\n'))
}

/// The bytes that are what is looked for, as bits.
#[inline(always)]
fn mask(chunk: &[u8; WIDTH], find: impl Fn(u8x16) -> u8x16) -> u64 {
    let sixteen = |at: usize| {
        let bytes = chunk.as_chunks::<16>().0.get(at).map_or_else(u8x16::default, |bytes| u8x16::new(*bytes));
        find(bytes).to_bitmask()
    };
    u64::from(sixteen(0) | sixteen(1) << 16) | u64::from(sixteen(2) | sixteen(3) << 16) << 32
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
            let number = eight_digits(u64::from_le_bytes(*cell.first_chunk()?) ^ ZEROS)?;
            if more == 0 {
                return Some(number);
            }
            // The last eight digits without those already read.
            let read = 64 - 8 * more;
            let rest = (u64::from_le_bytes(*cell.last_chunk()?) ^ ZEROS) >> read << read;
            Some(number * POWERS.get(more)? + eight_digits(rest)?)
        }
        _ => None,
    }
}

/// `00000000`.
pub(super) const ZEROS: u64 = 0x3030_3030_3030_3030;
/// Of ten.
pub(super) const POWERS: [u64; 16] = [
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

/// Eight digits, the first one in the lowest byte.
#[inline]
pub(super) fn eight_digits(digits: u64) -> Option<u64> {
    (above_nine(digits) == 0).then(|| joined(digits))
}

/// A bit for each byte above 9, also for those above 127 where the sum would not show it.
#[inline]
fn above_nine(digits: u64) -> u64 {
    (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080
}

/// The number of these digits: neighbours are joined to pairs, pairs to fours, fours to the number.
#[inline]
fn joined(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000 << 32 | 1) >> 32
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
pub(super) const LIMIT: u64 = 1 << 50;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_with_quotes_are_split_as_the_csv_crate_does(
            cells in prop::collection::vec("[a-z]{0,9}|\"([a-z,\r]|\"\"){0,9}\"|[a-z\"\r\n]{0,9}", 1..9),
            last in 1_usize..8, end in prop::sample::select(&["\n", "\r\n"][..]),
        ) {
            let block = cells.join(",") + end + &" ".repeat(WIDTH);
            let mut places = Cells::default();
            if let Some(end) = places.split_quoted(block.as_bytes(), 0, b',', last) {
                let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(block.as_bytes());
                let mut row = csv::ByteRecord::new();
                reader.read_byte_record(&mut row).unwrap();
                prop_assert_eq!(block.get(..end).map(|row| row.matches('\n').count()), Some(1));
                for (at, expected) in row.iter().enumerate().take(last + 1) {
                    let found = str::from_utf8(places.of(block.as_bytes(), &places).get(at).unwrap()).unwrap();
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

    #[test]
    fn rows_with_quotes_and_of_other_systems_are_split_quickly() {
        let long = format!("1,\"{}\"\"\"\"b\",2\r\n", "x".repeat(59));
        let padded = |row: &str| row.to_owned() + &" ".repeat(2 * WIDTH);
        for (row, cells) in [
            ("1,\"a \"\"b\"\", c\",x\r\n", ["1", "\"a \"\"b\"\", c\""]),
            ("1,\"\"\r\n", ["1", "\"\""]),
            (long.as_str(), ["1", long.get(2..long.len() - 4).unwrap()]),
        ] {
            let block = padded(row);
            let mut places = Cells::default();
            assert_eq!(places.split_quoted(block.as_bytes(), 0, b',', 1), Some(row.len()), "{row:?}");
            for (at, expected) in cells.iter().enumerate() {
                assert_eq!(places.of(block.as_bytes(), &places).get(at), Some(expected.as_bytes()));
            }
        }
        let alone = padded("\"\"\"\",a\rb\n");
        assert_eq!(Cells::default().split_quoted(alone.as_bytes(), 0, b',', 0), None);
    }

    proptest! {
        #[test]
        fn places_are_those_of_the_library(text in "[ab]{0,3}a{0,140}[ab]{0,3}", cut in 0_usize..150) {
            let text = text.as_bytes();
            prop_assert_eq!(find(b'b', text), memchr(b'b', text));
            let length = cut.min(text.len());
            prop_assert_eq!(find_last(b'b', text, length), memrchr(b'b', &text[..length]));
        }
    }

    proptest! {
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
