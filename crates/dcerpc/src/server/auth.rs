//! Security of the server's side — [MS-RPCE] 3.3.1.5.2.

use core::fmt;

use super::{Closed, ServerAssociation, ServerEvent, State};
use crate::FaultStatus;
use crate::pdu::auth::{AuthLevel, AuthTrailer, AuthType, Verifier};
use crate::pdu::{Flags, Pdu, RejectReason};
use crate::security::{SecurityContext, SecurityError, Step};

/// A security context of a connection.
pub(super) struct Security {
    pub context: Box<dyn SecurityContext>,
    pub level: AuthLevel,
    pub established: bool,
}

impl Security {
    /// Whether a trailer belongs to it.
    pub fn matches(&self, trailer: &AuthTrailer) -> bool {
        self.context.auth_type() == trailer.auth_type && self.level == trailer.auth_level.effective()
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security")
            .field("auth_type", &self.context.auth_type())
            .field("level", &self.level)
            .field("established", &self.established)
            .finish_non_exhaustive()
    }
}

impl ServerAssociation {
    /// The token of a bind or an alter_context, whose answer carries what comes back.
    pub(super) fn authenticate(
        &mut self,
        auth: &Verifier<'_>,
        begins: bool,
    ) -> Result<Option<(AuthTrailer, Vec<u8>)>, RejectReason> {
        let trailer = auth.trailer;
        let id = trailer.context_id;
        if !self.security.contains_key(&id) {
            self.add_security(trailer, begins)?;
        }
        let Some(security) = self.security.get_mut(&id).filter(|security| security.matches(&trailer)) else {
            return Err(RejectReason::invalid_checksum);
        };
        if security.established {
            return Err(RejectReason::invalid_checksum);
        }
        let answer = match security.context.step(auth.token) {
            Ok(Step::Continue(token)) => Some(token),
            Ok(Step::Done(token)) => {
                security.established = true;
                token
            }
            Err(_) => {
                self.security.remove(&id);
                return Err(RejectReason::invalid_checksum);
            }
        };
        let trailer = AuthTrailer { pad_length: 0, ..trailer };
        Ok(answer.map(|token| (trailer, token)))
    }

    fn add_security(&mut self, trailer: AuthTrailer, begins: bool) -> Result<(), RejectReason> {
        let level = trailer.auth_level.effective();
        if !matches!(level, AuthLevel::connect) && !level.protects() {
            return Err(RejectReason::reason_not_specified);
        }
        // The first one belongs to the bind; more need the feature that allows them.
        let several = self.features.contains(crate::pdu::Features::security_context_multiplexing);
        if !begins && !self.security.is_empty() && !several {
            return Err(RejectReason::invalid_checksum);
        }
        if self.security.len() >= self.config.max_security {
            return Err(RejectReason::local_limit_exceeded);
        }
        let acceptor = self.config.security.as_ref();
        let context = acceptor
            .filter(|_| trailer.auth_type != AuthType::none)
            .and_then(|acceptor| acceptor.accept(trailer.auth_type))
            .ok_or(RejectReason::authentication_type_not_recognized)?;
        self.security.insert(trailer.context_id, Security { context, level, established: false });
        Ok(())
    }

    /// The last leg of an authentication that needs no answer: what fails shows in the next request.
    pub(super) fn auth3(&mut self, pdu: &Pdu<'_>) {
        self.events.push_back(ServerEvent::Acknowledge);
        let Some(auth) = &pdu.auth else {
            return self.disconnect(pdu.call_id, "auth3 without a token");
        };
        let security = self.security.get_mut(&auth.trailer.context_id);
        let Some(security) = security.filter(|s| s.matches(&auth.trailer) && !s.established) else {
            return self.disconnect(pdu.call_id, "auth3 without an authentication");
        };
        match security.context.step(auth.token) {
            Ok(Step::Done(None)) => security.established = true,
            _ => {
                self.security.remove(&auth.trailer.context_id);
                self.denied = true;
            }
        }
    }

    /// A request that is not protected as it must be: the fault that says so, and the end.
    pub(super) fn deny(&mut self, call_id: u32, context_id: u16, error: SecurityError) {
        let status = match error {
            SecurityError::Signature => FaultStatus::rpc_s_sec_pkg_error,
            _ => FaultStatus::access_denied,
        };
        if self.state != State::Closed {
            self.fault_with(call_id, context_id, status, Flags::default());
            self.close(Closed::Security(error));
        }
    }
}
