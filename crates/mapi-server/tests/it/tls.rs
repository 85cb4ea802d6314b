//! Listening: TLS, loopback, slow clients, the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use watertight_ledger::Ledger;
use watertight_mapi_server::{Server, ServerConfig, ServerError};

use crate::bed::{Bed, Client, store};

/// A self-signed certificate for 127.0.0.1 and its key, as PEM.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[tokio::test]
async fn without_tls_only_loopback_is_served() {
    let store = Arc::new(store().await);
    let everywhere = ServerConfig::new("0.0.0.0:0".parse().unwrap());
    let refused = Server::bind(everywhere, store.clone(), &Ledger::new("t")).await;
    assert!(matches!(refused.err(), Some(ServerError::PlainHttp(_))));
    let config = ServerConfig::new("127.0.0.1:0".parse().unwrap());
    let server = Server::bind(config.clone(), store.clone(), &Ledger::new("t")).await.unwrap();
    let port = server.local_addr().port();
    assert_eq!(server.urls(), [format!("http://127.0.0.1:{port}/mapi/emsmdb/")]);
    let mut taken = config;
    taken.address = server.local_addr();
    assert!(matches!(
        Server::bind(taken, store, &Ledger::new("t")).await.err(),
        Some(ServerError::Listen { .. })
    ));
    let config = ServerConfig::new("0.0.0.0:0".parse().unwrap());
    let (certificate, key) = certificate();
    let (certificate, key) = (certificate.as_bytes(), key.as_bytes());
    assert!(matches!(config.clone().with_tls(b"", key).err(), Some(ServerError::Certificate(_))));
    assert!(matches!(config.with_tls(certificate, b"").err(), Some(ServerError::Certificate(_))));
}

#[tokio::test]
async fn over_tls_cookies_are_secure() {
    let store = Arc::new(store().await);
    let (certificate, key) = certificate();
    let bed = Bed::with(store, |config| {
        *config = config.clone().with_tls(certificate.as_bytes(), key.as_bytes()).unwrap();
    })
    .await;
    // Headers of a Connect, from a client that has no connection yet but a plain one, which the server gives up.
    let mut plain = bed.client("u3").await;
    let headers = plain.headers("Connect");
    let body = crate::bed::connect_body(&watertight_mapi::store::legacy_dn("u3"));
    let request = Client::bytes("POST /mapi/emsmdb/", &headers, &body);
    plain.socket.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.socket.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "no HTTP without TLS");

    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = tokio::net::TcpStream::connect(bed.address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"0\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    let text = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(text.starts_with("http/1.1 200"), "{text}");
    assert_eq!(text.matches("; path=/mapi/emsmdb; secure; httponly").count(), 2, "{text}");
    drop(stream);
    bed.end().await;
}

#[tokio::test]
async fn slow_and_idle_clients_are_given_up() {
    let bed = Bed::with(Arc::new(store().await), |config| {
        config.idle_timeout = Duration::from_millis(50);
        config.body_timeout = Duration::from_millis(50);
    })
    .await;
    // Nothing at all, half a head, half a body.
    let mut idle = bed.client("u3").await;
    let mut half_head = bed.client("u3").await;
    half_head.socket.write_all(b"POST /mapi/emsmdb/ HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let mut half_body = bed.client("u3").await;
    let headers = half_body.headers("Connect");
    let request = Client::bytes("POST /mapi/emsmdb/", &headers, &[0; 100]);
    half_body.socket.write_all(&request[..request.len() - 1]).await.unwrap();
    assert_eq!(half_body.receive().await.code(), 12);
    let mut rest = Vec::new();
    for client in [&mut idle, &mut half_head, &mut half_body] {
        let _ = client.socket.read_to_end(&mut rest).await;
    }
    bed.until_held("connections", 0).await;
    bed.end().await;
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    let mut headers = client.headers("PING");
    headers.push(("X-Padding".into(), "a".repeat(100_000)));
    client.send("POST /mapi/emsmdb/", &headers, b"").await;
    assert_eq!(client.receive().await.status, 431);
    let mut client = bed.client("u3").await;
    let mut headers = client.headers("PING");
    headers.extend((0..100).map(|i| (format!("X-{i}"), String::new())));
    client.send("POST /mapi/emsmdb/", &headers, b"").await;
    assert_eq!(client.receive().await.status, 431);
    bed.end().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let bed = Bed::with(Arc::new(store().await), |config| config.connections = 2).await;
    let mut a = bed.client("u3").await;
    let mut b = bed.client("u3").await;
    a.connect().await;
    b.connect().await;
    let mut c = bed.client("u4").await;
    let headers = c.headers("PING");
    c.send("POST /mapi/emsmdb/", &headers, b"").await;
    assert_eq!(bed.held("connections"), 2);
    drop(a);
    assert_eq!(c.receive().await.code(), 0);
    assert_eq!(bed.held("connections"), 2);
    bed.end().await;
}

#[tokio::test]
async fn the_end_waits_for_idle_connections_no_longer_than_it_must() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    client.connect().await;
    let started = std::time::Instant::now();
    bed.end().await;
    assert!(started.elapsed() < Duration::from_secs(4));
    assert_eq!(client.socket.read(&mut [0; 1]).await.unwrap(), 0);
}
