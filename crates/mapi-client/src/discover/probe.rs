//! A look at a host's TLS: what was agreed on, and the certificate, also one that is not trusted.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use watertight_ledger::Ledger;

use super::certificate::Certificate;
use crate::connection::connect;
use crate::endpoint::Endpoint;
use crate::error::{Error, ReachError};
use crate::options::Options;
use crate::tls;

/// What a host's TLS looks like.
#[derive(Debug)]
#[non_exhaustive]
pub struct TlsProbe {
    /// Where it answered.
    pub address: Option<SocketAddr>,
    /// The protocol version that was agreed on: `TLS 1.3`.
    pub version: Option<&'static str>,
    /// The certificate that it showed, trusted or not.
    pub certificate: Option<Certificate>,
    /// Why the connection failed.
    pub error: Option<Error>,
    /// How long it took.
    pub took: Duration,
}

/// Makes a TLS connection to an https endpoint, and ends it.
///
/// # Errors
/// [`Error::Setup`] when the trusted roots cannot be read; what the host does is in the answer.
pub async fn probe_tls(endpoint: &Endpoint, options: &Options, ledger: &Ledger) -> Result<TlsProbe, Error> {
    let seen = Arc::new(Mutex::new(None));
    let verifier = Recording { inner: tls::verifier(options.tls_ca.as_deref())?, seen: Arc::clone(&seen) };
    let config = tls::config_with(Arc::new(verifier))?;
    let start = std::time::Instant::now();
    let kind = ledger.child("client").kind("connections");
    let _entry = kind.enter();
    let timeout = options.connect_timeout;
    let mut probe =
        TlsProbe { address: None, version: None, certificate: None, error: None, took: Duration::ZERO };
    let shaking = async {
        let stream = connect(endpoint, timeout, &*options.dns).await?;
        probe.address = stream.peer_addr().ok();
        handshake(endpoint, config, stream).await
    };
    let done = tokio::time::timeout(timeout, shaking).await.unwrap_or_else(|_| {
        Err(ReachError::ConnectTimeout { address: endpoint.address(), after: timeout }.into())
    });
    match done {
        Ok(version) => probe.version = version,
        Err(error) => probe.error = Some(error),
    }
    probe.took = start.elapsed();
    let der = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    probe.certificate = der.as_deref().and_then(Certificate::from_der);
    Ok(probe)
}

async fn handshake(
    endpoint: &Endpoint,
    config: Arc<ClientConfig>,
    stream: TcpStream,
) -> Result<Option<&'static str>, Error> {
    let address = endpoint.address();
    let name = ServerName::try_from(endpoint.host().to_owned())
        .map_err(|e| ReachError::Handshake { address: address.clone(), why: e.to_string() })?;
    let stream = tokio_rustls::TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|e| tls::failure(endpoint.host(), &address, &e))?;
    Ok(stream.get_ref().1.protocol_version().map(|version| match version {
        rustls::ProtocolVersion::TLSv1_2 => "TLS 1.2",
        rustls::ProtocolVersion::TLSv1_3 => "TLS 1.3",
        _ => "TLS",
    }))
}

/// Judges as usual, and keeps what it saw.
#[derive(Debug)]
struct Recording {
    inner: Arc<dyn ServerCertVerifier>,
    seen: Arc<Mutex<Option<Vec<u8>>>>,
}

impl ServerCertVerifier for Recording {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(own.to_vec());
        self.inner.verify_server_cert(own, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, own, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, own, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
