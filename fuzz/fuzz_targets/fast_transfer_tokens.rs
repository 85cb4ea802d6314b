//! See the oracle `fast_transfer_tokens`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::fast_transfer_tokens(data));
