//! Requests and their answers, right and wrong.

use std::sync::Arc;
use std::time::Duration;

use watertight_mapi::MapiCode;
use watertight_mapi::http::body::{
    Answer, ConnectFlags, ConnectRequest, ConnectResponse, DisconnectResponse, ExecuteFlags, ExecuteRequest,
    ExecuteResponse, NotificationWaitResponse, StatusCode,
};
use watertight_mapi::http::ext::{self, ExtFlags, Limits, Wrap};
use watertight_mapi::http::{RequestType, auxiliary};
use watertight_mapi::store::legacy_dn;
use watertight_wire::Wire;

use crate::bed::{Bed, Client, Response, connect_body, execute_body, executed, store};

#[tokio::test]
async fn a_session_from_connect_to_disconnect() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    let response = client.connect().await;
    assert_eq!(response.status, 200);
    for (name, value) in [
        ("Content-Type", "application/mapi-http"),
        ("Cache-Control", "private"),
        ("X-RequestType", "Connect"),
        ("X-RequestId", "{7A139165-9960-4398-A5D2-DD8B91CF0416}:1"),
        ("X-ClientInfo", "{7A139165-9960-4398-A5D2-DD8B91CF0416}:1"),
        ("X-ResponseCode", "0"),
        ("X-PendingPeriod", "15000"),
        ("X-ExpirationInfo", "900000"),
    ] {
        assert_eq!(response.header(name), Some(value));
    }
    // Exchange/15.xx.xxxx.xxx.
    let application = response.header("X-ServerApplication").unwrap();
    let lengths: Vec<_> = application.strip_prefix("Exchange/").unwrap().split('.').map(str::len).collect();
    assert_eq!(lengths, [2, 2, 4, 3]);
    let Answer::Success(connected) = ConnectResponse::from_bytes(&response.body()).unwrap() else { panic!() };
    assert_eq!(connected.display_name, "Person u3");
    assert_eq!(auxiliary::read(&connected.auxiliary).unwrap().len(), 2);
    check_chunks(&response);

    let first = client.cookies.clone();
    let response = client.execute().await;
    check_chunks(&response);
    let answer = executed(&response);
    assert_eq!(answer.error_code, MapiCode::Success);
    let payloads = ext::unwrap(&answer.rop_buffer, Limits::default()).unwrap();
    assert_eq!(payloads[0].flags, ExtFlags::Last);
    assert_eq!(first["MapiContext"], client.cookies["MapiContext"]);
    assert_ne!(first["MapiSequence"], client.cookies["MapiSequence"]);

    let sequence = client.cookies["MapiSequence"].clone();
    let response = client.post("PING", &[]).await;
    assert_eq!((response.code(), response.body()), (0, Vec::new()));
    assert_eq!(response.header("X-RequestType"), Some("PING"));
    check_chunks(&response);

    let started = std::time::Instant::now();
    let response = client.post("NotificationWait", &[0; 8]).await;
    check_chunks(&response);
    let Answer::Success(waited) = NotificationWaitResponse::from_bytes(&response.body()).unwrap() else {
        panic!()
    };
    assert_eq!((waited.error_code, waited.event_pending), (MapiCode::Success, 0));
    assert!(started.elapsed() < Duration::from_secs(5), "nothing is registered: answered at once");
    assert_eq!(sequence, client.cookies["MapiSequence"], "neither moves the sequence");

    let response = client.post("Disconnect", &[0; 4]).await;
    check_chunks(&response);
    let Answer::Success(ended) = DisconnectResponse::from_bytes(&response.body()).unwrap() else { panic!() };
    assert_eq!(ended.error_code, MapiCode::Success);
    assert!(response.header("Set-Cookie").is_some());
    assert_eq!(bed.held("session contexts"), 0);
    assert_eq!(bed.held("rop sessions"), 0);

    for (request_type, body) in [("Execute", &b""[..]), ("PING", b""), ("Disconnect", b"")] {
        assert_eq!(client.post(request_type, body).await.code(), 10, "{request_type}");
    }
    drop(client);
    bed.end().await;
}

/// PROCESSING and DONE are chunks of their own, and the additional headers are spelt as the document spells them.
fn check_chunks(response: &Response) {
    let (first, rest) = response.chunks.split_first().unwrap();
    assert_eq!(first, b"PROCESSING\r\n");
    let (done, pending) = rest.split_last().unwrap();
    assert!(pending.iter().all(|chunk| chunk == b"PENDING\r\n"));
    let text = String::from_utf8_lossy(done);
    let head: Vec<_> = text.split("\r\n\r\n").next().unwrap().split("\r\n").collect();
    assert_eq!(head[0], "DONE");
    assert!(head[1].strip_prefix("X-ElapsedTime: ").unwrap().parse::<u64>().is_ok(), "{head:?}");
    let start = head[2].strip_prefix("X-StartTime: ").unwrap();
    assert!(start.ends_with(" GMT") && start.len() == 29, "{start}");
    assert_eq!(head.len(), 3);
}

/// Sends an Execute with changed headers; returns the code. The answer is one that the document describes.
async fn refused(client: &mut Client, change: impl FnOnce(&mut Vec<(String, String)>)) -> u32 {
    let mut headers = client.headers("Execute");
    change(&mut headers);
    let body = execute_body(&[2, 0], ExecuteFlags(3), Wrap::default(), 0x10008);
    let response = client.exchange(&headers, &body).await;
    assert_eq!(response.status, 200);
    let code = response.code();
    if code != 0 {
        assert_eq!(response.header("Content-Type"), Some("text/html"));
        assert!(response.header("Set-Cookie").is_none());
        assert!(response.header("X-ServerApplication").is_some());
        assert!(response.header("X-ExpirationInfo").is_some());
        let sent = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        assert_eq!(response.header("X-RequestId"), sent("X-RequestId"));
        assert_eq!(response.header("X-ClientInfo"), sent("X-ClientInfo"));
        assert_eq!(response.header("X-RequestType"), sent("X-RequestType"));
    }
    code
}

fn without(name: &'static str) -> impl FnOnce(&mut Vec<(String, String)>) {
    move |headers| headers.retain(|(n, _)| n != name)
}

fn with(name: &'static str, value: &'static str) -> impl FnOnce(&mut Vec<(String, String)>) {
    move |headers| {
        headers.retain(|(n, _)| n != name);
        headers.push((name.into(), value.into()));
    }
}

#[tokio::test]
async fn wrong_and_missing_headers_get_the_documents_codes() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    client.connect().await;
    let client = &mut client;
    // 7 Missing Header.
    for name in ["X-RequestType", "X-RequestId", "X-ClientInfo", "Content-Type", "Host"] {
        assert_eq!(refused(client, without(name)).await, 7, "{name}");
    }
    // 4 Invalid Header.
    assert_eq!(refused(client, with("X-RequestId", "17")).await, 4);
    assert_eq!(refused(client, with("Content-Type", "text/plain")).await, 4);
    assert_eq!(refused(client, |h| h.push(("X-RequestType".into(), "Execute".into()))).await, 4);
    // 5 Invalid Request Type.
    assert_eq!(refused(client, with("X-RequestType", "Frobnicate")).await, 5);
    assert_eq!(refused(client, with("X-RequestType", "Bind")).await, 5);
    // 13 Missing Cookie.
    assert_eq!(refused(client, without("Cookie")).await, 13);
    let context = format!("MapiContext={}", client.cookies["MapiContext"]);
    let only_context = |h: &mut Vec<(String, String)>| {
        h.retain(|(n, _)| n != "Cookie");
        h.push(("Cookie".into(), context.clone()));
    };
    assert_eq!(refused(client, only_context).await, 13);
    // 6 Invalid Context Cookie, 10 Context Not Found.
    assert_eq!(refused(client, with("Cookie", "MapiContext=zzz; MapiSequence=1")).await, 6);
    let unknown = "MapiContext=00112233445566778899aabbccddeeff; MapiSequence=1";
    assert_eq!(refused(client, with("Cookie", unknown)).await, 10);
    // 15 Invalid Sequence.
    let wrong = |h: &mut Vec<(String, String)>| {
        h.retain(|(n, _)| n != "Cookie");
        h.push(("Cookie".into(), format!("{context}; MapiSequence=7-0")));
    };
    assert_eq!(refused(client, wrong).await, 15);
    // Names without case are fine, and none of all this has used the sequence up.
    let lower = |h: &mut Vec<(String, String)>| h.iter_mut().for_each(|(n, _)| *n = n.to_lowercase());
    assert_eq!(refused(client, lower).await, 0);
    assert_eq!(refused(client, |_| ()).await, 0);
    bed.until_held("http requests", 0).await;
    bed.end().await;
}

#[tokio::test]
async fn wrong_verbs_and_paths_get_the_documents_codes() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    for (line, code) in [
        ("GET /mapi/emsmdb/", 2),
        ("PUT /mapi/emsmdb/", 2),
        ("POST /mapi/emsmdb/more", 3),
        ("POST /mapi", 3),
        ("POST /mapi/nspi/?MailboxId=x", 0),
        ("POST /MAPI/EMSMDB?MailboxId=x", 0),
    ] {
        let headers = client.headers("PING");
        client.send(line, &headers, b"").await;
        let response = client.receive().await;
        assert_eq!((response.status, response.code()), (200, code), "{line}");
    }
    let headers = client.headers("PING");
    client.send("POST /", &headers, b"").await;
    assert_eq!(client.receive().await.status, 404);
    bed.end().await;
}

#[tokio::test]
async fn wrong_bodies_get_the_documents_codes_and_leave_the_sequence() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    assert_eq!(client.post("Connect", b"no terminator").await.code(), 12);
    client.connect().await;
    let good = execute_body(&[2, 0], ExecuteFlags(3), Wrap::default(), 0x10008);
    assert_eq!(client.post("Execute", &good[..good.len() - 3]).await.code(), 12);
    assert_eq!(client.post("Execute", &[&good[..], b"x"].concat()).await.code(), 12);
    assert_eq!(client.post("NotificationWait", b"1").await.code(), 12);
    assert_eq!(client.post("Disconnect", b"1").await.code(), 12);
    assert_eq!(client.execute().await.code(), 0);
    // 9 Too Large.
    let response = client.post("Execute", &vec![0; 300_000]).await;
    assert_eq!(response.code(), 9);
    let mut client = bed.client("u3").await;
    client.connect().await;
    assert_eq!(client.execute().await.code(), 0);
    drop(client);
    bed.end().await;
}

async fn error_code(client: &mut Client, request: ExecuteRequest) -> Result<MapiCode, StatusCode> {
    let response = client.post("Execute", &request.to_bytes().unwrap()).await;
    assert_eq!(response.code(), 0);
    match ExecuteResponse::from_bytes(&response.body()).unwrap() {
        Answer::Success(executed) => Ok(executed.error_code),
        Answer::Failure(failure) => Err(failure.status_code),
    }
}

#[tokio::test]
async fn execute_keeps_the_bounds_of_ecdorpcext2() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    client.connect().await;
    let client = &mut client;
    let last = Wrap { last: true, ..Wrap::default() };
    let good = ExecuteRequest {
        flags: ExecuteFlags(3),
        rop_buffer: ext::wrap(&[2, 0], last).unwrap(),
        max_rop_out: 0x10008,
        auxiliary: Vec::new(),
    };
    assert_eq!(error_code(client, good.clone()).await, Ok(MapiCode::Success));
    let bad_stub = Err(StatusCode::BadStubData);
    assert_eq!(error_code(client, ExecuteRequest { max_rop_out: 0x40001, ..good.clone() }).await, bad_stub);
    assert_eq!(
        error_code(client, ExecuteRequest { auxiliary: vec![0; 0x1009], ..good.clone() }).await,
        bad_stub
    );
    assert_eq!(
        error_code(client, ExecuteRequest { rop_buffer: vec![0; 0x40001], ..good.clone() }).await,
        bad_stub
    );
    // ecRpcFailed.
    let failed = Ok(MapiCode::NetworkError);
    assert_eq!(error_code(client, ExecuteRequest { max_rop_out: 7, ..good.clone() }).await, failed);
    assert_eq!(error_code(client, ExecuteRequest { rop_buffer: vec![0; 7], ..good.clone() }).await, failed);
    assert_eq!(error_code(client, ExecuteRequest { auxiliary: vec![0; 7], ..good.clone() }).await, failed);
    // ecRpcFormat.
    let format = Ok(MapiCode::RpcFormat);
    let no_last = ext::wrap(&[2, 0], Wrap::default()).unwrap();
    assert_eq!(error_code(client, ExecuteRequest { rop_buffer: no_last, ..good.clone() }).await, format);
    let two = ext::wrap_all([&[2, 0][..], &[2, 0]], Wrap::default()).unwrap();
    assert_eq!(error_code(client, ExecuteRequest { rop_buffer: two, ..good.clone() }).await, format);
    let size = ext::wrap(&[9, 0], last).unwrap();
    assert_eq!(error_code(client, ExecuteRequest { rop_buffer: size, ..good.clone() }).await, format);
    let mut cut = ext::wrap(&[0; 1000], Wrap { compress: true, ..last }).unwrap();
    cut.truncate(cut.len() - 1);
    assert_eq!(error_code(client, ExecuteRequest { rop_buffer: cut, ..good.clone() }).await, format);
    // Room for the header alone.
    assert_eq!(
        error_code(client, ExecuteRequest { max_rop_out: 8, ..good.clone() }).await,
        Ok(MapiCode::BufferTooSmall)
    );
    assert_eq!(error_code(client, good).await, Ok(MapiCode::Success));
    bed.end().await;
}

#[tokio::test]
async fn requests_may_be_compressed_and_obfuscated_and_responses_are_compressed_when_allowed() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    client.connect().await;
    // No ROP, and a long table of handles that comes back.
    let mut payload = vec![2, 0];
    payload.extend(std::iter::repeat_n(0xff, 4 * 1000));
    for (flags, compressed) in [(0, true), (1, false), (2, true), (3, false)] {
        for how in [(false, false), (true, false), (false, true), (true, true)] {
            let how = Wrap { compress: how.0, xor: how.1, last: true };
            let body = execute_body(&payload, ExecuteFlags(flags), how, 0x10008);
            let answer = executed(&client.post("Execute", &body).await);
            assert_eq!(answer.error_code, MapiCode::Success);
            let payloads = ext::unwrap(&answer.rop_buffer, Limits::default()).unwrap();
            assert_eq!(payloads[0].bytes, payload);
            assert_eq!(payloads[0].flags.contains(ExtFlags::Compressed), compressed);
            assert!(!payloads[0].flags.contains(ExtFlags::XorMagic));
        }
    }
    bed.end().await;
}

#[tokio::test]
async fn connect_returns_what_ecdoconnectex_returns() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    let own = legacy_dn("u3");
    let ask = |dn: &str, flags| {
        let request = ConnectRequest::from_bytes(&connect_body(dn)).unwrap();
        ConnectRequest { flags, ..request }.to_bytes().unwrap()
    };
    for (body, code) in [
        (ask("", ConnectFlags(0)), MapiCode::AccessDenied),
        (ask("/o=Nobody", ConnectFlags(0)), MapiCode::UnknownUser),
        (ask(&legacy_dn("u4"), ConnectFlags(0)), MapiCode::AccessDenied),
        (ask(&own, ConnectFlags::Administrator), MapiCode::LoginPerm),
        (ask(&own.to_uppercase(), ConnectFlags(0x8000)), MapiCode::Success),
    ] {
        let response = client.post("Connect", &body).await;
        assert_eq!(response.code(), 0);
        let Answer::Success(connected) = ConnectResponse::from_bytes(&response.body()).unwrap() else {
            panic!()
        };
        assert_eq!(connected.error_code, code);
        assert_eq!(response.header("Set-Cookie").is_some(), code == MapiCode::Success);
    }
    assert_eq!(bed.held("session contexts"), 1);
    bed.end().await;
}

#[tokio::test]
async fn request_types_are_answered_as_the_document_spells_them() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    let response = client.post("ping", &[]).await;
    assert_eq!(response.header("x-requesttype"), Some(RequestType::Ping.as_str()));
    bed.end().await;
}

#[tokio::test]
async fn autodiscover_leads_to_the_mailbox() {
    let bed = Bed::with(Arc::new(store().await), |_| {}).await;
    let mut client = bed.client("u4").await;
    let body = "<Autodiscover><Request><EMailAddress>u4@test.local</EMailAddress><AcceptableResponseSchema>\
        http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a\
        </AcceptableResponseSchema></Request></Autodiscover>";
    let mut headers = client.headers("");
    headers.retain(|(name, _)| name == "Authorization");
    headers.push(("host".into(), "mail.test.local:8443".into()));
    headers.push(("X-MapiHttpCapability".into(), "1".into()));
    client.send("POST /AutoDiscover/AutoDiscover.XML", &headers, body.as_bytes()).await;
    let response = client.receive().await;
    assert_eq!(response.status, 200);
    let xml = String::from_utf8(response.whole()).unwrap();
    let url = xml.split("<InternalUrl>").nth(1).unwrap().split('<').next().unwrap();
    assert!(url.starts_with("http://mail.test.local:8443/mapi/emsmdb/?MailboxId="), "{url}");
    assert!(xml.contains(&format!("<LegacyDN>{}</LegacyDN>", legacy_dn("u4"))), "{xml}");
    client.send("GET /autodiscover/autodiscover.xml", &headers, b"").await;
    assert_eq!(client.receive().await.status, 405);
    headers.retain(|(name, _)| name != "Authorization");
    client.send("POST /autodiscover/autodiscover.xml", &headers, body.as_bytes()).await;
    assert_eq!(client.receive().await.status, 401);
    bed.end().await;
}

#[tokio::test]
async fn the_documents_example_of_a_session_is_answered() {
    // [MS-OXCMAPIHTTP] 4.1 to 4.4: its headers, in its order and with its opaque strings; each cookie in a Cookie
    // header of its own.
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    let good = execute_body(&[2, 0], ExecuteFlags(3), Wrap::default(), 0x10008);
    for (i, (request_type, body)) in [
        ("Connect", connect_body(&legacy_dn("u3"))),
        ("Execute", good),
        ("PING", Vec::new()),
        ("Disconnect", vec![0; 4]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut headers = vec![
            ("Host".to_owned(), "mail.example.org:443".to_owned()),
            ("Content-Type".to_owned(), "application/mapi-http".to_owned()),
        ];
        headers.extend(client.cookies.iter().map(|(k, v)| ("Cookie".to_owned(), format!("{k}={v}"))));
        for (name, value) in [
            ("X-RequestType", request_type),
            ("X-ClientInfo", "an opaque string"),
            ("X-RequestId", &format!("E2EA6C1C-E61B-49E9-9CFB-38184F907552:{i}")),
            ("X-ClientApplication", "Outlook/15.00.0856.000"),
            ("Authorization", &client.authorization),
        ] {
            headers.push((name.to_owned(), value.to_owned()));
        }
        let response = client.exchange(&headers, &body).await;
        assert_eq!((response.status, response.code()), (200, 0), "{request_type}");
        assert_eq!(response.header("X-ClientInfo"), Some("an opaque string"));
        assert_eq!(response.header("Transfer-Encoding"), Some("chunked"));
        check_chunks(&response);
    }
    bed.end().await;
}
