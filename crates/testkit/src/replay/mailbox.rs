//! Session contexts, handles and ROPs of the replayed mailbox.

#![expect(clippy::indexing_slicing, reason = "a test kit fails by panicking")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;

use super::Phase;
use crate::captures::{self, Exchange};

const ROP_RELEASE: u8 = 0x01;
const ROP_OPEN_FOLDER: u8 = 0x02;
const ROP_LONG_TERM_ID_FROM_ID: u8 = 0x43;
const ROP_ID_FROM_LONG_TERM_ID: u8 = 0x44;
const ROP_GET_BUFFER: u8 = 0x4E;
const ROP_CONFIGURE: u8 = 0x70;
const ROP_UPLOAD_BEGIN: u8 = 0x75;
const ROP_UPLOAD_CONTINUE: u8 = 0x76;
const ROP_UPLOAD_END: u8 = 0x77;
const ROP_LOCAL_REPLICA_IDS: u8 = 0x7F;
const ROP_LOGON: u8 = 0xFE;
const ROP_BACKOFF: u8 = 0xF9;

const CONTENTS: u8 = 1;
const INBOX: u64 = 0xd;
const IDSET_GIVEN: u32 = 0x4017_0003;
const CNSET_READ: u32 = 0x67D2_0102;
const INCR_SYNC_READ: u32 = 0x402F_0003;
const INCR_SYNC_STATE_BEGIN: u32 = 0x403A_0003;

/// What a request is answered with.
pub(super) enum Answer {
    Status(u16, Vec<(&'static str, String)>),
    Code(u32),
    Document(Vec<u8>),
    Mapi { body: Vec<u8>, cookies: Vec<String> },
}

#[derive(Clone)]
pub(super) struct Mailbox {
    pub(super) user_dn: String,
    pub(super) phase: Phase,
    pub(super) chain: usize,
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) sessions_ever: usize,
    replica: [u8; 16],
    connect: Vec<u8>,
    logon: Vec<u8>,
    hierarchy: Vec<u8>,
    inbox: Vec<Buffer>,
    unchanged: Vec<u8>,
    changed: Vec<u8>,
    changed_reads: Vec<u8>,
}

#[derive(Clone, Default)]
pub(super) struct Session {
    sequence: u64,
    next: u32,
    pub(super) handles: BTreeMap<u32, Object>,
}

#[derive(Clone)]
pub(super) enum Object {
    Logon,
    Folder(u64),
    Sync(Sync),
}

/// A synchronization context.
#[derive(Clone)]
pub(super) struct Sync {
    contents: bool,
    folder: u64,
    state: BTreeMap<u32, Vec<u8>>,
    uploading: u32,
    left: Option<VecDeque<Buffer>>,
}

/// One answer to RopFastTransferSourceGetBuffer.
#[derive(Clone)]
struct Buffer {
    done: bool,
    progress: u16,
    total: u16,
    data: Vec<u8>,
}

impl Mailbox {
    /// The captures are read once in a process.
    pub(super) fn first_set() -> Self {
        static READ: OnceLock<Mailbox> = OnceLock::new();
        READ.get_or_init(Self::read_first_set).clone()
    }

    fn read_first_set() -> Self {
        let all = captures::first_set();
        let exchange = |n: u32| all.iter().find(|e| e.n == n).expect("the exchange");
        let connect = exchange(1);
        let request = connect.request();
        let dn = request.split(|b| *b == 0).next().unwrap_or_default();
        let one = |n: u32| buffer(exchange(n)).data;
        let local_ids = rops(exchange(146));
        Self {
            user_dn: String::from_utf8_lossy(dn).into_owned(),
            phase: Phase::Unchanged,
            chain: 1,
            sessions: BTreeMap::new(),
            sessions_ever: 0,
            replica: local_ids[6..22].try_into().expect("a GUID"),
            connect: connect.response_body(),
            logon: rops(exchange(2)),
            hierarchy: one(5),
            inbox: (10..=54).map(|n| buffer(exchange(n))).collect(),
            unchanged: one(71),
            changed: one(174),
            changed_reads: one(190),
        }
    }

    pub(super) fn answer(
        &mut self,
        request_type: &str,
        headers: &BTreeMap<String, String>,
        body: &[u8],
    ) -> Answer {
        let missing = ["x-requestid", "x-clientinfo", "x-clientapplication", "content-type"]
            .iter()
            .any(|name| !headers.contains_key(*name));
        if missing {
            return Answer::Code(7);
        }
        let cookies = headers.get("cookie").map(String::as_str).unwrap_or_default();
        if request_type == "Connect" {
            return self.connect(body);
        }
        let Some(sid) = cookie(cookies, "sid").map(str::to_owned) else { return Answer::Code(13) };
        let Some(session) = self.sessions.get_mut(&sid) else { return Answer::Code(10) };
        match request_type {
            "PING" => Answer::Mapi { body: Vec::new(), cookies: vec![format!("sid={sid}")] },
            "Disconnect" => {
                self.sessions.remove(&sid);
                Answer::Mapi { body: vec![0; 12], cookies: Vec::new() }
            }
            "Execute" => {
                if cookie(cookies, "sequence") != Some(&session.sequence.to_string()) {
                    return Answer::Code(15);
                }
                session.sequence += 1;
                let cookies = vec![format!("sid={sid}"), format!("sequence={}", session.sequence)];
                let Some(payloads) = self.execute(&sid, body) else { return Answer::Code(12) };
                Answer::Mapi { body: execute_response(&payloads), cookies }
            }
            _ => Answer::Code(5),
        }
    }

    /// An Execute answered with RopBackoff: nothing was done.
    pub(super) fn backoff(&mut self, cookies: &str, ms: u32) -> Answer {
        let sid = cookie(cookies, "sid").unwrap_or_default().to_owned();
        let Some(session) = self.sessions.get_mut(&sid) else { return Answer::Code(10) };
        session.sequence += 1;
        let cookies = vec![format!("sequence={}", session.sequence)];
        let mut rop = vec![ROP_BACKOFF, 0];
        rop.extend(ms.to_le_bytes());
        rop.extend([0, 0, 0]);
        Answer::Mapi { body: execute_response(&[payload(&rop, &[])]), cookies }
    }

    /// Forgets the session context with these cookies.
    pub(super) fn forget(&mut self, cookies: &str) {
        self.sessions.remove(cookie(cookies, "sid").unwrap_or_default());
    }

    fn connect(&mut self, body: &[u8]) -> Answer {
        let dn = body.split(|b| *b == 0).next().unwrap_or_default();
        if !dn.eq_ignore_ascii_case(self.user_dn.as_bytes()) {
            let mut refused = self.connect.clone();
            refused[4..8].copy_from_slice(&0x3EB_u32.to_le_bytes());
            return Answer::Mapi { body: refused, cookies: Vec::new() };
        }
        self.sessions_ever += 1;
        let sid = format!("s{}", self.sessions_ever);
        self.sessions.insert(sid.clone(), Session { sequence: 1, ..Session::default() });
        Answer::Mapi {
            body: self.connect.clone(),
            cookies: vec![format!("sid={sid}"), "sequence=1".to_owned()],
        }
    }

    /// The payloads of the answer; `None` when the request cannot be read.
    fn execute(&mut self, sid: &str, body: &[u8]) -> Option<Vec<Vec<u8>>> {
        let (flags, rops, mut table, max_out) = execute_request(body)?;
        let mut out = Vec::new();
        let mut rest = rops.as_slice();
        let mut last_download = None;
        while !rest.is_empty() {
            let (id, len) = (rest[0], rop_length(rest)?);
            let rop = rest.get(..len)?;
            rest = &rest[len..];
            last_download = None;
            let handle = *table.get(usize::from(rop[2]))?;
            if id == ROP_RELEASE {
                self.sessions.get_mut(sid)?.handles.remove(&handle);
                continue;
            }
            let answer = self.rop(sid, id, rop, handle, &mut table)?;
            if id == ROP_GET_BUFFER && answer[2..6] == [0; 4] {
                last_download = Some((handle, rop.to_vec(), answer[6] != 3));
            }
            out.extend(answer);
        }
        let mut payloads = vec![payload(&out, &table)];
        // [MS-OXCRPC] 3.1.4.2.1.2: the last ROP goes on in further payloads while there is room.
        if flags & 4 != 0
            && let Some((handle, rop, mut more)) = last_download
        {
            let mut room = max_out.saturating_sub(payloads[0].len() + 8);
            while more && payloads.len() < self.chain && room > 0x8000 {
                let answer = self.rop(sid, ROP_GET_BUFFER, &rop, handle, &mut table)?;
                more = answer[6] != 3;
                payloads.push(payload(&answer, &table));
                room = room.saturating_sub(answer.len() + 64);
            }
        }
        Some(payloads)
    }

    /// One ROP's response.
    fn rop(&mut self, sid: &str, id: u8, rop: &[u8], handle: u32, table: &mut [u32]) -> Option<Vec<u8>> {
        let index = rop[2];
        let error = |index: u8, code: u32| [vec![id, index], code.to_le_bytes().to_vec()].concat();
        let success = |index: u8, rest: &[u8]| [&[id, index, 0, 0, 0, 0], rest].concat();
        let session = self.sessions.get_mut(sid)?;
        match id {
            ROP_LOGON => {
                let dn = rop[14..].split(|b| *b == 0).next().unwrap_or_default();
                if !dn.eq_ignore_ascii_case(self.user_dn.as_bytes()) {
                    return Some(error(index, 0x3EB));
                }
                *table.get_mut(usize::from(index))? = session.open(Object::Logon);
                let mut answer = self.logon.clone();
                answer[1] = index;
                Some(answer)
            }
            ROP_OPEN_FOLDER => {
                let out = rop[3];
                let folder = counter(&rop[4..12]);
                if folder == 0 || folder > 0xFFFF {
                    return Some(error(out, 0x8004_010F));
                }
                *table.get_mut(usize::from(out))? = session.open(Object::Folder(folder));
                Some(success(out, &[0, 0]))
            }
            ROP_CONFIGURE => {
                let out = rop[3];
                let Some(Object::Folder(folder)) = session.handles.get(&handle) else {
                    return Some(error(out, 0x4B9));
                };
                let sync = Sync {
                    contents: rop[4] == CONTENTS,
                    folder: *folder,
                    state: BTreeMap::new(),
                    uploading: 0,
                    left: None,
                };
                *table.get_mut(usize::from(out))? = session.open(Object::Sync(sync));
                Some(success(out, &[]))
            }
            ROP_LOCAL_REPLICA_IDS => Some(success(index, &[&self.replica[..], &[0, 0, 0, 1, 0, 0]].concat())),
            ROP_LONG_TERM_ID_FROM_ID => {
                Some(success(index, &[&self.replica[..], &rop[5..11], &[0, 0]].concat()))
            }
            ROP_ID_FROM_LONG_TERM_ID if rop[3..19] == self.replica => {
                Some(success(index, &[&[1, 0], &rop[19..25]].concat()))
            }
            ROP_ID_FROM_LONG_TERM_ID => Some(error(index, 0x8004_010F)),
            _ => {
                let Some(Object::Sync(sync)) = session.handles.get_mut(&handle) else {
                    return Some(error(index, 0x4B9));
                };
                match id {
                    ROP_UPLOAD_BEGIN => {
                        sync.uploading = u32::from_le_bytes(rop[3..7].try_into().ok()?);
                        sync.state.insert(sync.uploading, Vec::new());
                    }
                    ROP_UPLOAD_CONTINUE => sync.state.get_mut(&sync.uploading)?.extend(&rop[7..]),
                    ROP_UPLOAD_END => {}
                    _ => {
                        if sync.left.is_none() {
                            let mut sync = std::mem::replace(sync, Sync::done());
                            sync.left = Some(self.download(&sync));
                            *self.sessions.get_mut(sid)?.handles.get_mut(&handle)? = Object::Sync(sync);
                        }
                        return self.next_buffer(sid, handle, rop);
                    }
                }
                Some(success(index, &[]))
            }
        }
    }

    fn next_buffer(&mut self, sid: &str, handle: u32, rop: &[u8]) -> Option<Vec<u8>> {
        let Some(Object::Sync(Sync { left: Some(left), .. })) =
            self.sessions.get_mut(sid)?.handles.get_mut(&handle)
        else {
            return None;
        };
        let asked = |at: usize| rop.get(at..at + 2).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])));
        let max = match asked(3)? {
            0xBABE => asked(5)?,
            size => size,
        };
        let mut next =
            left.pop_front().unwrap_or_else(|| Buffer { done: true, progress: 1, total: 1, data: vec![] });
        if next.data.len() > max {
            let rest = next.data.split_off(max);
            left.push_front(Buffer { data: rest, ..next.clone() });
            next.done = false;
        }
        let mut answer = vec![ROP_GET_BUFFER, rop[2], 0, 0, 0, 0];
        answer.extend(if next.done { 3_u16 } else { 1 }.to_le_bytes());
        answer.extend(next.progress.to_le_bytes());
        answer.extend(next.total.to_le_bytes());
        answer.push(0);
        answer.extend(u16::try_from(next.data.len()).ok()?.to_le_bytes());
        answer.extend(next.data);
        Some(answer)
    }

    /// What a synchronization context downloads.
    fn download(&self, sync: &Sync) -> VecDeque<Buffer> {
        let one =
            |data: &[u8]| VecDeque::from([Buffer { done: true, progress: 1, total: 1, data: data.to_vec() }]);
        let has_state = sync.state.values().any(|set| !set.is_empty());
        match (sync.contents, has_state, self.phase) {
            (false, false, _) => one(&self.hierarchy),
            (false, true, _) => one(final_state(&self.hierarchy)),
            (true, ..) if sync.folder != INBOX => one(&empty_contents()),
            (true, false, _) => self.inbox.clone().into(),
            (true, true, Phase::Unchanged) => one(&self.unchanged),
            // Of the messages that are gone one is looked for, and of the read-state changes the last.
            (true, true, Phase::Changed) => {
                let has =
                    |tag: u32, counter| sync.state.get(&tag).is_some_and(|set| globset_has(set, counter));
                let deletions = has(IDSET_GIVEN, 0x30063);
                let reads = !has(CNSET_READ, 0xac);
                match (deletions, reads) {
                    (true, true) => {
                        let read_states = &self.changed_reads[find(&self.changed_reads, INCR_SYNC_READ)..];
                        let read_states = &read_states[..find(read_states, INCR_SYNC_STATE_BEGIN)];
                        let deletions = &self.changed[..find(&self.changed, INCR_SYNC_STATE_BEGIN)];
                        one(&[deletions, read_states, final_state(&self.changed)].concat())
                    }
                    (true, false) => one(&self.changed),
                    (false, true) => one(&self.changed_reads),
                    (false, false) => one(final_state(&self.changed)),
                }
            }
        }
    }
}

impl Session {
    fn open(&mut self, object: Object) -> u32 {
        self.next += 1;
        self.handles.insert(self.next, object);
        self.next
    }
}

impl Sync {
    const fn done() -> Self {
        Self { contents: false, folder: 0, state: BTreeMap::new(), uploading: 0, left: None }
    }
}

/// The ROP ids of an Execute; none for other requests.
pub(super) fn rops_of(request_type: &str, body: &[u8]) -> Vec<u8> {
    let mut ids = Vec::new();
    if request_type == "Execute"
        && let Some((_, rops, ..)) = execute_request(body)
    {
        let mut rest = rops.as_slice();
        while let Some(len) = rop_length(rest)
            && let Some(next) = rest.get(len..)
        {
            ids.push(rest[0]);
            rest = next;
        }
    }
    ids
}

/// Flags, ROPs, handle table and MaxRopOut of an Execute whose payload is as it is.
fn execute_request(body: &[u8]) -> Option<(u32, Vec<u8>, Vec<u32>, usize)> {
    let word = |at: usize| body.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let flags = word(0)?;
    let size = usize::try_from(word(4)?).ok()?;
    let field = body.get(8..8 + size)?;
    let max_out = usize::try_from(word(8 + size)?).ok()?;
    // Neither compressed nor obfuscated.
    if field.get(2)? & 3 != 0 {
        return None;
    }
    let payload = field.get(8..)?;
    let rop_size = usize::from(u16::from_le_bytes([*payload.first()?, *payload.get(1)?]));
    let rops = payload.get(2..rop_size)?.to_vec();
    let table =
        payload.get(rop_size..)?.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    Some((flags, rops, table.collect(), max_out))
}

/// Where the first ROP ends; `None` for one that is not known here.
fn rop_length(rops: &[u8]) -> Option<usize> {
    let short = |at: usize| rops.get(at..at + 2).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])));
    Some(match *rops.first()? {
        ROP_RELEASE | ROP_UPLOAD_END => 3,
        ROP_OPEN_FOLDER => 13,
        ROP_LONG_TERM_ID_FROM_ID => 11,
        ROP_ID_FROM_LONG_TERM_ID => 27,
        ROP_GET_BUFFER => 5 + if short(3)? == 0xBABE { 2 } else { 0 },
        ROP_CONFIGURE => {
            let restriction = short(8)?;
            let tags = short(14 + restriction)?;
            16 + restriction + 4 * tags
        }
        ROP_UPLOAD_BEGIN => 11,
        ROP_UPLOAD_CONTINUE => 7 + short(3)? + 0x1_0000 * short(5)?,
        ROP_LOCAL_REPLICA_IDS => 7,
        ROP_LOGON => 14 + short(12)?,
        _ => return None,
    })
}

fn counter(id: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes[2..].copy_from_slice(&id[2..8]);
    u64::from_be_bytes(bytes)
}

fn cookie<'a>(cookies: &'a str, name: &str) -> Option<&'a str> {
    cookies
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, v)| v)
}

fn payload(rops: &[u8], table: &[u32]) -> Vec<u8> {
    let mut payload = u16::try_from(rops.len() + 2).expect("a payload of 64 KiB").to_le_bytes().to_vec();
    payload.extend_from_slice(rops);
    payload.extend(table.iter().flat_map(|handle| handle.to_le_bytes()));
    payload
}

fn execute_response(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut field = Vec::new();
    for (at, payload) in payloads.iter().enumerate() {
        let len = u16::try_from(payload.len()).expect("a payload of 64 KiB").to_le_bytes();
        let last: u8 = if at + 1 == payloads.len() { 4 } else { 0 };
        field.extend([0, 0, last, 0, len[0], len[1], len[0], len[1]]);
        field.extend_from_slice(payload);
    }
    let mut body = vec![0; 12];
    body.extend(u32::try_from(field.len()).expect("an answer").to_le_bytes());
    body.extend(field);
    body.extend([0; 4]);
    body
}

/// The response ROPs of a captured Execute with one payload.
fn rops(exchange: &Exchange) -> Vec<u8> {
    let body = exchange.response_body();
    let payload = &body[24..];
    let size = usize::from(u16::from_le_bytes([payload[0], payload[1]]));
    payload[2..size].to_vec()
}

/// A captured response to RopFastTransferSourceGetBuffer.
fn buffer(exchange: &Exchange) -> Buffer {
    let rops = rops(exchange);
    let short = |at: usize| u16::from_le_bytes([rops[at], rops[at + 1]]);
    assert_eq!(rops[0], ROP_GET_BUFFER, "{}", exchange.n);
    let data = rops[15..15 + usize::from(short(13))].to_vec();
    Buffer { done: short(6) == 3, progress: short(8), total: short(10), data }
}

/// From IncrSyncStateBegin to the end.
fn final_state(stream: &[u8]) -> &[u8] {
    &stream[find(stream, INCR_SYNC_STATE_BEGIN)..]
}

/// Where a marker is for the last time.
fn find(stream: &[u8], marker: u32) -> usize {
    stream.windows(4).rposition(|w| w == marker.to_le_bytes()).expect("the marker")
}

/// Whether the first GLOBSET of an IDSET of REPLGUIDs has a counter — [MS-OXCFXICS] 2.2.2.6.
fn globset_has(idset: &[u8], counter: u64) -> bool {
    let number = |stack: &[Vec<u8>], low: &[u8]| {
        let bytes = [&stack.concat(), low].concat();
        bytes.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b)) << (8 * (6_usize.saturating_sub(bytes.len())))
    };
    let mut stack: Vec<Vec<u8>> = Vec::new();
    let mut rest = idset.get(16..).unwrap_or_default();
    while let Some((command, more)) = rest.split_first() {
        rest = more;
        let common: usize = stack.iter().map(Vec::len).sum();
        match *command {
            n @ 1..=6 => {
                let (bytes, more) = rest.split_at(usize::from(n));
                rest = more;
                if common + usize::from(n) == 6 {
                    if number(&stack, bytes) == counter {
                        return true;
                    }
                } else {
                    stack.push(bytes.to_vec());
                }
            }
            0x50 => drop(stack.pop()),
            0x42 => {
                let first = number(&stack, &rest[..1]);
                let mask = rest[1];
                rest = &rest[2..];
                if counter == first || (0..8).any(|bit| mask >> bit & 1 == 1 && counter == first + bit + 1) {
                    return true;
                }
            }
            0x52 => {
                let len = 6 - common;
                let (low, high) = (number(&stack, &rest[..len]), number(&stack, &rest[len..2 * len]));
                rest = &rest[2 * len..];
                if (low..=high).contains(&counter) {
                    return true;
                }
            }
            _ => return false,
        }
    }
    false
}

/// A contents synchronization without messages: IncrSyncStateBegin, four empty sets, IncrSyncStateEnd, IncrSyncEnd.
fn empty_contents() -> Vec<u8> {
    let mut stream = Vec::new();
    for tag in [0x403A_0003_u32, 0x4017_0003, 0x6796_0102, 0x67DA_0102, 0x67D2_0102, 0x403B_0003, 0x4014_0003]
    {
        stream.extend(tag.to_le_bytes());
        if !matches!(tag, 0x403A_0003 | 0x403B_0003 | 0x4014_0003) {
            stream.extend([0; 4]);
        }
    }
    stream
}
