//! DCE/RPC without I/O: C706 (the Open Group's DCE 1.1: RPC) and [MS-RPCE].
//!
//! Invariants: no socket, file, thread, clock or random source: time, randomness and identity are arguments. Nothing is
//! allocated from a length before that length was checked; every decoder has a bound in size and depth.

extern crate self as watertight_dcerpc;

pub mod binding;
pub mod client;
mod fault;
mod fragment;
pub mod interface;
pub mod ndr;
pub mod pdu;
pub mod security;
pub mod server;
pub mod tower;

pub use fault::FaultStatus;
pub use watertight_wire::{Guid, WireError, WireErrorKind};
