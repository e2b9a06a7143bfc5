//! `loadgate run`: a load test with Locust, then its judgement. [I/O]

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;

use super::{Done, World, check};
use crate::cli::{self, EngineKind};
use crate::config::{Config, Profile, Shape};
use crate::locust::command::{self, Engine, TESTED};
use crate::locust::course::course;
use crate::locust::ending::Ending;
use crate::locust::progress::Show;
use crate::locust::{self, Order};
use crate::run::Shards;
use crate::settings;

/// Exit code of a load test that did not reach its end: nobody can tell (SPEC section 3).
const CANNOT_TELL: u8 = 3;
/// Exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Runs Locust, then judges what it measured.
pub fn run(arguments: &cli::Run, world: &World<'_>) -> anyhow::Result<Done> {
    let config = settings::config(world.common)?;
    let root = std::path::absolute(settings::root(world.common))?;
    let order = order(arguments, world, &config, &root)?;
    wait(arguments.start_at);
    let show = match (world.common.quiet, std::io::stderr().is_terminal()) {
        (true, _) => Show::Nothing,
        (false, true) => Show::Bar,
        (false, false) => Show::Lines,
    };
    let outcome = locust::run(&order, show)?;
    let mut said = match outcome.ending {
        Ending::Complete => String::new(),
        Ending::Cut { ref why, .. } => format!("{why}\n"),
        Ending::Failed(failure) => return Err(failure.into()),
    };
    writeln!(said, "results in {}: {}*", arguments.out.display(), order.course.prefix)?;
    let cut = matches!(outcome.ending, Ending::Cut { .. });
    if matches!(outcome.ending, Ending::Cut { interrupted: true, .. }) {
        return Ok(Done { stderr: said, exit_code: INTERRUPTED, ..Done::default() });
    }
    if arguments.no_check {
        let exit_code = if cut { CANNOT_TELL } else { 0 };
        return Ok(Done { stderr: said, exit_code, ..Done::default() });
    }
    let events = outcome.files.iter().filter(|name| name.contains("_events_") && name.ends_with(".ndjson"));
    let judging = cli::Check {
        files: events.map(|name| arguments.out.join(name).display().to_string()).collect(),
        judging: arguments.judging.clone(),
        output: arguments.output,
        publish: arguments.publish,
        publishing: arguments.publishing.clone(),
    };
    let mut done = check::run(&judging, world)?;
    done.stderr.insert_str(0, &said);
    // A load test that broke off is no success, whatever its first half looks like.
    if cut && done.exit_code == 0 {
        done.exit_code = CANNOT_TELL;
    }
    Ok(done)
}

fn order(arguments: &cli::Run, world: &World<'_>, config: &Config, root: &Path) -> anyhow::Result<Order> {
    // A run is of one suite: the same choice as for files given to `check`.
    let suites = settings::suites(config, world.common.suite.as_deref(), &[String::new()], None)?;
    let suite = suites.into_iter().next().context("there is no suite")?.config;
    let profile = profile(arguments, config, suite.profile.as_deref())?;
    let shard = arguments
        .shard
        .as_deref()
        .map(|text| Shards::parse(text).with_context(|| format!("expected a shard such as `2/4`, found {text:?}")));
    let shard = shard.transpose()?;
    let mut course = course(&profile, arguments.scale.0, shard.as_ref())?;
    if profile.name.is_empty() {
        course.profile = None;
    }
    let now = Timestamp::now();
    let part = shard.as_ref().map_or(String::new(), |shard| {
        format!("_shard{}of{}", shard.have.first().copied().unwrap_or_default(), shard.of)
    });
    course.prefix = format!("load_results_{}_{}{part}", suite.name, now.strftime("%Y%m%d_%H%M%S"));
    let name: String =
        course.prefix.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    Ok(Order {
        engine: engine(arguments, world, format!("loadgate-{name}-{}", std::process::id()))?,
        suite: suite.name,
        out: root.join(&arguments.out),
        folder: root.to_owned(),
        locustfiles: locustfiles(arguments, root)?,
        host: arguments.host.clone(),
        tags: arguments.tags.clone(),
        processes: arguments.processes.filter(|processes| *processes != 1),
        workers: arguments.workers,
        abort_on: profile.abort_on,
        course,
    })
}

/// The profile of the option, of the suite, or `baseline`; users, spawn rate and duration change a constant one, or make one.
fn profile(arguments: &cli::Run, config: &Config, of_suite: Option<&str>) -> anyhow::Result<Profile> {
    let own = arguments.users.is_some() || arguments.spawn_rate.is_some() || arguments.duration.is_some();
    let duration = arguments.duration.map(Duration::try_from).transpose().context("--duration is negative")?;
    let Some(name) = arguments.profile.as_deref().or(of_suite.filter(|_| !own)) else {
        if !own {
            return config.profile("baseline").context("there is no profile `baseline`");
        }
        let duration =
            duration.context("--users needs --duration\nhint: `--users 10 --duration 2m`, or a --profile")?;
        let users = arguments.users.unwrap_or(1);
        let shape = Shape::Constant { users, spawn_rate: arguments.spawn_rate.map(|rate| rate.0), duration };
        return Ok(Profile { name: String::new(), shape, warm_up: Duration::ZERO, abort_on: None });
    };
    let mut profile = config.profile(name).with_context(|| {
        let own: Vec<&str> = config.profiles.iter().map(|profile| profile.name.as_str()).collect();
        let known = crate::config::BUILT_IN.into_iter().chain(own).collect::<Vec<_>>().join(", ");
        format!("there is no profile `{name}`\nhint: there are {known}")
    })?;
    match &mut profile.shape {
        Shape::Constant { users, spawn_rate, duration: length } => {
            *users = arguments.users.unwrap_or(*users);
            *spawn_rate = arguments.spawn_rate.map(|rate| rate.0).or(*spawn_rate);
            *length = duration.unwrap_or(*length);
        }
        Shape::Stages(_) => ensure!(
            !own,
            "profile `{name}` has stages; --users, --spawn-rate and --duration describe a constant load\nhint: --scale changes its times"
        ),
    }
    Ok(profile)
}

fn locustfiles(arguments: &cli::Run, root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let named = if arguments.locustfile.is_empty() {
        vec![PathBuf::from("locustfile.py")]
    } else {
        arguments.locustfile.clone()
    };
    let mut files = Vec::new();
    for name in named {
        let path = root.join(&name);
        if !path.exists() {
            bail!("{}: no such locustfile\nhint: name the load test with --locustfile FILE", name.display());
        }
        // Locust takes a list with commas.
        ensure!(!path.to_string_lossy().contains(','), "{}: Locust cannot read a path with a comma", path.display());
        files.push(path);
    }
    Ok(files)
}

fn engine(arguments: &cli::Run, world: &World<'_>, name: String) -> anyhow::Result<Engine> {
    let told = |name: &str| world.vars.get(name).filter(|value| !value.trim().is_empty());
    if arguments.engine == EngineKind::Docker {
        let docker = told("LOADGATE_DOCKER").cloned().unwrap_or_else(|| "docker".to_owned());
        return Ok(Engine::Docker { docker, image: arguments.image.clone(), env: arguments.env.clone(), name });
    }
    let locust = match told("LOADGATE_LOCUST") {
        Some(words) => {
            shlex::split(words).filter(|words| !words.is_empty()).context("LOADGATE_LOCUST has an open quote")?
        }
        None => command::find_locust().with_context(|| {
            format!("there is no Locust on this machine\nhint: `pip install locust=={TESTED}`, or `--engine docker`")
        })?,
    };
    Ok(Engine::Host { locust })
}

/// Shards of one run start together.
fn wait(until: Option<Timestamp>) {
    let left = until.and_then(|until| Duration::try_from(until.duration_since(Timestamp::now())).ok());
    if let Some(left) = left {
        std::thread::sleep(left);
    }
}
