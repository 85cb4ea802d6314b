//! A message store on SQLite, one file per mailbox, and one in memory; both implement [`watertight_mapi::store`].
//!
//! [`SqliteStore`] keeps a data directory: a file of accounts, and one for each mailbox with its own counters,
//! change numbers and named properties. Writes of a mailbox that wait together are committed together, reads have
//! connections of their own, and everything runs on a few threads of the store. [`check`] looks for damage,
//! [`backup`] copies a directory that is in use.
//!
//! [`MemoryStore`] keeps everything in memory: for tests, and as the simplest statement of what the traits mean.
//! What both share is in the modules beside them: how a folder tree is walked, what a message weighs, how views
//! are sorted, which counters the standard folders have. One conformance suite runs against both.
//!
//! Invariants: no SQL outside `sqlite`; nothing is acknowledged before it is durable; nothing is remembered that
//! another process could have changed, without asking the file; no value above 64 KiB is held for longer than the
//! call that carries it; damage is an error, never a panic and never another message.

mod account;
mod clock;
mod content;
mod cursor;
mod event;
mod folder;
mod memory;
mod names;
mod seen;
mod special;
mod sqlite;
mod tree;
mod view;

pub use memory::MemoryStore;
pub use sqlite::{CheckReport, Damage, SqliteStore, backup, check};
#[doc(hidden)]
pub use sqlite::{content_column_holds, content_column_of};

#[cfg(test)]
mod conformance;
