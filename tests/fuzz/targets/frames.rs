#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jumpgate::link::connection::fuzz(data));
