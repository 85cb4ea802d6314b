//! Network Data Representation: C706 chapter 14, and what [MS-RPCE] 2.2.4 to 2.2.7 change and add.
//!
//! A type has one declaration, with the words of the IDL as attributes, and from it its representation in NDR 2.0 and in
//! NDR64, read in both byte orders, written little-endian:
//!
//! ```
//! use watertight_dcerpc::ndr::{self, Ndr, Order, Syntax};
//!
//! /// twr_t — C706 appendix N.
//! #[derive(Debug, PartialEq, Ndr)]
//! struct Tower {
//!     tower_length: u32,
//!     #[ndr(size_is(tower_length))]
//!     tower_octet_string: Vec<u8>,
//! }
//!
//! let tower = Tower { tower_length: 2, tower_octet_string: vec![7, 9] };
//! let bytes = ndr::to_bytes(&tower, Syntax::Ndr).unwrap();
//! assert_eq!(bytes, [2, 0, 0, 0, 2, 0, 0, 0, 7, 9]);
//! assert_eq!(ndr::from_bytes::<Tower>(&bytes, Syntax::Ndr, Order::Little).unwrap(), tower);
//! ```
//!
//! | Rust | IDL |
//! |---|---|
//! | `Option<T>`, `#[ndr(unique)]` | `[unique] T *` |
//! | `Option<Arc<T>>`, `#[ndr(ptr)]` | `[ptr] T *` |
//! | `#[ndr(ref)] T` | `[ref] T *` in a structure |
//! | `Box<T>` | `T` |
//! | `Vec<T>`, `#[ndr(size_is(n))]` | `[size_is(n)] T a[]` |
//! | `#[ndr(size_is(n), length_is(m))] Vec<T>` | `[size_is(n), length_is(m)] T a[]` |
//! | `#[ndr(size(8), length_is(m))] Vec<T>` | `[length_is(m)] T a[8]` |
//! | `[T; 8]` | `T a[8]` |
//! | `String`, `#[ndr(string)]` | `[string] wchar_t a[]` |
//! | `#[ndr(string)] Vec<u8>` | `[string] char a[]` |
//! | `#[ndr(string, size(64))] Vec<u8>` | `[string] char a[64]` |
//! | `#[ndr(range(0, 500))] u32` | `[range(0, 500)] unsigned long` |
//! | `#[ndr(switch_is(level))] Union` | `[switch_is(level)] union …` |
//! | `#[ndr(switch_type(u16))] enum`, variants with `#[ndr(case(1))]`, `#[ndr(default)]` | `union` |
//! | `#[ndr(enum)] struct E(u16)`, `#[ndr(v1_enum)] struct E(u32)` | `enum`, `[v1_enum] enum` |
//!
//! Attributes of a pointer to an array or a string stand together: `#[ndr(unique, size_is(n))] Option<Vec<T>>`.
//! Pipes are not there; a declaration that asks for one does not compile:
//!
//! ```compile_fail
//! #[derive(watertight_dcerpc::ndr::Ndr)]
//! struct Refused {
//!     #[ndr(pipe)]
//!     pipe: Vec<u8>,
//! }
//! ```
//!
//! Nor does one of a conformant array that is not the last field:
//!
//! ```compile_fail
//! #[derive(watertight_dcerpc::ndr::Ndr)]
//! struct Refused {
//!     array: Vec<u8>,
//!     after: u8,
//! }
//! ```

mod array;
mod codec;
mod context;
mod pickle;
mod pointer;
mod reader;
mod scalar;
mod string;
mod syntax;
mod writer;

#[cfg(test)]
mod tests;

pub use array::{Conformant, ConformantVarying, Fixed, Varying};
pub use codec::{Codec, Count, Extent, Natural, check_range, from_bytes, get, put, to_bytes};
pub use context::ContextHandle;
pub use pickle::{PickleVersion, from_pickle, read_pickle, to_pickle, write_pickle};
pub use pointer::{Boxed, Full, Ref, Unique};
pub use reader::{DEPTH, NdrReader};
pub use scalar::{Discriminant, Enumeration, Uint3264};
pub use string::{ConformantString, Text, VaryingString};
pub use syntax::{Drep, IfId, Order, Syntax, SyntaxId};
pub use watertight_macros::Ndr;
pub use writer::NdrWriter;

/// Bytes from `offset` to the next multiple of `to` (a power of two).
pub(crate) fn gap(offset: usize, to: usize) -> usize {
    offset.wrapping_neg() & to.saturating_sub(1)
}
