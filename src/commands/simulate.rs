//! `loadgate simulate`: writes the artifacts of a load test that nobody had to run. [I/O]

use std::fmt::Write as _;
use std::fs::File;
use std::io::BufWriter;

use anyhow::Context as _;
use jiff::Timestamp;

use super::Done;
use crate::cli::Simulate;
use crate::files;
use crate::simulate::{Degrade, Plan, SERVICES, requests, write};

/// Simulated runs begin here, on a Sunday at 02:00 UTC: a clock would change the bytes.
const START_S: i64 = 1_767_492_000;
/// Spread between runs of one build.
const NOISE: f64 = 0.03;

/// Writes the files and says what effect was put in.
pub fn simulate(arguments: &Simulate) -> anyhow::Result<Done> {
    let degrade =
        arguments.degrade.iter().map(|text| Degrade::parse(text, &SERVICES)).collect::<Result<Vec<_>, _>>()?;
    let plan = Plan {
        seed: arguments.seed,
        services: SERVICES.to_vec(),
        seconds: arguments.seconds,
        requests: arguments.requests,
        noise: NOISE,
        degrade,
    };
    files::create_folder(&arguments.out).with_context(|| format!("cannot create {}", arguments.out.display()))?;
    let create = |name: &str| {
        let path = arguments.out.join(name);
        File::create(&path).map(BufWriter::new).with_context(|| format!("cannot write {}", path.display()))
    };
    let start = Timestamp::from_second(START_S)?;
    let mut locust =
        write::Locust::new(create("simulated_stats_history.csv")?, &plan.services, arguments.users, start)?;
    let mut jtl = arguments.jtl.then(|| create("simulated.jtl")).transpose()?;
    let mut k6 = arguments.k6.then(|| create("simulated.k6.json")).transpose()?;
    if let Some(out) = &mut jtl {
        write::jtl_header(out)?;
    }
    let (mut count, mut last_ns) = (0_u64, 0);
    for request in requests(&plan) {
        locust.add(&request)?;
        let service = plan.services.get(request.service).context("a request of no service")?;
        if let Some(out) = &mut jtl {
            write::jtl(out, &request, service, start, arguments.users)?;
        }
        if let Some(out) = &mut k6 {
            write::k6(out, &request, service, start)?;
        }
        count += 1;
        last_ns = request.at_ns;
    }
    for out in [&mut jtl, &mut k6].into_iter().flatten() {
        std::io::Write::flush(out)?;
    }
    anyhow::ensure!(count > 0, "this plan makes no request\nhint: give --seconds or --requests above 0");
    let seconds = if plan.requests.is_some() { last_ns as f64 / 1e9 } else { f64::from(plan.seconds) };
    locust.finish(create("simulated_stats.csv")?, create("simulated_failures.csv")?, seconds)?;
    Ok(Done::printed(effect(&plan, count)?))
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
