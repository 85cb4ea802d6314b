//! What `watertight import` reads: mbox files, and the names of Maildirs.
//!
//! The readers are in the binary, which is no library; they are compiled here once more.

#[allow(dead_code, reason = "what walks directories is not for oracles")]
#[path = "../../crates/watertight/src/import/maildir.rs"]
mod maildir;
#[path = "../../crates/watertight/src/import/mbox.rs"]
mod mbox;
#[allow(dead_code, reason = "what walks directories is not for oracles")]
#[path = "../../crates/watertight/src/import/source.rs"]
mod source;

use core::ops::ControlFlow;
use std::io::BufReader;

use watertight_testkit::corpus;

use self::source::{Bytes, Item, Limits, Sink};
use crate::{LONGEST_SEED, Seed};

/// Longest message that the oracle reads.
const LIMITS: Limits = Limits { max_message: 16 * 1024 };

/// The same messages whatever the pieces are in which a file comes, none too long, and the same again from a file
/// that is written of them.
pub fn mbox(data: &[u8]) {
    let Some((piece, data)) = data.split_first() else { return };
    let (whole, skipped) = messages(data, 64 * 1024);
    let pieces = messages(data, usize::from(*piece).saturating_add(1));
    assert_eq!((&whole, &skipped), (&pieces.0, &pieces.1), "pieces of {piece} + 1");
    assert!(whole.iter().map(Vec::len).sum::<usize>() <= data.len());
    assert!(whole.iter().all(|m| m.len() <= 16 * 1024 + 2));
    let mut file = Vec::new();
    for message in &whole {
        file.extend_from_slice(b"From x\n");
        for line in message.split_inclusive(|b| *b == b'\n') {
            let rest = line.iter().position(|b| *b != b'>').and_then(|at| line.get(at..));
            if rest.is_some_and(|rest| rest.starts_with(b"From ")) {
                file.push(b'>');
            }
            file.extend_from_slice(line);
        }
        // A message that ends without a line end can only be the last one.
        if message.ends_with(b"\n") {
            file.push(b'\n');
        }
    }
    let longest = whole.iter().map(Vec::len).max().unwrap_or(0);
    if longest < 16 * 1024 {
        assert_eq!(messages(&file, 64 * 1024), (whole, Vec::new()));
    }
}

/// Messages, and why others were left out.
fn messages(data: &[u8], piece: usize) -> (Vec<Vec<u8>>, Vec<String>) {
    let mut seen = Seen::default();
    let input = BufReader::with_capacity(piece, data);
    let flow = mbox::walk(input, "fuzz", &[], LIMITS, &mut seen).expect("bytes in memory are read");
    assert!(flow.is_continue());
    (seen.0, seen.1)
}

#[derive(Default)]
struct Seen(Vec<Vec<u8>>, Vec<String>);

impl Sink for Seen {
    fn item(&mut self, item: Item) -> ControlFlow<()> {
        if let Bytes::Here(bytes) = item.bytes {
            self.0.push(bytes);
        }
        ControlFlow::Continue(())
    }

    fn skip(&mut self, place: String, reason: String) {
        self.1.push(format!("{place}: {reason}"));
    }

    fn folder(&mut self, _: &[String]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

pub fn mbox_seeds() -> Vec<Seed> {
    let mut seeds = vec![
        ("flags".to_owned(), b"\x05From a@b Sun Jan  1 10:00:00 2023\nSubject: 1\nStatus: O\nX-Status: F\n\n>From here\n>>From there\n\nFrom - \nlast".to_vec()),
        ("crlf".to_owned(), b"\x00From - Thu Feb 29 23:59:60 1996\r\nA: b\r\n\r\nx\r\n\r\nFrom y\r\n\r\n".to_vec()),
        ("long".to_owned(), [&b"\xffFrom x\n"[..], &[b'x'; 20_000], b"\nFrom y\n\n\n"].concat()),
    ];
    for (name, bytes) in corpus::eml().into_iter().filter(|(_, b)| b.len() <= LONGEST_SEED / 4).step_by(5) {
        seeds.push((name, [&b"\x40From x\n"[..], &bytes, b"\n\nFrom y\n", &bytes].concat()));
    }
    seeds
}

/// Names of directories and files in a Maildir that others made.
pub fn maildir_names(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let names = maildir::names(text);
    assert!(names.iter().map(String::len).sum::<usize>() <= data.len().saturating_mul(3));
    let flags = maildir::flags(text);
    assert!(text.contains(":2,") || flags == source::Flags::default());
}

pub fn name_seeds() -> Vec<Seed> {
    ["1.M2P3.host,S=4:2,FRS", ".Archive.2004", ".Entw&APw-rfe", "&2D3eAA-", "&-&", "plain"]
        .into_iter()
        .enumerate()
        .map(|(n, name)| (n.to_string(), name.as_bytes().to_vec()))
        .collect()
}
