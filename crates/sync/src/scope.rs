//! What of a mailbox belongs here: which folders, and from when on.

use std::cmp::Ordering;

use watertight_mapi::{
    PropTag,
    ics::State,
    prop::{tags, wire::TaggedPropertyValue},
    restriction::{RelOp, Restriction},
};
use watertight_wire::FileTime;

use crate::{Mode, Replica, Since, SyncResult, settings::Settings};

impl Since {
    /// The restriction of a contents synchronization — [MS-OXCFXICS] 2.2.3.2.1.1.4 RestrictionData — that has the
    /// messages whose files get such a time: PidTagMessageDeliveryTime, and where a message has none (it was never
    /// delivered) when it was submitted, else when it was last changed.
    pub(crate) fn restriction(self) -> Option<Restriction> {
        let seconds = self.seconds()?;
        let since = |tag: PropTag| {
            let value = TaggedPropertyValue::new(tag, FileTime::from_unix_seconds(seconds).into());
            Restriction::Property { op: RelOp::GreaterOrEqual, tag, value }
        };
        let without = |tag, other| {
            Restriction::And(vec![Restriction::Not(Box::new(Restriction::Exist { tag })), other])
        };
        let changed = without(tags::CLIENT_SUBMIT_TIME, since(tags::LAST_MODIFICATION_TIME));
        let submitted = Restriction::Or(vec![since(tags::CLIENT_SUBMIT_TIME), changed]);
        Some(Restriction::Or(vec![
            since(tags::MESSAGE_DELIVERY_TIME),
            without(tags::MESSAGE_DELIVERY_TIME, submitted),
        ]))
    }
}

impl Replica {
    /// Keeps what this run says about how the Maildir is kept, and says what that means.
    pub(crate) fn remember(&self, before: &Settings) -> SyncResult<()> {
        let now = &self.settings;
        if now == before {
            return Ok(());
        }
        if now.exclude != before.exclude {
            self.transaction("cannot write it", false, |tx| tx.set_meta("layout", b"1"))?;
        }
        if now.exclude != before.exclude || now.since < before.since {
            self.adopt_again()?;
        }
        let progress = &self.options.progress;
        let (was, is) = (before.since, now.since);
        match is.cmp(&was) {
            Ordering::Greater if now.mode == Mode::Mirror => progress.warning(&format!(
                "only messages delivered since {is} belong here now (before: {was}): older ones are removed"
            )),
            Ordering::Greater => progress.warning(&format!(
                "only messages delivered since {is} belong here now (before: {was}): older ones stay as they are"
            )),
            _ => {}
        }
        if now.mode != before.mode {
            progress.warning(&match now.mode {
                Mode::KeepDeleted => {
                    "what the server deletes stays here from now on, until --mode mirror".to_owned()
                }
                Mode::Mirror => "what the server deletes is deleted here from now on".to_owned(),
            });
        }
        if self.dry() { Ok(()) } else { now.save(&self.disk, &self.root) }
    }

    /// The state to begin a folder's download with, after the time from which messages are asked for has changed.
    /// Messages that were outside and are not any more come because the set of seen changes is made of what is here.
    pub(crate) fn rescope(&self, folder: i64, state: State) -> SyncResult<State> {
        let wanted = self.settings.since.seconds();
        let had = self.transaction("cannot read it", false, |tx| tx.scope(folder))?;
        if had == wanted {
            return Ok(state);
        }
        self.commit("cannot write it", |tx| {
            tx.set_scope(folder, wanted)?;
            // Nothing is less than any time.
            if wanted > had {
                return Ok(state);
            }
            tx.bring_in_scope(folder, wanted)?;
            let rebuilt = State { read: state.read, ..State::default() };
            let rebuilt = tx.folder_checkpoint(folder, rebuilt)?;
            tx.set_folder_state(folder, &rebuilt)?;
            Ok(rebuilt)
        })
    }
}
