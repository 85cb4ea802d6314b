"""Saves every PDF of the Inbox into a directory: save_attachments.py SERVER USER DIRECTORY."""

import os
import sys

import watertight

if __name__ == "__main__":
    server, user, directory = sys.argv[1:]
    with watertight.Session(server, user, os.environ["WATERTIGHT_PASSWORD"]) as s:
        for m in s.inbox.search(has_attachments=True):
            for a in m.attachments:
                if a.content_type == "application/pdf":
                    print(a.save(directory))
