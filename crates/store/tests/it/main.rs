//! The store from outside: killed, damaged, copied, opened twice, and as older versions wrote it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking, and a child process says what it did"
)]

mod backup;
mod crash;
mod damage;
mod fixture;
mod processes;
mod support;
