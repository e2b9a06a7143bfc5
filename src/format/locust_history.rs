//! Locust `_stats_history.csv`: one row a second.
//!
//! Beside the stats CSV it gives what that one lacks: users, start and duration. Alone it gives the totals of its last
//! rows. The plain percentile and `Requests/s` columns are a sliding window of about ten seconds: drawn over time, never
//! judged. The `Total …` columns are cumulative, so the last row counts and nothing is ever summed. Before 1.0 they have the
//! names of the requests CSV, and users are not told.

use std::collections::BTreeMap;

use super::locust_stats::{Row, SUFFIXES, Table, step};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::metric::Metric;
use crate::run::recorder::Recorder;
use crate::run::timeline::Timeline;

pub(super) static HISTORY: Format = Format {
    id: "locust-history",
    tool: "Locust",
    title: "stats history CSV (`NAME_stats_history.csv`)",
    versions: "0.13 to 2.47",
    gives: Gives { percentiles: "p50 of the totals", failures: true, users: true, time: true },
    part: Part::Companion { rank: 2, suffixes: SUFFIXES },
    sniff,
    parse,
};

/// Header words, lower-cased, of the cumulative counts.
const REQUESTS: &[&str] = &["total request count", "# requests"];
const FAILURES: &[&str] = &["total failure count", "# failures"];

fn sniff(head: &Head) -> Confidence {
    let header = head.first_line().to_ascii_lowercase();
    let counts = ["total request count", "# requests"].iter().any(|word| header.contains(word));
    Confidence::certain_if(header.contains("timestamp") && header.contains("name") && counts && header.contains("50%"))
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let mut table = Table::open(source)?;
    let alone = recorder.is_empty();
    recorder.tool("Locust");
    let (timestamp, name) = (table.need(&["timestamp"])?, table.need(&["name"])?);
    let users = table.find(&["user count"]);
    let method = table.find(&["type"]);
    // The JSON tells the requests of each second too, and better.
    let mut course = Course { counts: recorder.timeline().slices().len() == 0, ..Course::of(&table) };
    let mut last_rows: BTreeMap<(String, String), Row> = BTreeMap::new();
    while let Some(row) = table.next_row()? {
        let key = |at| row.text(at).unwrap_or_default();
        let users = users.map(|at| table.number(&row, at)).transpose()?.flatten();
        let is_total = is_total(method.map(key).unwrap_or_default(), key(name));
        if let Some(seconds) = table.number(&row, timestamp)? {
            recorder.spans(seconds * 1e3, seconds * 1e3);
            if is_total {
                course.note(&table, &row, (seconds * 1e3) as i64, users, recorder.timeline());
            }
        }
        recorder.users(users.unwrap_or(0.0));
        if alone {
            last_rows.insert((method.map(key).unwrap_or_default().to_owned(), key(name).to_owned()), row);
        }
    }
    for ((method, name), row) in &last_rows {
        record(&table, row, method, name, recorder)?;
    }
    Ok(())
}

fn is_total(method: &str, name: &str) -> bool {
    matches!(method, "" | "None") && matches!(name, "Aggregated" | "Total")
}

/// The rows of the total over time: what came on top since the row before.
struct Course {
    /// Whether nothing else tells the requests.
    counts: bool,
    requests: Option<usize>,
    failures: Option<usize>,
    percentiles: Option<(usize, usize)>,
    seen: (u64, u64),
}

impl Course {
    fn of(table: &Table<'_>) -> Self {
        Self {
            counts: true,
            requests: table.find(REQUESTS),
            failures: table.find(FAILURES),
            percentiles: table.find(&["50%"]).zip(table.find(&["95%"])),
            seen: (0, 0),
        }
    }

    /// For drawing only: a cell that is not a number leaves a hole.
    fn note(&mut self, table: &Table<'_>, row: &Row, at_ms: i64, users: Option<f64>, timeline: &mut Timeline) {
        if let Some(users) = users {
            timeline.users(at_ms, users);
        }
        let count = |at: Option<usize>| at.and_then(|at| table.count(row, at).ok());
        if let (true, Some(requests), Some(failures)) = (self.counts, count(self.requests), count(self.failures)) {
            // After `--reset-stats` counting starts anew.
            let since = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
            let more = since(requests, self.seen.0);
            timeline.count(at_ms, more, Some(since(failures, self.seen.1)).filter(|failures| *failures <= more));
            self.seen = (requests, failures);
        }
        let value = |at| table.number(row, at).ok().flatten();
        if let Some((p50, p95)) = self.percentiles.and_then(|(p50, p95)| value(p50).zip(value(p95))) {
            timeline.window(at_ms, [p50, p95]);
        }
    }
}

/// The cumulative figures of an endpoint's last row.
fn record(table: &Table<'_>, row: &Row, method: &str, name: &str, recorder: &mut Recorder) -> Result<(), ParseError> {
    let requests = table.count(row, table.need(REQUESTS)?)?;
    let failures = table.count(row, table.need(FAILURES)?)?;
    let draft = if is_total(method, name) { recorder.total() } else { recorder.endpoint(Some(method), name) };
    draft.requests(requests).failures(failures);
    let figures: [([&str; 2], Metric); 4] = [
        (["total median response time", "median response time"], Metric::LatencyP50),
        (["total average response time", "average response time"], Metric::LatencyMean),
        (["total min response time", "min response time"], Metric::LatencyMin),
        (["total max response time", "max response time"], Metric::LatencyMax),
    ];
    for (columns, metric) in figures {
        let value = table.find(&columns).map(|at| table.number(row, at)).transpose()?.flatten();
        if requests > 0 && let Some(value) = value {
            let step = if metric == Metric::LatencyP50 { step(value) } else { 0.0 };
            draft.reported(metric, value, Some(step));
        }
    }
    Ok(())
}
