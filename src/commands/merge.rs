//! `loadgate merge`: adds up the shards of one run. [I/O]

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use super::{Done, World, json};
use crate::artifact::discover::discover;
use crate::cli::Merge;
use crate::files;
use crate::format::read::read;
use crate::run::combine::{add, settle_shards};
use crate::run::metric::Metric;
use crate::run::{Notice, Run, RunFile, SHARDS_MISSING};
use crate::settings;

/// Reads, adds and writes.
pub fn run(arguments: &Merge, world: &World<'_>) -> anyhow::Result<Done> {
    let root = settings::root(world.common);
    let artifacts = discover(&root, &arguments.files)?;
    let mut runs = read(&artifacts, &settings::format_of(world.common)?)?.runs;
    for run in &mut runs {
        keep_origin(run, &root);
    }
    let mut merged = merge(&runs, arguments.expect)?;
    if let Some(suite) = &world.common.suite {
        suite.clone_into(&mut merged.suite);
    }
    let path = root.join(&arguments.output);
    files::write(&path, json(&RunFile::from(&merged))?.as_bytes())
        .with_context(|| format!("{} cannot be written", path.display()))?;
    let mut notices: Vec<String> = merged.notices.iter().map(ToString::to_string).collect();
    notices.extend((!notices.is_empty()).then(String::new));
    let requests = merged.total.as_ref().and_then(|total| total.requests);
    let requests = requests.map_or_else(|| "an unknown number of".to_owned(), |count| count.to_string());
    let shards = if runs.len() == 1 { "shard" } else { "shards" };
    let stdout = format!("{}: {} {shards}, {requests} requests\n", arguments.output.display(), runs.len());
    Ok(Done { stdout, stderr: notices.join("\n"), ..Done::default() })
}

/// What a run file of ours was read from, rather than the run file: a merged run tells where its requests came from.
fn keep_origin(run: &mut Run, root: &Path) {
    #[derive(serde::Deserialize)]
    struct Origin {
        format: String,
        files: Vec<String>,
    }
    let [file] = run.files.as_slice() else { return };
    let text = (run.format == "loadgate-run").then(|| std::fs::read(root.join(file)));
    let origin = text.and_then(|text| serde_json::from_slice::<Origin>(&text.ok()?).ok());
    if let Some(origin) = origin.filter(|origin| !origin.format.is_empty()) {
        (run.format, run.files) = (origin.format, origin.files);
    }
}

/// The sum of the shards of one run, of which there should be `expect`.
pub fn merge(runs: &[Run], expect: Option<u32>) -> anyhow::Result<Run> {
    one_run(runs)?;
    no_shard_twice(runs)?;
    let mut merged = add(runs);
    match (&merged.shards, expect) {
        (Some(shards), Some(expect)) => ensure!(
            shards.of == expect,
            "these are shards of {}, not of {expect}\nhint: --expect {}",
            shards.of,
            shards.of
        ),
        (None, Some(expect)) => count(&mut merged, runs.len(), expect)?,
        _ => {}
    }
    merged.notices.extend(apart(runs));
    merged.notices.extend(no_distribution(runs));
    settle_shards(&mut merged);
    merged.notices.sort();
    merged.notices.dedup();
    Ok(merged)
}

/// Refuses what cannot be parts of one run.
fn one_run(runs: &[Run]) -> anyhow::Result<()> {
    type Fact = fn(&Run) -> String;
    let Some((first, rest)) = runs.split_first() else { return Ok(()) };
    let facts: [(&str, Fact); 4] = [
        ("suite", |run| run.suite.clone()),
        ("tool", |run| run.tool.clone()),
        ("tool version", |run| run.tool_version.clone().unwrap_or_default()),
        ("profile", |run| run.load.profile.clone().unwrap_or_default()),
    ];
    for (what, of) in facts {
        if let Some(other) = rest.iter().find(|run| of(run) != of(first)) {
            bail!(
                "these are no shards of one run: {what} `{}` in {}, `{}` in {}",
                of(first),
                name(first),
                of(other),
                name(other)
            );
        }
    }
    Ok(())
}

fn no_shard_twice(runs: &[Run]) -> anyhow::Result<()> {
    let mut seen: BTreeMap<u32, &Run> = BTreeMap::new();
    for run in runs {
        for index in run.shards.iter().flat_map(|shards| &shards.have) {
            if let Some(other) = seen.insert(*index, run) {
                bail!("shard {index} is there twice: {} and {}", name(other), name(run));
            }
        }
    }
    Ok(())
}

fn name(run: &Run) -> String {
    run.files.first().cloned().unwrap_or_else(|| "a file".to_owned())
}

/// Shards that do not say which they are can only be counted.
fn count(merged: &mut Run, here: usize, expect: u32) -> anyhow::Result<()> {
    let here = u32::try_from(here).unwrap_or(u32::MAX);
    ensure!(here <= expect, "{here} shards, and only {expect} expected");
    if here < expect {
        let message = format!("{} of {expect} shards are missing; these files do not say which", expect - here);
        merged.complete = Some(false);
        merged.notices.push(Notice::new(SHARDS_MISSING, message));
    }
    Ok(())
}

/// Shards that did not load at the same time are not the load that their sum claims.
fn apart(runs: &[Run]) -> Option<Notice> {
    let mut windows: Vec<(i64, i64)> = runs
        .iter()
        .map(|run| {
            let start = run.started_at?.as_millisecond();
            Some((start, start.saturating_add((run.duration_s? * 1e3) as i64)))
        })
        .collect::<Option<_>>()?;
    windows.sort_unstable();
    let (last_start, first_end) = (windows.last()?.0, windows.iter().map(|(_, end)| *end).min()?);
    (last_start >= first_end).then(|| {
        let message =
            "not all shards ran at the same time: their sum was never the load; `--start-at` starts them together";
        Notice::new("shards_apart", message)
    })
}

/// Percentiles cannot be added; of endpoints that came without their distribution they are unknown from here on.
fn no_distribution(runs: &[Run]) -> Option<Notice> {
    let mut parts: BTreeMap<String, (usize, bool)> = BTreeMap::new();
    for endpoint in runs.iter().flat_map(|run| &run.endpoints) {
        let summary = endpoint.histogram.is_none() && endpoint.metrics.contains_key(&Metric::LatencyP50);
        let (count, any) = parts.entry(endpoint.label()).or_default();
        *count += 1;
        *any |= summary;
    }
    let lost: Vec<String> =
        parts.into_iter().filter(|(_, (count, any))| *count > 1 && *any).map(|(label, _)| label).collect();
    let first = lost.first()?;
    let more = if lost.len() > 1 { format!(" and {} more", lost.len() - 1) } else { String::new() };
    let message = format!(
        "percentiles of {first}{more} are unknown: the shards hold summaries, and percentiles cannot be averaged; merge files with single requests or distributions"
    );
    Some(Notice::new("no_distribution", message))
}
