//! Folders, messages, attachments and streams from their making to their end.

use watertight_mapi::{
    MapiCode, Mid, PropName, PropTag, PropValue,
    prop::{tags, wire::PropertyRow},
    rop::{
        RequestBody as B, ResponseBody as R,
        field::{Bytes16, Bytes32, LongTermId, Restriction16, Text},
        folder::{DeleteFolderRequest, DeleteMessagesRequest, OpenFolderRequest},
        logon::{GetReceiveFolderRequest, IdFromLongTermIdRequest, LongTermIdFromIdRequest},
        message::{
            CreateAttachmentRequest, DeleteAttachmentRequest, OpenAttachmentRequest,
            OpenEmbeddedMessageRequest, OpenMessageRequest, ReadRecipientsRequest,
            SaveChangesAttachmentRequest, SetReadFlagsRequest,
        },
        property::{GetNamesFromPropertyIdsRequest, GetPropertiesAllRequest, GetPropertyIdsFromNamesRequest},
        recipient::{ModifyRecipientRow, ModifyRecipientsRequest, RecipientFlags, RecipientRow},
        stream::{
            OpenStreamRequest, ReadStreamRequest, SeekStreamRequest, SetStreamSizeRequest, WriteStreamRequest,
        },
        sync::{
            GetLocalReplicaIdsRequest, SynchronizationConfigureRequest,
            SynchronizationUploadStateStreamBeginRequest, SynchronizationUploadStateStreamContinueRequest,
        },
        transfer::FastTransferSourceGetBufferRequest,
    },
};
use watertight_wire::{FileTime, Guid};

use super::{Client, NONE, new_folder, save_request};

#[tokio::test]
async fn a_logon_says_what_the_mailbox_is() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    assert_eq!(answer.logon_flags, 1);
    assert_eq!(answer.response_flags, 7);
    assert_eq!(answer.repl_id.0, 1);
    assert_eq!(client.get(logon, tags::DISPLAY_NAME).await, Some("Person u1".into()));
    assert_eq!(
        client.get(logon, tags::STORE_RECORD_KEY).await,
        Some(answer.mailbox_guid.to_bytes().to_vec().into())
    );
    // Both ways between the two forms of an identifier.
    let object_id = answer.folder_ids.0[4].to_u64();
    let (_, R::LongTermIdFromId(long)) =
        client.ok(logon, B::LongTermIdFromId(LongTermIdFromIdRequest { object_id })).await
    else {
        panic!()
    };
    assert_eq!(long.long_term_id.database_guid, answer.repl_guid);
    let (_, R::IdFromLongTermId(short)) = client
        .ok(logon, B::IdFromLongTermId(IdFromLongTermIdRequest { long_term_id: long.long_term_id }))
        .await
    else {
        panic!()
    };
    assert_eq!(short.object_id, object_id);
    let long_term_id = LongTermId { database_guid: Guid::NIL, ..long.long_term_id };
    let foreign = B::IdFromLongTermId(IdFromLongTermIdRequest { long_term_id });
    assert_eq!(client.refused(logon, foreign).await, MapiCode::NotFound);
    let (_, R::GetLocalReplicaIds(ids)) =
        client.ok(logon, B::GetLocalReplicaIds(GetLocalReplicaIdsRequest { id_count: 100 })).await
    else {
        panic!()
    };
    assert_eq!(ids.repl_guid, answer.repl_guid);
    let class = watertight_mapi::rop::field::Ascii(b"IPM.Note.Special".to_vec());
    let (_, R::GetReceiveFolder(inbox)) =
        client.ok(logon, B::GetReceiveFolder(GetReceiveFolderRequest { message_class: class })).await
    else {
        panic!()
    };
    assert_eq!(inbox.folder_id, answer.folder_ids.0[4]);
    client.ok(logon, B::GetStoreState(Default::default())).await;
}

#[tokio::test]
async fn who_may_not_log_on() {
    let mut client = Client::new().await;
    let other = super::account(&*client.store.clone(), "u2").await;
    for (dn, code) in [("/o=nobody", MapiCode::UnknownUser), (other.legacy_dn.as_str(), MapiCode::LoginPerm)]
    {
        let responses = client.run(&[super::logon_request(dn)], &mut vec![NONE]).await;
        assert_eq!(responses[0].rop().unwrap().return_value, code);
    }
}

#[tokio::test]
async fn folders_are_made_found_and_deleted() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let top = client.open_folder(logon, answer.folder_ids.0[3]).await;
    let (folder, id) = client.create_folder(top, "Things").await;
    assert_eq!(client.get(folder, tags::DISPLAY_NAME).await, Some("Things".into()));
    assert_eq!(client.get(folder, tags::COMMENT).await, Some("why".into()));
    assert_eq!(client.get(folder, tags::FOLDER_ID).await, Some(PropValue::I64(id.to_u64().cast_signed())));
    assert_eq!(client.refused(top, B::CreateFolder(new_folder("things"))).await, MapiCode::DuplicateName);
    let mut again = new_folder("Things");
    again.open_existing = true.into();
    let (_, R::CreateFolder(existing)) = client.ok(top, B::CreateFolder(again)).await else { panic!() };
    assert_eq!(existing.folder_id, id);
    assert!(existing.existing.0.is_some());
    client.set(folder, vec![(tags::DISPLAY_NAME, "Renamed".into())]).await;
    assert_eq!(client.get(folder, tags::DISPLAY_NAME).await, Some("Renamed".into()));
    let message = client.create_message(logon, id).await;
    client.save(message).await;
    let delete = |flags| B::DeleteFolder(DeleteFolderRequest { delete_folder_flags: flags, folder_id: id });
    let (_, R::DeleteFolder(kept)) = client.ok(top, delete(0)).await else { panic!() };
    assert!(kept.partial_completion.0);
    let (_, R::DeleteFolder(gone)) = client.ok(top, delete(0x11)).await else { panic!() };
    assert!(!gone.partial_completion.0);
    let open = B::OpenFolder(OpenFolderRequest { output_index: 1, folder_id: id, open_mode_flags: 0 });
    assert_eq!(client.refused(logon, open).await, MapiCode::NotFound);
}

fn recipient(name: &str, address: &str) -> RecipientRow {
    RecipientRow {
        flags: RecipientFlags(
            RecipientFlags::SMTP
                | (RecipientFlags::Unicode | RecipientFlags::EmailAddress | RecipientFlags::DisplayName).0
                | RecipientFlags::SameNames.0,
        ),
        email_address: Some(Text::Wide(address.into())),
        display_name: Some(Text::Wide(name.into())),
        properties: PropertyRow { flagged: false, cells: Vec::new() },
        ..RecipientRow::default()
    }
}

#[tokio::test]
async fn a_message_comes_back_as_it_was_written() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let inbox = answer.folder_ids.0[4];
    let message = client.create_message(logon, inbox).await;
    let named = PropName::string(Guid::new(0x0002_0329, 0, 0, [0xc0, 0, 0, 0, 0, 0, 0, 0x46]), "colour");
    let ask = |names: Vec<PropName>, flags| {
        B::GetPropertyIdsFromNames(GetPropertyIdsFromNamesRequest { flags, names: names.into() })
    };
    let (_, unknown) = client.one(logon, ask(vec![named.clone()], 0)).await;
    assert_eq!(unknown.return_value, MapiCode::ErrorsReturned);
    let (_, R::GetPropertyIdsFromNames(ids)) = client.ok(logon, ask(vec![named.clone()], 2)).await else {
        panic!()
    };
    let colour = PropTag::new(ids.prop_ids[0], watertight_mapi::PropType::Unicode);
    let back = GetNamesFromPropertyIdsRequest {
        prop_ids: vec![colour.id(), watertight_mapi::PropId(0xfff0)].into(),
    };
    let (_, R::GetNamesFromPropertyIds(names)) = client.ok(logon, B::GetNamesFromPropertyIds(back)).await
    else {
        panic!()
    };
    assert_eq!(names.names[0].clone().into_name(), Some(named));
    assert_eq!(names.names[1].clone().into_name(), None);

    let values = vec![
        (tags::SUBJECT, PropValue::from("RE: Grüße")),
        (tags::BODY, "Hello".into()),
        (tags::MESSAGE_DELIVERY_TIME, FileTime::from_unix_seconds(1_700_000_000).into()),
        (colour, "blue".into()),
        (PropTag(0x6801_1003), PropValue::MvI32(vec![1, 2, 3])),
        (PropTag(0x6802_101f), PropValue::MvUnicode(vec!["a".into(), "ö".into()])),
        (PropTag(0x6803_1102), PropValue::MvBinary(vec![vec![1], vec![]])),
        (PropTag(0x6804_0005), PropValue::F64(2.5)),
        (PropTag(0x6805_0006), PropValue::Currency(12_345)),
        (PropTag(0x6806_0048), PropValue::Guid(Guid::new(1, 2, 3, [4; 8]))),
        (PropTag(0x6807_0002), PropValue::I16(-7)),
    ];
    client.set(message, values.clone()).await;
    let rows = vec![
        ModifyRecipientRow { row_id: 0, recipient_type: 1, row: Some(recipient("Anna", "anna@example.org")) },
        ModifyRecipientRow { row_id: 1, recipient_type: 2, row: Some(recipient("Bo", "bo@example.org")) },
        ModifyRecipientRow { row_id: 2, recipient_type: 1, row: Some(recipient("Cy", "cy@example.org")) },
    ];
    client.ok(message, B::ModifyRecipients(ModifyRecipientsRequest { columns: Vec::new(), rows })).await;
    let gone = ModifyRecipientsRequest {
        columns: Vec::new(),
        rows: vec![ModifyRecipientRow { row_id: 2, recipient_type: 1, row: None }],
    };
    client.ok(message, B::ModifyRecipients(gone)).await;
    let mid = client.save(message).await;
    client.release(message).await;

    let message = client.open_message(logon, inbox, mid).await;
    for (tag, value) in values {
        assert_eq!(client.get(message, tag).await, Some(value), "{tag}");
    }
    assert_eq!(client.get(message, tags::NORMALIZED_SUBJECT).await, Some("Grüße".into()));
    assert_eq!(client.get(message, tags::SUBJECT_PREFIX).await, Some("RE: ".into()));
    assert_eq!(client.get(message, tags::DISPLAY_TO).await, Some("Anna".into()));
    assert_eq!(client.get(message, tags::DISPLAY_CC).await, Some("Bo".into()));
    assert_eq!(
        client.get(message, PropTag(0x0037_001e)).await,
        Some(PropValue::String8(b"RE: Gr\xfc\xdfe".to_vec()))
    );
    let subject = client.get(message, PropTag(0x0037_0000)).await;
    assert_eq!(subject, Some("RE: Grüße".into()), "of the type that it has");
    assert_eq!(client.get(message, tags::MID).await, Some(PropValue::I64(mid.to_u64().cast_signed())));
    let (_, R::ReadRecipients(read)) =
        client.ok(message, B::ReadRecipients(ReadRecipientsRequest { row_id: 1, reserved: 0 })).await
    else {
        panic!()
    };
    assert_eq!(read.rows.len(), 1);
    assert_eq!(read.rows[0].recipient.row.display_name, Some(Text::Wide("Bo".into())));
    let all = GetPropertiesAllRequest { property_size_limit: 0, want_unicode: 1 };
    let (_, R::GetPropertiesAll(all)) = client.ok(message, B::GetPropertiesAll(all)).await else { panic!() };
    assert!(all.values.iter().any(|v| v.tag == colour));
    assert_eq!(
        all.values.iter().filter(|v| v.tag.id() == tags::SUBJECT.id()).count(),
        1,
        "each property is given once"
    );

    // Somebody else's change is not overwritten, unless the client insists.
    let other = client.open_message(logon, inbox, mid).await;
    client.set(other, vec![(tags::BODY, "theirs".into())]).await;
    client.save(other).await;
    client.set(message, vec![(tags::BODY, "mine".into())]).await;
    let save = |flags| B::SaveChangesMessage(save_request(flags));
    assert_eq!(client.refused(message, save(2)).await, MapiCode::ObjectModified);
    client.ok(message, save(6)).await;
    let third = client.open_message(logon, inbox, mid).await;
    assert_eq!(client.get(third, tags::BODY).await, Some("mine".into()));

    // Read state, deletion.
    let unread =
        SetReadFlagsRequest { want_asynchronous: false.into(), read_flags: 4, message_ids: vec![mid].into() };
    let folder = client.open_folder(logon, inbox).await;
    client.ok(folder, B::SetReadFlags(unread)).await;
    let fourth = client.open_message(logon, inbox, mid).await;
    assert_eq!(client.get(fourth, tags::READ).await, Some(false.into()));
    let delete = DeleteMessagesRequest {
        want_asynchronous: false.into(),
        notify_non_read: false.into(),
        message_ids: vec![mid, Mid::from_u64(77)].into(),
    };
    let (_, R::DeleteMessages(deleted)) = client.ok(folder, B::DeleteMessages(delete)).await else {
        panic!()
    };
    assert!(deleted.partial_completion.0, "one of them is not there");
    let open = OpenMessageRequest {
        output_index: 1,
        code_page_id: 0,
        folder_id: inbox,
        open_mode_flags: 0,
        message_id: mid,
    };
    assert_eq!(client.refused(logon, B::OpenMessage(open)).await, MapiCode::NotFound);
}

#[tokio::test]
async fn large_attachments_go_through_streams() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let inbox = answer.folder_ids.0[4];
    let message = client.create_message(logon, inbox).await;
    let create = B::CreateAttachment(CreateAttachmentRequest { output_index: 1 });
    let (attachment, R::CreateAttachment(made)) = client.ok(message, create.clone()).await else { panic!() };
    client
        .set(attachment, vec![(tags::ATTACH_METHOD, 1.into()), (tags::ATTACH_LONG_FILENAME, "b.bin".into())])
        .await;
    let open = |mode| {
        B::OpenStream(OpenStreamRequest {
            output_index: 1,
            tag: tags::ATTACH_DATA_BINARY,
            open_mode_flags: mode,
        })
    };
    assert_eq!(client.refused(attachment, open(0)).await, MapiCode::NotFound);
    let (stream, _) = client.ok(attachment, open(2)).await;
    let bytes: Vec<u8> = (0..200_000_u32).map(|i| i.to_le_bytes()[0] ^ i.to_le_bytes()[1]).collect();
    for piece in bytes.chunks(9_000) {
        client.ok(stream, B::WriteStream(WriteStreamRequest { data: Bytes16(piece.to_vec()) })).await;
    }
    // Over the start again, past the end, and cut.
    let seek = |origin, offset| B::SeekStream(SeekStreamRequest { origin, offset });
    client.ok(stream, seek(0, 2)).await;
    client.ok(stream, B::WriteStream(WriteStreamRequest { data: Bytes16(vec![0xee; 3]) })).await;
    let (_, R::SeekStream(end)) = client.ok(stream, seek(2, -1)).await else { panic!() };
    assert_eq!(end.new_position, 199_999);
    assert_eq!(client.refused(stream, seek(0, -1)).await, MapiCode::StreamSeekError);
    client.ok(stream, B::SetStreamSize(SetStreamSizeRequest { stream_size: 150_000 })).await;
    client.ok(stream, B::CommitStream(Default::default())).await;
    client.release(stream).await;
    let save = B::SaveChangesAttachment(SaveChangesAttachmentRequest { input_index: 0, save_flags: 2 });
    client.ok(attachment, save.clone()).await;
    client.release(attachment).await;

    // A message in the message, and an attachment that is taken away again.
    let (second, _) = client.ok(message, create.clone()).await;
    let embed = |mode| {
        B::OpenEmbeddedMessage(OpenEmbeddedMessageRequest {
            output_index: 1,
            code_page_id: 0xfff,
            open_mode_flags: mode,
        })
    };
    assert_eq!(client.refused(second, embed(0)).await, MapiCode::NotFound);
    let (inner, _) = client.ok(second, embed(2)).await;
    client.set(inner, vec![(tags::SUBJECT, "inside".into())]).await;
    client.save(inner).await;
    client.ok(second, save.clone()).await;
    let (third, R::CreateAttachment(taken)) = client.ok(message, create).await else { panic!() };
    client.ok(third, save).await;
    let take = B::DeleteAttachment(DeleteAttachmentRequest { attachment_id: taken.attachment_id });
    client.ok(message, take.clone()).await;
    assert_eq!(client.refused(message, take).await, MapiCode::NotFound);
    let mid = client.save(message).await;

    let message = client.open_message(logon, inbox, mid).await;
    assert_eq!(client.get(message, tags::HAS_ATTACHMENTS).await, Some(true.into()));
    let open_attachment = |attachment_id| {
        B::OpenAttachment(OpenAttachmentRequest { output_index: 1, open_flags: 0, attachment_id })
    };
    let (attachment, _) = client.ok(message, open_attachment(made.attachment_id)).await;
    assert_eq!(client.get(attachment, tags::ATTACH_DATA_BINARY).await, None, "too large for a row");
    let (stream, R::OpenStream(opened)) = client.ok(attachment, open(0)).await else { panic!() };
    assert_eq!(opened.stream_size, 150_000);
    let mut want = bytes[..150_000].to_vec();
    want[2..5].fill(0xee);
    let read = B::ReadStream(ReadStreamRequest { byte_count: 0xbabe, maximum_byte_count: Some(1 << 20) });
    let mut got = Vec::new();
    loop {
        let (_, R::ReadStream(piece)) = client.ok(stream, read.clone()).await else { panic!() };
        if piece.data.0.is_empty() {
            break;
        }
        got.extend(piece.data.0);
    }
    assert!(got == want);
    // The same in chained payloads of one Execute.
    client.ok(stream, seek(0, 0)).await;
    client.room = super::super::Room { payload: 0x8000, total: 0x4_0000, chain: true };
    let request = watertight_mapi::rop::Request::new(0, read);
    let payloads = client.try_run(&[request], &mut vec![stream]).await.unwrap();
    assert!(payloads.len() >= 5, "{}", payloads.len());
    let chained: Vec<u8> = payloads
        .concat()
        .iter()
        .filter_map(|response| match &response.rop()?.body {
            Some(R::ReadStream(piece)) => Some(piece.data.0.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    assert!(chained == want);
    client.room.chain = false;
    assert_eq!(
        client.refused(stream, B::WriteStream(WriteStreamRequest { data: Bytes16(vec![1]) })).await,
        MapiCode::StreamAccessDenied
    );
    let (second, _) = client.ok(message, open_attachment(made.attachment_id + 1)).await;
    let (inner, R::OpenEmbeddedMessage(summary)) = client.ok(second, embed(0)).await else { panic!() };
    assert_eq!(summary.summary.normalized_subject.text().as_deref(), Some("inside"));
    assert_eq!(client.get(inner, tags::SUBJECT).await, Some("inside".into()));
}

#[tokio::test]
async fn what_was_written_to_a_stream_of_a_message_needs_no_commit() {
    let mut client = Client::new().await;
    let (logon, info) = client.logon().await;
    let inbox = info.folder_ids.0[4];
    let open =
        |mode| B::OpenStream(OpenStreamRequest { tag: tags::HTML, output_index: 1, open_mode_flags: mode });
    let write = |bytes: Vec<u8>| B::WriteStream(WriteStreamRequest { data: Bytes16(bytes) });
    let message = client.create_message(logon, inbox).await;
    let stream = client.ok(message, open(2)).await.0;
    client.ok(stream, write(vec![b'a'; 40_000])).await;
    let id = client.save(message).await;
    // The stream is still open; once more, and released before the message is saved.
    client.ok(stream, write(vec![b'b'; 40_000])).await;
    client.release(stream).await;
    let saved = client.open_message(logon, inbox, id).await;
    let (_, R::OpenStream(opened)) = client.ok(saved, open(0)).await else { panic!() };
    assert_eq!(opened.stream_size, 40_000);
    client.save(message).await;
    let saved = client.open_message(logon, inbox, id).await;
    let (stream, R::OpenStream(opened)) = client.ok(saved, open(0)).await else { panic!() };
    assert_eq!(opened.stream_size, 80_000);
    client.release(stream).await;
}

#[tokio::test]
async fn a_folder_is_synchronized_and_then_nothing_is_new() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let inbox = answer.folder_ids.0[4];
    for subject in ["one", "two", "three"] {
        let message = client.create_message(logon, inbox).await;
        client
            .set(
                message,
                vec![(tags::SUBJECT, subject.into()), (tags::BODY, "x".repeat(3000).as_str().into())],
            )
            .await;
        client.save(message).await;
    }
    let folder = client.open_folder(logon, inbox).await;
    let configure = SynchronizationConfigureRequest {
        output_index: 1,
        sync_type: 1,
        send_options: 1,
        sync_flags: 0x0139,
        restriction: Restriction16(None),
        extra_flags: 0x0f,
        tags: Vec::new().into(),
    };
    let (sync, _) = client.ok(folder, B::SynchronizationConfigure(configure.clone())).await;
    let first = drain(&mut client, sync).await;
    assert!(first.len() > 18_000, "{}", first.len());
    let (state, _) = client
        .ok(
            sync,
            B::SynchronizationGetTransferState(
                watertight_mapi::rop::sync::SynchronizationGetTransferStateRequest { output_index: 1 },
            ),
        )
        .await;
    let state = drain(&mut client, state).await;
    assert!(!state.is_empty());
    // The state's sets, as they stand behind their tags in the stream, go up again.
    let (again, _) = client.ok(folder, B::SynchronizationConfigure(configure)).await;
    for tag in [
        tags::META_TAG_IDSET_GIVEN,
        tags::META_TAG_CNSET_SEEN,
        tags::META_TAG_CNSET_SEEN_FAI,
        tags::META_TAG_CNSET_READ,
    ] {
        let at = state.windows(4).position(|w| w == tag.0.to_le_bytes()).unwrap() + 4;
        let len = usize::try_from(u32::from_le_bytes(state[at..at + 4].try_into().unwrap())).unwrap();
        let set = state[at + 4..at + 4 + len].to_vec();
        let begin = SynchronizationUploadStateStreamBeginRequest {
            state_property: tag,
            transfer_buffer_size: u32::try_from(len).unwrap(),
        };
        client.ok(again, B::SynchronizationUploadStateStreamBegin(begin)).await;
        let more = SynchronizationUploadStateStreamContinueRequest { stream_data: Bytes32(set) };
        client.ok(again, B::SynchronizationUploadStateStreamContinue(more)).await;
        client.ok(again, B::SynchronizationUploadStateStreamEnd(Default::default())).await;
    }
    let second = drain(&mut client, again).await;
    assert!(second.len() < 400, "{}", second.len());
}

async fn drain(client: &mut Client, handle: u32) -> Vec<u8> {
    let request =
        FastTransferSourceGetBufferRequest { buffer_size: 0xbabe, maximum_buffer_size: Some(0x7b00) };
    let mut all = Vec::new();
    loop {
        let (_, R::FastTransferSourceGetBuffer(got)) =
            client.ok(handle, B::FastTransferSourceGetBuffer(request)).await
        else {
            panic!()
        };
        all.extend(got.transfer_buffer);
        match got.transfer_status {
            1 => {}
            3 => return all,
            other => panic!("{other}"),
        }
    }
}
