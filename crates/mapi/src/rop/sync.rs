//! Incremental change synchronization ROPs — [MS-OXCROPS] 2.2.13; [MS-OXCFXICS].

use watertight_wire::{Guid, wire_struct};

use super::field::{Bytes16, Bytes32, List16, Restriction16, Truth};
use crate::{GlobCnt, PropTag};

wire_struct! {
    /// RopSynchronizationConfigure request — [MS-OXCROPS] 2.2.13.1.
    pub struct SynchronizationConfigureRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// SynchronizationType.
        sync_type: u8,
        /// SendOptions.
        send_options: u8,
        /// SynchronizationFlags.
        sync_flags: u16,
        /// RestrictionData.
        restriction: Restriction16,
        /// SynchronizationExtraFlags.
        extra_flags: u32,
        /// PropertyTags.
        tags: List16<PropTag>,
    }
}

wire_struct! {
    /// RopSynchronizationOpenCollector request — [MS-OXCROPS] 2.2.13.7.
    pub struct SynchronizationOpenCollectorRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// IsContentsCollector.
        is_contents_collector: Truth,
    }
}

wire_struct! {
    /// RopSynchronizationGetTransferState request — [MS-OXCROPS] 2.2.13.8.
    pub struct SynchronizationGetTransferStateRequest {
        /// OutputHandleIndex.
        output_index: u8,
    }
}

wire_struct! {
    /// RopSynchronizationUploadStateStreamBegin request — [MS-OXCROPS] 2.2.13.9.
    pub struct SynchronizationUploadStateStreamBeginRequest {
        /// StateProperty.
        state_property: PropTag,
        /// TransferBufferSize.
        transfer_buffer_size: u32,
    }
}

wire_struct! {
    /// RopSynchronizationUploadStateStreamContinue request — [MS-OXCROPS] 2.2.13.10.
    pub struct SynchronizationUploadStateStreamContinueRequest {
        /// StreamData.
        stream_data: Bytes32,
    }
}

wire_struct! {
    /// RopSetLocalReplicaMidsetDeleted request — [MS-OXCROPS] 2.2.13.12.
    pub struct SetLocalReplicaMidsetDeletedRequest {
        /// DataSize, then LongTermIdRangeCount and LongTermIdRanges.
        data: Bytes16,
    }
}

wire_struct! {
    /// RopGetLocalReplicaIds request — [MS-OXCROPS] 2.2.13.13.
    pub struct GetLocalReplicaIdsRequest {
        /// IdCount.
        id_count: u32,
    }
}

wire_struct! {
    /// RopGetLocalReplicaIds response, after its return value — [MS-OXCROPS] 2.2.13.13.
    pub struct GetLocalReplicaIdsResponse {
        /// ReplGuid.
        repl_guid: Guid,
        /// GlobalCount.
        global_count: GlobCnt,
    }
}
