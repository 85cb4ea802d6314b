//! Certificates: which are trusted, and what is said about the others.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use watertight_auth::http::Scheme;
use watertight_auth::{BindingPolicy, ChannelBindings};
use watertight_ledger::Ledger;
use watertight_mapi_client::{
    Connector, Credentials, Endpoint, Error, ErrorClass, Options, ReachError, SetupError, SignIn,
    SignInError, TrustError,
};
use watertight_testkit::replay::Replay;

use crate::gate::{Gate, PASSWORD, exchange_bound};
use crate::kit::options;

/// TLS in front of a replaying server.
struct Front {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn front(certificate: &CertificateDer<'static>, key: &KeyPair, to: SocketAddr) -> Front {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut outer) = acceptor.accept(stream).await else { return };
                let mut inner = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            });
        }
    });
    Front { address, task }
}

fn file(pem: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(pem.as_bytes()).unwrap();
    file
}

async fn connect(url: &str, options: Options, dn: &str) -> Result<(), Error> {
    let ledger = Ledger::new("test");
    let credentials = Credentials::new("u", "p").unwrap();
    let connector = Connector::new(Endpoint::parse(url).unwrap(), &credentials, options, &ledger)?;
    let result = match connector.connect(dn).await {
        Ok(session) => session.disconnect().await,
        Err(error) => Err(error),
    };
    connector.idle().await;
    assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
    result
}

/// Channel bindings: who stands between, with another certificate that is trusted, too, gets no use of the proof.
#[tokio::test]
async fn a_proof_is_bound_to_the_certificate() {
    let key = KeyPair::generate().unwrap();
    let certificate =
        || CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (own, other) = (certificate(), certificate());
    let ca = file(&format!("{}{}", own.pem(), other.pem()));
    for scheme in [Scheme::Ntlm, Scheme::Negotiate] {
        let bindings = ChannelBindings::tls_server_end_point(own.der());
        let gate = Gate::new(move || exchange_bound(scheme, BindingPolicy::Required(bindings.clone())));
        let behind = gate.url.strip_prefix("http://").unwrap().split('/').next().unwrap().parse().unwrap();
        let dn = gate.replay.user_dn();
        for (shown, good) in [(&own, true), (&other, false)] {
            let front = front(shown.der(), &key, behind).await;
            let options = Options { tls_ca: Some(ca.path().to_owned()), sign_in: SignIn::Auto, ..options() };
            let url = format!("https://localhost:{}/mapi/emsmdb/", front.address.port());
            let ledger = Ledger::new("test");
            let credentials = Credentials::new("u4@test.local", PASSWORD).unwrap();
            let connector =
                Connector::new(Endpoint::parse(&url).unwrap(), &credentials, options, &ledger).unwrap();
            match connector.connect(&dn).await {
                Ok(session) => {
                    assert!(good);
                    session.disconnect().await.unwrap();
                }
                Err(Error::SignIn(SignInError::Credentials)) => assert!(!good),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[tokio::test]
async fn certificates_are_judged_and_the_cure_is_named() {
    let replay = Replay::first_set();
    let dn = replay.user_dn();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let ca = file(&authority.pem());
    let trusting = || Options { tls_ca: Some(ca.path().to_owned()), ..options() };

    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let params = CertificateParams::new(names).unwrap();
    let good = params.signed_by(&key, &authority).unwrap();
    let mut old = params.clone();
    old.not_before = date_time_ymd(2000, 1, 1);
    old.not_after = date_time_ymd(2001, 1, 1);
    let old = old.signed_by(&key, &authority).unwrap();
    let other = CertificateParams::new(vec!["mail.example.org".to_owned()]).unwrap();
    let other = other.signed_by(&key, &authority).unwrap();

    let server = front(good.der(), &key, replay.address()).await;
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{}/mapi/emsmdb/", server.address.port());
        connect(&url, trusting(), &dn).await.unwrap();
    }
    let url = format!("https://{}/mapi/emsmdb/", server.address);
    let error = connect(&url, options(), &dn).await.unwrap_err();
    assert!(matches!(error, Error::Trust(TrustError::UnknownIssuer { .. })), "{error:?}");
    assert!(error.to_string().contains("--tls-ca"), "{error}");
    assert_eq!(error.class(), ErrorClass::Reach);

    let server = front(old.der(), &key, replay.address()).await;
    let url = format!("https://{}/mapi/emsmdb/", server.address);
    let error = connect(&url, trusting(), &dn).await.unwrap_err();
    assert!(matches!(error, Error::Trust(TrustError::NotInDate { .. })), "{error:?}");

    let server = front(other.der(), &key, replay.address()).await;
    let url = format!("https://{}/mapi/emsmdb/", server.address);
    let error = connect(&url, trusting(), &dn).await.unwrap_err();
    assert!(matches!(error, Error::Trust(TrustError::WrongName { .. })), "{error:?}");

    // HTTPS to a port that speaks HTTP.
    let url = format!("https://{}/mapi/emsmdb/", replay.address());
    let quick = Options { connect_timeout: std::time::Duration::from_millis(300), ..trusting() };
    let error = connect(&url, quick, &dn).await.unwrap_err();
    assert!(
        matches!(error, Error::Reach(ReachError::Handshake { .. } | ReachError::ConnectTimeout { .. })),
        "{error:?}"
    );
}

/// A server with a certificate of its own making, which is given with `--tls-ca`.
#[tokio::test]
async fn a_self_signed_certificate_is_trusted_when_it_is_given() {
    let replay = Replay::first_set();
    let dn = replay.user_dn();
    for is_ca in [IsCa::NoCa, IsCa::ExplicitNoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = is_ca;
        let own = params.self_signed(&key).unwrap();
        let given = file(&own.pem());
        let server = front(own.der(), &key, replay.address()).await;
        let trusting = || Options { tls_ca: Some(given.path().to_owned()), ..options() };
        let url = |host| format!("https://{host}:{}/mapi/emsmdb/", server.address.port());
        connect(&url("localhost"), trusting(), &dn).await.unwrap_or_else(|e| panic!("{is_ca:?}: {e}"));
        let error = connect(&url("127.0.0.1"), trusting(), &dn).await.unwrap_err();
        assert!(matches!(error, Error::Trust(TrustError::WrongName { .. })), "{is_ca:?}: {error:?}");
        let error = connect(&url("localhost"), options(), &dn).await.unwrap_err();
        assert!(matches!(error, Error::Trust(TrustError::UnknownIssuer { .. })), "{is_ca:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_file_that_holds_no_certificates_is_refused() {
    for (text, why) in
        [("", "no certificate"), ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "")]
    {
        let bad = file(text);
        let options = Options { tls_ca: Some(bad.path().to_owned()), ..options() };
        let error = connect("https://127.0.0.1:1/", options, "x").await.unwrap_err();
        assert!(matches!(error, Error::Setup(SetupError::Roots { .. })), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let options = Options { tls_ca: Some("/nowhere/ca.pem".into()), ..options() };
    let error = connect("https://127.0.0.1:1/", options, "x").await.unwrap_err();
    assert!(matches!(error, Error::Setup(SetupError::Roots { .. })), "{error:?}");
}
