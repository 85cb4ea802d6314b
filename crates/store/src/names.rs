use std::{collections::HashMap, sync::Arc};

use watertight_mapi::{
    PropId, PropName,
    prop::PropNameKind,
    store::{StoreError, StoreResult},
};

/// The named properties of a mailbox — [MS-OXCPRPT] 3.2.5.9: 0x8000 to 0xFFFE in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// The name of 0x8000 first.
    by_id: Vec<Arc<PropName>>,
    by_name: HashMap<Arc<PropName>, PropId>,
}

const FIRST: u16 = 0x8000;
const MOST: usize = 0x7FFF;

impl Names {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The identifier of a name.
    pub(crate) fn id(&self, name: &PropName) -> Option<PropId> {
        self.by_name.get(name).copied()
    }

    /// The name of an identifier.
    pub(crate) fn name(&self, id: PropId) -> Option<&Arc<PropName>> {
        self.by_id.get(usize::from(id.0.checked_sub(FIRST)?))
    }

    /// Gives a new name the next identifier.
    pub(crate) fn add(&mut self, name: PropName) -> StoreResult<PropId> {
        let next = u16::try_from(self.by_id.len()).ok().filter(|_| self.by_id.len() < MOST);
        let Some(next) = next else {
            return Err(StoreError::Full("the mailbox has all the named properties it can have".to_owned()));
        };
        if let PropNameKind::Name(text) = &name.kind
            && (text.is_empty() || text.encode_utf16().count() > 127)
        {
            return Err(StoreError::Invalid("the name of a property has 1 to 127 characters".to_owned()));
        }
        let id = PropId(FIRST.saturating_add(next));
        let name = Arc::new(name);
        self.by_id.push(Arc::clone(&name));
        self.by_name.insert(name, id);
        Ok(id)
    }

    /// All of them, ascending by identifier.
    pub(crate) fn all(&self) -> impl Iterator<Item = (PropId, &Arc<PropName>)> {
        (FIRST..).map(PropId).zip(&self.by_id)
    }
}
