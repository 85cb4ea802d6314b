//! Bytes and values: a bounded cursor over bytes from outside, a writer, declarations of wire structures that
//! read as the specification's tables, and the few types that every protocol of the family shares.
//!
//! Invariants: no socket, file, thread, clock or random source; nothing is allocated from a length before that
//! length was checked against the bytes that are left; no input makes anything here panic.

mod error;
mod field;
mod filetime;
mod guid;
mod hresult;
mod macros;
mod num;
mod reader;
mod writer;

pub use error::{WireError, WireErrorKind};
pub use field::{FixedSize, WireField};
pub use filetime::FileTime;
pub use guid::Guid;
pub use hresult::HResult;
pub use num::{to_u64, to_usize};
pub use reader::Reader;
pub use writer::Writer;

/// A value with one packed little-endian form.
///
/// `read` consumes exactly the bytes that `write` produces; reserved fields are ignored on reading and zero on
/// writing, and every other field survives a round trip.
pub trait Wire: Sized {
    /// Reads the value at the cursor.
    ///
    /// # Errors
    /// [`WireError`] with structure, field and offset when bytes are missing or a length lies.
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError>;

    /// Appends the value.
    ///
    /// # Errors
    /// [`WireError`] when a count or a length does not fit the field that carries it.
    fn write(&self, w: &mut Writer) -> Result<(), WireError>;

    /// Reads one value that must fill `bytes` to the end.
    ///
    /// # Errors
    /// As [`Wire::read`]; trailing bytes are an error too.
    fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes, core::any::type_name::<Self>());
        let value = Self::read(&mut r)?;
        r.finish()?;
        Ok(value)
    }

    /// The value's bytes.
    ///
    /// # Errors
    /// As [`Wire::write`].
    fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        let mut w = Writer::new();
        self.write(&mut w)?;
        Ok(w.into_bytes())
    }
}
