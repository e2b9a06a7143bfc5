#![no_main]

const TOOLS: &[&str] = &["k6"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadgate_fuzz::parse(TOOLS, data));
