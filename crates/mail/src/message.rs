//! Messages.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use watertight_mapi::prop::{PropBag, tags};
use watertight_mapi::{GlobCnt, GlobalId, Mid, PropTag, PropValue};
use watertight_mapi_client::{self as client, Access, Logon, ReadFlag};
use watertight_mapi_mime::decode_codepage;

use crate::folder::complete;
use crate::link::Link;
use crate::query::READ;
use crate::slot::Slot;
use crate::{Address, Attachment, Error, Folder, Key, time};

/// What a list of messages has of each.
pub(crate) const COLUMNS: &[PropTag] = &[
    tags::MID,
    tags::SUBJECT,
    tags::SENT_REPRESENTING_NAME,
    tags::SENT_REPRESENTING_EMAIL_ADDRESS,
    tags::SENT_REPRESENTING_SMTP_ADDRESS,
    tags::SENDER_NAME,
    tags::SENDER_EMAIL_ADDRESS,
    tags::SENDER_SMTP_ADDRESS,
    tags::MESSAGE_DELIVERY_TIME,
    tags::CLIENT_SUBMIT_TIME,
    tags::MESSAGE_FLAGS,
    tags::MESSAGE_SIZE,
    tags::HAS_ATTACHMENTS,
    tags::MESSAGE_CLASS,
];

/// A message of a folder. Clones are the same one.
///
/// Subject, sender, times, size and read state are those that the list of messages had; the rest is fetched when it is
/// asked for.
#[derive(Clone)]
pub struct Message(Arc<Inner>);

struct Inner {
    folder: Folder,
    mid: Mid,
    id: GlobalId,
    head: Head,
    unread: AtomicBool,
    slot: Arc<Slot<client::Message>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Head {
    subject: String,
    sender: Address,
    received: Option<Timestamp>,
    sent: Option<Timestamp>,
    size: u64,
    has_attachments: bool,
    class: String,
}

/// What a recipient is in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecipientKind {
    /// To.
    To,
    /// Cc.
    Cc,
    /// Bcc.
    Bcc,
}

impl Message {
    /// The message of a row of a contents table; `None` for a row that is none.
    pub(crate) async fn of_row(store: &Logon, folder: &Folder, row: &PropBag) -> Result<Option<Self>, Error> {
        let Some(mid) = row.id(tags::MID).map(Mid::from_u64) else { return Ok(None) };
        let replica = store.replica(mid.repl_id).await?;
        Ok(Some(Self::new(folder, mid, GlobalId::new(replica, mid.counter), row)))
    }

    /// The message with that id.
    pub(crate) async fn of_id(folder: &Folder, id: GlobalId, bag: &PropBag) -> Result<Self, Error> {
        let store = folder.0.link.store()?;
        Ok(Self::new(folder, mid(&store, id).await?, id, bag))
    }

    pub(crate) async fn by_id(folder: &Folder, text: &str) -> Result<Self, Error> {
        let bad = || Error::invalid(format!("{text:?} is no id of a message"));
        let (guid, counter) = text.rsplit_once('-').ok_or_else(bad)?;
        let counter = u64::from_str_radix(counter, 16).ok().and_then(GlobCnt::new).ok_or_else(bad)?;
        let id = GlobalId::new(guid.parse().map_err(|_| bad())?, counter);
        let store = folder.0.link.store()?;
        let mid = mid(&store, id).await?;
        let opened = folder.open().await?.open_message(mid, Access::Best).await?;
        Self::of_open(folder, mid, opened).await
    }

    /// The message that was opened.
    pub(crate) async fn of_open(folder: &Folder, mid: Mid, opened: client::Message) -> Result<Self, Error> {
        let store = folder.0.link.store()?;
        let bag = opened.props(COLUMNS).await?;
        let replica = store.replica(mid.repl_id).await?;
        let message = Self::new(folder, mid, GlobalId::new(replica, mid.counter), &bag);
        message.0.slot.fill(&folder.0.link.slots, opened);
        Ok(message)
    }

    fn new(folder: &Folder, mid: Mid, id: GlobalId, row: &PropBag) -> Self {
        let text = |tag| row.text(tag).unwrap_or_default().to_owned();
        let when = |tag| match row.get(tag) {
            Some(PropValue::Time(at)) => time::from_filetime(*at),
            _ => None,
        };
        let person = |name, email, smtp| {
            let email =
                row.text(smtp).filter(|smtp| !smtp.is_empty()).map_or_else(|| text(email), str::to_owned);
            Address { name: text(name), email }
        };
        let mut sender = person(
            tags::SENT_REPRESENTING_NAME,
            tags::SENT_REPRESENTING_EMAIL_ADDRESS,
            tags::SENT_REPRESENTING_SMTP_ADDRESS,
        );
        if sender == Address::default() {
            sender = person(tags::SENDER_NAME, tags::SENDER_EMAIL_ADDRESS, tags::SENDER_SMTP_ADDRESS);
        }
        let head = Head {
            subject: text(tags::SUBJECT),
            sender,
            received: when(tags::MESSAGE_DELIVERY_TIME),
            sent: when(tags::CLIENT_SUBMIT_TIME),
            size: row.int(tags::MESSAGE_SIZE).and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            has_attachments: row.bool(tags::HAS_ATTACHMENTS).unwrap_or(false),
            class: text(tags::MESSAGE_CLASS),
        };
        let unread = row.int(tags::MESSAGE_FLAGS).is_some_and(|flags| flags & READ == 0);
        Self(Arc::new(Inner {
            folder: folder.clone(),
            mid,
            id,
            head,
            unread: AtomicBool::new(unread),
            slot: Slot::new(),
        }))
    }

    /// What names the message beyond this session, for as long as it stays in its folder: [`Folder::message`] finds
    /// it again.
    #[must_use]
    pub fn id(&self) -> String {
        self.0.id.to_string()
    }

    /// Its id in this session.
    #[must_use]
    pub fn mid(&self) -> Mid {
        self.0.mid
    }

    /// The folder that it is in.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.0.folder
    }

    /// The subject. Servers cut very long ones in lists, at 255 characters: see [`Message::whole_subject`].
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.head.subject
    }

    /// The subject, whole.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn whole_subject(&self) -> Result<String, Error> {
        let message = self.open().await?;
        let value = crate::props::get(&message, &Key::Tag(tags::SUBJECT)).await?;
        self.text(&message, value).await
    }

    /// Who it is from.
    #[must_use]
    pub fn sender(&self) -> &Address {
        &self.0.head.sender
    }

    /// When it was received.
    #[must_use]
    pub fn received(&self) -> Option<Timestamp> {
        self.0.head.received
    }

    /// When it was sent.
    #[must_use]
    pub fn sent(&self) -> Option<Timestamp> {
        self.0.head.sent
    }

    /// Bytes that it takes on the server; its mail may be longer or shorter.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.head.size
    }

    /// The kind of item: `IPM.Note` for mail.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.0.head.class
    }

    /// Whether it has attachments.
    #[must_use]
    pub fn has_attachments(&self) -> bool {
        self.0.head.has_attachments
    }

    /// Whether nobody has read it.
    #[must_use]
    pub fn unread(&self) -> bool {
        self.0.unread.load(Ordering::Relaxed)
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.0.folder.0.link
    }

    /// The message of the client below, open.
    ///
    /// # Errors
    /// When it is not there any more.
    pub async fn open(&self) -> Result<Arc<client::Message>, Error> {
        self.0.folder.0.link.store()?;
        if let Some(message) = self.0.slot.get() {
            return Ok(message);
        }
        let message = self.0.folder.open().await?.open_message(self.0.mid, Access::Best).await?;
        Ok(self.0.slot.fill(&self.0.folder.0.link.slots, message))
    }

    /// Its recipients, in order.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn recipients(&self) -> Result<Vec<(RecipientKind, Address)>, Error> {
        let recipients = self.open().await?.recipients().await?;
        Ok(recipients.iter().filter_map(|recipient| person(&recipient.props)).collect())
    }

    /// Those of one kind.
    ///
    /// # Errors
    /// As [`Message::recipients`].
    pub async fn recipients_of(&self, kind: RecipientKind) -> Result<Vec<Address>, Error> {
        let all = self.recipients().await?;
        Ok(all.into_iter().filter(|(of, _)| *of == kind).map(|(_, address)| address).collect())
    }

    /// The body as text; empty where it has none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn body(&self) -> Result<String, Error> {
        let message = self.open().await?;
        let value = crate::props::get(&message, &Key::Tag(tags::BODY)).await?;
        self.text(&message, value).await
    }

    /// The body as HTML, where it has one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn html(&self) -> Result<Option<String>, Error> {
        let message = self.open().await?;
        match crate::props::get(&message, &Key::Tag(tags::HTML)).await? {
            None => Ok(None),
            value => self.text(&message, value).await.map(Some),
        }
    }

    /// A text, whatever form it comes in.
    async fn text(&self, message: &client::Message, value: Option<PropValue>) -> Result<String, Error> {
        match value {
            Some(PropValue::Unicode(text)) => Ok(text),
            Some(PropValue::String8(bytes) | PropValue::Binary(bytes)) => {
                let bag = message.props(&[tags::INTERNET_CODEPAGE, tags::MESSAGE_CODEPAGE]).await?;
                let page = bag.int(tags::INTERNET_CODEPAGE).or_else(|| bag.int(tags::MESSAGE_CODEPAGE));
                Ok(decode_codepage(&bytes, page.filter(|page| *page > 0)).into_owned())
            }
            _ => Ok(String::new()),
        }
    }

    /// The fields of its header, as they came with it; made from its properties where it did not come as mail.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn headers(&self) -> Result<String, Error> {
        let message = self.open().await?;
        let value = crate::props::get(&message, &Key::Tag(tags::TRANSPORT_MESSAGE_HEADERS)).await?;
        let text = self.text(&message, value).await?;
        if !text.trim().is_empty() {
            return Ok(text);
        }
        let mail = String::from_utf8_lossy(&self.to_bytes().await?).into_owned();
        let end =
            mail.find("\n\n").or_else(|| mail.find("\r\n\r\n")).map_or(mail.len(), |at| at.saturating_add(1));
        Ok(mail.get(..end).unwrap_or_default().to_owned())
    }

    /// Its attachments, in order.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn attachments(&self) -> Result<Vec<Attachment>, Error> {
        let rows = self.open().await?.attachments().await?;
        Ok(rows.iter().filter_map(|row| Attachment::of_row(self, row)).collect())
    }

    /// The message as mail (RFC 5322): as it was added, where the message is still what was made of it; else made
    /// from its properties.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        crate::content::to_bytes(self.open().await?).await
    }

    /// The message as mail into a file, which is there whole or not at all; memory does not grow with it. Returns its
    /// length in bytes.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub async fn save_as(&self, path: impl AsRef<Path>) -> Result<u64, Error> {
        crate::content::to_file(self.open().await?, path.as_ref()).await
    }

    /// Moves it to another folder of the same session. It is another message there, with an id of its own.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn move_to(&self, folder: &Folder) -> Result<(), Error> {
        crate::slot::Empty::empty(&*self.0.slot);
        self.0.folder.transfer(&[self.0.mid], folder, client::Transfer::Move).await
    }

    /// Copies it into another folder of the same session.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn copy_to(&self, folder: &Folder) -> Result<(), Error> {
        self.0.folder.transfer(&[self.0.mid], folder, client::Transfer::Copy).await
    }

    /// Deletes it.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn delete(&self) -> Result<(), Error> {
        crate::slot::Empty::empty(&*self.0.slot);
        self.0.folder.delete_messages(&[self.0.mid]).await
    }

    /// Marks it read, without a receipt.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn mark_read(&self) -> Result<(), Error> {
        self.mark(ReadFlag::ReadQuietly, false).await
    }

    /// Marks it unread.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn mark_unread(&self) -> Result<(), Error> {
        self.mark(ReadFlag::Unread, true).await
    }

    async fn mark(&self, flag: ReadFlag, unread: bool) -> Result<(), Error> {
        let done = self.0.folder.open().await?.set_read_flags(&[self.0.mid], flag).await?;
        complete(done, "the message could not be marked; it may be gone")?;
        self.0.unread.store(unread, Ordering::Relaxed);
        Ok(())
    }

    /// The value of a property.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn prop(&self, key: &Key) -> Result<Option<PropValue>, Error> {
        crate::props::get(&*self.open().await?, key).await
    }

    /// All properties; those above 64 KiB without a value.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn props(&self) -> Result<Vec<(Key, Option<PropValue>)>, Error> {
        crate::props::all(&*self.open().await?).await
    }

    /// Sets a property and saves the message.
    ///
    /// # Errors
    /// When the server refuses; with MAPI_E_OBJECT_CHANGED when somebody else has changed the message meanwhile.
    pub async fn set_prop(&self, key: &Key, value: PropValue) -> Result<(), Error> {
        let prop = key.with(value);
        self.change(|message| async move {
            crate::props::set(&message, std::slice::from_ref(&prop)).await?;
            Ok(message)
        })
        .await
    }

    /// Removes a property and saves the message.
    ///
    /// # Errors
    /// As [`Message::set_prop`].
    pub async fn remove_prop(&self, key: &Key) -> Result<(), Error> {
        self.change(|message| async move {
            crate::props::remove(&message, key).await?;
            Ok(message)
        })
        .await
    }

    /// Opens it for this alone, changes and saves it.
    async fn change<F>(&self, change: impl FnOnce(client::Message) -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<client::Message, Error>>,
    {
        self.0.folder.0.link.store()?;
        let message = self.0.folder.open().await?.open_message(self.0.mid, Access::ReadWrite).await?;
        // What was opened before shows the message as it was.
        crate::slot::Empty::empty(&*self.0.slot);
        let mut message = change(message).await?;
        message.save().await?;
        Ok(())
    }
}

async fn mid(store: &Logon, id: GlobalId) -> Result<Mid, Error> {
    Ok(Mid::from_u64(store.id(id.replica, id.counter).await?.to_u64()))
}

/// The person of a recipient; `None` for what is no recipient.
fn person(props: &PropBag) -> Option<(RecipientKind, Address)> {
    // The high bits say whether it was sent already — [MS-OXCMSG] 2.2.3.1.2.
    let kind = match props.int(tags::RECIPIENT_TYPE).map_or(1, |kind| kind & 0xf) {
        1 => RecipientKind::To,
        2 => RecipientKind::Cc,
        3 => RecipientKind::Bcc,
        _ => return None,
    };
    let text = |tag| props.text(tag).filter(|text| !text.is_empty());
    let email = text(tags::SMTP_ADDRESS).or_else(|| text(tags::EMAIL_ADDRESS)).unwrap_or_default();
    let name = text(tags::DISPLAY_NAME).or_else(|| text(tags::RECIPIENT_DISPLAY_NAME)).unwrap_or_default();
    Some((kind, Address { name: name.to_owned(), email: email.to_owned() }))
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id && self.0.folder == other.0.folder
    }
}

impl Eq for Message {}

impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.0.id)
            .field("subject", &self.0.head.subject)
            .finish_non_exhaustive()
    }
}
