#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jumpgate::control::wire::fuzz(data));
