use bitflags::bitflags;
use watertight_mapi::PropTag;
use watertight_mapi::ics::checkpoint::fingerprint;
use watertight_mapi::prop::tags;
use watertight_mapi::restriction::Restriction;
use watertight_mapi::rop::field::{List16, Restriction16};
use watertight_mapi::rop::sync::SynchronizationConfigureRequest;
use watertight_wire::Wire;

use super::ExportError;

bitflags! {
    /// What IExchangeExportChanges::Config is asked for, by the bits of EDKMDB.H. Strings always come as Unicode,
    /// whether SYNC_UNICODE and SYNC_FORCE_UNICODE are set or not.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct ExportFlags: u32 {
        /// SYNC_UNICODE: strings in Unicode.
        #[doc(alias = "SYNC_UNICODE")]
        const UNICODE = 0x1;
        /// SYNC_NO_DELETIONS: no deletions.
        #[doc(alias = "SYNC_NO_DELETIONS")]
        const NO_DELETIONS = 0x2;
        /// SYNC_NO_SOFT_DELETIONS: no messages that only left the scope of the restriction.
        #[doc(alias = "SYNC_NO_SOFT_DELETIONS")]
        const NO_SOFT_DELETIONS = 0x4;
        /// SYNC_READ_STATE: changes of read states.
        #[doc(alias = "SYNC_READ_STATE")]
        const READ_STATE = 0x8;
        /// SYNC_ASSOCIATED: FAI messages.
        #[doc(alias = "SYNC_ASSOCIATED")]
        const ASSOCIATED = 0x10;
        /// SYNC_NORMAL: normal messages.
        #[doc(alias = "SYNC_NORMAL")]
        const NORMAL = 0x20;
        /// SYNC_ONLY_SPECIFIED_PROPS: no properties but [`Export::include`].
        #[doc(alias = "SYNC_ONLY_SPECIFIED_PROPS")]
        const ONLY_SPECIFIED_PROPS = 0x80;
        /// SYNC_NO_FOREIGN_KEYS: source keys that the server makes. Always so.
        #[doc(alias = "SYNC_NO_FOREIGN_KEYS")]
        const NO_FOREIGN_KEYS = 0x100;
        /// SYNC_CATCHUP: nothing is exported; the state becomes that of a client that has everything.
        #[doc(alias = "SYNC_CATCHUP")]
        const CATCHUP = 0x400;
        /// SYNC_BEST_BODY: the body in its original format instead of all.
        #[doc(alias = "SYNC_BEST_BODY")]
        const BEST_BODY = 0x2000;
        /// SYNC_IGNORE_SPECIFIED_ON_ASSOCIATED: with ONLY_SPECIFIED_PROPS, FAI messages whole.
        #[doc(alias = "SYNC_IGNORE_SPECIFIED_ON_ASSOCIATED")]
        const IGNORE_SPECIFIED_ON_ASSOCIATED = 0x4000;
        /// SYNC_PROGRESS_MODE: the stream says how much follows. Always so.
        #[doc(alias = "SYNC_PROGRESS_MODE")]
        const PROGRESS_MODE = 0x8000;
        /// SYNC_FXRECOVERMODE: an object that the server cannot read costs that object, not the export. Always so.
        #[doc(alias = "SYNC_FXRECOVERMODE")]
        const FX_RECOVER_MODE = 0x1_0000;
        /// SYNC_FORCE_UNICODE: strings in Unicode, those too that are stored otherwise.
        #[doc(alias = "SYNC_FORCE_UNICODE")]
        const FORCE_UNICODE = 0x4_0000;
    }
}

impl Default for ExportFlags {
    /// Normal messages, deletions and read states.
    fn default() -> Self {
        Self::UNICODE | Self::NORMAL | Self::READ_STATE
    }
}

/// What an exporter is configured with.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The flags. Of a hierarchy only those about deletions and SYNC_CATCHUP mean something.
    pub flags: ExportFlags,
    /// Only messages that match. A state belongs to its restriction; another one begins anew.
    pub restriction: Option<Restriction>,
    /// With SYNC_ONLY_SPECIFIED_PROPS the properties that come.
    pub include: Vec<PropTag>,
    /// Without it the properties that do not come.
    pub exclude: Vec<PropTag>,
    /// Newest delivery first.
    pub newest_first: bool,
    /// About how many bytes of a message one step hands over before it ends (`ulBufferSize`).
    pub buffer_size: usize,
}

impl Default for Export {
    fn default() -> Self {
        Self {
            flags: ExportFlags::default(),
            restriction: None,
            include: Vec::new(),
            exclude: Vec::new(),
            newest_first: false,
            buffer_size: 64 * 1024,
        }
    }
}

impl Export {
    /// What the flags ask for, and nothing else.
    #[must_use]
    pub fn of(flags: ExportFlags) -> Self {
        Self { flags, ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<(), ExportError> {
        let unknown = self.flags.difference(ExportFlags::all());
        if !unknown.is_empty() {
            return Err(ExportError::UnknownFlags(unknown.bits()));
        }
        let only = self.flags.contains(ExportFlags::ONLY_SPECIFIED_PROPS);
        if only && !self.exclude.is_empty() {
            return Err(ExportError::Parameter("properties to leave out, with SYNC_ONLY_SPECIFIED_PROPS"));
        }
        if !only && !self.include.is_empty() {
            return Err(ExportError::Parameter("properties to include, without SYNC_ONLY_SPECIFIED_PROPS"));
        }
        Ok(())
    }

    /// What stands in the state for the restriction.
    pub(super) fn restriction_print(&self) -> Result<u64, ExportError> {
        let Some(restriction) = &self.restriction else { return Ok(0) };
        let bytes = restriction.to_bytes().map_err(crate::Error::from)?;
        // 0 stands for none.
        Ok(fingerprint(&bytes).max(1))
    }

    pub(super) const fn catches_up(&self) -> bool {
        self.flags.contains(ExportFlags::CATCHUP)
    }

    /// The bits that RopSynchronizationConfigure knows — [MS-OXCFXICS] 2.2.3.2.1.1.1: the low sixteen are the same.
    fn sync_flags(&self) -> u16 {
        let flags = self.flags.difference(ExportFlags::CATCHUP)
            | ExportFlags::UNICODE
            | ExportFlags::NO_FOREIGN_KEYS
            | ExportFlags::PROGRESS_MODE;
        let [low, high, _, _] = flags.bits().to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    pub(super) fn contents(&self) -> SynchronizationConfigureRequest {
        let only = ExportFlags::ONLY_SPECIFIED_PROPS;
        let (mut sync_flags, mut tags) = (self.sync_flags(), self.exclude.clone());
        if self.flags.contains(only) {
            tags.clone_from(&self.include);
        }
        if self.catches_up() {
            // As little of each message as there can be.
            sync_flags = Self {
                flags: (self.flags - ExportFlags::IGNORE_SPECIFIED_ON_ASSOCIATED) | only,
                ..self.clone()
            }
            .sync_flags();
            tags = vec![tags::MESSAGE_CLASS];
        }
        SynchronizationConfigureRequest {
            output_index: 0,
            sync_type: 1,
            send_options: SEND,
            sync_flags,
            restriction: Restriction16(self.restriction.clone()),
            extra_flags: EXTRA | if self.newest_first { EXTRA_ORDER_BY_DELIVERY_TIME } else { 0 },
            tags: List16(tags),
        }
    }

    pub(super) fn hierarchy(&self) -> SynchronizationConfigureRequest {
        let deletions = ExportFlags::NO_DELETIONS | ExportFlags::NO_SOFT_DELETIONS;
        let flags = Self { flags: self.flags & deletions, ..self.clone() }.sync_flags();
        SynchronizationConfigureRequest {
            output_index: 0,
            sync_type: 2,
            send_options: SEND,
            sync_flags: flags,
            restriction: Restriction16(None),
            extra_flags: EXTRA & !EXTRA_MESSAGE_SIZE,
            tags: List16(self.exclude.clone()),
        }
    }
}

/// SendOptions — [MS-OXCFXICS] 2.2.3.1.1.1.2: Unicode, RecoverMode, ForceUnicode.
const SEND: u8 = 0x01 | 0x04 | 0x08;
/// SynchronizationExtraFlags: Eid, MessageSize, CN.
const EXTRA: u32 = 0x01 | EXTRA_MESSAGE_SIZE | 0x04;
const EXTRA_MESSAGE_SIZE: u32 = 0x02;
const EXTRA_ORDER_BY_DELIVERY_TIME: u32 = 0x08;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_those_of_the_wire() {
        let whole = Export::of(ExportFlags::default());
        assert_eq!(whole.contents().sync_flags, 0x8129);
        assert_eq!(whole.hierarchy().sync_flags, 0x8101);
        let best =
            Export::of(ExportFlags::BEST_BODY | ExportFlags::ASSOCIATED | ExportFlags::NO_SOFT_DELETIONS);
        assert_eq!(best.contents().sync_flags, 0xA115);
        let catch_up = Export::of(ExportFlags::default() | ExportFlags::CATCHUP).contents();
        assert_eq!((catch_up.sync_flags, catch_up.tags.0), (0x81A9, vec![tags::MESSAGE_CLASS]));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let selective = Export::of(ExportFlags::from_bits_retain(0x1020));
        assert_eq!(selective.check().unwrap_err().to_string(), "unknown flags 0x1000");
        let mut export = Export { include: vec![tags::SUBJECT], ..Export::default() };
        assert!(matches!(export.check(), Err(ExportError::Parameter(_))));
        export.flags |= ExportFlags::ONLY_SPECIFIED_PROPS;
        export.check().unwrap();
        export.exclude.push(tags::SUBJECT);
        assert!(matches!(export.check(), Err(ExportError::Parameter(_))));
    }
}
