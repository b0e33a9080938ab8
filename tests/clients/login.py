"""Tries to log in; prints `in` or `refused` with the server's words."""

import imaplib
from common import *

args = arguments("user", "password")
try:
    imap(args, args.user, args.password).logout()
    print("in")
except imaplib.IMAP4.error as error:
    print("refused:", error)
