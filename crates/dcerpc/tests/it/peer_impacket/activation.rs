//! The structures of DCOM's activation, which are pickles of version 1 ([MS-DCOM] 2.2.22) and heavy with pointers.

use core::fmt::Debug;

use watertight_dcerpc::interface::object_exporter::{ComVersion, DualStringArray};
use watertight_dcerpc::ndr::{Codec, Natural, Ndr, Syntax, from_pickle, to_pickle};
use watertight_dcerpc::{FaultStatus, Guid};

use super::Impacket;

/// [MS-DCOM] 2.2.22.2.1
#[derive(Debug, PartialEq, Ndr)]
struct InstantiationInfoData {
    class_id: Guid,
    class_ctx: u32,
    actv_flags: u32,
    is_surrogate: i32,
    #[ndr(range(1, 0x8000))]
    iid_count: u32,
    inst_flag: u32,
    #[ndr(unique, size_is(iid_count))]
    iids: Option<Vec<Guid>>,
    this_size: u32,
    client_com_version: ComVersion,
}

/// [MS-DCOM] 2.2.22.2.4.1
#[derive(Debug, PartialEq, Ndr)]
struct CustomRemoteRequestScmInfo {
    client_imp_level: u32,
    #[ndr(range(0, 0x8000))]
    protseq_count: u16,
    #[ndr(unique, size_is(protseq_count))]
    protseqs: Option<Vec<u16>>,
}

/// [MS-DCOM] 2.2.22.2.4
#[derive(Debug, PartialEq, Ndr)]
struct ScmRequestInfoData {
    #[ndr(unique)]
    reserved: Option<u32>,
    #[ndr(unique)]
    remote_request: Option<CustomRemoteRequestScmInfo>,
}

/// [MS-DCOM] 2.2.22.2.7
#[derive(Debug, PartialEq, Ndr)]
struct LocationInfoData {
    #[ndr(unique, string)]
    machine_name: Option<String>,
    process_id: u32,
    apartment_id: u32,
    context_id: u32,
}

/// [MS-DCOM] 2.2.22.2.8.1
#[derive(Debug, PartialEq, Ndr)]
struct CustomRemoteReplyScmInfo {
    oxid: u64,
    #[ndr(unique)]
    oxid_bindings: Option<DualStringArray>,
    ipid_rem_unknown: Guid,
    authn_hint: u32,
    server_version: ComVersion,
}

/// [MS-DCOM] 2.2.22.2.8
#[derive(Debug, PartialEq, Ndr)]
struct ScmReplyInfoData {
    #[ndr(unique)]
    reserved: Option<u32>,
    #[ndr(unique)]
    remote_reply: Option<CustomRemoteReplyScmInfo>,
}

/// [MS-DCOM] 2.2.14
#[derive(Debug, PartialEq, Ndr)]
struct MInterfacePointer {
    len: u32,
    #[ndr(size_is(len))]
    data: Vec<u8>,
}

impl MInterfacePointer {
    fn new(data: &[u8]) -> Self {
        Self { len: data.len().try_into().unwrap(), data: data.to_vec() }
    }
}

/// [MS-DCOM] 2.2.22.2.9
#[derive(Debug, PartialEq, Ndr)]
struct PropsOutInfo {
    #[ndr(range(1, 0x8000))]
    count: u32,
    #[ndr(unique, size_is(count))]
    iids: Option<Vec<Guid>>,
    #[ndr(unique, size_is(count))]
    results: Option<Vec<FaultStatus>>,
    #[ndr(unique, size_is(count))]
    interfaces: Option<Vec<Option<MInterfacePointer>>>,
}

/// [MS-DCOM] 2.2.21.2
#[derive(Debug, PartialEq, Ndr)]
struct OrpcExtent {
    id: Guid,
    size: u32,
    #[ndr(size_is((size + 7) & !7))]
    data: Vec<u8>,
}

/// [MS-DCOM] 2.2.21.3
#[derive(Debug, PartialEq, Ndr)]
struct OrpcExtentArray {
    size: u32,
    reserved: u32,
    #[ndr(unique, size_is((size + 1) & !1))]
    extent: Option<Vec<Option<OrpcExtent>>>,
}

/// [MS-DCOM] 2.2.13.3
#[derive(Debug, PartialEq, Ndr)]
struct OrpcThis {
    version: ComVersion,
    flags: u32,
    reserved1: u32,
    cid: Guid,
    #[ndr(unique)]
    extensions: Option<OrpcExtentArray>,
}

fn pickled<T: PartialEq + Debug>(impacket: &mut Impacket, class: &str, value: &T)
where
    Natural: Codec<T>,
{
    let bytes = to_pickle(value).unwrap();
    assert_eq!(bytes.len() % 8, 0);
    let theirs = impacket.through("dcomrt", class, Syntax::Ndr, &bytes);
    assert_eq!(&from_pickle::<T>(&theirs).unwrap(), value, "{class}");
}

const ID: Guid = Guid::new(0x1234_5778, 0x1234, 0xabcd, [0xef, 0, 1, 0x23, 0x45, 0x67, 0x89, 0xac]);

#[test]
fn activation_properties() {
    let mut impacket = Impacket::new();
    let version = ComVersion { major_version: 5, minor_version: 7 };
    let instantiation = InstantiationInfoData {
        class_id: ID,
        class_ctx: 0x14,
        actv_flags: 8,
        is_surrogate: 0,
        iid_count: 2,
        inst_flag: 0,
        iids: Some(vec![ID, Guid::new(0, 0, 0, [0xc0, 0, 0, 0, 0, 0, 0, 0x46])]),
        this_size: 0x68,
        client_com_version: version,
    };
    pickled(&mut impacket, "InstantiationInfoData", &instantiation);
    let request =
        CustomRemoteRequestScmInfo { client_imp_level: 2, protseq_count: 3, protseqs: Some(vec![7, 8, 9]) };
    let request = ScmRequestInfoData { reserved: None, remote_request: Some(request) };
    pickled(&mut impacket, "ScmRequestInfoData", &request);
    let location = LocationInfoData {
        machine_name: Some("machine".into()),
        process_id: 1,
        apartment_id: 2,
        context_id: 3,
    };
    pickled(&mut impacket, "LocationInfoData", &location);
    let reply = CustomRemoteReplyScmInfo {
        oxid: 0x1122_3344_5566_7788,
        oxid_bindings: Some(DualStringArray {
            num_entries: 5,
            security_offset: 4,
            string_array: vec![7, 104, 0, 0, 0],
        }),
        ipid_rem_unknown: ID,
        authn_hint: 6,
        server_version: version,
    };
    pickled(
        &mut impacket,
        "ScmReplyInfoData",
        &ScmReplyInfoData { reserved: None, remote_reply: Some(reply) },
    );
    let props = PropsOutInfo {
        count: 2,
        iids: Some(vec![ID, ID]),
        results: Some(vec![FaultStatus(0), FaultStatus(0x8000_4002)]),
        interfaces: Some(vec![Some(MInterfacePointer::new(b"an interface")), None]),
    };
    pickled(&mut impacket, "PropsOutInfo", &props);
}

#[test]
fn orpc_extensions() {
    let mut impacket = Impacket::new();
    let extent = OrpcExtent { id: ID, size: 5, data: b"hello\0\0\0".to_vec() };
    let value = OrpcThis {
        version: ComVersion { major_version: 5, minor_version: 7 },
        flags: 1,
        reserved1: 0,
        cid: ID,
        extensions: Some(OrpcExtentArray { size: 1, reserved: 0, extent: Some(vec![Some(extent), None]) }),
    };
    let bytes = watertight_dcerpc::ndr::to_bytes(&value, Syntax::Ndr).unwrap();
    let theirs = impacket.through("dcomrt", "ORPCTHIS", Syntax::Ndr, &bytes);
    let order = watertight_dcerpc::ndr::Order::Little;
    let read: OrpcThis = watertight_dcerpc::ndr::from_bytes(&theirs, Syntax::Ndr, order).unwrap();
    assert_eq!(read, value);
}
