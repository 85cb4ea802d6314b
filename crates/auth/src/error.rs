use watertight_wire::WireError;

/// Why a token, a message or a context was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Protocol: a message of the peer cannot be read.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Protocol: a message of the peer can be read, and breaks a rule.
    #[error("the peer breaks the rules of {mechanism}: {what}")]
    Protocol {
        /// Whose rules.
        mechanism: &'static str,
        /// Which rule.
        what: &'static str,
    },
    /// Protocol: a token when none was due: the exchange is over, or it failed.
    #[error("a token out of turn")]
    OutOfTurn,
    /// Protocol: the signature of a message is wrong, or messages are missing, repeated or exchanged.
    #[error("the signature of the message is wrong")]
    Altered,
    /// Refused: the account is not known, or the proof of its secret is wrong.
    #[error("wrong user name or password")]
    Denied,
    /// Refused: the proof was made for another channel, or for none where one is asked for.
    #[error("the proof is not bound to this connection")]
    Bindings,
    /// Refused: the peer ended the exchange.
    #[error("the peer refused: {0}")]
    Refused(String),
    /// Refused: no mechanism, cipher or option that both sides have.
    #[error("no common ground with the peer: {0}")]
    NoCommonGround(&'static str),
    /// Refused: a key distribution centre answered with an error — RFC 4120 7.5.9.
    #[error("the key distribution centre refused: {name} ({code})")]
    Kdc {
        /// The number.
        code: i32,
        /// Its name in RFC 4120, and the centre's own words.
        name: String,
    },
    /// Local: nothing to prove an identity with.
    #[error("no usable credentials: {0}")]
    Credentials(String),
    /// Local: the context does not offer what was asked of it.
    #[error("the security context has no {0}")]
    Unavailable(&'static str),
    /// Local: accounts cannot be looked up.
    #[error("the account cannot be looked up: {0}")]
    Accounts(String),
    /// Local: a peer or a file cannot be reached.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Local: the machine gives no random numbers.
    #[error("no random numbers")]
    Random(#[from] getrandom::Error),
}

impl AuthError {
    pub(crate) const fn ntlm(what: &'static str) -> Self {
        Self::Protocol { mechanism: "NTLM", what }
    }

    pub(crate) const fn spnego(what: &'static str) -> Self {
        Self::Protocol { mechanism: "SPNEGO", what }
    }

    pub(crate) const fn kerberos(what: &'static str) -> Self {
        Self::Protocol { mechanism: "Kerberos", what }
    }
}
