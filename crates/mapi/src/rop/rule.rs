//! Permission and rule ROPs — [MS-OXCROPS] 2.2.10, 2.2.11.

use watertight_wire::wire_struct;

use super::field::{Bytes16, FlaggedRow, List16};

wire_struct! {
    /// RopModifyPermissions request — [MS-OXCROPS] 2.2.10.1.
    pub struct ModifyPermissionsRequest {
        /// ModifyFlags.
        flags: u8,
        /// PermissionsData.
        rows: List16<FlaggedRow>,
    }
}

wire_struct! {
    /// RopGetPermissionsTable request — [MS-OXCROPS] 2.2.10.2.
    pub struct GetPermissionsTableRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// TableFlags.
        table_flags: u8,
    }
}

wire_struct! {
    /// RopModifyRules request — [MS-OXCROPS] 2.2.11.1.
    pub struct ModifyRulesRequest {
        /// ModifyRulesFlags.
        flags: u8,
        /// RulesData.
        rows: List16<FlaggedRow>,
    }
}

wire_struct! {
    /// RopGetRulesTable request — [MS-OXCROPS] 2.2.11.2.
    pub struct GetRulesTableRequest {
        /// OutputHandleIndex.
        output_index: u8,
        /// TableFlags.
        table_flags: u8,
    }
}

wire_struct! {
    /// RopUpdateDeferredActionMessages request — [MS-OXCROPS] 2.2.11.3.
    pub struct UpdateDeferredActionMessagesRequest {
        /// ServerEntryId.
        server_entry_id: Bytes16,
        /// ClientEntryId.
        client_entry_id: Bytes16,
    }
}
