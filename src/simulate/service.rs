//! What is simulated: services with their rates, latencies and errors.

use std::borrow::Cow;

/// One simulated endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// HTTP method; empty where there is none.
    pub method: Cow<'static, str>,
    /// Endpoint name.
    pub name: Cow<'static, str>,
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
    service("api_gateway", 50.0, [120.0, 0.6], 0.0033, 1024),
    service("rag_service", 25.0, [2000.0, 0.6], 0.0, 2048),
    service("mcp_server", 15.0, [3000.0, 0.48], 0.0, 512),
];

const fn service(name: &'static str, rate: f64, latency: [f64; 2], error_rate: f64, bytes: u64) -> Service {
    let [median_ms, sigma] = latency;
    let (method, name) = (Cow::Borrowed(""), Cow::Borrowed(name));
    Service { method, name, rate, median_ms, sigma, slow_share: 0.02, error_rate, bytes }
}

/// Why a `--service` could not be understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "expected `POST /checkout:rate=20,median=120ms,sigma=0.5,slow=2%,errors=0.3%,bytes=2048`, found {text:?}: {what}"
)]
pub struct ServiceError {
    /// As given.
    pub text: String,
    /// What is wrong.
    pub what: String,
}

impl Service {
    /// As endpoints are shown.
    pub fn label(&self) -> String {
        crate::run::label(Some(&self.method), &self.name)
    }

    /// Reads `POST /checkout:rate=20,median=120ms,…`; the name ends at the last colon, and what is not given is usual.
    pub fn parse(text: &str) -> Result<Self, ServiceError> {
        let wrong = |what: String| ServiceError { text: text.to_owned(), what };
        let (label, settings) =
            text.rsplit_once(':').ok_or_else(|| wrong("a name, a colon and settings are needed".to_owned()))?;
        let (method, name) = match label.split_once(' ') {
            Some((method, name)) if method.chars().all(|char| char.is_ascii_uppercase()) => (method, name.trim()),
            _ => ("", label.trim()),
        };
        // The name goes into CSV and JSON as it is.
        if name.is_empty() || name.chars().any(|char| char.is_control() || "\",\\".contains(char)) {
            return Err(wrong("that name cannot be written".to_owned()));
        }
        let mut found = service("", 10.0, [100.0, 0.5], 0.0, 1024);
        (found.method, found.name) = (Cow::Owned(method.to_owned()), Cow::Owned(name.to_owned()));
        for setting in settings.split(',').map(str::trim) {
            let unclear = || wrong(format!("{setting:?} is unclear"));
            let (key, value) = setting.split_once('=').ok_or_else(unclear)?;
            let number = |value: &str, most: f64| {
                value.parse::<f64>().ok().filter(|number| *number >= 0.0 && *number <= most).ok_or_else(unclear)
            };
            let share = |value: &str| Ok(number(value.strip_suffix('%').ok_or_else(unclear)?, 100.0)? / 100.0);
            match key {
                "rate" => found.rate = number(value, 1e6)?,
                "median" => found.median_ms = number(value.strip_suffix("ms").ok_or_else(unclear)?, 1e7)?,
                "sigma" => found.sigma = number(value, 5.0)?,
                "slow" => found.slow_share = share(value)?,
                "errors" => found.error_rate = share(value)?,
                "bytes" => found.bytes = value.parse().ok().ok_or_else(unclear)?,
                _ => return Err(unclear()),
            }
        }
        if found.rate <= 0.0 {
            return Err(wrong("a service without requests".to_owned()));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_one_line() {
        let found = Service::parse("POST /checkout:rate=20,median=120ms,errors=0.5%").unwrap();
        assert_eq!((found.label().as_str(), found.rate, found.median_ms), ("POST /checkout", 20.0, 120.0));
        assert_eq!((found.error_rate, found.slow_share), (0.005, 0.02));
        for text in ["", "a", "a:", "a:rate=x", "a:rate=0", "a:median=5", "a,b:rate=1", ":rate=1", "a:errors=101%"] {
            assert!(Service::parse(text).is_err(), "{text}");
        }
    }
}
