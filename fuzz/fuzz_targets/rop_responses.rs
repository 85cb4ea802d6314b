//! See the oracle `rop_responses`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::rop_responses(data));
