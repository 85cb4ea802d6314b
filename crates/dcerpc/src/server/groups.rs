use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Association groups — C706 9.3.1: the connections of one client, which share context handles.
///
/// A pure table; clones share it. A group ends with its last association.
#[derive(Debug, Clone)]
pub struct Groups {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug)]
struct Table {
    members: BTreeMap<u32, usize>,
    next: u32,
}

impl Groups {
    /// No groups yet; the first one gets about that id, which should not be easy to guess.
    #[must_use]
    pub fn new(first: u32) -> Self {
        Self { table: Arc::new(Mutex::new(Table { members: BTreeMap::new(), next: first.max(1) })) }
    }

    /// Opens a group (`wanted` is zero) or joins one; none when there is no such group.
    #[must_use]
    pub fn join(&self, wanted: u32) -> Option<Membership> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let id = if wanted == 0 {
            while table.next == 0 || table.members.contains_key(&table.next) {
                table.next = table.next.wrapping_add(1);
            }
            let id = table.next;
            table.next = id.wrapping_add(1);
            table.members.insert(id, 1);
            id
        } else {
            let members = table.members.get_mut(&wanted)?;
            *members = members.saturating_add(1);
            wanted
        };
        Some(Membership { id, groups: self.clone() })
    }

    /// How many groups there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).members.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a group still has associations: context handles of others have run down.
    #[must_use]
    pub fn is_alive(&self, id: u32) -> bool {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).members.contains_key(&id)
    }
}

/// One association's place in its group; dropping it leaves.
#[derive(Debug)]
pub struct Membership {
    id: u32,
    groups: Groups,
}

impl Membership {
    /// assoc_group_id
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut table = self.groups.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(members) = table.members.get_mut(&self.id) {
            *members = members.saturating_sub(1);
            if *members == 0 {
                table.members.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_lives_as_long_as_a_member() {
        let groups = Groups::new(7);
        let first = groups.join(0).unwrap();
        let second = groups.join(first.id()).unwrap();
        assert!(groups.join(99).is_none());
        drop(first);
        assert!(groups.is_alive(second.id()));
        drop(second);
        assert!(groups.is_empty());
    }
}
