//! A latency distribution that can be added up exactly.
//!
//! Up to [`EXACT`] values are kept as they are, so a small endpoint has exact percentiles; beyond that they fall into
//! log-linear bins of 1/128 octave, so a percentile read from the middle of a bin is within 0.4 % of the true value.
//! The state depends only on the multiset of values: any order of recording and merging gives the same bytes.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many values are kept exactly.
pub const EXACT: usize = 128;
/// How many values are kept as a list of bins: less memory than counters for every bin of a wide range.
const LISTED: usize = 2_048;
/// Bins per octave, as a power of two.
pub(super) const BITS: u32 = 7;
/// Nanoseconds in the milliseconds that the model speaks.
const NANOS: f64 = 1e6;

/// A distribution of durations in whole nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    values: Values,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

/// How the values are kept. Which of the last two it is may depend on how they came; nothing outside can tell.
#[derive(Debug, Clone)]
enum Values {
    /// All of them, at most [`EXACT`], in no order.
    Exact(Vec<u64>),
    /// The bin of each, at most [`LISTED`], in no order.
    Listed(Vec<u16>),
    /// Counts per bin from bin `first` on.
    Counted { first: usize, counts: Vec<u64> },
}

impl Default for Values {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Values {
    /// Counts one duration.
    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    fn record(&mut self, nanos: u64) {
        if let Self::Counted { first, counts } = self
            && let Some(count) = counts.get_mut(bin_of(nanos).wrapping_sub(*first))
        {
            // A branch that is never taken costs less than a choice.
            if let Some(more) = count.checked_add(1) {
                *count = more;
            }
        } else {
            self.record_early(nanos);
        }
    }

    /// The first durations, and those outside of the counters' range.
    #[cold]
    #[inline(never)]
    fn record_early(&mut self, nanos: u64) {
        match self {
            Self::Exact(values) if values.len() < EXACT => values.push(nanos),
            _ => self.add_to_bin(bin_of(nanos), 1),
        }
    }

    /// Counts in a bin, whatever the values were kept as.
    fn add_to_bin(&mut self, bin: usize, times: u64) {
        match self {
            Self::Exact(values) => {
                let bins = values.iter().map(|nanos| bin_of(*nanos) as u16).collect();
                *self = Self::Listed(bins);
                self.add_to_bin(bin, times);
            }
            Self::Listed(bins) if times <= (LISTED - bins.len()) as u64 => {
                bins.extend(std::iter::repeat_n(bin as u16, times as usize));
            }
            Self::Listed(bins) => {
                let (first, counts) = counted(bins);
                *self = Self::Counted { first, counts };
                self.add_to_bin(bin, times);
            }
            Self::Counted { first, counts } => {
                if bin < *first {
                    counts.splice(0..0, std::iter::repeat_n(0, *first - bin));
                    *first = bin;
                }
                let offset = bin - *first;
                if offset >= counts.len() {
                    counts.resize(offset + 1, 0);
                }
                if let Some(count) = counts.get_mut(offset) {
                    *count = count.saturating_add(times);
                }
            }
        }
    }
}

impl Histogram {
    /// Adds one duration.
    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    pub fn record(&mut self, nanos: u64) {
        // More than can be counted.
        let Some(count) = self.count.checked_add(1) else { return self.record_many(nanos, 1) };
        self.widen(nanos, nanos);
        self.count = count;
        // That many numbers below 2^64 never sum up to 2^128.
        self.sum = self.sum.wrapping_add(u128::from(nanos));
        self.values.record(nanos);
    }

    /// Adds many durations; the same as one after the other, and quicker.
    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    pub fn record_all(&mut self, all: impl Iterator<Item = u64>) {
        let (mut min, mut max, mut sum, mut times) = (u64::MAX, 0, 0_u128, 0_u64);
        for nanos in all {
            min = min.min(nanos);
            max = max.max(nanos);
            sum += u128::from(nanos);
            times += 1;
            self.values.record(nanos);
        }
        if times > 0 {
            self.note(min, max, sum, times);
        }
    }

    /// Adds the same duration `times` times, as histograms in artifacts do.
    pub fn record_many(&mut self, nanos: u64, times: u64) {
        if times == 0 {
            return;
        }
        self.note(nanos, nanos, u128::from(nanos) * u128::from(times), times);
        match &mut self.values {
            Values::Exact(values) if self.count <= EXACT as u64 => {
                values.extend(std::iter::repeat_n(nanos, usize::try_from(times).unwrap_or(EXACT)));
            }
            _ => self.values.add_to_bin(bin_of(nanos), times),
        }
    }

    /// Adds all values of `other`; exact, and the same whatever the order.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.note(other.min, other.max, other.sum, other.count);
        match (&mut self.values, &other.values) {
            (Values::Exact(values), Values::Exact(more)) if self.count <= EXACT as u64 => {
                values.extend_from_slice(more);
            }
            (_, Values::Exact(more)) => more.iter().for_each(|nanos| self.values.add_to_bin(bin_of(*nanos), 1)),
            (_, Values::Listed(more)) => more.iter().for_each(|bin| self.values.add_to_bin(usize::from(*bin), 1)),
            (_, Values::Counted { .. }) => {
                // From the last bin, so that the counters grow to their full range at once.
                other.bins().rev().for_each(|(bin, times)| self.values.add_to_bin(bin, times));
            }
        }
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Arithmetic mean in ms, exact.
    pub fn mean_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64 / NANOS)
    }

    /// Smallest value in ms, exact.
    pub fn min_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| self.min as f64 / NANOS)
    }

    /// Largest value in ms, exact.
    pub fn max_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| self.max as f64 / NANOS)
    }

    /// The value in ms at nearest rank `ceil(level * count)`: exact for few values, else the middle of its bin.
    pub fn quantile_ms(&self, level: f64) -> Option<f64> {
        self.quantiles_ms(&[level]).first().copied().flatten()
    }

    /// Several quantiles in one pass; `levels` in ascending order.
    pub fn quantiles_ms(&self, levels: &[f64]) -> Vec<Option<f64>> {
        let mut found = Vec::with_capacity(levels.len());
        let mut steps = self.cumulated();
        let mut current = steps.next();
        for &level in levels {
            let rank = ((level * self.count as f64 - 1e-9).ceil().max(1.0) as u64).min(self.count);
            while current.is_some_and(|(_, seen)| seen < rank) {
                current = steps.next();
            }
            found.push(current.map(|(nanos, _)| nanos.clamp(self.min as f64, self.max as f64) / NANOS));
        }
        found
    }

    /// `(value in ms, share of values at or below it)` in ascending order, for drawing.
    pub fn distribution_ms(&self) -> Vec<(f64, f64)> {
        let count = self.count as f64;
        self.cumulated()
            .map(|(nanos, seen)| (nanos.clamp(self.min as f64, self.max as f64) / NANOS, seen as f64 / count))
            .collect()
    }

    /// `(value in ns, values so far)` in ascending order.
    fn cumulated(&self) -> impl Iterator<Item = (f64, u64)> {
        let exact = match &self.values {
            Values::Exact(values) => sorted(values),
            _ => Vec::new(),
        };
        let exact = exact.into_iter().map(|nanos| (nanos as f64, 1));
        let steps = exact.chain(self.bins().map(|(bin, times)| (bin_middle(bin), times)));
        steps.scan(0_u64, |seen, (nanos, times)| {
            *seen = seen.saturating_add(times);
            Some((nanos, *seen))
        })
    }

    /// `(bin, values in it)` in ascending order without empty ones; nothing while all values are exact.
    fn bins(&self) -> impl DoubleEndedIterator<Item = (usize, u64)> {
        let (first, counts) = match &self.values {
            Values::Exact(_) => (0, Cow::Borrowed(&[][..])),
            Values::Listed(bins) => {
                let (first, counts) = counted(bins);
                (first, Cow::Owned(counts))
            }
            Values::Counted { first, counts } => (*first, Cow::Borrowed(counts.as_slice())),
        };
        (0..counts.len())
            .filter_map(move |at| counts.get(at).filter(|times| **times > 0).map(|times| (first + at, *times)))
    }

    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    fn note(&mut self, min: u64, max: u64, sum: u128, times: u64) {
        self.widen(min, max);
        self.sum = self.sum.saturating_add(sum);
        self.count = self.count.saturating_add(times);
    }

    /// Before they are counted: the first values are the least there are.
    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    fn widen(&mut self, min: u64, max: u64) {
        if min < self.min || self.count == 0 {
            self.min = min;
        }
        self.max = self.max.max(max);
    }

    /// The stored form: `e` (exact) or `b` (bins), then base64 of LEB128 numbers: count, sum, min, max, then either the
    /// sorted values as differences, or pairs of (bins skipped, count).
    pub fn to_text(&self) -> String {
        let mut bytes = Vec::new();
        put(&mut bytes, u128::from(self.count));
        put(&mut bytes, self.sum);
        put(&mut bytes, u128::from(self.min));
        put(&mut bytes, u128::from(self.max));
        if let Values::Exact(values) = &self.values {
            let mut previous = 0;
            for nanos in sorted(values) {
                put(&mut bytes, u128::from(nanos - previous));
                previous = nanos;
            }
            return format!("e{}", BASE64.encode(bytes));
        }
        let mut next = 0;
        for (bin, times) in self.bins() {
            put(&mut bytes, (bin - next) as u128);
            put(&mut bytes, u128::from(times));
            next = bin + 1;
        }
        format!("b{}", BASE64.encode(bytes))
    }

    /// Reads [`Histogram::to_text`] back; `None` for anything else, counts that do not add up or a sum that is too large included.
    pub fn from_text(text: &str) -> Option<Self> {
        let kind = text.chars().next()?;
        let bytes = BASE64.decode(text.get(1..)?).ok()?;
        let mut rest = bytes.as_slice();
        let mut number = || take(&mut rest);
        let count = u64::try_from(number()?).ok()?;
        let (sum, min, max) = (number()?, u64::try_from(number()?).ok()?, u64::try_from(number()?).ok()?);
        let mut read = Self { count, sum, min, max, ..Self::default() };
        match kind {
            'e' if count <= EXACT as u64 => {
                let mut previous = 0_u64;
                let mut values = Vec::new();
                for _ in 0..count {
                    previous = previous.checked_add(u64::try_from(number()?).ok()?)?;
                    values.push(previous);
                }
                read.values = Values::Exact(values);
            }
            'b' => {
                let (mut next, mut seen) = (0_usize, 0_u64);
                while seen < count {
                    let bin =
                        next.checked_add(usize::try_from(number()?).ok()?).filter(|bin| *bin <= bin_of(u64::MAX))?;
                    let times = u64::try_from(number()?).ok().filter(|times| *times > 0)?;
                    seen = seen.checked_add(times)?;
                    read.values.add_to_bin(bin, times);
                    next = bin + 1;
                }
                if seen != count {
                    return None;
                }
            }
            _ => return None,
        }
        // So that the sum never gets too large, see `record`; of more values than can be counted it is more.
        let bounded = count == u64::MAX || sum <= u128::from(count) * u128::from(max);
        (rest.is_empty() && min <= max && bounded).then_some(read)
    }
}

/// The bin of a duration, below 7,424: exact below 256 ns, then 128 bins to the octave.
#[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
#[inline(always)]
pub(super) fn bin_of(nanos: u64) -> usize {
    let octave = (u64::BITS - nanos.leading_zeros()).saturating_sub(BITS + 1);
    ((u64::from(octave) << BITS) + (nanos >> octave)) as usize
}

/// The first bin, and how often it and each one behind it is in the list: quicker than sorting.
fn counted(bins: &[u16]) -> (usize, Vec<u64>) {
    let ends = bins.iter().min().zip(bins.iter().max());
    let (first, last) = ends.map_or((0, 0), |(first, last)| (usize::from(*first), usize::from(*last)));
    let mut counts = vec![0; last - first + 1];
    for bin in bins {
        if let Some(count) = counts.get_mut(usize::from(*bin) - first) {
            *count += 1;
        }
    }
    (first, counts)
}

fn sorted(values: &[u64]) -> Vec<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted
}

/// The middle of a bin in ns.
fn bin_middle(bin: usize) -> f64 {
    let octave = (bin >> BITS).saturating_sub(1);
    let low = (bin - (octave << BITS)) as f64;
    let width = (1_u64 << octave) as f64;
    low * width + (width - 1.0) / 2.0
}

fn put(bytes: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(rest: &mut &[u8]) -> Option<u128> {
    let mut number = 0_u128;
    for shift in (0..128).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        number |= u128::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        self.to_text() == other.to_text()
    }
}

impl JsonSchema for Histogram {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Histogram".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "Log-spaced bins, relative error at most 1 %; `loadgate merge` adds them exactly." })
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(input)?;
        Self::from_text(&text).ok_or_else(|| serde::de::Error::custom("not a histogram that loadgate wrote"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for &value in values {
            histogram.record(value);
        }
        histogram
    }

    #[test]
    fn bins_do_not_overlap_and_stay_narrow() {
        for nanos in (0..4_000).chain((0..62).map(|bit| (1 << bit) + 12_345)).chain([u64::MAX]) {
            let middle = bin_middle(bin_of(nanos));
            assert!((middle - nanos as f64).abs() <= nanos as f64 * 0.004, "{nanos} shown as {middle}");
            assert!(bin_of(nanos) <= bin_of(nanos.saturating_add(1)));
        }
    }

    #[test]
    fn few_values_have_exact_percentiles() {
        let histogram = of(&[1_000_000, 2_000_000, 3_000_000, 4_000_000]);
        assert_eq!(histogram.quantiles_ms(&[0.5, 0.75, 0.99]), [Some(2.0), Some(3.0), Some(4.0)]);
        assert_eq!(histogram.mean_ms(), Some(2.5));
        assert_eq!(Histogram::default().quantile_ms(0.5), None);
    }

    #[test]
    fn a_sum_that_the_values_cannot_reach_is_refused() {
        let mut histogram = of(&[3, 5]);
        assert!(Histogram::from_text(&histogram.to_text()).is_some());
        histogram.sum = 11;
        assert!(Histogram::from_text(&histogram.to_text()).is_none());
    }

    #[test]
    fn more_than_can_be_counted_stays_the_most() {
        let mut histogram = Histogram::default();
        histogram.record_many(7, u64::MAX);
        histogram.record(7);
        assert_eq!((histogram.count, histogram.min, histogram.sum), (u64::MAX, 7, 7 << 64));
        let text = histogram.to_text();
        assert_eq!(Histogram::from_text(&text).map(|read| read.to_text()), Some(text));
    }

    proptest! {
        #[test]
        fn order_and_grouping_do_not_matter(mut values in prop::collection::vec(0_u64..1 << 40, 0..400), cut in 0_usize..400, times in 1_u64..20) {
            values = values.repeat(times as usize);
            let whole = of(&values);
            let cut = cut.min(values.len());
            let (mut left, right) = (of(&values[..cut]), of(&values[cut..]));
            left.merge(&right);
            prop_assert_eq!(left.to_text(), whole.to_text());
            values.reverse();
            prop_assert_eq!(of(&values).to_text(), whole.to_text());
            prop_assert_eq!(Histogram::from_text(&whole.to_text()).unwrap(), whole);
        }

        #[test]
        fn percentiles_are_close_to_nearest_rank(mut values in prop::collection::vec(1_u64..1 << 42, 1..600), level in 0.01_f64..1.0) {
            let shown = of(&values).quantile_ms(level).unwrap() * NANOS;
            values.sort_unstable();
            let rank = (level * values.len() as f64 - 1e-9).ceil().max(1.0) as usize;
            let truth = values[rank - 1] as f64;
            prop_assert!((shown - truth).abs() <= truth * 0.004 + 1e-6, "{} is not {}", shown, truth);
        }

        #[test]
        fn foreign_text_is_refused_not_fatal(text in "[eb]?[A-Za-z0-9+/]{0,60}") {
            if let Some(histogram) = Histogram::from_text(&text) {
                let _ = histogram.quantile_ms(0.5);
            }
        }
    }
}
