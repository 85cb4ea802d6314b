//! Files with secrets in them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use crate::AuthError;

/// The contents of a file, when it is not longer than `most`.
pub(crate) fn read(path: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, AuthError> {
    let wrong = |source| AuthError::Io { what: format!("cannot read {}", path.display()), source };
    let file = File::open(path).map_err(wrong)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(wrong)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(AuthError::Credentials(format!("{} is too long", path.display())));
    }
    Ok(bytes)
}
