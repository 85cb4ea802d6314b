//! Entry identifiers — [MS-OXCDATA] 2.2.4, 2.2.5.2.

use watertight_wire::{Guid, Reader, Wire, WireError, Writer, wire_struct};

use crate::GlobCnt;

/// eitLTPrivateFolder, FolderType of folders of a private mailbox — [MS-OXCDATA] 2.2.4.
pub const PRIVATE_FOLDER: u16 = 0x0001;

/// eitLTPublicFolder, FolderType of public folders — [MS-OXCDATA] 2.2.4.
pub const PUBLIC_FOLDER: u16 = 0x0003;

/// eitLTPublicMessage, MessageType of messages of public folders — [MS-OXCDATA] 2.2.4.
pub const PUBLIC_MESSAGE: u16 = 0x0009;

/// ProviderUID of public folders and their messages — [MS-OXCDATA] 2.2.4.1.
pub const PUBLIC_PROVIDER: Guid =
    Guid::new(0x9073_441a, 0x66aa, 0xcd11, [0x9b, 0xc8, 0x00, 0xaa, 0x00, 0x2f, 0xc4, 0x5a]);

/// eitLTPrivateMessage, MessageType of messages of a private mailbox — [MS-OXCDATA] 2.2.4.
pub const PRIVATE_MESSAGE: u16 = 0x0007;

wire_struct! {
    /// Folder EntryID — [MS-OXCDATA] 2.2.4.1.
    #[derive(Copy, Eq)]
    pub struct FolderEntryId {
        /// Flags: zero.
        flags: u32,
        /// ProviderUID: the mailbox GUID.
        provider_uid: Guid,
        /// FolderType.
        folder_type: u16,
        /// DatabaseGuid: the REPLGUID.
        database_guid: Guid,
        /// GlobalCounter.
        global_counter: GlobCnt,
        /// Pad.
        pad: u16,
    } = 46
}

wire_struct! {
    /// Message EntryID — [MS-OXCDATA] 2.2.4.2.
    #[derive(Copy, Eq)]
    pub struct MessageEntryId {
        /// Flags: zero.
        flags: u32,
        /// ProviderUID: the mailbox GUID.
        provider_uid: Guid,
        /// MessageType.
        message_type: u16,
        /// FolderDatabaseGuid.
        folder_database_guid: Guid,
        /// FolderGlobalCounter.
        folder_global_counter: GlobCnt,
        /// Pad.
        folder_pad: u16,
        /// MessageDatabaseGuid.
        message_database_guid: Guid,
        /// MessageGlobalCounter.
        message_global_counter: GlobCnt,
        /// Pad.
        message_pad: u16,
    } = 70
}

impl FolderEntryId {
    /// Of a folder of a private mailbox.
    #[must_use]
    pub const fn private(mailbox_guid: Guid, repl_guid: Guid, folder: GlobCnt) -> Self {
        Self {
            flags: 0,
            provider_uid: mailbox_guid,
            folder_type: PRIVATE_FOLDER,
            database_guid: repl_guid,
            global_counter: folder,
            pad: 0,
        }
    }

    /// Of a public folder.
    #[must_use]
    pub const fn public(repl_guid: Guid, folder: GlobCnt) -> Self {
        Self { folder_type: PUBLIC_FOLDER, ..Self::private(PUBLIC_PROVIDER, repl_guid, folder) }
    }
}

impl MessageEntryId {
    /// Of a message of a private mailbox.
    #[must_use]
    pub const fn private(mailbox_guid: Guid, repl_guid: Guid, folder: GlobCnt, message: GlobCnt) -> Self {
        Self {
            flags: 0,
            provider_uid: mailbox_guid,
            message_type: PRIVATE_MESSAGE,
            folder_database_guid: repl_guid,
            folder_global_counter: folder,
            folder_pad: 0,
            message_database_guid: repl_guid,
            message_global_counter: message,
            message_pad: 0,
        }
    }

    /// Of a message in a public folder.
    #[must_use]
    pub const fn public(repl_guid: Guid, folder: GlobCnt, message: GlobCnt) -> Self {
        Self { message_type: PUBLIC_MESSAGE, ..Self::private(PUBLIC_PROVIDER, repl_guid, folder, message) }
    }
}

/// Store Object EntryID — [MS-OXCDATA] 2.2.4.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreEntryId {
    /// ServerShortname.
    pub server: String,
    /// MailboxDN; public folders have none.
    pub mailbox_dn: Option<String>,
}

/// ProviderUID of a Store Object EntryID.
const STORE_PROVIDER: Guid =
    Guid::new(0x10bb_a138, 0xe505, 0x1a10, [0xa1, 0xbb, 0x08, 0x00, 0x2b, 0x2a, 0x56, 0xc2]);
/// WrappedProviderUID of a private mailbox.
const MAILBOX_PROVIDER: Guid =
    Guid::new(0x20fa_551b, 0x66aa, 0xcd11, [0x9b, 0xc8, 0x00, 0xaa, 0x00, 0x2f, 0xc4, 0x5a]);
/// WrappedProviderUID of public folders.
const PUBLIC_STORE_PROVIDER: Guid =
    Guid::new(0x1002_831c, 0x66aa, 0xcd11, [0x9b, 0xc8, 0x00, 0xaa, 0x00, 0x2f, 0xc4, 0x5a]);
/// ProviderUID of an Address Book EntryID.
const ADDRESS_BOOK_PROVIDER: Guid =
    Guid::new(0xc840_a7dc, 0x42c0, 0x1a10, [0xb4, 0xb9, 0x08, 0x00, 0x2b, 0x2f, 0xe1, 0x82]);
const DLL: &[u8; 14] = b"emsmdb.dll\0\0\0\0";

impl Wire for StoreEntryId {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("StoreObjectEntryId", |r| {
            r.u32("Flags")?;
            r.guid("ProviderUID")?;
            r.u16("Version and Flag")?;
            r.bytes(DLL.len(), "DLLFileName")?;
            r.u32("WrappedFlags")?;
            let provider = r.guid("WrappedProviderUID")?;
            r.u32("WrappedType")?;
            let server = String::from_utf8_lossy(r.cstr("ServerShortname")?).into_owned();
            let mailbox_dn = if provider == PUBLIC_STORE_PROVIDER {
                None
            } else {
                Some(String::from_utf8_lossy(r.cstr("MailboxDN")?).into_owned())
            };
            Ok(Self { server, mailbox_dn })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(0);
        w.guid(STORE_PROVIDER);
        w.u16(0);
        w.bytes(DLL);
        w.u32(0);
        let (provider, kind) = match self.mailbox_dn {
            Some(_) => (MAILBOX_PROVIDER, 0x0c),
            None => (PUBLIC_STORE_PROVIDER, 0x06),
        };
        w.guid(provider);
        w.u32(kind);
        w.cstr(self.server.as_bytes(), "ServerShortname")?;
        match &self.mailbox_dn {
            Some(dn) => w.cstr(dn.as_bytes(), "MailboxDN"),
            None => Ok(()),
        }
    }
}

/// Address Book EntryID — [MS-OXCDATA] 2.2.5.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressBookEntryId {
    /// Type: 0 for a mailbox user.
    pub kind: u32,
    /// X500DN.
    pub dn: String,
}

impl Wire for AddressBookEntryId {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("AddressBookEntryId", |r| {
            r.u32("Flags")?;
            r.guid("ProviderUID")?;
            r.u32("Version")?;
            let kind = r.u32("Type")?;
            Ok(Self { kind, dn: String::from_utf8_lossy(r.cstr("X500DN")?).into_owned() })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(0);
        w.guid(ADDRESS_BOOK_PROVIDER);
        w.u32(1);
        w.u32(self.kind);
        w.cstr(self.dn.as_bytes(), "X500DN")
    }
}

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate::survive;

    use super::*;

    #[test]
    fn entry_ids_survive() {
        let guid = Guid::new(1, 2, 3, [4; 8]);
        let counter = GlobCnt::new(0xd).unwrap();
        let folder = FolderEntryId::private(guid, guid, counter).to_bytes().unwrap();
        assert_eq!(folder.len(), 46);
        assert_eq!(folder[36 + 2..46], [0, 0, 0, 0, 0, 0xd, 0, 0]);
        let message = MessageEntryId::private(guid, guid, counter, counter).to_bytes().unwrap();
        let store = StoreEntryId { server: "s".into(), mailbox_dn: Some("/o=x".into()) };
        let bytes = store.to_bytes().unwrap();
        // The two providers as [MS-OXCDATA] 2.2.4.3 writes their bytes.
        assert_eq!(bytes[4..8], [0x38, 0xa1, 0xbb, 0x10]);
        assert_eq!(bytes[40..44], [0x1b, 0x55, 0xfa, 0x20]);
        assert_eq!(StoreEntryId::from_bytes(&bytes).unwrap(), store);
        let user = AddressBookEntryId { kind: 0, dn: "/o=x".into() };
        let user_bytes = user.to_bytes().unwrap();
        assert_eq!(user_bytes[4..8], [0xdc, 0xa7, 0x40, 0xc8]);
        assert_eq!(AddressBookEntryId::from_bytes(&user_bytes).unwrap(), user);
        for sample in [folder, message, bytes, user_bytes] {
            survive(&sample, |b| {
                let _ = FolderEntryId::from_bytes(b);
                let _ = MessageEntryId::from_bytes(b);
                let _ = StoreEntryId::from_bytes(b);
                let _ = AddressBookEntryId::from_bytes(b);
            });
        }
    }
}
