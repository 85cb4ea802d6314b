//! See the oracle `http_headers`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::http_headers(data));
