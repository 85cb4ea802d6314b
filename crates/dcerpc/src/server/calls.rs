//! Requests, responses and faults — C706 12.6.4.9 and 12.6.4.10, [MS-RPCE] 3.3.1.5.

use core::ops::Range;
use core::time::Duration;

use watertight_wire::to_usize;

use super::{Call, Closed, ServerAssociation, ServerEvent};
use crate::fragment::{self, Direction, Protection};
use crate::interface::Caller;
use crate::ndr::{Drep, Order, SyntaxId};
use crate::pdu::auth::{AuthLevel, AuthTrailer};
use crate::pdu::verification::VerificationTrailer;
use crate::pdu::{Flags, Header, PacketType, RequestHead};
use crate::security::SecurityError;
use crate::{FaultStatus, Guid};

/// The head of a request.
pub(super) struct Request {
    pub call_id: u32,
    pub flags: Flags,
    pub head: RequestHead,
    pub object: Option<Guid>,
    pub order: Order,
}

/// A call of which fragments are missing.
#[derive(Debug)]
pub(super) struct Incoming {
    head: RequestHead,
    object: Option<Guid>,
    order: Order,
    stub: Vec<u8>,
    protection: Option<u32>,
    maybe: bool,
    /// When its first fragment came.
    pub since: Duration,
}

/// A call whose answer is due.
#[derive(Debug)]
pub(super) struct Executing {
    context_id: u16,
    protection: Option<u32>,
    maybe: bool,
}

impl ServerAssociation {
    pub(super) fn request(
        &mut self,
        request: Request,
        mut bytes: Vec<u8>,
        body_at: usize,
        auth: Option<(AuthTrailer, usize)>,
    ) {
        let (call_id, context_id) = (request.call_id, request.head.context_id);
        if self.denied {
            return self.deny(call_id, context_id, SecurityError::Denied);
        }
        let (stub, protection) = match self.open(&mut bytes, body_at, auth) {
            Ok(opened) => opened,
            Err(error) => return self.deny(call_id, context_id, error),
        };
        let stub = bytes.get(stub).unwrap_or_default();
        let first = request.flags.contains(Flags::first);
        let known = self.incoming.contains_key(&call_id);
        match (first, known) {
            (true, true) => return self.break_off(call_id, context_id, "a call begins twice"),
            (false, false) => return self.break_off(call_id, 0, "a call does not begin"),
            (true, false) => {
                if !self.begin(&request, protection) {
                    return;
                }
            }
            (false, true) => {}
        }
        let Some(incoming) = self.incoming.get_mut(&call_id) else { return };
        if incoming.head.context_id != context_id || incoming.head.opnum != request.head.opnum {
            return self.break_off(call_id, context_id, "a call changes its operation or its context");
        }
        if incoming.protection != protection {
            return self.deny(call_id, context_id, SecurityError::Denied);
        }
        if incoming.order != request.order {
            return self.break_off(call_id, context_id, "a call changes its byte order");
        }
        incoming.stub.extend_from_slice(stub);
        let all: usize = self.incoming.values().map(|incoming| incoming.stub.len()).sum();
        let own = self.incoming.get(&call_id).map_or(0, |incoming| incoming.stub.len());
        if own > self.config.max_stub || all > self.config.max_incomplete {
            return self.too_large(call_id, context_id);
        }
        if request.flags.contains(Flags::last)
            && let Some(incoming) = self.incoming.remove(&call_id)
        {
            self.complete(call_id, incoming);
        }
    }

    fn too_large(&mut self, call_id: u32, context_id: u16) {
        // The status is Windows'.
        self.fault_with(call_id, context_id, FaultStatus::access_denied, Flags::default());
        self.close(Closed::Limit("stub data"));
    }

    /// The first fragment of a call; whether the call goes on.
    fn begin(&mut self, request: &Request, protection: Option<u32>) -> bool {
        let (call_id, context_id) = (request.call_id, request.head.context_id);
        let waiting = self.waiting.iter().any(|call| call.call_id == call_id);
        if self.executing.contains_key(&call_id) || waiting {
            self.break_off(call_id, context_id, "a call id that is in use");
            return false;
        }
        if !self.multiplex
            && let Some((&before, incoming)) = self.incoming.first_key_value()
        {
            let context_id = incoming.head.context_id;
            self.break_off(before, context_id, "calls are mixed that may not be");
            return false;
        }
        if request.flags.contains(Flags::pending_cancel) {
            let status = FaultStatus::rpc_s_no_call_active;
            self.fault_with(call_id, 0, status, Flags::did_not_execute);
            self.close(Closed::Protocol("a call is cancelled before it begins"));
            return false;
        }
        if self.incoming.len() >= self.config.max_calls {
            self.fault_with(call_id, context_id, FaultStatus::nca_s_server_too_busy, Flags::did_not_execute);
            self.close(Closed::Limit("calls that are not complete"));
            return false;
        }
        // Of a call in one fragment, its length is known.
        let more = !request.flags.contains(Flags::last);
        if more && to_usize(request.head.alloc_hint) > self.config.max_stub {
            self.too_large(call_id, context_id);
            return false;
        }
        self.incoming.insert(
            call_id,
            Incoming {
                head: request.head,
                object: request.object,
                order: request.order,
                stub: Vec::new(),
                protection,
                maybe: request.flags.contains(Flags::maybe),
                since: self.last_input,
            },
        );
        true
    }

    /// Where the stub data of a fragment is, and by which security context it was protected.
    fn open(
        &mut self,
        bytes: &mut [u8],
        body_at: usize,
        auth: Option<(AuthTrailer, usize)>,
    ) -> Result<(Range<usize>, Option<u32>), SecurityError> {
        let Some((trailer, trailer_at)) = auth else {
            // Where every context protects its messages, one that is not protected belongs to none.
            let mut connected = self.security.iter().filter(|(_, s)| s.established && !s.level.protects());
            let only = connected.next().map(|(id, _)| *id);
            return match (only, self.security.is_empty()) {
                (None, false) => Err(SecurityError::Denied),
                (only, _) => Ok((body_at..bytes.len(), only)),
            };
        };
        let security = self.security.get_mut(&trailer.context_id).ok_or(SecurityError::Denied)?;
        if !security.matches(&trailer) || !security.established {
            return Err(SecurityError::Denied);
        }
        let id = Some(trailer.context_id);
        if !security.level.protects() {
            let end = trailer_at.saturating_sub(usize::from(trailer.pad_length)).max(body_at);
            return Ok((body_at..end, id));
        }
        let protection = Protection {
            level: security.level,
            context_id: trailer.context_id,
            sign_header: self.header_signing,
            security: security.context.as_mut(),
        };
        Ok((fragment::open(bytes, body_at, (trailer, trailer_at), protection)?, id))
    }

    fn complete(&mut self, call_id: u32, incoming: Incoming) {
        let Incoming { head, object, order, mut stub, protection, maybe, .. } = incoming;
        let Some(context) = self.contexts.get(&head.context_id).copied() else {
            // Windows forgives that only while nothing else is under way.
            if !self.incoming.is_empty() {
                return self.break_off(call_id, 0, "no such presentation context");
            }
            return self.refuse(call_id, 0, FaultStatus::nca_s_unk_if, maybe);
        };
        let security = protection.and_then(|id| self.security.get(&id));
        let level = security.map(|security| security.level);
        let interface = self.config.interfaces.iter().find(|ours| ours.id == context.interface);
        let least = interface.and_then(|interface| interface.least_level);
        if least.is_some_and(|least| level.is_none_or(|level| level.0 < least.0)) {
            return self.refuse(call_id, head.context_id, FaultStatus::access_denied, maybe);
        }
        let principal = security.and_then(|security| security.context.principal());
        if level.is_some_and(|level| level.0 >= AuthLevel::integrity.0) {
            let checked = VerificationTrailer::take(&mut stub).and_then(|trailer| match trailer {
                Some(trailer) => {
                    let mut header = Header::new(PacketType::request, Flags::default(), call_id);
                    header.drep = match order {
                        Order::Little => Drep::LITTLE,
                        Order::Big => Drep::BIG,
                    };
                    let context: (u16, SyntaxId, SyntaxId) =
                        (head.context_id, context.requested, context.syntax.id());
                    trailer.check(&header, context, head.opnum)
                }
                None => Ok(()),
            });
            if checked.is_err() {
                return self.deny(call_id, head.context_id, SecurityError::Denied);
            }
        }
        if self.executing.len().saturating_add(self.waiting.len()) >= self.config.max_calls {
            return self.refuse(call_id, head.context_id, FaultStatus::nca_s_server_too_busy, maybe);
        }
        let caller =
            Caller { group: self.group().unwrap_or(0), object, level, principal, local: self.config.local };
        let call = Box::new(Call {
            call_id,
            interface: context.interface,
            opnum: head.opnum,
            object,
            stub,
            syntax: context.syntax,
            order,
            caller,
        });
        let busy = !self.executing.is_empty();
        let executing = Executing { context_id: head.context_id, protection, maybe };
        self.executing.insert(call_id, executing);
        if busy && !self.multiplex {
            self.waiting.push_back(call);
        } else {
            self.events.push_back(ServerEvent::Call(call));
        }
    }

    /// A fault that says that the call did not execute; the connection goes on.
    fn refuse(&mut self, call_id: u32, context_id: u16, status: FaultStatus, maybe: bool) {
        if !maybe {
            self.fault_with(call_id, context_id, status, Flags::did_not_execute);
        }
    }

    /// Answers a call with stub data or a fault. Nothing is sent when the client has given the call up.
    pub fn respond(&mut self, call_id: u32, answer: Result<&[u8], FaultStatus>) {
        let Some(executing) = self.executing.remove(&call_id) else { return };
        if !executing.maybe {
            match answer {
                Ok(stub) => self.response(call_id, &executing, stub),
                Err(status) => {
                    // A fault may not say that all is well: [MS-RPCE] 3.1.1.5.5.
                    let status = match status {
                        FaultStatus::rpc_s_ok => FaultStatus::nca_s_fault_unspec,
                        other => other,
                    };
                    // What the dispatcher refuses before it executes anything says so.
                    let flags = match status {
                        FaultStatus::nca_s_op_rng_error | FaultStatus::nca_s_unk_if => Flags::did_not_execute,
                        _ => Flags::default(),
                    };
                    self.fault_with(call_id, executing.context_id, status, flags);
                }
            }
        }
        if let Some(next) = self.waiting.pop_front() {
            self.events.push_back(ServerEvent::Call(next));
        }
    }

    fn response(&mut self, call_id: u32, executing: &Executing, stub: &[u8]) {
        let direction = Direction::Response { context_id: executing.context_id, cancel_count: 0 };
        let security = executing.protection.and_then(|id| self.security.get_mut(&id).map(|s| (id, s)));
        let protection = match security {
            Some((context_id, security)) if security.level.protects() => Some(Protection {
                level: security.level,
                context_id,
                sign_header: self.header_signing,
                security: security.context.as_mut(),
            }),
            _ => None,
        };
        let max = usize::from(self.max_fragment);
        match fragment::cut(direction, call_id, Flags::default(), stub, max, protection) {
            Ok(fragments) => self.transmit.extend(fragments),
            Err(error) => {
                let status = FaultStatus::rpc_s_sec_pkg_error;
                self.fault_with(call_id, executing.context_id, status, Flags::default());
                self.close(match error {
                    fragment::FragmentError::Security(error) => Closed::Security(error),
                    fragment::FragmentError::Wire(error) => Closed::Wire(error),
                    fragment::FragmentError::TooSmall(_) => Closed::Limit("fragment size"),
                });
            }
        }
    }

    pub(super) fn cancelled(&mut self, call_id: u32) {
        // A cancel of what is not complete is not remembered, and answers do not count them: Windows does neither.
        if self.executing.contains_key(&call_id) {
            self.events.push_back(ServerEvent::Cancelled(call_id));
        }
    }

    pub(super) fn orphaned(&mut self, call_id: u32) {
        // What is not complete goes on: Windows answers it when the rest comes.
        let waiting = self.waiting.len();
        self.waiting.retain(|call| call.call_id != call_id);
        if self.waiting.len() < waiting {
            self.executing.remove(&call_id);
        } else if let Some(executing) = self.executing.get_mut(&call_id) {
            // It may still be executing: its answer goes nowhere, and the next one waits for it.
            executing.maybe = true;
            self.events.push_back(ServerEvent::Orphaned(call_id));
        }
    }
}
