//! Notifications: the client against the bytes of a real server's waits, and against servers that never answer.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use watertight_ledger::Ledger;
use watertight_mapi::notification::{Event, EventKinds, TableEvent};
use watertight_mapi_client::{Connector, Credentials, Endpoint, Error, Scope, Session};
use watertight_testkit::captures;

use crate::kit::{impatient, options};

/// What a server answers, by request type; each answer once, in order.
type Script = Arc<Mutex<HashMap<String, VecDeque<Vec<u8>>>>>;

struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
    /// The cookies of each request, by type.
    cookies: Arc<Mutex<Vec<(String, String)>>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A server that answers with these captured exchanges of group 01, and with nothing where there are no more.
async fn server(numbers: &[u32], more: &[(&str, Vec<u8>)]) -> Server {
    let mut answers: HashMap<String, VecDeque<Vec<u8>>> = HashMap::new();
    let captured = captures::group("01");
    for number in numbers {
        let exchange = captured.iter().find(|e| e.n == *number).unwrap();
        let bytes = exchange.raw_response().unwrap();
        answers.entry(exchange.request_type.clone()).or_default().push_back(bytes);
    }
    for (request_type, bytes) in more {
        answers.entry((*request_type).to_owned()).or_default().push_back(bytes.clone());
    }
    let script: Script = Arc::new(Mutex::new(answers));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cookies = Arc::default();
    let seen = Arc::clone(&cookies);
    let task = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(socket, Arc::clone(&script), Arc::clone(&seen)));
        }
    });
    Server { address, task, cookies }
}

async fn answer(mut socket: TcpStream, script: Script, seen: Arc<Mutex<Vec<(String, String)>>>) {
    let mut buffer = Vec::new();
    loop {
        let Some(end) = buffer.windows(4).position(|w: &[u8]| w == b"\r\n\r\n") else {
            if socket.read_buf(&mut buffer).await.is_ok_and(|n| n > 0) {
                continue;
            }
            return;
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        let header = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.to_owned())
                .unwrap_or_default()
        };
        let length: usize = header("content-length").parse().unwrap();
        while buffer.len() < end + 4 + length {
            if !socket.read_buf(&mut buffer).await.is_ok_and(|n| n > 0) {
                return;
            }
        }
        buffer.drain(..end + 4 + length);
        let request_type = header("x-requesttype");
        seen.lock().unwrap().push((request_type.clone(), header("cookie")));
        let answer = script.lock().unwrap().get_mut(&request_type).and_then(VecDeque::pop_front);
        // What is not in the script is never answered.
        let Some(answer) = answer else {
            let _ = socket.read_buf(&mut buffer).await;
            return;
        };
        if socket.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn session(server: &Server, ledger: &Ledger, patient: bool) -> (Connector, Session) {
    let endpoint = Endpoint::parse(&format!("http://{}/mapi/emsmdb/", server.address)).unwrap();
    let credentials = Credentials::new("u3@test.local", "secret").unwrap();
    let options = if patient { options() } else { impatient() };
    let connector = Connector::new(endpoint, &credentials, options, ledger).unwrap();
    let session = connector.connect("/o=x").await.unwrap();
    (connector, session)
}

async fn nothing_left(connector: Connector, ledger: &Ledger) {
    connector.idle().await;
    drop(connector);
    assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn captured_waits_and_notifications_are_understood() {
    let ledger = Ledger::new("test");
    let server = server(&[1, 2, 6, 7, 8, 9, 10, 11, 14, 15, 57], &[]).await;
    let (connector, session) = session(&server, &ledger, true).await;
    let logon = session.logon("/o=x").await.unwrap();
    let subscription = logon.subscribe(EventKinds::OBJECTS, Scope::Store).await.unwrap();
    // PENDING twice, without line ends, and a second PROCESSING; then again at once.
    assert!(session.wait(LONG).await.unwrap());
    assert!(session.wait(LONG).await.unwrap());
    let first = session.notifications().await.unwrap();
    assert_eq!(first.len(), 3, "{first:?}");
    assert!(subscription.is_of(&first[0]) && !subscription.is_of(&first[1]));
    let Event::Created(created) = first[0].event else { panic!("{first:?}") };
    assert!(matches!(first[1].event, Event::Table(TableEvent::Added(..))));
    let Event::Modified(inbox, counts) = first[2].event else { panic!("{first:?}") };
    assert_eq!((inbox.folder, counts.total, counts.unread), (created.folder, Some(118), Some(113)));
    assert!(session.wait(LONG).await.unwrap());
    // They come behind the answer to another ROP; the exchange after it brings new mail.
    let second = session.notifications().await.unwrap();
    let Some(Event::Moved { to, from }) =
        second.iter().map(|n| &n.event).find(|e| e.kind() == EventKinds::ObjectMoved)
    else {
        panic!("{second:?}")
    };
    assert_eq!((from.folder, from.message), (created.folder, created.message));
    assert_ne!(to.folder, from.folder);
    assert!(session.wait(LONG).await.unwrap());
    let third = session.notifications().await.unwrap();
    assert!(third.iter().any(|n| matches!(&n.event, Event::NewMail { class, .. } if class == "IPM.Note")));
    drop((subscription, logon));
    session.disconnect().await.unwrap();
    // Each wait had the cookies of the last answer to another request, and changed none of them.
    let cookies = server.cookies.lock().unwrap().clone();
    let sequence = |cookie: &str| cookie.split_once("sequence=").unwrap().1.to_owned();
    for (at, (request_type, cookie)) in cookies.iter().enumerate() {
        if request_type == "NotificationWait" {
            let next = cookies[at..].iter().find(|(ty, _)| ty != "NotificationWait").unwrap();
            assert_eq!(sequence(cookie), sequence(&next.1));
        }
    }
    nothing_left(connector, &ledger).await;
}

#[tokio::test]
async fn a_wait_that_nobody_answers_ends_in_time_and_when_it_is_dropped() {
    let ledger = Ledger::new("test");
    let server = server(&[1, 2, 57], &[]).await;
    let (connector, session) = session(&server, &ledger, true).await;
    let logon = session.logon("/o=x").await.unwrap();
    assert!(!session.wait(Duration::from_millis(50)).await.unwrap());
    for _ in 0..20 {
        let mut wait = Box::pin(session.wait(LONG));
        assert!(tokio::time::timeout(Duration::from_millis(2), &mut wait).await.is_err());
    }
    let client = ledger.inspect().children.remove(0).kinds;
    assert_eq!((client["waits"].now, client["connections"].now), (0, 1));
    drop(logon);
    session.disconnect().await.unwrap();
    nothing_left(connector, &ledger).await;
}

/// PENDING, and the next one does not come.
#[tokio::test]
async fn a_wait_whose_server_falls_silent_is_an_error() {
    let ledger = Ledger::new("test");
    let head =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/mapi-http\r\nX-ResponseCode: 0\r\nTransfer-Encoding: \
                 chunked\r\n\r\nC\r\nPROCESSING\r\n\r\n9\r\nPENDING\r\n\r\n";
    let server = server(&[1, 2, 57], &[("NotificationWait", head.to_vec())]).await;
    let (connector, session) = session(&server, &ledger, false).await;
    let logon = session.logon("/o=x").await.unwrap();
    assert!(matches!(session.wait(LONG).await, Err(Error::Reach(_))));
    drop(logon);
    session.disconnect().await.unwrap();
    nothing_left(connector, &ledger).await;
}

#[tokio::test]
async fn a_session_that_the_server_forgot_is_lost() {
    let ledger = Ledger::new("test");
    let forgotten =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-ResponseCode: 10\r\nContent-Length: 0\r\n\r\n";
    let server = server(&[1, 57], &[("NotificationWait", forgotten.to_vec())]).await;
    let (connector, session) = session(&server, &ledger, true).await;
    assert!(matches!(session.wait(LONG).await, Err(Error::SessionLost(_))));
    session.disconnect().await.unwrap();
    nothing_left(connector, &ledger).await;
}
