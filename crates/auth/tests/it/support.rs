use std::sync::Arc;
use std::time::Duration;

use watertight_auth::kerberos::{Keytab, Realms, Tcp};
use watertight_auth::{Accounts, AuthError, Client, NtHash, Security, SecurityContext, Server, ServerNames};
use watertight_ledger::Ledger;

use crate::kdc::Kdc;

/// One account: `alice`, in `DOM` or without a domain, with this password.
pub struct Alice(pub &'static str);

pub use crate::kdc::PASSWORD;

impl Accounts for Alice {
    fn names(&self) -> ServerNames {
        ServerNames {
            computer: "MAIL1".into(),
            domain: "DOM".into(),
            dns_computer: "mail1.dom.test".into(),
            dns_domain: "dom.test".into(),
        }
    }

    fn nt_hash(&self, user: &str, domain: &str) -> Result<Option<NtHash>, AuthError> {
        let known = user.eq_ignore_ascii_case("alice")
            && ["DOM", "", "dom.test"].iter().any(|d| d.eq_ignore_ascii_case(domain));
        Ok(known.then(|| NtHash::of_password(self.0)))
    }
}

pub type Context = Box<dyn SecurityContext>;

/// Carries tokens to and fro until both sides have a context.
pub fn establish(client: &mut Client, server: &mut Server) -> Result<(Context, Context), AuthError> {
    let mut step = client.step(&[])?;
    let mut ours = step.done.take();
    let mut theirs = None;
    for _ in 0..8 {
        if let Some(token) = step.token.take() {
            let mut answer = server.step(&token)?;
            theirs = answer.done.take().or(theirs);
            if let Some(token) = answer.token.take() {
                step = client.step(&token)?;
                ours = step.done.take().or(ours);
            }
        }
        match (ours.take(), theirs.take()) {
            (Some(ours), Some(theirs)) if step.token.is_none() => return Ok((ours, theirs)),
            both => (ours, theirs) = both,
        }
    }
    panic!("the exchange does not end: {ours:?} {theirs:?}");
}

/// Without a KDC: no test asks the machine's own.
pub fn security(ledger: &Ledger) -> Security {
    let nowhere = Tcp::new(Realms::default(), Duration::ZERO);
    Security::new(ledger).with_key_distribution(Arc::new(nowhere))
}

pub fn alice() -> Arc<dyn Accounts> {
    Arc::new(Alice(PASSWORD))
}

impl Kdc {
    /// Our side, with this KDC.
    pub fn security(&self, ledger: &Ledger) -> Security {
        let realms = Realms::read(&self.path("krb5.conf")).unwrap();
        Security::new(ledger).with_key_distribution(Arc::new(Tcp::new(realms, Duration::from_secs(20))))
    }

    /// Our accounts with the service's keytab, or with another service's.
    pub fn accounts(&self, keytab: &str) -> Arc<dyn Accounts> {
        let keytab = Keytab::read(&self.path(keytab)).unwrap();
        Arc::new(WithKeytab(Arc::new(keytab)))
    }
}

struct WithKeytab(Arc<Keytab>);

impl Accounts for WithKeytab {
    fn names(&self) -> ServerNames {
        Alice(PASSWORD).names()
    }

    fn nt_hash(&self, user: &str, domain: &str) -> Result<Option<NtHash>, AuthError> {
        Alice(PASSWORD).nt_hash(user, domain)
    }

    fn keytab(&self) -> Option<Arc<Keytab>> {
        Some(Arc::clone(&self.0))
    }
}
