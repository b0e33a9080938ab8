"""Logins without TLS on loopback: `allowed` or `refused`, over IMAP and submission, as programs without TLS make them."""

import imaplib
import smtplib
from common import *

args = arguments("submission", "expected")
allowed = args.expected == "allowed"


def imap_in_clear(log_in):
    session = imaplib.IMAP4("localhost", args.imap, timeout=60)
    check(("LOGINDISABLED" in session.capabilities) != allowed, "LOGINDISABLED says so")
    check(any(name.startswith("AUTH=") for name in session.capabilities) == allowed, "and AUTH=")
    check("AUTH=SCRAM-SHA-256-PLUS" not in session.capabilities, "no channel, no binding")
    try:
        log_in(session)
        ok(session.select("INBOX"))
        session.logout()
        return "allowed"
    except imaplib.IMAP4.error as error:
        check("PRIVACYREQUIRED" in str(error), str(error))
        return "refused"


def smtp_in_clear():
    session = smtplib.SMTP("localhost", int(args.submission), timeout=60)
    session.ehlo("client.example.org")
    check(session.has_extn("auth") == allowed, "EHLO says so")
    if not allowed:
        code, _ = session.docmd("AUTH", "PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABtYWlsd3JpZ2h0")
        check(code in (530, 538), f"AUTH all the same: {code}")
        return "refused"
    session.login(ALICE, PASSWORD)
    session.sendmail(ALICE, [BOB], message("in clear", to=BOB).replace(b"carol@example.org", ALICE.encode()))
    session.quit()
    return "allowed"


check(imap_in_clear(lambda session: session.login(ALICE, PASSWORD)) == args.expected, "LOGIN")
plain = lambda session: session.authenticate("PLAIN", lambda _: f"\0{ALICE}\0{PASSWORD}".encode())
check(imap_in_clear(plain) == args.expected, "AUTHENTICATE PLAIN")
check(smtp_in_clear() == args.expected, "AUTH")
