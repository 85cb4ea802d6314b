//! Requests and their answers — C706 12.6.4.9 and 12.6.4.10, [MS-RPCE] 3.3.2.

use core::time::Duration;

use watertight_wire::to_usize;

use super::{CallError, ClientAssociation, ClientEvent, Closed, State};
use crate::fragment::{self, Direction, FragmentError};
use crate::ndr::{Drep, Order, Syntax};
use crate::pdu::auth::{AuthLevel, AuthTrailer};
use crate::pdu::verification::{Header2, VerificationTrailer};
use crate::pdu::{Body, Features, Flags, PacketType, Pdu, ResponseHead};
use crate::security::SecurityError;
use crate::{FaultStatus, Guid};

/// A call to make.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRequest {
    /// The presentation context.
    pub context_id: u16,
    /// The operation.
    pub opnum: u16,
    /// The object that it is about.
    pub object: Option<Guid>,
    /// The stub data, in the transfer syntax of the context.
    pub stub: Vec<u8>,
    /// Until when there must be an answer.
    pub deadline: Option<Duration>,
    /// The security context, where the connection has several; none for the first.
    pub security: Option<u32>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The stub data.
    pub stub: Vec<u8>,
    /// Its transfer syntax.
    pub syntax: Syntax,
    /// Its byte order.
    pub order: Order,
}

/// A call that was not sent yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub request: CallRequest,
}

/// A call whose answer is due.
#[derive(Debug)]
pub(super) struct Active {
    context_id: u16,
    syntax: Syntax,
    /// The security context that protects it, where one does.
    protection: Option<u32>,
    stub: Vec<u8>,
    /// The byte order of its first fragment.
    order: Option<Order>,
    pub deadline: Option<Duration>,
}

impl ClientAssociation {
    /// Makes a call; its answer is a [`ClientEvent::Reply`] with the id that this returns. It is sent when the association
    /// is there, and when the calls before it allow.
    pub fn call(&mut self, now: Duration, request: CallRequest) -> u32 {
        let call_id = self.take_call_id();
        let refused = if self.state == State::Closed {
            Some("the connection has ended")
        } else if self.active.len().saturating_add(self.waiting.len()) >= self.config.max_calls {
            Some("too many calls on this connection")
        } else {
            None
        };
        match refused {
            Some(why) => self.ended(call_id, Err(CallError::NotSent(why))),
            None => {
                self.waiting.push_back((call_id, Pending { request }));
                self.send_waiting(now);
            }
        }
        call_id
    }

    /// Asks the server to cut a call short; its answer still comes.
    pub fn cancel(&mut self, call_id: u32) {
        if self.active.contains_key(&call_id) {
            self.send(Pdu::new(call_id, Body::Cancel), None);
        } else if self.waiting.iter().any(|(id, _)| *id == call_id) {
            self.waiting.retain(|(id, _)| *id != call_id);
            let error = CallError::Fault { status: FaultStatus::nca_s_fault_cancel, executed: false };
            self.ended(call_id, Err(error));
        }
    }

    /// Gives a call up: no answer is wanted. Where the server does not keep connections of such calls, this ends it.
    pub fn abandon(&mut self, now: Duration, call_id: u32) {
        self.waiting.retain(|(id, _)| *id != call_id);
        if self.active.remove(&call_id).is_none() {
            return;
        }
        if self.features.contains(Features::keep_connection_on_orphan) {
            // A server that keeps the connection does not answer: only the last few are remembered.
            if self.abandoned.len() >= self.config.max_calls {
                self.abandoned.pop_first();
            }
            self.abandoned.insert(call_id);
            self.send(Pdu::new(call_id, Body::Orphaned), None);
            self.send_waiting(now);
        } else {
            self.close(Closed::Local);
        }
    }

    pub(super) fn take_call_id(&mut self) -> u32 {
        let id = self.next_call;
        // Zero is left out: some servers take it for none.
        self.next_call = id.checked_add(1).unwrap_or(1);
        id
    }

    pub(super) fn expire(&mut self, now: Duration) {
        let late = |deadline: Option<Duration>| deadline.is_some_and(|deadline| deadline <= now);
        let active = self.active.iter().filter(|(_, call)| late(call.deadline)).map(|(id, _)| *id);
        let waiting = self.waiting.iter().filter(|(_, call)| late(call.request.deadline)).map(|(id, _)| *id);
        for call_id in active.chain(waiting).collect::<Vec<_>>() {
            self.ended(call_id, Err(CallError::TimedOut));
            self.abandon(now, call_id);
        }
    }

    fn ended(&mut self, call_id: u32, result: Result<Reply, CallError>) {
        self.events.push_back(ClientEvent::Reply(call_id, result));
    }

    /// Sends what may be sent: everything, or one call at a time where the server does not multiplex.
    pub(super) fn send_waiting(&mut self, now: Duration) {
        while self.state == State::Bound && (self.multiplex || self.active.is_empty()) {
            let Some((call_id, Pending { request })) = self.waiting.pop_front() else { return };
            if request.deadline.is_some_and(|deadline| deadline <= now) {
                self.ended(call_id, Err(CallError::TimedOut));
                continue;
            }
            if let Err(error) = self.send_request(call_id, request) {
                self.ended(call_id, Err(error));
            }
        }
    }

    fn send_request(&mut self, call_id: u32, request: CallRequest) -> Result<(), CallError> {
        let CallRequest { context_id, opnum, object, mut stub, deadline, security } = request;
        let context = self.contexts.get(&context_id).copied();
        let context = context.ok_or(CallError::NotSent("no such presentation context"))?;
        let syntax =
            context.syntax.ok_or(CallError::NotSent("the server refused the presentation context"))?;
        let sign_header = self.sign_header;
        let max = usize::from(self.max_transmit);
        let id = security.or_else(|| self.security.keys().next().copied());
        if security.is_some_and(|id| self.security.get(&id).is_none_or(|security| !security.established)) {
            return Err(CallError::NotSent("no such security context"));
        }
        let protection = match id.and_then(|id| self.security.get_mut(&id)) {
            Some(security) => {
                if security.level.0 >= AuthLevel::integrity.0 {
                    let can_sign = self.config.sign_header && security.context.can_sign_header();
                    let header2 = Header2 {
                        packet_type: PacketType::request,
                        drep: Drep::LITTLE,
                        call_id,
                        context_id,
                        opnum,
                    };
                    let trailer = VerificationTrailer {
                        bitmask: can_sign.then_some(1),
                        context: Some((context.interface, syntax.id())),
                        header2: (!sign_header).then_some(header2),
                    };
                    trailer.append(&mut stub);
                }
                security.protection(sign_header)
            }
            None => None,
        };
        let direction = Direction::Request { context_id, opnum, object };
        let protected = protection.as_ref().map(|protection| protection.context_id);
        match fragment::cut(direction, call_id, Flags::default(), &stub, max, protection) {
            Ok(fragments) => self.transmit.extend(fragments),
            Err(FragmentError::Wire(_) | FragmentError::TooSmall(_)) => {
                return Err(CallError::NotSent("it does not fit into fragments"));
            }
            Err(FragmentError::Security(error)) => {
                self.close(Closed::Security(error));
                return Err(CallError::NotSent("the security provider refused"));
            }
        }
        let active =
            Active { context_id, syntax, protection: protected, stub: Vec::new(), order: None, deadline };
        self.active.insert(call_id, active);
        Ok(())
    }

    pub(super) fn response(
        &mut self,
        now: Duration,
        (call_id, flags, order): (u32, Flags, Order),
        head: ResponseHead,
        fragment: &mut [u8],
        body_at: usize,
        auth: Option<(AuthTrailer, usize)>,
    ) {
        // The signature is checked first, also of what nobody waits for: sequence numbers count every message.
        let stub = match self.open(call_id, fragment, body_at, auth) {
            Ok(stub) => fragment.get(stub).unwrap_or_default(),
            Err(error) => return self.close(Closed::Security(error)),
        };
        let Some(active) = self.active.get_mut(&call_id) else {
            return self.unexpected(call_id, flags);
        };
        let first = flags.contains(Flags::first);
        if first != active.order.is_none() {
            return self.close(Closed::Protocol("a response begins twice, or does not begin"));
        }
        // Windows sends no more than the low byte.
        if head.context_id & 0xff != active.context_id & 0xff {
            return self.close(Closed::Protocol("a response in another presentation context"));
        }
        if *active.order.get_or_insert(order) != order {
            return self.close(Closed::Protocol("a response changes its byte order"));
        }
        let len = active.stub.len().saturating_add(stub.len());
        if len > self.config.max_stub || first && to_usize(head.alloc_hint) > self.config.max_stub {
            return self.close(Closed::Protocol("a response that is larger than the limit"));
        }
        active.stub.extend_from_slice(stub);
        if flags.contains(Flags::last)
            && let Some(active) = self.active.remove(&call_id)
        {
            let reply = Reply { stub: active.stub, syntax: active.syntax, order };
            self.ended(call_id, Ok(reply));
            self.send_waiting(now);
        }
    }

    /// An answer to a call that was given up may still come; any other is an error.
    fn unexpected(&mut self, call_id: u32, flags: Flags) {
        if !self.abandoned.contains(&call_id) {
            return self.close(Closed::Protocol("a response to a call that was not made"));
        }
        if flags.contains(Flags::last) {
            self.abandoned.remove(&call_id);
        }
    }

    fn open(
        &mut self,
        call_id: u32,
        fragment: &mut [u8],
        body_at: usize,
        auth: Option<(AuthTrailer, usize)>,
    ) -> Result<core::ops::Range<usize>, SecurityError> {
        let due = self.active.get(&call_id).map(|active| active.protection);
        let Some((trailer, at)) = auth else {
            // An answer to a call that was protected is protected by the same security context.
            return match due {
                Some(Some(_)) => Err(SecurityError::Signature),
                _ => Ok(body_at..fragment.len()),
            };
        };
        let sign_header = self.sign_header;
        let security = self.security.get_mut(&trailer.context_id);
        let Some(protection) = security.and_then(|security| security.protection(sign_header)) else {
            return match due {
                Some(Some(_)) => Err(SecurityError::Signature),
                _ => Ok(body_at..unpadded(trailer, at, body_at)),
            };
        };
        let same = trailer.auth_type == protection.security.auth_type()
            && trailer.auth_level.effective() == protection.level
            && due.is_none_or(|due| due == Some(trailer.context_id));
        if !same {
            return Err(SecurityError::Signature);
        }
        fragment::open(fragment, body_at, (trailer, at), protection)
    }

    pub(super) fn fault(&mut self, now: Duration, call_id: u32, status: FaultStatus, flags: Flags) {
        if self.active.remove(&call_id).is_none() {
            return self.unexpected(call_id, flags);
        }
        let executed = !flags.contains(Flags::did_not_execute);
        self.ended(call_id, Err(CallError::Fault { status, executed }));
        self.send_waiting(now);
    }
}

fn unpadded(trailer: AuthTrailer, trailer_at: usize, body_at: usize) -> usize {
    trailer_at.saturating_sub(usize::from(trailer.pad_length)).max(body_at)
}
