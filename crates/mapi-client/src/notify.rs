//! Notifications — [MS-OXCNOTIF], [MS-OXCMAPIHTTP] 2.2.4.4.
//!
//! Who wants to know of changes asks for them ([`Logon::subscribe`]), waits until the server says that there are some
//! ([`Session::wait`], on a connection of its own, so that other requests go on), and fetches them
//! ([`Session::notifications`]). What other requests bring along meanwhile is kept, up to a bound: beyond it, one
//! [`Event::Unknown`] stands for all that was lost.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use watertight_mapi::http::RequestType;
use watertight_mapi::http::body::{Answer, NotificationWaitRequest, NotificationWaitResponse};
use watertight_mapi::notification::{Event, EventKinds, Notification};
use watertight_mapi::rop::notification::RegisterNotificationRequest;
use watertight_mapi::rop::{INVALID_HANDLE, Request, RequestBody, Response};
use watertight_mapi::{Fid, MapiCode, Mid};
use watertight_wire::Wire;

use crate::actor::Command;
use crate::error::Error;
use crate::handle::ServerHandle;
use crate::logon::{Logon, unexpected};
use crate::session::Session;
use crate::transport::Transport;

/// Notifications that are kept until somebody fetches them.
const KEPT: usize = 1024;
/// Requests that one call of [`Session::notifications`] makes at most.
const MOST_REQUESTS: usize = 64;
/// No wait is longer: there are servers that send PENDING for ever.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(30 * 60);
/// Bytes of the answer to a wait.
const SMALL: usize = 64 << 10;

/// What a subscription is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything in the mailbox.
    Store,
    /// A folder and the messages in it.
    Folder(Fid),
    /// A message.
    Message(Fid, Mid),
}

/// The server tells of changes for as long as this lives.
pub struct Subscription {
    handle: ServerHandle,
    inbox: Arc<Inbox>,
}

impl Subscription {
    /// Whether a notification is this subscription's.
    #[must_use]
    pub fn is_of(&self, notification: &Notification) -> bool {
        notification.handle == self.handle.raw()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.inbox.unsubscribe();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(&self.handle).finish()
    }
}

impl Logon {
    /// Asks to be told of these kinds of events — [MS-OXCNOTIF] 2.2.1.2.1 RopRegisterNotification.
    ///
    /// # Errors
    /// [`Error::Refused`] when the server does not do that.
    pub async fn subscribe(&self, events: EventKinds, scope: Scope) -> Result<Subscription, Error> {
        let body = RegisterNotificationRequest {
            output_index: 1,
            // The kinds that can be asked for have the low byte.
            notification_types: events.0.to_le_bytes()[0],
            scope: match scope {
                Scope::Store => None,
                Scope::Folder(folder) => Some((folder, Mid::default())),
                Scope::Message(folder, message) => Some((folder, message)),
            },
        };
        let inbox = Arc::clone(self.requester.inbox());
        // From here on what comes is kept: the answer itself may bring something.
        inbox.subscribe();
        let asked = self
            .requester
            .ask(
                &[Request::new(0, RequestBody::RegisterNotification(body))],
                &[self.inner.handle.raw(), INVALID_HANDLE],
                &[],
            )
            .await;
        let opened = asked.and_then(|mut replies| {
            replies.success(0, "RopRegisterNotification")?;
            replies.take(1).ok_or_else(|| unexpected("RopRegisterNotification gave no handle"))
        });
        match opened {
            Ok(handle) => {
                let kind = self.requester.settings.ledger.kind("subscriptions");
                Ok(Subscription { handle: handle.counted(&kind), inbox })
            }
            Err(error) => {
                inbox.unsubscribe();
                Err(error)
            }
        }
    }
}

impl Session {
    /// Waits until the server has something to tell ([`Session::notifications`]), or until the time is up (at most
    /// half an hour): then `false`. It takes a connection beside the session's own, so that other requests go on
    /// meanwhile; waits of one session come one after another. Dropping the future ends the wait.
    ///
    /// # Errors
    /// As for every request; [`Error::SessionLost`] when the server has forgotten the session.
    pub async fn wait(&self, time: Duration) -> Result<bool, Error> {
        if self.requester().inbox().has_something() {
            return Ok(true);
        }
        let _entry = self.settings.ledger.kind("waits").enter();
        tokio::time::timeout(time.min(LONGEST_WAIT), self.wait_for_ever()).await.unwrap_or(Ok(false))
    }

    async fn wait_for_ever(&self) -> Result<bool, Error> {
        // What ends early leaves nothing in here: its connection is in the middle of an answer.
        let mut waiter = self.waiter.lock().await;
        let mut transport = self.beside(waiter.take()).await?;
        let body = Bytes::from(NotificationWaitRequest::default().to_bytes()?);
        let reply = transport.request(RequestType::NotificationWait, body, SMALL).await?;
        let pending = match NotificationWaitResponse::from_bytes(&reply.body)? {
            Answer::Success(waited) if waited.error_code == MapiCode::Success => waited.event_pending != 0,
            Answer::Success(waited) => {
                return Err(Error::Refused { operation: "NotificationWait", code: waited.error_code });
            }
            Answer::Failure(failure) => {
                let code = MapiCode(failure.status_code.0);
                return Err(Error::Refused { operation: "NotificationWait", code });
            }
        };
        *waiter = Some(transport);
        Ok(pending)
    }

    /// The last wait's transport with the session's cookies of now, or a new one.
    async fn beside(&self, last: Option<Box<Transport>>) -> Result<Box<Transport>, Error> {
        let (reply, beside) = oneshot::channel();
        self.requester().link().send(Command::Beside { last, reply })?;
        beside.await.map_err(|_| Error::Closed)?
    }

    /// What happened since the last time: asks the server until it has nothing more to tell. When it fails, or its
    /// future is dropped, what was fetched so far comes the next time; for what an answer on its way may have brought,
    /// one [`Event::Unknown`] comes.
    ///
    /// # Errors
    /// As for every request.
    pub async fn notifications(&self) -> Result<Vec<Notification>, Error> {
        let requester = self.requester();
        let mut fetched = Fetched::new(requester.inbox());
        for _ in 0..MOST_REQUESTS {
            requester.ask(&[], &[], &[]).await?;
            if !fetched.more() {
                break;
            }
        }
        Ok(fetched.finish())
    }
}

/// What [`Session::notifications`] has fetched; dropped before its end, it goes back to where it came from.
struct Fetched<'a> {
    inbox: &'a Inbox,
    all: Vec<Notification>,
    finished: bool,
}

impl<'a> Fetched<'a> {
    const fn new(inbox: &'a Inbox) -> Self {
        Self { inbox, all: Vec::new(), finished: false }
    }

    /// Takes what the last answer brought; says whether the server has more.
    fn more(&mut self) -> bool {
        self.inbox.take(&mut self.all)
    }

    fn finish(mut self) -> Vec<Notification> {
        self.finished = true;
        std::mem::take(&mut self.all)
    }
}

impl Drop for Fetched<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.inbox.put_back(std::mem::take(&mut self.all));
        }
    }
}

/// What the server told, until it is fetched.
#[derive(Default)]
pub(crate) struct Inbox {
    /// Without any, nothing is kept.
    subscriptions: AtomicUsize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    notifications: VecDeque<Notification>,
    /// More came than is kept.
    lost: bool,
    /// The server said that it has more.
    pending: bool,
}

impl Inbox {
    /// Takes the notifications out of responses.
    pub(crate) fn sort_out(&self, responses: &mut Vec<Response>) {
        if !responses.iter().any(|r| matches!(r, Response::Notify(_) | Response::Pending(_))) {
            return;
        }
        let wanted = self.subscriptions.load(Ordering::Acquire) > 0;
        let mut kept = self.kept();
        for response in responses.extract_if(.., |r| matches!(r, Response::Notify(_) | Response::Pending(_)))
        {
            match response {
                Response::Notify(_) if !wanted => {}
                Response::Notify(_) if kept.notifications.len() >= KEPT => kept.lost = true,
                Response::Notify(notify) => kept.notifications.push_back(notify.into()),
                _ => kept.pending = wanted,
            }
        }
    }

    fn has_something(&self) -> bool {
        let kept = self.kept();
        kept.lost || kept.pending || !kept.notifications.is_empty()
    }

    /// Appends what is kept; says whether the server has more.
    fn take(&self, all: &mut Vec<Notification>) -> bool {
        let kept = std::mem::take(&mut *self.kept());
        all.extend(kept.notifications);
        if kept.lost {
            all.push(Notification { handle: INVALID_HANDLE, logon_id: 0, event: Event::Unknown });
        }
        kept.pending
    }

    /// Takes back what was not handed out, before what came since. The answer that was waited for brings no more.
    fn put_back(&self, mut all: Vec<Notification>) {
        if self.subscriptions.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut kept = self.kept();
        kept.lost = true;
        all.truncate(KEPT.saturating_sub(kept.notifications.len()));
        all.into_iter().rev().for_each(|notification| kept.notifications.push_front(notification));
    }

    fn subscribe(&self) {
        self.subscriptions.fetch_add(1, Ordering::AcqRel);
    }

    fn unsubscribe(&self) {
        if self.subscriptions.fetch_sub(1, Ordering::AcqRel) == 1 {
            *self.kept() = Kept::default();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(handle: u32) -> Notification {
        Notification { handle, logon_id: 0, event: Event::Unknown }
    }

    #[test]
    fn what_was_fetched_and_not_handed_out_comes_again() {
        let inbox = Inbox::default();
        inbox.subscribe();
        inbox.kept().notifications.extend([told(1), told(2)]);
        inbox.kept().pending = true;
        let mut fetched = Fetched::new(&inbox);
        assert!(fetched.more());
        assert!(!inbox.has_something());
        inbox.kept().notifications.push_back(told(3));
        drop(fetched);
        assert!(inbox.has_something());
        let mut fetched = Fetched::new(&inbox);
        assert!(!fetched.more());
        // The last is for what was on its way.
        let handles: Vec<u32> = fetched.finish().iter().map(|n| n.handle).collect();
        assert_eq!(handles, [1, 2, 3, INVALID_HANDLE]);
        assert!(!inbox.has_something());
        // As many as are kept, and no more.
        let mut fetched = Fetched::new(&inbox);
        fetched.all = (0..5000).map(told).collect();
        drop(fetched);
        assert_eq!(inbox.kept().notifications.len(), KEPT);
        inbox.unsubscribe();
        assert!(!inbox.has_something());
        drop(Fetched { inbox: &inbox, all: vec![told(1)], finished: false });
        assert!(!inbox.has_something());
    }
}
