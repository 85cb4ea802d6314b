//! The server's side of an association — C706 chapter 12, [MS-RPCE] 3.3.3. No I/O: bytes come in through
//! [`ServerAssociation::handle_input`] and go out through [`ServerAssociation::poll_transmit`]; calls are events, which
//! the program answers with [`ServerAssociation::respond`]. Times are durations since a moment that the program chooses.

mod auth;
mod binding;
mod calls;
mod config;
mod groups;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use watertight_wire::WireError;

use crate::fragment::Framer;
use crate::interface::Caller;
use crate::ndr::{Order, Syntax, SyntaxId};
use crate::pdu::{Body, FaultHead, Features, Flags, HEADER_LEN, Pdu};
use crate::security::SecurityError;
use crate::{FaultStatus, Guid};
use auth::Security;
use calls::Incoming;

pub use config::{Interface, ServerConfig};
pub use groups::{Groups, Membership};

/// A call that has arrived in full.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What [`ServerAssociation::respond`] wants back.
    pub call_id: u32,
    /// The interface, as the server has it.
    pub interface: SyntaxId,
    /// The operation.
    pub opnum: u16,
    /// The object that it is about.
    pub object: Option<Guid>,
    /// The stub data.
    pub stub: Vec<u8>,
    /// Its transfer syntax.
    pub syntax: Syntax,
    /// Its byte order.
    pub order: Order,
    /// Who calls.
    pub caller: Caller,
}

/// What an association has to say.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// The client is accepted, in that association group.
    Bound(u32),
    /// A call is to be executed.
    Call(Box<Call>),
    /// The client no longer wants the answer; it may be a fault now.
    Cancelled(u32),
    /// The client has given the call up: no answer will be sent.
    Orphaned(u32),
    /// auth3 came: an unmodified client waits for the acknowledgement of the transport.
    Acknowledge,
    /// The connection is to be closed, once everything was sent.
    Closed(Closed),
}

/// Why the server closes a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Closed {
    /// The client closed it.
    #[error("the client closed the connection")]
    Peer,
    /// The server ends.
    #[error("the server is shutting down")]
    Shutdown,
    /// What came is no PDU.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// What came may not come here.
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// The client is not who it must be, or a message was changed on its way.
    #[error("security: {0}")]
    Security(#[from] SecurityError),
    /// A limit of ours.
    #[error("limit: {0}")]
    Limit(&'static str),
    /// No bind came, or the rest of a fragment or of a call did not, or nothing at all.
    #[error("timeout: {0}")]
    Timeout(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Only a bind may come.
    Start,
    Bound,
    Closed,
}

/// A presentation context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Context {
    interface: SyntaxId,
    /// What the client called it.
    requested: SyntaxId,
    syntax: Syntax,
}

/// The server's side of a connection.
#[derive(Debug)]
pub struct ServerAssociation {
    config: ServerConfig,
    state: State,
    framer: Framer,
    group: Option<Membership>,
    groups: Groups,
    /// The largest fragment that was agreed on, both ways; what is taken is up to the limit.
    max_fragment: u16,
    multiplex: bool,
    header_signing: bool,
    features: Features,
    contexts: BTreeMap<u16, Context>,
    security: BTreeMap<u32, Security>,
    /// An authentication failed: what comes now is refused, as nothing could be said when it did.
    denied: bool,
    incoming: BTreeMap<u32, Incoming>,
    executing: BTreeMap<u32, calls::Executing>,
    /// Complete calls that wait for the one before, where the client does not multiplex.
    waiting: VecDeque<Box<Call>>,
    transmit: VecDeque<Vec<u8>>,
    events: VecDeque<ServerEvent>,
    opened: Duration,
    last_input: Duration,
    /// When the fragment began of which the rest is missing.
    half_since: Duration,
}

impl ServerAssociation {
    /// A connection that was accepted at `now`.
    #[must_use]
    pub fn new(now: Duration, config: ServerConfig, groups: &Groups) -> Self {
        Self {
            max_fragment: config.max_fragment,
            config,
            state: State::Start,
            framer: Framer::default(),
            group: None,
            groups: groups.clone(),
            multiplex: false,
            header_signing: false,
            features: Features::default(),
            contexts: BTreeMap::new(),
            security: BTreeMap::new(),
            denied: false,
            incoming: BTreeMap::new(),
            executing: BTreeMap::new(),
            waiting: VecDeque::new(),
            transmit: VecDeque::new(),
            events: VecDeque::new(),
            opened: now,
            last_input: now,
            half_since: now,
        }
    }

    /// Takes bytes that the client sent, cut anywhere. What [`ServerAssociation::poll_transmit`] has is to be sent before
    /// more is taken: a client that does not read its answers is not to be listened to.
    pub fn handle_input(&mut self, now: Duration, bytes: &[u8]) {
        if self.state == State::Closed {
            return;
        }
        self.last_input = now;
        if !self.framer.is_half() {
            self.half_since = now;
        }
        self.framer.push(bytes);
        while self.state != State::Closed {
            match self.framer.next(u32::from(self.config.max_fragment)) {
                Ok(Some(fragment)) => {
                    self.half_since = now;
                    self.fragment(fragment);
                }
                Ok(None) => return,
                Err(error) => self.unreadable(error),
            }
        }
    }

    /// The client closed the connection.
    pub fn handle_eof(&mut self) {
        self.close(Closed::Peer);
    }

    /// The time of [`ServerAssociation::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.close(Closed::Timeout(self.waits_for()));
        }
    }

    /// When [`ServerAssociation::handle_timeout`] is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let (since, patience) = match self.state {
            State::Closed => return None,
            State::Start => (self.opened, self.config.bind_timeout),
            State::Bound if self.is_half() => {
                let fragment = self.framer.is_half().then_some(self.half_since);
                let since = self.incoming.values().map(|incoming| incoming.since).chain(fragment).min()?;
                (since, self.config.stall_timeout)
            }
            State::Bound if self.executing.is_empty() => (self.last_input, self.config.idle_timeout?),
            State::Bound => return None,
        };
        Some(since.saturating_add(patience))
    }

    /// What is to be sent next.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    /// What has happened.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// Tells the client that no more calls are wanted, and closes.
    pub fn shutdown(&mut self) {
        self.send(Pdu::new(0, Body::Shutdown));
        self.close(Closed::Shutdown);
    }

    /// The association group, once there is one.
    #[must_use]
    pub fn group(&self) -> Option<u32> {
        self.group.as_ref().map(Membership::id)
    }

    /// Whether nothing more will come.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    fn is_half(&self) -> bool {
        self.framer.is_half() || !self.incoming.is_empty()
    }

    fn waits_for(&self) -> &'static str {
        match self.state {
            State::Start => "no bind",
            _ if self.is_half() => "the rest of a call did not come",
            _ => "idle",
        }
    }

    fn fragment(&mut self, fragment: Vec<u8>) {
        let pdu = match Pdu::read(&fragment) {
            Ok(pdu) => pdu,
            Err(error) => return self.unreadable_fragment(&fragment, error),
        };
        let (call_id, flags) = (pdu.call_id, pdu.flags);
        match (self.state, &pdu.body) {
            (State::Closed, _) => {}
            (State::Start, Body::Bind(_)) => self.bind(pdu),
            (State::Start, _) => self.disconnect(call_id, "the first PDU is not a bind"),
            (State::Bound, Body::AlterContext(_)) => self.alter(pdu),
            (State::Bound, Body::Auth3) => self.auth3(&pdu),
            (State::Bound, Body::Request(head, object, stub)) => {
                let body_at =
                    pdu.auth.map_or(fragment.len(), |auth| auth.trailer_at).saturating_sub(stub.len());
                let auth = pdu.auth.map(|auth| (auth.trailer, auth.trailer_at));
                let request =
                    calls::Request { call_id, flags, head: *head, object: *object, order: pdu.order };
                self.request(request, fragment, body_at, auth);
            }
            (State::Bound, Body::Cancel) => self.cancelled(call_id),
            (State::Bound, Body::Orphaned) => self.orphaned(call_id),
            // A second bind is refused; the association ends with it.
            (State::Bound, Body::Bind(_)) => {
                self.nak(call_id, crate::pdu::RejectReason::reason_not_specified);
                self.close(Closed::Protocol("a second bind"));
            }
            (State::Bound, _) => self.disconnect(call_id, "a PDU that servers send"),
        }
    }

    /// What cannot be read ends the connection; a bind of another version is told so first.
    fn unreadable(&mut self, error: WireError) {
        let waiting = self.framer.waiting().to_vec();
        self.framer.clear();
        self.unreadable_fragment(&waiting, error);
    }

    fn unreadable_fragment(&mut self, fragment: &[u8], error: WireError) {
        let call_id = fragment.get(12..HEADER_LEN).and_then(|id| id.first_chunk::<4>());
        let call_id = call_id.map_or(0, |id| match fragment.get(4) {
            Some(0x10) => u32::from_le_bytes(*id),
            _ => u32::from_be_bytes(*id),
        });
        let is_bind = fragment.get(2) == Some(&crate::pdu::PacketType::bind.0);
        if self.state == State::Start && is_bind {
            // [MS-RPCE] 2.2.2.5 has this reason for any protocol error in a bind.
            self.nak(call_id, crate::pdu::RejectReason::protocol_version_not_supported);
        } else if self.state == State::Bound {
            self.fault_with(call_id, 0, FaultStatus::nca_s_proto_error, Flags::default());
        }
        self.close(Closed::Wire(error));
    }

    /// A fault that says that nothing was executed, and the end.
    fn disconnect(&mut self, call_id: u32, why: &'static str) {
        self.fault_with(call_id, 0, FaultStatus::nca_s_proto_error, Flags::did_not_execute);
        self.close(Closed::Protocol(why));
    }

    /// The same for a request whose fragments break the rules; here Windows does not say whether it was executed.
    fn break_off(&mut self, call_id: u32, context_id: u16, why: &'static str) {
        self.fault_with(call_id, context_id, FaultStatus::nca_s_proto_error, Flags::default());
        self.close(Closed::Protocol(why));
    }

    fn fault_with(&mut self, call_id: u32, context_id: u16, status: FaultStatus, flags: Flags) {
        let mut pdu = Pdu::new(call_id, Body::Fault(FaultHead::new(context_id, status), &[]));
        pdu.flags = pdu.flags | flags;
        self.send(pdu);
    }

    fn send(&mut self, pdu: Pdu<'_>) {
        self.send_with(pdu, None);
    }

    fn send_with(&mut self, pdu: Pdu<'_>, auth: Option<(crate::pdu::auth::AuthTrailer, &[u8])>) {
        if self.state == State::Closed {
            return;
        }
        match pdu.write(auth) {
            Ok(bytes) => self.transmit.push_back(bytes),
            Err(error) => self.close(Closed::Wire(error)),
        }
    }

    /// The end: everything that the association held is let go.
    fn close(&mut self, why: Closed) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        self.framer.clear();
        self.group = None;
        self.contexts.clear();
        self.security.clear();
        self.incoming.clear();
        self.waiting.clear();
        let executing = core::mem::take(&mut self.executing);
        self.events.extend(executing.into_keys().map(ServerEvent::Orphaned));
        self.events.push_back(ServerEvent::Closed(why));
    }
}
