//! Folders.

use watertight_mapi::Fid;
use watertight_mapi::ics::State;
use watertight_mapi::rop::folder::OpenFolderRequest;
use watertight_mapi::rop::{INVALID_HANDLE, Request, RequestBody};

use crate::download::Download;
use crate::error::Error;
use crate::handle::ServerHandle;
use crate::logon::{Logon, unexpected};
use crate::start::{Plan, Which, start_one};
use crate::sync_options::{SyncOptions, hierarchy};

/// An open folder.
#[derive(Debug)]
pub struct Folder {
    logon: Logon,
    id: Fid,
    handle: ServerHandle,
}

impl Folder {
    pub(crate) async fn open(logon: &Logon, id: Fid) -> Result<Self, Error> {
        let requests = [open(id, 0, 1)];
        let table = [logon.handle().raw(), INVALID_HANDLE];
        let mut replies = logon.requester.ask(&requests, &table, &[]).await?;
        replies.success(0, "RopOpenFolder")?;
        let handle = replies.take(1).ok_or_else(|| unexpected("RopOpenFolder gave no handle"))?;
        Ok(Self { logon: logon.clone(), id, handle })
    }

    /// The folder's id.
    #[must_use]
    pub const fn id(&self) -> Fid {
        self.id
    }

    /// The handle, for [`Session::execute`](crate::Session::execute).
    #[must_use]
    pub const fn handle(&self) -> &ServerHandle {
        &self.handle
    }

    /// The logon that it was opened in.
    #[must_use]
    pub const fn logon(&self) -> &Logon {
        &self.logon
    }

    /// Downloads what changed in the folders below this one since `state`.
    ///
    /// # Errors
    /// When the synchronization cannot be started.
    pub async fn sync_hierarchy(&self, state: &State) -> Result<Download, Error> {
        let plan = Plan { folder: Which::Open(self.handle.raw()), configure: hierarchy(), state };
        start_one(&self.logon, plan).await
    }

    /// Downloads what changed in this folder since `state`.
    ///
    /// # Errors
    /// When the synchronization cannot be started.
    pub async fn sync_contents(&self, state: &State, options: &SyncOptions) -> Result<Download, Error> {
        let plan = Plan { folder: Which::Open(self.handle.raw()), configure: options.configure(), state };
        start_one(&self.logon, plan).await
    }
}

/// RopOpenFolder — [MS-OXCROPS] 2.2.4.1.
pub(crate) const fn open(folder_id: Fid, input: u8, output_index: u8) -> Request {
    Request::new(
        input,
        RequestBody::OpenFolder(OpenFolderRequest { output_index, folder_id, open_mode_flags: 0 }),
    )
}
