//! The endpoint mapper — C706 appendix O, [MS-RPCE] 2.2.1.2.

use std::sync::Arc;

use watertight_wire::wire_enum;

use super::{Caller, interface};
use crate::ndr::{ContextHandle, IfId, Ndr};
use crate::tower::Tower;
use crate::{FaultStatus, Guid};

/// The most entries or towers that one call may ask for: [MS-RPCE] 2.2.1.2.4 and 2.2.1.2.5.
pub const MAX_ENTRIES: u64 = 500;

wire_enum! {
    /// inquiry_type — C706 appendix O.
    #[derive(Ndr)]
    pub enum InquiryType: u32 {
        /// All elements.
        rpc_c_ep_all_elts = 0,
        /// Those of an interface.
        rpc_c_ep_match_by_if = 1,
        /// Those of an object.
        rpc_c_ep_match_by_obj = 2,
        /// Those of both.
        rpc_c_ep_match_by_both = 3,
    }
}

wire_enum! {
    /// vers_option — C706 appendix O: which versions of the interface.
    #[derive(Ndr)]
    pub enum VersionOption: u32 {
        /// Any.
        rpc_c_vers_all = 1,
        /// The same major version, a minor version at least as high.
        rpc_c_vers_compatible = 2,
        /// Exactly this.
        rpc_c_vers_exact = 3,
        /// The same major version.
        rpc_c_vers_major_only = 4,
        /// At most this.
        rpc_c_vers_upto = 5,
    }
}

/// ept_entry_t — C706 appendix O.
#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct EptEntry {
    /// object
    pub object: Guid,
    /// tower
    #[ndr(ptr)]
    pub tower: Option<Arc<TowerOctets>>,
    /// annotation: at most 63 octets.
    #[ndr(string, size(64))]
    pub annotation: Vec<u8>,
}

/// twr_t — C706 appendix N: the octets of a tower.
#[derive(Debug, Clone, PartialEq, Eq, Default, Ndr)]
pub struct TowerOctets {
    /// tower_length
    pub tower_length: u32,
    /// tower_octet_string
    #[ndr(size_is(tower_length))]
    pub tower_octet_string: Vec<u8>,
}

impl From<&Tower> for TowerOctets {
    fn from(tower: &Tower) -> Self {
        let octets = tower.to_octets();
        Self { tower_length: u32::try_from(octets.len()).unwrap_or(u32::MAX), tower_octet_string: octets }
    }
}

/// Which endpoints the interfaces of a machine have.
#[interface("e1af8308-5d1f-11c9-91a4-08002b14a0fa", version = "3.0")]
pub trait Epmapper {
    /// Adds entries, in the place of others of the same interface and object when `replace` is not zero.
    #[opnum(0)]
    fn ept_insert(
        &mut self,
        call: &Caller,
        num_ents: u32,
        #[ndr(size_is(num_ents))] entries: Vec<EptEntry>,
        replace: u32,
    ) -> FaultStatus;

    /// Removes entries.
    #[opnum(1)]
    fn ept_delete(
        &mut self,
        call: &Caller,
        num_ents: u32,
        #[ndr(size_is(num_ents))] entries: Vec<EptEntry>,
    ) -> FaultStatus;

    /// Lists entries, from where `entry_handle` stands.
    #[opnum(2)]
    fn ept_lookup(
        &mut self,
        call: &Caller,
        inquiry_type: InquiryType,
        #[ndr(ptr)] object: Option<Arc<Guid>>,
        #[ndr(ptr)] interface_id: Option<Arc<IfId>>,
        vers_option: VersionOption,
        #[ndr(in, out)] entry_handle: &mut ContextHandle,
        #[ndr(range(0, MAX_ENTRIES))] max_ents: u32,
        #[ndr(out)] num_ents: &mut u32,
        #[ndr(out, size_is(max_ents), length_is(num_ents))] entries: &mut Vec<EptEntry>,
    ) -> FaultStatus;

    /// Finds the towers that complete one: the same interface and transfer syntax, and an endpoint.
    #[opnum(3)]
    fn ept_map(
        &mut self,
        call: &Caller,
        #[ndr(ptr)] object: Option<Arc<Guid>>,
        #[ndr(ptr)] map_tower: Option<Arc<TowerOctets>>,
        #[ndr(in, out)] entry_handle: &mut ContextHandle,
        #[ndr(range(0, MAX_ENTRIES))] max_towers: u32,
        #[ndr(out)] num_towers: &mut u32,
        #[ndr(out, size_is(max_towers), length_is(num_towers))] towers: &mut Vec<Option<Arc<TowerOctets>>>,
    ) -> FaultStatus;

    /// Ends an enumeration.
    #[opnum(4)]
    fn ept_lookup_handle_free(
        &mut self,
        call: &Caller,
        #[ndr(in, out)] entry_handle: &mut ContextHandle,
    ) -> FaultStatus;

    /// The object that the endpoint mapper itself is.
    #[opnum(5)]
    fn ept_inq_object(&mut self, call: &Caller, #[ndr(out)] ept_object: &mut Guid) -> FaultStatus;

    /// Removes entries of an object and a tower.
    #[opnum(6)]
    fn ept_mgmt_delete(
        &mut self,
        call: &Caller,
        object_speced: u32,
        #[ndr(ptr)] object: Option<Arc<Guid>>,
        #[ndr(ptr)] tower: Option<Arc<TowerOctets>>,
    ) -> FaultStatus;
}
