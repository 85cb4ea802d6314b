/// Declares a packed structure as the specification's table: fields in order, sizes proven at compile time when a
/// size is given after the brace. Every field type implements [`Wire`](crate::Wire) or is an integer.
///
/// ```
/// use watertight_wire::{wire_struct, Wire};
/// wire_struct! {
///     /// RPC_HEADER_EXT — [MS-OXCRPC] 2.2.2.1
///     #[derive(Copy)]
///     pub struct Header {
///         /// Version
///         version: u16,
///         /// Flags
///         flags: u16,
///     } = 4
/// }
/// let header = Header { version: 0, flags: 4 };
/// assert_eq!(header.to_bytes().unwrap(), [0, 0, 4, 0]);
/// assert_eq!(Header::SIZE, 4);
/// ```
#[macro_export]
macro_rules! wire_struct {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$fmeta:meta])* $field:ident : $ty:ty),* $(,)?
    } = $size:literal) => {
        $crate::wire_struct! { $(#[$meta])* $vis struct $name { $($(#[$fmeta])* $field : $ty),* } }
        impl $name {
            /// Bytes on the wire.
            pub const SIZE: usize = $size;
        }
        const _: () = assert!(0 $(+ <$ty as $crate::FixedSize>::SIZE)* == $size, "the fields do not add up to the declared size");
        impl $crate::FixedSize for $name {
            const SIZE: usize = $size;
        }
    };
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$fmeta:meta])* $field:ident : $ty:ty),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $name { $($(#[$fmeta])* pub $field: $ty),* }
        impl $crate::Wire for $name {
            fn read(r: &mut $crate::Reader<'_>) -> Result<Self, $crate::WireError> {
                r.within(stringify!($name), |r| {
                    Ok(Self { $($field: <$ty as $crate::WireField>::read_field(r, stringify!($field))?),* })
                })
            }
            fn write(&self, w: &mut $crate::Writer) -> Result<(), $crate::WireError> {
                $(<$ty as $crate::WireField>::write_field(&self.$field, w)?;)*
                Ok(())
            }
        }
    };
}

/// Declares an open enumeration: named constants over a number, every other number kept as it came.
#[macro_export]
macro_rules! wire_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident : $repr:ident {
        $($(#[$vmeta:meta])* $variant:ident = $value:expr),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name(pub $repr);
        #[allow(non_upper_case_globals, reason = "the names are the specification's")]
        impl $name {
            $($(#[$vmeta])* pub const $variant: Self = Self($value);)*
            /// The name of the number in its specification, where it has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some(stringify!($variant)),)*
                    _ => None,
                }
            }
        }
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{name} ({:#x})", self.0),
                    None => write!(f, "{}({:#x})", stringify!($name), self.0),
                }
            }
        }
        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(self, f)
            }
        }
        $crate::wire_newtype!($name, $repr);
    };
}

/// Declares a set of named bits over a number; unknown bits are kept as they came.
#[macro_export]
macro_rules! wire_flags {
    ($(#[$meta:meta])* $vis:vis struct $name:ident : $repr:ident {
        $($(#[$vmeta:meta])* $flag:ident = $value:expr),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        $vis struct $name(pub $repr);
        #[allow(non_upper_case_globals, reason = "the names are the specification's")]
        impl $name {
            $($(#[$vmeta])* pub const $flag: Self = Self($value);)*
            /// Whether all bits of `other` are set.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }
            /// Whether any bit of `other` is set.
            #[must_use]
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }
            /// Without the bits of `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }
        }
        impl core::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}({:#x}", stringify!($name), self.0)?;
                $(if $value != 0 && self.contains(Self::$flag) { write!(f, " {}", stringify!($flag))?; })*
                write!(f, ")")
            }
        }
        $crate::wire_newtype!($name, $repr);
    };
}

/// Gives a newtype over a number its wire form.
#[macro_export]
macro_rules! wire_newtype {
    ($name:ident, $repr:ident) => {
        impl $crate::WireField for $name {
            fn read_field(
                r: &mut $crate::Reader<'_>,
                field: &'static str,
            ) -> Result<Self, $crate::WireError> {
                Ok(Self(r.$repr(field)?))
            }
            fn write_field(&self, w: &mut $crate::Writer) -> Result<(), $crate::WireError> {
                w.$repr(self.0);
                Ok(())
            }
        }
        impl $crate::FixedSize for $name {
            const SIZE: usize = size_of::<$repr>();
        }
    };
}
