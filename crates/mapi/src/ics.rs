//! Incremental Change Synchronization and FastTransfer — [MS-OXCFXICS].
//!
//! Sets and keys: [`GlobSet`], [`IdSet`], [`GuidIdSet`], [`CnSet`], [`Xid`], [`PredecessorChangeList`], [`State`].
//! The stream: [`lexical`] cuts bytes into tokens and back, [`syntactical`] turns tokens into events.
//! The export: [`export`] turns events into calls of a sink ([`sink`]) and a state that a caller keeps ([`Checkpoint`]).

pub mod checkpoint;
pub mod export;
pub mod globset;
pub mod idset;
pub mod lexical;
pub mod sink;
pub mod state;
pub mod syntactical;
pub mod xid;

pub use checkpoint::{Checkpoint, CheckpointError, Scope, ScopeKind};
pub use globset::GlobSet;
pub use idset::{CnSet, GuidIdSet, IdSet};
pub use sink::{ContentsSink, HierarchySink};
pub use state::{CutSet, State};
pub use syntactical::{Download, Event, Root};
pub use xid::{PredecessorChangeList, Xid};
