"""One side of an exchange, by libraries that are not ours. Lines in, lines out, bytes in hexadecimal.

peer.py pyspnego|impacket|gssapi|samba client|server ntlm|negotiate|kerberos OPTION…

Options: user=…, password=…, domain=…, bindings=HEX, dce, host=….
"""

import os
import struct
import sys
import tempfile
import traceback

NTLM_OID = "1.3.6.1.4.1.311.2.2.10"


class PySpnego:
    """pyspnego's own NTLM and SPNEGO; its Kerberos is MIT's."""

    def __init__(self, role, mechanism, options):
        import spnego
        from spnego.channel_bindings import GssChannelBindings

        flags = (
            spnego.ContextReq.integrity
            | spnego.ContextReq.confidentiality
            | spnego.ContextReq.sequence_detect
            | spnego.ContextReq.mutual_auth
        )
        if "dce" in options:
            flags |= spnego.ContextReq.dce_style
        bindings = None
        if "bindings" in options:
            bindings = GssChannelBindings(application_data=bytes.fromhex(options["bindings"]))
        # Its own negotiation, not GSSAPI's.
        kind = spnego.NegotiateOptions.use_negotiate if mechanism == "negotiate" else spnego.NegotiateOptions.none
        if mechanism == "ntlm":
            kind = spnego.NegotiateOptions.use_ntlm
        common = dict(
            hostname=options.get("host", "mail1.dom.test"),
            service=options.get("service", "HTTP"),
            channel_bindings=bindings,
            context_req=flags,
            protocol=mechanism,
            options=kind,
        )
        if role == "client":
            user = options.get("user")
            if options.get("domain"):
                user = options["domain"] + "\\" + user
            self.context = spnego.client(user, options.get("password"), **common)
        else:
            if "user" in options:
                with tempfile.NamedTemporaryFile("w", delete=False, encoding="utf-8") as users:
                    users.write("%s:%s:%s\n" % (options["domain"], options["user"], options["password"]))
                os.environ["NTLM_USER_FILE"] = users.name
            self.context = spnego.server(**common)
        self.role = role

    def step(self, token):
        out = self.context.step(token or None)
        return out, self.context.complete

    def who(self):
        return (self.context.client_principal or "").encode()

    def key(self):
        return self.context.session_key

    def sign(self, data):
        return self.context.sign(data)

    def verify(self, data, signature):
        self.context.verify(data, signature)

    def seal(self, data):
        wrapped = self.context.wrap(data, encrypt=True)
        assert wrapped.encrypted
        return wrapped.data

    def unseal(self, data):
        return self.context.unwrap(data).data

    def seal3(self, head, body, tail):
        from spnego.iov import BufferType

        sealed = self.context.wrap_iov(
            [BufferType.header, (BufferType.sign_only, head), body, (BufferType.sign_only, tail)], encrypt=True
        )
        return sealed.buffers[2].data, sealed.buffers[0].data

    def unseal3(self, head, body, tail, signature):
        from spnego.iov import BufferType

        clear = self.context.unwrap_iov(
            [
                (BufferType.header, signature),
                (BufferType.sign_only, head),
                body,
                (BufferType.sign_only, tail),
            ]
        )
        return clear.buffers[2].data


class Impacket:
    """impacket's NTLM, as its RPC clients and its SMB server use it, with its SPNEGO around it."""

    def __init__(self, role, mechanism, options):
        self.role, self.mechanism, self.options = role, mechanism, options
        self.bindings = b""
        if "bindings" in options:
            import hashlib

            data = bytes.fromhex(options["bindings"])
            self.bindings = hashlib.md5(bytes(16) + struct.pack("<I", len(data)) + data).digest()
        self.first = True
        self.waiting = False

    def step(self, token):
        return self.client(token) if self.role == "client" else self.server(token)

    def client(self, token):
        from impacket import ntlm
        from impacket.spnego import SPNEGO_NegTokenInit, SPNEGO_NegTokenResp, TypesMech

        negotiate = self.mechanism == "negotiate"
        if self.first:
            self.first = False
            self.type1 = ntlm.getNTLMSSPType1("", "", signingRequired=True, use_ntlmv2=True)
            if not negotiate:
                return self.type1.getData(), False
            init = SPNEGO_NegTokenInit()
            init["MechTypes"] = [TypesMech["NTLMSSP - Microsoft NTLM Security Support Provider"]]
            init["MechToken"] = self.type1.getData()
            return init.getData(), False
        if self.waiting:
            assert SPNEGO_NegTokenResp(token)["NegState"] == b"\0", "not accepted"
            return None, True
        challenge = SPNEGO_NegTokenResp(token)["ResponseToken"] if negotiate else token
        type3, key = ntlm.getNTLMSSPType3(
            self.type1,
            challenge,
            self.options["user"],
            self.options["password"],
            self.options["domain"],
            use_ntlmv2=True,
            channel_binding_value=self.bindings,
            service="HTTP",
        )
        self.keys(type3["flags"], key)
        if not negotiate:
            return type3.getData(), True
        resp = SPNEGO_NegTokenResp()
        resp["ResponseToken"] = type3.getData()
        self.waiting = True
        return resp.getData(), False

    def server(self, token):
        from impacket import ntlm
        from impacket.smbserver import computeNTLMv2

        if self.first:
            self.first = False
            self.type1 = ntlm.NTLMAuthNegotiate()
            self.type1.fromString(token)
            pairs = ntlm.AV_PAIRS()
            pairs[ntlm.NTLMSSP_AV_HOSTNAME] = "PEER".encode("utf-16le")
            pairs[ntlm.NTLMSSP_AV_DOMAINNAME] = "DOM".encode("utf-16le")
            pairs[ntlm.NTLMSSP_AV_DNS_HOSTNAME] = "peer.dom.test".encode("utf-16le")
            challenge = ntlm.NTLMAuthChallenge()
            challenge["flags"] = self.type1["flags"] | ntlm.NTLMSSP_NEGOTIATE_TARGET_INFO
            challenge["domain_len"] = challenge["domain_max_len"] = len("DOM") * 2
            challenge["domain_offset"] = 56
            challenge["challenge"] = os.urandom(8)
            challenge["TargetInfoFields_len"] = challenge["TargetInfoFields_max_len"] = len(pairs)
            challenge["TargetInfoFields"] = pairs
            challenge["TargetInfoFields_offset"] = 56 + len("DOM") * 2
            challenge["Version"] = b"\xff" * 8
            challenge["VersionLen"] = 8
            challenge["domain_name"] = "DOM".encode("utf-16le")
            self.challenge = challenge
            return challenge.getData(), False
        proof = ntlm.NTLMAuthChallengeResponse()
        proof.fromString(token)
        nt_hash = ntlm.compute_nthash(self.options["password"])
        good, key = computeNTLMv2(
            proof["user_name"].decode("utf-16le"),
            b"",
            nt_hash,
            self.challenge["challenge"],
            proof,
            self.challenge,
            self.type1,
        )[:2]
        if isinstance(good, bytes):
            good, key = key, good
        if good not in (0, True):
            raise ValueError("the proof is wrong: %r" % (good,))
        self.keys(proof["flags"], key)
        return None, True

    def keys(self, flags, key):
        from impacket import ntlm
        from Cryptodome.Cipher import ARC4

        us, them = ("Client", "Server") if self.role == "client" else ("Server", "Client")
        self.flags, self.session_key = flags, key
        self.sign_out, self.sign_in = ntlm.SIGNKEY(flags, key, us), ntlm.SIGNKEY(flags, key, them)
        self.handle_out = ARC4.new(ntlm.SEALKEY(flags, key, us)).encrypt
        self.handle_in = ARC4.new(ntlm.SEALKEY(flags, key, them)).encrypt
        self.sequence_out = self.sequence_in = 0

    def who(self):
        return b""

    def key(self):
        return self.session_key

    def sign(self, data):
        from impacket import ntlm

        mac = ntlm.MAC(self.flags, self.handle_out, self.sign_out, self.sequence_out, data)
        self.sequence_out += 1
        return mac.getData()

    def verify(self, data, signature):
        from impacket import ntlm

        mac = ntlm.MAC(self.flags, self.handle_in, self.sign_in, self.sequence_in, data)
        self.sequence_in += 1
        if mac.getData() != signature:
            raise ValueError("the signature is wrong")

    def seal3(self, head, body, tail):
        sealed = self.handle_out(body)
        return sealed, self.sign(head + body + tail)

    def unseal3(self, head, body, tail, signature):
        clear = self.handle_in(body)
        self.verify(head + clear + tail, signature)
        return clear

    def seal(self, data):
        sealed, signature = self.seal3(b"", data, b"")
        return signature + sealed

    def unseal(self, data):
        return self.unseal3(b"", data[16:], b"", data[:16])


class Gssapi:
    """MIT's Kerberos, and its SPNEGO."""

    def __init__(self, role, mechanism, options):
        import gssapi

        oid = "1.3.6.1.5.5.2" if mechanism == "negotiate" else "1.2.840.113554.1.2.2"
        mech = gssapi.OID.from_int_seq(oid)
        bindings = None
        if "bindings" in options:
            bindings = gssapi.raw.ChannelBindings(application_data=bytes.fromhex(options["bindings"]))
        flag = gssapi.RequirementFlag
        flags = [flag.mutual_authentication, flag.integrity, flag.confidentiality, flag.replay_detection]
        flags.append(flag.out_of_sequence_detection)
        if "dce" in options:
            flags.append(flag.dce_style)
        common = dict(channel_bindings=bindings)
        if role == "client":
            service = options.get("service", "HTTP") + "@" + options.get("host", "mail1.dom.test")
            name = gssapi.Name(service, gssapi.NameType.hostbased_service)
            self.context = gssapi.SecurityContext(name=name, mech=mech, flags=flags, usage="initiate", **common)
        else:
            credentials = gssapi.Credentials(usage="accept")
            self.context = gssapi.SecurityContext(creds=credentials, usage="accept", **common)

    def step(self, token):
        return self.context.step(token or None), self.context.complete

    def who(self):
        return str(self.context.initiator_name).encode()

    def key(self):
        import gssapi

        oid = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2.5.5")
        return gssapi.raw.inquire_sec_context_by_oid(self.context, oid)[0]

    def sign(self, data):
        return self.context.get_signature(data)

    def verify(self, data, signature):
        self.context.verify_signature(data, signature)

    def seal(self, data):
        wrapped = self.context.wrap(data, True)
        assert wrapped.encrypted
        return wrapped.message

    def unseal(self, data):
        return self.context.unwrap(data).message

    def buffers(self, signature, head, body, tail):
        from gssapi.raw import IOV, IOVBufferType

        first = (IOVBufferType.header, False, signature) if signature else IOVBufferType.header
        only = IOVBufferType.sign_only
        return IOV(first, (only, head), body, (only, tail), std_layout=False)

    def seal3(self, head, body, tail):
        from gssapi.raw import wrap_iov

        buffers = self.buffers(None, head, body, tail)
        assert wrap_iov(self.context, buffers, True)
        return buffers[2].value, buffers[0].value

    def unseal3(self, head, body, tail, signature):
        from gssapi.raw import unwrap_iov

        buffers = self.buffers(signature, head, body, tail)
        unwrap_iov(self.context, buffers)
        return buffers[2].value


class Samba:
    """Samba's gensec, on the client's side: what smbtorture and rpcclient sign in with. Its Kerberos is Heimdal's."""

    def __init__(self, role, mechanism, options):
        from samba import credentials, gensec, param

        settings = param.LoadParm()
        settings.set("realm", "DOM.TEST")
        settings.set("workgroup", "DOM")
        who = credentials.Credentials()
        who.guess(settings)
        kerberos = credentials.DONT_USE_KERBEROS
        if "user" in options:
            who.set_username(options["user"])
            who.set_password(options["password"])
            who.set_domain(options["domain"])
        elif "anonymous" in options:
            who.set_anonymous()
        if "realm" in options:
            who.set_realm(options["realm"])
            kerberos = credentials.MUST_USE_KERBEROS
        who.set_kerberos_state(kerberos)
        self.context = gensec.Security.start_client(
            {"target_hostname": options.get("host", "mail1.dom.test"), "lp_ctx": settings}
        )
        self.context.set_credentials(who)
        self.context.set_target_service("HTTP")
        self.context.want_feature(gensec.FEATURE_SIGN)
        self.context.want_feature(gensec.FEATURE_SEAL)
        if "dce" in options:
            self.context.want_feature(gensec.FEATURE_DCE_STYLE)
        if "header" in options:
            self.context.want_feature(gensec.FEATURE_SIGN_PKT_HEADER)
        names = {"ntlm": "ntlmssp", "negotiate": "spnego", "kerberos": "gssapi_krb5"}
        self.context.start_mech_by_name(names[mechanism])

    def step(self, token):
        done, token = self.context.update(token)
        return token, done

    def key(self):
        return self.context.session_key()

    def sign(self, data):
        return self.context.sign_packet(data, data)

    def verify(self, data, signature):
        self.context.check_packet(data, data, signature)

    def sign3(self, head, body, tail):
        return self.context.sign_packet(body, head + body + tail)

    def seal(self, data):
        return self.context.wrap(data)

    def unseal(self, data):
        return self.context.unwrap(data)


def main():
    library, role, mechanism = sys.argv[1:4]
    options = dict(argument.partition("=")[::2] for argument in sys.argv[4:])
    peer = {"pyspnego": PySpnego, "impacket": Impacket, "gssapi": Gssapi, "samba": Samba}[library](role, mechanism, options)
    for line in sys.stdin:
        verb, *arguments = line.rstrip("\n").split(" ")
        arguments = [bytes.fromhex(argument) for argument in arguments]
        try:
            result = getattr(peer, verb)(*arguments)
        except Exception as error:  # Whatever it is, the other side must hear of it.
            traceback.print_exc()
            text = "%s: %s" % (type(error).__name__, error)
            print("error", text.replace("\n", " "), flush=True)
            continue
        if verb == "step":
            token, done = result
            print("done" if done else "going", (token or b"").hex(), flush=True)
        else:
            parts = result if isinstance(result, tuple) else (result or b"",)
            print("ok", *(part.hex() for part in parts), flush=True)


main()
