//! `loadgate check`: read, compare, judge, print, and leave the report files. [I/O]

use std::path::Path;

use anyhow::Context as _;

use super::{Done, World, json};
use crate::cli::{Check, Output};
use crate::files;
use crate::github::commands::{Annotation, Level};
use crate::github::context::Context;
use crate::pipeline;
use crate::report::render;
use crate::report::templates::Templates;
use crate::report::{Origin, Report, junit, text};
use crate::run::RunFile;
use crate::settings::{self, Settings};
use crate::verdict::Status;

/// Wide enough for the table where nobody tells.
const WIDTH: usize = 100;

/// Judges and prints.
pub fn run(arguments: &Check, world: &World<'_>) -> anyhow::Result<Done> {
    let context = Context::read(world.vars);
    let config = settings::config(world.common)?;
    let root = settings::root(world.common);
    let templates = settings::templates(&root, arguments.judging.template_dir.as_deref(), &config)?;
    let settings = Settings::new(world.common, &arguments.judging, &arguments.files, config, templates, world.now)?;
    settings.config.check_history(arguments.publishing.history_branch.as_deref())?;
    let report = pipeline::check(&settings, origin(&context))?;
    write(&report, &settings.templates, &settings.root.join(&settings.report_dir))?;
    let stdout = match arguments.output {
        Output::Text | Output::Github => text::table(&report, width(world), world.common.verbose),
        Output::Json => json(&report)?,
        Output::Markdown => render::summary(&report, &settings.templates)?,
    };
    let workflow_commands = match arguments.output {
        Output::Github => annotations(&report).iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let stderr = format!("wrote {}\n", settings.report_dir.display());
    Ok(Done { stdout, stderr, workflow_commands, exit_code: report.exit_code })
}

/// Where the report is made, for links; `None` outside GitHub.
pub fn origin(context: &Context) -> Option<Origin> {
    let repository = context.repository.as_ref().filter(|_| context.in_actions)?;
    Some(Origin {
        repository: repository.to_string(),
        commit: context.head_sha.clone(),
        git_ref: context.ref_name.clone(),
        run_url: context.workflow_run_url(),
        ..Origin::default()
    })
}

/// Writes every file of the report into `folder` (SPEC section 3).
pub fn write(report: &Report, templates: &Templates, folder: &Path) -> anyhow::Result<()> {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        files::write(&path, text.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))
    };
    write("report.json", &json(report)?)?;
    write("summary.md", &render::summary(report, templates)?)?;
    write("comment.md", &render::comment(report, templates)?)?;
    write("report.html", &render::html(report, templates)?)?;
    write("junit.xml", &junit::junit(report)?)?;
    for suite in &report.suites {
        if let Some(run) = &suite.run {
            write(&format!("runs/{}.run.json", file_name(&suite.name)), &json(&RunFile::from(run))?)?;
        }
    }
    Ok(())
}

/// A suite's name as the name of a file: the config may call it anything.
fn file_name(suite: &str) -> String {
    let plain: String = suite
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ') { c } else { '_' })
        .take(100)
        .collect();
    if plain.starts_with('.') { format!("_{plain}") } else { plain }
}

/// Columns of the terminal, as the shell or the terminal itself says.
fn width(world: &World<'_>) -> usize {
    let told = world.vars.get("COLUMNS").and_then(|columns| columns.parse().ok());
    told.or_else(|| comfy_table::Table::new().width().map(usize::from)).unwrap_or(WIDTH)
}

/// The worst rows for the runner, at most ten of a level: it drops the rest.
pub fn annotations(report: &Report) -> Vec<Annotation> {
    const MOST: usize = 10;
    let of = |wanted: Status, level: Level| {
        let rows = report.suites.iter().flat_map(|suite| &suite.rows).filter(move |row| row.status == wanted);
        rows.take(MOST).map(move |row| {
            let place = row.rule.as_ref().and_then(|rule| place(&rule.place));
            let metric = if row.text.metric.is_empty() { String::new() } else { format!(" {}", row.text.metric) };
            let annotation =
                Annotation::new(level, format!("{}: {}{metric}", row.text.mark, row.endpoint), row.why.as_str());
            match place {
                Some((file, line)) => annotation.at(file, Some(line)),
                None => annotation,
            }
        })
    };
    of(Status::Fail, Level::Error)
        .chain(of(Status::Warn, Level::Warning))
        .chain(of(Status::Missing, Level::Warning))
        .chain(of(Status::Inconclusive, Level::Notice))
        .collect()
}

/// `file:line:column` of a rule that the user wrote.
fn place(text: &str) -> Option<(&str, u64)> {
    let (rest, _) = text.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    Some((file, line.parse().ok()?))
}
