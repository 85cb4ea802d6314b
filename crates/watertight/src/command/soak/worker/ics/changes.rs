//! What happens to the mailbox between two synchronizations. It stays as large as it is: as many messages go as come.

use std::collections::VecDeque;

use anyhow::{Context, Result, bail};
use watertight_mapi::prop::wire::TaggedPropertyValue;
use watertight_mapi::prop::{PropValue, tags};
use watertight_mapi::rop::field::{List16, Truth};
use watertight_mapi::rop::folder::DeleteMessagesRequest;
use watertight_mapi::rop::message::{
    CreateMessageRequest, OpenMessageRequest, SaveChangesMessageRequest, SetReadFlagsRequest,
};
use watertight_mapi::rop::property::SetPropertiesRequest;
use watertight_mapi::rop::{INVALID_HANDLE, Request, RequestBody, ResponseBody};
use watertight_mapi::{Fid, GlobCnt, Mid};
use watertight_mapi_client::{Error, Folder, Logon, Replies, Session, SpecialFolder};

use crate::command::soak::mailbox::text;
use crate::command::sync;

/// So many messages come in a round, as many go, and as many change.
const MESSAGES: usize = 2;
/// So many messages are marked read, or unread, in a round.
const READ: usize = 3;
/// Messages that came stay for so many rounds.
const ROUNDS: usize = 10;
/// CLEAR_READ_FLAG — [MS-OXCMSG] 2.2.3.11.
const CLEAR_READ_FLAG: u8 = 0x04;

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
    pub async fn warm_up(&mut self, session: &Session, inbox: &Folder) -> Result<()> {
        for read_flags in [0, CLEAR_READ_FLAG, 0, CLEAR_READ_FLAG] {
            for ids in self.ids.chunks(500) {
                set_read(session, inbox, ids.to_vec(), read_flags).await?;
            }
        }
        Ok(())
    }

    /// Makes the changes of a round. Returns how many messages are new or changed.
    pub async fn make(&mut self, session: &Session, inbox: &Folder) -> Result<u64> {
        let round = self.round;
        self.round = self.round.wrapping_add(1);
        for _ in 0..MESSAGES {
            let id = deliver(session, inbox, round).await?;
            self.came.push_back(id);
        }
        let mut done = MESSAGES;
        for n in 0..MESSAGES {
            if let Some(id) = self.pick(round.saturating_mul(MESSAGES).saturating_add(n)) {
                change(session, inbox, id, round).await?;
                done = done.saturating_add(1);
            }
        }
        let mut read: Vec<Mid> =
            (0..READ).filter_map(|n| self.pick(round.saturating_mul(READ).saturating_add(n).saturating_add(500))).collect();
        read.dedup();
        if !read.is_empty() {
            let pass = round.saturating_mul(READ) / self.ids.len().max(1);
            let flags = if pass.is_multiple_of(2) { 0 } else { CLEAR_READ_FLAG };
            set_read(session, inbox, read, flags).await?;
        }
        if self.came.len() > MESSAGES.saturating_mul(ROUNDS) {
            let body = RequestBody::DeleteMessages(DeleteMessagesRequest {
                want_asynchronous: Truth(false),
                notify_non_read: Truth(false),
                message_ids: List16(self.came.drain(..MESSAGES).collect()),
            });
            one(session, body, inbox, "RopDeleteMessages").await?;
        }
        Ok(u64::try_from(done)?)
    }

    /// Comes upon an error.
    pub async fn fail(&self, logon: &Logon) -> Result<(), Error> {
        let inbox = logon.special_folder(SpecialFolder::Inbox);
        let nowhere = Fid::new(inbox.repl_id, GlobCnt::new(0x7fff_ffff_fff0).unwrap_or_default());
        logon.open_folder(nowhere).await.map(drop)
    }

    fn pick(&self, n: usize) -> Option<Mid> {
        self.ids.get(n.checked_rem(self.ids.len())?).copied()
    }
}

async fn set_read(session: &Session, inbox: &Folder, ids: Vec<Mid>, read_flags: u8) -> Result<()> {
    let body = RequestBody::SetReadFlags(SetReadFlagsRequest {
        want_asynchronous: Truth(false),
        read_flags,
        message_ids: List16(ids),
    });
    one(session, body, inbox, "RopSetReadFlags").await
}

async fn one(session: &Session, body: RequestBody, on: &Folder, name: &'static str) -> Result<()> {
    let replies =
        session.execute(&[Request::new(0, body)], &[on.handle().raw()]).await.map_err(sync::client)?;
    replies.success(0, name).map_err(sync::client)?;
    Ok(())
}

/// A mail comes in.
async fn deliver(session: &Session, inbox: &Folder, round: usize) -> Result<Mid> {
    let number = u32::try_from(round % 1000)?;
    let values = vec![
        TaggedPropertyValue::new(tags::MESSAGE_CLASS, "IPM.Note".into()),
        TaggedPropertyValue::new(tags::SUBJECT, format!("Round {number:03}").as_str().into()),
        TaggedPropertyValue::new(tags::BODY, text(number, 30).as_str().into()),
        TaggedPropertyValue::new(tags::MESSAGE_FLAGS, PropValue::I32(0)),
    ];
    let create = CreateMessageRequest {
        output_index: 1,
        code_page_id: 0x0fff,
        folder_id: inbox.id(),
        associated_flag: Truth(false),
    };
    let replies = saved(session, inbox, RequestBody::CreateMessage(create), values).await?;
    match replies.success(2, "RopSaveChangesMessage").map_err(sync::client)? {
        Some(ResponseBody::SaveChangesMessage(saved)) => Ok(saved.message_id),
        _ => bail!("RopSaveChangesMessage gave no id"),
    }
}

/// A message that is there gets another subject of the same length.
async fn change(session: &Session, inbox: &Folder, id: Mid, round: usize) -> Result<()> {
    let open = OpenMessageRequest {
        output_index: 1,
        code_page_id: 0x0fff,
        folder_id: inbox.id(),
        open_mode_flags: 1,
        message_id: id,
    };
    let subject = format!("Changed in round {:09}", round % 1_000_000_000);
    let values = vec![TaggedPropertyValue::new(tags::SUBJECT, subject.as_str().into())];
    let replies = saved(session, inbox, RequestBody::OpenMessage(open), values).await?;
    replies.success(2, "RopSaveChangesMessage").map_err(sync::client).context("a message was not changed")?;
    Ok(())
}

/// A message is opened or made, gets properties, and is saved: one request.
async fn saved(
    session: &Session,
    inbox: &Folder,
    first: RequestBody,
    values: Vec<TaggedPropertyValue>,
) -> Result<Replies> {
    let requests = [
        Request::new(0, first),
        Request::new(1, RequestBody::SetProperties(SetPropertiesRequest { values: List16(values) })),
        Request::new(
            2,
            RequestBody::SaveChangesMessage(SaveChangesMessageRequest { input_index: 1, save_flags: 0 }),
        ),
    ];
    let handles = [inbox.handle().raw(), INVALID_HANDLE, INVALID_HANDLE];
    let replies = session.execute(&requests, &handles).await.map_err(sync::client)?;
    for at in 0..2 {
        replies.success(at, "RopSetProperties").map_err(sync::client)?;
    }
    Ok(replies)
}
