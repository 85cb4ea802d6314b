//! The ROP input and output buffers — [MS-OXCROPS] 2.2.1.

use std::collections::VecDeque;

use watertight_wire::{Reader, Wire, WireError, WireErrorKind, Writer};

use super::{Request, Response, RopId};
use crate::PropTag;

/// The handle that stands for none.
pub const INVALID_HANDLE: u32 = 0xffff_ffff;

/// A payload of Execute — [MS-OXCROPS] 2.2.1: RopSize, ROPs, and the table of handles.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RopBuffer {
    /// RopsList: requests or responses one after another.
    pub rops: Vec<u8>,
    /// ServerObjectHandleTable.
    pub handles: Vec<u32>,
}

impl Wire for RopBuffer {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("RopBuffer", |r| {
            let size = usize::from(r.u16("RopSize")?);
            // RopSize counts itself.
            let Some(size) = size.checked_sub(2) else {
                return Err(r.invalid("RopSize", watertight_wire::to_u64(size)));
            };
            let rops = r.bytes(size, "RopsList")?.to_vec();
            let table = r.remaining();
            if table % 4 != 0 {
                let count = table % 4;
                return Err(r.error("ServerObjectHandleTable", WireErrorKind::Trailing { count }));
            }
            let mut handles = Vec::with_capacity(table / 4);
            while !r.is_empty() {
                handles.push(r.u32("ServerObjectHandleTable")?);
            }
            Ok(Self { rops, handles })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.len16(self.rops.len().saturating_add(2), "RopSize")?;
        w.bytes(&self.rops);
        self.handles.iter().for_each(|&handle| w.u32(handle));
        Ok(())
    }
}

/// Reads all requests of a RopsList.
///
/// # Errors
/// [`WireError`] of the first that cannot be read.
pub fn read_requests(rops: &[u8]) -> Result<Vec<Request>, WireError> {
    let mut r = Reader::new(rops, "RopsList");
    let mut requests = Vec::new();
    while !r.is_empty() {
        requests.push(Request::read(&mut r)?);
    }
    Ok(requests)
}

/// Reads all responses of a RopsList that answers `requests` (any number of them, in order). `columns` gives the
/// columns on which the layout of rows depends, by the request.
///
/// # Errors
/// [`WireError`] of the first that cannot be read.
pub fn read_responses(
    rops: &[u8],
    requests: &[Request],
    mut columns: impl FnMut(&Request) -> Vec<PropTag>,
) -> Result<Vec<Response>, WireError> {
    let mut r = Reader::new(rops, "RopsList");
    let mut asked: VecDeque<&Request> = requests.iter().filter(|q| q.id() != RopId::Release).collect();
    let mut responses = Vec::new();
    while !r.is_empty() {
        let id = r.peek().map(RopId);
        let answers = asked.front().filter(|q| Some(q.id()) == id).copied();
        let response = match answers {
            Some(request) => {
                asked.pop_front();
                Response::read(&mut r, Some(request), &columns(request))?
            }
            None => Response::read(&mut r, None, &[])?,
        };
        responses.push(response);
    }
    Ok(responses)
}

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate::survive;

    use super::*;

    #[test]
    fn the_size_counts_itself() {
        let buffer = RopBuffer { rops: vec![1, 0, 0], handles: vec![7, INVALID_HANDLE] };
        let bytes = buffer.to_bytes().unwrap();
        assert_eq!(bytes, [5, 0, 1, 0, 0, 7, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(RopBuffer::from_bytes(&bytes).unwrap(), buffer);
        survive(&bytes, |b| {
            let _ = RopBuffer::from_bytes(b).map(|b| read_requests(&b.rops));
        });
        assert!(RopBuffer::from_bytes(&[1, 0]).is_err());
    }
}
