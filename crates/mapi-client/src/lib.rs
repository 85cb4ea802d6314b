//! A MAPI/HTTP client: sessions, logons, folders, and their synchronization by ICS.
//!
//! [`Mapi::logon_ex`] logs on as MAPI programs know it: a profile and flags in, a [`MapiSession`] out. Below it, a
//! [`Connector`] knows the way to a server; [`Connector::connect`] makes a [`Session`], a session context with a
//! connection that it has for itself, owned by one task. Everything that is opened in a session keeps it alive, is
//! counted in the ledger, and ends when it is dropped: a handle with the next request, the session with a Disconnect.
//!
//! A [`Logon`] is the store; from it come [`Folder`], [`Message`], [`Attachment`] (each an [`Object`] with
//! properties), [`Table`] and [`Stream`]. What belongs together travels together: a table is opened with all that it
//! shows ([`View`]), messages are opened by the dozen ([`Folder::open_messages`]) and written by the dozen
//! ([`Folder::add_messages`]). Values of more than 64 KiB stay on the server, to be read through a [`Stream`].
//!
//! ```no_run
//! # use watertight_mapi::prop::tags;
//! # use watertight_mapi_client::{Associated, Error, Logon, Sort, View};
//! # async fn subjects(logon: &Logon) -> Result<(), Error> {
//! let inbox = logon.inbox().await?;
//! let view = View::of(&[tags::MID, tags::SUBJECT]).sorted(&[Sort::descending(tags::MESSAGE_DELIVERY_TIME)]);
//! let mut table = inbox.contents_table(Associated::No, &view).await?;
//! loop {
//!     let page = table.query_rows(50).await?;
//!     if page.is_empty() {
//!         break;
//!     }
//!     for row in page {
//!         tracing::info!(subject = row.text(tags::SUBJECT));
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Objects that were dropped wait for the next request, some 200 of which it takes along; 250 that wait get a request
//! of their own, so that no more linger on a server that is asked nothing. Those that are dropped while a request is
//! on its way are at most those that were open. An object that outlives its session answers [`Error::Closed`]
//! (MAPI_E_INVALID_OBJECT), and counts for nothing.
//!
//! Invariants: no request goes out while another of the same session context is on its way; no answer is taken for
//! another ROP or object than the one that was asked; nothing received is larger than a stated bound; no wait is
//! without a bound; neither credentials nor cookies are ever formatted.

mod actor;
mod connection;
mod connector;
mod cookies;
mod discover;
mod download;
mod endpoint;
mod error;
mod export;
mod folder;
mod handle;
mod logon;
mod mailbox;
mod mapi;
mod notify;
mod nspi;
mod object;
mod options;
mod pool;
mod profile;
mod retry_after;
mod session;
mod settings;
mod sign_in;
mod source;
mod start;
mod sync_options;
mod tcp;
mod tls;
mod traffic;
mod transport;

pub use actor::Executed;
pub use connector::Connector;
#[doc(hidden)]
pub use cookies::cookies_after;
#[doc(hidden)]
pub use discover::autodiscover_document;
pub use discover::{
    AlternativeMailbox, Certificate, ConfirmHop, Discovered, Discovery, DiscoveryStep, Dns, Hop, HopReason,
    Outcome, Service, SystemDns, TlsProbe, Urls, Way, probe_tls,
};
pub use download::Download;
pub use endpoint::Endpoint;
pub use error::{
    DiscoveryError, Error, ErrorClass, Lost, MailboxError, ProtocolError, ReachError, SetupError,
    SignInError, TrustError,
};
pub use export::{ContentsExporter, Export, ExportError, ExportFlags, HierarchyExporter, Step};
pub use folder::{Completion, Deletion, Depth, Folder, Transfer};
pub use handle::ServerHandle;
pub use logon::{Logon, SpecialFolder, Target};
pub use mailbox::Mailbox;
pub use mapi::Mapi;
pub use mapi::error::MapiError;
pub use mapi::flags::{LogoffFlags, LogonFlags};
pub use mapi::session::{Identity, MapiSession};
pub use mapi::ui::{Answer, LogonUi, NoUi, Question, Terminal};
pub use notify::{Scope, Subscription};
pub use nspi::{AddressBook, BookEntry, Resolved, Search};
pub use object::Object;
pub use object::attachment::Attachment;
pub use object::message::{Access, Associated, Message, ReadFlag};
pub use object::props::Problem;
pub use object::recipient::{Recipient, RecipientKind};
pub use object::stream::{OpenMode, SeekFrom, Stream};
pub use object::table::{Bookmark, FindFrom, Origin, Position, Sort, Table, View};
pub use object::write::{Added, LargeSource, NewMessage, NoLarge};
pub use options::{Backoff, Options};
pub use profile::{Keyring, Profile, ProfileSet, Profiles, Secret, ShellCommand};
#[doc(hidden)]
pub use retry_after::parse as retry_after;
pub use session::{Replies, Session, SessionInfo};
pub use sign_in::{Credentials, Scheme, SignIn};
pub use source::Progress;
pub use sync_options::SyncOptions;
pub use traffic::Traffic;
