#![no_main]

const TOOLS: &[&str] = &["Artillery", "autocannon", "Fortio", "ghz", "oha", "rlt", "Goose", "NBomber"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadgate_fuzz::parse(TOOLS, data));
