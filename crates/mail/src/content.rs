//! A message of the server as mail: its properties in memory, its large values passed through in pieces.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use watertight_mapi::PropTag;
use watertight_mapi::prop::{LargeValue, PropBag, PropData, tags};
use watertight_mapi::store::{Attachment, MessageContent};
use watertight_mapi_client::{self as client, Access, OpenMode, SeekFrom, Stream};
use watertight_mapi_mime::{ExportOptions, LargeSource, export};
use watertight_wire::to_u64;

use crate::Error;

/// How deep messages in attachments are followed.
const MAX_DEPTH: usize = 32;
/// How many attachments are read, with those of embedded messages.
const MAX_ATTACHMENTS: usize = 0x1_0000;
/// afEmbeddedMessage — [MS-OXCMSG] 2.2.2.9.
const EMBEDDED_MESSAGE: i32 = 5;

/// The mail of a message, in memory.
pub(crate) async fn to_bytes(message: Arc<client::Message>) -> Result<Vec<u8>, Error> {
    exported(message, |content, source| {
        let mut bytes = Vec::new();
        export(content, source, &mut bytes, &ExportOptions::default())?;
        Ok(bytes)
    })
    .await
}

/// The mail of a message, in a file.
pub(crate) async fn to_file(message: Arc<client::Message>, path: &Path) -> Result<u64, Error> {
    let path = path.to_owned();
    exported(message, move |content, source| {
        let mut file = NewFile::create(&path)?;
        let done = export(content, source, &mut file, &ExportOptions::default())?;
        file.keep()?;
        Ok(done.bytes)
    })
    .await
}

/// Reads the message and writes it on a thread where waiting is allowed, for large values come from the server.
async fn exported<T: Send + 'static>(
    message: Arc<client::Message>,
    write: impl FnOnce(&MessageContent, &mut Remote) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let mut places = Vec::new();
    let mut left = MAX_ATTACHMENTS;
    let content = read(&message, &mut Vec::new(), &mut places, &mut left).await?;
    // Gone when nobody waits any more.
    let wanted = Arc::new(());
    let mut source =
        Remote { handle: Handle::current(), message, places, current: None, wanted: Arc::downgrade(&wanted) };
    let written = tokio::task::spawn_blocking(move || write(&content, &mut source)).await;
    drop(wanted);
    written.map_err(|error| Error::io("the mail could not be written", io::Error::other(error)))?
}

/// One step from a message to what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Attachment(u32),
    Embedded,
}

/// Where a large value is.
struct Place {
    path: Vec<Step>,
    tag: PropTag,
}

/// Everything in a message; large values get the numbers of their places.
async fn read(
    message: &client::Message,
    path: &mut Vec<Step>,
    places: &mut Vec<Place>,
    left: &mut usize,
) -> Result<MessageContent, Error> {
    let props = placed(message.all_props().await?, path, places);
    let recipients = message.recipients().await?.into_iter().map(|recipient| recipient.props).collect();
    let mut attachments = Vec::new();
    for row in message.attachments().await? {
        let number = row.int(tags::ATTACH_NUMBER).and_then(|number| u32::try_from(number).ok());
        let Some(number) = number else { continue };
        *left = left.checked_sub(1).ok_or_else(|| {
            Error::refused(watertight_mapi::MapiCode::TooBig, "the message has too many attachments")
        })?;
        let attachment = message.open_attachment(number, Access::ReadOnly).await?;
        path.push(Step::Attachment(number));
        let props = placed(attachment.all_props().await?, path, places);
        let mut embedded = None;
        if props.int(tags::ATTACH_METHOD) == Some(EMBEDDED_MESSAGE)
            && path.len() < MAX_DEPTH.saturating_mul(2)
        {
            let inner = attachment.open_embedded(Access::ReadOnly).await?;
            path.push(Step::Embedded);
            embedded = Some(Box::new(Box::pin(read(&inner, path, places, left)).await?));
            path.pop();
        }
        path.pop();
        attachments.push(Attachment { number, props, embedded });
    }
    Ok(MessageContent { props, recipients, attachments })
}

/// Gives the large values of an object the numbers of their places.
fn placed(mut bag: PropBag, path: &[Step], places: &mut Vec<Place>) -> PropBag {
    for prop in &mut bag.0 {
        if let PropData::Large(value) = &mut prop.value {
            value.id = to_u64(places.len());
            places.push(Place { path: path.to_vec(), tag: prop.tag });
        }
    }
    // What could not be read is not there.
    bag.0.retain(|prop| !matches!(prop.value, PropData::Inline(watertight_mapi::PropValue::Error(_))));
    bag
}

/// Large values, read from the server when they are needed. One is open at a time.
struct Remote {
    handle: Handle,
    message: Arc<client::Message>,
    places: Vec<Place>,
    current: Option<Current>,
    wanted: Weak<()>,
}

struct Current {
    id: u64,
    stream: Stream,
    /// What the stream belongs to, the innermost last.
    _held: Vec<Held>,
}

enum Held {
    Message(client::Message),
    Attachment(client::Attachment),
}

impl LargeSource for Remote {
    fn read(&mut self, value: LargeValue, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        if self.wanted.strong_count() == 0 {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        let handle = self.handle.clone();
        let bytes = handle.block_on(self.piece(value.id, offset, buf.len())).map_err(io::Error::other)?;
        let room = buf.get_mut(..bytes.len()).ok_or_else(|| io::Error::other("more bytes than asked for"))?;
        room.copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Remote {
    async fn piece(&mut self, id: u64, offset: u64, most: usize) -> Result<Vec<u8>, Error> {
        if self.current.as_ref().is_none_or(|current| current.id != id) {
            self.current = None;
            self.current = Some(self.open(id).await?);
        }
        let Some(current) = &mut self.current else { return Ok(Vec::new()) };
        if current.stream.position() != offset {
            current.stream.seek(SeekFrom::Start(offset)).await?;
        }
        Ok(current.stream.read(most).await?)
    }

    async fn open(&self, id: u64) -> Result<Current, Error> {
        let lost = || Error::not_found("a value of the message is not where it was");
        let at = usize::try_from(id).ok().and_then(|at| self.places.get(at)).ok_or_else(lost)?;
        let mut held: Vec<Held> = Vec::new();
        for step in &at.path {
            let next = match (step, held.last()) {
                (Step::Attachment(number), None) => {
                    Held::Attachment(self.message.open_attachment(*number, Access::ReadOnly).await?)
                }
                (Step::Attachment(number), Some(Held::Message(message))) => {
                    Held::Attachment(message.open_attachment(*number, Access::ReadOnly).await?)
                }
                (Step::Embedded, Some(Held::Attachment(attachment))) => {
                    Held::Message(attachment.open_embedded(Access::ReadOnly).await?)
                }
                _ => return Err(lost()),
            };
            held.push(next);
        }
        let stream = match held.last() {
            None => self.message.open_stream(at.tag, OpenMode::ReadOnly).await?,
            Some(Held::Message(message)) => message.open_stream(at.tag, OpenMode::ReadOnly).await?,
            Some(Held::Attachment(attachment)) => attachment.open_stream(at.tag, OpenMode::ReadOnly).await?,
        };
        Ok(Current { id, stream, _held: held })
    }
}

/// A file that is there when it is kept, and leaves nothing otherwise.
pub(crate) struct NewFile {
    file: Option<File>,
    part: PathBuf,
    path: PathBuf,
}

/// Makes the names of files that are being written differ.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl NewFile {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let name = path
            .file_name()
            .ok_or_else(|| Error::invalid(format!("{} is no name of a file", path.display())))?;
        let mut part = std::ffi::OsString::from(".");
        part.push(name);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        part.push(format!(".{}-{n}.part", std::process::id()));
        let part = path.with_file_name(part);
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&part)
            .map_err(|error| Error::io(path.display(), error))?;
        Ok(Self { file: Some(file), part, path: path.to_owned() })
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.write_all(bytes).map_err(|error| Error::io(self.path.display(), error))
    }

    /// The file is whole.
    pub(crate) fn keep(mut self) -> Result<(), Error> {
        let Some(file) = self.file.take() else { return Ok(()) };
        drop(file);
        fs::rename(&self.part, &self.path).map_err(|error| {
            let _ = fs::remove_file(&self.part);
            Error::io(self.path.display(), error)
        })
    }
}

impl Write for NewFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(buf),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mail.eml");
        let mut file = NewFile::create(&path).unwrap();
        file.push(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let mut file = NewFile::create(&path).unwrap();
        file.push(b"whole").unwrap();
        file.keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(NewFile::create(&dir.path().join("no/such/place")).is_err());
        assert!(NewFile::create(Path::new("/")).is_err());
    }
}
