//! NTLM and Negotiate: the exchange of tokens, and what it asks about accounts.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::runtime::Handle;
use watertight_auth::http::Scheme as TokenScheme;
use watertight_auth::kerberos::Keytab;
use watertight_auth::{Accounts, AuthError as Trouble, Mechanism, NtHash, Peer, Server, ServerNames, Step};
use watertight_mapi::store::{Account, Store, StoreError};

use super::connection::{Connection, HalfDone, Somebody};
use super::limiter::{Attempt, Limiter};
use super::scheme::{Scheme, is_http};
use super::{AuthError, Authenticator, SignedIn, names};
use crate::clock::Clock;

/// How a NEGOTIATE_MESSAGE begins — [MS-NLMP] 2.2.1.1.
const NTLM_BEGINS: &[u8] = b"NTLMSSP\0\x01\0\0\0";
/// Failures that name no account are limited under this name, which no account can have.
const NO_NAME: &str = ":negotiate";

/// What all exchanges work with.
pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) limiter: Limiter,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keytab: Option<Arc<Keytab>>,
    /// Whether NTLM is taken, by itself and inside Negotiate.
    pub(super) ntlm: bool,
}

/// What one exchange asks about accounts, and what it was told.
pub(super) struct Asked {
    shared: Arc<Shared>,
    peer: IpAddr,
    /// The store is asked from threads where waiting is allowed.
    runtime: Handle,
    told: Mutex<Told>,
}

#[derive(Default)]
enum Told {
    /// Nothing was asked yet.
    #[default]
    Nothing,
    /// Whom NTLM names, if there is such an account, and the attempt at its password.
    Name(Option<Box<Account>>, Attempt),
    Limited(Duration),
    Failed(StoreError),
}

impl Asked {
    fn tell(&self, told: Told) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    fn told(&self) -> Told {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks an account up and takes an attempt at its password: the same for those that are not there.
    async fn look_up(&self, user: &str, domain: &str) -> Result<Option<NtHash>, Told> {
        let shared = &self.shared;
        let account = names::of_ntlm(&*shared.store, user, domain).await.map_err(Told::Failed)?;
        let name = account.as_ref().map_or(user, |account| account.name.as_str());
        let attempt = shared.limiter.attempt(name, self.peer, shared.clock.now()).map_err(Told::Limited)?;
        let hash = shared.store.secrets().nt_hash(name).await.map_err(Told::Failed)?;
        let hash = hash.filter(|_| account.is_some() && shared.ntlm);
        self.tell(Told::Name(account.map(Box::new), attempt));
        Ok(hash.map(|hash| NtHash::from_bytes(hash.0)))
    }
}

impl Accounts for Asked {
    /// They say nothing about the machine: whoever asks for a challenge is told.
    fn names(&self) -> ServerNames {
        ServerNames {
            computer: "MAIL".to_owned(),
            domain: "WATERTIGHT".to_owned(),
            dns_computer: "mail.watertight".to_owned(),
            dns_domain: "watertight".to_owned(),
        }
    }

    fn nt_hash(&self, user: &str, domain: &str) -> Result<Option<NtHash>, Trouble> {
        self.runtime.block_on(self.look_up(user, domain)).map_err(|told| {
            self.tell(told);
            Trouble::Accounts("not now".to_owned())
        })
    }

    fn keytab(&self) -> Option<Arc<Keytab>> {
        self.shared.keytab.clone()
    }
}

/// Whether a token is the first of an exchange: NTLM's NEGOTIATE_MESSAGE, or something in the frame of GSS-API.
fn is_first(token: &[u8]) -> bool {
    token.starts_with(NTLM_BEGINS) || token.first() == Some(&0x60)
}

impl Authenticator {
    /// Takes the token of an NTLM or Negotiate header.
    pub(super) async fn exchange(
        &self,
        scheme: Scheme,
        value: &[u8],
        connection: &Connection,
    ) -> Result<SignedIn, AuthError> {
        let half_done = connection.take(self.shared.clock.now());
        let (token_scheme, token) = TokenScheme::credentials(value).ok_or(AuthError::Missing)?;
        let mut exchange = match half_done.filter(|one| one.scheme == scheme && !is_first(&token)) {
            Some(exchange) => exchange,
            None if is_first(&token) => self.begin(scheme, token_scheme, connection.peer),
            // The answer to a challenge that is not ours, or is too late: it starts again.
            None => return Err(AuthError::Missing),
        };
        let permit = tokio::time::timeout(super::PATIENCE, Arc::clone(&self.stepping).acquire_owned());
        let Ok(Ok(permit)) = permit.await else { return Err(AuthError::Busy) };
        let asked = Arc::clone(&exchange.asked);
        let step = if token.starts_with(NTLM_BEGINS) {
            // A challenge is a random number: nobody is looked up.
            exchange.server.step(&token)
        } else {
            let stepped = tokio::task::spawn_blocking(move || {
                let _held = permit;
                let step = exchange.server.step(&token);
                (exchange, step)
            });
            let Ok((after, step)) = stepped.await else { return Err(AuthError::Busy) };
            exchange = after;
            step
        };
        match step {
            Ok(Step { token, done: Some(context) }) => {
                let reply = token.and_then(|token| header(token_scheme, &token));
                let (mechanism, peer) = (context.mechanism(), context.peer().clone());
                // Nothing will be signed with it.
                drop(context);
                let account = self.proved(mechanism, &peer, asked.told(), connection).await?;
                Ok(SignedIn { account, reply })
            }
            Ok(Step { token: Some(token), done: None }) => {
                connection.keep(exchange, self.shared.clock.now());
                header(token_scheme, &token)
                    .map_or(Err(AuthError::Wrong), |value| Err(AuthError::GoOn(value)))
            }
            Ok(_) => Err(AuthError::Wrong),
            Err(trouble) => Err(self.refused(scheme, &trouble, asked.told(), connection.peer)),
        }
    }

    fn begin(&self, scheme: Scheme, token_scheme: TokenScheme, peer: IpAddr) -> HalfDone {
        let asked = Arc::new(Asked {
            shared: Arc::clone(&self.shared),
            peer,
            runtime: Handle::current(),
            told: Mutex::default(),
        });
        let accounts: Arc<dyn Accounts> = Arc::<Asked>::clone(&asked);
        let server = Server::new(&self.security, token_scheme.mechanism(), accounts, self.bindings.clone());
        HalfDone::new(scheme, server, asked)
    }

    /// The account of an identity that was proved; the connection is its from now on.
    async fn proved(
        &self,
        mechanism: Mechanism,
        peer: &Peer,
        told: Told,
        connection: &Connection,
    ) -> Result<Account, AuthError> {
        let by_password = mechanism == Mechanism::Ntlm;
        let account = match (told, &self.shared.keytab) {
            (Told::Name(Some(account), attempt), _) if by_password && peer.proved => {
                self.shared.limiter.forgive(attempt);
                *account
            }
            (Told::Nothing, Some(keytab)) if !by_password && peer.proved => {
                if !peer.target.as_deref().is_some_and(is_http) {
                    tracing::info!(peer = %connection.peer, target = peer.target, "a ticket for another service");
                    return Err(AuthError::Wrong);
                }
                let found =
                    names::of_principal(&*self.shared.store, keytab, &peer.name, &peer.domain).await?;
                found.ok_or_else(|| {
                    let principal = format!("{}@{}", peer.name, peer.domain);
                    tracing::info!(peer = %connection.peer, principal, "there is no account for this principal");
                    AuthError::NoAccount
                })?
            }
            _ => return Err(AuthError::Wrong),
        };
        connection.belongs_to(Somebody { account: account.clone(), by_password });
        Ok(account)
    }

    /// Why an exchange failed, for the client. What was tried counts.
    fn refused(&self, scheme: Scheme, trouble: &Trouble, told: Told, peer: IpAddr) -> AuthError {
        match told {
            Told::Limited(wait) => return AuthError::Limited(wait),
            Told::Failed(error) => return AuthError::Store(error),
            Told::Name(..) => {}
            // Taken, and not given back.
            Told::Nothing => match self.shared.limiter.attempt(NO_NAME, peer, self.shared.clock.now()) {
                Ok(_) => {}
                Err(wait) => return AuthError::Limited(wait),
            },
        }
        if matches!(trouble, Trouble::Bindings) {
            tracing::warn!(%peer, %scheme, "a sign-in failed: it was made for another TLS connection than this one");
        } else {
            tracing::info!(%peer, %scheme, why = %trouble, "a sign-in failed");
        }
        AuthError::Wrong
    }
}

fn header(scheme: TokenScheme, token: &[u8]) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&scheme.header(Some(token))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
