//! What the gate could see today, told from the baseline alone.

use jiff::civil::Date;

use crate::baseline::{Baseline, BaselineEndpoint, BaselineRun};
use crate::compare::compare;
use crate::policy::{Gate, Policy};
use crate::run::metric::Metric;
use crate::run::{Endpoint, Load, Run};

use super::decide::{DEPTH, decided};
use super::{Decided, Status, judge};

/// One row of a baseline: how its runs spread, and what follows from that. In the metric's unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensitivity {
    /// As shown and matched: `POST /checkout`.
    pub endpoint: String,
    /// The metric.
    pub metric: Metric,
    /// Baseline runs that hold the value.
    pub runs: usize,
    /// The lowest value of any run.
    pub lowest: f64,
    /// What the next run is compared with.
    pub usual: f64,
    /// The highest value of any run.
    pub highest: f64,
    /// Smallest bad change that the gate would fail in 4 of 5 runs: relative, of rates in points as a ratio. `None` where the
    /// history is too thin for evidence, or no change would do.
    pub smallest_detectable: Option<f64>,
}

/// Every row that the policy compares, as if a run like the newest one came again. In order of label and metric.
pub fn sensitivity(policy: &Policy, baseline: &Baseline) -> Vec<Sensitivity> {
    let Some(newest) = baseline.runs.last() else { return Vec::new() };
    let again = [again(newest)];
    let comparison = compare(baseline, &again);
    // Acceptances and dates change no figure.
    let verdict = judge(policy, &comparison, Date::MIN);
    let deep = |runs: usize| policy.gate == Gate::Evidence || runs >= DEPTH;
    let rows = verdict.findings.into_iter().filter_map(|finding| {
        let (metric, usual) = finding.metric.zip(finding.baseline)?;
        let pair = comparison.pair(&finding.endpoint)?;
        let values = pair.measured_before(&metric);
        if finding.rule.is_none() || finding.status == Status::NotMeasured {
            return None;
        }
        let evidence = finding
            .evidence
            .filter(|evidence| deep(evidence.runs) && decided(policy.gate, comparison.used.len()) == Decided::Evidence);
        Some(Sensitivity {
            endpoint: finding.endpoint,
            metric,
            runs: values.len(),
            lowest: values.iter().copied().fold(f64::INFINITY, f64::min),
            usual,
            highest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            smallest_detectable: evidence.and_then(|evidence| evidence.smallest_detectable),
        })
    });
    rows.collect()
}

/// The run as if it were a current one.
fn again(run: &BaselineRun) -> Run {
    let endpoint = |(label, figures): (&String, &BaselineEndpoint)| Endpoint {
        // The label is all that a baseline keeps of method and name.
        name: label.clone(),
        requests: figures.requests,
        failures: figures.failures,
        metrics: figures.metrics.clone(),
        ..Endpoint::default()
    };
    Run {
        duration_s: run.load.duration_s,
        load: Load { users: run.load.users, target_rps: run.load.target_rps, profile: run.load.profile.clone() },
        environment: run.environment.clone(),
        endpoints: run.endpoints.iter().map(endpoint).collect(),
        total: run.total.as_ref().map(|total| endpoint((&crate::run::TOTAL.to_owned(), total))),
        ..Run::default()
    }
}
