use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use watertight_mapi::{PropTag, PropValue, prop::tags, store::MessageContent};
use watertight_wire::FileTime;

use crate::{Conversion, Convert, SyncError, SyncResult, adopt::mail::Normal, disk::Disk, spool::Spool};

/// Writes a message as a mail file with its delivery time.
pub(crate) fn to_file(
    disk: &Disk,
    convert: &dyn Convert,
    content: &MessageContent,
    spool: &Spool,
    path: &Path,
) -> SyncResult<Conversion> {
    for attempt in 0..ATTEMPTS {
        let mut out = BufWriter::with_capacity(64 * 1024, disk.create(path)?);
        let conversion = convert
            .convert(content, spool, attempt, &mut out)
            .and_then(|c| out.flush().map(|()| c))
            .map_err(|e| SyncError::io("write", path, e))?;
        let file = out.into_inner().map_err(|e| SyncError::io("write", path, e.into_error()))?;
        if matches!(conversion, Conversion::Again) {
            continue;
        }
        if matches!(conversion, Conversion::Done { .. }) {
            let time = delivered(content);
            disk.set_mtime(&file, path, time.to_unix_seconds(), time.subsec_nanos())?;
        }
        return Ok(conversion);
    }
    Ok(Conversion::Impossible("every attempt to convert it failed".to_owned()))
}

/// How often a conversion may ask for another attempt.
const ATTEMPTS: u32 = 4;

/// The digests that the message's file would have: of its bytes, and of what it says.
pub(crate) fn to_digests(
    convert: &dyn Convert,
    content: &MessageContent,
    spool: &Spool,
) -> SyncResult<(Conversion, Vec<u8>, Vec<u8>)> {
    for attempt in 0..ATTEMPTS {
        let mut out = Both(Hasher(Sha256::new()), Normal::default());
        let conversion = convert
            .convert(content, spool, attempt, &mut out)
            .map_err(|e| SyncError::io("read", Path::new("a large value"), e))?;
        if !matches!(conversion, Conversion::Again) {
            return Ok((conversion, out.0.0.finalize().to_vec(), out.1.digest()));
        }
    }
    let failed = Conversion::Impossible("every attempt to convert it failed".to_owned());
    Ok((failed, Vec::new(), Vec::new()))
}

/// The digest of a file.
pub(crate) fn digest_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut out = Hasher(Sha256::new());
    io::copy(&mut File::open(path)?, &mut out)?;
    Ok(out.0.finalize().to_vec())
}

/// Whether two files have the same bytes.
pub(crate) fn same(a: &Path, b: &Path) -> io::Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        left.clear();
        right.clear();
        let n = Read::by_ref(&mut a).take(64 * 1024).read_to_end(&mut left)?;
        Read::by_ref(&mut b).take(64 * 1024).read_to_end(&mut right)?;
        if left != right {
            return Ok(false);
        }
        if n == 0 {
            return Ok(true);
        }
    }
}

/// PidTagMessageDeliveryTime; for a message that has none when it was submitted, last modified or made; else 1970.
pub(crate) fn delivered(content: &MessageContent) -> FileTime {
    let time = |tag: PropTag| match content.props.get(tag) {
        Some(PropValue::Time(time)) => Some(*time),
        _ => None,
    };
    [tags::MESSAGE_DELIVERY_TIME, tags::CLIENT_SUBMIT_TIME, tags::LAST_MODIFICATION_TIME, tags::CREATION_TIME]
        .into_iter()
        .find_map(time)
        .filter(|t| t.to_unix_seconds() >= 0)
        .unwrap_or_else(|| FileTime::from_unix_seconds(0))
}

struct Both(Hasher, Normal);

impl Write for Both {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
