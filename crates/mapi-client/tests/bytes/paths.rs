//! Every way in which a logon ends.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use watertight_auth::http::Scheme;
use watertight_auth::{
    Accounts, AuthError, BindingPolicy, Client, Identity, NtHash, Purpose, Security, Server, ServerNames,
    Target,
};
use watertight_ledger::Ledger;
use watertight_mapi::MapiCode;
use watertight_mapi_client::{LogoffFlags, LogonFlags, MapiError, MapiSession, NoUi, SignIn, SpecialFolder};
use watertight_testkit::replay::{Fault, When};

use crate::gate::{Gate, Verdict};
use crate::kit::{Bed, TEN_THOUSAND, allocated, alone, flat};

async fn logon(bed: &Bed, profile: &str) -> Result<MapiSession, MapiError> {
    bed.mapi
        .logon_ex(&NoUi, Some(profile), Some("secret"), LogonFlags::NEW_SESSION | LogonFlags::NO_MAIL)
        .await
}

async fn refused(bed: &Bed, profile: &str, code: MapiCode) {
    let error = logon(bed, profile).await.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
}

#[test]
fn logon_and_logoff() {
    alone("paths::logon_and_logoff", || {
        let bed = Bed::new(|_| {});
        flat(&bed, TEN_THOUSAND, 1, async |bed: &Bed, n| {
            let session = logon(bed, "work").await.unwrap();
            let store = session.open_msg_store().unwrap();
            // Some are released, some logged off with something open, some dropped.
            let folder = (n % 8 == 0).then_some(async {
                store.open_folder(store.special_folder(SpecialFolder::Inbox)).await.unwrap()
            });
            let folder = match folder {
                Some(opening) => Some(opening.await),
                None => None,
            };
            match n % 4 {
                0 | 1 => session.logoff(LogoffFlags::empty()).await.unwrap(),
                2 => drop(session),
                _ => {
                    let panic = async move {
                        let _session = session;
                        std::panic::resume_unwind(Box::new(()));
                    };
                    let caught: Result<(), _> = AssertUnwindSafe(panic).catch_unwind().await;
                    assert!(caught.is_err());
                }
            }
            drop(folder);
        });
        let counts = bed.replay.counts();
        assert!(counts.connections_ever < counts.sessions_ever, "{counts:?}");
    });
}

#[test]
fn a_connection_for_each() {
    alone("paths::a_connection_for_each", || {
        let bed = Bed::new(|options| options.kept_connections = 0);
        flat(&bed, 2000, 1, async |bed: &Bed, _| {
            logon(bed, "work").await.unwrap().logoff(LogoffFlags::empty()).await.unwrap();
        });
    });
}

#[test]
fn a_shared_session() {
    alone("paths::a_shared_session", || {
        let bed = Bed::new(|_| {});
        flat(&bed, 2000, 5, async |bed: &Bed, _| {
            let mapi = &bed.mapi;
            let flags = LogonFlags::ALLOW_OTHERS;
            let session = mapi.logon_ex(&NoUi, Some("work"), Some("secret"), flags).await.unwrap();
            session.query_identity().unwrap();
            session.logoff(LogoffFlags::empty()).await.unwrap();
        });
    });
}

#[test]
fn a_wrong_password() {
    alone("paths::a_wrong_password", || {
        let bed = Bed::new(|_| {});
        bed.replay.require_authorization("Basic another");
        flat(&bed, TEN_THOUSAND, 1, async |bed: &Bed, _| refused(bed, "work", MapiCode::LogonFailed).await);
    });
}

/// A challenge of NTLM.
fn challenge(security: &Security) -> Vec<u8> {
    let nobody = Identity::anonymous();
    let target = Target::new("HTTP", "x");
    let ntlm = Scheme::Ntlm.mechanism();
    let purpose = Purpose::SignIn;
    let mut client = Client::new(security, ntlm, nobody, target, None, purpose);
    let accounts: Arc<dyn Accounts> = Arc::new(Nobody);
    let mut server = Server::new(security, ntlm, accounts, BindingPolicy::Ignore);
    server.step(&client.step(&[]).unwrap().token.unwrap()).unwrap().token.unwrap()
}

/// Knows nobody.
struct Nobody;

impl Accounts for Nobody {
    fn names(&self) -> ServerNames {
        ServerNames {
            computer: "MAIL1".into(),
            domain: "DOM".into(),
            dns_computer: "mail1.dom.test".into(),
            dns_domain: "dom.test".into(),
        }
    }

    fn nt_hash(&self, _user: &str, _domain: &str) -> Result<Option<NtHash>, AuthError> {
        Ok(None)
    }
}

/// NTLM to its last leg, on a connection that ends with it.
#[test]
fn a_wrong_password_by_ntlm() {
    alone("paths::a_wrong_password_by_ntlm", || {
        let bed = Bed::new(|options| options.sign_in = SignIn::Ntlm);
        // The server proves nothing: it says the same challenge each time, and no.
        let security = Security::new(&Ledger::new("gate"));
        let challenge = challenge(&security);
        let gate = Gate::new(move || {
            let mut legs = 0;
            let challenge = challenge.clone();
            Box::new(move |_| {
                legs += 1;
                let token = (legs == 1).then_some(challenge.as_slice());
                Verdict::Refuse(format!("WWW-Authenticate: {}\r\n", Scheme::Ntlm.header(token)))
            })
        });
        let profile = watertight_mapi_client::Profile::new(gate.url.clone(), "u4@test.local");
        flat(&bed, TEN_THOUSAND, 1, async |bed: &Bed, _| {
            let logon = bed.mapi.logon_with(&NoUi, &profile, Some("wrong"), LogonFlags::NEW_SESSION);
            let error = logon.await.unwrap_err();
            assert_eq!(error.code(), MapiCode::LogonFailed, "{error}");
            assert_eq!(gate.forget().with("NTLM"), 2);
        });
    });
}

#[test]
fn an_unknown_profile() {
    alone("paths::an_unknown_profile", || {
        let bed = Bed::new(|_| {});
        flat(&bed, TEN_THOUSAND, 1, async |bed: &Bed, _| refused(bed, "play", MapiCode::NotFound).await);
    });
}

/// Given up at each point where it waits.
#[test]
fn cancelled() {
    alone("paths::cancelled", || {
        let bed = Bed::new(|_| {});
        flat(&bed, TEN_THOUSAND, 1, async |bed: &Bed, n| {
            let mut whole = Box::pin(async {
                let session = logon(bed, "work").await.unwrap();
                session.logoff(LogoffFlags::empty()).await.unwrap();
            });
            let mut left = n % 24;
            std::future::poll_fn(|cx| {
                if left == 0 || whole.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                left -= 1;
                Poll::Pending
            })
            .await;
        });
    });
}

#[test]
fn a_dead_server() {
    alone("paths::a_dead_server", || {
        let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let bed = Bed::new(|_| {});
        let profile = watertight_mapi_client::Profile::new(format!("http://{dead}/"), "u4@test.local");
        flat(&bed, TEN_THOUSAND, 1, async |bed: &Bed, _| {
            let error = bed
                .mapi
                .logon_with(&NoUi, &profile, Some("secret"), LogonFlags::NEW_SESSION)
                .await
                .unwrap_err();
            assert_eq!(error.code(), MapiCode::NetworkError, "{error}");
        });
    });
}

#[test]
fn a_server_that_stalls() {
    alone("paths::a_server_that_stalls", || {
        let bed = Bed::new(|options| options.read_timeout = Duration::from_millis(100));
        // In Connect, in RopLogon, in Disconnect.
        bed.replay.fault(When::request("Connect").after(1).times(usize::MAX), Fault::Stall);
        flat(&bed, TEN_THOUSAND, 25, async |bed: &Bed, n| {
            if n % 25 == 0 {
                bed.replay.heal();
                let stalling = [When::request("Connect"), When::rop(0xFE), When::request("Disconnect")];
                bed.replay.fault(stalling[n / 25 % 3].clone().always(), Fault::Stall);
            }
            let code = match logon(bed, "work").await {
                Ok(session) => session.logoff(LogoffFlags::empty()).await.map_err(|error| error.code()),
                Err(error) => Err(error.code()),
            };
            assert!(matches!(code, Err(MapiCode::Timeout)), "{code:?}");
        });
    });
}

/// What a session says that it holds is about what it holds.
#[test]
fn a_session_counts_its_bytes() {
    alone("paths::a_session_counts_its_bytes", || {
        let bed = Bed::new(|options| options.kept_connections = 0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let said = || {
                let client = bed.ledger.inspect().children.remove(0);
                let bytes: i64 = client.kinds.values().map(|held| held.bytes).sum();
                f64::from(i32::try_from(bytes).unwrap())
            };
            logon(&bed, "work").await.unwrap().logoff(LogoffFlags::empty()).await.unwrap();
            bed.mapi.idle().await;
            let before = allocated();
            assert!(said() < 1.0);
            let mut sessions = Vec::new();
            for _ in 0..100 {
                sessions.push(logon(&bed, "work").await.unwrap());
            }
            let (said_by_each, held_by_each) = (said() / 100.0, (allocated() - before) / 100.0);
            // The server's half of each connection is in it.
            let share = said_by_each / held_by_each;
            assert!((0.4..1.6).contains(&share), "{said_by_each} said, {held_by_each} held");
            for session in sessions {
                session.logoff(LogoffFlags::empty()).await.unwrap();
            }
            assert!(said() < 1.0);
        });
    });
}
