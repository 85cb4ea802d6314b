//! Objects that are opened when they are needed, and of which only so many stay open.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// How many folders and messages of one session stay open on the server because something was asked of them. What
/// was opened longest ago is released first, and opened again when it is needed again.
const MOST: usize = 32;

/// A place for an object that may be open.
pub(crate) struct Slot<T>(Mutex<Option<Arc<T>>>);

/// What can be emptied.
pub(crate) trait Empty: Send + Sync {
    fn empty(&self);
}

impl<T: Send + Sync> Empty for Slot<T> {
    fn empty(&self) {
        // Dropped outside the lock.
        let _object = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl<T: Send + Sync + 'static> Slot<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(None)))
    }

    /// The object, where it is open.
    pub(crate) fn get(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps an object that was opened.
    pub(crate) fn fill(self: &Arc<Self>, slots: &Slots, object: T) -> Arc<T> {
        let object = Arc::new(object);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&object));
        let slot: Weak<Self> = Arc::downgrade(self);
        slots.add(slot);
        object
    }
}

/// The slots of a session that were filled last.
#[derive(Default)]
pub(crate) struct Slots(Mutex<VecDeque<Weak<dyn Empty>>>);

impl Slots {
    fn add(&self, slot: Weak<dyn Empty>) {
        let mut emptied = Vec::new();
        {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            slots.retain(|slot| slot.strong_count() > 0);
            slots.push_back(slot);
            while slots.len() > MOST {
                emptied.extend(slots.pop_front());
            }
        }
        for slot in emptied {
            if let Some(slot) = slot.upgrade() {
                slot.empty();
            }
        }
    }

    /// Empties all.
    pub(crate) fn empty(&self) {
        let slots = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for slot in slots.iter().filter_map(Weak::upgrade) {
            slot.empty();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_stay_open() {
        let slots = Slots::default();
        let all: Vec<_> = (0..100).map(|_| Slot::new()).collect();
        for (n, slot) in all.iter().enumerate() {
            assert_eq!(*slot.fill(&slots, n), n);
        }
        let open: Vec<usize> = all.iter().filter_map(|slot| slot.get()).map(|n| *n).collect();
        assert_eq!(open, (100 - MOST..100).collect::<Vec<_>>());
        slots.empty();
        assert!(all.iter().all(|slot| slot.get().is_none()));
    }

    #[test]
    fn slots_that_are_gone_make_room_first() {
        let slots = Slots::default();
        let kept = Slot::new();
        kept.fill(&slots, 0);
        for n in 0..10_000 {
            Slot::new().fill(&slots, n);
        }
        assert_eq!(kept.get().as_deref(), Some(&0));
        assert!(slots.0.lock().unwrap().len() <= 2);
    }
}
