//! The rows of a report as CSV, one line each: raw numbers, for spreadsheets and notebooks.

use std::borrow::Cow;

use super::{Report, escape};

const HEADER: [&str; 14] = [
    "suite",
    "endpoint",
    "metric",
    "unit",
    "status",
    "baseline",
    "current",
    "change",
    "change_relative",
    "limit",
    "critical",
    "interval_low",
    "interval_high",
    "why",
];

/// The table. A figure that is unknown is an empty field.
pub fn csv(report: &Report) -> Result<String, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(HEADER)?;
    for suite in &report.suites {
        for row in &suite.rows {
            let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
            let interval = row.evidence.as_ref().and_then(|evidence| evidence.interval);
            let rule = row.rule.as_ref();
            let limit = |limit: Option<&String>| limit.cloned().unwrap_or_default();
            out.write_record([
                &*cell(&suite.name),
                &*cell(&row.endpoint),
                &*cell(&row.metric.as_ref().map(ToString::to_string).unwrap_or_default()),
                &*word(row.unit),
                &*word(Some(row.status)),
                &*number(row.baseline),
                &*number(row.current),
                &*number(row.change),
                &*number(row.change_relative),
                &*cell(&limit(rule.and_then(|rule| rule.limit.as_ref()))),
                &*cell(&limit(rule.and_then(|rule| rule.critical.as_ref()))),
                &*number(interval.map(|[low, _]| low)),
                &*number(interval.map(|[_, high]| high)),
                &*cell(&row.why),
            ])?;
        }
    }
    let bytes = out.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Foreign text as a cell: spreadsheets take what begins like a formula for one and run it.
pub fn cell(text: &str) -> Cow<'_, str> {
    let text = escape::clean(text);
    if text.starts_with(['=', '+', '-', '@']) { Cow::Owned(format!("'{text}")) } else { text }
}

/// As in JSON.
fn word(value: Option<impl serde::Serialize>) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
