use std::sync::Arc;

use watertight_wire::{Reader, WireError, WireErrorKind, to_u64, to_usize};

use super::{
    Marker, PropDef, RawValue, Token,
    value::{Layout, read_fixed},
};
use crate::{
    PropTag,
    prop::{PropName, PropNameKind},
    store::INLINE_LIMIT,
};

/// Bytes of a property's name: a PropertyName has at most 254 characters.
const MAX_NAME: usize = 1024;
/// Bytes of all values of one multi-valued property.
const MAX_MANY: usize = 1024 * 1024;
/// Values of one multi-valued property.
const MAX_COUNT: usize = 64 * 1024;
/// Bytes of one piece of a long value.
const MAX_CHUNK: usize = 32 * 1024;

/// Cuts a FastTransfer stream into tokens. No socket: bytes go in, tokens come out.
#[derive(Debug, Default)]
pub struct Lexer {
    buffer: Vec<u8>,
    /// Bytes of the buffer that are consumed.
    at: usize,
    /// Bytes of the stream before the buffer.
    before: u64,
    step: Step,
}

#[derive(Debug, Default)]
enum Step {
    /// A marker or propDef comes next.
    #[default]
    Element,
    Fixed(PropDef, usize),
    Length(PropDef),
    Bytes(PropDef, usize),
    Large(u32),
    Count(PropDef),
    Items(Box<Items>),
}

#[derive(Debug)]
struct Items {
    def: PropDef,
    left: usize,
    values: Vec<RawValue>,
    held: usize,
}

impl Lexer {
    /// A lexer at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream, cut anywhere. Call [`Lexer::poll`] until it gives nothing before the next.
    pub fn handle_input(&mut self, bytes: &[u8]) {
        self.before = self.offset();
        self.buffer.drain(..self.at.min(self.buffer.len()));
        self.at = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// How many bytes of the stream are consumed.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.before.saturating_add(to_u64(self.at))
    }

    /// Whether the stream may end here: between two elements, with nothing left.
    #[must_use]
    pub fn is_between(&self) -> bool {
        matches!(self.step, Step::Element) && self.rest().is_empty()
    }

    /// The next token; `None` when more input is needed.
    ///
    /// # Errors
    /// [`WireError`] with the production `stream`, the field and the offset in the stream, for a type that a stream
    /// cannot carry, a name without end, or a multi-valued property of more than 1 MiB. Nothing can follow it.
    pub fn poll(&mut self) -> Result<Option<Token>, WireError> {
        loop {
            match core::mem::take(&mut self.step) {
                Step::Element => {
                    let Some(tag) = self.peek_u32() else { return Ok(None) };
                    if let Some(marker) = Marker::from_tag(PropTag(tag)) {
                        self.at = self.at.saturating_add(4);
                        return Ok(Some(Token::Marker(marker)));
                    }
                    let Some(def) = self.prop_def()? else { return Ok(None) };
                    self.step = match Layout::of(&def) {
                        Some(Layout::Fixed(size)) => Step::Fixed(def, size),
                        Some(Layout::Var) => Step::Length(def),
                        Some(Layout::ManyFixed(..) | Layout::ManyVar) => Step::Count(def),
                        None => {
                            return Err(self.error("propType", WireErrorKind::Invalid { value: tag.into() }));
                        }
                    };
                }
                Step::Fixed(def, size) => {
                    let Some(bytes) = self.take(size) else {
                        self.step = Step::Fixed(def, size);
                        return Ok(None);
                    };
                    let value = read_fixed(def.ty(), &mut Reader::new(&bytes, "stream"))?;
                    return Ok(Some(Token::Prop(def, RawValue::Fixed(value))));
                }
                Step::Length(def) => {
                    let Some(len) = self.take_u32() else {
                        self.step = Step::Length(def);
                        return Ok(None);
                    };
                    if to_usize(len) > INLINE_LIMIT {
                        self.step = Step::Large(len);
                        return Ok(Some(Token::LargeBegin(def, len)));
                    }
                    self.step = Step::Bytes(def, to_usize(len));
                }
                Step::Bytes(def, len) => {
                    let Some(bytes) = self.take(len) else {
                        self.step = Step::Bytes(def, len);
                        return Ok(None);
                    };
                    return Ok(Some(Token::Prop(def, RawValue::Bytes(bytes))));
                }
                Step::Large(0) => return Ok(Some(Token::LargeEnd)),
                Step::Large(left) => {
                    let len = self.rest().len().min(MAX_CHUNK).min(to_usize(left));
                    let chunk = self.take(len).unwrap_or_default();
                    self.step = Step::Large(left.saturating_sub(u32::try_from(chunk.len()).unwrap_or(left)));
                    return Ok(if chunk.is_empty() { None } else { Some(Token::LargeChunk(chunk)) });
                }
                Step::Count(def) => {
                    let Some(count) = self.take_u32() else {
                        self.step = Step::Count(def);
                        return Ok(None);
                    };
                    let left = to_usize(count);
                    if left > MAX_COUNT {
                        return Err(
                            self.error("length", WireErrorKind::TooLarge { len: left, max: MAX_COUNT })
                        );
                    }
                    self.step = Step::Items(Box::new(Items { def, left, values: Vec::new(), held: 0 }));
                }
                Step::Items(mut items) => {
                    if !self.items(&mut items)? {
                        self.step = Step::Items(items);
                        return Ok(None);
                    }
                    return Ok(Some(Token::Prop(items.def, RawValue::Many(items.values))));
                }
            }
        }
    }

    /// Reads values while there are any; says whether all are there.
    fn items(&mut self, items: &mut Items) -> Result<bool, WireError> {
        while items.left > 0 {
            let value = if let Some(Layout::ManyFixed(base, size)) = Layout::of(&items.def) {
                let Some(bytes) = self.take(size) else { return Ok(false) };
                items.held = items.held.saturating_add(size);
                RawValue::Fixed(read_fixed(base, &mut Reader::new(&bytes, "stream"))?)
            } else {
                let Some(len) = self.peek_u32().map(to_usize) else { return Ok(false) };
                items.held = items.held.saturating_add(len);
                if items.held > MAX_MANY {
                    return Err(
                        self.error("length", WireErrorKind::TooLarge { len: items.held, max: MAX_MANY })
                    );
                }
                let Some(mut bytes) = self.take(len.saturating_add(4)) else {
                    items.held = items.held.saturating_sub(len);
                    return Ok(false);
                };
                RawValue::Bytes(bytes.split_off(4))
            };
            items.values.push(value);
            items.left = items.left.saturating_sub(1);
        }
        Ok(true)
    }

    /// Reads a propDef; `None` when it is not all there.
    fn prop_def(&mut self) -> Result<Option<PropDef>, WireError> {
        let mut r = Reader::new(self.rest(), "stream");
        let parsed = read_def(&mut r);
        let consumed = self.rest().len().saturating_sub(r.remaining());
        match parsed {
            // However the stream is cut, the same names are refused.
            Ok(_) if consumed > MAX_NAME => Err(self.error("name", WireErrorKind::BadString)),
            Ok(def) => {
                self.at = self.at.saturating_add(consumed);
                Ok(Some(def))
            }
            Err(WireError { kind: WireErrorKind::Truncated { .. } | WireErrorKind::BadString, .. }) => {
                if self.rest().len() < MAX_NAME {
                    Ok(None)
                } else {
                    Err(self.error("name", WireErrorKind::BadString))
                }
            }
            Err(error) => Err(self.error(error.field, error.kind)),
        }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    fn peek_u32(&self) -> Option<u32> {
        self.rest().first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
    }

    fn take_u32(&mut self) -> Option<u32> {
        let value = self.peek_u32()?;
        self.at = self.at.saturating_add(4);
        Some(value)
    }

    fn take(&mut self, len: usize) -> Option<Vec<u8>> {
        let bytes = self.rest().get(..len)?.to_vec();
        self.at = self.at.saturating_add(len);
        Some(bytes)
    }

    fn error(&self, field: &'static str, kind: WireErrorKind) -> WireError {
        WireError::new("stream", field, usize::try_from(self.offset()).unwrap_or(usize::MAX), kind)
    }
}

fn read_def(r: &mut Reader<'_>) -> Result<PropDef, WireError> {
    let tag = PropTag(r.u32("propDef")?);
    if !tag.is_named() {
        return Ok(PropDef::new(tag));
    }
    let guid = r.guid("propertySet")?;
    let kind = match r.u8("namedPropInfo")? {
        0 => PropNameKind::Lid(r.u32("dispid")?),
        1 => PropNameKind::Name(r.cstr16("name")?),
        other => return Err(r.invalid("namedPropInfo", other)),
    };
    Ok(PropDef { tag, name: Some(Arc::new(PropName { guid, kind })) })
}
