//! Server objects.

use std::fmt;

use watertight_ledger::Entry;

use crate::actor::{Command, Link};

/// A handle of a server object — [MS-OXCROPS] 2.2.1. Dropping it releases the object (RopRelease goes with the next
/// request; Disconnect releases all).
pub struct ServerHandle {
    handle: u32,
    link: Link,
    entry: Option<Entry>,
}

impl ServerHandle {
    pub(crate) const fn new(handle: u32, link: Link, entry: Entry) -> Self {
        Self { handle, link, entry: Some(entry) }
    }

    /// The number, for a handle table.
    #[must_use]
    pub const fn raw(&self) -> u32 {
        self.handle
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            // A session that has ended released it.
            let _ = self.link.send(Command::Release { handle: self.handle, entry });
        }
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerHandle({})", self.handle)
    }
}
