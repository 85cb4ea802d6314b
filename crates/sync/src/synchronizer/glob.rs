/// Whether a folder's path matches; the Inbox is called `INBOX` in capitals or not, as in IMAP.
pub(crate) fn folder(glob: &str, path: &str) -> bool {
    let (first, rest) = glob.split_at(glob.find('/').unwrap_or(glob.len()));
    match first.eq_ignore_ascii_case("INBOX") {
        true => matches(&format!("INBOX{rest}"), path),
        false => matches(glob, path),
    }
}

/// Whether the whole text matches: `*` stands for any characters, `?` for one.
pub(crate) fn matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut g, mut t) = (0_usize, 0_usize);
    // Where to go on when what follows the last star does not fit.
    let mut back: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match glob.get(g) {
            Some('*') => {
                back = Some((g.saturating_add(1), t));
                g = g.saturating_add(1);
            }
            Some(p) if *p == '?' || p == c => {
                g = g.saturating_add(1);
                t = t.saturating_add(1);
            }
            _ => match back {
                Some((star, from)) => {
                    g = star;
                    t = from.saturating_add(1);
                    back = Some((star, t));
                }
                None => return false,
            },
        }
    }
    glob.get(g..).unwrap_or_default().iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::{folder, matches};

    #[test]
    fn stars_and_question_marks() {
        for (glob, text, yes) in [
            ("INBOX", "INBOX", true),
            ("INBOX", "INBOX/a", false),
            ("*", "", true),
            ("A*", "A/B/C", true),
            ("*/B*C", "A/B/xC", true),
            ("*/B*C", "A/B/xCd", false),
            ("?üro", "Büro", true),
            ("a*a*a", "aa", false),
            ("**x", "x", true),
        ] {
            assert_eq!(matches(glob, text), yes, "{glob} {text}");
        }
        assert!(folder("inbox", "INBOX") && folder("Inbox/A*", "INBOX/Ab") && folder("*", "INBOX"));
        assert!(!folder("inboxes", "INBOX") && !folder("sent", "Sent"));
    }
}
