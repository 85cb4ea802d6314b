use watertight_mapi::{
    PropName, PropTag,
    prop::Prop,
    store::{
        DeleteFolder, Folder, FolderCounts, FolderId, FolderKind, Happened, ItemKind, NewFolder, Outcome,
        Place, StoreError, StoreResult,
    },
};

use super::state::State;
use crate::{clock::now, folder as rules, special, tree::name_key};

impl State {
    /// The folder of that name below the parent.
    fn child_named(&self, parent: FolderId, name: &str) -> Option<FolderId> {
        let key = name_key(name);
        let same = |f: &&Folder| f.parent == Some(parent) && !f.deleted && name_key(&f.name) == key;
        self.folders.values().find(same).map(|f| f.id)
    }

    pub(super) fn create_folder(&mut self, new: NewFolder) -> StoreResult<(Folder, bool)> {
        let NewFolder { parent, name, kind, mut props, open_existing } = new;
        rules::check_name(&name)?;
        if kind == FolderKind::Root {
            return Err(StoreError::Invalid("a mailbox has one root folder".to_owned()));
        }
        self.folder_mut(parent)?;
        if let Some(id) = self.child_named(parent, &name) {
            return if open_existing {
                Ok((self.folder(id, false)?, true))
            } else {
                Err(StoreError::Exists(name))
            };
        }
        rules::prepare(&mut props)?;
        for prop in &mut props.0 {
            self.resolve_name(prop)?;
        }
        let id = FolderId(self.next_id()?);
        let (change_number, change_key, predecessors) = self.next_change()?;
        let now = now();
        self.folders.insert(
            id.0.value(),
            Folder {
                id,
                parent: Some(parent),
                kind,
                name,
                change_number,
                change_key,
                predecessors,
                created: now,
                modified: now,
                deleted: false,
                counts: FolderCounts::default(),
                subfolders: 0,
                props,
            },
        );
        self.record(Happened::Created(Place::folder(id, Some(parent))));
        self.touch();
        Ok((self.folder(id, false)?, false))
    }

    pub(super) fn change_folder(
        &mut self,
        id: FolderId,
        set: Vec<Prop>,
        remove: &[PropTag],
    ) -> StoreResult<Folder> {
        let (name, parent, mut props) = {
            let folder = self.folder_mut(id)?;
            (folder.name.clone(), folder.parent, folder.props.clone())
        };
        let (new_name, set) = rules::split_name(set)?;
        if let (Some(new_name), Some(parent)) = (&new_name, parent)
            && self.child_named(parent, new_name).is_some_and(|other| other != id)
        {
            return Err(StoreError::Exists(new_name.clone()));
        }
        props.0.retain(|p| !remove.iter().any(|tag| tag.id() == p.tag.id()));
        for mut prop in set {
            self.resolve_name(&mut prop)?;
            props.put(prop);
        }
        rules::prepare(&mut props)?;
        let change = self.next_change()?;
        let folder = self.folder_mut(id)?;
        folder.name = new_name.unwrap_or(name);
        folder.props = props;
        (folder.change_number, folder.change_key, folder.predecessors) = change;
        folder.modified = now();
        self.record(Happened::Modified(Place::folder(id, None)));
        self.touch();
        self.folder(id, false)
    }

    pub(super) fn move_folder(
        &mut self,
        id: FolderId,
        parent: FolderId,
        name: Option<String>,
    ) -> StoreResult<Folder> {
        let old_name = self.folder_mut(id)?.name.clone();
        self.folder_mut(parent)?;
        if special::is_standard(id) {
            return Err(StoreError::Denied("a standard folder cannot be moved"));
        }
        if id == parent || self.tree().below(id.0.value(), |_| true).contains(&parent.0.value()) {
            return Err(StoreError::Cycle);
        }
        let name = name.unwrap_or(old_name);
        rules::check_name(&name)?;
        if self.child_named(parent, &name).is_some_and(|other| other != id) {
            return Err(StoreError::Exists(name));
        }
        let change = self.next_change()?;
        let folder = self.folder_mut(id)?;
        folder.name = name;
        let from = Place::folder(id, folder.parent.replace(parent));
        (folder.change_number, folder.change_key, folder.predecessors) = change;
        folder.modified = now();
        self.record(Happened::Moved { to: Place::folder(id, Some(parent)), from });
        self.touch();
        self.folder(id, false)
    }

    pub(super) fn delete_folder(&mut self, id: FolderId, how: DeleteFolder) -> StoreResult<Outcome> {
        let there = self.folders.get(&id.0.value()).filter(|f| how.hard || !f.deleted);
        let there = there.ok_or(StoreError::NotFound("folder"))?;
        let seen = (!there.deleted).then(|| Place::folder(id, there.parent));
        if special::is_standard(id) {
            return Err(StoreError::Denied("a standard folder cannot be deleted"));
        }
        let tree = self.tree();
        let live_below = tree.below(id.0.value(), |n| !n.deleted);
        let mut all = tree.below(id.0.value(), |_| true);
        all.push(id.0.value());
        let counter = |id: u64| special::counter(id).map(FolderId);
        let mut has_messages = false;
        for at in live_below.iter().copied().chain([id.0.value()]) {
            has_messages |= self.live(counter(at)?, ItemKind::Normal).next().is_some();
        }
        if (!live_below.is_empty() && !how.folders) || (has_messages && !how.messages) {
            return Ok(Outcome::Partial);
        }
        for at in all {
            let ids: Vec<u64> = self.by_folder.get(&at).into_iter().flatten().copied().collect();
            if how.hard {
                for id in ids {
                    self.remove_message(id);
                }
                self.by_folder.remove(&at);
                self.folders.remove(&at);
            } else {
                for id in ids {
                    if let Some(stored) = self.messages.get_mut(&id) {
                        stored.head.deleted = true;
                    }
                }
                if let Some(folder) = self.folders.get_mut(&at) {
                    folder.deleted = true;
                }
            }
        }
        if let Some(place) = seen {
            self.record(Happened::Deleted(place));
        }
        self.touch();
        Ok(Outcome::Complete)
    }

    /// Gives a property the identifier of its name in this mailbox, or the name of its identifier.
    pub(super) fn resolve_name(&mut self, prop: &mut Prop) -> StoreResult<()> {
        match &prop.name {
            Some(name) => {
                let id = match self.names.id(name) {
                    Some(id) => id,
                    None => self.names.add(PropName::clone(name))?,
                };
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
}
