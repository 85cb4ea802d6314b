//! Whom we trust.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::{Error, ReachError, SetupError, TrustError};

/// Where roots come from that nobody gave.
const THE_SYSTEM: &str = "the system's roots";

/// TLS with the system's roots and those of a file.
pub(crate) fn config(extra: Option<&Path>) -> Result<Arc<ClientConfig>, SetupError> {
    let mut roots = RootCertStore::empty();
    // A system without roots may still reach a server whose authority is given.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let given = extra.map(certificates).transpose()?.unwrap_or_default();
    let bad = |why: String| SetupError::Roots {
        path: extra.map_or_else(|| THE_SYSTEM.to_owned(), |path| path.display().to_string()),
        why,
    };
    for certificate in &given {
        roots.add(certificate.clone()).map_err(|e| bad(e.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| bad(e.to_string()))?;
    let mut config = if given.is_empty() {
        builder.with_root_certificates(roots).with_no_client_auth()
    } else {
        let by_authority = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|e| bad(e.to_string()))?;
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(OrGiven { by_authority, given }))
            .with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// TLS with a verifier of the caller's.
pub(crate) fn config_with(verifier: Arc<dyn ServerCertVerifier>) -> Result<Arc<ClientConfig>, SetupError> {
    let bad = |e: rustls::Error| SetupError::Roots { path: THE_SYSTEM.to_owned(), why: e.to_string() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(bad)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Who judges certificates: as [`config`] has it.
pub(crate) fn verifier(extra: Option<&Path>) -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let given = extra.map(certificates).transpose()?.unwrap_or_default();
    let bad = |why: String| SetupError::Roots {
        path: extra.map_or_else(|| THE_SYSTEM.to_owned(), |path| path.display().to_string()),
        why,
    };
    for certificate in &given {
        roots.add(certificate.clone()).map_err(|e| bad(e.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let by_authority = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|e| bad(e.to_string()))?;
    Ok(if given.is_empty() { by_authority } else { Arc::new(OrGiven { by_authority, given }) })
}

/// The certificates in a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let bad = |why: String| SetupError::Roots { path: path.display().to_string(), why };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| bad(e.to_string()))?;
    if found.is_empty() { Err(bad("no certificate in PEM form in it".to_owned())) } else { Ok(found) }
}

/// Trusts what an authority vouches for, and the very certificate that the person gave, where the server shows it as
/// its own: self-signed ones usually call themselves authorities, and no authority may be a server.
#[derive(Debug)]
struct OrGiven {
    by_authority: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for OrGiven {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.by_authority.verify_server_cert(own, chain, name, ocsp, now);
        match verdict {
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                if self.given.iter().any(|given| given == own) =>
            {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(own)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_authority.verify_tls12_signature(message, own, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_authority.verify_tls13_signature(message, own, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authority.supported_verify_schemes()
    }
}

/// What a failed handshake means.
pub(crate) fn failure(host: &str, address: &str, error: &std::io::Error) -> Error {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let host = host.to_owned();
    match tls {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            CertificateError::UnknownIssuer => TrustError::UnknownIssuer { host },
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TrustError::WrongName { host }
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TrustError::NotInDate { host },
            // A self-signed certificate that calls itself an authority (webpki has a reason of its own for it).
            other if format!("{other:?}").contains("CaUsedAsEndEntity") => TrustError::UnknownIssuer { host },
            other => TrustError::Other { host, why: other.to_string() },
        }
        .into(),
        Some(other) => ReachError::Handshake { address: address.to_owned(), why: other.to_string() }.into(),
        None => ReachError::Handshake { address: address.to_owned(), why: error.to_string() }.into(),
    }
}
