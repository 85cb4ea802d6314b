use std::fmt;

use crate::Flags;

/// One thing that was done to the tree, or that a dry run would do. Displayed as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// A folder is made.
    AddFolder {
        /// Its path.
        folder: String,
    },
    /// A folder gets another directory.
    RenameFolder {
        /// Its directory before.
        from: String,
        /// Its path now.
        folder: String,
    },
    /// A folder is removed with its messages.
    RemoveFolder {
        /// Its path.
        folder: String,
    },
    /// A message is added.
    Add {
        /// The folder's path.
        folder: String,
        /// The file's name without flags.
        name: String,
        /// Its flags.
        flags: Flags,
    },
    /// A message is replaced by a newer version.
    Change {
        /// The folder's path.
        folder: String,
        /// The file's name without flags.
        name: String,
    },
    /// A message's flags change.
    SetFlags {
        /// The folder's path.
        folder: String,
        /// The file's name without flags.
        name: String,
        /// Before.
        from: Flags,
        /// After.
        to: Flags,
    },
    /// A message is removed.
    Remove {
        /// The folder's path.
        folder: String,
        /// The file's name without flags.
        name: String,
    },
    /// A message that the server deleted stays, under a name that says so.
    Keep {
        /// The folder's path.
        folder: String,
        /// The file's name, without flags.
        name: String,
    },
    /// A message that another program put here is taken over.
    Adopt {
        /// The folder's path.
        folder: String,
        /// The file that is there, in the Maildir.
        from: String,
        /// The file's name after, without flags.
        name: String,
    },
    /// A message goes to another folder.
    Move {
        /// The folder's path before.
        from: String,
        /// The folder's path after.
        folder: String,
        /// The file's name after, without flags.
        name: String,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddFolder { folder } => write!(f, "add folder {folder}"),
            Self::RenameFolder { from, folder } => write!(f, "rename folder {from} to {folder}"),
            Self::RemoveFolder { folder } => write!(f, "remove folder {folder}"),
            Self::Add { folder, name, flags } => write!(f, "add {folder}: {name} [{flags}]"),
            Self::Change { folder, name } => write!(f, "change {folder}: {name}"),
            Self::SetFlags { folder, name, from, to } => {
                write!(f, "flags {folder}: {name} [{from}] to [{to}]")
            }
            Self::Remove { folder, name } => write!(f, "remove {folder}: {name}"),
            Self::Keep { folder, name } => write!(f, "keep {folder}: {name}"),
            Self::Adopt { folder, from, name } => write!(f, "adopt {folder}: {from} as {name}"),
            Self::Move { from, folder, name } => write!(f, "move {from} to {folder}: {name}"),
        }
    }
}
