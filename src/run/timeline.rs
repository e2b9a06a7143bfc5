//! What happened when: a run cut into at most [`SLICES`] slices of equal time.
//!
//! A slice is a power of two of seconds wide and begins at a multiple of that, so the slices depend only on what happened,
//! never on the order in which it was read or merged. Latencies fall into bins of 1/16 octave: a percentile is within 2.2 %,
//! enough to draw and never judged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Moment, histogram};

/// Most slices; when time runs past the last one, slices become twice as wide.
pub const SLICES: usize = 128;
/// Most stages of a plan that are kept.
const STAGES: usize = 32;
/// The same as [`SLICES`], for differences of places.
const SPAN: i64 = 128;
/// Bins per octave, as a power of two.
const BITS: u32 = 4;
/// Durations below 1024 ns share the first bins, and those of 2^41 ns (37 minutes) and more the last one.
const SHORTEST: u32 = 10;
const BINS: usize = (31 << BITS) + 1;
/// The first bin, counted in the same bins from 0 ns on.
const FIRST: usize = ((SHORTEST + 1 - histogram::BITS) << BITS) as usize;
/// Widest slice, as a power of two of seconds: 128 of them reach from 1970 to the year 9999.
const WIDEST: u32 = 31;
/// Times before 1970 or after the year 9999 are no times.
const LATEST_MS: i64 = 253_402_300_799_999;
/// Nanoseconds in the milliseconds that the model speaks.
const NANOS: f64 = 1e6;

/// A run over time. Its instants are ms since the epoch, or since the run's start where the artifact tells no more.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Timeline {
    /// Whether instants count from the run's start.
    relative: bool,
    /// Width of a slice in seconds, as a power of two.
    width: u32,
    /// The first slice begins at this multiple of the width since the epoch.
    first: i64,
    slices: Vec<Slice>,
    stages: Vec<Stage>,
}

/// A part of the load's plan, as it was carried out. Times are seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// What tells it apart: `at 50 users`. Empty where there is only one.
    pub name: String,
    /// It begins with a ramp or a warm-up,
    pub begin: i64,
    /// is judged from here on,
    pub from: i64,
    /// and ends.
    pub end: i64,
}

impl Stage {
    /// Shards of a run begin at slightly different times: what is judged in one of them is judged.
    fn absorb(&mut self, other: &Self) {
        self.begin = self.begin.min(other.begin);
        self.from = self.from.min(other.from);
        self.end = self.end.max(other.end);
    }
}

/// What happened in one slice of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Slice {
    /// Requests, failed ones included.
    pub requests: u64,
    /// Failed ones; `None` where the outcome of some is unknown.
    pub failures: Option<u64>,
    /// Most concurrent users.
    pub users: Option<f64>,
    /// p50 and p95 in ms of a window around or before this slice, where a tool gives nothing better.
    window: Option<[f64; 2]>,
    /// Requests per bin of latency.
    bins: Vec<u32>,
}

impl Slice {
    /// Median and 95th percentile in ms, where anything is known of latency.
    pub fn percentiles(&self) -> Option<[f64; 2]> {
        self.quantile_ms(0.5).zip(self.quantile_ms(0.95)).map(Into::into).or(self.window)
    }

    fn quantile_ms(&self, level: f64) -> Option<f64> {
        let count: u64 = self.bins.iter().map(|times| u64::from(*times)).sum();
        let rank = ((level * count as f64 - 1e-9).ceil() as u64).max(1);
        let mut seen = 0;
        let bin = self.bins.iter().position(|times| {
            seen += u64::from(*times);
            seen >= rank
        })?;
        Some(middle_of(bin) / NANOS)
    }

    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    fn add(&mut self, latency_ns: Option<u64>, ok: Option<bool>) {
        if self.failures.is_none() || ok != Some(true) {
            self.failures = self.outcomes().zip(ok).map(|(failures, ok)| failures + u64::from(!ok));
        }
        self.requests += 1;
        if let Some(nanos) = latency_ns {
            self.add_latency(nanos, 1);
        }
    }

    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    fn add_latency(&mut self, nanos: u64, times: u32) {
        let bin = bin_of(nanos);
        match self.bins.get_mut(bin) {
            Some(known) => *known = known.saturating_add(times),
            None => self.add_to_new_bin(bin, times),
        }
    }

    /// Of bins there are at most [`BINS`]: what would be behind them is in the last one.
    #[cold]
    #[inline(never)]
    fn add_to_new_bin(&mut self, bin: usize, times: u32) {
        let bin = bin.min(BINS - 1);
        if self.bins.len() <= bin {
            self.bins.resize(bin + 1, 0);
        }
        if let Some(known) = self.bins.get_mut(bin) {
            *known = known.saturating_add(times);
        }
    }

    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    fn see_users(&mut self, users: f64) {
        // Mostly there are no more than before, which is told sooner than whether it is a number at all.
        if self.users.is_none_or(|own| users > own) && (0.0..f64::INFINITY).contains(&users) {
            self.users = Some(users);
        }
    }

    /// Failures as far as this slice has a say: without requests it knows of none but those it was told.
    fn outcomes(&self) -> Option<u64> {
        self.failures.or((self.requests == 0).then_some(0))
    }

    fn absorb(&mut self, later: &Self, users: fn(f64, f64) -> f64) {
        self.failures = match (self.outcomes(), later.outcomes()) {
            _ if self.failures.is_none() && later.failures.is_none() => None,
            (own, more) => own.zip(more).map(|(own, more)| own.saturating_add(more)),
        };
        self.requests = self.requests.saturating_add(later.requests);
        self.users = match (self.users, later.users) {
            (Some(own), Some(more)) => Some(users(own, more)),
            (own, more) => own.or(more),
        };
        self.window = later.window.or(self.window);
        if self.bins.len() < later.bins.len() {
            self.bins.resize(later.bins.len(), 0);
        }
        for (own, more) in self.bins.iter_mut().zip(&later.bins) {
            *own = own.saturating_add(*more);
        }
    }
}

impl Timeline {
    /// All instants are since the run's start, and nobody knows when that was.
    pub fn since_start(&mut self) {
        self.relative = true;
    }

    /// Whether instants count from the run's start.
    pub fn is_relative(&self) -> bool {
        self.relative
    }

    /// One request at an instant: its latency in ns if it had one, whether it was fine if that is known.
    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    pub fn add(&mut self, at_ms: i64, latency_ns: Option<u64>, ok: Option<bool>) {
        self.add_with_users(at_ms, latency_ns, ok, None);
    }

    /// As [`Timeline::add`], where the artifact tells with each request how many users there were.
    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    pub fn add_with_users(&mut self, at_ms: i64, latency_ns: Option<u64>, ok: Option<bool>, users: Option<f64>) {
        if let Some(slice) = self.slice_at(at_ms) {
            slice.add(latency_ns, ok);
            if let Some(users) = users {
                slice.see_users(users);
            }
        }
    }

    /// A request at an instant, which was or will be added as a good one, has failed after all.
    pub fn failed(&mut self, at_ms: i64) {
        if let Some(slice) = self.slice_at(at_ms) {
            slice.failures = slice.outcomes().map(|failures| failures.saturating_add(1));
        }
    }

    /// A request at an instant, which was added as a failed one, was fine after all.
    pub fn mended(&mut self, at_ms: i64) {
        if let Some(slice) = self.slice_at(at_ms) {
            slice.failures = slice.failures.map(|failures| failures.saturating_sub(1));
        }
    }

    /// The artifact turned out not to tell which requests failed.
    pub fn failures_unknown(&mut self) {
        self.slices.iter_mut().for_each(|slice| slice.failures = None);
    }

    /// Many requests at an instant, with latencies in ns and how often each.
    pub fn add_many(&mut self, at_ms: i64, requests: u64, failures: u64, latencies: impl Iterator<Item = (u64, u64)>) {
        let mut many = Slice { requests, failures: Some(failures), ..Slice::default() };
        for (nanos, times) in latencies {
            many.add_latency(nanos, u32::try_from(times).unwrap_or(u32::MAX));
        }
        if let Some(slice) = self.slice_at(at_ms) {
            slice.absorb(&many, f64::max);
        }
    }

    /// Many requests at an instant, of which only counts are known.
    pub fn count(&mut self, at_ms: i64, requests: u64, failures: Option<u64>) {
        if let Some(slice) = self.slice_at(at_ms) {
            slice.absorb(&Slice { requests, failures, ..Slice::default() }, f64::max);
        }
    }

    /// What a tool says of an interval as a whole: its requests are spread evenly over it, in slices about as wide as it is.
    pub fn interval(&mut self, from_ms: i64, to_ms: i64, count: (u64, Option<u64>), window: Option<[f64; 2]>) {
        let (requests, failures) = count;
        let valid = 0..=LATEST_MS;
        if from_ms >= to_ms || !valid.contains(&from_ms) || !valid.contains(&to_ms) {
            return;
        }
        let seconds = (to_ms - from_ms) / 1_000;
        while self.width < seconds.checked_ilog2().unwrap_or(0).min(WIDEST) {
            self.widen();
        }
        self.reach(from_ms / 1_000);
        self.reach(to_ms / 1_000);
        let width_ms = 1_000_i64 << self.width;
        let share = |count: u64, until_ms: i64| {
            (count as f64 * (until_ms.clamp(from_ms, to_ms) - from_ms) as f64 / (to_ms - from_ms) as f64).round() as u64
        };
        for start_ms in (from_ms / width_ms..=(to_ms - 1) / width_ms).map(|at| at * width_ms) {
            let part = |count: u64| share(count, start_ms + width_ms) - share(count, start_ms);
            // Apart, so that no slice has more failures than requests.
            let failed = failures.map(|failures| part(failures.min(requests)));
            let fine = part(requests.saturating_sub(failures.unwrap_or(0)));
            self.count(start_ms, fine.saturating_add(failed.unwrap_or(0)), failed);
            if let Some(percentiles) = window.filter(|_| (from_ms..to_ms).contains(&(start_ms + width_ms / 2))) {
                self.window(start_ms, percentiles);
            }
        }
    }

    /// So many concurrent users at an instant.
    pub fn users(&mut self, at_ms: i64, users: f64) {
        if (0.0..f64::INFINITY).contains(&users)
            && let Some(slice) = self.slice_at(at_ms)
        {
            slice.see_users(users);
        }
    }

    /// p50 and p95 in ms of a window that ends at an instant, as a tool reports them.
    pub fn window(&mut self, at_ms: i64, percentiles: [f64; 2]) {
        if percentiles.iter().all(|value| value.is_finite() && *value >= 0.0)
            && let Some(slice) = self.slice_at(at_ms)
        {
            slice.window = Some(percentiles);
        }
    }

    /// The plan had a further stage; a limited number is kept.
    pub fn stage(&mut self, stage: Stage) {
        let latest = LATEST_MS / 1_000;
        let sound = 0 <= stage.begin && stage.begin <= stage.from && stage.from <= stage.end && stage.end <= latest;
        if sound && self.stages.len() < STAGES {
            self.stages.push(stage);
        }
    }

    /// The stages of the plan with their times in seconds from the first slice on.
    pub fn stages(&self) -> impl Iterator<Item = (&str, [f64; 3])> {
        let start = self.first.checked_shl(self.width).unwrap_or_default();
        self.stages.iter().map(move |stage| {
            (stage.name.as_str(), [stage.begin, stage.from, stage.end].map(|second| (second - start) as f64))
        })
    }

    /// Adds another part of the same run, read from the same artifact.
    pub fn merge(&mut self, other: &Self) {
        self.absorb(other, f64::max);
    }

    /// Adds a shard of the same run: its users come on top.
    pub fn add_shard(&mut self, other: &Self) {
        self.absorb(other, |own, more| own + more);
    }

    fn absorb(&mut self, other: &Self, users: fn(f64, f64) -> f64) {
        if self.slices.is_empty() && !other.slices.is_empty() {
            self.relative = other.relative;
        }
        // Nobody knows which instants of the two are the same.
        if self.relative != other.relative {
            return;
        }
        while self.width < other.width {
            self.widen();
        }
        for (own, more) in self.stages.iter_mut().zip(&other.stages) {
            own.absorb(more);
        }
        self.stages.extend(other.stages.iter().skip(self.stages.len()).cloned());
        for (at, slice) in (other.first..).zip(&other.slices) {
            // Safe from overflow: both are bounded by `LATEST_MS`.
            if let Some(own) = self.slice_at((at << other.width).saturating_mul(1_000)) {
                own.absorb(slice, users);
            }
        }
    }

    /// Width of a slice in seconds.
    pub fn width_s(&self) -> f64 {
        f64::from(self.width).exp2()
    }

    /// In order of time, without holes.
    pub fn slices(&self) -> impl ExactSizeIterator<Item = &Slice> {
        self.slices.iter()
    }

    /// Whether it shows any course: two slices or more.
    pub fn has_course(&self) -> bool {
        self.slices.len() > 1
    }

    /// When the first slice begins, if anybody knows.
    pub fn start(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.first.checked_shl(self.width)?)
            .ok()
            .filter(|_| !self.slices.is_empty() && !self.relative)
    }

    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    fn slice_at(&mut self, at_ms: i64) -> Option<&mut Slice> {
        if !(0..=LATEST_MS).contains(&at_ms) {
            return None;
        }
        let second = (at_ms.cast_unsigned() / 1_000).cast_signed();
        let index = (second >> self.width).wrapping_sub(self.first) as u64;
        if index < self.slices.len() as u64 {
            return self.slices.get_mut(index as usize);
        }
        self.reach(second);
        self.slices.get_mut(((second >> self.width) - self.first) as usize)
    }

    /// Makes room for `second`, in wider slices if need be.
    #[cold]
    #[inline(never)]
    fn reach(&mut self, second: i64) {
        if self.slices.is_empty() {
            self.first = second >> self.width;
        }
        loop {
            let length = i64::try_from(self.slices.len()).unwrap_or(SPAN).max(1);
            let (at, last) = (second >> self.width, self.first + length - 1);
            let (from, to) = (self.first.min(at), last.max(at));
            if to - from < SPAN || self.width >= WIDEST {
                let earlier = std::mem::replace(&mut self.first, from) - from;
                self.slices.splice(0..0, (0..earlier).map(|_| Slice::default()));
                self.slices.resize((to - from + 1) as usize, Slice::default());
                return;
            }
            self.widen();
        }
    }

    /// Makes slices twice as wide.
    fn widen(&mut self) {
        let first = self.first >> 1;
        let mut wider: Vec<Slice> = Vec::with_capacity(self.slices.len() / 2 + 1);
        for (at, slice) in (self.first..).zip(self.slices.drain(..)) {
            match wider.get_mut(((at >> 1) - first) as usize) {
                Some(known) => known.absorb(&slice, f64::max),
                None => wider.push(slice),
            }
        }
        self.slices = wider;
        self.first = first;
        self.width += 1;
    }
}

/// Eight bins of a histogram in one; of a long duration it is behind the last one.
#[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
#[inline(always)]
fn bin_of(nanos: u64) -> usize {
    (histogram::bin_of(nanos) >> (histogram::BITS - BITS)).saturating_sub(FIRST)
}

/// The middle of a bin in ns.
fn middle_of(bin: usize) -> f64 {
    let (octave, step) = (bin >> BITS, bin & ((1 << BITS) - 1));
    (f64::from(1 << BITS) + step as f64 + 0.5) * (octave as f64 + f64::from(SHORTEST - BITS)).exp2()
}

/// A timeline as JSON.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Wire {
    /// When the first slice begins; null where the artifact only tells times since the run's start.
    #[schemars(with = "Option<Moment>")]
    start: Option<Timestamp>,
    /// Width of a slice in seconds: a power of two.
    width_s: u32,
    /// In order of time, without holes.
    slices: Vec<WireSlice>,
    /// What the load's plan was, where the artifact tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stages: Vec<Stage>,
}

/// One slice of a timeline.
#[derive(Serialize, Deserialize, JsonSchema)]
struct WireSlice {
    /// Requests, failed ones included.
    requests: u64,
    /// Failed ones.
    #[serde(default)]
    failures: Option<u64>,
    /// Most concurrent users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    users: Option<f64>,
    /// Median latency in ms, within 2.2 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency_p50: Option<f64>,
    /// 95th percentile in ms, within 2.2 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency_p95: Option<f64>,
    /// Requests per bin of latency; `loadgate merge` adds them exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bins: Option<String>,
}

impl JsonSchema for Timeline {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timeline".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Wire::json_schema(generator)
    }
}

impl From<Timeline> for Wire {
    fn from(timeline: Timeline) -> Self {
        Self {
            start: timeline.start(),
            width_s: 1 << timeline.width,
            slices: timeline.slices.iter().map(WireSlice::from).collect(),
            stages: timeline.stages,
        }
    }
}

impl From<&Slice> for WireSlice {
    fn from(slice: &Slice) -> Self {
        let percentiles = slice.percentiles().map(|both| both.map(|value| (value * 1e3).round() / 1e3));
        // Pairs of (bins skipped, count), each a byte and, from 255 on, four more.
        let mut bytes = Vec::new();
        let mut put = |number: u32| {
            if let Ok(byte @ 0..=254) = u8::try_from(number) {
                bytes.push(byte);
            } else {
                bytes.push(255);
                bytes.extend(number.to_le_bytes());
            }
        };
        let mut next = 0;
        for (bin, &times) in (0_u32..).zip(&slice.bins).filter(|(_, times)| **times > 0) {
            put(bin - next);
            put(times);
            next = bin + 1;
        }
        Self {
            requests: slice.requests,
            failures: slice.failures,
            users: slice.users,
            latency_p50: percentiles.map(|[p50, _]| p50),
            latency_p95: percentiles.map(|[_, p95]| p95),
            bins: (!bytes.is_empty()).then(|| BASE64.encode(bytes)),
        }
    }
}

impl TryFrom<Wire> for Timeline {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, &'static str> {
        let width = wire.width_s.checked_ilog2().filter(|_| wire.width_s.is_power_of_two());
        let width = width.ok_or("a timeline's width is a power of two of seconds")?;
        if wire.slices.len() > SLICES {
            return Err("a timeline has at most 128 slices");
        }
        let slices: Option<Vec<Slice>> = wire.slices.into_iter().map(WireSlice::read).collect();
        let mut timeline = Self {
            relative: wire.start.is_none(),
            width,
            first: wire.start.map_or(0, |start| start.as_second() >> width),
            slices: slices.ok_or("a timeline's bins are not what loadgate wrote")?,
            ..Self::default()
        };
        wire.stages.into_iter().for_each(|stage| timeline.stage(stage));
        Ok(timeline)
    }
}

impl WireSlice {
    fn read(self) -> Option<Slice> {
        let mut bins = Vec::new();
        if let Some(text) = &self.bins {
            let bytes = BASE64.decode(text).ok()?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let bin = bins.len().checked_add(take(&mut rest)? as usize).filter(|bin| *bin < BINS)?;
                bins.resize(bin, 0);
                bins.push(take(&mut rest)?);
            }
        }
        let sound = |value: Option<f64>| value.filter(|value| value.is_finite() && *value >= 0.0);
        Some(Slice {
            requests: self.requests,
            failures: self.failures.filter(|failures| *failures <= self.requests),
            users: sound(self.users),
            window: sound(self.latency_p50).zip(sound(self.latency_p95)).filter(|_| bins.is_empty()).map(Into::into),
            bins,
        })
    }
}

/// The next number; `None` if it is cut.
fn take(rest: &mut &[u8]) -> Option<u32> {
    let (&byte, tail) = rest.split_first()?;
    *rest = tail;
    if byte < 255 {
        return Some(u32::from(byte));
    }
    let (number, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(u32::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START_MS: i64 = 1_767_492_000_000;

    #[test]
    fn a_long_run_has_wider_slices_and_loses_no_request() {
        let mut timeline = Timeline::default();
        for second in 0..1_000 {
            timeline.add(START_MS + second * 1_000, Some(5_000_000), Some(second % 10 != 0));
        }
        assert_eq!((timeline.width_s(), timeline.slices().len()), (8.0, 125));
        assert_eq!(timeline.slices().map(|slice| slice.requests).sum::<u64>(), 1_000);
        assert_eq!(timeline.slices().map(|slice| slice.failures.unwrap()).sum::<u64>(), 100);
        let [p50, p95] = timeline.slices().next().unwrap().percentiles().unwrap();
        assert!((p50 / 5.0 - 1.0).abs() < 0.03 && p50 == p95, "{p50}");
    }

    #[test]
    fn bins_are_narrow_and_in_order() {
        for nanos in (10..41).flat_map(|bit| [1_u64 << bit, (1 << bit) + (1 << bit) / 3]) {
            let middle = middle_of(bin_of(nanos));
            assert!((middle / nanos as f64 - 1.0).abs() < 0.032, "{nanos} shown as {middle}");
            assert!(bin_of(nanos) <= bin_of(nanos + nanos / 50));
        }
        assert_eq!((bin_of(0), bin_of(1_023), bin_of(1_024)), (0, 0, 0));
        let mut slice = Slice::default();
        for nanos in [u64::MAX, 0, 1_023, 1 << 42, 1 << 41, 1 << 20] {
            slice.add(Some(nanos), Some(true));
        }
        let used: Vec<_> = slice.bins.iter().enumerate().filter(|(_, times)| **times > 0).collect();
        assert_eq!(used, [(0, &2), (bin_of(1 << 20), &1), (BINS - 1, &3)]);
    }

    #[test]
    fn an_outcome_that_is_unknown_stays_so() {
        let mut slice = Slice::default();
        slice.see_users(1.0);
        let outcomes = [Some(true), Some(false), Some(true), None, Some(true), Some(false)];
        let failures = outcomes.map(|ok| {
            slice.add(None, ok);
            slice.failures
        });
        assert_eq!(failures, [Some(0), Some(1), Some(1), None, None, None]);
    }

    #[test]
    fn failures_that_are_told_apart_count_wherever_they_are_read() {
        let (mut failed, mut requests) = (Timeline::default(), Timeline::default());
        failed.failed(START_MS);
        for at in [0, 100, 1_000] {
            requests.add(START_MS + at, Some(1), Some(true));
        }
        failed.merge(&requests);
        assert_eq!(failed.slices().map(|slice| slice.failures).collect::<Vec<_>>(), [Some(1), Some(0)]);
        failed.add(START_MS, Some(1), None);
        assert_eq!(failed.slices().next().unwrap().failures, None);
    }

    #[test]
    fn intervals_are_spread_evenly_and_lose_no_request() {
        let mut timeline = Timeline::default();
        for at in 0..30 {
            let from = START_MS + 2_500 + at * 10_000;
            timeline.interval(from, from + 10_000, (100, Some(10)), Some([5.0, 9.0 + at as f64]));
        }
        assert_eq!((timeline.width_s(), timeline.slices().len()), (8.0, 38));
        assert_eq!(timeline.slices().map(|slice| slice.requests).sum::<u64>(), 3_000);
        assert_eq!(timeline.slices().map(|slice| slice.failures.unwrap()).sum::<u64>(), 300);
        let inner: Vec<&Slice> = timeline.slices().skip(1).take(36).collect();
        assert!(inner.iter().all(|slice| (79..=81).contains(&slice.requests)), "{inner:?}");
        assert!(inner.iter().all(|slice| slice.percentiles().is_some()), "{inner:?}");
        // Too long, backwards, or at no time at all.
        for (from, to) in [(0, LATEST_MS), (5, 5), (9, 3), (-5, 5), (i64::MIN, i64::MAX)] {
            timeline.interval(from, to, (7, Some(9)), None);
            timeline.interval(from, to, (u64::MAX, Some(u64::MAX / 2)), None);
        }
        assert!(timeline.slices().len() <= SLICES);
        assert!(timeline.slices().all(|slice| slice.failures.unwrap() <= slice.requests));
    }

    #[test]
    fn times_since_the_start_stay_so_and_are_never_mixed_with_others() {
        let (mut relative, mut absolute) = (Timeline::default(), Timeline::default());
        relative.since_start();
        for second in [0, 1, 1] {
            relative.add(second * 1_000, Some(1_000_000), Some(true));
            absolute.add(START_MS + second * 1_000, Some(1_000_000), Some(true));
        }
        let text = serde_json::to_string(&relative).unwrap();
        assert!(text.starts_with(r#"{"start":null,"width_s":1,"#), "{text}");
        let read: Timeline = serde_json::from_str(&text).unwrap();
        assert!(read.is_relative() && read.start().is_none());
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        let known = absolute.clone();
        absolute.merge(&relative);
        assert_eq!(absolute, known);
        let mut empty = Timeline::default();
        empty.merge(&relative);
        assert_eq!(serde_json::to_string(&empty).unwrap(), text);
    }

    #[test]
    fn shards_add_their_users_and_a_stage_spans_all_of_them() {
        let shard = |late: i64| {
            let mut timeline = Timeline::default();
            let start = START_MS / 1_000 + late;
            for second in 0..10 {
                timeline.users((start + second) * 1_000, 5.0);
                timeline.add((start + second) * 1_000, Some(1_000_000), Some(second != 3));
            }
            timeline.stage(Stage { name: "at 5".to_owned(), begin: start, from: start + 2, end: start + 10 });
            timeline
        };
        let mut sum = shard(0);
        sum.add_shard(&shard(1));
        let users: Vec<Option<f64>> = sum.slices().map(|slice| slice.users).collect();
        let mut expected = vec![Some(10.0); 11];
        (expected[0], expected[10]) = (Some(5.0), Some(5.0));
        assert_eq!(users, expected);
        assert_eq!(
            sum.slices().map(|slice| slice.failures.unwrap()).collect::<Vec<_>>(),
            [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(sum.stages().collect::<Vec<_>>(), [("at 5", [0.0, 2.0, 11.0])]);
        // Parts of one artifact tell of the same users.
        let mut same = shard(0);
        same.merge(&shard(0));
        assert!(same.slices().all(|slice| slice.users == Some(5.0) && slice.requests == 2));
    }

    #[test]
    fn strange_times_do_no_harm() {
        let mut timeline = Timeline::default();
        for at in [i64::MIN, -LATEST_MS, 0, START_MS, LATEST_MS, i64::MAX] {
            timeline.add(at, Some(1), None);
            timeline.users(at, f64::NAN);
        }
        assert!(timeline.slices().len() <= SLICES);
        assert_eq!(timeline.slices().map(|slice| slice.requests).sum::<u64>(), 3);
        let wire = serde_json::to_string(&timeline).unwrap();
        assert_eq!(serde_json::from_str::<Timeline>(&wire).unwrap().slices().len(), timeline.slices().len());
    }

    proptest! {
        #[test]
        fn order_and_grouping_do_not_matter(
            mut requests in prop::collection::vec((0_i64..5_000, 0_u64..1 << 36, any::<bool>()), 0..200), cut in 0_usize..200,
        ) {
            let of = |requests: &[(i64, u64, bool)]| {
                let mut timeline = Timeline::default();
                for (second, nanos, ok) in requests {
                    timeline.add(START_MS + second * 1_000, Some(*nanos), Some(*ok));
                }
                timeline
            };
            let whole = of(&requests);
            let cut = cut.min(requests.len());
            let (mut left, right) = (of(&requests[..cut]), of(&requests[cut..]));
            left.merge(&right);
            let trimmed = |timeline: &Timeline| -> Vec<Slice> {
                timeline.slices().map(|slice| {
                    let used = slice.bins.iter().rposition(|times| *times > 0).map_or(0, |last| last + 1);
                    Slice { bins: slice.bins[..used].to_vec(), ..slice.clone() }
                }).collect()
            };
            prop_assert_eq!(trimmed(&left), trimmed(&whole));
            prop_assert_eq!(left.width_s(), whole.width_s());
            let text = serde_json::to_string(&whole).unwrap();
            if !requests.is_empty() {
                prop_assert_eq!(&serde_json::to_string(&serde_json::from_str::<Timeline>(&text).unwrap()).unwrap(), &text);
            }
            requests.reverse();
            prop_assert_eq!(serde_json::to_string(&of(&requests)).unwrap(), text);
        }

        #[test]
        fn foreign_bins_are_refused_not_fatal(text in "[A-Za-z0-9+/]{0,60}") {
            let wire = format!(r#"{{"start":"2026-01-04T02:00:00Z","width_s":1,"slices":[{{"requests":1,"bins":"{text}"}}]}}"#);
            if let Ok(timeline) = serde_json::from_str::<Timeline>(&wire) {
                let _ = timeline.slices().next().unwrap().percentiles();
            }
        }
    }
}
