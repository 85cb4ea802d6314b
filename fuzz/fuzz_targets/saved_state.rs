//! See the oracle `saved_state`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::saved_state(data));
