"""Prints one line per message of INBOX: its X-Id, and whether its body is the one that its X-Sum header promises."""

import email
import hashlib
from common import *

args = arguments("user")
session = imap(args, args.user)
ok(session.select("INBOX"))
for uid in uids(session, "ALL"):
    raw = ok(session.uid("FETCH", str(uid), "(BODY.PEEK[])"))[0][1]
    header, _, body = raw.partition(b"\r\n\r\n")
    fields = email.message_from_bytes(header)
    print(fields["X-Id"], "whole" if hashlib.sha256(body).hexdigest() == fields["X-Sum"] else "broken")
