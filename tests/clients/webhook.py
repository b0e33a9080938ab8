"""Sends one webhook as a forge does, signed by Python's own hmac: url provider token body [delivery]; prints the status."""

import hashlib
import hmac
import sys
import time
import urllib.error
import urllib.request

url, provider, token, body = sys.argv[1:5]
delivery = sys.argv[5] if len(sys.argv) > 5 else str(time.time_ns())
data = body.encode()


def signed(text):
    return hmac.new(token.encode(), text, hashlib.sha256).hexdigest()


headers = {"Content-Type": "application/json"}
if provider == "github":
    headers |= {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": "sha256=" + signed(data),
    }
elif provider == "gitlab":
    headers |= {"X-Gitlab-Event": "Push Hook", "Idempotency-Key": delivery, "X-Gitlab-Token": token}
elif provider == "gitea":
    headers |= {"X-Gitea-Event": "push", "X-Gitea-Delivery": delivery, "X-Gitea-Signature": signed(data)}
else:
    now = str(int(time.time()))
    headers |= {
        "X-Mailwright-Timestamp": now,
        "X-Mailwright-Signature": "sha256=" + signed(now.encode() + b"." + data),
    }

request = urllib.request.Request(url, data=data, headers=headers, method="POST")
try:
    with urllib.request.urlopen(request, timeout=20) as answer:
        print(answer.status)
except urllib.error.HTTPError as error:
    print(error.code)
