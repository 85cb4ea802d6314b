use watertight_wire::wire_enum;

use crate::ndr::Ndr;

wire_enum! {
    /// The status of a fault PDU — C706 appendix E, [MS-RPCE] 3.1.1.5.5 and [MS-ERREF] 2.2. Operations of C706's own
    /// interfaces return it too, as `error_status_t`.
    #[derive(Default, Ndr)]
    pub enum FaultStatus: u32 {
        /// No error.
        rpc_s_ok = 0,
        /// ERROR_ACCESS_DENIED: what servers say to callers whom they do not trust enough.
        access_denied = 5,
        /// RPC_S_INVALID_ARG.
        rpc_s_invalid_arg = 87,
        /// RPC_S_OUT_OF_RESOURCES.
        rpc_s_out_of_resources = 1721,
        /// RPC_S_SERVER_UNAVAILABLE.
        rpc_s_server_unavailable = 1722,
        /// RPC_S_SERVER_TOO_BUSY.
        rpc_s_server_too_busy = 1723,
        /// RPC_S_NO_CALL_ACTIVE.
        rpc_s_no_call_active = 1725,
        /// RPC_S_CALL_FAILED.
        rpc_s_call_failed = 1726,
        /// RPC_S_CALL_FAILED_DNE: the call did not execute.
        rpc_s_call_failed_dne = 1727,
        /// RPC_S_PROTOCOL_ERROR.
        rpc_s_protocol_error = 1728,
        /// RPC_S_CANNOT_SUPPORT.
        rpc_s_cannot_support = 1764,
        /// RPC_X_BAD_STUB_DATA: the stub data cannot be read.
        rpc_x_bad_stub_data = 1783,
        /// RPC_S_CALL_CANCELLED.
        rpc_s_call_cancelled = 1818,
        /// RPC_S_SEC_PKG_ERROR: the signature or the seal is wrong.
        rpc_s_sec_pkg_error = 1825,
        /// nca_s_fault_int_div_by_zero
        nca_s_fault_int_div_by_zero = 0x1c00_0001,
        /// nca_s_fault_addr_error
        nca_s_fault_addr_error = 0x1c00_0002,
        /// nca_s_fault_fp_div_zero
        nca_s_fault_fp_div_zero = 0x1c00_0003,
        /// nca_s_fault_fp_underflow
        nca_s_fault_fp_underflow = 0x1c00_0004,
        /// nca_s_fault_fp_overflow
        nca_s_fault_fp_overflow = 0x1c00_0005,
        /// nca_s_fault_invalid_tag
        nca_s_fault_invalid_tag = 0x1c00_0006,
        /// nca_s_fault_invalid_bound
        nca_s_fault_invalid_bound = 0x1c00_0007,
        /// nca_rpc_version_mismatch
        nca_rpc_version_mismatch = 0x1c00_0008,
        /// nca_unspec_reject
        nca_unspec_reject = 0x1c00_0009,
        /// nca_s_bad_actid
        nca_s_bad_actid = 0x1c00_000a,
        /// nca_who_are_you_failed
        nca_who_are_you_failed = 0x1c00_000b,
        /// nca_manager_not_entered
        nca_manager_not_entered = 0x1c00_000c,
        /// nca_s_fault_cancel
        nca_s_fault_cancel = 0x1c00_000d,
        /// nca_s_fault_ill_inst
        nca_s_fault_ill_inst = 0x1c00_000e,
        /// nca_s_fault_fp_error
        nca_s_fault_fp_error = 0x1c00_000f,
        /// nca_s_fault_int_overflow
        nca_s_fault_int_overflow = 0x1c00_0010,
        /// nca_s_fault_unspec
        nca_s_fault_unspec = 0x1c00_0012,
        /// nca_s_fault_remote_comm_failure
        nca_s_fault_remote_comm_failure = 0x1c00_0013,
        /// nca_s_fault_pipe_empty
        nca_s_fault_pipe_empty = 0x1c00_0014,
        /// nca_s_fault_pipe_closed
        nca_s_fault_pipe_closed = 0x1c00_0015,
        /// nca_s_fault_pipe_order
        nca_s_fault_pipe_order = 0x1c00_0016,
        /// nca_s_fault_pipe_discipline
        nca_s_fault_pipe_discipline = 0x1c00_0017,
        /// nca_s_fault_pipe_comm_error
        nca_s_fault_pipe_comm_error = 0x1c00_0018,
        /// nca_s_fault_pipe_memory
        nca_s_fault_pipe_memory = 0x1c00_0019,
        /// nca_s_fault_context_mismatch: a context handle that the server did not give.
        nca_s_fault_context_mismatch = 0x1c00_001a,
        /// nca_s_fault_remote_no_memory
        nca_s_fault_remote_no_memory = 0x1c00_001b,
        /// nca_s_invalid_pres_context_id
        nca_s_invalid_pres_context_id = 0x1c00_001c,
        /// nca_s_unsupported_authn_level
        nca_s_unsupported_authn_level = 0x1c00_001d,
        /// nca_s_invalid_checksum
        nca_s_invalid_checksum = 0x1c00_001f,
        /// nca_s_invalid_crc
        nca_s_invalid_crc = 0x1c00_0020,
        /// nca_s_fault_user_defined
        nca_s_fault_user_defined = 0x1c00_0021,
        /// nca_s_fault_tx_open_failed
        nca_s_fault_tx_open_failed = 0x1c00_0022,
        /// nca_s_fault_codeset_conv_error
        nca_s_fault_codeset_conv_error = 0x1c00_0023,
        /// nca_s_fault_object_not_found
        nca_s_fault_object_not_found = 0x1c00_0024,
        /// nca_s_fault_no_client_stub
        nca_s_fault_no_client_stub = 0x1c00_0025,
        /// nca_s_comm_failure
        nca_s_comm_failure = 0x1c01_0001,
        /// nca_s_op_rng_error: the interface has no such operation.
        nca_s_op_rng_error = 0x1c01_0002,
        /// nca_s_unk_if: no such interface.
        nca_s_unk_if = 0x1c01_0003,
        /// nca_s_wrong_boot_time
        nca_s_wrong_boot_time = 0x1c01_0006,
        /// nca_s_you_crashed
        nca_s_you_crashed = 0x1c01_0009,
        /// nca_s_proto_error: the peer broke the protocol.
        nca_s_proto_error = 0x1c01_000b,
        /// nca_s_out_args_too_big
        nca_s_out_args_too_big = 0x1c01_0013,
        /// nca_s_server_too_busy
        nca_s_server_too_busy = 0x1c01_0014,
        /// nca_s_fault_string_too_long
        nca_s_fault_string_too_long = 0x1c01_0015,
        /// nca_s_unsupported_type
        nca_s_unsupported_type = 0x1c01_0017,
        /// ept_s_cant_perform_op: what operations on the endpoint map that are refused return.
        ept_s_cant_perform_op = 0x16c9_a0cd,
        /// ept_s_database_invalid
        ept_s_database_invalid = 0x16c9_a0cf,
        /// ept_s_not_registered: no (more) elements match.
        ept_s_not_registered = 0x16c9_a0d6,
        /// rpc_s_no_bindings and friends use other numbers; this one is of the mgmt interface:
        /// rpc_s_mgmt_op_disallowed.
        rpc_s_mgmt_op_disallowed = 0x16c9_a02d,
    }
}
