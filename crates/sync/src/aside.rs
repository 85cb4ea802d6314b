//! Messages that could not be converted are kept: all their properties as text, large values as files.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use watertight_mapi::{
    PropValue,
    prop::{PropBag, PropData},
    store::MessageContent,
};

use crate::{SyncError, SyncResult, disk::Disk, spool::Spool};

/// Keeps a message as the directory `dir`: `message.txt` and a file for each large value.
pub(crate) fn keep(
    disk: &Disk,
    dir: &Path,
    reason: &str,
    content: &MessageContent,
    spool: &Spool,
) -> SyncResult<()> {
    if let Some(parent) = dir.parent() {
        disk.make_dir(parent)?;
    }
    disk.make_dir(dir)?;
    let mut text = format!("{reason}\n\n");
    let mut large = Vec::new();
    message(&mut text, content, 0, &mut large);
    for id in large {
        let Some(from) = spool.path(id) else { continue };
        let to = dir.join(format!("value-{id}"));
        disk.step("write", &to)?;
        fs::copy(from, &to).map_err(|e| SyncError::io("write", &to, e))?;
    }
    disk.put(&dir.join("message.txt"), text.as_bytes())
}

fn message(out: &mut String, content: &MessageContent, depth: usize, large: &mut Vec<u64>) {
    props(out, &content.props, depth, large);
    for recipient in &content.recipients {
        let _ = writeln!(out, "{:depth$}recipient", "");
        props(out, recipient, depth.saturating_add(2), large);
    }
    for attachment in &content.attachments {
        let _ = writeln!(out, "{:depth$}attachment {}", "", attachment.number);
        props(out, &attachment.props, depth.saturating_add(2), large);
        if let Some(embedded) = &attachment.embedded {
            let _ = writeln!(out, "{:depth$}  message", "");
            message(out, embedded, depth.saturating_add(4), large);
        }
    }
}

fn props(out: &mut String, bag: &PropBag, depth: usize, large: &mut Vec<u64>) {
    for prop in &bag.0 {
        let _ = write!(out, "{:depth$}{}", "", prop.tag);
        if let Some(name) = &prop.name {
            let _ = write!(out, " {name:?}");
        }
        match &prop.value {
            PropData::Large(value) => {
                large.push(value.id);
                let _ = writeln!(out, " = {} bytes in value-{}", value.len, value.id);
            }
            PropData::Inline(
                PropValue::Binary(bytes) | PropValue::Object(bytes) | PropValue::String8(bytes),
            ) => {
                out.push_str(" = ");
                for byte in bytes {
                    let _ = write!(out, "{byte:02x}");
                }
                out.push('\n');
            }
            PropData::Inline(value) => {
                let _ = writeln!(out, " = {value:?}");
            }
        }
    }
}
