use watertight_testkit::{captures::streams, mutate};
use watertight_wire::Guid;

use super::*;
use crate::{
    PropTag, PropType, PropValue,
    prop::{Prop, PropName, tags},
    store::INLINE_LIMIT,
};

fn tokens(pieces: impl Iterator<Item = Vec<u8>>) -> Vec<Token> {
    let (mut lexer, mut all) = (Lexer::new(), Vec::new());
    for piece in pieces {
        lexer.handle_input(&piece);
        while let Some(token) = lexer.poll().unwrap() {
            match (all.last_mut(), token) {
                (Some(Token::LargeChunk(before)), Token::LargeChunk(more)) => before.extend(more),
                (_, token) => all.push(token),
            }
        }
    }
    assert!(lexer.is_between());
    all
}

fn cut(bytes: &[u8], size: usize) -> impl Iterator<Item = Vec<u8>> {
    bytes.chunks(size).map(<[u8]>::to_vec)
}

#[test]
fn every_captured_stream_is_written_back_to_the_same_bytes() {
    for stream in streams() {
        let all = tokens(cut(&stream.bytes, stream.bytes.len()));
        let mut writer = Writer::new();
        all.iter().for_each(|token| writer.token(token).unwrap());
        assert!(writer.take(usize::MAX) == stream.bytes, "{} {}", stream.n, stream.label);
    }
}

#[test]
fn where_the_input_is_cut_makes_no_difference() {
    for stream in streams() {
        let whole = tokens(cut(&stream.bytes, stream.bytes.len()));
        let sizes: &[usize] =
            if stream.bytes.len() > 20_000 { &[4099, 32_749] } else { &[1, 3, 5, 7, 11, 13, 127, 1021] };
        for size in sizes {
            assert!(tokens(cut(&stream.bytes, *size)) == whole, "{} in pieces of {size}", stream.n);
        }
    }
}

#[test]
fn a_name_that_is_too_long_is_refused_however_the_input_is_cut() {
    let named = |len: usize| {
        let mut bytes = PropTag(0x8012_0003).0.to_le_bytes().to_vec();
        bytes.extend([7; 16]);
        bytes.push(1);
        bytes.extend([b'n', 0].repeat(len));
        bytes.extend([0, 0]);
        bytes.extend(5_u32.to_le_bytes());
        bytes
    };
    for (len, accepted) in [(254, true), (500, true), (501, false), (600, false), (5000, false)] {
        let bytes = named(len);
        for size in [100, 1023, bytes.len()] {
            let (mut lexer, mut outcome) = (Lexer::new(), Ok(None));
            for piece in cut(&bytes, size) {
                lexer.handle_input(&piece);
                outcome = lexer.poll();
                if !matches!(outcome, Ok(None)) {
                    break;
                }
            }
            match outcome {
                Ok(Some(_)) => assert!(accepted, "{len} in pieces of {size}"),
                Ok(None) => panic!("{len} in pieces of {size} gave nothing"),
                Err(error) => {
                    assert!(!accepted, "{len} in pieces of {size}");
                    assert_eq!(
                        (error.field, error.kind),
                        ("name", watertight_wire::WireErrorKind::BadString)
                    );
                }
            }
        }
    }
}

#[test]
fn the_captured_server_splits_where_the_writer_does() {
    // Every buffer of the captures is one that `take` could have given: no atom of ours is split in them.
    for stream in streams().iter().filter(|s| s.buffers.len() > 1) {
        let mut writer = Writer::new();
        tokens(cut(&stream.bytes, stream.bytes.len())).iter().for_each(|token| writer.token(token).unwrap());
        for size in &stream.buffers {
            assert_eq!(writer.take(*size).len(), *size, "{} {}", stream.n, stream.label);
        }
    }
}

fn every_type() -> Vec<Prop> {
    let set = Guid::from_bytes([9; 16]);
    let named = PropName::string(set, "a name");
    let mut props = vec![
        Prop::new(tags::IMPORTANCE, 7),
        Prop::new(tags::SUBJECT, "subject"),
        Prop::new(tags::READ, true),
        Prop::new(PropTag(0x1234_0002), -5_i16),
        Prop::new(PropTag(0x1234_0004), 1.5_f32),
        Prop::new(PropTag(0x1234_0005), 2.5_f64),
        Prop::new(PropTag(0x1234_0006), PropValue::Currency(10_000)),
        Prop::new(PropTag(0x1234_0007), PropValue::FloatingTime(40_000.25)),
        Prop::new(PropTag(0x1234_000D), PropValue::Object(vec![1, 2])),
        Prop::new(PropTag(0x1234_0014), i64::MIN),
        Prop::new(PropTag(0x1234_001E), PropValue::String8(b"eight".to_vec())),
        Prop::new(PropTag(0x1234_0040), watertight_wire::FileTime(77)),
        Prop::new(PropTag(0x1234_0048), set),
        Prop::new(PropTag(0x1234_00FB), PropValue::ServerId(vec![3; 21])),
        Prop::new(PropTag(0x1234_1002), PropValue::MvI16(vec![1, -1])),
        Prop::new(PropTag(0x1234_1003), PropValue::MvI32(vec![])),
        Prop::new(PropTag(0x1234_1014), PropValue::MvI64(vec![i64::MAX])),
        Prop::new(PropTag(0x1234_1040), PropValue::MvTime(vec![watertight_wire::FileTime(1)])),
        Prop::new(PropTag(0x1234_1048), PropValue::MvGuid(vec![set, Guid::NIL])),
        Prop::new(PropTag(0x1234_101E), PropValue::MvString8(vec![b"a".to_vec(), Vec::new()])),
        Prop::new(PropTag(0x1234_101F), PropValue::MvUnicode(vec!["ä".to_owned(), String::new()])),
        Prop::new(PropTag(0x1234_1102), PropValue::MvBinary(vec![vec![0; 300], Vec::new()])),
        Prop::named(named, vec![1, 2, 3]),
        Prop::named(PropName::lid(set, 0x8520), "by number"),
    ];
    props.push(Prop {
        tag: tags::META_TAG_IDSET_GIVEN,
        name: None,
        value: crate::prop::PropData::Inline(PropValue::Binary(vec![1, 2, 3])),
    });
    props
}

#[test]
fn every_type_goes_both_ways() {
    let mut writer = Writer::new();
    for prop in every_type() {
        writer.whole(&prop).unwrap();
    }
    let bytes = writer.take(usize::MAX);
    for size in (1..40).step_by(2) {
        let back: Vec<Prop> = tokens(cut(&bytes, size))
            .into_iter()
            .map(|token| {
                let Token::Prop(def, value) = token else { panic!("{token:?}") };
                let (ty, value) = value.into_value(&def);
                Prop {
                    tag: def.tag.with_type(ty),
                    name: def.name,
                    value: crate::prop::PropData::Inline(value),
                }
            })
            .collect();
        assert_eq!(back, every_type());
    }
    mutate::survive(&bytes, |b| {
        let mut lexer = Lexer::new();
        lexer.handle_input(b);
        while let Ok(Some(_)) = lexer.poll() {}
    });
}

#[test]
fn the_captured_booleans_and_identifier_sets_have_their_odd_forms() {
    let mut writer = Writer::new();
    writer.prop(tags::ASSOCIATED, &PropValue::Bool(true)).unwrap();
    writer.prop(tags::META_TAG_IDSET_GIVEN, &PropValue::Binary(vec![9])).unwrap();
    assert_eq!(writer.take(99), [0x0b, 0, 0xaa, 0x67, 1, 0, 3, 0, 0x17, 0x40, 1, 0, 0, 0, 9]);
}

#[test]
fn a_long_value_passes_in_pieces() {
    let value: Vec<u8> = (0..200_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let mut writer = Writer::new();
    writer.large_begin(&PropDef::new(tags::ATTACH_DATA_BINARY), 200_000);
    let mut lexer = Lexer::new();
    let (mut got, mut most, mut ended) = (Vec::new(), 0, false);
    for piece in value.chunks(30_000) {
        writer.large_chunk(piece);
        while !writer.is_empty() {
            lexer.handle_input(&writer.take(7_001));
            while let Some(token) = lexer.poll().unwrap() {
                match token {
                    Token::LargeBegin(def, len) => {
                        assert_eq!((def.tag, len), (tags::ATTACH_DATA_BINARY, 200_000))
                    }
                    Token::LargeChunk(bytes) => {
                        most = most.max(bytes.len());
                        got.extend(bytes);
                    }
                    Token::LargeEnd => ended = true,
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    assert!(ended && got == value && writer.owed() == 0 && most <= 7_001 && lexer.is_between());
    assert_eq!(INLINE_LIMIT, 65_536);
}

#[test]
fn buffers_end_at_atoms_or_inside_values() {
    let mut writer = Writer::new();
    writer.marker(Marker::StartMessage);
    writer.prop(tags::IMPORTANCE, &PropValue::I32(1)).unwrap();
    writer.prop(tags::SEARCH_KEY, &PropValue::Binary(vec![5; 6])).unwrap();
    let lengths: Vec<usize> = core::iter::from_fn(|| Some(writer.take(7).len()).filter(|n| *n > 0)).collect();
    assert_eq!(
        lengths,
        [4, 4, 4, 4, 7, 3],
        "marker, propDef, value, propDef, length and three bytes, three bytes"
    );
    writer.marker(Marker::EndMessage);
    assert_eq!((writer.take(3).len(), writer.len()), (0, 4));
}

#[test]
fn what_a_stream_cannot_carry_is_refused() {
    let refused = |bytes: &[u8]| {
        let mut lexer = Lexer::new();
        lexer.handle_input(bytes);
        lexer.poll().unwrap_err().to_string()
    };
    assert_eq!(refused(&[1, 0, 0x37, 0]), "stream.propType at offset 4: value 0x370001 is not allowed here");
    assert!(refused(&[[0x1f, 0, 0, 0x80].as_slice(), &[0; 16], &[2]].concat()).contains("namedPropInfo"));
    let mut endless = [[0x1f, 0, 0, 0x80].as_slice(), &[0; 16], &[1]].concat();
    endless.resize(2000, 65);
    assert!(refused(&endless).contains("stream.name"));
    assert!(refused(&[0x03, 0x10, 0, 0x30, 0xff, 0xff, 0xff, 0xff]).contains("over the bound"));
    assert!(refused(&[0x02, 0x11, 0, 0x30, 2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).contains("over the bound"));
}

#[test]
fn code_page_strings_become_the_types_that_they_are() {
    let typed = |ty: u16, bytes: &[u8]| {
        let def = PropDef::new(tags::SUBJECT.with_type(PropType(ty)));
        RawValue::Bytes(bytes.to_vec()).into_value(&def)
    };
    assert_eq!(typed(0x84B0, &[0x61, 0, 0, 0]), (PropType::Unicode, "a".into()));
    assert_eq!(typed(0xFDE9, b"\xc3\xa4\0"), (PropType::Unicode, "ä".into()));
    assert_eq!(typed(0x84E2, b"\xe4\0"), (PropType::String8, PropValue::String8(vec![0xe4])));
    assert_eq!(typed(0x001F, &[0x61, 0]), (PropType::Unicode, "a".into()), "no terminator to take off");
}
