use super::*;
use crate::{
    GlobCnt, MapiCode, PropValue, ReplId,
    ics::{
        GlobSet, IdSet, Xid,
        lexical::{Marker, PropDef, Writer},
    },
    prop::{PropData, tags},
};

pub(super) fn xid(n: u64) -> Xid {
    Xid::from_counter(watertight_wire::Guid::from_bytes([5; 16]), GlobCnt::new(n).unwrap())
}

pub(super) fn header(w: &mut Writer, n: u64) {
    let key = PropValue::Binary(xid(n).to_bytes());
    w.prop(tags::SOURCE_KEY, &key).unwrap();
    w.prop(tags::LAST_MODIFICATION_TIME, &PropValue::Time(watertight_wire::FileTime(1))).unwrap();
    w.prop(tags::CHANGE_KEY, &key).unwrap();
    let list = crate::ics::PredecessorChangeList::of(xid(n)).to_bytes().unwrap();
    w.prop(tags::PREDECESSOR_CHANGE_LIST, &PropValue::Binary(list)).unwrap();
    w.prop(tags::ASSOCIATED, &PropValue::Bool(false)).unwrap();
}

fn full(w: &mut Writer, n: u64, subject: &str) {
    w.marker(Marker::IncrSyncChg);
    header(w, n);
    w.marker(Marker::IncrSyncMessage);
    w.prop(tags::SUBJECT, &subject.into()).unwrap();
}

pub(super) fn ending(w: &mut Writer) {
    w.marker(Marker::IncrSyncStateBegin);
    w.marker(Marker::IncrSyncStateEnd);
    w.marker(Marker::IncrSyncEnd);
}

fn error(root: Root, write: impl FnOnce(&mut Writer)) -> String {
    let mut w = Writer::new();
    write(&mut w);
    events(root, &w.take(usize::MAX), 7).unwrap_err().to_string()
}

#[test]
fn an_object_that_cannot_be_read_costs_that_object() {
    let failed = ExtendedErrorInfo {
        code: MapiCode::CorruptData,
        folder: Some(xid(1)),
        message: Some(xid(22)),
        aux: b"why".to_vec(),
    };
    let mut w = Writer::new();
    full(&mut w, 21, "one");
    full(&mut w, 22, "two");
    w.marker(Marker::StartRecip);
    w.marker(Marker::FXErrorInfo);
    w.prop(ExtendedErrorInfo::TAG, &PropValue::Binary(failed.to_bytes().unwrap())).unwrap();
    full(&mut w, 23, "three");
    ending(&mut w);
    let all = events(Root::ContentsSync, &w.take(usize::MAX), 5).unwrap();
    let ends = all.iter().filter(|e| **e == Event::MessageEnd).count();
    assert_eq!((count(&all)["messages"], ends), (3, 2));
    assert!(all.contains(&Event::ObjectFailed(Box::new(failed.clone()))));
    let none = ExtendedErrorInfo { folder: None, message: None, aux: Vec::new(), ..failed.clone() };
    assert_eq!(ExtendedErrorInfo::from_bytes(&none.to_bytes().unwrap()).unwrap(), none);
    watertight_testkit::mutate::survive(&failed.to_bytes().unwrap(), |b| {
        let _ = ExtendedErrorInfo::from_bytes(b);
    });
    assert_eq!(
        error(Root::HierarchySync, |w| w.marker(Marker::FXErrorInfo)),
        "hierarchySync.FXErrorInfo at offset 0: value 0x40180003 is not allowed here"
    );
}

#[test]
fn the_error_of_another_message_is_the_end_of_the_one_before() {
    let ends = |failed: Option<u64>, broken: bool| {
        let message = failed.map(xid);
        let info = ExtendedErrorInfo { code: MapiCode::CorruptData, folder: None, message, aux: Vec::new() };
        let mut w = Writer::new();
        full(&mut w, 21, "one");
        if broken {
            w.marker(Marker::StartRecip);
        }
        w.marker(Marker::FXErrorInfo);
        w.prop(ExtendedErrorInfo::TAG, &PropValue::Binary(info.to_bytes().unwrap())).unwrap();
        ending(&mut w);
        let all = events(Root::ContentsSync, &w.take(usize::MAX), 5).unwrap();
        all.iter().filter(|e| **e == Event::MessageEnd).count()
    };
    assert_eq!(ends(Some(22), false), 1, "what was whole is kept");
    assert_eq!(ends(Some(21), false), 0, "it was this one");
    assert_eq!(ends(Some(22), true), 0, "no message ends inside a recipient");
    assert_eq!(ends(None, false), 0, "nobody knows");
}

#[test]
fn the_error_names_the_production_and_where_it_is() {
    let wrong = |root, write: fn(&mut Writer)| error(root, write);
    assert_eq!(
        wrong(Root::ContentsSync, |w| full_then(w, Marker::EndAttach)),
        "contentsSync.EndAttach at offset 129: value 0x400e0003 is not allowed here"
    );
    assert!(
        wrong(Root::ContentsSync, |w| w.marker(Marker::IncrSyncEnd))
            .starts_with("contentsSync.IncrSyncEnd at offset 0")
    );
    assert!(wrong(Root::ContentsSync, |w| w.marker(Marker::IncrSyncStateBegin)).starts_with("state.(end)"));
    assert!(
        wrong(Root::ContentsSync, |w| {
            w.marker(Marker::IncrSyncChg);
            w.marker(Marker::IncrSyncMessage);
        })
        .starts_with("messageChangeHeader.PidTagSourceKey at offset 4")
    );
    assert!(
        wrong(Root::ContentsSync, |w| {
            ending(w);
            w.marker(Marker::IncrSyncEnd);
        })
        .starts_with("root.IncrSyncEnd at offset 12")
    );
    assert!(
        wrong(Root::MessageList, |w| {
            w.marker(Marker::StartMessage);
            w.marker(Marker::NewAttach);
            w.prop(tags::ATTACH_NUMBER, &PropValue::I32(0)).unwrap();
            w.marker(Marker::EndAttach);
            w.marker(Marker::StartRecip);
        })
        .starts_with("message.StartRecip at offset 20")
    );
    assert!(
        wrong(Root::HierarchySync, |w| {
            w.marker(Marker::IncrSyncDel);
            w.prop(tags::META_TAG_IDSET_DELETED, &PropValue::Binary(vec![1, 0, 0x50])).unwrap();
        })
        .starts_with("deletions.Command at offset 4")
    );
    assert!(wrong(Root::State, |_| {}).starts_with("state.(end)"));
}

fn full_then(w: &mut Writer, marker: Marker) {
    full(w, 1, "x");
    w.marker(marker);
}

#[test]
fn nesting_is_bounded() {
    let message = error(Root::MessageContent, |w| {
        for _ in 0..60 {
            w.marker(Marker::NewAttach);
            w.prop(tags::ATTACH_NUMBER, &PropValue::I32(0)).unwrap();
            w.marker(Marker::StartEmbed);
        }
    });
    assert!(message.ends_with("nested deeper than 100"), "{message}");
}

#[test]
fn a_long_string_loses_its_terminator_and_a_long_set_is_one() {
    let text = "ä".repeat(50_000);
    let mut raw: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    raw.extend([0, 0]);
    let mut w = Writer::new();
    w.large_begin(&PropDef::new(tags::BODY), u32::try_from(raw.len()).unwrap());
    w.large_chunk(&raw);
    let stream = w.take(usize::MAX);
    for size in [1999, 64_000, 1_000_000] {
        let all = events(Root::MessageContent, &stream, size).unwrap();
        assert_eq!(all[1], Event::LargeBegin { tag: tags::BODY, name: None, len: 100_002 });
        assert_eq!(all[2], Event::LargeChunk(raw[..100_000].to_vec()));
        assert_eq!(all[3..], [Event::LargeEnd, Event::MessageEnd, Event::End]);
    }

    let scattered: GlobSet = (0..90_000_u64).map(|n| GlobCnt::new(n * 11).unwrap()).collect();
    let ids = IdSet::of(ReplId(1), scattered);
    assert!(ids.to_bytes().len() > 100_000);
    let mut w = Writer::new();
    w.marker(Marker::IncrSyncDel);
    w.prop(tags::META_TAG_IDSET_DELETED, &PropValue::Binary(ids.to_bytes())).unwrap();
    ending(&mut w);
    let all = events(Root::ContentsSync, &w.take(usize::MAX), 4096).unwrap();
    assert_eq!(all[0], Event::Deletions(Deletions { deleted: ids, ..Deletions::default() }));
}

#[test]
fn folders_with_messages_and_subfolders() {
    let mut w = Writer::new();
    w.prop(tags::META_TAG_DN_PREFIX, &PropValue::String8(b"/o=x".to_vec())).unwrap();
    w.marker(Marker::StartTopFld);
    w.prop(tags::DISPLAY_NAME, &"top".into()).unwrap();
    w.marker(Marker::StartFAIMsg);
    w.marker(Marker::EndMessage);
    w.prop(tags::META_TAG_EC_WARNING, &PropValue::I32(5)).unwrap();
    w.marker(Marker::StartMessage);
    w.prop(tags::SUBJECT, &"s".into()).unwrap();
    w.marker(Marker::EndMessage);
    w.marker(Marker::StartSubFld);
    w.prop(tags::DISPLAY_NAME, &"sub".into()).unwrap();
    w.prop(tags::META_TAG_NEW_FX_FOLDER, &PropValue::Binary(vec![1])).unwrap();
    w.marker(Marker::EndFolder);
    w.marker(Marker::EndFolder);
    let all = events(Root::TopFolder, &w.take(usize::MAX), 3).unwrap();
    nesting(&all);
    assert_eq!(all.iter().filter(|e| matches!(e, Event::FolderBegin)).count(), 2);
    assert!(all.contains(&Event::Warning(MapiCode(5))) && all.contains(&Event::OtherReplicas(vec![1])));
    assert!(all.contains(&Event::MessageBegin { associated: true }));
    let text = |p: &crate::prop::Prop| match &p.value {
        PropData::Inline(PropValue::Unicode(text)) => text.clone(),
        _ => panic!(),
    };
    let texts: Vec<String> =
        all.iter().filter_map(|e| if let Event::Property(p) = e { Some(text(p)) } else { None }).collect();
    assert_eq!(texts, ["top", "s", "sub"]);
}

#[test]
fn a_stream_with_every_production_survives_mutations() {
    let mut w = Writer::new();
    w.marker(Marker::IncrSyncProgressMode);
    w.prop(ProgressInformation::TAG, &PropValue::Binary(ProgressInformation::default().to_bytes())).unwrap();
    w.marker(Marker::IncrSyncProgressPerMsg);
    w.prop(crate::PropTag(0x0000_0003), &PropValue::I32(5)).unwrap();
    w.prop(crate::PropTag(0x0000_000B), &PropValue::Bool(true)).unwrap();
    full(&mut w, 3, "s");
    w.prop(tags::META_TAG_FX_DEL_PROP, &PropValue::I32(tags::MESSAGE_RECIPIENTS.0.cast_signed())).unwrap();
    w.marker(Marker::StartRecip);
    w.prop(tags::ROWID, &PropValue::I32(0)).unwrap();
    w.marker(Marker::EndToRecip);
    w.prop(tags::META_TAG_FX_DEL_PROP, &PropValue::I32(tags::MESSAGE_ATTACHMENTS.0.cast_signed())).unwrap();
    w.marker(Marker::NewAttach);
    w.prop(tags::ATTACH_NUMBER, &PropValue::I32(0)).unwrap();
    w.marker(Marker::StartEmbed);
    w.prop(tags::SUBJECT, &"i".into()).unwrap();
    w.marker(Marker::EndEmbed);
    w.marker(Marker::EndAttach);
    w.marker(Marker::IncrSyncDel);
    let ids = IdSet::of(ReplId(1), GlobSet::up_to(GlobCnt::new(9).unwrap())).to_bytes();
    w.prop(tags::META_TAG_IDSET_EXPIRED, &PropValue::Binary(ids.clone())).unwrap();
    w.marker(Marker::IncrSyncRead);
    w.prop(tags::META_TAG_IDSET_UNREAD, &PropValue::Binary(ids)).unwrap();
    ending(&mut w);
    let bytes = w.take(usize::MAX);
    nesting(&events(Root::ContentsSync, &bytes, 50).unwrap());
    watertight_testkit::mutate::survive(&bytes, |b| {
        let _ = events_lenient(Root::ContentsSync, b);
    });
}
