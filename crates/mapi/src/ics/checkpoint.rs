//! The state of a synchronization as bytes that a caller keeps — [MS-OXCFXICS] 3.3.5.6 checkpoint ICS state.
//!
//! Layout: "WTIC", a version byte, what is synchronized (1 contents, 2 hierarchy), the mailbox's GUID, REPLGUID and
//! counter of the folder, a fingerprint of the restriction, the sets, and a checksum of all before it.

use core::fmt;

use watertight_wire::{Guid, Reader, WireError, Writer};

use super::State;
use crate::{GlobCnt, GlobalId};

const MAGIC: &[u8] = b"WTIC";
const VERSION: u8 = 1;

/// What is synchronized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScopeKind {
    /// The messages of a folder.
    Contents,
    /// The folders below a folder.
    Hierarchy,
}

impl fmt::Display for ScopeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Contents => "a contents synchronization",
            Self::Hierarchy => "a hierarchy synchronization",
        })
    }
}

/// What a state belongs to: it says nothing about anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope {
    /// What is synchronized.
    pub kind: ScopeKind,
    /// The mailbox (RopLogon's MailboxGuid).
    pub mailbox: Guid,
    /// The folder.
    pub folder: GlobalId,
    /// [`fingerprint`] of the restriction's bytes; 0 without one.
    pub restriction: u64,
}

/// A state and what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// What it belongs to.
    pub scope: Scope,
    /// What the client has.
    pub state: State,
}

/// Why bytes are not taken as a state.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Something else altogether.
    #[error("these bytes are no saved state")]
    NotOurs,
    /// Of a later version of this program.
    #[error("the saved state has version {0}, this program knows version {VERSION}")]
    Version(u8),
    /// The checksum is wrong.
    #[error("the saved state is damaged: its checksum is wrong")]
    Damaged,
    /// The sets cannot be read.
    #[error("the saved state is damaged: {0}")]
    Wire(#[from] WireError),
    /// The state of something else.
    #[error("the saved state belongs to {was}, not to {is}")]
    Foreign {
        /// What it belongs to.
        was: String,
        /// What it was given for.
        is: String,
    },
}

impl Checkpoint {
    /// The bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(MAGIC);
        w.u8(VERSION);
        w.u8(match self.scope.kind {
            ScopeKind::Contents => 1,
            ScopeKind::Hierarchy => 2,
        });
        w.guid(self.scope.mailbox);
        w.guid(self.scope.folder.replica);
        w.bytes(&self.scope.folder.counter.to_bytes());
        w.u64(self.scope.restriction);
        w.bytes(&self.state.to_saved());
        let sum = fingerprint(w.as_slice());
        w.u64(sum);
        w.into_bytes()
    }

    /// What [`Checkpoint::to_bytes`] made.
    ///
    /// # Errors
    /// [`CheckpointError`], never [`CheckpointError::Foreign`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let mut r = Reader::new(bytes, "saved state");
        if r.bytes(MAGIC.len(), "magic") != Ok(MAGIC) {
            return Err(CheckpointError::NotOurs);
        }
        let version = r.u8("version")?;
        if version != VERSION {
            return Err(CheckpointError::Version(version));
        }
        let (signed, sum) = bytes.split_last_chunk::<8>().ok_or(CheckpointError::Damaged)?;
        if fingerprint(signed) != u64::from_le_bytes(*sum) {
            return Err(CheckpointError::Damaged);
        }
        let kind = match r.u8("kind")? {
            1 => ScopeKind::Contents,
            2 => ScopeKind::Hierarchy,
            other => return Err(r.invalid("kind", other).into()),
        };
        let mailbox = r.guid("mailbox")?;
        let replica = r.guid("folder replica")?;
        let counter = GlobCnt::from_bytes(r.array("folder counter")?);
        let restriction = r.u64("restriction")?;
        let length = r.remaining().checked_sub(sum.len()).ok_or(CheckpointError::Damaged)?;
        let state = State::from_saved(r.bytes(length, "sets")?)?;
        let folder = GlobalId::new(replica, counter);
        Ok(Self { scope: Scope { kind, mailbox, folder, restriction }, state })
    }

    /// The state in `bytes`, when it belongs to `scope`; no bytes are the state before a first synchronization.
    ///
    /// # Errors
    /// [`CheckpointError`]; [`CheckpointError::Foreign`] for a state of something else.
    pub fn open(bytes: &[u8], scope: &Scope) -> Result<State, CheckpointError> {
        if bytes.is_empty() {
            return Ok(State::default());
        }
        let saved = Self::from_bytes(bytes)?;
        match saved.scope.difference(scope) {
            None => Ok(saved.state),
            Some((was, is)) => Err(CheckpointError::Foreign { was, is }),
        }
    }
}

impl Scope {
    /// The first thing in which two scopes differ, in words.
    fn difference(&self, other: &Self) -> Option<(String, String)> {
        if self.kind != other.kind {
            Some((self.kind.to_string(), other.kind.to_string()))
        } else if self.mailbox != other.mailbox {
            Some((format!("mailbox {}", self.mailbox), format!("mailbox {}", other.mailbox)))
        } else if self.folder != other.folder {
            Some((format!("folder {}", self.folder), format!("folder {}", other.folder)))
        } else if self.restriction != other.restriction {
            Some(("another restriction".to_owned(), "this one".to_owned()))
        } else {
            None
        }
    }
}

/// FNV-1a, 64 bits: against accidents, not against malice.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate::survive;

    use super::*;
    use crate::ics::{GlobSet, GuidIdSet};

    fn checkpoint() -> Checkpoint {
        let replica = Guid::from_bytes([3; 16]);
        let folder = GlobalId::new(replica, GlobCnt::new(0xd).unwrap());
        let given = GuidIdSet::of(replica, GlobSet::up_to(GlobCnt::new(99).unwrap()));
        Checkpoint {
            scope: Scope {
                kind: ScopeKind::Contents,
                mailbox: Guid::from_bytes([4; 16]),
                folder,
                restriction: 0,
            },
            state: State { given, ..State::default() },
        }
    }

    #[test]
    fn kept_bytes_give_the_state_back_and_every_damage_is_seen() {
        let saved = checkpoint();
        let bytes = saved.to_bytes();
        assert_eq!(Checkpoint::from_bytes(&bytes).unwrap(), saved);
        assert_eq!(Checkpoint::open(&bytes, &saved.scope).unwrap(), saved.state);
        assert_eq!(Checkpoint::open(&[], &saved.scope).unwrap(), State::default());
        let mut taken = 0;
        survive(&bytes, |damaged| taken += u32::from(Checkpoint::from_bytes(damaged).is_ok()));
        assert_eq!(taken, 0);
        assert_eq!(Checkpoint::from_bytes(b"something else"), Err(CheckpointError::NotOurs));
        assert_eq!(Checkpoint::from_bytes(b"WTIC\x02"), Err(CheckpointError::Version(2)));
    }

    #[test]
    fn a_state_of_something_else_is_refused_in_words() {
        let saved = checkpoint();
        let bytes = saved.to_bytes();
        let other_folder = GlobalId::new(saved.scope.folder.replica, GlobCnt::MAX);
        for (scope, words) in [
            (Scope { kind: ScopeKind::Hierarchy, ..saved.scope }, "not to a hierarchy synchronization"),
            (Scope { mailbox: Guid::NIL, ..saved.scope }, "belongs to mailbox 04040404-"),
            (
                Scope { folder: other_folder, ..saved.scope },
                "not to folder 03030303-0303-0303-0303-030303030303-ffffffffffff",
            ),
            (Scope { restriction: 1, ..saved.scope }, "belongs to another restriction"),
        ] {
            let text = Checkpoint::open(&bytes, &scope).unwrap_err().to_string();
            assert!(text.contains(words), "{text}");
        }
    }
}
