//! `loadgate check`: read, compare, judge, print, and leave the report files. [I/O]

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::Offset;

use super::publish::{self, Reach};
use super::{Done, World, history, json};
use crate::cli::{Check, Judging, Output, Publishing};
use crate::config::Config;
use crate::files;
use crate::github::client::Patience;
use crate::github::context::Context;
use crate::pipeline;
use crate::publish::base::{Base, Unreadable};
use crate::publish::session::Session;
use crate::publish::{ACCEPTED, Target};
use crate::report::templates::Templates;
use crate::report::{IssueRow, IssueView, Origin, Report, junit, render, text};
use crate::run::{Notice, RunFile};
use crate::settings::{self, Settings};
use crate::verdict::{Outcome, Status};

/// Wide enough for the table where nobody tells.
const WIDTH: usize = 100;
/// Where readers of a report learn how it decides.
const DOCS: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "#readme");

/// A report with what it was made by.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) report: Report,
    pub(super) config: Config,
    pub(super) templates: Templates,
}

/// Judges, prints, and publishes if asked to.
pub fn run(arguments: &Check, world: &World<'_>) -> anyhow::Result<Done> {
    let context = Context::read(world.vars);
    let asks = arguments.publish || arguments.publishing.dry_run;
    // Without a token nobody is asked anything: the plan is made from the event alone.
    let session =
        if asks { publish::session(context, world) } else { Session::open(context, None, Patience::default()) };
    let target = session.target();
    let trusted = asks.then_some((&session, &target));
    let mut judged = judge(&arguments.files, &arguments.judging, &arguments.publishing, world, trusted)?;
    if world.as_action && !asks && target.base_sha.is_some() {
        judged.report.notices.push(Notice::new(
            "base_unreadable",
            "config, baselines and templates are those of this checkout, because with `publish: never` the base commit is not asked for",
        ));
    }
    let report_dir = &arguments.judging.report_dir;
    let folder = settings::root(world.common).join(report_dir);
    write(&judged, world.now, &folder)?;
    let reach = match (arguments.publish, world.as_action) {
        (true, _) => Reach::GitHub,
        (false, true) => Reach::Step,
        (false, false) => Reach::Plan,
    };
    let published = publish::carry_out(&judged, &session, &target, &arguments.publishing, reach, report_dir, world)?;
    publish::files(&judged, &published, &folder, world)?;
    let report = &judged.report;
    let mut stdout = match arguments.output {
        Output::Text | Output::Github => text::table(report, width(world), world.common.verbose),
        Output::Json => json(report)?,
        Output::Markdown => render::summary(report, &judged.templates)?,
    };
    if arguments.publishing.dry_run {
        stdout.push_str(&json(&published.plan)?);
    }
    let workflow_commands = match arguments.output {
        // When publishing, they are part of it.
        Output::Github if reach == Reach::Plan => published.annotations.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let talk = if asks { published.talk() } else { String::new() };
    let stderr = format!("{talk}wrote {}\n", report_dir.display());
    Ok(Done { stdout, stderr, workflow_commands, runner_log: published.log, exit_code: report.exit_code })
}

/// Judges the files. With a conversation with GitHub at hand, config, baselines and templates are those of the trusted side.
pub(super) fn judge(
    files: &[String],
    judging: &Judging,
    publishing: &Publishing,
    world: &World<'_>,
    trusted: Option<(&Session, &Target)>,
) -> anyhow::Result<Judged> {
    let folder = trusted.map(|(session, _)| publish::folder(world, session.context())).unwrap_or_default();
    let base = trusted.and_then(|(session, target)| session.base(target, &folder));
    let agreed = trusted.is_some_and(|(_, target)| target.accepted);
    let attempt = |base: Option<&Base<'_>>, notices: Vec<Notice>| -> anyhow::Result<Judged> {
        let mut settings = Settings::new(world.common, judging, files, base, world.now)?;
        settings.config.check_history(publishing.history_branch.as_deref())?;
        settings.notices.extend(notices);
        if agreed {
            settings.policy.agreed = Some(format!("the label `{ACCEPTED}`"));
        }
        let mut report = pipeline::check(&settings, origin(&Context::read(world.vars)))?;
        if let Some((origin, site)) = report.origin.as_mut().zip(settings.config.history.site.clone()) {
            origin.links.insert("trend".to_owned(), site);
        }
        // A pull request could bring a past of its own.
        if base.is_none() {
            let told = history::tell(&mut report, &judging.history, world);
            report.notices.extend(told.err().map(|error| Notice::new("history_unreadable", format!("{error:#}"))));
        }
        Ok(Judged { report, config: settings.config, templates: settings.templates })
    };
    match attempt(base.as_ref(), Vec::new()) {
        // The two sides are never mixed: all of it is read anew from the checkout.
        Err(error) => match error.downcast_ref::<Unreadable>() {
            Some(unreadable) => attempt(None, vec![unreadable.notice()]),
            None => Err(error),
        },
        judged => judged,
    }
}

/// Where the report is made, for links; `None` outside GitHub.
pub fn origin(context: &Context) -> Option<Origin> {
    let repository = context.repository.as_ref().filter(|_| context.in_actions)?;
    let mut origin = Origin {
        repository: repository.to_string(),
        url: context.repository_url(),
        commit: context.head_sha.clone(),
        git_ref: context.ref_name.clone(),
        run_url: context.workflow_run_url(),
        links: BTreeMap::from([("docs".to_owned(), DOCS.to_owned())]),
    };
    if let Some(page) = context.head_sha.as_deref().and_then(|commit| origin.commit_url(commit)) {
        origin.links.insert("commit".to_owned(), page);
    }
    Some(origin)
}

/// Writes every file of the report into `folder` (SPEC section 3).
pub(super) fn write(judged: &Judged, now: Timestamp, folder: &Path) -> anyhow::Result<()> {
    let Judged { report, templates, config } = judged;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        files::write(&path, text.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))
    };
    write("report.json", &json(report)?)?;
    write("summary.md", &render::summary(report, templates)?)?;
    write("comment.md", &render::comment(report, templates)?)?;
    write("issue.md", &issues(report, templates, config.issue.close_after, now)?)?;
    write("report.html", &render::html(report, templates)?)?;
    write("junit.xml", &junit::junit(report)?)?;
    for suite in &report.suites {
        if let Some(run) = &suite.run {
            write(&format!("runs/{}.run.json", file_name(&suite.name)), &json(&RunFile::from(run))?)?;
        }
    }
    Ok(())
}

/// What an issue opened now would say, for every suite that fails.
fn issues(report: &Report, templates: &Templates, close_after: u32, now: Timestamp) -> anyhow::Result<String> {
    let today = Offset::UTC.to_datetime(now).date();
    let mut text = String::new();
    for suite in report.suites.iter().filter(|suite| suite.verdict == Outcome::Fail) {
        let failing = suite.rows.iter().filter(|row| row.status == Status::Fail);
        let rows = failing.map(|row| IssueRow::new(row, Some(today)));
        let view =
            IssueView { since: Some(today), bad_runs: 1, close_after, rows: rows.collect(), ..IssueView::default() };
        text.push_str(&render::issue(report, &suite.name, &view, templates)?);
    }
    Ok(if text.is_empty() { "No suite fails: there is nothing to open an issue about.\n".to_owned() } else { text })
}

/// A suite's name as the name of a file: the config may call it anything.
pub(super) fn file_name(suite: &str) -> String {
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
