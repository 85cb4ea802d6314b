//! The clocks, the orders, and those who are told.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch::Receiver;
use watertight_mapi_client::Connector;
use watertight_sync::watch::{Happening, Now, Outside, World};
use watertight_sync::{Scope, SyncError, Tally};

use super::event::{Event, Seen};
use super::hooks::Hooks;
use super::systemd::Systemd;
use crate::command::sync::tally;
use crate::out::say;

/// The target of what the loop logs: shown unless `--quiet`.
pub const LOG: &str = "watertight::watch";

/// Whether the machine slept is looked at this often.
const TICK: Duration = Duration::from_secs(5);
/// A synchronization in which nothing moves for so long is stuck: the watchdog is not told that all is well.
const STUCK: Duration = Duration::from_secs(20 * 60);

/// What somebody outside wants.
#[derive(Debug, Clone, Copy, Default)]
pub struct Orders {
    /// The end.
    pub stop: bool,
    /// Grows with each wish for a synchronization.
    pub asked: u64,
}

/// The surroundings of one mailbox.
pub struct Live {
    pub account: String,
    pub maildir: PathBuf,
    /// Which of the mailboxes it is.
    pub number: usize,
    pub orders: Receiver<Orders>,
    /// The wishes that were granted.
    pub obeyed: AtomicU64,
    pub systemd: Arc<Systemd>,
    pub hooks: Hooks,
    pub seen: Arc<Seen>,
    pub connector: Arc<Mutex<Option<Connector>>>,
    pub pulse: Mutex<Pulse>,
    pub json: bool,
}

/// Whether a synchronization moves.
#[derive(Default)]
pub struct Pulse {
    /// Of one that goes on: what had moved when it was last looked at, and when that was new.
    busy: Option<(u64, Instant)>,
    /// Whether one has ended well.
    once: bool,
}

impl Live {
    fn event(&self, event: &'static str) -> Event {
        Event::new(event, &self.account, &self.maildir)
    }

    fn print(&self, event: &Event) {
        if self.json
            && let Ok(line) = serde_json::to_string(event)
        {
            say!("{line}");
        }
    }

    /// The loop begins.
    pub fn started(&self) {
        self.systemd.status(self.number, format!("{}: first synchronization", self.account));
        tracing::info!(target: LOG, event = "started", account = %self.account, maildir = %self.maildir.display(), "watching");
        self.print(&self.event("started"));
    }

    /// The loop has ended.
    pub async fn ended(&self, well: bool) {
        self.systemd.ended(self.number);
        self.hooks.end().await;
        tracing::info!(target: LOG, event = "stopped", account = %self.account, well, "stopped");
        self.print(&self.event("stopped"));
    }

    /// What has moved so far: bytes on the way, and what was done with them.
    fn moved(&self) -> u64 {
        let connector = self.connector.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bytes = connector.map_or(0, |c| {
            let traffic = c.traffic();
            traffic.bytes_received.saturating_add(traffic.bytes_sent)
        });
        self.seen.moved().saturating_add(bytes)
    }

    /// Whether nothing moves in a synchronization, for very long.
    fn stuck(&self) -> bool {
        let moved = self.moved();
        let mut pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut pulse.busy {
            Some((last, since)) if *last == moved => since.elapsed() >= STUCK,
            Some(busy) => {
                *busy = (moved, Instant::now());
                false
            }
            None => false,
        }
    }

    fn busy(&self, busy: bool) {
        let now = busy.then(|| (self.moved(), Instant::now()));
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner).busy = now;
    }

    fn synced(&self, scope: &Scope, report: &watertight_sync::Report, listening: bool) {
        let touched = self.seen.take();
        let tree = touched.tree;
        let mut event = self.event("synced");
        event.everything = Some(*scope == Scope::Everything);
        event.listening = Some(listening);
        event.tally = Some(report.tally);
        event.left_out = Some(report.left_out.iter().fold(0_u64, |n, left| n.saturating_add(left.count)));
        event.seconds = Some(report.seconds);
        touched.tell(&mut event);
        let changed = report.tally != Tally::default() || tree > 0;
        let first =
            !std::mem::replace(&mut self.pulse.lock().unwrap_or_else(PoisonError::into_inner).once, true);
        let what = tally(report);
        let folders = event.folders.join(", ");
        let Tally { added, changed: newer, removed, kept, adopted, moved, flags, conflicts } = report.tally;
        if changed || first {
            tracing::info!(
                target: LOG, event = "synced", account = %self.account, everything = event.everything, listening,
                added, changed = newer, removed, kept, adopted, moved, flags, conflicts, left_out = event.left_out, folders,
                seconds = report.seconds, "{what}"
            );
            self.print(&event);
        } else {
            tracing::debug!(
                target: LOG, event = "synced", account = %self.account, everything = event.everything, listening,
                seconds = report.seconds, "{what}"
            );
        }
        self.systemd.ready(self.number);
        let how = if listening { "listening" } else { "asking every minute" };
        self.systemd.status(self.number, format!("{}: {how}; last at {}: {what}", self.account, event.time));
        if report.tally.added > 0 {
            self.hooks.new_mail(&event);
        }
        if changed {
            self.hooks.change(&event);
        }
    }

    fn failed(&self, error: &SyncError, failures: u32, again_in: Option<Duration>) {
        let touched = self.seen.take();
        let mut event = self.event("failed");
        touched.tell(&mut event);
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        event.error = Some(text.clone());
        event.failures = Some(failures);
        event.again_in = again_in.map(|time| time.as_secs_f64());
        let again = again_in.map_or_else(
            || "not tried again".to_owned(),
            |time| format!("trying again in {} s", time.as_secs_f64().ceil()),
        );
        // Once is enough to know why it takes so long.
        let news = failures <= 1 || again_in.is_none();
        if news {
            tracing::warn!(
                target: LOG, event = "failed", account = %self.account, error = text, failures,
                again_in = event.again_in, "{text}; {again}"
            );
            self.hooks.error(&event);
        } else {
            tracing::info!(
                target: LOG, event = "failed", account = %self.account, error = text, failures,
                again_in = event.again_in, "{text}; {again}"
            );
        }
        self.print(&event);
        self.systemd.status(self.number, format!("{}: {text}; {again}", self.account));
    }
}

#[async_trait]
impl World for Live {
    fn now(&self) -> Now {
        let read = |clock| {
            let time = clock_gettime(clock);
            Duration::new(
                u64::try_from(time.tv_sec).unwrap_or_default(),
                u32::try_from(time.tv_nsec).unwrap_or_default(),
            )
        };
        Now { monotonic: read(ClockId::Monotonic), boot: read(ClockId::Boottime) }
    }

    fn jitter(&self) -> f64 {
        let mut bytes = [0; 4];
        // Without random numbers it is the shortest wait.
        let _ = getrandom::fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
    }

    async fn pause(&self, until: Option<Duration>) -> Outside {
        if !self.stuck() {
            self.systemd.goes_round(self.number);
        }
        let tick = self.systemd.pace().map_or(TICK, |pace| pace.min(TICK));
        let time = until.map_or(tick, |until| until.saturating_sub(self.now().boot).min(tick));
        let obeyed = self.obeyed.load(Ordering::Relaxed);
        let mut orders = self.orders.clone();
        let order = async {
            let wanted = orders.wait_for(|orders| orders.stop || orders.asked != obeyed).await.map(|o| *o);
            match wanted {
                Ok(orders) => orders,
                // Nobody is left who could want something.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            orders = order => {
                if orders.stop {
                    return Outside::Stop;
                }
                self.obeyed.store(orders.asked, Ordering::Relaxed);
                Outside::Asked
            }
            () = tokio::time::sleep(time) => Outside::Time,
        }
    }

    fn happened(&self, what: &Happening<'_>) {
        match what {
            Happening::Begins { .. } => {
                self.busy(true);
            }
            Happening::Synced { scope, report, listening } => {
                self.busy(false);
                self.synced(scope, report, *listening);
            }
            Happening::Failed { error, failures, again_in } => {
                self.busy(false);
                self.failed(error, *failures, *again_in);
            }
            Happening::Woke => {
                self.busy(false);
                tracing::info!(target: LOG, event = "woke", account = %self.account, "given up, to begin again");
                self.print(&self.event("woke"));
            }
            _ => {}
        }
    }
}
