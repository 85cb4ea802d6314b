//! [MS-OXCROPS] requests and responses.

use watertight_mapi::http::{body, ext};
use watertight_mapi::rop::{Request, RopBuffer, read_requests, read_responses};
use watertight_mapi::{PropId, PropTag, PropType};
use watertight_testkit::captures;
use watertight_wire::{Wire, Writer};

use crate::{Seed, stable};

/// ROP requests: what was read is written as the same requests.
pub fn rop_requests(data: &[u8]) {
    let Some(buffer) = stable::<RopBuffer>(data) else { return };
    let Ok(requests) = read_requests(&buffer.rops) else { return };
    let bytes = written(&requests);
    let again = read_requests(&bytes).expect("what was written is read");
    assert_eq!(bytes, written(&again), "{requests:?}");
}

fn written(requests: &[Request]) -> Vec<u8> {
    let mut w = Writer::new();
    for request in requests {
        request.write(&mut w).expect("what was read is written");
    }
    w.into_bytes()
}

/// ROP responses to whatever requests: what was read is written, and read again as the same.
pub fn rop_responses(data: &[u8]) {
    let Some((cut, data)) = data.split_first_chunk::<2>() else { return };
    let (asked, answered) = data.split_at(usize::from(u16::from_le_bytes(*cut)).min(data.len()));
    let requests =
        RopBuffer::from_bytes(asked).ok().and_then(|b| read_requests(&b.rops).ok()).unwrap_or_default();
    let Ok(buffer) = RopBuffer::from_bytes(answered) else { return };
    let columns = |_: &Request| {
        let tag = |id, ty| PropTag::new(PropId(id), ty);
        vec![tag(0x3001, PropType::Unicode), tag(0x67, PropType::Binary), tag(0x3602, PropType::I32)]
    };
    let Ok(responses) = read_responses(&buffer.rops, &requests, columns) else { return };
    let write = |responses: &[watertight_mapi::rop::Response]| {
        let mut w = Writer::new();
        for response in responses {
            response.write(&mut w).expect("what was read is written");
        }
        w.into_bytes()
    };
    let bytes = write(&responses);
    let again = read_responses(&bytes, &requests, columns).expect("what was written is read");
    assert_eq!(bytes, write(&again), "{responses:?}");
}

pub fn request_seeds() -> Vec<Seed> {
    pairs().into_iter().map(|(name, request, _)| (name, request)).collect()
}

pub fn response_seeds() -> Vec<Seed> {
    pairs()
        .into_iter()
        .map(|(name, request, response)| {
            let len = u16::try_from(request.len()).unwrap_or(0);
            (name, [&len.to_le_bytes()[..], &request, &response].concat())
        })
        .collect()
}

/// The ROP buffers of one exchange for each kind of first ROP and outcome.
fn pairs() -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let mut seen = std::collections::BTreeSet::new();
    let mut pairs = Vec::new();
    let all = captures::first_set().into_iter().chain(captures::second_set());
    for e in all.filter(|e| e.request_type == "Execute") {
        let Ok(request) = body::ExecuteRequest::from_bytes(&e.request()) else { continue };
        let Ok(body::Answer::Success(done)) = body::ExecuteResponse::from_bytes(&e.response_body()) else {
            continue;
        };
        let first = |field: &[u8]| {
            let payloads = ext::unwrap(field, ext::Limits::default()).ok()?;
            payloads.into_iter().next().map(|p| p.bytes)
        };
        let (Some(request), Some(response)) = (first(&request.rop_buffer), first(&done.rop_buffer)) else {
            continue;
        };
        let kind = (request.get(2).copied(), e.return_value.as_ref().map(ToString::to_string));
        if seen.insert(kind) {
            let group = e.group.as_deref().unwrap_or("00").chars().take(2).collect::<String>();
            pairs.push((format!("{group}-{:04}", e.n), request, response));
        }
    }
    pairs
}
