//! Into the mailbox: each way to sign in, Connect, Logon, size, quota, a synchronization.

use std::time::{Duration, Instant};

use indicatif::HumanBytes;
use watertight_ledger::Ledger;
use watertight_mapi::ics::State;
use watertight_mapi::ics::syntactical::Event;
use watertight_mapi::prop::{PropBag, PropId, PropType, PropValue, tags};
use watertight_mapi::{Fid, PropTag};
use watertight_mapi_client::{
    Connector, Credentials, Depth, Endpoint, Error, Logon, Options, Scheme, Session, SignIn, SignInError,
    SyncOptions, View,
};

use super::line::{Line, Status};
use super::server::Found;
use super::{Plan, Steps};
use crate::words::counted;

/// Folders that are looked at.
const MAX_FOLDERS: usize = 10_000;
/// PidTagStorageQuotaLimit, PidTagProhibitSendQuota, PidTagProhibitReceiveQuota, in KiB — [MS-OXCSTOR] 2.2.2.1.1.
const WARN_QUOTA: PropTag = PropTag::new(PropId(0x3FF5), PropType::I32);
const SEND_QUOTA: PropTag = PropTag::new(PropId(0x666E), PropType::I32);
const RECEIVE_QUOTA: PropTag = PropTag::new(PropId(0x666A), PropType::I32);

/// Checks all that needs the mailbox.
pub(super) async fn check(
    plan: &Plan,
    found: &Found,
    endpoint: Endpoint,
    credentials: &Credentials,
    options: &Options,
    ledger: &Ledger,
    steps: &mut Steps<'_>,
) {
    let connector = |sign_in: SignIn| {
        let options = Options { sign_in, ..options.clone() };
        Connector::new(endpoint.clone(), credentials, options, ledger)
    };
    let start = Instant::now();
    let offered = match connector(options.sign_in) {
        Ok(connector) => connector.offered().await,
        Err(error) => Err(error),
    };
    let schemes: Vec<SignIn> = match offered {
        Ok(offered) => {
            let names: Vec<_> = offered.iter().map(|scheme| scheme.name()).collect();
            let names =
                if names.is_empty() { "nothing, and lets everybody in".into() } else { names.join(", ") };
            steps.add(Line::ok("sign-in", "offered", names, start.elapsed()));
            offered.into_iter().map(SignIn::from).collect()
        }
        Err(error) => {
            steps.add(Line::failed("sign-in", "offered", &error, plan, start.elapsed()));
            return;
        }
    };
    let wanted = |way: &SignIn| options.sign_in == SignIn::Auto || options.sign_in == *way;
    let schemes: Vec<SignIn> = schemes.into_iter().filter(wanted).collect();
    let schemes = if schemes.is_empty() { vec![options.sign_in] } else { schemes };
    let Some((connector, session)) = signed_in(plan, found, &schemes, &connector, steps).await else {
        return;
    };
    logged_on(plan, found, &session, steps).await;
    let start = Instant::now();
    if let Err(error) = session.disconnect().await {
        steps.add(Line::failed("connect", "Disconnect", &error, plan, start.elapsed()));
    }
    connector.idle().await;
}

/// Tries every way to sign in; the session of the first that works, which is the strongest.
async fn signed_in(
    plan: &Plan,
    found: &Found,
    schemes: &[SignIn],
    connector: &dyn Fn(SignIn) -> Result<Connector, Error>,
    steps: &mut Steps<'_>,
) -> Option<(Connector, Session)> {
    let mut good = None;
    let mut failures = Vec::new();
    let mut wrong = false;
    for scheme in schemes {
        let name = scheme.scheme().map_or("any", Scheme::name);
        if wrong {
            // Each try counts, and too many lock the account.
            let detail = "not tried: the password was refused";
            steps.add(Line::nothing("sign-in", name, detail, Duration::ZERO));
            continue;
        }
        let start = Instant::now();
        let connected = match connector(*scheme) {
            Ok(connector) => {
                let session = connector.connect(&found.user_dn).await;
                if session.is_err() {
                    connector.idle().await;
                }
                session.map(|session| (connector, session))
            }
            Err(error) => Err(error),
        };
        let took = start.elapsed();
        match connected {
            Ok((connector, session)) => {
                steps.add(Line::ok("sign-in", name, format!("as {}", plan.user), took));
                match good {
                    None => good = Some((connector, session, took)),
                    Some(_) => {
                        // What it says about its end belongs to the session that is kept.
                        let _ = session.disconnect().await;
                        connector.idle().await;
                    }
                }
            }
            Err(error) => {
                wrong = matches!(
                    error,
                    Error::SignIn(
                        SignInError::Credentials | SignInError::PasswordExpired | SignInError::Locked
                    )
                );
                let step =
                    if matches!(error, Error::SignIn(_) | Error::Setup(_)) { "sign-in" } else { "connect" };
                failures.push(Line::failed(step, name, &error, plan, took));
            }
        }
    }
    for mut line in failures {
        if good.is_some() {
            line.status = Status::Nothing;
        }
        steps.add(line);
    }
    let (connector, session, took) = good?;
    let info = session.info();
    let server = info.server_application.as_deref().unwrap_or("a server that does not say its version");
    steps.add(Line::ok("connect", "Connect", format!("{server}, as {}", info.display_name), took));
    Some((connector, session))
}

async fn logged_on(plan: &Plan, found: &Found, session: &Session, steps: &mut Steps<'_>) {
    let start = Instant::now();
    let logon = match session.logon(&found.user_dn).await {
        Ok(logon) => logon,
        Err(error) => {
            steps.add(Line::failed("logon", "RopLogon", &error, plan, start.elapsed()));
            return;
        }
    };
    let mailbox = format!("mailbox {}", logon.mailbox_guid());
    steps.add(Line::ok("logon", "RopLogon", mailbox, start.elapsed()));
    let start = Instant::now();
    let folders = match folders(&logon).await {
        Ok(folders) => folders,
        Err(error) => {
            steps.add(Line::failed("size", "folders", &error, plan, start.elapsed()));
            return;
        }
    };
    let messages: u64 = folders.iter().map(|folder| folder.messages).sum();
    let sum = folders.iter().map(|folder| folder.bytes).sum();
    let props = logon.props(&[tags::MESSAGE_SIZE_EXTENDED, WARN_QUOTA, SEND_QUOTA, RECEIVE_QUOTA]).await;
    let props = props.unwrap_or_default();
    let size = long(&props, tags::MESSAGE_SIZE_EXTENDED).filter(|size| *size > 0).unwrap_or(sum);
    let detail = format!(
        "{}, {}, {}",
        counted(messages, "message"),
        counted(folders.len(), "folder"),
        HumanBytes(size)
    );
    steps.add(Line::ok("size", "mailbox", detail, start.elapsed()));
    steps.add(quota(&props, size));
    steps.add(synchronized(plan, &logon, &folders).await);
}

/// A folder, as far as it matters here.
struct Seen {
    id: Fid,
    name: String,
    messages: u64,
    bytes: u64,
}

async fn folders(logon: &Logon) -> Result<Vec<Seen>, Error> {
    let columns = [tags::FOLDER_ID, tags::DISPLAY_NAME, tags::CONTENT_COUNT, tags::MESSAGE_SIZE_EXTENDED];
    let root = logon.ipm_subtree().await?;
    let mut table = root.hierarchy_table(Depth::All, &View::of(&columns)).await?;
    let rows = table.all_rows(MAX_FOLDERS).await?;
    let seen = rows.iter().filter_map(|row| {
        Some(Seen {
            id: Fid::from_u64(long(row, tags::FOLDER_ID)?),
            name: row.text(tags::DISPLAY_NAME).unwrap_or("?").to_owned(),
            messages: row.int(tags::CONTENT_COUNT).and_then(|n| u64::try_from(n).ok()).unwrap_or_default(),
            bytes: long(row, tags::MESSAGE_SIZE_EXTENDED).unwrap_or_default(),
        })
    });
    Ok(seen.collect())
}

fn long(props: &PropBag, tag: PropTag) -> Option<u64> {
    match props.get(tag)? {
        PropValue::I64(n) => Some(n.cast_unsigned()),
        _ => None,
    }
}

/// What the mailbox may hold, and what is over.
fn quota(props: &PropBag, size: u64) -> Line {
    let limit = |tag| {
        let kib = props.int(tag).and_then(|kib| u64::try_from(kib).ok()).filter(|kib| *kib > 0)?;
        Some(kib.saturating_mul(1024))
    };
    let limits = [
        (limit(WARN_QUOTA), "warns"),
        (limit(SEND_QUOTA), "sends nothing"),
        (limit(RECEIVE_QUOTA), "takes no new mail"),
    ];
    let told: Vec<String> = limits
        .iter()
        .filter_map(|(limit, what)| Some(format!("{what} from {}", HumanBytes((*limit)?))))
        .collect();
    if told.is_empty() {
        return Line::nothing("quota", "mailbox", "the server names none", Duration::ZERO);
    }
    let mut line = Line::ok("quota", "mailbox", told.join(", "), Duration::ZERO);
    let over = limits.iter().rev().find(|(limit, _)| limit.is_some_and(|limit| size >= limit));
    if let Some((_, what)) = over {
        // Reading goes on all the same.
        line.status = Status::Nothing;
        line.detail = format!("the mailbox is over quota, so the server {what}: {}", line.detail);
        line.fault = Some("the owner of the mailbox".to_owned());
        line.cure =
            Some("delete or archive mail there, or ask for more room; watertight still reads it".to_owned());
    }
    line
}

/// A synchronization of the smallest folder that has anything in it.
async fn synchronized(plan: &Plan, logon: &Logon, folders: &[Seen]) -> Line {
    let smallest = folders.iter().filter(|f| f.messages > 0).min_by_key(|f| (f.bytes, f.messages));
    let Some(folder) = smallest.or_else(|| folders.first()) else {
        return Line::nothing("ics", "folder", "there is none", Duration::ZERO);
    };
    let start = Instant::now();
    let what = format!("folder {:?}", folder.name);
    match download(logon, folder.id).await {
        Ok((messages, bytes)) => {
            let detail = format!("{} in {}", counted(messages, "message"), HumanBytes(bytes));
            Line::ok("ics", what, detail, start.elapsed())
        }
        Err(error) => Line::failed("ics", what, &error, plan, start.elapsed()),
    }
}

async fn download(logon: &Logon, id: Fid) -> Result<(u64, u64), Error> {
    let folder = logon.open_folder(id).await?;
    let mut download = folder.sync_contents(&State::default(), &SyncOptions::default()).await?;
    let mut messages = 0_u64;
    while let Some(event) = download.next_event().await? {
        if matches!(event, Event::MessageChange(_)) {
            messages = messages.saturating_add(1);
        }
    }
    Ok((messages, download.bytes()))
}
