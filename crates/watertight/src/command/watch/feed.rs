//! A server that tells what changes — [MS-OXCNOTIF].

use std::time::Duration;

use async_trait::async_trait;
use watertight_mapi::notification::{EventKinds, Notification};
use watertight_mapi_client::{Error, ErrorClass, Logon, Mailbox, Scope, Subscription};
use watertight_sync::GlobalId;
use watertight_sync::watch::{Changed, Feed, Listening};

use super::world::LOG;

/// One wait; servers end it earlier.
const WAIT: Duration = Duration::from_secs(30 * 60);

/// Asks the server to tell what changes in the whole mailbox.
pub struct Notifications;

#[async_trait]
impl Feed for Notifications {
    async fn listen(&self, mailbox: &mut Mailbox) -> Result<Option<Box<dyn Listening>>, Error> {
        let logon = mailbox.logon().await?.clone();
        match logon.subscribe(EventKinds::OBJECTS, Scope::Store).await {
            Ok(subscription) => {
                Ok(Some(Box::new(Subscribed { _subscription: subscription, logon, told: Vec::new() })))
            }
            Err(error) if error.class() == ErrorClass::Refused => {
                tracing::warn!(target: LOG, %error, "the server does not tell what changes; it is asked every minute");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

struct Subscribed {
    _subscription: Subscription,
    logon: Logon,
    /// What the server told and nobody has looked at yet.
    told: Vec<Notification>,
}

#[async_trait]
impl Listening for Subscribed {
    async fn next(&mut self, mailbox: &Mailbox) -> Result<Vec<Changed>, Error> {
        let session = mailbox.session().ok_or(Error::Closed)?;
        if self.told.is_empty() {
            if !session.wait(WAIT).await? {
                return Ok(Vec::new());
            }
            self.told = session.notifications().await?;
        }
        let mut changes = Vec::new();
        for notification in &self.told {
            let mut named = false;
            for folder in notification.event.folders() {
                named = true;
                let replica = self.logon.replica(folder.repl_id).await?;
                changes.push(Changed::Folder(GlobalId::new(replica, folder.counter)));
            }
            if !named {
                changes.push(Changed::Something);
            }
        }
        self.told.clear();
        changes.dedup();
        Ok(changes)
    }
}
