use std::collections::VecDeque;

use watertight_mapi::{
    GlobCnt, MapiCode,
    ics::{GlobSet, IdSet, State, Xid, lexical::Marker, syntactical::ProgressInformation},
    prop::tags,
    restriction::Restriction,
    store::{ContentsQuery, Cursor, FolderId, ItemKind, Mailbox, MessageHead, StoreError},
};

use super::{
    ExtraFlags, SendOptions, SyncFlags,
    filter::Filter,
    object::{self, MessageForm},
    output::{Output, error_info},
    source::{Replica, own},
};

/// Messages whose heads are held at once.
const PAGE: usize = 128;

/// contentsSync — [MS-OXCFXICS] 2.2.4.3.2, produced by 3.2.5.3.
pub(super) struct Contents {
    pub(super) config: Config,
    phase: Phase,
    /// The highest change number when the download began: what came later is for the next one.
    last: GlobCnt,
    /// Of each kind, the messages that match the restriction, where there is one.
    scope: Option<Scope>,
    page: VecDeque<MessageHead>,
    next: Option<Cursor>,
    current: Option<MessageHead>,
    sent: Sent,
    pub(super) done: u32,
    pub(super) total: u32,
}

/// What RopSynchronizationConfigure asked for.
pub(super) struct Config {
    pub(super) folder: FolderId,
    pub(super) replica: Replica,
    pub(super) flags: SyncFlags,
    pub(super) extra: ExtraFlags,
    pub(super) send: SendOptions,
    pub(super) filter: Filter,
    pub(super) restriction: Option<Restriction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Begin,
    /// A kind's first page is not fetched yet.
    Open(ItemKind),
    Messages(ItemKind),
    Deletions,
    Reads,
    State,
    Done,
}

#[derive(Debug, Default)]
struct Scope {
    normal: GlobSet,
    associated: GlobSet,
}

impl Scope {
    const fn of(&self, kind: ItemKind) -> &GlobSet {
        match kind {
            ItemKind::Normal => &self.normal,
            ItemKind::Associated => &self.associated,
        }
    }
}

/// What the client has when it has the stream up to here.
#[derive(Debug, Default)]
struct Sent {
    ids: GlobSet,
    normal: GlobSet,
    associated: GlobSet,
    reads: GlobSet,
    /// Change numbers of messages that could not be read: they are offered again.
    failed: GlobSet,
    /// Ids that were reported as gone, one way or another.
    gone: GlobSet,
}

impl Contents {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            phase: Phase::Begin,
            last: GlobCnt::default(),
            scope: None,
            page: VecDeque::new(),
            next: None,
            current: None,
            sent: Sent::default(),
            done: 0,
            total: 0,
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.phase != Phase::Begin
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    fn wants(&self, kind: ItemKind) -> bool {
        let flag = match kind {
            ItemKind::Normal => SyncFlags::Normal,
            ItemKind::Associated => SyncFlags::FAI,
        };
        self.config.flags.contains(flag)
    }

    fn seen(&self, state: &State, kind: ItemKind) -> GlobSet {
        own(match kind {
            ItemKind::Normal => state.seen.get(self.config.replica.guid),
            ItemKind::Associated => state.seen_fai.get(self.config.replica.guid),
        })
    }

    /// Puts the next parts into the output, which is idle.
    pub(super) async fn step(
        &mut self,
        mailbox: &dyn Mailbox,
        initial: &State,
        out: &mut Output,
    ) -> Result<(), MapiCode> {
        if let Some(head) = self.current.take() {
            self.sent_whole(&head);
        }
        match self.phase {
            Phase::Begin => self.begin(mailbox, initial, out).await,
            Phase::Open(kind) => self.open(mailbox, initial, kind).await,
            Phase::Messages(kind) => self.next_message(mailbox, initial, kind, out).await,
            Phase::Deletions => self.deletions(mailbox, initial, out).await,
            Phase::Reads => self.reads(mailbox, initial, out).await,
            Phase::State => {
                self.phase = Phase::Done;
                write_state(out, &self.final_state(initial), false);
                out.marker(Marker::IncrSyncEnd);
                Ok(())
            }
            Phase::Done => Ok(()),
        }
    }

    async fn begin(
        &mut self,
        mailbox: &dyn Mailbox,
        initial: &State,
        out: &mut Output,
    ) -> Result<(), MapiCode> {
        self.last = mailbox.last_change().await.map_err(code)?.0;
        let mut progress = ProgressInformation::default();
        for kind in [ItemKind::Associated, ItemKind::Normal] {
            if self.config.restriction.is_some() {
                self.restrict(mailbox, initial, kind, &mut progress).await?;
            } else if self.wants(kind) {
                let seen = self.seen(initial, kind);
                let total = mailbox.changes_total(self.config.folder, kind, &seen).await.map_err(code)?;
                add(&mut progress, kind, total.0, total.1);
            }
        }
        self.total = progress.fai_count.saturating_add(progress.normal_count);
        if self.config.flags.contains(SyncFlags::Progress) {
            out.marker(Marker::IncrSyncProgressMode);
            out.value(ProgressInformation::TAG, progress.to_bytes());
        }
        self.phase = Phase::Open(ItemKind::Associated);
        Ok(())
    }

    /// Finds the messages that match the restriction, and counts those that changed.
    async fn restrict(
        &mut self,
        mailbox: &dyn Mailbox,
        initial: &State,
        kind: ItemKind,
        progress: &mut ProgressInformation,
    ) -> Result<(), MapiCode> {
        let restriction = self.config.restriction.clone();
        let query = ContentsQuery { kind, deleted: false, restriction, sort: Vec::new() };
        let view = mailbox.contents(self.config.folder, query).await.map_err(code)?;
        let (seen, mut ids) = (self.seen(initial, kind), Vec::with_capacity(view.len()));
        let mut at = 0_usize;
        while at < view.len() {
            for row in view.rows(at, PAGE, &[]).await.map_err(code)? {
                ids.push((row.head.id.0, row.head.id.0));
                if self.wants(kind) && !seen.contains(row.head.change_number.0) {
                    add(progress, kind, 1, row.head.size);
                }
            }
            at = at.saturating_add(PAGE);
        }
        let ids = GlobSet::from_ranges(ids);
        let scope = self.scope.get_or_insert_default();
        match kind {
            ItemKind::Normal => scope.normal = ids,
            ItemKind::Associated => scope.associated = ids,
        }
        Ok(())
    }

    async fn open(&mut self, mailbox: &dyn Mailbox, initial: &State, kind: ItemKind) -> Result<(), MapiCode> {
        if !self.wants(kind) {
            self.phase = after(kind);
            return Ok(());
        }
        self.next = None;
        self.fetch(mailbox, initial, kind).await?;
        self.phase = Phase::Messages(kind);
        Ok(())
    }

    async fn fetch(
        &mut self,
        mailbox: &dyn Mailbox,
        initial: &State,
        kind: ItemKind,
    ) -> Result<(), MapiCode> {
        let newest_first = self.config.extra.contains(ExtraFlags::OrderByDeliveryTime);
        let seen = self.seen(initial, kind);
        let page = mailbox
            .message_changes(self.config.folder, kind, &seen, newest_first, self.next.as_ref(), PAGE)
            .await
            .map_err(code)?;
        self.page = page.items.into();
        self.next = page.next;
        Ok(())
    }

    async fn next_message(
        &mut self,
        mailbox: &dyn Mailbox,
        initial: &State,
        kind: ItemKind,
        out: &mut Output,
    ) -> Result<(), MapiCode> {
        let Some(head) = self.page.pop_front() else {
            if self.next.is_some() {
                return self.fetch(mailbox, initial, kind).await;
            }
            self.phase = after(kind);
            return Ok(());
        };
        if self.scope.as_ref().is_some_and(|scope| !scope.of(kind).contains(head.id.0)) {
            return Ok(());
        }
        match mailbox.message(head.id, false).await {
            Ok(message) => {
                self.message(message, out);
                Ok(())
            }
            // It was deleted meanwhile.
            Err(StoreError::NotFound(_)) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, "a message cannot be read");
                // It is begun all the same: a client would take the error for one of the message before, which has
                // no end of its own.
                self.opening(&head, None, out);
                self.failed(&head, error.code(), out)
            }
        }
    }

    /// progressPerMessage and messageChangeHeader.
    fn opening(&self, head: &MessageHead, persisted: Option<&[u8]>, out: &mut Output) {
        let config = &self.config;
        if config.flags.contains(SyncFlags::Progress) {
            out.marker(Marker::IncrSyncProgressPerMsg);
            out.value(watertight_mapi::PropTag(0x0000_0003), object::size(head));
            out.value(watertight_mapi::PropTag(0x0000_000B), head.kind == ItemKind::Associated);
        }
        out.marker(Marker::IncrSyncChg);
        object::change_header(out, head, object::source_key(head, persisted, config.replica));
        if config.extra.contains(ExtraFlags::Eid) {
            out.value(tags::MID, object::mid(head, config.replica));
        }
        if config.extra.contains(ExtraFlags::MessageSize) {
            out.value(tags::MESSAGE_SIZE, object::size(head));
        }
        if config.extra.contains(ExtraFlags::CN) {
            let cn = watertight_mapi::id::Cn::new(config.replica.id, head.change_number.0);
            out.value(tags::CHANGE_NUMBER, cn.to_u64().cast_signed());
        }
    }

    fn message(&mut self, message: watertight_mapi::store::Message, out: &mut Output) {
        let watertight_mapi::store::Message { head, content } = message;
        let config = &self.config;
        let foreign = !config.flags.contains(SyncFlags::NoForeignIdentifiers);
        let persisted = object::persisted_source_key(&content.props).filter(|_| foreign);
        self.opening(&head, persisted.as_deref(), out);
        out.marker(Marker::IncrSyncMessage);
        let form = MessageForm { fx_del: true, best_body: config.flags.contains(SyncFlags::BestBody) };
        let whole = Filter::ALL;
        let filter = match &config.filter {
            Filter::Only(_)
                if head.kind == ItemKind::Associated
                    && config.flags.contains(SyncFlags::IgnoreSpecifiedOnFAI) =>
            {
                &whole
            }
            filter => filter,
        };
        object::message(out, Some(&head), content, filter, form);
        self.current = Some(head);
    }

    /// A part of the message that is being written cannot be read.
    pub(super) fn interrupted(&mut self, code: MapiCode, out: &mut Output) -> Result<(), MapiCode> {
        match self.current.take() {
            Some(head) => {
                out.abandon();
                self.failed(&head, code, out)
            }
            None => Err(code),
        }
    }

    fn failed(&mut self, head: &MessageHead, code: MapiCode, out: &mut Output) -> Result<(), MapiCode> {
        if !self.config.send.contains(SendOptions::RecoverMode) {
            return Err(code);
        }
        let guid = self.config.replica.guid;
        let (folder, message) =
            (Xid::from_counter(guid, self.config.folder.0), Xid::from_counter(guid, head.id.0));
        self.sent.failed.insert(head.change_number.0);
        self.done = self.done.saturating_add(1);
        out.failure(&error_info(code, folder, message))
    }

    fn sent_whole(&mut self, head: &MessageHead) {
        self.done = self.done.saturating_add(1);
        self.sent.ids.insert(head.id.0);
        let set = match head.kind {
            ItemKind::Normal => &mut self.sent.normal,
            ItemKind::Associated => &mut self.sent.associated,
        };
        // All up to `last` are seen in any case.
        if head.change_number.0 > self.last {
            set.insert(head.change_number.0);
        }
    }

    /// deletions — [MS-OXCFXICS] 2.2.4.3.3. Messages of a private mailbox do not expire: no MetaTagIdsetExpired.
    async fn deletions(
        &mut self,
        mailbox: &dyn Mailbox,
        initial: &State,
        out: &mut Output,
    ) -> Result<(), MapiCode> {
        self.phase = Phase::Reads;
        let given = own(initial.given.get(self.config.replica.guid));
        if self.config.flags.contains(SyncFlags::NoDeletions) || given.is_empty() {
            return Ok(());
        }
        let folder = self.config.folder;
        let normal = mailbox.message_ids(folder, ItemKind::Normal).await.map_err(code)?;
        let associated = mailbox.message_ids(folder, ItemKind::Associated).await.map_err(code)?;
        // Whatever was sent just now is there, even if it is gone already: that is for the next download.
        let asked = given.difference(&self.sent.ids);
        let absent = asked.difference(&normal).difference(&associated);
        let (mut deleted, mut out_of_scope) = (GlobSet::new(), GlobSet::new());
        if !absent.is_empty() {
            let fate = mailbox.deleted_ids(folder, &absent).await.map_err(code)?;
            deleted = fate.gone;
            out_of_scope = fate.soft;
        }
        if let Some(scope) = &self.scope {
            let present = asked.difference(&absent);
            let left = present.difference(&scope.normal).difference(&scope.associated);
            out_of_scope.extend(&left);
        }
        if self.config.flags.contains(SyncFlags::IgnoreNoLongerInScope) {
            // What was deleted softly is missing all the same; what only left the scope is not reported.
            deleted.extend(&out_of_scope.intersection(&absent));
            out_of_scope = GlobSet::new();
        }
        self.sent.gone = deleted.union(&out_of_scope);
        if self.sent.gone.is_empty() {
            return Ok(());
        }
        out.marker(Marker::IncrSyncDel);
        for (tag, ids) in
            [(tags::META_TAG_IDSET_DELETED, deleted), (tags::META_TAG_IDSET_NO_LONGER_IN_SCOPE, out_of_scope)]
        {
            if !ids.is_empty() {
                out.value(tag, IdSet::of(self.config.replica.id, ids).to_bytes());
            }
        }
        Ok(())
    }

    async fn reads(
        &mut self,
        mailbox: &dyn Mailbox,
        initial: &State,
        out: &mut Output,
    ) -> Result<(), MapiCode> {
        self.phase = Phase::State;
        let given = own(initial.given.get(self.config.replica.guid));
        if !self.config.flags.contains(SyncFlags::ReadState) || given.is_empty() {
            return Ok(());
        }
        let known = own(initial.read.get(self.config.replica.guid));
        let (mut read, mut unread, mut next) = (Vec::new(), Vec::new(), None);
        loop {
            let page =
                mailbox.read_changes(self.config.folder, &known, next.as_ref(), PAGE).await.map_err(code)?;
            for head in page.items {
                let id = head.id.0;
                if let Some(cn) = head.read_change_number.filter(|cn| cn.0 > self.last) {
                    self.sent.reads.insert(cn.0);
                }
                if given.contains(id) && !self.sent.ids.contains(id) && !self.sent.gone.contains(id) {
                    if head.read { &mut read } else { &mut unread }.push((id, id));
                }
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        if read.is_empty() && unread.is_empty() {
            return Ok(());
        }
        out.marker(Marker::IncrSyncRead);
        for (tag, ids) in [(tags::META_TAG_IDSET_READ, read), (tags::META_TAG_IDSET_UNREAD, unread)] {
            if !ids.is_empty() {
                out.value(tag, IdSet::of(self.config.replica.id, GlobSet::from_ranges(ids)).to_bytes());
            }
        }
        Ok(())
    }

    /// The state of a client that has the whole stream. Ranges are collapsed to all changes up to the beginning
    /// (3.1.5.5): none of this folder is left out but those that could not be read.
    pub(super) fn final_state(&self, initial: &State) -> State {
        let guid = self.config.replica.guid;
        let all = GlobSet::up_to(self.last);
        let mut state = initial.clone();
        state.given.put(guid, own(state.given.get(guid)).union(&self.sent.ids).difference(&self.sent.gone));
        let seen = |old: Option<&GlobSet>, sent: &GlobSet| {
            own(old).union(&all.union(sent).difference(&self.sent.failed))
        };
        if self.wants(ItemKind::Normal) {
            state.seen.put(guid, seen(initial.seen.get(guid), &self.sent.normal));
        }
        if self.wants(ItemKind::Associated) {
            state.seen_fai.put(guid, seen(initial.seen_fai.get(guid), &self.sent.associated));
        }
        if self.config.flags.contains(SyncFlags::ReadState) {
            state.read.put(guid, own(initial.read.get(guid)).union(&all).union(&self.sent.reads));
        }
        state
    }
}

fn after(kind: ItemKind) -> Phase {
    match kind {
        ItemKind::Associated => Phase::Open(ItemKind::Normal),
        ItemKind::Normal => Phase::Deletions,
    }
}

fn add(progress: &mut ProgressInformation, kind: ItemKind, count: u32, bytes: u64) {
    let (counts, sizes) = match kind {
        ItemKind::Normal => (&mut progress.normal_count, &mut progress.normal_size),
        ItemKind::Associated => (&mut progress.fai_count, &mut progress.fai_size),
    };
    *counts = counts.saturating_add(count);
    *sizes = sizes.saturating_add(bytes);
}

/// state — [MS-OXCFXICS] 2.2.4.3.25.
pub(super) fn write_state(out: &mut Output, state: &State, hierarchy: bool) {
    out.marker(Marker::IncrSyncStateBegin);
    for (tag, blob) in state.blobs(hierarchy) {
        out.value(tag, blob);
    }
    out.marker(Marker::IncrSyncStateEnd);
}

pub(super) fn code(error: StoreError) -> MapiCode {
    error.code()
}
