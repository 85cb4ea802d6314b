//! Exchanges between a probe client and a real server; `data/captures/README.md` says what they are.

#![expect(clippy::indexing_slicing, reason = "a test kit fails by panicking")]

mod streams;

use std::path::PathBuf;

pub use streams::{Stream, StreamKind, streams};

use serde::Deserialize;

/// One exchange (or, in group 09, a pair of plain and compressed bytes).
#[derive(Debug, Clone, Deserialize)]
pub struct Exchange {
    /// Its number in the set.
    pub n: u32,
    /// Its group in the second set.
    #[serde(default)]
    pub group: Option<String>,
    /// X-RequestType, `Autodiscover` or `lzxpress`.
    pub request_type: String,
    /// Which operation it belongs to.
    pub label: String,
    /// Sessions that run side by side have different letters.
    #[serde(default)]
    pub session: Option<String>,
    /// The path and query.
    #[serde(default)]
    pub path: Option<String>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The request's headers.
    pub request_headers: std::collections::BTreeMap<String, String>,
    /// The response's headers, in order.
    pub response_headers: Vec<(String, String)>,
    /// The return value of the first response ROP.
    #[serde(default)]
    pub return_value: Option<serde_json::Value>,
    request: Option<String>,
    response: Option<String>,
    #[serde(default)]
    raw_request: Option<String>,
    #[serde(default)]
    raw_response: Option<String>,
    #[serde(skip)]
    dir: PathBuf,
}

impl Exchange {
    /// The request body (or the plain bytes).
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        self.file(self.request.as_ref())
    }

    /// The response body without the chunked coding (or the compressed bytes); meta-tags and additional headers included.
    #[must_use]
    pub fn response(&self) -> Vec<u8> {
        self.file(self.response.as_ref())
    }

    /// The request's bytes on the socket, where they were kept.
    #[must_use]
    pub fn raw_request(&self) -> Option<Vec<u8>> {
        self.raw_request.as_ref().map(|f| self.file(Some(f)))
    }

    /// The response's bytes on the socket, where they were kept.
    #[must_use]
    pub fn raw_response(&self) -> Option<Vec<u8>> {
        self.raw_response.as_ref().map(|f| self.file(Some(f)))
    }

    fn file(&self, name: Option<&String>) -> Vec<u8> {
        name.map_or_else(Vec::new, |name| {
            let path = self.dir.join(name);
            std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        })
    }

    /// The response body after meta-tags and additional headers.
    #[must_use]
    pub fn response_body(&self) -> Vec<u8> {
        let all = self.response();
        match all.windows(4).position(|w| w == b"\r\n\r\n") {
            Some(at) => all[at + 4..].to_vec(),
            None => all,
        }
    }
}

fn load(set: &str, index: &str) -> Vec<Exchange> {
    let dir = crate::data_dir().join("captures").join(set);
    let json = std::fs::read(dir.join(index)).expect("the captures' index");
    let mut all: Vec<Exchange> = serde_json::from_slice(&json).expect("the captures' index is JSON");
    for exchange in &mut all {
        exchange.dir.clone_from(&dir);
    }
    all
}

/// The first set: one session, 196 exchanges.
#[must_use]
pub fn first_set() -> Vec<Exchange> {
    load("grommunio-3.10", "index.json")
}

/// The groups of the second set that are kept here (01, 02, 03, 04, 06, 07, 09, 10).
#[must_use]
pub fn second_set() -> Vec<Exchange> {
    load("grommunio-3.10-more", "index.json")
}

/// Group 08 of the second set: public folders. Some of its requests cannot be read without knowing the logon.
#[must_use]
pub fn public_folders() -> Vec<Exchange> {
    load("grommunio-3.10-more", "public-folders.json")
}

/// The exchanges of one group of the second set, by its two digits.
#[must_use]
pub fn group(digits: &str) -> Vec<Exchange> {
    second_set().into_iter().filter(|e| e.group.as_deref().is_some_and(|g| g.starts_with(digits))).collect()
}
