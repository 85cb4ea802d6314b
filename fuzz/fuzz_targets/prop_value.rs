//! See the oracle `prop_value`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::prop_value(data));
