//! See the oracle `auxiliary`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::auxiliary(data));
