//! What a connector knows about signing in: the credentials, what the server accepts, the token of the moment.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use watertight_auth::{Identity, Security};
use watertight_ledger::Ledger;

use super::credentials::Proof;
use super::{Credentials, Offers, Scheme, SignIn, token};
use crate::endpoint::Endpoint;
use crate::error::{SetupError, SignInError};

/// One user's way into one server. Sessions of a connector share it.
pub(crate) struct Signer {
    credentials: Credentials,
    sign_in: SignIn,
    /// Made once; only where there is a password.
    basic: Option<HeaderValue>,
    patience: Duration,
    pub(super) security: Security,
    known: Mutex<Known>,
    /// Held while the command runs.
    running: tokio::sync::Mutex<()>,
}

/// What was learnt from the server's answers.
#[derive(Default)]
struct Known {
    /// What the server takes; nothing until it has been asked.
    scheme: Option<Scheme>,
    /// What it refused before any secret was proved.
    refused: Vec<Scheme>,
    /// No use trying the ticket, or a password with Kerberos.
    no_ticket: bool,
    no_kerberos: bool,
    /// The server wants a proof with each request, although it was made on the connection.
    each_request: bool,
    token: Option<HeaderValue>,
}

/// What the next request needs.
pub(super) enum Means {
    /// Nothing, as far as is known: the server says what it wants.
    Open,
    Header(Scheme, HeaderValue),
    /// An exchange, unless the connection has been through one.
    Exchange(Scheme),
}

/// An identity to try.
pub(super) struct Candidate {
    pub(super) identity: Identity,
    pub(super) kind: Kind,
}

/// Where an identity comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ticket,
    /// A password, for Kerberos, and for NTLM if there is no Kerberos.
    Password,
    /// A password, for NTLM only.
    Hash,
}

impl Signer {
    pub(crate) fn new(
        endpoint: &Endpoint,
        credentials: &Credentials,
        sign_in: SignIn,
        patience: Duration,
        ledger: &Ledger,
    ) -> Result<Self, SetupError> {
        let known = Known {
            scheme: match (credentials.proof(), sign_in) {
                (Proof::TokenCommand(_), SignIn::Auto | SignIn::Bearer) => Some(Scheme::Bearer),
                (Proof::Ticket(_), SignIn::Auto | SignIn::Negotiate) => Some(Scheme::Negotiate),
                (Proof::Password(_), SignIn::Basic | SignIn::Ntlm | SignIn::Negotiate) => sign_in.scheme(),
                (Proof::Password(_), SignIn::Auto) => None,
                (proof, _) => {
                    let has = match proof {
                        Proof::Password(_) => {
                            "a password is for basic, ntlm and negotiate; a token command is missing"
                        }
                        Proof::TokenCommand(_) => "a token is for bearer; a password is missing",
                        Proof::Ticket(_) => {
                            "a ticket is for negotiate; a password or a token command is missing"
                        }
                    };
                    return Err(SetupError::SignIn { why: format!("{sign_in} cannot be used here: {has}") });
                }
            },
            ..Known::default()
        };
        // INVARIANT of Endpoint: what is not encrypted stays on this machine.
        debug_assert!(endpoint.tls() || endpoint.is_this_machine());
        Ok(Self {
            basic: credentials.basic()?,
            credentials: credentials.clone(),
            sign_in,
            patience,
            security: Security::new(ledger),
            known: Mutex::new(known),
            running: tokio::sync::Mutex::default(),
        })
    }

    /// What the next request needs. Where that is a token and there is none, the command runs.
    pub(super) async fn means(&self) -> Result<Means, SignInError> {
        let scheme = {
            let known = self.known();
            match (known.scheme, &known.token) {
                (Some(Scheme::Bearer), Some(token)) => {
                    return Ok(Means::Header(Scheme::Bearer, token.clone()));
                }
                (scheme, _) => scheme,
            }
        };
        Ok(match (scheme, &self.basic) {
            (Some(Scheme::Bearer), _) => Means::Header(Scheme::Bearer, self.new_token().await?),
            (Some(Scheme::Basic), Some(header)) => Means::Header(Scheme::Basic, header.clone()),
            (Some(scheme @ (Scheme::Ntlm | Scheme::Negotiate)), _) => Means::Exchange(scheme),
            (Some(Scheme::Basic) | None, _) => Means::Open,
        })
    }

    /// One command at a time: who waited for it takes what it printed.
    async fn new_token(&self) -> Result<HeaderValue, SignInError> {
        let Proof::TokenCommand(command) = self.credentials.proof() else {
            return Err(SignInError::Credentials);
        };
        let _running = self.running.lock().await;
        if let Some(token) = &self.known().token {
            return Ok(token.clone());
        }
        let token = token::from_command(command, self.patience).await?;
        self.known().token = Some(token.clone());
        Ok(token)
    }

    /// The server no longer accepts this token.
    pub(super) fn forget_token(&self, refused: &HeaderValue) {
        let mut known = self.known();
        if known.token.as_ref() == Some(refused) {
            known.token = None;
        }
    }

    /// Chooses among what the server offers.
    pub(super) fn choose(&self, offers: &Offers) -> Result<(), SignInError> {
        let mut known = self.known();
        let good = |scheme: Scheme| {
            let usable = match self.credentials.proof() {
                Proof::Password(_) => scheme != Scheme::Bearer,
                Proof::TokenCommand(_) => scheme == Scheme::Bearer,
                Proof::Ticket(_) => scheme == Scheme::Negotiate,
            };
            usable && !known.refused.contains(&scheme) && self.sign_in.scheme().is_none_or(|s| s == scheme)
        };
        // Who offers nothing at all is tried with Basic, as clients always did.
        let offered =
            |scheme: Scheme| offers.schemes.contains(&scheme) || (!offers.any && scheme == Scheme::Basic);
        match Scheme::ALL.into_iter().find(|scheme| offered(*scheme) && good(*scheme)) {
            Some(scheme) => {
                tracing::debug!(%scheme, "signing in");
                known.scheme = Some(scheme);
                Ok(())
            }
            None => {
                drop(known);
                Err(self.not_offered(offers))
            }
        }
    }

    /// Chooses among what the server offers, where nothing was chosen yet.
    pub(super) fn learn(&self, offers: &Offers) {
        if self.known().scheme.is_none() {
            // What cannot be chosen is said when it is needed.
            let _ = self.choose(offers);
        }
    }

    /// The server refused a scheme before any secret was proved: where another may be used, it is.
    pub(super) fn choose_another(&self, scheme: Scheme, offers: &Offers) -> Result<(), SignInError> {
        self.known().refused.push(scheme);
        self.choose(offers).map_err(|error| {
            if !offers.schemes.contains(&scheme) {
                return error;
            }
            let why = "the server offers it and does not answer its first message; check for a proxy that does not \
                       keep connections open";
            SignInError::Exchange { scheme, why: why.to_owned() }
        })
    }

    /// The server no longer takes Basic: the next request asks it anew.
    pub(super) fn forget_choice(&self) {
        if self.sign_in == SignIn::Auto && self.basic.is_some() {
            self.known().scheme = None;
        }
    }

    pub(super) fn not_offered(&self, offers: &Offers) -> SignInError {
        SignInError::NotOffered { wanted: self.wanted(), offered: offers.schemes.clone() }
    }

    /// What these credentials are for.
    fn wanted(&self) -> Vec<Scheme> {
        match (self.sign_in.scheme(), self.credentials.proof()) {
            (Some(scheme), _) => vec![scheme],
            (None, Proof::Password(_)) => vec![Scheme::Negotiate, Scheme::Ntlm, Scheme::Basic],
            (None, Proof::TokenCommand(_)) => vec![Scheme::Bearer],
            (None, Proof::Ticket(_)) => vec![Scheme::Negotiate],
        }
    }

    /// Whether a connection that has been through the exchange is still asked for a proof with each request.
    pub(super) fn each_request(&self) -> bool {
        self.known().each_request
    }

    pub(super) fn set_each_request(&self) {
        self.known().each_request = true;
    }

    /// Identities to try with a scheme, one after the other until one has a first token. It may read files.
    pub(super) fn candidates(&self, scheme: Scheme) -> Result<Vec<Candidate>, SignInError> {
        let (no_ticket, no_kerberos) = {
            let known = self.known();
            (known.no_ticket, known.no_kerberos)
        };
        let user = self.credentials.user();
        let password = match self.credentials.proof() {
            Proof::Password(password) => password,
            Proof::Ticket(cache) => {
                let identity = match cache {
                    Some(path) => Identity::cache(path),
                    None => Identity::usual_cache()?,
                };
                // Whoever's: the user may be an address, and the ticket the account's.
                if let Err(error) = identity.owner() {
                    return Err(SignInError::NoTicket { why: error.to_string() });
                }
                return Ok(vec![Candidate { identity, kind: Kind::Ticket }]);
            }
            Proof::TokenCommand(_) => return Err(SignInError::Credentials),
        };
        let mut all = Vec::new();
        if scheme == Scheme::Negotiate && !no_ticket {
            let ticket = Identity::usual_cache().ok();
            let ticket = ticket.filter(|cache| cache.owner().is_ok_and(|owner| is_of(&owner, user)));
            all.extend(ticket.map(|identity| Candidate { identity, kind: Kind::Ticket }));
        }
        // Only who asks for it: an unknown realm takes seconds to be found unknown.
        if scheme == Scheme::Negotiate && self.sign_in == SignIn::Negotiate && !no_kerberos {
            all.push(Candidate { identity: Identity::password(user, password), kind: Kind::Password });
        }
        let hash = watertight_auth::NtHash::of_password(password);
        all.push(Candidate { identity: Identity::nt_hash(user, hash), kind: Kind::Hash });
        Ok(all)
    }

    /// It led nowhere: the next exchange goes without it. Whether there is anything else to try.
    pub(super) fn without(&self, kind: Kind) -> bool {
        let mut known = self.known();
        match kind {
            Kind::Ticket => known.no_ticket = true,
            Kind::Password => known.no_kerberos = true,
            Kind::Hash => return false,
        }
        matches!(self.credentials.proof(), Proof::Password(_))
    }

    pub(super) fn user(&self) -> &str {
        self.credentials.user()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a principal (`alice@DOM.TEST`) is this user (`alice`, `alice@dom.test`, `DOM\alice`). A realm may be a
/// subdomain of the user's domain, and a short domain its first part: companies sign in as `alice@example.org` with
/// tickets of `AD.EXAMPLE.ORG`.
fn is_of(principal: &str, user: &str) -> bool {
    let Some((owner, realm)) = principal.rsplit_once('@') else { return false };
    let realm = realm.to_ascii_lowercase();
    let (name, fits) = match (user.split_once('\\'), user.rsplit_once('@')) {
        (Some((domain, name)), _) => {
            let domain = domain.to_ascii_lowercase();
            (name, realm == domain || realm.split('.').next() == Some(domain.as_str()))
        }
        (None, Some((name, domain))) => {
            let domain = domain.to_ascii_lowercase();
            (
                name,
                realm == domain
                    || realm.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.')),
            )
        }
        (None, None) => (user, true),
    };
    fits && owner.eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_of_somebody_else_is_left_alone() {
        for user in ["alice", "Alice", "alice@dom.test", "DOM\\alice", "dom.test\\alice"] {
            assert!(is_of("alice@DOM.TEST", user), "{user}");
        }
        assert!(is_of("alice@AD.EXAMPLE.ORG", "alice@example.org"));
        for user in ["bob", "alice@other.test", "OTHER\\alice", "alice@om.test", "bob@dom.test", ""] {
            assert!(!is_of("alice@DOM.TEST", user), "{user}");
        }
        assert!(!is_of("alice", "alice"));
    }
}
