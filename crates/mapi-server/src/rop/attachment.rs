//! Attachments and embedded messages — [MS-OXCMSG] 3.2.5.12 to 3.2.5.18.

use std::sync::Arc;

use watertight_mapi::{
    MapiCode, Mid,
    prop::{PropBag, tags},
    rop::{
        Request, ResponseBody,
        field::Empty,
        message::{
            CreateAttachmentResponse, DeleteAttachmentRequest, GetValidAttachmentsResponse,
            OpenAttachmentRequest, OpenEmbeddedMessageRequest,
        },
        recipient::OpenEmbeddedMessageResponse,
    },
    store::{Attachment, MessageContent},
};

use super::{
    Answer, Outcome, Session,
    logon::now,
    message::{OPEN_MODE, READ_ONLY, new_message},
    object::{AttachmentObject, MessageObject, Object, Place},
    recipient, refused,
    table::Table,
};

/// OpenModeFlags of RopOpenEmbeddedMessage — [MS-OXCMSG] 2.2.3.16.1: Create.
const CREATE: u8 = 0x02;
/// Attachments that one message may have.
const MOST: usize = 4096;

impl Session {
    fn attachment_of(&self, request: &Request, handle: u32) -> Result<Arc<AttachmentObject>, MapiCode> {
        match self.handles.get(request.logon_id, handle)? {
            Object::Attachment(attachment) => Ok(Arc::clone(attachment)),
            _ => Err(MapiCode::NotSupported),
        }
    }

    /// RopGetAttachmentTable — [MS-OXCMSG] 3.2.5.17.
    pub(super) fn rop_get_attachment_table(&self, request: &Request, handle: u32) -> Outcome {
        let message = self.message_of(request, handle)?;
        let table = Object::Table(Box::new(Table::attachments(message)));
        Ok(Answer::opens(ResponseBody::GetAttachmentTable(Empty), table))
    }

    /// RopGetValidAttachments — [MS-OXCMSG] 2.2.3.18.
    pub(super) fn rop_get_valid_attachments(&self, request: &Request, handle: u32, limit: usize) -> Outcome {
        let message = self.message_of(request, handle)?;
        let attachment_ids: Vec<u32> = message.state().content.attachments.iter().map(|a| a.number).collect();
        if attachment_ids.len() > limit.saturating_sub(8) / 4 {
            return refused(MapiCode::BufferTooSmall);
        }
        let body = GetValidAttachmentsResponse { attachment_ids: attachment_ids.into() };
        Ok(Answer::of(ResponseBody::GetValidAttachments(body)))
    }

    /// RopOpenAttachment — [MS-OXCMSG] 3.2.5.12.
    pub(super) fn rop_open_attachment(
        &self,
        request: &Request,
        handle: u32,
        body: &OpenAttachmentRequest,
    ) -> Outcome {
        let message = self.message_of(request, handle)?;
        let found =
            message.state().content.attachments.iter().find(|a| a.number == body.attachment_id).cloned();
        let Some(attachment) = found else { return refused(MapiCode::NotFound) };
        let writable = message.writable && body.open_flags & OPEN_MODE != READ_ONLY;
        let object = AttachmentObject::new(message, writable, attachment);
        Ok(Answer::opens(ResponseBody::OpenAttachment(Empty), Object::Attachment(Arc::new(object))))
    }

    /// RopCreateAttachment — [MS-OXCMSG] 3.2.5.13.
    pub(super) fn rop_create_attachment(&self, request: &Request, handle: u32) -> Outcome {
        let message = self.message_of(request, handle)?;
        if !message.writable {
            return refused(MapiCode::AccessDenied);
        }
        let number = {
            let mut state = message.state();
            if state.content.attachments.len() >= MOST {
                return refused(MapiCode::MaxAttachmentExceeded);
            }
            let number = state.next_attachment;
            state.next_attachment = number.saturating_add(1);
            number
        };
        let mut props = PropBag::default();
        props.set(tags::RENDERING_POSITION, -1);
        props.set(tags::CREATION_TIME, now());
        props.set(tags::LAST_MODIFICATION_TIME, now());
        let attachment = Attachment { number, props, embedded: None };
        let object = AttachmentObject::new(message, true, attachment);
        let body = CreateAttachmentResponse { attachment_id: number };
        Ok(Answer::opens(ResponseBody::CreateAttachment(body), Object::Attachment(Arc::new(object))))
    }

    /// RopDeleteAttachment — [MS-OXCMSG] 3.2.5.15.
    pub(super) fn rop_delete_attachment(
        &self,
        request: &Request,
        handle: u32,
        body: &DeleteAttachmentRequest,
    ) -> Outcome {
        let message = self.message_of(request, handle)?;
        if !message.writable {
            return refused(MapiCode::AccessDenied);
        }
        let mut state = message.state();
        let before = state.content.attachments.len();
        state.content.attachments.retain(|a| a.number != body.attachment_id);
        if state.content.attachments.len() == before {
            return refused(MapiCode::NotFound);
        }
        state.dirty = true;
        Ok(Answer::of(ResponseBody::DeleteAttachment(Empty)))
    }

    /// RopSaveChangesAttachment — [MS-OXCMSG] 3.2.5.14. It reaches the store when the message is saved.
    pub(super) fn rop_save_changes_attachment(&self, request: &Request, handle: u32) -> Outcome {
        let object = self.attachment_of(request, handle)?;
        if !object.writable {
            return refused(MapiCode::AccessDenied);
        }
        let (attachment, spills) = {
            let state = object.state();
            (state.attachment.clone(), state.spills.clone())
        };
        let mut state = object.message.state();
        let attachments = &mut state.content.attachments;
        match attachments.iter_mut().find(|a| a.number == attachment.number) {
            Some(slot) => *slot = attachment,
            None => attachments.push(attachment),
        }
        state.spills.extend(spills);
        state.dirty = true;
        Ok(Answer::of(ResponseBody::SaveChangesAttachment(Empty)))
    }

    /// RopOpenEmbeddedMessage — [MS-OXCMSG] 3.2.5.16.
    pub(super) fn rop_open_embedded_message(
        &self,
        request: &Request,
        handle: u32,
        body: &OpenEmbeddedMessageRequest,
        limit: usize,
    ) -> Outcome {
        let attachment = self.attachment_of(request, handle)?;
        let content = attachment.state().attachment.embedded.clone();
        let create = body.open_mode_flags & CREATE != 0;
        let (content, fresh) = match content {
            Some(content) => (*content, false),
            None if create && attachment.writable => {
                (MessageContent { props: new_message(), ..MessageContent::default() }, true)
            }
            None => return refused(MapiCode::NotFound),
        };
        let writable = attachment.writable && body.open_mode_flags & OPEN_MODE != READ_ONLY;
        let object = MessageObject::new(Place::Attachment(attachment), writable, None, content);
        object.state().dirty = fresh;
        let summary =
            recipient::summary(&mut object.state(), limit.saturating_sub(15), self.origin.code_page);
        let body = OpenEmbeddedMessageResponse { message_id: Mid::default(), summary };
        Ok(Answer::opens(ResponseBody::OpenEmbeddedMessage(body), Object::Message(Arc::new(object))))
    }
}
