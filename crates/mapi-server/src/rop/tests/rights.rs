//! Mailboxes of others, archives and public folders: who gets in, and what they may do there.

use watertight_mapi::{
    MapiCode,
    prop::tags,
    rop::{
        Request, RequestBody as B, Response, ResponseBody as R,
        field::Bytes16,
        folder::{DeleteMessagesRequest, OpenFolderRequest},
        logon::{LogonRequest, LogonResponse},
        message::{OpenMessageRequest, SetReadFlagsRequest},
        sync::GetLocalReplicaIdsRequest,
    },
    store::{Access, Account, Grant, MessageId, SpecialFolder},
};

use super::{Client, NONE, account, logon_request};
use crate::rop::logon::Logon;

async fn grant(client: &Client, owner: Option<&Account>, access: Access) {
    let to = client.session.origin.account.name.clone();
    let owner = owner.map(|owner| owner.name.clone());
    client.store.grant(Grant { owner, to, access }).await.unwrap();
}

/// RopLogon under a number; the handle and the answer, or the refusal.
async fn logon(client: &mut Client, id: u8, body: LogonRequest) -> Result<(u32, LogonResponse), MapiCode> {
    let mut request = Request::new(0, B::Logon(body));
    request.logon_id = id;
    let mut handles = vec![NONE];
    let responses = client.run(&[request], &mut handles).await;
    let [Response::Rop(response)] = responses.as_slice() else { panic!("{responses:?}") };
    match &response.body {
        Some(R::Logon(logon)) if response.return_value == MapiCode::Success => {
            Ok((handles[0], logon.clone()))
        }
        _ => Err(response.return_value),
    }
}

fn private(dn: &str) -> LogonRequest {
    match logon_request(dn).body {
        B::Logon(body) => body,
        other => panic!("{other:?}"),
    }
}

const fn public() -> LogonRequest {
    LogonRequest { logon_flags: 0, open_flags: 0x0100_0006, store_state: 0, essdn: Bytes16(Vec::new()) }
}

#[tokio::test]
async fn a_delegate_reads_and_changes_nothing_and_is_out_when_the_right_is_taken() {
    let mut client = Client::new().await;
    let owner = account(&*client.store, "owner").await;
    let dn = owner.legacy_dn.clone();
    assert_eq!(logon(&mut client, 0, private(&dn)).await.unwrap_err(), MapiCode::LoginPerm);
    let nobody = logon(&mut client, 0, private("/o=x/cn=nobody")).await;
    assert_eq!(nobody.unwrap_err(), MapiCode::UnknownUser);

    // The owner has a message.
    let mailbox = client.store.mailbox(owner.mailbox_guid).await.unwrap();
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let save = |subject: &str| {
        let mut content = watertight_mapi::store::MessageContent::default();
        content.props.set(tags::SUBJECT, subject);
        watertight_mapi::store::SaveMessage {
            folder: inbox,
            id: None,
            expected: None,
            kind: watertight_mapi::store::ItemKind::Normal,
            read: false,
            modified: None,
            content,
        }
    };
    let head = mailbox.save_messages(vec![save("theirs")]).await.unwrap().remove(0);
    let (fid, mid) = (Logon::fid(inbox), Logon::mid(head.id));

    grant(&client, Some(&owner), Access::Read).await;
    let (handle, answer) = logon(&mut client, 0, private(&dn)).await.unwrap();
    let LogonResponse::Private(answer) = answer else { panic!("{answer:?}") };
    assert_eq!((answer.mailbox_guid, answer.response_flags), (owner.mailbox_guid, 1));
    let version = mailbox.version().await.unwrap();
    let folder = client.open_folder(handle, fid).await;
    assert_eq!(client.get(folder, tags::ACCESS).await, Some(2.into()));
    assert_eq!(client.get(folder, tags::RIGHTS).await, Some(0x401.into()));
    let message = client.open_message(handle, fid, mid).await;
    assert_eq!(client.get(message, tags::SUBJECT).await, Some("theirs".into()));
    assert_eq!(client.get(message, tags::ACCESS_LEVEL).await, Some(0.into()));
    // Whatever changes something is refused.
    let open = OpenMessageRequest {
        output_index: 1,
        code_page_id: 0x0fff,
        folder_id: fid,
        open_mode_flags: 1,
        message_id: mid,
    };
    let delete = || DeleteMessagesRequest {
        want_asynchronous: false.into(),
        notify_non_read: false.into(),
        message_ids: vec![mid].into(),
    };
    let read =
        SetReadFlagsRequest { want_asynchronous: false.into(), read_flags: 0, message_ids: vec![mid].into() };
    let create = watertight_mapi::rop::message::CreateMessageRequest {
        output_index: 1,
        code_page_id: 0x0fff,
        folder_id: fid,
        associated_flag: false.into(),
    };
    for (on, body) in [
        (handle, B::OpenMessage(open)),
        (handle, B::CreateMessage(create)),
        (folder, B::CreateFolder(super::new_folder("new"))),
        (folder, B::DeleteMessages(delete())),
        (folder, B::SetReadFlags(read)),
        (handle, B::GetLocalReplicaIds(GetLocalReplicaIdsRequest { id_count: 5 })),
        (message, B::SaveChangesMessage(super::save_request(2))),
    ] {
        let id = body.id();
        assert_eq!(client.refused(on, body).await, MapiCode::AccessDenied, "{id}");
    }
    assert_eq!(mailbox.version().await.unwrap(), version, "nothing was changed");

    // A right that grows ends the logon too: the next one has it.
    grant(&client, Some(&owner), Access::Write).await;
    let again = OpenFolderRequest { output_index: 1, folder_id: fid, open_mode_flags: 0 };
    assert_eq!(client.refused(handle, B::OpenFolder(again.clone())).await, MapiCode::LoginPerm);
    let (handle, _) = logon(&mut client, 0, private(&dn)).await.unwrap();
    let message = client.create_message(handle, fid).await;
    client.set(message, vec![(tags::SUBJECT, "written by another".into())]).await;
    let saved = client.save(message).await;
    let saved = Logon::message_id(saved).unwrap();
    assert!(mailbox.message(saved, false).await.is_ok());

    client.store.revoke(Some("owner"), "u1").await.unwrap();
    assert_eq!(client.refused(handle, B::OpenFolder(again)).await, MapiCode::LoginPerm);
    assert_eq!(logon(&mut client, 0, private(&dn)).await.unwrap_err(), MapiCode::LoginPerm);
    client.release(handle).await;
    let ledger = client.ledger.clone();
    drop((client, mailbox));
    assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
}

#[tokio::test]
async fn two_mailboxes_in_one_session_are_kept_apart() {
    let mut client = Client::new().await;
    let owner = account(&*client.store, "owner").await;
    let archive = client.store.create_archive("u1").await.unwrap();
    client.store.create_public_store().await.unwrap();
    grant(&client, Some(&owner), Access::Read).await;
    let own_dn = archive.legacy_dn.clone();
    let mut seen = Vec::new();
    for (id, body) in [
        (0, private(&own_dn)),
        (1, private(&owner.legacy_dn)),
        (2, private(&archive.archive_dn().unwrap())),
        (3, public()),
    ] {
        let (handle, answer) = logon(&mut client, id, body).await.unwrap();
        let (guid, ids) = match answer {
            LogonResponse::Private(answer) => (answer.mailbox_guid, answer.folder_ids),
            LogonResponse::Public(answer) => (answer.repl_guid, answer.folder_ids),
            other => panic!("{other:?}"),
        };
        seen.push((id, handle, guid, ids.0));
    }
    assert_eq!(seen[0].2, archive.mailbox_guid);
    assert_eq!(seen[1].2, owner.mailbox_guid);
    assert_eq!(Some(seen[2].2), archive.archive);
    assert_eq!(seen[3].3[6..], [watertight_mapi::Fid::default(); 7], "public folders have six");
    // A handle is good in its own logon only.
    let open = |id: u8, fid| {
        let body = OpenFolderRequest { output_index: 1, folder_id: fid, open_mode_flags: 0 };
        let mut request = Request::new(0, B::OpenFolder(body));
        request.logon_id = id;
        request
    };
    for (id, handle, _, ids) in &seen {
        for other in 0..4_u8 {
            let responses = client.run(&[open(other, ids[1])], &mut vec![*handle, NONE]).await;
            let code = responses[0].rop().unwrap().return_value;
            let expected = if other == *id { MapiCode::Success } else { MapiCode::NullObject };
            assert_eq!(code, expected, "handle of {id} in {other}");
        }
    }
    // Somebody else's archive is not opened by its DN alone, nor a GUID that is none.
    let other = account(&*client.store, "other").await;
    let theirs = client.store.create_archive("other").await.unwrap().archive_dn().unwrap();
    assert_eq!(logon(&mut client, 9, private(&theirs)).await.unwrap_err(), MapiCode::LoginPerm);
    let wrong = watertight_mapi::store::archive_dn(&own_dn, other.mailbox_guid);
    assert_eq!(logon(&mut client, 9, private(&wrong)).await.unwrap_err(), MapiCode::UnknownUser);
    let ledger = client.ledger.clone();
    drop(client);
    assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
}

#[tokio::test]
async fn everybody_reads_public_folders_and_some_write() {
    let mut client = Client::new().await;
    assert_eq!(logon(&mut client, 0, public()).await.unwrap_err(), MapiCode::LogonFailed);
    client.store.create_public_store().await.unwrap();
    let without_flag = LogonRequest { open_flags: 0x0100_0004, ..public() };
    assert_eq!(logon(&mut client, 0, without_flag).await.unwrap_err(), MapiCode::LogonFailed);
    let (handle, answer) = logon(&mut client, 0, public()).await.unwrap();
    let LogonResponse::Public(answer) = answer else { panic!("{answer:?}") };
    let ipm = answer.folder_ids.0[1];
    let folder = client.open_folder(handle, ipm).await;
    let refused = client.refused(folder, B::CreateFolder(super::new_folder("News"))).await;
    assert_eq!(refused, MapiCode::AccessDenied);
    grant(&client, None, Access::Write).await;
    let (handle, _) = logon(&mut client, 0, public()).await.unwrap();
    let folder = client.open_folder(handle, ipm).await;
    let (_, news) = client.create_folder(folder, "News").await;
    let post = client.create_message(handle, news).await;
    client.set(post, vec![(tags::MESSAGE_CLASS, "IPM.Post".into()), (tags::SUBJECT, "a post".into())]).await;
    let mid = client.save(post).await;
    assert_ne!(Logon::message_id(mid).unwrap(), MessageId(watertight_mapi::GlobCnt::default()));
    // Nobody's mailbox, so nothing of mailboxes.
    let body = watertight_mapi::rop::logon::GetPerUserLongTermIdsRequest { database_guid: answer.repl_guid };
    assert_eq!(client.refused(handle, B::GetPerUserLongTermIds(body)).await, MapiCode::NotSupported);
}
