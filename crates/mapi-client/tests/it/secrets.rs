//! Credentials and cookies appear in no log at any level, nor in any error.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use watertight_mapi::ics::State;
use watertight_mapi_client::{
    LogonFlags, Mailbox, Mapi, NoUi, Options, ProfileSet, Profiles, SpecialFolder, SyncOptions,
};
use watertight_testkit::replay::{Fault, When};

use crate::kit::{Bench, drain};

/// Everything that is logged, at every level and by every crate.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Line(&mut self.0.lock().unwrap()));
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut log = self.0.lock().unwrap();
        event.record(&mut Line(&mut log));
        log.push('\n');
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn no_secret_is_logged() {
    let log = Log::default();
    let guard = tracing::subscriber::set_default(log.clone());
    let bench = Bench::new();
    let mut said = format!("{:?}", bench.connector);
    let faults = [Fault::Status(401, Vec::new()), Fault::ResponseCode(10), Fault::Cut, Fault::Backoff(1)];
    for fault in faults {
        bench.replay.fault(When::rop(0x4E).after(3), fault);
        let mut mailbox = Mailbox::new(bench.connector.clone(), bench.dn.clone());
        loop {
            let step = async {
                let logon = mailbox.logon().await?;
                let inbox = logon.special_folder(SpecialFolder::Inbox);
                let mut contents =
                    logon.sync_contents(inbox, &State::default(), &SyncOptions::default()).await?;
                drain(&mut contents).await
            };
            let result = step.await;
            write!(said, "{result:?} {mailbox:?}").unwrap();
            match result {
                Ok(_) => break,
                Err(error) => {
                    write!(said, "{error}").unwrap();
                    if mailbox.again(error).await.is_err() {
                        break;
                    }
                }
            }
        }
        write!(said, "{:?}", mailbox.disconnect().await).unwrap();
    }
    bench.assert_nothing_left().await;
    drop(guard);
    let log = log.0.lock().unwrap();
    assert!(log.contains("connecting again"), "{log}");
    // The password, its Basic form, and the two cookies.
    for secret in ["secret", "dTRAdGVzdC5sb2NhbDpzZWNyZXQ", "sid=", "sequence="] {
        assert!(!log.contains(secret), "{secret} in {log}");
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

/// What the client gives may be awaited in tasks of their own.
#[test]
fn futures_may_move_between_threads() {
    fn sendable<T: Send>(_: &T) {}
    fn check(bench: &Bench, mailbox: &mut Mailbox) {
        sendable(&bench.connector.connect("x"));
        sendable(&bench.connector.discover("x"));
        sendable(&mailbox.logon());
        let mapi = Mapi::new(Profiles::of(ProfileSet::default()), Options::default(), &bench.ledger);
        sendable(&mapi.logon_ex(&NoUi, None, None, LogonFlags::empty()));
    }
    fn check_download(
        logon: &watertight_mapi_client::Logon,
        download: &mut watertight_mapi_client::Download,
    ) {
        sendable(logon);
        sendable(&logon.sync_contents_of(&[], &SyncOptions::default()));
        sendable(&download.next_event());
    }
    let _ = (check, check_download);
}
