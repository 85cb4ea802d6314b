//! What the tests share.

use std::sync::Arc;
use std::time::Duration;

use watertight_ledger::Ledger;
use watertight_mapi::ics::State;
use watertight_mapi::ics::syntactical::Event;
use watertight_mapi_client::{
    Backoff, Connector, Credentials, Download, Endpoint, Error, Mapi, Options, Profile, ProfileSet, Profiles,
    SignIn,
};
use watertight_testkit::replay::Replay;

/// A replaying server and the way to it.
pub struct Bench {
    pub replay: Replay,
    pub ledger: Ledger,
    pub connector: Connector,
    pub dn: String,
}

/// Options with short waits where a test waits them out, and long ones where a busy machine must not fail it.
pub fn options() -> Options {
    Options {
        connect_timeout: Duration::from_secs(20),
        read_timeout: Duration::from_secs(20),
        goodbye_timeout: Duration::from_millis(300),
        backoff: Backoff {
            tries: 3,
            first: Duration::from_millis(1),
            longest: Duration::from_secs(1),
            jitter: Arc::new(|| 0.0),
        },
        sign_in: SignIn::Basic,
        ..Options::default()
    }
}

/// The same for a server that falls silent.
pub fn impatient() -> Options {
    Options { read_timeout: Duration::from_millis(500), ..options() }
}

impl Bench {
    pub fn new() -> Self {
        Self::with(options())
    }

    pub fn with(options: Options) -> Self {
        let replay = Replay::first_set();
        let ledger = Ledger::new("test");
        let endpoint = Endpoint::parse(&replay.url()).unwrap();
        let credentials = Credentials::new("u4@test.local", "secret").unwrap();
        let connector = Connector::new(endpoint, &credentials, options, &ledger).unwrap();
        let dn = replay.user_dn();
        Self { replay, ledger, connector, dn }
    }

    /// MAPI with the profile `work`, the default one, which lacks nothing but the password.
    pub fn mapi(&self) -> Mapi {
        self.mapi_with(options())
    }

    pub fn mapi_with(&self, options: Options) -> Mapi {
        Mapi::new(Profiles::of(self.profiles()), options, &self.ledger)
    }

    pub fn profiles(&self) -> ProfileSet {
        let mut work = Profile::new(self.replay.url(), "u4@test.local");
        work.user_dn = Some(self.dn.clone());
        ProfileSet { default: Some("work".to_owned()), profiles: [("work".to_owned(), work)].into() }
    }

    /// Nothing is left anywhere.
    pub async fn assert_nothing_left(&self) {
        self.connector.idle().await;
        assert_eq!(self.ledger.held(), 0, "{}", self.ledger.inspect());
        let counts = self.replay.quiet();
        assert_eq!((counts.connections, counts.sessions), (0, 0), "{counts:?}");
    }
}

/// What a download brought.
#[derive(Debug, Default)]
pub struct Brought {
    pub folders: usize,
    pub messages: usize,
    pub recipients: usize,
    pub attachments: usize,
    pub embedded: usize,
    pub deletions: usize,
    pub read_states: usize,
    pub large: u64,
    pub state: Option<State>,
    pub ended: bool,
}

pub async fn drain(download: &mut Download) -> Result<Brought, Error> {
    let mut brought = Brought::default();
    while let Some(event) = download.next_event().await? {
        match event {
            Event::FolderChange(_) => brought.folders += 1,
            Event::MessageChange(_) => brought.messages += 1,
            Event::RecipientBegin => brought.recipients += 1,
            Event::AttachmentBegin { .. } => brought.attachments += 1,
            Event::EmbeddedBegin => brought.embedded += 1,
            Event::Deletions(_) => brought.deletions += 1,
            Event::ReadStates(_) => brought.read_states += 1,
            Event::LargeChunk(bytes) => brought.large += u64::try_from(bytes.len()).unwrap(),
            Event::State(state, _) => brought.state = Some(*state),
            Event::End => brought.ended = true,
            _ => {}
        }
    }
    Ok(brought)
}
