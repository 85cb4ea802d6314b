//! What is searched for.

use jiff::Timestamp;
use watertight_mapi::prop::{tags, wire::TaggedPropertyValue};
use watertight_mapi::restriction::{FuzzyFlags, FuzzyLevel, RelOp, Restriction};
use watertight_mapi::{PropTag, PropValue};

use crate::time;

/// mfRead of PidTagMessageFlags — [MS-OXCMSG] 2.2.1.6.
pub(crate) const READ: i32 = 0x1;

/// Which messages of a folder, and in which order. Conditions add up: a message must meet all of them.
///
/// Texts are found anywhere, without regard to case. The server searches; only what it finds travels.
///
/// ```
/// use watertight_mail::Query;
///
/// let query = Query::new().subject("invoice").unread(true).larger(1 << 20).oldest_first();
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    clauses: Vec<Restriction>,
    oldest_first: bool,
}

impl Query {
    /// All messages, the newest first.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With this in the subject.
    #[must_use]
    pub fn subject(self, text: &str) -> Self {
        self.with(contains(tags::SUBJECT, text))
    }

    /// With this in the sender's name or address.
    #[must_use]
    pub fn sender(self, text: &str) -> Self {
        self.with(any_contains(
            &[
                tags::SENT_REPRESENTING_NAME,
                tags::SENT_REPRESENTING_EMAIL_ADDRESS,
                tags::SENT_REPRESENTING_SMTP_ADDRESS,
                tags::SENDER_NAME,
                tags::SENDER_EMAIL_ADDRESS,
            ],
            text,
        ))
    }

    /// With this in the name or address of a recipient: To, Cc or Bcc.
    #[must_use]
    pub fn recipient(self, text: &str) -> Self {
        self.with(Restriction::SubObject {
            tag: tags::MESSAGE_RECIPIENTS,
            restriction: Box::new(any_contains(
                &[tags::DISPLAY_NAME, tags::EMAIL_ADDRESS, tags::SMTP_ADDRESS],
                text,
            )),
        })
    }

    /// With this in the body as text.
    #[must_use]
    pub fn body(self, text: &str) -> Self {
        self.with(contains(tags::BODY, text))
    }

    /// Unread ones, or read ones.
    #[must_use]
    pub fn unread(self, unread: bool) -> Self {
        self.with(Restriction::Bitmask {
            nonzero: !unread,
            tag: tags::MESSAGE_FLAGS,
            mask: READ.unsigned_abs(),
        })
    }

    /// With attachments, or without.
    #[must_use]
    pub fn has_attachments(self, has: bool) -> Self {
        self.with(Restriction::equals(tags::HAS_ATTACHMENTS, has))
    }

    /// Received at that time or later.
    #[must_use]
    pub fn since(self, time: Timestamp) -> Self {
        self.compare(RelOp::GreaterOrEqual, tags::MESSAGE_DELIVERY_TIME, time::to_filetime(time))
    }

    /// Received before that time.
    #[must_use]
    pub fn before(self, time: Timestamp) -> Self {
        self.compare(RelOp::Less, tags::MESSAGE_DELIVERY_TIME, time::to_filetime(time))
    }

    /// Larger than so many bytes.
    #[must_use]
    pub fn larger(self, bytes: u32) -> Self {
        self.compare(RelOp::Greater, tags::MESSAGE_SIZE, i32::try_from(bytes).unwrap_or(i32::MAX))
    }

    /// Smaller than so many bytes.
    #[must_use]
    pub fn smaller(self, bytes: u32) -> Self {
        self.compare(RelOp::Less, tags::MESSAGE_SIZE, i32::try_from(bytes).unwrap_or(i32::MAX))
    }

    /// Of this class (`IPM.Note`), or of one made from it (`IPM.Note.SMIME`).
    #[must_use]
    pub fn class(self, class: &str) -> Self {
        self.with(Restriction::Content {
            level: FuzzyLevel::Prefix,
            flags: FuzzyFlags::IgnoreCase,
            tag: tags::MESSAGE_CLASS,
            value: TaggedPropertyValue::new(tags::MESSAGE_CLASS, class.into()),
        })
    }

    /// Whatever else a restriction can say — [MS-OXCDATA] 2.12.
    #[must_use]
    pub fn matching(self, restriction: Restriction) -> Self {
        self.with(restriction)
    }

    /// The oldest first, by the time of delivery.
    #[must_use]
    pub const fn oldest_first(mut self) -> Self {
        self.oldest_first = true;
        self
    }

    /// Whether the oldest come first.
    pub(crate) const fn is_oldest_first(&self) -> bool {
        self.oldest_first
    }

    /// The conditions in one, if there are any.
    pub(crate) fn restriction(mut self) -> Option<Restriction> {
        match self.clauses.len() {
            0 => None,
            1 => self.clauses.pop(),
            _ => Some(Restriction::And(self.clauses)),
        }
    }

    fn compare(self, op: RelOp, tag: PropTag, value: impl Into<PropValue>) -> Self {
        self.with(Restriction::Property { op, tag, value: TaggedPropertyValue::new(tag, value.into()) })
    }

    fn with(mut self, clause: Restriction) -> Self {
        self.clauses.push(clause);
        self
    }
}

fn contains(tag: PropTag, text: &str) -> Restriction {
    Restriction::Content {
        level: FuzzyLevel::Substring,
        flags: FuzzyFlags::IgnoreCase,
        tag,
        value: TaggedPropertyValue::new(tag, text.into()),
    }
}

fn any_contains(tags: &[PropTag], text: &str) -> Restriction {
    Restriction::Or(tags.iter().map(|tag| contains(*tag, text)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_add_up() {
        assert_eq!(Query::new().restriction(), None);
        assert!(matches!(Query::new().subject("x").restriction(), Some(Restriction::Content { .. })));
        let both = Query::new().subject("x").unread(true).restriction();
        assert!(matches!(both, Some(Restriction::And(clauses)) if clauses.len() == 2));
    }
}
