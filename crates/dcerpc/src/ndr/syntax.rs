use watertight_wire::{Guid, WireError, WireErrorKind};

use super::{Codec, Extent, Natural, Ndr, NdrReader, NdrWriter};

/// The transfer syntax of stub data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Syntax {
    /// NDR 2.0 — C706 14.
    #[default]
    Ndr,
    /// NDR64 — [MS-RPCE] 2.2.5.
    Ndr64,
}

impl Syntax {
    /// Bytes of a referent id and of an array's counts.
    #[must_use]
    pub const fn pointer_size(self) -> usize {
        match self {
            Self::Ndr => 4,
            Self::Ndr64 => 8,
        }
    }

    /// The identifier by which it is negotiated: [MS-RPCE] 2.2.4.12 and 2.2.5.
    #[must_use]
    pub const fn id(self) -> SyntaxId {
        match self {
            Self::Ndr => SyntaxId::NDR,
            Self::Ndr64 => SyntaxId::NDR64,
        }
    }
}

/// p_syntax_id_t — C706 12.6.3.1: an interface or a transfer syntax, with its version, which is one 32-bit number on the
/// wire. What operations have as parameters is an [`IfId`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SyntaxId {
    /// if_uuid
    pub uuid: Guid,
    /// if_version, low half.
    pub major: u16,
    /// if_version, high half.
    pub minor: u16,
}

impl SyntaxId {
    /// NDR 2.0: 8a885d04-1ceb-11c9-9fe8-08002b104860 version 2.0.
    pub const NDR: Self = Self::new(
        Guid::new(0x8a88_5d04, 0x1ceb, 0x11c9, [0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60]),
        2,
        0,
    );
    /// NDR64: 71710533-beba-4937-8319-b5dbef9ccc36 version 1.0.
    pub const NDR64: Self = Self::new(
        Guid::new(0x7171_0533, 0xbeba, 0x4937, [0x83, 0x19, 0xb5, 0xdb, 0xef, 0x9c, 0xcc, 0x36]),
        1,
        0,
    );

    /// An identifier of its parts.
    #[must_use]
    pub const fn new(uuid: Guid, major: u16, minor: u16) -> Self {
        Self { uuid, major, minor }
    }

    /// The transfer syntax that it names, when it is one of ours.
    #[must_use]
    pub fn transfer_syntax(self) -> Option<Syntax> {
        [Syntax::Ndr, Syntax::Ndr64].into_iter().find(|syntax| syntax.id() == self)
    }
}

impl Codec<SyntaxId> for Natural {
    type Pending = SyntaxId;

    fn align(_: Syntax) -> usize {
        4
    }

    fn least(_: Syntax) -> usize {
        20
    }

    fn write(value: &SyntaxId, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        w.guid(value.uuid);
        w.u32(u32::from(value.minor) << 16 | u32::from(value.major));
        Ok(())
    }

    fn read(r: &mut NdrReader<'_>, _: Extent, _: u64) -> Result<SyntaxId, WireError> {
        let uuid = r.guid()?;
        let [a, b, c, d] = r.u32()?.to_le_bytes();
        Ok(SyntaxId::new(uuid, u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])))
    }

    fn read_referents(pending: SyntaxId, _: &mut NdrReader<'_>, _: Extent) -> Result<SyntaxId, WireError> {
        Ok(pending)
    }
}

/// rpc_if_id_t — C706 appendix N: an interface as a parameter of an operation, its version in two 16-bit numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Ndr)]
pub struct IfId {
    /// uuid
    pub uuid: Guid,
    /// vers_major
    pub major: u16,
    /// vers_minor
    pub minor: u16,
}

impl From<SyntaxId> for IfId {
    fn from(id: SyntaxId) -> Self {
        Self { uuid: id.uuid, major: id.major, minor: id.minor }
    }
}

impl From<IfId> for SyntaxId {
    fn from(id: IfId) -> Self {
        Self::new(id.uuid, id.major, id.minor)
    }
}

impl core::fmt::Display for SyntaxId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} v{}.{}", self.uuid, self.major, self.minor)
    }
}

impl core::fmt::Debug for SyntaxId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

/// In which order the bytes of a number stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// Least significant first; what we write.
    #[default]
    Little,
    /// Most significant first.
    Big,
}

/// NDR format label — C706 14.1: how the sender represents characters, integers and floating-point numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Drep(pub [u8; 4]);

impl Drep {
    /// Little-endian, ASCII, IEEE.
    pub const LITTLE: Self = Self([0x10, 0, 0, 0]);
    /// Big-endian, ASCII, IEEE.
    pub const BIG: Self = Self([0, 0, 0, 0]);

    /// The order of integers.
    ///
    /// # Errors
    /// When the integers are of no known order, the characters EBCDIC or the floating-point numbers not IEEE: C706
    /// names them, nobody sends them.
    pub fn order(self) -> Result<Order, WireError> {
        let [integers, floats, ..] = self.0;
        let invalid = |value: u8| {
            WireError::new("rpc_header", "packed_drep", 4, WireErrorKind::Invalid { value: value.into() })
        };
        if floats != 0 {
            return Err(invalid(floats));
        }
        match integers {
            0x10 => Ok(Order::Little),
            0x00 => Ok(Order::Big),
            other => Err(invalid(other)),
        }
    }
}

impl Default for Drep {
    fn default() -> Self {
        Self::LITTLE
    }
}
