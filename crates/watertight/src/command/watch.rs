//! `watertight sync … --watch`: in step for ever.

mod event;
mod feed;
mod hooks;
mod systemd;
mod world;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use async_trait::async_trait;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch::{Receiver, Sender};
use tokio::task::JoinSet;
use watertight_mapi_client::Connector;
use watertight_sync::watch::{Home, Surroundings, Timing};
use watertight_sync::{Config, SyncResult, Synchronizer, Tree};

use crate::cli::Common;
use crate::exit::Exit;
use event::Seen;
use feed::Notifications;
pub use hooks::Commands;
use systemd::Systemd;
use world::{Live, Orders};

/// The way to a mailbox: its server, and the user's DN.
pub type Found = Pin<Box<dyn Future<Output = SyncResult<(Connector, String, Tree)>> + Send>>;

/// A mailbox to keep in step.
pub struct Job {
    /// What it is called in logs and for hooks: the profile, or the login name.
    pub account: String,
    /// The Maildir, and what goes into it. [`Options::progress`](watertight_sync::Options) is replaced.
    pub config: Config,
    /// What is run when something happens.
    pub hooks: Commands,
    /// Finds the way to the mailbox; asked again when the server refuses the user or stays away.
    pub way: Box<dyn FnMut() -> Found + Send>,
}

/// Keeps mailboxes in step until SIGTERM or SIGINT. SIGHUP and SIGUSR1 look at everything now.
pub async fn run(jobs: Vec<Job>, common: &Common) -> Result<Exit> {
    let orders = Arc::new(Sender::new(Orders::default()));
    let signals = tokio::spawn(obey(Signals::new()?, Arc::clone(&orders)));
    let systemd = Arc::new(Systemd::new(jobs.len()));
    let mut tasks = JoinSet::new();
    for (number, job) in jobs.into_iter().enumerate() {
        tasks.spawn(keep(number, job, orders.subscribe(), Arc::clone(&systemd), common.json));
    }
    let mut result = Ok(Exit::Done);
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.context("a mailbox's task failed").and_then(|ended| ended);
        result = match (result, ended) {
            (Ok(_), Err(error)) => Err(error),
            (result, _) => result,
        };
    }
    systemd.stopping();
    signals.abort();
    result
}

struct Signals {
    end: [tokio::signal::unix::Signal; 2],
    now: [tokio::signal::unix::Signal; 2],
}

impl Signals {
    fn new() -> Result<Self> {
        let wait = |kind| signal(kind).context("cannot wait for signals");
        Ok(Self {
            end: [wait(SignalKind::terminate())?, wait(SignalKind::interrupt())?],
            now: [wait(SignalKind::hangup())?, wait(SignalKind::user_defined1())?],
        })
    }
}

/// Turns signals into orders.
async fn obey(signals: Signals, orders: Arc<Sender<Orders>>) {
    let Signals { end: [mut terminate, mut interrupt], now: [mut hangup, mut user] } = signals;
    loop {
        tokio::select! {
            _ = terminate.recv() => orders.send_modify(|orders| orders.stop = true),
            _ = interrupt.recv() => orders.send_modify(|orders| orders.stop = true),
            _ = hangup.recv() => orders.send_modify(|orders| orders.asked = orders.asked.wrapping_add(1)),
            _ = user.recv() => orders.send_modify(|orders| orders.asked = orders.asked.wrapping_add(1)),
        }
    }
}

/// Keeps one mailbox in step.
async fn keep(
    number: usize,
    job: Job,
    orders: Receiver<Orders>,
    systemd: Arc<Systemd>,
    json: bool,
) -> Result<()> {
    let Job { account, mut config, hooks, way } = job;
    let maildir = config.maildir.clone();
    let seen = Arc::new(Seen::new(&account));
    config.options.progress = Arc::<Seen>::clone(&seen);
    let connector = Arc::new(Mutex::new(None));
    let world = Live {
        account: account.clone(),
        maildir: maildir.clone(),
        number,
        orders,
        obeyed: 0.into(),
        systemd,
        hooks: hooks.start(),
        seen,
        connector: Arc::clone(&connector),
        pulse: Mutex::default(),
        json,
    };
    let mut home = Place { way, config, connector: Arc::clone(&connector) };
    world.started();
    let around = Surroundings { world: &world, home: &mut home, feed: &Notifications };
    let result = watertight_sync::watch::run(around, Timing::default()).await;
    // However it ended, the server is told.
    let last = connector.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(connector) = last {
        connector.idle().await;
    }
    world.ended(result.is_ok()).await;
    result.map_err(|error| super::sync::failed(error, &maildir))
}

/// Where the mailbox is, by the job's way.
struct Place {
    way: Box<dyn FnMut() -> Found + Send>,
    config: Config,
    connector: Arc<Mutex<Option<Connector>>>,
}

#[async_trait]
impl Home for Place {
    async fn synchronizer(&mut self) -> SyncResult<Synchronizer> {
        let (connector, dn, tree) = (self.way)().await?;
        *self.connector.lock().unwrap_or_else(PoisonError::into_inner) = Some(connector.clone());
        Ok(Synchronizer::new(connector, dn, self.config.clone()).with_tree(tree))
    }
}
