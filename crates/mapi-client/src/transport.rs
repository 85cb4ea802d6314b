//! Requests of one session context over one connection — [MS-OXCMAPIHTTP] 2.2, 3.1.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{
    CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use watertight_ledger::Kind;
use watertight_mapi::MapiCode;
use watertight_mapi::http::framing::{Event, ResponseParser};
use watertight_mapi::http::header;
use watertight_mapi::http::{RequestType, ResponseCode};
use watertight_wire::{Guid, to_u64};

use crate::connection::Connection;
use crate::cookies::Cookies;
use crate::error::{Error, Lost, ProtocolError, ReachError, SetupError, SignInError};
use crate::retry_after;
use crate::settings::Settings;
use crate::sign_in::{Line, Scheme, drain};

/// The names of [`header`], as HTTP libraries have them.
const X_REQUEST_TYPE: HeaderName = HeaderName::from_static("x-requesttype");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-requestid");
const X_CLIENT_INFO: HeaderName = HeaderName::from_static("x-clientinfo");
const X_CLIENT_APPLICATION: HeaderName = HeaderName::from_static("x-clientapplication");
/// How many headers a request has, those that hyper adds included.
const HEADERS: usize = 12;

/// The state that requests of one session context share.
pub(crate) struct Transport {
    settings: Arc<Settings>,
    connections: Kind,
    connection: Option<Connection>,
    cookies: Cookies,
    client: String,
    client_info: HeaderValue,
    requests: u64,
    /// For a whole response, however often the server says PENDING.
    response_timeout: Duration,
}

/// What a request is answered with.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The response's own headers.
    pub headers: HeaderMap,
    /// What follows the additional headers.
    pub body: Vec<u8>,
}

impl Transport {
    pub(crate) fn new(settings: Arc<Settings>) -> Result<Self, SetupError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| SetupError::Random(e.to_string()))?;
        let client = format!("{{{}}}", Guid::from_random(random)).to_ascii_uppercase();
        let connections = settings.ledger.kind("connections");
        let client_info = HeaderValue::from_maybe_shared(Bytes::from(format!("{client}:1")))
            .map_err(|_| SetupError::UserName)?;
        let response_timeout = settings.options.response_timeout;
        Ok(Self {
            settings,
            connections,
            connection: None,
            cookies: Cookies::default(),
            client,
            client_info,
            requests: 0,
            response_timeout,
        })
    }

    /// For waits beside the requests of the same session context: a connection of its own, that of the last wait where
    /// it can be used again, and the cookies of now. What waits are answered with says nothing of the sequence.
    pub(crate) fn beside(&self, last: Option<Self>) -> Self {
        let (connection, requests) = match last {
            Some(last) => (last.connection, last.requests),
            // Requests are numbered for both together.
            None => (None, 1 << 32),
        };
        Self {
            settings: Arc::clone(&self.settings),
            connections: self.connections.clone(),
            connection: connection.and_then(|mut connection| connection.is_ready().then_some(connection)),
            cookies: self.cookies.clone(),
            client: self.client.clone(),
            client_info: self.client_info.clone(),
            requests,
            response_timeout: crate::notify::LONGEST_WAIT,
        }
    }

    /// Sends a request, and sends it again for as long as the server says that it is busy.
    pub(crate) async fn request(
        &mut self,
        request_type: RequestType,
        body: Bytes,
        limit: usize,
    ) -> Result<Reply, Error> {
        let mut tried = 0_u32;
        loop {
            tried = tried.saturating_add(1);
            let busy = match self.once(request_type, body.clone(), limit).await? {
                Outcome::Reply(reply) => return Ok(reply),
                Outcome::Busy(asked) => asked,
            };
            let Some(wait) = self.settings.options.backoff.wait(tried, busy) else {
                return Err(Error::Busy { tries: tried, retry_after: busy });
            };
            tracing::info!(%request_type, ?wait, tried, "the server is busy");
            tokio::time::sleep(wait).await;
        }
    }

    /// What the server offers to whoever proves nothing; empty when it asks for no proof.
    pub(crate) async fn offered(&mut self) -> Result<Vec<Scheme>, Error> {
        self.requests = self.requests.saturating_add(1);
        let request = self.build(RequestType::Ping, Bytes::new())?;
        let line = Line { pooled: false, ..self.settings.line(&self.connections) };
        line.offered(request).await
    }

    /// Waits, between requests, until the server closes the connection; for ever when there is none.
    pub(crate) async fn ended(&mut self) {
        match &mut self.connection {
            Some(connection) => connection.ended().await,
            None => std::future::pending().await,
        }
        self.connection = None;
    }

    /// Whether the server has said anything that belongs to a session context.
    pub(crate) fn has_cookies(&self) -> bool {
        self.cookies.header().is_some()
    }

    /// What is held for the requests, but for the connection.
    pub(crate) fn bytes(&self) -> usize {
        self.client.capacity().saturating_mul(2).saturating_add(self.cookies.bytes())
    }

    /// Leaves the connection to the next session.
    pub(crate) fn keep(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.settings.pool.put(connection);
        }
    }

    /// Closes the connection.
    pub(crate) fn close(&mut self) {
        self.connection = None;
    }

    async fn once(&mut self, request_type: RequestType, body: Bytes, limit: usize) -> Result<Outcome, Error> {
        self.requests = self.requests.saturating_add(1);
        let request = self.build(request_type, body)?;
        // Whatever leaves this function early leaves the connection closed: its state is unknown then.
        let line = self.settings.line(&self.connections);
        let (mut connection, response) = line.send(self.connection.take(), request).await?;
        let outcome = self.receive(request_type, &mut connection, response, limit).await?;
        self.connection = Some(connection);
        Ok(outcome)
    }

    fn build(&self, request_type: RequestType, body: Bytes) -> Result<Request<Full<Bytes>>, Error> {
        let settings = &self.settings;
        let id = format!("{}:{}", self.client, self.requests);
        let id = HeaderValue::from_maybe_shared(Bytes::from(id)).map_err(|_| SetupError::UserName)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = settings.uri.clone();
        let headers = request.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(HOST, settings.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(header::CONTENT_TYPE_MAPI));
        headers.insert(USER_AGENT, HeaderValue::from_static(crate::settings::USER_AGENT));
        headers.insert(X_REQUEST_TYPE, HeaderValue::from_static(request_type.as_str()));
        headers.insert(X_REQUEST_ID, id);
        headers.insert(X_CLIENT_INFO, self.client_info.clone());
        headers.insert(X_CLIENT_APPLICATION, settings.client_application.clone());
        if let Some(cookies) = self.cookies.header() {
            headers.insert(COOKIE, cookies);
        }
        Ok(request)
    }

    async fn receive(
        &mut self,
        request_type: RequestType,
        connection: &mut Connection,
        mut response: Response<Incoming>,
        limit: usize,
    ) -> Result<Outcome, Error> {
        let status = response.status();
        match status {
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let asked = field(response.headers(), RETRY_AFTER.as_str())
                    .and_then(|value| retry_after::parse(value, SystemTime::now()));
                drain(&self.settings, connection, &mut response).await?;
                return Ok(Outcome::Busy(asked));
            }
            other => return Err(self.refused_status(other, response.headers())),
        }
        self.cookies.update(response.headers());
        let outer = field(response.headers(), header::X_RESPONSE_CODE).and_then(ResponseCode::parse);
        if let Some(code) = outer.filter(|code| *code != ResponseCode::Success) {
            drain(&self.settings, connection, &mut response).await?;
            return Err(refused_code(request_type, code));
        }
        let kind = field(response.headers(), CONTENT_TYPE.as_str()).unwrap_or("nothing");
        let plain = kind.split(';').next().unwrap_or_default().trim();
        if !plain.eq_ignore_ascii_case(header::CONTENT_TYPE_MAPI) || outer.is_none() {
            return Err(self.not_mapi(format!("it answers with {plain}")));
        }
        let (inner, body) =
            Self::body(&self.settings, self.response_timeout, connection, &mut response, limit).await?;
        if let Some(code) = inner.filter(|code| *code != ResponseCode::Success) {
            return Err(refused_code(request_type, code));
        }
        tracing::trace!(%request_type, bytes = body.len(), "response");
        Ok(Outcome::Reply(Reply { headers: std::mem::take(response.headers_mut()), body }))
    }

    /// Reads meta-tags, additional headers and body — [MS-OXCMAPIHTTP] 2.2.2.2.
    async fn body(
        settings: &Settings,
        response_timeout: Duration,
        connection: &mut Connection,
        response: &mut Response<Incoming>,
        limit: usize,
    ) -> Result<(Option<ResponseCode>, Vec<u8>), Error> {
        let options = &settings.options;
        let started = Instant::now();
        let mut parser = ResponseParser::new(to_u64(limit));
        // Only PENDING can come often: this many are an hour's worth of any server we know, and bounded.
        let mut framing_left = 64_usize << 10;
        let (mut code, mut body) = (None, Vec::new());
        loop {
            let left = response_timeout.saturating_sub(started.elapsed());
            let bytes = match connection.body(response, options.read_timeout.min(left)).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => {
                    parser.handle_end()?;
                    return Ok((code, body));
                }
                Err(Error::Reach(ReachError::Stalled { .. })) if left < options.read_timeout => {
                    return Err(ProtocolError::Endless { after: response_timeout }.into());
                }
                Err(error) => return Err(error),
            };
            let before = body.len();
            parser.handle_input(&bytes)?;
            while let Some(event) = parser.poll_event() {
                match event {
                    Event::Header { name, value } if name.eq_ignore_ascii_case(header::X_RESPONSE_CODE) => {
                        code = ResponseCode::parse(&value);
                    }
                    Event::Body(bytes) if body.is_empty() => body = bytes,
                    Event::Body(bytes) => body.extend_from_slice(&bytes),
                    _ => {}
                }
            }
            let framing = bytes.len().saturating_sub(body.len().saturating_sub(before));
            framing_left = framing_left
                .checked_sub(framing)
                .ok_or(ProtocolError::Endless { after: started.elapsed() })?;
        }
    }

    fn refused_status(&self, status: StatusCode, headers: &HeaderMap) -> Error {
        match status {
            StatusCode::FORBIDDEN => SignInError::Forbidden.into(),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                self.not_mapi(format!("HTTP status {}", status.as_u16()))
            }
            _ if status.is_redirection() => {
                let to = field(headers, LOCATION.as_str())
                    .unwrap_or("nowhere")
                    .split('?')
                    .next()
                    .unwrap_or_default();
                self.not_mapi(format!("it sends the client to {to}"))
            }
            other => ProtocolError::Status(other.as_u16()).into(),
        }
    }

    fn not_mapi(&self, why: String) -> Error {
        Error::NotMapi { url: self.settings.endpoint.to_string(), why }
    }
}

enum Outcome {
    Reply(Reply),
    Busy(Option<Duration>),
}

fn field<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What an X-ResponseCode means — [MS-OXCMAPIHTTP] 2.2.3.3.3; inside a session, the numbers that gromox 3.10 gives
/// instead (2, 4, 6, 7) mean a session context that is gone too, for our requests lack nothing.
fn refused_code(request_type: RequestType, code: ResponseCode) -> Error {
    match code {
        ResponseCode::AnonymousNotAllowed | ResponseCode::NoPrivilege => {
            SignInError::NoPrivilege(MapiCode::AccessDenied).into()
        }
        ResponseCode::EndpointShuttingDown => Error::Busy { tries: 1, retry_after: None },
        ResponseCode::InvalidContextCookie
        | ResponseCode::ContextNotFound
        | ResponseCode::MissingCookie
        | ResponseCode::InvalidSequence => Lost::Forgotten(code).into(),
        ResponseCode::InvalidVerb | ResponseCode::InvalidHeader | ResponseCode::MissingHeader
            if !matches!(request_type, RequestType::Connect | RequestType::Bind) =>
        {
            Lost::Forgotten(code).into()
        }
        other => ProtocolError::ResponseCode(other).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_document() {
        let names = [
            (X_REQUEST_TYPE, header::X_REQUEST_TYPE),
            (X_REQUEST_ID, header::X_REQUEST_ID),
            (X_CLIENT_INFO, header::X_CLIENT_INFO),
            (X_CLIENT_APPLICATION, header::X_CLIENT_APPLICATION),
        ];
        for (name, document) in names {
            assert!(name.as_str().eq_ignore_ascii_case(document));
        }
    }
}
