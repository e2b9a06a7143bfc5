//! `loadgate baseline …`: the committed baseline, added to, shown, compared, edited. [I/O]

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use jiff::tz::Offset;
use serde::Serialize;

use super::{Done, World, json};
use crate::baseline::edit::EVERY;
use crate::baseline::origin::revision;
use crate::baseline::store::{self, Stored};
use crate::baseline::{AcceptedMetrics, Baseline, BaselineRun, Origin, Star};
use crate::cli::{
    BaselineAccept, BaselineCommand, BaselineDiff, BaselineFile, BaselineImport, BaselineRemove, BaselineShow, NewRun,
    RunOrigin, TextOrJson,
};
use crate::compare::compare;
use crate::config::Config;
use crate::pipeline::{foreign_baseline, results};
use crate::report::escape;
use crate::run::Run;
use crate::run::display::{self, plural};
use crate::run::metric::{Metric, Unit};
use crate::settings::{self, Suite};
use crate::verdict::sensitivity::{Sensitivity, sensitivity};
use crate::verdict::{Outcome, judge};

/// One of the commands.
pub fn run(command: &BaselineCommand, world: &World<'_>) -> anyhow::Result<Done> {
    match command {
        BaselineCommand::Add(arguments) => add(arguments, world),
        BaselineCommand::Show(arguments) => show(arguments, world),
        BaselineCommand::Diff(arguments) => diff(arguments, world),
        BaselineCommand::Import(arguments) => import(arguments, world),
        BaselineCommand::Accept(arguments) => accept(arguments, world),
        BaselineCommand::Remove(arguments) => remove(arguments, world),
    }
}

/// A suite's baseline file.
struct File {
    root: PathBuf,
    config: Config,
    suite: Suite,
}

impl File {
    /// The one suite that is meant; results given as files belong to it.
    fn new(file: &BaselineFile, files: &[String], world: &World<'_>) -> anyhow::Result<Self> {
        let config = settings::config(world.common)?;
        let wanted = world.common.suite.as_deref();
        let mut suites = settings::suites(&config, wanted, files, file.baseline.as_deref())?;
        match (suites.pop(), suites.is_empty()) {
            (Some(suite), true) => Ok(Self { root: settings::root(world.common), config, suite }),
            _ => bail!(
                "the config has several suites ({})\nhint: say which with --suite NAME",
                config.suites.iter().map(|suite| suite.name.as_str()).collect::<Vec<_>>().join(", ")
            ),
        }
    }

    /// As the user would write it.
    fn path(&self) -> &str {
        &self.suite.config.baseline
    }

    fn read(&self) -> anyhow::Result<Stored> {
        Ok(store::read(&self.root.join(self.path()), self.path())?)
    }

    /// The baseline, which has to be there.
    fn existing(&self) -> anyhow::Result<Baseline> {
        match self.read()? {
            Stored::Baseline(baseline) => Ok(baseline),
            Stored::Absent => bail!(
                "{}: there is no such baseline\nhint: `loadgate baseline add RESULTS` records one after a good run",
                self.path()
            ),
            Stored::Foreign => bail!("{}", self.foreign()),
        }
    }

    /// The baseline, or a new one.
    fn or_new(&self) -> anyhow::Result<Baseline> {
        match self.read()? {
            Stored::Baseline(baseline) => Ok(baseline),
            Stored::Absent => Ok(Baseline::new(&self.suite.config.name)),
            Stored::Foreign => bail!("{}", self.foreign()),
        }
    }

    fn foreign(&self) -> String {
        format!(
            "{name}: not a baseline of loadgate's own kind\nhint: `loadgate baseline import {name} --baseline FILE` takes it over into FILE",
            name = self.path()
        )
    }

    fn write(&self, baseline: &Baseline, dry_run: bool) -> anyhow::Result<()> {
        if !dry_run {
            store::write(&self.root.join(self.path()), self.path(), baseline)?;
        }
        Ok(())
    }

    /// The current runs: one, or repeats.
    fn runs(&self, world: &World<'_>) -> anyhow::Result<Vec<Run>> {
        let config = &self.suite.config;
        let format_of = settings::format_of(world.common)?;
        let mut runs = results(&self.root, &config.results, &format_of, &self.config.names, config.combine)?.runs;
        for run in &mut runs {
            config.name.clone_into(&mut run.suite);
            run.load.profile = run.load.profile.take().or_else(|| config.profile.clone());
        }
        Ok(runs)
    }
}

fn add(arguments: &NewRun, world: &World<'_>) -> anyhow::Result<Done> {
    let file = File::new(&arguments.file, &arguments.files, world)?;
    let runs = file.runs(world)?;
    let mut baseline = file.or_new()?;
    let added = append(&mut baseline, &runs, &arguments.origin, &file, world)?;
    file.write(&baseline, arguments.dry_run)?;
    let verb = if arguments.dry_run { "would add" } else { "added" };
    let mut stdout = format!(
        "{verb} {} to {}: {} of at most {}\n",
        added.ids.join(", "),
        file.path(),
        plural(baseline.runs.len(), "run"),
        baseline.keep
    );
    for warning in added.warnings {
        let _ = writeln!(stdout, "note: {warning}");
    }
    if !arguments.dry_run {
        let _ = writeln!(stdout, "next: commit {}", file.path());
    }
    Ok(Done::printed(stdout))
}

/// What was appended, and what people should know of it.
struct Added {
    ids: Vec<String>,
    warnings: Vec<String>,
}

/// Appends the runs; one that has the id of a run already there takes its place.
fn append(
    baseline: &mut Baseline,
    runs: &[Run],
    origin: &RunOrigin,
    file: &File,
    world: &World<'_>,
) -> anyhow::Result<Added> {
    let mut added = Added { ids: Vec::new(), warnings: Vec::new() };
    for run in runs {
        if run.complete == Some(false) {
            bail!(
                "{}: the run was cut short, and a baseline of half a run is none\nhint: run the load test to its end",
                run.files.join(", ")
            );
        }
    }
    let revision = revision(&file.root, world.vars);
    let verdict = verdict(baseline, runs, file, world);
    if verdict == Some(Outcome::Fail) {
        added.warnings.push(
            "it breaks a rule against the runs before; `loadgate baseline accept` says that this is a new level".into(),
        );
    }
    for (place, run) in runs.iter().enumerate() {
        let time = origin.time.or(run.started_at).unwrap_or(world.now);
        let commit = origin.commit.clone().or_else(|| revision.commit.clone());
        let mut id = world.vars.get("GITHUB_RUN_ID").filter(|id| !id.is_empty()).cloned().unwrap_or_else(|| {
            let short = commit.as_deref().and_then(|sha| sha.get(..7)).map(|sha| format!("-{sha}"));
            format!("{}{}", Offset::UTC.to_datetime(time).strftime("%Y%m%dT%H%M%SZ"), short.unwrap_or_default())
        });
        if place > 0 {
            let _ = write!(id, "-{}", place + 1);
        }
        if let Some(old) = baseline.runs.iter().position(|old| old.id == id) {
            baseline.remove(old);
            added.warnings.push(format!("run {id} was there already and has been replaced"));
        }
        baseline.add(
            run,
            Origin {
                id: id.clone(),
                time: Some(time),
                commit,
                git_ref: origin.git_ref.clone().or_else(|| revision.git_ref.clone()),
                verdict: verdict.map(|outcome| outcome.as_str().to_owned()),
                ..Origin::default()
            },
        );
        added.ids.push(id);
    }
    Ok(added)
}

/// What the gate says of the runs against the baseline as it is.
fn verdict(baseline: &Baseline, runs: &[Run], file: &File, world: &World<'_>) -> Option<Outcome> {
    let comparison = compare(baseline, runs);
    let today = Offset::UTC.to_datetime(world.now).date();
    Some(judge(&file.config.policy(), &comparison, today).outcome).filter(|outcome| *outcome != Outcome::NoBaseline)
}

fn import(arguments: &BaselineImport, world: &World<'_>) -> anyhow::Result<Done> {
    let file = File::new(&arguments.file, &[], world)?;
    if !matches!(file.read()?, Stored::Absent) {
        bail!("{}: is there already\nhint: remove it first, or give another name with --baseline FILE", file.path());
    }
    let old = arguments.old.as_str();
    if matches!(store::read(&file.root.join(old), old)?, Stored::Baseline(_)) {
        bail!("{old}: is a baseline of loadgate's own kind already\nhint: copy it to {}", file.path());
    }
    let mut baseline = foreign_baseline(&file.root, old, &file.suite.config.name, &file.config.names)?;
    let surplus = baseline.runs.len().saturating_sub(baseline.keep);
    baseline.runs.drain(..surplus);
    store::write(&file.root.join(file.path()), file.path(), &baseline)?;
    let endpoints = baseline.runs.last().map_or(0, |run| run.endpoints.len());
    Ok(Done::printed(format!(
        "imported {} with {} from {old} into {}\nnext: commit {}\n",
        plural(baseline.runs.len(), "run"),
        plural(endpoints, "endpoint"),
        file.path(),
        file.path()
    )))
}

fn accept(arguments: &BaselineAccept, world: &World<'_>) -> anyhow::Result<Done> {
    let new = &arguments.new;
    let file = File::new(&new.file, &new.files, world)?;
    let mut baseline = if new.files.is_empty() { file.existing()? } else { file.or_new()? };
    let mut stdout = String::new();
    if !new.files.is_empty() {
        let runs = file.runs(world)?;
        let added = append(&mut baseline, &runs, &new.origin, &file, world)?;
        let _ = writeln!(stdout, "added {} to {}", added.ids.join(", "), file.path());
    }
    let place = baseline.find(arguments.run.as_deref()).context(file.path().to_owned())?;
    baseline.accept(place, &arguments.endpoint, &arguments.metric).context(file.path().to_owned())?;
    file.write(&baseline, new.dry_run)?;
    let id = baseline.runs.get(place).map(|run| run.id.clone()).unwrap_or_default();
    let what = if arguments.metric.is_empty() {
        "every metric".to_owned()
    } else {
        arguments.metric.iter().map(|metric| metric.title().into_owned()).collect::<Vec<_>>().join(", ")
    };
    let of = if arguments.endpoint == EVERY { "every endpoint".to_owned() } else { arguments.endpoint.clone() };
    let verb = if new.dry_run { "would start" } else { "starts" };
    let _ = writeln!(stdout, "run {id} {verb} a new level for {what} of {}", escape::terminal(&of));
    let _ = writeln!(stdout, "earlier runs are not compared with any more for it");
    let reason = arguments.reason.as_ref().map(|reason| format!(": {}", escape::terminal(reason))).unwrap_or_default();
    if !new.dry_run {
        let _ = writeln!(stdout, "next: commit {}, with the reason in the message{reason}", file.path());
    }
    Ok(Done::printed(stdout))
}

fn remove(arguments: &BaselineRemove, world: &World<'_>) -> anyhow::Result<Done> {
    let file = File::new(&arguments.file, &[], world)?;
    let mut baseline = file.existing()?;
    let place = baseline.find(Some(&arguments.run)).context(file.path().to_owned())?;
    let removed = baseline.remove(place).map(|run| run.id).unwrap_or_default();
    file.write(&baseline, arguments.dry_run)?;
    let verb = if arguments.dry_run { "would remove" } else { "removed" };
    let left = plural(baseline.runs.len(), "run");
    let next = if arguments.dry_run { String::new() } else { format!("next: commit {}\n", file.path()) };
    Ok(Done::printed(format!("{verb} run {removed} from {}: {left} left\n{next}", file.path())))
}

/// A run as `show --format json` prints it.
#[derive(Serialize)]
struct ShownRun<'a> {
    id: &'a str,
    time: Option<jiff::Timestamp>,
    commit: Option<&'a str>,
    #[serde(rename = "ref")]
    git_ref: Option<&'a str>,
    verdict: Option<&'a str>,
    users: Option<f64>,
    duration_s: Option<f64>,
    endpoints: usize,
}

/// A row likewise; in the metric's unit.
#[derive(Serialize)]
struct ShownRow<'a> {
    endpoint: &'a str,
    metric: &'a Metric,
    runs: usize,
    lowest: f64,
    usual: f64,
    highest: f64,
    smallest_detectable: Option<f64>,
}

#[derive(Serialize)]
struct Shown<'a> {
    schema: &'static str,
    suite: &'a str,
    path: &'a str,
    keep: usize,
    runs: Vec<ShownRun<'a>>,
    rows: Vec<ShownRow<'a>>,
}

fn show(arguments: &BaselineShow, world: &World<'_>) -> anyhow::Result<Done> {
    let file = File::new(&arguments.file, &[], world)?;
    let baseline = file.existing()?;
    let rows = sensitivity(&file.config.policy(), &baseline);
    if arguments.format == TextOrJson::Json {
        let shown = Shown {
            schema: "loadgate.baseline-show/1",
            suite: &baseline.suite,
            path: file.path(),
            keep: baseline.keep,
            runs: baseline.runs.iter().map(shown_run).collect(),
            rows: rows.iter().map(shown_row).collect(),
        };
        return Ok(Done::printed(json(&shown)?));
    }
    let mut out = format!("{}: {} of at most {}\n\n", file.path(), plural(baseline.runs.len(), "run"), baseline.keep);
    let mut table = plain_table();
    table.set_header(["Run", "Time", "Commit", "Ref", "Verdict", "Users", "Took", "Starts a new level of"]);
    for run in &baseline.runs {
        let dash = || "-".to_owned();
        table.add_row([
            escape::terminal(&run.id),
            run.time.map_or_else(dash, |time| Offset::UTC.to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string()),
            run.commit.as_deref().map_or_else(dash, |sha| escape::terminal(sha.get(..7).unwrap_or(sha))),
            run.git_ref.as_deref().map_or_else(dash, escape::terminal),
            run.verdict.as_deref().map_or_else(dash, escape::terminal),
            run.load.users.map_or_else(dash, display::plain),
            run.load.duration_s.map_or_else(dash, display::duration),
            levels(run),
        ]);
    }
    let _ = writeln!(out, "{}\n", table.trim_fmt());
    let mut table = plain_table();
    table.set_header(["Endpoint", "Metric", "Runs", "Usual", "Lowest to highest", "Spread", "The gate sees"]);
    for row in &rows {
        let unit = row.metric.unit();
        table.add_row([
            escape::terminal(&row.endpoint),
            row.metric.title().into_owned(),
            row.runs.to_string(),
            display::value(row.usual, unit),
            format!("{} to {}", display::value(row.lowest, unit), display::value(row.highest, unit)),
            strip(row),
            sees(row),
        ]);
    }
    for column in [2, 3] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let _ = writeln!(out, "{}", table.trim_fmt());
    let _ = writeln!(
        out,
        "\nSpread: the runs between 25 % below and above what is usual (rates: 2.5 points). \
         The gate sees: the smallest change for the worse that fails in 4 of 5 runs."
    );
    if baseline.runs.len() < 3 {
        let _ = writeln!(
            out,
            "With {} only `critical` limits can fail; from 3 on evidence decides.",
            plural(baseline.runs.len(), "run")
        );
    }
    Ok(Done::printed(out))
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn shown_run(run: &BaselineRun) -> ShownRun<'_> {
    ShownRun {
        id: &run.id,
        time: run.time,
        commit: run.commit.as_deref(),
        git_ref: run.git_ref.as_deref(),
        verdict: run.verdict.as_deref(),
        users: run.load.users,
        duration_s: run.load.duration_s,
        endpoints: run.endpoints.len(),
    }
}

fn shown_row(row: &Sensitivity) -> ShownRow<'_> {
    ShownRow {
        endpoint: &row.endpoint,
        metric: &row.metric,
        runs: row.runs,
        lowest: row.lowest,
        usual: row.usual,
        highest: row.highest,
        smallest_detectable: row.smallest_detectable,
    }
}

/// What the run was accepted to start.
fn levels(run: &BaselineRun) -> String {
    let one = |(endpoint, metrics): (&String, &AcceptedMetrics)| {
        let endpoint = if endpoint == EVERY { "everything" } else { endpoint };
        match metrics {
            AcceptedMetrics::All(Star::Star) => escape::terminal(endpoint),
            AcceptedMetrics::Some(metrics) => {
                let names: Vec<_> = metrics.iter().map(Metric::title).collect();
                format!("{} ({})", escape::terminal(endpoint), names.join(", "))
            }
        }
    };
    let all: Vec<String> = run.accepted.iter().map(one).collect();
    if all.is_empty() { "-".to_owned() } else { all.join("; ") }
}

/// Columns on each side of the middle of [`strip`].
const HALF: i32 = 10;

/// Where the runs lie around what is usual, on one scale for all rows: `    ├─┼──┤    `; arrows where they go beyond.
fn strip(row: &Sensitivity) -> String {
    let offset = |value: f64| {
        let away = if row.metric.unit() == Unit::Ratio {
            (value - row.usual) / 0.025
        } else if row.usual > 0.0 {
            (value / row.usual - 1.0) / 0.25
        } else {
            0.0
        };
        (away * f64::from(HALF)).round().clamp(f64::from(-HALF - 1), f64::from(HALF + 1)) as i32
    };
    let (low, high) = (offset(row.lowest), offset(row.highest));
    (-HALF..=HALF)
        .map(|at| match at {
            0 if low == 0 && high == 0 => '●',
            0 => '┼',
            _ if at == -HALF && low < -HALF => '◀',
            _ if at == HALF && high > HALF => '▶',
            _ if at == low => '├',
            _ if at == high => '┤',
            _ if at > low && at < high => '─',
            _ => '·',
        })
        .collect()
}

fn sees(row: &Sensitivity) -> String {
    match row.smallest_detectable {
        Some(change) if row.metric.unit() == Unit::Ratio => display::points(change),
        Some(change) => display::percent(change),
        None if row.runs < 3 => "needs 3 runs".to_owned(),
        None => "no change".to_owned(),
    }
}

/// One figure of two runs, for `diff --format json`; in the metric's unit.
#[derive(Serialize)]
struct Difference {
    endpoint: String,
    metric: Metric,
    before: Option<f64>,
    after: Option<f64>,
    change_relative: Option<f64>,
}

#[derive(Serialize)]
struct Differences<'a> {
    schema: &'static str,
    before: &'a str,
    after: &'a str,
    rows: Vec<Difference>,
}

/// The figures worth a line.
const COMPARED: [Metric; 5] =
    [Metric::ErrorRate, Metric::LatencyP50, Metric::LatencyP95, Metric::LatencyP99, Metric::Throughput];

fn diff(arguments: &BaselineDiff, world: &World<'_>) -> anyhow::Result<Done> {
    let file = File::new(&arguments.file, &[], world)?;
    let baseline = file.existing()?;
    let (before, after) = match arguments.runs.as_slice() {
        [before, after] => (baseline.find(Some(before)), baseline.find(Some(after))),
        [before] => (baseline.find(Some(before)), baseline.find(None)),
        _ => {
            if baseline.runs.len() < 2 {
                bail!(
                    "{}: has {}, and a difference takes two\nhint: `loadgate baseline show` shows it",
                    file.path(),
                    plural(baseline.runs.len(), "run")
                );
            }
            (Ok(baseline.runs.len() - 2), baseline.find(None))
        }
    };
    let run = |place: usize| baseline.runs.get(place).context("a place that was found");
    let before = run(before.context(file.path().to_owned())?)?;
    let after = run(after.context(file.path().to_owned())?)?;
    let rows = differences(before, after);
    if arguments.format == TextOrJson::Json {
        let schema = "loadgate.baseline-diff/1";
        return Ok(Done::printed(json(&Differences { schema, before: &before.id, after: &after.id, rows })?));
    }
    let mut table = plain_table();
    table.set_header(["Endpoint", "Metric", &escape::terminal(&before.id), &escape::terminal(&after.id), "Change"]);
    for row in &rows {
        let unit = row.metric.unit();
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| display::value(value, unit));
        let change = match (row.before, row.after, row.change_relative) {
            (Some(before), Some(after), _) if unit == Unit::Ratio => display::points(after - before),
            (_, _, Some(change)) => display::percent(change),
            (None, Some(_), _) => "new".to_owned(),
            (Some(_), None, _) => "gone".to_owned(),
            _ => "-".to_owned(),
        };
        let metric = row.metric.title().into_owned();
        table.add_row([escape::terminal(&row.endpoint), metric, shown(row.before), shown(row.after), change]);
    }
    for column in [2, 3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    Ok(Done::printed(table.trim_fmt() + "\n"))
}

fn differences(before: &BaselineRun, after: &BaselineRun) -> Vec<Difference> {
    let mut labels: Vec<&String> = before.endpoints.keys().chain(after.endpoints.keys()).collect();
    labels.sort_unstable();
    labels.dedup();
    let figure = |run: &BaselineRun, label: &str, metric: &Metric| {
        let endpoint = run.endpoint(label)?;
        match (metric, endpoint.requests, endpoint.failures) {
            (Metric::ErrorRate, Some(requests), Some(failures)) if requests > 0 => {
                Some(failures as f64 / requests as f64)
            }
            _ => endpoint.metrics.get(metric).map(crate::run::metric::Measurement::value),
        }
    };
    let row = |label: &String, metric: &Metric| {
        let (old, new) = (figure(before, label, metric), figure(after, label, metric));
        old.or(new)?;
        let relative = old.zip(new).filter(|(old, _)| *old != 0.0).map(|(old, new)| new / old - 1.0);
        Some(Difference {
            endpoint: label.clone(),
            metric: metric.clone(),
            before: old,
            after: new,
            change_relative: relative,
        })
    };
    labels.into_iter().flat_map(|label| COMPARED.iter().filter_map(move |metric| row(label, metric))).collect()
}
