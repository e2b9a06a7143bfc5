//! A report that was written before, read back. Everything in it is hostile: it may come from a pull request of a fork.

use super::{Report, SCHEMA};
use crate::run::Endpoint;

/// Why a text is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No JSON, or JSON of something else.
    #[error(
        "not a report: expected JSON with `\"schema\": \"{SCHEMA}\"`, found {found}\nhint: `loadgate check` writes report.json"
    )]
    Foreign {
        /// What stands there.
        found: String,
    },
    /// A report of another version.
    #[error(
        "this report is `{found}`, and this loadgate reads `{SCHEMA}`\nhint: read it with the loadgate that wrote it"
    )]
    Version {
        /// Its schema.
        found: String,
    },
    /// A report that is broken.
    #[error("not a sound report: {0}")]
    Broken(#[from] serde_json::Error),
}

/// The report in the text.
pub fn parse(text: &str) -> Result<Report, ReadError> {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: Option<String>,
    }
    let head: Head = serde_json::from_str(text).map_err(|error| ReadError::Foreign {
        found: if error.is_data() { "JSON of something else".to_owned() } else { format!("no JSON: {error}") },
    })?;
    match head.schema.as_deref() {
        Some(SCHEMA) => {
            let mut report: Report = serde_json::from_str(text)?;
            for run in report.suites.iter_mut().filter_map(|suite| suite.run.as_mut()) {
                // As all runs are, whoever wrote this one.
                run.endpoints.sort_by_cached_key(Endpoint::label);
            }
            Ok(report)
        }
        Some(other) if other.starts_with("loadgate.report/") => Err(ReadError::Version { found: short(other) }),
        Some(other) => Err(ReadError::Foreign { found: format!("`{}`", short(other)) }),
        None => Err(ReadError::Foreign { found: "no schema".to_owned() }),
    }
}

fn short(text: &str) -> String {
    super::escape::cut(&super::escape::clean(text), super::escape::TABLE_NAME).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_report_says_so() {
        let message = |text: &str| parse(text).unwrap_err().to_string();
        assert!(message("{\"schema\":\"loadgate.run/1\"}").contains("found `loadgate.run/1`"));
        assert!(message("{\"schema\":\"loadgate.report/2\"}").starts_with("this report is `loadgate.report/2`"));
        assert!(message("{}").contains("found no schema"));
        assert!(message("[]").contains("JSON of something else"));
        assert!(message("a,b").contains("no JSON: expected value at line 1 column 1"));
        assert!(message("{\"schema\":\"loadgate.report/1\"}").starts_with("not a sound report: missing field"));
    }
}
