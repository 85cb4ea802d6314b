use watertight_wire::{wire_enum, wire_flags};

wire_enum! {
    /// SynchronizationType — [MS-OXCFXICS] 2.2.3.2.1.1.1.
    pub enum SyncType: u8 {
        /// Contents.
        Contents = 0x01,
        /// Hierarchy.
        Hierarchy = 0x02,
    }
}

wire_flags! {
    /// SynchronizationFlags — [MS-OXCFXICS] 2.2.3.2.1.1.1.
    pub struct SyncFlags: u16 {
        /// Strings as they are stored; else in the code page of the connection.
        Unicode = 0x0001,
        /// No deletions.
        NoDeletions = 0x0002,
        /// Messages that left the scope are not reported.
        IgnoreNoLongerInScope = 0x0004,
        /// Read-state changes.
        ReadState = 0x0008,
        /// FAI messages.
        FAI = 0x0010,
        /// Normal messages.
        Normal = 0x0020,
        /// Only the properties listed.
        OnlySpecifiedProperties = 0x0080,
        /// Source keys that the server makes.
        NoForeignIdentifiers = 0x0100,
        /// Must be zero.
        Reserved = 0x1000,
        /// Bodies in their original format.
        BestBody = 0x2000,
        /// With OnlySpecifiedProperties: FAI messages whole.
        IgnoreSpecifiedOnFAI = 0x4000,
        /// Progress in the stream.
        Progress = 0x8000,
    }
}

impl SyncFlags {
    /// The flags that may be set.
    pub(super) const KNOWN: Self = Self(0xE1BF);
}

wire_flags! {
    /// SynchronizationExtraFlags — [MS-OXCFXICS] 2.2.3.2.1.1.1. Unknown ones are ignored.
    pub struct ExtraFlags: u32 {
        /// PidTagMid, PidTagFolderId.
        Eid = 0x0000_0001,
        /// PidTagMessageSize.
        MessageSize = 0x0000_0002,
        /// PidTagChangeNumber.
        CN = 0x0000_0004,
        /// Newest delivery first.
        OrderByDeliveryTime = 0x0000_0008,
    }
}

wire_flags! {
    /// SendOptions — [MS-OXCFXICS] 2.2.3.1.1.1.1.
    pub struct SendOptions: u8 {
        /// Strings as they are stored.
        Unicode = 0x01,
        /// Strings with code page types.
        UseCpid = 0x02,
        /// An object that cannot be read costs that object.
        RecoverMode = 0x04,
        /// Strings in Unicode.
        ForceUnicode = 0x08,
        /// Partial changes are understood.
        PartialItem = 0x10,
        /// Reserved.
        Reserved1 = 0x20,
        /// Reserved.
        Reserved2 = 0x40,
    }
}

impl SendOptions {
    /// The flags that may be set.
    pub(super) const KNOWN: Self = Self(0x7F);
}

wire_flags! {
    /// CopyFlags of RopFastTransferSourceCopyTo and CopyMessages, by what they mean — [MS-OXCFXICS] 2.2.3.1.1.1.1,
    /// 2.2.3.1.1.3.1. [`CopyFlags::of_copy_to`] and [`CopyFlags::of_copy_messages`] read the two forms.
    pub struct CopyFlags: u8 {
        /// Move: permissions to delete are asked for (the owner of a mailbox has them).
        Move = 0x01,
        /// Bodies in their original format.
        BestBody = 0x02,
        /// Keys of messages and of their versions.
        SendEntryId = 0x04,
    }
}

impl CopyFlags {
    /// From the 32 bits of RopFastTransferSourceCopyTo; `None` when unknown ones are set.
    #[must_use]
    pub fn of_copy_to(bits: u32) -> Option<Self> {
        const IGNORED: u32 = 0x060E;
        if bits & !(0x2001 | IGNORED) != 0 {
            return None;
        }
        Some(Self::when(bits & 1 != 0, Self::Move) | Self::when(bits & 0x2000 != 0, Self::BestBody))
    }

    /// From the 8 bits of RopFastTransferSourceCopyMessages; `None` when unknown ones are set.
    #[must_use]
    pub fn of_copy_messages(bits: u8) -> Option<Self> {
        if bits & !0x3F != 0 {
            return None;
        }
        Some(
            Self::when(bits & 0x01 != 0, Self::Move)
                | Self::when(bits & 0x10 != 0, Self::BestBody)
                | Self::when(bits & 0x20 != 0, Self::SendEntryId),
        )
    }

    const fn when(on: bool, flag: Self) -> Self {
        if on { flag } else { Self(0) }
    }
}
