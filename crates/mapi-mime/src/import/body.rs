//! Bodies — [MS-OXCMAIL] 2.2.3.4, [MS-OXBBODY] 2.1.1.

use watertight_mapi::prop::{PropBag, tags};

use crate::{
    charset::{self, CP_ASCII, CP_UTF8},
    mime::Entity,
};

/// NativeBodyInfo: plain text.
const NATIVE_PLAIN: i32 = 1;
/// NativeBodyInfo: HTML.
const NATIVE_HTML: i32 = 3;

/// Sets PidTagBody from a text/plain part.
pub(super) fn set_plain(props: &mut PropBag, entity: &Entity<'_>) {
    let bytes = entity.content();
    let text = charset::decode(&bytes, entity.charset());
    props.set(tags::BODY, crlf(&text));
    if props.find(tags::HTML).is_none() {
        props.set(tags::NATIVE_BODY, NATIVE_PLAIN);
        props.set(tags::INTERNET_CODEPAGE, page(entity, &bytes).unwrap_or(CP_UTF8));
    }
}

/// Sets PidTagHtml from a text/html part: the bytes as they are where their charset has a code page, else UTF-8.
pub(super) fn set_html(props: &mut PropBag, entity: &Entity<'_>) {
    let bytes = entity.content();
    props.set(tags::NATIVE_BODY, NATIVE_HTML);
    match page(entity, &bytes) {
        Some(page) => {
            props.set(tags::INTERNET_CODEPAGE, page);
            props.set(tags::HTML, bytes.into_owned());
        }
        None => {
            props.set(tags::INTERNET_CODEPAGE, CP_UTF8);
            props.set(tags::HTML, charset::decode(&bytes, entity.charset()).into_owned().into_bytes());
        }
    }
}

/// The code page that these bytes are in.
fn page(entity: &Entity<'_>, bytes: &[u8]) -> Option<i32> {
    match entity.charset().map(charset::codepage_of) {
        Some(Some(CP_ASCII)) | None => {
            if bytes.is_ascii() {
                Some(CP_ASCII)
            } else {
                core::str::from_utf8(bytes).is_ok().then_some(CP_UTF8)
            }
        }
        Some(Some(CP_UTF8)) => core::str::from_utf8(bytes).is_ok().then_some(CP_UTF8),
        Some(page) => page,
    }
}

/// MAPI's line ends, without NUL, which no MAPI string can hold.
fn crlf(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    let mut last = ' ';
    for c in text.chars().filter(|c| *c != '\0') {
        if c == '\n' && last != '\r' {
            out.push('\r');
        }
        out.push(c);
        last = c;
    }
    out
}
