"""Moves what was received before a day into folders by year: archive.py SERVER USER 2024-01-01."""

import datetime
import os
import sys

import watertight

if __name__ == "__main__":
    server, user, day = sys.argv[1:]
    with watertight.Session(server, user, os.environ["WATERTIGHT_PASSWORD"]) as s:
        for m in s.inbox.search(before=datetime.date.fromisoformat(day)):
            if m.received:
                m.move_to(s.create_folder(f"Archive/{m.received.year}"))
        for f in s.folder("Archive").folders():
            print(f.path, len(f))
