//! `loadgate inspect`: what was recognised in files and what is in them. [I/O]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::bail;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use super::{Done, World, json};
use crate::artifact::discover::{self, USUAL};
use crate::cli::{Inspect, TextOrJson};
use crate::config::{Names, Renamed};
use crate::format::read::read;
use crate::report::escape;
use crate::run::display;
use crate::run::metric::Metric;
use crate::run::{Endpoint, Run, RunFile};
use crate::settings;

/// What `--format json` prints (SPEC section 3).
#[derive(Serialize)]
struct Inspected<'a> {
    schema: &'static str,
    runs: Vec<RunFile<'a>>,
}

/// The columns of figures.
const FIGURES: [Metric; 6] = [
    Metric::LatencyP50,
    Metric::LatencyP95,
    Metric::LatencyP99,
    Metric::LatencyMean,
    Metric::LatencyMax,
    Metric::Throughput,
];

/// Reads the files and shows each run by itself: nothing is added up here.
pub fn run(arguments: &Inspect, world: &World<'_>) -> anyhow::Result<Done> {
    let root = settings::root(world.common);
    let config = settings::config(world.common)?;
    let artifacts =
        if arguments.files.is_empty() { discover::usual(&root)? } else { discover::discover(&root, &arguments.files)? };
    if artifacts.is_empty() {
        bail!("no results found: looked for {}\nhint: name the files of the load test", USUAL.join(", "));
    }
    let reading = read(&artifacts, &settings::format_of(world.common)?)?;
    let mut runs = reading.runs;
    let mut renamed = Vec::with_capacity(runs.len());
    for run in &mut runs {
        if let Some(suite) = &world.common.suite {
            run.suite.clone_from(suite);
        }
        renamed.push(config.names.describe(run));
        config.names.apply(run);
    }
    let stderr = reading.skipped.iter().fold(String::new(), |mut talk, file| {
        let _ = writeln!(talk, "left out {}: no results in it", escape::terminal(file));
        talk
    });
    let stdout = match arguments.format {
        TextOrJson::Json => {
            json(&Inspected { schema: "loadgate.inspect/1", runs: runs.iter().map(RunFile::from).collect() })?
        }
        TextOrJson::Text => {
            let parts: Vec<String> =
                runs.iter().zip(&renamed).map(|(run, renamed)| text(run, renamed, &config.names)).collect();
            parts.join("\n")
        }
    };
    Ok(Done { stdout, stderr, ..Done::default() })
}

/// One run for people.
fn text(run: &Run, renamed: &Renamed, names: &Names) -> String {
    let mut out = String::new();
    let version = run.tool_version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let _ = writeln!(out, "{}{} ({})", escape::terminal(&run.tool), escape::terminal(&version), run.format);
    for file in &run.files {
        let _ = writeln!(out, "  file       {}", escape::terminal(file));
    }
    let mut fact = |name: &str, value: Option<String>| {
        let _ = value.map(|value| writeln!(out, "  {name:<10} {}", escape::terminal(&value)));
    };
    fact("started", run.started_at.map(|time| time.to_string()));
    fact("took", run.duration_s.map(display::duration));
    fact("users", run.load.users.map(display::plain));
    fact("target", run.load.target_rps.map(|rate| format!("{}/s", display::plain(rate))));
    fact("profile", run.load.profile.clone());
    fact("complete", run.complete.map(|complete| if complete { "yes" } else { "no, cut short" }.to_owned()));
    for (name, value) in &run.environment {
        fact(name, Some(value.clone()));
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    let header = ["Endpoint", "Requests", "Failed"].into_iter().map(str::to_owned);
    table.set_header(header.chain(FIGURES.iter().map(|metric| metric.title().into_owned())));
    for endpoint in run.endpoints.iter().chain(&run.total) {
        let label = if run.total.as_ref().is_some_and(|total| std::ptr::eq(total, endpoint)) {
            crate::run::TOTAL.to_owned()
        } else {
            endpoint.label()
        };
        table.add_row(row(endpoint, &label));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let _ = writeln!(out, "\n{}", table.trim_fmt());
    for endpoint in run.endpoints.iter().filter(|endpoint| !endpoint.errors.is_empty()) {
        let _ = writeln!(out, "\n  errors of {}", escape::terminal(&endpoint.label()));
        for error in endpoint.errors.iter().take(5) {
            let _ = writeln!(out, "    {:>8}  {}", display::count(error.count), escape::terminal(&error.message));
        }
    }
    changes(&mut out, renamed, names);
    for notice in &run.notices {
        let _ = writeln!(out, "\n  note: {}", escape::terminal(&notice.to_string()));
    }
    out
}

/// A line of the table; unknown figures are a dash.
fn row(endpoint: &Endpoint, label: &str) -> Vec<String> {
    let count = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), display::count);
    let mut cells = vec![escape::terminal(label).clone(), count(endpoint.requests), count(endpoint.failures)];
    cells.extend(FIGURES.iter().map(|metric| {
        endpoint.value(metric).map_or_else(|| "-".to_owned(), |value| display::value(value, metric.unit()))
    }));
    cells
}

/// What `endpoints.rename` and `endpoints.ignore` did.
fn changes(out: &mut String, renamed: &Renamed, names: &Names) {
    if names.rename.is_empty() && names.ignore.is_empty() {
        return;
    }
    let merged: BTreeMap<&String, &Vec<String>> =
        renamed.merged.iter().filter(|(new, old)| old.len() > 1 || old.first() != Some(new)).collect();
    if !merged.is_empty() {
        out.push_str("\n  renamed by the config\n");
    }
    for (new, old) in merged {
        let shown: Vec<String> = old.iter().take(5).map(|name| escape::terminal(name)).collect();
        let more = old.len().saturating_sub(5);
        let and = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(out, "    {} <- {}{and}", escape::terminal(new), shown.join(", "));
    }
    if !renamed.ignored.is_empty() {
        let shown: Vec<String> = renamed.ignored.iter().map(|name| escape::terminal(name)).collect();
        let _ = writeln!(out, "\n  left out by the config\n    {}", shown.join(", "));
    }
}
