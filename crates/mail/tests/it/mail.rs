//! What is added comes out.

use watertight_mail::AddOptions;

use crate::kit::House;

#[tokio::test]
async fn every_mail_of_the_corpus_comes_back_byte_for_byte() {
    let house = House::new();
    let session = house.session().await;
    let inbox = session.inbox();
    let corpus = watertight_testkit::corpus::eml();
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (name, bytes) in &corpus {
        let message = inbox.add(bytes, &AddOptions::default()).await.unwrap();
        if message.to_bytes().await.unwrap() != *bytes {
            wrong.push(name);
            continue;
        }
        let path = dir.path().join("out.eml");
        assert_eq!(message.save_as(&path).await.unwrap(), u64::try_from(bytes.len()).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), *bytes);
        // What the list says is what the message says.
        let again = inbox.message(&message.id()).await.unwrap();
        assert_eq!((again.subject(), again.sender()), (message.subject(), message.sender()));
    }
    assert!(wrong.is_empty(), "{} of {}: {wrong:?}", wrong.len(), corpus.len());
    session.close().await.unwrap();
    house.mapi.idle().await;
    house.end();
}
