//! Message ROPs — [MS-OXCMSG] 3.2.5.

use std::{collections::HashSet, sync::Arc};

use watertight_mapi::{
    MapiCode, Mid,
    prop::{PropBag, PropData, tags},
    rop::{
        Request, ResponseBody,
        field::Maybe,
        message::{
            CreateMessageRequest, CreateMessageResponse, OpenMessageRequest, SaveChangesMessageRequest,
            SaveChangesMessageResponse, SetMessageReadFlagRequest, SetMessageReadFlagResponse,
        },
    },
    store::{ItemKind, MessageContent, SaveMessage},
};

use super::{
    Answer, Outcome, Session, failed,
    folder::{CLEAR_READ_FLAG, GENERATE_RECEIPT_ONLY},
    logon::Logon,
    object::{MessageObject, Object, Place},
    property::display_names,
    recipient, refused,
};

/// OpenModeFlags — [MS-OXCMSG] 2.2.3.1.1: ReadOnly, and the bit OpenSoftDeleted.
pub(super) const OPEN_MODE: u8 = 0x03;
pub(super) const READ_ONLY: u8 = 0x00;
/// OpenModeFlags: BestAccess.
const BEST_ACCESS: u8 = 0x03;
const OPEN_SOFT_DELETED: u8 = 0x04;
/// SaveFlags — [MS-OXCMSG] 2.2.3.3.1: ForceSave.
const FORCE_SAVE: u8 = 0x04;

impl Session {
    /// The message of a handle.
    pub(super) fn message_of(&self, request: &Request, handle: u32) -> Result<Arc<MessageObject>, MapiCode> {
        match self.handles.get(request.logon_id, handle)? {
            Object::Message(message) => Ok(Arc::clone(message)),
            _ => Err(MapiCode::NotSupported),
        }
    }

    /// RopOpenMessage — [MS-OXCMSG] 3.2.5.1.
    pub(super) async fn rop_open_message(
        &self,
        request: &Request,
        body: &OpenMessageRequest,
        limit: usize,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let folder = Logon::folder_id(body.folder_id)?;
        let id = Logon::message_id(body.message_id)?;
        let deleted = body.open_mode_flags & OPEN_SOFT_DELETED != 0;
        let message = logon.mailbox.message(id, deleted).await.map_err(failed)?;
        if message.head.folder != folder {
            return refused(MapiCode::NotFound);
        }
        let place = Place::Folder(folder, message.head.kind);
        let writable = match body.open_mode_flags & OPEN_MODE {
            READ_ONLY => false,
            BEST_ACCESS => !logon.is_read_only(),
            _ if logon.is_read_only() => return refused(MapiCode::AccessDenied),
            _ => true,
        };
        let object = MessageObject::new(place, writable, Some(message.head), message.content);
        let summary = recipient::summary(&mut object.state(), limit.saturating_sub(6), self.origin.code_page);
        Ok(Answer::opens(ResponseBody::OpenMessage(summary), Object::Message(Arc::new(object))))
    }

    /// RopCreateMessage — [MS-OXCMSG] 3.2.5.2.
    pub(super) async fn rop_create_message(&self, request: &Request, body: &CreateMessageRequest) -> Outcome {
        let logon = self.logon(request)?;
        let folder = Logon::folder_id(body.folder_id)?;
        logon.mailbox.folder(folder, false).await.map_err(failed)?;
        if logon.is_read_only() {
            return refused(MapiCode::AccessDenied);
        }
        let kind = if body.associated_flag.0 { ItemKind::Associated } else { ItemKind::Normal };
        let content = MessageContent { props: new_message(), ..MessageContent::default() };
        let object = MessageObject::new(Place::Folder(folder, kind), true, None, content);
        object.state().dirty = true;
        let body = CreateMessageResponse { message_id: Maybe(None) };
        Ok(Answer::opens(ResponseBody::CreateMessage(body), Object::Message(Arc::new(object))))
    }

    /// RopSaveChangesMessage — [MS-OXCMSG] 3.2.5.3.
    pub(super) async fn rop_save_changes_message(
        &self,
        request: &Request,
        handle: u32,
        body: &SaveChangesMessageRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let message = self.message_of(request, handle)?;
        if !message.writable {
            return refused(MapiCode::AccessDenied);
        }
        let message_id = match &message.place {
            Place::Attachment(attachment) => {
                let (content, spills) = {
                    let mut state = message.state();
                    state.dirty = false;
                    (state.whole(), std::mem::take(&mut state.spills))
                };
                let mut state = attachment.state();
                state.attachment.embedded = Some(Box::new(content));
                state.attachment.props.set(tags::ATTACH_METHOD, 5);
                state.spills.extend(spills);
                Mid::default()
            }
            Place::Folder(folder, kind) => {
                let prepared = {
                    let mut state = message.state();
                    prepare(&mut state);
                    (state.head.clone(), state.dirty, state.read, state.whole())
                };
                match prepared {
                    (Some(head), false, _, _) => Logon::mid(head.id),
                    (head, _, read, content) => {
                        let mut expected = head.as_ref().map(|head| head.change_number);
                        if let (Some(head), true) = (&head, body.save_flags & FORCE_SAVE != 0) {
                            let now = logon.mailbox.message(head.id, false).await.map_err(failed)?;
                            expected = Some(now.head.change_number);
                        }
                        let save = SaveMessage {
                            folder: *folder,
                            id: head.map(|head| head.id),
                            expected,
                            kind: *kind,
                            read,
                            modified: None,
                            content,
                        };
                        let saved = logon.mailbox.save_messages(vec![save]).await.map_err(failed)?;
                        let Some(saved) = saved.into_iter().next() else {
                            return refused(MapiCode::GeneralFailure);
                        };
                        let mid = Logon::mid(saved.id);
                        let mut state = message.state();
                        state.head = Some(saved);
                        state.dirty = false;
                        let mut referred = HashSet::new();
                        large_values(&state.content, &mut referred);
                        state.spills.drain(..).for_each(|spill| spill.keep_if(&referred));
                        mid
                    }
                }
            }
        };
        let body = SaveChangesMessageResponse { input_index: body.input_index, message_id };
        Ok(Answer::of(ResponseBody::SaveChangesMessage(body)))
    }

    /// RopSetMessageReadFlag — [MS-OXCMSG] 3.2.5.11.
    pub(super) async fn rop_set_message_read_flag(
        &self,
        request: &Request,
        handle: u32,
        body: &SetMessageReadFlagRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let message = self.message_of(request, handle)?;
        let Place::Folder(folder, _) = &message.place else { return refused(MapiCode::NotSupported) };
        let mut changed = 0;
        if body.read_flags & GENERATE_RECEIPT_ONLY == 0 {
            let read = body.read_flags & CLEAR_READ_FLAG == 0;
            let id = message.state().head.as_ref().map(|head| head.id);
            if let Some(id) = id {
                changed = logon.mailbox.set_read(*folder, &[id], read).await.map_err(failed)?;
            }
            let mut state = message.state();
            state.read = read;
            if let Some(head) = &mut state.head {
                head.read = read;
            }
        }
        // ReadStatusChanged speaks of public folders only — [MS-OXCMSG] 2.2.3.11.2.
        let client_data = body.client_data.filter(|_| changed > 0).map(|data| (request.logon_id, data));
        let body = SetMessageReadFlagResponse { changed: client_data.is_some().into(), client_data };
        Ok(Answer::of(ResponseBody::SetMessageReadFlag(body)))
    }
}

/// The properties that a new message has — [MS-OXCMSG] 3.2.5.2.
pub(super) fn new_message() -> PropBag {
    let mut props = PropBag::default();
    props.set(tags::IMPORTANCE, 1);
    props.set(tags::MESSAGE_CLASS, "IPM.Note");
    props.set(tags::SENSITIVITY, 0);
    // mfRead | mfUnsent.
    props.set(tags::MESSAGE_FLAGS, 9);
    props.set(tags::TRUST_SENDER, 1);
    let mut key = [0; 16];
    if getrandom::fill(&mut key).is_ok() {
        props.set(tags::SEARCH_KEY, key.to_vec());
    }
    props
}

/// Makes what follows from the recipients, so that tables find it.
fn prepare(state: &mut super::object::MessageState) {
    if !state.dirty {
        return;
    }
    for (tag, kind) in [(tags::DISPLAY_TO, 1), (tags::DISPLAY_CC, 2), (tags::DISPLAY_BCC, 3)] {
        let names = display_names(state.recipients.iter().map(|(_, bag)| bag), kind);
        state.content.props.set(tag, names);
    }
}

/// The large values to which a message refers, those of its attachments and of messages in it too.
fn large_values(content: &MessageContent, ids: &mut HashSet<u64>) {
    let mut bag = |bag: &PropBag| {
        ids.extend(bag.0.iter().filter_map(|prop| match &prop.value {
            PropData::Large(value) => Some(value.id),
            PropData::Inline(_) => None,
        }));
    };
    bag(&content.props);
    content.attachments.iter().for_each(|attachment| bag(&attachment.props));
    for inner in content.attachments.iter().filter_map(|attachment| attachment.embedded.as_ref()) {
        large_values(inner, ids);
    }
}
