//! Our server's ROP processor: what any client may make it do.

use std::cell::OnceCell;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use watertight_ledger::Ledger;
use watertight_mapi::prop::tags;
use watertight_mapi::prop::wire::TaggedPropertyValue;
use watertight_mapi::rop::field::{Bytes16, List16, Restriction16};
use watertight_mapi::rop::folder::{GetContentsTableRequest, OpenFolderRequest};
use watertight_mapi::rop::logon::{LogonRequest, LogonResponse, PrivateLogon};
use watertight_mapi::rop::message::{
    CreateAttachmentRequest, CreateMessageRequest, SaveChangesAttachmentRequest, SaveChangesMessageRequest,
};
use watertight_mapi::rop::property::SetPropertiesRequest;
use watertight_mapi::rop::stream::{OpenStreamRequest, WriteStreamRequest};
use watertight_mapi::rop::sync::SynchronizationConfigureRequest;
use watertight_mapi::rop::table::{QueryRowsRequest, SetColumnsRequest};
use watertight_mapi::rop::transfer::FastTransferSourceGetBufferRequest;
use watertight_mapi::rop::{
    INVALID_HANDLE, Request, RequestBody, Response, ResponseBody, RopBuffer, read_responses,
};
use watertight_mapi::store::{Account, NewAccount, Store};
use watertight_mapi_server::rop::{Origin, Room, Session};
use watertight_store::MemoryStore;
use watertight_wire::{Wire, Writer};

use crate::{Seed, rop};

/// A session takes so many buffers at most.
const BUFFERS: usize = 12;
const ROOM: Room = Room { payload: 0x8000, total: 0x1_8000, chain: true };

std::thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

/// After a logon, ROP buffers one after another, each behind its length in two bytes: every answer fits into its room
/// and is a ROP buffer itself, and the end of the session releases all that it held.
pub fn rop_session(data: &[u8]) {
    RUNTIME.with(|runtime| {
        let new = || Builder::new_current_thread().enable_all().build().expect("a runtime of one thread");
        runtime.get_or_init(new).block_on(run(data));
    });
}

async fn run(data: &[u8]) {
    let ledger = Ledger::new("fuzz");
    let (mut session, mut handles, _) = logged_on(&ledger).await;
    let mut rest = data;
    for _ in 0..BUFFERS {
        let Some((len, tail)) = rest.split_first_chunk::<2>() else { break };
        let (bytes, tail) = tail.split_at(usize::from(u16::from_le_bytes(*len)).min(tail.len()));
        rest = tail;
        let Ok(mut buffer) = RopBuffer::from_bytes(bytes) else { continue };
        // Handles are those that there are.
        for handle in buffer.handles.iter_mut().filter(|h| **h != INVALID_HANDLE) {
            let at = usize::try_from(*handle).unwrap_or(0).checked_rem(handles.len()).unwrap_or(0);
            *handle = handles.get(at).copied().unwrap_or(INVALID_HANDLE);
        }
        let bytes = buffer.to_bytes().expect("as it was read");
        let Ok(payloads) = session.execute(&bytes, ROOM).await else { continue };
        assert!(!payloads.is_empty());
        assert!(payloads.iter().map(|p| p.len().saturating_add(8)).sum::<usize>() <= ROOM.total);
        for payload in payloads {
            assert!(payload.len() <= ROOM.payload);
            let answer = RopBuffer::from_bytes(&payload).expect("an answer is a ROP buffer");
            assert_eq!(answer.handles.len(), buffer.handles.len());
            handles.extend(answer.handles.into_iter().filter(|h| *h != INVALID_HANDLE));
        }
        handles.sort_unstable();
        handles.dedup();
    }
    drop(session);
    assert_eq!(ledger.held(), 0, "{:?}", ledger.inspect());
}

/// A session with a logon: it, the handle of the logon, and what the server said.
async fn logged_on(ledger: &Ledger) -> (Session, Vec<u32>, PrivateLogon) {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::with_ledger(ledger));
    let account = NewAccount {
        name: "u1".into(),
        display_name: "Person".into(),
        smtp_address: "u1@example.org".into(),
        password_hash: String::new(),
    };
    let account: Account = store.create_account(account).await.expect("the first account");
    let essdn = Bytes16([account.legacy_dn.as_bytes(), b"\0"].concat());
    let mut session = Session::new(Origin {
        store,
        account,
        ledger: ledger.clone(),
        code_page: 1252,
        lcid_sort: 0x409,
        lcid_string: 0x409,
    });
    let logon = LogonRequest { logon_flags: 1, open_flags: 0x0100_000c, store_state: 0, essdn };
    let logon = Request::new(0, RequestBody::Logon(logon));
    let answer = session.execute(&buffer(core::slice::from_ref(&logon), 1), ROOM).await.expect("a logon");
    let answer = RopBuffer::from_bytes(answer.first().expect("a payload")).expect("a ROP buffer");
    let responses = read_responses(&answer.rops, core::slice::from_ref(&logon), |_| Vec::new());
    let responses = responses.expect("a response");
    match responses.first().and_then(Response::rop).and_then(|r| r.body.clone()) {
        Some(ResponseBody::Logon(LogonResponse::Private(private))) => (session, answer.handles, private),
        other => unreachable!("{other:?}"),
    }
}

/// Requests over a table of so many handles: the logon, and none.
fn buffer(requests: &[Request], handles: usize) -> Vec<u8> {
    let mut w = Writer::new();
    for request in requests {
        request.write(&mut w).expect("our own request");
    }
    let handles = (0..handles).map(|n| if n == 0 { 0 } else { INVALID_HANDLE }).collect();
    RopBuffer { rops: w.into_bytes(), handles }.to_bytes().expect("our own buffer")
}

fn sized(buffer: &[u8]) -> Vec<u8> {
    [&u16::try_from(buffer.len()).unwrap_or(0).to_le_bytes()[..], buffer].concat()
}

pub fn seeds() -> Vec<Seed> {
    let requests = rop::request_seeds();
    let mut seeds: Vec<Seed> = requests.iter().map(|(name, bytes)| (name.clone(), sized(bytes))).collect();
    for (n, several) in requests.chunks(6).enumerate() {
        let bytes: Vec<u8> = several.iter().flat_map(|(_, bytes)| sized(bytes)).collect();
        seeds.push((format!("several-{n}"), bytes));
    }
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime of one thread");
    let ledger = Ledger::new("seeds");
    let (_, _, logon) = runtime.block_on(logged_on(&ledger));
    // The fifth of the standard folders is the Inbox: [MS-OXCSTOR] 2.2.1.1.3.
    let [_, _, _, _, folder_id, ..] = logon.folder_ids.0;
    use RequestBody as B;
    let text = TaggedPropertyValue::new(tags::SUBJECT, "A subject".into());
    let write = [
        Request::new(0, B::OpenFolder(OpenFolderRequest { output_index: 1, folder_id, open_mode_flags: 0 })),
        Request::new(
            0,
            B::CreateMessage(CreateMessageRequest {
                output_index: 2,
                code_page_id: 0x0fff,
                folder_id,
                associated_flag: false.into(),
            }),
        ),
        Request::new(2, B::SetProperties(SetPropertiesRequest { values: vec![text].into() })),
        Request::new(2, B::CreateAttachment(CreateAttachmentRequest { output_index: 3 })),
        Request::new(
            3,
            B::OpenStream(OpenStreamRequest {
                output_index: 4,
                tag: tags::ATTACH_DATA_BINARY,
                open_mode_flags: 2,
            }),
        ),
        Request::new(4, B::WriteStream(WriteStreamRequest { data: Bytes16(vec![7; 100]) })),
        Request::new(
            2,
            B::SaveChangesAttachment(SaveChangesAttachmentRequest { input_index: 3, save_flags: 2 }),
        ),
        Request::new(2, B::SaveChangesMessage(SaveChangesMessageRequest { input_index: 2, save_flags: 2 })),
    ];
    let columns = vec![tags::MID, tags::SUBJECT, tags::MESSAGE_SIZE];
    let read = [
        Request::new(0, B::OpenFolder(OpenFolderRequest { output_index: 1, folder_id, open_mode_flags: 0 })),
        Request::new(1, B::GetContentsTable(GetContentsTableRequest { output_index: 2, table_flags: 0 })),
        Request::new(2, B::SetColumns(SetColumnsRequest { flags: 0, columns: columns.into() })),
        Request::new(
            2,
            B::QueryRows(QueryRowsRequest { flags: 0, forward_read: true.into(), row_count: 10 }),
        ),
        Request::new(
            1,
            B::SynchronizationConfigure(SynchronizationConfigureRequest {
                output_index: 3,
                sync_type: 1,
                send_options: 1,
                sync_flags: 0x30,
                restriction: Restriction16(None),
                extra_flags: 0x0f,
                tags: List16(Vec::new()),
            }),
        ),
        Request::new(
            3,
            B::FastTransferSourceGetBuffer(FastTransferSourceGetBufferRequest {
                buffer_size: 0xbabe,
                maximum_buffer_size: Some(0x7000),
            }),
        ),
    ];
    seeds.push(("ours".into(), [sized(&buffer(&write, 5)), sized(&buffer(&read, 4))].concat()));
    seeds
}
