use std::{collections::BTreeSet, sync::Arc};

use watertight_mapi::{
    prop::{PropData, tags},
    store::{
        FolderId, FolderKind, Happened, ItemKind, MessageHead, MessageId, MoveCopy, Outcome, Place,
        SaveMessage, StoreError, StoreResult,
    },
};
use watertight_wire::to_u64;

use super::state::{LargeBytes, State, Stored};
use crate::{clock::now, content};

impl State {
    /// Checks that messages may be put into a folder.
    fn check_target(&self, folder: FolderId) -> StoreResult<()> {
        let found = self.folders.get(&folder.0.value()).filter(|f| !f.deleted);
        match found.ok_or(StoreError::NotFound("folder"))?.kind {
            FolderKind::Search => Err(StoreError::Denied("a search folder holds no messages of its own")),
            FolderKind::Root | FolderKind::Generic => Ok(()),
        }
    }

    pub(super) fn save_messages(&mut self, messages: Vec<SaveMessage>) -> StoreResult<Vec<MessageHead>> {
        // Everything that can be refused is looked at first: then nothing of it is saved.
        let mut made = BTreeSet::new();
        for message in &messages {
            self.check_save(message, &mut made)?;
        }
        let heads = messages.into_iter().map(|m| self.save(m)).collect();
        self.touch();
        heads
    }

    fn check_save(&self, save: &SaveMessage, made: &mut BTreeSet<MessageId>) -> StoreResult<()> {
        self.check_target(save.folder)?;
        let mut owned = BTreeSet::new();
        match (save.id, save.expected) {
            (None, Some(_)) => {
                return Err(StoreError::Invalid("a new message has no last version".to_owned()));
            }
            (None, None) => {}
            (Some(id), None) => {
                if !self.was_given_out(id.0) {
                    return Err(StoreError::Invalid("the id of the message was not given out".to_owned()));
                }
                if self.messages.contains_key(&id.0.value()) || !made.insert(id) {
                    return Err(StoreError::Exists("a message of that id".to_owned()));
                }
            }
            (Some(id), Some(expected)) => {
                let old = self.messages.get(&id.0.value()).filter(|m| !m.head.deleted);
                let old = old.filter(|m| m.head.folder == save.folder && m.head.kind == save.kind);
                let old = old.ok_or(StoreError::NotFound("message"))?;
                if old.head.change_number != expected || !made.insert(id) {
                    return Err(StoreError::Conflict);
                }
                owned = large_ids(&old.content)?;
            }
        }
        let mut copy = save.content.clone();
        content::prepare(&mut copy, Vec::new())?;
        let mut names = self.names.clone();
        content::visit(&copy, &mut |prop| {
            match &prop.name {
                Some(name) if names.id(name).is_none() => {
                    names.add(name.as_ref().clone())?;
                }
                None if prop.tag.is_named() && names.name(prop.tag.id()).is_none() => {
                    return Err(crate::folder::unknown_name(prop.tag));
                }
                _ => {}
            }
            if let PropData::Large(large) = &prop.value {
                let value = self.large.get(&large.id);
                let usable = value.filter(|v| v.owners == 0 || owned.contains(&large.id));
                let value = usable.ok_or(StoreError::NotFound("large value"))?;
                if to_u64(value.bytes.len()) != large.len {
                    return Err(StoreError::Invalid("the large value has another length".to_owned()));
                }
            }
            Ok(())
        })
    }

    fn save(&mut self, save: SaveMessage) -> StoreResult<MessageHead> {
        let SaveMessage { folder, id, expected: _, kind, read, modified, mut content } = save;
        let id = match id {
            Some(id) => id,
            None => MessageId(self.next_id()?),
        };
        let old = self.messages.get(&id.0.value()).cloned();
        let search_key = old
            .as_ref()
            .and_then(|m| m.content.props.binary(tags::SEARCH_KEY))
            .map_or_else(|| content::search_key(self.repl_guid, id.0), <[u8]>::to_vec);
        content::prepare(&mut content, search_key)?;
        content::visit_mut(&mut content, &mut |prop| {
            self.resolve_name(prop)?;
            if let PropData::Inline(value) = &mut prop.value
                && let Some(bytes) = content::take_large(value)
            {
                let large =
                    watertight_mapi::prop::LargeValue { id: self.next_large(), len: to_u64(bytes.len()) };
                self.large.insert(large.id, LargeBytes { bytes, owners: 0, staged: None });
                prop.value = PropData::Large(large);
            }
            Ok(())
        })?;
        self.own(&content)?;
        if let Some(old) = &old {
            self.disown(&old.content)?;
        }
        let (change_number, change_key, predecessors) = self.next_change()?;
        let modified = modified.unwrap_or_else(now);
        let head = MessageHead {
            id,
            folder,
            kind,
            change_number,
            read_change_number: old.as_ref().and_then(|m| m.head.read_change_number),
            read,
            deleted: false,
            change_key,
            predecessors,
            created: old.as_ref().map_or(modified, |m| m.head.created),
            modified,
            delivered: content::delivered(&content),
            size: content::size(&content),
            has_attachments: !content.attachments.is_empty(),
        };
        self.insert(Stored { head: head.clone(), content: Arc::new(content) });
        let place = Place::message(folder, id);
        self.record(if old.is_some() { Happened::Modified(place) } else { Happened::Created(place) });
        Ok(head)
    }

    fn insert(&mut self, stored: Stored) {
        let (id, folder) = (stored.head.id.0.value(), stored.head.folder.0.value());
        self.by_folder.entry(folder).or_default().insert(id);
        self.messages.insert(id, stored);
    }

    /// Counts a message as an owner of its large values.
    fn own(&mut self, content: &watertight_mapi::store::MessageContent) -> StoreResult<()> {
        for id in large_ids(content)? {
            if let Some(large) = self.large.get_mut(&id) {
                large.owners = large.owners.saturating_add(1);
                large.staged = None;
            }
        }
        Ok(())
    }

    /// Forgets a message as an owner of its large values, and those that nobody owns any more.
    fn disown(&mut self, content: &watertight_mapi::store::MessageContent) -> StoreResult<()> {
        for id in large_ids(content)? {
            if let Some(large) = self.large.get_mut(&id) {
                large.owners = large.owners.saturating_sub(1);
                if large.owners == 0 {
                    self.large.remove(&id);
                }
            }
        }
        Ok(())
    }

    /// Takes a message out for good.
    pub(super) fn remove_message(&mut self, id: u64) -> Option<Stored> {
        let stored = self.messages.remove(&id)?;
        if let Some(ids) = self.by_folder.get_mut(&stored.head.folder.0.value()) {
            ids.remove(&id);
        }
        // What was saved is never too deep.
        self.disown(&stored.content).ok()?;
        Some(stored)
    }

    pub(super) fn delete_messages(
        &mut self,
        folder: FolderId,
        ids: &[MessageId],
        hard: bool,
    ) -> StoreResult<Outcome> {
        self.folders.get(&folder.0.value()).ok_or(StoreError::NotFound("folder"))?;
        let mut outcome = Outcome::Complete;
        for id in ids {
            let place = Place::message(folder, *id);
            let id = id.0.value();
            let found = self.messages.get_mut(&id);
            let seen = match found.filter(|m| m.head.folder == folder && (hard || !m.head.deleted)) {
                None => {
                    outcome = Outcome::Partial;
                    false
                }
                Some(stored) if !hard => {
                    stored.head.deleted = true;
                    true
                }
                Some(stored) => {
                    let seen = !stored.head.deleted;
                    self.remove_message(id);
                    seen
                }
            };
            if seen {
                self.record(Happened::Deleted(place));
            }
        }
        self.touch();
        Ok(outcome)
    }

    pub(super) fn move_copy(&mut self, job: &MoveCopy) -> StoreResult<Vec<Option<MessageHead>>> {
        self.folder_mut(job.from)?;
        self.check_target(job.to)?;
        let mut heads = Vec::with_capacity(job.ids.len());
        for id in &job.ids {
            let found = self.messages.get(&id.0.value());
            let Some(old) = found.filter(|m| m.head.folder == job.from && !m.head.deleted).cloned() else {
                heads.push(None);
                continue;
            };
            let (change_number, change_key, predecessors) = self.next_change()?;
            let head = MessageHead {
                id: MessageId(self.next_id()?),
                folder: job.to,
                change_number,
                read_change_number: None,
                change_key,
                predecessors,
                ..old.head
            };
            self.own(&old.content)?;
            if !job.copy {
                self.remove_message(id.0.value());
            }
            let (to, from) = (Place::message(job.to, head.id), Place::message(job.from, *id));
            self.insert(Stored { head: head.clone(), content: old.content });
            self.record(if job.copy { Happened::Copied { to, from } } else { Happened::Moved { to, from } });
            heads.push(Some(head));
        }
        self.touch();
        Ok(heads)
    }

    pub(super) fn set_read(&mut self, folder: FolderId, ids: &[MessageId], read: bool) -> StoreResult<u32> {
        self.folder_mut(folder)?;
        let ids: Vec<u64> = if ids.is_empty() {
            self.live(folder, ItemKind::Normal).map(|m| m.head.id.0.value()).collect()
        } else {
            ids.iter().map(|id| id.0.value()).collect()
        };
        let mut changed: u32 = 0;
        for id in ids {
            let (cn, ..) = match self.messages.get(&id).map(|m| &m.head) {
                Some(head)
                    if head.folder == folder
                        && head.kind == ItemKind::Normal
                        && !head.deleted
                        && head.read != read =>
                {
                    self.next_change()?
                }
                _ => continue,
            };
            if let Some(stored) = self.messages.get_mut(&id) {
                stored.head.read = read;
                stored.head.read_change_number = Some(cn);
                changed = changed.saturating_add(1);
                let place = Place::message(folder, stored.head.id);
                self.record(Happened::Modified(place));
            }
        }
        if changed > 0 {
            self.touch();
        }
        Ok(changed)
    }

    pub(super) fn set_status(
        &mut self,
        folder: FolderId,
        id: MessageId,
        status: u32,
        mask: u32,
    ) -> StoreResult<u32> {
        let found = self.messages.get_mut(&id.0.value());
        let stored = found.filter(|m| m.head.folder == folder && !m.head.deleted);
        let stored = stored.ok_or(StoreError::NotFound("message"))?;
        let old = stored.content.props.int(tags::MESSAGE_STATUS).unwrap_or(0).cast_unsigned();
        let new = (old & !mask) | (status & mask);
        if new != old {
            let content = Arc::make_mut(&mut stored.content);
            content.props.set(tags::MESSAGE_STATUS, new.cast_signed());
            stored.head.size = content::size(content);
            self.record(Happened::Modified(Place::message(folder, id)));
            self.touch();
        }
        Ok(old)
    }

    pub(super) fn create_large(&mut self) -> u64 {
        let id = self.next_large();
        let staged = Some(self.staged.enter());
        self.large.insert(id, LargeBytes { bytes: Vec::new(), owners: 0, staged });
        id
    }

    pub(super) fn staged_mut(&mut self, id: u64) -> StoreResult<&mut Vec<u8>> {
        let large = self.large.get_mut(&id).filter(|l| l.owners == 0);
        Ok(&mut large.ok_or(StoreError::NotFound("large value"))?.bytes)
    }
}

/// The numbers of the large values of a message.
fn large_ids(message: &watertight_mapi::store::MessageContent) -> StoreResult<BTreeSet<u64>> {
    let mut ids = BTreeSet::new();
    content::visit(message, &mut |prop| {
        if let PropData::Large(large) = &prop.value {
            ids.insert(large.id);
        }
        Ok(())
    })?;
    Ok(ids)
}
