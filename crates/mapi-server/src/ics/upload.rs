use watertight_mapi::{MapiCode, PropTag, ics::State};

use watertight_wire::to_usize;

/// Bytes of one property of a state: that of a folder of a million scattered messages has 3 MiB.
const MAX_BLOB: usize = 16 * 1024 * 1024;

/// The state that a client uploads before it downloads — [MS-OXCFXICS] 3.2.5.9.2.
#[derive(Debug, Default)]
pub(super) struct Upload {
    pub(super) state: State,
    open: Option<(PropTag, Vec<u8>)>,
}

impl Upload {
    /// RopSynchronizationUploadStateStreamBegin. Nothing is reserved for the size that it announces.
    ///
    /// # Errors
    /// A property that is not of the state, or beyond all bounds; one that is open already.
    pub(super) fn begin(&mut self, tag: PropTag, size: u32) -> Result<(), MapiCode> {
        if self.open.is_some() {
            return Err(MapiCode::NotSupported);
        }
        if !State::TAGS.iter().any(|known| known.id() == tag.id()) || to_usize(size) > MAX_BLOB {
            return Err(MapiCode::InvalidParameter);
        }
        self.open = Some((tag, Vec::new()));
        Ok(())
    }

    /// RopSynchronizationUploadStateStreamContinue.
    ///
    /// # Errors
    /// No property is open, or it would be beyond all bounds.
    pub(super) fn more(&mut self, bytes: &[u8]) -> Result<(), MapiCode> {
        let Some((_, blob)) = &mut self.open else { return Err(MapiCode::NotSupported) };
        if blob.len().saturating_add(bytes.len()) > MAX_BLOB {
            return Err(MapiCode::InvalidParameter);
        }
        blob.extend_from_slice(bytes);
        Ok(())
    }

    /// RopSynchronizationUploadStateStreamEnd.
    ///
    /// # Errors
    /// No property is open; [`MapiCode::RpcFormat`] for bytes that are not an IDSET (3.1.5.4.3.2).
    pub(super) fn end(&mut self) -> Result<(), MapiCode> {
        let Some((tag, blob)) = self.open.take() else { return Err(MapiCode::NotSupported) };
        self.state.set(tag, &blob).map_err(|_| MapiCode::RpcFormat)?;
        Ok(())
    }

    /// Bytes that it holds.
    pub(super) fn held(&self) -> usize {
        self.open.as_ref().map_or(0, |(_, blob)| blob.len())
    }
}
