//! What the inner parts cost: `cargo bench --bench parts`. Whole processes are measured by `benches/peers.py`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and may fail loudly")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use loadgate::format::blocks::Blocks;
use loadgate::format::{Source, by_id};
use loadgate::run::histogram::Histogram;
use loadgate::run::recorder::Recorder;
use loadgate::run::tally::Tally;

/// Best of several turns, in ns for each of `count` things.
fn time(what: &str, count: usize, mut turn: impl FnMut()) {
    let best = (0..7).map(|_| {
        let began = Instant::now();
        turn();
        began.elapsed().as_secs_f64() * 1e9 / count as f64
    });
    println!("{what:44} {:8.1} ns", best.fold(f64::INFINITY, f64::min));
}

/// Long-tailed latencies in ns, the same every time.
fn latencies(count: usize) -> Vec<u64> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..count)
        .map(|_| 4_000_000 + next() % 50_000_000 + if next() % 200 == 0 { next() % 4_000_000_000 } else { 0 })
        .collect()
}

fn main() {
    let values = latencies(1_000_000);
    time("record a latency", values.len(), || {
        let mut histogram = Histogram::default();
        for value in &values {
            histogram.record(*value);
        }
        black_box(histogram);
    });
    let names: Vec<String> = (0..20).map(|n| format!("GET /api/v1/orders/{n}/{{id}}")).collect();
    for kinds in [20, 1_000] {
        let names: Vec<String> = (0..kinds).map(|n| format!("GET /api/v1/orders/{n}/{{id}}")).collect();
        time(&format!("find an endpoint among {kinds} and count"), values.len(), || {
            let mut tally = Tally::default();
            for (name, value) in names.iter().cycle().zip(&values) {
                tally.samples(name.as_bytes(), || Some((None, name.into()))).unwrap().add(Some(*value), Some(true));
            }
            black_box(tally);
        });
    }
    let mut jtl = "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes,sentBytes,grpThreads,allThreads,URL,Latency,IdleTime,Connect\n".to_owned();
    let mut hey =
        "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n".to_owned();
    for (n, (name, value)) in names.iter().cycle().zip(values.iter().take(200_000)).enumerate() {
        let ms = value / 1_000_000;
        let start = 1_767_225_600_000 + n;
        writeln!(
            jtl,
            "{start},{ms},{name},200,OK,Users 1-7,text,true,,1234,380,200,200,https://shop.example.test/{n},{ms},0,0"
        )
        .unwrap();
        writeln!(hey, "0.{:04},0.0001,0.0000,0.0000,0.0087,0.0002,200,0.{n:06}", ms % 10_000).unwrap();
    }
    for (id, text) in [("jmeter-csv", &jtl), ("hey-csv", &hey)] {
        let ways = [("in blocks", Some(Blocks { size: 1 << 20, threads: 1 })), ("row by row", None)];
        for (way, blocks) in ways {
            time(&format!("a row of {id}, {way}"), 200_000, || {
                let mut recorder = Recorder::new();
                let mut reader = text.as_bytes();
                let format = by_id(id).unwrap();
                (format.parse)(&mut Source { name: "x", reader: &mut reader, blocks }, &mut recorder).unwrap();
                black_box(recorder.finish().unwrap());
            });
        }
    }
}
