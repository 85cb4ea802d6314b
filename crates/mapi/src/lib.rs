//! MAPI: one vocabulary for client and server.
//!
//! Property tags, types, values and named properties ([`prop`]); error codes ([`MapiCode`]); identifiers
//! ([`id`]); ROP requests and responses ([`rop`]); MAPI/HTTP bodies and RPC_HEADER_EXT ([`http`]);
//! FastTransfer streams and Incremental Change Synchronization ([`ics`]); the traits of a message store
//! ([`store`]).
//!
//! Invariants: no socket, file, thread, clock or random source; decoders bound memory and depth and never panic;
//! nothing here knows SQLite, HTTP servers or Maildirs.

pub mod code;
pub mod http;
pub mod ics;
pub mod id;
pub mod notification;
pub mod nspi;
pub mod prop;
pub mod restriction;
pub mod rop;
pub mod store;

pub use code::MapiCode;
pub use id::{Fid, GlobCnt, GlobalId, Mid, ReplId};
pub use prop::{PropId, PropName, PropTag, PropType, PropValue};
