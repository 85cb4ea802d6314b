//! Folder ROPs — [MS-OXCFOLD] 3.2.5.

mod tree;

use watertight_mapi::{
    MapiCode, Mid,
    prop::{PropBag, tags},
    rop::{
        Request, RequestBody, ResponseBody,
        field::{ExistingFolder, Maybe},
        folder::{
            CreateFolderRequest, CreateFolderResponse, DeleteFolderRequest, MoveCopyMessagesRequest,
            MovedResponse, OpenFolderRequest, OpenFolderResponse, PartialCompletionResponse,
        },
        message::SetReadFlagsRequest,
    },
    store::{
        DeleteFolder, FolderId, FolderKind, MessageId, MoveCopy, NewFolder, Outcome as Completion, StoreError,
    },
};

use super::{Answer, Outcome, Refusal, Session, failed, logon::Logon, object::Object, refused};

/// OpenModeFlags — [MS-OXCFOLD] 2.2.1.1.1: OpenSoftDeleted.
const OPEN_SOFT_DELETED: u8 = 0x04;
/// FolderType — [MS-OXCFOLD] 2.2.1.2.1: a generic folder.
const GENERIC: u8 = 1;
/// FolderType: a search folder.
const SEARCH: u8 = 2;
/// DeleteFolderFlags — [MS-OXCFOLD] 2.2.1.3.1: DEL_MESSAGES, DEL_FOLDERS, DELETE_HARD_DELETE.
const DEL_MESSAGES: u8 = 0x01;
const DEL_FOLDERS: u8 = 0x04;
const DELETE_HARD_DELETE: u8 = 0x10;
/// ReadFlags — [MS-OXCMSG] 2.2.3.10.1: rfClearReadFlag, rfGenerateReceiptOnly.
pub(super) const CLEAR_READ_FLAG: u8 = 0x04;
pub(super) const GENERATE_RECEIPT_ONLY: u8 = 0x10;

impl Session {
    /// The folder of a handle.
    pub(super) fn folder_of(&self, request: &Request, handle: u32) -> Result<FolderId, MapiCode> {
        match self.handles.get(request.logon_id, handle)? {
            Object::Folder(id) => Ok(*id),
            _ => Err(MapiCode::NotSupported),
        }
    }

    /// RopOpenFolder — [MS-OXCFOLD] 3.2.5.1.
    pub(super) async fn rop_open_folder(&self, request: &Request, body: &OpenFolderRequest) -> Outcome {
        let logon = self.logon(request)?;
        let id = Logon::folder_id(body.folder_id)?;
        let deleted = body.open_mode_flags & OPEN_SOFT_DELETED != 0;
        logon.mailbox.folder(id, deleted).await.map_err(failed)?;
        let body = OpenFolderResponse { has_rules: false.into(), ghosted: Maybe(None) };
        Ok(Answer::opens(ResponseBody::OpenFolder(body), Object::Folder(id)))
    }

    /// RopCreateFolder — [MS-OXCFOLD] 3.2.5.2.
    pub(super) async fn rop_create_folder(
        &self,
        request: &Request,
        handle: u32,
        body: &CreateFolderRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let parent = self.folder_of(request, handle)?;
        let text = |text: &watertight_mapi::rop::field::Text| match text {
            watertight_mapi::rop::field::Text::Narrow(bytes) => {
                super::text::decode(self.origin.code_page, bytes)
            }
            watertight_mapi::rop::field::Text::Wide(text) => text.clone(),
        };
        match body.folder_type {
            GENERIC => {}
            SEARCH => return refused(MapiCode::NotSupported),
            _ => return refused(MapiCode::InvalidParameter),
        }
        let (name, comment) = (text(&body.display_name), text(&body.comment));
        if name.is_empty() {
            return refused(MapiCode::InvalidParameter);
        }
        let mut props = PropBag::default();
        if !comment.is_empty() {
            props.set(tags::COMMENT, comment);
        }
        let new =
            NewFolder { parent, name, kind: FolderKind::Generic, props, open_existing: body.open_existing.0 };
        let (folder, existed) = logon.mailbox.create_folder(new).await.map_err(failed)?;
        let existing = existed.then(|| ExistingFolder { has_rules: false.into(), ghosted: Maybe(None) });
        let body = CreateFolderResponse { folder_id: Logon::fid(folder.id), existing: Maybe(existing) };
        Ok(Answer::opens(ResponseBody::CreateFolder(body), Object::Folder(folder.id)))
    }

    /// RopDeleteFolder — [MS-OXCFOLD] 3.2.5.3.
    pub(super) async fn rop_delete_folder(
        &self,
        request: &Request,
        handle: u32,
        body: &DeleteFolderRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let parent = self.folder_of(request, handle)?;
        let id = Logon::folder_id(body.folder_id)?;
        let how = DeleteFolder {
            messages: body.delete_folder_flags & DEL_MESSAGES != 0,
            folders: body.delete_folder_flags & DEL_FOLDERS != 0,
            hard: body.delete_folder_flags & DELETE_HARD_DELETE != 0,
        };
        let folder = logon.mailbox.folder(id, how.hard).await.map_err(failed)?;
        if folder.parent != Some(parent) {
            return refused(MapiCode::NotFound);
        }
        let done = logon.mailbox.delete_folder(id, how).await.map_err(failed)?;
        Ok(Answer::of(ResponseBody::DeleteFolder(partial(done))))
    }

    /// RopDeleteMessages, RopHardDeleteMessages — [MS-OXCFOLD] 3.2.5.11, 3.2.5.12.
    pub(super) async fn rop_delete_messages(
        &self,
        request: &Request,
        handle: u32,
        message_ids: &[Mid],
        hard: bool,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let folder = self.folder_of(request, handle)?;
        let (ids, foreign) = own(message_ids);
        let done = logon.mailbox.delete_messages(folder, &ids, hard).await.map_err(failed)?;
        let response = partial(if foreign { Completion::Partial } else { done });
        Ok(Answer::of(match request.body {
            RequestBody::HardDeleteMessages(_) => ResponseBody::HardDeleteMessages(response),
            _ => ResponseBody::DeleteMessages(response),
        }))
    }

    /// RopMoveCopyMessages — [MS-OXCFOLD] 3.2.5.6.
    pub(super) async fn rop_move_copy_messages(
        &self,
        request: &Request,
        handle: u32,
        handles: &[u32],
        body: &MoveCopyMessagesRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let from = self.folder_of(request, handle)?;
        let dest = handles
            .get(usize::from(body.dest_index))
            .and_then(|&handle| self.handles.get(request.logon_id, handle).ok());
        let Some(dest) = dest else {
            let body = MovedResponse {
                dest_index: Some(u32::from(body.dest_index)),
                partial_completion: false.into(),
            };
            let body = Some(Box::new(ResponseBody::MoveCopyMessages(body)));
            return Err(Refusal { code: MapiCode::DestinationNullObject, body });
        };
        let Object::Folder(to) = dest else { return refused(MapiCode::NotSupported) };
        let (ids, foreign) = own(&body.message_ids);
        let job = MoveCopy { from, to: *to, ids, copy: body.want_copy.0 };
        let heads = logon.mailbox.move_copy(job).await.map_err(failed)?;
        let partial_completion = (foreign || heads.iter().any(Option::is_none)).into();
        let body = MovedResponse { dest_index: None, partial_completion };
        Ok(Answer::of(ResponseBody::MoveCopyMessages(body)))
    }

    /// RopSetReadFlags — [MS-OXCMSG] 3.2.5.10.
    pub(super) async fn rop_set_read_flags(
        &self,
        request: &Request,
        handle: u32,
        body: &SetReadFlagsRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let folder = self.folder_of(request, handle)?;
        let (ids, foreign) = own(&body.message_ids);
        let mut done = if foreign { Completion::Partial } else { Completion::Complete };
        // Nothing but foreign ids is not the empty list, which stands for all.
        let any = body.message_ids.is_empty() || !ids.is_empty();
        if body.read_flags & GENERATE_RECEIPT_ONLY == 0 && any {
            let read = body.read_flags & CLEAR_READ_FLAG == 0;
            match logon.mailbox.set_read(folder, &ids, read).await {
                Ok(_) => {}
                Err(StoreError::NotFound("message")) => done = Completion::Partial,
                Err(error) => return Err(failed(error).into()),
            }
        }
        Ok(Answer::of(ResponseBody::SetReadFlags(partial(done))))
    }
}

fn partial(done: Completion) -> PartialCompletionResponse {
    PartialCompletionResponse { partial_completion: (done == Completion::Partial).into() }
}

/// The messages of MIDs, and whether some MID is of another replica.
fn own(ids: &[Mid]) -> (Vec<MessageId>, bool) {
    let own: Vec<MessageId> = ids.iter().filter_map(|&mid| Logon::message_id(mid).ok()).collect();
    let foreign = own.len() != ids.len();
    (own, foreign)
}
