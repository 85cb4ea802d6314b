//! NotificationWait on the socket.

use std::time::Duration;

use watertight_mapi::http::body::{Answer, ExecuteFlags, NotificationWaitResponse};
use watertight_mapi::http::ext::Wrap;
use watertight_mapi::store::legacy_dn;
use watertight_wire::Wire;

use crate::bed::{Bed, Client, execute_body, executed, store};

const LONG: Duration = Duration::from_secs(300);

/// An Execute with these ROPs over a table of three handles.
async fn ask(client: &mut Client, rops: &[u8], handles: [u32; 3]) -> Vec<u8> {
    let mut payload = u16::try_from(rops.len() + 2).unwrap().to_le_bytes().to_vec();
    payload.extend(rops);
    handles.iter().for_each(|handle| payload.extend(handle.to_le_bytes()));
    let response =
        client.post("Execute", &execute_body(&payload, ExecuteFlags(3), Wrap::default(), 0x10008)).await;
    assert_eq!(response.code(), 0);
    executed(&response).rop_buffer
}

/// RopLogon and RopRegisterNotification for all kinds and the whole store.
async fn subscribe(client: &mut Client) {
    client.connect().await;
    let dn = legacy_dn("u3");
    let mut rops = vec![0xFE, 0, 0, 1];
    rops.extend(0x0100_000C_u32.to_le_bytes());
    rops.extend([0; 4]);
    rops.extend(u16::try_from(dn.len() + 1).unwrap().to_le_bytes());
    rops.extend(dn.as_bytes());
    rops.push(0);
    rops.extend([0x29, 0, 0, 1, 0x7e, 0, 1]);
    let answer = ask(client, &rops, [u32::MAX; 3]).await;
    assert!(answer.windows(6).any(|w| w == [0x29, 1, 0, 0, 0, 0]), "{answer:02x?}");
}

fn pending(response: &crate::bed::Response) -> u32 {
    match NotificationWaitResponse::from_bytes(&response.body()).unwrap() {
        Answer::Success(waited) => waited.event_pending,
        other => panic!("{other:?}"),
    }
}

async fn bed() -> (Bed, std::sync::Arc<dyn watertight_mapi::store::Mailbox>) {
    let store = store().await;
    let guid = watertight_mapi::store::Store::account(&store, "u3").await.unwrap().unwrap().mailbox_guid;
    let mailbox = watertight_mapi::store::Store::mailbox(&store, guid).await.unwrap();
    let bed = Bed::with(std::sync::Arc::new(store), |config| {
        config.notification_wait = LONG;
        config.pending_period = Duration::from_millis(5);
    })
    .await;
    (bed, mailbox)
}

async fn change(mailbox: &std::sync::Arc<dyn watertight_mapi::store::Mailbox>) {
    let inbox = mailbox.special(watertight_mapi::store::SpecialFolder::Inbox);
    mailbox.change_folder(inbox, vec![], vec![]).await.unwrap();
}

/// A second connection with the cookies of the first; its wait is open.
async fn open_wait(bed: &Bed, first: &Client) -> Client {
    let mut second = bed.client("u3").await;
    second.cookies.clone_from(&first.cookies);
    let headers = second.headers("NotificationWait");
    second.send("POST /mapi/emsmdb/", &headers, &[0; 8]).await;
    second.until(b"PENDING\r\n\r\n").await;
    second
}

#[tokio::test]
async fn a_wait_is_open_while_others_execute_and_ends_with_a_change() {
    let (bed, mailbox) = bed().await;
    let mut client = bed.client("u3").await;
    subscribe(&mut client).await;
    let mut waiting = open_wait(&bed, &client).await;
    assert_eq!(client.execute().await.code(), 0);
    let mut third = bed.client("u3").await;
    third.cookies.clone_from(&client.cookies);
    assert_eq!(third.post("NotificationWait", &[0; 8]).await.code(), 15, "one at a time");
    change(&mailbox).await;
    waiting.until(b"\r\n0\r\n\r\n").await;
    // What was not fetched is there for the next wait, and then told once.
    let response = third.post("NotificationWait", &[0; 8]).await;
    assert_eq!((response.code(), pending(&response)), (0, 1));
    assert!(response.header("Set-Cookie").is_some_and(|cookie| cookie.starts_with("MapiContext=")));
    let notify = ask(&mut client, &[], [u32::MAX; 3]).await;
    assert!(notify.contains(&0x2A), "{notify:02x?}");
    bed.until_held("notifications", 0).await;
    bed.until_held("notification waits", 0).await;
    bed.end().await;
}

#[tokio::test]
async fn waits_that_are_cut_leave_nothing_and_the_end_of_session_and_server_ends_them() {
    let (bed, mailbox) = bed().await;
    let mut client = bed.client("u3").await;
    subscribe(&mut client).await;
    for round in 0..50 {
        let mut waiting = open_wait(&bed, &client).await;
        assert_eq!(bed.held("notification waits"), 1);
        if round % 2 == 0 {
            drop(waiting);
        } else {
            change(&mailbox).await;
            waiting.until(b"\r\n0\r\n\r\n").await;
            ask(&mut client, &[], [u32::MAX; 3]).await;
        }
        bed.until_held("notification waits", 0).await;
    }
    let mut waiting = open_wait(&bed, &client).await;
    assert_eq!(client.post("Disconnect", &[]).await.code(), 0);
    waiting.until(b"\r\n0\r\n\r\n").await;
    bed.until_held("rop sessions", 0).await;
    let mut client = bed.client("u3").await;
    subscribe(&mut client).await;
    let waiting = open_wait(&bed, &client).await;
    // It does not wait for the grace of five seconds.
    let started = std::time::Instant::now();
    bed.end().await;
    assert!(started.elapsed() < Duration::from_secs(4));
    drop(waiting);
}
