//! PropertyName — [MS-OXCDATA] 2.6.1.

use watertight_wire::{Reader, Wire, WireError, WireErrorKind, Writer, wire_nested};

use crate::prop::{PropName, PropNameKind};

/// A PropertyName as RopGetNamesFromPropertyIds gives it: Kind 0xFF where there is no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaybePropName {
    /// A name.
    Named(PropName),
    /// 0xFF: the property has no name; the GUID is there all the same.
    Unnamed(watertight_wire::Guid),
}

impl MaybePropName {
    /// The name, where there is one.
    #[must_use]
    pub fn into_name(self) -> Option<PropName> {
        match self {
            Self::Named(name) => Some(name),
            Self::Unnamed(_) => None,
        }
    }
}

impl Wire for MaybePropName {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("PropertyName", |r| {
            let kind = r.u8("Kind")?;
            let guid = r.guid("GUID")?;
            let kind = match kind {
                0 => PropNameKind::Lid(r.u32("LID")?),
                1 => PropNameKind::Name(name(r)?),
                0xff => return Ok(Self::Unnamed(guid)),
                other => return Err(r.invalid("Kind", other)),
            };
            Ok(Self::Named(PropName { guid, kind }))
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        match self {
            Self::Unnamed(guid) => {
                w.u8(0xff);
                w.guid(*guid);
            }
            Self::Named(PropName { guid, kind: PropNameKind::Lid(lid) }) => {
                w.u8(0);
                w.guid(*guid);
                w.u32(*lid);
            }
            Self::Named(PropName { guid, kind: PropNameKind::Name(name) }) => {
                w.u8(1);
                w.guid(*guid);
                let units = name.encode_utf16().count().saturating_add(1);
                w.len8(units.saturating_mul(2), "NameSize")?;
                w.cstr16(name, "Name")?;
            }
        }
        Ok(())
    }
}

/// NameSize bytes of UTF-16, the terminator among them.
fn name(r: &mut Reader<'_>) -> Result<String, WireError> {
    let size = usize::from(r.u8("NameSize")?);
    let bytes = r.bytes(size, "Name")?;
    let Some(text) = bytes.strip_suffix(&[0, 0]) else {
        return Err(r.error("Name", WireErrorKind::BadString));
    };
    let text = Reader::decode_utf16le(text);
    if text.contains('\0') || size % 2 != 0 {
        return Err(r.error("Name", WireErrorKind::BadString));
    }
    Ok(text)
}

impl Wire for PropName {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        match MaybePropName::read(r)? {
            MaybePropName::Named(name) => Ok(name),
            MaybePropName::Unnamed(_) => Err(r.invalid("Kind", 0xff_u8)),
        }
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        MaybePropName::Named(self.clone()).write(w)
    }
}

wire_nested!(MaybePropName, PropName);

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate::survive;
    use watertight_wire::Guid;

    use super::*;

    #[test]
    fn names_survive() {
        for name in [
            MaybePropName::Named(PropName::lid(Guid::new(0x0006_2008, 0, 0, [0xc0; 8]), 0x8503)),
            MaybePropName::Named(PropName::string(Guid::NIL, "Keywords")),
            MaybePropName::Unnamed(Guid::NIL),
        ] {
            let bytes = name.to_bytes().unwrap();
            assert_eq!(MaybePropName::from_bytes(&bytes).unwrap(), name);
            survive(&bytes, |b| {
                let _ = MaybePropName::from_bytes(b);
            });
        }
    }
}
