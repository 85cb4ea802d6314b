"""Says what has changed in the Inbox since it was last run: follow.py SERVER USER STATEFILE."""

import os
import pathlib
import sys

import watertight

if __name__ == "__main__":
    server, user, file = sys.argv[1:]
    kept = pathlib.Path(file)
    with watertight.Session(server, user, os.environ["WATERTIGHT_PASSWORD"]) as s:
        changes = s.inbox.sync(kept.read_bytes() if kept.exists() else None)
        for change in changes:
            print(change.kind, change.message.subject if change.message else change.id)
        kept.write_bytes(changes.state)
