//! Streams into streams, and writing that ends with a commit — [MS-OXCPRPT] 3.2.5.19, 3.2.5.23.

use watertight_mapi::{
    MapiCode,
    rop::{
        Request, ResponseBody,
        stream::{CopyToStreamRequest, CopyToStreamResponse, WriteAndCommitStreamRequest, WrittenResponse},
    },
};
use watertight_wire::to_u64;

use super::PIECE;
use crate::rop::{Answer, Outcome, Refusal, Session, object::Object, refused};

impl Session {
    /// RopCopyToStream — [MS-OXCPRPT] 3.2.5.19.
    pub(in super::super) async fn rop_copy_to_stream(
        &mut self,
        request: &Request,
        handle: u32,
        handles: &[u32],
        body: &CopyToStreamRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        self.stream(request, handle)?;
        let dest = handles.get(usize::from(body.dest_index)).copied();
        match dest.and_then(|dest| self.handles.get(request.logon_id, dest).ok()) {
            None => {
                let nowhere = CopyToStreamResponse {
                    dest_index: Some(u32::from(body.dest_index)),
                    ..CopyToStreamResponse::default()
                };
                let body = Some(Box::new(ResponseBody::CopyToStream(nowhere)));
                return Err(Refusal { code: MapiCode::DestinationNullObject, body });
            }
            Some(Object::Stream(dest)) if !dest.writable => return refused(MapiCode::StreamAccessDenied),
            Some(Object::Stream(_)) => {}
            Some(_) => return refused(MapiCode::NotSupported),
        }
        let dest = dest.unwrap_or_default();
        let mut copied: u64 = 0;
        while copied < body.byte_count {
            let most = usize::try_from(body.byte_count.saturating_sub(copied)).unwrap_or(PIECE).min(PIECE);
            let piece = self.stream(request, handle)?.read(&logon, most).await?;
            if piece.is_empty() {
                break;
            }
            self.stream(request, dest)?.write(&logon, &piece).await?;
            copied = copied.saturating_add(to_u64(piece.len()));
        }
        Ok(Answer::of(ResponseBody::CopyToStream(CopyToStreamResponse {
            dest_index: None,
            read_byte_count: copied,
            written_byte_count: copied,
        })))
    }

    /// RopWriteAndCommitStream — [MS-OXCPRPT] 3.2.5.23.
    pub(in super::super) async fn rop_write_and_commit_stream(
        &mut self,
        request: &Request,
        handle: u32,
        body: &WriteAndCommitStreamRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let code_page = self.origin.code_page;
        let stream = self.stream(request, handle)?;
        if !stream.writable {
            return refused(MapiCode::StreamAccessDenied);
        }
        stream.write(&logon, &body.data.0).await?;
        stream.commit(&logon, code_page).await?;
        let written_size = u16::try_from(body.data.0.len()).unwrap_or(u16::MAX);
        Ok(Answer::of(ResponseBody::WriteAndCommitStream(WrittenResponse { written_size })))
    }
}
