//! Exporters against our server: what a sink is told, and what the state is worth on every path.

use watertight_mapi::ics::sink::{Count, Heads};
use watertight_mapi::prop::{Prop, PropBag, tags};
use watertight_mapi::store::{Attachment, MessageContent};
use watertight_mapi_client::{Export, Logon, Session, SpecialFolder};

use crate::bed::{Bed, mail};

pub async fn logon(bed: &Bed) -> (Session, Logon) {
    let session = bed.connector.connect(&bed.dn).await.unwrap();
    let logon = session.logon(&bed.dn).await.unwrap();
    (session, logon)
}

/// With a recipient, an attachment above 64 KiB, and a message in another.
fn rich(subject: &str) -> MessageContent {
    let mut content = mail(subject);
    let mut recipient = PropBag::default();
    recipient.set(tags::DISPLAY_NAME, "Bert");
    recipient.set(tags::RECIPIENT_TYPE, 1);
    content.recipients.push(recipient);
    let mut props = PropBag::default();
    props.set(tags::ATTACH_METHOD, 1);
    props.set(tags::ATTACH_DATA_BINARY, vec![0x5A; 200_000]);
    content.attachments.push(Attachment { number: 0, props, embedded: None });
    let mut props = PropBag::default();
    props.set(tags::ATTACH_METHOD, 5);
    let embedded = Some(Box::new(mail("inside")));
    content.attachments.push(Attachment { number: 1, props, embedded });
    content
}

#[tokio::test]
async fn what_changed_comes_once_and_then_no_more() {
    let bed = Bed::new().await;
    let heads = bed.save(vec![rich("one"), mail("two"), mail("three")]).await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let mut exporter = logon.contents_exporter(inbox);

    exporter.config(&[], &Export::default()).await.unwrap();
    let mut count = Count::default();
    let mut steps = Vec::new();
    loop {
        let step = exporter.synchronize(&mut count).await.unwrap();
        steps.push(step);
        if step.done {
            break;
        }
        assert_eq!(step.code().0, 0x0004_0820);
    }
    assert!(steps.len() >= 6, "three changes and the end, the large one in pieces: {steps:?}");
    assert!(steps.iter().all(|s| s.progress <= s.steps && s.steps == 3), "{steps:?}");
    assert_eq!((count.messages, count.recipients, count.attachments, count.embedded), (3, 1, 2, 1));
    assert!(count.bytes > 200_000 && count.bytes < 210_000, "{count:?}");
    let state = exporter.update_state().unwrap();
    // After the end it says so again.
    assert!(exporter.synchronize(&mut count).await.unwrap().done);
    assert_eq!(exporter.update_state().unwrap(), state);

    exporter.config(&state, &Export::default()).await.unwrap();
    let mut nothing = Count::default();
    assert!(exporter.synchronize(&mut nothing).await.unwrap().done);
    assert_eq!(nothing, Count::default());

    bed.mailbox.delete_messages(bed.inbox(), &[heads[0].id], true).await.unwrap();
    bed.mailbox.set_read(bed.inbox(), &[heads[1].id], true).await.unwrap();
    bed.change(&heads[2], mail("three, again")).await;
    exporter.config(&state, &Export::default()).await.unwrap();
    let mut list = Heads::default();
    assert!(exporter.synchronize_all(&mut list).await.unwrap().done);
    assert_eq!(list.changed.iter().map(|h| h.subject.as_str()).collect::<Vec<_>>(), ["three, again"]);
    assert_eq!(list.changed[0].sender, "Somebody");
    assert_eq!((list.deleted.len(), list.marked.read.len(), list.marked.unread.len()), (1, 1, 0));

    drop((exporter, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}
