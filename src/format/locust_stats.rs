//! Locust `_stats.csv` (0.x "requests" CSV to 2.x), one row per endpoint and a total.
//!
//! Quirks: percentiles and the median come from a histogram rounded to two digits ([`step`]), so a percentile can exceed
//! the maximum; the total is the *last* row, named `Aggregated` (before 1.0 `Total`), and only if its type is empty, since
//! people do name a request so; `Requests/s` is over the whole run; the file stops up to a second before the end.

use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::Notice;
use crate::run::metric::Metric;
use crate::run::recorder::{Draft, Recorder};

pub(super) static STATS: Format = Format {
    id: "locust-stats",
    tool: "Locust",
    title: "stats CSV (`--csv NAME` writes `NAME_stats.csv`; `NAME_requests.csv` before 1.0)",
    versions: "0.8 to 2.47",
    gives: Gives { percentiles: "as in the header, all from 1.0 on", failures: true, users: false, time: false },
    part: Part::Main { rank: 1, suffixes: SUFFIXES },
    sniff,
    parse,
};

/// What Locust appends to the name given to `--csv`.
pub(super) const SUFFIXES: &[&str] =
    &["_stats_history", "_stats", "_failures", "_exceptions", "_requests", "_distribution"];

/// Header words, lower-cased, of the columns we read; several spellings over the versions.
const REQUESTS: &[&str] = &["request count", "# requests"];
const FAILURES: &[&str] = &["failure count", "# failures"];
const MEDIAN: &[&str] = &["median response time"];
const FIGURES: [(&[&str], Metric); 4] = [
    (&["average response time"], Metric::LatencyMean),
    (&["min response time"], Metric::LatencyMin),
    (&["max response time"], Metric::LatencyMax),
    (&["requests/s"], Metric::Throughput),
];

fn sniff(head: &Head) -> Confidence {
    let header = head.first_line().to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| header.contains(word));
    let history = header.contains("timestamp");
    Confidence::certain_if(has(REQUESTS) && has(FAILURES) && has(MEDIAN) && header.contains("name") && !history)
}

/// The rounding step of a Locust percentile: two significant digits from 100 ms on, whole milliseconds below.
pub(super) fn step(ms: f64) -> f64 {
    match ms {
        _ if ms < 100.0 => 1.0,
        _ if ms < 1_000.0 => 10.0,
        _ if ms < 10_000.0 => 100.0,
        _ => 1_000.0,
    }
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let mut table = Table::open(source)?;
    recorder.tool("Locust");
    let columns = Columns::of(&table)?;
    let mut rows = Vec::new();
    while let Some(row) = table.next_row()? {
        rows.push((table.count(&row, columns.requests)?, table.count(&row, columns.failures)?, row));
    }
    // Before 0.12 failures were counted beside the requests: more of them than requests prove it, nothing else tells.
    let beside = columns.old && rows.iter().any(|(requests, failures, _)| failures > requests);
    if columns.old && !beside && rows.iter().any(|(_, failures, _)| *failures > 0) {
        let message = "before Locust 0.12 `# requests` left failures out, later it holds them; read as the latter";
        recorder.notice(Notice::new("ambiguous_requests", message));
    }
    let last = rows.len().saturating_sub(1);
    for (at, (requests, failures, row)) in rows.iter().enumerate() {
        let method = columns.method.and_then(|at| row.text(at)).unwrap_or_default();
        let method = if method == "None" { "" } else { method };
        let name = row.text(columns.name).unwrap_or_default();
        // People do name a request so: the total is the last row and has no method.
        let is_total = at == last && method.is_empty() && matches!(name, "Aggregated" | "Total");
        let draft = if is_total { recorder.total() } else { recorder.endpoint(Some(method), name) };
        let requests = if beside { requests.saturating_add(*failures) } else { *requests };
        columns.record(&table, row, requests, *failures, draft)?;
    }
    Ok(())
}

/// Which column holds what.
struct Columns {
    method: Option<usize>,
    name: usize,
    requests: usize,
    failures: usize,
    median: Option<usize>,
    figures: Vec<(usize, Metric)>,
    percentiles: Vec<(usize, Metric)>,
    /// Whether the header is older than 0.14: whether requests include failures depends on the version.
    old: bool,
}

impl Columns {
    fn of(table: &Table<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            method: table.find(&["type", "method"]),
            name: table.need(&["name"])?,
            requests: table.need(REQUESTS)?,
            failures: table.need(FAILURES)?,
            median: table.find(MEDIAN),
            figures: FIGURES
                .into_iter()
                .filter_map(|(words, metric)| table.find(words).map(|at| (at, metric)))
                .collect(),
            percentiles: table.levels(),
            old: table.find(&["method"]).is_some()
                && table.find(&["# requests"]).is_some()
                && table.find(&["requests failed/s"]).is_none(),
        })
    }

    fn record(
        &self,
        table: &Table<'_>,
        row: &Row,
        requests: u64,
        failures: u64,
        draft: &mut Draft,
    ) -> Result<(), ParseError> {
        draft.requests(requests).failures(failures);
        for (at, metric) in &self.figures {
            let value = table.number(row, *at)?;
            // Nothing was measured: the zeros of such a row are no latencies.
            if requests > 0 && let Some(value) = value {
                draft.reported(metric.clone(), value, Some(0.0));
            }
        }
        let median = self.median.map(|at| (at, Metric::LatencyP50));
        // The percentile column comes last and wins; they agree, but only one of them exists in some versions.
        for (at, metric) in median.iter().chain(&self.percentiles) {
            let value = table.number(row, *at)?;
            if requests > 0 && let Some(value) = value {
                draft.reported(metric.clone(), value, Some(step(value)));
            }
        }
        Ok(())
    }
}

/// A small CSV with a header, read row by row, whose complaints name line, column and header.
pub(super) struct Table<'a> {
    /// Header cells, trimmed and lower-cased.
    pub(super) header: Vec<String>,
    reader: csv::Reader<Box<dyn std::io::Read + 'a>>,
}

/// One row with its line in the file.
pub(super) struct Row {
    line: u64,
    cells: csv::StringRecord,
}

impl Row {
    /// The cell, trimmed; `None` if the row is shorter.
    pub(super) fn text(&self, at: usize) -> Option<&str> {
        self.cells.get(at).map(str::trim)
    }
}

impl<'a> Table<'a> {
    pub(super) fn open(source: &'a mut Source<'_>) -> Result<Self, ParseError> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(Box::new(&mut *source.reader) as Box<dyn std::io::Read + 'a>);
        let header = reader.headers()?.iter().map(|cell| cell.trim().to_lowercase()).collect();
        Ok(Self { header, reader })
    }

    /// The next row with all its cells.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>, ParseError> {
        let mut cells = csv::StringRecord::new();
        if !self.reader.read_record(&mut cells)? {
            return Ok(None);
        }
        let line = cells.position().map_or(0, csv::Position::line);
        if cells.len() < self.header.len() {
            let message = format!("expected {} cells as in the header, found {}", self.header.len(), cells.len());
            return Err(ParseError::new(message).at_line(line).hint("the file seems cut off; was the load test interrupted?"));
        }
        Ok(Some(Row { line, cells }))
    }

    /// The columns of percentiles that the model keeps.
    pub(super) fn levels(&self) -> Vec<(usize, Metric)> {
        let levels = self.header.iter().enumerate().filter_map(|(at, word)| {
            let level: f64 = word.strip_suffix('%')?.parse().ok()?;
            Some((at, Metric::percentile(level / 100.0)?))
        });
        levels.collect()
    }

    pub(super) fn find(&self, words: &[&str]) -> Option<usize> {
        self.header.iter().position(|cell| words.contains(&cell.as_str()))
    }

    pub(super) fn need(&self, words: &[&str]) -> Result<usize, ParseError> {
        let wanted = words.first().copied().unwrap_or_default();
        self.find(words).ok_or_else(|| ParseError::new(format!("expected a column `{wanted}` in the header")).at_line(1))
    }

    /// A whole number of at least 0; scripts that join several files write `42.0`.
    pub(super) fn count(&self, row: &Row, at: usize) -> Result<u64, ParseError> {
        let text = row.text(at).unwrap_or_default();
        text.strip_suffix(".0").unwrap_or(text).parse().ok().ok_or_else(|| self.complaint(row, at, "a whole number"))
    }

    /// A finite number of at least 0; `N/A` and an empty cell are unknown.
    pub(super) fn number(&self, row: &Row, at: usize) -> Result<Option<f64>, ParseError> {
        let text = row.text(at).unwrap_or_default();
        if text.is_empty() || text == "N/A" {
            return Ok(None);
        }
        let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
        number.map(Some).ok_or_else(|| self.complaint(row, at, "a number or N/A"))
    }

    fn complaint(&self, row: &Row, at: usize, expected: &str) -> ParseError {
        let header = self.header.get(at).map_or("?", String::as_str);
        let found: String = row.text(at).unwrap_or_default().chars().take(40).collect();
        let before: usize = row.cells.iter().take(at).map(|cell| cell.chars().count() + 1).sum();
        ParseError::new(format!("expected {expected} under `{header}`, found `{found}`"))
            .at_line(row.line)
            .at_column(before as u64 + 1)
            .hint("a load tool does not write this; was the file edited or written by a script?")
    }
}
