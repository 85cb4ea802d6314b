//! See the oracle `sync_stream`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::sync_stream(data));
