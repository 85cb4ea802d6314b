use super::{FolderId, MessageId};

/// A folder, or a message in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The folder, or the one that the message is in.
    pub folder: FolderId,
    /// The message.
    pub message: Option<MessageId>,
    /// The parent of a folder.
    pub parent: Option<FolderId>,
}

impl Place {
    /// A message.
    #[must_use]
    pub const fn message(folder: FolderId, message: MessageId) -> Self {
        Self { folder, message: Some(message), parent: None }
    }

    /// A folder.
    #[must_use]
    pub const fn folder(folder: FolderId, parent: Option<FolderId>) -> Self {
        Self { folder, message: None, parent }
    }
}

/// What was done to a folder or message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Happened {
    /// It was made.
    Created(Place),
    /// It was changed; also its read state.
    Modified(Place),
    /// It was deleted, softly or for good. What was in a deleted folder is not told.
    Deleted(Place),
    /// It is somewhere else now.
    Moved {
        /// Where it is.
        to: Place,
        /// Where it was.
        from: Place,
    },
    /// A copy was made.
    Copied {
        /// The copy.
        to: Place,
        /// The original.
        from: Place,
    },
    /// More than is told one by one.
    Many,
}

/// What happened in a mailbox, in order, with ascending numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Events {
    /// The events.
    pub items: Vec<Happened>,
    /// Where to go on: the number of the last of them.
    pub last: u64,
    /// Some before them were forgotten: anything may have happened.
    pub lost: bool,
}
