//! Security of the client's side — [MS-RPCE] 3.3.1.5.2.

use core::fmt;
use core::time::Duration;

use super::{ClientAssociation, ClientSecurity, Closed, State};
use crate::fragment::Protection;
use crate::pdu::auth::{AuthLevel, AuthTrailer};
use crate::pdu::{Body, Features, Flags, Pdu};
use crate::security::{SecurityContext, SecurityError, Step};

/// A security context of a connection.
pub(super) struct Security {
    /// auth_context_id
    id: u32,
    pub context: Box<dyn SecurityContext>,
    pub level: AuthLevel,
    pub established: bool,
}

impl Security {
    pub fn new(id: u32, security: ClientSecurity) -> Self {
        let ClientSecurity { context, level } = security;
        Self { id, context, level: level.effective(), established: false }
    }

    pub fn trailer(&self) -> AuthTrailer {
        AuthTrailer {
            auth_type: self.context.auth_type(),
            auth_level: self.level,
            pad_length: 0,
            context_id: self.id,
        }
    }

    /// How calls are protected, where they are.
    pub fn protection(&mut self, sign_header: bool) -> Option<Protection<'_>> {
        self.level.protects().then(|| Protection {
            level: self.level,
            context_id: self.id,
            sign_header,
            security: self.context.as_mut(),
        })
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security")
            .field("level", &self.level)
            .field("established", &self.established)
            .finish_non_exhaustive()
    }
}

impl ClientAssociation {
    /// Authenticates once more on a connection that is there, as somebody else or at another level: security context
    /// multiplexing ([MS-RPCE] 3.3.1.5.4). Calls name the id that this returns, after the next [`ClientEvent::Bound`].
    ///
    /// # Errors
    /// When the server did not grant the feature, or a bind is on its way.
    ///
    /// [`ClientEvent::Bound`]: super::ClientEvent::Bound
    pub fn authenticate(&mut self, now: Duration, security: ClientSecurity) -> Result<u32, SecurityError> {
        if self.state != State::Bound {
            return Err(SecurityError::State);
        }
        if !self.features.contains(Features::security_context_multiplexing) {
            return Err(SecurityError::Unsupported);
        }
        let id = self.security.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
        self.security.insert(id, Security::new(id, security));
        self.asked_security = Some(id);
        self.ask_again(now);
        Ok(id)
    }

    /// The token that goes with a bind.
    pub(super) fn first_token(&mut self) -> Result<Option<(AuthTrailer, Vec<u8>)>, SecurityError> {
        let security = self.asked_security.and_then(|id| self.security.get_mut(&id));
        let Some(security) = security else { return Ok(None) };
        let token = match security.context.step(&[])? {
            Step::Continue(token) => token,
            Step::Done(token) => {
                security.established = true;
                token.unwrap_or_default()
            }
        };
        Ok(Some((security.trailer(), token)))
    }

    /// Goes on with the token that came with an answer. Whether the authentication is complete.
    pub(super) fn next_token(&mut self, pdu: &Pdu<'_>) -> Result<bool, Closed> {
        let security = self.asked_security.and_then(|id| self.security.get_mut(&id));
        let Some(security) = security else { return Ok(true) };
        let token = match &pdu.auth {
            Some(auth) => {
                let (ours, theirs) = (security.trailer(), auth.trailer);
                if theirs.auth_type != ours.auth_type || theirs.context_id != ours.context_id {
                    return Err(Closed::Security(SecurityError::Token));
                }
                auth.token
            }
            None if security.established => return Ok(true),
            None => return Err(Closed::Protocol("an answer without the token that is due")),
        };
        if security.established {
            // The last token of the server's, where the client was ready before: mutual authentication.
            return match security.context.step(token) {
                Ok(Step::Done(None)) => Ok(true),
                Ok(_) => Err(Closed::Security(SecurityError::State)),
                Err(error) => Err(Closed::Security(error)),
            };
        }
        let trailer = security.trailer();
        match security.context.step(token).map_err(Closed::Security)? {
            Step::Done(None) => {
                security.established = true;
                Ok(true)
            }
            Step::Done(Some(token)) => {
                security.established = true;
                let pdu = Pdu::new(self.asked_call, Body::Auth3);
                self.send(pdu, Some((trailer, &token)));
                Ok(true)
            }
            Step::Continue(token) => {
                self.continue_authentication(trailer, &token);
                Ok(false)
            }
        }
    }

    /// Another leg: an alter_context that repeats a context which the server knows.
    fn continue_authentication(&mut self, trailer: AuthTrailer, token: &[u8]) {
        let bind = self.bind_body(&self.some_context(), false);
        let mut pdu = Pdu::new(self.asked_call, Body::AlterContext(bind));
        if self.sign_header {
            pdu.flags = pdu.flags | Flags::HEADER_SIGN;
        }
        self.authenticating = true;
        self.send(pdu, Some((trailer, token)));
    }

    /// A context to repeat: one that the server has accepted, if there is one.
    pub(super) fn some_context(&self) -> Vec<u16> {
        let known = self.contexts.iter().find(|(_, context)| context.syntax.is_some());
        known.or_else(|| self.contexts.iter().next()).map(|(id, _)| *id).into_iter().collect()
    }
}
