use std::collections::VecDeque;

use watertight_wire::{WireError, WireErrorKind, to_usize};

use super::{Marker, PropDef, RawValue, Token, value::write_fixed};
use crate::{
    PropTag, PropValue,
    prop::{Prop, PropData, PropName, PropNameKind},
};

/// Writes a FastTransfer stream and hands it out in buffers.
///
/// A stream may be split between two atoms and inside a variable value, nowhere else ([MS-OXCFXICS] 2.2.4.1);
/// [`Writer::take`] keeps to that.
#[derive(Debug, Default)]
pub struct Writer {
    out: VecDeque<u8>,
    /// The atoms and variable values in `out`: length, and whether it may be split.
    parts: VecDeque<(usize, bool)>,
    /// Bytes of the large value that are still owed.
    owed: u32,
}

impl Writer {
    /// A writer of an empty stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes wait to be taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing waits to be taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Appends a marker.
    pub fn marker(&mut self, marker: Marker) {
        self.atom(&marker.tag().0.to_le_bytes());
    }

    /// Appends a property without a name.
    ///
    /// # Errors
    /// A value of 4 GiB or more.
    pub fn prop(&mut self, tag: PropTag, value: &PropValue) -> Result<(), WireError> {
        self.value(&PropDef::new(tag), &RawValue::from_value(value))
    }

    /// Appends a property that is in memory, under its name where it has one. Nothing for PtypNull and for a
    /// [`PropData::Large`], whose bytes the caller must fetch.
    ///
    /// # Errors
    /// A value of 4 GiB or more.
    pub fn whole(&mut self, prop: &Prop) -> Result<(), WireError> {
        match &prop.value {
            PropData::Inline(PropValue::Null) | PropData::Large(_) => Ok(()),
            PropData::Inline(value) => {
                self.value(&PropDef { tag: prop.tag, name: prop.name.clone() }, &RawValue::from_value(value))
            }
        }
    }

    /// Appends a property.
    ///
    /// # Errors
    /// A value of 4 GiB or more.
    pub fn value(&mut self, def: &PropDef, value: &RawValue) -> Result<(), WireError> {
        self.def(def);
        match value {
            RawValue::Fixed(value) => self.fixed(value),
            RawValue::Bytes(bytes) => self.var(bytes)?,
            RawValue::Many(values) => {
                self.length(values.len())?;
                for value in values {
                    match value {
                        RawValue::Fixed(value) => self.fixed(value),
                        RawValue::Bytes(bytes) => self.var(bytes)?,
                        RawValue::Many(_) => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// Starts a property whose value comes in pieces: exactly `len` bytes, by [`Writer::large_chunk`].
    pub fn large_begin(&mut self, def: &PropDef, len: u32) {
        self.def(def);
        self.atom(&len.to_le_bytes());
        self.owed = len;
    }

    /// Appends bytes of the value that was started; what is more than was announced is left out.
    pub fn large_chunk(&mut self, bytes: &[u8]) {
        let len = bytes.len().min(to_usize(self.owed));
        self.owed = self.owed.saturating_sub(u32::try_from(len).unwrap_or(self.owed));
        self.splittable(bytes.get(..len).unwrap_or_default());
    }

    /// How many bytes of the value that was started are still to come.
    #[must_use]
    pub const fn owed(&self) -> u32 {
        self.owed
    }

    /// Appends a token.
    ///
    /// # Errors
    /// A value of 4 GiB or more.
    pub fn token(&mut self, token: &Token) -> Result<(), WireError> {
        match token {
            Token::Marker(marker) => self.marker(*marker),
            Token::Prop(def, value) => self.value(def, value)?,
            Token::LargeBegin(def, len) => self.large_begin(def, *len),
            Token::LargeChunk(bytes) => self.large_chunk(bytes),
            Token::LargeEnd => {}
        }
        Ok(())
    }

    /// Takes bytes from the front: as many as fit `max` and end where the stream may be split. None when the next
    /// atom is longer than `max`.
    pub fn take(&mut self, max: usize) -> Vec<u8> {
        let mut len = 0_usize;
        while let Some((part, may_split)) = self.parts.front_mut() {
            let room = max.saturating_sub(len);
            if *part <= room {
                len = len.saturating_add(*part);
                self.parts.pop_front();
            } else {
                if *may_split && room > 0 {
                    len = len.saturating_add(room);
                    *part = part.saturating_sub(room);
                }
                break;
            }
        }
        let rest = self.out.split_off(len.min(self.out.len()));
        Vec::from(core::mem::replace(&mut self.out, rest))
    }

    fn def(&mut self, def: &PropDef) {
        let mut w = watertight_wire::Writer::with_capacity(32);
        w.u32(def.tag.0);
        if let Some(PropName { guid, kind }) = def.name.as_deref() {
            w.guid(*guid);
            match kind {
                PropNameKind::Lid(lid) => {
                    w.u8(0);
                    w.u32(*lid);
                }
                PropNameKind::Name(name) => {
                    w.u8(1);
                    w.utf16(name);
                    w.u16(0);
                }
            }
        }
        self.atom(w.as_slice());
    }

    fn fixed(&mut self, value: &PropValue) {
        let mut w = watertight_wire::Writer::with_capacity(16);
        write_fixed(value, &mut w);
        self.atom(w.as_slice());
    }

    fn var(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.length(bytes.len())?;
        self.splittable(bytes);
        Ok(())
    }

    fn length(&mut self, len: usize) -> Result<(), WireError> {
        let wire = u32::try_from(len).map_err(|_| {
            WireError::new(
                "stream",
                "length",
                self.out.len(),
                WireErrorKind::TooLarge { len, max: to_usize(u32::MAX) },
            )
        })?;
        self.atom(&wire.to_le_bytes());
        Ok(())
    }

    fn atom(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
        self.parts.push_back((bytes.len(), false));
    }

    fn splittable(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.out.extend(bytes);
        match self.parts.back_mut() {
            Some((len, true)) => *len = len.saturating_add(bytes.len()),
            _ => self.parts.push_back((bytes.len(), true)),
        }
    }
}
