//! See the oracle `autodiscover`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::autodiscover(data));
