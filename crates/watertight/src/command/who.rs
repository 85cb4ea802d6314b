//! `watertight who`: the address book.

use anyhow::{Result, anyhow};
use serde_json::{Value, json};
use watertight_ledger::Ledger;
use watertight_mapi_client::{AddressBook, BookEntry, ConfirmHop, Credentials, Error, Resolved, Search};

use super::account::{Account, profiles, wrong};
use super::on_runtime;
use crate::cli::{Common, Who};
use crate::exit::{Exit, Failure};
use crate::out::say;

/// Runs the command.
pub fn run(args: &Who, common: &Common) -> Result<Exit> {
    let name = args.name.trim();
    if name.trim_start_matches('=').is_empty() || name.chars().any(char::is_control) {
        return Err(anyhow!(Failure::usage("give a name, an address, or the beginning of one")));
    }
    let account = account(args)?;
    account.check()?;
    let credentials = account.credentials()?;
    let ledger = Ledger::new("watertight");
    let found = on_runtime(1, find(&account, &credentials, name, args.most, &ledger))?;
    if common.json {
        print_json(name, &found);
    } else {
        print(&found);
    }
    if found.too_many {
        let what = format!("more than {} have {name:?}", args.most);
        return Err(anyhow!(Failure::new(Exit::Partial, what, "give more of the name, or --most N")));
    }
    if found.entries.is_empty() {
        let what = format!("nobody in the address book has {name:?}");
        return Err(anyhow!(Failure::new(Exit::Failed, what, "try less of the name, or another spelling")));
    }
    Ok(Exit::Done)
}

/// The account that the command line says: by its name, by a server and a user, or the default one.
fn account(args: &Who) -> Result<Account> {
    if args.account.is_none() && args.access.server.is_some() {
        return Ok(Account::of_line(&args.access));
    }
    let set = profiles(args.config.as_deref())?.read().map_err(wrong)?;
    let Some(name) = args.account.as_ref().or(set.default.as_ref()) else {
        return Err(anyhow!(Failure::new(
            Exit::Usage,
            "whose server to ask was not said",
            "give an ACCOUNT after the name (watertight login ADDRESS makes one), or --server and --user",
        )));
    };
    Ok(Account::named(&set, name)?.over(&args.access))
}

async fn find(
    account: &Account,
    credentials: &Credentials,
    name: &str,
    most: u32,
    ledger: &Ledger,
) -> Result<Search> {
    let failed = |error: Error| account.failed(&error);
    let (account, url) = match (&account.profile.server, &account.profile.address) {
        (None, Some(address)) => {
            let found = account.discover(address, credentials, ConfirmHop::never(), ledger).await;
            let found = found.map_err(failed)?;
            let mut located = account.clone();
            located.profile.server = found.mail_store;
            (located, found.address_book_urls.best().map(str::to_owned))
        }
        _ => (account.clone(), None),
    };
    let connector = account.book(url.as_deref(), credentials, ledger).map_err(failed)?;
    let mut book = AddressBook::bind(&connector).await.map_err(failed)?;
    let found = look_up(&mut book, name, most).await;
    if let Err(error) = book.close().await {
        tracing::debug!(%error, "the address book was not unbound");
    }
    connector.idle().await;
    found.map_err(failed)
}

/// The one who has the name; else all whose names begin so.
async fn look_up(book: &mut AddressBook, name: &str, most: u32) -> Result<Search, Error> {
    let resolved = match book.resolve(&[name]).await {
        Ok(mut resolved) => resolved.pop(),
        // Not every server resolves every name.
        Err(Error::Refused { .. }) => None,
        Err(error) => return Err(error),
    };
    match resolved {
        Some(Resolved::One(entry)) => {
            let mut search = Search::default();
            search.entries.push(*entry);
            Ok(search)
        }
        _ if name.starts_with('=') => Ok(Search::default()),
        _ => book.search(name, most).await,
    }
}

fn print(found: &Search) {
    type Column = (&'static str, fn(&BookEntry) -> Option<&str>);
    const COLUMNS: [Column; 6] = [
        ("Name", |entry| Some(&entry.display_name)),
        ("Address", |entry| entry.address.as_deref()),
        ("Title", |entry| entry.title.as_deref()),
        ("Department", |entry| entry.department.as_deref()),
        ("Office", |entry| entry.office.as_deref()),
        ("Phone", |entry| entry.phone.as_deref().or(entry.mobile.as_deref())),
    ];
    let cells = |column: fn(&BookEntry) -> Option<&str>| -> Vec<String> {
        found.entries.iter().map(|entry| shown(column(entry).unwrap_or_default())).collect()
    };
    // What nobody has is not shown.
    let columns: Vec<(&str, Vec<String>)> = COLUMNS
        .into_iter()
        .map(|(title, column)| (title, cells(column)))
        .filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()))
        .collect();
    let width = |title: &str, cells: &[String]| {
        let widest = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(title.chars().count())
    };
    let line = |row: &dyn Fn(&str, &[String]) -> String| {
        let padded: Vec<_> = columns
            .iter()
            .map(|(title, cells)| format!("{:<width$}", row(title, cells), width = width(title, cells)))
            .collect();
        say!("{}", padded.join("  ").trim_end());
    };
    if columns.is_empty() {
        return;
    }
    line(&|title, _| title.to_owned());
    for at in 0..found.entries.len() {
        line(&|_, cells| cells.get(at).cloned().unwrap_or_default());
    }
}

/// What a server says is not let loose on a terminal.
fn shown(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn print_json(name: &str, found: &Search) {
    let entries: Vec<Value> = found
        .entries
        .iter()
        .map(|entry| {
            json!({
                "name": entry.display_name,
                "address": entry.address,
                "account": entry.account,
                "dn": entry.dn,
                "title": entry.title,
                "department": entry.department,
                "company": entry.company,
                "office": entry.office,
                "phone": entry.phone,
                "mobile": entry.mobile,
                "list": entry.display_type == Some(1),
            })
        })
        .collect();
    say!("{}", json!({ "version": 1, "asked": name, "entries": entries, "too_many": found.too_many }));
}
