//! HTTP, as little as the clients under test need.

#![expect(clippy::indexing_slicing, reason = "a test kit fails by panicking")]

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::mailbox::{self, Answer};
use super::{Fault, Shared};

struct Request {
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// Serves one connection until either side closes it.
pub(super) fn connection(shared: &Shared, mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Ok(Some(request)) = read(&mut stream, &mut buffer) {
        match answer(shared, &mut stream, &request) {
            Ok(true) => {}
            Ok(false) | Err(_) => break,
        }
    }
}

/// Answers; whether the connection stays open.
fn answer(shared: &Shared, stream: &mut TcpStream, request: &Request) -> io::Result<bool> {
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    let autodiscover = request.target.to_ascii_lowercase().starts_with("/autodiscover/");
    let request_type =
        if autodiscover { "Autodiscover" } else { header("x-requesttype").unwrap_or_default() };
    let (fault, answer) = {
        let mut state = shared.lock();
        state.requests += 1;
        let rops = mailbox::rops_of(request_type, &request.body);
        let fault = state.due(request_type, &rops);
        let refused = state.authorization.as_ref().is_some_and(|a| header("authorization") != Some(a));
        let answer = match &fault {
            Some(Fault::Status(status, headers)) => Answer::Status(*status, headers.clone()),
            Some(Fault::ResponseCode(code)) => {
                state.mailbox.forget(header("cookie").unwrap_or_default());
                Answer::Code(*code)
            }
            _ if refused => {
                Answer::Status(401, vec![("WWW-Authenticate", "Basic realm=\"replay\"".to_owned())])
            }
            _ if autodiscover => match &state.autodiscover {
                Some(document) => Answer::Document(document.clone()),
                None => Answer::Status(404, Vec::new()),
            },
            Some(Fault::Backoff(ms)) => state.mailbox.backoff(header("cookie").unwrap_or_default(), *ms),
            _ => state.mailbox.answer(request_type, &request.headers, &request.body),
        };
        (fault, answer)
    };
    let (mut body, cookies) = match answer {
        Answer::Status(status, headers) => {
            let mut text =
                format!("HTTP/1.1 {status} Whatever\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n");
            for (name, value) in headers {
                text += &format!("{name}: {value}\r\n");
            }
            stream.write_all((text + "\r\nno\n").as_bytes())?;
            return Ok(true);
        }
        Answer::Code(code) => {
            let text = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-ResponseCode: {code}\r\nContent-Length: 8\r\n\r\nno <code>"
            );
            stream.write_all(&text.as_bytes()[..text.len() - 1])?;
            return Ok(true);
        }
        Answer::Document(document) => {
            let text = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
                document.len()
            );
            stream.write_all(text.as_bytes())?;
            stream.write_all(&document)?;
            return Ok(true);
        }
        Answer::Mapi { body, cookies } => (body, cookies),
    };
    let mut head =
        String::from("HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Type: application/mapi-http\r\n");
    for (name, value) in [
        ("X-RequestType", request_type),
        ("X-RequestId", header("x-requestid").unwrap_or_default()),
        ("X-ClientInfo", header("x-clientinfo").unwrap_or_default()),
        ("X-ResponseCode", "0"),
        ("X-PendingPeriod", "30000"),
        ("X-ExpirationInfo", "900000"),
        ("X-ServerApplication", "Exchange/15.00.0847.4040"),
        ("Transfer-Encoding", "chunked"),
    ] {
        head += &format!("{name}: {value}\r\n");
    }
    for cookie in cookies {
        head += &format!("Set-Cookie: {cookie}\r\n");
    }
    if matches!(fault, Some(Fault::CloseAfter { announced: true })) {
        head += "Connection: close\r\n";
    }
    head += "\r\n";
    match &fault {
        Some(Fault::Garbage(bytes)) => {
            stream.write_all(bytes)?;
            return Ok(false);
        }
        Some(Fault::Drop) => return Ok(false),
        Some(Fault::Stall) => {
            stream.write_all(head.as_bytes())?;
            stream.write_all(&chunk(b"PROCESSING\r\n"))?;
            wait_for_the_end(stream);
            return Ok(false);
        }
        Some(Fault::Pending) => {
            stream.write_all(head.as_bytes())?;
            stream.write_all(&chunk(b"PROCESSING\r\n"))?;
            loop {
                stream.write_all(&chunk(b"PENDING\r\n"))?;
            }
        }
        Some(Fault::Endless) => {
            stream.write_all(head.as_bytes())?;
            stream.write_all(&chunk(b"PROCESSING\r\nDONE\r\n\r\n"))?;
            loop {
                stream.write_all(&chunk(&[0; 16_384]))?;
            }
        }
        Some(Fault::Body(bytes)) => body.clone_from(bytes),
        Some(Fault::Patch(patch)) => patch(&mut body),
        _ => {}
    }
    let mut done = b"DONE\r\nX-ElapsedTime: 0\r\nX-StartTime: Fri, 20 Nov 2026 08:37:50 GMT\r\n\r\n".to_vec();
    done.extend(body);
    let mut out = head.into_bytes();
    out.extend(chunk(b"PROCESSING\r\n"));
    if let Some(Fault::Slow(times)) = fault {
        stream.write_all(&out)?;
        out.clear();
        for _ in 0..times {
            std::thread::sleep(Duration::from_millis(250));
            stream.write_all(&chunk(b"PENDING\r\n"))?;
        }
    }
    out.extend(chunk(&done));
    if matches!(fault, Some(Fault::Cut)) {
        out.truncate(out.len() - done.len() / 2 - 4);
        stream.write_all(&out)?;
        return Ok(false);
    }
    out.extend(b"0\r\n\r\n");
    stream.write_all(&out)?;
    Ok(!matches!(fault, Some(Fault::CloseAfter { .. })))
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend(b"\r\n");
    out
}

fn wait_for_the_end(stream: &mut TcpStream) {
    let mut byte = [0; 64];
    while matches!(stream.read(&mut byte), Ok(n) if n > 0) {}
}

/// Reads a request; `None` at the end of the connection.
fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if !more(stream, buffer)? {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.lines();
    let target = lines.next().and_then(|l| l.split(' ').nth(1)).unwrap_or_default().to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|l| l.split_once(':'))
        .map(|(n, v)| (n.trim().to_ascii_lowercase(), v.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    while buffer.len() < head_end + length {
        if !more(stream, buffer)? {
            return Ok(None);
        }
    }
    let body = buffer[head_end..head_end + length].to_vec();
    buffer.drain(..head_end + length);
    Ok(Some(Request { target, headers, body }))
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 16_384];
    let read = stream.read(&mut piece)?;
    buffer.extend_from_slice(&piece[..read]);
    Ok(read > 0)
}
