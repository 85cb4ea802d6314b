use std::sync::Arc;

use watertight_wire::Reader;

use super::{
    ContentsSink, Deletion, Failure, MessageChange, Piece, ReadStateChange, SinkError, SinkResult, Verdict,
};
use crate::{
    PropName, PropTag, PropType, PropValue,
    ics::GuidIdSet,
    prop::{Prop, PropBag, PropData},
    store::{Attachment, MessageContent},
};

/// Messages in attachments of messages in attachments.
const DEEPEST: usize = 64;
/// What a property, a recipient or an attachment takes beside its values.
const OVERHEAD: usize = 64;
/// Values that are listed as left out; of more only the number is kept.
const LISTED: usize = 256;

/// One thing that an export brings.
#[derive(Debug)]
#[non_exhaustive]
pub enum Whole<'a> {
    /// A message that is new or has changed, with all in it.
    Message {
        /// Which, and which version.
        change: MessageChange,
        /// All in it: every value inline, whatever its length.
        content: MessageContent,
        /// What did not fit the bound.
        left_out: LeftOut,
    },
    /// Messages are gone.
    Deleted(Deletion, &'a GuidIdSet),
    /// Messages were marked.
    Marked(&'a ReadStateChange),
    /// A message could not be sent.
    Failed(&'a Failure),
}

/// What of a message did not fit the bound of [`Messages`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// The first values that are missing, wherever they belong.
    pub values: Vec<PropTag>,
    /// Values, recipients and attachments that are missing.
    pub count: u64,
}

/// A sink that puts each message together in memory, within a bound, and gives it to a callback.
///
/// When the callback fails, the export ends with its error, and the message is not in the state.
pub struct Messages<F> {
    limit: usize,
    deliver: F,
    change: Option<MessageChange>,
    /// The message, and those in its attachments that are being received, outermost first.
    frames: Vec<Frame>,
    large: Option<Large>,
    held: usize,
    left_out: LeftOut,
    /// Inside so many recipients, attachments or messages that did not fit.
    skipping: usize,
}

#[derive(Default)]
struct Frame {
    content: MessageContent,
    recipient: Option<PropBag>,
    attachment: Option<Attachment>,
}

struct Large {
    tag: PropTag,
    name: Option<Arc<PropName>>,
    /// `None` when it does not fit.
    bytes: Option<Vec<u8>>,
}

impl<F: FnMut(Whole<'_>) -> SinkResult> Messages<F> {
    /// A sink that holds up to about `limit` bytes of a message. What is more is left out and told.
    pub fn new(limit: usize, deliver: F) -> Self {
        Self {
            limit,
            deliver,
            change: None,
            frames: Vec::new(),
            large: None,
            held: 0,
            left_out: LeftOut::default(),
            skipping: 0,
        }
    }

    fn reset(&mut self) {
        self.change = None;
        self.frames = Vec::new();
        self.large = None;
        self.held = 0;
        self.left_out = LeftOut::default();
        self.skipping = 0;
    }

    /// Counts bytes that are to be held; `false` when there is no room for them.
    fn hold(&mut self, bytes: usize) -> bool {
        let held = self.held.saturating_add(bytes);
        let fits = held <= self.limit;
        if fits {
            self.held = held;
        }
        fits
    }

    fn leave_out(&mut self, tag: Option<PropTag>) {
        self.left_out.count = self.left_out.count.saturating_add(1);
        if let Some(tag) = tag.filter(|_| self.left_out.values.len() < LISTED) {
            self.left_out.values.push(tag);
        }
    }

    fn put(&mut self, prop: Prop) -> SinkResult {
        let top = self.frames.last_mut().ok_or_else(|| out_of_place("a property"))?;
        let bag = match (&mut top.recipient, &mut top.attachment) {
            (Some(recipient), _) => recipient,
            (None, Some(attachment)) => &mut attachment.props,
            (None, None) => &mut top.content.props,
        };
        // Not `PropBag::put`: that is quadratic, and a stream has each property once.
        bag.0.push(prop);
        Ok(())
    }

    /// A recipient, an attachment or a message of an attachment begins; `false` when it is left out.
    fn enter(&mut self) -> bool {
        if self.skipping > 0 || !self.hold(OVERHEAD) || self.frames.len() >= DEEPEST {
            if self.skipping == 0 {
                self.leave_out(None);
            }
            self.skipping = self.skipping.saturating_add(1);
            return false;
        }
        true
    }

    /// It ends; `false` when it was left out.
    fn leave(&mut self) -> bool {
        let there = self.skipping == 0;
        self.skipping = self.skipping.saturating_sub(1);
        there
    }

    fn top(&mut self) -> SinkResult<&mut Frame> {
        self.frames.last_mut().ok_or_else(|| out_of_place("a part of a message"))
    }
}

impl<F: FnMut(Whole<'_>) -> SinkResult> ContentsSink for Messages<F> {
    fn message_change(&mut self, change: &MessageChange) -> SinkResult<Verdict> {
        self.reset();
        self.change = Some(change.clone());
        self.frames.push(Frame::default());
        Ok(Verdict::Take)
    }

    fn piece(&mut self, piece: Piece) -> SinkResult {
        match piece {
            Piece::Property(_) | Piece::LargeBegin { .. } | Piece::LargeChunk(_) | Piece::LargeEnd
                if self.skipping > 0 => {}
            Piece::Property(prop) => {
                if self.hold(size_of(&prop).saturating_add(OVERHEAD)) {
                    self.put(prop)?;
                } else {
                    self.leave_out(Some(prop.tag));
                }
            }
            Piece::LargeBegin { tag, name, len } => {
                let bytes = self.hold(watertight_wire::to_usize(len).saturating_add(OVERHEAD)).then(Vec::new);
                if bytes.is_none() {
                    self.leave_out(Some(tag));
                }
                self.large = Some(Large { tag, name, bytes });
            }
            Piece::LargeChunk(chunk) => {
                if let Some(Large { bytes: Some(bytes), .. }) = &mut self.large {
                    bytes.extend_from_slice(&chunk);
                }
            }
            Piece::LargeEnd => {
                let Large { tag, name, bytes } =
                    self.large.take().ok_or_else(|| out_of_place("the end of a value"))?;
                if let Some(bytes) = bytes {
                    self.put(Prop { tag, name, value: PropData::Inline(value(tag.ty(), bytes)) })?;
                }
            }
            Piece::RecipientBegin => {
                if self.enter() {
                    self.top()?.recipient = Some(PropBag::default());
                }
            }
            Piece::RecipientEnd => {
                if self.leave() {
                    let top = self.top()?;
                    let recipient =
                        top.recipient.take().ok_or_else(|| out_of_place("the end of a recipient"))?;
                    top.content.recipients.push(recipient);
                }
            }
            Piece::AttachmentBegin { number } => {
                if self.enter() {
                    let number = number.unwrap_or(u32::MAX);
                    self.top()?.attachment = Some(Attachment { number, ..Attachment::default() });
                }
            }
            Piece::AttachmentEnd => {
                if self.leave() {
                    let top = self.top()?;
                    let attachment =
                        top.attachment.take().ok_or_else(|| out_of_place("the end of an attachment"))?;
                    top.content.attachments.push(attachment);
                }
            }
            Piece::EmbeddedBegin => {
                if self.enter() {
                    self.frames.push(Frame::default());
                }
            }
            Piece::EmbeddedEnd => {
                if self.leave() {
                    let inner =
                        self.frames.pop().ok_or_else(|| out_of_place("the end of an embedded message"))?;
                    let attachment = self
                        .frames
                        .last_mut()
                        .and_then(|f| f.attachment.as_mut())
                        .ok_or_else(|| out_of_place("the end of an embedded message"))?;
                    attachment.embedded = Some(Box::new(inner.content));
                }
            }
        }
        Ok(())
    }

    fn message_end(&mut self) -> SinkResult {
        let change = self.change.take().ok_or_else(|| out_of_place("the end of a message"))?;
        let frame = self.frames.pop().ok_or_else(|| out_of_place("the end of a message"))?;
        let left_out = core::mem::take(&mut self.left_out);
        self.reset();
        (self.deliver)(Whole::Message { change, content: frame.content, left_out })
    }

    fn message_deletion(&mut self, why: Deletion, ids: &GuidIdSet) -> SinkResult {
        (self.deliver)(Whole::Deleted(why, ids))
    }

    fn read_state_change(&mut self, change: &ReadStateChange) -> SinkResult {
        (self.deliver)(Whole::Marked(change))
    }

    fn failed(&mut self, failure: &Failure) -> SinkResult {
        self.reset();
        (self.deliver)(Whole::Failed(failure))
    }
}

impl<F> core::fmt::Debug for Messages<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Messages")
            .field("limit", &self.limit)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

fn out_of_place(what: &str) -> SinkError {
    format!("{what} where it does not belong").into()
}

/// A value of its bytes in the stream.
fn value(ty: PropType, bytes: Vec<u8>) -> PropValue {
    match ty {
        PropType::Unicode => PropValue::Unicode(Reader::decode_utf16le(&bytes)),
        PropType::String8 => PropValue::String8(bytes),
        PropType::Object => PropValue::Object(bytes),
        PropType::ServerId => PropValue::ServerId(bytes),
        _ => PropValue::Binary(bytes),
    }
}

/// About how much memory a value takes.
fn size_of(prop: &Prop) -> usize {
    let PropData::Inline(value) = &prop.value else { return 0 };
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
