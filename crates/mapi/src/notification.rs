//! What happened in a mailbox, as clients are told — [MS-OXCNOTIF]: the kinds of events, and what RopNotify says of
//! one, without the order of its fields ([`NotificationData`]).

use watertight_wire::wire_flags;

use crate::rop::field::Text;
use crate::rop::notification::{NotificationData, Notify, TableRow};
use crate::{Fid, Mid};

wire_flags! {
    /// NotificationTypes — [MS-OXCNOTIF] 2.2.1.2.1.1; NotificationType, the low twelve bits of NotificationFlags —
    /// 2.2.1.4.1.1.
    pub struct EventKinds: u16 {
        /// A new mail was received.
        NewMail = 0x0002,
        /// An object was made.
        ObjectCreated = 0x0004,
        /// An object was deleted.
        ObjectDeleted = 0x0008,
        /// An object was changed.
        ObjectModified = 0x0010,
        /// An object was moved.
        ObjectMoved = 0x0020,
        /// An object was copied.
        ObjectCopied = 0x0040,
        /// A search has ended.
        SearchComplete = 0x0080,
        /// A table changed: never asked for, every table without NoNotifications is told.
        TableModified = 0x0100,
        /// Reserved for what servers add.
        Extended = 0x0400,
    }
}

impl EventKinds {
    /// Everything that can happen to folders and messages.
    pub const OBJECTS: Self = Self(0x007e);
    /// What fits into the byte of RopRegisterNotification.
    pub const ASKED: Self = Self(0x00fe);

    /// Whether the two have a kind in common.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// NotificationFlags above the type: TotalMessageCount, UnreadMessageCount, a search folder's, a message's.
const TOTAL: u16 = 0x1000;
const UNREAD: u16 = 0x2000;
const SEARCH: u16 = 0x4000;
const MESSAGE: u16 = 0x8000;

/// A folder, or a message in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// FolderId: the folder, or the one that the message is in.
    pub folder: Fid,
    /// MessageId.
    pub message: Option<Mid>,
    /// ParentFolderId of a folder; of a message that a search folder shows, its own folder.
    pub parent: Option<Fid>,
}

impl Target {
    /// A message.
    #[must_use]
    pub const fn message(folder: Fid, message: Mid) -> Self {
        Self { folder, message: Some(message), parent: None }
    }

    /// A folder.
    #[must_use]
    pub const fn folder(folder: Fid, parent: Option<Fid>) -> Self {
        Self { folder, message: None, parent }
    }
}

/// How many messages a folder has now, where a notification says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// TotalMessageCount.
    pub total: Option<u32>,
    /// UnreadMessageCount.
    pub unread: Option<u32>,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A mail was received.
    NewMail {
        /// The message.
        object: Target,
        /// PidTagMessageFlags.
        flags: u32,
        /// PidTagMessageClass.
        class: String,
    },
    /// Something was made.
    Created(Target),
    /// Something was deleted.
    Deleted(Target),
    /// Something was changed.
    Modified(Target, Counts),
    /// Something was moved.
    Moved {
        /// What it is now.
        to: Target,
        /// What it was.
        from: Target,
    },
    /// Something was copied.
    Copied {
        /// The copy.
        to: Target,
        /// The original.
        from: Target,
    },
    /// A search has ended.
    SearchComplete(Fid),
    /// A table changed — [MS-OXCNOTIF] 2.2.1.1.1. The notification's handle says which.
    Table(TableEvent),
    /// Something else, or more than could be kept: whatever is known of the mailbox may have changed.
    Unknown,
}

/// What became of a table — [MS-OXCNOTIF] 2.2.1.4.1.2 TableEventType.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TableEvent {
    /// TableChanged: read it anew.
    Changed,
    /// TableRowAdded: the row, the one that it follows, and its columns (PropertyRow).
    Added(TableRow, TableRow, Vec<u8>),
    /// TableRowDeleted.
    Deleted(TableRow),
    /// TableRowModified; as for a row that was added.
    Modified(TableRow, TableRow, Vec<u8>),
    /// TableRestrictionChanged.
    RestrictionChanged,
}

/// One event, and for which subscription or table.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// NotificationHandle: of the subscription, or of the table.
    pub handle: u32,
    /// LogonId.
    pub logon_id: u8,
    /// What happened.
    pub event: Event,
}

impl From<Notify> for Notification {
    fn from(notify: Notify) -> Self {
        Self { handle: notify.handle, logon_id: notify.logon_id, event: Event::from_data(notify.data) }
    }
}

impl From<Notification> for Notify {
    fn from(of: Notification) -> Self {
        Self { handle: of.handle, logon_id: of.logon_id, data: of.event.into_data() }
    }
}

impl Event {
    /// The kind of the event; none for [`Event::Unknown`].
    #[must_use]
    pub const fn kind(&self) -> EventKinds {
        match self {
            Self::NewMail { .. } => EventKinds::NewMail,
            Self::Created(_) => EventKinds::ObjectCreated,
            Self::Deleted(_) => EventKinds::ObjectDeleted,
            Self::Modified(..) => EventKinds::ObjectModified,
            Self::Moved { .. } => EventKinds::ObjectMoved,
            Self::Copied { .. } => EventKinds::ObjectCopied,
            Self::SearchComplete(_) => EventKinds::SearchComplete,
            Self::Table(_) => EventKinds::TableModified,
            Self::Unknown => EventKinds(0),
        }
    }

    /// The folders in which something is different now.
    pub fn folders(&self) -> impl Iterator<Item = Fid> {
        let (first, second) = match self {
            Self::NewMail { object, .. }
            | Self::Created(object)
            | Self::Deleted(object)
            | Self::Modified(object, _) => (Some(object.folder), None),
            Self::Moved { to, from } | Self::Copied { to, from } => (Some(to.folder), Some(from.folder)),
            Self::SearchComplete(folder) => (Some(*folder), None),
            Self::Table(_) | Self::Unknown => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// What NotificationData says; [`Event::Unknown`] when it lacks what its type needs.
    #[must_use]
    pub fn from_data(data: NotificationData) -> Self {
        Self::read(data).unwrap_or(Self::Unknown)
    }

    fn read(data: NotificationData) -> Option<Self> {
        let kind = EventKinds(data.flags & 0x0fff);
        if kind == EventKinds::TableModified {
            return Some(Self::Table(match (data.table_event?, data.row, data.after) {
                (1, ..) => TableEvent::Changed,
                (3, Some(row), Some((after, columns))) => TableEvent::Added(row, after, columns),
                (4, Some(row), _) => TableEvent::Deleted(row),
                (5, Some(row), Some((after, columns))) => TableEvent::Modified(row, after, columns),
                (7, ..) => TableEvent::RestrictionChanged,
                _ => return None,
            }));
        }
        let folder = data.folder_id?;
        let object = Target { folder, message: data.message_id, parent: data.parent_folder_id };
        Some(match kind {
            EventKinds::NewMail => {
                let (flags, class) = data.new_mail?;
                Self::NewMail { object, flags, class: class.to_text() }
            }
            EventKinds::ObjectCreated => Self::Created(object),
            EventKinds::ObjectDeleted => Self::Deleted(object),
            EventKinds::ObjectModified => {
                Self::Modified(object, Counts { total: data.total, unread: data.unread })
            }
            EventKinds::ObjectMoved | EventKinds::ObjectCopied => {
                let from = Target {
                    folder: data.old_folder_id?,
                    message: data.old_message_id,
                    parent: data.old_parent_folder_id,
                };
                if kind == EventKinds::ObjectMoved {
                    Self::Moved { to: object, from }
                } else {
                    Self::Copied { to: object, from }
                }
            }
            EventKinds::SearchComplete => Self::SearchComplete(folder),
            _ => return None,
        })
    }

    /// The fields of NotificationData. [`Event::Unknown`] becomes a change of a folder that there is not: servers say
    /// instead that a folder which there is has changed.
    #[must_use]
    pub fn into_data(self) -> NotificationData {
        let kind = self.kind().0;
        match self {
            Self::Table(event) => table(event),
            Self::SearchComplete(folder) => {
                NotificationData { flags: kind, folder_id: Some(folder), ..NotificationData::default() }
            }
            Self::NewMail { object, flags, class } => {
                let wide = !class.bytes().all(|b| b.is_ascii() && b != 0);
                let class =
                    if wide { Text::Wide(class.replace('\0', "")) } else { Text::Narrow(class.into_bytes()) };
                NotificationData { new_mail: Some((flags, class)), ..data(kind, object) }
            }
            Self::Created(object) => NotificationData { tags: Some(Some(Vec::new())), ..data(kind, object) },
            Self::Deleted(object) => data(kind, object),
            Self::Modified(object, counts) => {
                let mut data = data(kind, Target { parent: None, ..object });
                data.tags = Some(Some(Vec::new()));
                data.flags |= counts.total.map_or(0, |_| TOTAL) | counts.unread.map_or(0, |_| UNREAD);
                (data.total, data.unread) = (counts.total, counts.unread);
                data
            }
            Self::Moved { to, from } | Self::Copied { to, from } => {
                let old_parent =
                    if to.message.is_some() { None } else { Some(from.parent.unwrap_or_default()) };
                NotificationData {
                    old_folder_id: Some(from.folder),
                    old_message_id: to.message.map(|_| from.message.unwrap_or_default()),
                    old_parent_folder_id: old_parent,
                    ..data(kind, to)
                }
            }
            Self::Unknown => {
                Self::Modified(Target::folder(Fid::default(), None), Counts::default()).into_data()
            }
        }
    }
}

/// The fields that every event of an object has. A message with a parent is one that a search folder shows.
fn data(kind: u16, object: Target) -> NotificationData {
    let has_parent = kind & (0x0004 | 0x0008 | 0x0020 | 0x0040) != 0;
    let (mut flags, parent) = match (object.message, object.parent) {
        (None, parent) => (kind, Some(parent.unwrap_or_default())),
        (Some(_), None) => (kind | MESSAGE, None),
        (Some(_), parent) => (kind | MESSAGE | SEARCH, parent),
    };
    if !has_parent {
        flags &= !SEARCH;
    }
    NotificationData {
        flags,
        folder_id: Some(object.folder),
        message_id: object.message,
        parent_folder_id: parent.filter(|_| has_parent),
        ..NotificationData::default()
    }
}

fn table(event: TableEvent) -> NotificationData {
    let (number, row, after) = match event {
        TableEvent::Changed => (1, None, None),
        TableEvent::Added(row, after, columns) => (3, Some(row), Some((after, columns))),
        TableEvent::Deleted(row) => (4, Some(row), None),
        TableEvent::Modified(row, after, columns) => (5, Some(row), Some((after, columns))),
        TableEvent::RestrictionChanged => (7, None, None),
    };
    let message = row.as_ref().is_some_and(|row| row.message.is_some());
    NotificationData {
        flags: EventKinds::TableModified.0 | if message { MESSAGE } else { 0 },
        table_event: Some(number),
        row,
        after,
        ..NotificationData::default()
    }
}

#[cfg(test)]
mod tests;
