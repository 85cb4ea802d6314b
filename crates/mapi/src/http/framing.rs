//! What lies in front of a response body — [MS-OXCMAPIHTTP] 2.2.2.2, 2.2.7: meta-tags, additional headers, an empty
//! line. [`done`] and the constants write it; [`ResponseParser`] reads it, cut anywhere.

use std::collections::VecDeque;

/// PROCESSING: the server has queued the request.
pub const PROCESSING: &[u8] = b"PROCESSING\r\n";
/// PENDING: the server is still at it.
pub const PENDING: &[u8] = b"PENDING\r\n";

/// DONE, the additional headers, the empty line and the response body: the end of a response.
#[must_use]
pub fn done(headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len().saturating_add(128));
    out.extend_from_slice(b"DONE\r\n");
    for (name, value) in headers {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

/// What a response stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The meta-tag PROCESSING.
    Processing,
    /// The meta-tag PENDING.
    Pending,
    /// The meta-tag DONE.
    Done,
    /// An additional header.
    Header {
        /// Its name, as it was spelt.
        name: String,
        /// Its value, without the spaces around it.
        value: String,
    },
    /// The empty line after the additional headers: what follows is the response body.
    BodyStart,
    /// Bytes of the response body.
    Body(Vec<u8>),
}

/// Why a response stream is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// Something else stands where a meta-tag must.
    #[error("no meta-tag at offset {offset} of the response")]
    NotAMetaTag {
        /// Bytes from the start of the response body.
        offset: u64,
    },
    /// An additional header has no colon or is not text.
    #[error("an additional header at offset {offset} of the response is malformed")]
    BadHeader {
        /// Bytes from the start of the response body.
        offset: u64,
    },
    /// The additional headers are longer than any server's.
    #[error("the additional headers of the response are longer than {max} bytes")]
    HeadersTooLong {
        /// The bound.
        max: usize,
    },
    /// The response body is longer than the caller allows.
    #[error("the response body is longer than {max} bytes")]
    BodyTooLong {
        /// The bound.
        max: u64,
    },
    /// The response ended before its body started.
    #[error("the response ended before its body")]
    Ended,
}

/// Reads a response (without the chunked transfer coding) piece by piece.
///
/// Taken as they come, because a real server sends them: PENDING without a line end, and PROCESSING again in front of
/// DONE.
#[derive(Debug)]
pub struct ResponseParser {
    state: State,
    /// What cannot be decided yet: part of a meta-tag or of a header line.
    buffer: Vec<u8>,
    events: VecDeque<Event>,
    offset: u64,
    header_bytes: usize,
    body_left: u64,
    max_body: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    MetaTags,
    Headers,
    Body,
    Failed,
}

impl ResponseParser {
    /// Bytes that the additional headers may have.
    pub const MAX_HEADERS: usize = 16 * 1024;

    /// A parser at the start of a response whose body may have `max_body` bytes.
    #[must_use]
    pub fn new(max_body: u64) -> Self {
        Self {
            state: State::MetaTags,
            buffer: Vec::new(),
            events: VecDeque::new(),
            offset: 0,
            header_bytes: 0,
            body_left: max_body,
            max_body,
        }
    }

    /// Takes the next bytes of the response.
    ///
    /// # Errors
    /// [`FramingError`]; the parser takes nothing more after one.
    pub fn handle_input(&mut self, bytes: &[u8]) -> Result<(), FramingError> {
        let result = match self.state {
            State::Body => self.body(bytes),
            State::Failed => Err(FramingError::NotAMetaTag { offset: self.offset }),
            State::MetaTags | State::Headers => {
                self.buffer.extend_from_slice(bytes);
                self.advance()
            }
        };
        if result.is_err() {
            self.state = State::Failed;
            self.buffer = Vec::new();
        }
        result
    }

    /// Says that the response has ended.
    ///
    /// # Errors
    /// [`FramingError::Ended`] when its body had not started.
    pub fn handle_end(&self) -> Result<(), FramingError> {
        if self.state == State::Body { Ok(()) } else { Err(FramingError::Ended) }
    }

    /// The next event, if one is complete.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn advance(&mut self) -> Result<(), FramingError> {
        loop {
            let progress = match self.state {
                State::MetaTags => self.meta_tag()?,
                State::Headers => self.header_line()?,
                State::Body => {
                    let bytes = core::mem::take(&mut self.buffer);
                    return self.body(&bytes);
                }
                State::Failed => false,
            };
            if !progress {
                return Ok(());
            }
        }
    }

    fn meta_tag(&mut self) -> Result<bool, FramingError> {
        // The line end of the tag before is not required, so it is skipped here.
        let skipped = self.buffer.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        self.consume(skipped);
        if self.buffer.is_empty() {
            return Ok(false);
        }
        for (tag, event) in [
            (&b"PROCESSING"[..], Event::Processing),
            (b"PENDING", Event::Pending),
            (b"DONE\r\n", Event::Done),
        ] {
            if self.buffer.starts_with(tag) {
                if event == Event::Done {
                    self.state = State::Headers;
                }
                self.consume(tag.len());
                self.events.push_back(event);
                return Ok(true);
            }
            if tag.starts_with(&self.buffer) {
                return Ok(false);
            }
        }
        Err(FramingError::NotAMetaTag { offset: self.offset })
    }

    fn header_line(&mut self) -> Result<bool, FramingError> {
        let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") else {
            if self.header_bytes.saturating_add(self.buffer.len()) > Self::MAX_HEADERS {
                return Err(FramingError::HeadersTooLong { max: Self::MAX_HEADERS });
            }
            return Ok(false);
        };
        let taken = end.saturating_add(2);
        self.header_bytes = self.header_bytes.saturating_add(taken);
        if self.header_bytes > Self::MAX_HEADERS {
            return Err(FramingError::HeadersTooLong { max: Self::MAX_HEADERS });
        }
        if end == 0 {
            self.consume(taken);
            self.state = State::Body;
            self.events.push_back(Event::BodyStart);
            return Ok(true);
        }
        let line = core::str::from_utf8(self.buffer.get(..end).unwrap_or_default());
        let Some((name, value)) = line.ok().and_then(|line| line.split_once(':')) else {
            return Err(FramingError::BadHeader { offset: self.offset });
        };
        self.events.push_back(Event::Header { name: name.trim().to_owned(), value: value.trim().to_owned() });
        self.consume(taken);
        Ok(true)
    }

    fn body(&mut self, bytes: &[u8]) -> Result<(), FramingError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.body_left = self
            .body_left
            .checked_sub(watertight_wire::to_u64(bytes.len()))
            .ok_or(FramingError::BodyTooLong { max: self.max_body })?;
        self.events.push_back(Event::Body(bytes.to_vec()));
        Ok(())
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.buffer.len());
        self.buffer.drain(..count);
        self.offset = self.offset.saturating_add(watertight_wire::to_u64(count));
    }
}

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate::survive;

    use super::*;

    /// All events of a response that comes in pieces of `size` bytes, body bytes joined.
    fn parse(response: &[u8], size: usize) -> Result<(Vec<Event>, Vec<u8>), FramingError> {
        let mut parser = ResponseParser::new(1 << 20);
        let (mut events, mut body) = (Vec::new(), Vec::new());
        for piece in response.chunks(size) {
            parser.handle_input(piece)?;
            while let Some(event) = parser.poll_event() {
                match event {
                    Event::Body(bytes) => body.extend(bytes),
                    event => events.push(event),
                }
            }
        }
        parser.handle_end()?;
        Ok((events, body))
    }

    fn header(name: &str, value: &str) -> Event {
        Event::Header { name: name.into(), value: value.into() }
    }

    #[test]
    fn what_the_writers_write_is_read_in_pieces_of_any_size() {
        let mut response = [PROCESSING, PENDING, PENDING].concat();
        response.extend(done(&[("X-ElapsedTime", "12"), ("X-ResponseCode", "0")], b"PENDING\r\n\r\nbody"));
        for size in 1..response.len() {
            let (events, body) = parse(&response, size).unwrap();
            assert_eq!(body, b"PENDING\r\n\r\nbody");
            assert_eq!(
                events,
                [
                    Event::Processing,
                    Event::Pending,
                    Event::Pending,
                    Event::Done,
                    header("X-ElapsedTime", "12"),
                    header("X-ResponseCode", "0"),
                    Event::BodyStart
                ]
            );
        }
    }

    #[test]
    fn the_oddities_of_a_real_server_are_taken() {
        // Of the capture `grommunio-3.10-more` 0007: PENDING without line end, PROCESSING twice.
        let response = b"PROCESSING\r\nPENDINGPENDINGPROCESSING\r\nDONE\r\nX-ElapsedTime: 65\r\n\r\n\0\0";
        for size in 1..response.len() {
            let (events, body) = parse(response, size).unwrap();
            assert_eq!(body, [0, 0]);
            assert_eq!(events.iter().filter(|e| **e == Event::Pending).count(), 2);
        }
    }

    #[test]
    fn wrong_responses_are_errors_and_bounded() {
        assert_eq!(parse(b"<html>", 99), Err(FramingError::NotAMetaTag { offset: 0 }));
        assert_eq!(parse(b"PROCESSING\r\nDON", 99), Err(FramingError::Ended));
        assert_eq!(parse(b"DONE\r\nno colon\r\n\r\n", 99), Err(FramingError::BadHeader { offset: 6 }));
        let endless = [b"DONE\r\nX: ".to_vec(), vec![b'a'; 20_000]].concat();
        assert_eq!(parse(&endless, 1000), Err(FramingError::HeadersTooLong { max: 16_384 }));
        let mut parser = ResponseParser::new(3);
        assert_eq!(parser.handle_input(b"DONE\r\n\r\nbody"), Err(FramingError::BodyTooLong { max: 3 }));
        assert!(parser.handle_input(b"x").is_err());
        let sample = [PROCESSING.to_vec(), done(&[("X-StartTime", "now")], b"body")].concat();
        survive(&sample, |bytes| drop(parse(bytes, 7)));
    }
}
