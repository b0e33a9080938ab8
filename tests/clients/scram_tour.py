"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677) written out here, over IMAP and submission.

Python's ssl has no tls-exporter, so the channel binding is tls-server-end-point (RFC 5929 section 4).
"""

import base64
import hashlib
import hmac
import imaplib
import os
import smtplib
from common import *

args = arguments("submission", "submissions")


class Scram:
    """One login as a client. `flag` is the gs2-cbind-flag, `binding` the channel binding data."""

    def __init__(self, user, password, flag="n", binding=b""):
        self.user, self.password, self.header, self.binding = user, password, f"{flag},,", binding
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.steps = [self.first, self.proof, self.verify]

    def __call__(self, challenge=b""):
        return self.steps.pop(0)(challenge or b"")

    def first(self, _):
        self.bare = f"n={self.user},r={self.nonce}"
        return (self.header + self.bare).encode()

    def proof(self, challenge):
        server = dict(item.split("=", 1) for item in challenge.decode().split(","))
        assert server["r"].startswith(self.nonce) and server["r"] != self.nonce, "the nonce goes on"
        assert int(server["i"]) >= 4096, "RFC 7677 section 4"
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), base64.b64decode(server["s"]), int(server["i"]))
        mac = lambda key, text: hmac.new(key, text, hashlib.sha256).digest()
        client = mac(salted, b"Client Key")
        bound = base64.b64encode(self.header.encode() + self.binding).decode()
        without = f"c={bound},r={server['r']}"
        whole = f"{self.bare},{challenge.decode()},{without}".encode()
        signature = mac(hashlib.sha256(client).digest(), whole)
        self.expected = base64.b64encode(mac(mac(salted, b"Server Key"), whole)).decode()
        shown = base64.b64encode(bytes(a ^ b for a, b in zip(client, signature))).decode()
        return f"{without},p={shown}".encode()

    def verify(self, challenge):
        assert challenge.decode() == f"v={self.expected}", "the server knows the key too"
        return b""

    def finished(self):
        return not self.steps


def end_point(sock):
    """The certificate's hash; the self-signed one is signed with SHA-256."""
    return hashlib.sha256(sock.getpeercert(True)).digest()


PLUS = "p=tls-server-end-point"


def imap_login(password=PASSWORD, user=ALICE, flag="n", mechanism="SCRAM-SHA-256", spoil=False):
    session = imaplib.IMAP4_SSL("localhost", args.imaps, ssl_context=tls(args), timeout=60)
    binding = end_point(session.sock) if flag == PLUS else b""
    if spoil:
        binding = bytes(octet ^ 1 for octet in binding)
    scram = Scram(user, password, flag, binding)
    try:
        ok(session.authenticate(mechanism, scram))
    except imaplib.IMAP4.error as error:
        session.shutdown()
        return str(error)
    check(scram.finished(), "the server proved itself")
    ok(session.select("INBOX"))
    session.logout()
    return "in"


def smtp_login(port, password=PASSWORD, flag="n", mechanism="SCRAM-SHA-256"):
    if port == args.submissions:
        session = smtplib.SMTP_SSL("localhost", int(port), timeout=60, context=tls(args))
    else:
        session = smtplib.SMTP("localhost", int(port), timeout=60)
        session.starttls(context=tls(args))
    session.ehlo("client.example.org")
    check(mechanism in session.esmtp_features["auth"].split(), f"{mechanism} is offered")
    scram = Scram(ALICE, password, flag, end_point(session.sock) if flag == PLUS else b"")
    try:
        code, _ = session.auth(mechanism, lambda challenge=None: scram(challenge).decode())
    except smtplib.SMTPAuthenticationError as error:
        return error.smtp_code
    check(code != 235 or scram.finished(), "the server proved itself")
    session.sendmail(ALICE, [BOB], message(f"{mechanism} {port}", to=BOB).replace(b"carol@example.org", ALICE.encode()))
    session.quit()
    return code


check(imap_login() == "in", "IMAP: SCRAM-SHA-256")
check(imap_login(flag=PLUS, mechanism="SCRAM-SHA-256-PLUS") == "in", "IMAP: SCRAM-SHA-256-PLUS")
for port in (args.submission, args.submissions):
    check(smtp_login(port) == 235, "submission: SCRAM-SHA-256")
    check(smtp_login(port, flag=PLUS, mechanism="SCRAM-SHA-256-PLUS") == 235, "submission: SCRAM-SHA-256-PLUS")
check(smtp_login(args.submissions, password="wrong") == 535, "submission: a wrong password is refused")

refused = imap_login(password="wrong")
check("AUTHENTICATIONFAILED" in refused, f"IMAP: a wrong password is refused: {refused}")
unknown = imap_login(user="nobody@example.test")
check(unknown == refused, "who does not exist is refused with the same words")
spoilt = imap_login(flag=PLUS, mechanism="SCRAM-SHA-256-PLUS", spoil=True)
check(spoilt != "in", f"another channel is refused: {spoilt}")
downgraded = imap_login(flag="y")
check(downgraded != "in", f"who was made to believe that there is no PLUS is refused: {downgraded}")
print("ok: the whole tour")
