"""A command sent together with STARTTLS must be forgotten: inside TLS the session starts anew (CVE-2011-0411)."""

import socket
from common import *

args = arguments()
for port, first, command, answer, probe, expected in (
    (args.smtp, b"HELO client.example.org\r\n", b"STARTTLS\r\nRSET\r\n", b"220", b"MAIL FROM:<a@example.org>\r\n", b"503"),
    (args.imap, b"x NOOP\r\n", b"a STARTTLS\r\nb NOOP\r\n", b"a OK", b"c NOOP\r\n", b"c OK"),
):
    plain = socket.create_connection(("localhost", port), timeout=20)
    reader = plain.makefile("rb")
    reader.readline()
    plain.sendall(first)
    reader.readline()
    plain.sendall(command)
    line = reader.readline()
    assert line.startswith(answer), line
    secure = tls(args).wrap_socket(plain, server_hostname="localhost")
    secure.sendall(probe)
    line = secure.recv(4096)
    check(line.startswith(expected), f"the first answer inside TLS is to the first command inside TLS: {line!r}")
