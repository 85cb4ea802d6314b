//! FastTransfer ROPs — [MS-OXCROPS] 2.2.12; [MS-OXCFXICS].

use watertight_wire::{Reader, Wire, WireError, Writer, wire_struct};

use super::{
    answer::{Context, ResponseFields},
    field::{Bytes16, List16},
};
use crate::{MapiCode, Mid, PropTag};

wire_struct! {
    /// RopFastTransferDestinationConfigure request — [MS-OXCROPS] 2.2.12.1.
    pub struct FastTransferDestinationConfigureRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// SourceOperation.
        source_operation: u8,
        /// CopyFlags.
        copy_flags: u8,
    }
}

wire_struct! {
    /// RopFastTransferDestinationPutBuffer request — [MS-OXCROPS] 2.2.12.2.
    pub struct FastTransferDestinationPutBufferRequest {
        /// TransferData.
        data: Bytes16,
    }
}

wire_struct! {
    /// RopFastTransferSourceCopyFolder request — [MS-OXCROPS] 2.2.12.5.
    pub struct FastTransferSourceCopyFolderRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// CopyFlags.
        copy_flags: u8,
        /// SendOptions.
        send_options: u8,
    }
}

wire_struct! {
    /// RopFastTransferSourceCopyMessages request — [MS-OXCROPS] 2.2.12.6.
    pub struct FastTransferSourceCopyMessagesRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// MessageIds.
        message_ids: List16<Mid>,
        /// CopyFlags.
        copy_flags: u8,
        /// SendOptions.
        send_options: u8,
    }
}

wire_struct! {
    /// RopFastTransferSourceCopyTo request — [MS-OXCROPS] 2.2.12.7.
    pub struct FastTransferSourceCopyToRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// Level.
        level: u8,
        /// CopyFlags.
        copy_flags: u32,
        /// SendOptions.
        send_options: u8,
        /// PropertyTags.
        excluded_tags: List16<PropTag>,
    }
}

wire_struct! {
    /// RopFastTransferSourceCopyProperties request — [MS-OXCROPS] 2.2.12.8.
    pub struct FastTransferSourceCopyPropertiesRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// Level.
        level: u8,
        /// CopyFlags.
        copy_flags: u8,
        /// SendOptions.
        send_options: u8,
        /// PropertyTags.
        tags: List16<PropTag>,
    }
}

wire_struct! {
    /// RopTellVersion request — [MS-OXCROPS] 2.2.12.9.
    pub struct TellVersionRequest {
        /// Version.
        version: [u8; 6],
    }
}

/// RopFastTransferSourceGetBuffer request — [MS-OXCROPS] 2.2.12.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FastTransferSourceGetBufferRequest {
    /// BufferSize.
    pub buffer_size: u16,
    /// MaximumBufferSize, exactly when BufferSize is 0xBABE.
    pub maximum_buffer_size: Option<u16>,
}

impl Wire for FastTransferSourceGetBufferRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let buffer_size = r.u16("BufferSize")?;
        let maximum_buffer_size =
            (buffer_size == super::stream::USE_MAXIMUM).then(|| r.u16("MaximumBufferSize")).transpose()?;
        Ok(Self { buffer_size, maximum_buffer_size })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u16(self.buffer_size);
        self.maximum_buffer_size.iter().for_each(|&max| w.u16(max));
        Ok(())
    }
}

/// RopFastTransferSourceGetBuffer response — [MS-OXCROPS] 2.2.12.4.2. The fields are there after an error too; where a
/// server leaves them out then, reading gives no body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FastTransferSourceGetBufferResponse {
    /// TransferStatus: 0 error, 1 partial, 2 no room, 3 done.
    pub transfer_status: u16,
    /// InProgressCount.
    pub in_progress_count: u16,
    /// TotalStepCount.
    pub total_step_count: u16,
    /// TransferBuffer.
    pub transfer_buffer: Vec<u8>,
    /// BackoffTime in milliseconds, exactly when ReturnValue is [`SERVER_BUSY`].
    pub backoff_time: Option<u32>,
}

/// ecServerBusy as RopFastTransferSourceGetBuffer returns it — [MS-OXCFXICS] 2.2.3.1.1.5.2.
pub const SERVER_BUSY: MapiCode = MapiCode(0x0000_0480);

impl ResponseFields for FastTransferSourceGetBufferResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        if context.return_value.is_error() && r.is_empty() {
            return Ok(None);
        }
        let transfer_status = r.u16("TransferStatus")?;
        let in_progress_count = r.u16("InProgressCount")?;
        let total_step_count = r.u16("TotalStepCount")?;
        r.u8("Reserved")?;
        let transfer_buffer = r.bytes16("TransferBuffer")?.to_vec();
        let backoff_time = (context.return_value == SERVER_BUSY).then(|| r.u32("BackoffTime")).transpose()?;
        Ok(Some(Self { transfer_status, in_progress_count, total_step_count, transfer_buffer, backoff_time }))
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u16(self.transfer_status);
        w.u16(self.in_progress_count);
        w.u16(self.total_step_count);
        w.u8(0);
        w.bytes16(&self.transfer_buffer, "TransferBuffer")?;
        self.backoff_time.iter().for_each(|&time| w.u32(time));
        Ok(())
    }
}

/// RopFastTransferDestinationPutBuffer response — [MS-OXCROPS] 2.2.12.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FastTransferDestinationPutBufferResponse {
    /// TransferStatus.
    pub transfer_status: u16,
    /// InProgressCount.
    pub in_progress_count: u16,
    /// TotalStepCount.
    pub total_step_count: u16,
    /// BufferUsedSize.
    pub buffer_used_size: u16,
}

impl ResponseFields for FastTransferDestinationPutBufferResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        if context.return_value.is_error() && r.is_empty() {
            return Ok(None);
        }
        let transfer_status = r.u16("TransferStatus")?;
        let in_progress_count = r.u16("InProgressCount")?;
        let total_step_count = r.u16("TotalStepCount")?;
        r.u8("Reserved")?;
        let buffer_used_size = r.u16("BufferUsedSize")?;
        Ok(Some(Self { transfer_status, in_progress_count, total_step_count, buffer_used_size }))
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u16(self.transfer_status);
        w.u16(self.in_progress_count);
        w.u16(self.total_step_count);
        w.u8(0);
        w.u16(self.buffer_used_size);
        Ok(())
    }
}
