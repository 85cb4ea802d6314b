//! Logon ROPs — [MS-OXCROPS] 2.2.3; [MS-OXCSTOR].

use watertight_wire::{
    FileTime, FixedSize, Guid, Reader, Wire, WireError, WireField, Writer, wire_nested, wire_struct,
};

use super::{
    answer::{Context, ResponseFields},
    field::{Ascii, Bytes16, Ghosted, List16, LongTermId, Truth, items},
};
use crate::{
    Fid, MapiCode, PropTag, PropType, ReplId,
    prop::{tags, wire::PropertyRow},
};

wire_struct! {
    /// RopLogon request — [MS-OXCROPS] 2.2.3.1.
    pub struct LogonRequest {
        /// LogonFlags.
        logon_flags: u8,
        /// OpenFlags.
        open_flags: u32,
        /// StoreState.
        store_state: u32,
        /// EssdnSize, and Essdn with its null terminator.
        essdn: Bytes16,
    }
}

wire_struct! {
    /// RopGetReceiveFolder request — [MS-OXCROPS] 2.2.3.2.
    pub struct GetReceiveFolderRequest {
        /// MessageClass.
        message_class: Ascii,
    }
}

wire_struct! {
    /// RopGetReceiveFolder response, after its return value — [MS-OXCROPS] 2.2.3.2.
    pub struct GetReceiveFolderResponse {
        /// FolderId.
        folder_id: Fid,
        /// ExplicitMessageClass.
        explicit_message_class: Ascii,
    }
}

wire_struct! {
    /// RopSetReceiveFolder request — [MS-OXCROPS] 2.2.3.3.
    pub struct SetReceiveFolderRequest {
        /// FolderId.
        folder_id: Fid,
        /// MessageClass.
        message_class: Ascii,
    }
}

wire_struct! {
    /// RopGetStoreState response, after its return value — [MS-OXCROPS] 2.2.3.5.
    pub struct GetStoreStateResponse {
        /// StoreState.
        store_state: u32,
    }
}

wire_struct! {
    /// RopGetOwningServers request — [MS-OXCROPS] 2.2.3.6.
    pub struct GetOwningServersRequest {
        /// FolderId.
        folder_id: Fid,
    }
}

wire_struct! {
    /// RopPublicFolderIsGhosted request — [MS-OXCROPS] 2.2.3.7.
    pub struct PublicFolderIsGhostedRequest {
        /// FolderId.
        folder_id: Fid,
    }
}

wire_struct! {
    /// RopPublicFolderIsGhosted response, after its return value — [MS-OXCROPS] 2.2.3.7.
    pub struct PublicFolderIsGhostedResponse {
        /// IsGhosted and what follows.
        ghosted: Ghosted,
    }
}

wire_struct! {
    /// RopLongTermIdFromId request — [MS-OXCROPS] 2.2.3.8.
    pub struct LongTermIdFromIdRequest {
        /// ObjectId.
        object_id: u64,
    }
}

wire_struct! {
    /// RopLongTermIdFromId response, after its return value — [MS-OXCROPS] 2.2.3.8.
    pub struct LongTermIdFromIdResponse {
        /// LongTermId.
        long_term_id: LongTermId,
    }
}

wire_struct! {
    /// RopIdFromLongTermId request — [MS-OXCROPS] 2.2.3.9.
    pub struct IdFromLongTermIdRequest {
        /// LongTermId.
        long_term_id: LongTermId,
    }
}

wire_struct! {
    /// RopIdFromLongTermId response, after its return value — [MS-OXCROPS] 2.2.3.9.
    pub struct IdFromLongTermIdResponse {
        /// ObjectId.
        object_id: u64,
    }
}

wire_struct! {
    /// RopGetPerUserLongTermIds request — [MS-OXCROPS] 2.2.3.10.
    pub struct GetPerUserLongTermIdsRequest {
        /// DatabaseGuid.
        database_guid: Guid,
    }
}

wire_struct! {
    /// RopGetPerUserLongTermIds response, after its return value — [MS-OXCROPS] 2.2.3.10.
    pub struct GetPerUserLongTermIdsResponse {
        /// LongTermIds.
        long_term_ids: List16<LongTermId>,
    }
}

wire_struct! {
    /// RopGetPerUserGuid request — [MS-OXCROPS] 2.2.3.11.
    pub struct GetPerUserGuidRequest {
        /// LongTermId.
        long_term_id: LongTermId,
    }
}

wire_struct! {
    /// RopGetPerUserGuid response, after its return value — [MS-OXCROPS] 2.2.3.11.
    pub struct GetPerUserGuidResponse {
        /// DatabaseGuid.
        database_guid: Guid,
    }
}

wire_struct! {
    /// RopReadPerUserInformation request — [MS-OXCROPS] 2.2.3.12.
    pub struct ReadPerUserInformationRequest {
        /// FolderId.
        folder_id: LongTermId,
        /// Reserved.
        reserved: u8,
        /// DataOffset.
        data_offset: u32,
        /// MaxDataSize.
        max_data_size: u16,
    }
}

wire_struct! {
    /// RopReadPerUserInformation response, after its return value — [MS-OXCROPS] 2.2.3.12.
    pub struct ReadPerUserInformationResponse {
        /// HasFinished.
        has_finished: Truth,
        /// Data.
        data: Bytes16,
    }
}

/// RopLogon response — [MS-OXCROPS] 2.2.3.1.2 to 2.2.3.1.4.
#[derive(Debug, Clone, PartialEq)]
pub enum LogonResponse {
    /// To a private mailbox.
    Private(PrivateLogon),
    /// To the public folders.
    Public(PublicLogon),
    /// The mailbox is elsewhere (ReturnValue is ecWrongServer): LogonFlags and ServerName.
    Redirect(u8, Vec<u8>),
}

wire_struct! {
    /// RopLogon response of a private mailbox — [MS-OXCROPS] 2.2.3.1.2.
    pub struct PrivateLogon {
        /// LogonFlags.
        logon_flags: u8,
        /// FolderIds: the thirteen standard folders.
        folder_ids: Fids,
        /// ResponseFlags.
        response_flags: u8,
        /// MailboxGuid.
        mailbox_guid: Guid,
        /// ReplId.
        repl_id: ReplId,
        /// ReplGuid.
        repl_guid: Guid,
        /// LogonTime.
        logon_time: LogonTime,
        /// GwartTime.
        gwart_time: FileTime,
        /// StoreState.
        store_state: u32,
    } = 160
}

wire_struct! {
    /// RopLogon response of public folders — [MS-OXCROPS] 2.2.3.1.3.
    pub struct PublicLogon {
        /// LogonFlags.
        logon_flags: u8,
        /// FolderIds.
        folder_ids: Fids,
        /// ReplId.
        repl_id: ReplId,
        /// ReplGuid.
        repl_guid: Guid,
        /// PerUserGuid.
        per_user_guid: Guid,
    }
}

/// The FolderIds of RopLogon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fids(pub [Fid; 13]);

impl WireField for Fids {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        let mut fids = [Fid::default(); 13];
        for fid in &mut fids {
            *fid = Fid::read_field(r, field)?;
        }
        Ok(Self(fids))
    }

    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        self.0.iter().try_for_each(|fid| fid.write_field(w))
    }
}

impl FixedSize for Fids {
    const SIZE: usize = 13 * 8;
}

wire_struct! {
    /// LogonTime — [MS-OXCSTOR] 2.2.1.1.3, in Coordinated Universal Time.
    #[derive(Copy, Eq, Default)]
    pub struct LogonTime {
        /// Seconds.
        seconds: u8,
        /// Minutes.
        minutes: u8,
        /// Hour.
        hour: u8,
        /// DayOfWeek: Sunday is 0.
        day_of_week: u8,
        /// Day of the month.
        day: u8,
        /// Month: January is 1.
        month: u8,
        /// Year.
        year: u16,
    } = 8
}

wire_nested!(LogonTime);

impl ResponseFields for LogonResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        Ok(match context.return_value {
            MapiCode::WrongServer => {
                let flags = r.u8("LogonFlags")?;
                let size = r.u8("ServerNameSize")?;
                Some(Self::Redirect(flags, r.bytes(usize::from(size), "ServerName")?.to_vec()))
            }
            code if code.is_error() => None,
            // Bit Private.
            _ if r.peek().is_some_and(|flags| flags & 1 == 0) => Some(Self::Public(PublicLogon::read(r)?)),
            _ => Some(Self::Private(PrivateLogon::read(r)?)),
        })
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        match self {
            Self::Private(logon) => logon.write(w),
            Self::Public(logon) => logon.write(w),
            Self::Redirect(flags, name) => {
                w.u8(*flags);
                w.len8(name.len(), "ServerNameSize")?;
                w.bytes(name);
                Ok(())
            }
        }
    }
}

/// RopGetReceiveFolderTable response — [MS-OXCROPS] 2.2.3.4.2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GetReceiveFolderTableResponse {
    /// Rows: PidTagFolderId, PidTagMessageClass as PtypString8, PidTagLastModificationTime.
    pub rows: Vec<PropertyRow>,
}

/// The columns of a receive folder table — [MS-OXCSTOR] 2.2.1.4.2.
pub const RECEIVE_FOLDER_COLUMNS: [PropTag; 3] =
    [tags::FOLDER_ID, tags::MESSAGE_CLASS.with_type(PropType::String8), tags::LAST_MODIFICATION_TIME];

impl Wire for GetReceiveFolderTableResponse {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = r.u32("RowCount")?;
        let rows = items(r, count, "Rows", |r| PropertyRow::read(r, &RECEIVE_FOLDER_COLUMNS))?;
        Ok(Self { rows })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.len32(self.rows.len(), "RowCount")?;
        self.rows.iter().try_for_each(|row| row.write(w))
    }
}
