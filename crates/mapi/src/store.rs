//! The traits of a message store: accounts, mailboxes, folders, messages, change feed.
//!
//! Nothing here assumes SQLite. A mailbox is the unit of everything: identifiers, change numbers and named
//! properties belong to it, and no operation spans two. Large sets are paged; values above [`INLINE_LIMIT`] are
//! read and written in pieces.

mod access;
mod account;
mod error;
mod event;
mod folder;
mod message;
mod secrets;

use std::sync::Arc;

use async_trait::async_trait;
use watertight_wire::Guid;

pub use access::{Access, Grant, MailboxKind};
pub use account::{Account, NewAccount, PUBLIC_DN, archive_dn, legacy_dn, split_dn};
pub use error::{StoreError, StoreResult};
pub use event::{Events, Happened, Place};
pub use folder::{
    DeleteFolder, Depth, Folder, FolderChange, FolderCounts, FolderKind, NewFolder, SpecialFolder,
};
pub use message::{
    Attachment, ContentsQuery, ContentsView, Deleted, ItemKind, Message, MessageContent, MessageHead,
    MessageRow, MoveCopy, Outcome, SaveMessage, SortColumn,
};
pub use secrets::{NtHash, SecretKinds, Secrets, Token, TokenHash};

use crate::{GlobCnt, PropId, PropName, PropTag, ics::GlobSet, prop::Prop};

/// Values up to this many bytes live in [`PropData::Inline`](crate::prop::PropData); longer binary, object and
/// string values are [`PropData::Large`](crate::prop::PropData).
pub const INLINE_LIMIT: usize = 64 * 1024;

/// A folder of a mailbox: the counter of its FID under the mailbox's REPLGUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderId(pub GlobCnt);

/// A message of a mailbox: the counter of its MID under the mailbox's REPLGUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub GlobCnt);

/// A change number of a mailbox: the counter of a CN under the mailbox's REPLGUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeNumber(pub GlobCnt);

/// Where a page ended. Opaque; from one backend, for one query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub Vec<u8>);

/// Some items, and where to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<Cursor>,
}

/// What a mailbox is, for as long as it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxInfo {
    /// PidTagStoreRecordKey: the mailbox's own GUID.
    pub mailbox_guid: Guid,
    /// REPLGUID of everything that this mailbox allocates.
    pub repl_guid: Guid,
    /// What it is there for.
    pub kind: MailboxKind,
    /// Its owner's display name.
    pub display_name: String,
    /// Its owner's legacy distinguished name.
    pub legacy_dn: String,
    /// Its owner's SMTP address.
    pub smtp_address: String,
}

/// Accounts and their mailboxes.
#[async_trait]
pub trait Store: Send + Sync {
    /// The account of that login name (compared without case), if there is one.
    async fn account(&self, name: &str) -> StoreResult<Option<Account>>;

    /// The account of that legacy distinguished name (compared without case), if there is one.
    async fn account_by_dn(&self, legacy_dn: &str) -> StoreResult<Option<Account>>;

    /// The account of that SMTP address (compared without case), if there is one.
    async fn account_by_address(&self, smtp_address: &str) -> StoreResult<Option<Account>>;

    /// Accounts, ascending by name.
    async fn accounts(&self, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<Account>>;

    /// Makes an account and its mailbox with the standard folders.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the name or address is taken.
    async fn create_account(&self, account: NewAccount) -> StoreResult<Account>;

    /// What accounts sign in with.
    fn secrets(&self) -> &dyn Secrets;

    /// Makes a second mailbox for an account: its archive.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Exists`] when it has one.
    async fn create_archive(&self, name: &str) -> StoreResult<Account>;

    /// The mailbox of the public folders, if there is one.
    async fn public_store(&self) -> StoreResult<Option<Guid>>;

    /// Makes the mailbox of the public folders. It has the folders of [`SpecialFolder::PUBLIC`].
    ///
    /// # Errors
    /// [`StoreError::Exists`].
    async fn create_public_store(&self) -> StoreResult<Guid>;

    /// What somebody else than the owner may do in an account's mailboxes, or with `None` in the public folders, beyond
    /// what everybody may.
    async fn access(&self, owner: Option<&str>, to: &str) -> StoreResult<Option<Access>>;

    /// Who has a right in an account's mailboxes, or with `None` in the public folders; ascending by name.
    async fn grants(&self, owner: Option<&str>) -> StoreResult<Vec<Grant>>;

    /// Gives somebody a right, in place of the one that they have.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an account or public folders that are not there, [`StoreError::Invalid`] for an
    /// owner's own mailbox.
    async fn grant(&self, grant: Grant) -> StoreResult<()>;

    /// Takes somebody's right away.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    async fn revoke(&self, owner: Option<&str>, to: &str) -> StoreResult<()>;

    /// The mailbox. Handles of one mailbox share its state.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn mailbox(&self, mailbox_guid: Guid) -> StoreResult<Arc<dyn Mailbox>>;

    /// A server calls this now and then: the store lets go of what nobody has used since the last time (open files,
    /// caches). Handles stay valid.
    async fn rest(&self) {}
}

/// One mailbox. Every method that changes something returns after the change is durable.
#[async_trait]
pub trait Mailbox: Send + Sync {
    /// What the mailbox is.
    fn info(&self) -> &MailboxInfo;

    /// The standard folder.
    fn special(&self, folder: SpecialFolder) -> FolderId;

    // ----- named properties and identifiers -----

    /// The identifiers of names, in order; with `create` unknown names get one, else they are `None`.
    async fn prop_ids(&self, names: &[PropName], create: bool) -> StoreResult<Vec<Option<PropId>>>;

    /// The names of identifiers, in order; `None` for those that stand for no name.
    async fn prop_names(&self, ids: &[PropId]) -> StoreResult<Vec<Option<PropName>>>;

    /// All names of the mailbox with their identifiers, ascending by identifier.
    async fn all_prop_names(&self) -> StoreResult<Vec<(PropId, PropName)>>;

    /// Sets `count` counters aside for a client's own objects; returns the first. None of them is ever given out again.
    async fn allocate_ids(&self, count: u32) -> StoreResult<GlobCnt>;

    /// A number that changes with every change to the mailbox: equal numbers mean that nothing happened between.
    async fn version(&self) -> StoreResult<u64>;

    // ----- folders -----

    /// The folder.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; also for soft-deleted folders unless `deleted`.
    async fn folder(&self, id: FolderId, deleted: bool) -> StoreResult<Folder>;

    /// Folders below `root` (not itself), parents before their children, siblings ascending by name; with `deleted`
    /// the soft-deleted ones instead of the others.
    async fn folders(
        &self,
        root: FolderId,
        depth: Depth,
        deleted: bool,
        after: Option<&Cursor>,
        limit: usize,
    ) -> StoreResult<Page<Folder>>;

    /// Makes a folder, or with `open_existing` gives the one of that name; says whether it existed.
    ///
    /// # Errors
    /// [`StoreError::Exists`] (names compare without case), [`StoreError::NotFound`] for the parent.
    async fn create_folder(&self, folder: NewFolder) -> StoreResult<(Folder, bool)>;

    /// Sets and removes properties of a folder; PidTagDisplayName renames it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Exists`] for a name that is taken.
    async fn change_folder(&self, id: FolderId, set: Vec<Prop>, remove: Vec<PropTag>) -> StoreResult<Folder>;

    /// Moves a folder below another parent, under a new name if one is given.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Exists`], [`StoreError::Cycle`], [`StoreError::Denied`] for standard folders.
    async fn move_folder(&self, id: FolderId, parent: FolderId, name: Option<String>) -> StoreResult<Folder>;

    /// Deletes a folder. Returns [`Outcome::Partial`] when something that was not asked for is still in it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`] for standard folders.
    async fn delete_folder(&self, id: FolderId, how: DeleteFolder) -> StoreResult<Outcome>;

    /// The ids of all folders below `root` now (not itself, none that is deleted).
    async fn folder_ids(&self, root: FolderId) -> StoreResult<Arc<GlobSet>>;

    /// Folders below `root` whose change number is not in `seen`, parents before their children.
    async fn folder_changes(
        &self,
        root: FolderId,
        seen: &GlobSet,
        after: Option<&Cursor>,
        limit: usize,
    ) -> StoreResult<Page<FolderChange>>;

    // ----- messages -----

    /// The message with everything in it, large values by reference.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; also for soft-deleted messages unless `deleted`.
    async fn message(&self, id: MessageId, deleted: bool) -> StoreResult<Message>;

    /// Up to `len` bytes of a large value from `offset`; fewer only at its end.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the value was deleted meanwhile.
    async fn read_large(&self, id: u64, offset: u64, len: usize) -> StoreResult<Vec<u8>>;

    /// Starts a large value that belongs to nothing yet. It is forgotten when it was not saved with a message
    /// before the store is next opened, or when [`Mailbox::discard_large`] is called.
    async fn create_large(&self) -> StoreResult<u64>;

    /// Writes bytes into a value made by [`Mailbox::create_large`] that no message owns yet, at `offset` (which
    /// may not lie past its end); returns its length.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Invalid`] for a gap.
    async fn write_large(&self, id: u64, offset: u64, bytes: &[u8]) -> StoreResult<u64>;

    /// Cuts or zero-extends a value made by [`Mailbox::create_large`] that no message owns yet.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn resize_large(&self, id: u64, len: u64) -> StoreResult<()>;

    /// Forgets a value made by [`Mailbox::create_large`] that no message owns; nothing happens for others.
    async fn discard_large(&self, id: u64) -> StoreResult<()>;

    /// Saves messages, new or in place of their last version, in one transaction; each gets a new change number.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the folder or the message, [`StoreError::Conflict`] when `expected` is not
    /// its change number any more; then none is saved.
    async fn save_messages(&self, messages: Vec<SaveMessage>) -> StoreResult<Vec<MessageHead>>;

    /// Deletes messages of a folder, softly or for good. [`Outcome::Partial`] when some are not there.
    async fn delete_messages(&self, folder: FolderId, ids: &[MessageId], hard: bool) -> StoreResult<Outcome>;

    /// Moves or copies messages into another folder: the new ones have new ids. Their heads come back in order,
    /// `None` for ids that were not there.
    async fn move_copy(&self, job: MoveCopy) -> StoreResult<Vec<Option<MessageHead>>>;

    /// Marks messages of a folder read or unread (all of its normal messages for an empty list). Only those whose
    /// state changes get a new read change number; returns how many.
    async fn set_read(&self, folder: FolderId, ids: &[MessageId], read: bool) -> StoreResult<u32>;

    /// Sets those bits of PidTagMessageStatus that are in `mask` as they are in `status`; returns what it was. Nothing
    /// else of the message changes, neither its change number.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the message in the folder.
    async fn set_status(&self, folder: FolderId, id: MessageId, status: u32, mask: u32) -> StoreResult<u32>;

    /// The ids of all messages of a kind in the folder now (none that is deleted). Shared until the folder changes.
    async fn message_ids(&self, folder: FolderId, kind: ItemKind) -> StoreResult<Arc<GlobSet>>;

    /// Of `ids`, those that were deleted from the folder softly, and those that left it otherwise (hard, moved, or
    /// never there).
    async fn deleted_ids(&self, folder: FolderId, ids: &GlobSet) -> StoreResult<Deleted>;

    /// How many messages of the kind in the folder have change numbers outside `seen`, and their sizes summed.
    async fn changes_total(
        &self,
        folder: FolderId,
        kind: ItemKind,
        seen: &GlobSet,
    ) -> StoreResult<(u32, u64)>;

    /// Messages of the kind in the folder whose change number is not in `seen`: ascending by change number, or
    /// newest delivery first.
    async fn message_changes(
        &self,
        folder: FolderId,
        kind: ItemKind,
        seen: &GlobSet,
        newest_first: bool,
        after: Option<&Cursor>,
        limit: usize,
    ) -> StoreResult<Page<MessageHead>>;

    /// Normal messages of the folder whose read change number is not in `read`.
    async fn read_changes(
        &self,
        folder: FolderId,
        read: &GlobSet,
        after: Option<&Cursor>,
        limit: usize,
    ) -> StoreResult<Page<MessageHead>>;

    /// The highest change number that was given out (also for read states).
    async fn last_change(&self) -> StoreResult<ChangeNumber>;

    /// The number of the last event of the mailbox.
    async fn last_event(&self) -> StoreResult<u64>;

    /// What happened after the event of that number, whoever did it and in whatever process. A store remembers some
    /// hundreds of events.
    async fn events(&self, after: u64) -> StoreResult<Events>;

    /// Ends when there is an event after the one of that number: at once for those of this process, within half a
    /// second for those of others. Costs next to nothing while nothing happens.
    async fn changed(&self, after: u64) -> StoreResult<()>;

    /// A view of a folder's messages: restricted, sorted, counted.
    async fn contents(&self, folder: FolderId, query: ContentsQuery) -> StoreResult<Box<dyn ContentsView>>;
}
