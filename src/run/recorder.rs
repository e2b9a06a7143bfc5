//! Turns what a format reads, samples or summaries, into a sound [`Run`].
//!
//! A format only translates: it names endpoints and hands over counts, reported figures or single requests. Everything
//! that could go wrong in the same way for every tool is done here once: units, sums, rates, percentiles, the total,
//! hostile names, too many endpoints, bad rows.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use rustc_hash::{FxHashMap, FxHashSet};

use super::histogram::Histogram;
use super::metric::{Measurement, Metric, PERCENTILES, Source};
use super::timeline::Timeline;
use super::{Endpoint, ErrorCount, Load, Notice, Run, Shards};

/// Distinct endpoints kept by name; requests of further ones are counted together under [`OTHERS`].
pub const MAX_ENDPOINTS: usize = 10_000;
/// The name that holds the requests of endpoints beyond [`MAX_ENDPOINTS`].
pub const OTHERS: &str = "(other endpoints)";
/// Longest endpoint name kept, in characters; longer ones are cut and said so.
pub const MAX_NAME: usize = 1_000;
/// Longest error text kept, in characters.
const MAX_ERROR: usize = 300;
/// Facts kept about the machines under load.
const MAX_FACTS: usize = 50;
/// Kinds of error kept per endpoint.
pub(super) const MAX_ERRORS: usize = 50;
/// More than this share of unreadable rows is an error, not a notice.
const MAX_BAD_ROWS: f64 = 0.01;

/// Collects one run. Cheap to make; [`Recorder::finish`] does the arithmetic.
#[derive(Debug, Default)]
pub struct Recorder {
    tool: String,
    tool_version: Option<String>,
    suite: String,
    environment: BTreeMap<String, String>,
    load: Load,
    started_ms: Option<f64>,
    ended_ms: Option<f64>,
    duration_s: Option<f64>,
    complete: Option<bool>,
    shards: Option<Shards>,
    /// Places in `drafts` by [`key_of`].
    index: FxHashMap<Box<[u8]>, usize>,
    /// The key that was looked up last: its memory is used again.
    key: Vec<u8>,
    drafts: Vec<Draft>,
    total: Option<Draft>,
    timeline: Timeline,
    notices: Vec<Notice>,
    step: Option<f64>,
    bad_rows: u64,
    first_bad: Option<(u64, String)>,
    good_rows: u64,
    cut_names: u64,
    spilled_names: u64,
}

/// The endpoints that are kept by name, when there will be no further ones.
#[derive(Debug)]
pub struct Names {
    known: FxHashSet<Box<[u8]>>,
}

impl Names {
    /// Whether `method name` is one of them; `None` if that cannot be told, because it would be cut. `key` is scratch.
    pub fn hold(&self, method: Option<&str>, name: &str, key: &mut Vec<u8>) -> Option<bool> {
        let method = method.map(str::trim).unwrap_or_default();
        key_of(key, method, name);
        (method.len() <= MAX_NAME && name.len() <= MAX_NAME).then(|| self.known.contains(key.as_slice()))
    }
}

/// What tells endpoints apart. The length tells where the name begins.
fn key_of(key: &mut Vec<u8>, method: &str, name: &str) {
    key.clear();
    key.extend_from_slice(&method.len().to_le_bytes());
    key.extend_from_slice(method.as_bytes());
    key.extend_from_slice(name.as_bytes());
}

/// What is known of one endpoint so far.
#[derive(Debug, Default)]
pub struct Draft {
    method: Option<String>,
    name: String,
    requests: Option<u64>,
    failures: Option<u64>,
    metrics: BTreeMap<Metric, Measurement>,
    errors: HashMap<String, u64>,
    samples: Option<Samples>,
    apart: Option<Samples>,
    window_s: Option<f64>,
}

/// Single requests of one endpoint, added up. Formats with their own fast loop fill one of these and hand it over.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// Requests, with or without a latency.
    pub requests: u64,
    /// Failed ones; `None` as soon as one request's outcome is unknown.
    pub failures: Option<u64>,
    /// Latencies of the requests that have one.
    pub latency: Histogram,
}

impl Samples {
    /// Starts with no failure known to have happened.
    pub fn new() -> Self {
        Self { failures: Some(0), ..Self::default() }
    }

    /// One request: its latency in ns if it had one, and whether it was fine if that is known.
    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    pub fn add(&mut self, latency_ns: Option<u64>, ok: Option<bool>) {
        self.requests += 1;
        if ok != Some(true) {
            self.failures = self.failures.zip(ok).map(|(failures, _)| failures + 1);
        }
        if let Some(nanos) = latency_ns {
            self.latency.record(nanos);
        }
    }

    /// Many requests with a latency in ns, of which so many failed if that is known.
    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    pub fn add_all(&mut self, latencies: impl ExactSizeIterator<Item = u64>, failures: Option<u64>) {
        self.requests += latencies.len() as u64;
        self.failures = self.failures.zip(failures).map(|(own, more)| own + more);
        self.latency.record_all(latencies);
    }

    /// Requests of which only the mean latency is told, and how many of them failed.
    pub fn add_group(&mut self, requests: u64, failures: Option<u64>, mean_ns: u64) {
        self.requests += requests;
        self.failures = self.failures.zip(failures).map(|(own, more)| own + more);
        self.latency.record_many(mean_ns, requests);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failures = self.failures.zip(other.failures).map(|(own, more)| own + more);
        self.latency.merge(&other.latency);
    }
}

impl Draft {
    /// Requests, failed ones included.
    pub fn requests(&mut self, count: u64) -> &mut Self {
        self.requests = Some(count);
        self
    }

    /// Failed requests.
    pub fn failures(&mut self, count: u64) -> &mut Self {
        self.failures = Some(count);
        self
    }

    /// A figure the tool printed, in the metric's unit (ms, ratio, per second) with its rounding step (0 exact, `None`
    /// unknown). NaN, infinities and negative figures are unknown, not values.
    pub fn reported(&mut self, metric: Metric, value: f64, step: Option<f64>) -> &mut Self {
        self.put(metric, value, Source::Reported, step)
    }

    /// A figure we worked out from others in the artifact.
    pub fn computed(&mut self, metric: Metric, value: f64, step: Option<f64>) -> &mut Self {
        self.put(metric, value, Source::Computed, step)
    }

    fn put(&mut self, metric: Metric, value: f64, source: Source, step: Option<f64>) -> &mut Self {
        let sound = value >= 0.0 || matches!(metric, Metric::Custom(_));
        if let Some(measurement) = Measurement::new(value, source, step).filter(|_| sound) {
            self.metrics.insert(metric, measurement);
        }
        self
    }

    /// A kind of failure that happened `count` times, kept without queries of URLs.
    pub fn error(&mut self, message: &str, count: u64) -> &mut Self {
        let message: &str = &without_queries(message);
        let cut = (message.len() > MAX_ERROR).then(|| message.char_indices().nth(MAX_ERROR)).flatten();
        let message = cut.and_then(|(end, _)| message.get(..end)).unwrap_or(message);
        if let Some(known) = self.errors.get_mut(message) {
            *known = known.saturating_add(count);
        } else if count > 0 && self.errors.len() < MAX_ERRORS {
            self.errors.insert(message.to_owned(), count);
        }
        self
    }

    fn adopt(&mut self, endpoint: Endpoint) {
        self.requests = endpoint.requests;
        self.failures = endpoint.failures;
        for (metric, found) in endpoint.metrics {
            self.put(metric, found.value(), found.source(), found.step());
        }
        for error in &endpoint.errors {
            self.error(&error.message, error.count);
        }
        self.samples = endpoint.histogram.map(|latency| Samples {
            requests: endpoint.requests.unwrap_or_else(|| latency.count()),
            failures: endpoint.failures,
            latency,
        });
        if let Some(seconds) = endpoint.window_s {
            self.window_s(seconds);
        }
    }

    /// It was measured over `seconds` of the run only; the longest of several counts.
    pub fn window_s(&mut self, seconds: f64) -> &mut Self {
        if seconds.is_finite() && seconds > 0.0 {
            self.window_s = Some(self.window_s.unwrap_or(0.0).max(seconds));
        }
        self
    }

    /// Single requests, to add to those already there.
    pub fn samples(&mut self) -> &mut Samples {
        self.samples.get_or_insert_with(Samples::new)
    }

    /// As [`Draft::samples`], for what the total must not count: it is made of other endpoints' requests, or a part of one.
    pub fn apart(&mut self) -> &mut Samples {
        self.apart.get_or_insert_with(Samples::new)
    }

    /// Moves the single requests so far out of the total.
    pub fn set_apart(&mut self) {
        if let Some(samples) = self.samples.take() {
            self.apart().merge(&samples);
        }
    }

    /// The latencies of all parts, if each has some; counts are known already, or unknown.
    fn add_latency<'h>(&mut self, mut parts: impl Iterator<Item = Option<&'h Histogram>>) {
        let sum = parts.try_fold(Histogram::default(), |mut sum, part| {
            sum.merge(part?);
            Some(sum)
        });
        self.samples = sum.map(|latency| Samples {
            requests: self.requests.unwrap_or_else(|| latency.count()),
            failures: self.failures,
            latency,
        });
    }

    /// Takes out what stands apart.
    pub fn take_apart(&mut self) -> Option<Samples> {
        self.apart.take()
    }

    /// The endpoint's method.
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The endpoint's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Single requests that the total counts.
    pub fn counted(&self) -> Option<&Samples> {
        self.samples.as_ref()
    }

    /// Single requests that were added up apart.
    pub fn add_samples(&mut self, samples: Samples) {
        match &mut self.samples {
            Some(own) => own.merge(&samples),
            None => self.samples = Some(samples),
        }
    }
}

impl Recorder {
    /// An empty recorder.
    pub fn new() -> Self {
        Self::default()
    }

    /// The load tool's name as people write it.
    pub fn tool(&mut self, name: &str) {
        name.clone_into(&mut self.tool);
    }

    /// The load tool's version.
    pub fn tool_version(&mut self, version: &str) {
        self.tool_version = Some(version.chars().take(80).collect());
    }

    /// Concurrent users seen; the most counts.
    pub fn users(&mut self, users: f64) {
        if users.is_finite() && users > 0.0 {
            self.load.users = Some(self.load.users.unwrap_or(0.0).max(users));
        }
    }

    /// Requests per second aimed at.
    pub fn target_rps(&mut self, rate: f64) {
        self.load.target_rps = Some(rate).filter(|rate| rate.is_finite() && *rate > 0.0);
    }

    /// Load profile by name.
    pub fn profile(&mut self, name: &str) {
        self.load.profile = Some(name.to_owned());
    }

    /// Whether the run reached its planned end; of several files that tell, all have to say so.
    pub fn complete(&mut self, complete: bool) {
        self.complete = Some(self.complete.unwrap_or(true) && complete);
    }

    /// This is one part of a run that was made in parts.
    pub fn shard(&mut self, shard: Shards) {
        self.shards = Some(shard);
    }

    /// A fact about the machines under load.
    pub fn environment(&mut self, key: &str, value: &str) {
        if self.environment.len() < MAX_FACTS {
            let cut = |text: &str| text.chars().take(MAX_ERROR).collect::<String>();
            self.environment.insert(cut(key), cut(value));
        }
    }

    /// Something happened between these instants (ms since the epoch); the run spans all of them.
    pub fn spans(&mut self, start_ms: f64, end_ms: f64) {
        if start_ms.is_finite() && end_ms.is_finite() && start_ms <= end_ms {
            self.started_ms = Some(self.started_ms.map_or(start_ms, |known| known.min(start_ms)));
            self.ended_ms = Some(self.ended_ms.map_or(end_ms, |known| known.max(end_ms)));
        }
    }

    /// A request began at an instant (ms since the epoch), took so many ms if it was answered, and was fine if that is known:
    /// the run spans it and its course counts it, where it ended. Its endpoint is told apart.
    pub fn happened(&mut self, start_ms: f64, latency_ms: Option<f64>, ok: Option<bool>) {
        let end_ms = start_ms + latency_ms.unwrap_or(0.0);
        self.spans(start_ms, end_ms);
        if start_ms.is_finite() && end_ms.is_finite() {
            self.timeline.add(end_ms as i64, latency_ms.map(|ms| (ms.max(0.0) * 1e6).round() as u64), ok);
        }
    }

    /// The duration as the tool states it; wins over [`Recorder::spans`], and the longest of several counts.
    pub fn duration_s(&mut self, seconds: f64) {
        if seconds.is_finite() && seconds > 0.0 {
            self.duration_s = Some(self.duration_s.unwrap_or(0.0).max(seconds));
        }
    }

    /// The rounding step of the artifact's single latencies in ms: 1 for whole milliseconds, 0 for exact ones.
    pub fn sample_step(&mut self, step_ms: f64) {
        self.step = Some(step_ms);
    }

    /// Tells the reader of the report something.
    pub fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// A row was read.
    pub fn good_row(&mut self) {
        self.good_rows += 1;
    }

    /// Many rows were read.
    pub fn good_rows(&mut self, rows: u64) {
        self.good_rows += rows;
    }

    /// A row could not be read: counted, the first one quoted; more than one in a hundred fails the file in
    /// [`Recorder::finish`].
    pub fn bad_row(&mut self, line: u64, why: impl Into<String>) {
        self.bad_rows += 1;
        if self.first_bad.is_none() {
            self.first_bad = Some((line, why.into()));
        }
    }

    /// The endpoint `method name`, new or known. An empty method is no method.
    pub fn endpoint(&mut self, method: Option<&str>, name: &str) -> &mut Draft {
        let method = self.fitting(method.map(str::trim).unwrap_or_default());
        let name = self.fitting(name);
        let at = self.place(&method, &name).unwrap_or_else(|| self.add_endpoint(&method, &name));
        #[expect(clippy::indexing_slicing, reason = "the index only ever holds positions of `drafts`")]
        &mut self.drafts[at]
    }

    fn add_endpoint(&mut self, mut method: &str, mut name: &str) -> usize {
        if self.drafts.len() >= MAX_ENDPOINTS {
            self.spilled_names += 1;
            (method, name) = ("", OTHERS);
            if let Some(at) = self.place(method, name) {
                return at;
            }
        }
        let at = self.drafts.len();
        self.index.insert(self.key.as_slice().into(), at);
        let method = Some(method.to_owned()).filter(|method| !method.is_empty());
        self.drafts.push(Draft { method, name: name.to_owned(), ..Draft::default() });
        at
    }

    /// The endpoint `method name` if it was recorded before.
    pub fn known(&mut self, method: Option<&str>, name: &str) -> Option<&mut Draft> {
        let at = self.place(method.map(str::trim).unwrap_or_default(), name)?;
        self.drafts.get_mut(at)
    }

    /// Where the endpoint is in `drafts`; leaves its key in `self.key`.
    fn place(&mut self, method: &str, name: &str) -> Option<usize> {
        key_of(&mut self.key, method, name);
        self.index.get(self.key.as_slice()).copied()
    }

    /// The endpoint of all that are beyond [`MAX_ENDPOINTS`].
    pub fn others(&mut self) -> &mut Draft {
        self.spilled_names += 1;
        self.endpoint(None, OTHERS)
    }

    /// The names that are kept, once no further ones are.
    pub fn names_if_full(&self) -> Option<Names> {
        (self.drafts.len() >= MAX_ENDPOINTS).then(|| Names { known: self.index.keys().cloned().collect() })
    }

    /// Every endpoint so far.
    pub fn drafts(&mut self) -> &mut [Draft] {
        &mut self.drafts
    }

    /// The artifact's own row for all requests together.
    pub fn total(&mut self) -> &mut Draft {
        self.total.get_or_insert_with(|| Draft { name: super::TOTAL.to_owned(), ..Draft::default() })
    }

    /// Takes over a run that was read before, as our own files hold it. Names and figures are checked like any others.
    pub fn adopt(&mut self, run: Run) {
        self.tool = run.tool;
        self.tool_version = run.tool_version;
        self.suite = run.suite;
        self.environment = run.environment;
        self.load = run.load;
        self.complete = run.complete;
        self.shards = run.shards;
        self.timeline = run.timeline.unwrap_or_default();
        self.notices.extend(run.notices);
        if let Some(seconds) = run.duration_s {
            self.duration_s(seconds);
        }
        if let Some(start) = run.started_at.map(|start| start.as_millisecond() as f64) {
            self.spans(start, start);
        }
        for endpoint in run.endpoints {
            self.endpoint(endpoint.method.as_deref(), &endpoint.name).adopt(endpoint);
        }
        if let Some(total) = run.total {
            self.total().adopt(total);
        }
    }

    /// What happened when, where the artifact tells.
    pub fn timeline(&mut self) -> &mut Timeline {
        &mut self.timeline
    }

    /// Whether any endpoint or total was recorded.
    pub fn is_empty(&self) -> bool {
        self.drafts.is_empty() && self.total.is_none()
    }

    /// The artifact turned out not to tell which of its single requests failed.
    pub fn failures_unknown(&mut self) {
        self.timeline.failures_unknown();
        for samples in self.drafts.iter_mut().chain(&mut self.total).filter_map(|draft| draft.samples.as_mut()) {
            samples.failures = None;
        }
    }

    /// The artifact tells of groups of requests: their mean is known, and nothing else of their latency.
    pub fn only_means(&mut self) {
        for draft in self.drafts.iter_mut().chain(&mut self.total) {
            let all =
                [&draft.samples, &draft.apart].into_iter().flatten().fold(Histogram::default(), |mut all, one| {
                    all.merge(&one.latency);
                    all
                });
            if let Some(mean) = all.mean_ms() {
                draft.computed(Metric::LatencyMean, mean, Some(0.0));
            }
            for samples in [&mut draft.samples, &mut draft.apart].into_iter().flatten() {
                samples.latency = Histogram::default();
            }
        }
    }

    fn fitting<'n>(&mut self, name: &'n str) -> Cow<'n, str> {
        if name.len() <= MAX_NAME || name.chars().nth(MAX_NAME).is_none() {
            return name.into();
        }
        self.cut_names += 1;
        name.chars().take(MAX_NAME).chain(['…']).collect()
    }

    /// Does the arithmetic. `Err` names the line and the reason if too many rows were unreadable.
    pub fn finish(mut self) -> Result<Run, BadRows> {
        self.check_rows()?;
        self.say_what_was_cut();
        let duration_s = self.duration_s.or_else(|| {
            let (start, end) = self.started_ms.zip(self.ended_ms)?;
            Some((end - start) / 1e3).filter(|seconds| *seconds > 0.0)
        });
        let step = self.step;
        let total = self.total.take().or_else(|| self.total_of_counted());
        // Figures of the whole run beside requests that are told per endpoint: the rest is added up.
        let partial = total.as_ref().is_some_and(Draft::only_custom);
        let total = total.map(|draft| draft.finish(duration_s, step));
        let mut endpoints: Vec<Endpoint> =
            std::mem::take(&mut self.drafts).into_iter().map(|draft| draft.finish(duration_s, step)).collect();
        endpoints.sort_by_cached_key(Endpoint::label);
        // `Some("GET")` + `/a` and no method + `GET /a` are shown alike; the rare second one is told apart by its place.
        endpoints.dedup_by(|later, first| later.label() == first.label() && absorb(first, later));
        let total = match add_up(&endpoints, duration_s, step).filter(|_| total.is_none() || partial) {
            Some(mut sum) => {
                sum.metrics.extend(total.into_iter().flat_map(|total| total.metrics));
                Some(sum)
            }
            None => total,
        };
        let started_at = self.started_ms.and_then(|ms| Timestamp::from_millisecond(ms.round() as i64).ok());
        Ok(Run {
            suite: self.suite,
            tool: self.tool,
            tool_version: self.tool_version,
            format: String::new(),
            files: Vec::new(),
            started_at,
            duration_s,
            complete: self.complete,
            shards: self.shards,
            load: self.load,
            environment: self.environment,
            endpoints,
            total,
            timeline: Some(self.timeline).filter(Timeline::has_course),
            notices: self.notices,
        })
    }

    /// The total where some requests stand apart from it; of nothing but such ones it is all of them.
    fn total_of_counted(&self) -> Option<Draft> {
        if self.drafts.iter().all(|draft| draft.apart.is_none()) {
            return None;
        }
        let mut total = Draft { name: super::TOTAL.to_owned(), ..Draft::default() };
        for samples in self.drafts.iter().filter_map(Draft::counted) {
            total.samples().merge(samples);
        }
        total.samples.is_some().then_some(total)
    }

    fn check_rows(&mut self) -> Result<(), BadRows> {
        let Some((line, why)) = self.first_bad.take() else { return Ok(()) };
        if self.bad_rows as f64 > MAX_BAD_ROWS * (self.bad_rows + self.good_rows) as f64 {
            return Err(BadRows { bad: self.bad_rows, rows: self.bad_rows + self.good_rows, line, why });
        }
        let what = if self.bad_rows == 1 { "1 row was".to_owned() } else { format!("{} rows were", self.bad_rows) };
        self.notices.push(
            Notice::new("rows_skipped", format!("{what} unreadable and left out, the first: {why}")).at_line(line),
        );
        Ok(())
    }

    fn say_what_was_cut(&mut self) {
        if self.spilled_names > 0 {
            self.notices.push(Notice::new(
                "too_many_endpoints",
                format!(
                    "more than {MAX_ENDPOINTS} distinct endpoints; the rest is counted under `{OTHERS}`: group URLs with \
                     `endpoints.rename` or in the load test itself"
                ),
            ));
        }
        if self.cut_names > 0 {
            self.notices
                .push(Notice::new("names_cut", format!("endpoint names longer than {MAX_NAME} characters were cut")));
        }
    }
}

/// Too many rows of an artifact could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{bad} of {rows} rows are unreadable, the first in line {line}: {why}")]
pub struct BadRows {
    /// How many could not be read.
    pub bad: u64,
    /// How many there are.
    pub rows: u64,
    /// Line of the first, from 1.
    pub line: u64,
    /// What is wrong with the first.
    pub why: String,
}

impl Draft {
    /// Whether nothing is known but the user's own metrics.
    fn only_custom(&self) -> bool {
        self.requests.is_none()
            && self.failures.is_none()
            && self.samples.is_none()
            && self.metrics.keys().all(|metric| matches!(metric, Metric::Custom(_)))
    }

    fn finish(self, duration_s: Option<f64>, step: Option<f64>) -> Endpoint {
        let Self { method, name, mut requests, mut failures, mut metrics, errors, samples, apart, window_s } = self;
        let samples = match (samples, apart) {
            (Some(mut samples), Some(apart)) => {
                samples.merge(&apart);
                Some(samples)
            }
            (samples, apart) => samples.or(apart),
        };
        let mut fill = |metric: Metric, value: Option<f64>, step: Option<f64>| {
            if let Some(found) = value.and_then(|value| Measurement::new(value, Source::Computed, step)) {
                metrics.entry(metric).or_insert(found);
            }
        };
        let mut histogram = None;
        if let Some(samples) = samples {
            requests = requests.or(Some(samples.requests));
            failures = failures.or(samples.failures);
            let latency = samples.latency;
            fill(Metric::LatencyMean, latency.mean_ms(), Some(0.0));
            fill(Metric::LatencyMin, latency.min_ms(), step);
            fill(Metric::LatencyMax, latency.max_ms(), step);
            let levels: Vec<f64> = PERCENTILES.iter().filter_map(Metric::quantile).collect();
            for (metric, value) in PERCENTILES.into_iter().zip(latency.quantiles_ms(&levels)) {
                fill(metric, value.map(|value| to_step(value, step)), step);
            }
            histogram = (latency.count() > 0).then_some(latency);
        }
        // A tool cannot have failed more requests than it made; such counts say nothing.
        if let (Some(all), Some(failed)) = (requests, failures)
            && failed > all
        {
            failures = None;
        }
        if let (Some(all), Some(failed)) = (requests, failures)
            && all > 0
        {
            fill(Metric::ErrorRate, Some(failed as f64 / all as f64), Some(0.0));
        }
        fill(
            Metric::Throughput,
            requests.zip(window_s.or(duration_s)).map(|(all, seconds)| all as f64 / seconds),
            Some(0.0),
        );
        let mut errors: Vec<ErrorCount> =
            errors.into_iter().map(|(message, count)| ErrorCount { message, count }).collect();
        errors.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.message.cmp(&b.message)));
        Endpoint { method, name, requests, failures, metrics, window_s, errors, histogram }
    }
}

/// An error text without the query strings of URLs in it: those hold keys and tokens.
fn without_queries(text: &str) -> Cow<'_, str> {
    if !text.contains('?') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut skipping = false;
    for c in text.chars() {
        if skipping && (c.is_whitespace() || matches!(c, '"' | '\'' | ')' | '>')) {
            skipping = false;
        }
        if !skipping {
            out.push(c);
        }
        skipping |= c == '?';
    }
    Cow::Owned(out)
}

/// A percentile of rounded samples is itself a multiple of the rounding step; a bin's middle is not.
fn to_step(value: f64, step: Option<f64>) -> f64 {
    match step {
        Some(step) if step > 0.0 => (value / step).round() * step,
        _ => value,
    }
}

/// Adds the counts of an endpoint shown alike; its latency figures cannot be added honestly and are dropped.
fn absorb(first: &mut Endpoint, later: &mut Endpoint) -> bool {
    let same = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a + b);
    first.requests = same(first.requests, later.requests);
    first.failures = same(first.failures, later.failures);
    first
        .metrics
        .retain(|metric, _| !metric.is_latency() && *metric != Metric::ErrorRate && *metric != Metric::Throughput);
    first.histogram = None;
    true
}

/// One endpoint out of its parts in several runs. A single part stays as it is; of several, counts and error kinds are
/// added and latency comes from histograms, if every part has one.
pub(super) fn add_endpoints(parts: &[&Endpoint], duration_s: Option<f64>) -> Endpoint {
    if let [only] = parts {
        return (*only).clone();
    }
    let mut draft = Draft::default();
    // Two ways to write one label; whichever it is, it does not depend on the order.
    if let Some(first) = parts.iter().min_by_key(|part| (&part.method, &part.name)) {
        draft.method.clone_from(&first.method);
        draft.name.clone_from(&first.name);
    }
    // A sum that does not fit is unknown: artifacts may claim any number.
    let sum = |of: fn(&Endpoint) -> Option<u64>| parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(of(part)?));
    draft.requests = sum(|part| part.requests);
    draft.failures = sum(|part| part.failures);
    draft.window_s = parts.iter().filter_map(|part| part.window_s).reduce(f64::max);
    // Each part keeps a few kinds; a further limit here would make the sum depend on the order.
    for error in parts.iter().flat_map(|part| &part.errors) {
        let count = draft.errors.entry(error.message.clone()).or_default();
        *count = count.saturating_add(error.count);
    }
    draft.add_latency(parts.iter().map(|part| part.histogram.as_ref()));
    let step = parts
        .iter()
        .map(|part| part.metrics.get(&Metric::LatencyMin).and_then(Measurement::step))
        .reduce(|a, b| Some(a?.max(b?)))
        .flatten();
    draft.finish(duration_s, step)
}

/// The total of an artifact that has none: sums of counts and throughput; percentiles only from histograms.
fn add_up(endpoints: &[Endpoint], duration_s: Option<f64>, step: Option<f64>) -> Option<Endpoint> {
    if endpoints.is_empty() {
        return None;
    }
    let sum = |of: fn(&Endpoint) -> Option<u64>| endpoints.iter().map(of).try_fold(0_u64, |sum, n| sum.checked_add(n?));
    let mut draft = Draft { name: super::TOTAL.to_owned(), ..Draft::default() };
    draft.requests = sum(|endpoint| endpoint.requests);
    draft.failures = sum(|endpoint| endpoint.failures);
    if let Some(rate) = endpoints.iter().map(|endpoint| endpoint.value(&Metric::Throughput)).sum::<Option<f64>>() {
        draft.computed(Metric::Throughput, rate, Some(0.0));
    }
    draft.add_latency(endpoints.iter().map(|endpoint| endpoint.histogram.as_ref()));
    Some(draft.finish(duration_s, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_contradict_are_unknown() {
        let mut recorder = Recorder::new();
        recorder.endpoint(None, "a").requests(3).failures(5);
        let run = recorder.finish().unwrap();
        assert_eq!(run.endpoints[0].failures, None);
        assert_eq!(run.endpoints[0].error_rate(), None);
    }

    #[test]
    fn queries_are_not_kept() {
        assert_eq!(without_queries("Get \"http://h/p?token=s3cret\": EOF"), "Get \"http://h/p?\": EOF");
        let mut recorder = Recorder::new();
        recorder.endpoint(None, "a").requests(3).failures(3).error("http://h/?a=1", 1).error("http://h/?b=2", 2);
        assert_eq!(
            recorder.finish().unwrap().endpoints[0].errors,
            [ErrorCount { message: "http://h/?".to_owned(), count: 3 }]
        );
    }

    #[test]
    fn a_total_is_added_up_without_inventing_percentiles() {
        let mut recorder = Recorder::new();
        recorder.endpoint(None, "a").requests(300).failures(1).reported(Metric::Throughput, 50.0, None);
        recorder.endpoint(None, "b").requests(150).failures(0).reported(Metric::Throughput, 40.0, None).reported(
            Metric::LatencyP50,
            3.0,
            None,
        );
        let total = recorder.finish().unwrap().total.unwrap();
        assert_eq!(
            (total.requests, total.failures, total.value(&Metric::Throughput)),
            (Some(450), Some(1), Some(90.0))
        );
        assert_eq!(total.value(&Metric::LatencyP50), None);
    }

    #[test]
    fn a_sum_with_unknown_failures_has_unknown_failures() {
        let mut recorder = Recorder::new();
        for (name, ok) in [("a", Some(true)), ("b", None)] {
            recorder.endpoint(None, name).samples().add(Some(1_000_000), ok);
        }
        let run = recorder.finish().unwrap();
        let total = run.total.unwrap();
        assert_eq!((total.requests, total.failures, total.error_rate()), (Some(2), None, None));
        let parts: Vec<&Endpoint> = run.endpoints.iter().collect();
        let sum = add_endpoints(&parts, None);
        assert_eq!((sum.requests, sum.failures, sum.error_rate()), (Some(2), None, None));
        assert_eq!(sum.value(&Metric::LatencyMax), Some(1.0));
    }

    #[test]
    fn samples_give_percentiles_on_the_artifacts_own_grid() {
        let mut recorder = Recorder::new();
        recorder.sample_step(1.0);
        recorder.spans(0.0, 10_000.0);
        for ms in 1..=1_000_u64 {
            recorder.endpoint(Some("GET"), "/").samples().add(Some(ms * 1_000_000), Some(ms % 100 != 0));
        }
        let run = recorder.finish().unwrap();
        let endpoint = run.endpoint("GET /").unwrap();
        assert_eq!((endpoint.requests, endpoint.failures), (Some(1_000), Some(10)));
        let p95 = endpoint.value(&Metric::LatencyP95).unwrap();
        assert!((p95 - 950.0).abs() <= 4.0 && p95.fract() == 0.0, "{p95}");
        assert_eq!(endpoint.value(&Metric::Throughput), Some(100.0));
        assert_eq!(endpoint.value(&Metric::LatencyMean), Some(500.5));
    }

    #[test]
    fn a_flood_of_names_ends_in_one_bucket() {
        let mut recorder = Recorder::new();
        for n in 0..MAX_ENDPOINTS + 5 {
            recorder.endpoint(None, &format!("/item/{n}")).samples().add(Some(1), Some(true));
        }
        let run = recorder.finish().unwrap();
        assert_eq!(run.endpoint(OTHERS).unwrap().requests, Some(5));
        assert_eq!(run.notices[0].code, "too_many_endpoints");
    }

    #[test]
    fn one_bad_row_in_a_thousand_is_a_notice_and_one_in_ten_an_error() {
        let record = |good: u64| {
            let mut recorder = Recorder::new();
            recorder.good_rows(good);
            recorder.bad_row(7, "no number");
            recorder.finish()
        };
        assert_eq!(record(999).unwrap().notices[0].line, Some(7));
        assert_eq!(record(9).unwrap_err().line, 7);
    }
}
