//! Messages — [MS-OXCMSG].

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use watertight_mapi::prop::{PropBag, tags};
use watertight_mapi::rop::message::{
    CreateMessageRequest, DeleteAttachmentRequest, GetAttachmentTableRequest, OpenMessageRequest,
    ReadRecipientsRequest, RemoveAllRecipientsRequest, SaveChangesMessageRequest, SetMessageReadFlagRequest,
};
use watertight_mapi::rop::recipient::MessageSummary;
use watertight_mapi::rop::{RequestBody, ResponseBody};
use watertight_mapi::{Fid, MapiCode, Mid, PropTag};

use super::attachment::Attachment;
use super::batch::{Answers, Batch, body};
use super::props::On;
use super::recipient::{self, Recipient};
use super::table::{Table, View};
use super::{Kind, Object};
use crate::error::{Error, ProtocolError};
use crate::handle::ServerHandle;
use crate::logon::Logon;

/// CodePageId: that of the logon — [MS-OXCMSG] 2.2.3.1.1.
pub(crate) const LOGON_CODE_PAGE: u16 = 0x0fff;
/// Recipients that a message may have: RecipientCount has 16 bits.
const MAX_RECIPIENTS: usize = 0xffff;
/// Attachments that are listed.
const MAX_ATTACHMENTS: usize = 0x1_0000;
/// SaveFlags — [MS-OXCMSG] 2.2.3.3.1: KeepOpenReadWrite, ForceSave.
pub(crate) const KEEP_OPEN: u8 = 0x02;
const FORCE_SAVE: u8 = 0x04;

/// What may be done with an object that is opened — [MS-OXCMSG] 2.2.3.1.1 OpenModeFlags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// It is read.
    #[default]
    ReadOnly,
    /// It is read and changed; who may not change it may not open it.
    ReadWrite,
    /// As much as the user may.
    Best,
}

impl Access {
    pub(crate) const fn flags(self) -> u8 {
        match self {
            Self::ReadOnly => 0,
            Self::ReadWrite => 1,
            Self::Best => 3,
        }
    }
}

/// Normal messages, or those that programs keep for a folder (FAI).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Associated {
    /// Messages that people see.
    #[default]
    No,
    /// Folder associated information.
    Yes,
}

/// What a read flag becomes — [MS-OXCMSG] 2.2.3.10.1 ReadFlags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFlag {
    /// Read; a receipt is sent where the sender wants one.
    Read,
    /// Read, without a receipt.
    ReadQuietly,
    /// Unread.
    Unread,
}

impl ReadFlag {
    pub(crate) const fn flags(self) -> u8 {
        match self {
            Self::Read => 0x00,
            Self::ReadQuietly => 0x01,
            Self::Unread => 0x04,
        }
    }
}

/// An open message (the role of `IMessage`). Its properties are those of an [`Object`]; changes last when it is saved.
#[doc(alias = "IMessage")]
pub struct Message {
    object: Object,
    folder: Option<Fid>,
    id: Option<Mid>,
    subject: Option<String>,
    /// All recipients, where the opening gave them and none was changed.
    known: Option<Vec<Recipient>>,
    /// The columns of recipients as the server knows them.
    columns: Vec<PropTag>,
    /// The attachment that it is in.
    attachment: Option<Arc<ServerHandle>>,
}

impl Deref for Message {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.object
    }
}

impl Message {
    /// A message that was opened.
    pub(crate) fn opened(
        logon: &Logon,
        handle: ServerHandle,
        summary: MessageSummary,
        place: Option<(Fid, Mid)>,
    ) -> Self {
        let MessageSummary { subject_prefix, normalized_subject, recipient_count, columns, rows, .. } =
            summary;
        let subject = match (subject_prefix.text(), normalized_subject.text()) {
            (None, None) => None,
            (prefix, rest) => Some(prefix.unwrap_or_default() + &rest.unwrap_or_default()),
        };
        let known = (rows.len() == usize::from(recipient_count)).then(|| {
            let recipients = (0..).zip(rows).map(|(row_id, open)| Recipient {
                row_id,
                props: recipient::bag_of(open.recipient_type, open.row, &columns, logon.dn_prefix()),
            });
            recipients.collect()
        });
        Self {
            object: Object::new(logon, handle, Kind::Message),
            folder: place.map(|(folder, _)| folder),
            id: place.map(|(_, id)| id),
            subject,
            known,
            columns,
            attachment: None,
        }
    }

    /// A message that was opened in an attachment.
    pub(crate) fn embedded(attachment: &Object, handle: ServerHandle, summary: MessageSummary) -> Self {
        let message = Self::opened(attachment.logon(), handle, summary, None);
        Self { attachment: Some(attachment.shared()), ..message }
    }

    /// A message that was made.
    pub(crate) fn made(logon: &Logon, handle: ServerHandle, folder: Fid) -> Self {
        Self {
            object: Object::new(logon, handle, Kind::Message),
            folder: Some(folder),
            id: None,
            subject: None,
            known: Some(Vec::new()),
            columns: Vec::new(),
            attachment: None,
        }
    }

    /// Its id: none of a message that was not saved yet, or that is in another.
    #[must_use]
    pub const fn id(&self) -> Option<Mid> {
        self.id
    }

    /// Its folder: none of a message that is in another.
    #[must_use]
    pub const fn folder(&self) -> Option<Fid> {
        self.folder
    }

    /// Its subject when it was opened.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Its recipients — [MS-OXCMSG] 2.2.3.6 RopReadRecipients, where the opening did not give all of them.
    ///
    /// # Errors
    /// [`Error::Protocol`] when the server lists recipients without an end.
    #[doc(alias = "GetRecipientTable")]
    pub async fn recipients(&self) -> Result<Vec<Recipient>, Error> {
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        let mut all: Vec<Recipient> = Vec::new();
        let mut next = Some(0_u32);
        while let Some(row_id) = next {
            let mut batch = Batch::on(self.handle().raw());
            batch.columns(&self.columns);
            let request = ReadRecipientsRequest { row_id, reserved: 0 };
            batch.push(0, RequestBody::ReadRecipients(request))?;
            let mut answers = batch.ask(&self.logon().requester).await?;
            let rows = match body!(answers, 0, ReadRecipients) {
                Ok(body) => body.rows,
                Err(Error::Refused { code: MapiCode::NotFound, .. }) => break,
                Err(error) => return Err(error),
            };
            if rows.is_empty() {
                break;
            }
            for row in rows {
                if next.is_none_or(|next| row.row_id < next) {
                    let what = format!("RopReadRecipients goes back to recipient {}", row.row_id);
                    return Err(ProtocolError::Unexpected(what).into());
                }
                next = row.row_id.checked_add(1);
                let open = row.recipient;
                let prefix = self.logon().dn_prefix();
                let props = recipient::bag_of(open.recipient_type, open.row, &self.columns, prefix);
                all.push(Recipient { row_id: row.row_id, props });
            }
            if all.len() > MAX_RECIPIENTS {
                let what = format!("a message with more than {MAX_RECIPIENTS} recipients");
                return Err(ProtocolError::Unexpected(what).into());
            }
        }
        Ok(all)
    }

    /// Sets recipients by their row ids, and removes those whose properties are `None` — [MS-OXCMSG] 2.2.3.5
    /// RopModifyRecipients. What a recipient's own fields and columns cannot carry (named and large properties) is
    /// left out.
    ///
    /// # Errors
    /// [`Error::Setup`] for a recipient that no request can carry.
    #[doc(alias = "ModifyRecipients")]
    pub async fn modify_recipients(&mut self, changes: &[(u32, Option<PropBag>)]) -> Result<(), Error> {
        let changes: Vec<_> = changes.iter().map(|(id, bag)| (*id, bag.as_ref())).collect();
        let (requests, columns) = recipient::modifications(&changes)?;
        for request in requests {
            self.known = None;
            self.columns.clone_from(&columns);
            self.one(RequestBody::ModifyRecipients(request)).await?;
        }
        Ok(())
    }

    /// Has these recipients from now on, and no others.
    ///
    /// # Errors
    /// As [`Message::modify_recipients`].
    pub async fn set_recipients(&mut self, recipients: &[PropBag]) -> Result<(), Error> {
        self.known = None;
        self.one(RequestBody::RemoveAllRecipients(RemoveAllRecipientsRequest { reserved: 0 })).await?;
        let changes: Vec<_> = (0..).zip(recipients).map(|(id, bag)| (id, Some(bag.clone()))).collect();
        self.modify_recipients(&changes).await
    }

    /// The table of its attachments — [MS-OXCMSG] 2.2.3.17 RopGetAttachmentTable.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "GetAttachmentTable")]
    pub async fn attachment_table(&self, view: &View) -> Result<Table, Error> {
        let request = |output_index| {
            RequestBody::GetAttachmentTable(GetAttachmentTableRequest { output_index, table_flags: 0 })
        };
        Table::open(self.on(), request, view).await
    }

    /// Its attachments: number, method, size, names, type, Content-ID and place of each.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub async fn attachments(&self) -> Result<Vec<PropBag>, Error> {
        let columns = [
            tags::ATTACH_NUMBER,
            tags::ATTACH_METHOD,
            tags::ATTACH_SIZE,
            tags::ATTACH_LONG_FILENAME,
            tags::ATTACH_FILENAME,
            tags::DISPLAY_NAME,
            tags::ATTACH_MIME_TAG,
            tags::ATTACH_CONTENT_ID,
            tags::RENDERING_POSITION,
            tags::ATTACHMENT_HIDDEN,
        ];
        self.attachment_table(&View::of(&columns)).await?.all_rows(MAX_ATTACHMENTS).await
    }

    /// Opens an attachment by PidTagAttachNumber — [MS-OXCMSG] 2.2.3.12 RopOpenAttachment.
    ///
    /// # Errors
    /// [`Error::Refused`], with NotFound when there is none.
    #[doc(alias = "OpenAttach")]
    pub async fn open_attachment(&self, number: u32, access: Access) -> Result<Attachment, Error> {
        Attachment::open(&self.object, number, access).await
    }

    /// Makes an attachment — [MS-OXCMSG] 2.2.3.13 RopCreateAttachment. It lasts when it is saved, and the message
    /// after it.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "CreateAttach")]
    pub async fn create_attachment(&mut self) -> Result<Attachment, Error> {
        Attachment::create(&self.object).await
    }

    /// Removes an attachment — [MS-OXCMSG] 2.2.3.14 RopDeleteAttachment.
    ///
    /// # Errors
    /// [`Error::Refused`], with NotFound when there is none.
    #[doc(alias = "DeleteAttach")]
    pub async fn delete_attachment(&mut self, number: u32) -> Result<(), Error> {
        self.one(RequestBody::DeleteAttachment(DeleteAttachmentRequest { attachment_id: number })).await
    }

    /// Marks it read or unread, at once — [MS-OXCMSG] 2.2.3.11 RopSetMessageReadFlag.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "SetReadFlag")]
    pub async fn set_read_flag(&self, flag: ReadFlag) -> Result<(), Error> {
        let request =
            SetMessageReadFlagRequest { input_index: 0, read_flags: flag.flags(), client_data: None };
        self.one(RequestBody::SetMessageReadFlag(request)).await
    }

    /// Saves it; it stays open — [MS-OXCMSG] 2.2.3.3 RopSaveChangesMessage. Returns its id, which is null for a
    /// message in an attachment: that lasts when the attachment is saved, and the message around it.
    ///
    /// # Errors
    /// [`Error::Refused`], with ObjectModified when somebody else changed it since it was opened.
    #[doc(alias = "SaveChanges")]
    pub async fn save(&mut self) -> Result<Mid, Error> {
        self.save_as(KEEP_OPEN).await
    }

    /// Saves it over whatever somebody else did to it.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub async fn save_anyway(&mut self) -> Result<Mid, Error> {
        self.save_as(FORCE_SAVE).await
    }

    async fn save_as(&mut self, save_flags: u8) -> Result<Mid, Error> {
        let around = self.attachment.as_deref().unwrap_or(self.logon().handle());
        let mut batch = Batch::on(around.raw());
        let own = batch.object(self.handle().raw());
        let at = batch.push(0, save(own, save_flags))?;
        let mut answers = batch.ask(&self.logon().requester).await?;
        let id = body!(answers, at, SaveChangesMessage)?.message_id;
        if self.folder.is_some() {
            self.id = Some(id);
        }
        Ok(id)
    }

    /// Asks what changed in it since it was opened: subject and recipients — [MS-OXCMSG] 2.2.3.7
    /// RopReloadCachedInformation.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub async fn reload(&mut self) -> Result<(), Error> {
        let mut batch = Batch::on(self.handle().raw());
        let request = watertight_mapi::rop::message::ReloadCachedInformationRequest { reserved: 0 };
        let at = batch.push(0, RequestBody::ReloadCachedInformation(request))?;
        let mut answers = batch.ask(&self.logon().requester).await?;
        let summary = body!(answers, at, ReloadCachedInformation)?;
        let subject = summary.subject_prefix.text().unwrap_or_default()
            + &summary.normalized_subject.text().unwrap_or_default();
        self.subject = Some(subject);
        self.columns = summary.columns;
        self.known = None;
        Ok(())
    }

    /// One ROP on the message whose answer says nothing.
    async fn one(&self, request: RequestBody) -> Result<(), Error> {
        let mut batch = Batch::on(self.handle().raw());
        let at = batch.push(0, request)?;
        batch.ask(&self.logon().requester).await?.done(at)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("folder", &self.folder).field("id", &self.id).finish_non_exhaustive()
    }
}

/// Opens messages of a folder, as many as may be open at a time in one request.
pub(crate) async fn open(
    on: On<'_>,
    folder: Fid,
    ids: &[Mid],
    access: Access,
) -> Result<Vec<Result<Message, Error>>, Error> {
    let mut batch = Batch::on(on.handle);
    let mut opening = Vec::with_capacity(ids.len());
    for &id in ids {
        opening.push((id, batch.open(0, |output_index| open_request(output_index, folder, id, access))?));
    }
    let mut answers = batch.ask(&on.logon.requester).await?;
    Ok(opening.into_iter().map(|(id, at)| take_opened(on, &mut answers, at, (folder, id))).collect())
}

fn take_opened(
    on: On<'_>,
    answers: &mut Answers,
    (at, output): (usize, u8),
    place: (Fid, Mid),
) -> Result<Message, Error> {
    match answers.body(at)? {
        Some(ResponseBody::OpenMessage(summary)) => {
            Ok(Message::opened(on.logon, answers.object(output)?, summary, Some(place)))
        }
        _ => Err(answers.bodiless(at)),
    }
}

fn open_request(output_index: u8, folder_id: Fid, message_id: Mid, access: Access) -> RequestBody {
    RequestBody::OpenMessage(OpenMessageRequest {
        output_index,
        code_page_id: LOGON_CODE_PAGE,
        folder_id,
        open_mode_flags: access.flags(),
        message_id,
    })
}

/// RopCreateMessage — [MS-OXCROPS] 2.2.6.2.
pub(crate) fn create(output_index: u8, folder_id: Fid, associated: Associated) -> RequestBody {
    RequestBody::CreateMessage(CreateMessageRequest {
        output_index,
        code_page_id: LOGON_CODE_PAGE,
        folder_id,
        associated_flag: (associated == Associated::Yes).into(),
    })
}

/// RopSaveChangesMessage — [MS-OXCROPS] 2.2.6.3. It is done on what the message is in: the logon, or an attachment.
pub(crate) const fn save(input_index: u8, save_flags: u8) -> RequestBody {
    RequestBody::SaveChangesMessage(SaveChangesMessageRequest { input_index, save_flags })
}
