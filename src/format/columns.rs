//! Plain rows in columns: a column of numbers is read for many rows at once, which takes a third of the time of reading it
//! row by row.
//!
//! What runs for every row is compiled twice, the second time for the instructions of newer processors, which saves a tenth of
//! the time; what such a function calls must become part of it.

#![expect(clippy::inline_always, reason = "a part of functions that are compiled twice")]

use multiversion::multiversion;
use wide::{i16x8, i32x4, u8x16, u16x8, u64x4};

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

    /// Sets the column to what `of` makes of the place and the length of each row's cell; to `rest` for the rows that are not
    /// there. Where there is nothing to be made of one, part of the column is set.
    #[inline(always)]
    fn gather(
        &self,
        cell: usize,
        rest: u64,
        column: &mut Column,
        mut of: impl FnMut(usize, usize) -> Option<u64>,
    ) -> Option<()> {
        column.iter_mut().skip(self.cells.len()).for_each(|number| *number = rest);
        if let Some(like) = self.like {
            let (start, length) = like.of(self.block, like).place(cell)?;
            for (cells, found) in self.cells.iter().zip(column) {
                *found = of(cells.row() + (start - like.row()), length)?;
            }
            return Some(());
        }
        for (row, found) in self.rows().zip(column) {
            let (start, length) = row.place(cell)?;
            *found = of(start, length)?;
        }
        Some(())
    }

    /// As [`Batch::gather`], two columns at a time, with 0 for the rows that are not there.
    #[inline(always)]
    fn gather_two(
        &self,
        cell: usize,
        first: &mut Column,
        second: &mut Column,
        mut of: impl FnMut(usize, usize) -> Option<[u64; 2]>,
    ) -> Option<()> {
        for (first, second) in first.iter_mut().zip(second.iter_mut()).skip(self.cells.len()) {
            (*first, *second) = (0, 0);
        }
        for ((row, first), second) in self.rows().zip(first).zip(second) {
            let (start, length) = row.place(cell)?;
            [*first, *second] = of(start, length)?;
        }
        Some(())
    }

    /// Eight bytes as digits.
    #[inline(always)]
    fn eight(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*self.block.get(at..)?.first_chunk()?) ^ ZEROS)
    }

    /// Sixteen bytes as digits.
    #[inline(always)]
    fn sixteen(&self, at: usize) -> Option<u128> {
        const ZEROS_TWICE: u128 = (ZEROS as u128) << 64 | ZEROS as u128;
        Some(u128::from_le_bytes(*self.block.get(at..)?.first_chunk()?) ^ ZEROS_TWICE)
    }

    /// 1 to 8 digits, the last one in the highest byte: what is behind them is shifted out.
    #[inline(always)]
    fn digits(&self, at: usize, length: usize) -> Option<u64> {
        if !(1..=8).contains(&length) {
            return None;
        }
        Some(self.eight(at)? << (64 - 8 * length))
    }

    /// Says how many of the first rows have a number: all, if the column was read quickly, or else it is read row by row.
    /// Behind them the column holds rubbish.
    #[inline(always)]
    fn settle(&self, column: &mut Column, quick: Option<()>, mut slow: impl FnMut(&Split<'a>) -> Option<u64>) -> usize {
        if quick.is_some() {
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

    /// The first eight bytes of the first row's cell as digits, and the number they are: of time stamps those of all rows.
    #[inline(always)]
    fn leading(&self, cell: usize) -> Option<(u64, u64)> {
        let (start, _) = self.rows().next()?.place(cell)?;
        let digits = self.eight(start)?;
        Some((digits, eight_digits(digits)?))
    }
}

/// The sum of the numbers of each row.
#[inline(always)]
pub(super) fn sums(one: &Column, other: &Column) -> Column {
    let mut sums = *one;
    for (sum, other) in sums.iter_mut().zip(other) {
        *sum = sum.wrapping_add(*other);
    }
    sums
}

/// Makes each number `scale` times as much, and adds that of `low`.
#[inline(always)]
fn append(column: &mut Column, scale: u64, low: &Column) {
    for (number, low) in column.iter_mut().zip(low) {
        *number = number.wrapping_mul(scale).wrapping_add(*low);
    }
}

/// Makes eight digits each, the first one in the lowest byte, the number they are; `None` if there is anything above 9.
#[inline(always)]
fn numbers(column: &mut Column) -> Option<()> {
    if cfg!(target_endian = "big") {
        for number in column {
            *number = eight_digits(*number)?;
        }
        return Some(());
    }
    let mut most = u8x16::ZERO;
    for numbers in column.as_chunks_mut::<4>().0 {
        let [low, high]: [u8x16; 2] = wide::bytemuck::cast(*numbers);
        most = most.max(low).max(high);
        let fours = i16x8::from_i32x8_saturate(wide::bytemuck::cast([fours(low), fours(high)]));
        // By name, not by `map`: a compiler that saves space leaves loops as they are, however short.
        let [a, b, c, d] = fours.dot(i16x8::new([10_000, 1, 10_000, 1, 10_000, 1, 10_000, 1])).to_array();
        *numbers = [widened(a), widened(b), widened(c), widened(d)];
    }
    most.to_array().iter().all(|digit| *digit <= 9).then_some(())
}

/// Neighbouring digits are joined to pairs, pairs to fours.
#[inline(always)]
fn fours(digits: u8x16) -> i32x4 {
    const TENS: u16x8 = u16x8::new([10 << 8 | 1; 8]);
    const HUNDREDS: i16x8 = i16x8::new([100, 1, 100, 1, 100, 1, 100, 1]);
    let pairs = (wide::bytemuck::cast::<_, u16x8>(digits) * TENS) >> 8_u32;
    wide::bytemuck::cast::<_, i16x8>(pairs).dot(HUNDREDS)
}

#[inline(always)]
fn widened(number: i32) -> u64 {
    u64::from(number.cast_unsigned())
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
    fn short(&self, batch: &Batch<'_>, column: &mut Column) -> Option<()> {
        let unit = self.unit().filter(|_| (1..7).contains(&self.last))?;
        let shift = 8 * (7 - self.last);
        let expected = POINT << shift;
        batch.gather(self.cell, expected, column, |at, length| batch.digits(at, length))?;
        let before = u64x4::splat((1 << shift) - 1);
        let (point, expected) = (u64x4::splat(0xff << shift), u64x4::splat(expected));
        let mut other = u64x4::ZERO;
        for digits in column.as_chunks_mut::<4>().0 {
            let all = u64x4::new(*digits);
            other |= (all & point) ^ expected;
            // What is before the point moves into its place.
            *digits = ((all & before) << 8_u32 | all & !(before | point)).to_array();
        }
        numbers(column).filter(|()| other == u64x4::ZERO)?;
        // Seven digits and a unit of 10^8 at most stay below `LIMIT`.
        for number in column {
            *number *= unit;
        }
        Some(())
    }

    /// Of up to eight digits before the point and behind it.
    #[inline(always)]
    fn long(&self, batch: &Batch<'_>, column: &mut Column) -> Option<()> {
        let (unit, scale) = (self.unit().filter(|_| (1..=8).contains(&self.last))?, *POWERS.get(self.places)?);
        let mut behind = [0; TOGETHER];
        batch.gather_two(self.cell, column, &mut behind, |at, length| {
            let whole = length.checked_sub(self.last + 1)?;
            let point = at + whole;
            if *batch.block.get(point)? != b'.' {
                return None;
            }
            Some([batch.digits(at, whole)?, batch.digits(point + 1, self.last)?])
        })?;
        numbers(column)?;
        numbers(&mut behind)?;
        let mut all = 0;
        for (number, behind) in column.iter_mut().zip(&behind) {
            *number = *number * scale + behind * unit;
            all |= *number;
        }
        (all < LIMIT).then_some(())
    }
}

/// Whole numbers; how many of the first rows have one. Quickest for up to eight digits.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
pub(super) fn wholes(batch: &Batch<'_>, cell: usize, column: &mut Column) -> usize {
    let quick = batch.gather(cell, 0, column, |at, length| batch.digits(at, length)).and_then(|()| numbers(column));
    batch.settle(column, quick, |row| whole(row.get(cell)?))
}

/// As [`wholes`], as quick for up to 16 digits.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
pub(super) fn long_wholes(batch: &Batch<'_>, cell: usize, column: &mut Column) -> usize {
    let mut low = [0; TOGETHER];
    let quick = batch.gather_two(cell, column, &mut low, |at, length| {
        if !(1..=16).contains(&length) {
            return None;
        }
        let digits = batch.sixteen(at)? << (128 - 8 * length);
        Some([digits as u64, (digits >> 64) as u64])
    });
    let quick = quick.and_then(|()| numbers(column)).and_then(|()| numbers(&mut low));
    let quick = quick.map(|()| append(column, 100_000_000, &low));
    batch.settle(column, quick, |row| whole(row.get(cell)?))
}

/// Whole numbers of 13 digits, such as milliseconds since the epoch; how many of the first rows have one.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
pub(super) fn thirteen_digits(batch: &Batch<'_>, cell: usize, column: &mut Column) -> usize {
    let quick = batch.leading(cell).and_then(|(leading, high)| {
        let mut other = 0;
        batch.gather(cell, 0, column, |at, length| {
            let digits = batch.sixteen(at).filter(|_| length == 13)?;
            other |= digits as u64 ^ leading;
            Some(((digits >> 64) as u64) << 24)
        })?;
        numbers(column).filter(|()| other == 0)?;
        for number in column.iter_mut() {
            *number += high * 100_000;
        }
        Some(())
    });
    batch.settle(column, quick, |row| whole(row.get(cell).filter(|text| text.len() == 13)?))
}

/// Whole numbers of 19 digits, such as nanoseconds since the epoch; how many of the first rows have one.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
pub(super) fn nineteen_digits(batch: &Batch<'_>, cell: usize, column: &mut Column) -> usize {
    let mut low = [0; TOGETHER];
    let quick = batch.leading(cell).and_then(|(leading, high)| {
        let mut other = 0;
        batch.gather_two(cell, column, &mut low, |at, length| {
            let digits = batch.sixteen(at).filter(|_| length == 19)?;
            other |= digits as u64 ^ leading;
            Some([(digits >> 64) as u64, batch.digits(at + 16, 3)?])
        })?;
        numbers(column).and_then(|()| numbers(&mut low)).filter(|()| other == 0)?;
        append(column, 1_000, &low);
        for number in column.iter_mut() {
            *number += high * 100_000_000_000;
        }
        Some(())
    });
    batch.settle(column, quick, |row| {
        let text = row.get(cell).filter(|text| text.len() == 19 && text.iter().all(u8::is_ascii_digit))?;
        str::from_utf8(text).ok()?.parse().ok()
    })
}

/// Decimals, see [`decimal`]; how many of the first rows have one.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
pub(super) fn decimals(decimals: &mut Decimals, batch: &Batch<'_>, column: &mut Column) -> usize {
    let quick = if decimals.long { decimals.long(batch, column) } else { decimals.short(batch, column) };
    decimals.long &= quick.is_some();
    batch.settle(column, quick, |row| {
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
            assert_eq!(alike[..rows], column[..rows]);
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
                    let before = of;
                    let numbers = read(&texts, |batch, column| {
                        of = before;
                        decimals(&mut of, batch, column)
                    });
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
