"""Verifies every DKIM signature of messages with dkimpy. Arguments: a JSON file of TXT records by name, then messages.

Prints one line for each message: the verdict on each signature."""

import json
import sys

import dkim

records = json.load(open(sys.argv[1]))


def txt(name, timeout=5):
    return records.get(name.decode().rstrip("."), "").encode()


for path in sys.argv[2:]:
    message = open(path, "rb").read()
    verifier = dkim.DKIM(message)
    count = sum(1 for name, _ in verifier.headers if name.lower() == b"dkim-signature")
    verdicts = []
    for at in range(count):
        try:
            good = dkim.DKIM(message).verify(idx=at, dnsfunc=txt)
        except dkim.DKIMException as error:
            good = error
        verdicts.append("pass" if good is True else f"fail ({good})")
    print(" ".join(verdicts))
