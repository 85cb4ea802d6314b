//! Messages written many at a time: as many as fit are made in one request, and saved in the next, once all that
//! belongs to them was taken.

use std::collections::HashMap;
use std::io;

use async_trait::async_trait;
use watertight_mapi::prop::wire::TaggedPropertyValue;
use watertight_mapi::prop::{LargeValue, Prop, PropBag, PropData, tags};
use watertight_mapi::rop::field::Empty;
use watertight_mapi::rop::property::SetPropertiesRequest;
use watertight_mapi::rop::{RequestBody, ResponseBody};
use watertight_mapi::store::{Attachment, MessageContent};
use watertight_mapi::{Mid, PropTag, PropType, PropValue};
use watertight_wire::to_u64;

use super::attachment;
use super::batch::{Answers, Batch, MAX_BYTES};
use super::message::{self, Associated, KEEP_OPEN};
use super::props::{MAX_VALUES, Problem, bytes_of, placed, size_of, too_large};
use super::recipient;
use super::stream::{self, MAX_WRITE, OpenMode};
use crate::error::{Error, SetupError};
use crate::folder::Folder;
use crate::handle::ServerHandle;

/// Objects that one request opens. The next one may save as many, and release those of the one before.
const MAX_OPENED: usize = 80;
/// Bytes of a request beside the ROP that is added: its header and a handle.
const OVERHEAD: usize = 32;
/// How deep messages may lie in messages.
const MAX_DEPTH: usize = 32;

/// A message to be written by [`Folder::add_messages`].
#[derive(Debug, Clone, Default)]
pub struct NewMessage {
    /// What it consists of. Numbers of attachments are not kept.
    pub content: MessageContent,
    /// Normal or FAI.
    pub associated: Associated,
    /// Whether it is read.
    pub read: bool,
}

/// A message that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Its id.
    pub id: Mid,
    /// Properties that the server did not take, of the message or of what is in it; places are those among all of the
    /// object.
    pub problems: Vec<Problem>,
}

/// Where the [`PropData::Large`] values of messages to be written lie.
#[async_trait]
pub trait LargeSource: Send + Sync {
    /// Up to `len` bytes of the value from `offset`; fewer only at its end.
    async fn read(&self, value: LargeValue, offset: u64, len: usize) -> io::Result<Vec<u8>>;
}

/// There are no large values.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLarge;

#[async_trait]
impl LargeSource for NoLarge {
    async fn read(&self, _: LargeValue, _: u64, _: usize) -> io::Result<Vec<u8>> {
        Err(io::Error::new(io::ErrorKind::NotFound, "there are no large values"))
    }
}

impl Folder {
    /// Writes messages with their recipients, attachments and the messages in them, in as few requests as that takes.
    /// One is saved only when the server took all that belongs to it, but for single properties that it refuses (see
    /// [`Added::problems`]). What a request cannot carry is written through streams, large values in pieces.
    ///
    /// # Errors
    /// An inner one is about that message alone, which was not saved then. The outer one ends the session's use; some
    /// of the messages may have been saved.
    pub async fn add_messages(
        &self,
        messages: &[NewMessage],
        large: &dyn LargeSource,
    ) -> Result<Vec<Result<Added, Error>>, Error> {
        // All names at once.
        let mut names = Vec::new();
        messages.iter().for_each(|message| collect_names(&message.content, &mut names, 0));
        self.logon().tags_of(&names).await?;
        drop(names);
        let mut work = Work {
            folder: self,
            large,
            batch: Batch::default(),
            opened: 0,
            pending: Vec::new(),
            slots: 0,
            open: HashMap::new(),
            fresh: HashMap::new(),
            closing: Vec::new(),
            messages: messages.iter().map(|_| State::default()).collect(),
            ready: Vec::new(),
        };
        for (number, message) in messages.iter().enumerate() {
            let first = work.slots;
            match work.message(number, message).await {
                Ok(()) => {}
                Err(Stop::All(error)) => return Err(error),
                Err(Stop::One(error)) => {
                    work.fail(number, error);
                    work.closing.extend(first..work.slots);
                }
            }
        }
        while !work.batch.is_empty() || !work.ready.is_empty() {
            work.flush().await?;
        }
        Ok(work.messages.into_iter().map(State::outcome).collect())
    }

    /// Writes one message; as [`Folder::add_messages`].
    ///
    /// # Errors
    /// As [`Folder::add_messages`].
    pub async fn add_message(&self, message: &NewMessage, large: &dyn LargeSource) -> Result<Added, Error> {
        let added = self.add_messages(std::slice::from_ref(message), large).await?;
        added.into_iter().next().unwrap_or(Err(Error::Closed))
    }
}

fn collect_names(content: &MessageContent, names: &mut Vec<Prop>, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    let bags = std::iter::once(&content.props).chain(content.attachments.iter().map(|a| &a.props));
    let named = bags.flat_map(|bag| &bag.0).filter_map(|prop| Some((prop.tag, prop.name.clone()?)));
    names.extend(named.map(|(tag, name)| Prop {
        tag,
        name: Some(name),
        value: PropData::Inline(PropValue::Null),
    }));
    for embedded in content.attachments.iter().filter_map(|a| a.embedded.as_deref()) {
        collect_names(embedded, names, depth.saturating_add(1));
    }
}

/// What ends the writing of one message, or of all.
enum Stop {
    One(Error),
    All(Error),
}

/// What is wrong with what is to be written is about that message; what a request met is about all.
impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Setup(_) | Error::Refused { .. } => Self::One(error),
            error => Self::All(error),
        }
    }
}

impl From<SetupError> for Stop {
    fn from(error: SetupError) -> Self {
        Self::One(error.into())
    }
}

/// How far a message is.
#[derive(Default)]
struct State {
    id: Option<Mid>,
    problems: Vec<Problem>,
    failed: Option<Error>,
}

impl State {
    fn outcome(self) -> Result<Added, Error> {
        match (self.failed, self.id) {
            (Some(error), _) => Err(error),
            (None, Some(id)) => Ok(Added { id, problems: self.problems }),
            (None, None) => Err(crate::logon::unexpected("RopSaveChangesMessage gave no id")),
        }
    }
}

/// An object on the server, in the order in which they are opened.
type Slot = usize;

/// What an answer that is waited for is about.
enum About {
    /// An object that is opened in this place.
    Opened(Slot, u8),
    /// Properties of these places.
    Set(Vec<Option<usize>>),
    Saved,
    Done,
}

struct Work<'a> {
    folder: &'a Folder,
    large: &'a dyn LargeSource,
    batch: Batch,
    /// Objects that the request opens.
    opened: usize,
    /// The answer's number, the message's, and what it is about.
    pending: Vec<(usize, usize, About)>,
    slots: Slot,
    open: HashMap<Slot, ServerHandle>,
    /// Those that this request opens, and their place in its table.
    fresh: HashMap<Slot, u8>,
    /// Those that are not needed after this request.
    closing: Vec<Slot>,
    messages: Vec<State>,
    /// Messages that are complete in this request, to be saved in the next.
    ready: Vec<(usize, Slot)>,
}

impl Work<'_> {
    fn fail(&mut self, number: usize, error: Error) {
        if let Some(state) = self.messages.get_mut(number)
            && state.failed.is_none()
        {
            state.failed = Some(error);
        }
    }

    fn has_failed(&self, number: usize) -> bool {
        self.messages.get(number).is_none_or(|state| state.failed.is_some())
    }

    async fn message(&mut self, number: usize, message: &NewMessage) -> Result<(), Stop> {
        let (folder, associated) = (self.folder.id(), message.associated);
        self.room(OVERHEAD).await?;
        let index = self.batch.object(self.folder.handle().raw());
        let slot = self.opens(number, index, |output| message::create(output, folder, associated))?;
        // mfRead counts until the first save — [MS-OXCMSG] 2.2.1.6.
        let flags = message.content.props.int(tags::MESSAGE_FLAGS).unwrap_or_default();
        let flags = if message.read { flags | 1 } else { flags & !1 };
        self.content(number, slot, &message.content, Some(flags), 0).await?;
        self.ready.push((number, slot));
        Ok(())
    }

    async fn content(
        &mut self,
        number: usize,
        slot: Slot,
        content: &MessageContent,
        flags: Option<i32>,
        depth: usize,
    ) -> Result<(), Stop> {
        if depth > MAX_DEPTH {
            let what = "a message in a message".to_owned();
            return Err(SetupError::TooDeep { what, limit: MAX_DEPTH }.into());
        }
        self.props(number, slot, &content.props, flags).await?;
        let recipients: Vec<_> = (0..).zip(content.recipients.iter().map(Some)).collect();
        let (requests, _) = recipient::modifications(&recipients)?;
        for request in requests {
            self.push(number, slot, RequestBody::ModifyRecipients(request), About::Done).await?;
        }
        for attachment in &content.attachments {
            self.attachment(number, slot, attachment, depth).await?;
        }
        Ok(())
    }

    async fn attachment(
        &mut self,
        number: usize,
        message: Slot,
        content: &Attachment,
        depth: usize,
    ) -> Result<(), Stop> {
        self.room(OVERHEAD).await?;
        let Some(index) = self.index(message) else { return Ok(()) };
        let slot = self.opens(number, index, attachment::create)?;
        self.props(number, slot, &content.props, None).await?;
        if let Some(embedded) = &content.embedded {
            self.room(OVERHEAD).await?;
            let Some(index) = self.index(slot) else { return Ok(()) };
            let inner = self.opens(number, index, attachment::create_embedded)?;
            let depth = depth.saturating_add(1);
            Box::pin(self.content(number, inner, embedded, None, depth)).await?;
            self.save(number, slot, inner).await?;
            self.closing.push(inner);
        }
        self.room(OVERHEAD).await?;
        let (Some(around), Some(index)) = (self.index(message), self.index(slot)) else { return Ok(()) };
        let at = self.batch.push(around, attachment::save(index))?;
        self.pending.push((at, number, About::Done));
        self.closing.push(slot);
        Ok(())
    }

    /// Sets properties; `flags` stands in for PidTagMessageFlags.
    async fn props(
        &mut self,
        number: usize,
        slot: Slot,
        bag: &PropBag,
        flags: Option<i32>,
    ) -> Result<(), Stop> {
        let tags = self.folder.logon().tags_of(&bag.0).await?;
        let mut values = Vec::new();
        let mut places = Vec::new();
        let mut size = 0_usize;
        if let Some(flags) = flags {
            values.push(TaggedPropertyValue::new(tags::MESSAGE_FLAGS, flags.into()));
            places.push(None);
        }
        for (place, (tag, prop)) in tags.into_iter().zip(&bag.0).enumerate() {
            let given = flags.is_some() && tag.id() == tags::MESSAGE_FLAGS.id();
            // The number is the server's choice, the object is the embedded message.
            if given || tag == tags::ATTACH_NUMBER || tag == tags::ATTACH_DATA_OBJECT {
                continue;
            }
            match &prop.value {
                PropData::Inline(value) => {
                    let value = TaggedPropertyValue::new(tag, value.clone());
                    let bytes = size_of(&value)?;
                    // An object has no value in RopSetProperties, only a stream.
                    if bytes > MAX_VALUES || value.value.ty() == PropType::Object {
                        let Some(bytes) = bytes_of(&value.value) else {
                            return Err(too_large(tag, to_u64(MAX_VALUES)).into());
                        };
                        self.stream(number, slot, tag, Bytes::Here(&bytes)).await?;
                        continue;
                    }
                    if size.saturating_add(bytes) > MAX_VALUES {
                        let (values, places) = (std::mem::take(&mut values), std::mem::take(&mut places));
                        self.set(number, slot, values, places).await?;
                        size = 0;
                    }
                    size = size.saturating_add(bytes);
                    values.push(value);
                    places.push(Some(place));
                }
                PropData::Large(value) => {
                    self.stream(number, slot, tag, Bytes::There(*value)).await?;
                }
            }
        }
        if values.is_empty() { Ok(()) } else { self.set(number, slot, values, places).await }
    }

    async fn set(
        &mut self,
        number: usize,
        slot: Slot,
        values: Vec<TaggedPropertyValue>,
        places: Vec<Option<usize>>,
    ) -> Result<(), Stop> {
        let request = RequestBody::SetProperties(SetPropertiesRequest { values: values.into() });
        self.push(number, slot, request, About::Set(places)).await
    }

    async fn stream(
        &mut self,
        number: usize,
        slot: Slot,
        tag: PropTag,
        bytes: Bytes<'_>,
    ) -> Result<(), Stop> {
        self.room(OVERHEAD).await?;
        let Some(index) = self.index(slot) else { return Ok(()) };
        let stream = self.opens(number, index, |output| stream::open(output, tag, OpenMode::Create))?;
        let mut at = 0_u64;
        while at < bytes.len() && !self.has_failed(number) {
            let piece = match bytes {
                Bytes::Here(bytes) => {
                    let rest = bytes.get(to_index(at)..).unwrap_or_default();
                    rest.get(..MAX_WRITE).unwrap_or(rest).to_vec()
                }
                Bytes::There(value) => {
                    let len = usize::try_from(value.len.saturating_sub(at)).unwrap_or(MAX_WRITE);
                    let read = self.large.read(value, at, len.min(MAX_WRITE)).await;
                    read.map_err(|error| SetupError::Source { what: format!("the value of {tag}"), error })?
                }
            };
            if piece.is_empty() {
                let error = io::ErrorKind::UnexpectedEof.into();
                return Err(SetupError::Source { what: format!("the value of {tag}"), error }.into());
            }
            at = at.saturating_add(to_u64(piece.len()));
            self.push(number, stream, stream::write(&piece), About::Done).await?;
        }
        self.push(number, stream, RequestBody::CommitStream(Empty), About::Done).await?;
        self.closing.push(stream);
        Ok(())
    }

    /// Saves a message into its attachment.
    async fn save(&mut self, number: usize, attachment: Slot, slot: Slot) -> Result<(), Stop> {
        self.room(OVERHEAD).await?;
        let (Some(around), Some(index)) = (self.index(attachment), self.index(slot)) else { return Ok(()) };
        let at = self.batch.push(around, message::save(index, KEEP_OPEN))?;
        self.pending.push((at, number, About::Done));
        Ok(())
    }

    /// Adds a ROP on an object, in a request that has room for it.
    async fn push(&mut self, number: usize, slot: Slot, body: RequestBody, about: About) -> Result<(), Stop> {
        let size = match &body {
            // What it takes is known.
            RequestBody::WriteStream(write) => write.data.0.len().saturating_add(OVERHEAD),
            body => body_size(body)?.saturating_add(OVERHEAD),
        };
        self.room(size).await?;
        // An object that could not be opened has failed its message already.
        let Some(index) = self.index(slot) else { return Ok(()) };
        let at = self.batch.push(index, body)?;
        self.pending.push((at, number, about));
        Ok(())
    }

    fn opens(
        &mut self,
        number: usize,
        index: u8,
        body: impl FnOnce(u8) -> RequestBody,
    ) -> Result<Slot, Stop> {
        let (at, output) = self.batch.open(index, body)?;
        let slot = self.slots;
        self.slots = slot.saturating_add(1);
        self.opened = self.opened.saturating_add(1);
        self.fresh.insert(slot, output);
        self.pending.push((at, number, About::Opened(slot, output)));
        Ok(slot)
    }

    /// The place of an object in the request's table.
    fn index(&mut self, slot: Slot) -> Option<u8> {
        if let Some(output) = self.fresh.get(&slot) {
            return Some(*output);
        }
        let handle = self.open.get(&slot)?.raw();
        Some(self.batch.object(handle))
    }

    /// Sends what there is when it has no room for so many bytes, or for one more object.
    async fn room(&mut self, bytes: usize) -> Result<(), Stop> {
        let full = self.batch.size().saturating_add(bytes) > MAX_BYTES || self.opened >= MAX_OPENED;
        if full && !self.batch.is_empty() {
            self.flush().await.map_err(Stop::All)?;
        }
        Ok(())
    }

    /// Sends the request; what was complete in it is saved by the next one.
    async fn flush(&mut self) -> Result<(), Error> {
        let batch = std::mem::take(&mut self.batch);
        self.opened = 0;
        let mut answers = batch.ask(&self.folder.logon().requester).await?;
        for (at, number, about) in std::mem::take(&mut self.pending) {
            if let Err(error) = self.answered(&mut answers, at, number, about) {
                self.fail(number, error);
            }
        }
        self.fresh.clear();
        for slot in std::mem::take(&mut self.closing) {
            self.open.remove(&slot);
        }
        drop(answers);
        for (number, slot) in std::mem::take(&mut self.ready) {
            self.closing.push(slot);
            if self.has_failed(number) {
                continue;
            }
            if let Some(index) = self.index(slot) {
                let logon = self.batch.object(self.folder.logon().handle().raw());
                let at = self.batch.push(logon, message::save(index, KEEP_OPEN))?;
                self.pending.push((at, number, About::Saved));
            }
        }
        if self.batch.is_empty() {
            for slot in std::mem::take(&mut self.closing) {
                self.open.remove(&slot);
            }
        }
        Ok(())
    }

    fn answered(
        &mut self,
        answers: &mut Answers,
        at: usize,
        number: usize,
        about: About,
    ) -> Result<(), Error> {
        let body = answers.body(at)?;
        match (about, body) {
            (About::Opened(slot, output), _) => {
                let handle = answers.object(output)?;
                self.open.insert(slot, handle);
            }
            (About::Set(places), Some(ResponseBody::SetProperties(response))) => {
                let problems = placed(response.problems.0, places.len())?;
                if let Some(state) = self.messages.get_mut(number) {
                    state.problems.extend(problems.into_iter().filter_map(|problem| {
                        // The flags are not the caller's.
                        let index = places.get(problem.index).copied().flatten()?;
                        Some(Problem { index, ..problem })
                    }));
                }
            }
            (About::Saved, Some(ResponseBody::SaveChangesMessage(response))) => {
                if let Some(state) = self.messages.get_mut(number) {
                    state.id = Some(response.message_id);
                }
            }
            (About::Set(_) | About::Saved, _) => return Err(answers.bodiless(at)),
            (About::Done, _) => {}
        }
        Ok(())
    }
}

/// Where the bytes of a stream come from.
#[derive(Clone, Copy)]
enum Bytes<'a> {
    Here(&'a [u8]),
    There(LargeValue),
}

impl Bytes<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Here(bytes) => to_u64(bytes.len()),
            Self::There(value) => value.len,
        }
    }
}

/// A position in bytes that are here.
fn to_index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// Bytes of a ROP on the wire.
fn body_size(body: &RequestBody) -> Result<usize, Stop> {
    use watertight_wire::Wire as _;
    let request = watertight_mapi::rop::Request::new(0, body.clone());
    Ok(request.to_bytes().map_err(SetupError::NoWireForm)?.len())
}
