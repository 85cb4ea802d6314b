use watertight_mapi::{
    GlobCnt,
    store::{FolderId, FolderKind, MailboxKind, SpecialFolder, StoreError, StoreResult},
};

/// The first counter that is given out for anything but a standard folder.
pub(crate) const FIRST_FREE_ID: u64 = 0x100;

/// The counter of a standard folder, the same in every mailbox that has it: its place in [`SpecialFolder::ALL`], from
/// 1, and those that only public folders have behind.
pub(crate) fn id(folder: SpecialFolder) -> FolderId {
    let place = all().position(|f| f == folder).unwrap_or_default();
    FolderId(GlobCnt::new(watertight_wire::to_u64(place).saturating_add(1)).unwrap_or_default())
}

/// All standard folders that there are.
fn all() -> impl Iterator<Item = SpecialFolder> {
    let public = SpecialFolder::PUBLIC.into_iter().filter(|f| !SpecialFolder::ALL.contains(f));
    SpecialFolder::ALL.into_iter().chain(public)
}

/// Whether the folder is one that every mailbox of its kind has.
pub(crate) fn is_standard(id: FolderId) -> bool {
    (1..=watertight_wire::to_u64(all().count())).contains(&id.0.value())
}

/// The name of a standard folder in a new mailbox of a kind.
pub(crate) fn name(folder: SpecialFolder, kind: MailboxKind) -> &'static str {
    match (folder, kind) {
        (SpecialFolder::IpmSubtree, MailboxKind::Public) => "IPM_SUBTREE",
        (folder, _) => folder.display_name(),
    }
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
