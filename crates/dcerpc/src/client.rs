//! The client's side of an association — C706 chapter 12, [MS-RPCE] 3.3.2. No I/O: bytes come in through
//! [`ClientAssociation::handle_input`] and go out through [`ClientAssociation::poll_transmit`]; answers are events. Times
//! are durations since a moment that the program chooses.

mod auth;
mod binding;
mod calls;

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use watertight_wire::WireError;

use crate::FaultStatus;
use crate::fragment::Framer;
use crate::ndr::{Syntax, SyntaxId};
use crate::pdu::auth::AuthLevel;
use crate::pdu::{Body, Features, Pdu, RejectReason, ResultCode, ResultReason};
use crate::security::{SecurityContext, SecurityError};
use auth::Security;
use calls::{Active, Pending};

pub use calls::{CallRequest, Reply};

/// Limits and wishes of a client.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The largest fragment that is sent, and the largest that is taken.
    pub max_fragment: u16,
    /// The most stub data of an answer.
    pub max_stub: usize,
    /// The most calls that are on their way or wait.
    pub max_calls: usize,
    /// Whether several calls may be on their way at once.
    pub multiplex: bool,
    /// Whether the part around stub data is to be signed too, where provider and server can.
    pub sign_header: bool,
    /// Which features are asked for.
    pub features: Features,
    /// The association group to join; zero for a new one.
    pub group: u32,
    /// How long the server may take for its answer to a bind.
    pub bind_timeout: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            max_fragment: 5840,
            max_stub: 16 * 1024 * 1024,
            max_calls: 64,
            multiplex: true,
            sign_header: true,
            features: Features::security_context_multiplexing | Features::keep_connection_on_orphan,
            group: 0,
            bind_timeout: Duration::from_secs(30),
        }
    }
}

/// How a client authenticates, and how its calls are protected.
pub struct ClientSecurity {
    /// The provider's context, before its first token.
    pub context: Box<dyn SecurityContext>,
    /// connect, packet, integrity or privacy.
    pub level: AuthLevel,
}

impl fmt::Debug for ClientSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSecurity").field("level", &self.level).finish_non_exhaustive()
    }
}

/// What became of a presentation context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextOutcome {
    /// p_cont_id: what calls name.
    pub context_id: u16,
    /// The interface.
    pub interface: SyntaxId,
    /// The transfer syntax that the server chose, or why it refused.
    pub outcome: Result<Syntax, ContextRefusal>,
}

/// Why a server refuses a presentation context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server refuses the interface: {result}, {reason}")]
pub struct ContextRefusal {
    /// result
    pub result: ResultCode,
    /// reason
    pub reason: ResultReason,
}

/// What an association has to say.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server has accepted the association (and the client its authentication), or further contexts.
    Bound(Vec<ContextOutcome>),
    /// A call has ended.
    Reply(u32, Result<Reply, CallError>),
    /// The server will take no more calls.
    ShuttingDown,
    /// The connection is to be closed.
    Closed(Closed),
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The server says no.
    #[error("{}{status}", if *.executed { "fault " } else { "refused before it was executed: " })]
    Fault {
        /// The status.
        status: FaultStatus,
        /// Whether the call may have been executed.
        executed: bool,
    },
    /// It was not sent.
    #[error("not sent: {0}")]
    NotSent(&'static str),
    /// Its deadline has passed.
    #[error("the deadline of the call has passed")]
    TimedOut,
    /// The connection has ended.
    #[error("the connection was lost: {0}")]
    Lost(Closed),
}

/// Why a connection has ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Closed {
    /// The server closed it.
    #[error("the server closed the connection")]
    Peer,
    /// We closed it.
    #[error("closed")]
    Local,
    /// The server refuses the association.
    #[error("the server refuses the association: {0}")]
    Refused(RejectReason),
    /// What came is no PDU.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// What came may not come here.
    #[error("protocol error of the server: {0}")]
    Protocol(&'static str),
    /// The server is not who it must be, or a message was changed on its way.
    #[error("security: {0}")]
    Security(#[from] SecurityError),
    /// The authentication was refused with a fault.
    #[error("the server refuses the authentication: {0}")]
    Denied(FaultStatus),
    /// The answer to a bind did not come.
    #[error("the server does not answer")]
    Timeout,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was sent.
    Idle,
    /// A bind or an alter_context is on its way.
    Binding,
    Bound,
    Closed,
}

/// A presentation context.
#[derive(Debug, Clone, Copy)]
struct Context {
    interface: SyntaxId,
    syntax: Option<Syntax>,
}

/// The client's side of a connection.
#[derive(Debug)]
pub struct ClientAssociation {
    config: ClientConfig,
    state: State,
    framer: Framer,
    group: u32,
    /// The largest fragment that we send.
    max_transmit: u16,
    multiplex: bool,
    sign_header: bool,
    features: Features,
    contexts: BTreeMap<u16, Context>,
    /// Contexts of the bind or alter_context that is on its way, in its order; none for the negotiation of features.
    asked: Vec<Option<u16>>,
    /// The call id of it.
    asked_call: u32,
    outcomes: Vec<ContextOutcome>,
    /// Whether the bind itself was answered.
    acknowledged: bool,
    /// Whether it is answered and only the authentication goes on.
    authenticating: bool,
    /// Contexts that wait until the one before is answered.
    later: VecDeque<Vec<u16>>,
    offered: BTreeMap<u16, Vec<Syntax>>,
    security: BTreeMap<u32, Security>,
    /// The security context whose authentication goes on.
    asked_security: Option<u32>,
    next_call: u32,
    waiting: VecDeque<(u32, Pending)>,
    active: BTreeMap<u32, Active>,
    /// Calls that were given up, whose answers may still come.
    abandoned: BTreeSet<u32>,
    transmit: VecDeque<Vec<u8>>,
    events: VecDeque<ClientEvent>,
    deadline: Option<Duration>,
}

impl ClientAssociation {
    /// An association over a connection that is open.
    #[must_use]
    pub fn new(config: ClientConfig, security: Option<ClientSecurity>) -> Self {
        Self {
            state: State::Idle,
            framer: Framer::default(),
            group: config.group,
            max_transmit: config.max_fragment,
            multiplex: false,
            sign_header: false,
            features: Features::default(),
            contexts: BTreeMap::new(),
            asked: Vec::new(),
            asked_call: 0,
            outcomes: Vec::new(),
            acknowledged: false,
            authenticating: false,
            later: VecDeque::new(),
            offered: BTreeMap::new(),
            security: security.into_iter().map(|security| (0, Security::new(0, security))).collect(),
            asked_security: None,
            next_call: 1,
            waiting: VecDeque::new(),
            active: BTreeMap::new(),
            abandoned: BTreeSet::new(),
            transmit: VecDeque::new(),
            events: VecDeque::new(),
            deadline: None,
            config,
        }
    }

    /// Takes bytes that the server sent, cut anywhere.
    pub fn handle_input(&mut self, now: Duration, bytes: &[u8]) {
        if self.state == State::Closed {
            return;
        }
        self.framer.push(bytes);
        while self.state != State::Closed {
            match self.framer.next(u32::from(self.config.max_fragment)) {
                Ok(Some(fragment)) => self.fragment(now, fragment),
                Ok(None) => return,
                Err(error) => self.close(Closed::Wire(error)),
            }
        }
    }

    /// The server closed the connection.
    pub fn handle_eof(&mut self) {
        self.close(Closed::Peer);
    }

    /// Gives everything up.
    pub fn shutdown(&mut self) {
        self.close(Closed::Local);
    }

    /// The time of [`ClientAssociation::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return self.close(Closed::Timeout);
        }
        self.expire(now);
    }

    /// When [`ClientAssociation::handle_timeout`] is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let calls = self.active.values().filter_map(|call| call.deadline);
        let waiting = self.waiting.iter().filter_map(|(_, call)| call.request.deadline);
        calls.chain(waiting).chain(self.deadline).min()
    }

    /// What is to be sent next.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    /// What has happened.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// The association group, once the server has said it.
    #[must_use]
    pub fn group(&self) -> u32 {
        self.group
    }

    /// The features that the server granted.
    #[must_use]
    pub fn features(&self) -> Features {
        self.features
    }

    /// Whether nothing more will come.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    fn fragment(&mut self, now: Duration, mut fragment: Vec<u8>) {
        let pdu = match Pdu::read(&fragment) {
            Ok(pdu) => pdu,
            Err(error) => return self.close(Closed::Wire(error)),
        };
        let call_id = pdu.call_id;
        let auth = pdu.auth.map(|auth| (auth.trailer, auth.trailer_at));
        match (self.state, &pdu.body) {
            (State::Closed, _) => {}
            (State::Binding, Body::BindAck(_) | Body::AlterContextResp(_)) => self.accepted(now, &pdu),
            (State::Binding, Body::BindNak(nak)) => {
                let reason = nak.reason;
                self.close(Closed::Refused(reason));
            }
            // An alter_context is refused with a fault.
            (State::Binding, Body::Fault(head, _)) if call_id == self.asked_call => {
                let status = head.status;
                self.close(Closed::Denied(status));
            }
            (State::Bound | State::Binding, Body::Response(head, stub)) => {
                let body_at = auth.map_or(fragment.len(), |(_, at)| at).saturating_sub(stub.len());
                let (head, flags, order) = (*head, pdu.flags, pdu.order);
                self.response(now, (call_id, flags, order), head, &mut fragment, body_at, auth);
            }
            (State::Bound | State::Binding, Body::Fault(head, _)) => {
                let (status, flags) = (head.status, pdu.flags);
                self.fault(now, call_id, status, flags);
            }
            (_, Body::Shutdown) => self.events.push_back(ClientEvent::ShuttingDown),
            _ => self.close(Closed::Protocol("a PDU that does not belong here")),
        }
    }

    fn send(&mut self, pdu: Pdu<'_>, auth: Option<(crate::pdu::auth::AuthTrailer, &[u8])>) {
        match pdu.write(auth) {
            Ok(bytes) => self.transmit.push_back(bytes),
            Err(error) => self.close(Closed::Wire(error)),
        }
    }

    /// The end: every call ends with it.
    fn close(&mut self, why: Closed) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        self.framer.clear();
        self.deadline = None;
        self.security.clear();
        self.later.clear();
        for call_id in core::mem::take(&mut self.active).into_keys() {
            self.events.push_back(ClientEvent::Reply(call_id, Err(CallError::Lost(why.clone()))));
        }
        for (call_id, _) in core::mem::take(&mut self.waiting) {
            let error = CallError::NotSent("the connection has ended");
            self.events.push_back(ClientEvent::Reply(call_id, Err(error)));
        }
        self.events.push_back(ClientEvent::Closed(why));
    }
}
