use watertight_mapi::store::{Cursor, StoreError, StoreResult};
use watertight_wire::Reader;

/// A cursor that holds numbers.
pub(crate) fn numbers(numbers: &[u64]) -> Cursor {
    Cursor(numbers.iter().flat_map(|n| n.to_le_bytes()).collect())
}

/// The number of a cursor that holds one; `None` where there is no cursor.
pub(crate) fn one(cursor: Option<&Cursor>) -> StoreResult<Option<u64>> {
    let Some(Cursor(bytes)) = cursor else { return Ok(None) };
    match <[u8; 8]>::try_from(bytes.as_slice()) {
        Ok(bytes) => Ok(Some(u64::from_le_bytes(bytes))),
        Err(_) => Err(foreign()),
    }
}

/// The numbers of a cursor that holds two; `None` where there is no cursor.
pub(crate) fn two(cursor: Option<&Cursor>) -> StoreResult<Option<(u64, u64)>> {
    let Some(Cursor(bytes)) = cursor else { return Ok(None) };
    let mut r = Reader::new(bytes, "Cursor");
    let pair = (r.u64("first").map_err(|_| foreign())?, r.u64("second").map_err(|_| foreign())?);
    r.finish().map_err(|_| foreign())?;
    Ok(Some(pair))
}

/// The text of a cursor that holds one.
pub(crate) fn text(cursor: Option<&Cursor>) -> StoreResult<Option<&str>> {
    cursor.map(|Cursor(bytes)| std::str::from_utf8(bytes).map_err(|_| foreign())).transpose()
}

fn foreign() -> StoreError {
    StoreError::Invalid("the cursor is not one of this query".to_owned())
}
