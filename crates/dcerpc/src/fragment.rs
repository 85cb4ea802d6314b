//! Stub data as fragments, and fragments as stub data.

use core::ops::Range;

use watertight_wire::{WireError, to_u64};

use crate::Guid;
use crate::pdu::auth::{AuthLevel, AuthTrailer, TRAILER_LEN};
use crate::pdu::{Body, Flags, HEADER_LEN, Pdu, RequestHead, ResponseHead};
use crate::security::{Message, SecurityContext, SecurityError};

/// Bytes of a request or a response in front of stub data, without an object.
const CALL_HEAD: usize = HEADER_LEN + 8;
/// Stub data is padded to this before a trailer, as Windows and Samba do.
const PAD: usize = 16;

/// What a call's fragments have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Direction {
    Request { context_id: u16, opnum: u16, object: Option<Guid> },
    Response { context_id: u16, cancel_count: u8 },
}

/// How fragments are protected.
pub(crate) struct Protection<'a> {
    pub security: &'a mut dyn SecurityContext,
    pub level: AuthLevel,
    pub context_id: u32,
    pub sign_header: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum FragmentError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Security(#[from] SecurityError),
    #[error("no stub data fits into a fragment of {0} bytes")]
    TooSmall(usize),
}

/// Cuts stub data into fragments of at most `max` bytes.
pub(crate) fn cut(
    direction: Direction,
    call_id: u32,
    flags: Flags,
    stub: &[u8],
    max: usize,
    mut protection: Option<Protection<'_>>,
) -> Result<Vec<Vec<u8>>, FragmentError> {
    let object = match direction {
        Direction::Request { object: Some(_), .. } => size_of::<Guid>(),
        _ => 0,
    };
    let overhead = match &protection {
        Some(protection) => TRAILER_LEN.saturating_add(protection.security.token_len(protection.level)),
        None => 0,
    };
    let room = max.saturating_sub(CALL_HEAD + object).saturating_sub(overhead);
    // All but the last fragment carry a multiple of 16 bytes, which is also a multiple of 8 as C706 wants.
    let room = room.saturating_sub(room % PAD);
    if room == 0 {
        return Err(FragmentError::TooSmall(max));
    }
    let mut fragments = Vec::with_capacity(stub.len().div_ceil(room).max(1));
    let mut at = 0_usize;
    loop {
        let end = at.saturating_add(room).min(stub.len());
        let chunk = stub.get(at..end).unwrap_or_default();
        let left = stub.len().saturating_sub(at);
        let mut own = flags;
        if at == 0 {
            own = own | Flags::first;
        }
        if end == stub.len() {
            own = own | Flags::last;
        }
        let alloc_hint = u32::try_from(to_u64(left)).unwrap_or(u32::MAX);
        fragments.push(one(direction, call_id, own, alloc_hint, chunk, protection.as_mut())?);
        if end == stub.len() {
            return Ok(fragments);
        }
        at = end;
    }
}

fn one(
    direction: Direction,
    call_id: u32,
    flags: Flags,
    alloc_hint: u32,
    chunk: &[u8],
    protection: Option<&mut Protection<'_>>,
) -> Result<Vec<u8>, FragmentError> {
    let body = |stub| match direction {
        Direction::Request { context_id, opnum, object } => {
            Body::Request(RequestHead { alloc_hint, context_id, opnum }, object, stub)
        }
        Direction::Response { context_id, cancel_count } => {
            Body::Response(ResponseHead { alloc_hint, context_id, cancel_count, reserved: 0 }, stub)
        }
    };
    let Some(protection) = protection else {
        return Ok(Pdu { flags, ..Pdu::new(call_id, body(chunk)) }.write(None)?);
    };
    let mut padded = chunk.to_vec();
    padded.resize(chunk.len().next_multiple_of(PAD), 0);
    let trailer = AuthTrailer {
        auth_type: protection.security.auth_type(),
        auth_level: protection.level,
        pad_length: u8::try_from(padded.len().saturating_sub(chunk.len())).unwrap_or(0),
        context_id: protection.context_id,
    };
    let token_len = protection.security.token_len(protection.level);
    let mut fragment =
        Pdu { flags, ..Pdu::new(call_id, body(&padded)) }.write(Some((trailer, &vec![0; token_len])))?;
    let trailer_at = fragment.len().saturating_sub(token_len).saturating_sub(TRAILER_LEN);
    let body_at = trailer_at.saturating_sub(padded.len());
    let (message, place) = split(&mut fragment, body_at, trailer_at, protection.sign_header);
    let token = protection.security.protect(protection.level, message)?;
    if token.len() != place.len() {
        return Err(SecurityError::Unsupported.into());
    }
    place.copy_from_slice(&token);
    Ok(fragment)
}

/// A fragment as a message, and the place of its token.
fn split(
    fragment: &mut [u8],
    body_at: usize,
    trailer_at: usize,
    sign_header: bool,
) -> (Message<'_>, &mut [u8]) {
    let (header, rest) = fragment.split_at_mut(body_at.min(fragment.len()));
    let (body, rest) = rest.split_at_mut(trailer_at.saturating_sub(body_at).min(rest.len()));
    let (trailer, token) = rest.split_at_mut(TRAILER_LEN.min(rest.len()));
    (Message { header, body, trailer, sign_header }, token)
}

/// Checks a fragment whose stub data begins at `body_at`, unseals it in place, and says where its stub data is.
pub(crate) fn open(
    fragment: &mut [u8],
    body_at: usize,
    trailer: (AuthTrailer, usize),
    protection: Protection<'_>,
) -> Result<Range<usize>, SecurityError> {
    let (trailer, trailer_at) = trailer;
    // Where the header is not signed, a longer padding would cut a verification trailer off.
    if usize::from(trailer.pad_length) >= PAD {
        return Err(SecurityError::Signature);
    }
    let token = fragment.get(trailer_at.saturating_add(TRAILER_LEN)..).unwrap_or_default().to_vec();
    let (message, _) = split(fragment, body_at, trailer_at, protection.sign_header);
    protection.security.unprotect(protection.level, message, &token)?;
    let end = trailer_at.checked_sub(usize::from(trailer.pad_length)).filter(|end| *end >= body_at);
    Ok(body_at..end.ok_or(SecurityError::Signature)?)
}

/// Bytes of a peer, cut anywhere, as fragments.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    buffer: Vec<u8>,
    /// How much of the buffer was taken.
    taken: usize,
}

impl Framer {
    /// Takes bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken.min(self.buffer.len()));
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole fragment; what is there of the next one is kept.
    pub fn next(&mut self, max: u32) -> Result<Option<Vec<u8>>, WireError> {
        let Some(len) = crate::pdu::fragment_len(self.waiting(), max)? else { return Ok(None) };
        let fragment = self.waiting().get(..len).map(<[u8]>::to_vec);
        if fragment.is_some() {
            self.taken = self.taken.saturating_add(len);
        }
        Ok(fragment)
    }

    /// Whether part of a fragment waits for the rest.
    pub fn is_half(&self) -> bool {
        !self.waiting().is_empty()
    }

    /// What waits.
    pub fn waiting(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
