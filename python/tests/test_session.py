"""Sessions: how they begin, how they end, and what is left."""

import gc
import multiprocessing
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest

import watertight
from house import PASSWORD, House, Stall


def in_a_child(queue, session):
    """After fork: the parent's session is of no use, a new one is."""
    try:
        session.inbox.unread
        queue.put("worked")
    except watertight.ClosedError as error:
        queue.put(error.text)
    with watertight.Session(session.server, user="anna", password=PASSWORD) as own:
        queue.put(len(own.inbox))


def run(script, *arguments, **environment):
    return subprocess.run([sys.executable, "-c", textwrap.dedent(script), *arguments],
                          env={**os.environ, **environment}, capture_output=True, text=True)


class Sessions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House()

    @classmethod
    def tearDownClass(cls):
        cls.house.close()

    def assert_nothing_left(self):
        end = time.monotonic() + 20
        while True:
            left = {kind: n for kind, n in self.house.held().items()
                    if n and any(word in kind for word in ("session", "context", "handle"))}
            if not left:
                return
            self.assertLess(time.monotonic(), end, left)

    def test_wrong_passwords_and_servers_have_their_exceptions(self):
        with self.assertRaises(watertight.SignInError) as raised:
            watertight.Session(self.house.url, user="anna", password="wrong")
        self.assertEqual(raised.exception.name, "MAPI_E_LOGON_FAILED")
        self.assertEqual(raised.exception.code, 0x80040111)
        self.assertTrue(str(raised.exception).startswith("MAPI_E_LOGON_FAILED (0x80040111): "))
        self.assertIsInstance(raised.exception, watertight.Error)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with self.assertRaises(watertight.ReachError) as raised:
            watertight.Session(f"http://127.0.0.1:{port}", user="anna", password="x")
        self.assertEqual(raised.exception.name, "MAPI_E_NETWORK_ERROR")
        for wrong in (dict(server="http://mail.example.org", user="anna", password="x"),
                      dict(server=self.house.url), dict(server=self.house.url, user="anna")):
            with self.assertRaises(watertight.Error):
                watertight.Session(**wrong)
        with self.assertRaises(TypeError):
            watertight.Session(self.house.url, profile="x")
        self.assertEqual(watertight.Error("x").code, 0)
        self.assert_nothing_left()

    def test_a_profile_opens_a_session(self):
        script = """
            import watertight
            with watertight.Session(profile="work") as s: print(len(s.inbox))
            with watertight.Session() as s: print(len(s.inbox))
            try: watertight.Session(profile="none")
            except watertight.NotFoundError as error: print(error.name)
            """
        with tempfile.TemporaryDirectory() as home:
            config = pathlib.Path(home, "watertight", "config.toml")
            config.parent.mkdir()
            config.write_text(textwrap.dedent(f"""
                default = "work"
                [profile.work]
                server = "{self.house.url}"
                user = "anna"
                password_file = "{self.house.path / 'password'}"
                """))
            config.chmod(0o600)
            done = run(script, XDG_CONFIG_HOME=home)
            self.assertEqual(done.stdout.split(), ["0", "0", "MAPI_E_NOT_FOUND"], done.stderr)
            config.write_text("nonsense")
            self.assertIn("MAPI_E_CORRUPT_DATA", run(script, XDG_CONFIG_HOME=home).stderr)

    def test_what_was_opened_through_a_session_ends_with_it(self):
        session = self.house.session()
        inbox = session.inbox
        message = inbox.add(b"Subject: x\n\ny\n")
        messages, changes, folders = iter(inbox), inbox.sync(), session.folders()
        session.close()
        session.close()
        self.assertTrue(session.closed)
        self.assertIn("closed", repr(session))
        for use in (lambda: len(inbox), lambda: message.body, lambda: next(messages), lambda: next(changes),
                    lambda: next(folders), lambda: inbox.add(b"x: y\n\nz"), lambda: inbox.path,
                    lambda: message.props["subject"], lambda: message.delete(), lambda: session.folder("Inbox")):
            with self.assertRaises(watertight.ClosedError) as raised:
                use()
            self.assertEqual(raised.exception.name, "MAPI_E_INVALID_OBJECT")
        self.assertEqual(message.subject, "x", "what is known is known")
        self.assert_nothing_left()
        with self.house.session() as again:
            again.inbox.empty()

    def test_a_block_that_raises_closes_too(self):
        with self.assertRaises(ZeroDivisionError):
            with self.house.session() as session:
                len(session.inbox)
                1 / 0
        self.assertTrue(session.closed)
        self.assert_nothing_left()

    def test_a_session_that_nobody_has_ends_on_the_server_too(self):
        session = self.house.session()
        message = session.inbox.add(b"Subject: x\n\ny\n")
        del session
        gc.collect()
        self.assertEqual(message.body.strip(), "y", "it lasts for as long as something of it does")
        message.delete()
        del message
        self.assert_nothing_left()

    def test_a_thousand_sessions_of_every_end_leave_nothing(self):
        descriptors = None
        for n in range(1000):
            session = self.house.session()
            inbox = session.inbox
            if n % 2:
                len(inbox)
            if n % 3 == 0:
                session.close()
            elif n % 3 == 1:
                with session:
                    next(iter(inbox), None)
            if n == 100:
                descriptors = len(os.listdir("/proc/self/fd"))
        del session, inbox
        self.assert_nothing_left()
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), descriptors)

    def test_no_cycle_can_keep_a_session(self):
        session = self.house.session()
        for thing in (session, session.inbox, iter(session.inbox), session.inbox.props, session.inbox.sync()):
            with self.assertRaises(AttributeError):
                thing.cycle = thing
            self.assertFalse(gc.get_referents(thing) and any(
                type(other).__module__ == "watertight" for other in gc.get_referents(thing)))
        del thing, session
        self.assert_nothing_left()

    def test_threads_share_a_session(self):
        with self.house.session() as session:
            box = session.create_folder("threads")
            failed = []

            def work(n):
                try:
                    for i in range(10):
                        box.add(f"Subject: {n}-{i}\n\nx\n".encode())
                        sum(1 for _ in box)
                except Exception as error:
                    failed.append(error)

            threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(failed, [])
            self.assertEqual(len(box), 40)
            one, seen = iter(box), []
            threads = [threading.Thread(target=lambda: seen.extend(m.id for m in one)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual((len(seen), len(set(seen))), (40, 40))
            box.delete()

    def test_others_run_while_one_waits(self):
        with Stall() as stall:
            def wait():
                with self.assertRaises(watertight.Error):
                    watertight.Session(stall.url, user="anna", password="x", user_dn="/o=x/cn=y")

            waiter = threading.Thread(target=wait)
            waiter.start()
            self.assertTrue(stall.came.wait(30), "the interpreter is free")
            self.assertTrue(waiter.is_alive())
        waiter.join()

    def test_ctrl_c_ends_a_long_wait(self):
        script = """
            import sys, watertight
            try:
                watertight.Session(sys.argv[1], user="anna", password="x", user_dn="/o=x/cn=y")
            except KeyboardInterrupt:
                print("interrupted", flush=True)
                sys.stdin.readline()
            """
        with Stall() as stall:
            child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), stall.url],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.assertTrue(stall.came.wait(30))
            began = time.monotonic()
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.stdout.readline(), "interrupted\n")
            self.assertLess(time.monotonic() - began, 5)
            child.stdin.close()
        self.assertEqual(child.wait(), 0)
        child.stdout.close()

    def test_a_session_goes_on_after_ctrl_c(self):
        with self.house.session() as session:
            timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            with self.assertRaises(KeyboardInterrupt):
                while True:
                    len(session.inbox)
            self.assertEqual(len(session.inbox), 0)

    def test_a_program_that_ends_without_closing_leaves_nothing(self):
        script = """
            import sys, watertight
            kept = watertight.Session(sys.argv[1], user="anna", password=sys.argv[2])
            print(len(kept.inbox))
            """
        done = run(script, self.house.url, PASSWORD)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "0"), done.stderr)
        held = self.house.held()
        self.assertEqual(held["session contexts"], 0, held)

    def test_a_child_of_fork_is_told(self):
        session = self.house.session()
        fork = multiprocessing.get_context("fork")
        queue = fork.Queue()
        child = fork.Process(target=in_a_child, args=(queue, session))
        child.start()
        self.assertIn("fork", queue.get(timeout=30))
        self.assertEqual(queue.get(timeout=30), 0)
        child.join()
        self.assertEqual(child.exitcode, 0)
        self.assertEqual(len(session.inbox), 0, "the parent's session goes on")
        session.close()
        self.assert_nothing_left()

    def test_a_server_that_goes_away_is_said(self):
        house = House()
        session = house.session()
        inbox = session.inbox
        len(inbox)
        house.stop()
        with self.assertRaises(watertight.Error) as raised:
            len(inbox)
        self.assertIn(raised.exception.name, ("MAPI_E_NETWORK_ERROR", "MAPI_E_END_OF_SESSION"))
        house.start(house.url.rsplit(":", 1)[1].split("/")[0])
        with self.assertRaises(watertight.Error):
            len(inbox)
        with house.session() as again:
            self.assertEqual(len(again.inbox), 0)
        try:
            session.close()
        except watertight.Error:
            pass
        self.assertTrue(session.closed)
        house.close()


if __name__ == "__main__":
    unittest.main()
