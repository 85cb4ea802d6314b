//! Whole folders, moved, copied and emptied — [MS-OXCFOLD] 3.2.5.7 to 3.2.5.10.

use std::collections::HashMap;

use watertight_mapi::{
    Fid, MapiCode,
    rop::{
        Request, RequestBody, ResponseBody,
        field::Text,
        folder::{CopyFolderRequest, MoveFolderRequest, MovedResponse},
    },
    store::{
        DeleteFolder, Depth, Folder, FolderId, FolderKind, ItemKind, Mailbox, MessageId, MoveCopy, NewFolder,
        Outcome as Completion, SpecialFolder, StoreError,
    },
};

use super::partial;
use crate::rop::{Answer, Outcome, Refusal, Session, failed, logon::Logon, object::Object, refused, text};

/// Messages that are copied or deleted in one transaction.
const AT_ONCE: usize = 256;
/// Folders that are asked of the store at once.
const PAGE: usize = 64;

/// What is moved or copied, and where to.
struct Job {
    folder: Folder,
    to: FolderId,
    /// The name that it gets, when the client gives one.
    name: Option<String>,
}

impl Session {
    /// RopMoveFolder — [MS-OXCFOLD] 3.2.5.7.
    pub(in super::super) async fn rop_move_folder(
        &self,
        request: &Request,
        handle: u32,
        handles: &[u32],
        body: &MoveFolderRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let job = self.job(request, handle, handles, body.dest_index, body.folder_id, &body.new_name).await?;
        let moved = logon.mailbox.move_folder(job.folder.id, job.to, job.name).await;
        moved.map_err(|error| not_done(request, failed(error)))?;
        Ok(Answer::of(ResponseBody::MoveFolder(MovedResponse::default())))
    }

    /// RopCopyFolder — [MS-OXCFOLD] 3.2.5.8.
    pub(in super::super) async fn rop_copy_folder_tree(
        &self,
        request: &Request,
        handle: u32,
        handles: &[u32],
        body: &CopyFolderRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let mailbox = &*logon.mailbox;
        let job = self.job(request, handle, handles, body.dest_index, body.folder_id, &body.new_name).await?;
        // Listed before anything is made, so that a copy is never copied again.
        let mut folders = vec![job.folder.clone()];
        if body.want_recursive.0 {
            folders.extend(below(mailbox, job.folder.id, Depth::All).await?);
            if folders.iter().any(|folder| folder.id == job.to) {
                return Err(not_done(request, MapiCode::FolderCycle));
            }
        }
        let mut copies: HashMap<FolderId, FolderId> = HashMap::new();
        let mut done = Completion::Complete;
        for folder in folders {
            let top = folder.id == job.folder.id;
            let parent = match folder.parent.and_then(|parent| copies.get(&parent)) {
                _ if top => job.to,
                Some(&copy) => copy,
                // The folder above it went away meanwhile.
                None => continue,
            };
            let name = if top { job.name.clone() } else { None }.unwrap_or(folder.name);
            let new = NewFolder {
                parent,
                name,
                kind: FolderKind::Generic,
                props: folder.props,
                open_existing: false,
            };
            match mailbox.create_folder(new).await {
                Ok((copy, _)) => {
                    copies.insert(folder.id, copy.id);
                    if copy_messages(mailbox, folder.id, copy.id).await? == Completion::Partial {
                        done = Completion::Partial;
                    }
                }
                Err(error) if top => return Err(not_done(request, failed(error))),
                Err(error) => {
                    failed(error);
                    done = Completion::Partial;
                }
            }
        }
        let partial_completion = (done == Completion::Partial).into();
        Ok(Answer::of(ResponseBody::CopyFolder(MovedResponse { dest_index: None, partial_completion })))
    }

    /// RopEmptyFolder, RopHardDeleteMessagesAndSubfolders — [MS-OXCFOLD] 3.2.5.9, 3.2.5.10.
    pub(in super::super) async fn rop_empty_folder(
        &self,
        request: &Request,
        handle: u32,
        associated: bool,
        hard: bool,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let mailbox = &*logon.mailbox;
        let id = self.folder_of(request, handle)?;
        let folder = mailbox.folder(id, false).await.map_err(failed)?;
        if folder.kind != FolderKind::Generic || id == mailbox.special(SpecialFolder::Root) {
            return refused(MapiCode::NotSupported);
        }
        let mut done = Completion::Complete;
        let kinds =
            if associated { &[ItemKind::Normal, ItemKind::Associated][..] } else { &[ItemKind::Normal] };
        for &kind in kinds {
            let ids = messages(mailbox, id, kind).await?;
            for ids in ids.chunks(AT_ONCE) {
                if mailbox.delete_messages(id, ids, hard).await.map_err(failed)? == Completion::Partial {
                    done = Completion::Partial;
                }
            }
        }
        for child in below(mailbox, id, Depth::Children).await? {
            let how = DeleteFolder { messages: true, folders: true, hard };
            match mailbox.delete_folder(child.id, how).await {
                Ok(Completion::Complete) => {}
                // Gone already is what was wanted.
                Err(StoreError::NotFound(_)) => {}
                Ok(Completion::Partial) | Err(StoreError::Denied(_)) => done = Completion::Partial,
                Err(error) => return Err(failed(error).into()),
            }
        }
        Ok(Answer::of(match request.body {
            RequestBody::EmptyFolder(_) => ResponseBody::EmptyFolder(partial(done)),
            _ => ResponseBody::HardDeleteMessagesAndSubfolders(partial(done)),
        }))
    }

    /// The folder that a request names below the folder of its first handle, and that of its second.
    async fn job(
        &self,
        request: &Request,
        handle: u32,
        handles: &[u32],
        dest_index: u8,
        folder_id: Fid,
        name: &Text,
    ) -> Result<Job, Refusal> {
        let logon = self.logon(request)?;
        let parent = self.folder_of(request, handle)?;
        let dest = handles
            .get(usize::from(dest_index))
            .and_then(|&handle| self.handles.get(request.logon_id, handle).ok());
        let Some(dest) = dest else {
            let nowhere =
                MovedResponse { dest_index: Some(u32::from(dest_index)), partial_completion: false.into() };
            let body = match request.body {
                RequestBody::MoveFolder(_) => ResponseBody::MoveFolder(nowhere),
                _ => ResponseBody::CopyFolder(nowhere),
            };
            return Err(Refusal { code: MapiCode::DestinationNullObject, body: Some(Box::new(body)) });
        };
        let Object::Folder(to) = dest else { return Err(MapiCode::NotSupported.into()) };
        let folder = logon.mailbox.folder(Logon::folder_id(folder_id)?, false).await.map_err(failed)?;
        if folder.parent != Some(parent) {
            return Err(MapiCode::NotFound.into());
        }
        let name = match name {
            Text::Narrow(bytes) => text::decode(self.origin.code_page, bytes),
            Text::Wide(text) => text.clone(),
        };
        Ok(Job { folder, to: *to, name: Some(name).filter(|name| !name.is_empty()) })
    }
}

/// A refusal that says, as the captured server does, that something was left undone.
fn not_done(request: &Request, code: MapiCode) -> Refusal {
    let left = MovedResponse { dest_index: None, partial_completion: true.into() };
    let body = match request.body {
        RequestBody::MoveFolder(_) => ResponseBody::MoveFolder(left),
        _ => ResponseBody::CopyFolder(left),
    };
    Refusal { code, body: Some(Box::new(body)) }
}

/// The folders below a folder, parents before their children.
async fn below(mailbox: &dyn Mailbox, root: FolderId, depth: Depth) -> Result<Vec<Folder>, MapiCode> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = mailbox.folders(root, depth, false, after.as_ref(), PAGE).await.map_err(failed)?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// The messages of a kind in a folder.
async fn messages(
    mailbox: &dyn Mailbox,
    folder: FolderId,
    kind: ItemKind,
) -> Result<Vec<MessageId>, MapiCode> {
    let ids = mailbox.message_ids(folder, kind).await.map_err(failed)?;
    Ok(ids.iter().map(MessageId).collect())
}

/// Copies all messages of a folder, some at a time.
async fn copy_messages(mailbox: &dyn Mailbox, from: FolderId, to: FolderId) -> Result<Completion, MapiCode> {
    let mut done = Completion::Complete;
    for kind in [ItemKind::Normal, ItemKind::Associated] {
        for ids in messages(mailbox, from, kind).await?.chunks(AT_ONCE) {
            let job = MoveCopy { from, to, ids: ids.to_vec(), copy: true };
            let heads = mailbox.move_copy(job).await.map_err(failed)?;
            if heads.iter().any(Option::is_none) {
                done = Completion::Partial;
            }
        }
    }
    Ok(done)
}
