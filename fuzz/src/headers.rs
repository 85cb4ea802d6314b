//! Header fields of HTTP that both sides read.

use core::time::Duration;
use std::time::SystemTime;

use http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};
use watertight_mapi_client::{Endpoint, cookies_after, retry_after};
use watertight_mapi_server::{basic_credentials, request_head};

use crate::{Seed, choice};

/// Names of the fields that our server reads.
const FIELDS: [&str; 8] = [
    "host",
    "x-requesttype",
    "x-requestid",
    "x-clientinfo",
    "content-type",
    "cookie",
    "authorization",
    "x-mapihttpcapability",
];

/// What the client takes from a response, and the server from a request.
pub fn http_headers(data: &[u8]) {
    let Some((what, data)) = choice(data, 5) else { return };
    match what {
        0 => cookies(data),
        1 => {
            let Ok(text) = core::str::from_utf8(data) else { return };
            if let Some(wait) = retry_after(text, SystemTime::UNIX_EPOCH) {
                assert!(wait <= Duration::from_secs(8031 * 366 * 86_400), "{text}");
                let later = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
                assert!(retry_after(text, later).expect("the same text") <= wait);
            }
        }
        2 => {
            let Some((user, password)) = basic_credentials(data) else { return };
            assert!(!user.is_empty() && !user.contains(':'));
            assert!(user.len().saturating_add(password.len()) <= data.len());
        }
        3 => head(data),
        _ => {
            // Where a redirection or an Autodiscover document leads.
            let Ok(text) = core::str::from_utf8(data) else { return };
            let Ok(endpoint) = Endpoint::parse(text) else { return };
            let again = Endpoint::parse(&endpoint.to_string()).expect("as it shows itself");
            assert_eq!((again.tls(), again.address()), (endpoint.tls(), endpoint.address()));
        }
    }
}

/// What a client sends back is bounded, and sets itself again.
fn cookies(data: &[u8]) {
    let fields = data.split(|b| *b == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    let Some(sent) = cookies_after(fields) else { return };
    assert!(sent.is_sensitive());
    assert!(sent.len() <= data.len().saturating_add(64));
    let text = sent.to_str().expect("text, as it came");
    assert!(text.split("; ").count() <= 32);
    let again = cookies_after(text.split("; ").filter_map(|pair| HeaderValue::from_str(pair).ok()));
    assert_eq!(again, Some(sent));
}

/// Lines of a byte that names the field, and its value.
fn head(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|b| *b == b'\n') {
        let Some((name, value)) = choice(line, 8) else { continue };
        let name = FIELDS.get(usize::from(name)).copied().unwrap_or("host");
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    if let Ok((_, context, sequence)) = request_head(&headers) {
        assert!(headers.contains_key(COOKIE) || (context.is_none() && sequence.is_none()));
    }
}

pub fn seeds() -> Vec<Seed> {
    let seed = |name: &str, what: u8, text: &[u8]| (name.to_owned(), [&[what][..], text].concat());
    vec![
        seed("cookies", 0, b"MapiContext=12; path=/mapi; Secure\nMapiSequence=3-4\nMapiContext=13\nX="),
        seed("seconds", 1, b"120"),
        seed("date", 1, b"Sun, 06 Nov 1994 08:49:37 GMT"),
        seed("url", 4, b"https://[2001:db8::1]:8443/mapi/emsmdb/?MailboxId=u@h"),
        seed("plain url", 4, b"http://127.0.0.1:1"),
        seed("basic", 2, b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        seed(
            "head",
            3,
            b"\0h\n\x01Execute\n\x02{E2EA6C1C-E61B-49E9-9CFB-38184F907552}:1\n\x03{x}:1\n\x04application/mapi-http\n\
              \x05MapiContext=12; MapiSequence=\"3\"",
        ),
    ]
}
