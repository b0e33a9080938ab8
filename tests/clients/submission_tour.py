"""Python's smtplib on the submission ports: logins, senders, what is added to a message, and what arrives."""

import smtplib
from common import *

args = arguments("submission", "submissions")


def starttls():
    session = smtplib.SMTP("localhost", int(args.submission), local_hostname="client.example.org", timeout=60)
    session.ehlo()
    check(not session.has_extn("auth"), "no AUTH before TLS")
    session.starttls(context=tls(args))
    session.ehlo()
    return session


def implicit():
    session = smtplib.SMTP_SSL(
        "localhost", int(args.submissions), local_hostname="client.example.org", timeout=60, context=tls(args)
    )
    session.ehlo()
    return session


TEXT = f"From: {ALICE}\r\nTo: {BOB}\r\nBcc: secret@example.org\r\nSubject: tour\r\n\r\nHello.\r\n"
for connect in (starttls, implicit):
    session = connect()
    for extension in ("dsn", "auth", "size", "pipelining", "8bitmime", "smtputf8"):
        check(session.has_extn(extension), f"EHLO offers {extension}")
    check("SCRAM-SHA-256" in session.esmtp_features["auth"], "SCRAM is offered")
    check(session.docmd("MAIL", f"FROM:<{ALICE}>")[0] == 530, "MAIL before the login is refused")
    session.login(ALICE, PASSWORD)
    check(session.docmd("AUTH", "PLAIN")[0] == 503, "one login is enough")
    code, text = session.docmd("MAIL", f"FROM:<{BOB}>")
    check((code, text[:5]) == (553, b"5.7.1"), "another's address is refused")
    session.sendmail(ALICE, [BOB], TEXT, mail_options=["RET=HDRS", "ENVID=tour"], rcpt_options=["NOTIFY=FAILURE"])
    session.quit()
session = implicit()
try:
    session.login(ALICE, "wrong")
except smtplib.SMTPAuthenticationError as error:
    check(error.smtp_code == 535, "a wrong password is refused")
else:
    raise AssertionError("a wrong password was accepted")

box = imap(args, user=BOB)
box.select("INBOX")
_, found = box.search(None, "SUBJECT", "tour")
numbers = found[0].split()
check(len(numbers) == 2, "both arrived")
_, parts = box.fetch(numbers[0].decode(), "(BODY.PEEK[])")
text = parts[0][1].decode()
check("\r\nDate: " in text and "\r\nMessage-ID: <" in text, "Date and Message-ID were added")
check("Bcc" not in text and "secret" not in text, "Bcc was removed")
check(" with ESMTPSA id " in text, "Received names the login")
