//! How sessions begin and end.

use watertight_mail::{AddOptions, ErrorKind, Key, Session, blocking};
use watertight_mapi_client::{Mapi, Options, Profile, ProfileSet, Profiles};

use crate::kit::{House, PASSWORD, mail};

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let house = House::new();
    let open = |url: &str| Session::to(url).through(&house.mapi);
    let wrong = open(&house.url).user("anna").password("wrong").open().await.unwrap_err();
    assert_eq!((wrong.kind(), wrong.name().as_str()), (ErrorKind::SignIn, "MAPI_E_LOGON_FAILED"));
    assert!(wrong.to_string().starts_with("MAPI_E_LOGON_FAILED (0x80040111): "), "{wrong}");
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = open(&format!("http://{unused}/")).user("anna").password("x").open().await.unwrap_err();
    assert_eq!((nobody.kind(), nobody.name().as_str()), (ErrorKind::Reach, "MAPI_E_NETWORK_ERROR"));
    let plain = open("http://mail.example.org/").user("anna").password("x").open().await.unwrap_err();
    assert_eq!(plain.kind(), ErrorKind::Invalid);
    for open in [open(&house.url), open(&house.url).user("anna"), open(&house.url).password("x")] {
        assert_eq!(open.open().await.unwrap_err().kind(), ErrorKind::Invalid);
    }
    let elsewhere = open(&house.url).user("anna").password(PASSWORD).user_dn("/o=x/cn=nobody");
    assert_eq!(elsewhere.open().await.unwrap_err().kind(), ErrorKind::SignIn);
    let shown = format!("{:?}", open(&house.url).user("anna").password(PASSWORD));
    assert!(!shown.contains(PASSWORD), "{shown}");
    house.mapi.idle().await;
    house.end();
}

#[tokio::test]
async fn a_profile_opens_a_session() {
    let house = House::new();
    let mut set = ProfileSet::default();
    set.profiles.insert("work".to_owned(), Profile::new(&house.url, "anna"));
    set.default = Some("work".to_owned());
    let mapi = Mapi::new(Profiles::of(set), Options::default(), &house.client);
    for name in ["work", ""] {
        let session = Session::with_profile(name).password(PASSWORD).through(&mapi).open().await.unwrap();
        assert_eq!((session.user(), session.server()), ("Anna Example", house.url.as_str()));
        session.close().await.unwrap();
    }
    let error = Session::with_profile("none").through(&mapi).open().await.unwrap_err();
    assert_eq!((error.kind(), error.name().as_str()), (ErrorKind::NotFound, "MAPI_E_NOT_FOUND"));
    mapi.idle().await;
    drop(mapi);
    house.end();
}

#[tokio::test]
async fn what_was_opened_through_a_session_ends_with_it() {
    let house = House::new();
    let session = house.session().await;
    let inbox = session.inbox();
    let message = inbox.add(&mail(1), &AddOptions::default()).await.unwrap();
    let (mut messages, mut changes) = (inbox.messages(), inbox.sync(&[]));
    let mut folders = session.folders();
    assert!(house.client_held("folders") > 0 && house.client_held("messages") > 0);
    session.close().await.unwrap();
    session.close().await.unwrap();
    assert!(session.is_closed());
    let key: Key = "subject".parse().unwrap();
    let said = [
        inbox.counts().await.map(drop),
        message.body().await.map(drop),
        message.prop(&key).await.map(drop),
        messages.next().await.map(drop),
        changes.next().await.map(drop),
        folders.next().await.map(drop),
        session.folder("Inbox").await.map(drop),
        inbox.add(&mail(2), &AddOptions::default()).await.map(drop),
    ];
    for error in said.map(Result::unwrap_err) {
        assert_eq!(
            (error.kind(), error.name().as_str()),
            (ErrorKind::Closed, "MAPI_E_INVALID_OBJECT"),
            "{error}"
        );
    }
    assert_eq!(message.subject(), "message number 1");
    house.mapi.idle().await;
    assert_eq!(house.client_held("folders") + house.client_held("messages"), 0, "{}", house.client.inspect());
    house.end();
}

#[tokio::test]
async fn a_session_lasts_for_as_long_as_something_of_it() {
    let house = House::new();
    let session = house.session().await;
    let message = session.inbox().add(&mail(1), &AddOptions::default()).await.unwrap();
    drop(session);
    assert_eq!(message.body().await.unwrap().trim(), "line of message 1");
    drop(message);
    house.mapi.idle().await;
    house.until_none("session contexts");
    house.end();
}

#[test]
fn a_server_that_goes_away_is_said() {
    let house = House::new();
    let client = house.client.clone();
    let engine = house.engine();
    let session = house.blocking(&engine);
    let inbox = session.inbox();
    inbox.counts().unwrap();
    house.end_server();
    let error = inbox.counts().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Reach | ErrorKind::Closed), "{error}");
    let _ = session.close();
    assert!(session.is_closed());
    drop((inbox, session, engine));
    drop(house);
    assert_eq!(client.held(), 0, "{}", client.inspect());
}

#[test]
fn an_asynchronous_session_does_not_block() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let house = House::new();
    runtime.block_on(async {
        let refused = blocking::Session::to(&house.url).user("anna").password(PASSWORD).open().unwrap_err();
        assert!(refused.text().contains("spawn_blocking"), "{refused}");
        let session = house.session().await;
        assert_eq!(session.inbox().engine().unwrap_err().kind(), ErrorKind::Invalid);
        session.close().await.unwrap();
        house.mapi.idle().await;
    });
    house.end();
}
