//! Logs on and off, again and again, over as many connections as asked for, and says how often that went.
//!
//! MAPI over HTTP (Connect, Execute with RopLogon, Disconnect) or, to compare, IMAP (LOGIN, LOGOUT). Requests are
//! prepared once; answers are looked at only as far as is needed to know that they are right. One JSON object on
//! standard output. `cargo xtask bench session` is what uses it.
//!
//! ```text
//! session_load --protocol mapi|imap --address 127.0.0.1:8080 --user anna --password-file F
//!              [--seconds 5] [--connections 4] [--no-keep-alive] [--tls-ca cert.pem]
//! ```

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use watertight_mapi::http::body::{ConnectRequest, ExecuteFlags, ExecuteRequest};
use watertight_mapi::http::ext::{self, Wrap};
use watertight_mapi::rop::field::Bytes16;
use watertight_mapi::rop::logon::LogonRequest;
use watertight_mapi::rop::{INVALID_HANDLE, Request, RequestBody, RopBuffer};
use watertight_wire::{Wire, Writer};

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

struct Options {
    imap: bool,
    address: SocketAddr,
    user: String,
    password: String,
    seconds: f64,
    connections: usize,
    keep_alive: bool,
    tls: Option<Arc<ClientConfig>>,
}

fn main() -> Fallible<()> {
    let options = Arc::new(options()?);
    let start = Instant::now();
    let workers: Vec<_> = (0..options.connections)
        .map(|_| {
            let options = Arc::clone(&options);
            std::thread::spawn(
                move || if options.imap { imap(&options, start) } else { mapi(&options, start) },
            )
        })
        .collect();
    let mut sessions = 0_u64;
    for worker in workers {
        sessions = sessions.saturating_add(worker.join().map_err(|_| "a thread panicked")??);
    }
    println!("{{\"sessions\":{sessions},\"seconds\":{}}}", start.elapsed().as_secs_f64());
    Ok(())
}

fn options() -> Fallible<Options> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at.saturating_add(1)).cloned()
    };
    let needed = |name: &str| value(name).ok_or_else(|| format!("{name} is needed"));
    let password = std::fs::read_to_string(needed("--password-file")?)?;
    let tls = match value("--tls-ca") {
        None => None,
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(file)? {
                roots.add(certificate?)?;
            }
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Some(Arc::new(config))
        }
    };
    Ok(Options {
        imap: needed("--protocol")? == "imap",
        address: needed("--address")?.parse()?,
        user: needed("--user")?,
        password: password.lines().next().unwrap_or_default().to_owned(),
        seconds: value("--seconds").map_or(Ok(5.0), |n| n.parse())?,
        connections: value("--connections").map_or(Ok(4), |n| n.parse())?,
        keep_alive: !args.iter().any(|arg| arg == "--no-keep-alive"),
        tls,
    })
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection, and what was read from it and not used.
struct Connection {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(options: &Options) -> Fallible<Self> {
        let socket = TcpStream::connect(options.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let stream: Box<dyn Stream> = match &options.tls {
            None => Box::new(socket),
            Some(config) => {
                let name = ServerName::try_from("localhost")?;
                Box::new(StreamOwned::new(ClientConnection::new(Arc::clone(config), name)?, socket))
            }
        };
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Reads more; says whether there was any.
    fn more(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 8192];
        let count = match self.stream.read(&mut bytes) {
            // Dovecot ends without TLS's own goodbye.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            other => other?,
        };
        self.buffer.extend_from_slice(bytes.get(..count).unwrap_or_default());
        Ok(count > 0)
    }

    fn until(&mut self, end: &[u8]) -> Fallible<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.buffer, end) {
                let rest = self.buffer.split_off(at.saturating_add(end.len()));
                return Ok(std::mem::replace(&mut self.buffer, rest));
            }
            if !self.more()? {
                return Err("the server closed the connection".into());
            }
        }
    }

    fn exactly(&mut self, len: usize) -> Fallible<Vec<u8>> {
        while self.buffer.len() < len {
            if !self.more()? {
                return Err("the server closed the connection".into());
            }
        }
        let rest = self.buffer.split_off(len);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    /// Sends a request; its answer's head and body.
    fn ask(&mut self, head: &str, cookies: &str, body: &[u8]) -> Fallible<(String, Vec<u8>)> {
        let mut request = format!("{head}{cookies}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        request.extend_from_slice(body);
        self.stream.write_all(&request)?;
        self.stream.flush()?;
        let head = String::from_utf8_lossy(&self.until(b"\r\n\r\n")?).into_owned();
        if !head.starts_with("HTTP/1.1 200") || header(&head, "x-responsecode").next() != Some("0") {
            return Err(format!("refused:\n{head}").into());
        }
        let length = header(&head, "content-length").next().and_then(|n| n.parse().ok());
        let body = match length {
            Some(length) => self.exactly(length)?,
            None => self.chunks()?,
        };
        Ok((head, body))
    }

    fn chunks(&mut self) -> Fallible<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n")?;
            let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16)?;
            let chunk = self.exactly(size.saturating_add(2))?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(chunk.get(..size).unwrap_or_default());
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn header<'a>(head: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    head.lines().filter_map(move |line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// What of a body follows the blank line behind the additional headers — [MS-OXCMAPIHTTP] 2.2.7.
fn inner(body: &[u8]) -> Fallible<&[u8]> {
    let at = find(body, b"\r\n\r\n").ok_or("no additional headers")?;
    Ok(body.get(at.saturating_add(4)..).unwrap_or_default())
}

fn mapi(options: &Options, start: Instant) -> Fallible<u64> {
    let dn = format!(
        "/o=Watertight/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn={}",
        options.user.to_lowercase()
    );
    let connect = ConnectRequest {
        user_dn: dn.clone(),
        default_code_page: 1252,
        lcid_sort: 1033,
        lcid_string: 1033,
        ..ConnectRequest::default()
    }
    .to_bytes()?;
    let mut essdn = dn.into_bytes();
    essdn.push(0);
    let logon =
        LogonRequest { logon_flags: 1, open_flags: 0x0100_000C, store_state: 0, essdn: Bytes16(essdn) };
    let mut rops = Writer::new();
    Request::new(0, RequestBody::Logon(logon)).write(&mut rops)?;
    let payload = RopBuffer { rops: rops.into_bytes(), handles: vec![INVALID_HANDLE] }.to_bytes()?;
    let rop_buffer = ext::wrap(&payload, Wrap { last: true, ..Wrap::default() })?;
    let flags = ExecuteFlags::NoXorMagic | ExecuteFlags::NoCompression;
    let execute =
        ExecuteRequest { flags, rop_buffer, max_rop_out: 0x10008, auxiliary: Vec::new() }.to_bytes()?;
    let secret = STANDARD.encode(format!("{}:{}", options.user, options.password));
    let head = |kind: &str| {
        format!(
            "POST /mapi/emsmdb/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {secret}\r\n\
             Content-Type: application/mapi-http\r\nX-RequestType: {kind}\r\n\
             X-RequestId: {{E2EA6C1C-E61B-49E9-9CFB-38184F907552}}:1\r\n\
             X-ClientInfo: {{2EF33C39-49C8-421C-B876-CDF7F2AC3AA0}}:1\r\n\
             X-ClientApplication: Outlook/16.0.10000.1000\r\n"
        )
    };
    let heads = (head("Connect"), head("Execute"), head("Disconnect"));
    let mut sessions = 0_u64;
    let mut kept = None;
    while start.elapsed().as_secs_f64() < options.seconds {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(options)?,
        };
        let mut cookies = Vec::new();
        let (answer, body) = connection.ask(&heads.0, "", &connect)?;
        // StatusCode and ErrorCode.
        if inner(&body)?.get(..8) != Some(&[0; 8]) {
            return Err("Connect failed".into());
        }
        renew(&mut cookies, &answer);
        let (answer, body) = connection.ask(&heads.1, &line(&cookies), &execute)?;
        // The response of RopLogon: after StatusCode, ErrorCode, Flags, RopBufferSize, RPC_HEADER_EXT and RopSize.
        let response = inner(&body)?.get(16 + 8 + 2..).unwrap_or_default();
        if response.first() != Some(&0xFE) || response.get(2..6) != Some(&[0; 4]) {
            return Err("RopLogon failed".into());
        }
        renew(&mut cookies, &answer);
        connection.ask(&heads.2, &line(&cookies), &[0; 4])?;
        sessions = sessions.saturating_add(1);
        if options.keep_alive {
            kept = Some(connection);
        }
    }
    Ok(sessions)
}

/// Takes the cookies of an answer over those from before.
fn renew(cookies: &mut Vec<(String, String)>, head: &str) {
    for cookie in header(head, "set-cookie") {
        let pair = cookie.split(';').next().unwrap_or_default();
        let Some((name, value)) = pair.split_once('=') else { continue };
        cookies.retain(|(known, _)| known != name);
        cookies.push((name.to_owned(), value.to_owned()));
    }
}

fn line(cookies: &[(String, String)]) -> String {
    let all: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("Cookie: {}\r\n", all.join("; "))
}

fn imap(options: &Options, start: Instant) -> Fallible<u64> {
    let login = format!("a LOGIN {} {}\r\n", options.user, options.password);
    let mut sessions = 0_u64;
    while start.elapsed().as_secs_f64() < options.seconds {
        let mut connection = Connection::open(options)?;
        connection.until(b"\r\n")?;
        connection.stream.write_all(login.as_bytes())?;
        connection.stream.flush()?;
        let answer = String::from_utf8_lossy(&connection.until(b"\r\n")?).into_owned();
        let answer = if answer.starts_with('*') {
            String::from_utf8_lossy(&connection.until(b"\r\n")?).into_owned()
        } else {
            answer
        };
        if !answer.starts_with("a OK") {
            return Err(format!("refused: {answer}").into());
        }
        connection.stream.write_all(b"b LOGOUT\r\n")?;
        connection.stream.flush()?;
        while connection.more()? {}
        if find(&connection.buffer, b"b OK").is_none() {
            return Err("no end of the session".into());
        }
        sessions = sessions.saturating_add(1);
    }
    Ok(sessions)
}
