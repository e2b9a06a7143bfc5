//! A reproducible load test without a system under test: the same seed gives the same requests on every machine.
//!
//! Each service is a Poisson stream of requests whose latency is log-normal with a slow path. All randomness comes from
//! generators named after what they decide, so that a degraded run differs from the unchanged one by its effect alone.

mod random;
pub mod service;
pub mod write;

use self::random::Random;
pub use self::service::{SERVICES, Service, ServiceError};

const NANOS_PER_MS: f64 = 1e6;
const NANOS_PER_S: f64 = 1e9;
/// Errors come in bursts: some ten-second windows have [`BURST`] times the usual rate.
const BURST: f64 = 10.0;
const BURST_WINDOW_NS: u64 = 10_000_000_000;
/// How much slower a cold system is at its start.
const WARM_UP: f64 = 0.5;

/// What was made worse, and by how much: the true effect that a gate should find.
#[derive(Debug, Clone, PartialEq)]
pub struct Degrade {
    /// The endpoint's label.
    pub endpoint: String,
    /// Every latency is multiplied by this.
    pub latency: f64,
    /// Added to the error rate, as a ratio.
    pub error: f64,
}

/// Why a `--degrade` could not be understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DegradeError {
    /// Not of the form.
    #[error("expected `endpoint:latency*1.3,error+1pp`, found {0:?}")]
    Form(String),
    /// No such service.
    #[error("there is no endpoint {0:?}")]
    Endpoint(String),
}

impl Degrade {
    /// Reads `api_gateway:latency*1.3,error+1pp`; the endpoint ends at the last colon.
    pub fn parse(text: &str, services: &[Service]) -> Result<Self, DegradeError> {
        let form = || DegradeError::Form(text.to_owned());
        let (endpoint, changes) = text.rsplit_once(':').ok_or_else(form)?;
        if !services.iter().any(|service| service.label() == endpoint) {
            return Err(DegradeError::Endpoint(endpoint.to_owned()));
        }
        let mut found = Self { endpoint: endpoint.to_owned(), latency: 1.0, error: 0.0 };
        for change in changes.split(',').map(str::trim) {
            let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
            if let Some(factor) = change.strip_prefix("latency*") {
                found.latency = number(factor).filter(|factor| *factor > 0.0).ok_or_else(form)?;
            } else if let Some(points) = change.strip_prefix("error+").and_then(|rest| rest.strip_suffix("pp")) {
                found.error = number(points).filter(|points| *points <= 100.0).ok_or_else(form)? / 100.0;
            } else {
                return Err(form());
            }
        }
        Ok(found)
    }
}

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Decides everything random.
    pub seed: u64,
    /// The endpoints.
    pub services: Vec<Service>,
    /// Users from the start, as `(until second, users)`; the last entry is the end. Rates are those of the most users.
    pub load: Vec<(u32, u32)>,
    /// Number of requests; the load's last level then goes on as long as it takes.
    pub requests: Option<u64>,
    /// Spread of the logarithm of a service's speed from run to run.
    pub noise: f64,
    /// Seconds until the system is warm.
    pub warm_up_s: u32,
    /// Share of time in which errors are ten times as frequent; less frequent otherwise, so that their long-run share stays.
    pub burst_share: f64,
    /// What to make worse.
    pub degrade: Vec<Degrade>,
}

impl Plan {
    /// Length in seconds.
    pub fn seconds(&self) -> u32 {
        self.load.last().map_or(0, |(until, _)| *until)
    }

    /// Most users.
    pub fn most_users(&self) -> u32 {
        self.load.iter().map(|(_, users)| *users).max().unwrap_or_default()
    }

    /// Users at a time.
    pub fn users(&self, at_ns: u64) -> u32 {
        let level = self.load.iter().find(|(until, _)| at_ns < u64::from(*until) * 1_000_000_000);
        level.or(self.load.last()).map_or(0, |(_, users)| *users)
    }
}

/// One simulated request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Index into the plan's services.
    pub service: usize,
    /// Start, nanoseconds after the start of the run.
    pub at_ns: u64,
    /// Latency in nanoseconds.
    pub latency_ns: u64,
    /// Whether it failed.
    pub failed: bool,
}

/// The requests of the plan in order of their start; memory does not grow with their number.
pub fn requests(plan: &Plan) -> impl Iterator<Item = Request> + '_ {
    let mut streams: Vec<Stream<'_>> =
        plan.services.iter().enumerate().map(|(index, service)| Stream::new(plan, index, service)).collect();
    let end_ns = plan.requests.map_or(u64::from(plan.seconds()) * 1_000_000_000, |_| u64::MAX);
    let most = usize::try_from(plan.requests.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    std::iter::from_fn(move || {
        let next = streams.iter_mut().min_by_key(|stream| (stream.at_ns, stream.index))?;
        (next.at_ns < end_ns).then(|| next.take())
    })
    .take(most)
}

/// The requests of one service.
struct Stream<'p> {
    plan: &'p Plan,
    index: usize,
    service: &'p Service,
    speed: f64,
    degrade_error: f64,
    at_ns: u64,
    arrivals: Random,
    latencies: Random,
    failures: Random,
}

impl<'p> Stream<'p> {
    fn new(plan: &'p Plan, index: usize, service: &'p Service) -> Self {
        let label = service.label();
        let named = |what: &str| Random::named(plan.seed, &format!("{label}/{what}"));
        let degrades = || plan.degrade.iter().filter(|degrade| degrade.endpoint == label);
        let noise = libm::exp(plan.noise * named("noise").normal());
        let mut stream = Self {
            plan,
            index,
            service,
            speed: noise * degrades().map(|degrade| degrade.latency).product::<f64>(),
            degrade_error: degrades().map(|degrade| degrade.error).sum(),
            at_ns: 0,
            arrivals: named("arrivals"),
            latencies: named("latencies"),
            failures: named("failures"),
        };
        stream.advance();
        stream
    }

    fn advance(&mut self) {
        let most = f64::from(self.plan.most_users().max(1));
        let rate = self.service.rate * f64::from(self.plan.users(self.at_ns).max(1)) / most;
        let gap_s = -libm::log(self.arrivals.open_unit()) / rate;
        // At least a nanosecond, so that time goes on whatever the rate.
        self.at_ns = self.at_ns.saturating_add((gap_s * NANOS_PER_S).max(1.0) as u64);
    }

    fn take(&mut self) -> Request {
        // Always the same number of draws for a request, so that a change of one figure shifts no other.
        let slow = if self.latencies.unit() < self.service.slow_share { 3.0 } else { 1.0 };
        let usual = self.service.median_ms * libm::exp(self.service.sigma * self.latencies.normal());
        let warm_ns = f64::from(self.plan.warm_up_s) * NANOS_PER_S;
        let cold = if warm_ns > 0.0 { 1.0 + WARM_UP * (1.0 - self.at_ns as f64 / warm_ns).max(0.0) } else { 1.0 };
        let request = Request {
            service: self.index,
            at_ns: self.at_ns,
            latency_ns: (usual * slow * cold * self.speed * NANOS_PER_MS) as u64,
            failed: self.failures.unit() < self.error_rate(),
        };
        self.advance();
        request
    }

    /// The error rate now. Bursts move errors together and leave their long-run share as it is.
    fn error_rate(&self) -> f64 {
        let (usual, share) = (self.service.error_rate, self.plan.burst_share);
        if usual * BURST > 1.0 || share * BURST > 1.0 {
            return usual + self.degrade_error;
        }
        let window = format!("{}/burst/{}", self.service.name, self.at_ns / BURST_WINDOW_NS);
        let now = if Random::named(self.plan.seed, &window).unit() < share {
            usual * BURST
        } else {
            usual * (1.0 - share * BURST) / (1.0 - share)
        };
        now + self.degrade_error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64, degrade: &[&str]) -> Plan {
        let degrade = degrade.iter().map(|text| Degrade::parse(text, &SERVICES).unwrap()).collect();
        let load = vec![(120, 1)];
        let services = SERVICES.to_vec();
        Plan { seed, services, load, requests: None, noise: 0.03, warm_up_s: 10, burst_share: 0.02, degrade }
    }

    #[test]
    fn requests_come_in_order_at_the_rates_asked_for() {
        let all: Vec<Request> = requests(&plan(1, &[])).collect();
        assert!(all.is_sorted_by_key(|request| request.at_ns));
        for (index, service) in SERVICES.iter().enumerate() {
            let count = all.iter().filter(|request| request.service == index).count() as f64;
            let expected = service.rate * 120.0;
            assert!((count - expected).abs() < 5.0 * expected.sqrt(), "{}: {count}", service.name);
        }
    }

    #[test]
    fn a_degraded_run_differs_by_its_effect_alone() {
        let base: Vec<Request> = requests(&plan(7, &[])).collect();
        let slow: Vec<Request> = requests(&plan(7, &["rag_service:latency*1.5,error+2pp"])).collect();
        assert_eq!(base.len(), slow.len());
        for (before, now) in base.iter().zip(&slow) {
            assert_eq!(before.at_ns, now.at_ns);
            if before.service == 1 {
                assert!((now.latency_ns as f64 / before.latency_ns as f64 - 1.5).abs() < 1e-6);
                assert!(now.failed || !before.failed);
            } else {
                assert_eq!(before, now);
            }
        }
        assert!(slow.iter().filter(|request| request.service == 1 && request.failed).count() > 20);
    }

    #[test]
    fn rates_follow_the_users() {
        let plan = Plan { load: vec![(60, 1), (120, 10)], ..plan(1, &[]) };
        let (few, many): (Vec<Request>, Vec<Request>) =
            requests(&plan).partition(|request| request.at_ns < 60_000_000_000);
        let ratio = many.len() as f64 / few.len() as f64;
        assert!((8.0..12.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn requests_can_be_counted_instead_of_timed() {
        let plan = Plan { requests: Some(1234), ..plan(1, &[]) };
        assert_eq!(requests(&plan).count(), 1234);
    }

    #[test]
    fn a_degrade_that_means_nothing_is_refused() {
        for text in ["", "api_gateway", "api_gateway:", "api_gateway:latency*x", "api_gateway:error+101pp"] {
            assert_eq!(Degrade::parse(text, &SERVICES), Err(DegradeError::Form(text.to_owned())));
        }
        assert_eq!(Degrade::parse("x:latency*2", &SERVICES), Err(DegradeError::Endpoint("x".to_owned())));
    }
}
