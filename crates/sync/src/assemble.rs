use std::path::Path;
use std::sync::Arc;

use watertight_ledger::Kind;
use watertight_mapi::{
    PropName, PropTag, PropType, PropValue,
    prop::{Prop, PropBag, PropData},
    store::{Attachment, MessageContent},
};

use crate::{Change, MessageHeader, SyncError, SyncResult, spool::Spool};

/// Values above this go to the spool once a message has [`CROWDED`] bytes in memory.
const SMALL: usize = 1024;
/// From here on only small values stay in memory.
const CROWDED: usize = 2 * 1024 * 1024;
/// A message whose small values are more than this is not kept in memory: it is left out.
const LIMIT: usize = 12 * 1024 * 1024;
/// Messages in attachments of messages in attachments.
const DEEPEST: usize = 64;

/// Puts messages together from the pieces of the stream.
pub(crate) struct Assembler {
    pub(crate) spool: Spool,
    header: Option<MessageHeader>,
    /// The message, and those in its attachments that are being received, outermost first.
    frames: Vec<Frame>,
    large: Option<(PropTag, Option<Arc<PropName>>)>,
    held: usize,
    too_much: bool,
}

#[derive(Default)]
struct Frame {
    content: MessageContent,
    recipient: Option<PropBag>,
    attachment: Option<Attachment>,
}

/// A message that came whole.
pub(crate) struct Assembled {
    pub(crate) header: MessageHeader,
    pub(crate) content: MessageContent,
    /// Why the content is not all there.
    pub(crate) incomplete: Option<&'static str>,
}

impl Assembler {
    pub(crate) fn new(spool_dir: &Path, kind: Kind) -> Self {
        Self {
            spool: Spool::new(spool_dir, kind),
            header: None,
            frames: Vec::new(),
            large: None,
            held: 0,
            too_much: false,
        }
    }

    /// Forgets what came of a message so far.
    pub(crate) fn reset(&mut self) {
        self.header = None;
        self.frames.clear();
        self.large = None;
        self.held = 0;
        self.too_much = false;
        self.spool.clear();
    }

    /// Whether a message has begun and not ended.
    pub(crate) fn in_message(&self) -> bool {
        self.header.is_some()
    }

    /// Takes a piece of a message; gives the message at its end. Its large values are in the spool until
    /// [`Assembler::reset`].
    pub(crate) fn piece(&mut self, change: Change) -> SyncResult<Option<Assembled>> {
        match change {
            Change::Message(header) => {
                self.reset();
                self.header = Some(header);
                self.frames.push(Frame::default());
            }
            Change::Prop(prop) => self.prop(prop)?,
            Change::LargeBegin { tag, name } => {
                self.spool.begin().map_err(|e| self.spool_error(e))?;
                self.large = Some((tag, name));
            }
            Change::LargeBytes(bytes) => {
                if self.large.is_none() {
                    return Err(out_of_place("bytes of a value"));
                }
                self.spool.append(&bytes).map_err(|e| self.spool_error(e))?;
            }
            Change::LargeEnd => {
                let (tag, name) = self.large.take().ok_or_else(|| out_of_place("the end of a value"))?;
                let value = self.spool.end().ok_or_else(|| out_of_place("the end of a value"))?;
                self.hold(128);
                self.put(Prop { tag, name, value: PropData::Large(value) })?;
            }
            Change::RecipientBegin => self.top()?.recipient = Some(PropBag::default()),
            Change::RecipientEnd => {
                let top = self.top()?;
                let recipient = top.recipient.take().ok_or_else(|| out_of_place("the end of a recipient"))?;
                top.content.recipients.push(recipient);
                self.hold(64);
                self.relieve();
            }
            Change::AttachmentBegin { number } => {
                self.top()?.attachment = Some(Attachment { number, ..Attachment::default() });
                self.hold(128);
            }
            Change::AttachmentEnd => {
                let top = self.top()?;
                let attachment =
                    top.attachment.take().ok_or_else(|| out_of_place("the end of an attachment"))?;
                top.content.attachments.push(attachment);
                self.relieve();
            }
            Change::EmbeddedBegin => {
                if self.top()?.attachment.is_none() {
                    return Err(out_of_place("an embedded message"));
                }
                if self.frames.len() >= DEEPEST {
                    return Err(SyncError::Protocol("messages nested too deep".to_owned()));
                }
                self.frames.push(Frame::default());
            }
            Change::EmbeddedEnd => {
                let inner =
                    self.frames.pop().ok_or_else(|| out_of_place("the end of an embedded message"))?;
                let attachment = self
                    .frames
                    .last_mut()
                    .and_then(|f| f.attachment.as_mut())
                    .ok_or_else(|| out_of_place("the end of an embedded message"))?;
                attachment.embedded = Some(Box::new(inner.content));
            }
            Change::MessageEnd => return self.end().map(Some),
            _ => return Err(out_of_place("something else")),
        }
        Ok(None)
    }

    fn end(&mut self) -> SyncResult<Assembled> {
        let header = self.header.take().ok_or_else(|| out_of_place("the end of a message"))?;
        let frame = self.frames.pop().ok_or_else(|| out_of_place("the end of a message"))?;
        if !self.frames.is_empty() || frame.attachment.is_some() || frame.recipient.is_some() {
            return Err(out_of_place("the end of a message"));
        }
        let incomplete = self.too_much.then_some("it has more properties than this program holds in memory");
        Ok(Assembled { header, content: frame.content, incomplete })
    }

    fn prop(&mut self, prop: Prop) -> SyncResult<()> {
        if self.too_much {
            return Ok(());
        }
        let size = size_of(&prop).saturating_sub(64);
        let limit = if self.held > CROWDED { SMALL } else { 64 * 1024 };
        if size > limit
            && let PropData::Inline(value) = &prop.value
            && let Some(bytes) = bytes_of(value)
        {
            let value = self
                .spool
                .begin()
                .and_then(|()| self.spool.append(&bytes))
                .map(|()| self.spool.end())
                .map_err(|e| self.spool_error(e))?
                .ok_or_else(|| out_of_place("a value"))?;
            self.hold(128);
            return self.put(Prop { value: PropData::Large(value), ..prop });
        }
        self.hold(size.saturating_add(64));
        if self.too_much {
            return Ok(());
        }
        self.put(prop)
    }

    fn put(&mut self, prop: Prop) -> SyncResult<()> {
        let top = self.top()?;
        let bag = match (&mut top.recipient, &mut top.attachment) {
            (Some(recipient), _) => recipient,
            (None, Some(attachment)) => &mut attachment.props,
            (None, None) => &mut top.content.props,
        };
        // Not `PropBag::put`: that is quadratic, and a stream has each property once.
        bag.0.push(prop);
        Ok(())
    }

    fn hold(&mut self, bytes: usize) {
        self.held = self.held.saturating_add(bytes);
        self.too_much |= self.held > LIMIT;
    }

    /// Of a message that is left out, recipients and attachments are not kept.
    fn relieve(&mut self) {
        if self.too_much
            && let Some(top) = self.frames.last_mut()
        {
            top.content.recipients = Vec::new();
            top.content.attachments = Vec::new();
        }
    }

    fn top(&mut self) -> SyncResult<&mut Frame> {
        self.frames.last_mut().ok_or_else(|| out_of_place("a part of a message"))
    }

    fn spool_error(&self, e: std::io::Error) -> SyncError {
        SyncError::io("write a large value in", self.spool.dir(), e)
    }
}

fn out_of_place(what: &str) -> SyncError {
    SyncError::Protocol(format!("{what} where it does not belong"))
}

/// About how much memory a property takes.
pub(crate) fn size_of(prop: &Prop) -> usize {
    match &prop.value {
        PropData::Inline(value) => size_of_value(value).saturating_add(64),
        PropData::Large(_) => 64,
    }
}

fn size_of_value(value: &PropValue) -> usize {
    match value {
        PropValue::Binary(b)
        | PropValue::Object(b)
        | PropValue::String8(b)
        | PropValue::ServerId(b)
        | PropValue::Restriction(b)
        | PropValue::RuleAction(b) => b.len(),
        PropValue::Unicode(s) => s.len(),
        PropValue::MvBinary(all) | PropValue::MvString8(all) => {
            all.iter().map(|b| b.len().saturating_add(24)).sum()
        }
        PropValue::MvUnicode(all) => all.iter().map(|s| s.len().saturating_add(24)).sum(),
        PropValue::MvI16(v) => v.len().saturating_mul(2),
        PropValue::MvI32(v) => v.len().saturating_mul(4),
        PropValue::MvF32(v) => v.len().saturating_mul(4),
        PropValue::MvF64(v) | PropValue::MvFloatingTime(v) => v.len().saturating_mul(8),
        PropValue::MvCurrency(v) | PropValue::MvI64(v) => v.len().saturating_mul(8),
        PropValue::MvTime(v) => v.len().saturating_mul(8),
        PropValue::MvGuid(v) => v.len().saturating_mul(16),
        _ => 8,
    }
}

/// The bytes of a value that may be large, as [`watertight_mapi::prop::LargeValue`] has them.
fn bytes_of(value: &PropValue) -> Option<Vec<u8>> {
    match value {
        PropValue::Binary(b) | PropValue::Object(b) => Some(b.clone()),
        PropValue::Unicode(s) => Some(s.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        _ => None,
    }
    .filter(|_| matches!(value.ty(), PropType::Binary | PropType::Object | PropType::Unicode))
}

#[cfg(test)]
mod tests {
    use watertight_ledger::Ledger;
    use watertight_mapi::GlobCnt;
    use watertight_wire::Guid;

    use super::*;
    use crate::GlobalId;

    #[test]
    fn a_message_of_endless_recipients_is_left_out_and_not_kept() {
        let id = GlobalId::new(Guid::NIL, GlobCnt::new(1).unwrap());
        let kind = Ledger::new("test").kind("spooled values");
        let mut assembler = Assembler::new(Path::new("/nonexistent"), kind);
        let header = MessageHeader { mid: id, cn: id, associated: false, size: 0 };
        assembler.piece(Change::Message(header)).unwrap();
        for _ in 0..LIMIT / 64 + 1000 {
            assembler.piece(Change::RecipientBegin).unwrap();
            assembler.piece(Change::RecipientEnd).unwrap();
        }
        let message = assembler.piece(Change::MessageEnd).unwrap().unwrap();
        assert!(message.incomplete.is_some());
        assert!(message.content.recipients.is_empty());
    }
}
