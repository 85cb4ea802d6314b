//! The loop of Q293150, as often as it goes: MAPILogonEx and Logoff, one JSON object with the rate on standard output.
//!
//! ```text
//! logon_loop URL USER PASSWORD_FILE [SECONDS [TASKS [KEPT_CONNECTIONS]]]
//! ```
//!
//! The URL `replay` is a server in this process that answers with captured bytes: to look at the client alone.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::time::{Duration, Instant};

use watertight_ledger::Ledger;
use watertight_mapi_client::{
    LogoffFlags, LogonFlags, Mapi, NoUi, Options, Profile, ProfileSet, Profiles, Secret,
};
use watertight_testkit::replay::Replay;

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Fallible<()> {
    let mut args = std::env::args().skip(1);
    let mut next = |what: &str| args.next().ok_or_else(|| format!("{what} is missing"));
    let mut profile = Profile::new(next("URL")?, next("USER")?);
    let replay = (profile.server.as_deref() == Some("replay")).then(Replay::first_set);
    if let Some(replay) = &replay {
        profile.server = Some(replay.url());
        profile.user_dn = Some(replay.user_dn());
    }
    profile.secret = Some(Secret::File(next("PASSWORD_FILE")?.into()));
    let seconds: f64 = next("").unwrap_or_else(|_| "5".to_owned()).parse()?;
    let tasks: usize = next("").unwrap_or_else(|_| "1".to_owned()).parse()?;
    let kept: usize = next("").unwrap_or_else(|_| "8".to_owned()).parse()?;
    let set = ProfileSet { default: Some("it".to_owned()), profiles: [("it".to_owned(), profile)].into() };
    let options = Options { kept_connections: kept, ..Options::default() };
    let mapi = Mapi::new(Profiles::of(set), options, &Ledger::new("loop"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let start = Instant::now();
        let until = start + Duration::from_secs_f64(seconds);
        let one = async || -> Fallible<u64> {
            let mut sessions = 0_u64;
            while Instant::now() < until {
                let session = mapi.logon_ex(&NoUi, None, None, LogonFlags::Q293150).await?;
                session.logoff(LogoffFlags::empty()).await?;
                sessions = sessions.saturating_add(1);
            }
            Ok(sessions)
        };
        let sessions = futures_util::future::try_join_all((0..tasks).map(|_| one())).await?;
        let sessions: u64 = sessions.iter().sum();
        println!("{{\"sessions\":{sessions},\"seconds\":{}}}", start.elapsed().as_secs_f64());
        mapi.idle().await;
        Ok(())
    })
}
