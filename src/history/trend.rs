//! How the worst rows of a report went from run to run, as the history tells it: every run, not only those of the baseline.

use super::{Line, read};
use crate::compare::like::same_load;
use crate::report::trend::{TrendPoint, of_worst};
use crate::report::{SuiteReport, short_ref};

/// Gives the suite the trends that its history knows; one that knows too little leaves those of the baseline.
///
/// Only runs before the present one count, of the baseline's branch and with the present load. `workflow_run` is the present
/// one's number, whose earlier attempt may stand in the history.
pub fn tell(suite: &mut SuiteReport, history: &str, workflow_run: Option<u64>) {
    let Some(run) = &suite.run else { return };
    let load = run.load_facts();
    let branch = suite.baseline.git_ref.as_deref().map(short_ref);
    let before = |line: &Line| {
        run.started_at.is_none_or(|now| line.time < now)
            && (workflow_run.is_none() || line.workflow_run_id != workflow_run)
            && same_load(&line.load, &load)
            && branch.is_none_or(|branch| line.git_ref.as_deref().is_none_or(|own| short_ref(own) == branch))
    };
    let lines: Vec<Line> = read(history).0.into_iter().filter(before).collect();
    let trends = of_worst(&suite.rows, Some(run), |endpoint, metric| {
        let value = |line: &Line| line.endpoints.get(endpoint)?.get(metric).copied();
        lines.iter().filter_map(|line| Some(TrendPoint { time: Some(line.time), value: value(line)? })).collect()
    });
    if !trends.is_empty() {
        suite.trends = trends;
    }
}
