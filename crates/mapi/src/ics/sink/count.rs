use super::{
    ContentsSink, Deletion, Failure, FolderHead, HierarchySink, MessageChange, Piece, ReadStateChange,
    SinkResult, Verdict,
};
use crate::{
    ics::GuidIdSet,
    prop::{PropData, PropValue},
};

/// A sink that takes everything and counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Folders that are new or have changed.
    pub folders: u64,
    /// Messages that are new or have changed, whole.
    pub messages: u64,
    /// Those of them that are FAI messages.
    pub associated: u64,
    /// Properties of messages and all in them.
    pub properties: u64,
    /// Recipients, those of embedded messages included.
    pub recipients: u64,
    /// Attachments, those of embedded messages included.
    pub attachments: u64,
    /// Messages in attachments.
    pub embedded: u64,
    /// Bytes of binary and string values, and of those above 64 KiB as they come.
    pub bytes: u64,
    /// Objects that are gone.
    pub deleted: u64,
    /// Messages marked read.
    pub read: u64,
    /// Messages marked unread.
    pub unread: u64,
    /// Objects that the server could not send.
    pub failed: u64,
    /// Warnings.
    pub warnings: u64,
}

fn add(count: &mut u64, n: u64) {
    *count = count.saturating_add(n);
}

impl ContentsSink for Count {
    fn message_change(&mut self, change: &MessageChange) -> SinkResult<Verdict> {
        add(&mut self.associated, u64::from(change.associated));
        Ok(Verdict::Take)
    }

    fn piece(&mut self, piece: Piece) -> SinkResult {
        match piece {
            Piece::Property(prop) => {
                add(&mut self.properties, 1);
                let len = match &prop.value {
                    PropData::Inline(PropValue::Binary(b) | PropValue::Object(b) | PropValue::String8(b)) => {
                        b.len()
                    }
                    PropData::Inline(PropValue::Unicode(s)) => s.len(),
                    _ => 0,
                };
                add(&mut self.bytes, watertight_wire::to_u64(len));
            }
            Piece::LargeBegin { .. } => add(&mut self.properties, 1),
            Piece::LargeChunk(bytes) => add(&mut self.bytes, watertight_wire::to_u64(bytes.len())),
            Piece::RecipientBegin => add(&mut self.recipients, 1),
            Piece::AttachmentBegin { .. } => add(&mut self.attachments, 1),
            Piece::EmbeddedBegin => add(&mut self.embedded, 1),
            Piece::LargeEnd | Piece::RecipientEnd | Piece::AttachmentEnd | Piece::EmbeddedEnd => {}
        }
        Ok(())
    }

    fn message_end(&mut self) -> SinkResult {
        add(&mut self.messages, 1);
        Ok(())
    }

    fn message_deletion(&mut self, _: Deletion, ids: &GuidIdSet) -> SinkResult {
        add(&mut self.deleted, ids.len());
        Ok(())
    }

    fn read_state_change(&mut self, change: &ReadStateChange) -> SinkResult {
        add(&mut self.read, change.read.len());
        add(&mut self.unread, change.unread.len());
        Ok(())
    }

    fn failed(&mut self, _: &Failure) -> SinkResult {
        add(&mut self.failed, 1);
        Ok(())
    }

    fn warning(&mut self, _: &str) {
        add(&mut self.warnings, 1);
    }
}

impl HierarchySink for Count {
    fn folder_change(&mut self, _: &FolderHead<'_>) -> SinkResult<Verdict> {
        add(&mut self.folders, 1);
        Ok(Verdict::Take)
    }

    fn folder_deletion(&mut self, _: Deletion, ids: &GuidIdSet) -> SinkResult {
        add(&mut self.deleted, ids.len());
        Ok(())
    }

    fn failed(&mut self, _: &Failure) -> SinkResult {
        add(&mut self.failed, 1);
        Ok(())
    }

    fn warning(&mut self, _: &str) {
        add(&mut self.warnings, 1);
    }
}
