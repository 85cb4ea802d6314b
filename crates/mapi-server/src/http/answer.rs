//! Responses — [MS-OXCMAPIHTTP] 2.2.2.2, 3.2.5.2.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::Timestamp;
use tokio::sync::oneshot;
use watertight_mapi::http::header::{
    CONTENT_TYPE_ERROR, CONTENT_TYPE_MAPI, X_CLIENT_INFO, X_ELAPSED_TIME, X_EXPIRATION_INFO,
    X_PENDING_PERIOD, X_REQUEST_ID, X_REQUEST_TYPE, X_RESPONSE_CODE, X_SERVER_APPLICATION, X_START_TIME,
};
use watertight_mapi::http::{RequestType, ResponseCode, framing};

use super::Front;

/// X-ServerApplication: `Exchange/15.xx.xxxx.xxx`. Clients read from it what the server can do, so it names a
/// version of Exchange 2016 and not ours.
const SERVER_APPLICATION: HeaderValue = HeaderValue::from_static("Exchange/15.01.2507.039");

/// The headers of a request that its answer repeats.
pub(super) struct Echo {
    request_type: Option<HeaderValue>,
    request_id: Option<HeaderValue>,
    client_info: Option<HeaderValue>,
}

impl Echo {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let get = |name: &str| headers.get(name).cloned();
        Self {
            request_type: get(X_REQUEST_TYPE),
            request_id: get(X_REQUEST_ID),
            client_info: get(X_CLIENT_INFO),
        }
    }

    /// As it was sent by the client, but the request type as the document spells it.
    pub(super) fn with_type(mut self, request_type: RequestType) -> Self {
        self.request_type = Some(HeaderValue::from_static(request_type.as_str()));
        self
    }

    /// What every answer has.
    fn headers(self, front: &Front, code: ResponseCode) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut put = |name: &str, value: HeaderValue| {
            if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                headers.insert(name, value);
            }
        };
        put(header::CACHE_CONTROL.as_str(), HeaderValue::from_static("private"));
        for (name, value) in [
            (X_REQUEST_TYPE, self.request_type),
            (X_REQUEST_ID, self.request_id),
            (X_CLIENT_INFO, self.client_info),
        ] {
            if let Some(value) = value {
                put(name, value);
            }
        }
        put(X_RESPONSE_CODE, HeaderValue::from(code.0));
        put(X_SERVER_APPLICATION, SERVER_APPLICATION);
        put(X_PENDING_PERIOD, HeaderValue::from(millis(front.pending_period)));
        put(X_EXPIRATION_INFO, HeaderValue::from(millis(front.contexts.limits().expiry)));
        headers
    }

    /// An answer that says why the request was not accepted: 200, text/html, the code.
    pub(super) fn error(self, front: &Front, code: ResponseCode, why: &'static str) -> Response {
        tracing::debug!(%code, why, "a request was refused");
        let mut headers = self.headers(front, code);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_ERROR));
        let html = format!(
            "<!DOCTYPE html>\n<html><head><title>MAPI over HTTP error</title></head>\n<body><h1>Diagnostic \
             information</h1>\n<p>{why}</p>\n<p>X-ResponseCode: {}</p></body></html>\n",
            code.0
        );
        let mut response = Response::new(Body::from(html));
        *response.headers_mut() = headers;
        response
    }

    /// The answer to a request that was accepted, with its cookies for that path: PROCESSING now, PENDING as long as `work` takes, then DONE and what
    /// `work` gives. When it gives nothing, DONE says so with another X-ResponseCode.
    pub(super) fn accepted(
        self,
        front: &Front,
        path: &str,
        cookies: &[(&str, String)],
        started: Started,
        work: oneshot::Receiver<Vec<u8>>,
    ) -> Response {
        let mut headers = self.headers(front, ResponseCode::Success);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_MAPI));
        for (name, value) in cookies {
            let secure = if front.tls { "; secure" } else { "" };
            let cookie = format!("{name}={value}; path={path}{secure}; HttpOnly");
            if let Ok(mut value) = HeaderValue::from_str(&cookie) {
                value.set_sensitive(true);
                headers.append(header::SET_COOKIE, value);
            }
        }
        let step = Step::Processing { work, started, period: front.pending_period };
        let chunks = stream::unfold(step, |step| async { step.next().await });
        let mut response = Response::new(Body::from_stream(chunks));
        *response.headers_mut() = headers;
        response
    }
}

/// When the server started on a request.
#[derive(Clone, Copy)]
pub(super) struct Started {
    at: Timestamp,
    instant: Instant,
}

impl Started {
    pub(super) fn now() -> Self {
        Self { at: Timestamp::now(), instant: Instant::now() }
    }
}

/// Where a response is. Each step is one HTTP chunk.
enum Step {
    Processing { work: oneshot::Receiver<Vec<u8>>, started: Started, period: Duration },
    Working { work: oneshot::Receiver<Vec<u8>>, started: Started, timer: tokio::time::Interval },
    Sent,
}

impl Step {
    async fn next(self) -> Option<(Result<Bytes, std::convert::Infallible>, Self)> {
        match self {
            Self::Processing { work, started, period } => {
                let mut timer = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
                timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                Some((Ok(Bytes::from_static(framing::PROCESSING)), Self::Working { work, started, timer }))
            }
            Self::Working { mut work, started, mut timer } => {
                tokio::select! {
                    biased;
                    body = &mut work => Some((Ok(done(started, body.ok()).into()), Self::Sent)),
                    _ = timer.tick() => {
                        Some((Ok(Bytes::from_static(framing::PENDING)), Self::Working { work, started, timer }))
                    }
                }
            }
            Self::Sent => None,
        }
    }
}

fn done(started: Started, body: Option<Vec<u8>>) -> Vec<u8> {
    let elapsed = millis(started.instant.elapsed()).to_string();
    let start = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&started.at)
        .unwrap_or_default();
    let times = [(X_ELAPSED_TIME, elapsed.as_str()), (X_START_TIME, start.as_str())];
    match body {
        Some(body) => framing::done(&times, &body),
        None => {
            let code = ResponseCode::UnknownFailure.0.to_string();
            let [elapsed, start] = times;
            let failed =
                [(X_RESPONSE_CODE, code.as_str()), ("Content-Type", CONTENT_TYPE_ERROR), elapsed, start];
            framing::done(&failed, b"<html><body><p>The request failed inside the server.</p></body></html>")
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chunks of an answer whose work is done after so many PENDINGs.
    async fn chunks(pendings: usize, body: Option<&[u8]>) -> Vec<String> {
        let (sender, work) = oneshot::channel();
        let mut sender = Some(sender);
        let period = Duration::from_millis(5);
        let mut step = Some(Step::Processing { work, started: Started::now(), period });
        let mut chunks = Vec::new();
        while let Some((chunk, next)) = step.take().unwrap().next().await {
            chunks.push(String::from_utf8(chunk.unwrap().to_vec()).unwrap());
            if chunks.len() > pendings
                && let Some(sender) = sender.take()
                && let Some(body) = body
            {
                sender.send(body.to_vec()).unwrap();
            }
            step = Some(next);
        }
        chunks
    }

    #[tokio::test]
    async fn pending_comes_every_period_until_the_work_is_done() {
        let chunks = chunks(3, Some(b"body")).await;
        assert_eq!(chunks[..4], ["PROCESSING\r\n", "PENDING\r\n", "PENDING\r\n", "PENDING\r\n"]);
        let lines: Vec<_> = chunks[4].split("\r\n").collect();
        assert_eq!(lines[0], "DONE");
        assert!(lines[1].starts_with("X-ElapsedTime: ") && lines[2].starts_with("X-StartTime: "));
        assert_eq!(lines[3..], ["", "body"]);
        assert_eq!(chunks.len(), 5);
    }

    #[tokio::test]
    async fn work_that_fails_inside_says_so_after_done() {
        let chunks = chunks(0, None).await;
        assert_eq!(chunks.len(), 2);
        assert!(
            chunks[1].starts_with("DONE\r\nX-ResponseCode: 1\r\nContent-Type: text/html\r\n"),
            "{chunks:?}"
        );
    }
}
