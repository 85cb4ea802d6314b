//! What a client has of a synchronization scope — [MS-OXCFXICS] 2.2.1.1 ICS state properties.

use core::fmt;

use watertight_wire::{Guid, Reader, WireError, WireErrorKind, Writer};

use super::{CnSet, GuidIdSet};
use crate::{GlobCnt, PropTag, prop::tags};

/// The ICS state, REPLGUID-based: what is uploaded before a download and comes back at its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// MetaTagIdsetGiven: objects that the client has.
    pub given: GuidIdSet,
    /// MetaTagCnsetSeen: changes of folders or normal messages that the client has.
    pub seen: CnSet,
    /// MetaTagCnsetSeenFAI: changes of FAI messages that the client has.
    pub seen_fai: CnSet,
    /// MetaTagCnsetRead: changes of read states that the client has.
    pub read: CnSet,
}

/// A set of a final state that was changed because it cannot be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutSet {
    /// The replica.
    pub replica: Guid,
    /// The highest counter that the server claimed.
    pub claimed: GlobCnt,
    /// The highest that was left: that of the changes seen; `None` when nothing was left.
    pub cut_to: Option<GlobCnt>,
}

impl fmt::Display for CutSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the server's state claims read-state changes up to {:?} of replica {}; cut to ",
            self.claimed, self.replica
        )?;
        match self.cut_to {
            Some(top) => write!(f, "{top:?}, the last change seen"),
            None => f.write_str("nothing: no change of it was seen"),
        }
    }
}

/// How far MetaTagCnsetRead may reach beyond what was seen.
const READ_SLACK: u64 = 1 << 32;

impl State {
    /// The four properties that carry the state, in the order of the document.
    pub const TAGS: [PropTag; 4] = [
        tags::META_TAG_IDSET_GIVEN,
        tags::META_TAG_CNSET_SEEN,
        tags::META_TAG_CNSET_SEEN_FAI,
        tags::META_TAG_CNSET_READ,
    ];

    /// Whether nothing is known: the state before a first download.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sets the part that the property carries; the type in the tag does not matter ([MS-OXCFXICS] 3.1.5.2.1).
    /// Returns whether the property is one of the four.
    ///
    /// # Errors
    /// Bytes that are not an IDSET; the part is then as it was.
    pub fn set(&mut self, tag: PropTag, bytes: &[u8]) -> Result<bool, WireError> {
        let id = tag.id();
        if id == tags::META_TAG_IDSET_GIVEN.id() {
            self.given = GuidIdSet::from_bytes(bytes)?;
        } else if id == tags::META_TAG_CNSET_SEEN.id() {
            self.seen = CnSet::from_bytes(bytes)?;
        } else if id == tags::META_TAG_CNSET_SEEN_FAI.id() {
            self.seen_fai = CnSet::from_bytes(bytes)?;
        } else if id == tags::META_TAG_CNSET_READ.id() {
            self.read = CnSet::from_bytes(bytes)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The properties and their bytes as RopSynchronizationUploadStateStream takes them: two for a hierarchy, else
    /// four. Empty sets have no bytes.
    #[must_use]
    pub fn blobs(&self, hierarchy: bool) -> Vec<(PropTag, Vec<u8>)> {
        let mut blobs = vec![
            (tags::META_TAG_IDSET_GIVEN, self.given.to_bytes()),
            (tags::META_TAG_CNSET_SEEN, self.seen.to_bytes()),
        ];
        if !hierarchy {
            blobs.push((tags::META_TAG_CNSET_SEEN_FAI, self.seen_fai.to_bytes()));
            blobs.push((tags::META_TAG_CNSET_READ, self.read.to_bytes()));
        }
        blobs
    }

    /// Cuts MetaTagCnsetRead where it reaches more than 2^32 beyond the top of the changes seen of that replica, to
    /// that top: a server that claims so would never send a read-state change again (gromox 3.10 claims 2^48 − 1).
    pub fn cut_read(&mut self) -> Vec<CutSet> {
        let mut cuts = Vec::new();
        for (replica, set) in self.read.clone().iter() {
            let top = [&self.seen, &self.seen_fai].iter().filter_map(|s| s.get(replica)?.max()).max();
            let limit = top.map_or(0, GlobCnt::value).saturating_add(READ_SLACK);
            if let Some(claimed) = set.max().filter(|max| max.value() > limit) {
                let keep = top.map_or_else(Default::default, super::GlobSet::up_to);
                self.read.put(replica, set.intersection(&keep));
                cuts.push(CutSet { replica, claimed, cut_to: top });
            }
        }
        cuts
    }

    /// The state as bytes to keep; for [`State::from_saved`] only.
    #[must_use]
    pub fn to_saved(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(SAVED_VERSION);
        for (_, blob) in self.blobs(false) {
            // A set that has 4 GiB is not kept: it is sent again.
            if w.bytes32(&blob, "set").is_err() {
                w.u32(0);
            }
        }
        w.into_bytes()
    }

    /// A state that [`State::to_saved`] made.
    ///
    /// # Errors
    /// Bytes that it did not make.
    pub fn from_saved(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes, "saved state");
        let version = r.u8("version")?;
        if version != SAVED_VERSION {
            return Err(WireError::new(
                "saved state",
                "version",
                0,
                WireErrorKind::Invalid { value: version.into() },
            ));
        }
        let mut state = Self::default();
        for tag in Self::TAGS {
            state.set(tag, r.bytes32("set")?)?;
        }
        r.finish()?;
        Ok(state)
    }
}

const SAVED_VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate::survive;

    use super::*;
    use crate::ics::GlobSet;

    const REPLICA: Guid = Guid::from_bytes([7; 16]);

    fn state(seen: u64, fai: u64, read: u64) -> State {
        let up_to = |n| CnSet::of(REPLICA, GlobSet::up_to(GlobCnt::new(n).unwrap()));
        State { given: GuidIdSet::new(), seen: up_to(seen), seen_fai: up_to(fai), read: up_to(read) }
    }

    #[test]
    fn a_read_set_beyond_reason_is_cut_to_what_was_seen() {
        let mut claimed = state(0xa7, 0xa9, (1 << 48) - 1);
        let cuts = claimed.cut_read();
        assert_eq!(claimed, state(0xa7, 0xa9, 0xa9));
        assert_eq!(cuts, [CutSet { replica: REPLICA, claimed: GlobCnt::MAX, cut_to: GlobCnt::new(0xa9) }]);
        assert!(cuts[0].to_string().contains("cut to 0xa9"));
        for kept in [state(5, 0, 5 + (1 << 32)), state(0, 0, 1 << 32), state(5, 5, 3)] {
            let mut same = kept.clone();
            assert!(same.cut_read().is_empty());
            assert_eq!(same, kept);
        }
        let mut nothing = state(0, 0, 1 << 33);
        assert_eq!(nothing.cut_read()[0].cut_to, None);
        assert!(nothing.read.is_empty());
    }

    #[test]
    fn saved_and_uploaded_forms_give_the_state_back() {
        let mut whole = state(3, 4, 5);
        whole.given.insert(REPLICA, GlobCnt::new(77).unwrap());
        assert_eq!(State::from_saved(&whole.to_saved()).unwrap(), whole);
        assert_eq!(State::from_saved(&State::default().to_saved()).unwrap(), State::default());
        let mut uploaded = State::default();
        for (tag, blob) in whole.blobs(false) {
            assert!(uploaded.set(tag, &blob).unwrap());
        }
        assert_eq!(uploaded, whole);
        assert!(uploaded.set(tags::META_TAG_IDSET_GIVEN.with_type(crate::PropType::Binary), &[]).unwrap());
        assert!(uploaded.given.is_empty() && !uploaded.set(tags::SUBJECT, &[]).unwrap());
        assert_eq!(whole.blobs(true).len(), 2);
        survive(&whole.to_saved(), |b| {
            let _ = State::from_saved(b);
        });
    }
}
