//! What the gate promises, measured: `cargo run --release --example gate_acceptance [seed]`.
//!
//! Draws load tests whose truth is known (unchanged, slower, failing more, another load, a slow host) from a generator of
//! its own, records baselines through the text of the baseline file, judges, and prints how often the gate was right next
//! to what is promised. A promise is broken where the count contradicts it (one-sided 95 %); 0 and 100 % allow no exception.

#![expect(clippy::print_stdout, clippy::panic, reason = "a program for a developer's terminal")]

use jiff::civil::date;
use loadgate::baseline::store::{self, Stored};
use loadgate::baseline::{Baseline, Origin};
use loadgate::compare::compare;
use loadgate::compare::stats::change_points::SplitMix64;
use loadgate::policy::Policy;
use loadgate::run::metric::{Measurement, Metric, PERCENTILES, Source};
use loadgate::run::{Endpoint, Load, Run};
use loadgate::verdict::{Finding, Outcome, Status, judge};

const CASES: usize = 400;
const ENDPOINTS: usize = 5;
/// The endpoint that changes.
const CHANGED: usize = 2;

/// What may be wrong with a run.
#[derive(Clone, Copy)]
struct Truth {
    /// Factor on the latency of the changed endpoint.
    latency: f64,
    /// Factor on that of all endpoints.
    all: f64,
    /// Factor on how often the slow path is taken.
    slow_path: f64,
    /// Added to the failure rate of the changed endpoint.
    errors: f64,
    /// Factor on users and requests.
    load: f64,
    /// Factor on requests alone.
    requests: f64,
    /// Factor on the length of the run.
    length: f64,
}

const UNCHANGED: Truth =
    Truth { latency: 1.0, all: 1.0, slow_path: 1.0, errors: 0.0, load: 1.0, requests: 1.0, length: 1.0 };

/// Standard deviations of ln p50, of ln p95, and of ln p99 from run to run.
#[derive(Clone, Copy)]
struct Noise([f64; 3]);

const LOW: Noise = Noise([0.02, 0.03, 0.08]);
const MID: Noise = Noise([0.04, 0.05, 0.09]);
const HIGH: Noise = Noise([0.09, 0.10, 0.13]);

/// Share of each step of the noise that hits all endpoints of a run alike: slow hosts do, pauses in the tail less so.
const COMMON: [f64; 3] = [0.95, 0.5, 0.3];

/// How a case is drawn.
#[derive(Clone)]
struct Setup {
    noises: Vec<Noise>,
    depths: Vec<usize>,
    repeats: usize,
    requests: (f64, f64),
    /// Share of runs on a host that is 30 % slower.
    slow_hosts: f64,
    /// One baseline run in which everything was twice as slow.
    bad_run: bool,
    truth: Truth,
}

fn setup(noises: &[Noise], depths: &[usize], truth: Truth) -> Setup {
    Setup {
        noises: noises.to_vec(),
        depths: depths.to_vec(),
        repeats: 1,
        requests: (3_000.0, 5_000.0),
        slow_hosts: 0.0,
        bad_run: false,
        truth,
    }
}

/// Random numbers of a case.
struct Random(SplitMix64);

impl Random {
    fn uniform(&mut self) -> f64 {
        ((self.0.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        let place = (self.uniform() * items.len() as f64) as usize;
        items.get(place).copied().unwrap_or_else(|| panic!("nothing to draw from"))
    }

    /// Failures among `n`, where bursts make the variance `burst` times the binomial's.
    fn failures(&mut self, n: f64, rate: f64, burst: f64) -> f64 {
        let events = n * rate / burst;
        if events > 50.0 {
            return (n * rate + (n * rate * (1.0 - rate) * burst).sqrt() * self.normal()).round().clamp(0.0, n);
        }
        let (mut product, mut count) = (self.uniform(), 0.0);
        while product > (-events).exp() {
            product *= self.uniform();
            count += 1.0;
        }
        (count * burst).round().min(n)
    }
}

/// The service under test: what does not change from run to run.
struct Service {
    median: Vec<f64>,
    spread: f64,
    slow_share: f64,
    slow_factor: f64,
    error_rate: Vec<f64>,
    requests: Vec<f64>,
    burst: f64,
    noise: Noise,
}

impl Service {
    fn draw(setup: &Setup, random: &mut Random) -> Self {
        let requests = (0..ENDPOINTS).map(|_| random.between(setup.requests.0, setup.requests.1)).collect();
        Self {
            median: (0..ENDPOINTS).map(|_| 10.0 * 100f64.powf(random.uniform())).collect(),
            spread: random.between(0.3, 0.6),
            slow_share: random.between(0.02, 0.04),
            slow_factor: random.between(3.0, 5.0),
            error_rate: (0..ENDPOINTS).map(|_| random.of(&[0.0, 0.0005, 0.001, 0.002])).collect(),
            requests,
            // Failures come in bursts where there is traffic enough for them.
            burst: if setup.requests.0 > 1_000.0 { random.of(&[1.0, 1.0, 1.5]) } else { 1.0 },
            noise: setup.noises.get((random.uniform() * setup.noises.len() as f64) as usize).copied().unwrap_or(MID),
        }
    }

    /// One run.
    fn run(&self, truth: Truth, slow_host: bool, random: &mut Random) -> Run {
        let common = [random.normal(), random.normal(), random.normal()];
        let endpoints = (0..ENDPOINTS).map(|place| self.endpoint(place, truth, slow_host, common, random)).collect();
        Run {
            // Not every artifact knows; a known length that differs by more than 10 % is another load.
            duration_s: (truth.length == 1.0).then_some(240.0),
            load: Load { users: Some(50.0 * truth.load), ..Load::default() },
            endpoints,
            ..Run::default()
        }
    }

    fn endpoint(&self, place: usize, truth: Truth, slow_host: bool, common: [f64; 3], random: &mut Random) -> Endpoint {
        let at = |values: &[f64]| values.get(place).copied().unwrap_or_default();
        let changed = place == CHANGED;
        let factor = truth.all * if changed { truth.latency } else { 1.0 } * if slow_host { 1.3 } else { 1.0 };
        let share = self.slow_share * if changed { truth.slow_path } else { 1.0 };
        // Independent steps of noise up the distribution, so that p50, p95 and p99 scatter as the level says.
        let [p50, p95, p99] = self.noise.0;
        let sd = [p50, (p95 * p95 - p50 * p50).sqrt(), (p99 * p99 - p95 * p95).sqrt()];
        let noise: Vec<f64> = sd
            .iter()
            .zip(common)
            .zip(COMMON)
            .map(|((sd, common), share)| sd * (share.sqrt() * common + (1.0 - share).sqrt() * random.normal()))
            .collect();
        // The offered load is fixed by users who wait for answers: slower answers, a few fewer requests.
        let requests = (at(&self.requests) * truth.load * truth.requests * truth.length / factor.powf(0.1)
            * (1.0 + 0.03 * random.normal()))
        .round();
        let rate = at(&self.error_rate) + if changed { truth.errors } else { 0.0 };
        let failures = random.failures(requests, rate, self.burst).min(requests);
        let levels = bridge(requests / 2.0, random);
        let mut metrics: Vec<(Metric, f64, f64)> = Vec::new();
        for (metric, level) in PERCENTILES.into_iter().zip(levels) {
            let tail = [0.5, 0.9, 0.98].iter().zip(&noise).filter(|(from, _)| metric.quantile() >= Some(**from));
            let shift: f64 = tail.map(|(_, noise)| noise).sum();
            let value = at(&self.median) * factor * shift.exp() * self.quantile(level, share);
            let (value, step) = locust_rounding(value);
            metrics.push((metric, value, step));
        }
        let first = noise.first().copied().unwrap_or_default();
        let mean = at(&self.median) * factor * (first + self.spread * self.spread / 2.0).exp();
        let mean = mean * (1.0 + share * (self.slow_factor - 1.0)) * (1.0 + (1.0 / requests).sqrt() * random.normal());
        metrics.push((Metric::LatencyMean, mean, 0.0));
        metrics.push((Metric::Throughput, requests / (240.0 * truth.length), 0.0));
        let measured = |(metric, value, step)| Some((metric, Measurement::new(value, Source::Reported, Some(step))?));
        Endpoint {
            method: Some("GET".to_owned()),
            name: format!("/e{place}"),
            requests: Some(requests as u64),
            failures: Some(failures as u64),
            metrics: metrics.into_iter().filter_map(measured).collect(),
            ..Endpoint::default()
        }
    }

    /// Of a lognormal distribution of median 1, a share of which takes a slow path.
    fn quantile(&self, level: f64, share: f64) -> f64 {
        let below = |x: f64| {
            let fast = normal_below(x.ln() / self.spread);
            let slow = normal_below((x / self.slow_factor).ln() / self.spread);
            (1.0 - share) * fast + share * slow
        };
        let (mut low, mut high): (f64, f64) = (1e-3, 1e3);
        for _ in 0..60 {
            let middle = (low * high).sqrt();
            if below(middle) < level { low = middle } else { high = middle }
        }
        low
    }
}

/// The levels that the percentiles of a sample of `n` really stand at: a Brownian bridge at each of them.
fn bridge(n: f64, random: &mut Random) -> Vec<f64> {
    let (mut at, mut value) = (0.0, 0.0);
    let mut levels = Vec::new();
    for level in PERCENTILES.iter().filter_map(Metric::quantile) {
        let rest = (1.0 - level) / (1.0 - at);
        value = value * rest + (rest * (level - at)).sqrt() * random.normal();
        at = level;
        levels.push((level + value / n.sqrt()).clamp(1e-6, 1.0 - 1e-6));
    }
    // A percentile is never below the one before.
    let mut most = 0.0;
    for level in &mut levels {
        most = f64::max(most, *level);
        *level = most;
    }
    levels
}

/// Two significant digits, whole milliseconds.
fn locust_rounding(value: f64) -> (f64, f64) {
    let step = if value < 100.0 { 1.0 } else { 10f64.powf(value.log10().floor() - 1.0) };
    (((value / step).round() * step).max(1.0), step)
}

/// The normal distribution function, to 1e-7 (Abramowitz & Stegun 26.2.17).
fn normal_below(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let poly =
        t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt() * poly;
    if x >= 0.0 { 1.0 - tail } else { tail }
}

/// What the gate said, as far as the promises ask.
struct Said {
    outcome: Outcome,
    load_mismatch: bool,
    /// `(endpoint, metric, status)`
    rows: Vec<(String, Option<Metric>, Status)>,
}

impl Said {
    fn any(&self, status: Status, wanted: impl Fn(&str, &Metric) -> bool) -> bool {
        self.rows.iter().any(|(endpoint, metric, own)| {
            *own == status && metric.as_ref().is_some_and(|metric| wanted(endpoint, metric))
        })
    }

    fn any_fail(&self) -> bool {
        self.any(Status::Fail, |_, _| true)
    }

    fn changed_latency(&self, status: Status) -> bool {
        self.any(status, |endpoint, metric| endpoint == changed() && metric.is_latency())
    }
}

fn changed() -> String {
    format!("GET /e{CHANGED}")
}

fn case(setup: &Setup, random: &mut Random) -> Said {
    let service = Service::draw(setup, random);
    let mut baseline = Baseline::new("case");
    let depth = random.of(&setup.depths);
    let bad = setup.bad_run.then(|| (random.uniform() * depth as f64) as usize);
    for number in 0..depth {
        let all = if bad == Some(number) { 2.0 } else { 1.0 };
        let run = service.run(Truth { all, ..UNCHANGED }, random.uniform() < setup.slow_hosts, random);
        baseline.add(&run, Origin { id: format!("r{number}"), ..Origin::default() });
    }
    let baseline = match store::parse(&store::to_text(&baseline), "baseline.json") {
        Ok(Stored::Baseline(baseline)) => baseline,
        other => panic!("{other:?}"),
    };
    let current: Vec<Run> =
        (0..setup.repeats).map(|_| service.run(setup.truth, random.uniform() < setup.slow_hosts, random)).collect();
    let policy = Policy::shipped();
    let comparison = compare(&baseline, &current);
    let verdict = judge(&policy, &comparison, date(2026, 11, 24));
    let row = |finding: &Finding<'_>| (finding.endpoint.clone(), finding.metric.clone(), finding.status);
    Said {
        outcome: verdict.outcome,
        load_mismatch: comparison.load_mismatch.is_some(),
        rows: verdict.findings.iter().map(row).collect(),
    }
}

/// A promise and how it was kept.
struct Promise {
    title: &'static str,
    /// At most (`false`) or at least (`true`) this share.
    at_least: bool,
    share: f64,
    kept: fn(&Said) -> bool,
    setup: Setup,
}

fn main() {
    let seed = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("{:<66} {:>9} {:>15}", "property (default rules, gate auto)", "promise", "found");
    let mut broken = 0;
    for (place, promise) in promises().iter().enumerate() {
        let mut random = Random(SplitMix64(seed * 1_000 + place as u64));
        let hits = (0..CASES).filter(|_| (promise.kept)(&case(&promise.setup, &mut random))).count();
        let contradicted = contradicts(hits, promise);
        broken += usize::from(contradicted);
        println!(
            "{:<66} {:>2} {:>4} % {:>4} = {:>5.1} %{}",
            promise.title,
            if promise.at_least { ">=" } else { "<=" },
            promise.share * 100.0,
            hits,
            hits as f64 / CASES as f64 * 100.0,
            if contradicted { "  BROKEN" } else { "" }
        );
    }
    println!("{CASES} cases each, seed {seed}; {broken} promises broken");
}

/// Whether so many hits would be seen in less than 5 % of trials if the promise just held.
fn contradicts(hits: usize, promise: &Promise) -> bool {
    let (n, p) = (CASES as f64, promise.share);
    if p == 0.0 || p == 1.0 {
        return hits as f64 != n * p;
    }
    let chance = |x: usize| {
        let (x, n) = (x as f64, n);
        let ln_choose: f64 = (0..x as usize).map(|i| ((n - i as f64) / (i as f64 + 1.0)).ln()).sum();
        (ln_choose + x * p.ln() + (n - x) * (1.0 - p).ln()).exp()
    };
    let tail: f64 = if promise.at_least { (0..=hits).map(chance).sum() } else { (hits..=CASES).map(chance).sum() };
    tail < 0.05
}

fn slower(factor: f64) -> Truth {
    Truth { latency: factor, ..UNCHANGED }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn promises() -> Vec<Promise> {
    let calm = [LOW, MID];
    let any_depth = [3, 4, 5, 7, 10, 15, 20];
    let from_five = [5, 7, 10, 15, 20];
    let most = |title, share, kept, setup| Promise { title, at_least: false, share, kept, setup };
    let least = |title, share, kept, setup| Promise { title, at_least: true, share, kept, setup };
    let few = |setup: Setup| Setup { requests: (20.0, 150.0), ..setup };
    let lottery = |setup: Setup| Setup { slow_hosts: 0.2, ..setup };
    let fails_elsewhere = |said: &Said| said.any(Status::Fail, |endpoint, _| endpoint != changed());
    let latency_fails = |said: &Said| said.changed_latency(Status::Fail);
    let errors_fail =
        |said: &Said| said.any(Status::Fail, |endpoint, metric| endpoint == changed() && *metric == Metric::ErrorRate);
    let tail_fails = |said: &Said| {
        said.any(Status::Fail, |endpoint, metric| {
            endpoint == changed() && matches!(metric, Metric::LatencyP95 | Metric::LatencyP99)
        })
    };
    let other_load = Truth { load: 2.0, ..UNCHANGED };
    vec![
        most(
            "unchanged, low and mid noise, 3 to 20 runs: any fail",
            0.02,
            Said::any_fail,
            setup(&calm, &any_depth, UNCHANGED),
        ),
        most("unchanged, 20 to 150 requests: any fail", 0.02, Said::any_fail, few(setup(&calm, &any_depth, UNCHANGED))),
        most(
            "unchanged, 15 % fewer requests: any fail",
            0.02,
            Said::any_fail,
            setup(&calm, &any_depth, Truth { length: 0.85, ..UNCHANGED }),
        ),
        most(
            "unchanged, high noise, 10 runs or more: any fail",
            0.03,
            Said::any_fail,
            setup(&[HIGH], &[10, 15, 20], UNCHANGED),
        ),
        most(
            "unchanged, high noise, 3 to 5 runs: any fail",
            0.06,
            Said::any_fail,
            setup(&[HIGH], &[3, 4, 5], UNCHANGED),
        ),
        most(
            "20 % of runs on a 30 % slower host, 10 runs or more: any fail",
            0.05,
            Said::any_fail,
            lottery(setup(&calm, &[10, 15, 20], UNCHANGED)),
        ),
        most(
            "one bad baseline run, 10 runs or more: any fail",
            0.05,
            Said::any_fail,
            Setup { bad_run: true, ..setup(&calm, &[10, 15, 20], UNCHANGED) },
        ),
        most(
            "15 % less throughput everywhere: fail on another metric",
            0.05,
            |said| said.any(Status::Fail, |_, metric| *metric != Metric::Throughput),
            setup(&calm, &any_depth, Truth { requests: 0.85, ..UNCHANGED }),
        ),
        most("one endpoint +30 %: fail on another", 0.05, fails_elsewhere, setup(&calm, &any_depth, slower(1.3))),
        most("20 to 150 requests: fail on p95 or p99", 0.0, tail_fails, few(setup(&calm, &any_depth, slower(1.3)))),
        least(
            "one endpoint +20 %, 5 runs or more: its latency fails",
            0.80,
            latency_fails,
            setup(&calm, &from_five, slower(1.2)),
        ),
        least(
            "the same with 3 repeats",
            0.95,
            latency_fails,
            Setup { repeats: 3, ..setup(&calm, &from_five, slower(1.2)) },
        ),
        least(
            "one endpoint +30 %, 3 runs or more: its latency fails",
            0.90,
            latency_fails,
            setup(&calm, &any_depth, slower(1.3)),
        ),
        least(
            "one endpoint +50 %, 3 runs or more: its latency fails",
            0.98,
            latency_fails,
            setup(&calm, &any_depth, slower(1.5)),
        ),
        least(
            "one endpoint +50 %, high noise, 5 runs or more: its latency fails",
            0.90,
            latency_fails,
            setup(&[HIGH], &from_five, slower(1.5)),
        ),
        most(
            "all endpoints +50 %: the suite passes",
            0.0,
            |said| said.outcome == Outcome::Pass,
            setup(&calm, &any_depth, Truth { all: 1.5, ..UNCHANGED }),
        ),
        least(
            "slow path 4 times as frequent: p95 or p99 fails",
            0.90,
            tail_fails,
            setup(&calm, &any_depth, Truth { slow_path: 4.0, ..UNCHANGED }),
        ),
        least(
            "errors +1 point, 4000 requests: the error rate fails",
            0.85,
            errors_fail,
            setup(&calm, &any_depth, Truth { errors: 0.01, ..UNCHANGED }),
        ),
        least(
            "errors +2 points: the error rate fails",
            0.98,
            errors_fail,
            setup(&calm, &any_depth, Truth { errors: 0.02, ..UNCHANGED }),
        ),
        least(
            "one endpoint -30 %: improved",
            0.85,
            |said| said.changed_latency(Status::Improved),
            setup(&calm, &any_depth, slower(0.7)),
        ),
        most(
            "twice the users: latency or throughput fails",
            0.0,
            |said| said.any(Status::Fail, |_, metric| *metric != Metric::ErrorRate),
            setup(&calm, &any_depth, other_load),
        ),
        least("twice the users: said", 1.0, |said| said.load_mismatch, setup(&calm, &any_depth, other_load)),
        most(
            "the same users: a load mismatch is said",
            0.0,
            |said| said.load_mismatch,
            setup(&calm, &any_depth, slower(1.3)),
        ),
    ]
}
