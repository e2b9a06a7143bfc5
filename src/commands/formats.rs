//! `loadgate formats`: what is recognised, and what each format can give.

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::{Done, json};
use crate::cli::{self, TextOrJson};
use crate::format::FORMATS;

/// One format as JSON.
#[derive(Serialize)]
struct Line {
    id: &'static str,
    tool: &'static str,
    title: &'static str,
    versions: &'static str,
    percentiles: &'static str,
    failures: bool,
    users: bool,
    time: bool,
}

#[derive(Serialize)]
struct List {
    schema: &'static str,
    formats: Vec<Line>,
}

/// Lists them by tool and id.
pub fn run(arguments: &cli::Formats) -> anyhow::Result<Done> {
    let mut lines: Vec<Line> = FORMATS
        .iter()
        .map(|format| Line {
            id: format.id,
            tool: format.tool,
            title: format.title,
            versions: format.versions,
            percentiles: format.gives.percentiles,
            failures: format.gives.failures,
            users: format.gives.users,
            time: format.gives.time,
        })
        .collect();
    lines.sort_by_key(|line| (line.tool.to_lowercase(), line.id));
    if arguments.format == TextOrJson::Json {
        return Ok(Done::printed(json(&List { schema: "loadgate.formats/1", formats: lines })?));
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["Tool", "Id", "What it is", "Versions", "Percentiles", "Errors", "Users", "Time"]);
    let tick = |yes: bool| if yes { "yes" } else { "-" };
    for line in &lines {
        table.add_row([
            line.tool,
            line.id,
            line.title,
            line.versions,
            line.percentiles,
            tick(line.failures),
            tick(line.users),
            tick(line.time),
        ]);
    }
    Ok(Done::printed(table.trim_fmt() + "\n"))
}
