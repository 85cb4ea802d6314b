//! See the oracle `maildir_names`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::maildir_names(data));
