use std::fmt;

use watertight_mapi::prop::{PropBag, tags};

/// The flag letters of a Maildir file name (`:2,…`): `A` to `Z` and `a` to `z`, once each, in ASCII order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u64);

impl Flags {
    /// No letter.
    pub const NONE: Self = Self(0);
    /// `S`: read.
    pub const SEEN: Self = Self::bit(b'S');
    /// `R`: answered.
    pub const REPLIED: Self = Self::bit(b'R');
    /// `P`: forwarded.
    pub const PASSED: Self = Self::bit(b'P');
    /// `F`: flagged for follow-up.
    pub const FLAGGED: Self = Self::bit(b'F');
    /// `D`: a draft.
    pub const DRAFT: Self = Self::bit(b'D');

    const fn bit(letter: u8) -> Self {
        match letter {
            b'A'..=b'Z' => Self(1 << (letter - b'A')),
            b'a'..=b'z' => Self(1 << (26 + letter - b'a')),
            _ => Self(0),
        }
    }

    /// The letters in a text; what is no letter is passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(text.bytes().fold(0, |all, letter| all | Self::bit(letter).0))
    }

    /// As the number that the state keeps.
    #[must_use]
    pub fn to_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(0)
    }

    /// From the number that the state keeps.
    #[must_use]
    pub fn from_i64(bits: i64) -> Self {
        Self(u64::try_from(bits).unwrap_or(0) & ((1 << 52) - 1))
    }

    /// Whether there is no letter.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all letters of the other are there.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the letters of the other.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without the letters of the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// With `S` when read, else without it.
    #[must_use]
    pub const fn read(self, read: bool) -> Self {
        if read { self.with(Self::SEEN) } else { self.without(Self::SEEN) }
    }

    /// The lower-case letters: a reader's own keywords, which the server does not know.
    #[must_use]
    pub const fn keywords(self) -> Self {
        Self(self.0 & !((1 << 26) - 1))
    }

    /// The letters that the server's message stands for.
    ///
    /// `S`: PidTagMessageFlags mfRead or PidTagRead; `R`, `P`: PidTagLastVerbExecuted 102 or 103, 104
    /// ([MS-OXOMSG] 2.2.1.26); `F`: PidTagFlagStatus 2 ([MS-OXOFLAG] 2.2.1.1); `D`: PidTagMessageFlags mfUnsent
    /// ([MS-OXCMSG] 2.2.1.6). `T` is never written.
    #[must_use]
    pub fn of_message(props: &PropBag) -> Self {
        let message_flags = props.int(tags::MESSAGE_FLAGS).unwrap_or(0);
        let read = props.bool(tags::READ).unwrap_or(message_flags & 0x1 != 0);
        let verb = match props.int(tags::LAST_VERB_EXECUTED) {
            Some(102 | 103) => Self::REPLIED,
            Some(104) => Self::PASSED,
            _ => Self::NONE,
        };
        let flagged = if props.int(tags::FLAG_STATUS) == Some(2) { Self::FLAGGED } else { Self::NONE };
        let draft = if message_flags & 0x8 != 0 { Self::DRAFT } else { Self::NONE };
        Self::NONE.read(read).with(verb).with(flagged).with(draft)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in (b'A'..=b'Z').chain(b'a'..=b'z') {
            if self.has(Self::bit(letter)) {
                write!(f, "{}", char::from(letter))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_once_in_order() {
        assert_eq!(Flags::parse("TSa,RSz9").to_string(), "RSTaz");
        assert_eq!(Flags::parse("SbR").keywords().to_string(), "b");
        assert_eq!(Flags::from_i64(Flags::parse("Zz").to_i64()).to_string(), "Zz");
    }

    #[test]
    fn properties_become_letters() {
        let mut props = PropBag::default();
        assert_eq!(Flags::of_message(&props).to_string(), "");
        props.set(tags::MESSAGE_FLAGS, 0x9);
        props.set(tags::FLAG_STATUS, 2);
        props.set(tags::LAST_VERB_EXECUTED, 104);
        assert_eq!(Flags::of_message(&props).to_string(), "DFPS");
        props.set(tags::LAST_VERB_EXECUTED, 103);
        props.set(tags::FLAG_STATUS, 1);
        props.set(tags::READ, false);
        assert_eq!(Flags::of_message(&props).to_string(), "DR");
    }
}
