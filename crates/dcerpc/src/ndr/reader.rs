use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use watertight_wire::{Guid, WireError, WireErrorKind};

use super::{Order, Syntax};

/// How deep referents may nest, by default.
pub const DEPTH: usize = 100;

/// A cursor over NDR: it aligns, it knows the byte order and the transfer syntax, and what is being read, so that an
/// error names structure, field and offset.
pub struct NdrReader<'a> {
    bytes: &'a [u8],
    pos: usize,
    base: usize,
    order: Order,
    syntax: Syntax,
    depth: usize,
    structure: &'static str,
    field: &'static str,
    /// Referents of full pointers by their ids; none while one is being read.
    full: BTreeMap<u64, Option<Arc<dyn Any + Send + Sync>>>,
}

/// The structure and the field that were being read before the present ones.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Outer(&'static str, &'static str);

macro_rules! numbers {
    ($($name:ident $ty:ty;)*) => {$(
        /// Aligns and reads a number of this type.
        ///
        /// # Errors
        /// Truncation.
        pub fn $name(&mut self) -> Result<$ty, WireError> {
            self.align(size_of::<$ty>())?;
            let bytes = self.array()?;
            Ok(match self.order {
                Order::Little => <$ty>::from_le_bytes(bytes),
                Order::Big => <$ty>::from_be_bytes(bytes),
            })
        }
    )*};
}

impl<'a> NdrReader<'a> {
    /// A cursor at the start of stub data.
    #[must_use]
    pub fn new(bytes: &'a [u8], syntax: Syntax, order: Order) -> Self {
        Self {
            bytes,
            pos: 0,
            base: 0,
            order,
            syntax,
            depth: DEPTH,
            structure: "stub",
            field: "(start)",
            full: BTreeMap::new(),
        }
    }

    /// The same, where the first byte is not the first of its buffer: offsets in errors and alignment count from there.
    #[must_use]
    pub fn with_base(mut self, base: usize) -> Self {
        self.base = base;
        self
    }

    /// The transfer syntax.
    #[must_use]
    pub fn syntax(&self) -> Syntax {
        self.syntax
    }

    /// The byte order.
    #[must_use]
    pub fn order(&self) -> Order {
        self.order
    }

    /// Begins a structure; [`NdrReader::leave`] goes back to the one around it.
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

    /// Bytes from the start of the buffer to the cursor.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.base.saturating_add(self.pos)
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.pos)
    }

    /// The bytes that are left, without consuming them.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.pos..).unwrap_or_default()
    }

    /// An error at the cursor.
    #[must_use]
    pub fn error(&self, kind: WireErrorKind) -> WireError {
        WireError::new(self.structure, self.field, self.offset(), kind)
    }

    /// The error of a value that is not allowed.
    #[must_use]
    pub fn invalid(&self, value: impl Into<u64>) -> WireError {
        self.error(WireErrorKind::Invalid { value: value.into() })
    }

    /// Skips the gap in front of something of that alignment, whatever it holds.
    ///
    /// # Errors
    /// Truncation.
    pub fn align(&mut self, to: usize) -> Result<(), WireError> {
        let gap = super::gap(self.offset(), to);
        self.bytes(gap).map(drop)
    }

    /// Skips the gap behind a structure, which only NDR64 has ([MS-RPCE] 2.2.5.3.4.1).
    ///
    /// # Errors
    /// Truncation.
    pub fn trailing_gap(&mut self, to: usize) -> Result<(), WireError> {
        match self.syntax {
            Syntax::Ndr => Ok(()),
            Syntax::Ndr64 => self.align(to),
        }
    }

    /// Consumes bytes as they are.
    ///
    /// # Errors
    /// Truncation.
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        match self.rest().get(..len) {
            Some(bytes) => {
                self.pos = self.pos.saturating_add(len);
                Ok(bytes)
            }
            None => Err(self.error(WireErrorKind::Truncated { need: len, have: self.remaining() })),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
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
    /// Truncation.
    pub fn count(&mut self) -> Result<u64, WireError> {
        match self.syntax {
            Syntax::Ndr => self.u32().map(u64::from),
            Syntax::Ndr64 => self.u64(),
        }
    }

    /// uuid_t: a structure of 4-byte alignment.
    ///
    /// # Errors
    /// Truncation.
    pub fn guid(&mut self) -> Result<Guid, WireError> {
        let (d1, d2, d3) = (self.u32()?, self.u16()?, self.u16()?);
        Ok(Guid::new(d1, d2, d3, self.array()?))
    }

    /// Checks a count of elements of at least `least` bytes each against what is left.
    ///
    /// # Errors
    /// When so many cannot be there.
    pub fn elements(&self, count: u64, least: usize) -> Result<usize, WireError> {
        let have = self.remaining();
        let len = usize::try_from(count).unwrap_or(usize::MAX);
        let need = len.saturating_mul(least.max(1));
        if need > have {
            return Err(self.error(WireErrorKind::Truncated { need, have }));
        }
        Ok(len)
    }

    /// Reads a referent one level down.
    ///
    /// # Errors
    /// When that is too deep, or what `f` returns.
    pub fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, WireError>) -> Result<T, WireError> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(self.error(WireErrorKind::TooDeep { max: DEPTH }));
        };
        self.depth = depth;
        let value = f(self)?;
        self.depth = depth.saturating_add(1);
        Ok(value)
    }

    /// The referent of a full pointer: read once, and shared by all pointers with the same id.
    ///
    /// # Errors
    /// When the id belongs to a referent of another type or to one that is not complete (a cycle), or what `f` returns.
    pub fn full<T: Any + Send + Sync>(
        &mut self,
        id: u64,
        f: impl FnOnce(&mut Self) -> Result<T, WireError>,
    ) -> Result<Arc<T>, WireError> {
        if let Some(seen) = self.full.get(&id) {
            return seen.clone().and_then(|seen| seen.downcast::<T>().ok()).ok_or_else(|| self.invalid(id));
        }
        self.full.insert(id, None);
        let value = Arc::new(self.deeper(f)?);
        let shared: Arc<dyn Any + Send + Sync> = Arc::<T>::clone(&value);
        self.full.insert(id, Some(shared));
        Ok(value)
    }

    /// Checks that nothing is left but the gap that aligns what would follow (up to 7 bytes).
    ///
    /// # Errors
    /// Bytes after the end.
    pub fn finish(&self) -> Result<(), WireError> {
        match self.remaining() {
            0..=7 => Ok(()),
            count => Err(self.error(WireErrorKind::Trailing { count })),
        }
    }
}

impl core::fmt::Debug for NdrReader<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NdrReader")
            .field("structure", &self.structure)
            .field("field", &self.field)
            .field("offset", &self.offset())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
