"""Each message of Python's own e-mail test data, in by SMTP and out by IMAP, byte for byte apart from added headers.

A message file is sent as smtplib sends it: bare CR and LF become CRLF, which is what every client does before DATA.
"""

import os
import re
import smtplib
from common import *

args = arguments("directory")
# A text that came without a header gets the empty line that keeps it a text.
ADDED = re.compile(rb"(?:(?:Return-Path|Received|Delivered-To):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)+(?:\r\n)?\Z")

sent = []
session = smtp(args)
names = sorted(name for name in os.listdir(args.directory) if name.endswith((".txt", ".eml")))
for name in names:
    with open(os.path.join(args.directory, name), "rb") as file:
        text = smtplib._fix_eols(file.read().decode("latin-1")).encode("latin-1")
    text += b"" if text.endswith(b"\r\n") else b"\r\n"
    session.sendmail("carol@example.org", [ALICE], text, mail_options=["BODY=8BITMIME"])
    sent.append((name, text))
session.quit()
check(len(sent) > 40, f"{len(sent)} messages were accepted")

reader = imap(args)
ok(reader.select("INBOX"))
found = uids(reader, "ALL")
check(len(found) == len(sent), "as many came out as went in")
for (name, text), uid in zip(sent, found):
    raw = ok(reader.uid("FETCH", str(uid), "(BODY.PEEK[])"))[0][1]
    assert raw.endswith(text), f"{name}: body differs\n{raw!r}\n{text!r}"
    assert ADDED.match(raw[: len(raw) - len(text)]), f"{name}: {raw[:len(raw) - len(text)]!r}"
    facts = ok(reader.uid("FETCH", str(uid), "(RFC822.SIZE ENVELOPE BODYSTRUCTURE)"))
    flat = b"".join(part if isinstance(part, bytes) else b"".join(part) for part in facts)
    assert b"RFC822.SIZE %d " % len(raw) in flat, f"{name}: {flat!r}"
    header = ok(reader.uid("FETCH", str(uid), "(BODY.PEEK[HEADER])"))[0][1]
    body = ok(reader.uid("FETCH", str(uid), "(BODY.PEEK[TEXT])"))[0][1]
    assert header + (body or b"") == raw, f"{name}: header and text do not add up"
print(f"{len(sent)} messages there and back")
