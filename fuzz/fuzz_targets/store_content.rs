//! See the oracle `store_content`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::store_content(data));
