//! Where the server is.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use http::Uri;

use crate::error::SetupError;

/// The usual path of the mailbox endpoint.
const DEFAULT_TARGET: &str = "/mapi/emsmdb/";

/// The URL of a MAPI/HTTP mailbox endpoint (`https://HOST[:PORT]/mapi/emsmdb/[?MailboxId=…]`); without a path, the
/// usual one is meant.
///
/// INVARIANT: the scheme is `https`, or it is `http` and the host is this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    tls: bool,
    host: String,
    port: u16,
    target: String,
}

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`SetupError::Url`] when it cannot be read, [`SetupError::PlainHttp`] for `http` to another machine.
    pub fn parse(url: &str) -> Result<Self, SetupError> {
        let bad = |why| SetupError::Url { url: url.to_owned(), why };
        let uri: Uri = url.trim().parse().map_err(|_| bad("not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad("it starts with neither https:// nor http://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it contains a user name"));
        }
        let host = match authority.host().strip_prefix('[') {
            Some(bracketed) => bracketed
                .strip_suffix(']')
                .filter(|address| address.parse::<Ipv6Addr>().is_ok())
                .ok_or_else(|| bad("what stands in brackets is not an address"))?,
            None => authority.host(),
        };
        let host = host.to_owned();
        if host.is_empty() {
            return Err(bad("no host"));
        }
        if !tls && !names_this_machine(&host) {
            return Err(SetupError::PlainHttp { host });
        }
        let after_host = authority.as_str().get(authority.host().len()..).unwrap_or_default();
        let port = match after_host.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| bad("the port is not a number below 65536"))?,
            None if !after_host.is_empty() => return Err(bad("not a URL")),
            None if tls => 443,
            None => 80,
        };
        let target = match uri.path_and_query().map(|target| target.as_str()) {
            None | Some("/") => DEFAULT_TARGET.to_owned(),
            Some(target) => target.to_owned(),
        };
        Ok(Self { tls, host, port, target })
    }

    /// The endpoint of a user's mailbox: where the URL names none, `MailboxId` with the user's name is added, as servers
    /// expect it — [MS-OXDSCLI] 2.2.4.1.1.2.
    ///
    /// # Errors
    /// As [`Endpoint::parse`].
    pub fn of_mailbox(url: &str, user: &str) -> Result<Self, SetupError> {
        let endpoint = Self::parse(url)?;
        if endpoint.target.contains('?') {
            return Ok(endpoint);
        }
        let mut target = format!("{}?MailboxId=", endpoint.target);
        for byte in user.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                    target.push(byte.into());
                }
                _ => target.push_str(&format!("%{byte:02X}")),
            }
        }
        Ok(endpoint.with_target(&target))
    }

    /// The same server, another path (and query).
    #[must_use]
    pub fn with_target(&self, target: &str) -> Self {
        Self { target: target.to_owned(), ..self.clone() }
    }

    /// The address book beside a mailbox endpoint: the same server, user and query, `/nspi` in place of `/emsmdb`.
    #[must_use]
    pub fn address_book(&self) -> Self {
        let (path, query) = match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.target.as_str(), None),
        };
        let path = match path.trim_end_matches('/').rsplit_once('/') {
            Some((before, last)) if last.eq_ignore_ascii_case("emsmdb") => format!("{before}/nspi/"),
            _ => path.to_owned(),
        };
        self.with_target(&query.map_or_else(|| path.clone(), |query| format!("{path}?{query}")))
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub const fn tls(&self) -> bool {
        self.tls
    }

    /// The host's name or address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Whether the host can only be this machine.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        names_this_machine(&self.host)
    }

    /// Host and port as they are written in a message.
    #[must_use]
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The value of the Host header.
    pub(crate) fn host_header(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        let address = self.address();
        match address.rsplit_once(':') {
            Some((host, _)) if self.port == usual => host.to_owned(),
            _ => address,
        }
    }
}

/// The URL without its query, which may name a mailbox.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        write!(f, "{}://{}{path}", if self.tls { "https" } else { "http" }, self.host_header())
    }
}

/// Whether a host name can only be this machine.
fn names_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for good in [
            "http://127.0.0.1:8080/mapi/emsmdb/",
            "http://localhost/x",
            "http://[::1]:81/",
            "https://mail.example.org/m?MailboxId=a@b",
        ] {
            Endpoint::parse(good).unwrap();
        }
        for bad in ["http://mail.example.org/", "http://127.0.0.1.example.org/", "http://10.0.0.1/"] {
            assert!(matches!(Endpoint::parse(bad), Err(SetupError::PlainHttp { .. })), "{bad}");
        }
        for bad in [
            "",
            "mail.example.org",
            "ftp://localhost/",
            "https:///x",
            "https://u:p@h/",
            "https://h:99999/",
            "https://[200NN%1]C8443./mapi/emsmdb/",
            "https://[::1]C8443/",
            "https://[fe80::1%25eth0]/",
            "https://[h]/",
        ] {
            assert!(matches!(Endpoint::parse(bad), Err(SetupError::Url { .. })), "{bad}");
        }
    }

    #[test]
    fn a_url_falls_into_its_parts() {
        let e = Endpoint::parse("https://[2001:db8::1]:8443/mapi/emsmdb/?MailboxId=u@h").unwrap();
        assert_eq!((e.host(), e.port(), e.target()), ("2001:db8::1", 8443, "/mapi/emsmdb/?MailboxId=u@h"));
        assert_eq!(e.host_header(), "[2001:db8::1]:8443");
        assert_eq!(e.to_string(), "https://[2001:db8::1]:8443/mapi/emsmdb/");
        let mailbox = |url| Endpoint::of_mailbox(url, "Ü&a@h").unwrap().target;
        assert_eq!(mailbox("https://h"), "/mapi/emsmdb/?MailboxId=%C3%9C%26a@h");
        assert_eq!(mailbox("https://h/x/?MailboxId=b"), "/x/?MailboxId=b");
        let book = |url| Endpoint::of_mailbox(url, "a@h").unwrap().address_book().target;
        assert_eq!(book("https://h"), "/mapi/nspi/?MailboxId=a@h");
        assert_eq!(book("https://h/x/EmsMdb?MailboxId=b/emsmdb/"), "/x/nspi/?MailboxId=b/emsmdb/");
        assert_eq!(book("https://h/mapi/nspi/"), "/mapi/nspi/?MailboxId=a@h");
        let e = Endpoint::parse("https://h.example").unwrap();
        assert_eq!((e.host_header().as_str(), e.target()), ("h.example", "/mapi/emsmdb/"));
    }
}
