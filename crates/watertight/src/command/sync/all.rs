//! `watertight sync --all`

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use indicatif::{HumanBytes, MultiProgress};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use watertight_ledger::Ledger;
use watertight_mapi_client::Credentials;
use watertight_sync::Report;

use super::progress::{Bars, time};
use super::{Job, STOPPED, exit, tally, with_folders};
use crate::cli::{Common, Sync};
use crate::command::account::{Account, profiles, wrong};
use crate::command::on_runtime;
use crate::exit::{Exit, Failure};
use crate::out::say;

/// Accounts at work at one time.
const SIDE_BY_SIDE: usize = 4;

/// How it went with one account.
struct Outcome {
    name: String,
    exit: Exit,
    /// What was done, or what went wrong, in a few words.
    words: String,
    report: Result<Report, anyhow::Error>,
}

/// Runs the command.
pub fn run(args: &Sync, common: &Common) -> Result<Exit> {
    let set = profiles(args.config.as_deref())?.read().map_err(wrong)?;
    let names: Vec<&String> =
        set.profiles.iter().filter(|(_, profile)| profile.maildir.is_some()).map(|(name, _)| name).collect();
    if names.is_empty() {
        return Err(anyhow!(Failure::new(
            Exit::Usage,
            "no account of the configuration has a Maildir",
            "watertight login ADDRESS makes one",
        )));
    }
    let drawing = MultiProgress::new();
    let (mut ready, mut outcomes) = (Vec::new(), Vec::new());
    let mut taken: BTreeMap<&Path, &str> = BTreeMap::new();
    for name in names {
        let bars = Bars::among(
            &drawing,
            format!("{name}: "),
            common.quiet || common.json,
            args.dry_run && !common.json,
        );
        let bars = Arc::new(bars);
        let maildir = set.profiles.get(name).and_then(|profile| profile.maildir.as_deref());
        let prepared = match maildir.and_then(|maildir| Some((maildir, taken.insert(maildir, name)?))) {
            Some((maildir, other)) => Err(anyhow!(Failure::new(
                Exit::Usage,
                format!("{} is the Maildir of the account {other:?} too", maildir.display()),
                "give each account its own",
            ))),
            None => Account::named(&set, name).and_then(|account| prepare(account, args)),
        };
        match prepared {
            Ok((job, credentials)) => ready.push((name.clone(), job, credentials, bars)),
            Err(error) => outcomes.push(Outcome::new(name.clone(), Err(error), &bars)),
        }
    }
    outcomes.extend(on_runtime(2, side_by_side(ready))?);
    outcomes.sort_by(|a, b| a.name.cmp(&b.name));
    print(&outcomes, args, common)?;
    Ok(outcomes.iter().map(|outcome| outcome.exit).fold(Exit::Done, Exit::worse))
}

/// What can be known before anything is asked of a server.
fn prepare(account: Account, args: &Sync) -> Result<(Job, Credentials)> {
    let job = Job::new(account.among_others(), args)?;
    job.account.check()?;
    let credentials = job.account.credentials()?;
    Ok((job, credentials))
}

async fn side_by_side(ready: Vec<(String, Job, Credentials, Arc<Bars>)>) -> Result<Vec<Outcome>> {
    let places = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let ledger = Ledger::new("watertight");
    let mut running = JoinSet::new();
    for (name, job, credentials, bars) in ready {
        let (places, ledger) = (Arc::clone(&places), ledger.clone());
        running.spawn(async move {
            let result = job.run(&credentials, &bars, &ledger, &places).await;
            Outcome::new(name, result, &bars)
        });
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = running.join_next().await {
        outcomes.push(outcome.context("a synchronization came to no end")?);
    }
    Ok(outcomes)
}

impl Outcome {
    /// What went wrong is told at once, in full.
    fn new(name: String, report: Result<Report>, bars: &Bars) -> Self {
        let (exit, words) = match &report {
            Ok(report) => {
                let mut words = with_folders(tally(report), bars.folders());
                if !report.left_out.is_empty() {
                    words.push_str(&format!(", {} left out", report.left_out.len()));
                }
                (exit(report), words)
            }
            Err(error) => {
                bars.line(format!("{error:#}"));
                let exit = error.downcast_ref::<Failure>().map_or(Exit::Failed, |failure| failure.exit);
                let words = if error.to_string() == STOPPED { "stopped" } else { exit.words() };
                (exit, words.to_owned())
            }
        };
        Self { name, exit, words, report }
    }

    fn json(&self) -> Result<Value> {
        let mut object = match &self.report {
            Ok(report) => serde_json::to_value(report)?,
            Err(error) => match error.downcast_ref::<Failure>() {
                Some(failure) => json!({ "error": failure.what, "cure": failure.cure }),
                None => json!({ "error": format!("{error:#}") }),
            },
        };
        if let Some(object) = object.as_object_mut() {
            object.remove("version");
            object.insert("name".to_owned(), json!(self.name));
            object.insert("exit".to_owned(), json!(u8::from(self.exit)));
        }
        Ok(object)
    }
}

fn print(outcomes: &[Outcome], args: &Sync, common: &Common) -> Result<()> {
    if common.json {
        let accounts = outcomes.iter().map(Outcome::json).collect::<Result<Vec<_>>>()?;
        say!("{}", json!({ "version": 1, "accounts": accounts }));
        return Ok(());
    }
    if common.quiet {
        return Ok(());
    }
    let head = if args.dry_run { "would do" } else { "done" };
    let mut rows = vec![["account", head, "folders", "received", "time"].map(str::to_owned)];
    rows.extend(outcomes.iter().map(|outcome| {
        let [folders, received, took] = match &outcome.report {
            Ok(report) => [
                report.folders.to_string(),
                HumanBytes(report.bytes_received).to_string(),
                time(Duration::from_secs_f64(report.seconds.max(0.0))),
            ],
            Err(_) => [String::new(), String::new(), String::new()],
        };
        [outcome.name.clone(), outcome.words.clone(), folders, received, took]
    }));
    for line in table(&rows) {
        say!("{line}");
    }
    Ok(())
}

/// Columns of the same width; the last three are numbers and end where their column ends.
fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let widths: Vec<usize> = (0..N)
        .map(|n| rows.iter().filter_map(|row| row.get(n)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).enumerate().map(|(n, (cell, &width))| {
                if n < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["account", "done", "folders"], ["täglich", "2 new", "14"]];
        let lines = table(&rows.map(|row| row.map(str::to_owned)));
        assert_eq!(lines, ["account  done   folders", "täglich  2 new       14"]);
    }
}
