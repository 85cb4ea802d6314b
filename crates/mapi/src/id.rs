//! Identifiers of objects on the wire — [MS-OXCDATA] 2.2.1, [MS-OXCFXICS] 2.2.1.

use core::fmt;

use watertight_wire::{Guid, Reader, WireError, WireField, Writer, wire_newtype};

/// GLOBCNT — [MS-OXCFXICS] 2.2.2.5: a 48-bit counter, six bytes with the most significant first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GlobCnt(u64);

impl GlobCnt {
    /// The greatest counter, 2^48 − 1.
    pub const MAX: Self = Self((1 << 48) - 1);

    /// The counter, when it fits 48 bits.
    #[must_use]
    pub const fn new(value: u64) -> Option<Self> {
        if value <= Self::MAX.0 { Some(Self(value)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The six bytes, most significant first.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 6] {
        let [_, _, a, b, c, d, e, f] = self.0.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// From six bytes, most significant first.
    #[must_use]
    pub const fn from_bytes([a, b, c, d, e, f]: [u8; 6]) -> Self {
        Self(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }
}

impl fmt::Debug for GlobCnt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// REPLID — [MS-OXCFXICS] 2.2.1.1 (through [MS-OXCDATA] 2.2.1): the two-byte stand-in for a REPLGUID, valid in one logon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ReplId(pub u16);
wire_newtype!(ReplId, u16);

macro_rules! wire_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name {
            /// Which replica allocated the counter, as this logon numbers replicas.
            pub repl_id: ReplId,
            /// The counter.
            pub counter: GlobCnt,
        }

        impl $name {
            /// From its two parts.
            #[must_use]
            pub const fn new(repl_id: ReplId, counter: GlobCnt) -> Self {
                Self { repl_id, counter }
            }

            /// As the 64-bit number that properties of type PtypInteger64 hold.
            #[must_use]
            pub fn to_u64(self) -> u64 {
                let [a, b] = self.repl_id.0.to_le_bytes();
                let [c, d, e, f, g, h] = self.counter.to_bytes();
                u64::from_le_bytes([a, b, c, d, e, f, g, h])
            }

            /// From the 64-bit number that properties of type PtypInteger64 hold.
            #[must_use]
            pub fn from_u64(value: u64) -> Self {
                let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
                Self {
                    repl_id: ReplId(u16::from_le_bytes([a, b])),
                    counter: GlobCnt::from_bytes([c, d, e, f, g, h]),
                }
            }

            /// Whether it is the null identifier.
            #[must_use]
            pub fn is_null(self) -> bool {
                self == Self::default()
            }
        }

        impl WireField for $name {
            fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
                Ok(Self::from_u64(r.u64(field)?))
            }
            fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
                w.u64(self.to_u64());
                Ok(())
            }
        }

        impl watertight_wire::FixedSize for $name {
            const SIZE: usize = 8;
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:x}-{:x})", stringify!($name), self.repl_id.0, self.counter.value())
            }
        }
    };
}

wire_id! {
    /// Folder ID — [MS-OXCDATA] 2.2.1.1.
    Fid
}
wire_id! {
    /// Message ID — [MS-OXCDATA] 2.2.1.2.
    Mid
}
wire_id! {
    /// CN — [MS-OXCFXICS] 2.2.2.1: identifies a version of an object.
    Cn
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_byte_order() {
        // Of the capture `grommunio-3.10`: the Inbox of the private store is REPLID 1, counter 0xd.
        let fid = Fid::new(ReplId(1), GlobCnt::new(0xd).unwrap());
        assert_eq!(fid.to_u64().to_le_bytes(), [1, 0, 0, 0, 0, 0, 0, 0xd]);
        assert_eq!(Fid::from_u64(fid.to_u64()), fid);
        assert_eq!(GlobCnt::new(1 << 48), None);
    }
}
