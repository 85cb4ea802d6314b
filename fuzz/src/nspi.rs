//! [MS-OXCMAPIHTTP] 2.2.5: bodies of the address book.

use watertight_mapi::http::body::Answer;
use watertight_mapi::nspi::body;
use watertight_testkit::captures;

use crate::{Seed, choice, stable};

/// Bodies of all request types, both ways.
pub fn address_book(data: &[u8]) {
    let Some((what, data)) = choice(data, 36) else { return };
    match what {
        0 => drop(stable::<body::BindRequest>(data)),
        1 => drop(stable::<Answer<body::Bound>>(data)),
        2 => drop(stable::<body::UnbindRequest>(data)),
        3 => drop(stable::<Answer<body::Plain>>(data)),
        4 => drop(stable::<body::CompareMIdsRequest>(data)),
        5 => drop(stable::<Answer<body::Compared>>(data)),
        6 => drop(stable::<body::DnToMIdRequest>(data)),
        7 => drop(stable::<Answer<body::FoundMIds>>(data)),
        8 => drop(stable::<body::GetMatchesRequest>(data)),
        9 => drop(stable::<Answer<body::Matches>>(data)),
        10 => drop(stable::<body::GetPropListRequest>(data)),
        11 => drop(stable::<Answer<body::TagsFound>>(data)),
        12 => drop(stable::<body::GetPropsRequest>(data)),
        13 => drop(stable::<Answer<body::PropsFound>>(data)),
        14 => drop(stable::<body::GetSpecialTableRequest>(data)),
        15 => drop(stable::<Answer<body::SpecialTable>>(data)),
        16 => drop(stable::<body::GetTemplateInfoRequest>(data)),
        18 => drop(stable::<body::ModPropsRequest>(data)),
        20 => drop(stable::<body::ModLinkAttRequest>(data)),
        22 => drop(stable::<body::QueryColumnsRequest>(data)),
        24 => drop(stable::<body::QueryRowsRequest>(data)),
        25 => drop(stable::<Answer<body::RowsFound>>(data)),
        26 => drop(stable::<body::ResolveNamesRequest>(data)),
        27 => drop(stable::<Answer<body::NamesResolved>>(data)),
        28 => drop(stable::<body::ResortRestrictionRequest>(data)),
        29 => drop(stable::<Answer<body::Resorted>>(data)),
        30 => drop(stable::<body::SeekEntriesRequest>(data)),
        32 => drop(stable::<body::UpdateStatRequest>(data)),
        33 => drop(stable::<Answer<body::StatUpdated>>(data)),
        34 => drop(stable::<body::AddressBookUrlRequest>(data)),
        35 => drop(stable::<Answer<body::UrlFound>>(data)),
        _ => {}
    }
}

pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for e in captures::group("03") {
        let (request, response) = match e.request_type.as_str() {
            "Bind" => (0, 1),
            "Unbind" => (2, 3),
            "CompareMIds" => (4, 5),
            "DNToMId" => (6, 7),
            "GetMatches" => (8, 9),
            "GetPropList" => (10, 11),
            "GetProps" => (12, 13),
            "GetSpecialTable" => (14, 15),
            "GetTemplateInfo" => (16, 13),
            "ModProps" => (18, 3),
            "QueryColumns" => (22, 11),
            "QueryRows" => (24, 25),
            "ResolveNames" => (26, 27),
            "ResortRestriction" => (28, 29),
            "SeekEntries" => (30, 25),
            "UpdateStat" => (32, 33),
            "GetMailboxUrl" | "GetAddressBookUrl" => (34, 35),
            _ => continue,
        };
        seeds.push((format!("{:04}.req", e.n), [&[request][..], &e.request()].concat()));
        seeds.push((format!("{:04}.rsp", e.n), [&[response][..], &e.response_body()].concat()));
    }
    seeds
}
