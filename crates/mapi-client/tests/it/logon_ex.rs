//! MAPILogonEx and Logoff: which profile, which session, who is asked, and what is left when it goes wrong.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use watertight_mapi::MapiCode;
use watertight_mapi::ics::State;
use watertight_mapi_client::{
    Answer, ErrorClass, LogoffFlags, LogonFlags, LogonUi, Mapi, MapiError, MapiSession, NoUi, Options,
    Profile, ProfileSet, Profiles, Question, SpecialFolder, SyncOptions,
};
use watertight_testkit::replay::{Fault, When};
use zeroize::Zeroizing;

use crate::kit::{Bench, impatient, options};

const LOGON: u8 = 0xFE;
const PASSWORD: Option<&str> = Some("secret");
const NEW: LogonFlags = LogonFlags::NEW_SESSION;

/// A user who answers what was written down before, and notes what was asked.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Option<&'static str>>>,
    asked: Mutex<Vec<String>>,
}

impl Script {
    fn new(answers: &[Option<&'static str>]) -> Self {
        Self { answers: Mutex::new(answers.iter().copied().collect()), asked: Mutex::default() }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl LogonUi for Script {
    async fn ask(&self, question: Question<'_>) -> Answer {
        let word = match question {
            Question::Profile { known } => format!("profile {}", known.join(" ")),
            Question::Server { known, .. } => format!("server {}", known.is_some()),
            Question::User { known, .. } => format!("user {}", known.is_some()),
            Question::Password { refused, .. } => format!("password {refused}"),
            _ => "?".to_owned(),
        };
        self.asked.lock().unwrap().push(word);
        match self.answers.lock().unwrap().pop_front() {
            Some(Some(text)) => Answer::Text(Zeroizing::new(text.to_owned())),
            Some(None) => Answer::Cancel,
            None => Answer::Nobody,
        }
    }
}

async fn logon(mapi: &Mapi, flags: LogonFlags) -> Result<MapiSession, MapiError> {
    mapi.logon_ex(&NoUi, Some("work"), PASSWORD, flags).await
}

/// A code, and words that the message must have.
fn is(error: &MapiError, code: MapiCode, words: &[&str]) {
    let shown = error.to_string();
    assert_eq!(error.code(), code, "{shown}");
    assert!(words.iter().all(|word| shown.contains(word)), "{shown}");
}

#[tokio::test]
async fn the_loop_of_the_document() {
    let bench = Bench::new();
    let mapi = bench.mapi();
    // It shows no dialog when nothing is missing.
    let ui = Script::default();
    for _ in 0..100 {
        let session = mapi.logon_ex(&ui, Some("work"), PASSWORD, LogonFlags::Q293150).await.unwrap();
        session.logoff(LogoffFlags::empty()).await.unwrap();
    }
    assert!(ui.asked().is_empty());
    let counts = bench.replay.counts();
    assert_eq!((counts.sessions_ever, counts.sessions, counts.connections_ever), (100, 0, 1));
    mapi.idle().await;
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn a_session_knows_whose_it_is() {
    let bench = Bench::new();
    let mapi = bench.mapi();
    let session = logon(&mapi, NEW).await.unwrap();
    let identity = session.query_identity().unwrap();
    assert_eq!((identity.user.as_str(), identity.profile.as_str()), ("u4@test.local", "work"));
    assert_eq!(identity.legacy_dn, bench.dn);
    let entry_id = identity.entry_id();
    assert_eq!(entry_id[..8], [0, 0, 0, 0, 0xDC, 0xA7, 0x40, 0xC8]);
    assert_eq!(entry_id.len(), 28 + bench.dn.len() + 1);
    let store = session.open_msg_store().unwrap();
    assert_eq!(store.mailbox_guid(), identity.mailbox);
    store.open_folder(store.special_folder(SpecialFolder::Inbox)).await.unwrap();
    assert!(!session.is_shared().unwrap());
    assert!(session.info().unwrap().server_application.is_some());
    assert!(session.last_error().is_none());
    session.logoff(LogoffFlags::UI).await.unwrap();
    mapi.idle().await;
    bench.assert_nothing_left().await;
}

/// Which profile a name and flags mean.
#[tokio::test]
async fn the_profile_is_the_one_that_the_document_says() {
    use LogonFlags as F;
    let bench = Bench::new();
    let mut set = bench.profiles();
    let mut other = set.profiles["work"].clone();
    other.user = Some("other@test.local".to_owned());
    set.profiles.insert("other".to_owned(), other);
    let without_default = ProfileSet { default: None, ..set.clone() };
    type Case<'a> = (&'a ProfileSet, Option<&'a str>, F, Result<&'a str, MapiCode>);
    let cases: [Case<'_>; 12] = [
        // The default stands in the place of the name.
        (&set, Some("other"), F::USE_DEFAULT, Ok("work")),
        (&set, Some("other"), F::USE_DEFAULT | F::EXPLICIT_PROFILE, Ok("work")),
        (&set, None, F::USE_DEFAULT, Ok("work")),
        (&set, Some(""), F::USE_DEFAULT, Ok("work")),
        (&set, None, F::USE_DEFAULT | F::EXPLICIT_PROFILE, Ok("work")),
        // Without the flag, it does not.
        (&set, Some("other"), F::empty(), Ok("other")),
        (&set, Some("other"), F::EXPLICIT_PROFILE, Ok("other")),
        (&set, None, F::empty(), Err(MapiCode::LogonFailed)),
        (&set, None, F::EXPLICIT_PROFILE, Err(MapiCode::LogonFailed)),
        // Where there is none, the name stands.
        (&without_default, Some("other"), F::USE_DEFAULT, Ok("other")),
        (&without_default, None, F::USE_DEFAULT, Err(MapiCode::LogonFailed)),
        (&without_default, Some("third"), F::USE_DEFAULT, Err(MapiCode::NotFound)),
    ];
    for (set, name, flags, expected) in cases {
        let mapi = Mapi::new(Profiles::of(set.clone()), options(), &bench.ledger);
        let result = mapi.logon_ex(&NoUi, name, PASSWORD, flags | NEW).await;
        let got = match &result {
            Ok(session) => Ok(session.query_identity().unwrap().profile),
            Err(error) => Err(error.code()),
        };
        assert_eq!(got, expected.map(str::to_owned), "{name:?} {flags:?} {result:?}");
        drop(result);
        mapi.idle().await;
    }
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn what_is_missing_is_asked_for_and_only_that() {
    let bench = Bench::new();
    bench.replay.require_authorization("Basic dTRAdGVzdC5sb2NhbDpzZWNyZXQ=");
    let ui_flags = NEW | LogonFlags::LOGON_UI;
    let mapi = bench.mapi();

    // The password; typed once, it is known.
    let ui = Script::new(&[Some("secret")]);
    for _ in 0..3 {
        mapi.logon_ex(&ui, Some("work"), None, ui_flags).await.unwrap();
    }
    assert_eq!(ui.asked(), ["password false"]);

    // Mistyped, it is asked for again, three times in all, and not kept.
    let mapi = bench.mapi();
    let ui = Script::new(&[Some("wrong"), Some("secret")]);
    mapi.logon_ex(&ui, Some("work"), None, ui_flags).await.unwrap();
    assert_eq!(ui.asked(), ["password false", "password true"]);
    let mapi = bench.mapi();
    let ui = Script::new(&[Some("a"), Some("b"), Some("c"), Some("secret")]);
    is(
        &mapi.logon_ex(&ui, Some("work"), None, ui_flags).await.unwrap_err(),
        MapiCode::LogonFailed,
        &["check both"],
    );
    assert_eq!(ui.asked().len(), 3);
    mapi.logon_ex(&ui, Some("work"), None, NEW | LogonFlags::PASSWORD_UI).await.unwrap();

    // One that is given and wrong is not missing.
    let ui = Script::new(&[Some("secret")]);
    let error = mapi.logon_ex(&ui, Some("work"), Some("wrong"), ui_flags).await.unwrap_err();
    is(&error, MapiCode::LogonFailed, &["profile \"work\"", "user name and password"]);
    assert_eq!(error.cause().unwrap().class(), ErrorClass::SignIn);
    assert!(ui.asked().is_empty());

    // The profile, where none is named and the default one is not asked for.
    let ui = Script::new(&[Some("work")]);
    mapi.logon_ex(&ui, None, PASSWORD, ui_flags | LogonFlags::EXPLICIT_PROFILE).await.unwrap();
    assert_eq!(ui.asked(), ["profile work"]);

    // What a profile lacks.
    let mut half = bench.profiles();
    half.profiles.get_mut("work").unwrap().user = None;
    let half = Mapi::new(Profiles::of(half), options(), &bench.ledger);
    let ui = Script::new(&[Some("u4@test.local")]);
    half.logon_ex(&ui, None, PASSWORD, ui_flags | LogonFlags::USE_DEFAULT).await.unwrap();
    assert_eq!(ui.asked(), ["user false"]);

    // Everything, if the caller wants that; an empty answer means what is known.
    let ui = Script::new(&[Some(""), Some("u4@test.local")]);
    mapi.logon_ex(&ui, Some("work"), PASSWORD, ui_flags | LogonFlags::SERVICE_UI_ALWAYS).await.unwrap();
    assert_eq!(ui.asked(), ["server true", "user true"]);

    // Without the flag nobody is asked; with it, the user may not want to, or may not be there.
    let mapi = bench.mapi();
    let ui = Script::new(&[Some("secret")]);
    is(
        &mapi.logon_ex(&ui, Some("work"), None, NEW).await.unwrap_err(),
        MapiCode::UnconfiguredLogon,
        &["no password"],
    );
    assert!(ui.asked().is_empty());
    let ui = Script::new(&[None]);
    is(
        &mapi.logon_ex(&ui, None, None, ui_flags).await.unwrap_err(),
        MapiCode::UserCancel,
        &["MAPI_E_USER_CANCEL (0x80040113)"],
    );
    is(
        &mapi.logon_ex(&NoUi, None, None, ui_flags).await.unwrap_err(),
        MapiCode::LogonFailed,
        &["nobody can be asked", "work"],
    );

    // With no profiles at all: server, user and password.
    let none = Mapi::new(Profiles::of(ProfileSet::default()), options(), &bench.ledger);
    let url: &'static str = Box::leak(bench.replay.url().into_boxed_str());
    bench.replay.fault(When::request("Autodiscover").always(), Fault::Status(404, Vec::new()));
    let ui = Script::new(&[Some(url), Some("u4@test.local"), Some("secret")]);
    let error = none.logon_ex(&ui, None, None, ui_flags).await.unwrap_err();
    assert_eq!(ui.asked(), ["server false", "user false", "password false"]);
    is(&error, MapiCode::UnconfiguredLogon, &["Autodiscover", "404"]);
    for mapi in [mapi, half, none] {
        mapi.idle().await;
    }
    bench.connector.idle().await;
    assert_eq!(bench.replay.quiet().sessions, 0);
}

#[tokio::test]
async fn a_shared_session_is_one_for_all() {
    let bench = Bench::new();
    let mapi = bench.mapi();
    let first = logon(&mapi, NEW | LogonFlags::ALLOW_OTHERS).await.unwrap();
    assert!(first.is_shared().unwrap());
    // Whatever profile is named, and without credentials.
    let second = mapi.logon_ex(&NoUi, Some("no such"), None, LogonFlags::empty()).await.unwrap();
    let third = mapi.logon_ex(&NoUi, None, None, LogonFlags::ALLOW_OTHERS).await.unwrap();
    assert_eq!(bench.replay.counts().sessions_ever, 1);
    // One of their own for those who want that.
    let own = logon(&mapi, NEW).await.unwrap();
    assert_eq!(bench.replay.counts().sessions, 2);
    own.logoff(LogoffFlags::SHARED).await.unwrap();
    // It ends with the last of those who have it.
    first.logoff(LogoffFlags::empty()).await.unwrap();
    is(&first.open_msg_store().unwrap_err(), MapiCode::InvalidObject, &["logged off"]);
    drop(second);
    assert_eq!(bench.replay.counts().sessions, 1);
    let store = third.open_msg_store().unwrap();
    store.open_folder(store.special_folder(SpecialFolder::Inbox)).await.unwrap();
    third.logoff(LogoffFlags::empty()).await.unwrap();
    assert_eq!(bench.replay.counts().sessions, 0);
    // Nobody has it any more: it is no longer there to be had.
    let error = mapi.logon_ex(&NoUi, Some("no such"), None, LogonFlags::empty()).await.unwrap_err();
    is(&error, MapiCode::NotFound, &["no such"]);

    // One who has it ends it for all.
    let first = logon(&mapi, LogonFlags::ALLOW_OTHERS).await.unwrap();
    let second = logon(&mapi, LogonFlags::empty()).await.unwrap();
    let store = first.open_msg_store().unwrap();
    second.logoff(LogoffFlags::SHARED).await.unwrap();
    assert_eq!(bench.replay.counts().sessions, 0);
    is(&first.query_identity().unwrap_err(), MapiCode::EndOfSession, &["MAPI_E_END_OF_SESSION (0x80040200)"]);
    let error = store.open_folder(store.special_folder(SpecialFolder::Inbox)).await.unwrap_err();
    is(&first.note(error), MapiCode::InvalidObject, &["MAPI_E_INVALID_OBJECT"]);
    assert_eq!(first.last_error().unwrap().code(), MapiCode::InvalidObject);
    first.logoff(LogoffFlags::empty()).await.unwrap();
    // The next one gets a new one.
    logon(&mapi, LogonFlags::empty()).await.unwrap().logoff(LogoffFlags::empty()).await.unwrap();

    // A shared session that the server forgot is not handed out.
    let first = logon(&mapi, LogonFlags::ALLOW_OTHERS).await.unwrap();
    bench.replay.forget_sessions();
    let store = first.open_msg_store().unwrap();
    let error = store.open_folder(store.special_folder(SpecialFolder::Inbox)).await.unwrap_err();
    is(&first.note(error), MapiCode::EndOfSession, &["log on again"]);
    let second = logon(&mapi, LogonFlags::ALLOW_OTHERS).await.unwrap();
    let store = second.open_msg_store().unwrap();
    store.open_folder(store.special_folder(SpecialFolder::Inbox)).await.unwrap();
    drop((first, second, store));
    mapi.idle().await;
    bench.assert_nothing_left().await;
}

/// Many who want to share at once get one session; one of them who is in a hurry gives up.
#[tokio::test]
async fn those_who_share_wait_for_the_one_who_logs_on() {
    let bench = Bench::new();
    let mapi = bench.mapi();
    let share = LogonFlags::ALLOW_OTHERS;
    let sessions = futures_util::future::join_all((0..20).map(|_| logon(&mapi, share))).await;
    assert_eq!(bench.replay.counts().sessions_ever, 1);
    drop(sessions);
    mapi.idle().await;

    /// A user who never answers.
    struct Silent;
    #[async_trait]
    impl LogonUi for Silent {
        async fn ask(&self, _: Question<'_>) -> Answer {
            std::future::pending().await
        }
    }
    let slow = mapi.logon_ex(&Silent, Some("work"), None, share | LogonFlags::LOGON_UI);
    let hasty = logon(&mapi, LogonFlags::TIMEOUT_SHORT);
    let error = tokio::select! {
        biased;
        _ = slow => unreachable!(),
        result = hasty => result.unwrap_err(),
    };
    is(&error, MapiCode::Timeout, &["MAPI_E_TIMEOUT (0x80040401)", "held up"]);
    // And once the slow one has given up, all is as before.
    logon(&mapi, share).await.unwrap().logoff(LogoffFlags::empty()).await.unwrap();
    mapi.idle().await;
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn after_logoff_all_says_so_and_nothing_is_left() {
    let bench = Bench::new();
    let mapi = bench.mapi();
    let session = logon(&mapi, NEW).await.unwrap();
    let copy = session.clone();
    let store = session.open_msg_store().unwrap();
    let inbox = store.special_folder(SpecialFolder::Inbox);
    let folder = store.open_folder(inbox).await.unwrap();
    let mut download = folder.sync_contents(&State::default(), &SyncOptions::default()).await.unwrap();
    assert!(bench.replay.counts().handles >= 3);
    let before = bench.replay.counts().requests;
    session.logoff(LogoffFlags::empty()).await.unwrap();
    // One request for all of it.
    let counts = bench.replay.counts();
    assert_eq!((counts.requests - before, counts.handles, counts.sessions), (1, 0, 0));

    for session in [&session, &copy] {
        is(
            &session.open_msg_store().unwrap_err(),
            MapiCode::InvalidObject,
            &["MAPI_E_INVALID_OBJECT (0x80040108)", "log on again"],
        );
        is(&session.query_identity().unwrap_err(), MapiCode::InvalidObject, &["logged off"]);
        is(
            &session.logoff(LogoffFlags::empty()).await.unwrap_err(),
            MapiCode::InvalidObject,
            &["logged off"],
        );
        assert_eq!(session.last_error().unwrap().code(), MapiCode::InvalidObject);
    }
    let errors = [
        store.open_folder(inbox).await.unwrap_err(),
        folder.sync_contents(&State::default(), &SyncOptions::default()).await.unwrap_err(),
        async {
            loop {
                if let Err(error) = download.next_event().await {
                    break error;
                }
            }
        }
        .await,
    ];
    for error in errors {
        is(&session.note(error), MapiCode::InvalidObject, &["MAPI_E_INVALID_OBJECT", "ends with it"]);
    }
    // They are still held here, and hold nothing.
    mapi.idle().await;
    assert_eq!(bench.replay.quiet().connections, 0);
    drop((store, folder, download));
    assert_eq!(bench.ledger.held(), 0, "{}", bench.ledger.inspect());
}

/// What is still held when the last of the session is dropped does not keep it.
#[tokio::test]
async fn a_session_that_is_dropped_ends_what_was_opened_through_it() {
    let bench = Bench::new();
    let mapi = bench.mapi();
    let session = logon(&mapi, NEW).await.unwrap();
    let store = session.open_msg_store().unwrap();
    let folder = store.open_folder(store.special_folder(SpecialFolder::Inbox)).await.unwrap();
    drop(session);
    mapi.idle().await;
    assert_eq!(bench.replay.counts().sessions, 0);
    let error = folder.sync_contents(&State::default(), &SyncOptions::default()).await.unwrap_err();
    is(&error.into(), MapiCode::InvalidObject, &[]);
    drop((store, folder));
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn a_panic_ends_the_session() {
    let bench = Bench::new();
    let mapi = bench.mapi();
    for _ in 0..20 {
        let work = async {
            let session = logon(&mapi, NEW | LogonFlags::ALLOW_OTHERS).await.unwrap();
            let store = session.open_msg_store().unwrap();
            let _folder = store.open_folder(store.special_folder(SpecialFolder::Inbox)).await.unwrap();
            std::panic::resume_unwind(Box::new("in the middle"));
        };
        let caught: Result<(), _> = AssertUnwindSafe(work).catch_unwind().await;
        assert!(caught.is_err());
    }
    mapi.idle().await;
    bench.assert_nothing_left().await;
}

/// Dropped after each number of polls: at every point where it waits.
#[tokio::test]
async fn a_logon_that_is_given_up_anywhere_leaves_nothing() {
    let bench = Bench::new();
    let mapi = bench.mapi();
    for flags in [NEW, LogonFlags::ALLOW_OTHERS] {
        for polls in 0..60_u32 {
            let whole = async {
                let session = logon(&mapi, flags).await.unwrap();
                let store = session.open_msg_store().unwrap();
                let folder = store.open_folder(store.special_folder(SpecialFolder::Inbox)).await.unwrap();
                drop(folder);
                session.logoff(LogoffFlags::empty()).await.unwrap();
            };
            let mut whole = Box::pin(whole);
            let mut left = polls;
            std::future::poll_fn(|cx| {
                if left == 0 || whole.as_mut().poll(cx).is_ready() {
                    return std::task::Poll::Ready(());
                }
                left -= 1;
                std::task::Poll::Pending
            })
            .await;
            drop(whole);
            mapi.idle().await;
            assert_eq!(bench.ledger.held(), 0, "{polls}: {}", bench.ledger.inspect());
            assert_eq!(bench.replay.counts().sessions, 0, "{polls}");
        }
    }
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn a_server_that_goes_wrong_is_said_by_name_and_code() {
    type Case = (When, Fault, MapiCode, &'static str);
    let cases: Vec<Case> = vec![
        (When::request("Connect"), Fault::Status(401, Vec::new()), MapiCode::LogonFailed, "check both"),
        (When::request("Connect"), Fault::Status(403, Vec::new()), MapiCode::AccessDenied, "403"),
        (When::request("Connect"), Fault::Status(404, Vec::new()), MapiCode::NotSupported, "MAPI over HTTP"),
        (When::request("Connect"), Fault::Status(502, Vec::new()), MapiCode::NetworkError, "502"),
        (
            When::request("Connect").times(9),
            Fault::Status(503, Vec::new()),
            MapiCode::ServerBusy,
            "try again",
        ),
        (When::request("Connect"), Fault::ResponseCode(11), MapiCode::AccessDenied, "user DN"),
        (When::request("Connect"), Fault::Drop, MapiCode::NetworkError, "broke"),
        (When::request("Connect"), Fault::Stall, MapiCode::Timeout, "stopped answering"),
        (When::request("Connect"), Fault::Body(b"x".to_vec()), MapiCode::CorruptData, "broke the protocol"),
        (When::rop(LOGON), Fault::Cut, MapiCode::NetworkError, "broke"),
        (When::rop(LOGON), Fault::Stall, MapiCode::Timeout, "stopped answering"),
        (When::rop(LOGON), Fault::ResponseCode(10), MapiCode::EndOfSession, "log on again"),
        (When::rop(LOGON), Fault::Garbage(b"nonsense\r\n\r\n".to_vec()), MapiCode::NetworkError, "HTTP"),
    ];
    let bench = Bench::new();
    for (when, fault, code, words) in cases {
        let mapi = bench.mapi_with(Options { kept_connections: 2, ..impatient() });
        bench.replay.fault(when.clone(), fault);
        let error = logon(&mapi, NEW).await.unwrap_err();
        is(&error, code, &["MAPI_E_", words, "profile \"work\""]);
        bench.replay.heal();
        // The next one is well again.
        logon(&mapi, NEW).await.unwrap().logoff(LogoffFlags::empty()).await.unwrap();
        mapi.idle().await;
        bench.replay.forget_sessions();
        assert_eq!(bench.ledger.held(), 0, "{when:?} {}", bench.ledger.inspect());
    }
    bench.assert_nothing_left().await;

    // It goes away in between.
    let bench = Bench::new();
    let mapi = bench.mapi();
    let session = logon(&mapi, NEW).await.unwrap();
    let store = session.open_msg_store().unwrap();
    let Bench { replay, ledger, .. } = bench;
    drop(replay);
    let error = store.open_folder(store.special_folder(SpecialFolder::Inbox)).await.unwrap_err();
    is(&session.note(error), MapiCode::NetworkError, &["MAPI_E_NETWORK_ERROR (0x80040115)", "try again"]);
    is(
        &session.logoff(LogoffFlags::empty()).await.unwrap_err(),
        MapiCode::NetworkError,
        &["cannot be reached"],
    );
    is(&session.open_msg_store().unwrap_err(), MapiCode::InvalidObject, &[]);
    is(&logon(&mapi, NEW).await.unwrap_err(), MapiCode::NetworkError, &["check that the server runs"]);
    drop(store);
    mapi.idle().await;
    assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
}

#[tokio::test]
async fn a_server_that_stalls_holds_nobody_who_is_in_a_hurry() {
    let bench = Bench::new();
    let mapi = bench.mapi_with(Options { read_timeout: Duration::from_secs(100), ..options() });
    bench.replay.fault(When::rop(LOGON), Fault::Stall);
    let error = logon(&mapi, NEW | LogonFlags::TIMEOUT_SHORT).await.unwrap_err();
    is(&error, MapiCode::Timeout, &["held up for more than 5 s", "MAPI_TIMEOUT_SHORT"]);
    mapi.idle().await;
    bench.assert_nothing_left().await;
}

/// `MAPI_NO_MAIL` travels as NO_MAIL of RopLogon — [MS-OXCSTOR] 2.2.1.1.1.
#[tokio::test]
async fn no_mail_is_said_to_the_server() {
    for (flags, open_flags) in [(NEW, 0x0100_000C_u32), (NEW | LogonFlags::NO_MAIL, 0x0100_040C)] {
        let bench = Bench::new();
        let (url, seen) = recorder(bench.replay.address());
        let mut profile = Profile::new(format!("{url}?MailboxId=u4@test.local"), "u4@test.local");
        profile.user_dn = Some(bench.dn.clone());
        let set = ProfileSet { default: None, profiles: [("work".to_owned(), profile)].into() };
        let mapi = Mapi::new(Profiles::of(set), options(), &bench.ledger);
        logon(&mapi, flags).await.unwrap().logoff(LogoffFlags::empty()).await.unwrap();
        // RopId, LogonId, OutputHandleIndex, LogonFlags (private), OpenFlags.
        let mut rop = vec![LOGON, 0, 0, 1];
        rop.extend(open_flags.to_le_bytes());
        mapi.idle().await;
        let seen = seen.lock().unwrap();
        assert!(seen.windows(rop.len()).any(|bytes| bytes == rop), "{open_flags:#x}");
    }
}

/// A way to a server on which everything that a client sends is written down.
fn recorder(to: std::net::SocketAddr) -> (String, Arc<Mutex<Vec<u8>>>) {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/mapi/emsmdb/", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect(to).unwrap();
        let (mut back, mut there) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut back, &mut there));
        let mut bytes = [0; 4096];
        while let Ok(n @ 1..) = client.read(&mut bytes) {
            record.lock().unwrap().extend_from_slice(&bytes[..n]);
            server.write_all(&bytes[..n]).unwrap();
        }
        let _ = server.shutdown(std::net::Shutdown::Both);
    });
    (url, seen)
}
