//! MAPI/HTTP server: session contexts, logons, ROPs, ICS producer.
//!
//! It knows the store only through [`watertight_mapi::store`]. [`rop`] is the ROP processor: one
//! [`rop::Session`] is owned by each session context, and dropping it releases everything that the client opened.

pub mod rop;
