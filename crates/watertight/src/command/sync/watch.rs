//! `watertight sync … --watch`

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use watertight_ledger::Ledger;
use watertight_mapi_client::{Connector, Credentials, ShellCommand};
use watertight_sync::watch::Failure as Failing;
use watertight_sync::{Config, SyncError, SyncResult, Tree};

use super::whose::Whose;
use super::{Job, account, usual};
use crate::cli::{Common, Sync};
use crate::command::account::{Account, profiles, wrong};
use crate::command::{on_runtime, watch};
use crate::exit::{Exit, Failure};

/// Runs the command.
pub fn run(args: &Sync, common: &Common) -> Result<Exit> {
    let ledger = Ledger::new("watertight");
    // What is wrong with the command line is said before a password is asked for.
    let jobs = if args.all { all(args)? } else { vec![Job::new(account(args)?, args)?] };
    jobs.iter().try_for_each(|job| job.account.check())?;
    let mut watched = Vec::with_capacity(jobs.len());
    for job in jobs {
        let typed = if job.account.can_read_again() { None } else { Some(job.account.credentials()?) };
        watched.push(job.watched(typed, args, &ledger));
    }
    on_runtime(2, watch::run(watched, common))
}

/// Every account that has a Maildir.
fn all(args: &Sync) -> Result<Vec<Job>> {
    let set = profiles(args.config.as_deref())?.read().map_err(wrong)?;
    let mut taken = BTreeMap::new();
    let mut jobs = Vec::new();
    for (name, profile) in &set.profiles {
        let Some(maildir) = &profile.maildir else { continue };
        if let Some(other) = taken.insert(maildir, name) {
            return Err(anyhow!(Failure::new(
                Exit::Usage,
                format!("{} is the Maildir of the accounts {other:?} and {name:?}", maildir.display()),
                "give each account its own",
            )));
        }
        jobs.push(Job::new(Account::named(&set, name)?.among_others(), args)?);
    }
    if jobs.is_empty() {
        return Err(anyhow!(Failure::new(
            Exit::Usage,
            "no account of the configuration has a Maildir",
            "watertight login ADDRESS makes one",
        )));
    }
    Ok(jobs)
}

impl Job {
    fn watched(self, typed: Option<Credentials>, args: &Sync, ledger: &Ledger) -> watch::Job {
        let profile = &self.account.profile;
        let hook = |given: &Option<String>, usual: &Option<ShellCommand>| {
            given.clone().map(ShellCommand::new).or_else(|| usual.clone())
        };
        let hooks = watch::Commands {
            on_new: hook(&args.on_new, &profile.on_new),
            on_change: hook(&args.on_change, &profile.on_change),
            on_error: hook(&args.on_error, &profile.on_error),
        };
        let mut options = usual(ledger);
        options.allow_mass_delete = self.allow_mass_delete;
        self.manner.apply(&mut options);
        let config =
            Config { maildir: self.maildir, connections: self.connections, folder: self.folder, options };
        let label = self.account.label().to_owned();
        let way = Way { account: Arc::new(self.account), whose: self.whose, typed, ledger: ledger.clone() };
        let way = Arc::new(way);
        watch::Job {
            account: label,
            config,
            hooks,
            way: Box::new(move || {
                let way = Arc::clone(&way);
                Box::pin(async move { way.find().await })
            }),
        }
    }
}

/// How the mailbox is found, again and again.
struct Way {
    account: Arc<Account>,
    whose: Whose,
    /// What cannot be read again.
    typed: Option<Credentials>,
    ledger: Ledger,
}

impl Way {
    async fn find(&self) -> SyncResult<(Connector, String, Tree)> {
        let credentials = match &self.typed {
            Some(credentials) => credentials.clone(),
            None => self.read().await?,
        };
        let account = self.account.located(&credentials, &self.ledger).await.map_err(no_way)?;
        let connector = account.connector(&credentials, &self.ledger).map_err(no_way)?;
        let found = async {
            let dn = account.dn(&connector).await?;
            anyhow::Ok((dn, self.whose.tree(&connector).await?))
        };
        match found.await {
            Ok((dn, tree)) => Ok((connector, dn, tree)),
            Err(error) => {
                connector.idle().await;
                Err(no_way(error))
            }
        }
    }

    /// Reads the password, which may wait for a command. When that fails, no server has refused anybody.
    async fn read(&self) -> SyncResult<Credentials> {
        let account = Arc::clone(&self.account);
        let read = tokio::task::spawn_blocking(move || account.credentials()).await;
        read.map_err(|_| SyncError::Cancelled)?.map_err(|error| match no_way(error) {
            SyncError::NoWay { what, failure: Failing::Refused } => {
                SyncError::NoWay { what, failure: Failing::Local }
            }
            other => other,
        })
    }
}

/// What it means for the next try.
fn no_way(error: anyhow::Error) -> SyncError {
    let failure = match error.downcast_ref::<Failure>().map(|failure| failure.exit) {
        Some(Exit::SignIn) => Failing::Refused,
        Some(Exit::Reach) => Failing::Server { after: None },
        Some(Exit::Usage) => Failing::Fatal,
        _ => Failing::Local,
    };
    SyncError::NoWay { what: format!("{error:#}"), failure }
}
