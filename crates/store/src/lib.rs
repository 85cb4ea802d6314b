//! A message store on SQLite, one file per mailbox, and one in memory; both implement [`watertight_mapi::store`].
//!
//! [`MemoryStore`] keeps everything in memory: for tests, and as the simplest statement of what the traits mean.
//! What both share is in the modules beside them: how a folder tree is walked, what a message weighs, how views
//! are sorted, which counters the standard folders have.
//!
//! Invariants: no SQL outside `sqlite`; nothing is acknowledged before it is durable; no value above 64 KiB is held
//! for longer than the call that carries it.

mod account;
mod clock;
mod content;
mod cursor;
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
