//! See the oracle `entry_id`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::entry_id(data));
