"""Writes a folder into an mbox file with Python's mailbox module: to_mbox.py SERVER USER FOLDER FILE."""

import mailbox
import os
import sys

import watertight

if __name__ == "__main__":
    server, user, folder, file = sys.argv[1:]
    with watertight.Session(server, user, os.environ["WATERTIGHT_PASSWORD"]) as s:
        box = mailbox.mbox(file)
        for m in s.folder(folder).messages(oldest_first=True):
            box.add(m.as_bytes())
        box.close()
