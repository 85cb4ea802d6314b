use watertight_wire::FileTime;

use super::{ContentsSink, Deletion, Failure, MessageChange, Piece, ReadStateChange, SinkResult, Verdict};
use crate::{
    GlobalId,
    ics::GuidIdSet,
    prop::{Prop, PropData, PropValue, tags},
};

/// What a list of messages shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// MID.
    pub id: GlobalId,
    /// CN of the version.
    pub change_number: GlobalId,
    /// Whether it is an FAI message.
    pub associated: bool,
    /// Bytes, where the stream says it.
    pub size: u64,
    /// PidTagMessageClass.
    pub class: String,
    /// PidTagSubject, or its prefix and the normalized one.
    pub subject: String,
    /// PidTagSentRepresentingName, else PidTagSenderName.
    pub sender: String,
    /// PidTagMessageDeliveryTime.
    pub received: Option<FileTime>,
    /// PidTagMessageFlags.
    pub flags: i32,
    /// Attachments of the message itself.
    pub attachments: u32,
}

/// A sink that collects message heads and forgets the rest. Take what it has between steps when there may be many.
#[derive(Debug, Default)]
pub struct Heads {
    /// Messages that are new or have changed.
    pub changed: Vec<Head>,
    /// Messages that are gone.
    pub deleted: GuidIdSet,
    /// Messages that were marked.
    pub marked: ReadStateChange,
    /// Messages that the server could not send.
    pub failed: Vec<Failure>,
    current: Option<Building>,
}

#[derive(Debug)]
struct Building {
    head: Head,
    prefix: String,
    normalized: String,
    sender: String,
    /// In how many recipients, attachments and messages of attachments we are.
    depth: u32,
}

impl ContentsSink for Heads {
    fn message_change(&mut self, change: &MessageChange) -> SinkResult<Verdict> {
        self.current = Some(Building {
            head: Head {
                id: change.id,
                change_number: change.change_number,
                associated: change.associated,
                size: change.size,
                class: String::new(),
                subject: String::new(),
                sender: String::new(),
                received: None,
                flags: 0,
                attachments: 0,
            },
            prefix: String::new(),
            normalized: String::new(),
            sender: String::new(),
            depth: 0,
        });
        Ok(Verdict::Take)
    }

    fn piece(&mut self, piece: Piece) -> SinkResult {
        let Some(building) = &mut self.current else { return Ok(()) };
        match piece {
            Piece::Property(prop) if building.depth == 0 => building.property(prop),
            Piece::AttachmentBegin { .. } => {
                building.head.attachments =
                    building.head.attachments.saturating_add(u32::from(building.depth == 0));
                building.depth = building.depth.saturating_add(1);
            }
            Piece::RecipientBegin | Piece::EmbeddedBegin => building.depth = building.depth.saturating_add(1),
            Piece::RecipientEnd | Piece::AttachmentEnd | Piece::EmbeddedEnd => {
                building.depth = building.depth.saturating_sub(1);
            }
            _ => {}
        }
        Ok(())
    }

    fn message_end(&mut self) -> SinkResult {
        if let Some(Building { mut head, prefix, normalized, sender, .. }) = self.current.take() {
            if head.subject.is_empty() {
                head.subject = prefix + &normalized;
            }
            if head.sender.is_empty() {
                head.sender = sender;
            }
            self.changed.push(head);
        }
        Ok(())
    }

    fn message_deletion(&mut self, _: Deletion, ids: &GuidIdSet) -> SinkResult {
        self.deleted.extend(ids);
        Ok(())
    }

    fn read_state_change(&mut self, change: &ReadStateChange) -> SinkResult {
        self.marked.read.extend(&change.read);
        self.marked.unread.extend(&change.unread);
        Ok(())
    }

    fn failed(&mut self, failure: &Failure) -> SinkResult {
        self.current = None;
        self.failed.push(failure.clone());
        Ok(())
    }
}

impl Building {
    fn property(&mut self, prop: Prop) {
        if prop.name.is_some() {
            return;
        }
        let PropData::Inline(value) = prop.value else { return };
        let id = prop.tag.id();
        match value {
            PropValue::Unicode(text) => {
                for (tag, place) in [
                    (tags::MESSAGE_CLASS, &mut self.head.class),
                    (tags::SUBJECT, &mut self.head.subject),
                    (tags::SUBJECT_PREFIX, &mut self.prefix),
                    (tags::NORMALIZED_SUBJECT, &mut self.normalized),
                    (tags::SENT_REPRESENTING_NAME, &mut self.head.sender),
                    (tags::SENDER_NAME, &mut self.sender),
                ] {
                    if tag.id() == id {
                        *place = text;
                        return;
                    }
                }
            }
            PropValue::Time(time) if id == tags::MESSAGE_DELIVERY_TIME.id() => {
                self.head.received = Some(time)
            }
            PropValue::I32(flags) if id == tags::MESSAGE_FLAGS.id() => self.head.flags = flags,
            _ => {}
        }
    }
}
