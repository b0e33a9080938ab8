"""What the scripts share: arguments, connections that verify the certificate, message texts.

Standard library only. A script succeeds by ending with status 0; a failed assertion says what was expected.
"""

import argparse
import email.utils
import imaplib
import smtplib
import ssl

PASSWORD = "mailwright"
ALICE = "alice@example.test"
BOB = "bob@example.test"
imaplib._MAXLINE = 20_000_000  # answers to FETCH of a whole folder


def arguments(*names):
    """Ports and certificate as the harness passes them, then positional arguments."""
    parser = argparse.ArgumentParser()
    for port in ("smtp", "imap", "imaps", "http"):
        parser.add_argument(f"--{port}", type=int, required=True)
    parser.add_argument("--ca", required=True, help="the server's certificate, trusted")
    for name in names:
        parser.add_argument(name)
    return parser.parse_args()


def tls(args):
    """A context that trusts the server's certificate and nothing else."""
    return ssl.create_default_context(cafile=args.ca)


def imap(args, user=ALICE, password=PASSWORD):
    """A logged in session over TLS."""
    session = imaplib.IMAP4_SSL("localhost", args.imaps, ssl_context=tls(args), timeout=60)
    if password.isascii():
        session.login(user, password)
    else:  # LOGIN of IMAP4rev1 is for ASCII
        session.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
    return session


def smtp(args, encrypt=True):
    """A session past EHLO, by default after STARTTLS."""
    session = smtplib.SMTP("localhost", args.smtp, local_hostname="client.example.org", timeout=60)
    session.ehlo()
    if encrypt:
        session.starttls(context=tls(args))
        session.ehlo()
    return session


def message(subject, body="Hello.\r\n", to=ALICE, **headers):
    """A short message with CRLF line ends."""
    lines = [
        "From: Carol <carol@example.org>",
        f"To: {to}",
        f"Subject: {subject}",
        f"Date: {email.utils.formatdate()}",
        f"Message-ID: {email.utils.make_msgid(domain='example.org')}",
    ]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def ok(answer):
    """The data of an imaplib answer that must be OK."""
    status, data = answer
    assert status == "OK", answer
    return data


def uids(session, *criteria):
    """UID SEARCH as a list of numbers."""
    return [int(uid) for uid in ok(session.uid("SEARCH", *criteria))[0].split()]


def flags(session, uid):
    """The flags of one message."""
    line = ok(session.uid("FETCH", str(uid), "(FLAGS)"))[0]
    return set(imaplib.ParseFlags(line)) - {b"\\Recent"}


def check(condition, what):
    """An assertion that is printed when it holds, so that a failure shows how far the script came."""
    assert condition, what
    print("ok:", what)
