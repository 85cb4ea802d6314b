//! libFuzzer on one of the oracles: see `watertight_fuzz::start`.
#![no_main]
libfuzzer_sys::fuzz_target!(init: watertight_fuzz::start(), |data: &[u8]| watertight_fuzz::chosen(data));
