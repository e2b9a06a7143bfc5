#![no_main]

const TOOLS: &[&str] = &["loadgate", "any tool", "github-action-benchmark", "Bencher"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadgate_fuzz::parse(TOOLS, data));
