//! What every mechanism offers once it is established.

use core::fmt;

use crate::{AuthError, SessionKey};

/// How identity is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// NTLMv2 alone: `WWW-Authenticate: NTLM`, RPC_C_AUTHN_WINNT.
    Ntlm,
    /// Kerberos alone: RPC_C_AUTHN_GSS_KERBEROS.
    Kerberos,
    /// SPNEGO, which finds one of the two: `WWW-Authenticate: Negotiate`, RPC_C_AUTHN_GSS_NEGOTIATE.
    Negotiate,
}

/// What a context can do to messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Protection {
    /// Signatures.
    pub integrity: bool,
    /// Encryption.
    pub confidentiality: bool,
}

impl Protection {
    /// Neither.
    pub const NONE: Self = Self { integrity: false, confidentiality: false };
    /// Signatures.
    pub const INTEGRITY: Self = Self { integrity: true, confidentiality: false };
    /// Both.
    pub const BOTH: Self = Self { integrity: true, confidentiality: true };
}

/// What the exchange is for: it decides what is asked of the peer, and the form of the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Purpose {
    /// To say who one is, once: HTTP.
    #[default]
    SignIn,
    /// To sign and to encrypt messages, as GSS-API does it.
    Messages,
    /// To sign and to encrypt the fragments of DCE/RPC — [MS-RPCE] 2.2.1.1.7: DCE style, three legs in Kerberos.
    Rpc,
}

/// The other side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peer {
    /// On a server, the user's name as the client wrote it, or the client's principal without its realm. On a client,
    /// the target.
    pub name: String,
    /// On a server, the user's domain or realm. On a client, the server's own word for its domain.
    pub domain: String,
    /// The machine that the peer says it is; nobody checks that.
    pub machine: String,
    /// Whether the peer proved its identity: on a server always, an anonymous client apart; on a client only with
    /// mutual authentication (Kerberos).
    pub proved: bool,
    /// On a server: whether the client bound its proof to the channel, and the bindings were compared.
    pub bound: bool,
    /// On a server: the name that the client meant to reach.
    pub target: Option<String>,
}

/// An established context of one of the mechanisms, on either side.
///
/// Messages are numbered in each direction: what is signed or sealed must be verified or unsealed in the same order.
/// A wrong signature ends the context.
pub trait SecurityContext: Send {
    /// The mechanism that proved the identity; never [`Mechanism::Negotiate`].
    fn mechanism(&self) -> Mechanism;

    /// The other side.
    fn peer(&self) -> &Peer;

    /// The key that both sides have.
    fn session_key(&self) -> &SessionKey;

    /// What it can do to messages.
    fn protection(&self) -> Protection;

    /// Bytes of a signature of [`SecurityContext::sign`], or of [`SecurityContext::seal`] when `sealed`; the same for
    /// every message, so that room can be left for it.
    fn signature_len(&self, sealed: bool) -> usize;

    /// Whether the signature of a fragment of DCE/RPC covers its header and its security trailer too, or its body
    /// alone. `negotiated` says whether header signing was agreed on ([MS-RPCE] 3.3.1.5.2.2). Samba and impacket do
    /// as this says.
    fn covers_header(&self, negotiated: bool) -> bool;

    /// The signature of the parts, one after another.
    ///
    /// # Errors
    /// [`AuthError::Unavailable`] when there is no integrity; [`AuthError::Altered`] after a wrong signature.
    fn sign(&mut self, parts: &[&[u8]]) -> Result<Vec<u8>, AuthError>;

    /// Checks the signature of the next message.
    ///
    /// # Errors
    /// [`AuthError::Altered`] when the signature is wrong; the context is of no use then.
    fn verify(&mut self, parts: &[&[u8]], signature: &[u8]) -> Result<(), AuthError>;

    /// Encrypts `body` in place. The signature that it returns covers `header` and `trailer` too: the fragment's
    /// header and its security trailer where [`SecurityContext::covers_header`] says so, otherwise nothing.
    ///
    /// # Errors
    /// [`AuthError::Unavailable`] when there is no confidentiality; [`AuthError::Altered`] after a wrong signature.
    fn seal(&mut self, header: &[u8], body: &mut [u8], trailer: &[u8]) -> Result<Vec<u8>, AuthError>;

    /// Decrypts `body` in place, and checks the signature.
    ///
    /// # Errors
    /// [`AuthError::Altered`] when the signature is wrong: `body` must not be used then, nor the context.
    fn unseal(
        &mut self,
        header: &[u8],
        body: &mut [u8],
        trailer: &[u8],
        signature: &[u8],
    ) -> Result<(), AuthError>;

    /// Whether a client signs SPNEGO's list of mechanisms without being asked — [MS-SPNG] 3.3.5.1: NTLM does.
    #[doc(hidden)]
    fn signs_mech_list(&self) -> bool {
        false
    }

    /// Whether a server insists on that signature — [MS-SPNG] 3.3.5.1: when the AUTHENTICATE_MESSAGE has a MIC.
    #[doc(hidden)]
    fn demands_mech_list_mic(&self) -> bool {
        false
    }

    /// What happens to the keys after SPNEGO signed its list of mechanisms.
    #[doc(hidden)]
    fn after_mech_list_mic(&mut self) -> Result<(), AuthError> {
        Ok(())
    }
}

impl fmt::Debug for dyn SecurityContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityContext")
            .field("mechanism", &self.mechanism())
            .field("peer", self.peer())
            .finish_non_exhaustive()
    }
}
