use std::sync::Arc;

use crate::kerberos::Keytab;
use crate::{AuthError, NtHash};

/// What a server is called, for a client that asks: [MS-NLMP] 2.2.2.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerNames {
    /// The NetBIOS name of the machine: `MAIL1`.
    pub computer: String,
    /// The NetBIOS name of the domain: `EXAMPLE`.
    pub domain: String,
    /// The machine's name in the DNS: `mail1.example.org`.
    pub dns_computer: String,
    /// The domain's name in the DNS: `example.org`.
    pub dns_domain: String,
}

/// The accounts of a server. Asked on the thread that steps a context: what it answers comes from memory, or takes
/// no longer than a look into a local file.
pub trait Accounts: Send + Sync {
    /// What the server is called.
    fn names(&self) -> ServerNames;

    /// The NT hash of an account; none when there is no such account, or it may not use NTLM. `user` and `domain` are
    /// as the client wrote them: compare without case, and accept the domains (the empty one among them) that the
    /// server is content with.
    ///
    /// The caller does the same work for an account that is not there: answer both in the same time.
    ///
    /// # Errors
    /// [`AuthError::Accounts`] when the accounts cannot be looked up.
    fn nt_hash(&self, user: &str, domain: &str) -> Result<Option<NtHash>, AuthError>;

    /// Whether NTLM lets somebody in who says no name: [`crate::Peer::proved`] is false then, and the name empty.
    fn anonymous(&self) -> bool {
        false
    }

    /// The keys of the service, where it takes Kerberos: the same one every time, for it remembers proofs.
    fn keytab(&self) -> Option<Arc<Keytab>> {
        None
    }
}
