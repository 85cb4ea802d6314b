use std::sync::Arc;

use super::{ChangeHeader, Deletions, ExtendedErrorInfo, FolderChange, ProgressInformation, ReadStates};
use crate::{
    MapiCode, PropTag,
    ics::{CutSet, State, lexical::PropDef},
    prop::{Prop, PropName},
};

/// What a FastTransfer stream says, in its order.
///
/// Between the beginning and the end of a message come its properties, then recipients, then attachments; between
/// those of a recipient, attachment or embedded message, theirs. An embedded message lies inside its attachment,
/// after the attachment's properties.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// progressTotal: about how much follows.
    ProgressTotal(ProgressInformation),
    /// progressPerMessage: about how much the next message has.
    ProgressMessage {
        /// Bytes.
        size: u32,
        /// Whether it is an FAI message.
        associated: bool,
    },

    /// A new or changed folder of a hierarchy synchronization.
    FolderChange(Box<FolderChange>),

    /// messageChangeFull: a new message, or the whole of a changed one, which replaces what the client has.
    MessageChange(Box<ChangeHeader>),
    /// messageChangePartial: groups of properties of a message that the client has.
    PartialChange(Box<ChangeHeader>),
    /// The properties that follow belong to a group of the message's mapping.
    GroupBegin {
        /// The group; `None` for properties that are in no group.
        index: Option<u32>,
    },
    /// The group is complete.
    GroupEnd {
        /// Properties of the group that did not come: they are deleted from the message (2.2.4.3.15).
        deleted: Vec<PropDef>,
    },
    /// A message of a messageList, or the one of a messageContent stream, begins.
    MessageBegin {
        /// Whether it is an FAI message.
        associated: bool,
    },
    /// The message is complete.
    MessageEnd,

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
    /// The next bytes of the value: at most 32 KiB; of a string as the stream has them, UTF-16LE for PtypString.
    LargeChunk(Vec<u8>),
    /// The value is complete.
    LargeEnd,
    /// MetaTagFXDelProp: all recipients, attachments, messages or subfolders that the client has of this object go
    /// before those that follow; which, the tag says (PidTagMessageRecipients …).
    DeleteSubobjects(PropTag),
    /// A recipient begins; its PidTagRowid comes among its properties.
    RecipientBegin,
    /// The recipient is complete.
    RecipientEnd,
    /// An attachment begins.
    AttachmentBegin {
        /// PidTagAttachNumber; `None` for a stream of one attachment.
        number: Option<u32>,
    },
    /// The attachment is complete.
    AttachmentEnd,
    /// The message in an attachment begins.
    EmbeddedBegin,
    /// The message in an attachment is complete.
    EmbeddedEnd,

    /// A folder of a topFolder or folderContent stream begins.
    FolderBegin,
    /// The folder is complete.
    FolderEnd,
    /// MetaTagNewFXFolder: the public folder's content is on other servers (a FolderReplicaInfo structure, 2.2.2.9).
    OtherReplicas(Vec<u8>),

    /// MetaTagEcWarning: something about the object was left out, a message without permission for example.
    Warning(MapiCode),
    /// FXErrorInfo: the server could not read an object. If a message has begun and not ended, it never will: forget
    /// what came of it.
    ObjectFailed(Box<ExtendedErrorInfo>),

    /// Objects that are gone.
    Deletions(Deletions),
    /// Messages whose read state changed.
    ReadStates(ReadStates),
    /// The final state. A CnsetRead beyond reason is cut already; what was cut is told, to be warned of.
    State(Box<State>, Vec<CutSet>),
    /// The end of the stream. Nothing follows.
    End,
}
