use core::{fmt, str::FromStr};

use crate::{Reader, Wire, WireError, Writer};

/// GUID — [MS-DTYP] 2.3.4. Kept as its sixteen bytes on the wire (first three parts little-endian).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid([u8; 16]);

impl Guid {
    /// The null GUID.
    pub const NIL: Self = Self([0; 16]);

    /// From the bytes on the wire.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// From the four parts as they are written in text: `{d1-d2-d3-d4[0..2]-d4[2..8]}`.
    #[must_use]
    pub const fn new(d1: u32, d2: u16, d3: u16, d4: [u8; 8]) -> Self {
        let (a, b, c, d) = (d1.to_le_bytes(), d2.to_le_bytes(), d3.to_le_bytes(), d4);
        Self([a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]])
    }

    /// The bytes on the wire.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// A version 4 GUID from sixteen random bytes.
    #[must_use]
    pub const fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[7] = (bytes[7] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..] = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-",
            u32::from_le_bytes([a0, a1, a2, a3]),
            u16::from_le_bytes([b0, b1]),
            u16::from_le_bytes([c0, c1])
        )?;
        for (i, byte) in rest.iter().enumerate() {
            if i == 2 {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

/// The text is not `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` (braces allowed).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID: expected xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")]
pub struct ParseGuidError;

impl FromStr for Guid {
    type Err = ParseGuidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
        let parts: Vec<&str> = text.split('-').collect();
        let [a, b, c, d, e] = parts.as_slice() else { return Err(ParseGuidError) };
        if [a.len(), b.len(), c.len(), d.len(), e.len()] != [8, 4, 4, 4, 12]
            || !text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
        {
            return Err(ParseGuidError);
        }
        let d1 = u32::from_str_radix(a, 16).map_err(|_| ParseGuidError)?;
        let d2 = u16::from_str_radix(b, 16).map_err(|_| ParseGuidError)?;
        let d3 = u16::from_str_radix(c, 16).map_err(|_| ParseGuidError)?;
        let d4 = u64::from_str_radix(&format!("{d}{e}"), 16).map_err(|_| ParseGuidError)?;
        Ok(Self::new(d1, d2, d3, d4.to_be_bytes()))
    }
}

impl Wire for Guid {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.guid("guid")
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.guid(*self);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_agree() {
        // PS_PUBLIC_STRINGS, [MS-OXPROPS] 1.3.2.
        let guid: Guid = "{00020329-0000-0000-C000-000000000046}".parse().unwrap();
        assert_eq!(guid.to_bytes(), [0x29, 3, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46]);
        assert_eq!(guid.to_string(), "00020329-0000-0000-c000-000000000046");
        assert_eq!(guid, Guid::new(0x0002_0329, 0, 0, [0xc0, 0, 0, 0, 0, 0, 0, 0x46]));
        assert!("00020329-0000-0000-C000-00000000004".parse::<Guid>().is_err());
        assert!("+0020329-0000-0000-C000-000000000046".parse::<Guid>().is_err());
    }
}
