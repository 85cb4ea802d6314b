"""The examples do what they say."""

import email.message
import mailbox
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from house import PASSWORD, House

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House()
        cls.place = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()
        cls.house.close()

    def run_example(self, name, *arguments):
        self.ran.add(name)
        done = subprocess.run(
            [sys.executable, EXAMPLES / name, self.house.url, "anna", *map(str, arguments)],
            env={**os.environ, "WATERTIGHT_PASSWORD": PASSWORD}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def test_they_all_run(self):
        self.ran = set()
        place = pathlib.Path(self.place.name)
        with self.house.session() as s:
            for year in (2022, 2023, 2024):
                mail = email.message.EmailMessage()
                mail["Subject"] = f"of {year}"
                mail["From"] = "s@example.org"
                mail["Date"] = f"Mon, 02 Jan {year} 10:00:00 +0000"
                mail.set_content("x\n")
                mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename=f"{year}.pdf")
                s.inbox.add(mail, unread=True)
        lines = self.run_example("list_inbox.py")
        self.assertEqual([line.rsplit(" ", 1)[1] for line in lines], ["2024", "2023", "2022"])
        self.assertTrue(all(line.startswith("*") for line in lines))
        self.assertEqual(self.run_example("follow.py", place / "state"),
                         [f"new of {year}" for year in (2022, 2023, 2024)])
        self.assertEqual(self.run_example("follow.py", place / "state"), [])
        self.run_example("save_attachments.py", place)
        self.assertEqual((place / "2023.pdf").read_bytes(), b"%PDF")
        self.assertEqual(self.run_example("archive.py", "2024-01-01"), ["Archive/2022 1", "Archive/2023 1"])
        self.assertEqual([line.split()[0] for line in self.run_example("follow.py", place / "state")],
                         ["deleted", "deleted"])
        self.run_example("to_mbox.py", "Archive/2022", place / "mbox")
        box = mailbox.mbox(place / "mbox")
        self.assertEqual([m["Subject"] for m in box], ["of 2022"])
        box.close()
        self.assertEqual(self.ran, {path.name for path in EXAMPLES.glob("*.py")})


if __name__ == "__main__":
    unittest.main()
