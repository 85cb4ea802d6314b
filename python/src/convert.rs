//! Values between Python and MAPI.

use jiff::Timestamp;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDateTime, PyFloat, PyInt, PyList, PyString, PyTuple};
use watertight_mail::{Key, PropValue, to_filetime};
use watertight_mapi::{PropName, PropType};
use watertight_wire::{FileTime, Guid};

/// A point in time as an aware `datetime` in UTC, to the microsecond.
pub(crate) fn datetime<'py>(py: Python<'py>, time: Timestamp) -> PyResult<Bound<'py, PyAny>> {
    let module = py.import("datetime")?;
    let utc = module.getattr("timezone")?.getattr("utc")?;
    let epoch = module.getattr("datetime")?.call1((1970, 1, 1, 0, 0, 0, 0, utc))?;
    let delta = module.getattr("timedelta")?.call1((0, 0, time.as_microsecond()))?;
    epoch.add(delta)
}

/// A `datetime` (a naive one is local time) or a `date` (its beginning, local time).
pub(crate) fn timestamp(value: &Bound<'_, PyAny>) -> PyResult<Timestamp> {
    let py = value.py();
    let module = py.import("datetime")?;
    let time = if value.cast::<PyDateTime>().is_ok() {
        value.clone()
    } else if value.is_instance(&module.getattr("date")?)? {
        let midnight = module.getattr("time")?.getattr("min")?;
        module.getattr("datetime")?.call_method1("combine", (value, midnight))?
    } else {
        return Err(PyTypeError::new_err("a datetime.datetime or datetime.date is needed"));
    };
    // In whole microseconds: a float of seconds has no room for them.
    let utc = module.getattr("timezone")?.getattr("utc")?;
    let aware = time.call_method1("astimezone", (&utc,))?;
    let epoch = module.getattr("datetime")?.call1((1970, 1, 1, 0, 0, 0, 0, utc))?;
    let since = aware.sub(epoch)?;
    let micros: i64 =
        since.call_method1("__floordiv__", (module.getattr("timedelta")?.call1((0, 0, 1))?,))?.extract()?;
    Timestamp::from_microsecond(micros).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn from_filetime<'py>(py: Python<'py>, time: FileTime) -> PyResult<Bound<'py, PyAny>> {
    match watertight_mail::from_filetime(time) {
        // Years beyond 9999 have no datetime.
        Some(time) if time.as_second() < 253_402_300_800 => datetime(py, time),
        _ => Ok(py.None().into_bound(py)),
    }
}

fn uuid<'py>(py: Python<'py>, guid: Guid) -> PyResult<Bound<'py, PyAny>> {
    py.import("uuid")?.getattr("UUID")?.call1((guid.to_string(),))
}

fn guid(value: &Bound<'_, PyAny>) -> PyResult<Guid> {
    value.str()?.to_string().parse().map_err(|_| PyValueError::new_err(format!("{value} is no GUID")))
}

/// The value of a property; `None` for those that have none here.
pub(crate) fn value<'py>(py: Python<'py>, value: &PropValue) -> PyResult<Bound<'py, PyAny>> {
    fn list<'py, T>(
        py: Python<'py>,
        values: &[T],
        one: impl Fn(&T) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let values = values.iter().map(one).collect::<PyResult<Vec<_>>>()?;
        Ok(PyList::new(py, values)?.into_any())
    }
    macro_rules! any {
        ($value:expr) => {
            Ok($value.into_pyobject(py)?.into_any())
        };
    }
    let bytes = |bytes: &Vec<u8>| -> PyResult<Bound<'py, PyAny>> { Ok(PyBytes::new(py, bytes).into_any()) };
    let currency = |amount: &i64| -> PyResult<Bound<'py, PyAny>> {
        let decimal = py.import("decimal")?.getattr("Decimal")?.call1((*amount,))?;
        decimal.call_method1("scaleb", (-4,))
    };
    match value {
        PropValue::I16(n) => any!(n),
        PropValue::I32(n) => any!(n),
        PropValue::I64(n) => any!(n),
        PropValue::F32(n) => any!(f64::from(*n)),
        PropValue::F64(n) | PropValue::FloatingTime(n) => any!(n),
        PropValue::Currency(amount) => currency(amount),
        PropValue::Bool(truth) => Ok(PyBool::new(py, *truth).to_owned().into_any()),
        PropValue::Unicode(text) => any!(text),
        PropValue::Time(time) => from_filetime(py, *time),
        PropValue::Guid(guid) => uuid(py, *guid),
        PropValue::String8(b)
        | PropValue::Binary(b)
        | PropValue::Object(b)
        | PropValue::ServerId(b)
        | PropValue::Restriction(b)
        | PropValue::RuleAction(b) => bytes(b),
        PropValue::MvI16(all) => list(py, all, |n| any!(n)),
        PropValue::MvI32(all) => list(py, all, |n| any!(n)),
        PropValue::MvI64(all) => list(py, all, |n| any!(n)),
        PropValue::MvF32(all) => list(py, all, |n| any!(f64::from(*n))),
        PropValue::MvF64(all) | PropValue::MvFloatingTime(all) => list(py, all, |n| any!(n)),
        PropValue::MvCurrency(all) => list(py, all, currency),
        PropValue::MvUnicode(all) => list(py, all, |text| any!(text)),
        PropValue::MvTime(all) => list(py, all, |time| from_filetime(py, *time)),
        PropValue::MvGuid(all) => list(py, all, |guid| uuid(py, *guid)),
        PropValue::MvString8(all) | PropValue::MvBinary(all) => list(py, all, bytes),
        // PtypNull, and codes of errors in place of a value.
        _ => Ok(py.None().into_bound(py)),
    }
}

/// The value that a Python object is, of this type where one is known.
pub(crate) fn prop_value(object: &Bound<'_, PyAny>, ty: PropType) -> PyResult<PropValue> {
    let wrong = || {
        let of = object.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!("a value of type {of} is none of {ty:?}"))
    };
    let ty = if ty == PropType::Unspecified { guessed(object).ok_or_else(wrong)? } else { ty };
    macro_rules! items {
        () => {
            object.try_iter().map_err(|_| wrong())?
        };
    }
    Ok(match ty {
        PropType::Bool => PropValue::Bool(object.extract()?),
        PropType::I16 => PropValue::I16(object.extract()?),
        PropType::I32 => PropValue::I32(object.extract()?),
        PropType::I64 => PropValue::I64(object.extract()?),
        PropType::F32 | PropType::F64 | PropType::FloatingTime => {
            let number: f64 = object.extract()?;
            match ty {
                PropType::F64 => PropValue::F64(number),
                PropType::FloatingTime => PropValue::FloatingTime(number),
                // There is no conversion that cannot lose something; Python's struct has the nearest.
                _ => PropValue::F32(nearest(object, number)?),
            }
        }
        PropType::Currency => {
            let decimal = object.py().import("decimal")?.getattr("Decimal")?.call1((object.str()?,))?;
            let scaled = decimal.call_method1("scaleb", (4,))?.call_method0("to_integral_value")?;
            PropValue::Currency(scaled.call_method0("__int__")?.extract()?)
        }
        PropType::Unicode => PropValue::Unicode(object.cast::<PyString>().map_err(|_| wrong())?.to_string()),
        PropType::String8 => PropValue::String8(bytes(object).ok_or_else(wrong)?),
        PropType::Binary => PropValue::Binary(bytes(object).ok_or_else(wrong)?),
        PropType::Object => PropValue::Object(bytes(object).ok_or_else(wrong)?),
        PropType::ServerId => PropValue::ServerId(bytes(object).ok_or_else(wrong)?),
        PropType::Time => PropValue::Time(to_filetime(timestamp(object)?)),
        PropType::Guid => PropValue::Guid(guid(object)?),
        PropType::MvUnicode => {
            PropValue::MvUnicode(items!().map(|item| item?.extract::<String>()).collect::<PyResult<_>>()?)
        }
        PropType::MvBinary => PropValue::MvBinary(
            items!().map(|item| bytes(&item?).ok_or_else(wrong)).collect::<PyResult<_>>()?,
        ),
        PropType::MvI16 => PropValue::MvI16(items!().map(|item| item?.extract()).collect::<PyResult<_>>()?),
        PropType::MvI32 => PropValue::MvI32(items!().map(|item| item?.extract()).collect::<PyResult<_>>()?),
        PropType::MvI64 => PropValue::MvI64(items!().map(|item| item?.extract()).collect::<PyResult<_>>()?),
        PropType::MvF64 => PropValue::MvF64(items!().map(|item| item?.extract()).collect::<PyResult<_>>()?),
        PropType::MvTime => PropValue::MvTime(
            items!().map(|item| Ok(to_filetime(timestamp(&item?)?))).collect::<PyResult<_>>()?,
        ),
        PropType::MvGuid => PropValue::MvGuid(items!().map(|item| guid(&item?)).collect::<PyResult<_>>()?),
        other => return Err(PyTypeError::new_err(format!("values of {other:?} cannot be set from Python"))),
    })
}

fn nearest(object: &Bound<'_, PyAny>, number: f64) -> PyResult<f32> {
    let module = object.py().import("struct")?;
    let packed: Vec<u8> = module.call_method1("pack", ("<f", number))?.extract()?;
    let bytes = packed.first_chunk::<4>().copied().unwrap_or_default();
    Ok(f32::from_le_bytes(bytes))
}

fn bytes(object: &Bound<'_, PyAny>) -> Option<Vec<u8>> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Some(bytes.as_bytes().to_vec());
    }
    // bytearray and memoryview, but no text and no number.
    if object.cast::<PyString>().is_ok() || object.cast::<PyInt>().is_ok() || object.cast::<PyList>().is_ok()
    {
        return None;
    }
    object.py().import("builtins").ok()?.call_method1("bytes", (object,)).ok()?.extract().ok()
}

/// The type that a Python object has by itself.
fn guessed(object: &Bound<'_, PyAny>) -> Option<PropType> {
    if object.cast::<PyBool>().is_ok() {
        return Some(PropType::Bool);
    }
    if object.cast::<PyInt>().is_ok() {
        return Some(if object.extract::<i32>().is_ok() { PropType::I32 } else { PropType::I64 });
    }
    if object.cast::<PyFloat>().is_ok() {
        return Some(PropType::F64);
    }
    if object.cast::<PyString>().is_ok() {
        return Some(PropType::Unicode);
    }
    if object.cast::<PyBytes>().is_ok() {
        return Some(PropType::Binary);
    }
    if object.cast::<PyDateTime>().is_ok() {
        return Some(PropType::Time);
    }
    match object.get_type().name().ok()?.to_string().as_str() {
        "UUID" => return Some(PropType::Guid),
        "Decimal" => return Some(PropType::Currency),
        "date" => return Some(PropType::Time),
        "bytearray" | "memoryview" => return Some(PropType::Binary),
        _ => {}
    }
    let first = object.try_iter().ok()?.next()?.ok()?;
    Some(match guessed(&first)? {
        PropType::I32 | PropType::I64 => {
            let all_short =
                object.try_iter().ok()?.all(|item| item.is_ok_and(|item| item.extract::<i32>().is_ok()));
            if all_short { PropType::MvI32 } else { PropType::MvI64 }
        }
        PropType::F64 => PropType::MvF64,
        PropType::Unicode => PropType::MvUnicode,
        PropType::Binary => PropType::MvBinary,
        PropType::Time => PropType::MvTime,
        PropType::Guid => PropType::MvGuid,
        _ => return None,
    })
}

/// Which property: its name, its tag, or the set and name of a named one.
pub(crate) fn key(object: &Bound<'_, PyAny>) -> PyResult<Key> {
    let raised = |error: watertight_mail::Error| PyValueError::new_err(error.text().to_owned());
    if let Ok(pair) = object.cast::<PyTuple>()
        && pair.len() == 2
    {
        let set = guid(&pair.get_item(0)?)?;
        let name = pair.get_item(1)?;
        return Ok(Key::Named(match name.extract::<u32>() {
            Ok(lid) => PropName::lid(set, lid),
            Err(_) => PropName::string(set, name.extract::<String>()?),
        }));
    }
    if let Ok(text) = object.cast::<PyString>() {
        return text.to_string().parse().map_err(raised);
    }
    if let Ok(number) = object.extract::<u64>() {
        return Key::try_from(number).map_err(raised);
    }
    Err(PyTypeError::new_err("a property is named by a text, a number, or a pair of a set's GUID and a name"))
}

/// Mail: bytes, or what Python's `email` package has.
pub(crate) fn mail(object: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Some(bytes) = bytes(object) {
        return Ok(bytes);
    }
    if let Ok(made) = object.call_method0("as_bytes") {
        return made.extract();
    }
    Err(PyTypeError::new_err("a mail is bytes or an email.message.EmailMessage"))
}
