//! Mail in, mail out, judged by Python's `email`.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod assemble;
mod captures;
mod compare;
mod corpus;
mod laws;
mod stream;
