//! A report as JUnit XML, for the many viewers of test results: one suite each, one case per row.
//!
//! Broken rules are failures; what cannot be told or was not measured is skipped, with the reason.

use std::io;

use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::{Report, Row, SuiteReport, escape};
use crate::verdict::Status;

/// What a case comes to.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Passed,
    Failed,
    Skipped,
}

/// The document.
pub fn junit(report: &Report) -> io::Result<String> {
    let mut out = quick_xml::Writer::new_with_indent(Vec::new(), b' ', 2);
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let rows = || report.suites.iter().flat_map(|suite| &suite.rows);
    let root = counted(BytesStart::new("testsuites").with_attributes([("name", "loadgate")]), rows());
    out.write_event(Event::Start(root))?;
    for suite in &report.suites {
        self::suite(&mut out, suite)?;
    }
    out.write_event(Event::End(BytesEnd::new("testsuites")))?;
    let mut text = String::from_utf8_lossy(&out.into_inner()).into_owned();
    text.push('\n');
    Ok(text)
}

type Writer = quick_xml::Writer<Vec<u8>>;

fn suite(out: &mut Writer, suite: &SuiteReport) -> io::Result<()> {
    let name = escape::clean(&suite.name);
    let start = BytesStart::new("testsuite").with_attributes([("name", &*name)]);
    out.write_event(Event::Start(counted(start, suite.rows.iter())))?;
    for row in &suite.rows {
        case(out, &name, row)?;
    }
    out.write_event(Event::End(BytesEnd::new("testsuite")))
}

fn case(out: &mut Writer, suite: &str, row: &Row) -> io::Result<()> {
    let metric = row.metric.as_ref().map(|metric| format!(" {metric}")).unwrap_or_default();
    let name = escape::clean(&row.endpoint).into_owned() + &escape::clean(&metric);
    let start = BytesStart::new("testcase").with_attributes([("classname", suite), ("name", &name)]);
    let kind = kind(row);
    if kind == Kind::Passed {
        return out.write_event(Event::Empty(start));
    }
    out.write_event(Event::Start(start))?;
    let element = if kind == Kind::Failed { "failure" } else { "skipped" };
    let start = BytesStart::new(element).with_attributes([("message", &*escape::clean(&row.why))]);
    match row.evidence.as_ref().filter(|_| kind == Kind::Failed) {
        Some(evidence) => {
            out.write_event(Event::Start(start))?;
            out.write_event(Event::Text(BytesText::new(&escape::clean(&evidence.text))))?;
            out.write_event(Event::End(BytesEnd::new(element)))?;
        }
        None => out.write_event(Event::Empty(start))?,
    }
    out.write_event(Event::End(BytesEnd::new("testcase")))
}

fn counted<'e, 'r>(start: BytesStart<'e>, rows: impl Iterator<Item = &'r Row>) -> BytesStart<'e> {
    let kinds: Vec<Kind> = rows.map(kind).collect();
    let of = |wanted: Kind| kinds.iter().filter(|kind| **kind == wanted).count().to_string();
    start.with_attributes([
        ("tests", &*kinds.len().to_string()),
        ("failures", &*of(Kind::Failed)),
        ("errors", "0"),
        ("skipped", &*of(Kind::Skipped)),
    ])
}

fn kind(row: &Row) -> Kind {
    match row.status {
        Status::Fail => Kind::Failed,
        // A whole endpoint that the policy does not let come or go.
        Status::New | Status::Missing if row.text.symbol == "❌" => Kind::Failed,
        Status::Pass | Status::Improved | Status::Accepted | Status::Warn | Status::New => Kind::Passed,
        Status::Inconclusive | Status::Missing | Status::NotMeasured | Status::Info => Kind::Skipped,
    }
}
