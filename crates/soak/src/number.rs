//! Integers as numbers for statistics, and numbers as people read them.

/// The number; exact below 2^53.
pub(crate) fn float(n: u64) -> f64 {
    let low = u32::try_from(n & 0xffff_ffff).unwrap_or(0);
    let high = u32::try_from(n >> 32).unwrap_or(0);
    f64::from(high).mul_add(4_294_967_296.0, f64::from(low))
}

/// The same for what may be negative.
pub(crate) fn signed(n: i64) -> f64 {
    let size = float(n.unsigned_abs());
    if n < 0 { -size } else { size }
}

/// `1,234,567`
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in the unit that suits them: `813 B`, `1.4 KiB`, `12.0 MiB`.
pub(crate) fn bytes(n: f64) -> String {
    let units = [(1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1024.0, "KiB")];
    match units.iter().find(|(unit, _)| n.abs() >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", n / unit),
        None if n.abs() < 9.95 && n != n.round() => format!("{} B", small(n)),
        None => format!("{n:.0} B"),
    }
}

/// A small number with as many digits as mean something; a zero has no sign.
pub(crate) fn small(n: f64) -> String {
    let text = if n.abs() >= 99.95 {
        format!("{n:.0}")
    } else if n.abs() >= 9.95 {
        format!("{n:.1}")
    } else {
        format!("{n:.2}")
    };
    if text.trim_start_matches('-').bytes().all(|b| b == b'0' || b == b'.') {
        return if n == 0.0 { "0".to_owned() } else { text.trim_start_matches('-').to_owned() };
    }
    text
}

/// With its sign, always.
pub(crate) fn with_sign(text: String) -> String {
    match text.strip_prefix('-') {
        Some(rest) => format!("−{rest}"),
        None if text.starts_with('0') && !text.bytes().any(|b| (b'1'..=b'9').contains(&b)) => text,
        None => format!("+{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(20_000_000), "20,000,000");
        assert_eq!(bytes(813.0), "813 B");
        assert_eq!(bytes(1434.0), "1.4 KiB");
        assert_eq!(bytes(-3_145_728.0), "-3.0 MiB");
        assert_eq!(bytes(0.25), "0.25 B");
        assert_eq!(with_sign(small(-16.04)), "−16.0");
        assert_eq!(with_sign(small(0.0)), "0");
        assert_eq!(with_sign(small(-0.001)), "0.00");
        assert_eq!(with_sign(bytes(0.0)), "0 B");
        assert_eq!(with_sign(bytes(0.5)), "+0.50 B");
        assert_eq!(float(u64::MAX), 18_446_744_073_709_551_615.0);
        assert_eq!(signed(-5), -5.0);
    }
}
