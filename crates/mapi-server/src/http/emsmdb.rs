//! The mailbox server endpoint — [MS-OXCMAPIHTTP] 2.2.4, 3.2.5.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use axum::extract::Request;
use axum::response::Response;
use futures_util::FutureExt;
use tokio::sync::oneshot;
use watertight_mapi::MapiCode;
use watertight_mapi::http::auxiliary::{self, Block};
use watertight_mapi::http::body::{
    Answer, ConnectFlags, ConnectRequest, ConnectResponse, Connected, DisconnectRequest, DisconnectResponse,
    Disconnected, ExecuteFlags, ExecuteRequest, ExecuteResponse, Executed, NotificationWaitRequest,
    NotificationWaitResponse, StatusCode, Waited,
};
use watertight_mapi::http::ext::{self, Limits, Wrap};
use watertight_mapi::http::{RequestType, ResponseCode};
use watertight_mapi::store::{Account, StoreResult};
use watertight_wire::{Wire, to_usize};

use super::answer::{Echo, Started};
use super::head::{Head, Refusal};
use super::{BodyError, Front, MAX_REQUEST};
use crate::rop::{Origin, Room, Session};
use crate::session::{CONTEXT_COOKIE, Context, SEQUENCE_COOKIE};

/// The bounds of a RopBuffer field in a request, and of MaxRopOut — [MS-OXCRPC] 3.1.4.2, cbIn, pcbOut.
const MAX_ROP_BUFFER: usize = 0x4_0000;
/// Bytes of an RPC_HEADER_EXT.
const EXT_HEADER: usize = ext::RpcHeaderExt::SIZE;
/// The most bytes of one response payload — [MS-OXCRPC] 3.1.4.2.1: 32 KiB.
const MAX_PAYLOAD: usize = 0x8000;
/// Payloads shorter than this are not worth compressing.
const COMPRESS_FROM: usize = 1024;
/// PollsMax, RetryCount and RetryDelay of Connect: milliseconds, times, milliseconds.
const POLLING: (u32, u32, u32) = (60_000, 6, 10_000);

/// Where the cookies of this endpoint go back to.
const COOKIE_PATH: &str = "/mapi/emsmdb";

const BAD_BODY: Refusal = (ResponseCode::InvalidRequestBody, "The request body is invalid.");

/// Answers a request of somebody who has signed in.
pub(super) async fn answer(front: &Arc<Front>, account: Account, request: Request) -> Response {
    let started = Started::now();
    let (parts, body) = request.into_parts();
    let echo = Echo::of(&parts.headers);
    let head = match Head::read(&parts.method, &parts.headers, RequestType::is_of_mailbox) {
        Ok(head) => head,
        Err((code, why)) => return echo.error(front, code, why),
    };
    let echo = echo.with_type(head.request_type);
    if front.is_stopping() {
        return echo.error(front, ResponseCode::EndpointShuttingDown, "The server is going away.");
    }
    let body = match front.body(body, MAX_REQUEST).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => {
            return echo.error(front, ResponseCode::TooLarge, "The request is too large.");
        }
        Err(BodyError::Broken) => {
            return echo.error(front, ResponseCode::InvalidRequestBody, "The request body is not complete.");
        }
    };
    let accepted = match head.request_type {
        RequestType::Connect => connect(front, &account, &head, &body).await,
        RequestType::Execute => execute(front, &account, &head, &body).await,
        RequestType::Disconnect => disconnect(front, &account, &head, &body),
        RequestType::NotificationWait => notification_wait(front, &account, &head, &body),
        RequestType::Ping => ping(front, &account, &head),
        _ => Err((ResponseCode::InvalidRequestType, "This endpoint does not take this request type.")),
    };
    match accepted {
        Ok(Accepted { cookies, work }) => echo.accepted(front, COOKIE_PATH, &cookies, started, work),
        Err((code, why)) => echo.error(front, code, why),
    }
}

/// A request that was accepted: the cookies of its answer, and where the response body will come from.
struct Accepted {
    cookies: Vec<(&'static str, String)>,
    work: oneshot::Receiver<Vec<u8>>,
}

impl Accepted {
    /// An answer that is there already.
    fn now(cookies: Vec<(&'static str, String)>, body: Option<Vec<u8>>) -> Self {
        let (sender, work) = oneshot::channel();
        if let Some(body) = body {
            // The receiver is alive: it is returned.
            let _ = sender.send(body);
        }
        Self { cookies, work }
    }
}

fn both_cookies(context: &Context) -> Vec<(&'static str, String)> {
    vec![(CONTEXT_COOKIE, context.cookie()), (SEQUENCE_COOKIE, context.sequence())]
}

/// The context that a request belongs to.
fn find(front: &Front, account: &Account, head: &Head) -> Result<Arc<Context>, Refusal> {
    let cookie = head
        .context
        .as_deref()
        .ok_or((ResponseCode::MissingCookie, "The session context cookie is missing."))?;
    front.contexts.find(cookie, account).map_err(|code| match code {
        ResponseCode::NoPrivilege => (code, "The session context is somebody else's."),
        code => (code, "The session context is not found."),
    })
}

async fn connect(
    front: &Arc<Front>,
    account: &Account,
    head: &Head,
    body: &[u8],
) -> Result<Accepted, Refusal> {
    let request = ConnectRequest::from_bytes(body).map_err(|_| BAD_BODY)?;
    // A client that reconnects sends the cookies of its old context, which ends — 3.2.5.6.
    if let Some(cookie) = head.context.as_deref()
        && let Ok(old) = front.contexts.find(cookie, account)
    {
        front.contexts.end(&old);
    }
    let failed = |answer: ConnectResponse| Ok(Accepted::now(Vec::new(), answer.to_bytes().ok()));
    if request.auxiliary.len() > auxiliary::MAX_SIZE {
        return failed(Answer::failure(StatusCode::BadStubData));
    }
    let outcome = match check_connect(front, account, &request).await {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::error!(%error, "an account cannot be looked up");
            Err(error.code())
        }
    };
    if let Err(code) = outcome {
        return failed(connected(code, ""));
    }
    let session = Session::new(Origin {
        store: Arc::clone(&front.store),
        account: account.clone(),
        ledger: front.ledger.clone(),
        code_page: request.default_code_page,
        lcid_sort: request.lcid_sort,
        lcid_string: request.lcid_string,
    });
    let Some(context) = front.contexts.create(account.clone(), session) else {
        return failed(connected(MapiCode::TooManySessions, ""));
    };
    let answer = connected(MapiCode::Success, &account.display_name);
    Ok(Accepted::now(both_cookies(&context), answer.to_bytes().ok()))
}

/// Return values of EcDoConnectEx — [MS-OXCRPC] 3.1.4.1.
async fn check_connect(
    front: &Front,
    account: &Account,
    request: &ConnectRequest,
) -> StoreResult<Result<(), MapiCode>> {
    if let Err(code) = check_auxiliary(&request.auxiliary) {
        return Ok(Err(code));
    }
    if request.user_dn.is_empty() {
        return Ok(Err(MapiCode::AccessDenied));
    }
    if !request.user_dn.eq_ignore_ascii_case(&account.legacy_dn) {
        let known = front.store.account_by_dn(&request.user_dn).await?.is_some();
        return Ok(Err(if known { MapiCode::AccessDenied } else { MapiCode::UnknownUser }));
    }
    if request.flags.contains(ConnectFlags::Administrator) {
        return Ok(Err(MapiCode::LoginPerm));
    }
    Ok(Ok(()))
}

fn connected(error_code: MapiCode, display_name: &str) -> ConnectResponse {
    let (polls_max, retry_count, retry_delay) = POLLING;
    let blocks = if error_code == MapiCode::Success {
        vec![Block::organisation(false), Block::single_endpoint()]
    } else {
        Vec::new()
    };
    Answer::Success(Connected {
        error_code,
        polls_max,
        retry_count,
        retry_delay,
        dn_prefix: String::new(),
        display_name: display_name.replace('\0', ""),
        auxiliary: auxiliary::write(&blocks).unwrap_or_default(),
    })
}

/// What a client puts into auxiliary buffers is only informational, but it must be well-formed.
fn check_auxiliary(field: &[u8]) -> Result<(), MapiCode> {
    if !field.is_empty() && field.len() < EXT_HEADER {
        // ecRpcFailed.
        return Err(MapiCode::NetworkError);
    }
    auxiliary::read(field).map(drop).map_err(|_| MapiCode::RpcFormat)
}

async fn execute(
    front: &Arc<Front>,
    account: &Account,
    head: &Head,
    body: &[u8],
) -> Result<Accepted, Refusal> {
    let context = find(front, account, head)?;
    let sequence = head.sequence.as_deref().ok_or(NO_SEQUENCE)?;
    let request = ExecuteRequest::from_bytes(body).map_err(|_| BAD_BODY)?;
    let claim = front.contexts.claim(&context, sequence).map_err(out_of_order)?;
    let cookies = both_cookies(&context);
    drop(context);
    let (sender, work) = oneshot::channel();
    let running = front.running.clone();
    let mut rops = Box::pin(async move {
        let _running = running;
        let answer = match claim.session().await.as_mut() {
            Some(session) => run(session, &request).await,
            None => executed(Err(MapiCode::ShutdownService)),
        };
        drop(claim);
        if let Ok(bytes) = answer.to_bytes() {
            // Nobody may be there any more.
            let _ = sender.send(bytes);
        }
    });
    // Many ROPs need not wait for anything: then the whole answer is there now, and goes out in one piece.
    let mut first = AssertUnwindSafe(&mut rops).catch_unwind();
    let now = poll_fn(|cx| Poll::Ready(Pin::new(&mut first).poll(cx))).await;
    if now.is_pending() {
        // A task of its own, so that ROPs run to their end and the claim is given back also when the client has gone.
        tokio::spawn(rops);
    }
    Ok(Accepted { cookies, work })
}

async fn run(session: &mut Session, request: &ExecuteRequest) -> ExecuteResponse {
    let max_out = to_usize(request.max_rop_out);
    if request.rop_buffer.len() > MAX_ROP_BUFFER
        || max_out > MAX_ROP_BUFFER
        || request.auxiliary.len() > auxiliary::MAX_SIZE
    {
        return Answer::failure(StatusCode::BadStubData);
    }
    executed(run_payload(session, request, max_out).await)
}

async fn run_payload(
    session: &mut Session,
    request: &ExecuteRequest,
    max_out: usize,
) -> Result<Vec<u8>, MapiCode> {
    check_auxiliary(&request.auxiliary)?;
    let Some(payload_room) = max_out.checked_sub(EXT_HEADER) else {
        return Err(MapiCode::NetworkError);
    };
    if request.rop_buffer.len() < EXT_HEADER {
        return Err(MapiCode::NetworkError);
    }
    // We do not say that we take packed requests, so there is one payload — [MS-OXCRPC] 3.1.4.2.1.1.1.
    let one = Limits { payloads: 1, ..Limits::default() };
    let mut payloads = ext::unwrap(&request.rop_buffer, one).map_err(|_| MapiCode::RpcFormat)?;
    let payload = payloads.pop().ok_or(MapiCode::RpcFormat)?;
    let chain = request.flags.contains(ExecuteFlags::Chain);
    let room = Room { payload: payload_room.min(MAX_PAYLOAD), total: max_out, chain };
    let answers = session.execute(&payload.bytes, room).await?;
    let mut field = Vec::new();
    let mut answers = answers.iter().peekable();
    while let Some(answer) = answers.next() {
        let compress = !request.flags.contains(ExecuteFlags::NoCompression) && answer.len() >= COMPRESS_FROM;
        // We never obfuscate: the document leaves it to the server, and TLS does better.
        let how = Wrap { compress, xor: false, last: answers.peek().is_none() };
        ext::wrap_into(&mut field, answer, how).map_err(|_| MapiCode::BufferTooSmall)?;
    }
    if field.len() > max_out {
        return Err(MapiCode::BufferTooSmall);
    }
    Ok(field)
}

fn executed(outcome: Result<Vec<u8>, MapiCode>) -> ExecuteResponse {
    let (error_code, rop_buffer) = match outcome {
        Ok(field) => (MapiCode::Success, field),
        Err(code) => (code, Vec::new()),
    };
    Answer::Success(Executed { error_code, flags: 0, rop_buffer, auxiliary: Vec::new() })
}

fn disconnect(front: &Front, account: &Account, head: &Head, body: &[u8]) -> Result<Accepted, Refusal> {
    let context = find(front, account, head)?;
    let sequence = head.sequence.as_deref().ok_or(NO_SEQUENCE)?;
    DisconnectRequest::from_bytes(body).map_err(|_| BAD_BODY)?;
    let claim = front.contexts.claim(&context, sequence).map_err(out_of_order)?;
    front.contexts.end(&context);
    drop(claim);
    let answer: DisconnectResponse =
        Answer::Success(Disconnected { error_code: MapiCode::Success, auxiliary: Vec::new() });
    Ok(Accepted::now(both_cookies(&context), answer.to_bytes().ok()))
}

/// May come while another request runs, so it has no sequence — 3.1.5.5. It ends when there is something to tell, when
/// its time is up, with the session context, with the server, and when nobody is there any more to be answered.
fn notification_wait(
    front: &Front,
    account: &Account,
    head: &Head,
    body: &[u8],
) -> Result<Accepted, Refusal> {
    let context = find(front, account, head)?;
    NotificationWaitRequest::from_bytes(body).map_err(|_| BAD_BODY)?;
    let Some(wait) = context.begin_wait() else {
        return Err((
            ResponseCode::InvalidSequence,
            "There is a NotificationWait of this session context already.",
        ));
    };
    let cookies = vec![(CONTEXT_COOKIE, context.cookie())];
    let (limit, running) = (front.notification_wait, front.running.clone());
    let (mut sender, work) = oneshot::channel();
    tokio::spawn(async move {
        let _running = running;
        let told = tokio::select! {
            told = wait.run(limit) => told,
            () = sender.closed() => return,
        };
        let (error_code, event_pending) = match told {
            Ok(told) => (MapiCode::Success, u32::from(told)),
            Err(code) => (code, 0),
        };
        let answer: NotificationWaitResponse =
            Answer::Success(Waited { error_code, event_pending, auxiliary: Vec::new() });
        if let Ok(bytes) = answer.to_bytes() {
            // Nobody may be there any more.
            let _ = sender.send(bytes);
        }
    });
    Ok(Accepted { cookies, work })
}

/// Starts the idle time of its context anew, if it names one — 3.2.5.3. There is no response body.
fn ping(front: &Front, account: &Account, head: &Head) -> Result<Accepted, Refusal> {
    let mut cookies = Vec::new();
    if head.context.is_some() {
        let context = find(front, account, head)?;
        if context.is_busy() {
            return Err(out_of_order(ResponseCode::InvalidSequence));
        }
        cookies.push((CONTEXT_COOKIE, context.cookie()));
    }
    Ok(Accepted::now(cookies, Some(Vec::new())))
}

const NO_SEQUENCE: Refusal = (ResponseCode::MissingCookie, "The sequence cookie is missing.");

fn out_of_order(code: ResponseCode) -> Refusal {
    match code {
        ResponseCode::InvalidSequence => {
            (code, "One request at a time, each with the sequence cookie of the answer before.")
        }
        code => (code, "The session context is not found."),
    }
}
