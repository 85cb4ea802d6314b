use std::collections::VecDeque;
use std::sync::Arc;

use watertight_mapi::{
    MapiCode, PropTag, PropType, PropValue,
    ics::{
        Xid,
        lexical::{Marker, PropDef, Writer},
        syntactical::ExtendedErrorInfo,
    },
    prop::{LargeValue, Prop, PropData},
    store::Mailbox,
};
use watertight_wire::{to_u64, to_usize};

use super::text::{Recoder, TextForm};

/// Bytes of a large value that are read at once.
const PIECE: usize = 32 * 1024;

/// A part of an object that has not been written yet.
#[derive(Debug)]
pub(super) enum Part {
    Marker(Marker),
    Prop(Prop),
}

/// Where a stream is written: parts wait, a large value is read piece by piece, bytes wait to be taken.
pub(super) struct Output {
    pub(super) writer: Writer,
    form: TextForm,
    parts: VecDeque<Part>,
    reading: Option<Reading>,
}

/// A large value that is being written.
struct Reading {
    id: u64,
    /// Bytes of the value that were read.
    at: u64,
    len: u64,
    recoder: Option<Recoder>,
}

impl Output {
    pub(super) fn new(form: TextForm) -> Self {
        Self { writer: Writer::new(), form, parts: VecDeque::new(), reading: None }
    }

    /// Whether nothing waits to be written (bytes may still wait to be taken).
    pub(super) fn is_idle(&self) -> bool {
        self.parts.is_empty() && self.reading.is_none()
    }

    pub(super) fn marker(&mut self, marker: Marker) {
        self.parts.push_back(Part::Marker(marker));
    }

    pub(super) fn value(&mut self, tag: PropTag, value: impl Into<PropValue>) {
        self.parts.push_back(Part::Prop(Prop::new(tag, value)));
    }

    pub(super) fn prop(&mut self, prop: Prop) {
        self.parts.push_back(Part::Prop(prop));
    }

    /// Writes the next parts, until a piece's worth of bytes or one piece of a large value is written.
    ///
    /// # Errors
    /// The value cannot be read.
    pub(super) async fn pump(&mut self, mailbox: &dyn Mailbox) -> Result<(), MapiCode> {
        let before = self.writer.len();
        while self.writer.len().saturating_sub(before) < PIECE {
            if self.reading.is_some() {
                return self.read_piece(mailbox).await;
            }
            match self.parts.pop_front() {
                None => return Ok(()),
                Some(Part::Marker(marker)) => self.writer.marker(marker),
                Some(Part::Prop(Prop { tag, name, value: PropData::Large(large) })) => {
                    self.begin_large(mailbox, tag, name, large).await?;
                }
                Some(Part::Prop(prop)) => {
                    let prop = self.form.shape(prop);
                    self.writer.whole(&prop).map_err(|_| MapiCode::PropertySize)?;
                }
            }
        }
        Ok(())
    }

    async fn begin_large(
        &mut self,
        mailbox: &dyn Mailbox,
        tag: PropTag,
        name: Option<Arc<watertight_mapi::PropName>>,
        large: LargeValue,
    ) -> Result<(), MapiCode> {
        let (tag, recode) = self.form.large(tag);
        let terminator = match tag.ty() {
            PropType::String8 => 1,
            PropType::Unicode | PropType(0x84B0) => 2,
            PropType(page) if page & 0x8000 != 0 => 1,
            _ => 0,
        };
        let bytes = if recode { self.recoded_len(mailbox, large).await? } else { large.len };
        let len = u32::try_from(bytes.saturating_add(terminator)).map_err(|_| MapiCode::PropertySize)?;
        self.writer.large_begin(&PropDef { tag, name }, len);
        let recoder = recode.then(Recoder::default);
        self.reading = Some(Reading { id: large.id, at: 0, len: large.len, recoder });
        Ok(())
    }

    /// How long a value is in the code page: it is read once for that.
    async fn recoded_len(&self, mailbox: &dyn Mailbox, large: LargeValue) -> Result<u64, MapiCode> {
        let (mut at, mut len, mut recoder) = (0_u64, 0_u64, Recoder::default());
        while at < large.len {
            let piece = mailbox.read_large(large.id, at, PIECE).await.map_err(|e| e.code())?;
            if piece.is_empty() {
                return Err(MapiCode::CorruptData);
            }
            at = at.saturating_add(to_u64(piece.len()));
            len = len.saturating_add(to_u64(recoder.push(self.form, &piece).len()));
        }
        Ok(len)
    }

    async fn read_piece(&mut self, mailbox: &dyn Mailbox) -> Result<(), MapiCode> {
        let Some(reading) = &mut self.reading else { return Ok(()) };
        if reading.at >= reading.len {
            self.end_large();
            return Ok(());
        }
        let want = usize::try_from(reading.len.saturating_sub(reading.at)).unwrap_or(PIECE).min(PIECE);
        let piece = mailbox.read_large(reading.id, reading.at, want).await.map_err(|e| e.code())?;
        if piece.is_empty() {
            return Err(MapiCode::CorruptData);
        }
        reading.at = reading.at.saturating_add(to_u64(piece.len()));
        match &mut reading.recoder {
            Some(recoder) => {
                let bytes = recoder.push(self.form, &piece);
                self.writer.large_chunk(&bytes);
            }
            None => self.writer.large_chunk(&piece),
        }
        Ok(())
    }

    /// Ends the large value with zeros: the terminator of a string, or all that could not be read.
    fn end_large(&mut self) {
        let owed = to_usize(self.writer.owed()).min(PIECE);
        self.writer.large_chunk([0; PIECE].get(..owed).unwrap_or_default());
        if self.writer.owed() == 0 {
            self.reading = None;
        }
    }

    /// Gives the object up that is being written. The value that was begun is filled up: its length is out already,
    /// and a marker may only follow a whole value.
    pub(super) fn abandon(&mut self) {
        self.parts.clear();
        if let Some(reading) = &mut self.reading {
            reading.at = reading.len;
        }
    }

    /// FXErrorInfo: the object that was begun does not go on — [MS-OXCFXICS] 2.2.4.3.4.
    pub(super) fn failure(&mut self, info: &ExtendedErrorInfo) -> Result<(), MapiCode> {
        self.marker(Marker::FXErrorInfo);
        self.value(ExtendedErrorInfo::TAG, info.to_bytes().map_err(|_| MapiCode::CorruptData)?);
        Ok(())
    }
}

/// What FXErrorInfo says of an object.
pub(super) fn error_info(code: MapiCode, folder: Xid, message: Xid) -> ExtendedErrorInfo {
    ExtendedErrorInfo { code, folder: Some(folder), message: Some(message), aux: Vec::new() }
}
