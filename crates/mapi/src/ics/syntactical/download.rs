use watertight_wire::{WireError, WireErrorKind};

use super::{
    Event, attachment, contents_sync, error_info, folder, folder_content, hierarchy_sync, message_content,
    message_list,
    production::{Context, Input, Production, Step},
    state,
};
use crate::{
    PropType,
    ics::lexical::{Lexer, Marker, PropDef, RawValue, Token},
};

/// Productions inside one another: some thirty embedded messages.
const MAX_DEPTH: usize = 100;

/// root — [MS-OXCFXICS] 2.2.4.3.24: what a stream consists of depends on the operation (2.2.4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Root {
    /// contentsSync.
    ContentsSync,
    /// hierarchySync.
    HierarchySync,
    /// state, of RopSynchronizationGetTransferState.
    State,
    /// folderContent, of RopFastTransferSourceCopyTo and CopyProperties on a folder.
    FolderContent,
    /// messageContent, of RopFastTransferSourceCopyTo and CopyProperties on a message.
    MessageContent,
    /// attachmentContent, of RopFastTransferSourceCopyTo and CopyProperties on an attachment.
    AttachmentContent,
    /// messageList, of RopFastTransferSourceCopyMessages.
    MessageList,
    /// topFolder, of RopFastTransferSourceCopyFolder.
    TopFolder,
}

/// Reads a FastTransfer stream: bytes go in, [`Event`]s come out.
pub struct Download {
    lexer: Lexer,
    cx: Context,
    /// The productions at work, the innermost last; none after the end.
    stack: Vec<Box<dyn Production>>,
    large: Option<Large>,
    /// Where the token that is being read begins.
    token_at: u64,
    ended: bool,
}

/// What becomes of the long value that is being read.
enum Large {
    /// A production wants it whole.
    Gather(PropDef, Vec<u8>),
    /// It goes out; of a string the last bytes are held back, which may be the terminator.
    Stream { terminator: usize, held: Vec<u8> },
}

impl core::fmt::Debug for Download {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let stack: Vec<_> = self.stack.iter().map(|p| p.name()).collect();
        f.debug_struct("Download")
            .field("offset", &self.lexer.offset())
            .field("stack", &stack)
            .finish_non_exhaustive()
    }
}

impl Download {
    /// A reader at the start of a stream.
    #[must_use]
    pub fn new(root: Root) -> Self {
        let mut cx = Context::default();
        let production: Box<dyn Production> = match root {
            Root::ContentsSync => Box::new(contents_sync::ContentsSync::default()),
            Root::HierarchySync => Box::new(hierarchy_sync::HierarchySync::default()),
            Root::State => Box::new(state::StateRoot::default()),
            Root::FolderContent => {
                cx.event(Event::FolderBegin);
                Box::new(folder_content::FolderContent::root())
            }
            Root::MessageContent => {
                cx.event(Event::MessageBegin { associated: false });
                Box::new(message_content::MessageContent::root())
            }
            Root::AttachmentContent => {
                cx.event(Event::AttachmentBegin { number: None });
                Box::new(attachment::Attachment::root())
            }
            Root::MessageList => Box::new(message_list::MessageList),
            Root::TopFolder => Box::new(folder::TopFolder::default()),
        };
        Self { lexer: Lexer::new(), cx, stack: vec![production], large: None, token_at: 0, ended: false }
    }

    /// Takes the next bytes of the stream, cut anywhere. Poll until nothing comes before the next.
    pub fn handle_input(&mut self, bytes: &[u8]) {
        self.lexer.handle_input(bytes);
    }

    /// How many bytes of the stream are consumed.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.lexer.offset()
    }

    /// The next event; `None` when more input is needed, or after [`Event::End`].
    ///
    /// # Errors
    /// [`WireError`] that names the production, the element and its offset in the stream, when the stream is not of
    /// the grammar or nests too deep. Nothing can follow it.
    pub fn poll_event(&mut self) -> Result<Option<Event>, WireError> {
        loop {
            if let Some(event) = self.cx.events.pop_front() {
                return Ok(Some(event));
            }
            let Some(token) = self.lexer.poll()? else { return Ok(None) };
            self.token(token)?;
            self.token_at = self.lexer.offset();
        }
    }

    /// The server said that the stream is complete (TransferStatus Done): what may end does, and the events that
    /// follow from it can be polled.
    ///
    /// # Errors
    /// [`WireErrorKind::Truncated`] with the innermost production that is not complete.
    pub fn finish(&mut self) -> Result<(), WireError> {
        let inside = !self.lexer.is_between() || self.large.is_some();
        while let Some(mut top) = self.stack.pop() {
            if inside || !top.end(&mut self.cx) {
                return Err(self.error(top.name(), "(end)", WireErrorKind::Truncated { need: 1, have: 0 }));
            }
        }
        self.end();
        Ok(())
    }

    fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.cx.event(Event::End);
        }
    }

    fn token(&mut self, token: Token) -> Result<(), WireError> {
        match token {
            Token::Marker(Marker::FXErrorInfo) => self.unwind(),
            Token::Marker(marker) => self.input(Input::Marker(marker)),
            Token::Prop(def, value) => self.input(Input::Prop(def, value)),
            Token::LargeBegin(def, len) => {
                if self.stack.last().is_some_and(|top| len <= top.gathers()) {
                    self.large = Some(Large::Gather(def, Vec::new()));
                    return Ok(());
                }
                let terminator = match RawValue::Bytes(Vec::new()).into_value(&def).0 {
                    PropType::Unicode if def.code_page().is_none_or(|page| page == 1200) => 2,
                    PropType::Unicode | PropType::String8 => 1,
                    _ => 0,
                };
                self.large = Some(Large::Stream { terminator, held: Vec::new() });
                self.input(Input::Large(def, len))
            }
            Token::LargeChunk(bytes) => {
                match &mut self.large {
                    Some(Large::Gather(_, all)) => all.extend_from_slice(&bytes),
                    Some(Large::Stream { terminator: 0, .. }) => self.cx.event(Event::LargeChunk(bytes)),
                    Some(Large::Stream { terminator, held }) => {
                        held.extend_from_slice(&bytes);
                        let tail = held.split_off(held.len().saturating_sub(*terminator));
                        let chunk = core::mem::replace(held, tail);
                        if !chunk.is_empty() {
                            self.cx.event(Event::LargeChunk(chunk));
                        }
                    }
                    None => {}
                }
                Ok(())
            }
            Token::LargeEnd => match self.large.take() {
                Some(Large::Gather(def, bytes)) => self.input(Input::Prop(def, RawValue::Bytes(bytes))),
                Some(Large::Stream { held, .. }) => {
                    if held.iter().any(|b| *b != 0) {
                        self.cx.event(Event::LargeChunk(held));
                    }
                    self.cx.event(Event::LargeEnd);
                    Ok(())
                }
                None => Ok(()),
            },
        }
    }

    /// Gives an element to the innermost production, and on to those around it when that one is complete.
    fn input(&mut self, mut input: Input) -> Result<(), WireError> {
        loop {
            let Some(top) = self.stack.last_mut() else {
                return Err(self.refuse("root", &input));
            };
            let name = top.name();
            match top.take(input, &mut self.cx) {
                Ok(Step::Taken) => return Ok(()),
                Ok(Step::Down(child)) => return self.push(child),
                Ok(Step::DownWith(child, same)) => {
                    self.push(child)?;
                    input = same;
                }
                Ok(Step::Done) => {
                    self.stack.pop();
                    if self.stack.is_empty() {
                        self.end();
                    }
                    return Ok(());
                }
                Ok(Step::DoneBefore(same)) => {
                    self.stack.pop();
                    input = same;
                }
                Ok(Step::Refused(same)) => return Err(self.refuse(name, &same)),
                Err(error) => return Err(self.error(name, error.field, error.kind)),
            }
        }
    }

    fn push(&mut self, child: Box<dyn Production>) -> Result<(), WireError> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.error(child.name(), "(depth)", WireErrorKind::TooDeep { max: MAX_DEPTH }));
        }
        self.stack.push(child);
        Ok(())
    }

    /// FXErrorInfo: back to, and not beyond, the closest element that supports recovery — 2.2.4.3.4.
    fn unwind(&mut self) -> Result<(), WireError> {
        let Some(at) = self.stack.iter().rposition(|p| p.recovers()) else {
            let name = self.stack.last().map_or("root", |p| p.name());
            return Err(self.refuse(name, &Input::Marker(Marker::FXErrorInfo)));
        };
        let before = match self.stack.get(at.saturating_add(1)..) {
            Some([change, content]) if content.is_whole() => change.subject().cloned(),
            _ => None,
        };
        self.stack.truncate(at.saturating_add(1));
        self.push(Box::new(error_info::ErrorInfo::new(before)))
    }

    fn refuse(&self, production: &'static str, input: &Input) -> WireError {
        let (field, tag) = match input {
            Input::Marker(marker) => (marker.name(), marker.tag()),
            Input::Prop(def, _) | Input::Large(def, _) => ("propValue", def.tag),
        };
        self.error(production, field, WireErrorKind::Invalid { value: tag.0.into() })
    }

    fn error(&self, production: &'static str, field: &'static str, kind: WireErrorKind) -> WireError {
        let offset = usize::try_from(self.token_at).unwrap_or(usize::MAX);
        WireError::new(production, field, offset, kind)
    }
}
