//! Every figure that people read equals `report.json`: comment, summary and issue are parsed as GitHub parses them, each number
//! is read back from its words, and held against the raw one.

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options, parse_document};
use loadgate::report::templates::Templates;
use loadgate::report::{IssueRow, IssueView, Report, render};
use loadgate::verdict::{Outcome, Status};
use serde_json::Value;

use crate::reports::states;

/// The head of a table and its rows, as words.
struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn tables(markdown: &str) -> Vec<Table> {
    let arena = Arena::new();
    let mut options = Options::default();
    options.extension.table = true;
    let root = parse_document(&arena, markdown, &options);
    root.descendants()
        .filter(|node| matches!(node.data.borrow().value, NodeValue::Table(_)))
        .map(|table| {
            let mut rows = table.children().map(|row| row.children().map(words).collect::<Vec<_>>());
            Table { head: rows.next().unwrap_or_default(), rows: rows.collect() }
        })
        .collect()
}

fn words<'a>(node: &'a AstNode<'a>) -> String {
    node.descendants()
        .map(|node| match &node.data.borrow().value {
            NodeValue::Text(text) => text.to_string(),
            NodeValue::Code(code) => code.literal.clone(),
            _ => String::new(),
        })
        .collect()
}

/// `1 040` as a number.
fn number(text: &str) -> f64 {
    let plain: String = text.chars().filter(|c| *c != '\u{202f}').collect::<String>().replace('\u{2212}', "-");
    plain.trim_start_matches('+').parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

/// `538 ms` as number, and what one of its unit is in the model's.
fn measured(text: &str) -> (f64, f64) {
    let units = [("\u{202f}%", 0.01), (" ms", 1.0), ("/s", 1.0), (" s", 1_000.0), ("", 1.0)];
    let (suffix, factor) = units.into_iter().find(|(suffix, _)| text.ends_with(suffix)).unwrap();
    (number(text.strip_suffix(suffix).unwrap()), factor)
}

/// Half of the third significant digit.
fn half_a_digit(value: f64) -> f64 {
    if value == 0.0 { 0.5e-6 } else { 0.5 * 10_f64.powf(value.abs().log10().floor() - 2.0) }
}

/// The number as shown, in its unit, is the raw one with three digits.
fn same(shown: f64, factor: f64, raw: &Value, what: &str) {
    let raw = raw.as_f64().unwrap_or_else(|| panic!("{what}: {shown} is shown, report.json has {raw}"));
    let allowed = half_a_digit(shown) * factor * 1.000_001 + 1e-12;
    assert!((shown * factor - raw).abs() <= allowed, "{what}: {shown} x {factor} is shown, report.json has {raw}");
}

/// A share in percent, or a difference in points: two digits, as `+31` or `+4.2`, `+1.33`.
fn hundredth(shown: f64, raw: f64, points: bool, what: &str) {
    let allowed = if points {
        0.005
    } else if shown.abs() < 9.95 {
        0.05
    } else {
        0.5
    };
    assert!((shown - raw * 100.0).abs() <= allowed * 1.000_001, "{what}: {shown} is shown, report.json has {raw}");
}

/// `+31 %`, `+1.33 points`: the size of a change.
fn size(text: &str, row: &Value, what: &str) {
    if let Some(points) = text.strip_suffix(" points") {
        return hundredth(number(points), row["change"].as_f64().unwrap(), true, what);
    }
    match text.strip_suffix("\u{202f}%") {
        Some(percent) => hundredth(number(percent), row["change_relative"].as_f64().unwrap(), false, what),
        None => difference(text, row, what),
    }
}

/// `+126 ms`: as fine as the larger side is shown.
fn difference(text: &str, row: &Value, what: &str) {
    let (shown, factor) = measured(text);
    let largest = ["baseline", "current"].map(|side| row[side].as_f64().unwrap_or(0.0).abs());
    let allowed = half_a_digit(largest[0].max(largest[1]) / factor) * factor * 1.000_001;
    let raw = row["change"].as_f64().unwrap();
    assert!((shown * factor - raw).abs() <= allowed, "{what}: {text} is shown, report.json has {raw}");
}

/// `−3 to +38`
fn interval(text: &str, row: &Value, points: bool, what: &str) {
    let ends = text.trim_end_matches("\u{202f}%").trim_end_matches(" points").split_once(" to ").unwrap();
    for (shown, at) in [(ends.0, 0), (ends.1, 1)] {
        hundredth(number(shown), row["evidence"]["interval"][at].as_f64().unwrap(), points, what);
    }
}

/// `+31 % (+126 ms)`, `+17 % (−3 to +38)`, `+1.33 points`
fn change(text: &str, row: &Value, what: &str) {
    let Some((own, rest)) = text.split_once(" (") else { return size(text, row, what) };
    size(own, row, what);
    let rest = rest.trim_end_matches(')');
    if rest.contains(" to ") { interval(rest, row, row["unit"] == "ratio", what) } else { difference(rest, row, what) }
}

/// `412 → 538 ms`, or one side.
fn both(text: &str, row: &Value, what: &str) {
    if let Some((before, now)) = text.split_once(" → ") {
        let (now, factor) = measured(now);
        same(now, factor, &row["current"], what);
        same(number(before), factor, &row["baseline"], what);
    } else {
        let side = if row["current"].is_null() { "baseline" } else { "current" };
        let (value, factor) = measured(text);
        same(value, factor, &row[side], what);
    }
}

/// `+10 %`, `+0.5 points`, `at most 800 ms`: the boundary, which is exact.
fn limit(text: &str, row: &Value, what: &str) {
    let boundary = row["boundary"].as_f64();
    let baseline = row["baseline"].as_f64().unwrap_or(f64::NAN);
    let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{what}: {text} but {a} and {b}");
    if let Some(budget) = text.strip_prefix("at most ").or_else(|| text.strip_prefix("at least ")) {
        let (value, factor) = measured(budget);
        close(value * factor, boundary.unwrap());
    } else if let Some(points) = text.strip_suffix(" points") {
        close(baseline + number(points) / 100.0, boundary.unwrap());
    } else if let Some(percent) = text.strip_suffix("\u{202f}%") {
        // There is no percent of zero.
        if let Some(boundary) = boundary {
            close(baseline * (1.0 + number(percent) / 100.0), boundary);
        }
    } else {
        let (value, factor) = measured(text);
        close(baseline + value * factor, boundary.unwrap());
    }
}

/// The row of the suites that the cells speak of.
fn row_of<'a>(suites: &[&'a Value], endpoint: &str, metric: &str, both: &str) -> &'a Value {
    let rows = suites.iter().flat_map(|suite| suite["rows"].as_array().unwrap());
    let like =
        |row: &&Value| row["endpoint"] == endpoint && row["text"]["metric"] == metric && row["text"]["both"] == both;
    rows.into_iter().find(like).unwrap_or_else(|| panic!("report.json has no row `{endpoint}` {metric} {both}"))
}

fn check_tables(page: &str, suites: &[&Value]) -> usize {
    let mut figures = 0;
    for Table { head, rows } in tables(page) {
        let column = |name: &str| head.iter().position(|cell| cell == name);
        for cells in rows {
            let cell = |name: &str| column(name).map(|at| cells[at].as_str()).filter(|text| !text.is_empty());
            let endpoint = cell("Endpoint").unwrap();
            let Some(metric) = cell("Metric") else {
                if column("Requests").is_some() {
                    figures += endpoint_row(&cells, suites);
                }
                continue;
            };
            let what = format!("{endpoint} {metric}");
            let Some(shown) = cell("Baseline → now") else { continue };
            let row = row_of(suites, endpoint, metric, shown);
            both(shown, row, &what);
            figures += 1;
            if let Some(shown) = cell("Change") {
                change(shown, row, &what);
                figures += 1;
            }
            if let Some(shown) = cell("Limit") {
                limit(shown, row, &what);
                figures += 1;
            }
        }
    }
    figures
}

/// `| GET / | 18 204 | 21 ms | 48 ms | 90 ms | 0 % |`
fn endpoint_row(cells: &[String], suites: &[&Value]) -> usize {
    let label = |endpoint: &Value| match endpoint["method"].as_str() {
        Some(method) => format!("{method} {}", endpoint["name"].as_str().unwrap()),
        None => endpoint["name"].as_str().unwrap().to_owned(),
    };
    // The table holds endpoints none of whose rows matter; another suite may have one of the same name.
    let quiet = |suite: &Value, endpoint: &Value| {
        let summaries = suite["endpoints"].as_array().unwrap();
        let own = summaries.iter().find(|summary| summary["endpoint"] == label(endpoint)).unwrap();
        ["pass", "info", "not_measured"].iter().any(|status| own["status"] == *status)
    };
    let mut candidates = suites.iter().flat_map(|suite| {
        suite["run"]["endpoints"].as_array().unwrap().iter().filter(|endpoint| quiet(suite, endpoint))
    });
    let [name, requests, latencies @ .., errors] = cells else { panic!("{cells:?}") };
    let endpoint = candidates.find(|endpoint| label(endpoint) == *name).unwrap_or_else(|| panic!("{name}"));
    if requests != "–" {
        assert_eq!(Some(number(requests)), endpoint["requests"].as_f64(), "{name}");
    }
    for (metric, text) in ["latency_p50", "latency_p95", "latency_p99"].into_iter().zip(latencies) {
        let raw = &endpoint["metrics"][metric]["value"];
        if text == "–" {
            assert!(raw.is_null(), "{name} {metric}: report.json has {raw}");
        } else {
            let (value, factor) = measured(text);
            same(value, factor, raw, name);
        }
    }
    if errors != "–" {
        let rate = endpoint["failures"].as_f64().zip(endpoint["requests"].as_f64()).map(|(bad, all)| bad / all);
        let (value, factor) = measured(errors);
        same(
            value,
            factor,
            &rate.map_or_else(|| endpoint["metrics"]["error_rate"]["value"].clone(), Value::from),
            name,
        );
    }
    cells.len() - 1
}

/// `POST /checkout p95 went from 412 to 538 ms: +31 % (plausible +22 to +40 %), the limit is +10 %.`
fn check_lead(suite: &Value) -> usize {
    let parts = suite["text"]["lead"].as_array().unwrap();
    let lead: String = parts.iter().map(|part| part["text"].as_str().unwrap()).collect();
    let row = &suite["rows"][0];
    let Some((_, rest)) = lead.split_once("gone from ").or_else(|| lead.split_once("went from ")) else { return 0 };
    let (shown, rest) = rest.split_once(": ").unwrap();
    both(&shown.replacen(" to ", " → ", 1), row, &lead);
    let (own, rest) = rest.split_once(" (plausible ").unwrap_or_else(|| rest.split_once(", ").unwrap());
    size(own, row, &lead);
    if let Some((shown, _)) = rest.split_once("), ") {
        interval(shown, row, row["unit"] == "ratio", &lead);
    }
    let shown = rest.split_once("limit is ").or_else(|| rest.split_once("limit of ")).unwrap().1;
    limit(shown.trim_end_matches('.').split([',', ';']).next().unwrap(), row, &lead);
    4
}

/// `2 worse · 1 can't tell · 10 the same`, against the worst that is said of each endpoint.
fn check_counts(suite: &Value) -> usize {
    let text = suite["text"]["counts"].as_str().unwrap();
    let mut worst = std::collections::BTreeMap::new();
    for endpoint in suite["endpoints"].as_array().unwrap() {
        worst.insert(endpoint["endpoint"].as_str().unwrap(), endpoint["status"].as_str().unwrap());
    }
    for row in suite["rows"].as_array().unwrap() {
        worst.entry(row["endpoint"].as_str().unwrap()).or_insert(row["status"].as_str().unwrap());
    }
    // All requests together are no endpoint, unless there is no other.
    if worst.len() > 1 {
        worst.remove("(total)");
    }
    let words = [
        ("worse", "fail"),
        ("worse without blocking", "warn"),
        ("accepted", "accepted"),
        ("can't tell", "inconclusive"),
        ("better", "improved"),
        ("new", "new"),
        ("gone", "missing"),
        ("the same", "pass"),
        ("not judged", "info"),
    ];
    let said: Vec<(usize, &str)> = text
        .split(" · ")
        .filter_map(|part| part.split_once(' '))
        .map(|(times, word)| (number(times) as usize, words.iter().find(|(own, _)| *own == word).unwrap().1))
        .collect();
    for (times, status) in &said {
        let found = worst.values().filter(|own| *own == status || (*status == "info" && **own == "not_measured"));
        assert_eq!(found.count(), *times, "{text}");
    }
    if !said.is_empty() {
        assert_eq!(said.iter().map(|(times, _)| times).sum::<usize>(), worst.len(), "{text}");
    }
    said.len()
}

/// First and last value in words, and the lines of the chart: the points, and the limit.
fn check_trends(suite: &Value) -> usize {
    let trends = suite["trends"].as_array().unwrap();
    for trend in trends {
        let text = &trend["text"];
        let what = format!("{} {}", trend["endpoint"], trend["metric"]);
        let values: Vec<f64> =
            trend["points"].as_array().unwrap().iter().map(|point| point["value"].as_f64().unwrap()).collect();
        let (last, factor) = measured(text["last"].as_str().unwrap());
        same(last, factor, &Value::from(*values.last().unwrap()), &what);
        let rows = suite["rows"].as_array().unwrap();
        let row =
            rows.iter().find(|row| row["endpoint"] == trend["endpoint"] && row["metric"] == trend["metric"]).unwrap();
        assert_eq!(row["current"].as_f64().unwrap(), *values.last().unwrap(), "{what}");
        let factor = if trend["unit"] == "ratio" { 100.0 } else { 1.0 };
        let chart = text["mermaid"].as_str().unwrap();
        let mut lines = chart.lines().filter_map(|line| line.trim().strip_prefix("line [")?.strip_suffix(']'));
        let drawn: Vec<f64> = lines.next().unwrap().split(", ").map(|value| value.parse().unwrap()).collect();
        let limits: Vec<f64> = lines.next().unwrap().split(", ").map(|value| value.parse().unwrap()).collect();
        assert_eq!(drawn.len(), limits.len(), "{what}");
        let close = |shown: f64, raw: f64| {
            assert!((shown - raw).abs() <= half_a_digit(raw) * 0.1 + 1e-9, "{what}: {shown} and {raw}");
        };
        for ((shown, value), limit) in drawn.iter().zip(&values).zip(limits) {
            close(*shown, value * factor);
            close(limit, row["boundary"].as_f64().unwrap() * factor);
        }
    }
    trends.len() * 4
}

#[test]
fn every_figure_in_markdown_equals_the_report() {
    let templates = Templates::shipped();
    let mut figures = 0;
    for (state, report) in states() {
        let json: Value = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
        let suites: Vec<&Value> = json["suites"].as_array().unwrap().iter().collect();
        for (place, page) in pages(&report, &templates).into_iter().enumerate() {
            let found = check_tables(&page, &suites);
            assert!(found > 0, "{state}");
            figures += found;
            // Comment and summary are about all suites, an issue about its own.
            for suite in suites.iter().filter(|_| place < 2) {
                let lead: String = suite["text"]["lead"][0]["text"].as_str().unwrap().chars().take(12).collect();
                assert!(page.contains(lead.trim()), "{state}: {lead}");
            }
        }
        for suite in &suites {
            figures += check_lead(suite) + check_counts(suite) + check_trends(suite);
        }
    }
    assert!(figures > 1_000, "only {figures} figures were looked at");
}

/// Comment, summary, and the issue of a suite that fails.
fn pages(report: &Report, templates: &Templates) -> Vec<String> {
    let issues = report.suites.iter().filter(|suite| suite.verdict == Outcome::Fail).map(|suite| {
        let rows =
            suite.rows.iter().filter(|row| row.status == Status::Fail).map(|row| IssueRow::new(row, None)).collect();
        render::issue(report, &suite.name, &IssueView { rows, ..IssueView::default() }, templates).unwrap()
    });
    let pages = [render::comment(report, templates).unwrap(), render::summary(report, templates).unwrap()];
    pages.into_iter().chain(issues).collect()
}
