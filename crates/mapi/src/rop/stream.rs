//! Stream ROPs — [MS-OXCROPS] 2.2.9; [MS-OXCPRPT].

use watertight_wire::{Reader, Wire, WireError, WireField, Writer, wire_struct};

use super::{
    answer::{Context, ResponseFields},
    field::Bytes16,
};
use crate::{MapiCode, PropTag};

wire_struct! {
    /// RopOpenStream request — [MS-OXCROPS] 2.2.9.1.
    pub struct OpenStreamRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// PropertyTag.
        tag: PropTag,
        /// OpenModeFlags.
        open_mode_flags: u8,
    }
}

wire_struct! {
    /// RopOpenStream response, after its return value — [MS-OXCROPS] 2.2.9.1.
    pub struct OpenStreamResponse {
        /// StreamSize.
        stream_size: u32,
    }
}

wire_struct! {
    /// RopWriteStream request — [MS-OXCROPS] 2.2.9.3.
    pub struct WriteStreamRequest {
        /// Data.
        data: Bytes16,
    }
}

wire_struct! {
    /// RopGetStreamSize response, after its return value — [MS-OXCROPS] 2.2.9.6.
    pub struct GetStreamSizeResponse {
        /// StreamSize.
        stream_size: u32,
    }
}

wire_struct! {
    /// RopSetStreamSize request — [MS-OXCROPS] 2.2.9.7.
    pub struct SetStreamSizeRequest {
        /// StreamSize.
        stream_size: u64,
    }
}

wire_struct! {
    /// RopSeekStream request — [MS-OXCROPS] 2.2.9.8.
    pub struct SeekStreamRequest {
        /// Origin.
        origin: u8,
        /// Offset.
        offset: i64,
    }
}

wire_struct! {
    /// RopSeekStream response, after its return value — [MS-OXCROPS] 2.2.9.8.
    pub struct SeekStreamResponse {
        /// NewPosition.
        new_position: u64,
    }
}

wire_struct! {
    /// RopCopyToStream request — [MS-OXCROPS] 2.2.9.9.
    pub struct CopyToStreamRequest {
        /// DestHandleIndex.
        dest_index: u8,
        /// ByteCount.
        byte_count: u64,
    }
}

wire_struct! {
    /// RopLockRegionStream request — [MS-OXCROPS] 2.2.9.10.
    pub struct LockRegionStreamRequest {
        /// RegionOffset.
        region_offset: u64,
        /// RegionSize.
        region_size: u64,
        /// LockFlags.
        lock_flags: u32,
    }
}

wire_struct! {
    /// RopUnlockRegionStream request — [MS-OXCROPS] 2.2.9.11.
    pub struct UnlockRegionStreamRequest {
        /// RegionOffset.
        region_offset: u64,
        /// RegionSize.
        region_size: u64,
        /// LockFlags.
        lock_flags: u32,
    }
}

wire_struct! {
    /// RopWriteAndCommitStream request — [MS-OXCROPS] 2.2.9.12.
    pub struct WriteAndCommitStreamRequest {
        /// Data.
        data: Bytes16,
    }
}

wire_struct! {
    /// RopCloneStream request — [MS-OXCROPS] 2.2.9.13.
    pub struct CloneStreamRequest {
        /// OutputHandleIndex.
        output_index: u8,
    }
}

/// ByteCount that says that MaximumByteCount follows — [MS-OXCROPS] 2.2.9.2.1, 2.2.12.4.1.
pub const USE_MAXIMUM: u16 = 0xbabe;

/// RopReadStream request — [MS-OXCROPS] 2.2.9.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadStreamRequest {
    /// ByteCount.
    pub byte_count: u16,
    /// MaximumByteCount, exactly when ByteCount is 0xBABE.
    pub maximum_byte_count: Option<u32>,
}

impl Wire for ReadStreamRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let byte_count = r.u16("ByteCount")?;
        let maximum_byte_count =
            (byte_count == USE_MAXIMUM).then(|| r.u32("MaximumByteCount")).transpose()?;
        Ok(Self { byte_count, maximum_byte_count })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u16(self.byte_count);
        self.maximum_byte_count.iter().for_each(|&max| w.u32(max));
        Ok(())
    }
}

/// RopReadStream response — [MS-OXCROPS] 2.2.9.2.2. DataSize is there after an error too; where a server leaves it out
/// then, reading gives no body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadStreamResponse {
    /// Data.
    pub data: Bytes16,
}

impl ResponseFields for ReadStreamResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        if context.return_value.is_error() && r.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { data: Bytes16::read_field(r, "Data")? }))
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        self.data.write_field(w)
    }
}

/// RopWriteStream or RopWriteAndCommitStream response — [MS-OXCROPS] 2.2.9.3.2, 2.2.9.12.2. WrittenSize is there after an
/// error too; where a server leaves it out then, reading gives no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WrittenResponse {
    /// WrittenSize.
    pub written_size: u16,
}

impl ResponseFields for WrittenResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        if context.return_value.is_error() && r.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { written_size: r.u16("WrittenSize")? }))
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u16(self.written_size);
        Ok(())
    }
}

/// RopCopyToStream response — [MS-OXCROPS] 2.2.9.9.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopyToStreamResponse {
    /// DestHandleIndex, exactly when ReturnValue is ecDstNullObject.
    pub dest_index: Option<u32>,
    /// ReadByteCount.
    pub read_byte_count: u64,
    /// WrittenByteCount.
    pub written_byte_count: u64,
}

impl ResponseFields for CopyToStreamResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        if context.return_value.is_error() && r.is_empty() {
            return Ok(None);
        }
        let dest_index = (context.return_value == MapiCode::DestinationNullObject)
            .then(|| r.u32("DestHandleIndex"))
            .transpose()?;
        let read_byte_count = r.u64("ReadByteCount")?;
        Ok(Some(Self { dest_index, read_byte_count, written_byte_count: r.u64("WrittenByteCount")? }))
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        self.dest_index.iter().for_each(|&index| w.u32(index));
        w.u64(self.read_byte_count);
        w.u64(self.written_byte_count);
        Ok(())
    }
}
