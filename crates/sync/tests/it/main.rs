//! The engine against a scripted server: every rule of the Maildir, and kills at every step on disk.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod adopt;
mod captured;
mod kill;
mod model;
mod modes;
mod rules;
