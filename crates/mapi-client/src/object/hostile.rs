//! Servers that answer what nobody asked, or never come to an end.

use watertight_mapi::prop::wire::{Cell, CellValue, MaybePropName, PropertyRow};
use watertight_mapi::prop::{Prop, tags};
use watertight_mapi::rop::field::{Bytes16, Maybe};
use watertight_mapi::rop::folder::{GetContentsTableRequest, GetContentsTableResponse, OpenFolderResponse};
use watertight_mapi::rop::message::{CreateMessageResponse, SaveChangesMessageResponse};
use watertight_mapi::rop::notification::BufferTooSmall;
use watertight_mapi::rop::property::{
    GetNamesFromPropertyIdsResponse, GetPropertiesListResponse, GetPropertiesSpecificResponse,
    GetPropertyIdsFromNamesResponse, PropertyProblem, PropertyProblemsResponse,
};
use watertight_mapi::rop::recipient::{
    MessageSummary, OpenRecipientRow, ReadRecipientRow, ReadRecipientsResponse, RecipientRow,
};
use watertight_mapi::rop::stream::{
    GetStreamSizeResponse, OpenStreamResponse, ReadStreamResponse, WrittenResponse,
};
use watertight_mapi::rop::table::{QueryRowsResponse, TableStatusResponse};
use watertight_mapi::rop::{
    INVALID_HANDLE, Request, RequestBody, Response, ResponseBody, RopId, RopResponse,
};
use watertight_mapi::{Fid, MapiCode, Mid, PropName, PropTag, PropValue};
use watertight_wire::Guid;

use super::message::{Access, Associated};
use super::script;
use super::stream::OpenMode;
use super::table::{Table, View};
use super::write::{NewMessage, NoLarge};
use crate::error::Error;
use crate::folder::Folder;
use crate::logon::Logon;

/// A server that does all as it should, but for what `wrong` answers.
fn logon(wrong: impl Fn(&Request, u32) -> Option<ResponseBody> + Send + 'static) -> Logon {
    let mut count = 0;
    let mut next = 10;
    script::logon(move |requests, mut handles| {
        let mut responses = Vec::new();
        for request in &requests {
            count += 1;
            let index = output(request).unwrap_or(request.index);
            if output(request).is_some() {
                next += 1;
                handles[usize::from(index)] = next;
            }
            let body = wrong(request, count).unwrap_or_else(|| proper(request));
            responses.push(Response::Rop(RopResponse::success(index, body)));
        }
        Ok((vec![script::bytes(&responses)], handles))
    })
}

/// What a proper server answers.
pub(super) fn answers(requests: &[Request]) -> Vec<u8> {
    let answer = |request: &Request| {
        let body = match &request.body {
            RequestBody::OpenStream(_) => ResponseBody::OpenStream(OpenStreamResponse { stream_size: 1000 }),
            _ => proper(request),
        };
        Response::Rop(RopResponse::success(output(request).unwrap_or(request.index), body))
    };
    script::bytes(&requests.iter().map(answer).collect::<Vec<_>>())
}

fn output(request: &Request) -> Option<u8> {
    use RequestBody as B;
    match &request.body {
        B::OpenFolder(b) => Some(b.output_index),
        B::GetContentsTable(b) => Some(b.output_index),
        B::OpenMessage(b) => Some(b.output_index),
        B::CreateMessage(b) => Some(b.output_index),
        B::OpenStream(b) => Some(b.output_index),
        _ => None,
    }
}

fn proper(request: &Request) -> ResponseBody {
    use {RequestBody as B, ResponseBody as R};
    match &request.body {
        B::OpenFolder(_) => {
            R::OpenFolder(OpenFolderResponse { has_rules: false.into(), ghosted: Maybe(None) })
        }
        B::GetContentsTable(_) => R::GetContentsTable(GetContentsTableResponse { row_count: 1 }),
        B::SetColumns(_) => R::SetColumns(TableStatusResponse { table_status: 0 }),
        B::OpenMessage(_) => {
            R::OpenMessage(MessageSummary { recipient_count: 5, ..MessageSummary::default() })
        }
        B::CreateMessage(_) => R::CreateMessage(CreateMessageResponse { message_id: Maybe(None) }),
        B::SetProperties(_) => R::SetProperties(PropertyProblemsResponse::default()),
        B::SaveChangesMessage(b) => R::SaveChangesMessage(SaveChangesMessageResponse {
            input_index: b.input_index,
            message_id: Mid::from_u64(7),
        }),
        B::OpenStream(_) => R::OpenStream(OpenStreamResponse { stream_size: 10 }),
        B::GetNamesFromPropertyIds(b) => R::GetNamesFromPropertyIds(GetNamesFromPropertyIdsResponse {
            names: b.prop_ids.iter().map(|_| MaybePropName::Unnamed(Guid::NIL)).collect::<Vec<_>>().into(),
        }),
        B::GetPropertiesList(_) => {
            R::GetPropertiesList(GetPropertiesListResponse { tags: Vec::new().into() })
        }
        B::GetPropertiesSpecific(b) => {
            let cell = |tag: &PropTag| Cell::new(*tag, CellValue::Error(MapiCode::NotFound));
            let row = PropertyRow::new(b.tags.iter().map(cell).collect());
            R::GetPropertiesSpecific(GetPropertiesSpecificResponse { row })
        }
        B::GetStreamSize(_) => R::GetStreamSize(GetStreamSizeResponse { stream_size: 10 }),
        other => panic!("{other:?}"),
    }
}

async fn folder(logon: &Logon) -> Folder {
    logon.open_folder(Fid::from_u64(5)).await.unwrap()
}

async fn table(logon: &Logon, columns: &[PropTag]) -> Table {
    folder(logon).await.contents_table(Associated::No, &View::of(columns)).await.unwrap()
}

fn says(error: &Error, what: &str) {
    assert!(matches!(error, Error::Protocol(_)), "{error:?}");
    assert!(error.to_string().contains(what), "{error}");
}

fn rows(count: usize, origin: u8, cells: usize) -> ResponseBody {
    let cell = Cell::new(tags::IMPORTANCE, CellValue::Value(PropValue::I32(1)));
    let rows = vec![PropertyRow::new(vec![cell; cells]); count];
    ResponseBody::QueryRows(QueryRowsResponse { origin, rows })
}

#[tokio::test]
async fn answers_to_other_questions_are_refused() {
    // The handle index of something else.
    let other_index = script::logon(|_, mut handles| {
        handles[1] = 9;
        let body = OpenFolderResponse { has_rules: false.into(), ghosted: Maybe(None) };
        let answer = RopResponse::success(0, ResponseBody::OpenFolder(body));
        Ok((vec![script::bytes(&[Response::Rop(answer)])], handles))
    });
    let table = |logon: &Logon| {
        let logon = logon.clone();
        async move { super::table::Table::open(logon.on(), get_table, &View::default()).await.unwrap_err() }
    };
    let error = other_index.open_folder(Fid::from_u64(5)).await.unwrap_err();
    says(&error, "the answer to RopOpenFolder has handle index 0 instead of 1");
    // Another ROP.
    let other_rop = script::logon(|_, handles| {
        let answer = RopResponse::refusal(RopId::CreateMessage, 1, MapiCode::NotFound);
        Ok((vec![script::bytes(&[Response::Rop(answer)])], handles))
    });
    says(&table(&other_rop).await, "RopGetContentsTable was answered by CreateMessage");
    // Nothing at all, and no payload at all.
    let silent = script::logon(|_, handles| Ok((vec![Vec::new()], handles)));
    says(&table(&silent).await, "RopGetContentsTable was not answered");
    let empty = script::logon(|_, handles| Ok((Vec::new(), handles)));
    says(&table(&empty).await, "RopGetContentsTable was not answered");
    // Success without a handle; with one that is the folder's own; with a table that is too short.
    for handles in [vec![1, INVALID_HANDLE], vec![1, 1], vec![1], vec![]] {
        let none = script::logon(move |_, _| {
            let body = ResponseBody::GetContentsTable(GetContentsTableResponse { row_count: 0 });
            let answer = Response::Rop(RopResponse::success(1, body));
            // The session takes no handle that was there before.
            let handles = if handles == [1, 1] { vec![1, INVALID_HANDLE] } else { handles.clone() };
            Ok((vec![script::bytes(&[answer])], handles))
        });
        says(&table(&none).await, "no handle came for the object with index 1");
    }
    // More answers than questions, of another kind.
    let more = script::logon(|_, mut handles| {
        handles[1] = 9;
        let body = ResponseBody::GetContentsTable(GetContentsTableResponse { row_count: 0 });
        let first = Response::Rop(RopResponse::success(1, body));
        let second = Response::Rop(RopResponse::refusal(RopId::Release, 0, MapiCode::NotFound));
        Ok((vec![script::bytes(&[first, second])], handles))
    });
    says(&table(&more).await, "RopGetContentsTable was answered by Release");
}

fn get_table(output_index: u8) -> RequestBody {
    RequestBody::GetContentsTable(GetContentsTableRequest { output_index, table_flags: 0 })
}

#[tokio::test]
async fn rows_that_were_not_asked_for_are_refused() {
    let columns = [tags::IMPORTANCE];
    let too_many = logon(|request, _| (request.id() == RopId::QueryRows).then(|| rows(3, 1, 1)));
    let error = table(&too_many, &columns).await.query_rows(2).await.unwrap_err();
    says(&error, "RopQueryRows was asked for 2 rows and answered 3");
    // Rows of one column where there are two; and of three.
    for cells in [1, 3] {
        let wrong = logon(move |request, _| (request.id() == RopId::QueryRows).then(|| rows(2, 1, cells)));
        let error = table(&wrong, &[tags::IMPORTANCE, tags::SENSITIVITY]).await.query_rows(2).await;
        assert!(matches!(error, Err(Error::Protocol(_))), "{error:?}");
    }
    let stuck = logon(|request, _| (request.id() == RopId::QueryRows).then(|| rows(0, 1, 1)));
    let error = table(&stuck, &columns).await.all_rows(1000).await.unwrap_err();
    says(&error, "RopQueryRows gave no row, but not the end");
    let endless = logon(|request, _| (request.id() == RopId::QueryRows).then(|| rows(50, 1, 1)));
    let error = table(&endless, &columns).await.all_rows(1000).await.unwrap_err();
    assert!(error.to_string().contains("more than 1000 rows"), "{error}");
}

fn data(len: usize) -> ResponseBody {
    ResponseBody::ReadStream(ReadStreamResponse { data: Bytes16(vec![1; len]) })
}

#[tokio::test]
async fn streams_that_do_not_end_are_refused() {
    let stream = |wrong: fn(&Request, u32) -> Option<ResponseBody>| async move {
        let folder = folder(&logon(wrong)).await;
        folder.open_stream(tags::COMMENT, OpenMode::ReadWrite).await.unwrap()
    };
    let mut endless = stream(|q, _| (q.id() == RopId::ReadStream).then(|| data(6))).await;
    endless.read(6).await.unwrap();
    says(&endless.read(6).await.unwrap_err(), "goes on at 12 although it has 10 bytes");
    let mut too_much = stream(|q, _| (q.id() == RopId::ReadStream).then(|| data(7))).await;
    says(&too_much.read(6).await.unwrap_err(), "RopReadStream was asked for 6 bytes and answered 7");
    // It says each time that it has become longer.
    let mut growing = stream(|q, n| match q.id() {
        RopId::ReadStream => Some(data(1000)),
        RopId::GetStreamSize => {
            Some(ResponseBody::GetStreamSize(GetStreamSizeResponse { stream_size: n * 100_000 }))
        }
        _ => None,
    })
    .await;
    let error = growing.read_to_end(1 << 20).await.unwrap_err();
    assert!(error.to_string().contains("more than the 1048576 bytes"), "{error}");
    let mut short = stream(|q, _| {
        (q.id() == RopId::WriteStream)
            .then_some(ResponseBody::WriteStream(WrittenResponse { written_size: 2 }))
    })
    .await;
    says(&short.write(b"abc").await.unwrap_err(), "RopWriteStream wrote 2 of 3 bytes");
    // A value that is said to be short.
    let folder = folder(&logon(|q, _| match q.id() {
        RopId::GetPropertiesSpecific => {
            let cell = Cell::new(tags::COMMENT, CellValue::Error(MapiCode::NotEnoughMemory));
            let row = PropertyRow::new(vec![cell]);
            Some(ResponseBody::GetPropertiesSpecific(GetPropertiesSpecificResponse { row }))
        }
        RopId::ReadStream => Some(data(5000)),
        _ => None,
    }))
    .await;
    says(&folder.props(&[tags::COMMENT]).await.unwrap_err(), "goes on at 5000 although it has 10 bytes");
}

#[tokio::test]
async fn recipients_that_do_not_end_are_refused() {
    let recipients = |row_id: fn(u32) -> u32| {
        logon(move |q, n| {
            let RequestBody::ReadRecipients(asked) = &q.body else { return None };
            let row = OpenRecipientRow { recipient_type: 1, code_page_id: 0, row: RecipientRow::default() };
            let rows = (0..200)
                .map(|at| ReadRecipientRow { row_id: row_id(asked.row_id + at), recipient: row.clone() })
                .collect();
            let _ = n;
            Some(ResponseBody::ReadRecipients(ReadRecipientsResponse { rows }))
        })
    };
    let message = async |logon: &Logon| {
        logon.open_message(Fid::from_u64(5), Mid::from_u64(6), Access::ReadOnly).await.unwrap()
    };
    let back = message(&recipients(|id| id % 100)).await;
    says(&back.recipients().await.unwrap_err(), "RopReadRecipients goes back to recipient 0");
    let endless = message(&recipients(|id| id)).await;
    says(&endless.recipients().await.unwrap_err(), "more than 65535 recipients");
}

#[tokio::test]
async fn lists_that_do_not_fit_the_question_are_refused() {
    let names = logon(|q, _| {
        (q.id() == RopId::GetPropertyIdsFromNames).then(|| {
            let prop_ids = vec![watertight_mapi::PropId(0x8001)].into();
            ResponseBody::GetPropertyIdsFromNames(GetPropertyIdsFromNamesResponse { prop_ids })
        })
    });
    let two = [PropName::lid(Guid::NIL, 1), PropName::lid(Guid::NIL, 2)];
    says(&names.prop_ids(&two, true).await.unwrap_err(), "was asked for 2 and answered 1");
    let problems = logon(|q, _| {
        (q.id() == RopId::SetProperties).then(|| {
            let problem = PropertyProblem { index: 4, tag: tags::SUBJECT, code: MapiCode::AccessDenied };
            ResponseBody::SetProperties(PropertyProblemsResponse { problems: vec![problem].into() })
        })
    });
    let folder = folder(&problems).await;
    let error = folder.set_props(&[Prop::new(tags::COMMENT, "x")]).await.unwrap_err();
    says(&error, "a problem with property 4 of 1");
    let added = folder.add_messages(&[NewMessage::default()], &NoLarge).await.unwrap();
    says(added[0].as_ref().unwrap_err(), "a problem with property 4 of 1");
}

/// RopBufferTooSmall: what was not done is asked again, for as long as something is done.
#[tokio::test]
async fn what_does_not_fit_an_answer_is_asked_again() {
    for most in [2, 1, 0] {
        let mut next = 10;
        let slow = script::logon(move |requests, mut handles| {
            let mut responses = Vec::new();
            for request in requests.iter().take(most) {
                let index = output(request).unwrap_or(request.index);
                if output(request).is_some() {
                    next += 1;
                    handles[usize::from(index)] = next;
                }
                responses.push(Response::Rop(RopResponse::success(index, proper(request))));
            }
            if requests.len() > most {
                let small = BufferTooSmall { size_needed: 100, request_buffers: Vec::new() };
                responses.push(Response::BufferTooSmall(small));
            }
            Ok((vec![script::bytes(&responses)], handles))
        });
        let ids: Vec<Mid> = (0..5).map(Mid::from_u64).collect();
        let on = slow.on();
        let opened = super::message::open(on, Fid::from_u64(5), &ids, Access::ReadOnly).await;
        match most {
            0 => {
                let error = opened.unwrap_err();
                assert!(matches!(error, Error::Refused { code: MapiCode::BufferTooSmall, .. }), "{error}");
            }
            _ => {
                let handles: Vec<u32> =
                    opened.unwrap().iter().map(|m| m.as_ref().unwrap().handle().raw()).collect();
                assert_eq!(handles, [11, 12, 13, 14, 15]);
            }
        }
    }
}
