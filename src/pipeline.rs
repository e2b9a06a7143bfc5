//! The whole program on one page: every stage called once, in order. [I/O]
//!
//! `artifact -> run -> comparison -> verdict -> report -> publish`

use std::path::Path;

use anyhow::{Context as _, bail};
use jiff::tz::Offset;

use crate::artifact::discover::{self, USUAL};
use crate::baseline::store::{self, Stored};
use crate::baseline::{Baseline, Origin as BaselineOrigin};
use crate::compare::{Comparison, compare};
use crate::config::{self, Names};
use crate::files;
use crate::format::read::{FormatOf, read};
use crate::publish::base::{Trusted, difference};
use crate::report::compose::{Frame, SuiteInput, compose};
use crate::report::escape::{NAME, named};
use crate::report::{Origin, Report};
use crate::run::combine::{Combine, Combined, combine};
use crate::run::{Notice, Run};
use crate::settings::{self, Settings, Suite};
use crate::verdict::{Verdict, exit_code, judge};

/// Reads the results of every suite, compares them with its baseline, judges, and describes it all.
pub fn check(settings: &Settings<'_>, origin: Option<Origin>) -> anyhow::Result<Report> {
    // Baselines come first: if the trusted side cannot be read, that is known before a large artifact is.
    let baselines =
        settings.suites.iter().map(|suite| baseline(settings, suite)).collect::<anyhow::Result<Vec<_>>>()?;
    let measured = settings
        .suites
        .iter()
        .zip(baselines)
        .map(|(suite, reference)| measure(settings, suite, reference))
        .collect::<anyhow::Result<Vec<Measured<'_>>>>()?;
    let today = Offset::UTC.to_datetime(settings.now).date();
    let comparisons = measured.iter().map(Measured::compare).collect::<anyhow::Result<Vec<Comparison<'_>>>>()?;
    let verdicts: Vec<Verdict<'_>> =
        comparisons.iter().map(|comparison| judge(&settings.policy, comparison, today)).collect();
    let inputs: Vec<SuiteInput<'_>> = measured
        .iter()
        .zip(&comparisons)
        .zip(&verdicts)
        .map(|((suite, comparison), verdict)| suite.input(settings, comparison, verdict))
        .collect();
    let exit_code = exit_code(&verdicts, &settings.fail_on, settings.require_baseline);
    let notices = settings.notices.iter().cloned().chain(about_rules(settings, &measured)).collect();
    Ok(compose(&inputs, &Frame { now: settings.now, exit_code, origin, notices }))
}

/// A suite's current runs and its baseline.
struct Measured<'a> {
    suite: &'a Suite,
    runs: Vec<Run>,
    baseline: Baseline,
    /// Why there is no baseline.
    reason: Option<String>,
    notices: Vec<Notice>,
}

fn measure<'a>(settings: &Settings<'_>, suite: &'a Suite, reference: Reference) -> anyhow::Result<Measured<'a>> {
    let config = &suite.config;
    let results = results(&settings.root, &config.results, &settings.format_of, &settings.config.names, config.combine);
    // Which of them, where the config names some.
    let mut results = if settings.config.suites.is_empty() {
        results?
    } else {
        results.with_context(|| format!("suite `{}`", named(&config.name, NAME)))?
    };
    for run in &mut results.runs {
        config.name.clone_into(&mut run.suite);
        run.load.profile = run.load.profile.take().or_else(|| config.profile.clone());
    }
    let notices = reference.notice.into_iter().chain(results.notices).collect();
    Ok(Measured { suite, runs: results.runs, baseline: reference.baseline, reason: reference.reason, notices })
}

impl Measured<'_> {
    fn compare(&self) -> anyhow::Result<Comparison<'_>> {
        let comparison = compare(&self.baseline, &self.runs);
        if comparison.nothing_in_common() {
            let known = |labels: Vec<String>| {
                let more = labels.len().saturating_sub(3);
                let shown = labels.iter().take(3).map(|label| format!("`{}`", named(label, NAME))).collect::<Vec<_>>();
                format!("{}{}", shown.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
            };
            let before = self.baseline.runs.last().map(|run| run.endpoints.keys().cloned().collect());
            let now = self.runs.first().map(|run| run.endpoints.iter().map(crate::run::Endpoint::label).collect());
            bail!(
                "suite `{}`: nothing to compare: {} has {}, the results have {}\nhint: is this the baseline of another suite? `endpoints.rename` maps names; `loadgate baseline add` records a new one",
                self.suite.config.name,
                self.suite.config.baseline,
                known(before.unwrap_or_default()),
                known(now.unwrap_or_default())
            );
        }
        Ok(comparison)
    }

    fn input<'b>(
        &'b self,
        settings: &'b Settings<'_>,
        comparison: &'b Comparison<'b>,
        verdict: &'b Verdict<'b>,
    ) -> SuiteInput<'b> {
        SuiteInput {
            name: &self.suite.config.name,
            policy: &settings.policy,
            verdict,
            comparison,
            baseline: &self.baseline,
            baseline_path: &self.suite.config.baseline,
            reason: self.reason.clone(),
            runs: &self.runs,
            notices: self.notices.clone(),
        }
    }
}

/// What reading the results of one suite gave.
#[derive(Debug)]
pub struct Results {
    /// One run, or repeats in order of time.
    pub runs: Vec<Run>,
    /// What was done to get them.
    pub notices: Vec<Notice>,
}

/// Artifacts to runs: finds, reads, renames, and adds up shards. `patterns` may be empty: then the usual places.
pub fn results(
    root: &Path,
    patterns: &[String],
    format_of: &[FormatOf],
    names: &Names,
    wish: Option<Combine>,
) -> anyhow::Result<Results> {
    let artifacts = if patterns.is_empty() { discover::usual(root)? } else { discover::discover(root, patterns)? };
    if artifacts.is_empty() {
        let looked = if patterns.is_empty() { USUAL.join(", ") } else { patterns.join(", ") };
        bail!(
            "no results found: looked for {looked}\nhint: name the files of the load test, or set `suites: {{ NAME: {{ results: [GLOB] }} }}` in the config"
        );
    }
    let mut reading = read(&artifacts, format_of)?;
    for run in &mut reading.runs {
        names.apply(run);
    }
    let Combined { runs, notice } = combine(reading.runs, wish);
    let skipped = (!reading.skipped.is_empty()).then(|| {
        let more = reading.skipped.len().saturating_sub(5);
        let shown = reading.skipped.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
        let and = if more > 0 { format!(" and {more} more") } else { String::new() };
        Notice::new("skipped_files", format!("no results in {shown}{and}, left out"))
    });
    Ok(Results { runs, notices: notice.into_iter().chain(skipped).collect() })
}

/// What a suite is compared with.
struct Reference {
    baseline: Baseline,
    /// Why there is none.
    reason: Option<String>,
    /// What a pull request changes in it without effect.
    notice: Option<Notice>,
}

/// The baseline of a suite, or why there is none. Files of other kinds than our own are read as results.
fn baseline(settings: &Settings<'_>, suite: &Suite) -> anyhow::Result<Reference> {
    let (name, path) = (&suite.config.name, &suite.config.baseline);
    let names = &settings.config.names;
    let here = settings.root.join(path);
    let (stored, notice, reason) = match settings.base {
        None => {
            let reason = format!("there is no {path}");
            (store::read(&here, path)?, None, reason)
        }
        Some(base) => {
            let text = base.text(path)?;
            let notice =
                difference(Trusted::Baseline, path, text.as_deref(), settings::here(&settings.root, path).as_deref());
            let reason = format!("the base branch has no {path}");
            match text {
                None => (Stored::Absent, notice, reason),
                Some(text) => match store::parse(&text, path)? {
                    Stored::Foreign => {
                        let baseline = foreign_text(&text, path, name, names)?;
                        return Ok(Reference { baseline, reason: None, notice });
                    }
                    stored => (stored, notice, reason),
                },
            }
        }
    };
    match stored {
        Stored::Baseline(mut baseline) => {
            // Recorded before it was to be ignored: that does not make an endpoint a missing one.
            baseline.runs.iter_mut().for_each(|run| run.endpoints.retain(|label, _| !names.ignores(label)));
            Ok(Reference { baseline, reason: None, notice })
        }
        Stored::Absent if settings.base.is_some() || !suite.baseline_named => {
            Ok(Reference { baseline: Baseline::new(name), reason: Some(reason), notice })
        }
        Stored::Absent | Stored::Foreign => {
            Ok(Reference { baseline: foreign_baseline(&settings.root, path, name, names)?, reason: None, notice })
        }
    }
}

/// A baseline of another kind that is no file here, but a text.
fn foreign_text(text: &str, path: &str, suite: &str, names: &Names) -> anyhow::Result<Baseline> {
    let folder = tempfile::tempdir()?;
    let name = Path::new(path).file_name().map_or_else(|| "baseline".into(), |name| name.to_string_lossy());
    files::write(&folder.path().join(&*name), text.as_bytes())?;
    foreign_baseline(folder.path(), &name, suite, names)
}

/// Any results as a baseline: one run each.
pub fn foreign_baseline(root: &Path, path: &str, suite: &str, names: &Names) -> anyhow::Result<Baseline> {
    let results = results(root, &[path.to_owned()], &[], names, None)?;
    let mut baseline = Baseline::new(suite);
    for run in &results.runs {
        baseline.add(run, BaselineOrigin { id: run.files.join("+"), ..BaselineOrigin::default() });
    }
    Ok(baseline)
}

/// Rules that never decide, and rules that speak about no endpoint.
fn about_rules(settings: &Settings<'_>, measured: &[Measured<'_>]) -> Vec<Notice> {
    let mut labels: Vec<String> = measured
        .iter()
        .flat_map(|suite| {
            let now = suite.runs.iter().flat_map(|run| &run.endpoints).map(crate::run::Endpoint::label);
            let before = suite.baseline.runs.iter().flat_map(|run| run.endpoints.keys().cloned());
            now.chain(before)
        })
        .collect();
    labels.sort_unstable();
    labels.dedup();
    let mut notices = config::shadowed(&settings.policy);
    notices.extend(config::unmatched(&settings.policy, &labels));
    notices
}
