//! Message ROPs — [MS-OXCROPS] 2.2.6; [MS-OXCMSG].

use watertight_wire::{Reader, Wire, WireError, WireField, Writer, wire_struct};

use super::field::{List16, Maybe, Truth};
use crate::{Fid, Mid};

wire_struct! {
    /// RopOpenMessage request — [MS-OXCROPS] 2.2.6.1.
    pub struct OpenMessageRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// CodePageId.
        code_page_id: u16,
        /// FolderId.
        folder_id: Fid,
        /// OpenModeFlags.
        open_mode_flags: u8,
        /// MessageId.
        message_id: Mid,
    }
}

wire_struct! {
    /// RopCreateMessage request — [MS-OXCROPS] 2.2.6.2.
    pub struct CreateMessageRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// CodePageId.
        code_page_id: u16,
        /// FolderId.
        folder_id: Fid,
        /// AssociatedFlag.
        associated_flag: Truth,
    }
}

wire_struct! {
    /// RopCreateMessage response, after its return value — [MS-OXCROPS] 2.2.6.2.
    pub struct CreateMessageResponse {
        /// HasMessageId and MessageId.
        message_id: Maybe<Mid>,
    }
}

wire_struct! {
    /// RopSaveChangesMessage request — [MS-OXCROPS] 2.2.6.3.
    pub struct SaveChangesMessageRequest {
        /// InputHandleIndex; the index of the ROP itself is ResponseHandleIndex.
        input_index: u8,
        /// SaveFlags.
        save_flags: u8,
    }
}

wire_struct! {
    /// RopSaveChangesMessage response, after its return value — [MS-OXCROPS] 2.2.6.3.
    pub struct SaveChangesMessageResponse {
        /// InputHandleIndex.
        input_index: u8,
        /// MessageId.
        message_id: Mid,
    }
}

wire_struct! {
    /// RopRemoveAllRecipients request — [MS-OXCROPS] 2.2.6.4.
    pub struct RemoveAllRecipientsRequest {
        /// Reserved.
        reserved: u32,
    }
}

wire_struct! {
    /// RopReadRecipients request — [MS-OXCROPS] 2.2.6.6.
    pub struct ReadRecipientsRequest {
        /// RowId.
        row_id: u32,
        /// Reserved.
        reserved: u16,
    }
}

wire_struct! {
    /// RopReloadCachedInformation request — [MS-OXCROPS] 2.2.6.7.
    pub struct ReloadCachedInformationRequest {
        /// Reserved.
        reserved: u16,
    }
}

wire_struct! {
    /// RopSetMessageStatus request — [MS-OXCROPS] 2.2.6.8.
    pub struct SetMessageStatusRequest {
        /// MessageId.
        message_id: Mid,
        /// MessageStatusFlags.
        status_flags: u32,
        /// MessageStatusMask.
        status_mask: u32,
    }
}

wire_struct! {
    /// RopSetMessageStatus response, after its return value — [MS-OXCROPS] 2.2.6.8.
    pub struct SetMessageStatusResponse {
        /// MessageStatusFlags.
        status_flags: u32,
    }
}

wire_struct! {
    /// RopGetMessageStatus request — [MS-OXCROPS] 2.2.6.9.
    pub struct GetMessageStatusRequest {
        /// MessageId.
        message_id: Mid,
    }
}

wire_struct! {
    /// RopGetMessageStatus response, after its return value — [MS-OXCROPS] 2.2.6.9.
    pub struct GetMessageStatusResponse {
        /// MessageStatusFlags.
        status_flags: u32,
    }
}

wire_struct! {
    /// RopSetReadFlags request — [MS-OXCROPS] 2.2.6.10.
    pub struct SetReadFlagsRequest {
        /// WantAsynchronous.
        want_asynchronous: Truth,
        /// ReadFlags.
        read_flags: u8,
        /// MessageIds.
        message_ids: List16<Mid>,
    }
}

/// RopSetMessageReadFlag request — [MS-OXCROPS] 2.2.6.11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetMessageReadFlagRequest {
    /// InputHandleIndex; the index of the ROP itself is ResponseHandleIndex.
    pub input_index: u8,
    /// ReadFlags.
    pub read_flags: u8,
    /// ClientData, in public folders. Whether it is there only the logon says: it is written here, and read by whoever
    /// knows the logon.
    pub client_data: Option<[u8; 24]>,
}

impl Wire for SetMessageReadFlagRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let (input_index, read_flags) = (r.u8("InputHandleIndex")?, r.u8("ReadFlags")?);
        Ok(Self { input_index, read_flags, client_data: None })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(self.input_index);
        w.u8(self.read_flags);
        if let Some(data) = &self.client_data {
            w.bytes(data);
        }
        Ok(())
    }
}

wire_struct! {
    /// RopOpenAttachment request — [MS-OXCROPS] 2.2.6.12.
    pub struct OpenAttachmentRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// OpenAttachmentFlags.
        open_flags: u8,
        /// AttachmentID.
        attachment_id: u32,
    }
}

wire_struct! {
    /// RopCreateAttachment request — [MS-OXCROPS] 2.2.6.13.
    pub struct CreateAttachmentRequest {
        /// OutputHandleIndex.
        output_index: u8,
    }
}

wire_struct! {
    /// RopCreateAttachment response, after its return value — [MS-OXCROPS] 2.2.6.13.
    pub struct CreateAttachmentResponse {
        /// AttachmentID.
        attachment_id: u32,
    }
}

wire_struct! {
    /// RopDeleteAttachment request — [MS-OXCROPS] 2.2.6.14.
    pub struct DeleteAttachmentRequest {
        /// AttachmentID.
        attachment_id: u32,
    }
}

wire_struct! {
    /// RopSaveChangesAttachment request — [MS-OXCROPS] 2.2.6.15.
    pub struct SaveChangesAttachmentRequest {
        /// InputHandleIndex; the index of the ROP itself is ResponseHandleIndex.
        input_index: u8,
        /// SaveFlags.
        save_flags: u8,
    }
}

wire_struct! {
    /// RopOpenEmbeddedMessage request — [MS-OXCROPS] 2.2.6.16.
    pub struct OpenEmbeddedMessageRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// CodePageId.
        code_page_id: u16,
        /// OpenModeFlags.
        open_mode_flags: u8,
    }
}

wire_struct! {
    /// RopGetAttachmentTable request — [MS-OXCROPS] 2.2.6.17.
    pub struct GetAttachmentTableRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// TableFlags.
        table_flags: u8,
    }
}

wire_struct! {
    /// RopGetValidAttachments response, after its return value — [MS-OXCROPS] 2.2.6.18.
    pub struct GetValidAttachmentsResponse {
        /// AttachmentIdArray.
        attachment_ids: List16<u32>,
    }
}

/// RopSetMessageReadFlag response — [MS-OXCROPS] 2.2.6.11.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetMessageReadFlagResponse {
    /// ReadStatusChanged; in public folders LogonId and ClientData follow it when it is true.
    pub changed: Truth,
    /// LogonId and ClientData.
    pub client_data: Option<(u8, [u8; 24])>,
}

impl Wire for SetMessageReadFlagResponse {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let changed = Truth::read_field(r, "ReadStatusChanged")?;
        let client_data = changed.0.then(|| Ok((r.u8("LogonId")?, r.array("ClientData")?))).transpose()?;
        Ok(Self { changed, client_data })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        self.changed.write_field(w)?;
        if let Some((logon_id, data)) = &self.client_data {
            w.u8(*logon_id);
            w.bytes(data);
        }
        Ok(())
    }
}
