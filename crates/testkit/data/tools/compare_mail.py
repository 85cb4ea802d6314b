#!/usr/bin/env python3
"""Compares mails with what became of them, by Python's email package. Stdlib only.

    compare_mail.py [options] EXPECTED ACTUAL

EXPECTED and ACTUAL are each a file with one mail, an mbox file (*.mbox, *.mbox.txt) or a directory, which is read
with everything below it (a Maildir, a Maildir++ tree, a directory of .eml files; tmp/ and files of programs are left
out). Mails are matched by file name where both sides have the same names, else by what is in them: first those that are
equal, then those with the same Message-ID or most of the same words, the most alike first.

Compared are, decoded: every header field but those of the MIME structure, in order; the mailboxes of address fields;
each part in order: type, file name, Content-ID, text (text/plain and text/html: the decoded characters with line ends
as LF) or bytes; embedded messages as messages.

    --tolerate NAME     let a difference of that name pass (may be repeated); --list-tolerances says which there are
    --essentials        compare the fields that MAPI has properties for, not every field, and not their order
    --allow-extra N     N mails of ACTUAL may match nothing
    --json FILE         write the report there instead of to standard output

The report is one JSON object: messages, equal, differences [{expected, actual, where, name, was, is, tolerated}],
missing, extra, tolerated {name: how often}, ok. Exit status 0 when ok, 1 when not, 2 for wrong usage.

Readings that apply to both sides and hide nothing that mail can say: bytes above 127 in header fields and in text that
declares no charset for them are read as UTF-8, else as Windows-1252, and C1 control characters (of ISO-8859-1) as Windows-1252; a multipart entity
without parts is text; a boundary that should be in quotes but is not is put in quotes; line ends of an attachment that
is neither base64 nor binary are those of the mail; an envelope line (From, >From) and a byte order mark before a mail are
no part of it; blanks and line ends at the end of a text do not count.
"""
import argparse
import difflib
import email
import email.header
import email.policy
import email.utils
import functools
import hashlib
import json
import mailbox
import os
import re
import sys

STRUCTURE = {'content-type', 'content-transfer-encoding', 'content-disposition', 'content-length', 'mime-version'}
ESSENTIAL = ['from', 'sender', 'to', 'cc', 'bcc', 'subject', 'date', 'message-id', 'in-reply-to', 'references']
ADDRESS = {'from', 'sender', 'to', 'cc', 'bcc', 'reply-to'}

# What may be tolerated, and why it cannot or need not be otherwise.
TOLERANCES = {
    # What MAPI cannot hold, or what Python reads in another way.
    'empty-multipart': 'a multipart entity without parts and without text is not made again',
    'empty-boundary': 'a multipart entity with an empty boundary stays text as a whole',
    'type-of-nothing': 'a body without any text has no type where MAPI keeps none',
    'part-order': 'the body comes first, whatever preceded it',
    'content-id-of-body': 'nothing refers to the body; its Content-ID is not kept',
    'malformed-name': 'a file name as an encoded word, or without quotes: read whole, where Python reads less',
    'line-that-is-no-field': 'a header goes on after a line that is no field (or has a blank before its colon); for Python it ends',
    # Only where the fields are made of properties (--essentials).
    'malformed-address': 'an address field that RFC 5322 does not allow: read in another way than Python does',
    'name-from-comment': 'the comment after an address is its name',
    'blanks-in-name': 'blanks between the encoded words of a name are not part of it',
    'more-than-one-from': 'MAPI has one sender',
    'unreadable-date': 'a date that RFC 5322 does not allow, or whose zone Python does not see',
    # What a server (gromox 3.10) had made of the mail when it gave it out.
    'text-alternative': 'it makes a plain text of an HTML body; the mail then has it as an alternative',
    'made-up-name': 'it gives a name to an attachment that came without one',
    'lost-name-of-message': 'it keeps no file name of an embedded message',
    'lost-report-part': 'it reads message/delivery-status and message/disposition-notification and does not keep them',
    'lost-character': 'it drops or replaces characters that the declared charset does not have',
    'lost-end': 'it drops the last line end of an attachment, or the bytes of an incomplete base64 group',
    'lost-header': 'it gives up on the header of a mail and keeps all of it as text',
    'lost-first-field': 'it takes a byte order mark for a part of the first name in a header and drops the field',
    'other-parts': 'it cuts a malformed multipart entity in another way',
    'blank-first-line': 'it takes the line that ends the empty header of a part for text',
    'enriched-text': 'it makes HTML of text/enriched',
}


def policy():
    return email.policy.default.clone(raise_on_defect=False)


def cp1252(byte):
    try:
        return bytes([byte]).decode('cp1252')
    except UnicodeDecodeError:
        return chr(byte)


def read_bytes(raw):
    """UTF-8, with each byte that is not read as Windows-1252."""
    out = []
    while raw:
        try:
            out.append(raw.decode('utf-8'))
            break
        except UnicodeDecodeError as e:
            out.append(raw[:e.start].decode('utf-8'))
            out.extend(cp1252(b) for b in raw[e.start:e.end])
            raw = raw[e.end:]
    return ''.join(out)


def readable(value):
    return read_bytes(value.encode('utf-8', 'surrogateescape')) if isinstance(value, str) else str(value)


@functools.lru_cache(maxsize=100_000)
def field(name, raw):
    """The decoded value of a field, blanks collapsed."""
    value = re.sub(r'\r\n|\r|\n', '', readable(raw))
    try:
        parsed = policy().header_factory(name, value)
        text = str(parsed)
    except Exception:
        parsed, text = None, value
    return parsed, ' '.join(text.split())


def headers(msg):
    out = []
    for name, raw in msg.raw_items():
        low = name.lower()
        if low in STRUCTURE:
            continue
        out.append((low, field(low, str(raw))[1]))
    return out


def mailboxes(msg):
    out = {}
    for name, raw in msg.raw_items():
        low = name.lower()
        if low == 'date':
            out.setdefault('raw', {})[low] = readable(raw).strip()
        if low not in ADDRESS:
            continue
        parsed, text = field(low, str(raw))
        try:
            out.setdefault(low, []).extend((a.display_name, a.addr_spec) for a in parsed.addresses)
            malformed = bool(parsed.defects)
        except Exception:
            out.setdefault(low, []).append(('', text))
            malformed = True
        if malformed:
            out.setdefault('malformed', []).append(low)
        out.setdefault('raw', {})[low] = readable(raw)
    return out


def lines(text):
    text = re.sub('[\x80-\x9f]', lambda match: cp1252(ord(match.group(0))), text)
    return re.sub(r'\r\n|\r', '\n', text)


def charset_text(raw, charset):
    charset = (charset or '').lower()
    if charset in ('iso-8859-1', 'latin1', 'windows-1252'):
        return ''.join(cp1252(b) for b in raw)
    if charset in ('', 'us-ascii', 'ascii', 'utf-8', 'utf8'):
        return read_bytes(raw)
    try:
        return raw.decode(charset, 'replace')
    except LookupError:
        return read_bytes(raw)


def name_of(part):
    try:
        return part.get_filename()
    except Exception:
        return None


def leaves(msg, depth=0):
    if msg.is_multipart() and msg.get_content_maintype() == 'multipart':
        for part in msg.get_payload():
            yield from leaves(part, depth + 1)
        return
    kind = msg.get_content_type()
    described = ' '.join(readable(value) for name, value in msg.raw_items() if name.lower() in STRUCTURE)
    leaf = {'type': kind, 'described': described, 'name': name_of(msg) or '', 'cid': ' '.join(str(msg.get('Content-ID', '')).split()).strip('<>')}
    if kind in ('message/rfc822', 'message/global') and msg.is_multipart():
        leaf['message'] = model(msg.get_payload(0), depth + 1)
    elif msg.is_multipart():
        # message/delivery-status and the like: blocks of fields.
        text = '\n\n'.join(lines(readable(p.as_string(policy=email.policy.compat32))) for p in msg.get_payload())
        leaf['text'] = '\n'.join(line.rstrip() for line in text.split('\n') if line.strip())
    else:
        raw = msg.get_payload(decode=True) or b''
        if msg.get_content_maintype() == 'multipart':
            leaf['type'] = kind = 'text/plain'
            leaf['hollow'] = not raw.strip()
        if kind in ('text/plain', 'text/html'):
            leaf['text'] = lines(charset_text(raw, msg.get_content_charset()))
        elif msg.get_content_maintype() in ('text', 'message'):
            leaf['text'] = lines(read_bytes(raw))
        else:
            leaf['size'] = len(raw)
            leaf['sha256'] = hashlib.sha256(raw).hexdigest()
            leaf['front'] = hashlib.sha256(raw[:64]).hexdigest()
            if str(msg.get('Content-Transfer-Encoding', '')).strip().lower() not in ('base64', 'binary'):
                leaf['as lines'] = hashlib.sha256(re.sub(rb'\r\n', b'\n', raw)).hexdigest()
    yield leaf


def model(msg, depth=0):
    return {'bom': False, 'headers': headers(msg), 'mailboxes': mailboxes(msg), 'leaves': list(leaves(msg, depth))}


def parse(raw):
    bom = raw.startswith(b'\xef\xbb\xbf')
    raw = raw[3:] if bom else raw
    raw = re.sub(rb'(?im)^(content-type:[^\n]*(?:\n[ \t][^\n]*)*?boundary=)([^"\s;]*[^"\s;\w.+-][^"\s;]*)', rb'\1"\2"', raw)
    # An envelope line is no part of the mail.
    raw = re.sub(rb'(?m)(\n\r?\n)>From [^\n]*\n(?=[\w-]+:)', rb'\1', raw)
    if raw.startswith(b'From '):
        raw = raw.split(b'\n', 1)[1] if b'\n' in raw else b''
    parsed = model(email.message_from_bytes(raw, policy=policy()))
    parsed['bom'] = bom
    return parsed


def load(path):
    """{name: bytes} of a file, an mbox, or everything below a directory."""
    if os.path.isfile(path):
        if path.endswith(('.mbox', '.mbox.txt')):
            box = mailbox.mbox(path, create=False)
            return {f'{os.path.basename(path)}#{n}': box.get_bytes(n) for n in box.keys()}
        return {os.path.basename(path): open(path, 'rb').read()}
    out = {}
    for root, dirs, files in os.walk(path):
        dirs[:] = sorted(d for d in dirs if d not in ('tmp', 'watertight'))
        maildir = os.path.basename(root) in ('cur', 'new')
        for name in sorted(files):
            full = os.path.join(root, name)
            if not maildir and name.startswith(('.', 'maildir', 'dovecot', 'watertight-')):
                continue
            if name.endswith(('.mbox', '.mbox.txt')):
                out.update(load(full))
            else:
                out[os.path.relpath(full, path)] = open(full, 'rb').read()
    return out


class Comparison:
    def __init__(self, essentials, tolerate):
        self.essentials = essentials
        self.tolerate = tolerate

    def differences(self, a, b):
        out = []
        self.message(a, b, '', out)
        return out

    def add(self, out, where, name, was, got):
        out.append({'where': where, 'name': name, 'was': was, 'is': got,
                    'tolerated': name if name in self.tolerate else None})

    def message(self, a, b, where, out):
        if 'lost-header' in self.tolerate and self.is_text_as_a_whole(a, b):
            self.add(out, where, 'lost-header', a['headers'][:3], clip(b['leaves'][0]['text']))
            return
        if self.essentials:
            self.essential_fields(a, b, where, out)
        elif a['headers'] != b['headers']:
            self.fields(a, b, where, out)
        for name in sorted(ADDRESS):
            was, got = a['mailboxes'].get(name, []), b['mailboxes'].get(name, [])
            if self.essentials:
                was, got = essential_mailboxes(name, a), essential_mailboxes(name, b)
            if was != got:
                self.add(out, f'{where}mailboxes of {name}', self.kind_of_mailboxes(name, a, b, was, got), was, got)
        self.leaves(a['leaves'], b['leaves'], where, out)

    @staticmethod
    def is_text_as_a_whole(a, b):
        """Whether most words of the header and the texts of a are in the one text of b, whose header ends early."""
        kept = [h for h in b['headers'] if h[0] != 'date']
        if len(b['leaves']) != 1 or len(kept) >= len(a['headers']) or kept != a['headers'][:len(kept)]:
            return False
        text = b['leaves'][0].get('text', '')
        values = [v for _, v in a['headers'] if '=?' not in v and v.isascii()] + \
                 [leaf['text'] for leaf in a['leaves'] if 'text' in leaf and '=' not in text]
        words = set(re.findall(r'\w+', ' '.join(values)))
        return len(words & set(re.findall(r'\w+', text))) > 0.8 * len(words)

    @staticmethod
    def kind_of_mailboxes(name, a, b, was, got):
        raw = a['mailboxes'].get('raw', {}).get(name, '')
        same_addresses = [w[1] for w in was] == [g[1] for g in got]
        if same_addresses and all(w[0] == g[0] or '(' in raw and all(plain(word) in plain(raw) for word in g[0].split())
                                  for w, g in zip(was, got)):
            return 'name-from-comment'
        if same_addresses and all(plain(w[0]) == plain(g[0]) for w, g in zip(was, got)):
            return 'blanks-in-name'
        text = next((leaf.get('text', '') for leaf in a['leaves']), '')
        if not was and re.search(r'^(From|To|[\w-]+[ \t]+): ', text, re.M):
            return 'line-that-is-no-field'
        if a['bom'] and a['headers'] and a['headers'][0][0] == name and not got:
            return 'lost-first-field'
        if name == 'from' and len(was) > 1 and got == was[:1]:
            return 'more-than-one-from'
        if name in a['mailboxes'].get('malformed', []):
            return 'malformed-address'
        return 'mailboxes'

    def essential_fields(self, a, b, where, out):
        for name in ESSENTIAL:
            if name in ADDRESS:
                continue
            was = [v for n, v in a['headers'] if n == name and v]
            got = [v for n, v in b['headers'] if n == name and v]
            if name == 'date':
                was, got = list(map(instant, was)), list(map(instant, got))
                raw = a['mailboxes'].get('raw', {}).get('date', '')
                odd = not was or was[0] is None or '(' in raw or re.search('[A-Z]{3,}$', raw)
                if was[:1] != got[:1] and odd:
                    self.add(out, f'{where}field {name}', 'unreadable-date', was, got)
                    continue
            if was[:1] != got[:1]:
                self.add(out, f'{where}field {name}', f'field-{name}', was, got)

    def fields(self, a, b, where, out):
        text = next((leaf.get('text', '') for leaf in a['leaves']), '')
        split = re.match(r'[\w-]+[ \t]+:', text) or re.search(r'^(From|Received|Subject): ', text, re.M)
        bom = a['bom']
        a, b = a['headers'], b['headers']
        matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
        for op, i, j, k, m in matcher.get_opcodes():
            if op != 'equal':
                names = sorted({n for n, _ in a[i:j]} | {n for n, _ in b[k:m]})
                name = 'header ' + ' '.join(names)
                if split and len(a[i:j]) <= 1:
                    name = 'line-that-is-no-field'
                if bom and (i, j) == (0, 1) and not b[k:m]:
                    name = 'lost-first-field'
                if len(a[i:j]) == len(b[k:m]) and all(n == o and len(w) == len(v) + sum(c > '~' for c in w) and
                                                      re.sub('[^ -~]', '', w) == v for (n, w), (o, v) in zip(a[i:j], b[k:m])):
                    name = 'lost-character'
                self.add(out, f'{where}header', name, a[i:j], b[k:m])

    def leaves(self, a, b, where, out):
        a, b = list(a), list(b)
        if 'text-alternative' in self.tolerate and len(b) == len(a) + 1:
            kinds = [leaf['type'] for leaf in b]
            if 'text/plain' in kinds and 'text/html' in kinds and kinds.index('text/plain') < kinds.index('text/html'):
                at = kinds.index('text/plain')
                if [leaf['type'] for leaf in a] == kinds[:at] + kinds[at + 1:]:
                    self.add(out, f'{where}part {at}', 'text-alternative', None, b[at]['text'][:200])
                    del b[at]
        lost = [leaf for leaf in a if leaf['type'] in ('message/delivery-status', 'message/disposition-notification')]
        if len(a) > len(b) and lost and len(a) - len(lost) == len(b):
            a = [leaf for leaf in a if leaf not in lost]
            self.add(out, f'{where}parts', 'lost-report-part', list(map(shown, lost)), None)
        hollow = [leaf for leaf in a if leaf.get('hollow')]
        if len(a) > len(b) and hollow:
            a = [leaf for leaf in a if not leaf.get('hollow')]
            self.add(out, f'{where}parts', 'empty-multipart', len(hollow), 0)
        if len(a) != len(b):
            name = 'other-parts' if 'other-parts' in self.tolerate else 'number of parts'
            self.add(out, f'{where}parts', name, list(map(shown, a)), list(map(shown, b)))
            return
        if 'other-parts' in self.tolerate and len(a) == 1 and a[0]['type'] == 'text/html' and '\n--' in b[0].get('text', ''):
            self.add(out, f'{where}parts', 'other-parts', list(map(shown, a)), list(map(shown, b)))
            return
        if 'part-order' in self.tolerate and [leaf['type'] for leaf in a] != [leaf['type'] for leaf in b]:
            body = next((n for n, leaf in enumerate(a) if leaf['type'] in ('text/plain', 'text/html')), 0)
            a.insert(0, a.pop(body))
            if [leaf['type'] for leaf in a] == [leaf['type'] for leaf in b]:
                self.add(out, f'{where}parts', 'part-order', f'body is part {body}', 'body is part 0')
        for n, (x, y) in enumerate(zip(a, b)):
            here = f'{where}part {n} ({x["type"]}) '
            if 'message' in x and 'message' in y:
                self.message(x['message'], y['message'], here, out)
            for key in ('type', 'name', 'cid', 'text', 'size', 'sha256'):
                was, got = x.get(key), y.get(key)
                if was == got or key == 'text' and was is not None and got is not None and was.rstrip() == got.rstrip():
                    continue
                if key in ('sha256', 'size') and x.get('as lines') and x['as lines'] in (y.get('sha256'), y.get('as lines')):
                    continue
                name = key
                if key == 'name' and was and got and got in (re.sub('[^ -~]', '?', was), asked(was)):
                    name = 'lost-character'
                if key == 'text' and was and got and was.strip('\n') == got.strip('\n'):
                    name = 'blank-first-line'
                if key == 'name' and 'message' in x and was and not got:
                    name = 'lost-name-of-message'
                if key in ('sha256', 'size') and 0 < x.get('size', 0) - y.get('size', 0) < 4 and x['front'] == y['front']:
                    name = 'lost-end'
                if x['type'] == 'text/enriched' and y['type'] == 'text/html' and key in ('type', 'text'):
                    name = 'enriched-text'
                if key == 'name' and got and got.startswith(was or '') and plain(got) in plain(unwrapped(x['described'])):
                    name = 'malformed-name'
                if key == 'type' and not (x.get('text', 'x').strip() or y.get('text', 'x').strip()):
                    name = 'type-of-nothing'
                if key == 'text' and was and got and was.strip() in got and got.startswith('--\n'):
                    name = 'empty-boundary'
                if key == 'text' and was and got and was.rstrip().endswith(got.rstrip()) and \
                        re.search(r'^([\w-]+[ \t]+|From|Subject):', was, re.M):
                    name = 'line-that-is-no-field'
                if key == 'cid' and x['type'] in ('text/plain', 'text/html') and was and not got:
                    name = 'content-id-of-body'
                if key == 'name' and not was and re.fullmatch(r'attachment\d+\.\w+', got or ''):
                    name = 'made-up-name'
                self.add(out, here + key, name, clip(was), clip(got))


def plain(text):
    """Letters and digits only."""
    return re.sub(r'[\W_]', '', text)


def essential_mailboxes(name, m):
    """What MAPI can hold: no Sender that is the From, no name that is the address."""
    boxes = [('' if shown == spec else shown, spec) for shown, spec in m['mailboxes'].get(name, []) if spec]
    if name == 'sender' and [b[1] for b in boxes] == [b[1] for b in m['mailboxes'].get('from', [])[:1]]:
        return []
    return boxes


def instant(value):
    try:
        when = email.utils.parsedate_to_datetime(value)
        return when.timestamp() if when.year < 2200 else None
    except Exception:
        return None


def unwrapped(text):
    """With encoded words decoded."""
    def word(match):
        try:
            return str(email.header.make_header(email.header.decode_header(match.group(0))))
        except Exception:
            return match.group(0)
    return re.sub(r'=\?[^?]+\?[BbQq]\?[^?]*\?=', word, text)


def asked(text):
    """With a question mark for each byte of a character that is not ASCII."""
    return ''.join(c if c.isascii() else '?' * len(c.encode('utf-8', 'replace')) for c in text)


def clip(value):
    return value if not isinstance(value, str) or len(value) < 600 else value[:600] + f'… ({len(value)} characters)'


def shown(leaf):
    return f"{leaf['type']} {leaf['name']} {leaf.get('size', len(leaf.get('text', '')))}"


def first(m, name):
    return next((v for n, v in m['headers'] if n == name), None)


def match(expected, actual):
    """Pairs of names, names without a pair on each side."""
    if set(expected) == set(actual) or len(expected) == len(actual) == 1:
        return list(zip(sorted(expected), sorted(actual))), [], []
    pairs, left, right = [], dict(expected), dict(actual)

    def take(a, b):
        pairs.append((a, b))
        del left[a], right[b]

    def by(key):
        index = {}
        for name, m in right.items():
            index.setdefault(key(m), []).append(name)
        return index

    def exactly(m):
        return json.dumps(m, sort_keys=True)
    index = by(exactly)
    for a, m in list(left.items()):
        if index.get(exactly(m)):
            take(a, index[exactly(m)].pop(0))
    words = {id(m): set(re.findall(r'\w+', exactly(m))) for m in [*left.values(), *right.values()]}
    candidates = []
    for a, m in left.items():
        for b, n in right.items():
            same_id = first(m, 'message-id') is not None and first(m, 'message-id') == first(n, 'message-id')
            apart = len(words[id(m)] ^ words[id(n)])
            if same_id or apart < len(words[id(m)] | words[id(n)]) / 2:
                candidates.append((apart, not same_id, a, b))
    for _, _, a, b in sorted(candidates):
        if a in left and b in right:
            take(a, b)
    # A mail that a server took as text as a whole: the words of the header are in it.
    for a, m in list(left.items()):
        of_header = set(re.findall(r'\w+', ' '.join(v for _, v in m['headers'])))
        near = max(right, key=lambda b: len(of_header & words[id(right[b])]), default=None)
        if near is not None and len(of_header & words[id(right[near])]) > 0.8 * len(of_header):
            take(a, near)
    return pairs, sorted(left), sorted(right)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('expected', nargs='?')
    parser.add_argument('actual', nargs='?')
    parser.add_argument('--tolerate', action='append', default=[])
    parser.add_argument('--list-tolerances', action='store_true')
    parser.add_argument('--essentials', action='store_true')
    parser.add_argument('--allow-extra', type=int, default=0)
    parser.add_argument('--json')
    args = parser.parse_args()
    if args.list_tolerances:
        for name, why in TOLERANCES.items():
            print(f'{name}: {why}')
        return 0
    unknown = [name for name in args.tolerate if name not in TOLERANCES]
    if unknown or args.actual is None:
        parser.error(f'no such tolerance: {unknown}' if unknown else 'EXPECTED and ACTUAL are needed')
    comparison = Comparison(args.essentials, set(args.tolerate))
    expected = {name: parse(raw) for name, raw in load(args.expected).items()}
    actual = {name: parse(raw) for name, raw in load(args.actual).items()}
    pairs, missing, extra = match(expected, actual)
    report = {'messages': len(expected), 'equal': 0, 'differences': [], 'missing': missing, 'extra': extra, 'tolerated': {}}
    for a, b in pairs:
        found = comparison.differences(expected[a], actual[b])
        report['equal'] += not found
        for difference in found:
            report['differences'].append({'expected': a, 'actual': b, **difference})
            if difference['tolerated']:
                name = difference['tolerated']
                report['tolerated'][name] = report['tolerated'].get(name, 0) + 1
    report['ok'] = not missing and len(extra) <= args.allow_extra and all(d['tolerated'] for d in report['differences'])
    text = json.dumps(report, indent=1, ensure_ascii=False)
    if args.json:
        with open(args.json, 'w') as file:
            file.write(text)
    else:
        sys.stdout.buffer.write(text.encode('utf-8', 'backslashreplace') + b'\n')
    return 0 if report['ok'] else 1


if __name__ == '__main__':
    sys.setrecursionlimit(20000)
    sys.exit(main())
