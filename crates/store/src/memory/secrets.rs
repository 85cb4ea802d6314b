//! What accounts sign in with.

use async_trait::async_trait;
use watertight_mapi::store::{NtHash, SecretKinds, Secrets, StoreError, StoreResult, Token, TokenHash};

use super::MemoryStore;
use crate::account::key;

const NO_ACCOUNT: StoreError = StoreError::NotFound("account");

#[async_trait]
impl Secrets for MemoryStore {
    async fn set_password(
        &self,
        name: &str,
        password_hash: &str,
        nt_hash: Option<NtHash>,
    ) -> StoreResult<()> {
        let accounts = &mut self.directory().accounts;
        let holder = accounts.get_mut(&key(name)).ok_or(NO_ACCOUNT)?;
        password_hash.clone_into(&mut holder.account.password_hash);
        holder.nt_hash = nt_hash;
        Ok(())
    }

    async fn nt_hash(&self, name: &str) -> StoreResult<Option<NtHash>> {
        Ok(self.directory().accounts.get(&key(name)).and_then(|holder| holder.nt_hash))
    }

    async fn add_token(&self, name: &str, hash: TokenHash, expires: i64, now: i64) -> StoreResult<()> {
        let accounts = &mut self.directory().accounts;
        if accounts.values().any(|holder| holder.tokens.contains_key(&hash.0)) {
            return Err(StoreError::Exists("the token".to_owned()));
        }
        let holder = accounts.get_mut(&key(name)).ok_or(NO_ACCOUNT)?;
        holder.tokens.retain(|_, token| token.expires >= now);
        holder.tokens.insert(hash.0, Token { account: key(name), expires });
        Ok(())
    }

    async fn token(&self, hash: TokenHash) -> StoreResult<Option<Token>> {
        Ok(self.directory().accounts.values().find_map(|holder| holder.tokens.get(&hash.0)).cloned())
    }

    async fn revoke_tokens(&self, name: &str) -> StoreResult<u64> {
        let accounts = &mut self.directory().accounts;
        let holder = accounts.get_mut(&key(name)).ok_or(NO_ACCOUNT)?;
        Ok(watertight_wire::to_u64(std::mem::take(&mut holder.tokens).len()))
    }

    async fn kinds(&self) -> StoreResult<SecretKinds> {
        let accounts = &self.directory().accounts;
        Ok(SecretKinds {
            nt_hashes: accounts.values().any(|holder| holder.nt_hash.is_some()),
            tokens: accounts.values().any(|holder| !holder.tokens.is_empty()),
        })
    }
}
