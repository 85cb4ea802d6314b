//! Incremental Change Synchronization and FastTransfer — [MS-OXCFXICS].
//!
//! Sets and keys: [`GlobSet`], [`IdSet`], [`GuidIdSet`], [`CnSet`], [`Xid`], [`PredecessorChangeList`], [`State`].
//! The stream: [`lexical`] cuts bytes into tokens and back, [`syntactical`] turns tokens into events.

pub mod globset;
pub mod idset;
pub mod lexical;
pub mod state;
pub mod syntactical;
pub mod xid;

pub use globset::GlobSet;
pub use idset::{CnSet, GuidIdSet, IdSet};
pub use state::{CutSet, State};
pub use syntactical::{Download, Event, Root};
pub use xid::{PredecessorChangeList, Xid};
