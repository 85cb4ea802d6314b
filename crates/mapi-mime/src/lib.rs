//! MAPI objects to MIME and back, by [MS-OXCMAIL].
//!
//! [`import`] makes a [`MessageContent`](watertight_mapi::store::MessageContent) of the bytes of a mail;
//! [`export`] writes one as a mail. Both work on the standard properties, as Exchange and grommunio hold them:
//! PidTagTransportMessageHeaders, PidTagBody, PidTagHtml with PidTagInternetCodepage, recipients, attachments,
//! embedded messages.
//!
//! # What comes out
//!
//! * A message with PidTagTransportMessageHeaders keeps these fields as they are, in their order; only the
//!   fields that describe the MIME structure (Content-Type, Content-Transfer-Encoding, MIME-Version,
//!   Content-Disposition, Content-Length) are made anew, at the end. Fields that are missing (drafts, sent mail)
//!   are made from properties.
//! * The body is rebuilt as `mixed { alternative { text, related { html, inline images } }, attachments,
//!   embedded messages }`, as far as each is needed. What is not text of the message (delivery reports, calendars,
//!   partial messages …) is an attachment with the right type. A signed message is one attachment that holds the
//!   signed entity as it came, and is written as it came.
//! * Nothing depends on a clock or on chance: the same content gives the same bytes.
//! * What cannot be converted is kept whole as an attachment, or named in [`Exported::left_out`].
//!
//! # The transport form
//!
//! With [`ImportOptions::keep_transport_form`] the content also holds the mail as it came, in one named binary
//! property ([`transport_form_name`]; layout in [`transport`]). Export gives these bytes back, byte for byte, as
//! long as the standard properties still are what import made of them; after any change of subject, bodies,
//! people or attachments the mail is made from the properties. The property is never required, and a store or
//! another client may drop it at any time.
//!
//! # Ends of line
//!
//! Generated mail has the line ends of [`ExportOptions::line_ending`]: LF for Maildir, as delivery agents write
//! them, or CRLF as in transport. The transport form is written as it came, whichever it has.
//!
//! # Invariants
//!
//! No file, clock, thread or random source: large values come through [`LargeSource`] in pieces of 64 KiB, and
//! memory does not grow with attachments on export. Import holds one message. No input panics; nesting is bounded.

mod charset;
mod content;
mod error;
mod export;
mod import;
mod large;
mod mime;
pub mod transport;

pub use charset::decode_codepage;
pub use error::{ExportError, ImportError};
pub use export::{ExportOptions, Exported, LeftOut, LineEnding, export};
pub use import::{ImportOptions, import};
pub use large::{LargeSource, NoLarge};
pub use transport::transport_form_name;
