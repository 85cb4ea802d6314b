//! Autodiscover (POX) — [MS-OXDSCLI]: on the server's own host, and from an address alone ([`Discovery`]).

mod certificate;
mod dns;
mod document;
mod found;
mod plain;
mod probe;
mod realm;
mod step;
mod walk;

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::Full;
use quick_xml::escape::escape;

use crate::connector::Connector;
use crate::endpoint::Endpoint;
use crate::error::{DiscoveryError, Error, ProtocolError, SetupError, SignInError};
use crate::retry_after;
use crate::sign_in::Line;
pub use certificate::Certificate;
pub use dns::{Dns, Service, SystemDns};
use document::Document;
pub use found::{AlternativeMailbox, Discovered, Urls};
pub use probe::{TlsProbe, probe_tls};
pub use realm::{ConfirmHop, Hop, HopReason};
pub use step::{DiscoveryStep, Outcome, Way};
pub use walk::Discovery;

/// Where Autodiscover is — [MS-OXDISCO] 3.1.5.4.
const TARGET: &str = "/autodiscover/autodiscover.xml";
/// Bytes of an answer.
const MAX_DOCUMENT: usize = 256 << 10;
/// How often the server may send the client elsewhere.
const MAX_REDIRECTS: u32 = 4;

impl Connector {
    /// Asks Autodiscover on the endpoint's host and port about an address.
    ///
    /// Redirections are followed on that host only: the password goes nowhere else.
    ///
    /// # Errors
    /// [`Error::Discovery`], or what reaching the server and signing in meets.
    pub async fn discover(&self, address: &str) -> Result<Discovered, Error> {
        let mut endpoint = self.settings.endpoint.with_target(TARGET);
        let mut address = address.to_owned();
        let host = endpoint.host().to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let unusable = |why: &str| DiscoveryError::Unusable { host: host.clone(), why: why.to_owned() };
            match self.ask(&endpoint, &address, Signed::Yes).await? {
                Answer::SignIn(error) => return Err(error.into()),
                Answer::Elsewhere(location) => endpoint = redirected(&endpoint, &location)?,
                Answer::Document(Document::Settings(found)) => {
                    tracing::debug!(%endpoint, "Autodiscover gave settings");
                    return Ok(*found);
                }
                Answer::Document(Document::Address(other)) => address = other,
                Answer::Document(Document::Url(url)) => endpoint = redirected(&endpoint, &url)?,
                // 404: gromox 3.10; 500: the document — [MS-OXDSCLI] 2.2.4.1.1.1.
                Answer::Document(Document::Error { code: code @ (404 | 500), message }) => {
                    return Err(DiscoveryError::Unknown { host, address, code, message }.into());
                }
                Answer::Document(Document::Error { code, message }) => {
                    return Err(unusable(&format!("code {code}: {message}")).into());
                }
                Answer::Document(Document::Other(why)) => return Err(unusable(&why).into()),
            }
        }
        let why = "it sends the client elsewhere again and again".to_owned();
        Err(DiscoveryError::Redirect { host, why }.into())
    }

    /// Asks one host about an address. A host that wants another sign-in than it got is an answer, not an error.
    async fn ask(&self, endpoint: &Endpoint, address: &str, signed: Signed) -> Result<Answer, Error> {
        let settings = &self.settings;
        let kind = settings.ledger.kind("connections");
        let timeout = settings.options.read_timeout;
        let unusable = |why: String| DiscoveryError::Unusable { host: endpoint.host().to_owned(), why };
        let line = Line { settings, endpoint, kind: &kind, pooled: false };
        let mut tried = 0_u32;
        loop {
            let request = self.request(endpoint, address)?;
            let sent = match signed {
                Signed::Yes => line.send(None, request).await,
                Signed::No => line.send_openly(request).await,
            };
            let (mut connection, mut response) = match sent {
                Ok(sent) => sent,
                Err(Error::SignIn(error)) => return Ok(Answer::SignIn(error)),
                Err(error) => return Err(error),
            };
            let status = response.status();
            match status {
                StatusCode::OK => {}
                StatusCode::UNAUTHORIZED => return Ok(Answer::SignIn(SignInError::Credentials)),
                StatusCode::FORBIDDEN => return Ok(Answer::SignIn(SignInError::Forbidden)),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    tried = tried.saturating_add(1);
                    let asked = text(response.headers(), RETRY_AFTER.as_str())
                        .and_then(|value| retry_after::parse(value, SystemTime::now()));
                    let Some(wait) = settings.options.backoff.wait(tried, asked) else {
                        return Err(Error::Busy { tries: tried, retry_after: asked });
                    };
                    drop(connection);
                    tokio::time::sleep(wait).await;
                    continue;
                }
                _ if status.is_redirection() => {
                    let location = text(response.headers(), LOCATION.as_str()).unwrap_or_default();
                    return Ok(Answer::Elsewhere(location.to_owned()));
                }
                other => return Err(unusable(format!("HTTP status {}", other.as_u16())).into()),
            }
            let reading = async {
                let mut document = Vec::new();
                while let Some(bytes) = connection.body(&mut response, timeout).await? {
                    if document.len().saturating_add(bytes.len()) > MAX_DOCUMENT {
                        return Err(Error::from(ProtocolError::TooLarge { limit: MAX_DOCUMENT }));
                    }
                    document.extend_from_slice(&bytes);
                }
                Ok(document)
            };
            let after = settings.options.response_timeout;
            let document = tokio::time::timeout(after, reading)
                .await
                .map_err(|_| ProtocolError::Endless { after })??;
            return Ok(Answer::Document(document::read(&document)));
        }
    }

    fn request(&self, endpoint: &Endpoint, address: &str) -> Result<Request<Full<Bytes>>, Error> {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006\">\
             <Request><EMailAddress>{}</EMailAddress><AcceptableResponseSchema>\
             http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a\
             </AcceptableResponseSchema></Request></Autodiscover>",
            escape(address)
        );
        let host = HeaderValue::from_str(&endpoint.host_header()).map_err(|_| SetupError::UserName)?;
        let anchor = HeaderValue::from_str(address).map_err(|_| SetupError::UserName)?;
        Request::post(endpoint.target())
            .header(HOST, host)
            .header(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"))
            .header(USER_AGENT, HeaderValue::from_static(crate::settings::USER_AGENT))
            // Which mailbox it is about, for the balancers before the servers.
            .header("X-AnchorMailbox", anchor)
            .header("X-MapiHttpCapability", HeaderValue::from_static("1"))
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| ProtocolError::Http(e.to_string()).into())
    }
}

/// For `fuzz`: what a document says, in any words.
#[doc(hidden)]
#[must_use]
pub fn autodiscover_document(bytes: &[u8]) -> String {
    format!("{:?}", document::read(bytes))
}

/// Whether a request carries the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signed {
    Yes,
    No,
}

enum Answer {
    Document(Document),
    Elsewhere(String),
    /// 401 or 403.
    SignIn(SignInError),
}

/// Where a redirection leads: the same host, and TLS where there was TLS.
fn redirected(from: &Endpoint, to: &str) -> Result<Endpoint, Error> {
    let bad = |why: String| DiscoveryError::Redirect { host: from.host().to_owned(), why };
    if to.starts_with('/') && !to.starts_with("//") {
        return Ok(from.with_target(to));
    }
    let endpoint = Endpoint::parse(to).map_err(|e| bad(e.to_string()))?;
    if !endpoint.host().eq_ignore_ascii_case(from.host()) {
        return Err(bad(format!("to {}, where the password does not belong", endpoint.host())).into());
    }
    if endpoint.tls() != from.tls() {
        return Err(bad("from https to http, or back".to_owned()).into());
    }
    Ok(endpoint)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
