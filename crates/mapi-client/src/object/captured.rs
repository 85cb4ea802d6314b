//! What a real server was asked in the captures is asked again, in the same bytes, and what it answered is read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use watertight_mapi::http::body::{Answer, ExecuteRequest, ExecuteResponse};
use watertight_mapi::http::ext::{self, Limits};
use watertight_mapi::prop::wire::{Cell, CellValue, MaybePropName, PropertyRow, TaggedPropertyValue};
use watertight_mapi::prop::{Prop, tags};
use watertight_mapi::rop::field::{List16, Maybe, Text};
use watertight_mapi::rop::folder::{GetContentsTableResponse, OpenFolderResponse};
use watertight_mapi::rop::property::{GetNamesFromPropertyIdsResponse, GetPropertiesSpecificResponse};
use watertight_mapi::rop::{
    INVALID_HANDLE, Request, RequestBody, Response, ResponseBody, RopBuffer, RopResponse, read_requests,
};
use watertight_mapi::{Fid, GlobCnt, MapiCode, Mid, ReplId};
use watertight_testkit::captures;
use watertight_wire::{Guid, Wire as _};

use super::SUBJECTS;
use super::message::{Access, Associated, Message, ReadFlag};
use super::props::Problem;
use super::script::{self, Answered};
use super::stream::{OpenMode, SeekFrom};
use super::table::{FindFrom, Origin, Sort, View};
use crate::error::Error;
use crate::folder::{Completion, Deletion, Folder, Transfer};
use crate::logon::Logon;

/// One captured exchange of one ROP.
struct Exchange {
    n: u32,
    request: Request,
    payloads: Vec<RopBuffer>,
}

/// Exchanges of a group that are still to come.
#[derive(Clone)]
struct Captured(Arc<Mutex<VecDeque<Exchange>>>);

impl Captured {
    fn group(digits: &str, numbers: &[u32]) -> Self {
        let exchanges = captures::group(digits).into_iter().filter(|e| numbers.contains(&e.n)).map(|e| {
            let body = ExecuteRequest::from_bytes(&e.request()).unwrap();
            let asked = ext::unwrap(&body.rop_buffer, Limits::default()).unwrap();
            let asked = RopBuffer::from_bytes(&asked[0].bytes).unwrap();
            let mut requests = read_requests(&asked.rops).unwrap();
            assert_eq!(requests.len(), 1, "{}", e.n);
            let Ok(Answer::Success(executed)) = ExecuteResponse::from_bytes(&e.response_body()) else {
                panic!("{}", e.n)
            };
            let payloads = ext::unwrap(&executed.rop_buffer, Limits::default()).unwrap();
            let payloads = payloads.iter().map(|p| RopBuffer::from_bytes(&p.bytes).unwrap()).collect();
            Exchange { n: e.n, request: requests.remove(0), payloads }
        });
        let exchanges: VecDeque<_> = exchanges.collect();
        assert_eq!(exchanges.len(), numbers.len());
        Self(Arc::new(Mutex::new(exchanges)))
    }

    /// The request that comes next.
    fn next(&self) -> RequestBody {
        self.0.lock().unwrap().front().unwrap().request.body.clone()
    }

    /// A server that answers these in order, and opens folders and tables of any kind.
    fn logon(&self) -> Logon {
        let captured = self.clone();
        let mut next = 1000;
        script::logon(move |requests, mut handles| {
            let mut opened = |handles: &mut Vec<u32>, index: u8| {
                next += 1;
                handles[usize::from(index)] = next;
            };
            let made_up = |index, body| script::bytes(&[Response::Rop(RopResponse::success(index, body))]);
            let request = &requests[0];
            let asked = match &request.body {
                RequestBody::OpenFolder(body) => {
                    opened(&mut handles, body.output_index);
                    let answer = OpenFolderResponse { has_rules: false.into(), ghosted: Maybe(None) };
                    return Ok((vec![made_up(body.output_index, ResponseBody::OpenFolder(answer))], handles));
                }
                RequestBody::GetContentsTable(body) => {
                    opened(&mut handles, body.output_index);
                    let answer = GetContentsTableResponse { row_count: 0 };
                    let answer = ResponseBody::GetContentsTable(answer);
                    return Ok((vec![made_up(body.output_index, answer)], handles));
                }
                RequestBody::GetNamesFromPropertyIds(body) => {
                    let names = body.prop_ids.iter().map(|_| MaybePropName::Unnamed(Guid::NIL)).collect();
                    let answer = GetNamesFromPropertyIdsResponse { names: List16(names) };
                    return Ok((vec![made_up(0, ResponseBody::GetNamesFromPropertyIds(answer))], handles));
                }
                // That server leaves the subject out of all properties.
                RequestBody::GetPropertiesSpecific(body) if *body.tags == SUBJECTS => {
                    let cells = ["a subject", "", "a subject"];
                    let cells = SUBJECTS.iter().zip(cells);
                    let cells = cells.map(|(tag, text)| Cell::new(*tag, CellValue::Value(text.into())));
                    let row = PropertyRow::new(cells.collect());
                    let answer = ResponseBody::GetPropertiesSpecific(GetPropertiesSpecificResponse { row });
                    return Ok((vec![made_up(0, answer)], handles));
                }
                body => body,
            };
            let exchange = captured.0.lock().unwrap().pop_front().unwrap();
            same(&exchange, request, asked);
            answer(&exchange, request, handles)
        })
    }

    fn end(&self) {
        assert_eq!(self.0.lock().unwrap().len(), 0);
    }
}

/// The request is the captured one.
fn same(exchange: &Exchange, request: &Request, asked: &RequestBody) {
    match (asked, &exchange.request.body) {
        // These name their objects in another order.
        (RequestBody::SaveChangesMessage(a), RequestBody::SaveChangesMessage(b)) => {
            assert_eq!(a.save_flags, b.save_flags, "{}", exchange.n);
        }
        (RequestBody::SaveChangesAttachment(_), RequestBody::SaveChangesAttachment(_))
        | (RequestBody::SetMessageReadFlag(_), RequestBody::SetMessageReadFlag(_)) => {}
        _ => assert_eq!(*request, exchange.request, "{}", exchange.n),
    }
}

fn answer(exchange: &Exchange, request: &Request, mut handles: Vec<u32>) -> Answered {
    let mut payloads = Vec::new();
    for payload in &exchange.payloads {
        let mut rops = payload.rops.clone();
        if rops[1] != request.index && exchange.request.index != request.index {
            rops[1] = request.index;
        }
        payloads.push(rops);
        for (own, captured) in handles.iter_mut().zip(&payload.handles) {
            if *own == INVALID_HANDLE {
                *own = *captured;
            }
        }
    }
    Ok((payloads, handles))
}

fn fid(counter: u64) -> Fid {
    Fid::new(ReplId(1), GlobCnt::new(counter).unwrap())
}

fn code(error: Error) -> MapiCode {
    match error {
        Error::Refused { code, .. } => code,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_table_of_the_captures() {
    let numbers: Vec<u32> = (547..=576).filter(|n| ![549, 560].contains(n)).chain([614, 615]).collect();
    let captured = Captured::group("06", &numbers);
    let inbox = Folder::open(&captured.logon(), fid(0xd)).await.unwrap();
    let mut table = inbox.contents_table(Associated::No, &View::default()).await.unwrap();
    let RequestBody::SetColumns(body) = captured.next() else { panic!() };
    table.set_columns(&body.columns).await.unwrap();
    assert_eq!(table.all_columns().await.unwrap().len(), 0xd4);
    let position = table.position().await.unwrap();
    assert_eq!((position.row, position.of), (0, 116));
    table.sort(&[Sort::descending(tags::MESSAGE_SIZE)]).await.unwrap();
    let rows = table.query_rows(10).await.unwrap();
    let sizes: Vec<_> = rows.iter().map(|row| row.int(tags::MESSAGE_SIZE).unwrap()).collect();
    assert_eq!(sizes.len(), 10);
    assert!(sizes.is_sorted_by(|a, b| a >= b));
    assert_eq!(table.position().await.unwrap().row, 10);
    let back = table.query_rows_back(5).await.unwrap();
    assert_eq!(back.len(), 5);
    assert_eq!(back[0], rows[9]);
    assert_eq!(table.peek_rows(5).await.unwrap(), rows[5..]);
    assert_eq!(table.seek(Origin::Beginning, 20).await.unwrap(), 20);
    assert_eq!(table.seek(Origin::Current, -5).await.unwrap(), -5);
    assert_eq!(table.seek(Origin::End, -3).await.unwrap(), -3);
    assert_eq!(table.seek(Origin::Beginning, 1000).await.unwrap(), 116);
    table.seek_fraction(1, 2).await.unwrap();
    table.query_rows(2).await.unwrap();
    let bookmark = table.create_bookmark().await.unwrap();
    table.seek(Origin::Beginning, 0).await.unwrap();
    assert_eq!(table.seek_bookmark(&bookmark, 1).await.unwrap(), 1);
    table.query_rows(2).await.unwrap();
    for (n, found) in (567..=571).zip([true, true, true, false, false]) {
        let RequestBody::FindRow(body) = captured.next() else { panic!("{n}") };
        let restriction = body.restriction.0.unwrap();
        let from = match body.origin {
            0 => FindFrom::Origin(Origin::Beginning),
            1 => FindFrom::Origin(Origin::Current),
            2 => FindFrom::Origin(Origin::End),
            _ => FindFrom::Bookmark(&bookmark),
        };
        let row = table.find_row(&restriction, from, body.flags == 0).await.unwrap();
        assert_eq!(row.is_some(), found, "{n}");
        assert!(row.is_none_or(|r| r.text(tags::SUBJECT).unwrap().to_lowercase().contains("pdf")));
    }
    table.free_bookmark(bookmark.clone()).await.unwrap();
    assert_eq!(code(table.seek_bookmark(&bookmark, 0).await.unwrap_err()), MapiCode::InvalidBookmark);
    let RequestBody::Restrict(body) = captured.next() else { panic!() };
    table.restrict(body.restriction.0.as_ref()).await.unwrap();
    assert_eq!(table.query_rows(50).await.unwrap().len(), 13);
    assert_eq!(table.position().await.unwrap().row, 13);
    table.reset().await.unwrap();
    assert_eq!(code(table.query_rows(3).await.unwrap_err()), MapiCode::NullObject);
    captured.end();
}

#[tokio::test]
async fn every_restriction_of_the_captures() {
    let starts = [574, 577, 580, 583, 586, 589, 592, 595, 598, 601, 604, 607, 610, 613];
    let captured = Captured::group("06", &starts);
    let inbox = Folder::open(&captured.logon(), fid(0xd)).await.unwrap();
    let mut table = inbox.contents_table(Associated::No, &View::default()).await.unwrap();
    for n in starts {
        let RequestBody::Restrict(body) = captured.next() else { panic!("{n}") };
        table.restrict(body.restriction.0.as_ref()).await.unwrap();
    }
    captured.end();
}

/// The properties that the next request sets.
fn set(captured: &Captured) -> Vec<Prop> {
    let RequestBody::SetProperties(body) = captured.next() else { panic!("{:?}", captured.next()) };
    let prop = |TaggedPropertyValue { tag, value }| Prop {
        tag,
        name: None,
        value: watertight_mapi::prop::PropData::Inline(value),
    };
    body.values.0.into_iter().map(prop).collect()
}

async fn write(captured: &Captured, stream: &mut super::stream::Stream) {
    let RequestBody::WriteStream(body) = captured.next() else { panic!("{:?}", captured.next()) };
    stream.write(&body.data.0).await.unwrap();
}

async fn new_message(folder: &Folder) -> Message {
    folder.create_message(Associated::No).await.unwrap()
}

#[tokio::test]
async fn the_message_of_the_captures() {
    let numbers = [
        135, 136, 137, 138, 143, 144, 145, 146, 147, 148, 149, 150, 151, 152, 154, 155, 157, 159, 164, 165,
        166, 168, 169, 170, 171, 173, 175, 177, 178, 180, 182, 183, 184, 185, 186, 187, 188, 197, 202, 203,
        204, 205, 207, 208,
    ];
    let captured = Captured::group("04", &numbers);
    let folder = Folder::open(&captured.logon(), fid(0x44_0205)).await.unwrap();
    let mut message = new_message(&folder).await;
    for _ in 136..=137 {
        assert_eq!(message.set_props(&set(&captured)).await.unwrap(), []);
    }
    let problems: Vec<Problem> = message.set_props(&set(&captured)).await.unwrap();
    assert_eq!(
        problems.iter().map(|p| (p.index, p.tag)).collect::<Vec<_>>(),
        [(0, tags::MESSAGE_SIZE), (1, tags::FOLDER_ID)]
    );

    let mut attachment = message.create_attachment().await.unwrap();
    assert_eq!(attachment.number(), 0);
    attachment.set_props(&set(&captured)).await.unwrap();
    let mut stream = attachment.open_data(OpenMode::Create).await.unwrap();
    stream.set_size(10_000).await.unwrap();
    for _ in 0..3 {
        write(&captured, &mut stream).await;
    }
    assert_eq!(stream.position(), 10_000);
    assert_eq!(stream.size().await.unwrap(), 10_000);
    assert_eq!(stream.seek(SeekFrom::Start(16)).await.unwrap(), 16);
    assert_eq!(stream.read(32).await.unwrap()[..8], [4, 0, 0, 0, 5, 0, 0, 0]);
    stream.set_size(9000).await.unwrap();
    stream.commit().await.unwrap();
    attachment.save().await.unwrap();
    let props = attachment.all_props().await.unwrap();
    assert_eq!(props.text(tags::ATTACH_LONG_FILENAME), Some("Zahlen.bin"));

    let mut rtf = message.open_stream(tags::RTF_COMPRESSED, OpenMode::Create).await.unwrap();
    write(&captured, &mut rtf).await;
    rtf.commit().await.unwrap();

    let mut around = message.create_attachment().await.unwrap();
    around.set_props(&set(&captured)).await.unwrap();
    let mut inner = around.create_embedded().await.unwrap();
    inner.set_props(&set(&captured)).await.unwrap();
    inner.save().await.unwrap();
    assert_eq!(inner.id(), None);
    around.save().await.unwrap();
    let mut third = message.create_attachment().await.unwrap();
    third.save().await.unwrap();
    message.delete_attachment(2).await.unwrap();
    let id = message.save().await.unwrap();
    assert_eq!(id, Mid::from_u64(fid(0x44_0206).to_u64()));
    let all = message.all_props().await.unwrap();
    assert_eq!(all.text(tags::SUBJECT), Some("a subject"));
    assert_eq!(all.text(tags::BODY), Some("Plain text body.\r\nSecond line.\r\n"));
    let list = message.prop_list().await.unwrap();
    assert!(list.contains(&tags::BODY));
    let RequestBody::GetPropertiesSpecific(body) = captured.next() else { panic!() };
    let some = message.props(&body.tags).await.unwrap();
    assert!(some.binary(tags::SOURCE_KEY).is_some());
    message.reload().await.unwrap();
    assert_eq!(message.subject(), Some("Löwe und Maus — capture"));
    message.set_read_flag(ReadFlag::Read).await.unwrap();
    let RequestBody::DeleteProperties(body) = captured.next() else { panic!() };
    message.delete_props(&body.tags).await.unwrap();

    let mut again = folder.open_message(id, Access::ReadWrite).await.unwrap();
    let recipients = again.recipients().await.unwrap();
    let kinds: Vec<_> = recipients.iter().map(|r| r.props.int(tags::RECIPIENT_TYPE).unwrap()).collect();
    assert_eq!(kinds, [1, 2, 3]);
    assert!(recipients.iter().all(|r| r.props.text(tags::SMTP_ADDRESS).is_some()));
    assert_eq!(code(again.save().await.unwrap_err()), MapiCode::ObjectModified);
    assert_eq!(again.save_anyway().await.unwrap(), id);

    let copy = new_message(&folder).await;
    assert_eq!(message.copy_to(&copy, &[tags::BODY], true).await.unwrap(), []);
    let part = new_message(&folder).await;
    let RequestBody::CopyProperties(body) = captured.next() else { panic!() };
    message.copy_props(&part, &body.tags).await.unwrap();
    captured.end();
}

#[tokio::test]
async fn the_folders_of_the_captures() {
    let numbers = [129, 130, 131, 216, 217, 218, 219, 233, 234, 235, 247, 259, 260, 272, 284, 296, 308, 309];
    let captured = Captured::group("04", &numbers);
    let top = Folder::open(&captured.logon(), fid(9)).await.unwrap();
    let writing = top.create_folder("Capture writing", "made by a probe", false).await.unwrap();
    let again = top.create_folder("Capture writing", "", false).await;
    assert_eq!(code(again.unwrap_err()), MapiCode::DuplicateName);
    assert_eq!(top.create_folder("Capture writing", "", true).await.unwrap().id(), writing.id());
    let sub_a = writing.create_folder("Sub A", "a", false).await.unwrap();
    let sub_b = writing.create_folder("Sub B", "b", false).await.unwrap();
    sub_a.create_folder("Deep", "d", false).await.unwrap();
    let RequestBody::MoveCopyMessages(body) = captured.next() else { panic!() };
    let copied = writing.transfer_messages(&body.message_ids, &sub_a, Transfer::Copy).await.unwrap();
    assert_eq!(copied, Completion::All);
    let RequestBody::MoveFolder(body) = captured.next() else { panic!() };
    assert_eq!(body.folder_id, sub_b.id());
    let name = |text: &Text| text.to_text();
    let _ = writing.transfer_folder(sub_b.id(), &sub_a, &name(&body.new_name), Transfer::Move).await.unwrap();
    let RequestBody::CopyFolder(body) = captured.next() else { panic!() };
    let to = if body.dest_index == 0 { &writing } else { &sub_a };
    let _ = writing.transfer_folder(body.folder_id, to, &name(&body.new_name), Transfer::Copy).await.unwrap();
    let RequestBody::MoveFolder(body) = captured.next() else { panic!() };
    let refused = writing.transfer_folder(body.folder_id, to, &name(&body.new_name), Transfer::Move).await;
    assert_eq!(code(refused.unwrap_err()), MapiCode::DuplicateName);
    assert_eq!(sub_a.empty(Deletion::Soft, Associated::Yes).await.unwrap(), Completion::All);
    // Nothing that was not asked for is deleted.
    let RequestBody::DeleteFolder(body) = captured.next() else { panic!() };
    assert_eq!(writing.delete_empty_folder(body.folder_id).await.unwrap(), Completion::Part);
    // That server says so of folders with folders in them.
    assert_eq!(writing.delete_folder(sub_a.id(), Deletion::Soft).await.unwrap(), Completion::Part);
    let plain = writing.create_folder("Plain", "", false).await.unwrap();
    assert_eq!(writing.delete_empty_folder(plain.id()).await.unwrap(), Completion::All);
    let _ = writing.delete_folder(sub_a.id(), Deletion::Hard).await.unwrap();
    let _ = writing.empty(Deletion::Hard, Associated::Yes).await.unwrap();
    let _ = top.delete_folder(writing.id(), Deletion::Hard).await;
    captured.end();
}

/// Exchange 190 of group 04: RopSetMessageStatus and RopGetMessageStatus.
#[tokio::test]
async fn the_status_of_a_message() {
    let logon = script::logon(|requests, mut handles| {
        let rops = match &requests[0].body {
            RequestBody::OpenFolder(body) => {
                handles[1] = 9;
                let answer = OpenFolderResponse { has_rules: false.into(), ghosted: Maybe(None) };
                let answer = RopResponse::success(body.output_index, ResponseBody::OpenFolder(answer));
                script::bytes(&[Response::Rop(answer)])
            }
            RequestBody::SetMessageStatus(_) | RequestBody::GetMessageStatus(_) => {
                vec![0x20, 0, 0, 0, 0, 0, 2, 0, 0, 0]
            }
            other => panic!("{other:?}"),
        };
        Ok((vec![rops], handles))
    });
    let folder = Folder::open(&logon, fid(9)).await.unwrap();
    assert_eq!(folder.set_message_status(Mid::from_u64(5), 2, 2).await.unwrap(), 2);
    assert_eq!(folder.message_status(Mid::from_u64(5)).await.unwrap(), 2);
}

#[tokio::test]
async fn the_appointment_of_the_captures() {
    let captured = Captured::group("07", &[704, 705, 707, 708, 709, 710, 714]);
    let calendar = Folder::open(&captured.logon(), fid(0xf)).await.unwrap();
    let RequestBody::OpenMessage(body) = captured.next() else { panic!() };
    let message = calendar.open_message(body.message_id, Access::ReadWrite).await.unwrap();
    let props = message.all_props().await.unwrap();
    assert_eq!(props.text(tags::MESSAGE_CLASS), Some("IPM.Appointment"));
    let attachment = message.open_attachment(0, Access::ReadOnly).await.unwrap();
    assert_eq!(attachment.all_props().await.unwrap().int(tags::ATTACH_METHOD), Some(5));
    let exception = attachment.open_embedded(Access::ReadOnly).await.unwrap();
    assert!(exception.all_props().await.unwrap().text(tags::SUBJECT).is_some());
    let none = message.open_attachment(0, Access::ReadOnly).await;
    assert_eq!(code(none.unwrap_err()), MapiCode::NotFound);
    captured.end();
}
