//! See the oracle `folder_name`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::folder_name(data));
