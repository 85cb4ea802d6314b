//! Error codes and warnings — [MS-OXCDATA] 2.4.

use watertight_wire::wire_enum;

wire_enum! {
    /// A return value of a ROP, of a MAPI/HTTP request or of an API call — [MS-OXCDATA] 2.4.
    pub enum MapiCode: u32 {
        /// The operation succeeded.
        Success = 0,
        /// General failure (MAPI_E_CALL_FAILED); never used where more is known.
        GeneralFailure = 0x8000_4005,
        /// Out of memory; of a property: the value is too large for this operation, use a stream (2.4.2).
        NotEnoughMemory = 0x8007_000E,
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
        /// There is nothing to abort.
        UnableToAbort = 0x8004_0114,
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
        /// The session has ended.
        EndOfSession = 0x8004_0200,
        /// The data is too big for the operation.
        TooBig = 0x8004_0305,
        /// The operation could not be completed.
        UnableToComplete = 0x8004_0400,
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
        /// ecMsgCycle: the message would be copied into itself.
        MessageCycle = 0x0000_0504,
        /// ecDuplicateDelivery.
        DuplicateDelivery = 0x0000_0469,
        /// Some properties could not be read: errors are in the row (a warning).
        ErrorsReturned = 0x0004_0380,
        /// The operation was done in part (a warning).
        PartialCompletion = 0x0004_0680,
        /// The position was changed (a warning).
        PositionChanged = 0x0004_0481,
        /// Incremental synchronization: more steps follow (a warning).
        SyncProgress = 0x0004_0820,
    }
}

impl MapiCode {
    /// Whether the code is an error (the warnings and success are not).
    #[must_use]
    pub const fn is_error(self) -> bool {
        !matches!(
            self,
            Self::Success
                | Self::ErrorsReturned
                | Self::PartialCompletion
                | Self::PositionChanged
                | Self::SyncProgress
        )
    }
}

impl core::error::Error for MapiCode {}

/// The codes of the MAPI programming interface (mapicode.h) and of storage, by number.
const MAPI_NAMES: [(u32, &str); 83] = [
    (0, "S_OK"),
    (0x8000_4005, "MAPI_E_CALL_FAILED"),
    (0x8007_000E, "MAPI_E_NOT_ENOUGH_MEMORY"),
    (0x8007_0057, "MAPI_E_INVALID_PARAMETER"),
    (0x8000_4002, "MAPI_E_INTERFACE_NOT_SUPPORTED"),
    (0x8007_0005, "MAPI_E_NO_ACCESS"),
    (0x8004_0102, "MAPI_E_NO_SUPPORT"),
    (0x8004_0103, "MAPI_E_BAD_CHARWIDTH"),
    (0x8004_0105, "MAPI_E_STRING_TOO_LONG"),
    (0x8004_0106, "MAPI_E_UNKNOWN_FLAGS"),
    (0x8004_0107, "MAPI_E_INVALID_ENTRYID"),
    (0x8004_0108, "MAPI_E_INVALID_OBJECT"),
    (0x8004_0109, "MAPI_E_OBJECT_CHANGED"),
    (0x8004_010A, "MAPI_E_OBJECT_DELETED"),
    (0x8004_010B, "MAPI_E_BUSY"),
    (0x8004_010D, "MAPI_E_NOT_ENOUGH_DISK"),
    (0x8004_010E, "MAPI_E_NOT_ENOUGH_RESOURCES"),
    (0x8004_010F, "MAPI_E_NOT_FOUND"),
    (0x8004_0110, "MAPI_E_VERSION"),
    (0x8004_0111, "MAPI_E_LOGON_FAILED"),
    (0x8004_0112, "MAPI_E_SESSION_LIMIT"),
    (0x8004_0113, "MAPI_E_USER_CANCEL"),
    (0x8004_0114, "MAPI_E_UNABLE_TO_ABORT"),
    (0x8004_0115, "MAPI_E_NETWORK_ERROR"),
    (0x8004_0116, "MAPI_E_DISK_ERROR"),
    (0x8004_0117, "MAPI_E_TOO_COMPLEX"),
    (0x8004_0118, "MAPI_E_BAD_COLUMN"),
    (0x8004_0119, "MAPI_E_EXTENDED_ERROR"),
    (0x8004_011A, "MAPI_E_COMPUTED"),
    (0x8004_011B, "MAPI_E_CORRUPT_DATA"),
    (0x8004_011C, "MAPI_E_UNCONFIGURED"),
    (0x8004_011D, "MAPI_E_FAILONEPROVIDER"),
    (0x8004_011E, "MAPI_E_UNKNOWN_CPID"),
    (0x8004_011F, "MAPI_E_UNKNOWN_LCID"),
    (0x8004_0120, "MAPI_E_PASSWORD_CHANGE_REQUIRED"),
    (0x8004_0121, "MAPI_E_PASSWORD_EXPIRED"),
    (0x8004_0122, "MAPI_E_INVALID_WORKSTATION_ACCOUNT"),
    (0x8004_0123, "MAPI_E_INVALID_ACCESS_TIME"),
    (0x8004_0124, "MAPI_E_ACCOUNT_DISABLED"),
    (0x8004_0200, "MAPI_E_END_OF_SESSION"),
    (0x8004_0201, "MAPI_E_UNKNOWN_ENTRYID"),
    (0x8004_0202, "MAPI_E_MISSING_REQUIRED_COLUMN"),
    (0x8004_0301, "MAPI_E_BAD_VALUE"),
    (0x8004_0302, "MAPI_E_INVALID_TYPE"),
    (0x8004_0303, "MAPI_E_TYPE_NO_SUPPORT"),
    (0x8004_0304, "MAPI_E_UNEXPECTED_TYPE"),
    (0x8004_0305, "MAPI_E_TOO_BIG"),
    (0x8004_0306, "MAPI_E_DECLINE_COPY"),
    (0x8004_0307, "MAPI_E_UNEXPECTED_ID"),
    (0x8004_0400, "MAPI_E_UNABLE_TO_COMPLETE"),
    (0x8004_0401, "MAPI_E_TIMEOUT"),
    (0x8004_0402, "MAPI_E_TABLE_EMPTY"),
    (0x8004_0403, "MAPI_E_TABLE_TOO_BIG"),
    (0x8004_0405, "MAPI_E_INVALID_BOOKMARK"),
    (0x8004_0500, "MAPI_E_WAIT"),
    (0x8004_0501, "MAPI_E_CANCEL"),
    (0x8004_0502, "MAPI_E_NOT_ME"),
    (0x8004_0600, "MAPI_E_CORRUPT_STORE"),
    (0x8004_0601, "MAPI_E_NOT_IN_QUEUE"),
    (0x8004_0602, "MAPI_E_NO_SUPPRESS"),
    (0x8004_0604, "MAPI_E_COLLISION"),
    (0x8004_0605, "MAPI_E_NOT_INITIALIZED"),
    (0x8004_0606, "MAPI_E_NON_STANDARD"),
    (0x8004_0607, "MAPI_E_NO_RECIPIENTS"),
    (0x8004_0608, "MAPI_E_SUBMITTED"),
    (0x8004_0609, "MAPI_E_HAS_FOLDERS"),
    (0x8004_060A, "MAPI_E_HAS_MESSAGES"),
    (0x8004_060B, "MAPI_E_FOLDER_CYCLE"),
    (0x8004_0700, "MAPI_E_AMBIGUOUS_RECIP"),
    (0x8004_0800, "SYNC_E_OBJECT_DELETED"),
    (0x8004_0801, "SYNC_E_IGNORE"),
    (0x8004_0802, "SYNC_E_CONFLICT"),
    (0x8004_0803, "SYNC_E_NO_PARENT"),
    (0x8004_0804, "SYNC_E_CYCLE"),
    (0x8004_0805, "SYNC_E_UNSYNCHRONIZED"),
    (0x0004_0820, "SYNC_W_PROGRESS"),
    (0x0004_0821, "SYNC_W_CLIENT_CHANGE_NEWER"),
    (0x0004_0203, "MAPI_W_NO_SERVICE"),
    (0x0004_0380, "MAPI_W_ERRORS_RETURNED"),
    (0x0004_0481, "MAPI_W_POSITION_CHANGED"),
    (0x0004_0482, "MAPI_W_APPROX_COUNT"),
    (0x0004_0580, "MAPI_W_CANCEL_MESSAGE"),
    (0x0004_0680, "MAPI_W_PARTIAL_COMPLETION"),
];

impl MapiCode {
    /// The name that MAPI programs know the code by (`MAPI_E_LOGON_FAILED`), where it has one there: the codes that
    /// only servers use (ecUnknownUser …) have none.
    #[must_use]
    pub fn mapi_name(self) -> Option<&'static str> {
        MAPI_NAMES.iter().find(|(code, _)| *code == self.0).map(|(_, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_programs_know() {
        assert_eq!(MapiCode::LogonFailed.mapi_name(), Some("MAPI_E_LOGON_FAILED"));
        assert_eq!(MapiCode::GeneralFailure.mapi_name(), Some("MAPI_E_CALL_FAILED"));
        assert_eq!(MapiCode::UnknownUser.mapi_name(), None);
        for (at, (code, name)) in MAPI_NAMES.iter().enumerate() {
            assert!(!MAPI_NAMES[..at].iter().any(|(other, also)| other == code || also == name), "{name}");
        }
    }
}
