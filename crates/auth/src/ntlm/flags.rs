use watertight_wire::wire_flags;

wire_flags! {
    /// NEGOTIATE — [MS-NLMP] 2.2.2.5
    pub struct NegotiateFlags: u32 {
        /// Names are UTF-16LE.
        UNICODE = 0x0000_0001,
        /// Names are in the machine's code page.
        OEM = 0x0000_0002,
        /// The client wants TargetName.
        REQUEST_TARGET = 0x0000_0004,
        /// Messages are to be signed.
        SIGN = 0x0000_0010,
        /// Messages are to be encrypted.
        SEAL = 0x0000_0020,
        /// Connectionless.
        DATAGRAM = 0x0000_0040,
        /// LAN Manager session keys.
        LM_KEY = 0x0000_0080,
        /// NTLM session keys.
        NTLM = 0x0000_0200,
        /// The connection is anonymous.
        ANONYMOUS = 0x0000_0800,
        /// DomainName is there.
        OEM_DOMAIN_SUPPLIED = 0x0000_1000,
        /// Workstation is there.
        OEM_WORKSTATION_SUPPLIED = 0x0000_2000,
        /// There are session keys, even where nothing is signed.
        ALWAYS_SIGN = 0x0000_8000,
        /// TargetName is a domain.
        TARGET_TYPE_DOMAIN = 0x0001_0000,
        /// TargetName is a server.
        TARGET_TYPE_SERVER = 0x0002_0000,
        /// Signatures with HMAC-MD5 and keys for each direction.
        EXTENDED_SESSIONSECURITY = 0x0008_0000,
        /// An identify-level token.
        IDENTIFY = 0x0010_0000,
        /// LMOWF keys.
        REQUEST_NON_NT_SESSION_KEY = 0x0040_0000,
        /// TargetInfo is there.
        TARGET_INFO = 0x0080_0000,
        /// Version is there.
        VERSION = 0x0200_0000,
        /// Keys of 128 bits.
        KEY_128 = 0x2000_0000,
        /// The client chooses the session key.
        KEY_EXCH = 0x4000_0000,
        /// Keys of 56 bits.
        KEY_56 = 0x8000_0000_u32,
    }
}
