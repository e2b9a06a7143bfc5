//! Simulated load tests: the same bytes for the same seed.

use std::fs;
use std::path::Path;

use clap::Parser as _;
use loadgate::cli::{Cli, Command};
use loadgate::commands;
use loadgate::config::Config;

/// `loadgate simulate` with these further arguments; what it says.
fn simulate(seed: u64, out: &Path, more: &[&str]) -> String {
    let seed = seed.to_string();
    let words = ["loadgate", "simulate", "--seed", &seed, "-o", out.to_str().unwrap()];
    let cli = Cli::try_parse_from(words.into_iter().chain(more.iter().copied())).unwrap();
    let Command::Simulate(arguments) = cli.command else { panic!("simulate") };
    commands::simulate::simulate(&arguments, &Config::default()).unwrap().stdout
}

fn write(seed: u64, out: &Path) -> String {
    let more = ["--seconds", "60", "--users", "10", "--degrade", "api_gateway:latency*1.3,error+1pp", "--k6", "--jtl"];
    simulate(seed, out, &more)
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
    let said = write(42, &a);
    assert_eq!(said, write(42, &b));
    assert!(said.contains("api_gateway: latency x 1.3, error rate + 1 pp"), "{said}");
    write(43, &c);
    let mut names: Vec<_> = fs::read_dir(&a).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.len(), 5);
    for name in names {
        let read = |folder: &Path| fs::read(folder.join(&name)).unwrap();
        assert_eq!(read(&a), read(&b), "{name:?}");
        // The failures file holds nothing but a count, which two seeds may share; which requests failed is held below.
        if name != "simulated_failures.csv" {
            assert_ne!(read(&a), read(&c), "{name:?}");
        }
    }
    let failed = |folder: &Path| -> Vec<bool> {
        let text = fs::read_to_string(folder.join("simulated.jtl")).unwrap();
        text.lines().filter(|line| line.contains(",api_gateway,")).map(|line| line.contains(",false,")).collect()
    };
    assert_eq!(failed(&a).iter().filter(|failed| **failed).count(), 45);
    assert!(failed(&a).iter().zip(&failed(&c)).any(|(a, c)| a != c), "the same requests fail for both seeds");
    for line in fs::read_to_string(a.join("simulated.k6.json")).unwrap().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn services_profiles_and_sizes_are_options() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let service = "POST /checkout:rate=20,median=120ms,errors=5%";
    simulate(1, out, &["--service", service, "--profile", "progressive", "--scale", "0.1"]);
    let stats = fs::read_to_string(out.join("simulated_stats.csv")).unwrap();
    assert!(stats.lines().nth(1).unwrap().starts_with("POST,/checkout,"), "{stats}");
    let history = fs::read_to_string(out.join("simulated_stats_history.csv")).unwrap();
    let users: Vec<&str> = history.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!((users[0], users[89], users.len()), ("10", "100", 90));
    simulate(1, out, &["--bytes", "300kB", "--jtl"]);
    let size = fs::metadata(out.join("simulated.jtl")).unwrap().len();
    assert!((300_000..301_000).contains(&size), "{size}");
}
