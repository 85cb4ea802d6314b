//! [MS-OXCMAPIHTTP] bodies and framing, [MS-OXCRPC] extended buffers.

use watertight_mapi::http::ext::{Limits, Wrap};
use watertight_mapi::http::framing::{Event, FramingError, ResponseParser};
use watertight_mapi::http::{auxiliary as aux, body, ext, lz77 as lz};
use watertight_testkit::captures::{self, Exchange};

use crate::{Seed, choice, stable};

/// Bodies of all request types, both ways.
pub fn http_body(data: &[u8]) {
    let Some((what, data)) = choice(data, 8) else { return };
    match what {
        0 => drop(stable::<body::ConnectRequest>(data)),
        1 => drop(stable::<body::ConnectResponse>(data)),
        2 => drop(stable::<body::ExecuteRequest>(data)),
        3 => drop(stable::<body::ExecuteResponse>(data)),
        4 => drop(stable::<body::DisconnectRequest>(data)),
        5 => drop(stable::<body::DisconnectResponse>(data)),
        6 => drop(stable::<body::NotificationWaitRequest>(data)),
        _ => drop(stable::<body::NotificationWaitResponse>(data)),
    }
}

pub fn body_seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for e in some_exchanges() {
        let what = match e.request_type.as_str() {
            "Connect" => 0,
            "Execute" => 2,
            "Disconnect" => 4,
            "NotificationWait" => 6,
            _ => continue,
        };
        seeds.push((format!("{}-{:04}.req", group(&e), e.n), [&[what][..], &e.request()].concat()));
        seeds.push((format!("{}-{:04}.rsp", group(&e), e.n), [&[what + 1][..], &e.response_body()].concat()));
    }
    seeds
}

/// Auxiliary buffers, both ways.
pub fn auxiliary(data: &[u8]) {
    let Ok(blocks) = aux::read(data) else { return };
    let bytes = aux::write(&blocks).expect("what was read is written");
    assert_eq!(aux::read(&bytes).expect("what was written is read"), blocks);
}

pub fn auxiliary_seeds() -> Vec<Seed> {
    let blocks = [aux::Block::organisation(true), aux::Block::single_endpoint()];
    let mut seeds: Vec<Seed> = aux::write(&blocks).into_iter().map(|b| ("ours".to_owned(), b)).collect();
    for e in some_exchanges().iter().filter(|e| e.request_type == "Connect") {
        if let Some(request) = stable::<body::ConnectRequest>(&e.request()) {
            seeds.push((format!("{}-{:04}", group(e), e.n), request.auxiliary));
        }
    }
    seeds
}

/// Chains of RPC_HEADER_EXT buffers: never more than the limits, and the same again when wrapped again.
pub fn rpc_header_ext(data: &[u8]) {
    let Some((how, data)) = choice(data, 4) else { return };
    let limits = Limits { payloads: 8, bytes: 128 * 1024 };
    let Ok(payloads) = ext::unwrap(data, limits) else { return };
    assert!(payloads.len() <= limits.payloads);
    assert!(payloads.iter().map(|p| p.bytes.len()).sum::<usize>() <= limits.bytes);
    let wrap = Wrap { compress: how & 1 != 0, xor: how & 2 != 0, last: false };
    let again = ext::wrap_all(payloads.iter().map(|p| p.bytes.as_slice()), wrap).expect("wrapped again");
    let again = ext::unwrap(&again, limits).expect("and unwrapped");
    assert!(payloads.iter().map(|p| &p.bytes).eq(again.iter().map(|p| &p.bytes)));
}

pub fn ext_seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for e in some_exchanges().iter().filter(|e| e.request_type == "Execute") {
        if let Some(request) = stable::<body::ExecuteRequest>(&e.request()) {
            seeds.push((format!("{}-{:04}.req", group(e), e.n), [&[1][..], &request.rop_buffer].concat()));
        }
        if let Some(body::Answer::Success(done)) = stable::<body::ExecuteResponse>(&e.response_body()) {
            seeds.push((format!("{}-{:04}.rsp", group(e), e.n), [&[3][..], &done.rop_buffer].concat()));
        }
    }
    seeds
}

/// DIRECT2: any stream is decompressed within its size or refused; any input comes back from its compressed form.
pub fn lz77(data: &[u8]) {
    let Some((size, data)) = data.split_first_chunk::<2>() else { return };
    let size = usize::from(u16::from_le_bytes(*size));
    if let Ok(plain) = lz::decompress(data, size) {
        assert_eq!(plain.len(), size);
    }
    if let Some(stream) = lz::compress(data) {
        assert!(stream.len() < data.len());
        assert_eq!(lz::decompress(&stream, data.len()).expect("our own stream"), data);
    }
}

pub fn lz77_seeds() -> Vec<Seed> {
    captures::group("09")
        .iter()
        .filter(|e| e.request_type == "lzxpress")
        .map(|e| {
            let size = u16::try_from(e.request().len()).unwrap_or(u16::MAX);
            (format!("{:04}", e.n), [&size.to_le_bytes()[..], &e.response()].concat())
        })
        .collect()
}

/// Meta-tags, additional headers and body: the same whatever the pieces are in which they come.
pub fn framing(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else { return };
    let whole = framed([data]);
    assert_eq!(whole, framed(data.chunks(usize::from(*cut).saturating_add(1))), "pieces of {cut} + 1");
}

type Framed = (Vec<Event>, Vec<u8>, Result<(), FramingError>);

fn framed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Framed {
    let mut parser = ResponseParser::new(16 * 1024);
    let (mut events, mut body, mut result) = (Vec::new(), Vec::new(), Ok(()));
    for piece in pieces {
        result = parser.handle_input(piece);
        while let Some(event) = parser.poll_event() {
            match event {
                Event::Body(bytes) => body.extend(bytes),
                other => events.push(other),
            }
        }
        if result.is_err() {
            // How much of a body that is too long comes out before the error depends on the pieces.
            body.clear();
            break;
        }
    }
    if result.is_ok() {
        result = parser.handle_end();
    }
    (events, body, result)
}

pub fn framing_seeds() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = some_exchanges()
        .iter()
        .map(|e| (format!("{}-{:04}", group(e), e.n), [&[6][..], &e.response()].concat()))
        .collect();
    seeds
        .push(("ours".into(), b"\x02PROCESSING\r\nPENDING\r\nDONE\r\nX-ElapsedTime: 4\r\n\r\nbody".to_vec()));
    seeds
}

/// Enough of every kind.
fn some_exchanges() -> Vec<Exchange> {
    let mut all: Vec<Exchange> = captures::first_set().into_iter().step_by(4).collect();
    all.extend(captures::group("01").into_iter().step_by(2));
    all.extend(captures::group("09").into_iter().filter(|e| e.request_type != "lzxpress").step_by(3));
    all
}

fn group(e: &Exchange) -> String {
    e.group.as_deref().unwrap_or("00").chars().take(2).collect()
}
