//! What needs no network: step outputs and the job summary. [I/O]

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use crate::github::commands;
use crate::report::Report;
use crate::verdict::Status;

use super::Wishes;

/// The step outputs that the report and the wishes give.
pub(super) fn outputs(report: &Report, wishes: &Wishes) -> BTreeMap<&'static str, String> {
    let counts = &report.counts;
    let worst = report
        .suites
        .iter()
        .flat_map(|suite| &suite.rows)
        .filter(|row| row.metric.is_some())
        .filter(|row| matches!(row.status, Status::Fail | Status::Warn | Status::Inconclusive | Status::Accepted))
        // Rows stand worst first within their suite; the first of equals wins.
        .min_by_key(|row| row.status);
    let words = |text: Option<&str>| text.unwrap_or_default().to_owned();
    BTreeMap::from([
        ("verdict", super::plan::word(&report.verdict)),
        ("failed", counts.failed.to_string()),
        ("warned", counts.warned.to_string()),
        ("inconclusive", counts.inconclusive.to_string()),
        ("improved", counts.improved.to_string()),
        ("missing", counts.missing.to_string()),
        ("worst-endpoint", words(worst.map(|row| row.endpoint.as_str()))),
        ("worst-metric", worst.and_then(|row| row.metric.as_ref()).map(ToString::to_string).unwrap_or_default()),
        ("worst-change", words(worst.map(|row| row.text.change.as_str()))),
        ("report-json", words(wishes.report_json.as_deref())),
        ("report-html", words(wishes.report_html.as_deref())),
    ])
}

/// Appends step outputs.
pub(super) fn append_outputs(file: Option<&Path>, outputs: &BTreeMap<&'static str, String>) -> io::Result<()> {
    let text: String = outputs.iter().map(|(name, value)| commands::output(name, value)).collect();
    append(file, &text)
}

/// Appends to a file that others write to as well; no file is no error: then nobody asked.
pub(super) fn append(file: Option<&Path>, text: &str) -> io::Result<()> {
    let Some(file) = file.filter(|_| !text.is_empty()) else { return Ok(()) };
    OpenOptions::new().create(true).append(true).open(file)?.write_all(text.as_bytes())
}
