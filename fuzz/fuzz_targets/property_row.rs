//! See the oracle `property_row`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::property_row(data));
