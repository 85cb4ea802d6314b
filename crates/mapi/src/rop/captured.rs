//! Every ROP that was captured is read to its end and written again as the same bytes.

use std::collections::HashMap;

use watertight_testkit::{
    captures::{Exchange, first_set, second_set},
    mutate::survive,
};
use watertight_wire::{Wire, Writer};

use super::*;
use crate::{
    PropTag,
    http::{
        body::{Answer, ExecuteRequest, ExecuteResponse},
        ext,
    },
};

/// The columns, by the handles of the answer, of tables and of messages' recipients, by session and handle.
#[derive(Default)]
struct Columns(HashMap<(String, u32), Vec<PropTag>>);

impl Columns {
    /// The columns that a request sets. A handle may have been opened by the same buffer: then only the answer has it.
    fn learn(&mut self, session: &str, request: &Request, answered: &RopBuffer) {
        let columns = match &request.body {
            RequestBody::SetColumns(body) => &body.columns.0,
            RequestBody::ModifyRecipients(body) => &body.columns,
            _ => return,
        };
        if let Some(&handle) = answered.handles.get(usize::from(request.index)) {
            self.0.insert((session.to_owned(), handle), columns.clone());
        }
    }

    fn opened(&mut self, session: &str, response: &Response, answered: &RopBuffer) {
        let Some(RopResponse { index, body: Some(body), .. }) = response.rop() else { return };
        let summary = match body {
            ResponseBody::OpenMessage(summary) | ResponseBody::ReloadCachedInformation(summary) => summary,
            ResponseBody::OpenEmbeddedMessage(response) => &response.summary,
            _ => return,
        };
        if let Some(&handle) = answered.handles.get(usize::from(*index)) {
            self.0.insert((session.to_owned(), handle), summary.columns.clone());
        }
    }

    fn of(&self, session: &str, request: &Request, answered: &RopBuffer) -> Vec<PropTag> {
        let handle = answered.handles.get(usize::from(request.index)).copied().unwrap_or_default();
        self.0.get(&(session.to_owned(), handle)).cloned().unwrap_or_default()
    }
}

fn rewritten_requests(requests: &[Request]) -> Vec<u8> {
    let mut w = Writer::new();
    requests.iter().for_each(|request| request.write(&mut w).unwrap());
    w.into_bytes()
}

fn rewritten_responses(responses: &[Response]) -> Vec<u8> {
    let mut w = Writer::new();
    responses.iter().for_each(|response| response.write(&mut w).unwrap());
    w.into_bytes()
}

/// Reads one exchange; returns how many requests and responses there were.
fn exchange(e: &Exchange, columns: &mut Columns, wrong: &mut Vec<String>) -> (usize, usize) {
    let session = format!("{:?}/{:?}", e.group, e.session);
    let name = format!("{} {:?} {}", e.n, e.group, e.label);
    let Ok(body) = ExecuteRequest::from_bytes(&e.request()) else {
        assert!(e.label.starts_with("error:"), "{name}");
        return (0, 0);
    };
    let Ok(payloads) = ext::unwrap(&body.rop_buffer, ext::Limits::default()) else {
        assert!(e.label.starts_with("error:"), "{name}");
        return (0, 0);
    };
    assert_eq!(payloads.len(), 1, "{name}");
    let Ok(asked) = RopBuffer::from_bytes(&payloads[0].bytes) else {
        assert!(e.label.starts_with("error:"), "{name}");
        return (0, 0);
    };
    let requests = match read_requests(&asked.rops) {
        Ok(requests) => requests,
        Err(_) if e.label.starts_with("error:") => return (0, 0),
        Err(error) => {
            wrong.push(format!("{name}: {error}"));
            return (0, 0);
        }
    };
    if rewritten_requests(&requests) != asked.rops || asked.to_bytes().unwrap() != payloads[0].bytes {
        wrong.push(format!("{name}: {requests:?} is not rewritten to {:02x?}", asked.rops));
    }
    let mut count = 0;
    let Ok(Answer::Success(executed)) = ExecuteResponse::from_bytes(&e.response_body()) else {
        return (requests.len(), 0);
    };
    if executed.rop_buffer.is_empty() {
        return (requests.len(), 0);
    }
    for payload in ext::unwrap(&executed.rop_buffer, ext::Limits::default()).expect(&name) {
        let answered = RopBuffer::from_bytes(&payload.bytes).expect(&name);
        for request in &requests {
            columns.learn(&session, request, &answered);
        }
        match read_responses(&answered.rops, &requests, |request| columns.of(&session, request, &answered)) {
            Ok(responses) => {
                count += responses.len();
                if rewritten_responses(&responses) != answered.rops {
                    wrong.push(format!("{name}: {responses:?} is not rewritten to {:02x?}", answered.rops));
                }
                for response in &responses {
                    columns.opened(&session, response, &answered);
                }
            }
            Err(error) => wrong.push(format!("{name}: {error}: {:02x?}", answered.rops)),
        }
    }
    (requests.len(), count)
}

fn all(set: Vec<Exchange>) -> (usize, usize) {
    let mut columns = Columns::default();
    let mut wrong = Vec::new();
    let mut total = (0, 0);
    for e in set.iter().filter(|e| e.request_type == "Execute") {
        let (requests, responses) = exchange(e, &mut columns, &mut wrong);
        total = (total.0 + requests, total.1 + responses);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    total
}

#[test]
fn the_first_set_is_read_to_its_end_and_written_again() {
    assert_eq!(all(first_set()), (194, 160));
}

#[test]
fn the_second_set_is_read_to_its_end_and_written_again() {
    assert_eq!(all(second_set()), (703, 739));
}

#[test]
fn damaged_requests_and_responses_are_survived() {
    // One sample of each ROP that is short enough to be damaged bit by bit.
    let mut seen = std::collections::HashSet::new();
    let mut columns = Columns::default();
    for e in first_set().into_iter().chain(second_set()).filter(|e| e.request_type == "Execute") {
        let Ok(body) = ExecuteRequest::from_bytes(&e.request()) else { continue };
        let Ok(payloads) = ext::unwrap(&body.rop_buffer, ext::Limits::default()) else { continue };
        let Ok(asked) = RopBuffer::from_bytes(&payloads[0].bytes) else { continue };
        let Ok(requests) = read_requests(&asked.rops) else { continue };
        let Some(first) = requests.first().map(Request::id) else { continue };
        let Ok(Answer::Success(executed)) = ExecuteResponse::from_bytes(&e.response_body()) else { continue };
        let Ok(payloads) = ext::unwrap(&executed.rop_buffer, ext::Limits::default()) else { continue };
        let answered = RopBuffer::from_bytes(&payloads[0].bytes).unwrap();
        requests.iter().for_each(|request| columns.learn("", request, &answered));
        let responses =
            read_responses(&answered.rops, &requests, |request| columns.of("", request, &answered))
                .unwrap_or_default();
        responses.iter().for_each(|response| columns.opened("", response, &answered));
        if asked.rops.len() > 600 || answered.rops.len() > 1200 || !seen.insert(first) {
            continue;
        }
        survive(&asked.rops, |bytes| drop(read_requests(bytes)));
        survive(&answered.rops, |bytes| {
            let _ = read_responses(bytes, &requests, |request| columns.of("", request, &answered));
        });
    }
    assert!(seen.len() > 80, "{}", seen.len());
}

/// The worked examples of the documents, both ways.
#[test]
fn worked_examples() {
    // [MS-OXCROPS] 4.4: two RopRelease.
    let bytes = [8, 0, 1, 0, 0, 1, 0, 1, 0x6f, 0, 0, 0, 0x6e, 0, 0, 0];
    let buffer = RopBuffer::from_bytes(&bytes).unwrap();
    let releases = read_requests(&buffer.rops).unwrap();
    assert_eq!(buffer.handles, [0x6f, 0x6e]);
    assert!(releases.iter().zip(0..).all(|(r, i)| r.id() == RopId::Release && r.index == i));
    assert_eq!(rewritten_requests(&releases), buffer.rops);
    assert_eq!(buffer.to_bytes().unwrap(), bytes);
    // [MS-OXCTABL] 4.1.1 and 4.5.3.1: RopGetContentsTable, RopQueryRows of 50 rows.
    let bytes = [5, 0, 0, 1, 0, 0x15, 0, 0, 0, 1, 0x32, 0];
    let requests = read_requests(&bytes).unwrap();
    assert!(matches!(&requests[1].body, RequestBody::QueryRows(q) if q.row_count == 50 && q.forward_read.0));
    assert_eq!(rewritten_requests(&requests), bytes);
    // [MS-OXCPRPT] 4: RopSetProperties of PidTagSubjectPrefix and PidTagNormalizedSubject.
    let mut bytes = vec![0x0a, 0, 0, 0x24, 0, 2, 0, 0x1f, 0, 0x3d, 0, 0, 0, 0x1f, 0, 0x1d, 0x0e];
    bytes.extend("Hello World\0".encode_utf16().flat_map(u16::to_le_bytes));
    let requests = read_requests(&bytes).unwrap();
    let RequestBody::SetProperties(set) = &requests[0].body else { panic!() };
    let values: Vec<_> = set.values.iter().map(|v| (v.tag.0, v.value.clone())).collect();
    assert_eq!(values, [(0x003d_001f, "".into()), (0x0e1d_001f, "Hello World".into())]);
    assert_eq!(rewritten_requests(&requests), bytes);
    // [MS-OXCFOLD] 4.7.2: a hierarchy table of 21 rows.
    let bytes = [4, 2, 0, 0, 0, 0, 0x15, 0, 0, 0];
    let request = Request::new(
        0,
        RequestBody::GetHierarchyTable(folder::GetHierarchyTableRequest { output_index: 2, table_flags: 4 }),
    );
    let responses = read_responses(&bytes, &[request], |_| Vec::new()).unwrap();
    assert!(matches!(
        responses[0].rop().unwrap().body,
        Some(ResponseBody::GetHierarchyTable(folder::GetHierarchyTableResponse { row_count: 21 }))
    ));
    assert_eq!(rewritten_responses(&responses), bytes);
}
