//! Type serialization — [MS-RPCE] 2.2.6 (version 1) and 2.2.7 (version 2).

use watertight_wire::{WireError, WireErrorKind, to_u64, to_usize};

use super::{Codec, Drep, Extent, Natural, NdrReader, NdrWriter, Syntax, SyntaxId, get, put};

/// Which form a pickle has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PickleVersion {
    /// NDR 2.0 behind headers of eight bytes.
    One,
    /// NDR 2.0 or NDR64 behind headers that name the transfer syntax and the interface.
    Two(Syntax, SyntaxId),
}

const FILLER: u32 = 0xcccc_cccc;

/// One value as a pickle of version 1.
///
/// # Errors
/// When the value has no representation.
pub fn to_pickle<T>(value: &T) -> Result<Vec<u8>, WireError>
where
    Natural: Codec<T>,
{
    write_pickle(value, PickleVersion::One)
}

/// One value as a pickle.
///
/// # Errors
/// When the value has no representation.
pub fn write_pickle<T>(value: &T, version: PickleVersion) -> Result<Vec<u8>, WireError>
where
    Natural: Codec<T>,
{
    let (syntax, unit): (_, usize) = match version {
        PickleVersion::One => (Syntax::Ndr, 8),
        PickleVersion::Two(syntax, _) => (syntax, 16),
    };
    let mut body = NdrWriter::new(syntax);
    put::<Natural, T>(value, Extent::NONE, &mut body)?;
    body.align(unit);
    let body = body.into_bytes();

    let filler = [0; 12];
    let mut w = NdrWriter::new(Syntax::Ndr);
    let _ = w.enter("pickle");
    w.field("ObjectBufferLength");
    match version {
        PickleVersion::One => {
            w.bytes(&[1, 0x10]);
            w.u16(8);
            w.u32(FILLER);
        }
        PickleVersion::Two(syntax, interface) => {
            w.bytes(&[2, 0x10]);
            w.u16(0x40);
            for _ in 0..5 {
                w.u32(FILLER);
            }
            put::<Natural, SyntaxId>(&syntax.id(), Extent::NONE, &mut w)?;
            put::<Natural, SyntaxId>(&interface, Extent::NONE, &mut w)?;
        }
    }
    w.count(to_u64(body.len()))?;
    w.bytes(filler.get(..unit.saturating_sub(4)).unwrap_or_default());
    w.bytes(&body);
    Ok(w.into_bytes())
}

/// The value of a pickle of either version, which fills `bytes`.
///
/// # Errors
/// When a header or the representation is wrong, or bytes follow.
pub fn from_pickle<T>(bytes: &[u8]) -> Result<T, WireError>
where
    Natural: Codec<T>,
{
    let (value, _, used) = read_pickle(bytes)?;
    match bytes.len().saturating_sub(used) {
        0 => Ok(value),
        count => Err(WireError::new("pickle", "(end)", used, WireErrorKind::Trailing { count })),
    }
}

/// The value of the pickle at the start of `bytes`, its form, and how many bytes it takes.
///
/// # Errors
/// When a header or the representation is wrong.
pub fn read_pickle<T>(bytes: &[u8]) -> Result<(T, PickleVersion, usize), WireError>
where
    Natural: Codec<T>,
{
    let [_, endianness, ..] = bytes else {
        let kind = WireErrorKind::Truncated { need: 8, have: bytes.len() };
        return Err(WireError::new("pickle", "Version", 0, kind));
    };
    let order = Drep([*endianness, 0, 0, 0]).order()?;
    let mut r = NdrReader::new(bytes, Syntax::Ndr, order);
    let outer = r.enter("pickle");
    r.field("Version");
    let version = r.u8()?;
    r.field("Endianness");
    r.u8()?;
    r.field("CommonHeaderLength");
    let header = r.u16()?;
    let version = match (version, header) {
        (1, 8) => {
            r.u32()?;
            PickleVersion::One
        }
        (2, 0x40) => {
            r.bytes(20)?;
            r.field("TransferSyntax");
            let id: SyntaxId = get::<Natural, SyntaxId>(&mut r, Extent::NONE)?;
            let syntax = id.transfer_syntax().ok_or_else(|| r.invalid(id.major))?;
            r.field("InterfaceID");
            PickleVersion::Two(syntax, get::<Natural, SyntaxId>(&mut r, Extent::NONE)?)
        }
        _ => return Err(r.invalid(version)),
    };
    let (syntax, unit): (_, usize) = match version {
        PickleVersion::One => (Syntax::Ndr, 8),
        PickleVersion::Two(syntax, _) => (syntax, 16),
    };
    r.field("ObjectBufferLength");
    let len = to_usize(r.u32()?);
    r.field("Filler");
    r.bytes(unit.saturating_sub(4))?;
    let base = r.offset();
    let body = r.bytes(len)?;
    r.leave(outer);
    let mut inner = NdrReader::new(body, syntax, order).with_base(base);
    let value = get::<Natural, T>(&mut inner, Extent::NONE)?;
    Ok((value, version, r.offset()))
}
