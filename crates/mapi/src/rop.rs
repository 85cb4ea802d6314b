//! Remote operations (ROPs) — [MS-OXCROPS]: requests, responses, and the buffers that carry them.
//!
//! A payload of Execute is a [`RopBuffer`]: ROPs one after another, then a table of handles to which the ROPs refer
//! by index. [`Request::read`] takes one ROP at a time; what answers it is read by [`Response::read`] with the request
//! beside it, because some layouts depend on what was asked (columns, mainly).
//!
//! One file for each group of [MS-OXCROPS] 2.2.

mod answer;
mod buffer;
#[cfg(test)]
mod captured;
pub mod entry_id;
pub mod field;
pub mod folder;
pub mod logon;
pub mod message;
pub mod notification;
pub mod property;
pub mod recipient;
pub mod rule;
pub mod stream;
pub mod sync;
pub mod table;
mod table_of_rops;
pub mod transfer;
pub mod transport;

pub use answer::{Context, Response, ResponseFields, RopResponse};
pub use buffer::{INVALID_HANDLE, RopBuffer, read_requests, read_responses};
pub use table_of_rops::{Request, RequestBody, ResponseBody, RopId};
