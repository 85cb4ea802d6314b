//! The address book: captured requests of a real client, and hostile ones.

use std::sync::Arc;

use watertight_mapi::MapiCode;
use watertight_mapi::http::body::Answer;
use watertight_mapi::nspi::body::*;
use watertight_mapi::nspi::{
    AMBIGUOUS, Has, INVALID_CODE_PAGE, List32, MID_END, Narrow, RESOLVED, Stat, UNBIND_SUCCESS, UNRESOLVED,
    Wide, tags,
};
use watertight_mapi::prop::PropValue;
use watertight_mapi::store::{NewAccount, Store, legacy_dn};
use watertight_store::MemoryStore;
use watertight_testkit::captures::{self, Exchange};
use watertight_testkit::mutate::survive;
use watertight_wire::Wire;

use crate::bed::{Bed, Client, Response, hash};

const NSPI: &str = "POST /mapi/nspi/?MailboxId=u4@test.local";

/// A server with the accounts of the captured one.
async fn bed() -> Bed {
    let store = MemoryStore::new();
    for name in ["u1", "u2", "u3", "u4"] {
        let account = NewAccount {
            name: name.into(),
            display_name: name.into(),
            smtp_address: format!("{name}@test.local"),
            password_hash: hash(),
        };
        store.create_account(account).await.unwrap();
    }
    Bed::with(Arc::new(store), |_| {}).await
}

async fn post(client: &mut Client, request_type: &str, body: &[u8]) -> Response {
    let headers = client.headers(request_type);
    client.send(NSPI, &headers, body).await;
    client.receive().await
}

fn success<T: Wire>(response: &Response, label: &str) -> T {
    assert_eq!(response.code(), 0, "{label}");
    match Answer::from_bytes(&response.body()).unwrap_or_else(|e| panic!("{label}: {e}")) {
        Answer::Success(answer) => answer,
        Answer::Failure(failure) => panic!("{label}: {failure:?}"),
    }
}

async fn bind(client: &mut Client) {
    let stat = Stat { code_page: 1252, ..Stat::default() };
    let request = BindRequest { state: Has(Some(stat)), ..BindRequest::default() };
    let response = post(client, "Bind", &request.to_bytes().unwrap()).await;
    assert_eq!(success::<Bound>(&response, "Bind").error_code, MapiCode::Success);
}

/// What the documents want where the captured server errs.
fn documented(n: u32) -> Option<u32> {
    Some(match n {
        // A 16-bit count; a body that is cut off.
        88 | 111 => 12,
        // After Unbind.
        105 => 10,
        // No cookies after a Bind that failed.
        107 => 13,
        // Frobnicate; a request type of the other endpoint.
        109 | 113 => 5,
        _ => return None,
    })
}

/// The captured body with our distinguished names.
fn ours(e: &Exchange) -> Vec<u8> {
    match e.n {
        72 | 73 => AddressBookUrlRequest { dn: Wide(legacy_dn("u4")), ..AddressBookUrlRequest::default() }
            .to_bytes()
            .unwrap(),
        82 => {
            let mut request = DnToMIdRequest::from_bytes(&e.request()).unwrap();
            let names = ["u4", "U3", "nobody"].map(|name| Narrow(legacy_dn(name).to_uppercase()));
            request.names = Has(Some(List32(names.into())));
            request.to_bytes().unwrap()
        }
        _ => e.request(),
    }
}

/// Checks an answer, beside what is the same as what was captured.
fn judge(e: &Exchange, response: &Response) {
    let label = format!("{} {}", e.n, e.label);
    let theirs = e.response_body();
    let rows = |answer: &RowsFound| answer.rows.as_ref().map_or(0, |table| table.rows.len());
    let names = |table: &watertight_mapi::nspi::ColumnsAndRows| -> Vec<String> {
        let name = |row| match table.value(row, tags::DISPLAY_NAME) {
            Some(PropValue::Unicode(text)) => text.clone(),
            other => panic!("{label}: {other:?}"),
        };
        table.rows.iter().map(name).collect()
    };
    macro_rules! both {
        ($ty:ty) => {{
            let Ok(Answer::Success(theirs)) = Answer::<$ty>::from_bytes(&theirs) else { panic!("{label}") };
            (success::<$ty>(response, &label), theirs)
        }};
    }
    match e.request_type.as_str() {
        "Bind" => {
            let (own, theirs) = both!(Bound);
            assert_eq!(own.error_code, theirs.error_code, "{label}");
            assert_eq!(own.error_code == INVALID_CODE_PAGE, e.n == 106);
        }
        "Unbind" => assert_eq!(both!(Plain).0.error_code, UNBIND_SUCCESS),
        "GetMailboxUrl" => {
            let (own, _) = both!(UrlFound);
            assert!(own.url.0.starts_with("http://127.0.0.1/mapi/emsmdb/?MailboxId="), "{own:?}");
        }
        "GetAddressBookUrl" => {
            let (own, _) = both!(UrlFound);
            assert!(own.url.0.starts_with("http://127.0.0.1/mapi/nspi/?MailboxId="), "{own:?}");
            assert!(own.url.0.ends_with("@test.local"), "{own:?}");
        }
        "GetSpecialTable" => {
            let (own, theirs) = both!(SpecialTable);
            // Their second row is of a container that we do not have.
            if let (Some(own), Some(theirs)) = (own.rows.0, theirs.rows.0) {
                let ids = |list: &watertight_mapi::nspi::ValueList| -> Vec<_> {
                    list.iter().map(|value| value.tag).collect()
                };
                assert_eq!(ids(&own[0]), ids(&theirs[0]), "{label}");
            } else {
                assert_eq!(e.n, 75);
            }
        }
        "QueryRows" => {
            let (own, theirs) = both!(RowsFound);
            assert_eq!(
                (own.error_code, own.state.clone()),
                (theirs.error_code, theirs.state.clone()),
                "{label}"
            );
            // Without columns there are those of the document; here the other server gives none.
            assert_eq!(rows(&own), rows(&theirs), "{label}");
            if e.n != 77 {
                assert_eq!(names(&own.rows.0.unwrap()), names(&theirs.rows.0.unwrap()), "{label}");
            }
        }
        "ResolveNames" => {
            let (own, theirs) = both!(NamesResolved);
            assert_eq!(own.error_code, theirs.error_code, "{label}");
            if e.n == 78 {
                // Nobody is nobody, and the code page the one that was asked for.
                let ids = [RESOLVED, RESOLVED, UNRESOLVED, AMBIGUOUS];
                assert_eq!(own.ids.as_ref().unwrap()[..], ids);
                assert_eq!(own.code_page, 1252);
                assert_eq!(names(&own.rows.0.unwrap()), names(&theirs.rows.0.unwrap()));
            } else {
                assert_eq!(own.ids, theirs.ids, "{label}");
            }
        }
        "DNToMId" => {
            let (own, theirs) = both!(FoundMIds);
            assert_eq!((own.error_code, own.ids), (theirs.error_code, theirs.ids), "{label}");
        }
        "GetPropList" => {
            let (own, _) = both!(TagsFound);
            let tags = own.tags.0.unwrap();
            assert!(tags.contains(&watertight_mapi::PropTag(0x3001_001E)), "{label}: strings in a code page");
        }
        "GetProps" => {
            let (own, theirs) = both!(PropsFound);
            assert_eq!((own.error_code, own.code_page), (theirs.error_code, theirs.code_page), "{label}");
            let (own, theirs) = (own.values.0.unwrap(), theirs.values.0.unwrap());
            for tag in [tags::DISPLAY_NAME, tags::SMTP_ADDRESS, tags::OBJECT_TYPE, tags::DISPLAY_TYPE] {
                assert_eq!(own.value(tag), theirs.value(tag), "{label}");
            }
            if e.n == 84 {
                let types = |list: &watertight_mapi::nspi::ValueList| -> Vec<_> {
                    list.iter().map(|value| value.tag).collect()
                };
                assert_eq!(types(&own), types(&theirs), "{label}");
            }
        }
        "GetMatches" => {
            let (own, _) = both!(Matches);
            assert_eq!(own.error_code, MapiCode::Success, "{label}");
            let found = names(own.rows.0.as_ref().unwrap());
            // A content restriction on the display name finds nothing there.
            let expected: &[&str] = match e.n {
                90 | 91 => &["u1", "u2", "u3", "u4"],
                92 => &["u2"],
                94 => &["u3"],
                _ => &[],
            };
            assert_eq!(found, expected, "{label}");
        }
        "UpdateStat" => {
            let (own, theirs) = both!(StatUpdated);
            let stat = Stat { num_pos: 1, ..theirs.state.0.unwrap() };
            assert_eq!((own.state.0, own.delta), (Some(stat), Has(Some(1))), "{label}");
        }
        "CompareMIds" => {
            // There it fails.
            assert_eq!(both!(Compared).0.result, 1);
        }
        "SeekEntries" => {
            let (own, theirs) = both!(RowsFound);
            assert_eq!(own.state, theirs.state, "{label}");
            assert_eq!(names(&own.rows.0.unwrap()), names(&theirs.rows.0.unwrap()), "{label}");
        }
        "ResortRestriction" => {
            let (own, theirs) = both!(Resorted);
            assert_eq!((own.error_code, own.state, own.ids), (theirs.error_code, theirs.state, theirs.ids));
        }
        "QueryColumns" => {
            let own = success::<TagsFound>(response, &label);
            assert!(own.tags.0.unwrap().contains(&tags::DISPLAY_NAME), "{label}");
        }
        // There are no templates here.
        "GetTemplateInfo" => assert_eq!(both!(PropsFound).0.error_code, MapiCode::NotSupported),
        "ModProps" => assert_eq!(both!(Plain).0.error_code, MapiCode::NotSupported),
        "PING" => assert_eq!(response.code(), 0),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn captured_requests_get_the_answers_of_the_documents() {
    let bed = bed().await;
    let mut sessions = std::collections::BTreeMap::<String, Client>::new();
    let mut answered = 0;
    for e in captures::group("03") {
        let session = e.session.clone().unwrap();
        if !sessions.contains_key(&session) {
            let client = bed.client("u4").await;
            sessions.insert(session.clone(), client);
        }
        let client = sessions.get_mut(&session).unwrap();
        let response = post(client, &e.request_type, &ours(&e)).await;
        answered += 1;
        match documented(e.n) {
            Some(code) => assert_eq!(response.code(), code, "{} {}", e.n, e.label),
            None => judge(&e, &response),
        }
        assert!(bed.held("address book contexts") <= 2);
    }
    assert_eq!(answered, 45);
    assert_eq!(bed.held("address book contexts"), 0);
    drop(sessions);
    bed.end().await;
}

#[tokio::test]
async fn contexts_belong_to_their_endpoint_their_user_and_their_turn() {
    let bed = bed().await;
    let mut client = bed.client("u4").await;
    bind(&mut client).await;
    let rows = QueryRowsRequest {
        state: Has(Some(Stat { code_page: 1252, ..Stat::default() })),
        row_count: 10,
        ..QueryRowsRequest::default()
    };
    let rows = rows.to_bytes().unwrap();
    let mut other = bed.client("u3").await;
    other.cookies.clone_from(&client.cookies);
    assert_eq!(post(&mut other, "QueryRows", &rows).await.code(), 11);
    // A mailbox context is something else.
    let used = client.cookies.clone();
    assert_eq!(client.post("Execute", b"").await.code(), 10);
    let found = success::<RowsFound>(&post(&mut client, "QueryRows", &rows).await, "rows");
    assert_eq!(found.state.0.unwrap().current_rec, MID_END);
    client.cookies = used;
    assert_eq!(post(&mut client, "QueryRows", &rows).await.code(), 15);
    bed.clock.advance(std::time::Duration::from_secs(901));
    assert_eq!(post(&mut client, "QueryRows", &rows).await.code(), 10);
    assert_eq!(bed.held("address book contexts"), 0);
    bed.end().await;
}

#[tokio::test]
async fn damaged_and_greedy_requests_are_answered() {
    let bed = bed().await;
    let mut client = bed.client("u4").await;
    bind(&mut client).await;
    // Every bit of a few bodies, at the endpoint.
    for n in [78, 90, 99] {
        let e = captures::group("03").into_iter().find(|e| e.n == n).unwrap();
        let mut damaged = Vec::new();
        survive(&e.request(), |bytes| damaged.push(bytes.to_vec()));
        for bytes in damaged.iter().step_by(23) {
            let code = post(&mut client, &e.request_type, bytes).await.code();
            assert!(code == 0 || code == 12, "{n}: {code}");
        }
    }
    let stat = || Has(Some(Stat { code_page: 1252, ..Stat::default() }));
    // More rows of more columns than an answer holds.
    let request = QueryRowsRequest {
        state: stat(),
        explicit: List32(vec![0x14; 50_000]),
        row_count: u32::MAX,
        columns: Has(Some(List32(vec![tags::EMAIL_ADDRESS; 400]))),
        ..QueryRowsRequest::default()
    };
    let response = post(&mut client, "QueryRows", &request.to_bytes().unwrap()).await;
    assert_eq!(success::<RowsFound>(&response, "many").rows.0.unwrap().rows.len(), 125);
    let request = QueryRowsRequest {
        explicit: List32(vec![0x14, 7]),
        columns: Has(Some(List32(vec![tags::EMAIL_ADDRESS; 501]))),
        ..request
    };
    let response = post(&mut client, "QueryRows", &request.to_bytes().unwrap()).await;
    assert_eq!(success::<RowsFound>(&response, "columns").error_code, MapiCode::TableTooBig);
    let request = ResolveNamesRequest {
        state: stat(),
        names: Has(Some(List32(vec![Wide("u".into()); 1000]))),
        ..ResolveNamesRequest::default()
    };
    let response = post(&mut client, "ResolveNames", &request.to_bytes().unwrap()).await;
    assert_eq!(success::<NamesResolved>(&response, "names").error_code, MapiCode::OutOfResources);
    // Any place, however far away.
    for (current_rec, delta, num_pos, total_recs) in
        [(1, i32::MIN, u32::MAX, 0), (2, i32::MAX, 0, 1), (0, -1, 0, 0), (1, 0, u32::MAX, 1)]
    {
        let stat = Stat { current_rec, delta, num_pos, total_recs, code_page: 1252, ..Stat::default() };
        let request = UpdateStatRequest {
            reserved: 0,
            state: Has(Some(stat)),
            delta_requested: 1,
            auxiliary: Default::default(),
        };
        let response = post(&mut client, "UpdateStat", &request.to_bytes().unwrap()).await;
        assert!(success::<StatUpdated>(&response, "stat").state.0.unwrap().num_pos <= 4);
    }
    bed.end().await;
}
