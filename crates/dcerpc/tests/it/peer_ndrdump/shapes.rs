//! Shapes that are heavy with pointers, as parameters of interfaces that we do not serve: unions of pointers to structures
//! with arrays of structures with strings ([MS-SRVS] NetrShareEnum), conformant structures behind pointers in arrays, and
//! strings with two lengths in bytes ([MS-LSAT] LsarLookupSids).

use watertight_dcerpc::interface::interface;
use watertight_dcerpc::ndr::{ContextHandle, Ndr, Syntax};

use super::call_in;

#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct ShareInfo1 {
    #[ndr(unique, string)]
    name: Option<String>,
    kind: u32,
    #[ndr(unique, string)]
    comment: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct ShareCtr1 {
    count: u32,
    #[ndr(unique, size_is(count))]
    array: Option<Vec<ShareInfo1>>,
}

#[derive(Debug, Clone, PartialEq, Ndr)]
pub enum ShareCtr {
    #[ndr(case(1))]
    Level1(#[ndr(unique)] Option<ShareCtr1>),
    #[ndr(default)]
    Other(u32),
}

#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct ShareInfoCtr {
    level: u32,
    #[ndr(switch_is(level))]
    ctr: ShareCtr,
}

#[interface("4b324fc8-1670-01d3-1278-5a47bf6ee188", version = "3.0")]
pub trait Srvsvc {
    /// NetrShareEnum
    #[opnum(15)]
    fn share_enum(
        &self,
        #[ndr(unique, string)] server: Option<String>,
        #[ndr(in, out)] info: &mut ShareInfoCtr,
        max_buffer: u32,
        #[ndr(out)] total: &mut u32,
        #[ndr(in, out, unique)] resume: &mut Option<u32>,
    ) -> u32;
}

#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct Sid {
    revision: u8,
    count: u8,
    authority: [u8; 6],
    #[ndr(size_is(count))]
    sub: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct SidPtr {
    #[ndr(unique)]
    sid: Option<Sid>,
}

#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct SidArray {
    #[ndr(range(0, 20480))]
    count: u32,
    #[ndr(unique, size_is(count))]
    sids: Option<Vec<SidPtr>>,
}

#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct UnicodeString {
    length: u16,
    size: u16,
    #[ndr(unique, size_is(size / 2), length_is(length / 2))]
    text: Option<Vec<u16>>,
}

impl UnicodeString {
    fn new(text: &str, extra: u16) -> Self {
        let units: Vec<u16> = text.encode_utf16().collect();
        let length = u16::try_from(units.len() * 2).unwrap();
        Self { length, size: length + extra, text: Some(units) }
    }
}

#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct TranslatedName {
    #[ndr(enum)]
    kind: u16,
    name: UnicodeString,
    domain: u32,
}

#[derive(Debug, Clone, PartialEq, Default, Ndr)]
pub struct TranslatedNames {
    count: u32,
    #[ndr(unique, size_is(count))]
    names: Option<Vec<TranslatedName>>,
}

#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct Domain {
    name: UnicodeString,
    #[ndr(unique)]
    sid: Option<Sid>,
}

#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct Domains {
    count: u32,
    #[ndr(unique, size_is(count))]
    domains: Option<Vec<Domain>>,
    max: u32,
}

#[interface("12345778-1234-abcd-ef00-0123456789ab", version = "0.0")]
pub trait Lsa {
    /// LsarLookupSids
    #[opnum(15)]
    fn lookup_sids(
        &self,
        policy: ContextHandle,
        sids: SidArray,
        #[ndr(out, unique)] domains: &mut Option<Domains>,
        #[ndr(in, out)] names: &mut TranslatedNames,
        #[ndr(enum)] level: u16,
        #[ndr(in, out)] count: &mut u32,
    ) -> u32;
}

const BOTH: [Syntax; 2] = [Syntax::Ndr, Syntax::Ndr64];

#[test]
fn a_union_of_pointers_to_arrays_of_structures_with_strings() {
    let share = |name: &str, comment: Option<&str>| ShareInfo1 {
        name: Some(name.into()),
        kind: 0,
        comment: comment.map(Into::into),
    };
    let array = vec![share("IPC$", Some("")), share("odd", None), share("data", Some("a comment"))];
    let ctr = |array: Option<Vec<ShareInfo1>>| ShareInfoCtr {
        level: 1,
        ctr: ShareCtr::Level1(Some(ShareCtr1 {
            count: array.as_ref().map_or(0, |array| array.len().try_into().unwrap()),
            array,
        })),
    };
    call_in::<ShareEnum>(
        &BOTH,
        "srvsvc",
        "srvsvc_NetShareEnumAll",
        &ShareEnumRequest {
            server: Some("\\\\server".into()),
            info: ctr(None),
            max_buffer: u32::MAX,
            resume: None,
        },
        &ShareEnumResponse { info: ctr(Some(array)), total: 3, resume: Some(4), result: 0 },
        &["'IPC$'", "'odd'", "'a comment'", "totalentries"],
    );
}

#[test]
fn conformant_structures_behind_pointers_in_arrays() {
    let sid = |sub: &[u32]| Sid {
        revision: 1,
        count: sub.len().try_into().unwrap(),
        authority: [0, 0, 0, 0, 0, 5],
        sub: sub.to_vec(),
    };
    let sids = [&[18][..], &[32, 544], &[21, 1, 2, 3, 500]];
    let sids: Vec<_> = sids.into_iter().map(|sub| SidPtr { sid: Some(sid(sub)) }).collect();
    let name = |kind, text: &str| TranslatedName { kind, name: UnicodeString::new(text, 0), domain: 0 };
    call_in::<LookupSids>(
        &BOTH,
        "lsarpc",
        "lsa_LookupSids",
        &LookupSidsRequest {
            policy: ContextHandle::NULL,
            sids: SidArray { count: 3, sids: Some(sids) },
            names: TranslatedNames::default(),
            level: 1,
            count: 0,
        },
        &LookupSidsResponse {
            domains: Some(Domains {
                count: 1,
                domains: Some(vec![Domain {
                    name: UnicodeString::new("DOMAIN", 2),
                    sid: Some(sid(&[21, 1, 2, 3])),
                }]),
                max: 32,
            }),
            names: TranslatedNames {
                count: 3,
                names: Some(vec![name(5, "SYSTEM"), name(4, "Administrators"), name(1, "a")]),
            },
            count: 3,
            result: 0,
        },
        &["S-1-5-21-1-2-3-500", "'Administrators'", "'DOMAIN'", "LSA_LOOKUP_NAMES_ALL", "SID_NAME_USER"],
    );
}
