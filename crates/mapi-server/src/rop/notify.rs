//! Notifications of a session — [MS-OXCNOTIF] 3.1.
//!
//! Nothing is pushed: a store remembers what happened in a mailbox, and each session knows how far it has looked. It
//! looks at the end of each Execute and while a NotificationWait is open. What concerns a subscription goes into a
//! queue; when that is full, or when the store has forgotten something, one notification for each subscription says
//! that something changed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::select_all;
use tokio::sync::Notify as Bell;
use watertight_ledger::{Entry, Kind, Ledger};
use watertight_mapi::{
    MapiCode,
    notification::{Counts, Event, EventKinds, Notification, TableEvent, Target},
    prop::tags,
    rop::{
        Request, Response, ResponseBody,
        field::Empty,
        notification::{Pending, RegisterNotificationRequest},
    },
    store::{
        Events, FolderId, Happened, ItemKind, Mailbox, MessageId, Place, SpecialFolder, StoreError,
        StoreResult,
    },
};
use watertight_wire::Writer;

use super::{Answer, Outcome, Session, failed, logon::Logon, object::Object, refused};

/// Notifications that wait to be fetched, of one session. There are never more subscriptions than that.
const MOST_WAITING: usize = 256;
/// Bytes of a RopPending.
const PENDING: usize = 3;

/// What a session is to be told of, and what it was not told yet. Dropping the session empties it.
pub struct Notices {
    state: Mutex<State>,
    /// Rung when waits have to look again: another subscription, the end.
    bell: Bell,
    waits: Kind,
    queued: Kind,
}

#[derive(Default)]
struct State {
    ended: bool,
    /// A wait is open.
    waiting: bool,
    next_key: u64,
    subscriptions: BTreeMap<u64, Subscription>,
    /// How far each logon with subscriptions has looked.
    feeds: BTreeMap<u8, Feed>,
    queue: VecDeque<Queued>,
}

#[derive(Clone)]
struct Feed {
    mailbox: Arc<dyn Mailbox>,
    after: u64,
}

struct Queued {
    key: u64,
    event: Event,
    _entry: Entry,
}

struct Subscription {
    logon_id: u8,
    handle: u32,
    topic: Topic,
}

/// What a subscription is about.
#[derive(Clone, Copy)]
pub(super) enum Topic {
    /// Kinds of events of everything, or of a folder or message.
    Objects { kinds: EventKinds, scope: Option<(FolderId, Option<MessageId>)> },
    /// A table that shows messages of a folder, or folders below it; told once after each time that it is read.
    Table { folder: FolderId, hierarchy: bool, read: bool, changed: bool },
}

/// A subscription, for as long as its object is open.
pub(super) struct Registered {
    notices: Arc<Notices>,
    key: u64,
}

/// The end of a session is the end of its notices.
pub(super) struct Owner(pub(super) Arc<Notices>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Registered {
    /// The handle that notifications will name.
    pub(super) fn named(&self, handle: u32) {
        if let Some(subscription) = self.notices.state().subscriptions.get_mut(&self.key) {
            subscription.handle = handle;
        }
    }

    /// The table is read, or read anew: it is told of the next change. Says whether its rows are to be found anew first.
    pub(super) fn reads(&self, anew: bool) -> bool {
        match self.notices.state().subscriptions.get_mut(&self.key).map(|s| &mut s.topic) {
            Some(Topic::Table { read, changed, .. }) => {
                *read = true;
                anew && std::mem::take(changed)
            }
            _ => false,
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.notices.remove(self.key);
    }
}

/// What was looked up for events, once for all subscriptions.
#[derive(Default)]
struct Facts {
    counts: Vec<(FolderId, Counts)>,
    mail: Vec<(MessageId, u32, String)>,
}

impl Notices {
    /// Nothing to tell yet.
    pub(super) fn new(ledger: &Ledger) -> Self {
        Self {
            state: Mutex::default(),
            bell: Bell::new(),
            waits: ledger.kind("notification waits"),
            queued: ledger.kind("notifications"),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody asked for anything.
    pub(super) fn is_idle(&self) -> bool {
        self.state().subscriptions.is_empty()
    }

    /// Tells of what happens in a mailbox from now on.
    pub(super) async fn register(
        self: &Arc<Self>,
        logon_id: u8,
        mailbox: &Arc<dyn Mailbox>,
        topic: Topic,
    ) -> StoreResult<Registered> {
        // What happened before is for those that were there before.
        self.look().await?;
        let known = self.state().feeds.contains_key(&logon_id);
        let after = if known { 0 } else { mailbox.last_event().await? };
        let mut state = self.state();
        let key = state.next_key;
        state.next_key = key.wrapping_add(1);
        state.subscriptions.insert(key, Subscription { logon_id, handle: 0, topic });
        state.feeds.entry(logon_id).or_insert_with(|| Feed { mailbox: Arc::clone(mailbox), after });
        drop(state);
        self.bell.notify_waiters();
        Ok(Registered { notices: Arc::clone(self), key })
    }

    fn remove(&self, key: u64) {
        let mut state = self.state();
        let Some(gone) = state.subscriptions.remove(&key) else { return };
        state.queue.retain(|queued| queued.key != key);
        if !state.subscriptions.values().any(|other| other.logon_id == gone.logon_id) {
            state.feeds.remove(&gone.logon_id);
        }
    }

    /// Ends waits, and forgets everything.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.queue = VecDeque::new();
        state.feeds.clear();
        state.subscriptions.clear();
        drop(state);
        self.bell.notify_waiters();
    }

    /// Ends waits, now and from now on.
    pub(crate) fn end_waits(&self) {
        self.state().ended = true;
        self.bell.notify_waiters();
    }

    /// Looks what happened; says whether there is something to tell.
    async fn look(&self) -> StoreResult<bool> {
        let feeds: Vec<(u8, Feed)> =
            self.state().feeds.iter().map(|(logon, feed)| (*logon, feed.clone())).collect();
        for (logon_id, feed) in feeds {
            let events = feed.mailbox.events(feed.after).await?;
            if events.last == feed.after && !events.lost {
                continue;
            }
            let facts = self.facts(&feed.mailbox, &events).await?;
            let mut state = self.state();
            match state.feeds.get_mut(&logon_id) {
                Some(now) if now.after == feed.after && Arc::ptr_eq(&now.mailbox, &feed.mailbox) => {
                    now.after = events.last;
                }
                // Somebody else was faster.
                _ => continue,
            }
            let root = feed.mailbox.special(SpecialFolder::Root);
            state.deliver(logon_id, root, &events, &facts, &self.queued);
        }
        Ok(!self.state().queue.is_empty())
    }

    /// What subscriptions will want to know of these events.
    async fn facts(&self, mailbox: &Arc<dyn Mailbox>, events: &Events) -> StoreResult<Facts> {
        let kinds = self.state().subscriptions.values().fold(EventKinds(0), |kinds, s| match s.topic {
            Topic::Objects { kinds: more, .. } => EventKinds(kinds.0 | more.0),
            Topic::Table { .. } => kinds,
        });
        let mut facts = Facts::default();
        if kinds.overlaps(EventKinds::ObjectModified) {
            let touched: BTreeSet<FolderId> = events.items.iter().flat_map(contents_of).collect();
            for folder in touched {
                match mailbox.folder(folder, false).await {
                    Ok(now) => {
                        let counts =
                            Counts { total: Some(now.counts.messages), unread: Some(now.counts.unread) };
                        facts.counts.push((folder, counts));
                    }
                    // It is gone, which is told too.
                    Err(StoreError::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if kinds.overlaps(EventKinds::NewMail) {
            let inbox = mailbox.special(SpecialFolder::Inbox);
            for what in &events.items {
                let &Happened::Created(Place { folder, message: Some(id), .. }) = what else { continue };
                if folder != inbox {
                    continue;
                }
                let Ok(message) = mailbox.message(id, false).await else { continue };
                // Nobody delivers here: what appears in the Inbox, has come from somewhere and is unread, is new mail.
                if message.head.kind != ItemKind::Normal
                    || message.head.read
                    || message.head.delivered.is_none()
                {
                    continue;
                }
                let flags = 0x02 | if message.head.has_attachments { 0x10 } else { 0 };
                let class = message.content.props.text(tags::MESSAGE_CLASS).unwrap_or("IPM.Note").to_owned();
                facts.mail.push((id, flags, class));
            }
        }
        Ok(facts)
    }

    /// Appends RopNotify for all that is to be told and fits into `most` bytes, and RopPending when there is more.
    pub(super) async fn tell(&self, rops: &mut Writer, most: usize) {
        if let Err(error) = self.look().await {
            // What happened is told the next time.
            failed(error);
        }
        let mut state = self.state();
        while let Some(first) = state.queue.front() {
            let Some(subscription) = state.subscriptions.get(&first.key) else {
                state.queue.pop_front();
                continue;
            };
            let notification = Notification {
                handle: subscription.handle,
                logon_id: subscription.logon_id,
                event: first.event.clone(),
            };
            let mut w = Writer::new();
            if let Err(error) = Response::Notify(notification.into()).write(&mut w) {
                tracing::warn!(%error, "a notification has no wire form");
                state.queue.pop_front();
                continue;
            }
            let more = if state.queue.len() > 1 { PENDING } else { 0 };
            if rops.len().saturating_add(w.len()).saturating_add(more) > most {
                if rops.len().saturating_add(PENDING) <= most {
                    // INVARIANT: it always has a wire form.
                    let _ = Response::Pending(Pending { session_index: 0 }).write(rops);
                }
                return;
            }
            rops.bytes(&w.into_bytes());
            state.queue.pop_front();
        }
    }

    /// The right to wait; one at a time has it.
    pub(crate) fn begin_wait(self: &Arc<Self>) -> Option<Wait> {
        let mut state = self.state();
        if std::mem::replace(&mut state.waiting, true) {
            return None;
        }
        drop(state);
        Some(Wait { notices: Arc::clone(self), _entry: self.waits.enter() })
    }
}

/// A NotificationWait — [MS-OXCMAPIHTTP] 2.2.4.4. Dropping it ends it.
pub(crate) struct Wait {
    notices: Arc<Notices>,
    _entry: Entry,
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.notices.state().waiting = false;
    }
}

impl Wait {
    /// Ends when there is something to tell, after `limit`, and when the session ends; says whether there is.
    pub(crate) async fn run(self, limit: Duration) -> Result<bool, MapiCode> {
        match tokio::time::timeout(limit, self.until_told()).await {
            Ok(told) => told.map_err(failed),
            Err(_) => Ok(false),
        }
    }

    async fn until_told(&self) -> StoreResult<bool> {
        loop {
            let mut bell = std::pin::pin!(self.notices.bell.notified());
            // What rings from here on is heard.
            bell.as_mut().enable();
            if self.notices.state().ended {
                return Ok(false);
            }
            if self.notices.look().await? {
                return Ok(true);
            }
            let feeds: Vec<Feed> = self.notices.state().feeds.values().cloned().collect();
            if feeds.is_empty() {
                bell.await;
                continue;
            }
            let changes = feeds.iter().map(|feed| feed.mailbox.changed(feed.after));
            tokio::select! {
                () = bell => {}
                (changed, ..) = select_all(changes) => changed?,
            }
        }
    }
}

/// The folders whose messages an event concerns.
fn contents_of(what: &Happened) -> impl Iterator<Item = FolderId> + use<> {
    let of = |place: &Place| place.message.map(|_| place.folder);
    let (first, second) = match what {
        Happened::Created(place) | Happened::Modified(place) | Happened::Deleted(place) => (of(place), None),
        Happened::Moved { to, from } => (of(to), of(from)),
        Happened::Copied { to, .. } => (of(to), None),
        Happened::Many => (None, None),
    };
    first.into_iter().chain(second)
}

fn target(place: &Place) -> Target {
    Target {
        folder: Logon::fid(place.folder),
        message: place.message.map(Logon::mid),
        parent: place.parent.map(Logon::fid),
    }
}

fn event(what: &Happened) -> Event {
    match what {
        Happened::Created(place) => Event::Created(target(place)),
        Happened::Modified(place) => Event::Modified(target(place), Counts::default()),
        Happened::Deleted(place) => Event::Deleted(target(place)),
        Happened::Moved { to, from } => Event::Moved { to: target(to), from: target(from) },
        Happened::Copied { to, from } => Event::Copied { to: target(to), from: target(from) },
        Happened::Many => Event::Unknown,
    }
}

fn places(what: &Happened) -> impl Iterator<Item = &Place> {
    let (first, second) = match what {
        Happened::Created(place) | Happened::Modified(place) | Happened::Deleted(place) => {
            (Some(place), None)
        }
        Happened::Moved { to, from } | Happened::Copied { to, from } => (Some(to), Some(from)),
        Happened::Many => (None, None),
    };
    first.into_iter().chain(second)
}

impl Topic {
    /// Whether an event of that kind at one of these places is for it.
    fn wants(&self, kind: EventKinds, mut places: impl Iterator<Item = Place>) -> bool {
        let Self::Objects { kinds, scope } = self else { return false };
        kinds.overlaps(kind)
            && match *scope {
                None => true,
                Some((folder, None)) => places.any(|p| p.folder == folder || p.parent == Some(folder)),
                Some((_, message)) => places.any(|p| p.message == message),
            }
    }

    /// Whether a table shows something else after this.
    fn shows(&self, what: &Happened) -> bool {
        match *self {
            Self::Objects { .. } => false,
            Self::Table { folder, hierarchy: false, .. } => contents_of(what).any(|of| of == folder),
            Self::Table { hierarchy: true, .. } => {
                places(what).any(|p| p.message.is_none()) || contents_of(what).next().is_some()
            }
        }
    }
}

impl State {
    fn deliver(&mut self, logon_id: u8, root: FolderId, events: &Events, facts: &Facts, kind: &Kind) {
        let mut new: Vec<(u64, Event)> = Vec::new();
        let mut coarse = events.lost;
        for (key, subscription) in self.subscriptions.iter_mut().filter(|(_, s)| s.logon_id == logon_id) {
            for what in &events.items {
                if subscription.topic.shows(what)
                    && let Topic::Table { read, changed, .. } = &mut subscription.topic
                {
                    *changed = true;
                    if std::mem::take(read) {
                        new.push((*key, Event::Table(TableEvent::Changed)));
                    }
                }
                coarse |= *what == Happened::Many;
                let event = event(what);
                if subscription.topic.wants(event.kind(), places(what).copied()) {
                    new.push((*key, event));
                }
                if let Happened::Created(place) = what
                    && let Some((_, flags, class)) =
                        facts.mail.iter().find(|(id, ..)| place.message == Some(*id))
                    && subscription.topic.wants(EventKinds::NewMail, std::iter::once(*place))
                {
                    let object = target(place);
                    new.push((*key, Event::NewMail { object, flags: *flags, class: class.clone() }));
                }
            }
            for (folder, counts) in &facts.counts {
                let place = Place::folder(*folder, None);
                if subscription.topic.wants(EventKinds::ObjectModified, std::iter::once(place)) {
                    new.push((*key, Event::Modified(target(&place), *counts)));
                }
            }
        }
        if coarse || self.queue.len().saturating_add(new.len()) > MOST_WAITING {
            // One for each says that there was more than can be told.
            new.clear();
            let subscriptions = self.subscriptions.iter_mut().filter(|(_, s)| s.logon_id == logon_id);
            for (key, subscription) in subscriptions {
                new.push(match &mut subscription.topic {
                    Topic::Objects { scope, .. } => {
                        let folder = Logon::fid(scope.map_or(root, |(folder, _)| folder));
                        (*key, Event::Modified(Target::folder(folder, None), Counts::default()))
                    }
                    Topic::Table { read, changed, .. } => {
                        (*read, *changed) = (false, true);
                        (*key, Event::Table(TableEvent::Changed))
                    }
                });
            }
            let told: BTreeSet<u64> = new.iter().map(|(key, _)| *key).collect();
            self.queue.retain(|queued| !told.contains(&queued.key));
        }
        let queued = new.into_iter().map(|(key, event)| Queued { key, event, _entry: kind.enter() });
        self.queue.extend(queued);
    }
}

impl Session {
    /// What is to be told, for whoever waits beside the session.
    pub(crate) fn notices(&self) -> Arc<Notices> {
        Arc::clone(&self.notices.0)
    }

    /// RopRegisterNotification — [MS-OXCNOTIF] 3.1.5.1 (2.2.1.2.1).
    pub(super) async fn rop_register_notification(
        &self,
        request: &Request,
        body: &RegisterNotificationRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let kinds = EventKinds(u16::from(body.notification_types) & EventKinds::ASKED.0);
        if kinds.0 == 0 {
            return refused(MapiCode::InvalidParameter);
        }
        let scope = match body.scope {
            None => None,
            Some((folder, message)) => {
                let message = if message.to_u64() == 0 { None } else { Some(Logon::message_id(message)?) };
                Some((Logon::folder_id(folder)?, message))
            }
        };
        let topic = Topic::Objects { kinds, scope };
        let registered =
            self.notices.0.register(request.logon_id, &logon.mailbox, topic).await.map_err(failed)?;
        Ok(Answer::opens(ResponseBody::RegisterNotification(Empty), Object::Subscription(registered)))
    }
}
