//! mbox files: mboxo, and mboxrd with its quoting of `From ` undone.
//!
//! A line that begins with `From ` begins a message, as Python's `mailbox` and most programs have it; the blank line
//! before it belongs to the separator. `>From ` loses one `>`, however many it has.

use std::io::{BufRead, Read};
use std::ops::ControlFlow;

use anyhow::{Context, Result};
use watertight_wire::FileTime;

use super::source::{Bytes, Flags, Item, Limits, Sink};

/// Bytes of a line that are read at once; what a line is, its first piece tells.
const PIECE: u64 = 64 * 1024;

/// Gives the messages to the sink.
pub fn walk(
    mut input: impl BufRead,
    place: &str,
    folder: &[String],
    limits: Limits,
    sink: &mut dyn Sink,
) -> Result<ControlFlow<()>> {
    let mut number = 0_u64;
    let mut message: Option<Message> = None;
    let mut line = Vec::new();
    let mut begins = true;
    loop {
        line.clear();
        let more = Read::by_ref(&mut input)
            .take(PIECE)
            .read_until(b'\n', &mut line)
            .with_context(|| format!("cannot read {place}"))?
            > 0;
        if !more || (begins && line.starts_with(b"From ")) {
            if let Some(message) = message.take() {
                number = number.saturating_add(1);
                if message.give(format!("{place}#{number}"), folder, limits, sink).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if !more {
                return Ok(ControlFlow::Continue(()));
            }
            message = Some(Message { delivered: delivered(&line), ..Message::default() });
        } else if let Some(message) = &mut message {
            message.piece(&line, begins, limits);
        }
        begins = line.ends_with(b"\n");
    }
}

#[derive(Default)]
struct Message {
    delivered: Option<FileTime>,
    bytes: Vec<u8>,
    /// How long it is, also when that is more than is kept.
    len: u64,
}

impl Message {
    /// A line, or a piece of one that is long; `begins` says whether the line begins with it.
    fn piece(&mut self, line: &[u8], begins: bool, limits: Limits) {
        let quoted = line.iter().position(|b| *b != b'>').filter(|_| begins).unwrap_or(0);
        let line = match line.get(quoted..) {
            Some(rest) if quoted > 0 && rest.starts_with(b"From ") => line.get(1..).unwrap_or_default(),
            _ => line,
        };
        self.len = self.len.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        if self.len <= limits.max_message.saturating_add(2) {
            self.bytes.extend_from_slice(line);
        }
    }

    fn give(
        mut self,
        place: String,
        folder: &[String],
        limits: Limits,
        sink: &mut dyn Sink,
    ) -> ControlFlow<()> {
        if self.len > limits.max_message.saturating_add(2) {
            sink.skip(place, format!("{} bytes, more than --max-message allows", self.len));
            return ControlFlow::Continue(());
        }
        for blank in [b"\n\r\n".as_slice(), b"\n\n"] {
            if self.bytes.ends_with(blank) {
                let cut = blank.len().saturating_sub(1);
                self.bytes.truncate(self.bytes.len().saturating_sub(cut));
                break;
            }
        }
        let flags = flags(&self.bytes);
        sink.item(Item {
            folder: folder.to_vec(),
            place,
            bytes: Bytes::Here(self.bytes),
            flags,
            delivered: self.delivered,
        })
    }
}

/// The time in `From anna@example.org Sun Jan  1 10:00:00 2023`, taken as UTC.
fn delivered(line: &[u8]) -> Option<FileTime> {
    let line = std::str::from_utf8(line).ok()?;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let from = words.iter().position(|w| ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].contains(w))?;
    let words = words.get(from..)?;
    let text = words.get(1..4)?.join(" ");
    let year = words.get(4..)?.iter().find(|w| w.len() == 4 && w.bytes().all(|b| b.is_ascii_digit()))?;
    let time = jiff::civil::DateTime::strptime("%b %d %H:%M:%S %Y", format!("{text} {year}")).ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(FileTime::from_unix_seconds(time.as_second()))
}

/// Status and X-Status, as mail readers keep them in the message's header. Without them it is read.
fn flags(message: &[u8]) -> Flags {
    let mut status = None;
    let mut more = String::new();
    for line in message.split(|b| *b == b'\n') {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            break;
        }
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("Status") {
            status = Some(value.trim().to_owned());
        } else if name.eq_ignore_ascii_case("X-Status") {
            more = value.trim().to_owned();
        }
    }
    Flags {
        seen: status.is_none_or(|s| s.contains('R')),
        replied: more.contains('A'),
        passed: false,
        flagged: more.contains('F'),
        draft: more.contains('T'),
        trashed: more.contains('D'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<Item>, Vec<(String, String)>);

    impl Sink for Seen {
        fn item(&mut self, item: Item) -> ControlFlow<()> {
            self.0.push(item);
            ControlFlow::Continue(())
        }
        fn skip(&mut self, place: String, reason: String) {
            self.1.push((place, reason));
        }
        fn folder(&mut self, _: &[String]) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }
    }

    fn read(text: &str, max_message: u64) -> Seen {
        let mut seen = Seen::default();
        let _ = walk(text.as_bytes(), "x", &[], Limits { max_message }, &mut seen).unwrap();
        seen
    }

    fn text(item: &Item) -> &str {
        match &item.bytes {
            Bytes::Here(bytes) => std::str::from_utf8(bytes).unwrap(),
            Bytes::File(..) => panic!(),
        }
    }

    #[test]
    fn messages_are_cut_where_a_line_begins_with_from() {
        let seen = read(
            "From a@b Sun Jan  1 10:00:00 2023\nSubject: 1\nStatus: O\nX-Status: F\n\n>From here\n>>From there\n> From\n\n\
             From - \nSubject: 2\n\nlast",
            1000,
        );
        assert_eq!(seen.0.len(), 2);
        let first = &seen.0[0];
        assert_eq!(text(first), "Subject: 1\nStatus: O\nX-Status: F\n\nFrom here\n>From there\n> From\n");
        assert_eq!(first.delivered, Some(FileTime::from_unix_seconds(1_672_567_200)));
        assert!(!first.flags.seen && first.flags.flagged);
        assert_eq!(text(&seen.0[1]), "Subject: 2\n\nlast");
        assert_eq!(seen.0[1].delivered, None);
        assert_eq!(seen.0[1].place, "x#2");
        assert!(seen.0[1].flags.seen);
    }

    #[test]
    fn a_message_that_is_too_long_is_skipped_and_not_kept() {
        let long = format!("From x\nSubject: long\n\n{}\nFrom y\nSubject: short\n\nx\n", "x".repeat(5000));
        let seen = read(&long, 100);
        assert_eq!(seen.0.len(), 1);
        assert_eq!(seen.1.len(), 1);
        assert_eq!(seen.1[0].0, "x#1");
    }

    #[test]
    fn a_line_of_any_length_is_read_in_pieces() {
        let piece = usize::try_from(PIECE).unwrap();
        let cut = format!("{}From z\n", "x".repeat(piece));
        let text_of = format!("From x\n{cut}\nFrom y\n{}>From z\n\n", "y".repeat(piece));
        let seen = read(&text_of, 1 << 20);
        assert_eq!(seen.0.len(), 2);
        assert_eq!(text(&seen.0[0]), cut);
        assert!(text(&seen.0[1]).ends_with("y>From z\n"));
        /// So many bytes without the end of a line.
        struct Endless(u64);
        impl Read for Endless {
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                let n = buf.len().min(usize::try_from(self.0).unwrap());
                self.0 -= u64::try_from(n).unwrap();
                buf[..n].fill(b'x');
                Ok(n)
            }
        }
        let input = b"From x\n".as_slice().chain(Endless(50 << 20));
        let mut seen = Seen::default();
        let _ =
            walk(std::io::BufReader::new(input), "x", &[], Limits { max_message: 100 }, &mut seen).unwrap();
        assert_eq!(seen.1, [("x#1".to_owned(), "52428800 bytes, more than --max-message allows".to_owned())]);
    }

    #[test]
    fn nothing_but_newlines_is_no_message() {
        assert_eq!(read("\n\nhello\n", 100).0.len(), 0);
    }
}
