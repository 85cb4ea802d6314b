//! See the oracle `transport_form`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::transport_form(data));
