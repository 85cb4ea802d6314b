//! What RopFastTransferSourceGetBuffer gives: the producer of FastTransfer streams — [MS-OXCFXICS] 3.2.5.
//!
//! A [`Source`] is the server object behind RopSynchronizationConfigure, RopSynchronizationGetTransferState and
//! RopFastTransferSourceCopy*: owned by its handle, dropped with it, counted on the ledger. It holds one message at a
//! time, of which values above 64 KiB pass through in pieces of 32 KiB, and never more than that and one buffer of
//! the stream.

mod contents;
mod copy;
mod filter;
mod flags;
mod hierarchy;
mod object;
mod output;
mod source;
mod text;
mod upload;

pub use flags::{CopyFlags, ExtraFlags, SendOptions, SyncFlags};
pub use source::{CopyOptions, CopyTags, Filled, Origin, Replica, Source, SyncRequest, TransferStatus};

#[cfg(test)]
mod tests;
