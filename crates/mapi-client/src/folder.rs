//! Folders — [MS-OXCFOLD].

use std::fmt;
use std::ops::Deref;

use watertight_mapi::ics::State;
use watertight_mapi::rop::field::Text;
use watertight_mapi::rop::folder::{
    CopyFolderRequest, CreateFolderRequest, DeleteFolderRequest, DeleteMessagesRequest, EmptyFolderRequest,
    GetContentsTableRequest, GetHierarchyTableRequest, HardDeleteMessagesAndSubfoldersRequest,
    HardDeleteMessagesRequest, MoveCopyMessagesRequest, MoveFolderRequest, MovedResponse, OpenFolderRequest,
    PartialCompletionResponse,
};
use watertight_mapi::rop::message::{GetMessageStatusRequest, SetMessageStatusRequest, SetReadFlagsRequest};
use watertight_mapi::rop::{Request, RequestBody, ResponseBody};
use watertight_mapi::{Fid, MapiCode, Mid};

use crate::download::Download;
use crate::error::Error;
use crate::logon::{Logon, unexpected};
use crate::object::batch::{Batch, MAX_OBJECTS, body};
use crate::object::message::{self, Access, Associated, Message, ReadFlag};
use crate::object::table::{Table, View};
use crate::object::{Kind, Object};
use crate::start::{Plan, Which, start_one};
use crate::sync_options::{SyncOptions, hierarchy};

/// Messages in one request.
const MAX_IDS: usize = 3000;
/// NoNotifications — [MS-OXCFOLD] 2.2.1.13.1, 2.2.1.14.1: nobody here asks for those of tables.
const NO_NOTIFICATIONS: u8 = 0x10;
/// Messages that are opened in one request: each answer has some room then.
const MAX_OPEN: usize = 64;
const _: () = assert!(MAX_OPEN < MAX_OBJECTS, "a request that opens more than the next one can release");

/// An open folder (the role of `IMAPIFolder`). Its properties are those of an [`Object`]; changes last at once.
#[doc(alias = "IMAPIFolder")]
pub struct Folder {
    object: Object,
    id: Fid,
}

impl Deref for Folder {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.object
    }
}

/// Which folders a hierarchy table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// The folders in this one.
    #[default]
    Children,
    /// All below it, with PidTagDepth.
    All,
}

/// Whether an operation on several objects reached all of them — [MS-OXCROPS] PartialCompletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "some objects may have been left out"]
pub enum Completion {
    /// All.
    All,
    /// Some could not be.
    Part,
}

impl Completion {
    fn and(self, other: Self) -> Self {
        if self == Self::All { other } else { Self::Part }
    }
}

/// Whether what is deleted can be recovered — [MS-OXCFOLD] 2.2.1.11, 2.2.1.12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deletion {
    /// The server may keep it for a while.
    #[default]
    Soft,
    /// It is gone.
    Hard,
}

/// What to do with messages or a folder that go elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// They leave here.
    Move,
    /// They stay here too.
    Copy,
}

impl Folder {
    pub(crate) async fn open(logon: &Logon, id: Fid) -> Result<Self, Error> {
        let mut batch = Batch::on(logon.handle().raw());
        let (at, output) = batch.open(0, |output_index| open(id, 0, output_index).body)?;
        let mut answers = batch.ask(&logon.requester).await?;
        answers.done(at)?;
        Ok(Self { object: Object::new(logon, answers.object(output)?, Kind::Folder), id })
    }

    /// The folder's id.
    #[must_use]
    pub const fn id(&self) -> Fid {
        self.id
    }

    /// Downloads what changed in the folders below this one since `state`.
    ///
    /// # Errors
    /// When the synchronization cannot be started.
    pub async fn sync_hierarchy(&self, state: &State) -> Result<Download, Error> {
        let plan = Plan { folder: Which::Open(self.handle().raw()), configure: hierarchy(), state };
        start_one(self.logon(), plan).await
    }

    /// Downloads what changed in this folder since `state`.
    ///
    /// # Errors
    /// When the synchronization cannot be started.
    pub async fn sync_contents(&self, state: &State, options: &SyncOptions) -> Result<Download, Error> {
        let plan = Plan { folder: Which::Open(self.handle().raw()), configure: options.configure(), state };
        start_one(self.logon(), plan).await
    }

    /// The table of its subfolders — [MS-OXCFOLD] 2.2.1.13 RopGetHierarchyTable.
    ///
    /// # Errors
    /// [`Error::Refused`], with TooComplex for what the server cannot show so.
    #[doc(alias = "GetHierarchyTable")]
    pub async fn hierarchy_table(&self, depth: Depth, view: &View) -> Result<Table, Error> {
        // Depth — [MS-OXCFOLD] 2.2.1.13.1.
        let table_flags = NO_NOTIFICATIONS | if depth == Depth::All { 0x04 } else { 0 };
        let request = |output_index| {
            RequestBody::GetHierarchyTable(GetHierarchyTableRequest { output_index, table_flags })
        };
        Table::open(self.on(), request, view).await
    }

    /// The table of its messages — [MS-OXCFOLD] 2.2.1.14 RopGetContentsTable.
    ///
    /// # Errors
    /// [`Error::Refused`], with TooComplex for what the server cannot show so.
    #[doc(alias = "GetContentsTable")]
    pub async fn contents_table(&self, associated: Associated, view: &View) -> Result<Table, Error> {
        // Associated — [MS-OXCFOLD] 2.2.1.14.1.
        let table_flags = NO_NOTIFICATIONS | if associated == Associated::Yes { 0x02 } else { 0 };
        let request = |output_index| {
            RequestBody::GetContentsTable(GetContentsTableRequest { output_index, table_flags })
        };
        Table::open(self.on(), request, view).await
    }

    /// Opens a folder of the same mailbox.
    ///
    /// # Errors
    /// As [`Logon::open_folder`].
    pub async fn open_folder(&self, id: Fid) -> Result<Self, Error> {
        Self::open(self.logon(), id).await
    }

    /// Makes a folder in this one and opens it; with `open_existing` also one that is there — [MS-OXCFOLD] 2.2.1.2
    /// RopCreateFolder.
    ///
    /// # Errors
    /// [`Error::Refused`], with DuplicateName when there is one of that name.
    #[doc(alias = "CreateFolder")]
    pub async fn create_folder(&self, name: &str, comment: &str, open_existing: bool) -> Result<Self, Error> {
        let mut batch = Batch::on(self.handle().raw());
        let (at, output) = batch.open(0, |output_index| {
            RequestBody::CreateFolder(CreateFolderRequest {
                output_index,
                folder_type: 1,
                open_existing: open_existing.into(),
                reserved: 0,
                display_name: Text::Wide(name.to_owned()),
                comment: Text::Wide(comment.to_owned()),
            })
        })?;
        let mut answers = batch.ask(&self.logon().requester).await?;
        let id = body!(answers, at, CreateFolder)?.folder_id;
        Ok(Self { object: Object::new(self.logon(), answers.object(output)?, Kind::Folder), id })
    }

    /// Deletes a folder in this one, with what is in it — [MS-OXCFOLD] 2.2.1.3 RopDeleteFolder.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "DeleteFolder")]
    pub async fn delete_folder(&self, id: Fid, how: Deletion) -> Result<Completion, Error> {
        // DEL_MESSAGES, DEL_FOLDERS, DELETE_HARD_DELETE.
        let delete_folder_flags = if how == Deletion::Hard { 0x15 } else { 0x05 };
        let request = RequestBody::DeleteFolder(DeleteFolderRequest { delete_folder_flags, folder_id: id });
        self.partly(request, None).await
    }

    /// Deletes a folder in this one when nothing is in it.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Completion::Part`] when there is something in it.
    pub async fn delete_empty_folder(&self, id: Fid) -> Result<Completion, Error> {
        let request =
            RequestBody::DeleteFolder(DeleteFolderRequest { delete_folder_flags: 0, folder_id: id });
        self.partly(request, None).await
    }

    /// Moves a folder in this one to another place under a new name, or copies it with all that is in it —
    /// [MS-OXCFOLD] 2.2.1.7 RopMoveFolder, 2.2.1.8 RopCopyFolder.
    ///
    /// # Errors
    /// [`Error::Refused`], with DuplicateName when the place has a folder of that name.
    #[doc(alias = "CopyFolder")]
    pub async fn transfer_folder(
        &self,
        id: Fid,
        to: &Self,
        new_name: &str,
        how: Transfer,
    ) -> Result<Completion, Error> {
        let request = |dest_index| match how {
            Transfer::Move => RequestBody::MoveFolder(MoveFolderRequest {
                dest_index,
                want_asynchronous: false.into(),
                folder_id: id,
                new_name: Text::Wide(new_name.to_owned()),
            }),
            Transfer::Copy => RequestBody::CopyFolder(CopyFolderRequest {
                dest_index,
                want_asynchronous: false.into(),
                want_recursive: true.into(),
                folder_id: id,
                new_name: Text::Wide(new_name.to_owned()),
            }),
        };
        self.partly_to(request, to).await
    }

    /// Deletes all messages and folders in it, and its FAI messages too when asked for — [MS-OXCFOLD] 2.2.1.9
    /// RopEmptyFolder, 2.2.1.10 RopHardDeleteMessagesAndSubfolders.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "EmptyFolder")]
    pub async fn empty(&self, how: Deletion, associated: Associated) -> Result<Completion, Error> {
        let want_delete_associated = (associated == Associated::Yes).into();
        let want_asynchronous = false.into();
        let request = match how {
            Deletion::Soft => {
                RequestBody::EmptyFolder(EmptyFolderRequest { want_asynchronous, want_delete_associated })
            }
            Deletion::Hard => {
                RequestBody::HardDeleteMessagesAndSubfolders(HardDeleteMessagesAndSubfoldersRequest {
                    want_asynchronous,
                    want_delete_associated,
                })
            }
        };
        self.partly(request, None).await
    }

    /// Makes a message in this folder; it is there when it is saved — [MS-OXCMSG] 2.2.3.2 RopCreateMessage.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "CreateMessage")]
    pub async fn create_message(&self, associated: Associated) -> Result<Message, Error> {
        let mut batch = Batch::on(self.handle().raw());
        let (at, output) =
            batch.open(0, |output_index| message::create(output_index, self.id, associated))?;
        let mut answers = batch.ask(&self.logon().requester).await?;
        answers.done(at)?;
        Ok(Message::made(self.logon(), answers.object(output)?, self.id))
    }

    /// Opens a message of this folder — [MS-OXCMSG] 2.2.3.1 RopOpenMessage.
    ///
    /// # Errors
    /// [`Error::Refused`], with NotFound when it is gone.
    #[doc(alias = "OpenEntry")]
    pub async fn open_message(&self, id: Mid, access: Access) -> Result<Message, Error> {
        let opened = message::open(self.on(), self.id, &[id], access).await?;
        opened.into_iter().next().unwrap_or_else(|| Err(unexpected("RopOpenMessage was not answered")))
    }

    /// Opens messages of this folder in as few requests as that takes. A server lets a session have some hundreds open.
    ///
    /// # Errors
    /// The outer one is about all of them; an inner one about that message alone.
    pub async fn open_messages(
        &self,
        ids: &[Mid],
        access: Access,
    ) -> Result<Vec<Result<Message, Error>>, Error> {
        let mut opened = Vec::with_capacity(ids.len());
        for part in ids.chunks(MAX_OPEN) {
            opened.extend(message::open(self.on(), self.id, part, access).await?);
        }
        Ok(opened)
    }

    /// Deletes messages of this folder — [MS-OXCFOLD] 2.2.1.11 RopDeleteMessages, 2.2.1.12 RopHardDeleteMessages.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "DeleteMessages")]
    pub async fn delete_messages(&self, ids: &[Mid], how: Deletion) -> Result<Completion, Error> {
        let mut all = Completion::All;
        for part in ids.chunks(MAX_IDS) {
            let want_asynchronous = false.into();
            let notify_non_read = false.into();
            let message_ids = part.to_vec().into();
            let request = match how {
                Deletion::Soft => RequestBody::DeleteMessages(DeleteMessagesRequest {
                    want_asynchronous,
                    notify_non_read,
                    message_ids,
                }),
                Deletion::Hard => RequestBody::HardDeleteMessages(HardDeleteMessagesRequest {
                    want_asynchronous,
                    notify_non_read,
                    message_ids,
                }),
            };
            all = all.and(self.partly(request, None).await?);
        }
        Ok(all)
    }

    /// Moves or copies messages of this folder into another; they get new ids there — [MS-OXCFOLD] 2.2.1.6
    /// RopMoveCopyMessages.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "CopyMessages")]
    pub async fn transfer_messages(
        &self,
        ids: &[Mid],
        to: &Self,
        how: Transfer,
    ) -> Result<Completion, Error> {
        let mut all = Completion::All;
        for part in ids.chunks(MAX_IDS) {
            let request = |dest_index| {
                RequestBody::MoveCopyMessages(MoveCopyMessagesRequest {
                    dest_index,
                    message_ids: part.to_vec().into(),
                    want_asynchronous: false.into(),
                    want_copy: (how == Transfer::Copy).into(),
                })
            };
            all = all.and(self.partly_to(request, to).await?);
        }
        Ok(all)
    }

    /// Marks messages of this folder read or unread — [MS-OXCMSG] 2.2.3.10 RopSetReadFlags.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "SetReadFlags")]
    pub async fn set_read_flags(&self, ids: &[Mid], flag: ReadFlag) -> Result<Completion, Error> {
        let mut all = Completion::All;
        for part in ids.chunks(MAX_IDS) {
            let request = RequestBody::SetReadFlags(SetReadFlagsRequest {
                want_asynchronous: false.into(),
                read_flags: flag.flags(),
                message_ids: part.to_vec().into(),
            });
            all = all.and(self.partly(request, None).await?);
        }
        Ok(all)
    }

    /// The status of a message of this folder — [MS-OXCMSG] 2.2.3.9 RopGetMessageStatus.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "GetMessageStatus")]
    pub async fn message_status(&self, id: Mid) -> Result<u32, Error> {
        let mut batch = Batch::on(self.handle().raw());
        let at = batch.push(0, RequestBody::GetMessageStatus(GetMessageStatusRequest { message_id: id }))?;
        let mut answers = batch.ask(&self.logon().requester).await?;
        Ok(body!(answers, at, SetMessageStatus)?.status_flags)
    }

    /// Sets those bits of a message's status that are in `mask`; returns the status that the server answers (what it was
    /// before, by the document) — [MS-OXCMSG] 2.2.3.8
    /// RopSetMessageStatus.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "SetMessageStatus")]
    pub async fn set_message_status(&self, id: Mid, status: u32, mask: u32) -> Result<u32, Error> {
        let mut batch = Batch::on(self.handle().raw());
        let request = SetMessageStatusRequest { message_id: id, status_flags: status, status_mask: mask };
        let at = batch.push(0, RequestBody::SetMessageStatus(request))?;
        let mut answers = batch.ask(&self.logon().requester).await?;
        Ok(body!(answers, at, SetMessageStatus)?.status_flags)
    }

    async fn partly_to(
        &self,
        request: impl FnOnce(u8) -> RequestBody,
        to: &Self,
    ) -> Result<Completion, Error> {
        self.on().with(to.on())?;
        // Source and destination are one place of the table when they are one object.
        let dest_index = u8::from(self.handle().raw() != to.handle().raw());
        self.partly(request(dest_index), Some(to.handle().raw())).await
    }

    /// A ROP that says whether it reached everything.
    async fn partly(&self, request: RequestBody, other: Option<u32>) -> Result<Completion, Error> {
        let mut batch = Batch::on(self.handle().raw());
        if let Some(other) = other {
            batch.object(other);
        }
        let at = batch.push(0, request)?;
        let mut answers = batch.ask(&self.logon().requester).await?;
        let code = answers.code(at);
        let partial = match answers.body(at)? {
            Some(
                ResponseBody::DeleteFolder(PartialCompletionResponse { partial_completion })
                | ResponseBody::EmptyFolder(PartialCompletionResponse { partial_completion })
                | ResponseBody::HardDeleteMessagesAndSubfolders(PartialCompletionResponse {
                    partial_completion,
                })
                | ResponseBody::DeleteMessages(PartialCompletionResponse { partial_completion })
                | ResponseBody::HardDeleteMessages(PartialCompletionResponse { partial_completion })
                | ResponseBody::SetReadFlags(PartialCompletionResponse { partial_completion })
                | ResponseBody::MoveCopyMessages(MovedResponse { partial_completion, .. })
                | ResponseBody::MoveFolder(MovedResponse { partial_completion, .. })
                | ResponseBody::CopyFolder(MovedResponse { partial_completion, .. }),
            ) => partial_completion.0,
            _ => return Err(answers.bodiless(at)),
        };
        let part = partial || code == Some(MapiCode::PartialCompletion);
        Ok(if part { Completion::Part } else { Completion::All })
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("id", &self.id).finish_non_exhaustive()
    }
}

/// RopOpenFolder — [MS-OXCROPS] 2.2.4.1.
pub(crate) const fn open(folder_id: Fid, input: u8, output_index: u8) -> Request {
    Request::new(
        input,
        RequestBody::OpenFolder(OpenFolderRequest { output_index, folder_id, open_mode_flags: 0 }),
    )
}
