//! Broken and malicious input of every kind we read, made by a seeded mutator: an error with a reason or a sound result,
//! never a panic, never slow. [I/O]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use loadgate::artifact::discover::discover;
use loadgate::baseline::{Baseline, Origin, store};
use loadgate::config::Config;
use loadgate::format::read::read;
use loadgate::github::context::Context;

use crate::files::{below, fixtures};

/// Broken copies of each file.
const COPIES: u64 = 8;

/// A longer hunt without building anything else: `LOADGATE_COPIES=100000 LOADGATE_FIXTURES=k6` (a folder of the fixtures).
fn wanted() -> (u64, PathBuf) {
    let text = |name| std::env::var(name).unwrap_or_default();
    (text("LOADGATE_COPIES").parse().unwrap_or(COPIES), fixtures().join(text("LOADGATE_FIXTURES")))
}

/// Far above what a healthy reader needs for a fixture, also on a busy machine and without optimisation.
const SLOW: Duration = Duration::from_secs(10);

/// Same seed, same bytes: the sequence of `SplitMix64`, which every machine computes alike.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap()
    }
}

/// What stands for a value in attacks and accidents.
const EVIL: [&[u8]; 24] = [
    b"",
    b"-1",
    b"0",
    b"NaN",
    b"Infinity",
    b"1e308",
    b"-1e308",
    b"1e-320",
    b"18446744073709551616",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9999-12-31T23:59:59Z",
    b"0000-00-00",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"",
    b"\0",
    b"\xff\xfe",
    b"\xe2\x80\xae",
    b"\r\n\r\n",
    b"${{ secrets.X }}",
    b"../../../../etc/passwd",
];

/// One to four changes to the bytes.
pub(crate) fn broken(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(9) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again.repeat(1 + random.below(50)));
            }
            3 => bytes.insert(at, random.next() as u8),
            4 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            5 => bytes.splice(at..at, b"[{".repeat(200 * (1 + random.below(20)))).for_each(drop),
            6 => bytes.splice(at..at, b"name".repeat(random.below(50_000))).for_each(drop),
            // A whole value, which is where numbers and names stand.
            _ => {
                let value = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-+".contains(byte);
                let start = bytes[..at].iter().rposition(|byte| !value(byte)).map_or(0, |start| start + 1);
                let stop = bytes[at..].iter().position(|byte| !value(byte)).map_or(bytes.len(), |stop| at + stop);
                bytes.splice(start..stop, EVIL[random.below(EVIL.len())].iter().copied());
            }
        }
    }
    bytes
}

/// Broken copies of `original`, each with the number that makes it again.
fn copies(original: &[u8], count: u64) -> impl Iterator<Item = (u64, Vec<u8>)> {
    (0..count).map(move |seed| (seed, broken(original, &mut Random(seed ^ (original.len() as u64) << 32))))
}

/// Runs `work`, and fails if it takes too long; a panic fails the test by itself, after the name was printed.
#[expect(clippy::print_stdout, reason = "shown only if the test fails: which copy it was")]
fn quickly<T>(name: &str, seed: u64, work: impl FnOnce() -> T) -> T {
    println!("{name}, copy {seed}");
    let start = Instant::now();
    let done = work();
    assert!(start.elapsed() < SLOW, "{name}, copy {seed}: took {:?}", start.elapsed());
    done
}

/// The files below the folder that are small enough to be broken many times.
pub(crate) fn small(folder: &Path) -> Vec<PathBuf> {
    let mut files = below(folder);
    files.retain(|path| fs::metadata(path).unwrap().len() < 200_000);
    files
}

#[test]
fn broken_artifacts_are_told_or_read() {
    let (count, within) = wanted();
    let files = small(&within);
    let folder = tempfile::tempdir().unwrap();
    let mut told = 0;
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        for (seed, bytes) in copies(&fs::read(file).unwrap(), count) {
            fs::write(folder.path().join(name), bytes).unwrap();
            let read = quickly(&file.display().to_string(), seed, || {
                let artifacts = discover(folder.path(), &[name.to_owned()]).unwrap();
                read(&artifacts, &[])
            });
            match read {
                Err(error) => {
                    told += 1;
                    assert!(error.to_string().contains(name), "{name}, copy {seed}: {error} names no file");
                }
                Ok(reading) => {
                    for run in &reading.runs {
                        assert!(run.endpoints.iter().all(|endpoint| {
                            endpoint
                                .failures
                                .zip(endpoint.requests)
                                .is_none_or(|(failures, requests)| failures <= requests)
                        }));
                    }
                }
            }
            fs::remove_file(folder.path().join(name)).unwrap();
        }
    }
    assert!(told > files.len(), "the mutator breaks files");
}

#[test]
fn broken_configs_are_told_or_read() {
    let original = fs::read(fixtures().join("config/every-key.yml")).unwrap();
    let random = &mut Random(7);
    for seed in 0..COPIES * 8 {
        let bytes = broken(&original, random);
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = quickly("config", seed, || Config::parse(&text, "loadgate.yml")) {
            assert!(error.to_string().contains("\nhint: "), "{error}");
        }
    }
}

#[test]
fn broken_baselines_are_told_or_read() {
    let artifacts = discover(&fixtures().join("seed"), &["load_results_api_progressive_*.csv".to_owned()]).unwrap();
    let run = read(&artifacts, &[]).unwrap().runs.remove(0);
    let mut baseline = Baseline::new("api");
    for id in ["a", "b"] {
        baseline
            .add(&run, Origin { id: id.to_owned(), time: "2026-11-24T12:00:00Z".parse().ok(), ..Origin::default() });
    }
    let random = &mut Random(11);
    for seed in 0..COPIES * 4 {
        let bytes = broken(store::to_text(&baseline).as_bytes(), random);
        let text = String::from_utf8_lossy(&bytes);
        match quickly("baseline", seed, || store::parse(&text, "api.json")) {
            Err(error) => assert!(error.to_string().starts_with("api.json:"), "{error}"),
            Ok(store::Stored::Baseline(read)) => {
                // What was read can be written and read again.
                let again = store::parse(&store::to_text(&read), "api.json").unwrap();
                assert!(matches!(again, store::Stored::Baseline(_)), "copy {seed}");
            }
            Ok(_) => {}
        }
    }
}

#[test]
fn broken_events_are_read_as_far_as_they_go() {
    const EVENT: &str = r#"{"action":"opened","number":7,"pull_request":{"number":7,"head":{"sha":"aaaa","repo":{"full_name":"fork/shop","fork":true}},"base":{"sha":"bbbb","ref":"main","repo":{"full_name":"octo/shop"}},"labels":[{"name":"x"}]},"repository":{"full_name":"octo/shop","default_branch":"main"},"workflow_run":{"id":1,"head_sha":"aaaa","head_branch":"x","event":"pull_request","pull_requests":[]}}"#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("event.json");
    let random = &mut Random(13);
    for seed in 0..COPIES * 4 {
        fs::write(&path, broken(EVENT.as_bytes(), random)).unwrap();
        for event in ["pull_request", "workflow_run", "merge_group", "schedule"] {
            let vars: BTreeMap<String, String> = [
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_EVENT_NAME", event),
                ("GITHUB_EVENT_PATH", path.to_str().unwrap()),
                ("GITHUB_RUN_ID", "18446744073709551616"),
            ]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
            let context = quickly(event, seed, || Context::read(&vars));
            assert!(context.in_actions);
        }
    }
}
