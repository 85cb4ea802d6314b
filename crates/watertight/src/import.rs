//! `watertight import`: Maildirs, mbox files and eml files into a mailbox.

mod engine;
mod maildir;
mod mbox;
mod source;

pub use engine::{Mail, Options, Report, import};
pub use source::{Bytes, Flags, Item, Limits};
