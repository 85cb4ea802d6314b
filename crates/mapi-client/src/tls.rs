//! Whom we trust.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::error::{Error, ReachError, SetupError, TrustError};

/// TLS with the system's roots and those of a file.
pub(crate) fn config(extra: Option<&Path>) -> Result<Arc<ClientConfig>, SetupError> {
    let mut roots = RootCertStore::empty();
    // A system without roots may still reach a server whose authority is given.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = extra {
        let bad = |why: String| SetupError::Roots { path: path.display().to_string(), why };
        let mut found = false;
        for cert in CertificateDer::pem_file_iter(path).map_err(|e| bad(e.to_string()))? {
            let cert = cert.map_err(|e| bad(e.to_string()))?;
            roots.add(cert).map_err(|e| bad(e.to_string()))?;
            found = true;
        }
        if !found {
            return Err(bad("no certificate in PEM form in it".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| SetupError::Roots { path: "TLS".to_owned(), why: e.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
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
            other => TrustError::Other { host, why: other.to_string() },
        }
        .into(),
        Some(other) => ReachError::Handshake { address: address.to_owned(), why: other.to_string() }.into(),
        None => ReachError::Handshake { address: address.to_owned(), why: error.to_string() }.into(),
    }
}
