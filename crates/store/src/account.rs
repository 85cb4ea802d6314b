use watertight_mapi::store::{
    Account, MailboxInfo, MailboxKind, NewAccount, PUBLIC_DN, StoreError, StoreResult, archive_dn,
};
use watertight_wire::Guid;

/// What names, addresses and distinguished names are compared by.
pub(crate) fn key(text: &str) -> String {
    text.to_lowercase()
}

/// Checks what a new account is made of.
pub(crate) fn validate(account: &NewAccount) -> StoreResult<()> {
    let name = &account.name;
    let bad = |c: char| c.is_control() || matches!(c, '/' | ':' | '\\');
    if name.trim() != name || name.is_empty() || name.chars().count() > 64 || name.chars().any(bad) {
        return Err(StoreError::Invalid(
            "an account name has 1 to 64 characters, none of them / : \\ or a control character".to_owned(),
        ));
    }
    if account.smtp_address.chars().any(char::is_control)
        || account.display_name.chars().any(char::is_control)
    {
        return Err(StoreError::Invalid("a control character in a display name or address".to_owned()));
    }
    Ok(())
}

/// What the mailbox of a new account is.
pub(crate) fn private(account: &Account) -> StoreResult<MailboxInfo> {
    Ok(MailboxInfo {
        mailbox_guid: account.mailbox_guid,
        repl_guid: random_guid()?,
        kind: MailboxKind::Private,
        display_name: account.display_name.clone(),
        legacy_dn: account.legacy_dn.clone(),
        smtp_address: account.smtp_address.clone(),
    })
}

/// What a new archive of an account is.
pub(crate) fn archive(account: &Account) -> StoreResult<MailboxInfo> {
    let mailbox_guid = random_guid()?;
    Ok(MailboxInfo {
        mailbox_guid,
        repl_guid: random_guid()?,
        kind: MailboxKind::Archive,
        display_name: format!("Archive - {}", account.display_name),
        legacy_dn: archive_dn(&account.legacy_dn, mailbox_guid),
        smtp_address: String::new(),
    })
}

/// What new public folders are.
pub(crate) fn public() -> StoreResult<MailboxInfo> {
    Ok(MailboxInfo {
        mailbox_guid: random_guid()?,
        repl_guid: random_guid()?,
        kind: MailboxKind::Public,
        display_name: "Public Folders".to_owned(),
        legacy_dn: PUBLIC_DN.to_owned(),
        smtp_address: String::new(),
    })
}

/// Why there are no two of them.
pub(crate) fn archive_taken(account: &Account) -> StoreError {
    StoreError::Exists(format!("an archive of {}", account.name))
}

/// Why there are no two of them.
pub(crate) fn public_taken() -> StoreError {
    StoreError::Exists("a mailbox of public folders".to_owned())
}

/// Refuses a right of somebody in their own mailbox.
pub(crate) fn not_oneself(owner: Option<&str>, to: &str) -> StoreResult<()> {
    if owner == Some(to) {
        return Err(StoreError::Invalid("an account needs no right in its own mailbox".to_owned()));
    }
    Ok(())
}

/// A new GUID for a mailbox or a replica.
pub(crate) fn random_guid() -> StoreResult<Guid> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|source| StoreError::Backend {
        context: "the system gives no random bytes".to_owned(),
        source: source.to_string().into(),
    })?;
    Ok(Guid::from_random(bytes))
}
