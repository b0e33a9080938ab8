"""Compares, or with --set makes, the flags of the messages in INBOX, given as `subject=\\Flag,\\Flag subject=…`."""

import sys
from common import *

change = "--set" in sys.argv
if change:
    sys.argv.remove("--set")
args = arguments("wanted")
wanted = dict(item.split("=", 1) for item in args.wanted.split())
session = imap(args)
ok(session.select("INBOX"))
for subject, names in wanted.items():
    (uid,) = uids(session, "SUBJECT", subject)
    if change:
        ok(session.uid("STORE", str(uid), "FLAGS", f"({names.replace(',', ' ')})"))
    found = {flag.decode() for flag in flags(session, uid)}
    check(found == set(filter(None, names.split(","))), f"{subject} has {sorted(found)}")
if not change:
    check(len(uids(session, "ALL")) == len(wanted), "and there is no other message")
