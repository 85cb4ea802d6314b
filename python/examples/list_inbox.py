"""Lists the Inbox, the newest first: list_inbox.py SERVER USER, or the name of a profile alone."""

import os
import sys

import watertight


def open_session(arguments: list[str]) -> watertight.Session:
    if len(arguments) == 1:
        return watertight.Session(profile=arguments[0])
    server, user = arguments
    # What is missing is asked for on the terminal.
    return watertight.Session(server, user, os.environ.get("WATERTIGHT_PASSWORD"), ask=True)


if __name__ == "__main__":
    with open_session(sys.argv[1:]) as s:
        for m in s.inbox:
            print("*" if m.unread else " ", m.received, m.sender, "-", m.subject)
