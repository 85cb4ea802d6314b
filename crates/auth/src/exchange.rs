//! The exchange of tokens that establishes a context.

use core::fmt;
use std::sync::Arc;
use std::time::Duration;

use watertight_ledger::{Entry, Kind, Ledger};

use crate::context::{Mechanism, Purpose, SecurityContext};
use crate::environment::{Environment, System};
use crate::kerberos::{KerberosClient, KerberosServer, KeyDistribution, Realms, Tcp};
use crate::ntlm::{NtlmClient, NtlmServer};
use crate::spnego::{SpnegoClient, SpnegoServer};
use crate::{Accounts, AuthError, BindingPolicy, ChannelBindings, Identity};

/// A longer token than this is refused unread: a Kerberos ticket with a large authorization may have 48 KiB.
pub const TOKEN_AT_MOST: usize = 64 * 1024;

/// How long a KDC of the system's `krb5.conf` has to answer.
const KDC_PATIENCE: Duration = Duration::from_secs(5);

/// Where contexts come from: it counts them, and gives them time and random numbers. Clones share the counts.
#[derive(Clone)]
pub struct Security {
    pub(crate) environment: Arc<dyn Environment>,
    key_distribution: Option<Arc<dyn KeyDistribution>>,
    exchanges: Kind,
    contexts: Kind,
}

/// The service that a client means to reach: `HTTP` on `mail.example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The class of service: `HTTP`, `RPCSS`, `host` …
    pub service: String,
    /// The host, by the name that the user gave.
    pub host: String,
}

/// The outcome of one step.
#[must_use]
pub struct Step {
    /// What must be sent to the peer, also when the exchange is over.
    pub token: Option<Vec<u8>>,
    /// The context, when the exchange is over for this side.
    pub done: Option<Box<dyn SecurityContext>>,
}

/// The side that proves its identity.
pub struct Client {
    exchange: State,
    _entry: Entry,
}

/// The side that wants to know.
pub struct Server {
    exchange: State,
    _entry: Entry,
}

/// One side of one mechanism's exchange.
pub(crate) trait Exchange: Send {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError>;
}

/// An exchange ends with its last step, and with its first error.
enum State {
    Going(Box<dyn Exchange>),
    Over,
}

impl Target {
    /// A service of a host.
    #[must_use]
    pub fn new(service: impl Into<String>, host: impl Into<String>) -> Self {
        Self { service: service.into(), host: host.into() }
    }
}

impl fmt::Display for Target {
    /// The service principal name: `HTTP/mail.example.org`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.host)
    }
}

impl Security {
    /// With the machine's clock and random numbers.
    #[must_use]
    pub fn new(ledger: &Ledger) -> Self {
        Self::with_environment(ledger, Arc::new(System))
    }

    /// With other ones, for tests.
    #[must_use]
    pub fn with_environment(ledger: &Ledger, environment: Arc<dyn Environment>) -> Self {
        Self {
            environment,
            key_distribution: None,
            exchanges: ledger.kind("security exchanges"),
            contexts: ledger.kind("security contexts"),
        }
    }

    /// With other KDCs than those of the system's `krb5.conf`.
    #[must_use]
    pub fn with_key_distribution(mut self, key_distribution: Arc<dyn KeyDistribution>) -> Self {
        self.key_distribution = Some(key_distribution);
        self
    }

    pub(crate) fn key_distribution(&self) -> Result<Arc<dyn KeyDistribution>, AuthError> {
        match &self.key_distribution {
            Some(key_distribution) => Ok(Arc::clone(key_distribution)),
            None => Ok(Arc::new(Tcp::new(Realms::of_system()?, KDC_PATIENCE))),
        }
    }

    /// Counts an established context.
    pub(crate) fn context(&self) -> Entry {
        self.contexts.enter()
    }
}

impl Client {
    /// A client that has sent nothing yet: its first [`Client::step`] takes an empty token.
    #[must_use]
    pub fn new(
        security: &Security,
        mechanism: Mechanism,
        identity: Identity,
        target: Target,
        bindings: Option<ChannelBindings>,
        purpose: Purpose,
    ) -> Self {
        let request = Request { security: security.clone(), identity, target, bindings, purpose };
        let exchange: Box<dyn Exchange> = match mechanism {
            Mechanism::Ntlm => Box::new(NtlmClient::new(request)),
            Mechanism::Kerberos => Box::new(KerberosClient::new(request)),
            Mechanism::Negotiate => Box::new(SpnegoClient::new(request)),
        };
        Self { exchange: State::Going(exchange), _entry: security.exchanges.enter() }
    }

    /// Takes the peer's token (none at first), and says what comes next.
    ///
    /// # Errors
    /// [`AuthError`]; the exchange is over then.
    pub fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        self.exchange.step(token)
    }
}

impl Server {
    /// A server that waits for the first token.
    #[must_use]
    pub fn new(
        security: &Security,
        mechanism: Mechanism,
        accounts: Arc<dyn Accounts>,
        bindings: BindingPolicy,
    ) -> Self {
        let offer = Offer { security: security.clone(), accounts, bindings };
        let exchange: Box<dyn Exchange> = match mechanism {
            Mechanism::Ntlm => Box::new(NtlmServer::new(offer)),
            Mechanism::Kerberos => match offer.accounts.keytab() {
                Some(keytab) => Box::new(KerberosServer::new(offer, keytab)),
                None => Box::new(WithoutKeytab),
            },
            Mechanism::Negotiate => Box::new(SpnegoServer::new(offer)),
        };
        Self { exchange: State::Going(exchange), _entry: security.exchanges.enter() }
    }

    /// Takes the peer's token, and says what comes next.
    ///
    /// # Errors
    /// [`AuthError`]; the exchange is over then.
    pub fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        self.exchange.step(token)
    }
}

/// What a client's mechanisms work with.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) security: Security,
    pub(crate) identity: Identity,
    pub(crate) target: Target,
    pub(crate) bindings: Option<ChannelBindings>,
    pub(crate) purpose: Purpose,
}

/// What a server's mechanisms work with.
#[derive(Clone)]
pub(crate) struct Offer {
    pub(crate) security: Security,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) bindings: BindingPolicy,
}

/// A server that is asked for Kerberos and has no keys.
struct WithoutKeytab;

impl Exchange for WithoutKeytab {
    fn step(&mut self, _token: &[u8]) -> Result<Step, AuthError> {
        Err(AuthError::NoCommonGround("the server has no keytab"))
    }
}

impl State {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        let Self::Going(mut exchange) = core::mem::replace(self, Self::Over) else {
            return Err(AuthError::OutOfTurn);
        };
        if token.len() > TOKEN_AT_MOST {
            return Err(AuthError::Refused(format!("a token of {} bytes is too long", token.len())));
        }
        let step = exchange.step(token)?;
        if step.done.is_none() {
            *self = Self::Going(exchange);
        }
        Ok(step)
    }
}

impl Step {
    pub(crate) fn going(token: Vec<u8>) -> Self {
        Self { token: Some(token), done: None }
    }
}

impl fmt::Debug for Step {
    /// Tokens are left out: they can be searched for the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("token", &self.token.as_ref().map(Vec::len))
            .field("done", &self.done)
            .finish()
    }
}
