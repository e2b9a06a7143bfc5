//! Two counts of failures among requests: did the rate rise? (section 7)
//!
//! Rates are ratios 0..1. Counts are `f64` because overdispersed ones are divided by a factor first.

use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::gamma::ln_gamma;

/// The series of the Beta distribution function takes some twenty times the root of the failures: this is for 10^6.
const MOST_TERMS: f64 = 20_000.0;

/// The 97.5 % quantile of the normal distribution.
const Z975: f64 = 1.959_963_984_540_054;

/// `x` failures among `n` requests; `n` > 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportion {
    /// Failures.
    pub x: f64,
    /// Requests.
    pub n: f64,
}

impl Proportion {
    /// `x/n`
    pub fn rate(self) -> f64 {
        self.x / self.n
    }

    /// Both counts divided by `phi`.
    #[must_use]
    pub fn deflated(self, phi: f64) -> Self {
        Self { x: self.x / phi, n: self.n / phi }
    }
}

/// How much more than binomial the failures of several runs scatter:
/// `phi = max(1, (4 + sum (x_i - n_i P)^2/(n_i P (1-P)))/(3 + N))`, `P = (x + .5)/(n + 1)`; 1 for fewer than two runs.
pub fn overdispersion(runs: &[Proportion]) -> f64 {
    if runs.len() < 2 {
        return 1.0;
    }
    let (x, n) = runs.iter().fold((0.0, 0.0), |(x, n), run| (x + run.x, n + run.n));
    let rate = (x + 0.5) / (n + 1.0);
    let chi: f64 = runs.iter().map(|run| (run.x - run.n * rate).powi(2) / (run.n * rate * (1.0 - rate))).sum();
    ((4.0 + chi) / (3.0 + runs.len() as f64)).max(1.0)
}

/// Chance that the rate did *not* rise: P(p1 <= p0) with independent posteriors `p ~ Beta(x + .5, n - x + .5)`
/// (Jeffreys; Brown, Cai, `DasGupta` 2001). Defined for 0 failures and for fractions.
pub fn chance_not_risen(before: Proportion, now: Proportion) -> f64 {
    let (p0, p1) = (LogOdds::jeffreys(before), LogOdds::jeffreys(now));
    // The narrower density is integrated against the other's distribution function, so that one grid is fine enough for
    // both. Seen from the successes the same chance is P(1 - p0 <= 1 - p1).
    let chance = if p0.width() <= p1.width() { p1.below(&p0) } else { p0.mirrored().below(&p1.mirrored()) };
    chance.clamp(0.0, 1.0)
}

/// Chance that the rate rose by more than `by` (0.005 is half a point), under the same posteriors. For words only.
pub fn chance_risen_by(before: Proportion, now: Proportion, by: f64) -> f64 {
    let (p0, p1) = (LogOdds::jeffreys(before), LogOdds::jeffreys(now));
    // Trapezoidal rule in log-odds over all that the density of p0 weighs; fine, because the integrand ends in a kink where
    // p0 + by reaches 1.
    let step = p0.step() / 10.0;
    let weigh = |u: f64| {
        let rate = logistic(u) + by;
        p0.density(u) * if rate < 1.0 { 1.0 - p1.distribution((rate / (1.0 - rate)).ln()) } else { 0.0 }
    };
    let sum: f64 = p0.grid(step).map(weigh).sum();
    (sum * step).clamp(0.0, 1.0)
}

/// One-sided Fisher mid-p: `P(X > x1) + P(X = x1)/2`, X hypergeometric (`n0 + n1` requests, `x0 + x1` failures, `n1`
/// drawn). Whole counts only.
pub fn fisher_mid_p(before: Proportion, now: Proportion) -> f64 {
    let (failures, all) = (before.x + now.x, before.n + now.n);
    let choose = |n: f64, k: f64| ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
    let chance = |x: f64| (choose(failures, x) + choose(all - failures, now.n - x) - choose(all, now.n)).exp();
    let most = failures.min(now.n);
    let mut sum = chance(now.x) / 2.0;
    let mut x = now.x + 1.0;
    while x <= most {
        let term = chance(x);
        sum += term;
        // Past the mode the terms only fall.
        if term < sum * 1e-17 && x > now.n * failures / all {
            break;
        }
        x += 1.0;
    }
    sum.min(1.0)
}

/// Wilson's 95 % interval of a rate: `(p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2))/(1 + z^2/n)`, exactly 0 for no failures
/// and exactly 1 for nothing else.
pub fn wilson(counts: Proportion) -> [f64; 2] {
    let (p, n, z) = (counts.rate(), counts.n, Z975);
    let centre = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    let low = if counts.x <= 0.0 { 0.0 } else { ((centre - half) / scale).max(0.0) };
    let high = if counts.x >= counts.n { 1.0 } else { ((centre + half) / scale).min(1.0) };
    [low, high]
}

/// Newcombe's 95 % interval (1998, from Wilson's) of the difference of rates, now minus before.
pub fn newcombe(before: Proportion, now: Proportion) -> [f64; 2] {
    let (p0, p1) = (before.rate(), now.rate());
    let ([l0, u0], [l1, u1]) = (wilson(before), wilson(now));
    [p1 - p0 - (p1 - l1).hypot(u0 - p0), p1 - p0 + (u1 - p1).hypot(p0 - l0)]
}

/// The smallest whole number of failures in `requests` whose rate is over `before` by more than `limit` and for which the
/// chance of no rise is at most `level`; `None` if not even all of them would do. All counts are divided by `phi` for the
/// chance, not for the limit.
pub fn failures_needed(before: Proportion, requests: f64, phi: f64, limit: f64, level: f64) -> Option<f64> {
    let enough = |x: f64| {
        let now = Proportion { x, n: requests };
        now.rate() - before.rate() - limit > super::EPSILON
            && chance_not_risen(before.deflated(phi), now.deflated(phi)) <= level
    };
    // Both conditions hold from some number on. That of the limit is known, that of the other about: from there downwards in
    // growing steps until a number is not enough, or upwards until one is, and then between the two.
    let mut low = ((before.rate() + limit) * requests - 1.0).floor().max(-1.0);
    let mut high = None;
    let start = failures_about(before.deflated(phi), requests / phi, level) * phi;
    let mut next = start.ceil().max(low + 1.0).min(requests);
    let mut stride = 1.0;
    loop {
        if enough(next) {
            high = Some(next);
        } else if next >= requests {
            return None;
        } else {
            low = next;
        }
        next = match high {
            None => (low + stride).min(requests),
            Some(high) => {
                let middle = f64::midpoint(low, high).floor();
                // Above 2^53 neighbouring numbers are more than one apart.
                if middle <= low || middle >= high {
                    return Some(high);
                }
                middle.max(high - stride)
            }
        };
        stride *= 2.0;
    }
}

/// About so many failures in `requests` have a chance of no rise of `level`: the angles `asin sqrt(p)` of rates are almost
/// normal, with a variance of 1/4n.
fn failures_about(before: Proportion, requests: f64, level: f64) -> f64 {
    let z = std::f64::consts::SQRT_2 * erfc_inv(2.0 * level);
    let angle =
        ((before.x + 0.25) / (before.n + 0.5)).sqrt().asin() + z / 2.0 * (1.0 / before.n + 1.0 / requests).sqrt();
    angle.min(std::f64::consts::FRAC_PI_2).sin().powi(2) * (requests + 0.5) - 0.25
}

/// A Beta(a, b) variable in log-odds `u = ln(p/(1-p))`, where its density `p^a (1-p)^b / B(a, b)` is log-concave, analytic,
/// and falls exponentially on both sides: what the trapezoidal rule likes best. Everything is counted from the mode, so that
/// large counts do not cancel.
#[derive(Debug, Clone, Copy)]
struct LogOdds {
    a: f64,
    b: f64,
    mode: f64,
    /// Logarithm of the density at the mode.
    ln_height: f64,
}

impl LogOdds {
    fn jeffreys(counts: Proportion) -> Self {
        Self::new(counts.x + 0.5, counts.n - counts.x + 0.5)
    }

    fn new(a: f64, b: f64) -> Self {
        let spread = (a / (a + b) * b / std::f64::consts::TAU).ln() / 2.0;
        Self { a, b, mode: (a / b).ln(), ln_height: spread + stirling(a + b) - stirling(a) - stirling(b) }
    }

    /// The distribution of 1 - p.
    fn mirrored(self) -> Self {
        Self { a: self.b, b: self.a, mode: -self.mode, ..self }
    }

    /// Standard deviation of the normal density with the same curvature at the mode.
    fn width(&self) -> f64 {
        (1.0 / self.a + 1.0 / self.b).sqrt()
    }

    /// A step at which the trapezoidal rule has converged: a fraction of the width, and of the distance of the density's
    /// poles (at odds of -1) from the real line.
    fn step(&self) -> f64 {
        (0.4 * self.width()).min(0.5)
    }

    fn density(&self, u: f64) -> f64 {
        self.ln_density(u).exp()
    }

    fn ln_density(&self, u: f64) -> f64 {
        // Seen from the smaller parameter, which the larger would swallow.
        if self.a > self.b {
            return self.mirrored().ln_density(-u);
        }
        let h = u - self.mode;
        self.ln_density_at(h, h.exp_m1())
    }

    /// `h` from the mode, `growth = e^h - 1`: ln of p^a (1-p)^b, minus the same at the mode. For `a` at most `b`.
    fn ln_density_at(&self, h: f64, growth: f64) -> f64 {
        let n = self.a + self.b;
        let share = self.a / n;
        let grown = if h < 500.0 { (share * growth).ln_1p() } else { share.ln() + h };
        self.ln_height + self.a * h - n * grown
    }

    /// Grid points around the mode, as far as the density is more than 1e-13 of its height.
    fn grid(&self, step: f64) -> impl Iterator<Item = f64> {
        let (this, mode) = (*self, self.mode);
        let least = this.ln_density(mode) - 30.0;
        let reach = move |side: f64| {
            (0..100_000)
                .map(move |i| mode + side * step * f64::from(i))
                .take_while(move |u| this.ln_density(*u) > least)
        };
        reach(-1.0).chain(reach(1.0).skip(1))
    }

    /// The distribution function at `u`, by the series `p^a (1-p)^b/(a B(a,b)) sum (a+b)_n/(a+1)_n p^n`, all of whose terms
    /// are positive; for the variable or its mirror image, whichever has the smaller first parameter and so fewer terms.
    fn distribution(&self, u: f64) -> f64 {
        if self.a > self.b {
            return 1.0 - self.mirrored().distribution(-u);
        }
        let mode = self.mode;
        if u > mode && self.ln_density(u) < self.ln_density(mode) - 40.0 {
            return 1.0;
        }
        let p = logistic(u);
        let (mut sum, mut term, mut n) = (1.0, 1.0, 0.0);
        while term > sum * 1e-16 {
            term *= p * (self.a + self.b + n) / (self.a + 1.0 + n);
            sum += term;
            n += 1.0;
            if n > MOST_TERMS {
                // So many failures make the posterior normal.
                return 0.5 * erfc((mode - u) / self.width() / std::f64::consts::SQRT_2);
            }
        }
        self.density(u) / self.a * sum
    }

    /// P(self <= other), best if `other` is the narrower: the integral of `other`'s density times this one's distribution
    /// function by the trapezoidal rule. The distribution function is the running sum of the same rule with the first two
    /// Euler-Maclaurin corrections, so one pass over some forty points is enough, whatever the counts.
    fn below(&self, other: &Self) -> f64 {
        let step = other.step().min(self.step());
        // Where the product may weigh most: between the modes, nearer to the narrower one.
        let (v0, v1) = (self.width().powi(-2), other.width().powi(-2));
        let centre = if self.mode < other.mode { other.mode } else { (v0 * self.mode + v1 * other.mode) / (v0 + v1) };
        // Left of the centre the product is bounded by density times the height or the fall of this density.
        let bound = |u: f64| other.ln_density(u) + self.ln_density(u.min(self.mode));
        let least = bound(centre) - 25.0;
        let mut u = centre;
        while bound(u) > least {
            // A point too many costs less than a look at each.
            u -= 4.0 * step;
        }
        let (density, correction) = self.corrected(u, step);
        let mut cumulated = self.distribution(u) - step / 2.0 * density + correction;
        let mut sum = 0.0;
        loop {
            let (density, correction) = self.corrected(u, step);
            let distribution = cumulated + step / 2.0 * density - correction;
            let term = other.density(u) * distribution;
            sum += term;
            if u > centre && (term.abs() <= sum.abs() * 1e-12 || term.is_nan()) {
                return sum * step;
            }
            cumulated += step * density;
            u += step;
        }
    }

    /// The density `f` at `u`, and what the trapezoidal rule up to there gives too much: `h^2/12 f' - h^4/720 f'''`. For the
    /// points of [`LogOdds::below`], none of which is so far out that its exponential is infinite.
    #[expect(clippy::many_single_char_names, reason = "the letters of the formula")]
    fn corrected(&self, u: f64, step: f64) -> (f64, f64) {
        // Seen from the smaller parameter, as in the density itself; odd derivatives change their sign with the side.
        if self.a > self.b {
            let (density, correction) = self.mirrored().corrected(-u, step);
            return (density, -correction);
        }
        let (n, h) = (self.a + self.b, u - self.mode);
        let (p, q) = (self.a / n, self.b / n);
        let growth = h.exp_m1();
        let scale = 1.0 + p * growth;
        let f = self.ln_density_at(h, growth).exp();
        // a - n p(u) and its derivatives, without the cancellation.
        let slope = -self.a * q * growth / scale;
        let curvature = -self.a * q * (1.0 + growth) / (scale * scale);
        let third = curvature * (2.0 * q / scale - 1.0);
        let h2 = step * step;
        (f, f * (h2 / 12.0 * slope - h2 * h2 / 720.0 * (slope.powi(3) + 3.0 * slope * curvature + third)))
    }
}

/// What Stirling's formula `(z - 1/2) ln z - z + ln(2 pi)/2` lacks to the logarithm of the gamma function.
fn stirling(z: f64) -> f64 {
    if z > 100.0 {
        return (1.0 - 1.0 / (30.0 * z * z)) / (12.0 * z);
    }
    ln_gamma(z) - ((z - 0.5) * z.ln() - z + std::f64::consts::TAU.ln() / 2.0)
}

fn logistic(u: f64) -> f64 {
    if u >= 0.0 { 1.0 / (1.0 + (-u).exp()) } else { u.exp() / (1.0 + u.exp()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_counts_end_in_a_chance() {
        let most = u64::MAX as f64;
        let counts = [0.0, 1.0, 1e3, 1e9, 1e15, most / 2.0, most];
        for n in [1.0, 1e3, 1e9, 1e15, most] {
            for x0 in counts.into_iter().filter(|x| *x <= n) {
                for x1 in counts.into_iter().filter(|x| *x <= n) {
                    let (before, now) = (Proportion { x: x0, n }, Proportion { x: x1, n });
                    let p = chance_not_risen(before, now);
                    assert!((0.0..=1.0).contains(&p), "{before:?} {now:?}: {p}");
                    let _ = failures_needed(before, n, 1.0, 0.005, 0.01);
                    let _ = (newcombe(before, now), overdispersion(&[before, now]));
                }
            }
        }
    }

    #[test]
    fn the_smallest_number_of_failures_is_that_of_counting_up() {
        let odd = [0.0, 1.0, 3.0, 40.0].map(|x| Proportion { x, n: 200.0 });
        for (before, requests) in odd.into_iter().flat_map(|before| [1.0, 7.0, 60.0, 200.0].map(|n| (before, n))) {
            for (phi, limit) in [(1.0, 0.0), (1.0, 0.005), (5.0, 0.0), (5.0, 0.2)] {
                let counted = (0..=requests as u64).map(|x| x as f64).find(|x| {
                    let now = Proportion { x: *x, n: requests };
                    let over = now.rate() - before.rate() - limit > super::super::EPSILON;
                    over && chance_not_risen(before.deflated(phi), now.deflated(phi)) <= 0.01
                });
                let found = failures_needed(before, requests, phi, limit, 0.01);
                assert_eq!(found, counted, "{before:?} of {requests}, phi {phi}, limit {limit}");
            }
        }
    }

    #[test]
    fn the_chance_of_no_rise_is_half_for_equal_counts() {
        for x in [1.0, 40.0, 999.0] {
            let counts = Proportion { x, n: 1_000.0 };
            let p = chance_not_risen(counts, counts);
            assert!((p - 0.5).abs() < 1e-7, "{p}");
        }
    }
}
