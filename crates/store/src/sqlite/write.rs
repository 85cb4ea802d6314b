//! A transaction that changes a mailbox.

use std::sync::Arc;

use rusqlite::Connection;
use watertight_mapi::{
    GlobCnt, PropId, PropName, PropTag,
    prop::Prop,
    store::{Happened, StoreResult},
};

use super::{core::Core, error::Doing, meta};
use crate::{folder as rules, names::Names, special};

/// The next of each counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) next_id: i64,
    pub(super) next_cn: i64,
    pub(super) next_large: i64,
    pub(super) version: i64,
    pub(super) next_event: i64,
}

impl Counters {
    /// As they are in the file.
    pub(super) fn read(sql: &Connection) -> StoreResult<Self> {
        sql.prepare_cached(
            "SELECT next_id, next_cn, next_large, version, next_event FROM counter WHERE id = 1",
        )
        .and_then(|mut s| {
            s.query_row([], |row| {
                Ok(Self {
                    next_id: row.get(0)?,
                    next_cn: row.get(1)?,
                    next_large: row.get(2)?,
                    version: row.get(3)?,
                    next_event: row.get(4)?,
                })
            })
        })
        .doing("reading the counters")
    }
}

/// A transaction that changes a mailbox. Counters are kept here and written once, before the commit.
pub(super) struct WriteTx<'a> {
    pub(super) sql: &'a Connection,
    pub(super) core: &'a Core,
    pub(super) counters: Counters,
    pub(super) names: Arc<Names>,
    /// What happened, to be written with the counters.
    pub(super) events: Vec<Happened>,
}

impl WriteTx<'_> {
    /// The next counter for an object.
    pub(super) fn next_id(&mut self) -> StoreResult<GlobCnt> {
        self.allocate(1)
    }

    /// The first of so many counters.
    pub(super) fn allocate(&mut self, count: u32) -> StoreResult<GlobCnt> {
        let first = special::counter(self.counters.next_id.cast_unsigned())?;
        let next = self.counters.next_id.saturating_add(i64::from(count));
        special::counter(next.cast_unsigned())?;
        self.counters.next_id = next;
        Ok(first)
    }

    /// The next change number.
    pub(super) fn next_cn(&mut self) -> StoreResult<i64> {
        let cn = self.counters.next_cn;
        special::counter(cn.cast_unsigned())?;
        self.counters.next_cn = cn.saturating_add(1);
        Ok(cn)
    }

    /// The next number of a large value.
    pub(super) fn next_large(&mut self) -> i64 {
        let id = self.counters.next_large;
        self.counters.next_large = id.saturating_add(1);
        id
    }

    /// Says that something changed that others can see.
    pub(super) fn touch(&mut self) {
        self.counters.version = self.counters.version.saturating_add(1);
    }

    /// The identifier of a name, made if there is none.
    pub(super) fn prop_id(&mut self, name: &PropName) -> StoreResult<PropId> {
        if let Some(id) = self.names.id(name) {
            return Ok(id);
        }
        let id = Arc::make_mut(&mut self.names).add(name.clone())?;
        meta::write_name(self.sql, id, name)?;
        Ok(id)
    }

    /// Gives a property the identifier of its name in this mailbox.
    pub(super) fn resolve_name(&mut self, prop: &mut Prop) -> StoreResult<()> {
        match &prop.name {
            Some(name) => {
                let id = self.prop_id(&Arc::clone(name))?;
                prop.tag = PropTag::new(id, prop.tag.ty());
                prop.name = self.names.name(id).cloned();
            }
            None if prop.tag.is_named() => {
                let name = self.names.name(prop.tag.id()).cloned();
                prop.name = Some(name.ok_or_else(|| rules::unknown_name(prop.tag))?);
            }
            None => {}
        }
        Ok(())
    }

    /// Writes the events and the counters.
    pub(super) fn finish(&mut self) -> StoreResult<()> {
        self.write_events()?;
        let Counters { next_id, next_cn, next_large, version, next_event } = self.counters;
        self.sql
            .prepare_cached(
                "UPDATE counter SET next_id = ?, next_cn = ?, next_large = ?, version = ?, next_event = ? WHERE id = 1",
            )
            .and_then(|mut s| s.execute([next_id, next_cn, next_large, version, next_event]))
            .doing("writing the counters")?;
        Ok(())
    }
}
