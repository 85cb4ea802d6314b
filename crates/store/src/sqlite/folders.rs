//! Folders.

use rusqlite::{Connection, OptionalExtension, Row, params};
use watertight_mapi::{
    PropTag,
    ics::{PredecessorChangeList, Xid},
    prop::{Prop, PropBag, tags},
    store::{
        ChangeNumber, DeleteFolder, Folder, FolderCounts, FolderId, FolderKind, Happened, MailboxKind,
        NewFolder, Outcome, Place, SpecialFolder, StoreError, StoreResult,
    },
};
use watertight_wire::{FileTime, Guid};

use super::{
    checksum::Sum,
    codec,
    error::{Doing, corrupt},
    row::{glob, int},
    write::WriteTx,
};
use crate::{
    clock::now,
    folder as rules,
    names::Names,
    special,
    tree::{Node, Tree, name_key},
};

/// A folder's own columns.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FolderRow {
    pub(super) id: i64,
    pub(super) parent: Option<i64>,
    pub(super) kind: i64,
    pub(super) name: String,
    pub(super) cn: i64,
    pub(super) created: i64,
    pub(super) modified: i64,
    pub(super) deleted: bool,
    pub(super) props: Vec<u8>,
}

const COLUMNS: &str = "id, parent, kind, name, cn, created, modified, deleted, props, sum, messages, unread, \
                       associated, deleted_messages, bytes";

impl FolderRow {
    fn take(row: &Row<'_>) -> StoreResult<Self> {
        let read = || -> rusqlite::Result<(Self, i64)> {
            let this = Self {
                id: row.get(0)?,
                parent: row.get(1)?,
                kind: row.get(2)?,
                name: row.get(3)?,
                cn: row.get(4)?,
                created: row.get(5)?,
                modified: row.get(6)?,
                deleted: row.get(7)?,
                props: row.get(8)?,
            };
            Ok((this, row.get(9)?))
        };
        let (this, stored) = read().doing("reading a folder")?;
        if stored != this.sum() {
            return Err(corrupt(format!("the row of folder {:#x} does not fit its checksum", this.id)));
        }
        Ok(this)
    }

    fn sum(&self) -> i64 {
        Sum::new(4)
            .number(self.id)
            .number(self.parent.unwrap_or(-1))
            .number(self.kind)
            .bytes(self.name.as_bytes())
            .number(self.cn)
            .number(self.created)
            .number(self.modified)
            .number(i64::from(self.deleted))
            .bytes(&self.props)
            .finish()
    }

    /// The folder of that id.
    pub(super) fn find(sql: &Connection, id: FolderId, deleted: bool) -> StoreResult<Self> {
        let text = format!("SELECT {COLUMNS} FROM folder WHERE id = ?");
        let mut statement = sql.prepare_cached(&text).doing("finding a folder")?;
        let found = statement.query_row([int(id.0)], |row| Ok(Self::take(row))).optional();
        let found = found.doing("finding a folder")?.transpose()?;
        found.filter(|f| deleted || !f.deleted).ok_or(StoreError::NotFound("folder"))
    }

    fn insert(&self, sql: &Connection) -> StoreResult<()> {
        self.write(
            sql,
            "INSERT INTO folder(id, parent, kind, name, key, cn, created, modified, deleted, props, sum)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )
    }

    fn update(&self, sql: &Connection) -> StoreResult<()> {
        self.write(
            sql,
            "UPDATE folder SET parent = ?2, kind = ?3, name = ?4, key = ?5, cn = ?6, created = ?7, modified = ?8,
             deleted = ?9, props = ?10, sum = ?11 WHERE id = ?1",
        )
    }

    fn write(&self, sql: &Connection, text: &str) -> StoreResult<()> {
        sql.prepare_cached(text)
            .and_then(|mut s| {
                s.execute(params![
                    self.id,
                    self.parent,
                    self.kind,
                    self.name,
                    name_key(&self.name),
                    self.cn,
                    self.created,
                    self.modified,
                    self.deleted,
                    self.props,
                    self.sum()
                ])
            })
            .doing("writing a folder")?;
        Ok(())
    }
}

/// The folder as it is given out.
pub(super) fn read(
    sql: &Connection,
    names: &Names,
    repl_guid: Guid,
    id: FolderId,
    deleted: bool,
) -> StoreResult<Folder> {
    let text = format!(
        "SELECT {COLUMNS}, (SELECT count(*) FROM folder c WHERE c.parent = f.id AND c.deleted = f.deleted)
         FROM folder f WHERE id = ?"
    );
    let mut statement = sql.prepare_cached(&text).doing("reading a folder")?;
    let found = statement.query_row([int(id.0)], |row| {
        let counts = FolderCounts {
            messages: row.get(10)?,
            unread: row.get(11)?,
            associated: row.get(12)?,
            deleted: row.get(13)?,
            bytes: row.get::<_, i64>(14)?.cast_unsigned(),
        };
        Ok((FolderRow::take(row), counts, row.get::<_, u32>(15)?))
    });
    let Some((row, counts, subfolders)) = found.optional().doing("reading a folder")? else {
        return Err(StoreError::NotFound("folder"));
    };
    let row = row?;
    if row.deleted && !deleted {
        return Err(StoreError::NotFound("folder"));
    }
    let cn = glob(row.cn)?;
    let change_key = Xid::from_counter(repl_guid, cn);
    Ok(Folder {
        id: FolderId(glob(row.id)?),
        parent: row.parent.map(glob).transpose()?.map(FolderId),
        kind: kind(row.kind)?,
        name: row.name,
        change_number: ChangeNumber(cn),
        predecessors: PredecessorChangeList::of(change_key.clone()),
        change_key,
        created: FileTime(row.created.cast_unsigned()),
        modified: FileTime(row.modified.cast_unsigned()),
        deleted: row.deleted,
        counts,
        subfolders,
        props: codec::decode_bag(&row.props, names).doing("reading a folder")?,
    })
}

/// Every folder, with its counts as they are stored.
pub(super) fn all(sql: &Connection) -> StoreResult<Vec<(StoreResult<FolderRow>, Delta)>> {
    let text = format!("SELECT {COLUMNS} FROM folder");
    sql.prepare(&text)
        .and_then(|mut s| {
            s.query_map([], |row| {
                let counts = Delta {
                    messages: row.get(10)?,
                    unread: row.get(11)?,
                    associated: row.get(12)?,
                    deleted: row.get(13)?,
                    bytes: row.get(14)?,
                };
                Ok((FolderRow::take(row), counts))
            })?
            .collect()
        })
        .doing("reading all folders")
}

/// The folder tree.
pub(super) fn tree(sql: &Connection) -> StoreResult<Tree> {
    let mut statement = sql
        .prepare_cached("SELECT id, parent, name, cn, deleted FROM folder")
        .doing("reading the folder tree")?;
    let nodes = statement.query_map([], |row| {
        Ok(Node {
            id: row.get::<_, i64>(0)?.cast_unsigned(),
            parent: row.get::<_, Option<i64>>(1)?.map(i64::cast_unsigned),
            name: row.get(2)?,
            cn: row.get::<_, i64>(3)?.cast_unsigned(),
            deleted: row.get(4)?,
        })
    });
    Ok(Tree::new(nodes.and_then(Iterator::collect).doing("reading the folder tree")?))
}

/// The version of what the folder holds.
pub(super) fn contents_version(sql: &Connection, id: FolderId) -> StoreResult<i64> {
    sql.prepare_cached("SELECT contents_version FROM folder WHERE id = ? AND deleted = 0")
        .and_then(|mut s| s.query_row([int(id.0)], |row| row.get(0)).optional())
        .doing("reading a folder")?
        .ok_or(StoreError::NotFound("folder"))
}

/// What a change does to the counts of a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Delta {
    pub(super) messages: i64,
    pub(super) unread: i64,
    pub(super) associated: i64,
    pub(super) deleted: i64,
    pub(super) bytes: i64,
}

impl Delta {
    /// Counts a message in (`sign` 1) or out (−1).
    pub(super) fn count(&mut self, row: &super::row::MessageRow, sign: i64) {
        let add = |to: &mut i64, n: i64| *to = to.saturating_add(n.saturating_mul(sign));
        match (row.deleted, row.kind) {
            (true, _) => add(&mut self.deleted, 1),
            (false, 0) => {
                add(&mut self.messages, 1);
                add(&mut self.unread, i64::from(!row.read));
            }
            (false, _) => add(&mut self.associated, 1),
        }
        if !row.deleted {
            add(&mut self.bytes, row.size);
        }
    }
}

impl WriteTx<'_> {
    /// Changes the counts of a folder.
    pub(super) fn apply(&mut self, folder: i64, delta: Delta) -> StoreResult<()> {
        // The version that this transaction will have raised the counter to, or one that was not seen before it.
        let version = self.counters.version.saturating_add(1);
        self.sql
            .prepare_cached(
                "UPDATE folder SET messages = messages + ?, unread = unread + ?, associated = associated + ?,
                 deleted_messages = deleted_messages + ?, bytes = bytes + ?, contents_version = ? WHERE id = ?",
            )
            .and_then(|mut s| {
                s.execute([
                    delta.messages,
                    delta.unread,
                    delta.associated,
                    delta.deleted,
                    delta.bytes,
                    version,
                    folder,
                ])
            })
            .doing("counting what a folder holds")?;
        Ok(())
    }

    fn given(&self, id: FolderId) -> StoreResult<Folder> {
        read(self.sql, &self.names, self.core.info.repl_guid, id, true)
    }

    fn child_named(&self, parent: i64, name: &str) -> StoreResult<Option<i64>> {
        self.sql
            .prepare_cached("SELECT id FROM folder WHERE parent = ? AND key = ? AND deleted = 0")
            .and_then(|mut s| s.query_row(params![parent, name_key(name)], |row| row.get(0)).optional())
            .doing("looking for a folder")
    }

    /// [`Mailbox::create_folder`](watertight_mapi::store::Mailbox::create_folder).
    pub(super) fn create_folder(&mut self, new: NewFolder) -> StoreResult<(Folder, bool)> {
        let NewFolder { parent, name, kind, mut props, open_existing } = new;
        rules::check_name(&name)?;
        if kind == FolderKind::Root {
            return Err(StoreError::Invalid("a mailbox has one root folder".to_owned()));
        }
        let parent = FolderRow::find(self.sql, parent, false)?.id;
        if let Some(id) = self.child_named(parent, &name)? {
            return if open_existing {
                Ok((self.given(FolderId(glob(id)?))?, true))
            } else {
                Err(StoreError::Exists(name))
            };
        }
        rules::prepare(&mut props)?;
        for prop in &mut props.0 {
            self.resolve_name(prop)?;
        }
        let id = self.next_id()?;
        let now = now().0.cast_signed();
        let row = FolderRow {
            id: int(id),
            parent: Some(parent),
            kind: kind_column(kind),
            name,
            cn: self.next_cn()?,
            created: now,
            modified: now,
            deleted: false,
            props: codec::encode_bag(&props).doing("making a folder")?,
        };
        row.insert(self.sql)?;
        self.record(Happened::Created(Place::folder(FolderId(id), Some(FolderId(glob(parent)?)))));
        self.touch();
        Ok((self.given(FolderId(id))?, false))
    }

    /// [`Mailbox::change_folder`](watertight_mapi::store::Mailbox::change_folder).
    pub(super) fn change_folder(
        &mut self,
        id: FolderId,
        set: Vec<Prop>,
        remove: &[PropTag],
    ) -> StoreResult<Folder> {
        let mut row = FolderRow::find(self.sql, id, false)?;
        let (name, set) = rules::split_name(set)?;
        if let Some(name) = name {
            if let Some(parent) = row.parent
                && self.child_named(parent, &name)?.is_some_and(|other| other != row.id)
            {
                return Err(StoreError::Exists(name));
            }
            row.name = name;
        }
        let mut props = codec::decode_bag(&row.props, &self.names).doing("changing a folder")?;
        props.0.retain(|p| !remove.iter().any(|tag| tag.id() == p.tag.id()));
        for mut prop in set {
            self.resolve_name(&mut prop)?;
            props.put(prop);
        }
        rules::prepare(&mut props)?;
        row.props = codec::encode_bag(&props).doing("changing a folder")?;
        self.put_changed(row)?;
        self.record(Happened::Modified(Place::folder(id, None)));
        self.given(id)
    }

    /// [`Mailbox::move_folder`](watertight_mapi::store::Mailbox::move_folder).
    pub(super) fn move_folder(
        &mut self,
        id: FolderId,
        parent: FolderId,
        name: Option<String>,
    ) -> StoreResult<Folder> {
        let mut row = FolderRow::find(self.sql, id, false)?;
        let parent = FolderRow::find(self.sql, parent, false)?.id;
        if special::is_standard(id) {
            return Err(StoreError::Denied("a standard folder cannot be moved"));
        }
        let below = tree(self.sql)?.below(id.0.value(), |_| true);
        if row.id == parent || below.contains(&parent.cast_unsigned()) {
            return Err(StoreError::Cycle);
        }
        if let Some(name) = name {
            rules::check_name(&name)?;
            row.name = name;
        }
        if self.child_named(parent, &row.name)?.is_some_and(|other| other != row.id) {
            return Err(StoreError::Exists(row.name));
        }
        let from = row.parent.replace(parent).map(glob).transpose()?.map(FolderId);
        self.put_changed(row)?;
        let to = Place::folder(id, Some(FolderId(glob(parent)?)));
        self.record(Happened::Moved { to, from: Place::folder(id, from) });
        self.given(id)
    }

    fn put_changed(&mut self, mut row: FolderRow) -> StoreResult<()> {
        row.cn = self.next_cn()?;
        row.modified = now().0.cast_signed();
        row.update(self.sql)?;
        self.touch();
        Ok(())
    }

    /// [`Mailbox::delete_folder`](watertight_mapi::store::Mailbox::delete_folder).
    pub(super) fn delete_folder(&mut self, id: FolderId, how: DeleteFolder) -> StoreResult<Outcome> {
        let row = FolderRow::find(self.sql, id, how.hard)?;
        if special::is_standard(id) {
            return Err(StoreError::Denied("a standard folder cannot be deleted"));
        }
        let tree = tree(self.sql)?;
        let live = tree.below(id.0.value(), |n| !n.deleted);
        let mut has_messages = false;
        for at in live.iter().map(|id| id.cast_signed()).chain([row.id]) {
            has_messages |= self.holds_messages(at)?;
        }
        if (!live.is_empty() && !how.folders) || (has_messages && !how.messages) {
            return Ok(Outcome::Partial);
        }
        // Children before their parents.
        let below = tree.below(id.0.value(), |_| true);
        for at in below.into_iter().rev().map(u64::cast_signed).chain([row.id]) {
            self.empty_folder(at, how.hard)?;
            if how.hard {
                self.sql
                    .prepare_cached("DELETE FROM folder WHERE id = ?")
                    .and_then(|mut s| s.execute([at]))
                    .doing("deleting a folder")?;
            } else {
                let mut row = FolderRow::find(self.sql, FolderId(glob(at)?), true)?;
                row.deleted = true;
                row.update(self.sql)?;
            }
        }
        if !row.deleted {
            let parent = row.parent.map(glob).transpose()?.map(FolderId);
            self.record(Happened::Deleted(Place::folder(id, parent)));
        }
        self.touch();
        Ok(Outcome::Complete)
    }

    fn holds_messages(&self, folder: i64) -> StoreResult<bool> {
        self.sql
            .prepare_cached(
                "SELECT EXISTS(SELECT 1 FROM message WHERE folder = ? AND kind = 0 AND deleted = 0)",
            )
            .and_then(|mut s| s.query_row([folder], |row| row.get(0)))
            .doing("looking into a folder")
    }
}

/// Makes the standard folders of a new mailbox of a kind, with the first change numbers.
pub(super) fn create_standard(sql: &Connection, of: MailboxKind) -> StoreResult<()> {
    let mut cn = 0_i64;
    for &folder in SpecialFolder::all_of(of) {
        let mut props = PropBag::default();
        if let Some(class) = folder.container_class() {
            props.set(tags::CONTAINER_CLASS, class);
        }
        cn = cn.saturating_add(1);
        let now = now().0.cast_signed();
        let row = FolderRow {
            id: int(special::id(folder).0),
            parent: folder.parent().map(|parent| int(special::id(parent).0)),
            kind: kind_column(special::kind(folder)),
            name: special::name(folder, of).to_owned(),
            cn,
            created: now,
            modified: now,
            deleted: false,
            props: codec::encode_bag(&props).doing("making a folder")?,
        };
        row.insert(sql)?;
    }
    sql.execute("UPDATE counter SET next_cn = ?", [cn.saturating_add(1)])
        .doing("making the standard folders")?;
    Ok(())
}

pub(super) fn kind_column(kind: FolderKind) -> i64 {
    match kind {
        FolderKind::Root => 0,
        FolderKind::Generic => 1,
        FolderKind::Search => 2,
    }
}

fn kind(column: i64) -> StoreResult<FolderKind> {
    match column {
        0 => Ok(FolderKind::Root),
        1 => Ok(FolderKind::Generic),
        2 => Ok(FolderKind::Search),
        other => Err(corrupt(format!("a folder of kind {other}"))),
    }
}
