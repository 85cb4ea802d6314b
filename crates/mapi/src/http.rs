//! MAPI/HTTP — [MS-OXCMAPIHTTP] — as far as it is bytes and not sockets.
//!
//! [`header`]: header names, request types, response codes. [`body`]: request and response bodies. [`framing`]:
//! the meta-tags and additional headers in front of a response body. [`ext`]: RPC_HEADER_EXT with its chains,
//! compression ([`lz77`]) and obfuscation. [`auxiliary`]: auxiliary buffers.

pub mod auxiliary;
pub mod body;
pub mod ext;
pub mod framing;
pub mod header;
pub mod lz77;

pub use header::{RequestType, ResponseCode};

#[cfg(test)]
mod tests {
    use watertight_testkit::captures::{self, Exchange};
    use watertight_testkit::mutate::survive;
    use watertight_wire::Wire;

    use super::body::{
        Answer, ConnectRequest, ConnectResponse, DisconnectRequest, DisconnectResponse, ExecuteRequest,
        ExecuteResponse, NotificationWaitRequest, NotificationWaitResponse,
    };
    use super::ext::{self, ExtFlags, Limits, Wrap};
    use super::framing::{Event, ResponseParser};
    use super::{RequestType, auxiliary, header};

    fn all() -> impl Iterator<Item = Exchange> {
        captures::first_set().into_iter().chain(captures::second_set())
    }

    type Headers = Vec<(String, String)>;

    /// The response body, and the additional headers in front of it; `None` for error answers, which are HTML.
    fn response(exchange: &Exchange) -> Option<(Headers, Vec<u8>)> {
        let code =
            exchange.response_headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("X-ResponseCode"))?;
        if code.1 != "0" {
            return None;
        }
        let whole = exchange.response();
        let mut parser = ResponseParser::new(1 << 24);
        for piece in whole.chunks(1000) {
            parser.handle_input(piece).unwrap();
        }
        let (mut headers, mut body) = (Vec::new(), Vec::new());
        while let Some(event) = parser.poll_event() {
            match event {
                Event::Header { name, value } => headers.push((name, value)),
                Event::Body(bytes) => body.extend(bytes),
                _ => {}
            }
        }
        if parser.handle_end().is_err() {
            // One wait was given up by the client; there is no body.
            assert!(
                exchange.label.contains("gives up") || exchange.label.contains("the cli"),
                "{}",
                exchange.label
            );
            return None;
        }
        Some((headers, body))
    }

    /// Decodes, encodes again, compares; returns the value.
    fn same<T: Wire>(bytes: &[u8], label: &str) -> T {
        let value = T::from_bytes(bytes).unwrap_or_else(|e| panic!("{label}: {e}"));
        assert_eq!(value.to_bytes().unwrap(), bytes, "{label}");
        value
    }

    /// Takes a field of payloads apart; what was not compressed must come back to the same bytes.
    fn same_field(field: &[u8], label: &str) -> usize {
        if field.is_empty() {
            return 0;
        }
        let payloads = ext::unwrap(field, Limits::default()).unwrap_or_else(|e| panic!("{label}: {e}"));
        let mut again = Vec::new();
        let mut compressed = 0;
        for payload in &payloads {
            let how = Wrap {
                compress: payload.flags.contains(ExtFlags::Compressed),
                xor: payload.flags.contains(ExtFlags::XorMagic),
                last: payload.flags.contains(ExtFlags::Last),
            };
            compressed += usize::from(how.compress);
            ext::wrap_into(&mut again, &payload.bytes, how).unwrap();
        }
        if compressed == 0 {
            assert_eq!(again, field, "{label}");
        } else {
            let plain = |field: &[u8]| -> Vec<Vec<u8>> {
                ext::unwrap(field, Limits::default()).unwrap().into_iter().map(|p| p.bytes).collect()
            };
            assert_eq!(plain(&again), plain(field), "{label}");
        }
        compressed
    }

    fn same_auxiliary(field: &[u8], label: &str) {
        let blocks = auxiliary::read(field).unwrap_or_else(|e| panic!("{label}: {e}"));
        assert_eq!(auxiliary::write(&blocks).unwrap(), field, "{label}");
    }

    #[test]
    fn every_captured_body_comes_back_to_the_same_bytes() {
        let mut seen = std::collections::BTreeMap::<&str, u32>::new();
        let (mut compressed_in, mut compressed_out) = (0, 0);
        for exchange in all() {
            let label = format!("{} {}", exchange.n, exchange.label);
            let Some(ty) = RequestType::parse(&exchange.request_type) else { continue };
            // Those of the address book are read by its own tests.
            if exchange.path.as_deref().is_some_and(|path| path.starts_with("/mapi/nspi")) {
                continue;
            }
            let bad_request = exchange.label.starts_with("error:");
            let response = response(&exchange);
            *seen.entry(ty.as_str()).or_default() += 1;
            if let Some((headers, _)) = &response {
                let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
                assert_eq!(names, [header::X_ELAPSED_TIME, header::X_START_TIME], "{label}");
            }
            if !bad_request {
                match ty {
                    RequestType::Connect => {
                        same_auxiliary(
                            &same::<ConnectRequest>(&exchange.request(), &label).auxiliary,
                            &label,
                        );
                    }
                    RequestType::Execute => {
                        let request = same::<ExecuteRequest>(&exchange.request(), &label);
                        same_auxiliary(&request.auxiliary, &label);
                        compressed_in += same_field(&request.rop_buffer, &label);
                    }
                    RequestType::Disconnect => drop(same::<DisconnectRequest>(&exchange.request(), &label)),
                    RequestType::NotificationWait => {
                        same::<NotificationWaitRequest>(&exchange.request(), &label);
                    }
                    RequestType::Ping => assert_eq!(exchange.request(), b""),
                    other => panic!("{other}"),
                }
            }
            let Some((_, body)) = response else { continue };
            match ty {
                RequestType::Connect => match same::<ConnectResponse>(&body, &label) {
                    Answer::Success(connected) => same_auxiliary(&connected.auxiliary, &label),
                    Answer::Failure(_) => panic!("{label}"),
                },
                RequestType::Execute => {
                    if let Answer::Success(executed) = same::<ExecuteResponse>(&body, &label) {
                        same_auxiliary(&executed.auxiliary, &label);
                        compressed_out += same_field(&executed.rop_buffer, &label);
                    }
                }
                RequestType::Disconnect => drop(same::<DisconnectResponse>(&body, &label)),
                RequestType::NotificationWait => drop(same::<NotificationWaitResponse>(&body, &label)),
                RequestType::Ping => assert_eq!(body, b""),
                other => panic!("{other}"),
            }
        }
        assert!(seen["Execute"] > 800 && seen["Connect"] > 5 && seen["NotificationWait"] > 5, "{seen:?}");
        assert_eq!(compressed_out, 29);
        assert!(compressed_in > 8, "{compressed_in}");
    }

    #[test]
    fn bodies_survive_being_damaged() {
        for exchange in captures::group("01").into_iter().filter(|e| e.response().len() < 1500) {
            let (request, body) = (exchange.request(), exchange.response_body());
            survive(&request, |bytes| {
                let _ = ConnectRequest::from_bytes(bytes);
                let _ = NotificationWaitRequest::from_bytes(bytes);
                if let Ok(request) = ExecuteRequest::from_bytes(bytes) {
                    let _ = ext::unwrap(&request.rop_buffer, Limits::default());
                }
            });
            survive(&body, |bytes| {
                let _ = ConnectResponse::from_bytes(bytes);
                let _ = NotificationWaitResponse::from_bytes(bytes);
                if let Ok(Answer::Success(executed)) = ExecuteResponse::from_bytes(bytes) {
                    let _ = ext::unwrap(&executed.rop_buffer, Limits::default());
                }
            });
        }
    }
}
