//! Streams over one property — [MS-OXCPRPT] 3.2.5.11 to 3.2.5.24.
//!
//! A short value is held; what grows past [`INLINE_LIMIT`] lies in the store and is read and written in pieces.

mod copy;
mod narrow;

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use watertight_mapi::{
    MapiCode, PropName, PropTag, PropType, PropValue,
    prop::{LargeValue, Prop, PropBag, PropData},
    rop::{
        Request, ResponseBody,
        field::{Bytes16, Empty},
        stream::{
            GetStreamSizeResponse, OpenStreamRequest, OpenStreamResponse, ReadStreamRequest,
            ReadStreamResponse, SeekStreamRequest, SeekStreamResponse, SetStreamSizeRequest, USE_MAXIMUM,
            WriteStreamRequest, WrittenResponse,
        },
    },
    store::{FolderId, INLINE_LIMIT, Mailbox},
};
use watertight_wire::{Reader, to_u64, to_usize};

use super::{
    Answer, Outcome, Session, failed,
    logon::Logon,
    object::{AttachmentObject, MessageObject, Object},
    property::{put_stream, set_on_message, stored},
    refused, text,
};

/// OpenModeFlags — [MS-OXCPRPT] 2.2.14.1: ReadOnly, ReadWrite, Create, BestAccess.
const READ_ONLY: u8 = 0;
const CREATE: u8 = 2;
const BEST_ACCESS: u8 = 3;
/// The longest stream — [MS-OXCPRPT] 2.2.20.1.
const MOST: u64 = 0x7fff_ffff;
/// Bytes that are copied at once.
const PIECE: usize = INLINE_LIMIT;

/// A large value of the store that no message owns yet. Unless it is kept, it is forgotten when nobody holds it any more.
pub(super) struct Spill {
    mailbox: Arc<dyn Mailbox>,
    id: u64,
    kept: AtomicBool,
}

impl Spill {
    async fn new(logon: &Logon) -> Result<Arc<Self>, MapiCode> {
        let id = logon.mailbox.create_large().await.map_err(failed)?;
        Ok(Arc::new(Self { mailbox: Arc::clone(&logon.mailbox), id, kept: AtomicBool::new(false) }))
    }

    /// A value with the bytes of another.
    pub(super) async fn copy(logon: &Logon, value: LargeValue) -> Result<Arc<Self>, MapiCode> {
        let spill = Self::new(logon).await?;
        let mut at = 0;
        while at < value.len {
            let piece = logon.mailbox.read_large(value.id, at, PIECE).await.map_err(failed)?;
            if piece.is_empty() {
                break;
            }
            logon.mailbox.write_large(spill.id, at, &piece).await.map_err(failed)?;
            at = at.saturating_add(to_u64(piece.len()));
        }
        Ok(spill)
    }

    /// Under which number the store has it.
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    /// A message owns the value now, when it is among those that the message refers to.
    pub(super) fn keep_if(&self, referred: &HashSet<u64>) {
        if referred.contains(&self.id) {
            self.kept.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if self.kept.load(Ordering::Relaxed) {
            return;
        }
        // Without a runtime the store forgets it when it is next opened.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (mailbox, id) = (Arc::clone(&self.mailbox), self.id);
            runtime.spawn(async move { mailbox.discard_large(id).await });
        }
    }
}

/// An open stream.
pub(super) struct Stream {
    owner: Owner,
    tag: PropTag,
    name: Option<Arc<PropName>>,
    writable: bool,
    data: Data,
    position: u64,
    dirty: bool,
}

/// Whose property it is.
enum Owner {
    Message(Arc<MessageObject>),
    Attachment(Arc<AttachmentObject>),
    Folder(FolderId),
}

/// Where the bytes are.
enum Data {
    /// Here.
    Inline(Vec<u8>),
    /// In the store; `own` when this stream made the value and may write into it.
    Large { value: LargeValue, own: Option<Arc<Spill>> },
}

impl Stream {
    fn len(&self) -> u64 {
        match &self.data {
            Data::Inline(bytes) => to_u64(bytes.len()),
            Data::Large { value, .. } => value.len,
        }
    }

    async fn read(&mut self, logon: &Logon, most: usize) -> Result<Vec<u8>, MapiCode> {
        let bytes = match &self.data {
            Data::Inline(bytes) => {
                let at = usize::try_from(self.position).unwrap_or(usize::MAX);
                let rest = bytes.get(at..).unwrap_or_default();
                rest.get(..most).unwrap_or(rest).to_vec()
            }
            Data::Large { value, .. } if self.position >= value.len => Vec::new(),
            Data::Large { value, .. } => {
                logon.mailbox.read_large(value.id, self.position, most).await.map_err(failed)?
            }
        };
        self.position = self.position.saturating_add(to_u64(bytes.len()));
        Ok(bytes)
    }

    /// Moves the bytes into a value of the store that this stream alone refers to.
    async fn spill(&mut self, logon: &Logon) -> Result<u64, MapiCode> {
        if let Data::Large { value, own: Some(spill) } = &self.data
            && Arc::strong_count(spill) == 1
            && !spill.kept.load(Ordering::Relaxed)
        {
            return Ok(value.id);
        }
        let len = self.len();
        let spill = match &self.data {
            Data::Inline(bytes) => {
                let spill = Spill::new(logon).await?;
                logon.mailbox.write_large(spill.id, 0, bytes).await.map_err(failed)?;
                spill
            }
            Data::Large { value, .. } => Spill::copy(logon, *value).await?,
        };
        let id = spill.id;
        self.data = Data::Large { value: LargeValue { id, len }, own: Some(spill) };
        Ok(id)
    }

    async fn write(&mut self, logon: &Logon, bytes: &[u8]) -> Result<(), MapiCode> {
        let end = self.position.saturating_add(to_u64(bytes.len()));
        if end > MOST {
            return Err(MapiCode::StreamSizeError);
        }
        if self.position > self.len() {
            self.resize(logon, self.position).await?;
        }
        if let Data::Inline(held) = &mut self.data
            && end <= to_u64(INLINE_LIMIT)
        {
            let (at, end) = (to_index(self.position), to_index(end));
            if held.len() < end {
                held.resize(end, 0);
            }
            if let Some(slot) = held.get_mut(at..end) {
                slot.copy_from_slice(bytes);
            }
        } else {
            let id = self.spill(logon).await?;
            logon.mailbox.write_large(id, self.position, bytes).await.map_err(failed)?;
            if let Data::Large { value, .. } = &mut self.data {
                value.len = value.len.max(end);
            }
        }
        self.position = end;
        self.dirty = true;
        Ok(())
    }

    async fn resize(&mut self, logon: &Logon, len: u64) -> Result<(), MapiCode> {
        if len > MOST {
            return Err(MapiCode::StreamSizeError);
        }
        if let Data::Inline(held) = &mut self.data
            && len <= to_u64(INLINE_LIMIT)
        {
            held.resize(to_index(len), 0);
        } else {
            let id = self.spill(logon).await?;
            logon.mailbox.resize_large(id, len).await.map_err(failed)?;
            if let Data::Large { value, .. } = &mut self.data {
                value.len = len;
            }
        }
        self.dirty = true;
        Ok(())
    }

    /// The value as a property has it, short ones in their own type; and what holds the bytes of a long one.
    async fn property(
        &mut self,
        logon: &Logon,
        code_page: u32,
    ) -> Result<(Prop, Option<Arc<Spill>>), MapiCode> {
        if let Data::Large { value, .. } = &self.data
            && value.len <= to_u64(INLINE_LIMIT)
        {
            let len = to_index(value.len);
            let bytes = logon.mailbox.read_large(value.id, 0, len).await.map_err(failed)?;
            self.data = Data::Inline(bytes);
        }
        let (value, spill) = match &self.data {
            Data::Inline(bytes) => {
                let value = match self.tag.ty() {
                    PropType::Unicode => PropValue::Unicode(trimmed(Reader::decode_utf16le(bytes))),
                    PropType::String8 => PropValue::Unicode(trimmed(text::decode(code_page, bytes))),
                    PropType::Object => PropValue::Object(bytes.clone()),
                    _ => PropValue::Binary(bytes.clone()),
                };
                (PropData::Inline(value), None)
            }
            Data::Large { value, .. } if self.tag.ty() == PropType::String8 => {
                narrow::widen(logon, *value, code_page).await?
            }
            Data::Large { value, own } => (PropData::Large(*value), own.clone()),
        };
        let ty = match (&value, self.tag.ty()) {
            (_, PropType::String8) => PropType::Unicode,
            (_, ty) => ty,
        };
        Ok((Prop { tag: self.tag.with_type(ty), name: self.name.clone(), value }, spill))
    }

    /// Whether it is over a property of that object.
    fn is_of(&self, object: &Object) -> bool {
        match (&self.owner, object) {
            (Owner::Message(own), Object::Message(other)) => Arc::ptr_eq(own, other),
            (Owner::Attachment(own), Object::Attachment(other)) => Arc::ptr_eq(own, other),
            _ => false,
        }
    }

    /// What was written to a property of a message or attachment needs no RopCommitStream: that is for folders
    /// (2.2.18).
    pub(super) async fn settle(&mut self, logon: &Logon, code_page: u32) -> Result<(), MapiCode> {
        match &self.owner {
            Owner::Folder(_) => Ok(()),
            Owner::Message(_) | Owner::Attachment(_) => self.commit(logon, code_page).await,
        }
    }

    /// Puts the value into the object; it reaches the store when that is saved (folders at once).
    async fn commit(&mut self, logon: &Logon, code_page: u32) -> Result<(), MapiCode> {
        if !self.dirty {
            return Ok(());
        }
        let (prop, spill) = self.property(logon, code_page).await?;
        match &self.owner {
            Owner::Message(message) => {
                let mut state = message.state();
                state.spills.extend(spill);
                set_on_message(&mut state.content.props, prop);
                state.dirty = true;
            }
            Owner::Attachment(attachment) => {
                let mut state = attachment.state();
                state.spills.extend(spill);
                put_stream(&mut state.attachment.props, prop);
            }
            Owner::Folder(id) => {
                if matches!(prop.value, PropData::Large(_)) {
                    return Err(MapiCode::NotEnoughMemory);
                }
                logon.mailbox.change_folder(*id, vec![prop], Vec::new()).await.map_err(failed)?;
            }
        }
        self.dirty = false;
        Ok(())
    }
}

/// A position that is known to be below [`INLINE_LIMIT`].
fn to_index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(INLINE_LIMIT).min(INLINE_LIMIT)
}

/// Without the terminator that some clients write.
fn trimmed(mut text: String) -> String {
    while text.ends_with('\0') {
        text.pop();
    }
    text.retain(|c| c != '\0');
    text
}

/// The bytes that a stream over the value has.
fn bytes_of(value: &PropValue, tag: PropTag, code_page: u32) -> Option<Vec<u8>> {
    Some(match (value, tag.ty()) {
        (PropValue::Unicode(text), PropType::Unicode) => {
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }
        (PropValue::Unicode(text), PropType::String8) => text::encode(code_page, text),
        (PropValue::Binary(bytes), PropType::Binary)
        | (PropValue::Object(bytes) | PropValue::Binary(bytes), PropType::Object)
        | (PropValue::Object(bytes), PropType::Binary) => bytes.clone(),
        _ => return None,
    })
}

impl Session {
    /// Before a message or attachment is saved: what was written to its streams belongs to it.
    pub(super) async fn settle_streams(&mut self, request: &Request, handle: u32) -> Result<(), MapiCode> {
        let logon = self.logon(request)?;
        let object = match self.handles.get(request.logon_id, handle)? {
            Object::Message(message) => Object::Message(Arc::clone(message)),
            Object::Attachment(attachment) => Object::Attachment(Arc::clone(attachment)),
            _ => return Ok(()),
        };
        for stream in self.handles.streams_mut(request.logon_id).filter(|stream| stream.is_of(&object)) {
            stream.settle(&logon, self.origin.code_page).await?;
        }
        Ok(())
    }

    fn stream(&mut self, request: &Request, handle: u32) -> Result<&mut Stream, MapiCode> {
        match self.handles.get_mut(request.logon_id, handle)? {
            Object::Stream(stream) => Ok(stream),
            _ => Err(MapiCode::NotSupported),
        }
    }

    /// RopOpenStream — [MS-OXCPRPT] 3.2.5.11.
    pub(super) async fn rop_open_stream(
        &self,
        request: &Request,
        handle: u32,
        body: &OpenStreamRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let code_page = self.origin.code_page;
        let tag = body.tag;
        let streamed = [PropType::Binary, PropType::Object, PropType::Unicode, PropType::String8];
        if !streamed.contains(&tag.ty()) || body.open_mode_flags > BEST_ACCESS {
            return refused(MapiCode::NotSupported);
        }
        let find = |bag: &PropBag| stored(bag, tag);
        let (owner, may_write, found) = match self.handles.get(request.logon_id, handle)? {
            Object::Message(message) => {
                let found = find(&message.state().content.props);
                (Owner::Message(Arc::clone(message)), message.writable, found)
            }
            Object::Attachment(attachment) => {
                let found = find(&attachment.state().attachment.props);
                (Owner::Attachment(Arc::clone(attachment)), attachment.writable, found)
            }
            Object::Folder(id) => {
                let folder = logon.mailbox.folder(*id, true).await.map_err(failed)?;
                (Owner::Folder(*id), true, find(&folder.props))
            }
            _ => return refused(MapiCode::NotSupported),
        };
        let writable = match body.open_mode_flags {
            READ_ONLY => false,
            BEST_ACCESS => may_write,
            _ if may_write => true,
            _ => return refused(MapiCode::AccessDenied),
        };
        let data = match found {
            _ if body.open_mode_flags == CREATE => Data::Inline(Vec::new()),
            None => return refused(MapiCode::NotFound),
            Some(PropData::Inline(value)) => match bytes_of(&value, tag, code_page) {
                Some(bytes) => Data::Inline(bytes),
                None => return refused(MapiCode::NotFound),
            },
            Some(PropData::Large(value)) if tag.ty() == PropType::String8 => {
                let (spill, len) = narrow::narrow(&logon, value, code_page).await?;
                Data::Large { value: LargeValue { id: spill.id, len }, own: Some(spill) }
            }
            Some(PropData::Large(value)) => Data::Large { value, own: None },
        };
        let name = self.names_of(&logon, &[tag]).await?.into_iter().next().flatten().map(Arc::new);
        if tag.is_named() && name.is_none() {
            return refused(MapiCode::NotFound);
        }
        let dirty = body.open_mode_flags == CREATE;
        let stream = Stream { owner, tag, name, writable, data, position: 0, dirty };
        let stream_size = u32::try_from(stream.len()).unwrap_or(u32::MAX);
        let body = OpenStreamResponse { stream_size };
        Ok(Answer::opens(ResponseBody::OpenStream(body), Object::Stream(Box::new(stream))))
    }

    /// RopReadStream — [MS-OXCPRPT] 3.2.5.12.
    pub(super) async fn rop_read_stream(
        &mut self,
        request: &Request,
        handle: u32,
        body: &ReadStreamRequest,
        limit: usize,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let stream = self.stream(request, handle)?;
        let wanted = match body.maximum_byte_count {
            Some(most) if body.byte_count == USE_MAXIMUM => to_usize(most),
            _ => usize::from(body.byte_count),
        };
        let most = wanted.min(limit.saturating_sub(8)).min(usize::from(u16::MAX));
        let data = Bytes16(stream.read(&logon, most).await?);
        Ok(Answer::of(ResponseBody::ReadStream(ReadStreamResponse { data })))
    }

    /// RopWriteStream — [MS-OXCPRPT] 3.2.5.13.
    pub(super) async fn rop_write_stream(
        &mut self,
        request: &Request,
        handle: u32,
        body: &WriteStreamRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let stream = self.stream(request, handle)?;
        if !stream.writable {
            return refused(MapiCode::StreamAccessDenied);
        }
        stream.write(&logon, &body.data.0).await?;
        let written_size = u16::try_from(body.data.0.len()).unwrap_or(u16::MAX);
        Ok(Answer::of(ResponseBody::WriteStream(WrittenResponse { written_size })))
    }

    /// RopSeekStream — [MS-OXCPRPT] 3.2.5.18.
    pub(super) fn rop_seek_stream(
        &mut self,
        request: &Request,
        handle: u32,
        body: &SeekStreamRequest,
    ) -> Outcome {
        let stream = self.stream(request, handle)?;
        let from = match body.origin {
            0 => 0,
            1 => stream.position,
            2 => stream.len(),
            _ => return refused(MapiCode::InvalidParameter),
        };
        let Some(to) = from.checked_add_signed(body.offset).filter(|&to| to <= MOST) else {
            return refused(MapiCode::StreamSeekError);
        };
        stream.position = to;
        Ok(Answer::of(ResponseBody::SeekStream(SeekStreamResponse { new_position: to })))
    }

    /// RopSetStreamSize — [MS-OXCPRPT] 3.2.5.17.
    pub(super) async fn rop_set_stream_size(
        &mut self,
        request: &Request,
        handle: u32,
        body: &SetStreamSizeRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let stream = self.stream(request, handle)?;
        if !stream.writable {
            return refused(MapiCode::StreamAccessDenied);
        }
        stream.resize(&logon, body.stream_size).await?;
        Ok(Answer::of(ResponseBody::SetStreamSize(Empty)))
    }

    /// RopGetStreamSize — [MS-OXCPRPT] 3.2.5.16.
    pub(super) fn rop_get_stream_size(&mut self, request: &Request, handle: u32) -> Outcome {
        let stream = self.stream(request, handle)?;
        let stream_size = u32::try_from(stream.len()).unwrap_or(u32::MAX);
        Ok(Answer::of(ResponseBody::GetStreamSize(GetStreamSizeResponse { stream_size })))
    }

    /// RopCommitStream — [MS-OXCPRPT] 3.2.5.15.
    pub(super) async fn rop_commit_stream(&mut self, request: &Request, handle: u32) -> Outcome {
        let logon = self.logon(request)?;
        let code_page = self.origin.code_page;
        let stream = self.stream(request, handle)?;
        if !stream.writable {
            return refused(MapiCode::StreamAccessDenied);
        }
        stream.commit(&logon, code_page).await?;
        Ok(Answer::of(ResponseBody::CommitStream(Empty)))
    }
}
