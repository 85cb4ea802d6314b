//! The table of ROPs — [MS-OXCROPS] 2.2.2: identifier, request and response of each.

use watertight_wire::{Reader, Wire, WireError, WireField, Writer, wire_enum};

use super::{
    answer::{Context, ResponseFields},
    field::{Empty, Servers},
    folder::*,
    logon::*,
    message::*,
    notification::*,
    property::*,
    recipient::*,
    rule::*,
    stream::*,
    sync::*,
    table::*,
    transfer::*,
    transport::*,
};

macro_rules! rops {
    ($($(#[$doc:meta])* $name:ident = $id:literal : $request:ty => $response:ty;)* ; $($(#[$odoc:meta])* $other:ident = $oid:literal;)*) => {
        wire_enum! {
            /// RopId — [MS-OXCROPS] 2.2.2.
            pub enum RopId: u8 {
                $($(#[$doc])* $name = $id,)*
                $($(#[$odoc])* $other = $oid,)*
            }
        }

        /// The fields of a ROP request behind its handle index.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum RequestBody {
            $($(#[$doc])* $name($request),)*
            /// A ROP that is not in the table: nobody knows where it ends, so it has all the bytes that are left.
            Unknown(RopId, Vec<u8>),
        }

        impl RequestBody {
            /// Which ROP it is.
            #[must_use]
            pub const fn id(&self) -> RopId {
                match self {
                    $(Self::$name(_) => RopId::$name,)*
                    Self::Unknown(id, _) => *id,
                }
            }

            /// The ROP's name in the specification.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => concat!("Rop", stringify!($name)),)*
                    Self::Unknown(..) => "an unknown ROP",
                }
            }

            fn read(r: &mut Reader<'_>, id: RopId) -> Result<Self, WireError> {
                Ok(match id {
                    $(RopId::$name => Self::$name(<$request as Wire>::read(r)?),)*
                    other => Self::Unknown(other, r.take_rest().to_vec()),
                })
            }

            fn write(&self, w: &mut Writer) -> Result<(), WireError> {
                match self {
                    $(Self::$name(body) => Wire::write(body, w),)*
                    Self::Unknown(_, rest) => { w.bytes(rest); Ok(()) }
                }
            }
        }

        /// The fields of a ROP response behind its return value.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum ResponseBody {
            $($(#[$doc])* $name($response),)*
        }

        impl ResponseBody {
            /// Which ROP it answers.
            #[must_use]
            pub const fn id(&self) -> RopId {
                match self {
                    $(Self::$name(_) => RopId::$name,)*
                }
            }

            /// Reads what follows the return value; `None` when nothing does.
            pub(super) fn read(r: &mut Reader<'_>, id: RopId, context: &Context<'_>) -> Result<Option<Self>, WireError> {
                Ok(match id {
                    $(RopId::$name => <$response as ResponseFields>::read_fields(r, context)?.map(Self::$name),)*
                    other if context.return_value.is_error() => { let _ = other; None }
                    other => return Err(r.invalid("RopId", other.0)),
                })
            }

            pub(super) fn write(&self, w: &mut Writer) -> Result<(), WireError> {
                match self {
                    $(Self::$name(body) => ResponseFields::write_fields(body, w),)*
                }
            }
        }
    };
}

rops! {
    // Logon ROPs — [MS-OXCROPS] 2.2.3; [MS-OXCSTOR].
    /// RopLogon — 2.2.3.1.
    Logon = 0xFE: LogonRequest => LogonResponse;
    /// RopGetReceiveFolder — 2.2.3.2.
    GetReceiveFolder = 0x27: GetReceiveFolderRequest => GetReceiveFolderResponse;
    /// RopSetReceiveFolder — 2.2.3.3.
    SetReceiveFolder = 0x26: SetReceiveFolderRequest => Empty;
    /// RopGetReceiveFolderTable — 2.2.3.4.
    GetReceiveFolderTable = 0x68: Empty => GetReceiveFolderTableResponse;
    /// RopGetStoreState — 2.2.3.5.
    GetStoreState = 0x7B: Empty => GetStoreStateResponse;
    /// RopGetOwningServers — 2.2.3.6.
    GetOwningServers = 0x42: GetOwningServersRequest => Servers;
    /// RopPublicFolderIsGhosted — 2.2.3.7.
    PublicFolderIsGhosted = 0x45: PublicFolderIsGhostedRequest => PublicFolderIsGhostedResponse;
    /// RopLongTermIdFromId — 2.2.3.8.
    LongTermIdFromId = 0x43: LongTermIdFromIdRequest => LongTermIdFromIdResponse;
    /// RopIdFromLongTermId — 2.2.3.9.
    IdFromLongTermId = 0x44: IdFromLongTermIdRequest => IdFromLongTermIdResponse;
    /// RopGetPerUserLongTermIds — 2.2.3.10.
    GetPerUserLongTermIds = 0x60: GetPerUserLongTermIdsRequest => GetPerUserLongTermIdsResponse;
    /// RopGetPerUserGuid — 2.2.3.11.
    GetPerUserGuid = 0x61: GetPerUserGuidRequest => GetPerUserGuidResponse;
    /// RopReadPerUserInformation — 2.2.3.12.
    ReadPerUserInformation = 0x63: ReadPerUserInformationRequest => ReadPerUserInformationResponse;
    // Folder ROPs — [MS-OXCROPS] 2.2.4; [MS-OXCFOLD].
    /// RopOpenFolder — 2.2.4.1.
    OpenFolder = 0x02: OpenFolderRequest => OpenFolderResponse;
    /// RopCreateFolder — 2.2.4.2.
    CreateFolder = 0x1C: CreateFolderRequest => CreateFolderResponse;
    /// RopDeleteFolder — 2.2.4.3.
    DeleteFolder = 0x1D: DeleteFolderRequest => PartialCompletionResponse;
    /// RopSetSearchCriteria — 2.2.4.4.
    SetSearchCriteria = 0x30: SetSearchCriteriaRequest => Empty;
    /// RopGetSearchCriteria — 2.2.4.5.
    GetSearchCriteria = 0x31: GetSearchCriteriaRequest => GetSearchCriteriaResponse;
    /// RopMoveCopyMessages — 2.2.4.6.
    MoveCopyMessages = 0x33: MoveCopyMessagesRequest => MovedResponse;
    /// RopMoveFolder — 2.2.4.7.
    MoveFolder = 0x35: MoveFolderRequest => MovedResponse;
    /// RopCopyFolder — 2.2.4.8.
    CopyFolder = 0x36: CopyFolderRequest => MovedResponse;
    /// RopEmptyFolder — 2.2.4.9.
    EmptyFolder = 0x58: EmptyFolderRequest => PartialCompletionResponse;
    /// RopHardDeleteMessagesAndSubfolders — 2.2.4.10.
    HardDeleteMessagesAndSubfolders = 0x92: HardDeleteMessagesAndSubfoldersRequest => PartialCompletionResponse;
    /// RopDeleteMessages — 2.2.4.11.
    DeleteMessages = 0x1E: DeleteMessagesRequest => PartialCompletionResponse;
    /// RopHardDeleteMessages — 2.2.4.12.
    HardDeleteMessages = 0x91: HardDeleteMessagesRequest => PartialCompletionResponse;
    /// RopGetHierarchyTable — 2.2.4.13.
    GetHierarchyTable = 0x04: GetHierarchyTableRequest => GetHierarchyTableResponse;
    /// RopGetContentsTable — 2.2.4.14.
    GetContentsTable = 0x05: GetContentsTableRequest => GetContentsTableResponse;
    // Table ROPs — [MS-OXCROPS] 2.2.5; [MS-OXCTABL].
    /// RopSetColumns — 2.2.5.1.
    SetColumns = 0x12: SetColumnsRequest => TableStatusResponse;
    /// RopSortTable — 2.2.5.2.
    SortTable = 0x13: SortTableRequest => TableStatusResponse;
    /// RopRestrict — 2.2.5.3.
    Restrict = 0x14: RestrictRequest => TableStatusResponse;
    /// RopQueryRows — 2.2.5.4.
    QueryRows = 0x15: QueryRowsRequest => QueryRowsResponse;
    /// RopAbort — 2.2.5.5.
    Abort = 0x38: Empty => TableStatusResponse;
    /// RopGetStatus — 2.2.5.6.
    GetStatus = 0x16: Empty => TableStatusResponse;
    /// RopQueryPosition — 2.2.5.7.
    QueryPosition = 0x17: Empty => QueryPositionResponse;
    /// RopSeekRow — 2.2.5.8.
    SeekRow = 0x18: SeekRowRequest => SeekRowResponse;
    /// RopSeekRowBookmark — 2.2.5.9.
    SeekRowBookmark = 0x19: SeekRowBookmarkRequest => SeekRowBookmarkResponse;
    /// RopSeekRowFractional — 2.2.5.10.
    SeekRowFractional = 0x1A: SeekRowFractionalRequest => Empty;
    /// RopCreateBookmark — 2.2.5.11.
    CreateBookmark = 0x1B: Empty => CreateBookmarkResponse;
    /// RopQueryColumnsAll — 2.2.5.12.
    QueryColumnsAll = 0x37: Empty => QueryColumnsAllResponse;
    /// RopFindRow — 2.2.5.13.
    FindRow = 0x4F: FindRowRequest => FindRowResponse;
    /// RopFreeBookmark — 2.2.5.14.
    FreeBookmark = 0x89: FreeBookmarkRequest => Empty;
    /// RopResetTable — 2.2.5.15.
    ResetTable = 0x81: Empty => Empty;
    /// RopExpandRow — 2.2.5.16.
    ExpandRow = 0x59: ExpandRowRequest => ExpandRowResponse;
    /// RopCollapseRow — 2.2.5.17.
    CollapseRow = 0x5A: CollapseRowRequest => CollapseRowResponse;
    /// RopGetCollapseState — 2.2.5.18.
    GetCollapseState = 0x6B: GetCollapseStateRequest => GetCollapseStateResponse;
    /// RopSetCollapseState — 2.2.5.19.
    SetCollapseState = 0x6C: SetCollapseStateRequest => SetCollapseStateResponse;
    // Message ROPs — [MS-OXCROPS] 2.2.6; [MS-OXCMSG].
    /// RopOpenMessage — 2.2.6.1.
    OpenMessage = 0x03: OpenMessageRequest => OpenMessageResponse;
    /// RopCreateMessage — 2.2.6.2.
    CreateMessage = 0x06: CreateMessageRequest => CreateMessageResponse;
    /// RopSaveChangesMessage — 2.2.6.3.
    SaveChangesMessage = 0x0C: SaveChangesMessageRequest => SaveChangesMessageResponse;
    /// RopRemoveAllRecipients — 2.2.6.4.
    RemoveAllRecipients = 0x0D: RemoveAllRecipientsRequest => Empty;
    /// RopModifyRecipients — 2.2.6.5.
    ModifyRecipients = 0x0E: ModifyRecipientsRequest => Empty;
    /// RopReadRecipients — 2.2.6.6.
    ReadRecipients = 0x0F: ReadRecipientsRequest => ReadRecipientsResponse;
    /// RopReloadCachedInformation — 2.2.6.7.
    ReloadCachedInformation = 0x10: ReloadCachedInformationRequest => ReloadCachedInformationResponse;
    /// RopSetMessageStatus — 2.2.6.8.
    SetMessageStatus = 0x20: SetMessageStatusRequest => SetMessageStatusResponse;
    /// RopGetMessageStatus — 2.2.6.9.
    GetMessageStatus = 0x1F: GetMessageStatusRequest => GetMessageStatusResponse;
    /// RopSetReadFlags — 2.2.6.10.
    SetReadFlags = 0x66: SetReadFlagsRequest => PartialCompletionResponse;
    /// RopSetMessageReadFlag — 2.2.6.11.
    SetMessageReadFlag = 0x11: SetMessageReadFlagRequest => SetMessageReadFlagResponse;
    /// RopOpenAttachment — 2.2.6.12.
    OpenAttachment = 0x22: OpenAttachmentRequest => Empty;
    /// RopCreateAttachment — 2.2.6.13.
    CreateAttachment = 0x23: CreateAttachmentRequest => CreateAttachmentResponse;
    /// RopDeleteAttachment — 2.2.6.14.
    DeleteAttachment = 0x24: DeleteAttachmentRequest => Empty;
    /// RopSaveChangesAttachment — 2.2.6.15.
    SaveChangesAttachment = 0x25: SaveChangesAttachmentRequest => Empty;
    /// RopOpenEmbeddedMessage — 2.2.6.16.
    OpenEmbeddedMessage = 0x46: OpenEmbeddedMessageRequest => OpenEmbeddedMessageResponse;
    /// RopGetAttachmentTable — 2.2.6.17.
    GetAttachmentTable = 0x21: GetAttachmentTableRequest => Empty;
    /// RopGetValidAttachments — 2.2.6.18.
    GetValidAttachments = 0x52: Empty => GetValidAttachmentsResponse;
    // Transport ROPs — [MS-OXCROPS] 2.2.7; [MS-OXOMSG].
    /// RopSubmitMessage — 2.2.7.1.
    SubmitMessage = 0x32: SubmitMessageRequest => Empty;
    /// RopAbortSubmit — 2.2.7.2.
    AbortSubmit = 0x34: AbortSubmitRequest => Empty;
    /// RopGetAddressTypes — 2.2.7.3.
    GetAddressTypes = 0x49: Empty => GetAddressTypesResponse;
    /// RopSetSpooler — 2.2.7.4.
    SetSpooler = 0x47: Empty => Empty;
    /// RopSpoolerLockMessage — 2.2.7.5.
    SpoolerLockMessage = 0x48: SpoolerLockMessageRequest => Empty;
    /// RopTransportSend — 2.2.7.6.
    TransportSend = 0x4A: Empty => TransportSendResponse;
    /// RopTransportNewMail — 2.2.7.7.
    TransportNewMail = 0x51: TransportNewMailRequest => Empty;
    /// RopGetTransportFolder — 2.2.7.8.
    GetTransportFolder = 0x6D: Empty => GetTransportFolderResponse;
    // Property ROPs — [MS-OXCROPS] 2.2.8; [MS-OXCPRPT].
    /// RopGetPropertyIdsFromNames — 2.2.8.1.
    GetPropertyIdsFromNames = 0x56: GetPropertyIdsFromNamesRequest => GetPropertyIdsFromNamesResponse;
    /// RopGetNamesFromPropertyIds — 2.2.8.2.
    GetNamesFromPropertyIds = 0x55: GetNamesFromPropertyIdsRequest => GetNamesFromPropertyIdsResponse;
    /// RopGetPropertiesSpecific — 2.2.8.3.
    GetPropertiesSpecific = 0x07: GetPropertiesSpecificRequest => GetPropertiesSpecificResponse;
    /// RopGetPropertiesAll — 2.2.8.4.
    GetPropertiesAll = 0x08: GetPropertiesAllRequest => GetPropertiesAllResponse;
    /// RopGetPropertiesList — 2.2.8.5.
    GetPropertiesList = 0x09: Empty => GetPropertiesListResponse;
    /// RopSetProperties — 2.2.8.6.
    SetProperties = 0x0A: SetPropertiesRequest => PropertyProblemsResponse;
    /// RopSetPropertiesNoReplicate — 2.2.8.7.
    SetPropertiesNoReplicate = 0x79: SetPropertiesRequest => PropertyProblemsResponse;
    /// RopDeleteProperties — 2.2.8.8.
    DeleteProperties = 0x0B: DeletePropertiesRequest => PropertyProblemsResponse;
    /// RopDeletePropertiesNoReplicate — 2.2.8.9.
    DeletePropertiesNoReplicate = 0x7A: DeletePropertiesNoReplicateRequest => PropertyProblemsResponse;
    /// RopQueryNamedProperties — 2.2.8.10.
    QueryNamedProperties = 0x5F: QueryNamedPropertiesRequest => QueryNamedPropertiesResponse;
    /// RopCopyProperties — 2.2.8.11.
    CopyProperties = 0x67: CopyPropertiesRequest => CopiedPropertiesResponse;
    /// RopCopyTo — 2.2.8.12.
    CopyTo = 0x39: CopyToRequest => CopiedPropertiesResponse;
    /// RopProgress — 2.2.8.13.
    Progress = 0x50: ProgressRequest => ProgressResponse;
    // Stream ROPs — [MS-OXCROPS] 2.2.9; [MS-OXCPRPT].
    /// RopOpenStream — 2.2.9.1.
    OpenStream = 0x2B: OpenStreamRequest => OpenStreamResponse;
    /// RopReadStream — 2.2.9.2.
    ReadStream = 0x2C: ReadStreamRequest => ReadStreamResponse;
    /// RopWriteStream — 2.2.9.3.
    WriteStream = 0x2D: WriteStreamRequest => WrittenResponse;
    /// RopCommitStream — 2.2.9.5.
    CommitStream = 0x5D: Empty => Empty;
    /// RopGetStreamSize — 2.2.9.6.
    GetStreamSize = 0x5E: Empty => GetStreamSizeResponse;
    /// RopSetStreamSize — 2.2.9.7.
    SetStreamSize = 0x2F: SetStreamSizeRequest => Empty;
    /// RopSeekStream — 2.2.9.8.
    SeekStream = 0x2E: SeekStreamRequest => SeekStreamResponse;
    /// RopCopyToStream — 2.2.9.9.
    CopyToStream = 0x3A: CopyToStreamRequest => CopyToStreamResponse;
    /// RopLockRegionStream — 2.2.9.10.
    LockRegionStream = 0x5B: LockRegionStreamRequest => Empty;
    /// RopUnlockRegionStream — 2.2.9.11.
    UnlockRegionStream = 0x5C: UnlockRegionStreamRequest => Empty;
    /// RopWriteAndCommitStream — 2.2.9.12.
    WriteAndCommitStream = 0x90: WriteAndCommitStreamRequest => WrittenResponse;
    /// RopCloneStream — 2.2.9.13.
    CloneStream = 0x3B: CloneStreamRequest => Empty;
    // Permission and rule ROPs — [MS-OXCROPS] 2.2.10, 2.2.11.
    /// RopModifyPermissions — 2.2.10.1.
    ModifyPermissions = 0x40: ModifyPermissionsRequest => Empty;
    /// RopGetPermissionsTable — 2.2.10.2.
    GetPermissionsTable = 0x3E: GetPermissionsTableRequest => Empty;
    /// RopModifyRules — 2.2.11.1.
    ModifyRules = 0x41: ModifyRulesRequest => Empty;
    /// RopGetRulesTable — 2.2.11.2.
    GetRulesTable = 0x3F: GetRulesTableRequest => Empty;
    /// RopUpdateDeferredActionMessages — 2.2.11.3.
    UpdateDeferredActionMessages = 0x57: UpdateDeferredActionMessagesRequest => Empty;
    // FastTransfer ROPs — [MS-OXCROPS] 2.2.12; [MS-OXCFXICS].
    /// RopFastTransferDestinationConfigure — 2.2.12.1.
    FastTransferDestinationConfigure = 0x53: FastTransferDestinationConfigureRequest => Empty;
    /// RopFastTransferDestinationPutBuffer — 2.2.12.2.
    FastTransferDestinationPutBuffer = 0x54: FastTransferDestinationPutBufferRequest => FastTransferDestinationPutBufferResponse;
    /// RopFastTransferSourceGetBuffer — 2.2.12.4.
    FastTransferSourceGetBuffer = 0x4E: FastTransferSourceGetBufferRequest => FastTransferSourceGetBufferResponse;
    /// RopFastTransferSourceCopyFolder — 2.2.12.5.
    FastTransferSourceCopyFolder = 0x4C: FastTransferSourceCopyFolderRequest => Empty;
    /// RopFastTransferSourceCopyMessages — 2.2.12.6.
    FastTransferSourceCopyMessages = 0x4B: FastTransferSourceCopyMessagesRequest => Empty;
    /// RopFastTransferSourceCopyTo — 2.2.12.7.
    FastTransferSourceCopyTo = 0x4D: FastTransferSourceCopyToRequest => Empty;
    /// RopFastTransferSourceCopyProperties — 2.2.12.8.
    FastTransferSourceCopyProperties = 0x69: FastTransferSourceCopyPropertiesRequest => Empty;
    /// RopTellVersion — 2.2.12.9.
    TellVersion = 0x86: TellVersionRequest => Empty;
    // Incremental change synchronization ROPs — [MS-OXCROPS] 2.2.13; [MS-OXCFXICS].
    /// RopSynchronizationConfigure — 2.2.13.1.
    SynchronizationConfigure = 0x70: SynchronizationConfigureRequest => Empty;
    /// RopSynchronizationOpenCollector — 2.2.13.7.
    SynchronizationOpenCollector = 0x7E: SynchronizationOpenCollectorRequest => Empty;
    /// RopSynchronizationGetTransferState — 2.2.13.8.
    SynchronizationGetTransferState = 0x82: SynchronizationGetTransferStateRequest => Empty;
    /// RopSynchronizationUploadStateStreamBegin — 2.2.13.9.
    SynchronizationUploadStateStreamBegin = 0x75: SynchronizationUploadStateStreamBeginRequest => Empty;
    /// RopSynchronizationUploadStateStreamContinue — 2.2.13.10.
    SynchronizationUploadStateStreamContinue = 0x76: SynchronizationUploadStateStreamContinueRequest => Empty;
    /// RopSynchronizationUploadStateStreamEnd — 2.2.13.11.
    SynchronizationUploadStateStreamEnd = 0x77: Empty => Empty;
    /// RopSetLocalReplicaMidsetDeleted — 2.2.13.12.
    SetLocalReplicaMidsetDeleted = 0x93: SetLocalReplicaMidsetDeletedRequest => Empty;
    /// RopGetLocalReplicaIds — 2.2.13.13.
    GetLocalReplicaIds = 0x7F: GetLocalReplicaIdsRequest => GetLocalReplicaIdsResponse;
    // Notification and other ROPs — [MS-OXCROPS] 2.2.14, 2.2.15; [MS-OXCNOTIF].
    /// RopRegisterNotification — 2.2.14.1.
    RegisterNotification = 0x29: RegisterNotificationRequest => Empty;
    /// RopRelease — 2.2.15.3.
    Release = 0x01: Empty => Empty;;
    /// RopSynchronizationImportMessageChange — 2.2.13.2.
    SynchronizationImportMessageChange = 0x72;
    /// RopSynchronizationImportHierarchyChange — 2.2.13.4.
    SynchronizationImportHierarchyChange = 0x73;
    /// RopSynchronizationImportDeletes — 2.2.13.5.
    SynchronizationImportDeletes = 0x74;
    /// RopSynchronizationImportMessageMove — 2.2.13.6.
    SynchronizationImportMessageMove = 0x78;
    /// RopSynchronizationImportReadStateChanges — 2.2.13.3.
    SynchronizationImportReadStateChanges = 0x80;
    /// RopWriteStreamExtended — 2.2.9.4.
    WriteStreamExtended = 0xA3;
    /// RopFastTransferDestinationPutBufferExtended — 2.2.12.3.
    FastTransferDestinationPutBufferExtended = 0x9D;
    /// RopWritePerUserInformation — 2.2.3.13.
    WritePerUserInformation = 0x64;
    /// RopNotify — 2.2.14.2 (a response that nobody asked for).
    Notify = 0x2A;
    /// RopPending — 2.2.14.3 (a response that nobody asked for).
    Pending = 0x6E;
    /// RopBackoff — 2.2.15.2.
    Backoff = 0xF9;
    /// RopBufferTooSmall — 2.2.15.1.
    BufferTooSmall = 0xFF;
}

/// A ROP request — [MS-OXCROPS] 2.2.2.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// LogonId: the client's number for the logon.
    pub logon_id: u8,
    /// The first handle index of the ROP: InputHandleIndex, SourceHandleIndex, ResponseHandleIndex, or for RopLogon
    /// OutputHandleIndex.
    pub index: u8,
    /// The rest.
    pub body: RequestBody,
}

impl Request {
    /// A request of logon 0.
    #[must_use]
    pub const fn new(index: u8, body: RequestBody) -> Self {
        Self { logon_id: 0, index, body }
    }

    /// Which ROP it is.
    #[must_use]
    pub const fn id(&self) -> RopId {
        self.body.id()
    }
}

impl Wire for Request {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("RopRequest", |r| {
            let id = RopId::read_field(r, "RopId")?;
            let logon_id = r.u8("LogonId")?;
            let index = r.u8("InputHandleIndex")?;
            Ok(Self { logon_id, index, body: RequestBody::read(r, id)? })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(self.id().0);
        w.u8(self.logon_id);
        w.u8(self.index);
        self.body.write(w)
    }
}
