use watertight_wire::wire_enum;

wire_enum! {
    /// Property data types — [MS-OXCDATA] 2.11.1.
    pub enum PropType: u16 {
        /// PtypUnspecified: any type (in requests only).
        Unspecified = 0x0000,
        /// PtypNull.
        Null = 0x0001,
        /// PtypInteger16.
        I16 = 0x0002,
        /// PtypInteger32.
        I32 = 0x0003,
        /// PtypFloating32.
        F32 = 0x0004,
        /// PtypFloating64.
        F64 = 0x0005,
        /// PtypCurrency.
        Currency = 0x0006,
        /// PtypFloatingTime.
        FloatingTime = 0x0007,
        /// PtypErrorCode.
        Error = 0x000A,
        /// PtypBoolean.
        Bool = 0x000B,
        /// PtypObject or PtypEmbeddedTable.
        Object = 0x000D,
        /// PtypInteger64.
        I64 = 0x0014,
        /// PtypString8.
        String8 = 0x001E,
        /// PtypString.
        Unicode = 0x001F,
        /// PtypTime.
        Time = 0x0040,
        /// PtypGuid.
        Guid = 0x0048,
        /// PtypServerId.
        ServerId = 0x00FB,
        /// PtypRestriction.
        Restriction = 0x00FD,
        /// PtypRuleAction.
        RuleAction = 0x00FE,
        /// PtypBinary.
        Binary = 0x0102,
        /// PtypMultipleInteger16.
        MvI16 = 0x1002,
        /// PtypMultipleInteger32.
        MvI32 = 0x1003,
        /// PtypMultipleFloating32.
        MvF32 = 0x1004,
        /// PtypMultipleFloating64.
        MvF64 = 0x1005,
        /// PtypMultipleCurrency.
        MvCurrency = 0x1006,
        /// PtypMultipleFloatingTime.
        MvFloatingTime = 0x1007,
        /// PtypMultipleInteger64.
        MvI64 = 0x1014,
        /// PtypMultipleString8.
        MvString8 = 0x101E,
        /// PtypMultipleString.
        MvUnicode = 0x101F,
        /// PtypMultipleTime.
        MvTime = 0x1040,
        /// PtypMultipleGuid.
        MvGuid = 0x1048,
        /// PtypMultipleBinary.
        MvBinary = 0x1102,
    }
}

impl PropType {
    /// The MultivalueFlag bit.
    pub const MULTI: u16 = 0x1000;
    /// The MultivalueInstance bit, set with [`PropType::MULTI`] in table columns.
    pub const INSTANCE: u16 = 0x2000;

    /// Whether values of the type are lists.
    #[must_use]
    pub const fn is_multi(self) -> bool {
        self.0 & Self::MULTI != 0
    }
}
