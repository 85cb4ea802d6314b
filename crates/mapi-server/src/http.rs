//! HTTP: which request goes where, and who may send it.

mod answer;
mod emsmdb;
mod head;
mod nspi;

#[doc(hidden)]
pub use head::request_head;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use watertight_ledger::{Kind, Ledger};
use watertight_mapi::http::ResponseCode;
use watertight_mapi::store::{Account, Store};

use crate::auth::{AuthError, Authenticator, Connection, SignedIn};
use crate::autodiscover;
use crate::nspi::{Book, Directory};
use crate::session::Contexts;

/// The most bytes of an Autodiscover request.
const MAX_AUTODISCOVER: usize = 64 * 1024;
/// The most bytes of a MAPI/HTTP request body: a RopBuffer and an auxiliary buffer at their bounds, and the rest.
const MAX_REQUEST: usize = 0x4_0000 + 0x1008 + 4096;

/// What all requests share.
pub(crate) struct Front {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ledger: Ledger,
    pub(crate) auth: Authenticator,
    pub(crate) contexts: Contexts,
    /// Those of the address book.
    pub(crate) books: Contexts<Book>,
    pub(crate) directory: Directory,
    /// Milliseconds and all that the answers state.
    pub(crate) pending_period: Duration,
    /// How long a NotificationWait lasts when nothing happens.
    pub(crate) notification_wait: Duration,
    /// How long a request body may take.
    pub(crate) body_timeout: Duration,
    /// Whether clients come over TLS.
    pub(crate) tls: bool,
    /// The URL that Autodiscover hands out, up to the path; else what the request was sent to.
    pub(crate) public_url: Option<String>,
    /// What to call the server when a request does not say.
    pub(crate) own_authority: String,
    pub(crate) stopping: AtomicBool,
    /// Cloned by every task that runs ROPs: the channel closes when the last one is done.
    pub(crate) running: mpsc::Sender<()>,
    pub(crate) requests: Kind,
}

/// The service of one connection.
pub(crate) fn router(front: Arc<Front>) -> Router {
    Router::new().fallback(dispatch).with_state(front)
}

async fn dispatch(State(front): State<Arc<Front>>, request: Request) -> Response {
    let _request = front.requests.enter();
    let path = request.uri().path().to_ascii_lowercase();
    let discovers = path == "/autodiscover/autodiscover.xml";
    if !discovers && path != "/mapi" && !path.starts_with("/mapi/") {
        return plain(StatusCode::NOT_FOUND, "Nothing is here.\n");
    }
    let (parts, body) = request.into_parts();
    let SignedIn { account, reply } = match front.authenticate(&parts).await {
        Ok(signed_in) => signed_in,
        Err(error) => return front.refuse(error, &parts.headers, body).await,
    };
    let request = Request::from_parts(parts, body);
    let mut response = front.answer(&path, discovers, account, request).await;
    if let Some(value) = reply {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

impl Front {
    /// Answers somebody who has signed in.
    async fn answer(
        self: &Arc<Self>,
        path: &str,
        discovers: bool,
        account: Account,
        request: Request,
    ) -> Response {
        if discovers {
            return autodiscover(self, &account, request).await;
        }
        let code = match path.trim_end_matches('/') {
            "/mapi/emsmdb" => return emsmdb::answer(self, account, request).await,
            "/mapi/nspi" => return nspi::answer(self, account, request).await,
            _ => ResponseCode::InvalidPath,
        };
        answer::Echo::of(request.headers()).error(self, code, "There is no such endpoint here.")
    }

    /// Who sent the request.
    async fn authenticate(&self, request: &Parts) -> Result<SignedIn, AuthError> {
        match request.extensions.get::<Arc<Connection>>() {
            Some(connection) => self.auth.sign_in(&request.headers, connection).await,
            // The listener gives every request its connection.
            None => Err(AuthError::Missing),
        }
    }

    /// The answer to a request that nobody has signed in for.
    async fn refuse(&self, error: AuthError, request: &HeaderMap, body: Body) -> Response {
        let (status, text, retry_after) = match &error {
            AuthError::Missing | AuthError::Wrong | AuthError::BadToken | AuthError::GoOn(_) => {
                (StatusCode::UNAUTHORIZED, "You must sign in.\n", None)
            }
            AuthError::Expired => {
                (StatusCode::UNAUTHORIZED, "The access token has expired: ask for another one.\n", None)
            }
            AuthError::NoAccount => (
                StatusCode::FORBIDDEN,
                "You have signed in, but there is no account of your name here.\n",
                None,
            ),
            AuthError::Limited(wait) => (
                StatusCode::TOO_MANY_REQUESTS,
                "There were too many failed sign-ins: wait.\n",
                Some(wait.as_secs().saturating_add(1)),
            ),
            AuthError::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "There are too many sign-ins at once: wait.\n", Some(5))
            }
            AuthError::Store(source) => {
                tracing::error!(error = %source, "an account cannot be looked up");
                (StatusCode::INTERNAL_SERVER_ERROR, "Your account cannot be looked up.\n", None)
            }
        };
        let mut response = plain(status, text);
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            for value in self.auth.offers(&error, request).await {
                headers.append(header::WWW_AUTHENTICATE, value);
            }
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // The exchange goes on with the next request of this connection: it must come to this one's end.
        self.skip(body).await;
        response
    }

    /// Reads a request body that nobody wants, within the bounds of those that somebody does. Beyond them the
    /// connection closes.
    async fn skip(&self, mut body: Body) {
        let mut left = MAX_REQUEST;
        let read = async {
            while let Some(Ok(frame)) = body.frame().await {
                let len = frame.data_ref().map_or(0, Bytes::len);
                let Some(less) = left.checked_sub(len) else { break };
                left = less;
            }
        };
        // What does not come in time is not waited for.
        let _ = tokio::time::timeout(self.body_timeout, read).await;
    }

    /// Whether the server is going away.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Reads a request body within its bounds of size and time.
    async fn body(&self, body: Body, max: usize) -> Result<Bytes, BodyError> {
        tokio::time::timeout(self.body_timeout, collect(body, max)).await.unwrap_or(Err(BodyError::Broken))
    }
}

/// Why a request body was not taken.
enum BodyError {
    TooLarge,
    /// It did not come to its end, or not in time.
    Broken,
}

async fn collect(mut body: Body, max: usize) -> Result<Bytes, BodyError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if bytes.len().saturating_add(data.len()) > max {
            return Err(BodyError::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

async fn autodiscover(front: &Front, account: &Account, request: Request) -> Response {
    if request.method() != Method::POST {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "Autodiscover takes POST.\n");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let capability = head::text(request.headers(), watertight_mapi::http::header::X_MAPI_HTTP_CAPABILITY);
    let capability = capability.and_then(|value| value.trim().parse::<u32>().ok()).unwrap_or(0);
    let base = front.base_url(head::text(request.headers(), header::HOST.as_str()));
    let body = match front.body(request.into_body(), MAX_AUTODISCOVER).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large.\n");
        }
        Err(BodyError::Broken) => return plain(StatusCode::BAD_REQUEST, "The request is not complete.\n"),
    };
    let subject = autodiscover::subject(&body, account, &*front.store).await;
    let others = autodiscover::others(&subject);
    let xml = autodiscover::answer(&body, &subject, &others, &base, capability);
    let mut response = Response::new(Body::from(xml));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    response
}

impl Front {
    /// `https://host:port` as the client knows this server.
    fn base_url(&self, host: Option<&str>) -> String {
        if let Some(url) = &self.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let scheme = if self.tls { "https" } else { "http" };
        let authority = host
            .filter(|host| host.parse::<http::uri::Authority>().is_ok() && !host.contains('@'))
            .unwrap_or(&self.own_authority);
        format!("{scheme}://{authority}")
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
