use std::fmt;

use watertight_mapi::GlobCnt;
use watertight_wire::Guid;

/// An identifier that means the same in every logon: a counter of a replica (MID, FID or CN in REPLGUID form).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobalId {
    /// REPLGUID.
    pub replica: Guid,
    /// GLOBCNT.
    pub counter: GlobCnt,
}

impl GlobalId {
    /// From its parts.
    #[must_use]
    pub const fn new(replica: Guid, counter: GlobCnt) -> Self {
        Self { replica, counter }
    }

    /// From the 22 bytes of a GID (PidTagSourceKey) — [MS-OXCDATA] 2.2.1.3.
    #[must_use]
    pub fn from_gid(gid: &[u8]) -> Option<Self> {
        let (guid, counter) = gid.split_first_chunk::<16>()?;
        Some(Self::new(Guid::from_bytes(*guid), GlobCnt::from_bytes(counter.try_into().ok()?)))
    }
}

impl fmt::Display for GlobalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}", self.replica, self.counter.value())
    }
}

impl fmt::Debug for GlobalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
