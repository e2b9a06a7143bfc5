//! JUnit XML: test cases with their seconds, as performance plugins and `bzt` write them.
//!
//! Quirks: `time` may be missing or have thousands separators; the same name may stand in several classes, and is then told
//! apart by the class; skipped cases are no requests.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::nanos;
use super::{Confidence, Format, Gives, ParseError, Part, Source, xml};
use crate::run::recorder::Recorder;

pub(super) static JUNIT: Format = Format {
    id: "junit",
    tool: "JUnit",
    title: "JUnit XML: one request per test case",
    versions: "-",
    gives: Gives { percentiles: "any (from samples)", failures: true, users: false, time: false },
    part: Part::Whole,
    sniff: |head| {
        let root = xml::root(head);
        // Gatling writes its assertions in this form: no requests.
        let gatling = super::gatling_stats::is_assertions(head);
        Confidence::certain_if(matches!(root.as_deref(), Some("testsuite" | "testsuites")) && !gatling)
    },
    parse,
};

struct Case {
    class: String,
    name: String,
    seconds: Option<f64>,
    failed: bool,
    skipped: bool,
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let text = xml::text(source)?;
    recorder.tool("JUnit");
    let mut cases: Vec<Case> = Vec::new();
    let mut open = false;
    let mut decimals = 0;
    let mut depth = 0_u32;
    xml::elements(&text, |name, element| {
        depth = if element.is_some() { depth + 1 } else { depth.saturating_sub(1) };
        match (name, element) {
            ("testcase", Some(element)) => {
                let attribute = |name| xml::attribute(element, name).unwrap_or_default();
                let time = attribute("time").replace(',', "");
                decimals = decimals.max(time.split_once('.').map_or(0, |(_, fraction)| fraction.trim_end().len()));
                open = true;
                cases.push(Case {
                    class: attribute("classname"),
                    name: attribute("name"),
                    seconds: time.trim().parse().ok().filter(|time: &f64| time.is_finite() && *time >= 0.0),
                    failed: false,
                    skipped: false,
                });
            }
            ("testcase", None) => open = false,
            (child, Some(_)) if open => {
                if let Some(case) = cases.last_mut() {
                    case.failed |= matches!(child, "failure" | "error");
                    case.skipped |= child == "skipped";
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    if depth > 0 {
        return Err(ParseError::new("cut off before the last element was closed"));
    }
    recorder.sample_step(1e3 * 10_f64.powi(-i32::try_from(decimals).unwrap_or(9)));
    let mut classes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for case in &cases {
        classes.entry(case.name.clone()).or_default().insert(case.class.clone());
    }
    for case in cases.iter().filter(|case| !case.skipped) {
        let shared = classes.get(&case.name).is_some_and(|classes| classes.len() > 1);
        let name = if shared { format!("{}.{}", case.class, case.name) } else { case.name.clone() };
        let nanos = case.seconds.map(|seconds| nanos(seconds, 1e9));
        recorder.endpoint(None, &name).samples().add(nanos, Some(!case.failed));
    }
    Ok(())
}
