//! A logon to a mailbox.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use watertight_mapi::prop::{Prop, PropBag, tags};
use watertight_mapi::rop::field::{Bytes16, LongTermId};
use watertight_mapi::rop::logon::{
    IdFromLongTermIdRequest, LogonRequest, LogonResponse, LongTermIdFromIdRequest,
};
use watertight_mapi::rop::{INVALID_HANDLE, Request, RequestBody, Response, ResponseBody};
use watertight_mapi::{Fid, GlobCnt, MapiCode, Mid, PropTag, PropValue, ReplId};
use watertight_wire::Guid;

use crate::error::{Error, MailboxError, ProtocolError, SignInError};
use crate::folder::{Depth, Folder};
use crate::handle::ServerHandle;
use crate::object::message::{self, Access, Message};
use crate::object::names::Names;
use crate::object::props::{self, On, Problem};
use crate::object::table::View;
use crate::session::{Replies, Requester, Session};

/// Private — [MS-OXCSTOR] 2.2.1.1.1.
const LOGON_PRIVATE: u8 = 0x01;
/// PUBLIC, HOME_LOGON, USE_PER_MDB_REPLID_MAPPING — [MS-OXCSTOR] 2.2.1.1.1.
const PUBLIC_FLAGS: u32 = 0x0100_0006;
/// USE_PER_MDB_REPLID_MAPPING, HOME_LOGON, TAKE_OWNERSHIP — [MS-OXCSTOR] 2.2.1.1.1.
const OPEN_FLAGS: u32 = 0x0100_000C;

/// The folders whose ids RopLogon gives — [MS-OXCSTOR] 2.2.1.1.3, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpecialFolder {
    /// The root of the mailbox.
    Root,
    /// Deferred actions.
    DeferredAction,
    /// The spooler queue.
    SpoolerQueue,
    /// The top of what the user sees (IPM subtree).
    IpmSubtree,
    /// The Inbox.
    Inbox,
    /// The Outbox.
    Outbox,
    /// Sent items.
    SentItems,
    /// Deleted items.
    DeletedItems,
    /// Common views.
    CommonViews,
    /// Schedule.
    Schedule,
    /// Search folders.
    Search,
    /// Views.
    Views,
    /// Shortcuts.
    Shortcuts,
}

/// The most folders beside each other through which a path is looked for.
const MOST_FOLDERS: usize = 10_000;
/// Folders that are named where one is not there.
const LISTED: usize = 20;

/// What a logon opens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// The mailbox or archive with this legacy DN.
    Mailbox(String),
    /// The public folders.
    PublicFolders,
}

/// A logon to a mailbox or to the public folders — [MS-OXCSTOR] 3.1.4.1. Clones share it; the last one releases it.
#[derive(Clone)]
pub struct Logon {
    pub(crate) requester: Requester,
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) handle: ServerHandle,
    pub(crate) response: LogonResponse,
    /// Which replica stands behind a REPLID in this logon.
    pub(crate) replicas: Mutex<BTreeMap<ReplId, Guid>>,
    /// The named properties that are known.
    pub(crate) names: Mutex<Names>,
    pub(crate) dn_prefix: String,
}

impl Session {
    /// Logs on to the private mailbox of the user with this DN — [MS-OXCROPS] 2.2.3.1 RopLogon.
    ///
    /// # Errors
    /// [`Error::SignIn`] when the user may not, or when there is no such mailbox here.
    pub async fn logon(&self, dn: &str) -> Result<Logon, Error> {
        self.logon_with(dn, 0).await
    }

    /// Logs on to the public folders — [MS-OXCROPS] 2.2.3.1 RopLogon.
    ///
    /// # Errors
    /// [`Error::Mailbox`] when there are none, or the user may not.
    pub async fn logon_public(&self) -> Result<Logon, Error> {
        let body = LogonRequest {
            logon_flags: 0,
            open_flags: PUBLIC_FLAGS,
            store_state: 0,
            essdn: Bytes16(Vec::new()),
        };
        match self.rop_logon(body).await {
            Err(Error::SignIn(SignInError::NoPrivilege(code) | SignInError::NoMailbox(code))) => {
                Err(MailboxError::NoPublicFolders(code).into())
            }
            other => other,
        }
    }

    /// Logs on to a mailbox or the public folders.
    ///
    /// # Errors
    /// As [`Session::logon`] and [`Session::logon_public`].
    pub async fn logon_to(&self, target: &Target) -> Result<Logon, Error> {
        match target {
            Target::Mailbox(dn) => self.logon(dn).await,
            Target::PublicFolders => self.logon_public().await,
        }
    }

    /// The same, with more OpenFlags.
    pub(crate) async fn logon_with(&self, dn: &str, open_flags: u32) -> Result<Logon, Error> {
        let mut essdn = dn.as_bytes().to_vec();
        essdn.push(0);
        self.rop_logon(LogonRequest {
            logon_flags: LOGON_PRIVATE,
            open_flags: OPEN_FLAGS | open_flags,
            store_state: 0,
            essdn: Bytes16(essdn),
        })
        .await
    }

    async fn rop_logon(&self, body: LogonRequest) -> Result<Logon, Error> {
        let private = body.logon_flags & LOGON_PRIVATE != 0;
        let requests = [Request::new(0, RequestBody::Logon(body))];
        let requester = self.requester();
        let mut replies = requester.ask(&requests, &[INVALID_HANDLE], &[]).await?;
        if let Some(server) = moved(&replies) {
            return Err(MailboxError::Moved { server }.into());
        }
        let response = match replies.success(0, "RopLogon") {
            Ok(Some(ResponseBody::Logon(response @ LogonResponse::Private(_)))) if private => {
                response.clone()
            }
            Ok(Some(ResponseBody::Logon(response @ LogonResponse::Public(_)))) if !private => {
                response.clone()
            }
            Ok(_) => return Err(unexpected("RopLogon opened something else than was asked for")),
            Err(Error::Refused { operation, code }) => {
                return Err(SignInError::of(code).map_or(Error::Refused { operation, code }, Error::SignIn));
            }
            Err(error) => return Err(error),
        };
        let handle = replies.take(0).ok_or_else(|| unexpected("RopLogon gave no handle"))?;
        let dn_prefix = self.info().dn_prefix.clone();
        let inner =
            Inner { handle, response, replicas: Mutex::default(), names: Mutex::default(), dn_prefix };
        Ok(Logon { requester, inner: Arc::new(inner) })
    }
}

/// The server that has the mailbox now, where the answer says that it is not this one.
fn moved(replies: &Replies) -> Option<String> {
    let response = replies.responses.first().and_then(Response::rop)?;
    match (response.return_value, &response.body) {
        (MapiCode::WrongServer, Some(ResponseBody::Logon(LogonResponse::Redirect(_, name)))) => {
            // What is shown to people is no control sequence.
            let name = String::from_utf8_lossy(name);
            Some(name.trim_end_matches('\0').chars().map(|c| if c.is_control() { '?' } else { c }).collect())
        }
        _ => None,
    }
}

impl Logon {
    /// The id of a standard folder. Of those named here public folders have two, the root and the IPM subtree; the
    /// others are the zero id there.
    #[must_use]
    pub fn special_folder(&self, folder: SpecialFolder) -> Fid {
        if self.is_public() {
            let [root, ipm, ..] = self.fids();
            return match folder {
                SpecialFolder::Root => root,
                SpecialFolder::IpmSubtree => ipm,
                _ => Fid::default(),
            };
        }
        let [
            root,
            deferred,
            spooler,
            ipm,
            inbox,
            outbox,
            sent,
            deleted,
            common,
            schedule,
            search,
            views,
            short,
        ] = self.fids();
        match folder {
            SpecialFolder::Root => root,
            SpecialFolder::DeferredAction => deferred,
            SpecialFolder::SpoolerQueue => spooler,
            SpecialFolder::IpmSubtree => ipm,
            SpecialFolder::Inbox => inbox,
            SpecialFolder::Outbox => outbox,
            SpecialFolder::SentItems => sent,
            SpecialFolder::DeletedItems => deleted,
            SpecialFolder::CommonViews => common,
            SpecialFolder::Schedule => schedule,
            SpecialFolder::Search => search,
            SpecialFolder::Views => views,
            SpecialFolder::Shortcuts => short,
        }
    }

    /// Whether it is a logon to the public folders.
    #[must_use]
    pub fn is_public(&self) -> bool {
        matches!(self.inner.response, LogonResponse::Public(_))
    }

    /// The mailbox, as the server identifies it; the public folders by their REPLGUID.
    #[must_use]
    pub fn mailbox_guid(&self) -> Guid {
        match &self.inner.response {
            LogonResponse::Private(response) => response.mailbox_guid,
            LogonResponse::Public(response) => response.repl_guid,
            LogonResponse::Redirect(..) => Guid::NIL,
        }
    }

    /// What RopLogon answered.
    #[must_use]
    pub fn response(&self) -> &LogonResponse {
        &self.inner.response
    }

    /// FolderIds of RopLogon.
    fn fids(&self) -> [Fid; 13] {
        match &self.inner.response {
            LogonResponse::Private(response) => response.folder_ids.0,
            LogonResponse::Public(response) => response.folder_ids.0,
            LogonResponse::Redirect(..) => [Fid::default(); 13],
        }
    }

    /// ReplId and ReplGuid of RopLogon.
    #[must_use]
    pub fn own_replica(&self) -> (ReplId, Guid) {
        match &self.inner.response {
            LogonResponse::Private(response) => (response.repl_id, response.repl_guid),
            LogonResponse::Public(response) => (response.repl_id, response.repl_guid),
            LogonResponse::Redirect(..) => (ReplId::default(), Guid::NIL),
        }
    }

    /// The handle, for [`Session::execute`].
    #[must_use]
    pub fn handle(&self) -> &ServerHandle {
        &self.inner.handle
    }

    /// The replica behind a REPLID of this logon — [MS-OXCROPS] 2.2.3.8 RopLongTermIdFromId; asked once.
    ///
    /// The REPLID that RopLogon names need not be the one that ids have (gromox 3.10: 5 and 1), so the server is asked
    /// for every one.
    ///
    /// # Errors
    /// [`Error::Refused`] when the server knows no such REPLID.
    pub async fn replica(&self, repl_id: ReplId) -> Result<Guid, Error> {
        if let Some(guid) = self.known_replica(repl_id) {
            return Ok(guid);
        }
        let known = if self.is_public() { SpecialFolder::IpmSubtree } else { SpecialFolder::Inbox };
        let known = self.special_folder(known);
        let (own, own_guid) = self.own_replica();
        let some_id = if known.repl_id == repl_id {
            known
        } else {
            Fid::new(repl_id, GlobCnt::new(1).unwrap_or_default())
        };
        let guid = match self.long_term_id(some_id).await {
            Ok(id) => id.database_guid,
            Err(Error::Refused { .. }) if repl_id == own => own_guid,
            Err(error) => return Err(error),
        };
        let mut replicas = self.inner.replicas.lock().unwrap_or_else(PoisonError::into_inner);
        replicas.insert(repl_id, guid);
        Ok(guid)
    }

    /// The replica behind a REPLID, where it was asked for before.
    #[must_use]
    pub fn known_replica(&self, repl_id: ReplId) -> Option<Guid> {
        self.inner.replicas.lock().unwrap_or_else(PoisonError::into_inner).get(&repl_id).copied()
    }

    /// The id that holds beyond this logon — [MS-OXCROPS] 2.2.3.8 RopLongTermIdFromId.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub async fn long_term_id(&self, id: Fid) -> Result<LongTermId, Error> {
        let body = RequestBody::LongTermIdFromId(LongTermIdFromIdRequest { object_id: id.to_u64() });
        let replies = self.ask(body).await?;
        match replies.success(0, "RopLongTermIdFromId")? {
            Some(ResponseBody::LongTermIdFromId(response)) => Ok(response.long_term_id),
            _ => Err(unexpected("RopLongTermIdFromId gave no id")),
        }
    }

    /// The id in this logon — [MS-OXCROPS] 2.2.3.9 RopIdFromLongTermId.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub async fn id(&self, replica: Guid, counter: GlobCnt) -> Result<Fid, Error> {
        let known = {
            let replicas = self.inner.replicas.lock().unwrap_or_else(PoisonError::into_inner);
            replicas.iter().find(|(_, guid)| **guid == replica).map(|(repl_id, _)| *repl_id)
        };
        if let Some(repl_id) = known {
            return Ok(Fid::new(repl_id, counter));
        }
        let long_term_id = LongTermId { database_guid: replica, global_counter: counter, pad: 0 };
        let replies =
            self.ask(RequestBody::IdFromLongTermId(IdFromLongTermIdRequest { long_term_id })).await?;
        match replies.success(0, "RopIdFromLongTermId")? {
            Some(ResponseBody::IdFromLongTermId(response)) => {
                let id = Fid::from_u64(response.object_id);
                let mut replicas = self.inner.replicas.lock().unwrap_or_else(PoisonError::into_inner);
                replicas.insert(id.repl_id, replica);
                Ok(id)
            }
            _ => Err(unexpected("RopIdFromLongTermId gave no id")),
        }
    }

    /// Opens a folder — [MS-OXCROPS] 2.2.4.1 RopOpenFolder.
    ///
    /// # Errors
    /// [`Error::Refused`], with NotFound when it is gone.
    pub async fn open_folder(&self, id: Fid) -> Result<Folder, Error> {
        Folder::open(self, id).await
    }

    /// Opens a standard folder.
    ///
    /// # Errors
    /// As [`Logon::open_folder`].
    pub async fn folder(&self, folder: SpecialFolder) -> Result<Folder, Error> {
        Folder::open(self, self.special_folder(folder)).await
    }

    /// Opens the Inbox.
    ///
    /// # Errors
    /// As [`Logon::open_folder`].
    pub async fn inbox(&self) -> Result<Folder, Error> {
        self.folder(SpecialFolder::Inbox).await
    }

    /// Opens the top of what the user sees.
    ///
    /// # Errors
    /// As [`Logon::open_folder`].
    pub async fn ipm_subtree(&self) -> Result<Folder, Error> {
        self.folder(SpecialFolder::IpmSubtree).await
    }

    /// Opens the root of the mailbox.
    ///
    /// # Errors
    /// As [`Logon::open_folder`].
    pub async fn root(&self) -> Result<Folder, Error> {
        self.folder(SpecialFolder::Root).await
    }

    /// The folder at a path of names below the IPM subtree, separated by `/` and compared without case.
    ///
    /// # Errors
    /// [`MailboxError::NoPublicFolder`] where a name is not there.
    pub async fn folder_at(&self, path: &str) -> Result<(Fid, String), Error> {
        let mut at = (self.special_folder(SpecialFolder::IpmSubtree), String::new());
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let folder = self.open_folder(at.0).await?;
            let view = View::of(&[tags::FOLDER_ID, tags::DISPLAY_NAME]);
            let rows = folder.hierarchy_table(Depth::Children, &view).await?.all_rows(MOST_FOLDERS).await?;
            let shown = |row: &PropBag| row.text(tags::DISPLAY_NAME).unwrap_or_default().to_owned();
            let found = rows.iter().find(|row| shown(row).to_lowercase() == name.to_lowercase());
            let id = found.and_then(|row| match row.get(tags::FOLDER_ID) {
                Some(PropValue::I64(id)) => Some(Fid::from_u64(id.cast_unsigned())),
                _ => None,
            });
            let (Some(id), Some(row)) = (id, found) else {
                let known: Vec<_> = rows.iter().take(LISTED).map(shown).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(MailboxError::NoPublicFolder { path: path.to_owned(), known }.into());
            };
            at = (id, shown(row));
        }
        Ok(at)
    }

    /// Opens a message — [MS-OXCMSG] 2.2.3.1 RopOpenMessage.
    ///
    /// # Errors
    /// [`Error::Refused`], with NotFound when it is not in that folder.
    #[doc(alias = "OpenEntry")]
    pub async fn open_message(&self, folder: Fid, id: Mid, access: Access) -> Result<Message, Error> {
        let opened = message::open(self.on(), folder, &[id], access).await?;
        opened.into_iter().next().unwrap_or_else(|| Err(unexpected("RopOpenMessage was not answered")))
    }

    /// Properties of the store — [MS-OXCSTOR] 2.2.2; as [`Object::props`](crate::Object::props).
    ///
    /// # Errors
    /// As [`Object::props`](crate::Object::props).
    #[doc(alias = "GetProps")]
    pub async fn props(&self, tags: &[PropTag]) -> Result<PropBag, Error> {
        props::get(self.on(), tags, props::INLINE_LIMIT).await
    }

    /// All properties of the store; as [`Object::all_props`](crate::Object::all_props).
    ///
    /// # Errors
    /// As [`Object::props`](crate::Object::props).
    pub async fn all_props(&self) -> Result<PropBag, Error> {
        props::all(self.on(), props::INLINE_LIMIT).await
    }

    /// Sets properties of the store; as [`Object::set_props`](crate::Object::set_props).
    ///
    /// # Errors
    /// As [`Object::set_props`](crate::Object::set_props).
    #[doc(alias = "SetProps")]
    pub async fn set_props(&self, props: &[Prop]) -> Result<Vec<Problem>, Error> {
        props::set(self.on(), props).await
    }

    /// The store as a place to ask.
    pub(crate) fn on(&self) -> On<'_> {
        On { logon: self, handle: self.inner.handle.raw() }
    }

    /// DnPrefix of the session.
    pub(crate) fn dn_prefix(&self) -> &str {
        &self.inner.dn_prefix
    }

    async fn ask(&self, body: RequestBody) -> Result<crate::session::Replies, Error> {
        self.requester.ask(&[Request::new(0, body)], &[self.inner.handle.raw()], &[]).await
    }
}

impl fmt::Debug for Logon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logon").field("mailbox", &self.mailbox_guid()).finish_non_exhaustive()
    }
}

pub(crate) fn unexpected(what: &str) -> Error {
    ProtocolError::Unexpected(what.to_owned()).into()
}

impl Error {
    /// Whether the server says that the object is not there (any more).
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                code: MapiCode::NotFound | MapiCode::ObjectDeleted | MapiCode::InvalidEntryId,
                ..
            }
        )
    }
}
