//! Attachments.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use watertight_mapi::PropValue;
use watertight_mapi::prop::{PropBag, tags};
use watertight_mapi_client::{self as client, Access, OpenMode, Stream};

use crate::content;
use crate::{Error, Key, Message};

/// afByValue, afEmbeddedMessage, afOle — [MS-OXCMSG] 2.2.2.9 PidTagAttachMethod.
const EMBEDDED_MESSAGE: i32 = 5;
const OLE: i32 = 6;
/// Bytes that are asked for at a time.
const PIECE: usize = 128 << 10;

/// An attachment of a message: a file, or another message. Clones are the same one.
#[derive(Clone)]
pub struct Attachment {
    message: Message,
    number: u32,
    method: i32,
    name: String,
    size: u64,
    content_type: String,
    content_id: String,
}

impl Attachment {
    /// The attachment of a row of an attachment table; `None` for a row without a number.
    pub(crate) fn of_row(message: &Message, row: &PropBag) -> Option<Self> {
        let text = |tag| row.text(tag).filter(|text| !text.is_empty()).map(str::to_owned);
        let method = row.int(tags::ATTACH_METHOD).unwrap_or(1);
        let name = [tags::ATTACH_LONG_FILENAME, tags::ATTACH_FILENAME, tags::DISPLAY_NAME];
        let content_type = text(tags::ATTACH_MIME_TAG).unwrap_or_else(|| {
            let usual =
                if method == EMBEDDED_MESSAGE { "message/rfc822" } else { "application/octet-stream" };
            usual.to_owned()
        });
        Some(Self {
            message: message.clone(),
            number: row.int(tags::ATTACH_NUMBER).and_then(|number| u32::try_from(number).ok())?,
            method,
            name: name.into_iter().find_map(text).unwrap_or_default(),
            size: row.int(tags::ATTACH_SIZE).and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            content_type,
            content_id: text(tags::ATTACH_CONTENT_ID).unwrap_or_default(),
        })
    }

    pub(crate) const fn message(&self) -> &Message {
        &self.message
    }

    /// Its number in the message.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Its name, as the message says it: nothing to be trusted as a path. Empty where it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes that it takes on the server, its properties included.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The MIME type.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// What an HTML body names it by (`cid:`); empty where it does not.
    #[must_use]
    pub fn content_id(&self) -> &str {
        &self.content_id
    }

    /// Whether it is a message.
    #[must_use]
    pub const fn is_message(&self) -> bool {
        self.method == EMBEDDED_MESSAGE
    }

    /// Its bytes; of a message, its mail.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn read(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let attachment = self.open().await?;
        if self.is_message() {
            let message = attachment.open_embedded(Access::ReadOnly).await?;
            return content::to_bytes(Arc::new(message)).await;
        }
        let mut stream = self.stream(&attachment).await?;
        loop {
            let piece = stream.read(PIECE).await?;
            if piece.is_empty() {
                return Ok(bytes);
            }
            bytes.extend_from_slice(&piece);
        }
    }

    /// Its bytes into a file, which is there whole or not at all; memory does not grow with it. When the path is a
    /// directory, the file gets the attachment's name there, made harmless. Returns where it is.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub async fn save(&self, path: impl AsRef<Path>) -> Result<PathBuf, Error> {
        let mut path = path.as_ref().to_owned();
        if path.is_dir() {
            path.push(self.harmless_name());
        }
        let attachment = self.open().await?;
        if self.is_message() {
            let message = attachment.open_embedded(Access::ReadOnly).await?;
            content::to_file(Arc::new(message), &path).await?;
            return Ok(path);
        }
        let mut stream = self.stream(&attachment).await?;
        let mut file = content::NewFile::create(&path)?;
        loop {
            let piece = stream.read(PIECE).await?;
            if piece.is_empty() {
                break;
            }
            file.push(&piece)?;
        }
        file.keep()?;
        Ok(path)
    }

    /// The name without what means something in a path; "attachment" where nothing is left.
    fn harmless_name(&self) -> String {
        let last = self.name.rsplit(['/', '\\']).next().unwrap_or_default();
        let kept: String = last.chars().filter(|c| !c.is_control()).collect();
        let kept = kept.trim().trim_start_matches('.');
        // File systems have names of 255 bytes; some room is left for ".part".
        let mut end = kept.len().min(240);
        while !kept.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        match kept.get(..end).unwrap_or_default() {
            "" if self.is_message() => format!("message-{}.eml", self.number),
            "" => format!("attachment-{}", self.number),
            name => name.to_owned(),
        }
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

    async fn open(&self) -> Result<client::Attachment, Error> {
        Ok(self.message.open().await?.open_attachment(self.number, Access::ReadOnly).await?)
    }

    async fn stream(&self, attachment: &client::Attachment) -> Result<Stream, Error> {
        let tag = if self.method == OLE { tags::ATTACH_DATA_OBJECT } else { tags::ATTACH_DATA_BINARY };
        Ok(attachment.open_stream(tag, OpenMode::ReadOnly).await?)
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("number", &self.number)
            .field("name", &self.name)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
