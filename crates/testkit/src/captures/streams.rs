use std::collections::BTreeMap;

use super::{Exchange, first_set, second_set};

/// What asked for a FastTransfer stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    /// RopSynchronizationConfigure for contents.
    Contents,
    /// RopSynchronizationConfigure for the hierarchy.
    Hierarchy,
    /// RopFastTransferSourceCopyMessages: messageList.
    CopyMessages,
    /// RopFastTransferSourceCopyFolder: topFolder.
    CopyFolder,
    /// RopFastTransferSourceCopyTo: by its object, folderContent, messageContent or attachmentContent.
    CopyTo,
    /// RopFastTransferSourceCopyProperties: as `CopyTo`.
    CopyProperties,
}

/// A FastTransfer stream, put together again from the responses to RopFastTransferSourceGetBuffer.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Which set: 1 or 2.
    pub set: u8,
    /// The number of the exchange that brought its end.
    pub n: u32,
    /// The group in the second set.
    pub group: Option<String>,
    /// That exchange's label.
    pub label: String,
    /// What asked for it.
    pub kind: StreamKind,
    /// All of its bytes.
    pub bytes: Vec<u8>,
    /// The lengths of the buffers that they came in.
    pub buffers: Vec<usize>,
}

/// All complete FastTransfer downloads of both sets, in order.
#[must_use]
pub fn streams() -> Vec<Stream> {
    let mut all = of_set(1, &first_set());
    all.extend(of_set(2, &second_set()));
    all
}

fn of_set(set: u8, exchanges: &[Exchange]) -> Vec<Stream> {
    let mut open: BTreeMap<Option<String>, (StreamKind, Vec<u8>, Vec<usize>)> = BTreeMap::new();
    let mut done = Vec::new();
    for exchange in exchanges.iter().filter(|e| e.request_type == "Execute") {
        if let Some(kind) =
            rops(exchange.request().get(8..).unwrap_or_default()).first().and_then(|r| kind(r))
        {
            open.insert(exchange.session.clone(), (kind, Vec::new(), Vec::new()));
        }
        let body = exchange.response_body();
        if body.len() < 16 || body[..8] != [0; 8] {
            continue;
        }
        for rop in rops(&body[16..]).iter().filter(|r| r.first() == Some(&0x4E) && r[2..6] == [0; 4]) {
            let current = open.get_mut(&exchange.session).expect("a stream was asked for");
            let len = usize::from(u16::from_le_bytes([rop[13], rop[14]]));
            current.1.extend_from_slice(&rop[15..15 + len]);
            current.2.push(len);
            if rop[6] == 3 {
                let (kind, bytes, buffers) = open.remove(&exchange.session).expect("it is open");
                let (group, label) = (exchange.group.clone(), exchange.label.clone());
                done.push(Stream { set, n: exchange.n, group, label, kind, bytes, buffers });
            }
        }
    }
    done
}

/// The request or response ROPs of each uncompressed RPC_HEADER_EXT buffer.
fn rops(mut buffers: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let [_, _, flags, _, lo, hi, _, _, rest @ ..] = buffers {
        let size = usize::from(u16::from_le_bytes([*lo, *hi])).min(rest.len());
        let (payload, after) = rest.split_at(size);
        let mask = if flags & 2 == 0 { 0 } else { 0xA5 };
        let payload: Vec<u8> = payload.iter().map(|b| b ^ mask).collect();
        if flags & 1 == 0 && payload.len() >= 2 {
            let end = usize::from(u16::from_le_bytes([payload[0], payload[1]])).clamp(2, payload.len());
            all.push(payload[2..end].to_vec());
        }
        if flags & 4 != 0 {
            break;
        }
        buffers = after;
    }
    all
}

fn kind(rop: &[u8]) -> Option<StreamKind> {
    match rop {
        [0x70, _, _, _, 1, ..] => Some(StreamKind::Contents),
        [0x70, _, _, _, 2, ..] => Some(StreamKind::Hierarchy),
        [0x4B, ..] => Some(StreamKind::CopyMessages),
        [0x4C, ..] => Some(StreamKind::CopyFolder),
        [0x4D, ..] => Some(StreamKind::CopyTo),
        [0x69, ..] => Some(StreamKind::CopyProperties),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_are_whole() {
        let all = streams();
        assert!(all.iter().all(|s| s.bytes.len() == s.buffers.iter().sum::<usize>()));
        let inbox =
            all.iter().find(|s| s.label == "contents synchronization of the Inbox, no state").unwrap();
        assert_eq!((inbox.bytes.len(), inbox.kind), (1_403_035, StreamKind::Contents));
        let hierarchy = all.first().unwrap();
        assert_eq!((hierarchy.bytes.len(), hierarchy.kind), (7_073, StreamKind::Hierarchy));
    }
}
