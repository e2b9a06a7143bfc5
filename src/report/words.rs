//! The sentences of a report: what people read first, made once from the figures so that no page has to.
//!
//! Plain words about hostile names: nothing is escaped here.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan as _};

use super::compose::{Frame, SuiteInput, blocks};
use super::{EndpointText, Origin, Phrase, Report, ReportText, Row, RowText, SuiteReport, SuiteText, escape};
use crate::policy::{Gate, Limit, Policy, Rule};
use crate::run::display::{
    MINUS, NARROW, Scale, bare_percent, bare_points, count, duration, percent, plain, plural, points, value,
};
use crate::run::metric::{Direction, Metric, Unit};
use crate::run::{Endpoint, Run, TOTAL};
use crate::verdict::{DEPTH, Finding, Outcome, Status};

/// Of what is unknown, in a table.
const UNKNOWN: &str = "–";
/// So many rows get a ready-made entry for `accepted`: those that a page shows at once.
const ACCEPTABLE: usize = 10;
/// So many of them whatever their names, the others as long as all together stay below so many bytes.
const ACCEPTABLE_ANYWAY: usize = 3;
const ACCEPT_BYTES: usize = 4_000;
/// How long such an entry holds, in days: long enough to fix it, short enough to be remembered.
const ACCEPT_DAYS: i64 = 90;
/// Notices that make the comparison itself doubtful.
const DOUBTS: [&str; 4] = ["cut_short", "generator_saturated", "load_mismatch", "common_shift"];

/// The mark of an outcome.
pub(super) fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Fail => "❌",
        Outcome::Warn => "⚠️",
        Outcome::Inconclusive => "❔",
        Outcome::Pass => "✅",
        Outcome::NoBaseline => "🆕",
    }
}

/// The suites' words as one.
pub(super) fn report(report: &Report) -> ReportText {
    let suites = &report.suites;
    let heading = match suites.as_slice() {
        [] => "Load test: nothing was measured".to_owned(),
        [only] if only.name == "default" => format!("Load test: {}", only.text.heading),
        [only] => format!("Load test of {}: {}", only.name, only.text.heading),
        several => format!("Load tests: {}", several_suites(report.verdict, several)),
    };
    let doubt = |suite: &SuiteReport| match (suites.len(), suite.text.doubt.as_str()) {
        (_, "") => None,
        (1, doubt) => Some(doubt.to_owned()),
        (_, doubt) => Some(format!("{}: {doubt}", suite.name)),
    };
    ReportText {
        mark: mark(report.verdict).to_owned(),
        heading,
        doubt: suites.iter().filter_map(doubt).collect::<Vec<_>>().join("; "),
    }
}

fn several_suites(verdict: Outcome, suites: &[SuiteReport]) -> String {
    let like = suites.iter().filter(|suite| suite.verdict == verdict).count();
    let of = format!("{like} of {} suites", suites.len());
    let be = if like == 1 { "is" } else { "are" };
    match verdict {
        Outcome::Fail => format!("{of} {be} worse than allowed"),
        Outcome::Warn => format!("{of} {be} worse, which does not block"),
        Outcome::Inconclusive => format!("can't tell about {of}"),
        Outcome::Pass if like == suites.len() => format!("no endpoint of {like} suites is worse than allowed"),
        Outcome::Pass => format!("{of} {be} fine, the others have no baseline yet"),
        Outcome::NoBaseline => "no baseline yet, nothing to compare with".to_owned(),
    }
}

/// A name in a sentence.
fn name(endpoint: &str) -> String {
    escape::named(endpoint, escape::NAME)
}

/// The words of a row.
pub(super) fn row(policy: &Policy, finding: &Finding<'_>) -> RowText {
    let (symbol, mark) = symbol_and_mark(finding, blocks(policy, finding));
    let Some((metric, unit)) = finding.metric.as_ref().zip(finding.unit) else {
        return RowText { symbol: symbol.to_owned(), mark: mark.to_owned(), ..RowText::default() };
    };
    let sides = [finding.baseline, finding.current];
    let largest = sides.iter().flatten().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let scale = Scale::of(unit, largest);
    let difference = finding.change.map(|change| scale.difference(unit, change, largest)).unwrap_or_default();
    let text = |side: Option<f64>| side.map(|value| scale.text(value)).unwrap_or_default();
    let both = match sides {
        [Some(before), Some(now)] => format!("{} → {}", scale.bare(before), scale.text(now)),
        [before, now] => text(now.or(before)),
    };
    let range = range(finding, unit);
    RowText {
        symbol: symbol.to_owned(),
        mark: mark.to_owned(),
        metric: metric.title().into_owned(),
        baseline: text(finding.baseline),
        current: text(finding.current),
        both,
        change: change(finding, unit, &difference, &range),
        size: size(finding, unit, &difference),
        range,
        limit: finding
            .rule
            .filter(|_| finding.status != Status::Improved)
            .map(|rule| limit(policy, finding, rule))
            .unwrap_or_default(),
    }
}

fn symbol_and_mark(finding: &Finding<'_>, blocks: bool) -> (&'static str, &'static str) {
    let gone = |mark| (if blocks { "❌" } else { mark }, if mark == "➖" { "gone" } else { "new" });
    match finding.status {
        Status::Fail => ("❌", worse(finding)),
        Status::Warn => ("⚠️", worse(finding)),
        Status::Inconclusive => ("❔", "can't tell"),
        Status::Improved => ("⚡", better(finding)),
        Status::New => gone("🆕"),
        Status::Missing => gone("➖"),
        Status::Accepted => ("👁", "accepted"),
        Status::Pass => ("", "same"),
        Status::NotMeasured => ("", "not measured"),
        Status::Info => ("", "not judged"),
    }
}

fn worse(finding: &Finding<'_>) -> &'static str {
    match broken_budget(finding) {
        Some(Direction::Lower) => return "over budget",
        Some(Direction::Higher) => return "under budget",
        None => {}
    }
    match finding.metric.as_ref() {
        Some(Metric::ErrorRate) => "more errors",
        Some(Metric::Failures) => "more failures",
        Some(Metric::Throughput) => "less throughput",
        Some(Metric::Requests) => "fewer requests",
        Some(Metric::Custom(_)) | None => "worse",
        Some(_) => "slower",
    }
}

fn better(finding: &Finding<'_>) -> &'static str {
    match finding.metric.as_ref() {
        Some(Metric::ErrorRate) => "fewer errors",
        Some(Metric::Failures) => "fewer failures",
        Some(Metric::Throughput) => "more throughput",
        Some(Metric::Requests) => "more requests",
        Some(Metric::Custom(_)) | None => "better",
        Some(_) => "faster",
    }
}

/// Which way of a broken budget would have been good.
fn broken_budget(finding: &Finding<'_>) -> Option<Direction> {
    let judged = matches!(finding.status, Status::Fail | Status::Accepted);
    let (rule, current) = finding.rule.filter(|_| judged).zip(finding.current)?;
    let over = rule.max.is_some_and(|max| current > max);
    let under = rule.min.is_some_and(|min| current < min);
    if over { Some(Direction::Lower) } else { under.then_some(Direction::Higher) }
}

/// `+31 %`, `+1.3 points`; from zero the difference.
fn size(finding: &Finding<'_>, unit: Unit, difference: &str) -> String {
    match finding.change_relative.filter(|_| unit != Unit::Ratio) {
        Some(relative) => percent(relative),
        None => difference.to_owned(),
    }
}

/// `+22 to +40 %`
fn range(finding: &Finding<'_>, unit: Unit) -> String {
    let interval = finding.evidence.as_ref().and_then(|evidence| evidence.interval);
    match interval.filter(|ends| ends.iter().all(|end| end.is_finite())) {
        Some([low, high]) if unit == Unit::Ratio => format!("{} to {}", bare_points(low), points(high)),
        Some([low, high]) => format!("{} to {}", bare_percent(low), percent(high)),
        None => String::new(),
    }
}

/// `+31 % (+126 ms)`; of what cannot be told the range.
fn change(finding: &Finding<'_>, unit: Unit, difference: &str, range: &str) -> String {
    let size = size(finding, unit, difference);
    if size.is_empty() || size == difference {
        return size;
    }
    if finding.status == Status::Inconclusive && !range.is_empty() {
        let bare = range.trim_end_matches([NARROW, '%']).trim_end_matches(" points");
        return format!("{size} ({bare})");
    }
    if difference.starts_with('0') { size } else { format!("{size} ({difference})") }
}

/// The limit that decided: `+10 %`, `−30 %`, `+0.5 points`, `at most 800 ms`.
fn limit(policy: &Policy, finding: &Finding<'_>, rule: &Rule) -> String {
    let unit = rule.metric.unit();
    if broken_budget(finding).is_some() || !rule.compares() {
        return match (rule.max, rule.min) {
            (Some(max), Some(min)) => format!("{} to {}", as_written(min, unit), as_written(max, unit)),
            (Some(max), None) => format!("at most {}", as_written(max, unit)),
            (None, Some(min)) => format!("at least {}", as_written(min, unit)),
            (None, None) => String::new(),
        };
    }
    let sign = if rule.direction() == Direction::Lower { '+' } else { MINUS };
    match deciding(policy, finding, rule) {
        Some(Limit::Relative(share)) => format!("{sign}{}{NARROW}%", plain(share * 100.0)),
        Some(Limit::Absolute(size)) if unit == Unit::Ratio => format!("{sign}{} points", plain(size * 100.0)),
        Some(Limit::Absolute(size)) => format!("{sign}{}", as_written(size, unit)),
        None => String::new(),
    }
}

/// A value from the config.
fn as_written(value: f64, unit: Unit) -> String {
    Scale::of(unit, value).exact(value)
}

fn deciding(policy: &Policy, finding: &Finding<'_>, rule: &Rule) -> Option<Limit> {
    let runs = finding.evidence.as_ref().map_or(0, |evidence| evidence.runs);
    let thin = policy.gate == Gate::Auto && runs < DEPTH;
    let critical_decides = match finding.status {
        Status::Fail | Status::Accepted => thin || policy.gate == Gate::Plain,
        Status::Pass => thin,
        _ => false,
    };
    if critical_decides { rule.critical.or(rule.limit) } else { rule.limit.or(rule.critical) }
}

/// The value that [`limit`] speaks of.
pub(super) fn boundary(policy: &Policy, finding: &Finding<'_>) -> Option<f64> {
    let rule = finding.rule?;
    if broken_budget(finding).is_some() || !rule.compares() {
        let broken = rule.min.filter(|min| finding.current.is_some_and(|current| current < *min));
        return broken.or(rule.max).or(rule.min);
    }
    let baseline = finding.baseline?;
    let sigma = if rule.direction() == Direction::Lower { 1.0 } else { -1.0 };
    match deciding(policy, finding, rule)? {
        // There is no percent of zero.
        Limit::Relative(share) => (baseline != 0.0).then_some(baseline * (1.0 + sigma * share)),
        Limit::Absolute(size) => Some(baseline + sigma * size),
    }
}

/// The words of an endpoint.
pub(super) fn endpoint(endpoint: &Endpoint) -> EndpointText {
    let latency =
        |metric| endpoint.value(&metric).map_or_else(|| UNKNOWN.to_owned(), |ms| value(ms, Unit::Milliseconds));
    EndpointText {
        requests: endpoint.requests.map_or_else(|| UNKNOWN.to_owned(), count),
        p50: latency(Metric::LatencyP50),
        p95: latency(Metric::LatencyP95),
        p99: latency(Metric::LatencyP99),
        errors: endpoint.error_rate().map_or_else(|| UNKNOWN.to_owned(), |rate| value(rate, Unit::Ratio)),
    }
}

/// The words of a suite. The rows are those of `findings`, in the same order.
pub(super) fn suite(
    suite: &SuiteReport,
    input: &SuiteInput<'_>,
    findings: &[&Finding<'_>],
    frame: &Frame,
) -> SuiteText {
    let tally = Tally::new(suite);
    let accept = accept(findings, frame.now);
    SuiteText {
        mark: mark(suite.verdict).to_owned(),
        heading: tally.heading(suite, input.policy),
        lead: lead(suite, &tally),
        counts: if suite.verdict == Outcome::NoBaseline { String::new() } else { tally.counts() },
        compared: compared(suite, frame.origin.as_ref()),
        doubt: doubt(suite),
        next: next(suite, &accept),
        accept,
        same: if suite.verdict == Outcome::NoBaseline {
            plural(suite.endpoints.len(), "endpoint")
        } else {
            tally.same()
        },
        measured: measured(suite),
        baseline: baseline(input),
    }
}

/// Endpoints by the worst that is said of them.
struct Tally<'a> {
    worst: BTreeMap<&'a str, Status>,
    /// The same of all requests together, where they are not the only endpoint.
    total: Option<Status>,
}

impl<'a> Tally<'a> {
    fn new(suite: &'a SuiteReport) -> Self {
        let mut worst: BTreeMap<&str, Status> = BTreeMap::new();
        for endpoint in &suite.endpoints {
            worst.insert(&endpoint.endpoint, endpoint.status);
        }
        // Rows stand worst first.
        for row in &suite.rows {
            worst.entry(&row.endpoint).or_insert(row.status);
        }
        let total = if worst.len() > 1 { worst.remove(TOTAL) } else { None };
        Self { worst, total }
    }

    fn number(&self, statuses: &[Status]) -> usize {
        self.worst.values().filter(|status| statuses.contains(status)).count()
    }

    /// `2 of 14 endpoints are`
    fn of_all(&self, number: usize) -> String {
        let all = self.worst.len();
        let noun = if all == 1 { "endpoint" } else { "endpoints" };
        format!("{} of {} {noun} {}", count(number as u64), count(all as u64), if number == 1 { "is" } else { "are" })
    }

    fn heading(&self, suite: &SuiteReport, policy: &Policy) -> String {
        let of = |status| self.number(&[status]);
        let gone = |number: usize| self.of_all(number) + " gone";
        match suite.verdict {
            Outcome::Fail if of(Status::Fail) > 0 => self.of_all(of(Status::Fail)) + " worse than allowed",
            Outcome::Fail if self.total == Some(Status::Fail) => {
                "all requests together are worse than allowed".to_owned()
            }
            Outcome::Fail if policy.missing == crate::policy::Presence::Fail && of(Status::Missing) > 0 => {
                gone(of(Status::Missing)) + ", which is not allowed"
            }
            Outcome::Fail => self.of_all(of(Status::New)) + " new, which is not allowed",
            Outcome::Warn if of(Status::Warn) > 0 => self.of_all(of(Status::Warn)) + " worse, which does not block",
            Outcome::Warn if self.total == Some(Status::Warn) => {
                "all requests together are worse, which does not block".to_owned()
            }
            Outcome::Warn if of(Status::Missing) > 0 => gone(of(Status::Missing)),
            Outcome::Warn => self.of_all(of(Status::New)) + " new",
            Outcome::Inconclusive if of(Status::Inconclusive) > 0 => {
                let said = self.of_all(of(Status::Inconclusive));
                format!("can't tell about {}", said.trim_end_matches(" is").trim_end_matches(" are"))
            }
            Outcome::Inconclusive if suite.counts.inconclusive > 0 => {
                "can't tell about all requests together".to_owned()
            }
            Outcome::Inconclusive => "can't tell: nothing could be judged".to_owned(),
            Outcome::Pass => "no endpoint is worse than allowed".to_owned(),
            Outcome::NoBaseline => "no baseline yet, nothing to compare with".to_owned(),
        }
    }

    /// `2 worse · 1 can't tell · 1 better · 10 the same`
    fn counts(&self) -> String {
        let kinds: [(&[Status], &str); 9] = [
            (&[Status::Fail], "worse"),
            (&[Status::Warn], "worse without blocking"),
            (&[Status::Accepted], "accepted"),
            (&[Status::Inconclusive], "can't tell"),
            (&[Status::Improved], "better"),
            (&[Status::New], "new"),
            (&[Status::Missing], "gone"),
            (&[Status::Pass], "the same"),
            (&[Status::Info, Status::NotMeasured], "not judged"),
        ];
        let said =
            kinds.iter().map(|(statuses, words)| (self.number(statuses), words)).filter(|(number, _)| *number > 0);
        said.map(|(number, words)| format!("{} {words}", count(number as u64))).collect::<Vec<_>>().join(" · ")
    }

    /// `10 endpoints stayed the same, 2 were not judged`
    fn same(&self) -> String {
        let (same, unjudged) = (self.number(&[Status::Pass]), self.number(&[Status::Info, Status::NotMeasured]));
        let were = |number: usize| if number == 1 { "was" } else { "were" };
        match (same, unjudged) {
            (0, 0) => String::new(),
            (same, 0) => format!("{} stayed the same", plural(same, "endpoint")),
            (0, unjudged) => format!("{} {} not judged", plural(unjudged, "endpoint"), were(unjudged)),
            (same, unjudged) => format!(
                "{} stayed the same, {} {} not judged",
                plural(same, "endpoint"),
                count(unjudged as u64),
                were(unjudged)
            ),
        }
    }
}

fn lead(suite: &SuiteReport, tally: &Tally<'_>) -> Phrase {
    if suite.verdict == Outcome::NoBaseline {
        let why = suite.baseline.reason.as_deref().map(|reason| format!(", but {reason}")).unwrap_or_default();
        return Phrase::default().plain(format!("{} were measured{why}.", size_of_run(suite, tally)));
    }
    let Some(worst) = suite.rows.first() else { return Phrase::default() };
    let phrase = Phrase::default().code(name(&worst.endpoint));
    let text = &worst.text;
    match worst.status {
        Status::Missing if text.symbol == "❌" => phrase.plain(" is in the baseline, but not in this run."),
        Status::New if text.symbol == "❌" => phrase.plain(" is not in the baseline."),
        Status::Fail | Status::Warn | Status::Inconclusive | Status::Accepted => about(phrase, worst, suite),
        _ => quiet(suite, tally),
    }
}

/// `POST /checkout p95 went from 412 to 538 ms: +31 % (plausible +22 to +40 %), the limit is +10 %.`
fn about(phrase: Phrase, row: &Row, suite: &SuiteReport) -> Phrase {
    let text = &row.text;
    let plausible = if text.range.is_empty() { String::new() } else { format!(" (plausible {})", text.range) };
    let (limit, metric) = (&text.limit, &text.metric);
    let budget = ["at most ", "at least "].iter().any(|word| limit.starts_with(word));
    if text.size.is_empty() || budget || text.mark.ends_with("budget") {
        let accepted = if row.status == Status::Accepted { ", which is accepted" } else { "" };
        let budget = format!(", the budget is {limit}{accepted}.");
        return phrase.plain(format!(" {metric} is ")).strong(&text.current).plain(budget);
    }
    let both = text.both.replacen(" → ", " to ", 1);
    let went = match row.status {
        Status::Inconclusive => format!(" {metric} may have gone from {both}: "),
        _ => format!(" {metric} went from {both}: "),
    };
    let end = match row.status {
        Status::Inconclusive if !doubt(suite).is_empty() => {
            format!("the limit is {limit}, but this comparison cannot tell")
        }
        Status::Inconclusive => format!("over the limit of {limit}, but it may be noise"),
        Status::Accepted => format!("over the limit of {limit}, but accepted"),
        Status::Fail => format!("the limit is {limit}{}", all_the_same(row, suite)),
        _ => format!("the limit is {limit}"),
    };
    phrase.plain(went).strong(&text.size).plain(format!("{plausible}, {end}."))
}

/// Why a row fails although its own history leaves room for chance; empty where it does not.
fn all_the_same(row: &Row, suite: &SuiteReport) -> String {
    let Some(evidence) = row.evidence.as_ref() else { return String::new() };
    if !evidence.interval.is_some_and(|[low, high]| low < 0.0 && high > 0.0) {
        return String::new();
    }
    match evidence.runs {
        few if few < DEPTH => format!("; with {} limits alone decide", plural(few, "baseline run")),
        _ if suite.gate == "plain" => "; limits alone decide".to_owned(),
        _ if evidence.p_residual.is_some() => {
            "; other endpoints of the same run, which did not move like this, leave no doubt".to_owned()
        }
        _ => String::new(),
    }
}

/// What there is to say where nothing is worse: how much was measured, the largest change, and what would have been seen.
fn quiet(suite: &SuiteReport, tally: &Tally<'_>) -> Phrase {
    let mut phrase = Phrase::default().plain(size_of_run(suite, tally) + ".");
    let changed = suite.rows.iter().filter(|row| matches!(row.status, Status::Pass | Status::Improved));
    let relative = |row: &&Row| row.change_relative.map_or(0.0, f64::abs);
    let largest = changed.max_by(|a, b| relative(a).total_cmp(&relative(b))).filter(|row| relative(row) > 0.0);
    if let Some(row) = largest {
        let RowText { metric, size, both, .. } = &row.text;
        phrase =
            phrase.plain(" Largest change: ").code(name(&row.endpoint)).plain(format!(" {metric} {size} ({both})."));
    }
    let proven = |row: &&Row| row.evidence.as_ref().is_some_and(|evidence| evidence.runs >= DEPTH);
    let mut seen: Vec<(&Row, f64)> = suite
        .rows
        .iter()
        .filter(|row| row.metric == Some(Metric::LatencyP95))
        .filter(proven)
        .filter_map(|row| Some((row, row.evidence.as_ref()?.smallest_detectable?)))
        .collect();
    seen.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    match seen.as_slice() {
        [] => phrase,
        [(_, only)] => phrase.plain(format!(" A slowdown of p95 would have been seen from {} on.", percent(*only))),
        [(first, low), .., (last, high)] => phrase
            .plain(format!(" A slowdown of p95 would have been seen from {} on for ", percent(*low)))
            .code(name(&first.endpoint))
            .plain(format!(", from {} on for ", percent(*high)))
            .code(name(&last.endpoint))
            .plain("."),
    }
}

/// `14 endpoints, 31 480 requests`
fn size_of_run(suite: &SuiteReport, tally: &Tally<'_>) -> String {
    let endpoints = plural(tally.worst.len(), "endpoint");
    match suite.run.as_ref().and_then(requests) {
        Some(requests) => {
            format!("{endpoints}, {}", plural(usize::try_from(requests).unwrap_or(usize::MAX), "request"))
        }
        None => endpoints,
    }
}

fn requests(run: &Run) -> Option<u64> {
    run.total.as_ref().and_then(|total| total.requests).or_else(|| {
        run.endpoints.iter().map(|endpoint| endpoint.requests).try_fold(0_u64, |sum, own| sum.checked_add(own?))
    })
}

/// `compared with main at 4f1c2ab, 3 runs`
fn compared(suite: &SuiteReport, origin: Option<&Origin>) -> Phrase {
    let facts = &suite.baseline;
    if facts.runs == 0 {
        return Phrase::default();
    }
    let runs = plural(facts.runs, "run");
    let phrase = Phrase::default().plain("compared with ");
    let page = |commit: &str| origin.and_then(|origin| origin.commit_url(commit));
    let phrase = match (&facts.git_ref, &facts.commit) {
        (Some(branch), Some(commit)) => {
            phrase.code(short_ref(branch)).plain(" at ").link(short_commit(commit), page(commit))
        }
        (None, Some(commit)) => phrase.link(short_commit(commit), page(commit)),
        (Some(branch), None) => phrase.code(short_ref(branch)),
        (None, None) => phrase.code(&facts.path),
    };
    phrase.plain(format!(", {runs}"))
}

/// A branch or tag as people call it.
pub(crate) fn short_ref(git_ref: &str) -> &str {
    git_ref.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/")
}

/// Seven digits, as everywhere.
fn short_commit(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

fn doubt(suite: &SuiteReport) -> String {
    let doubts = DOUBTS.iter().filter_map(|code| suite.notices.iter().find(|notice| notice.code == *code));
    doubts.map(|notice| notice.message.clone()).next().unwrap_or_default()
}

fn next(suite: &SuiteReport, accept: &str) -> Phrase {
    let phrase = Phrase::default();
    let mismatch = suite.notices.iter().any(|notice| notice.code == "load_mismatch");
    match suite.verdict {
        Outcome::NoBaseline => {
            phrase.plain("record a baseline from this run and commit it: ").code(record(suite)).plain(".")
        }
        Outcome::Inconclusive if mismatch => phrase
            .plain("run it with the load of the baseline, or record a baseline for this load: ")
            .code(record(suite))
            .plain("."),
        Outcome::Inconclusive if doubt(suite).is_empty() => settle(phrase, suite),
        Outcome::Fail if !accept.is_empty() => {
            let (all, entries) = (suite.counts.failed, accept.lines().count());
            let (noun, go) = if entries == 1 { ("entry", "goes") } else { ("entries", "go") };
            let of =
                if entries < all { format!(", for {entries} of {} rows,", count(all as u64)) } else { String::new() };
            let entries = format!("the {noun} below{of} {go}");
            phrase
                .plain(format!("fix it, or accept it: {entries} under "))
                .code("accepted")
                .plain(" in the config, with your reason and an end.")
        }
        Outcome::Fail => match suite.rows.first().and_then(|row| row.rule.as_ref()) {
            Some(rule) if rule.place != "default" => {
                phrase.plain("fix it, or change what is allowed: ").code(&rule.place).plain(".")
            }
            Some(_) => phrase.plain("fix it, or write a rule of your own into the config."),
            None => phrase.plain("bring it back, or record a baseline without it: ").code(record(suite)).plain("."),
        },
        _ => phrase,
    }
}

/// What would make the worst row certain.
fn settle(phrase: Phrase, suite: &SuiteReport) -> Phrase {
    let runs = suite.rows.first().and_then(|row| row.evidence.as_ref()).map(|evidence| evidence.runs);
    match runs.map(|runs| DEPTH.saturating_sub(runs)) {
        None => phrase,
        Some(0) => phrase.plain("repeat the load test: all its results given to one check are judged together."),
        Some(more) => phrase
            .plain(format!("record {} of unchanged code (", plural(more, "more baseline run")))
            .code("loadgate baseline add")
            .plain("), and evidence decides."),
    }
}

/// The command that records the run.
fn record(suite: &SuiteReport) -> String {
    let mut command = "loadgate baseline add".to_owned();
    let files = suite.run.as_ref().map(|run| run.files.as_slice()).unwrap_or_default();
    let quoted: Option<Vec<_>> = files.iter().map(|file| shell(file)).collect();
    match quoted.filter(|files| (1..=3).contains(&files.len())) {
        Some(files) => files.iter().for_each(|file| command = format!("{command} {file}")),
        None => command.push_str(" RESULTS"),
    }
    if suite.name != "default" {
        command = format!("{command} --suite {}", shell(&suite.name).unwrap_or_else(|| "NAME".to_owned()));
    }
    command
}

/// The text as one word of a shell; `None` of what nobody should paste into one.
fn shell(text: &str) -> Option<String> {
    let plain = !text.is_empty() && escape::terminal(text) == text;
    plain.then(|| shlex::try_quote(text).ok().map(Into::into)).flatten()
}

/// Entries for `accepted` of the config, one per failing row.
fn accept(findings: &[&Finding<'_>], now: Timestamp) -> String {
    let until = now.checked_add((ACCEPT_DAYS * 24).hours()).map(|until| until.strftime("%Y-%m-%d").to_string());
    let Ok(until) = until else { return String::new() };
    let failing = findings.iter().filter(|finding| finding.status == Status::Fail && broken_budget(finding).is_none());
    let entry = |finding: &&&Finding<'_>| {
        let (metric, rule) = finding.metric.as_ref().zip(finding.rule)?;
        let ceiling = match (metric.unit(), finding.change_relative, finding.change) {
            (Unit::Ratio, _, Some(change)) => format!("{}pp", ceiling(change * 100.0, 0.5)),
            (_, Some(relative), _) => {
                let sigma = if rule.direction() == Direction::Lower { 1.0 } else { -1.0 };
                format!("{}%", ceiling(sigma * relative * 100.0, 5.0))
            }
            _ => return None,
        };
        let quoted = |text: &str| {
            (!text.is_empty() && escape::terminal(text) == text).then(|| serde_json::to_string(text).ok()).flatten()
        };
        let (endpoint, metric) = (quoted(&finding.endpoint)?, quoted(&metric.name())?);
        let metric = if finding.metric.as_ref().is_some_and(|own| matches!(own, Metric::Custom(_))) {
            metric
        } else {
            metric.trim_matches('"').to_owned()
        };
        Some(format!("- {{ endpoint: {endpoint}, metric: {metric}, up_to: {ceiling}, reason: \"…\", until: {until} }}"))
    };
    let mut bytes = 0;
    let entries = failing.take(ACCEPTABLE).filter_map(|finding| entry(&finding)).enumerate();
    let fitting = entries.filter(|(place, entry)| {
        bytes += entry.len();
        *place < ACCEPTABLE_ANYWAY || bytes <= ACCEPT_BYTES
    });
    fitting.map(|(_, entry)| entry).collect::<Vec<_>>().join("\n")
}

/// The next full step: a ceiling at the very value would fail on the next run.
fn ceiling(size: f64, step: f64) -> f64 {
    ((size / step).floor() + 1.0) * step
}

fn measured(suite: &SuiteReport) -> String {
    let Some(run) = &suite.run else { return String::new() };
    let version = run.tool_version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let parts = [
        Some(format!("{}{version}", run.tool)),
        run.load.profile.as_deref().map(|profile| format!("profile {profile}")),
        run.load.users.map(|users| plural(users.round() as usize, "user")),
        run.load.target_rps.map(|rate| format!("aimed at {}/s", plain(rate))),
        run.duration_s.map(duration),
        requests(run).map(|requests| plural(usize::try_from(requests).unwrap_or(usize::MAX), "request")),
        (suite.repeats > 1).then(|| format!("first of {} repeats", suite.repeats)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn baseline(input: &SuiteInput<'_>) -> String {
    let times: Vec<Timestamp> = input.comparison.used_runs().filter_map(|run| run.time).collect();
    let runs = plural(input.comparison.used.len(), "baseline run");
    let day = |time: &Timestamp| time.strftime("%Y-%m-%d").to_string();
    let used = input.comparison.used.len();
    let thin = if input.policy.gate == Gate::Auto && (1..DEPTH).contains(&used) {
        format!(", {} more and evidence decides instead of limits alone", DEPTH - used)
    } else {
        String::new()
    };
    match (times.iter().min().map(day), times.iter().max().map(day)) {
        (Some(first), Some(last)) if first != last => format!("{runs} from {first} to {last}{thin}"),
        (Some(first), _) => format!("{runs} of {first}{thin}"),
        _ => runs + &thin,
    }
}
