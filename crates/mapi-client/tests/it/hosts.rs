//! A small Internet: https hosts with certificates of one authority, a plain http port, and the names of them all.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use watertight_mapi_client::{Dns, Options, Service};

use crate::kit::options;

/// What a host says to a request.
#[derive(Clone)]
pub enum Says {
    /// 200 with a document to those who sign in, 401 to the others.
    Signed(String),
    /// A status with headers.
    Status(u16, Vec<(&'static str, String)>),
}

impl Says {
    pub fn moved(to: &str) -> Self {
        Self::Status(302, vec![("Location", to.to_owned())])
    }
}

/// A request as a host got it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub url: String,
    pub headers: String,
    pub body: String,
}

impl Asked {
    pub fn signed(&self) -> bool {
        self.headers.to_ascii_lowercase().contains("\r\nauthorization:")
    }
}

type Script = Arc<Mutex<BTreeMap<String, Says>>>;

/// The Internet.
pub struct Hosts {
    says: Script,
    asked: Arc<Mutex<Vec<Asked>>>,
    pub dns: Arc<Names>,
    ca: NamedTempFile,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// The names: hosts that answer on the two ports, and services.
#[derive(Debug)]
pub struct Names {
    https: SocketAddr,
    http: SocketAddr,
    hosts: Mutex<Vec<String>>,
    services: Mutex<BTreeMap<String, Vec<Service>>>,
}

#[async_trait]
impl Dns for Names {
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if !self.hosts.lock().unwrap().iter().any(|known| known == host) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no such name"));
        }
        Ok(vec![if port == 80 { self.http } else { self.https }])
    }

    async fn services(&self, name: &str) -> io::Result<Vec<Service>> {
        Ok(self.services.lock().unwrap().get(name).cloned().unwrap_or_default())
    }
}

#[derive(Debug)]
struct Certificates {
    by_host: BTreeMap<String, Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.by_host.get(hello.server_name()?).cloned()
    }
}

impl Hosts {
    /// With these names; `certified` are the names in the certificate that each shows, its own where there is none.
    pub async fn new(names: &[&str], certified: &[(&str, &str)]) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut ca = NamedTempFile::new().unwrap();
        io::Write::write_all(&mut ca, authority.pem().as_bytes()).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let by_host = names
            .iter()
            .map(|name| {
                let shown = certified.iter().find(|(host, _)| host == name).map_or(*name, |(_, shown)| shown);
                let key = KeyPair::generate().unwrap();
                let params = CertificateParams::new(vec![shown.to_owned()]).unwrap();
                let certificate = params.signed_by(&key, &authority).unwrap();
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                let chain = vec![certificate.der().clone()];
                let key = CertifiedKey::from_der(chain, key, &provider).unwrap();
                ((*name).to_owned(), Arc::new(key))
            })
            .collect();
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Certificates { by_host }));
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let https = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dns = Arc::new(Names {
            https: https.local_addr().unwrap(),
            http: http.local_addr().unwrap(),
            hosts: Mutex::new(names.iter().map(|name| (*name).to_owned()).collect()),
            services: Mutex::default(),
        });
        let (says, asked) = (Script::default(), Arc::new(Mutex::new(Vec::new())));
        let mut tasks = Vec::new();
        let (s, a) = (Arc::clone(&says), Arc::clone(&asked));
        tasks.push(tokio::spawn(async move {
            while let Ok((stream, _)) = https.accept().await {
                let (acceptor, s, a) = (acceptor.clone(), Arc::clone(&s), Arc::clone(&a));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve("https", stream, &s, &a).await;
                    }
                });
            }
        }));
        let (s, a) = (Arc::clone(&says), Arc::clone(&asked));
        tasks.push(tokio::spawn(async move {
            while let Ok((stream, _)) = http.accept().await {
                let (s, a) = (Arc::clone(&s), Arc::clone(&a));
                tokio::spawn(async move { serve("http", stream, &s, &a).await });
            }
        }));
        Self { says, asked, dns, ca, tasks }
    }

    /// What is said at a URL; without a path, at Autodiscover's.
    pub fn at(&self, url: &str, says: Says) -> &Self {
        let url = if url.matches('/').count() > 2 {
            url.to_owned()
        } else {
            format!("{url}/autodiscover/autodiscover.xml")
        };
        self.says.lock().unwrap().insert(url, says);
        self
    }

    /// An SRV record of Autodiscover.
    pub fn service(&self, domain: &str, target: &str) {
        let service = Service { priority: 0, weight: 0, port: 443, target: target.to_owned() };
        let name = format!("_autodiscover._tcp.{domain}");
        self.dns.services.lock().unwrap().entry(name).or_default().push(service);
    }

    /// Everything that was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    pub fn options(&self) -> Options {
        Options { dns: Arc::<Names>::clone(&self.dns), tls_ca: Some(self.ca().to_owned()), ..options() }
    }

    pub fn ca(&self) -> &Path {
        self.ca.path()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// One request of one connection.
async fn serve(
    scheme: &str,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    says: &Script,
    asked: &Mutex<Vec<Asked>>,
) {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let headers = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let header = |name: &str| {
        headers.lines().find_map(|line| {
            let (n, value) = line.split_once(':')?;
            n.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let length = header("content-length").map_or(0, |n| n.parse().unwrap());
    while bytes.len() < head + length {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let target = headers.split(' ').nth(1).unwrap_or_default();
    let url = format!("{scheme}://{}{target}", header("host").unwrap_or_default());
    let body = String::from_utf8_lossy(&bytes[head..]).into_owned();
    let request = Asked { url: url.clone(), headers: headers.clone(), body };
    let signed = request.signed();
    asked.lock().unwrap().push(request);
    let said = says.lock().unwrap().get(&url).cloned();
    let (status, headers, body) = match said {
        Some(Says::Signed(text)) if signed => (200, Vec::new(), text),
        Some(Says::Signed(_)) => {
            (401, vec![("WWW-Authenticate", "Basic realm=\"x\"".to_owned())], String::new())
        }
        Some(Says::Status(status, headers)) => (status, headers, String::new()),
        None => (404, Vec::new(), String::new()),
    };
    let mut text = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    let _ = stream.write_all(format!("{text}\r\n{body}").as_bytes()).await;
    let _ = stream.shutdown().await;
}
