//! People.

use std::fmt;

/// A person or list with a name and an address; either may be empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address {
    /// The name that is shown.
    pub name: String,
    /// The SMTP address, or what the server has in its place (a distinguished name).
    pub email: String,
}

/// `Name <address>`, or what there is of it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name.as_str(), self.email.as_str()) {
            (name, "") => f.write_str(name),
            ("", email) => f.write_str(email),
            (name, email) if name == email => f.write_str(email),
            (name, email) => write!(f, "{name} <{email}>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_what_there_is() {
        let shown = |name: &str, email: &str| Address { name: name.into(), email: email.into() }.to_string();
        assert_eq!(shown("Anna", "anna@example.org"), "Anna <anna@example.org>");
        assert_eq!(shown("Anna", ""), "Anna");
        assert_eq!(shown("", "anna@example.org"), "anna@example.org");
        assert_eq!(shown("anna@example.org", "anna@example.org"), "anna@example.org");
        assert_eq!(shown("", ""), "");
    }
}
