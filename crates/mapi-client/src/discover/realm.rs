//! Where a password may go.
//!
//! It goes, without a question, to the address's own domain and to the names below it, over https with a valid
//! certificate. Everything else is asked for first, by its host name: another domain, and every host that only an
//! insecure answer named (plain http, DNS without proof), for whoever sits on the way could have named it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A host that discovery was sent to and that nothing vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hop {
    /// The host that would get the user's name and password.
    pub host: String,
    /// The address that is looked for.
    pub address: String,
    /// Who named the host: a URL, or a name in DNS.
    pub from: String,
    /// What is doubtful about it.
    pub why: HopReason,
}

/// Why a host must be confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HopReason {
    /// It was named by an answer that anybody on the way could have given.
    Insecure,
    /// It lies outside the domain of the address.
    OtherDomain,
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sends us to {}, ", self.from, self.host)?;
        match self.why {
            HopReason::Insecure => f.write_str("and anybody on the way could have said so"),
            HopReason::OtherDomain => {
                let domain = self.address.rsplit_once('@').map_or("", |(_, domain)| domain);
                write!(f, "which does not belong to {domain}")
            }
        }
    }
}

/// Says whether a host may be asked, with the password.
#[derive(Clone)]
pub struct ConfirmHop(Arc<dyn Fn(&Hop) -> bool + Send + Sync>);

impl ConfirmHop {
    /// By a function: it may ask the person, and block meanwhile.
    #[must_use]
    pub fn new(confirm: impl Fn(&Hop) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(confirm))
    }

    /// Refuses all.
    #[must_use]
    pub fn never() -> Self {
        Self::new(|_| false)
    }

    /// Asks.
    pub(super) fn ask(&self, hop: &Hop) -> bool {
        (self.0)(hop)
    }
}

impl fmt::Debug for ConfirmHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfirmHop")
    }
}

/// The names that need no question: each stands for itself and, where it is no address of a machine, for all below.
#[derive(Debug, Clone)]
pub(super) struct Realm(Vec<String>);

impl Realm {
    pub(super) fn of(domain: &str) -> Self {
        Self(vec![domain.to_ascii_lowercase()])
    }

    pub(super) fn add(&mut self, host: &str) {
        self.0.push(host.to_ascii_lowercase());
    }

    pub(super) fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.0.iter().any(|name| {
            host == *name
                || (name.parse::<IpAddr>().is_err()
                    && host.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.')))
        })
    }

    /// Whether exactly this host was named before.
    pub(super) fn names(&self, host: &str) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_is_a_domain_and_what_is_below() {
        let mut realm = Realm::of("Example.org");
        for good in ["example.org", "MAIL.example.org", "a.b.example.org", "mail.example.org."] {
            assert!(realm.covers(good), "{good}");
        }
        for bad in ["org", "badexample.org", "example.org.evil.net", "example.org:1", "", "127.0.0.1"] {
            assert!(!realm.covers(bad), "{bad}");
        }
        realm.add("127.0.0.1");
        assert!(realm.covers("127.0.0.1") && !realm.covers("1.127.0.0.1") && realm.names("EXAMPLE.org"));
        assert!(!realm.names("mail.example.org"));
    }
}
