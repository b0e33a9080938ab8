"""What neomutt's session must have left beside INBOX: one message saved into Archive."""

from common import *

session = imap(arguments())
ok(session.select("Archive"))
check(uids(session, "ALL") == uids(session, "SUBJECT", "carry") and len(uids(session, "ALL")) == 1, "one was saved")
