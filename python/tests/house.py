"""A server of ours on an empty mailbox, for the tests and the examples."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading

import watertight

PASSWORD = "p4ss-w0rd-that-is-secret"
ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT / "crates/testkit/data/corpus/eml"


def program():
    """The binary `watertight`: what WATERTIGHT says, else what cargo has built."""
    built = ROOT / "target/debug/watertight"
    found = os.environ.get("WATERTIGHT") or (built if built.exists() else shutil.which("watertight"))
    if not found:
        raise SystemExit("no program watertight: build it, or say where it is with WATERTIGHT")
    return str(found)


class House:
    """A data directory with the account anna, and `watertight serve` on it."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.directory.name)
        (self.path / "password").write_text(PASSWORD + "\n")
        (self.path / "password").chmod(0o600)
        subprocess.run(
            [program(), "user", "add", "anna", "--smtp", "anna@example.org", "--data", self.path / "data",
             "--password-file", self.path / "password"],
            check=True, capture_output=True)
        self.start()

    def start(self, port=0):
        self.process = subprocess.Popen(
            [program(), "serve", "--http", f"127.0.0.1:{port}", "--data", self.path / "data",
             "--inspect", self.path / "inspect"],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("http "):
            raise SystemExit(f"the server did not start: {line!r}")
        self.url = line.split()[1]

    def session(self):
        return watertight.Session(self.url, user="anna", password=PASSWORD)

    def held(self):
        """How many of each kind the server holds now."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(self.path / "inspect"))
            asked.sendall(b"\n")
            with asked.makefile() as answer:
                tree = json.loads(answer.readline())["ledger"]
        counts = {}

        def add(node):
            for kind, held in node["kinds"].items():
                counts[kind] = counts.get(kind, 0) + held["now"]
            for child in node.get("children", []):
                add(child)

        add(tree)
        return counts

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def close(self):
        self.stop()
        self.directory.cleanup()


class Stall:
    """A server that accepts and never answers."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/mapi/emsmdb/"
        self.clients = []
        self.came = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.recv(1)
            self.clients.append(client)
            self.came.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A thread that accepts keeps a socket that is only closed.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for client in self.clients:
            client.close()
