"""Python's imaplib against both IMAP listeners: RFC 3501 and the extensions, on two sessions at once."""

import imaplib
import re
import time
from common import *

args = arguments()


def raises(what, action):
    """`action` must be refused by the server."""
    try:
        answer = action()
    except imaplib.IMAP4.error as error:
        print("ok:", what, error)
        return str(error)
    assert answer[0] in ("NO", "BAD"), (what, answer)
    print("ok:", what, answer)
    return str(answer)


# Before login: no passwords in the clear.
session = imaplib.IMAP4("localhost", args.imap, timeout=60)
check("LOGINDISABLED" in session.capabilities and "STARTTLS" in session.capabilities, "the clear port wants TLS first")
check("PRIVACYREQUIRED" in raises("LOGIN in the clear is refused", lambda: session.login(ALICE, PASSWORD)), "with its code")
session.starttls(ssl_context=tls(args))
check("LOGINDISABLED" not in session.capabilities, "after STARTTLS it does not")
raises("a wrong password is refused", lambda: session.login(ALICE, "wrong"))
raises("an unknown user is refused", lambda: session.login("nobody@example.test", PASSWORD))
ok(session.login(ALICE.upper().replace("TEST", "test"), PASSWORD))
session.logout()

session = imaplib.IMAP4_SSL("localhost", args.imaps, ssl_context=tls(args), timeout=60)
ok(session.authenticate("PLAIN", lambda _: f"\0{ALICE}\0{PASSWORD}".encode()))
capabilities = ok(session.capability())[0].decode().split()
for name in "IMAP4rev1 IDLE NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN ENABLE ID SPECIAL-USE LITERAL+ SASL-IR".split():
    assert name in capabilities, (name, capabilities)
check(True, "every capability is announced")
check(ok(session.namespace())[0] == b'(("" "/")) NIL NIL', "one personal namespace")

# Mailboxes.
special = {b"Sent": b"\\Sent", b"Drafts": b"\\Drafts", b"Junk": b"\\Junk", b"Trash": b"\\Trash", b"Archive": b"\\Archive"}
listed = ok(session.list())
for name, attribute in special.items():
    assert any(attribute in line and name in line for line in listed), (name, listed)
check(any(b"INBOX" in line for line in listed), "a new account has INBOX and the special-use mailboxes")
for name in ("Work", "Work/2026", "Work/2026/May", "&AOQ-hm"):
    ok(session.create(name))
raises("a mailbox is created once", lambda: session.create("Work"))
raises("INBOX exists already", lambda: session.create("inbox"))
listed = b"\n".join(ok(session.list('""', "Work*")))
check(b"\\HasChildren" in listed and b"\\HasNoChildren" in listed and listed.count(b"Work") == 3, "children are told")
check(len(ok(session.list('""', "Work/%"))) == 1, "% stops at the separator")
ok(session.rename("Work/2026", "Work/Old"))
check(any(b"Work/Old/May" in line for line in ok(session.list('""', "*"))), "inferiors move along")
ok(session.subscribe("Work/Old"))
check(any(b"Work/Old" in line for line in ok(session.lsub('""', "*"))), "subscriptions are kept")
ok(session.unsubscribe("Work/Old"))
ok(session.delete("Work/Old/May"))
raises("INBOX stays", lambda: session.delete("INBOX"))

# APPEND and FETCH.
first = message("first", body="One line of text.\r\nAnother one.\r\n")
when = '"17-Jul-2026 02:44:25 -0700"'
appended = ok(session.append("Work", "(\\Seen $Label)", when, first))[0]
check(re.search(rb"\[APPENDUID \d+ 1\]", appended), f"APPENDUID comes back: {appended}")
ok(session.append("Work", None, None, message("second", body="x" * 70 + "\r\n")))
raises("TRYCREATE is told", lambda: session.append("Nowhere", None, None, first))
check(ok(session.status("Work", "(MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)"))[0].startswith(b"Work (MESSAGES 2 "), "STATUS counts")
check(ok(session.select("Work"))[0] == b"2", "SELECT counts")
check(b"\\*" in session.response("PERMANENTFLAGS")[1][0], "keywords can be made")
data = ok(session.uid("FETCH", "1", "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"))[0]
for part in (b"\\Seen", b"$Label", b'"17-Jul-2026 ', b"RFC822.SIZE %d" % len(first), b'"first"', b'"TEXT" "PLAIN"'):
    assert part.lower() in data.lower(), (part, data)
check(ok(session.uid("FETCH", "1", "(BODY.PEEK[])"))[0][1] == first, "the bytes come back as they went in")
check(ok(session.uid("FETCH", "1", "(BODY.PEEK[TEXT]<4.8>)"))[0][1] == b"line of ", "a partial FETCH")
header = ok(session.uid("FETCH", "1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))[0][1]
check(header == b"Subject: first\r\n\r\n", "header fields by name")
check(b"\\Seen" not in flags(session, 2), "PEEK leaves \\Seen alone")
ok(session.uid("FETCH", "2", "(BODY[TEXT])"))
check(b"\\Seen" in flags(session, 2), "BODY sets \\Seen")

# SEARCH.
for criteria, expected in (
    (["ALL"], [1, 2]),
    (["SUBJECT", "FIRST"], [1]),
    (["NOT", "SUBJECT", "first"], [2]),
    (["KEYWORD", "$Label"], [1]),
    (["BODY", "another"], [1]),
    (["FROM", "carol", "LARGER", "100"], [1, 2]),
    (["OR", "SUBJECT", "first", "SUBJECT", "second"], [1, 2]),
    (["BEFORE", "18-Jul-2026"], [1]),
    (["UID", "2:*"], [2]),
    (["HEADER", "Message-ID", "example.org", "SEEN"], [1, 2]),
):
    found = uids(session, *criteria)
    assert found == expected, (criteria, found)
check(True, "SEARCH finds what it should")

# STORE, COPY, MOVE, EXPUNGE, seen by a second session.
other = imap(args)
ok(other.select("Work"))
ok(session.uid("STORE", "1", "+FLAGS", "(\\Flagged)"))
ok(other.noop())
check(b"\\Flagged" in flags(other, 1), "another session sees the flag")
ok(session.uid("STORE", "1", "-FLAGS.SILENT", "(\\Flagged $Label)"))
check(flags(session, 1) == {b"\\Seen"}, "flags can be taken away silently")
ok(session.uid("STORE", "1", "FLAGS", "(\\Draft custom)"))
check(flags(session, 1) == {b"\\Draft", b"custom"}, "flags can be replaced")
ok(session.uid("COPY", "1:2", "Archive"))
check(re.match(rb"\d+ 1:2 1:2$", session.response("COPYUID")[1][0]), "COPYUID comes back")
ok(session.uid("MOVE", "2", "Trash"))
ok(other.noop())
check(uids(other, "ALL") == [1], "another session sees the move")
ok(session.uid("STORE", "1", "+FLAGS", "(\\Deleted)"))
check(ok(session.uid("EXPUNGE", "1")) is not None and uids(session, "ALL") == [], "UID EXPUNGE")
check(int(ok(session.select("Archive", readonly=True))[0]) == 2, "EXAMINE")
raises("a read-only mailbox stays as it is", lambda: session.uid("STORE", "1", "+FLAGS", "(\\Seen)"))
ok(session.unselect())
check(session.state == "AUTH", "UNSELECT leaves the mailbox")
ok(session._simple_command("ENABLE", "CONDSTORE") if "CONDSTORE" in capabilities else session.noop())
imaplib.Commands["ID"] = ("NONAUTH", "AUTH", "SELECTED")
ok(session._simple_command("ID", '("name" "tour")'))
check(b'"name"' in session.response("ID")[1][0], "ID names the server")

# IDLE: new mail is announced while the client waits.
ok(session.select("INBOX"))
tag = session._new_tag()
session.send(tag + b" IDLE\r\n")
check(session.readline().startswith(b"+"), "IDLE is accepted")
start = time.monotonic()
smtp(args).sendmail("carol@example.org", [ALICE], message("for the one who waits"))
line = session.readline()
waited = time.monotonic() - start
check(line == b"* 1 EXISTS\r\n" and waited < 10, f"new mail is told at once: {line!r} after {waited:.2f} s")
session.send(b"DONE\r\n")
while not (line := session.readline()).startswith(tag):
    pass
check(b"OK" in line, "IDLE ends with DONE")

# Wrong input is answered and the session lives on.
imaplib.Commands["FROB"] = ("SELECTED",)
raises("an unknown command", lambda: session._simple_command("FROB"))
raises("an unknown section", lambda: session.uid("FETCH", "1", "(BODY[NOT.A.SECTION])"))
ok(session.noop())
ok(session.close())
check(session.logout()[0] == "BYE", "LOGOUT")
