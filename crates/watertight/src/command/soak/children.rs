//! The processes that soak starts: a server and a worker.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use watertight_soak::{Figures, Inspection, Process};

use super::worker::{Answer, Config};
use crate::cli::Plant;
use crate::exit::Failure;

/// How long a child may take to say that it is ready, and for an inspection line.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a child may take to end before it is killed.
const GOODBYE: Duration = Duration::from_secs(10);
/// Between two looks at a process that may still be at work.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// So many looks in a row must agree.
const AGREE: u32 = 3;
/// How long to wait for a process to become what it was in the sample before.
const RETURN: Duration = Duration::from_millis(100);
/// How long to wait for a process that never agrees with itself.
const RESTLESS: Duration = Duration::from_secs(2);

/// Our own program, as a child that Ctrl-C does not reach.
fn program() -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find our own program")?);
    command.process_group(0).kill_on_drop(true).stdin(Stdio::null());
    Ok(command)
}

/// A `watertight serve` of ours.
pub struct Server {
    child: Child,
    process: Process,
    /// Where it listens.
    pub url: String,
    reader: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    /// What happened since it was told last.
    operations: u64,
    planted: bool,
}

impl Server {
    /// Starts it on a data directory, and waits until it is ready.
    pub async fn start(dir: &Path, data: &Path, plant: &[Plant]) -> Result<Self> {
        let socket: PathBuf = dir.join("inspect");
        let mut command = program()?;
        command.args(["serve", "--quiet", "--http", "127.0.0.1:0", "--data"]).arg(data);
        command.arg("--inspect").arg(&socket).arg("--parent").arg(std::process::id().to_string());
        for what in plant {
            command.arg("--plant").arg(match what {
                Plant::Fd => "fd",
                Plant::Bytes => "bytes",
                Plant::Ledger => "ledger",
            });
        }
        let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start the server")?;
        let output = child.stdout.take().context("the server has no output")?;
        let mut lines = BufReader::new(output).lines();
        let line =
            tokio::time::timeout(PATIENCE, lines.next_line()).await.context("the server is silent")??;
        let url = line
            .as_deref()
            .and_then(|line| line.strip_prefix("http "))
            .context("the server did not start")?;
        let stream = UnixStream::connect(&socket).await.context("cannot inspect the server")?;
        let (reader, writer) = stream.into_split();
        let process = Process::open(child.id().context("the server has ended")?)?;
        let reader = BufReader::new(reader).lines();
        Ok(Self {
            child,
            process,
            url: url.to_owned(),
            reader,
            writer,
            operations: 0,
            planted: !plant.is_empty(),
        })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// There were so many operations more.
    pub fn operations(&mut self, more: u64) {
        self.operations = self.operations.saturating_add(more);
    }

    /// Lets it give back what it remembers only because it may be read again.
    pub async fn rest(&mut self) -> Result<()> {
        if self.planted {
            let operations = std::mem::take(&mut self.operations);
            self.ask(&format!("operations {operations}")).await?;
        }
        self.ask("release").await.map(drop)
    }

    async fn figures(&mut self) -> Result<Figures> {
        self.ask("").await
    }

    async fn ask(&mut self, line: &str) -> Result<Figures> {
        self.writer.write_all(format!("{line}\n").as_bytes()).await.context("the server has ended")?;
        let line = tokio::time::timeout(PATIENCE, self.reader.next_line())
            .await
            .context("the server does not answer an inspection")??
            .context("the server has ended")?;
        figures(&self.process, &line)
    }

    /// Ends it.
    pub async fn stop(mut self) -> Result<()> {
        drop((self.reader, self.writer));
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        ended(&mut self.child, "server").await
    }
}

/// A `watertight soak-worker`.
pub struct Worker {
    child: Child,
    process: Process,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts it. When it finds this process gone, it removes the directory.
    pub async fn start(dir: Option<&Path>) -> Result<Self> {
        let mut command = program()?;
        command.arg("soak-worker").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the worker")?;
        let input = child.stdin.take().context("the worker has no input")?;
        let output = BufReader::new(child.stdout.take().context("the worker has no output")?).lines();
        let process = Process::open(child.id().context("the worker has ended")?)?;
        let mut worker = Self { child, process, input, output };
        let dir = dir.map(|dir| dir.to_string_lossy().into_owned()).unwrap_or_default();
        worker.tell(&serde_json::to_string(&dir)?).await?;
        Ok(worker)
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Lets it get ready.
    pub async fn prepare(&mut self, config: &Config) -> Result<u64> {
        self.tell(&serde_json::to_string(config)?).await?;
        self.answer().await
    }

    /// Lets it do so many iterations; says how many operations it has done in all.
    pub async fn run(&mut self, iterations: u64) -> Result<u64> {
        self.tell(&format!("run {iterations}")).await?;
        self.answer().await
    }

    /// Lets it log off.
    pub async fn rest(&mut self) -> Result<()> {
        self.tell("rest").await?;
        self.answer().await.map(drop)
    }

    async fn answer(&mut self) -> Result<u64> {
        match serde_json::from_str(&self.line().await?).context("the worker speaks another language")? {
            Answer::Operations(n) => Ok(n),
            Answer::Failed { exit, what } => Err(Failure { exit, what, cure: None }.into()),
        }
    }

    async fn figures(&mut self) -> Result<Figures> {
        self.tell("inspect").await?;
        let line = self.line().await?;
        figures(&self.process, &line)
    }

    async fn tell(&mut self, line: &str) -> Result<()> {
        let line = format!("{line}\n");
        self.input.write_all(line.as_bytes()).await.context("the worker has ended")?;
        self.input.flush().await.context("the worker has ended")
    }

    async fn line(&mut self) -> Result<String> {
        self.output.next_line().await?.context("the worker has ended")
    }

    /// Ends it.
    pub async fn stop(mut self) -> Result<()> {
        // One that has ended already is not told.
        let _ = self.tell("quit").await;
        drop(self.input);
        ended(&mut self.child, "worker").await
    }

    /// Ends it in the middle of its operations.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("cannot end the worker")
    }
}

async fn ended(child: &mut Child, name: &str) -> Result<()> {
    let Ok(status) = tokio::time::timeout(GOODBYE, child.wait()).await else {
        child.kill().await.with_context(|| format!("cannot end the {name}"))?;
        bail!("the {name} did not end, and was killed");
    };
    let status = status?;
    if !status.success() {
        bail!("the {name} ended with {status}");
    }
    Ok(())
}

fn figures(process: &Process, line: &str) -> Result<Figures> {
    let inspection = Inspection::parse(line)?;
    let mut figures = process.sample()?;
    figures.allocated = inspection.allocated;
    figures.ledger = Some(inspection.ledger);
    Ok(figures)
}

/// What the child holds when it does nothing: looks at it until it stays the same, and a little longer when it is not
/// what it was in the sample before.
pub async fn settled(child: &mut impl Inspected, before: Option<&Figures>) -> Result<Figures> {
    let start = Instant::now();
    let mut last = child.look().await?;
    let mut same = 1_u32;
    loop {
        let waited = start.elapsed();
        let as_before = before.is_none_or(|before| counts(before) == counts(&last));
        if (same >= AGREE && (as_before || waited >= RETURN)) || waited >= RESTLESS {
            return Ok(last);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        let next = child.look().await?;
        let equal = counts(&next) == counts(&last) && next.bytes() == last.bytes();
        same = if equal { same.saturating_add(1) } else { 1 };
        last = next;
    }
}

fn counts(figures: &Figures) -> impl PartialEq + '_ {
    (figures.descriptors, figures.threads, figures.ledger.as_ref())
}

/// A child that can be looked at.
pub trait Inspected {
    /// What it holds now.
    async fn look(&mut self) -> Result<Figures>;
}

impl Inspected for Server {
    async fn look(&mut self) -> Result<Figures> {
        self.figures().await
    }
}

impl Inspected for Worker {
    async fn look(&mut self) -> Result<Figures> {
        self.figures().await
    }
}
