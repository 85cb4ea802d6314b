//! Clients of a served mailbox that die, stall, or never log off, and what the server holds afterwards.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::Value;
use watertight_mapi::http::body::{ConnectRequest, ExecuteFlags, ExecuteRequest};
use watertight_mapi::http::ext::{self, Wrap};
use watertight_mapi::rop::field::{Bytes16, Restriction16};
use watertight_mapi::rop::folder::{GetContentsTableRequest, OpenFolderRequest};
use watertight_mapi::rop::logon::{LogonRequest, LogonResponse};
use watertight_mapi::rop::message::CreateMessageRequest;
use watertight_mapi::rop::stream::{OpenStreamRequest, SetStreamSizeRequest};
use watertight_mapi::rop::sync::SynchronizationConfigureRequest;
use watertight_mapi::rop::{
    INVALID_HANDLE, Request, RequestBody as B, ResponseBody, RopBuffer, read_responses,
};
use watertight_mapi::{Fid, PropTag};
use watertight_wire::{Wire, Writer};

use crate::harness::{House, PASSWORD, Served, corpus, ended, watertight};
use crate::inspect::{Inspection, held, node};

/// Sessions at once, and accounts that they are of.
const SESSIONS: usize = 1000;
const ACCOUNTS: usize = 10;
/// Seconds that a session lives after its last request.
const TIMEOUT: &str = "8";

/// Bytes that may be allocated after a round more than before: 16 for each session, which is less than anything that
/// a session could leave behind.
const NOISE: i64 = 16 * 1024;

#[derive(Clone)]
struct Account {
    name: String,
    dn: String,
    inbox: Fid,
}

fn accounts(house: &House) -> Vec<Account> {
    let more = (1..ACCOUNTS).map(|i| {
        let name = format!("user{i}");
        let mut add = watertight();
        add.args(["user", "add", &name, "--json", "--data"]).arg(house.data());
        let added = ended(add.arg("--password-file").arg(house.password())).good();
        (name, added.json()["dn"].as_str().unwrap().to_owned())
    });
    let all = std::iter::once(("anna".to_owned(), house.dn.clone())).chain(more);
    all.map(|(name, dn)| Account { name, dn, inbox: Fid::default() }).collect()
}

/// One connection and its cookies.
struct Client {
    socket: TcpStream,
    authorization: String,
    cookies: String,
}

impl Client {
    fn new(server: &Served, account: &Account) -> Self {
        let (host, port) = server.address();
        let socket = TcpStream::connect((host.as_str(), port.parse::<u16>().unwrap())).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let pair = format!("{}:{PASSWORD}", account.name);
        let authorization = base64::engine::general_purpose::STANDARD.encode(pair);
        Self { socket, authorization, cookies: String::new() }
    }

    fn bytes(&self, request_type: &str, body: &[u8]) -> Vec<u8> {
        let id = "{7A139165-9960-4398-A5D2-DD8B91CF0416}:1";
        let head = format!(
            "POST /mapi/emsmdb/ HTTP/1.1\r\nHost: test\r\nContent-Type: application/mapi-http\r\n\
             X-RequestType: {request_type}\r\nX-RequestId: {id}\r\nX-ClientInfo: {id}\r\n\
             Authorization: Basic {}\r\nCookie: {}\r\nContent-Length: {}\r\n\r\n",
            self.authorization,
            self.cookies,
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    /// Sends a request; returns the answer's body, and keeps its cookies.
    fn post(&mut self, request_type: &str, body: &[u8]) -> Vec<u8> {
        let request = self.bytes(request_type, body);
        self.socket.write_all(&request).unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 16 * 1024];
        while !answer.ends_with(b"\r\n0\r\n\r\n") {
            let read = self.socket.read(&mut piece).unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&piece[..read]);
        }
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        assert!(head.contains("x-responsecode: 0"), "{head}");
        let cookies = head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
        self.cookies = cookies.map(|c| c.split(';').next().unwrap()).collect::<Vec<_>>().join("; ");
        // The chunks: PROCESSING, then DONE with headers and the body.
        let mut rest = &answer[end + 4..];
        let mut whole = Vec::new();
        loop {
            let line = rest.windows(2).position(|w| w == b"\r\n").unwrap();
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
            if size == 0 {
                break;
            }
            whole.extend_from_slice(&rest[line + 2..line + 2 + size]);
            rest = &rest[line + 2 + size + 2..];
        }
        let at = whole.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        whole[at + 4..].to_vec()
    }

    fn connect(&mut self, account: &Account) {
        let user_dn = account.dn.clone();
        self.post(
            "Connect",
            &ConnectRequest { user_dn, default_code_page: 1252, ..Default::default() }.to_bytes().unwrap(),
        );
    }
}

fn execute(requests: &[Request], handles: usize) -> Vec<u8> {
    let mut w = Writer::new();
    requests.iter().for_each(|request| request.write(&mut w).unwrap());
    let buffer = RopBuffer { rops: w.into_bytes(), handles: vec![INVALID_HANDLE; handles] };
    let rop_buffer = ext::wrap(&buffer.to_bytes().unwrap(), Wrap { last: true, ..Wrap::default() }).unwrap();
    let flags = ExecuteFlags(3);
    ExecuteRequest { flags, rop_buffer, max_rop_out: 0x1_0008, auxiliary: Vec::new() }.to_bytes().unwrap()
}

fn logon(account: &Account) -> Request {
    let essdn = Bytes16([account.dn.as_bytes(), b"\0"].concat());
    Request::new(0, B::Logon(LogonRequest { logon_flags: 1, open_flags: 0x0100_0000, store_state: 0, essdn }))
}

/// Logs on, and leaves a message that is not saved with a stream over a large value, a synchronization, and a table.
fn open_much(account: &Account) -> Vec<u8> {
    let folder_id = account.inbox;
    let (code_page_id, associated_flag) = (0x0fff, false.into());
    let message = CreateMessageRequest { output_index: 2, code_page_id, folder_id, associated_flag };
    let stream = OpenStreamRequest { tag: PropTag(0x0d01_0102), open_mode_flags: 2, output_index: 3 };
    let synchronization = SynchronizationConfigureRequest {
        output_index: 4,
        sync_type: 1,
        send_options: 1,
        sync_flags: 0x0139,
        restriction: Restriction16(None),
        extra_flags: 0x0f,
        tags: Vec::new().into(),
    };
    let requests = [
        logon(account),
        Request::new(0, B::OpenFolder(OpenFolderRequest { output_index: 1, folder_id, open_mode_flags: 0 })),
        Request::new(0, B::CreateMessage(message)),
        Request::new(2, B::OpenStream(stream)),
        Request::new(3, B::SetStreamSize(SetStreamSizeRequest { stream_size: 100_000 })),
        Request::new(1, B::SynchronizationConfigure(synchronization)),
        Request::new(1, B::GetContentsTable(GetContentsTableRequest { output_index: 5, table_flags: 0 })),
    ];
    execute(&requests, 6)
}

/// Where the Inbox of an account is.
fn inbox(server: &Served, account: &Account) -> Fid {
    let mut client = Client::new(server, account);
    client.connect(account);
    let request = logon(account);
    let body = client.post("Execute", &execute(std::slice::from_ref(&request), 1));
    let watertight_mapi::http::body::Answer::Success(executed) =
        watertight_mapi::http::body::ExecuteResponse::from_bytes(&body).unwrap()
    else {
        panic!()
    };
    let payload = ext::unwrap(&executed.rop_buffer, ext::Limits::default()).unwrap().remove(0);
    let buffer = RopBuffer::from_bytes(&payload.bytes).unwrap();
    let responses = read_responses(&buffer.rops, &[request], |_| Vec::new()).unwrap();
    let Some(ResponseBody::Logon(LogonResponse::Private(logon))) = &responses[0].rop().unwrap().body else {
        panic!()
    };
    client.post("Disconnect", &[]);
    logon.folder_ids.0[4]
}

/// One session that ends as no session should; returns what must stay open meanwhile.
fn abandon(server: &Served, account: &Account, how: usize) -> Option<TcpStream> {
    let mut client = Client::new(server, account);
    client.connect(account);
    let much = open_much(account);
    match how % 5 {
        // Never logs off, and goes.
        0 => drop(client.post("Execute", &much)),
        // Never logs off, and stays.
        1 => {
            client.post("Execute", &much);
            return Some(client.socket);
        }
        // Goes before the answer.
        2 => client.socket.write_all(&client.bytes("Execute", &much)).unwrap(),
        // Goes in the middle of a request.
        3 => {
            let request = client.bytes("Execute", &much);
            client.socket.write_all(&request[..request.len() * (how % 100) / 100]).unwrap();
        }
        // Stops in the middle of a request, in its head or in its body.
        _ => {
            client.post("Execute", &much);
            let request = client.bytes("Execute", &much);
            client.socket.write_all(&request[..request.len() * (how % 100) / 100]).unwrap();
            return Some(client.socket);
        }
    }
    None
}

fn count(answer: &Value, of: &str, kind: &str) -> i64 {
    node(&answer["ledger"], of).unwrap()["kinds"][kind]["now"].as_i64().unwrap_or(0)
}

/// Asks until it is so.
fn until(path: &Path, what: &str, mut so: impl FnMut(&Value) -> bool) -> Value {
    let mut inspection = Inspection::connect(path);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = inspection.ask();
        if so(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: {answer:#}");
        // Nothing tells when it is so: it is asked again, a little later.
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn all_gone(answer: &Value) -> bool {
    held(node(&answer["ledger"], "mapi-server").unwrap()) == 0
        && ["staged values", "contents views", "mailbox handles", "open mailboxes"]
            .iter()
            .all(|kind| count(answer, "watertight", kind) == 0)
}

#[test]
fn a_thousand_sessions_that_nobody_ends_leave_nothing() {
    let house = House::new();
    let mut accounts = accounts(&house);
    ended(&mut house.import(&[corpus()])).good();
    let path = house.path("inspect");
    let server = house.serve(&["--session-timeout", TIMEOUT, "--inspect", path.to_str().unwrap()]);
    for account in &mut accounts {
        account.inbox = inbox(&server, account);
    }
    let mut allocated = Vec::new();
    for round in 0..3 {
        let open: Vec<TcpStream> = std::thread::scope(|scope| {
            let (server, accounts) = (&server, &accounts);
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    scope.spawn(move || -> Vec<TcpStream> {
                        let mine = (0..SESSIONS).filter(|i| i % 4 == thread);
                        mine.filter_map(|i| abandon(server, &accounts[i / 4 % ACCOUNTS], i / 4)).collect()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        // And a program that is killed while it synchronizes.
        let mut sync = house.sync(&server.url, &house.path(&format!("mail{round}"))).spawn().unwrap();
        until(&path, "a synchronization", |answer| {
            sync.try_wait().unwrap().is_some() || count(answer, "mapi-server", "session contexts") > 0
        });
        let _ = sync.kill();
        sync.wait().unwrap();
        let peak = Inspection::connect(&path).ask();
        let contexts = &node(&peak["ledger"], "mapi-server").unwrap()["kinds"]["session contexts"];
        assert!(
            contexts["peak"].as_i64().unwrap() >= i64::try_from(SESSIONS).unwrap() * 9 / 10,
            "{contexts}"
        );
        let after = until(&path, "everything gone", all_gone);
        drop((open, after));
        // Without what is only remembered: pages of the store, sets of ids.
        let rested = Inspection::connect(&path).ask_to("release");
        allocated.push(rested["allocated"].as_i64().unwrap());
    }
    // What a session leaves behind is left in every round; a table that reaches its size, or one more thread of the
    // runtime, is there once.
    let least = allocated.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert!(least < NOISE, "{allocated:?}");
    server.stop();
}
