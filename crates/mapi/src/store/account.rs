use core::fmt;

use watertight_wire::Guid;

/// An account and its mailbox.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The login name, as it was given.
    pub name: String,
    /// The display name.
    pub display_name: String,
    /// The SMTP address.
    pub smtp_address: String,
    /// The legacy distinguished name: [`legacy_dn`] of the name.
    pub legacy_dn: String,
    /// The mailbox.
    pub mailbox_guid: Guid,
    /// The password's hash as a PHC string. Never logged.
    pub password_hash: String,
}

/// What an account is made of.
#[derive(Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// The login name: 1 to 64 characters without `/`, `:`, `\` and control characters.
    pub name: String,
    /// The display name.
    pub display_name: String,
    /// The SMTP address.
    pub smtp_address: String,
    /// The password's hash as a PHC string.
    pub password_hash: String,
}

/// The legacy distinguished name of an account: the one scheme that our accounts have.
///
/// `/o=Watertight/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=` and the login name in
/// lower case.
#[must_use]
pub fn legacy_dn(name: &str) -> String {
    format!(
        "/o=Watertight/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn={}",
        name.to_lowercase()
    )
}

// The password's hash is left out of both: they may be logged.

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("display_name", &self.display_name)
            .field("smtp_address", &self.smtp_address)
            .field("legacy_dn", &self.legacy_dn)
            .field("mailbox_guid", &self.mailbox_guid)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccount")
            .field("name", &self.name)
            .field("display_name", &self.display_name)
            .field("smtp_address", &self.smtp_address)
            .finish_non_exhaustive()
    }
}
