//! Logon ROPs — [MS-OXCSTOR] 2.2.1, 3.2.5.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use watertight_mapi::{
    Fid, GlobCnt, MapiCode, Mid, PropTag, PropValue, ReplId,
    ics::Xid,
    prop::{
        tags,
        wire::{Cell, CellValue, PropertyRow},
    },
    rop::{
        Request, ResponseBody,
        entry_id::{AddressBookEntryId, FolderEntryId, MessageEntryId, StoreEntryId},
        field::{Ascii, LongTermId},
        logon::{
            Fids, GetReceiveFolderRequest, GetReceiveFolderResponse, GetReceiveFolderTableResponse,
            GetStoreStateResponse, IdFromLongTermIdRequest, IdFromLongTermIdResponse, LogonRequest,
            LogonResponse, LogonTime, LongTermIdFromIdRequest, LongTermIdFromIdResponse, PrivateLogon,
            PublicLogon, RECEIVE_FOLDER_COLUMNS,
        },
        sync::{GetLocalReplicaIdsRequest, GetLocalReplicaIdsResponse},
    },
    store::{Access, FolderId, Mailbox, MailboxInfo, MailboxKind, MessageId, SpecialFolder, split_dn},
};
use watertight_wire::{FileTime, Wire};

use super::{Answer, Outcome, Session, failed, object::Object, read_only::ReadOnly, refused};

/// The REPLID that stands for the mailbox's own REPLGUID in every logon.
pub(super) const OWN: ReplId = ReplId(1);

/// LogonFlags — [MS-OXCSTOR] 2.2.1.1.1: Private.
pub(super) const PRIVATE: u8 = 0x01;
/// LogonFlags and ResponseFlags that an answer repeats: Private, Undercover, Ghosted.
const REPEATED: u8 = 0x07;
/// OpenFlags — [MS-OXCSTOR] 2.2.1.1.1: USE_ADMIN_PRIVILEGE, PUBLIC.
const USE_ADMIN_PRIVILEGE: u32 = 0x01;
const PUBLIC: u32 = 0x02;
/// ResponseFlags — [MS-OXCSTOR] 2.2.1.1.3: Reserved (must be set); OwnerRight, SendAsRight.
const RESERVED: u8 = 0x01;
const OWNER: u8 = 0x06;
/// The most counters that one RopGetLocalReplicaIds sets aside.
const MOST_IDS: u32 = 0x00ff_ffff;

/// The Receive folder table: message classes, and where mail of them goes.
const RECEIVE_FOLDERS: [(&str, SpecialFolder); 4] = [
    ("", SpecialFolder::Inbox),
    ("IPM", SpecialFolder::Inbox),
    ("REPORT.IPM", SpecialFolder::Inbox),
    ("IPC", SpecialFolder::Root),
];

/// A logon: one mailbox, and what its identifiers look like on the wire.
pub(super) struct Logon {
    /// The mailbox; when it may only be read, one that cannot be changed.
    pub(super) mailbox: Arc<dyn Mailbox>,
    /// Whose it is.
    whose: Whose,
    /// What may be done in it; nothing any more when the right was taken away after the logon.
    pub(super) access: Option<Access>,
}

/// Whose mailbox it is.
#[derive(Clone)]
enum Whose {
    /// That of whoever has signed in.
    Own,
    /// That of the account with this name.
    Other(String),
    /// Everybody's.
    Public,
}

impl Logon {
    fn new(mailbox: Arc<dyn Mailbox>, whose: Whose, access: Access) -> Self {
        let mailbox: Arc<dyn Mailbox> = match access {
            Access::Write => mailbox,
            Access::Read => Arc::new(ReadOnly(mailbox)),
        };
        Self { mailbox, whose, access: Some(access) }
    }

    /// What the mailbox is.
    pub(super) fn info(&self) -> &MailboxInfo {
        self.mailbox.info()
    }

    /// Whether it is a logon to the public folders.
    pub(super) fn is_public(&self) -> bool {
        self.info().kind == MailboxKind::Public
    }

    /// Whether nothing may be changed.
    pub(super) fn is_read_only(&self) -> bool {
        self.access != Some(Access::Write)
    }

    /// The FID of a folder.
    pub(super) const fn fid(folder: FolderId) -> Fid {
        Fid::new(OWN, folder.0)
    }

    /// The MID of a message.
    pub(super) const fn mid(message: MessageId) -> Mid {
        Mid::new(OWN, message.0)
    }

    /// The folder of a FID.
    pub(super) fn folder_id(fid: Fid) -> Result<FolderId, MapiCode> {
        if fid.repl_id == OWN { Ok(FolderId(fid.counter)) } else { Err(MapiCode::NotFound) }
    }

    /// The message of a MID.
    pub(super) fn message_id(mid: Mid) -> Result<MessageId, MapiCode> {
        if mid.repl_id == OWN { Ok(MessageId(mid.counter)) } else { Err(MapiCode::NotFound) }
    }

    /// PidTagSourceKey of an object.
    pub(super) fn source_key(&self, counter: GlobCnt) -> PropValue {
        PropValue::Binary(Xid::from_counter(self.info().repl_guid, counter).to_bytes())
    }

    /// PidTagEntryId of a folder.
    pub(super) fn folder_entry_id(&self, folder: FolderId) -> PropValue {
        let info = self.info();
        binary(&match info.kind {
            MailboxKind::Public => FolderEntryId::public(info.repl_guid, folder.0),
            _ => FolderEntryId::private(info.mailbox_guid, info.repl_guid, folder.0),
        })
    }

    /// PidTagEntryId of a message.
    pub(super) fn message_entry_id(&self, folder: FolderId, message: MessageId) -> PropValue {
        let info = self.info();
        binary(&match info.kind {
            MailboxKind::Public => MessageEntryId::public(info.repl_guid, folder.0, message.0),
            _ => MessageEntryId::private(info.mailbox_guid, info.repl_guid, folder.0, message.0),
        })
    }

    /// PidTagStoreEntryId.
    pub(super) fn store_entry_id(&self) -> PropValue {
        let mailbox_dn = (!self.is_public()).then(|| self.info().legacy_dn.clone());
        binary(&StoreEntryId { server: "watertight".to_owned(), mailbox_dn })
    }

    /// A computed property of the mailbox — [MS-OXCSTOR] 2.2.2.1.
    pub(super) fn computed(&self, tag: PropTag) -> Option<PropValue> {
        let info = self.info();
        let owner = || binary(&AddressBookEntryId { kind: 0, dn: info.legacy_dn.clone() });
        Some(match tag.with_type(known_type(tag, &STORE_PROPS)?) {
            // Nobody owns the public folders.
            tags::MAILBOX_OWNER_NAME | tags::MAILBOX_OWNER_ENTRY_ID if self.is_public() => return None,
            tags::DISPLAY_NAME | tags::MAILBOX_OWNER_NAME => PropValue::Unicode(info.display_name.clone()),
            tags::MAILBOX_OWNER_ENTRY_ID | tags::USER_ENTRY_ID => owner(),
            tags::RECORD_KEY | tags::STORE_RECORD_KEY => info.mailbox_guid.to_bytes().to_vec().into(),
            tags::MAPPING_SIGNATURE => info.repl_guid.to_bytes().to_vec().into(),
            tags::ENTRY_ID | tags::STORE_ENTRY_ID => self.store_entry_id(),
            tags::OBJECT_TYPE => 1.into(),
            tags::STORE_STATE => 0.into(),
            // STORE_ENTRYID_UNIQUE, SEARCH, MODIFY, CREATE, ATTACH, OLE, NOTIFY, MV_PROPS, RTF, HTML, ITEMPROC, UNICODE.
            tags::STORE_SUPPORT_MASK => 0x0007_37fd.into(),
            tags::IPM_SUBTREE_ENTRY_ID => {
                self.folder_entry_id(self.mailbox.special(SpecialFolder::IpmSubtree))
            }
            tags::LOCALE_ID => 0x0409.into(),
            tags::SMTP_ADDRESS => PropValue::Unicode(info.smtp_address.clone()),
            _ => return None,
        })
    }
}

/// The computed properties of a mailbox.
pub(super) const STORE_PROPS: [PropTag; 14] = [
    tags::DISPLAY_NAME,
    tags::MAILBOX_OWNER_NAME,
    tags::MAILBOX_OWNER_ENTRY_ID,
    tags::USER_ENTRY_ID,
    tags::RECORD_KEY,
    tags::STORE_RECORD_KEY,
    tags::MAPPING_SIGNATURE,
    tags::ENTRY_ID,
    tags::STORE_ENTRY_ID,
    tags::OBJECT_TYPE,
    tags::STORE_STATE,
    tags::STORE_SUPPORT_MASK,
    tags::IPM_SUBTREE_ENTRY_ID,
    tags::LOCALE_ID,
];

/// The type of a tag's identifier in a list of known tags.
pub(super) fn known_type(tag: PropTag, known: &[PropTag]) -> Option<watertight_mapi::PropType> {
    known.iter().find(|k| k.id() == tag.id()).map(|k| k.ty())
}

/// The bytes of a structure as a value.
pub(super) fn binary(value: &impl Wire) -> PropValue {
    PropValue::Binary(value.to_bytes().unwrap_or_default())
}

/// The time now.
pub(super) fn now() -> FileTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    FileTime::from_unix_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// LogonTime of now.
fn logon_time() -> LogonTime {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let small = |n: i8| u8::try_from(n).unwrap_or(0);
    LogonTime {
        seconds: small(now.second()),
        minutes: small(now.minute()),
        hour: small(now.hour()),
        day_of_week: small(now.weekday().to_sunday_zero_offset()),
        day: small(now.day()),
        month: small(now.month()),
        year: u16::try_from(now.year()).unwrap_or(0),
    }
}

impl Session {
    /// RopLogon — [MS-OXCSTOR] 3.2.5.1.
    pub(super) async fn rop_logon(&mut self, request: &Request, body: &LogonRequest) -> Outcome {
        if body.open_flags & USE_ADMIN_PRIVILEGE != 0 {
            return refused(MapiCode::LoginPerm);
        }
        let (logon, answer) = if body.logon_flags & PRIVATE == 0 {
            self.public(body).await?
        } else {
            self.private(body).await?
        };
        // A logon under a number that is taken ends the one before, with all that belongs to it.
        self.handles.release_logon(request.logon_id);
        self.logons.insert(request.logon_id, Arc::new(logon));
        Ok(Answer::opens(ResponseBody::Logon(answer), Object::Logon))
    }

    /// A logon to a mailbox or an archive — [MS-OXCSTOR] 3.2.5.1.1.
    async fn private(&self, body: &LogonRequest) -> Result<(Logon, LogonResponse), MapiCode> {
        let dn = String::from_utf8_lossy(&body.essdn.0);
        let (owner_dn, archive) = split_dn(dn.trim_end_matches('\0'));
        let account = self.origin.store.account_by_dn(owner_dn).await.map_err(failed)?;
        let account = account.ok_or(MapiCode::UnknownUser)?;
        let own = account.mailbox_guid == self.origin.account.mailbox_guid;
        let whose = if own { Whose::Own } else { Whose::Other(account.name.clone()) };
        let access = self.access(&whose).await?.ok_or(MapiCode::LoginPerm)?;
        let guid = match archive {
            Some(archive) => {
                let same = |guid: &watertight_wire::Guid| guid.to_string().eq_ignore_ascii_case(archive);
                account.archive.filter(same).ok_or(MapiCode::UnknownUser)?
            }
            None => account.mailbox_guid,
        };
        let mailbox = self.origin.store.mailbox(guid).await.map_err(failed)?;
        let mut folder_ids = [Fid::default(); 13];
        for (fid, special) in folder_ids.iter_mut().zip(SpecialFolder::ALL) {
            *fid = Logon::fid(mailbox.special(special));
        }
        let info = mailbox.info();
        let answer = PrivateLogon {
            logon_flags: body.logon_flags & REPEATED,
            folder_ids: Fids(folder_ids),
            response_flags: if own { RESERVED | OWNER } else { RESERVED },
            mailbox_guid: info.mailbox_guid,
            repl_id: OWN,
            repl_guid: info.repl_guid,
            logon_time: logon_time(),
            gwart_time: now(),
            store_state: 0,
        };
        Ok((Logon::new(mailbox, whose, access), LogonResponse::Private(answer)))
    }

    /// A logon to the public folders — [MS-OXCSTOR] 3.2.5.1.2.
    async fn public(&self, body: &LogonRequest) -> Result<(Logon, LogonResponse), MapiCode> {
        let store = &self.origin.store;
        let guid = store.public_store().await.map_err(failed)?.filter(|_| body.open_flags & PUBLIC != 0);
        let mailbox = store.mailbox(guid.ok_or(MapiCode::LogonFailed)?).await.map_err(failed)?;
        let access = self.access(&Whose::Public).await?.ok_or(MapiCode::LoginPerm)?;
        // Behind these come folders of the user's locale and site, and reserved ones: there is none here.
        let mut folder_ids = [Fid::default(); 13];
        for (fid, special) in folder_ids.iter_mut().zip(SpecialFolder::PUBLIC) {
            *fid = Logon::fid(mailbox.special(special));
        }
        let info = mailbox.info();
        let answer = PublicLogon {
            logon_flags: body.logon_flags & REPEATED,
            folder_ids: Fids(folder_ids),
            repl_id: OWN,
            repl_guid: info.repl_guid,
            // Reserved — 2.2.1.1.4.
            per_user_guid: watertight_wire::Guid::NIL,
        };
        Ok((Logon::new(mailbox, Whose::Public, access), LogonResponse::Public(answer)))
    }

    /// What whoever has signed in may do in a mailbox.
    async fn access(&self, whose: &Whose) -> Result<Option<Access>, MapiCode> {
        let (store, me) = (&self.origin.store, &self.origin.account.name);
        Ok(match whose {
            Whose::Own => Some(Access::Write),
            Whose::Other(owner) => store.access(Some(owner), me).await.map_err(failed)?,
            // Everybody reads them.
            Whose::Public => Some(store.access(None, me).await.map_err(failed)?.unwrap_or(Access::Read)),
        })
    }

    /// Looks whether what was granted still is. A right that was taken away ends with the next request: nothing can be
    /// done in that logon any more.
    pub(super) async fn renew_rights(&mut self) -> Result<(), MapiCode> {
        let others: Vec<_> = self
            .logons
            .iter()
            .filter(|(_, logon)| !matches!(logon.whose, Whose::Own) && logon.access.is_some())
            .map(|(id, logon)| (*id, logon.whose.clone(), logon.access))
            .collect();
        for (id, whose, before) in others {
            let now = self.access(&whose).await?;
            if now == before {
                continue;
            }
            tracing::info!(account = %self.origin.account.name, "a right has changed: its logon ends");
            // What was opened under the old right goes with it, downloads too.
            self.handles.keep_logons_only(id);
            if let Some(logon) = self.logons.get_mut(&id) {
                let mailbox = Arc::clone(&logon.mailbox);
                *logon = Arc::new(Logon { mailbox, whose, access: None });
            }
        }
        Ok(())
    }

    /// The logon that a request names, which must be one to a mailbox.
    pub(super) fn private_logon(&self, request: &Request) -> Result<Arc<Logon>, MapiCode> {
        let logon = self.logon(request)?;
        if logon.is_public() { Err(MapiCode::NotSupported) } else { Ok(logon) }
    }

    /// RopGetReceiveFolder — [MS-OXCSTOR] 3.2.5.2.
    pub(super) fn rop_get_receive_folder(
        &self,
        request: &Request,
        body: &GetReceiveFolderRequest,
    ) -> Outcome {
        let logon = self.private_logon(request)?;
        let class = String::from_utf8_lossy(&body.message_class.0).to_ascii_uppercase();
        let printable = class.bytes().all(|b| (32..=126).contains(&b));
        if class.len() > 254
            || !printable
            || class.starts_with('.')
            || class.ends_with('.')
            || class.contains("..")
        {
            return refused(MapiCode::InvalidParameter);
        }
        let below =
            |of: &str| class == of || class.strip_prefix(of).is_some_and(|rest| rest.starts_with('.'));
        let (explicit, folder) = RECEIVE_FOLDERS
            .into_iter()
            .find(|(of, _)| !of.is_empty() && below(of))
            .unwrap_or(("", SpecialFolder::Inbox));
        Ok(Answer::of(ResponseBody::GetReceiveFolder(GetReceiveFolderResponse {
            folder_id: Logon::fid(logon.mailbox.special(folder)),
            explicit_message_class: Ascii(explicit.as_bytes().to_vec()),
        })))
    }

    /// RopGetReceiveFolderTable — [MS-OXCSTOR] 3.2.5.4. The table is the one that a new mailbox has (3.2.3).
    pub(super) async fn rop_get_receive_folder_table(&self, request: &Request) -> Outcome {
        let logon = self.private_logon(request)?;
        let root = logon.mailbox.folder(logon.mailbox.special(SpecialFolder::Root), false).await;
        let modified = root.map_err(failed)?.created;
        let rows = RECEIVE_FOLDERS.map(|(class, folder)| {
            let fid = Logon::fid(logon.mailbox.special(folder)).to_u64().cast_signed();
            let class = PropValue::String8(class.as_bytes().to_vec());
            let values = [PropValue::I64(fid), class, PropValue::Time(modified)];
            let cells = RECEIVE_FOLDER_COLUMNS.into_iter().zip(values);
            PropertyRow::new(cells.map(|(tag, value)| Cell::new(tag, CellValue::Value(value))).collect())
        });
        let body = GetReceiveFolderTableResponse { rows: rows.to_vec() };
        Ok(Answer::of(ResponseBody::GetReceiveFolderTable(body)))
    }

    /// RopGetStoreState — [MS-OXCSTOR] 3.2.5.5.
    pub(super) fn rop_get_store_state(&self, request: &Request) -> Outcome {
        self.private_logon(request)?;
        Ok(Answer::of(ResponseBody::GetStoreState(GetStoreStateResponse { store_state: 0 })))
    }

    /// RopLongTermIdFromId — [MS-OXCSTOR] 3.2.5.8.
    pub(super) fn rop_long_term_id_from_id(
        &self,
        request: &Request,
        body: &LongTermIdFromIdRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let id = Fid::from_u64(body.object_id);
        if id.repl_id != OWN || id.counter == GlobCnt::default() {
            return refused(MapiCode::NotFound);
        }
        let long_term_id =
            LongTermId { database_guid: logon.info().repl_guid, global_counter: id.counter, pad: 0 };
        Ok(Answer::of(ResponseBody::LongTermIdFromId(LongTermIdFromIdResponse { long_term_id })))
    }

    /// RopIdFromLongTermId — [MS-OXCSTOR] 3.2.5.9.
    pub(super) fn rop_id_from_long_term_id(
        &self,
        request: &Request,
        body: &IdFromLongTermIdRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let id = body.long_term_id;
        if id.global_counter == GlobCnt::default() {
            return refused(MapiCode::InvalidParameter);
        }
        if id.database_guid != logon.info().repl_guid {
            return refused(MapiCode::NotFound);
        }
        let object_id = Fid::new(OWN, id.global_counter).to_u64();
        Ok(Answer::of(ResponseBody::IdFromLongTermId(IdFromLongTermIdResponse { object_id })))
    }

    /// RopGetLocalReplicaIds — [MS-OXCFXICS] 3.2.5.9.4.7.
    pub(super) async fn rop_get_local_replica_ids(
        &self,
        request: &Request,
        body: &GetLocalReplicaIdsRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        if body.id_count == 0 || body.id_count > MOST_IDS {
            return refused(MapiCode::InvalidParameter);
        }
        let global_count = logon.mailbox.allocate_ids(body.id_count).await.map_err(failed)?;
        let repl_guid = logon.info().repl_guid;
        Ok(Answer::of(ResponseBody::GetLocalReplicaIds(GetLocalReplicaIdsResponse {
            repl_guid,
            global_count,
        })))
    }
}
