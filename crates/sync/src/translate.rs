use std::collections::BTreeMap;

use watertight_mapi::{
    GlobCnt, ReplId,
    ics::{GuidIdSet, IdSet, State, Xid, syntactical::Event},
    prop::tags,
};
use watertight_wire::Guid;

use crate::{Change, FolderChange, GlobalId, HierarchyChanges, MessageHeader};

/// Turns the events of a download into what the engine takes: identifiers that hold beyond the logon.
#[derive(Debug, Default)]
pub(crate) struct Translator {
    /// Which replica stands behind a REPLID of this logon, as far as it was needed.
    replicas: BTreeMap<ReplId, Guid>,
    /// Inside something that the engine does not take.
    skipping: bool,
    /// progressPerMessage of the message that comes next.
    size: u64,
}

impl Translator {
    /// Tells which replica stands behind a REPLID.
    pub(crate) fn learn(&mut self, id: ReplId, replica: Guid) {
        self.replicas.insert(id, replica);
    }

    /// A REPLID that must be known before the event can be translated, and is not.
    pub(crate) fn unknown(&mut self, event: &Event) -> Option<ReplId> {
        let mut needed = Vec::new();
        match event {
            Event::MessageChange(header) | Event::PartialChange(header) => {
                // MID and source key are the same identifier in two forms.
                if let Some(mid) = header.mid {
                    if counter_of(&header.source_key) == Some(mid.counter) {
                        self.learn(mid.repl_id, header.source_key.namespace);
                    }
                    needed.push(mid.repl_id);
                }
                needed.extend(header.change_number.map(|cn| cn.repl_id));
            }
            Event::Deletions(all) => {
                for set in [&all.deleted, &all.no_longer_in_scope, &all.expired] {
                    needed.extend(set.iter().map(|(id, _)| id));
                }
            }
            Event::ReadStates(all) => {
                for set in [&all.read, &all.unread] {
                    needed.extend(set.iter().map(|(id, _)| id));
                }
            }
            _ => {}
        }
        needed.into_iter().find(|id| !self.replicas.contains_key(id))
    }

    /// Translates an event of a contents synchronization; warnings are for a person.
    pub(crate) fn contents(&mut self, event: Event, out: &mut Vec<Change>, warn: &mut dyn FnMut(String)) {
        if self.skipping && is_part(&event) {
            return;
        }
        match event {
            Event::ProgressTotal(total) => {
                out.push(Change::Total { messages: total.normal_count.into(), bytes: total.normal_size })
            }
            Event::ProgressMessage { size, .. } => self.size = size.into(),
            Event::MessageChange(header) => {
                let size = header.size.map_or(self.size, u64::from);
                self.size = 0;
                let ids = self.ids(
                    &header.source_key,
                    header.mid.map(|m| (m.repl_id, m.counter)),
                    &header.change_key,
                    header.change_number.map(|c| (c.repl_id, c.counter)),
                );
                self.skipping = ids.is_none();
                match ids {
                    Some((mid, cn)) => {
                        out.push(Change::Message(MessageHeader {
                            mid,
                            cn,
                            associated: header.associated,
                            size,
                        }));
                    }
                    None => out.push(Change::Failed {
                        mid: None,
                        reason: "the server gave it no identifier of its own".to_owned(),
                    }),
                }
            }
            Event::PartialChange(header) => {
                self.skipping = true;
                let ids = self.ids(
                    &header.source_key,
                    header.mid.map(|m| (m.repl_id, m.counter)),
                    &header.change_key,
                    header.change_number.map(|c| (c.repl_id, c.counter)),
                );
                if let Some((mid, cn)) = ids {
                    out.push(Change::Partial { mid, cn });
                }
            }
            Event::Property(prop) => out.push(Change::Prop(prop)),
            Event::LargeBegin { tag, name, .. } => out.push(Change::LargeBegin { tag, name }),
            Event::LargeChunk(bytes) => out.push(Change::LargeBytes(bytes)),
            Event::LargeEnd => out.push(Change::LargeEnd),
            Event::RecipientBegin => out.push(Change::RecipientBegin),
            Event::RecipientEnd => out.push(Change::RecipientEnd),
            Event::AttachmentBegin { number } => {
                out.push(Change::AttachmentBegin { number: number.unwrap_or(u32::MAX) });
            }
            Event::AttachmentEnd => out.push(Change::AttachmentEnd),
            Event::EmbeddedBegin => out.push(Change::EmbeddedBegin),
            Event::EmbeddedEnd => out.push(Change::EmbeddedEnd),
            Event::MessageEnd => out.push(Change::MessageEnd),
            Event::ObjectFailed(info) => {
                // The message that it was in will not end.
                self.skipping = true;
                let mid = info.message.as_ref().and_then(global);
                out.push(Change::Failed {
                    mid,
                    reason: format!("the server could not read it: {}", info.code),
                });
            }
            Event::Warning(code) => warn(format!("the server left something out: {code}")),
            Event::Deletions(all) => {
                let mut gone = self.set(&all.deleted);
                gone.extend(&self.set(&all.no_longer_in_scope));
                gone.extend(&self.set(&all.expired));
                out.push(Change::Deleted(gone));
            }
            Event::ReadStates(all) => {
                out.push(Change::Read(self.set(&all.read)));
                out.push(Change::Unread(self.set(&all.unread)));
            }
            Event::State(state, cuts) => {
                cuts.iter().for_each(|cut| warn(cut.to_string()));
                out.push(Change::State(*state));
            }
            // What is deleted from a message that comes whole was never there; folders and groups do not come.
            _ => {}
        }
    }

    /// Takes an event of a hierarchy synchronization below `root`.
    pub(crate) fn hierarchy(&mut self, event: Event, root: GlobalId, out: &mut HierarchyChanges) {
        match event {
            Event::FolderChange(change) => {
                let fid = global(&change.source_key)
                    .or_else(|| self.id(change.folder_id.map(|f| (f.repl_id, f.counter))));
                let Some(fid) = fid else { return };
                // Search folders (2) hold what other folders hold.
                if change.props.int(tags::FOLDER_TYPE) == Some(2) {
                    return;
                }
                let parent = match &change.parent_source_key {
                    None => root,
                    Some(key) => global(key).unwrap_or(root),
                };
                let text = |tag| change.props.text(tag).unwrap_or_default().to_owned();
                let messages = change.props.int(tags::CONTENT_COUNT).unwrap_or(0);
                out.changed.push(FolderChange {
                    fid,
                    parent,
                    name: change.name.clone(),
                    class: text(tags::CONTAINER_CLASS),
                    messages: u64::try_from(messages).unwrap_or(0),
                });
            }
            Event::Deletions(all) => {
                for set in [&all.deleted, &all.no_longer_in_scope, &all.expired] {
                    out.deleted.extend(&self.set(set));
                }
            }
            Event::State(state, _) => {
                out.state = State { given: state.given, seen: state.seen, ..State::default() }
            }
            _ => {}
        }
    }

    /// MID and CN: by the keys where they are counters of a replica, else by the identifiers of the logon.
    fn ids(
        &self,
        source_key: &Xid,
        mid: Option<(ReplId, GlobCnt)>,
        change_key: &Xid,
        cn: Option<(ReplId, GlobCnt)>,
    ) -> Option<(GlobalId, GlobalId)> {
        let mid = global(source_key).or_else(|| self.id(mid))?;
        let cn = self.id(cn).or_else(|| global(change_key))?;
        Some((mid, cn))
    }

    fn id(&self, id: Option<(ReplId, GlobCnt)>) -> Option<GlobalId> {
        let (repl_id, counter) = id?;
        Some(GlobalId::new(*self.replicas.get(&repl_id)?, counter))
    }

    fn set(&self, ids: &IdSet) -> GuidIdSet {
        let mut out = GuidIdSet::new();
        for (id, counters) in ids.iter() {
            if let Some(replica) = self.replicas.get(&id) {
                out.extend(&GuidIdSet::of(*replica, counters.clone()));
            }
        }
        out
    }
}

fn global(key: &Xid) -> Option<GlobalId> {
    Some(GlobalId::new(key.namespace, counter_of(key)?))
}

fn counter_of(key: &Xid) -> Option<GlobCnt> {
    key.counter()
}

/// Whether the event can only be a part of something that began before.
fn is_part(event: &Event) -> bool {
    matches!(
        event,
        Event::Property(_)
            | Event::LargeBegin { .. }
            | Event::LargeChunk(_)
            | Event::LargeEnd
            | Event::DeleteSubobjects(_)
            | Event::RecipientBegin
            | Event::RecipientEnd
            | Event::AttachmentBegin { .. }
            | Event::AttachmentEnd
            | Event::EmbeddedBegin
            | Event::EmbeddedEnd
            | Event::GroupBegin { .. }
            | Event::GroupEnd { .. }
            | Event::MessageEnd
    )
}
