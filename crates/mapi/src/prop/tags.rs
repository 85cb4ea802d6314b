//! Property tags that the product names — [MS-OXPROPS] 2 and [MS-OXCFXICS] 2.2.1.

use super::{PropId, PropTag, PropType};

macro_rules! tags {
    ($($const:ident $name:ident $id:literal $ty:ident;)*) => {
        $(
            #[doc = stringify!($name)]
            pub const $const: PropTag = PropTag::new(PropId($id), PropType::$ty);
        )*

        /// All tags that are named here.
        pub const ALL: &[PropTag] = &[$($const),*];

        /// The name of the tag in [MS-OXPROPS], where it is named here.
        #[must_use]
        pub const fn name(tag: PropTag) -> Option<&'static str> {
            match tag {
                $($const => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}

/// The tag with this name in [MS-OXPROPS], where it is named here; case does not matter, nor whether the name begins
/// with PidTag.
#[must_use]
pub fn by_name(wanted: &str) -> Option<PropTag> {
    ALL.iter().copied().find(|tag| {
        name(*tag).is_some_and(|name| {
            let short = name.strip_prefix("PidTag").unwrap_or(name);
            name.eq_ignore_ascii_case(wanted) || short.eq_ignore_ascii_case(wanted)
        })
    })
}

tags! {
    IMPORTANCE PidTagImportance 0x0017 I32;
    MESSAGE_CLASS PidTagMessageClass 0x001A Unicode;
    ORIGINATOR_DELIVERY_REPORT_REQUESTED PidTagOriginatorDeliveryReportRequested 0x0023 Bool;
    PRIORITY PidTagPriority 0x0026 I32;
    READ_RECEIPT_REQUESTED PidTagReadReceiptRequested 0x0029 Bool;
    RECIPIENT_REASSIGNMENT_PROHIBITED PidTagRecipientReassignmentProhibited 0x002B Bool;
    ORIGINAL_SENSITIVITY PidTagOriginalSensitivity 0x002E I32;
    SENSITIVITY PidTagSensitivity 0x0036 I32;
    SUBJECT PidTagSubject 0x0037 Unicode;
    CLIENT_SUBMIT_TIME PidTagClientSubmitTime 0x0039 Time;
    SENT_REPRESENTING_SEARCH_KEY PidTagSentRepresentingSearchKey 0x003B Binary;
    SUBJECT_PREFIX PidTagSubjectPrefix 0x003D Unicode;
    RECEIVED_BY_ENTRY_ID PidTagReceivedByEntryId 0x003F Binary;
    RECEIVED_BY_NAME PidTagReceivedByName 0x0040 Unicode;
    SENT_REPRESENTING_ENTRY_ID PidTagSentRepresentingEntryId 0x0041 Binary;
    SENT_REPRESENTING_NAME PidTagSentRepresentingName 0x0042 Unicode;
    REPLY_RECIPIENT_ENTRIES PidTagReplyRecipientEntries 0x004F Binary;
    REPLY_RECIPIENT_NAMES PidTagReplyRecipientNames 0x0050 Unicode;
    RECEIVED_BY_SEARCH_KEY PidTagReceivedBySearchKey 0x0051 Binary;
    MESSAGE_TO_ME PidTagMessageToMe 0x0057 Bool;
    MESSAGE_CC_ME PidTagMessageCcMe 0x0058 Bool;
    SENT_REPRESENTING_ADDRESS_TYPE PidTagSentRepresentingAddressType 0x0064 Unicode;
    SENT_REPRESENTING_EMAIL_ADDRESS PidTagSentRepresentingEmailAddress 0x0065 Unicode;
    CONVERSATION_TOPIC PidTagConversationTopic 0x0070 Unicode;
    CONVERSATION_INDEX PidTagConversationIndex 0x0071 Binary;
    RECEIVED_BY_ADDRESS_TYPE PidTagReceivedByAddressType 0x0075 Unicode;
    RECEIVED_BY_EMAIL_ADDRESS PidTagReceivedByEmailAddress 0x0076 Unicode;
    TRANSPORT_MESSAGE_HEADERS PidTagTransportMessageHeaders 0x007D Unicode;
    TNEF_CORRELATION_KEY PidTagTnefCorrelationKey 0x007F Binary;
    CONTENT_INTEGRITY_CHECK PidTagContentIntegrityCheck 0x0C00 Binary;
    RECIPIENT_TYPE PidTagRecipientType 0x0C15 I32;
    SENDER_ENTRY_ID PidTagSenderEntryId 0x0C19 Binary;
    SENDER_NAME PidTagSenderName 0x0C1A Unicode;
    SENDER_SEARCH_KEY PidTagSenderSearchKey 0x0C1D Binary;
    SENDER_ADDRESS_TYPE PidTagSenderAddressType 0x0C1E Unicode;
    SENDER_EMAIL_ADDRESS PidTagSenderEmailAddress 0x0C1F Unicode;
    DELETE_AFTER_SUBMIT PidTagDeleteAfterSubmit 0x0E01 Bool;
    DISPLAY_BCC PidTagDisplayBcc 0x0E02 Unicode;
    DISPLAY_CC PidTagDisplayCc 0x0E03 Unicode;
    DISPLAY_TO PidTagDisplayTo 0x0E04 Unicode;
    MESSAGE_DELIVERY_TIME PidTagMessageDeliveryTime 0x0E06 Time;
    MESSAGE_FLAGS PidTagMessageFlags 0x0E07 I32;
    MESSAGE_STATUS PidTagMessageStatus 0x0E17 I32;
    MESSAGE_SIZE PidTagMessageSize 0x0E08 I32;
    MESSAGE_SIZE_EXTENDED PidTagMessageSizeExtended 0x0E08 I64;
    PARENT_ENTRY_ID PidTagParentEntryId 0x0E09 Binary;
    SENT_MAIL_ENTRY_ID PidTagSentMailEntryId 0x0E0A Binary;
    MESSAGE_RECIPIENTS PidTagMessageRecipients 0x0E12 Object;
    MESSAGE_ATTACHMENTS PidTagMessageAttachments 0x0E13 Object;
    RESPONSIBILITY PidTagResponsibility 0x0E0F Bool;
    HAS_ATTACHMENTS PidTagHasAttachments 0x0E1B Bool;
    NORMALIZED_SUBJECT PidTagNormalizedSubject 0x0E1D Unicode;
    ATTACH_SIZE PidTagAttachSize 0x0E20 I32;
    ATTACH_NUMBER PidTagAttachNumber 0x0E21 I32;
    PRIMARY_SEND_ACCOUNT PidTagPrimarySendAccount 0x0E28 Unicode;
    NEXT_SEND_ACCT PidTagNextSendAcct 0x0E29 Unicode;
    TODO_ITEM_FLAGS PidTagToDoItemFlags 0x0E2B I32;
    TRUST_SENDER PidTagTrustSender 0x0E79 I32;
    ACCESS PidTagAccess 0x0FF4 I32;
    ROW_TYPE PidTagRowType 0x0FF5 I32;
    INSTANCE_KEY PidTagInstanceKey 0x0FF6 Binary;
    ACCESS_LEVEL PidTagAccessLevel 0x0FF7 I32;
    MAPPING_SIGNATURE PidTagMappingSignature 0x0FF8 Binary;
    RECORD_KEY PidTagRecordKey 0x0FF9 Binary;
    STORE_ENTRY_ID PidTagStoreEntryId 0x0FFB Binary;
    STORE_RECORD_KEY PidTagStoreRecordKey 0x0FFA Binary;
    OBJECT_TYPE PidTagObjectType 0x0FFE I32;
    ENTRY_ID PidTagEntryId 0x0FFF Binary;
    BODY PidTagBody 0x1000 Unicode;
    RTF_COMPRESSED PidTagRtfCompressed 0x1009 Binary;
    HTML PidTagHtml 0x1013 Binary;
    BODY_HTML PidTagBodyHtml 0x1013 Unicode;
    BODY_CONTENT_LOCATION PidTagBodyContentLocation 0x1014 Unicode;
    BODY_CONTENT_ID PidTagBodyContentId 0x1015 Unicode;
    NATIVE_BODY PidTagNativeBody 0x1016 I32;
    INTERNET_MESSAGE_ID PidTagInternetMessageId 0x1035 Unicode;
    INTERNET_REFERENCES PidTagInternetReferences 0x1039 Unicode;
    IN_REPLY_TO_ID PidTagInReplyToId 0x1042 Unicode;
    LIST_HELP PidTagListHelp 0x1043 Unicode;
    LIST_SUBSCRIBE PidTagListSubscribe 0x1044 Unicode;
    LIST_UNSUBSCRIBE PidTagListUnsubscribe 0x1045 Unicode;
    ORIGINAL_MESSAGE_ID PidTagOriginalMessageId 0x1046 Unicode;
    ICON_INDEX PidTagIconIndex 0x1080 I32;
    LAST_VERB_EXECUTED PidTagLastVerbExecuted 0x1081 I32;
    LAST_VERB_EXECUTION_TIME PidTagLastVerbExecutionTime 0x1082 Time;
    FLAG_STATUS PidTagFlagStatus 0x1090 I32;
    FLAG_COMPLETE_TIME PidTagFlagCompleteTime 0x1091 Time;
    FOLLOWUP_ICON PidTagFollowupIcon 0x1095 I32;
    BLOCK_STATUS PidTagBlockStatus 0x1096 I32;
    ATTRIBUTE_HIDDEN PidTagAttributeHidden 0x10F4 Bool;
    ATTRIBUTE_SYSTEM PidTagAttributeSystem 0x10F5 Bool;
    ATTRIBUTE_READ_ONLY PidTagAttributeReadOnly 0x10F6 Bool;
    ROWID PidTagRowid 0x3000 I32;
    DISPLAY_NAME PidTagDisplayName 0x3001 Unicode;
    ADDRESS_TYPE PidTagAddressType 0x3002 Unicode;
    EMAIL_ADDRESS PidTagEmailAddress 0x3003 Unicode;
    COMMENT PidTagComment 0x3004 Unicode;
    DEPTH PidTagDepth 0x3005 I32;
    CREATION_TIME PidTagCreationTime 0x3007 Time;
    LAST_MODIFICATION_TIME PidTagLastModificationTime 0x3008 Time;
    SEARCH_KEY PidTagSearchKey 0x300B Binary;
    TARGET_ENTRY_ID PidTagTargetEntryId 0x3010 Binary;
    CONVERSATION_ID PidTagConversationId 0x3013 Binary;
    CONVERSATION_INDEX_TRACKING PidTagConversationIndexTracking 0x3016 Bool;
    STORE_SUPPORT_MASK PidTagStoreSupportMask 0x340D I32;
    STORE_STATE PidTagStoreState 0x340E I32;
    IPM_SUBTREE_ENTRY_ID PidTagIpmSubtreeEntryId 0x35E0 Binary;
    CONTAINER_FLAGS PidTagContainerFlags 0x3600 I32;
    FOLDER_TYPE PidTagFolderType 0x3601 I32;
    CONTENT_COUNT PidTagContentCount 0x3602 I32;
    CONTENT_UNREAD_COUNT PidTagContentUnreadCount 0x3603 I32;
    SUBFOLDERS PidTagSubfolders 0x360A Bool;
    CONTAINER_HIERARCHY PidTagContainerHierarchy 0x360E Object;
    CONTAINER_CONTENTS PidTagContainerContents 0x360F Object;
    FOLDER_ASSOCIATED_CONTENTS PidTagFolderAssociatedContents 0x3610 Object;
    CONTAINER_CLASS PidTagContainerClass 0x3613 Unicode;
    ASSOCIATED_CONTENT_COUNT PidTagAssociatedContentCount 0x3617 I32;
    DELETED_COUNT_TOTAL PidTagDeletedCountTotal 0x670B I32;
    DELETED_FOLDER_COUNT PidTagDeletedFolderCount 0x6641 I32;
    DELETED_MESSAGE_COUNT PidTagDeletedMessageCount 0x6640 I32;
    DELETED_ON PidTagDeletedOn 0x668F Time;
    ATTACH_DATA_OBJECT PidTagAttachDataObject 0x3701 Object;
    ATTACH_DATA_BINARY PidTagAttachDataBinary 0x3701 Binary;
    ATTACH_ENCODING PidTagAttachEncoding 0x3702 Binary;
    ATTACH_EXTENSION PidTagAttachExtension 0x3703 Unicode;
    ATTACH_FILENAME PidTagAttachFilename 0x3704 Unicode;
    ATTACH_METHOD PidTagAttachMethod 0x3705 I32;
    ATTACH_LONG_FILENAME PidTagAttachLongFilename 0x3707 Unicode;
    ATTACH_PATHNAME PidTagAttachPathname 0x3708 Unicode;
    ATTACH_RENDERING PidTagAttachRendering 0x3709 Binary;
    ATTACH_TAG PidTagAttachTag 0x370A Binary;
    RENDERING_POSITION PidTagRenderingPosition 0x370B I32;
    ATTACH_TRANSPORT_NAME PidTagAttachTransportName 0x370C Unicode;
    ATTACH_MIME_TAG PidTagAttachMimeTag 0x370E Unicode;
    ATTACH_ADDITIONAL_INFORMATION PidTagAttachAdditionalInformation 0x370F Binary;
    ATTACH_CONTENT_ID PidTagAttachContentId 0x3712 Unicode;
    ATTACH_CONTENT_LOCATION PidTagAttachContentLocation 0x3713 Unicode;
    ATTACH_FLAGS PidTagAttachFlags 0x3714 I32;
    ATTACH_CONTENT_BASE PidTagAttachContentBase 0x3711 Unicode;
    ATTACH_PAYLOAD_CLASS PidTagAttachPayloadClass 0x371A Unicode;
    ATTACHMENT_LINK_ID PidTagAttachmentLinkId 0x7FFA I32;
    EXCEPTION_START_TIME PidTagExceptionStartTime 0x7FFB Time;
    EXCEPTION_END_TIME PidTagExceptionEndTime 0x7FFC Time;
    ATTACHMENT_FLAGS PidTagAttachmentFlags 0x7FFD I32;
    ATTACHMENT_HIDDEN PidTagAttachmentHidden 0x7FFE Bool;
    ATTACHMENT_CONTACT_PHOTO PidTagAttachmentContactPhoto 0x7FFF Bool;
    DISPLAY_TYPE PidTagDisplayType 0x3900 I32;
    DISPLAY_TYPE_EX PidTagDisplayTypeEx 0x3905 I32;
    SMTP_ADDRESS PidTagSmtpAddress 0x39FE Unicode;
    SEVEN_BIT_DISPLAY_NAME PidTag7BitDisplayName 0x39FF Unicode;
    SEND_RICH_INFO PidTagSendRichInfo 0x3A40 Bool;
    SEND_INTERNET_ENCODING PidTagSendInternetEncoding 0x3A71 I32;
    INTERNET_CODEPAGE PidTagInternetCodepage 0x3FDE I32;
    MESSAGE_LOCALE_ID PidTagMessageLocaleId 0x3FF1 I32;
    CREATOR_NAME PidTagCreatorName 0x3FF8 Unicode;
    CREATOR_ENTRY_ID PidTagCreatorEntryId 0x3FF9 Binary;
    LAST_MODIFIER_NAME PidTagLastModifierName 0x3FFA Unicode;
    LAST_MODIFIER_ENTRY_ID PidTagLastModifierEntryId 0x3FFB Binary;
    MESSAGE_CODEPAGE PidTagMessageCodepage 0x3FFD I32;
    RECIPIENT_FLAGS PidTagRecipientFlags 0x5FFD I32;
    RECIPIENT_TRACK_STATUS PidTagRecipientTrackStatus 0x5FFF I32;
    RECIPIENT_DISPLAY_NAME PidTagRecipientDisplayName 0x5FF6 Unicode;
    RECIPIENT_ENTRY_ID PidTagRecipientEntryId 0x5FF7 Binary;
    RECIPIENT_ORDER PidTagRecipientOrder 0x5FDF I32;
    SENDER_SMTP_ADDRESS PidTagSenderSmtpAddress 0x5D01 Unicode;
    SENT_REPRESENTING_SMTP_ADDRESS PidTagSentRepresentingSmtpAddress 0x5D02 Unicode;
    SOURCE_KEY PidTagSourceKey 0x65E0 Binary;
    PARENT_SOURCE_KEY PidTagParentSourceKey 0x65E1 Binary;
    CHANGE_KEY PidTagChangeKey 0x65E2 Binary;
    PREDECESSOR_CHANGE_LIST PidTagPredecessorChangeList 0x65E3 Binary;
    RIGHTS PidTagRights 0x6639 I32;
    HAS_RULES PidTagHasRules 0x663A Bool;
    ADDRESS_BOOK_ENTRY_ID PidTagAddressBookEntryId 0x663B Binary;
    HIERARCHY_CHANGE_NUMBER PidTagHierarchyChangeNumber 0x663E I32;
    LOCAL_COMMIT_TIME PidTagLocalCommitTime 0x6709 Time;
    LOCAL_COMMIT_TIME_MAX PidTagLocalCommitTimeMax 0x670A Time;
    FOLDER_FLAGS PidTagFolderFlags 0x66A8 I32;
    LOCALE_ID PidTagLocaleId 0x66A1 I32;
    FOLDER_ID PidTagFolderId 0x6748 I64;
    PARENT_FOLDER_ID PidTagParentFolderId 0x6749 I64;
    MID PidTagMid 0x674A I64;
    INST_ID PidTagInstID 0x674D I64;
    INSTANCE_NUM PidTagInstanceNum 0x674E I32;
    ADDRESS_BOOK_MESSAGE_ID PidTagAddressBookMessageId 0x674F I64;
    ORIGINAL_ENTRY_ID PidTagOriginalEntryId 0x3A12 Binary;
    CHANGE_NUMBER PidTagChangeNumber 0x67A4 I64;
    ASSOCIATED PidTagAssociated 0x67AA Bool;
    READ PidTagRead 0x0E69 Bool;
    OFFLINE_ADDRESS_BOOK_NAME PidTagOfflineAddressBookName 0x6800 Unicode;
    MAILBOX_OWNER_NAME PidTagMailboxOwnerName 0x661C Unicode;
    MAILBOX_OWNER_ENTRY_ID PidTagMailboxOwnerEntryId 0x661B Binary;
    USER_ENTRY_ID PidTagUserEntryId 0x6619 Binary;
    IPM_APPOINTMENT_ENTRY_ID PidTagIpmAppointmentEntryId 0x36D0 Binary;
    IPM_CONTACT_ENTRY_ID PidTagIpmContactEntryId 0x36D1 Binary;
    IPM_JOURNAL_ENTRY_ID PidTagIpmJournalEntryId 0x36D2 Binary;
    IPM_NOTE_ENTRY_ID PidTagIpmNoteEntryId 0x36D3 Binary;
    IPM_TASK_ENTRY_ID PidTagIpmTaskEntryId 0x36D4 Binary;
    IPM_DRAFTS_ENTRY_ID PidTagIpmDraftsEntryId 0x36D7 Binary;
    META_TAG_IDSET_GIVEN MetaTagIdsetGiven 0x4017 I32;
    META_TAG_CNSET_SEEN MetaTagCnsetSeen 0x6796 Binary;
    META_TAG_CNSET_SEEN_FAI MetaTagCnsetSeenFAI 0x67DA Binary;
    META_TAG_CNSET_READ MetaTagCnsetRead 0x67D2 Binary;
    META_TAG_IDSET_DELETED MetaTagIdsetDeleted 0x67E5 Binary;
    META_TAG_IDSET_NO_LONGER_IN_SCOPE MetaTagIdsetNoLongerInScope 0x4021 Binary;
    META_TAG_IDSET_EXPIRED MetaTagIdsetExpired 0x6793 Binary;
    META_TAG_IDSET_READ MetaTagIdsetRead 0x402D Binary;
    META_TAG_IDSET_UNREAD MetaTagIdsetUnread 0x402E Binary;
    META_TAG_EC_WARNING MetaTagEcWarning 0x400F I32;
    META_TAG_NEW_FX_FOLDER MetaTagNewFXFolder 0x4011 Binary;
    META_TAG_FX_DEL_PROP MetaTagFXDelProp 0x4016 I32;
    META_TAG_INCR_SYNC_GROUP_ID MetaTagIncrSyncGroupId 0x407C I32;
    META_TAG_INCREMENTAL_SYNC_MESSAGE_PARTIAL MetaTagIncrementalSyncMessagePartial 0x407A I32;
    META_TAG_DN_PREFIX MetaTagDnPrefix 0x4008 String8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found() {
        for tag in ALL {
            assert_eq!(by_name(name(*tag).unwrap_or_default()), Some(*tag));
        }
        assert_eq!(by_name("subject"), Some(SUBJECT));
        assert_eq!(by_name("PidTag"), None);
        assert_eq!(by_name(""), None);
    }
}
