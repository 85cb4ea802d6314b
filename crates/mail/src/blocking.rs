//! The same without `async`: each call waits for the server on the thread that makes it.
//!
//! ```no_run
//! use watertight_mail::Query;
//! use watertight_mail::blocking::Session;
//!
//! # fn main() -> Result<(), watertight_mail::Error> {
//! let session = Session::with_profile("work").open()?;
//! let archive = session.create_folder("Archive/2004")?;
//! for message in session.inbox().search(Query::new().subject("invoice")) {
//!     message?.move_to(&archive)?;
//! }
//! session.close()
//! # }
//! ```
//!
//! The requests are moved by a thread of an [`Engine`], which all sessions of a program share and which ends with the
//! last one. A call on a thread that runs asynchronous tasks (tokio's) is refused with an error that says so: it would
//! hold the tasks up. `spawn_blocking` is the place for it there.

mod engine;
mod objects;
mod session;

pub use engine::Engine;
pub use objects::{Attachment, Change, Changes, Folder, Folders, Message, Messages};
pub use session::{Open, Session};
