//! Extended buffers — [MS-OXCRPC] 3.1.4.1.1, 3.1.4.2.1: payloads, each after an RPC_HEADER_EXT, several in a row.

use watertight_wire::{FixedSize, Reader, Wire, WireError, WireErrorKind, Writer, wire_flags, wire_struct};

use super::lz77;

/// What obfuscation combines each byte with by exclusive or — [MS-OXCRPC] 3.1.4.1.1.3.
pub const XOR_MAGIC: u8 = 0xA5;

/// The most payloads that one field may hold — [MS-OXCRPC] 3.1.4.2.1.2.2.
pub const MAX_PAYLOADS: usize = 96;

wire_flags! {
    /// Flags of an RPC_HEADER_EXT — [MS-OXCRPC] 2.2.2.1.
    pub struct ExtFlags: u16 {
        /// The payload is compressed; SizeActual is its size before.
        Compressed = 0x0001,
        /// The payload is obfuscated.
        XorMagic = 0x0002,
        /// No other RPC_HEADER_EXT follows.
        Last = 0x0004,
    }
}

wire_struct! {
    /// RPC_HEADER_EXT — [MS-OXCRPC] 2.2.2.1.
    #[derive(Copy, Eq)]
    pub struct RpcHeaderExt {
        /// Version: 0.
        version: u16,
        /// Flags.
        flags: ExtFlags,
        /// Size: bytes that follow.
        size: u16,
        /// SizeActual: bytes of the payload when it is not compressed.
        size_actual: u16,
    } = 8
}

/// One payload, plain, and how it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The flags of its header.
    pub flags: ExtFlags,
    /// The bytes, decompressed and in the clear.
    pub bytes: Vec<u8>,
}

/// What [`unwrap`] allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most payloads.
    pub payloads: usize,
    /// The most bytes of all payloads together, decompressed.
    pub bytes: usize,
}

impl Default for Limits {
    /// As many payloads as the document allows, each as long as the field can say.
    fn default() -> Self {
        Self { payloads: MAX_PAYLOADS, bytes: MAX_PAYLOADS.saturating_mul(usize::from(u16::MAX)) }
    }
}

/// How [`wrap`] writes a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wrap {
    /// Compress it if that makes it smaller.
    pub compress: bool,
    /// Obfuscate it (a payload that was compressed is not obfuscated too).
    pub xor: bool,
    /// No other payload follows.
    pub last: bool,
}

/// Takes a field of payloads apart: reverts the obfuscation, decompresses, follows the chain to the payload with
/// the Last flag, which must end the field.
///
/// # Errors
/// [`WireError`] for a header, size or compression that is wrong, for a missing Last flag, bytes after the last
/// payload, and more than the limits.
pub fn unwrap(field: &[u8], limits: Limits) -> Result<Vec<Payload>, WireError> {
    let mut r = Reader::new(field, "RPC_HEADER_EXT");
    let mut payloads = Vec::new();
    let mut total = 0_usize;
    loop {
        if payloads.len() >= limits.payloads {
            let kind =
                WireErrorKind::TooLarge { len: payloads.len().saturating_add(1), max: limits.payloads };
            return Err(r.error("(payloads)", kind));
        }
        let payload = read_one(&mut r, limits.bytes, &mut total)?;
        let last = payload.flags.contains(ExtFlags::Last);
        payloads.push(payload);
        if last {
            r.finish()?;
            return Ok(payloads);
        }
    }
}

fn read_one(r: &mut Reader<'_>, max: usize, total: &mut usize) -> Result<Payload, WireError> {
    let header = RpcHeaderExt::read(r)?;
    if header.version != 0 {
        return Err(r.invalid("Version", header.version));
    }
    let compressed = header.flags.contains(ExtFlags::Compressed);
    if !compressed && header.size != header.size_actual {
        return Err(r.invalid("SizeActual", header.size_actual));
    }
    *total = total.saturating_add(usize::from(header.size_actual));
    if *total > max {
        return Err(r.error("SizeActual", WireErrorKind::TooLarge { len: *total, max }));
    }
    let mut bytes = r.bytes(usize::from(header.size), "(payload)")?.to_vec();
    if header.flags.contains(ExtFlags::XorMagic) {
        obfuscate(&mut bytes);
    }
    if compressed {
        bytes = lz77::decompress(&bytes, usize::from(header.size_actual))?;
    }
    Ok(Payload { flags: header.flags, bytes })
}

/// Writes one payload after its header.
///
/// # Errors
/// [`WireErrorKind::TooLarge`] when the payload has more than 65,535 bytes.
pub fn wrap(payload: &[u8], how: Wrap) -> Result<Vec<u8>, WireError> {
    let mut field = Vec::with_capacity(payload.len().saturating_add(RpcHeaderExt::SIZE));
    wrap_into(&mut field, payload, how)?;
    Ok(field)
}

/// Appends one payload and its header to a field.
///
/// # Errors
/// [`WireErrorKind::TooLarge`] when the payload has more than 65,535 bytes.
pub fn wrap_into(field: &mut Vec<u8>, payload: &[u8], how: Wrap) -> Result<(), WireError> {
    let mut w = Writer::append_to(core::mem::take(field));
    let result = write_one(&mut w, payload, how);
    *field = w.into_bytes();
    result
}

/// Writes several payloads, the last one with the Last flag; `how.last` is ignored. No payload gives an empty field.
///
/// # Errors
/// [`WireErrorKind::TooLarge`] when a payload has more than 65,535 bytes.
pub fn wrap_all<'a>(payloads: impl IntoIterator<Item = &'a [u8]>, how: Wrap) -> Result<Vec<u8>, WireError> {
    let mut field = Vec::new();
    let mut payloads = payloads.into_iter().peekable();
    while let Some(payload) = payloads.next() {
        wrap_into(&mut field, payload, Wrap { last: payloads.peek().is_none(), ..how })?;
    }
    Ok(field)
}

fn write_one(w: &mut Writer, payload: &[u8], how: Wrap) -> Result<(), WireError> {
    let max = usize::from(u16::MAX);
    let size_actual = u16::try_from(payload.len())
        .map_err(|_| w.error("SizeActual", WireErrorKind::TooLarge { len: payload.len(), max }))?;
    let mut flags = if how.last { ExtFlags::Last } else { ExtFlags::default() };
    if how.compress
        && let Some(compressed) = lz77::compress(payload)
        && let Ok(size) = u16::try_from(compressed.len())
    {
        flags = flags | ExtFlags::Compressed;
        RpcHeaderExt { version: 0, flags, size, size_actual }.write(w)?;
        w.bytes(&compressed);
        return Ok(());
    }
    if how.xor {
        flags = flags | ExtFlags::XorMagic;
    }
    RpcHeaderExt { version: 0, flags, size: size_actual, size_actual }.write(w)?;
    if how.xor {
        let mut bytes = payload.to_vec();
        obfuscate(&mut bytes);
        w.bytes(&bytes);
    } else {
        w.bytes(payload);
    }
    Ok(())
}

fn obfuscate(bytes: &mut [u8]) {
    for byte in bytes {
        *byte ^= XOR_MAGIC;
    }
}

const _: () = assert!(<RpcHeaderExt as FixedSize>::SIZE == RpcHeaderExt::SIZE);

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate::survive;

    use super::*;

    #[test]
    fn every_way_of_writing_comes_back() {
        let text = b"compress me, compress me, compress me, compress me".repeat(4);
        for compress in [false, true] {
            for xor in [false, true] {
                let field = wrap(&text, Wrap { compress, xor, last: true }).unwrap();
                let payloads = unwrap(&field, Limits::default()).unwrap();
                assert_eq!(payloads.len(), 1);
                assert_eq!(payloads[0].bytes, text);
                assert_eq!(payloads[0].flags.contains(ExtFlags::Compressed), compress);
                assert_eq!(payloads[0].flags.contains(ExtFlags::XorMagic), xor && !compress);
                assert_eq!(field.len() < text.len(), compress);
            }
        }
    }

    #[test]
    fn chains_end_with_the_last_flag() {
        let field = wrap_all([&b"one"[..], b"two", b"three"], Wrap::default()).unwrap();
        let payloads = unwrap(&field, Limits::default()).unwrap();
        let texts: Vec<_> = payloads.iter().map(|p| p.bytes.as_slice()).collect();
        assert_eq!(texts, [&b"one"[..], b"two", b"three"]);
        let cut = unwrap(&field[..22], Limits::default()).unwrap_err();
        assert_eq!(cut.kind, WireErrorKind::Truncated { need: 2, have: 0 });
        let two = Limits { payloads: 2, ..Limits::default() };
        assert!(matches!(unwrap(&field, two).unwrap_err().kind, WireErrorKind::TooLarge { len: 3, max: 2 }));
        let ten = Limits { bytes: 10, ..Limits::default() };
        assert!(matches!(
            unwrap(&field, ten).unwrap_err().kind,
            WireErrorKind::TooLarge { len: 11, max: 10 }
        ));
        let mut trailing = field;
        trailing.push(0);
        assert_eq!(
            unwrap(&trailing, Limits::default()).unwrap_err().kind,
            WireErrorKind::Trailing { count: 1 }
        );
    }

    #[test]
    fn headers_that_lie_are_refused() {
        let size_differs = [0, 0, 4, 0, 1, 0, 2, 0, 7];
        assert_eq!(unwrap(&size_differs, Limits::default()).unwrap_err().field, "SizeActual");
        let version = [1, 0, 4, 0, 0, 0, 0, 0];
        assert_eq!(unwrap(&version, Limits::default()).unwrap_err().field, "Version");
        assert!(unwrap(&[], Limits::default()).is_err());
        assert!(wrap(&vec![0; 65_536], Wrap::default()).is_err());
        let sample =
            wrap_all([&b"aaaaaaaaaaaaaaaaaaaa"[..], b"tail"], Wrap { compress: true, ..Wrap::default() });
        survive(&sample.unwrap(), |bytes| drop(unwrap(bytes, Limits::default())));
    }
}
