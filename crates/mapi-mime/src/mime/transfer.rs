//! Content-Transfer-Encoding, read as widely as mail programs do.

use std::borrow::Cow;

use super::header::{line_at, strip_eol};

/// Decodes the body of a part. Unknown encodings are taken as they are; bytes that an encoding does not have are
/// skipped (base64) or kept (quoted-printable).
pub(crate) fn decode<'a>(encoding: &str, body: &'a [u8]) -> Cow<'a, [u8]> {
    match encoding {
        "base64" => Cow::Owned(base64_lenient(body)),
        "quoted-printable" => Cow::Owned(quoted_printable(body)),
        "x-uuencode" | "uuencode" | "uue" | "x-uue" => uuencode(body).map_or(Cow::Borrowed(body), Cow::Owned),
        _ => Cow::Borrowed(body),
    }
}

/// Base64 with everything between the characters ignored; stops nowhere, pads what is missing.
pub(crate) fn base64_lenient(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() / 4 * 3);
    let mut bits = 0u32;
    let mut count = 0;
    for byte in body {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                // The end of one encoded text; another may follow.
                flush(bits, count, &mut out);
                (bits, count) = (0, 0);
                continue;
            }
            _ => continue,
        };
        bits = (bits << 6) | u32::from(six);
        count += 1;
        if count == 4 {
            let [_, a, b, c] = bits.to_be_bytes();
            out.extend([a, b, c]);
            (bits, count) = (0, 0);
        }
    }
    flush(bits, count, &mut out);
    out
}

fn flush(bits: u32, count: u32, out: &mut Vec<u8>) {
    let [_, a, b, _] = (bits << (6 * (4 - count))).to_be_bytes();
    match count {
        2 => out.push(a),
        3 => out.extend([a, b]),
        _ => {}
    }
}

fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut at = 0;
    while let Some(line) = line_at(body, at) {
        at += line.len();
        let content = strip_eol(line);
        let eol = line.get(content.len()..).unwrap_or_default();
        // Blanks at the end of a line were added on the way ([RFC 2045] 6.7 rule 3).
        let content = content.trim_ascii_end();
        let mut rest = content;
        let mut soft = false;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            if byte != b'=' {
                out.push(byte);
                continue;
            }
            match tail {
                [] => soft = true,
                [a, b, after @ ..] => match (hex(*a), hex(*b)) {
                    (Some(high), Some(low)) => {
                        out.push(high << 4 | low);
                        rest = after;
                    }
                    _ => out.push(byte),
                },
                _ => out.push(byte),
            }
        }
        if !soft {
            out.extend_from_slice(eol);
        }
    }
    out
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// The file between "begin" and "end"; nothing when there is no "begin".
fn uuencode(body: &[u8]) -> Option<Vec<u8>> {
    let mut at = 0;
    loop {
        let line = line_at(body, at)?;
        at += line.len();
        if line.starts_with(b"begin ") {
            break;
        }
    }
    let mut out = Vec::new();
    while let Some(line) = line_at(body, at) {
        at += line.len();
        let line = strip_eol(line);
        if line == b"end" {
            break;
        }
        let Some((&first, data)) = line.split_first() else { continue };
        let count = usize::from(first.wrapping_sub(32) & 63);
        let mut bytes = Vec::with_capacity(data.len() / 4 * 3 + 3);
        for group in data.chunks(4) {
            let mut bits = 0u32;
            for i in 0..4 {
                let six = group.get(i).map_or(0, |b| b.wrapping_sub(32) & 63);
                bits = bits << 6 | u32::from(six);
            }
            let [_, a, b, c] = bits.to_be_bytes();
            bytes.extend([a, b, c]);
        }
        bytes.truncate(count);
        out.extend(bytes);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        assert_eq!(&*decode("base64", b"aGVs\r\n bG8=\n"), b"hello");
        assert_eq!(&*decode("base64", b"aGVsbG8"), b"hello");
        assert_eq!(&*decode("quoted-printable", b"a=3Db =\r\nc  \n=zz=\n"), b"a=b c\n=zz");
        assert_eq!(&*decode("x-uuencode", b"begin 644 x\n#86)C\n \nend\n"), b"abc");
        assert_eq!(&*decode("spam", b"as it is"), b"as it is");
    }
}
