//! A report for the terminal: verdict, the worst in a sentence, a table that fits, what to do.

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::{Phrase, Report, Row, SuiteReport, escape, render};
use crate::run::Notice;
use crate::run::display::plural;
use crate::verdict::{Outcome, Status};

/// Rows of a suite's table unless all are asked for.
const ROWS: usize = 20;
/// Narrower than this a table cannot be read.
const NARROWEST: usize = 40;

/// The report in lines of at most `width` columns where words allow. `all` shows every row, also those that pass or were not
/// judged. Coloured with ANSI codes: whoever prints it takes them out where they are not wanted.
pub fn table(report: &Report, width: usize, all: bool) -> String {
    let width = width.max(NARROWEST);
    let mut out = vec![paint(
        tone(report.verdict).bold(),
        &format!("{} {}", report.text.mark, escape::terminal(&report.text.heading)),
    )];
    let several = report.suites.len() > 1;
    for suite in &report.suites {
        out.push(String::new());
        if several {
            let title = format!("{} {}: {}", suite.text.mark, suite.name, suite.text.heading);
            out.push(paint(tone(suite.verdict).bold(), &escape::terminal(&title)));
        }
        self::suite(&mut out, suite, width, all);
    }
    for notice in &report.notices {
        out.push(String::new());
        out.push(self::notice(notice));
    }
    out.join("\n") + "\n"
}

fn suite(out: &mut Vec<String>, suite: &SuiteReport, width: usize, all: bool) {
    let text = &suite.text;
    out.push(phrase(&text.lead));
    if !text.compared.is_empty() {
        out.push(format!("{}, {}", escape::terminal(&text.counts), phrase(&text.compared)));
    }
    let shown = |row: &&Row| all || render::matters(row.status);
    let rows: Vec<&Row> = suite.rows.iter().filter(shown).take(if all { usize::MAX } else { ROWS }).collect();
    let left = suite.rows.iter().filter(shown).count() - rows.len();
    if !rows.is_empty() {
        out.push(String::new());
        out.extend(lines(&rows, width));
    }
    if left > 0 {
        out.push(format!("{left} more {} in report.json", if left == 1 { "row" } else { "rows" }));
    }
    let unjudged = || suite.rows.iter().filter(|row| matches!(row.status, Status::NotMeasured | Status::Info));
    if all {
        out.extend(unjudged().map(why));
    } else if unjudged().next().is_some() && suite.verdict != Outcome::NoBaseline {
        out.push(format!("{} not judged, --verbose says why", plural(unjudged().count(), "figure")));
    }
    let due = |row: &&&Row| match row.status {
        Status::Inconclusive => text.doubt.is_empty(),
        status => status == Status::Accepted,
    };
    let explained: Vec<String> = rows.iter().filter(due).take(3).map(|row| why(row)).collect();
    if !explained.is_empty() {
        out.push(String::new());
        out.extend(explained);
    }
    if !suite.notices.is_empty() {
        out.push(String::new());
        out.extend(suite.notices.iter().map(notice));
    }
    if !text.next.is_empty() {
        out.push(String::new());
        out.push(format!("{} {}", paint(Style::new().bold(), "Next:"), phrase(&text.next)));
        out.extend(text.accept.lines().map(|line| format!("  {}", escape::terminal(line))));
    }
}

/// The table, coloured after it was laid out: codes inside cells would count as width.
fn lines(rows: &[&Row], width: usize) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    table.set_header(["", "endpoint", "metric", "baseline → now", "change", "limit"]);
    for row in rows {
        let text = &row.text;
        let cells = [
            format!("{} {}", text.symbol, text.mark).trim_start().to_owned(),
            escape::named(&row.endpoint, escape::TABLE_NAME),
            escape::clean(&text.metric).into_owned(),
            text.both.clone(),
            text.change.clone(),
            text.limit.clone(),
        ];
        table.add_row(cells.map(|cell| escape::terminal(&cell)));
    }
    for number in [3, 4, 5] {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| marked(line.trim_end())).collect()
}

/// The line with its mark in colour.
fn marked(line: &str) -> String {
    const TONES: [(&str, AnsiColor); 4] =
        [("❌", AnsiColor::Red), ("⚠", AnsiColor::Yellow), ("❔", AnsiColor::Yellow), ("⚡", AnsiColor::Green)];
    let text = line.trim_start();
    let tone = TONES.iter().find(|(symbol, _)| text.starts_with(symbol));
    match (tone, text.split_once("  ")) {
        (Some((_, color)), Some((mark, rest))) => format!(" {}  {rest}", paint(color.on_default(), mark)),
        _ => line.to_owned(),
    }
}

fn why(row: &Row) -> String {
    let metric = &row.text.metric;
    let metric = if row.why.contains(metric.as_str()) { String::new() } else { format!(" {metric}") };
    escape::terminal(&format!("{}{metric}: {}", escape::named(&row.endpoint, escape::NAME), row.why))
}

fn notice(notice: &Notice) -> String {
    let text = escape::terminal(&escape::cut(&notice.to_string(), escape::TEXT));
    format!("{} {text}", paint(AnsiColor::Yellow.on_default(), "note:"))
}

/// Names in quotes, for a terminal has no other code.
fn phrase(phrase: &Phrase) -> String {
    let part = |part: &super::Part| match part.style {
        super::Style::Plain => escape::terminal(&part.text),
        super::Style::Code => paint(AnsiColor::Cyan.on_default(), &escape::terminal(&part.text)),
        super::Style::Strong => paint(Style::new().bold(), &escape::terminal(&part.text)),
    };
    phrase.0.iter().map(part).collect()
}

fn tone(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Fail => AnsiColor::Red,
        Outcome::Warn | Outcome::Inconclusive => AnsiColor::Yellow,
        Outcome::Pass => AnsiColor::Green,
        Outcome::NoBaseline => AnsiColor::Cyan,
    }
    .on_default()
}

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
