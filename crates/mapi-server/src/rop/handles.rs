//! Server object handles of a session — [MS-OXCROPS] 1.3.1, 3.2.1.

use std::collections::HashMap;

use watertight_ledger::{Entry, Kind, Ledger};
use watertight_mapi::{MapiCode, rop::INVALID_HANDLE};

use super::{object::Object, stream::Stream};

/// The most objects that one session may hold open.
const MOST: usize = 2048;

/// The most objects of its kind that one session may hold open: those that hold much are fewer.
const fn most_of(object: &Object) -> usize {
    match object {
        Object::Message(_) | Object::Attachment(_) | Object::Stream(_) => 256,
        Object::Table(_) | Object::Subscription(_) => 128,
        Object::Download(_) => 64,
        Object::Logon | Object::Folder(_) => MOST,
    }
}

/// The objects that a client holds open, by handle. Dropping it lets go of all.
pub(super) struct Handles {
    slots: HashMap<u32, Slot>,
    next: u32,
    kind: Kind,
}

/// One open object.
pub(super) struct Slot {
    /// The client's number for the logon that it belongs to.
    pub(super) logon_id: u8,
    /// The object.
    pub(super) object: Object,
    _entry: Entry,
}

impl Handles {
    /// No object yet.
    pub(super) fn new(ledger: &Ledger) -> Self {
        Self { slots: HashMap::new(), next: 1, kind: ledger.kind("rop handles") }
    }

    /// Gives an object a handle.
    pub(super) fn open(&mut self, logon_id: u8, object: Object) -> Result<u32, MapiCode> {
        let kind = std::mem::discriminant(&object);
        let same = self.slots.values().filter(|slot| std::mem::discriminant(&slot.object) == kind).count();
        if self.slots.len() >= MOST || same >= most_of(&object) {
            return Err(MapiCode::MaxObjectsExceeded);
        }
        while self.next == INVALID_HANDLE || self.slots.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let handle = self.next;
        self.next = self.next.wrapping_add(1);
        match &object {
            Object::Subscription(registered) => registered.named(handle),
            Object::Table(table) => table.named(handle),
            _ => {}
        }
        self.slots.insert(handle, Slot { logon_id, object, _entry: self.kind.enter() });
        Ok(handle)
    }

    /// The object of a handle, in that logon.
    pub(super) fn get(&self, logon_id: u8, handle: u32) -> Result<&Object, MapiCode> {
        match self.slots.get(&handle) {
            Some(slot) if slot.logon_id == logon_id => Ok(&slot.object),
            _ => Err(MapiCode::NullObject),
        }
    }

    /// The object of a handle, in that logon, to be changed.
    pub(super) fn get_mut(&mut self, logon_id: u8, handle: u32) -> Result<&mut Object, MapiCode> {
        match self.slots.get_mut(&handle) {
            Some(slot) if slot.logon_id == logon_id => Ok(&mut slot.object),
            _ => Err(MapiCode::NullObject),
        }
    }

    /// The streams that are open in a logon.
    pub(super) fn streams_mut(&mut self, logon_id: u8) -> impl Iterator<Item = &mut Stream> {
        let slots = self.slots.values_mut().filter(move |slot| slot.logon_id == logon_id);
        slots.filter_map(|slot| match &mut slot.object {
            Object::Stream(stream) => Some(&mut **stream),
            _ => None,
        })
    }

    /// Lets go of an object.
    pub(super) fn release(&mut self, handle: u32) -> Option<Slot> {
        self.slots.remove(&handle)
    }

    /// Lets go of all objects of a logon but itself.
    pub(super) fn keep_logons_only(&mut self, logon_id: u8) {
        self.slots.retain(|_, slot| slot.logon_id != logon_id || matches!(slot.object, Object::Logon));
    }

    /// Lets go of all objects of a logon.
    pub(super) fn release_logon(&mut self, logon_id: u8) {
        self.slots.retain(|_, slot| slot.logon_id != logon_id);
    }
}
