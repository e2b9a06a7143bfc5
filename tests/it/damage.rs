//! Every fixture cut at any byte, with any byte changed, re-encoded, packed or under another name: the same run, or a run or an
//! error, never a panic, and none that takes long. [I/O]
//!
//! `LOADGATE_EVERY_BYTE=8192` tries every byte of all files up to so many bytes; without it the limit keeps the tests quick.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use loadgate::artifact::discover::discover;
use loadgate::artifact::open::open;
use loadgate::artifact::{Artifact, Head};
use loadgate::format::read::{ReadError, read};
use loadgate::format::{Confidence, Detected, FORMATS, Format, Source, detect};
use loadgate::run::Run;
use loadgate::run::recorder::Recorder;

use crate::files::{self, below};

/// Files up to this size are tried at every byte, with one change per byte.
const SMALL: usize = 1 << 10;
/// Larger ones are tried at so many places, and at every one of their last bytes, where the figures of text reports stand.
const PLACES: usize = 25;
const LAST: usize = 20;
/// A larger file is cut to this before.
const LARGEST: usize = 16 << 10;
/// Far above what a healthy reader needs for a fixture, also on a busy machine and without optimisation.
const SLOW: Duration = Duration::from_secs(10);

/// What becomes of a byte, by its place.
const CHANGES: [fn(u8) -> u8; 8] =
    [|byte| byte ^ 0x01, |_| b'"', |byte| byte ^ 0x80, |_| b'\n', |_| b'9', |_| 0, |_| b'-', |byte| byte ^ 0x20];

/// One fixture with its format.
struct Fixture {
    path: PathBuf,
    format: &'static Format,
    /// As text, without gzip.
    bytes: Vec<u8>,
}

/// Every file among the fixtures that is an artifact.
fn fixtures() -> Vec<Fixture> {
    let found: Vec<Fixture> = below(&files::fixtures())
        .into_iter()
        .filter_map(|path| {
            let artifact = Artifact { name: "x".to_owned(), path: path.clone(), member: None, named: true };
            let mut opened = open(&artifact).unwrap();
            let Detected::One(format) = detect(&opened.head) else { return None };
            let mut bytes = Vec::new();
            opened.reader.read_to_end(&mut bytes).unwrap();
            Some(Fixture { path, format, bytes })
        })
        .collect();
    assert!(found.len() > 100, "the fixtures are where this test looks: {}", found.len());
    found
}

/// The smallest few of every format.
fn few() -> Vec<Fixture> {
    let mut all = fixtures();
    all.sort_by_key(|fixture| fixture.bytes.len());
    let mut times = BTreeMap::new();
    all.retain(|fixture| {
        let times = times.entry(fixture.format.id).or_insert(0);
        *times += 1;
        *times <= 3
    });
    all
}

/// What its own format makes of the bytes, under the name that a panic would be seen with.
fn parse(fixture: &Fixture, bytes: &[u8]) {
    let mut recorder = Recorder::new();
    let mut reader = bytes;
    let start = Instant::now();
    let outcome =
        (fixture.format.parse)(&mut Source { name: "a.txt", reader: &mut reader, blocks: None }, &mut recorder);
    assert!(start.elapsed() < SLOW, "{}: took {:?}", fixture.path.display(), start.elapsed());
    if let Err(error) = outcome {
        assert!(!error.message.is_empty() && error.line != Some(0), "{}: {error:?}", fixture.path.display());
    }
    let Ok(run) = recorder.finish() else { return };
    for endpoint in run.endpoints.iter().chain(&run.total) {
        let fits = endpoint.failures.zip(endpoint.requests).is_none_or(|(failures, requests)| failures <= requests);
        assert!(fits, "{}: {endpoint:?}", fixture.path.display());
    }
}

/// Up to which size every byte is tried.
fn every_byte() -> usize {
    std::env::var("LOADGATE_EVERY_BYTE").ok().and_then(|size| size.parse().ok()).unwrap_or(SMALL)
}

/// The places of a file that are tried.
fn places(length: usize, small: usize) -> impl Iterator<Item = usize> {
    let step = if length <= small { 1 } else { 1 + length / PLACES };
    (0..length).step_by(step).chain(length.saturating_sub(if step > 1 { LAST } else { 0 })..length)
}

#[expect(clippy::print_stdout, reason = "shown only if the test fails: which file and place it was")]
fn note(fixture: &Fixture, what: &str, at: usize) {
    println!("{} {what} {at}", fixture.path.display());
}

#[test]
fn cut_at_any_byte_is_a_run_or_an_error() {
    let small = every_byte();
    for fixture in fixtures() {
        let bytes = &fixture.bytes[..fixture.bytes.len().min(LARGEST)];
        for end in places(bytes.len(), small) {
            note(&fixture, "cut at", end);
            parse(&fixture, &bytes[..end]);
        }
    }
}

#[test]
fn any_byte_changed_is_a_run_or_an_error() {
    let small = every_byte();
    for fixture in fixtures() {
        let mut bytes = fixture.bytes[..fixture.bytes.len().min(LARGEST)].to_vec();
        for at in places(bytes.len(), small) {
            let byte = bytes[at];
            bytes[at] = CHANGES[at % CHANGES.len()](byte);
            note(&fixture, "changed at", at);
            parse(&fixture, &bytes);
            bytes[at] = byte;
        }
    }
}

#[test]
fn a_damaged_file_is_told_with_its_name_or_read() {
    let folder = tempfile::tempdir().unwrap();
    for fixture in few() {
        let packed = fs::read(&fixture.path).unwrap();
        let copy = folder.path().join(fixture.path.file_name().unwrap());
        for at in (0..packed.len()).step_by(1 + packed.len() / 3) {
            let mut changed = packed.clone();
            changed[at] ^= 0x01;
            for bytes in [&packed[..at], &changed] {
                fs::write(&copy, bytes).unwrap();
                if let Err(error) = read_one(&copy) {
                    assert!(error.to_string().contains(copy.to_str().unwrap()), "{error}");
                }
            }
        }
        fs::remove_file(copy).unwrap();
    }
}

fn read_one(path: &Path) -> Result<Run, ReadError> {
    let artifact =
        Artifact { name: path.to_str().unwrap().to_owned(), path: path.to_owned(), member: None, named: true };
    read(&[artifact], &[]).map(|mut reading| reading.runs.remove(0))
}

/// All that must not depend on how the file was written or packed.
fn essence(mut run: Run) -> String {
    run.files.clear();
    serde_json::to_string(&run).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn zipped(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file(format!("results/{name}"), zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(bytes).unwrap();
    archive.finish().unwrap().into_inner()
}

/// Windows writes what it redirects so.
fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    ['\u{feff}']
        .into_iter()
        .chain(text.chars())
        .flat_map(|c| c.encode_utf16(&mut [0; 2]).to_vec())
        .flat_map(unit)
        .collect()
}

/// How a text may have been written; the name says the way.
fn encodings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let crlf = text.replace("\r\n", "\n").replace('\n', "\r\n");
    vec![
        ("with a byte order mark", ["\u{feff}", text].concat().into_bytes()),
        ("in UTF-16", utf16(text, u16::to_le_bytes)),
        ("in big-endian UTF-16", utf16(text, u16::to_be_bytes)),
        ("with CR LF", crlf.clone().into_bytes()),
        ("in UTF-16 with CR LF, gzipped", gzip(&utf16(&crlf, u16::to_le_bytes))),
        ("after blank lines", ["\n\r\n", text].concat().into_bytes()),
    ]
}

/// Lines are counted anew after blank ones, and a member of a zip has a name of its own.
fn without_places(mut run: Run) -> Run {
    for notice in &mut run.notices {
        (notice.line, notice.file) = (None, None);
    }
    run
}

#[test]
fn encodings_packing_and_names_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut tried = BTreeSet::new();
    for fixture in few() {
        let name = fixture.path.file_name().unwrap().to_str().unwrap().trim_end_matches(".gz").to_owned();
        let copy = folder.path().join(&name);
        fs::write(&copy, &fixture.bytes).unwrap();
        let Ok(run) = read_one(&copy) else { continue };
        let run = without_places(run);
        tried.insert(fixture.format.id);
        let mut variants = vec![
            ("gzipped", gzip(&fixture.bytes)),
            ("gzipped in parts", {
                let (first, rest) = fixture.bytes.split_at(fixture.bytes.len() / 2);
                [gzip(first), gzip(rest)].concat()
            }),
        ];
        // Gatling's binary log has no encoding, and large files take long without telling more.
        if let (Ok(text), true) = (str::from_utf8(&fixture.bytes), fixture.bytes.len() < 60_000) {
            variants.extend(encodings(text));
        }
        for (how, bytes) in variants {
            fs::write(&copy, bytes).unwrap();
            let again = read_one(&copy).unwrap_or_else(|error| panic!("{} {how}: {error}", fixture.path.display()));
            assert_eq!(essence(without_places(again)), essence(run.clone()), "{} {how}", fixture.path.display());
        }
        fs::remove_file(&copy).unwrap();

        // The archive of a workflow's artifact, and a name that says something else.
        fs::write(folder.path().join("a.zip"), zipped(&name, &fixture.bytes)).unwrap();
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
        let wrong = folder.path().join(format!("{stem}.png"));
        fs::write(&wrong, &fixture.bytes).unwrap();
        for place in ["a.zip", wrong.to_str().unwrap()] {
            let artifacts = discover(folder.path(), &[place.to_owned()]).unwrap();
            let again = read(&artifacts, &[]).unwrap_or_else(|error| panic!("{}: {error}", fixture.path.display()));
            assert_eq!(essence(without_places(again.runs[0].clone())), essence(run.clone()), "{place}");
        }
        fs::remove_file(wrong).unwrap();
    }
    // All but those that add to others, and the one that only vegeta reads.
    let untried: Vec<&str> = FORMATS.iter().map(|format| format.id).filter(|id| !tried.contains(id)).collect();
    assert!(untried.len() < 12, "{untried:?}");
}

#[test]
fn the_head_of_any_fixture_is_recognised_the_same_way_whatever_its_name() {
    for fixture in fixtures() {
        for name in ["a.png", "jmeter.jtl"] {
            let whole = fixture.bytes.len() < Head::LEN;
            let bytes = fixture.bytes[..fixture.bytes.len().min(Head::LEN)].to_vec();
            let head = Head::new(name, bytes, whole);
            assert!((fixture.format.sniff)(&head) > Confidence::No, "{} as {name}", fixture.path.display());
        }
    }
}
