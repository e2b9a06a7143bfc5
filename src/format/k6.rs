//! What all of k6's artifacts have in common: names of files, requests among metrics, and the user's own metrics.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::plain::Span;
use super::rows::nanos;
use crate::run::Notice;
use crate::run::histogram::Histogram;
use crate::run::metric::{Metric, PERCENTILES};
use crate::run::recorder::{Draft, Recorder};
use crate::run::timeline::Timeline;

pub(super) const TOOL: &str = "k6";

/// How people name the several outputs of one run.
pub(super) const SUFFIXES: &[&str] = &[
    "-summary-export",
    "_summary_export",
    "summary-export",
    "-summary",
    "_summary",
    ".summary",
    "summary",
    "-results",
    "_results",
    "-metrics",
    "_metrics",
    "-points",
    "_points",
    ".k6",
    "results",
    "metrics",
    "points",
];

/// Nanoseconds in k6's milliseconds.
const NANOS: f64 = 1e6;
/// The user's own metrics kept; k6 scripts have a handful.
const MAX_CUSTOM: usize = 500;
/// Longest metric name, as in k6 itself.
const MAX_NAME: usize = 128;

/// k6's own metrics that are not about requests, or are parts of a request's time; all others are the user's or an
/// extension's, and `checks`, which k6 users gate on.
const OWN: &[&str] = &[
    "vus",
    "vus_max",
    "iterations",
    "iteration_duration",
    "dropped_iterations",
    "group_duration",
    "data_sent",
    "data_received",
];

/// Whether a metric is shown as `custom:<name>`.
pub(super) fn is_custom(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !OWN.contains(&name)
        && !["http_req", "browser_http_req", "browser_data_", "grpc_req"].iter().any(|own| name.starts_with(own))
}

/// Whether nothing is ever read from the points of a metric: most lines of a file.
#[inline]
pub(super) fn is_skipped(metric: &[u8]) -> bool {
    matches!(
        metric,
        b"http_reqs"
            | b"http_req_blocked"
            | b"http_req_connecting"
            | b"http_req_tls_handshaking"
            | b"http_req_sending"
            | b"http_req_waiting"
            | b"http_req_receiving"
            | b"data_sent"
            | b"data_received"
            | b"iterations"
            | b"iteration_duration"
            | b"group_duration"
            | b"vus_max"
    )
}

/// How a metric adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Rate,
    Trend,
}

impl Kind {
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "rate" => Self::Rate,
            "trend" => Self::Trend,
            _ => return None,
        })
    }
}

/// `custom:<name>`, or `custom:<name>:p95` for a further figure of a trend.
pub(super) fn custom(name: &str, figure: Option<&str>) -> Metric {
    Metric::Custom(figure.map_or_else(|| name.to_owned(), |figure| format!("{name}:{figure}")))
}

/// The metric of checks, which k6 itself defines: a rate whatever a file says.
const CHECKS: &str = "checks";

/// Single points, one after the other: requests go to their endpoints, custom metrics to the total.
pub(super) struct Points {
    requests: u64,
    judged: u64,
    dropped: f64,
    kinds: BTreeMap<String, Kind>,
    custom: BTreeMap<String, Custom>,
}

/// What a point says besides its metric and value.
#[derive(Default)]
pub(super) struct Tags<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) method: Cow<'a, str>,
    pub(super) status: Cow<'a, str>,
    pub(super) error: Cow<'a, str>,
    /// End of the request, ms since the epoch.
    pub(super) time: Option<f64>,
}

impl Default for Points {
    fn default() -> Self {
        let kinds = BTreeMap::from([(CHECKS.to_owned(), Kind::Rate)]);
        Self { requests: 0, judged: 0, dropped: 0.0, kinds, custom: BTreeMap::new() }
    }
}

/// Points that were added up apart, because they need nothing of those before them.
#[derive(Debug, Clone, Default)]
pub(super) struct PlainPoints {
    pub(super) span: Span<f64>,
    pub(super) timeline: Timeline,
    /// Requests over HTTP, and outcomes of such, of which none was a failure.
    pub(super) requests: u64,
    pub(super) judged: u64,
    /// Checks that failed, and that passed.
    pub(super) checks: [u64; 2],
}

impl PlainPoints {
    /// A request over HTTP that ended at `end`, in ms since the epoch.
    #[inline]
    pub(super) fn request(&mut self, end: f64, nanos: u64) {
        self.span.add(end - nanos as f64 / NANOS, end);
        self.timeline.add(end as i64, Some(nanos), Some(true));
        self.requests += 1;
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.span.join(other.span);
        self.timeline.merge(&other.timeline);
        self.requests += other.requests;
        self.judged += other.judged;
        let [failed, passed] = other.checks;
        self.checks = [self.checks[0] + failed, self.checks[1] + passed];
    }
}

impl Points {
    /// Adds points that were added up apart; the samples of the requests have their own way.
    pub(super) fn add_plain(&mut self, plain: &PlainPoints, recorder: &mut Recorder) {
        if let Some((start, end)) = plain.span.get() {
            recorder.spans(start, end);
        }
        recorder.timeline().merge(&plain.timeline);
        self.requests += plain.requests;
        self.judged += plain.judged;
        let [failed, passed] = plain.checks;
        if failed + passed > 0 {
            let checks = self.custom.entry(CHECKS.to_owned()).or_insert_with(|| Custom::new(Kind::Rate));
            checks.count += failed + passed;
            checks.nonzero += passed;
        }
    }

    /// Says how a metric adds up, which stands before its first point.
    pub(super) fn declare(&mut self, name: &str, kind: Kind) {
        if is_custom(name) && name != CHECKS && self.kinds.len() < MAX_CUSTOM {
            self.kinds.insert(name.to_owned(), kind);
        }
    }

    /// Takes a point. `Err` says what is wrong with it.
    pub(super) fn add(
        &mut self,
        metric: &str,
        value: f64,
        tags: &Tags<'_>,
        recorder: &mut Recorder,
    ) -> Result<(), String> {
        if !value.is_finite() {
            return Err(format!("expected a finite number for `{metric}`, found {value}"));
        }
        match metric {
            "http_req_duration" | "browser_http_req_duration" | "grpc_req_duration" => {
                if value < 0.0 {
                    return Err(format!("expected a duration for `{metric}`, found {value}"));
                }
                if let Some(end) = tags.time {
                    recorder.spans(end - value, end);
                }
                self.requests += 1;
                // gRPC's own status; of HTTP another point tells.
                let failed = metric == "grpc_req_duration" && tags.status != "0";
                if let Some(end) = tags.time {
                    recorder.timeline().add(end as i64, Some(nanos(value, NANOS)), Some(!failed));
                }
                self.judged += u64::from(metric == "grpc_req_duration");
                let draft = endpoint(metric, tags, recorder);
                draft.samples().add(Some(nanos(value, NANOS)), Some(!failed));
                if failed {
                    draft.error(&reason(metric, tags), 1);
                }
            }
            "http_req_failed" | "browser_http_req_failed" => {
                self.judged += 1;
                if value != 0.0 {
                    if let Some(at) = tags.time {
                        recorder.timeline().failed(at as i64);
                    }
                    let draft = endpoint(metric, tags, recorder);
                    let samples = draft.samples();
                    samples.failures = samples.failures.map(|failures| failures.saturating_add(1));
                    draft.error(&reason(metric, tags), 1);
                }
            }
            "vus" => {
                recorder.users(value);
                if let Some(at) = tags.time {
                    recorder.timeline().users(at as i64, value);
                }
            }
            "dropped_iterations" => self.dropped += value,
            _ => {
                if let Some(kind) = self.kinds.get(metric) {
                    self.custom.entry(metric.to_owned()).or_insert_with(|| Custom::new(*kind)).add(value);
                }
            }
        }
        Ok(())
    }

    /// What can only be said at the end.
    pub(super) fn finish(self, recorder: &mut Recorder) {
        // A file that was cut off may lack the outcome of its last requests.
        if self.judged < self.requests && (self.requests - self.judged) * 100 > self.requests {
            recorder.failures_unknown();
            let message =
                "without `http_req_failed` (k6 before 0.31, or `responseCallback` set to null): failures are not known";
            recorder.notice(Notice::new("failures_unknown", message));
        }
        dropped(self.dropped, recorder);
        for (name, figures) in &self.custom {
            figures.hand_over(name, recorder.total());
        }
    }
}

/// k6 could not start what it was asked to: the load was lower than planned.
pub(super) fn dropped(iterations: f64, recorder: &mut Recorder) {
    if iterations > 0.0 {
        let message = format!("k6 dropped {iterations} iterations: it could not keep up the rate it was asked for");
        recorder.notice(Notice::new("dropped_iterations", message));
    }
}

fn endpoint<'a>(metric: &str, tags: &Tags<'_>, recorder: &'a mut Recorder) -> &'a mut Draft {
    // The method of gRPC is a part of the name.
    let method = if metric.starts_with("grpc") { None } else { Some(tags.method.as_ref()) };
    recorder.endpoint(method, &tags.name)
}

fn reason(metric: &str, tags: &Tags<'_>) -> String {
    match (tags.status.as_ref(), tags.error.as_ref()) {
        ("" | "0", "") => "no response".to_owned(),
        ("" | "0", error) => error.to_owned(),
        (status, _) if metric.starts_with("grpc") => format!("gRPC status {status}"),
        (status, _) => format!("HTTP {status}"),
    }
}

/// A metric of the user's own.
struct Custom {
    kind: Kind,
    count: u64,
    sum: f64,
    nonzero: u64,
    last: f64,
    /// `None` once a value was negative.
    values: Option<Histogram>,
}

impl Custom {
    fn new(kind: Kind) -> Self {
        Self { kind, count: 0, sum: 0.0, nonzero: 0, last: 0.0, values: Some(Histogram::default()) }
    }

    fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.nonzero += u64::from(value != 0.0);
        self.last = value;
        if self.kind == Kind::Trend {
            self.values = self.values.take().filter(|_| value >= 0.0);
            if let Some(values) = &mut self.values {
                values.record(nanos(value, NANOS));
            }
        }
    }

    fn hand_over(&self, name: &str, draft: &mut Draft) {
        let value = match self.kind {
            Kind::Counter => self.sum,
            Kind::Gauge => self.last,
            Kind::Rate => self.nonzero as f64 / self.count as f64,
            Kind::Trend => self.sum / self.count as f64,
        };
        draft.computed(custom(name, None), value, Some(0.0));
        let Some(values) = self.values.as_ref().filter(|values| values.count() > 0) else { return };
        for metric in PERCENTILES {
            if let Some(value) = metric.quantile().and_then(|level| values.quantile_ms(level)) {
                draft.computed(custom(name, Some(&metric.title())), value, None);
            }
        }
        for (word, value) in [("min", values.min_ms()), ("max", values.max_ms())] {
            if let Some(value) = value {
                draft.computed(custom(name, Some(word)), value, Some(0.0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_metric_is_read_nowhere() {
        let mut points = Points::default();
        let mut recorder = Recorder::new();
        for metric in ["http_reqs", "http_req_waiting", "data_sent", "iterations", "group_duration", "vus_max"] {
            assert!(is_skipped(metric.as_bytes()));
            points.declare(metric, Kind::Trend);
            points.add(metric, 1.0, &Tags::default(), &mut recorder).unwrap();
        }
        points.finish(&mut recorder);
        assert!(recorder.is_empty());
    }

    #[test]
    fn metrics_of_requests_are_not_the_users() {
        for own in ["http_reqs", "http_req_blocked", "vus", "browser_http_req_failed", "grpc_req_duration", ""] {
            assert!(!is_custom(own), "{own}");
        }
        assert!(["checks", "orders", "ws_connecting", "browser_web_vital_lcp"].into_iter().all(is_custom));
    }
}
