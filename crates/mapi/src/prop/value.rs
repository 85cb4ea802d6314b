use watertight_wire::{FileTime, Guid};

use crate::{MapiCode, PropType};

/// The value of a property — [MS-OXCDATA] 2.11.
#[derive(Debug, Clone, PartialEq)]
pub enum PropValue {
    /// PtypNull.
    Null,
    /// PtypInteger16.
    I16(i16),
    /// PtypInteger32.
    I32(i32),
    /// PtypFloating32.
    F32(f32),
    /// PtypFloating64.
    F64(f64),
    /// PtypCurrency: ten-thousandths.
    Currency(i64),
    /// PtypFloatingTime: days since 1899-12-30.
    FloatingTime(f64),
    /// PtypErrorCode.
    Error(MapiCode),
    /// PtypBoolean.
    Bool(bool),
    /// PtypObject: the bytes of the object where it has any here.
    Object(Vec<u8>),
    /// PtypInteger64.
    I64(i64),
    /// PtypString8, in the code page of its context, without terminator.
    String8(Vec<u8>),
    /// PtypString.
    Unicode(String),
    /// PtypTime.
    Time(FileTime),
    /// PtypGuid.
    Guid(Guid),
    /// PtypServerId.
    ServerId(Vec<u8>),
    /// PtypRestriction, as its bytes.
    Restriction(Vec<u8>),
    /// PtypRuleAction, as its bytes.
    RuleAction(Vec<u8>),
    /// PtypBinary.
    Binary(Vec<u8>),
    /// PtypMultipleInteger16.
    MvI16(Vec<i16>),
    /// PtypMultipleInteger32.
    MvI32(Vec<i32>),
    /// PtypMultipleFloating32.
    MvF32(Vec<f32>),
    /// PtypMultipleFloating64.
    MvF64(Vec<f64>),
    /// PtypMultipleCurrency.
    MvCurrency(Vec<i64>),
    /// PtypMultipleFloatingTime.
    MvFloatingTime(Vec<f64>),
    /// PtypMultipleInteger64.
    MvI64(Vec<i64>),
    /// PtypMultipleString8.
    MvString8(Vec<Vec<u8>>),
    /// PtypMultipleString.
    MvUnicode(Vec<String>),
    /// PtypMultipleTime.
    MvTime(Vec<FileTime>),
    /// PtypMultipleGuid.
    MvGuid(Vec<Guid>),
    /// PtypMultipleBinary.
    MvBinary(Vec<Vec<u8>>),
}

impl PropValue {
    /// The value's type.
    #[must_use]
    pub const fn ty(&self) -> PropType {
        match self {
            Self::Null => PropType::Null,
            Self::I16(_) => PropType::I16,
            Self::I32(_) => PropType::I32,
            Self::F32(_) => PropType::F32,
            Self::F64(_) => PropType::F64,
            Self::Currency(_) => PropType::Currency,
            Self::FloatingTime(_) => PropType::FloatingTime,
            Self::Error(_) => PropType::Error,
            Self::Bool(_) => PropType::Bool,
            Self::Object(_) => PropType::Object,
            Self::I64(_) => PropType::I64,
            Self::String8(_) => PropType::String8,
            Self::Unicode(_) => PropType::Unicode,
            Self::Time(_) => PropType::Time,
            Self::Guid(_) => PropType::Guid,
            Self::ServerId(_) => PropType::ServerId,
            Self::Restriction(_) => PropType::Restriction,
            Self::RuleAction(_) => PropType::RuleAction,
            Self::Binary(_) => PropType::Binary,
            Self::MvI16(_) => PropType::MvI16,
            Self::MvI32(_) => PropType::MvI32,
            Self::MvF32(_) => PropType::MvF32,
            Self::MvF64(_) => PropType::MvF64,
            Self::MvCurrency(_) => PropType::MvCurrency,
            Self::MvFloatingTime(_) => PropType::MvFloatingTime,
            Self::MvI64(_) => PropType::MvI64,
            Self::MvString8(_) => PropType::MvString8,
            Self::MvUnicode(_) => PropType::MvUnicode,
            Self::MvTime(_) => PropType::MvTime,
            Self::MvGuid(_) => PropType::MvGuid,
            Self::MvBinary(_) => PropType::MvBinary,
        }
    }
}

macro_rules! from {
    ($($ty:ty => $variant:ident),* $(,)?) => {$(
        impl From<$ty> for PropValue {
            fn from(value: $ty) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}
from! {
    i16 => I16, i32 => I32, i64 => I64, bool => Bool, f64 => F64, f32 => F32, String => Unicode,
    FileTime => Time, Guid => Guid, Vec<u8> => Binary, MapiCode => Error,
}

impl From<&str> for PropValue {
    fn from(value: &str) -> Self {
        Self::Unicode(value.to_owned())
    }
}
impl From<&[u8]> for PropValue {
    fn from(value: &[u8]) -> Self {
        Self::Binary(value.to_vec())
    }
}
