//! Numbers with their nouns.

use std::fmt::Display;

/// `1 mailbox`, `2 mailboxes`; "es" only where the noun asks for it.
pub fn counted<N: Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let ending = match noun {
        _ if number == N::from(1) => "",
        noun if noun.ends_with('x') => "es",
        _ => "s",
    };
    format!("{number} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(1_u64, "mailbox"), "1 mailbox");
        assert_eq!(counted(0_usize, "mailbox"), "0 mailboxes");
        assert_eq!(counted(2_u64, "large value"), "2 large values");
        assert_eq!(counted(1_usize, "message"), "1 message");
    }
}
