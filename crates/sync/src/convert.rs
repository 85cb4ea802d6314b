use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use watertight_mapi::{prop::LargeValue, store::MessageContent};
use watertight_mapi_mime::{ExportError, ExportOptions, LargeSource, export};

use crate::spool::Spool;

/// How a message came out of the conversion.
#[derive(Debug, PartialEq, Eq)]
pub enum Conversion {
    /// It was written.
    Done {
        /// What of it is not in the mail, each with its reason.
        left_out: Vec<String>,
    },
    /// What was written is nothing; another attempt may do better.
    Again,
    /// It cannot be converted; the reason is for a person.
    Impossible(String),
}

/// Turns a message into the bytes of a mail file.
pub trait Convert: Send + Sync {
    /// Writes the message. Large values are read from `large` by their id. `attempt` is 0 at first and grows with
    /// each [`Conversion::Again`].
    ///
    /// # Errors
    /// Only those of `out` and `large`: what is wrong with the message is [`Conversion::Impossible`].
    fn convert(
        &self,
        message: &MessageContent,
        large: &Spool,
        attempt: u32,
        out: &mut dyn Write,
    ) -> io::Result<Conversion>;
}

/// The conversion by `mapi-mime`: the transport form where the message has one, else RFC 5322 made of its properties.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mail;

impl Convert for Mail {
    fn convert(
        &self,
        message: &MessageContent,
        large: &Spool,
        attempt: u32,
        out: &mut dyn Write,
    ) -> io::Result<Conversion> {
        let mut options = ExportOptions::default();
        options.use_transport_form = attempt == 0;
        match export(message, &mut Values { spool: large, open: None }, out, &options) {
            Ok(exported) => {
                let left_out = exported.left_out.iter().map(ToString::to_string).collect();
                Ok(Conversion::Done { left_out })
            }
            Err(ExportError::Write(e) | ExportError::Read(e)) => Err(e),
            Err(ExportError::TransportForm) if attempt == 0 => Ok(Conversion::Again),
            Err(e) => Ok(Conversion::Impossible(e.to_string())),
        }
    }
}

/// Values of the spool, one open at a time.
struct Values<'a> {
    spool: &'a Spool,
    open: Option<(u64, File)>,
}

impl LargeSource for Values<'_> {
    fn read(&mut self, value: LargeValue, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let file = match &mut self.open {
            Some((id, file)) if *id == value.id => file,
            slot => &mut slot.insert((value.id, self.spool.open(value.id)?)).1,
        };
        file.seek(SeekFrom::Start(offset))?;
        file.read(buf)
    }
}
