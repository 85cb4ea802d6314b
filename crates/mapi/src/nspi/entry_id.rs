//! Entry identifiers of the address book — [MS-OXNSPI] 2.2.9.

use watertight_wire::{Guid, Reader, Wire, WireError, Writer, wire_struct};

/// GUID_NSPI, ProviderUID of a Permanent Entry ID — [MS-OXNSPI] 2.2.9.3.
pub const NSPI_PROVIDER: Guid =
    Guid::new(0xc840_a7dc, 0x42c0, 0x1a10, [0xb4, 0xb9, 0x08, 0x00, 0x2b, 0x2f, 0xe1, 0x82]);

/// DT_MAILUSER — [MS-OXNSPI] 2.2.1.3.
pub const DT_MAILUSER: u32 = 0;
/// DT_CONTAINER: an address-book hierarchy table's row — [MS-OXNSPI] 2.2.1.3.
pub const DT_CONTAINER: u32 = 0x100;

/// PermanentEntryID — [MS-OXNSPI] 2.2.9.3: the same in every session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermanentEntryId {
    /// DisplayType string: [`DT_MAILUSER`] and the like.
    pub display_type: u32,
    /// DistinguishedName.
    pub dn: String,
}

impl Wire for PermanentEntryId {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("PermanentEntryID", |r| {
            match r.u8("IDType")? {
                0 => {}
                other => return Err(r.invalid("IDType", other)),
            }
            r.bytes(3, "R1 to R3")?;
            r.guid("ProviderUID")?;
            r.u32("R4")?;
            let display_type = r.u32("DisplayTypeString")?;
            let dn = String::from_utf8_lossy(r.cstr("DistinguishedName")?).into_owned();
            Ok(Self { display_type, dn })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(0);
        w.guid(NSPI_PROVIDER);
        w.u32(1);
        w.u32(self.display_type);
        w.cstr(self.dn.as_bytes(), "DistinguishedName")
    }
}

wire_struct! {
    /// EphemeralEntryID — [MS-OXNSPI] 2.2.9.2: for one server, as long as it runs.
    #[derive(Copy, Eq)]
    pub struct EphemeralEntryId {
        /// IDType 0x87, R1 to R3 0.
        id_type: u32,
        /// ProviderUID: the GUID that Bind returned.
        provider_uid: Guid,
        /// R4: 1.
        r4: u32,
        /// DisplayType.
        display_type: u32,
        /// MId: the Minimal Entry ID.
        mid: u32,
    } = 32
}

impl EphemeralEntryId {
    /// Of an entry of the server with that GUID.
    #[must_use]
    pub const fn new(server: Guid, display_type: u32, mid: u32) -> Self {
        Self { id_type: 0x87, provider_uid: server, r4: 1, display_type, mid }
    }
}
