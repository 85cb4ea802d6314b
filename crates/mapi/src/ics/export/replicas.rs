use std::collections::BTreeMap;

use watertight_wire::Guid;

use crate::{
    GlobCnt, GlobalId, ReplId,
    ics::{
        GuidIdSet, IdSet, Xid,
        syntactical::{Deletions, Event},
    },
};

/// Which replica stands behind a REPLID of this logon, as far as it was needed.
#[derive(Debug, Default)]
pub(super) struct Replicas(BTreeMap<ReplId, Guid>);

impl Replicas {
    pub(super) fn learn(&mut self, id: ReplId, replica: Guid) {
        self.0.insert(id, replica);
    }

    /// Learns from an identifier that comes in both forms.
    fn pair(&mut self, key: &Xid, repl_id: ReplId, counter: GlobCnt) {
        if key.counter() == Some(counter) {
            self.learn(repl_id, key.namespace);
        }
    }

    pub(super) fn unknown(&mut self, event: &Event) -> Option<ReplId> {
        match event {
            Event::MessageChange(header) | Event::PartialChange(header) => {
                let mid = header.mid.inspect(|mid| self.pair(&header.source_key, mid.repl_id, mid.counter));
                let ids = [mid.map(|m| m.repl_id), header.change_number.map(|c| c.repl_id)];
                ids.into_iter().flatten().find(|id| !self.0.contains_key(id))
            }
            Event::FolderChange(change) => {
                let fid = change.folder_id.inspect(|f| self.pair(&change.source_key, f.repl_id, f.counter));
                fid.map(|f| f.repl_id).filter(|id| !self.0.contains_key(id))
            }
            Event::Deletions(all) => self.missing(&[&all.deleted, &all.no_longer_in_scope, &all.expired]),
            Event::ReadStates(all) => self.missing(&[&all.read, &all.unread]),
            _ => None,
        }
    }

    fn missing(&self, sets: &[&IdSet]) -> Option<ReplId> {
        sets.iter().flat_map(|set| set.iter()).map(|(id, _)| id).find(|id| !self.0.contains_key(id))
    }

    /// By the key where it is a counter of a replica, else by the identifier of the logon.
    pub(super) fn object(&self, key: &Xid, id: Option<(ReplId, GlobCnt)>) -> Option<GlobalId> {
        key.global().or_else(|| self.id(id))
    }

    /// The version: by the identifier of the logon, else by the key.
    pub(super) fn version(&self, key: &Xid, id: Option<(ReplId, GlobCnt)>) -> Option<GlobalId> {
        self.id(id).or_else(|| key.global())
    }

    fn id(&self, id: Option<(ReplId, GlobCnt)>) -> Option<GlobalId> {
        let (repl_id, counter) = id?;
        Some(GlobalId::new(*self.0.get(&repl_id)?, counter))
    }

    pub(super) fn set(&self, ids: &IdSet) -> GuidIdSet {
        let mut out = GuidIdSet::new();
        for (id, counters) in ids.iter() {
            if let Some(replica) = self.0.get(&id) {
                out.extend(&GuidIdSet::of(*replica, counters.clone()));
            }
        }
        out
    }

    /// The sets of a deletions element by reason, empty ones left out.
    pub(super) fn deletions(&self, all: &Deletions) -> Vec<(crate::ics::sink::Deletion, GuidIdSet)> {
        use crate::ics::sink::Deletion::{Deleted, Expired, SoftDeleted};
        [(Deleted, &all.deleted), (SoftDeleted, &all.no_longer_in_scope), (Expired, &all.expired)]
            .into_iter()
            .map(|(why, set)| (why, self.set(set)))
            .filter(|(_, set)| !set.is_empty())
            .collect()
    }
}
