//! RPC interfaces: [`interface`] makes of a trait what a client and a server need.
//!
//! ```
//! use watertight_dcerpc::interface::interface;
//!
//! /// Adds.
//! #[interface("11111111-2222-3333-4444-555555555555", version = "1.0")]
//! pub trait Adder {
//!     /// Adds numbers; keeps a total.
//!     #[opnum(0)]
//!     fn add(
//!         &mut self,
//!         count: u32,
//!         #[ndr(size_is(count))] numbers: Vec<u32>,
//!         #[ndr(in, out)] total: &mut u64,
//!         #[ndr(out)] average: &mut u32,
//!     ) -> u32;
//! }
//! ```
//!
//! gives the trait `Adder` as a server implements it (each method may return a fault instead), `AdderServer`, which
//! dispatches calls to it, `AdderClient` with a method for each operation, and `AddRequest`, `AddResponse` and the
//! [`Procedure`] `Add`, which turns both into stub data and back. `&mut` parameters are `[out]` or `[in, out]`; a
//! parameter `call: &Caller` tells the server who calls; `size_is` and its like may name any other parameter.

pub mod epmapper;
pub mod mgmt;
pub mod object_exporter;

use core::future::Future;

use crate::FaultStatus;
use crate::ndr::{NdrReader, NdrWriter, Order, Syntax, SyntaxId};
use crate::pdu::auth::AuthLevel;
use crate::{Guid, WireError};

pub use watertight_macros::interface;

/// An operation of an interface: its parameters as two structures, and their stub data.
pub trait Procedure {
    /// Its number.
    const OPNUM: u16;
    /// Its name.
    const NAME: &'static str;
    /// The parameters that go in.
    type Request;
    /// The parameters that come out, and the result.
    type Response;

    /// Writes what goes in.
    ///
    /// # Errors
    /// When a value has no representation.
    fn write_request(request: &Self::Request, w: &mut NdrWriter) -> Result<(), WireError>;

    /// Reads what goes in.
    ///
    /// # Errors
    /// When the bytes are not a representation.
    fn read_request(r: &mut NdrReader<'_>) -> Result<Self::Request, WireError>;

    /// Writes what comes out.
    ///
    /// # Errors
    /// When a value has no representation.
    fn write_response(
        request: &Self::Request,
        response: &Self::Response,
        w: &mut NdrWriter,
    ) -> Result<(), WireError>;

    /// Reads what comes out.
    ///
    /// # Errors
    /// When the bytes are not a representation, or do not agree with the request.
    fn read_response(request: &Self::Request, r: &mut NdrReader<'_>) -> Result<Self::Response, WireError>;
}

/// What a client stub calls through. A binding that blocks returns a future that is ready.
pub trait Binding {
    /// What a call fails with.
    type Error;

    /// Makes a call.
    fn call<P: Procedure>(
        &self,
        request: P::Request,
    ) -> impl Future<Output = Result<P::Response, Self::Error>>;
}

/// Who calls, as far as the association knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The association group: context handles belong to it.
    pub group: u32,
    /// The object that the request names.
    pub object: Option<Guid>,
    /// How the request was protected; none when it was not.
    pub level: Option<AuthLevel>,
    /// Who that is, as the security provider names it.
    pub principal: Option<String>,
    /// Whether the caller is on this machine, by a transport that proves it.
    pub local: bool,
}

/// Stub data of a request.
#[derive(Debug, Clone, Copy)]
pub struct Stub<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Their transfer syntax, which is also that of the response.
    pub syntax: Syntax,
    /// Their byte order.
    pub order: Order,
}

/// A server's interface: what `#[interface]` generates implements it.
pub trait Dispatch {
    /// The interface.
    fn id(&self) -> SyntaxId;

    /// Its name in Rust.
    fn name(&self) -> &'static str;

    /// Executes a call and returns the stub data of its response.
    ///
    /// # Errors
    /// The fault that the client gets instead.
    fn dispatch(&mut self, call: &Caller, opnum: u16, stub: Stub<'_>) -> Result<Vec<u8>, FaultStatus>;
}

/// Reads a request, executes it, and writes its response.
///
/// # Errors
/// `rpc_x_bad_stub_data` when the request cannot be read, `nca_s_fault_unspec` when the response cannot be written, or
/// the fault of the operation.
pub fn serve<P: Procedure>(
    stub: Stub<'_>,
    execute: impl FnOnce(P::Request) -> Result<P::Response, FaultStatus>,
) -> Result<Vec<u8>, FaultStatus>
where
    P::Request: Clone,
{
    let mut r = NdrReader::new(stub.bytes, stub.syntax, stub.order);
    let request = P::read_request(&mut r).map_err(|_| FaultStatus::rpc_x_bad_stub_data)?;
    let response = execute(request.clone())?;
    let mut w = NdrWriter::new(stub.syntax);
    P::write_response(&request, &response, &mut w).map_err(|_| FaultStatus::nca_s_fault_unspec)?;
    Ok(w.into_bytes())
}

/// The stub data of a request.
///
/// # Errors
/// When a value has no representation.
pub fn request_stub<P: Procedure>(request: &P::Request, syntax: Syntax) -> Result<Vec<u8>, WireError> {
    let mut w = NdrWriter::new(syntax);
    P::write_request(request, &mut w)?;
    Ok(w.into_bytes())
}

/// The response whose stub data these are.
///
/// # Errors
/// When the bytes are not a representation, or do not agree with the request.
pub fn response_of<P: Procedure>(request: &P::Request, stub: Stub<'_>) -> Result<P::Response, WireError> {
    P::read_response(request, &mut NdrReader::new(stub.bytes, stub.syntax, stub.order))
}
