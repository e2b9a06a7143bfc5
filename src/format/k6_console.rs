//! What k6 prints at the end, for those who kept nothing else.
//!
//! Quirks: units differ from value to value; before 1.0 a rate is `0.00% ✓ 0 ✗ 1000`, since then `0.00% 0 out of 1000`, and
//! of `http_req_failed` the first number is the failed requests; with `--summary-mode=full` groups and scenarios follow
//! with the same names.

use std::collections::BTreeMap;

use super::console::{self, Printed, count, duration_or, number, report};
use super::k6::{SUFFIXES, TOOL, custom, is_custom};
use super::k6_summary::{endpoint, latency};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

pub(super) static CONSOLE: Format = Format {
    id: "k6",
    tool: TOOL,
    title: "what k6 prints at the end",
    versions: "0.26 to 2.2",
    gives: Gives { percentiles: "as printed: p50 p90 p95 by default", failures: true, users: true, time: false },
    part: Part::Main { rank: 9, suffixes: SUFFIXES },
    sniff: |head| {
        let text = console::plain(&head.text);
        let usual = ["http_req_duration", "http_reqs", "iteration_duration", "iterations", "vus"];
        let summary = text.lines().filter_map(entry).any(|(name, _)| usual.contains(&name));
        // The summary may be far below logs and progress.
        Confidence::certain_if(summary || text.contains("execution: local") && text.contains("scenarios: ("))
    },
    parse,
};

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool(TOOL);
    // In full mode, the totals end where the first group or scenario begins.
    let totals = text.split_once("█ TOTAL RESULTS").map(|(_, rest)| rest.split('█').next().unwrap_or_default());
    let mut metrics: BTreeMap<(String, Option<String>), &str> = BTreeMap::new();
    let mut last = "";
    for line in totals.unwrap_or(&text).lines() {
        let Some((name, figures)) = entry(line) else { continue };
        if let Some(selector) = name.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            metrics.insert((last.to_owned(), Some(selector.trim().to_owned())), figures);
        } else {
            last = name;
            metrics.insert((name.to_owned(), None), figures);
        }
    }
    let find = |name: &str, selector: Option<&str>| {
        metrics.get(&(name.to_owned(), selector.map(str::to_owned))).copied()
    };
    if metrics.is_empty() {
        return Err(ParseError::new("no summary of k6").hint("was k6 interrupted, or run with `--no-summary`?"));
    }
    if let Some((requests, rate)) = find("http_reqs", None).and_then(counter).filter(|(_, rate)| *rate > 0.0) {
        recorder.duration_s(requests as f64 / rate);
    }
    let vus = find("vus", None);
    if let Some(users) = vus.and_then(|vus| figure(vus, "max").or_else(|| number(vus))) {
        recorder.users(users.value);
    }
    requests(|name| find(name, None), recorder.total());
    let selectors: std::collections::BTreeSet<&str> =
        metrics.keys().filter(|(name, _)| name.starts_with("http_req")).filter_map(|(_, selector)| selector.as_deref()).collect();
    for selector in selectors {
        let find = |name: &str| find(name, Some(selector));
        // All zeros without a count: a selector that matched nothing.
        let zeros = |figures: &str| pairs(figures).all(|(_, value)| duration_or(value, None).is_none_or(|one| one.value == 0.0));
        let measured = ["http_reqs", "http_req_failed"].into_iter().any(|name| find(name).is_some());
        if let Some((method, name)) = endpoint(selector)
            && (measured || !find("http_req_duration").is_none_or(zeros))
        {
            requests(find, recorder.endpoint(method.as_deref(), &name));
        }
    }
    for ((name, selector), figures) in &metrics {
        if selector.is_none() && is_custom(name) && !name.starts_with("checks_") {
            customs(name, figures, recorder.total());
        }
    }
    if let Some((good, all)) = find("checks_succeeded", None).and_then(shares).filter(|(_, all)| *all > 0) {
        recorder.total().computed(custom("checks", None), good as f64 / all as f64, Some(0.0));
    }
    Ok(())
}

/// Name and figures of `✓ http_reqs....: 845 102.3/s`; the mark says what the thresholds of the metric say, before 1.0.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (name, figures) = line.trim().split_once(".: ")?;
    Some((name.trim_start_matches(['✓', '✗']).trim_start().trim_end_matches('.').trim_end(), figures.trim()))
}

/// `max` of `6 min=6 max=6`.
fn figure(figures: &str, key: &str) -> Option<Printed> {
    pairs(figures).find(|(own, _)| *own == key).and_then(|(_, value)| duration_or(value, Some(1.0)))
}

/// `avg=17.49ms min=1.86ms p(90)=…`.
fn pairs(figures: &str) -> impl Iterator<Item = (&str, &str)> {
    figures.split_whitespace().filter_map(|pair| pair.split_once('='))
}

/// `845    102.368819/s`.
fn counter(figures: &str) -> Option<(u64, f64)> {
    let (all, rate) = figures.split_once(char::is_whitespace)?;
    Some((all.parse().ok()?, rate.trim().strip_suffix("/s")?.parse().ok()?))
}

/// `(trues, all)` of `0.74% 6 out of 805`, or of `0.74% ✓ 6 ✗ 799`.
fn shares(figures: &str) -> Option<(u64, u64)> {
    let (_, rest) = figures.split_once('%')?;
    if let Some((trues, all)) = rest.split_once(" out of ") {
        return count(trues).zip(count(all));
    }
    let (trues, falses) = rest.trim().strip_prefix('✓')?.split_once('✗')?;
    let trues = count(trues)?;
    Some((trues, trues.checked_add(count(falses)?)?))
}

fn requests<'a>(find: impl Fn(&str) -> Option<&'a str>, draft: &mut Draft) {
    let duration = find("http_req_duration").unwrap_or_default();
    let reqs = find("http_reqs").and_then(counter);
    let failed = find("http_req_failed").and_then(shares);
    let asked = pairs(duration).find_map(|(key, value)| (key == "count").then(|| value.parse().ok())?);
    let known = reqs.map(|(all, _)| all).or(asked).or(failed.map(|(_, all)| all));
    if let Some(all) = known {
        draft.requests(all);
    }
    if let Some((failures, _)) = failed {
        draft.failures(failures);
    }
    if let Some((_, rate)) = reqs {
        draft.reported(Metric::Throughput, rate, Some(1e-6));
    }
    let figures: Vec<(Metric, Printed)> = pairs(duration)
        .filter_map(|(key, value)| Some((latency(key)?, duration_or(value, None)?)))
        .collect();
    if known != Some(0) {
        for (metric, printed) in figures {
            report(draft, metric, Some(printed));
        }
    }
}

fn customs(name: &str, figures: &str, draft: &mut Draft) {
    if let Some((trues, all)) = shares(figures) {
        if all > 0 {
            draft.computed(custom(name, None), trues as f64 / all as f64, Some(0.0));
        }
    } else if let Some((all, _)) = counter(figures) {
        draft.reported(custom(name, None), all as f64, Some(0.0));
    } else if pairs(figures).any(|(key, _)| key == "avg") {
        for (key, value) in pairs(figures) {
            let Some((metric, printed)) = latency(key).zip(duration_or(value, Some(1.0))) else { continue };
            let further = (metric != Metric::LatencyMean).then(|| metric.title().into_owned());
            report(draft, custom(name, further.as_deref()), Some(printed));
        }
    } else if let Some(value) = figures.split_whitespace().next().and_then(|value| value.parse().ok()) {
        // A gauge; a unit after the number would be of data, which is not read.
        if figures.split_whitespace().nth(1).is_none_or(|next| next.contains('=')) {
            draft.reported(custom(name, None), value, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_printing_a_rate_are_read() {
        assert_eq!(shares("0.74%  6 out of 805"), Some((6, 805)));
        assert_eq!(shares("0.74%  ✓ 6        ✗ 799"), Some((6, 805)));
        assert_eq!(shares("6 min=6 max=6"), None);
    }

    #[test]
    fn a_mark_of_thresholds_is_no_name() {
        let line = "   ✗ http_req_duration..............: avg=1.2ms p(95)=3ms";
        assert_eq!(entry(line), Some(("http_req_duration", "avg=1.2ms p(95)=3ms")));
        assert_eq!(entry("       { expected_response:true }...: avg=1ms").unwrap().0, "{ expected_response:true }");
    }
}
