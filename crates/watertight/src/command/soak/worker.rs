//! `watertight soak-worker`: does operations when it is told to on standard input, and answers on standard output.
//!
//! The first line is a JSON string: a directory that is removed when the one that started us is gone without saying
//! `quit`. The second is a [`Config`]. Then come `run N` and `rest` (log off),
//! answered by an [`Answer`]; `inspect`, answered by an inspection line; and `quit`.

mod ics;
mod logon;

use std::io::{self, BufRead, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use watertight_ledger::Ledger;
use watertight_mapi_client::{
    Connector, Credentials, Error, ErrorClass, LogoffFlags, LogonFlags, Mapi, MapiError, MapiSession, NoUi,
    Options, Profile, ProfileSet, Profiles,
};
use zeroize::{Zeroize, Zeroizing};

use super::Planted;
use crate::cli::{How, Plant};
use crate::command::{on_runtime, sync};
use crate::exit::{Exit, Failure};
use crate::inspect;

/// What is to be done.
#[derive(Serialize, Deserialize)]
pub struct Config {
    /// What.
    pub scene: Scene,
    /// How each iteration ends.
    pub how: How,
    /// The server.
    pub server: String,
    /// The login name.
    pub user: String,
    /// The user's DN; Autodiscover says it where it is missing.
    pub dn: Option<String>,
    /// The password.
    pub password: String,
    /// Certificates to trust.
    pub tls_ca: Option<PathBuf>,
    /// Where the profile is written to; it is kept in memory where there is no place.
    pub profiles: Option<PathBuf>,
    /// What is leaked on purpose.
    pub plant: Vec<Plant>,
    /// The directory is removed when this process is gone too.
    pub remove_after: Option<u32>,
}

impl Drop for Config {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

/// What is done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scene {
    /// Sessions.
    Logon,
    /// Synchronizations.
    Ics,
}

/// An answer to `run N`, and to the configuration.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Operations done in all.
    Operations(u64),
    /// It did not work.
    Failed {
        /// The exit status for it.
        exit: Exit,
        /// What happened.
        what: String,
    },
}

/// Whoever does the operations.
enum Actor {
    Logon(logon::Logon),
    Ics(Box<ics::Ics>),
}

/// Runs the command.
pub fn run() -> Result<Exit> {
    let (lines, mut input) = unbounded_channel();
    // Not by the runtime: its threads for what blocks would come and go with each line.
    std::thread::Builder::new()
        .name("input".into())
        .spawn(move || io::stdin().lock().lines().map_while(Result::ok).try_for_each(|line| lines.send(line)))
        .context("cannot start threads")?;
    let Some(first) = input.blocking_recv() else { return Ok(Exit::Done) };
    let dir: String = serde_json::from_str(&first).context("the first line is no directory")?;
    let mut remove_after = None;
    let done = on_runtime(1, work(&mut input, &mut remove_after));
    if !matches!(done, Ok(true)) && !dir.is_empty() {
        remove(Path::new(&dir), remove_after);
    }
    done.map(|_| Exit::Done)
}

/// Removes the directory of one that was killed, when the server has let go of it.
fn remove(dir: &Path, server: Option<u32>) {
    for _ in 0..400 {
        let served = server.is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists());
        let removed = std::fs::remove_dir_all(dir).is_ok() || !dir.exists();
        if removed && !served {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// Works until it is told to quit (true) or nobody is there any more.
async fn work(input: &mut UnboundedReceiver<String>, remove_after: &mut Option<u32>) -> Result<bool> {
    let Some(second) = input.recv().await else { return Ok(false) };
    if second == "quit" {
        return Ok(true);
    }
    let config: Config = serde_json::from_str(&second).context("the second line is no configuration")?;
    *remove_after = config.remove_after;
    let ledger = Ledger::new("watertight");
    let plant = Planted::new(&config.plant, &ledger);
    let mut operations = 0;
    let mut actor = tokio::select! {
        actor = Actor::new(config, &ledger) => match actor {
            Ok(actor) => Some(actor),
            Err(error) => {
                answer(&Answer::from(&error))?;
                None
            }
        },
        _ = input.closed_or_line() => return Ok(false),
    };
    if actor.is_some() {
        answer(&Answer::Operations(0))?;
    }
    while let Some(line) = input.recv().await {
        if line == "quit" {
            return Ok(true);
        }
        if line == "inspect" {
            let mut out = io::stdout().lock();
            out.write_all(inspect::line(&ledger)?.as_bytes())?;
            out.flush()?;
            continue;
        }
        if line == "rest" {
            let rested = match &mut actor {
                Some(actor) => actor.rest().await,
                None => Ok(()),
            };
            answer(&rested.as_ref().map_or_else(Answer::from, |()| Answer::Operations(operations)))?;
            continue;
        }
        let count: Option<u64> = line.strip_prefix("run ").and_then(|n| n.parse().ok());
        let (Some(count), Some(actor)) = (count, &mut actor) else { bail!("no such order: {line}") };
        let done = tokio::select! {
            done = actor.run(count, plant.as_ref()) => done,
            // Nothing is said while we work: whoever started us is gone.
            _ = input.closed_or_line() => return Ok(false),
        };
        match done {
            Ok(done) => {
                operations += done;
                answer(&Answer::Operations(operations))?;
            }
            Err(error) => answer(&Answer::from(&error))?,
        }
    }
    Ok(false)
}

/// Waiting for what should not come.
trait Closed {
    async fn closed_or_line(&mut self);
}

impl Closed for UnboundedReceiver<String> {
    async fn closed_or_line(&mut self) {
        let _ = self.recv().await;
    }
}

fn answer(answer: &Answer) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(answer)?)?;
    Ok(out.flush()?)
}

impl From<&anyhow::Error> for Answer {
    fn from(error: &anyhow::Error) -> Self {
        let exit = error.downcast_ref::<Failure>().map_or(Exit::Failed, |failure| failure.exit);
        Self::Failed { exit, what: format!("{error:#}") }
    }
}

impl Actor {
    async fn new(config: Config, ledger: &Ledger) -> Result<Self> {
        let client = Client::new(&config, ledger).await?;
        client.crowd().await?;
        Ok(match config.scene {
            Scene::Logon => Self::Logon(logon::Logon::new(client)),
            Scene::Ics => Self::Ics(Box::new(ics::Ics::new(client).await?)),
        })
    }

    /// So many iterations, and then silence. Returns how many operations they were.
    async fn run(&mut self, iterations: u64, plant: Option<&Planted>) -> Result<u64> {
        let mut operations = 0_u64;
        for left in (0..iterations).rev() {
            let done = match self {
                Self::Logon(logon) => logon.one(left).await?,
                Self::Ics(ics) => ics.round(left).await?,
            };
            operations = operations.saturating_add(done);
            if let Some(plant) = plant {
                plant.operations(done);
            }
        }
        match self {
            Self::Logon(logon) => logon.quiet().await,
            Self::Ics(ics) => ics.quiet().await?,
        }
        Ok(operations)
    }

    /// Logs off, and lets go of connections.
    async fn rest(&mut self) -> Result<()> {
        match self {
            Self::Logon(logon) => logon.quiet().await,
            Self::Ics(ics) => ics.rest().await?,
        }
        // The runtime lets go of what it knew about closed sockets when it next looks at its timers and sockets.
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

/// How many sessions there are at once when all is warmed up.
const CROWD: u32 = 6;

/// What both need.
#[derive(Clone)]
struct Client {
    mapi: Mapi,
    /// The password, where no profile has it.
    password: Option<Zeroizing<String>>,
    how: How,
}

/// The profile's name.
const PROFILE: &str = "soak";

impl Client {
    async fn new(config: &Config, ledger: &Ledger) -> Result<Self> {
        let (profiles, password) = match &config.profiles {
            Some(path) => {
                write_profile(path, config).context("cannot write the profile")?;
                (Profiles::in_file(path), None)
            }
            None => {
                let mut profile = Profile::new(config.server.clone(), config.user.clone());
                profile.user_dn = Some(user_dn(config, ledger).await?);
                profile.tls_ca.clone_from(&config.tls_ca);
                let set = ProfileSet {
                    default: Some(PROFILE.into()),
                    profiles: [(PROFILE.to_owned(), profile)].into(),
                };
                (Profiles::of(set), Some(Zeroizing::new(config.password.clone())))
            }
        };
        Ok(Self { mapi: Mapi::new(profiles, Options::default(), ledger), password, how: config.how })
    }

    /// MAPILogonEx, as the document calls it.
    async fn logon(&self) -> Result<MapiSession> {
        let password = self.password.as_ref().map(|password| password.as_str());
        self.mapi.logon_ex(&NoUi, Some(PROFILE), password, LogonFlags::Q293150).await.map_err(|e| refused(&e))
    }

    /// Several sessions at once, a few times, so that every pool of threads and connections is as large as one client
    /// will ever need it.
    async fn crowd(&self) -> Result<()> {
        for _ in 0..3 {
            let mut tasks = JoinSet::new();
            for _ in 0..CROWD {
                let client = self.clone();
                tasks.spawn(async move {
                    let session = client.logon().await?;
                    session.open_msg_store()?.inbox().await?;
                    session.logoff(LogoffFlags::empty()).await?;
                    anyhow::Ok(())
                });
            }
            while let Some(done) = tasks.join_next().await {
                done??;
            }
        }
        self.mapi.idle().await;
        Ok(())
    }

    /// How an iteration ends that so many follow before the next sample: the last of them always in the same way, so
    /// that samples can be compared.
    fn how(&self, left: u64) -> How {
        match (self.how, left % 4) {
            (How::Rotate, 0) => How::Closed,
            (How::Rotate, 1) => How::Unclosed,
            (How::Rotate, 2) => How::Panic,
            (How::Rotate, _) => How::Error,
            (how, _) => how,
        }
    }
}

/// The user's DN, as `sync` finds it.
async fn user_dn(config: &Config, ledger: &Ledger) -> Result<String> {
    let endpoint = sync::endpoint(&config.server, &config.user)?;
    let credentials = Credentials::new(config.user.clone(), config.password.as_str())
        .map_err(|e| sync::client(e.into()))?;
    let options = Options { tls_ca: config.tls_ca.clone(), ..Options::default() };
    let connector = Connector::new(endpoint, &credentials, options, ledger).map_err(sync::client)?;
    let dn = sync::user_dn(&connector, &config.user, config.dn.as_deref()).await;
    connector.idle().await;
    dn
}

/// `config.toml` with the password beside it, for nobody else to read.
fn write_profile(path: &Path, config: &Config) -> Result<()> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = format!(
        "default = \"{PROFILE}\"\n\n[profile.{PROFILE}]\nserver = {}\nuser = {}\npassword_file = \"password\"\n",
        quoted(&config.server),
        quoted(&config.user)
    );
    if let Some(dn) = &config.dn {
        text.push_str(&format!("user_dn = {}\n", quoted(dn)));
    }
    let write = |path: &Path, text: &str| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())
    };
    write(&path.with_file_name("password"), &config.password)?;
    Ok(write(path, &text)?)
}

/// What MAPI says, with the exit status for it.
fn refused(error: &MapiError) -> anyhow::Error {
    let exit = match error.cause().map(Error::class) {
        Some(ErrorClass::SignIn) => Exit::SignIn,
        Some(ErrorClass::Reach | ErrorClass::SessionLost) => Exit::Reach,
        Some(ErrorClass::Setup) => Exit::Usage,
        _ => Exit::Failed,
    };
    Failure { exit, what: error.to_string(), cure: None }.into()
}

/// A panic as it happens in the middle of somebody's work, without a word on standard error.
fn panic() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}
