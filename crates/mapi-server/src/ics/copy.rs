use watertight_mapi::{
    MapiCode, PropTag,
    ics::{Xid, lexical::Marker},
    prop::tags,
    store::{
        Attachment, Cursor, Depth, FolderId, ItemKind, Mailbox, Message, MessageContent, MessageHead,
        MessageId, StoreError,
    },
};
use watertight_wire::Writer;

use super::{
    CopyFlags, SendOptions,
    contents::code,
    filter::Filter,
    hierarchy::{fid, props},
    object::{self, MessageForm},
    output::{Output, error_info},
    source::Replica,
};

/// Messages or folders whose ids are held at once.
const PAGE: usize = 128;

/// messageList, messageContent, attachmentContent, folderContent, topFolder — of RopFastTransferSourceCopy*.
pub(super) struct Copy {
    pub(super) replica: Replica,
    pub(super) flags: CopyFlags,
    pub(super) send: SendOptions,
    pub(super) filter: Filter,
    /// What is still to be done, the next last.
    jobs: Vec<Job>,
    /// The message of a list that is being written.
    current: Option<(FolderId, MessageId)>,
    pub(super) done: u32,
    pub(super) total: u32,
}

/// A part of the copy.
pub(super) enum Job {
    /// messageContent of an open message.
    Content(Option<Box<MessageHead>>, MessageContent),
    /// attachmentContent.
    Attachment(Attachment),
    /// Messages of a list that were asked for by their ids, the next last.
    List(FolderId, Vec<MessageId>),
    /// topFolder.
    Top(FolderId, bool),
    /// folderContent of the folder in scope.
    Folder(FolderId),
    /// subFolder.
    SubFolder(FolderId),
    /// All messages of a folder, from a cursor.
    Messages(FolderId, ItemKind, Option<Cursor>, bool),
    /// All folders below one, from a cursor.
    SubFolders(FolderId, Option<Cursor>),
    Marker(Marker),
    /// MetaTagFXDelProp.
    Delete(PropTag),
}

impl Copy {
    pub(super) fn new(
        replica: Replica,
        flags: CopyFlags,
        send: SendOptions,
        filter: Filter,
        job: Job,
    ) -> Self {
        let total = match &job {
            Job::List(_, ids) => u32::try_from(ids.len()).unwrap_or(u32::MAX),
            _ => 1,
        };
        Self { replica, flags, send, filter, jobs: vec![job], current: None, done: 0, total }
    }

    pub(super) fn is_done(&self) -> bool {
        self.jobs.is_empty()
    }

    fn form(&self, fx_del: bool) -> MessageForm {
        MessageForm { fx_del, best_body: self.flags.contains(CopyFlags::BestBody) }
    }

    /// Puts the next parts into the output, which is idle.
    pub(super) async fn step(&mut self, mailbox: &dyn Mailbox, out: &mut Output) -> Result<(), MapiCode> {
        if self.current.take().is_some() {
            self.done = self.done.saturating_add(1);
        }
        match self.jobs.pop() {
            None => Ok(()),
            Some(Job::Marker(marker)) => {
                out.marker(marker);
                Ok(())
            }
            Some(Job::Delete(tag)) => {
                out.value(tags::META_TAG_FX_DEL_PROP, tag.0.cast_signed());
                Ok(())
            }
            Some(Job::Content(head, content)) => {
                self.done = 1;
                object::message(out, head.as_deref(), content, &self.filter, self.form(true));
                Ok(())
            }
            Some(Job::Attachment(attachment)) => {
                self.done = 1;
                object::attachment(out, attachment, &self.filter, self.form(true));
                Ok(())
            }
            Some(Job::List(folder, mut ids)) => {
                let Some(id) = ids.pop() else { return Ok(()) };
                self.jobs.push(Job::List(folder, ids));
                self.listed(mailbox, out, folder, id).await
            }
            Some(Job::Top(folder, subfolders)) => {
                self.jobs.push(Job::Marker(Marker::EndFolder));
                if subfolders {
                    self.jobs.push(Job::SubFolders(folder, None));
                }
                self.jobs.push(Job::Messages(folder, ItemKind::Normal, None, false));
                self.jobs.push(Job::Messages(folder, ItemKind::Associated, None, false));
                out.marker(Marker::StartTopFld);
                self.folder_props(mailbox, out, folder, &Filter::ALL, false).await
            }
            Some(Job::Folder(folder)) => {
                let filter = self.filter.clone();
                self.contents_of(folder, &filter);
                self.folder_props(mailbox, out, folder, &filter, true).await
            }
            Some(Job::SubFolder(folder)) => {
                self.jobs.push(Job::Marker(Marker::EndFolder));
                self.contents_of(folder, &Filter::ALL);
                out.marker(Marker::StartSubFld);
                self.folder_props(mailbox, out, folder, &Filter::ALL, true).await
            }
            Some(Job::Messages(folder, kind, after, counted)) => {
                self.messages(mailbox, folder, kind, after, counted).await
            }
            Some(Job::SubFolders(folder, after)) => {
                let page = mailbox
                    .folders(folder, Depth::Children, false, after.as_ref(), PAGE)
                    .await
                    .map_err(code)?;
                if page.next.is_some() {
                    self.jobs.push(Job::SubFolders(folder, page.next));
                }
                self.jobs.extend(page.items.iter().rev().map(|f| Job::SubFolder(f.id)));
                Ok(())
            }
        }
    }

    /// folderMessages and the subfolders, in the order of 2.2.4.2; the last pushed is the first done.
    fn contents_of(&mut self, folder: FolderId, filter: &Filter) {
        if filter.includes(tags::CONTAINER_HIERARCHY) {
            self.jobs.push(Job::SubFolders(folder, None));
            self.jobs.push(Job::Delete(tags::CONTAINER_HIERARCHY));
        }
        for (tag, kind) in [
            (tags::CONTAINER_CONTENTS, ItemKind::Normal),
            (tags::FOLDER_ASSOCIATED_CONTENTS, ItemKind::Associated),
        ] {
            if filter.includes(tag) {
                self.jobs.push(Job::Messages(folder, kind, None, false));
                self.jobs.push(Job::Delete(tag));
            }
        }
    }

    async fn messages(
        &mut self,
        mailbox: &dyn Mailbox,
        folder: FolderId,
        kind: ItemKind,
        after: Option<Cursor>,
        counted: bool,
    ) -> Result<(), MapiCode> {
        let none = watertight_mapi::ics::GlobSet::new();
        if !counted {
            let (count, _) = mailbox.changes_total(folder, kind, &none).await.map_err(code)?;
            self.total = self.total.saturating_add(count);
        }
        let page =
            mailbox.message_changes(folder, kind, &none, false, after.as_ref(), PAGE).await.map_err(code)?;
        if page.next.is_some() {
            self.jobs.push(Job::Messages(folder, kind, page.next, true));
        }
        self.jobs.push(Job::List(folder, page.items.iter().rev().map(|head| head.id).collect()));
        Ok(())
    }

    async fn folder_props(
        &self,
        mailbox: &dyn Mailbox,
        out: &mut Output,
        folder: FolderId,
        filter: &Filter,
        identified: bool,
    ) -> Result<(), MapiCode> {
        let mut bag = props(mailbox.folder(folder, false).await.map_err(code)?);
        if identified {
            // Fixed positions — 2.2.4.3.6.
            out.value(tags::FOLDER_ID, fid(self.replica, folder));
            for tag in [tags::DISPLAY_NAME, tags::COMMENT] {
                if let Some(prop) = bag.find(tag) {
                    out.prop(prop.clone());
                }
                bag.remove(tag);
            }
        }
        bag.0.into_iter().filter(|prop| filter.includes(prop.tag)).for_each(|prop| out.prop(prop));
        Ok(())
    }

    /// A message of a list; one that is not there (any more) is left out.
    async fn listed(
        &mut self,
        mailbox: &dyn Mailbox,
        out: &mut Output,
        folder: FolderId,
        id: MessageId,
    ) -> Result<(), MapiCode> {
        match mailbox.message(id, false).await {
            Ok(Message { head, content }) if head.folder == folder => {
                self.current = Some((folder, id));
                let start = match head.kind {
                    ItemKind::Normal => Marker::StartMessage,
                    ItemKind::Associated => Marker::StartFAIMsg,
                };
                out.marker(start);
                out.value(tags::MID, object::mid(&head, self.replica));
                if self.flags.contains(CopyFlags::SendEntryId) {
                    self.keys(mailbox, out, &head, &content);
                }
                let no_time = Filter::Except(vec![tags::LAST_MODIFICATION_TIME]);
                let all = Filter::ALL;
                let keep = self.flags.contains(CopyFlags::SendEntryId);
                object::message(
                    out,
                    Some(&head),
                    content,
                    if keep { &all } else { &no_time },
                    self.form(false),
                );
                out.marker(Marker::EndMessage);
                Ok(())
            }
            Ok(_) | Err(StoreError::NotFound(_)) => {
                self.done = self.done.saturating_add(1);
                Ok(())
            }
            Err(error) => {
                self.current = Some((folder, id));
                self.interrupted(error.code(), out)
            }
        }
    }

    /// Identification of the message and of its version — SendEntryId, 2.2.3.1.1.3.1.
    fn keys(&self, mailbox: &dyn Mailbox, out: &mut Output, head: &MessageHead, content: &MessageContent) {
        let persisted = object::persisted_source_key(&content.props);
        out.value(tags::SOURCE_KEY, object::source_key(head, persisted.as_deref(), self.replica));
        out.value(tags::CHANGE_KEY, head.change_key.to_bytes());
        out.value(tags::PREDECESSOR_CHANGE_LIST, head.predecessors.to_bytes().unwrap_or_default());
        let mut entry_id = Writer::with_capacity(70);
        // Message EntryID — [MS-OXCDATA] 2.2.4.2, of a private mailbox.
        entry_id.u32(0);
        entry_id.guid(mailbox.info().mailbox_guid);
        entry_id.u16(7);
        for counter in [head.folder.0, head.id.0] {
            entry_id.guid(self.replica.guid);
            entry_id.bytes(&counter.to_bytes());
            entry_id.u16(0);
        }
        out.value(tags::ORIGINAL_ENTRY_ID, entry_id.into_bytes());
    }

    /// A part of what is being written cannot be read.
    pub(super) fn interrupted(&mut self, code: MapiCode, out: &mut Output) -> Result<(), MapiCode> {
        match self.current.take() {
            Some((folder, id)) if self.send.contains(SendOptions::RecoverMode) => {
                self.done = self.done.saturating_add(1);
                let guid = self.replica.guid;
                let info = error_info(code, Xid::from_counter(guid, folder.0), Xid::from_counter(guid, id.0));
                out.abandon();
                out.failure(&info)
            }
            _ => Err(code),
        }
    }
}
