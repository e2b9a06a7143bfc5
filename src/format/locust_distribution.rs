//! Locust `_distribution.csv` before 1.0: the percentiles that the requests CSV of the same run lacks.
//!
//! Quirks: the name holds method and name in one, `None` for no method; the total is the last row, named `Total`; `N/A` is none.

use super::locust_stats::{SUFFIXES, Table, step};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::label;
use crate::run::metric::Metric;
use crate::run::recorder::Recorder;

pub(super) static DISTRIBUTION: Format = Format {
    id: "locust-distribution",
    tool: "Locust",
    title: "distribution CSV (`NAME_distribution.csv`), with the requests CSV or alone",
    versions: "0.8 to 0.14",
    gives: Gives { percentiles: "p50 p75 p90 p95 p98 p99", failures: false, users: false, time: false },
    part: Part::Companion { rank: 1, suffixes: SUFFIXES },
    sniff: |head| {
        let header = head.first_line().to_ascii_lowercase().replace('"', "");
        Confidence::certain_if(header.starts_with("name,# requests,50%"))
    },
    parse,
};

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let mut table = Table::open(source)?;
    let alone = recorder.is_empty();
    recorder.tool("Locust");
    let (name, requests) = (table.need(&["name"])?, table.need(&["# requests"])?);
    let levels: Vec<(usize, Metric)> = table.levels();
    let mut waiting = table.next_row()?;
    while let Some(row) = waiting {
        waiting = table.next_row()?;
        let own = row.text(name).unwrap_or_default();
        let own = own.strip_prefix("None ").unwrap_or(own);
        let count = table.count(&row, requests)?;
        let is_total = waiting.is_none() && matches!(own, "Total" | "Aggregated");
        let draft = match (is_total, alone) {
            (true, _) => recorder.total(),
            (false, true) => recorder.endpoint(None, own),
            (false, false) => {
                let known = recorder.drafts().iter_mut().find(|draft| label(draft.method(), draft.name()) == own);
                let Some(draft) = known else { continue };
                draft
            }
        };
        if alone {
            draft.requests(count);
        }
        for (at, metric) in &levels {
            let value = table.number(&row, *at)?;
            if let Some(value) = value.filter(|_| count > 0) {
                draft.reported(metric.clone(), value, Some(step(value)));
            }
        }
    }
    Ok(())
}
