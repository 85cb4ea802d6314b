//! What Autodiscover says.

use super::document::{self, Document};

/// What Autodiscover says about a user — [MS-OXDSCLI] 2.2.4.1.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discovered {
    /// LegacyDN: what Connect and RopLogon carry.
    pub legacy_dn: String,
    /// DisplayName.
    pub display_name: Option<String>,
    /// AutoDiscoverSMTPAddress.
    pub address: Option<String>,
    /// The URL of the mailbox endpoint, with its MailboxId: the best of [`Discovered::mail_store_urls`].
    pub mail_store: Option<String>,
    /// MailStore of the mapiHttp protocol.
    pub mail_store_urls: Urls,
    /// AddressBook of the mapiHttp protocol: the NSPI endpoint.
    pub address_book_urls: Urls,
    /// ServerVersion, as it stands in the document; [`Discovered::server_version`] makes it readable.
    pub server_version: Option<String>,
    /// SmtpAddress of PublicFolderInformation: the address whose Autodiscover knows the public folders.
    pub public_folders: Option<String>,
    /// AlternativeMailbox: archives and other mailboxes that the user may open.
    pub alternative_mailboxes: Vec<AlternativeMailbox>,
}

/// The addresses of one endpoint — [MS-OXDSCLI] 2.2.4.1.1.2.6.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Urls {
    /// InternalUrl: for those inside the organization's network.
    pub internal: Option<String>,
    /// ExternalUrl: for everybody.
    pub external: Option<String>,
}

impl Urls {
    /// The external one, which answers from everywhere; else the internal one.
    #[must_use]
    pub fn best(&self) -> Option<&str> {
        self.external.as_deref().or(self.internal.as_deref())
    }
}

/// A mailbox besides the user's own — [MS-OXDSCLI] 2.2.4.1.1.2.5 AlternativeMailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlternativeMailbox {
    /// Type: `Archive`, `Delegate` or `TeamMailbox`.
    pub kind: Option<String>,
    /// DisplayName.
    pub display_name: Option<String>,
    /// LegacyDN; without it, the address is to be discovered.
    pub legacy_dn: Option<String>,
    /// Server: the MailboxId at the server.
    pub server: Option<String>,
    /// SmtpAddress.
    pub smtp_address: Option<String>,
    /// OwnerSmtpAddress.
    pub owner_smtp_address: Option<String>,
}

impl AlternativeMailbox {
    /// Whether it is an archive of the user's.
    #[must_use]
    pub fn is_archive(&self) -> bool {
        self.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("Archive"))
    }

    /// Takes the value of an element.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let place = match name {
            "Type" => &mut self.kind,
            "DisplayName" => &mut self.display_name,
            "LegacyDN" => &mut self.legacy_dn,
            "Server" => &mut self.server,
            "SmtpAddress" => &mut self.smtp_address,
            "OwnerSmtpAddress" => &mut self.owner_smtp_address,
            _ => return,
        };
        place.get_or_insert_with(|| value.to_owned());
    }
}

impl Discovered {
    /// The settings in a document that Autodiscover answered with; `None` when it has none.
    #[must_use]
    pub fn from_document(document: &[u8]) -> Option<Self> {
        match document::read(document) {
            Document::Settings(found) => Some(*found),
            _ => None,
        }
    }

    /// The server's version, `15.0.847` — [MS-OXDSCLI] 2.2.4.1.1.2.6.41: four bits, six of the major version, six of
    /// the minor one, one bit, 15 of the build.
    #[must_use]
    pub fn server_version(&self) -> Option<String> {
        let bits = u32::from_str_radix(self.server_version.as_deref()?, 16).ok()?;
        Some(format!("{}.{}.{}", (bits >> 22) & 0x3F, (bits >> 16) & 0x3F, bits & 0x7FFF))
    }
}
