//! molotov: `SUCCESSES: N | FAILURES: M` is all there is; no latencies, no endpoints.

use super::console::{self, count};
use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::recorder::Recorder;

pub(super) static CONSOLE: Format = Format {
    id: "molotov",
    tool: "molotov",
    title: "what molotov prints: scenarios that succeeded and failed",
    versions: "2.6",
    gives: Gives { percentiles: "none", failures: true, users: true, time: false },
    part: Part::Whole,
    sniff: |head| {
        let summary = head.text.contains("SUCCESSES:") && head.text.contains("| FAILURES:");
        // The summary may be far below the progress lines.
        let start = head.text.contains("[W:0] ") && head.lines().any(|line| line.starts_with("Preparing "));
        Confidence::certain_if(summary || start || head.text.contains("**** Molotov v"))
    },
    parse,
};

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = console::text(source)?;
    recorder.tool("molotov");
    if let Some(workers) = text.lines().find_map(|line| count(line.strip_prefix("Preparing ")?)) {
        recorder.users(workers as f64);
    }
    if let Some((_, rest)) = text.split_once("**** Molotov v") {
        recorder.tool_version(rest.split(". ").next().unwrap_or_default());
    }
    let last = text.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once("SUCCESSES:")?;
        let (successes, failures) = rest.split_once("| FAILURES:")?;
        count(successes)?.checked_add(count(failures)?).zip(count(failures))
    });
    let Some((all, failures)) = last else {
        return Err(ParseError::new("no line `SUCCESSES: N | FAILURES: M`").hint("was molotov interrupted?"));
    };
    recorder.total().requests(all).failures(failures);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_count_is_that_of_the_run() {
        let mut text = "Preparing 8 workers...\nSUCCESSES: 4 | FAILURES: 0\rSUCCESSES: 10 | FAILURES: 2\n".as_bytes();
        let mut recorder = Recorder::new();
        let mut source = Source { name: "console.txt", reader: &mut text, blocks: None };
        parse(&mut source, &mut recorder).unwrap();
        let run = recorder.finish().unwrap();
        let total = run.total.unwrap();
        assert_eq!((total.requests, total.failures, run.load.users), (Some(12), Some(2), Some(8.0)));
    }
}
