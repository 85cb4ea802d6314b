//! A session whose server is a function, for tests.

use std::sync::{Arc, Mutex};

use watertight_ledger::Ledger;
use watertight_mapi::rop::logon::{LogonResponse, PrivateLogon};
use watertight_mapi::rop::{INVALID_HANDLE, Request, Response, RopBuffer, read_requests};
use watertight_wire::{Wire, Writer};

use crate::actor::{Command, Executed, Link};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::handle::ServerHandle;
use crate::logon::{Inner, Logon};
use crate::session::Requester;
use crate::settings::Settings;
use crate::sign_in::Credentials;

/// What a server does with a request: payloads of responses, and the handle table.
pub(crate) type Answered = Result<(Vec<Vec<u8>>, Vec<u32>), Error>;

/// A logon with handle 1 to a server that answers so.
pub(crate) fn logon(mut answer: impl FnMut(Vec<Request>, Vec<u32>) -> Answered + Send + 'static) -> Logon {
    let endpoint = Endpoint::parse("http://127.0.0.1:1/").unwrap();
    let credentials = Credentials::new("u", "p").unwrap();
    let ledger = Ledger::new("test");
    let settings =
        Arc::new(Settings::new(endpoint, &credentials, crate::Options::default(), &ledger).unwrap());
    let (link, mut commands) = Link::new();
    let weak = link.downgrade();
    tokio::spawn(async move {
        while let Some(command) = commands.recv().await {
            let Command::Execute { request, reply, .. } = command else { continue };
            let requests = read_requests(&request.rops).unwrap();
            let result = answer(requests, request.handles.clone()).map(|(payloads, handles)| {
                let opened = request
                    .handles
                    .iter()
                    .zip(&handles)
                    .filter(|(before, after)| **before == INVALID_HANDLE && **after != INVALID_HANDLE);
                let link = weak.upgrade().unwrap();
                let opened = opened.map(|(_, handle)| ServerHandle::new(*handle, link.clone())).collect();
                let buffers =
                    payloads.into_iter().map(|rops| RopBuffer { rops, handles: handles.clone() }).collect();
                Executed { buffers, opened }
            });
            let _ = reply.send(result);
        }
    });
    let inner = Inner {
        handle: ServerHandle::new(1, link.clone()),
        response: LogonResponse::Private(PrivateLogon::from_bytes(&[1; 160]).unwrap()),
        replicas: Mutex::default(),
        names: Mutex::default(),
        dn_prefix: String::new(),
    };
    Logon { requester: Requester::new(link, settings), inner: Arc::new(inner) }
}

/// The bytes of responses.
pub(crate) fn bytes(responses: &[Response]) -> Vec<u8> {
    let mut w = Writer::new();
    responses.iter().for_each(|response| response.write(&mut w).unwrap());
    w.into_bytes()
}
