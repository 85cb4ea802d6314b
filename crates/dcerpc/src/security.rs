//! What an association asks of a security provider — [MS-RPCE] 2.2.1.1.7 to 2.2.1.1.9 and 3.3.1.5.2.

use core::fmt;

use crate::pdu::auth::{AuthLevel, AuthType};

/// One side of a security context: the exchange of tokens, then the protection of messages.
///
/// NTLM, Kerberos and Negotiate implement it in a crate of their own.
pub trait SecurityContext: Send {
    /// Which provider.
    fn auth_type(&self) -> AuthType;

    /// Takes the peer's token (the client begins with none) and says what to send.
    ///
    /// # Errors
    /// When the token is wrong, or the peer is not who it must be.
    fn step(&mut self, token: &[u8]) -> Result<Step, SecurityError>;

    /// Whether the provider can sign what is around the stub data too.
    fn can_sign_header(&self) -> bool;

    /// Bytes of the token that protects a message at that level.
    fn token_len(&self, level: AuthLevel) -> usize;

    /// Signs a message, or seals its body in place and signs it; returns the token, of [`SecurityContext::token_len`].
    ///
    /// # Errors
    /// When the context is not established, or its messages are used up.
    fn protect(&mut self, level: AuthLevel, message: Message<'_>) -> Result<Vec<u8>, SecurityError>;

    /// Checks a message by its token, and unseals its body in place.
    ///
    /// # Errors
    /// When the token does not belong to the message.
    fn unprotect(
        &mut self,
        level: AuthLevel,
        message: Message<'_>,
        token: &[u8],
    ) -> Result<(), SecurityError>;

    /// Who the peer is, once that is known.
    fn principal(&self) -> Option<String>;
}

/// What becomes of the exchange of tokens.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// This is to be sent, and something must come back.
    Continue(Vec<u8>),
    /// The context is established; what there is, is to be sent.
    Done(Option<Vec<u8>>),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Continue(token) => write!(f, "Continue({} bytes)", token.len()),
            Self::Done(token) => write!(f, "Done({} bytes)", token.as_ref().map_or(0, Vec::len)),
        }
    }
}

/// A fragment, in the parts that are protected differently.
#[derive(Debug)]
pub struct Message<'a> {
    /// Up to the stub data. Signed when `sign_header`.
    pub header: &'a [u8],
    /// Stub data and padding. Signed; sealed at the highest level.
    pub body: &'a mut [u8],
    /// sec_trailer. Signed when `sign_header`.
    pub trailer: &'a [u8],
    /// Whether header signing was negotiated: [MS-RPCE] 3.3.1.5.2.2.
    pub sign_header: bool,
}

/// Why a security provider refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// The token is not one of the provider's.
    #[error("the token cannot be read")]
    Token,
    /// The peer is not who it says.
    #[error("the peer could not be authenticated")]
    Denied,
    /// The message was changed on its way, is out of order, or was protected by somebody else.
    #[error("the signature is wrong")]
    Signature,
    /// The context is not established.
    #[error("the security context is not established")]
    State,
    /// The provider does not do this.
    #[error("the security provider does not support this")]
    Unsupported,
}

/// Where a server takes security contexts from.
pub trait Acceptor: Send + Sync {
    /// A new context for a client that asks for that provider; none where it is not supported.
    fn accept(&self, auth_type: AuthType) -> Option<Box<dyn SecurityContext>>;
}
