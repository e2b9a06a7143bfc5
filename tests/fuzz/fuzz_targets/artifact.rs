#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadgate_fuzz::read(data));
