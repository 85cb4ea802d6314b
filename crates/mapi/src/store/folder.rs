use watertight_wire::FileTime;

use super::{ChangeNumber, FolderId, MailboxKind};
use crate::{
    ics::{PredecessorChangeList, Xid},
    prop::PropBag,
};

/// The folders that every mailbox has — [MS-OXOSFLD] 2.2.1, [MS-OXCSTOR] 2.2.1.1.3; those of public folders are in
/// [MS-OXCSTOR] 2.2.1.1.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpecialFolder {
    /// Root folder of the mailbox.
    Root,
    /// Deferred Action.
    DeferredAction,
    /// Spooler Queue.
    SpoolerQueue,
    /// Top of the interpersonal messages subtree.
    IpmSubtree,
    /// Inbox.
    Inbox,
    /// Outbox.
    Outbox,
    /// Sent Items.
    SentItems,
    /// Deleted Items.
    DeletedItems,
    /// Common Views.
    CommonViews,
    /// Schedule.
    Schedule,
    /// Search (Finder).
    Search,
    /// Views.
    Views,
    /// Shortcuts.
    Shortcuts,
    /// Drafts.
    Drafts,
    /// Calendar.
    Calendar,
    /// Contacts.
    Contacts,
    /// Tasks.
    Tasks,
    /// Notes.
    Notes,
    /// Journal.
    Journal,
    /// Junk E-mail.
    Junk,
    /// What is not for people to see, of public folders.
    NonIpmSubtree,
    /// The registry of electronic forms, of public folders.
    EformsRegistry,
    /// Free/busy data, of public folders.
    FreeBusy,
    /// Offline address books, of public folders.
    OfflineAddressBook,
}

impl SpecialFolder {
    /// All of a private mailbox or an archive; the first thirteen are those of the RopLogon response, in its order.
    pub const ALL: [Self; 20] = [
        Self::Root,
        Self::DeferredAction,
        Self::SpoolerQueue,
        Self::IpmSubtree,
        Self::Inbox,
        Self::Outbox,
        Self::SentItems,
        Self::DeletedItems,
        Self::CommonViews,
        Self::Schedule,
        Self::Search,
        Self::Views,
        Self::Shortcuts,
        Self::Drafts,
        Self::Calendar,
        Self::Contacts,
        Self::Tasks,
        Self::Notes,
        Self::Journal,
        Self::Junk,
    ];

    /// All of public folders, in the order of the RopLogon response.
    pub const PUBLIC: [Self; 6] = [
        Self::Root,
        Self::IpmSubtree,
        Self::NonIpmSubtree,
        Self::EformsRegistry,
        Self::FreeBusy,
        Self::OfflineAddressBook,
    ];

    /// Those that a new mailbox of a kind has.
    #[must_use]
    pub const fn all_of(kind: MailboxKind) -> &'static [Self] {
        match kind {
            MailboxKind::Private | MailboxKind::Archive => &Self::ALL,
            MailboxKind::Public => &Self::PUBLIC,
        }
    }

    /// The folder's name in a new mailbox.
    #[must_use]
    pub const fn display_name(self) -> &'static str {
        match self {
            Self::Root => "Root Container",
            Self::DeferredAction => "Deferred Action",
            Self::SpoolerQueue => "Spooler Queue",
            Self::IpmSubtree => "Top of Information Store",
            Self::Inbox => "Inbox",
            Self::Outbox => "Outbox",
            Self::SentItems => "Sent Items",
            Self::DeletedItems => "Deleted Items",
            Self::CommonViews => "Common Views",
            Self::Schedule => "Schedule",
            Self::Search => "Finder",
            Self::Views => "Views",
            Self::Shortcuts => "Shortcuts",
            Self::Drafts => "Drafts",
            Self::Calendar => "Calendar",
            Self::Contacts => "Contacts",
            Self::Tasks => "Tasks",
            Self::Notes => "Notes",
            Self::Journal => "Journal",
            Self::Junk => "Junk E-mail",
            Self::NonIpmSubtree => "NON_IPM_SUBTREE",
            Self::EformsRegistry => "EFORMS REGISTRY",
            Self::FreeBusy => "SCHEDULE+ FREE BUSY",
            Self::OfflineAddressBook => "OFFLINE ADDRESS BOOK",
        }
    }

    /// PidTagContainerClass, where the folder has one.
    #[must_use]
    pub const fn container_class(self) -> Option<&'static str> {
        match self {
            Self::Inbox | Self::Outbox | Self::SentItems | Self::DeletedItems | Self::Drafts | Self::Junk => {
                Some("IPF.Note")
            }
            Self::Calendar => Some("IPF.Appointment"),
            Self::Contacts => Some("IPF.Contact"),
            Self::Tasks => Some("IPF.Task"),
            Self::Notes => Some("IPF.StickyNote"),
            Self::Journal => Some("IPF.Journal"),
            _ => None,
        }
    }

    /// The folder above it; `None` for the root.
    #[must_use]
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::Root => None,
            Self::DeferredAction
            | Self::SpoolerQueue
            | Self::IpmSubtree
            | Self::CommonViews
            | Self::Schedule
            | Self::Search
            | Self::Views
            | Self::Shortcuts
            | Self::NonIpmSubtree => Some(Self::Root),
            Self::EformsRegistry | Self::FreeBusy | Self::OfflineAddressBook => Some(Self::NonIpmSubtree),
            _ => Some(Self::IpmSubtree),
        }
    }
}

/// PidTagFolderType — [MS-OXCFOLD] 2.2.2.2.1.5 (FOLDER_ROOT, FOLDER_GENERIC, FOLDER_SEARCH).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FolderKind {
    /// FOLDER_ROOT.
    Root,
    /// FOLDER_GENERIC.
    Generic,
    /// FOLDER_SEARCH.
    Search,
}

/// How far below a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Depth {
    /// Its children only.
    Children,
    /// All below it.
    All,
}

/// A folder with its properties and counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Folder {
    /// Its id.
    pub id: FolderId,
    /// The folder above it; `None` for the root.
    pub parent: Option<FolderId>,
    /// Its kind.
    pub kind: FolderKind,
    /// PidTagDisplayName.
    pub name: String,
    /// The change number of its last change (of its own properties and place, not of what it holds).
    pub change_number: ChangeNumber,
    /// PidTagChangeKey.
    pub change_key: Xid,
    /// PidTagPredecessorChangeList.
    pub predecessors: PredecessorChangeList,
    /// PidTagCreationTime.
    pub created: FileTime,
    /// PidTagLastModificationTime.
    pub modified: FileTime,
    /// Whether it is soft-deleted.
    pub deleted: bool,
    /// What it holds.
    pub counts: FolderCounts,
    /// How many folders lie directly below it.
    pub subfolders: u32,
    /// The properties that were set on it (PidTagContainerClass, PidTagComment …; never the ones above).
    pub props: PropBag,
}

/// What a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FolderCounts {
    /// Normal messages.
    pub messages: u32,
    /// Normal messages that are unread.
    pub unread: u32,
    /// FAI messages.
    pub associated: u32,
    /// Soft-deleted messages.
    pub deleted: u32,
    /// Bytes of all messages that are not deleted (sum of PidTagMessageSizeExtended).
    pub bytes: u64,
}

/// A folder that changed, as a hierarchy synchronization sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderChange {
    /// The folder now.
    pub folder: Folder,
}

/// What a folder is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFolder {
    /// The folder above it.
    pub parent: FolderId,
    /// PidTagDisplayName.
    pub name: String,
    /// Its kind.
    pub kind: FolderKind,
    /// Further properties.
    pub props: PropBag,
    /// Give the folder of that name when there is one.
    pub open_existing: bool,
}

/// What a folder's deletion may take with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeleteFolder {
    /// DEL_MESSAGES: also when there are messages in it.
    pub messages: bool,
    /// DEL_FOLDERS: also when there are folders below it.
    pub folders: bool,
    /// DELETE_HARD_DELETE: for good.
    pub hard: bool,
}
