//! The head of a MAPI/HTTP request — [MS-OXCMAPIHTTP] 2.2.2.1, 2.2.3.

use http::{HeaderMap, Method, header};
use watertight_mapi::http::header::{CONTENT_TYPE_MAPI, X_CLIENT_INFO, X_REQUEST_ID, X_REQUEST_TYPE};
use watertight_mapi::http::{RequestType, ResponseCode};

use crate::session::{CONTEXT_COOKIE, SEQUENCE_COOKIE};

/// The longest X-RequestId and X-ClientInfo.
const MAX_ID: usize = 256;

/// What the head of a valid request says.
pub(super) struct Head {
    pub(super) request_type: RequestType,
    /// The session context cookie.
    pub(super) context: Option<String>,
    /// The sequence cookie.
    pub(super) sequence: Option<String>,
}

/// A refusal: the code and why, in words for a person.
pub(super) type Refusal = (ResponseCode, &'static str);

impl Head {
    /// Checks method and headers; `takes` says which request types the endpoint takes.
    pub(super) fn read(
        method: &Method,
        headers: &HeaderMap,
        takes: fn(RequestType) -> bool,
    ) -> Result<Self, Refusal> {
        if method != Method::POST {
            return Err((
                ResponseCode::InvalidVerb,
                "The request has an invalid verb: only POST is allowed.",
            ));
        }
        let required = |name: &str, missing: &'static str| {
            text(headers, name).ok_or(if headers.contains_key(name) {
                (
                    ResponseCode::InvalidHeader,
                    "The request has an invalid header: it is there twice, or no text.",
                )
            } else {
                (ResponseCode::MissingHeader, missing)
            })
        };
        required(header::HOST.as_str(), "The Host header is missing.")?;
        let request_type = required(X_REQUEST_TYPE, "The X-RequestType header is missing.")?;
        let request_id = required(X_REQUEST_ID, "The X-RequestId header is missing.")?;
        let client_info = required(X_CLIENT_INFO, "The X-ClientInfo header is missing.")?;
        let content_type = required(header::CONTENT_TYPE.as_str(), "The Content-Type header is missing.")?;
        if !is_guid_and_counter(request_id) {
            return Err((ResponseCode::InvalidHeader, "The X-RequestId header is not a GUID and a counter."));
        }
        if client_info.is_empty() || client_info.len() > MAX_ID {
            return Err((ResponseCode::InvalidHeader, "The X-ClientInfo header is empty or too long."));
        }
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case(CONTENT_TYPE_MAPI) {
            return Err((
                ResponseCode::InvalidHeader,
                "The Content-Type header is not application/mapi-http.",
            ));
        }
        let request_type = RequestType::parse(request_type.trim())
            .filter(|request_type| takes(*request_type))
            .ok_or((ResponseCode::InvalidRequestType, "The request has an invalid X-RequestType header."))?;
        Ok(Self {
            request_type,
            context: cookie(headers, CONTEXT_COOKIE),
            sequence: cookie(headers, SEQUENCE_COOKIE),
        })
    }
}

/// For `fuzz`: the request type and the cookies of a valid head, or why it is refused.
///
/// # Errors
/// The code of the refusal.
pub fn request_head(
    headers: &HeaderMap,
) -> Result<(RequestType, Option<String>, Option<String>), ResponseCode> {
    let head = Head::read(&Method::POST, headers, |_| true).map_err(|(code, _)| code)?;
    Ok((head.request_type, head.context, head.sequence))
}

/// A header that is there once and is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}

/// The value of a cookie; of one that is there twice, the first.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().trim_matches('"').to_owned())
}

/// `{GUID}:n`, the braces optional — [MS-OXCMAPIHTTP] 2.2.3.3.2.
fn is_guid_and_counter(value: &str) -> bool {
    let Some((guid, counter)) = value.trim().rsplit_once(':') else { return false };
    let guid = guid.strip_prefix('{').and_then(|g| g.strip_suffix('}')).unwrap_or(guid);
    let mut groups = guid.split('-');
    let well_formed = [8, 4, 4, 4, 12].iter().all(|&length| {
        groups.next().is_some_and(|g| g.len() == length && g.bytes().all(|b| b.is_ascii_hexdigit()))
    });
    well_formed
        && groups.next().is_none()
        && (1..=20).contains(&counter.len())
        && counter.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_a_guid_and_a_counter() {
        assert!(is_guid_and_counter("{E2EA6C1C-E61B-49E9-9CFB-38184F907552}:123456"));
        assert!(is_guid_and_counter("E2EA6C1C-E61B-49E9-9CFB-38184F907552:1"));
        for wrong in [
            "",
            ":",
            "1",
            "{E2EA6C1C-E61B-49E9-9CFB-38184F907552}",
            "{E2EA6C1C-E61B-49E9-9CFB-38184F907552}:",
            "{E2EA6C1C-E61B-49E9-9CFB-38184F907552}:x",
            "{E2EA6C1C-E61B-49E9-9CFB-38184F90755}:1",
            "E2EA6C1CE61B49E99CFB38184F907552:1",
        ] {
            assert!(!is_guid_and_counter(wrong), "{wrong}");
        }
    }

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=b; MapiContext = 12 ;MapiSequence=\"3-4\"".parse().unwrap());
        headers.append(header::COOKIE, "MapiContext=99; c".parse().unwrap());
        assert_eq!(cookie(&headers, "MapiContext").as_deref(), Some("12"));
        assert_eq!(cookie(&headers, "MapiSequence").as_deref(), Some("3-4"));
        assert_eq!(cookie(&headers, "mapicontext"), None);
    }
}
