//! What the reader has to know about a verdict as a whole.

use jiff::civil::Date;

use crate::compare::Comparison;
use crate::policy::Policy;
use crate::run::{Notice, display};

use super::evidence::CommonShift;
use super::{Finding, Status, words};

/// In order of importance.
pub(super) fn notices(
    policy: &Policy,
    comparison: &Comparison<'_>,
    findings: &[Finding<'_>],
    shift: Option<CommonShift>,
    today: Date,
) -> Vec<Notice> {
    let mut notices = Vec::new();
    notices.extend(comparison.doubt.clone());
    if let Some(mismatch) = &comparison.load_mismatch {
        let message = format!(
            "load mismatch: {}; latency and throughput cannot be judged across different loads, error rates and budgets are",
            mismatch.text
        );
        notices.push(Notice::new("load_mismatch", message));
    }
    if let Some(shift) = shift {
        notices.push(Notice::new("common_shift", common_shift(shift)));
    }
    for pair in comparison.endpoints.iter().filter(|pair| pair.mostly_fails) {
        let (before, now) = (comparison.failures_before(pair), pair.failures_now());
        notices.push(Notice::new("mostly_fails", words::mostly_fails(&pair.label, &before, &now)));
    }
    let judged = findings
        .iter()
        .any(|finding| !matches!(finding.status, Status::NotMeasured | Status::Info | Status::New | Status::Missing));
    if !judged && !comparison.used.is_empty() {
        notices.push(Notice::new("nothing_judged", "no rule had a value on both sides: nothing was judged"));
    }
    notices.extend(expired(policy, findings, today));
    notices
}

fn common_shift(shift: CommonShift) -> String {
    let moved = format!("all endpoints moved together ({})", display::percent(shift.size.exp_m1()));
    if shift.trusted {
        format!("{moved}: the whole service is slower, or everything under it is")
    } else {
        format!("{moved}: environment or global change; repeat the run or add runs of this host")
    }
}

/// Acceptances that would have covered a failing row, had they not ended.
fn expired(policy: &Policy, findings: &[Finding<'_>], today: Date) -> Vec<Notice> {
    let ended = policy.accepted.iter().filter_map(|entry| Some((entry, entry.until.filter(|until| today > *until)?)));
    ended
        .filter(|(entry, _)| {
            let used = |finding: &Finding<'_>| finding.acceptance.is_some_and(|own| std::ptr::eq(own, *entry));
            findings.iter().any(|finding| finding.status == Status::Fail && used(finding))
        })
        .map(|(entry, until)| {
            let message =
                format!("the acceptance of {} on {} ended on {until}", entry.metric.title(), entry.endpoint.as_str());
            Notice::new("accepted_ended", message)
        })
        .collect()
}
