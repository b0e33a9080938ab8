"""Tries to have mail relayed, by every port and in every guise, without a login. Prints what was taken as port, sender and path.

Arguments behind the common ones: the ports of submission, submissions and LMTP."""

import smtplib
from common import *

args = arguments("submission", "submissions", "lmtp")
TARGET = "victim@there.example.net"
LOCAL = "example.test"
SENDERS = ["<>", "<carol@example.org>", "<alice@example.test>", "<postmaster>", "<@example.test:alice@example.test>"]
PATHS = [
    f"<{TARGET}>",
    f"{TARGET}",
    f"<victim%there.example.net@{LOCAL}>",
    f"<victim%there.example.net@mail.{LOCAL}>",
    f"<victim%there.example.net@[127.0.0.1]>",
    "<victim%there.example.net>",
    f'<"{TARGET}"@{LOCAL}>',
    f'<"{TARGET}"@[127.0.0.1]>',
    f'<"{TARGET}">',
    f'<"victim%there.example.net"@{LOCAL}>',
    f"<{TARGET}@{LOCAL}>",
    f"<there.example.net!victim@{LOCAL}>",
    "<there.example.net!victim>",
    f"<@{LOCAL}:{TARGET}>",
    f"<@{LOCAL},@mail.{LOCAL}:{TARGET}>",
    f"<@{LOCAL}:victim%there.example.net@{LOCAL}>",
    f"<{LOCAL}!{TARGET}>",
    "<victim@[127.0.0.1]>",
    "<victim@[IPv6:::1]>",
    "<victim@there.example.net.>",
    "<victim@THERE.EXAMPLE.NET>",
    f"<victim@there.example.net\0@{LOCAL}>",
    f"<{TARGET}> ORCPT=rfc822;alice@{LOCAL} NOTIFY=SUCCESS",
    f"<victim+{TARGET}@{LOCAL}>",
]


def lmtp():
    session = smtplib.LMTP("localhost", int(args.lmtp), local_hostname="front.example.net", timeout=60)
    session.ehlo()
    return session


def starttls(port):
    session = smtplib.SMTP("localhost", port, local_hostname="client.example.org", timeout=60)
    session.ehlo()
    session.starttls(context=tls(args))
    session.ehlo()
    return session


def implicit():
    session = smtplib.SMTP_SSL(
        "localhost", int(args.submissions), local_hostname="client.example.org", timeout=60, context=tls(args)
    )
    session.ehlo()
    return session


def command(session, line):
    """smtplib refuses to send what a hostile client does send."""
    session.send(line.encode() + b"\r\n")
    return session.getreply()[0]


def attempt(connect, sender, path):
    """The whole dialogue, whatever it hears on the way; whether a message was taken."""
    session = connect()
    command(session, f"MAIL FROM:{sender}")
    code = command(session, f"RCPT TO:{path}")
    if command(session, "DATA") == 354:
        code = command(session, f"Subject: relay\r\nTo: {TARGET}\r\n\r\nrelayed\r\n.")
    session.close()
    return code // 100 == 2


PORTS = {
    "smtp": lambda: smtp(args, encrypt=False),
    "smtp+tls": lambda: starttls(args.smtp),
    "submission": lambda: smtplib.SMTP("localhost", int(args.submission), timeout=60),
    "submission+tls": lambda: starttls(int(args.submission)),
    "submissions": implicit,
    "lmtp": lmtp,
}
tried = 0
for name, connect in PORTS.items():
    senders = SENDERS if name in ("smtp", "lmtp") else SENDERS[:3]
    for sender in senders:
        for path in PATHS:
            tried += 1
            if attempt(connect, sender, path):
                print("taken:", name, sender, path)
print("tried:", tried)
