//! A client that keeps a replica of one folder, as [MS-OXCFXICS] 3.3 says, and what it must equal.

use super::*;

/// What the client knows of a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Copy {
    pub(super) subject: String,
    pub(super) read: bool,
    pub(super) change: GlobCnt,
    pub(super) associated: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    pub(super) messages: BTreeMap<GlobCnt, Copy>,
    pub(super) state: State,
    /// Messages that were sent although the client had that version.
    pub(super) doubled: u32,
}

impl Client {
    /// One synchronization; after `stop` messages it is given up with the state checkpointed (3.3.5.6).
    pub(super) async fn synchronize(
        &mut self,
        mailbox: &Arc<dyn Mailbox>,
        folder: FolderId,
        request: SyncRequest,
        max: usize,
        stop: Option<u32>,
    ) {
        let guid = mailbox.info().repl_guid;
        let mut source = Source::synchronize(origin(mailbox), folder, request).unwrap();
        upload(&mut source, &self.state, false);
        let (mut download, mut pending, mut taken) = (Download::new(Root::ContentsSync), None, 0);
        let mut nested = 0;
        loop {
            let filled = source.fill(max).await.unwrap();
            download.handle_input(&filled.bytes);
            while let Some(event) = download.poll_event().unwrap() {
                match event {
                    Event::AttachmentBegin { .. } => nested += 1,
                    Event::AttachmentEnd => nested -= 1,
                    Event::MessageChange(header) => {
                        let copy = Copy {
                            subject: String::new(),
                            read: false,
                            change: header.change_key.counter().unwrap(),
                            associated: header.associated,
                        };
                        assert_eq!(header.mid.unwrap().counter, header.source_key.counter().unwrap());
                        assert_eq!(header.change_number.unwrap().counter, copy.change);
                        assert!(header.predecessors.contains(&header.change_key));
                        pending = Some((header.mid.unwrap().counter, copy));
                    }
                    Event::Property(Prop { tag, value: PropData::Inline(value), .. }) if nested == 0 => {
                        let copy = &mut pending.as_mut().unwrap().1;
                        match (tag, value) {
                            (tags::SUBJECT, PropValue::Unicode(text)) => copy.subject = text,
                            (tags::MESSAGE_FLAGS, PropValue::I32(flags)) => copy.read = flags & 1 != 0,
                            _ => {}
                        }
                    }
                    Event::MessageEnd => {
                        let (id, copy) = pending.take().unwrap();
                        self.state.given.insert(guid, id);
                        let seen =
                            if copy.associated { &mut self.state.seen_fai } else { &mut self.state.seen };
                        seen.insert(guid, copy.change);
                        let old = self.messages.insert(id, copy.clone());
                        self.doubled += u32::from(old.is_some_and(|old| old.change == copy.change));
                        taken += 1;
                        if stop == Some(taken) {
                            return;
                        }
                    }
                    Event::ObjectFailed(_) => pending = None,
                    Event::Deletions(gone) => {
                        for (replica, ids) in gone.deleted.iter().chain(gone.no_longer_in_scope.iter()) {
                            assert_eq!(replica, ReplId(1));
                            for id in ids.iter() {
                                assert!(self.messages.remove(&id).is_some(), "{id:?} was not here");
                            }
                        }
                    }
                    Event::ReadStates(marked) => {
                        for (set, read) in [(&marked.read, true), (&marked.unread, false)] {
                            for id in set.iter().flat_map(|(_, ids)| ids.iter()) {
                                self.messages.get_mut(&id).expect("a message that the client has").read =
                                    read;
                            }
                        }
                    }
                    Event::State(state, cuts) => {
                        assert!(cuts.is_empty());
                        self.state = *state;
                    }
                    _ => {}
                }
            }
            if filled.status == TransferStatus::Done {
                return;
            }
        }
    }

    /// What the client must have.
    pub(super) async fn expected(mailbox: &Arc<dyn Mailbox>, folder: FolderId) -> BTreeMap<GlobCnt, Copy> {
        let mut all = BTreeMap::new();
        for kind in [ItemKind::Normal, ItemKind::Associated] {
            for id in mailbox.message_ids(folder, kind).await.unwrap().iter() {
                let message = mailbox.message(MessageId(id), false).await.unwrap();
                all.insert(
                    id,
                    Copy {
                        subject: message.content.props.text(tags::SUBJECT).unwrap().to_owned(),
                        read: message.head.read,
                        change: message.head.change_number.0,
                        associated: kind == ItemKind::Associated,
                    },
                );
            }
        }
        all
    }
}

/// Numbers that only look random.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}
