//! Where the level of a series changed: E-divisive (Matteson & James 2014) with a permutation test that gives the same
//! result on every machine (section 13). Informative only, nothing is judged by it.

/// Longest series that is looked at: its end.
const LONGEST: usize = 100;
/// Fewest values on either side of a change.
const SEGMENT: usize = 3;
/// Shuffles per test.
const PERMUTATIONS: u32 = 199;
/// A split counts if at most this share of the series (shuffled and not) has one as strong.
const LEVEL: f64 = 0.01;
/// Changes smaller than this are not shown.
const LEAST_CHANGE: f64 = 0.05;
/// Start of every test's generator: `loadgate` in ASCII.
const SEED: u64 = 0x6C6F_6164_6761_7465;

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// Place of the first value of the new level in the series.
    pub index: usize,
    /// Relative change from the mean of the level before to that of the level after (of logs, so geometric): 0.1 is +10 %.
    pub change: f64,
}

/// The strongest split of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// Energy distance between the two parts.
    pub q: f64,
    /// Place of the first value of the second part.
    pub at: usize,
}

/// Changes of level in a series of natural logarithms, oldest first, in order; only its last 100 values are looked at.
pub fn change_points(logs: &[f64]) -> Vec<ChangePoint> {
    let skipped = logs.len().saturating_sub(LONGEST);
    let series = logs.get(skipped..).unwrap_or_default();
    let mut cuts = vec![0];
    divide(series, 0, &mut cuts);
    cuts.push(series.len());
    cuts.sort_unstable();
    let level = |from: usize, to: usize| super::mean(series.get(from..to).unwrap_or_default());
    cuts.windows(3)
        .filter_map(|cut| {
            let &[before, at, after] = cut else { return None };
            let change = (level(at, after)? - level(before, at)?).exp_m1();
            (change.abs() >= LEAST_CHANGE).then_some(ChangePoint { index: skipped + at, change })
        })
        .collect()
}

/// The split with the largest `q = m k/(m+k) (2A/(m k) - 2B/(m(m-1)) - 2C/(k(k-1)))`, the first if several are equal, where
/// A, B and C sum the distances across, within the first and within the second part. `None` for fewer than six values.
pub fn strongest_split(series: &[f64]) -> Option<Split> {
    let (mut across, mut first) = (0.0, 0.0);
    let mut second: f64 = series.iter().enumerate().map(|(i, x)| distances(*x, series.iter().take(i))).sum();
    let mut best: Option<Split> = None;
    for (i, x) in series.iter().enumerate() {
        // The value x goes over to the first part.
        let (left, right) = (distances(*x, series.iter().take(i)), distances(*x, series.iter().skip(i + 1)));
        first += left;
        second -= right;
        across += right - left;
        let (at, rest) = (i + 1, series.len() - i - 1);
        if at < SEGMENT || rest < SEGMENT {
            continue;
        }
        let (m, k) = (at as f64, rest as f64);
        let within = 2.0 * first / (m * (m - 1.0)) + 2.0 * second / (k * (k - 1.0));
        let q = m * k / (m + k) * (2.0 * across / (m * k) - within);
        if best.is_none_or(|best| q > best.q) {
            best = Some(Split { q, at });
        }
    }
    best
}

/// Share of the series and its shuffles whose strongest split is at least as strong as `q`.
pub fn permutation_p(series: &[f64], q: f64) -> f64 {
    share(stronger(series, q).count())
}

/// Whether [`permutation_p`] is at most [`LEVEL`]: most series have no change, and a few shuffles are enough to see that.
fn is_significant(series: &[f64], q: f64) -> bool {
    let enough = (0..PERMUTATIONS as usize).find(|number| share(*number) > LEVEL).unwrap_or_default();
    stronger(series, q).take(enough).count() < enough
}

fn share(stronger: usize) -> f64 {
    (1 + stronger) as f64 / f64::from(PERMUTATIONS + 1)
}

/// An item for each shuffle whose strongest split is at least as strong as `q`.
fn stronger(series: &[f64], q: f64) -> impl Iterator<Item = ()> {
    let mut shuffled = series.to_vec();
    let mut random = SplitMix64(SEED);
    (0..PERMUTATIONS).filter_map(move |_| {
        for i in (1..shuffled.len()).rev() {
            shuffled.swap(i, (random.next() % (i as u64 + 1)) as usize);
        }
        strongest_split(&shuffled).filter(|split| split.q >= q * (1.0 - 1e-12)).map(|_| ())
    })
}

/// Steele, Lea, Flood 2014. Good enough to shuffle with, and the same everywhere.
#[derive(Debug, Clone)]
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "an endless generator is no iterator that anyone would collect")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

fn divide(series: &[f64], offset: usize, cuts: &mut Vec<usize>) {
    let Some(split) = strongest_split(series) else { return };
    if !is_significant(series, split.q) {
        return;
    }
    cuts.push(offset + split.at);
    let (first, second) = series.split_at(split.at);
    divide(first, offset, cuts);
    divide(second, offset + split.at, cuts);
}

fn distances<'a>(x: f64, others: impl Iterator<Item = &'a f64>) -> f64 {
    others.map(|other| (x - other).abs()).sum()
}
