//! Autodiscover, with documents that a real server sent.

use watertight_mapi_client::{DiscoveryError, Error, ErrorClass, SignInError};
use watertight_testkit::captures;
use watertight_testkit::replay::{Fault, When};

use crate::kit::Bench;

fn captured(n: u32) -> Vec<u8> {
    captures::group("02").iter().find(|e| e.n == n).unwrap().response()
}

#[tokio::test]
async fn a_captured_answer_gives_the_dn_that_connects() {
    let bench = Bench::new();
    bench.replay.autodiscover(captured(58));
    let found = bench.connector.discover("u4@test.local").await.unwrap();
    assert_eq!(found.legacy_dn, bench.dn);
    assert_eq!(found.address.as_deref(), Some("u4@test.local"));
    let session = bench.connector.connect(&found.legacy_dn).await.unwrap();
    session.disconnect().await.unwrap();
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let bench = Bench::new();
    let ask = || async { bench.connector.discover("nobody@test.local").await.unwrap_err() };
    bench.replay.autodiscover(captured(63));
    let error = ask().await;
    assert_eq!(
        error.to_string(),
        "Autodiscover on 127.0.0.1 does not know nobody@test.local (code 404: Not Found); check the address, or give --user-dn"
    );
    assert_eq!(error.class(), ErrorClass::SignIn);
    for (n, why) in [(69, "code 600: Invalid Request"), (61, "its answer has no LegacyDN")] {
        bench.replay.autodiscover(captured(n));
        let error = ask().await;
        assert!(
            matches!(&error, Error::Discovery(DiscoveryError::Unusable { why: w, .. }) if w == why),
            "{error:?}"
        );
    }
    bench.replay.autodiscover("this is no XML <");
    assert!(matches!(ask().await, Error::Discovery(DiscoveryError::Unusable { .. })));
    bench.replay.autodiscover(vec![b' '; 1 << 20]);
    assert!(matches!(ask().await, Error::Protocol(_)));

    let autodiscover = || When::request("Autodiscover");
    bench.replay.fault(autodiscover(), Fault::Status(401, Vec::new()));
    assert!(matches!(ask().await, Error::SignIn(SignInError::Credentials)));
    let offers = vec![("WWW-Authenticate", "Negotiate".to_owned())];
    bench.replay.fault(autodiscover(), Fault::Status(401, offers));
    assert!(matches!(ask().await, Error::SignIn(SignInError::NotOffered { .. })));
    bench.replay.fault(autodiscover(), Fault::Status(404, Vec::new()));
    assert!(matches!(ask().await, Error::Discovery(DiscoveryError::Unusable { .. })));
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn redirections_are_followed_on_the_same_host_and_not_for_ever() {
    let bench = Bench::new();
    bench.replay.autodiscover(captured(58));
    let to = |location: String| Fault::Status(302, vec![("Location", location)]);
    let autodiscover = || When::request("Autodiscover");
    bench.replay.fault(autodiscover(), to("/Autodiscover/other.xml".to_owned()));
    bench
        .replay
        .fault(autodiscover(), to(format!("http://{}/autodiscover/third.xml", bench.replay.address())));
    bench.replay.fault(autodiscover(), Fault::Status(503, vec![("Retry-After", "0".to_owned())]));
    assert_eq!(bench.connector.discover("u4@test.local").await.unwrap().legacy_dn, bench.dn);

    for elsewhere in
        ["https://other.example/autodiscover/", "http://other.example/x", "https://127.0.0.1/x", "//x", ""]
    {
        bench.replay.fault(autodiscover(), to(elsewhere.to_owned()));
        let error = bench.connector.discover("u4@test.local").await.unwrap_err();
        assert!(matches!(error, Error::Discovery(DiscoveryError::Redirect { .. })), "{elsewhere}: {error:?}");
    }
    bench.replay.fault(autodiscover().always(), to("/autodiscover/autodiscover.xml".to_owned()));
    let error = bench.connector.discover("u4@test.local").await.unwrap_err();
    assert!(matches!(error, Error::Discovery(DiscoveryError::Redirect { .. })), "{error:?}");
    bench.assert_nothing_left().await;
}
