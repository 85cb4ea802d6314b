#!/usr/bin/env python3
"""Drives a MAPI/HTTP server with mapi_probe.py and checks what comes back.

    probe_check.py HOST PORT USER PASSWORD-FILE USER-DN EXPECTED.json

EXPECTED.json: {"folders": ["Inbox", …], "inbox": number of messages in the Inbox (at least 12),
"subjects": [subjects of some of them]}. The mailbox is changed. Prints one JSON object; exits 1 at the first check
that fails, and says which. Standard library only.
"""
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import mapi_probe as mp  # noqa: E402

CONTENTS, HIERARCHY = 1, 2
IPM, INBOX, DELETED = 3, 4, 7          # positions in the FolderIds of a RopLogon response
SUBJECT, DISPLAY_NAME, MID, FLAGS, FID = 0x0037001F, 0x3001001F, 0x674A0014, 0x0E070003, 0x67480014
IDSET_DELETED, IDSET_GONE, IDSET_READ, IDSET_UNREAD = 0x67E50102, 0x40210102, 0x402D0102, 0x402E0102
done = []


def check(what, good, seen=None):
    if not good:
        print("FAILED: %s%s" % (what, "" if seen is None else ": %r" % (seen,)), file=sys.stderr)
        sys.exit(1)
    done.append(what)


def objects(stream):
    """The change units of a stream: properties of the top object, and how much is inside it."""
    all_, current, depth = [], None, 0
    for tag, value in mp.fx(stream):
        name = mp.MK.get(tag) if value is None else None
        if name == "IncrSyncChg":
            current = {"props": {}, "recipients": 0, "attachments": 0}
            all_.append(current)
            depth = 0
        elif name in ("IncrSyncDel", "IncrSyncRead", "IncrSyncStateBegin", "IncrSyncEnd", "ProgressPerMsg"):
            current = None
        elif name in ("StartRecip", "NewAttach", "StartEmbed"):
            if current is not None:
                if depth == 0 and name == "StartRecip":
                    current["recipients"] += 1
                if depth == 0 and name == "NewAttach":
                    current["attachments"] += 1
            depth += 1
        elif name in ("EndToRecip", "EndAttach", "EndEmbed"):
            depth -= 1
        elif value is not None and current is not None and depth == 0:
            current["props"].setdefault(tag, value)
    return all_


def text(value):
    return value.decode("utf-16-le").rstrip("\0")


def rop(m, head, handles, what):
    (r, _), *_ = m.ex(head, handles)
    check("%s succeeds" % what, mp.u32(r, 2) == 0, hex(mp.u32(r, 2)))
    return r


def ids(mids):
    return struct.pack("<H", len(mids)) + b"".join(mids)


def count(idset):
    return sum(hi - lo + 1 for _, ranges in idset for lo, hi in ranges)


def main():
    host, port, user, password_file, dn, expected = sys.argv[1:7]
    with open(password_file, encoding="utf-8") as fh:
        password = fh.readline().rstrip("\n")
    with open(expected, encoding="utf-8") as fh:
        expected = json.load(fh)
    m = mp.Mapi(host, int(port), user, password)

    info = m.connect(dn)
    check("Connect gives a display name", info["display"], info)
    status, headers = m.last
    lower = {k.lower(): v for k, v in headers.items()}
    check("Connect answers 200", status == 200)
    check("X-ResponseCode is 0", lower.get("x-responsecode") == "0", lower)
    check("X-RequestType is echoed", lower.get("x-requesttype") == "Connect", lower)
    check("X-ServerApplication names Exchange", lower.get("x-serverapplication", "").startswith("Exchange/15."), lower)
    check("PROCESSING and DONE frame the answer",
          m.meta.startswith("PROCESSING\r\n") and "DONE\r\n" in m.meta, m.meta)
    check("X-ElapsedTime and X-StartTime are additional headers",
          "X-ElapsedTime:" in m.meta and "X-StartTime:" in m.meta, m.meta)
    check("the session context has a cookie", m.cookies)

    fids = m.logon(dn)
    check("Logon gives thirteen folders", len(fids) == 13 and all(fids) and len(set(fids)) == 13, fids)

    # ----- hierarchy -----
    stream, _ = m.sync(fids[IPM], HIERARCHY)
    folders = objects(stream)
    names = [text(f["props"][DISPLAY_NAME]) for f in folders]
    for name in expected["folders"]:
        check("the hierarchy has %s" % name, name in names, names)
    _, state, _ = mp.summarize(stream)
    check("the hierarchy ends with its state", {0x40170003, 0x67960102} <= set(state), state)
    stream, _ = m.sync(fids[IPM], HIERARCHY, state=state)
    counts, _, deleted = mp.summarize(stream)
    check("no folder comes twice", counts["IncrSyncChg"] == 0 and not deleted, counts)

    # ----- contents -----
    n = expected["inbox"]
    stream, _ = m.sync(fids[INBOX], CONTENTS)
    messages = objects(stream)
    check("the Inbox has %d messages" % n, len(messages) == n, len(messages))
    check("every message has an id of its own", len({x["props"][MID] for x in messages}) == n)
    subjects = [text(x["props"].get(SUBJECT, b"")) for x in messages]
    for subject in expected["subjects"]:
        check("a subject is %s" % subject, subject in subjects, subjects)
    check("some have recipients", sum(x["recipients"] for x in messages) > n // 2)
    check("some have attachments", sum(x["attachments"] for x in messages) > 0)
    _, state, _ = mp.summarize(stream)
    check("the contents end with their state", set(mp.STATE) <= set(state), state)
    full = len(stream)

    stream, _ = m.sync(fids[INBOX], CONTENTS, chain=False)
    check("unchained buffers bring the same messages", len(objects(stream)) == n)

    stream, _ = m.sync(fids[INBOX], CONTENTS, state=state)
    counts, _, deleted = mp.summarize(stream)
    check("nothing changed, nothing comes", counts["IncrSyncChg"] == 0 and not deleted, (counts, deleted))
    check("and takes less than 500 bytes", len(stream) < 500, len(stream))
    nothing = len(stream)

    # ----- read flags, deletions, a move -----
    mids = [x["props"][MID] for x in messages]
    read = [x["props"][MID] for x in messages if mp.u32(x["props"][FLAGS], 0) & 1]
    unread = [mid for mid in mids if mid not in read]
    mark, unmark = unread[:3], read[:2]
    kept = [mid for mid in mids if mid not in mark and mid not in unmark]
    soft, hard, moved = kept[:1], kept[1:3], kept[3:5]
    check("there are enough messages to change", len(moved) == 2 and mark and unmark)
    inbox = m.openfolder(fids[INBOX])
    rop(m, struct.pack("<BBBBB", 0x66, 0, 0, 0, 0x00) + ids(mark), [inbox], "RopSetReadFlags (read)")
    rop(m, struct.pack("<BBBBB", 0x66, 0, 0, 0, 0x04) + ids(unmark), [inbox], "RopSetReadFlags (unread)")
    rop(m, struct.pack("<BBBBB", 0x1E, 0, 0, 0, 0) + ids(soft), [inbox], "RopDeleteMessages")
    rop(m, struct.pack("<BBBBB", 0x91, 0, 0, 0, 0) + ids(hard), [inbox], "RopHardDeleteMessages")
    bin_ = m.openfolder(fids[DELETED])
    rop(m, struct.pack("<BBBB", 0x33, 0, 0, 1) + ids(moved) + b"\0\0", [inbox, bin_], "RopMoveCopyMessages")

    stream, _ = m.sync(fids[INBOX], CONTENTS, state=state)
    counts, after, sets = mp.summarize(stream)
    check("changes of read state are no changes of the message", counts["IncrSyncChg"] == 0, counts)
    gone = count(sets.get(IDSET_DELETED, [])) + count(sets.get(IDSET_GONE, []))
    check("deletions and moves are told", gone == len(soft + hard + moved), sets)
    check("read messages are told", count(sets.get(IDSET_READ, [])) == len(mark), sets)
    check("unread messages are told", count(sets.get(IDSET_UNREAD, [])) == len(unmark), sets)
    stream, _ = m.sync(fids[INBOX], CONTENTS, state=after)
    counts, _, sets = mp.summarize(stream)
    check("once", counts["IncrSyncChg"] == 0 and not sets, (counts, sets))
    stream, _ = m.sync(fids[DELETED], CONTENTS)
    there = [text(x["props"].get(SUBJECT, b"")) for x in objects(stream)]
    wanted = sorted(text(x["props"].get(SUBJECT, b"")) for x in messages if x["props"][MID] in moved)
    check("moved messages are in Deleted Items", sorted(there) == wanted, there)

    # ----- back again -----
    stream, _ = m.sync(fids[INBOX], CONTENTS)
    check("a first synchronization sees what is left", len(objects(stream)) == n - gone)
    m.release(bin_)
    m.release(inbox)
    body = m.post("Disconnect", struct.pack("<I", 0))
    check("Disconnect succeeds", mp.u32(body, 0) == 0 and mp.u32(body, 4) == 0, body.hex())
    try:
        m.logon(dn)
        lower = {k.lower(): v for k, v in m.last[1].items()}
        check("the session context is gone", lower.get("x-responsecode") not in (None, "0"), lower)
    except Exception:  # noqa: BLE001
        lower = {k.lower(): v for k, v in m.last[1].items()}
        check("the session context is gone", lower.get("x-responsecode") not in (None, "0"), lower)
    wrong = mp.Mapi(host, int(port), user, password + "x")
    try:
        wrong.connect(dn)
        check("a wrong password is refused", False)
    except Exception as error:  # noqa: BLE001
        check("a wrong password is refused with 401", "HTTP 401" in str(error), str(error))
    print(json.dumps({"checks": len(done), "messages": n, "first_sync_bytes": full, "no_change_bytes": nothing}))


main()
