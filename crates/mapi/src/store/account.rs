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
    /// The archive: a second mailbox, where the account has one.
    pub archive: Option<Guid>,
    /// The password's hash as a PHC string. Never logged.
    pub password_hash: String,
}

impl Account {
    /// The legacy distinguished name of the archive: the account's, with `/guid=` and the archive's GUID.
    #[must_use]
    pub fn archive_dn(&self) -> Option<String> {
        self.archive.map(|guid| archive_dn(&self.legacy_dn, guid))
    }
}

/// The legacy distinguished name of the public folders.
pub const PUBLIC_DN: &str = "/o=Watertight/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/\
    cn=Servers/cn=watertight/cn=Microsoft Public MDB";

/// The legacy distinguished name of the archive with that GUID, of the account with that name.
#[must_use]
pub fn archive_dn(owner_dn: &str, archive: Guid) -> String {
    format!("{owner_dn}{ARCHIVE}{archive}")
}

/// A legacy distinguished name taken apart: of an account, and of which of its archives where it names one.
#[must_use]
pub fn split_dn(dn: &str) -> (&str, Option<&str>) {
    let at = dn.len().checked_sub(ARCHIVE.len().saturating_add(36)).filter(|at| {
        dn.get(*at..)
            .and_then(|rest| rest.get(..ARCHIVE.len()))
            .is_some_and(|s| s.eq_ignore_ascii_case(ARCHIVE))
    });
    match at.and_then(|at| dn.split_at_checked(at)) {
        Some((owner, archive)) => (owner, archive.get(ARCHIVE.len()..)),
        None => (dn, None),
    }
}

/// What stands between an owner's name and an archive's GUID.
const ARCHIVE: &str = "/guid=";

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
            .field("archive", &self.archive)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_a_name_below_its_owners() {
        let guid = Guid::from_bytes([0xab; 16]);
        let dn = archive_dn(&legacy_dn("Anna"), guid);
        assert_eq!(split_dn(&dn), (legacy_dn("anna").as_str(), Some(guid.to_string().as_str())));
        assert_eq!(split_dn(&dn.to_uppercase()).1, Some(guid.to_string().to_uppercase().as_str()));
        assert_eq!(split_dn("/o=x/cn=anna"), ("/o=x/cn=anna", None));
        assert_eq!(split_dn("ü"), ("ü", None));
        assert_eq!(
            split_dn("/guid=ü4567890123456789012345678901234"),
            ("/guid=ü4567890123456789012345678901234", None)
        );
    }
}
