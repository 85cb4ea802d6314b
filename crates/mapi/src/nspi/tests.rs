use watertight_testkit::captures::{self, Exchange};
use watertight_testkit::mutate::survive;
use watertight_wire::Wire;

use super::body::*;
use super::*;
use crate::http::body::Answer;
use crate::{PropTag, PropValue};

/// Decodes, encodes again, compares; then every damage.
fn same<T: Wire + core::fmt::Debug>(bytes: &[u8], label: &str) -> T {
    let value = T::from_bytes(bytes).unwrap_or_else(|e| panic!("{label}: {e}"));
    assert_eq!(value.to_bytes().unwrap(), bytes, "{label}");
    survive(bytes.get(..bytes.len().min(250)).unwrap(), |b| {
        let _ = T::from_bytes(b);
    });
    value
}

fn both<Q: Wire + core::fmt::Debug, A: Wire + core::fmt::Debug>(e: &Exchange) {
    let label = format!("{} {}", e.n, e.label);
    same::<Q>(&e.request(), &label);
    same::<Answer<A>>(&e.response_body(), &label);
}

#[test]
fn captured_bodies_are_read_and_written_again() {
    let mut read = 0;
    for e in captures::group("03") {
        // 88: a 16-bit count. 96, 105, 107, 109, 111, 113: error answers.
        if [88, 96, 105, 107, 109, 111, 113].contains(&e.n) || e.request_type == "PING" {
            continue;
        }
        match e.request_type.as_str() {
            "Bind" => both::<BindRequest, Bound>(&e),
            "Unbind" => both::<UnbindRequest, Plain>(&e),
            "CompareMIds" => both::<CompareMIdsRequest, Compared>(&e),
            "DNToMId" => both::<DnToMIdRequest, FoundMIds>(&e),
            "GetMatches" => both::<GetMatchesRequest, Matches>(&e),
            "GetPropList" => both::<GetPropListRequest, TagsFound>(&e),
            "GetProps" => both::<GetPropsRequest, PropsFound>(&e),
            "GetSpecialTable" => both::<GetSpecialTableRequest, SpecialTable>(&e),
            "GetTemplateInfo" => both::<GetTemplateInfoRequest, PropsFound>(&e),
            "ModProps" => both::<ModPropsRequest, Plain>(&e),
            "QueryRows" => both::<QueryRowsRequest, RowsFound>(&e),
            "ResolveNames" => both::<ResolveNamesRequest, NamesResolved>(&e),
            "ResortRestriction" => both::<ResortRestrictionRequest, Resorted>(&e),
            "SeekEntries" => both::<SeekEntriesRequest, RowsFound>(&e),
            "UpdateStat" => both::<UpdateStatRequest, StatUpdated>(&e),
            "GetMailboxUrl" | "GetAddressBookUrl" => both::<AddressBookUrlRequest, UrlFound>(&e),
            other => panic!("{other}"),
        }
        read += 1;
    }
    assert_eq!(read, 37);
}

fn response<T: Wire>(n: u32) -> T {
    let e = captures::group("03").into_iter().find(|e| e.n == n).unwrap();
    match Answer::from_bytes(&e.response_body()).unwrap() {
        Answer::Success(answer) => answer,
        Answer::Failure(failure) => panic!("{failure:?}"),
    }
}

#[test]
fn captured_answers_say_what_is_known_of_them() {
    let rows = response::<RowsFound>(76).rows.0.unwrap();
    let names: Vec<_> = rows.rows.iter().map(|row| rows.value(row, tags::DISPLAY_NAME)).collect();
    let text = |s: &str| PropValue::from(s);
    assert_eq!(names, [Some(&text("u1")), Some(&text("u2")), Some(&text("u3")), Some(&text("u4"))]);
    assert_eq!(response::<NamesResolved>(78).ids.0.unwrap().0, [2, 2, 1, 1]);
    assert_eq!(response::<FoundMIds>(82).ids.0.unwrap().0, [0x14, 0x13, 0]);
    let found = response::<PropsFound>(84).values.0.unwrap();
    assert_eq!(
        found.value(tags::PROXY_ADDRESSES),
        Some(&PropValue::MvUnicode(vec!["SMTP:u4@test.local".into()]))
    );
    assert_eq!(found.value(PropTag(0x0FFB_0102)), None);
    let Some(PropValue::Binary(id)) = found.value(tags::ENTRY_ID) else { panic!() };
    let id = same::<PermanentEntryId>(id, "entry id");
    assert!(id.dn.ends_with("-u4") && id.display_type == entry_id::DT_MAILUSER);
    assert_eq!(response::<Plain>(104).error_code, UNBIND_SUCCESS);
}

#[test]
fn filters_have_wide_counts_and_may_lack_the_byte() {
    let e = captures::group("03").into_iter().find(|e| e.n == 92).unwrap();
    let request = GetMatchesRequest::from_bytes(&e.request()).unwrap();
    let filter = request.filter.0.unwrap();
    let bytes = filter.to_bytes().unwrap();
    // As [MS-OXCDATA] has it: the value follows its tag at once.
    let plain = [&bytes[..6], &bytes[7..]].concat();
    assert_eq!(Filter::from_bytes(&plain).unwrap(), filter);
    let narrow = captures::group("03").into_iter().find(|e| e.n == 88).unwrap();
    assert!(GetMatchesRequest::from_bytes(&narrow.request()).is_err());
    let deep = [2_u8; 10_000];
    assert!(Filter::from_bytes(&deep).is_err());
}

#[test]
fn rows_of_columns_that_take_no_bytes_are_refused() {
    let mut bytes = 4_u32.to_le_bytes().to_vec();
    bytes.extend([1_u8, 0, 0, 0x30].repeat(4));
    bytes.extend(100_u32.to_le_bytes());
    bytes.extend([0; 100]);
    assert!(ColumnsAndRows::from_bytes(&bytes).is_err());
}

#[test]
fn flagged_rows_and_columns_without_a_type() {
    let columns =
        vec![tags::DISPLAY_NAME, tags::TITLE, PropTag(0x3001_0000), PropTag(0x3A17_0000), tags::ENTRY_ID];
    let cells = [
        CellValue::Value("a".into()),
        CellValue::Absent,
        CellValue::Value("a".into()),
        CellValue::Error(crate::MapiCode::NotFound),
        CellValue::Missing,
    ];
    let cells = columns.iter().zip(cells).map(|(&column, value)| Cell::new(column, value)).collect();
    let table = ColumnsAndRows { columns, rows: vec![Row::new(cells)] };
    assert!(table.rows[0].flagged);
    let bytes = table.to_bytes().unwrap();
    assert_eq!(same::<ColumnsAndRows>(&bytes, "rows"), table);
}
