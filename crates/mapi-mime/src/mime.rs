//! MIME as it comes: header fields, the tree of parts, transfer encodings.
//!
//! The tree is cut here, at whole lines as [RFC 2046] 5.1.1 says; what the value of a field means is left to
//! `mail-parser`.

mod entity;
mod header;
mod transfer;
mod value;

pub(crate) use entity::{Entity, MAX_DEPTH, MAX_PARTS};
pub(crate) use header::{Field, Header};
pub(crate) use transfer::base64_lenient;
pub(crate) use value::{Address, MediaType, addresses, date, ids, text};
