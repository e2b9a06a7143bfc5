//! Everything above becomes the one view model. Pure: the present time is an argument.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::{
    BaselineFacts, BaselineShape, Counts, EndpointSummary, Evidence, Origin, Report, ReportText, Row, RuleFacts,
    SCHEMA, SuiteReport, SuiteText, trend, words,
};
use crate::baseline::{Baseline, BaselineEndpoint};
use crate::compare::Comparison;
use crate::policy::{FromZero, Limit, Policy, Presence, Rule};
use crate::run::metric::{Direction, Measurement, Metric, PERCENTILES, Unit};
use crate::run::{Notice, Run, TOTAL};
use crate::verdict::{Finding, Outcome, Status, Verdict};

/// What is known of one suite.
#[derive(Debug, Clone)]
pub struct SuiteInput<'a> {
    /// The suite.
    pub name: &'a str,
    /// What it was judged by.
    pub policy: &'a Policy,
    /// What was said.
    pub verdict: &'a Verdict<'a>,
    /// What it was said about.
    pub comparison: &'a Comparison<'a>,
    /// The baseline as read.
    pub baseline: &'a Baseline,
    /// Its file, as the user would write it.
    pub baseline_path: &'a str,
    /// Why there is no baseline, where there is none.
    pub reason: Option<String>,
    /// The current runs: one, or repeats.
    pub runs: &'a [Run],
    /// About the suite, beyond what verdict and runs say themselves.
    pub notices: Vec<Notice>,
}

/// What is known beside the suites.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The present time.
    pub now: Timestamp,
    /// What the process will exit with.
    pub exit_code: u8,
    /// Where the report is made.
    pub origin: Option<Origin>,
    /// About the report as a whole.
    pub notices: Vec<Notice>,
}

/// The report. The same inputs give the same report.
pub fn compose(suites: &[SuiteInput<'_>], frame: &Frame) -> Report {
    let suites: Vec<SuiteReport> = suites.iter().map(|input| suite(input, frame)).collect();
    let mut counts = Counts::default();
    for suite in &suites {
        counts.add(&suite.counts);
    }
    let mut report = Report {
        schema: SCHEMA.to_owned(),
        verdict: suites.iter().map(|suite| suite.verdict).min().unwrap_or(Outcome::NoBaseline),
        exit_code: frame.exit_code,
        counts,
        suites,
        notices: frame.notices.clone(),
        loadgate: env!("CARGO_PKG_VERSION").to_owned(),
        origin: frame.origin.clone(),
        text: ReportText::default(),
    };
    report.text = words::report(&report);
    report
}

fn suite(input: &SuiteInput<'_>, frame: &Frame) -> SuiteReport {
    let policy = input.policy;
    let mut findings: Vec<&Finding<'_>> = input.verdict.findings.iter().collect();
    findings.sort_by(|a, b| order(policy, a, b));
    let rows: Vec<Row> = findings.iter().map(|finding| row(policy, finding)).collect();
    let mut counts = Counts::default();
    for row in &rows {
        counts.count(row.status);
    }
    let mut suite = SuiteReport {
        name: input.name.to_owned(),
        verdict: input.verdict.outcome,
        gate: input.verdict.decided.as_str().to_owned(),
        baseline: baseline(input, frame.now),
        run: input.runs.first().cloned(),
        repeats: input.runs.len(),
        counts,
        endpoints: endpoints(input.runs, &rows),
        trends: trend::of_baseline(&rows, input.baseline, input.runs.first()),
        rows,
        before: shapes(input),
        notices: notices(input),
        text: SuiteText::default(),
    };
    suite.text = words::suite(&suite, input, &findings, frame);
    suite
}

/// Verdict first, then what else is known of the suite, then what the runs say of their reading; nothing twice.
fn notices(input: &SuiteInput<'_>) -> Vec<Notice> {
    let all = input.verdict.notices.iter().chain(&input.notices).chain(input.runs.iter().flat_map(|run| &run.notices));
    let mut seen = BTreeSet::new();
    all.filter(|notice| seen.insert(*notice)).cloned().collect()
}

fn baseline(input: &SuiteInput<'_>, now: Timestamp) -> BaselineFacts {
    let used: Vec<_> = input.comparison.used_runs().collect();
    let newest = used.iter().filter_map(|run| run.time).max();
    let (kept, all) = (used.len(), input.baseline.runs.len());
    let left_out = (kept < all).then(|| {
        format!("{kept} of {all} runs are compared with; the others had another load or ran on other machines")
    });
    BaselineFacts {
        path: input.baseline_path.to_owned(),
        runs: kept,
        newest,
        age_days: newest.map(|newest| now.duration_since(newest).as_hours().div_euclid(24)),
        commit: used.last().and_then(|run| run.commit.clone()),
        git_ref: used.last().and_then(|run| run.git_ref.clone()),
        reason: input.reason.clone().or(left_out),
    }
}

/// The latency of the newest run that is compared with. The file keeps samples of its last run only.
fn shapes(input: &SuiteInput<'_>) -> BTreeMap<String, BaselineShape> {
    let Some(&place) = input.comparison.used.last() else { return BTreeMap::new() };
    let Some(run) = input.baseline.runs.get(place) else { return BTreeMap::new() };
    let is_last = place + 1 == input.baseline.runs.len();
    let shape = |label: &str, endpoint: &BaselineEndpoint| BaselineShape {
        percentiles: PERCENTILES
            .into_iter()
            .filter_map(|metric| endpoint.metrics.get(&metric).map(Measurement::value).map(|value| (metric, value)))
            .collect(),
        histogram: input.baseline.histograms.get(label).filter(|_| is_last).cloned(),
    };
    let total = run.total.iter().map(|total| (TOTAL, total));
    let all = run.endpoints.iter().map(|(label, endpoint)| (label.as_str(), endpoint)).chain(total);
    all.map(|(label, endpoint)| (label.to_owned(), shape(label, endpoint)))
        .filter(|(_, shape)| !shape.percentiles.is_empty() || shape.histogram.is_some())
        .collect()
}

fn row(policy: &Policy, finding: &Finding<'_>) -> Row {
    Row {
        endpoint: finding.endpoint.clone(),
        method: finding.method.clone(),
        name: finding.name.clone(),
        metric: finding.metric.clone(),
        unit: finding.unit,
        baseline: finding.baseline,
        current: finding.current,
        change: finding.change,
        change_relative: finding.change_relative,
        boundary: words::boundary(policy, finding),
        status: finding.status,
        rule: finding.rule.map(RuleFacts::from),
        evidence: finding.evidence.as_ref().map(Evidence::from),
        why: finding.why.clone(),
        text: words::row(policy, finding),
    }
}

/// The endpoints of the run (of an artifact without any, all requests together), with the worst that is said of each.
fn endpoints(runs: &[Run], rows: &[Row]) -> Vec<EndpointSummary> {
    let Some(run) = runs.first() else { return Vec::new() };
    let mut worst = HashMap::new();
    for row in rows.iter().filter(|row| row.status != Status::NotMeasured) {
        // Rows stand worst first.
        worst.entry(row.endpoint.as_str()).or_insert(row.status);
    }
    let total = run.total.iter().filter(|_| run.endpoints.is_empty()).map(|total| (TOTAL.to_owned(), total));
    run.endpoints
        .iter()
        .map(|endpoint| (endpoint.label(), endpoint))
        .chain(total)
        .map(|(label, endpoint)| EndpointSummary {
            status: worst.get(label.as_str()).copied().unwrap_or(Status::Info),
            text: words::endpoint(endpoint),
            endpoint: label,
        })
        .collect()
}

/// Whether the finding breaks what the policy asks for.
pub(super) fn blocks(policy: &Policy, finding: &Finding<'_>) -> bool {
    match finding.status {
        Status::Fail => true,
        // What somebody agreed to does not block, however it is called.
        Status::Missing => policy.missing == Presence::Fail && policy.agreed.is_none(),
        Status::New => policy.new == Presence::Fail,
        _ => false,
    }
}

/// Worst first, and of what is better the best: by what is said, then by how far past its limit, then by name. A tenth of a
/// limit is no difference to a reader: of figures as far past it as that, the one stands first that people look at first.
fn order(policy: &Policy, a: &Finding<'_>, b: &Finding<'_>) -> Ordering {
    let tenths = |finding: &Finding<'_>| {
        let sign = if finding.status == Status::Improved { -1.0 } else { 1.0 };
        (sign * excess(finding) * 10.0).round()
    };
    rank(policy, a)
        .cmp(&rank(policy, b))
        .then_with(|| tenths(b).total_cmp(&tenths(a)))
        .then_with(|| a.endpoint.cmp(&b.endpoint))
        .then_with(|| weight(a).cmp(&weight(b)))
        .then_with(|| a.metric.cmp(&b.metric))
}

fn weight(finding: &Finding<'_>) -> u8 {
    match finding.metric {
        Some(Metric::LatencyP95) => 0,
        Some(Metric::LatencyP99) => 1,
        Some(Metric::LatencyP90) => 2,
        Some(Metric::LatencyP50) => 3,
        _ => 4,
    }
}

fn rank(policy: &Policy, finding: &Finding<'_>) -> u8 {
    match finding.status {
        _ if blocks(policy, finding) => 0,
        Status::Fail => 0,
        Status::Warn => 1,
        Status::Accepted => 2,
        Status::Inconclusive => 3,
        Status::Improved => 4,
        Status::New => 5,
        Status::Missing => 6,
        Status::Pass => 7,
        Status::Info => 8,
        Status::NotMeasured => 9,
    }
}

/// Change over limit, up is worse; of a broken budget value over budget. Zero where neither is known.
fn excess(finding: &Finding<'_>) -> f64 {
    let Some(rule) = finding.rule else { return 0.0 };
    let sigma = if rule.direction() == Direction::Lower { 1.0 } else { -1.0 };
    let share = match (rule.limit.or(rule.critical), finding.change) {
        // From zero there is no percent: any change is beyond measure.
        (Some(Limit::Relative(share)), Some(change)) => {
            sigma * finding.change_relative.unwrap_or(change * f64::INFINITY) / share
        }
        (Some(Limit::Absolute(size)), Some(change)) => sigma * change / size,
        _ => match (rule.max, rule.min, finding.current) {
            (Some(max), _, Some(current)) if current > max => current / max,
            (_, Some(min), Some(current)) if current < min => min / current,
            _ => 0.0,
        },
    };
    if share.is_nan() { 0.0 } else { share }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.judged += other.judged;
        self.passed += other.passed;
        self.failed += other.failed;
        self.warned += other.warned;
        self.inconclusive += other.inconclusive;
        self.improved += other.improved;
        self.accepted += other.accepted;
        self.not_measured += other.not_measured;
        self.missing += other.missing;
        self.new += other.new;
    }

    fn count(&mut self, status: Status) {
        let (field, judged) = match status {
            Status::Pass => (&mut self.passed, true),
            Status::Fail => (&mut self.failed, true),
            Status::Warn => (&mut self.warned, true),
            Status::Inconclusive => (&mut self.inconclusive, true),
            Status::Improved => (&mut self.improved, true),
            Status::Accepted => (&mut self.accepted, true),
            Status::NotMeasured => (&mut self.not_measured, false),
            Status::Missing => (&mut self.missing, false),
            Status::New => (&mut self.new, false),
            Status::Info => return,
        };
        *field += 1;
        self.judged += usize::from(judged);
    }
}

impl From<&crate::verdict::Evidence> for Evidence {
    fn from(evidence: &crate::verdict::Evidence) -> Self {
        // JSON has no infinities: what is not finite is undefined.
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        Self {
            p_value: finite(evidence.p_value),
            p_residual: finite(evidence.p_residual),
            df: evidence.df.map(f64::from),
            runs: evidence.runs,
            interval: evidence.interval.filter(|ends| ends.iter().all(|end| end.is_finite())),
            smallest_detectable: finite(evidence.smallest_detectable),
            text: evidence.text.clone(),
        }
    }
}

impl From<&Rule> for RuleFacts {
    fn from(rule: &Rule) -> Self {
        let written = |limit: Option<Limit>| limit.map(|limit| written(limit, &rule.metric));
        let from_zero = rule.from_zero.map(|from_zero| match from_zero {
            FromZero::Fail => "fail",
            FromZero::Warn => "warn",
            FromZero::Ignore => "ignore",
        });
        Self {
            endpoint: rule.endpoint.as_ref().map(|pattern| pattern.as_str().to_owned()),
            limit: written(rule.limit),
            critical: written(rule.critical),
            floor: rule.floor,
            from_zero: from_zero.map(str::to_owned),
            max: rule.max,
            min: rule.min,
            place: rule.place.as_ref().map_or_else(
                || "default".to_owned(),
                |place| format!("{}:{}:{}", place.file, place.line, place.column),
            ),
        }
    }
}

/// A limit as the config writes it: `10%`, `0.5pp`, `20ms`, `3/s`.
pub(super) fn written(limit: Limit, metric: &Metric) -> String {
    // The config's number was divided by 100: rounding to twelve digits brings it back.
    let hundredfold = |value: f64| (value * 1e14).round() / 1e12;
    match (limit, metric.unit()) {
        (Limit::Relative(share), _) => format!("{}%", hundredfold(share)),
        (Limit::Absolute(size), Unit::Ratio) => format!("{}pp", hundredfold(size)),
        (Limit::Absolute(size), Unit::Milliseconds) => format!("{size}ms"),
        (Limit::Absolute(size), Unit::PerSecond) => format!("{size}/s"),
        (Limit::Absolute(size), Unit::Number) => size.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_the_config_has_them() {
        let cases = [
            (Limit::Relative(0.1), Metric::LatencyP95, "10%"),
            (Limit::Relative(12.3 / 100.0), Metric::Throughput, "12.3%"),
            (Limit::Relative(0.07), Metric::LatencyP50, "7%"),
            (Limit::Absolute(0.5 / 100.0), Metric::ErrorRate, "0.5pp"),
            (Limit::Absolute(20.0), Metric::LatencyP99, "20ms"),
            (Limit::Absolute(2.5), Metric::Throughput, "2.5/s"),
            (Limit::Absolute(0.0), Metric::Custom("x".to_owned()), "0"),
        ];
        for (limit, metric, text) in cases {
            assert_eq!(written(limit, &metric), text);
        }
    }

    #[test]
    fn what_is_judged_is_the_sum_of_what_can_come_of_it() {
        let mut counts = Counts::default();
        let all = [
            Status::Fail,
            Status::Warn,
            Status::Inconclusive,
            Status::Improved,
            Status::Pass,
            Status::Accepted,
            Status::New,
            Status::Missing,
            Status::NotMeasured,
            Status::Info,
        ];
        for status in all {
            counts.count(status);
        }
        assert_eq!((counts.judged, counts.new, counts.missing, counts.not_measured), (6, 1, 1, 1));
    }
}
