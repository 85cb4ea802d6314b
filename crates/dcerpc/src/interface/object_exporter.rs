//! IObjectExporter, the OXID resolver — [MS-DCOM] 3.1.2.5.1.

use super::{Caller, interface};
use crate::ndr::Ndr;
use crate::{FaultStatus, Guid};

/// COMVERSION — [MS-DCOM] 2.2.11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Ndr)]
pub struct ComVersion {
    /// MajorVersion
    pub major_version: u16,
    /// MinorVersion
    pub minor_version: u16,
}

/// DUALSTRINGARRAY — [MS-DCOM] 2.2.19.1: string bindings, then security bindings, in 16-bit characters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Ndr)]
pub struct DualStringArray {
    /// wNumEntries
    pub num_entries: u16,
    /// wSecurityOffset
    pub security_offset: u16,
    /// aStringArray
    #[ndr(size_is(num_entries))]
    pub string_array: Vec<u16>,
}

/// Where objects live, and which are still wanted.
#[interface("99fcfec4-5260-101b-bbcb-00aa0021347a", version = "0.0")]
pub trait ObjectExporter {
    /// The bindings of an object exporter.
    #[opnum(0)]
    fn resolve_oxid(
        &mut self,
        call: &Caller,
        oxid: u64,
        requested_protseqs: u16,
        #[ndr(size_is(requested_protseqs))] protseqs: Vec<u16>,
        #[ndr(out, unique)] oxid_bindings: &mut Option<DualStringArray>,
        #[ndr(out)] ipid_rem_unknown: &mut Guid,
        #[ndr(out)] authn_hint: &mut u32,
    ) -> FaultStatus;

    /// Keeps a ping set.
    #[opnum(1)]
    fn simple_ping(&mut self, call: &Caller, set_id: u64) -> FaultStatus;

    /// Makes or changes a ping set, and keeps it.
    #[opnum(2)]
    fn complex_ping(
        &mut self,
        call: &Caller,
        #[ndr(in, out)] set_id: &mut u64,
        sequence_num: u16,
        add_count: u16,
        del_count: u16,
        #[ndr(unique, size_is(add_count))] add_to_set: Option<Vec<u64>>,
        #[ndr(unique, size_is(del_count))] del_from_set: Option<Vec<u64>>,
        #[ndr(out)] ping_backoff_factor: &mut u16,
    ) -> FaultStatus;

    /// Whether there is a resolver.
    #[opnum(3)]
    fn server_alive(&mut self, call: &Caller) -> FaultStatus;

    /// The bindings of an object exporter, and its version.
    #[opnum(4)]
    fn resolve_oxid2(
        &mut self,
        call: &Caller,
        oxid: u64,
        requested_protseqs: u16,
        #[ndr(size_is(requested_protseqs))] protseqs: Vec<u16>,
        #[ndr(out, unique)] oxid_bindings: &mut Option<DualStringArray>,
        #[ndr(out)] ipid_rem_unknown: &mut Guid,
        #[ndr(out)] authn_hint: &mut u32,
        #[ndr(out)] com_version: &mut ComVersion,
    ) -> FaultStatus;

    /// Whether there is a resolver, its version, and its own bindings.
    #[opnum(5)]
    fn server_alive2(
        &mut self,
        call: &Caller,
        #[ndr(out)] com_version: &mut ComVersion,
        #[ndr(out, unique)] resolver_bindings: &mut Option<DualStringArray>,
        #[ndr(out)] reserved: &mut u32,
    ) -> FaultStatus;
}
