#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jumpgate::update::write::kept::fuzz(data));
