//! The session-context cookies — [MS-OXCMAPIHTTP] 3.1.5.1 (what the server sets goes back with the next request).

use std::collections::BTreeMap;
use std::fmt;

use http::HeaderValue;
use http::header::{HeaderMap, SET_COOKIE};
use zeroize::Zeroizing;

/// No server needs more of them.
const MAX_COOKIES: usize = 32;
/// No server needs longer ones.
const MAX_COOKIE: usize = 8 << 10;

/// Names and values; they open the session, so they do not show.
#[derive(Default, Clone)]
pub(crate) struct Cookies(BTreeMap<String, Zeroizing<String>>);

impl Cookies {
    /// Takes what a response sets. Attributes do not matter here: the cookies go to this one URL only.
    pub(crate) fn update(&mut self, headers: &HeaderMap) {
        for value in headers.get_all(SET_COOKIE) {
            let Ok(text) = value.to_str() else { continue };
            let Some((name, value)) = text.split(';').next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            if value.is_empty() {
                self.0.remove(name);
            } else if name.len() + value.len() <= MAX_COOKIE
                && (self.0.len() < MAX_COOKIES || self.0.contains_key(name))
            {
                self.0.insert(name.to_owned(), Zeroizing::new(value.to_owned()));
            }
        }
    }

    /// How much is held.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.capacity().saturating_add(value.capacity())).sum()
    }

    /// The Cookie header, marked as sensitive; `None` when there are no cookies.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={}", value.as_str())).collect();
        let text = Zeroizing::new(pairs.join("; "));
        let mut value = HeaderValue::from_str(&text).ok().filter(|v| !v.is_empty())?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// For `fuzz`: the Cookie header after responses that set these.
#[must_use]
pub fn cookies_after(set: impl IntoIterator<Item = HeaderValue>) -> Option<HeaderValue> {
    let mut cookies = Cookies::default();
    let mut headers = HeaderMap::new();
    for value in set {
        headers.insert(SET_COOKIE, value);
        cookies.update(&headers);
    }
    cookies.header()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_each_name_goes_back() {
        let mut cookies = Cookies::default();
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, HeaderValue::from_static("sid=one; path=/mapi; Secure"));
        headers.append(SET_COOKIE, HeaderValue::from_static("sequence=secret-1"));
        cookies.update(&headers);
        headers.clear();
        headers.append(SET_COOKIE, HeaderValue::from_static("sequence=secret-2"));
        headers.append(SET_COOKIE, HeaderValue::from_static("nonsense"));
        cookies.update(&headers);
        assert_eq!(cookies.header().unwrap().as_bytes(), b"sequence=secret-2; sid=one");
        assert!(!format!("{cookies:?} {:?}", cookies.header()).contains("secret"));
        headers.clear();
        headers.append(SET_COOKIE, HeaderValue::from_static("sid="));
        headers.append(SET_COOKIE, HeaderValue::from_static("sequence="));
        cookies.update(&headers);
        assert!(cookies.header().is_none());
    }
}
