use std::collections::BTreeMap;

use watertight_wire::{Guid, WireError, WireErrorKind};

use super::Syntax;

/// The id of the first referent of a unique or reference pointer; the next is four more, as MIDL's stubs number them.
/// Those of full pointers are 1, 2, 3 and so on.
const FIRST_REFERENT: u32 = 0x0002_0000;

/// A growing buffer of NDR, little-endian: it aligns, numbers the referents, and knows what is being written.
#[derive(Debug, Default)]
pub struct NdrWriter {
    bytes: Vec<u8>,
    base: usize,
    syntax: Syntax,
    referents: u32,
    structure: &'static str,
    field: &'static str,
    /// Referent ids of what full pointers point to, by address, and whether the referent was written.
    full: BTreeMap<usize, (u32, bool)>,
}

/// The structure and the field that were being written before the present ones.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Outer(&'static str, &'static str);

macro_rules! numbers {
    ($($name:ident $ty:ty;)*) => {$(
        /// Aligns and appends a number of this type.
        pub fn $name(&mut self, value: $ty) {
            self.align(size_of::<$ty>());
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    )*};
}

impl NdrWriter {
    /// An empty buffer.
    #[must_use]
    pub fn new(syntax: Syntax) -> Self {
        Self { syntax, structure: "stub", field: "(start)", ..Self::default() }
    }

    /// A writer that appends to `bytes`; alignment counts from their first.
    #[must_use]
    pub fn append_to(bytes: Vec<u8>, syntax: Syntax) -> Self {
        Self { bytes, ..Self::new(syntax) }
    }

    /// A writer that appends to `bytes`; alignment counts from their present end.
    #[must_use]
    pub fn append_aligned(bytes: Vec<u8>, syntax: Syntax) -> Self {
        Self { base: bytes.len(), bytes, ..Self::new(syntax) }
    }

    /// The transfer syntax.
    #[must_use]
    pub fn syntax(&self) -> Syntax {
        self.syntax
    }

    /// Begins a structure; [`NdrWriter::leave`] goes back to the one around it.
    pub fn enter(&mut self, structure: &'static str) -> Outer {
        let outer = Outer(self.structure, self.field);
        self.structure = structure;
        outer
    }

    /// Ends a structure.
    pub fn leave(&mut self, outer: Outer) {
        let Outer(structure, field) = outer;
        self.structure = structure;
        self.field = field;
    }

    /// Names the field that comes next.
    pub fn field(&mut self, field: &'static str) {
        self.field = field;
    }

    /// How many bytes alignment counts: from where this writer began.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.bytes.len().saturating_sub(self.base)
    }

    /// The buffer.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The buffer so far.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// An error at the end of what was written.
    #[must_use]
    pub fn error(&self, kind: WireErrorKind) -> WireError {
        WireError::new(self.structure, self.field, self.offset(), kind)
    }

    /// The error of a value that is not allowed.
    #[must_use]
    pub fn invalid(&self, value: impl Into<u64>) -> WireError {
        self.error(WireErrorKind::Invalid { value: value.into() })
    }

    /// Appends the gap in front of something of that alignment: zeros.
    pub fn align(&mut self, to: usize) {
        let len = self.bytes.len().saturating_add(super::gap(self.offset(), to));
        self.bytes.resize(len, 0);
    }

    /// Appends the gap behind a structure, which only NDR64 has.
    pub fn trailing_gap(&mut self, to: usize) {
        if self.syntax == Syntax::Ndr64 {
            self.align(to);
        }
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    numbers! {
        u8 u8;
        u16 u16;
        u32 u32;
        u64 u64;
        i8 i8;
        i16 i16;
        i32 i32;
        i64 i64;
        f32 f32;
        f64 f64;
    }

    /// A referent id or a count: 32 bits in NDR, 64 in NDR64.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn count(&mut self, value: u64) -> Result<(), WireError> {
        match self.syntax {
            Syntax::Ndr => {
                let small = u32::try_from(value).map_err(|_| self.invalid(value))?;
                self.u32(small);
            }
            Syntax::Ndr64 => self.u64(value),
        }
        Ok(())
    }

    /// uuid_t: a structure of 4-byte alignment.
    pub fn guid(&mut self, guid: Guid) {
        self.align(4);
        self.bytes(&guid.to_bytes());
    }

    /// A pointer: null, or the next referent id.
    ///
    /// # Errors
    /// When the ids are used up.
    pub fn pointer(&mut self, present: bool) -> Result<(), WireError> {
        let id = if present { self.next_referent() } else { 0 };
        self.count(u64::from(id))
    }

    /// A full pointer to what lies at `address`: the id that it had before, or the next one.
    ///
    /// # Errors
    /// When the ids are used up.
    pub fn full_pointer(&mut self, address: usize) -> Result<(), WireError> {
        let id = match self.full.get(&address) {
            Some((id, _)) => *id,
            None => {
                let id = u32::try_from(self.full.len()).unwrap_or(u32::MAX).saturating_add(1);
                self.full.insert(address, (id, false));
                id
            }
        };
        self.count(u64::from(id))
    }

    /// Whether the referent at `address` is still to be written; it counts as written from now on.
    pub fn full_referent(&mut self, address: usize) -> bool {
        match self.full.get_mut(&address) {
            Some((_, written)) => !core::mem::replace(written, true),
            None => true,
        }
    }

    fn next_referent(&mut self) -> u32 {
        let id = FIRST_REFERENT.saturating_add(self.referents.saturating_mul(4));
        self.referents = self.referents.saturating_add(1);
        id
    }
}
