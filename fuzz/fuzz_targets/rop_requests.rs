//! See the oracle `rop_requests`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::rop_requests(data));
