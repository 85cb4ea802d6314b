use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, PasswordHash};

/// Hashes a password for [`Account::password_hash`](watertight_mapi::store::Account): Argon2id, a random salt, as a
/// PHC string.
///
/// # Errors
/// When the machine gives no random numbers, or the password is longer than Argon2 takes (4 GiB).
pub fn hash_password(password: &str) -> std::io::Result<String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(std::io::Error::other)?;
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(std::io::Error::other)?;
    Ok(hash.to_string())
}

/// What NTLM needs of a password, for [`Secrets::set_password`](watertight_mapi::store::Secrets::set_password).
#[must_use]
pub fn nt_hash(password: &str) -> watertight_mapi::store::NtHash {
    watertight_mapi::store::NtHash(*watertight_auth::NtHash::of_password(password).as_bytes())
}

/// Whether the password is the one of the hash. A hash that cannot be read is nobody's.
pub(super) fn verify(password: &str, hash: &str) -> bool {
    PasswordVerifier::<str>::verify_password(&Argon2::default(), password.as_bytes(), hash).is_ok()
}

/// A hash that no password has, as costly to check as any other.
pub(super) fn of_nobody() -> String {
    let mut password = [0; 16];
    // If there are no random numbers this hash is that of zeros, and no account has it.
    let _ = getrandom::fill(&mut password);
    hash_password(&format!("{:x}", u128::from_le_bytes(password))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_salted_phc_strings() {
        let (a, b) = (hash_password("sesame").unwrap(), hash_password("sesame").unwrap());
        assert!(a.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{a}");
        assert_ne!(a, b);
        assert!(verify("sesame", &a) && verify("sesame", &b));
        assert!(!verify("Sesame", &a));
        assert!(!verify("sesame", "plain text"));
        assert!(!verify("", ""));
        assert!(of_nobody().len() > 50);
    }
}
