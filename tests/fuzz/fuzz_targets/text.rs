#![no_main]

const TOOLS: &[&str] = &["ApacheBench", "hey", "wrk", "wrk2", "siege", "drill", "h2load", "loadtest", "molotov"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadgate_fuzz::parse(TOOLS, data));
