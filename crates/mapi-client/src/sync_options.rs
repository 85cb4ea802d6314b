//! What a synchronization is asked for.

use watertight_mapi::PropTag;
use watertight_mapi::restriction::Restriction;
use watertight_mapi::rop::field::{List16, Restriction16};
use watertight_mapi::rop::sync::SynchronizationConfigureRequest;

/// What a contents synchronization is asked for — [MS-OXCFXICS] 2.2.3.2.1.1.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncOptions {
    /// Normal messages.
    pub normal: bool,
    /// FAI messages.
    pub fai: bool,
    /// Changes of read states.
    pub read_state: bool,
    /// Deletions.
    pub deletions: bool,
    /// The body in its best form instead of all forms (BestBody).
    pub best_body: bool,
    /// Newest delivery time first (OrderByDeliveryTime).
    pub order_by_delivery_time: bool,
    /// Messages of which only some properties changed may come in part (PartialItem).
    pub partial_items: bool,
    /// Properties that are left out, or with [`SyncOptions::only`] the only ones that are sent.
    pub properties: Vec<PropTag>,
    /// [`SyncOptions::properties`] says what is sent, not what is left out (OnlySpecifiedProperties).
    pub only: bool,
    /// Only messages that match (RestrictionData); those that matched before are reported as out of scope.
    pub restriction: Option<Restriction>,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            normal: true,
            fai: false,
            read_state: true,
            deletions: true,
            best_body: false,
            order_by_delivery_time: false,
            partial_items: false,
            properties: Vec::new(),
            only: false,
            restriction: None,
        }
    }
}

/// SynchronizationFlags and SynchronizationExtraFlags — [MS-OXCFXICS] 2.2.3.2.1.1.1.
mod flags {
    pub(super) const UNICODE: u16 = 0x0001;
    pub(super) const NO_DELETIONS: u16 = 0x0002;
    pub(super) const READ_STATE: u16 = 0x0008;
    pub(super) const FAI: u16 = 0x0010;
    pub(super) const NORMAL: u16 = 0x0020;
    pub(super) const ONLY_SPECIFIED_PROPERTIES: u16 = 0x0080;
    pub(super) const NO_FOREIGN_IDENTIFIERS: u16 = 0x0100;
    pub(super) const BEST_BODY: u16 = 0x2000;
    pub(super) const PROGRESS: u16 = 0x8000;
    pub(super) const EXTRA_EID: u32 = 0x01;
    pub(super) const EXTRA_MESSAGE_SIZE: u32 = 0x02;
    pub(super) const EXTRA_CN: u32 = 0x04;
    pub(super) const EXTRA_ORDER_BY_DELIVERY_TIME: u32 = 0x08;
    /// SendOptions — [MS-OXCFXICS] 2.2.3.1.1.1.2: Unicode, RecoverMode, ForceUnicode.
    pub(super) const SEND: u8 = 0x01 | 0x04 | 0x08;
    /// SendOptions: PartialItem.
    pub(super) const SEND_PARTIAL_ITEM: u8 = 0x10;
}

impl SyncOptions {
    fn flags(&self) -> u16 {
        let mut all = flags::UNICODE | flags::NO_FOREIGN_IDENTIFIERS | flags::PROGRESS;
        for (wanted, flag) in [
            (self.normal, flags::NORMAL),
            (self.fai, flags::FAI),
            (self.read_state, flags::READ_STATE),
            (!self.deletions, flags::NO_DELETIONS),
            (self.best_body, flags::BEST_BODY),
            (self.only, flags::ONLY_SPECIFIED_PROPERTIES),
        ] {
            if wanted {
                all |= flag;
            }
        }
        all
    }

    pub(crate) fn configure(&self) -> SynchronizationConfigureRequest {
        let order = if self.order_by_delivery_time { flags::EXTRA_ORDER_BY_DELIVERY_TIME } else { 0 };
        let partial = if self.partial_items { flags::SEND_PARTIAL_ITEM } else { 0 };
        SynchronizationConfigureRequest {
            output_index: 0,
            sync_type: 1,
            send_options: flags::SEND | partial,
            sync_flags: self.flags(),
            restriction: Restriction16(self.restriction.clone()),
            extra_flags: flags::EXTRA_EID | flags::EXTRA_MESSAGE_SIZE | flags::EXTRA_CN | order,
            tags: List16(self.properties.clone()),
        }
    }
}

/// What a hierarchy synchronization is asked for.
pub(crate) fn hierarchy() -> SynchronizationConfigureRequest {
    SynchronizationConfigureRequest {
        output_index: 0,
        sync_type: 2,
        send_options: flags::SEND,
        sync_flags: flags::UNICODE | flags::NO_FOREIGN_IDENTIFIERS | flags::PROGRESS,
        restriction: Restriction16(None),
        extra_flags: flags::EXTRA_EID | flags::EXTRA_CN,
        tags: List16(Vec::new()),
    }
}
