use std::any::Any;
use std::sync::Arc;

use watertight_wire::WireError;

use super::{Codec, Extent, NdrReader, NdrWriter, Syntax, get, put};

/// A unique pointer — C706 14.3.10: null, or a referent that nothing else points to.
#[derive(Debug, Clone, Copy)]
pub struct Unique<C>(C);

impl<T, C: Codec<T>> Codec<Option<T>> for Unique<C> {
    type Pending = bool;

    fn align(syntax: Syntax) -> usize {
        syntax.pointer_size()
    }

    fn least(syntax: Syntax) -> usize {
        syntax.pointer_size()
    }

    fn write(value: &Option<T>, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        w.pointer(value.is_some())
    }

    fn write_referents(value: &Option<T>, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        value.as_ref().map_or(Ok(()), |value| put::<C, T>(value, extent, w))
    }

    fn read(r: &mut NdrReader<'_>, _: Extent, _: u64) -> Result<bool, WireError> {
        Ok(r.count()? != 0)
    }

    fn read_referents(present: bool, r: &mut NdrReader<'_>, extent: Extent) -> Result<Option<T>, WireError> {
        if !present {
            return Ok(None);
        }
        r.deeper(|r| get::<C, T>(r, extent)).map(Some)
    }
}

/// A reference pointer inside a structure, a union or an array — C706 14.3.10: never null.
///
/// A reference pointer that is itself a parameter has no representation: its referent stands there.
#[derive(Debug, Clone, Copy)]
pub struct Ref<C>(C);

impl<T, C: Codec<T>> Codec<T> for Ref<C> {
    type Pending = ();

    fn align(syntax: Syntax) -> usize {
        syntax.pointer_size()
    }

    fn least(syntax: Syntax) -> usize {
        syntax.pointer_size()
    }

    fn write(_: &T, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        w.pointer(true)
    }

    fn write_referents(value: &T, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        put::<C, T>(value, extent, w)
    }

    fn read(r: &mut NdrReader<'_>, _: Extent, _: u64) -> Result<(), WireError> {
        match r.count()? {
            0 => Err(r.invalid(0_u8)),
            _ => Ok(()),
        }
    }

    fn read_referents((): (), r: &mut NdrReader<'_>, extent: Extent) -> Result<T, WireError> {
        r.deeper(|r| get::<C, T>(r, extent))
    }
}

/// A full pointer — C706 14.3.10: null, or a referent that others may point to as well. Pointers with one id share one
/// value; a value that contains itself is refused.
#[derive(Debug, Clone, Copy)]
pub struct Full<C>(C);

impl<T: Any + Send + Sync, C: Codec<T>> Codec<Option<Arc<T>>> for Full<C> {
    type Pending = u64;

    fn align(syntax: Syntax) -> usize {
        syntax.pointer_size()
    }

    fn least(syntax: Syntax) -> usize {
        syntax.pointer_size()
    }

    fn write(value: &Option<Arc<T>>, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        match value {
            Some(value) => w.full_pointer(Arc::as_ptr(value).addr()),
            None => w.pointer(false),
        }
    }

    fn write_referents(value: &Option<Arc<T>>, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        match value {
            Some(value) if w.full_referent(Arc::as_ptr(value).addr()) => put::<C, T>(value, extent, w),
            _ => Ok(()),
        }
    }

    fn read(r: &mut NdrReader<'_>, _: Extent, _: u64) -> Result<u64, WireError> {
        r.count()
    }

    fn read_referents(id: u64, r: &mut NdrReader<'_>, extent: Extent) -> Result<Option<Arc<T>>, WireError> {
        if id == 0 {
            return Ok(None);
        }
        r.full(id, |r| get::<C, T>(r, extent)).map(Some)
    }
}

/// A box, which has no representation of its own: a recursive type needs one in memory.
#[derive(Debug, Clone, Copy)]
pub struct Boxed<C>(C);

impl<T, C: Codec<T>> Codec<Box<T>> for Boxed<C> {
    type Pending = C::Pending;
    const CONFORMANT: bool = C::CONFORMANT;

    fn align(syntax: Syntax) -> usize {
        C::align(syntax)
    }

    fn least(syntax: Syntax) -> usize {
        C::least(syntax)
    }

    fn write_count(value: &Box<T>, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        C::write_count(value, extent, w)
    }

    fn write(value: &Box<T>, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        C::write(value, extent, w)
    }

    fn write_referents(value: &Box<T>, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        C::write_referents(value, extent, w)
    }

    fn read(r: &mut NdrReader<'_>, extent: Extent, count: u64) -> Result<C::Pending, WireError> {
        C::read(r, extent, count)
    }

    fn read_referents(
        pending: C::Pending,
        r: &mut NdrReader<'_>,
        extent: Extent,
    ) -> Result<Box<T>, WireError> {
        C::read_referents(pending, r, extent).map(Box::new)
    }
}
