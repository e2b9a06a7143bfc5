#![no_main]

const TOOLS: &[&str] = &["Gatling", "Tsung", "vegeta"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadgate_fuzz::parse(TOOLS, data));
