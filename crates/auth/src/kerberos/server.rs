//! The server's side — RFC 4120 3.2.3, RFC 4121 4.1, [MS-KILE] 3.4.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use ring::digest;
use subtle::ConstantTimeEq;

use super::crypto::Key;
use super::kdc::seconds;
use super::keytab::Keytab;
use super::message::{ApRepPart, ApReq, Authenticator, Encrypted, Ticket, TicketPart, ap_rep, read_ap_rep};
use super::session::{KerberosSession, Keys};
use super::token;
use crate::context::{Peer, Protection};
use crate::exchange::{Exchange, Offer, Step};
use crate::{AuthError, BindingPolicy};

/// Clocks may differ by this much, in seconds.
const SKEW: i64 = 300;
/// So many proofs are remembered; when there are more within the skew, nobody is let in.
const SEEN_AT_MOST: usize = 100_000;

/// A server's exchange.
pub(crate) struct KerberosServer {
    offer: Offer,
    keytab: Arc<Keytab>,
    state: State,
}

enum State {
    Fresh,
    /// The third leg of DCE style.
    Third(Box<Third>),
}

struct Third {
    ticket_key: Key,
    sequence: u32,
    context: KerberosSession,
}

/// How often those that may be forgotten are.
const PURGE_EVERY: usize = 1024;

/// The proofs of the last minutes: a hash of each, and when it may be forgotten.
#[derive(Default)]
pub(super) struct Seen(HashMap<[u8; 32], i64>);

impl Seen {
    /// Whether a proof is a new one; it is not the next time.
    fn is_new(&mut self, proof: &[u8], now: i64) -> bool {
        if self.0.len() >= SEEN_AT_MOST || self.0.len() % PURGE_EVERY == PURGE_EVERY - 1 {
            self.0.retain(|_, until| *until > now);
        }
        let hash = digest::digest(&digest::SHA256, proof);
        let Ok(hash) = <[u8; 32]>::try_from(hash.as_ref()) else { return false };
        self.0.len() < SEEN_AT_MOST && self.0.insert(hash, now.saturating_add(2 * SKEW)).is_none()
    }
}

impl KerberosServer {
    pub(crate) fn new(offer: Offer, keytab: Arc<Keytab>) -> Self {
        Self { offer, keytab, state: State::Fresh }
    }

    fn check(&mut self, bytes: &[u8]) -> Result<Step, AuthError> {
        // In DCE style there is no frame.
        let (bare, message) = match token::unframe(bytes) {
            Ok((token::AP_REQ, message)) => (false, message),
            Ok(_) => return Err(AuthError::kerberos("it begins with an AP-REQ")),
            Err(_) => (true, bytes),
        };
        let request = ApReq::read(message)?;
        let ticket = Ticket::read(&request.ticket)?;
        let part = self.open(&ticket)?;
        let environment = &*self.offer.security.environment;
        let (now, _) = seconds(environment.now());
        if part.invalid || part.start > now.saturating_add(SKEW) || part.end < now.saturating_sub(SKEW) {
            tracing::debug!("a ticket that is not good now");
            return Err(AuthError::Denied);
        }
        let proof = part.key.decrypt(11, &request.authenticator.cipher).map_err(|_| AuthError::Denied)?;
        let proof = Authenticator::read(&proof)?;
        if proof.client != part.client || proof.realm != part.realm {
            return Err(AuthError::Denied);
        }
        if proof.time.abs_diff(now) > SKEW.unsigned_abs() {
            tracing::debug!("a proof of another time: the clocks differ too much");
            return Err(AuthError::Denied);
        }
        let Some((token::CHECKSUM_TYPE, checksum)) = &proof.checksum else {
            return Err(AuthError::kerberos("an authenticator without the checksum of GSS-API"));
        };
        let (bindings, flags) = token::read_checksum(checksum)?;
        if !self.offer.bindings.accepts(Some(bindings)) {
            return Err(AuthError::Bindings);
        }
        let mut seen = self.keytab.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.is_new(&request.authenticator.cipher, now) {
            tracing::warn!("a proof of Kerberos came a second time");
            return Err(AuthError::Denied);
        }
        drop(seen);

        let dce = flags & token::DCE_STYLE != 0;
        if bare && !dce {
            return Err(AuthError::kerberos("a token without its frame"));
        }
        let peer = Peer {
            name: part.client.to_string(),
            domain: part.realm.clone(),
            proved: true,
            bound: self.offer.bindings != BindingPolicy::Ignore && bindings != [0; 16],
            target: Some(format!("{}@{}", ticket.service, ticket.realm)),
            ..Peer::default()
        };
        let theirs = proof.sequence.unwrap_or(0);
        let answers = flags & token::MUTUAL != 0 || request.mutual;
        let mut ours = theirs;
        let initial = proof.subkey.clone().unwrap_or_else(|| part.key.clone());
        let mut keys = Keys {
            key: initial,
            acceptor_subkey: false,
            initiator: false,
            dce,
            outgoing: theirs.into(),
            incoming: theirs.into(),
        };
        let mut reply = None;
        if answers {
            let mut random = [0; 4];
            environment.random(&mut random)?;
            ours = u32::from_le_bytes(random) & 0x3fff_ffff;
            let subkey = Key::random(keys.key.etype, environment)?;
            let answer = ApRepPart {
                time: proof.time,
                micros: proof.micros,
                subkey: Some(subkey.clone()),
                sequence: Some(ours),
            };
            let sealed = part.key.encrypt(environment, 12, &answer.bytes())?;
            let message = ap_rep(&Encrypted::new(&part.key, sealed));
            reply = Some(if dce { message } else { token::frame(token::AP_REP, &message) });
            keys.key = subkey;
            keys.acceptor_subkey = true;
            keys.outgoing = ours.into();
        }
        let protection = Protection { integrity: true, confidentiality: true };
        let context = KerberosSession::new(&self.offer.security, keys, peer, protection);
        if dce {
            self.state = State::Third(Box::new(Third { ticket_key: part.key, sequence: ours, context }));
            return Ok(Step { token: reply, done: None });
        }
        Ok(Step { token: reply, done: Some(Box::new(context)) })
    }

    /// The ticket, by whatever key of ours it was made with.
    fn open(&self, ticket: &Ticket) -> Result<TicketPart, AuthError> {
        let opened =
            self.keytab.keys(&ticket.encrypted).find_map(|key| key.decrypt(2, &ticket.encrypted.cipher).ok());
        match opened {
            Some(part) => TicketPart::read(&part),
            None => {
                tracing::debug!(service = %ticket.service, "a ticket that no key of the keytab opens");
                Err(AuthError::Denied)
            }
        }
    }
}

impl Exchange for KerberosServer {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        match core::mem::replace(&mut self.state, State::Fresh) {
            State::Fresh => self.check(token),
            State::Third(third) => {
                let part = ApRepPart::read(&third.ticket_key.decrypt(12, &read_ap_rep(token)?.cipher)?)?;
                let sequence = part.sequence.unwrap_or(0);
                if !bool::from(sequence.to_be_bytes().ct_eq(&third.sequence.to_be_bytes())) {
                    return Err(AuthError::kerberos("the third leg answers another one"));
                }
                Ok(Step { token: None, done: Some(Box::new(third.context)) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_are_remembered_for_as_long_as_they_are_good() {
        let mut seen = Seen::default();
        assert!(seen.is_new(b"one", 0));
        assert!(!seen.is_new(b"one", 1));
        for n in 0..SEEN_AT_MOST {
            seen.is_new(&n.to_be_bytes(), 0);
        }
        assert!(!seen.is_new(b"one more than fit", 2 * SKEW - 1));
        assert!(seen.is_new(b"later", 2 * SKEW));
        assert!(seen.0.len() < PURGE_EVERY);
    }
}
