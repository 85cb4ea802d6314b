#!/usr/bin/env python3
"""Logon and logoff, side by side with Dovecot's login and logout, in the same run and under the same conditions.

The same load generator drives both (examples/session_load.rs of mapi-server): so many connections at a time, for so
many seconds; sessions per second, and the CPU of the whole server (all of its processes) for each. Conditions:
keep-alive or a connection for each session (IMAP knows only the latter), with TLS or without. Dovecot is asked twice:
with a login process for each connection (its default), and with reused ones (its high-performance mode, for login and
imap processes). Passwords: argon2 here, remembered after the first time; plain text there, in a file.
`cargo xtask bench session` builds the programs and calls this.
"""
import argparse
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

from bench_sync import free_port, tree_cpu

USER, PASSWORD = "bench", "a-password-for-the-bench"


class Watertight:
    name, protocol = "watertight", "mapi"

    def __init__(self, scratch, program, tls):
        scratch.mkdir(parents=True)
        data, password = scratch / "data", scratch / "password"
        password.write_text(PASSWORD + "\n")
        with open(scratch / "log", "wb") as log:
            subprocess.run([program, "user", "add", "--data", data, USER, "--password-file", password], check=True,
                           stdout=log, stderr=log)
            command = [program, "serve", "--data", data, "--http", "127.0.0.1:0"]
            if tls:
                command += ["--tls-cert", tls[0], "--tls-key", tls[1]]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.address = re.search(r"//([^/]+)/", self.process.stdout.readline()).group(1)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


class Dovecot:
    protocol = "imap"

    def __init__(self, scratch, reused, tls):
        scratch.mkdir(parents=True)
        self.name = "Dovecot, processes reused" if reused else "Dovecot, as it comes"
        owner = pwd.getpwnam("mail")
        home = scratch / "home"
        home.mkdir()
        os.chown(home, owner.pw_uid, owner.pw_gid)
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        secure = f"ssl = yes\nssl_cert = <{tls[0]}\nssl_key = <{tls[1]}" if tls else "ssl = no"
        many = "service_count = 0\n  process_min_avail = 2\n  client_limit = 200" if reused else "service_count = 1"
        conf = scratch / "dovecot.conf"
        conf.write_text(f"""
base_dir = {scratch}/run
state_dir = {scratch}/run
log_path = {scratch}/log
{secure}
disable_plaintext_auth = no
protocols = imap
listen = 127.0.0.1
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = {owner.pw_uid}
last_valid_uid = {owner.pw_uid}
first_valid_gid = {owner.pw_gid}
mail_location = maildir:{home}/mail
mail_privileged_group =
mail_max_userip_connections = 1000
service imap-login {{
  chroot =
  {many}
  inet_listener imap {{
    port = {0 if tls else port}
  }}
  inet_listener imaps {{
    port = {port if tls else 0}
    ssl = {"yes" if tls else "no"}
  }}
}}
service imap {{
  service_count = {256 if reused else 1}
  process_min_avail = {4 if reused else 0}
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={home}
}}
""")
        self.process = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", str(conf)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=open(scratch / "stderr", "wb"))
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit(f"dovecot does not answer; see {scratch}/stderr and {scratch}/log")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def certificate(scratch):
    cert, key = scratch / "cert.pem", scratch / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext",
                    "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", cert], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return str(cert), str(key)


def load(options, side, password, tls, keep_alive, seconds):
    command = [options.load, "--protocol", side.protocol, "--address", side.address, "--user", USER,
               "--password-file", password, "--connections", str(options.connections), "--seconds", str(seconds)]
    if not keep_alive:
        command.append("--no-keep-alive")
    if tls:
        command += ["--tls-ca", tls[0]]
    before = tree_cpu(side.process.pid)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{side.name}: {done.stderr}")
    figures = json.loads(done.stdout)
    time.sleep(0.3)
    cpu = tree_cpu(side.process.pid) - before
    return {"side": side.name, "tls": bool(tls), "keep_alive": keep_alive, "sessions": figures["sessions"],
            "per_second": figures["sessions"] / figures["seconds"],
            "server_cpu_ms": 1000 * cpu / max(figures["sessions"], 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--only", choices=("ours", "theirs"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    scratch = pathlib.Path(options.scratch).resolve() / "session"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    password = scratch / "password"
    password.write_text(PASSWORD + "\n")
    rows = []
    for tls in (None, certificate(scratch)):
        where = scratch / ("tls" if tls else "plain")
        sides = []
        try:
            if options.only != "theirs":
                sides.append((Watertight(where / "watertight", options.program, tls), (True, False)))
            if options.only != "ours":
                sides.append((Dovecot(where / "reused", True, tls), (False,)))
                sides.append((Dovecot(where / "plain", False, tls), (False,)))
            for side, ways in sides:
                for keep_alive in ways:
                    load(options, side, password, tls, keep_alive, 1)
                    rows.append(load(options, side, password, tls, keep_alive, options.seconds))
        finally:
            for side, _ in sides:
                side.stop()
    if options.json:
        print(json.dumps({"version": 1, "connections": options.connections, "rows": rows}, indent=1))
        return
    print(f"logon + logoff, {options.connections} connections at a time, {options.seconds:g} s each, loopback")
    print(f"{'':28}{'TLS':>5}{'keep-alive':>12}{'per second':>12}{'server CPU':>13}")
    for row in rows:
        print(f"{row['side']:28}{'yes' if row['tls'] else 'no':>5}{'yes' if row['keep_alive'] else 'no':>12}"
              f"{row['per_second']:>12.0f}{row['server_cpu_ms']:>10.3f} ms")


if __name__ == "__main__":
    main()
