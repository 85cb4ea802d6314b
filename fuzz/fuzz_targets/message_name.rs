//! See the oracle `message_name`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::message_name(data));
