//! Every way to sign in, and every way in which that fails.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use watertight_auth::http::Scheme as Http;
use watertight_ledger::Ledger;
use watertight_mapi_client::{
    Connector, Credentials, Endpoint, Error, ErrorClass, Options, Scheme, SignIn, SignInError,
};

use crate::gate::{Gate, PASSWORD, Verdict, exchange, exchange_for};
use crate::kit::options;

const USER: &str = "u4@test.local";

/// A connector and its ledger.
struct Way {
    connector: Connector,
    ledger: Ledger,
    dn: String,
}

fn way(gate: &Gate, credentials: &Credentials, sign_in: SignIn) -> Way {
    let ledger = Ledger::new("test");
    let options = Options { sign_in, token_timeout: Duration::from_secs(20), ..options() };
    let connector =
        Connector::new(Endpoint::parse(&gate.url).unwrap(), credentials, options, &ledger).unwrap();
    Way { connector, ledger, dn: gate.replay.user_dn() }
}

fn password(gate: &Gate, sign_in: SignIn) -> Way {
    way(gate, &Credentials::new(USER, PASSWORD).unwrap(), sign_in)
}

impl Way {
    async fn session(&self) -> Result<(), Error> {
        let session = self.connector.connect(&self.dn).await?;
        let outcome = session.logon(&self.dn).await.map(drop);
        session.disconnect().await?;
        outcome
    }

    /// The error of a session; nothing is left of it.
    async fn refused(&self) -> SignInError {
        let error = self.session().await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::SignIn, "{error}");
        self.connector.idle().await;
        assert_eq!(self.ledger.held(), 0, "{}", self.ledger.inspect());
        match error {
            Error::SignIn(error) => error,
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_connection_is_signed_in_once_and_kept() {
    for (scheme, sign_in) in [(Http::Ntlm, SignIn::Ntlm), (Http::Negotiate, SignIn::Auto)] {
        let gate = Gate::new(move || exchange(scheme, PASSWORD));
        let way = password(&gate, sign_in);
        for _ in 0..5 {
            way.session().await.unwrap();
        }
        let seen = gate.seen();
        assert_eq!((seen.connections, seen.with(scheme.name())), (1, 2), "{seen:?}");
        // Auto hears first what there is; the first leg has no body, the last is the request.
        let legs: Vec<_> = seen.requests.iter().filter(|(_, found, _)| found == scheme.name()).collect();
        assert!(legs[0].2 == 0 && legs[1].2 > 0, "{legs:?}");
        let asked = usize::from(sign_in == SignIn::Auto);
        assert_eq!(seen.requests.len(), asked + 1 + 5 * 3, "{seen:?}");
        way.connector.idle().await;
        assert_eq!(way.ledger.held(), 0, "{}", way.ledger.inspect());
    }
}

#[tokio::test]
async fn each_connection_is_signed_in_by_itself() {
    let gate = Gate::new(|| exchange(Http::Ntlm, PASSWORD));
    let way = password(&gate, SignIn::Auto);
    let one = way.connector.connect(&way.dn).await.unwrap();
    let other = way.connector.connect(&way.dn).await.unwrap();
    one.disconnect().await.unwrap();
    other.disconnect().await.unwrap();
    let seen = gate.seen();
    // The server is asked once what it offers.
    assert_eq!((seen.connections, seen.with("NTLM"), seen.with("")), (2, 4, 4 - 1), "{seen:?}");
}

#[tokio::test]
async fn a_connection_that_the_server_forgets_is_signed_in_again_and_the_session_goes_on() {
    for scheme in [Http::Ntlm, Http::Negotiate] {
        let gate = Gate::new(move || exchange_for(scheme, PASSWORD, 1));
        let way = password(&gate, SignIn::Auto);
        way.session().await.unwrap();
        way.session().await.unwrap();
        let seen = gate.seen();
        assert_eq!(seen.connections, 1);
        assert!(seen.with(scheme.name()) >= 6, "{seen:?}");
    }
}

#[tokio::test]
async fn the_strongest_that_the_server_offers_is_taken() {
    let basic = "Basic dTRAdGVzdC5sb2NhbDpzZWNyZXQ=";
    for (offers, taken) in [
        ("Basic realm=\"x, NTLM\", NTLM, Negotiate", Scheme::Negotiate),
        ("Basic realm=\"x\"\r\nWWW-Authenticate: NTLM\r\nWWW-Authenticate: Bearer a=\"b\"", Scheme::Ntlm),
        ("Bearer, Basic realm=\"x\"", Scheme::Basic),
    ] {
        let gate = Gate::new(move || {
            let mut inner =
                exchange(if taken == Scheme::Ntlm { Http::Ntlm } else { Http::Negotiate }, PASSWORD);
            let mut asked_before = false;
            Box::new(move |asked| match asked.authorization() {
                Some(value) if value == basic && taken == Scheme::Basic => Verdict::Pass(String::new()),
                None if !asked_before => {
                    asked_before = true;
                    Verdict::Refuse(format!("WWW-Authenticate: {offers}\r\n"))
                }
                _ => inner(asked),
            })
        });
        let way = password(&gate, SignIn::Auto);
        way.session().await.unwrap();
        assert!(gate.seen().with(taken.name()) >= 1, "{taken}: {:?}", gate.seen());
        let offered = way.connector.offered().await.unwrap();
        assert!(offered.contains(&taken), "{offered:?}");
    }
    // Nobody asks for a proof: none is given.
    let gate = Gate::new(|| Box::new(|_| Verdict::Pass(String::new())));
    let way = password(&gate, SignIn::Auto);
    way.session().await.unwrap();
    assert_eq!(way.connector.offered().await.unwrap(), []);
    assert_eq!(gate.seen().with(""), gate.seen().requests.len());
}

/// What does not answer NTLM's first message is passed over, as nothing was proved yet.
#[tokio::test]
async fn a_scheme_that_is_offered_in_vain_is_passed_over() {
    let gate = Gate::new(|| {
        let mut ntlm = exchange(Http::Ntlm, PASSWORD);
        Box::new(move |asked| match asked.authorization() {
            Some(value) if value.starts_with("NTLM") => ntlm(asked),
            None => match ntlm(asked) {
                Verdict::Refuse(_) => Verdict::Refuse("WWW-Authenticate: Negotiate, NTLM\r\n".into()),
                other => other,
            },
            _ => Verdict::Refuse("WWW-Authenticate: Negotiate, NTLM\r\n".into()),
        })
    });
    let way = password(&gate, SignIn::Auto);
    way.session().await.unwrap();
    way.session().await.unwrap();
    let seen = gate.seen();
    assert_eq!((seen.with("Negotiate"), seen.with("NTLM")), (1, 2), "{seen:?}");
}

/// HTTP/1.0, or a proxy: the connection ends with the 401.
#[tokio::test]
async fn a_server_that_closes_after_each_401() {
    // Before the exchange, that is no matter.
    let gate = Gate::new(|| {
        let mut ntlm = exchange(Http::Ntlm, PASSWORD);
        Box::new(move |asked| match (asked.authorization(), ntlm(asked)) {
            (None, Verdict::Refuse(lines)) => Verdict::RefuseAndClose(lines),
            (_, verdict) => verdict,
        })
    });
    password(&gate, SignIn::Auto).session().await.unwrap();
    // In the middle of it, it cannot be ended.
    let gate = Gate::new(|| {
        let mut ntlm = exchange(Http::Ntlm, PASSWORD);
        Box::new(move |asked| match ntlm(asked) {
            Verdict::Refuse(lines) => Verdict::RefuseAndClose(lines),
            verdict => verdict,
        })
    });
    let error = password(&gate, SignIn::Auto).refused().await;
    assert!(
        matches!(&error, SignInError::Exchange { scheme: Scheme::Ntlm, why } if why.contains("proxy")),
        "{error}"
    );
    // Without a word.
    let gate = Gate::new(|| {
        let mut ntlm = exchange(Http::Ntlm, PASSWORD);
        let mut legs = 0;
        Box::new(move |asked| {
            legs += usize::from(asked.authorization().is_some());
            if legs == 2 { Verdict::Close } else { ntlm(asked) }
        })
    });
    let error = password(&gate, SignIn::Auto).session().await.unwrap_err();
    assert!(matches!(error, Error::Reach(_)), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_proved_once() {
    for (scheme, sign_in) in
        [(Http::Ntlm, SignIn::Ntlm), (Http::Ntlm, SignIn::Auto), (Http::Negotiate, SignIn::Auto)]
    {
        let gate = Gate::new(move || exchange(scheme, "another"));
        let way = password(&gate, sign_in);
        for n in 1..=3 {
            assert_eq!(way.refused().await, SignInError::Credentials);
            assert_eq!(gate.seen().with(scheme.name()), 2 * n, "{:?}", gate.seen());
        }
    }
    let gate = Gate::new(|| Box::new(|_| Verdict::Refuse("WWW-Authenticate: Basic realm=x\r\n".into())));
    assert_eq!(password(&gate, SignIn::Auto).refused().await, SignInError::Credentials);
    assert_eq!(gate.seen().with("Basic"), 1);
    // Who refuses without an offer is tried with Basic.
    let gate = Gate::new(|| Box::new(|_| Verdict::Refuse(String::new())));
    assert_eq!(password(&gate, SignIn::Auto).refused().await, SignInError::Credentials);
    assert_eq!(gate.seen().requests.len(), 2);
}

/// A server that refuses whatever comes, with the same words.
#[tokio::test]
async fn a_401_for_ever_is_given_up() {
    let all = "WWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\nWWW-Authenticate: Basic realm=x\r\n";
    for (sign_in, most) in [(SignIn::Auto, 4), (SignIn::Ntlm, 1), (SignIn::Negotiate, 2), (SignIn::Basic, 1)]
    {
        let gate = Gate::new(move || Box::new(move |_| Verdict::Refuse(all.into())));
        let error = password(&gate, sign_in).refused().await;
        assert!(matches!(error, SignInError::Credentials | SignInError::Exchange { .. }), "{error}");
        let seen = gate.forget();
        assert!(seen.requests.len() <= most, "{sign_in}: {seen:?}");
    }
    // A connection that is let in by nothing but an exchange, each time.
    let gate = Gate::new(|| {
        let mut ntlm = exchange(Http::Ntlm, PASSWORD);
        Box::new(move |asked| match asked.authorization() {
            None => Verdict::Refuse("WWW-Authenticate: NTLM\r\n".into()),
            Some(_) => ntlm(asked),
        })
    });
    password(&gate, SignIn::Auto).session().await.unwrap();
}

#[tokio::test]
async fn challenges_that_are_none() {
    let long = STANDARD.encode(vec![0; 40 << 10]);
    let cut = "TlRMTVNTUAACAAAA";
    for (scheme, challenge) in [
        ("NTLM", "!!!".to_owned()),
        ("NTLM", STANDARD.encode(b"no challenge")),
        ("NTLM", cut.to_owned()),
        ("NTLM", STANDARD.encode(vec![0xFF; 20_000])),
        ("Negotiate", STANDARD.encode(b"no challenge")),
        ("Negotiate", "====".to_owned()),
        ("NTLM", long),
    ] {
        let gate = Gate::new(move || {
            let lines = format!("WWW-Authenticate: {scheme} {challenge}\r\n");
            Box::new(move |asked| match asked.authorization() {
                None => Verdict::Refuse(format!("WWW-Authenticate: {scheme}\r\n")),
                Some(_) => Verdict::Refuse(lines.clone()),
            })
        });
        let error = password(&gate, SignIn::Auto).refused().await;
        assert!(matches!(error, SignInError::Exchange { .. }), "{error}");
        assert!(gate.seen().requests.len() <= 4, "{:?}", gate.seen());
    }
    // Longer than any header may be.
    let gate = Gate::new(move || {
        let lines = format!("WWW-Authenticate: NTLM {}\r\n", "A".repeat(100 << 10));
        Box::new(move |_| Verdict::Refuse(lines.clone()))
    });
    let error = password(&gate, SignIn::Ntlm).session().await.unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    // Not HTTP in the middle.
    let gate = Gate::new(|| {
        let mut ntlm = exchange(Http::Ntlm, PASSWORD);
        let mut legs = 0;
        Box::new(move |asked| {
            legs += 1;
            if legs == 2 { Verdict::Say(b"220 mail ESMTP\r\n".to_vec()) } else { ntlm(asked) }
        })
    });
    let error = password(&gate, SignIn::Ntlm).session().await.unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
}

/// Negotiate's server signs the list of mechanisms with its last token.
#[tokio::test]
async fn a_last_token_that_is_wrong_is_refused() {
    let gate = Gate::new(|| {
        let mut inner = exchange(Http::Negotiate, PASSWORD);
        Box::new(move |asked| match inner(asked) {
            Verdict::Pass(lines) if !lines.is_empty() => {
                let coded = lines.trim().rsplit(' ').next().unwrap();
                let mut token = STANDARD.decode(coded).unwrap();
                *token.last_mut().unwrap() ^= 1;
                Verdict::Pass(format!("WWW-Authenticate: Negotiate {}\r\n", STANDARD.encode(token)))
            }
            verdict => verdict,
        })
    });
    let error = password(&gate, SignIn::Auto).refused().await;
    assert!(matches!(error, SignInError::NotProved { .. }), "{error}");
}

#[tokio::test]
async fn what_is_not_offered_is_said() {
    let gate = Gate::new(|| Box::new(|_| Verdict::Refuse("WWW-Authenticate: Bearer x=y\r\n".into())));
    let error = password(&gate, SignIn::Auto).refused().await;
    assert!(error.to_string().contains("--token-command"), "{error}");
    let gate = Gate::new(|| Box::new(|_| Verdict::Refuse("WWW-Authenticate: Basic realm=x\r\n".into())));
    for sign_in in [SignIn::Ntlm, SignIn::Negotiate] {
        let error = password(&gate, sign_in).refused().await;
        let wanted = vec![sign_in.scheme().unwrap()];
        assert_eq!(error, SignInError::NotOffered { wanted, offered: vec![Scheme::Basic] });
    }
    let token = Credentials::token_command(USER, "echo t").unwrap();
    let error = way(&gate, &token, SignIn::Auto).refused().await;
    assert!(
        matches!(error, SignInError::NotOffered { .. }) && error.to_string().contains("password"),
        "{error}"
    );
    // And what cannot be is said before anything is sent.
    let endpoint = Endpoint::parse(&gate.url).unwrap();
    for (credentials, sign_in) in [
        (&token, SignIn::Ntlm),
        (&Credentials::ticket(USER).unwrap(), SignIn::Basic),
        (&Credentials::new(USER, "x").unwrap(), SignIn::Bearer),
    ] {
        let options = Options { sign_in, ..options() };
        let error = Connector::new(endpoint.clone(), credentials, options, &Ledger::new("test")).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Setup, "{error}");
    }
}

#[tokio::test]
async fn no_ticket_is_said_with_its_cure() {
    let gate = Gate::new(|| exchange(Http::Negotiate, PASSWORD));
    let nowhere = Credentials::ticket_in(USER, "/nowhere/krb5cc").unwrap();
    let error = way(&gate, &nowhere, SignIn::Auto).refused().await;
    assert!(error.to_string().contains("kinit"), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("cc");
    std::fs::write(&empty, b"").unwrap();
    let error = way(&gate, &Credentials::ticket_in(USER, &empty).unwrap(), SignIn::Auto).refused().await;
    assert!(error.to_string().contains("kinit"), "{error}");
    assert_eq!(gate.seen().requests.len(), 0);
}

/// Lets the given token in.
fn bearer(token: impl Fn() -> String + Send + Sync + Clone + 'static) -> Gate {
    Gate::new(move || {
        let token = token.clone();
        Box::new(move |asked| match asked.authorization() {
            Some(value) if value == format!("Bearer {}", token()) => Verdict::Pass(String::new()),
            _ => Verdict::Refuse("WWW-Authenticate: Bearer realm=\"x\", error=\"invalid_token\"\r\n".into()),
        })
    })
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_again_when_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let runs = dir.path().join("runs");
    let command = format!("echo run >> {0}; echo token-$(wc -l < {0})", runs.display());
    let credentials = Credentials::token_command(USER, command).unwrap();
    let count = || std::fs::read_to_string(&runs).unwrap_or_default().lines().count();
    let good = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(1));
    let valid = std::sync::Arc::clone(&good);
    let gate = bearer(move || format!("token-{}", valid.load(std::sync::atomic::Ordering::SeqCst)));
    let way = way(&gate, &credentials, SignIn::Auto);
    for _ in 0..3 {
        way.session().await.unwrap();
    }
    assert_eq!((count(), gate.seen().requests.len()), (1, 9));
    // In the middle of a session.
    let session = way.connector.connect(&way.dn).await.unwrap();
    good.store(2, std::sync::atomic::Ordering::SeqCst);
    session.logon(&way.dn).await.unwrap();
    session.disconnect().await.unwrap();
    assert_eq!(count(), 2);
    good.store(99, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(way.refused().await, SignInError::TokenRefused);
    assert_eq!(count(), 3);
}

#[tokio::test]
async fn a_token_command_that_fails_says_how() {
    let gate = bearer(|| "t".to_owned());
    let credentials = Credentials::token_command(USER, "echo hush; echo log in first >&2; exit 9").unwrap();
    let error = way(&gate, &credentials, SignIn::Bearer).refused().await;
    let shown = error.to_string();
    assert!(shown.contains("exit status 9") && shown.contains("log in first"), "{shown}");
    assert!(!shown.contains("hush"));
    assert_eq!(gate.seen().connections, 0);
}
