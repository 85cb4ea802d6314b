//! Which account a name means.
//!
//! | what came | the account |
//! |---|---|
//! | `anna`, `DOMAIN\anna` | of the login name `anna`, whatever the domain |
//! | `anna@example.org` | of the login name `anna@example.org`; else of that SMTP address |
//! | NTLM: user `anna`, domain `example.org` | as `anna`; else of the SMTP address `anna@example.org` |
//! | Kerberos: `anna@EXAMPLE.ORG` | of the SMTP address `anna@example.org`; else of the login name `anna`, when the realm is one of the keytab's |

use watertight_auth::kerberos::Keytab;
use watertight_mapi::store::{Account, Store, StoreResult};

/// The account of a user name of Basic authentication.
pub(super) async fn of_user(store: &dyn Store, user: &str) -> StoreResult<Option<Account>> {
    let user = user.rsplit('\\').next().unwrap_or(user);
    match store.account(user).await? {
        Some(account) => Ok(Some(account)),
        None if user.contains('@') => store.account_by_address(user).await,
        None => Ok(None),
    }
}

/// The account of what NTLM calls user and domain.
pub(super) async fn of_ntlm(store: &dyn Store, user: &str, domain: &str) -> StoreResult<Option<Account>> {
    match of_user(store, user).await? {
        None if domain.contains('.') && !user.contains('@') => {
            store.account_by_address(&format!("{user}@{domain}")).await
        }
        found => Ok(found),
    }
}

/// The account of a principal of Kerberos. Whom another realm calls `anna` is not our `anna`, unless the address says
/// so.
pub(super) async fn of_principal(
    store: &dyn Store,
    keytab: &Keytab,
    name: &str,
    realm: &str,
) -> StoreResult<Option<Account>> {
    if let Some(account) = store.account_by_address(&format!("{name}@{realm}")).await? {
        return Ok(Some(account));
    }
    let of_realm = |principal: &str| principal.rsplit_once('@').is_some_and(|(_, own)| own == realm);
    if keytab.principals().any(of_realm) { store.account(name).await } else { Ok(None) }
}
