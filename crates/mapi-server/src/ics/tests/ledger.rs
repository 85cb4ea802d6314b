use super::*;

#[tokio::test]
async fn ten_thousand_contexts_dropped_at_every_stage_leave_nothing() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    let mut content = text("large");
    let mut file = PropBag::default();
    file.set(tags::ATTACH_DATA_BINARY, vec![1; 100_000]);
    content.attachments.push(Attachment { number: 0, props: file, embedded: None });
    save(&mailbox, folder, ItemKind::Normal, content).await;
    save(&mailbox, folder, ItemKind::Normal, text("small")).await;
    let ledger = Ledger::new("test");
    let kind = ledger.kind("fasttransfer sources");
    for n in 0..10_000 {
        let sync_type = if n % 7 == 0 { 2 } else { 1 };
        let mut source =
            Source::synchronize(origin_on(&mailbox, &ledger), folder, request(sync_type, 0x0039)).unwrap();
        assert_eq!(kind.now(), 1);
        match n % 10 {
            0 => {}
            1 => source.put_state_begin(tags::META_TAG_CNSET_SEEN, 100).unwrap(),
            2 => {
                source.put_state_begin(tags::META_TAG_CNSET_SEEN, 100).unwrap();
                source.put_state_continue(&[0; 50]).unwrap();
            }
            3 => {
                source.put_state_begin(tags::META_TAG_CNSET_SEEN, 1).unwrap();
                source.put_state_continue(&[9]).unwrap();
                source.put_state_end().unwrap_err();
            }
            4 => drop(source.transfer_state().unwrap()),
            stage => {
                for _ in 4..stage {
                    let _ = source.fill(40_000).await.unwrap();
                }
            }
        }
    }
    assert_eq!(ledger.held(), 0);
    assert_eq!(ledger.inspect().kinds["fasttransfer sources"].bytes, 0);
    assert_eq!(ledger.inspect().kinds["fasttransfer sources"].peak, 2);
}

#[tokio::test]
async fn a_source_holds_little_however_long_a_value_is() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    let large = mailbox.create_large().await.unwrap();
    let piece = vec![5; 1_000_000];
    for n in 0..30 {
        mailbox.write_large(large, n * 1_000_000, &piece).await.unwrap();
    }
    let mut content = text("thirty megabytes");
    let value = PropData::Large(LargeValue { id: large, len: 30_000_000 });
    let props = PropBag(vec![Prop { tag: tags::ATTACH_DATA_BINARY, name: None, value }]);
    content.attachments.push(Attachment { number: 0, props, embedded: None });
    save(&mailbox, folder, ItemKind::Normal, content).await;
    let ledger = Ledger::new("test");
    let mut source =
        Source::synchronize(origin_on(&mailbox, &ledger), folder, request(1, ALL_FLAGS)).unwrap();
    let mut bytes = 0;
    loop {
        let filled = source.fill(31_000).await.unwrap();
        bytes += filled.bytes.len();
        let held = ledger.inspect().kinds["fasttransfer sources"].bytes;
        assert!(held <= 2 * 32 * 1024, "{held}");
        if filled.status == TransferStatus::Done {
            break;
        }
    }
    assert!(bytes > 30_000_000);
}
