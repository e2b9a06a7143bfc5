//! What every target does: broken results are a run or an error, never a panic, and a run that was read is sound.

use std::fs;
use std::path::Path;

use loadgate::artifact::Head;
use loadgate::artifact::discover::discover;
use loadgate::format::blocks::Blocks;
use loadgate::format::{Confidence, FORMATS, Format, Source};
use loadgate::run::Run;
use loadgate::run::recorder::Recorder;

/// The name every artifact has.
const NAME: &str = "folder/artifact.txt";

/// Read by those formats of `tools` that recognise it; what none does, by the one that its length chooses.
pub fn parse(tools: &[&str], data: &[u8]) {
    let head = Head::new(NAME, data.iter().take(Head::LEN).copied().collect(), data.len() < Head::LEN);
    let family: Vec<&Format> = FORMATS.iter().filter(|format| tools.contains(&format.tool)).copied().collect();
    let mut claimed = false;
    for format in family.iter().filter(|format| (format.sniff)(&head) > Confidence::No) {
        claimed = true;
        parse_as(format, data);
    }
    if !claimed {
        parse_as(family[data.len() % family.len()], data);
    }
}

/// Record by record, in blocks shorter than most records, and in one block. What was read before an error has to be sound
/// too.
fn parse_as(format: &Format, data: &[u8]) {
    for blocks in [None, Some(Blocks { size: 64, threads: 1 }), Some(Blocks { size: 1 << 17, threads: 1 })] {
        let mut recorder = Recorder::new();
        let mut reader = data;
        let _ = (format.parse)(&mut Source { name: NAME, reader: &mut reader, blocks }, &mut recorder);
        if let Ok(run) = recorder.finish() {
            sound(&run);
        }
    }
}

/// As a file that was found: zip, gzip, encodings, recognition by all formats, and what it is read as.
pub fn read(data: &[u8]) {
    let folder = std::env::temp_dir().join(format!("loadgate-fuzz-{}", std::process::id()));
    fs::create_dir_all(folder.join("folder")).expect("a folder for temporary files");
    fs::write(folder.join(NAME), data).expect("a temporary file");
    let Ok(artifacts) = discover(Path::new(&folder), &[NAME.to_owned()]) else { return };
    if let Ok(reading) = loadgate::format::read::read(&artifacts, &[]) {
        reading.runs.iter().for_each(sound);
    }
}

/// Counts agree, and the run can be written and read back.
fn sound(run: &Run) {
    for endpoint in run.endpoints.iter().chain(&run.total) {
        if let (Some(requests), Some(failures)) = (endpoint.requests, endpoint.failures) {
            assert!(failures <= requests, "{}: {failures} of {requests} failed", endpoint.label());
        }
        assert!(endpoint.error_rate().is_none_or(|rate| (0.0..=1.0).contains(&rate)), "{}", endpoint.label());
    }
    let text = serde_json::to_string(run).expect("a run can be written");
    let again: Run = serde_json::from_str(&text).expect("and read");
    assert_eq!(again.endpoints.len(), run.endpoints.len());
}
