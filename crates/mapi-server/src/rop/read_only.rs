//! A mailbox that somebody may read and not change.

use std::sync::Arc;

use async_trait::async_trait;
use watertight_mapi::{
    GlobCnt, PropId, PropName, PropTag,
    ics::GlobSet,
    prop::Prop,
    store::{
        ChangeNumber, ContentsQuery, ContentsView, Cursor, DeleteFolder, Deleted, Depth, Events, Folder,
        FolderChange, FolderId, ItemKind, Mailbox, MailboxInfo, Message, MessageHead, MessageId, MoveCopy,
        NewFolder, Outcome, Page, SaveMessage, SpecialFolder, StoreError, StoreResult,
    },
};

/// The mailbox behind it, of which nothing can be changed: whatever a client asks for, here it ends.
pub(super) struct ReadOnly(pub(super) Arc<dyn Mailbox>);

/// Why nothing was changed.
const DENIED: StoreError = StoreError::Denied("this mailbox may be read, not changed");

macro_rules! read_only {
    (
        read { $(fn $read:ident(&self $(, $read_arg:ident: $read_ty:ty)*) -> $read_result:ty;)* }
        write { $(fn $write:ident(&self $(, $write_arg:ident: $write_ty:ty)*) -> $write_result:ty;)* }
    ) => {
        #[async_trait]
        impl Mailbox for ReadOnly {
            fn info(&self) -> &MailboxInfo {
                self.0.info()
            }

            fn special(&self, folder: SpecialFolder) -> FolderId {
                self.0.special(folder)
            }

            async fn prop_ids(&self, names: &[PropName], _create: bool) -> StoreResult<Vec<Option<PropId>>> {
                self.0.prop_ids(names, false).await
            }

            async fn discard_large(&self, _id: u64) -> StoreResult<()> {
                Ok(())
            }

            $(async fn $read(&self $(, $read_arg: $read_ty)*) -> $read_result {
                self.0.$read($($read_arg),*).await
            })*

            $(async fn $write(&self $(, $write_arg: $write_ty)*) -> $write_result {
                let _ = ($($write_arg,)*);
                Err(DENIED)
            })*
        }
    };
}

read_only! {
    read {
        fn prop_names(&self, ids: &[PropId]) -> StoreResult<Vec<Option<PropName>>>;
        fn all_prop_names(&self) -> StoreResult<Vec<(PropId, PropName)>>;
        fn version(&self) -> StoreResult<u64>;
        fn folder(&self, id: FolderId, deleted: bool) -> StoreResult<Folder>;
        fn folders(&self, root: FolderId, depth: Depth, deleted: bool, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<Folder>>;
        fn folder_ids(&self, root: FolderId) -> StoreResult<Arc<GlobSet>>;
        fn folder_changes(&self, root: FolderId, seen: &GlobSet, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<FolderChange>>;
        fn message(&self, id: MessageId, deleted: bool) -> StoreResult<Message>;
        fn read_large(&self, id: u64, offset: u64, len: usize) -> StoreResult<Vec<u8>>;
        fn message_ids(&self, folder: FolderId, kind: ItemKind) -> StoreResult<Arc<GlobSet>>;
        fn deleted_ids(&self, folder: FolderId, ids: &GlobSet) -> StoreResult<Deleted>;
        fn changes_total(&self, folder: FolderId, kind: ItemKind, seen: &GlobSet) -> StoreResult<(u32, u64)>;
        fn message_changes(&self, folder: FolderId, kind: ItemKind, seen: &GlobSet, newest_first: bool, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<MessageHead>>;
        fn read_changes(&self, folder: FolderId, read: &GlobSet, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<MessageHead>>;
        fn last_change(&self) -> StoreResult<ChangeNumber>;
        fn last_event(&self) -> StoreResult<u64>;
        fn events(&self, after: u64) -> StoreResult<Events>;
        fn changed(&self, after: u64) -> StoreResult<()>;
        fn contents(&self, folder: FolderId, query: ContentsQuery) -> StoreResult<Box<dyn ContentsView>>;
    }
    write {
        fn allocate_ids(&self, count: u32) -> StoreResult<GlobCnt>;
        fn create_folder(&self, folder: NewFolder) -> StoreResult<(Folder, bool)>;
        fn change_folder(&self, id: FolderId, set: Vec<Prop>, remove: Vec<PropTag>) -> StoreResult<Folder>;
        fn move_folder(&self, id: FolderId, parent: FolderId, name: Option<String>) -> StoreResult<Folder>;
        fn delete_folder(&self, id: FolderId, how: DeleteFolder) -> StoreResult<Outcome>;
        fn create_large(&self) -> StoreResult<u64>;
        fn write_large(&self, id: u64, offset: u64, bytes: &[u8]) -> StoreResult<u64>;
        fn resize_large(&self, id: u64, len: u64) -> StoreResult<()>;
        fn save_messages(&self, messages: Vec<SaveMessage>) -> StoreResult<Vec<MessageHead>>;
        fn delete_messages(&self, folder: FolderId, ids: &[MessageId], hard: bool) -> StoreResult<Outcome>;
        fn move_copy(&self, job: MoveCopy) -> StoreResult<Vec<Option<MessageHead>>>;
        fn set_read(&self, folder: FolderId, ids: &[MessageId], read: bool) -> StoreResult<u32>;
        fn set_status(&self, folder: FolderId, id: MessageId, status: u32, mask: u32) -> StoreResult<u32>;
    }
}
