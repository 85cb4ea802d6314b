//! What happens to the mailbox between two synchronizations. It stays as large as it is: as many messages go as come.

use std::collections::VecDeque;

use anyhow::{Result, ensure};
use watertight_mapi::Mid;
use watertight_mapi::prop::{Prop, PropValue, tags};
use watertight_mapi_client::{Access, Associated, Completion, Deletion, Error, Folder, ReadFlag};

use crate::command::soak::mailbox::text;
use crate::command::sync;

/// So many messages come in a round, as many go, and as many change.
const MESSAGES: usize = 2;
/// So many messages are marked read, or unread, in a round.
const READ: usize = 3;
/// Messages that came stay for so many rounds.
const ROUNDS: usize = 10;

/// Who changes the mailbox.
pub struct Changes {
    /// Messages that were there at first; they stay.
    ids: Vec<Mid>,
    /// Messages that came, oldest first.
    came: VecDeque<Mid>,
    round: usize,
}

impl Changes {
    pub fn new(ids: Vec<Mid>) -> Self {
        Self { ids, came: VecDeque::new(), round: 0 }
    }

    /// Touches everything a few times, so that the server's caches are as full as they will ever be.
    pub async fn warm_up(&mut self, inbox: &Folder) -> Result<()> {
        for flag in [ReadFlag::ReadQuietly, ReadFlag::Unread] {
            read(inbox, &self.ids, flag).await?;
        }
        Ok(())
    }

    /// Makes the changes of a round. Returns how many messages are new or changed.
    pub async fn make(&mut self, inbox: &Folder) -> Result<u64> {
        let round = self.round;
        self.round = self.round.wrapping_add(1);
        for _ in 0..MESSAGES {
            self.came.push_back(deliver(inbox, round).await.map_err(sync::client)?);
        }
        let mut done = MESSAGES;
        for n in 0..MESSAGES {
            if let Some(id) = self.pick(round.saturating_mul(MESSAGES).saturating_add(n)) {
                change(inbox, id, round).await.map_err(sync::client)?;
                done = done.saturating_add(1);
            }
        }
        let first = round.saturating_mul(READ);
        // Half of the mailbox away from those that change.
        let far = self.ids.len() / 2;
        let ids: Vec<Mid> = (0..READ.min(self.ids.len()))
            .filter_map(|n| self.pick(first.saturating_add(far).saturating_add(n)))
            .collect();
        let pass = first.checked_div(self.ids.len()).unwrap_or(0);
        read(inbox, &ids, if pass.is_multiple_of(2) { ReadFlag::ReadQuietly } else { ReadFlag::Unread })
            .await?;
        if self.came.len() > MESSAGES.saturating_mul(ROUNDS) {
            let ids: Vec<Mid> = self.came.drain(..MESSAGES).collect();
            let deleted = inbox.delete_messages(&ids, Deletion::Soft).await.map_err(sync::client)?;
            ensure!(deleted == Completion::All, "messages were not deleted");
        }
        Ok(u64::try_from(done)?)
    }

    fn pick(&self, n: usize) -> Option<Mid> {
        self.ids.get(n.checked_rem(self.ids.len())?).copied()
    }
}

/// Marks messages. An empty list would mean all of the folder.
async fn read(inbox: &Folder, ids: &[Mid], flag: ReadFlag) -> Result<()> {
    if !ids.is_empty() {
        let marked = inbox.set_read_flags(ids, flag).await.map_err(sync::client)?;
        ensure!(marked == Completion::All, "messages were not marked");
    }
    Ok(())
}

/// A mail comes in.
async fn deliver(inbox: &Folder, round: usize) -> Result<Mid, Error> {
    let number = u32::try_from(round % 1000).unwrap_or(0);
    let mut message = inbox.create_message(Associated::No).await?;
    let props = [
        Prop::new(tags::MESSAGE_CLASS, "IPM.Note"),
        Prop::new(tags::SUBJECT, format!("Round {number:03}")),
        Prop::new(tags::BODY, text(number, 30)),
        Prop::new(tags::MESSAGE_FLAGS, PropValue::I32(0)),
    ];
    message.set_props(&props).await?;
    message.save().await
}

/// A message that is there gets another subject of the same length.
async fn change(inbox: &Folder, id: Mid, round: usize) -> Result<(), Error> {
    let mut message = inbox.open_message(id, Access::ReadWrite).await?;
    let subject = format!("Changed in round {:09}", round % 1_000_000_000);
    message.set_props(&[Prop::new(tags::SUBJECT, subject)]).await?;
    message.save().await.map(drop)
}
