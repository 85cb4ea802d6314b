//! A server that lets nobody in without a proof, before the one that replays: what it asks for and how it answers is
//! each test's own.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use watertight_auth::http::Scheme;
use watertight_auth::{Accounts, AuthError, BindingPolicy, NtHash, Security, Server, ServerNames};
use watertight_ledger::Ledger;
use watertight_testkit::replay::Replay;

/// The account that the gate knows.
pub const PASSWORD: &str = "secret";

/// A request as it came.
pub struct Asked {
    pub headers: BTreeMap<String, String>,
    pub body: usize,
    raw: Vec<u8>,
}

impl Asked {
    pub fn authorization(&self) -> Option<&str> {
        self.headers.get("authorization").map(String::as_str)
    }
}

/// What becomes of a request.
pub enum Verdict {
    /// It goes on to the server behind; these lines are added to the answer's head.
    Pass(String),
    /// 401 with these lines.
    Refuse(String),
    /// The same from a server of old, which closes the connection after each answer.
    RefuseAndClose(String),
    /// These bytes, and no more.
    Say(Vec<u8>),
    /// The connection is closed.
    Close,
}

pub type Keeper = Box<dyn FnMut(&Asked) -> Verdict + Send>;

pub struct Gate {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
    open: Arc<AtomicUsize>,
    pub replay: Replay,
}

/// What came.
#[derive(Default, Clone, Debug)]
pub struct Seen {
    pub connections: usize,
    /// For each request: its connection, the scheme of its proof, the bytes of its body.
    pub requests: Vec<(usize, String, usize)>,
}

impl Gate {
    /// Each connection gets a keeper of its own.
    pub fn new(keeper: impl Fn() -> Keeper + Send + 'static) -> Self {
        let replay = Replay::first_set();
        let behind = replay.url();
        let (target, behind) = {
            let rest = behind.strip_prefix("http://").unwrap();
            let (authority, target) = rest.split_once('/').unwrap();
            (format!("/{target}"), authority.to_owned())
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}{target}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let open = Arc::new(AtomicUsize::new(0));
        let (shared, running) = (Arc::clone(&seen), Arc::clone(&open));
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let number = {
                    let mut seen = shared.lock().unwrap();
                    seen.connections += 1;
                    seen.connections
                };
                running.fetch_add(1, Ordering::SeqCst);
                let (keeper, shared, behind) = (keeper(), Arc::clone(&shared), behind.clone());
                let running = Arc::clone(&running);
                std::thread::spawn(move || {
                    serve(stream, number, keeper, &shared, &behind);
                    running.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, seen, open, replay }
    }

    /// Waits until every connection has ended, and forgets what came.
    pub fn forget(&self) -> Seen {
        let started = std::time::Instant::now();
        while self.open.load(Ordering::SeqCst) > 0 {
            assert!(started.elapsed() < std::time::Duration::from_secs(20));
            std::thread::yield_now();
        }
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Seen {
    /// How many requests came with this scheme's proof; none with an empty name.
    pub fn with(&self, scheme: &str) -> usize {
        self.requests.iter().filter(|(_, found, _)| found == scheme).count()
    }
}

/// Lets a user in that proves itself by NTLM or Negotiate, once for each connection.
pub fn exchange(scheme: Scheme, password: &'static str) -> Keeper {
    exchange_for(scheme, password, usize::MAX)
}

/// The same, when the proof is bound as the policy has it.
pub fn exchange_bound(scheme: Scheme, policy: BindingPolicy) -> Keeper {
    exchange_with(scheme, PASSWORD, usize::MAX, policy)
}

/// The same, and forgets it after so many requests.
pub fn exchange_for(scheme: Scheme, password: &'static str, requests: usize) -> Keeper {
    exchange_with(scheme, password, requests, BindingPolicy::Ignore)
}

fn exchange_with(scheme: Scheme, password: &'static str, requests: usize, policy: BindingPolicy) -> Keeper {
    let security = Security::new(&Ledger::new("gate"));
    let accounts: Arc<dyn Accounts> = Arc::new(Account(password));
    let fresh = move || Server::new(&security, scheme.mechanism(), Arc::clone(&accounts), policy.clone());
    let mut server = None;
    let mut left = 0;
    Box::new(move |asked| {
        let refuse = |token: Option<&[u8]>| format!("WWW-Authenticate: {}\r\n", scheme.header(token));
        let Some(value) = asked.authorization() else {
            if left == 0 {
                return Verdict::Refuse(refuse(None));
            }
            left -= 1;
            return Verdict::Pass(String::new());
        };
        let Some((found, token)) = Scheme::credentials(value.as_bytes()) else {
            return Verdict::Refuse(refuse(None));
        };
        assert_eq!(found, scheme);
        match server.get_or_insert_with(&fresh).step(&token) {
            Ok(step) if step.done.is_some() => {
                server = None;
                left = requests;
                Verdict::Pass(step.token.map_or_else(String::new, |token| refuse(Some(&token))))
            }
            Ok(step) => Verdict::Refuse(refuse(step.token.as_deref())),
            Err(_) => {
                server = None;
                Verdict::Refuse(refuse(None))
            }
        }
    })
}

/// `u4@test.local`, or `alice` of any domain.
struct Account(&'static str);

impl Accounts for Account {
    fn names(&self) -> ServerNames {
        ServerNames {
            computer: "MAIL1".into(),
            domain: "DOM".into(),
            dns_computer: "mail1.dom.test".into(),
            dns_domain: "dom.test".into(),
        }
    }

    fn nt_hash(&self, user: &str, _domain: &str) -> Result<Option<NtHash>, AuthError> {
        let known = user == "u4@test.local" || user == "alice";
        Ok(known.then(|| NtHash::of_password(self.0)))
    }
}

fn serve(mut stream: TcpStream, number: usize, mut keeper: Keeper, seen: &Mutex<Seen>, behind: &str) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    let mut back: Option<TcpStream> = None;
    while let Some(asked) = read(&mut stream, &mut buffer) {
        let scheme = asked.authorization().and_then(|value| value.split(' ').next()).unwrap_or_default();
        seen.lock().unwrap().requests.push((number, scheme.to_owned(), asked.body));
        let page = "Content-Length: 3\r\n\r\nno\n";
        let goes_on = match keeper(&asked) {
            Verdict::Pass(lines) => {
                let back = back.get_or_insert_with(|| TcpStream::connect(behind).unwrap());
                back.write_all(&asked.raw).is_ok() && pass(back, &mut stream, &lines)
            }
            Verdict::Refuse(lines) => {
                stream.write_all(format!("HTTP/1.1 401 No\r\n{lines}{page}").as_bytes()).is_ok()
            }
            Verdict::RefuseAndClose(lines) => {
                let _ = stream.write_all(format!("HTTP/1.0 401 No\r\n{lines}\r\nno\n").as_bytes());
                false
            }
            Verdict::Say(bytes) => {
                let _ = stream.write_all(&bytes);
                false
            }
            Verdict::Close => false,
        };
        if !goes_on {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// One answer of the server behind; whether it was passed on to its end.
fn pass(back: &mut TcpStream, to: &mut TcpStream, lines: &str) -> bool {
    let mut answer = Vec::new();
    let mut piece = [0; 16_384];
    let mut head = None;
    loop {
        if head.is_none() {
            head = answer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
        }
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&answer[..head]).to_lowercase();
            let whole = match text.split("content-length: ").nth(1) {
                Some(rest) => {
                    answer.len() >= head + rest.split("\r\n").next().unwrap().parse::<usize>().unwrap()
                }
                None => answer.ends_with(b"0\r\n\r\n"),
            };
            if whole {
                let status = answer.windows(2).position(|window| window == b"\r\n").unwrap() + 2;
                let with = [&answer[..status], lines.as_bytes(), &answer[status..]].concat();
                return to.write_all(&with).is_ok();
            }
        }
        match back.read(&mut piece) {
            Ok(read @ 1..) => answer.extend_from_slice(&piece[..read]),
            _ => return false,
        }
    }
}

fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Asked> {
    let mut piece = [0; 16_384];
    loop {
        if let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let headers: BTreeMap<String, String> = String::from_utf8_lossy(&buffer[..head])
                .lines()
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let body = headers.get("content-length").map_or(0, |len| len.parse().unwrap());
            if buffer.len() >= head + 4 + body {
                let raw = buffer.drain(..head + 4 + body).collect();
                return Some(Asked { headers, body, raw });
            }
        }
        match stream.read(&mut piece) {
            Ok(read @ 1..) => buffer.extend_from_slice(&piece[..read]),
            _ => return None,
        }
    }
}
