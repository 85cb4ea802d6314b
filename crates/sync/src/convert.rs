use std::io::{self, Write};

use watertight_mapi::store::MessageContent;

use crate::spool::Spool;

/// How a message came out of the conversion.
#[derive(Debug)]
pub enum Conversion {
    /// It was written.
    Done,
    /// It cannot be converted; the reason is for a person.
    Impossible(String),
}

/// Turns a message into the bytes of a mail file.
pub trait Convert: Send + Sync {
    /// Writes the message. Large values are read from `large` by their id.
    ///
    /// # Errors
    /// Only those of `out` and `large`: what is wrong with the message is [`Conversion::Impossible`].
    fn convert(&self, message: &MessageContent, large: &Spool, out: &mut dyn Write)
    -> io::Result<Conversion>;
}
