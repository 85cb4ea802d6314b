//! Transport ROPs — [MS-OXCROPS] 2.2.7; [MS-OXOMSG].

use watertight_wire::{Reader, Wire, WireError, WireField, Writer, wire_struct};

use super::field::{Ascii, List16, Truth, items};
use crate::{Fid, Mid, prop::wire::TaggedPropertyValue};

wire_struct! {
    /// RopSubmitMessage request — [MS-OXCROPS] 2.2.7.1.
    pub struct SubmitMessageRequest {
        /// SubmitFlags.
        submit_flags: u8,
    }
}

wire_struct! {
    /// RopAbortSubmit request — [MS-OXCROPS] 2.2.7.2.
    pub struct AbortSubmitRequest {
        /// FolderId.
        folder_id: Fid,
        /// MessageId.
        message_id: Mid,
    }
}

wire_struct! {
    /// RopSpoolerLockMessage request — [MS-OXCROPS] 2.2.7.5.
    pub struct SpoolerLockMessageRequest {
        /// MessageId.
        message_id: Mid,
        /// LockState.
        lock_state: u8,
    }
}

wire_struct! {
    /// RopTransportSend response, after its return value — [MS-OXCROPS] 2.2.7.6.
    pub struct TransportSendResponse {
        /// NoPropertiesReturned.
        no_properties_returned: Truth,
        /// PropertyValues.
        values: List16<TaggedPropertyValue>,
    }
}

wire_struct! {
    /// RopTransportNewMail request — [MS-OXCROPS] 2.2.7.7.
    pub struct TransportNewMailRequest {
        /// MessageId.
        message_id: Mid,
        /// FolderId.
        folder_id: Fid,
        /// MessageClass.
        message_class: Ascii,
        /// MessageFlags.
        message_flags: u32,
    }
}

wire_struct! {
    /// RopGetTransportFolder response, after its return value — [MS-OXCROPS] 2.2.7.8.
    pub struct GetTransportFolderResponse {
        /// FolderId.
        folder_id: Fid,
    }
}

/// RopGetAddressTypes response — [MS-OXCROPS] 2.2.7.3.2.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GetAddressTypesResponse {
    /// AddressTypes.
    pub address_types: Vec<Ascii>,
}

impl Wire for GetAddressTypesResponse {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = r.u16("AddressTypeCount")?;
        let size = usize::from(r.u16("AddressTypeSize")?);
        let mut part = r.sub(size, "AddressTypes")?;
        let address_types =
            items(&mut part, u32::from(count), "AddressTypes", |r| Ascii::read_field(r, "AddressTypes"))?;
        part.finish()?;
        Ok(Self { address_types })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        let mut part = Writer::new();
        self.address_types.iter().try_for_each(|ty| ty.write_field(&mut part))?;
        w.len16(self.address_types.len(), "AddressTypeCount")?;
        w.bytes16(part.as_slice(), "AddressTypes")
    }
}
