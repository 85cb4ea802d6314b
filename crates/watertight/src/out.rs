//! Standard output, which may be a pipe that nobody reads any more.

use std::fmt;
use std::io::{self, ErrorKind, Write};

/// Prints a line on standard output, like `println!`, but a reader that has left (`watertight demo | head`) ends the
/// printing and not the work.
macro_rules! say {
    ($($args:tt)*) => { $crate::out::line(format_args!($($args)*)) };
}
pub(crate) use say;

/// Prints a line on standard output. What cannot be written (the disk is full) is said on standard error.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = writeln!(io::stderr(), "watertight: standard output: {error}");
    }
}
