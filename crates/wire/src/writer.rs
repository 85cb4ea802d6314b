use crate::{Guid, WireError, WireErrorKind, to_u64};

/// A growing buffer of packed little-endian fields.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Writer {
    bytes: Vec<u8>,
}

macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident($ty:ty);)*) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, value: $ty) {
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    )*};
}

impl Writer {
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// An empty buffer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// A writer that appends to `bytes` and hands the same buffer back.
    #[must_use]
    pub fn append_to(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// How many bytes were written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes so far.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// The buffer.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Forgets everything past `len`.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    fixed! {
        /// Appends a byte.
        u8(u8);
        /// Appends 16 bits.
        u16(u16);
        /// Appends 32 bits.
        u32(u32);
        /// Appends 64 bits.
        u64(u64);
        /// Appends a signed 16-bit number.
        i16(i16);
        /// Appends a signed 32-bit number.
        i32(i32);
        /// Appends a signed 64-bit number.
        i64(i64);
        /// Appends a 32-bit floating-point number.
        f32(f32);
        /// Appends a 64-bit floating-point number.
        f64(f64);
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a GUID.
    pub fn guid(&mut self, guid: Guid) {
        self.bytes(&guid.to_bytes());
    }

    /// Appends bytes and a null terminator.
    ///
    /// # Errors
    /// [`WireErrorKind::BadString`] when the bytes hold a null.
    pub fn cstr(&mut self, text: &[u8], field: &'static str) -> Result<(), WireError> {
        if text.contains(&0) {
            return Err(self.error(field, WireErrorKind::BadString));
        }
        self.bytes(text);
        self.u8(0);
        Ok(())
    }

    /// Appends UTF-16LE without a terminator.
    pub fn utf16(&mut self, text: &str) {
        for unit in text.encode_utf16() {
            self.u16(unit);
        }
    }

    /// Appends UTF-16LE and a two-byte terminator.
    ///
    /// # Errors
    /// [`WireErrorKind::BadString`] when the text holds a null.
    pub fn cstr16(&mut self, text: &str, field: &'static str) -> Result<(), WireError> {
        if text.contains('\0') {
            return Err(self.error(field, WireErrorKind::BadString));
        }
        self.utf16(text);
        self.u16(0);
        Ok(())
    }

    /// Appends a count or length that a byte must carry.
    ///
    /// # Errors
    /// [`WireErrorKind::TooLarge`] when it does not fit.
    pub fn len8(&mut self, len: usize, field: &'static str) -> Result<(), WireError> {
        let max = usize::from(u8::MAX);
        let value = u8::try_from(len).map_err(|_| self.error(field, WireErrorKind::TooLarge { len, max }))?;
        self.u8(value);
        Ok(())
    }

    /// Appends a count or length that 16 bits must carry.
    ///
    /// # Errors
    /// [`WireErrorKind::TooLarge`] when it does not fit.
    pub fn len16(&mut self, len: usize, field: &'static str) -> Result<(), WireError> {
        let max = usize::from(u16::MAX);
        let value =
            u16::try_from(len).map_err(|_| self.error(field, WireErrorKind::TooLarge { len, max }))?;
        self.u16(value);
        Ok(())
    }

    /// Appends a count or length that 32 bits must carry.
    ///
    /// # Errors
    /// [`WireErrorKind::TooLarge`] when it does not fit.
    pub fn len32(&mut self, len: usize, field: &'static str) -> Result<(), WireError> {
        let value = u32::try_from(to_u64(len)).map_err(|_| {
            self.error(field, WireErrorKind::TooLarge { len, max: crate::to_usize(u32::MAX) })
        })?;
        self.u32(value);
        Ok(())
    }

    /// Appends a 16-bit length and the bytes.
    ///
    /// # Errors
    /// [`WireErrorKind::TooLarge`] when the length does not fit.
    pub fn bytes16(&mut self, bytes: &[u8], field: &'static str) -> Result<(), WireError> {
        self.len16(bytes.len(), field)?;
        self.bytes(bytes);
        Ok(())
    }

    /// Appends a 32-bit length and the bytes.
    ///
    /// # Errors
    /// [`WireErrorKind::TooLarge`] when the length does not fit.
    pub fn bytes32(&mut self, bytes: &[u8], field: &'static str) -> Result<(), WireError> {
        self.len32(bytes.len(), field)?;
        self.bytes(bytes);
        Ok(())
    }

    /// Overwrites 16 bits that were written before (a length that is known only now). Ignored past the end.
    pub fn patch_u16(&mut self, at: usize, value: u16) {
        if let Some(slot) = at.checked_add(2).and_then(|end| self.bytes.get_mut(at..end)) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// Overwrites 32 bits that were written before. Ignored past the end.
    pub fn patch_u32(&mut self, at: usize, value: u32) {
        if let Some(slot) = at.checked_add(4).and_then(|end| self.bytes.get_mut(at..end)) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// An error at the end of what was written.
    #[must_use]
    pub fn error(&self, field: &'static str, kind: WireErrorKind) -> WireError {
        WireError::new("(writing)", field, self.bytes.len(), kind)
    }
}
