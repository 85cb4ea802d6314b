//! Everything that can go wrong gives one clear error and leaves nothing behind.

use std::time::Duration;

use watertight_mapi::ics::State;
use watertight_mapi_client::{
    Connector, Credentials, Endpoint, Error, ErrorClass, Lost, Mailbox, Options, ProtocolError, ReachError,
    SignInError, SpecialFolder, SyncOptions,
};
use watertight_testkit::replay::{Fault, When};

use crate::kit::{Bench, Brought, drain, impatient, options};

const GET_BUFFER: u8 = 0x4E;
const LOGON: u8 = 0xFE;

/// One synchronization of the Inbox from connect to disconnect.
async fn run(bench: &Bench) -> Result<Brought, Error> {
    let session = bench.connector.connect(&bench.dn).await?;
    let logon = session.logon(&bench.dn).await?;
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let mut contents = logon.sync_contents(inbox, &State::default(), &SyncOptions::default()).await?;
    let brought = drain(&mut contents).await?;
    drop((contents, logon));
    session.disconnect().await?;
    Ok(brought)
}

/// A fault, its name, and whether an error is the right one.
type Case = (&'static str, Fault, fn(&Error) -> bool);

fn cases() -> Vec<Case> {
    #[expect(clippy::ptr_arg, reason = "a patch may change the length")]
    fn patched(body: &mut Vec<u8>) {
        // RopBufferSize of Execute's response; AuxiliaryBufferSize of Connect's.
        body[13] ^= 0x80;
        if let Some(at) = body.len().checked_sub(39) {
            body[at] ^= 0x80;
        }
    }
    fn shortened(body: &mut Vec<u8>) {
        body.truncate(body.len() * 2 / 3);
    }
    fn interrupted(error: &Error) -> bool {
        matches!(error, Error::Reach(ReachError::Interrupted { .. })) && error.wants_new_session()
    }
    fn protocol(error: &Error) -> bool {
        matches!(error, Error::Protocol(_)) && error.class() == ErrorClass::Protocol
    }
    vec![
        ("cut", Fault::Cut, interrupted),
        ("drop", Fault::Drop, interrupted),
        ("stall", Fault::Stall, |e| matches!(e, Error::Reach(ReachError::Stalled { .. }))),
        ("pending for ever", Fault::Pending, |e| matches!(e, Error::Protocol(ProtocolError::Endless { .. }))),
        ("endless", Fault::Endless, |e| matches!(e, Error::Protocol(ProtocolError::Framing(_)))),
        ("no HTTP", Fault::Garbage(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n".to_vec()), |e| {
            matches!(e, Error::Protocol(ProtocolError::Http(_)))
        }),
        ("half a header", Fault::Garbage(b"HTTP/1.1 200 OK\r\nX-Response".to_vec()), interrupted),
        ("another web server", Fault::Garbage(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi".to_vec()), |e| {
            matches!(e, Error::NotMapi { .. }) && e.class() == ErrorClass::Reach
        }),
        ("no meta-tags", Fault::Garbage(b"HTTP/1.1 200 OK\r\nContent-Type: application/mapi-http\r\nX-ResponseCode: 0\r\nContent-Length: 2\r\n\r\nhi".to_vec()), |e| {
            matches!(e, Error::Protocol(ProtocolError::Framing(_)))
        }),
        ("body cut to nothing", Fault::Body(Vec::new()), protocol),
        ("body of noise", Fault::Body(vec![0xA5; 3000]), |e| {
            matches!(e, Error::Protocol(_) | Error::Refused { .. })
        }),
        ("zeros", Fault::Body(vec![0; 3000]), protocol),
        ("wrong lengths", Fault::Patch(patched), protocol),
        ("body too short", Fault::Patch(shortened), protocol),
        ("404", Fault::Status(404, Vec::new()), |e| matches!(e, Error::NotMapi { .. })),
        ("redirect", Fault::Status(302, vec![("Location", "https://elsewhere.example/?secret".to_owned())]), |e| {
            matches!(e, Error::NotMapi { why, .. } if why == "it sends the client to https://elsewhere.example/")
        }),
        ("500", Fault::Status(500, Vec::new()), |e| matches!(e, Error::Protocol(ProtocolError::Status(500)))),
        ("401", Fault::Status(401, Vec::new()), |e| {
            matches!(e, Error::SignIn(SignInError::Credentials)) && e.class() == ErrorClass::SignIn
        }),
        ("401 without Basic", Fault::Status(401, vec![("WWW-Authenticate", "Negotiate".to_owned())]), |e| {
            matches!(e, Error::SignIn(SignInError::NotOffered { .. }))
        }),
        ("403", Fault::Status(403, Vec::new()), |e| matches!(e, Error::SignIn(SignInError::Forbidden))),
        ("no privilege", Fault::ResponseCode(11), |e| matches!(e, Error::SignIn(SignInError::NoPrivilege(_)))),
        ("context not found", Fault::ResponseCode(10), |e| {
            matches!(e, Error::SessionLost(Lost::Forgotten(_))) && e.wants_new_session()
        }),
        ("invalid sequence", Fault::ResponseCode(15), |e| matches!(e, Error::SessionLost(Lost::Forgotten(_)))),
        ("unknown failure", Fault::ResponseCode(1), |e| {
            matches!(e, Error::Protocol(ProtocolError::ResponseCode(_)))
        }),
    ]
}

/// Faults after which the client cannot know of the session that Connect made.
const NO_COOKIES: [&str; 5] = ["drop", "no HTTP", "half a header", "another web server", "no meta-tags"];

#[tokio::test]
async fn each_fault_is_one_clear_error_and_leaves_nothing() {
    let places = [
        ("Connect", When::request("Connect")),
        ("RopLogon", When::rop(LOGON)),
        ("the first buffer", When::rop(GET_BUFFER)),
        ("a later buffer", When::rop(GET_BUFFER).after(7)),
    ];
    for (place, when) in places {
        for (name, fault, is_right) in cases() {
            let bench = Bench::with(if name == "stall" { impatient() } else { options() });
            bench.replay.fault(when.clone(), fault);
            let error = run(&bench).await.expect_err(name);
            assert!(is_right(&error), "{name} at {place}: {error:?}");
            let text = error.to_string();
            assert!(!text.contains("secret") && !text.ends_with('.'), "{name}: {text}");
            bench.replay.heal();
            if place == "Connect" {
                assert_eq!(bench.ledger.held(), 0, "{name} at {place}: {}", bench.ledger.inspect());
            }
            bench.connector.idle().await;
            assert_eq!(bench.ledger.held(), 0, "{name} at {place}: {}", bench.ledger.inspect());
            assert_eq!(bench.replay.quiet().connections, 0, "{name} at {place}");
            let unknown = place == "Connect" && NO_COOKIES.contains(&name);
            let left = bench.replay.counts().sessions;
            assert!(left == 0 || unknown, "{name} at {place}: {left} sessions left");
            bench.replay.forget_sessions();
            // And after that it works.
            let session = bench.connector.connect(&bench.dn).await.unwrap();
            session.disconnect().await.unwrap();
            bench.assert_nothing_left().await;
        }
    }
}

#[tokio::test]
async fn a_busy_server_is_left_alone_for_a_while() {
    let bench = Bench::new();
    let soon = vec![("Retry-After", "0".to_owned())];
    for when in [When::request("Connect"), When::rop(LOGON), When::rop(GET_BUFFER).after(2)] {
        bench.replay.fault(when.clone(), Fault::Status(503, soon.clone()));
        bench.replay.fault(when.clone().after(1), Fault::Status(429, Vec::new()));
        assert_eq!(run(&bench).await.unwrap().messages, 123);
        bench.replay.heal();
    }
    bench.replay.fault(When::rop(GET_BUFFER).after(1).times(2), Fault::Backoff(2));
    assert_eq!(run(&bench).await.unwrap().messages, 123);
    bench.replay.heal();

    // Too often, or for too long.
    bench.replay.fault(When::rop(GET_BUFFER).always(), Fault::Backoff(2));
    assert!(matches!(run(&bench).await, Err(Error::Busy { tries: 3, retry_after: Some(_) })));
    bench.replay.heal();
    bench.replay.fault(When::request("Connect").always(), Fault::Status(503, soon));
    assert!(matches!(run(&bench).await, Err(Error::Busy { tries: 3, .. })));
    bench.replay.heal();
    let tomorrow = vec![("Retry-After", "86400".to_owned())];
    bench.replay.fault(When::request("Connect"), Fault::Status(503, tomorrow));
    let error = run(&bench).await.unwrap_err();
    assert_eq!(error.to_string(), "the server is busy, 1 tries did not help; try again in 86400 s");
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn a_connection_that_was_closed_between_requests_is_made_again() {
    let bench = Bench::new();
    // The server says so.
    bench.replay.fault(When::request("Connect"), Fault::CloseAfter { announced: true });
    bench.replay.fault(When::rop(LOGON), Fault::CloseAfter { announced: true });
    bench.replay.fault(When::rop(GET_BUFFER).times(10), Fault::CloseAfter { announced: true });
    assert_eq!(run(&bench).await.unwrap().messages, 123);
    assert_eq!(bench.replay.counts().connections_ever, 13);
    bench.assert_nothing_left().await;

    // It does so without a word, while nothing is on its way.
    bench.replay.fault(When::request("Connect"), Fault::CloseAfter { announced: false });
    let session = bench.connector.connect(&bench.dn).await.unwrap();
    assert_eq!(bench.replay.quiet().connections, 0);
    session.ping().await.unwrap();
    session.disconnect().await.unwrap();
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn a_lost_session_is_made_again_and_the_work_repeated_from_the_state() {
    for fault in
        [Fault::ResponseCode(10), Fault::Cut, Fault::Drop, Fault::Stall, Fault::Status(502, Vec::new())]
    {
        let stall = matches!(fault, Fault::Stall);
        let bench = Bench::with(if stall { impatient() } else { options() });
        bench.replay.fault(When::rop(GET_BUFFER).after(5), fault);
        let mut mailbox = Mailbox::new(bench.connector.clone(), bench.dn.clone());
        let brought = loop {
            let step = async {
                let logon = mailbox.logon().await?;
                let inbox = logon.special_folder(SpecialFolder::Inbox);
                let mut contents =
                    logon.sync_contents(inbox, &State::default(), &SyncOptions::default()).await?;
                drain(&mut contents).await
            };
            match step.await {
                Ok(brought) => break brought,
                Err(error) => mailbox.again(error).await.unwrap(),
            }
        };
        assert_eq!(brought.messages, 123);
        mailbox.progressed();
        mailbox.disconnect().await.unwrap();
        assert_eq!(bench.replay.counts().sessions_ever, 2);
        bench.assert_nothing_left().await;
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_kept_is_given_up() {
    let bench = Bench::new();
    bench.replay.fault(When::rop(GET_BUFFER).always(), Fault::Drop);
    let mut mailbox = Mailbox::new(bench.connector.clone(), bench.dn.clone());
    let error = loop {
        let logon = mailbox.logon().await.unwrap();
        let inbox = logon.special_folder(SpecialFolder::Inbox);
        let step = logon.sync_contents(inbox, &State::default(), &SyncOptions::default()).await;
        if let Err(error) = mailbox.again(step.unwrap_err()).await {
            break error;
        }
    };
    assert!(matches!(error, Error::Reach(ReachError::Interrupted { .. })), "{error:?}");
    drop(mailbox);
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so() {
    let bench = Bench::new();
    assert!(matches!(
        bench.connector.connect("/o=nobody").await,
        Err(Error::SignIn(SignInError::NoMailbox(code))) if code.0 == 0x3EB
    ));
    let session = bench.connector.connect(&bench.dn).await.unwrap();
    assert!(matches!(session.logon("/o=nobody").await, Err(Error::SignIn(SignInError::NoMailbox(_)))));
    session.disconnect().await.unwrap();
    bench.replay.require_authorization("Basic dTRAdGVzdC5sb2NhbDpzZWNyZXQ=");
    assert_eq!(run(&bench).await.unwrap().messages, 123);
    bench.replay.require_authorization("Basic something else");
    let error = run(&bench).await.unwrap_err();
    assert_eq!(error.to_string(), "the server does not accept the user name and password; check both");
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_apart() {
    let ledger = watertight_ledger::Ledger::new("test");
    let credentials = Credentials::new("u", "p").unwrap();
    let connect = |url: String, options: Options| {
        let connector =
            Connector::new(Endpoint::parse(&url).unwrap(), &credentials, options, &ledger).unwrap();
        async move { connector.connect("/o=x").await.map(drop).unwrap_err() }
    };
    // A port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = connect(format!("http://127.0.0.1:{port}/mapi/emsmdb/"), options()).await;
    assert!(matches!(&error, Error::Reach(ReachError::Connect { .. })), "{error:?}");
    assert!(error.to_string().starts_with(&format!("127.0.0.1:{port} cannot be reached (")), "{error}");
    assert_eq!(error.class(), ErrorClass::Reach);

    // TLS where the server says nothing: the listener never accepts.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://127.0.0.1:{}/mapi/emsmdb/", silent.local_addr().unwrap().port());
    let quick = Options { connect_timeout: Duration::from_millis(200), ..options() };
    let error = connect(url, quick).await;
    assert!(matches!(error, Error::Reach(ReachError::ConnectTimeout { .. })), "{error:?}");
    assert_eq!(ledger.held(), 0);
}

#[tokio::test]
async fn a_server_that_says_pending_is_waited_for_but_not_for_ever() {
    let patient = Options { read_timeout: Duration::from_millis(1500), ..options() };
    let bench = Bench::with(patient.clone());
    bench.replay.fault(When::rop(LOGON), Fault::Slow(8));
    assert_eq!(run(&bench).await.unwrap().messages, 123);
    bench.assert_nothing_left().await;

    let bench = Bench::with(Options { response_timeout: Duration::from_secs(1), ..patient });
    bench.replay.fault(When::rop(LOGON), Fault::Slow(u32::MAX));
    let error = run(&bench).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server broke the protocol: a response that was not complete after 1 s; check the URL, and what the server's own log says"
    );
    bench.assert_nothing_left().await;
}
