"""Python's smtplib against the SMTP listener: extensions, refusals, and what arrives."""

import smtplib
from common import *

args = arguments()


def refused(code, enhanced, what, action):
    """`action` must be refused with this reply."""
    try:
        action()
    except smtplib.SMTPRecipientsRefused as error:
        reply = next(iter(error.recipients.values()))
    except smtplib.SMTPResponseException as error:
        reply = (error.smtp_code, error.smtp_error)
    else:
        raise AssertionError(f"{what}: was accepted")
    assert reply[0] == code and reply[1].decode().startswith(enhanced), (what, reply)
    print("ok:", what, reply)


session = smtp(args, encrypt=False)
for extension in ("pipelining", "size", "8bitmime", "smtputf8", "enhancedstatuscodes", "chunking", "starttls"):
    check(session.has_extn(extension), f"EHLO offers {extension}")
check(int(session.esmtp_features["size"]) == 50 * 1024 * 1024, "SIZE is the limit of the manifest's default")
check(not session.has_extn("auth"), "nobody logs in on this port")
session.starttls(context=tls(args))
session.ehlo()
check(not session.has_extn("starttls"), "no STARTTLS inside TLS")
check(session.docmd("STARTTLS")[0] == 503, "a second STARTTLS is out of order")
for verb, code in (("NOOP", 250), ("RSET", 250), ("HELP", 214), ("VRFY alice", 252), ("EXPN team", 502), ("FROB", 500)):
    check(session.docmd(verb)[0] == code, f"{verb} is answered {code}")
check(session.docmd("RCPT TO:<alice@example.test>")[0] == 503, "RCPT before MAIL is out of order")

sender = "carol@example.org"
for to in ("alice+news@Example.TEST", "ALICE@example.test", "team@example.test", "hello@example.org", "postmaster"):
    session.sendmail(sender, [to], message(f"to {to}", to=to))
    print("ok: accepted for", to)
session.sendmail("", [ALICE], message("from the null sender"))
session.sendmail(sender, [ALICE], "Subject: gr\u00fc\u00dfe\r\n\r\n\u2709\r\n".encode(), mail_options=["SMTPUTF8", "BODY=8BITMIME"])

send = lambda to: lambda: session.sendmail(sender, [to], message("no"))
refused(550, "5.1.1", "an unknown user", send("nobody@example.test"))
refused(550, "5.7.1", "relaying", send("somebody@example.com"))
session.docmd("RSET")
code, reply = session.mail(sender, [f"SIZE={60 * 1024 * 1024}"])
check(code == 552 and reply.startswith(b"5.3.4"), "a message announced too big is refused at MAIL")
session.docmd("RSET")

# RFC 3030 §2: two chunks, the second is the last.
text = message("in chunks", body="first line\r\n.\r\nthird line\r\n")
session.mail(sender)
session.rcpt(ALICE)
for chunk, last in ((text[:37], ""), (text[37:], " LAST")):
    session.sock.sendall(b"BDAT %d%s\r\n" % (len(chunk), last.encode()) + chunk)
    code, reply = session.getreply()
    check(code == 250, f"BDAT{last} is accepted: {reply}")
check(session.quit()[0] == 221, "QUIT is answered")

reader = imap(args)
ok(reader.select("INBOX"))
subjects = {}
for uid in uids(reader, "ALL"):
    raw = ok(reader.uid("FETCH", str(uid), "(BODY.PEEK[])"))[0][1]
    line = next(line for line in raw.split(b"\r\n") if line.lower().startswith(b"subject:"))
    subjects[line[9:].decode()] = raw
wanted = {f"to {to}" for to in ("alice+news@Example.TEST", "ALICE@example.test", "team@example.test", "hello@example.org", "postmaster")}
wanted |= {"from the null sender", "gr\u00fc\u00dfe", "in chunks"}
check(set(subjects) == wanted, f"each was delivered once: {sorted(subjects)}")
raw = subjects["in chunks"]
check(raw.endswith(text), "BDAT keeps every byte, dots included")
check(raw.startswith(b"Return-Path: <carol@example.org>\r\n"), "Return-Path is the first line")
received = raw[: -len(text)].split(b"\r\n", 1)[1]
check(received.startswith(b"Received: from client.example.org") and b"with ESMTPS" in received, "Received tells of TLS")
check(subjects["from the null sender"].startswith(b"Return-Path: <>\r\n"), "the null sender stays null")
team = imap(args, BOB)
ok(team.select("INBOX"))
check(len(uids(team, "ALL")) == 1, "an alias with two targets reaches the second as well")
