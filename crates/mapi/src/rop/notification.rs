//! Notification and other ROPs — [MS-OXCROPS] 2.2.14, 2.2.15; [MS-OXCNOTIF] 2.2.1.

use watertight_wire::{Reader, Wire, WireError, WireField, Writer, wire_struct};

use super::field::Text;
use crate::{Fid, Mid, PropTag};

/// RopRegisterNotification request — [MS-OXCROPS] 2.2.14.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterNotificationRequest {
    /// OutputHandleIndex.
    pub output_index: u8,
    /// NotificationTypes.
    pub notification_types: u8,
    /// FolderId and MessageId; none for WantWholeStore.
    pub scope: Option<(Fid, Mid)>,
}

impl Wire for RegisterNotificationRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let output_index = r.u8("OutputHandleIndex")?;
        let notification_types = r.u8("NotificationTypes")?;
        r.u8("Reserved")?;
        let scope = if r.u8("WantWholeStore")? == 0 {
            Some((Fid::read_field(r, "FolderId")?, Mid::read_field(r, "MessageId")?))
        } else {
            None
        };
        Ok(Self { output_index, notification_types, scope })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(self.output_index);
        w.u8(self.notification_types);
        w.u8(0);
        w.u8(u8::from(self.scope.is_none()));
        self.scope.iter().try_for_each(|(folder, message)| {
            folder.write_field(w)?;
            message.write_field(w)
        })
    }
}

/// RopNotify — [MS-OXCROPS] 2.2.14.2.
#[derive(Debug, Clone, PartialEq)]
pub struct Notify {
    /// NotificationHandle.
    pub handle: u32,
    /// LogonId.
    pub logon_id: u8,
    /// NotificationData.
    pub data: NotificationData,
}

impl Wire for Notify {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let handle = r.u32("NotificationHandle")?;
        let logon_id = r.u8("LogonId")?;
        Ok(Self { handle, logon_id, data: NotificationData::read(r)? })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(self.handle);
        w.u8(self.logon_id);
        self.data.write(w)
    }
}

/// A row of a table in a notification.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableRow {
    /// TableRowFolderID.
    pub folder_id: Fid,
    /// TableRowMessageID and TableRowInstance, in a contents table.
    pub message: Option<(Mid, u32)>,
}

/// NotificationData — [MS-OXCNOTIF] 2.2.1.4.1.2. NotificationFlags says which of the fields are there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NotificationData {
    /// NotificationFlags: type, and the bits T, U, S, M.
    pub flags: u16,
    /// TableEventType.
    pub table_event: Option<u16>,
    /// The row.
    pub row: Option<TableRow>,
    /// The row after which it stands, and TableRowData.
    pub after: Option<(TableRow, Vec<u8>)>,
    /// FolderId.
    pub folder_id: Option<Fid>,
    /// MessageId.
    pub message_id: Option<Mid>,
    /// ParentFolderId.
    pub parent_folder_id: Option<Fid>,
    /// OldFolderId.
    pub old_folder_id: Option<Fid>,
    /// OldMessageId.
    pub old_message_id: Option<Mid>,
    /// OldParentFolderId.
    pub old_parent_folder_id: Option<Fid>,
    /// TagCount and Tags; 0xFFFF stands for all and is `Some(None)`.
    pub tags: Option<Option<Vec<PropTag>>>,
    /// TotalMessageCount.
    pub total: Option<u32>,
    /// UnreadMessageCount.
    pub unread: Option<u32>,
    /// MessageFlags and MessageClass of new mail.
    pub new_mail: Option<(u32, Text)>,
}

const NEW_MAIL: u16 = 0x0002;
const CREATED: u16 = 0x0004;
const DELETED: u16 = 0x0008;
const MODIFIED: u16 = 0x0010;
const MOVED: u16 = 0x0020;
const COPIED: u16 = 0x0040;
const TABLE_MODIFIED: u16 = 0x0100;
const ICS: u16 = 0x0200;
const HAS_TOTAL: u16 = 0x1000;
const HAS_UNREAD: u16 = 0x2000;
const SEARCH: u16 = 0x4000;
const MESSAGE: u16 = 0x8000;

fn when<T>(cond: bool, f: impl FnOnce() -> Result<T, WireError>) -> Result<Option<T>, WireError> {
    cond.then(f).transpose()
}

fn table_row(r: &mut Reader<'_>, message: bool) -> Result<TableRow, WireError> {
    let folder_id = Fid::read_field(r, "TableRowFolderID")?;
    let message =
        when(message, || Ok((Mid::read_field(r, "TableRowMessageID")?, r.u32("TableRowInstance")?)))?;
    Ok(TableRow { folder_id, message })
}

fn write_row(w: &mut Writer, row: &TableRow) {
    w.u64(row.folder_id.to_u64());
    if let Some((id, instance)) = row.message {
        w.u64(id.to_u64());
        w.u32(instance);
    }
}

impl Wire for NotificationData {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("NotificationData", |r| {
            let flags = r.u16("NotificationFlags")?;
            let kind = flags & 0x0fff;
            let (message, search) = (flags & MESSAGE != 0, flags & SEARCH != 0);
            if kind == ICS {
                return Err(r.invalid("NotificationFlags", flags));
            }
            let table_event = when(kind == TABLE_MODIFIED, || r.u16("TableEventType"))?;
            let event = table_event.unwrap_or(0);
            let row = when(matches!(event, 3..=5), || table_row(r, message))?;
            let after = when(matches!(event, 3 | 5), || {
                Ok((table_row(r, message)?, r.bytes16("TableRowData")?.to_vec()))
            })?;
            let object = kind != TABLE_MODIFIED;
            let moved = kind & (MOVED | COPIED) != 0;
            let folder_id = when(object, || Fid::read_field(r, "FolderId"))?;
            let message_id = when(object && message, || Mid::read_field(r, "MessageId"))?;
            let has_parent = kind & (CREATED | DELETED | MOVED | COPIED) != 0 && message == search;
            let parent_folder_id = when(has_parent, || Fid::read_field(r, "ParentFolderId"))?;
            let old_folder_id = when(moved, || Fid::read_field(r, "OldFolderId"))?;
            let old_message_id = when(moved && message, || Mid::read_field(r, "OldMessageId"))?;
            let old_parent_folder_id = when(moved && !message, || Fid::read_field(r, "OldParentFolderId"))?;
            let tags = when(kind & (CREATED | MODIFIED) != 0, || match r.u16("TagCount")? {
                0xffff => Ok(None),
                count => super::field::items(r, u32::from(count), "Tags", |r| PropTag::read_field(r, "Tags"))
                    .map(Some),
            })?;
            let total = when(flags & HAS_TOTAL != 0, || r.u32("TotalMessageCount"))?;
            let unread = when(flags & HAS_UNREAD != 0, || r.u32("UnreadMessageCount"))?;
            let new_mail = when(kind == NEW_MAIL, || {
                let message_flags = r.u32("MessageFlags")?;
                let wide = r.u8("UnicodeFlag")? != 0;
                Ok((message_flags, Text::read(r, wide, "MessageClass")?))
            })?;
            Ok(Self {
                flags,
                table_event,
                row,
                after,
                folder_id,
                message_id,
                parent_folder_id,
                old_folder_id,
                old_message_id,
                old_parent_folder_id,
                tags,
                total,
                unread,
                new_mail,
            })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u16(self.flags);
        self.table_event.iter().for_each(|&event| w.u16(event));
        self.row.iter().for_each(|row| write_row(w, row));
        if let Some((row, data)) = &self.after {
            write_row(w, row);
            w.bytes16(data, "TableRowData")?;
        }
        let ids = [
            self.folder_id.map(Fid::to_u64),
            self.message_id.map(Mid::to_u64),
            self.parent_folder_id.map(Fid::to_u64),
            self.old_folder_id.map(Fid::to_u64),
            self.old_message_id.map(Mid::to_u64),
            self.old_parent_folder_id.map(Fid::to_u64),
        ];
        ids.iter().flatten().for_each(|&id| w.u64(id));
        match &self.tags {
            None => {}
            Some(None) => w.u16(0xffff),
            Some(Some(tags)) => {
                w.len16(tags.len(), "TagCount")?;
                tags.iter().for_each(|tag| w.u32(tag.0));
            }
        }
        self.total.iter().chain(&self.unread).for_each(|&count| w.u32(count));
        if let Some((flags, class)) = &self.new_mail {
            w.u32(*flags);
            w.u8(u8::from(class.is_wide()));
            class.write(w, "MessageClass")?;
        }
        Ok(())
    }
}

wire_struct! {
    /// RopPending — [MS-OXCROPS] 2.2.14.3.
    pub struct Pending {
        /// SessionIndex.
        session_index: u16,
    }
}

/// RopBackoff — [MS-OXCROPS] 2.2.15.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    /// LogonId.
    pub logon_id: u8,
    /// Duration: milliseconds for all ROPs of the logon.
    pub duration: u32,
    /// BackoffRopData: a ROP and milliseconds for it.
    pub rops: Vec<(u8, u32)>,
    /// AdditionalData.
    pub additional_data: Vec<u8>,
}

impl Wire for Backoff {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let logon_id = r.u8("LogonId")?;
        let duration = r.u32("Duration")?;
        let count = r.u8("BackoffRopCount")?;
        let rops = super::field::items(r, u32::from(count), "BackoffRopData", |r| {
            Ok((r.u8("RopIdBackoff")?, r.u32("Duration")?))
        })?;
        let additional_data = r.bytes16("AdditionalData")?.to_vec();
        Ok(Self { logon_id, duration, rops, additional_data })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(self.logon_id);
        w.u32(self.duration);
        w.len8(self.rops.len(), "BackoffRopCount")?;
        for (rop, duration) in &self.rops {
            w.u8(*rop);
            w.u32(*duration);
        }
        w.bytes16(&self.additional_data, "AdditionalData")
    }
}

/// RopBufferTooSmall — [MS-OXCROPS] 2.2.15.1: the last response of a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufferTooSmall {
    /// SizeNeeded.
    pub size_needed: u16,
    /// RequestBuffers: the requests that were not done.
    pub request_buffers: Vec<u8>,
}

impl Wire for BufferTooSmall {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let size_needed = r.u16("SizeNeeded")?;
        Ok(Self { size_needed, request_buffers: r.take_rest().to_vec() })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u16(self.size_needed);
        w.bytes(&self.request_buffers);
        Ok(())
    }
}
