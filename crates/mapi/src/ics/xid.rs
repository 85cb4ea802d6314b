//! Change keys and predecessor change lists — [MS-OXCFXICS] 2.2.2.2 XID, 2.2.2.3 PredecessorChangeList.

use watertight_wire::Guid;

use crate::GlobCnt;

/// XID — [MS-OXCFXICS] 2.2.2.2: a namespace and an identifier in it; also the form of change keys and source keys (GID).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xid {
    /// NamespaceGuid.
    pub namespace: Guid,
    /// LocalId: 1 to 239 bytes.
    pub local_id: Vec<u8>,
}

impl Xid {
    /// The XID of a counter of a replica: six bytes of local id.
    #[must_use]
    pub fn from_counter(namespace: Guid, counter: GlobCnt) -> Self {
        Self { namespace, local_id: counter.to_bytes().to_vec() }
    }

    /// The counter, when the local id has six bytes.
    #[must_use]
    pub fn counter(&self) -> Option<GlobCnt> {
        Some(GlobCnt::from_bytes(<[u8; 6]>::try_from(self.local_id.as_slice()).ok()?))
    }

    /// The bytes: sixteen of the namespace, then the local id.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.namespace.to_bytes().to_vec();
        bytes.extend_from_slice(&self.local_id);
        bytes
    }
}

/// PredecessorChangeList — [MS-OXCFXICS] 2.2.2.3: the newest change of each replica that went into a version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PredecessorChangeList {
    /// INVARIANT: ascending by namespace (as its sixteen bytes), one entry for each.
    pub(super) entries: Vec<Xid>,
}

impl PredecessorChangeList {
    /// The entries, ascending by namespace.
    #[must_use]
    pub fn entries(&self) -> &[Xid] {
        &self.entries
    }
}
