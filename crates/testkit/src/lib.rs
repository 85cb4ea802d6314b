//! What the tests of several crates share. Not part of the product.
//!
//! [`captures`]: MAPI/HTTP exchanges with a real server. [`corpus`]: real sample mail. [`mutate`]: what every
//! decoder must survive. [`replay`]: a server that answers with captured bytes.

#![expect(clippy::expect_used, clippy::panic, reason = "a test kit fails by panicking")]

pub mod captures;
pub mod corpus;
pub mod mutate;
pub mod replay;

use std::path::PathBuf;

/// The folder with the data files.
#[must_use]
pub fn data_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data")
}
