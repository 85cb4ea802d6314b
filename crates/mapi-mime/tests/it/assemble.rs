//! Messages put together from the events of a download; large values in a spool.

use std::io;

use watertight_mapi::{
    ics::{Download, Event, Root},
    prop::{LargeValue, Prop, PropBag, PropData},
    store::{Attachment, MessageContent},
};
use watertight_mapi_mime::LargeSource;
use watertight_wire::to_u64;

/// Values above 64 KiB, as they came.
#[derive(Default)]
pub struct Spool(pub Vec<Vec<u8>>);

impl LargeSource for Spool {
    fn read(&mut self, value: LargeValue, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = &self.0[usize::try_from(value.id).unwrap()][usize::try_from(offset).unwrap()..];
        let n = bytes.len().min(buf.len());
        buf[..n].copy_from_slice(&bytes[..n]);
        Ok(n)
    }
}

/// What properties are being collected for.
enum Open {
    Message(MessageContent),
    Recipient(PropBag),
    Attachment(Attachment),
}

/// All messages of a stream, and their large values.
pub fn messages(root: Root, stream: &[u8]) -> (Vec<MessageContent>, Spool) {
    let mut download = Download::new(root);
    let (mut done, mut spool, mut open): (_, _, Vec<Open>) = (Vec::new(), Spool::default(), Vec::new());
    for chunk in stream.chunks(30_000) {
        download.handle_input(chunk);
        while let Some(event) = download.poll_event().unwrap() {
            take(event, &mut open, &mut done, &mut spool);
        }
    }
    download.finish().unwrap();
    while let Some(event) = download.poll_event().unwrap() {
        take(event, &mut open, &mut done, &mut spool);
    }
    assert!(open.is_empty());
    (done, spool)
}

fn take(event: Event, open: &mut Vec<Open>, done: &mut Vec<MessageContent>, spool: &mut Spool) {
    match event {
        Event::MessageChange(_) | Event::MessageBegin { .. } | Event::EmbeddedBegin => {
            open.push(Open::Message(MessageContent::default()));
        }
        Event::RecipientBegin => open.push(Open::Recipient(PropBag::default())),
        Event::AttachmentBegin { number } => {
            open.push(Open::Attachment(Attachment { number: number.unwrap_or(0), ..Attachment::default() }));
        }
        Event::Property(prop) => {
            if let Some(bag) = bag(open) {
                bag.put(prop);
            }
        }
        Event::LargeBegin { tag, name, .. } => {
            let value = LargeValue { id: to_u64(spool.0.len()), len: 0 };
            spool.0.push(Vec::new());
            bag(open).unwrap().put(Prop { tag, name, value: PropData::Large(value) });
        }
        Event::LargeChunk(bytes) => spool.0.last_mut().unwrap().extend(bytes),
        Event::LargeEnd => {
            let id = to_u64(spool.0.len() - 1);
            let len = to_u64(spool.0.last().unwrap().len());
            let prop = bag(open)
                .unwrap()
                .0
                .iter_mut()
                .rev()
                .find(|p| matches!(p.value, PropData::Large(v) if v.id == id));
            prop.unwrap().value = PropData::Large(LargeValue { id, len });
        }
        Event::MessageEnd => match open.pop() {
            Some(Open::Message(message)) => done.push(message),
            _ => panic!("a message ends that is not open"),
        },
        Event::EmbeddedEnd => match (open.pop(), open.last_mut()) {
            (Some(Open::Message(message)), Some(Open::Attachment(attachment))) => {
                attachment.embedded = Some(Box::new(message));
            }
            _ => panic!("an embedded message ends that is not open"),
        },
        Event::RecipientEnd => match (open.pop(), open.last_mut()) {
            (Some(Open::Recipient(recipient)), Some(Open::Message(message))) => {
                message.recipients.push(recipient)
            }
            _ => panic!("a recipient ends that is not open"),
        },
        Event::AttachmentEnd => match (open.pop(), open.last_mut()) {
            (Some(Open::Attachment(attachment)), Some(Open::Message(message))) => {
                message.attachments.push(attachment);
            }
            (Some(Open::Attachment(attachment)), None) => {
                done.push(MessageContent { attachments: vec![attachment], ..MessageContent::default() });
            }
            _ => panic!("an attachment ends that is not open"),
        },
        _ => {}
    }
}

fn bag(open: &mut [Open]) -> Option<&mut PropBag> {
    Some(match open.last_mut()? {
        Open::Message(message) => &mut message.props,
        Open::Recipient(bag) => bag,
        Open::Attachment(attachment) => &mut attachment.props,
    })
}
