//! Server objects.

use std::fmt;

use watertight_ledger::Kind;

use crate::actor::{Command, Link};

/// A handle of a server object — [MS-OXCROPS] 2.2.1. Dropping it releases the object (RopRelease goes with the next
/// request; Disconnect releases all). The ledger counts it until then, or until the session ends.
pub struct ServerHandle {
    handle: u32,
    link: Link,
}

impl ServerHandle {
    pub(crate) const fn new(handle: u32, link: Link) -> Self {
        Self { handle, link }
    }

    /// The ledger counts it as one of a kind too, for as long as the handle.
    pub(crate) fn counted(self, kind: &Kind) -> Self {
        // A session that has ended counts nothing.
        let _ = self.link.send(Command::Kind { handle: self.handle, entry: kind.enter() });
        self
    }

    /// The number, for a handle table.
    #[must_use]
    pub const fn raw(&self) -> u32 {
        self.handle
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        // A session that has ended released it.
        let _ = self.link.send(Command::Release { handle: self.handle });
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerHandle({})", self.handle)
    }
}
