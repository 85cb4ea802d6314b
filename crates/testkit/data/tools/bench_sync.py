#!/usr/bin/env python3
"""Watertight and Dovecot + mbsync on the same messages, in the same run, on the same disk.

First sync, no change, and 100 new + 100 flags + 100 deletions: wall time, CPU of client and server, peak memory
of the client, bytes on the wire. `cargo xtask bench sync` builds the program and calls this.

Conditions: loopback, no TLS; both clients sync to disk (mbsync: FSync yes, its default); keep-alive on both sides.
Nothing is installed or changed outside the scratch directory; Dovecot runs as a private instance.
"""
import argparse
import importlib.util
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
USER, PASSWORD = "bench", "a password for the bench"
TICK = os.sysconf("SC_CLK_TCK")


def load(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module


def measure(command, log, env=None, ok=(0,)):
    """Runs a command to its end: wall and CPU seconds, peak memory in MiB, standard output."""
    with open(log, "ab") as err:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, env=env)
        # Not ru_maxrss: it counts what this interpreter had when it started the program.
        peak = [0]
        watch = threading.Thread(target=high_water, args=(process.pid, peak), daemon=True)
        watch.start()
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        watch.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in ok:
        sys.exit(f"{' '.join(map(str, command))}: exit {process.returncode}; see {log}\n"
                 + pathlib.Path(log).read_text(errors="replace")[-2000:])
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "mib": peak[0] / 1024, "out": out}


def high_water(pid, peak):
    """The peak resident memory of a process in KiB, as last seen before it ended."""
    while True:
        try:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return
        found = re.search(r"VmHWM:\s+(\d+)", text)
        if not found:
            return
        peak[0] = max(peak[0], int(found.group(1)))
        time.sleep(0.004)


def stat(pid):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), sum(map(int, fields[11:15])) / TICK


def tree_cpu(root):
    """CPU seconds of a process, of its descendants, and of those that it has already reaped."""
    parents, cpu = {}, {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            found = stat(entry.name)
            if found:
                parents[int(entry.name)], cpu[int(entry.name)] = found
    total, wanted = 0.0, [root]
    while wanted:
        pid = wanted.pop()
        total += cpu.get(pid, 0)
        wanted += [child for child, parent in parents.items() if parent == pid]
    return total


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def maildir_files(root):
    """Every message file of a Maildir++ tree."""
    for folder in [root, *sorted(p for p in root.iterdir() if p.is_dir() and p.name.startswith("."))]:
        for sub in ("cur", "new"):
            directory = folder / sub
            if directory.is_dir():
                for entry in os.scandir(directory):
                    if entry.is_file():
                        yield pathlib.Path(entry.path)


class Dovecot:
    def __init__(self, scratch, source):
        self.scratch = scratch
        scratch.mkdir(parents=True)
        owner = pwd.getpwnam("mail")
        self.mail = scratch / "mail"
        subprocess.run(["cp", "-a", str(source), str(self.mail)], check=True)
        (scratch / "home").mkdir()
        subprocess.run(["chown", "-R", f"{owner.pw_uid}:{owner.pw_gid}", str(self.mail), str(scratch / "home")],
                       check=True)
        self.owner = owner
        self.port = free_port()
        conf = scratch / "dovecot.conf"
        conf.write_text(f"""
base_dir = {scratch}/run
state_dir = {scratch}/run
log_path = {scratch}/log
ssl = no
disable_plaintext_auth = no
protocols = imap
listen = 127.0.0.1
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = {owner.pw_uid}
last_valid_uid = {owner.pw_uid}
first_valid_gid = {owner.pw_gid}
mail_location = maildir:{self.mail}
mail_privileged_group =
imap_logout_format = bytes in=%i out=%o
mail_max_userip_connections = 50
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = static
  args = password={PASSWORD.replace(" ", "_")}
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={scratch}/home
}}
""")
        self.process = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", str(conf)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=open(scratch / "stderr", "wb"))
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        else:
            sys.exit(f"dovecot does not answer; see {scratch}/stderr and {scratch}/log")
        self.local = scratch / "local"
        self.local.mkdir()
        self.config = scratch / "mbsyncrc"
        self.config.write_text(f"""
IMAPAccount bench
Host 127.0.0.1
Port {self.port}
User {USER}
Pass {PASSWORD.replace(" ", "_")}
SSLType None
AuthMechs LOGIN

IMAPStore far
Account bench

MaildirStore near
Inbox {self.local}/INBOX
SubFolders Maildir++

Channel bench
Far :far:
Near :near:
Patterns *
Create Near
Remove Near
Expunge Near
Sync Pull
SyncState *
CopyArrivalDate yes
""")
        (self.local / "INBOX").mkdir()
        for sub in ("cur", "new", "tmp"):
            (self.local / "INBOX" / sub).mkdir()

    def log_bytes(self):
        text = (self.scratch / "log").read_text(errors="replace")
        return sum(int(a) + int(b) for a, b in re.findall(r"bytes in=(\d+) out=(\d+)", text))

    def sync(self):
        cpu, octets = tree_cpu(self.process.pid), self.log_bytes()
        run = measure(["mbsync", "-q", "-c", str(self.config), "bench"], self.scratch / "mbsync.log")
        for _ in range(100):
            if self.log_bytes() > octets:
                break
            time.sleep(0.02)
        time.sleep(0.1)
        return {"wall": run["wall"], "client_cpu": run["cpu"], "server_cpu": tree_cpu(self.process.pid) - cpu,
                "client_mib": run["mib"], "bytes": self.log_bytes() - octets}

    def count(self):
        return sum(1 for _ in maildir_files(self.local / "INBOX"))

    def change(self, new, flags, deletions):
        files = [f for f in maildir_files(self.mail) if f.parent.parent == self.mail]
        files.sort()
        unseen = [f for f in files if "S" not in f.name.rpartition(":2,")[2]]
        for path in unseen[:flags]:
            stem, _, letters = path.name.rpartition(":2,") if ":2," in path.name else (path.name, "", "")
            path.rename(self.mail / "cur" / f"{stem}:2,{''.join(sorted(letters + 'S'))}")
        seen = [f for f in files if f not in set(unseen[:flags])]
        for path in seen[:deletions]:
            path.unlink()
        for i, source in enumerate(new):
            target = self.mail / "new" / f"{int(time.time())}.n{i}.bench"
            shutil.copyfile(source, target)
            os.chown(target, self.owner.pw_uid, self.owner.pw_gid)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


class Watertight:
    def __init__(self, scratch, source, program):
        self.scratch, self.program = scratch, str(program)
        scratch.mkdir(parents=True)
        self.data, self.local, self.log = scratch / "data", scratch / "local", scratch / "log"
        self.password = scratch / "password"
        self.password.write_text(PASSWORD + "\n")
        measure([self.program, "user", "add", "--data", str(self.data), USER, "--password-file", str(self.password)],
                self.log)
        self.imported = measure([self.program, "import", "-q", "--json", "--data", str(self.data), "--mailbox", USER,
                                 str(source)], self.log)
        self.process = subprocess.Popen([self.program, "serve", "--data", str(self.data), "--http", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=open(scratch / "serve.log", "wb"), text=True)
        line = self.process.stdout.readline()
        self.url = line.split()[1]
        self.port = int(re.search(r":(\d+)/", self.url).group(1))

    def sync(self):
        cpu = tree_cpu(self.process.pid)
        run = measure([self.program, "sync", "-q", "--json", "--server", self.url, "--user", USER,
                       "--password-file", str(self.password), "--maildir", str(self.local)], self.log)
        report = json.loads(run["out"])
        return {"wall": run["wall"], "client_cpu": run["cpu"], "server_cpu": tree_cpu(self.process.pid) - cpu,
                "client_mib": run["mib"], "bytes": report["bytes_received"] + report["bytes_sent"],
                "report": report}

    def count(self):
        return sum(1 for _ in maildir_files(self.local))

    def change(self, new, flags, deletions):
        directory = self.scratch / "new"
        directory.mkdir()
        for i, path in enumerate(new):
            shutil.copyfile(path, directory / f"{i}.eml")
        mp = load("mapi_probe")
        mapi = mp.Mapi("127.0.0.1", self.port, USER, PASSWORD)
        dn = f"/o=Watertight/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn={USER}"
        mapi.connect(dn)
        mapi.logon(dn)
        folder = mapi.openfolder(mapi.fids[4])
        (answer, handles), *_ = mapi.ex(struct.pack("<BBBBB", 5, 0, 0, 1, 0), [folder, 0xFFFFFFFF])
        table, rows = handles[1], mp.u32(answer, 6)
        columns = [0x674A0014, 0x0E070003]
        mapi.ex(struct.pack("<BBBBH", 0x12, 0, 0, 0, len(columns)) + b"".join(struct.pack("<I", c) for c in columns),
                [table])
        unread, read, seen = [], [], 0
        while seen < rows:
            (answer, _), *_ = mapi.ex(struct.pack("<BBBBBH", 0x15, 0, 0, 0, 1, 500), [table])
            count = mp.u16(answer, 7)
            if count == 0:
                break
            at = 9
            for _ in range(count):
                at += 1
                mid, state = mp.u64(answer, at), mp.u32(answer, at + 8)
                at += 12
                (read if state & 1 else unread).append(mid)
            seen += count
        mids = unread[:flags]
        mapi.ex(struct.pack("<BBBBBH", 0x66, 0, 0, 0, 0, len(mids)) + b"".join(struct.pack("<Q", m) for m in mids),
                [folder])
        mids = (read + unread[flags:])[:deletions]
        mapi.ex(struct.pack("<BBBBBH", 0x91, 0, 0, 0, 0, len(mids)) + b"".join(struct.pack("<Q", m) for m in mids),
                [folder])
        mapi.post("Disconnect", struct.pack("<I", 0))
        measure([self.program, "import", "-q", "--json", "--data", str(self.data), "--mailbox", USER, str(directory)],
                self.log)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def median(runs):
    return {key: statistics.median(run[key] for run in runs) for key in runs[0] if key != "report"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--messages", type=int, default=10000)
    parser.add_argument("--folders", type=int, default=20)
    parser.add_argument("--profile", default="mixed")
    parser.add_argument("--only", choices=("ours", "theirs"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    scratch = pathlib.Path(options.scratch)
    scratch.mkdir(parents=True, exist_ok=True)
    corpus = scratch / f"corpus-{options.profile}-{options.messages}-{options.folders}"
    more = scratch / f"corpus-{options.profile}-{options.messages}-{options.folders}-more"
    for out, start, count, folders, form in ((corpus, 0, options.messages, options.folders, "maildir"),
                                             (more, options.messages, 100, 1, "eml")):
        if not (out / ".done").exists():
            shutil.rmtree(out, ignore_errors=True)
            subprocess.run([sys.executable, str(HERE / "make_corpus.py"), "--messages", str(count), "--folders",
                            str(folders), "--seed", "1", "--start", str(start), "--out", str(out), "--format", form,
                            "--profile", options.profile, "--quiet"], check=True)
            (out / ".done").touch()
    new = sorted(more.rglob("*.eml"))
    octets = sum(f.stat().st_size for f in maildir_files(corpus))
    runs = scratch / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    sides = {}
    if options.only != "theirs":
        sides["watertight"] = Watertight(runs / "watertight", corpus, options.program)
    if options.only != "ours":
        sides["dovecot + mbsync"] = Dovecot(runs / "dovecot", corpus)
    figures = {"version": 1, "messages": options.messages, "folders": options.folders, "octets": octets, "phases": {}}
    if "watertight" in sides:
        ours = sides["watertight"]
        rate = options.messages / ours.imported["wall"]
        figures["import"] = {"wall": ours.imported["wall"], "messages_per_second": rate, "cpu": ours.imported["cpu"],
                             "mib": ours.imported["mib"]}
    try:
        os.sync()
        for phase in ("first sync", "no change", "100 new + 100 flags + 100 deletions"):
            figures["phases"][phase] = {}
            for name, side in sides.items():
                if phase.startswith("100"):
                    side.change(new, 100, 100)
                    os.sync()
                result = median([side.sync() for _ in range(7)]) if phase == "no change" else side.sync()
                result["files"] = side.count()
                figures["phases"][phase][name] = result
    finally:
        for side in sides.values():
            side.stop()
    if not options.keep:
        shutil.rmtree(runs, ignore_errors=True)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{options.messages} messages, {octets / 1e6:.0f} MB, {options.folders} folders; loopback, no TLS, both "
          "clients sync to disk")
    if "import" in figures:
        i = figures["import"]
        print(f"import (durable): {i['wall']:.2f} s, {i['messages_per_second']:.0f} messages/s, {i['cpu']:.2f} s CPU, "
              f"{i['mib']:.0f} MiB")
    head = ("", "", "wall s", "client CPU s", "server CPU s", "client MiB", "bytes", "files")
    rows = [head]
    for phase, sides_figures in figures["phases"].items():
        for name, f in sides_figures.items():
            rows.append((phase, name, f"{f['wall']:.3f}", f"{f['client_cpu']:.3f}", f"{f['server_cpu']:.3f}",
                         f"{f['client_mib']:.1f}", f"{f['bytes']:,.0f}", str(f["files"])))
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        print("  ".join(cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))))


if __name__ == "__main__":
    main()
