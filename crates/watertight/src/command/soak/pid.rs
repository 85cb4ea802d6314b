//! `soak pid`: any program, watched.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;
use watertight_soak::{Axis, Process, ProcessError, Record, Sample, Series, TREND_DEFINITION, trend};

use super::{display, page};
use crate::cli::{Common, SoakPid};
use crate::command::on_runtime;
use crate::exit::Failure;

/// How many samples a run with `--for` has, unless `--interval` says otherwise.
const SAMPLES: u32 = 300;
/// More samples than this are thinned out: every second one goes, and the time between two doubles.
const MOST: usize = 4096;
/// How often a line is shown at most.
const LINE: Duration = Duration::from_secs(1);

/// Watches the process to the end of the time, and judges.
pub fn run(args: &SoakPid, common: &Common) -> Result<Record> {
    let (interval, fewest) = (interval(args), trend::fewest());
    if let Some(time) = args.duration
        && interval.saturating_mul(u32::try_from(fewest).unwrap_or(u32::MAX)) > time
    {
        bail!(Failure::usage(format!(
            "{fewest} samples are needed for a verdict, and every {interval:?} for {time:?} makes too few: \
             watch longer (--for), or sample more often (--interval)"
        )));
    }
    let process = Process::open(args.pid)?;
    let title = format!("Watching {} ({})", process.name(), process.pid());
    let started = page::now();
    let (series, elapsed) = on_runtime(1, watch(&process, args.duration, interval, common))?;
    let findings = trend::judge(&series);
    if findings.is_empty() {
        bail!(
            "{} samples are too few for a verdict ({} are needed): watch longer, or sample more often (--interval)",
            series.samples.len(),
            fewest
        );
    }
    Ok(Record {
        scenario: "pid",
        title,
        document: None,
        definition: TREND_DEFINITION,
        command: page::command_line(),
        machine: page::machine(),
        started,
        elapsed,
        interrupted: false,
        iterations: 0,
        axis: Axis::Time,
        windows: vec![trend::warm_up(&series)],
        series: vec![series],
        findings,
    })
}

fn interval(args: &SoakPid) -> Duration {
    let usual = args.duration.map_or(Duration::from_secs(1), |time| {
        (time / SAMPLES).clamp(Duration::from_millis(100), Duration::from_secs(60))
    });
    args.interval.unwrap_or(usual)
}

async fn watch(
    process: &Process,
    duration: Option<Duration>,
    interval: Duration,
    common: &Common,
) -> Result<(Series, Duration)> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut series =
        vec![Series { name: process.name().to_owned(), pid: process.pid(), samples: Vec::new() }];
    let mut display = display(common, Axis::Time);
    display.head(&series, Axis::Time);
    let start = Instant::now();
    let mut shown: Option<Duration> = None;
    let mut every = 1_u32;
    let mut tick = 0_u32;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
        tick = tick.wrapping_add(1);
        if !tick.is_multiple_of(every) {
            continue;
        }
        let elapsed = start.elapsed();
        let figures = match process.sample() {
            Ok(figures) => figures,
            Err(ProcessError::Gone(_)) => {
                display.line("the process has ended");
                break;
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(one) = series.first_mut() {
            one.samples.push(Sample { elapsed, operations: 0, figures });
            if one.samples.len() > MOST {
                thin(&mut one.samples);
                every = every.saturating_mul(2);
            }
        }
        if shown.is_none_or(|at| elapsed.saturating_sub(at) >= LINE) {
            shown = Some(elapsed);
            display.sampled(&series, Axis::Time, "Ctrl-C ends it, with a verdict");
        }
        if duration.is_some_and(|end| elapsed >= end) {
            break;
        }
    }
    drop(display);
    let series = series.pop().context("there is one series")?;
    Ok((series, start.elapsed()))
}

/// Every second one stays.
fn thin(samples: &mut Vec<Sample>) {
    let mut keep = false;
    samples.retain(|_| {
        keep = !keep;
        keep
    });
}
