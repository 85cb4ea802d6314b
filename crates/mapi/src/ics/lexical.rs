//! The FastTransfer stream as tokens — [MS-OXCFXICS] 2.2.4.1 Lexical structure.
//!
//! [`Lexer`] takes bytes that are cut anywhere and gives [`Token`]s; [`Writer`] takes tokens (or typed properties)
//! and gives bytes in buffers of any size, split where the document allows it. Both hold at most a value of
//! 64 KiB beside the buffer that was handed in: longer values pass in pieces.

mod lexer;
mod marker;
mod token;
mod value;
mod writer;

pub use lexer::Lexer;
pub use marker::Marker;
pub use token::{PropDef, RawValue, Token};
pub use writer::Writer;

#[cfg(test)]
mod tests;
