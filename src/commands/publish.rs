//! `loadgate publish`, and the publishing half of `check`. [I/O]

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, bail};

use super::check::{Judged, judge, write};
use super::{Done, World, json, report};
use crate::baseline::store::{self, Stored};
use crate::baseline::{Baseline, Origin};
use crate::cli::{Publish, Publishing};
use crate::github::client::{Patience, Token};
use crate::github::commands::Annotation;
use crate::github::context::{Context, Event};
use crate::history::{self, Line, Stamp};
use crate::publish::session::{Publication, Session, mask};
use crate::publish::{self, Edits, FileEdit, Plan, Target, Wishes};
use crate::report::Report;
use crate::report::read::{self, ReadError};
use crate::run::Notice;
use crate::settings;

/// The action's input.
const RUNNERS_TOKEN: &str = "INPUT_TOKEN";

/// Carries a report to GitHub; results are judged first.
pub fn run(arguments: &Publish, world: &World<'_>) -> anyhow::Result<Done> {
    let context = Context::read(world.vars);
    let session = session(context, world);
    let target = session.target();
    let ready = match arguments.files.as_slice() {
        [one] => ready_made(&settings::root(world.common).join(one), one)?,
        _ => None,
    };
    let judged = match ready {
        Some(_) if session.context().event == Event::WorkflowRun => bail!(
            "a report made by another workflow run is not published: it could say anything\nhint: give the raw results; they are judged here, with the default branch's config and baseline"
        ),
        Some(report) => {
            let config = settings::config(world.common)?;
            let templates =
                settings::templates(&settings::root(world.common), arguments.judging.template_dir.as_deref(), &config)?;
            Judged { report, config, templates }
        }
        None => judge(&arguments.files, &arguments.judging, &arguments.publishing, world, Some((&session, &target)))?,
    };
    let report_dir = &arguments.judging.report_dir;
    let folder = settings::root(world.common).join(report_dir);
    write(&judged, world.now, &folder)?;
    let published = carry_out(&judged, &session, &target, &arguments.publishing, Reach::GitHub, report_dir, world)?;
    files(&judged, &published, &folder, world)?;
    let stdout = if arguments.publishing.dry_run { json(&published.plan)? } else { String::new() };
    let mut stderr = published.talk();
    if !arguments.publishing.dry_run {
        let _ = writeln!(stderr, "{}", judged.report.text.heading);
    }
    Ok(Done { stdout, stderr, runner_log: published.log, exit_code: judged.report.exit_code, ..Done::default() })
}

/// The file as a report, if it is one.
fn ready_made(path: &Path, name: &str) -> anyhow::Result<Option<Report>> {
    if !path.is_file() || std::fs::metadata(path)?.len() > report::LARGEST {
        return Ok(None);
    }
    let bytes = std::fs::read(path).with_context(|| format!("{name}: cannot be read"))?;
    let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(None) };
    match read::parse(text) {
        Ok(report) => Ok(Some(report)),
        Err(ReadError::Foreign { .. }) => Ok(None),
        Err(error) => Err(error).with_context(|| name.to_owned()),
    }
}

/// A conversation with GitHub, with the token that the action or the environment gives.
pub(super) fn session(context: Context, world: &World<'_>) -> Session {
    Session::open(context, token(world).map(|it| it.1).as_ref(), Patience::default())
}

/// The token, and the variable that holds it.
fn token(world: &World<'_>) -> Option<(&'static str, Token)> {
    let names = [RUNNERS_TOKEN, "LOADGATE_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"];
    names.into_iter().find_map(|name| Some((name, Token::new(world.vars.get(name)?)?)))
}

/// What publishing did, or would do.
pub(super) struct Published {
    /// What was planned.
    pub(super) plan: Plan,
    /// The report that was told of, where the history added to it.
    report: Option<Report>,
    /// What could not be done, and why.
    pub(super) notices: Vec<Notice>,
    /// Lines for the workflow's runner.
    pub(super) log: String,
    /// What the runner would show beside the code.
    pub(super) annotations: Vec<Annotation>,
}

impl Published {
    /// For stderr.
    pub(super) fn talk(&self) -> String {
        let mut talk = String::new();
        for notice in self.plan.notices.iter().chain(&self.notices) {
            let _ = writeln!(talk, "note: {}", crate::report::escape::terminal(&notice.to_string()));
        }
        talk
    }
}

/// How far publishing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// A plan.
    Plan,
    /// Summary, step outputs and annotations: what needs no network.
    Step,
    /// All of it.
    GitHub,
}

/// Plans, and carries out as far as `reach`.
pub(super) fn carry_out(
    judged: &Judged,
    session: &Session,
    target: &Target,
    publishing: &Publishing,
    reach: Reach,
    report_dir: &Path,
    world: &World<'_>,
) -> anyhow::Result<Published> {
    let folder = folder(world, session.context());
    let mut wishes = wishes(judged, publishing, report_dir, &folder, world);
    wishes.remote = publishing.dry_run || reach == Reach::GitHub;
    let annotations = publish::annotations(&judged.report, &wishes);
    let edits = edits(judged, session.context(), &wishes, &folder, world);
    let texts = &judged.templates;
    let publication = Publication { report: &judged.report, wishes: &wishes, target, texts, edits: &edits };
    if publishing.dry_run || reach == Reach::Plan {
        let (plan, report) = session.plan(&publication);
        return Ok(Published { plan, report, notices: Vec::new(), log: String::new(), annotations });
    }
    let mut log = Vec::new();
    // What the action's input holds came from the runner, which masks it already.
    if let Some((_, token)) = token(world).filter(|(name, _)| *name != RUNNERS_TOKEN) {
        mask(token.reveal(), session.context(), &mut log);
    }
    let outcome = session.publish(&publication, &mut log);
    if let Some(failed) = outcome.failed {
        bail!("{failed}");
    }
    let log = String::from_utf8(log).unwrap_or_default();
    Ok(Published { plan: outcome.plan, report: outcome.report, notices: outcome.notices, log, annotations })
}

/// Leaves the plan beside the report, and the report again with what publishing added to it.
pub(super) fn files(judged: &Judged, published: &Published, folder: &Path, world: &World<'_>) -> anyhow::Result<()> {
    let path = folder.join("plan.json");
    crate::files::write(&path, json(&published.plan)?.as_bytes())
        .with_context(|| format!("{} cannot be written", path.display()))?;
    if published.report.is_some() || !published.plan.notices.is_empty() || !published.notices.is_empty() {
        let mut told = Judged { report: published.report.as_ref().unwrap_or(&judged.report).clone(), ..judged.clone() };
        told.report.notices.extend(published.plan.notices.iter().chain(&published.notices).cloned());
        write(&told, world.now, folder)?;
    }
    Ok(())
}

/// The working directory from the root of the repository, with `/`; empty for the root itself.
pub(super) fn folder(world: &World<'_>, context: &Context) -> String {
    let root = settings::root(world.common);
    let workspace = context.workspace.clone().unwrap_or_else(|| PathBuf::from("."));
    let below = root.strip_prefix(&workspace).unwrap_or(&root);
    let parts: Vec<String> = below
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            Component::ParentDir => Some("..".to_owned()),
            _ => None,
        })
        .collect();
    parts.join("/")
}

fn wishes(judged: &Judged, publishing: &Publishing, report_dir: &Path, folder: &str, world: &World<'_>) -> Wishes {
    let at = |name: &str| Some(below(folder, &report_dir.join(name).to_string_lossy()));
    Wishes {
        remote: true,
        comment: publishing.comment,
        comment_key: publishing.comment_key.clone(),
        bot_login: publishing.bot_login.clone(),
        status: publishing.status,
        status_name: publishing.status_name.clone(),
        issue: publishing.issue,
        issue_config: judged.config.issue.clone(),
        update_baseline: publishing.update_baseline,
        history_branch: publishing.history_branch.clone().or_else(|| judged.config.history.branch.clone()),
        webhook_url: publishing.webhook_url.clone(),
        folder: folder.to_owned(),
        report_json: at("report.json"),
        report_html: at("report.html"),
        now: world.now,
    }
}

/// A path of the working directory, from the root of the repository.
fn below(folder: &str, path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    if folder.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") }
}

/// What the measured runs change in the repository, should it be wished.
fn edits(judged: &Judged, context: &Context, wishes: &Wishes, folder: &str, world: &World<'_>) -> Edits {
    let id = context.workflow_run.map(|run| run.id);
    let mut edits = Edits::default();
    for suite in &judged.report.suites {
        let Some(run) = suite.run.clone() else { continue };
        let origin = Origin {
            id: id.map_or_else(|| "local".to_owned(), |id| id.to_string()),
            time: run.started_at.or(Some(world.now)),
            commit: context.head_sha.clone(),
            git_ref: context.ref_name.clone(),
            verdict: Some(suite.verdict.as_str().to_owned()),
            ..Origin::default()
        };
        let (name, path) = (suite.name.clone(), below(folder, &suite.baseline.path));
        let shown = path.clone();
        let edit = move |text: Option<&str>| {
            let mut baseline = match text.map(|text| store::parse(text, &shown)).transpose() {
                Ok(Some(Stored::Baseline(baseline))) => baseline,
                Ok(None | Some(Stored::Absent)) => Baseline::new(&name),
                Ok(Some(Stored::Foreign)) => return Err(format!("{shown} is not of loadgate's own kind")),
                Err(error) => return Err(error.to_string()),
            };
            // A repeated workflow run counts once.
            if let Some(old) = baseline.runs.iter().position(|old| old.id == origin.id) {
                baseline.remove(old);
            }
            baseline.add(&run, origin.clone());
            Ok(Some(store::to_text(&baseline)))
        };
        edits.baselines.push(FileEdit { suite: suite.name.clone(), path, edit: Rc::new(edit) });
        if wishes.history_branch.is_none() {
            continue;
        }
        let stamp = Stamp {
            now: world.now,
            commit: context.head_sha.clone(),
            git_ref: context.ref_name.clone(),
            workflow_run_id: id,
        };
        if let Some(line) = Line::of(suite, stamp) {
            let keep = judged.config.history.keep as usize;
            edits.histories.push(FileEdit {
                suite: suite.name.clone(),
                path: history_path(&suite.name),
                edit: Rc::new(move |text| Ok(Some(history::append(text.unwrap_or_default(), &line, keep)))),
            });
        }
    }
    edits
}

/// Where a suite's history is on the data branch.
fn history_path(suite: &str) -> String {
    format!("history/{}.jsonl", super::check::file_name(suite))
}
