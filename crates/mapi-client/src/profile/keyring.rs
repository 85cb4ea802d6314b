//! Passwords in the keyring of the user's session: the Secret Service of freedesktop.org, over D-Bus.
//!
//! Others see them as `secret-tool lookup service watertight account anna@example.org` does. They travel encrypted
//! (`dh-ietf1024-sha256-aes128-cbc-pkcs7`), so that no log of the bus shows one.

use std::future::Future;
use std::time::Duration;

use watertight_mapi::MapiCode;
use zeroize::Zeroizing;

use crate::mapi::error::MapiError;

/// Nobody takes longer to unlock a keyring.
const PATIENCE: Duration = Duration::from_secs(120);
/// What helps where there is no keyring.
const WITHOUT: &str = "use password_file or password_command; a keyring needs a desktop session, or gnome-keyring-daemon \
                       in a D-Bus session";

/// The keyring of the user's session.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Keyring;

impl Keyring {
    /// The password that is kept for an account ([`Profile::keyring_account`](crate::Profile::keyring_account)).
    ///
    /// # Errors
    /// MAPI_E_NOT_FOUND when there is none, MAPI_E_NO_SUPPORT when there is no keyring, MAPI_E_USER_CANCEL when it
    /// stays locked, MAPI_E_UNCONFIGURED for the rest.
    pub async fn password(account: &str) -> Result<Zeroizing<String>, MapiError> {
        let found = in_time(service::password(account)).await?;
        found.ok_or_else(|| {
            let text = format!("the keyring has no password for {account}");
            MapiError::new(
                MapiCode::NotFound,
                text,
                "put it there: watertight login ADDRESS --keyring --replace",
            )
        })
    }

    /// Keeps a password for an account, in place of one that is there.
    ///
    /// # Errors
    /// As [`Keyring::password`].
    pub async fn keep(account: &str, password: &str) -> Result<(), MapiError> {
        in_time(service::keep(account, password)).await
    }
}

async fn in_time<T>(what: impl Future<Output = Result<T, MapiError>>) -> Result<T, MapiError> {
    tokio::time::timeout(PATIENCE, what).await.unwrap_or_else(|_| {
        let text = format!("the keyring did not answer within {} s", PATIENCE.as_secs());
        Err(MapiError::new(MapiCode::Timeout, text, "unlock it, and try again"))
    })
}

/// With D-Bus.
#[cfg(feature = "keyring")]
mod service {
    use std::collections::HashMap;

    use secret_service::{Collection, EncryptionType, Error, SecretService};

    use super::{MapiCode, MapiError, WITHOUT, Zeroizing};

    fn attributes(account: &str) -> HashMap<&str, &str> {
        HashMap::from([("service", "watertight"), ("account", account)])
    }

    pub(super) async fn password(account: &str) -> Result<Option<Zeroizing<String>>, MapiError> {
        let service = connect().await?;
        let found = service.search_items(attributes(account)).await.map_err(failed)?;
        let Some(item) = found.unlocked.first().or(found.locked.first()) else { return Ok(None) };
        item.unlock().await.map_err(failed)?;
        let secret = Zeroizing::new(item.get_secret().await.map_err(failed)?);
        let text = std::str::from_utf8(&secret).map_err(|_| {
            MapiError::new(
                MapiCode::CorruptData,
                "what the keyring has is no text",
                "put the password there again",
            )
        })?;
        Ok(Some(Zeroizing::new(text.to_owned())))
    }

    pub(super) async fn keep(account: &str, password: &str) -> Result<(), MapiError> {
        let service = connect().await?;
        let collection = lasting(&service).await.map_err(failed)?;
        collection.unlock().await.map_err(failed)?;
        let label = format!("Watertight: {account}");
        let (secret, replace) = (password.as_bytes(), true);
        collection
            .create_item(&label, attributes(account), secret, replace, "text/plain")
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn connect() -> Result<SecretService<'static>, MapiError> {
        SecretService::connect(EncryptionType::Dh).await.map_err(|error| {
            tracing::debug!(%error, "no Secret Service");
            let text = "there is no keyring: no Secret Service answers in this session";
            MapiError::new(MapiCode::NotSupported, text, WITHOUT)
        })
    }

    /// The collection that is the user's choice; one that is gone with the session is none.
    async fn lasting<'a>(service: &'a SecretService<'_>) -> Result<Collection<'a>, Error> {
        match service.get_default_collection().await {
            Err(Error::NoResult) => service.create_collection("Default keyring", "default").await,
            found => found,
        }
    }

    fn failed(error: Error) -> MapiError {
        match error {
            Error::Locked | Error::Prompt | Error::PromptDisconnected => {
                MapiError::new(MapiCode::UserCancel, "the keyring stays locked", "unlock it, and try again")
            }
            other => {
                let text = format!("the keyring does not do what it is asked ({other})");
                MapiError::new(MapiCode::UnconfiguredLogon, text, WITHOUT)
            }
        }
    }
}

/// Without D-Bus.
#[cfg(not(feature = "keyring"))]
mod service {
    use super::{MapiCode, MapiError, WITHOUT, Zeroizing};

    #[expect(clippy::unused_async, reason = "the same as where there is a keyring")]
    pub(super) async fn password(_: &str) -> Result<Option<Zeroizing<String>>, MapiError> {
        Err(none())
    }

    #[expect(clippy::unused_async, reason = "the same as where there is a keyring")]
    pub(super) async fn keep(_: &str, _: &str) -> Result<(), MapiError> {
        Err(none())
    }

    fn none() -> MapiError {
        MapiError::new(MapiCode::NotSupported, "this program was built without a keyring", WITHOUT)
    }
}
