use watertight_mapi::store::{NewAccount, StoreError, StoreResult};
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

/// A new GUID for a mailbox or a replica.
pub(crate) fn random_guid() -> StoreResult<Guid> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|source| StoreError::Backend {
        context: "the system gives no random bytes".to_owned(),
        source: source.to_string().into(),
    })?;
    Ok(Guid::from_random(bytes))
}
