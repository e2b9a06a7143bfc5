//! Our own run JSON (`inspect --format json`, `merge`, `runs/*.run.json`): read back as it was written.

use serde::Deserialize;

use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::artifact::Head;
use crate::run::Run;
use crate::run::recorder::Recorder;

pub(super) static RUN: Format = Format {
    id: "loadgate-run",
    tool: "loadgate",
    title: "our own run JSON (`inspect --format json`, `merge`)",
    versions: "1",
    gives: Gives { percentiles: "as in the run", failures: true, users: true, time: true },
    part: Part::Whole,
    sniff: |head| Confidence::certain_if(kind(head).is_some()),
    parse,
};

/// Largest file of this kind that makes sense: 10,000 endpoints with histograms.
const LIMIT: u64 = 256 << 20;

/// What our file is, if it is one that holds runs.
fn kind(head: &Head) -> Option<&'static str> {
    let shape = head.json();
    if !shape.has(&["schema"]) {
        return None;
    }
    let text: String = head.text.chars().filter(|c| !c.is_whitespace()).collect();
    let says = |schema: &&str| text.contains(&format!("\"schema\":\"{schema}\""));
    ["loadgate.run/1", "loadgate.inspect/1"].into_iter().find(says)
}

#[derive(Deserialize)]
struct Inspect {
    #[serde(default)]
    runs: Option<Vec<Run>>,
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = source.text(LIMIT)?;
    let run = match serde_json::from_str::<Inspect>(&text)?.runs {
        None => serde_json::from_str::<Run>(&text)?,
        Some(mut runs) => match (runs.pop(), runs.len()) {
            (Some(run), 0) => run,
            (last, others) => {
                let count = others + usize::from(last.is_some());
                let error = ParseError::new(format!("expected one run, found {count}"));
                return Err(error.hint("inspect the files one by one, or add shards up with `loadgate merge`"));
            }
        },
    };
    recorder.adopt(run);
    Ok(())
}
