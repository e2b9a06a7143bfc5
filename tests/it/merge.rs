//! Shards of one run: added exactly, in any order, and refused where they are none.

use loadgate::commands::merge::merge;
use loadgate::run::combine::add;
use loadgate::run::recorder::Recorder;
use loadgate::run::{Notice, Run, RunFile, Shards};
use proptest::prelude::*;

use super::cli::Workspace;

/// Simulates into a folder of the workspace.
fn simulate(workspace: &Workspace, out: &str, more: &str) {
    let ran = workspace.run(&format!("simulate --seed 7 --users 10 --run-file -o {out} {more}"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

fn shards(of: u32, more: &str) -> Workspace {
    let workspace = Workspace::new();
    for index in 1..=of {
        simulate(&workspace, &index.to_string(), &format!("--shard {index}/{of} {more}"));
    }
    workspace
}

#[test]
fn four_shards_of_a_simulated_run_are_the_run_to_the_byte() {
    let workspace = shards(4, "");
    simulate(&workspace, "whole", "");
    let merge = |files: &str| workspace.run(&format!("merge --expect 4 -o merged.run.json {files}"));
    let ran = merge("3/simulated.run.json 1/simulated.run.json 4/simulated.run.json 2/simulated.run.json");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(workspace.read("merged.run.json"), workspace.read("whole/simulated.run.json"));
    // What was merged is read like any other result.
    assert_eq!(workspace.run("inspect merged.run.json").code, 0);

    let ran = merge("3/simulated.run.json 1/simulated.run.json");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("shards 2, 4 of 4 are missing"), "{}", ran.stderr);
    assert_eq!(workspace.json("merged.run.json")["complete"], false);

    workspace.write("again.run.json", workspace.read("1/simulated.run.json"));
    let ran = merge("1/simulated.run.json again.run.json");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("shard 1 is there twice"), "{}", ran.stderr);
}

#[test]
fn summaries_lose_their_percentiles_and_say_so() {
    let workspace = shards(2, "--seconds 20");
    let ran = workspace.run("merge --expect 3 -o merged.run.json 1/simulated_stats.csv 2/simulated_stats.csv");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("percentiles of api_gateway and 2 more are unknown"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 of 3 shards are missing"), "{}", ran.stderr);
    assert!(!workspace.read("merged.run.json").contains("latency_p95"));
}

#[test]
fn files_of_different_tests_are_no_shards() {
    let run = |profile: &str| Run {
        load: loadgate::run::Load { profile: Some(profile.to_owned()), ..Default::default() },
        ..Run::default()
    };
    let error = merge(&[run("baseline"), run("progressive")], None).unwrap_err().to_string();
    assert!(error.starts_with("these are no shards of one run: profile `baseline`"), "{error}");
}

/// What a shard may hold: a start, a length, and requests by endpoint.
fn shard() -> impl Strategy<Value = Run> {
    let request = (0_usize..4, 1_u64..1 << 40, any::<bool>());
    let facts = (0_u64..100_000, 1_u64..100_000_000, 0_u32..50, 0_u32..4);
    (facts, prop::collection::vec(request, 0..200)).prop_map(|((start, micros, users, errors), requests)| {
        let mut recorder = Recorder::new();
        recorder.tool("Locust");
        let start_ms = 1_767_492_000_000.0 + start as f64;
        recorder.spans(start_ms, start_ms + micros as f64 / 1e3);
        recorder.duration_s(micros as f64 / 1e6);
        recorder.users(f64::from(users) / 3.0);
        recorder.target_rps(f64::from(users) / 7.0);
        recorder.complete(errors != 3);
        for (name, nanos, ok) in requests {
            let draft = recorder.endpoint(Some("GET"), ["/a", "/b", "/c", "/d"][name]);
            draft.samples().add(Some(nanos), Some(ok));
            draft.error(["x", "y", "z", "w"][errors as usize], u64::from(!ok));
        }
        recorder.notice(Notice::new("n", format!("{errors}")));
        let mut run = recorder.finish().unwrap();
        run.shards = Shards::one(errors + 1, 4);
        run.files = vec![format!("{start}.csv")];
        run
    })
}

fn bytes(run: &Run) -> String {
    serde_json::to_string(&RunFile::from(run)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn adding_is_associative_and_commutative_to_the_bit(a in shard(), b in shard(), c in shard()) {
        let pair = |x: &Run, y: &Run| add(&[x.clone(), y.clone()]);
        prop_assert_eq!(bytes(&pair(&a, &b)), bytes(&pair(&b, &a)));
        let left = pair(&pair(&a, &b), &c);
        prop_assert_eq!(bytes(&left), bytes(&pair(&a, &pair(&b, &c))));
        prop_assert_eq!(bytes(&left), bytes(&add(&[c, a, b])));
    }
}
