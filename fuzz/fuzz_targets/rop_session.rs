//! See the oracle `rop_session`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::rop_session(data));
