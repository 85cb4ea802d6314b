//! The remote management interface, which every server has — C706 appendix Q.

use super::interface;
use crate::FaultStatus;
use crate::ndr::{IfId, Ndr, SyntaxId};

/// rpc_if_id_vector_t — C706 appendix N.
#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct IfIdVector {
    /// count
    pub count: u32,
    /// if_id
    #[ndr(size_is(count))]
    pub if_id: Vec<Option<IfId>>,
}

impl FromIterator<SyntaxId> for IfIdVector {
    fn from_iter<I: IntoIterator<Item = SyntaxId>>(ids: I) -> Self {
        let if_id: Vec<_> = ids.into_iter().map(|id| Some(IfId::from(id))).collect();
        Self { count: u32::try_from(if_id.len()).unwrap_or(u32::MAX), if_id }
    }
}

/// What anybody may ask any server.
#[interface("afa8bd80-7d8a-11c9-bef4-08002b102989", version = "1.0")]
pub trait Mgmt {
    /// The interfaces of the server.
    #[opnum(0)]
    fn inq_if_ids(&mut self, #[ndr(out, unique)] if_id_vector: &mut Option<IfIdVector>) -> FaultStatus;

    /// How many calls and packets went in and out.
    #[opnum(1)]
    fn inq_stats(
        &mut self,
        #[ndr(in, out)] count: &mut u32,
        #[ndr(out, size_is(count))] statistics: &mut Vec<u32>,
    ) -> FaultStatus;

    /// Whether the server listens: yes, as it answers.
    #[opnum(2)]
    fn is_server_listening(&mut self, #[ndr(out)] status: &mut FaultStatus) -> u32;

    /// Asks the server to stop.
    #[opnum(3)]
    fn stop_server_listening(&mut self) -> FaultStatus;

    /// The server's name in an authentication service.
    #[opnum(4)]
    fn inq_princ_name(
        &mut self,
        authn_proto: u32,
        #[ndr(range(0, 4096))] princ_name_size: u32,
        #[ndr(out, string, size_is(princ_name_size))] princ_name: &mut Vec<u8>,
    ) -> FaultStatus;
}
