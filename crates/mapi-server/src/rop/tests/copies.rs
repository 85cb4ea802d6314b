//! Properties, streams and folders that go from one object to another.

use watertight_mapi::{
    MapiCode, PropTag, PropValue,
    prop::tags,
    rop::{
        Request, RequestBody as B, ResponseBody as R, RopResponse,
        field::{Bytes16, Maybe, Text},
        folder::{
            CopyFolderRequest, EmptyFolderRequest, HardDeleteMessagesAndSubfoldersRequest, MoveFolderRequest,
        },
        message::{CreateAttachmentRequest, OpenEmbeddedMessageRequest, SaveChangesAttachmentRequest},
        property::{
            CopiedPropertiesResponse, CopyPropertiesRequest, CopyToRequest, QueryNamedPropertiesRequest,
        },
        stream::{
            CopyToStreamRequest, OpenStreamRequest, ReadStreamRequest, SeekStreamRequest, WriteStreamRequest,
        },
    },
};

use super::{Client, NONE};

/// A ROP on two handles.
async fn two(client: &mut Client, from: u32, to: u32, body: B) -> RopResponse {
    let responses = client.run(&[Request::new(0, body)], &mut vec![from, to]).await;
    responses[0].rop().unwrap().clone()
}

async fn open_stream(client: &mut Client, handle: u32, tag: PropTag, mode: u8) -> u32 {
    let open = OpenStreamRequest { tag, open_mode_flags: mode, output_index: 1 };
    client.ok(handle, B::OpenStream(open)).await.0
}

async fn write(client: &mut Client, stream: u32, bytes: &[u8]) {
    for piece in bytes.chunks(0x7000) {
        let body = WriteStreamRequest { data: Bytes16(piece.to_vec()) };
        client.ok(stream, B::WriteStream(body)).await;
    }
}

async fn read(client: &mut Client, stream: u32) -> Vec<u8> {
    client.ok(stream, B::SeekStream(SeekStreamRequest { origin: 0, offset: 0 })).await;
    let mut all = Vec::new();
    loop {
        let body = ReadStreamRequest { byte_count: 0x7000, maximum_byte_count: None };
        let (_, R::ReadStream(got)) = client.ok(stream, B::ReadStream(body)).await else { panic!() };
        if got.data.0.is_empty() {
            return all;
        }
        all.extend(got.data.0);
    }
}

const BODY8: PropTag = PropTag(0x1000_001e);

#[tokio::test]
async fn long_strings_pass_through_streams_of_a_code_page() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let inbox = answer.folder_ids.0[4];
    let message = client.create_message(logon, inbox).await;
    let text: Vec<u8> = (0..200_000_u32)
        .map(|i| b"Gr\xfc\xdfe aus \x80\n"[usize::try_from(i % 13).unwrap().min(11)])
        .collect();
    let stream = open_stream(&mut client, message, BODY8, 2).await;
    write(&mut client, stream, &text).await;
    assert_eq!(read(&mut client, stream).await, text);
    client.release(stream).await;
    let mid = client.save(message).await;
    client.release(message).await;
    let message = client.open_message(logon, inbox, mid).await;
    let wide = open_stream(&mut client, message, tags::BODY, 0).await;
    let units = read(&mut client, wide).await;
    let expected: Vec<u8> = encoding_rs::WINDOWS_1252
        .decode_without_bom_handling(&text)
        .0
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(units == expected, "{} {}", units.len(), expected.len());
    let narrow = open_stream(&mut client, message, BODY8, 0).await;
    assert!(read(&mut client, narrow).await == text);
}

#[tokio::test]
async fn messages_are_copied_with_what_is_in_them() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let inbox = answer.folder_ids.0[4];
    let from = client.create_message(logon, inbox).await;
    client.set(from, vec![(tags::SUBJECT, "RE: copied".into()), (tags::IMPORTANCE, 2.into())]).await;
    let large: Vec<u8> = (0..150_000_u32).map(|i| i.to_le_bytes()[1]).collect();
    let (attachment, _) =
        client.ok(from, B::CreateAttachment(CreateAttachmentRequest { output_index: 1 })).await;
    let stream = open_stream(&mut client, attachment, tags::ATTACH_DATA_BINARY, 2).await;
    write(&mut client, stream, &large).await;
    let save = B::SaveChangesAttachment(SaveChangesAttachmentRequest { input_index: 0, save_flags: 2 });
    client.ok(attachment, save).await;
    let mid = client.save(from).await;
    let to = client.create_message(logon, inbox).await;
    client.set(to, vec![(tags::IMPORTANCE, 0.into())]).await;
    let copy = |copy_flags, want: bool| {
        B::CopyTo(CopyToRequest {
            dest_index: 1,
            want_asynchronous: false.into(),
            want_sub_objects: want.into(),
            copy_flags,
            excluded_tags: vec![tags::SENSITIVITY].into(),
        })
    };
    // NoOverwrite.
    assert_eq!(two(&mut client, from, to, copy(2, true)).await.return_value, MapiCode::Success);
    assert_eq!(client.get(to, tags::IMPORTANCE).await, Some(0.into()));
    assert_eq!(client.get(to, tags::SUBJECT).await, Some("RE: copied".into()));
    assert_eq!(two(&mut client, from, to, copy(0, false)).await.return_value, MapiCode::Success);
    assert_eq!(client.get(to, tags::IMPORTANCE).await, Some(2.into()));
    let copied = client.save(to).await;
    // The copy outlives what it was made of.
    let delete = watertight_mapi::rop::folder::HardDeleteMessagesRequest {
        want_asynchronous: false.into(),
        notify_non_read: false.into(),
        message_ids: vec![mid].into(),
    };
    let folder = client.open_folder(logon, inbox).await;
    client.ok(folder, B::HardDeleteMessages(delete)).await;
    let message = client.open_message(logon, inbox, copied).await;
    let open = watertight_mapi::rop::message::OpenAttachmentRequest {
        output_index: 1,
        open_flags: 0,
        attachment_id: 0,
    };
    let (attachment, _) = client.ok(message, B::OpenAttachment(open)).await;
    let stream = open_stream(&mut client, attachment, tags::ATTACH_DATA_BINARY, 0).await;
    assert!(read(&mut client, stream).await == large);
    let (_, R::GetValidAttachments(valid)) =
        client.ok(message, B::GetValidAttachments(Default::default())).await
    else {
        panic!()
    };
    assert_eq!(valid.attachment_ids.0, [0]);
    // What is refused.
    assert_eq!(two(&mut client, message, to, copy(4, true)).await.return_value, MapiCode::InvalidParameter);
    assert_eq!(two(&mut client, message, folder, copy(0, true)).await.return_value, MapiCode::NotSupported);
    assert_eq!(two(&mut client, to, to, copy(0, true)).await.return_value, MapiCode::MessageCycle);
    let nowhere = two(&mut client, message, NONE, copy(0, true)).await;
    assert_eq!(nowhere.return_value, MapiCode::DestinationNullObject);
    assert_eq!(nowhere.body, Some(R::CopyTo(CopiedPropertiesResponse::NullDestination(1))));
}

#[tokio::test]
async fn a_message_is_not_copied_into_one_inside_it() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let outer = client.create_message(logon, answer.folder_ids.0[4]).await;
    let (attachment, _) =
        client.ok(outer, B::CreateAttachment(CreateAttachmentRequest { output_index: 1 })).await;
    let open = OpenEmbeddedMessageRequest { output_index: 1, code_page_id: 0x0fff, open_mode_flags: 2 };
    let (inner, _) = client.ok(attachment, B::OpenEmbeddedMessage(open)).await;
    let copy = B::CopyProperties(CopyPropertiesRequest {
        dest_index: 1,
        want_asynchronous: false.into(),
        copy_flags: 1,
        tags: vec![tags::SUBJECT, tags::IMPORTANCE, tags::MESSAGE_SIZE].into(),
    });
    assert_eq!(two(&mut client, outer, inner, copy.clone()).await.return_value, MapiCode::MessageCycle);
    // The other way round it is a move of one property, and two that cannot be.
    client.set(inner, vec![(tags::IMPORTANCE, 2.into())]).await;
    let moved = two(&mut client, inner, outer, copy).await;
    let Some(R::CopyProperties(CopiedPropertiesResponse::Problems(problems))) = moved.body else { panic!() };
    let problems: Vec<_> = problems.iter().map(|p| (p.index, p.code)).collect();
    assert_eq!(problems, [(0, MapiCode::NotFound), (2, MapiCode::AccessDenied)]);
    assert_eq!(client.get(outer, tags::IMPORTANCE).await, Some(2.into()));
    assert_eq!(client.get(inner, tags::IMPORTANCE).await, None);
}

#[tokio::test]
async fn streams_are_copied_from_where_they_are() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let message = client.create_message(logon, answer.folder_ids.0[4]).await;
    let from = open_stream(&mut client, message, PropTag(0x8d00_0102 & 0x7fff_ffff), 2).await;
    let to = open_stream(&mut client, message, PropTag(0x0d01_0102), 2).await;
    let bytes: Vec<u8> = (0..100_000_u32).map(|i| i.to_le_bytes()[0]).collect();
    write(&mut client, from, &bytes).await;
    client.ok(from, B::SeekStream(SeekStreamRequest { origin: 0, offset: 10 })).await;
    let copy = |byte_count| B::CopyToStream(CopyToStreamRequest { dest_index: 1, byte_count });
    let copied = two(&mut client, from, to, copy(90_000)).await;
    let Some(R::CopyToStream(body)) = copied.body else { panic!() };
    assert_eq!((body.read_byte_count, body.written_byte_count), (90_000, 90_000));
    let Some(R::CopyToStream(body)) = two(&mut client, from, to, copy(u64::MAX)).await.body else { panic!() };
    assert_eq!(body.read_byte_count, 9_990);
    assert!(read(&mut client, to).await == bytes[10..]);
    assert_eq!(two(&mut client, from, NONE, copy(1)).await.return_value, MapiCode::DestinationNullObject);
}

#[tokio::test]
async fn folders_are_moved_copied_and_emptied() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let top = client.open_folder(logon, answer.folder_ids.0[3]).await;
    let (a, a_id) = client.create_folder(top, "A").await;
    let (b, _) = client.create_folder(a, "B").await;
    let (_, c_id) = client.create_folder(b, "C").await;
    for folder in [a_id, c_id] {
        let message = client.create_message(logon, folder).await;
        client.save(message).await;
    }
    let copy = |want_recursive: bool, name: &str| {
        B::CopyFolder(CopyFolderRequest {
            dest_index: 1,
            want_asynchronous: false.into(),
            want_recursive: want_recursive.into(),
            folder_id: a_id,
            new_name: Text::Wide(name.into()),
        })
    };
    assert_eq!(two(&mut client, top, b, copy(true, "")).await.return_value, MapiCode::FolderCycle);
    assert_eq!(two(&mut client, top, top, copy(true, "")).await.return_value, MapiCode::DuplicateName);
    let done = two(&mut client, top, top, copy(true, "A again")).await;
    assert_eq!(done.return_value, MapiCode::Success);
    let Some(R::CopyFolder(body)) = done.body else { panic!() };
    assert!(!body.partial_completion.0);
    let get = |table_flags| {
        B::GetHierarchyTable(watertight_mapi::rop::folder::GetHierarchyTableRequest {
            output_index: 1,
            table_flags,
        })
    };
    let (table, _) = client.ok(top, get(4)).await;
    client.set_columns(table, vec![tags::DISPLAY_NAME, tags::CONTENT_COUNT]).await;
    let (_, rows) = client.rows(table, 100, true).await;
    for (name, count, times) in [("A", 1, 1), ("A again", 1, 1), ("B", 0, 2), ("C", 1, 2)] {
        let row = vec![Some(PropValue::from(name)), Some(PropValue::I32(count))];
        assert_eq!(rows.iter().filter(|r| **r == row).count(), times, "{name}");
    }
    let relocate = |name: &str| {
        B::MoveFolder(MoveFolderRequest {
            dest_index: 1,
            want_asynchronous: false.into(),
            folder_id: a_id,
            new_name: Text::Narrow(name.into()),
        })
    };
    assert_eq!(two(&mut client, top, b, relocate("")).await.return_value, MapiCode::FolderCycle);
    let inbox = client.open_folder(logon, answer.folder_ids.0[4]).await;
    assert_eq!(two(&mut client, inbox, top, relocate("")).await.return_value, MapiCode::NotFound);
    assert_eq!(two(&mut client, top, inbox, relocate("Moved")).await.return_value, MapiCode::Success);
    assert_eq!(client.get(a, tags::DISPLAY_NAME).await, Some("Moved".into()));
    let (want_asynchronous, want_delete_associated) = (false.into(), true.into());
    let empty = B::EmptyFolder(EmptyFolderRequest { want_asynchronous, want_delete_associated });
    let hard = HardDeleteMessagesAndSubfoldersRequest { want_asynchronous, want_delete_associated };
    let hard = B::HardDeleteMessagesAndSubfolders(hard);
    let (_, R::EmptyFolder(done)) = client.ok(b, empty.clone()).await else { panic!() };
    assert!(!done.partial_completion.0);
    let (_, R::HardDeleteMessagesAndSubfolders(done)) = client.ok(inbox, hard).await else { panic!() };
    assert!(!done.partial_completion.0);
    assert_eq!(client.get(inbox, tags::SUBFOLDERS).await, Some(false.into()));
    let root = client.open_folder(logon, answer.folder_ids.0[0]).await;
    assert_eq!(client.refused(root, empty).await, MapiCode::NotSupported);
}

#[tokio::test]
async fn names_are_listed_by_kind_and_set() {
    let mut client = Client::new().await;
    let (logon, _) = client.logon().await;
    let set = watertight_wire::Guid::new(1, 2, 3, [4; 8]);
    let names = vec![
        watertight_mapi::PropName::lid(set, 7),
        watertight_mapi::PropName::string(set, "seven"),
        watertight_mapi::PropName::string(watertight_wire::Guid::new(9, 9, 9, [9; 8]), "other"),
    ];
    let ask =
        watertight_mapi::rop::property::GetPropertyIdsFromNamesRequest { flags: 2, names: names.into() };
    client.ok(logon, B::GetPropertyIdsFromNames(ask)).await;
    for (query_flags, guid, count) in
        [(0, None, 3), (0, Some(set), 2), (1, Some(set), 1), (2, None, 2), (3, None, 0)]
    {
        let ask = QueryNamedPropertiesRequest { query_flags, guid: Maybe(guid) };
        let (_, R::QueryNamedProperties(got)) = client.ok(logon, B::QueryNamedProperties(ask)).await else {
            panic!()
        };
        assert_eq!((got.prop_ids.len(), got.names.len()), (count, count));
    }
    let (_, R::GetReceiveFolderTable(table)) =
        client.ok(logon, B::GetReceiveFolderTable(Default::default())).await
    else {
        panic!()
    };
    assert_eq!(table.rows.len(), 4);
}
