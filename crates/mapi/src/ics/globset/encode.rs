use watertight_wire::Writer;

use super::GlobSet;
use crate::GlobCnt;

/// Bytes of a Push command beside the common bytes, with the Pop that ends it.
const PUSH_AND_POP: usize = 2;

/// Ranges that share their first `common` bytes, and what it costs to write them when 0 to 5 bytes are on the stack.
struct Group<'a> {
    ranges: &'a [(GlobCnt, GlobCnt)],
    /// How many leading bytes all of them share; at most 5 when there are several.
    common: usize,
    /// Parts that share more; empty for a single range and for parts of one last byte.
    parts: Vec<Self>,
    /// For each number of bytes on the stack, up to `common`: bytes of the shortest form, and whether it pushes first.
    costs: [(usize, bool); 6],
}

impl GlobSet {
    /// Appends the set as commands, the shortest way: of all ways to use the common byte stack and the bitmask
    /// with one command for each range or for neighbouring ranges — [MS-OXCFXICS] 3.1.5.4.3.1 Encoding.
    pub fn write(&self, w: &mut Writer) {
        for group in split(&self.ranges, 0) {
            group.write(0, w);
        }
        w.u8(0x00);
    }

    /// The set as commands; a single End command when it is empty.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.into_bytes()
    }
}

/// Cuts ascending ranges into maximal runs that agree in the byte at `level` from their lowest to their highest.
fn split(ranges: &[(GlobCnt, GlobCnt)], level: usize) -> Vec<Group<'_>> {
    let key = |(lo, hi): &(GlobCnt, GlobCnt)| {
        let (lo, hi) = (lo.to_bytes().get(level).copied(), hi.to_bytes().get(level).copied());
        lo.filter(|_| lo == hi)
    };
    ranges.chunk_by(|a, b| key(a).is_some() && key(a) == key(b)).map(Group::new).collect()
}

impl<'a> Group<'a> {
    fn new(ranges: &'a [(GlobCnt, GlobCnt)]) -> Self {
        let common = match ranges {
            [(lo, hi)] => shared(*lo, *hi),
            [(lo, _), .., (_, hi)] => shared(*lo, *hi).min(5),
            [] => 0,
        };
        let parts = if ranges.len() > 1 && common < 5 { split(ranges, common) } else { Vec::new() };
        let mut group = Self { ranges, common, parts, costs: [(0, false); 6] };
        let pushed = group.with_common();
        for on_stack in (0..6_usize).filter(|n| *n <= common) {
            let direct = group.without_push(on_stack);
            let push = PUSH_AND_POP.saturating_add(common.saturating_sub(on_stack)).saturating_add(pushed);
            let best =
                if common < 6 && common > on_stack && push < direct { (push, true) } else { (direct, false) };
            if let Some(cost) = group.costs.get_mut(on_stack) {
                *cost = best;
            }
        }
        group
    }

    /// Bytes when all common bytes are on the stack.
    fn with_common(&self) -> usize {
        match self.parts.as_slice() {
            [] if self.common >= 5 => last_bytes(self.ranges).into_iter().map(|command| command.len()).sum(),
            _ => self.without_push(self.common),
        }
    }

    /// Bytes when nothing is pushed for the group as a whole.
    fn without_push(&self, on_stack: usize) -> usize {
        if self.parts.is_empty() {
            self.ranges.iter().map(|range| alone(*range, on_stack)).sum()
        } else {
            self.parts.iter().map(|part| part.costs.get(on_stack).map_or(0, |cost| cost.0)).sum()
        }
    }

    fn write(&self, on_stack: usize, w: &mut Writer) {
        let push = self.costs.get(on_stack).is_some_and(|cost| cost.1);
        let stack = if push { self.common } else { on_stack };
        if push && let [(lo, _), ..] = self.ranges {
            w.u8(u8::try_from(self.common.saturating_sub(on_stack)).unwrap_or(0));
            w.bytes(lo.to_bytes().get(on_stack..self.common).unwrap_or_default());
        }
        if !self.parts.is_empty() {
            self.parts.iter().for_each(|part| part.write(stack, w));
        } else if stack == 5 {
            last_bytes(self.ranges).iter().for_each(|command| command.write(w));
        } else {
            self.ranges.iter().for_each(|range| write_alone(*range, stack, w));
        }
        if push {
            w.u8(0x50);
        }
    }
}

/// How many leading bytes two counters share.
fn shared(a: GlobCnt, b: GlobCnt) -> usize {
    a.to_bytes().iter().zip(b.to_bytes()).take_while(|(a, b)| **a == *b).count()
}

/// Bytes of the command for one range: a Push of all that is missing for one counter, else a Range.
fn alone((lo, hi): (GlobCnt, GlobCnt), on_stack: usize) -> usize {
    let missing = 6_usize.saturating_sub(on_stack);
    if lo == hi { missing.saturating_add(1) } else { missing.saturating_mul(2).saturating_add(1) }
}

fn write_alone((lo, hi): (GlobCnt, GlobCnt), on_stack: usize, w: &mut Writer) {
    if lo == hi {
        w.u8(u8::try_from(6_usize.saturating_sub(on_stack)).unwrap_or(0));
        w.bytes(lo.to_bytes().get(on_stack..).unwrap_or_default());
    } else {
        w.u8(0x52);
        w.bytes(lo.to_bytes().get(on_stack..).unwrap_or_default());
        w.bytes(hi.to_bytes().get(on_stack..).unwrap_or_default());
    }
}

/// A command with five bytes on the stack.
#[derive(Clone, Copy)]
enum LastByte {
    One(u8),
    Bitmask(u8, u8),
    Range(u8, u8),
}

impl LastByte {
    const fn len(self) -> usize {
        match self {
            Self::One(_) => 2,
            Self::Bitmask(..) | Self::Range(..) => 3,
        }
    }

    fn write(self, w: &mut Writer) {
        match self {
            Self::One(byte) => w.bytes(&[0x01, byte]),
            Self::Bitmask(start, mask) => w.bytes(&[0x42, start, mask]),
            Self::Range(lo, hi) => w.bytes(&[0x52, lo, hi]),
        }
    }
}

/// The shortest commands for ranges that differ in their last byte only. From the last range to the first, each is
/// alone or starts a bitmask that takes as many as fit.
fn last_bytes(ranges: &[(GlobCnt, GlobCnt)]) -> Vec<LastByte> {
    let bytes: Vec<(u8, u8)> = ranges.iter().map(|(lo, hi)| (lo.to_bytes()[5], hi.to_bytes()[5])).collect();
    // For each start: cost of the rest from there, the command, and how many ranges it takes.
    let mut best: Vec<(usize, LastByte, usize)> =
        vec![(0, LastByte::One(0), 1); bytes.len().saturating_add(1)];
    let rest = |best: &[(usize, LastByte, usize)], at: usize| best.get(at).map_or(0, |b| b.0);
    for (at, &(lo, hi)) in bytes.iter().enumerate().rev() {
        let command = if lo == hi { LastByte::One(lo) } else { LastByte::Range(lo, hi) };
        let mut choice = (command.len().saturating_add(rest(&best, at.saturating_add(1))), command, 1_usize);
        let top = lo.saturating_add(8);
        let mut mask = 0_u8;
        for (taken, &(from, to)) in bytes.iter().skip(at).take_while(|(_, to)| *to <= top).enumerate() {
            for value in from.max(lo.saturating_add(1))..=to {
                if value > lo {
                    mask |= 1 << value.saturating_sub(lo).saturating_sub(1);
                }
            }
            let next = at.saturating_add(taken).saturating_add(1);
            let cost = rest(&best, next).saturating_add(3);
            if taken > 0 && cost < choice.0 {
                choice = (cost, LastByte::Bitmask(lo, mask), taken.saturating_add(1));
            }
        }
        if let Some(slot) = best.get_mut(at) {
            *slot = choice;
        }
    }
    let mut commands = Vec::new();
    let mut at = 0_usize;
    while at < bytes.len()
        && let Some(&(_, command, taken)) = best.get(at)
    {
        commands.push(command);
        at = at.saturating_add(taken);
    }
    commands
}
