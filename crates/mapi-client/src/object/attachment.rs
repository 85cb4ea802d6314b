//! Attachments and the messages in them — [MS-OXCMSG] 2.2.3.12 to 2.2.3.16.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use watertight_mapi::prop::tags;
use watertight_mapi::rop::RequestBody;
use watertight_mapi::rop::message::{
    CreateAttachmentRequest, OpenAttachmentRequest, OpenEmbeddedMessageRequest, SaveChangesAttachmentRequest,
};

use super::batch::{Batch, body};
use super::message::{Access, KEEP_OPEN, LOGON_CODE_PAGE, Message};
use super::stream::{OpenMode, Stream};
use super::{Kind, Object};
use crate::error::Error;
use crate::handle::ServerHandle;

/// OpenModeFlags of RopOpenEmbeddedMessage — [MS-OXCMSG] 2.2.3.16.1: Create.
const CREATE: u8 = 0x02;

/// An open attachment (the role of `IAttach`). Its properties are those of an [`Object`]; changes last when it is
/// saved, and its message after it.
#[doc(alias = "IAttach")]
pub struct Attachment {
    object: Object,
    number: u32,
    /// Its message: RopSaveChangesAttachment names it too.
    message: Arc<ServerHandle>,
}

impl Deref for Attachment {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.object
    }
}

impl Attachment {
    pub(crate) async fn open(message: &Object, number: u32, access: Access) -> Result<Self, Error> {
        let mut batch = Batch::on(message.handle().raw());
        let (at, output) = batch.open(0, |output_index| {
            RequestBody::OpenAttachment(OpenAttachmentRequest {
                output_index,
                open_flags: access.flags(),
                attachment_id: number,
            })
        })?;
        let mut answers = batch.ask(&message.logon().requester).await?;
        answers.done(at)?;
        Ok(Self::of(message, answers.object(output)?, number))
    }

    pub(crate) async fn create(message: &Object) -> Result<Self, Error> {
        let mut batch = Batch::on(message.handle().raw());
        let (at, output) = batch.open(0, create)?;
        let mut answers = batch.ask(&message.logon().requester).await?;
        let number = body!(answers, at, CreateAttachment)?.attachment_id;
        Ok(Self::of(message, answers.object(output)?, number))
    }

    fn of(message: &Object, handle: ServerHandle, number: u32) -> Self {
        let object = Object::new(message.logon(), handle, Kind::Attachment);
        Self { object, number, message: message.shared() }
    }

    /// PidTagAttachNumber.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// A stream over the bytes of an attached file, PidTagAttachDataBinary.
    ///
    /// # Errors
    /// [`Error::Refused`], with NotFound when it has none.
    pub async fn open_data(&self, mode: OpenMode) -> Result<Stream, Error> {
        self.open_stream(tags::ATTACH_DATA_BINARY, mode).await
    }

    /// Opens the message that is attached — [MS-OXCMSG] 2.2.3.16 RopOpenEmbeddedMessage.
    ///
    /// # Errors
    /// [`Error::Refused`], with NotFound when there is none.
    pub async fn open_embedded(&self, access: Access) -> Result<Message, Error> {
        self.embedded(access.flags()).await
    }

    /// Makes the attachment a message. It lasts when it is saved, and the attachment after it.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub async fn create_embedded(&mut self) -> Result<Message, Error> {
        self.embedded(CREATE).await
    }

    async fn embedded(&self, open_mode_flags: u8) -> Result<Message, Error> {
        let mut batch = Batch::on(self.handle().raw());
        let (at, output) = batch.open(0, |output_index| open_embedded(output_index, open_mode_flags))?;
        let mut answers = batch.ask(&self.logon().requester).await?;
        let summary = body!(answers, at, OpenEmbeddedMessage)?.summary;
        Ok(Message::embedded(&self.object, answers.object(output)?, summary))
    }

    /// Saves it; it stays open — [MS-OXCMSG] 2.2.3.15 RopSaveChangesAttachment. It lasts when its message is saved.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "SaveChanges")]
    pub async fn save(&mut self) -> Result<(), Error> {
        let mut batch = Batch::on(self.message.raw());
        let own = batch.object(self.handle().raw());
        let at = batch.push(0, save(own))?;
        batch.ask(&self.logon().requester).await?.done(at)
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").field("number", &self.number).finish_non_exhaustive()
    }
}

/// RopCreateAttachment — [MS-OXCROPS] 2.2.6.13.
pub(crate) const fn create(output_index: u8) -> RequestBody {
    RequestBody::CreateAttachment(CreateAttachmentRequest { output_index })
}

/// RopSaveChangesAttachment — [MS-OXCROPS] 2.2.6.15. It is done on the message (gromox 3.10 refuses another object).
pub(crate) const fn save(input_index: u8) -> RequestBody {
    RequestBody::SaveChangesAttachment(SaveChangesAttachmentRequest { input_index, save_flags: KEEP_OPEN })
}

/// RopOpenEmbeddedMessage that makes a message.
pub(crate) const fn create_embedded(output_index: u8) -> RequestBody {
    open_embedded(output_index, CREATE)
}

const fn open_embedded(output_index: u8, open_mode_flags: u8) -> RequestBody {
    RequestBody::OpenEmbeddedMessage(OpenEmbeddedMessageRequest {
        output_index,
        code_page_id: LOGON_CODE_PAGE,
        open_mode_flags,
    })
}
