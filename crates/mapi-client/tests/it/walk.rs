//! From an address to the mailbox, through hosts that help, that fail, and that attack.

use std::sync::{Arc, Mutex};

use watertight_ledger::Ledger;
use watertight_mapi_client::{
    ConfirmHop, Credentials, Discovered, Discovery, DiscoveryError, DiscoveryStep, Error, ErrorClass, Hop,
    HopReason, Outcome, SetupError, SignInError, TrustError, Way,
};
use watertight_testkit::captures;

use crate::hosts::{Hosts, Says};

const DOMAIN: &str = "test.local";
const WELL_KNOWN: &str = "https://test.local";
const AUTODISCOVER: &str = "https://autodiscover.test.local";
const PLAIN: &str = "http://autodiscover.test.local";

/// The captured settings of u4, whose mailbox is on gx.test.local.
fn settings() -> String {
    String::from_utf8(captures::group("02").iter().find(|e| e.n == 58).unwrap().response()).unwrap()
}

fn account(inner: &str) -> String {
    format!(
        "<Autodiscover><Response><User><LegacyDN>/o=x</LegacyDN></User><Account>{inner}</Account></Response></Autodiscover>"
    )
}

fn to_url(url: &str) -> String {
    account(&format!("<Action>redirectUrl</Action><RedirectUrl>{url}</RedirectUrl>"))
}

fn to_address(address: &str) -> String {
    account(&format!("<Action>redirectAddr</Action><RedirectAddr>{address}</RedirectAddr>"))
}

/// What a run did.
struct Run {
    result: Result<Discovered, Error>,
    steps: Vec<DiscoveryStep>,
    hops: Vec<Hop>,
}

impl Run {
    fn ways(&self) -> Vec<(Way, &Outcome)> {
        self.steps.iter().map(|step| (step.way, &step.outcome)).collect()
    }
}

async fn run(hosts: &Hosts, address: &str, yes: bool) -> Run {
    let ledger = Ledger::new("test");
    let credentials = Credentials::new("u4@test.local", "secret").unwrap();
    let (steps, hops) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (s, h) = (Arc::clone(&steps), Arc::clone(&hops));
    let discovery = Discovery::new(&credentials, &hosts.options(), &ledger)
        .on_step(move |step| s.lock().unwrap().push(step.clone()))
        .confirm(ConfirmHop::new(move |hop| {
            h.lock().unwrap().push(hop.clone());
            yes
        }));
    let result = discovery.run(address).await;
    assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
    let steps = std::mem::take(&mut *steps.lock().unwrap());
    let hops = std::mem::take(&mut *hops.lock().unwrap());
    Run { result, steps, hops }
}

#[tokio::test]
async fn the_domain_itself_is_asked_first_and_only_a_host_that_wants_it_gets_the_password() {
    let hosts = Hosts::new(&[DOMAIN, "autodiscover.test.local"], &[]).await;
    hosts.at(AUTODISCOVER, Says::Signed(settings()));
    let done = run(&hosts, "u4@Test.Local", false).await;
    let found = done.result.unwrap();
    assert_eq!(found.display_name.as_deref(), Some("u4"));
    assert_eq!(
        found.mail_store.as_deref(),
        Some("https://gx.test.local/mapi/emsmdb/?MailboxId=75344074-6573-742e-6c6f-636104000000@test.local")
    );
    let asked = hosts.asked();
    let urls: Vec<_> = asked
        .iter()
        .map(|a| (a.url.trim_end_matches("/autodiscover/autodiscover.xml"), a.signed()))
        .collect();
    assert_eq!(urls, [(WELL_KNOWN, false), (AUTODISCOVER, false), (AUTODISCOVER, true)]);
    let last = asked.last().unwrap();
    let head = last.headers.to_ascii_lowercase();
    assert!(
        head.contains("x-mapihttpcapability: 1\r\n") && head.contains("x-anchormailbox: u4@test.local\r\n"),
        "{head}"
    );
    assert!(last.body.contains("<EMailAddress>u4@Test.Local</EMailAddress>"), "{}", last.body);
    assert!(last.body.contains("outlook/responseschema/2006a"), "{}", last.body);
    assert!(done.hops.is_empty());
    assert_eq!(done.steps.len(), 2);
    assert_eq!(done.steps[1].outcome, Outcome::Settings);
}

#[tokio::test]
async fn plain_http_leads_on_only_to_https_and_after_a_question() {
    let hosts = Hosts::new(&["autodiscover.test.local", "mail.hoster.example", "gx.test.local"], &[]).await;
    hosts.at(PLAIN, Says::moved("https://mail.hoster.example/autodiscover/autodiscover.xml"));
    hosts.at("https://mail.hoster.example", Says::Signed(settings()));
    let done = run(&hosts, "u4@test.local", false).await;
    let Err(Error::Discovery(DiscoveryError::Unconfirmed(hop))) = &done.result else {
        panic!("{:?}", done.result)
    };
    assert_eq!((hop.host.as_str(), hop.why), ("mail.hoster.example", HopReason::OtherDomain));
    let text = done.result.as_ref().unwrap_err().to_string();
    assert_eq!(
        text,
        "http://autodiscover.test.local/autodiscover/autodiscover.xml sends us to mail.hoster.example, which does not belong to test.local; if mail.hoster.example is right, say so with --yes, or give --server URL"
    );
    let asked = hosts.asked();
    assert!(asked.iter().all(|a| !a.signed() && !a.url.contains("hoster")), "{asked:?}");
    let plain: Vec<_> = asked.iter().filter(|a| a.url.starts_with("http://")).collect();
    assert_eq!(plain.len(), 1);
    assert!(plain[0].headers.starts_with("GET ") && !plain[0].headers.contains("u4"), "{plain:?}");

    let done = run(&hosts, "u4@test.local", true).await;
    assert!(done.result.is_ok());
    assert_eq!(done.hops.len(), 1);
    assert!(done.ways().contains(&(
        Way::PlainRedirect,
        &Outcome::Elsewhere("https://mail.hoster.example/autodiscover/autodiscover.xml".to_owned())
    )));

    hosts.asked();
    // The domain's own hosts need a question too, but for those that are asked anyway.
    hosts.at(PLAIN, Says::moved("https://gx.test.local/autodiscover/autodiscover.xml"));
    hosts.at("https://gx.test.local", Says::Signed(settings()));
    let done = run(&hosts, "u4@test.local", false).await;
    assert!(
        matches!(&done.result, Err(Error::Discovery(DiscoveryError::Unconfirmed(hop))) if hop.why == HopReason::Insecure),
        "{:?}",
        done.result
    );
    assert!(hosts.asked().iter().all(|a| !a.signed()));
    hosts.at(PLAIN, Says::moved("https://autodiscover.test.local/other.xml"));
    hosts.at("https://autodiscover.test.local/other.xml", Says::Signed(settings()));
    let done = run(&hosts, "u4@test.local", false).await;
    assert!(done.result.is_ok() && done.hops.is_empty(), "{:?}", done.result);

    hosts.asked();
    for elsewhere in [
        "http://gx.test.local/x",
        "http://127.0.0.1/x",
        "ftp://gx.test.local/",
        "/x",
        "",
        "https://u:p@gx.test.local/",
    ] {
        hosts.at(PLAIN, Says::moved(elsewhere));
        let done = run(&hosts, "u4@test.local", true).await;
        assert!(
            matches!(done.result, Err(Error::Discovery(DiscoveryError::Redirect { .. }))),
            "{elsewhere}: {:?}",
            done.result
        );
        assert!(done.hops.is_empty() && hosts.asked().iter().all(|a| !a.signed()));
    }
}

#[tokio::test]
async fn services_are_followed_after_a_question() {
    let hosts = Hosts::new(&["mail.test.local"], &[]).await;
    hosts.service(DOMAIN, "mail.test.local.");
    hosts.at("https://mail.test.local", Says::Signed(settings()));
    let done = run(&hosts, "u4@test.local", false).await;
    assert!(
        matches!(&done.result, Err(Error::Discovery(DiscoveryError::Unconfirmed(hop))) if hop.from.contains("_autodiscover._tcp.test.local")),
        "{:?}",
        done.result
    );
    assert!(hosts.asked().is_empty());
    let done = run(&hosts, "u4@test.local", true).await;
    assert!(done.result.is_ok());
    assert_eq!(done.steps.last().map(|s| &s.outcome), Some(&Outcome::Settings));
}

#[tokio::test]
async fn redirections_over_https_stay_in_the_realm_or_ask() {
    let hosts = Hosts::new(&[DOMAIN, "gx.test.local", "evil.example"], &[]).await;
    let evil = "https://evil.example/autodiscover/autodiscover.xml";
    hosts.at("https://evil.example", Says::Signed(settings()));
    let good = "https://gx.test.local/autodiscover/autodiscover.xml";
    hosts.at("https://gx.test.local", Says::Signed(settings()));
    for says in [
        Says::moved(good),
        Says::Signed(to_url(good)),
        Says::Status(301, vec![("Location", good.to_owned())]),
    ] {
        hosts.at(WELL_KNOWN, says);
        let done = run(&hosts, "u4@test.local", false).await;
        assert!(done.result.is_ok() && done.hops.is_empty(), "{:?}", done.result);
    }
    hosts.asked();
    for says in [Says::moved(evil), Says::Signed(to_url(evil)), Says::moved("//evil.example/x")] {
        hosts.at(WELL_KNOWN, says);
        let done = run(&hosts, "u4@test.local", false).await;
        assert_eq!(done.result.as_ref().unwrap_err().class(), ErrorClass::Reach, "{:?}", done.result);
        assert!(hosts.asked().iter().all(|a| !a.url.contains("evil")), "nobody said yes");
    }
    // Down to http, also from a document.
    for says in [Says::moved("http://gx.test.local/x"), Says::Signed(to_url("http://gx.test.local/x"))] {
        hosts.at(WELL_KNOWN, says);
        let done = run(&hosts, "u4@test.local", true).await;
        assert!(
            matches!(done.result, Err(Error::Discovery(DiscoveryError::Redirect { .. }))),
            "{:?}",
            done.result
        );
        assert!(
            hosts
                .asked()
                .iter()
                .all(|a| a.url.starts_with("https://test.local") || a.url.contains("autodiscover."))
        );
    }
    // A mailbox elsewhere.
    hosts.at(
        WELL_KNOWN,
        Says::Signed(settings().replace("https://gx.test.local/mapi", "https://evil.example/mapi")),
    );
    let done = run(&hosts, "u4@test.local", false).await;
    assert!(
        matches!(&done.result, Err(Error::Discovery(DiscoveryError::Unconfirmed(hop))) if hop.host == "evil.example"),
        "{:?}",
        done.result
    );
    hosts.at(
        WELL_KNOWN,
        Says::Signed(settings().replace("https://gx.test.local/mapi", "http://gx.test.local/mapi")),
    );
    assert!(matches!(
        run(&hosts, "u4@test.local", true).await.result,
        Err(Error::Setup(SetupError::PlainHttp { .. }))
    ));
}

#[tokio::test]
async fn circles_end() {
    let hosts = Hosts::new(&[DOMAIN, "a.test.local", "other.example"], &[]).await;
    let path = "/autodiscover/autodiscover.xml";
    hosts.at(WELL_KNOWN, Says::moved(&format!("https://a.test.local{path}")));
    hosts.at("https://a.test.local", Says::moved(&format!("{WELL_KNOWN}{path}")));
    let done = run(&hosts, "u4@test.local", true).await;
    assert!(
        matches!(done.result, Err(Error::Discovery(DiscoveryError::Redirect { .. }))),
        "{:?}",
        done.result
    );
    assert_eq!(hosts.asked().len(), 2);

    hosts.at(WELL_KNOWN, Says::moved(path));
    assert!(run(&hosts, "u4@test.local", true).await.result.is_err());
    assert_eq!(hosts.asked().len(), 1);

    // A chain that is no circle, but has no end.
    for n in 0..100 {
        let next = format!("https://a.test.local/{}", n + 1);
        hosts.at(&format!("https://a.test.local/{n}"), Says::moved(&next));
    }
    hosts.at(WELL_KNOWN, Says::moved("https://a.test.local/0"));
    assert!(run(&hosts, "u4@test.local", true).await.result.is_err());
    assert!(hosts.asked().len() <= 17);

    // From address to address.
    hosts.at(WELL_KNOWN, Says::Signed(to_address("u4@other.example")));
    hosts.at("https://other.example", Says::Signed(to_address("U4@test.local")));
    let done = run(&hosts, "u4@test.local", true).await;
    assert!(
        matches!(done.result, Err(Error::Discovery(DiscoveryError::Redirect { .. }))),
        "{:?}",
        done.result
    );
    assert_eq!(hosts.asked().len(), 4);
    // The other domain gets nothing without a yes.
    assert!(matches!(
        run(&hosts, "u4@test.local", false).await.result,
        Err(Error::Discovery(DiscoveryError::Unconfirmed(_)))
    ));
    assert!(hosts.asked().iter().all(|a| !a.url.contains("other.example")));
}

#[tokio::test]
async fn what_matters_most_is_said() {
    let hosts = Hosts::new(
        &[DOMAIN, "autodiscover.test.local", "shared.example"],
        &[("autodiscover.test.local", "shared.example")],
    )
    .await;
    // A certificate for another name.
    let done = run(&hosts, "u4@test.local", true).await;
    assert!(matches!(done.result, Err(Error::Trust(TrustError::WrongName { .. }))), "{:?}", done.result);
    assert!(hosts.asked().iter().all(|a| a.url.contains("//test.local") || a.url.starts_with("http://")));

    for (says, error) in [
        (Says::Signed(settings().replace("mapiHttp", "nothing")), "offers no MAPI over HTTP"),
        (Says::Signed(captured(63)), "does not know u4@test.local (code 404: Not Found)"),
        (Says::Status(401, vec![("WWW-Authenticate", "Basic realm=\"x\"".to_owned())]), "check both"),
        (Says::Status(503, Vec::new()), "busy"),
    ] {
        hosts.at(WELL_KNOWN, says);
        let text = run(&hosts, "u4@test.local", true).await.result.unwrap_err().to_string();
        assert!(text.contains(error), "{text}");
    }
    // A web site that forbids is no server that refuses.
    hosts.at(WELL_KNOWN, Says::Status(403, Vec::new()));
    let error = run(&hosts, "u4@test.local", true).await.result.unwrap_err();
    assert!(!matches!(error, Error::SignIn(SignInError::Forbidden)), "{error:?}");

    // Nothing there at all.
    let done = run(&hosts, "u4@nowhere.example", true).await;
    let error = done.result.as_ref().unwrap_err();
    assert_eq!(error.class(), ErrorClass::Reach);
    assert!(error.to_string().contains("nobody says where the mailbox of u4@nowhere.example is"), "{error}");
    assert_eq!(done.steps.len(), 4);
    for bad in
        ["u4", "@test.local", "u4@", "u4@a..b", "u4@a/b", "u4@a:1", "u 4@test.local", "u4@[::1]", "u4@-x y"]
    {
        let error = run(&hosts, bad, true).await.result.unwrap_err();
        assert!(matches!(error, Error::Setup(SetupError::Address(_))), "{bad}: {error:?}");
    }
    let done = run(&hosts, "u4@müller.example", true).await;
    assert_eq!(done.steps[0].url, "https://xn--mller-kva.example/autodiscover/autodiscover.xml");
}

#[tokio::test]
async fn bombs_do_not_go_off() {
    let hosts = Hosts::new(&[DOMAIN], &[]).await;
    let laughs = format!(
        "<!DOCTYPE a [<!ENTITY l0 \"lol\">{}]><Autodiscover>&l9;</Autodiscover>",
        (1..10)
            .map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)))
            .collect::<String>()
    );
    for bomb in [
        laughs,
        "<a>".repeat(80_000),
        "x".repeat(1 << 20),
        format!("<Autodiscover>{}", "&amp;".repeat(40_000)),
    ] {
        hosts.at(WELL_KNOWN, Says::Signed(bomb));
        let done = run(&hosts, "u4@test.local", true).await;
        assert!(
            matches!(done.result, Err(Error::Discovery(DiscoveryError::Nowhere { .. }))),
            "{:?}",
            done.result
        );
    }
}

fn captured(n: u32) -> String {
    String::from_utf8(captures::group("02").iter().find(|e| e.n == n).unwrap().response()).unwrap()
}
