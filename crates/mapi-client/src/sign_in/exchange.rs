//! NTLM and Negotiate on a connection — [MS-NTHT], RFC 4559.
//!
//! The first leg of NTLM goes without the request's body: it is refused anyhow. The leg that proves the identity is
//! the request itself, so that signing in with Kerberos costs nothing and NTLM one round trip.

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use watertight_auth::{AuthError, ChannelBindings, Client, Mechanism, Purpose, Step, Target, http as auth};

use super::challenge::{self, Token};
use super::line::{Line, drain, sensitive};
use super::signer::{Candidate, Kind};
use super::{Offers, Scheme};
use crate::connection::{Connection, SendError};
use crate::error::{Error, SignInError};

/// Legs of one exchange: three for NTLM, four when Negotiate's server would rather have another mechanism.
const MAX_LEGS: u32 = 6;
/// Says whether the connection stays signed in, where a server says so at all.
const PERSISTENT_AUTH: &str = "persistent-auth";

/// How an exchange ended.
pub(super) enum Exchanged {
    /// What the request is answered with.
    Response(Response<Incoming>),
    /// Let in without a proof: this answers a request without its body.
    LetIn(Response<Incoming>),
    /// The connection had ended before the first leg.
    NotSent,
    /// Refused, before an identity was proved (no error) or after.
    Refused { response: Response<Incoming>, offers: Offers, error: Option<(Kind, SignInError)> },
}

/// A client, its first step, and what it proves.
struct Begun {
    client: Client,
    step: Step,
    kind: Kind,
}

/// Signs in on a connection, with the request as the last leg.
pub(super) async fn run(
    line: &Line<'_>,
    connection: &mut Connection,
    scheme: Scheme,
    request: &Request<Full<Bytes>>,
) -> Result<Exchanged, Error> {
    let http = if scheme == Scheme::Ntlm { auth::Scheme::Ntlm } else { auth::Scheme::Negotiate };
    let Begun { mut client, mut step, kind } = begin(line, connection.bindings().cloned(), scheme).await?;
    let broken = |why: &str| SignInError::Exchange { scheme, why: why.to_owned() };
    let mut ntlm = is_ntlm(&step);
    for leg in 0..MAX_LEGS {
        let token = step.token.take().ok_or_else(|| broken("the exchange ends too early"))?;
        let proves = leg > 0 || !ntlm;
        let mut sent = if proves { request.clone() } else { without_body(request) };
        let header =
            sensitive(&http.header(Some(&token))).ok_or_else(|| broken("a token that no header takes"))?;
        sent.headers_mut().insert(AUTHORIZATION, header);
        line.settings.counters.request();
        let mut response = match connection.send(sent, line.settings.options.read_timeout).await {
            Ok(response) => response,
            Err(SendError::Failed(error)) => return Err(error),
            Err(SendError::NotSent(_)) if leg == 0 => return Ok(Exchanged::NotSent),
            Err(SendError::NotSent(_)) => return Err(cut(scheme).into()),
        };
        let token = match challenge::token(response.headers(), scheme) {
            Token::Garbage => return Err(broken("the server's token is not base64").into()),
            Token::None => None,
            Token::Bytes(bytes) => Some(bytes),
        };
        if response.status() != StatusCode::UNAUTHORIZED {
            if !proves {
                if response.status().is_success() {
                    connection.set_signed_in(Some(Mechanism::Ntlm));
                    return Ok(Exchanged::LetIn(response));
                }
                // Nothing that the body would change: busy, forbidden, not there.
                return Ok(Exchanged::Response(response));
            }
            let mechanism = finish(line, &mut client, step, token, ntlm)?;
            if mechanism == Mechanism::Ntlm && kind == Kind::Password {
                // Kerberos was tried and is not to be had here.
                line.settings.signer.without(kind);
            }
            let stays = persists(response.headers())
                .unwrap_or_else(|| mechanism == Mechanism::Ntlm || !line.settings.signer.each_request());
            connection.set_signed_in(stays.then_some(mechanism));
            tracing::debug!(%scheme, ?mechanism, stays, "signed in");
            return Ok(Exchanged::Response(response));
        }
        let Some(token) = token else {
            let offers = Offers::read(response.headers());
            let offered = !offers.any || offers.schemes.contains(&scheme);
            // A password that NTLM proved is not proved again by something else: that would count as two failures.
            let tried = if ntlm { Kind::Hash } else { kind };
            let error = (proves && offered).then(|| (tried, refused(kind)));
            return Ok(Exchanged::Refused { response, offers, error });
        };
        drain(line.settings, connection, &mut response).await?;
        step = match client.step(&token) {
            Ok(next) => next,
            // The server's last word may say why.
            Err(AuthError::Refused(_)) if proves && kind != Kind::Ticket => {
                return Err(SignInError::Credentials.into());
            }
            Err(error) => return Err(SignInError::of_exchange(scheme, error).into()),
        };
        ntlm = ntlm || is_ntlm(&step);
    }
    Err(broken("it does not end").into())
}

/// The first token, by the first identity that has one. Tickets may have to be asked for, which blocks.
async fn begin(line: &Line<'_>, bindings: Option<ChannelBindings>, scheme: Scheme) -> Result<Begun, Error> {
    let signer = &line.settings.signer;
    let security = signer.security.clone();
    let target = Target::new("HTTP", line.endpoint.host());
    let mechanism = if scheme == Scheme::Ntlm { Mechanism::Ntlm } else { Mechanism::Negotiate };
    let first = move |Candidate { identity, kind }: Candidate| {
        let (target, bindings) = (target.clone(), bindings.clone());
        let mut client = Client::new(&security, mechanism, identity, target, bindings, Purpose::SignIn);
        let step = client.step(&[])?;
        Ok::<_, AuthError>(Begun { client, step, kind })
    };
    let candidates = signer.candidates(scheme)?;
    let mut left = candidates.len();
    for candidate in candidates {
        left = left.saturating_sub(1);
        let kind = candidate.kind;
        let begun = if kind == Kind::Hash {
            first(candidate)
        } else {
            let first = first.clone();
            tokio::task::spawn_blocking(move || first(candidate))
                .await
                .map_err(|error| SignInError::Exchange { scheme, why: error.to_string() })?
        };
        match begun {
            Ok(begun) => return Ok(begun),
            // A password that the KDC refuses is wrong for NTLM, too, and would count twice.
            Err(error @ AuthError::Kdc { code: 18 | 23 | 24, .. }) => {
                return Err(SignInError::of_exchange(scheme, error).into());
            }
            Err(error) if left > 0 => {
                tracing::debug!(%error, user = signer.user(), "no Kerberos");
                signer.without(kind);
            }
            Err(error) => return Err(SignInError::of_exchange(scheme, error).into()),
        }
    }
    Err(SignInError::Credentials.into())
}

/// The end on our side, once the server has let us in. Who gives a last token must give the right one: it proves that
/// the server is who it says. Where there is none, the certificate has proved that.
fn finish(
    line: &Line<'_>,
    client: &mut Client,
    step: Step,
    token: Option<Vec<u8>>,
    ntlm: bool,
) -> Result<Mechanism, SignInError> {
    let not_proved = |why: String| SignInError::NotProved { host: line.endpoint.host().to_owned(), why };
    if let Some(context) = step.done {
        return Ok(context.mechanism());
    }
    match token {
        Some(token) => {
            let step = client.step(&token).map_err(|error| not_proved(error.to_string()))?;
            match (step.done, step.token) {
                (Some(context), None) => Ok(context.mechanism()),
                _ => Err(not_proved("its last token is not the last".to_owned())),
            }
        }
        None if ntlm => Ok(Mechanism::Ntlm),
        None if line.endpoint.tls() => Ok(Mechanism::Kerberos),
        None => Err(not_proved("it sent no token".to_owned())),
    }
}

/// What it means that the server refuses a proof and says no more.
fn refused(kind: Kind) -> SignInError {
    match kind {
        Kind::Ticket => SignInError::Kerberos { why: "the server does not accept the ticket".to_owned() },
        Kind::Password | Kind::Hash => SignInError::Credentials,
    }
}

pub(super) fn cut(scheme: Scheme) -> SignInError {
    let why =
        "the connection is closed in the middle of it; check for a proxy that does not keep connections open";
    SignInError::Exchange { scheme, why: why.to_owned() }
}

/// Whether a token begins with NTLM's first message, whose answer is a challenge and nothing else.
fn is_ntlm(step: &Step) -> bool {
    step.token.as_ref().is_some_and(|token| token.windows(8).any(|window| window == b"NTLMSSP\0"))
}

fn without_body(request: &Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let mut head = Request::new(Full::new(Bytes::new()));
    head.method_mut().clone_from(request.method());
    head.uri_mut().clone_from(request.uri());
    head.headers_mut().clone_from(request.headers());
    head
}

fn persists(headers: &HeaderMap) -> Option<bool> {
    let value = headers.get(PERSISTENT_AUTH)?.to_str().ok()?.trim();
    if value.eq_ignore_ascii_case("true") {
        Some(true)
    } else {
        value.eq_ignore_ascii_case("false").then_some(false)
    }
}
