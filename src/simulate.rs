//! A reproducible load test without a system under test: the same seed gives the same requests on every machine.
//!
//! Each service is a Poisson stream of requests whose latency is log-normal with a slow path. All randomness comes from
//! generators named after what they decide, so that a degraded run differs from the unchanged one by its effect alone.

mod random;
pub mod write;

use self::random::Random;

const NANOS_PER_MS: f64 = 1e6;
const NANOS_PER_S: f64 = 1e9;
/// Errors come in bursts: this share of ten-second windows has [`BURST`] times the usual rate.
const BURST_SHARE: f64 = 0.02;
const BURST: f64 = 10.0;
const BURST_WINDOW_NS: u64 = 10_000_000_000;
/// How long, and how much at its start, a cold system is slower.
const WARM_UP_NS: f64 = 10.0 * NANOS_PER_S;
const WARM_UP: f64 = 0.5;

/// One simulated endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// HTTP method; empty where there is none.
    pub method: &'static str,
    /// Endpoint name.
    pub name: &'static str,
    /// Requests per second.
    pub rate: f64,
    /// Median latency of the usual path, in ms.
    pub median_ms: f64,
    /// Spread of the logarithm of the latency.
    pub sigma: f64,
    /// Share of requests on the slow path, which takes three times as long.
    pub slow_share: f64,
    /// Share of failed requests over a long run.
    pub error_rate: f64,
    /// Bytes of an answer.
    pub bytes: u64,
}

/// The services of the pipeline that loadgate replaces, with its rates, medians and means.
pub const SERVICES: [Service; 3] = [
    Service {
        method: "",
        name: "api_gateway",
        rate: 50.0,
        median_ms: 120.0,
        sigma: 0.6,
        slow_share: 0.02,
        error_rate: 0.0033,
        bytes: 1024,
    },
    Service {
        method: "",
        name: "rag_service",
        rate: 25.0,
        median_ms: 2000.0,
        sigma: 0.6,
        slow_share: 0.02,
        error_rate: 0.0,
        bytes: 2048,
    },
    Service {
        method: "",
        name: "mcp_server",
        rate: 15.0,
        median_ms: 3000.0,
        sigma: 0.48,
        slow_share: 0.02,
        error_rate: 0.0,
        bytes: 512,
    },
];

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
        if !services.iter().any(|service| crate::run::label(Some(service.method), service.name) == endpoint) {
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
    /// Length in seconds; ignored where `requests` is given.
    pub seconds: u32,
    /// Number of requests.
    pub requests: Option<u64>,
    /// Spread of the logarithm of a service's speed from run to run.
    pub noise: f64,
    /// What to make worse.
    pub degrade: Vec<Degrade>,
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
pub fn requests(plan: &Plan) -> impl Iterator<Item = Request> {
    let mut streams: Vec<Stream> =
        plan.services.iter().enumerate().map(|(index, service)| Stream::new(plan, index, service)).collect();
    let end_ns = plan.requests.map_or(u64::from(plan.seconds) * 1_000_000_000, |_| u64::MAX);
    let most = usize::try_from(plan.requests.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    std::iter::from_fn(move || {
        let next = streams.iter_mut().min_by_key(|stream| (stream.at_ns, stream.index))?;
        (next.at_ns < end_ns).then(|| next.take())
    })
    .take(most)
}

/// The requests of one service.
struct Stream {
    index: usize,
    service: Service,
    speed: f64,
    degrade_error: f64,
    at_ns: u64,
    arrivals: Random,
    latencies: Random,
    failures: Random,
    seed: u64,
}

impl Stream {
    fn new(plan: &Plan, index: usize, service: &Service) -> Self {
        let label = crate::run::label(Some(service.method), service.name);
        let named = |what: &str| Random::named(plan.seed, &format!("{label}/{what}"));
        let degrades = || plan.degrade.iter().filter(|degrade| degrade.endpoint == label);
        let noise = libm::exp(plan.noise * named("noise").normal());
        let mut stream = Self {
            index,
            service: service.clone(),
            speed: noise * degrades().map(|degrade| degrade.latency).product::<f64>(),
            degrade_error: degrades().map(|degrade| degrade.error).sum(),
            at_ns: 0,
            arrivals: named("arrivals"),
            latencies: named("latencies"),
            failures: named("failures"),
            seed: plan.seed,
        };
        stream.advance();
        stream
    }

    fn advance(&mut self) {
        let gap_s = -libm::log(self.arrivals.open_unit()) / self.service.rate;
        // At least a nanosecond, so that time goes on whatever the rate.
        self.at_ns = self.at_ns.saturating_add((gap_s * NANOS_PER_S).max(1.0) as u64);
    }

    fn take(&mut self) -> Request {
        // Always the same number of draws for a request, so that a change of one figure shifts no other.
        let slow = if self.latencies.unit() < self.service.slow_share { 3.0 } else { 1.0 };
        let usual = self.service.median_ms * libm::exp(self.service.sigma * self.latencies.normal());
        let cold = 1.0 + WARM_UP * (1.0 - self.at_ns as f64 / WARM_UP_NS).max(0.0);
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
        let usual = self.service.error_rate;
        if usual * BURST > 1.0 {
            return usual + self.degrade_error;
        }
        let window = format!("{}/burst/{}", self.service.name, self.at_ns / BURST_WINDOW_NS);
        let now = if Random::named(self.seed, &window).unit() < BURST_SHARE {
            usual * BURST
        } else {
            usual * (1.0 - BURST_SHARE * BURST) / (1.0 - BURST_SHARE)
        };
        now + self.degrade_error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64, degrade: &[&str]) -> Plan {
        let degrade = degrade.iter().map(|text| Degrade::parse(text, &SERVICES).unwrap()).collect();
        Plan { seed, services: SERVICES.to_vec(), seconds: 120, requests: None, noise: 0.03, degrade }
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
