//! Change keys and predecessor change lists — [MS-OXCFXICS] 2.2.2.2 XID, 2.2.2.3 PredecessorChangeList.

mod pcl;

pub use pcl::PredecessorChangeList;
use watertight_wire::{Guid, Reader, WireError, WireErrorKind};

use crate::{GlobCnt, GlobalId};

/// XID — [MS-OXCFXICS] 2.2.2.2: a namespace and an identifier in it; also the form of change keys and source keys (GID).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xid {
    /// NamespaceGuid.
    pub namespace: Guid,
    /// LocalId: 1 to 8 bytes by the document; up to 239 are read, which is all that a SizedXid can carry.
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

    /// The identifier, when the local id has six bytes.
    #[must_use]
    pub fn global(&self) -> Option<GlobalId> {
        Some(GlobalId::new(self.namespace, self.counter()?))
    }

    /// The bytes: sixteen of the namespace, then the local id.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.namespace.to_bytes().to_vec();
        bytes.extend_from_slice(&self.local_id);
        bytes
    }

    /// Reads an XID that fills `bytes` (the value of PidTagChangeKey, PidTagSourceKey or PidTagParentSourceKey).
    ///
    /// # Errors
    /// Fewer than 17 or more than 255 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes, "XID");
        let namespace = r.guid("NamespaceGuid")?;
        let local_id = r.take_rest();
        match local_id.len() {
            0 => Err(r.error("LocalId", WireErrorKind::Truncated { need: 1, have: 0 })),
            1..=239 => Ok(Self { namespace, local_id: local_id.to_vec() }),
            len => Err(r.error("LocalId", WireErrorKind::TooLarge { len, max: 239 })),
        }
    }
}
