#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jumpgate::update::trust::fuzz(data));
