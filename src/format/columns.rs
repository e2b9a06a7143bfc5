//! Plain rows in columns: a column of numbers is read for many rows at once, which takes a third of the time of reading it
//! row by row.
//!
//! What runs for every row is compiled twice, the second time for the instructions of newer processors, which saves a tenth of
//! the time; what such a function calls must become part of it.

#![expect(clippy::inline_always, reason = "a part of functions that are compiled twice")]

use multiversion::multiversion;
use wide::{i16x8, i32x8, u8x16, u16x8};

use super::plain::{Cells, LIMIT, POWERS, Split, ZEROS, decimal, eight_digits, whole};

/// Rows taken together.
pub(super) const TOGETHER: usize = 32;

/// A number of each row.
pub(super) type Column = [u64; TOGETHER];

/// Rows that were split together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch<'a> {
    block: &'a [u8],
    cells: &'a [Cells],
    /// The row that all of these are laid out as, if they are.
    like: Option<&'a Cells>,
}

impl<'a> Batch<'a> {
    /// Of up to [`TOGETHER`] rows of a block; if all of them are laid out as one, as this one.
    pub(super) fn of(block: &'a [u8], cells: &'a [Cells], like: Option<&'a Cells>) -> Self {
        Self { block, cells, like }
    }

    /// The rows.
    #[inline(always)]
    pub(super) fn rows(&self) -> impl Iterator<Item = Split<'a>> + use<'a> {
        let Self { block, cells, like } = *self;
        cells.iter().map(move |cells| cells.of(block, like.unwrap_or(cells)))
    }

    /// The first rows.
    pub(super) fn first(&self, rows: usize) -> Self {
        Self { cells: self.cells.get(..rows).unwrap_or(self.cells), ..*self }
    }

    /// What `of` makes of the place and the length of each row's cell; `rest` of the rows that are not there.
    #[inline(always)]
    fn gather(&self, cell: usize, rest: u64, of: impl Fn(usize, usize) -> Option<u64>) -> Option<Column> {
        let mut column = [rest; TOGETHER];
        if let Some(like) = self.like {
            let (start, length) = like.of(self.block, like).place(cell)?;
            for (cells, found) in self.cells.iter().zip(&mut column) {
                *found = of(cells.row() + (start - like.row()), length)?;
            }
            return Some(column);
        }
        for (row, found) in self.rows().zip(&mut column) {
            let (start, length) = row.place(cell)?;
            *found = of(start, length)?;
        }
        Some(column)
    }

    /// As [`Batch::gather`], two at a time.
    #[inline(always)]
    fn gather_two(&self, cell: usize, of: impl Fn(usize, usize) -> Option<[u64; 2]>) -> Option<[Column; 2]> {
        let [mut first, mut second] = [[0; TOGETHER]; 2];
        for ((row, first), second) in self.rows().zip(&mut first).zip(&mut second) {
            let (start, length) = row.place(cell)?;
            [*first, *second] = of(start, length)?;
        }
        Some([first, second])
    }

    /// Eight bytes as digits.
    #[inline(always)]
    fn eight(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*self.block.get(at..)?.first_chunk()?) ^ ZEROS)
    }

    /// 1 to 8 digits, the last one in the highest byte: what is behind them is shifted out.
    #[inline(always)]
    fn digits(&self, at: usize, length: usize) -> Option<u64> {
        if !(1..=8).contains(&length) {
            return None;
        }
        Some(self.eight(at)? << (64 - 8 * length))
    }

    /// The column as it was read quickly, if that is well, or else row by row. Says how many of the first rows have one.
    #[inline(always)]
    fn settle(
        &self,
        column: &mut Column,
        quick: Option<&Column>,
        mut slow: impl FnMut(&Split<'a>) -> Option<u64>,
    ) -> usize {
        if let Some(quick) = quick {
            *column = *quick;
            return self.cells.len();
        }
        let mut rows = 0;
        for (row, number) in self.rows().zip(column) {
            let Some(read) = slow(&row) else { break };
            *number = read;
            rows += 1;
        }
        rows
    }

    /// Whole numbers of so many digits, of which the first eight mostly are the same: time stamps.
    #[inline(always)]
    fn stamps<const DIGITS: usize, const PARTS: usize>(
        &self,
        cell: usize,
        parts: [(usize, usize); PARTS],
    ) -> Option<Column> {
        let (first, _) = self.rows().next()?.place(cell)?;
        let first = self.eight(first)?;
        let mut other = 0;
        let mut digits = [[0; TOGETHER]; PARTS];
        for (at, row) in self.rows().enumerate() {
            let (start, length) = row.place(cell)?;
            other |= self.eight(start)? ^ first;
            if length != DIGITS {
                return None;
            }
            for (digits, (from, length)) in digits.iter_mut().zip(parts) {
                *digits.get_mut(at)? = self.digits(start + from, length)?;
            }
        }
        let mut column = [eight_digits(first).filter(|_| other == 0)?; TOGETHER];
        for (digits, (_, length)) in digits.iter().zip(parts) {
            column = joined(&column, 10_u64.pow(length as u32), &numbers(digits)?);
        }
        Some(column)
    }
}

/// `high` times `scale` and `low`.
#[inline(always)]
fn joined(high: &Column, scale: u64, low: &Column) -> Column {
    let mut column = [0; TOGETHER];
    for ((number, high), low) in column.iter_mut().zip(high).zip(low) {
        *number = high.wrapping_mul(scale).wrapping_add(*low);
    }
    column
}

/// The numbers of eight digits each, the first one in the lowest byte; `None` if there is anything above 9.
#[inline(always)]
fn numbers(digits: &Column) -> Option<Column> {
    let mut column = [0; TOGETHER];
    if cfg!(target_endian = "big") {
        for (digits, number) in digits.iter().zip(&mut column) {
            *number = eight_digits(*digits)?;
        }
        return Some(column);
    }
    let mut most = u8x16::default();
    for (digits, numbers) in digits.as_chunks::<4>().0.iter().zip(column.as_chunks_mut::<4>().0) {
        let halves: [u8x16; 2] = wide::bytemuck::cast(*digits);
        // Neighbours are joined to pairs, pairs to fours, fours to the number.
        let fours = halves.map(|digits| {
            most = most.max(digits);
            let pairs: u16x8 = wide::bytemuck::cast(digits);
            let pairs = (pairs * u16x8::splat(10 << 8 | 1)) >> 8_u32;
            wide::bytemuck::cast::<_, i16x8>(pairs).dot(i16x8::new([100, 1, 100, 1, 100, 1, 100, 1]))
        });
        let fours = i16x8::from_i32x8_saturate(wide::bytemuck::cast::<_, i32x8>(fours));
        let eights = fours.dot(i16x8::new([10_000, 1, 10_000, 1, 10_000, 1, 10_000, 1]));
        *numbers = eights.to_array().map(|number| u64::from(number.cast_unsigned()));
    }
    most.to_array().iter().all(|digit| *digit <= 9).then_some(column)
}

/// A column of decimals, which mostly have as many places as the one before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimals {
    cell: usize,
    /// The unit is 10^-`places`.
    places: usize,
    /// How many the last one had that was read by itself, and whether any of those read with it was longer than eight bytes.
    last: usize,
    long: bool,
}

/// A point, as [`Batch::digits`] has it.
const POINT: u64 = 0x1e;

impl Decimals {
    /// Of the cells of this number, in units of 10^-`places`, of which there are at most nine.
    pub(super) fn of(cell: usize, places: usize) -> Self {
        Self { cell, places, last: 0, long: false }
    }

    /// Which cell it is.
    pub(super) fn cell(&self) -> usize {
        self.cell
    }

    /// What one of the last place is.
    fn unit(&self) -> Option<u64> {
        POWERS.get(self.places.checked_sub(self.last)?).copied()
    }

    /// Of up to eight bytes each, the point where it was before.
    #[inline(always)]
    fn short(&self, batch: &Batch<'_>) -> Option<Column> {
        let unit = self.unit().filter(|_| (1..7).contains(&self.last))?;
        let shift = 8 * (7 - self.last);
        let [before, point, expected] = [(1_u64 << shift) - 1, 0xff << shift, POINT << shift];
        let mut digits = batch.gather(self.cell, expected, |at, length| batch.digits(at, length))?;
        let mut other = 0;
        for digits in &mut digits {
            other |= (*digits & point) ^ expected;
            // What is before the point moves into its place.
            *digits = (*digits & before) << 8 | *digits & !(before | point);
        }
        let mut column = numbers(&digits).filter(|_| other == 0)?;
        for number in &mut column {
            *number *= unit;
        }
        are_small(&column).then_some(column)
    }

    /// Of up to eight digits before the point and behind it.
    #[inline(always)]
    fn long(&self, batch: &Batch<'_>) -> Option<Column> {
        let (unit, scale) = (self.unit().filter(|_| (1..=8).contains(&self.last))?, *POWERS.get(self.places)?);
        let [before, behind] = batch.gather_two(self.cell, |at, length| {
            let whole = length.checked_sub(self.last + 1)?;
            let point = at + whole;
            if *batch.block.get(point)? != b'.' {
                return None;
            }
            Some([batch.digits(at, whole)?, batch.digits(point + 1, self.last)?])
        })?;
        let (before, behind) = (numbers(&before)?, numbers(&behind)?);
        let mut column = [0; TOGETHER];
        for ((number, before), behind) in column.iter_mut().zip(&before).zip(&behind) {
            *number = before * scale + behind * unit;
        }
        are_small(&column).then_some(column)
    }
}

/// Whether they are all below [`LIMIT`].
#[inline(always)]
fn are_small(column: &Column) -> bool {
    column.iter().fold(0, |all, number| all | number) < LIMIT
}

/// Whole numbers; how many of the first rows have one. Quickest for up to eight digits.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
pub(super) fn wholes(batch: &Batch<'_>, cell: usize, column: &mut Column) -> usize {
    let quick = batch.gather(cell, 0, |at, length| batch.digits(at, length)).and_then(|digits| numbers(&digits));
    batch.settle(column, quick.as_ref(), |row| whole(row.get(cell)?))
}

/// As [`wholes`], as quick for up to 16 digits.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
pub(super) fn long_wholes(batch: &Batch<'_>, cell: usize, column: &mut Column) -> usize {
    let quick = batch.gather_two(cell, |at, length| {
        if !(1..=16).contains(&length) {
            return None;
        }
        let sixteen = u128::from_le_bytes(*batch.block.get(at..)?.first_chunk()?);
        let digits = (sixteen ^ (u128::from(ZEROS) << 64 | u128::from(ZEROS))) << (128 - 8 * length);
        Some([digits as u64, (digits >> 64) as u64])
    });
    let quick = quick.and_then(|[high, low]| Some(joined(&numbers(&high)?, 100_000_000, &numbers(&low)?)));
    batch.settle(column, quick.as_ref(), |row| whole(row.get(cell)?))
}

/// Whole numbers of 13 digits, such as milliseconds since the epoch; how many of the first rows have one.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
pub(super) fn thirteen_digits(batch: &Batch<'_>, cell: usize, column: &mut Column) -> usize {
    let quick = batch.stamps::<13, 1>(cell, [(8, 5)]);
    batch.settle(column, quick.as_ref(), |row| whole(row.get(cell).filter(|text| text.len() == 13)?))
}

/// Whole numbers of 19 digits, such as nanoseconds since the epoch; how many of the first rows have one.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
pub(super) fn nineteen_digits(batch: &Batch<'_>, cell: usize, column: &mut Column) -> usize {
    let quick = batch.stamps::<19, 2>(cell, [(8, 8), (16, 3)]);
    batch.settle(column, quick.as_ref(), |row| {
        let text = row.get(cell).filter(|text| text.len() == 19 && text.iter().all(u8::is_ascii_digit))?;
        str::from_utf8(text).ok()?.parse().ok()
    })
}

/// Decimals, see [`decimal`]; how many of the first rows have one.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
pub(super) fn decimals(decimals: &mut Decimals, batch: &Batch<'_>, column: &mut Column) -> usize {
    let quick = if decimals.long { decimals.long(batch) } else { decimals.short(batch) };
    decimals.long &= quick.is_some();
    batch.settle(column, quick.as_ref(), |row| {
        let text = row.get(decimals.cell)?;
        let number = decimal(text, decimals.places)?;
        if let Some(point) = text.iter().position(|byte| *byte == b'.') {
            decimals.last = text.len() - 1 - point;
        }
        decimals.long |= text.len() > 8;
        Some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::super::plain::Layouts;
    use super::*;
    use proptest::prelude::*;

    /// The rows of a block that can be split, with a cell behind the last one that is looked at or none.
    fn split(block: &str, last: usize) -> Vec<Cells> {
        let (mut cells, mut layouts, mut at) = (Vec::<Cells>::new(), Layouts::default(), 0);
        while cells.len() < TOGETHER {
            let mut row = Cells::default();
            let like = cells.first().map_or((0, 0), Cells::shape);
            let Some(end) = row.split(block.as_bytes(), at, b',', last, &mut layouts, like) else { break };
            if let Some(first) = cells.first() {
                row.adopt(first);
            }
            cells.push(row);
            at = end;
        }
        cells
    }

    /// What a reader says of the column of cells, which stands between others, and of the same rows laid out alike if they are.
    fn read(texts: &[String], mut read: impl FnMut(&Batch<'_>, &mut Column) -> usize) -> Vec<u64> {
        let block = texts.iter().fold(String::new(), |block, text| block + "a," + text + ",b\n") + &" ".repeat(64);
        let cells = split(&block, 1);
        assert_eq!(cells.len(), texts.len());
        let mut column = [0; TOGETHER];
        let rows = read(&Batch::of(block.as_bytes(), &cells, None), &mut column);
        if texts.windows(2).all(|two| two[0].len() == two[1].len()) {
            let mut alike = [0; TOGETHER];
            assert_eq!(read(&Batch::of(block.as_bytes(), &cells, cells.first()), &mut alike), rows);
            assert_eq!(alike, column);
        }
        column[..rows].to_vec()
    }

    /// The numbers up to the first cell that is none.
    fn expected(texts: &[String], number: impl Fn(&str) -> Option<u64>) -> Vec<u64> {
        texts.iter().map_while(|text| number(text)).collect()
    }

    fn digits(text: &str, most: usize) -> Option<u64> {
        text.parse().ok().filter(|_| text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit()))
    }

    fn cells(form: &'static str) -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(prop_oneof![20 => form, 1 => "[0-9.x]{0,9}|[^,\"\r\n]{0,9}"], 1..=TOGETHER)
    }

    proptest! {
        #[test]
        fn cells_lie_where_they_were_put(
            rows in prop::collection::vec(prop::collection::vec("[a-z ]{0,3}|[a-z]{0,30}|[a-z]{60,80}", 1..40), 1..9),
            last in 0_usize..24,
        ) {
            let text = rows.iter().map(|row| row.join(",") + "\n").collect::<String>();
            let block = format!("{text}{}", " ".repeat(64));
            let cells = split(&block, last);
            let plain = rows.iter().take_while(|row| row.len() > last).count();
            // A chunk with more delimiters than are noted at once is left alone.
            prop_assert!(cells.len() == plain || rows[cells.len()].len() > 24);
            for (cells, row) in cells.iter().zip(&rows) {
                let split = cells.of(block.as_bytes(), cells);
                for (at, cell) in row.iter().enumerate().take(last + 1) {
                    prop_assert_eq!(split.get(at), Some(cell.as_bytes()));
                }
                prop_assert_eq!(cells.next() - cells.row(), row.join(",").len() + 1);
            }
        }

        #[test]
        fn whole_numbers_are_those_of_the_library(texts in cells("[0-9]{1,9}"), long in cells("[0-9]{1,17}")) {
            prop_assert_eq!(read(&texts, |batch, column| wholes(batch, 1, column)), expected(&texts, |text| digits(text, 15)));
            for texts in [&texts, &long] {
                let found = read(texts, |batch, column| long_wholes(batch, 1, column));
                let least = expected(texts, |text| digits(text, 15));
                let most = expected(texts, |text| digits(text, 16));
                prop_assert!(found == least || found == most, "{:?}", found);
            }
        }

        #[test]
        fn time_stamps_are_those_of_the_library(
            first in "[0-9]{8}", texts in cells("[0-9]{5}"), longer in cells("[0-9]{11}"), other in cells("[0-9]{13}|[0-9]{19}"),
        ) {
            let stamps = |texts: &[String]| texts.iter().map(|text| format!("{first}{text}")).collect::<Vec<_>>();
            for texts in [stamps(&texts), stamps(&longer), other] {
                let of = |length: usize| expected(&texts, |text| digits(text, 19).filter(|_| text.len() == length));
                prop_assert_eq!(read(&texts, |batch, column| thirteen_digits(batch, 1, column)), of(13));
                prop_assert_eq!(read(&texts, |batch, column| nineteen_digits(batch, 1, column)), of(19));
            }
        }

        #[test]
        fn decimals_are_those_of_floating_point(
            batches in prop::collection::vec(
                prop_oneof![cells("[0-9]{1,3}[.][0-9]{4}"), cells("[0-9]{1,6}[.][0-9]{6}"), cells("[0-9]{0,6}[.]?[0-9]{0,9}")], 1..5),
            places in 4_u32..10,
        ) {
            let mut of = Decimals::of(1, places as usize);
            for texts in batches {
                // The same column twice: before and after it was seen what its cells are like.
                for _ in 0..2 {
                    let numbers = read(&texts, |batch, column| decimals(&mut of, batch, column));
                    let least = expected(&texts, |text| decimal(text.as_bytes(), places as usize));
                    prop_assert!(numbers.len() >= least.len());
                    for (text, number) in texts.iter().zip(numbers) {
                        let value: f64 = text.parse().unwrap();
                        prop_assert_eq!(number, (value * f64::from(10_u32.pow(places))).round() as u64, "{}", text);
                    }
                }
            }
        }
    }
}
