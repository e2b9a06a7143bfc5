//! What every target does: broken results are a run or an error, never a panic, and a run that was read is sound.

use loadgate::artifact::Head;
use loadgate::format::{FORMATS, Source, detect};
use loadgate::run::Run;
use loadgate::run::recorder::Recorder;

/// The formats of `tools`, one after the other, whatever the content looks like.
pub fn parse(tools: &[&str], data: &[u8]) {
    let head = head(data);
    for format in FORMATS.iter().filter(|format| tools.contains(&format.tool)) {
        let _ = (format.sniff)(&head);
        let mut recorder = Recorder::new();
        let mut reader = data;
        // What was read before an error has to be sound too.
        let _ = (format.parse)(&mut Source { name: "folder/artifact.txt", reader: &mut reader, blocks: None }, &mut recorder);
        if let Ok(run) = recorder.finish() {
            sound(&run);
        }
    }
}

/// Recognition by all formats.
pub fn recognise(data: &[u8]) {
    let _ = detect(&head(data));
}

fn head(data: &[u8]) -> Head {
    let whole = data.len() < Head::LEN;
    Head::new("folder/artifact.txt", data.iter().take(Head::LEN).copied().collect(), whole)
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
