//! Locust `_failures.csv` (failed requests by kind) and `_exceptions.csv` (errors in the user's own code).
//!
//! Both add to a run that other files describe. Exceptions are no failures of any endpoint: they become a notice.

use super::locust_stats::{SUFFIXES, Table};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::Notice;
use crate::run::recorder::Recorder;

const GIVES: Gives = Gives { percentiles: "none", failures: true, users: false, time: false };

pub(super) static FAILURES: Format = Format {
    id: "locust-failures",
    tool: "Locust",
    title: "failures CSV (`NAME_failures.csv`), with the stats CSV",
    versions: "0.14 to 2.47",
    gives: GIVES,
    part: Part::Companion { rank: 3, suffixes: SUFFIXES },
    sniff: |head| header_is(head, &["method", "name", "error", "occurrences"]),
    parse: parse_failures,
};

pub(super) static EXCEPTIONS: Format = Format {
    id: "locust-exceptions",
    tool: "Locust",
    title: "exceptions CSV (`NAME_exceptions.csv`), with the stats CSV",
    versions: "1.0 to 2.47",
    gives: Gives { failures: false, ..GIVES },
    part: Part::Companion { rank: 4, suffixes: SUFFIXES },
    sniff: |head| header_is(head, &["count", "message", "traceback", "nodes"]),
    parse: parse_exceptions,
};

fn header_is(head: &Head, words: &[&str]) -> Confidence {
    let header = head.first_line().to_ascii_lowercase();
    // Later versions add columns behind (`First Seen`, `Last Seen`).
    let cells: Vec<&str> = header.split(',').map(|cell| cell.trim().trim_matches('"')).collect();
    Confidence::certain_if(cells.starts_with(words))
}

fn parse_failures(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let mut table = Table::open(source)?;
    while let Some(row) = table.next_row()? {
        let [method, name, error] = [0, 1, 2].map(|at| row.text(at).unwrap_or_default());
        let count = table.count(&row, 3)?;
        // The stats CSV stops a little earlier: an endpoint it has not seen is left out here too.
        if let Some(draft) = recorder.known(Some(method), name) {
            draft.error(error, count);
        }
    }
    Ok(())
}

fn parse_exceptions(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let name = source.name.to_owned();
    let mut table = Table::open(source)?;
    let mut count = 0_u64;
    while let Some(row) = table.next_row()? {
        count = count.saturating_add(table.count(&row, 0)?);
    }
    if count > 0 {
        let message = format!("the load test's own code raised {count} exceptions; these are no failed requests");
        recorder.notice(Notice::new("user_exceptions", message).in_file(&name));
    }
    Ok(())
}
