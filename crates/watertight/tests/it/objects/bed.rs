//! A session with the server in this process, and what both sides hold.

use std::time::Duration;

use watertight_ledger::{Inspect, Ledger};
use watertight_mapi_client::{Logon, Session};

pub use crate::bed::Bed;

pub async fn logon(bed: &Bed) -> (Session, Logon) {
    let session = bed.connector.connect(&bed.dn).await.unwrap();
    let logon = session.logon(&bed.dn).await.unwrap();
    (session, logon)
}

/// How many of a kind are held, in a ledger and below it.
pub fn held(ledger: &Ledger, kind: &str) -> i64 {
    fn sum(at: &Inspect, kind: &str) -> i64 {
        let own = at.kinds.get(kind).map_or(0, |held| held.now);
        own + at.children.iter().map(|child| sum(child, kind)).sum::<i64>()
    }
    sum(&ledger.inspect(), kind)
}

/// Objects that the server holds for clients.
pub fn server_objects(bed: &Bed) -> i64 {
    held(&bed.served, "rop handles")
}

/// Yields until something is so.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    tokio::time::timeout(Duration::from_secs(20), async {
        while !so() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("not within 20 s: {what}"));
}
