//! See the oracle `rpc_header_ext`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| watertight_fuzz::rpc_header_ext(data));
