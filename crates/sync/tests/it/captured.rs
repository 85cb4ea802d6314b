//! The bytes of a real server, through the client, into a Maildir.

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use watertight_ledger::Ledger;
use watertight_mapi::PropValue;
use watertight_mapi::ics::ContentsSink;
use watertight_mapi::ics::sink::{Count, Messages, Whole};
use watertight_mapi::prop::{LargeValue, PropBag, PropData};
use watertight_mapi::store::MessageContent;
use watertight_mapi_client::{Backoff, Connector, Credentials, Endpoint, Export, SpecialFolder};
use watertight_sync::{
    Config, Conversion, Convert, Fsync, Mail, Options, Report, Spool, SyncError, SyncResult, Synchronizer,
    Tally,
};
use watertight_testkit::replay::{Fault, Phase, Replay, When};

use super::model::{dirs, files};

/// The 123 messages are the 117 of the corpus and six that were imported from TNEF streams.
const MESSAGES: usize = 123;

/// What that server made of the mail, and differences of form; `compare_mail.py --list-tolerances` says why each must
/// be, and the tests of `mapi-mime` say how often each is seen.
const TOLERATED: [&str; 15] = [
    "blank-first-line",
    "content-id-of-body",
    "empty-multipart",
    "enriched-text",
    "line-that-is-no-field",
    "lost-character",
    "lost-end",
    "lost-first-field",
    "lost-header",
    "lost-name-of-message",
    "lost-report-part",
    "made-up-name",
    "malformed-name",
    "other-parts",
    "text-alternative",
];

struct Bench {
    replay: Replay,
    ledger: Ledger,
    /// Whether a session was broken on purpose.
    broken: bool,
}

impl Bench {
    fn new() -> Self {
        Self { replay: Replay::first_set(), ledger: Ledger::new("test"), broken: false }
    }

    async fn sync(&self, maildir: &Path) -> SyncResult<Report> {
        self.sync_with(maildir, |_| {}).await
    }

    async fn sync_with(&self, maildir: &Path, change: impl FnOnce(&mut Config)) -> SyncResult<Report> {
        let options = watertight_mapi_client::Options {
            read_timeout: Duration::from_millis(500),
            goodbye_timeout: Duration::from_millis(500),
            backoff: Backoff {
                tries: 3,
                first: Duration::from_millis(1),
                longest: Duration::from_secs(1),
                jitter: Arc::new(|| 0.0),
            },
            ..watertight_mapi_client::Options::default()
        };
        let endpoint = Endpoint::parse(&self.replay.url()).unwrap();
        let credentials = Credentials::new("u4@test.local", "secret").unwrap();
        let connector = Connector::new(endpoint, &credentials, options, &self.ledger).unwrap();
        let mut config = Config {
            maildir: maildir.to_owned(),
            connections: 2,
            folder: None,
            options: Options {
                fsync: Fsync::Off,
                ledger: self.ledger.child("sync"),
                ..Options::new(Arc::new(Mail))
            },
        };
        change(&mut config);
        let report = Synchronizer::new(connector.clone(), self.replay.user_dn(), config).run().await;
        connector.idle().await;
        assert_eq!(self.ledger.held(), 0, "{}", self.ledger.inspect());
        let counts = self.replay.quiet();
        assert_eq!(counts.connections, 0, "{counts:?}");
        // Of a session that failed the server may not hear any more; it forgets it in time.
        assert!(report.is_err() || counts.sessions <= usize::from(self.broken), "{counts:?}");
        report
    }
}

fn messages(maildir: &Path) -> usize {
    dirs(maildir).iter().flat_map(|(_, d)| ["cur", "new"].map(|s| files(&d.join(s)).len())).sum()
}

/// `compare_mail.py`; every tolerated difference by its name.
fn assert_same(expected: &Path, actual: &Path, arguments: &[&str]) {
    let script = watertight_testkit::data_dir().join("tools/compare_mail.py");
    let output = Command::new("python3").arg(script).args(arguments).arg(expected).arg(actual).output();
    let output = output.unwrap_or_else(|e| panic!("python3 is needed for this test: {e}"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn the_captured_inbox_becomes_a_maildir() {
    let root = tempfile::tempdir().unwrap();
    let bench = Bench::new();
    let report = bench.sync(root.path()).await.unwrap();
    assert_eq!(report.tally.added, 123);
    // Of the six that were TNEF: what a later issue converts.
    assert_eq!(report.left_out.len(), 7);
    for what in &report.left_out {
        let known = ["compressed RTF only", "the embedded object is missing"];
        assert!(known.iter().any(|k| what.reason.contains(k)), "{what:?}");
    }
    assert_eq!(messages(root.path()), MESSAGES);
    let corpus = watertight_testkit::data_dir().join("corpus/eml");
    let mut arguments = vec!["--allow-extra", "6"];
    arguments.extend(TOLERATED.iter().flat_map(|name| ["--tolerate", name]));
    assert_same(&corpus, root.path(), &arguments);
    // Nothing changed.
    let again = bench.sync(root.path()).await.unwrap();
    assert_eq!(again.tally, Tally::default());
    assert!(again.bytes_received + again.bytes_sent < 20_000, "{again:?}");
    // What happened on the server.
    bench.replay.set_phase(Phase::Changed);
    let changed = bench.sync(root.path()).await.unwrap();
    assert_eq!(changed.tally.removed, 8, "three soft, two hard, three moved to a folder that is empty here");
    assert!(changed.tally.flags > 0);
    assert_eq!(messages(root.path()), MESSAGES - 8);
    assert_eq!(bench.sync(root.path()).await.unwrap().tally, Tally::default());
}

#[tokio::test]
async fn a_lost_state_downloads_nothing() {
    let root = tempfile::tempdir().unwrap();
    let bench = Bench::new();
    bench.sync(root.path()).await.unwrap();
    std::fs::remove_dir_all(root.path().join("watertight")).unwrap();
    let again = bench.sync(root.path()).await.unwrap();
    assert_eq!((again.tally.added, again.tally.changed), (0, 0));
    assert_eq!(messages(root.path()), MESSAGES);
}

#[tokio::test]
async fn a_session_that_is_lost_is_made_again_and_goes_on() {
    for fault in [Fault::Cut, Fault::Drop, Fault::ResponseCode(10), Fault::Stall, Fault::Backoff(1)] {
        let root = tempfile::tempdir().unwrap();
        let mut bench = Bench::new();
        bench.broken = true;
        // RopFastTransferSourceGetBuffer.
        bench.replay.fault(When::rop(0x4E).after(3), fault);
        let report = bench.sync(root.path()).await.unwrap();
        assert_eq!(report.tally.added, 123);
        assert_eq!(messages(root.path()), MESSAGES);
        assert_eq!(bench.sync(root.path()).await.unwrap().tally, Tally::default());
    }
}

#[tokio::test]
async fn a_server_that_fails_costs_one_error_and_the_next_run_is_right() {
    for (when, fault) in [
        (When::request("Connect").always(), Fault::Status(401, vec![])),
        (When::request("Connect"), Fault::Garbage(b"garbage".to_vec())),
        (When::rop(0x4E).after(2).always(), Fault::Drop),
        (When::rop(0x4E).after(4).always(), Fault::Body(vec![0xff; 100])),
        (When::rop(0x70).always(), Fault::Patch(|body| body.truncate(body.len() / 2))),
    ] {
        let root = tempfile::tempdir().unwrap();
        let mut bench = Bench::new();
        bench.broken = true;
        bench.replay.fault(when, fault);
        let error = bench.sync(root.path()).await.unwrap_err();
        assert!(matches!(error, SyncError::Server(_)), "{error}");
        bench.replay.heal();
        bench.sync(root.path()).await.unwrap();
        assert_eq!(messages(root.path()), MESSAGES);
        assert_eq!(bench.sync(root.path()).await.unwrap().tally, Tally::default());
    }
}

#[tokio::test]
async fn only_the_folders_that_were_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let bench = Bench::new();
    let report = bench.sync_with(root.path(), |c| c.folder = Some("Sent*".to_owned())).await.unwrap();
    assert_eq!((report.folders, report.tally.added), (1, 0));
    let report = bench.sync_with(root.path(), |c| c.folder = Some("INBOX".to_owned())).await.unwrap();
    assert_eq!((report.folders, report.tally.added), (1, 123));
}

#[tokio::test]
async fn a_dry_run_against_a_server_writes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let bench = Bench::new();
    let maildir = root.path().join("mail");
    let report = bench.sync_with(&maildir, |c| c.options.dry_run = true).await.unwrap();
    assert_eq!(report.tally.added, 123);
    assert!(!maildir.exists());
}

/// Keeps every message that is converted, all values inline.
#[derive(Default)]
struct Keep(Mutex<Vec<MessageContent>>);

impl Convert for Keep {
    fn convert(
        &self,
        message: &MessageContent,
        large: &Spool,
        attempt: u32,
        out: &mut dyn Write,
    ) -> std::io::Result<Conversion> {
        if attempt == 0 {
            let mut content = message.clone();
            inline(&mut content, large);
            self.0.lock().unwrap().push(content);
        }
        Mail.convert(message, large, attempt, out)
    }
}

fn inline(content: &mut MessageContent, spool: &Spool) {
    inline_all(&mut content.props, spool);
    content.recipients.iter_mut().for_each(|r| inline_all(r, spool));
    for attachment in &mut content.attachments {
        inline_all(&mut attachment.props, spool);
        if let Some(embedded) = &mut attachment.embedded {
            inline(embedded, spool);
        }
    }
}

fn inline_all(props: &mut PropBag, spool: &Spool) {
    for prop in &mut props.0 {
        let PropData::Large(LargeValue { id, len }) = prop.value else { continue };
        let mut bytes = Vec::new();
        spool.open(id).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(u64::try_from(bytes.len()).unwrap(), len);
        let value = match prop.tag.ty() {
            watertight_mapi::PropType::Unicode => {
                PropValue::Unicode(watertight_wire::Reader::decode_utf16le(&bytes))
            }
            watertight_mapi::PropType::Object => PropValue::Object(bytes),
            _ => PropValue::Binary(bytes),
        };
        prop.value = PropData::Inline(value);
    }
}

/// The exporter, on the same captured bytes, tells its sink what the synchronizer makes of them: the same messages
/// with the same properties, recipients and attachments, and as many deletions and marks.
#[tokio::test]
async fn an_exporter_tells_what_the_synchronizer_makes_of_it() {
    let root = tempfile::tempdir().unwrap();
    let bench = Bench::new();
    let keep = Arc::new(Keep::default());
    let kept = Arc::clone(&keep);
    let report = bench.sync_with(root.path(), |c| c.options.convert = kept).await.unwrap();
    assert_eq!(report.tally.added, 123);
    let written = |contents: &[MessageContent]| {
        let mut all: Vec<String> = contents.iter().map(|c| format!("{c:?}")).collect();
        all.sort_unstable();
        all
    };
    let expected = written(&keep.0.lock().unwrap());
    assert_eq!(expected.len(), 123);

    let endpoint = Endpoint::parse(&bench.replay.url()).unwrap();
    let credentials = Credentials::new("u4@test.local", "secret").unwrap();
    let connector =
        Connector::new(endpoint, &credentials, watertight_mapi_client::Options::default(), &bench.ledger)
            .unwrap();
    let mut contents = Vec::new();
    let mut sink = Messages::new(16 << 20, |whole| {
        if let Whole::Message { content, left_out, .. } = whole {
            assert_eq!(left_out.count, 0);
            contents.push(content);
        }
        Ok(())
    });
    let state = exported(&bench, &connector, &[], &mut sink).await;
    drop(sink);
    // One at a time: a difference is to be seen.
    for (message, other) in written(&contents).iter().zip(&expected) {
        assert!(message == other, "{message:.300}\n{other:.300}");
    }
    assert_eq!(contents.len(), expected.len());

    bench.replay.set_phase(Phase::Changed);
    let changed = bench.sync(root.path()).await.unwrap();
    let mut count = Count::default();
    let state = exported(&bench, &connector, &state, &mut count).await;
    assert_eq!((count.deleted, count.messages), (changed.tally.removed, 0));
    assert_eq!(count.read + count.unread, changed.tally.flags);
    let mut nothing = Count::default();
    exported(&bench, &connector, &state, &mut nothing).await;
    assert_eq!(nothing, Count { warnings: nothing.warnings, ..Count::default() });
}

/// One export of the Inbox in a session of its own; the state after it.
async fn exported(
    bench: &Bench,
    connector: &Connector,
    state: &[u8],
    sink: &mut impl ContentsSink,
) -> Vec<u8> {
    let session = connector.connect(&bench.replay.user_dn()).await.unwrap();
    let logon = session.logon(&bench.replay.user_dn()).await.unwrap();
    let mut exporter = logon.contents_exporter(logon.special_folder(SpecialFolder::Inbox));
    exporter.config(state, &Export::default()).await.unwrap();
    assert!(exporter.synchronize_all(sink).await.unwrap().done);
    let state = exporter.update_state().unwrap();
    drop((exporter, logon));
    session.disconnect().await.unwrap();
    // The connection would be kept for the next session.
    connector.idle().await;
    assert_eq!(bench.ledger.held(), 0, "{}", bench.ledger.inspect());
    assert_eq!(bench.replay.quiet().handles, 0);
    state
}
