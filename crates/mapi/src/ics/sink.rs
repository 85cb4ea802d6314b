//! What takes the changes of an export: the roles of IExchangeImportContentsChanges and
//! IExchangeImportHierarchyChanges.
//!
//! Every identifier is in REPLGUID form and holds beyond the logon. Sinks are called one change after another; of a
//! message that is taken, its pieces follow, and its end. A sink that fails ends the export: what it had not accepted
//! is not in the state, and comes again.

mod count;
mod heads;
mod messages;

use std::sync::Arc;

pub use count::Count;
pub use heads::{Head, Heads};
pub use messages::{LeftOut, Messages, Whole};

use super::{
    GuidIdSet,
    syntactical::{ChangeHeader, FolderChange, ProgressInformation},
};
use crate::{
    GlobalId, MapiCode, PropTag,
    prop::{Prop, PropName},
};

/// Why a sink cannot go on. Whatever it is, the export gives it to its caller as it is.
pub type SinkError = Box<dyn core::error::Error + Send + Sync>;

/// What a sink says.
pub type SinkResult<T = ()> = Result<T, SinkError>;

/// What a sink wants with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It takes it.
    Take,
    /// It passes it over, for good (SYNC_E_IGNORE, SYNC_E_OBJECT_DELETED): it is in the state as if it were taken, and
    /// comes again only when it changes again. A message has no pieces then.
    Ignore,
    /// It does not take it now: it is not in the state, and comes again in the next export. A message has no pieces
    /// then.
    Later,
}

/// A new or changed message — [MS-OXCFXICS] 2.2.4.3.14 messageChangeHeader.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageChange {
    /// MID (PidTagSourceKey).
    pub id: GlobalId,
    /// CN of the version that comes (PidTagChangeNumber).
    pub change_number: GlobalId,
    /// Whether it is an FAI message.
    pub associated: bool,
    /// PidTagMessageSize in bytes; 0 when the stream does not say.
    pub size: u64,
    /// Whether the state has it already: an older version was taken before (SYNC_NEW_MESSAGE is its absence).
    pub known: bool,
    /// The header as the server sent it.
    pub header: Box<ChangeHeader>,
}

/// A piece of a message, in the order of the stream: its properties, then recipients, then attachments; between those
/// of a recipient, attachment or embedded message, theirs. An embedded message lies inside its attachment, after the
/// attachment's properties.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Piece {
    /// A property of what is being described.
    Property(Prop),
    /// A property whose value has more than 64 KiB begins.
    LargeBegin {
        /// Identifier and type.
        tag: PropTag,
        /// The name, for identifiers of 0x8000 and above.
        name: Option<Arc<PropName>>,
        /// Bytes in the stream. The chunks have as many, less the terminator of a string.
        len: u32,
    },
    /// The next bytes of the value: at most 32 KiB; UTF-16LE for PtypString.
    LargeChunk(Vec<u8>),
    /// The value is complete.
    LargeEnd,
    /// A recipient begins.
    RecipientBegin,
    /// The recipient is complete.
    RecipientEnd,
    /// An attachment begins.
    AttachmentBegin {
        /// PidTagAttachNumber, where the stream says it.
        number: Option<u32>,
    },
    /// The attachment is complete.
    AttachmentEnd,
    /// The message in an attachment begins.
    EmbeddedBegin,
    /// The message in an attachment is complete.
    EmbeddedEnd,
}

/// Why objects are gone: the flags of ImportMessageDeletion and ImportFolderDeletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deletion {
    /// Deleted or moved away.
    Deleted,
    /// SYNC_SOFT_DELETE: deleted so that they can be recovered, or no longer in the scope of the restriction.
    SoftDeleted,
    /// SYNC_EXPIRY: past their age.
    Expired,
}

/// Messages that were marked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadStateChange {
    /// Read now.
    pub read: GuidIdSet,
    /// Unread now.
    pub unread: GuidIdSet,
}

/// An object that the server could not send — [MS-OXCFXICS] 2.2.4.3.4 errorInfo — or that cannot be identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// MID or FID, where it is known.
    pub id: Option<GlobalId>,
    /// The server's reason.
    pub code: MapiCode,
}

/// Takes the changes of a folder's messages: the role of IExchangeImportContentsChanges.
pub trait ContentsSink {
    /// About how much follows, where the server says so.
    ///
    /// # Errors
    /// As [`ContentsSink::message_change`].
    fn total(&mut self, total: &ProgressInformation) -> SinkResult {
        let _ = total;
        Ok(())
    }

    /// A message is new or has changed (ImportMessageChange). After [`Verdict::Take`] follow its pieces, all of the
    /// message, which replace what is there.
    ///
    /// # Errors
    /// Whatever keeps the sink from going on; the export ends with it.
    fn message_change(&mut self, change: &MessageChange) -> SinkResult<Verdict>;

    /// The next piece of the message that was taken.
    ///
    /// # Errors
    /// As [`ContentsSink::message_change`].
    fn piece(&mut self, piece: Piece) -> SinkResult {
        let _ = piece;
        Ok(())
    }

    /// The message is whole (SaveChanges). From this call on it is in the state: return when it is as durable as the
    /// state will be.
    ///
    /// # Errors
    /// As [`ContentsSink::message_change`].
    fn message_end(&mut self) -> SinkResult {
        Ok(())
    }

    /// Messages are gone (ImportMessageDeletion). Some may never have been here.
    ///
    /// # Errors
    /// As [`ContentsSink::message_change`].
    fn message_deletion(&mut self, why: Deletion, ids: &GuidIdSet) -> SinkResult;

    /// Messages were marked (ImportPerUserReadStateChange). Some may never have been here.
    ///
    /// # Errors
    /// As [`ContentsSink::message_change`].
    fn read_state_change(&mut self, change: &ReadStateChange) -> SinkResult;

    /// The server could not send a message. If one has begun and not ended, it never will: forget its pieces. It is
    /// offered again in the next export.
    ///
    /// # Errors
    /// As [`ContentsSink::message_change`].
    fn failed(&mut self, failure: &Failure) -> SinkResult {
        let _ = failure;
        Ok(())
    }

    /// Something that a person may want to know, and that changes nothing.
    fn warning(&mut self, text: &str) {
        let _ = text;
    }
}

/// Takes the changes of the folders below a folder: the role of IExchangeImportHierarchyChanges.
pub trait HierarchySink {
    /// A folder is new or has changed, moved or been renamed (ImportFolderChange); parents come before their children.
    /// From [`Verdict::Take`] on it is in the state.
    ///
    /// # Errors
    /// Whatever keeps the sink from going on; the export ends with it.
    fn folder_change(&mut self, change: &FolderHead<'_>) -> SinkResult<Verdict>;

    /// Folders are gone, with all in them (ImportFolderDeletion).
    ///
    /// # Errors
    /// As [`HierarchySink::folder_change`].
    fn folder_deletion(&mut self, why: Deletion, ids: &GuidIdSet) -> SinkResult;

    /// A folder came without an identifier of its server, or could not be sent.
    ///
    /// # Errors
    /// As [`HierarchySink::folder_change`].
    fn failed(&mut self, failure: &Failure) -> SinkResult {
        let _ = failure;
        Ok(())
    }

    /// Something that a person may want to know, and that changes nothing.
    fn warning(&mut self, text: &str) {
        let _ = text;
    }
}

/// A new or changed folder.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderHead<'a> {
    /// FID (PidTagSourceKey).
    pub id: GlobalId,
    /// The folder that it lies in; `None` directly below the root of the synchronization.
    pub parent: Option<GlobalId>,
    /// CN of the version that comes.
    pub change_number: GlobalId,
    /// Whether the state has it already.
    pub known: bool,
    /// The folder as the server sent it: name, times, keys, properties.
    pub folder: &'a FolderChange,
}
