//! Requests of a real client, as they were on the socket (group 01), sent to our server.

use watertight_mapi::store::legacy_dn;
use watertight_testkit::captures;

use crate::bed::{Bed, Client};

/// What the documents want where the captured server, whose numbers are its own, answered otherwise.
fn documented(number: u32) -> Option<u32> {
    Some(match number {
        // X-RequestType, X-RequestId, X-ClientInfo missing.
        17..=19 => 7,
        // No cookies; a context cookie without a sequence one.
        20 | 22 => 13,
        // A context cookie that is none of ours.
        21 => 6,
        // The sequence is none of ours, wrong, or used up.
        23 | 24 | 27 => 15,
        // The body is cut off; the sequence stays as it was, so that the next request is good.
        28 => 12,
        // Frobnicate; it too leaves the sequence, so that the next request is good.
        31 => 5,
        // The cookies of somebody else: no privilege.
        36 => 11,
        // After Disconnect.
        50..=52 => 10,
        _ => return None,
    })
}

#[tokio::test]
async fn captured_requests_get_the_answers_of_the_documents() {
    let bed = Bed::new().await;
    let mut sessions = std::collections::BTreeMap::<String, Client>::new();
    let mut answered = 0;
    for exchange in captures::group("01") {
        let session = exchange.session.clone().unwrap();
        // The second of two requests at once has a test of its own; u1 is not here.
        if exchange.n == 42 || session == "Q" {
            continue;
        }
        let user = if exchange.n == 36 { "u4" } else { "u3" };
        if !sessions.contains_key(&session) {
            let client = bed.client(user).await;
            sessions.insert(session.clone(), client);
        }
        let stolen = sessions.get("A").map(|a| a.cookies.clone());
        let client = sessions.get_mut(&session).unwrap();
        if exchange.n == 36 {
            client.cookies = stolen.unwrap();
        }
        let mut headers: Vec<(String, String)> = exchange
            .request_headers
            .iter()
            .filter(|(name, _)| !["content-length", "authorization"].contains(&name.to_lowercase().as_str()))
            .filter_map(|(name, value)| Some((name.clone(), rewrite(name, value, client, exchange.n)?)))
            .collect();
        match exchange.n {
            34 => {}
            35 => headers.push(("Authorization".into(), crate::bed::basic(user, "wrong"))),
            _ => headers.push(("Authorization".into(), client.authorization.clone())),
        }
        let mut body = exchange.request();
        if exchange.request_type == "Connect" {
            let end = body.iter().position(|&b| b == 0).unwrap();
            body.splice(..end, legacy_dn(user).into_bytes());
        }
        let before = client.cookies.clone();
        let response = client.exchange(&headers, &body).await;
        let label = format!("{} {}", exchange.n, exchange.label);
        assert_eq!(Some(response.status), exchange.status, "{label}");
        answered += 1;
        if response.status != 200 {
            continue;
        }
        let captured = exchange
            .response_headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("X-ResponseCode"))
            .map(|(_, code)| code.parse().unwrap());
        let expected = match documented(exchange.n) {
            Some(code) => code,
            // These follow a refusal that has used up the sequence there, and not here.
            None if [29, 32].contains(&exchange.n) => 0,
            None => captured.unwrap(),
        };
        assert_eq!(response.code(), expected, "{label}");
        if expected == 0 {
            for name in ["X-RequestType", "X-RequestId", "X-ClientInfo", "Content-Type", "Cache-Control"] {
                let theirs = exchange.response_headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
                if let Some((_, value)) = theirs
                    && ![29, 32].contains(&exchange.n)
                {
                    assert_eq!(response.header(name), Some(value.as_str()), "{label}: {name}");
                }
            }
            assert_eq!(response.chunks[0], b"PROCESSING\r\n", "{label}");
        } else {
            assert_eq!(before, client.cookies, "{label}: a refusal hands out no cookies");
        }
    }
    assert_eq!(answered, 51);
    drop(sessions);
    bed.end().await;
}

/// The captured header with the cookies of our session; wrong ones stay wrong.
fn rewrite(name: &str, value: &str, client: &Client, number: u32) -> Option<String> {
    if !name.eq_ignore_ascii_case("Cookie") {
        return Some(value.to_owned());
    }
    let ours = |name: &str| client.cookies.get(name).cloned().unwrap_or_default();
    let (mut context, mut sequence) = (ours("MapiContext"), Some(ours("MapiSequence")));
    match number {
        21 => context = "wrong".into(),
        22 => sequence = None,
        23 => sequence = Some("no GUID".into()),
        24 | 27 => sequence = Some("1-00".into()),
        _ => {}
    }
    let sequence = sequence.map(|value| format!("; MapiSequence={value}")).unwrap_or_default();
    Some(format!("MapiContext={context}{sequence}"))
}
