//! Memory does not grow with attachments: what goes in comes out before more is asked for.

use std::{
    cell::Cell,
    io::{self, Write},
    rc::Rc,
};

use watertight_mapi::{
    PropTag,
    prop::{LargeValue, Prop, PropData, tags},
    store::{Attachment, MessageContent},
};
use watertight_mapi_mime::{ExportError, ExportOptions, LargeSource, LineEnding, export};

const LEN: u64 = 24 << 20;

/// Bytes that nobody holds; knows how many were asked for and how many came out since.
struct Made {
    written: Rc<Cell<u64>>,
    start: u64,
    most_held: u64,
}

impl LargeSource for Made {
    fn read(&mut self, value: LargeValue, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        assert!(buf.len() <= 64 * 1024);
        if offset == 0 {
            self.start = self.written.get();
        }
        let out = self.written.get() - self.start;
        self.most_held = self.most_held.max(offset.saturating_sub(out * 3 / 4));
        let n = usize::try_from(value.len - offset).unwrap_or(buf.len()).min(buf.len()).min(50_001);
        for (at, slot) in buf[..n].iter_mut().enumerate() {
            *slot = (offset + u64::try_from(at).unwrap()).to_le_bytes()[1];
        }
        Ok(n)
    }
}

struct Counted(Rc<Cell<u64>>);

impl Write for Counted {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        assert!(buf.len() <= 128 * 1024);
        self.0.set(self.0.get() + u64::try_from(buf.len()).unwrap());
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn large(tag: PropTag, len: u64) -> Prop {
    Prop { tag, name: None, value: PropData::Large(LargeValue { id: 7, len }) }
}

#[test]
fn an_attachment_passes_in_pieces() {
    let mut attachment = Attachment::default();
    attachment.props.set(tags::ATTACH_LONG_FILENAME, "large.bin");
    attachment.props.put(large(tags::ATTACH_DATA_BINARY, LEN));
    let mut content = MessageContent { attachments: vec![attachment], ..MessageContent::default() };
    content.props.set(tags::BODY, "see the attachment");
    let written = Rc::new(Cell::new(0));
    let mut source = Made { written: Rc::clone(&written), start: 0, most_held: 0 };
    let report =
        export(&content, &mut source, &mut Counted(Rc::clone(&written)), &ExportOptions::default()).unwrap();
    assert_eq!(report.bytes, written.get());
    assert!(report.bytes > LEN / 3 * 4);
    assert!(source.most_held < 256 * 1024, "{} bytes were held", source.most_held);
}

#[test]
fn a_body_passes_in_pieces() {
    let mut content = MessageContent::default();
    content.props.put(large(tags::HTML, 2 << 20));
    let written = Rc::new(Cell::new(0));
    let mut source = Made { written: Rc::clone(&written), start: 0, most_held: 0 };
    let mut options = ExportOptions::default();
    options.line_ending = LineEnding::CrLf;
    export(&content, &mut source, &mut Counted(Rc::clone(&written)), &options).unwrap();
    assert!(written.get() > 2 << 20);
}

#[test]
fn errors_of_both_ends_come_through() {
    struct Broken;
    impl LargeSource for Broken {
        fn read(&mut self, _: LargeValue, _: u64, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("no"))
        }
    }
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut content = MessageContent::default();
    content.props.put(large(tags::BODY, 100_000));
    let options = ExportOptions::default();
    assert!(matches!(export(&content, &mut Broken, &mut Vec::new(), &options), Err(ExportError::Read(_))));
    content.props.set(tags::BODY, "x".repeat(100_000));
    assert!(matches!(export(&content, &mut Broken, &mut Full, &options), Err(ExportError::Write(_))));
}
