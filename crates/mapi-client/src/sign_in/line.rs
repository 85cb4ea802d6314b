//! A request on its way through sign-in.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use watertight_ledger::Kind;

use super::exchange::{self, Exchanged};
use super::signer::Means;
use super::{Offers, Scheme};
use crate::connection::{Connection, SendError};
use crate::endpoint::Endpoint;
use crate::error::{Error, ProtocolError, ReachError, SignInError};
use crate::settings::Settings;

/// How often a request is repeated because the connection ended before it was sent.
const MAX_REOPENED: u32 = 3;
/// How often a request is repeated because the server wants a proof: to hear what it offers, for a scheme that it
/// does not take after all, for a connection that it does not know any more.
const MAX_REFUSED: u32 = 5;
/// Bytes of an error page that are read to keep the connection.
pub(crate) const MAX_PAGE: usize = 64 << 10;

/// Where requests go, and how connections to there are made.
pub(crate) struct Line<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) kind: &'a Kind,
    /// Whether connections that others left may be used.
    pub(crate) pooled: bool,
}

/// How far a request has come.
#[derive(Default)]
pub(super) struct Tries {
    pub(super) reopened: u32,
    refused: u32,
    /// A connection that had been through the exchange was asked for it again.
    again: bool,
    /// The command ran for this request.
    new_token: bool,
}

impl Line<'_> {
    /// Sends a request (without an Authorization header), signed in: on this connection, where there is one, or on
    /// another. The response that comes back is not a 401, and its body is still to be read on the connection.
    ///
    /// When the future is dropped, or fails, the connection is closed.
    ///
    /// # Errors
    /// [`Error::SignIn`], or what reaching the server meets.
    pub(crate) async fn send(
        &self,
        connection: Option<Connection>,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Connection, Response<Incoming>), Error> {
        let signer = &self.settings.signer;
        let mut tries = Tries::default();
        let mut spare = connection;
        loop {
            let means = signer.means().await?;
            let mut connection = match spare.take() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let scheme = match &means {
                Means::Exchange(scheme) if !connection.is_signed_in() => *scheme,
                _ => {
                    match self.plainly(&mut connection, &means, request, &mut tries).await? {
                        Sent::Response(response) => return Ok((connection, response)),
                        Sent::Ended(again) => request = again,
                        Sent::Again(again, response) => {
                            request = again;
                            spare = self.drained(connection, response).await;
                        }
                    }
                    continue;
                }
            };
            match exchange::run(self, &mut connection, scheme, &request).await? {
                Exchanged::Response(response) => return Ok((connection, response)),
                Exchanged::LetIn(response) => {
                    tries.refused()?;
                    spare = self.drained(connection, response).await;
                }
                Exchanged::NotSent => tries.reopened(self)?,
                Exchanged::Refused { response, offers, error } => {
                    tries.refused()?;
                    match error {
                        None => signer.choose_another(scheme, &offers)?,
                        Some((kind, error)) if !signer.without(kind) => return Err(error.into()),
                        Some(_) => {}
                    }
                    spare = self.drained(connection, response).await;
                }
            }
        }
    }

    /// What the server offers when this request comes without a proof, over a connection of its own.
    ///
    /// # Errors
    /// What reaching the server meets.
    pub(crate) async fn offered(&self, request: Request<Full<Bytes>>) -> Result<Vec<Scheme>, Error> {
        let (_connection, response) = self.send_openly(request).await?;
        let offers = Offers::read(response.headers());
        Ok(if response.status() == StatusCode::UNAUTHORIZED { offers.schemes } else { Vec::new() })
    }

    /// Sends a request without a proof, over a connection of its own. The response may be a 401: what it offers is
    /// known to [`Line::send`] then.
    ///
    /// # Errors
    /// What reaching the server meets.
    pub(crate) async fn send_openly(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Connection, Response<Incoming>), Error> {
        let mut tries = Tries::default();
        loop {
            let mut connection = self.settings.connect_to(self.endpoint, self.kind).await?;
            self.settings.counters.request();
            match connection.send(request, self.settings.options.read_timeout).await {
                Ok(response) => {
                    if response.status() == StatusCode::UNAUTHORIZED {
                        self.settings.signer.learn(&Offers::read(response.headers()));
                    }
                    return Ok((connection, response));
                }
                Err(SendError::Failed(error)) => return Err(error),
                Err(SendError::NotSent(again)) => {
                    tries.reopened(self)?;
                    request = *again;
                }
            }
        }
    }

    /// Sends a request with what it carries by itself, or nothing.
    async fn plainly(
        &self,
        connection: &mut Connection,
        means: &Means,
        mut request: Request<Full<Bytes>>,
        tries: &mut Tries,
    ) -> Result<Sent, Error> {
        let signer = &self.settings.signer;
        match means {
            Means::Header(_, header) => request.headers_mut().insert(AUTHORIZATION, header.clone()),
            Means::Open | Means::Exchange(_) => request.headers_mut().remove(AUTHORIZATION),
        };
        // Nothing comes after a password that is refused.
        let last = matches!(means, Means::Header(Scheme::Basic, _));
        let copy = (!last).then(|| request.clone());
        self.settings.counters.request();
        let response = match connection.send(request, self.settings.options.read_timeout).await {
            Ok(response) => response,
            Err(SendError::Failed(error)) => return Err(error),
            Err(SendError::NotSent(again)) => {
                tries.reopened(self)?;
                return Ok(Sent::Ended(*again));
            }
        };
        if response.status() != StatusCode::UNAUTHORIZED {
            connection.used();
            return Ok(Sent::Response(response));
        }
        let offers = Offers::read(response.headers());
        tries.refused()?;
        match means {
            Means::Open => signer.choose(&offers)?,
            Means::Header(Scheme::Bearer, token) if !tries.new_token => {
                if offers.any && !offers.schemes.contains(&Scheme::Bearer) {
                    return Err(signer.not_offered(&offers).into());
                }
                tries.new_token = true;
                signer.forget_token(token);
            }
            Means::Header(Scheme::Bearer, token) => {
                signer.forget_token(token);
                return Err(SignInError::TokenRefused.into());
            }
            Means::Header(scheme, _) if offers.any && !offers.schemes.contains(scheme) => {
                signer.forget_choice();
                return Err(signer.not_offered(&offers).into());
            }
            Means::Header(..) => return Err(SignInError::Credentials.into()),
            Means::Exchange(scheme) => {
                if tries.again {
                    return Err(SignInError::Credentials.into());
                }
                tries.again = true;
                // Right after the exchange, that is how this server is: it wants a proof with each request.
                if connection.is_unused_kerberos() {
                    signer.set_each_request();
                }
                tracing::debug!(%scheme, "the connection has to be signed in again");
                connection.set_signed_in(None);
            }
        }
        match copy {
            Some(copy) => Ok(Sent::Again(copy, response)),
            None => Err(SignInError::Credentials.into()),
        }
    }

    /// A connection that requests may go over.
    async fn connect(&self) -> Result<Connection, Error> {
        if self.pooled
            && let Some(connection) = self.settings.pool.take()
        {
            return Ok(connection);
        }
        self.settings.connect_to(self.endpoint, self.kind).await
    }

    /// The connection, once a response that is not wanted was read; nothing when it cannot be used any more.
    async fn drained(
        &self,
        mut connection: Connection,
        mut response: Response<Incoming>,
    ) -> Option<Connection> {
        drain(self.settings, &mut connection, &mut response).await.ok()?;
        connection.is_ready().then_some(connection)
    }
}

/// Reads what is not wanted, so that the connection can be used again.
pub(crate) async fn drain(
    settings: &Settings,
    connection: &mut Connection,
    response: &mut Response<Incoming>,
) -> Result<(), Error> {
    let mut total = 0_usize;
    while let Some(bytes) = connection.body(response, settings.options.read_timeout).await? {
        total = total.saturating_add(bytes.len());
        if total > MAX_PAGE {
            return Err(ProtocolError::TooLarge { limit: MAX_PAGE }.into());
        }
    }
    Ok(())
}

fn closed_at_once(endpoint: &Endpoint) -> Error {
    let why = "the server closes each connection at once".to_owned();
    ReachError::Interrupted { address: endpoint.address(), why }.into()
}

enum Sent {
    Response(Response<Incoming>),
    /// The connection had ended before.
    Ended(Request<Full<Bytes>>),
    /// Refused, and something else can be tried.
    Again(Request<Full<Bytes>>, Response<Incoming>),
}

impl Tries {
    pub(super) fn reopened(&mut self, line: &Line<'_>) -> Result<(), Error> {
        self.reopened = self.reopened.saturating_add(1);
        if self.reopened <= MAX_REOPENED {
            return Ok(());
        }
        Err(closed_at_once(line.endpoint))
    }

    fn refused(&mut self) -> Result<(), SignInError> {
        self.refused = self.refused.saturating_add(1);
        if self.refused <= MAX_REFUSED { Ok(()) } else { Err(SignInError::Credentials) }
    }
}

/// A header's value that no log shows.
pub(super) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
