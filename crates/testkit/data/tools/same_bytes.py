#!/usr/bin/env python3
"""Says whether a Maildir++ tree holds exactly the messages of some sources, byte for byte, each as often.

    same_bytes.py MAILDIR SOURCE…

A source is a directory of eml files or an mbox file (whose `>From ` quoting is undone). Read by Python's `mailbox`.
Prints one JSON object; exits 0 when equal, 1 when not. Standard library only.
"""
import hashlib
import json
import mailbox
import os
import re
import sys
from collections import Counter


def digest(data):
    return hashlib.sha256(data).hexdigest()


def maildir(root):
    found, names = Counter(), {}
    box = mailbox.Maildir(root, factory=None, create=False)
    for folder in [box] + [box.get_folder(name) for name in box.list_folders()]:
        for key in folder.keys():
            # Not get_bytes(): that gives universal line ends.
            with open(os.path.join(folder._path, folder._lookup(key)), "rb") as fh:
                data = fh.read()
            found[digest(data)] += 1
            names[digest(data)] = key
    return found, names


def source(path):
    found, names = Counter(), {}
    if os.path.isdir(path):
        for name in sorted(os.listdir(path)):
            with open(os.path.join(path, name), "rb") as fh:
                data = fh.read()
            found[digest(data)] += 1
            names[digest(data)] = name
        return found, names
    box = mailbox.mbox(path, create=False)
    for key in box.keys():
        data = re.sub(rb"(?m)^>(>*From )", rb"\1", box.get_bytes(key))
        found[digest(data)] += 1
        names[digest(data)] = "%s#%d" % (os.path.basename(path), key + 1)
    return found, names


def main():
    have, have_names = maildir(sys.argv[1])
    want, want_names = Counter(), {}
    for path in sys.argv[2:]:
        found, names = source(path)
        want += found
        want_names.update(names)
    missing = sorted(want_names[d] for d in (want - have))
    extra = sorted(have_names[d] for d in (have - want))
    print(json.dumps({"messages": sum(want.values()), "missing": missing, "extra": extra}))
    return 1 if missing or extra else 0


sys.exit(main())
