//! Incremental Change Synchronization and FastTransfer — [MS-OXCFXICS].

pub mod globset;
pub mod xid;

pub use globset::GlobSet;
pub use xid::{PredecessorChangeList, Xid};
