"""What offlineimap must have brought: a folder and a message as it was written. With a subject: removes that message."""

import sys
from common import *

remove = sys.argv.pop() if sys.argv[-1].isalpha() else None
session = imap(arguments())
if remove:
    ok(session.select("INBOX"))
    (uid,) = uids(session, "SUBJECT", remove)
    ok(session.uid("STORE", str(uid), "+FLAGS", "(\\Deleted)"))
    ok(session.expunge())
    check(uids(session, "SUBJECT", remove) == [], f"{remove} is gone")
else:
    check(any(b"Made here" in line for line in ok(session.list())), "the folder is there")
    ok(session.select("INBOX"))
    (uid,) = uids(session, "SUBJECT", "own")
    text = ok(session.uid("FETCH", str(uid), "(BODY.PEEK[])"))[0][1]
    check(b"Subject: own\r\n" in text and text.endswith(b"\r\n\r\nWritten here.\r\n"), "its text is there")
