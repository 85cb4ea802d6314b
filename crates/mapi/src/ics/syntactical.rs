//! The FastTransfer stream as events — [MS-OXCFXICS] 2.2.4.2 Syntactical structure, one file for each production.
//!
//! [`Download`] takes bytes that are cut anywhere and gives [`Event`]s. What can be long comes in pieces: of a
//! message, one property, recipient or attachment at a time; of a value above 64 KiB, pieces of 32 KiB at most.

mod attachment;
mod change_header;
mod contents_sync;
mod deletions;
mod download;
mod embedded_message;
mod error_info;
mod event;
mod folder;
mod folder_change;
mod folder_content;
mod group_info;
mod hierarchy_sync;
mod message;
mod message_change_full;
mod message_change_partial;
mod message_content;
mod message_list;
mod production;
mod progress;
mod prop_list;
mod read_state_changes;
mod recipient;
mod state;

pub use change_header::ChangeHeader;
pub use deletions::Deletions;
pub use download::{Download, Root};
pub use error_info::ExtendedErrorInfo;
pub use event::Event;
pub use folder_change::FolderChange;
pub use group_info::PropertyGroupInfo;
pub use progress::ProgressInformation;
pub use read_state_changes::ReadStates;

#[cfg(test)]
mod tests;
