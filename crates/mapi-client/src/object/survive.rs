//! Whatever is damaged in an answer, it is taken or refused: nobody panics, waits for ever or keeps a handle.

use std::sync::{Arc, Mutex};

use watertight_mapi::http::body::{Answer, ExecuteResponse};
use watertight_mapi::http::ext::{self, Limits};
use watertight_mapi::prop::tags;
use watertight_mapi::prop::wire::TaggedPropertyValue;
use watertight_mapi::rop::property::GetPropertiesAllResponse;
use watertight_mapi::rop::{INVALID_HANDLE, Response, ResponseBody, RopBuffer, RopId, RopResponse};
use watertight_mapi::{Fid, MapiCode, Mid, PropTag, PropValue};
use watertight_testkit::captures;
use watertight_testkit::mutate::survive;
use watertight_wire::Wire as _;

use super::message::{Access, Associated};
use super::script;
use super::stream::OpenMode;
use super::table::View;
use crate::error::Error;
use crate::logon::Logon;

/// The ROPs of a captured answer.
fn answer(group: &str, n: u32) -> Vec<u8> {
    let exchange = captures::group(group).into_iter().find(|e| e.n == n).unwrap();
    let Ok(Answer::Success(executed)) = ExecuteResponse::from_bytes(&exchange.response_body()) else {
        panic!("{n}")
    };
    let payloads = ext::unwrap(&executed.rop_buffer, Limits::default()).unwrap();
    RopBuffer::from_bytes(&payloads[0].bytes).unwrap().rops
}

/// Does something again and again while one answer, to the ROP of that number, is damaged in every way.
fn damaged<F: Future<Output = Result<(), Error>>>(rop: RopId, sample: &[u8], with: impl Fn(Logon) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bytes = Arc::new(Mutex::new(sample.to_vec()));
    let mut next = 10;
    let shared = Arc::clone(&bytes);
    let _inside = runtime.enter();
    let logon = script::logon(move |requests, mut handles| {
        for handle in handles.iter_mut().filter(|handle| **handle == INVALID_HANDLE) {
            next += 1;
            *handle = next;
        }
        let damaged = requests.iter().any(|request| request.id() == rop);
        let rops = if damaged { shared.lock().unwrap().clone() } else { super::hostile::answers(&requests) };
        Ok((vec![rops], handles))
    });
    let (mut good, mut bad) = (0, 0);
    let mut once = |damage: &[u8]| {
        *bytes.lock().unwrap() = damage.to_vec();
        match runtime.block_on(with(logon.clone())) {
            Ok(()) => good += 1,
            Err(_) => bad += 1,
        }
    };
    once(sample);
    survive(sample, &mut once);
    assert!(good > 0 && bad > 0, "{good} taken, {bad} refused");
}

fn inbox() -> Fid {
    Fid::from_u64(5)
}

#[test]
fn damaged_rows() {
    let columns = captured_columns();
    let sample = answer("06", 562);
    damaged(RopId::QueryRows, &sample, |logon| {
        let columns = columns.clone();
        async move {
            let folder = logon.open_folder(inbox()).await?;
            let mut table = folder.contents_table(Associated::No, &View::of(&columns)).await?;
            table.query_rows(2).await.map(drop)
        }
    });
}

/// The columns of the rows in group 06.
fn captured_columns() -> Vec<PropTag> {
    use watertight_mapi::http::body::ExecuteRequest;
    use watertight_mapi::rop::{RequestBody, read_requests};
    let exchange = captures::group("06").into_iter().find(|e| e.n == 547).unwrap();
    let body = ExecuteRequest::from_bytes(&exchange.request()).unwrap();
    let asked = ext::unwrap(&body.rop_buffer, Limits::default()).unwrap();
    let asked = RopBuffer::from_bytes(&asked[0].bytes).unwrap();
    match &read_requests(&asked.rops).unwrap()[0].body {
        RequestBody::SetColumns(body) => body.columns.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_damaged_message() {
    damaged(RopId::OpenMessage, &answer("04", 197), |logon| async move {
        let message = logon.open_message(inbox(), Mid::from_u64(6), Access::ReadOnly).await?;
        drop(message);
        Ok(())
    });
}

#[test]
fn damaged_properties() {
    let values = vec![
        TaggedPropertyValue::new(tags::IMPORTANCE, 1.into()),
        TaggedPropertyValue::new(tags::COMMENT, "ä".into()),
        TaggedPropertyValue::new(tags::BODY, MapiCode::NotEnoughMemory.into()),
        TaggedPropertyValue::new(PropTag(0x8003_1102), PropValue::MvBinary(vec![vec![1], vec![]])),
    ];
    let body = ResponseBody::GetPropertiesAll(GetPropertiesAllResponse { values: values.into() });
    let sample = script::bytes(&[Response::Rop(RopResponse::success(0, body))]);
    damaged(RopId::GetPropertiesAll, &sample, |logon| async move {
        let folder = logon.open_folder(inbox()).await?;
        folder.all_props().await.map(drop)
    });
    damaged(RopId::SetProperties, &answer("04", 138), |logon| async move {
        let folder = logon.open_folder(inbox()).await?;
        let props = ["a", "b", "c"].map(|text| watertight_mapi::prop::Prop::new(tags::COMMENT, text));
        folder.set_props(&props).await.map(drop)
    });
}

#[test]
fn a_damaged_stream() {
    damaged(RopId::ReadStream, &answer("04", 152), |logon| async move {
        let folder = logon.open_folder(inbox()).await?;
        let mut stream = folder.open_stream(tags::COMMENT, OpenMode::ReadOnly).await?;
        stream.read(32).await.map(drop)
    });
}
