//! Replicas of a mailbox on disk: a Maildir++ tree that is kept in step, one way; the server wins.
//!
//! The engine knows no network. A [`Replica`] is the tree, its state and its lock; a [`FolderRun`] takes the
//! [`Change`]s of one folder, writes messages crash-safely and keeps checkpoints; [`Replica::finish`] moves and
//! deletes at the end of a run. [`Synchronizer`] drives both from `mapi-client`.
//!
//! # What is on disk
//!
//! - The Inbox is the root of the tree (`cur`, `new`, `tmp`); every other folder is a directory `.A.B` beside
//!   them, as Maildir++ has it ([`folder_name`] says how names are written).
//! - Messages are named by [`MessageName`]: the name alone says which message of which folder it is, and which
//!   version, so that a lost state is rebuilt from the names.
//! - `watertight-folder` in each folder says which folder of the server it is.
//! - `watertight-settings` in the root says how the Maildir is kept, when it is not the usual mirror of everything:
//!   [`Mode`], [`Since`], folders that are excluded.
//! - A message that the server deleted and that mode `keep-deleted` kept has `-kept` behind `.watertight` in its name.
//!   It stays in its folder with its flags. It has no letter `T`: mail readers remove such messages when asked to tidy.
//! - `watertight/` in the root (no dot: a directory with a dot would be a Maildir++ folder) holds `lock`,
//!   `state.db` (SQLite: folders, ICS states, the index from id to file), `spool/` (large values in flight),
//!   `aside/` (messages that could not be converted), and `adopting` while mail of another program is looked for.
//!
//! # Invariants
//!
//! - A message is in the tree once or not at all, at every moment: it is written in `tmp/`, made durable, renamed.
//! - Nothing that the state claims is missing from the tree: files are durable before the checkpoint that
//!   records them; deletions are recorded before they are done.
//! - Files that are not ours are never touched.
//! - Memory does not grow with the mailbox, the folder, the message or the attachment.

mod adopt;
mod aside;
mod assemble;
mod change;
mod convert;
mod db;
mod disk;
mod error;
mod export;
mod finish;
mod flags;
pub mod folder_name;
mod folder_run;
#[doc(hidden)]
pub mod fuzzing;
mod hierarchy;
mod message_name;
mod plan;
mod progress;
mod reconcile;
mod replica;
mod report;
mod scope;
mod settings;
mod spool;
mod synchronizer;
mod translate;
pub mod watch;

pub use adopt::{OFFER_PROPERTIES, Offer};
pub use change::{Change, MessageHeader};
pub use convert::{Conversion, Convert, Mail};
pub use disk::{Fsync, Hook};
pub use error::{SyncError, SyncResult};
pub use flags::Flags;
pub use folder_run::FolderRun;
pub use hierarchy::{FolderChange, HierarchyChanges};
pub use message_name::MessageName;
pub use plan::Action;
pub use progress::{Progress, Silent};
pub use replica::{FolderKey, Options, Replica, SyncFolder};
pub use report::{LeftOut, Report, Tally};
pub use settings::{Mode, SETTINGS, Since};
pub use spool::Spool;
pub use synchronizer::{Config, Scope, Synchronizer, Tree};
pub use watertight_mapi::GlobalId;

/// The directory of the root that holds what is not mail.
pub const STATE_DIR: &str = "watertight";

/// The file of each folder's directory that says which folder it is.
pub const FOLDER_MARKER: &str = "watertight-folder";
