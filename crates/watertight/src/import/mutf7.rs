//! Modified UTF-7, in which Maildir folders are named — RFC 3501 5.1.3.

/// The text. What is not well formed stays as it is.
pub fn decode(name: &str) -> String {
    let mut text = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('&') {
        text.push_str(before);
        match after.split_once('-').and_then(|(shifted, tail)| Some((shift(shifted)?, tail))) {
            Some((decoded, tail)) => {
                text.push_str(&decoded);
                rest = tail;
            }
            None => {
                text.push('&');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

/// What stands between `&` and `-`: base64 of UTF-16, with a comma for the slash; nothing stands for `&`.
fn shift(shifted: &str) -> Option<String> {
    if shifted.is_empty() {
        return Some("&".into());
    }
    let mut bits = 0_u32;
    let mut held = 0_u32;
    let mut units = Vec::new();
    for c in shifted.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b',' => 63,
            _ => return None,
        };
        bits = ((bits << 6) | u32::from(value)) & 0x003f_ffff;
        held += 6;
        if held >= 16 {
            held -= 16;
            units.push(u16::try_from((bits >> held) & 0xffff).ok()?);
        }
    }
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded() {
        assert_eq!(decode("~peter/mail/&U,BTFw-/&ZeVnLIqe-"), "~peter/mail/台北/日本語");
        assert_eq!(decode("Beta &- Gamma"), "Beta & Gamma");
        assert_eq!(decode("&2D3eAA-"), "\u{1f600}");
        assert_eq!(decode("a&b"), "a&b");
        assert_eq!(decode("a&??-b"), "a&??-b");
        assert_eq!(decode("&2D0-x"), "&2D0-x");
    }
}
