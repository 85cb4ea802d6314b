//! Handles, bounds, and bytes that are no ROPs.

use watertight_mapi::{
    MapiCode, PropType,
    rop::{
        Request, RequestBody as B, Response, ResponseBody as R, RopBuffer, RopId,
        folder::{GetContentsTableRequest, OpenFolderRequest},
        message::GetMessageStatusRequest,
        property::GetPropertiesAllRequest,
    },
};
use watertight_testkit::mutate;
use watertight_wire::{Wire, Writer};

use super::{super::Room, Client, NONE, logon_request};

#[tokio::test]
async fn handles_go_when_they_are_released() {
    let mut client = Client::new().await;
    let ledger = client.ledger.clone();
    let (logon, answer) = client.logon().await;
    for _ in 0..3 {
        let folder = client.open_folder(logon, answer.folder_ids.0[4]).await;
        let get = GetContentsTableRequest { output_index: 1, table_flags: 0 };
        client.ok(folder, B::GetContentsTable(get)).await;
        client.release(folder).await;
        client.create_message(logon, answer.folder_ids.0[4]).await;
    }
    let held = |name| ledger.inspect().kinds.get(name).map_or(0, |held| held.now);
    assert_eq!(held("rop handles"), 7);
    client.release(logon).await;
    assert_eq!(held("rop handles"), 0);
    let open = B::OpenFolder(OpenFolderRequest {
        output_index: 1,
        folder_id: answer.folder_ids.0[4],
        open_mode_flags: 0,
    });
    assert_eq!(client.refused(logon, open).await, MapiCode::NullObject);
    client.logon().await;
    drop(client);
    assert_eq!(ledger.held(), 0);
}

#[tokio::test]
async fn a_client_holds_only_so_much() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let open = Request::new(
        0,
        B::OpenFolder(OpenFolderRequest {
            output_index: 1,
            folder_id: answer.folder_ids.0[4],
            open_mode_flags: 0,
        }),
    );
    let mut last = MapiCode::Success;
    for _ in 0..30 {
        let requests = vec![open.clone(); 100];
        let responses = client.run(&requests, &mut vec![logon, NONE]).await;
        last = responses.last().unwrap().rop().unwrap().return_value;
    }
    assert_eq!(last, MapiCode::MaxObjectsExceeded);
    // What holds more is bounded more tightly.
    let (logon, _) = client.logon().await;
    let folder = client.open_folder(logon, answer.folder_ids.0[4]).await;
    let table = B::GetContentsTable(GetContentsTableRequest { output_index: 1, table_flags: 0 });
    let requests = vec![Request::new(0, table); 129];
    let responses = client.run(&requests, &mut vec![folder, NONE]).await;
    let codes: Vec<MapiCode> = responses.iter().map(|r| r.rop().unwrap().return_value).collect();
    assert!(codes[..128].iter().all(|code| *code == MapiCode::Success));
    assert_eq!(codes[128], MapiCode::MaxObjectsExceeded);
    client.logon().await;
    let held = client.ledger.inspect().kinds["rop handles"].now;
    assert_eq!(held, 1, "a new logon under the same number ends the old one");
}

#[tokio::test]
async fn what_does_not_fit_comes_back_undone() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let folder = client.open_folder(logon, answer.folder_ids.0[4]).await;
    let all = Request::new(
        0,
        B::GetPropertiesAll(GetPropertiesAllRequest { property_size_limit: 0, want_unicode: 1 }),
    );
    client.room = Room { payload: 4000, total: 4008, chain: false };
    let mut handles = vec![folder, NONE];
    let responses = client.run(&vec![all.clone(); 12], &mut handles).await;
    let done = responses.iter().filter(|r| r.rop().is_some()).count();
    let Some(Response::BufferTooSmall(small)) = responses.last() else { panic!("{responses:?}") };
    let rest = watertight_mapi::rop::read_requests(&small.request_buffers).unwrap();
    assert!(done > 0 && done + rest.len() == 12);
    assert!(rest.iter().all(|request| *request == all));
    let whole = |response: &Response| match &response.rop().unwrap().body {
        Some(R::GetPropertiesAll(got)) => got.values.iter().all(|v| v.tag.ty() != PropType::Error),
        _ => false,
    };
    assert!(responses.iter().take(done).all(whole), "what came before is not cut");
    client.room = Room { payload: 600, total: 608, chain: false };
    let alone = client.run(std::slice::from_ref(&all), &mut handles).await;
    assert!(!whole(&alone[0]), "alone it is cut to what there is");
    client.room = Room { payload: 12, total: 20, chain: false };
    assert_eq!(client.try_run(&[all], &mut handles).await, Err(MapiCode::BufferTooSmall));
}

#[tokio::test]
async fn other_rops_are_answered_and_reserved_ones_fail_the_request() {
    let mut client = Client::new().await;
    let (logon, _) = client.logon().await;
    assert_eq!(client.refused(logon, B::GetAddressTypes(Default::default())).await, MapiCode::NotSupported);
    let status = B::GetMessageStatus(GetMessageStatusRequest { message_id: Default::default() });
    assert_eq!(client.refused(logon, status).await, MapiCode::NullObject, "the object is no folder");
    let never = B::GetStoreState(Default::default());
    assert_eq!(client.refused(12_345, never.clone()).await, MapiCode::NullObject);
    let out_of_the_table = Request::new(9, never);
    let responses = client.run(&[out_of_the_table], &mut vec![logon]).await;
    assert_eq!(responses[0].rop().unwrap().return_value, MapiCode::NullObject);
    // An upload whose layout is not known here is the last of its buffer, and is refused.
    let unknown = Request::new(0, B::Unknown(RopId::SynchronizationImportDeletes, vec![1, 2, 3]));
    let mut w = Writer::new();
    unknown.write(&mut w).unwrap();
    let buffer = RopBuffer { rops: w.into_bytes(), handles: vec![logon] }.to_bytes().unwrap();
    let payloads = client.session.execute(&buffer, client.room).await.unwrap();
    assert_eq!(RopBuffer::from_bytes(&payloads[0]).unwrap().rops, [0x74, 0, 2, 1, 4, 0x80]);
    let reserved = RopBuffer { rops: vec![0x99, 0, 0], handles: vec![logon] }.to_bytes().unwrap();
    assert_eq!(client.session.execute(&reserved, client.room).await, Err(MapiCode::RpcFormat));
}

#[tokio::test]
async fn damaged_requests_break_nothing() {
    let mut client = Client::new().await;
    let (logon, answer) = client.logon().await;
    let dn = client.session.origin.account.legacy_dn.clone();
    let requests = [
        Request::new(
            0,
            B::OpenFolder(OpenFolderRequest {
                output_index: 1,
                folder_id: answer.folder_ids.0[4],
                open_mode_flags: 0,
            }),
        ),
        Request::new(1, B::GetContentsTable(GetContentsTableRequest { output_index: 2, table_flags: 0 })),
        Request::new(1, B::Release(Default::default())),
        logon_request(&dn),
    ];
    let mut w = Writer::new();
    requests.iter().for_each(|request| request.write(&mut w).unwrap());
    let buffer = RopBuffer { rops: w.into_bytes(), handles: vec![logon, NONE, NONE] }.to_bytes().unwrap();
    let mut samples = Vec::new();
    mutate::survive(&buffer, |bytes| samples.push(bytes.to_vec()));
    for sample in samples {
        let _ = client.session.execute(&sample, client.room).await;
    }
    // It still answers.
    let (_, R::GetStoreState(_)) = ({
        let (logon, _) = client.logon().await;
        client.ok(logon, B::GetStoreState(Default::default())).await
    }) else {
        panic!()
    };
}
