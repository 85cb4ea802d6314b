//! `soak logon` and `soak ics`: processes of ours, run to a verdict.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use watertight_soak::{Axis, Course, DEFINITION, Document, Figures, Next, Record};

use super::children::{Server, Worker, settled};
use super::worker::{Config, Scene};
use super::{display, mailbox, page, tell};
use crate::cli::{Common, How, Plant, PlantIn, SoakLoop};
use crate::command::{on_runtime, sync};

/// What is done again and again.
pub enum Scenario {
    /// Sessions.
    Logon,
    /// Synchronizations.
    Ics,
}

/// How many messages the mailbox of `ics` has.
const MESSAGES: u32 = 1000;

impl Scenario {
    fn name(&self) -> &'static str {
        match self {
            Self::Logon => "logon",
            Self::Ics => "ics",
        }
    }

    fn iterations(&self) -> u64 {
        match self {
            Self::Logon => 6000,
            Self::Ics => 500,
        }
    }

    fn axis(&self) -> Axis {
        Axis::Operations(match self {
            Self::Logon => "sessions",
            Self::Ics => "syncs",
        })
    }

    fn title(&self, how: How) -> String {
        let what = match self {
            Self::Logon => "Logging on and off",
            Self::Ics => "Synchronizing a mailbox that changes",
        };
        let how = match how {
            How::Closed => "",
            How::Unclosed => ", with handles that are never closed",
            How::Panic => ", with a panic in the middle of each",
            How::Error => ", with an error in the middle of each",
            How::Rotate => ", with handles left open, panics and errors in turn",
        };
        format!("{what}{how}")
    }
}

/// Runs the loop to its verdict.
pub fn run(
    scenario: &Scenario,
    args: &SoakLoop,
    document: Option<Document>,
    common: &Common,
) -> Result<Record> {
    if let Some(document) = &document {
        tell(common, &story(document));
    }
    let started = page::now();
    let password = match &args.user {
        Some(user) => sync::password(user, args.password_file.as_deref(), args.password_command.as_deref())?,
        None => mailbox::password()?,
    };
    let Run { course, elapsed, interrupted } = on_runtime(1, soak(scenario, args, &password, common))?;
    let iterations = course.iterations();
    let (series, windows, findings) = course.into_parts();
    Ok(Record {
        scenario: scenario.name(),
        title: scenario.title(args.how),
        document,
        definition: DEFINITION,
        command: page::command_line(),
        machine: page::machine(),
        started,
        elapsed,
        interrupted,
        iterations,
        axis: scenario.axis(),
        series,
        windows,
        findings,
    })
}

fn story(document: &Document) -> String {
    let mut text = format!("\n{}: {}\n\n{}\n\n", document.number, document.title, wrapped(document.symptom));
    for (n, step) in document.steps.iter().enumerate() {
        text.push_str(&format!("  {}. {step}\n", n.saturating_add(1)));
    }
    format!("{text}\n{}\n", wrapped(document.here))
}

fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0_usize;
    for word in text.split(' ') {
        let len = word.chars().count();
        if width > 0 && width.saturating_add(len) >= 96 {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
        }
        out.push_str(word);
        width = width.saturating_add(len).saturating_add(1);
    }
    out
}

async fn soak(scenario: &Scenario, args: &SoakLoop, password: &str, common: &Common) -> Result<Run> {
    // Signals that come from now on are not missed.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let dir = match args.server {
        Some(_) => None,
        None => {
            let dir = tempfile::Builder::new().prefix("watertight-soak-").tempdir();
            Some(dir.context("no scratch directory")?)
        }
    };
    // First of all, so that the directory goes also when this process is killed.
    let worker = Worker::start(dir.as_ref().map(TempDir::path)).await?;
    let mut stage = Stage { worker, server: None };
    let mut run = None;
    let result = tokio::select! {
        result = act(&mut stage, &mut run, scenario, args, password, dir.as_ref(), common) => result.map(|()| false),
        _ = terminate.recv() => Ok(true),
        _ = interrupt.recv() => Ok(true),
    };
    // However it ended, nothing stays; what went wrong first is told.
    let worker = match result {
        Ok(true) => stage.worker.kill().await,
        _ => stage.worker.stop().await,
    };
    let server = match stage.server {
        Some(server) => server.stop().await,
        None => Ok(()),
    };
    let removed = dir.map_or(Ok(()), TempDir::close).context("the scratch directory stays");
    let interrupted = result?;
    worker.and(server).and(removed)?;
    match run {
        Some((course, start)) if !course.series().iter().all(|s| s.samples.is_empty()) => {
            Ok(Run { course, elapsed: start.elapsed(), interrupted })
        }
        _ => Err(anyhow!("stopped before anything was seen")),
    }
}

/// What was done and seen.
struct Run {
    course: Course,
    elapsed: Duration,
    interrupted: bool,
}

/// The children, with a place outside of what may be given up.
struct Stage {
    worker: Worker,
    server: Option<Server>,
}

async fn act(
    stage: &mut Stage,
    run: &mut Option<(Course, Instant)>,
    scenario: &Scenario,
    args: &SoakLoop,
    password: &str,
    dir: Option<&TempDir>,
    common: &Common,
) -> Result<()> {
    let plant = |place: PlantIn| -> &[Plant] { if args.plant_in == place { &args.plant } else { &[] } };
    let scene = match scenario {
        Scenario::Logon => Scene::Logon,
        Scenario::Ics => Scene::Ics,
    };
    let mut config = Config {
        scene,
        how: args.how,
        server: String::new(),
        user: mailbox::USER.into(),
        dn: args.user_dn.clone(),
        password: password.to_owned(),
        tls_ca: args.tls_ca.clone(),
        profiles: None,
        plant: plant(PlantIn::Worker).to_vec(),
        remove_after: None,
    };
    let mut processes = Vec::new();
    match (dir, &args.server, &args.user) {
        (_, Some(server), Some(user)) => {
            anyhow::ensure!(plant(PlantIn::Server).is_empty(), "that server is not ours to leak in");
            config.server.clone_from(server);
            config.user.clone_from(user);
        }
        (Some(dir), ..) => {
            let data = dir.path().join("data");
            let messages = match scenario {
                Scenario::Logon => 0,
                Scenario::Ics => MESSAGES,
            };
            let account = mailbox::make(&data, password, messages).await?;
            let server = Server::start(dir.path(), &data, plant(PlantIn::Server)).await?;
            config.server.clone_from(&server.url);
            config.dn = Some(account.legacy_dn);
            config.profiles = Some(dir.path().join("config.toml"));
            config.remove_after = Some(server.pid());
            processes.push(("server".to_owned(), server.pid()));
            stage.server = Some(server);
        }
        _ => return Err(anyhow!("a server needs a user")),
    }
    processes.push(("worker".to_owned(), stage.worker.pid()));
    let mut operations = stage.worker.prepare(&config).await?;
    drop(config);

    let axis = scenario.axis();
    let course = Course::new(args.iterations.unwrap_or(scenario.iterations()), processes);
    let (course, start) = run.insert((course, Instant::now()));
    let mut display = display(common, axis);
    display.head(course.series(), axis);
    while let Next::Run(iterations) = course.next() {
        if iterations > 0 {
            let before = operations;
            operations = stage.worker.run(iterations).await?;
            if let Some(server) = &mut stage.server {
                server.operations(operations.saturating_sub(before));
            }
        }
        let before: Vec<Figures> =
            course.series().iter().filter_map(|s| s.samples.last()).map(|s| s.figures.clone()).collect();
        let figures = sample(stage, &before).await?;
        let ended = course.sampled(iterations, operations, start.elapsed(), figures);
        let text = match course.windows().len() {
            0 => "warming up".to_owned(),
            n => format!("window {n}"),
        };
        display.sampled(course.series(), axis, &text);
        if ended == Some(false) && course.next() != Next::Done {
            for finding in course.findings().iter().filter(|f| !f.flat) {
                display.line(&format!("  not flat in this window: {finding}"));
            }
        }
    }
    Ok(())
}

/// A sample of every process, in two looks. Descriptors, threads and the ledger are of the first, with the session
/// open as the operations left it. The memory is of the second: nobody is logged on, and caches of the store are given
/// back, so that the buffers of a connection and the pages of a cache are no part of it.
async fn sample(stage: &mut Stage, before: &[Figures]) -> Result<Vec<Figures>> {
    let mut seen = Vec::new();
    if let Some(server) = &mut stage.server {
        seen.push(settled(server, before.first()).await?);
    }
    seen.push(settled(&mut stage.worker, before.get(seen.len())).await?);
    stage.worker.rest().await?;
    let mut rested = Vec::new();
    if let Some(server) = &mut stage.server {
        server.rest().await?;
        rested.push(settled(server, None).await?);
    }
    rested.push(settled(&mut stage.worker, None).await?);
    let both = seen.into_iter().zip(rested);
    Ok(both
        .map(|(seen, rested)| Figures {
            descriptors: seen.descriptors,
            threads: seen.threads,
            ledger: seen.ledger,
            ..rested
        })
        .collect())
}
