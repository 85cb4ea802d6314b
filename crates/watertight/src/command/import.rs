//! `watertight import`

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use watertight_ledger::Ledger;

use super::on_runtime;
use crate::cli::{Common, Import};
use crate::data;
use crate::exit::Exit;
use crate::import::{Limits, Mail, Options, Report, import};
use crate::out::say;
use crate::words::counted;

/// How many of the skipped are listed one by one on a terminal.
const LISTED: usize = 50;

/// Runs the command.
pub fn run(args: &Import, common: &Common) -> Result<Exit> {
    for path in &args.paths {
        if !path.exists() {
            bail!("{} is not there", path.display());
        }
    }
    let start = Instant::now();
    let report = on_runtime(2, async {
        let store = data::open(&args.data, &Ledger::new("watertight")).await?;
        let mailbox = match &args.mailbox {
            Some(name) if args.archive => data::archive(&store, name).await?,
            Some(name) => data::mailbox(&store, name).await?.1,
            None => data::public(&store).await?,
        };
        let options =
            Options { folder: args.folder.clone(), limits: Limits { max_message: args.max_message } };
        let bar = bar(common);
        let report = import(&*mailbox, Mail::Paths(args.paths.clone()), options, |report| {
            bar.set_message(progress(report, start.elapsed()));
            bar.tick();
        })
        .await;
        bar.finish_and_clear();
        report
    })?;
    print(&report, start.elapsed(), common);
    Ok(if report.skipped.is_empty() { Exit::Done } else { Exit::Partial })
}

fn bar(common: &Common) -> ProgressBar {
    if common.quiet || common.json {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn progress(report: &Report, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = rate(report.imported, seconds);
    format!("{} messages, {} ({rate} a second)", report.imported, HumanBytes(report.bytes))
}

fn rate(messages: u64, seconds: f64) -> String {
    let messages = u32::try_from(messages).map_or(f64::INFINITY, f64::from);
    format!("{:.0}", messages / seconds)
}

fn print(report: &Report, elapsed: Duration, common: &Common) {
    let seconds = elapsed.as_secs_f64();
    if common.json {
        let skipped: Vec<_> = report
            .skipped
            .iter()
            .map(|(place, reason)| serde_json::json!({"path": place, "reason": reason}))
            .collect();
        let json = serde_json::json!({
            "version": 1,
            "imported": report.imported,
            "already": report.already,
            "skipped": skipped,
            "folders": report.folders,
            "bytes": report.bytes,
            "seconds": seconds,
        });
        say!("{json}");
        return;
    }
    if common.quiet && report.skipped.is_empty() {
        return;
    }
    say!(
        "{} imported ({}, {seconds:.1} s, {} a second), {} there already, {} skipped, {}",
        counted(report.imported, "message"),
        HumanBytes(report.bytes),
        rate(report.imported, seconds.max(0.001)),
        report.already,
        report.skipped.len(),
        counted(report.folders, "folder"),
    );
    for (place, reason) in report.skipped.iter().take(LISTED) {
        say!("skipped {place}: {reason}");
    }
    if let Some(more) = report.skipped.len().checked_sub(LISTED).filter(|more| *more > 0) {
        say!("… and {more} more (--json lists all)");
    }
}
