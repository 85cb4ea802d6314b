//! [MS-OXDSCLI]: the documents that client and server read.

use watertight_mapi_client::autodiscover_document;
use watertight_mapi_server::autodiscover_request;
use watertight_testkit::captures;

use crate::{Seed, choice};

/// Requests as our server reads them, answers as our client does: bounded, whatever the document.
pub fn autodiscover(data: &[u8]) {
    let Some((what, data)) = choice(data, 2) else { return };
    let said = if what == 0 { autodiscover_request(data) } else { autodiscover_document(data) };
    assert!(said.len() <= data.len().saturating_mul(16).saturating_add(1024), "more than was there: {said}");
}

pub fn seeds() -> Vec<Seed> {
    captures::group("02")
        .iter()
        .flat_map(|e| {
            [
                (format!("{:04}.req", e.n), [&[0][..], &e.request()].concat()),
                (format!("{:04}.rsp", e.n), [&[1][..], &e.response()].concat()),
            ]
        })
        .collect()
}
