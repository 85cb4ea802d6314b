//! Error codes and warnings — [MS-OXCDATA] 2.4.

use watertight_wire::wire_enum;

wire_enum! {
    /// A return value of a ROP, of a MAPI/HTTP request or of an API call — [MS-OXCDATA] 2.4.
    pub enum MapiCode: u32 {
        /// The operation succeeded.
        Success = 0,
        /// General failure (MAPI_E_CALL_FAILED); never used where more is known.
        GeneralFailure = 0x8000_4005,
        /// Out of memory.
        OutOfMemory = 0x8007_000E,
        /// An invalid parameter was passed.
        InvalidParameter = 0x8007_0057,
        /// The caller does not have access.
        AccessDenied = 0x8007_0005,
        /// The interface is not supported.
        InterfaceNotSupported = 0x8000_4002,
        /// The server does not support the method.
        NotSupported = 0x8004_0102,
        /// A character set or code page is not known.
        BadCharWidth = 0x8004_0103,
        /// A string is too long.
        StringTooLong = 0x8004_0105,
        /// Unknown flags.
        UnknownFlags = 0x8004_0106,
        /// The entry identifier is not valid.
        InvalidEntryId = 0x8004_0107,
        /// The object is no longer valid.
        InvalidObject = 0x8004_0108,
        /// Somebody else changed the object first.
        ObjectModified = 0x8004_0109,
        /// The object was deleted.
        ObjectDeleted = 0x8004_010A,
        /// The server is busy.
        ServerBusy = 0x8004_010B,
        /// Not enough disk space.
        OutOfDisk = 0x8004_010D,
        /// Not enough of some resource.
        OutOfResources = 0x8004_010E,
        /// The object was not found.
        NotFound = 0x8004_010F,
        /// Versions do not match.
        VersionMismatch = 0x8004_0110,
        /// The logon failed.
        LogonFailed = 0x8004_0111,
        /// Too many sessions.
        TooManySessions = 0x8004_0112,
        /// The user cancelled.
        UserCancel = 0x8004_0113,
        /// The network failed.
        NetworkError = 0x8004_0115,
        /// The disk failed.
        DiskError = 0x8004_0116,
        /// The operation is too complex (too many clauses).
        TooComplex = 0x8004_0117,
        /// A column cannot be used so.
        InvalidColumn = 0x8004_0118,
        /// The value was computed and cannot be set.
        Computed = 0x8004_011A,
        /// The data is corrupt.
        CorruptData = 0x8004_011B,
        /// The value is too large for this operation (use a stream).
        NotEnoughMemory = 0x8007_0008,
        /// The bookmark is not valid.
        InvalidBookmark = 0x8004_0405,
        /// The named property quota is used up.
        NamedPropertyQuotaExceeded = 0x0000_0900,
        /// The session or logon is not there.
        UnconfiguredLogon = 0x8004_011C,
        /// The operation timed out.
        Timeout = 0x8004_0401,
        /// The table is too big.
        TableTooBig = 0x8004_0403,
        /// The object exists already.
        DuplicateName = 0x8004_0604,
        /// Not initialized (no columns set on the table).
        NotInitialized = 0x8004_0605,
        /// The folder is not empty.
        FolderHasContents = 0x8004_060A,
        /// The folder has subfolders.
        FolderHasChildren = 0x8004_0609,
        /// The folder would be moved into itself.
        FolderCycle = 0x8004_060B,
        /// The name is ambiguous.
        AmbiguousRecipient = 0x8004_0700,
        /// There is no such thing here (no data for the property in this form).
        NoSupport = 0x8004_0202,
        /// The object is being used.
        NoAccess = 0x8004_0500,
        /// Incremental synchronization: the object was deleted.
        SyncObjectDeleted = 0x8004_0800,
        /// Incremental synchronization: the change is ignored, the server's version is newer.
        SyncIgnore = 0x8004_0801,
        /// Incremental synchronization: conflict.
        SyncConflict = 0x8004_0802,
        /// Incremental synchronization: no parent.
        SyncNoParent = 0x8004_0803,
        /// Incremental synchronization: the synchronization failed part way.
        SyncIncomplete = 0x8004_0805,
        /// The stream position is out of range.
        StreamSeekError = 0x8003_0019,
        /// The stream access mode does not allow this.
        StreamAccessDenied = 0x8003_0005,
        /// The stream would be too large.
        StreamSizeError = 0x8003_0070,
        /// The handle index is not valid for this ROP — ecNullObject.
        NullObject = 0x0000_04B9,
        /// ecRpcFormat: the request cannot be parsed.
        RpcFormat = 0x0000_04B6,
        /// ecBufferTooSmall: the response does not fit.
        BufferTooSmall = 0x0000_047D,
        /// ecServerPaused.
        ServerPaused = 0x0000_047F,
        /// ecUnknownUser: the user DN has no mailbox here.
        UnknownUser = 0x0000_03EB,
        /// ecWrongServer: the mailbox is elsewhere.
        WrongServer = 0x0000_0478,
        /// ecLoginPerm: no permission to log on.
        LoginPerm = 0x0000_03F2,
        /// ecLoginFailure.
        LoginFailure = 0x8004_0120,
        /// ecProfileNotConfigured.
        ProfileNotConfigured = 0x8004_011D,
        /// ecShutdownService: the server is going away.
        ShutdownService = 0x0000_04DA,
        /// ecMaxObjsExceeded: too many handles.
        MaxObjectsExceeded = 0x0000_04DB,
        /// ecQuotaExceeded.
        QuotaExceeded = 0x0000_04D9,
        /// ecPropSize: a property value is too large.
        PropertySize = 0x0000_0505,
        /// ecMaxAttachmentExceeded.
        MaxAttachmentExceeded = 0x0000_04DC,
        /// ecTooManyRecips.
        TooManyRecipients = 0x0000_0506,
        /// ecDstNullObject: the destination folder is not there.
        DestinationNullObject = 0x0000_0503,
        /// ecDuplicateDelivery.
        DuplicateDelivery = 0x0000_0469,
        /// Some properties could not be read: errors are in the row (a warning).
        ErrorsReturned = 0x0004_0380,
        /// The operation was done in part (a warning).
        PartialCompletion = 0x0004_0680,
        /// The position was changed (a warning).
        PositionChanged = 0x0004_0481,
    }
}

impl MapiCode {
    /// Whether the code is an error (the warnings and success are not).
    #[must_use]
    pub const fn is_error(self) -> bool {
        !matches!(
            self,
            Self::Success | Self::ErrorsReturned | Self::PartialCompletion | Self::PositionChanged
        )
    }
}

impl core::error::Error for MapiCode {}
