//! The message of a number.

use watertight_mapi::prop::{Prop, PropBag, PropData, tags};
use watertight_mapi::store::{Attachment, MessageContent};
use watertight_mapi::{PropId, PropName, PropTag, PropType, PropValue};
use watertight_wire::{FileTime, Guid};

/// Every type that a property of a message may have in a stream — [MS-OXCFXICS] 2.2.4.1.
pub const TYPES: [PropType; 27] = [
    PropType::I16,
    PropType::I32,
    PropType::F32,
    PropType::F64,
    PropType::Currency,
    PropType::FloatingTime,
    PropType::Bool,
    PropType::I64,
    PropType::String8,
    PropType::Unicode,
    PropType::Time,
    PropType::Guid,
    PropType::ServerId,
    PropType::Binary,
    PropType::Object,
    PropType::MvI16,
    PropType::MvI32,
    PropType::MvF32,
    PropType::MvF64,
    PropType::MvCurrency,
    PropType::MvFloatingTime,
    PropType::MvI64,
    PropType::MvString8,
    PropType::MvUnicode,
    PropType::MvTime,
    PropType::MvGuid,
    PropType::MvBinary,
];

/// A property is known by its tag, by a number in a set, or by a name in a set.
pub const FORMS: usize = 3;
/// The set of named properties.
pub const SET: Guid = Guid::from_bytes(*b"volume test set!");
/// The first tag of properties that have no name.
const FIRST: u16 = 0x6A00;
/// Properties of each type and form.
const KINDS: u64 = 2;

/// Random numbers that are the same in every run (SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66_D1CE_4E5B)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn bytes(&mut self, len: u64) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(usize::try_from(len).unwrap());
        bytes
    }

    /// Text of all planes, without the null that ends strings on the wire.
    fn text(&mut self, len: u64) -> String {
        const LETTERS: [char; 16] = [
            'a',
            'Z',
            '0',
            ' ',
            'ß',
            'é',
            'ж',
            '你',
            '\u{1F600}',
            '\n',
            '\r',
            '=',
            '"',
            '\u{FFFD}',
            '\t',
            '\u{10FFFF}',
        ];
        (0..len).map(|_| LETTERS[usize::try_from(self.below(16)).unwrap()]).collect()
    }

    fn ascii(&mut self, len: u64) -> Vec<u8> {
        (0..len)
            .map(|_| b"abcdefghijklmnopqrstuvwxyz ,.-ABC"[usize::try_from(self.below(33)).unwrap()])
            .collect()
    }

    fn many<T>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        // A list without values is no value on the wire.
        (0..1 + self.below(4)).map(|_| one(self)).collect()
    }

    fn float(&mut self) -> f64 {
        let value = f64::from_bits(self.next());
        if value.is_finite() { value } else { -0.0 }
    }

    fn float32(&mut self) -> f32 {
        let value = f32::from_bits(u32::try_from(self.next() >> 32).unwrap());
        if value.is_finite() { value } else { f32::MIN_POSITIVE }
    }

    fn guid(&mut self) -> Guid {
        Guid::from_bytes(self.bytes(16).try_into().unwrap())
    }

    fn i16(&mut self) -> i16 {
        i16::try_from(self.next().cast_signed() >> 48).unwrap()
    }

    fn i32(&mut self) -> i32 {
        i32::try_from(self.next().cast_signed() >> 32).unwrap()
    }

    fn i64(&mut self) -> i64 {
        self.next().cast_signed()
    }

    fn time(&mut self) -> FileTime {
        FileTime(self.next() >> 1)
    }

    fn value(&mut self, ty: PropType) -> PropValue {
        use PropValue as V;
        match ty {
            PropType::I16 => V::I16(self.i16()),
            PropType::I32 => V::I32(self.i32()),
            PropType::F32 => V::F32(self.float32()),
            PropType::F64 => V::F64(self.float()),
            PropType::Currency => V::Currency(self.i64()),
            PropType::FloatingTime => V::FloatingTime(self.float()),
            PropType::Bool => V::Bool(self.below(2) == 1),
            PropType::I64 => V::I64(self.i64()),
            PropType::String8 => {
                let len = self.below(30);
                V::String8(self.ascii(len))
            }
            PropType::Unicode => {
                let len = self.below(30);
                V::Unicode(self.text(len))
            }
            PropType::Time => V::Time(self.time()),
            PropType::Guid => V::Guid(self.guid()),
            PropType::ServerId => V::ServerId(self.bytes(21)),
            PropType::Binary => {
                let len = self.below(60);
                V::Binary(self.bytes(len))
            }
            PropType::Object => {
                let len = 1 + self.below(60);
                V::Object(self.bytes(len))
            }
            PropType::MvI16 => V::MvI16(self.many(Self::i16)),
            PropType::MvI32 => V::MvI32(self.many(Self::i32)),
            PropType::MvF32 => V::MvF32(self.many(Self::float32)),
            PropType::MvF64 => V::MvF64(self.many(Self::float)),
            PropType::MvCurrency => V::MvCurrency(self.many(Self::i64)),
            PropType::MvFloatingTime => V::MvFloatingTime(self.many(Self::float)),
            PropType::MvI64 => V::MvI64(self.many(Self::i64)),
            PropType::MvString8 => V::MvString8(self.many(|r| {
                let len = r.below(12);
                r.ascii(len)
            })),
            PropType::MvUnicode => V::MvUnicode(self.many(|r| {
                let len = r.below(12);
                r.text(len)
            })),
            PropType::MvTime => V::MvTime(self.many(Self::time)),
            PropType::MvGuid => V::MvGuid(self.many(Self::guid)),
            PropType::MvBinary => V::MvBinary(self.many(|r| {
                let len = r.below(20);
                r.bytes(len)
            })),
            other => panic!("{other:?}"),
        }
    }

    /// A property of that type and form.
    fn prop(&mut self, (at, ty): (u64, PropType), form: u64, value: PropValue) -> Prop {
        let kind = at * KINDS + self.below(KINDS);
        match form {
            0 => Prop::new(PropTag::new(PropId(FIRST + u16::try_from(kind).unwrap()), ty), value),
            1 => Prop::named(PropName::lid(SET, 0x8000 + u32::try_from(kind).unwrap()), value),
            _ => Prop::named(PropName::string(SET, format!("Größe {kind}")), value),
        }
    }

    /// Properties of one in `share` of all types and forms, another choice with each number.
    fn typed(&mut self, n: u64, share: u64, bag: &mut PropBag) {
        for (at, ty) in (0..).zip(TYPES) {
            for form in 0..u64::try_from(FORMS).unwrap() {
                if (at + form * 3 + n).is_multiple_of(share) {
                    let value = self.value(ty);
                    let prop = self.prop((at, ty), form, value);
                    bag.0.push(prop);
                }
            }
        }
    }
}

/// The message of that number.
pub fn message(n: u64) -> MessageContent {
    let mut random = Random::new(n);
    content(n, &mut random, 0)
}

/// Gives a property another value of the same type.
pub fn alter(prop: &mut Prop) {
    let PropData::Inline(before) = &prop.value else { panic!("{prop:?}") };
    let value = (0..).map(|seed| Random::new(seed).value(before.ty())).find(|value| value != before).unwrap();
    prop.value = PropData::Inline(value);
}

fn content(n: u64, random: &mut Random, depth: u64) -> MessageContent {
    let mut props = PropBag::default();
    props.set(tags::MESSAGE_CLASS, "IPM.Note");
    props.set(tags::SUBJECT, format!("Message {n} of the volume test"));
    props.set(tags::MESSAGE_DELIVERY_TIME, FileTime(132_000_000_000_000_000 + n));
    props.set(tags::BODY, random.text(40));
    random.typed(n + depth, if depth == 0 { 4 } else { 16 }, &mut props);
    let mut content = MessageContent { props, ..MessageContent::default() };
    if depth == 0 {
        large(n, random, &mut content.props);
    }
    let recipients = if depth == 0 && n.is_multiple_of(2) { 1 + random.below(3) } else { 0 };
    content.recipients = (0..recipients).map(|_| recipient(random)).collect();
    if depth == 0 && n.is_multiple_of(8) {
        for number in 0..1 + u32::try_from(random.below(2)).unwrap() {
            content.attachments.push(attachment(n, number, random));
        }
    }
    if depth < 2 && random.below(if depth == 0 { 20 } else { 3 }) == 0 {
        let number = u32::try_from(content.attachments.len()).unwrap();
        let mut props = PropBag::default();
        props.set(tags::ATTACH_METHOD, 5);
        props.set(tags::DISPLAY_NAME, random.text(10));
        let embedded = Some(Box::new(self::content(n, random, depth + 1)));
        content.attachments.push(Attachment { number, props, embedded });
    }
    content
}

/// Values above 64 KiB: in one of fifty messages, of each type that can be so long, by tag and by name.
fn large(n: u64, random: &mut Random, props: &mut PropBag) {
    if n % 40 != 7 {
        return;
    }
    let len = 64 * 1024 + 1 + random.below(80 * 1024);
    let value = match n / 40 % 3 {
        0 => PropValue::Binary(random.bytes(len)),
        1 => PropValue::Unicode(random.text(len / 2)),
        _ => PropValue::Object(random.bytes(len)),
    };
    let prop = match n / 120 % 2 {
        0 => Prop::new(PropTag::new(PropId(FIRST + 0x80), value.ty()), value),
        _ => Prop::named(PropName::string(SET, "Large"), value),
    };
    props.0.push(prop);
}

fn recipient(random: &mut Random) -> PropBag {
    let mut props = PropBag::default();
    let address = format!("r{}@example.org", random.below(1_000_000));
    props.set(tags::RECIPIENT_TYPE, 1 + i32::try_from(random.below(3)).unwrap());
    props.set(tags::DISPLAY_NAME, format!("Recipient {}", random.text(6)));
    props.set(tags::ADDRESS_TYPE, "SMTP");
    props.set(tags::EMAIL_ADDRESS, address.as_str());
    props.set(tags::SMTP_ADDRESS, address.as_str());
    // Further columns, of some types.
    for (at, ty) in [(1, PropType::I32), (9, PropType::Unicode), (10, PropType::Time), (13, PropType::Binary)]
    {
        if random.below(3) == 0 {
            let value = random.value(ty);
            props.set(PropTag::new(PropId(FIRST + 0x100 + at), ty), value);
        }
    }
    props
}

fn attachment(n: u64, number: u32, random: &mut Random) -> Attachment {
    let mut props = PropBag::default();
    props.set(tags::ATTACH_METHOD, 1);
    props.set(tags::ATTACH_LONG_FILENAME, format!("file {n}-{number}.bin"));
    let len = if n.is_multiple_of(400) { 64 * 1024 + random.below(200 * 1024) } else { random.below(2000) };
    props.set(tags::ATTACH_DATA_BINARY, random.bytes(len));
    random.typed(n + u64::from(number), 20, &mut props);
    Attachment { number, props, embedded: None }
}
