use watertight_testkit::{captures, mutate::survive};
use watertight_wire::{Reader, Wire, Writer};

use super::*;
use crate::GlobCnt;
use crate::ReplId;
use crate::http::body::{
    Answer, ExecuteRequest, ExecuteResponse, NotificationWaitRequest, NotificationWaitResponse,
};
use crate::http::ext;
use crate::rop::{Response, RopBuffer, read_requests, read_responses};

/// The RopNotify responses of the captured exchanges of group 01, with their numbers.
fn captured() -> Vec<(u32, Notify)> {
    let mut all = Vec::new();
    for e in captures::group("01").into_iter().filter(|e| e.request_type == "Execute" && e.n != 5) {
        let Ok(request) = ExecuteRequest::from_bytes(&e.request()) else { continue };
        let Ok(asked) = ext::unwrap(&request.rop_buffer, ext::Limits::default()) else { continue };
        let Ok(requests) = RopBuffer::from_bytes(&asked[0].bytes).map(|b| read_requests(&b.rops).unwrap())
        else {
            continue;
        };
        let Ok(Answer::Success(executed)) = ExecuteResponse::from_bytes(&e.response_body()) else { continue };
        for payload in ext::unwrap(&executed.rop_buffer, ext::Limits::default()).unwrap() {
            let buffer = RopBuffer::from_bytes(&payload.bytes).unwrap();
            let columns = |_: &_| vec![crate::prop::tags::MID, crate::prop::tags::SUBJECT];
            let Ok(responses) = read_responses(&buffer.rops, &requests, columns) else { continue };
            all.extend(responses.into_iter().filter_map(|response| match response {
                Response::Notify(notify) => Some((e.n, notify)),
                _ => None,
            }));
        }
    }
    all
}

#[test]
fn captured_notifications_are_read_and_written_again() {
    let all = captured();
    let kinds = |kind: EventKinds| {
        all.iter().filter(|(_, n)| Event::from_data(n.data.clone()).kind() == kind).count()
    };
    assert_eq!(all.len(), 21);
    assert_eq!(kinds(EventKinds::NewMail), 1);
    assert_eq!(kinds(EventKinds::ObjectCreated), 3);
    assert_eq!(kinds(EventKinds::ObjectModified), 9);
    assert_eq!(kinds(EventKinds::ObjectMoved), 1);
    assert_eq!(kinds(EventKinds::TableModified), 7);
    for (number, notify) in &all {
        let read = Notification::from(notify.clone());
        assert_ne!(read.event, Event::Unknown, "{number}");
        let mut expected = notify.clone();
        if expected.data.table_event == Some(1) {
            // The M bit announces fields that this event does not have.
            expected.data.flags &= !MESSAGE;
        }
        assert_eq!(Notify::from(read), expected, "{number}");
        let bytes = notify.to_bytes().unwrap();
        assert_eq!(&Notify::from_bytes(&bytes).unwrap(), notify);
        survive(&bytes, |b| {
            if let Ok(notify) = Notify::from_bytes(b) {
                let again = Notify::from(Notification::from(notify)).to_bytes().unwrap();
                assert_eq!(Notify::from_bytes(&again).unwrap().to_bytes().unwrap(), again);
            }
        });
    }
    let mail = all.iter().find(|(n, notify)| *n == 15 && notify.data.new_mail.is_some()).unwrap();
    let Event::NewMail { object, flags, class } = Event::from_data(mail.1.data.clone()) else { panic!() };
    assert_eq!((flags, class.as_str()), (2, "IPM.Note"));
    assert_eq!(object.message.unwrap().counter.value(), 0x3029e);
}

fn fid(counter: u64) -> Fid {
    Fid::new(ReplId(1), GlobCnt::new(counter).unwrap())
}

fn mid(counter: u64) -> Mid {
    Mid::new(ReplId(1), GlobCnt::new(counter).unwrap())
}

/// One of every kind, of folders, messages and messages in search folders.
fn every_event() -> Vec<Event> {
    let message = Target::message(fid(2), mid(3));
    let folder = Target::folder(fid(2), Some(fid(1)));
    let found = Target { parent: Some(fid(9)), ..message };
    let row = |n| TableRow { folder_id: fid(2), message: Some((mid(n), 0)) };
    let folder_row = |n| TableRow { folder_id: fid(n), message: None };
    let mut events = vec![
        Event::NewMail { object: message, flags: 2, class: "IPM.Note".into() },
        Event::NewMail { object: message, flags: 2, class: "IPM.Ünote".into() },
        Event::SearchComplete(fid(4)),
        Event::Modified(message, Counts::default()),
        Event::Modified(Target::folder(fid(2), None), Counts { total: Some(3), unread: None }),
        Event::Modified(Target::folder(fid(2), None), Counts { total: Some(3), unread: Some(1) }),
        Event::Table(TableEvent::Changed),
        Event::Table(TableEvent::RestrictionChanged),
        Event::Table(TableEvent::Deleted(row(5))),
        Event::Table(TableEvent::Deleted(folder_row(5))),
        Event::Table(TableEvent::Added(row(5), row(6), vec![1, 2])),
        Event::Table(TableEvent::Modified(folder_row(5), folder_row(6), vec![])),
        Event::Moved { to: message, from: Target::message(fid(7), mid(8)) },
        Event::Copied { to: folder, from: Target::folder(fid(7), Some(fid(1))) },
    ];
    for target in [message, folder, found] {
        events.extend([Event::Created(target), Event::Deleted(target)]);
    }
    events
}

#[test]
fn every_event_comes_back_from_its_bytes() {
    for event in every_event() {
        let notify = Notify::from(Notification { handle: 7, logon_id: 1, event: event.clone() });
        let mut w = Writer::new();
        Response::Notify(notify).write(&mut w).unwrap();
        let bytes = w.into_bytes();
        let mut r = Reader::new(&bytes, "RopsList");
        let Response::Notify(read) = Response::read(&mut r, None, &[]).unwrap() else { panic!() };
        assert!(r.is_empty(), "{event:?}");
        assert_eq!(Notification::from(read), Notification { handle: 7, logon_id: 1, event });
        survive(&bytes, |b| drop(Response::read(&mut Reader::new(b, "RopsList"), None, &[])));
    }
}

#[test]
fn waits_are_read_and_written_again() {
    let mut answered = 0;
    for e in captures::group("01").into_iter().filter(|e| e.request_type == "NotificationWait") {
        let request = NotificationWaitRequest::from_bytes(&e.request()).unwrap();
        assert_eq!(request.to_bytes().unwrap(), e.request());
        survive(&e.request(), |b| drop(NotificationWaitRequest::from_bytes(b)));
        // One wait was given up by the client.
        if e.label.contains("gives up") {
            continue;
        }
        let body = e.response_body();
        let Answer::Success(waited) = NotificationWaitResponse::from_bytes(&body).unwrap() else { panic!() };
        assert_eq!(waited.event_pending, 1, "{}", e.label);
        assert_eq!(NotificationWaitResponse::Success(waited).to_bytes().unwrap(), body);
        survive(&body, |b| drop(NotificationWaitResponse::from_bytes(b)));
        answered += 1;
    }
    assert_eq!(answered, 5);
}
