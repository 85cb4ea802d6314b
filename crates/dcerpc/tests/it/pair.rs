//! A client and a server over a network that cuts bytes where it is told, with a clock that stands still.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use watertight_dcerpc::client::*;
use watertight_dcerpc::interface::{Dispatch, Stub};
use watertight_dcerpc::ndr::{Syntax, SyntaxId};
use watertight_dcerpc::pdu::auth::{AuthLevel, AuthType};
use watertight_dcerpc::pdu::fragment_len;
use watertight_dcerpc::security::*;
use watertight_dcerpc::server::{Call, Groups, Interface, ServerAssociation, ServerConfig, ServerEvent};
use watertight_dcerpc::{FaultStatus, Guid};

pub const ECHO: SyntaxId =
    SyntaxId::new(Guid::new(0x60a1_5ec5, 0x4de8, 0x11d7, [0xa6, 0x37, 0, 0x50, 0x56, 0xa2, 1, 0x82]), 1, 0);
pub const OTHER: SyntaxId =
    SyntaxId::new(Guid::new(0x0bad_f00d, 0x4de8, 0x11d7, [0xa6, 0x37, 0, 0x50, 0x56, 0xa2, 1, 0x82]), 1, 0);

pub struct Pair {
    pub now: Duration,
    pub client: ClientAssociation,
    pub server: ServerAssociation,
    pub groups: Groups,
    /// How many bytes arrive at once.
    pub chunk: usize,
    pub to_server: Vec<Vec<u8>>,
    pub to_client: Vec<Vec<u8>>,
    pub client_events: Vec<ClientEvent>,
    pub server_events: Vec<ServerEvent>,
}

pub fn server_config() -> ServerConfig {
    ServerConfig::new([Interface::open(ECHO)])
}

impl Pair {
    pub fn new() -> Self {
        Self::with(ClientConfig::default(), None, server_config())
    }

    pub fn with(client: ClientConfig, security: Option<ClientSecurity>, server: ServerConfig) -> Self {
        let (groups, now) = (Groups::new(0x1234), Duration::from_secs(1));
        Self {
            now,
            client: ClientAssociation::new(client, security),
            server: ServerAssociation::new(now, server, &groups),
            groups,
            chunk: usize::MAX,
            to_server: Vec::new(),
            to_client: Vec::new(),
            client_events: Vec::new(),
            server_events: Vec::new(),
        }
    }

    pub fn bind(&mut self) -> u16 {
        let ids = self.client.bind(self.now, &[(ECHO, &[Syntax::Ndr])]);
        self.run();
        ids[0]
    }

    pub fn call(&mut self, context_id: u16, opnum: u16, stub: &[u8]) -> u32 {
        let request = CallRequest {
            context_id,
            opnum,
            object: None,
            stub: stub.to_vec(),
            deadline: None,
            security: None,
        };
        self.client.call(self.now, request)
    }

    /// Carries bytes until nobody has any.
    pub fn run(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(bytes) = self.client.poll_transmit() {
                quiet = false;
                for chunk in bytes.chunks(self.chunk.min(bytes.len())) {
                    self.server.handle_input(self.now, chunk);
                }
                self.to_server.push(bytes);
            }
            while let Some(bytes) = self.server.poll_transmit() {
                quiet = false;
                for chunk in bytes.chunks(self.chunk.min(bytes.len())) {
                    self.client.handle_input(self.now, chunk);
                }
                self.to_client.push(bytes);
            }
            while let Some(event) = self.client.poll_event() {
                self.client_events.push(event);
            }
            while let Some(event) = self.server.poll_event() {
                self.server_events.push(event);
            }
            if quiet {
                return;
            }
        }
    }

    /// Executes what has arrived: operation 0 answers with what it got, backwards; others are not there.
    pub fn serve(&mut self) {
        self.run();
        while let Some(call) = self.next_call() {
            let mut stub = call.stub.clone();
            stub.reverse();
            match call.opnum {
                0 => self.server.respond(call.call_id, Ok(&stub)),
                _ => self.server.respond(call.call_id, Err(FaultStatus::nca_s_op_rng_error)),
            }
            self.run();
        }
    }

    pub fn serve_with(&mut self, dispatch: &mut dyn Dispatch) {
        self.run();
        while let Some(call) = self.next_call() {
            let stub = Stub { bytes: &call.stub, syntax: call.syntax, order: call.order };
            let answer = dispatch.dispatch(&call.caller, call.opnum, stub);
            self.server.respond(call.call_id, answer.as_deref().map_err(|status| *status));
            self.run();
        }
    }

    pub fn next_call(&mut self) -> Option<Box<Call>> {
        let at = self.server_events.iter().position(|event| matches!(event, ServerEvent::Call(_)))?;
        match self.server_events.remove(at) {
            ServerEvent::Call(call) => Some(call),
            _ => None,
        }
    }

    pub fn reply(&mut self, call_id: u32) -> Result<Reply, CallError> {
        let at =
            self.client_events.iter().position(|e| matches!(e, ClientEvent::Reply(id, _) if *id == call_id));
        match self.client_events.remove(at.expect("a reply")) {
            ClientEvent::Reply(_, result) => result,
            _ => unreachable!(),
        }
    }

    pub fn outcomes(&mut self) -> Vec<ContextOutcome> {
        let at = self.client_events.iter().position(|e| matches!(e, ClientEvent::Bound(_)));
        match self.client_events.remove(at.expect("bound")) {
            ClientEvent::Bound(outcomes) => outcomes,
            _ => unreachable!(),
        }
    }

    pub fn server_closed(&self) -> Option<&watertight_dcerpc::server::Closed> {
        self.server_events.iter().find_map(|event| match event {
            ServerEvent::Closed(why) => Some(why),
            _ => None,
        })
    }

    pub fn client_closed(&self) -> Option<&Closed> {
        self.client_events.iter().find_map(|event| match event {
            ClientEvent::Closed(why) => Some(why),
            _ => None,
        })
    }
}

/// Whole fragments of what one side sent at once.
pub fn fragments(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut all = Vec::new();
    while let Ok(Some(len)) = fragment_len(rest, 65535) {
        let (fragment, next) = rest.split_at(len);
        all.push(fragment.to_vec());
        rest = next;
    }
    assert!(rest.is_empty());
    all
}

/// A provider whose tokens are "leg n", and whose signature is a sum with a counter; sealing adds a constant.
pub struct Toy {
    pub legs: u8,
    next: u8,
    client: bool,
    sent: u8,
    received: u8,
    sign_header: bool,
}

impl Toy {
    pub fn client(legs: u8, sign_header: bool) -> Box<dyn SecurityContext> {
        Box::new(Self { legs, next: 1, client: true, sent: 0, received: 0, sign_header })
    }

    fn sum(message: &Message<'_>, count: u8) -> Vec<u8> {
        let mut sum = [0x55_u8, count, 7, 9];
        let parts: &[&[u8]] = if message.sign_header {
            &[message.header, message.body, message.trailer]
        } else {
            &[message.body]
        };
        for (at, byte) in parts.iter().flat_map(|part| part.iter()).enumerate() {
            sum[at % 4] = sum[at % 4].rotate_left(3).wrapping_add(*byte);
        }
        sum.to_vec()
    }
}

impl SecurityContext for Toy {
    fn auth_type(&self) -> AuthType {
        AuthType::ntlm
    }

    fn step(&mut self, token: &[u8]) -> Result<Step, SecurityError> {
        let expected: Vec<u8> = if self.next == 1 && self.client { Vec::new() } else { leg(self.next - 1) };
        if !self.client && self.next == 1 {
            self.next = 2;
            if token != leg(1) {
                return Err(SecurityError::Token);
            }
        } else if token != expected {
            return Err(SecurityError::Denied);
        }
        let mine = self.next;
        if mine > self.legs {
            return Ok(Step::Done(None));
        }
        self.next += 2;
        Ok(if mine == self.legs { Step::Done(Some(leg(mine))) } else { Step::Continue(leg(mine)) })
    }

    fn can_sign_header(&self) -> bool {
        self.sign_header
    }

    fn token_len(&self, _: AuthLevel) -> usize {
        4
    }

    fn protect(&mut self, level: AuthLevel, message: Message<'_>) -> Result<Vec<u8>, SecurityError> {
        let token = Self::sum(&message, self.sent);
        self.sent = self.sent.wrapping_add(1);
        if level == AuthLevel::privacy {
            message.body.iter_mut().for_each(|byte| *byte = byte.wrapping_add(77));
        }
        Ok(token)
    }

    fn unprotect(
        &mut self,
        level: AuthLevel,
        message: Message<'_>,
        token: &[u8],
    ) -> Result<(), SecurityError> {
        if level == AuthLevel::privacy {
            message.body.iter_mut().for_each(|byte| *byte = byte.wrapping_sub(77));
        }
        let sum = Self::sum(&message, self.received);
        self.received = self.received.wrapping_add(1);
        if sum == token { Ok(()) } else { Err(SecurityError::Signature) }
    }

    fn principal(&self) -> Option<String> {
        Some("toy".into())
    }
}

fn leg(n: u8) -> Vec<u8> {
    format!("leg {n}").into_bytes()
}

/// Accepts the toy provider with so many legs; remembers how often it was asked.
pub struct ToyAcceptor {
    pub legs: u8,
    pub sign_header: bool,
    pub asked: Mutex<usize>,
}

impl ToyAcceptor {
    pub fn new(legs: u8, sign_header: bool) -> Arc<Self> {
        Arc::new(Self { legs, sign_header, asked: Mutex::new(0) })
    }
}

impl Acceptor for ToyAcceptor {
    fn accept(&self, auth_type: AuthType) -> Option<Box<dyn SecurityContext>> {
        *self.asked.lock().unwrap() += 1;
        (auth_type == AuthType::ntlm).then(|| -> Box<dyn SecurityContext> {
            Box::new(Toy {
                legs: self.legs,
                next: 1,
                client: false,
                sent: 0,
                received: 0,
                sign_header: self.sign_header,
            })
        })
    }
}
