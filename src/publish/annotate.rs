//! Rows as annotations: in the log for the runner, and on a check run. Pure.

use super::Wishes;
use crate::github::commands::{Annotation, Level};
use crate::report::escape::{NAME, clean, named};
use crate::report::{Report, Row, SuiteReport};
use crate::verdict::Status;

/// The runner shows ten of each level of a step and drops the rest silently.
const OF_A_LEVEL: usize = 10;
/// On a check run there is room for more, but nobody reads a thousand.
const ON_A_CHECK_RUN: usize = 500;

/// For the runner.
pub fn for_the_step(report: &Report, wishes: &Wishes) -> Vec<Annotation> {
    let of = |level: Level| all(report, wishes).filter(move |it| it.level == level).take(OF_A_LEVEL);
    of(Level::Error).chain(of(Level::Warning)).collect()
}

/// For a check run, whose annotations all need a file.
pub(super) fn for_a_check(report: &Report, wishes: &Wishes) -> Vec<Annotation> {
    all(report, wishes).filter(|it| it.file.is_some()).take(ON_A_CHECK_RUN).collect()
}

fn all<'a>(report: &'a Report, wishes: &'a Wishes) -> impl Iterator<Item = Annotation> + 'a {
    report.suites.iter().flat_map(|suite| suite.rows.iter().map(move |row| (suite, row))).filter_map(|(suite, row)| {
        let level = match row.status {
            Status::Fail => Level::Error,
            Status::Warn | Status::Inconclusive => Level::Warning,
            _ => return None,
        };
        let title = format!("{} {}: {}", named(&row.endpoint, NAME), row.text.metric, row.text.mark);
        let (file, line) = place(suite, row);
        let file = if wishes.folder.is_empty() { file } else { format!("{}/{file}", wishes.folder.trim_matches('/')) };
        let annotation = Annotation::new(level, title, clean(&row.why));
        Some(if relative(&file) { annotation.at(&file, Some(line)) } else { annotation })
    })
}

/// The rule's line, or else the baseline.
fn place(suite: &SuiteReport, row: &Row) -> (String, u64) {
    let of_the_rule = row.rule.as_ref().and_then(|rule| {
        let mut parts = rule.place.rsplitn(3, ':');
        let (_column, line, file) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        Some((file.to_owned(), line))
    });
    of_the_rule.unwrap_or_else(|| (suite.baseline.path.clone(), 1))
}

/// GitHub takes paths of the repository only.
fn relative(path: &str) -> bool {
    !path.is_empty() && !path.starts_with('/') && !path.split('/').any(|part| part == ".." || part.is_empty())
}
