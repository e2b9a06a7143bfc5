#![no_main]

const TOOLS: &[&str] = &["JMeter", "Taurus", "JUnit"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadgate_fuzz::parse(TOOLS, data));
