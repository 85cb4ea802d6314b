#!/usr/bin/env python3
"""Replays the captured requests of the first set against a server, and compares what it answers.

The requests are those of a client that is not ours, as it sent them to a server that is not ours.
What cannot be the same is rewritten: cookies (by the HTTP layer), handles, folder and message ids, and
the uploaded synchronization state (the one that this server gave out at the same point). What is compared:
for every ROP its id, its handle index and its return value; for tables the number of rows; for FastTransfer
streams how many messages, recipients, attachments and embedded messages they hold.

usage: replay_requests.py HOST PORT USER PASSWORD-FILE DN CAPTURE-DIR [--json]
"""
import json
import pathlib
import struct
import sys
from collections import Counter

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import mapi_probe as mp  # noqa: E402

# (number of the exchange, what differs) -> why it may.
OTHER_FOLDERS = "that server's standard folders are others (Sync Issues, Quick Contacts, IM Contacts List ...)"
OTHER_CONVERSION = ("its importer makes properties of delivery reports, attachments of empty parts, and nothing of some "
                    "malformed addresses; six messages are TNEF there and a winmail.dat attachment here")
EMPTY_PART = "the attachment of an empty part, which it has and we do not (" + OTHER_CONVERSION + ")"
CLAIM = "its first state claims CnsetRead 1...2^48-1, so it never sends the read states; ours sends the five"
TOLERATED = {
    (5, "stream: IncrSyncChg"): OTHER_FOLDERS,
    (77, "rows"): OTHER_FOLDERS,
    (154, "stream: IncrSyncChg"): OTHER_FOLDERS,
    (54, "stream: NewAttach"): OTHER_CONVERSION,
    (54, "stream: StartRecip"): OTHER_CONVERSION,
    (130, "rows"): EMPTY_PART,
    (131, "return value"): EMPTY_PART,
    (132, "return value"): EMPTY_PART,
    (133, "return value"): EMPTY_PART,
    (174, "stream: 0x402d0102"): CLAIM,
    (174, "stream: IncrSyncRead"): CLAIM,
    (195, "stream: NewAttach"): OTHER_CONVERSION,
}

SPECIAL = range(13)


def payload(http_body, response):
    """The ROPs and the handle table of an Execute body (no compression, no chaining)."""
    if response:
        size = mp.u32(http_body, 12)
        ext = http_body[16:16 + size]
    else:
        size = mp.u32(http_body, 4)
        ext = http_body[8:8 + size]
    length = struct.unpack_from("<HHHH", ext, 0)[2]
    body = ext[8:8 + length]
    rop_size = mp.u16(body, 0)
    handles = [mp.u32(body, i) for i in range(rop_size, len(body) - 3, 4)]
    return body[2:rop_size], handles


def after_headers(body):
    return body[body.find(b"\r\n\r\n") + 4:]


def messages(stream):
    """(mid, key) of every message of a contents synchronization, in order; the key tells messages apart."""
    out, header, props, depth = [], None, {}, 0
    mode = None
    for tag, value in mp.fx(stream):
        if value is None:
            name = mp.MK[tag]
            if name in ("IncrSyncChg", "IncrSyncDel", "IncrSyncRead", "IncrSyncStateBegin", "IncrSyncEnd",
                        "ProgressPerMsg") and props:
                out.append(props)
                props = {}
            mode = name
            if name in ("StartEmbed", "StartRecip", "NewAttach"):
                depth += 1
            elif name in ("EndEmbed", "EndToRecip", "EndAttach"):
                depth -= 1
            if name == "IncrSyncChg":
                props = {}
                header = True
            continue
        if depth == 0 and header and mode in ("IncrSyncChg", "IncrSyncMessage"):
            props[tag] = value
    if props:
        out.append(props)
    result = []
    for p in out:
        if 0x674A0014 not in p:
            continue
        text = lambda t: (p.get(t) or b"").decode("utf-16le", "replace").rstrip("\0").strip()  # noqa: E731
        subject = " ".join((text(0x003D001F) + " " + text(0x0E1D001F)).split()) or text(0x0037001F)
        result.append((mp.u64(p[0x674A0014], 0), (text(0x1035001F), " ".join(subject.split()).lower())))
    return result


def folders(stream):
    """FID by display name of a hierarchy synchronization."""
    out, props = {}, {}
    for tag, value in mp.fx(stream):
        if value is None:
            if 0x3001001F in props and 0x67480014 in props:
                out[props[0x3001001F].decode("utf-16le").rstrip("\0")] = mp.u64(props[0x67480014], 0)
            props = {}
            continue
        props[tag] = value
    return out


class Replay:
    def __init__(self, host, port, user, password, dn, directory):
        self.dir = pathlib.Path(directory)
        self.index = json.loads((self.dir / "index.json").read_text())
        self.mapi = mp.Mapi(host, port, user, password)
        self.dn = dn
        self.handles, self.fids, self.mids = {}, {}, {}
        self.state = None
        self.differences, self.tolerated, self.compared = [], [], 0

    def captured(self, exchange):
        request = payload((self.dir / exchange["request"]).read_bytes(), False)
        response = payload(after_headers((self.dir / exchange["response"]).read_bytes()), True)
        return request, response

    def captured_stream(self, label):
        parts = []
        for e in self.index:
            if e["request_type"] != "Execute" or e["label"] != label:
                continue
            (rops, _), (answer, _) = self.captured(e)
            if rops[0] == 0x4E:
                parts.append(answer[15:15 + mp.u16(answer, 13)])
        return b"".join(parts)

    def drain(self, handle):
        data, _ = self.mapi.drain(handle, chain=False)
        return data

    def learn(self):
        """Which of our ids stand for which of theirs."""
        label = "hierarchy synchronization of the IPM subtree, no state"
        theirs = folders(self.captured_stream(label))
        ours, _ = self.mapi.sync(self.mapi.fids[3], 2)
        ours = folders(ours)
        for name, fid in theirs.items():
            if name in ours:
                self.fids[fid] = ours[name]
        label = "contents synchronization of the Inbox, no state"
        theirs = messages(self.captured_stream(label))
        stream, _ = self.mapi.sync(self.mapi.fids[4], 1)
        _, self.state, _ = mp.summarize(stream)
        ours = messages(stream)
        by_key = {}
        for mid, key in ours:
            by_key.setdefault(key, []).append(mid)
        left = []
        for mid, key in theirs:
            if by_key.get(key):
                self.mids[mid] = by_key[key].pop(0)
            else:
                left.append((mid, key))
        spare = [mid for mids in by_key.values() for mid in mids]
        unmatched = [key for _, key in left]
        for (mid, _), other in zip(left, spare):
            self.mids[mid] = other
        return len(theirs), len(ours), unmatched

    def rewrite(self, rops, label):
        rop = rops[0]
        fid = lambda at: struct.pack("<Q", self.fids.get(mp.u64(rops, at), mp.u64(rops, at)))  # noqa: E731

        def mids(at, count):
            return b"".join(
                struct.pack("<Q", self.mids.get(mp.u64(rops, at + 8 * i), mp.u64(rops, at + 8 * i)))
                for i in range(count))

        if rop == 0xFE:
            dn = self.dn.encode() + b"\0"
            return rops[:12] + struct.pack("<H", len(dn)) + dn
        if rop == 0x02:
            return rops[:4] + fid(4) + rops[12:]
        if rop == 0x03:
            return rops[:6] + fid(6) + rops[14:15] + mids(15, 1)
        if rop == 0x43:
            return rops[:3] + fid(3)
        if rop == 0x66:
            n = mp.u16(rops, 5)
            return rops[:7] + mids(7, n)
        if rop in (0x1E, 0x91):
            n = mp.u16(rops, 5)
            return rops[:7] + mids(7, n)
        if rop == 0x33:
            n = mp.u16(rops, 4)
            return rops[:6] + mids(6, n) + rops[6 + 8 * n:]
        if rop == 0x4B:
            n = mp.u16(rops, 4)
            return rops[:6] + mids(6, n) + rops[6 + 8 * n:]
        if rop == 0x75:
            self.uploading = mp.u32(rops, 3)
            blob = b"" if mp.u32(rops, 7) == 0 else self.state[self.uploading]
            return rops[:7] + struct.pack("<I", len(blob))
        if rop == 0x76:
            blob = self.state[self.uploading]
            return rops[:3] + struct.pack("<I", len(blob)) + blob
        return rops

    def differ(self, exchange, rops, what, theirs, ours):
        reason = TOLERATED.get((exchange["n"], what))
        if reason:
            self.tolerated.append({"exchange": exchange["n"], "what": what, "theirs": theirs, "ours": ours,
                                   "reason": reason})
            return
        self.differences.append({"exchange": exchange["n"], "label": exchange["label"], "rop": f"{rops[0]:#04x}",
                                 "what": what, "theirs": theirs, "ours": ours})

    def run(self):
        self.mapi.connect(self.dn)
        self.mapi.logon(self.dn)
        logon = next(e for e in self.index if e["label"] == "RopLogon")
        _, (answer, _) = self.captured(logon)
        for i in SPECIAL:
            self.fids[mp.u64(answer, 7 + 8 * i)] = self.mapi.fids[i]
        counts = self.learn()
        streams = {}
        open_streams = {}
        pending = None
        for e in self.index:
            if e["request_type"] != "Execute":
                continue
            (rops, handles), (answer, out_handles) = self.captured(e)
            mapped = [self.handles.get(h, h) for h in handles]
            if rops[0] == 0x4E:
                key = (e["label"], handles[0])
                mine = open_streams.setdefault(key, self.drain(mapped[0]) if key not in open_streams else b"")
                streams.setdefault(key, []).append(answer[15:15 + mp.u16(answer, 13)])
                pending = (e, rops, key)
                self.compared += 1
                continue
            if pending and pending[2] in streams:
                self.compare_streams(*pending, b"".join(streams[pending[2]]), open_streams[pending[2]])
                pending = None
            request = self.rewrite(rops, e["label"])
            (ours, our_handles), *_ = self.mapi.ex(request, mapped)
            for theirs_handle, our_handle in zip(out_handles, our_handles):
                if theirs_handle != 0xFFFFFFFF and theirs_handle not in self.handles:
                    self.handles[theirs_handle] = our_handle
            self.compared += 1
            if not answer:
                if ours:
                    self.differ(e, rops, "a response where there is none", "", ours.hex()[:40])
                continue
            if len(ours) < 6:
                self.differ(e, rops, "no response", answer.hex()[:40], ours.hex())
                continue
            if answer[0] != ours[0] or answer[1] != ours[1]:
                self.differ(e, rops, "ROP id or handle index", answer[:2].hex(), ours[:2].hex())
            theirs_value, our_value = mp.u32(answer, 2), mp.u32(ours, 2)
            if theirs_value != our_value:
                self.differ(e, rops, "return value", f"{theirs_value:#x}", f"{our_value:#x}")
            elif rops[0] == 0x15 and theirs_value == 0:
                if mp.u16(answer, 7) != mp.u16(ours, 7):
                    self.differ(e, rops, "rows", mp.u16(answer, 7), mp.u16(ours, 7))
            elif rops[0] in (0x05, 0x21) and theirs_value == 0 and rops[0] == 0x05:
                if mp.u32(answer, 6) != mp.u32(ours, 6):
                    self.differ(e, rops, "row count", mp.u32(answer, 6), mp.u32(ours, 6))
            elif rops[0] in (0x1E, 0x91, 0x33, 0x66) and answer[6] != ours[6]:
                self.differ(e, rops, "PartialCompletion", answer[6], ours[6])
        if pending:
            self.compare_streams(*pending, b"".join(streams[pending[2]]), open_streams[pending[2]])
        self.mapi.post("Disconnect", struct.pack("<I", 0))
        return counts

    def compare_streams(self, exchange, rops, _key, theirs, ours):
        interesting = ("IncrSyncChg", "StartRecip", "NewAttach", "StartEmbed", "StartMessage", "IncrSyncDel",
                       "IncrSyncRead", "IncrSyncEnd")

        if exchange["label"].endswith("with the first state"):
            # What follows uploads the state after the changes, its CnsetRead left out.
            self.state = mp.summarize(ours)[1]

        def count(stream):
            counter, state, dels = mp.summarize(stream)
            summary = {k: counter.get(k, 0) for k in interesting}
            for tag, sets in dels.items():
                summary[f"{tag:#010x}"] = sum(hi - lo + 1 for _, ranges in sets for lo, hi in ranges)
            return Counter(summary)

        a, b = count(theirs), count(ours)
        for key in sorted(set(a) | set(b)):
            if a[key] != b[key]:
                self.differ(exchange, rops, f"stream: {key}", a[key], b[key])


def main():
    host, port, user, password_file, dn, directory = sys.argv[1:7]
    password = pathlib.Path(password_file).read_text().rstrip("\n")
    replay = Replay(host, int(port), user, password, dn, directory)
    theirs, ours, unmatched = replay.run()
    report = {"compared": replay.compared, "messages": [theirs, ours], "unmatched": unmatched,
              "tolerated": replay.tolerated, "differences": replay.differences}
    print(json.dumps(report, indent=1))
    return 1 if replay.differences or theirs != ours else 0


if __name__ == "__main__":
    sys.exit(main())
