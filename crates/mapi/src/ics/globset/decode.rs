use watertight_wire::{Reader, WireError, WireErrorKind};

use super::GlobSet;
use crate::GlobCnt;

/// The common byte stack — [MS-OXCFXICS] 3.1.5.4.3.2: the high-order bytes that the next counters share.
#[derive(Default)]
struct CommonBytes {
    bytes: [u8; 6],
    len: usize,
    /// How many bytes each Push that is not popped yet has put on.
    pushes: [usize; 6],
    depth: usize,
}

impl GlobSet {
    /// Reads a set up to and with its End command — [MS-OXCFXICS] 3.1.5.4.3.2 Decoding.
    ///
    /// # Errors
    /// A command that is unknown, or not allowed with what is on the common byte stack; bytes left on the stack at
    /// the end; a range whose low value is above its high value; truncation. Memory stays below 27 times the bytes.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("GLOBSET", |r| {
            let mut ranges = Vec::new();
            let mut stack = CommonBytes::default();
            loop {
                let at = r.clone();
                match r.u8("Command")? {
                    0x00 if stack.len == 0 => return Ok(Self::from_ranges(ranges)),
                    n @ 0x01..=0x06 => {
                        let bytes = r.bytes(usize::from(n), "CommonBytes")?;
                        if !stack.push(bytes) {
                            return Err(at.invalid("CommonBytes", n));
                        }
                        if stack.len == 6 {
                            let counter = stack.counter(&[]);
                            ranges.push((counter, counter));
                            stack.pop();
                        }
                    }
                    0x42 if stack.len == 5 => {
                        let start = r.u8("StartingValue")?;
                        let mask = r.u8("Bitmask")?;
                        ranges.push((stack.counter(&[start]), stack.counter(&[start])));
                        for bit in (0..8_u8).filter(|bit| mask & (1 << bit) != 0) {
                            let Some(low) = start.checked_add(bit).and_then(|low| low.checked_add(1)) else {
                                return Err(at.invalid("Bitmask", mask));
                            };
                            ranges.push((stack.counter(&[low]), stack.counter(&[low])));
                        }
                    }
                    0x50 if stack.depth > 0 => stack.pop(),
                    0x52 => {
                        let missing = 6_usize.saturating_sub(stack.len);
                        let low = stack.counter(r.bytes(missing, "LowValue")?);
                        let high = stack.counter(r.bytes(missing, "HighValue")?);
                        if low > high {
                            return Err(at.invalid("LowValue", low.value()));
                        }
                        ranges.push((low, high));
                    }
                    command => return Err(at.invalid("Command", command)),
                }
                merge_last(&mut ranges);
            }
        })
    }

    /// Reads a set that fills `bytes`.
    ///
    /// # Errors
    /// As [`GlobSet::read`]; trailing bytes are an error too.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes, "GLOBSET");
        let set = Self::read(&mut r)?;
        match r.remaining() {
            0 => Ok(set),
            count => Err(r.error("(end)", WireErrorKind::Trailing { count })),
        }
    }
}

/// Melts the ranges at the end that touch each other: a bitmask is read counter by counter.
fn merge_last(ranges: &mut Vec<(GlobCnt, GlobCnt)>) {
    while let [.., before, last] = ranges.as_mut_slice() {
        if before.1.value().checked_add(1) != Some(last.0.value()) {
            return;
        }
        before.1 = last.1;
        ranges.pop();
    }
}

impl CommonBytes {
    fn push(&mut self, bytes: &[u8]) -> bool {
        let end = self.len.saturating_add(bytes.len());
        let (Some(to), Some(count)) = (self.bytes.get_mut(self.len..end), self.pushes.get_mut(self.depth))
        else {
            return false;
        };
        to.copy_from_slice(bytes);
        *count = bytes.len();
        self.len = end;
        self.depth = self.depth.saturating_add(1);
        true
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.len = self.len.saturating_sub(self.pushes.get(self.depth).copied().unwrap_or(0));
    }

    /// The counter whose high-order bytes are on the stack and whose others are `low`.
    fn counter(&self, low: &[u8]) -> GlobCnt {
        let mut bytes = self.bytes;
        if let Some(rest) = bytes.get_mut(self.len..)
            && rest.len() == low.len()
        {
            rest.copy_from_slice(low);
        }
        GlobCnt::from_bytes(bytes)
    }
}
