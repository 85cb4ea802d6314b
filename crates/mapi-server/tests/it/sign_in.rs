//! NTLM, Negotiate and access tokens. (Kerberos has its judges among the peers of the program.)

use std::sync::{Arc, Mutex};
use std::time::Duration;

use watertight_auth::http::Scheme as TokenScheme;
use watertight_auth::kerberos::{Realms, Tcp};
use watertight_auth::{Client as Prover, Identity, Purpose, Security, Target};
use watertight_ledger::Ledger;
use watertight_mapi::store::{NtHash, Store};
use watertight_mapi_server::{Scheme, hash_password, new_token, nt_hash};
use watertight_store::MemoryStore;

use crate::bed::{Bed, Client, PASSWORD, Response, basic, hash, store};

/// A store whose `u3` and `u4` may use NTLM.
async fn with_ntlm() -> MemoryStore {
    let store = store().await;
    for name in ["u3", "u4"] {
        store.secrets().set_password(name, &hash(), Some(nt_hash(PASSWORD))).await.unwrap();
    }
    store
}

async fn bed() -> Bed {
    Bed::with(Arc::new(with_ntlm().await), |_| {}).await
}

/// A request of its own kind on the same connection.
async fn ping(client: &mut Client, authorization: Option<&str>, more: &[(&str, &str)]) -> Response {
    let mut headers = client.headers("PING");
    headers.retain(|(name, _)| name != "Authorization");
    headers.extend(authorization.map(|value| ("Authorization".into(), value.into())));
    headers.extend(more.iter().map(|(name, value)| (name.to_string(), value.to_string())));
    client.exchange(&headers, b"").await
}

fn offered(response: &Response) -> Vec<String> {
    let named = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("WWW-Authenticate"));
    named.map(|(_, value)| value.split(' ').next().unwrap().to_owned()).collect()
}

/// The side that proves: without a KDC.
fn prover(scheme: TokenScheme, user: &str, password: &str) -> Prover {
    let nowhere = Tcp::new(Realms::default(), Duration::ZERO);
    let security = Security::new(&Ledger::new("prover")).with_key_distribution(Arc::new(nowhere));
    let identity = Identity::password(user, password);
    let target = Target::new("HTTP", "127.0.0.1");
    Prover::new(&security, scheme.mechanism(), identity, target, None, Purpose::SignIn)
}

/// The whole exchange; the last answer.
async fn sign_in(client: &mut Client, scheme: TokenScheme, user: &str, password: &str) -> Response {
    let mut prover = prover(scheme, user, password);
    let mut token = Vec::new();
    loop {
        let step = prover.step(&token).unwrap();
        let Some(ours) = step.token else { panic!("nothing to send") };
        let response = ping(client, Some(&scheme.header(Some(&ours))), &[]).await;
        if response.status != 401 {
            return response;
        }
        let theirs = response.header("WWW-Authenticate").unwrap();
        match TokenScheme::credentials(theirs.as_bytes()) {
            Some((_, theirs)) => token = theirs,
            None => return response,
        }
    }
}

/// How the exchange begins: the header of the first request.
fn first(scheme: TokenScheme) -> String {
    scheme.header(prover(scheme, "u3", PASSWORD).step(&[]).unwrap().token.as_deref())
}

#[tokio::test]
async fn an_identity_belongs_to_its_connection() {
    let bed = bed().await;
    for (scheme, user) in [
        (TokenScheme::Ntlm, "u3"),
        (TokenScheme::Ntlm, "ANY\\U3"),
        (TokenScheme::Ntlm, "u3@test.local"),
        (TokenScheme::Negotiate, "u3"),
    ] {
        let mut client = bed.client("u3").await;
        assert_eq!(sign_in(&mut client, scheme, user, PASSWORD).await.status, 200, "{user}");
        assert_eq!(bed.held("signed-in connections"), 1);
        assert_eq!((bed.held("security exchanges"), bed.held("security contexts")), (0, 0));
        assert_eq!(ping(&mut client, None, &[]).await.status, 200);
        // It is u3 and nobody else: a context of its own.
        client.authorization = "none".into();
        let mut headers = client.headers("Connect");
        headers.retain(|(name, _)| name != "Authorization");
        let body = crate::bed::connect_body(&watertight_mapi::store::legacy_dn("u3"));
        assert_eq!(client.exchange(&headers, &body).await.code(), 0);
        let mut other = bed.client("u3").await;
        assert_eq!(ping(&mut other, None, &[]).await.status, 401);
        // Through a proxy, a connection is nobody's.
        assert_eq!(ping(&mut client, None, &[("Via", "1.1 proxy")]).await.status, 401);
        assert_eq!(ping(&mut client, None, &[]).await.status, 200);
        drop(client);
        bed.until_held("signed-in connections", 0).await;
    }
    bed.end().await;
}

#[tokio::test]
async fn another_header_ends_what_a_connection_was() {
    let bed = bed().await;
    let mut client = bed.client("u3").await;
    let right = basic("u4", PASSWORD);
    let begin = first(TokenScheme::Ntlm);
    for (header, status) in [
        (right.as_str(), 200),
        ("Basic ???", 401),
        ("Bearer wt_nothing", 401),
        ("Digest x", 401),
        ("NTLM", 401),
        ("Negotiate !!!", 401),
        (begin.as_str(), 401),
    ] {
        assert_eq!(sign_in(&mut client, TokenScheme::Ntlm, "u3", PASSWORD).await.status, 200);
        assert_eq!(ping(&mut client, Some(header), &[]).await.status, status, "{header}");
        assert_eq!(ping(&mut client, None, &[]).await.status, 401, "{header}");
    }
    // From one account to another, on one connection.
    assert_eq!(sign_in(&mut client, TokenScheme::Ntlm, "u3", PASSWORD).await.status, 200);
    assert_eq!(sign_in(&mut client, TokenScheme::Negotiate, "u4", PASSWORD).await.status, 200);
    assert_eq!(ping(&mut client, None, &[]).await.status, 200);
    // The answer to a challenge on another connection is no answer.
    let mut prover = prover(TokenScheme::Ntlm, "u3", PASSWORD);
    let begin = TokenScheme::Ntlm.header(prover.step(&[]).unwrap().token.as_deref());
    let challenged = ping(&mut client, Some(&begin), &[]).await;
    let (_, challenge) =
        TokenScheme::credentials(challenged.header("WWW-Authenticate").unwrap().as_bytes()).unwrap();
    let answer = TokenScheme::Ntlm.header(prover.step(&challenge).unwrap().token.as_deref());
    let mut other = bed.client("u3").await;
    assert_eq!(ping(&mut other, Some(&answer), &[]).await.status, 401);
    bed.clock.advance(Duration::from_secs(61));
    assert_eq!(ping(&mut client, Some(&answer), &[]).await.status, 401, "too late");
    bed.end().await;
}

#[tokio::test]
async fn what_somebody_can_use_is_offered_the_strongest_first() {
    let store = store().await;
    let bed = Bed::with(Arc::new(store.clone()), |_| {}).await;
    let mut client = bed.client("u3").await;
    assert_eq!(offered(&ping(&mut client, None, &[]).await), ["Basic"]);
    store.secrets().set_password("u3", &hash(), Some(NtHash([1; 16]))).await.unwrap();
    store.secrets().add_token("u3", new_token().unwrap().1, i64::MAX, 0).await.unwrap();
    assert_eq!(offered(&ping(&mut client, None, &[]).await), ["NTLM", "Bearer", "Basic"]);
    assert_eq!(offered(&ping(&mut client, None, &[("X-Forwarded-For", "::1")]).await), ["Bearer", "Basic"]);
    bed.end().await;

    let schemes = vec![Scheme::Ntlm, Scheme::Negotiate];
    let bed = Bed::with(Arc::new(with_ntlm().await), |config| config.sign_in.schemes = Some(schemes)).await;
    let mut client = bed.client("u3").await;
    let refused = ping(&mut client, Some(&basic("u3", PASSWORD)), &[]).await;
    assert_eq!((refused.status, offered(&refused)), (401, vec!["Negotiate".to_owned(), "NTLM".into()]));
    assert_eq!(sign_in(&mut client, TokenScheme::Negotiate, "u3", PASSWORD).await.status, 200);
    bed.end().await;

    let bed =
        Bed::with(Arc::new(with_ntlm().await), |config| config.sign_in.schemes = Some(vec![Scheme::Basic]))
            .await;
    let mut client = bed.client("u3").await;
    let refused = sign_in(&mut client, TokenScheme::Ntlm, "u3", PASSWORD).await;
    assert_eq!((refused.status, offered(&refused)), (401, vec!["Basic".to_owned()]));
    bed.end().await;
}

#[tokio::test]
async fn guesses_are_limited_whatever_the_scheme() {
    let store = with_ntlm().await;
    // Without the hash, NTLM is refused.
    store.secrets().set_password("u4", &hash(), None).await.unwrap();
    let bed = Bed::with(Arc::new(store), |_| {}).await;
    let mut client = bed.client("u3").await;
    for i in 0..5 {
        for user in ["u3", "nobody"] {
            let wrong = sign_in(&mut client, TokenScheme::Ntlm, user, &format!("guess {i}")).await;
            assert_eq!((wrong.status, offered(&wrong)), (401, vec!["NTLM".to_owned(), "Basic".into()]));
        }
    }
    assert_eq!(sign_in(&mut client, TokenScheme::Ntlm, "u4", PASSWORD).await.status, 401);
    for scheme in [TokenScheme::Negotiate; 3] {
        assert_eq!(sign_in(&mut client, scheme, "u3", "guess").await.status, 401);
    }
    for guess in ["x", "y"] {
        assert_eq!(ping(&mut client, Some(&basic("u3", guess)), &[]).await.status, 401);
    }
    // Ten have failed, in three schemes.
    let limited = sign_in(&mut client, TokenScheme::Ntlm, "u3", PASSWORD).await;
    assert_eq!(limited.status, 429);
    let seconds: u64 = limited.header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=7).contains(&seconds), "{seconds}");
    assert_eq!(ping(&mut client, Some(&basic("u3", PASSWORD)), &[]).await.status, 429);
    bed.clock.advance(Duration::from_secs(seconds));
    assert_eq!(sign_in(&mut client, TokenScheme::Ntlm, "u3", PASSWORD).await.status, 200);
    // Tokens that cannot be read count too, against the address.
    for _ in 0..10 {
        assert_eq!(ping(&mut client, Some("Negotiate YIIB"), &[]).await.status, 401);
    }
    assert_eq!(ping(&mut client, Some("Negotiate YIIB"), &[]).await.status, 429);
    bed.end().await;
}

#[tokio::test]
async fn another_password_ends_what_the_former_one_opened() {
    let store = with_ntlm().await;
    let bed = Bed::with(Arc::new(store.clone()), |_| {}).await;
    let mut client = bed.client("u3").await;
    assert_eq!(sign_in(&mut client, TokenScheme::Ntlm, "u3", PASSWORD).await.status, 200);
    store.secrets().set_password("u3", &hash_password("new").unwrap(), Some(nt_hash("new"))).await.unwrap();
    assert_eq!(ping(&mut client, None, &[]).await.status, 401);
    assert_eq!(bed.held("signed-in connections"), 0);
    assert_eq!(sign_in(&mut client, TokenScheme::Ntlm, "u3", PASSWORD).await.status, 401);
    assert_eq!(sign_in(&mut client, TokenScheme::Ntlm, "u3", "new").await.status, 200);
    bed.end().await;
}

#[tokio::test]
async fn tokens_are_good_until_they_expire_or_are_revoked() {
    let store = store().await;
    let (token, hash) = new_token().unwrap();
    let (old, old_hash) = new_token().unwrap();
    let secrets = store.secrets();
    secrets.add_token("u3", hash, i64::MAX, 0).await.unwrap();
    secrets.add_token("u3", old_hash, 1_000_000_000, 0).await.unwrap();
    let bed = Bed::with(Arc::new(store.clone()), |_| {}).await;
    let mut client = bed.client("u3").await;
    let good = format!("Bearer {}", *token);
    assert_eq!(ping(&mut client, Some(&good), &[]).await.status, 200);
    assert_eq!(ping(&mut client, None, &[]).await.status, 401, "it comes with every request");
    let expired = ping(&mut client, Some(&format!("bearer  {} ", *old)), &[]).await;
    assert_eq!(expired.status, 401);
    assert!(expired.header("WWW-Authenticate").unwrap().contains("has expired"), "{expired:?}");
    for i in 0..10 {
        let unknown = ping(&mut client, Some(&format!("Bearer wt_{i}")), &[]).await;
        assert!(unknown.header("WWW-Authenticate").unwrap().contains("invalid_token"), "{unknown:?}");
    }
    assert_eq!(ping(&mut client, Some("Bearer wt_x"), &[]).await.status, 429);
    assert_eq!(ping(&mut client, Some(&good), &[]).await.status, 200, "who has one goes on");
    assert_eq!(store.secrets().revoke_tokens("u3").await.unwrap(), 2);
    bed.clock.advance(Duration::from_secs(60));
    assert_eq!(ping(&mut client, Some(&good), &[]).await.status, 401);
    bed.end().await;
}

/// 10,000 exchanges that do not come to their end: begun again, answered by nonsense, given up for another scheme, cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_exchanges_that_are_half_done_nothing_is_left() {
    // The server looks after what is over every 20 milliseconds.
    let bed = Bed::with(Arc::new(with_ntlm().await), |config| {
        config.contexts.expiry = Duration::from_millis(160);
    })
    .await;
    let begin = [first(TokenScheme::Ntlm), first(TokenScheme::Negotiate)];
    let mut clients = Vec::new();
    for i in 0..10_000_usize {
        if clients.len() < 100 {
            clients.push(bed.client("u3").await);
        }
        let at = i % clients.len();
        let challenged = ping(&mut clients[at], Some(&begin[usize::from(i % 10 == 0)]), &[]).await;
        assert_eq!(challenged.status, 401);
        match i % 50 {
            // What cannot be read; limited in the end.
            1 => {
                let refused = ping(&mut clients[at], Some("NTLM TlRMTVNTUAADAAAA"), &[]).await;
                assert!([401, 429].contains(&refused.status));
            }
            2 => assert_eq!(ping(&mut clients[at], None, &[]).await.status, 401),
            3 => drop(clients.swap_remove(at)),
            _ => {}
        }
    }
    assert!(bed.held("security exchanges") <= 100);
    bed.clock.advance(Duration::from_secs(61));
    bed.until_held("security exchanges", 0).await;
    assert_eq!(bed.held("security contexts"), 0);
    drop(clients);
    bed.until_held("connections", 0).await;
    bed.end().await;
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_in_a_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // The threads that step an exchange have no subscriber: what they log is a peer's test to see.
    let _guard = tracing::subscriber::set_default(subscriber);
    let store = with_ntlm().await;
    let (token, hash) = new_token().unwrap();
    store.secrets().add_token("u3", hash, i64::MAX, 0).await.unwrap();
    let bed = Bed::with(Arc::new(store), |_| {}).await;
    let mut client = bed.client("u3").await;
    let begin = first(TokenScheme::Ntlm);
    let challenge = ping(&mut client, Some(&begin), &[]).await.header("WWW-Authenticate").unwrap().to_owned();
    assert_eq!(sign_in(&mut client, TokenScheme::Ntlm, "u3", PASSWORD).await.status, 200);
    assert_eq!(sign_in(&mut client, TokenScheme::Ntlm, "u3", "secret guess").await.status, 401);
    assert_eq!(ping(&mut client, Some(&format!("Bearer {}", *token)), &[]).await.status, 200);
    assert_eq!(ping(&mut client, Some("Bearer wt_secret_guess"), &[]).await.status, 401);
    drop(client);
    bed.end().await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("a sign-in failed"), "{text}");
    for secret in [PASSWORD, "secret guess", &token, "wt_secret", &begin[5..], &challenge[5..]] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_request_with_a_body_does_not_end_its_connection() {
    let bed = bed().await;
    let mut client = bed.client("u3").await;
    let mut headers = client.headers("Connect");
    headers.retain(|(name, _)| name != "Authorization");
    headers.push(("Authorization".into(), first(TokenScheme::Ntlm)));
    assert_eq!(client.exchange(&headers, &[0; 200_000]).await.status, 401);
    assert_eq!(ping(&mut client, None, &[]).await.status, 401);
    bed.end().await;
}
