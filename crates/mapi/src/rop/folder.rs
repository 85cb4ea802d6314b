//! Folder ROPs — [MS-OXCROPS] 2.2.4; [MS-OXCFOLD].

use watertight_wire::{Reader, Wire, WireError, WireField, Writer, wire_struct};

use super::{
    answer::{Context, ResponseFields},
    field::{ExistingFolder, Ghosted, List16, Maybe, Restriction16, Text, Truth},
};
use crate::{Fid, MapiCode, Mid};

wire_struct! {
    /// RopOpenFolder request — [MS-OXCROPS] 2.2.4.1.
    pub struct OpenFolderRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// FolderId.
        folder_id: Fid,
        /// OpenModeFlags.
        open_mode_flags: u8,
    }
}

wire_struct! {
    /// RopOpenFolder response, after its return value — [MS-OXCROPS] 2.2.4.1.
    pub struct OpenFolderResponse {
        /// HasRules.
        has_rules: Truth,
        /// IsGhosted and what follows.
        ghosted: Ghosted,
    }
}

wire_struct! {
    /// RopCreateFolder response, after its return value — [MS-OXCROPS] 2.2.4.2.
    pub struct CreateFolderResponse {
        /// FolderId.
        folder_id: Fid,
        /// IsExistingFolder and what follows.
        existing: Maybe<ExistingFolder>,
    }
}

wire_struct! {
    /// RopDeleteFolder request — [MS-OXCROPS] 2.2.4.3.
    pub struct DeleteFolderRequest {
        /// DeleteFolderFlags.
        delete_folder_flags: u8,
        /// FolderId.
        folder_id: Fid,
    }
}

wire_struct! {
    /// RopSetSearchCriteria request — [MS-OXCROPS] 2.2.4.4.
    pub struct SetSearchCriteriaRequest {
        /// RestrictionData.
        restriction: Restriction16,
        /// FolderIds.
        folder_ids: List16<Fid>,
        /// SearchFlags.
        search_flags: u32,
    }
}

wire_struct! {
    /// RopGetSearchCriteria request — [MS-OXCROPS] 2.2.4.5.
    pub struct GetSearchCriteriaRequest {
        /// UseUnicode.
        use_unicode: Truth,
        /// IncludeRestriction.
        include_restriction: Truth,
        /// IncludeFolders.
        include_folders: Truth,
    }
}

wire_struct! {
    /// RopGetSearchCriteria response, after its return value — [MS-OXCROPS] 2.2.4.5.
    pub struct GetSearchCriteriaResponse {
        /// RestrictionData.
        restriction: Restriction16,
        /// LogonId.
        logon_id: u8,
        /// FolderIds.
        folder_ids: List16<Fid>,
        /// SearchFlags.
        search_flags: u32,
    }
}

wire_struct! {
    /// RopMoveCopyMessages request — [MS-OXCROPS] 2.2.4.6.
    pub struct MoveCopyMessagesRequest {
        /// DestHandleIndex.
        dest_index: u8,
        /// MessageIds.
        message_ids: List16<Mid>,
        /// WantAsynchronous.
        want_asynchronous: Truth,
        /// WantCopy.
        want_copy: Truth,
    }
}

wire_struct! {
    /// RopEmptyFolder request — [MS-OXCROPS] 2.2.4.9.
    pub struct EmptyFolderRequest {
        /// WantAsynchronous.
        want_asynchronous: Truth,
        /// WantDeleteAssociated.
        want_delete_associated: Truth,
    }
}

wire_struct! {
    /// RopHardDeleteMessagesAndSubfolders request — [MS-OXCROPS] 2.2.4.10.
    pub struct HardDeleteMessagesAndSubfoldersRequest {
        /// WantAsynchronous.
        want_asynchronous: Truth,
        /// WantDeleteAssociated.
        want_delete_associated: Truth,
    }
}

wire_struct! {
    /// RopDeleteMessages request — [MS-OXCROPS] 2.2.4.11.
    pub struct DeleteMessagesRequest {
        /// WantAsynchronous.
        want_asynchronous: Truth,
        /// NotifyNonRead.
        notify_non_read: Truth,
        /// MessageIds.
        message_ids: List16<Mid>,
    }
}

wire_struct! {
    /// RopHardDeleteMessages request — [MS-OXCROPS] 2.2.4.12.
    pub struct HardDeleteMessagesRequest {
        /// WantAsynchronous.
        want_asynchronous: Truth,
        /// NotifyNonRead.
        notify_non_read: Truth,
        /// MessageIds.
        message_ids: List16<Mid>,
    }
}

wire_struct! {
    /// RopGetHierarchyTable request — [MS-OXCROPS] 2.2.4.13.
    pub struct GetHierarchyTableRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// TableFlags.
        table_flags: u8,
    }
}

wire_struct! {
    /// RopGetHierarchyTable response, after its return value — [MS-OXCROPS] 2.2.4.13.
    pub struct GetHierarchyTableResponse {
        /// RowCount.
        row_count: u32,
    }
}

wire_struct! {
    /// RopGetContentsTable request — [MS-OXCROPS] 2.2.4.14.
    pub struct GetContentsTableRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// TableFlags.
        table_flags: u8,
    }
}

wire_struct! {
    /// RopGetContentsTable response, after its return value — [MS-OXCROPS] 2.2.4.14.
    pub struct GetContentsTableResponse {
        /// RowCount.
        row_count: u32,
    }
}

/// RopCreateFolder request — [MS-OXCROPS] 2.2.4.2.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateFolderRequest {
    /// OutputHandleIndex.
    pub output_index: u8,
    /// FolderType.
    pub folder_type: u8,
    /// OpenExisting.
    pub open_existing: Truth,
    /// Reserved.
    pub reserved: u8,
    /// DisplayName; whether it is wide is UseUnicodeStrings.
    pub display_name: Text,
    /// Comment, as wide as the name.
    pub comment: Text,
}

impl Wire for CreateFolderRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let output_index = r.u8("OutputHandleIndex")?;
        let folder_type = r.u8("FolderType")?;
        let wide = r.u8("UseUnicodeStrings")? != 0;
        Ok(Self {
            output_index,
            folder_type,
            open_existing: Truth::read_field(r, "OpenExisting")?,
            reserved: r.u8("Reserved")?,
            display_name: Text::read(r, wide, "DisplayName")?,
            comment: Text::read(r, wide, "Comment")?,
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(self.output_index);
        w.u8(self.folder_type);
        w.u8(u8::from(self.display_name.is_wide()));
        self.open_existing.write_field(w)?;
        w.u8(self.reserved);
        self.display_name.write(w, "DisplayName")?;
        self.comment.write(w, "Comment")
    }
}

/// RopMoveFolder request — [MS-OXCROPS] 2.2.4.7.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveFolderRequest {
    /// DestHandleIndex.
    pub dest_index: u8,
    /// WantAsynchronous.
    pub want_asynchronous: Truth,
    /// FolderId.
    pub folder_id: Fid,
    /// NewFolderName; whether it is wide is UseUnicode.
    pub new_name: Text,
}

impl Wire for MoveFolderRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let dest_index = r.u8("DestHandleIndex")?;
        let want_asynchronous = Truth::read_field(r, "WantAsynchronous")?;
        let wide = r.u8("UseUnicode")? != 0;
        let folder_id = Fid::read_field(r, "FolderId")?;
        let new_name = Text::read(r, wide, "NewFolderName")?;
        Ok(Self { dest_index, want_asynchronous, folder_id, new_name })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(self.dest_index);
        self.want_asynchronous.write_field(w)?;
        w.u8(u8::from(self.new_name.is_wide()));
        self.folder_id.write_field(w)?;
        self.new_name.write(w, "NewFolderName")
    }
}

/// RopCopyFolder request — [MS-OXCROPS] 2.2.4.8.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFolderRequest {
    /// DestHandleIndex.
    pub dest_index: u8,
    /// WantAsynchronous.
    pub want_asynchronous: Truth,
    /// WantRecursive.
    pub want_recursive: Truth,
    /// FolderId.
    pub folder_id: Fid,
    /// NewFolderName; whether it is wide is UseUnicode.
    pub new_name: Text,
}

impl Wire for CopyFolderRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let dest_index = r.u8("DestHandleIndex")?;
        let want_asynchronous = Truth::read_field(r, "WantAsynchronous")?;
        let want_recursive = Truth::read_field(r, "WantRecursive")?;
        let wide = r.u8("UseUnicode")? != 0;
        let folder_id = Fid::read_field(r, "FolderId")?;
        let new_name = Text::read(r, wide, "NewFolderName")?;
        Ok(Self { dest_index, want_asynchronous, want_recursive, folder_id, new_name })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(self.dest_index);
        self.want_asynchronous.write_field(w)?;
        self.want_recursive.write_field(w)?;
        w.u8(u8::from(self.new_name.is_wide()));
        self.folder_id.write_field(w)?;
        self.new_name.write(w, "NewFolderName")
    }
}

/// The response of ROPs that delete — [MS-OXCROPS] 2.2.4.3.2, 2.2.4.9.2 to 2.2.4.12.2. The field is there after an
/// error too; where a server leaves it out then, reading gives no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartialCompletionResponse {
    /// PartialCompletion.
    pub partial_completion: Truth,
}

impl ResponseFields for PartialCompletionResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        if context.return_value.is_error() && r.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { partial_completion: Truth::read_field(r, "PartialCompletion")? }))
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        self.partial_completion.write_field(w)
    }
}

/// The response of ROPs that move or copy between two objects — [MS-OXCROPS] 2.2.4.6.2, 2.2.4.7.2, 2.2.4.8.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MovedResponse {
    /// DestHandleIndex, exactly when ReturnValue is ecDstNullObject.
    pub dest_index: Option<u32>,
    /// PartialCompletion.
    pub partial_completion: Truth,
}

impl ResponseFields for MovedResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        if context.return_value.is_error() && r.is_empty() {
            return Ok(None);
        }
        let dest_index = (context.return_value == MapiCode::DestinationNullObject)
            .then(|| r.u32("DestHandleIndex"))
            .transpose()?;
        Ok(Some(Self { dest_index, partial_completion: Truth::read_field(r, "PartialCompletion")? }))
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        self.dest_index.iter().for_each(|&index| w.u32(index));
        self.partial_completion.write_field(w)
    }
}
