use watertight_mapi::{
    GlobCnt,
    store::{FolderId, FolderKind, SpecialFolder, StoreError, StoreResult},
};

/// The first counter that is given out for anything but a standard folder.
pub(crate) const FIRST_FREE_ID: u64 = 0x100;

/// The counter of a standard folder, the same in every mailbox: its place in [`SpecialFolder::ALL`], from 1.
pub(crate) fn id(folder: SpecialFolder) -> FolderId {
    let place = SpecialFolder::ALL.iter().position(|f| *f == folder).unwrap_or_default();
    FolderId(GlobCnt::new(watertight_wire::to_u64(place).saturating_add(1)).unwrap_or_default())
}

/// Whether the folder is one that every mailbox has.
pub(crate) fn is_standard(id: FolderId) -> bool {
    (1..=watertight_wire::to_u64(SpecialFolder::ALL.len())).contains(&id.0.value())
}

/// The kind of a standard folder.
pub(crate) fn kind(folder: SpecialFolder) -> FolderKind {
    match folder {
        SpecialFolder::Root => FolderKind::Root,
        _ => FolderKind::Generic,
    }
}

/// A counter, from a number that must fit one.
pub(crate) fn counter(value: u64) -> StoreResult<GlobCnt> {
    GlobCnt::new(value).ok_or_else(|| StoreError::Full("all counters of the mailbox are used up".to_owned()))
}
