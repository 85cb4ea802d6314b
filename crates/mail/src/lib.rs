//! A mailbox in a few lines: sessions, folders, messages, attachments. Asynchronous here, and [`blocking`].
//!
//! ```no_run
//! use watertight_mail::blocking::Session;
//!
//! # fn main() -> Result<(), watertight_mail::Error> {
//! let session = Session::to("https://mail.example.org/").user("anna").password("…").open()?;
//! for message in session.inbox().messages() {
//!     let message = message?;
//!     println!("{}: {}", message.sender(), message.subject());
//! }
//! session.close()
//! # }
//! ```
//!
//! What is opened through a session ends with it. Memory grows neither with a folder nor, where files are written,
//! with a message: lists are read in pages, large values in pieces.
//!
//! Everything that the server knows of a message, and that has no method here, is a property ([`Key`]); what this crate
//! does not do at all, the client below does: [`Folder::open`] and [`Message::open`] lead there.

mod add;
mod address;
mod attachment;
pub mod blocking;
mod changes;
mod content;
mod error;
mod folder;
mod folders;
mod link;
mod message;
mod messages;
mod path;
mod props;
mod query;
mod session;
mod slot;
mod time;

pub use address::Address;
pub use attachment::Attachment;
pub use changes::{Change, Changes};
pub use error::{Error, ErrorKind};
pub use folder::{AddOptions, Counts, Folder};
pub use folders::Folders;
pub use jiff::Timestamp;
pub use message::{Message, RecipientKind};
pub use messages::Messages;
pub use props::Key;
pub use query::Query;
pub use session::{Open, Session};
pub use time::{from_filetime, to_filetime};
pub use watertight_mapi::{PropValue, prop::PropBag};
