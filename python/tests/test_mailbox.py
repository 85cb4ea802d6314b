"""Folders, messages and attachments, judged by Python's own email package."""

import collections.abc
import datetime
import email
import email.message
import email.policy
import pathlib
import tempfile
import unittest
import uuid

import watertight
from house import CORPUS, House

UTC = datetime.timezone.utc
KEYWORDS = "{00020329-0000-0000-c000-000000000046}/Keywords"


def mail(n, text=None):
    made = email.message.EmailMessage()
    made["From"] = f"Sender {n} <s{n}@example.org>"
    made["To"] = "Anna <anna@example.org>, b@example.org"
    made["Cc"] = "Carl <c@example.org>"
    made["Subject"] = f"message number {n}"
    made["Date"] = datetime.datetime(2023, 1, 2, 10, n // 60 % 60, n % 60, tzinfo=UTC)
    made["Message-ID"] = f"<{n}@example.org>"
    made.set_content(text or f"line of message {n}\n")
    return made


class Mailbox(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House()
        cls.session = cls.house.session()

    @classmethod
    def tearDownClass(cls):
        cls.session.close()
        cls.house.close()

    def setUp(self):
        self.box = self.session.create_folder(f"Test {uuid.uuid4()}")

    def tearDown(self):
        self.box.delete()

    def test_the_first_lines_of_the_readme(self):
        self.session.inbox.add(mail(1))
        with self.house.session() as s:
            subjects = [m.subject for m in s.inbox]
        self.assertEqual(subjects, ["message number 1"])
        self.assertEqual(self.session.user, "anna")
        self.assertEqual(self.session.server, self.house.url)
        self.session.inbox.empty()
        self.assertEqual(len(self.session.inbox), 0)

    def test_every_mail_comes_back_byte_for_byte(self):
        for path in sorted(CORPUS.iterdir()):
            raw = path.read_bytes()
            message = self.box.add(raw)
            self.assertEqual(message.as_bytes(), raw, path.name)
            judged = email.message_from_bytes(raw, policy=email.policy.compat32)
            ours = email.message_from_bytes(bytes(message), policy=email.policy.compat32)
            self.assertEqual(ours.items(), judged.items())
            message.delete()

    def test_a_message_is_what_email_says_it_is(self):
        made = mail(7, "plain\n")
        made.add_alternative("<p>Gr\u00fc\u00dfe</p>", subtype="html")
        made.add_attachment(b"\x00\x01" * 70_000, maintype="image", subtype="png", filename="picture.png")
        made.add_attachment(b"text", maintype="text", subtype="plain", filename="../../note.txt")
        made.add_attachment(mail(8))
        m = self.box.add(made, unread=True)
        self.assertEqual(m.subject, made["Subject"])
        self.assertEqual((m.sender.name, m.sender.email), ("Sender 7", "s7@example.org"))
        self.assertEqual(str(m.sender), "Sender 7 <s7@example.org>")
        self.assertEqual([p.email for p in m.to], ["anna@example.org", "b@example.org"])
        self.assertEqual([str(p) for p in m.cc], ["Carl <c@example.org>"])
        self.assertEqual(m.bcc, [])
        self.assertEqual(m.received, made["Date"].datetime)
        self.assertEqual(m.sent, made["Date"].datetime)
        self.assertTrue(m.unread)
        self.assertTrue(m.has_attachments)
        self.assertEqual(m.message_class, "IPM.Note")
        self.assertGreater(m.size, 140_000)
        self.assertEqual(m.body.strip(), "plain")
        self.assertEqual(m.html.strip(), "<p>Gr\u00fc\u00dfe</p>")
        self.assertEqual(m.headers["Message-ID"], "<7@example.org>")
        self.assertEqual(m.headers["Date"].datetime, made["Date"].datetime)
        picture, note, inner = m.attachments
        self.assertEqual((picture.name, picture.content_type), ("picture.png", "image/png"))
        self.assertEqual(picture.read(), b"\x00\x01" * 70_000)
        self.assertGreaterEqual(picture.size, 140_000)
        self.assertFalse(picture.is_message)
        self.assertTrue(inner.is_message)
        self.assertEqual(email.message_from_bytes(inner.read())["Subject"], "message number 8")
        with tempfile.TemporaryDirectory() as place:
            place = pathlib.Path(place)
            self.assertEqual(picture.save(place / "p"), place / "p")
            self.assertEqual((place / "p").read_bytes(), b"\x00\x01" * 70_000)
            self.assertEqual(note.save(str(place)), place / "note.txt")
            inner.save(place / "inner.eml")
            self.assertEqual(m.save(place / "whole.eml"), len(m.as_bytes()))
            self.assertEqual((place / "whole.eml").read_bytes(), m.as_bytes())
            self.assertEqual(sorted(p.name for p in place.iterdir()), ["inner.eml", "note.txt", "p", "whole.eml"])
            with self.assertRaises(watertight.Error) as raised:
                m.save(place / "no/such/place.eml")
            self.assertEqual(raised.exception.name, "MAPI_E_NOT_FOUND")
        self.assertEqual(m.as_email().get_body(("plain",)).get_content().strip(), "plain")
        again = self.box.message(m.id)
        self.assertEqual((again, hash(again)), (m, hash(m)))
        self.assertEqual(again.subject, m.subject)
        self.assertEqual(m.folder, self.box)

    def test_times_and_long_subjects_are_whole(self):
        when = datetime.datetime(2001, 9, 9, 1, 46, 40, 123456, tzinfo=UTC)
        made = mail(1)
        del made["Subject"]
        made["Subject"] = ("long " * 200).strip()
        m = self.box.add(made, received=when)
        self.assertEqual(m.received, when)
        (listed,) = self.box
        self.assertEqual(listed.received, when)
        self.assertEqual(listed.subject, ("long " * 200).strip())

    def test_a_folder_is_read_in_pages_and_may_change_meanwhile(self):
        for n in range(150):
            self.box.add(mail(n), unread=n % 3 == 0)
        self.assertEqual(len(self.box), 150)
        self.assertEqual(self.box.unread, 50)
        subjects = [m.subject for m in self.box]
        self.assertEqual(subjects, [f"message number {n}" for n in reversed(range(150))])
        oldest = [m.subject for m in self.box.messages(oldest_first=True)]
        self.assertEqual(oldest, subjects[::-1])
        for m in self.box:
            m.mark_read()
            self.assertFalse(m.unread)
        self.assertEqual(self.box.unread, 0)
        next(iter(self.box)).mark_unread()
        self.assertEqual(self.box.unread, 1)
        for m in self.box:
            m.delete()
        self.assertEqual((len(self.box), list(self.box)), (0, []))
        self.assertTrue(self.box, "an empty folder is true")

    def test_messages_are_found(self):
        for n in range(20):
            self.box.add(mail(n, "needle\n" if n == 7 else None), unread=n < 5)
        big = mail(20)
        big.add_attachment(b"x" * 100_000, maintype="a", subtype="b", filename="big")
        self.box.add(big)

        def found(**query):
            return sorted(int(m.subject.split()[-1]) for m in self.box.search(**query))

        self.assertEqual(found(subject="NUMBER 1"), [1, *range(10, 20)])
        self.assertEqual(found(sender="s3@"), [3])
        self.assertEqual(found(sender="sender 4"), [4])
        self.assertEqual(found(recipient="carl"), list(range(21)))
        self.assertEqual(found(recipient="nobody"), [])
        self.assertEqual(found(body="NEEDLE"), [7])
        self.assertEqual(found(unread=True), [0, 1, 2, 3, 4])
        self.assertEqual(found(unread=False, subject="number 4"), [])
        self.assertEqual(found(has_attachments=True), [20])
        self.assertEqual(found(larger=50_000), [20])
        self.assertEqual(found(smaller=50_000), list(range(20)))
        self.assertEqual(found(message_class="IPM.Note"), list(range(21)))
        time = datetime.datetime(2023, 1, 2, 10, 0, 18, tzinfo=UTC)
        self.assertEqual(found(since=time), [18, 19, 20])
        self.assertEqual(found(before=time, since=time - datetime.timedelta(seconds=2)), [16, 17])
        self.assertEqual(found(before=datetime.date(2022, 12, 30)), [])
        first = next(self.box.search(sender="example.org", oldest_first=True))
        self.assertEqual(first.subject, "message number 0")
        with self.assertRaises(TypeError):
            self.box.search(since="yesterday")

    def test_folders_have_paths(self):
        may = self.box.create("2004/May")
        odd = self.box.create(r"a\/b")
        self.assertEqual(odd.name, "a/b")
        self.assertEqual(may.path, f"{self.box.path}/2004/May")
        self.assertEqual((self.session.folder(may.path), hash(self.session.folder(may.path))), (may, hash(may)))
        self.assertEqual(self.session.folder(may.path.upper()), may)
        self.assertEqual(self.box.folder("2004/May").name, "May")
        self.assertEqual([f.name for f in self.box.folders()], ["2004", "a/b"])
        self.assertEqual([f.path for f in self.box.folders(deep=True)],
                         [f"{self.box.path}/2004", f"{self.box.path}/2004/May", odd.path])
        self.assertIn(odd.path, [f.path for f in self.session.folders()])
        self.assertEqual(self.box.create("2004/May"), may)
        may.rename("June")
        self.assertEqual(may.name, "June")
        self.assertEqual(self.session.folder(f"{self.box.path}/2004/June"), may)
        may.delete()
        with self.assertRaises(watertight.NotFoundError) as raised:
            self.box.folder("2004/June")
        self.assertEqual(raised.exception.name, "MAPI_E_NOT_FOUND")
        self.assertEqual(raised.exception.code, 0x8004010F)
        self.assertIn("June", raised.exception.text)
        with self.assertRaises(watertight.NotFoundError):
            list(may)
        for standard in (self.session.inbox, self.session.sent, self.session.trash, self.session.outbox):
            self.assertEqual(self.session.folder(standard.path), standard)
        self.assertEqual(self.session.root.path, "")
        with self.assertRaises(watertight.Error):
            self.session.inbox.delete()

    def test_messages_move(self):
        there = self.box.create("there")
        m = self.box.add(mail(1))
        m.copy_to(there)
        self.assertEqual((len(self.box), len(there)), (1, 1))
        m.move_to(there)
        self.assertEqual((len(self.box), len(there)), (0, 2))
        self.assertEqual({c.as_bytes() for c in there}, {mail(1).as_bytes()})
        with self.assertRaises(watertight.NotFoundError):
            m.body
        with self.house.session() as other, self.assertRaises(watertight.Error):
            next(iter(there)).move_to(other.inbox)

    def test_properties_are_a_mapping(self):
        m = self.box.add(mail(1))
        for key in ("PidTagSubject", "subject", "0x0037001F", 0x0037001F, 0x0037):
            self.assertEqual(m.props[key], "message number 1")
        self.assertNotIn("PidTagReplyRecipientNames", m.props)
        self.assertNotIn(KEYWORDS, m.props)
        with self.assertRaises(KeyError):
            m.props["PidTagReplyRecipientNames"]
        with self.assertRaises(ValueError):
            m.props["no such name"]
        self.assertEqual(m.props.get("PidTagReplyRecipientNames", 5), 5)
        when = datetime.datetime(2020, 2, 29, 12, 30, 15, 250_000, tzinfo=UTC)
        some = uuid.uuid4()
        values = {
            KEYWORDS: ["red", "blau\u00df"],
            "PidTagImportance": 2,
            (some, "int"): -3,
            (some, "long"): 1 << 40,
            (some, "text"): "t\u00e4xt",
            (some, "bytes"): b"\x00\xff",
            (some, "truth"): True,
            (some, "float"): 0.5,
            (some, "when"): when,
            (some, "guid"): some,
            (some, "ints"): [1, 2, 3],
            (some, "blobs"): [b"a", b""],
            (some, 0x8501): 17,
            "PidTagFlagCompleteTime": when,
        }
        for key, value in values.items():
            m.props[key] = value
        with self.house.session() as other:
            seen = other.folder(self.box.path).message(m.id).props
            for key, value in values.items():
                self.assertEqual(seen[key], value, key)
                self.assertIn(key, seen)
            self.assertEqual(dict(seen)[KEYWORDS], ["red", "blau\u00df"])
        long = "x" * 200_000
        m.props[(some, "text")] = long
        self.assertEqual(m.props[(some, "text")], long)
        self.assertIn(long, m.props.values())
        del m.props[KEYWORDS]
        self.assertNotIn(KEYWORDS, m.props)
        with self.assertRaises(KeyError):
            del m.props[KEYWORDS]
        with self.assertRaises(TypeError):
            m.props["PidTagImportance"] = "high"
        self.box.props["PidTagComment"] = "for tests"
        self.assertEqual(self.box.props["PidTagComment"], "for tests")
        self.assertIsInstance(m.props, collections.abc.MutableMapping)
        self.assertEqual(len(m.props), len(list(m.props)))
        made = mail(2)
        made.add_attachment(b"x", maintype="a", subtype="b", filename="f")
        (a,) = self.box.add(made).attachments
        self.assertEqual(a.props["PidTagAttachLongFilename"], "f")
        with self.assertRaises(TypeError):
            a.props["PidTagAttachLongFilename"] = "g"

    def test_changes_come_once(self):
        first = [self.box.add(mail(n)) for n in range(5)]
        changes = self.box.sync()
        self.assertEqual({c.id for c in changes}, {m.id for m in first})
        state = changes.state
        self.assertIsInstance(state, bytes)
        self.assertEqual(list(self.box.sync(state)), [])
        first[0].props["PidTagImportance"] = 2
        first[1].delete()
        first[2].mark_unread()
        new = self.box.add(mail(9))
        with self.house.session() as other:
            changes = other.folder(self.box.path).sync(state)
            seen = {(c.kind, c.id) for c in changes}
            self.assertEqual(seen, {("changed", first[0].id), ("deleted", first[1].id),
                                    ("unread", first[2].id), ("new", new.id)})
            self.assertEqual(list(other.folder(self.box.path).sync(changes.state)), [])
        everything = {c.id: c.message for c in self.box.sync() if c.kind == "new"}
        self.assertEqual(everything[new.id].as_bytes(), mail(9).as_bytes())
        self.assertEqual(everything[new.id].subject, "message number 9")
        with self.assertRaises(watertight.Error):
            list(self.box.sync(b"nonsense"))

    def test_a_state_in_the_middle_goes_on_where_it_was(self):
        ids = {self.box.add(mail(n)).id for n in range(30)}
        seen, state = [], None
        while True:
            changes = self.box.sync(state)
            some = [c.id for _, c in zip(range(7), changes)]
            if not some:
                break
            # The last that was given counts when the next one is asked for.
            seen.extend(some)
            if changes.state == state:
                break
            state = changes.state
        self.assertEqual(set(seen), ids)
        self.assertLess(len(seen), 40)

    def test_mistakes_are_said(self):
        for wrong in ("text", 5, None, ["x"]):
            with self.assertRaises(TypeError):
                self.box.add(wrong)
        with self.assertRaises(watertight.Error):
            self.box.add(b"")
        with self.assertRaises(watertight.Error):
            self.box.message("no id")
        with self.assertRaises(watertight.Error):
            self.box.message(f"{uuid.uuid4()}-12")
        with self.assertRaises(watertight.Error):
            self.box.create("")


if __name__ == "__main__":
    unittest.main()
