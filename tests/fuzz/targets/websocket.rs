#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jumpgate::http::websocket::fuzz(data));
