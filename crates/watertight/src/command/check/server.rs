//! Where the server is: discovery, names, TLS.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use serde::Serialize;
use watertight_ledger::Ledger;
use watertight_mapi_client::{
    Certificate, Connector, Credentials, Discovered, Discovery, DiscoveryStep, Endpoint, Error, Options,
    Outcome, ReachError, TlsProbe, TrustError, probe_tls,
};

use super::super::sync::endpoint;
use super::line::{Line, Status};
use super::{Plan, Steps};
use crate::words::counted;

/// A certificate that ends sooner is worth a word.
const SOON: u64 = 14;
const DAY: u64 = 86_400;

/// Where the mailbox is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Found {
    /// The mailbox endpoint; the best first.
    pub(super) mail_store: Vec<String>,
    /// The address-book endpoint.
    pub(super) address_book: Option<String>,
    /// The user's DN.
    pub(super) user_dn: String,
    /// The user's display name.
    pub(super) display_name: Option<String>,
    /// The server's version.
    pub(super) server_version: Option<String>,
    /// Other mailboxes of the user's: what they are, and whose.
    pub(super) alternative_mailboxes: Vec<String>,
    /// The address of the public folders.
    pub(super) public_folders: Option<String>,
}

impl Found {
    fn of(found: Discovered) -> Self {
        let urls = &found.mail_store_urls;
        let mut mail_store: Vec<String> = urls.external.iter().chain(&urls.internal).cloned().collect();
        mail_store.dedup();
        let other = found.alternative_mailboxes.iter().map(|other| {
            let name = other.display_name.as_ref().or(other.smtp_address.as_ref());
            let kind = other.kind.as_deref().unwrap_or("mailbox");
            name.map_or_else(|| kind.to_owned(), |name| format!("{kind} {name}"))
        });
        Self {
            mail_store,
            address_book: found.address_book_urls.best().map(str::to_owned),
            user_dn: found.legacy_dn.clone(),
            display_name: found.display_name.clone(),
            server_version: found.server_version(),
            alternative_mailboxes: other.collect(),
            public_folders: found.public_folders.clone(),
        }
    }
}

/// Finds the mailbox: as the command line says, or by Autodiscover.
pub(super) async fn find(
    plan: &Plan,
    credentials: &Credentials,
    options: &Options,
    ledger: &Ledger,
    steps: &mut Steps<'_>,
) -> Option<Found> {
    let start = Instant::now();
    let found = match &plan.server {
        Some(server) => given(plan, server, credentials, options, ledger).await,
        None => discovered(plan, credentials, options, ledger, steps).await,
    };
    match found {
        Ok(found) => {
            let version = found.server_version.as_ref().map(|v| format!(", server version {v}"));
            let name = found.display_name.as_deref().unwrap_or(&found.user_dn);
            let detail = format!(
                "{name} at {}{}",
                found.mail_store.first().map_or("", |url| without_query(url)),
                version.unwrap_or_default()
            );
            steps.add(Line::ok("mailbox", plan.address.clone(), detail, start.elapsed()));
            for other in &found.alternative_mailboxes {
                steps.add(Line::ok("mailbox", other.clone(), "may be opened too", Duration::ZERO));
            }
            Some(found)
        }
        Err(error) => {
            steps.add(Line::failed("discovery", plan.address.clone(), &error, plan, start.elapsed()));
            None
        }
    }
}

async fn discovered(
    plan: &Plan,
    credentials: &Credentials,
    options: &Options,
    ledger: &Ledger,
    steps: &mut Steps<'_>,
) -> Result<Found, Error> {
    // The steps are shown when all are done: each takes no longer than a few seconds.
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let result = Discovery::new(credentials, options, ledger)
        .confirm(plan.confirm.clone())
        .on_step(move |step| keep.lock().unwrap_or_else(PoisonError::into_inner).push(step.clone()))
        .run(&plan.address)
        .await;
    for step in seen.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        steps.add(line(&step));
    }
    result.map(Found::of)
}

fn line(step: &DiscoveryStep) -> Line {
    let text = step.outcome.to_string();
    let status = match step.outcome {
        Outcome::Settings | Outcome::Elsewhere(_) | Outcome::Address(_) => Status::Ok,
        // Whatever failed: the end of discovery says what matters.
        _ => Status::Nothing,
    };
    let detail = text.split("; ").next().unwrap_or_default();
    Line { status, ..Line::ok("discovery", format!("{} {}", step.way.as_str(), step.url), detail, step.took) }
}

/// With --server: the DN comes from the command line too, or from Autodiscover on that server.
async fn given(
    plan: &Plan,
    server: &str,
    credentials: &Credentials,
    options: &Options,
    ledger: &Ledger,
) -> Result<Found, Error> {
    let endpoint = endpoint_of(server, &plan.address)?;
    let url = url(&endpoint);
    if let Some(dn) = &plan.user_dn {
        return Ok(Found { mail_store: vec![url], user_dn: dn.clone(), ..Found::default() });
    }
    let connector = Connector::new(endpoint, credentials, options.clone(), ledger)?;
    let address = &plan.address;
    let address = if address.contains('@') {
        address.clone()
    } else {
        format!("{address}@{}", connector.endpoint().host())
    };
    let mut found = Found::of(connector.discover(&address).await?);
    found.mail_store = vec![url];
    Ok(found)
}

fn endpoint_of(server: &str, user: &str) -> Result<Endpoint, Error> {
    Endpoint::parse(server)?;
    // It can be read: the same again, with the path where there was none.
    endpoint(server, user).map_or_else(|_| Endpoint::parse(server).map_err(Error::from), Ok)
}

fn url(endpoint: &Endpoint) -> String {
    let scheme = if endpoint.tls() { "https" } else { "http" };
    format!("{scheme}://{}{}", endpoint.address(), endpoint.target())
}

pub(super) fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// The first endpoint that can be reached, by name, TCP and TLS.
pub(super) async fn reach(
    plan: &Plan,
    found: &Found,
    options: &Options,
    ledger: &Ledger,
    steps: &mut Steps<'_>,
) -> Option<Endpoint> {
    let last = found.mail_store.len().saturating_sub(1);
    for (n, url) in found.mail_store.iter().enumerate() {
        let endpoint = match Endpoint::parse(url) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                steps.add(Line::failed("server", url.clone(), &error.into(), plan, Duration::ZERO));
                continue;
            }
        };
        let mut lines = Vec::new();
        let reached = reached(plan, &endpoint, options, ledger, &mut lines).await;
        for mut line in lines {
            // Another endpoint follows.
            if !reached && n < last && line.status == Status::Failed {
                line.status = Status::Nothing;
            }
            steps.add(line);
        }
        if reached {
            return Some(endpoint);
        }
    }
    None
}

async fn reached(
    plan: &Plan,
    endpoint: &Endpoint,
    options: &Options,
    ledger: &Ledger,
    lines: &mut Vec<Line>,
) -> bool {
    let start = Instant::now();
    let host = endpoint.host();
    match options.dns.addresses(host, endpoint.port()).await {
        Ok(found) => {
            let mut found: Vec<String> = found.iter().map(|address| address.ip().to_string()).collect();
            found.dedup();
            lines.push(Line::ok("dns", host, found.join(", "), start.elapsed()));
        }
        Err(source) => {
            let error = ReachError::Resolve { host: host.to_owned(), source }.into();
            lines.push(Line::failed("dns", host, &error, plan, start.elapsed()));
            return false;
        }
    }
    if !endpoint.tls() {
        let detail = "no TLS: the server is this machine itself";
        lines.push(Line::nothing("tls", endpoint.address(), detail, Duration::ZERO));
        return true;
    }
    let probe = match probe_tls(endpoint, options, ledger).await {
        Ok(probe) => probe,
        Err(error) => {
            lines.push(Line::failed("tls", endpoint.address(), &error, plan, Duration::ZERO));
            return false;
        }
    };
    lines.push(tls(plan, endpoint, &probe));
    probe.error.is_none()
}

fn tls(plan: &Plan, endpoint: &Endpoint, probe: &TlsProbe) -> Line {
    let shown = probe.certificate.as_ref().map(described);
    match &probe.error {
        None => {
            let version = probe.version.unwrap_or("TLS");
            let detail = shown.map_or_else(|| version.to_owned(), |shown| format!("{version}, {shown}"));
            let mut line = Line::ok("tls", endpoint.address(), detail, probe.took);
            let left = probe.certificate.as_ref().and_then(|c| days_left(c.not_after));
            if left.is_some_and(|left| left < SOON) {
                line.cure = Some("have the certificate renewed soon".to_owned());
            }
            line
        }
        Some(error) => {
            let mut line = Line::failed("tls", endpoint.address(), error, plan, probe.took);
            if let (Error::Trust(_), Some(shown)) = (error, shown) {
                line.detail = format!("{}: {shown}", line.detail);
            }
            if let (Error::Trust(TrustError::WrongName { .. }), Some(name)) =
                (error, probe.certificate.as_ref().and_then(|c| c.names.iter().find(|n| !n.starts_with('*'))))
            {
                line.cure = Some(format!(
                    "if {name} is the right server: watertight check {} --server https://{name}; else have a \
                     certificate made out for {}",
                    plan.address,
                    endpoint.host()
                ));
            }
            line
        }
    }
}

fn described(certificate: &Certificate) -> String {
    let names = if certificate.names.is_empty() { "nobody".to_owned() } else { certificate.names.join(", ") };
    let day = |time: SystemTime| {
        Timestamp::try_from(time).map_or_else(|_| "?".to_owned(), |t| t.strftime("%Y-%m-%d").to_string())
    };
    let until = match days_left(certificate.not_after) {
        Some(left) => format!("valid until {} ({} left)", day(certificate.not_after), counted(left, "day")),
        None => format!("expired on {}", day(certificate.not_after)),
    };
    let since = if SystemTime::now() < certificate.not_before {
        format!("valid only from {}, ", day(certificate.not_before))
    } else {
        String::new()
    };
    format!("certificate for {names}, signed by {}, {since}{until}", certificate.issuer)
}

fn days_left(until: SystemTime) -> Option<u64> {
    until.duration_since(SystemTime::now()).ok().map(|left| left.as_secs() / DAY)
}
