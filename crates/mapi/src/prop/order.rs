//! How values of properties compare — [MS-OXCTABL] 3.2.5.2, [MS-OXCDATA] 2.12.5.

use core::cmp::Ordering;

use super::PropValue;

/// The order of two values as tables sort them and restrictions compare them: numbers by value whatever their
/// width, text without case, bytes and GUIDs by bytes, lists by their elements. `None` for types that do not compare.
#[must_use]
pub fn compare(a: &PropValue, b: &PropValue) -> Option<Ordering> {
    use PropValue as V;
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return Some(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (float(a), float(b)) {
        return a.partial_cmp(&b);
    }
    if let (Some(a), Some(b)) = (text(a), text(b)) {
        return Some(a.cmp(&b));
    }
    Some(match (a, b) {
        (V::Binary(a) | V::ServerId(a) | V::Object(a), V::Binary(b) | V::ServerId(b) | V::Object(b)) => {
            a.cmp(b)
        }
        (V::Time(a), V::Time(b)) => a.cmp(b),
        (V::Guid(a), V::Guid(b)) => a.cmp(b),
        (V::Null, V::Null) => Ordering::Equal,
        _ if a.ty().is_multi() && a.ty() == b.ty() => {
            let (a, b) = (elements(a), elements(b));
            for (a, b) in a.iter().zip(&b) {
                match compare(a, b)? {
                    Ordering::Equal => {}
                    other => return Some(other),
                }
            }
            a.len().cmp(&b.len())
        }
        _ => return None,
    })
}

/// The values of a list, each by itself; one value is a list of itself.
pub(crate) fn elements(value: &PropValue) -> Vec<PropValue> {
    use PropValue as V;
    match value {
        V::MvI16(v) => v.iter().copied().map(V::I16).collect(),
        V::MvI32(v) => v.iter().copied().map(V::I32).collect(),
        V::MvF32(v) => v.iter().copied().map(V::F32).collect(),
        V::MvF64(v) => v.iter().copied().map(V::F64).collect(),
        V::MvCurrency(v) => v.iter().copied().map(V::Currency).collect(),
        V::MvFloatingTime(v) => v.iter().copied().map(V::FloatingTime).collect(),
        V::MvI64(v) => v.iter().copied().map(V::I64).collect(),
        V::MvString8(v) => v.iter().cloned().map(V::String8).collect(),
        V::MvUnicode(v) => v.iter().cloned().map(V::Unicode).collect(),
        V::MvTime(v) => v.iter().copied().map(V::Time).collect(),
        V::MvGuid(v) => v.iter().copied().map(V::Guid).collect(),
        V::MvBinary(v) => v.iter().cloned().map(V::Binary).collect(),
        one => vec![one.clone()],
    }
}

fn integer(value: &PropValue) -> Option<i64> {
    match value {
        PropValue::I16(v) => Some(i64::from(*v)),
        PropValue::I32(v) => Some(i64::from(*v)),
        PropValue::I64(v) | PropValue::Currency(v) => Some(*v),
        PropValue::Bool(v) => Some(i64::from(*v)),
        PropValue::Error(v) => Some(i64::from(v.0)),
        _ => None,
    }
}

fn float(value: &PropValue) -> Option<f64> {
    match value {
        PropValue::F32(v) => Some(f64::from(*v)),
        PropValue::F64(v) | PropValue::FloatingTime(v) => Some(*v),
        _ => None,
    }
}

/// The text in lower case; bytes of a code page are read as Latin-1.
fn text(value: &PropValue) -> Option<String> {
    match value {
        PropValue::Unicode(v) => Some(v.to_lowercase()),
        PropValue::String8(v) => Some(v.iter().map(|&b| char::from(b)).collect::<String>().to_lowercase()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_by_value_text_without_case() {
        assert_eq!(compare(&5_i16.into(), &6_i64.into()), Some(Ordering::Less));
        assert_eq!(compare(&"Re".into(), &"rE".into()), Some(Ordering::Equal));
        assert_eq!(compare(&PropValue::String8(b"a".to_vec()), &"B".into()), Some(Ordering::Less));
        assert_eq!(compare(&"a".into(), &1_i32.into()), None);
        assert_eq!(
            compare(&PropValue::MvI32(vec![1, 2]), &PropValue::MvI32(vec![1])),
            Some(Ordering::Greater)
        );
    }
}
