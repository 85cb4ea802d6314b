//! MAPILogonEx and Logoff against `watertight serve`, in its own process, with profiles in a file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use watertight_ledger::Ledger;
use watertight_mapi::MapiCode;
use watertight_mapi_client::{
    LogoffFlags, LogonFlags, Mapi, MapiError, MapiSession, NoUi, Options, Profiles, SpecialFolder,
};

use crate::harness::{House, Served};
use crate::inspect::{Inspection, node};

/// A server and a `config.toml` with the profile `work`, the default one.
struct Office {
    house: House,
    server: Served,
    ledger: Ledger,
}

impl Office {
    fn new(options: &[&str], more: &str) -> Self {
        let house = House::new();
        let inspect = house.path("inspect").display().to_string();
        let server = house.serve(&[options, &["--inspect", &inspect]].concat());
        let office = Self { house, server, ledger: Ledger::new("client") };
        office.private("password", &format!("{}\n", crate::harness::PASSWORD));
        // The server alone is named: where the mailbox is, and whose DN it has, is found out.
        let (host, port) = office.server.address();
        let scheme = office.server.url.split_once("://").unwrap().0;
        let text = format!(
            "default = \"work\"\n[profile.work]\nserver = \"{scheme}://{host}:{port}\"\nuser = \"anna@example.org\"\n\
             password_file = \"password\"\n{more}"
        );
        office.private("config.toml", &text);
        office
    }

    fn private(&self, name: &str, text: &str) {
        let path = self.house.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn mapi(&self, options: Options) -> Mapi {
        Mapi::new(Profiles::in_file(self.house.path("config.toml")), options, &self.ledger)
    }

    /// A kind of things in the server: how many there are, and how many there ever were.
    fn served(&self, kind: &str) -> (i64, i64) {
        let line = Inspection::connect(&self.house.path("inspect")).ask();
        let kinds = &node(&line["ledger"], "mapi-server").unwrap()["kinds"];
        let count =
            |what: &str| kinds[kind][what].as_i64().unwrap_or_else(|| panic!("{kind} in {}", shown(kinds)));
        (count("now"), count("ever"))
    }
}

fn shown(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

async fn logon(mapi: &Mapi) -> Result<MapiSession, MapiError> {
    mapi.logon_ex(&NoUi, None, None, LogonFlags::Q293150).await
}

/// The loop of the document: with its flags, a store and a folder opened, and left open now and then.
async fn rounds(mapi: &Mapi, times: usize) {
    for n in 0..times {
        let session = logon(mapi).await.unwrap();
        let store = session.open_msg_store().unwrap();
        let inbox = store.special_folder(SpecialFolder::Inbox);
        let folder = if n % 10 == 0 { Some(store.open_folder(inbox).await.unwrap()) } else { None };
        if n % 7 == 0 {
            drop(session);
        } else {
            session.logoff(LogoffFlags::empty()).await.unwrap();
        }
        drop(folder);
    }
    mapi.idle().await;
}

#[tokio::test]
async fn the_loop_leaves_nothing_on_either_side() {
    let office = Office::new(&[], "");
    let mapi = office.mapi(Options::default());
    rounds(&mapi, 400).await;
    assert_eq!(office.ledger.held(), 0, "{}", office.ledger.inspect());
    assert_eq!(office.served("session contexts"), (0, 400));
    assert_eq!(office.served("rop sessions").0, 0);
    assert_eq!(office.served("rop handles").0, 0);
    // One to find the mailbox; then the sessions share connections (a dropped one leaves its own a moment later).
    let (_, kept) = office.served("connections");
    assert!(kept <= 20, "{kept} connections");

    let closing = office.mapi(Options { kept_connections: 0, ..Options::default() });
    rounds(&closing, 50).await;
    let (_, closed) = office.served("connections");
    assert!(closed - kept > 50, "{closed} connections");
    assert_eq!(office.served("session contexts"), (0, 450));
    office.server.stop();
}

#[tokio::test]
async fn connections_with_tls_are_kept_too() {
    let cert = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (pem, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    fs::write(&pem, cert.cert.pem()).unwrap();
    fs::write(&key, cert.signing_key.serialize_pem()).unwrap();
    let (pem, key) = (pem.to_str().unwrap(), key.to_str().unwrap());
    let trusted = Office::new(&["--tls-cert", pem, "--tls-key", key], &format!("tls_ca = \"{pem}\"\n"));
    let mapi = trusted.mapi(Options::default());
    for _ in 0..50 {
        logon(&mapi).await.unwrap().logoff(LogoffFlags::empty()).await.unwrap();
    }
    assert_eq!(trusted.served("connections").1, 2, "one for Autodiscover, one for the sessions");
    assert_eq!(trusted.ledger.held(), 1);
    mapi.idle().await;
    assert_eq!(trusted.ledger.held(), 0);

    let strange = Office::new(&["--tls-cert", pem, "--tls-key", key], "");
    let error = logon(&strange.mapi(Options::default())).await.unwrap_err();
    assert_eq!(error.code(), MapiCode::NetworkError);
    assert!(error.to_string().contains("signed by an authority that is not known"), "{error}");
}

#[tokio::test]
async fn refusals_are_said_by_name_and_code() {
    let office = Office::new(&[], "");
    let mapi = office.mapi(Options::default());
    let wrong = mapi.logon_ex(&NoUi, Some("work"), Some("wrong"), LogonFlags::NEW_SESSION).await.unwrap_err();
    assert_eq!(wrong.code(), MapiCode::LogonFailed, "{wrong}");
    assert!(wrong.to_string().starts_with("MAPI_E_LOGON_FAILED (0x80040111): profile \"work\": "), "{wrong}");
    assert!(!wrong.to_string().contains("wrong"), "{wrong}");

    // Somebody else's mailbox, and nobody's.
    let mut profile = mapi.profiles().read().unwrap().get("work").unwrap().clone();
    profile.user_dn = Some(format!("{}x", office.house.dn));
    let error = mapi.logon_with(&NoUi, &profile, None, LogonFlags::NEW_SESSION).await.unwrap_err();
    assert!(matches!(error.code(), MapiCode::NotFound | MapiCode::AccessDenied), "{error}");
    profile.user_dn = None;
    profile.user = Some("nobody@example.org".to_owned());
    let error = mapi.logon_with(&NoUi, &profile, None, LogonFlags::NEW_SESSION).await.unwrap_err();
    assert_eq!(error.code(), MapiCode::LogonFailed, "{error}");
    mapi.idle().await;
    assert_eq!(office.ledger.held(), 0, "{}", office.ledger.inspect());
    assert_eq!(office.served("session contexts").0, 0);
    office.server.stop();
}

/// A server that dies under a session, and one that takes its place while connections to the old one are kept.
#[tokio::test]
async fn a_server_that_goes_away_and_comes_back() {
    let office = Office::new(&[], "");
    let mapi = office.mapi(Options::default());
    let session = logon(&mapi).await.unwrap();
    // Both connections are kept.
    let other = logon(&mapi).await.unwrap();
    other.logoff(LogoffFlags::empty()).await.unwrap();
    let store = session.open_msg_store().unwrap();
    let Office { house, server, ledger } = office;
    let (_, port) = server.address();
    server.kill();

    let error = store.open_folder(store.special_folder(SpecialFolder::Inbox)).await.unwrap_err();
    let error = session.note(error);
    assert_eq!(error.code(), MapiCode::NetworkError, "{error}");
    assert!(error.to_string().starts_with("MAPI_E_NETWORK_ERROR (0x80040115): "), "{error}");
    assert_eq!(session.last_error().unwrap().to_string(), error.to_string());
    let error = logon(&mapi).await.unwrap_err();
    assert_eq!(error.code(), MapiCode::NetworkError, "{error}");

    let second = house.serve_at(&port);
    // The kept connection is to the one that is gone: nothing is said about that.
    let again = logon(&mapi).await.unwrap();
    // The old session is none of the new server's.
    let error = session.logoff(LogoffFlags::empty()).await.unwrap_err();
    assert!(matches!(error.code(), MapiCode::EndOfSession | MapiCode::NetworkError), "{error}");
    again.logoff(LogoffFlags::empty()).await.unwrap();
    drop((session, store));
    mapi.idle().await;
    assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
    second.stop();

    // The same, with nothing noticed in between: stopped and started while a connection is kept.
    let first = house.serve_at(&port);
    for _ in 0..3 {
        logon(&mapi).await.unwrap().logoff(LogoffFlags::empty()).await.unwrap();
    }
    assert_eq!(ledger.held(), 1);
    first.stop();
    let second = house.serve_at(&port);
    logon(&mapi).await.unwrap().logoff(LogoffFlags::empty()).await.unwrap();
    mapi.idle().await;
    assert_eq!(ledger.held(), 0);
    second.stop();
}
