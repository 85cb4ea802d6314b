use std::sync::Arc;

use watertight_mapi::{
    PropName, PropTag,
    ics::{GuidIdSet, State},
    prop::Prop,
};

use crate::GlobalId;

/// One piece of a folder's contents synchronization, in the order of the stream — [MS-OXCFXICS] 2.2.4.3.5
/// contentsSync, with every identifier in REPLGUID form.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// progressTotal: how many messages and bytes will come.
    Total {
        /// Messages.
        messages: u64,
        /// Bytes.
        bytes: u64,
    },
    /// A changed or new message begins; all of it follows.
    Message(MessageHeader),
    /// A property of the object that was begun last.
    Prop(Prop),
    /// A property above 64 KiB begins; its bytes follow (UTF-16LE for a string).
    LargeBegin {
        /// The tag.
        tag: PropTag,
        /// Its name.
        name: Option<Arc<PropName>>,
    },
    /// Bytes of it.
    LargeBytes(Vec<u8>),
    /// It ends.
    LargeEnd,
    /// A recipient begins.
    RecipientBegin,
    /// A recipient ends.
    RecipientEnd,
    /// An attachment begins.
    AttachmentBegin {
        /// PidTagAttachNumber.
        number: u32,
    },
    /// An attachment ends.
    AttachmentEnd,
    /// The message in an attachment begins.
    EmbeddedBegin,
    /// The message in an attachment ends.
    EmbeddedEnd,
    /// The changed message ends.
    MessageEnd,
    /// Only a part of a message came (2.2.4.3.13 messageChangePartial). A Maildir needs the whole: it is asked for
    /// again in the next run.
    Partial {
        /// MID.
        mid: GlobalId,
        /// CN of the change.
        cn: GlobalId,
    },
    /// The server could not send a message (2.2.4.3.4 errorInfo).
    Failed {
        /// MID, where it said so.
        mid: Option<GlobalId>,
        /// Its reason.
        reason: String,
    },
    /// MIDs that are deleted, out of scope or expired.
    Deleted(GuidIdSet),
    /// MIDs that are read now.
    Read(GuidIdSet),
    /// MIDs that are unread now.
    Unread(GuidIdSet),
    /// The final state. Nothing follows.
    State(State),
}

/// messageChangeHeader — [MS-OXCFXICS] 2.2.4.3.11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageHeader {
    /// MID (PidTagSourceKey).
    pub mid: GlobalId,
    /// CN (PidTagChangeNumber).
    pub cn: GlobalId,
    /// PidTagAssociated: an FAI message, which a Maildir does not hold.
    pub associated: bool,
    /// PidTagMessageSize, 0 when the stream does not say.
    pub size: u64,
}
