//! The way from an address to the user's settings — [MS-OXDISCO] 3.1.5.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use watertight_ledger::Ledger;

use super::dns::in_order;
use super::document::Document;
use super::found::Discovered;
use super::plain;
use super::realm::{ConfirmHop, Hop, HopReason, Realm};
use super::step::{DiscoveryStep, Outcome, Report, Way};
use super::{Answer, Signed, TARGET};
use crate::connector::Connector;
use crate::endpoint::Endpoint;
use crate::error::{DiscoveryError, Error, ReachError, SetupError, SignInError};
use crate::options::Options;
use crate::sign_in::Credentials;

/// URLs that are asked for one user, however they lead to each other.
const MAX_URLS: usize = 16;
/// Addresses that are asked for, however servers send the client from one to the other.
const MAX_ADDRESSES: usize = 4;
/// SRV records that are followed.
const MAX_SERVICES: usize = 3;
/// For the connection to a host that may well not be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For the next bytes of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Finds the mailbox of an address.
///
/// The ways are tried in the order of [MS-OXDISCO]: `https://DOMAIN/autodiscover/autodiscover.xml`, the same at
/// `autodiscover.DOMAIN`, the redirection of a plain http request to `autodiscover.DOMAIN`, the SRV record
/// `_autodiscover._tcp.DOMAIN`. Each host is first asked without name and password; they are sent only to one that
/// asks for them, over https with a valid certificate, and only when it belongs to the domain of the address or was
/// confirmed ([`Discovery::confirm`]).
#[derive(Debug)]
pub struct Discovery<'a> {
    credentials: &'a Credentials,
    options: Options,
    ledger: &'a Ledger,
    confirm: ConfirmHop,
    report: Report,
}

impl<'a> Discovery<'a> {
    /// With these credentials; no host outside the domain of the address is asked.
    #[must_use]
    pub fn new(credentials: &'a Credentials, options: &Options, ledger: &'a Ledger) -> Self {
        let options = Options {
            connect_timeout: options.connect_timeout.min(CONNECT_TIMEOUT),
            read_timeout: options.read_timeout.min(READ_TIMEOUT),
            ..options.clone()
        };
        Self { credentials, options, ledger, confirm: ConfirmHop::never(), report: Report::new(|_| ()) }
    }

    /// Who says whether a doubtful host may be asked.
    #[must_use]
    pub fn confirm(mut self, confirm: ConfirmHop) -> Self {
        self.confirm = confirm;
        self
    }

    /// Who hears of each step.
    #[must_use]
    pub fn on_step(mut self, report: impl Fn(&DiscoveryStep) + Send + Sync + 'static) -> Self {
        self.report = Report::new(report);
        self
    }

    /// Finds the user's settings, with the URL of the mailbox endpoint.
    ///
    /// # Errors
    /// Of all that the ways met, what matters most to the person: a refused sign-in, a host that was not confirmed,
    /// an address that a server does not know, a certificate; [`DiscoveryError::Nowhere`] when nobody answered.
    pub async fn run(&self, address: &str) -> Result<Discovered, Error> {
        let domain = domain(address)?;
        let mut walk = Walk {
            discovery: self,
            realm: Realm::of(&domain),
            asked: BTreeSet::new(),
            tried: Vec::new(),
            worst: None,
        };
        let mut address = address.trim().to_owned();
        let mut addresses = BTreeSet::new();
        while addresses.len() < MAX_ADDRESSES && addresses.insert(address.to_ascii_lowercase()) {
            match walk.of(&address).await? {
                Next::Settings(found) => return walk.accepted(*found, &address),
                Next::Address(other) => address = other,
            }
        }
        let why = "it sends the client from one address to the next and never says where the mailbox is";
        Err(DiscoveryError::Redirect { host: domain, why: why.to_owned() }.into())
    }
}

/// The domain of an address, as DNS has it.
fn domain(address: &str) -> Result<String, Error> {
    let bad = || Error::from(SetupError::Address(address.to_owned()));
    let (user, domain) = address.trim().rsplit_once('@').ok_or_else(bad)?;
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    let domain = idna::domain_to_ascii(domain).map_err(|_| bad())?;
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let named = domain.len() <= 253 && domain.split('.').all(label);
    if user.is_empty() || !address.trim().chars().all(plain) || !named { Err(bad()) } else { Ok(domain) }
}

enum Next {
    Settings(Box<Discovered>),
    Address(String),
}

/// A URL that is to be asked, and who named it.
struct Candidate {
    way: Way,
    endpoint: Endpoint,
    from: String,
    insecure: bool,
}

struct Walk<'d> {
    discovery: &'d Discovery<'d>,
    realm: Realm,
    /// URL and address.
    asked: BTreeSet<(String, String)>,
    tried: Vec<String>,
    /// The error that matters most so far.
    worst: Option<(u8, Error)>,
}

impl Walk<'_> {
    /// Tries every way for an address.
    async fn of(&mut self, address: &str) -> Result<Next, Error> {
        let domain = domain(address)?;
        let host = format!("autodiscover.{domain}");
        for host in [&domain, &host] {
            let endpoint = Endpoint::parse(&format!("https://{host}{TARGET}"))?;
            let from = "the address".to_owned();
            let first = Candidate { way: Way::WellKnown, endpoint, from, insecure: false };
            if let Some(next) = self.follow(first, address).await {
                return Ok(next);
            }
        }
        if let Some(first) = self.plain(&host).await
            && let Some(next) = self.follow(first, address).await
        {
            return Ok(next);
        }
        for first in self.services(&domain).await {
            if let Some(next) = self.follow(first, address).await {
                return Ok(next);
            }
        }
        Err(match self.worst.take() {
            Some((_, error)) => error,
            None => {
                let tried = self.tried.join("\n  ");
                DiscoveryError::Nowhere { address: address.to_owned(), domain, tried }.into()
            }
        })
    }

    /// Asks a URL, and those that it leads to.
    async fn follow(&mut self, first: Candidate, address: &str) -> Option<Next> {
        let mut next = first;
        loop {
            let Candidate { way, endpoint, from, insecure } = next;
            let url = endpoint.to_string();
            let whole = format!("{}://{}{}", url.split(':').next()?, endpoint.address(), endpoint.target());
            let again = !self.asked.insert((whole, address.to_ascii_lowercase()));
            if (again && way != Way::Followed) || self.asked.len() > MAX_URLS {
                // It was asked before, and its answer was no use.
                return None;
            }
            let host = endpoint.host().to_owned();
            if again {
                let why = "it sends the client in a circle".to_owned();
                self.failed(way, url, Duration::ZERO, DiscoveryError::Redirect { host, why }.into());
                return None;
            }
            if let Err(hop) = self.allowed(&host, from, insecure, address) {
                let outcome = Outcome::Declined(host);
                self.discovery.report.step(&DiscoveryStep { way, url, outcome, took: Duration::ZERO });
                self.matters(Error::from(DiscoveryError::Unconfirmed(Box::new(hop))));
                return None;
            }
            let start = Instant::now();
            let answer = self.discovery.ask(&endpoint, address).await;
            let took = start.elapsed();
            let to = match answer {
                Ok(Answer::Document(Document::Settings(found))) => {
                    if found.mail_store.is_none() {
                        self.failed(way, url, took, DiscoveryError::NoMapiHttp { host }.into());
                        return None;
                    }
                    self.step(way, url, Outcome::Settings, took);
                    return Some(Next::Settings(found));
                }
                Ok(Answer::Document(Document::Address(other))) => {
                    self.step(way, url, Outcome::Address(other.clone()), took);
                    return Some(Next::Address(other));
                }
                Ok(Answer::Document(document)) => match document.elsewhere(&host, address) {
                    Ok(to) => to,
                    Err(error) => {
                        self.failed(way, url, took, error.into());
                        return None;
                    }
                },
                Ok(Answer::Elsewhere(to)) => to,
                Ok(Answer::SignIn(error)) => {
                    self.failed(way, url, took, error.into());
                    return None;
                }
                Err(error) => {
                    self.failed(way, url, took, error);
                    return None;
                }
            };
            match secure(&endpoint, &to) {
                Ok(to) => {
                    self.step(way, url.clone(), Outcome::Elsewhere(to.to_string()), took);
                    next = Candidate { way: Way::Followed, endpoint: to, from: url, insecure: false };
                }
                Err(error) => {
                    self.failed(way, url, took, error);
                    return None;
                }
            }
        }
    }

    /// Where plain http leads.
    async fn plain(&mut self, host: &str) -> Option<Candidate> {
        let Discovery { options, ledger, .. } = self.discovery;
        let url = format!("http://{host}{TARGET}");
        let kind = ledger.child("client").kind("connections");
        let start = Instant::now();
        let answer = plain::redirection(host, &*options.dns, options.connect_timeout, &kind).await;
        let took = start.elapsed();
        let to = match answer {
            Ok(Some(to)) => to,
            Ok(None) => {
                self.step(Way::PlainRedirect, url, Outcome::Nothing("no redirection there".to_owned()), took);
                return None;
            }
            Err(error) => {
                self.failed(Way::PlainRedirect, url, took, error);
                return None;
            }
        };
        let endpoint = Endpoint::parse(&to).ok().filter(Endpoint::tls);
        let Some(endpoint) = endpoint else {
            let why = "from http to something that is not https".to_owned();
            let error = DiscoveryError::Redirect { host: host.to_owned(), why };
            self.failed(Way::PlainRedirect, url, took, error.into());
            return None;
        };
        self.step(Way::PlainRedirect, url.clone(), Outcome::Elsewhere(endpoint.to_string()), took);
        Some(Candidate { way: Way::Followed, endpoint, from: url, insecure: true })
    }

    /// Where the SRV record leads.
    async fn services(&mut self, domain: &str) -> Vec<Candidate> {
        let name = format!("_autodiscover._tcp.{domain}");
        let start = Instant::now();
        let dns = &self.discovery.options.dns;
        let asked = tokio::time::timeout(self.discovery.options.connect_timeout, dns.services(&name)).await;
        let took = start.elapsed();
        let found = match asked {
            Ok(Ok(found)) => in_order(found),
            Ok(Err(error)) => {
                self.step(Way::Service, name, Outcome::Failed(format!("no answer from DNS: {error}")), took);
                return Vec::new();
            }
            Err(_) => {
                self.step(Way::Service, name, Outcome::Failed("no answer from DNS in time".to_owned()), took);
                return Vec::new();
            }
        };
        if found.is_empty() {
            self.step(Way::Service, name, Outcome::Nothing("no such record".to_owned()), took);
            return Vec::new();
        }
        let mut candidates = Vec::new();
        for service in found.into_iter().take(MAX_SERVICES) {
            let url = format!("https://{}:{}{TARGET}", service.target, service.port);
            if let Ok(endpoint) = Endpoint::parse(&url) {
                let outcome = Outcome::Elsewhere(endpoint.to_string());
                self.step(Way::Service, name.clone(), outcome, took);
                let from = format!("the SRV record {name}");
                candidates.push(Candidate { way: Way::Followed, endpoint, from, insecure: true });
            }
        }
        candidates
    }

    /// Whether a host may be asked, with the password.
    fn allowed(&mut self, host: &str, from: String, insecure: bool, address: &str) -> Result<(), Hop> {
        // Whoever names the hosts that are asked anyway gains nothing by it.
        let usual = domain(address).is_ok_and(|domain| {
            host.strip_prefix("autodiscover.").unwrap_or(host).eq_ignore_ascii_case(&domain)
        });
        let why = match (self.realm.covers(host), insecure) {
            (false, _) => HopReason::OtherDomain,
            (true, true) if !usual && !self.realm.names(host) => HopReason::Insecure,
            (true, _) => return Ok(()),
        };
        let hop = Hop { host: host.to_owned(), address: address.to_owned(), from, why };
        if !self.discovery.confirm.ask(&hop) {
            return Err(hop);
        }
        self.realm.add(host);
        Ok(())
    }

    /// The settings, when the password may go to the server that they name.
    fn accepted(&mut self, found: Discovered, address: &str) -> Result<Discovered, Error> {
        let url = found.mail_store.as_deref().unwrap_or_default();
        let endpoint = Endpoint::parse(url)?;
        if !endpoint.tls() {
            return Err(SetupError::PlainHttp { host: endpoint.host().to_owned() }.into());
        }
        let from = "Autodiscover".to_owned();
        match self.allowed(endpoint.host(), from, false, address) {
            Ok(()) => Ok(found),
            Err(hop) => Err(DiscoveryError::Unconfirmed(Box::new(hop)).into()),
        }
    }

    fn step(&mut self, way: Way, url: String, outcome: Outcome, took: Duration) {
        if matches!(outcome, Outcome::Nothing(_) | Outcome::Failed(_)) {
            self.tried.push(format!("{url}: {outcome}"));
        }
        self.discovery.report.step(&DiscoveryStep { way, url, outcome, took });
    }

    fn failed(&mut self, way: Way, url: String, took: Duration, error: Error) {
        let outcome = match &error {
            // The way may well not be there: no fault, and nothing to cure.
            Error::Discovery(DiscoveryError::Unusable { why, .. }) => Outcome::Nothing(why.clone()),
            Error::Reach(ReachError::Resolve { .. }) => Outcome::Nothing("there is no such host".to_owned()),
            error => Outcome::Failed(error.to_string()),
        };
        self.step(way, url, outcome, took);
        self.matters(error);
    }

    /// Keeps the error that matters most to the person; of two alike the first.
    fn matters(&mut self, error: Error) {
        let weight = match &error {
            Error::SignIn(_) => 6,
            Error::Discovery(DiscoveryError::Unknown { .. } | DiscoveryError::NoMapiHttp { .. }) => 5,
            Error::Discovery(DiscoveryError::Unconfirmed(_)) => 4,
            Error::Busy { .. } => 3,
            // The web server of a domain often has nothing to do with its mail.
            Error::Trust(_) | Error::Discovery(DiscoveryError::Redirect { .. }) => 2,
            _ => return,
        };
        if self.worst.as_ref().is_none_or(|(worst, _)| weight > *worst) {
            self.worst = Some((weight, error));
        }
    }
}

impl Discovery<'_> {
    /// Asks without credentials; with them when the host wants them.
    async fn ask(&self, endpoint: &Endpoint, address: &str) -> Result<Answer, Error> {
        let connector =
            Connector::new(endpoint.clone(), self.credentials, self.options.clone(), self.ledger)?;
        match connector.ask(endpoint, address, Signed::No).await? {
            Answer::SignIn(SignInError::Forbidden) => {
                let why = "HTTP status 403".to_owned();
                Err(DiscoveryError::Unusable { host: endpoint.host().to_owned(), why }.into())
            }
            Answer::SignIn(_) => connector.ask(endpoint, address, Signed::Yes).await,
            answer => Ok(answer),
        }
    }
}

impl Document {
    /// Where a document leads that is neither settings nor another address.
    fn elsewhere(self, host: &str, address: &str) -> Result<String, DiscoveryError> {
        let host = host.to_owned();
        match self {
            Self::Url(url) => Ok(url),
            // 404: gromox 3.10; 500: the document — [MS-OXDSCLI] 2.2.4.1.1.1.
            Self::Error { code: code @ (404 | 500), message } => {
                Err(DiscoveryError::Unknown { host, address: address.to_owned(), code, message })
            }
            Self::Error { code, message } => {
                Err(DiscoveryError::Unusable { host, why: format!("code {code}: {message}") })
            }
            Self::Other(why) => Err(DiscoveryError::Unusable { host, why }),
            Self::Settings(_) | Self::Address(_) => {
                Err(DiscoveryError::Unusable { host, why: "its answer leads nowhere".to_owned() })
            }
        }
    }
}

/// Where a redirection of an https host leads: to https, and nothing else.
fn secure(from: &Endpoint, to: &str) -> Result<Endpoint, Error> {
    let bad = |why: String| Error::from(DiscoveryError::Redirect { host: from.host().to_owned(), why });
    if to.starts_with('/') && !to.starts_with("//") {
        return Ok(from.with_target(to));
    }
    let endpoint = Endpoint::parse(to).map_err(|e| bad(e.to_string()))?;
    if endpoint.tls() { Ok(endpoint) } else { Err(bad("from https to http".to_owned())) }
}
