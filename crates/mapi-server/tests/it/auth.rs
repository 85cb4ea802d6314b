//! Signing in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use watertight_mapi::store::Store;
use watertight_mapi_server::hash_password;

use crate::bed::{Bed, Client, PASSWORD, basic, store};

async fn ping(client: &mut Client, authorization: Option<String>) -> crate::bed::Response {
    let mut headers = client.headers("PING");
    headers.retain(|(name, _)| name != "Authorization");
    headers.extend(authorization.map(|value| ("Authorization".into(), value)));
    client.exchange(&headers, b"").await
}

#[tokio::test]
async fn wrong_passwords_and_unknown_users_get_the_same_answer() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    let mut answers = Vec::new();
    for authorization in [
        None,
        Some(basic("u3", "wrong")),
        Some(basic("nobody", PASSWORD)),
        Some(basic("nobody@test.local", PASSWORD)),
        Some("Basic ???".into()),
        Some("Bearer abc".into()),
    ] {
        let response = ping(&mut client, authorization).await;
        assert_eq!(response.status, 401);
        assert_eq!(
            response.header("WWW-Authenticate"),
            Some("Basic realm=\"Watertight\", charset=\"UTF-8\"")
        );
        let mut headers = response.headers.clone();
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Date"));
        answers.push((headers, response.whole()));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    bed.end().await;
}

#[tokio::test]
async fn unknown_users_take_as_long_as_wrong_passwords() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    let mut least = [Duration::MAX; 2];
    for i in 0..5 {
        for (slot, user) in ["u3", "nobody"].iter().enumerate() {
            let started = Instant::now();
            assert_eq!(ping(&mut client, Some(basic(user, &format!("wrong {i}")))).await.status, 401);
            least[slot] = least[slot].min(started.elapsed());
        }
    }
    let [wrong, unknown] = least.map(|d| d.as_secs_f64());
    assert!(unknown > wrong * 0.4 && unknown < wrong * 2.5, "{least:?}");
    bed.end().await;
}

#[tokio::test]
async fn the_name_may_be_an_address_or_have_a_domain_and_any_case() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    for user in ["u3", "U3", "u3@test.local", "TEST\\u3"] {
        assert_eq!(ping(&mut client, Some(basic(user, PASSWORD))).await.status, 200, "{user}");
    }
    assert_eq!(ping(&mut client, Some(basic("u3@example.org", PASSWORD))).await.status, 401);
    bed.end().await;
}

#[tokio::test]
async fn a_verified_password_is_remembered_for_five_minutes_and_not_after_a_change() {
    let store = store().await;
    let bed = Bed::with(Arc::new(store.clone()), |_| {}).await;
    let mut client = bed.client("u3").await;
    let right = || Some(basic("u3", PASSWORD));
    let hashes = |bed: &Bed| {
        let inspect = bed.ledger.inspect();
        inspect.children.iter().find(|c| c.name == "mapi-server").unwrap().kinds["password hashes"].ever
    };
    assert_eq!(ping(&mut client, right()).await.status, 200);
    assert_eq!(hashes(&bed), 1);
    bed.clock.advance(Duration::from_secs(299));
    for _ in 0..20 {
        assert_eq!(ping(&mut client, right()).await.status, 200);
    }
    assert_eq!(hashes(&bed), 1, "remembered");
    bed.clock.advance(Duration::from_secs(1));
    assert_eq!(ping(&mut client, right()).await.status, 200);
    assert_eq!(hashes(&bed), 2, "five minutes are over");
    assert_eq!(ping(&mut client, Some(basic("u3", "wrong"))).await.status, 401);
    assert_eq!(hashes(&bed), 3, "another password is not the remembered one");
    store.secrets().set_password("u3", &hash_password("new").unwrap(), None).await.unwrap();
    assert_eq!(ping(&mut client, right()).await.status, 401, "the old password is forgotten at once");
    assert_eq!(ping(&mut client, Some(basic("u3", "new"))).await.status, 200);
    assert_eq!(bed.held("remembered passwords"), 1);
    bed.end().await;
}

#[tokio::test]
async fn failures_are_limited_and_say_how_long_to_wait() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    // Signed in before: goes on while others guess.
    assert_eq!(ping(&mut client, Some(basic("u3", PASSWORD))).await.status, 200);
    for i in 0..10 {
        assert_eq!(ping(&mut client, Some(basic("u3", &format!("guess {i}")))).await.status, 401);
    }
    let limited = ping(&mut client, Some(basic("u3", "guess"))).await;
    assert_eq!(limited.status, 429);
    let seconds: u64 = limited.header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=7).contains(&seconds), "{seconds}");
    assert_eq!(ping(&mut client, Some(basic("u3", PASSWORD))).await.status, 200, "the remembered one");
    assert_eq!(ping(&mut client, Some(basic("u4", PASSWORD))).await.status, 200, "somebody else");
    bed.clock.advance(Duration::from_secs(seconds));
    assert_eq!(ping(&mut client, Some(basic("u3", "guess"))).await.status, 401);
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hashes_at_once_and_no_more() {
    let bed = Bed::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..8 {
        let mut client = bed.client("u3").await;
        tasks.spawn(async move { ping(&mut client, Some(basic(&format!("user{i}"), "x"))).await.status });
    }
    while let Some(status) = tasks.join_next().await {
        assert_eq!(status.unwrap(), 401);
    }
    let inspect = bed.ledger.inspect();
    let hashes = inspect.children.iter().find(|c| c.name == "mapi-server").unwrap().kinds["password hashes"];
    assert_eq!((hashes.ever, hashes.now), (8, 0));
    assert!(hashes.peak <= 2, "{hashes:?}");
    bed.end().await;
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

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
async fn credentials_and_cookies_are_in_no_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // All tasks of this runtime are on this thread.
    let _guard = tracing::subscriber::set_default(subscriber);
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    client.connect().await;
    let cookies = client.cookies.clone();
    client.execute().await;
    client.cookies.insert("MapiSequence".into(), "wrong".into());
    assert_eq!(client.execute().await.code(), 15);
    assert_eq!(ping(&mut client, Some(basic("u3", "secret guess"))).await.status, 401);
    drop(client);
    bed.end().await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("a sign-in failed") && text.contains("a request was refused"), "{text}");
    let encoded = [basic("u3", PASSWORD), basic("u3", "secret guess")];
    let secrets = ["Passw", PASSWORD, "secret guess", &encoded[0], &encoded[1]];
    for secret in secrets.iter().copied().chain(cookies.values().map(String::as_str)) {
        let secret = secret.trim_start_matches("Basic ");
        assert!(!text.contains(secret), "{text}");
    }
}
