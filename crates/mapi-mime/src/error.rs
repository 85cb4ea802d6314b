use std::io;

/// Why bytes are not imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// There is nothing.
    #[error("the file is empty")]
    Empty,
    /// More than the limit given in the options.
    #[error("the message has {len} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

/// Why a message is not exported. What was written before is not a mail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The output could not be written.
    #[error("the mail could not be written")]
    Write(#[source] io::Error),
    /// A large value could not be read.
    #[error("a large value could not be read")]
    Read(#[source] io::Error),
    /// A large value ended before its length.
    #[error("a large value ended after {have} of its {len} bytes")]
    Short {
        /// How long it should have been.
        len: u64,
        /// How much there was.
        have: u64,
    },
    /// The transport form does not make sense, or an attachment that it names is not there.
    #[error("the transport form kept with the message is damaged")]
    TransportForm,
    /// Embedded messages are nested deeper than the limit.
    #[error("embedded messages are nested deeper than {0}")]
    TooDeep(usize),
}
