"""Reads a delivery status notification with Python's email package and prints what it found as JSON."""

import email
import email.policy
import json
import sys

message = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
words, status, returned = message.iter_parts()
assert not message.defects, message.defects
for part in message.walk():
    assert not part.defects, (part.get_content_type(), part.defects)
groups = status.get_payload()
original = returned.get_payload()
print(
    json.dumps(
        {
            "type": message.get_content_type(),
            "report": message.get_param("report-type"),
            "parts": [part.get_content_type() for part in (words, status, returned)],
            "auto": message["Auto-Submitted"],
            "to": message["To"].addresses[0].addr_spec,
            "from": message["From"].addresses[0].addr_spec,
            "words": words.get_content(),
            "message": dict(groups[0].items()),
            "recipients": [dict(group.items()) for group in groups[1:]],
            "subject": original[0]["Subject"] if isinstance(original, list) else email.message_from_string(original)["Subject"],
        }
    )
)
