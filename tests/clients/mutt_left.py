"""What mutt's session must have left in INBOX: one message flagged, one removed, one as it was but no longer recent."""

from common import *

session = imap(args := arguments())
ok(session.select("INBOX"))
check(len(uids(session, "ALL")) == 2, "one message was removed")
(flagged,) = uids(session, "FLAGGED")
check(uids(session, "SUBJECT", "flag") == [flagged], "the right one is flagged")
check(uids(session, "SUBJECT", "keep") != [], "the saved one is still there")
