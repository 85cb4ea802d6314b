//! Hierarchy, contents and attachment tables.

use watertight_mapi::{
    Fid, MapiCode, PropValue,
    prop::tags,
    restriction::{RelOp, Restriction},
    rop::{
        RequestBody as B, ResponseBody as R,
        field::{Bytes16, Restriction16},
        folder::{GetHierarchyTableRequest, HardDeleteMessagesRequest},
        table::{
            FindRowRequest, FreeBookmarkRequest, QueryRowsRequest, RestrictRequest, SeekRowBookmarkRequest,
            SeekRowFractionalRequest, SeekRowRequest, SortOrder, SortTableRequest,
        },
    },
};

use super::{super::Room, Client};

async fn filled(count: usize) -> (Client, u32, Fid, u32) {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let inbox = answer.folder_ids.0[4];
    for i in 0..count {
        let message = client.create_message(logon, inbox).await;
        let subject = format!("message {i:03}");
        let importance = PropValue::I32(i32::try_from(i % 3).unwrap());
        client.set(message, vec![(tags::SUBJECT, subject.into()), (tags::IMPORTANCE, importance)]).await;
        client.save(message).await;
        client.release(message).await;
    }
    let folder = client.open_folder(logon, inbox).await;
    (client, logon, inbox, folder)
}

fn subjects(rows: &[Vec<Option<PropValue>>]) -> Vec<String> {
    rows.iter()
        .map(|row| match &row[0] {
            Some(PropValue::Unicode(subject)) => subject.clone(),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn rows_are_sorted_restricted_and_walked_both_ways() {
    let (mut client, _, _, folder) = filled(30).await;
    let table =
        client.table(folder, vec![tags::SUBJECT, tags::MID, tags::IMPORTANCE, tags::DISPLAY_TO]).await;
    let sort = |descending| {
        B::SortTable(SortTableRequest {
            flags: 0,
            category_count: 0,
            expanded_count: 0,
            orders: vec![SortOrder { tag: tags::SUBJECT, order: u8::from(descending) }],
        })
    };
    client.ok(table, sort(true)).await;
    let (origin, rows) = client.rows(table, 10, true).await;
    assert_eq!((origin, rows.len()), (1, 10));
    assert_eq!(subjects(&rows)[0], "message 029");
    let (_, R::QueryPosition(at)) = client.ok(table, B::QueryPosition(Default::default())).await else {
        panic!()
    };
    assert_eq!((at.numerator, at.denominator), (10, 30));
    let (_, back) = client.rows(table, 3, false).await;
    assert_eq!(subjects(&back), ["message 020", "message 021", "message 022"]);
    let seek = |origin, row_count| {
        B::SeekRow(SeekRowRequest { origin, row_count, want_row_moved_count: true.into() })
    };
    let (_, R::SeekRow(sought)) = client.ok(table, seek(0, 1000)).await else { panic!() };
    assert!(sought.has_sought_less.0);
    assert_eq!(sought.rows_sought, 30);
    assert_eq!(client.rows(table, 5, true).await, (2, Vec::new()));
    let (_, R::SeekRow(sought)) = client.ok(table, seek(2, -3)).await else { panic!() };
    assert_eq!((sought.has_sought_less.0, sought.rows_sought), (false, -3));
    assert_eq!(
        subjects(&client.rows(table, 50, true).await.1),
        ["message 002", "message 001", "message 000"]
    );
    let restrict =
        |restriction| B::Restrict(RestrictRequest { flags: 0, restriction: Restriction16(restriction) });
    client.ok(table, restrict(Some(Restriction::equals(tags::IMPORTANCE, 2)))).await;
    let (_, rows) = client.rows(table, 50, true).await;
    assert_eq!(rows.len(), 10);
    let most = Restriction::Count { count: 4, restriction: Box::new(Restriction::all()) };
    client.ok(table, restrict(Some(most))).await;
    assert_eq!(client.rows(table, 50, true).await.1.len(), 4);
    client.ok(table, restrict(None)).await;
    assert_eq!(client.rows(table, 50, true).await.1.len(), 30);
    let categories = B::SortTable(SortTableRequest {
        flags: 0,
        category_count: 1,
        expanded_count: 0,
        orders: vec![SortOrder { tag: tags::SUBJECT, order: 0 }],
    });
    assert_eq!(client.refused(table, categories).await, MapiCode::TooComplex);
    assert_eq!(client.refused(folder, seek(0, 0)).await, MapiCode::NotSupported);
}

#[tokio::test]
async fn rows_that_do_not_fit_come_next_and_chains_go_on() {
    let (mut client, _, _, folder) = filled(30).await;
    let table = client.table(folder, vec![tags::SUBJECT, tags::MID, tags::ENTRY_ID]).await;
    client.room = Room { payload: 500, total: 508, chain: false };
    let mut all = Vec::new();
    loop {
        let (origin, rows) = client.rows(table, 100, true).await;
        assert!(!rows.is_empty() && rows.len() < 6);
        all.extend(rows);
        if origin == 2 {
            break;
        }
    }
    assert_eq!(all.len(), 30);
    client
        .ok(table, B::SeekRow(SeekRowRequest { origin: 0, row_count: 0, want_row_moved_count: false.into() }))
        .await;
    client.room = Room { payload: 500, total: 0x1_0000, chain: true };
    let query = B::QueryRows(QueryRowsRequest { flags: 0, forward_read: true.into(), row_count: 25 });
    let request = watertight_mapi::rop::Request::new(0, query);
    let payloads = client.try_run(&[request], &mut vec![table]).await.unwrap();
    let rows: usize = payloads
        .concat()
        .iter()
        .map(|response| match &response.rop().unwrap().body {
            Some(R::QueryRows(got)) => got.rows.len(),
            other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(rows, 25, "no more than was asked for");
}

#[tokio::test]
async fn a_table_without_columns_has_no_rows() {
    let (mut client, _, _, folder) = filled(1).await;
    let get = watertight_mapi::rop::folder::GetContentsTableRequest { output_index: 1, table_flags: 0 };
    let (table, _) = client.ok(folder, B::GetContentsTable(get)).await;
    let query = B::QueryRows(QueryRowsRequest { flags: 0, forward_read: true.into(), row_count: 25 });
    assert_eq!(client.refused(table, query).await, MapiCode::NullObject);
}

#[tokio::test]
async fn folders_have_their_depth() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let top = client.open_folder(logon, answer.folder_ids.0[3]).await;
    let (a, _) = client.create_folder(top, "Aaa").await;
    client.create_folder(a, "Inner").await;
    let get = |table_flags| B::GetHierarchyTable(GetHierarchyTableRequest { output_index: 1, table_flags });
    let (flat, R::GetHierarchyTable(counted)) = client.ok(top, get(0)).await else { panic!() };
    client.set_columns(flat, vec![tags::DISPLAY_NAME, tags::DEPTH, tags::SUBFOLDERS]).await;
    let (_, rows) = client.rows(flat, 100, true).await;
    assert_eq!(rows.len(), usize::try_from(counted.row_count).unwrap());
    assert!(rows.contains(&vec![Some("Aaa".into()), Some(1.into()), Some(true.into())]));
    assert!(!subjects(&rows).contains(&"Inner".to_owned()));
    let (deep, _) = client.ok(top, get(4)).await;
    client.set_columns(deep, vec![tags::DISPLAY_NAME, tags::DEPTH, tags::SUBFOLDERS]).await;
    let (_, rows) = client.rows(deep, 100, true).await;
    assert!(rows.contains(&vec![Some("Inner".into()), Some(2.into()), Some(false.into())]));
    let inner = Restriction::Property {
        op: RelOp::Equal,
        tag: tags::DEPTH,
        value: watertight_mapi::prop::wire::TaggedPropertyValue::new(tags::DEPTH, 2.into()),
    };
    let restrict =
        watertight_mapi::rop::table::RestrictRequest { flags: 0, restriction: Restriction16(Some(inner)) };
    client.ok(deep, B::Restrict(restrict)).await;
    assert_eq!(subjects(&client.rows(deep, 100, true).await.1), ["Inner"]);
}

#[tokio::test]
async fn rows_are_found_from_anywhere_and_bookmarks_hold_until_the_rows_change() {
    let (mut client, _, _, folder) = filled(150).await;
    let table = client.table(folder, vec![tags::SUBJECT, tags::MID]).await;
    let sort = B::SortTable(SortTableRequest {
        flags: 0,
        category_count: 0,
        expanded_count: 0,
        orders: vec![SortOrder { tag: tags::SUBJECT, order: 0 }],
    });
    client.ok(table, sort.clone()).await;
    let find = |subject: &str, flags, origin, bookmark: &[u8]| {
        let restriction = Restriction16(Some(Restriction::equals(tags::SUBJECT, subject)));
        B::FindRow(FindRowRequest { flags, restriction, origin, bookmark: Bytes16(bookmark.to_vec()) })
    };
    let (_, R::FindRow(found)) = client.ok(table, find("message 120", 0, 0, b"")).await else { panic!() };
    assert_eq!(found.row.unwrap().cells[0].value(), Some(&"message 120".into()));
    assert!(!found.row_no_longer_visible.0);
    let (_, R::CreateBookmark(made)) = client.ok(table, B::CreateBookmark(Default::default())).await else {
        panic!()
    };
    let bookmark = made.bookmark.0;
    // The cursor is at the row that was found.
    let (_, rows) = client.rows(table, 2, true).await;
    assert_eq!(subjects(&rows), ["message 120", "message 121"]);
    assert_eq!(client.refused(table, find("message 119", 0, 3, &bookmark)).await, MapiCode::NotFound);
    client.ok(table, find("message 119", 1, 3, &bookmark)).await;
    assert_eq!(client.refused(table, find("message 120", 1, 3, &bookmark)).await, MapiCode::NotFound);
    client.ok(table, find("message 003", 1, 2, b"")).await;
    assert_eq!(client.refused(table, find("message 003", 0, 9, b"")).await, MapiCode::InvalidParameter);
    let seek = |row_count| {
        B::SeekRowBookmark(SeekRowBookmarkRequest {
            bookmark: Bytes16(bookmark.clone()),
            row_count,
            want_row_moved_count: true.into(),
        })
    };
    let (_, R::SeekRowBookmark(sought)) = client.ok(table, seek(-200)).await else { panic!() };
    assert_eq!((sought.has_sought_less.0, sought.rows_sought), (true, -120));
    client.ok(table, seek(1)).await;
    let (_, rows) = client.rows(table, 1, true).await;
    assert_eq!(subjects(&rows), ["message 121"]);
    // The row goes away: what comes next is counted from.
    client.ok(table, seek(0)).await;
    let (_, rows) = client.rows(table, 1, true).await;
    let Some(PropValue::I64(mid)) = rows[0][1] else { panic!() };
    let delete = HardDeleteMessagesRequest {
        want_asynchronous: false.into(),
        notify_non_read: false.into(),
        message_ids: vec![watertight_mapi::Mid::from_u64(mid.cast_unsigned())].into(),
    };
    client.ok(folder, B::HardDeleteMessages(delete)).await;
    let (_, R::SeekRowBookmark(sought)) = client.ok(table, seek(0)).await else { panic!() };
    assert!(sought.row_no_longer_visible.0);
    let (_, rows) = client.rows(table, 1, true).await;
    assert_eq!(subjects(&rows), ["message 121"]);
    let (_, R::FindRow(found)) = client.ok(table, find("message 149", 0, 3, &bookmark)).await else {
        panic!()
    };
    assert!(found.row_no_longer_visible.0);
    for (numerator, denominator, place) in [(0, 1, 0), (1, 2, 75), (5, 3, 150)] {
        let body = SeekRowFractionalRequest { numerator, denominator };
        client.ok(table, B::SeekRowFractional(body)).await;
        let (_, R::QueryPosition(at)) = client.ok(table, B::QueryPosition(Default::default())).await else {
            panic!()
        };
        assert_eq!(at.numerator, place);
    }
    let none = B::SeekRowFractional(SeekRowFractionalRequest { numerator: 1, denominator: 0 });
    assert_eq!(client.refused(table, none).await, MapiCode::InvalidParameter);
    client.ok(table, sort).await;
    assert_eq!(client.refused(table, seek(0)).await, MapiCode::InvalidBookmark);
    let (_, R::CreateBookmark(made)) = client.ok(table, B::CreateBookmark(Default::default())).await else {
        panic!()
    };
    let free = B::FreeBookmark(FreeBookmarkRequest { bookmark: made.bookmark });
    client.ok(table, free.clone()).await;
    assert_eq!(client.refused(table, free).await, MapiCode::InvalidBookmark);
    assert_eq!(client.refused(table, B::Abort(Default::default())).await, MapiCode::UnableToAbort);
    let (_, R::GetStatus(status)) = client.ok(table, B::GetStatus(Default::default())).await else {
        panic!()
    };
    assert_eq!(status.table_status, 0);
    let (_, R::QueryColumnsAll(all)) = client.ok(table, B::QueryColumnsAll(Default::default())).await else {
        panic!()
    };
    assert!(all.columns.contains(&tags::MID) && all.columns.contains(&tags::IMPORTANCE));
    client.ok(table, B::ResetTable(Default::default())).await;
    let query = B::QueryRows(QueryRowsRequest { flags: 0, forward_read: true.into(), row_count: 25 });
    assert_eq!(client.refused(table, query).await, MapiCode::NullObject);
}
