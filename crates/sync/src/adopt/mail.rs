//! What identifies a mail, in a file as on the server.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sha2::{Digest, Sha256};
use watertight_mapi::{
    PropValue,
    prop::{PropBag, tags},
};
use watertight_mapi_mime::{ImportOptions, import};

use crate::{Flags, SyncError, SyncResult, db::adopt::Known};

/// The longest header that is read.
const LONGEST_HEADER: usize = 256 * 1024;
/// How much of a body is looked at.
const BODY: usize = 512;

/// What both sides have of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// The Message-ID; without one, subject and date; empty when there is nothing that tells it from others.
    pub(super) key: String,
    /// The subject's letters and digits.
    pub(super) subject: String,
    /// Seconds since 1970.
    pub(super) submitted: Option<i64>,
}

impl Head {
    /// Of a message's properties.
    pub(super) fn of(props: &PropBag) -> Self {
        let subject: String =
            props.text(tags::SUBJECT).unwrap_or_default().chars().filter(|c| c.is_alphanumeric()).collect();
        let subject = subject.to_lowercase();
        let submitted = match props.get(tags::CLIENT_SUBMIT_TIME) {
            Some(PropValue::Time(time)) => Some(time.to_unix_seconds()),
            _ => None,
        };
        let id = props.text(tags::INTERNET_MESSAGE_ID).unwrap_or_default();
        let id = id.trim().trim_start_matches('<').trim_end_matches('>').trim();
        let key = match (id, submitted) {
            ("", Some(time)) if !subject.is_empty() => format!("{time} {subject}"),
            ("", _) => String::new(),
            (id, _) => format!("<{id}>"),
        };
        Self { key, subject, submitted }
    }
}

/// What is known of a file.
pub(super) fn known(root: &Path, path: &Path, folder: &str) -> SyncResult<Known> {
    let io = |e| SyncError::io("read", path, e);
    let mut file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut start = Vec::new();
    let limit = watertight_wire::to_u64(LONGEST_HEADER);
    Read::by_ref(&mut file).take(limit).read_to_end(&mut start).map_err(io)?;
    let (header, body) = split(&start);
    // A head alone says nothing of what the message was; what comes is compared with it.
    let head = if body.trim_ascii().is_empty() || is_placeholder(body) {
        Head::default()
    } else {
        let options = ImportOptions { keep_transport_form: false, ..ImportOptions::default() };
        import(header, &options).map(|content| Head::of(&content.props)).unwrap_or_default()
    };
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let fresh = path.parent().and_then(Path::file_name).is_some_and(|dir| dir == "new");
    Ok(Known {
        path: path.strip_prefix(root).unwrap_or(path).as_os_str().as_bytes().to_vec(),
        folder: folder.to_owned(),
        fresh,
        flags: flags(name),
        size,
        key: head.key,
        subject: head.subject,
        submitted: head.submitted,
    })
}

/// The letters after `:2,`; some programs have another character for the colon.
fn flags(name: &str) -> Flags {
    [":2,", ";2,", "!2,"]
        .iter()
        .find_map(|mark| name.rsplit_once(mark))
        .map_or(Flags::NONE, |(_, letters)| Flags::parse(letters))
}

/// The header with the line that ends it, and what is there of the body.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let ends = [&b"\n\n"[..], b"\n\r\n"].into_iter().filter_map(|end| {
        bytes.windows(end.len()).position(|w| w == end).map(|at| at.saturating_add(end.len()))
    });
    bytes.split_at_checked(ends.min().unwrap_or(bytes.len())).unwrap_or((bytes, &[]))
}

/// What mbsync puts in the place of a message that is too large for it.
fn is_placeholder(body: &[u8]) -> bool {
    let start = String::from_utf8_lossy(body.get(..BODY.min(body.len())).unwrap_or_default()).into_owned();
    start.trim_start().starts_with("Having a size of ") && start.contains("over the MaxSize limit")
}

/// The digest of a file's mail, whatever programs on its way did to it.
pub(crate) fn digest_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut normal = Normal::default();
    io::copy(&mut File::open(path)?, &mut normal)?;
    Ok(normal.digest())
}

/// Takes a mail and hashes what it says: line ends, folding and blanks, fields that programs add (`X-…`, `Status`,
/// `Lines`, `Content-Length`) and an envelope line do not count. Blanks do not count in the body either: offlineimap
/// writes the headers of parts, and what is between parts, in its own way. Two mails with all the same fields that only
/// differ in blanks are the same mail.
#[derive(Default)]
pub(crate) struct Normal {
    hash: Sha256,
    in_body: bool,
    /// A line of the header that is not complete, or a field whose next line may go on.
    line: Vec<u8>,
    field: Vec<u8>,
}

impl Normal {
    pub(crate) fn digest(mut self) -> Vec<u8> {
        if !self.in_body {
            let line = std::mem::take(&mut self.line);
            self.header_line(&line);
            self.end_field();
        }
        self.hash.finalize().to_vec()
    }

    fn header_line(&mut self, line: &[u8]) {
        if line.first().is_some_and(|b| matches!(b, b' ' | b'\t')) && !self.field.is_empty() {
            self.field.push(b' ');
            self.field.extend_from_slice(line);
            return;
        }
        self.end_field();
        if line.is_empty() {
            self.in_body = true;
            self.hash.update(b"\n");
        } else {
            self.field.extend_from_slice(line);
        }
    }

    fn end_field(&mut self) {
        let field = std::mem::take(&mut self.field);
        let colon = field.iter().position(|b| *b == b':').unwrap_or(field.len());
        let (name, value) = field.split_at_checked(colon).unwrap_or((&field, &[]));
        let name = name.to_ascii_lowercase();
        let value = value.strip_prefix(b":").unwrap_or(value);
        let name = name.trim_ascii_end();
        let added = matches!(name, b"status" | b"lines" | b"content-length") || name.starts_with(b"x-");
        if field.is_empty() || added || name.starts_with(b"from ") || name.starts_with(b">from ") {
            return;
        }
        self.hash.update(name);
        for word in value.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()) {
            self.hash.update(word);
            self.hash.update(b" ");
        }
        self.hash.update(b"\n");
    }

    fn body(&mut self, bytes: &[u8]) {
        bytes.split(u8::is_ascii_whitespace).for_each(|text| self.hash.update(text));
    }
}

impl Write for Normal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !self.in_body && !rest.is_empty() {
            let (line, after, whole) = match rest.iter().position(|b| *b == b'\n') {
                Some(at) => {
                    let (line, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
                    (line, after.get(1..).unwrap_or_default(), true)
                }
                None => (rest, &[][..], false),
            };
            self.line.extend_from_slice(line);
            rest = after;
            // A header without end is no header.
            let endless = self.line.len().saturating_add(self.field.len()) > LONGEST_HEADER;
            if whole || endless {
                let line = std::mem::take(&mut self.line);
                self.header_line(line.strip_suffix(b"\r").unwrap_or(&line));
            }
            if endless {
                self.end_field();
                self.in_body = true;
            }
        }
        self.body(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str, piece: usize) -> Vec<u8> {
        let mut normal = Normal::default();
        text.as_bytes().chunks(piece).for_each(|bytes| normal.write_all(bytes).unwrap());
        normal.digest()
    }

    const MAIL: &str = "Subject: a long one\nFrom: a@example.org\nX-Mine: 1\n\nOne\n\nTwo \rthree\n";

    #[test]
    fn what_programs_do_to_a_mail_does_not_count() {
        let same = digest(MAIL, 1000);
        for other in [
            "Subject: a\n long one\nFrom: a@example.org\n\nOne\n\nTwo \rthree\n\n\n",
            "From a@example.org Mon Jan 1 00:00:00 2024\nSUBJECT:a\r\n\tlong  one\r\nX-TUID: abc\r\n defg\r\nFrom: a@example.org\r\nStatus: RO\r\n\r\nOne\r\n\r\nTwo \rthree",
            &MAIL.replace("One\n\n", "One\n\n\n"),
        ] {
            for piece in [1, 2, 3, 7, 1000] {
                assert_eq!(digest(other, piece), same, "{other:?} by {piece}");
            }
        }
        for other in [
            MAIL.replace("long", "lung"),
            MAIL.replace("One", "Ones"),
            MAIL.replace("\n\nOne", "\nTo: b\n\nOne"),
            MAIL.replace("three", ""),
        ] {
            assert_ne!(digest(&other, 1000), same, "{other:?}");
        }
        assert_ne!(digest("A: b", 10), digest("A: c", 10));
        digest(&"x".repeat(LONGEST_HEADER * 2), 1000);
    }

    #[test]
    fn a_file_is_known_by_its_head() {
        let dir = tempfile::tempdir().unwrap();
        let cur = dir.path().join("cur");
        std::fs::create_dir(&cur).unwrap();
        let path = cur.join("1.2_3.host,U=7:2,FS");
        let text = "X-TUID: 123\r\nMessage-ID:\r\n <1@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= an\r\n alle\r\nDate: Thu, 1 Jan 1970 00:00:09 +0000\r\n\r\nA line.\r\n";
        std::fs::write(&path, text).unwrap();
        let file = known(dir.path(), &path, "inbox").unwrap();
        assert_eq!((file.key.as_str(), file.subject.as_str()), ("<1@example.org>", "grüßeanalle"));
        assert_eq!((file.submitted, file.fresh, file.flags.to_string().as_str()), (Some(9), false, "FS"));
        assert_eq!(file.path, b"cur/1.2_3.host,U=7:2,FS");
        std::fs::write(&path, text.replace("Message-ID", "X-Other")).unwrap();
        assert_eq!(known(dir.path(), &path, "inbox").unwrap().key, "9 grüßeanalle");
        let placeholder =
            text.replace("A line.", "Having a size of 2M, this message is over the MaxSize limit.");
        std::fs::write(&path, placeholder).unwrap();
        assert_eq!(known(dir.path(), &path, "inbox").unwrap().key, "", "it is not the message");
        watertight_testkit::mutate::survive(text.as_bytes(), |bytes| {
            let _ = split(bytes);
            let mut normal = Normal::default();
            let _ = normal.write_all(bytes);
            normal.digest();
        });
    }
}
