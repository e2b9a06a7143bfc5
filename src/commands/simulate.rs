//! `loadgate simulate`: writes the artifacts of a load test that nobody had to run. [I/O]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::Context as _;
use jiff::Timestamp;

use super::Done;
use crate::cli;
use crate::config::Config;
use crate::files;
use crate::format::Course;
use crate::locust::course::course;
use crate::run::recorder::{Recorder, Samples};
use crate::run::{Run, RunFile, Shards};
use crate::simulate::{Degrade, Plan, SERVICES, Service, requests, write};

/// Simulated runs begin here, on a Sunday at 02:00 UTC: a clock would change the bytes.
const START_S: i64 = 1_767_492_000;

/// Writes the files and says what effect was put in.
pub fn simulate(arguments: &cli::Simulate, config: &Config) -> anyhow::Result<Done> {
    let shard = arguments
        .shard
        .as_deref()
        .map(|text| Shards::parse(text).with_context(|| format!("expected a shard such as `2/4`, found {text:?}")));
    let shard = shard.transpose()?;
    let plan = plan(arguments, config)?;
    let wanted_bytes = arguments.bytes.as_deref().map(bytes).transpose()?;
    anyhow::ensure!(
        wanted_bytes.is_none() || arguments.k6 || arguments.jtl,
        "--bytes counts the bytes of k6 points or a JTL, and neither is written\nhint: add --k6 or --jtl"
    );
    files::create_folder(&arguments.out).with_context(|| format!("cannot create {}", arguments.out.display()))?;
    let mut written = Written::begin(arguments, &plan, shard.as_ref())?;
    let (mut count, mut last_ns) = (0_u64, 0);
    for request in requests(&plan) {
        count += 1;
        last_ns = request.at_ns;
        // Every shard draws the whole run and keeps its part, so that all parts together are the run.
        if shard.as_ref().is_none_or(|shard| shard.have.contains(&((count % u64::from(shard.of)) as u32 + 1))) {
            written.add(&plan, &request)?;
        }
        if wanted_bytes.is_some_and(|wanted| written.bytes() >= wanted) {
            break;
        }
    }
    anyhow::ensure!(count > 0, "this plan makes no request\nhint: give --seconds or --requests above 0");
    let timed = plan.requests.is_none() && wanted_bytes.is_none();
    let seconds = if timed { f64::from(plan.seconds()) } else { last_ns as f64 / 1e9 };
    written.finish(arguments, &plan, seconds)?;
    Ok(Done::printed(effect(&plan, count)?))
}

fn plan(arguments: &cli::Simulate, config: &Config) -> anyhow::Result<Plan> {
    let mut services = arguments.service.iter().map(|text| Service::parse(text)).collect::<Result<Vec<_>, _>>()?;
    if services.is_empty() {
        services = SERVICES.to_vec();
    }
    let degrade =
        arguments.degrade.iter().map(|text| Degrade::parse(text, &services)).collect::<Result<Vec<_>, _>>()?;
    let load = match &arguments.profile {
        Some(name) => {
            let profile = config.profile(name).with_context(|| format!("there is no profile {name:?}"))?;
            let Course { stages, .. } = course(&profile, arguments.scale.0, None)?;
            stages.iter().map(|leg| (leg.end, leg.users)).collect()
        }
        None => vec![(arguments.seconds, arguments.users)],
    };
    let endless = arguments.bytes.as_ref().map(|_| u64::MAX);
    Ok(Plan {
        seed: arguments.seed,
        services,
        load,
        requests: arguments.requests.or(endless),
        noise: arguments.noise.0,
        warm_up_s: arguments.warm_up,
        burst_share: arguments.bursts.0,
        degrade,
    })
}

/// The files while they grow.
struct Written {
    locust: write::Locust<BufWriter<File>>,
    jtl: Option<Counted>,
    k6: Option<Counted>,
    samples: Vec<Samples>,
    shard: Option<Shards>,
    start: Timestamp,
}

impl Written {
    fn begin(arguments: &cli::Simulate, plan: &Plan, shard: Option<&Shards>) -> anyhow::Result<Self> {
        let start = Timestamp::from_second(START_S)?;
        let history = create(arguments, "simulated_stats_history.csv")?;
        let users = own_users(plan.users(0), shard);
        let mut jtl = arguments.jtl.then(|| create(arguments, "simulated.jtl").map(Counted::new)).transpose()?;
        if let Some(out) = &mut jtl {
            write::jtl_header(out)?;
        }
        Ok(Self {
            locust: write::Locust::new(history, &plan.services, users, start)?,
            jtl,
            k6: arguments.k6.then(|| create(arguments, "simulated.k6.json").map(Counted::new)).transpose()?,
            samples: plan.services.iter().map(|_| Samples::new()).collect(),
            shard: shard.cloned(),
            start,
        })
    }

    fn add(&mut self, plan: &Plan, request: &crate::simulate::Request) -> anyhow::Result<()> {
        let users = own_users(plan.users(request.at_ns), self.shard.as_ref());
        self.locust.add(request, users)?;
        let service = plan.services.get(request.service).context("a request of no service")?;
        if let Some(out) = &mut self.jtl {
            write::jtl(out, request, service, self.start, users)?;
        }
        if let Some(out) = &mut self.k6 {
            write::k6(out, request, service, self.start)?;
        }
        if let Some(samples) = self.samples.get_mut(request.service) {
            samples.add(Some(request.latency_ns), Some(!request.failed));
        }
        Ok(())
    }

    /// Of the largest stream.
    fn bytes(&self) -> u64 {
        self.jtl.iter().chain(&self.k6).map(|out| out.bytes).max().unwrap_or_default()
    }

    fn finish(mut self, arguments: &cli::Simulate, plan: &Plan, seconds: f64) -> anyhow::Result<()> {
        for out in [&mut self.jtl, &mut self.k6].into_iter().flatten() {
            out.flush()?;
        }
        if arguments.run_file {
            let run = run(plan, &self.samples, self.shard.clone(), self.start, seconds)?;
            let path = arguments.out.join("simulated.run.json");
            files::write(&path, super::json(&RunFile::from(&run))?.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let (stats, failures) =
            (create(arguments, "simulated_stats.csv")?, create(arguments, "simulated_failures.csv")?);
        self.locust.finish(stats, failures, seconds)?;
        Ok(())
    }
}

fn create(arguments: &cli::Simulate, name: &str) -> anyhow::Result<BufWriter<File>> {
    let path = arguments.out.join(name);
    File::create(&path).map(BufWriter::new).with_context(|| format!("cannot write {}", path.display()))
}

/// A shard's share of the users, the remainder going to the first ones.
fn own_users(users: u32, shard: Option<&Shards>) -> u32 {
    let Some(shard) = shard else { return users };
    let index = shard.have.first().copied().unwrap_or(1);
    users / shard.of + u32::from(index <= users % shard.of)
}

/// The run in our own words, with its distributions.
fn run(plan: &Plan, all: &[Samples], shard: Option<Shards>, start: Timestamp, seconds: f64) -> anyhow::Result<Run> {
    let mut recorder = Recorder::new();
    recorder.tool("Locust");
    recorder.sample_step(0.0);
    let start_ms = start.as_millisecond() as f64;
    recorder.spans(start_ms, start_ms + seconds * 1e3);
    recorder.duration_s(seconds);
    recorder.complete(true);
    for (service, samples) in plan.services.iter().zip(all).filter(|(_, samples)| samples.requests > 0) {
        let draft = recorder.endpoint(Some(&service.method), &service.name);
        draft.error(write::ERROR, samples.failures.unwrap_or_default());
        draft.samples().merge(samples);
        recorder.total().samples().merge(samples);
    }
    let mut run = recorder.finish()?;
    run.load.users = Some(f64::from(own_users(plan.most_users(), shard.as_ref())));
    run.shards = shard;
    "simulate".clone_into(&mut run.format);
    Ok(run)
}

/// A file that knows its size.
struct Counted {
    out: BufWriter<File>,
    bytes: u64,
}

impl Counted {
    fn new(out: BufWriter<File>) -> Self {
        Self { out, bytes: 0 }
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// `500MB`, `10GB`, or plain bytes.
fn bytes(text: &str) -> anyhow::Result<u64> {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("", 1)];
    units
        .into_iter()
        .find_map(|(unit, size)| text.strip_suffix(unit)?.trim().parse::<u64>().ok()?.checked_mul(size))
        .filter(|bytes| *bytes > 0)
        .with_context(|| format!("expected a size such as `500MB` or `10GB`, found {text:?}"))
}

/// What a gate should find in this run, beside noise.
fn effect(plan: &Plan, count: u64) -> anyhow::Result<String> {
    let mut text = format!("{count} requests, seed {}\n", plan.seed);
    for degrade in &plan.degrade {
        let (latency, points) = (degrade.latency, degrade.error * 100.0);
        writeln!(text, "true effect: {}: latency x {latency}, error rate + {points} pp", degrade.endpoint)?;
    }
    if plan.degrade.is_empty() {
        text.push_str("true effect: none\n");
    }
    Ok(text)
}
