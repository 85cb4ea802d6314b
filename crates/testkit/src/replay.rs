//! A MAPI/HTTP server that answers with what a real one answered.
//!
//! [`Replay::first_set`] is the mailbox of `data/captures/grommunio-3.10`: Connect, RopLogon, RopOpenFolder,
//! the hierarchy below the IPM subtree and the 123 messages of the Inbox by ICS, in the captured buffers and in their
//! order; with a state that was uploaded, what the server sent then. Handles, cookies and X-RequestIds are made up
//! here; everything else is captured, but for these: a hierarchy synchronization with a state gets the captured final
//! state alone, a folder that is not the Inbox is empty.
//!
//! | request | answer |
//! |---|---|
//! | contents of the Inbox, no state | exchanges 10 to 54: 123 messages |
//! | the same with a state | nothing changed (71). After [`Replay::set_phase`]`(Phase::Changed)`: deletions (174) while the state has the messages that are gone, read states (190) while CnsetRead has not reached them; both in one stream where both are due |
//! | hierarchy, no state | exchange 5 |
//! | RopLongTermIdFromId, RopIdFromLongTermId, RopGetLocalReplicaIds | the captured replica |
//!
//! Several ROPs in one request are taken, buffers smaller than captured are asked for and given, and with
//! [`Replay::chain`] a download comes in chained payloads. Faults are ordered with [`Replay::fault`]. It listens on
//! a free port of 127.0.0.1, in threads of its own, until it is dropped.

mod mailbox;
mod serve;

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use mailbox::Mailbox;

/// The server; it ends when it is dropped.
pub struct Replay {
    shared: Arc<Shared>,
    address: SocketAddr,
    listener: Option<JoinHandle<()>>,
}

/// What happened to the mailbox since the first synchronization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Nothing.
    #[default]
    Unchanged,
    /// Read flags were set, messages deleted and moved, as in the captures.
    Changed,
}

/// What goes wrong with an answer.
#[derive(Clone)]
#[non_exhaustive]
pub enum Fault {
    /// This HTTP status, with these headers, instead.
    Status(u16, Vec<(&'static str, String)>),
    /// This X-ResponseCode instead; the session context is forgotten.
    ResponseCode(u32),
    /// These bytes instead of an HTTP response; then the connection is closed.
    Garbage(Vec<u8>),
    /// A proper HTTP response with this body after the meta-tags.
    Body(Vec<u8>),
    /// The answer's body after the meta-tags, changed.
    Patch(fn(&mut Vec<u8>)),
    /// The connection is closed in the middle of the answer.
    Cut,
    /// The connection is closed instead of an answer.
    Drop,
    /// PROCESSING, then nothing any more.
    Stall,
    /// PROCESSING and PENDING for ever.
    Pending,
    /// PROCESSING, then so many PENDING, each after a quarter of a second; then the answer as it should be.
    Slow(u32),
    /// A body without an end.
    Endless,
    /// The answer as it should be; then the connection is closed.
    CloseAfter {
        /// Whether the answer says so (`Connection: close`).
        announced: bool,
    },
    /// RopBackoff with this many milliseconds.
    Backoff(u32),
}

/// Which requests a [`Fault`] is for.
#[derive(Debug, Clone)]
pub struct When {
    request_type: Option<&'static str>,
    rop: Option<u8>,
    skip: usize,
    times: usize,
}

impl When {
    /// Requests of this X-RequestType (or `Autodiscover`), once.
    #[must_use]
    pub const fn request(request_type: &'static str) -> Self {
        Self { request_type: Some(request_type), rop: None, skip: 0, times: 1 }
    }

    /// Execute requests with this ROP in them, once.
    #[must_use]
    pub const fn rop(id: u8) -> Self {
        Self { request_type: Some("Execute"), rop: Some(id), skip: 0, times: 1 }
    }

    /// Not the first `skip` of them.
    #[must_use]
    pub const fn after(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    /// This often.
    #[must_use]
    pub const fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Every time.
    #[must_use]
    pub const fn always(self) -> Self {
        self.times(usize::MAX)
    }
}

/// What a [`Replay`] holds and has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Connections that are open.
    pub connections: usize,
    /// Connections there ever were.
    pub connections_ever: usize,
    /// Session contexts that were neither disconnected nor forgotten.
    pub sessions: usize,
    /// Session contexts there ever were.
    pub sessions_ever: usize,
    /// Handles in these sessions that were not released.
    pub handles: usize,
    /// HTTP requests.
    pub requests: usize,
}

/// What the threads share. One lock; never held while anything is sent or received.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    mailbox: Mailbox,
    faults: Vec<(When, Fault)>,
    authorization: Option<String>,
    autodiscover: Option<Vec<u8>>,
    streams: Vec<(usize, TcpStream)>,
    connections_ever: usize,
    requests: usize,
    stopping: bool,
}

impl Replay {
    /// The mailbox of the first set of captures.
    #[must_use]
    pub fn first_set() -> Self {
        Self::start(Mailbox::first_set())
    }

    fn start(mailbox: Mailbox) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = State {
            mailbox,
            faults: Vec::new(),
            authorization: None,
            autodiscover: None,
            streams: Vec::new(),
            connections_ever: 0,
            requests: 0,
            stopping: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        let listener = std::thread::spawn(move || accept(&accepting, &listener));
        Self { shared, address, listener: Some(listener) }
    }

    /// The URL of the mailbox endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/mapi/emsmdb/?MailboxId=u4@test.local", self.address)
    }

    /// The DN of the only user that there is.
    #[must_use]
    pub fn user_dn(&self) -> String {
        self.shared.lock().mailbox.user_dn.clone()
    }

    /// Host and port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, answers 401 to whatever has another Authorization header.
    pub fn require_authorization(&self, value: impl Into<String>) {
        self.shared.lock().authorization = Some(value.into());
    }

    /// From now on, answers `/autodiscover/autodiscover.xml` with this document.
    pub fn autodiscover(&self, document: impl Into<Vec<u8>>) {
        self.shared.lock().autodiscover = Some(document.into());
    }

    /// What the mailbox has been through.
    pub fn set_phase(&self, phase: Phase) {
        self.shared.lock().mailbox.phase = phase;
    }

    /// How many payloads a download may have in one answer; 1 at first.
    pub fn chain(&self, payloads: usize) {
        self.shared.lock().mailbox.chain = payloads.max(1);
    }

    /// Orders a fault. Of several for the same request the first is done.
    pub fn fault(&self, when: When, fault: Fault) {
        self.shared.lock().faults.push((when, fault));
    }

    /// No more faults.
    pub fn heal(&self) {
        self.shared.lock().faults.clear();
    }

    /// Forgets all session contexts, as a server does that was restarted.
    pub fn forget_sessions(&self) {
        self.shared.lock().mailbox.sessions.clear();
    }

    /// What it holds and has seen.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts()
    }

    /// Waits until no connection is open, at most ten seconds; returns the counts then.
    #[must_use]
    pub fn quiet(&self) -> Counts {
        let state = self.shared.lock();
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, Duration::from_secs(10), |state| !state.streams.is_empty())
            .expect("a lock");
        state.counts()
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.stopping = true;
            for (_, stream) in &state.streams {
                // It may be closed already.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a lock")
    }
}

impl State {
    fn counts(&self) -> Counts {
        Counts {
            connections: self.streams.len(),
            connections_ever: self.connections_ever,
            sessions: self.mailbox.sessions.len(),
            sessions_ever: self.mailbox.sessions_ever,
            handles: self.mailbox.sessions.values().map(|s| s.handles.len()).sum(),
            requests: self.requests,
        }
    }

    /// The fault for a request, if one is due.
    fn due(&mut self, request_type: &str, rops: &[u8]) -> Option<Fault> {
        for (when, fault) in &mut self.faults {
            let matches = when.request_type.is_none_or(|t| t == request_type)
                && when.rop.is_none_or(|rop| rops.contains(&rop))
                && when.times > 0;
            if !matches {
                continue;
            }
            if when.skip > 0 {
                when.skip -= 1;
                continue;
            }
            when.times -= 1;
            return Some(fault.clone());
        }
        None
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let Ok((stream, _)) = listener.accept() else { break };
        let id = {
            let mut state = shared.lock();
            if state.stopping {
                break;
            }
            state.connections_ever += 1;
            let id = state.connections_ever;
            state.streams.push((id, stream.try_clone().expect("a socket")));
            id
        };
        let shared = Arc::clone(shared);
        threads.retain(|t| !t.is_finished());
        threads.push(std::thread::spawn(move || {
            serve::connection(&shared, stream);
            shared.lock().streams.retain(|(other, _)| *other != id);
            shared.changed.notify_all();
        }));
    }
    for thread in threads {
        let _ = thread.join();
    }
}
