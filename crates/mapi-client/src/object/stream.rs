//! Streams over one property — [MS-OXCPRPT] 2.2.14 to 2.2.23.

use std::fmt;

use watertight_mapi::PropTag;
use watertight_mapi::rop::field::{Bytes16, Empty};
use watertight_mapi::rop::stream::{
    OpenStreamRequest, ReadStreamRequest, SeekStreamRequest, SetStreamSizeRequest, USE_MAXIMUM,
    WriteStreamRequest,
};
use watertight_mapi::rop::{RequestBody, ResponseBody};
use watertight_wire::{to_u64, to_usize};

use super::batch::{Answers, Batch, MAX_BYTES, body};
use super::props::{On, too_large};
use crate::error::{Error, ProtocolError};
use crate::handle::ServerHandle;
use crate::logon::Logon;
use crate::source::MAX_ROP_OUT;

/// Bytes of one RopWriteStream.
pub(crate) const MAX_WRITE: usize = MAX_BYTES - 500;
/// Bytes that one request may bring.
const MAX_READ: usize = 0x3_0000;

/// How a stream is opened — [MS-OXCPRPT] 2.2.14.1 OpenModeFlags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// To be read.
    ReadOnly,
    /// To be read and written.
    ReadWrite,
    /// To be written, empty at first; the property is made where there is none.
    Create,
}

impl OpenMode {
    const fn flags(self) -> u8 {
        match self {
            Self::ReadOnly => 0,
            Self::ReadWrite => 1,
            Self::Create => 2,
        }
    }
}

/// From where a stream is sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeekFrom {
    /// So many bytes behind the beginning.
    Start(u64),
    /// So many bytes from where it is.
    Current(i64),
    /// So many bytes from the end.
    End(i64),
}

/// An open stream (the role of `IStream`). It has a position on the server. Dropping it releases it with the next
/// request; what was written is then the property's, but for that of a folder: that needs [`Stream::commit`]. After a
/// read or write that was given up half way its position is known to the server alone: seek before going on.
#[doc(alias = "IStream")]
pub struct Stream {
    logon: Logon,
    handle: ServerHandle,
    tag: PropTag,
    len: u64,
    position: u64,
}

impl Stream {
    pub(crate) async fn open(on: On<'_>, tag: PropTag, mode: OpenMode) -> Result<Self, Error> {
        let mut batch = Batch::on(on.handle);
        let (at, output) = batch.open(0, |output_index| open(output_index, tag, mode))?;
        let mut answers = batch.ask(&on.logon.requester).await?;
        Self::opened(on, tag, &mut answers, at, output)
    }

    /// Opens a stream and reads up to `most` bytes of it in the same request.
    pub(crate) async fn open_and_read(
        on: On<'_>,
        tag: PropTag,
        most: usize,
    ) -> Result<(Self, Vec<u8>), Error> {
        let mut batch = Batch::on(on.handle);
        let (at, output) = batch.open(0, |output_index| open(output_index, tag, OpenMode::ReadOnly))?;
        let most = most.min(MAX_READ);
        let reading = batch.push(output, read(most))?;
        let mut answers = batch.ask_for(&on.logon.requester, MAX_ROP_OUT).await?;
        let mut stream = Self::opened(on, tag, &mut answers, at, output)?;
        let bytes = stream.take(&mut answers, reading, most)?;
        stream.ends().await?;
        Ok((stream, bytes))
    }

    fn opened(on: On<'_>, tag: PropTag, answers: &mut Answers, at: usize, output: u8) -> Result<Self, Error> {
        let len = u64::from(body!(answers, at, OpenStream)?.stream_size);
        let handle = answers.object(output)?.counted(&on.logon.requester.settings.ledger.kind("streams"));
        Ok(Self { logon: on.logon.clone(), handle, tag, len, position: 0 })
    }

    /// The handle, for [`Session::execute`](crate::Session::execute).
    #[must_use]
    pub const fn handle(&self) -> &ServerHandle {
        &self.handle
    }

    /// The property.
    #[must_use]
    pub const fn tag(&self) -> PropTag {
        self.tag
    }

    /// Bytes of the value, as far as it was seen. A string has two for each UTF-16 unit.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "the length is the server's, not that of a collection here"
    )]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Where it is.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Up to `most` bytes from the position on, and at most 192 KiB — [MS-OXCPRPT] 2.2.15 RopReadStream. They may be
    /// fewer; at the end there are none.
    ///
    /// # Errors
    /// [`Error::Protocol`] when the server sends more than it said there is.
    pub async fn read(&mut self, most: usize) -> Result<Vec<u8>, Error> {
        let most = most.min(MAX_READ);
        if most == 0 {
            return Ok(Vec::new());
        }
        let mut batch = Batch::on(self.handle.raw());
        let at = batch.push(0, read(most))?;
        let mut answers = batch.ask_for(&self.logon.requester, MAX_ROP_OUT).await?;
        let bytes = self.take(&mut answers, at, most)?;
        self.ends().await?;
        Ok(bytes)
    }

    /// Whether what was read is within its length. Somebody may have made it longer; a stream that has no end at all
    /// does not say so.
    async fn ends(&mut self) -> Result<(), Error> {
        if self.position > self.len && self.position > self.size().await? {
            return Err(self.endless());
        }
        Ok(())
    }

    /// All that is left from the position on.
    ///
    /// # Errors
    /// [`Error::Setup`] when it is more than `limit` bytes.
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        if self.len.saturating_sub(self.position) > to_u64(limit) {
            return Err(too_large(self.tag, to_u64(limit)));
        }
        loop {
            let piece = self.read(MAX_READ).await?;
            if piece.is_empty() {
                return Ok(bytes);
            }
            bytes.extend(piece);
            if bytes.len() > limit {
                return Err(too_large(self.tag, to_u64(limit)));
            }
        }
    }

    /// Reads until the length that the server stated is there.
    pub(crate) async fn read_on(&mut self, bytes: &mut Vec<u8>, limit: usize) -> Result<(), Error> {
        while self.position < self.len && bytes.len() < limit {
            let piece = self.read(limit.saturating_sub(bytes.len())).await?;
            if piece.is_empty() {
                break;
            }
            bytes.extend(piece);
        }
        Ok(())
    }

    /// Writes at the position — [MS-OXCPRPT] 2.2.16 RopWriteStream, in as many requests as it takes.
    ///
    /// # Errors
    /// [`Error::Refused`], when the value would be too large for example.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.chunks(MAX_WRITE) {
            let mut batch = Batch::on(self.handle.raw());
            let at = batch.push(0, write(piece))?;
            let mut answers = batch.ask(&self.logon.requester).await?;
            let written = usize::from(body!(answers, at, WriteStream)?.written_size);
            if written != piece.len() {
                let what = format!("RopWriteStream wrote {written} of {} bytes", piece.len());
                return Err(ProtocolError::Unexpected(what).into());
            }
            self.position = self.position.saturating_add(to_u64(written));
            self.len = self.len.max(self.position);
        }
        Ok(())
    }

    /// Goes somewhere else; returns where that is — [MS-OXCPRPT] 2.2.18 RopSeekStream.
    ///
    /// # Errors
    /// [`Error::Refused`] with StreamSeekError for a place before the beginning.
    pub async fn seek(&mut self, to: SeekFrom) -> Result<u64, Error> {
        let (origin, offset) = match to {
            SeekFrom::Start(offset) => (0, i64::try_from(offset).unwrap_or(i64::MAX)),
            SeekFrom::Current(offset) => (1, offset),
            SeekFrom::End(offset) => (2, offset),
        };
        let mut batch = Batch::on(self.handle.raw());
        let at = batch.push(0, RequestBody::SeekStream(SeekStreamRequest { origin, offset }))?;
        let mut answers = batch.ask(&self.logon.requester).await?;
        self.position = body!(answers, at, SeekStream)?.new_position;
        Ok(self.position)
    }

    /// Asks how long it is — [MS-OXCPRPT] 2.2.19 RopGetStreamSize.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub async fn size(&mut self) -> Result<u64, Error> {
        let mut batch = Batch::on(self.handle.raw());
        let at = batch.push(0, RequestBody::GetStreamSize(Empty))?;
        let mut answers = batch.ask(&self.logon.requester).await?;
        self.len = u64::from(body!(answers, at, GetStreamSize)?.stream_size);
        Ok(self.len)
    }

    /// Cuts it, or makes it longer with zeros — [MS-OXCPRPT] 2.2.20 RopSetStreamSize.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub async fn set_size(&mut self, len: u64) -> Result<(), Error> {
        let mut batch = Batch::on(self.handle.raw());
        let request = SetStreamSizeRequest { stream_size: len };
        let at = batch.push(0, RequestBody::SetStreamSize(request))?;
        batch.ask(&self.logon.requester).await?.done(at)?;
        self.len = len;
        Ok(())
    }

    /// Makes what was written the property's value — [MS-OXCPRPT] 2.2.17 RopCommitStream. Of a message or attachment
    /// it lasts when that is saved.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub async fn commit(&mut self) -> Result<(), Error> {
        let mut batch = Batch::on(self.handle.raw());
        let at = batch.push(0, RequestBody::CommitStream(Empty))?;
        batch.ask(&self.logon.requester).await?.done(at)
    }

    /// What RopReadStream brought, in all payloads.
    fn take(&mut self, answers: &mut Answers, first: usize, most: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = body!(answers, first, ReadStream)?.data.0;
        for at in first.saturating_add(1)..answers.len() {
            // What went wrong further on is asked for again.
            let Some((code, Some(ResponseBody::ReadStream(more)))) = answers.raw(at) else { break };
            if code.is_error() {
                break;
            }
            bytes.extend(more.data.0);
        }
        if bytes.len() > most {
            let what = format!("RopReadStream was asked for {most} bytes and answered {}", bytes.len());
            return Err(ProtocolError::Unexpected(what).into());
        }
        self.position = self.position.saturating_add(to_u64(bytes.len()));
        Ok(bytes)
    }

    fn endless(&self) -> Error {
        let what = format!(
            "the stream over {} goes on at {} although it has {} bytes",
            self.tag, self.position, self.len
        );
        ProtocolError::Unexpected(what).into()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("tag", &self.tag)
            .field("len", &self.len)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// RopOpenStream — [MS-OXCROPS] 2.2.9.1.
pub(crate) const fn open(output_index: u8, tag: PropTag, mode: OpenMode) -> RequestBody {
    RequestBody::OpenStream(OpenStreamRequest { output_index, tag, open_mode_flags: mode.flags() })
}

/// RopWriteStream — [MS-OXCROPS] 2.2.9.3.
pub(crate) fn write(bytes: &[u8]) -> RequestBody {
    RequestBody::WriteStream(WriteStreamRequest { data: Bytes16(bytes.to_vec()) })
}

/// RopReadStream — [MS-OXCROPS] 2.2.9.2.
fn read(most: usize) -> RequestBody {
    let request = match u16::try_from(most) {
        Ok(byte_count) if byte_count != USE_MAXIMUM => {
            ReadStreamRequest { byte_count, maximum_byte_count: None }
        }
        _ => ReadStreamRequest {
            byte_count: USE_MAXIMUM,
            maximum_byte_count: Some(u32::try_from(most).unwrap_or(u32::MAX)),
        },
    };
    debug_assert!(to_usize(request.maximum_byte_count.unwrap_or_default()) <= MAX_READ, "bounded");
    RequestBody::ReadStream(request)
}
