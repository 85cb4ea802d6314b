//! What a handle can stand for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use watertight_mapi::{
    PropTag,
    prop::PropBag,
    store::{Attachment, FolderId, ItemKind, MessageContent, MessageHead},
};

use crate::ics::Source;

use super::{
    notify::Registered,
    stream::{Spill, Stream},
    table::Table,
};

/// An open object.
pub(super) enum Object {
    /// A logon: the mailbox itself.
    Logon,
    /// A folder.
    Folder(FolderId),
    /// A message.
    Message(Arc<MessageObject>),
    /// An attachment.
    Attachment(Arc<AttachmentObject>),
    /// A table.
    Table(Box<Table>),
    /// A stream over one property.
    Stream(Box<Stream>),
    /// A FastTransfer or synchronization download.
    Download(Box<Source>),
    /// What RopRegisterNotification asked for.
    Subscription(Registered),
}

/// An open message: what was read of it and changed in it, until it is saved. Attachments, streams and tables over it
/// share it, so that the order in which a client releases them does not matter.
pub(super) struct MessageObject {
    /// Where it is, or will be when it is saved.
    pub(super) place: Place,
    /// Whether it may be changed.
    pub(super) writable: bool,
    /// Held for short sections that await nothing; never while an attachment's state is held.
    state: Mutex<MessageState>,
}

/// Where a message is.
pub(super) enum Place {
    /// In a folder.
    Folder(FolderId, ItemKind),
    /// In an attachment.
    Attachment(Arc<AttachmentObject>),
}

/// What is known of an open message.
pub(super) struct MessageState {
    /// None before the first save, and for embedded messages.
    pub(super) head: Option<MessageHead>,
    /// Properties and attachments; recipients are beside it.
    pub(super) content: MessageContent,
    /// Recipients by RowId.
    pub(super) recipients: Vec<(u32, PropBag)>,
    /// The columns of recipient rows that were last agreed.
    pub(super) recipient_columns: Vec<PropTag>,
    /// Whether it is read.
    pub(super) read: bool,
    /// Whether it was changed since it was read or saved.
    pub(super) dirty: bool,
    /// The number of the next attachment.
    pub(super) next_attachment: u32,
    /// Large values that the message refers to and does not own before it is saved.
    pub(super) spills: Vec<Arc<Spill>>,
}

/// An open attachment.
pub(super) struct AttachmentObject {
    /// The message that it is in.
    pub(super) message: Arc<MessageObject>,
    /// Whether it may be changed.
    pub(super) writable: bool,
    /// Held for short sections that await nothing.
    state: Mutex<AttachmentState>,
}

/// What is known of an open attachment.
pub(super) struct AttachmentState {
    /// The attachment, with its changes.
    pub(super) attachment: Attachment,
    /// Large values that it refers to and that no message owns yet.
    pub(super) spills: Vec<Arc<Spill>>,
}

impl MessageObject {
    /// A message with its content; `head` when it was saved before.
    pub(super) fn new(
        place: Place,
        writable: bool,
        head: Option<MessageHead>,
        mut content: MessageContent,
    ) -> Self {
        let recipients = (0_u32..).zip(std::mem::take(&mut content.recipients)).collect();
        let next_attachment =
            content.attachments.iter().map(|a| a.number.saturating_add(1)).max().unwrap_or(0);
        let read = head.as_ref().is_none_or(|head| head.read);
        let state = MessageState {
            head,
            content,
            recipients,
            recipient_columns: Vec::new(),
            read,
            dirty: false,
            next_attachment,
            spills: Vec::new(),
        };
        Self { place, writable, state: Mutex::new(state) }
    }

    /// The message's state.
    pub(super) fn state(&self) -> MutexGuard<'_, MessageState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MessageState {
    /// The whole content, recipients in order.
    pub(super) fn whole(&self) -> MessageContent {
        let mut content = self.content.clone();
        content.recipients = self.recipients.iter().map(|(_, bag)| bag.clone()).collect();
        content
    }
}

impl AttachmentObject {
    /// An attachment of a message.
    pub(super) fn new(message: Arc<MessageObject>, writable: bool, attachment: Attachment) -> Self {
        let state = AttachmentState { attachment, spills: Vec::new() };
        Self { message, writable, state: Mutex::new(state) }
    }

    /// The attachment's state.
    pub(super) fn state(&self) -> MutexGuard<'_, AttachmentState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
