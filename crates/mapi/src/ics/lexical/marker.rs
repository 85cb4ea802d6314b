use crate::PropTag;

macro_rules! markers {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)*) => {
        /// Markers — [MS-OXCFXICS] 2.2.4.1.4.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Marker {
            $($(#[$doc])* $name,)*
        }

        impl Marker {
            /// The marker with that number, if there is one.
            #[must_use]
            pub const fn from_tag(tag: PropTag) -> Option<Self> {
                match tag.0 {
                    $($value => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Its number.
            #[must_use]
            pub const fn tag(self) -> PropTag {
                match self {
                    $(Self::$name => PropTag($value),)*
                }
            }

            /// Its name in the document.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

markers! {
    /// Start of a folder.
    StartTopFld = 0x4009_0003,
    /// Start of a subfolder.
    StartSubFld = 0x400A_0003,
    /// End of a folder or subfolder.
    EndFolder = 0x400B_0003,
    /// Start of a normal message.
    StartMessage = 0x400C_0003,
    /// End of a message.
    EndMessage = 0x400D_0003,
    /// Start of an FAI message.
    StartFAIMsg = 0x4010_0003,
    /// Start of an embedded message.
    StartEmbed = 0x4001_0003,
    /// End of an embedded message.
    EndEmbed = 0x4002_0003,
    /// Start of a recipient.
    StartRecip = 0x4003_0003,
    /// End of a recipient.
    EndToRecip = 0x4004_0003,
    /// Start of an attachment.
    NewAttach = 0x4000_0003,
    /// End of an attachment.
    EndAttach = 0x400E_0003,
    /// Start of a folder's or message's change.
    IncrSyncChg = 0x4012_0003,
    /// Start of a partial change of a message.
    IncrSyncChgPartial = 0x407D_0003,
    /// Start of deletions.
    IncrSyncDel = 0x4013_0003,
    /// End of a synchronization.
    IncrSyncEnd = 0x4014_0003,
    /// Start of read-state changes.
    IncrSyncRead = 0x402F_0003,
    /// Start of the final state.
    IncrSyncStateBegin = 0x403A_0003,
    /// End of the final state.
    IncrSyncStateEnd = 0x403B_0003,
    /// Start of the size of all that follows.
    IncrSyncProgressMode = 0x4074_000B,
    /// Start of the size of the message that follows.
    IncrSyncProgressPerMsg = 0x4075_000B,
    /// Start of a message's content.
    IncrSyncMessage = 0x4015_0003,
    /// Start of a property group mapping.
    IncrSyncGroupInfo = 0x407B_0102,
    /// Start of error data.
    FXErrorInfo = 0x4018_0003,
}
