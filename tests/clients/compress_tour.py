"""COMPRESS=DEFLATE (RFC 4978) by zlib over a socket: both directions, pipelined, octet by octet, and what is no deflate."""

import socket
import zlib
from common import *

args = arguments()


class Session:
    """A connection over TLS that may be compressed; it counts what crosses the wire."""

    def __init__(self):
        plain = socket.create_connection(("localhost", args.imaps), timeout=60)
        self.socket = tls(args).wrap_socket(plain, server_hostname="localhost")
        self.into = self.out = None
        self.buffer, self.received, self.tag = b"", 0, 0
        assert self.line().startswith(b"* OK")

    def compress(self):
        answer = self.command("COMPRESS DEFLATE")
        assert answer[-1].startswith(b"OK"), answer
        assert self.buffer == b"", "nothing in clear behind the OK"
        # RFC 4978 section 3: raw deflate, as RFC 1951 has it, without zlib's header.
        self.into, self.out = zlib.decompressobj(-15), zlib.compressobj(wbits=-15)

    def fill(self):
        octets = self.socket.recv(65536)
        if not octets:
            raise EOFError
        self.received += len(octets)
        self.buffer += self.into.decompress(octets) if self.into else octets

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def send(self, octets, flush=zlib.Z_SYNC_FLUSH, step=None):
        octets = self.out.compress(octets) + self.out.flush(flush) if self.out else octets
        for at in range(0, len(octets), step or len(octets)):
            self.socket.sendall(octets[at : at + (step or len(octets))])

    def answer(self, tag):
        lines = []
        while True:
            line = self.line()
            if line.startswith(tag + b" "):
                return lines + [line[len(tag) + 1 :]]
            lines.append(line)

    def command(self, text, **how):
        self.tag += 1
        tag = b"t%d" % self.tag
        self.send(tag + b" " + text.encode() + b"\r\n", **how)
        return self.answer(tag)


def connect():
    session = Session()
    assert session.command(f"LOGIN {ALICE} {PASSWORD}")[-1].startswith(b"OK")
    return session


session = connect()
check(b" COMPRESS=DEFLATE" in session.command("CAPABILITY")[0], "COMPRESS=DEFLATE is offered")
session.compress()
check(session.command("NOOP")[-1].startswith(b"OK"), "compressed both ways")
again = session.command("COMPRESS DEFLATE")[-1]
check(again.startswith(b"NO [COMPRESSIONACTIVE]"), f"once is enough: {again}")

text = b"Subject: big\r\n\r\n" + b"The same line again.\r\n" * 20_000
session.send(b"a APPEND INBOX {%d+}\r\n" % len(text) + text + b"\r\n")
check(session.answer(b"a")[-1].startswith(b"OK [APPENDUID"), "a literal of 440 kB, compressed")
session.command("SELECT INBOX")
before = session.received
session.send(b"f FETCH 1 BODY.PEEK[]\r\n")
found = b"\r\n".join(session.answer(b"f")[:-1])
check(text in found, "and back")
spent = session.received - before
check(spent * 10 < len(text), f"{len(text)} octets in {spent}")

session.send(b"".join(b"p%d NOOP\r\n" % n for n in range(50)))
check(all(session.answer(b"p%d" % n)[-1].startswith(b"OK") for n in range(50)), "fifty commands in one block")
check(session.command("UID SEARCH ALL", step=1)[0] == b"* SEARCH 1", "octet by octet")
for flush in (zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_BLOCK):
    session.send(b"b%d NOOP\r\n" % flush, flush=flush)
    session.send(b"c%d NOOP\r\n" % flush)
    check(session.answer(b"c%d" % flush)[-1].startswith(b"OK"), f"flush {flush}")

idle = connect()
idle.compress()
idle.command("SELECT INBOX")
idle.send(b"i IDLE\r\n")
check(idle.line().startswith(b"+"), "IDLE, compressed")
session.command("STORE 1 +FLAGS (\\Flagged)")
check(b"\\Flagged" in idle.line(), "and the news come at once")
idle.send(b"DONE\r\n")
check(idle.answer(b"i")[-1].startswith(b"OK"), "DONE")

# What is no deflate ends the connection, and nothing else.
broken = connect()
broken.compress()
broken.socket.sendall(b"\xff" * 100)
try:
    while True:
        broken.fill()
except (EOFError, ConnectionError, zlib.error):
    pass

# A line of 64 MB in 64 kB of deflate: refused as any long line, and passed over.
bomb = connect()
bomb.compress()
bomb.send(b"b NOOP " + b"x" * 64_000_000 + b"\r\n")
check(bomb.answer(b"b")[-1] == b"BAD The command is too long", "a bomb is a line that is too long")
check(bomb.command("NOOP")[-1].startswith(b"OK"), "and the next is read")
check(session.command("NOOP")[-1].startswith(b"OK"), "a broken stream ends its own connection alone")
check(session.command("LOGOUT")[-1].startswith(b"OK"), "LOGOUT")
print("ok: the whole tour")
