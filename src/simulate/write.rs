//! Simulated requests in the words of Locust, k6 and JMeter, as streams.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Timestamp;

use super::{Request, Service};

const NANOS_PER_MS: f64 = 1e6;
const LEVELS: [f64; 11] = [0.5, 0.66, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999, 1.0];
const PERCENTILES: &str = "50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%";
pub(crate) const ERROR: &str = "HTTPError('500 Server Error')";

/// Figures as Locust keeps them: exact but for response times, which it rounds to two digits.
#[derive(Debug, Clone, Default)]
struct Figures {
    requests: u64,
    failures: u64,
    sum_ns: u128,
    min_ns: u64,
    max_ns: u64,
    bytes: u128,
    times: BTreeMap<u64, u64>,
}

impl Figures {
    fn add(&mut self, request: &Request, bytes: u64) {
        self.min_ns = if self.requests == 0 { request.latency_ns } else { self.min_ns.min(request.latency_ns) };
        self.max_ns = self.max_ns.max(request.latency_ns);
        self.requests += 1;
        self.failures += u64::from(request.failed);
        self.sum_ns += u128::from(request.latency_ns);
        self.bytes += u128::from(bytes);
        *self.times.entry(rounded_ms(request.latency_ns)).or_default() += 1;
    }

    /// As Locust finds it, `calculate_response_time_percentile`: counted down from the slowest.
    fn percentile(&self, level: f64) -> Option<u64> {
        let wanted = (self.requests as f64 * level) as u64;
        let mut seen = 0;
        self.times.iter().rev().find_map(|(ms, count)| {
            seen += count;
            (self.requests - seen <= wanted).then_some(*ms)
        })
    }

    /// `median,mean,min,max,bytes`, or zeros as Locust writes them where nothing was measured.
    fn summary(&self) -> String {
        let mean = |sum: u128| if self.requests == 0 { 0.0 } else { sum as f64 / self.requests as f64 };
        format!(
            "{},{},{},{},{}",
            self.percentile(0.5).unwrap_or(0),
            mean(self.sum_ns) / NANOS_PER_MS,
            self.min_ns as f64 / NANOS_PER_MS,
            self.max_ns as f64 / NANOS_PER_MS,
            mean(self.bytes)
        )
    }

    fn percentiles(&self) -> String {
        let cell = |level| self.percentile(level).map_or_else(|| "N/A".to_owned(), |ms| ms.to_string());
        LEVELS.map(cell).join(",")
    }
}

/// Locust's rounding, `StatsEntry._log_response_time`: two digits.
fn rounded_ms(nanos: u64) -> u64 {
    let ms = (nanos + 500_000) / 1_000_000;
    let step = match ms {
        0..100 => 1,
        100..1_000 => 10,
        1_000..10_000 => 100,
        _ => 1_000,
    };
    (ms + step / 2) / step * step
}

/// The CSV set of Locust: `_stats`, `_stats_history`, `_failures`.
#[derive(Debug)]
pub struct Locust<W> {
    history: W,
    services: Vec<(Service, Figures)>,
    all: Figures,
    users: u32,
    start: Timestamp,
    second: u64,
    before: (u64, u64),
}

impl<W: Write> Locust<W> {
    /// Begins the history; the other files are written at the end.
    pub fn new(mut history: W, services: &[Service], users: u32, start: Timestamp) -> io::Result<Self> {
        writeln!(
            history,
            "Timestamp,User Count,Type,Name,Requests/s,Failures/s,{PERCENTILES},Total Request Count,Total Failure Count,\
             Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time,Total Average Content Size"
        )?;
        let services = services.iter().map(|service| (service.clone(), Figures::default())).collect();
        Ok(Self { history, services, all: Figures::default(), users, start, second: 0, before: (0, 0) })
    }

    /// Takes the next request, at which there are so many users.
    pub fn add(&mut self, request: &Request, users: u32) -> io::Result<()> {
        while self.second < request.at_ns / 1_000_000_000 {
            self.tick()?;
        }
        self.users = users;
        if let Some((service, figures)) = self.services.get_mut(request.service) {
            figures.add(request, service.bytes);
            self.all.add(request, service.bytes);
        }
        Ok(())
    }

    fn tick(&mut self) -> io::Result<()> {
        self.second += 1;
        let all = &self.all;
        let (requests, failures) = (all.requests - self.before.0, all.failures - self.before.1);
        self.before = (all.requests, all.failures);
        writeln!(
            self.history,
            "{},{},,Aggregated,{requests}.000000,{failures}.000000,{},{},{},{}",
            self.start.as_second().saturating_add_unsigned(self.second),
            self.users,
            all.percentiles(),
            all.requests,
            all.failures,
            all.summary()
        )
    }

    /// Writes what is known only at the end; `seconds` is the length of the run.
    pub fn finish(mut self, mut stats: impl Write, mut failures: impl Write, seconds: f64) -> io::Result<()> {
        self.tick()?;
        self.history.flush()?;
        writeln!(
            stats,
            "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,\
             Max Response Time,Average Content Size,Requests/s,Failures/s,{PERCENTILES}"
        )?;
        writeln!(failures, "Method,Name,Error,Occurrences")?;
        let rows = self.services.iter().map(|(service, figures)| (&*service.method, &*service.name, figures));
        for (method, name, figures) in rows.chain([("", "Aggregated", &self.all)]).filter(|row| row.2.requests > 0) {
            let (requests, failed) = (figures.requests, figures.failures);
            writeln!(
                stats,
                "{method},{name},{requests},{failed},{},{},{},{}",
                figures.summary(),
                requests as f64 / seconds,
                failed as f64 / seconds,
                figures.percentiles()
            )?;
            if failed > 0 && name != "Aggregated" {
                writeln!(failures, "{method},{name},{ERROR},{failed}")?;
            }
        }
        stats.flush()?;
        failures.flush()
    }
}

/// The first line of a JMeter JTL.
pub fn jtl_header(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,bytes,grpThreads,allThreads")
}

/// One request as a line of a JMeter JTL.
pub fn jtl(out: &mut impl Write, request: &Request, service: &Service, start: Timestamp, users: u32) -> io::Result<()> {
    let at = i128::from(start.as_millisecond()) + i128::from(request.at_ns / 1_000_000);
    let (code, message) = if request.failed { (500, "Server Error") } else { (200, "OK") };
    writeln!(
        out,
        "{at},{},{},{code},{message},simulated 1-1,{},{},{users},{users}",
        request.latency_ns / 1_000_000,
        service.label(),
        !request.failed,
        service.bytes
    )
}

/// One request as the three points that k6 writes of it.
pub fn k6(out: &mut impl Write, request: &Request, service: &Service, start: Timestamp) -> io::Result<()> {
    let end = request.at_ns.saturating_add(request.latency_ns);
    let time = start + jiff::SignedDuration::from_nanos(i64::try_from(end).unwrap_or(i64::MAX));
    let status = if request.failed { 500 } else { 200 };
    let tags = format!(
        r#"{{"expected_response":"{}","method":"{}","name":"{}","status":"{status}"}}"#,
        !request.failed,
        if service.method.is_empty() { "GET" } else { &service.method },
        service.name
    );
    let latency = request.latency_ns as f64 / NANOS_PER_MS;
    let failed = f64::from(u8::from(request.failed));
    for (metric, value) in [("http_reqs", 1.0), ("http_req_duration", latency), ("http_req_failed", failed)] {
        writeln!(
            out,
            r#"{{"metric":"{metric}","type":"Point","data":{{"time":"{time}","value":{value},"tags":{tags}}}}}"#
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_as_locust_rounds_them() {
        for (ms, expected) in [(0, 0), (99, 99), (104, 100), (105, 110), (1_449, 1_400), (12_600, 13_000)] {
            assert_eq!(rounded_ms(ms * 1_000_000), expected);
        }
    }
}
