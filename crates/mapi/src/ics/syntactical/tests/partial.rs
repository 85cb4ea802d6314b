use std::sync::Arc;

use watertight_wire::Guid;

use super::{
    grammar::{ending, header},
    *,
};
use crate::{
    PropId, PropTag, PropType, PropValue,
    ics::lexical::{Marker, PropDef, Writer},
    prop::{Prop, PropName, tags},
};

fn mapping() -> PropertyGroupInfo {
    let named = |lid| PropDef {
        tag: PropTag::new(PropId(0x8001), PropType::I32),
        name: Some(Arc::new(PropName::lid(Guid::from_bytes([3; 16]), lid))),
    };
    let text = PropDef {
        tag: PropTag::new(PropId(0x8002), PropType::Unicode),
        name: Some(Arc::new(PropName::string(Guid::from_bytes([4; 16]), "Größe"))),
    };
    PropertyGroupInfo {
        id: 7,
        groups: vec![
            vec![
                PropDef::new(tags::SUBJECT),
                PropDef::new(tags::SUBJECT_PREFIX),
                PropDef::new(tags::NORMALIZED_SUBJECT),
            ],
            vec![named(1), named(2), text],
            vec![PropDef::new(tags::MESSAGE_RECIPIENTS), PropDef::new(tags::DISPLAY_TO)],
        ],
    }
}

fn begin(w: &mut Writer, mapping: &PropertyGroupInfo) {
    w.marker(Marker::IncrSyncGroupInfo);
    w.prop(PropTag(0x0000_0102), &PropValue::Binary(mapping.to_bytes().unwrap())).unwrap();
    w.prop(tags::META_TAG_INCR_SYNC_GROUP_ID, &PropValue::I32(7)).unwrap();
    w.marker(Marker::IncrSyncChgPartial);
    header(w, 9);
}

fn group(w: &mut Writer, index: i32) {
    w.prop(tags::META_TAG_INCREMENTAL_SYNC_MESSAGE_PARTIAL, &PropValue::I32(index)).unwrap();
}

#[test]
fn the_mapping_goes_both_ways() {
    let bytes = mapping().to_bytes().unwrap();
    assert_eq!(PropertyGroupInfo::from_bytes(&bytes).unwrap(), mapping());
    watertight_testkit::mutate::survive(&bytes, |b| {
        let _ = PropertyGroupInfo::from_bytes(b);
    });
}

#[test]
fn a_property_of_the_group_that_is_absent_is_deleted() {
    let mapping = mapping();
    let mut w = Writer::new();
    begin(&mut w, &mapping);
    group(&mut w, 0);
    w.prop(tags::SUBJECT, &"new".into()).unwrap();
    w.prop(tags::NORMALIZED_SUBJECT, &"new".into()).unwrap();
    group(&mut w, 1);
    let mut second = Prop::named((*mapping.groups[1][1].name.clone().unwrap()).clone(), 5);
    second.tag = PropTag::new(PropId(0x8005), PropType::I32);
    w.whole(&second).unwrap();
    group(&mut w, -1);
    w.prop(tags::IMPORTANCE, &PropValue::I32(2)).unwrap();
    group(&mut w, 2);
    w.prop(PropTag(0x0000_0003), &PropValue::I32(0)).unwrap();
    w.prop(tags::META_TAG_FX_DEL_PROP, &PropValue::I32(0x0E12_000D)).unwrap();
    w.marker(Marker::StartRecip);
    w.prop(tags::ROWID, &PropValue::I32(0)).unwrap();
    w.marker(Marker::EndToRecip);
    ending(&mut w);
    let bytes = w.take(usize::MAX);
    for size in [1, 13, 100_000] {
        let all = events(Root::ContentsSync, &bytes, size).unwrap();
        let Event::PartialChange(header) = &all[0] else { panic!("{all:?}") };
        assert_eq!(header.source_key.counter().unwrap().value(), 9);
        let groups: Vec<&Event> =
            all.iter().filter(|e| matches!(e, Event::GroupBegin { .. } | Event::GroupEnd { .. })).collect();
        let deleted =
            |defs: &[&PropDef]| Event::GroupEnd { deleted: defs.iter().map(|d| (*d).clone()).collect() };
        assert_eq!(
            groups,
            [
                &Event::GroupBegin { index: Some(0) },
                &deleted(&[&mapping.groups[0][1]]),
                &Event::GroupBegin { index: Some(1) },
                &deleted(&[&mapping.groups[1][0], &mapping.groups[1][2]]),
                &Event::GroupBegin { index: None },
                &deleted(&[]),
                &Event::GroupBegin { index: Some(2) },
                &deleted(&[&mapping.groups[2][1]]),
            ]
        );
        let tail = &all[all.len() - 7..];
        assert_eq!(tail[0], Event::DeleteSubobjects(PropTag(0x0E12_000D)));
        assert_eq!(
            (&tail[1], &tail[3], &tail[4]),
            (&Event::RecipientBegin, &Event::RecipientEnd, &Event::MessageEnd)
        );
    }
}

#[test]
fn a_mapping_or_group_that_was_not_defined_is_an_error() {
    let fails = |write: &dyn Fn(&mut Writer)| {
        let mut w = Writer::new();
        write(&mut w);
        events(Root::ContentsSync, &w.take(usize::MAX), 99).unwrap_err().to_string()
    };
    assert!(fails(&|w| w.marker(Marker::IncrSyncChgPartial)).starts_with("contentsSync.IncrSyncChgPartial"));
    assert!(
        fails(&|w| w.prop(tags::META_TAG_INCR_SYNC_GROUP_ID, &PropValue::I32(8)).unwrap())
            .starts_with("contentsSync.propValue")
    );
    assert!(
        fails(&|w| {
            begin(w, &mapping());
            group(w, 3);
        })
        .starts_with("messageChangeHeader.propValue")
    );
}
