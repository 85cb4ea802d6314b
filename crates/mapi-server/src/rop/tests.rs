//! The processor on the in-memory store, through its wire form.

mod copies;
mod lifecycle;
mod limits;
mod notify;
mod replay;
mod rights;
mod tables;

use std::sync::Arc;

use watertight_ledger::Ledger;
use watertight_mapi::{
    Fid, MapiCode, Mid, PropTag, PropValue,
    notification::Notification,
    prop::wire::TaggedPropertyValue,
    rop::{
        Request, RequestBody, Response, ResponseBody, RopBuffer, RopResponse,
        field::{Bytes16, List16, Text},
        folder::{CreateFolderRequest, GetContentsTableRequest, OpenFolderRequest},
        logon::{LogonRequest, LogonResponse, PrivateLogon},
        message::{CreateMessageRequest, OpenMessageRequest, SaveChangesMessageRequest},
        property::{GetPropertiesSpecificRequest, SetPropertiesRequest},
        read_responses,
        table::{QueryRowsRequest, SetColumnsRequest},
    },
    store::{NewAccount, Store},
};
use watertight_store::MemoryStore;
use watertight_wire::{Wire, Writer};

use super::{Origin, Room, Session};

/// A session with one account, and what its client knows.
pub(super) struct Client {
    pub(super) session: Session,
    pub(super) ledger: Ledger,
    pub(super) store: Arc<dyn Store>,
    pub(super) columns: Vec<PropTag>,
    pub(super) room: Room,
    /// What came with answers.
    pub(super) told: Vec<Notification>,
}

pub(super) const NONE: u32 = u32::MAX;
const WIDE: Room = Room { payload: 0x8000, total: 0x8008, chain: false };

pub(super) async fn account(store: &dyn Store, name: &str) -> watertight_mapi::store::Account {
    let account = NewAccount {
        name: name.into(),
        display_name: format!("Person {name}"),
        smtp_address: format!("{name}@example.org"),
        password_hash: String::new(),
    };
    store.create_account(account).await.unwrap()
}

impl Client {
    pub(super) async fn new() -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let account = account(&*store, "u1").await;
        Self::of(store, account)
    }

    pub(super) fn of(store: Arc<dyn Store>, account: watertight_mapi::store::Account) -> Self {
        let ledger = Ledger::new("test");
        let origin = Origin {
            store: Arc::clone(&store),
            account,
            ledger: ledger.clone(),
            code_page: 1252,
            lcid_sort: 0x409,
            lcid_string: 0x409,
        };
        Self {
            session: Session::new(origin),
            ledger,
            store,
            columns: Vec::new(),
            room: WIDE,
            told: Vec::new(),
        }
    }

    /// Runs requests over a table of handles, which is then that of the response.
    pub(super) async fn run(&mut self, requests: &[Request], handles: &mut Vec<u32>) -> Vec<Response> {
        self.try_run(requests, handles).await.unwrap().concat()
    }

    /// The same; one list of responses for each payload.
    pub(super) async fn try_run(
        &mut self,
        requests: &[Request],
        handles: &mut Vec<u32>,
    ) -> Result<Vec<Vec<Response>>, MapiCode> {
        let mut w = Writer::new();
        requests.iter().for_each(|request| request.write(&mut w).unwrap());
        let buffer = RopBuffer { rops: w.into_bytes(), handles: handles.clone() };
        let payloads = self.session.execute(&buffer.to_bytes().unwrap(), self.room).await?;
        let mut all = Vec::new();
        for payload in payloads {
            assert!(payload.len() <= self.room.payload);
            let answered = RopBuffer::from_bytes(&payload).unwrap();
            let columns = self.columns.clone();
            let mut responses = read_responses(&answered.rops, requests, |_| columns.clone()).unwrap();
            let told = responses.extract_if(.., |r| matches!(r, Response::Notify(_)));
            self.told.extend(told.filter_map(|r| match r {
                Response::Notify(notify) => Some(notify.into()),
                _ => None,
            }));
            all.push(responses);
            *handles = answered.handles;
        }
        Ok(all)
    }

    /// One ROP on one handle; the handle that it opens, and its response.
    pub(super) async fn one(&mut self, handle: u32, body: RequestBody) -> (u32, RopResponse) {
        let mut handles = vec![handle, NONE];
        let responses = self.run(&[Request::new(0, body)], &mut handles).await;
        match responses.as_slice() {
            [Response::Rop(response)] => (handles[1], response.clone()),
            other => panic!("{other:?}"),
        }
    }

    /// The same, which must succeed.
    pub(super) async fn ok(&mut self, handle: u32, body: RequestBody) -> (u32, ResponseBody) {
        let id = body.id();
        let (opened, response) = self.one(handle, body).await;
        assert_eq!(response.return_value, MapiCode::Success, "{id}");
        (opened, response.body.unwrap())
    }

    /// The same, which must be refused.
    pub(super) async fn refused(&mut self, handle: u32, body: RequestBody) -> MapiCode {
        let (_, response) = self.one(handle, body).await;
        assert_ne!(response.return_value, MapiCode::Success);
        response.return_value
    }

    pub(super) async fn release(&mut self, handle: u32) {
        let release = Request::new(0, RequestBody::Release(Default::default()));
        assert!(self.run(&[release], &mut vec![handle]).await.is_empty());
    }

    pub(super) async fn logon(&mut self) -> (u32, PrivateLogon) {
        let dn = self.session.origin.account.legacy_dn.clone();
        let request = logon_request(&dn);
        let mut handles = vec![NONE];
        let responses = self.run(&[request], &mut handles).await;
        match responses[0].rop().unwrap().body.clone() {
            Some(ResponseBody::Logon(LogonResponse::Private(logon))) => (handles[0], logon),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn open_folder(&mut self, logon: u32, folder_id: Fid) -> u32 {
        let body = OpenFolderRequest { output_index: 1, folder_id, open_mode_flags: 0 };
        self.ok(logon, RequestBody::OpenFolder(body)).await.0
    }

    pub(super) async fn create_folder(&mut self, parent: u32, name: &str) -> (u32, Fid) {
        match self.ok(parent, RequestBody::CreateFolder(new_folder(name))).await {
            (handle, ResponseBody::CreateFolder(created)) => (handle, created.folder_id),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn create_message(&mut self, logon: u32, folder_id: Fid) -> u32 {
        let body = CreateMessageRequest {
            output_index: 1,
            code_page_id: 0x0fff,
            folder_id,
            associated_flag: false.into(),
        };
        self.ok(logon, RequestBody::CreateMessage(body)).await.0
    }

    pub(super) async fn open_message(&mut self, logon: u32, folder_id: Fid, message_id: Mid) -> u32 {
        let body = OpenMessageRequest {
            output_index: 1,
            code_page_id: 0x0fff,
            folder_id,
            open_mode_flags: 3,
            message_id,
        };
        match self.ok(logon, RequestBody::OpenMessage(body)).await {
            (handle, ResponseBody::OpenMessage(summary)) => {
                self.columns = summary.columns;
                handle
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn save(&mut self, message: u32) -> Mid {
        match self.ok(message, RequestBody::SaveChangesMessage(save_request(2))).await.1 {
            ResponseBody::SaveChangesMessage(saved) => saved.message_id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn set(&mut self, handle: u32, values: Vec<(PropTag, PropValue)>) {
        let values: Vec<_> =
            values.into_iter().map(|(tag, value)| TaggedPropertyValue::new(tag, value)).collect();
        let body = SetPropertiesRequest { values: values.into() };
        match self.ok(handle, RequestBody::SetProperties(body)).await.1 {
            ResponseBody::SetProperties(response) => assert_eq!(response.problems.0, []),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn get(&mut self, handle: u32, tag: PropTag) -> Option<PropValue> {
        let body =
            GetPropertiesSpecificRequest { property_size_limit: 0, want_unicode: 1, tags: List16(vec![tag]) };
        match self.ok(handle, RequestBody::GetPropertiesSpecific(body)).await.1 {
            ResponseBody::GetPropertiesSpecific(response) => response.row.cells[0].value().cloned(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn table(&mut self, folder: u32, columns: Vec<PropTag>) -> u32 {
        let body = GetContentsTableRequest { output_index: 1, table_flags: 0 };
        let table = self.ok(folder, RequestBody::GetContentsTable(body)).await.0;
        self.set_columns(table, columns).await;
        table
    }

    pub(super) async fn set_columns(&mut self, table: u32, columns: Vec<PropTag>) {
        self.columns.clone_from(&columns);
        self.ok(table, RequestBody::SetColumns(SetColumnsRequest { flags: 0, columns: columns.into() }))
            .await;
    }

    pub(super) async fn rows(
        &mut self,
        table: u32,
        count: u16,
        forward: bool,
    ) -> (u8, Vec<Vec<Option<PropValue>>>) {
        let body = QueryRowsRequest { flags: 0, forward_read: forward.into(), row_count: count };
        match self.ok(table, RequestBody::QueryRows(body)).await.1 {
            ResponseBody::QueryRows(got) => (
                got.origin,
                got.rows.iter().map(|row| row.cells.iter().map(|c| c.value().cloned()).collect()).collect(),
            ),
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn logon_request(dn: &str) -> Request {
    let essdn = Bytes16([dn.as_bytes(), b"\0"].concat());
    Request::new(
        0,
        RequestBody::Logon(LogonRequest { logon_flags: 1, open_flags: 0x0100_000c, store_state: 0, essdn }),
    )
}

pub(super) fn new_folder(name: &str) -> CreateFolderRequest {
    CreateFolderRequest {
        output_index: 1,
        folder_type: 1,
        open_existing: false.into(),
        reserved: 0,
        display_name: Text::Wide(name.into()),
        comment: Text::Wide("why".into()),
    }
}

pub(super) fn save_request(save_flags: u8) -> SaveChangesMessageRequest {
    SaveChangesMessageRequest { input_index: 0, save_flags }
}
