//! Tells systemd how it goes: `sd_notify(3)`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Who started us, if that was systemd with `Type=notify`.
pub struct Systemd {
    /// How often it wants to hear of us.
    watchdog: Option<Duration>,
    state: Mutex<State>,
}

struct State {
    /// Of each mailbox: whether it was synchronized once, and when its loop was last seen to go round.
    ready: Vec<bool>,
    seen: Vec<Option<Instant>>,
    status: Vec<String>,
    told: Instant,
}

impl Systemd {
    /// For so many mailboxes.
    pub fn new(mailboxes: usize) -> Self {
        let now = Instant::now();
        Self {
            watchdog: sd_notify::watchdog_enabled(),
            state: Mutex::new(State {
                ready: vec![false; mailboxes],
                seen: vec![Some(now); mailboxes],
                status: vec![String::new(); mailboxes],
                told: now,
            }),
        }
    }

    /// How often the loops must go round for the watchdog's sake.
    pub fn pace(&self) -> Option<Duration> {
        self.watchdog.map(|every| every / 8)
    }

    /// The mailbox was synchronized; after the first time of all of them we are ready.
    pub fn ready(&self, mailbox: usize) {
        let mut state = self.lock();
        let before = state.ready.iter().all(|ready| *ready);
        if let Some(ready) = state.ready.get_mut(mailbox) {
            *ready = true;
        }
        if !before && state.ready.iter().all(|ready| *ready) {
            say(&[NotifyState::Ready]);
        }
    }

    /// What `systemctl status` shows.
    pub fn status(&self, mailbox: usize, text: String) {
        let mut state = self.lock();
        if let Some(status) = state.status.get_mut(mailbox) {
            *status = text.replace(['\n', '\r'], " ");
        }
        let all =
            state.status.iter().filter(|s| !s.is_empty()).map(String::as_str).collect::<Vec<_>>().join("; ");
        say(&[NotifyState::Status(&all)]);
    }

    /// The loop of the mailbox goes round. The watchdog hears of it when all loops did so lately.
    pub fn goes_round(&self, mailbox: usize) {
        let Some(every) = self.watchdog else { return };
        let now = Instant::now();
        let mut state = self.lock();
        if let Some(seen) = state.seen.get_mut(mailbox) {
            *seen = Some(now);
        }
        let lately = state.seen.iter().flatten().all(|seen| now.duration_since(*seen) < every / 2);
        if lately && now.duration_since(state.told) >= every / 4 {
            state.told = now;
            say(&[NotifyState::Watchdog]);
        }
    }

    /// The mailbox is not kept in step any more; the watchdog must not wait for it.
    pub fn ended(&self, mailbox: usize) {
        if let Some(seen) = self.lock().seen.get_mut(mailbox) {
            *seen = None;
        }
    }

    /// This is the end.
    pub fn stopping(&self) {
        say(&[NotifyState::Stopping]);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn say(state: &[NotifyState<'_>]) {
    // Without a socket nobody wants to know.
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd is not told");
    }
}
