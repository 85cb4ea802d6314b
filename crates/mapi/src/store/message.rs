use async_trait::async_trait;
use watertight_wire::FileTime;

use super::{ChangeNumber, FolderId, MessageId, StoreResult};
use crate::{
    PropTag,
    ics::{GlobSet, PredecessorChangeList, Xid},
    prop::PropBag,
    restriction::Restriction,
};

/// Normal messages, or folder associated information (FAI).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// A message that people see.
    Normal,
    /// A message that programs keep for a folder.
    Associated,
}

/// What is known of a message without reading it.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageHead {
    /// Its id.
    pub id: MessageId,
    /// The folder that it is in.
    pub folder: FolderId,
    /// Normal or FAI.
    pub kind: ItemKind,
    /// The change number of its last change.
    pub change_number: ChangeNumber,
    /// The change number of its last change of read state; none before the first.
    pub read_change_number: Option<ChangeNumber>,
    /// Whether it is read.
    pub read: bool,
    /// Whether it is soft-deleted.
    pub deleted: bool,
    /// PidTagChangeKey.
    pub change_key: Xid,
    /// PidTagPredecessorChangeList.
    pub predecessors: PredecessorChangeList,
    /// PidTagCreationTime.
    pub created: FileTime,
    /// PidTagLastModificationTime.
    pub modified: FileTime,
    /// PidTagMessageDeliveryTime where it has one.
    pub delivered: Option<FileTime>,
    /// PidTagMessageSize in bytes, computed by the store: all property values, recipients and attachments.
    pub size: u64,
    /// Whether it has attachments.
    pub has_attachments: bool,
}

/// What a message consists of.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MessageContent {
    /// Its own properties: none that [`MessageHead`] gives except PidTagMessageDeliveryTime, of which the head holds
    /// a copy. The store drops those that it computes itself, and makes a PidTagSearchKey where there is none.
    pub props: PropBag,
    /// Its recipients, in order; the index is PidTagRowid.
    pub recipients: Vec<PropBag>,
    /// Its attachments.
    pub attachments: Vec<Attachment>,
}

/// An attachment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attachment {
    /// PidTagAttachNumber: unique in the message, kept when others are deleted.
    pub number: u32,
    /// Its properties (PidTagAttachNumber left out).
    pub props: PropBag,
    /// The message in it, when PidTagAttachMethod is afEmbeddedMessage.
    pub embedded: Option<Box<MessageContent>>,
}

/// A message with everything in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What is known without reading it.
    pub head: MessageHead,
    /// What it consists of.
    pub content: MessageContent,
}

/// A message to save.
#[derive(Debug, Clone, PartialEq)]
pub struct SaveMessage {
    /// The folder.
    pub folder: FolderId,
    /// `None` makes a new message with the next id. `Some` with `expected` replaces that message, and without it
    /// makes it under this id (one that [`Mailbox::allocate_ids`](super::Mailbox::allocate_ids) gave out).
    pub id: Option<MessageId>,
    /// The change number that the message must still have.
    pub expected: Option<ChangeNumber>,
    /// Normal or FAI.
    pub kind: ItemKind,
    /// Whether it is read.
    pub read: bool,
    /// PidTagCreationTime and PidTagLastModificationTime when they are not now.
    pub modified: Option<FileTime>,
    /// What it consists of. Inline values of any size are taken; long ones are moved out of line.
    /// [`PropData::Large`](crate::prop::PropData) refers to a value of this mailbox: one made by `create_large`,
    /// which the message then owns, or one of the same message's last version, which it keeps.
    pub content: MessageContent,
}

/// A move or copy of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveCopy {
    /// Where they are.
    pub from: FolderId,
    /// Where they shall be.
    pub to: FolderId,
    /// Which.
    pub ids: Vec<MessageId>,
    /// Leave the old ones where they are.
    pub copy: bool,
}

/// Whether all of it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All.
    Complete,
    /// Some could not be.
    Partial,
}

/// What became of ids that are not in a folder any more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deleted {
    /// Soft-deleted.
    pub soft: GlobSet,
    /// Deleted for good, moved away, or never there.
    pub gone: GlobSet,
}

/// One column of a sort order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortColumn {
    /// The property.
    pub tag: PropTag,
    /// Greatest first.
    pub descending: bool,
}

/// Which messages of a folder, in which order.
#[derive(Debug, Clone, PartialEq)]
pub struct ContentsQuery {
    /// Normal or FAI.
    pub kind: ItemKind,
    /// The soft-deleted ones instead of the others.
    pub deleted: bool,
    /// Only those that match.
    pub restriction: Option<Restriction>,
    /// By these columns, then ascending by id; newest delivery first when empty.
    pub sort: Vec<SortColumn>,
}

/// A row of a contents view.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageRow {
    /// The message.
    pub head: MessageHead,
    /// Those of the wanted properties that the message has; large values by reference.
    pub props: PropBag,
    /// The message cannot be read: the head says only which one it is, and there are no properties.
    pub damaged: bool,
}

/// A folder's messages as they were when the view was made: restricted, sorted, counted.
#[async_trait]
pub trait ContentsView: Send + Sync {
    /// How many rows there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Up to `limit` rows from `start`; messages that were deleted meanwhile are left out of it.
    async fn rows(&self, start: usize, limit: usize, columns: &[PropTag]) -> StoreResult<Vec<MessageRow>>;
}
